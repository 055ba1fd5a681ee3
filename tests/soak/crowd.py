"""All channels are due in the same minute: all are to be served, and the event loop stays free.

``python -m tests.soak.crowd --channels 10000 --known 100000`` plans and posts for that many with the
real store, while a task that wants to wake every 5 ms notes how late it is, and then asks a ledger
of so many known channels who is due. Progress goes to stderr, the result, as JSON, to stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from adapters.storage import ledger
from adapters.storage.schema import transaction
from adapters.storage.sqlite import Store
from bot.delivery import Sender
from bot.digests import Digests
from bot.housekeeping import Housekeeping
from bot.model import Channel, ChannelRef, Origin, Paper, Record, Subscription
from bot.ports import Due, Served
from bot.query import parse
from bot.ranking import BACKGROUND
from bot.refresh import Refresh
from bot.schedule import Schedule
from bot.service import SEND, Service, due_after
from tests.fake_store import MemoryChannelStore
from tests.soak.year import PLATFORM, Board

SLOT = datetime(2026, 11, 23, 9, tzinfo=UTC)
BEAT = 0.005  # seconds
STALL = 50.0  # ms, of 99 in 100 beats (design §12)
SELECT = 10.0  # ms (reliability A13)
TENANT = 50  # channels of one workspace
_PAPERS = 400  # of one day: five categories
_ASKED = 50  # times
_SERVED: Served = {PLATFORM: None}
# names of the field, so that they are read and stemmed as those of people are
_NOUNS = (
    "graph", "language", "image", "speech", "protein", "robot", "quantum", "climate", "traffic",
    "attention", "diffusion", "transformer", "retrieval", "reward", "policy", "segmentation",
)  # fmt: skip
_KINDS = (
    "network", "model", "benchmark", "agent", "decoding", "alignment", "pruning", "distillation",
    "generation", "detection", "reasoning", "compression", "planning", "translation", "editing",
)  # fmt: skip


@dataclass(slots=True)
class Result:
    channels: int
    papers: int
    posts: int = 0
    cards: int = 0
    missed: int = 0
    doubled: int = 0
    first_post_seconds: float = 0.0  # when the first round of sending was over
    planned_seconds: float = 0.0
    posted_seconds: float = 0.0
    beats: int = 0
    stall_p50_ms: float = 0.0
    stall_p99_ms: float = 0.0
    stall_max_ms: float = 0.0
    memory_mb: float = 0.0
    known: int = 0
    select_none_due_ms: float = 0.0
    select_all_due_ms: float = 0.0

    @property
    def is_good(self) -> bool:
        return (
            not self.missed
            and not self.doubled
            and self.stall_p99_ms < STALL
            and max(self.select_none_due_ms, self.select_all_due_ms) < SELECT
        )


@dataclass(slots=True)
class Heart:
    """How late a task wakes that asks for every 5 ms."""

    late: list[float] = field(default_factory=list)  # ms

    async def beat(self) -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(BEAT)
            self.late.append(1000 * (time.perf_counter() - asked - BEAT))

    def share(self, part: float) -> float:
        ranked = sorted(self.late)
        return round(ranked[min(len(ranked) - 1, int(part * len(ranked)))], 2)


def papers(count: int, first: int, chance: Random) -> list[Paper]:
    made = []
    for number in range(first, first + count):
        noun, other = chance.sample(_NOUNS, 2)
        kind, task = chance.sample(_KINDS, 2)
        abstract = " ".join(
            f"We study {chance.choice(_NOUNS)} {chance.choice(_KINDS)} in the setting of "
            f"{chance.choice(_NOUNS)} {chance.choice(_KINDS)} and report what holds."
            for _ in range(8)
        )
        title = f"On {noun} {kind} for {other} {task}, part {number}"
        made.append(Paper(f"arxiv:2611.{number:05}", title, abstract, categories=("cs.LG",)))
    return made


def channels(count: int, chance: Random) -> list[Channel]:
    schedule = Schedule.parse("daily 09:00", "UTC")
    return [
        Channel(
            ChannelRef(PLATFORM, f"T{n // TENANT}", f"C{n}"),
            tuple(
                Subscription(k, parse(f"{chance.choice(_NOUNS)} {chance.choice(_KINDS)}"))
                for k in range(1, chance.randint(2, 5))
            ),
            schedule=schedule,
        )
        for n in range(count)
    ]


def _note(db: sqlite3.Connection, dues: Iterable[Due], cursor: int) -> None:
    """In one transaction, where people would have come one by one."""
    with transaction(db):
        for due in dues:
            ledger.start(db, due.ref, cursor)
            ledger.set_next(db, due)


async def serve(folder: Path, count: int, result: Result) -> None:
    chance = Random(0)  # noqa: S311
    began = time.monotonic()

    def clock() -> datetime:
        return SLOT + timedelta(seconds=time.monotonic() - began)

    async with await Store.open(folder / "paperboy.sqlite3", clock) as store:
        today = SLOT.date()
        await _arrive(store, papers(BACKGROUND, 0, chance), date(2026, 6, 1), live=False)
        settings = MemoryChannelStore()
        people = channels(count, chance)
        for channel in people:
            settings._channels[channel.ref] = channel  # ``save`` counts the workspace each time
        before = SLOT - timedelta(hours=1)
        dues = [due_after(channel, before) for channel in people]
        await store._do(_note, dues, await store.end())
        await _arrive(store, papers(result.papers, BACKGROUND, chance), today, live=True)
        board = Board(Random(0), faults=0.0)  # noqa: S311
        digests = Digests(store, store, store, store, clock)
        sender = Sender(store, settings, [board], lambda: _SERVED, clock, asyncio.sleep)
        refresh = Refresh((), store, store, clock)
        service = Service(
            settings, store, digests, sender, [board], lambda: _SERVED, refresh, clock,
            store, store, Housekeeping(settings, store, store, store, store, None, clock),
        )  # fmt: skip
        _say(f"{count} channels and {result.papers} papers are there")
        heart = Heart()
        beating = asyncio.create_task(heart.beat())
        began = start = time.monotonic()

        async def plan() -> None:
            await service.tick()
            result.planned_seconds = round(time.monotonic() - start, 2)
            _say(f"all planned after {result.planned_seconds} s")

        planning = asyncio.create_task(plan())
        while not planning.done():  # two jobs of the clock, beside one another
            await service.send()
            if board.requests and not result.first_post_seconds:
                result.first_post_seconds = round(time.monotonic() - start, 2)
            await asyncio.wait([planning], timeout=SEND)
        await planning
        await service.send()
        result.posted_seconds = round(time.monotonic() - start, 2)
        _say(f"all posted after {result.posted_seconds} s")
        beating.cancel()
        await asyncio.wait([beating])
    result.memory_mb = peak_memory()
    result.beats = len(heart.late)
    result.stall_p50_ms, result.stall_p99_ms = heart.share(0.5), heart.share(0.99)
    result.stall_max_ms = heart.share(1)
    served = [ref for ref, _ in board.requests]
    result.posts = len(served)
    result.cards = sum(len(post.papers) for _, post in board.requests)
    result.missed = count - len(set(served))
    result.doubled = len(served) - len(set(served))


async def _arrive(store: Store, made: list[Paper], day: date, *, live: bool) -> None:
    records = [Record(paper, Origin.ARXIV_FEED, listed_on=day) for paper in made]
    await store.add(records, today=day, live=live)


async def select(folder: Path, result: Result) -> None:
    """Who is due, of very many."""
    refs = [ChannelRef(PLATFORM, f"T{n // TENANT}", f"C{n}") for n in range(result.known)]
    async with await Store.open(folder / "known.sqlite3", lambda: SLOT) as store:
        await store._do(_note, [Due(ref, SLOT, "") for ref in refs], 0)
        before = SLOT - timedelta(seconds=1)
        result.select_none_due_ms = await _median(store, before)
        result.select_all_due_ms = await _median(store, SLOT)


async def _median(store: Store, now: datetime) -> float:
    taken = []
    for _ in range(_ASKED):
        start = time.perf_counter()
        await store.due(now, _SERVED, 500)
        taken.append(1000 * (time.perf_counter() - start))
    return round(sorted(taken)[len(taken) // 2], 2)


def peak_memory() -> float:
    """Of this process, in MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


async def crowd(folder: Path, channels: int, papers: int, known: int) -> Result:
    result = Result(channels, papers, known=known)
    await serve(folder, channels, result)
    await select(folder, result)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=10_000)
    parser.add_argument("--papers", type=int, default=_PAPERS)
    parser.add_argument("--known", type=int, default=100_000, help="channels to select from")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = asyncio.run(crowd(Path(name), asked.channels, asked.papers, asked.known))
    print(json.dumps(asdict(result), indent=1))
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
