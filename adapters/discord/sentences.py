"""The core's sentences as people give them here: ``/papers why paper:2509.04664``. Pure."""

from __future__ import annotations

import re

from bot import commands
from bot.commands import Verb

# For everybody, as far as the channel lets its members (its setting ``who``); all else that changes
# or posts takes the permission (design §12).
OF_MEMBERS = ("like", "dislike", "unvote", "share")

# The options that the words after a verb go to; the last one takes all that is left.
_OPTIONS = {
    "help": ("topic",), "search": ("query",), "preview": ("query",), "top": ("period",),
    "export": ("format", "scope"), "subscribe": ("query",), "expand": ("subscription", "meaning"),
    "unsubscribe": ("subscription",), "mute": ("term",), "unmute": ("term",), "pause": ("until",),
    "forget": ("term",), "resend": ("key",), "giveup": ("key",),
    **dict.fromkeys(
        ("why", "show", "similar", "save", "unsave", "share", "like", "dislike", "unvote"), ("paper",)
    ),
}  # fmt: skip
_PARTS = ("weight", "label")  # options here, which subscribe takes from each of its parts
_NAMED = re.compile(r"\[?(\w+):", re.ASCII)
_SCHEDULE = re.compile(r"(\D.*?)(?: (\d\d:\d\d\S*)(?: (\S+))?)?", re.ASCII)
_TIMED = re.compile(r"\d:|\d ?[ap]m\b|\b(?:off|never)\b", re.ASCII | re.IGNORECASE)
_ALL = re.compile(r"\ball\b(?!:)")
_YES = re.compile(r"(?<= )(\w+):yes\b", re.ASCII)


def is_for_managers(verb: Verb) -> bool:
    """Whether it takes the permission Manage Channels in a server."""
    return verb.kind in (commands.CHANGE, commands.POST) and verb.name not in OF_MEMBERS


def native(sentence: str) -> str:
    """As Discord's own line of input takes it, too, when it is pasted there."""
    name, _, words = sentence.partition(" ")
    verb = commands.find_verb(name)
    if verb is None:
        return sentence
    of_admins = is_for_managers(verb) or verb.name == "settings"
    command = "/papers-admin" if of_admins else "/papers"
    return " ".join(filter(None, (command, verb.name, _options(verb, words))))


def schedule(known: str, days: str, time: str, zone: str) -> str:
    """The words of typed options; days and times that are not given stay as they are *known*."""
    found = _SCHEDULE.fullmatch(known)
    was_days, was_time = (found[1], found[2] or "") if found else ("", "")
    if not days and not (time and was_days == "off"):
        days = was_days
    if not time and not _TIMED.search(days):
        time = was_time
    return " ".join(filter(None, (days, time, zone)))


def _options(verb: Verb, words: str) -> str:
    words = _YES.sub(r"\1:True", f" {words}").strip()
    if verb.name == "erase":
        return words.removeprefix("me").strip()
    if verb.name == "list":
        return _ALL.sub("all:True", words)
    if verb.name == "schedule" and (found := _SCHEDULE.fullmatch(words)):
        named = zip(("days", "time", "timezone"), found.groups(), strict=True)
        return " ".join(f"{option}:{value}" for option, value in named if value)
    names = _OPTIONS.get(verb.name, ())
    known = {*names, *verb.options, *_PARTS}
    given, rest = list[str](), words.split()
    while rest and _name_of(rest[0]) in known:  # not a field of the query, as cat:
        given.append(rest.pop(0))
    if not names or not rest:
        return words
    values = " ".join(rest).split(" ", len(names) - 1)
    given += (
        value if _name_of(value) in known else _called(name, value)
        for name, value in zip(names, values, strict=False)
    )
    return " ".join(given)


def _name_of(word: str) -> str:
    found = _NAMED.match(word)
    return found[1] if found else ""


def _called(name: str, value: str) -> str:
    """Brackets, around what may be missing, stay around the whole."""
    return f"[{name}:{value[1:]}" if value.startswith("[") else f"{name}:{value}"
