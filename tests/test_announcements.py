"""The calendar explains an empty day and says nothing of a full one."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.announcements import why_empty

DUMP = Path(__file__).resolve().parents[2] / "shared" / "data" / "arxiv_2026_spring.jsonl.gz"


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-06-20", "arXiv announces nothing on a Saturday"),
        ("2026-06-21", "arXiv announces nothing on a Sunday"),
        ("2026-06-22", "arXiv sent no mailing on 19 June 2026, a holiday"),
        ("2026-07-06", "arXiv sent no mailing on 3 July 2026, a holiday"),
        ("2026-09-08", "arXiv sent no mailing on 7 September 2026, a holiday"),
        ("2026-01-02", "arXiv sent no mailing on 1 January 2026, a holiday"),
        ("2026-06-19", ""),
        ("2026-06-23", ""),
        ("2026-09-07", ""),
        ("2026-09-09", ""),
    ],
)
def test_an_empty_day_has_its_reason(day: str, why: str) -> None:
    assert why_empty(date.fromisoformat(day)) == why


@pytest.mark.skipif(not DUMP.exists(), reason="the dump of spring 2026 is not here")
def test_the_calendar_agrees_with_four_months_of_announcements() -> None:
    with gzip.open(DUMP, "rt", encoding="utf-8") as lines:
        listed = Counter(json.loads(line)["first_seen"] for line in lines)
    first, last = date.fromisoformat(min(listed)), date.fromisoformat(max(listed))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]

    empty = [day for day in days if listed[day.isoformat()] < 25]  # a few come by other ways

    explained = [day for day in days if why_empty(day)]
    assert [day for day in empty if day not in explained] == [date(2026, 3, 3)]  # the dump's gap
    assert [day for day in explained if day not in empty] == []
