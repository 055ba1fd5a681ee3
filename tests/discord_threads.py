"""The REST routes of the local Discord about threads and forum posts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests import discord_rules as rules
from tests.discord_messages import message_of, new_message
from tests.discord_rest import Answer, Request, channel_of, guild_of, need, route
from tests.discord_rules import Refused, refuse_if
from tests.discord_state import REQUIRE_TAG, Channel, Json, Kind, P, User, permissions
from tests.discord_world import World


@route("GET /guilds/{guild_id}/threads/active")
def active_threads(world: World, request: Request) -> Answer:
    threads = [t for t in guild_of(world, request).threads.values() if not t.archived]
    shown = [t for t in threads if P.VIEW_CHANNEL in permissions(world.bot, t)]
    members = [t.member_json(world.bot) for t in shown if world.bot.id in t.members]
    return 200, {"threads": [t.json() for t in shown], "members": members, "has_more": False}


@route("PATCH /channels/{channel_id}")
def change_channel(world: World, request: Request) -> Answer:
    found, body = channel_of(world, request), request.body
    if not found.is_thread:
        need(world, found, P.MANAGE_CHANNELS)
        world.change_channel(found, **{k: body[k] for k in ("name", "topic") if k in body})
        return 200, found.json()
    _may_change(world, found, body)
    if found.archived and body.get("archived") is not False:
        raise Refused(400, 50083)
    if "applied_tags" in body:
        assert found.parent is not None
        body = body | {"applied_tags": tags_of(world, found.parent, body["applied_tags"])}
    renamed = {"auto_archive_duration": "archive_after"}
    known = ("name", "archived", "locked", "auto_archive_duration", "applied_tags")
    changes = {renamed.get(k, k): body[k] for k in known if body.get(k) is not None}
    world.change_channel(found, **changes)
    return 200, found.json()


def _may_change(world: World, found: Channel, body: Json) -> None:
    """Moderators all; who started it the name, tags, archiving; who is in it: opening it again."""
    if P.MANAGE_THREADS in permissions(world.bot, found):
        return
    mine = found.owner is world.bot
    opens = set(body) == {"archived"} and not body["archived"]
    may_open = mine or (world.bot.id in found.members and not found.locked)
    if not (may_open if opens else mine and not found.locked and "locked" not in body):
        raise Refused(403, 50013)


@route("POST /channels/{channel_id}/messages/{message_id}/threads")
def thread_of_message(world: World, request: Request) -> Answer:
    found, body = message_of(world, request, P.CREATE_PUBLIC_THREADS), request.body
    if found.channel.kind not in (Kind.TEXT, Kind.ANNOUNCEMENT):
        raise Refused(400, 50024)
    if found.thread is not None and not found.thread.deleted:
        raise Refused(400, 160004)
    after = body.get("auto_archive_duration") or 1440
    thread = world.add_thread(found.channel, body["name"].strip(), of=found, archive_after=after)
    return 201, thread.json() | {"member": thread.member_json(world.bot)}


@route("POST /channels/{channel_id}/threads")
def thread(world: World, request: Request) -> Answer:
    """In a forum with its first message; else without one, private unless a type is given."""
    found, body = channel_of(world, request), request.body
    after, name = body.get("auto_archive_duration") or 1440, (body.get("name") or "").strip()
    refuse_if(rules.length(("name",), name, 1, 100))
    if found.kind is not Kind.FORUM:
        if found.kind not in (Kind.TEXT, Kind.ANNOUNCEMENT):
            raise Refused(400, 50024)
        kind = Kind(body.get("type") or Kind.PRIVATE_THREAD)
        private = kind is Kind.PRIVATE_THREAD
        need(world, found, P.CREATE_PRIVATE_THREADS if private else P.CREATE_PUBLIC_THREADS)
        made = world.add_thread(found, name, kind=kind, archive_after=after)
        return 201, made.json() | {"member": made.member_json(world.bot)}
    need(world, found, P.SEND_MESSAGES)
    if not isinstance(body.get("message"), dict):
        refuse_if([rules.required(("message",))])
    refuse_if(rules.message_problems(body["message"], path=("message",)))
    tags = tags_of(world, found, body.get("applied_tags") or ())
    if found.flags & REQUIRE_TAG and not tags:
        raise Refused(400, 40067)
    identity = world.new_id()  # of the thread and of its first message alike
    first = new_message(world, found, body["message"], request.files, at=identity)
    made = world.add_thread(found, name, tags=tags, of=first, archive_after=after)
    first.channel, first.thread = made, None
    world.post(first, allowed=body["message"].get("allowed_mentions"))
    extra = {"member": made.member_json(world.bot), "message": first.json()}
    return 201, made.json() | extra


def tags_of(world: World, forum: Channel, wanted: Iterable[Any]) -> list[str]:
    """The ids of the tags; one that was deleted is unknown; five at most."""
    ids, known = [str(tag) for tag in wanted], {tag.id: tag for tag in forum.tags}
    refuse_if(rules.length(("applied_tags",), ids, 0, 5))
    if any(i not in known for i in ids):
        raise Refused(404, 10087)
    if any(known[i].moderated for i in ids):
        need(world, forum, P.MANAGE_THREADS)
    return ids


@route("GET /channels/{channel_id}/threads/archived/public")
def archived_threads(world: World, request: Request) -> Answer:
    """Those that were archived last come first; in pages."""
    found = channel_of(world, request, P.READ_MESSAGE_HISTORY)
    assert found.guild is not None
    threads = [t for t in found.guild.threads.values() if t.parent is found and t.archived]
    if before := request.query.get("before"):
        threads = [t for t in threads if t.archive_time < datetime.fromisoformat(before)]
    threads.sort(key=lambda thread: thread.archive_time, reverse=True)
    page = threads[: int(request.query.get("limit", 50))]
    members = [t.member_json(world.bot) for t in page if world.bot.id in t.members]
    shown, has_more = [t.json() for t in page], len(page) < len(threads)
    return 200, {"threads": shown, "members": members, "has_more": has_more}


@route("GET /channels/{channel_id}/thread-members")
def thread_members(world: World, request: Request) -> Answer:
    found = channel_of(world, request)
    return 200, [found.member_json(world.users[i]) for i in found.members]


@route("PUT /channels/{channel_id}/thread-members/@me")
def join_thread(world: World, request: Request) -> Answer:
    return _join(world, channel_of(world, request), world.bot)


@route("PUT /channels/{channel_id}/thread-members/{user_id}")
def add_to_thread(world: World, request: Request) -> Answer:
    found = channel_of(world, request, P.SEND_MESSAGES_IN_THREADS)
    person = world.users.get(request.params["user_id"])
    if person is None:
        raise Refused(404, 10013)
    return _join(world, found, person)


def _join(world: World, found: Channel, person: User) -> Answer:
    if found.archived:
        raise Refused(400, 50083)
    found.members.setdefault(person.id, world.clock())
    return 204, None


@route("DELETE /channels/{channel_id}/thread-members/@me")
def leave_thread(world: World, request: Request) -> Answer:
    channel_of(world, request).members.pop(world.bot.id, None)
    return 204, None
