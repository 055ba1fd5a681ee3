"""Dumps of papers: recognised by their content, read as a stream.

What an entry means is told by ``records``; here is what a file is, and where it breaks.
"""

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal
from xml.etree.ElementTree import ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, iterparse

from adapters.sources.records import (
    Skipped as Skipped,
    atom_entry,
    clean,
    json_row,
    local_name,
    oai_record,
    rss_item,
)
from bot.errors import BadDump
from bot.model import Origin, Record

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Kind = Literal["arxiv_api", "arxiv_rss", "arxiv_atom", "arxiv_oai", "hf_daily", "jsonl"]

BATCH: Final = 500
CHUNK: Final = 1 << 16
LARGEST_ENTRY: Final = 2 << 20  # 5,000 authors with affiliations take 1 MB, a day's list 0.5 MB
MOST_ELEMENTS: Final = 50_000  # in one entry; 5,000 authors take 15,000
# Real dumps unpack to 3 to 10 times their size; made-up ones of like papers to more
UNPACKED_FREELY: Final = 200 << 20
UNPACKED_RATIO: Final = 100
SKIPPED_NAMED: Final = 100
HOPELESS: Final = 1_000  # broken entries before any paper

_GZIP: Final = b"\x1f\x8b"
_HTML: Final = re.compile(
    rb"(?:<\?xml[^>]*>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*<(?:!doctype\s+)?html\b", re.IGNORECASE
)
_PARSERS: Final[dict[tuple[str, str], Callable[[Element], Record | Skipped | None]]] = {
    ("feed", "entry"): atom_entry,
    ("channel", "item"): rss_item,
    ("ListRecords", "record"): oai_record,
    ("GetRecord", "record"): oai_record,
}
_CONTAINERS: Final = frozenset({"feed", "rss", "channel", "OAI-PMH", "ListRecords", "GetRecord"})
_BETWEEN: Final = re.compile(r"[\s,]*")


class Dump:
    """One file of papers, for one pass: iterating yields batches of records.

    Meanwhile and afterwards *kind* tells what it is, *read* how many papers it held, *skipped* the
    first ``SKIPPED_NAMED`` of *skipped_count* broken entries; *consumed* of *size* bytes are done.
    *error* is one sentence where the file as a whole is broken; what came before the break was
    yielded. A sound file that says "nothing", or tells an error of its source, is no error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind: Kind | None = None
        self.read = 0
        self.skipped: list[Skipped] = []
        self.skipped_count = 0
        self.error: str | None = None
        self.size = 0
        self.consumed = 0

    def __iter__(self) -> Iterator[list[Record]]:
        batch: list[Record] = []
        name = clean(self.path.name or str(self.path), 100)
        try:
            with closing(self._outcomes()) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Skipped):
                        self._skip(outcome)
                        continue
                    self.read += 1
                    batch.append(outcome)
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
            if self.skipped_count and not self.read:
                raise _no_papers(f"entries ({self.skipped_count:,})")
        except BadDump as error:
            self.error = f"{name} {error.message}."
        except OSError as error:
            self.error = f"{name} cannot be read: {error.strerror or 'the disk fails'}."
        if batch:
            yield batch

    def _skip(self, skipped: Skipped) -> None:
        self.skipped_count += 1
        if len(self.skipped) < SKIPPED_NAMED:
            self.skipped.append(skipped)
        if self.skipped_count == HOPELESS and not self.read:
            raise _no_papers(f"first {HOPELESS:,} entries")

    def _outcomes(self) -> Generator[Record | Skipped]:
        if not stat.S_ISREG(self.path.stat().st_mode):  # opening a pipe would wait for its writer
            raise BadDump("is no file: name the file that holds the papers")
        with self.path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            content = _Content(self, file)
            start = content.start.lstrip()
            if not start:
                raise BadDump("is empty: download it again")
            if start.startswith(b"<"):
                yield from self._xml(content, start)
            elif start.startswith(b"["):
                yield from self._array(content)
            elif re.match(rb"\{\s*\n", start):
                yield from self._object(content)
            elif start.startswith(b"{"):
                yield from self._lines(content)
            elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise BadDump("is written in UTF-16: save it as UTF-8")
            else:
                raise BadDump("is neither XML nor JSON: give a dump of arXiv or Hugging Face")
        if self.kind is None and not self.skipped_count:  # an empty list, or an error as JSON
            self.kind = "hf_daily"

    # XML

    def _xml(self, content: _Content, start: bytes) -> Iterator[Record | Skipped]:
        if _HTML.match(start):
            raise BadDump("is a web page: download the data that it links to")
        path: list[Element] = []
        root = about = ""
        number = elements = 0
        for event, element in _events(content):
            name = local_name(element)
            if event == "start":
                if not path:
                    root = name
                    if root not in ("feed", "rss", "OAI-PMH"):
                        raise BadDump(f"is XML of another kind (“{clean(root, 40)}”): "
                                      "give a dump of arXiv")  # fmt: skip
                path.append(element)
                elements += 1
                if elements > MOST_ELEMENTS:
                    raise BadDump(f"has {MOST_ELEMENTS:,} elements without the end of an entry, "
                                  "which no dump has: do not trust it")  # fmt: skip
                continue
            path.pop()
            parent = local_name(path[-1]) if path else ""
            if parse := _PARSERS.get((parent, name)):
                number, elements = number + 1, 0
                content.entry_ends()
                outcome = parse(element)
                if isinstance(outcome, Skipped):
                    yield replace(outcome, what=outcome.what or f"entry {number:,}")
                elif outcome is not None:
                    self.kind = self.kind or _xml_kind(root, about, outcome.origin)
                    yield outcome
            elif parent in ("feed", "channel") and len(about) < 1_000:
                about += (element.text or "")[:200] + element.get("href", "")[:200]
            if parent in _CONTAINERS:
                path[-1].remove(element)
        self.kind = self.kind or _xml_kind(root, about, None)
        if self.kind is None:
            raise BadDump("is a feed, but not of arXiv: give a dump of arXiv")

    # JSON

    def _array(self, content: _Content) -> Iterator[Record | Skipped]:
        for number, value in enumerate(_elements(content), start=1):
            for outcome in json_row(value):
                yield self._told(outcome, f"entry {number:,}", whole=True)

    def _object(self, content: _Content) -> Iterator[Record | Skipped]:
        try:
            value = json.loads(b"".join(iter(lambda: content.read(CHUNK), b"")).decode())
        except UnicodeDecodeError as error:
            raise BadDump("is not UTF-8: save it as UTF-8") from error
        except (ValueError, RecursionError) as error:
            raise BadDump("is no sound JSON: download it again") from error
        for number, outcome in enumerate(json_row(value), start=1):
            yield self._told(outcome, f"entry {number:,}", whole=True)

    def _lines(self, content: _Content) -> Iterator[Record | Skipped]:
        foreign = 0
        for number, line, torn in _split(content):
            place = f"line {number:,}"
            try:
                value = json.loads(line.decode())
            except UnicodeDecodeError:
                foreign = foreign or number
                yield Skipped(place, "it is not UTF-8")
                continue
            except (ValueError, RecursionError) as error:
                if torn:
                    raise BadDump(f"breaks off in {place}: download it again") from error
                yield Skipped(place, "it is not JSON")
                continue
            for outcome in json_row(value):
                yield self._told(outcome, place, whole=False)
        if foreign:
            raise BadDump(f"is not UTF-8 at line {foreign:,}: save it as UTF-8")

    def _told(self, outcome: Record | Skipped, place: str, *, whole: bool) -> Record | Skipped:
        if isinstance(outcome, Skipped):
            return replace(outcome, what=f"{place} ({outcome.what})" if outcome.what else place)
        daily = whole and outcome.origin is Origin.HUGGING_FACE
        self.kind = self.kind or ("hf_daily" if daily else "jsonl")
        return outcome


class _Content:
    """What the file holds, unpacked; no entry, and not all of it together, may be too large."""

    def __init__(self, dump: Dump, file: BinaryIO) -> None:
        self._dump = dump
        self._file = file
        self._unpacked: gzip.GzipFile | None = None
        if file.read(2) == _GZIP:
            self._unpacked = gzip.GzipFile(fileobj=file)
        file.seek(0)
        self._total = 0
        self._since_entry = 0
        self.ended = False
        self.start = self._next(CHUNK).removeprefix(codecs.BOM_UTF8)
        if self._unpacked and self.start.startswith(_GZIP):
            raise BadDump("is packed twice: unpack it once")

    def read(self, size: int = CHUNK, /) -> bytes:
        if self.start:
            piece, self.start = self.start, b""
            return piece
        return self._next(size)

    def entry_ends(self) -> None:
        self._since_entry = 0

    def _next(self, size: int) -> bytes:
        try:
            piece = self._unpacked.read1(size) if self._unpacked else self._file.read(size)
        except EOFError as error:
            raise BadDump("breaks off: download it again") from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise BadDump("is a damaged gzip file: download it again") from error
        self.ended = not piece
        self._dump.consumed = self._file.tell()
        self._total += len(piece)
        self._since_entry += len(piece)
        if self._unpacked and self._total > max(UNPACKED_FREELY, UNPACKED_RATIO * self._dump.size):
            raise BadDump(f"unpacks to more than {self._total >> 20:,} MB, which no dump of its size "
                          "does: do not trust it")  # fmt: skip
        if self._since_entry > LARGEST_ENTRY + size:
            raise BadDump(f"has {LARGEST_ENTRY >> 20} MB without the end of an entry, "
                          "which no dump has: download it again")  # fmt: skip
        return piece


def _events(content: _Content) -> Iterator[tuple[str, Element]]:
    """Starts and ends of elements."""
    parser = DefusedXMLParser(target=TreeBuilder(), forbid_dtd=True)
    try:
        yield from iterparse(content, ("start", "end"), parser)
    except DefusedXmlException as error:
        raise BadDump("declares a document type, which no dump does: do not trust it") from error
    except ParseError as error:
        if content.ended:
            raise BadDump("breaks off: download it again") from error
        line = error.position[0]
        raise BadDump(f"is no sound XML at line {line:,}: download it again") from error
    except (ValueError, LookupError) as error:  # an encoding that is declared but not known
        raise BadDump("declares an unknown encoding: save it as UTF-8") from error


def _split(content: _Content) -> Iterator[tuple[int, bytes, bool]]:
    """Lines that are not blank, with their number, and whether the file ended in the midst."""
    number, rest = 0, b""
    while piece := content.read(CHUNK):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number += 1
            if line and not line.isspace():
                content.entry_ends()
                yield number, line, False
    if rest and not rest.isspace():
        yield number + 1, rest, True


def _elements(content: _Content) -> Iterator[object]:
    """The values of one JSON list, without ever holding all of it."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    decoder = json.JSONDecoder()
    number = 1
    try:
        text = utf8.decode(content.read(CHUNK)).lstrip()[1:]
        while True:
            at = 0
            while True:
                between = _BETWEEN.match(text, at)
                at = between.end() if between else at
                if text.startswith("]", at):
                    if text[at + 1 :].strip() or content.read(CHUNK).strip():
                        raise BadDump("goes on after the end of its list: download it again")
                    return
                try:
                    value, at = decoder.raw_decode(text, at)
                except json.JSONDecodeError:
                    break  # as a rule, because the rest is not read yet
                content.entry_ends()
                yield value
                number += 1
            piece = content.read(max(CHUNK, len(text) - at))  # a large entry is tried log n times
            if not piece:
                raise BadDump(f"breaks off or is no sound JSON in entry {number:,}: "
                              "download it again")  # fmt: skip
            text = text[at:] + utf8.decode(piece)
    except UnicodeDecodeError as error:
        raise BadDump(f"is not UTF-8 in entry {number:,}: save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise BadDump(f"is no sound JSON in entry {number:,}: download it again") from error


def _xml_kind(root: str, about: str, origin: Origin | None) -> Kind | None:
    """By what was found in it, else by what a feed says of itself; None: not arXiv's."""
    if root == "OAI-PMH":
        return "arxiv_oai"
    if origin is None and "arxiv.org" not in about.lower():
        return None
    if root == "rss":
        return "arxiv_rss"
    return "arxiv_atom" if origin is Origin.ARXIV_FEED or "/atom/" in about else "arxiv_api"


def _no_papers(among: str) -> BadDump:
    return BadDump(f"holds no paper among its {among}: give a dump of arXiv or Hugging Face")
