"""Time zones by the names that people give them: IANA names, cities, abbreviations, offsets."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, islice
from zoneinfo import ZoneInfo

from bot.errors import UserError
from bot.text import fold

_LENGTH = 100
_WRITE = "Write a zone or its city: Europe/Berlin, New York or UTC."

# What IANA has no name for, or another one: EST is New York with its summer time, not the fixed
# offset of that name. The order is that in which the zones of an offset are offered.
_NAMES = {
    "UTC": "z",
    "Europe/London": "uk, britain, england, scotland, oxford, edinburgh, manchester, bristol",
    "Europe/Berlin": "cet, cest, met, mest, mez, mesz, central european, germany, munich, munchen, muenchen, hamburg, "
    "cologne, koln, koeln, "
    "frankfurt, stuttgart, heidelberg, tubingen, bonn, aachen, darmstadt, saarbrucken",
    "Europe/Athens": "eet, eest, eastern european, greece",
    "Europe/Lisbon": "wet, west, western european",
    "Europe/Paris": "france, grenoble, lyon, toulouse",
    "Europe/Vienna": "austria, wien",
    "Europe/Zurich": "switzerland, zuerich, geneva, lausanne, basel",
    "Europe/Amsterdam": "netherlands, the netherlands, delft, eindhoven, leiden, utrecht",
    "Europe/Rome": "italy, milan, turin, trento",
    "Europe/Madrid": "barcelona, valencia",
    "Europe/Istanbul": "istanbul, trt",
    "Europe/Moscow": "msk, st petersburg, saint petersburg",
    "America/New_York": "et, est, edt, eastern, us eastern, nyc, boston, pittsburgh, princeton, "
    "philadelphia, atlanta, baltimore, miami, washington dc, new haven, ithaca",
    "America/Los_Angeles": "pt, pst, pdt, pacific, us pacific, la, sf, san francisco, seattle, "
    "san diego, palo alto, stanford, berkeley, portland, mountain view, california",
    "America/Chicago": "ct, central, us central, austin, dallas, houston, texas, minneapolis",
    "America/Denver": "mt, mdt, mountain, us mountain, boulder, salt lake city",
    "America/Anchorage": "akst, akdt, alaska",
    "Pacific/Honolulu": "hst, hawaii",
    "America/Halifax": "adt",
    "America/Puerto_Rico": "",
    "America/Bogota": "colombia",
    "America/St_Johns": "nst, ndt, newfoundland",
    "America/Costa_Rica": "",
    "America/Sao_Paulo": "brt, rio, rio de janeiro, campinas",
    "America/Argentina/Buenos_Aires": "argentina",
    "America/Nuuk": "greenland",
    "Atlantic/Azores": "",
    "Atlantic/Cape_Verde": "",
    "Africa/Lagos": "wat, nigeria",
    "Africa/Johannesburg": "sast, south africa, cape town, pretoria",
    "Africa/Maputo": "cat",
    "Africa/Nairobi": "eat, kenya",
    "Asia/Nicosia": "nicosia",
    "Asia/Jerusalem": "idt, haifa",
    "Asia/Riyadh": "saudi arabia, jeddah, thuwal",
    "Asia/Tehran": "irst",
    "Asia/Dubai": "gst, abu dhabi",
    "Asia/Kabul": "",
    "Asia/Karachi": "pkt, pakistan, lahore, islamabad",
    "Asia/Kolkata": "india, bangalore, bengaluru, mumbai, delhi, new delhi, chennai, pune",
    "Asia/Kathmandu": "nepal",
    "Asia/Dhaka": "bangladesh",
    "Asia/Yangon": "",
    "Asia/Bangkok": "ict, thailand",
    "Asia/Ho_Chi_Minh": "vietnam, hanoi",
    "Asia/Jakarta": "wib",
    "Asia/Shanghai": "china, beijing, shenzhen, hangzhou, nanjing, wuhan, guangzhou",
    "Asia/Singapore": "sgt",
    "Asia/Taipei": "taiwan",
    "Asia/Hong_Kong": "hkt",
    "Asia/Manila": "pht, philippines",
    "Australia/Perth": "awst",
    "Asia/Tokyo": "jst, osaka, kyoto, nagoya, tsukuba",
    "Asia/Seoul": "kst, south korea, korea, daejeon",
    "Australia/Darwin": "",
    "Australia/Adelaide": "acst, acdt",
    "Australia/Brisbane": "",
    "Australia/Sydney": "aest, aedt",
    "Australia/Lord_Howe": "",
    "Pacific/Noumea": "",
    "Pacific/Auckland": "nzst, nzdt, nzt, new zealand, wellington",
    "Pacific/Tongatapu": "",
    "Pacific/Kiritimati": "",
    "Pacific/Pago_Pago": "",
}

_ASKED = {
    "ist": {"India": "Asia/Kolkata", "Israel": "Asia/Jerusalem", "Ireland": "Europe/Dublin"},
    "bst": {"Britain in summer": "Europe/London", "Bangladesh": "Asia/Dhaka"},
    "cst": {"Chicago": "America/Chicago", "China": "Asia/Shanghai", "Cuba": "America/Havana"},
    "cdt": {"Chicago": "America/Chicago", "Cuba": "America/Havana"},
    "mst": {"Denver": "America/Denver", "Arizona": "America/Phoenix"},
    "ast": {"Atlantic Canada": "America/Halifax", "Arabia": "Asia/Riyadh"},
    "birmingham": {"England": "Europe/London", "Alabama": "America/Chicago"},
    "cambridge": {"England": "Europe/London", "Massachusetts": "America/New_York"},
    "cordoba": {"Argentina": "America/Argentina/Cordoba", "Spain": "Europe/Madrid"},
    "hyderabad": {"India": "Asia/Kolkata", "Pakistan": "Asia/Karachi"},
    "sanjose": {"California": "America/Los_Angeles", "Costa Rica": "America/Costa_Rica"},
    "washington": {"the city": "America/New_York", "the state": "America/Los_Angeles"},
}

# Their last part is no city: Canada/Pacific, Brazil/West
_NO_CITIES = frozenset({"Etc", "US", "Canada", "Brazil", "Chile", "Mexico"})
_DIRECTIONS = frozenset({"Australia/North", "Australia/South", "Australia/West"})
_AROUND = re.compile(
    r"^(?:time ?zone|tz|zone)\b|\b(?:(?:(?:standard|daylight|summer) )?time(?: ?zone)?|tz|zone)$",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"(?:utc|gmt|z)?([+-])(\d{1,2}):?(\d\d)?", re.ASCII)


def find(text: str) -> str | None:
    """The IANA name of the zone meant, None where there is none; UserError where there are several."""
    text = " ".join(text.split()) if len(text) <= _LENGTH else ""
    wanted = _key(_AROUND.sub("", text))
    if choices := _ASKED.get(wanted):
        raise UserError(
            f"“{text}” may mean {_either(choices)}.", hint=f"Write {_either(choices.values())}."
        )
    if found := _known().get(wanted):
        return found
    city, comma, country = text.partition(",")
    if comma:
        found = find(city)
        return found if found and found == find(country) else None
    ahead = _ahead(wanted)
    return None if ahead is None else _of_offset(text, ahead)


def matching(text: str, limit: int) -> list[str]:
    """IANA names that what was typed so far may become, by their own name or a city's; for completion.

    What ``find`` asks about brings all that may be meant.
    """
    wanted = _key(_AROUND.sub("", " ".join(text[:_LENGTH].split())))
    ahead = _ahead(wanted)
    if ahead is not None:  # never Etc/GMT+5, which is UTC-5
        return list(islice((zone for _, zone in _seasons(ahead)), limit))
    known = {key: zone for key, zone in _known().items() if key not in _ASKED}
    usual = (zone for zone in _NAMES if not wanted)
    meant = chain(_ASKED.get(wanted, {}).values(), filter(None, [known.get(wanted)]))
    begun = (zone for key, zone in known.items() if key.startswith(wanted))
    asked = (zone for key in _ASKED if key.startswith(wanted) for zone in _ASKED[key].values())
    near = (zone for key, zone in known.items() if wanted in key and "gmt" not in key)
    return list(islice(dict.fromkeys(chain(usual, meant, begun, asked, near)), limit))


def unknown(text: str) -> UserError:
    """What to say of a text that names no zone: the nearest ones."""
    wanted = _key(_AROUND.sub("", text[:_LENGTH]))
    city = _known().get(_key(text[:_LENGTH].partition(",")[0]))
    near = difflib.get_close_matches(wanted, _suggested(), n=3, cutoff=0.7)
    names = [city] if city else list(dict.fromkeys(_known()[n] for n in near))
    meant = f"Did you mean {_either(names)}? " if names else ""
    return UserError(f"“{text[:60]}” names no time zone.", hint=meant + _WRITE)


@cache
def clock(zone: str) -> ZoneInfo:
    """The zone's rules, kept: ZoneInfo itself holds on to the last eight and reads others anew."""
    return ZoneInfo(zone)


def _key(text: str) -> str:
    """For comparing: without accents, capitals, blanks, points, and hyphens but that of GMT-5."""
    return re.sub(r"-(?!\d)", "", re.sub(r"[\s_.']", "", fold(text)))


@cache
def _known() -> dict[str, str]:
    """All zones by their keys, by those of their cities, and by the names of the table."""
    zones = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
    cities: dict[str, str] = {}
    for zone in sorted(zones, key=lambda zone: -zone.count("/")):  # Argentina/Cordoba, not Cordoba
        region, _, city = zone.rpartition("/")
        if region and region not in _NO_CITIES and zone not in _DIRECTIONS:
            cities.setdefault(_key(city), zone)
    table = {_key(name): zone for zone, names in _NAMES.items() for name in names.split(",")}
    table.pop("", None)
    return cities | {_key(zone): zone for zone in zones} | table


@cache
def _suggested() -> tuple[str, ...]:
    """Keys that a typing mistake may have meant; Etc/GMT+1, which is UTC-1, is none."""
    return tuple(key for key in _known() if len(key) > 3 and not re.search(r"^etc/|\d", key))


def _ahead(wanted: str) -> timedelta | None:
    """How far ahead of UTC, where that is what was written."""
    offset = _OFFSET.fullmatch(wanted)
    if offset is None or int(offset[2]) > 14 or int(offset[3] or 0) >= 60:
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    return -ahead if offset[1] == "-" else ahead


def _of_offset(text: str, ahead: timedelta) -> str:
    """UTC for no offset; others are asked about, since they tell nothing of summer time."""
    if not ahead:
        return "UTC"
    found: dict[str, str] = {}
    for season, zone in _seasons(ahead):
        found.setdefault(season, f"{zone} ({season})")
    raise UserError(
        f"{text} says nothing of summer time; a zone with a city does.",
        hint=f"Write the zone: {_either(found.values())}." if found else _WRITE,
    )


def _seasons(ahead: timedelta) -> list[tuple[str, str]]:
    """When which zones are so far ahead of UTC, those that always are first."""
    found = [(season, zone) for zone in _NAMES if (season := _season(zone, ahead))]
    return sorted(found, key=lambda each: ("all year", "in winter", "in summer").index(each[0]))


def _season(zone: str, ahead: timedelta) -> str:
    """When the zone is so far ahead of UTC."""
    days = (datetime(2026, month, 15, tzinfo=UTC) for month in (1, 7))
    offsets = [day.astimezone(clock(zone)).utcoffset() for day in days]
    if ahead not in offsets:
        return ""
    if offsets[0] == offsets[1]:
        return "all year"
    return "in winter" if all(other is None or ahead <= other for other in offsets) else "in summer"


def _either(choices: Iterable[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last
