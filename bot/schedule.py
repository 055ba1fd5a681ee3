"""When a channel gets its digest: days and local times of a zone, as text and as dates.

The clock (UTC instants, gaps and overlaps of daylight saving) joins with the deliveries.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.errors import UserError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIMES_A_DAY = 6
_EXAMPLE = "Write days, a time and a zone: weekdays 09:00 Europe/Berlin; mon,thu 17:30; weekly mon 09:00; monthly 1 09:00; off"


@dataclass(frozen=True, slots=True)
class Schedule:
    """*days* are weekday numbers (Monday 0); *month_day* (1 to 28) excludes them.

    Without days and month_day it is off. *zone* is an IANA name; times are local to it, sorted.
    """

    days: tuple[int, ...] = ()
    times: tuple[time, ...] = (time(9),)
    zone: str = "UTC"
    month_day: int = 0

    @classmethod
    def default(cls, zone: str = "UTC") -> Schedule:
        return cls(days=(0, 1, 2, 3, 4), zone=zone)  # design §12: weekdays 09:00

    @classmethod
    def parse(cls, text: str, zone: str) -> Schedule:
        """From ``weekdays 09:00 Europe/Berlin``; *zone* is taken where the text names none."""
        words = text.replace(" ,", ",").replace(", ", ",").split()
        if [w.lower() for w in words] == ["off"]:
            return cls(days=(), zone=zone)
        if not words or len(words) > 5:
            raise UserError("That is no schedule.", hint=_EXAMPLE)
        rest = list(words)
        days, month_day = _take_days(rest)
        times = _take_times(rest)
        if rest:
            zone = _zone(" ".join(rest))
        return cls(days, times, zone, month_day)

    @property
    def is_off(self) -> bool:
        return not self.days and not self.month_day

    def __str__(self) -> str:
        if self.is_off:
            return "off"
        times = ",".join(t.strftime("%H:%M") for t in self.times)
        return f"{self._days_text()} {times} {self.zone}"

    def _days_text(self) -> str:
        if self.month_day:
            return f"monthly {self.month_day}"
        if len(self.days) == 1:
            return f"weekly {WEEKDAYS[self.days[0]]}"
        named = {(0, 1, 2, 3, 4): "weekdays", (0, 1, 2, 3, 4, 5, 6): "daily", (5, 6): "weekends"}
        return named.get(self.days) or ",".join(WEEKDAYS[d] for d in self.days)

    def in_zone(self, zone: str) -> Schedule:
        return replace(self, zone=zone)

    def has_slot_on(self, day: date) -> bool:
        return day.day == self.month_day if self.month_day else day.weekday() in self.days

    def slot_day_before(self, day: date) -> date:
        """The latest earlier day with a slot; the day before where the schedule is off."""
        if self.is_off:
            return day - timedelta(days=1)
        before = day - timedelta(days=1)
        while not self.has_slot_on(before):
            before -= timedelta(days=1)
        return before

    def next_slots(self, now: datetime, count: int) -> tuple[datetime, ...]:
        """The next *count* slots after *now* as wall-clock times of the zone."""
        if self.is_off:
            return ()
        local = now.astimezone(ZoneInfo(self.zone))
        found: list[datetime] = []
        day = local.date()
        while len(found) < count:
            if self.has_slot_on(day):
                slots = (datetime.combine(day, t, local.tzinfo) for t in self.times)
                found += [s for s in slots if s.timestamp() > now.timestamp()]
            day += timedelta(days=1)
        return tuple(found[:count])


def _take_days(words: list[str]) -> tuple[tuple[int, ...], int]:
    first = words[0].lower()
    if first == "monthly":
        words.pop(0)
        number = words.pop(0).rstrip(".") if words and ":" not in words[0] else "1"
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 28:
            raise UserError(
                f"“{number[:20]}” is no day of every month.",
                hint="Write monthly 1 09:00; the day is 1 to 28.",
            )
        return (), int(number)
    if first == "weekly":
        words.pop(0)
        if not words or _days_of(words[0]) is None:
            raise UserError("weekly needs a day.", hint="Write weekly mon 09:00")
        first = words[0].lower()
    days = _days_of(first)
    if days is None:
        if re.match(r"\d", first):
            return (0, 1, 2, 3, 4), 0
        near = difflib.get_close_matches(
            first, ["weekdays", "daily", "weekly", "monthly", "weekends", "off", *_DAY_NAMES], n=1
        )
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UserError(f"“{words[0][:40]}” names no days.", hint=meant + _EXAMPLE)
    words.pop(0)
    return days, 0


def _days_of(word: str) -> tuple[int, ...] | None:
    word = word.lower()
    groups = {
        "weekdays": range(5),
        "workdays": range(5),
        "daily": range(7),
        "everyday": range(7),
        "weekends": range(5, 7),
    }
    if word in groups:
        return tuple(groups[word])
    days: set[int] = set()
    for part in word.split(","):
        if not part:
            continue
        first, dash, last = part.partition("-")
        start = _day_of(first)
        end = _day_of(last) if dash else start
        if start is None or end is None:
            return None
        days |= {d % 7 for d in range(start, (end if end >= start else end + 7) + 1)}
    return tuple(sorted(days)) or None


def _day_of(word: str) -> int | None:
    for number, name in enumerate(_DAY_NAMES):
        if len(word) >= 2 and (name.startswith(word) or word == name + "s"):
            return number
    return None


def _take_times(words: list[str]) -> tuple[time, ...]:
    if words and words[0].lower() == "at":
        words.pop(0)
    if not words or not re.match(r"\d", words[0]):
        return (time(9),)
    text = words.pop(0).lower()
    if words and words[0].lower() in ("am", "pm"):
        text += words.pop(0).lower()
    times = {_time_of(part) for part in text.split(",") if part}
    if not 1 <= len(times) <= _TIMES_A_DAY:
        raise UserError(
            f"A day has at most {_TIMES_A_DAY} digests.", hint="Write daily 09:00,16:00"
        )
    return tuple(sorted(times))


def _time_of(text: str) -> time:
    match = re.fullmatch(r"(\d{1,2})(?:[:.h](\d{2})?)?(am|pm)?", text, re.ASCII)
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (24, 0)
    if match and match[3]:
        hour = hour % 12 + (12 if match[3] == "pm" else 0) if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59:
        raise UserError(f"“{text[:20]}” is no time of day.", hint="Write 09:00, 17:30 or 9am.")
    return time(hour, minute)


def _zone(text: str) -> str:
    wanted = text.strip().replace(" ", "_").lower()
    names = {name.lower(): name for name in zoneinfo.available_timezones()}
    if wanted in names:
        return names[wanted]
    cities = [n for low, n in names.items() if low.rpartition("/")[2] == wanted and "/" in n]
    cities = [n for n in cities if not n.startswith(("posix/", "right/", "Etc/", "US/"))]
    if len(cities) == 1:
        return cities[0]
    near = cities or [names[n] for n in difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)]
    meant = f"Did you mean {' or '.join(near[:3])}?" if near else "Write one such as Europe/Berlin."
    raise UserError(f"“{text[:60]}” names no time zone.", hint=meant)
