"""What the gateway has told of servers and their channels, for who posts there. Asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import discord

from adapters.discord import permissions
from bot.errors import Later
from bot.model import ChannelRef

PERSONAL = "@me"  # the tenant of personal channels
OUTAGE = 60.0  # seconds until a server that is out of order is tried again
TAGS = 5  # of a forum's post, at most
REQUIRE_TAG = 1 << 4  # flag of a forum
FORUMS = (discord.ChannelType.forum.value, discord.ChannelType.media.value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where posts go. What is not known about it is None."""

    id: str
    is_forum: bool = False
    missing: tuple[str, ...] = ()  # permissions to post, as Discord calls them
    may_read: bool | None = None  # what was posted
    may_open_threads: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)  # that a post may have: ids by names
    requires_tag: bool = False
    threads: Mapping[str, str] = field(default_factory=dict)  # of a forum, mine and open: likewise

    def tags_for(self, labels: Iterable[str]) -> list[str]:
        """Those that are called so; where there must be one and none is, the first one."""
        wanted = {label.casefold() for label in labels}
        found = [tag for name, tag in self.tags.items() if name in wanted]
        return found[:TAGS] or list(self.tags.values())[: int(self.requires_tag)]


def place_of(channel: Mapping[str, object]) -> Place:
    """From a channel object of the REST API, which tells no permissions."""
    tags = channel.get("available_tags")
    listed = tags if isinstance(tags, list) else []
    named = {tag["name"].casefold(): tag["id"] for tag in listed if not tag["moderated"]}
    required = int(str(channel.get("flags") or 0)) & REQUIRE_TAG
    return Place(
        str(channel["id"]), channel.get("type") in FORUMS, tags=named, requires_tag=bool(required)
    )


class Servers:
    """*client* gives the connected one, None before there is any."""

    def __init__(self, client: Callable[[], discord.Client | None]) -> None:
        self._client = client

    @property
    def me(self) -> str | None:
        """The bot's own user id, None as long as it is not known."""
        client = self._client()
        return str(client.user.id) if client and client.user else None

    def place(self, ref: ChannelRef) -> Place | None:
        """None where it is not known; raises Later where its server is out of order."""
        client = self._client()
        guild = client.get_guild(int(ref.tenant)) if client else None
        if guild is None:
            return None
        if guild.unavailable:
            raise Later("Discord says that this server is out of order", after=OUTAGE)
        channel = guild.get_channel(int(ref.channel))
        if channel is None or guild.me is None:
            return None
        has = channel.permissions_for(guild.me)
        threads = not permissions.missing(has, permissions.THREADS)
        missing = permissions.missing(has, permissions.posting_in(channel), channel)
        if isinstance(channel, discord.ForumChannel):
            return Place(
                ref.channel, True, missing, has.read_message_history, threads,
                {tag.name.casefold(): str(tag.id) for tag in channel.available_tags
                 if not tag.moderated},
                channel.flags.require_tag,
                {thread.name: str(thread.id) for thread in channel.threads
                 if thread.owner_id == guild.me.id and not thread.locked},
            )  # fmt: skip
        threads = threads and not isinstance(channel, discord.VoiceChannel | discord.StageChannel)
        return Place(ref.channel, False, missing, has.read_message_history, threads)
