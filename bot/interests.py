"""All distinct queries of all channels, numbered: what papers are to them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bot import identity
from bot.filters import compile_filter, last_name, name_parts, who
from bot.keywords import Compiler, Document
from bot.postings import Bools, Ints, Lists, Postings, Slices, digest, distinct, firsts, nths
from bot.query import Item, Query
from bot.ranking import Outcome, Rule, apply, compile_rule
from bot.vocabulary import Found, Vocabulary

_PLAIN, _FILTERED, _FREE, _ODD = range(4)  # kinds of queries


class Batch:
    """Some papers, and where their authors and categories are."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self.size = len(documents)
        self._admitted: dict[Item, list[int]] = {}

    def admitted(self, item: Item) -> list[int]:
        """The papers that a filter admits."""
        if item not in self._admitted:
            self._admitted[item] = list(self._of(item))
        return self._admitted[item]

    def _of(self, item: Item) -> Iterable[int]:
        if item.field == "author":
            return self._by(item.text)
        if item.field == "cat":
            return self._categories.get(item.text, ())
        if item.field == "id":
            return self._ids.get(identity.parse_id(item.text) or "", ())
        admit = compile_filter(item)
        return (n for n in range(self.size) if admit(self.documents[n].paper))

    def _by(self, wanted: str) -> set[int]:
        is_wanted = who(wanted)
        last = last_name(name_parts(wanted))
        authors = self._last_names.get(last, ()) if last else self._authors
        return {n for author in authors if is_wanted(author) for n in self._authors[author]}

    @cached_property
    def _categories(self) -> dict[str, list[int]]:
        """With archives."""
        return _index(
            {name for c in d.paper.categories for name in (c, c.partition(".")[0])}
            for d in self.documents
        )

    @cached_property
    def _ids(self) -> dict[str, list[int]]:
        return _index([d.paper.id] for d in self.documents)

    @cached_property
    def _authors(self) -> dict[str, list[int]]:
        return _index(d.paper.authors for d in self.documents)

    @cached_property
    def _last_names(self) -> dict[str, list[str]]:
        """Authors by each word of their names."""
        found: dict[str, list[str]] = {}
        for author in self._authors:
            for word in set(name_parts(author)):
                found.setdefault(word, []).append(author)
        return found


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

    def asked(self, queries: Ints) -> Ints:
        """All keywords that decide about these queries."""
        clauses = [lists.of_these(queries)[1] for lists in (self._needed, self._excluded)]
        return distinct(self._clause_keywords.of_these(distinct(np.concatenate(clauses)))[1])

    def look(self, batch: Batch, found: Found, queries: Ints, muted: Ints) -> tuple[Looked, Bools]:
        """With what the *muted* ones, which only decide, admit: [muted, paper]. Both ascend."""
        every = distinct(np.concatenate((queries, muted)))
        words = self.keywords.weigh(found, self.asked(every), batch.size)
        clauses = self._clause_postings(words, every, batch.size)
        kinds = np.array(self._kinds, np.int64)[queries]
        held = Held(clauses, self._constraints(queries[kinds != _PLAIN], muted), batch.size)
        for row, clause in enumerate(held.clauses):
            for item in self._clause_filters[clause]:
                held.rows[row, batch.admitted(item)] = True
        parts = [
            self._filtered(queries[kinds == _FILTERED], clauses, held),
            self._odd_parts(queries[kinds == _ODD], held, batch),
        ]
        starts, counts = np.zeros((2, len(self)), np.int64)
        which, clause = self._needed.of_these(plain := queries[kinds == _PLAIN])
        starts[plain[which]] = clauses.slices.starts[clause]
        counts[plain[which]] = clauses.slices.counts[clause]
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
        free = queries[kinds == _FREE]
        which, papers = np.nonzero(self._admitted(free, held))
        numbers = free[which]
        odd = self._free_odd(queries[kinds == _ODD], held, batch)
        if len(odd):
            numbers, papers = np.concatenate((np.stack((numbers, papers)), odd.T), axis=1)
            order = np.argsort(numbers, kind="stable")
            numbers, papers = numbers[order], papers[order]
        looked = Looked(scored, Slices.of(numbers, len(self)), papers)
        return looked, self._admitted(muted, held)

    def _constraints(self, queries: Ints, muted: Ints) -> Ints:
        every = np.concatenate((queries, muted))
        return distinct(np.concatenate([
            lists.of_these(every)[1] for lists in (self._needed, self._excluded)
        ]))  # fmt: skip

    def _clause_postings(self, words: Postings, queries: Ints, papers: int) -> Postings:
        """Where a clause has several keywords, a paper counts for the strongest."""
        lists = [found.of_these(queries)[1] for found in (self._needed, self._excluded)]
        clauses = distinct(np.concatenate(lists))
        starts, counts = np.zeros((2, len(self._clauses)), np.int64)
        which, keyword = self._clause_keywords.of_these(clauses)
        single = np.bincount(which, minlength=len(clauses))[which] == 1
        starts[clauses[which[single]]] = words.slices.starts[keyword[single]]
        counts[clauses[which[single]]] = words.slices.counts[keyword[single]]
        order, element = words.slices.of_these(keyword[~single])
        key = clauses[which[~single]][order] * papers + words.papers[element]
        sort = np.lexsort((order, -words.raws[element], key))
        best = sort[firsts(key[sort])]
        numbers, best = key[best] // papers, element[best]
        several = Slices.of(numbers, len(self._clauses), len(words.papers))
        starts = np.where(several.counts, several.starts, starts)
        return Postings(
            Slices(starts, counts + several.counts),
            np.concatenate((words.papers, words.papers[best])),
            np.concatenate((words.raws, words.raws[best])),
            np.concatenate((words.keywords, words.keywords[best])),
        )

    def _filtered(self, queries: Ints, clauses: Postings, held: Held) -> Postings:
        """Queries whose clauses are words or filters: words score where all clauses are met."""
        which, clause = self._needed.of_these(queries)
        order, element = clauses.slices.of_these(clause)
        query, paper = which[order], clauses.papers[element]
        for lists, wanted in ((self._needed, True), (self._excluded, False)):
            for has, nth in nths(*lists.of_these(queries), len(queries)):
                met = ~has[query] | (held.rows[held.row[nth[query]], paper] == wanted)
                query, paper, element = query[met], paper[met], element[met]
        return Postings(
            Slices.of(queries[query], len(self)),
            paper, clauses.raws[element], clauses.keywords[element],
        )  # fmt: skip

    def _admitted(self, queries: Ints, held: Held) -> Bools:
        """Which queries admit which papers."""
        found = np.ones((len(queries), held.rows.shape[1]), np.bool_)
        for lists, wanted in ((self._needed, True), (self._excluded, False)):
            for has, nth in nths(*lists.of_these(queries), len(queries)):
                found[has] &= held.rows[held.row[nth[has]]] == wanted
        return found

    def _odd_outcomes(
        self, queries: Ints, held: Held, batch: Batch
    ) -> Iterator[tuple[int, int, Outcome]]:
        which, papers = np.nonzero(self._admitted(queries, held))
        for query, n in zip(queries[which].tolist(), papers.tolist(), strict=True):
            document = batch.documents[n]
            yield query, n, apply(self._odd[query], document.paper, document.find)

    def _odd_parts(self, queries: Ints, held: Held, batch: Batch) -> Postings:
        texts: dict[str, int] = {}
        rows = []
        for number, n, outcome in self._odd_outcomes(queries, held, batch):
            for key, _, raw in outcome.parts(self.keywords.idf_of):
                if isinstance(key, str):
                    source = texts.setdefault(key, len(self.keywords) + len(texts))
                else:
                    source = self.keywords.number(key)
                rows.append((number, n, int(raw), source))
        query, papers, raws, keywords = np.array(rows, np.int64).reshape(-1, 4).T
        return Postings(Slices.of(query, len(self)), papers, raws.astype(np.float64), keywords)

    def _free_odd(self, queries: Ints, held: Held, batch: Batch) -> Ints:
        """Which query and paper, of those that filters alone admit."""
        outcomes = self._odd_outcomes(queries, held, batch)
        return np.array([(query, n) for query, n, o in outcomes if o.by_filters], np.int64)


class Held:
    """Which papers meet which of some clauses: ``rows[row[clause], paper]``."""

    def __init__(self, postings: Postings, clauses: Ints, papers: int) -> None:
        self.clauses = clauses
        self.row = np.zeros(len(postings.slices.starts), np.int64)
        self.row[clauses] = np.arange(len(clauses))
        self.rows = np.zeros((len(clauses), papers), np.bool_)
        row, element = postings.slices.of_these(clauses)
        self.rows[row, postings.papers[element]] = True
