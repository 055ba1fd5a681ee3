"""Kills the program while it plans and posts, again and again, and compares what stands there.

    python -m tests.soak.delivery_kill --kills 1000 --messages 20000

The program is the whole of ``paperboy run`` on a real data folder; its platform is a process of its
own that fails a quarter of the posts (tests/faulty_platform.py). Papers arrive, every channel's slot
comes, and the program is killed (SIGKILL) at some moment, or now and then told to stop (SIGTERM),
and started again, until most is settled; then the next papers arrive. Each channel must have got
each paper that it asked for, once and in order. ``--control`` waits far less for what lands late than
that takes: then doubles must show, or the test could not fail. Prints its result, as JSON, to stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import select
import signal
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# what the program loads when it is started is loaded here, once for all its lives
import apscheduler.events
import apscheduler.executors.asyncio
import apscheduler.schedulers.asyncio  # noqa: F401

import adapters.scheduler
import adapters.sources.arxiv
import adapters.sources.huggingface
import adapters.sources.journals
import adapters.web  # noqa: F401
import bot.matching  # noqa: F401
from adapters.storage import ledger
from adapters.storage.schema import transaction
from adapters.storage.settings import TinyChannelStore
from adapters.storage.sqlite import Store
from bot import app, running
from bot.frequencies import shipped
from bot.model import Channel, ChannelRef, Origin, Paper, Record, Subscription
from bot.ports import Due, State
from bot.query import parse
from bot.ranking import BACKGROUND_MIN
from bot.schedule import Schedule
from bot.service import due_after
from config.settings import Arxiv, Delivery, HuggingFace, Settings, Web
from tests.faulty_platform import LATE_SECONDS, PLATFORM, FaultyPublisher, session
from tests.soak.processes import begin, exit_code, platform, report
from tests.soak.progress import Show, bar
from tests.soak.year import TOPICS

SETTLE = 1.0  # what lands late takes 0.6 s at most
BROKEN_SETTLE, BROKEN_LATE = 0.05, 2.0  # the control's
FAULTS = 0.25
THINK = 0.03  # seconds before an answer: a kill finds posts that stand there and were not heard of
LIFE = 0.4  # seconds at most, from when it is ready
EARLY = 0.1  # of the kills come while it starts
STOPS = 0.05  # of the ends are a word, and no kill
BACKUPS = 0.05  # of the lives see one
PATIENCE = 15.0  # seconds that a stop may take
_NOWHERE = "http://127.0.0.1:9"  # a port that nobody listens at
_TENANT = 15  # channels of one workspace
_SCHEDULE = Schedule.parse("monthly 1 00:00", "UTC")  # slots come when papers do


@dataclass(slots=True)
class Result:
    kills: int = 0
    kills_in_hand: int = 0  # that left posts whose fate nobody knew
    stops: int = 0  # in order, on SIGTERM or SIGINT
    slowest_stop: float = 0.0  # seconds
    unfinished_stops: int = 0  # that left posts in hand
    backups: int = 0  # taken while it ran
    bad_backups: int = 0
    rounds: int = 0
    messages: int = 0
    posts: int = 0
    faults: int = 0
    looks: int = 0  # into a channel's history
    lost: int = 0
    doubled: int = 0
    misordered: int = 0  # digests whose parts do not stand in order
    unforeseen: int = 0  # messages that nobody asked for
    unsettled: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0  # of the program

    @property
    def is_clean(self) -> bool:
        wrong = self.lost, self.doubled, self.misordered, self.unforeseen, self.unsettled
        slow = self.unfinished_stops, self.slowest_stop >= PATIENCE
        return not any((*wrong, *slow, self.bad_backups))


@dataclass(frozen=True, slots=True)
class World:
    """Channels that ask for a topic or two, and rounds of papers on two topics each."""

    size: int

    def ref(self, n: int) -> ChannelRef:
        return ChannelRef(PLATFORM, f"T{n // _TENANT}", f"C{n}")

    def topics(self, n: int) -> list[str]:
        own = n % len(TOPICS)
        other = (own + 1 + n // 3 % (len(TOPICS) - 1)) % len(TOPICS)
        return [TOPICS[own], TOPICS[other]] if n % 3 == 0 else [TOPICS[own]]

    def channels(self) -> list[Channel]:
        return [
            Channel(
                self.ref(n),
                tuple(Subscription(k, parse(t)) for k, t in enumerate(self.topics(n), start=1)),
                schedule=_SCHEDULE,
            )
            for n in range(self.size)
        ]

    def papers(self, round: int) -> list[Paper]:
        step = 1 + round % (len(TOPICS) - 1)
        return [
            Paper(
                f"arxiv:2611.{round:03}{k:02}",
                f"On {topic} and {TOPICS[(k + step) % len(TOPICS)]}, number {round} {k}",
                "It is so.",
            )
            for k, topic in enumerate(TOPICS)
        ]

    def wanted(self, n: int, papers: Iterable[Paper]) -> set[str]:
        topics = self.topics(n)
        return {p.id for p in papers if any(topic in p.title for topic in topics)}


async def found(folder: Path, world: World) -> None:
    """All channels are set up, as by people."""
    async with (
        await Store.open(folder / app.DATABASE, app.utc_now) as store,
        await TinyChannelStore.open(folder / app.SETTINGS, store) as settings,
    ):
        for channel in world.channels():
            await store.start(channel.ref, 0)
            await settings.save(channel, "ann")


async def bring(folder: Path, world: World, papers: Sequence[Paper]) -> None:
    """Papers arrive, and the time of all channels has come."""
    now = app.utc_now()
    async with await Store.open(folder / app.DATABASE, app.utc_now) as store:
        records = [Record(paper, Origin.ARXIV_FEED, listed_on=now.date()) for paper in papers]
        await store.add(records, today=now.date(), live=True)
        dues = [Due(c.ref, now, due_after(c, now).fingerprint) for c in world.channels()]
        await store._do(_note, dues)


def _note(db: sqlite3.Connection, dues: Iterable[Due]) -> None:
    with transaction(db):
        for due in dues:
            ledger.set_next(db, due)


@dataclass(frozen=True, slots=True)
class Left:
    """What the program left behind."""

    unplanned: bool
    in_hand: int
    under_way: int
    given_up: int  # posts that nobody will send or look up any more


async def look(folder: Path) -> Left:
    async with await Store.open(folder / app.DATABASE, app.utc_now, readonly=True) as store:
        counts = await store.counts()
        due = await store.due(app.utc_now(), {PLATFORM: None}, 1)
    in_hand = counts[State.SENDING]
    under_way = in_hand + counts[State.READY] + counts[State.UNKNOWN]
    return Left(bool(due), in_hand, under_way, sum(counts.values()) - under_way)


async def run(folder: Path, url: str, settle: float, ready: int) -> None:
    """``paperboy run``, for the faulty platform."""
    settings = Settings(
        data_dir=folder,
        arxiv=Arxiv(api_url=_NOWHERE, feed_url=_NOWHERE, oai_url=_NOWHERE),
        huggingface=HuggingFace(endpoint=_NOWHERE),
        web=Web(port=0),
        delivery=Delivery(settle_seconds=settle),
    )
    async with session() as http:
        publishers = [FaultyPublisher(http, url)]
        async with app.open_app(settings, online=True, publishers=publishers) as opened:
            loop = asyncio.get_running_loop()
            loop.call_later(0, os.write, ready, b"!")  # once it listens to signals
            await running.run_until_told(opened, settings)


def is_backed_up(folder: Path) -> bool:
    """A copy that SQLite makes beside the program that writes is whole."""
    with (
        closing(sqlite3.connect(folder / app.DATABASE)) as database,
        closing(sqlite3.connect(":memory:")) as copy,
    ):
        database.backup(copy)
        whole: bool = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return whole


class Loop:
    """One life of the program after the other."""

    def __init__(
        self, folder: Path, url: str, settle: float, chance: random.Random, show: Show
    ) -> None:
        self._folder = folder
        self._url = url
        self._settle = settle
        self._chance = chance
        self._show = show
        self.result = Result()

    def go_on(self, rest: int = 0) -> None:
        """Until all is planned, and settled but for a *rest*."""
        left = asyncio.run(look(self._folder))
        lives = 0
        while left.unplanned or left.under_way > rest:
            lives += 1
            was_killed = self._live(LIFE * (1 + lives / 100))  # a slow machine gets there too
            left = asyncio.run(look(self._folder))
            if was_killed:
                self.result.kills += 1
                self.result.kills_in_hand += left.in_hand > 0
                self._show(self.result.kills, f"{self.result.messages:,} messages")
            else:
                self.result.unfinished_stops += left.in_hand > 0
        self.result.unsettled = left.given_up

    def _live(self, at_most: float) -> bool:
        """Whether it was killed."""
        heard, ready = os.pipe()
        pid = begin(lambda: asyncio.run(run(self._folder, self._url, self._settle, ready)))
        os.close(ready)
        is_stopped = False
        try:
            if self._chance.random() < EARLY:
                time.sleep(self._chance.uniform(0, 0.1))
            else:
                select.select([heard], [], [], 60)
                time.sleep(self._chance.uniform(0, at_most))
                if self._chance.random() < BACKUPS:
                    self.result.backups += 1
                    self.result.bad_backups += not is_backed_up(self._folder)
                is_stopped = self._chance.random() < STOPS
        finally:
            os.close(heard)
            word = self._chance.choice((signal.SIGTERM, signal.SIGINT))
            os.kill(pid, word if is_stopped else signal.SIGKILL)
        told = time.monotonic()
        code = exit_code(pid)
        if code != (0 if is_stopped else -signal.SIGKILL):
            raise SystemExit(f"the program ended with {code}")
        if is_stopped:
            self.result.stops += 1
            took = round(time.monotonic() - told, 2)
            self.result.slowest_stop = max(self.result.slowest_stop, took)
        return not is_stopped


def kill_loop(
    folder: Path, url: str, world: World, kills: int, messages: int, *, settle: float,
    late: float, seed: int, show: Show,
) -> Result:  # fmt: skip
    """Rounds, until there were so many kills and so many messages."""
    began = time.monotonic()
    shipped()  # loaded once for all lives
    loop = Loop(folder, url, settle, random.Random(seed), show)  # noqa: S311  # moments
    result = loop.result
    asyncio.run(found(folder, world))
    asked: list[list[Paper]] = []
    while result.kills < kills or result.messages < messages:
        papers = world.papers(len(asked))
        asked.append(papers)
        if len(asked) * len(papers) >= BACKGROUND_MIN:
            raise SystemExit("so many papers would calibrate the channels")
        wanted = sum(len(world.wanted(n, papers)) for n in range(world.size))
        result.messages += wanted
        asyncio.run(bring(folder, world, papers))
        loop.go_on(rest=wanted // 3)  # the next ones come before all of these are settled
    loop.go_on()
    time.sleep(late + 0.4)  # what lands late has landed
    result.rounds = len(asked)
    compare(result, world, asked, report(url))
    spent = os.times()
    result.processor_seconds = round(spent.children_user + spent.children_system, 1)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def compare(result: Result, world: World, asked: Sequence[Sequence[Paper]], told: Any) -> None:
    result.posts = sum(told["posts"].values())
    result.faults = sum(count for name, count in told["faults"].items() if name != "NONE")
    result.looks = told["looks"]
    stood: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for message in sorted(told["messages"], key=lambda m: m["at"]):
        stood[message["channel"], json.loads(message["body"])["paper"]].append(message)
    for papers in asked:
        for n in range(world.size):
            channel = world.ref(n).channel
            found = [stood.pop((channel, paper), []) for paper in world.wanted(n, papers)]
            result.lost += found.count([])
            result.doubled += sum(len(copies) > 1 for copies in found)
            result.misordered += not _is_in_order([copies[0] for copies in found if copies])
    result.unforeseen = len(stood)


def _is_in_order(parts: list[Any]) -> bool:
    """The first part is the first that stood there, and the others answer to it in their order."""
    parts.sort(key=lambda message: message["at"])
    numbers = [json.loads(message["body"])["part"] for message in parts]
    first = parts[0]["id"] if parts else None
    parents = [message["parent"] for message in parts]
    return (
        numbers == sorted(numbers) and parents == [None, *[first] * (len(parts) - 1)][: len(parts)]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--channels", type=int, default=200)
    parser.add_argument("--control", action="store_true", help="with the settle time broken")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    logging.disable(logging.ERROR)  # faults are the rule here
    settle, late = (BROKEN_SETTLE, BROKEN_LATE) if asked.control else (SETTLE, LATE_SECONDS)
    options = {"seed": asked.seed, "faults": FAULTS, "late": late, "think": THINK}
    with (
        tempfile.TemporaryDirectory() as folder,
        platform(*(f"--{name}={value}" for name, value in options.items())) as url,
        bar("kills", asked.kills) as show,
    ):
        result = kill_loop(
            Path(folder), url, World(asked.channels), asked.kills, asked.messages,
            settle=settle, late=late, seed=asked.seed, show=show,
        )  # fmt: skip
    print(json.dumps(asdict(result)))
    if asked.control:
        return 0 if result.doubled and not result.lost else 1
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
