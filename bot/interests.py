"""All distinct queries of all channels, numbered: what papers are to them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bot import identity
from bot.filters import Names, compile_filter
from bot.keywords import Compiler, Document
from bot.postings import Bools, Ints, Lists, Postings, Slices, digest, distinct, firsts, nths
from bot.query import Item, Query
from bot.ranking import Outcome, Rule, apply, compile_rule
from bot.vocabulary import Found, Vocabulary

_PLAIN, _FILTERED, _FREE, _ODD = range(4)  # kinds of queries


class Facts:
    """Papers by what filters ask for."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._admitted: dict[Item, list[int]] = {}

    def admitted(self, item: Item) -> list[int]:
        """The papers that a filter admits."""
        if item not in self._admitted:
            self._admitted[item] = list(self._of(item))
        return self._admitted[item]

    def _of(self, item: Item) -> Iterable[int]:
        match item.field:
            case "author":
                return {n for name in self._names.wanted(item.text) for n in self._authors[name]}
            case "cat":
                return self._categories.get(item.text, ())
            case "id":
                return self._ids.get(identity.parse_id(item.text) or "", ())
            case _:
                admit = compile_filter(item)
                return (n for n, document in enumerate(self._documents) if admit(document.paper))

    @cached_property
    def _categories(self) -> dict[str, list[int]]:
        """With archives."""
        return _index(
            {name for c in d.paper.categories for name in (c, c.partition(".")[0])}
            for d in self._documents
        )

    @cached_property
    def _ids(self) -> dict[str, list[int]]:
        return _index([d.paper.id] for d in self._documents)

    @cached_property
    def _authors(self) -> dict[str, list[int]]:
        return _index(d.paper.authors for d in self._documents)

    @cached_property
    def _names(self) -> Names:
        return Names(self._authors)


def _index(values: Iterable[Iterable[str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for n, names in enumerate(values):
        for name in names:
            found.setdefault(name, []).append(n)
    return found


@dataclass(frozen=True, slots=True)
class Looked:
    """What some papers are to queries: scored by words, or admitted by filters alone."""

    scored: Postings
    free: Slices
    free_papers: Ints


Condition = tuple[Bools, Ints, bool]
Met = tuple[Ints, Ints]  # rows of constraints, and papers that meet them by a filter


@dataclass(frozen=True, slots=True)
class Selection:
    """Some queries, taken apart once for all batches of papers. Arrays of one tuple go together.

    Conditions are clauses, one after the other: which queries have it, its row among the
    *constraints*, and whether it is to be met or not.
    """

    keywords: Ints  # that decide about them
    clause_keywords: tuple[Ints, Ints, Ints, Ints]  # clauses of one, and of several
    plain: tuple[Ints, Ints]  # queries, and the clause of each
    filtered: Ints
    filtered_clauses: tuple[Ints, Ints]
    filtered_conditions: list[Condition]
    free: Ints
    free_conditions: list[Condition]
    odd: Ints
    odd_conditions: list[Condition]
    muted: Ints
    muted_conditions: list[Condition]
    constraints: Ints
    filters: list[tuple[int, tuple[Item, ...]]]  # of the constraints that have some, by row

    def met(self, documents: Sequence[Document], size: int) -> Iterator[Met]:
        """By filters, for *size* documents at a time."""
        facts = Facts(documents)
        found = [
            (row, paper)
            for row, items in self.filters
            for item in items
            for paper in facts.admitted(item)
        ]
        rows, papers = np.array(found, np.int64).reshape(-1, 2).T
        for first in range(0, len(documents), size):
            here = (papers >= first) & (papers < first + size)
            yield rows[here], papers[here] - first


class Interests:
    """All distinct queries of all channels, numbered, over numbered clauses."""

    def __init__(self) -> None:
        self.keywords = Vocabulary()
        self._compiler = Compiler()
        self._numbers: dict[bytes, int] = {}
        self._kinds = array("q")
        self._needed = Lists()  # clauses
        self._excluded = Lists()
        self._scoring = Lists()  # keywords
        self._odd: dict[int, Rule] = {}
        self._clauses: dict[bytes | int, int] = {}  # a single keyword's by its number
        self._clause_keywords = Lists()
        self._clause_filters: list[tuple[Item, ...]] = []

    def __len__(self) -> int:
        return len(self._kinds)

    def number(self, query: Query) -> int:
        name = digest(str(query))
        if name not in self._numbers:
            self._numbers[name] = len(self._kinds)
            self._add(query)
        return self._numbers[name]

    def _add(self, query: Query) -> None:
        rule = compile_rule(0, 1.0, query, self._compiler)
        clauses: dict[bool, list[int]] = {False: [], True: []}
        mixed = scores = names = False
        for clause, gate in zip(query.clauses, rule.gates, strict=True):
            filters = tuple(item for item in clause.items if item.is_filter)
            keywords = list(map(self.keywords.number, gate.keywords))
            single = len(keywords) == 1 and not filters
            key = keywords[0] if single else digest(f"{keywords}|{filters}")
            if key not in self._clauses:
                self._clauses[key] = len(self._clauses)
                self._clause_keywords.append(keywords)
                self._clause_filters.append(filters)
            clauses[gate.negated].append(self._clauses[key])
            if not gate.negated:
                mixed = mixed or bool(filters and gate.keywords)
                scores = scores or bool(gate.keywords)
                names = names or any(item.field == "author" for item in filters)
        if mixed or (scores and names):
            kind = _ODD
            self._odd[len(self._kinds)] = rule
        elif not scores:
            kind = _FREE
        else:
            kind = _PLAIN if len(query.clauses) == 1 else _FILTERED
        self._kinds.append(kind)
        self._needed.append(clauses[False])
        self._excluded.append(clauses[True])
        self._scoring.append(map(self.keywords.number, rule.keywords))

    def scoring(self, number: int) -> array[int]:
        """The keywords that score."""
        return self._scoring.of(number)

    def is_odd(self, number: int) -> bool:
        return number in self._odd

    def scoring_of(self, queries: Ints) -> tuple[Ints, Ints]:
        """(which of *queries*, keyword)."""
        return self._scoring.of_these(queries)

    def select(self, queries: Ints, muted: Ints) -> Selection:
        """*muted* ones only decide. Both ascend."""
        kinds = np.array(self._kinds, np.int64)[queries]
        plain, filtered, free, odd = (queries[kinds == kind] for kind in range(4))
        clauses = self._clauses_of(np.concatenate((queries, muted)))
        which, keyword = self._clause_keywords.of_these(clauses)
        constraints = self._clauses_of(np.concatenate((filtered, free, odd, muted)))
        row = np.zeros(len(self._clauses), np.int64)
        row[constraints] = np.arange(len(constraints))
        filters = [
            (n, self._clause_filters[clause]) for n, clause in enumerate(constraints.tolist())
        ]
        plain_at, plain_clause = self._needed.of_these(plain)
        single = np.bincount(which, minlength=len(clauses))[which] == 1
        return Selection(
            keywords=distinct(keyword),
            clause_keywords=(
                clauses[which[single]], keyword[single], clauses[which[~single]], keyword[~single]
            ),
            plain=(plain[plain_at], plain_clause),
            filtered=filtered,
            filtered_clauses=self._needed.of_these(filtered),
            filtered_conditions=self._conditions(filtered, row),
            free=free,
            free_conditions=self._conditions(free, row),
            odd=odd,
            odd_conditions=self._conditions(odd, row),
            muted=muted,
            muted_conditions=self._conditions(muted, row),
            constraints=constraints,
            filters=[(n, items) for n, items in filters if items],
        )  # fmt: skip

    def _clauses_of(self, queries: Ints) -> Ints:
        return distinct(np.concatenate([
            lists.of_these(queries)[1] for lists in (self._needed, self._excluded)
        ]))  # fmt: skip

    def _conditions(self, queries: Ints, row: Ints) -> list[Condition]:
        """Clause after clause: which of the queries have it, its row, and whether it is to be met."""
        return [
            (has, row[nth], wanted)
            for lists, wanted in ((self._needed, True), (self._excluded, False))
            for has, nth in nths(*lists.of_these(queries), len(queries))
        ]

    def look(
        self, documents: Sequence[Document], found: Found, chosen: Selection, met: Met
    ) -> tuple[Looked, Bools]:
        """With what the muted ones admit: [muted, paper]."""
        words = self.keywords.weigh(found, chosen.keywords, len(documents))
        clauses = self._clause_postings(words, chosen, len(documents))
        held = _held(clauses, chosen, len(documents), met)
        parts = [self._filtered(clauses, held, chosen), self._odd_parts(held, documents, chosen)]
        starts, counts = np.zeros((2, len(self)), np.int64)
        plain, clause = chosen.plain
        starts[plain] = clauses.slices.starts[clause]
        counts[plain] = clauses.slices.counts[clause]
        offset = len(clauses.papers)
        for part in parts:
            starts += np.where(part.slices.counts, part.slices.starts + offset, 0)
            counts += part.slices.counts
            offset += len(part.papers)
        scored = Postings(
            Slices(starts, counts),
            np.concatenate([clauses.papers, *(part.papers for part in parts)]),
            np.concatenate([clauses.raws, *(part.raws for part in parts)]),
            np.concatenate([clauses.keywords, *(part.keywords for part in parts)]),
        )
        which, papers = np.nonzero(_admitted(len(chosen.free), chosen.free_conditions, held))
        numbers = chosen.free[which]
        odd = self._free_odd(held, documents, chosen)
        if len(odd):
            numbers, papers = np.concatenate((np.stack((numbers, papers)), odd.T), axis=1)
            order = np.argsort(numbers, kind="stable")
            numbers, papers = numbers[order], papers[order]
        looked = Looked(scored, Slices.of(numbers, len(self)), papers)
        return looked, _admitted(len(chosen.muted), chosen.muted_conditions, held)

    def _clause_postings(self, words: Postings, chosen: Selection, papers: int) -> Postings:
        """Where a clause has several keywords, a paper counts for the strongest."""
        starts, counts = np.zeros((2, len(self._clauses)), np.int64)
        single, single_keyword, several, several_keyword = chosen.clause_keywords
        starts[single] = words.slices.starts[single_keyword]
        counts[single] = words.slices.counts[single_keyword]
        order, element = words.slices.of_these(several_keyword)
        key = several[order] * papers + words.papers[element]
        sort = np.lexsort((order, -words.raws[element], key))
        best = sort[firsts(key[sort])]
        numbers, best = key[best] // papers, element[best]
        slices = Slices.of(numbers, len(self._clauses), len(words.papers))
        starts = np.where(slices.counts, slices.starts, starts)
        return Postings(
            Slices(starts, counts + slices.counts),
            np.concatenate((words.papers, words.papers[best])),
            np.concatenate((words.raws, words.raws[best])),
            np.concatenate((words.keywords, words.keywords[best])),
        )

    def _filtered(self, clauses: Postings, held: Bools, chosen: Selection) -> Postings:
        """Queries whose clauses are words or filters: words score where all clauses are met."""
        which, clause = chosen.filtered_clauses
        order, element = clauses.slices.of_these(clause)
        query, paper = which[order], clauses.papers[element]
        for has, row, wanted in chosen.filtered_conditions:
            met = ~has[query] | (held[row[query], paper] == wanted)
            query, paper, element = query[met], paper[met], element[met]
        return Postings(
            Slices.of(chosen.filtered[query], len(self)),
            paper, clauses.raws[element], clauses.keywords[element],
        )  # fmt: skip

    def _odd_outcomes(
        self, held: Bools, documents: Sequence[Document], chosen: Selection
    ) -> Iterator[tuple[int, int, Outcome]]:
        which, papers = np.nonzero(_admitted(len(chosen.odd), chosen.odd_conditions, held))
        for query, n in zip(chosen.odd[which].tolist(), papers.tolist(), strict=True):
            document = documents[n]
            yield query, n, apply(self._odd[query], document.paper, document.find)

    def _odd_parts(self, held: Bools, documents: Sequence[Document], chosen: Selection) -> Postings:
        texts: dict[str, int] = {}
        rows = []
        for number, n, outcome in self._odd_outcomes(held, documents, chosen):
            for key, _, raw in outcome.parts(self.keywords.idf_of):
                if isinstance(key, str):
                    source = texts.setdefault(key, len(self.keywords) + len(texts))
                else:
                    source = self.keywords.number(key)
                rows.append((number, n, int(raw), source))
        query, papers, raws, keywords = np.array(rows, np.int64).reshape(-1, 4).T
        return Postings(Slices.of(query, len(self)), papers, raws.astype(np.float64), keywords)

    def _free_odd(self, held: Bools, documents: Sequence[Document], chosen: Selection) -> Ints:
        """Which query and paper, of those that filters alone admit."""
        outcomes = self._odd_outcomes(held, documents, chosen)
        return np.array([(query, n) for query, n, o in outcomes if o.by_filters], np.int64)


def _held(clauses: Postings, chosen: Selection, papers: int, met: Met) -> Bools:
    """Which papers meet which constraints: [row, paper]."""
    held = np.zeros((len(chosen.constraints), papers), np.bool_)
    row, element = clauses.slices.of_these(chosen.constraints)
    held[row, clauses.papers[element]] = True
    held[met] = True
    return held


def _admitted(size: int, conditions: Sequence[Condition], held: Bools) -> Bools:
    """Which of so many queries admit which papers."""
    found = np.ones((size, held.shape[1]), np.bool_)
    for has, row, wanted in conditions:
        found[has] &= held[row[has]] == wanted
    return found
