"""What a Slack holds: workspaces, people, channels, messages, views, files, tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from bot.ports import Clock

if TYPE_CHECKING:
    from tests.slack_exchange import Exchange

Json = dict[str, Any]
Role = Literal["member", "admin", "owner", "guest", "single_channel_guest", "bot"]
Kind = Literal["public", "private", "im", "mpim"]
TokenKind = Literal["bot", "user", "app"]

SCOPES = frozenset({
    "app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write",
    "chat:write.public", "commands", "files:read", "files:write", "groups:history", "groups:read",
    "im:history", "im:read", "im:write", "links:read", "links:write", "mpim:history", "mpim:read",
    "mpim:write", "reactions:write", "team:read", "users:read",
})  # fmt: skip
EVENTS = frozenset({
    "app_home_opened", "app_mention", "app_uninstalled", "channel_archive", "channel_deleted",
    "channel_id_changed",
    "channel_rename", "channel_unarchive", "group_archive", "group_deleted", "group_rename",
    "group_unarchive", "link_shared", "member_joined_channel", "member_left_channel", "message.im",
    "tokens_revoked",
})  # fmt: skip


@dataclass
class App:
    """The app as its settings pages describe it; the same in every workspace."""

    id: str = "A1"
    name: str = "paperboy"
    client_id: str = "1.1"
    client_secret: str = "client-secret"  # noqa: S105  # of a server that stands here
    signing_secret: str = "signing-secret"  # noqa: S105
    redirect_uris: tuple[str, ...] = ()
    events: frozenset[str] = EVENTS  # that it has subscribed to
    domains: frozenset[str] = frozenset({"arxiv.org", "huggingface.co"})  # that it may unfurl
    escapes: bool = True  # the command's `should_escape`
    is_unlisted: bool = False  # distributed, but not in the Marketplace: it reads history slowly


@dataclass
class User:
    id: str
    name: str
    team: str
    role: Role = "member"
    tz: str = "Etc/UTC"
    locale: str = "en-US"
    deleted: bool = False
    bot_id: str = ""

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def profile(self, now: datetime, *, seen_from: str, with_locale: bool = False) -> Json:
        """As users.info tells it in the workspace *seen_from*."""
        zone = ZoneInfo(self.tz)
        offset = now.astimezone(zone).utcoffset()
        real_name = self.name.title()
        told: Json = {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "deleted": self.deleted,
            "real_name": real_name,
            "profile": {
                "real_name": real_name,
                "real_name_normalized": real_name,
                "display_name": self.name,
                "display_name_normalized": self.name,
                "team": self.team,
            },
            "is_bot": self.role == "bot",
            "is_app_user": False,
            "updated": 1_700_000_000,
        }
        if self.deleted:
            return told
        told |= {
            "tz": self.tz,
            "tz_label": now.astimezone(zone).tzname(),
            "tz_offset": int(offset.total_seconds()) if offset is not None else 0,
            "is_admin": self.role in ("admin", "owner"),
            "is_owner": self.role == "owner",
            "is_primary_owner": False,
            "is_restricted": self.role in ("guest", "single_channel_guest"),
            "is_ultra_restricted": self.role == "single_channel_guest",
        }
        if self.team != seen_from:
            told["is_stranger"] = True
        if with_locale:
            told["locale"] = self.locale
        return told


@dataclass
class Message:
    """A message, or (*only_for* a person) an ephemeral one."""

    ts: str
    channel: str
    user: str
    team: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    metadata: Json | None = None
    attachments: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)
    unfurls: Json = field(default_factory=dict)
    links: tuple[str, ...] = ()  # the app's domains are named in it
    edited: str | None = None
    only_for: str | None = None
    deleted: bool = False

    def as_json(self, *, with_metadata: bool = False) -> Json:
        told: Json = {
            "type": "message",
            "user": self.user,
            "ts": self.ts,
            "text": self.text,
            "team": self.team,
        }
        optional: Json = {
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "thread_ts": self.thread_ts,
            "blocks": self.blocks,
            "attachments": self.attachments,
            "files": self.files,
            "edited": self.edited and {"user": self.user, "ts": self.edited},
            "reactions": [{"name": n, "users": [], "count": 1} for n in self.reactions],
            "metadata": self.metadata if with_metadata else None,
        }
        return told | {name: value for name, value in optional.items() if value}


@dataclass
class Channel:
    id: str
    name: str
    team: str
    kind: Kind = "public"
    creator: str = ""
    members: list[str] = field(default_factory=list)
    shared_with: tuple[str, ...] = ()  # other workspaces, by Slack Connect
    archived: bool = False
    deleted: bool = False
    messages: list[Message] = field(default_factory=list)
    ephemerals: list[Message] = field(default_factory=list)
    last_ts: int = 0  # in microseconds

    @property
    def teams(self) -> tuple[str, ...]:
        return (self.team, *self.shared_with)

    def message(self, ts: str) -> Message | None:
        return next((m for m in self.messages if m.ts == ts and not m.deleted), None)

    def as_json(self, member: str) -> Json:
        """As conversations.info tells it to *member*, who may be none."""
        if self.kind == "im":
            other = next((user for user in self.members if user != member), member)
            return {
                "id": self.id,
                "created": 1_700_000_000,
                "is_im": True,
                "is_archived": self.archived,
                "is_org_shared": False,
                "is_user_deleted": False,
                "user": other,
                "priority": 0,
                "context_team_id": self.team,
            }
        private = self.kind != "public"
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not private,
            "is_group": self.kind == "private",
            "is_im": False,
            "is_mpim": self.kind == "mpim",
            "is_private": private,
            "created": 1_700_000_000,
            "creator": self.creator,
            "is_archived": self.archived,
            "is_general": False,
            "is_shared": bool(self.shared_with),
            "is_ext_shared": bool(self.shared_with),
            "is_org_shared": False,
            "is_pending_ext_shared": False,
            "pending_shared": [],
            "shared_team_ids": list(self.teams),
            "context_team_id": self.team,
            "is_member": member in self.members,
            "topic": {"value": "", "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
            "previous_names": [],
        }


@dataclass
class View:
    """A modal or a home tab; *state* is what the person has filled in so far."""

    id: str
    team: str
    user: str
    body: Json
    hash: str
    root: str
    previous: str | None = None
    state: Json = field(default_factory=dict)
    closed: bool = False

    @property
    def type(self) -> str:
        return str(self.body["type"])

    @property
    def title(self) -> str:
        return str(self.body.get("title", {}).get("text", ""))

    @property
    def blocks(self) -> list[Json]:
        return list(self.body["blocks"])

    def as_json(self, app_id: str, bot_id: str) -> Json:
        return {
            "id": self.id,
            "team_id": self.team,
            "type": self.type,
            "blocks": self.body["blocks"],
            "private_metadata": self.body.get("private_metadata", ""),
            "callback_id": self.body.get("callback_id", ""),
            "state": {"values": self.state},
            "hash": self.hash,
            "title": self.body.get("title"),
            "clear_on_close": self.body.get("clear_on_close", False),
            "notify_on_close": self.body.get("notify_on_close", False),
            "close": self.body.get("close"),
            "submit": self.body.get("submit"),
            "submit_disabled": self.body.get("submit_disabled", False),
            "previous_view_id": self.previous,
            "root_view_id": self.root,
            "app_id": app_id,
            "external_id": self.body.get("external_id", ""),
            "app_installed_team_id": self.team,
            "bot_id": bot_id,
        }


@dataclass
class File:
    id: str
    name: str
    length: int
    title: str = ""
    content: bytes | None = None  # None until it is uploaded
    complete: bool = False
    channels: list[str] = field(default_factory=list)
    team: str = ""
    user: str = ""

    def as_json(self, channels: Mapping[str, Channel]) -> Json:
        kinds = {c: channels[c].kind for c in self.channels}
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title or self.name,
            "size": self.length,
            "user": self.user,
            "user_team": self.team,
            "is_external": False,
            "channels": [c for c, kind in kinds.items() if kind == "public"],
            "groups": [c for c, kind in kinds.items() if kind in ("private", "mpim")],
            "ims": [c for c, kind in kinds.items() if kind == "im"],
        }


@dataclass
class Token:
    value: str
    kind: TokenKind
    team: str
    user: str
    scopes: frozenset[str]
    error: str | None = None  # what every call with it is refused with
    refused: bool = False  # whether a call was told so already


@dataclass
class Workspace:
    id: str
    name: str
    domain: str
    bot: User
    installed: bool = True
    tokens: list[Token] = field(default_factory=list)

    @property
    def token(self) -> str:
        """The newest bot token that holds."""
        return next(t.value for t in reversed(self.tokens) if t.kind == "bot" and not t.error)


@dataclass
class Code:
    """What a person's consent is exchanged for, once."""

    team: str
    user: str
    scopes: frozenset[str]
    redirect_uri: str
    used: bool = False


class Slack:
    """All of it, and how new things get their ids."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.app = App()
        self.app_tokens: dict[str, Token] = {}
        self.workspaces: dict[str, Workspace] = {}
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.views: dict[str, View] = {}
        self.files: dict[str, File] = {}
        self.tokens: dict[str, Token] = {}
        self.codes: dict[str, Code] = {}
        self.triggers: dict[str, Exchange] = {}
        self.unfurls: dict[str, Message] = {}  # by unfurl_id
        self.read_at: dict[tuple[str, str], datetime] = {}  # history, by method and workspace
        self._counts: dict[str, count[int]] = {}

    def new_id(self, letter: str) -> str:
        return f"{letter}{next(self._counts.setdefault(letter, count(1)))}"

    def ts(self, channel: Channel) -> str:
        """Later than every other one of the channel, whatever the clock does."""
        now = round(self.clock().timestamp() * 1e6)
        channel.last_ts = max(now, channel.last_ts + 1)
        return f"{channel.last_ts // 10**6}.{channel.last_ts % 10**6:06}"

    def new_workspace(self, name: str, scopes: frozenset[str] | None = SCOPES) -> Workspace:
        """*scopes* None: the app is not installed there."""
        team = self.new_id("T")
        bot = User(f"UB{team[1:]}", self.app.name, team, "bot", bot_id=f"B{team[1:]}")
        workspace = Workspace(team, name, name, bot, installed=False)
        self.workspaces[team] = workspace
        self.users[bot.id] = bot
        if scopes is not None:
            self.install(workspace, scopes)
        return workspace

    def install(self, workspace: Workspace, scopes: frozenset[str]) -> Token:
        """Where a bot token holds already it stays, with more scopes."""
        workspace.installed = True
        for token in workspace.tokens:
            if token.kind == "bot" and not token.error:
                token.scopes |= scopes
                return token
        value = f"xoxb-{workspace.id}-{len(workspace.tokens) + 1}"
        token = Token(value, "bot", workspace.id, workspace.bot.id, scopes)
        workspace.tokens.append(token)
        self.tokens[value] = token
        return token

    def im(self, workspace: Workspace, user: str) -> Channel:
        """The direct messages of the bot with *user*, opened where there are none."""
        pair = {workspace.bot.id, user}
        for channel in self.channels.values():
            if channel.kind == "im" and set(channel.members) == pair:
                return channel
        return self.add_channel(Channel(self.new_id("D"), "", workspace.id, "im", members=[*pair]))

    def add_channel(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        return channel

    def say(self, channel: Channel, user: User, text: str, **more: Any) -> Message:
        message = Message(self.ts(channel), channel.id, user.id, user.team, text, **more)
        (channel.ephemerals if message.only_for else channel.messages).append(message)
        return message

    def stack(self, team: str, user: str) -> list[View]:
        """The modals that *user* has open, the one on top last."""
        return [
            view
            for view in self.views.values()
            if (view.team, view.user, view.type, view.closed) == (team, user, "modal", False)
        ]

    def home(self, team: str, user: str) -> View | None:
        return next(
            (
                view
                for view in self.views.values()
                if (view.team, view.user, view.type) == (team, user, "home")
            ),
            None,
        )

    def knows(self, team: str, user: User) -> bool:
        """Whether people of *team* see *user*: theirs, or met in a shared channel."""
        return user.team == team or any(
            team in channel.teams and user.id in channel.members
            for channel in self.channels.values()
        )


def size(value: Mapping[str, Any] | Sequence[Any]) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
