"""Schedules as text and back, and their slots on the clock of a zone."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from bot.errors import UserError
from bot.schedule import Schedule
from tests.soak.zones import changes, faults, stepped

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
WORKDAYS, ALL = (0, 1, 2, 3, 4), tuple(range(7))


def parsed(text: str) -> Schedule | UserError:
    try:
        return Schedule.parse(text, "UTC")
    except UserError as error:
        return error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("weekdays 09:00 Europe/Berlin", "weekdays 09:00 Europe/Berlin"),
        ("mon,thu 17:30", "mon,thu 17:30 UTC"),
        ("weekly mon 09:00", "weekly mon 09:00 UTC"),
        ("monthly 1 09:00", "monthly 1 09:00 UTC"),
        ("off", "off"),
        ("OFF", "off"),
        ("17:30", "weekdays 17:30 UTC"),
        ("daily", "daily 09:00 UTC"),
        ("Daily at 9", "daily 09:00 UTC"),
        ("every day at 9 am New York", "daily 09:00 America/New_York"),
        ("every weekday 9.30", "weekdays 09:30 UTC"),
        ("workdays 9h30", "weekdays 09:30 UTC"),
        ("weekends 10h", "weekends 10:00 UTC"),
        ("sat and sun 10:00", "weekends 10:00 UTC"),
        ("Mon , Thu 9", "mon,thu 09:00 UTC"),
        ("mon,  thu & sat 9", "mon,thu,sat 09:00 UTC"),
        ("mon wed fri 8:05", "mon,wed,fri 08:05 UTC"),
        ("Monday and Thursdays at 9am and 4:30pm", "mon,thu 09:00,16:30 UTC"),
        ("mon-fri", "weekdays 09:00 UTC"),
        ("Mon–Fri", "weekdays 09:00 UTC"),
        ("fri-mon 9", "mon,fri,sat,sun 09:00 UTC"),
        ("mon,mon,tue-wed", "mon,tue,wed 09:00 UTC"),
        ("tuesdays", "weekly tue 09:00 UTC"),
        ("weekly on thurs", "weekly thu 09:00 UTC"),
        ("weekly mon,thu", "mon,thu 09:00 UTC"),
        ("monthly", "monthly 1 09:00 UTC"),
        ("monthly 9am", "monthly 1 09:00 UTC"),
        ("monthly 15th 17:00 Tokyo", "monthly 15 17:00 Asia/Tokyo"),
        ("monthly on 28. at 8", "monthly 28 08:00 UTC"),
        ("daily 16:00,09:00,9am", "daily 09:00,16:00 UTC"),
        ("daily 12am 12pm", "daily 00:00,12:00 UTC"),
        ("weekdays 9 am, 4 pm europe/berlin", "weekdays 09:00,16:00 Europe/Berlin"),
        ("weekdays 9 BERLIN", "weekdays 09:00 Europe/Berlin"),
        ("weekdays 9 america/new york", "weekdays 09:00 America/New_York"),
        ("weekdays 9 utc", "weekdays 09:00 UTC"),
        ("weekdays Asia/Kolkata", "weekdays 09:00 Asia/Kolkata"),
        ("Mo-Fr", "weekdays 09:00 UTC"),
        ("We,Fr", "wed,fri 09:00 UTC"),
        ("weds & thurs.", "wed,thu 09:00 UTC"),
        ("monday to friday", "weekdays 09:00 UTC"),
        ("from Mon through Wed, Sa and Su at 9", "mon,tue,wed,sat,sun 09:00 UTC"),
        ("mon - fri 9", "weekdays 09:00 UTC"),
        ("each weekday", "weekdays 09:00 UTC"),
        ("once a week on Monday", "weekly mon 09:00 UTC"),
        ("weekend", "weekends 09:00 UTC"),
        ("1st of the month", "monthly 1 09:00 UTC"),
        ("first of the month", "monthly 1 09:00 UTC"),
        ("the 15th of every month at noon in Tokyo", "monthly 15 12:00 Asia/Tokyo"),
        ("every month on the 15th at 9", "monthly 15 09:00 UTC"),
        ("monthly at 9", "monthly 1 09:00 UTC"),
        ("monthly 9 9", "monthly 9 09:00 UTC"),
        ("noon", "weekdays 12:00 UTC"),
        ("12 noon", "weekdays 12:00 UTC"),
        ("daily midnight", "daily 00:00 UTC"),
        ("9", "weekdays 09:00 UTC"),
        ("9 pm", "weekdays 21:00 UTC"),
        ("9 a.m. and 4 p.m.", "weekdays 09:00,16:00 UTC"),
        ("9 h", "weekdays 09:00 UTC"),
        ("0900 1730", "weekdays 09:00,17:30 UTC"),
        ("9 o'clock", "weekdays 09:00 UTC"),
        ("９：００ Tokyo", "weekdays 09:00 Asia/Tokyo"),  # noqa: RUF001 - as typed in Tokyo
        ("daily\x00 9\u202e Berlin", "daily 09:00 Europe/Berlin"),
        ("9:00 mon", "weekly mon 09:00 UTC"),
        ("Berlin 9am weekdays", "weekdays 09:00 Europe/Berlin"),
        ("daily 9 (New York time)", "daily 09:00 America/New_York"),
        ("daily at 9 Isle of Man", "daily 09:00 Europe/Isle_of_Man"),
        ("daily 9 CEST", "daily 09:00 Europe/Berlin"),
        ("daily 9 UTC + 0", "daily 09:00 UTC"),
        ("never", "off"),
        ("stop", "off"),
        ("off 09:00,16:00", "off"),
        ("off 9am UTC", "off"),
        ("Mo–Fr 9 Uhr", "weekdays 09:00 UTC"),
        ("mon/thu 17:30", "mon,thu 17:30 UTC"),
        ("daily 9:00/16:00", "daily 09:00,16:00 UTC"),
        ("daily 9am/4pm Europe/Berlin", "daily 09:00,16:00 Europe/Berlin"),
        ("daily 09:00 / 16:00", "daily 09:00,16:00 UTC"),
        ("weekdays @ 9", "weekdays 09:00 UTC"),
        ("weekdays: 9:00.", "weekdays 09:00 UTC"),
        ("“weekdays 09:00 Europe/Berlin”", "weekdays 09:00 Europe/Berlin"),
        ("`mon,thu 17:30`", "mon,thu 17:30 UTC"),
        ("'daily 9' \"New York\"", "daily 09:00 America/New_York"),
        ("business days 9", "weekdays 09:00 UTC"),
        ("every week day at 9", "weekdays 09:00 UTC"),
        ("weekdays 9 Berlin, Germany", "weekdays 09:00 Europe/Berlin"),
        ("mon 9, thu 9", "mon,thu 09:00 UTC"),
        ("15th monthly 9", "monthly 15 09:00 UTC"),
    ],
)
def test_a_schedule_is_understood_and_shown_in_one_way(text: str, shown: str) -> None:
    schedule = Schedule.parse(text, "UTC")

    assert str(schedule) == shown
    assert Schedule.parse(shown, "UTC") == schedule


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "no schedule", "Write days, a time and a zone"),
        ("at", "no schedule", "weekdays 09:00 Europe/Berlin"),
        ("mon " * 5000, "no schedule", "weekdays 09:00 Europe/Berlin"),
        ("weekdys 9:00", "“weekdys” names no days", "Did you mean weekdays?"),
        ("t 9", "“t” names no days", "mon,thu 17:30"),
        ("mon- 9", "“mon-” names no days", "mon,thu"),
        ("Europe/Berlin", "“Europe/Berlin” names no days", "weekdays 09:00 Europe/Berlin"),
        ("weekly", "weekly needs a day", "Write weekly mon 09:00"),
        ("weekly 09:00", "weekly needs a day", "Write weekly mon 09:00"),
        ("monthly 0", "“0” is no day of every month", "the day is 1 to 28"),
        ("monthly 31st", "“31st” is no day of every month", "the day is 1 to 28"),
        ("monthly " + "9" * 60, "is no day of every month", "the day is 1 to 28"),
        ("daily 24:00", "“24:00” is no time of day", "Write 09:00, 17:30 or 9am."),
        ("daily 9:5", "“9:5” is no time of day", "Write 09:00"),
        ("daily 09:60", "“09:60” is no time of day", "Write 09:00"),
        ("daily 13pm", "“13pm” is no time of day", "Write 09:00"),
        ("daily 0am", "“0am” is no time of day", "Write 09:00"),
        ("daily 1,2,3,4,5,6,7", "at most 6 digests", "Write daily 09:00,16:00"),
        ("daily 1,15 25:00", "“25:00” is no time of day", "Write 09:00"),
        ("daily 24:00", "“24:00” is no time of day", "Midnight is 00:00."),
        ("daily \u0669:\u0660\u0660", "is no time of day", "Write 09:00"),
        ("daily 9 Berln", "“Berln” names no time zone", "Did you mean Europe/Berlin?"),
        ("mon 9, thu 17:30", "All days of a channel have the same times", "mon,thu 09:00,17:30"),
        ("9am mon and 5pm thu", "All days of a channel have the same times", "mon,thu 09:00"),
        ("daily 9 New York, NY", "“New York, NY” names no time zone", "mean America/New_York?"),
        ("daily 9 London, Berlin", "“London, Berlin” names no time zone", "mean Europe/London?"),
        ("daily 9 IST", "“IST” may mean India, Israel or Ireland", "Write Asia/Kolkata, Asia/"),
        ("daily 9 GMT - 5", "GMT-5 says nothing of summer time", "America/New_York (in winter)"),
        ("mon thrusday 9", "“thrusday” names no days", "Did you mean thursday?"),
        ("monday to thrusday", "“thrusday” names no days", "Did you mean thursday?"),
        ("9 not mon", "“not” names no time zone", "Write a zone or its city"),
        ("every other day", "days of the week or once a month", "weekdays 09:00"),
        ("every 2 days", "days of the week or once a month", "weekdays 09:00"),
        ("every 2 week", "days of the week or once a month", "weekdays 09:00"),
        ("hourly", "days of the week or once a month", "weekdays 09:00"),
        ("first monday 9", "once a month, not both", "monthly 1 09:00"),
        ("monthly weekly", "once a month, not both", "monthly 1 09:00"),
        ("monthly 1,15", "A month has one day", "Write monthly 1 09:00"),
        ("1st and 15th", "A month has one day", "Write monthly 1 09:00"),
        ("last day of the month", "“last” is no day of every month", "the day is 1 to 28"),
        ("off course", "“course” names no time zone", "Write a zone or its city"),
    ],
)
def test_a_mistake_says_what_to_write(text: str, message: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        Schedule.parse(text, "UTC")

    assert message in error.value.message
    assert hint in error.value.hint


def test_a_megabyte_is_refused_unread() -> None:
    for text in ("mon " * 250_000, "\U0001f4c5" * 1_000_000, "9" * 1_000_000):
        assert "no schedule" in str(parsed(text))


def test_a_channel_keeps_a_zone_whose_name_would_mean_another() -> None:
    schedule = Schedule((0,), zone="EST")

    assert Schedule.parse(str(schedule), "EST") == schedule
    assert Schedule.parse("off EST", "EST").zone == "EST"
    assert Schedule.parse("mon 9 EST", BERLIN).zone == NEW_YORK


def test_the_zone_is_the_channels_where_none_is_named() -> None:
    assert Schedule.parse("mon 9", NEW_YORK).zone == NEW_YORK
    assert Schedule.parse("off", NEW_YORK).zone == NEW_YORK
    assert Schedule.parse("off Berlin", NEW_YORK).zone == BERLIN


def test_a_new_channel_has_weekdays_at_nine() -> None:
    assert str(Schedule.default(BERLIN)) == "weekdays 09:00 Europe/Berlin"


_ZONES = st.sampled_from(["UTC", BERLIN, NEW_YORK, "Asia/Kathmandu", "Australia/Lord_Howe",
                          "America/Argentina/Buenos_Aires", "Pacific/Apia", "Etc/GMT+1"])  # fmt: skip
_TIMES = st.sets(st.times().map(lambda t: time(t.hour, t.minute)), min_size=1, max_size=6)
_SCHEDULES = st.builds(
    Schedule,
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    _TIMES.map(lambda times: tuple(sorted(times))),
    _ZONES,
) | st.builds(
    Schedule,
    st.just(()),
    _TIMES.map(lambda times: tuple(sorted(times))),
    _ZONES,
    st.integers(1, 28),
)


@settings(deadline=None)
@given(_SCHEDULES)
def test_what_is_shown_is_understood(schedule: Schedule) -> None:
    assert Schedule.parse(str(schedule), "Asia/Tokyo") == schedule


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("montuedaily weeklyoff0123456789:,- amp/", max_size=40))
def test_any_text_is_a_schedule_or_a_mistake(text: str) -> None:
    result = parsed(text)

    if isinstance(result, UserError):
        assert result.hint
    else:
        assert Schedule.parse(str(result), result.zone) == result


def test_the_day_of_the_last_slot_skips_days_without() -> None:
    monday = date(2026, 6, 22)

    assert Schedule(WORKDAYS).slot_day_before(monday) == date(2026, 6, 19)
    assert Schedule(ALL).slot_day_before(monday) == date(2026, 6, 21)
    assert Schedule((0,)).slot_day_before(monday) == date(2026, 6, 15)
    assert Schedule((), month_day=1).slot_day_before(monday) == date(2026, 6, 1)
    assert Schedule((), month_day=22).slot_day_before(monday) == date(2026, 5, 22)
    assert Schedule().slot_day_before(monday) == date(2026, 6, 21)


@given(_SCHEDULES, st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_between_a_day_and_its_last_slot_day_there_is_none(schedule: Schedule, day: date) -> None:
    before = schedule.slot_day_before(day)

    assert before < day
    assert schedule.has_slot_on(before)
    between = (before + timedelta(days=n) for n in range(1, (day - before).days))
    assert not any(map(schedule.has_slot_on, between))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(schedule: Schedule, now: str, count: int) -> list[str]:
    return [slot.isoformat() for slot in schedule.next_slots(utc(now), count)]


def test_the_next_slots_come_after_now() -> None:
    schedule = Schedule.parse("weekdays 09:00,17:30 Europe/Berlin", "UTC")

    assert shown(schedule, "2026-06-19T07:00", 3) == [  # a Friday; 09:00 is now
        "2026-06-19T17:30:00+02:00",
        "2026-06-22T09:00:00+02:00",
        "2026-06-22T17:30:00+02:00",
    ]
    assert Schedule().next_slots(utc("2026-06-19T07:00"), 3) == ()


def test_nine_stays_nine_when_the_clocks_change() -> None:
    schedule = Schedule.parse("daily 09:00 Europe/Berlin", "UTC")

    assert shown(schedule, "2026-03-28T06:00", 2) == [
        "2026-03-28T09:00:00+01:00",
        "2026-03-29T09:00:00+02:00",
    ]


def test_a_time_that_the_day_skips_is_the_first_instant_after() -> None:
    schedule = Schedule.parse("daily 02:00,02:30,03:00 Europe/Berlin", "UTC")

    assert shown(schedule, "2026-03-28T12:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
    ]


def test_a_skipped_time_of_a_zone_with_half_hours_moves_by_half_an_hour() -> None:
    schedule = Schedule.parse("daily 02:15 Australia/Lord_Howe", "UTC")

    assert shown(schedule, "2026-10-03T00:00", 2) == [
        "2026-10-04T02:30:00+11:00",
        "2026-10-05T02:15:00+11:00",
    ]


def test_a_time_that_comes_twice_is_the_first() -> None:
    schedule = Schedule.parse("daily 02:30 Europe/Berlin", "UTC")

    assert shown(schedule, "2026-10-24T12:00", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    assert shown(schedule, "2026-10-25T01:00", 1) == ["2026-10-26T02:30:00+01:00"]


def test_a_day_that_never_was_has_its_slot_when_the_next_begins() -> None:
    schedule = Schedule.parse("daily 09:00 Pacific/Apia", "UTC")

    assert shown(schedule, "2011-12-29T20:00", 2) == [  # Samoa had no 30 December 2011
        "2011-12-31T00:00:00+14:00",
        "2011-12-31T09:00:00+14:00",
    ]


# Clocks that change at midnight, by half an hour, four times a year, by a whole day, or never
TELLING = (
    NEW_YORK, BERLIN, "Europe/London", "Australia/Sydney", "Australia/Lord_Howe", "Africa/Cairo",
    "Asia/Beirut", "America/Havana", "America/Santiago", "Africa/Casablanca", "Pacific/Apia",
    "Asia/Kathmandu",
)  # fmt: skip
_ORDINARY = [utc("2027-01-08T00:00")]


@pytest.mark.parametrize("name", TELLING)
def test_each_quarter_hour_around_a_change_has_one_digest_a_day(name: str) -> None:
    """The long form asks all zones and years: python -m tests.soak.zones."""
    year = 2011 if name == "Pacific/Apia" else 2026
    moments = list(changes(ZoneInfo(name), utc(f"{year}-01-01"), utc(f"{year + 1}-01-01")))
    assert bool(moments) == (name != "Asia/Kathmandu")

    wrong = [fault for moment in moments or _ORDINARY for fault in faults(name, moment)]

    assert wrong == []


_MOMENTS = st.datetimes(datetime(2011, 1, 1), datetime(2037, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
_NEAR_A_CHANGE = st.builds(
    lambda moment, seconds: moment + timedelta(seconds=seconds),
    st.sampled_from([
        moment
        for name in TELLING
        for moment in changes(ZoneInfo(name), utc("2011-12-01"), utc("2013-01-01"))
    ]),
    st.integers(-100_000, 100_000),
)  # fmt: skip
_NOWS = _MOMENTS | _NEAR_A_CHANGE
_ANY_SCHEDULES = _SCHEDULES | st.builds(
    Schedule,
    st.just(tuple(range(7))),
    _TIMES.map(lambda times: tuple(sorted(times))),
    st.sampled_from(TELLING),
)


@settings(deadline=None)
@given(_ANY_SCHEDULES, _NOWS)
def test_now_lies_between_the_last_slot_and_the_next(schedule: Schedule, now: datetime) -> None:
    last, due = schedule.last_slot(now), schedule.next_due(now)

    assert last is not None
    assert due is not None
    assert last <= now < due
    assert schedule.next_due(last) == due
    assert schedule.last_slot(due) == due
    assert schedule.last_slot(due - timedelta(microseconds=1)) == last
    assert due.tzinfo is last.tzinfo is UTC


@settings(deadline=None)
@given(_ANY_SCHEDULES, _NOWS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_what_lies_between_is_what_stepping_finds(
    schedule: Schedule, start: datetime, length: timedelta
) -> None:
    slots = schedule.slots_between(start, start + length)

    assert list(slots) == stepped(schedule, start, start + length)
    assert all(a < b for a, b in pairwise([start, *slots]))
    assert schedule.slots_between(start + length, start) == ()


@settings(deadline=None)
@given(_ANY_SCHEDULES, _NOWS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_later_now_is_never_due_earlier(
    schedule: Schedule, now: datetime, length: timedelta
) -> None:
    due, later = schedule.next_due(now), schedule.next_due(now + length)

    assert due is not None
    assert later is not None
    assert due <= later


@settings(deadline=None)
@given(_ANY_SCHEDULES, _NOWS)
def test_no_local_time_of_a_day_comes_twice(schedule: Schedule, now: datetime) -> None:
    slots = schedule.next_slots(now, 30)

    walls = [slot.replace(tzinfo=None) for slot in slots]
    assert len(set(walls)) == len(walls)


_JUMPS = st.one_of(
    st.sampled_from([timedelta(hours=h) for h in (-24, -1, 1, 24)]),
    st.timedeltas(timedelta(seconds=-2), timedelta(minutes=90)),  # waiting, and a drifting clock
    st.timedeltas(timedelta(days=-8), timedelta(days=8)),
)


@settings(deadline=None)
@given(_ANY_SCHEDULES, _NOWS, st.lists(_JUMPS, max_size=30))
def test_a_clock_that_jumps_loses_no_slot_and_doubles_none(
    schedule: Schedule, start: datetime, jumps: list[timedelta]
) -> None:
    """A planner keeps the last slot it has served and the one that is due, and nothing else."""
    served = start
    due = schedule.next_due(served)
    now = latest = start
    seen: list[datetime] = []
    for jump in jumps:
        now += jump
        latest = max(latest, now)
        assert schedule.next_due(served) == due
        if due and due <= now:
            missed = schedule.slots_between(served, now)
            assert missed[0] == due
            assert missed[-1] == schedule.last_slot(now)
            seen.extend(missed)
            served = missed[-1]
            due = schedule.next_due(served)

    assert tuple(seen) == schedule.slots_between(start, latest)


def test_moments_in_another_zone_mean_the_same() -> None:
    schedule = Schedule.parse("daily 02:30 Europe/Berlin", "UTC")
    second = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN), fold=1)

    assert schedule.next_due(second) == utc("2026-10-26T01:30")
    assert schedule.last_slot(second) == utc("2026-10-25T00:30")
    assert schedule.slots_between(second, second.astimezone(ZoneInfo(NEW_YORK))) == ()


def test_a_clock_put_back_over_midnight_has_served_the_next_day_already() -> None:
    schedule = Schedule.parse("daily 00:00 America/St_Johns", "UTC")  # 00:01 became 23:01

    assert schedule.last_slot(utc("2010-11-07T03:00")) == utc("2010-11-07T02:30")
    assert schedule.next_due(utc("2010-11-07T03:00")) == utc("2010-11-08T03:30")


def test_what_is_off_is_never_due() -> None:
    off = Schedule(zone=BERLIN)
    now = utc("2026-06-19T07:00")

    assert off.next_due(now) is None
    assert off.last_slot(now) is None
    assert off.slots_between(now, now + timedelta(days=400)) == ()


def test_the_missed_slots_of_eight_days_are_counted() -> None:
    schedule = Schedule.parse("weekdays 09:00,17:30 Europe/Berlin", "UTC")

    missed = schedule.slots_between(utc("2026-03-26T08:00"), utc("2026-04-03T08:00"))

    assert len(missed) == 12
    assert (missed[0], missed[-1]) == (utc("2026-03-26T16:30"), utc("2026-04-03T07:00"))


@settings(deadline=None)
@given(_ANY_SCHEDULES, _ANY_SCHEDULES)
def test_fingerprints_are_alike_for_equal_schedules_alone(one: Schedule, other: Schedule) -> None:
    assert (one.fingerprint == other.fingerprint) == (one == other)
    assert one.fingerprint == Schedule.parse(str(one), "UTC").fingerprint


def test_a_fingerprint_is_the_same_in_another_process_and_year() -> None:
    text = "weekdays 09:00 Europe/Berlin"

    assert Schedule.default(BERLIN).fingerprint == hashlib.sha256(text.encode()).hexdigest()[:16]


@settings(deadline=None)
@given(_SCHEDULES, st.datetimes(datetime(2011, 1, 1), datetime(2037, 1, 1)))  # noqa: DTZ001
def test_slots_are_aware_and_each_is_later(schedule: Schedule, naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)

    slots = schedule.next_slots(now, 6)

    instants = [slot.astimezone(UTC) for slot in slots]
    assert len(instants) == 6
    assert all(a < b for a, b in pairwise([now, *instants]))
    assert all(slot.tzinfo is ZoneInfo(schedule.zone) for slot in slots)


@settings(deadline=None)
@given(_SCHEDULES, st.datetimes(datetime(2011, 1, 1), datetime(2037, 1, 1)))  # noqa: DTZ001
def test_no_slot_is_skipped_by_looking_again(schedule: Schedule, naive: datetime) -> None:
    first, second, third = schedule.next_slots(naive.replace(tzinfo=UTC), 3)

    assert schedule.next_slots(first, 2) == (second, third)
