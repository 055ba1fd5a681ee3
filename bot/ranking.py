"""The score of a paper for a channel, as a sum of named reasons, and the line it has to reach.

Gate, then score: a subscription admits a paper or not; what its keywords weigh is a field-weighted
BM25 with corpus-wide document frequencies. Raw scores become points against the channel's line:
30 points are the line in every channel. ``ranking.md`` §6 of the design holds the measurements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise

from bot import identity
from bot.frequencies import idf, shipped
from bot.model import Channel, Paper
from bot.query import PHRASE, PREFIX, Clause, Item, Query, format_item
from bot.text import (
    GLUE,
    Field,
    Haystack,
    Part,
    Pattern,
    fold,
    is_acronym,
    pattern,
    prefix_pattern,
    tokens,
)
from bot.views import Reason

LINE = 30.0  # points
STRICTNESS = {"loose": 1.0, "normal": 2.0, "strict": 3.0}  # tau: standard deviations over the mean
BACKGROUND = 1500  # papers to calibrate against
BACKGROUND_MIN = 1000  # with fewer the floor is the line

_TITLE_WEIGHT, _TITLE_B, _ABSTRACT_B, _K1 = 4.0, 0.5, 0.75, 1.2
_APART = 0.5  # the words of a keyword, all there but not as a phrase
_USUAL = 4.0  # what a keyword weighs that 2 % of papers hold
_UPVOTES = 0.5
_UNLISTED = 3  # papers that hold a phrase too rare for the table
# The table has no pairs with words such as "of"; of the papers that hold the rarest word of "mixture
# of experts" and the like, a quarter hold the phrase (geometric mean of 25 phrases: 0.15 to 0.3)
_GLUED = 0.25


class Document:
    """A paper with its analysis, made when first needed."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper

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
        """BM25F's tf'; 1.0 is one mention in an abstract of mean length."""
        table = shipped()
        title, abstract, *_ = document.text.sections
        found = 0.0
        if self.title:
            length = len(title) / table.title_words
            found += _TITLE_WEIGHT * self.title / (1 - _TITLE_B + _TITLE_B * length)
        if self.abstract or self.keywords:
            length = len(abstract) / table.abstract_words
            mentions = self.abstract + self.keywords
            found += mentions / (1 - _ABSTRACT_B + _ABSTRACT_B * length)
        return found


def _saturated(frequency: float) -> float:
    return (1 + _K1) * frequency / (frequency + _K1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a keyword's gate is passed: as a *whole* or by its words *apart*, or both."""

    keyword: Keyword
    whole: float  # tf'
    apart: tuple[float, ...]  # tf' of each word; empty: not all are there
    where: str

    def weight(self, weigh: Callable[[Keyword], float]) -> float:
        """In raw units, given the idf of a keyword."""
        best = weigh(self.keyword) * _saturated(self.whole)
        if self.apart:
            words = zip(self.keyword.words, self.apart, strict=True)
            apart = _APART * sum(weigh(word) * _saturated(tf) for word, tf in words)
            best = max(best, apart)
        return best

    @property
    def text(self) -> str:
        words = self.keyword.words if not self.whole else (self.keyword,)
        return f"{_enumerated([word.shown for word in words])} in {self.where}"

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        if self.whole:
            return (self.keyword.pattern,)
        return tuple(word.pattern for word in self.keyword.words)


class Keyword:
    """A compiled keyword. *scope* is "", "title" or "abs"; *words* are those that may stand apart.

    Equal keywords of a profile are one object.
    """

    __slots__ = ("_needles", "pattern", "scope", "shown", "words")

    def __init__(
        self, scope: str, pattern: Pattern, shown: str, words: tuple[Keyword, ...] = ()
    ) -> None:
        self.scope = scope
        self.pattern = pattern
        self.shown = shown
        self.words = words
        self._needles = pattern.needles

    def possible(self, hay: Haystack) -> bool:
        """Whether a paper with this haystack can hold it; never False for one that does."""
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
    return _enumerated(
        [n for n in ("title", "abstract", "keywords") if any(getattr(c, n) for c in counts)]
    )


def _enumerated(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


class _Compiler:
    """Items to keywords; equal ones to one object."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, Pattern, tuple[Keyword, ...]], Keyword] = {}

    def keyword(self, item: Item) -> Keyword:
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


Filter = Callable[[Paper], str]  # the reason it is admitted, or ""


def compile_filter(item: Item) -> Filter:
    match item.field:
        case "cat":
            return _category(item.text)
        case "author":
            return _author(item.text)
        case "org":
            wanted = pattern(tokens(item.text))
            return lambda p: f"from {p.organisation}" if wanted.count(Field(p.organisation)) else ""
        case _:
            paper_id = identity.parse_id(item.text)
            return lambda p: f"id {item.text}" if p.id == paper_id else ""


def _category(wanted: str) -> Filter:
    def admit(paper: Paper) -> str:
        for category in paper.categories:
            if category == wanted or category.partition(".")[0] == wanted:
                return f"in {category}"
        return ""

    return admit


def _author(wanted: str) -> Filter:
    name = _name_parts(wanted)
    surname = len(wanted.split()) == 1 or name[0] in _PARTICLES

    def is_wanted(author: str) -> bool:
        listed = _name_parts(author)
        if surname and listed[-len(name) :] == name:
            return True
        return _same_group(name, listed) or _same_person(name, listed)

    def admit(paper: Paper) -> str:
        return next((f"by {author}" for author in paper.authors if is_wanted(author)), "")

    return admit


_PARTICLES = frozenset({
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "el",
    "al", "bin", "ibn", "ter", "ten",
})  # fmt: skip
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_GROUPS = frozenset({"collaboration", "team", "consortium", "group"})


@lru_cache(20_000)  # the authors of one window, asked for by every subscription
def _name_parts(name: str) -> tuple[str, ...]:
    surname, comma, given = name.partition(",")
    words = tokens(fold(f"{given} {surname}" if comma else name))
    kept = [word for word in words if word not in _SUFFIXES]
    return tuple(kept if len(kept) > 1 else words)


def _same_group(wanted: Sequence[str], listed: Sequence[str]) -> bool:
    """*ATLAS* and *the ATLAS Collaboration* are one."""
    return not _GROUPS.isdisjoint(listed[-1:]) and set(wanted) - {"the"} <= set(listed)


def _same_person(wanted: Sequence[str], listed: Sequence[str]) -> bool:
    """A full name needs that name, an initial takes both; middle names may be missing in either."""
    if len(wanted) < 2 or len(listed) < 2 or wanted[-1] != listed[-1]:
        return False
    given, theirs = wanted[:-1], listed[:-1]
    if not _same_given(given[0], theirs[0]):
        return False
    rest = iter(theirs[1:])
    middle = given[1:] if len(theirs) > 1 else []
    return all(any(_same_given(name, other) for other in rest) for name in middle)


def _same_given(wanted: str, listed: str) -> bool:
    return wanted == listed or (len(wanted) == 1 and listed.startswith(wanted))


@dataclass(frozen=True, slots=True)
class _Gate:
    """A compiled clause: any of its items; excluded where *negated*."""

    negated: bool
    keywords: tuple[Keyword, ...]
    filters: tuple[Filter, ...]
    text: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """A compiled query with its weight."""

    number: int
    weight: float
    gates: tuple[_Gate, ...]
    text: str


@dataclass(slots=True)
class _Outcome:
    """What one rule says of one paper."""

    rule: _Rule
    evidence: list[list[Evidence]] = field(default_factory=list)  # per clause that found keywords
    admitted: list[str] = field(default_factory=list)  # what filters say
    missing: list[str] = field(default_factory=list)  # clauses that found nothing
    excluded: list[str] = field(default_factory=list)  # exclusions that were met
    by_filters: bool = True  # they would admit it alone, whatever its words

    @property
    def passed(self) -> bool:
        return not self.missing and not self.excluded


def _compile(number: int, weight: float, query: Query, compiler: _Compiler) -> _Rule:
    gates = tuple(_gate(clause, compiler) for clause in query.clauses)
    return _Rule(number, weight, gates, str(query))


def _gate(clause: Clause, compiler: _Compiler) -> _Gate:
    return _Gate(
        clause.negated,
        tuple(compiler.keyword(item) for item in clause.items if not item.is_filter),
        tuple(compile_filter(item) for item in clause.items if item.is_filter),
        "|".join(map(format_item, clause.items)),
    )


class _Looks:
    """A paper with what each keyword finds in it, looked up once."""

    __slots__ = ("_found", "document")

    def __init__(self, document: Document) -> None:
        self.document = document
        self._found: dict[Keyword, Evidence | None] = {}

    def __getitem__(self, keyword: Keyword) -> Evidence | None:
        if keyword not in self._found:
            self._found[keyword] = keyword.look(self.document)
        return self._found[keyword]


def upvotes_reason(upvotes: int, line: float) -> Reason:
    """What upvotes add where the *line* is that many raw units."""
    points = LINE * _UPVOTES * math.log1p(upvotes) / line
    return Reason(f"{upvotes} upvote{'s' if upvotes != 1 else ''}", round(points, 2))


def _apply(rule: _Rule, looks: _Looks) -> _Outcome:
    outcome = _Outcome(rule)
    for gate in rule.gates:
        said = [text for admit in gate.filters if (text := admit(looks.document.paper))]
        found = [evidence for keyword in gate.keywords if (evidence := looks[keyword])]
        if gate.negated:
            if said or found:
                outcome.excluded.append(gate.text)
            continue
        if not said and not found:
            outcome.missing.append(gate.text)
        if not said:
            outcome.by_filters = False
        if found:
            outcome.evidence.append(found)
        outcome.admitted += said
    return outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a channel thinks of a paper; *score* is the sum of the reasons, in points."""

    paper: Paper
    score: float
    reasons: tuple[Reason, ...]
    passed: bool
    blocked: tuple[str, ...] = ()  # exclusions that were met, in plain words
    missed: tuple[tuple[int, str], ...] = ()  # subscription, its clauses that found nothing
    numbers: tuple[int, ...] = ()  # of the subscriptions that admitted it
    patterns: tuple[Pattern, ...] = ()  # what to mark in its text


class Profile:
    """A channel, compiled and calibrated. *line* is in raw units."""

    def __init__(self, channel: Channel, background: Sequence[Document]) -> None:
        compiler = _Compiler()
        self._rules = [
            _compile(s.number, s.weight, s.query, compiler) for s in channel.subscriptions
        ]
        self._muted = [_compile(0, 1.0, query, compiler) for query in channel.muted]
        self._weights = [
            (keyword, rule.weight)
            for rule in self._rules
            for gate in rule.gates
            if not gate.negated
            for keyword in gate.keywords
        ]
        every = {k for keyword, _ in self._weights for k in (keyword, *keyword.words)}
        self._idf = {k: idf(shipped().papers, k.listed()) for k in every}
        strictness = channel.strictness
        self._tau = STRICTNESS[strictness] if isinstance(strictness, str) else strictness
        self.line = self._calibrate(background)

    def _calibrate(self, background: Sequence[Document]) -> float:
        if len(background) < BACKGROUND_MIN:
            return self._floor()
        outcomes = []
        holding = dict.fromkeys([keyword for keyword, _ in self._weights], 0)
        for document in background:
            likely = [keyword for keyword in holding if keyword.possible(document.haystack)]
            if not likely:
                continue
            looks = _Looks(document)
            outcomes.append([_apply(rule, looks) for rule in self._rules])
            for keyword in likely:
                found = looks[keyword]
                holding[keyword] += 1 if found and found.whole else 0
        self._blend(holding, len(background))
        raws = [math.fsum(part for _, part in self._parts(o)) for o in outcomes]
        raws += [0.0] * (len(background) - len(raws))  # those without any keyword
        mean = math.fsum(raws) / len(raws)
        deviation = math.sqrt(math.fsum((raw - mean) ** 2 for raw in raws) / len(raws))
        return max(self._floor(), mean + self._tau * deviation)

    def _floor(self) -> float:
        """One mention of the weakest keyword in an abstract of mean length."""
        return min((weight * self._idf[k] for k, weight in self._weights), default=_USUAL)

    def _blend(self, holding: Mapping[Keyword, int], papers: int) -> None:
        """Join the library's own shares to the shipped table's, which count as 1,000 papers."""
        table = shipped().papers
        for keyword, count in holding.items():
            share = keyword.listed() / table
            blended = (BACKGROUND_MIN * share + count) / (BACKGROUND_MIN + papers)
            self._idf[keyword] = idf(table, blended * table)

    def _raw(self, evidence: Evidence) -> float:
        return evidence.weight(self._idf.__getitem__)

    def _parts(self, outcomes: Iterable[_Outcome]) -> Iterable[tuple[str, float]]:
        """Named raw parts. A keyword of several subscriptions counts once, at its best weight."""
        best: dict[Keyword | str, tuple[str, float]] = {}
        for outcome in outcomes:
            if not outcome.passed or not outcome.evidence:
                continue
            rule = outcome.rule
            suffix = f" (×{rule.weight:g})" if rule.weight != 1 else ""
            parts: list[tuple[Keyword | str, str, float]] = []
            for found in outcome.evidence:  # the items of a clause are synonyms: the best counts
                strongest = max(found, key=self._raw)
                parts.append((strongest.keyword, strongest.text, self._raw(strongest)))
            if not outcome.by_filters:
                parts += [(t, t, _USUAL) for t in outcome.admitted if t.startswith("by ")]
            for key, text, raw in parts:
                if key not in best or rule.weight * raw > best[key][1]:
                    best[key] = (text + suffix, rule.weight * raw)
        return best.values()

    def judge(self, paper: Paper) -> Verdict:
        looks = _Looks(Document(paper))
        outcomes = [_apply(rule, looks) for rule in self._rules]
        admitted = [outcome for outcome in outcomes if outcome.passed]
        parts = [(text, LINE * part / self.line) for text, part in self._parts(outcomes)]
        parts += [
            (" ".join(o.admitted) or f"matches {o.rule.text}", LINE * o.rule.weight)
            for o in admitted
            if o.by_filters
        ]
        blocked = [f"“{m.text}” is muted here" for m in self._muted if _apply(m, looks).passed]
        reasons = [Reason(text, round(points, 2)) for text, points in parts]
        passed = not blocked and _total(reasons) >= LINE
        if passed and paper.upvotes > 0:
            reasons.append(upvotes_reason(paper.upvotes, self.line))
        reasons.sort(key=lambda reason: (-reason.points, reason.text))
        return Verdict(
            paper,
            _total(reasons),
            tuple(reasons),
            passed,
            blocked=(
                *blocked,
                *(f"subscription {o.rule.number} excludes “{text}”"
                  for o in outcomes if not o.missing for text in o.excluded),
            ),
            missed=tuple((o.rule.number, " ".join(o.missing)) for o in outcomes if o.missing),
            numbers=tuple(o.rule.number for o in admitted),
            patterns=tuple(p for o in admitted for found in o.evidence for e in found for p in e.patterns),
        )  # fmt: skip


def _total(reasons: Iterable[Reason]) -> float:
    return round(math.fsum(reason.points for reason in reasons), 2)
