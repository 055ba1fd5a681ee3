"""Slices, lists and postings in numpy: many short things in a few long arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def ragged(starts: Ints, counts: Ints) -> Ints:
    """The indices of all these slices, one slice after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)


def firsts(keys: Ints) -> Ints:
    """Where in sorted keys each new one begins."""
    return np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)])


def distinct(values: Ints) -> Ints:
    """Ascending; by sorting, which is quicker here than numpy's own way by hashing."""
    values = np.sort(values)
    return values[firsts(values)]


def sorted_by(*keys: NDArray[np.integer[Any]]) -> Ints:
    """The order by the first key, then the next; none is negative."""
    bits = [int(key.max(initial=0)).bit_length() for key in keys]
    if sum(bits) > 62:
        return np.lexsort(keys[::-1])
    packed = np.zeros(len(keys[0]), np.int64)  # as one number they are sorted five times as fast
    for key, width in zip(keys, bits, strict=True):
        packed = packed << width | key
    return np.argsort(packed)


@dataclass(frozen=True, slots=True)
class Slices:
    """Of each number from 0 on a slice of something."""

    starts: Ints
    counts: Ints

    @classmethod
    def of(cls, numbers: Ints, size: int, offset: int = 0) -> Slices:
        """*numbers* ascend, one for each element."""
        counts = np.bincount(numbers, minlength=size)
        return cls(np.cumsum(counts) - counts + offset, counts)

    def of_these(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Which of *numbers*, and which element, of all their slices."""
        counts = self.counts[numbers]
        return np.repeat(np.arange(len(numbers)), counts), ragged(self.starts[numbers], counts)


class Lists:
    """Lists of whole numbers, to be appended to, without an object for each."""

    def __init__(self) -> None:
        self._values = array("q")
        self._ends = array("q", [0])

    def append(self, values: Iterable[int]) -> None:
        self._values.extend(values)
        self._ends.append(len(self._values))

    def of(self, number: int) -> array[int]:
        return self._values[self._ends[number] : self._ends[number + 1]]

    def of_these(self, numbers: Ints) -> tuple[Ints, Ints]:
        """(which of *numbers*, value) for all values of their lists."""
        ends = np.array(self._ends, np.int64)
        which, at = Slices(ends[:-1], np.diff(ends)).of_these(numbers)
        return which, np.array(self._values, np.int64)[at]


def nths(which: Ints, values: Ints, size: int) -> Iterator[tuple[Bools, Ints]]:
    """The first value of each list, then the second, …: which lists have one, and the value."""
    lengths = np.bincount(which, minlength=size)
    starts = np.cumsum(lengths) - lengths
    for n in range(int(lengths.max(initial=0))):
        yield lengths > n, values[np.minimum(starts + n, len(values) - 1)]


@dataclass(frozen=True, slots=True)
class Postings:
    """Papers with raw weights and the keywords these come from; *slices* of many numbers."""

    slices: Slices
    papers: Ints
    raws: Floats
    keywords: Ints


def digest(text: str) -> bytes:
    """A short name for a text that is only compared."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
