"""What goes on after Slack was answered: so much at once, each thing once, none of it lost unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from adapters.slack.api import SlackFault
from bot.errors import PaperboyError
from bot.ports import Clock, Receipts

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 32
DRAIN_SECONDS = 4.0  # for what is under way when the program ends


class Work:
    def __init__(self, receipts: Receipts, clock: Clock) -> None:
        self._receipts = receipts
        self._clock = clock
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(
        self, key: str, work: Callable[[], Awaitable[None]], failed: Callable[[], Awaitable[None]]
    ) -> None:
        """Do it behind, unless *key* was done; *failed* tells the person of a surprise."""
        self.spawn(self._edge(key, work, failed))

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that is held on to until it ends: the loop itself holds it weakly."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def once(self, key: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """What comes of it, None where *key* was done: Slack delivers some things twice."""
        async with self._free:
            if not await self._is_first(key):
                log.info("Slack delivered a thing twice")
                return None
            return await work()

    async def aclose(self) -> None:
        """Wait for what is under way, for so long; then it ends."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _edge(
        self, key: str, work: Callable[[], Awaitable[None]], failed: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            await self.once(key, work)
        except SlackFault as fault:
            log.warning("an answer did not arrive: %s", fault.words)
        except Exception:  # whatever it was, the next one is to be answered
            log.exception("a request from Slack failed")
            await failed()

    async def _is_first(self, key: str) -> bool:
        try:
            return await self._receipts.first(key, self._clock())
        except PaperboyError as error:  # better twice than never
            log.warning("what Slack delivered could not be noted: %s", error)
            return True
