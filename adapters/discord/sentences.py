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
_NAMED = re.compile(r"\[|\w+:", re.ASCII)  # options that have their names, or that may be missing
_SCHEDULE = re.compile(r"(\D.*?)(?: (\d\d:\d\d\S*)(?: (\S+))?)?", re.ASCII)
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
    return " ".join(filter(None, (command, verb.name, _options(verb.name, words))))


def _options(verb: str, words: str) -> str:
    words = _YES.sub(r"\1:True", f" {words}").strip()
    if verb == "erase":
        return words.removeprefix("me").strip()
    if verb == "schedule" and (found := _SCHEDULE.fullmatch(words)):
        named = zip(("days", "time", "timezone"), found.groups(), strict=True)
        return " ".join(f"{option}:{value}" for option, value in named if value)
    names = _OPTIONS.get(verb, ())
    values = words.split(" ", len(names) - 1) if words and names else []
    if not values or _NAMED.match(words):
        return words
    return " ".join(
        value if _NAMED.match(value) else f"{name}:{value}"
        for name, value in zip(names, values, strict=False)
    )
