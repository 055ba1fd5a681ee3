"""Real runs of real jobs; every wait is for something that a job says."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.jobstores.memory import MemoryJobStore

from adapters.scheduler import Job, Jobs
from bot.errors import PaperboyError

HOUR = 3600.0
SOON = 0.02
LIMIT = 30.0  # seconds; only a test that fails waits so long


def jobs_of(*jobs: Job) -> Jobs:
    return Jobs(jobs)


class Runs:
    """A job that counts, and tells when it has run often enough."""

    def __init__(self, enough: int = 1) -> None:
        self.count = 0
        self.enough = asyncio.Event()
        self._number = enough

    async def __call__(self) -> None:
        self.count += 1
        if self.count >= self._number:
            self.enough.set()


async def until(event: asyncio.Event) -> None:
    async with asyncio.timeout(LIMIT):
        await event.wait()


async def test_every_job_runs_at_once_and_then_waits_for_its_period() -> None:
    tick, fetch = Runs(), Runs()
    jobs = jobs_of(Job("tick", HOUR, tick), Job("fetch", HOUR, fetch))

    jobs.start()
    await until(tick.enough)
    await until(fetch.enough)
    await jobs.stop(LIMIT)

    assert [tick.count, fetch.count] == [1, 1]
    assert jobs.done == {"tick": 1, "fetch": 1}


async def test_a_job_runs_again_and_again_until_it_is_stopped() -> None:
    tick = Runs(enough=3)
    jobs = jobs_of(Job("tick", SOON, tick))

    jobs.start()
    await until(tick.enough)
    await jobs.stop(LIMIT)

    assert tick.count == jobs.done["tick"]
    assert not jobs.failed
    assert not asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_job_that_fails_is_told_counted_and_run_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = Runs(enough=2)

    async def fail() -> None:
        await tries()
        raise ValueError("the disk is on fire")

    jobs = jobs_of(Job("tick", SOON, fail))

    jobs.start()
    await until(tries.enough)
    await jobs.stop(LIMIT)

    assert jobs.failed["tick"] >= 2
    assert not jobs.done
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert {"The job tick failed"} == {record.getMessage() for record in told}
    assert "the disk is on fire" in caplog.text  # with its traceback
    assert jobs.failed["tick"] == len(told)


async def test_a_job_never_runs_beside_itself_and_what_it_leaves_out_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left_out = asyncio.Event()
    inside: list[int] = []
    most = 0

    async def slow() -> None:
        nonlocal most
        inside.append(1)
        most = max(most, len(inside))
        await until(left_out)
        inside.pop()

    async def watch() -> None:
        if jobs.missed["slow"] >= 2:
            left_out.set()

    jobs = jobs_of(Job("slow", SOON, slow), Job("watch", SOON, watch))

    jobs.start()
    await until(left_out)
    await jobs.stop(LIMIT)

    assert most == 1
    assert jobs.missed["slow"] >= 2
    assert "The job slow was left out: its last run is still under way" in caplog.text


async def test_stopping_waits_for_a_run_that_is_under_way() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def post() -> None:
        began.set()
        await until(go_on)

    jobs = jobs_of(Job("post", HOUR, post))
    jobs.start()
    await until(began)

    stopping = asyncio.create_task(jobs.stop(LIMIT))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not stopping.done()
    go_on.set()
    await stopping

    assert jobs.done["post"] == 1


async def test_a_run_that_does_not_end_is_cut_off_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began, cut = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.set()
            raise

    jobs = jobs_of(Job("hang", HOUR, hang))
    jobs.start()
    await until(began)

    await jobs.stop(SOON)

    assert cut.is_set()
    assert "The job hang did not end in 0.02 seconds and is cut off" in caplog.text
    assert [r.levelname for r in caplog.records if r.levelno > logging.WARNING] == []
    assert not jobs.done
    assert not jobs.failed


async def test_a_run_that_was_only_just_handed_over_is_waited_for() -> None:
    done = asyncio.Event()

    async def post() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        done.set()

    jobs = jobs_of(Job("post", HOUR, post))
    jobs.start()
    await asyncio.sleep(0)  # APScheduler has made the task, which has not begun

    await jobs.stop(LIMIT)

    assert done.is_set()


async def test_a_clock_that_was_set_back_stops_no_job() -> None:
    tick = Runs(enough=3)
    first = asyncio.Event()

    async def run() -> None:
        await tick()
        first.set()

    jobs = jobs_of(Job("tick", SOON, run))
    jobs.start()
    await until(first)

    # the state in which a clock that is set back by a day leaves the scheduler
    jobs._scheduler.modify_job("tick", next_run_time=datetime.now(UTC) + timedelta(days=1))

    await until(tick.enough)
    await jobs.stop(LIMIT)


async def test_a_job_store_that_outlives_the_process_is_refused() -> None:
    class Database(BaseJobStore):  # type: ignore[misc]  # APScheduler has no types
        pass

    Database.__abstractmethods__ = frozenset()  # it is only looked at
    with pytest.raises(PaperboyError) as caught:
        Jobs([Job("tick", HOUR, Runs())], Database())

    assert caught.value.message == "Jobs are kept in memory only, and not in a Database."
    assert "Start without a job store" in caught.value.hint


async def test_a_job_store_in_memory_is_taken() -> None:
    tick = Runs()
    jobs = Jobs([Job("tick", HOUR, tick)], MemoryJobStore())

    jobs.start()
    await until(tick.enough)
    await jobs.stop(LIMIT)

    assert jobs.done["tick"] == 1


def test_the_next_apscheduler_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "apscheduler").mkdir()
    (tmp_path / "apscheduler" / "__init__.py").write_text("")  # none of the modules of version 3
    about = tmp_path / "apscheduler-4.0.0a6.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: APScheduler\nVersion: 4.0.0a6\n")
    script = (
        "from adapters.scheduler import Jobs\n"
        "from bot.errors import PaperboyError\n"
        "try: Jobs([])\n"
        "except PaperboyError as error: print(error.message, error.hint)"
    )
    root = Path(__file__).resolve().parents[1]

    done = subprocess.run(  # noqa: S603 this interpreter, our own text
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
    )  # fmt: skip

    assert done.stdout == (
        "APScheduler 4.0.0a6 is installed, and Paperboy needs version 3. "
        'Write: pip install "apscheduler>=3.11,<4".\n'
    )
