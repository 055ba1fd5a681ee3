"""What is kept for how long, and the end of it."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.ports import ChannelStore, Clock, Installations, Library, Outbox, Shelf, Tenants

log = logging.getLogger(__name__)

PAPERS_KEPT = timedelta(days=400)  # design §6, like the next
KEPT_AFTER_LEAVING = timedelta(days=30)


class Housekeeping:
    def __init__(
        self,
        channels: ChannelStore,
        outbox: Outbox,
        library: Library,
        shelf: Shelf,
        tenants: Tenants,
        installations: Installations | None,
        clock: Clock,
    ) -> None:
        self._channels = channels
        self._outbox = outbox
        self._library = library
        self._shelf = shelf
        self._tenants = tenants
        self._installations = installations
        self._clock = clock

    async def tidy(self) -> None:
        now = self._clock()
        await self._outbox.tidy(now)
        oldest = (now - PAPERS_KEPT).date()
        spared = {*await self._shelf.all_kept(), *await self._outbox.awaited()}
        if dropped := await self._library.prune(oldest, spared):
            log.info("dropped %d papers that were listed before %s", dropped, oldest)
        for platform, tenant in await self._tenants.departed(now - KEPT_AFTER_LEAVING):
            await self._channels.drop(platform, tenant)
            if platform == "slack" and self._installations:
                await self._installations.forget(tenant)
            await self._tenants.drop(platform, tenant)  # last: a kill before it leaves it to do
            log.info("dropped what was kept of %s:%s", platform, tenant)
