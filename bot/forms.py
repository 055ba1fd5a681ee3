"""Forms: what they ask, and the request that their values make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from bot import commands, query, zones
from bot.commands import Command, Find, SetOptions, SetSchedule, Subscribe, Wish
from bot.errors import UserError
from bot.model import Channel
from bot.schedule import WEEKDAYS, Schedule
from bot.views import Field, Form, Span, Text, text, typed

LAYOUTS = ("compact", "cards", "thread")
QUIET = ("post", "note", "silent")
STRICTNESS = ("loose", "normal", "strict")

_ANY = "any time"
_SINCE = (_ANY, "7d", "30d", "90d", "365d")
_SOURCE = ("everywhere", *commands.SOURCES)
_SORT = ("best", "new", "upvotes")
_CODE = ("any", "with code")
_WHO = {"discord": "Who may share and vote"}  # to change takes Discord's own permission
_WHO_HINT = {
    "slack": "members or managers; to name people, type /papers set who:@ann,@bob",
    "discord": "members or managers; to name people, type /papers-admin set who:@ann,@bob",
}


def form_of(name: str, channel: Channel) -> Form:
    """The form of that name, as the channel stands."""
    return _FORMS[name](channel)


def settings_form(channel: Channel) -> Form:
    strictness = f"{channel.strictness}"
    return Form(
        "Settings",
        "set",
        (
            Field("max", "Papers in a digest", "text", str(channel.max), hint="1 to 50"),
            Field("strictness", "How well papers must match", "choice", strictness,
                  tuple(dict.fromkeys((*STRICTNESS, strictness))),
                  "set takes any number of standard deviations, such as 2.5"),
            Field("layout", "Layout", "choice", channel.layout, LAYOUTS),
            Field("quiet", "On a day without papers", "choice", channel.quiet, QUIET,
                  "note says it once"),
            Field("who", _WHO.get(channel.ref.platform, "Who may change this"), "text", channel.who,
                  hint=_WHO_HINT.get(channel.ref.platform, "members, managers or @ann,@bob")),
        ),
        notes=(text("Trending papers to add: ", typed(f"set trending:{channel.trending}")),
               text("Schedule: ", typed(f"schedule {channel.schedule}")), *_cards_note(channel)),
    )  # fmt: skip


def _cards_note(channel: Channel) -> tuple[Text, ...]:
    """Links get cards on Slack alone, and in channels that several people read."""
    if channel.ref.platform != "slack" or channel.ref.channel.startswith("@"):
        return ()
    state = "on" if channel.unfurl else "off"
    return (text("Cards below links to papers: ", typed(f"set unfurl:{state}")),)


def _subscribe_form(_: Channel) -> Form:
    return Form(
        "Subscribe",
        "subscribe",
        (
            Field("query", "What papers are to be about", "text", "",
                  hint='"speculative decoding", or: diffusion -survey cat:cs.CV'),
            Field("weight", "Weight", "text", "1", hint="0.1 to 10; 2 counts twice", optional=True),
            Field("label", "Label", "text", "", hint="inference", optional=True),
        ),
        notes=(text("Words match in any ending, ", Span('"quotes"', code=True), " exactly, ",
                    Span("-word", code=True), " excludes, ", Span("a|b", code=True), " means either; ",
                    Span(";", code=True), " stands between several subscriptions."),),
    )  # fmt: skip


def _schedule_form(channel: Channel) -> Form:
    schedule = channel.schedule
    times = ",".join(f"{t:%H:%M}" for t in schedule.times)
    if schedule.month_day:
        days = Field("days", "Days", "text", f"monthly {schedule.month_day}",
                     hint="weekdays, daily, mon,thu, monthly 1; off for no digest by itself")  # fmt: skip
    else:
        chosen = ",".join(WEEKDAYS[day] for day in schedule.days)
        days = Field("days", "Days", "choices", chosen, WEEKDAYS, "none: no digest comes by itself",
                     optional=True)  # fmt: skip
    return Form(
        "Schedule",
        "schedule",
        (
            days,
            Field("time", "Time", "time" if len(schedule.times) == 1 else "text", times,
                  hint="09:00; several with commas between"),
            Field("zone", "Time zone", "zone", schedule.zone, hint="Europe/Berlin, or a city"),
        ),
    )  # fmt: skip


def _search_form(_: Channel) -> Form:
    return Form(
        "Search papers",
        "search",
        (
            Field("query", "Words", "text", "", hint='"tool use" -survey'),
            Field("since", "Listed in the last", "choice", _ANY, _SINCE),
            Field("source", "Source", "choice", _SOURCE[0], _SOURCE),
            Field("sort", "Order", "choice", "best", _SORT),
            Field("code", "Code", "choice", _CODE[0], _CODE),
        ),
    )


_FORMS: dict[str, Callable[[Channel], Form]] = {
    "subscribe": _subscribe_form,
    "schedule": _schedule_form,
    "search": _search_form,
}
assert set(_FORMS) == set(commands.FORMS)  # noqa: S101  # two lists of one thing


def from_form(command: str, values: Mapping[str, str]) -> Command:
    """The request of a submitted form; raises UserError, whose ``field`` is the faulty one.

    *command* is the form's; a field that was left empty is "" or missing.
    """
    given = {name: value.strip() for name, value in values.items()}
    return _READERS[command](given)


def _subscribe(given: Mapping[str, str]) -> Command:
    weight, label = given.get("weight") or "1", given.get("label", "")
    words = given.get("query", "")
    with _beside("query"):
        parts = [part for part in commands.split_semicolons(words) if part.strip()] or [words]
        wanted = [query.parse(part) for part in parts]
    with _beside("label"):
        label = commands.label(label) if label else ""
    heavy = commands.number(weight, "weight", 0.1, 10)
    return Subscribe(tuple(Wish(each, heavy, label or None) for each in wanted))


def _schedule(given: Mapping[str, str]) -> Command:
    days, at, zone = given.get("days", ""), given.get("time", ""), given.get("zone", "")
    with _beside("zone"):
        found = zones.find(zone)
        if found is None:
            raise zones.unknown(zone)
    if days.lower() in ("", "off", "never"):
        return SetSchedule(f"off {found}")
    with _beside("time"):
        daily = Schedule.parse(f"daily {at}", found)
        if replace(daily, times=()) != Schedule(tuple(range(7)), (), found):
            raise UserError(f"“{at[:20]}” is no time of day.", hint="Write 09:00, 17:30 or 9am.")
    # as a clock shows it: monthly 9 would be the ninth
    words = f"{days} {','.join(f'{t:%H:%M}' for t in daily.times)} {found}"
    with _beside("days"):
        Schedule.parse(words, found)
    return SetSchedule(words)


def _search(given: Mapping[str, str]) -> Command:
    with _beside("query"):
        wanted = query.parse(given.get("query", ""))
    since, source = given.get("since", _ANY), given.get("source", _SOURCE[0])
    return Find(
        wanted,
        since="" if since == _ANY else since,
        source="" if source == _SOURCE[0] else source,
        sort=given.get("sort") or "best",
        code=given.get("code") == _CODE[1],
    )


def _set(given: Mapping[str, str]) -> Command:
    return SetOptions(tuple((name, value) for name, value in given.items() if value))


_READERS: dict[str, Callable[[Mapping[str, str]], Command]] = {
    "subscribe": _subscribe,
    "schedule": _schedule,
    "search": _search,
    "set": _set,
}


@contextmanager
def _beside(field: str) -> Iterator[None]:
    """A mistake in here is told beside that field."""
    try:
        yield
    except UserError as error:
        error.field = field
        raise
