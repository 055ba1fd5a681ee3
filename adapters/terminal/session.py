"""One person in one channel of the terminal: what they type to what is shown."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal

from bot.answers import Answers
from bot.commands import VERBS, find_verb
from bot.identity import short_id
from bot.model import Caller, ChannelRef
from bot.query import categories
from bot.views import Digest, Listing, Notice, View

_PAPER = "2509.04664"  # stands in the usage of each verb that takes a paper


def caller(ref: ChannelRef) -> Caller:
    """Who sits at this machine, with its time zone."""
    try:
        user = getpass.getuser()
    except OSError:  # no such user in this container
        user = "local"
    try:
        zone = tzlocal.get_localzone_name()
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = "UTC"
    return Caller(ref, user, zone="UTC" if zone in ("Etc/UTC", "Etc/GMT", "GMT") else zone)


class ChannelSession:
    def __init__(
        self, answers: Answers, person: Caller, *, greeting: Callable[[], Awaitable[list[View]]]
    ) -> None:
        self._answers = answers
        self._person = person
        self._greeting = greeting
        self._papers: dict[str, None] = {}  # ids that were shown, for completion

    @property
    def channel(self) -> str:
        return self._person.ref.channel

    async def greeting(self) -> list[View]:
        views = await self._greeting()
        for view in views:
            self._remember(view)
        return views

    async def answer(self, line: str) -> View:
        view = await self._answers.say(line, self._person)
        self._remember(view)
        return view

    def completions(self, line: str) -> list[str]:
        """Candidates for the last word: verbs, then what fits the verb."""
        first, blank, rest = line.lstrip().partition(" ")
        if not blank:
            return [v.name for v in VERBS if v.name.startswith(first.lower())]
        verb = find_verb(first)
        if verb is None:
            return []
        word = rest.rpartition(" ")[2]
        if word.lower().startswith("cat:"):
            wanted = word[4:].lower()
            return [f"cat:{c}" for c in categories() if c.lower().startswith(wanted)]
        candidates = [f"{name}:" for name in verb.options]
        if _PAPER in verb.usage:
            candidates += self._papers
        if verb.name == "help":
            candidates += [v.name for v in VERBS]
        if verb.name == "config":
            candidates += ["undo"]
        return [c for c in candidates if c.startswith(word)]

    def _remember(self, view: View) -> None:
        if isinstance(view, Digest | Listing | Notice):
            for card in view.cards:
                self._papers[short_id(card.paper.id)] = None
