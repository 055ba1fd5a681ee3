"""What a keyword finds in a paper and what that weighs: a field-weighted BM25.

The formula works on numbers and on numpy's arrays of them, so that ``bot.matching`` weighs all
papers for all channels with the functions that weigh one. Raw weights are whole numbers, 4,096 to
BM25's unit: their sum is the same in whatever order it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from bot.frequencies import idf, shipped
from bot.model import Paper
from bot.query import PHRASE, PREFIX, Item
from bot.text import (
    GLUE,
    Field,
    Haystack,
    Needles,
    Part,
    Pattern,
    is_acronym,
    pattern,
    prefix_pattern,
    tokens,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNIT = 4096
APART = 0.5  # the words of a keyword, all there but not as a phrase

_TITLE_WEIGHT, _TITLE_B, _ABSTRACT_B, _K1 = 4.0, 0.5, 0.75, 1.2
_KEPT = 5000  # compiled keywords
_UNLISTED = 3  # papers that hold a phrase too rare for the table
# The table has no pairs with words such as "of"; of the papers that hold the rarest word of "mixture
# of experts" and the like, a quarter hold the phrase (geometric mean of 25 phrases: 0.15 to 0.3)
_GLUED = 0.25

Find = Callable[["Keyword"], "Evidence | None"]  # in one paper
Number = TypeVar("Number", float, "NDArray[np.float64]")


def frequency(
    title: Number, mentions: Number, title_words: Number, abstract_words: Number
) -> Number:
    """BM25F's tf' of so many occurrences; 1.0 is one mention in an abstract of mean length."""
    table = shipped()
    title_length = 1 - _TITLE_B + _TITLE_B * (title_words / table.title_words)
    abstract_length = 1 - _ABSTRACT_B + _ABSTRACT_B * (abstract_words / table.abstract_words)
    return _TITLE_WEIGHT * title / title_length + mentions / abstract_length


def saturated(frequency: Number) -> Number:
    return (1 + _K1) * frequency / (frequency + _K1)


def rounded(number: Number) -> Number:
    """The nearest whole number, halves up."""
    return (number + 0.5) // 1


class Document:
    """A paper with its analysis, made when first needed."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self._found: dict[Keyword, Evidence | None] = {}

    def find(self, keyword: Keyword) -> Evidence | None:
        """What it finds here; looked up once."""
        if keyword not in self._found:
            self._found[keyword] = keyword.look(self)
        return self._found[keyword]

    @cached_property
    def haystack(self) -> Haystack:
        paper = self.paper
        return Haystack.of("\n".join((paper.title, paper.abstract, *paper.keywords)))

    @cached_property
    def text(self) -> Field:
        """Title, abstract and given keywords, each a section."""
        return Field(self.paper.title, self.paper.abstract, *self.paper.keywords)


@dataclass(frozen=True, slots=True)
class _Counts:
    """How often something occurs in title, abstract and given keywords."""

    title: int
    abstract: int
    keywords: int

    def __bool__(self) -> bool:
        return bool(self.title or self.abstract or self.keywords)

    def frequency(self, document: Document) -> float:
        title, abstract, *_ = document.text.sections
        return frequency(
            float(self.title), float(self.abstract + self.keywords),
            float(len(title)), float(len(abstract)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a keyword's gate is passed: as a *whole* or by its words *apart*, or both."""

    keyword: Keyword
    whole: float  # tf'
    apart: tuple[float, ...]  # tf' of each word; empty: not all are there
    where: str

    def raw(self, weight: float) -> float:
        """In whole numbers, given what the keyword as a whole weighs."""
        best = weight * saturated(self.whole)
        if self.apart:
            apart = 0.0
            for word, found in zip(self.keyword.words, self.apart, strict=True):
                apart += word.listed_idf * saturated(found)
            best = max(best, APART * apart)
        return rounded(UNIT * best)

    @property
    def text(self) -> str:
        words = self.keyword.words if not self.whole else (self.keyword,)
        return f"{enumerated([word.shown for word in words])} in {self.where}"

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        if self.whole:
            return (self.keyword.pattern,)
        return tuple(word.pattern for word in self.keyword.words)


class Keyword:
    """A compiled keyword. *scope* is "", "title" or "abs"; *words* are those that may stand apart.

    Keywords that find the same are equal, however they are shown.
    """

    __slots__ = ("_hash", "_listed_idf", "_needles", "key", "pattern", "scope", "shown", "words")

    def __init__(
        self, scope: str, pattern: Pattern, shown: str, words: tuple[Keyword, ...] = ()
    ) -> None:
        self.scope = scope
        self.pattern = pattern
        self.shown = shown
        self.words = words
        self._needles: tuple[Needles, ...] = ()
        self._listed_idf = -1.0
        # equal for what finds the same, and quickly compared
        self.key: str = "&".join((scope, pattern.spelt, *(word.key for word in words)))
        self._hash = hash(self.key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Keyword) and self.key == other.key)

    def possible(self, hay: Haystack) -> bool:
        """Whether a paper with this haystack can hold it; never False for one that does."""
        if not self._needles:
            self._needles = self.pattern.needles
        for needles in self._needles:
            if hay.may_hold(needles):
                return True
        return bool(self.words) and all(word.possible(hay) for word in self.words)

    def look(self, document: Document) -> Evidence | None:
        if not self.possible(document.haystack):
            return None
        whole = self.counts(document)
        apart = tuple(word.counts(document) for word in self.words)
        if not all(apart):
            apart = ()
        if not whole and not apart:
            return None
        return Evidence(
            self,
            whole.frequency(document) if whole else 0.0,
            tuple(counts.frequency(document) for counts in apart),
            _places([whole] if whole else apart),
        )

    def counts(self, document: Document) -> _Counts:
        found = self.pattern.occurrences(document.text)
        title, abstract, *_ = document.text.sections
        in_title = sum(start in title for start in found)
        in_abstract = sum(start in abstract for start in found)
        return _Counts(
            in_title if self.scope != "abs" else 0,
            in_abstract if self.scope != "title" else 0,
            len(found) - in_title - in_abstract if not self.scope else 0,
        )

    def listed(self) -> float:
        """Papers of the shipped table that hold it, in its commonest spelling."""
        return max(map(_listed, self.pattern.spellings))

    @property
    def listed_idf(self) -> float:
        """What it weighs by the shipped table alone."""
        if self._listed_idf < 0:
            self._listed_idf = idf(shipped().papers, self.listed())
        return self._listed_idf


def _listed(spelling: tuple[Part, ...]) -> float:
    table = shipped()
    if spelling[0].prefix:
        return table.count_prefix(spelling[0].word) or _UNLISTED
    terms = [part.acronym or part.stem for part in spelling]
    pairs = [(a.stem, b.stem) for a, b in pairwise(spelling)]
    known = [f"{a} {b}" for a, b in pairs if a not in GLUE and b not in GLUE]
    papers = min(table.count(term) or _UNLISTED for term in terms + known)
    return papers if len(known) == len(pairs) else max(papers * _GLUED, _UNLISTED)


def _places(counts: Sequence[_Counts]) -> str:
    return enumerated(
        [n for n in ("title", "abstract", "keywords") if any(getattr(c, n) for c in counts)]
    )


def enumerated(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


class Compiler:
    """Items to keywords; equal ones mostly to one object, shown as it was met first."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, Pattern, tuple[Keyword, ...]], Keyword] = {}
        self._known: dict[Item, Keyword] = {}

    def keyword(self, item: Item) -> Keyword:
        if item not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
                self._made.clear()
            self._known[item] = self._compile(item)
        return self._known[item]

    def word(self, stem: str, shown: str) -> Keyword:
        """Any word of that stem."""
        return self._make("", Pattern(((Part(stem),),)), shown)

    def _compile(self, item: Item) -> Keyword:
        if item.kind == PREFIX:
            return self._make(item.field, prefix_pattern(item.text), f"{item.text}*")
        exact = item.kind == PHRASE
        words: tuple[Keyword, ...] = ()
        units = item.text.split()
        if not exact and len(units) > 1:
            words = tuple(
                self._make(item.field, pattern(parts), f'"{unit}"')
                for unit in units
                if (is_acronym(unit) or unit.lower() not in GLUE) and (parts := tokens(unit))
            )
        whole = pattern(tokens(item.text), exact=exact)
        return self._make(item.field, whole, f'"{item.text}"', words)

    def _make(
        self, scope: str, found: Pattern, shown: str, words: tuple[Keyword, ...] = ()
    ) -> Keyword:
        key = (scope, found, words)
        return self._made.setdefault(key, Keyword(scope, found, shown, words))
