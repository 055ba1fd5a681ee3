"""What the benches of the platforms under load share: the papers, the program, the people, the figures.

`paperboy run` is a process of its own before the local server of a platform, with the papers of a
real dump. People give so many commands a second, search mostly, while digests fall due.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from bot import app as application, query
from bot.model import Channel as Settings, ChannelRef, Origin, Record, Subscription
from bot.schedule import Schedule
from config.settings import Settings as Environment
from tests.bench.search import DATA, DUMP, papers as records_of
from tests.program import quiet_environment

PEOPLE = 50
CHANNELS = 50  # at least, however few get a digest
PATIENCE = 60.0  # seconds for an answer
FIRST = 300.0  # for the first one, which may have to wait for the index
FRESH = 200  # papers that are new on the day
SEARCHES = (
    "speculative decoding", "diffusion models", '"graph neural network"', "reward modelling",
    "retrieval augmented generation", "tool use", "protein folding", "mechanistic interpretability",
    "quantization -survey", "long context", "speech recognition", "reinforcement learning",
)  # fmt: skip
OTHERS = ("help", "list", "status", "saved", "top week", "show 2603.00001", "learned")

U = TypeVar("U")
C = TypeVar("C")


@dataclass
class Figures:
    commands: int = 0
    acks: list[float] = field(default_factory=list)  # seconds
    answers: list[float] = field(default_factory=list)  # of searches
    failed: Counter[str] = field(default_factory=Counter)
    digests: int = 0
    last_digest: float = 0.0  # seconds after the slot
    more: dict[str, float] = field(default_factory=dict)  # what one platform alone tells

    def count_digests(self, posted_at: Sequence[datetime], slot: datetime) -> None:
        self.digests = len(posted_at)
        self.last_digest = (max(posted_at, default=slot) - slot).total_seconds()

    def as_row(self) -> dict[str, float]:
        return {
            "commands": self.commands,
            "failed": self.failed.total(),
            "ack_p50_ms": _ms(self.acks, 50),
            "ack_p99_ms": _ms(self.acks, 99),
            "ack_max_ms": _ms(self.acks, 100),
            "search_p50_ms": _ms(self.answers, 50),
            "search_p95_ms": _ms(self.answers, 95),
            **self.more,
            "digests": self.digests,
            "last_digest_s": round(self.last_digest, 1),
        }


def _ms(times: Sequence[float], percent: int) -> float:
    if len(times) < 2:
        return 0.0
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return round(1000 * (max(times) if percent == 100 else cuts[percent - 1]), 1)


async def settle_in(
    folder: Path, options: argparse.Namespace, channels: Sequence[ChannelRef]
) -> datetime:
    """The library, and channels whose digests fall due at the slot with something in them."""
    # Settling in and the index take a while; then the slot is to lie shortly ahead.
    ahead = datetime.now(UTC) + timedelta(seconds=options.papers / 200 + 30)
    slot = ahead.replace(second=0, microsecond=0) + timedelta(minutes=1)
    records = records_of(options.data / DUMP, options.papers)
    async with application.open_app(Environment(data_dir=folder)) as app:
        today = slot.date()
        for start in range(0, len(records), 2_000):
            await app.library.add(records[start : start + 2_000], today=today, live=False)
        for n, ref in enumerate(channels):
            words = SEARCHES[n % len(SEARCHES)].replace(" -survey", "").replace('"', "")
            wanted = Subscription(1, query.parse(f'"{words}"|model'))
            schedule = Schedule.parse(f"daily {slot:%H:%M}", "UTC")
            await app.channels.save(
                Settings(ref, (wanted,), schedule=schedule, quiet="post"), "bench"
            )
            await app.library.start(ref, await app.library.end())
        fresh = [
            Record(record.paper, Origin.ARXIV_FEED, today, today) for record in records[:FRESH]
        ]
        await app.library.add(fresh, today=today, live=True)
    return slot


@asynccontextmanager
async def running(folder: Path, platform: Mapping[str, str]) -> AsyncIterator[None]:
    """`paperboy run` with the platform's part of the environment. In the end it tells its problems."""
    told = folder / "run.log"
    with told.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run",
            env=quiet_environment(folder) | dict(platform), stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            lines = told.read_text("utf-8", "replace").splitlines()
            problems = [line for line in lines if '"level": "info"' not in line]
            print(*problems[-5:], sep="\n", file=sys.stderr)


async def shortly_before(slot: datetime) -> None:
    await asyncio.sleep(max(0.0, (slot - datetime.now(UTC)).total_seconds() - 5))


async def ask_all(
    options: argparse.Namespace, figures: Figures, people: Sequence[U], channels: Sequence[C],
    others: Sequence[str], ask: Callable[[U, C, str], Coroutine[Any, Any, None]],
) -> None:  # fmt: skip
    """One sentence every 1/rate seconds, each person in turn: searches, and *others* in between."""
    chance = Random(7)  # noqa: S311  # no secret
    begun = time.perf_counter()
    tasks = []
    figures.commands = int(options.seconds * options.rate)
    for n in range(figures.commands):
        await asyncio.sleep(max(0.0, begun + n / options.rate - time.perf_counter()))
        sentence = chance.choice(others)
        if chance.random() < 0.7:
            sentence = f"search {chance.choice(SEARCHES)}"
        asked = ask(people[n % len(people)], chance.choice(channels), sentence)
        tasks.append(asyncio.create_task(asked))
    await asyncio.gather(*tasks)


def main(
    name: str,
    doc: str | None,
    measure: Callable[[argparse.Namespace, Path], Coroutine[Any, Any, Figures]],
) -> None:
    """*measure* gets the options and an empty data folder."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{name}", description=doc)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the dump")
    parser.add_argument("--papers", type=int, default=31_639)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="commands a second")
    parser.add_argument("--digests", type=int, default=500)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if not (options.data / DUMP).is_file():
        sys.exit(f"There is no {options.data / DUMP}. Name its folder: --data FOLDER")
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(options, Path(folder)))
    row = figures.as_row()
    print("\n".join(f"{name:>16}  {value:g}" for name, value in row.items()))
    if figures.failed:
        print(dict(figures.failed))
    if options.json:
        options.json.write_text(json.dumps(row), "utf-8")
