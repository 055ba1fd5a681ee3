"""What happens in the local Slack that the app hears of as an event: messages, channels, tokens."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from datetime import datetime
from urllib.parse import urlsplit

from tests.slack_api import revoke
from tests.slack_exchange import Envelope, Exchange
from tests.slack_fields import Impossible, state as state_of
from tests.slack_state import Channel, Json, Message, Slack, User, View, Workspace
from tests.slack_text import typed

TOKEN = "verification-token"  # noqa: S105  # deprecated by Slack, still in every payload


def member(user: User, channel: Channel) -> None:
    if user.deleted:
        raise Impossible(f"{user.name} is deactivated")
    if channel.deleted:
        raise Impossible(f"{channel.name} is deleted")
    if user.id not in channel.members:
        raise Impossible(f"{user.name} is not in {channel.name or channel.id}")


class Happenings(ABC):
    """The drivers of ``SlackServer`` that send events; it says how they are sent."""

    state: Slack

    @abstractmethod
    def _exchange(
        self,
        kind: Envelope,
        workspace: Workspace,
        user: User | None,
        channel: Channel | None,
        *,
        responds: bool = False,
        triggers: bool = True,
    ) -> Exchange: ...

    @abstractmethod
    def _response_url(self, exchange: Exchange) -> str: ...

    @abstractmethod
    async def _tell(self, exchange: Exchange) -> Exchange: ...

    # -- messages, the home tab

    def write(
        self, user: User, channel: Channel, text: str, *, thread: Message | None = None
    ) -> Message:
        """A message that tells the app nothing. *text* as people type, mentions as ``<@U1>``."""
        member(user, channel)
        if channel.archived:
            raise Impossible(f"{channel.name} is archived")
        thread_ts = (thread.thread_ts or thread.ts) if thread else None
        blocks = [
            {
                "type": "rich_text",
                "block_id": "w",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [{"type": "text", "text": text or " "}],
                    }
                ],
            }
        ]
        return self.state.say(channel, user, typed(text), blocks=blocks, thread_ts=thread_ts)

    async def mention(
        self, user: User, channel: Channel, text: str, *, thread: Message | None = None
    ) -> Exchange:
        """``@paperboy text``; where the bot is not in the channel it hears nothing of it."""
        workspace = self._bot_of(channel)
        message = self.write(user, channel, f"{workspace.bot.mention} {text}", thread=thread)
        event = self._said("app_mention", message)
        heard = workspace.bot.id in channel.members
        return await self._happened(event, channel, user, workspace, heard=heard)

    async def edit(self, message: Message, text: str) -> Exchange:
        """The author edits a mention: that is told as if it were a new one."""
        channel, author = self.state.channels[message.channel], self.state.users[message.user]
        workspace = self._bot_of(channel)
        message.text, message.edited = typed(text), self.state.ts(channel)
        event = self._said("app_mention", message)
        event |= {"edited": {"user": author.id, "ts": message.edited}, "event_ts": message.edited}
        heard = workspace.bot.mention in message.text and workspace.bot.id in channel.members
        return await self._happened(event, channel, author, workspace, heard=heard)

    async def direct(self, user: User, text: str, *, thread: Message | None = None) -> Exchange:
        workspace = self._installed(user)
        channel = self.state.im(workspace, user.id)
        message = self.write(user, channel, text, thread=thread)
        event = self._said("message", message) | {"channel_type": "im"}
        return await self._happened(event, channel, user, workspace, subscription="message.im")

    def _said(self, kind: str, message: Message) -> Json:
        told: Json = {
            "type": kind,
            "user": message.user,
            "text": message.text,
            "ts": message.ts,
            "team": message.team,
            "client_msg_id": str(uuid.uuid4()),
            "blocks": message.blocks,
            "channel": message.channel,
            "event_ts": message.ts,
        }
        if message.thread_ts:
            told["thread_ts"] = message.thread_ts
        channel = self.state.channels[message.channel]
        if channel.shared_with:
            told |= {"user_team": message.team, "source_team": message.team}
        return told

    async def open_home(self, user: User, tab: str = "home") -> Exchange:
        workspace = self._installed(user)
        channel = self.state.im(workspace, user.id)
        event: Json = {
            "type": "app_home_opened",
            "user": user.id,
            "channel": channel.id,
            "tab": tab,
            "event_ts": self._stamp(),
        }
        if (home := self.state.home(workspace.id, user.id)) is not None and tab == "home":
            event["view"] = self._view(home)
        return await self._happened(event, channel, user, workspace)

    async def link_shared(
        self, user: User, channel: Channel, *urls: str, thread: Message | None = None
    ) -> Exchange:
        """A message with these addresses; those of the app's domains are told to it."""
        message = self.write(user, channel, " ".join(urls), thread=thread)
        hosts = ((url, (urlsplit(url).hostname or "")) for url in urls)
        links = [
            {"domain": domain, "url": url}
            for url, host in hosts
            for domain in sorted(self.state.app.domains)
            if host == domain or host.endswith(f".{domain}")
        ]
        message.links = tuple(link["url"] for link in links)
        workspace = self._bot_of(channel)
        unfurl_id = f"{workspace.id}.{message.ts}.{uuid.uuid4().hex}"
        self.state.unfurls[unfurl_id] = message
        event: Json = {
            "type": "link_shared",
            "user": user.id,
            "channel": channel.id,
            "message_ts": message.ts,
            "is_bot_user_member": workspace.bot.id in channel.members,
            "unfurl_id": unfurl_id,
            "source": "conversations_history",
            "links": links,
            "event_ts": message.ts,
        }
        if message.thread_ts:
            event["thread_ts"] = message.thread_ts
        return await self._happened(event, channel, user, workspace, heard=bool(links))

    # -- what happens

    async def event(
        self,
        kind: str,
        channel: Channel | None = None,
        user: User | None = None,
        *,
        name: str = "",
        team: Workspace | None = None,
        fields: Json | None = None,
    ) -> Exchange:
        """Change the world so, then tell the app. *fields* are added to the event."""
        workspace = team or (self._bot_of(channel) if channel else self._first())
        was_in = channel is not None and workspace.bot.id in channel.members
        if channel is not None and kind == "channel_id_changed":
            self.state.channels[name] = self.state.channels.pop(channel.id)
        event: Json = {"type": kind, "event_ts": self._stamp(), **_change(
            kind.replace("group_", "channel_"), channel, user, workspace, name
        )}  # fmt: skip
        heard = True
        if channel is not None:
            if channel.kind == "private" and kind != "channel_id_changed":
                event["type"] = event["type"].replace("channel_", "group_", 1)
            is_in = was_in or workspace.bot.id in channel.members
            about_members = kind.startswith("member_")
            heard = is_in or (channel.kind == "public" and not about_members)
        told = event | (fields or {})
        subscription = "message.im" if told.get("channel_type") == "im" else ""
        return await self._happened(
            told, channel, user, workspace, subscription=subscription, heard=heard
        )

    async def _happened(
        self,
        event: Json,
        channel: Channel | None,
        user: User | None,
        workspace: Workspace,
        *,
        subscription: str = "",
        heard: bool = True,
    ) -> Exchange:
        exchange = self._exchange("events_api", workspace, user, channel)
        shared = bool(channel and channel.shared_with)
        exchange.payload = {
            "token": TOKEN,
            "team_id": workspace.id,
            "context_team_id": workspace.id,
            "context_enterprise_id": None,
            "api_app_id": self.state.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": self.state.new_id("Ev"),
            "event_time": int(exchange.at.timestamp()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": workspace.id,
                    "user_id": workspace.bot.id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": shared,
            "event_context": f"4-{uuid.uuid4().hex}",
        }
        gone = event["type"] in ("app_uninstalled", "tokens_revoked")
        subscribed = (subscription or event["type"]) in self.state.app.events
        if not (heard and subscribed and (workspace.installed or gone)):
            exchange.error = "not_sent"
            return exchange
        return await self._tell(exchange)

    # -- parts of payloads

    def _view(self, view: View) -> Json:
        bot = self.state.workspaces[view.team].bot
        told = view.as_json(self.state.app.id, bot.bot_id)
        told["state"] = {"values": state_of(view.blocks, view.state)}
        return told

    def _installed(self, user: User) -> Workspace:
        if user.deleted:
            raise Impossible(f"{user.name} is deactivated")
        workspace = self.state.workspaces[user.team]
        if not workspace.installed:
            # Commands and shortcuts are those of the person's own workspace.
            raise Impossible(f"{workspace.name} has not installed the app")
        return workspace

    def _bot_of(self, channel: Channel) -> Workspace:
        """The workspace whose bot is in the channel, else the channel's own."""
        teams = [self.state.workspaces[team] for team in channel.teams]
        return next((w for w in teams if w.bot.id in channel.members), teams[0])

    def _first(self) -> Workspace:
        return next(iter(self.state.workspaces.values()))

    def _stamp(self) -> str:
        now: datetime = self.state.clock()
        return f"{now.timestamp():.6f}"


def _change(
    kind: str, channel: Channel | None, user: User | None, workspace: Workspace, name: str
) -> Json:
    """What the event does to the world, and its own fields."""
    if kind == "app_uninstalled":
        revoke(workspace)
        return {}
    if kind == "tokens_revoked":
        revoke(workspace)
        return {"tokens": {"oauth": [], "bot": [workspace.bot.id]}}
    if channel is None:
        return {}
    who = user.id if user else channel.creator
    match kind:
        case "channel_archive" | "channel_unarchive":
            channel.archived = kind == "channel_archive"
            return {"channel": channel.id, "user": who, "is_moved": 0}
        case "channel_deleted":
            channel.deleted = True
            return {"channel": channel.id, "actor_id": who}
        case "channel_id_changed":
            old, channel.id = channel.id, name
            return {"old_channel_id": old, "new_channel_id": channel.id}
        case "channel_rename":
            channel.name = name
            told = channel.as_json(workspace.bot.id)
            return {"channel": {k: told[k] for k in ("id", "name", "name_normalized", "created")}}
        case "member_joined_channel" | "member_left_channel":
            if kind == "member_joined_channel" and who not in channel.members:
                channel.members.append(who)
            elif kind == "member_left_channel" and who in channel.members:
                channel.members.remove(who)
            letter = "C" if channel.kind == "public" else "G"
            return {"user": who, "channel": channel.id, "channel_type": letter,
                    "team": workspace.id}  # fmt: skip
        case _:
            return {"channel": channel.id, "user": who}
