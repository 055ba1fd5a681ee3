"""Journals: any RSS 2.0, RSS 1.0 (RDF) or Atom feed whose address the operator has chosen.

Publishers agree on little. What each of them does is told at the place where it matters; an
element is known by its local name, because the prefixes and versions of PRISM and Dublin Core vary.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree.ElementTree import ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, iterparse

from adapters.sources.http import PoliteClient
from adapters.sources.records import (
    LONGEST_ABSTRACT,
    LONGEST_NAME,
    LONGEST_NOTE,
    LONGEST_TITLE,
    LONGEST_URL,
    MOST_AUTHORS,
    Skipped,
    clean,
    local_name,
    split_authors,
)
from bot.errors import SourceUnavailable
from bot.identity import doi_id, link_id, parse_id, title_id, title_key
from bot.model import Origin, Paper, Record
from bot.ports import Batch, Clock, Health

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

log = logging.getLogger(__name__)

MOST_ENTRIES: Final = 2_000
MOST_ELEMENTS: Final = 150_000  # in all: 75 in each entry, or a few with thousands of authors
DEEPEST: Final = 100  # elements in one another
PAPERS_A_DAY: Final = 5_000  # design §12
WARNINGS: Final = 10  # broken entries that are named
LONGEST_MARKUP: Final = 10 * LONGEST_ABSTRACT

_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd",
    "disp-formula", "div", "dl", "dt", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4",
    "h5", "h6", "head", "header", "hr", "html", "jats", "label", "li", "list", "list-item",
    "main", "nav", "ol", "option", "p", "pre", "sec", "section", "st", "table", "tbody", "td",
    "tfoot", "th", "thead", "title", "tr", "ul",
})  # fmt: skip
_INLINE: Final = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "bold", "cite", "code", "data", "del",
    "em", "ext-link", "font", "i", "img", "inline-formula", "ins", "italic", "kbd", "mark",
    "math", "mfrac", "mi", "mn", "mo", "monospace", "mover", "mrow", "ms", "mspace", "msqrt",
    "mstyle", "msub", "msubsup", "msup", "mtext", "munder", "munderover", "named-content", "q",
    "roman", "s", "samp", "sans-serif", "sc", "semantics", "small", "span", "strike", "strong",
    "styled-content", "sub", "sup", "time", "tt", "u", "underline", "uri", "var", "wbr", "xref",
})  # fmt: skip
_HIDDEN: Final = frozenset({
    "annotation", "embed", "iframe", "noscript", "object", "script", "style", "svg", "template",
    "tex-math", "textarea",
})  # fmt: skip
_MARKUP: Final = re.compile(
    r"<!--|<!\[CDATA\[|\]\]>"
    r"|<(?P<close>/?)(?:[a-zA-Z]++:)?(?P<name>[a-zA-Z][a-zA-Z0-9-]*+)"
    r"(?P<attributes>(?:\"[^\"<]*+\"|'[^'<]*+'|[^<>\"'])*+)>"
)
_ATTRIBUTES: Final = re.compile(
    r"(?:\s++[\w:.-]++\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'/]++))*+\s*+/?"
)
# HTML's named entities, which no XML knows, and characters that XML forbids
_FOREIGN_ENTITY: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)([a-zA-Z][a-zA-Z0-9]{1,30});")
_FORBIDDEN_REFERENCE: Final = re.compile(
    rb"&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])|x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]));"
)
_FORBIDDEN: Final = bytes(sorted({*range(32)} - {9, 10, 13}))

_HEADING: Final = re.compile(r"(?:abstract|summary)\s*[.:]?", re.IGNORECASE)
_ABSTRACT: Final = re.compile(
    r"(?i:abstract|summary)\s*(?:[:.]\s|\s[—–-]\s)\s*|(?i:abstract)\s*[—–]\s*|ABSTRACT\s+"
)
# Elsevier's "Publication date: July 2026", "Source: …"; Nature's "Nature, Published online: …"
_IMPRINT: Final = re.compile(
    r"(?:publication date|source)\s*:|.{0,150}\bpublished online\b", re.IGNORECASE
)
# Elsevier's "Author(s): A, B"; PLOS' "by A, B"
_SIGNED: Final = re.compile(r"(?:(?i:author(?:s|\(s\))?)\s*:|by\s)\s*(?P<names>.+)")
_ANTHOLOGY: Final = re.compile(r"(?:(?P<names>.*?)\s)??in (?P<volume>\S.*)")  # A, B and C in …
_MAILBOX: Final = re.compile(r"[^\s@]+@[^\s@(]+\s*\((?P<name>.+)\)")  # RSS 2.0
_DATE_WITH_OFFSET: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)")  # Atypon's
_DATES: Final = ("pubDate", "published", "date", "publicationDate", "issued", "created", "updated")
_DOI_PREFIX: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|info:doi/|doi:)\s*", re.IGNORECASE)
_DOI_PATH: Final = re.compile(
    r"/doi/(?:(?:abs|full|pdf|epdf|epub|abstract)/)?(?P<doi>10\.\d{4,9}/[^/\s]+)"
)
_PREPRINT: Final = re.compile(r"/content/(?P<doi>10\.\d{4,9}/[\d.]+)v\d+")  # bioRxiv, medRxiv


class Journal:
    """A ``PaperSource``. Each batch's token is the state to keep as ``Health.state``."""

    def __init__(self, url: str, client: PoliteClient, name: str, clock: Clock) -> None:
        self.name = name
        self._url = url
        self._client = client
        self._clock = clock

    async def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        """All that the feed lists, unless it is what it listed before; *since* changes nothing."""
        state = _State.of(health.state)
        answer = await self._client.get(self._url, etag=state.etag, modified=state.modified)
        if answer.unchanged:
            yield Batch((), token=health.state)
            return
        if answer.is_web_page:
            raise self._unusable("sends a web page instead of a feed")
        today = self._clock().date()
        try:
            feed = await asyncio.to_thread(read_feed, answer.body, today)
        except _NotAFeed as error:
            raise self._unusable(str(error)) from error
        self._warn(feed.skipped)
        if feed.broken:
            log.warning("%s %s; what came before it is kept", self.name, feed.broken)
        else:
            state.etag = answer.headers.get("etag", "")
            state.modified = answer.headers.get("last-modified", "")
        records = state.accept(feed.records, today)
        if held := len(feed.records) - len(records):
            log.warning("%s sends too many new papers today: %d are held back", self.name, held)
            state.etag = state.modified = ""
        days = [record.listed_on for record in records if record.listed_on]
        yield Batch(
            tuple(records),
            announced=max(days, default=None),
            complete=not (feed.broken or feed.cut or held),
            token=state.text(),
        )

    async def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        """What the feed lists; a feed tells nothing that is older."""
        async for batch in self.fetch(datetime.min.replace(tzinfo=UTC), replace(health, state="")):
            days = [record.listed_on for record in batch.records if record.listed_on]
            yield replace(batch, complete=batch.complete and min(days, default=since) < since)

    def _unusable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self.name} {why}.",
            hint="Look at its address among the journals that are configured.",
        )

    def _warn(self, skipped: list[Skipped]) -> None:
        for entry in skipped[:WARNINGS]:
            log.warning("%s: skipped %s: %s", self.name, entry.what, entry.why)
        if len(skipped) > WARNINGS:
            log.warning("%s: skipped %d more entries", self.name, len(skipped) - WARNINGS)


def journal_name(url: str) -> str:
    """Its host and path: ``nature.com/nature.rss``."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}?{parts.query}" if parts.query else parts.path.rstrip("/")
    return clean((parts.hostname or "").removeprefix("www.") + path, LONGEST_NAME)


def journal_hosts(url: str) -> frozenset[str]:
    """The hosts that its requests may go to: its own, with and without ``www.``."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return frozenset({host, f"www.{host}"})


@dataclass(slots=True)
class _State:
    """Validators, and how many papers of *day* were new: not among those of the last answer."""

    etag: str = ""
    modified: str = ""
    day: str = ""
    taken: int = 0
    known: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> _State:
        try:
            return cls(**json.loads(text)) if text else cls()
        except (ValueError, TypeError):  # of another version
            return cls()

    def text(self) -> str:
        return json.dumps(asdict(self))

    def accept(self, records: Iterable[Record], today: date) -> list[Record]:
        if self.day != str(today):
            self.day, self.taken = str(today), 0
        known, accepted, now = frozenset(self.known), [], []
        for record in records:
            key = sha256(record.paper.id.encode()).hexdigest()[:8]
            if key not in known:
                if self.taken >= PAPERS_A_DAY:
                    continue
                self.taken += 1
            accepted.append(record)
            now.append(key)
        self.known = now
        return accepted


@dataclass(frozen=True, slots=True)
class Feed:
    """*broken* says why it ends too early, *cut* that there are more entries than are read."""

    records: list[Record]
    skipped: list[Skipped]
    broken: str = ""
    cut: bool = False


class _NotAFeed(Exception):
    """Why there is nothing in it, as the rest of a sentence about the journal."""


@dataclass(frozen=True, slots=True)
class _Entry:
    paper: Paper  # without its id
    ids: tuple[str, ...]  # best first
    day: date | None


def read_feed(body: bytes, today: date) -> Feed:
    """The papers of a feed. A day after *today* is the date of an issue, not of an announcement."""
    entries: list[_Entry] = []
    skipped: list[Skipped] = []
    broken = ""
    cut = False
    try:
        for number, (element, publication) in enumerate(_elements(body), start=1):
            if number > MOST_ENTRIES:
                cut = True
                break
            outcome = _entry(element, publication, today)
            if isinstance(outcome, Skipped):
                skipped.append(replace(outcome, what=outcome.what or f"entry {number:,}"))
            elif outcome is not None:
                entries.append(outcome)
    except DefusedXmlException as error:
        raise _NotAFeed("defines entities, which no feed needs") from error
    except ParseError as error:
        broken = f"is no sound XML at line {error.position[0]:,}"
    except (ValueError, LookupError):
        broken = "is written in an unknown encoding"
    if broken and not entries:
        raise _NotAFeed(broken)
    return Feed(list(_identified(entries)), skipped, broken, cut)


def _elements(body: bytes) -> Iterator[tuple[Element, str]]:
    """Each entry, with the name of the publication where the feed tells it before."""
    parser = DefusedXMLParser(target=TreeBuilder(), forbid_dtd=True)
    path: list[Element] = []
    publication = ""
    count = 0
    for event, element in iterparse(BytesIO(_repaired(body)), ("start", "end"), parser):
        if event == "start":
            if not path and (name := local_name(element)) not in ("rss", "RDF", "feed"):
                raise _NotAFeed(f"sends something else than a feed (“{clean(name, 40)}”)")
            path.append(element)
            count += 1
            if len(path) > DEEPEST or count > MOST_ELEMENTS:
                raise _NotAFeed("nests or repeats elements as no feed does")
            continue
        path.pop()
        if not 1 <= len(path) <= 2:  # within an entry, or the root
            continue
        parent, name = local_name(path[-1]), local_name(element)
        if (parent, name) in (("channel", "item"), ("RDF", "item"), ("feed", "entry")):
            yield element, publication
        elif (parent, name) == ("channel", "publicationName"):
            publication = element.text or ""
        if parent in ("channel", "RDF", "feed"):
            path[-1].remove(element)


def _repaired(body: bytes) -> bytes:
    """Without the two mistakes that feeds often make: HTML's entities and control characters."""
    if b"\0" in body[:4]:  # UTF-16
        return body
    body = body.removeprefix(BOM_UTF8).lstrip().translate(None, _FORBIDDEN)
    return _FORBIDDEN_REFERENCE.sub(b"", _FOREIGN_ENTITY.sub(_as_number, body))


def _as_number(entity: re.Match[bytes]) -> bytes:
    text = html.unescape(entity[0].decode("ascii"))
    if text.startswith("&"):  # of no language
        return b"&amp;" + entity[0][1:]
    return "".join(f"&#{ord(c)};" for c in text).encode("ascii")


def _identified(entries: list[_Entry]) -> Iterator[Record]:
    """An id that several titles bear (the journal's own link or DOI) tells none of them."""
    titles = defaultdict(set)
    for entry in entries:
        for paper_id in entry.ids:
            titles[paper_id].add(title_key(entry.paper.title))
    for entry in entries:
        own = [paper_id for paper_id in entry.ids if len(titles[paper_id]) == 1]
        paper_id, *others = own or [title_id(entry.paper.title)]
        doi = entry.paper.doi if doi_id(entry.paper.doi) in own else ""
        yield Record(
            replace(entry.paper, id=paper_id, doi=doi),
            Origin.JOURNAL,
            listed_on=entry.day,
            aliases=tuple(others),
        )


# An entry


class _Fields:
    """The children of an entry by local name, as text that is shown; blocks end with a newline."""

    def __init__(self, entry: Element) -> None:
        self._children: defaultdict[str, list[Element]] = defaultdict(list)
        for child in entry:
            self._children[local_name(child)].append(child)

    def elements(self, name: str) -> list[Element]:
        return self._children.get(name, [])

    def texts(self, *names: str) -> list[str]:
        found = (_shown("".join(_walk(e))) for name in names for e in self.elements(name))
        return [text for text in found if text.strip()]

    def text(self, *names: str) -> str:
        return next(iter(self.texts(*names)), "")

    def plain(self, *names: str) -> Iterator[str]:
        """As written: ids, links, dates; what is too long for them is left out."""
        for element in (e for name in names for e in self.elements(name)):
            text = (element.text or "").strip()
            if 0 < len(text) <= LONGEST_URL:
                yield text

    def links(self) -> Iterator[str]:
        for element in self.elements("origLink") + self.elements("link"):
            link = (element.get("href") or element.text or "").strip()
            if element.get("rel", "alternate") == "alternate" and 0 < len(link) <= LONGEST_URL:
                yield link


def _entry(element: Element, publication: str, today: date) -> _Entry | Skipped | None:
    """None for the front matter of a volume."""
    fields = _Fields(element)
    links = list(fields.links())
    about = next((v for k, v in element.items() if k.endswith("}about")), "")[:LONGEST_URL]
    title = clean(fields.text("title"), LONGEST_TITLE)
    if not title:
        names = [*fields.plain("guid", "id", "identifier"), *links, about]
        return Skipped(clean(next(iter(names), ""), LONGEST_NAME), "it has no title")
    abstract, signed, volume = _abstract(fields, links)
    if volume == title:
        return None
    ids, doi = _ids(fields, [*links, about])
    printed = next(filter(None, map(_date, fields.plain(*_DATES))), None)
    day = printed and printed.date()
    paper = Paper(
        id="",
        title=title,
        abstract="" if abstract.casefold() == title.casefold() else abstract,
        authors=_authors(fields, signed),
        published=printed and printed.astimezone(UTC),
        doi=doi,
        journal_ref=volume or _issue(fields, publication),
    )
    announced = day if day and day <= today + timedelta(days=1) else None
    return _Entry(paper, ids, announced and min(announced, today))


def _abstract(fields: _Fields, links: list[str]) -> tuple[str, str, str]:
    """The abstract; names and a volume where they stand in its place."""
    texts = fields.texts("description", "summary", "encoded", "content")
    lines = [line for line in map(str.strip, max(texts, key=len, default="").split("\n")) if line]
    at_anthology = any(urlsplit(link).hostname == "aclanthology.org" for link in _sound(links))
    if at_anthology and (match := _ANTHOLOGY.fullmatch(" ".join(lines))):
        return "", match["names"] or "", clean(match["volume"], LONGEST_NOTE)
    signed = ""
    kept: list[str] = []
    for line in lines:
        if not kept and (match := _SIGNED.fullmatch(line)):
            signed = match["names"]
        elif kept or not (_HEADING.fullmatch(line) or _IMPRINT.match(line)):
            kept.append(line)
    text = " ".join(kept)
    if match := _ABSTRACT.match(text):
        text = text[match.end() :]
    return clean(text, LONGEST_ABSTRACT), signed, ""


def _ids(fields: _Fields, links: list[str]) -> tuple[tuple[str, ...], str]:
    """Canonical ids, the best first, and the DOI."""
    stated = [_DOI_PREFIX.sub("", text) for text in fields.plain("doi", "identifier", "guid", "id")]
    links = list(_sound([*links, *fields.plain("guid", "id", "identifier")]))
    dois = [text for text in [*stated, *filter(None, map(_doi_in, links))] if doi_id(text)]
    ids = [doi_id(doi) for doi in dois] + [parse_id(link) for link in links]
    ids += [link_id(link) for link in links[:1]]
    order = ("arxiv", "doi", "link")
    known = dict.fromkeys(filter(None, ids))
    best = sorted(known, key=lambda paper_id: order.index(paper_id.partition(":")[0]))
    return tuple(best), next((doi for doi in dois if str(doi_id(doi)).startswith("doi:")), "")


def _sound(links: Iterable[str]) -> Iterator[str]:
    """Addresses on the web; neither scripts nor what cannot be parsed."""
    for link in links:
        if link_id(link):
            yield link


def _doi_in(link: str) -> str:
    parts = urlsplit(link)
    path = unquote(parts.path)
    if match := _DOI_PATH.search(path) or _PREPRINT.fullmatch(path):
        return match["doi"]
    return next(iter(parse_qs(parts.query).get("id", [])), "")  # PLOS


def _issue(fields: _Fields, publication: str) -> str:
    """“Nature Physics 22 (7)”."""
    name = fields.text("publicationName") or publication
    volume, number = fields.text("volume"), fields.text("number")
    parts = (name, name and volume, name and volume and number and f"({number})")
    return clean(" ".join(filter(None, parts)), LONGEST_NOTE)


def _date(text: str) -> datetime | None:
    """A printed date in its own offset; a year or a month alone is none."""
    if match := _DATE_WITH_OFFSET.fullmatch(text):
        text = match[1]
    for read, form in (
        (datetime.fromisoformat, text),
        (parsedate_to_datetime, text),
        (parsedate_to_datetime, f"{text} 00:00:00 +0000"),
    ):
        try:
            moment = read(form)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if 1600 <= moment.year <= 9000:
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


# Authors


def _authors(fields: _Fields, signed: str) -> tuple[str, ...]:
    """From dc:creator, Atom's or RSS' authors, or a line of the description."""
    texts = fields.texts("creator")
    if not texts:
        named = (_Fields(author).text("name") for author in fields.elements("author"))
        texts = list(filter(None, named)) or fields.texts("author") or [signed]
    texts = [" ".join(text.split()) for text in texts]
    texts = [m["name"] if (m := _MAILBOX.fullmatch(text)) else text for text in texts]
    people = [person for text in texts for person in text.split(";")]
    names = (name for person in people for name in _names(person, alone=len(people) == 1))
    cleaned = (clean(name, LONGEST_NAME) for name in names if "@" not in name)
    return tuple(islice((name for name in cleaned if any(map(str.isalnum, name))), MOST_AUTHORS))


def _names(text: str, *, alone: bool) -> Iterable[str]:
    """One or several names; *alone*: nothing else stands beside this text."""
    parts = [part.strip() for part in text.split(",")]
    if any(map(_are_initials, parts[1:])):  # bioRxiv: "Kukla, D., Crampton, A."
        return _with_initials(parts)
    if len(parts) == 2 and (not alone or " " not in parts[0] + parts[1]):  # "Smith, John"
        return [f"{parts[1]} {parts[0]}"]
    if len(parts) == 1 and not alone:
        return parts
    return split_authors(text)


def _with_initials(parts: list[str]) -> Iterator[str]:
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if not _are_initials(part):
            yield f"{following} {part}" if _are_initials(following) else part


def _are_initials(text: str) -> bool:
    """“D.”, “J.-P.”, “AB”, “Yu.”; not “Bo”."""
    pieces = re.split(r"[\s.‐-]+", text.strip(" ."))
    short = 2 if text.endswith(".") else 1
    return all(
        p[:1].isupper() and (len(p) <= short or (len(p) == 2 and p.isupper())) for p in pieces
    )


# Markup


def _walk(element: Element) -> Iterator[str]:
    """Text with the markup that is written as elements: XHTML in Atom, italics in titles."""
    yield element.text or ""
    for child in element:
        name = local_name(child).lower()
        if name not in _HIDDEN:
            gap = "<br>" if name in _BLOCKS else ""
            yield gap
            yield from _walk(child)
            yield gap
        yield child.tail or ""


def _shown(text: str) -> str:
    """What a reader sees of HTML or JATS, a newline at each block.

    Only known tags are tags, so “p<0.05” and “List<T>” stay.
    """
    text = " ".join(text[:LONGEST_MARKUP].split())
    if "<" not in text:
        return html.unescape(text)
    pieces: list[str] = []
    at, hidden = 0, ""
    while match := _MARKUP.search(text, at):
        if not hidden:
            pieces.append(text[at : match.start()])
        at = match.end()
        if match[0] == "<!--":
            end = text.find("-->", at)
            at = end + 3 if end >= 0 else len(text)
            continue
        name = (match["name"] or "").lower()
        if hidden:
            hidden = "" if match["close"] and name == hidden else hidden
        elif name in _HIDDEN:
            hidden = "" if match["close"] or match[0].endswith("/>") else name
        elif name and not ((name in _BLOCKS or name in _INLINE) and _is_tag(match)):
            pieces.append(match[0])
        elif name in _BLOCKS:
            pieces.append("\n")
    if not hidden:
        pieces.append(text[at:])
    return html.unescape("".join(pieces))


def _is_tag(match: re.Match[str]) -> bool:
    return _ATTRIBUTES.fullmatch(match["attributes"]) is not None
