"""Interactions with the local Discord: what a person sees of one, and the routes that answer it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from tests import discord_rules as rules
from tests.discord_messages import change_message, new_message
from tests.discord_rest import Answer, Request, route
from tests.discord_rules import Refused, refuse_if
from tests.discord_state import EPHEMERAL, LOADING, Channel, Json, Message, User, walk
from tests.discord_world import World

TO_ANSWER, TOKEN_LIVES = timedelta(seconds=3), timedelta(minutes=15)
REPLY, SLASH_ANSWER, MENU_ANSWER = 19, 20, 23  # types of the messages


class Asked(IntEnum):
    """Types of interactions."""

    COMMAND = 2
    COMPONENT = 3
    COMPLETION = 4
    MODAL = 5


class Callback(IntEnum):
    """Types of first answers."""

    MESSAGE = 4
    DEFER = 5
    DEFER_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


@dataclass(eq=False)
class Modal:
    """A form before a person; *open* until it is sent and answered."""

    title: str
    custom_id: str
    components: list[Json]
    exchange: Exchange = field(repr=False)
    open: bool = True

    @property
    def inputs(self) -> list[Json]:
        """What can be filled in, each with its label."""
        found = []
        for component in self.components:
            if "component" in component:
                found.append({**component["component"], "label": component.get("label", "")})
            found += [c for c in component.get("components", ()) if "custom_id" in c]
        return found


@dataclass(eq=False)
class Exchange:
    """What a person asked, and what came back.

    *callback* None: nothing in time, the person reads "The application did not respond".
    *answered_after*: seconds by the server's clock.
    """

    id: str
    token: str
    kind: Asked
    user: User
    channel: Channel
    at: datetime
    payload: Json = field(repr=False)
    source: Message | None = None
    callback: Callback | None = None
    answered_after: float | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: Modal | None = None
    choices: list[Json] = field(default_factory=list)
    files_sent: list[bytes] = field(default_factory=list)

    @property
    def thinking(self) -> bool:
        """The bot asked for patience and has not come back."""
        waiting = self.original
        return waiting is not None and not waiting.deleted and bool(waiting.flags & LOADING)

    @property
    def settled(self) -> bool:
        """There is an answer to see; a deferred update (6) is one, too. Follow-ups may come later."""
        return self.callback is not None and not self.thinking

    @property
    def messages(self) -> list[Message]:
        """The answers that are there, without the message that a click came from."""
        own = [] if self.original is self.source or self.original is None else [self.original]
        return [message for message in [*own, *self.followups] if not message.deleted]

    @property
    def text(self) -> str:
        assert self.callback is not None, "The application did not respond"
        assert not self.thinking, "The application is thinking…"
        return "\n".join(message.text() for message in self.messages)

    @property
    def private(self) -> bool:
        """Nobody else sees any of it."""
        return all(message.ephemeral for message in self.messages)

    @property
    def buttons(self) -> list[Json]:
        return [c for m in self.messages for c in walk(m.components) if c["type"] == rules.BUTTON]


@route("POST /interactions/{interaction_id}/{interaction_token}/callback")
def callback(world: World, request: Request) -> Answer:
    asked = world.exchanges.get(request.params["interaction_token"])
    if asked is None or asked.id != request.params["interaction_id"]:
        raise Refused(404, 10062)
    waited = world.clock() - asked.at
    if asked.callback is None and waited > TO_ANSWER:
        world.dislike("late", f"a first answer after {waited.total_seconds():.1f} seconds")
        raise Refused(404, 10062)
    if asked.callback is not None:
        raise Refused(400, 40060)
    kind, data = _kind(asked, request.body), request.body.get("data") or {}
    if kind is Callback.CHOICES:
        refuse_if(rules.choice_problems(data.get("choices") or [], ("data", "choices")))
        asked.choices = data["choices"]
    elif kind is Callback.MODAL:
        refuse_if(rules.modal_problems(data))
        asked.modal = Modal(data["title"], data["custom_id"], data["components"], asked)
    elif kind is Callback.MESSAGE:
        refuse_if(rules.message_problems(data, path=("data",)))
        asked.original = _answer(world, asked, data, request)
    elif kind is Callback.DEFER:
        blank = Message(world.new_id(), asked.channel, world.bot, "", world.clock(), flags=LOADING)
        asked.original = _say(world, asked, blank, data)
    else:
        asked.original = asked.source
        if kind is Callback.UPDATE:
            assert asked.source is not None
            change_message(world, asked.source, data, request.files)
    asked.callback, asked.answered_after = kind, waited.total_seconds()
    return _told(asked, request)


def _kind(asked: Exchange, body: Json) -> Callback:
    """Completions take choices only; updates need a message; a form opens no form."""
    try:
        kind = Callback(body["type"])
    except (ValueError, KeyError):
        kind = None
    fits = {
        Asked.COMMAND: {Callback.MESSAGE, Callback.DEFER, Callback.MODAL},
        Asked.COMPONENT: set(Callback) - {Callback.CHOICES},
        Asked.COMPLETION: {Callback.CHOICES},
        Asked.MODAL: {Callback.MESSAGE, Callback.DEFER}
        | ({Callback.UPDATE, Callback.DEFER_UPDATE} if asked.source else set()),
    }[asked.kind]
    if kind not in fits:
        said = f"Value must be one of {tuple(sorted(map(int, fits)))}."
        refuse_if([(("type",), "BASE_TYPE_CHOICES", said)])
    assert kind is not None
    return kind


def _told(asked: Exchange, request: Request) -> Answer:
    if request.query.get("with_response") not in ("1", "true", "True"):
        return 204, None
    told: Json = {"id": asked.id, "type": int(asked.kind), "channel_id": asked.channel.id}
    if asked.channel.guild:
        told["guild_id"] = asked.channel.guild.id
    answer: Json = {"interaction": told}
    if asked.original is not None:
        told["response_message_id"] = asked.original.id
        told["response_message_loading"] = asked.thinking
        told["response_message_ephemeral"] = asked.original.ephemeral
        if asked.callback in (Callback.MESSAGE, Callback.UPDATE):
            answer["resource"] = {"type": int(asked.callback), "message": asked.original.json()}
    return 200, answer


def _answer(world: World, asked: Exchange, data: Json, request: Request) -> Message:
    made = new_message(world, asked.channel, data, request.files, free=True)
    asked.files_sent += [file.data for file in request.files]
    return _say(world, asked, made, data)


def _say(world: World, asked: Exchange, made: Message, data: Json) -> Message:
    made.flags |= (data.get("flags") or 0) & EPHEMERAL
    made.seen_by = asked.user if made.ephemeral else None
    if asked.kind is Asked.COMMAND:
        made.kind = SLASH_ANSWER if asked.payload["data"]["type"] == 1 else MENU_ANSWER
    owners = asked.payload["authorizing_integration_owners"]
    made.interaction = {
        "id": asked.id, "type": int(asked.kind), "user": asked.user.json(),
        "authorizing_integration_owners": owners,
    }  # fmt: skip
    if asked.kind is Asked.COMMAND:
        made.interaction["name"] = asked.payload["data"]["name"]
    elif asked.kind is Asked.COMPONENT and asked.source is not None:
        made.interaction["interacted_message_id"] = asked.source.id
        made.kind = REPLY  # to the message that was clicked (docs: message interaction object)
        made.reference = {"message_id": asked.source.id, "channel_id": asked.channel.id, "type": 0}
    elif asked.kind is Asked.MODAL:
        opener = {**made.interaction, "type": int(Asked.COMMAND), "name": "?"}
        made.interaction["triggering_interaction_metadata"] = opener
    return world.post(made, allowed=data.get("allowed_mentions"))


# After the first answer


def answered(world: World, request: Request) -> Exchange:
    """The exchange of a webhook's token: 15 minutes long, and only after the first answer."""
    asked: Exchange | None = world.exchanges.get(request.params["webhook_token"])
    if asked is None or request.params["webhook_id"] != world.bot.id or asked.callback is None:
        if asked is None and request.params["webhook_token"] in world.dead_tokens:
            world.dislike("again", "a webhook was tried again after 404")
        world.dead_tokens.add(request.params["webhook_token"])
        raise Refused(404, 10015)
    if world.clock() - asked.at > TOKEN_LIVES:
        raise Refused(401, 50027)
    return asked


def message_of(world: World, request: Request) -> tuple[Exchange, Message]:
    asked = answered(world, request)
    identity = request.params.get("message_id", "@original")
    mine: list[Message | None] = [asked.original, *asked.followups]
    wanted = [m for m in mine if m and not m.deleted and m.id == identity]
    found = asked.original if identity == "@original" else wanted[0] if wanted else None
    if found is None or found.deleted:
        raise Refused(404, 10008)
    return asked, found


@route("POST /webhooks/{webhook_id}/{webhook_token}")
def follow_up(world: World, request: Request) -> Answer:
    """Right after a deferral it fills the waiting message, and its flags are ignored (docs)."""
    asked, body = answered(world, request), request.body
    if asked.thinking:
        assert asked.original is not None
        _fill(world, asked, asked.original, body | {"flags": 0}, request)
        return 200, asked.original.json()
    refuse_if(rules.message_problems(body))
    made = _answer(world, asked, body, request)
    asked.followups.append(made)
    return 200, made.json()


def _fill(world: World, asked: Exchange, found: Message, body: Json, request: Request) -> None:
    was_loading = bool(found.flags & LOADING)
    change_message(world, found, body, request.files)
    found.flags &= ~LOADING
    asked.files_sent += [file.data for file in request.files]
    if was_loading:
        world.ping(found, body.get("allowed_mentions"))


def get_message(world: World, request: Request) -> Answer:
    return 200, message_of(world, request)[1].json()


def edit(world: World, request: Request) -> Answer:
    asked, found = message_of(world, request)
    _fill(world, asked, found, request.body, request)
    return 200, found.json()


def delete(world: World, request: Request) -> Answer:
    _, found = message_of(world, request)
    world.delete_message(found)
    return 204, None


for name in ("@original", "{message_id}"):
    place = f"/webhooks/{{webhook_id}}/{{webhook_token}}/messages/{name}"
    route(f"GET {place}")(get_message)
    route(f"PATCH {place}")(edit)
    route(f"DELETE {place}")(delete)
