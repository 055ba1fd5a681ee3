"""Shelf, kept answers and source health in memory; they pass the contract of the real ones."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model import Caller
from bot.ports import Health


class MemoryPeople:
    def __init__(self) -> None:
        self._shelf: dict[tuple[str, str, str], dict[str, datetime]] = {}
        self._answers: dict[str, tuple[str, datetime]] = {}
        self._health: dict[str, Health] = {}

    def _of(self, person: Caller) -> dict[str, datetime]:
        key = person.ref.platform, person.ref.tenant, person.user
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

    async def erase(self, person: Caller) -> None:
        self._of(person).clear()

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
