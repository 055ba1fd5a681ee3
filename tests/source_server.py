"""A local server that speaks as arXiv's three hosts, Hugging Face and journals do.

It answers from papers handed in, in the form of the dumps' rows, notes every request, and
misbehaves where ``faults`` say so. Addresses: ``url`` + /api/query, /rss/…, /atom/…, /oai,
/api/daily_papers, /api/papers…, /journal/….
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.identity import arxiv_id
from bot.ports import Clock
from bot.query import categories

Row = Mapping[str, Any]
Misbehave = Callable[["SourceServer", web.Request], Awaitable[web.StreamResponse]]

EASTERN = ZoneInfo("America/New_York")
DEFAULT_LIMIT, LARGEST_LIMIT = 50, 100  # of Hugging Face's daily_papers


@dataclass(frozen=True, slots=True)
class Seen:
    """A request; *start* and *end* by the server's clock."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    start: datetime
    end: datetime
    status: int


@dataclass(slots=True)
class Fault:
    """Misbehave at the next *times* requests for which *when* holds; None: at all of them."""

    answer: Misbehave
    when: Callable[[web.Request], bool] = lambda _: True
    times: int | None = 1


class VirtualTime:
    """A clock that moves only by sleeping."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class SourceServer:
    """``async with SourceServer(...) as server``.

    The feeds list the *rows* with ``first_seen`` on *day*; a row may hold ``announce_type`` and
    ``version``, too. *days* are Hugging Face's lists, *journals* feeds by name. *files* are answers
    sent as they are, by path.
    """

    clock: Clock = lambda: datetime.now(UTC)
    rows: Sequence[Row] = ()
    day: date | None = None
    days: dict[str, list[Row]] = field(default_factory=dict)
    journals: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    oai_page: int = 100
    host: str = "127.0.0.1"
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._noting])
        app.router.add_get("/api/query", self._search)
        app.router.add_get("/rss/{categories}", self._feed)
        app.router.add_get("/atom/{categories}", self._feed)
        app.router.add_get("/oai", self._oai)
        app.router.add_get("/api/daily_papers", self._daily_papers)
        app.router.add_get("/api/papers", self._papers)
        app.router.add_get("/api/papers/search", self._search_papers)
        app.router.add_get("/api/papers/{id}", self._paper)
        app.router.add_get("/journal/{name:.*}", self._journal)
        app.router.add_get("/{other:.*}", _not_found)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, 0).start()
        self.url = f"http://{self.host}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]

    def gaps(self) -> list[float]:
        """Seconds from the end of each request to the start of the next."""
        ends, starts = self.seen[:-1], self.seen[1:]
        return [(b.start - a.end).total_seconds() for a, b in zip(ends, starts, strict=True)]

    @web.middleware
    async def _noting(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        start = self.clock()
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        status = 0
        try:
            response = await self._answered(request, handler)
            status = response.status
            return response
        finally:
            self.open_now -= 1
            self.seen.append(
                Seen(
                    request.path,
                    dict(request.query),
                    {name.lower(): value for name, value in request.headers.items()},
                    start,
                    self.clock(),
                    status,
                )
            )

    async def _answered(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        for fault in self.faults:
            if fault.times != 0 and fault.when(request):
                if fault.times is not None:
                    fault.times -= 1
                return await fault.answer(self, request)
        if (file := self.files.get(request.path)) is not None:
            return _conditional(request, file, "application/xml")
        return await handler(request)

    # arXiv's search

    async def _search(self, request: web.Request) -> web.Response:
        query = request.query
        ids = [i for i in query.get("id_list", "").split(",") if i]
        for wrong in (i for i in ids if arxiv_id(i) is None):
            return search_error(self, f"incorrect id format for {wrong}", status=400)
        found = self.found(query.get("search_query", ""), ids)
        if query.get("sortBy") in ("submittedDate", "lastUpdatedDate"):
            found.sort(key=submitted, reverse=query.get("sortOrder") != "ascending")
        start, most = int(query.get("start", 0)), int(query.get("max_results", 10))
        if most > 2_000 or start + most > 30_000:
            return search_error(self, "start + max_results must be at most 30000", status=400)
        return self.search_page(found[start : start + most], total=len(found), start=start)

    def found(self, query: str, ids: Sequence[str] = ()) -> list[Row]:
        """A small part of arXiv's language: any of the categories, the dates, all other words."""
        if ids:
            by_id = {row["id"]: row for row in self.rows}
            bare = (i.rpartition("v")[0] if re.search(r"\dv\d+$", i) else i for i in ids)
            return [by_id[i] for i in bare if i in by_id]
        wanted = set(re.findall(r"cat:([\w.-]+)", query))
        window = re.search(r"submittedDate:\[(\d{12}) TO (\d{12})\]", query)
        words = [
            (quoted or word).lower()
            for quoted, word in re.findall(r'\b(?:all|ti|abs|au):(?:"([^"]*)"|([^\s()"]+))', query)
        ]
        return [
            row
            for row in self.rows
            if (not wanted or wanted & set(row["categories"]))
            and (not window or window[1] <= f"{submitted(row):%Y%m%d%H%M}" <= window[2])
            and all(w in " ".join((row["title"], row["abstract"], *row["authors"])).lower() for w in words)
        ]  # fmt: skip

    def search_page(self, rows: Iterable[Row], *, total: int, start: int = 0) -> web.Response:
        entries = list(map(_atom_of_search, rows))
        text = f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/AmP52hjugHUkFnXxljKh3VmH0bs</id>
  <title>arXiv Query: search_query=&amp;id_list=&amp;start={start}</title>
  <updated>{self.clock():%Y-%m-%dT%H:%M:%SZ}</updated>
  <opensearch:itemsPerPage>{len(entries)}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{"".join(entries)}</feed>
"""
        return web.Response(text=text, content_type="application/atom+xml")

    # arXiv's feeds

    async def _feed(self, request: web.Request) -> web.Response:
        asked = request.match_info["categories"].split("+")
        known = {category.lower(): category for category in categories()}
        unknown = [category for category in asked if category.lower() not in known]
        body = self.feed(
            request.path, [known.get(c.lower(), c) for c in asked], unknown="+".join(unknown)
        )
        status = 400 if unknown else 200
        return _conditional(request, body, "application/xml", status)

    def feed(
        self,
        path: str,
        asked: Sequence[str],
        *,
        day: date | None = None,
        built: datetime | None = None,
        unknown: str = "",
    ) -> bytes:
        """The papers of one day; *built* is when the answer claims to be made."""
        day = (
            day or self.day or max((listed(row) for row in self.rows), default=self.clock().date())
        )
        midnight = datetime.combine(day, time(), EASTERN)
        built = built or midnight.astimezone(UTC) + timedelta(seconds=2)
        name = "+".join(asked)
        rows = [
            (row, _announce_type(row, asked))
            for row in self.rows
            if not unknown and listed(row) == day and set(asked) & set(row["categories"])
        ]
        order = ("new", "cross", "replace", "replace-cross")
        rows.sort(key=lambda each: (order.index(each[1]), each[0]["id"]))
        title = f"{name} updates on arXiv.org"
        if unknown:
            title = f"Feed error for query: http://rss.arxiv.org{path}"
        if path.startswith("/atom/"):
            entries = "".join(_atom_item(row, kind, midnight, built) for row, kind in rows)
            text = f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns="http://www.w3.org/2005/Atom" xml:lang="en-us">
  <id>http://rss.arxiv.org{path}</id>
  <title>{title}</title>
  <updated>{built.isoformat()}</updated>
  <link href="http://rss.arxiv.org{path}" rel="self" type="application/atom+xml"/>
  <subtitle>{name} updates on the arXiv.org e-print archive.</subtitle>
{entries}</feed>
"""
        else:
            items = "".join(_rss_item(row, kind, midnight) for row, kind in rows)
            text = f"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" version="2.0">
  <channel>
    <title>{title}</title>
    <link>http://rss.arxiv.org{path}</link>
    <description>{name} updates on the arXiv.org e-print archive.</description>
    <lastBuildDate>{format_datetime(built)}</lastBuildDate>
    <managingEditor>rss-help@arxiv.org</managingEditor>
    <pubDate>{format_datetime(midnight)}</pubDate>
    <skipDays>
      <day>Sunday</day>
      <day>Saturday</day>
    </skipDays>
{items}  </channel>
</rss>
"""
        return text.encode()

    # arXiv's OAI-PMH

    async def _oai(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if query.get("verb") == "GetRecord":
            bare = query.get("identifier", "").removeprefix("oai:arXiv.org:")
            if not (rows := self.found("", [bare])):
                return oai_error(self, "idDoesNotExist", "No such record.")
            record = _oai_record(rows[0], query.get("metadataPrefix", ""))
            return self.oai_answer(f"<GetRecord>{record}</GetRecord>")
        if query.get("verb") != "ListRecords":
            return oai_error(self, "badVerb", "The verb is illegal.")
        skip = 0
        if token := query.get("resumptionToken"):
            query = dict(part.partition("=")[::2] for part in unquote(token).split("&"))
            if not query.get("skip", "").isdigit():
                return oai_error(
                    self,
                    "badResumptionToken",
                    "The value of the resumptionToken argument is invalid or expired.",
                )
            skip = int(query["skip"])
        prefix = query.get("metadataPrefix", "")
        if prefix not in ("arXiv", "arXivRaw"):
            return oai_error(self, "badArgument", "The request lacks a metadataPrefix.")
        first, last = query.get("from", "0000"), query.get("until", "9999")
        group = query.get("set", "")
        rows = sorted(
            (
                row
                for row in self.rows
                if first <= row["first_seen"] <= last
                and any(s == group or s.startswith(group + ":") or not group for s in _sets(row))
            ),
            key=lambda row: (row["first_seen"], row["id"]),
        )
        page = rows[skip : skip + self.oai_page]
        if not page:
            return oai_error(self, "noRecordsMatch", "The combination of the values is empty.")
        records = "".join(_oai_record(row, prefix) for row in page)
        if len(rows) > skip + len(page):
            query |= {"verb": "ListRecords", "skip": str(skip + len(page))}
            token = quote("&".join(f"{name}={value}" for name, value in query.items()), safe="")
            expires = self.clock().date() + timedelta(days=1)
            records += (
                f"<resumptionToken expirationDate='{expires}T00:00:00Z'>{token}</resumptionToken>"
            )
        return self.oai_answer(f"<ListRecords>{records}</ListRecords>")

    def oai_answer(self, body: str) -> web.Response:
        text = f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">
    <responseDate>{self.clock():%Y-%m-%dT%H:%M:%SZ}</responseDate>
    <request>https://oaipmh.arxiv.org/oai</request>
    {body}
</OAI-PMH>
"""
        return web.Response(text=text, content_type="text/xml")

    # Hugging Face

    async def _daily_papers(self, request: web.Request) -> web.Response:
        day = request.query.get("date", max(self.days, default=""))
        try:
            known = date.fromisoformat(day) <= self.clock().date()
        except ValueError:
            known = False
        limit = int(request.query.get("limit", DEFAULT_LIMIT))
        if not known or not 1 <= limit <= LARGEST_LIMIT:
            return web.json_response({"error": "Invalid query parameters"}, status=400)
        start = int(request.query.get("p", 0)) * limit
        return _json(self.days.get(day, ())[start : start + limit])

    async def _papers(self, request: web.Request) -> web.Response:
        items = [
            item["paper"] for day in sorted(self.days, reverse=True) for item in self.days[day]
        ]
        start = int(request.query.get("cursor", 0))
        return _json(items[start : start + int(request.query.get("limit", DEFAULT_LIMIT))])

    async def _search_papers(self, request: web.Request) -> web.Response:
        words = request.query.get("q", "").lower().split()
        limit = int(request.query.get("limit", DEFAULT_LIMIT))
        if not words or not 1 <= limit <= 120:
            return web.json_response({"error": "Invalid query parameters"}, status=400)
        found = [
            item
            for day in sorted(self.days, reverse=True)
            for item in self.days[day]
            if all(word in str(item["paper"]).lower() for word in words)
        ]
        return _json(found[:limit])

    async def _paper(self, request: web.Request) -> web.Response:
        for item in (item for items in self.days.values() for item in items):
            if item["paper"]["id"] == request.match_info["id"]:
                extra = {"linkedModels": [], "numTotalModels": 0}
                return _json({**item["paper"], **extra})
        return web.json_response({"error": "Paper not found"}, status=404)

    # Journals

    async def _journal(self, request: web.Request) -> web.Response:
        body = self.journals.get(request.match_info["name"])
        if body is None:
            return await _not_found(request)
        return _conditional(request, body, "application/rss+xml")


def at(path: str) -> Callable[[web.Request], bool]:
    """For ``Fault.when``: requests to this path and what lies below it."""
    return lambda request: request.path.startswith(path)


def read_rows(path: Path, days: Iterable[str] = ()) -> list[Row]:
    """The papers of a packed dump that were listed on these days, or all of them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = map(json.loads, file)
        wanted = frozenset(days)
        return [row for row in rows if not wanted or row["first_seen"] in wanted]


def read_days(path: Path) -> dict[str, list[Row]]:
    """Hugging Face's lists by day, from a packed file of raw answers."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return {row["date"]: row["items"] for row in map(json.loads, file)}


def listed(row: Row) -> date:
    return date.fromisoformat(row["first_seen"])


def submitted(row: Row) -> datetime:
    """When it was submitted; where the row does not tell, in the afternoon two days before."""
    if row.get("published"):
        moment = datetime.fromisoformat(row["published"])
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.combine(listed(row) - timedelta(days=2), time(17, 59, 49), UTC)


# Faults


def status(code: int, text: str = "", **headers: str) -> Misbehave:
    """An answer of this kind; header names are written with underscores."""

    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, text=text, headers=named)

    return answer


def sends(body: bytes, content_type: str = "application/xml", code: int = 200) -> Misbehave:
    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        return web.Response(body=body, status=code, headers={"Content-Type": content_type})

    return answer


def too_many(stall: float = 0.0) -> Misbehave:
    """As arXiv does it, after a stall of so many virtual seconds."""

    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        if isinstance(server.clock, VirtualTime):
            server.clock.now += timedelta(seconds=stall)
        return web.Response(status=429, text="Rate exceeded.")

    return answer


def hugging_face_limit(seconds: int) -> Misbehave:
    return status(429, RateLimit=f'"api";r=0;t={seconds}', RateLimit_Policy='"api";q=500;w=300')


def redirects(to: str) -> Misbehave:
    return status(302, Location=to)


def web_page() -> Misbehave:
    body = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body>Back soon</body></html>"
    return sends(body, "text/html; charset=utf-8")


def gzip_bomb(size: int) -> Misbehave:
    """Blanks of *size*, packed to a thousandth."""

    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        return web.Response(body=_bomb(size), headers={"Content-Encoding": "gzip"})

    return answer


@cache
def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    megabyte = b" " * (1 << 20)
    return b"".join(packer.compress(megabyte) for _ in range(size >> 20)) + packer.flush()


async def resets(server: SourceServer, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def never_answers(server: SourceServer, request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()  # until the client goes
    return web.Response()


async def drips(server: SourceServer, request: web.Request) -> web.StreamResponse:
    """A body that comes byte by byte and would take days."""
    response = web.StreamResponse(headers={"Content-Length": str(500 << 20)})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


async def endless(server: SourceServer, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    while True:
        await response.write(b" " * (1 << 16))


async def endless_header(server: SourceServer, request: web.Request) -> web.StreamResponse:
    """One header field after the other."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\n")
    number = 0
    while not request.transport.is_closing():
        number += 1
        request.transport.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
        await asyncio.sleep(0)
    return web.Response()


async def truncated(server: SourceServer, request: web.Request) -> web.StreamResponse:
    """Less than was promised."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>")
    request.transport.close()
    return web.Response()


async def no_results(server: SourceServer, request: web.Request) -> web.Response:
    """Nothing found, where there is something."""
    return server.search_page((), total=0)


async def empty_page(server: SourceServer, request: web.Request) -> web.Response:
    """No entries, though the total says that there are."""
    total = len(server.found(request.query.get("search_query", "")))
    return server.search_page((), total=total, start=int(request.query.get("start", 0)))


async def oldest_first(server: SourceServer, request: web.Request) -> web.Response:
    """The order asked for is ignored, and what comes is years old (2025-11-13)."""
    rows = server.found(request.query.get("search_query", "").partition("submittedDate")[0])
    rows.sort(key=submitted)
    old = [{**row, "published": f"2020-01-{1 + n % 28:02}T12:00:00Z"} for n, row in enumerate(rows)]
    return server.search_page(old[: int(request.query.get("max_results", 10))], total=len(rows))


async def yesterdays_feed(server: SourceServer, request: web.Request) -> web.Response:
    """The items of the day before, under a fresh lastBuildDate (cs.AI on 2026-08-12)."""
    asked = request.match_info["categories"].split("+")
    before = max(listed(row) for row in server.rows if server.day and listed(row) < server.day)
    body = server.feed(request.path, asked, day=before, built=server.clock())
    return web.Response(body=body, content_type="application/xml")


async def cut_at_fifty(server: SourceServer, request: web.Request) -> web.Response:
    """The first fifty of a day, whatever the limit is."""
    return _json(server.days.get(request.query.get("date", ""), ())[:DEFAULT_LIMIT])


def errs(code: int) -> Misbehave:
    """One entry titled “Error”: with 400 from the new service, with 200 from the old."""

    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        return search_error(server, "incorrect id format", status=code)

    return answer


def oai_says(code: str) -> Misbehave:
    """An error of the protocol: noRecordsMatch, badResumptionToken."""

    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        return oai_error(server, code, "By order of the test.")

    return answer


def search_error(server: SourceServer, why: str, *, status: int) -> web.Response:
    text = f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/</id>
  <title>arXiv Search Results</title>
  <updated>{server.clock():%Y-%m-%dT%H:%M:%SZ}</updated>
  <opensearch:itemsPerPage>1</opensearch:itemsPerPage>
  <opensearch:totalResults>1</opensearch:totalResults>
  <opensearch:startIndex>0</opensearch:startIndex>
  <entry>
    <id>https://arxiv.org/api/errors#{why.replace(" ", "_")}</id>
    <title>Error</title>
    <updated>{server.clock():%Y-%m-%dT%H:%M:%SZ}</updated>
    <summary>{escape(why)}</summary>
    <author>
      <name>arXiv api core</name>
    </author>
  </entry>
</feed>
"""
    return web.Response(text=text, status=status, content_type="application/atom+xml")


def oai_error(server: SourceServer, code: str, why: str) -> web.Response:
    return server.oai_answer(f"<error code='{code}'>{escape(why)}</error>")


# Wire forms


def _atom_of_search(row: Row) -> str:
    moment = f"{submitted(row):%Y-%m-%dT%H:%M:%SZ}"
    version = f"{row['id']}v{row.get('version', 1)}"
    terms = "".join(
        f'\n    <category term="{c}" scheme="http://arxiv.org/schemas/atom"/>'
        for c in row["categories"]
    )
    authors = "".join(
        f"\n    <author>\n      <name>{escape(name)}</name>\n    </author>"
        for name in row["authors"]
    )
    return f"""  <entry>
    <id>http://arxiv.org/abs/{version}</id>
    <title>{escape(row["title"])}</title>
    <updated>{moment}</updated>
    <link href="https://arxiv.org/abs/{version}" rel="alternate" type="text/html"/>
    <link href="https://arxiv.org/pdf/{version}" rel="related" type="application/pdf" title="pdf"/>
    <summary>{escape(row["abstract"])}</summary>{terms}
    <published>{moment}</published>
    <arxiv:primary_category term="{row["categories"][0]}"/>{authors}
  </entry>
"""


def _announce_type(row: Row, asked: Sequence[str]) -> str:
    own = row["categories"][0] in asked
    if row.get("version", 1) > 1:
        return "replace" if own else "replace-cross"
    return "new" if own else "cross"


def _described(row: Row, kind: str) -> str:
    version = f"{row['id']}v{row.get('version', 1)}"
    return escape(f"arXiv:{version} Announce Type: {kind} \nAbstract: {row['abstract']}")


def _rss_item(row: Row, kind: str, midnight: datetime) -> str:
    terms = "".join(f"\n      <category>{c}</category>" for c in row["categories"])
    return f"""    <item>
      <title>{escape(row["title"])}</title>
      <link>https://arxiv.org/abs/{row["id"]}</link>
      <description>{_described(row, kind)}</description>
      <guid isPermaLink="false">oai:arXiv.org:{row["id"]}v{row.get("version", 1)}</guid>{terms}
      <pubDate>{format_datetime(midnight)}</pubDate>
      <arxiv:announce_type>{kind}</arxiv:announce_type>
      <dc:rights>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</dc:rights>
      <dc:creator>{escape(", ".join(row["authors"]))}</dc:creator>
    </item>
"""


def _atom_item(row: Row, kind: str, midnight: datetime, built: datetime) -> str:
    terms = "".join(f'\n    <category term="{c}"/>' for c in row["categories"])
    return f"""  <entry>
    <id>oai:arXiv.org:{row["id"]}v{row.get("version", 1)}</id>
    <title>{escape(row["title"])}</title>
    <updated>{built.isoformat()}</updated>
    <link href="https://arxiv.org/abs/{row["id"]}" rel="alternate" type="text/html"/>
    <summary>{_described(row, kind)}</summary>{terms}
    <published>{midnight.isoformat()}</published>
    <arxiv:announce_type>{kind}</arxiv:announce_type>
    <dc:rights>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</dc:rights>
    <dc:creator>{escape(", ".join(row["authors"]))}</dc:creator>
  </entry>
"""


def _sets(row: Row) -> list[str]:
    """cs.CL is in cs:cs:CL, hep-lat in physics:hep-lat."""
    physics = ("astro-ph", "cond-mat", "gr-qc", "hep-", "math-ph", "nlin", "nucl-", "quant-ph")
    sets = []
    for category in row["categories"]:
        archive, _, subject = category.partition(".")
        group = "physics" if archive.startswith(physics) else archive
        sets.append(":".join(filter(None, (group, archive, subject))))
    return sets


def _oai_record(row: Row, prefix: str) -> str:
    sets = "".join(f"<setSpec>{name}</setSpec>" for name in _sets(row))
    if prefix == "arXivRaw":
        versions = "".join(
            f'<version version="v{n}"><date>{format_datetime(submitted(row), usegmt=True)}</date>'
            "<size>68kb</size></version>"
            for n in range(1, row.get("version", 1) + 1)
        )
        head = f"{versions}<authors>{escape(', '.join(row['authors']))}</authors>"
    else:
        names = [name.rpartition(" ") for name in row["authors"]]
        authors = "".join(
            f"<author><keyname>{escape(key)}</keyname><forenames>{escape(fore)}</forenames></author>"
            for fore, _, key in names
        )
        head = f"<created>{submitted(row):%Y-%m-%d}</created><authors>{authors}</authors>"
    return f"""
    <record>
      <header>
        <identifier>oai:arXiv.org:{row["id"]}</identifier>
        <datestamp>{row["first_seen"]}</datestamp>{sets}
      </header>
      <metadata>
        <{prefix} xmlns="http://arxiv.org/OAI/{prefix}/">
          <id>{row["id"]}</id>{head}
          <title>{escape(row["title"])}</title>
          <categories>{" ".join(row["categories"])}</categories>
          <abstract>{escape(row["abstract"])}</abstract>
        </{prefix}>
      </metadata>
    </record>"""


def _json(value: object) -> web.Response:
    headers = {
        "RateLimit": '"api";r=499;t=240',
        "RateLimit-Policy": '"fixed window";"api";q=500;w=300',
    }
    return web.json_response(value, headers=headers)


def _conditional(
    request: web.Request, body: bytes, content_type: str, status: int = 200
) -> web.Response:
    """With an unquoted ETag, as arXiv has it, and 304 to whoever knows it."""
    tag = hashlib.sha256(body).hexdigest()
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    headers = {"ETag": tag, "Content-Type": content_type}
    return web.Response(body=body, status=status, headers=headers)


async def _not_found(request: web.Request) -> web.Response:
    return web.json_response({"error": "Not found"}, status=404)
