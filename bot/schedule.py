"""When a channel gets its digest: days and local times of a zone, as text and as dates.

Which slot is due joins with the deliveries.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from bot.errors import UserError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIMES_A_DAY = 6
_LENGTH = 100
_MINUTE = timedelta(minutes=1)
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
        words = _words(text) if len(text) <= _LENGTH else []
        if not words:
            raise UserError("That is no schedule.", hint=_EXAMPLE)
        if words[0].lower() == "off":
            return cls(zone=_zone(" ".join(words[1:])) if words[1:] else zone)
        days, month_day = _take_days(words)
        times = _take_times(words)
        if words:
            zone = _zone(" ".join(words))
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
        """The next *count* slots after *now* as instants in the zone, each later than the one before.

        A time that a day skips becomes the first instant after the gap; one that comes twice is
        the first of the two.
        """
        if self.is_off:
            return ()
        zone = ZoneInfo(self.zone)
        last = now.astimezone(UTC)
        day = now.astimezone(zone).date()
        found: list[datetime] = []
        while len(found) < count:
            for at in self.times if self.has_slot_on(day) else ():
                slot = _instant(datetime.combine(day, at, zone))
                if slot > last:
                    found.append(slot.astimezone(zone))
                    last = slot
            day += timedelta(days=1)
        return tuple(found[:count])


def _instant(wall: datetime) -> datetime:
    """The wall-clock time in UTC."""
    instant = wall.astimezone(UTC)
    if instant.astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    after = instant.astimezone(wall.tzinfo).utcoffset()
    while (instant - _MINUTE).astimezone(wall.tzinfo).utcoffset() == after:
        instant -= _MINUTE
    return instant


def _words(text: str) -> list[str]:
    """What was typed, with ``9 am`` as one word and lists without blanks."""
    text = re.sub(r"[‐‑‒–—−]", "-", text)
    text = re.sub(r"(?<=\d)\s+(?=[ap]m\b)", "", text, flags=re.IGNORECASE)
    text = re.sub(r"\s*(?:,|&|\band\b)\s*", ",", text, flags=re.IGNORECASE)
    return [word for word in text.split() if word.lower() not in ("at", "on", "every")]


def _take_days(words: list[str]) -> tuple[tuple[int, ...], int]:
    first = words[0].lower()
    if first == "monthly":
        words.pop(0)
        day = re.fullmatch(r"(\d+)(?:st|nd|rd|th|\.)?", words[0], re.ASCII) if words else None
        number = int(day[1]) if day else 1
        if not 1 <= number <= 28:
            raise UserError(
                f"“{words[0][:20]}” is no day of every month.",
                hint="Write monthly 1 09:00; the day is 1 to 28.",
            )
        if day:
            words.pop(0)
        return (), number
    if first == "weekly":
        words.pop(0)
        if not words or _days_of(words[0]) is None:
            raise UserError("weekly needs a day.", hint="Write weekly mon 09:00")
    days: set[int] = set()
    while words and (more := _days_of(words[0])):
        words.pop(0)
        days |= more
    if days:
        return tuple(sorted(days)), 0
    if re.match(r"\d", first):
        return (0, 1, 2, 3, 4), 0
    near = difflib.get_close_matches(
        first, ["weekdays", "daily", "weekly", "monthly", "weekends", "off", *_DAY_NAMES], n=1
    )
    meant = f"Did you mean {near[0]}? " if near else ""
    raise UserError(f"“{words[0][:40]}” names no days.", hint=meant + _EXAMPLE)


_GROUPS = {
    "weekdays": range(5), "weekday": range(5), "workdays": range(5), "workday": range(5),
    "daily": range(7), "everyday": range(7), "day": range(7), "days": range(7),
    "weekends": range(5, 7), "weekend": range(5, 7),
}  # fmt: skip


def _days_of(word: str) -> set[int] | None:
    days: set[int] = set()
    for part in word.lower().split(","):
        if part in _GROUPS:
            days |= set(_GROUPS[part])
        elif part:
            first, dash, last = part.partition("-")
            start = _day_of(first)
            end = _day_of(last) if dash else start
            if start is None or end is None:
                return None
            days |= {d % 7 for d in range(start, (end if end >= start else end + 7) + 1)}
    return days or None


def _day_of(word: str) -> int | None:
    for number, name in enumerate(_DAY_NAMES):
        if len(word) >= 2 and (name.startswith(word) or word == name + "s"):
            return number
    return None


def _take_times(words: list[str]) -> tuple[time, ...]:
    times: set[time] = set()
    while words and re.match(r"\d", words[0]):
        times |= {_time_of(part) for part in words.pop(0).lower().split(",") if part}
    if len(times) > _TIMES_A_DAY:
        raise UserError(
            f"A day has at most {_TIMES_A_DAY} digests.", hint="Write daily 09:00,16:00"
        )
    return tuple(sorted(times)) or (time(9),)


def _time_of(text: str) -> time:
    match = re.fullmatch(r"(\d{1,2})(?:[:.h](\d{2})?)?(am|pm)?", text, re.ASCII)
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (24, 0)
    if match and match[3]:
        hour = hour % 12 + (12 if match[3] == "pm" else 0) if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59:
        raise UserError(f"“{text[:20]}” is no time of day.", hint="Write 09:00, 17:30 or 9am.")
    return time(hour, minute)


def _zone(text: str) -> str:
    """An IANA name from itself in any case, or from its city alone."""
    wanted = text.replace(" ", "_").lower()
    zones, cities = _zones()
    if wanted in zones:
        return zones[wanted]
    named = cities.get(wanted, [])
    if len(named) == 1:
        return named[0]
    if not named:
        known = [name for name in (*zones, *cities) if not name.startswith("etc/")]
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.7)
        named = [zone for name in near for zone in cities.get(name) or [zones[name]]]
    meant = f"Did you mean {' or '.join(dict.fromkeys(named[:3]))}? " if named else ""
    raise UserError(f"“{text[:60]}” names no time zone.", hint=meant + _EXAMPLE)


@cache
def _zones() -> tuple[dict[str, str], dict[str, list[str]]]:
    """All zones by lower-case name; those of continents by city, too."""
    zones = {name.lower(): name for name in sorted(zoneinfo.available_timezones())}
    cities: dict[str, list[str]] = {}
    for name in zones.values():
        region, _, city = name.rpartition("/")
        if region and region not in ("Etc", "US"):
            cities.setdefault(city.lower(), []).append(name)
    return zones, cities
