"""The score of a paper for a channel, as a sum of named reasons, and the line it has to reach.

Gate, then score: a subscription admits a paper or not; ``bot.keywords`` weighs what its keywords
find. Raw weights become points against the channel's line: 30 points are the line in every channel.
``ranking.md`` §6 of the design holds the measurements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from bot.filters import Filter, compile_filter
from bot.frequencies import idf, shipped
from bot.keywords import (
    UNIT,
    Compiler,
    Document,
    Evidence,
    Find,
    Keyword,
    Number,
    rounded,
)
from bot.model import Channel, Learned, Paper
from bot.query import Clause, Query, format_item
from bot.text import Pattern
from bot.views import Reason

LINE = 30.0  # points
# tau: standard deviations over the mean. The best F1 over a month of digests (tests.bench.month) is
# at 1 to 1.5, over four labelled sets (tests.bench.calibration) at 2 to 3
STRICTNESS = {"loose": 0.75, "normal": 1.5, "strict": 3.0}
BACKGROUND = 1500  # papers to calibrate against
BACKGROUND_MIN = 1000  # with fewer the floor is the line

# What every line has, so that a rare keyword may weigh more than a common one: with it one threshold
# over many channels finds more than raw weights do (pooled average precision .197, .181 raw; .150
# with a line of one mention at least). From 1 to 3 units it is the same
BASE = 2.0 * UNIT
USUAL = 4.0 * UNIT  # what a keyword weighs that 2 % of papers hold
LEARNED_SHOWN = 4  # words, one by one
_UPVOTES = 0.5
_KEPT = 20_000  # keywords whose findings are kept: a hundred large channels' own

Idf = Callable[[Keyword], float]


@dataclass(frozen=True, slots=True)
class Gate:
    """A compiled clause: any of its items; excluded where *negated*."""

    negated: bool
    keywords: tuple[Keyword, ...]
    filters: tuple[Filter, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled query; *number* and *weight* are those of its subscription."""

    number: int
    weight: float
    gates: tuple[Gate, ...]
    text: str

    @property
    def keywords(self) -> Iterator[Keyword]:
        """Those that score."""
        for gate in self.gates:
            if not gate.negated:
                yield from gate.keywords


@dataclass(slots=True)
class Outcome:
    """What one rule says of one paper."""

    rule: Rule
    evidence: list[list[Evidence]] = field(default_factory=list)  # per clause that found keywords
    admitted: list[str] = field(default_factory=list)  # what filters say
    missing: list[str] = field(default_factory=list)  # clauses that found nothing
    excluded: list[str] = field(default_factory=list)  # exclusions that were met
    by_filters: bool = True  # they would admit it alone, whatever its words

    @property
    def passed(self) -> bool:
        return not self.missing and not self.excluded

    def parts(self, idf: Idf) -> Iterator[tuple[Keyword | str, str, float]]:
        """What it adds, unless filters alone admit the paper: what counts, its text, its raw weight.

        The items of a clause are synonyms: the best counts.
        """
        if not self.passed or not self.evidence:
            return
        for found in self.evidence:
            raws = [evidence.raw(idf(evidence.keyword)) for evidence in found]
            strongest = raws.index(max(raws))
            yield found[strongest].keyword, found[strongest].text, raws[strongest]
        if not self.by_filters:
            yield from ((t, t, USUAL) for t in self.admitted if t.startswith("by "))


def compile_rule(number: int, weight: float, query: Query, compiler: Compiler) -> Rule:
    gates = tuple(_gate(clause, compiler) for clause in query.clauses)
    return Rule(number, weight, gates, str(query))


def _gate(clause: Clause, compiler: Compiler) -> Gate:
    return Gate(
        clause.negated,
        tuple(compiler.keyword(item) for item in clause.items if not item.is_filter),
        tuple(compile_filter(item) for item in clause.items if item.is_filter),
        "|".join(map(format_item, clause.items)),
    )


def apply(rule: Rule, paper: Paper, find: Find) -> Outcome:
    outcome = Outcome(rule)
    for gate in rule.gates:
        said = [text for admit in gate.filters if (text := admit(paper))]
        found = [evidence for keyword in gate.keywords if (evidence := find(keyword))]
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


def weighted(weight: Number, raw: Number) -> Number:
    return rounded(weight * raw)


def hundredths(raw: Number, line: Number) -> Number:
    """Points of a raw weight, times 100, where the *line* is so many raw units."""
    return rounded(raw * (100 * LINE / line))


def free_hundredths(weight: Number) -> Number:
    """What a subscription of filters alone gives each paper that it admits."""
    return rounded(100 * LINE * weight)


def upvotes_raw(upvotes: int) -> float:
    return rounded(UNIT * _UPVOTES * math.log1p(upvotes))


def upvotes_reason(upvotes: int, line: float) -> Reason:
    """What upvotes add where the *line* is that many raw units."""
    shown = f"{upvotes} upvote{'s' if upvotes != 1 else ''}"
    return Reason(shown, hundredths(upvotes_raw(upvotes), line) / 100)


def tau(strictness: str | float) -> float:
    return STRICTNESS[strictness] if isinstance(strictness, str) else strictness


def floor_of(weights: Iterable[tuple[float, float]]) -> float:
    """One mention of the weakest keyword in an abstract of mean length; (weight, idf) of each."""
    return min((weighted(weight, rounded(UNIT * idf)) for weight, idf in weights), default=USUAL)


class Past(NamedTuple):
    """What a channel's line is made from: sums of raw weights and of their squares over past papers."""

    total: int
    squares: int
    papers: int
    floor: float

    @property
    def mean(self) -> float:
        return self.total / self.papers

    @property
    def deviation(self) -> float:
        spread = self.squares * self.papers - self.total * self.total  # whole numbers: exact
        return math.sqrt(max(0, spread)) / self.papers


def line_of(past: Past, tau: float) -> float:
    """So many deviations over the mean, and some; the floor where the past is too short."""
    if past.papers < BACKGROUND_MIN:
        return past.floor
    return BASE + past.mean + tau * past.deviation


def blended_idf(listed: float, holding: int, papers: int) -> float:
    """From the shares of the library and of the shipped table, which counts as 1,000 papers.

    *listed* papers of the table and *holding* of so many *papers* have the keyword.
    """
    table = shipped().papers
    blended = (BACKGROUND_MIN * (listed / table) + holding) / (BACKGROUND_MIN + papers)
    return idf(table, blended * table)


class Background:
    """Past papers, and what keywords find in them."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents
        self._found: dict[Keyword, dict[int, Evidence]] = {}
        self._idf: dict[Keyword, float] = {}

    def __len__(self) -> int:
        """How many can be calibrated against: 0 where they are too few."""
        return len(self.documents) if len(self.documents) >= BACKGROUND_MIN else 0

    def read(self) -> None:
        """Analyse all of it now, so that nobody waits for it later."""
        for document in self.documents:
            _ = document.text, document.haystack

    def found(self, keyword: Keyword) -> dict[int, Evidence]:
        """By place among the documents."""
        if keyword not in self._found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[keyword] = {
                n: evidence
                for n, document in enumerate(self.documents[: len(self)])
                if (evidence := keyword.look(document))
            }
        return self._found[keyword]

    def note(self, keyword: Keyword, idf: float) -> None:
        """What a keyword weighs, where that is known already."""
        self._idf[keyword] = idf

    def idf(self, keyword: Keyword) -> float:
        if keyword not in self._idf:
            if len(self._idf) >= _KEPT:
                self._idf.clear()
            if not len(self):
                return keyword.listed_idf
            holding = sum(bool(evidence.whole) for evidence in self.found(keyword).values())
            self._idf[keyword] = blended_idf(keyword.listed(), holding, len(self))
        return self._idf[keyword]


NO_PAST = Background(())


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
    """A channel, compiled and calibrated. *line* is in raw units.

    Where somebody else has calibrated it, *line* is what came of that.
    """

    def __init__(
        self,
        channel: Channel,
        background: Background,
        learned: Sequence[Learned] = (),
        line: float | None = None,
    ) -> None:
        compiler = Compiler()
        self._rules = [
            compile_rule(s.number, s.weight, s.query, compiler) for s in channel.subscriptions
        ]
        self._muted = [compile_rule(0, 1.0, query, compiler) for query in channel.muted]
        self._learned = [(compiler.word(w.stem, f"“{w.word}”"), w.weight) for w in learned]
        self._background = background
        self.line = line_of(self.past, tau(channel.strictness)) if line is None else line

    @property
    def keywords(self) -> set[Keyword]:
        """Those that score."""
        return {keyword for rule in self._rules for keyword in rule.keywords}

    def at(self, strictness: str | float) -> Profile:
        """The same channel, stricter or looser."""
        other = copy(self)
        other.line = line_of(self.past, tau(strictness))
        return other

    @cached_property
    def past(self) -> Past:
        background = self._background
        keywords = {(k, rule.weight) for rule in self._rules for k in rule.keywords}
        floor = floor_of((weight, background.idf(keyword)) for keyword, weight in keywords)
        total = squares = 0
        for n in sorted({n for keyword, _ in keywords for n in background.found(keyword)}):
            paper = background.documents[n].paper

            def find(keyword: Keyword, n: int = n) -> Evidence | None:
                return background.found(keyword).get(n)

            parts = self._parts([apply(rule, paper, find) for rule in self._rules])
            if parts:
                parts += self._learned_parts(background.documents[n].find)
            raw = int(sum(part for _, part in parts))
            total += raw
            squares += raw * raw
        return Past(total, squares, len(background), floor)

    def _parts(self, outcomes: Iterable[Outcome]) -> list[tuple[str, float]]:
        """Named raw parts. A keyword of several subscriptions counts once, at its best weight."""
        best: dict[Keyword | str, tuple[str, float]] = {}
        for outcome in outcomes:
            weight = outcome.rule.weight
            suffix = f" (×{weight:g})" if weight != 1 else ""
            for key, text, raw in outcome.parts(self._background.idf):
                part = weighted(weight, raw)
                if key not in best or part > best[key][1]:
                    best[key] = (text + suffix, part)
        return list(best.values())

    def _learned_parts(self, find: Find) -> list[tuple[str, float]]:
        parts = [
            (f"{keyword.shown}, learned here", weighted(weight, evidence.raw(keyword.listed_idf)))
            for keyword, weight in self._learned
            if (evidence := find(keyword))
        ]
        parts.sort(key=lambda part: (-abs(part[1]), part[0]))
        shown, rest = parts[:LEARNED_SHOWN], parts[LEARNED_SHOWN:]
        if rest:
            words = f"{len(rest)} more word{'s' if len(rest) > 1 else ''} learned here"
            shown.append((words, sum(part for _, part in rest)))
        return shown

    def judge(self, paper: Paper | Document) -> Verdict:
        document = paper if isinstance(paper, Document) else Document(paper)
        paper = document.paper
        find = document.find
        outcomes = [apply(rule, paper, find) for rule in self._rules]
        admitted = [outcome for outcome in outcomes if outcome.passed]
        parts = self._parts(outcomes)
        if admitted:
            parts += self._learned_parts(find)
        reasons = [Reason(text, hundredths(part, self.line) / 100) for text, part in parts]
        reasons += [
            Reason(
                " ".join(o.admitted) or f"matches {o.rule.text}",
                free_hundredths(o.rule.weight) / 100,
            )
            for o in admitted
            if o.by_filters
        ]
        blocked = [f"“{m.text}” is muted here" for m in self._muted if apply(m, paper, find).passed]
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
