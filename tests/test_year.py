"""Weeks of digests with all that goes wrong; the long form is a year: python -m tests.soak.year."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.crowd import crowd
from tests.soak.year import live


@pytest.mark.parametrize("seed", [0, 1])
async def test_through_eight_weeks_of_trouble_each_slot_has_the_digest_that_it_should(
    seed: int,
) -> None:
    result = await live(12, 56, seed)

    assert result.faults == 0, result.first_faults
    assert result.posts > 100
    assert {"kill", "stop", "jump", "change", "pause", "landed", "lost"} <= result.happened.keys()


async def test_a_file_keeps_it_all_through_restarts(tmp_path: Path) -> None:
    result = await live(12, 14, 2, tmp_path / "paperboy.sqlite3")

    assert result.faults == 0, result.first_faults
    assert result.happened["start"] > 0


async def test_a_quiet_slot_tells_its_true_cause() -> None:
    result = await live(12, 56, 5)

    assert result.false_causes == 0, result.first_false_causes


async def test_a_crowd_that_is_due_at_once_is_served_to_the_last(tmp_path: Path) -> None:
    result = await crowd(tmp_path, channels=60, papers=40, known=200)

    served = result.posts, result.missed, result.doubled
    assert served == (60, 0, 0)
    assert result.cards > 20
