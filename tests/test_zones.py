"""Zones by the names that people give them."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from bot import zones
from bot.errors import UserError
from tests.soak.zones import changes, days_around, watched

ALL = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
# Where IANA's own name is an abbreviation, people mean a place with summer time, or several places
ABBREVIATIONS = {"CET", "EET", "EST", "HST", "MET", "MST", "WET"}


def answered(text: str) -> str | None:
    """The zone, or the question and its hint."""
    try:
        return zones.find(text)
    except UserError as error:
        return f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Berlin time", "Europe/Berlin"),
        ("time zone Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("new_york", "America/New_York"),
        ("NewYork time zone", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("St. John’s", "America/St_Johns"),
        ("Port-au-Prince", "America/Port-au-Prince"),
        ("Dumont d'Urville", "Antarctica/DumontDUrville"),
        ("São Paulo", "America/Sao_Paulo"),
        ("Zürich", "Europe/Zurich"),
        ("Buenos Aires", "America/Argentina/Buenos_Aires"),
        ("Indianapolis", "America/Indiana/Indianapolis"),
        ("Istanbul", "Europe/Istanbul"),
        ("Nicosia", "Asia/Nicosia"),
        ("San Francisco", "America/Los_Angeles"),
        ("Beijing", "Asia/Shanghai"),
        ("India", "Asia/Kolkata"),
        ("UTC", "UTC"),
        ("utc time", "UTC"),
        ("Z", "UTC"),
        ("GMT", "GMT"),
        ("UTC+0", "UTC"),
        ("UTC-00:00", "UTC"),
        ("CET", "Europe/Berlin"),
        ("CEST", "Europe/Berlin"),
        ("Central European Summer Time", "Europe/Berlin"),
        ("EST", "America/New_York"),
        ("Eastern Standard Time", "America/New_York"),
        ("ET", "America/New_York"),
        ("PST", "America/Los_Angeles"),
        ("Pacific", "America/Los_Angeles"),
        ("US/Pacific", "US/Pacific"),
        ("JST", "Asia/Tokyo"),
        ("Etc/GMT-2", "Etc/GMT-2"),
        ("Paris, France", "Europe/Paris"),
        ("MESZ", "Europe/Berlin"),
        ("Köln", "Europe/Berlin"),
        ("Wien", "Europe/Vienna"),
        ("Hanoi", "Asia/Ho_Chi_Minh"),
        ("Taiwan", "Asia/Taipei"),
    ],
)
def test_a_zone_is_found_by_what_people_call_it(text: str, zone: str) -> None:
    assert zones.find(text) == zone


def test_each_zone_is_found_by_its_own_name_in_any_case() -> None:
    missed = {name for name in ALL if answered(name.lower()) != name}

    assert missed == ABBREVIATIONS


def test_all_that_a_table_or_an_answer_names_is_a_zone() -> None:
    named = {*zones._NAMES, *(zone for choice in zones._ASKED.values() for zone in choice.values())}

    assert named - {*ALL} == set()


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("IST", "“IST” may mean India, Israel or Ireland. "
                "Write Asia/Kolkata, Asia/Jerusalem or Europe/Dublin."),
        ("BST", "“BST” may mean Britain in summer or Bangladesh. "
                "Write Europe/London or Asia/Dhaka."),
        ("cst", "“cst” may mean Chicago, China or Cuba. "
                "Write America/Chicago, Asia/Shanghai or America/Havana."),
        ("Cambridge", "“Cambridge” may mean England or Massachusetts. "
                      "Write Europe/London or America/New_York."),
        ("UTC+2", "UTC+2 says nothing of summer time; a zone with a city does. Write the zone: "
                  "Africa/Johannesburg (all year), Europe/Athens (in winter) or "
                  "Europe/Berlin (in summer)."),
        ("+0530", "+0530 says nothing of summer time; a zone with a city does. "
                  "Write the zone: Asia/Kolkata (all year)."),
        ("GMT-5", "GMT-5 says nothing of summer time; a zone with a city does. Write the zone: "
                  "America/Bogota (all year), America/New_York (in winter) or "
                  "America/Chicago (in summer)."),
        ("UTC-12", "UTC-12 says nothing of summer time; a zone with a city does. "
                   "Write a zone or its city: Europe/Berlin, New York or UTC."),
    ],
)  # fmt: skip
def test_a_name_with_several_meanings_is_a_question(text: str, question: str) -> None:
    assert answered(text) == question


@pytest.mark.parametrize(("sign", "way"), [("+", 1), ("-", -1)])
def test_an_offset_is_answered_with_zones_of_that_offset(sign: str, way: int) -> None:
    for hours in range(1, 15):
        hint = (answered(f"UTC{sign}{hours}") or "").replace(",", "")
        offered = [word for word in hint.split() if word in ALL and "/" in word and "(" in hint]
        assert offered or (sign, hours) in {("-", 12), ("-", 13), ("-", 14)}
        for zone in offered:
            year = [datetime(2026, month, 15, tzinfo=UTC) for month in (1, 7)]
            ahead = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in year]
            assert way * hours * 3600 in [a.total_seconds() for a in ahead if a is not None]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Berln", "Did you mean Europe/Berlin?"),
        ("Europ/Berln", "Did you mean Europe/Berlin"),
        ("New Yrok", "Did you mean America/New_York?"),
        ("Ameirca/New York", "Did you mean America/New_York"),
        ("qqq", "Write a zone or its city"),
        ("UTC+99", "Write a zone or its city"),
        ("UTC+5:75", "Write a zone or its city"),
        ("localtime", "Write a zone or its city"),  # whatever this machine's is
        ("", "Write a zone or its city"),
    ],
)
def test_a_typing_mistake_brings_the_nearest_names(text: str, meant: str) -> None:
    assert zones.find(text) is None

    error = zones.unknown(text)

    assert error.message == f"“{text}” names no time zone."
    assert meant in error.hint
    assert "Etc/" not in error.hint  # Etc/GMT+1 is UTC-1


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("utcgmt+-0123456789: ./", max_size=12))
def test_any_text_is_a_zone_or_none_or_a_question(text: str) -> None:
    found = answered(text)

    assert found is None or found in ALL or "Write" in found
    assert zones.unknown(text).hint


def test_a_megabyte_names_no_zone() -> None:
    for text in ("Berlin" * 200_000, "+" * 1_000_000, "\u0301" * 1_000_000):
        assert zones.find(text) is None
        assert len(zones.unknown(text).message) < 100


def test_the_watched_clock_sees_gaps_and_the_first_of_two() -> None:
    """The measure of the long form itself."""
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

    spring, autumn = changes(berlin, start, end)

    assert spring == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert autumn == datetime(2026, 10, 25, 1, tzinfo=UTC)
    around = days_around(berlin, spring)
    assert [day.day for day in around] == [28, 29, 30]
    assert watched(berlin, around)[around[1]][10] == spring  # 02:30
    around = days_around(berlin, autumn)
    assert watched(berlin, around)[around[1]][10] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("IST", ["Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"]),
        ("cst", ["America/Chicago", "Asia/Shanghai"]),
        ("mst", ["America/Denver", "America/Phoenix"]),
        ("Cambridge", ["Europe/London", "America/New_York", "America/Cambridge_Bay"]),
        ("camb", ["America/Cambridge_Bay", "Europe/London", "America/New_York"]),
        ("birmingham", ["Europe/London", "America/Chicago"]),
        ("et", ["America/New_York"]),
        ("Eastern time", ["America/New_York"]),
        ("UTC+5:30", ["Asia/Kolkata"]),
        ("GMT+5", ["Asia/Karachi"]),
        ("UTC-5", ["America/Bogota", "America/New_York"]),
        ("+0", ["UTC"]),
        ("", ["UTC", "Europe/London"]),
    ],
)
def test_completion_begins_with_what_people_mean(typed: str, first: list[str]) -> None:
    found = zones.matching(typed, 100)

    assert found[: len(first)] == first
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("typed", ["gmt", "gmt+5", "GMT-3", "utc+2", "+2"])
def test_completion_offers_no_zone_with_the_opposite_offset(typed: str) -> None:
    found = zones.matching(typed, 100)

    assert found
    assert not [zone for zone in found if zone.startswith("Etc/")]


def test_every_zone_that_completion_offers_is_taken() -> None:
    offered = {
        zone for letter in "abcdefghijklmnopqrstuvwxyz" for zone in zones.matching(letter, 999)
    }

    assert {zone for zone in offered if answered(zone) != zone} == set()
    assert set(ALL) - offered == ABBREVIATIONS
