"""The REST routes of the local Discord about messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from tests import discord_rules as rules
from tests.discord_rest import Answer, File, Request, channel_of, need, route
from tests.discord_rules import Refused, refuse_if
from tests.discord_state import COMPONENTS_V2, Channel, Json, Kind, Message, P, User, permissions
from tests.discord_world import World

NONCE_WINDOW = timedelta(minutes=5)  # "in the past few minutes", say the docs
KEPT_FLAGS = 1 << 2 | 1 << 12 | COMPONENTS_V2  # suppress embeds, silent, components v2
WRITTEN_IN = (Kind.TEXT, Kind.DM, Kind.VOICE, Kind.ANNOUNCEMENT, Kind.ANNOUNCEMENT_THREAD, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)  # fmt: skip
SELECT = {"min_values": 1, "max_values": 1, "disabled": False}
STORED_WITH: dict[int, Json] = {  # what components have besides what was sent
    **dict.fromkeys(rules.SELECTS, SELECT),
    14: {"spacing": 1, "divider": True},
    17: {"accent_color": None, "spoiler": False},
}


def message_of(world: World, request: Request, *wanted: P) -> Message:
    channel = channel_of(world, request, *wanted)
    message = channel.messages.get(request.params["message_id"])
    if message is None or message.deleted or message.ephemeral:
        raise Refused(404, 10008)
    return message


def may_send(world: World, channel: Channel) -> None:
    if channel.kind is Kind.FORUM:
        raise Refused(400, 40058)
    if channel.kind not in WRITTEN_IN:
        raise Refused(400, 50008, "Cannot send messages in a non-text channel")
    if channel.person is not None:
        shared = any(g.joined and channel.person.id in g.members for g in world.guilds.values())
        if not channel.person.takes_dms or not shared:
            raise Refused(403, 50007)
    need(world, channel, P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES)
    refuse_locked(world, channel)


def refuse_locked(world: World, channel: Channel) -> None:
    """Nobody writes in a locked thread but moderators; which code is our guess."""
    if channel.locked and P.MANAGE_THREADS not in permissions(world.bot, channel):
        raise Refused(400, 50083) if channel.archived else Refused(403, 50013)


@route("GET /channels/{channel_id}/messages")
def messages(world: World, request: Request) -> Answer:
    """Newest first. Without READ_MESSAGE_HISTORY there are none, and no error (docs)."""
    found, query = channel_of(world, request), request.query
    limit = int(query.get("limit", 50))
    if not 1 <= limit <= 100:
        said = "int value should be less than or equal to 100."
        refuse_if([(("limit",), "NUMBER_TYPE_MAX", said)])
    if found.guild and P.READ_MESSAGE_HISTORY not in permissions(world.bot, found):
        return 200, []
    shown = sorted(found.shown, key=lambda m: int(m.id), reverse=True)
    if before := query.get("before"):
        shown = [m for m in shown if int(m.id) < int(before)][:limit]
    elif after := query.get("after"):
        shown = [m for m in shown if int(m.id) > int(after)][-limit:]
    elif around := query.get("around"):
        newer = [m for m in shown if int(m.id) > int(around)]
        older = [m for m in shown if int(m.id) <= int(around)]
        shown = [*newer[len(newer) - limit // 2 :], *older][:limit] if limit > 1 else older[:1]
    return 200, [m.json() for m in shown[:limit]]


@route("GET /channels/{channel_id}/messages/{message_id}")
def message(world: World, request: Request) -> Answer:
    return 200, message_of(world, request, P.READ_MESSAGE_HISTORY).json()


@route("POST /channels/{channel_id}/messages")
def create_message(world: World, request: Request) -> Answer:
    found, body = channel_of(world, request), request.body
    may_send(world, found)
    refuse_if(rules.message_problems(body))
    nonce = body.get("nonce")
    if nonce is not None and body.get("enforce_nonce"):
        at, first = world.nonces.get(str(nonce), (None, None))
        if at is not None and first is not None and world.clock() - at <= NONCE_WINDOW:
            if first.deleted:
                raise Refused(404, 10008)
            return 200, first.json(new=True)
    made = new_message(world, found, body, request.files)
    made.nonce = nonce
    replied = _reply(world, found, made, body.get("message_reference"))
    if nonce is not None:
        world.nonces[str(nonce)] = (world.clock(), made)
    world.post(made, allowed=body.get("allowed_mentions"), replied=replied)
    return 200, made.json(new=True)


def _reply(world: World, found: Channel, made: Message, reference: Json | None) -> User | None:
    if not reference:
        return None
    need(world, found, P.READ_MESSAGE_HISTORY)
    to = found.messages.get(str(reference.get("message_id")))
    if to is None or to.deleted:
        if reference.get("fail_if_not_exists", True):
            said = "Unknown message"
            refuse_if([(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", said)])
        return None
    made.kind, made.reference = 19, {"message_id": to.id, "channel_id": found.id, "type": 0}
    return to.author


def new_message(
    world: World,
    found: Channel,
    body: Json,
    files: Sequence[File],
    *,
    free: bool = False,
    at: str | None = None,
) -> Message:
    """What is stored of a body. *free*: an answer to a person, who lends it all rights.

    Embeds are dropped in silence where the bot may not EMBED_LINKS; a message of embeds alone is
    50013 then (discord-api-docs#2601).
    """
    rules.refuse_if_heavy(body)
    has = permissions(world.bot, found)
    embeds = stored_embeds(body.get("embeds") or ())
    content = (body.get("content") or "").strip()
    components = stored_components(body.get("components") or ())
    if not free and found.guild:
        if files and P.ATTACH_FILES not in has:
            raise Refused(403, 50013)
        if embeds and P.EMBED_LINKS not in has:
            if not (content or components or files):
                raise Refused(403, 50013)
            embeds = []
    made = Message(
        at or world.new_id(), found, world.bot, content, world.clock(), embeds, components
    )
    made.flags = (body.get("flags") or 0) & KEPT_FLAGS
    made.attachments = attach(world, made, body, files)
    refuse_empty(made, body)
    return made


def refuse_empty(made: Message, body: Json) -> None:
    has = made.content or made.embeds or made.components or made.attachments
    if not has and not body.get("sticker_ids") and not body.get("poll"):
        raise Refused(400, 50006)


def stored_components(components: Iterable[Json]) -> list[Json]:
    """Every one has a number, from 1 on, unless the app gave one; menus have all their fields."""
    count = 0

    def one(component: Json) -> Json:
        nonlocal count
        count += 1
        made = {k: v for k, v in component.items() if v is not None}
        made["id"] = component.get("id") or count
        made = STORED_WITH.get(made["type"], {}) | made
        if "components" in made:
            made["components"] = [one(inner) for inner in made["components"]]
        if "accessory" in made:
            made["accessory"] = one(made["accessory"])
        return made

    return [one(component) for component in components]


def stored_embeds(embeds: Iterable[Json]) -> list[Json]:
    made = [rules.trimmed(embed) | {"type": "rich"} for embed in embeds]
    for embed in made:
        if "fields" in embed:
            embed["fields"] = [{"inline": False} | field for field in embed["fields"]]
    return made


def attach(world: World, made: Message, body: Json, files: Sequence[File]) -> list[Json]:
    """Those that the message has and keeps, and the new ones: ``files[n]`` has the id n."""
    described = {str(a.get("id")): a for a in body.get("attachments") or ()}
    kept = [a for a in made.attachments if "attachments" not in body or a["id"] in described]
    for number, file in enumerate(files):
        if len(file.data) > rules.LARGEST_FILE:
            raise Refused(413, 40005)
        about = described.get(str(number), {})
        name = about.get("filename") or file.name
        kept.append(stored(world, made.channel.id, File(name, file.data, file.content_type)))
        if about.get("description"):
            kept[-1]["description"] = about["description"]
    known = {a["id"] for a in kept} | {str(n) for n in range(len(files))}
    refuse_if(
        (("attachments", i, "id"), "ATTACHMENT_NOT_FOUND", "Attachment data not found")
        for i, name in enumerate(described)
        if name not in known
    )
    return kept


def stored(world: World, place: str, file: File) -> Json:
    identity = world.new_id()
    path = f"/attachments/{place}/{identity}/{file.name}"
    world.files[path] = file.data
    return {
        "id": identity, "filename": file.name, "size": len(file.data), "url": world.url + path,
        "proxy_url": world.url + path, "content_type": file.content_type,
    }  # fmt: skip


@route("PATCH /channels/{channel_id}/messages/{message_id}")
def edit_message(world: World, request: Request) -> Answer:
    found = message_of(world, request)
    if found.author is not world.bot:
        raise Refused(403, 50005)
    if found.channel.archived:
        raise Refused(400, 50083)
    refuse_locked(world, found.channel)
    change_message(world, found, request.body, request.files)
    return 200, found.json()


def change_message(world: World, found: Message, body: Json, files: Sequence[File]) -> None:
    """Fields that are not in the body stay; what was pinged once is not pinged again."""
    refuse_if(rules.message_problems(body, flags=found.flags))
    rules.refuse_if_heavy(body)
    draft = Message("0", found.channel, found.author, found.content, found.at, found.embeds, found.components)  # fmt: skip
    if "content" in body:
        draft.content = (body["content"] or "").strip()
    if "embeds" in body:
        draft.embeds = stored_embeds(body["embeds"] or ())
        has = permissions(world.bot, found.channel)
        if found.channel.guild and P.EMBED_LINKS not in has and found.interaction is None:
            draft.embeds = []
    if "components" in body:
        draft.components = stored_components(body["components"] or ())
    draft.attachments = found.attachments
    draft.attachments = attach(world, draft, body, files)
    refuse_empty(draft, body)
    found.content, found.embeds, found.components = draft.content, draft.embeds, draft.components
    found.attachments = draft.attachments
    found.flags |= (body.get("flags") or 0) & KEPT_FLAGS
    world.edited(found)


@route("DELETE /channels/{channel_id}/messages/{message_id}")
def delete_message(world: World, request: Request) -> Answer:
    found = message_of(world, request)
    if found.author is not world.bot:
        need(world, found.channel, P.MANAGE_MESSAGES)
    world.delete_message(found)
    return 204, None


@route("POST /channels/{channel_id}/messages/{message_id}/crosspost")
def crosspost(world: World, request: Request) -> Answer:
    found = message_of(world, request, P.SEND_MESSAGES)
    if found.channel.kind is not Kind.ANNOUNCEMENT:
        raise Refused(400, 50024)
    found.flags |= 1
    return 200, found.json()


@route("PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me")
def react(world: World, request: Request) -> Answer:
    found = message_of(world, request, P.READ_MESSAGE_HISTORY)
    name = request.params["emoji_name"]
    if name not in found.reactions:
        need(world, found.channel, P.ADD_REACTIONS)
    found.reactions.setdefault(name, set()).add(world.bot.id)
    return 204, None


@route("DELETE /channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}/@me")
def unreact(world: World, request: Request) -> Answer:
    found = message_of(world, request)
    found.reactions.get(request.params["emoji_name"], set()).discard(world.bot.id)
    return 204, None
