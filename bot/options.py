"""A channel's settings in words: what each may be, and what changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from bot import commands
from bot.errors import UserError
from bot.forms import LAYOUTS, QUIET, STRICTNESS
from bot.model import Channel, Subscription
from bot.views import Action, Span, Text, joined, plain, text

_PING = re.compile(r"\d{1,20}@\d{1,3}", re.ASCII)
# 1e-05: a small one, as it is shown
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:e-\d+)?", re.ASCII)
_ROLE = re.compile(r"(?:<@&|@)?(\d{1,20})>?@(\d{1,3})", re.ASCII)


def _set_max(channel: Channel, value: str) -> Channel:
    return replace(channel, max=int(commands.number(value, "max", 1, 50)))


def _set_trending(channel: Channel, value: str) -> Channel:
    return replace(channel, trending=int(commands.number(value, "trending", 0, 20)))


def _set_strictness(channel: Channel, value: str) -> Channel:
    if value.lower() in STRICTNESS:
        return replace(channel, strictness=value.lower())
    if not _NUMBER.fullmatch(value.lower()):
        raise _no_choice("strictness", value, (*STRICTNESS, "a number"))
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


def _set_ping(channel: Channel, value: str) -> Channel:
    if channel.ref.platform != "discord":
        raise UserError("ping: is a setting of Discord's channels.", field="ping")
    if value.lower() == "off":
        return replace(channel, ping="")
    role = _ROLE.fullmatch(value.replace(" ", ""))
    if role is None:
        raise UserError(
            f"ping: cannot be “{value[:40]}”.",
            hint="Name a role and the points above which it is mentioned: ping:@role@60; or ping:off.",
            field="ping",
        )
    return replace(channel, ping=f"{role[1]}@{role[2]}")


_SETTERS: dict[str, Callable[[Channel, str], Channel]] = {
    "max": _set_max,
    "strictness": _set_strictness,
    "layout": _set_choice("layout", LAYOUTS),
    "quiet": _set_choice("quiet", QUIET),
    "trending": _set_trending,
    "who": _set_who,
    "unfurl": _set_unfurl,
    "ping": _set_ping,
}


_PLAIN = (
    "schedule", "max", "strictness", "layout", "quiet", "trending", "unfurl", "paused", "paused_until",
)  # fmt: skip


def undo(after: Channel) -> Action:
    """The button that takes back the change to these settings, and no other one."""
    return Action("Undo", f"config undo {mark(after)}")


def mark(channel: Channel) -> str:
    """The same for the same settings, in any process."""
    lines = [
        *(plain(told(s)) for s in channel.subscriptions),
        *(f"muted {q}" for q in channel.muted),
        *(f"{name} {getattr(channel, name)}" for name in (*_PLAIN, "who", "ping")),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


def check(channel: Channel) -> None:
    """Raise UserError where the channel has what no command gives it: settings come as JSON too."""
    _set_max(channel, str(channel.max))
    _set_trending(channel, str(channel.trending))
    if not isinstance(channel.strictness, str):
        commands.number(str(channel.strictness), "strictness", 0, 10)
    for subscription in channel.subscriptions:
        commands.number(str(subscription.weight), "weight", 0.1, 10)
    if channel.ping and not _PING.fullmatch(channel.ping):
        raise UserError(f"ping: cannot be “{channel.ping[:40]}”.")


def differences(before: Channel | None, after: Channel | None) -> list[Text]:
    """What changed from one state of a channel to the other, a line each."""
    if before is None or after is None:
        return [text("the channel was set up" if after else "the channel was removed")]
    lines: list[str] = []
    old = {s.number: s for s in before.subscriptions}
    new = {s.number: s for s in after.subscriptions}
    lines += [f"subscribed {plain(told(new[n]))}" for n in new if n not in old]
    lines += [f"dropped {plain(told(old[n]))}" for n in old if n not in new]
    lines += [f"changed {plain(told(new[n]))}" for n in new if n in old and new[n] != old[n]]
    lines += [f"muted {q}" for q in after.muted if q not in before.muted]
    lines += [f"unmuted {q}" for q in before.muted if q not in after.muted]
    for name in _PLAIN:
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            lines.append(f"{name.replace('_', ' ')}: {_word(was)} became {_word(now)}")
    told_of = [text(line) for line in lines]
    if before.who != after.who:
        told_of.append(text("who: ", *people(before.who), " became ", *people(after.who)))
    if before.ping != after.ping:
        told_of.append(text("ping: ", *pinged(before.ping), " became ", *pinged(after.ping)))
    return told_of


def taken_over(channel: Channel, was: str) -> Channel:
    """Without what is only understood in the workspace of *was*, where its settings come from."""
    ref = channel.ref
    if was.rpartition(":")[0] != f"{ref.platform}:{ref.tenant}":
        channel = replace(channel, ping="")  # a role of another server
    return channel if ref.platform == "slack" else replace(channel, unfurl=False)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "no end" if value is None else f"{value}"


def pinged(ping: str) -> Text:
    """Who is mentioned, and for which papers."""
    role, _, above = ping.partition("@")
    if not role:
        return text("off")
    return text(Span(f"role {role}", role=role), f", above {above} points")


def people(who: str) -> Text:
    """Those that the setting names one by one, or its word for them."""
    if not re.search(r"@\d", who):  # elsewhere the platform's adapter puts names in place of ids
        return text(who)
    return joined([(Span(name, person=name.removeprefix("@")),) for name in who.split(",")])


def told(s: Subscription) -> Text:
    """A subscription with its number, weight and label."""
    return text(f"{s.number} ", Span(str(s.query), code=True), extras(s))


def extras(s: Subscription) -> str:
    weight = f" weight {s.weight:g}" if s.weight != 1 else ""
    return weight + (f" ({s.label})" if s.label else "")
