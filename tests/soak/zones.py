"""Every zone, every change of its clock, every quarter-hour: exactly one digest for each local slot.

What is right is found without a schedule and without ``fold``: by watching the zone's clock minute
by minute around the change. ``python -m tests.soak.zones`` prints its result, as JSON, to stdout;
``PYTHONTZPATH= python -m tests.soak.zones`` asks the zones of the tzdata package in place of the
system's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time as process
import zoneinfo
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.schedule import Schedule
from tests.soak.progress import bar

QUARTERS = tuple(time(n // 4, n % 4 * 15) for n in range(96))
DAILY = tuple(range(7))
_HALF_DAY = 12 * 60 * 60  # seconds
_DAY, _MINUTE, _SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The first instant with each new offset of the zone, to the second."""
    while start < end:
        if _differs(zone, start, _HALF_DAY):
            differs = partial(_differs, zone, start)
            yield start + bisect_left(range(_HALF_DAY), x=True, key=differs) * _SECOND
        start += _HALF_DAY * _SECOND


def _differs(zone: ZoneInfo, start: datetime, seconds: int) -> bool:
    later = start + seconds * _SECOND
    return later.astimezone(zone).utcoffset() != start.astimezone(zone).utcoffset()


def days_around(zone: ZoneInfo, change: datetime) -> list[date]:
    """The local days of the change, any that it skips, and one more on either side."""
    days = [(change - _SECOND).astimezone(zone).date(), change.astimezone(zone).date()]
    first = min(days) - _DAY
    return [first + timedelta(days=n) for n in range((max(days) - first).days + 2)]


def watched(zone: ZoneInfo, days: list[date]) -> dict[date, list[datetime]]:
    """For each quarter-hour of the days, the first minute at which the clock shows it or later."""
    now = datetime.combine(days[0], time(), UTC) - _DAY
    shown = now.astimezone(zone).replace(tzinfo=None)
    found: dict[date, list[datetime]] = {}
    for day in days:
        found[day] = []
        for at in QUARTERS:
            while shown < datetime.combine(day, at):
                now += _MINUTE
                shown = now.astimezone(zone).replace(tzinfo=None)
            found[day].append(now)
    return found


def stepped(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """The slots that a clock meets which always waits for the next one."""
    found: list[datetime] = []
    due = schedule.next_due(start)
    while due and due <= end:
        found.append(due)
        due = schedule.next_due(due)
    return found


def faults(name: str, change: datetime) -> Iterator[str]:
    """What a schedule of the zone gets wrong around the change, for any quarter-hour of the day."""
    zone = ZoneInfo(name)
    days = days_around(zone, change)
    right = watched(zone, days)
    for number, at in enumerate(QUARTERS):
        schedule = Schedule(DAILY, (at,), name)
        slots = sorted({right[day][number] for day in days})
        start, end = slots[0] - _SECOND, slots[-1]
        if stepped(schedule, start, end) != slots:
            yield f"{name} {at:%H:%M}: next_due misses or doubles a slot around {change}"
        if schedule.slots_between(start, end) != tuple(slots):
            yield f"{name} {at:%H:%M}: slots_between differs around {change}"
        latest = [schedule.last_slot(slot) for slot in slots]
        before = [schedule.last_slot(slot - _SECOND) for slot in slots[1:]]
        if latest != slots or before != slots[:-1]:
            yield f"{name} {at:%H:%M}: last_slot differs around {change}"
        for day in days:
            weekly = Schedule((day.weekday(),), (at,), name)
            slot = right[day][number]
            if weekly.next_due(slot - _SECOND) != slot or weekly.last_slot(slot) != slot:
                yield f"{name} {at:%H:%M}: the {day:%A} of {day} has no slot of its own"
    every = sorted({slot for day in days for slot in right[day]})
    slots_between = Schedule(DAILY, QUARTERS, name).slots_between
    if slots_between(every[0] - _SECOND, every[-1]) != tuple(every):
        yield f"{name}: 96 times a day differ around {change}"


def _rules() -> str:
    """Which release of the time zone database answers."""
    for folder in zoneinfo.TZPATH:
        source = Path(folder, "tzdata.zi")
        if source.exists():
            with source.open(encoding="utf-8") as lines:
                return f"{source}: {next(lines).strip()}"
    return f"tzdata {version('tzdata')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=2024, help="the first year")
    parser.add_argument("--last", type=int, default=2030, help="the last year, included")
    options = parser.parse_args()
    start, end = (
        datetime(options.first, 1, 1, tzinfo=UTC),
        datetime(options.last + 1, 1, 1, tzinfo=UTC),
    )
    names = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
    began = process.monotonic()
    wrong: list[str] = []
    found = slots = changing = 0
    with bar("zones", len(names)) as show:
        for number, name in enumerate(names, 1):
            zone = ZoneInfo(name)
            moments = list(changes(zone, start, end))
            found += len(moments)
            changing += bool(moments)
            for moment in moments or [start + timedelta(days=7)]:  # an ordinary day, where all are
                slots += len(QUARTERS) * len(days_around(zone, moment))
                wrong.extend(faults(name, moment))
            show(number, f"{found:,} changes, {len(wrong)} faults")
    print(json.dumps({
        "rules": _rules(), "years": [options.first, options.last], "zones": len(names),
        "zones_that_change": changing, "changes": found, "local_slots": slots,
        "faults": len(wrong), "first_faults": wrong[:10],
        "seconds": round(process.monotonic() - began, 1),
    }, indent=1))  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
