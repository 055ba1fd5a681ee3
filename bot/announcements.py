"""On which days arXiv lists new papers. It explains empty days; it never decides what is new."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

# Where arXiv's days begin: its feeds change at midnight.
NEW_YORK: Final = ZoneInfo("America/New_York")

# https://info.arxiv.org/help/availability.html: days of 2026 without a mailing. A mailing leaves at
# 20:00 in New York and is listed on the next working day, so that is the day which stays empty.
_NO_MAILING = frozenset(
    date.fromisoformat(day)
    for day in (
        "2026-01-01", "2026-01-19", "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26",
        "2026-12-25", "2026-12-29", "2026-12-31",
    )
)  # fmt: skip


def latest_day(moment: datetime) -> date:
    """The last day whose papers can be listed by then."""
    return moment.astimezone(NEW_YORK).date()


def why_empty(day: date) -> str:
    """Why arXiv lists nothing on this day, in words; empty where it should list papers."""
    if day.weekday() > 4:
        return f"arXiv announces nothing on a {day:%A}"
    for back in range(1, 4 if day.weekday() == 0 else 2):
        before = day - timedelta(days=back)
        if before in _NO_MAILING:
            return f"arXiv sent no mailing on {before.day} {before:%B %Y}, a holiday"
    return ""
