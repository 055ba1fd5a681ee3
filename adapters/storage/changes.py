"""What a change to a channel's settings looks like, and where such changes are noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.model import ChannelRef


@dataclass(frozen=True, slots=True)
class Change:
    """One step in a channel's history; *before* and *after* are its settings as JSON text."""

    id: int
    ref: ChannelRef
    at: datetime
    by: str
    before: str | None  # None: the channel was new
    after: str | None  # None: the channel was removed
    undoes: int | None  # the id of the change that this one took back


class ChangeLog(Protocol):
    async def note(
        self,
        ref: ChannelRef,
        *,
        by: str,
        before: str | None,
        after: str | None,
        undoes: int | None = None,
    ) -> Change: ...

    async def history(self, ref: ChannelRef, limit: int = 100) -> list[Change]:
        """The channel's latest changes, newest first."""
