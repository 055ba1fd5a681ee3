"""All channels × all new papers at once: what ``bot.ranking`` says of each pair, in numpy.

The papers are read once, however many channels there are: a lexicon finds all keywords in them.
That becomes postings (papers with a raw weight) of keywords, then of clauses, then of queries, and a
channel is a sum over the postings of its queries. The formulas are those of ``bot.keywords`` and
``bot.ranking``, applied to arrays; raw weights and points are whole numbers, so that the sums are
those of ``Profile.judge`` to the last digit.

What is rare is left to ``bot.ranking`` itself, for the pairs that the postings leave over: clauses of
words or filters, authors beside words, and channels with learned words.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, pairwise, starmap

import numpy as np
from numpy.typing import NDArray

from bot.interests import Interests, Looked
from bot.keywords import UNIT, Document, rounded
from bot.model import Channel, ChannelRef, Learned
from bot.postings import Bools, Floats, Ints, Slices, distinct, ints, nths, sorted_by
from bot.ranking import (
    LINE,
    USUAL,
    Background,
    Past,
    Profile,
    free_hundredths,
    hundredths,
    line_of,
    tau,
    upvotes_raw,
    weighted,
)

Rows = NDArray[np.int32]

PAPERS = 125  # read together
_CELLS = 1_000_000  # of channels × papers, added up together
_SPARE = 100  # entries of channels that were changed or dropped


@dataclass(slots=True)
class _Standing:
    """A channel: its slice of the entries, and what has come of its calibration."""

    start: int
    count: int
    muted: tuple[int, ...]
    tau: float
    line: float = 0.0  # 0: not calibrated yet
    profile: Profile | None = None  # where words were learned


@dataclass(frozen=True, slots=True)
class Matches:
    """For each channel the papers that pass, best first."""

    documents: Sequence[Document]
    channels: dict[ChannelRef, int]
    ends: Ints  # of each channel's slice of the next two
    papers: Rows
    hundredths: Rows
    top: Ints  # of each channel the paper with most points, whether it passes or not
    top_hundredths: Ints

    def of(self, ref: ChannelRef) -> list[tuple[Document, float]]:
        """With their points; equal points: the newer first, then by id."""
        n = self.channels.get(ref)
        if n is None:
            return []
        span = slice(int(self.ends[n - 1]) if n else 0, int(self.ends[n]))
        pairs = zip(self.papers[span].tolist(), self.hundredths[span].tolist(), strict=True)
        return [(self.documents[paper], points / 100) for paper, points in pairs]

    def best(self, ref: ChannelRef) -> tuple[Document, float]:
        """What comes nearest, by its words alone: muted or below the line."""
        n = self.channels[ref]
        return self.documents[int(self.top[n])], int(self.top_hundredths[n]) / 100


def _newest_first(documents: Sequence[Document]) -> Ints:
    """The rank of each, where points are equal."""

    def key(n: int) -> tuple[int, str]:
        paper = documents[n].paper
        return -(paper.listed_on or date.min).toordinal(), paper.id

    rank = np.empty(len(documents), np.int64)
    rank[sorted(range(len(documents)), key=key)] = np.arange(len(documents))
    return rank


class _Chosen:
    """The subscriptions of some channels, one after the other."""

    def __init__(
        self,
        standings: Sequence[_Standing],
        query: array[int],
        weight: array[float],
        shared: array[int],
    ) -> None:
        slices = Slices(ints(s.start for s in standings), ints(s.count for s in standings))
        self.channel, at = slices.of_these(np.arange(len(standings)))
        self.query = np.array(query, np.int64)[at]
        self.channels = len(standings)
        self._ends = np.searchsorted(self.channel, np.arange(self.channels), side="right")
        self._weight: Floats = np.array(weight, np.float64)[at]
        self._shared = np.array(shared, np.bool_)[at]

    def floors(self, which: Ints, idf: Floats) -> Floats:
        """As ``ranking.floor_of``, given each scoring keyword's idf and *which* entry it is of."""
        found = np.full(self.channels, np.inf)
        weights = weighted(self._weight[which], rounded(UNIT * idf))
        np.minimum.at(found, self.channel[which], weights)
        found[np.isinf(found)] = USUAL
        return found

    def spans(self, looked: Looked, papers: int) -> Iterator[slice]:
        """So many channels at a time as can be added up together."""
        load = np.cumsum(np.append(looked.scored.slices.counts[self.query], 0))
        load = load[self._ends - 1] * (self._ends > 0) + papers * np.arange(1, self.channels + 1)
        cuts = np.flatnonzero(np.diff(load // _CELLS, prepend=-1, append=np.iinfo(np.int64).max))
        yield from starmap(slice, pairwise(cuts.tolist()))

    def sums(self, span: slice, looked: Looked, papers: int, lines: Floats | None = None) -> Floats:
        """[channel, paper]: raw weights, or with *lines* hundredths of points."""
        entries = slice(self._ends[span.start - 1] if span.start else 0, self._ends[span.stop - 1])
        channels = span.stop - span.start
        query, weight = self.query[entries], self._weight[entries]
        channel = self.channel[entries] - span.start
        entry, element = looked.scored.slices.of_these(query)
        cell = channel[entry] * papers + looked.scored.papers[element]
        part = looked.scored.raws[element]
        if (weight != 1).any():
            part = weighted(weight[entry], part)
        shared = self._shared[entries][entry]
        if shared.any():  # a keyword of several subscriptions counts once, at its best
            again = np.flatnonzero(shared)
            keyword = looked.scored.keywords[element[again]]
            order = np.lexsort((-part[again], keyword, cell[again]))
            key = np.stack((cell[again], keyword))[:, order]
            same = np.concatenate(([False], (key[:, 1:] == key[:, :-1]).all(axis=0)))
            part[again[order[same]]] = 0
        if lines is not None:
            part = hundredths(part, lines[span][channel[entry]])
        found: Floats = np.bincount(cell, part, channels * papers).astype(np.float64, copy=False)
        if lines is not None:
            entry, element = looked.free.of_these(query)
            cell = channel[entry] * papers + looked.free_papers[element]
            found += np.bincount(cell, free_hundredths(weight[entry]), channels * papers)
        return found.reshape(channels, papers)


class Matcher:
    """Channels, compiled and calibrated together.

    ``put`` again what has changed: the others keep what was computed for them. A channel is
    calibrated, with all that are new, when papers are next matched.
    """

    def __init__(self, background: Background) -> None:
        self.background = background
        self._past = _batches(background.documents[: len(background)])
        self._interests = Interests()
        self._channels: dict[ChannelRef, _Standing] = {}
        self._query = array("q")  # the entries: one for each subscription
        self._weight = array("d")
        self._shared = array("b")  # a keyword of it scores elsewhere in the channel, too
        self._live = 0  # entries that are some channel's
        self._new: set[ChannelRef] = set()

    def put(self, channel: Channel, learned: Sequence[Learned] = ()) -> None:
        self.drop(channel.ref)
        if len(self._query) > 2 * self._live + _SPARE:
            self._forget_old_entries()
        numbers = [self._interests.number(s.query) for s in channel.subscriptions]
        seen: set[int] = set()
        twice: set[int] = set()
        for number in numbers:
            for keyword in self._interests.scoring(number):
                (twice if keyword in seen else seen).add(keyword)
        self._channels[channel.ref] = standing = _Standing(
            len(self._query),
            len(numbers),
            tuple(self._interests.number(query) for query in channel.muted),
            tau(channel.strictness),
        )
        self._live += len(numbers)
        self._query.extend(numbers)
        self._weight.extend(s.weight for s in channel.subscriptions)
        self._shared.extend(
            self._interests.is_odd(n)
            or (bool(twice) and not twice.isdisjoint(self._interests.scoring(n)))
            for n in numbers
        )
        if learned:
            standing.profile = Profile(channel, self.background, learned)
        self._new.add(channel.ref)

    def drop(self, ref: ChannelRef) -> None:
        if gone := self._channels.pop(ref, None):
            self._live -= gone.count
        self._new.discard(ref)

    def _forget_old_entries(self) -> None:
        query, weight, shared = self._query, self._weight, self._shared
        self._query, self._weight, self._shared = array("q"), array("d"), array("b")
        for standing in self._channels.values():
            entries = slice(standing.start, standing.start + standing.count)
            standing.start = len(self._query)
            self._query.extend(query[entries])
            self._weight.extend(weight[entries])
            self._shared.extend(shared[entries])

    def line(self, ref: ChannelRef) -> float:
        """In raw units, as ``Profile.line``."""
        self.calibrate()
        return self._channels[ref].line

    def calibrate(self) -> None:
        """Give the channels that are new their lines."""
        refs = sorted(self._new)
        self._new.clear()
        if not refs:
            return
        standings = [self._channels[ref] for ref in refs]
        chosen = _Chosen(standings, self._query, self._weight, self._shared)
        queries = distinct(chosen.query)
        keywords = self._interests.keywords
        selection = self._interests.select(queries, ints(()))
        found = [keywords.find(documents, selection.keywords) for documents in self._past]
        holding = np.zeros(len(keywords), np.int64)
        for documents, held in zip(self._past, found, strict=True):
            holding += np.bincount(held.keys // len(documents), minlength=len(keywords))
        which, scoring = self._interests.scoring_of(chosen.query)
        keywords.learn_idf(distinct(scoring), holding, len(self.background))
        floors = chosen.floors(which, keywords.idf()[scoring])
        del which, scoring
        total, squares = np.zeros((2, len(refs)), np.int64)
        met = selection.met(list(chain.from_iterable(self._past)), PAPERS)
        for documents, held, by_filter in zip(self._past, found, met, strict=True):
            looked, _ = self._interests.look(documents, held, selection, by_filter)
            for span in chosen.spans(looked, len(documents)):
                raws = chosen.sums(span, looked, len(documents)).astype(np.int64)
                total[span] += raws.sum(axis=1)
                squares[span] += (raws * raws).sum(axis=1)
        papers = len(self.background)
        for n, standing in enumerate(standings):
            past = Past(int(total[n]), int(squares[n]), papers, float(floors[n]))
            standing.line = (
                standing.profile.line if standing.profile else line_of(past, standing.tau)
            )

    def profile(self, channel: Channel) -> Profile:
        """Of a channel as it was put; it costs little, because all is known."""
        self.calibrate()
        standing = self._channels[channel.ref]
        if standing.profile:
            return standing.profile
        weights = self._interests.keywords.idf_of
        profile = Profile(channel, self.background, line=standing.line)
        for keyword in profile.keywords:
            self.background.note(keyword, weights(keyword))
        return profile

    def match(self, documents: Sequence[Document]) -> Matches:
        """What passes in each channel, as if each pair were judged alone."""
        self.calibrate()
        refs, standings = list(self._channels), list(self._channels.values())
        chosen = _Chosen(standings, self._query, self._weight, self._shared)
        lines = np.array([standing.line for standing in standings])
        queries = distinct(chosen.query)
        muted = distinct(ints(chain.from_iterable(s.muted for s in standings)))
        selection = self._interests.select(queries, muted)
        sieve = _Sieve(standings, lines, muted)
        passed = [np.zeros((3, 0), np.int32)]  # half the memory of what the rest works with
        top, top_points = np.zeros((2, len(refs)), np.int64)
        first = 0
        for batch, met in zip(_batches(documents), selection.met(documents, PAPERS), strict=True):
            found = self._interests.keywords.find(batch, selection.keywords)
            looked, silent = self._interests.look(batch, found, selection, met)
            for span in chosen.spans(looked, len(batch)):
                sums = chosen.sums(span, looked, len(batch), lines)
                rows = sieve.passed(batch, span, sums, silent)
                rows[1] += first
                passed.append(rows)
                best, most = sums.argmax(axis=1), sums.max(axis=1)
                better = most > top_points[span]
                top[span][better] = best[better] + first
                top_points[span][better] = most[better]
            first += len(batch)
        channel, papers, points = np.concatenate(passed, axis=1)
        del passed
        worse = points.max(initial=0) - points
        order = sorted_by(channel, worse, _newest_first(documents)[papers])
        ends = np.searchsorted(channel[order], np.arange(len(refs)), side="right")
        channels = {ref: n for n, ref in enumerate(refs)}
        return Matches(documents, channels, ends, papers[order], points[order], top, top_points)


def _batches(documents: Sequence[Document]) -> list[Sequence[Document]]:
    return [documents[n : n + PAPERS] for n in range(0, len(documents), PAPERS)]


class _Sieve:
    """Keeps what passes of sums in hundredths of points."""

    def __init__(self, standings: Sequence[_Standing], lines: Floats, muted: Ints) -> None:
        self._lines = lines
        self._learned = {n: s.profile for n, s in enumerate(standings) if s.profile}
        channel = np.repeat(np.arange(len(standings)), [len(s.muted) for s in standings])
        which = np.searchsorted(muted, ints(chain.from_iterable(s.muted for s in standings)))
        self._mutes = [*nths(channel, which, len(standings))]

    def passed(
        self, documents: Sequence[Document], span: slice, sums: Floats, silent: Bools
    ) -> Rows:
        """(channel, paper, hundredths); *silent* tells which muted query admits which paper."""
        channel, paper = np.nonzero(sums >= 100 * LINE)
        points = sums[channel, paper]
        channel += span.start
        kept = np.ones(len(channel), np.bool_)
        for has, nth in self._mutes:
            kept &= ~(has[channel] & silent[nth[channel], paper])
        learned = [n for n in range(span.start, span.stop) if n in self._learned]
        kept &= ~np.isin(channel, learned)
        channel, paper, points = channel[kept], paper[kept], points[kept]
        votes = np.array([upvotes_raw(max(0, d.paper.upvotes)) for d in documents])
        points += hundredths(votes[paper], self._lines[channel])
        rows = [np.stack((channel, paper, points)).astype(np.int32)]
        for n in learned:
            admitted = np.flatnonzero(sums[n - span.start]).tolist()
            rows.append(_judged(n, self._learned[n], [(i, documents[i]) for i in admitted]))
        return np.concatenate(rows, axis=1)


def _judged(channel: int, profile: Profile, documents: Iterable[tuple[int, Document]]) -> Rows:
    verdicts = [(n, profile.judge(document)) for n, document in documents]
    rows = [(channel, n, round(100 * v.score)) for n, v in verdicts if v.passed]
    return np.array(rows, np.int32).reshape(-1, 3).T
