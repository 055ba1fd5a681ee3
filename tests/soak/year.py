"""A year of digests, with all that goes wrong in one, against a judge who knows only the rules.

Channels in many zones follow schedules of every kind; papers arrive on arXiv's days; sources fail
for hours and days, the platform fails now and then, the process is killed at any step and stays
down, the clock jumps, people change their settings. After each step the judge, who has a calendar
and a taste of his own, says what every channel must have been sent by then.
``python -m tests.soak.year`` prints its result, as JSON, to stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sqlite3
import sys
import tempfile
import time as process
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from adapters.storage.schema import open_owner
from adapters.storage.sqlite import Store
from bot.announcements import NEW_YORK, why_empty
from bot.delivery import Sender
from bot.digests import Digests
from bot.errors import HistoryUnreadable, Later, SourceUnavailable, Unknown
from bot.housekeeping import Housekeeping
from bot.model import Channel, ChannelRef, Origin, Paper, Record, Subscription
from bot.ports import Batch, Due, Health, Post, Rate, Served, State
from bot.query import parse
from bot.ranking import BACKGROUND_MIN
from bot.refresh import Refresh
from bot.schedule import Schedule
from bot.service import Service, reschedule
from bot.views import Digest, Notice, plain
from tests.fake_people import MemoryPeople
from tests.fake_store import MemoryChannelStore, MemoryOutbox
from tests.fakes import MemoryLibrary
from tests.soak.progress import Show, bar

P = ParamSpec("P")
T = TypeVar("T")

PLATFORM = "board"
FIRST = date(2026, 1, 1)
PAPERS_A_DAY = 2  # so few that a year of them calibrates nothing: one word of a title passes
FAULTS = 0.06  # of posts
# A paper is about some of these, and its title says about which.
TOPICS = (
    "glaciers", "robots", "proteins", "auctions", "lattices", "turbines", "vaccines", "quasars",
    "satellites", "enzymes", "volcanoes", "orchards",
)  # fmt: skip
CATEGORIES = ("cs.LG", "cs.CL", "math.CO", "q-bio.BM", "astro-ph.CO", "econ.TH")
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "America/St_Johns",
    "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Pago_Pago",
    "Africa/Cairo", "Asia/Beirut", "America/Havana", "America/Santiago", "Africa/Casablanca",
)  # fmt: skip
TIMES = (time(9), time(8), time(17, 30), time(0), time(2, 30), time(23, 45), time(12, 15))
_SERVED: Served = {PLATFORM: None}
_BEFORE = date(2025, 11, 1)  # of the slots before the first
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Killed(BaseException):
    """The process is dead; no error of ours."""


class Board:
    """A platform that keeps what it is sent, and fails as it pleases: a post then stands or not."""

    platform = PLATFORM
    rate: Rate | None = None

    def __init__(self, chance: Random, faults: float) -> None:
        self._chance = chance
        self._faults = faults
        self._numbers: dict[str, list[str]] = {}
        self.requests: list[tuple[ChannelRef, Post]] = []  # that were accepted
        self.told: list[Notice] = []
        self.failed: Counter[str] = Counter()

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        body = {
            "slot": digest.slot.isoformat(),
            "papers": {
                card.paper.id: any(r.text.startswith("trending") for r in card.reasons)
                for card in digest.cards
            },
            "more": digest.more,
            "quiet": digest.quiet.cause if digest.quiet else "",
            "late": any(plain(note).startswith("This digest is late") for note in digest.notes),
        }
        return (Post(json.dumps(body), tuple(card.paper.id for card in digest.cards)),)

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        fault = self._chance.random() / self._faults if self._faults else 1.0
        if fault < 0.4:
            self.failed["later"] += 1
            raise Later("too many requests", after=self._chance.choice((0, 20)))
        if fault < 0.7:
            self.failed["lost"] += 1
            raise Unknown("the connection broke")
        self.requests.append((ref, post))
        number = f"m{len(self.requests)}"
        self._numbers.setdefault(key, []).append(number)
        if fault < 1.0:
            self.failed["landed"] += 1
            raise Unknown("the connection broke")
        return number

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> list[str]:
        if self._chance.random() < self._faults:
            self.failed["unreadable"] += 1
            raise HistoryUnreadable("the history did not come")
        return self._numbers.get(key, [])

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        raise NotImplementedError("there was a double to repair")

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        self.told.append(notice)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a channel wants, so simple that a word decides."""

    words: tuple[str, ...] = ()
    without: str = ""
    category: str = ""

    def admits(self, paper: Paper) -> bool:
        about = paper.title.split()
        by_word = any(word in about for word in self.words) and self.without not in about
        return by_word or self.category in paper.categories

    def subscriptions(self) -> tuple[Subscription, ...]:
        without = f" -{self.without}" if self.without else ""
        queries = [f"{word}{without}" for word in self.words]
        queries += [f"cat:{self.category}"] if self.category else []
        return tuple(Subscription(n, parse(query)) for n, query in enumerate(queries, start=1))


def wish(chance: Random) -> Wish:
    *words, without = chance.sample(TOPICS, chance.choice((1, 2, 2, 3, 4)))
    category = chance.choice(CATEGORIES) if chance.random() < 0.15 else ""
    return Wish(tuple(words), without if chance.random() < 0.3 else "", category)


def schedule(chance: Random) -> Schedule:
    zone, at = chance.choice(ZONES), (chance.choice((time(9), *TIMES)),)
    match chance.choices(
        ("weekdays", "daily", "often", "some", "weekly", "monthly"), (8, 2, 1, 2, 4, 2)
    )[0]:
        case "weekdays":
            return Schedule((0, 1, 2, 3, 4), at, zone)
        case "daily":
            return Schedule(tuple(range(7)), at, zone)
        case "often":
            times = chance.sample(TIMES, chance.randint(2, 3))
            return Schedule((0, 1, 2, 3, 4), tuple(sorted(times)), zone)
        case "some":
            return Schedule(tuple(sorted(chance.sample(range(7), 2))), at, zone)
        case "weekly":
            return Schedule((chance.randrange(7),), at, zone)
        case _:
            return Schedule((), at, zone, chance.randint(1, 28))


@cache
def _first_instant(day: date, at: time, zone: str) -> datetime:
    """At which the zone's clock shows this time or a later one: looked for minute by minute."""
    wall = datetime.combine(day, at)
    instant = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall:
        instant -= 3 * _HOUR
        while instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wall:
            instant += _MINUTE
    return instant


def calendar(channel: Channel, first: date, last: date) -> list[datetime]:
    """All slots of these days, in order and no two at once."""
    rule, found = channel.schedule, set()
    if channel.paused and not channel.paused_until:
        return []
    day = max(first, channel.paused_until or first)
    while day <= last:
        if day.day == rule.month_day if rule.month_day else day.weekday() in rule.days:
            found |= {_first_instant(day, at, rule.zone) for at in rule.times}
        day += _DAY
    return sorted(found)


@dataclass(slots=True)
class Standing:
    """What the judge knows of a channel."""

    channel: Channel
    wish: Wish
    slots: list[datetime]
    rhythm: list[datetime]  # the slots, those of a pause too
    since: datetime  # its slots until then are done with, or were not its slots
    cursor: int
    ahead: datetime | None = None  # the slot that is waited for
    planned: datetime | None = None
    told_quiet: bool = False
    posted: set[str] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)

    def pending(self, now: datetime) -> list[datetime]:
        return self.slots[bisect_right(self.slots, self.since) : bisect_right(self.slots, now)]

    def day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.channel.schedule.zone)).date()


class Judge:
    """Is told of all that happens, and notes what is wrong."""

    def __init__(self, last: date) -> None:
        self._last = last
        self.standings: dict[ChannelRef, Standing] = {}
        self._ahead: list[tuple[datetime, ChannelRef]] = []  # a heap; some are out of date
        self.arrived: list[Paper] = []
        self.listed: set[date] = set()  # days on which arXiv lists papers
        self.failing = False
        self.faults: list[str] = []
        self.false_causes: list[str] = []
        self.seen: Counter[str] = Counter()

    def settings(self, channel: Channel, wish: Wish, now: datetime) -> None:
        slots = calendar(channel, FIRST - _DAY, self._last)
        rhythm = calendar(replace(channel, paused=False, paused_until=None), _BEFORE, self._last)
        known = self.standings.get(channel.ref)
        if known is None:
            start = len(self.arrived)
            known = Standing(channel, wish, slots, rhythm, now, start)
            self.standings[channel.ref] = known
        elif known.slots != slots:
            known.since = now
        known.channel, known.wish, known.slots, known.rhythm = channel, wish, slots, rhythm
        self._foresee(known, known.since)

    def _foresee(self, standing: Standing, after: datetime) -> None:
        n = bisect_right(standing.slots, after)
        standing.ahead = standing.slots[n] if n < len(standing.slots) else None
        if standing.ahead:
            heappush(self._ahead, (standing.ahead, standing.channel.ref))

    def jumped(self, now: datetime) -> None:
        """The clock was set back: slots that are done with lie ahead once more."""
        for standing in self.standings.values():
            self._foresee(standing, now)

    @property
    def next_slot(self) -> datetime | None:
        return self._ahead[0][0] if self._ahead else None

    def ticked(self, now: datetime) -> None:
        """All that was due must be planned by now."""
        while self._ahead and self._ahead[0][0] <= now:
            ahead, ref = heappop(self._ahead)
            standing = self.standings[ref]
            if standing.ahead != ahead:
                continue
            for slot in standing.pending(now)[-1:]:
                if now - slot <= _DAY:
                    self._wrong(standing, slot, now, "has no digest")
                else:
                    self.seen["given over to the next slot"] += 1
                standing.since = slot
            self._foresee(standing, max(standing.since, now))

    def planned(
        self, ref: ChannelRef, slot: datetime, posts: Sequence[Post], now: datetime
    ) -> None:
        standing = self.standings[ref]
        pending = standing.pending(now)
        if pending[-1:] != [slot] or now - slot > _DAY:
            self._wrong(standing, slot, now, f"is planned where {pending[-1:]} is pending")
        for fault in self._faults_of(standing, slot, posts, now):
            self._wrong(standing, slot, now, fault)
        standing.since = standing.planned = slot
        standing.cursor = len(self.arrived)
        standing.posted |= {paper for post in posts for paper in post.papers}
        standing.posts += posts
        if posts:
            standing.told_quiet = not any(post.papers for post in posts)

    def _faults_of(
        self, standing: Standing, slot: datetime, posts: Sequence[Post], now: datetime
    ) -> list[str]:
        channel = standing.channel
        missed = [s for s in standing.rhythm if standing.planned and standing.planned < s <= slot]
        oldest = standing.day(min(missed, default=slot)) - 8 * _DAY
        fresh = [p for p in self.arrived[standing.cursor :] if _listed(p) >= oldest]
        wanted = {p.id for p in fresh if standing.wish.admits(p)} - standing.posted
        self.seen["too old"] += len(self.arrived) - standing.cursor - len(fresh)
        body = json.loads(posts[0].body if posts else '{"papers": {}, "more": 0}')
        chosen = {paper for paper, is_trending in body["papers"].items() if not is_trending}
        trending = [paper for paper, is_trending in body["papers"].items() if is_trending]
        found = []
        if twice := standing.posted & body["papers"].keys():
            found.append(f"brings again {twice}")
        if wrong := chosen - wanted:
            found.append(f"brings what nobody wanted or what is too old: {wrong}")
        if len(chosen) != min(len(wanted), channel.max):
            found.append(f"lacks {wanted - chosen}")
        if body["more"] != max(0, len(wanted) - channel.max):
            found.append(f"says {body['more']} more of {len(wanted)}")
        if trending != self._trending(standing, slot, chosen):
            found.append(f"trending are {trending}, not {self._trending(standing, slot, chosen)}")
        if posts:
            self.seen["late"] += body["late"]
            if body["late"] != (now - slot > 10 * _MINUTE):
                found.append(f"says that it is late: {body['late']}")
            if datetime.fromisoformat(body["slot"]) != slot:
                found.append(f"says that it is of {body['slot']}")
            causes = {""} if chosen or trending else self._causes(standing, slot, fresh)
            self.seen[body["quiet"] or "with papers"] += 1
            if body["quiet"] not in causes:
                wrong_cause = f"gives the cause “{body['quiet']}”, not {causes}"
                self.false_causes.append(self._words(standing, slot, now, wrong_cause))
        is_silent = channel.quiet == "silent" or (channel.quiet == "note" and standing.told_quiet)
        is_silent = is_silent and not chosen and not trending
        self.seen["silent"] += not posts
        if is_silent == bool(posts):
            found.append("is told of" if is_silent else "is not told of")
        return found

    def _trending(self, standing: Standing, slot: datetime, chosen: set[str]) -> list[str]:
        """The most upvoted of the days from the last slot's on, and before this one's."""
        day = standing.day(slot)
        past = standing.rhythm[: bisect_right(standing.rhythm, slot)]
        since = next(before for at in reversed(past) if (before := standing.day(at)) < day)
        listed = [
            (-paper.upvotes, -_listed(paper).toordinal(), paper.id)
            for paper in self.arrived
            if paper.upvotes and since <= _listed(paper) < day
        ]
        fresh = [i for _, _, i in sorted(listed) if i not in standing.posted and i not in chosen]
        return fresh[: standing.channel.trending]

    def _causes(self, standing: Standing, slot: datetime, fresh: Sequence[Paper]) -> set[str]:
        """Where no paper came: those listed since the last slot's day are out, or there are none.

        A day begins where arXiv is.
        """
        if fresh:
            return {"nothing_passed"}
        came = {_listed(paper) for paper in self.arrived[-200:]}
        day = slot.astimezone(NEW_YORK).date()
        last = (standing.planned or slot).astimezone(NEW_YORK).date()
        missing = {d for d in self.listed - came if min(last + _DAY, day) <= d <= day}
        late = "source_failing" if self.failing else "source_late"
        return {late if missing else "no_announcement"}

    def stood(self, board: Board) -> None:
        """What was planned stands there, once, and nothing else."""
        there = Counter(board.requests)
        for ref, standing in self.standings.items():
            for post in standing.posts:
                if (copies := there.pop((ref, post), 0)) != 1:
                    self.faults.append(f"{ref}: {post.body} stands {copies} times")
        self.faults += [f"{ref}: {post.body} was never planned" for ref, post in there]

    def _wrong(self, standing: Standing, slot: datetime, now: datetime, what: str) -> None:
        self.faults.append(self._words(standing, slot, now, what))

    def _words(self, standing: Standing, slot: datetime, now: datetime, what: str) -> str:
        channel = standing.channel
        local = slot.astimezone(ZoneInfo(channel.schedule.zone))
        at = f"{channel.ref.channel} ({channel.schedule}), slot {local:%a %d %b %H:%M}, at {now}"
        return f"{at}: {what}"


def _listed(paper: Paper) -> date:
    assert paper.listed_on
    return paper.listed_on


class Feed:
    """A source that tells its papers again for two days, unless it cannot be read."""

    name = "arxiv"

    def __init__(self) -> None:
        self.papers: list[tuple[datetime, Paper]] = []  # in order of the time when they are out
        self.outages: list[tuple[datetime, datetime]] = []
        self.now = datetime.combine(FIRST, time(), UTC)

    def out(self) -> list[Paper]:
        return [paper for at, paper in self.papers if at <= self.now]

    @property
    def fails(self) -> bool:
        return any(start <= self.now < end for start, end in self.outages)

    async def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        if self.fails:
            raise SourceUnavailable("arXiv does not answer.")
        told = [paper for paper in self.out() if _listed(paper) >= since.date() - 2 * _DAY]
        yield Batch(tuple(map(_record, told)), announced=max(map(_listed, told), default=None))

    def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        raise NotImplementedError


def _record(paper: Paper) -> Record:
    origin = Origin.HUGGING_FACE if paper.upvotes else Origin.ARXIV_FEED
    day = paper.listed_on
    return Record(replace(paper, listed_on=None), origin, listed_on=day, observed_on=day)


class KeptOutbox(Store):
    """The real one, in the caller's thread: to wait for another would take most of the time."""

    world: Year

    async def _do(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        await asyncio.sleep(0)
        return work(self._db, *args, **kwargs)

    async def plan(
        self, ref: ChannelRef, slot: datetime, posts: Sequence[Post], cursor: int,
        next_due: Due | None = None, released: Collection[str] = (), why: str = "",
        *, unposted: bool = False,
    ) -> bool:  # fmt: skip
        self.world.reached("plan")
        done = await super().plan(
            ref, slot, posts, cursor, next_due, released, why, unposted=unposted
        )
        self.world.planned(ref, slot, posts, done=done)
        return done


class ForgetfulOutbox(MemoryOutbox):
    world: Year

    async def plan(
        self, ref: ChannelRef, slot: datetime, posts: Sequence[Post], cursor: int,
        next_due: Due | None = None, released: Collection[str] = (), why: str = "",
        *, unposted: bool = False,
    ) -> bool:  # fmt: skip
        self.world.reached("plan")
        done = await super().plan(
            ref, slot, posts, cursor, next_due, released, why, unposted=unposted
        )
        self.world.planned(ref, slot, posts, done=done)
        return done


@dataclass(slots=True)
class Result:
    channels: int
    days: int
    seed: int
    digests: int = 0
    posts: int = 0
    papers: int = 0
    ticks: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    happened: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    first_faults: list[str] = field(default_factory=list)
    false_causes: int = 0  # of quiet slots
    first_false_causes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0


class Year:
    """The world, and the process in it. Without a *path* its stores are in memory."""

    def __init__(self, channels: int, days: int, seed: int, path: Path | None = None) -> None:
        self._chance = Random(seed)  # noqa: S311
        self._path = path
        self.now = datetime.combine(FIRST, time(), UTC)
        self._latest = self.now
        self._end = self.now + days * _DAY
        self._events: list[tuple[datetime, int, str]] = []
        self._feed = Feed()
        self.board = Board(self._chance, FAULTS)
        self.judge = Judge(FIRST + (days + 1) * _DAY)
        self.happened: Counter[str] = Counter()
        self._settings = MemoryChannelStore()
        self._library = MemoryLibrary()
        self._memory = ForgetfulOutbox(self._library), MemoryPeople(self._library)
        self._memory[0].world = self
        self._store: KeptOutbox | None = None
        self._service: Service | None = None
        self._fuse = -1  # steps until the process is killed; 0: it is dead, less: it lives
        self._make_papers(days)
        self._foresee(days)
        self._channels = [self._channel(n) for n in range(channels)]

    def _make_papers(self, days: int) -> None:
        chance = self._chance
        for day in (FIRST + n * _DAY for n in range(-1, days + 2)):
            if why_empty(day):
                continue
            self.judge.listed.add(day)
            for n in range(PAPERS_A_DAY if chance.random() < 0.97 else 25):
                at = datetime.combine(day, time(10 if chance.random() < 0.1 else 0), NEW_YORK)
                topics = " ".join(chance.sample(TOPICS, 2))
                paper = Paper(
                    f"arxiv:{day:%y%m}.{day.day:02}{n:03}", f"On {topics} {day:%j} {n}", "It is so.",
                    categories=(chance.choice(CATEGORIES),), listed_on=day,
                    upvotes=chance.randint(1, 99) if chance.random() < 0.3 else 0,
                )  # fmt: skip
                self._feed.papers.append((at, paper))
        self._feed.papers.sort(key=lambda known: known[0])
        assert len(self._feed.papers) < BACKGROUND_MIN

    def _foresee(self, days: int) -> None:
        """What happens when; *days* decide how often."""
        chance = self._chance
        for day in range(days):
            start = self.now + day * _DAY
            for hour in (1, 5, 15):
                self._at(start + hour * _HOUR + chance.randrange(50) * _MINUTE, "fetch")
            self._at(start + chance.random() * _DAY, "reconcile")
            if day % 7 == 6:
                self._at(start + chance.random() * _DAY, "keep house")
        for what, every in (("kill", 5), ("stop", 9), ("jump", 13), ("change", 1.5), ("pause", 6)):
            for _ in range(max(1, round(days / every))):
                self._at(self.now + chance.random() * days * _DAY, what)
        lengths = (3, 9, 20, 30, 50, 100, 250)  # hours
        for n in range(max(2, days // 18)):
            start = self.now + chance.random() * days * _DAY
            self._feed.outages.append((start, start + lengths[n % len(lengths)] * _HOUR))

    def _at(self, when: datetime, what: str) -> None:
        heappush(self._events, (when, len(self._events), what))

    def _channel(self, n: int) -> tuple[Channel, Wish]:
        chance = self._chance
        wanted = wish(chance) if n % 20 else Wish()
        return Channel(
            ChannelRef(PLATFORM, f"T{n % 9}", f"C{n}"),
            wanted.subscriptions(),
            schedule=schedule(chance),
            max=chance.randint(1, 10),
            quiet=chance.choice(("note", "note", "post", "silent")),
            trending=chance.choice((0, 0, 0, 1, 3)),
        ), wanted

    # The process

    async def _start(self) -> None:
        self._fuse = -1
        clock = lambda: self.now  # noqa: E731
        self._feed.now = self.now
        if self._path:
            db = open_owner(self._path)
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # nobody reads beside it
            db.execute("PRAGMA synchronous = OFF")  # power is not cut here, and the disk is slow
            self._store = KeptOutbox(db, ThreadPoolExecutor(1), self._path, clock)
            self._store.world = self
            digests = Digests(self._store, self._store, self._store, self._store, clock)
            refresh = Refresh((self._feed,), self._store, self._store, clock)
        else:
            outbox, people = self._memory
            digests = Digests(self._library, outbox, people, people, clock)
            refresh = Refresh((self._feed,), self._library, people, clock)
        sender = Sender(
            self._outbox, self._settings, [self.board], lambda: _SERVED, clock, asyncio.sleep,
            reached=self.reached,
        )  # fmt: skip
        kept = self._store or self._memory[1]
        self._service = Service(
            self._settings, self._outbox, digests, sender, [self.board], lambda: _SERVED, refresh,
            clock, kept, kept,
            Housekeeping(self._settings, self._outbox, self._store or self._library, kept, kept, None, clock),
        )  # fmt: skip
        await self._service.start()

    @property
    def _outbox(self) -> KeptOutbox | ForgetfulOutbox:
        return self._store or self._memory[0]

    async def _stop(self) -> None:
        self._service = None
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._store:
            await self._store.aclose()
            self._store = None

    def reached(self, step: str) -> None:
        """Where a kill is foreseen, it comes at one of these steps."""
        if self._fuse > 0:
            self._fuse -= 1
        if self._fuse == 0:
            self.happened[f"killed at “{step}”"] += 1
            raise Killed

    def planned(
        self, ref: ChannelRef, slot: datetime, posts: Sequence[Post], *, done: bool
    ) -> None:
        if done:
            self.judge.planned(ref, slot, posts, self.now)
        self.reached("planned")

    async def _tick(self) -> None:
        if self._service is None:
            return
        self.happened["ticks"] += 1
        try:
            await self._service.tick()
            await self._service.send()
            await self._service.look_up()
        except Killed:
            await self._stop()
            self._at(self.now + self._chance.choice((1, 3, 40)) * _MINUTE, "start")
            return
        self.judge.ticked(self.now)
        counts = await self._outbox.counts()
        if counts[State.READY] or counts[State.UNKNOWN]:
            self._at(self.now + (20 if counts[State.READY] else 95) * timedelta(seconds=1), "look")

    # The world

    async def run(self, show: Show) -> None:
        await self._start()
        for channel, wanted in self._channels:
            await self._outbox.start(channel.ref, 0)
            await self._set(channel, wanted)
        shown = self.now
        while self.now < self._end:
            await self._step()
            if self.now - shown > 3 * _DAY:
                shown = self.now
                words = f"{len(self.board.requests):,} posts, {len(self.judge.faults)} faults"
                show((shown.date() - FIRST).days, words)
        if self._service is None:
            await self._start()
        self._fuse = -1
        for _ in range(30):  # what is under way has time to end
            await self._tick()
            self.now += 100 * timedelta(seconds=1)
        await self._stop()
        self.judge.stood(self.board)

    async def _step(self) -> None:
        """On to the next slot or event, and a few seconds more."""
        slot = self.judge.next_slot if self._service else None
        upcoming = min([self._end, *(at for at, _, _ in self._events[:1]), slot or self._end])
        self.now = max(self.now, upcoming) + self._chance.randrange(16) * timedelta(seconds=1)
        while self._events and self._events[0][0] <= self.now:
            await self._happen(heappop(self._events)[2])
        await self._tick()

    async def _happen(self, what: str) -> None:
        self.happened[what] += 1
        if what == "start" and self._service is None:
            await self._start()
            if self._chance.random() < 0.7:
                await self._fetch()
        elif what == "jump":
            self._latest = max(self._latest, self.now)
            self.now += self._chance.choice((-_HOUR, _HOUR))
            self.judge.jumped(self.now)
            for n in range(1, 5):
                self._at(self.now + n * 15 * _MINUTE, "look")
        elif self._service:
            await self._happen_to(self._service, what)

    async def _happen_to(self, service: Service, what: str) -> None:
        match what:
            case "fetch":
                await self._fetch()
            case "reconcile":
                await service.reconcile()
            case "keep house":
                await service.keep_house()
                await service.audit()
            case "kill":
                self._fuse = self._chance.randint(1, 40)
            case "stop":
                await self._stop()
                self._at(self.now + self._chance.choice((0.02, 1, 5, 23, 30, 75)) * _HOUR, "start")
            case "change" | "pause" | "resume":
                await self._change(what)
            case _:
                pass  # a look: the tick comes anyway

    async def _fetch(self) -> None:
        if self._service is None:
            return
        self._feed.now = self.now
        await self._service.fetch()
        self.judge.failing = self._feed.fails
        if not self._feed.fails:
            known = {paper.id for paper in self.judge.arrived}
            self.judge.arrived += [p for p in self._feed.out() if p.id not in known]

    async def _change(self, what: str) -> None:
        """A person's word: between two ticks, with nothing left to plan."""
        await self._tick()
        if self._service is None or self.now < self._latest:
            return
        chance = self._chance
        n = chance.randrange(len(self._channels))
        channel, wanted = self._channels[n]
        if what == "pause":
            length = chance.randint(1, 25)
            until = self.now.date() + length * _DAY if chance.random() < 0.5 else None
            channel = replace(channel, paused=True, paused_until=until)
            self._at(self.now + length * _DAY, "resume")
        elif what == "resume":
            paused = [n for n, (c, _) in enumerate(self._channels) if c.paused]
            if not paused:
                return
            n = paused[0]
            channel, wanted = self._channels[n]
            channel = replace(channel, paused=False, paused_until=None)
        elif chance.random() < 0.5:
            channel = replace(channel, schedule=schedule(chance))
        else:
            wanted = wish(chance)
            channel = replace(
                channel, subscriptions=wanted.subscriptions(), max=chance.randint(1, 10)
            )
        self._channels[n] = channel, wanted
        await self._set(channel, wanted)

    async def _set(self, channel: Channel, wanted: Wish) -> None:
        await self._settings.save(channel, "ann")
        await reschedule(channel, self._outbox, self.now)
        self.judge.settings(channel, wanted, self.now)


async def live(
    channels: int, days: int, seed: int, path: Path | None = None,
    show: Show = lambda done, words: None,
) -> Result:  # fmt: skip
    began, spent = process.monotonic(), process.process_time()
    year = Year(channels, days, seed, path)
    await year.run(show)
    judge = year.judge
    ticks = year.happened.pop("ticks")
    return Result(
        channels, days, seed,
        digests=sum(judge.seen[what] for what in ("with papers", "silent", "no_announcement", "source_failing", "source_late", "nothing_passed")),
        posts=len(year.board.requests), papers=len(judge.arrived), ticks=ticks,
        seen=dict(judge.seen), happened={**year.happened, **year.board.failed},
        faults=len(judge.faults), first_faults=judge.faults[:20],
        false_causes=len(judge.false_causes), first_false_causes=judge.false_causes[:20],
        seconds=round(process.monotonic() - began, 1),
        processor_seconds=round(process.process_time() - spent, 1),
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=200)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true", help="stores in memory, not in a file")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)  # faults are the rule here
    with tempfile.TemporaryDirectory() as name, bar("days", asked.days) as show:
        path = None if asked.memory else Path(name) / "paperboy.sqlite3"
        result = asyncio.run(live(asked.channels, asked.days, asked.seed, path, show))
    print(json.dumps(asdict(result), indent=1))
    return 1 if result.faults or result.false_causes else 0


if __name__ == "__main__":
    sys.exit(main())
