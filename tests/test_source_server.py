"""The local server says what the real ones say, as far as our own readers can tell."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

import aiohttp
import pytest
from defusedxml.ElementTree import fromstring

from adapters.sources.records import Skipped, atom_entry, daily_paper, oai_record, rss_item
from bot.model import Record
from tests.source_server import Fault, Row, SourceServer, VirtualTime, at, too_many

NOON = datetime(2026, 6, 24, 12, tzinfo=UTC)
ROWS: list[Row] = [
    {
        "id": f"2606.2{n:04}",
        "title": f"Paper {n} of <all> & sundry",
        "abstract": "We say something." if n else "We speak of owls.",
        "authors": ["Ada One", "Bo Two"],
        "categories": ["cs.CL", "cs.LG"] if n % 2 else ["hep-th", "cs.CL"],
        "published": None,
        "first_seen": "2026-06-24" if n < 4 else "2026-06-23",
        "version": 2 if n == 3 else 1,
    }
    for n in range(6)
]
ITEMS: list[Row] = [
    {"paper": {"id": f"2606.1{n:04}", "title": f"Daily {n}", "upvotes": n}} for n in range(60)
]


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer(VirtualTime(NOON), ROWS, days={"2026-06-24": ITEMS}) as server:
        yield server


async def get(server: SourceServer, path: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(server.url + path) as response:
        return response.status, await response.read()


async def tree(server: SourceServer, path: str) -> Element:
    root = fromstring((await get(server, path))[1])
    assert isinstance(root, Element)
    return root


def sound(outcome: Record | Skipped | None) -> Record:
    assert isinstance(outcome, Record)
    return outcome


@pytest.mark.parametrize("kind", ["rss", "atom"])
async def test_a_feed_lists_the_newest_day_in_arxivs_order(server: SourceServer, kind: str) -> None:
    root = await tree(server, f"/{kind}/cs.CL")

    if kind == "rss":
        records = [sound(rss_item(item)) for item in root.iter("item")]
    else:
        records = [sound(atom_entry(e)) for e in root.iter("{http://www.w3.org/2005/Atom}entry")]
    assert [(record.paper.id, str(record.listed_on)) for record in records] == [
        ("arxiv:2606.20001", "2026-06-24"),  # new
        ("arxiv:2606.20000", "2026-06-24"),  # cross
        ("arxiv:2606.20002", "2026-06-24"),
        ("arxiv:2606.20003", "None"),  # a replacement announces nothing
    ]
    assert records[0].paper.title == "Paper 1 of <all> & sundry"


async def test_an_unknown_category_is_a_bad_request(server: SourceServer) -> None:
    status, body = await get(server, "/rss/cs.NOPE")

    assert status == 400
    assert b"Feed error for query" in body


async def test_the_search_knows_ids_categories_words_and_pages(server: SourceServer) -> None:
    async def ids(query: str) -> list[str]:
        root = await tree(server, "/api/query?" + query)
        entries = root.iter("{http://www.w3.org/2005/Atom}entry")
        return [sound(atom_entry(entry)).paper.id[-1] for entry in entries]

    assert await ids("id_list=2606.20002v1") == ["2"]
    assert await ids("search_query=all:owls") == ["0"]
    assert await ids("search_query=cat:cs.LG&sortBy=submittedDate&max_results=3") == ["1", "3", "5"]
    assert await ids("search_query=cat:hep-th&start=1&max_results=5") == ["2", "4"]
    assert await ids("search_query=submittedDate:[202606210000 TO 202606212359]") == ["4", "5"]
    assert (await get(server, "/api/query?id_list=abc"))[0] == 400


@pytest.mark.parametrize("prefix", ["arXiv", "arXivRaw"])
async def test_a_harvest_goes_on_with_its_token(server: SourceServer, prefix: str) -> None:
    server.oai_page = 4
    space = "{http://www.openarchives.org/OAI/2.0/}"

    first = await tree(server, f"/oai?verb=ListRecords&metadataPrefix={prefix}&set=cs:cs:CL")
    token = first.findtext(f".//{space}resumptionToken")
    second = await tree(server, f"/oai?verb=ListRecords&resumptionToken={token}")

    records = [
        sound(oai_record(r)) for page in (first, second) for r in page.iter(space + "record")
    ]
    assert len(ROWS) == len({record.paper.id for record in records})
    assert second.find(f".//{space}resumptionToken") is None
    assert records[0].paper.authors == ("Ada One", "Bo Two")


async def test_daily_papers_are_cut_at_fifty_unless_asked_otherwise(server: SourceServer) -> None:
    async def count(query: str) -> int:
        items = json.loads((await get(server, "/api/daily_papers?" + query))[1])
        return sum(isinstance(daily_paper(item), Record) for item in items)

    assert await count("date=2026-06-24") == 50
    assert await count("date=2026-06-24&limit=100") == 60
    assert await count("date=2026-06-24&limit=40&p=1") == 20
    assert (await get(server, "/api/daily_papers?date=2027-01-01"))[0] == 400


async def test_a_fault_happens_as_often_as_it_says_and_where(server: SourceServer) -> None:
    server.faults.append(Fault(too_many(stall=15), when=at("/rss")))

    answers = [await get(server, path) for path in ("/oai", "/rss/cs.CL", "/rss/cs.CL")]

    assert [status for status, _ in answers] == [200, 429, 200]
    assert answers[1][1] == b"Rate exceeded."
    assert [(seen.end - seen.start).total_seconds() for seen in server.seen] == [0, 15, 0]
