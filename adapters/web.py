"""The web port, and what it says of the program's health. Knows no platform: routes are handed in."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bot.errors import PaperboyError
from bot.ports import Clock, Health

log = logging.getLogger(__name__)

LARGEST_REQUEST = 64 * 1024  # where a route does not read the body itself, within bounds of its own
DRAIN_SECONDS = 2.0  # for requests under way when the port closes
LATE_PERIODS = 3  # a clock that has not ticked for so many periods is ill
_SOURCES = ("arxiv", "huggingface")  # journals are counted as one: their addresses may hold keys


@asynccontextmanager
async def serve(
    host: str, port: int, routes: Iterable[web.AbstractRouteDef], setting: str = "PAPERBOY_WEB"
) -> AsyncIterator[str]:
    """Answer while the context is open; port 0 is any free one. Gives the address, ``http://…``.

    *setting* is how the variables of host and port begin, to name them where it fails.
    """
    app = web.Application(client_max_size=LARGEST_REQUEST)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise _closed(host, port, setting, error) from error
        address, bound = runner.addresses[0][:2]
        yield f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"
    finally:
        await runner.cleanup()


def _closed(host: str, port: int, setting: str, error: OSError) -> PaperboyError:
    if error.errno == errno.EADDRINUSE:
        return PaperboyError(
            f"The web port {port} is taken by another program.",
            hint=f"Stop that program, or set {setting}__PORT to another port (0: any free one).",
        )
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return PaperboyError(
        f"The web port {port} of {host} cannot be opened: {reason or error}.",
        hint=f"Set {setting}__HOST to an address of this machine and {setting}__PORT to a "
        "port above 1023.",
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What /metrics tells at one moment.

    *digests* and *posts* count what has happened since the start, *deliveries* what the ledger
    holds, all by platform and outcome; *missed* and *failed* count by job.
    """

    digests: Mapping[tuple[str, str], int] = field(default_factory=dict)
    posts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    oldest_ready: datetime | None = None  # since when the oldest delivery could have left
    sources: Sequence[Health] = ()
    ticks: int = 0
    missed: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    papers: int = 0


def health_routes(
    *,
    clock: Clock,
    period: timedelta,
    last_tick: Callable[[], datetime | None],
    unready: Callable[[], str],
    figures: Callable[[], Awaitable[Figures]],
) -> list[web.RouteDef]:
    """/healthz, /readyz and /metrics.

    *last_tick* is when the clock last ticked without a fault, every *period*; *unready* says why
    no work is taken (starting, draining), "" where it is; *figures* is asked at each scrape.
    """
    began = clock()

    async def healthz(_: web.Request) -> web.Response:
        silent = clock() - (last_tick() or began)
        if silent <= LATE_PERIODS * period:
            return web.Response(text="ok\n")
        return _unavailable(
            f"The clock has not ticked for {silent.total_seconds():.0f} seconds, "
            f"and should every {period.total_seconds():.0f}. The log says why."
        )

    async def readyz(_: web.Request) -> web.Response:
        why = unready()
        return _unavailable(why) if why else web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        try:
            now = await figures()
        except PaperboyError as error:
            log.warning("No metrics: %s", error.message)
            return _unavailable(error.message)
        registry = CollectorRegistry()
        registry.register(_Told(now, clock()))
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


def _unavailable(why: str) -> web.Response:
    return web.Response(status=503, text=f"{why}\n")


class _Told(Collector):
    """The figures in Prometheus' families. Labels name platforms, outcomes, jobs, kinds of source."""

    def __init__(self, figures: Figures, now: datetime) -> None:
        self._figures = figures
        self._now = now

    def collect(self) -> Iterator[Metric]:
        told = self._figures
        for kind, name, text, counts in (
            (CounterMetricFamily, "paperboy_digests", "Digests since the start", told.digests),
            (CounterMetricFamily, "paperboy_posts", "What became of posts since the start", told.posts),
            (GaugeMetricFamily, "paperboy_deliveries", "Posts in the ledger, but those sent",
             told.deliveries),
        ):  # fmt: skip
            family = kind(name, text, labels=("platform", "outcome"))
            for labels, count in sorted(counts.items()):
                family.add_metric(labels, count)
            yield family
        yield GaugeMetricFamily(
            "paperboy_queue_age_seconds", "Wait of the oldest post that could leave",
            value=self._age(told.oldest_ready) if told.oldest_ready else 0.0,
        )  # fmt: skip
        yield from self._sources()
        yield CounterMetricFamily("paperboy_ticks", "Ticks since the start", value=told.ticks)
        for name, text, runs in (
            ("paperboy_jobs_missed", "Runs of a job that were left out", told.missed),
            ("paperboy_jobs_failed", "Runs of a job that failed", told.failed),
        ):
            jobs = CounterMetricFamily(name, text, labels=("job",))
            for job, count in sorted(runs.items()):
                jobs.add_metric((job,), count)
            yield jobs
        yield GaugeMetricFamily("paperboy_papers", "Papers in the library", value=told.papers)

    def _sources(self) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "paperboy_source_age_seconds", "Since the last success; of the journals the longest",
            labels=("source",),
        )  # fmt: skip
        failing = GaugeMetricFamily(
            "paperboy_sources_failing", "Sources whose last try failed", labels=("source",)
        )
        kinds: dict[str, list[Health]] = {}
        for health in self._figures.sources:
            kind = health.name if health.name in _SOURCES else "journal"
            kinds.setdefault(kind, []).append(health)
        for kind, group in sorted(kinds.items()):
            successes = [health.last_success for health in group if health.last_success]
            if successes:
                ages.add_metric((kind,), self._age(min(successes)))
            failing.add_metric((kind,), sum(each.failing for each in group))
        yield ages
        yield failing

    def _age(self, moment: datetime) -> float:
        return max(0.0, (self._now - moment).total_seconds())
