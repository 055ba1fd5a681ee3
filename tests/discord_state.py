"""What a Discord knows: users, servers ("guilds"), roles, channels, threads, messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, IntFlag
from typing import Any

from bot.ports import Clock

Json = dict[str, Any]
EPOCH = 1_420_070_400_000  # the first second of 2015, in milliseconds: snowflakes count from it


class Kind(IntEnum):
    """Channel types."""

    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    FORUM = 15


class P(IntFlag):
    """Permissions; of the bits of Discord, those that matter to a bot that posts."""

    NONE = 0
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = P((1 << 53) - 1)
PEOPLE = (
    P.VIEW_CHANNEL | P.SEND_MESSAGES | P.EMBED_LINKS | P.ATTACH_FILES | P.READ_MESSAGE_HISTORY
    | P.ADD_REACTIONS | P.USE_APPLICATION_COMMANDS | P.CREATE_PUBLIC_THREADS
    | P.CREATE_PRIVATE_THREADS | P.SEND_MESSAGES_IN_THREADS | P.CONNECT
)  # fmt: skip
"""What @everyone may do in a new server."""
IN_DMS = P.ATTACH_FILES | P.EMBED_LINKS | P.MENTION_EVERYONE | P.USE_EXTERNAL_EMOJIS
EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15  # flags of messages
REQUIRE_TAG = 1 << 4  # flag of forums
OBFUSCATED = 1 << 17  # flag of channels that the gateway may not tell of
THREADS = (Kind.ANNOUNCEMENT_THREAD, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)


class Snowflakes:
    """Ids in the order of time, also while the clock stands still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def __call__(self) -> str:
        milliseconds = int(self._clock().timestamp() * 1000) - EPOCH
        self._last = max(milliseconds << 22, self._last + 1)
        return str(self._last)


class Thing:
    """Has an identity; shown by its name, since things know each other."""

    id: str

    def __repr__(self) -> str:
        said = getattr(self, "name", "") or getattr(self, "content", "")[:40]
        return f"<{type(self).__name__} {self.id} {said}>"


@dataclass(eq=False, repr=False)
class User(Thing):
    id: str
    name: str
    bot: bool = False
    locale: str = "en-US"
    takes_dms: bool = True

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def json(self) -> Json:
        return {
            "id": self.id, "username": self.name, "global_name": None if self.bot else self.name,
            "discriminator": "0000" if self.bot else "0", "avatar": None, "public_flags": 0,
            "flags": 0, "primary_guild": None, "bot": self.bot,
        }  # fmt: skip


@dataclass(eq=False, repr=False)
class Role(Thing):
    id: str
    name: str
    permissions: P = P.NONE
    mentionable: bool = False
    managed: bool = False
    position: int = 1

    @property
    def mention(self) -> str:
        return f"<@&{self.id}>"

    def json(self) -> Json:
        return {
            "id": self.id, "name": self.name, "permissions": str(int(self.permissions)),
            "position": self.position, "color": 0, "hoist": False, "managed": self.managed,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "mentionable": self.mentionable, "icon": None, "unicode_emoji": None, "flags": 0,
        }  # fmt: skip


@dataclass(eq=False)
class Member:
    user: User
    joined_at: datetime
    roles: list[str] = field(default_factory=list)
    nick: str | None = None

    def json(self) -> Json:
        return {
            "user": self.user.json(), "nick": self.nick, "roles": list(self.roles),
            "joined_at": self.joined_at.isoformat(), "avatar": None, "banner": None, "flags": 0,
            "communication_disabled_until": None, "pending": False, "premium_since": None,
            "mute": False, "deaf": False,
        }  # fmt: skip


@dataclass(eq=False)
class Overwrite:
    """For a role or a member; *kind* 0 or 1."""

    id: str
    kind: int
    allow: P = P.NONE
    deny: P = P.NONE

    def json(self) -> Json:
        allow, deny = str(int(self.allow)), str(int(self.deny))
        return {"id": self.id, "type": self.kind, "allow": allow, "deny": deny}


@dataclass(eq=False, repr=False)
class Tag(Thing):
    """Of a forum; only moderators may set a moderated one."""

    id: str
    name: str
    moderated: bool = False

    def json(self) -> Json:
        return {
            "id": self.id, "name": self.name, "moderated": self.moderated,
            "emoji_id": None, "emoji_name": None,
        }  # fmt: skip


@dataclass(eq=False, repr=False)
class Message(Thing):
    """*embeds* and *components* are as Discord gives them back; *seen_by*: who sees an ephemeral one."""

    id: str
    channel: Channel
    author: User
    content: str
    at: datetime
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    flags: int = 0
    kind: int = 0
    nonce: str | int | None = None
    edited_at: datetime | None = None
    reference: Json | None = None
    interaction: Json | None = None
    seen_by: User | None = None
    mentions: list[User] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    thread: Channel | None = None
    reactions: dict[str, set[str]] = field(default_factory=dict)
    deleted: bool = False

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def url(self) -> str:
        guild = self.channel.guild.id if self.channel.guild else "@me"
        return f"https://discord.com/channels/{guild}/{self.channel.id}/{self.id}"

    def text(self) -> str:
        """Everything that a person reads in it, in order."""
        texts = [self.content]
        for embed in self.embeds:
            texts += [embed.get("author", {}).get("name", ""), embed.get("title", "")]
            texts += [embed.get("description", "")]
            texts += [embed_field[k] for embed_field in embed.get("fields", ()) for k in ("name", "value")]  # fmt: skip
            texts += [embed.get("footer", {}).get("text", "")]
        texts += [c.get("content") or c.get("label") or "" for c in walk(self.components)]
        return "\n".join(filter(None, texts))

    def json(self, *, new: bool = False) -> Json:
        """Only the answer to the creation, and its event, tell the nonce."""
        made: Json = {
            "id": self.id, "type": self.kind, "channel_id": self.channel.id,
            "author": self.author.json(), "content": self.content, "embeds": self.embeds,
            "components": self.components, "attachments": self.attachments, "flags": self.flags,
            "timestamp": self.at.isoformat(), "pinned": False, "tts": False,
            "edited_timestamp": self.edited_at.isoformat() if self.edited_at else None,
            "mentions": [user.json() for user in self.mentions],
            "mention_roles": self.mention_roles, "mention_everyone": self.mention_everyone,
        }  # fmt: skip
        if new and self.nonce is not None:
            made["nonce"] = self.nonce
        if self.reference is not None:
            made["message_reference"] = self.reference
        if self.interaction is not None:
            made["interaction_metadata"] = self.interaction
            made["application_id"] = made["webhook_id"] = self.author.id
        if self.thread is not None and not self.thread.deleted:
            made["thread"] = self.thread.json()
        if self.reactions:
            made["reactions"] = [
                {
                    "emoji": {"id": None, "name": name}, "count": len(who), "me": False,
                    "count_details": {"burst": 0, "normal": len(who)}, "burst_colors": [],
                    "me_burst": False,
                }
                for name, who in self.reactions.items()
            ]  # fmt: skip
        return made


@dataclass(eq=False, repr=False)
class Channel(Thing):
    """A channel, thread or direct message; *owner* and below are a thread's, *person* a DM's."""

    id: str
    kind: Kind
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    topic: str | None = None
    position: int = 0
    flags: int = 0
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    tags: list[Tag] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    deleted: bool = False
    person: User | None = None
    owner: User | None = None
    created_at: datetime | None = None
    applied_tags: list[str] = field(default_factory=list)
    archived: bool = False
    locked: bool = False
    archive_after: int = 1440
    archive_changed_at: datetime | None = None
    members: dict[str, datetime] = field(default_factory=dict)

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS

    @property
    def shown(self) -> list[Message]:
        """What everybody sees, oldest first: not deleted, not ephemeral."""
        return [m for m in self.messages.values() if not m.deleted and not m.ephemeral]

    def tag(self, name: str) -> Tag:
        return next(tag for tag in self.tags if tag.name == name)

    @property
    def archive_time(self) -> datetime:
        """Of a thread: when it was last archived or opened again, at first when it was made."""
        assert self.created_at is not None
        return self.archive_changed_at or self.created_at

    def json(self) -> Json:
        last = max((m.id for m in self.messages.values() if not m.ephemeral), key=int, default=None)
        made: Json = {"id": self.id, "type": int(self.kind), "flags": self.flags}
        made["last_message_id"] = last
        if self.person is not None:
            return {**made, "recipients": [self.person.json()]}
        assert self.guild is not None
        made |= {"guild_id": self.guild.id, "name": self.name, "rate_limit_per_user": 0}
        if self.parent is not None:
            made["parent_id"] = self.parent.id
        if self.is_thread:
            assert self.owner is not None
            assert self.created_at is not None
            created = self.created_at.isoformat()
            sent = [message for message in self.messages.values() if not message.ephemeral]
            return made | {
                "owner_id": self.owner.id, "applied_tags": list(self.applied_tags),
                "message_count": len(self.shown), "total_message_sent": len(sent),
                "member_count": len(self.members),
                "thread_metadata": {
                    "archived": self.archived, "archive_timestamp": self.archive_time.isoformat(), "locked": self.locked,
                    "auto_archive_duration": self.archive_after, "create_timestamp": created,
                },
            }  # fmt: skip
        made |= {
            "topic": self.topic, "position": self.position, "nsfw": False,
            "permission_overwrites": [o.json() for o in self.overwrites.values()],
        }  # fmt: skip
        if self.kind is Kind.VOICE:
            made |= {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
        if self.kind is Kind.FORUM:
            made |= {
                "available_tags": [tag.json() for tag in self.tags], "default_forum_layout": 0,
                "default_sort_order": None, "default_reaction_emoji": None,
            }  # fmt: skip
        return made

    def told_json(self, bot: User) -> Json:
        """As the gateway tells of it: a channel that the bot does not see keeps id, type and place.

        So since November 2026 (docs: channel, "obfuscated channels").
        """
        made = self.json()
        guild = self.guild
        if guild is None or self.kind is Kind.CATEGORY or P.VIEW_CHANNEL in permissions(bot, self):
            return made
        hidden = {
            "name": "___hidden___", "topic": None, "last_message_id": None,
            "flags": self.flags | OBFUSCATED, "available_tags": [],
            "permission_overwrites": [Overwrite(guild.id, 0, deny=P.VIEW_CHANNEL).json()],
        }  # fmt: skip
        return made | {name: value for name, value in hidden.items() if name in made}

    def member_json(self, user: User) -> Json:
        joined = self.members[user.id].isoformat()
        return {"id": self.id, "user_id": user.id, "join_timestamp": joined, "flags": 0}


@dataclass(eq=False, repr=False)
class Guild(Thing):
    """A server. *joined*: the bot is in it; *commands_scope*: it may register commands there."""

    id: str
    name: str
    owner: User
    locale: str = "en-US"
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    threads: dict[str, Channel] = field(default_factory=dict)
    joined: bool = True
    available: bool = True
    commands_scope: bool = True

    @property
    def everyone(self) -> Role:
        return self.roles[self.id]

    def json(self) -> Json:
        return {
            "id": self.id, "name": self.name, "icon": None, "description": None,
            "home_header": None, "splash": None, "discovery_splash": None, "features": [],
            "banner": None, "owner_id": self.owner.id, "application_id": None, "region": "deprecated",
            "afk_channel_id": None, "afk_timeout": 300, "system_channel_id": None,
            "system_channel_flags": 0, "widget_enabled": False, "widget_channel_id": None,
            "verification_level": 0, "roles": [role.json() for role in self.roles.values()],
            "default_message_notifications": 0, "mfa_level": 0, "explicit_content_filter": 0,
            "max_presences": None, "max_members": 500_000, "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25, "vanity_url_code": None, "premium_tier": 0,
            "premium_subscription_count": 0, "preferred_locale": self.locale,
            "rules_channel_id": None, "safety_alerts_channel_id": None,
            "public_updates_channel_id": None, "premium_progress_bar_enabled": False,
            "nsfw": False, "nsfw_level": 0, "emojis": [], "stickers": [], "incidents_data": None,
        }  # fmt: skip

    def created_json(self, bot: User) -> Json:
        """As GUILD_CREATE tells it: of the members only the bot, as without the members intent."""
        threads = [
            {**t.json(), **({"member": t.member_json(bot)} if bot.id in t.members else {})}
            for t in self.threads.values()
            if not t.archived and P.VIEW_CHANNEL in permissions(bot, t)
        ]
        return self.json() | {
            "joined_at": self.members[bot.id].joined_at.isoformat(), "large": False,
            "member_count": len(self.members), "members": [self.members[bot.id].json()],
            "channels": [channel.told_json(bot) for channel in self.channels.values()],
            "threads": threads, "presences": [], "voice_states": [], "stage_instances": [],
            "guild_scheduled_events": [], "soundboard_sounds": [],
        }  # fmt: skip


def walk(components: Iterable[Json]) -> Iterable[Json]:
    """Each component, with those inside it."""
    for component in components:
        yield component
        yield from walk(component.get("components", ()))
        for inner in (component.get("accessory"), component.get("component")):
            if inner is not None:
                yield from walk([inner])


def permissions(user: User, channel: Channel) -> P:
    """As the documentation computes them (topics/permissions); a thread has its parent's."""
    if channel.guild is None:
        return IN_DMS if user.bot else ALL
    guild = channel.guild
    member = guild.members.get(user.id)
    if member is None:
        return P.NONE
    if guild.owner is user:
        return ALL
    allowed = guild.everyone.permissions
    for role in member.roles:
        allowed |= guild.roles[role].permissions
    if P.ADMINISTRATOR in allowed:
        return ALL
    place = channel.parent if channel.is_thread and channel.parent else channel
    overwrites = place.overwrites
    if (everyone := overwrites.get(guild.id)) is not None:
        allowed = allowed & ~everyone.deny | everyone.allow
    of_roles = [overwrites[role] for role in member.roles if role in overwrites]
    allow, deny = P.NONE, P.NONE
    for overwrite in of_roles:
        allow, deny = allow | overwrite.allow, deny | overwrite.deny
    allowed = allowed & ~deny | allow
    if (own := overwrites.get(user.id)) is not None:
        allowed = allowed & ~own.deny | own.allow
    hidden = channel.kind is Kind.PRIVATE_THREAD and user.id not in channel.members
    if P.VIEW_CHANNEL not in allowed or (hidden and P.MANAGE_THREADS not in allowed):
        return P.NONE
    if P.SEND_MESSAGES not in allowed:  # implied: without it none of these counts
        allowed &= ~(P.MENTION_EVERYONE | P.ATTACH_FILES | P.EMBED_LINKS)
    return allowed
