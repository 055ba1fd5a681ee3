"""What the bot asks of the core: given when it starts, for the core needs its publisher first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bot.commands import Command
from bot.model import Caller, ChannelRef
from bot.ports import ChannelStore, Library, Outbox, Tenants
from bot.views import View


class Answering(Protocol):
    async def answer(self, command: Command, caller: Caller) -> View:
        """Never raises."""


@dataclass(frozen=True, slots=True)
class Core:
    """*close* notes that a channel takes no posts any more, and why; its owner hears of it."""

    answers: Answering
    channels: ChannelStore
    outbox: Outbox
    library: Library
    tenants: Tenants
    close: Callable[[ChannelRef, str], Awaitable[None]]
