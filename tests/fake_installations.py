"""Installed workspaces in memory; they pass the contract of the real ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.ports import Installation


class MemoryInstallations:
    def __init__(self) -> None:
        self._held: dict[str, Installation] = {}

    async def get(self, tenant: str) -> Installation | None:
        return next((each for each in await self.all() if each.tenant == tenant), None)

    async def all(self) -> list[Installation]:
        return [self._held[t] for t in sorted(self._held) if self._held[t].removed_at is None]

    async def save(self, installation: Installation) -> None:
        self._held[installation.tenant] = installation

    async def remove(self, tenant: str, at: datetime) -> None:
        found = await self.get(tenant)
        if found and found.at <= at:
            self._held[tenant] = replace(found, token="", removed_at=at)

    async def expired(self, before: datetime) -> list[str]:
        removed = ((tenant, each.removed_at) for tenant, each in sorted(self._held.items()))
        return [tenant for tenant, at in removed if at and at < before]

    async def forget(self, tenant: str) -> None:
        if await self.get(tenant) is None:
            self._held.pop(tenant, None)
