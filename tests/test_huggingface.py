"""Hugging Face's Daily Papers as they are, with every trap that is known of them.

The real source with the real client asks a local server; time is virtual.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.sources.http import PoliteClient
from adapters.sources.huggingface import PAPERS_A_DAY, HuggingFace
from bot.errors import SourceUnavailable
from bot.model import Record
from bot.ports import Batch, Health
from bot.query import parse
from tests.fakes import MemoryLibrary
from tests.source_server import (
    Fault,
    Misbehave,
    Row,
    SourceServer,
    VirtualTime,
    at,
    cut_at_fifty,
    hugging_face_limit,
    read_days,
    resets,
    sends,
    status,
    web_page,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LISTS = DATA / "payloads" / "hf_daily_papers"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the recorded lists are absent")

NOW = datetime(2026, 4, 28, 12, tzinfo=UTC)  # a Tuesday
TODAY, YESTERDAY = date(2026, 4, 28), date(2026, 4, 27)


def items(first: int, count: int, **more: Any) -> list[Row]:
    return [
        {
            "paper": {
                "id": f"2604.{n:05}",
                "title": f"Daily {n}",
                "summary": "We count owls.",
                "authors": [{"name": "Ada One", "hidden": False}],
                "publishedAt": "2026-04-24T00:00:00.000Z",
                "upvotes": n % 100,
                **more,
            },
            "numComments": 2,
        }
        for n in range(first, first + count)
    ]


@dataclass
class Bench:
    """The source at work; what its batches leave is kept, as the fetch loop does it."""

    server: SourceServer
    time: VirtualTime
    client: PoliteClient
    health: Health = field(default_factory=lambda: Health("huggingface"))
    error: SourceUnavailable | None = None
    source: HuggingFace = field(init=False)

    def __post_init__(self) -> None:
        self.source = HuggingFace(self.client, endpoint=self.server.url, clock=self.time)

    async def fetch(self, since: datetime = NOW) -> list[Batch]:
        return await self._all(self.source.fetch(since, self.health))

    async def backfill(self, since: date, *, pages: int | None = None) -> list[Batch]:
        return await self._all(self.source.backfill(since, self.health), pages)

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

    def days(self) -> list[str]:
        """The list days that were asked for."""
        return list(dict.fromkeys(seen.query["date"] for seen in self.server.seen))


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


def records(batches: Sequence[Batch]) -> list[Record]:
    return [record for batch in batches for record in batch.records]


def ids(made: Sequence[Row]) -> set[str]:
    return {f"arxiv:{item['paper']['id']}" for item in made}


def of(batches: Sequence[Batch], day: date) -> set[str]:
    return {record.paper.id for record in records(batches) if record.listed_on == day}


# Which days


async def test_a_fetch_reads_two_weeks_of_working_days(bench: Bench) -> None:
    """Nobody can submit on a weekend: there is no list to ask for."""
    await bench.fetch()

    assert bench.days() == [
        "2026-04-28", "2026-04-27", "2026-04-24", "2026-04-23", "2026-04-22", "2026-04-21",
        "2026-04-20", "2026-04-17", "2026-04-16", "2026-04-15", "2026-04-14",
    ]  # fmt: skip


async def test_a_longer_gap_is_read_to_its_begin(bench: Bench) -> None:
    await bench.fetch(NOW - timedelta(days=20))

    assert bench.days()[-1] == "2026-04-08"


@pytest.mark.parametrize("zone_hours", [14, -11])
async def test_no_day_later_than_today_in_utc_is_asked_for(bench: Bench, zone_hours: int) -> None:
    """It would be a bad request; where the clock of the machine is, does not matter."""
    bench.time.now = datetime(2026, 4, 28, 0, 0, 1, tzinfo=UTC)

    await bench.fetch(bench.time.now + timedelta(hours=zone_hours))

    assert max(bench.days()) == "2026-04-28"
    assert all(seen.status == 200 for seen in bench.server.seen)


async def test_older_lists_are_read_again_for_their_votes_every_six_hours(bench: Bench) -> None:
    bench.server.days = {"2026-04-20": items(0, 3), "2026-04-28": items(10, 3)}
    await bench.fetch()
    bench.server.days["2026-04-20"] = items(0, 3, upvotes=77)
    bench.server.seen.clear()

    bench.time.now += timedelta(minutes=30)
    soon = await bench.fetch()
    days_soon = bench.days()
    bench.time.now += timedelta(hours=6)
    later = await bench.fetch()

    assert days_soon == ["2026-04-28", "2026-04-27"]
    assert of(soon, date(2026, 4, 20)) == set()
    votes = {r.paper.upvotes for r in records(later) if r.listed_on == date(2026, 4, 20)}
    assert votes == {77}


async def test_counts_are_of_today_whatever_day_the_list_is_of(bench: Bench) -> None:
    """Upvotes grow for a week or two: an old list read today tells what they are today."""
    bench.server.days = {"2026-04-20": items(0, 3)}

    found = records(await bench.fetch())

    assert {(record.listed_on, record.observed_on) for record in found} == {
        (date(2026, 4, 20), TODAY)
    }


async def test_later_votes_win_in_the_library(bench: Bench) -> None:
    library = MemoryLibrary()
    bench.server.days = {"2026-04-27": items(0, 1, upvotes=6)}
    await library.add(records(await bench.fetch()), today=TODAY, live=True)
    bench.server.days = {"2026-04-27": items(0, 1, upvotes=41)}
    bench.time.now += timedelta(days=1)
    await library.add(records(await bench.fetch()), today=TODAY + timedelta(days=1), live=True)

    paper = await library.find("arxiv:2604.00000")

    assert paper is not None
    assert (paper.upvotes, paper.listed_on) == (41, YESTERDAY)


async def test_no_votes_are_a_count_too(bench: Bench) -> None:
    """Their own library makes None of 0."""
    bench.server.days = {"2026-04-28": items(0, 1, upvotes=0)}

    [record] = records(await bench.fetch())

    assert record.paper.upvotes == 0


async def test_a_paper_on_two_days_is_one_paper_of_the_first(bench: Bench) -> None:
    """Wrong-day placements occur (autotrain-advanced#909)."""
    library = MemoryLibrary()
    bench.server.days = {"2026-04-27": items(0, 2), "2026-04-28": items(0, 2)}

    batches = await bench.fetch()
    await library.add(records(batches), today=TODAY, live=True)

    assert of(batches, TODAY) == of(batches, YESTERDAY)
    assert await library.count() == 2
    assert {YESTERDAY} == {p.listed_on for p in await library.background(9)}


async def test_a_list_day_is_told_as_announced(bench: Bench) -> None:
    bench.server.days = {"2026-04-27": items(0, 2)}

    batches = await bench.fetch()

    assert [batch.announced for batch in batches if batch.records] == [YESTERDAY]
    assert [batch.announced for batch in batches if not batch.records] == [None] * 10
    assert all(batch.complete for batch in batches)


# Pages


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (30, 1), (51, 1), (99, 1), (100, 2), (101, 2), (230, 3)]
)
async def test_a_day_is_paged_until_a_page_is_short(bench: Bench, count: int, pages: int) -> None:
    """Asked for 100: the default of 50 cuts a busy day."""
    bench.server.days = {"2026-04-28": items(0, count)}

    batches = await bench.fetch()

    assert of(batches, TODAY) == ids(items(0, count))
    asked = [s.query for s in bench.server.seen if s.query["date"] == "2026-04-28"]
    assert [(query["limit"], query["p"]) for query in asked] == [
        ("100", str(page)) for page in range(pages)
    ]
    assert batches[pages - 1].complete


async def test_a_day_that_is_cut_at_fifty_is_noticed(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.server.days = {"2026-04-28": items(0, 80)}
    bench.server.faults.append(Fault(cut_at_fifty, at("/api/daily_papers"), times=None))

    batches = await bench.fetch()

    assert len(of(batches, TODAY)) == 50
    assert not any(batch.complete for batch in batches if of([batch], TODAY))
    assert not batches[1].complete
    assert "2026-04-28 are cut at 50" in caplog.text


async def test_a_list_that_was_cut_is_read_again_at_the_next_fetch(bench: Bench) -> None:
    bench.server.days = {"2026-04-20": items(0, 80)}
    bench.server.faults.append(
        Fault(cut_at_fifty, lambda r: r.query["date"] == "2026-04-20", times=2)
    )
    await bench.fetch()
    bench.time.now += timedelta(minutes=30)

    assert ids(items(0, 80)) == of(await bench.fetch(), date(2026, 4, 20))


async def test_a_smaller_page_than_was_asked_for_is_followed_by_the_next(bench: Bench) -> None:
    bench.server.days = {"2026-04-28": items(0, 120)}

    async def fifties(server: SourceServer, request: web.Request) -> web.Response:
        start = 50 * int(request.query["p"])
        return web.json_response(server.days.get(request.query["date"], [])[start : start + 50])

    bench.server.faults.append(Fault(fifties, at("/api/daily_papers"), times=None))

    batches = await bench.fetch()

    assert of(batches, TODAY) == ids(items(0, 120))
    assert [batch.complete for batch in batches[:3]] == [False, False, True]


async def test_the_same_page_again_and_again_is_no_endless_list(bench: Bench) -> None:
    async def deaf(server: SourceServer, request: web.Request) -> web.Response:
        return web.json_response(items(0, 100))

    bench.server.faults.append(Fault(deaf, at("/api/daily_papers"), times=None))

    batches = await bench.fetch()

    assert len(bench.server.seen) == 22
    assert not any(batch.complete for batch in batches)


async def test_more_papers_than_two_weeks_have_are_held(bench: Bench) -> None:
    async def flood(server: SourceServer, request: web.Request) -> web.Response:
        return web.json_response(items(100 * int(request.query["p"]), 100))

    bench.server.faults.append(Fault(flood, at("/api/daily_papers"), times=None))

    found = records(await bench.fetch())

    assert bench.error is not None
    assert "5,000" in bench.error.message
    assert PAPERS_A_DAY <= len({record.paper.id for record in found}) <= PAPERS_A_DAY + 100


# What goes wrong


async def test_a_broken_item_never_costs_the_page(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[Any] = [None, "text", {"paper": {"id": "2604.99999"}}, {"paper": {"title": "?"}}]
    bench.server.days = {"2026-04-28": [*broken, *items(0, 3)]}

    batches = await bench.fetch()

    assert of(batches, TODAY) == ids(items(0, 3))
    assert "left out 2604.99999: it has no title" in caplog.text
    assert bench.error is None


@needs_data
async def test_a_list_of_broken_items_is_told_briefly(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.server.days = {
        "2026-04-28": json.loads((LISTS / "BROKEN_reprs_2024-12-11.json").read_text("utf-8"))
    }

    batches = await bench.fetch()

    assert records(batches) == []
    assert len(caplog.records) == 6
    assert "items in all" in caplog.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(web_page(), "a web page instead of data", id="a page for people"),
        pytest.param(sends(b"[{", "application/json"), "no sound JSON", id="breaks off"),
        pytest.param(sends(b"\xff\xfe[]", "application/json"), "no sound JSON", id="encoding"),
        pytest.param(sends(b"[" * 100_000, "application/json"), "no sound JSON", id="depth"),
        pytest.param(sends(b'{"error": "x"}', "application/json"), "than a list", id="an object"),
        pytest.param(status(400, '{"error": "Invalid date"}'), "400", id="bad request"),
        pytest.param(status(500), "trouble of its own", id="500"),
        pytest.param(resets, "without an answer", id="reset"),
    ],
)
async def test_a_failure_is_told_in_plain_words(bench: Bench, fault: Misbehave, said: str) -> None:
    bench.server.days = {"2026-04-28": items(0, 3), "2026-04-24": items(5, 3)}
    bench.server.faults.append(Fault(fault, lambda r: r.query["date"] == "2026-04-24", times=None))

    batches = await bench.fetch()

    assert bench.error is not None
    assert said in bench.error.message
    assert of(batches, TODAY) == ids(items(0, 3))  # what came before is kept


async def test_what_failed_is_read_at_the_next_fetch(bench: Bench) -> None:
    bench.server.days = {"2026-04-24": items(5, 3)}
    bench.server.faults.append(Fault(web_page(), lambda r: r.query["date"] == "2026-04-24"))
    await bench.fetch()
    bench.time.now += timedelta(minutes=30)
    bench.server.seen.clear()

    batches = await bench.fetch()

    assert of(batches, date(2026, 4, 24)) == ids(items(5, 3))
    assert bench.days()[:3] == ["2026-04-28", "2026-04-27", "2026-04-24"]


async def test_a_429_waits_as_long_as_its_headers_say(bench: Bench) -> None:
    bench.server.faults.append(Fault(hugging_face_limit(200), at("/api/daily_papers")))

    await bench.fetch()

    assert bench.error is not None
    assert bench.error.retry_after is not None
    assert bench.error.retry_after >= 200
    assert len(bench.server.seen) == 1


async def test_the_last_allowed_answer_is_taken_and_no_more_are_asked(bench: Bench) -> None:
    bench.server.days = {"2026-04-28": items(0, 3)}

    async def last(server: SourceServer, request: web.Request) -> web.Response:
        headers = {"RateLimit": '"api";r=0;t=90', "RateLimit-Policy": '"api";q=500;w=300'}
        return web.json_response(server.days["2026-04-28"], headers=headers)

    bench.server.faults.append(Fault(last, at("/api/daily_papers")))

    batches = await bench.fetch()

    assert of(batches, TODAY) == ids(items(0, 3))
    assert bench.error is not None
    assert "as often as it allows" in bench.error.message
    assert bench.error.retry_after == pytest.approx(90)
    assert len(bench.server.seen) == 1

    bench.time.now += timedelta(seconds=91)

    assert len(await bench.fetch()) == 11


async def test_state_that_cannot_be_read_costs_requests_alone(bench: Bench) -> None:
    bench.health = replace(bench.health, state="[]")

    await bench.fetch()

    assert len(bench.days()) == 11
    assert bench.error is None


async def test_requests_keep_their_distance(bench: Bench) -> None:
    bench.server.days = {"2026-04-28": items(0, 230)}

    await bench.fetch()

    assert min(bench.server.gaps()) >= 3
    assert bench.server.most_open == 1


# What was recorded


@needs_data
@pytest.mark.parametrize("name", sorted(path.name for path in LISTS.glob("real_date_*.json")))
async def test_every_recorded_form_since_2024_is_read(bench: Bench, name: str) -> None:
    """All that came later (summaries, stars, organisations) is optional."""
    recorded = json.loads((LISTS / name).read_text("utf-8"))
    day = name.removeprefix("real_date_").removesuffix(".json")
    bench.server.days = {day: recorded}
    bench.time.now = datetime.fromisoformat(f"{day}T12:00:00Z")

    batches = await bench.fetch(bench.time.now)

    assert len(recorded) == len(of(batches, date.fromisoformat(day)))
    assert all("\n" not in record.paper.title for record in records(batches))


@needs_data
async def test_a_real_spring_is_backfilled(bench: Bench) -> None:
    bench.server.days = read_days(DATA / "hf_daily_papers_raw_2026_spring.jsonl.gz")
    bench.time.now = datetime(2026, 6, 30, 12, tzinfo=UTC)

    batches = await bench.backfill(date(2026, 3, 1))

    assert bench.error is None
    assert sum(map(len, bench.server.days.values())) == len(records(batches))
    assert {date.fromisoformat(day) for day, made in bench.server.days.items() if made} == {
        record.listed_on for record in records(batches)
    }


# Months


async def test_a_backfill_reads_each_list_once_oldest_first(bench: Bench) -> None:
    bench.server.days = {"2026-04-20": items(0, 3), "2026-04-28": items(5, 2)}

    batches = await bench.backfill(date(2026, 4, 18))

    assert bench.days() == [f"2026-04-{day}" for day in (20, 21, 22, 23, 24, 27, 28)]
    assert len(records(batches)) == 5


async def test_a_backfill_resumes_after_the_last_whole_day(bench: Bench) -> None:
    bench.server.days = {"2026-04-21": items(0, 230), "2026-04-22": items(300, 2)}
    first = await bench.backfill(date(2026, 4, 20), pages=3)  # a day and two pages
    bench.server.seen.clear()

    rest = await bench.backfill(date(2026, 4, 20))

    assert bench.days()[0] == "2026-04-21"
    assert ids([*items(0, 230), *items(300, 2)]) == {r.paper.id for r in records([*first, *rest])}


async def test_another_backfill_starts_afresh(bench: Bench) -> None:
    await bench.backfill(date(2026, 4, 20), pages=3)
    bench.server.seen.clear()

    await bench.backfill(date(2026, 4, 17))

    assert bench.days()[0] == "2026-04-17"


# What a person asks for


async def test_a_search_asks_for_the_words(bench: Bench) -> None:
    bench.server.days = {"2026-04-28": [*items(0, 3), *items(7, 1, title="Zebras")]}

    found = await bench.source.search(parse('"zebras" -survey cat:cs.CL'), 10)

    assert [paper.title for paper in found] == ["Zebras"]
    assert bench.server.seen[0].query == {"q": "zebras", "limit": "10"}


async def test_a_search_is_cut_to_what_it_takes(bench: Bench) -> None:
    """At most 250 characters, and 1 to 120 results."""
    words = (
        " ".join(f'"{f"keyword{n} " * 8}"'.replace(' "', '"') for n in range(3)) + " " + "x" * 45
    )

    await bench.source.search(parse(words), 500)

    [seen] = bench.server.seen
    assert 200 < len(seen.query["q"]) <= 250
    assert seen.query["q"].split()[-1] in words.replace('"', "").split()
    assert seen.query["limit"] == "120"


async def test_a_search_by_author_alone_looks_for_the_name(bench: Bench) -> None:
    bench.server.days = {"2026-04-28": items(0, 2)}

    assert len(await bench.source.search(parse('author:"Ada One"'), 10)) == 2
    assert await bench.source.search(parse("cat:cs.CL"), 10) == []
    assert len(bench.server.seen) == 1


async def test_broken_results_of_a_search_are_left_out(bench: Bench) -> None:
    body = json.dumps([{"paper": {}}, *items(0, 2)]).encode()
    bench.server.faults.append(Fault(sends(body, "application/json"), at("/api/papers/search")))

    assert len(await bench.source.search(parse("owls"), 10)) == 2


async def test_a_paper_is_looked_up_by_its_arxiv_id(bench: Bench) -> None:
    bench.server.days = {"2026-04-28": items(0, 3)}

    paper = await bench.source.lookup("arxiv:2604.00002")

    assert paper is not None
    assert (paper.title, paper.upvotes) == ("Daily 2", 2)


@pytest.mark.parametrize(
    ("paper_id", "requests"),
    [("arxiv:2604.77777", 1), ("arxiv:math/0309136", 0), ("doi:10.1000/xyz", 0)],
)
async def test_what_it_does_not_have_is_none(bench: Bench, paper_id: str, requests: int) -> None:
    assert await bench.source.lookup(paper_id) is None
    assert len(bench.server.seen) == requests


async def test_trouble_during_a_look_up_is_told(bench: Bench) -> None:
    bench.server.faults.append(Fault(web_page(), at("/api/papers")))

    with pytest.raises(SourceUnavailable, match="web page"):
        await bench.source.lookup("arxiv:2604.00002")
