"""The state of a local Discord, and what people and moderators change in it.

Each change is told to the connected bot by ``World.emit``, as Discord tells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.ports import Clock
from tests.discord_state import (
    PEOPLE,
    Channel,
    Guild,
    Json,
    Kind,
    Member,
    Message,
    Overwrite,
    P,
    Role,
    Snowflakes,
    Tag,
    User,
    permissions,
    walk,
)


@dataclass(frozen=True, slots=True)
class Ping:
    """Whom a message notifies."""

    message: Message
    everyone: bool = False
    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everyone or bool(self.roles or self.users)


def pinged(message: Message, text: str, allowed: Mapping[str, Any] | None, replied: User | None) -> Ping:  # fmt: skip
    """Whom the *text* pings under *allowed* mentions.

    Stricter than Discord, which looks past code: what stands there counts here, too.
    """
    guild = message.channel.guild
    parse = ("everyone", "roles", "users") if allowed is None else allowed.get("parse") or ()
    named = {k: {str(i) for i in (allowed or {}).get(k) or ()} for k in ("roles", "users")}
    may_ping_all = P.MENTION_EVERYONE in permissions(message.author, message.channel)
    users, roles = (set(re.findall(pattern, text)) for pattern in (r"<@!?(\d+)>", r"<@&(\d+)>"))
    if "users" not in parse:
        users &= named["users"]
    if "roles" not in parse:
        roles &= named["roles"]
    if replied is not None and (allowed is None or allowed.get("replied_user")):
        users.add(replied.id)
    if guild is not None:
        users &= set(guild.members)
        known = {i: r for i, r in guild.roles.items() if i in roles}
        roles = {i for i, role in known.items() if role.mentionable or may_ping_all}
    everyone = bool(re.search(r"@(everyone|here)\b", text)) and "everyone" in parse
    if guild is None or not may_ping_all:
        everyone = False
    return Ping(message, everyone, frozenset(roles if guild else ()), frozenset(users))


@dataclass(frozen=True, slots=True)
class Dislike:
    """What Discord lets pass, but not for ever."""

    kind: str
    detail: str


class World:
    """The state, and what people and moderators change in it."""

    def __init__(self, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.new_id = Snowflakes(clock)
        self.bot = User(self.new_id(), "Paperboy", bot=True)
        self.users: dict[str, User] = {self.bot.id: self.bot}
        self.guilds: dict[str, Guild] = {}
        self.dms: dict[str, Channel] = {}
        self.channels: dict[str, Channel] = {}
        self.pinged: list[Ping] = []
        self.nonces: dict[str, tuple[datetime, Message]] = {}  # of what the bot posted
        self.exchanges: dict[str, Any] = {}  # by token; filled by tests.discord_people
        self.dead_tokens: set[str] = set()
        self.commands: dict[str, dict[str, Json]] = {}  # by server ("": everywhere), then by id
        self.commands_created: dict[str, list[datetime]] = {}
        self.last_sync: dict[str, list[Json]] = {}
        self.dislikes: list[Dislike] = []
        self.files: dict[str, bytes] = {}  # attachments, by the path of their address
        self.url = ""
        self.interactions_url: str | None = None  # where interactions go instead of the gateway

    def emit(self, event: str, data: Json, guild: Guild | None = None) -> None:
        """Tell the bot; overridden by what has a gateway."""

    def changed(self) -> None:
        """Let those look again who wait for something; overridden by what has them."""

    def dislike(self, kind: str, detail: str) -> None:
        self.dislikes.append(Dislike(kind, detail))

    # People and servers

    def add_user(self, name: str, *, locale: str = "en-US", takes_dms: bool = True) -> User:
        user = User(self.new_id(), name, locale=locale, takes_dms=takes_dms)
        self.users[user.id] = user
        return user

    def add_guild(
        self,
        name: str = "Lab",
        *,
        owner: User | None = None,
        bot_permissions: P = P.NONE,
        everyone: P = PEOPLE,
        locale: str = "en-US",
    ) -> Guild:
        """A server that the bot is invited to; *bot_permissions* come on top of @everyone's."""
        guild = Guild(self.new_id(), name, owner or self.add_user(f"owner of {name}"), locale)
        guild.roles[guild.id] = Role(guild.id, "@everyone", everyone, position=0)
        self.guilds[guild.id] = guild
        own = Role(self.new_id(), self.bot.name, bot_permissions, managed=True)
        guild.roles[own.id] = own
        guild.members[guild.owner.id] = Member(guild.owner, self.clock())
        guild.members[self.bot.id] = Member(self.bot, self.clock(), [own.id])
        self.emit("GUILD_CREATE", guild.created_json(self.bot), guild)
        return guild

    def kick(self, guild: Guild) -> None:
        """Remove the bot from the server."""
        guild.joined = False
        guild.members.pop(self.bot.id)
        self.emit("GUILD_DELETE", {"id": guild.id}, guild)

    def invite(self, guild: Guild) -> None:
        """Bring the bot back, with the permissions that it had."""
        guild.joined = True
        own = [role.id for role in guild.roles.values() if role.managed]
        guild.members[self.bot.id] = Member(self.bot, self.clock(), own)
        self.emit("GUILD_CREATE", guild.created_json(self.bot), guild)

    def outage(self, guild: Guild) -> None:
        guild.available = False
        self.emit("GUILD_DELETE", {"id": guild.id, "unavailable": True}, guild)

    def end_outage(self, guild: Guild) -> None:
        guild.available = True
        data = guild.created_json(self.bot) | {"unavailable": False}
        self.emit("GUILD_CREATE", data, guild)

    def rename_guild(self, guild: Guild, name: str) -> None:
        guild.name = name
        self.emit("GUILD_UPDATE", guild.json(), guild)

    def join(self, guild: Guild, user: User, *roles: Role, nick: str | None = None) -> Member:
        member = Member(user, self.clock(), [role.id for role in roles], nick)
        guild.members[user.id] = member
        self.emit("GUILD_MEMBER_ADD", member.json() | {"guild_id": guild.id}, guild)
        return member

    def leave(self, guild: Guild, user: User) -> None:
        guild.members.pop(user.id)
        self.emit("GUILD_MEMBER_REMOVE", {"guild_id": guild.id, "user": user.json()}, guild)

    def add_role(
        self, guild: Guild, name: str, permissions: P = P.NONE, *, mentionable: bool = False
    ) -> Role:
        role = Role(self.new_id(), name, permissions, mentionable, position=len(guild.roles))
        guild.roles[role.id] = role
        self.emit("GUILD_ROLE_CREATE", {"guild_id": guild.id, "role": role.json()}, guild)
        return role

    def set_role(self, guild: Guild, role: Role, permissions: P) -> None:
        with self._gaining_access(guild):
            role.permissions = permissions
        self.emit("GUILD_ROLE_UPDATE", {"guild_id": guild.id, "role": role.json()}, guild)

    def delete_role(self, guild: Guild, role: Role) -> None:
        del guild.roles[role.id]
        for member in guild.members.values():
            member.roles = [i for i in member.roles if i != role.id]
        self.emit("GUILD_ROLE_DELETE", {"guild_id": guild.id, "role_id": role.id}, guild)

    def set_roles(self, guild: Guild, user: User, *roles: Role) -> None:
        member = guild.members[user.id]
        with self._gaining_access(guild):
            member.roles = [role.id for role in roles]
        self.emit("GUILD_MEMBER_UPDATE", member.json() | {"guild_id": guild.id}, guild)

    # Channels

    def add_channel(
        self,
        guild: Guild,
        name: str,
        kind: Kind = Kind.TEXT,
        *,
        tags: Iterable[str] = (),
        parent: Channel | None = None,
        topic: str | None = None,
        flags: int = 0,
    ) -> Channel:
        channel = Channel(self.new_id(), kind, name, guild, parent, topic, flags=flags)
        channel.position = len(guild.channels)
        channel.tags = [Tag(self.new_id(), tag) for tag in tags]
        guild.channels[channel.id] = self.channels[channel.id] = channel
        self.emit("CHANNEL_CREATE", channel.told_json(self.bot), guild)
        return channel

    def overwrite(
        self, channel: Channel, target: Role | User, *, allow: P = P.NONE, deny: P = P.NONE
    ) -> None:
        """Let a role or a person do more or less in a channel."""
        assert channel.guild is not None
        kind = 0 if isinstance(target, Role) else 1
        with self._gaining_access(channel.guild):
            channel.overwrites[target.id] = Overwrite(target.id, kind, allow, deny)
        self.emit("CHANNEL_UPDATE", channel.told_json(self.bot), channel.guild)

    @contextmanager
    def _gaining_access(self, guild: Guild) -> Iterator[None]:
        """What the bot comes to see, and sees no more: threads are told with THREAD_LIST_SYNC."""

        def visible() -> set[Channel]:
            threads = [thread for thread in guild.threads.values() if not thread.archived]
            return {thread for thread in threads if self._sees(thread)}

        def seen() -> set[Channel]:
            return {channel for channel in guild.channels.values() if self._sees(channel)}

        before, channels = visible(), seen()
        yield
        for channel in sorted(channels ^ seen(), key=lambda channel: channel.position):
            self.emit("CHANNEL_UPDATE", channel.told_json(self.bot), guild)
        if gained := visible() - before:
            members = [t.member_json(self.bot) for t in gained if self.bot.id in t.members]
            data: Json = {
                "guild_id": guild.id, "threads": [thread.json() for thread in gained],
                "channel_ids": list({thread.parent.id for thread in gained if thread.parent}),
                "members": members,
            }  # fmt: skip
            self.emit("THREAD_LIST_SYNC", data, guild)

    def _sees(self, channel: Channel) -> bool:
        return P.VIEW_CHANNEL in permissions(self.bot, channel)

    def change_channel(self, channel: Channel, **changes: Any) -> None:
        """Set fields of a channel or thread, as a moderator does."""
        if "archived" in changes or "archive_after" in changes:
            channel.archive_changed_at = self.clock()
        for name, value in changes.items():
            assert hasattr(channel, name), name
            setattr(channel, name, value)
        if not channel.is_thread:
            self.emit("CHANNEL_UPDATE", channel.told_json(self.bot), channel.guild)
        elif self._sees(channel):
            self.emit("THREAD_UPDATE", channel.json(), channel.guild)

    def add_tag(self, forum: Channel, name: str, *, moderated: bool = False) -> Tag:
        tag = Tag(self.new_id(), name, moderated)
        self.change_channel(forum, tags=[*forum.tags, tag])
        return tag

    def remove_tag(self, forum: Channel, tag: Tag) -> None:
        self.change_channel(forum, tags=[t for t in forum.tags if t is not tag])

    def delete_channel(self, channel: Channel) -> None:
        """With its threads, as Discord does: CHANNEL_DELETE alone tells of them."""
        assert channel.guild is not None
        channel.deleted = True
        self.channels.pop(channel.id, None)
        if channel.is_thread:
            channel.guild.threads.pop(channel.id, None)
            told = ("id", "guild_id", "parent_id", "type")
            data = {k: v for k, v in channel.json().items() if k in told}
            if self._sees(channel):
                self.emit("THREAD_DELETE", data, channel.guild)
            return
        channel.guild.channels.pop(channel.id, None)
        for thread in [t for t in channel.guild.threads.values() if t.parent is channel]:
            thread.deleted = True
            self.channels.pop(thread.id)
            channel.guild.threads.pop(thread.id)
        self.emit("CHANNEL_DELETE", channel.json(), channel.guild)

    def add_thread(
        self,
        parent: Channel,
        name: str,
        *,
        by: User | None = None,
        of: Message | None = None,
        kind: Kind | None = None,
        tags: Iterable[str] = (),
        archive_after: int = 1440,
    ) -> Channel:
        """Start a thread; its id is that of the message it hangs on, where there is one."""
        assert parent.guild is not None
        if kind is None:
            announcing = parent.kind is Kind.ANNOUNCEMENT
            kind = Kind.ANNOUNCEMENT_THREAD if announcing else Kind.PUBLIC_THREAD
        owner = by or self.bot
        thread = Channel(
            of.id if of else self.new_id(), kind, name, parent.guild, parent, owner=owner,
            created_at=self.clock(), applied_tags=list(tags), archive_after=archive_after,
            members={owner.id: self.clock()},
        )  # fmt: skip
        if of is not None:
            of.thread = thread
        parent.guild.threads[thread.id] = self.channels[thread.id] = thread
        data = thread.json() | {"newly_created": True}
        if owner is self.bot:
            data["member"] = thread.member_json(owner)
        if self._sees(thread):
            self.emit("THREAD_CREATE", data, parent.guild)
        return thread

    def dm(self, user: User) -> Channel:
        """The direct messages between this person and the bot."""
        if user.id not in self.dms:
            channel = Channel(self.new_id(), Kind.DM, person=user)
            self.dms[user.id] = self.channels[channel.id] = channel
        return self.dms[user.id]

    # Messages

    def write(self, user: User, channel: Channel, content: str) -> Message:
        """A person writes."""
        return self.post(Message(self.new_id(), channel, user, content, self.clock()))

    def post(
        self,
        message: Message,
        *,
        allowed: Mapping[str, Any] | None = None,
        replied: User | None = None,
    ) -> Message:
        channel = message.channel
        if channel.is_thread and channel.archived:  # writing opens it again (docs: topics/threads)
            self.change_channel(channel, archived=False)
        channel.messages[message.id] = message
        self.ping(message, allowed, replied)
        self._tell(message, "MESSAGE_CREATE")
        return message

    def ping(
        self, message: Message, allowed: Mapping[str, Any] | None, replied: User | None = None
    ) -> None:
        """Notify those whom a new message names."""
        shown = [c.get("content", "") for c in walk(message.components) if c.get("type") == 10]
        ping = pinged(message, "\n".join([message.content, *shown]), allowed, replied)
        message.mentions = [self.users[i] for i in sorted(ping.users) if i in self.users]
        message.mention_roles = sorted(ping.roles)
        message.mention_everyone = ping.everyone
        if ping and not message.ephemeral:
            self.pinged.append(ping)

    def edited(self, message: Message) -> None:
        message.edited_at = self.clock()
        self._tell(message, "MESSAGE_UPDATE")

    def delete_message(self, message: Message) -> None:
        """By its author or a moderator."""
        message.deleted = True
        channel = message.channel
        if message.ephemeral:
            return
        data: Json = {"id": message.id, "channel_id": channel.id}
        if channel.guild:
            data["guild_id"] = channel.guild.id
            if not self._sees(channel):
                return
        self.emit("MESSAGE_DELETE", data, channel.guild)

    def _tell(self, message: Message, event: str) -> None:
        if message.ephemeral:
            return
        data = message.json(new=event == "MESSAGE_CREATE")
        guild = message.channel.guild
        if guild is not None:
            if not self._sees(message.channel):
                return
            data["guild_id"] = guild.id
            if message.author.id in guild.members:
                member = guild.members[message.author.id].json()
                data["member"] = {k: v for k, v in member.items() if k != "user"}
        self.emit(event, data, guild)
