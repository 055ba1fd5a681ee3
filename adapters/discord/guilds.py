"""What becomes of servers and their channels while the bot is there, and while it was away."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

import discord

from adapters.discord.core import Core
from adapters.discord.servers import PERSONAL
from bot.model import ChannelRef
from bot.ports import Clock

log = logging.getLogger(__name__)

PLATFORM = "discord"
REMOVED = "I was removed from the server"
DELETED = "the channel was deleted"


class Guilds:
    def __init__(self, core: Callable[[], Core], clock: Clock) -> None:
        self._core = core
        self._clock = clock

    async def compare(self, guilds: Collection[str]) -> None:
        """Take up what happened before the connection stood: *guilds* are all there are.

        One that is out of order is among them.
        """
        core = self._core()
        known = {
            channel.ref.tenant
            for channel in await core.channels.all()
            if channel.ref.platform == PLATFORM
        }
        for tenant in sorted(known - {PERSONAL}):
            if tenant in guilds:
                await core.tenants.returned(PLATFORM, tenant)
            else:
                await self._left(tenant)

    async def joined(self, guild: discord.Guild) -> None:
        log.info("joined the server %s", guild.id)
        await self._core().tenants.returned(PLATFORM, str(guild.id))

    async def removed(self, guild: discord.Guild) -> None:
        await self._left(str(guild.id))

    async def _left(self, tenant: str) -> None:
        core = self._core()
        log.info("removed from the server %s", tenant)
        await core.tenants.left(PLATFORM, tenant, self._clock())
        for channel in await core.channels.all():
            if (channel.ref.platform, channel.ref.tenant) == (PLATFORM, tenant):
                await self._close(channel.ref, REMOVED)

    async def deleted(self, channel: discord.abc.GuildChannel) -> None:
        ref = ChannelRef(PLATFORM, str(channel.guild.id), str(channel.id))
        if await self._core().channels.get(ref):
            await self._close(ref, DELETED)

    async def _close(self, ref: ChannelRef, reason: str) -> None:
        if await self._core().outbox.gone(ref) is None:
            await self._core().close(ref, reason)
