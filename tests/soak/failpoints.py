"""Ends a sender hard at each named point, while the platform takes, loses or delays its post.

    python -m tests.soak.failpoints

A process with the real store plans one post, sends it and looks it up, and ends in the middle of
it; a second one takes over. Of each case the exact final state is known. A post that lands after
all patience stands twice, and is taken back once: there the point is amid the repair. Prints its
result, as JSON, to stdout; ``python -m tests.soak.failpoints lost`` runs a part of the cases.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from adapters.storage.sqlite import Store
from bot.delivery import AUDIT, Sender, key_of
from bot.model import ChannelRef
from bot.ports import Delivery, Post, Served, State
from tests.fake_store import MemoryChannelStore
from tests.faulty_platform import PLATFORM, Fault, FaultyPublisher, session
from tests.soak.processes import begin, exit_code, platform, report

SETTLE = timedelta(seconds=1)  # what lands late takes 0.6 s at most
POINTS = (
    "plan", "planned", "claim", "claimed", "publish", "written", "published", "settled",
    "look up", "looked up", "looked up and settled",
)  # fmt: skip
LANDINGS = {
    "accepted": Fault.DROPPED, "lost": Fault.LOST, "late": Fault.LATE, "twice": Fault.LATE,
}  # fmt: skip
TOO_LATE = 4.0  # seconds until what stands twice has landed; SETTLE is over before a third of them
_SERVED: Served = {PLATFORM: None}
_SLOT = datetime(2026, 1, 1, 9, tzinfo=UTC)
_ENDED = 70  # the exit code at a point


def clock() -> datetime:
    return datetime.now(UTC)


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


def expected(point: str, landing: str) -> Ending:
    """A post that never landed, or was claimed and never made, goes once more; no other does."""
    is_missed = landing in ("lost", "twice")
    was_idle = point in ("claimed", "publish")  # in hand, and nothing was written
    return Ending(
        point, landing, was_reached=True, state=State.SENT, copies=1,
        posts=1 + is_missed, attempts=1 + is_missed + was_idle, resent=is_missed or was_idle,
    )  # fmt: skip


def endings(folder: Path, landing: str) -> list[Ending]:
    """All points at the same time, a process, a file and a channel for each."""
    is_twice = landing == "twice"
    points = ("delete",) if is_twice else POINTS
    refs = {point: ChannelRef(PLATFORM, "T1", point.replace(" ", "-")) for point in points}
    paths = {point: folder / f"{landing} {point}.sqlite3" for point in points}
    late = ("--late", str(TOO_LATE)) if is_twice else ()
    with platform("--only", LANDINGS[landing].name, *late) as url:

        def deliver_all(reached: Callable[[str, str], None]) -> dict[str, int]:
            def delivery(point: str) -> None:
                there = partial(reached, point)
                asyncio.run(deliver(paths[point], url, refs[point], there))
                if is_twice:
                    _wait_for_two(url)
                    asyncio.run(audit(paths[point], url, there))

            pids = {point: begin(partial(delivery, point)) for point in points}
            return {point: exit_code(pid) for point, pid in pids.items()}

        codes = deliver_all(_end_there)
        if any(deliver_all(lambda point, step: None).values()):
            raise SystemExit("a sender failed after its restart")
        told = report(url)
    found = []
    for point, ref in refs.items():
        key = key_of(ref, _SLOT, 0)
        row = asyncio.run(_row(paths[point], ref))
        copies = sum(message["key"] == key for message in told["messages"])
        found.append(Ending(
            point, landing, codes[point] == _ENDED,
            row.state, copies, told["posts"].get(key, 0), row.attempts, row.resent,
        ))  # fmt: skip
    return found


def _wait_for_two(url: str) -> None:
    for _ in range(100):
        if len(report(url)["messages"]) == 2:
            return
        time.sleep(TOO_LATE / 50)
    raise SystemExit("it does not stand twice")


def _end_there(point: str, step: str) -> None:
    if step == point:
        os._exit(_ENDED)


async def deliver(path: Path, url: str, ref: ChannelRef, reached: Callable[[str], None]) -> None:
    """Plan the post where it is not, send it, and look it up until nothing is left to do."""
    async with await Store.open(path, clock) as store, session() as http:
        publisher = FaultyPublisher(http, url, lambda: reached("written"))
        sender = Sender(
            store, MemoryChannelStore(), [publisher], lambda: _SERVED, clock, asyncio.sleep,
            settle=SETTLE, reached=reached,
        )  # fmt: skip
        await sender.recover()
        if await store.last_slot(ref) is None:
            reached("plan")
            await store.plan(ref, _SLOT, [Post("{}", ("arxiv:2601.00001",))], 1)
            reached("planned")
        while await _is_under_way(store):
            await sender.send_due()
            await sender.settle_unknown()
            await asyncio.sleep(0.05)


async def audit(path: Path, url: str, reached: Callable[[str], None]) -> None:
    """When its time has come."""

    def later() -> datetime:
        return clock() + AUDIT

    async with await Store.open(path, later) as store, session() as http:
        publishers = [FaultyPublisher(http, url)]
        sender = Sender(
            store, MemoryChannelStore(), publishers, lambda: _SERVED, later, asyncio.sleep,
            reached=reached,
        )  # fmt: skip
        await sender.audit()


async def _is_under_way(store: Store) -> bool:
    counts = await store.counts()
    return any(counts[state] for state in (State.READY, State.SENDING, State.UNKNOWN))


async def _row(path: Path, ref: ChannelRef) -> Delivery:
    async with await Store.open(path, clock) as store:
        [row] = await store.deliveries(ref, 9)
        return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("landings", nargs="*", help=f"of {', '.join(LANDINGS)}; none: all")
    landings = parser.parse_args().landings or [*LANDINGS]
    logging.disable(logging.WARNING)  # faults are the rule here
    with tempfile.TemporaryDirectory() as folder:
        found = [ending for landing in landings for ending in endings(Path(folder), landing)]
    wrong = [ending for ending in found if ending != expected(ending.point, ending.landing)]
    print(json.dumps({"cases": len(found), "wrong": [str(ending) for ending in wrong]}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
