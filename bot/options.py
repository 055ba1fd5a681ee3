"""A channel's settings in words: the form, what each may be, and what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot import commands
from bot.errors import UserError
from bot.model import Channel, Subscription
from bot.views import Field, Form, Span, Text, plain, text

_LAYOUTS = ("compact", "cards", "thread")
_QUIET = ("post", "note", "silent")
_STRICTNESS = ("loose", "normal", "strict")


def settings_form(channel: Channel) -> Form:
    return Form(
        f"Settings of {channel.ref.channel}",
        "set",
        (
            Field("max", "Papers in a digest", "text", str(channel.max), hint="1 to 50"),
            Field("strictness", "How well papers must match", "choice", f"{channel.strictness}",
                  _STRICTNESS, "or a number of standard deviations, such as 2.5"),
            Field("layout", "Layout", "choice", channel.layout, _LAYOUTS),
            Field("quiet", "On a day without papers", "choice", channel.quiet, _QUIET,
                  "note says it once"),
            Field("who", "Who may change this", "text", channel.who, hint="members, managers or @ann,@bob"),
        ),
        notes=(text("Trending papers to add: ", Span(f"set trending:{channel.trending}", code=True)),
               text("Schedule: ", Span(f"schedule {channel.schedule}", code=True))),
    )  # fmt: skip


def _set_max(channel: Channel, value: str) -> Channel:
    return replace(channel, max=int(commands.number(value, "max", 1, 50)))


def _set_trending(channel: Channel, value: str) -> Channel:
    return replace(channel, trending=int(commands.number(value, "trending", 0, 20)))


def _set_strictness(channel: Channel, value: str) -> Channel:
    if value.lower() in _STRICTNESS:
        return replace(channel, strictness=value.lower())
    if not value.replace(".", "", 1).isdigit():
        raise _no_choice("strictness", value, (*_STRICTNESS, "a number"))
    return replace(channel, strictness=commands.number(value, "strictness", 0, 10))


def _set_choice(name: str, choices: tuple[str, ...]) -> Callable[[Channel, str], Channel]:
    def choose(channel: Channel, value: str) -> Channel:
        if value.lower() not in choices:
            raise _no_choice(name, value, choices)
        if name == "layout":
            return replace(channel, layout=value.lower())
        return replace(channel, quiet=value.lower())

    return choose


def _set_who(channel: Channel, value: str) -> Channel:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if value.lower() in ("members", "managers"):
        return replace(channel, who=value.lower())
    if not names or not all(n.startswith("@") and len(n) > 1 for n in names) or len(names) > 50:
        raise _no_choice("who", value, ("members", "managers", "@ann,@bob"))
    return replace(channel, who=",".join(names))


def change(channel: Channel, name: str, value: str) -> Channel:
    """The channel with one setting changed; raises UserError where it cannot be that."""
    return _SETTERS[name](channel, value)


def _no_choice(name: str, value: str, choices: tuple[str, ...]) -> UserError:
    return UserError(
        f"{name}: cannot be “{value[:40]}”.",
        hint=f"Write {name}:{choices[0]}; it is one of {', '.join(choices)}.",
        field=name,
    )


def _set_unfurl(channel: Channel, value: str) -> Channel:
    if channel.ref.platform != "slack":
        raise UserError("unfurl: is a setting of Slack's channels.", field="unfurl")
    if value.lower() not in ("on", "off"):
        raise _no_choice("unfurl", value, ("on", "off"))
    return replace(channel, unfurl=value.lower() == "on")


_SETTERS: dict[str, Callable[[Channel, str], Channel]] = {
    "max": _set_max,
    "strictness": _set_strictness,
    "layout": _set_choice("layout", _LAYOUTS),
    "quiet": _set_choice("quiet", _QUIET),
    "trending": _set_trending,
    "who": _set_who,
    "unfurl": _set_unfurl,
}


def differences(before: Channel | None, after: Channel | None) -> list[str]:
    """What changed from one state of a channel to the other, a line each."""
    if before is None or after is None:
        return ["the channel was set up"] if after else ["the channel was removed"]
    lines = []
    old = {s.number: s for s in before.subscriptions}
    new = {s.number: s for s in after.subscriptions}
    lines += [f"subscribed {plain(told(new[n]))}" for n in new if n not in old]
    lines += [f"dropped {plain(told(old[n]))}" for n in old if n not in new]
    lines += [f"changed {plain(told(new[n]))}" for n in new if n in old and new[n] != old[n]]
    lines += [f"muted {q}" for q in after.muted if q not in before.muted]
    lines += [f"unmuted {q}" for q in before.muted if q not in after.muted]
    for name in (
        "schedule",
        "max",
        "strictness",
        "layout",
        "quiet",
        "trending",
        "who",
        "unfurl",
        "paused",
        "paused_until",
    ):
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            lines.append(f"{name.replace('_', ' ')}: {was} became {now}")
    return lines


def told(s: Subscription) -> Text:
    """A subscription with its number, weight and label."""
    return text(f"{s.number} ", Span(str(s.query), code=True), extras(s))


def extras(s: Subscription) -> str:
    weight = f" weight {s.weight:g}" if s.weight != 1 else ""
    return weight + (f" ({s.label})" if s.label else "")
