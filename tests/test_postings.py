"""Orders of many keys at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from bot.postings import ints, sorted_by


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 5), st.integers(0, 9))))
def test_the_order_is_that_of_the_first_key_then_of_the_next(rows: list[tuple[int, ...]]) -> None:
    for shift in (0, 22):  # as one number, and where they are too large for that
        keys = [ints(column) << shift for column in zip(*rows, strict=True)] or [ints(())] * 3

        order = sorted_by(*keys).tolist()

        assert sorted(rows) == [rows[n] for n in order]


def test_large_keys_do_not_run_over() -> None:
    first, second = ints([3, 1, 2]) << 60, ints([1, 1, 0]) << 40

    assert sorted_by(first, second).tolist() == [1, 2, 0]
    assert np.int64 == first.dtype
