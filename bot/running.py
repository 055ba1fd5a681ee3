"""The program while it serves: the jobs of the clock, the web port, and how it ends.

Part of the composition root.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.service import AUDIT, HOUSEKEEPING, LOOK_UP, RECONCILE, SEND, TELL, TICK

if TYPE_CHECKING:
    from adapters.scheduler import Jobs
    from bot.app import App
    from bot.platforms import Platform
    from config.settings import Settings

log = logging.getLogger(__name__)

# A stop takes 15 s at most: platforms stop beside ``bot.delivery.DRAIN``, then the jobs, then the
# web port (``adapters.web.DRAIN_SECONDS``).
PLATFORM_STOP_SECONDS = 11.0
JOBS_STOP_SECONDS = 2.0  # nothing that they do is half done when they are cut off


@asynccontextmanager
async def serving(
    app: App, settings: Settings, *, fetching: bool, told: asyncio.Event | None = None
) -> AsyncIterator[Jobs]:
    """The clock runs; in the end what is in hand is finished and recorded.

    Where somebody has *told* it to end, it waits no longer for platforms to start.
    """
    from adapters.scheduler import Job, Jobs

    async def start() -> None:
        for platform in app.platforms:
            await platform.start(app.answers, app.sender)

    period = timedelta(minutes=settings.fetch_minutes)
    await app.service.start(period if fetching else None)
    await _first_of(start(), *((told.wait(),) if told else ()))
    jobs = [
        Job("tick", TICK, app.service.tick),
        Job("send", SEND, app.service.send),
        Job("look up", LOOK_UP, app.service.look_up),
        Job("tell", TELL, app.service.tell_owners),
        Job("audit", AUDIT, app.service.audit),
        Job("reconcile", RECONCILE, app.service.reconcile),
        Job("housekeeping", HOUSEKEEPING, app.service.keep_house),
    ]
    if fetching:
        jobs.append(Job("fetch", period.total_seconds(), partial(app.service.fetch, period)))
    running = Jobs(jobs)
    running.start()
    try:
        yield running
    finally:
        await _together(app.sender.drain(), *map(_stop, app.platforms))
        await running.stop(JOBS_STOP_SECONDS)


async def run_until_told(app: App, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    from adapters.web import Figures, health_routes, serve

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, told.set)
    state = {"unready": "starting"}
    jobs: list[Jobs] = []

    async def figures() -> Figures:
        return Figures(
            digests=app.service.planned,
            posts=app.sender.tally,
            deliveries={
                (platform, found.value): n
                for platform in app.service.platforms
                for found, n in (await app.library.counts(platform)).items()
            },
            oldest_ready=await app.library.oldest_ready(app.clock()),
            sources=await app.library.all_health(),
            ticks=jobs[0].done["tick"] if jobs else 0,
            missed=dict(jobs[0].missed) if jobs else {},
            failed=dict(jobs[0].failed) if jobs else {},
            papers=await app.library.count(),
        )

    routes = health_routes(
        clock=app.clock,
        period=timedelta(seconds=TICK),
        last_tick=lambda: app.service.ticked_at,
        unready=lambda: state["unready"],
        figures=figures,
    )
    async with serve(settings.web.host, settings.web.port, routes) as address:
        log.info("the web port is %s", address)
        async with serving(app, settings, fetching=True, told=told) as running:
            jobs.append(running)
            state["unready"] = ""
            await _first_of(told.wait(), *(platform.wait() for platform in app.platforms))
            state["unready"] = "stopping"
            log.info("stopping: what is in hand is finished first")


async def _first_of(*waiting: Coroutine[Any, Any, object]) -> None:
    """Until one of them has ended; raises what it raised."""
    tasks = [asyncio.create_task(each) for each in waiting]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stop(platform: Platform) -> None:
    async with asyncio.timeout(PLATFORM_STOP_SECONDS):
        await platform.stop()


async def _together(*ending: Coroutine[Any, Any, None]) -> None:
    """All of them, whatever becomes of one."""
    for result in await asyncio.gather(*ending, return_exceptions=True):
        if isinstance(result, Exception):
            log.error("the end is not in order", exc_info=result)
