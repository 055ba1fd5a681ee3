"""When a channel gets its digest: days and local times of a zone, as text and as instants.

A local time is the first instant at which the zone's clock shows it or a later one. So a time that
a day skips is the end of the gap, and one that comes twice is the first of the two.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice, takewhile

from bot import zones
from bot.errors import UserError
from bot.text import strip_accents

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIMES_A_DAY = 6
_LENGTH = 100
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_LAST_DAY = date.max - 2 * _DAY  # the calendar's end, in any zone: a pause may reach it
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
        if words[0].lower() in _OFF:
            # a form has a time beside it, which says nothing now
            rest = _trimmed([word for word in words[1:] if not _is_time(word)])
            found = _named(rest, zone) if rest else zone
            if not found:
                raise zones.unknown(_text(rest))
            return cls(zone=found)
        return _Typed(words).schedule(zone)

    def changed(self, text: str) -> Schedule:
        """As the text has it; a zone alone keeps days and times."""
        try:
            return self.parse(text, self.zone)
        except UserError:
            if zone := zones.find(text):
                return replace(self, zone=zone)
            raise

    @property
    def is_off(self) -> bool:
        return not self.days and not self.month_day

    @property
    def fingerprint(self) -> str:
        """The same for equal schedules, in any process: whether a due time is of this one."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:16]

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
            return day - _DAY
        before = day - _DAY
        while not self.has_slot_on(before):
            before -= _DAY
        return before

    def next_due(self, after: datetime) -> datetime | None:
        """The first slot later than *after*, in UTC; None where the schedule is off."""
        return next(self._slots(after), None)

    def last_slot(self, now: datetime) -> datetime | None:
        """The latest slot not after *now*, in UTC; None where the schedule is off."""
        if self.is_off:
            return None
        now = now.astimezone(UTC)
        # a clock that was put back over midnight has shown the next day already
        day = now.astimezone(zones.clock(self.zone)).date() + _DAY
        while True:
            for slot in reversed(self._slots_on(day)):
                if slot <= now:
                    return slot
            day = self.slot_day_before(day)

    def slots_between(self, start: datetime, end: datetime) -> tuple[datetime, ...]:
        """The slots with ``start < slot <= end``, in UTC and in order."""
        end = end.astimezone(UTC)
        return tuple(takewhile(lambda slot: slot <= end, self._slots(start)))

    def next_slots(self, now: datetime, count: int) -> tuple[datetime, ...]:
        """The next *count* slots after *now*, in the schedule's zone, for showing them."""
        zone = zones.clock(self.zone)
        return tuple(slot.astimezone(zone) for slot in islice(self._slots(now), count))

    def _slots(self, after: datetime) -> Iterator[datetime]:
        """All slots later than *after*, each later than the one before."""
        if self.is_off:
            return
        last = after.astimezone(UTC)
        day = last.astimezone(zones.clock(self.zone)).date()
        while day < _LAST_DAY:
            for slot in self._slots_on(day):
                if slot > last:
                    yield slot
                    last = slot
            day += _DAY

    def _slots_on(self, day: date) -> list[datetime]:
        """The instants of a local day's times, in order; a gap may make several of them one."""
        if not self.has_slot_on(day):
            return []
        zone = zones.clock(self.zone)
        return [_instant(datetime.combine(day, at, zone)) for at in self.times]


def _instant(wall: datetime) -> datetime:
    """The first instant, in UTC, at which the wall clock shows this time or a later one."""
    instant = wall.astimezone(UTC)
    if instant.astimezone(wall.tzinfo) == wall:  # of one zone, so by the wall clock
        return instant
    # In a gap (PEP 495) the offset is the one before it, and with fold the one after it. Read with
    # the former the time is not before the change, read with the latter it is: halve what is
    # between, in seconds.
    first = wall.replace(fold=1).astimezone(UTC)
    after = instant.astimezone(wall.tzinfo).utcoffset()
    low, high = 0, (instant - first) // _SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if (first + middle * _SECOND).astimezone(wall.tzinfo).utcoffset() == after:
            high = middle
        else:
            low = middle
    return first + high * _SECOND


_FILLERS = frozenset({
    ",", "at", "on", "every", "each", "in", "the", "of", "from", "once", "a", "per", "o'clock", "uhr",
})  # fmt: skip
_OFF = ("off", "never", "none", "stop")
_TIME = r"(\d{1,2})(?:[:.h]?(\d{2}))?h?(am|pm)?"
_TO = ("to", "through", "thru", "until", "till")
_NAMED_TIMES = {"noon": time(12), "midday": time(12), "midnight": time(0)}
_GROUPS = {
    "weekdays": range(5), "weekday": range(5), "workdays": range(5), "workday": range(5),
    "daily": range(7), "everyday": range(7), "day": range(7),
    "weekends": range(5, 7), "weekend": range(5, 7),
}  # fmt: skip
_OTHER_RHYTHMS = frozenset({
    "days", "weeks", "months", "hours", "hour", "hourly", "biweekly", "fortnightly", "yearly",
    "other",
})  # fmt: skip
_RHYTHM = "Digests come on days of the week or once a month"
_VOCABULARY = ("weekdays", "daily", "weekly", "monthly", "weekends", "off", *_DAY_NAMES)


def _words(text: str) -> list[str]:
    """What was typed, with ``9 am`` and ``UTC + 2`` as one word and commas as words."""
    text = strip_accents("".join(c if c.isprintable() else " " for c in text))
    text = re.sub(r"[()\"“”„«»`]", " ", re.sub(r"[‐‑‒–—−]", "-", text))
    text = re.sub(r"(?<!\w)['‘’]|['‘’](?!\w)", " ", text).replace("@", " at ")
    text = re.sub(r"(?i)(?<=[a-z]):(?=\s)|(?<=[a-z])[.!]+\s*$|(?<=:\d\d)[.!]+\s*$", " ", text)
    text = re.sub(r"(?i)\b(?:week|work|working|business)[\s-]+days?\b", "weekdays", text)
    text = re.sub(r"(?i)\b(utc|gmt)\s*([+-])\s*(?=\d)", r"\1\2", text)
    text = re.sub(r"(?i)(?<=\d)\s*([ap])\.?\s?m\b\.?", r"\1m", text)
    text = re.sub(r"(?i)(?<=\d)\s+h\b", "h", text)
    text = re.sub(r"(?i)(?<=[a-z])\s*-\s*(?=[a-z])", "-", text)
    text = re.sub(r"(?i)[,;&]|\band\b|\s/\s", " , ", text)
    return _leading([part for word in text.split() for part in _apart(word)])


def _apart(word: str) -> list[str]:
    """``mon/thu`` and ``9:00/16:00`` as words of their own; Europe/Berlin stays one."""
    parts = word.lower().split("/")
    if (len(parts) > 1 and all(map(_days_of, parts))) or all(map(_is_clear_time, parts)):
        return " , ".join(word.split("/")).split()
    return [word]


def _is_time(word: str) -> bool:
    return bool(re.fullmatch(_TIME, word.lower(), re.ASCII))


def _is_clear_time(word: str) -> bool:
    return bool(re.fullmatch(r"\d{1,2}(?:[:.]\d\d)?[ap]m|\d{1,2}:\d\d", word, re.ASCII))


def _leading(words: list[str]) -> list[str]:
    """Without the fillers in front."""
    start = next((i for i, word in enumerate(words) if word.lower() not in _FILLERS), len(words))
    return words[start:]


def _trimmed(words: list[str]) -> list[str]:
    """Without the fillers around."""
    return _leading(_leading(words)[::-1])[::-1]


class _Typed:
    """What the words of a schedule say, in any order; *_rest* is left for the zone."""

    def __init__(self, words: list[str]) -> None:
        self._first = words[0]
        self._words = words
        self._weekly = self._monthly = False
        self._days: set[int] = set()
        self._month_day = 0
        self._times: set[time] = set()
        self._said: list[str] = []  # "day" or "time", in the order in which they came
        self._rest: list[str] = []
        before = ""
        while words:
            typed = words.pop(0)
            self._take(typed, before)
            before = typed

    def schedule(self, zone: str) -> Schedule:
        if len(self._times) > _TIMES_A_DAY:
            raise UserError(
                f"A day has at most {_TIMES_A_DAY} digests.", hint="Write daily 09:00,16:00"
            )
        turns = [kind for kind, _ in groupby(self._said)]
        if len(self._times) > 1 and len(turns) > 3:  # mon 9, thu 17
            raise UserError(
                "All days of a channel have the same times.", hint="Write mon,thu 09:00,17:30"
            )
        rest = _trimmed(self._rest)
        zone = self._zone(rest, zone) if rest else zone
        times = tuple(sorted(self._times)) or (time(9),)
        if self._monthly:
            if self._days or self._weekly:
                raise UserError(f"{_RHYTHM}, not both.", hint=_EXAMPLE)
            return Schedule((), times, zone, self._month_day or 1)
        if self._weekly and not self._days:
            raise UserError("weekly needs a day.", hint="Write weekly mon 09:00")
        return Schedule(tuple(sorted(self._days)) or (0, 1, 2, 3, 4), times, zone)

    def _take(self, typed: str, before: str) -> None:
        word = typed.lower()
        if word in _OTHER_RHYTHMS or (before.isdigit() and word in ("day", "week", "month")):
            raise UserError(f"{_RHYTHM}.", hint=_EXAMPLE)
        if days := _days_of(word):
            self._days |= self._through(days)
            self._said.append("day")
        elif word in ("weekly", "week"):
            self._weekly = True
        elif word in ("monthly", "month"):
            self._monthly = True
            self._take_month_day()
        elif re.fullmatch(r"\d+(?:st|nd|rd|th)|first|last", word):
            self._set_month_day(typed)
        elif word in _NAMED_TIMES:
            self._add_time(_NAMED_TIMES[word])
        elif word[0].isdigit():
            self._add_time(_time_of(typed))
        elif self._rest or word not in _FILLERS:
            self._rest.append(typed)

    def _add_time(self, at: time) -> None:
        self._times.add(at)
        self._said.append("time")

    def _through(self, days: set[int]) -> set[int]:
        """These days; where ``to`` and another day follow, all up to that one."""
        if len(days) == 1 and len(self._words) > 1 and self._words[0].lower() in _TO:
            (start,), end = days, _day_of(self._words[1].lower())
            if end is not None:
                del self._words[:2]
                return _span(start, end)
        return days

    def _take_month_day(self) -> None:
        """The bare number behind ``monthly``: a day, not a time, unless an *at* is between."""
        while self._words and self._words[0].lower() in ("on", "the"):
            self._words.pop(0)
        if self._words and not self._month_day and re.fullmatch(r"\d+\.?", self._words[0]):
            self._set_month_day(self._words.pop(0))
            if self._words[:1] == [","] and re.fullmatch(r"\d+\.?", "".join(self._words[1:2])):
                self._set_month_day(self._words[1])

    def _set_month_day(self, typed: str) -> None:
        if self._month_day:
            raise UserError("A month has one day with digests.", hint="Write monthly 1 09:00")
        number = re.match(r"\d+", typed, re.ASCII)
        day = int(number[0]) if number else int(typed.lower() == "first")
        if not 1 <= day <= 28:
            raise UserError(
                f"“{typed[:20]}” is no day of every month.",
                hint="Write monthly 1 09:00; the day is 1 to 28.",
            )
        self._monthly, self._month_day = True, day

    def _zone(self, rest: list[str], current: str) -> str:
        """What is left over names the zone, or rather was meant to be a day."""
        said = self._days or self._times or self._weekly or self._monthly
        if said and (found := _named(rest, current)):
            return found
        leads = not self._days and rest[0] == self._first
        cutoff = 0.6 if leads or not said else 0.75
        for word in rest:
            if near := difflib.get_close_matches(word.lower(), _VOCABULARY, 1, cutoff):
                raise _no_days(word, f"Did you mean {near[0]}? ")
        raise zones.unknown(_text(rest)) if said and not leads else _no_days(rest[0])


def _no_days(word: str, meant: str = "") -> UserError:
    return UserError(f"“{word[:40]}” names no days.", hint=meant + _EXAMPLE)


def _text(words: list[str]) -> str:
    return " ".join(words).replace(" ,", ",")


def _named(words: list[str], current: str) -> str | None:
    """*current* keeps its name: EST alone is New York, but a channel may be in the zone EST."""
    text = _text(words)
    return current if text == current else zones.find(text)


def _days_of(word: str) -> set[int]:
    """A day, ``mon-fri`` or a group; none for any other word."""
    if word in _GROUPS:
        return set(_GROUPS[word])
    first, dash, last = word.partition("-")
    start = _day_of(first)
    end = _day_of(last) if dash else start
    return set() if start is None or end is None else _span(start, end)


def _day_of(word: str) -> int | None:
    word = word.removesuffix(".")
    short = word.removesuffix("s")
    for number, name in enumerate(_DAY_NAMES):
        if (len(word) > 1 and name.startswith(word)) or (len(short) > 2 and name.startswith(short)):
            return number
    return None


def _span(start: int, end: int) -> set[int]:
    return {day % 7 for day in range(start, (end if end >= start else end + 7) + 1)}


def _time_of(text: str) -> time:
    match = re.fullmatch(_TIME, text.lower(), re.ASCII)
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (24, 0)
    if match and match[3]:
        hour = hour % 12 + (12 if match[3] == "pm" else 0) if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59:
        midnight = " Midnight is 00:00." if text.startswith("24") else ""
        raise UserError(
            f"“{text[:20]}” is no time of day.", hint=f"Write 09:00, 17:30 or 9am.{midnight}"
        )
    return time(hour, minute)
