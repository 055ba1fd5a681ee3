"""How the search index lies on disk: its fields, a paper's words in them, and its generations.

A paper's words lie in it twice. ``text`` is what ranks: stems, the title four times, without
positions. ``title``, ``abstract`` and ``keywords`` are what decides: every word by its ``key``, in
order, and behind the words their joined forms and acronyms. Of the paper itself only the id is kept.

On disk the index is a folder with numbered generations. A new one counts from its single commit on,
which also writes the *mark*: our version and the library's revision it has reached.
"""

from __future__ import annotations

import json
import mmap
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.metadata import version
from itertools import filterfalse
from pathlib import Path
from typing import Self

import tantivy
from tantivy import Query as Wanted

from bot.model import Origin, Paper
from bot.ports import Revision
from bot.text import GLUE, Field, fold, stem, tokens

VERSION = f"1 {version('tantivy')}"  # raise the number with the fields or the tokens of bot.text
BATCH = 1000  # papers read from the library at once
TITLE = 4  # times the words of a title count: python -m tests.bench.ranking
PLACE_BITS, _DAY_BITS = 31, 20
_META = "meta.json"
_CHECKSUM = "meta.crc"  # tantivy gives it none, and panics at some changes to it
_FOOTER = 1337  # the magic number of tantivy's file footers


@lru_cache(100_000)
def key(word: str) -> str:
    """What stands for a folded word in the index: a plural is its singular, as in a phrase."""
    bare = word.removesuffix("s")
    return bare if bare and stem(bare) == stem(word) else word


@cache
def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("fact", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("author", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    for name in ("title", "abstract", "keywords", "organisation"):
        builder.add_text_field(name, tokenizer_name="whitespace")
    for name in ("newest", "voted"):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def document(paper: Paper, origins: frozenset[Origin]) -> tantivy.Document:
    made = tantivy.Document()
    made.add_text("id", paper.id)
    field = Field(paper.title, paper.abstract, *paper.keywords)
    keys = list(map(key, field.words))
    # Beside a word: its joined form and the acronym as written, to rank and to decide
    beside = [
        (i, joined, key(field.words[i] + field.words[i + 1]))
        for joined, places in field.joined.items()
        for i in places
    ]
    beside += [(i, word, word) for word, places in field.acronyms.items() for i in places]
    ranking: list[str] = []
    for number, section in enumerate(field.sections):
        inside = [found for found in beside if found[0] in section]
        said = list(filterfalse(GLUE.__contains__, field.stems[section.start : section.stop]))
        said += [ranked for _, ranked, _ in inside]
        ranking += said * (TITLE if number == 0 else 1)
        words = keys[section.start : section.stop] + [deciding for _, _, deciding in inside]
        made.add_text(("title", "abstract", "keywords")[min(number, 2)], " ".join(words))
    made.add_text("text", " ".join(ranking))
    for fact in _facts(paper, origins):
        made.add_text("fact", fact)
    for author in paper.authors:
        if found := surname(author):
            made.add_text("author", f"{found}|{author[:200]}")
    if paper.organisation:
        made.add_text("organisation", " ".join(map(key, Field(paper.organisation).words)))
    place = newest(paper)
    made.add_unsigned("newest", place)
    votes = min(paper.upvotes, (1 << 13) - 1)
    made.add_unsigned("voted", votes << (PLACE_BITS + _DAY_BITS) | place)
    return made


def _facts(paper: Paper, origins: frozenset[Origin]) -> Iterator[str]:
    for category in paper.categories:
        yield f"cat:{category}"
    for archive in {category.partition(".")[0] for category in paper.categories}:
        if archive not in paper.categories:
            yield f"cat:{archive}"
    if paper.id.startswith("arxiv:"):
        yield "source:arxiv"
    if Origin.HUGGING_FACE in origins:
        yield "source:huggingface"
    if Origin.JOURNAL in origins:
        yield "source:journal"
    if paper.code:
        yield "has:code"


def surname(name: str) -> str:
    """The word under which a listed name is found; ``compile_filter`` then decides."""
    before, comma, _ = name.partition(",")
    listed = before if comma else name
    last = listed.rpartition(" ")[2].lower()
    if last.isascii() and last.isalpha() and last not in _TITLES:  # most are so plain
        words = [last]
    else:
        words = [word for word in tokens(fold(listed)) if word not in _TITLES]
    if words and words[-1] in _GROUPS:
        return GROUP
    return words[-1] if words else ""


_TITLES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_GROUPS = frozenset({"collaboration", "team", "consortium", "group"})
GROUP = "a group"


def newest(paper: Paper) -> int:
    """Greater for later list days, then for smaller ids."""
    day = paper.listed_on.toordinal() if paper.listed_on else 0
    return (day << PLACE_BITS) + (1 << PLACE_BITS) - 1 - _place(paper.id)


def _place(paper_id: str) -> int:
    if match := re.fullmatch(r"arxiv:(\d{4})\.(\d{4,5})", paper_id, re.ASCII):
        return int(match[1]) * 100_000 + int(match[2])
    digest = blake2b(paper_id.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return 1 << (PLACE_BITS - 1) | int.from_bytes(digest) >> 2


def term(field: str, value: str) -> Wanted:
    return Wanted.term_query(schema(), field, value)


class Damaged(Exception):
    """What lies in the folder is no index of this version, or not whole."""


class Generation:
    """One index, in a folder or, without a *path*, in memory. All of it runs in a worker thread."""

    def __init__(self, index: tantivy.Index, path: Path | None, revision: int) -> None:
        index.config_reader("manual")  # no thread that watches the folder
        self._index = index
        self._path = path
        self._seen = self._meta()
        self.searcher = index.searcher()
        self.revision = revision

    @classmethod
    def create(cls, path: Path | None) -> Self:
        if path is not None:
            path.mkdir(parents=True)
        return cls(tantivy.Index(schema(), str(path) if path is not None else None), path, 0)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises one of REFUSED."""
        _verify(path)
        index = tantivy.Index.open(str(path))
        searcher = index.searcher()
        marks = searcher.search(term("fact", "mark"), 1).hits
        if not marks:
            raise Damaged(f"{path} was never finished")
        written, _, revision = str(searcher.doc(marks[0][1])["id"][0]).rpartition(" ")
        if written != VERSION:
            raise Damaged(f"{path} has version {written}, not {VERSION}")
        return cls(index, path, int(revision))

    def _sign(self) -> None:
        if self._path is not None:
            signed = zlib.crc32((self._path / _META).read_bytes())
            (self._path / _CHECKSUM).write_text(str(signed), encoding="ascii")

    def _meta(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        found = (self._path / _META).stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def is_intact(self) -> bool:
        """Whether nobody else has touched it since the last commit."""
        try:
            return self._seen == self._meta()
        except OSError:
            return False

    @property
    def papers(self) -> int:
        return self.searcher.num_docs - 1  # without the mark

    def waste(self) -> float:
        """The share of papers that were replaced but not yet merged away."""
        if self._path is None:
            return 0.0
        segments = json.loads((self._path / _META).read_bytes())["segments"]
        held = sum(segment["max_doc"] for segment in segments)
        return 1 - self.searcher.num_docs / held if held > BATCH else 0.0

    def writer(self) -> tantivy.IndexWriter:
        return self._index.writer(64_000_000, 1)

    @staticmethod
    def put(writer: tantivy.IndexWriter, revisions: Iterable[Revision]) -> None:
        for revision in revisions:
            writer.delete_documents_by_term("id", revision.id)
            if revision.paper is not None:
                writer.add_document(document(revision.paper, revision.origins))

    def commit(self, writer: tantivy.IndexWriter, revision: int) -> None:
        """Publish what was put; then wait for merges, so that nothing moves between commits."""
        mark = tantivy.Document()
        mark.add_text("id", f"{VERSION} {revision}")
        mark.add_text("fact", "mark")
        writer.delete_documents_by_term("fact", "mark")
        writer.add_document(mark)
        writer.commit()
        self._sign()
        writer.wait_merging_threads()
        self._sign()
        self._index.reload()
        self.searcher = self._index.searcher()
        self.revision = revision
        self._seen = self._meta()


def _verify(path: Path) -> None:
    """Compare every file of every segment with the CRC in its footer, and what names them with ours."""
    try:
        content = (path / _META).read_bytes()
        if (path / _CHECKSUM).read_text(encoding="ascii") != str(zlib.crc32(content)):
            raise Damaged(f"{path / _META} was changed")
        meta = json.loads(content)
        segments = [segment["segment_id"].replace("-", "") for segment in meta["segments"]]
        written_by = set()
        for file in (file for segment in segments for file in path.glob(f"{segment}.*")):
            with file.open("rb") as opened:
                written_by.add(_verify_file(file, opened.fileno()))
    except (AttributeError, KeyError, TypeError) as error:
        raise Damaged(f"{path} was changed ({error})") from error
    if len(written_by) > 1:  # the footers themselves have no checksum
        raise Damaged(f"{path} was changed")


def _verify_file(file: Path, number: int) -> str:
    """The version that its footer names."""
    with mmap.mmap(number, 0, access=mmap.ACCESS_READ) as content:
        length, magic = (int.from_bytes(content[n : n + 4 or None], "little") for n in (-8, -4))
        end = len(content) - 8 - length
        if magic != _FOOTER or end < 0:
            raise Damaged(f"{file} breaks off")
        footer = json.loads(content[end:-8])
        with memoryview(content) as whole, whole[:end] as body:
            if zlib.crc32(body) != footer["crc"]:
                raise Damaged(f"{file} was changed")
        return json.dumps(footer["version"], sort_keys=True)


# What a damaged file, a missing folder or a full disk come out as: tantivy's own are ValueErrors
REFUSED = (OSError, ValueError, Damaged)
