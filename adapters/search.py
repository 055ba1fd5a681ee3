"""Search for people: a tantivy index of the library, which may be thrown away at any time.

A paper's words lie in it twice. ``text`` is what ranks: stems, the title four times, without
positions. ``title``, ``abstract`` and ``keywords`` are what decides: every word by its ``_keys``, in
order, and behind the words their joined forms and acronyms. Of the paper itself only the id is kept.

On disk the index is a folder with numbered generations. A new one counts from its single commit on,
which also writes the *mark*: our version and the library's revision it has reached.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import mmap
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from difflib import SequenceMatcher
from functools import cache
from hashlib import blake2b
from heapq import nlargest
from importlib.metadata import version
from itertools import filterfalse, islice, pairwise, product
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import tantivy
from tantivy import Occur, Query as Wanted

from bot import identity
from bot.errors import PaperboyError, UserError
from bot.frequencies import idf, shipped
from bot.model import Origin, Paper
from bot.ports import Library, Page, Revision, Search
from bot.query import PHRASE, PREFIX, WORDS, Clause, Item, Query, format_query
from bot.ranking import Document, Keyword, compile_filter
from bot.text import GLUE, Field, Part, Pattern, fold, pattern, prefix_pattern, stem, tokens

log = logging.getLogger(__name__)

T = TypeVar("T")
_Hits = list[tuple[Any, tantivy.DocAddress]]
_Weight = tuple[float, int]

VERSION = f"1 {version('tantivy')}"  # raise the number with the fields or the tokens of bot.text
SOURCES = ("arxiv", "huggingface", "journal")
BATCH = 1000  # papers read from the library at once
SCANNED = 1000  # papers that a scan looks at closely
PATIENCE = 0.5  # seconds that a question waits for an index that is behind
RETRY = 60.0  # seconds between attempts to write where the disk refuses
WASTE = 0.1  # share of replaced papers, which still count in the weights, that is too much

# nDCG@10 in the mean of four labelled sets decided these: python -m tests.bench.ranking
_TITLE = 4  # times the words of a title count
_PAIRS = {"title": 0.1, "abstract": 0.2}  # neighbours in the query that are neighbours there
_TITLE_WORDS = 20  # of a query that may be a piece of a title
_PAIR_REACH = 3  # positions from one word to the next that is no glue
# What would cost much and tell little: a word of a quarter of all papers beside others, a pair of
# words of a twentieth each, more than a few pairs. Small libraries can afford all of it
_TERM_SHARE, _PAIR_SHARE, _COMMON = 0.25, 0.05, 1000
_TELLING, _PAIRS_ASKED = 3, 8
_JOINED = 0.2  # another spelling of words that count themselves
# Words of a question that say nothing of its subject
_ASKING = frozenset({
    "what", "how", "who", "whom", "when", "where", "why", "would", "should", "could", "do", "does",
    "did", "there", "been", "being", "i", "am", "if", "no", "you", "your", "me", "my", "some",
    "more", "most", "other", "many", "much", "each", "about", "between", "through", "only", "then",
    "will", "must", "had", "given",
})  # fmt: skip
_SILENT = GLUE | _ASKING | {stem(word) for word in GLUE | _ASKING}

_SCOPES = {"": ("title", "abstract", "keywords"), "title": ("title",), "abs": ("abstract",)}
_SPELLINGS = 64  # phrases that one phrase may become when its words have several forms
_FORMS = 20  # of a prefix, that score
_SIMILAR_TERMS = 30
_NEAR = 0.8  # likeness of a word that may have been meant
_TIES = 20  # hits looked at behind a page, for those of equal score
_PLACE_BITS, _DAY_BITS = 31, 20
_FOOTER = 1337  # the magic number of tantivy's file footers


class _Keys(dict[str, str]):
    """Folded word to what stands for it in the index: a plural is its singular, as in a phrase."""

    def __missing__(self, word: str) -> str:
        if len(self) >= 200_000:
            self.clear()
        bare = word.removesuffix("s")
        found = self[word] = bare if bare and stem(bare) == stem(word) else word
        return found


_keys = _Keys()


@cache
def _schema() -> tantivy.Schema:
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


def _document(paper: Paper, origins: frozenset[Origin]) -> tantivy.Document:
    document = tantivy.Document()
    document.add_text("id", paper.id)
    field = Field(paper.title, paper.abstract, *paper.keywords)
    keys = list(map(_keys.__getitem__, field.words))
    # Beside a word: its joined form and the acronym as written, to rank and to decide
    beside = [
        (i, joined, _keys[field.words[i] + field.words[i + 1]])
        for joined, places in field.joined.items()
        for i in places
    ]
    beside += [(i, word, word) for word, places in field.acronyms.items() for i in places]
    ranking: list[str] = []
    for number, section in enumerate(field.sections):
        name = ("title", "abstract", "keywords")[min(number, 2)]
        start, stop = section.start, section.stop
        document.add_text(name, " ".join(keys[start:stop]))
        said = list(filterfalse(GLUE.__contains__, field.stems[start:stop]))
        for place, ranked, deciding in beside:
            if start <= place < stop:
                document.add_text(name, deciding)
                said.append(ranked)
        ranking += said * (_TITLE if number == 0 else 1)
    document.add_text("text", " ".join(ranking))
    for fact in _facts(paper, origins):
        document.add_text("fact", fact)
    for author in paper.authors:
        if surname := _surname(author):
            document.add_text("author", f"{surname}|{author[:200]}")
    if paper.organisation:
        document.add_text(
            "organisation", " ".join(_keys[word] for word in Field(paper.organisation).words)
        )
    newest = _newest(paper)
    document.add_unsigned("newest", newest)
    votes = min(paper.upvotes, (1 << 13) - 1)
    document.add_unsigned("voted", votes << (_PLACE_BITS + _DAY_BITS) | newest)
    return document


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


def _surname(name: str) -> str:
    """The word under which a listed name is found; ``compile_filter`` then decides."""
    before, comma, _ = name.partition(",")
    words = [word for word in tokens(fold(before if comma else name)) if word not in _TITLES]
    if words and words[-1] in _GROUPS:
        return _GROUP
    return words[-1] if words else ""


_TITLES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_GROUPS = frozenset({"collaboration", "team", "consortium", "group"})
_GROUP = "a group"


def _newest(paper: Paper) -> int:
    """Greater for later list days, then for smaller ids."""
    day = paper.listed_on.toordinal() if paper.listed_on else 0
    return (day << _PLACE_BITS) + (1 << _PLACE_BITS) - 1 - _place(paper.id)


def _place(paper_id: str) -> int:
    if match := re.fullmatch(r"arxiv:(\d{4})\.(\d{4,5})", paper_id, re.ASCII):
        return int(match[1]) * 100_000 + int(match[2])
    digest = blake2b(paper_id.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return 1 << (_PLACE_BITS - 1) | int.from_bytes(digest) >> 2


def _any(found: Sequence[Wanted]) -> Wanted:
    if not found:
        return Wanted.empty_query()
    return found[0] if len(found) == 1 else Wanted.boolean_query([(Occur.Should, q) for q in found])


def _all(found: Sequence[Wanted]) -> Wanted:
    return found[0] if len(found) == 1 else Wanted.boolean_query([(Occur.Must, q) for q in found])


def _term(field: str, value: str) -> Wanted:
    return Wanted.term_query(_schema(), field, value)


def _is_free(clause: Clause) -> bool:
    """Words that rank and decide nothing."""
    return not clause.negated and all(i.kind == WORDS and not i.field for i in clause.items)


def _patterns(item: Item) -> list[Pattern]:
    """What a text must hold, all of it."""
    if item.kind == PREFIX:
        return [prefix_pattern(item.text)]
    if item.kind == PHRASE:
        return [pattern(tokens(item.text), exact=True)]
    return [pattern(parts) for word in item.text.split() if (parts := tokens(word))]


def _asked_id(query: Query) -> str | None:
    """The paper that is named by a query of nothing else."""
    asked = [clause for clause in query.clauses if not clause.negated]
    if len(asked) != 1 or len(asked[0].items) != 1:
        return None
    item = asked[0].items[0]
    return identity.parse_id(item.text) if not item.field else None


@dataclass(frozen=True, slots=True)
class _View:
    """The index as it was after one commit."""

    searcher: tantivy.Searcher
    revision: int
    beyond: int = 0  # papers that a scan has left out

    @property
    def papers(self) -> int:
        return self.searcher.num_docs - 1  # without the mark

    def find(self, search: Search, canonical: Mapping[str, str]) -> Page:
        """*canonical* resolves the ids that the query names."""
        query, scored = self._compile(search, canonical)
        limit = min(search.limit, self.papers - search.offset)
        if limit < 1:
            hits, total = self._top(query, 1)
            return Page((), total + self.beyond)
        if search.sort == "best" and scored:
            hits, total = self._ranked(query, search.offset + limit)
            found = [(self._id(at), score) for score, at in hits[search.offset :]]
        else:
            order = "voted" if search.sort == "upvotes" else "newest"
            hits, total = self._top(query, limit, order_by_field=order, offset=search.offset)
            found = [(self._id(at), 0.0) for _, at in hits]
        return Page(tuple(found), total + self.beyond)

    def _top(
        self, query: Wanted, limit: int, *, order_by_field: str | None = None, offset: int = 0
    ) -> tuple[_Hits, int]:
        found = self.searcher.search(query, limit, order_by_field=order_by_field, offset=offset)
        return found.hits, found.count  # type: ignore[attr-defined]  # the stubs forget it

    def _ranked(self, query: Wanted, wanted: int) -> tuple[_Hits, int]:
        """The best, and among those of equal score the newest, whatever the files look like."""
        reach = wanted + _TIES
        while True:
            hits, total = self._top(query, reach)
            scores = [round(score, 3) for score, _ in hits]
            if len(scores) < reach or scores[-1] < scores[wanted - 1]:
                break
            reach *= 4
        newest = self.searcher.fast_field_values("newest", [at for _, at in hits]) if hits else []
        order = sorted(range(len(hits)), key=lambda n: (-scores[n], -(newest[n] or 0)))
        return [(scores[n], hits[n][1]) for n in order[:wanted]], total

    def _id(self, at: tantivy.DocAddress) -> str:
        return str(self.searcher.doc(at)["id"][0])

    def similar(self, paper: Paper, limit: int) -> list[tuple[str, float]]:
        if not self.papers:
            return []
        field = Field(paper.title, paper.abstract, *paper.keywords)
        counts = Counter(s for s in field.stems if s and s not in _SILENT)
        title = field.sections[0]
        for said in field.stems[title.start : title.stop]:
            if said in counts:
                counts[said] += _TITLE - 1
        weights = {}
        for said, count in counts.items():
            holding = self.searcher.doc_freq("text", said)
            if holding > 1:  # not this paper alone
                weights[said] = count / (count + 2) * idf(self.papers, min(holding, self.papers))
        best = sorted(weights, key=lambda said: (-weights[said], said))[:_SIMILAR_TERMS]
        if not best:
            return []
        query = Wanted.boolean_query([
            (Occur.Must, _any([Wanted.boost_query(_term("text", s), weights[s]) for s in best])),
            (Occur.MustNot, _term("id", paper.id)),
        ])  # fmt: skip
        hits, _ = self._ranked(query, min(limit, self.papers))
        return [(self._id(at), score) for score, at in hits]

    # What decides

    def _compile(self, search: Search, canonical: Mapping[str, str]) -> tuple[Wanted, bool]:
        """The whole query, and whether anything in it scores."""
        if named := _asked_id(search.query):
            musts, scoring = [_term("id", canonical[named])], []
            clauses = [clause for clause in search.query.clauses if clause.negated]
        else:
            musts, scoring = [], self._scoring(search.query)
            clauses = [clause for clause in search.query.clauses if not _is_free(clause)]
        nots: list[Wanted] = []
        words_decide = False
        for clause in clauses:
            found = _any([self._item(item, canonical) for item in clause.items])
            (nots if clause.negated else musts).append(found)
            if not clause.negated and not all(item.is_filter for item in clause.items):
                words_decide = True
        musts += _limits(search)
        if not musts and not nots and scoring:
            return _any(scoring), True
        if not musts and not scoring:
            musts, nots = [Wanted.all_query()], [*nots, _term("fact", "mark")]
        parts = [(Occur.Must, Wanted.const_score_query(found, 0.0)) for found in musts]
        parts += [(Occur.MustNot, found) for found in nots]
        if scoring:  # nested: in a flat list beside a Must every word would be optional
            parts.append((Occur.Should if words_decide else Occur.Must, _any(scoring)))
        return Wanted.boolean_query(parts), bool(scoring)

    def _item(self, item: Item, canonical: Mapping[str, str]) -> Wanted:
        match item.field:
            case "cat":
                return _term("fact", f"cat:{item.text}")
            case "id":
                return _term("id", canonical[identity.parse_id(item.text) or item.text])
            case "author":
                return self._author(item)
            case "org":
                return self._pattern("organisation", pattern(tokens(item.text)))
            case scope:
                words = [
                    _any([self._pattern(name, words) for name in _SCOPES[scope]])
                    for words in _patterns(item)
                ]
                return _all(words) if words else Wanted.empty_query()

    def _author(self, item: Item) -> Wanted:
        """Every listed name that the keyword language takes for this one."""
        admits = compile_filter(item)
        found = []
        for surname in {_surname(item.text), _GROUP}:
            for term, _ in self.searcher.terms_with_prefix("author", f"{surname}|"):
                if admits(Paper("", "", authors=(term.partition("|")[2],))):
                    found.append(term)
        return Wanted.term_set_query(_schema(), "author", found) if found else Wanted.empty_query()

    def _pattern(self, field: str, words: Pattern) -> Wanted:
        found = [self._sequence(field, spelling) for spelling in words.spellings if spelling]
        return _any([query for query in found if query is not None])

    def _sequence(self, field: str, parts: Sequence[Part]) -> Wanted | None:
        if len(parts) == 1 and parts[0].prefix:
            return self._beginning(field, parts[0].word)
        if len(parts) == 1:
            terms = [parts[0].acronym] if parts[0].acronym else self._forms(field, parts[0])
            return Wanted.term_set_query(_schema(), field, terms) if terms else None
        forms = [self._forms(field, part) for part in parts]
        if not all(forms):
            return None
        phrases = [
            Wanted.phrase_query(_schema(), field, list(spelling))
            for spelling in islice(product(*forms), _SPELLINGS)
        ]
        # The words of a phrase are folded; that an acronym is one is asked besides.
        acronyms = [_term(field, part.acronym) for part in parts if part.acronym]
        return _all([_any(phrases), *acronyms])

    def _forms(self, field: str, part: Part) -> list[str]:
        """The terms that may stand for one word, the most frequent first."""
        if part.exact or part.acronym:
            key = _keys[part.word]
            return [key] if self.searcher.doc_freq(field, key) else []
        found = self.searcher.terms_with_prefix(field, part.needle)
        return [term for term, _ in found if term.islower() and stem(term) == part.stem] or [
            term for term, _ in found if term == part.word
        ]

    def _beginning(self, field: str, letters: str) -> Wanted:
        query = Wanted.regex_query(_schema(), field, f"{re.escape(letters)}.*")
        if letters.endswith("s"):  # bias is kept as bia
            query = _any([query, _term(field, _keys[letters])])
        return query

    # What scores

    def _scoring(self, query: Query) -> list[Wanted]:
        texts = [item.text for item in query.keywords if item.kind != PREFIX]
        field = Field(*texts) if texts else Field("")
        places = [i for i, said in enumerate(field.stems) if said and said not in _SILENT]
        counts = Counter(field.stems[i] for i in places)
        found = [
            Wanted.boost_query(_term("text", said), float(counts[said]))
            for said in self._telling(counts)
        ]
        found += [_term("text", acronym) for acronym in field.acronyms]
        found += [Wanted.boost_query(q, _JOINED) for q in self._other_spellings(field, places)]
        found += self._neighbours(field, places)
        words = [_keys[word] for word in field.words if word]
        if 1 < len(words) <= _TITLE_WORDS:
            found.append(Wanted.phrase_query(_schema(), "title", list(words)))
        if not found:  # nothing but glue: it is what was asked for
            found = [_term(name, word) for word in words for name in _PAIRS]
        for item in query.keywords:
            if item.kind == PREFIX:
                found += self._beginning_scores(fold(item.text))
        return found

    def _telling(self, stems: Iterable[str]) -> list[str]:
        """Without those that most papers hold, where there are enough others."""
        common = max(_COMMON, self.papers * _TERM_SHARE)
        held = {said: self.searcher.doc_freq("text", said) for said in stems}
        telling = [said for said, papers in held.items() if papers <= common]
        return telling if len(telling) >= _TELLING else list(held)

    def _neighbours(self, field: Field, places: Sequence[int]) -> Iterator[Wanted]:
        """Pairs of words with nothing but glue between them; those of rare words tell most."""
        common = max(_COMMON, self.papers * _PAIR_SHARE)
        pairs = dict.fromkeys(
            (_keys[field.words[i]], _keys[field.words[j]], j - i)
            for i, j in pairwise(places)
            if j - i <= _PAIR_REACH and "" not in field.words[i:j]
        )
        for name, boost in _PAIRS.items():
            held = {
                pair: min(self.searcher.doc_freq(name, word) for word in pair[:2]) for pair in pairs
            }
            worth = sorted((p for p in pairs if 0 < held[p] <= common), key=held.__getitem__)
            for a, b, distance in worth[:_PAIRS_ASKED]:
                phrase = Wanted.phrase_query(_schema(), name, [(0, a), (distance, b)])
                yield Wanted.boost_query(phrase, boost)

    def _holding(self, key: str) -> int:
        return self.searcher.doc_freq("abstract", key)

    def _other_spellings(self, field: Field, places: Sequence[int]) -> Iterator[Wanted]:
        """*fine tuning* as *finetuning*, and the other way round."""
        for i, j in pairwise(places):
            if j == i + 1 and field.words[i].isalpha() and field.words[j].isalpha():
                joined = stem(field.words[i] + field.words[j])
                if self.searcher.doc_freq("text", joined):
                    yield _term("text", joined)
        for word in dict.fromkeys(field.words[i] for i in places):
            for spelling in pattern([word]).spellings[1:]:
                keys = [_keys[part.word] for part in spelling]
                if all(map(self._holding, keys)):
                    yield from (Wanted.phrase_query(_schema(), name, list(keys)) for name in _PAIRS)

    def _beginning_scores(self, letters: str) -> list[Wanted]:
        stems = [
            stem(t) for t, _ in self.searcher.terms_with_prefix("abstract", letters, limit=100)
        ]
        return [_term("text", said) for said in islice(dict.fromkeys(stems), _FORMS)]

    # What may have been meant

    def suggest(self, query: Query) -> str:
        changed = False
        clauses = []
        for clause in query.clauses:
            items = []
            for item in clause.items:
                better = item.text
                if not clause.negated and not item.is_filter and item.kind != PREFIX:
                    for word in islice(filter(self._is_unknown, tokens(item.text)), 3):
                        if near := self._nearest(word.lower()):
                            better = re.sub(rf"\b{re.escape(word)}\b", near, better, count=1)
                changed |= better != item.text
                items.append(replace(item, text=better))
            clauses.append(Clause(tuple(items), clause.negated))
        return format_query(Query(tuple(clauses))) if changed else ""

    def _is_unknown(self, word: str) -> bool:
        key = _keys[word.lower()]
        return not any(self.searcher.doc_freq(name, key) for name in ("title", "abstract"))

    def _nearest(self, word: str) -> str:
        """A frequent word that begins alike and differs little."""
        matcher = SequenceMatcher(b=word)
        best, likeness = "", _NEAR
        for term, _ in self.searcher.terms_with_prefix("abstract", word[0], limit=5000):
            if abs(len(term) - len(word)) <= 2 and term.islower():
                matcher.set_seq1(term)
                if matcher.real_quick_ratio() > likeness and matcher.quick_ratio() > likeness:
                    ratio = matcher.ratio()
                    if ratio > likeness:
                        best, likeness = term, ratio
        return best


def _limits(search: Search) -> Iterator[Wanted]:
    if search.source:
        if search.source not in SOURCES:
            raise UserError(
                f"There is no source “{search.source[:80]}”.",
                hint=f"Write source: and one of {', '.join(SOURCES)}.",
            )
        yield _term("fact", f"source:{search.source}")
    if search.has_code:
        yield _term("fact", "has:code")
    if search.since or search.until:
        since, until = search.since or date.min, search.until or date.max
        yield Wanted.range_query(
            _schema(), "newest", tantivy.FieldType.Unsigned,
            since.toordinal() << _PLACE_BITS, (until.toordinal() + 1) << _PLACE_BITS,
            include_upper=False,
        )  # fmt: skip


class _Damaged(Exception):
    """What lies in the folder is no index of this version, or not whole."""


class _Generation:
    """One index, in a folder or, without a *path*, in memory. All of it runs in a worker thread."""

    def __init__(self, index: tantivy.Index, path: Path | None, view: _View) -> None:
        self._index = index
        self._path = path
        self.view = view
        self._seen = self._meta()

    @classmethod
    def create(cls, path: Path | None) -> Self:
        if path is not None:
            path.mkdir(parents=True)
        index = tantivy.Index(_schema(), str(path) if path is not None else None)
        return cls(index, path, _View(index.searcher(), 0))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises _Damaged, or what tantivy raises."""
        _verify(path)
        index = tantivy.Index.open(str(path))
        searcher = index.searcher()
        marks = searcher.search(_term("fact", "mark"), 1).hits
        if not marks:
            raise _Damaged(f"{path} was never finished")
        written, _, revision = str(searcher.doc(marks[0][1])["id"][0]).rpartition(" ")
        if written != VERSION:
            raise _Damaged(f"{path} has version {written}, not {VERSION}")
        return cls(index, path, _View(searcher, int(revision)))

    def _meta(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        found = (self._path / "meta.json").stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def is_intact(self) -> bool:
        """Whether nobody else has touched it since the last commit."""
        try:
            return self._seen == self._meta()
        except OSError:
            return False

    def waste(self) -> float:
        """The share of papers that were replaced but not yet merged away."""
        if self._path is None:
            return 0.0
        segments = json.loads((self._path / "meta.json").read_bytes())["segments"]
        held = sum(segment["max_doc"] for segment in segments)
        return 1 - self.view.searcher.num_docs / held if held > BATCH else 0.0

    def writer(self) -> tantivy.IndexWriter:
        return self._index.writer(64_000_000, 1)

    @staticmethod
    def put(writer: tantivy.IndexWriter, revisions: Iterable[Revision]) -> None:
        for revision in revisions:
            writer.delete_documents_by_term("id", revision.id)
            if revision.paper is not None:
                writer.add_document(_document(revision.paper, revision.origins))

    def commit(self, writer: tantivy.IndexWriter, revision: int) -> None:
        """Publish what was put; then wait for merges, so that nothing moves between commits."""
        mark = tantivy.Document()
        mark.add_text("id", f"{VERSION} {revision}")
        mark.add_text("fact", "mark")
        writer.delete_documents_by_term("fact", "mark")
        writer.add_document(mark)
        writer.commit()
        self._index.reload()
        self.view = _View(self._index.searcher(), revision)
        writer.wait_merging_threads()
        self._index.reload()
        self.view = _View(self._index.searcher(), revision)
        self._seen = self._meta()


def _verify(path: Path) -> None:
    """Compare every file of every segment with the CRC in its footer."""
    try:
        meta = json.loads((path / "meta.json").read_bytes())
        segments = [segment["segment_id"].replace("-", "") for segment in meta["segments"]]
        for file in (file for segment in segments for file in path.glob(f"{segment}.*")):
            with file.open("rb") as opened:
                _verify_file(file, opened.fileno())
    except (AttributeError, KeyError, TypeError) as error:
        raise _Damaged(f"{path} was changed ({error})") from error


def _verify_file(file: Path, number: int) -> None:
    with mmap.mmap(number, 0, access=mmap.ACCESS_READ) as content:
        length, magic = (int.from_bytes(content[n : n + 4 or None], "little") for n in (-8, -4))
        end = len(content) - 8 - length
        if magic != _FOOTER or end < 0:
            raise _Damaged(f"{file} breaks off")
        footer = json.loads(content[end:-8])
        with memoryview(content) as whole, whole[:end] as body:
            if zlib.crc32(body) != footer["crc"]:
                raise _Damaged(f"{file} was changed")


# What a damaged file, a missing folder or a full disk come out as: tantivy's own are ValueErrors
_REFUSED = (OSError, ValueError, _Damaged)


class PaperIndex:
    """A ``SearchIndex`` that follows its library by itself. Made by ``open``; one owner, any readers.

    Answers hold what the library held when the question came. Where there is no usable index they
    come from a plain scan; where one cannot be written, from the last that could.
    """

    def __init__(self, folder: Path, library: Library, *, readonly: bool) -> None:
        self._folder = folder
        self._library = library
        self._readonly = readonly
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._generation: _Generation | None = None
        self._view: _View | None = None  # outlives a generation that was lost
        self._following: asyncio.Task[None] | None = None
        self._scanning = asyncio.Lock()
        self._not_before = 0.0  # on the loop's clock: the next attempt to write

    @classmethod
    async def open(cls, folder: Path, library: Library, *, readonly: bool = False) -> Self:
        """*folder* is made where it is missing, unless *readonly*; a missing index is made later."""
        index = cls(folder, library, readonly=readonly)
        try:
            await index._in(index._writing, index._load)
            if not readonly and not await index._is_current():
                index._follow()
        except BaseException:
            await index.aclose()
            raise
        return index

    async def aclose(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        self._asking.shutdown()
        self._writing.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _in(self, worker: ThreadPoolExecutor, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(worker, work, *args)

    # SearchIndex

    async def search(self, search: Search) -> Page:
        if search.limit < 0 or search.offset < 0:
            raise ValueError(search)
        items = [item for clause in search.query.clauses for item in clause.items]
        named = {identity.parse_id(item.text) for item in items if item.field == "id"}
        canonical = {}
        for paper_id in named | {_asked_id(search.query)}:
            if paper_id is not None:
                known = await self._library.find(paper_id)
                canonical[paper_id] = known.id if known else paper_id
        return await self._ask(lambda view: view.find(search, canonical), _Sieve(search, canonical))

    async def similar(self, paper: Paper, limit: int) -> list[tuple[str, float]]:
        if limit < 1:
            return []
        alike = Search(Query((Clause((Item(WORDS, paper.title),)),)))
        return await self._ask(lambda view: view.similar(paper, limit), _Sieve(alike, {}))

    async def suggest(self, query: Query) -> str:
        return await self._ask(lambda view: view.suggest(query), _Sieve(Search(query), {}))

    async def update(self) -> None:
        """Bring the index up to the library now rather than with the next question."""
        if not self._readonly and not await self._is_current():
            await asyncio.wait({self._follow()})

    async def _ask(self, question: Callable[[_View], T], sieve: _Sieve) -> T:
        if not await self._is_current():
            await self._catch_up()
        if self._view is None or (self._readonly and not await self._is_current()):
            return await self._scan(question, sieve)
        return await self._in(self._asking, question, self._view)

    async def _is_current(self) -> bool:
        if self._view is None or self._view.revision != await self._library.revision():
            return False
        busy = self._following is not None and not self._following.done()
        return (
            self._readonly
            or busy
            or (self._generation is not None and self._generation.is_intact())
        )

    async def _catch_up(self) -> None:
        if self._readonly:
            await self._in(self._writing, self._load)
        elif asyncio.get_running_loop().time() >= self._not_before:
            await asyncio.wait({self._follow()}, timeout=PATIENCE)

    async def _scan(self, question: Callable[[_View], T], sieve: _Sieve) -> T:
        """Ask an index in memory of those papers that may match."""
        async with self._scanning:
            if self._view is not None and not self._readonly:
                view = self._view  # it has come about in the meantime
            else:
                at = 0
                while revisions := await self._library.revised(at, BATCH):
                    await self._in(self._asking, sieve.take, revisions)
                    at = revisions[-1].number
                view = await self._in(self._asking, sieve.view)
        return await self._in(self._asking, question, view)

    # Following the library

    def _load(self) -> None:
        """Take the newest generation on disk that is whole."""
        for number in sorted(self._numbers(), reverse=True):
            path = self._folder / str(number)
            try:
                self._generation = _Generation.open(path)
            except _REFUSED as error:
                log.info("the search index is not usable: %s", error)
                continue
            self._view = self._generation.view
            return

    def _numbers(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return [int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()]

    def _follow(self) -> asyncio.Task[None]:
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._followed(self._brought_up()))
        return self._following

    async def _followed(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (*_REFUSED, PaperboyError) as error:
            log.warning("the search index cannot be written; trying again later: %s", error)
            self._generation = None
            self._not_before = asyncio.get_running_loop().time() + RETRY

    async def _brought_up(self) -> None:
        generation = self._generation
        if generation is not None and generation.is_intact():
            await self._fill(generation)
            if await self._is_faithful(generation):
                return
            log.info("the search index is made anew")
        number = max(await self._in(self._writing, self._numbers), default=0) + 1
        generation = await self._in(self._writing, _Generation.create, self._folder / str(number))
        await self._fill(generation)
        self._generation = generation
        await self._in(self._writing, self._remove_all_but, number)

    async def _fill(self, generation: _Generation) -> None:
        """Put in what the library has learnt since; nothing counts before the commit."""
        at = generation.view.revision
        if at and at >= await self._library.revision():
            return
        writer = await self._in(self._writing, generation.writer)
        while revisions := await self._library.revised(at, BATCH):
            await self._in(self._writing, generation.put, writer, revisions)
            at = revisions[-1].number
        await self._in(self._writing, generation.commit, writer, at)
        self._view = generation.view

    async def _is_faithful(self, generation: _Generation) -> bool:
        """Whether it holds as many papers as the library, and little else."""
        view = generation.view
        count = await self._library.count()
        if view.revision != await self._library.revision():
            return view.revision < await self._library.revision()
        return view.papers == count and await self._in(self._writing, generation.waste) < WASTE

    def _remove_all_but(self, number: int) -> None:
        for other in self._numbers():
            if other != number:
                shutil.rmtree(self._folder / str(other), ignore_errors=True)


class _Sieve:
    """Takes the papers that a search may find, quickly, and the most promising of them."""

    def __init__(self, search: Search, canonical: Mapping[str, str]) -> None:
        self._sort = search.sort
        self._named = set(canonical.values())
        self._by_id = _asked_id(search.query) is not None
        self._words = {
            keyword: idf(shipped().papers, keyword.listed())
            for item in search.query.keywords
            for keyword in _keywords(item)
        }
        self._needed = [
            [_admission(item, self._named) for item in clause.items]
            for clause in search.query.clauses
            if not clause.negated and not _is_free(clause)
        ]
        self._taken: list[tuple[_Weight, Revision]] = []
        self._count = 0

    def take(self, revisions: Iterable[Revision]) -> None:
        for revision in revisions:
            if revision.paper is not None and (weight := self._weigh(Document(revision.paper))):
                self._taken.append((weight, revision))
                self._count += 1
        if len(self._taken) > SCANNED:
            self._taken = nlargest(SCANNED, self._taken, key=itemgetter(0))

    def view(self) -> _View:
        generation = _Generation.create(None)
        writer = generation.writer()
        generation.put(writer, (revision for _, revision in self._taken))
        generation.commit(writer, 0)
        return replace(generation.view, beyond=self._count - len(self._taken))

    def _weigh(self, document: Document) -> _Weight | None:
        """Greater for what will stand further up; None for what cannot be found."""
        paper = document.paper
        if self._by_id:
            return (0.0, 0) if paper.id in self._named else None
        if not all(any(admits(document) for admits in clause) for clause in self._needed):
            return None
        weight = math.fsum(w for k, w in self._words.items() if k.possible(document.haystack))
        if self._words and not weight and not self._needed:
            return None
        order = {"best": weight, "upvotes": float(paper.upvotes)}.get(self._sort, 0.0)
        return order, _newest(paper)


def _keywords(item: Item) -> list[Keyword]:
    if item.kind == PREFIX:
        return [Keyword("", prefix_pattern(item.text), "")]
    return [Keyword("", pattern([word]), "") for word in tokens(item.text)]


def _admission(item: Item, named: Collection[str]) -> Callable[[Document], object]:
    if item.field == "id":
        return lambda document: document.paper.id in named
    if item.is_filter:
        admits = compile_filter(item)
        return lambda document: admits(document.paper)
    keywords = [Keyword("", words, "") for words in _patterns(item)]
    return lambda document: all(keyword.possible(document.haystack) for keyword in keywords)
