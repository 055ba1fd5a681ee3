"""Queries of people as queries of the index: what decides, what scores, what may have been meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import SequenceMatcher
from itertools import islice, pairwise, product
from typing import Any

import tantivy
from tantivy import Occur, Query as Wanted

from adapters.search_generations import GROUP, PLACE_BITS, TITLE, key, schema, surname, term
from bot import identity
from bot.errors import UserError
from bot.filters import compile_filter
from bot.frequencies import idf
from bot.model import Paper
from bot.ports import Page, Search
from bot.query import PHRASE, PREFIX, WORDS, Clause, Item, Query, format_query
from bot.text import GLUE, Field, Part, Pattern, fold, pattern, prefix_pattern, stem, tokens

_Hits = list[tuple[Any, tantivy.DocAddress]]
SOURCES = ("arxiv", "huggingface", "journal")
# nDCG@10 in the mean of four labelled sets decided these: python -m tests.bench.ranking
_PAIRS = {"title": 0.1, "abstract": 0.2}  # neighbours in the query that are neighbours there
_TITLE_WORDS = 20  # of a query that may be a piece of a title
_PAIR_REACH = 3  # positions from one word to the next that is no glue
# What would cost much and tell little: a word of a quarter of all papers beside others, a pair of
# words of a twentieth each, more than a few pairs. Small libraries can afford all of it
_TERM_SHARE, _PAIR_SHARE, _COMMON = 0.25, 0.05, 1000
_TELLING, _PAIRS_ASKED = 3, 4
_JOINED = 0.2  # another spelling of words that count themselves
# Words of a question that say nothing of its subject
_ASKING = frozenset({
    "what", "how", "who", "whom", "when", "where", "why", "would", "should", "could", "do", "does",
    "did", "there", "been", "being", "i", "am", "if", "no", "you", "your", "me", "my", "some",
    "more", "most", "other", "many", "much", "each", "about", "between", "through", "only", "then",
    "will", "must", "had", "given",
})  # fmt: skip
SILENT = GLUE | _ASKING | {stem(word) for word in GLUE | _ASKING}

_SCOPES = {"": ("title", "abstract", "keywords"), "title": ("title",), "abs": ("abstract",)}
_SPELLINGS = 64  # phrases that one phrase may become when its words have several forms
_FORMS = 20  # of a prefix, that score
_PREFIXES = 8  # in one search
_SIMILAR_TERMS = 30
_NEAR = 0.8  # likeness of a word that may have been meant
_TIES = 20  # hits looked at behind a page, for those of equal score


def _any(found: Sequence[Wanted]) -> Wanted:
    if not found:
        return Wanted.empty_query()
    return found[0] if len(found) == 1 else Wanted.boolean_query([(Occur.Should, q) for q in found])


def _all(found: Sequence[Wanted]) -> Wanted:
    return found[0] if len(found) == 1 else Wanted.boolean_query([(Occur.Must, q) for q in found])


def is_free(clause: Clause) -> bool:
    """Words that rank and decide nothing."""
    return not clause.negated and all(i.kind == WORDS and not i.field for i in clause.items)


def patterns(item: Item) -> list[Pattern]:
    """What a text must hold, all of it."""
    if item.kind == PREFIX:
        return [prefix_pattern(item.text)]
    if item.kind == PHRASE:
        return [pattern(tokens(item.text), exact=True)]
    return [pattern(parts) for word in item.text.split() if (parts := tokens(word))]


def asked_id(query: Query) -> str | None:
    """The paper that is named by a query of nothing else."""
    asked = [clause for clause in query.clauses if not clause.negated]
    if len(asked) != 1 or len(asked[0].items) != 1:
        return None
    item = asked[0].items[0]
    return identity.parse_id(item.text) if not item.field else None


@dataclass(frozen=True, slots=True)
class View:
    """The index as it was after one commit."""

    searcher: tantivy.Searcher
    revision: int
    beyond: int = 0  # papers that a scan has left out

    @property
    def papers(self) -> int:
        return self.searcher.num_docs - 1  # without the mark

    def find(self, search: Search, canonical: Mapping[str, str]) -> Page:
        """*canonical* resolves the ids that the query names."""
        query, scored, more = self._compile(search, canonical)
        limit = min(search.limit, self.papers - search.offset)
        if limit < 1:
            hits, total = self._top(query, 1)
            return Page((), total + self.beyond)
        if search.sort == "best" and scored:
            hits, total = self._ranked(query, search.offset + limit, more)
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

    def _ranked(self, query: Wanted, wanted: int, more: Wanted | None = None) -> tuple[_Hits, int]:
        """The best, and among those of equal score the newest, whatever the files look like.

        *more* finds few papers, mostly among the query's, and adds to their scores. Asked
        apart and joined, the two are quicker than a union of words and phrases, and as exact: who
        is among the best is so in one of them.
        """
        reach = wanted + _TIES
        while True:
            hits, total = self._top(query, reach)
            if more:
                raised, _ = self._top(
                    Wanted.boolean_query([(Occur.Must, more), (Occur.Should, query)]), reach
                )
                best = {(at.segment_ord, at.doc): (score, at) for score, at in hits}
                best |= {(at.segment_ord, at.doc): (score, at) for score, at in raised}
                hits = sorted(best.values(), key=lambda hit: -hit[0])[:reach]
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
        counts = Counter(s for s in field.stems if s and s not in SILENT)
        title = field.sections[0]
        for said in field.stems[title.start : title.stop]:
            if said in counts:
                counts[said] += TITLE - 1
        weights = {}
        for said, count in counts.items():
            holding = self.searcher.doc_freq("text", said)
            if holding > 1:  # not this paper alone
                weights[said] = count / (count + 2) * idf(self.papers, min(holding, self.papers))
        best = sorted(weights, key=lambda said: (-weights[said], said))[:_SIMILAR_TERMS]
        if not best:
            return []
        query = Wanted.boolean_query([
            (Occur.Must, _any([Wanted.boost_query(term("text", s), weights[s]) for s in best])),
            (Occur.MustNot, term("id", paper.id)),
        ])  # fmt: skip
        hits, _ = self._ranked(query, min(limit, self.papers))
        return [(self._id(at), score) for score, at in hits]

    # What decides

    def _compile(
        self, search: Search, canonical: Mapping[str, str]
    ) -> tuple[Wanted, bool, Wanted | None]:
        """The whole query, whether anything in it scores, and what adds to the scores (`_ranked`)."""
        _check_prefixes(search.query)
        words: list[Wanted] = []
        phrases: list[Wanted] = []
        if named := asked_id(search.query):
            musts, scoring = [term("id", canonical[named])], []
            clauses = [clause for clause in search.query.clauses if clause.negated]
        else:
            words, phrases = self._scoring(search.query)
            musts, scoring = [], [*words, *phrases]
            clauses = [clause for clause in search.query.clauses if not is_free(clause)]
        nots: list[Wanted] = []
        words_decide = False
        for clause in dict.fromkeys(clauses):
            found = _any([self._item(item, canonical) for item in clause.items])
            (nots if clause.negated else musts).append(found)
            if not clause.negated and not all(item.is_filter for item in clause.items):
                words_decide = True
        musts += _limits(search)
        if not musts and not nots and scoring:
            return _any(words or phrases), True, _any(phrases) if words and phrases else None
        if not musts and not scoring:
            musts, nots = [Wanted.all_query()], [*nots, term("fact", "mark")]
        parts = [(Occur.Must, Wanted.const_score_query(found, 0.0)) for found in musts]
        parts += [(Occur.MustNot, found) for found in nots]
        if scoring:  # nested: in a flat list beside a Must every word would be optional
            parts.append((Occur.Should if words_decide else Occur.Must, _any(scoring)))
        return Wanted.boolean_query(parts), bool(scoring), None

    def _item(self, item: Item, canonical: Mapping[str, str]) -> Wanted:
        match item.field:
            case "cat":
                return term("fact", f"cat:{item.text}")
            case "id":
                return term("id", canonical[identity.parse_id(item.text) or item.text])
            case "author":
                return self._author(item)
            case "org":
                return self._pattern("organisation", pattern(tokens(item.text)))
            case scope:
                words = [
                    _any([self._pattern(name, words) for name in _SCOPES[scope]])
                    for words in patterns(item)
                ]
                return _all(words) if words else Wanted.empty_query()

    def _author(self, item: Item) -> Wanted:
        """Every listed name that the keyword language takes for this one."""
        admits = compile_filter(item)
        found = []
        for word in {surname(item.text), GROUP}:
            for name, _ in self.searcher.terms_with_prefix("author", f"{word}|"):
                if admits(Paper("", "", authors=(name.partition("|")[2],))):
                    found.append(name)
        return Wanted.term_set_query(schema(), "author", found) if found else Wanted.empty_query()

    def _pattern(self, field: str, words: Pattern) -> Wanted:
        found = [self._sequence(field, spelling) for spelling in words.spellings if spelling]
        return _any([query for query in found if query is not None])

    def _sequence(self, field: str, parts: Sequence[Part]) -> Wanted | None:
        if len(parts) == 1 and parts[0].prefix:
            return self._beginning(field, parts[0].word)
        if len(parts) == 1:
            terms = [parts[0].acronym] if parts[0].acronym else self._forms(field, parts[0])
            return Wanted.term_set_query(schema(), field, terms) if terms else None
        forms = [self._forms(field, part) for part in parts]
        if not all(forms):
            return None
        phrases = [
            Wanted.phrase_query(schema(), field, list(spelling))
            for spelling in islice(product(*forms), _SPELLINGS)
        ]
        # The words of a phrase are folded; that an acronym is one is asked besides.
        acronyms = [term(field, part.acronym) for part in parts if part.acronym]
        return _all([_any(phrases), *acronyms])

    def _forms(self, field: str, part: Part) -> list[str]:
        """The terms that may stand for one word, the most frequent first."""
        if part.exact or part.acronym:
            found = key(part.word or part.acronym.lower())
            return [found] if self.searcher.doc_freq(field, found) else []
        if len(part.stem) == 1:  # no other word has it, and very many begin with it
            return [part.stem] if self.searcher.doc_freq(field, part.stem) else []
        terms = [found for found, _ in self.searcher.terms_with_prefix(field, part.needle)]
        return [word for word in terms if word.islower() and stem(word) == part.stem] or [
            word for word in terms if word == part.word
        ]

    def _beginning(self, field: str, letters: str) -> Wanted:
        query = Wanted.regex_query(schema(), field, f"{re.escape(letters)}.*")
        if letters.endswith("s"):  # bias is kept as bia
            query = _any([query, term(field, key(letters))])
        return query

    # What scores

    def _scoring(self, query: Query) -> tuple[list[Wanted], list[Wanted]]:
        """Words, and phrases of them, which find hardly anything that the words do not."""
        texts = [item.text for item in query.keywords if item.kind != PREFIX]
        field = Field(*texts) if texts else Field("")
        places = [i for i, said in enumerate(field.stems) if said and said not in SILENT]
        counts = Counter(field.stems[i] for i in places)
        found = [
            Wanted.boost_query(term("text", said), float(counts[said]))
            for said in self._telling(counts)
        ]
        found += [term("text", acronym) for acronym in field.acronyms]
        if found:  # nested: a union of terms alone is quicker than one of terms and phrases
            found = [_any(found)]
        phrases = list(self._neighbours(field, places))
        words = [key(word) for word in field.words if word]
        if 1 < len(words) <= _TITLE_WORDS:
            phrases.append(Wanted.phrase_query(schema(), "title", list(words)))
        if not found:  # nothing but glue: it is what was asked for
            found, phrases = (
                [*phrases, *(term(name, w) for w in dict.fromkeys(words) for name in _PAIRS)],
                [],
            )
        found += [Wanted.boost_query(q, _JOINED) for q in self._other_spellings(field, places)]
        for item in query.keywords:
            if item.kind == PREFIX:
                found += self._beginning_scores(fold(item.text))
        return found, phrases

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
            (key(field.words[i]), key(field.words[j]), j - i)
            for i, j in pairwise(places)
            if j - i <= _PAIR_REACH and "" not in field.words[i:j]
        )
        for name, boost in _PAIRS.items():
            held = {
                pair: min(self.searcher.doc_freq(name, word) for word in pair[:2]) for pair in pairs
            }
            worth = sorted((p for p in pairs if 0 < held[p] <= common), key=held.__getitem__)
            for a, b, distance in worth[:_PAIRS_ASKED]:
                phrase = Wanted.phrase_query(schema(), name, [(0, a), (distance, b)])
                yield Wanted.boost_query(phrase, boost)

    def _other_spellings(self, field: Field, places: Sequence[int]) -> Iterator[Wanted]:
        """*fine tuning* as *finetuning*, and the other way round."""
        for i, j in pairwise(places):
            if j == i + 1 and field.words[i].isalpha() and field.words[j].isalpha():
                joined = stem(field.words[i] + field.words[j])
                if self.searcher.doc_freq("text", joined):
                    yield term("text", joined)
        for word in dict.fromkeys(field.words[i] for i in places):
            for spelling in pattern([word], exact=True).spellings[1:]:
                keys = [key(part.word) for part in spelling]
                for name in _PAIRS:
                    if all(self.searcher.doc_freq(name, half) for half in keys):
                        yield Wanted.phrase_query(schema(), name, list(keys))

    def _beginning_scores(self, letters: str) -> list[Wanted]:
        stems = [
            stem(t) for t, _ in self.searcher.terms_with_prefix("abstract", letters, limit=100)
        ]
        return [term("text", said) for said in islice(dict.fromkeys(stems), _FORMS)]

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
        return not any(
            self.searcher.doc_freq(name, key(word.lower())) for name in ("title", "abstract")
        )

    def _nearest(self, word: str) -> str:
        """A frequent word that begins alike and differs little."""
        matcher = SequenceMatcher(b=word)
        best, likeness = "", _NEAR
        for known, _ in self.searcher.terms_with_prefix("abstract", word[0], limit=5000):
            if abs(len(known) - len(word)) <= 2 and known.islower():
                matcher.set_seq1(known)
                if matcher.real_quick_ratio() > likeness and matcher.quick_ratio() > likeness:
                    ratio = matcher.ratio()
                    if ratio > likeness:
                        best, likeness = known, ratio
        return best


def _check_prefixes(query: Query) -> None:
    """Each is looked for among all words of all papers."""
    found = sum(item.kind == PREFIX for clause in query.clauses for item in clause.items)
    if found > _PREFIXES:
        raise UserError(
            f"A search takes at most {_PREFIXES} words with a star; this one has {found}.",
            hint="Leave some out, or write the words in full.",
        )


def _limits(search: Search) -> Iterator[Wanted]:
    if search.source:
        if search.source not in SOURCES:
            raise UserError(
                f"There is no source “{search.source[:80]}”.",
                hint=f"Write source: and one of {', '.join(SOURCES)}.",
            )
        yield term("fact", f"source:{search.source}")
    if search.has_code:
        yield term("fact", "has:code")
    if search.since or search.until:
        since, until = search.since or date.min, search.until or date.max
        yield Wanted.range_query(
            schema(), "newest", tantivy.FieldType.Unsigned,
            since.toordinal() << PLACE_BITS, (until.toordinal() + 1) << PLACE_BITS,
            include_upper=False,
        )  # fmt: skip
