"""How many papers hold a word: the shipped table, computed from 31,639 real abstracts of 2026."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache
from importlib import resources

FILE = "frequencies.tsv"
WORDS_FROM = 3  # the table lists words from this many papers on
PAIRS_FROM = 10  # and pairs of neighbouring stems from this many


class Frequencies:
    """Sorted lines ``term<TAB>papers``: a stem, an acronym as written, or two neighbouring stems."""

    def __init__(self, table: bytes) -> None:
        self._lines = table.splitlines()
        _, papers, title, abstract = self._lines[0].split(b"\t")
        self.papers = int(papers)
        self.title_words = float(title)  # mean length
        self.abstract_words = float(abstract)

    def count(self, term: str) -> int | None:
        """Papers that hold the term, or None where it is too rare to be listed."""
        key = term.encode() + b"\t"
        at = bisect_left(self._lines, key, 1)
        if at < len(self._lines) and self._lines[at].startswith(key):
            return int(self._lines[at][len(key) :])
        return None

    def count_prefix(self, letters: str) -> int | None:
        """Papers with any word that begins so, at most: the sum over the listed words."""
        key = letters.encode()
        at = bisect_left(self._lines, key, 1)
        total = 0
        while at < len(self._lines) and self._lines[at].startswith(key):
            term, _, count = self._lines[at].partition(b"\t")
            total += int(count) if b" " not in term else 0
            at += 1
        return min(total, self.papers) or None


@cache
def shipped() -> Frequencies:
    return Frequencies(resources.files("bot").joinpath("data", FILE).read_bytes())


def idf(papers: float, holding: float) -> float:
    """BM25's weight of a term that *holding* of *papers* have; never negative."""
    return math.log1p((papers - holding + 0.5) / (holding + 0.5))
