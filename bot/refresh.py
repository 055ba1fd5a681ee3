"""Papers from the sources into the library, and how each source is. One fails, the others go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from bot.errors import PaperboyError, SourceUnavailable, UserError
from bot.ports import Batch, Clock, Health, Library, PaperSource, SourceHealth

log = logging.getLogger(__name__)

CATCH_UP = timedelta(days=7)  # how far back a first fetch looks
PAUSE = timedelta(minutes=30)  # to the next try, where the source names none


@dataclass(slots=True)
class Fetched:
    """What came of one source."""

    name: str
    read: int = 0
    ids: list[str] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    error: str = ""


Progress = Callable[[Fetched], None]


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


class Refresh:
    def __init__(
        self,
        sources: Sequence[PaperSource],
        library: Library,
        health: SourceHealth,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._library = library
        self._health = health
        self._clock = clock

    async def forget_others(self) -> None:
        """How sources are that are asked no more: a journal that was taken away fails for ever."""
        if self._sources:
            await self._health.keep_only([source.name for source in self._sources])

    async def fetch(
        self,
        names: Collection[str],
        since: date | None,
        progress: Progress,
        period: timedelta | None = None,
    ) -> list[Fetched]:
        """Ask the named sources, or all. With *since* it is a backfill: papers that are no news.

        Where it is done again and again, *period* is from one round to the next.
        """
        following = self._clock() + period if period else None
        known = {source.name for source in self._sources}
        if unknown := sorted(set(names) - known):
            raise UserError(
                f"There is no source {unknown[0]}.",
                hint=f"The sources are: {', '.join(sorted(known))}.",
            )
        asked = [source for source in self._sources if not names or source.name in names]
        return [await self._fetch(source, since, progress, following) for source in asked]

    async def reach(self, seconds: float) -> str:
        """A first fetch of everything, if any source answers in time; else why not, in words."""
        first = asyncio.Event()
        work = asyncio.create_task(self.fetch((), None, lambda _: first.set()))
        answered = asyncio.create_task(first.wait())
        await asyncio.wait({work, answered}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not first.is_set() and not work.done():
            await _cancelled(work, answered)
            return f"no source answered within {seconds:g} seconds"
        done = await work
        await _cancelled(answered)
        if any(fetched.new for fetched in done):
            return ""
        errors = [fetched.error for fetched in done if fetched.error]
        return errors[0].rstrip(".") if errors else "the sources list nothing new"

    async def _fetch(
        self,
        source: PaperSource,
        since: date | None,
        progress: Progress,
        following: datetime | None,
    ) -> Fetched:
        done = Fetched(source.name)
        health = await self._health.health(source.name)
        try:
            async for batch in self._batches(source, since, health):
                added = await self._library.add(
                    batch.records, today=self._clock().date(), live=since is None
                )
                done.read += len(batch.records)
                done.ids += added.ids
                done.new |= added.new
                done.changed |= added.changed
                health = replace(
                    health,
                    announced=max(filter(None, (health.announced, batch.announced)), default=None),
                    state=batch.token or health.state,
                )
                await self._health.keep(health)
                progress(done)
        except SourceUnavailable as error:
            log.warning("%s: %s", source.name, error.message)
            done.error = error.message
            health = self._failed(health, done.error, following, error.retry_after or 0)
        except PaperboyError:  # the store's, and so of all sources
            raise
        except Exception:
            log.exception("%s could not be read", source.name)
            done.error = "What it sent was not foreseen; the log has the details."
            health = self._failed(health, done.error, following)
        else:
            health = replace(
                health,
                last_success=self._clock(),
                error="",
                next_try=following,
                failed_from=None,
            )
        await self._health.keep(health)
        return done

    def _failed(
        self, health: Health, error: str, following: datetime | None, retry_after: float = 0
    ) -> Health:
        now = self._clock()
        wait = timedelta(seconds=retry_after)
        return replace(
            health,
            last_error=now,
            error=error,
            next_try=max(now + wait, following or now + (wait or PAUSE)),
            failed_from=health.failing_since or now,
        )

    def _batches(
        self, source: PaperSource, since: date | None, health: Health
    ) -> AsyncIterator[Batch]:
        if since is not None:
            return source.backfill(since, health)
        last: datetime = health.last_success or self._clock() - CATCH_UP
        return source.fetch(last, health)
