"""Kills a process while it posts, again and again, and compares what stands there with the plan.

    python -m tests.soak.delivery_kill --kills 1000 --messages 20000

The platform is a process of its own that fails a quarter of the posts (tests/faulty_platform.py).
The sender is a process too: it plans what is due, posts, and looks up what is doubtful, with the
real store, and is killed (SIGKILL) at some moment, until every message is settled. None may be lost
and none doubled. With ``--settle 0.05``, shorter than what lands late takes, doubles must show.

    python -m tests.soak.delivery_kill --failpoints

ends the sender hard at each named point instead, while the platform takes, loses or delays the post.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from adapters.storage.sqlite import Store
from bot.delivery import Sender, key_of
from bot.model import ChannelRef
from bot.ports import Delivery, Due, Post, Served, State
from tests.fake_store import MemoryChannelStore
from tests.faulty_platform import PLATFORM, Fault, FaultyPublisher, session

SETTLE = 1.0  # what lands late takes 0.6 s at most
FAULTS = 0.25
TIMEOUT, LEASE = timedelta(seconds=3), timedelta(seconds=8)
POINTS = (
    "plan", "planned", "claim", "claimed", "publish", "written", "published", "settled",
    "look up", "looked up", "looked up and settled",
)  # fmt: skip
LANDINGS = {"accepted": Fault.DROPPED, "lost": Fault.LOST, "late": Fault.LATE}
_SERVED: Served = {PLATFORM: None}
_START = datetime(2026, 1, 1, 9, tzinfo=UTC)
_ENDED = 70  # the exit code at a failpoint


@dataclass(slots=True)
class Result:
    messages: int
    seed: int
    kills: int = 0
    posts: int = 0
    faults: int = 0
    lost: int = 0
    doubled: int = 0
    misordered: int = 0  # slots whose parts do not stand in order
    unforeseen: int = 0
    unsettled: int = 0
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (
            self.lost or self.doubled or self.misordered or self.unforeseen or self.unsettled
        )


@dataclass(frozen=True, slots=True)
class Work:
    """So many messages, in digests of one to three, spread over channels and days."""

    messages: int
    name: str = "C"

    @property
    def channels(self) -> int:
        return max(1, self.messages // 10)

    def channel(self, n: int) -> ChannelRef:
        return ChannelRef(PLATFORM, f"T{n % 7}", f"{self.name}{n}")

    def digests(self) -> Iterator[tuple[ChannelRef, datetime, int]]:
        """Channel, slot, and how many parts."""
        planned = 0
        for number in range(self.messages):
            if planned == self.messages:
                return
            day, n = divmod(number, self.channels)
            drawn = sha256(f"{number}".encode()).digest()[0] % 10
            parts = min(1 + (drawn > 6) + (drawn > 8), self.messages - planned)
            planned += parts
            yield self.channel(n), _START + timedelta(days=day), parts


def clock() -> datetime:
    return datetime.now(UTC)


async def prepare(path: Path, work: Work) -> None:
    async with await Store.open(path, clock) as store:
        for n in range(work.channels):
            await store.set_next(Due(work.channel(n), _START, ""))


async def deliver(
    path: Path, url: str, work: Work, settle: float, reached: Callable[[str], None]
) -> None:
    """Plan, post and look up, as the real program does, until nothing is left to do."""
    parts = {(ref, slot): count for ref, slot, count in work.digests()}
    async with await Store.open(path, clock) as store, session() as http:
        publisher = FaultyPublisher(http, url, lambda: reached("written"))
        sender = Sender(
            store, MemoryChannelStore(), [publisher], lambda: _SERVED, clock, asyncio.sleep,
            settle=timedelta(seconds=settle), timeout=TIMEOUT, lease=LEASE, reached=reached,
        )  # fmt: skip
        await sender.recover()

        async def plan_some() -> bool:
            due = await store.due(clock(), _SERVED, 5)
            for ref, at in ((d.ref, d.at) for d in due):
                assert at is not None
                posts = [Post("{}", (f"arxiv:{at:%y%m}.{n}",)) for n in range(parts[ref, at])]
                following = at + timedelta(days=1)
                upcoming = Due(ref, following if (ref, following) in parts else None, "")
                reached("plan")
                await store.plan(ref, at, posts, 1, upcoming)
                reached("planned")
            return bool(due)

        async def plan() -> None:
            while await plan_some():
                pass

        async def post() -> None:
            while not planning.done() or await _is_under_way(store):
                await sender.send_due()
                await asyncio.sleep(0.02)

        async def look_up() -> None:
            while not posting.done():
                await sender.settle_unknown()
                await asyncio.sleep(0.05)

        await plan_some()
        async with asyncio.TaskGroup() as group:
            planning = group.create_task(plan())
            posting = group.create_task(post())
            group.create_task(look_up())


async def _is_under_way(store: Store) -> bool:
    counts = await store.counts()
    return any(counts[state] for state in (State.READY, State.SENDING, State.UNKNOWN))


@contextmanager
def platform(*options: str) -> Iterator[str]:
    """A platform in a process of its own; its address."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.faulty_platform", *options]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def report(url: str) -> Any:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/report")
        return json.load(connection.getresponse())
    finally:
        connection.close()


def begin(work: Callable[[], None]) -> int:
    """Do the work in a forked process, at once and with all imports done; its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_loop(
    folder: Path,
    url: str,
    work: Work,
    kills: int,
    *,
    settle: float = SETTLE,
    seed: int = 0,
    progress: Callable[[Result], None] = lambda _: None,
) -> Result:
    chance = random.Random(seed)  # noqa: S311  # moments, not secrets
    result = Result(work.messages, seed)
    start = time.monotonic()
    path = folder / "paperboy.sqlite3"
    asyncio.run(prepare(path, work))
    life = 0.05 + work.messages / (kills or 1) / 80  # some 100 messages a second are settled
    while True:
        last = result.kills >= kills
        pid = begin(partial(_deliver, path, url, work, settle, lambda step: None))
        if not last:
            time.sleep(chance.uniform(0.02, life))
            os.kill(pid, signal.SIGKILL)
        code = exit_code(pid)
        if code > 0:
            raise SystemExit("the sender failed")
        if code == 0:
            break
        result.kills += 1
        progress(result)
    time.sleep(1)  # what lands late has landed
    _compare(result, work, report(url))
    counts = asyncio.run(_counts(path))
    result.unsettled = sum(counts.values())
    result.seconds = round(time.monotonic() - start, 1)
    return result


async def _counts(path: Path) -> Any:
    async with await Store.open(path, clock) as store:
        return await store.counts()


def _compare(result: Result, work: Work, told: Any) -> None:
    result.posts = sum(told["posts"].values())
    result.faults = sum(count for name, count in told["faults"].items() if name != "NONE")
    stood: defaultdict[str, list[float]] = defaultdict(list)
    for message in told["messages"]:
        stood[message["key"]].append(message["at"])
    for ref, slot, parts in work.digests():
        found = [stood.pop(key_of(ref, slot, part), []) for part in range(parts)]
        result.lost += found.count([])
        result.doubled += sum(len(times) > 1 for times in found)
        first = [min(times) for times in found if times]
        result.misordered += first != sorted(first)
    result.unforeseen = len(stood)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a post stands after the process ended at a point and was started again."""

    point: str
    landing: str
    was_reached: bool
    state: State
    copies: int
    posts: int  # requests that the platform saw
    attempts: int
    resent: bool


def failpoints(folder: Path, landing: str) -> list[Ending]:
    """All points at the same time, a process, a file and a channel for each."""
    works = {point: Work(1, point.replace(" ", "-")) for point in POINTS}
    paths = {point: folder / f"{landing} {point}.sqlite3" for point in POINTS}
    for point, work in works.items():
        asyncio.run(prepare(paths[point], work))
    with platform("--only", LANDINGS[landing].name) as url:

        def deliver_all(reached: Callable[[str, str], None]) -> dict[str, int]:
            pids = {
                point: begin(
                    partial(_deliver, paths[point], url, work, SETTLE, partial(reached, point))
                )
                for point, work in works.items()
            }
            return {point: exit_code(pid) for point, pid in pids.items()}

        codes = deliver_all(_end_there)
        if any(deliver_all(lambda point, step: None).values()):
            raise SystemExit("a sender failed after its restart")
        told = report(url)
    endings = []
    for point, work in works.items():
        [(ref, slot, _)] = work.digests()
        key = key_of(ref, slot, 0)
        [row] = asyncio.run(_rows(paths[point], ref))
        copies = sum(message["key"] == key for message in told["messages"])
        endings.append(Ending(
            point, landing, codes[point] == _ENDED,
            row.state, copies, told["posts"].get(key, 0), row.attempts, row.resent,
        ))  # fmt: skip
    return endings


def _end_there(point: str, step: str) -> None:
    if step == point:
        os._exit(_ENDED)


def _deliver(
    path: Path, url: str, work: Work, settle: float, reached: Callable[[str], None]
) -> None:
    asyncio.run(deliver(path, url, work, settle, reached))


async def _rows(path: Path, ref: ChannelRef) -> list[Delivery]:
    async with await Store.open(path, clock) as store:
        return await store.deliveries(ref, 9)


def expected(point: str, landing: str) -> Ending:
    """A post that never landed, or was claimed and never made, goes once more; no other does."""
    is_lost = landing == "lost"
    was_idle = point in ("claimed", "publish")  # in hand, and nothing was written
    return Ending(
        point, landing, was_reached=True, state=State.SENT, copies=1,
        posts=1 + is_lost, attempts=1 + is_lost + was_idle, resent=is_lost or was_idle,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--settle", type=float, default=SETTLE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failpoints", nargs="*", choices=LANDINGS, help="none named: all")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)  # faults are the rule here
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.failpoints is not None:
            landings = asked.failpoints or LANDINGS
            found = [ending for landing in landings for ending in failpoints(folder, landing)]
            wrong = [e for e in found if e != expected(e.point, e.landing)]
            print(json.dumps({"cases": len(found), "wrong": [str(ending) for ending in wrong]}))
            return 1 if wrong else 0
        work = Work(asked.messages)
        with platform("--seed", str(asked.seed), "--faults", str(FAULTS)) as url:
            result = kill_loop(
                folder, url, work, asked.kills,
                settle=asked.settle, seed=asked.seed, progress=_show,
            )  # fmt: skip
    print(file=sys.stderr)
    print(json.dumps(asdict(result)))
    return 0 if result.is_clean else 1


def _show(result: Result) -> None:
    print(f"\r{result.kills} kills", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
