"""What an option may become, while somebody types it.

Papers come from memory, but for those of a channel's last digest, which are read once a minute at
most; settings and posts that are held are looked up anew each time. Discord is not asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from discord import app_commands

from adapters.discord.callers import Interaction, caller_of
from adapters.discord.core import Core
from bot import zones
from bot.commands import VERBS
from bot.errors import UserError
from bot.forms import STRICTNESS
from bot.identity import short_id
from bot.model import Caller, ChannelRef, Paper
from bot.ports import Clock, State
from bot.query import categories
from bot.text import clip
from bot.views import Digest, Listing, Notice, View

OFFERED = 25  # choices of one answer; platforms.md §3
LENGTH = 100  # characters of a choice's name and value
REMEMBERED, PEOPLE, CHANNELS = 50, 1_000, 1_000  # papers of a person in a channel; such; channels
FRESH = timedelta(minutes=1)
_DAYS = ("weekdays", "daily", "mon,wed,fri", "tue,thu", "weekly mon", "monthly 1", "off")
_WHO = ("members", "managers")
_HELD_OF = 100  # posts of a channel that are looked at for held ones

K = TypeVar("K")
V = TypeVar("V")
Choices = list[app_commands.Choice[str]]


class Completion:
    def __init__(self, core: Callable[[], Core], clock: Clock) -> None:
        self._core = core
        self._clock = clock
        self._shown: OrderedDict[tuple[ChannelRef, str], OrderedDict[str, str]] = OrderedDict()
        self._posted: OrderedDict[ChannelRef, tuple[datetime, dict[str, str]]] = OrderedDict()

    def remember(self, asker: Caller, view: View) -> None:
        """Papers that the person was shown there, and nobody else: their own list is among them."""
        if not isinstance(view, Digest | Listing | Notice) or not view.cards:
            return
        place = asker.ref, asker.user
        shown = self._shown.setdefault(place, OrderedDict())  # id to title
        for card in reversed(view.cards):
            _put_last(shown, short_id(card.paper.id), card.paper.title, REMEMBERED)
        _put_last(self._shown, place, shown, PEOPLE)

    async def papers(self, interaction: Interaction, typed: str) -> Choices:
        """Those that the person was shown of late, then those of the last digest."""
        ref = _ref(interaction)
        if ref is None:
            return []
        shown = self._shown.get((ref, str(interaction.user.id)), OrderedDict[str, str]())
        known = {paper: shown[paper] for paper in reversed(shown)} | await self._last_digest(ref)
        words = typed.casefold().split()
        return _choices(
            (f"{paper} {title}", paper)
            for paper, title in known.items()
            if all(word in f"{paper} {title}".casefold() for word in words)
        )

    async def _last_digest(self, ref: ChannelRef) -> dict[str, str]:
        now = self._clock()
        read_at, papers = self._posted.get(ref, (now - FRESH, {}))
        if now - read_at >= FRESH:
            last = await self._core().outbox.last(ref)
            found = [await self._core().library.find(paper) for paper in last[1]] if last else []
            papers = {short_id(p.id): p.title for p in found if isinstance(p, Paper)}
            _put_last(self._posted, ref, (now, papers), CHANNELS)
        return papers

    async def subscriptions(self, interaction: Interaction, typed: str) -> Choices:
        """By number, which stays what it is."""
        ref = _ref(interaction)
        channel = await self._core().channels.get(ref) if ref else None
        return _choices(
            (f"{s.number} {s.query}", str(s.number))
            for s in (channel.subscriptions if channel else ())
            if typed.casefold() in f"{s.number} {s.query}".casefold()
        )

    async def muted(self, interaction: Interaction, typed: str) -> Choices:
        ref = _ref(interaction)
        channel = await self._core().channels.get(ref) if ref else None
        terms = [str(query) for query in (channel.muted if channel else ())]
        return _same(term for term in terms if typed.casefold() in term.casefold())

    async def held(self, interaction: Interaction, typed: str) -> Choices:
        """Keys of posts that wait for a person's word."""
        ref = _ref(interaction)
        posts = await self._core().outbox.deliveries(ref, _HELD_OF) if ref else []
        return _choices(
            (f"{post.key[:8]}, due {post.slot:%-d %B %H:%M} UTC: {post.detail}", post.key)
            for post in posts
            if post.state is State.HELD and post.key.startswith(typed.strip().lower())
        )

    async def query(self, _: Interaction, typed: str) -> Choices:
        """The category of the last word, where it is to be one."""
        before, _blank, word = typed.rpartition(" ")
        if not word.lower().startswith("cat:"):
            return []
        begun = word[len("cat:") :].lower()
        start = f"{before} " if before else ""
        found = (f"{start}cat:{c}" for c in categories() if c.lower().startswith(begun))
        return _same(line for line in found if len(line) <= LENGTH)

    async def zone(self, _: Interaction, typed: str) -> Choices:
        return _same(zones.matching(typed, OFFERED))

    async def days(self, _: Interaction, typed: str) -> Choices:
        return _same(_beginning(_DAYS, typed))

    async def strictness(self, _: Interaction, typed: str) -> Choices:
        return _same(_beginning(STRICTNESS, typed))

    async def who(self, _: Interaction, typed: str) -> Choices:
        return _same(_beginning(_WHO, typed))

    async def topic(self, _: Interaction, typed: str) -> Choices:
        return _same(_beginning((verb.name for verb in VERBS), typed))


def _ref(interaction: Interaction) -> ChannelRef | None:
    try:
        return caller_of(interaction).ref
    except UserError:
        return None


def _beginning(words: Iterable[str], typed: str) -> Iterable[str]:
    return (word for word in words if word.startswith(typed.strip().lower()))


def _same(words: Iterable[str]) -> Choices:
    return _choices((word, word) for word in words)


def _choices(named: Iterable[tuple[str, str]]) -> Choices:
    """The first of them; a name is cut, a value that is too long is left out."""
    fitting = (
        app_commands.Choice(name=clip(name, LENGTH), value=value)
        for name, value in named
        if len(value) <= LENGTH
    )
    return list(islice(fitting, OFFERED))


def _put_last(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
