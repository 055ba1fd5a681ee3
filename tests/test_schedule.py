"""Schedules as text and back, and their slots on the clock of a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from bot.errors import UserError
from bot.schedule import Schedule

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
        ("daily 9 Berln", "“Berln” names no time zone", "Did you mean Europe/Berlin?"),
        ("daily 9 Europe/Berln", "names no time zone", "Did you mean Europe/Berlin"),
        ("daily 9 Buenos Aires", "names no time zone", "America/Argentina/Buenos_Aires or "),
        ("daily 9 GMT+1", "“GMT+1” names no time zone", "Did you mean GMT"),
        ("9:00 mon", "“mon” names no time zone", "weekly mon 09:00"),
        ("off course", "“course” names no time zone", "off"),
        ("daily noon", "“noon” names no time zone", "Write days, a time and a zone"),
    ],
)
def test_a_mistake_says_what_to_write(text: str, message: str, hint: str) -> None:
    with pytest.raises(UserError) as error:
        Schedule.parse(text, "UTC")

    assert message in error.value.message
    assert hint in error.value.hint


def test_no_suggestion_turns_the_sign_of_an_offset() -> None:
    with pytest.raises(UserError) as error:
        Schedule.parse("daily 9 GMT+1", "UTC")

    assert "Etc/" not in error.value.hint


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
