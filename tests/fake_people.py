"""Shelf, kept answers and source health in memory; they pass the contract of the real ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from bot.model import Caller, ChannelRef
from bot.ports import Health
from tests.fakes import MemoryLibrary


class MemoryPeople:
    """Takes the library for the aliases alone."""

    def __init__(self, library: MemoryLibrary) -> None:
        self._library = library
        self._shelf: dict[tuple[str, str, str], dict[str, datetime]] = {}
        self._votes: dict[tuple[ChannelRef, str, str], tuple[datetime, int]] = {}
        self._forgotten: defaultdict[ChannelRef, set[str]] = defaultdict(set)
        self._answers: dict[str, tuple[str, datetime]] = {}
        self._health: dict[str, Health] = {}
        self._receipts: dict[str, datetime] = {}
        self._departures: dict[tuple[str, str], datetime] = {}

    def _of(self, person: Caller) -> dict[str, datetime]:
        key = person.ref.platform, person.own.tenant, person.user
        return self._shelf.setdefault(key, {})

    async def put(self, person: Caller, paper_id: str, at: datetime) -> bool:
        fresh = paper_id not in self._of(person)
        self._of(person).setdefault(paper_id, at)
        return fresh

    async def take(self, person: Caller, paper_id: str) -> bool:
        return self._of(person).pop(paper_id, None) is not None

    async def saved(self, person: Caller) -> list[str]:
        mine = self._of(person)
        return sorted(sorted(mine), key=lambda paper: mine[paper], reverse=True)

    async def all_kept(self) -> list[str]:
        voted = {paper for (_, _, paper), (_, value) in self._votes.items() if value}
        return sorted({paper for mine in self._shelf.values() for paper in mine} | voted)

    def _cast(self, ref: ChannelRef) -> dict[tuple[str, str], tuple[datetime, int]]:
        """The latest vote of each person on each paper, 0 where it was taken back."""
        cast: dict[tuple[str, str], tuple[datetime, int]] = {}
        for (there, user, paper), (at, value) in self._votes.items():
            key = user, self._library.canonical(paper)
            if there == ref and (key not in cast or cast[key][0] <= at):
                cast[key] = at, value
        return cast

    async def vote(self, person: Caller, paper_id: str, value: int, at: datetime) -> int:
        paper = self._library.canonical(paper_id)
        _, before = self._cast(person.ref).get((person.user, paper), (at, 0))
        self._votes.pop((person.ref, person.user, paper_id), None)
        self._votes[person.ref, person.user, paper_id] = at, value
        return before

    async def votes(self, ref: ChannelRef, limit: int) -> list[tuple[str, int]]:
        cast = self._cast(ref)
        net = [
            (max(at for (_, p), (at, value) in cast.items() if p == paper and value), paper, value)
            for paper in {paper for _, paper in cast}
            if (value := sum(v for (_, p), (_, v) in cast.items() if p == paper))
        ]
        return [(paper, value) for _, paper, value in sorted(net, reverse=True)][:limit]

    async def forget(self, ref: ChannelRef, stem: str) -> None:
        self._forgotten[ref].add(stem)

    async def forgotten(self, ref: ChannelRef) -> frozenset[str]:
        return frozenset(self._forgotten[ref])

    async def forget_all(self, ref: ChannelRef) -> None:
        self._votes = {key: vote for key, vote in self._votes.items() if key[0] != ref}
        self._forgotten[ref].clear()

    async def erase(self, person: Caller) -> None:
        self._of(person).clear()
        self._votes = {
            (ref, user, paper): vote
            for (ref, user, paper), vote in self._votes.items()
            if (ref.platform, user) != (person.ref.platform, person.user)
            or (not person.home and ref.tenant != person.ref.tenant)
        }
        self._forgotten[person.own].clear()

    async def keep_answer(self, command: str, at: datetime) -> str:
        key = f"k{len(self._answers)}"
        self._answers[key] = command, at
        return key

    async def kept_answer(self, key: str, now: datetime) -> str | None:
        command, at = self._answers.get(key, ("", now))
        return command if command and now - at <= timedelta(days=7) else None

    async def health(self, name: str) -> Health:
        return self._health.get(name, Health(name))

    async def keep(self, health: Health) -> None:
        self._health[health.name] = health

    async def all_health(self) -> list[Health]:
        return [self._health[name] for name in sorted(self._health)]

    async def keep_only(self, names: Collection[str]) -> None:
        self._health = {name: health for name, health in self._health.items() if name in names}

    async def left(self, platform: str, tenant: str, at: datetime) -> None:
        self._departures.setdefault((platform, tenant), at)

    async def returned(self, platform: str, tenant: str) -> None:
        self._departures.pop((platform, tenant), None)

    async def departed(self, before: datetime) -> list[tuple[str, str]]:
        gone = self._departures
        return [of for of in sorted(gone, key=lambda of: (gone[of], of)) if gone[of] < before]

    async def moved(self, old: ChannelRef, new: ChannelRef) -> None:
        for ref, user, paper in [key for key in self._votes if key[0] == old]:
            self._votes[new, user, paper] = self._votes.pop((ref, user, paper))
        self._forgotten[new] |= self._forgotten.pop(old, set())

    async def drop(self, platform: str, tenant: str) -> None:
        of = platform, tenant
        self._departures.pop(of, None)
        self._shelf = {key: kept for key, kept in self._shelf.items() if key[:2] != of}
        self._votes = {
            key: cast for key, cast in self._votes.items()
            if (key[0].platform, key[0].tenant) != of
        }  # fmt: skip
        for ref in [ref for ref in self._forgotten if (ref.platform, ref.tenant) == of]:
            del self._forgotten[ref]

    async def first(self, key: str, at: datetime) -> bool:
        known = self._receipts.get(key)
        if known is not None and at - known <= timedelta(days=1):
            return False
        self._receipts[key] = at
        return True
