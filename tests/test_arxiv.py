"""arXiv's feed, search and archive as they are, with every trap that is known of them.

The real source with the real client asks a local server; time is virtual.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from defusedxml.ElementTree import parse as parse_file
from hypothesis import given, strategies as st

from adapters.sources.arxiv import (
    FEED_ROWS,
    PAPERS_A_DAY,
    ArXiv,
    announcement_day,
    api_query,
    listing_days,
    oai_set,
    read_feed,
    read_harvest,
    read_search,
    subjects,
)
from adapters.sources.http import PoliteClient
from bot.announcements import why_empty
from bot.errors import SourceUnavailable, UserError
from bot.model import Paper, Record
from bot.ports import Batch, Health
from bot.query import categories as known_categories, parse
from tests.source_server import (
    Fault,
    Misbehave,
    Row,
    SourceServer,
    VirtualTime,
    at,
    empty_page,
    errs,
    no_results,
    oai_says,
    oldest_first,
    resets,
    sends,
    status,
    too_many,
    web_page,
    yesterdays_feed,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PAYLOADS = DATA / "payloads"
needs_payloads = pytest.mark.skipif(not PAYLOADS.exists(), reason="the recorded answers are absent")

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 4, 28, 12, tzinfo=UTC)  # a Tuesday, 8:00 in New York
YESTERDAY = NOW - timedelta(days=1)
# A time of submission within the window of each announcement day
SUBMITTED = {
    "2026-04-28": "2026-04-27T15:00:00Z",
    "2026-04-27": "2026-04-24T15:00:00Z",  # Monday lists what came by Friday
    "2026-04-24": "2026-04-23T15:00:00Z",
    "2026-04-23": "2026-04-22T15:00:00Z",
    "2026-04-22": "2026-04-21T15:00:00Z",
    "2026-04-21": "2026-04-20T15:00:00Z",
    "2026-04-20": "2026-04-17T15:00:00Z",
}


def rows(day: str, count: int, *categories: str, **more: Any) -> list[Row]:
    """Papers of one announcement: ids and submissions in one order, as arXiv gives them."""
    first = 5_000 * (date.fromisoformat(day) - date(2026, 4, 10)).days
    start = datetime.fromisoformat(SUBMITTED[day])
    return [
        {
            "id": f"2604.{first + n:05}",
            "title": f"Paper {n} of {day}",
            "abstract": "We measure something.",
            "authors": ["Ada One"],
            "categories": list(categories or ("cs.CL",)),
            "published": (start + timedelta(seconds=4 * n)).isoformat(),
            "first_seen": day,
            **more,
        }
        for n in range(count)
    ]


def ids(made: Sequence[Row]) -> set[str]:
    return {f"arxiv:{row['id']}" for row in made}


@dataclass
class Bench:
    """The source at work; what its batches leave is kept, as the fetch loop does it."""

    server: SourceServer
    time: VirtualTime
    client: PoliteClient
    wanted: set[str] = field(default_factory=lambda: {"cs.CL"})
    health: Health = field(default_factory=lambda: Health("arxiv"))
    error: SourceUnavailable | None = None

    def source(self) -> ArXiv:
        async def categories() -> set[str]:
            return self.wanted

        return ArXiv(
            self.client,
            api_url=f"{self.server.url}/api/query",
            feed_url=self.server.url,
            oai_url=f"{self.server.url}/oai",
            categories=categories,
            clock=self.time,
        )

    async def fetch(self, since: datetime = YESTERDAY) -> list[Batch]:
        return await self._all(self.source().fetch(since, self.health))

    async def backfill(self, since: date, *, pages: int | None = None) -> list[Batch]:
        return await self._all(self.source().backfill(since, self.health), pages)

    async def _all(self, batches: AsyncIterator[Batch], pages: int | None = None) -> list[Batch]:
        """All of them, or *pages*; then the reader is gone."""
        self.error = None
        brought = []
        async with aclosing(batches) as each:  # type: ignore[type-var]
            try:
                async for batch in each:
                    brought.append(batch)
                    if batch.token:
                        self.health = replace(self.health, state=batch.token)
                    if len(brought) == pages:
                        break
            except SourceUnavailable as error:
                self.error = error
        return brought

    def asked(self, path: str) -> list[dict[str, str]]:
        return [dict(seen.query) for seen in self.server.seen if seen.path.startswith(path)]

    def paths(self) -> list[str]:
        return [path for path in self.server.paths if path.startswith("/rss")]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    time = VirtualTime(NOW)
    async with SourceServer(time) as server:
        client = PoliteClient(
            clock=time,
            sleep=time.sleep,
            jitter=lambda: 0.0,
            delay=3.0,
            agent="Paperboy (tests)",
            allow={"127.0.0.1"},
        )
        yield Bench(server, time, client)
        await client.aclose()


def papers(batches: Sequence[Batch]) -> dict[str, date | None]:
    """Each paper with the earliest day that it is said to be listed on."""
    days: dict[str, date | None] = {}
    for record in (record for batch in batches for record in batch.records):
        known = days.get(record.paper.id)
        days[record.paper.id] = min(known, record.listed_on) if known and record.listed_on else (
            record.listed_on)  # fmt: skip
    return days


def on(day: str, made: Sequence[Row]) -> dict[str, date]:
    return dict.fromkeys(ids(made), date.fromisoformat(day))


TODAY_S = rows("2026-04-28", 12)
YESTERDAY_S = rows("2026-04-27", 10)
FRIDAY_S = rows("2026-04-24", 8)


@pytest.fixture
async def settled(bench: Bench) -> Bench:
    """Monday's papers are known; it is Tuesday, and the server has Tuesday's."""
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S]
    bench.time.now = YESTERDAY
    await bench.fetch(YESTERDAY)
    bench.time.now = NOW
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S, *TODAY_S]
    bench.server.seen.clear()
    return bench


# The calendar (§1)


@pytest.mark.parametrize(
    ("submitted", "day"),
    [
        ("2026-04-20 13:59:59", "2026-04-21"),
        ("2026-04-20 14:00:00", "2026-04-22"),  # 2603.12310 came at 14:00:00 and waited a day
        ("2026-04-23 14:00:01", "2026-04-27"),  # after Thursday's window: Sunday's mailing
        ("2026-04-24 14:00:01", "2026-04-28"),  # Friday to Monday 14:00 appears on Monday, 20:00
        ("2026-04-26 09:00:00", "2026-04-28"),
        ("2026-06-18 15:00:00", "2026-06-23"),  # 19 June has no mailing: Monday stays empty
        ("2026-11-25 15:00:00", "2026-11-30"),  # Thanksgiving
        ("2026-01-15 13:59:00", "2026-01-16"),  # 18:59 UTC, for in winter it is an hour later
        ("2026-07-15 13:59:00", "2026-07-16"),  # 17:59 UTC
    ],
)
def test_a_window_closes_at_two_in_new_york(submitted: str, day: str) -> None:
    moment = datetime.fromisoformat(submitted).replace(tzinfo=NEW_YORK)

    assert date.fromisoformat(day) == announcement_day(moment.astimezone(UTC))


def archive() -> dict[str, tuple[datetime, date]]:
    """Of papers of spring 2026 with both, the exact submission and the day of listing."""
    listed = {}
    with gzip.open(DATA / "arxiv_2026_spring.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            listed[row["id"]] = date.fromisoformat(row["first_seen"])
    both = {}
    with gzip.open(DATA / "hf_daily_papers.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            published = row["publishedAt"]
            if published and not published.endswith("T00:00:00.000Z") and row["id"] in listed:
                both[row["id"]] = datetime.fromisoformat(published), listed[row["id"]]
    return both


@pytest.mark.skipif(not DATA.exists(), reason="the archive of spring 2026 is absent")
def test_the_calendar_agrees_with_four_months_of_listings() -> None:
    known = {name: both for name, both in archive().items() if name >= "2602.2"}
    made = [Paper(f"arxiv:{name}", "t", published=both[0]) for name, both in known.items()]

    days = listing_days(made, {}, date(2026, 7, 1))

    assert len(known) > 350
    assert all(announcement_day(published) <= day for published, day in known.values())
    right = sum(day == days[f"arxiv:{name}"] for name, (_, day) in known.items())
    assert right >= 0.985 * len(known)  # 377 of 381; by the calendar alone, 362


def test_ids_tell_which_mailing_a_held_paper_came_with() -> None:
    held = replace_row(rows("2026-04-28", 1)[0], id="2604.89999", published=SUBMITTED["2026-04-22"])
    made = [paper_of(row) for row in (*YESTERDAY_S, held, *TODAY_S)]

    days = listing_days(made, {}, NOW.date())

    assert date(2026, 4, 28) == days["arxiv:2604.89999"]
    assert date(2026, 4, 27) == days["arxiv:2604.85009"]
    assert date(2026, 4, 28) == days["arxiv:2604.90000"]


def test_what_has_a_higher_id_than_a_known_day_came_later() -> None:
    alone = Paper("arxiv:2604.89999", "t", published=datetime(2026, 4, 21, 15, tzinfo=UTC))
    marks = {date(2026, 4, 24): "arxiv:2604.70007", date(2026, 4, 27): "arxiv:2604.85009"}

    assert {alone.id: date(2026, 4, 28)} == listing_days([alone], marks, date(2026, 4, 29))
    assert {alone.id: date(2026, 4, 22)} == listing_days([alone], {}, date(2026, 4, 29))


def replace_row(row: Row, **more: Any) -> Row:
    return {**row, **more}


def paper_of(row: Row) -> Paper:
    published = datetime.fromisoformat(row["published"])
    return Paper(f"arxiv:{row['id']}", row["title"], published=published)


# The daily feed (§3)


async def test_a_feed_lists_the_papers_of_its_day(bench: Bench) -> None:
    bench.server.rows = TODAY_S

    batches = await bench.fetch(NOW)

    assert on("2026-04-28", TODAY_S) == papers(batches)
    assert batches[0].announced == date(2026, 4, 28)
    assert all(batch.complete for batch in batches)
    assert bench.error is None
    assert bench.paths() == ["/rss/cs.CL"]
    assert bench.asked("/api") == []


async def test_an_unchanged_feed_is_not_sent_again(settled: Bench) -> None:
    await settled.fetch()
    settled.server.seen.clear()

    assert await settled.fetch() == []
    assert [seen.status for seen in settled.server.seen] == [304]
    assert settled.server.seen[0].headers["if-none-match"]


async def test_a_feed_rendered_anew_is_the_same_batch(settled: Bench) -> None:
    """The body and its ETag change with the build date and the order of skipDays."""
    await settled.fetch()
    body = settled.server.feed("/rss/cs.CL", ["cs.CL"], built=NOW + timedelta(minutes=30))
    settled.server.files["/rss/cs.CL"] = body.replace(
        b"<day>Saturday</day>\n      <day>Sunday</day>",
        b"<day>Sunday</day>\n      <day>Saturday</day>",
    )

    assert await settled.fetch() == []
    assert settled.server.seen[-1].status == 200


async def test_papers_added_during_the_day_are_a_change(settled: Bench) -> None:
    await settled.fetch()
    late = replace_row(TODAY_S[0], id="2604.90900", title="A latecomer")
    settled.server.rows = [*settled.server.rows, late]

    assert "arxiv:2604.90900" in papers(await settled.fetch())


async def test_a_paper_is_listed_once_however_many_feeds_have_it(bench: Bench) -> None:
    """New in cs.CL, it is a cross-list in cs.LG: the type is relative to what was asked."""
    bench.wanted = {"cs.CL", "cs.LG"}
    bench.server.rows = rows("2026-04-28", 3, "cs.CL", "cs.LG")

    batches = await bench.fetch(NOW)

    records = [record for batch in batches for record in batch.records]
    assert len(records) == 6
    assert {(record.paper.id, record.listed_on) for record in records} == set(
        papers(batches).items()
    )
    assert papers(batches) == on("2026-04-28", bench.server.rows)


async def test_a_replacement_is_no_news(bench: Bench) -> None:
    old = replace_row(TODAY_S[0], id="2508.13426", version=2)
    bench.server.rows = [old, *TODAY_S]

    assert ids(TODAY_S) == set(papers(await bench.fetch(NOW)))


@pytest.mark.parametrize(
    "day", [pytest.param("2026-05-02", id="weekend"), pytest.param("2026-06-22", id="holiday")]
)
async def test_a_feed_of_a_day_without_a_mailing_is_valid_and_empty(bench: Bench, day: str) -> None:
    bench.time.now = datetime.fromisoformat(f"{day}T12:00:00Z")
    bench.server.day = date.fromisoformat(day)

    batches = await bench.fetch(bench.time.now)

    assert [(batch.records, batch.announced, batch.complete) for batch in batches] == [
        ((), None, True)
    ]
    assert bench.error is None
    assert bench.asked("/api") == []


@needs_payloads
async def test_the_recorded_weekend_feed_is_no_failure(bench: Bench) -> None:
    file = PAYLOADS / "arxiv_feed" / "real_rss_cs.CL_weekend_empty_2026-08-01.xml"
    bench.server.files["/rss/cs.CL"] = file.read_bytes()
    bench.time.now = datetime(2026, 8, 1, 5, tzinfo=UTC)

    batches = await bench.fetch(bench.time.now)

    assert bench.error is None
    assert [batch.complete for batch in batches] == [True]
    assert bench.asked("/api") == []


async def test_an_empty_feed_of_a_working_day_is_not_believed_alone(bench: Bench) -> None:
    bench.server.rows = TODAY_S
    bench.server.files["/rss/cs.CL"] = bench.server.feed("/rss/econ.GN", ["econ.GN"])

    batches = await bench.fetch(NOW)

    assert not batches[0].complete
    assert on("2026-04-28", TODAY_S) == papers(batches)  # found by the search


async def test_an_empty_feed_beside_a_full_one_means_nothing_new(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "econ.GN"}
    bench.server.rows = TODAY_S

    batches = await bench.fetch(NOW)

    assert all(batch.complete for batch in batches)
    assert bench.asked("/api") == []


async def test_an_unknown_category_costs_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.wanted = {"cs.CL", "cs.NOPE"}
    bench.server.rows = TODAY_S

    batches = await bench.fetch(NOW)

    assert ids(TODAY_S) == set(papers(batches))
    assert "no feed of cs.NOPE" in caplog.text


async def test_a_wrong_name_among_joined_feeds_costs_no_other(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "econ.GN"}
    bench.server.rows = TODAY_S
    await bench.fetch(NOW)
    feed = bench.server.feed("/rss/cs.CL+econ.GN", [], unknown="econ.GN")
    bench.server.faults.append(Fault(sends(feed, code=400), at("/rss/cs.CL+econ.GN"), times=None))
    bench.server.rows = [*TODAY_S, replace_row(TODAY_S[0], id="2604.90950")]

    assert "arxiv:2604.90950" in papers(await bench.fetch(NOW))
    assert bench.paths()[-3:] == ["/rss/cs.CL+econ.GN", "/rss/cs.CL", "/rss/econ.GN"]


async def test_small_feeds_are_joined_where_the_limit_is_far(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "econ.GN", "hep-lat"}
    bench.server.rows = [*TODAY_S, *rows("2026-04-28", 3, "hep-lat")]

    await bench.fetch(NOW)  # nothing is known of their sizes yet
    await bench.fetch(NOW)

    assert bench.paths() == [
        "/rss/cs.CL",
        "/rss/econ.GN",
        "/rss/hep-lat",
        "/rss/cs.CL+econ.GN+hep-lat",
    ]


async def test_a_joined_request_that_could_be_cut_is_not_made(bench: Bench) -> None:
    """Beyond 2,000 rows arXiv leaves out new papers first."""
    bench.wanted = {"cs.CL", "cs.LG"}
    bench.server.rows = [*rows("2026-04-28", 600, "cs.CL"), *rows("2026-04-28", 600, "cs.LG")]

    await bench.fetch(NOW)
    await bench.fetch(NOW)

    assert bench.paths() == ["/rss/cs.CL", "/rss/cs.LG"] * 2


def test_an_archive_is_asked_by_its_subjects() -> None:
    assert subjects({"cs.CL", "hep-lat"}) == ["cs.CL", "hep-lat"]
    assert set(subjects({"stat", "stat.ML"})) == {
        name for name in known_categories() if name.startswith("stat.")
    }


async def test_a_feed_of_2000_rows_is_cut_and_the_search_fills_it(bench: Bench) -> None:
    made = rows("2026-04-28", FEED_ROWS + 40)
    bench.server.rows = made
    cut = made[40:]
    bench.server.files["/rss/cs.CL"] = SourceServer(bench.time, cut).feed("/rss/cs.CL", ["cs.CL"])

    batches = await bench.fetch(NOW)

    assert not batches[0].complete
    assert ids(made) == set(papers(batches))


async def test_a_stale_batch_is_not_taken_for_nothing_new(settled: Bench) -> None:
    """cs.AI on 2026-08-12: the items of the day before, under a fresh lastBuildDate."""
    settled.server.day = NOW.date()
    settled.server.faults.append(Fault(yesterdays_feed, at("/rss"), times=None))

    batches = await settled.fetch()

    assert not batches[0].complete
    assert on("2026-04-28", TODAY_S) == papers(batches)  # the search has them


def redated(server: SourceServer, channel_only: bool) -> bytes:
    """Yesterday's list with today's date on it."""
    body = server.feed("/rss/cs.CL", ["cs.CL"], day=date(2026, 4, 27))
    yesterday, today = b"Mon, 27 Apr 2026 00:00:00 -0400", b"Tue, 28 Apr 2026 00:00:00 -0400"
    return body.replace(yesterday, today, 1 if channel_only else -1)


@pytest.mark.parametrize("channel_only", [True, False])
async def test_a_stale_batch_under_todays_date_is_noticed(
    settled: Bench, caplog: pytest.LogCaptureFixture, channel_only: bool
) -> None:
    settled.server.files["/rss/cs.CL"] = redated(settled.server, channel_only)
    settled.server.faults.append(Fault(status(503), at("/api"), times=None))

    batches = await settled.fetch()

    assert [batch.complete for batch in batches] == [False]
    assert papers(batches) == {}  # none of Monday's papers becomes one of Tuesday's
    assert "repeats an earlier batch" in caplog.text

    del settled.server.files["/rss/cs.CL"]
    settled.server.faults.clear()
    settled.time.now += timedelta(minutes=30)

    assert on("2026-04-28", TODAY_S) == papers(await settled.fetch())


async def test_a_first_feed_with_older_items_is_stale(bench: Bench) -> None:
    """Nothing is known yet that it could be compared with."""
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    bench.server.files["/rss/cs.CL"] = redated(bench.server, channel_only=True)

    batches = await bench.fetch(NOW)

    assert not batches[0].complete
    assert on("2026-04-28", TODAY_S) == papers(batches)


async def test_a_stale_feed_is_known_by_the_ids_of_another_category(settled: Bench) -> None:
    """Ids only grow: Tuesday's new papers stand above all of Monday's."""
    settled.wanted = {"cs.CL", "cs.AI"}
    monday_s = [replace_row(YESTERDAY_S[0], id="2604.84000", categories=["cs.AI"])]
    settled.server.rows = [*settled.server.rows, *monday_s]
    body = settled.server.feed("/rss/cs.AI", ["cs.AI"], day=date(2026, 4, 27))
    settled.server.files["/rss/cs.AI"] = body.replace(b"Mon, 27 Apr", b"Tue, 28 Apr")

    records = records_of(await settled.fetch())

    days = {r.listed_on for r in records if r.paper.id == "arxiv:2604.84000"}
    assert days == {date(2026, 4, 27)}  # by the search


async def test_a_feed_of_cross_lists_alone_is_known_by_its_entries(bench: Bench) -> None:
    """They may be of any age: their ids tell nothing."""
    bench.wanted = {"cs.LG"}
    bench.server.rows = rows("2026-04-27", 3, "cs.CL", "cs.LG")
    bench.time.now = YESTERDAY
    await bench.fetch(YESTERDAY)
    bench.time.now = NOW
    body = bench.server.feed("/rss/cs.LG", ["cs.LG"], day=date(2026, 4, 27))
    bench.server.files["/rss/cs.LG"] = body.replace(b"Mon, 27 Apr", b"Tue, 28 Apr")

    batches = await bench.fetch(NOW)

    assert not batches[0].complete
    assert papers(batches) == {}


async def test_the_validators_of_a_stale_batch_are_not_kept(settled: Bench) -> None:
    settled.server.files["/rss/cs.CL"] = redated(settled.server, channel_only=False)
    await settled.fetch()
    settled.server.seen.clear()

    await settled.fetch()

    assert settled.server.seen[0].status == 200  # not 304: it is read again


async def test_an_unchanged_feed_of_yesterday_is_late(settled: Bench) -> None:
    settled.server.rows = [*FRIDAY_S, *YESTERDAY_S]

    batches = await settled.fetch()

    assert settled.server.seen[0].status == 304
    assert not batches[0].complete


async def test_a_feed_of_the_future_is_refused(bench: Bench) -> None:
    bench.server.rows = TODAY_S
    bench.server.day = date(2026, 5, 4)

    batches = await bench.fetch(NOW)

    assert bench.error is not None
    assert "still to come" in bench.error.message
    assert all(day == date(2026, 4, 28) for day in papers(batches).values())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(web_page(), id="a page for people"),
        pytest.param(sends(b"<rss><channel>"), id="breaks off"),
        pytest.param(sends(b"<feed/>"), id="another kind"),
        pytest.param(sends(b'<?xml version="1.0" encoding="klingon"?><rss/>'), id="charset"),
        pytest.param(sends(b"<rss><channel><title>x</title></channel></rss>"), id="no day"),
        pytest.param(too_many(stall=15), id="rate exceeded"),
        pytest.param(status(503, Retry_After="0"), id="503 with Retry-After 0"),
        pytest.param(resets, id="reset"),
    ],
)
async def test_a_broken_feed_is_a_failure_and_keeps_no_other(
    bench: Bench, fault: Misbehave
) -> None:
    bench.wanted = {"cs.AI", "cs.CL"}
    bench.server.rows = [*TODAY_S, *rows("2026-04-28", 2, "cs.AI")]
    bench.server.faults.append(Fault(fault, at("/rss/cs.AI"), times=None))

    batches = await bench.fetch(NOW)

    assert bench.error is not None
    assert bench.error.message
    assert ids(TODAY_S) <= set(papers(batches))


async def test_a_feed_that_defines_entities_is_refused(bench: Bench) -> None:
    bench.server.rows = TODAY_S
    body = bench.server.feed("/rss/cs.CL", ["cs.CL"])
    body = body.replace(b"<rss ", b'<!DOCTYPE rss [<!ENTITY a "a">]><rss ').replace(b"We ", b"&a;")
    bench.server.faults.append(Fault(sends(body), at("/rss")))

    await bench.fetch(NOW)

    assert bench.error is not None
    assert "no sound XML" in bench.error.message


async def test_rate_exceeded_makes_the_next_request_wait(bench: Bench) -> None:
    bench.wanted = {"cs.AI", "cs.CL"}
    bench.server.rows = TODAY_S
    bench.server.faults.append(Fault(status(503, Retry_After="0"), at("/rss/cs.AI")))

    await bench.fetch(NOW)

    assert bench.server.gaps()[0] >= 15  # not 0, and more than the usual 3


async def test_a_broken_item_costs_itself_alone(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.server.rows = TODAY_S
    body = bench.server.feed("/rss/cs.CL", ["cs.CL"])
    bench.server.files["/rss/cs.CL"] = body.replace(b"<title>Paper 3 of 2026-04-28</title>", b"")

    batches = await bench.fetch(NOW)

    assert ids(TODAY_S) - {"arxiv:2604.90003"} == set(papers(batches))
    assert "2604.90003" in caplog.text


async def test_an_impossible_id_makes_no_later_feed_look_stale(settled: Bench) -> None:
    false = replace_row(TODAY_S[0], id="9912.99999")
    settled.server.rows = [*settled.server.rows, false]
    await settled.fetch()
    wednesday_s = [
        replace_row(row, id=f"2604.{95_000 + n}", first_seen="2026-04-29")
        for n, row in enumerate(TODAY_S)
    ]
    settled.server.rows = wednesday_s
    settled.time.now = NOW + timedelta(days=1)

    batches = await settled.fetch(NOW)

    assert ids(wednesday_s) == set(papers(batches))
    assert all(batch.complete for batch in batches)


async def test_a_header_that_lies_about_the_charset_is_not_heeded(bench: Bench) -> None:
    bench.server.rows = [replace_row(TODAY_S[0], title="Gödel’s λ-calculus")]
    body = bench.server.feed("/rss/cs.CL", ["cs.CL"])
    bench.server.faults.append(Fault(sends(body, "text/html; charset=iso-8859-1"), at("/rss")))

    [batch] = await bench.fetch(NOW)

    assert batch.records[0].paper.title == "Gödel’s λ-calculus"


@needs_payloads
@pytest.mark.parametrize("name", ["cs.AI", "cs.CL", "cs.LG"])
def test_the_recorded_feeds_tell_their_day(name: str) -> None:
    feed = read_feed((PAYLOADS / "arxiv_feed" / f"real_rss_{name}_2026-04-27.xml").read_bytes())

    assert date(2026, 4, 27) == feed.day
    assert [date(2026, 4, 27)] * 3 == [record.listed_on for record in feed.records]
    assert feed.top == max(record.paper.id for record in feed.records)


@needs_payloads
def test_the_days_of_a_served_feed_are_counted_without_its_replacements() -> None:
    feed = read_feed((PAYLOADS / "arxiv_feed" / "server_rss_cs.CL_2026-06-30.xml").read_bytes())

    assert len(feed.records) < feed.total == feed.rows["cs.CL"]


# What the feed missed (§2)


async def test_missed_days_are_caught_up_by_the_search(bench: Bench) -> None:
    bench.server.rows = [*rows("2026-04-23", 5), *FRIDAY_S, *YESTERDAY_S, *TODAY_S]

    batches = await bench.fetch(datetime(2026, 4, 23, 12, tzinfo=UTC))

    expected = on("2026-04-23", rows("2026-04-23", 5)) | on("2026-04-24", FRIDAY_S)
    expected |= on("2026-04-27", YESTERDAY_S) | on("2026-04-28", TODAY_S)
    assert expected == papers(batches)
    [asked] = bench.asked("/api")
    assert asked["search_query"] == "cat:cs.CL AND submittedDate:[202604130000 TO 202604242359]"
    assert (asked["sortBy"], asked["sortOrder"]) == ("submittedDate", "descending")


async def test_the_overlap_brings_nothing_of_earlier_days(bench: Bench) -> None:
    """Nor does it count: a first fetch would else bring a week, and pass the day's limit."""
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S, *TODAY_S]

    assert ids([*YESTERDAY_S, *TODAY_S]) == set(papers(await bench.fetch()))


async def test_a_day_between_that_a_feed_told_does_not_come_again(settled: Bench) -> None:
    """Its papers are known, and the feed's day is the true one."""
    settled.server.faults.append(Fault(web_page(), at("/rss")))

    found = papers(await settled.fetch(datetime(2026, 4, 24, 12, tzinfo=UTC)))

    assert on("2026-04-24", FRIDAY_S) | on("2026-04-28", TODAY_S) == found


async def test_the_search_agrees_with_the_feed_on_the_day(bench: Bench) -> None:
    """The same papers, first by one way, then by the other."""
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S, *TODAY_S]
    by_search = papers(await bench.fetch(datetime(2026, 4, 24, 12, tzinfo=UTC)))

    by_feed: dict[str, date | None] = {}
    for day in ("2026-04-24", "2026-04-27", "2026-04-28"):
        bench.server.day = date.fromisoformat(day)
        body = bench.server.feed("/rss/cs.CL", ["cs.CL"])
        by_feed |= {r.paper.id: r.listed_on for r in read_feed(body).records}

    assert by_feed == by_search


@pytest.mark.skipif(not DATA.exists(), reason="the archive of spring 2026 is absent")
async def test_a_real_week_is_caught_up_on_the_days_it_was_listed(bench: Bench) -> None:
    """Real ids, listings and categories; times of submission spread over the true windows."""
    with gzip.open(DATA / "arxiv_week_2026-06-22.jsonl.gz", "rt", encoding="utf-8") as file:
        week = [row for row in map(json.loads, file) if "cs.CL" in row["categories"]]
    week = sorted((row for row in week if row["id"] >= "2606.2"), key=lambda row: str(row["id"]))
    for n, row in enumerate(week):
        closing = date.fromisoformat(row["first_seen"]) - timedelta(days=1)
        opened = datetime.combine(closing, datetime.min.time(), NEW_YORK)
        row["published"] = (opened + timedelta(hours=1, seconds=n)).astimezone(UTC).isoformat()
    bench.server.rows = week
    bench.time.now = datetime(2026, 6, 27, 12, tzinfo=UTC)

    found = papers(await bench.fetch(datetime(2026, 6, 22, 12, tzinfo=UTC)))

    assert len(week) > 100
    assert {f"arxiv:{r['id']}": date.fromisoformat(r["first_seen"]) for r in week} == found


async def test_a_settled_day_asks_the_search_nothing(settled: Bench) -> None:
    batches = await settled.fetch()

    assert on("2026-04-28", TODAY_S) == papers(batches)
    assert settled.asked("/api") == []


async def test_a_day_that_stayed_untold_is_owed_whatever_since_says(settled: Bench) -> None:
    """All of Tuesday the feed is late and the search is down; on Wednesday both are well."""
    settled.server.rows = [*FRIDAY_S, *YESTERDAY_S]
    settled.server.faults.append(Fault(no_results, at("/api"), times=None))
    await settled.fetch()
    settled.server.faults.clear()
    settled.server.rows = [*settled.server.rows, *TODAY_S]
    settled.server.day = date(2026, 4, 29)
    settled.time.now = NOW + timedelta(days=1)

    batches = await settled.fetch(settled.time.now - timedelta(minutes=30))

    assert on("2026-04-28", TODAY_S) == papers(batches)


async def test_a_moderated_paper_in_the_feed_is_listed_on_its_day(settled: Bench) -> None:
    held = replace_row(TODAY_S[0], id="2604.89950", published="2026-04-16T10:00:00Z")
    settled.server.rows = [*settled.server.rows, held]

    found = papers(await settled.fetch())

    assert date(2026, 4, 28) == found["arxiv:2604.89950"]


async def test_a_moderated_paper_of_a_missed_day_is_found_by_the_overlap(bench: Bench) -> None:
    """Submitted a week before, announced on a day without a fetch."""
    held = replace_row(YESTERDAY_S[0], id="2604.84950", published="2026-04-18T10:00:00Z")
    bench.time.now = datetime(2026, 4, 24, 12, tzinfo=UTC)
    bench.server.rows = FRIDAY_S
    await bench.fetch(bench.time.now)
    bench.time.now = NOW
    bench.server.rows = [*FRIDAY_S, held, *YESTERDAY_S, *TODAY_S]

    found = papers(await bench.fetch(datetime(2026, 4, 24, 12, 30, tzinfo=UTC)))

    assert date(2026, 4, 27) == found["arxiv:2604.84950"]
    assert ids([held, *YESTERDAY_S, *TODAY_S]) == set(found)  # and nothing of Friday again


async def test_the_same_gap_is_not_asked_for_again_at_once(bench: Bench) -> None:
    """Results change once a day: the same query more often brings nothing."""
    bench.server.rows = YESTERDAY_S  # the feed is late today, and so is the search
    await bench.fetch()
    first = len(bench.asked("/api"))

    for _ in range(4):
        bench.time.now += timedelta(minutes=30)
        await bench.fetch()

    assert first == 1
    assert len(bench.asked("/api")) == 1

    bench.time.now += timedelta(hours=6)
    await bench.fetch()

    assert len(bench.asked("/api")) == 2


async def test_a_search_without_todays_papers_is_not_read_to_its_end(settled: Bench) -> None:
    """Shortly after midnight neither feed nor search have them: one page tells."""
    settled.server.rows = rows("2026-04-27", 900)

    await settled.fetch()

    assert len(settled.asked("/api")) == 1

    settled.server.rows = [*settled.server.rows, *TODAY_S]
    settled.time.now += timedelta(minutes=30)

    assert ids(TODAY_S) <= set(papers(await settled.fetch()))


async def test_a_slice_is_paged_in_two_hundreds(bench: Bench) -> None:
    made = rows("2026-04-27", 450)
    bench.server.rows = [*made, *TODAY_S]

    found = papers(await bench.fetch())

    assert ids([*made, *TODAY_S]) == set(found)
    asked = bench.asked("/api")
    assert [query["start"] for query in asked] == ["0", "200", "400"]
    assert {"200"} == {query["max_results"] for query in asked}


async def test_a_slice_never_goes_beyond_two_thousand(bench: Bench) -> None:
    made = rows("2026-04-27", 2_300)
    bench.server.rows = [*made, *TODAY_S]

    found = papers(await bench.fetch())

    assert ids([*made, *TODAY_S]) == set(found)
    assert max(int(q["start"]) + int(q["max_results"]) for q in bench.asked("/api")) == 2_000


@pytest.mark.parametrize("times", [1, 2])
async def test_a_spurious_empty_page_is_asked_for_again(bench: Bench, times: int) -> None:
    """No entries and a total of 0, at random, on the first page too (arxiv.py#43)."""
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    bench.server.faults.append(Fault(no_results, at("/api"), times=times))

    batches = await bench.fetch()

    assert ids([*YESTERDAY_S, *TODAY_S]) == set(papers(batches))
    assert all(batch.complete for batch in batches)


async def test_empty_pages_without_end_are_given_up(bench: Bench) -> None:
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    bench.server.faults.append(Fault(no_results, at("/api"), times=None))

    batches = await bench.fetch()

    assert len(bench.asked("/api")) == 3
    assert ids(TODAY_S) == set(papers(batches))
    assert not all(batch.complete for batch in batches)

    bench.server.faults.clear()
    bench.time.now += timedelta(hours=6)

    assert on("2026-04-27", YESTERDAY_S) == papers(await bench.fetch())


async def test_pages_that_stay_empty_beyond_a_start_are_gone_round(bench: Bench) -> None:
    """From 300 on, empty pages though the total says otherwise (arxiv.py#175)."""
    made = rows("2026-04-27", 700)
    bench.server.rows = [*made, *TODAY_S]
    bench.server.faults.append(
        Fault(empty_page, lambda request: int(request.query.get("start", 0)) > 300, times=None)
    )

    batches = await bench.fetch()

    assert ids([*made, *TODAY_S]) == set(papers(batches))
    assert all(batch.complete for batch in batches)


async def test_an_old_first_page_is_a_failed_fetch(bench: Bench) -> None:
    """On 2025-11-13 papers of 2020 came as the newest."""
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    bench.server.faults.append(Fault(oldest_first, at("/api")))

    batches = await bench.fetch()

    assert bench.error is not None
    assert "other dates" in bench.error.message
    assert ids(TODAY_S) == set(papers(batches))  # the feed's papers are safe


async def test_a_wrong_order_is_a_failed_fetch(bench: Bench) -> None:
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]

    async def ascending(server: SourceServer, request: web.Request) -> web.Response:
        return server.search_page(YESTERDAY_S, total=len(YESTERDAY_S))

    bench.server.faults.append(Fault(ascending, at("/api")))

    await bench.fetch()

    assert bench.error is not None
    assert "newest papers first" in bench.error.message


@pytest.mark.parametrize("code", [200, 400])
async def test_an_error_entry_is_no_paper(bench: Bench, code: int) -> None:
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    bench.server.faults.append(Fault(errs(code), at("/api")))

    batches = await bench.fetch()

    assert bench.error is not None
    assert "incorrect id format" in bench.error.message
    assert ids(TODAY_S) == set(papers(batches))


async def test_what_failed_to_be_caught_up_is_tried_again(bench: Bench) -> None:
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    bench.server.faults.append(Fault(web_page(), at("/api")))
    await bench.fetch()
    assert bench.error is not None

    bench.time.now += timedelta(minutes=30)

    assert on("2026-04-27", YESTERDAY_S) == papers(await bench.fetch())


async def test_a_new_category_has_its_own_gap(settled: Bench) -> None:
    await settled.fetch()
    settled.wanted = {"cs.CL", "hep-lat"}
    lattice = [*rows("2026-04-27", 2, "hep-lat"), *rows("2026-04-28", 2, "hep-lat")]
    settled.server.rows = [*settled.server.rows, *lattice]

    found = papers(await settled.fetch())

    assert ids(lattice) <= set(found)
    assert [q["search_query"].partition(" ")[0] for q in settled.asked("/api")] == ["cat:hep-lat"]


async def test_state_that_cannot_be_read_costs_one_more_request(
    settled: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    settled.health = replace(settled.health, state='{"feeds": []')

    assert on("2026-04-28", TODAY_S).items() <= papers(await settled.fetch()).items()
    assert "cannot be read" in caplog.text


@needs_payloads
@pytest.mark.parametrize(
    ("name", "count", "total"),
    [
        ("new_2026_ai-weekly-radar_feed.xml", 50, 386_601),
        ("new_2026-06_transformer_5entries.xml", 5, 28_946),
        ("old_2025-10_cs.RO_2entries.xml", 2, None),
        ("old_2020_findpapers_search.xml", 20, 21),
        ("old_2025-10_empty.xml", 0, 0),
    ],
)
def test_both_shapes_of_answers_are_read(name: str, count: int, total: int | None) -> None:
    page = read_search((PAYLOADS / "arxiv_api" / name).read_bytes())

    assert count == page.count == len(page.records)
    assert total is None or total == page.total


@needs_payloads
def test_recorded_results_by_submission_are_in_the_order_we_demand() -> None:
    page = read_search((PAYLOADS / "arxiv_api" / "new_2026_ai-weekly-radar_feed.xml").read_bytes())
    moments = [record.paper.published for record in page.records if record.paper.published]

    assert sorted(moments, reverse=True) == moments
    assert len(moments) == 50


# No more than a day can hold (§12 of the design)


async def test_more_papers_than_a_real_day_has_are_held(bench: Bench) -> None:
    """Four categories of 1,500 each: 5,000 come in, the rest the next day."""
    bench.wanted = {"cs.AI", "cs.CL", "cs.CV", "cs.LG"}
    made: list[Row] = []
    for n, name in enumerate(sorted(bench.wanted)):
        made += [
            replace_row(row, id=f"2604.{20_000 + 2_000 * n + i:05}")
            for i, row in enumerate(rows("2026-04-28", 1_500, name))
        ]
    bench.server.rows = made

    first = papers(await bench.fetch(NOW))

    assert len(first) == PAPERS_A_DAY
    assert bench.error is not None
    assert "5,000 papers today" in bench.error.message
    assert bench.error.retry_after == pytest.approx(12 * 3600, abs=60)

    bench.server.seen.clear()
    bench.time.now += timedelta(minutes=30)
    later = await bench.fetch(NOW)
    held_again = bench.error
    asked = len(bench.server.seen)
    bench.time.now = NOW + timedelta(hours=13)
    second = papers(await bench.fetch(NOW))

    assert later == []
    assert asked == 0
    assert held_again is not None

    assert ids(made) == set(first) | set(second)


async def test_a_paper_of_several_feeds_counts_once(bench: Bench) -> None:
    bench.wanted = {"cs.AI", "cs.CL", "cs.CV", "cs.LG"}
    bench.server.rows = rows("2026-04-28", 1_400, *sorted(bench.wanted))

    await bench.fetch(NOW)

    assert bench.error is None


async def test_a_long_gap_is_caught_up_over_several_days(bench: Bench) -> None:
    """The newest first; what a day cannot take is not lost."""
    made: list[Row] = []
    for n, day in enumerate(sorted(SUBMITTED)):
        made += [
            replace_row(row, id=f"2604.{10_000 + 1_500 * n + i:05}")
            for i, row in enumerate(rows(day, 1_100))
        ]
    bench.server.rows = made

    since = datetime(2026, 4, 20, 12, tzinfo=UTC)
    first = papers(await bench.fetch(since))
    held = bench.error
    bench.time.now = NOW + timedelta(hours=13)
    second = papers(await bench.fetch(since))

    assert len(first) == PAPERS_A_DAY
    assert held is not None
    assert bench.error is None
    assert ids(made) == set(first) | set(second)


# Politeness


async def test_feed_search_and_archive_keep_one_pace(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "cs.LG"}
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]

    await bench.fetch()
    await bench.backfill(date(2026, 4, 27))
    await bench.source().search(parse("paper"), 10)

    kinds = {path.split("/")[1] for path in bench.server.paths}
    assert kinds == {"rss", "api", "oai"}
    assert min(bench.server.gaps()) >= 3
    assert bench.server.most_open == 1


# The archive (§4)


async def test_a_backfill_goes_through_all_pages_of_all_sets(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "hep-lat"}
    bench.server.oai_page = 5
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S, *rows("2026-04-28", 3, "hep-lat")]

    batches = await bench.backfill(date(2026, 4, 24))

    assert ids(bench.server.rows) == set(papers(batches))
    fresh = [query for query in bench.asked("/oai") if "resumptionToken" not in query]
    assert [(query["metadataPrefix"], query["set"], query["from"]) for query in fresh] == [
        ("arXiv", "cs:cs:CL", "2026-04-24"),
        ("arXiv", "physics:hep-lat", "2026-04-24"),
    ]
    assert all("until" not in query for query in fresh)
    assert batches[0].announced == date(2026, 4, 24)


async def test_backfilled_papers_are_listed_when_arxiv_listed_them(bench: Bench) -> None:
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S]

    found = papers(await bench.backfill(date(2026, 4, 20)))

    assert on("2026-04-24", FRIDAY_S) | on("2026-04-27", YESTERDAY_S) == found


async def test_a_held_paper_is_backfilled_on_the_day_of_its_announcement(bench: Bench) -> None:
    """The datestamp of a record that nobody changed since."""
    bench.server.rows = [replace_row(YESTERDAY_S[0], published="2026-04-21T10:00:00Z")]

    found = papers(await bench.backfill(date(2026, 4, 20)))

    assert on("2026-04-27", YESTERDAY_S[:1]) == found


async def test_a_datestamp_is_not_a_submission(bench: Bench) -> None:
    """An old paper whose metadata changed is harvested, and is not of these months."""
    old = replace_row(YESTERDAY_S[0], id="1108.00042", published="2011-08-01T10:00:00Z")
    bench.server.rows = [old, *YESTERDAY_S[1:]]

    assert ids(YESTERDAY_S[1:]) == set(papers(await bench.backfill(date(2026, 4, 20))))


async def test_a_backfill_resumes_where_it_stopped(bench: Bench) -> None:
    bench.server.oai_page = 4
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S]
    first = await bench.backfill(date(2026, 4, 20), pages=2)
    bench.server.seen.clear()

    rest = await bench.backfill(date(2026, 4, 20))

    assert "resumptionToken" in bench.asked("/oai")[0]
    assert not set(papers(first)) & set(papers(rest))
    assert ids(bench.server.rows) == set(papers([*first, *rest]))


async def test_a_set_that_is_done_is_not_harvested_again(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "hep-lat"}
    bench.server.oai_page = 2
    bench.server.rows = [*YESTERDAY_S[:2], *rows("2026-04-28", 3, "hep-lat")]
    await bench.backfill(date(2026, 4, 20), pages=2)  # cs.CL, and the first page of hep-lat
    bench.server.seen.clear()

    await bench.backfill(date(2026, 4, 20))

    assert [sorted(query) for query in bench.asked("/oai")] == [["resumptionToken", "verb"]]


async def test_another_backfill_starts_afresh(bench: Bench) -> None:
    bench.server.oai_page = 4
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S]
    await bench.backfill(date(2026, 4, 20), pages=1)

    found = papers(await bench.backfill(date(2026, 4, 27)))

    assert ids(YESTERDAY_S) == set(found)


async def test_an_expired_token_goes_on_from_the_last_datestamp(bench: Bench) -> None:
    """Tokens die at midnight UTC; what came before is not asked for again."""
    bench.server.oai_page = 10
    bench.server.rows = [*FRIDAY_S, *YESTERDAY_S]
    first = await bench.backfill(date(2026, 4, 20), pages=1)
    bench.server.faults.append(Fault(oai_says("badResumptionToken"), at("/oai")))

    rest = await bench.backfill(date(2026, 4, 20))

    assert bench.error is None
    assert bench.asked("/oai")[-1]["from"] == "2026-04-27"
    assert ids(bench.server.rows) == set(papers([*first, *rest]))


async def test_tokens_that_are_never_good_end_the_backfill(bench: Bench) -> None:
    bench.server.oai_page = 4
    bench.server.rows = YESTERDAY_S
    bench.server.faults.append(
        Fault(oai_says("badResumptionToken"), lambda r: "resumptionToken" in r.query, times=None)
    )

    await bench.backfill(date(2026, 4, 20))

    assert bench.error is not None
    assert len(bench.server.seen) < 10


async def test_no_records_match_means_nothing_new(bench: Bench) -> None:
    bench.server.rows = []

    batches = await bench.backfill(date(2026, 4, 20))

    assert papers(batches) == {}
    assert bench.error is None


async def test_a_set_that_the_archive_does_not_know_costs_no_other(bench: Bench) -> None:
    bench.wanted = {"cs.CL", "adap-org"}
    bench.server.rows = YESTERDAY_S
    bench.server.faults.append(Fault(oai_says("badArgument"), at("/oai")))

    assert ids(YESTERDAY_S) == set(papers(await bench.backfill(date(2026, 4, 20))))


async def test_another_error_of_the_protocol_is_told(bench: Bench) -> None:
    bench.server.faults.append(Fault(oai_says("cannotDisseminateFormat"), at("/oai")))

    await bench.backfill(date(2026, 4, 20))

    assert bench.error is not None
    assert "By order of the test" in bench.error.message


async def test_a_503_stops_a_backfill_until_the_next_try(bench: Bench) -> None:
    bench.server.oai_page = 4
    bench.server.rows = YESTERDAY_S
    first = await bench.backfill(date(2026, 4, 20), pages=1)
    bench.server.faults.append(Fault(status(503, Retry_After="0"), at("/oai")))

    assert await bench.backfill(date(2026, 4, 20)) == []
    assert bench.error is not None
    rest = await bench.backfill(date(2026, 4, 20))

    assert ids(YESTERDAY_S) == set(papers([*first, *rest]))


async def test_fetches_between_do_not_disturb_a_backfill(bench: Bench) -> None:
    bench.server.oai_page = 4
    bench.server.rows = [*YESTERDAY_S, *TODAY_S]
    first = await bench.backfill(date(2026, 4, 20), pages=2)
    await bench.fetch()
    bench.server.seen.clear()

    rest = await bench.backfill(date(2026, 4, 20))

    assert "resumptionToken" in bench.asked("/oai")[0]
    assert ids(bench.server.rows) == set(papers([*first, *rest]))


@needs_payloads
def test_the_recorded_token_is_read_and_sent_as_it_is() -> None:
    page = read_harvest(
        (PAYLOADS / "arxiv_oai" / "server_ListRecords_arXiv_page1_http200.xml").read_bytes()
    )

    assert unquote(page.token) == "verb=ListRecords&metadataPrefix=arXiv&from=2011-02-03&skip=24"
    assert len(page.records) == 25


@needs_payloads
async def test_a_token_keeps_its_own_escapes_on_the_way(bench: Bench) -> None:
    body = (PAYLOADS / "arxiv_oai" / "server_ListRecords_arXiv_page1_http200.xml").read_bytes()
    bench.server.faults.append(Fault(sends(body, "text/xml"), at("/oai")))

    await bench.backfill(date(2011, 2, 3))

    assert bench.asked("/oai")[1]["resumptionToken"].startswith("verb%3DListRecords%26")


@needs_payloads
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("server_error_noRecordsMatch_http200.xml", "noRecordsMatch"),
        ("real_error_noRecordsMatch_2015.xml", "noRecordsMatch"),
        ("server_error_badResumptionToken_http200.xml", "badResumptionToken"),
        ("server_error_badArgument_http200.xml", "badArgument"),
    ],
)
def test_errors_of_the_protocol_come_with_status_200(name: str, code: str) -> None:
    page = read_harvest((PAYLOADS / "arxiv_oai" / name).read_bytes())

    assert (code, ()) == (page.error, page.records)
    assert page.why


def test_deleted_records_are_left_out() -> None:
    body = b"""<OAI-PMH><ListRecords><record><header status="deleted">
        <identifier>oai:arXiv.org:2604.00001</identifier><datestamp>2026-04-20</datestamp>
        </header></record></ListRecords></OAI-PMH>"""

    page = read_harvest(body)

    assert (page.records, page.stamp, page.token) == ((), date(2026, 4, 20), "")


@needs_payloads
def test_every_category_has_a_set_that_arxiv_lists() -> None:
    tree = parse_file(PAYLOADS / "arxiv_oai" / "server_ListSets_http200.xml")
    sets = {element.text for element in tree.iter() if element.tag.endswith("setSpec")}
    # closed before the sets were made; their papers carry later names, too
    closed = {"acc-phys", "adap-org", "alg-geom", "ao-sci", "atom-ph", "bayes-an", "chao-dyn",
              "chem-ph", "cmp-lg", "comp-gas", "dg-ga", "funct-an", "mtrl-th", "patt-sol",
              "plasm-ph", "q-alg", "solv-int", "supr-con"}  # fmt: skip

    assert {name for name in known_categories() if oai_set(name) not in sets} <= closed


# What a person asks for


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("quantum", '(ti:"quantum" OR abs:"quantum")'),
        ("graph networks", '((ti:"graph" OR abs:"graph") AND (ti:"networks" OR abs:"networks"))'),
        ('"reward model"', '(ti:"reward model" OR abs:"reward model")'),
        ("title:survey", 'ti:"survey"'),
        ("abs:benchmark", 'abs:"benchmark"'),
        ("reward*", "(ti:reward* OR abs:reward*)"),
        ("title:fine-tuning", '(ti:"fine tuning" OR ti:"finetuning")'),
        ("title:RAG|title:retrieval", '(ti:"RAG" OR ti:"retrieval")'),
        ("title:a -abs:b", 'ti:"a" ANDNOT abs:"b"'),
        ("title:a -abs:b|abs:c", 'ti:"a" ANDNOT abs:"b" ANDNOT abs:"c"'),
        ("cat:cs.CL", "cat:cs.CL"),
        ("cat:cs title:a", 'cat:cs.* AND ti:"a"'),
        ("cat:hep-lat", "cat:hep-lat"),
        ('author:"Yejin Choi"', '(au:"Yejin" AND au:"Choi")'),
        ('author:"Y. Choi"', 'au:"Choi"'),
        ('author:"Choi, Yejin"', '(au:"Yejin" AND au:"Choi")'),
        ("author:Choi", 'au:"Choi"'),
        ("title:the title:wild", 'ti:"the" AND ti:"wild"'),
        ("title:a -org:Google", 'ti:"a"'),  # looked at again by the caller
        ("title:a org:Google", 'ti:"a"'),
        ("title:a|org:Google", ""),  # else what org: alone would find is lost
        ("org:Google", ""),
        ("-survey", ""),
    ],
)
def test_a_query_in_arxivs_words(typed: str, asked: str) -> None:
    assert (asked, "") == api_query(parse(typed))


def test_ids_are_asked_for_by_list() -> None:
    assert api_query(parse("id:2508.13426|id:math/0309136")) == ("", "2508.13426,math/0309136")
    assert api_query(parse("id:2508.13426 title:a")) == ('ti:"a"', "2508.13426")


@given(st.text(max_size=60))
def test_no_typing_makes_a_query_that_arxiv_rejects(typed: str) -> None:
    """Since 2025-11 unbalanced parentheses and bare words are errors, or are rewritten."""
    try:
        query = parse(typed)
    except UserError:
        return
    asked, _ = api_query(query)

    assert asked.count("(") == asked.count(")")
    assert asked.count('"') % 2 == 0
    bare = [word.lstrip("(") for word in asked.split('"')[0::2] for word in word.split()]
    assert all(word.rstrip(")") in ("", "AND", "OR", "ANDNOT") or ":" in word for word in bare)


async def test_a_search_brings_papers_best_first(bench: Bench) -> None:
    bench.server.rows = [*YESTERDAY_S, replace_row(TODAY_S[0], title="Owls at night")]

    found = await bench.source().search(parse("owls"), 10)

    assert [paper.title for paper in found] == ["Owls at night"]
    [asked] = bench.asked("/api")
    assert (asked["sortBy"], asked["max_results"]) == ("relevance", "10")
    assert "id_list" not in asked


async def test_filters_alone_bring_the_newest(bench: Bench) -> None:
    bench.server.rows = TODAY_S

    found = await bench.source().search(parse("cat:cs.CL"), 3)

    assert [p.id for p in found] == ["arxiv:2604.90011", "arxiv:2604.90010", "arxiv:2604.90009"]


async def test_what_arxiv_cannot_be_asked_is_not_asked(bench: Bench) -> None:
    assert await bench.source().search(parse("org:Google"), 10) == []
    assert bench.server.seen == []


async def test_a_search_that_finds_nothing_asks_once_more(bench: Bench) -> None:
    bench.server.rows = TODAY_S
    bench.server.faults.append(Fault(no_results, at("/api")))

    assert len(await bench.source().search(parse("paper"), 20)) == 12
    assert await bench.source().search(parse("zebra"), 20) == []
    assert len(bench.server.seen) == 4


@pytest.mark.parametrize("old", ["math/0309136", "quant-ph/0201082"])
async def test_a_paper_is_looked_up_by_its_id_old_or_new(bench: Bench, old: str) -> None:
    bench.server.rows = [replace_row(TODAY_S[0], id=old), TODAY_S[1]]

    by_old = await bench.source().lookup(f"arxiv:{old}")
    by_new = await bench.source().lookup("arxiv:2604.90001")

    assert by_old is not None
    assert by_new is not None
    assert (f"arxiv:{old}", "Paper 1 of 2026-04-28") == (by_old.id, by_new.title)
    assert [old, "2604.90001"] == [query["id_list"] for query in bench.asked("/api")]


async def test_an_id_that_arxiv_does_not_have_is_none(bench: Bench) -> None:
    assert await bench.source().lookup("arxiv:0000.00000") is None
    assert await bench.source().lookup("doi:10.1000/xyz") is None


async def test_an_id_that_arxiv_cannot_read_is_none(bench: Bench) -> None:
    bench.server.faults.append(Fault(errs(400), at("/api")))

    assert await bench.source().lookup("arxiv:2604.90000") is None


async def test_trouble_during_a_look_up_is_told(bench: Bench) -> None:
    bench.server.faults.append(Fault(status(503), at("/api")))

    with pytest.raises(SourceUnavailable, match="503"):
        await bench.source().lookup("arxiv:2604.90000")


@needs_payloads
async def test_a_paper_titled_0_has_a_title(bench: Bench) -> None:
    [file] = (PAYLOADS / "arxiv_api").glob("new_2026_id_2104.12255v1_*.xml")
    bench.server.files["/api/query"] = file.read_bytes()

    paper = await bench.source().lookup("arxiv:2104.12255")

    assert paper is not None
    assert paper.title == "0"


@needs_payloads
async def test_the_recorded_error_entry_is_no_paper(bench: Bench) -> None:
    [file] = (PAYLOADS / "arxiv_api").glob("new_2026_id_abc_*.xml")
    bench.server.faults.append(Fault(sends(file.read_bytes(), code=400), at("/api")))

    assert await bench.source().lookup("arxiv:2604.90000") is None


def test_every_day_of_the_year_has_a_next_announcement() -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for n in range(400):
        day = announcement_day(start + timedelta(days=n))

        assert not why_empty(day)
        assert 0 < (day - (start + timedelta(days=n)).date()).days <= 5


def records_of(batches: Sequence[Batch]) -> list[Record]:
    return [record for batch in batches for record in batch.records]


async def test_large_batches_come_in_parts_and_the_last_has_the_state(bench: Bench) -> None:
    bench.server.rows = rows("2026-04-28", 1_200)

    batches = await bench.fetch(NOW)

    assert [len(batch.records) for batch in batches] == [500, 500, 200]
    assert [bool(batch.token) for batch in batches] == [False, False, True]
    assert len(records_of(batches)) == 1_200


async def test_logs_say_nothing_of_a_sound_fetch(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.server.rows = TODAY_S
    await bench.fetch(NOW)

    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
