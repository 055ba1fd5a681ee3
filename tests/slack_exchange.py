"""One thing that a person does, or that happens, and all that comes of it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from tests.slack_faults import Call
from tests.slack_state import Channel, Json, Message, Slack, User, View

TRIGGER_LIFE = timedelta(seconds=3)  # docs.slack.dev/reference/methods/views.open
RESPONSE_LIFE = timedelta(minutes=30)
RESPONSE_USES = 5  # docs.slack.dev/interactivity/handling-user-interaction

Envelope = Literal["slash_commands", "interactive", "events_api"]
PATIENCE = 5.0  # of a test that waits for something to come


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to an envelope or request: *after* seconds, with *payload* where there was one."""

    at: datetime
    after: float
    payload: Json


@dataclass(frozen=True, slots=True)
class Request:
    """Bytes to the app's public listener, as Slack signs them."""

    body: bytes
    headers: Mapping[str, str]

    def tampered(self) -> Request:
        """Another body under the same signature."""
        return replace(self, body=self.body.replace(b"=", b"=x", 1) + b" ")

    def without(self, *names: str) -> Request:
        return replace(self, headers={k: v for k, v in self.headers.items() if k not in names})

    def with_headers(self, **headers: str) -> Request:
        """Underscores stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app's public listener said."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def signed(body: bytes, content_type: str, secret: str, at: datetime) -> Request:
    """docs.slack.dev/authentication/verifying-requests-from-slack."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    headers = {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest.hexdigest()}",
    }
    return Request(body, headers)


@dataclass
class Exchange:
    """What was sent to the app, its ack, and what the person got to see since.

    *error* is what Slack shows where the app fails: ``operation_timeout`` (no ack in time),
    ``dispatch_failed`` (nobody there, or refused); ``not_sent`` where Slack does not tell the app.
    """

    type: Envelope
    payload: Json
    team: str
    user: User | None
    channel: Channel | None
    at: datetime
    slack: Slack
    calls: list[Call]  # of the server
    until: Callable[..., Awaitable[None]]
    trigger_id: str = ""
    response_url: str = ""
    origin: Message | View | None = None  # what was clicked, where it was
    envelopes: list[Json] = field(default_factory=list)  # each delivery of it over a socket
    requests: list[Request] = field(default_factory=list)  # each delivery of it over HTTP
    answers: list[Answer] = field(default_factory=list)
    ack: Ack | None = None
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)  # beside the fields of a modal
    replies: list[Message] = field(default_factory=list)  # by ack or response_url
    response_uses: int = 0
    views: list[View] = field(default_factory=list)  # opened, pushed, or put in place by its ack
    options: list[Json] = field(default_factory=list)  # suggested
    trigger_used: bool = False
    calls_before: int = 0
    messages_before: int = 0
    ephemerals_before: int = 0

    def __post_init__(self) -> None:
        self.calls_before = len(self.calls)
        if self.channel is not None:
            self.messages_before = len(self.channel.messages)
            self.ephemerals_before = len(self.channel.ephemerals)

    @property
    def request(self) -> Request:
        return self.requests[-1]

    @property
    def view(self) -> View:
        return self.views[-1]

    @property
    def new_calls(self) -> list[Call]:
        """All calls since it began, whoever caused them."""
        return self.calls[self.calls_before :]

    @property
    def ephemerals(self) -> list[Message]:
        """What only this person was shown since, in its channel: replies and chat.postEphemeral."""
        if self.channel is None or self.user is None:
            return []
        since = self.channel.ephemerals[self.ephemerals_before :]
        return [m for m in since if m.only_for == self.user.id and not m.deleted]

    @property
    def posts(self) -> list[Message]:
        """What the bot posted for all to see since, in its channel."""
        if self.channel is None:
            return []
        bot = self.slack.workspaces[self.team].bot.id
        since = self.channel.messages[self.messages_before :]
        return [m for m in since if m.user == bot and not m.deleted]

    @property
    def shown(self) -> list[Message]:
        """Both, and what was put in the place of a message, in the order of their coming."""
        replaced = [m for m in self.replies if m.edited and not m.deleted]
        new = [m for m in (*self.ephemerals, *self.posts) if m not in replaced]
        return sorted([*new, *replaced], key=lambda m: m.edited or m.ts)

    @property
    def reply(self) -> Message:
        """The last thing the person was shown."""
        return self.shown[-1]

    async def replied(self, count: int = 1, *, timeout: float = PATIENCE) -> Exchange:  # noqa: ASYNC109
        """Wait until the person was shown *count* messages."""
        await self.until(lambda: len(self.shown) >= count, timeout=timeout, what="a reply")
        return self

    async def opened(self, count: int = 1, *, timeout: float = PATIENCE) -> View:  # noqa: ASYNC109
        """Wait until it has opened a modal."""
        await self.until(lambda: len(self.views) >= count, timeout=timeout, what="a modal")
        return self.view

    def body(self) -> tuple[bytes, str]:
        """As Slack sends it over HTTP, with the content type."""
        form = "application/x-www-form-urlencoded"
        if self.type == "events_api":
            return json.dumps(self.payload).encode(), "application/json"
        if self.type == "slash_commands":
            return urlencode(self.payload).encode(), form
        return urlencode({"payload": json.dumps(self.payload)}).encode(), form
