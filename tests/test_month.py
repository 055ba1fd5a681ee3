"""A month of real papers through sources that fail as often as they please: nothing is lost.

The real sources, client and library ask a local server; time is virtual.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from adapters.sources.arxiv import ArXiv
from adapters.sources.http import PoliteClient
from adapters.sources.huggingface import HuggingFace
from adapters.storage.sqlite import Store
from bot.digests import Digests
from bot.model import Channel, ChannelRef
from bot.ports import Health
from bot.refresh import Fetched, Refresh
from bot.schedule import Schedule
from tests.source_server import (
    Fault,
    Misbehave,
    Row,
    SourceServer,
    VirtualTime,
    at,
    empty_page,
    listed,
    no_results,
    read_rows,
    resets,
    sends,
    status,
    too_many,
    truncated,
    web_page,
)

SPRING = Path(__file__).resolve().parents[2] / "shared" / "data" / "arxiv_2026_spring.jsonl.gz"
needs_spring = pytest.mark.skipif(
    not SPRING.exists(), reason="the papers of spring 2026 are absent"
)

NEW_YORK = ZoneInfo("America/New_York")
CATEGORIES = frozenset({"cs.CL", "astro-ph.CO"})
PAPERS_A_DAY = 40
HOURS = (5, 11, 18)  # UTC; the list of the day is out at 4
FIRST, LAST = date(2026, 6, 1), date(2026, 6, 30)
MAY = date(2026, 5, 18)  # a first fetch looks back a week, and a search a week further
HOLIDAY = date(2026, 6, 22)
MISSED = (date(2026, 6, 10), date(2026, 6, 11))  # nobody asks for anything
STALE = date(2026, 6, 24)
HELD = (date(2026, 6, 11), date(2026, 6, 17))  # one paper each was held for four days
SILENT = frozenset({"an empty page", "yesterday's papers"})  # of the faults: no error is told


# The month


def closing(day: date) -> datetime:
    """When the window closed whose papers are listed on that day."""
    before = day - timedelta(days=3 if day.weekday() == 0 else 1)
    return datetime.combine(before, time(14), NEW_YORK).astimezone(UTC)


def month() -> list[Row]:
    """Ids as arXiv gave them. The dump has no times of submission: they are spread over the window."""
    by_day: dict[date, dict[str, Row]] = {}
    for row in read_rows(SPRING):
        if listed(row) >= MAY and listed(row).weekday() < 5 and CATEGORIES & set(row["categories"]):
            by_day.setdefault(listed(row), {})[row["id"]] = row
    made: list[Row] = []
    top = "2605.00000"
    for before, day in pairwise(sorted(by_day)):
        # An id out of order is that of an older paper, cross-listed
        names = [
            name for name in sorted(by_day[day]) if re.match(r"260[56]\.", name) and name > top
        ]
        names = names[:PAPERS_A_DAY]
        top = names[-1]
        step = (closing(day) - closing(before)) / (len(names) + 1)
        for n, name in enumerate(names, start=1):
            moment = closing(before) + n * step
            if day in HELD and n == len(names) // 2:
                moment -= timedelta(days=4)
            made.append({**by_day[day][name], "published": moment.isoformat()})
    return made


def daily_item(name: str, title: str, upvotes: int) -> Row:
    return {
        "paper": {
            "id": name,
            "title": title,
            "summary": "We count owls.",
            "authors": [{"name": "Ada One", "hidden": False}],
            "publishedAt": "2026-05-29T00:00:00.000Z",
            "upvotes": upvotes,
        },
    }


def daily_lists(rows: list[Row]) -> dict[str, list[Row]]:
    """Each working day of June the first papers of the last list of arXiv's before it."""
    days = sorted({listed(row) for row in rows})
    lists = {}
    for day in (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)):
        if day.weekday() < 5:
            last = max(other for other in days if other < day)
            shown = [row for row in rows if listed(row) == last][:6]
            lists[str(day)] = [daily_item(row["id"], row["title"], 7) for row in shown]
    return lists


# Trouble


async def empty_feed(server: SourceServer, request: web.Request) -> web.Response:
    asked = request.match_info["categories"].split("+")
    body = SourceServer(server.clock, day=server.day).feed(request.path, asked)
    return web.Response(body=body, content_type="application/xml")


async def yesterdays_papers(server: SourceServer, request: web.Request) -> web.Response:
    """Under today's date throughout."""
    assert server.day is not None
    before = max(listed(row) for row in server.rows if listed(row) < server.day)
    stale = [{**row, "first_seen": str(server.day)} for row in server.rows if listed(row) == before]
    asked = request.match_info["categories"].split("+")
    body = SourceServer(server.clock, rows=stale, day=server.day).feed(request.path, asked)
    return web.Response(body=body, content_type="application/xml")


class Trouble:
    """One request in five fails, in one of the ways that were seen; *told* are those of a fetch."""

    def __init__(self, seed: int) -> None:
        self.on = True
        self.told: list[tuple[str, str]] = []
        self.all: Counter[str] = Counter()
        self._random = Random(seed)  # noqa: S311 - a repeatable choice, no secret
        self._ways: dict[str, Misbehave] = {
            "429": too_many(),
            "503": status(503, Retry_After="0"),
            "a reset": resets,
            "a broken body": truncated,
            "a web page": web_page(),
        }

    def strikes(self, request: web.Request) -> bool:
        return self.on and self._random.random() < 0.2

    async def __call__(self, server: SourceServer, request: web.Request) -> web.StreamResponse:
        way = self._random.choice([*self._ways, "an empty page"])
        answer = self._ways.get(way) or self._empty(request)
        return await self.noted(way, answer)(server, request)

    def _empty(self, request: web.Request) -> Misbehave:
        if request.path.startswith("/rss"):
            return empty_feed
        if request.path.startswith("/api/query"):
            return self._random.choice((no_results, empty_page))
        return sends(b"[]", "application/json")

    def noted(self, way: str, answer: Misbehave) -> Misbehave:
        async def misbehave(server: SourceServer, request: web.Request) -> web.StreamResponse:
            source = "huggingface" if request.path == "/api/daily_papers" else "arxiv"
            self.told.append((source, way))
            self.all[way] += 1
            return await answer(server, request)

        return misbehave


# The bench


@dataclass
class Bench:
    server: SourceServer
    time: VirtualTime
    store: Store
    refresh: Refresh

    async def fetch(self) -> list[Fetched]:
        return await self.refresh.fetch((), None, lambda _: None)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    now = VirtualTime(datetime.combine(FIRST, time(), UTC))

    async def categories() -> frozenset[str]:
        return CATEGORIES

    async with SourceServer(now) as server, await Store.open(tmp_path / "papers.db", now) as store:
        client = PoliteClient(
            clock=now,
            sleep=now.sleep,
            jitter=lambda: 0.0,
            delay=3.0,
            agent="Paperboy (tests)",
            allow={"127.0.0.1"},
        )
        arxiv = ArXiv(
            client,
            api_url=f"{server.url}/api/query",
            feed_url=server.url,
            oai_url=f"{server.url}/oai",
            categories=categories,
            clock=now,
        )
        daily = HuggingFace(client, endpoint=server.url, clock=now)
        yield Bench(server, now, store, Refresh((arxiv, daily), store, store, now))
        await client.aclose()


async def days_of(store: Store, rows: list[Row]) -> dict[str, date | None]:
    """Of the library's papers of these rows, on which day each is listed."""
    wanted = {f"arxiv:{row['id']}" for row in rows}
    papers = await store.between(date(2000, 1, 1), date(2100, 1, 1))
    names = [paper.id for paper in papers]
    assert len(names) == len(set(names)) == await store.count()
    return {paper.id: paper.listed_on for paper in papers if paper.id in wanted}


def told_truly(
    before: Health, after: Health, done: Fetched, trouble: Trouble, now: datetime
) -> None:
    """What Health says is what became of the fetch, and that is what the server did."""
    hard = [source for source, way in trouble.told if way not in SILENT]
    assert done.error == after.error
    if done.error:
        assert hard
        assert after.last_success == before.last_success
        assert after.last_error
        assert before.last_error is None or before.last_error < after.last_error <= now
        assert after.next_try
        assert after.last_error < after.next_try <= after.last_error + timedelta(hours=1)
    else:
        assert done.name not in hard
        assert after.last_success
        assert before.last_success is None or before.last_success < after.last_success <= now
        assert after.last_error == before.last_error
        assert after.next_try is None


@needs_spring
async def test_no_paper_of_a_month_of_trouble_is_lost_or_misdated(bench: Bench) -> None:
    server, store = bench.server, bench.store
    rows = month()
    announced = {f"arxiv:{row['id']}": listed(row) for row in rows}
    listing_days = set(announced.values())
    server.days = daily_lists(rows)
    trouble = Trouble(seed=1)
    stale = Fault(trouble.noted("yesterday's papers", yesterdays_papers), at("/rss"), times=0)
    server.faults = [stale, Fault(trouble, trouble.strikes, times=None)]
    digests = Digests(store, store, store, store, bench.time)
    channel = Channel(ChannelRef("slack", "T1", "C1"), schedule=Schedule.default("Europe/Berlin"))
    said: Counter[str] = Counter()

    for day in (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)):
        for hour in HOURS:
            bench.time.now = datetime.combine(day, time(hour), UTC)
            trouble.told.clear()
            trouble.on = (day, hour) != (LAST, HOURS[-1])
            stale.times = 10 if (day, hour) == (STALE, HOURS[0]) else 0
            server.day = day
            server.rows = [row for row in rows if listed(row) <= day]
            if day not in MISSED:
                before = {name: await store.health(name) for name in ("arxiv", "huggingface")}
                for done in await bench.fetch():
                    after = await store.health(done.name)
                    told_truly(before[done.name], after, done, trouble, bench.time.now)

            known = await days_of(store, rows)
            arxiv = await store.health("arxiv")
            failing = [health.name for health in await store.all_health() if health.error]
            # What only a list of Hugging Face's has told is dated later
            told = {day for name, day in announced.items() if known.get(name) == day}
            assert max(told, default=None) == arxiv.announced

            digest = await digests.at(channel, day)
            assert digest.quiet is not None
            kind = digest.quiet.cause
            said[kind] += 1
            if day not in listing_days:
                assert kind in ("no_announcement", "nothing_passed")
            elif day in known.values():
                assert kind == "nothing_passed"
            else:
                assert kind == ("source_failing" if failing else "source_late")
                assert all(name in digest.quiet.text for name in failing)

    june = [row for row in rows if listed(row) >= FIRST]
    assert {f"arxiv:{row['id']}": listed(row) for row in june} == await days_of(store, june)
    assert len(june) > 500
    assert HOLIDAY not in {listed(row) for row in june}
    assert min(server.gaps()) >= 3
    assert server.most_open == 1
    assert all(not health.error for health in await store.all_health())
    assert len(trouble.all) == 7
    assert {"no_announcement", "nothing_passed", "source_failing"} <= set(said)


async def test_a_day_of_120_daily_papers_is_complete_and_its_votes_grow(bench: Bench) -> None:
    day = date(2026, 6, 3)

    def votes(times: int) -> list[Row]:
        """Over time the order of the papers is turned round."""
        return [
            daily_item(f"2606.{n:05}", f"Daily {n}", n if times == 1 else 1_000 - n)
            for n in range(1, 121)
        ]

    bench.server.days = {str(day): votes(1)}
    bench.server.day = day
    bench.time.now = datetime.combine(day, time(12), UTC)
    await bench.fetch()
    first = await bench.store.top(day, day, 200)
    bench.server.days = {str(day): votes(2)}
    bench.server.day = day + timedelta(days=6)
    bench.time.now += timedelta(days=6)
    await bench.fetch()
    later = await bench.store.top(day, day, 200)

    assert [(f"arxiv:2606.{n:05}", n) for n in range(120, 0, -1)] == [
        (paper.id, paper.upvotes) for _, paper in first
    ]
    assert [(f"arxiv:2606.{n:05}", 1_000 - n) for n in range(1, 121)] == [
        (paper.id, paper.upvotes) for _, paper in later
    ]
    assert {day} == {listed_on for listed_on, _ in later}
