"""A few fixed jobs, each run again and again while the program runs, by APScheduler 3.

Nothing is kept: what is due is asked of the database by the jobs themselves. A job store on disk
would promise deliveries and give none: two processes on one store run the same jobs twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from bot.errors import PaperboyError

if TYPE_CHECKING:
    from apscheduler.events import JobExecutionEvent, JobSubmissionEvent
    from apscheduler.jobstores.base import BaseJobStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """*run* is called every *period* seconds, the first time at once, and never beside itself."""

    name: str
    period: float
    run: Callable[[], Awaitable[None]]


class Jobs:
    """*done*, *failed* and *missed* count runs by the name of the job.

    Raises PaperboyError where APScheduler is not version 3, or *store* outlives the process.
    """

    def __init__(self, jobs: Sequence[Job], store: BaseJobStore | None = None) -> None:
        _require_version_3()  # before the import: 4 has other modules
        from apscheduler import events
        from apscheduler.jobstores.memory import MemoryJobStore
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        if not isinstance(store, MemoryJobStore | None):
            raise PaperboyError(
                f"Jobs are kept in memory only, and not in a {type(store).__name__}.",
                hint="Start without a job store; what is due is kept in Paperboy's own database.",
            )
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._jobs = tuple(jobs)
        self._running: dict[asyncio.Future[None], str] = {}
        self._overrun: set[str] = set()  # jobs whose run under way has kept others out
        self._watch: asyncio.TimerHandle | None = None
        # APScheduler tells of every run, and once more what our listeners tell
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            jobstores={"default": store or MemoryJobStore()},
            # every run counts, however late; runs that were missed together become one
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._failed, events.EVENT_JOB_ERROR)
        self._scheduler.add_listener(
            self._missed, events.EVENT_JOB_MISSED | events.EVENT_JOB_MAX_INSTANCES
        )
        for job in jobs:
            self._scheduler.add_job(
                partial(self._run, job), "interval", seconds=job.period, id=job.name, name=job.name,
                next_run_time=datetime.now(UTC),
            )  # fmt: skip

    def start(self) -> None:
        """Within a running event loop."""
        self._scheduler.start()
        self._look()

    async def stop(self, limit: float) -> None:
        """Begin no run, and wait for those under way; after *limit* seconds they are cut off."""
        if self._watch is not None:
            self._watch.cancel()
        self._scheduler.pause()
        await asyncio.sleep(0)  # what was handed to the loop already, begins
        late: set[asyncio.Future[None]] = set()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=limit)
        for run in late:
            log.warning(
                "The job %s did not end in %g seconds and is cut off", self._running[run], limit
            )
        self._scheduler.shutdown(wait=False)  # in the next turn of the loop; it cancels what runs
        await asyncio.sleep(0)
        if late:
            await asyncio.wait(late, timeout=limit)

    async def _run(self, job: Job) -> None:
        run = asyncio.ensure_future(job.run())
        self._running[run] = job.name
        run.add_done_callback(self._running.pop)
        self._overrun.discard(job.name)
        await run
        self.done[job.name] += 1

    def _look(self) -> None:
        """Bring runs forward that would wait, for hours maybe, because the system's clock was set back."""
        now = datetime.now(UTC)
        for job in self._jobs:
            due = self._scheduler.get_job(job.name).next_run_time
            if due - now > timedelta(seconds=2 * job.period):
                log.warning("The system's clock was set back: the job %s runs now", job.name)
                self._scheduler.modify_job(job.name, next_run_time=now)
        shortest = min(job.period for job in self._jobs)
        self._watch = asyncio.get_running_loop().call_later(shortest, self._look)

    def _failed(self, event: JobExecutionEvent) -> None:
        if isinstance(event.exception, asyncio.CancelledError):
            return  # cut off, which was said
        self.failed[event.job_id] += 1
        log.error("The job %s failed", event.job_id, exc_info=event.exception)

    def _missed(self, event: JobExecutionEvent | JobSubmissionEvent) -> None:
        self.missed[event.job_id] += 1
        if event.job_id not in self._overrun:  # said once a run: a long round keeps many out
            self._overrun.add(event.job_id)
            log.warning("The job %s was left out: its last run is still under way", event.job_id)


def _require_version_3() -> None:
    found = version("apscheduler")
    if int(found.partition(".")[0]) >= 4:
        raise PaperboyError(
            f"APScheduler {found} is installed, and Paperboy needs version 3.",
            hint='Write: pip install "apscheduler>=3.11,<4".',
        )
