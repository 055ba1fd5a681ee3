"""All keywords of all channels, numbered: what they find in papers, and what that weighs."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.keywords import APART, UNIT, Document, Keyword, frequency, rounded, saturated
from bot.lexicon import Lexicon
from bot.postings import Floats, Ints, Lists, Postings, Slices, digest, distinct, firsts, ragged
from bot.ranking import blended_idf

_SCOPES = ("", "title", "abs")


@dataclass(frozen=True, slots=True)
class Found:
    """Keywords that papers hold as a whole, as ``keyword * papers + paper``, ascending."""

    keys: Ints
    saturated: Floats


class Vocabulary:
    """All keywords of all channels, numbered: what they find and what that weighs."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._patterns: dict[bytes, int] = {}
        self._lexicon = Lexicon()
        self._pattern = array("q")
        self._scope = array("q")
        self._words = Lists()
        self._listed = array("d")  # papers of the shipped table, and what that makes it weigh
        self._listed_idf = array("d")
        self._idf = array("d")  # 0 until it is known

    def __len__(self) -> int:
        return len(self._pattern)

    def number(self, keyword: Keyword) -> int:
        name = digest(keyword.key)
        if name in self._numbers:
            return self._numbers[name]
        words = list(map(self.number, keyword.words))
        pattern = self._patterns.setdefault(digest(keyword.pattern.spelt), len(self._patterns))
        if pattern == len(self._patterns) - 1:
            self._lexicon.add(pattern, keyword.pattern)
        number = self._numbers[name] = len(self)
        self._pattern.append(pattern)
        self._scope.append(_SCOPES.index(keyword.scope))
        self._words.append(words)
        self._listed.append(keyword.listed())
        self._listed_idf.append(keyword.listed_idf)
        self._idf.append(0.0)
        return number

    def idf_of(self, keyword: Keyword) -> float:
        return self._idf[self.number(keyword)]

    def idf(self) -> Floats:
        return np.array(self._idf)

    def learn_idf(self, numbers: Ints, holding: Ints, papers: int) -> None:
        """What *numbers* weigh, given how many of so many past papers hold each keyword."""
        for n in map(int, numbers):
            if not self._idf[n]:
                self._idf[n] = (
                    blended_idf(self._listed[n], int(holding[n]), papers)
                    if papers
                    else self._listed_idf[n]
                )

    def find(self, documents: Sequence[Document], wanted: Ints) -> Found:
        """The *wanted* ones and the words of those that have several."""
        wanted = distinct(np.concatenate((wanted, self._words.of_these(wanted)[1])))
        places, title, abstract, elsewhere = self._places(documents)
        pattern = np.array(self._pattern, np.int64)[wanted]
        scope = np.array(self._scope, np.int64)[wanted]
        starts = np.searchsorted(places, pattern * len(documents))
        counts = np.searchsorted(places, (pattern + 1) * len(documents)) - starts
        at = ragged(starts, counts)
        keyword, scope = np.repeat(wanted, counts), np.repeat(scope, counts)
        titles = np.where(scope != 2, title[at], 0)
        mentions = np.where(scope != 1, abstract[at], 0) + np.where(scope == 0, elsewhere[at], 0)
        held = (titles > 0) | (mentions > 0)
        papers = (places[at] % len(documents))[held]
        lengths = np.array(
            [[len(section) for section in d.text.sections[:2]] for d in documents], np.float64
        ).reshape(-1, 2)
        tf = frequency(
            titles[held] * 1.0, mentions[held] * 1.0, lengths[papers, 0], lengths[papers, 1]
        )
        return Found(keyword[held] * len(documents) + papers, saturated(tf))

    def _places(self, documents: Sequence[Document]) -> tuple[Ints, Ints, Ints, Ints]:
        """``pattern * papers + paper``, ascending; how often in title, abstract and elsewhere."""
        hits = array("q")
        base = 0
        for document in documents:
            self._lexicon.find(document.text, base, hits)
            base += document.text.length
        found = distinct(np.array(hits, np.int64))
        lengths = [[len(section) for section in d.text.sections] for d in documents]
        paper_at = np.repeat(np.arange(len(documents)), [d.text.length for d in documents])
        section_at = np.concatenate(
            [np.zeros(0, np.int64)]
            + [
                np.concatenate(
                    [
                        np.full(
                            length + (n + 1 < len(document)), min(n, 2)
                        )  # an empty word between
                        for n, length in enumerate(document)
                    ]
                )
                for document in lengths
            ]
        )
        position = found & 0xFFFFFFFF
        places = (found >> 32) * len(documents) + paper_at[position]
        heads = firsts(places)
        section = section_at[position]
        counts = (
            np.add.reduceat((section == n).astype(np.int64), heads) if len(heads) else heads
            for n in range(3)
        )
        title, abstract, elsewhere = counts
        return places[heads], title, abstract, elsewhere

    def weigh(self, found: Found, wanted: Ints, papers: int) -> Postings:
        """Of each keyword, as a whole or by its words apart, where it is among the *wanted*."""
        asked = np.zeros(len(self), np.bool_)
        asked[wanted] = True
        keyword = found.keys // papers
        whole = asked[keyword]
        keys = found.keys[whole]
        raws = self.idf()[keyword[whole]] * found.saturated[whole]
        apart_keys, apart = self._apart(found, wanted, papers)
        keys = np.concatenate((keys, apart_keys))
        raws = np.concatenate((raws, apart))
        order = np.argsort(keys, kind="stable")
        keys, raws = keys[order], raws[order]
        heads = firsts(keys)
        best = np.maximum.reduceat(raws, heads) if len(heads) else raws
        keys = keys[heads]
        numbers = keys // papers
        return Postings(Slices.of(numbers, len(self)), keys % papers, rounded(UNIT * best), numbers)

    def _apart(self, found: Found, wanted: Ints, papers: int) -> tuple[Ints, Floats]:
        """All words of a keyword, anywhere; the weights are added in their order."""
        which, words = self._words.of_these(wanted)
        if not len(which) or not len(found.keys):
            return np.zeros(0, np.int64), np.zeros(0)
        slices = Slices.of(found.keys // papers, len(self))
        heads = firsts(which)
        keyword = wanted[which[heads]]
        lengths = np.diff(np.append(heads, len(which)))
        rarest = np.minimum.reduceat(slices.counts[words], heads)
        # Papers of the rarest word are looked up under each of the others
        first = np.full(len(heads), -1)
        is_rarest = slices.counts[words] == np.repeat(rarest, lengths)
        at = np.flatnonzero(is_rarest)[::-1]
        first[np.repeat(np.arange(len(heads)), lengths)[at]] = at  # the first of them stays
        which, element = slices.of_these(words[first])
        paper = found.keys[element] % papers
        total = np.zeros(len(which))
        listed = np.array(self._listed_idf)
        for n in range(int(lengths.max())):
            has = lengths[which] > n
            word = words[np.minimum(heads[which] + n, len(words) - 1)]
            key = word * papers + paper
            place = np.minimum(np.searchsorted(found.keys, key), len(found.keys) - 1)
            held = found.keys[place] == key
            total += np.where(has, listed[word] * found.saturated[place], 0.0)
            kept = held | ~has
            which, paper, total = which[kept], paper[kept], total[kept]
        return keyword[which] * papers + paper, APART * total
