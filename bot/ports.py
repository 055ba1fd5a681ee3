"""What the core asks of the outside. All asynchronous; all errors are of ``bot.errors``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from bot.model import Channel, ChannelRef, Paper, Record
from bot.query import Query

Clock = Callable[[], datetime]  # aware UTC


@dataclass(frozen=True, slots=True)
class Added:
    """What came of a batch, as canonical ids: *ids* has one per record, in order."""

    ids: tuple[str, ...]
    new: frozenset[str]
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A paper of the library with its sequence number."""

    seq: int
    paper: Paper


class Library(Protocol):
    async def add(self, records: Sequence[Record], *, today: date, live: bool) -> Added:
        """File the records; a paper that no source announced is listed *today*, its day of arrival.

        *live* papers are candidates for digests; others (imports, backfill) only for previews,
        recaps and ``--at``. A paper that was imported first becomes a candidate when it arrives live.
        Any order of the same records, any number of times, gives the same papers.
        """

    async def find(self, paper_id: str) -> Paper | None:
        """By canonical id or alias."""

    async def after(self, seq: int, *, listed_from: date) -> list[Arrival]:
        """Live papers that arrived after *seq* and were listed on that day or later, by seq."""

    async def between(self, after: date, until: date) -> list[Paper]:
        """Papers with ``after < listed_on <= until``, by listed_on and id."""

    async def top(self, start: date, end: date, limit: int) -> list[tuple[date, Paper]]:
        """The most upvoted papers of the Hugging Face list days *start* to *end*, both included.

        With the first such day of each; by upvotes, newest first, then id.
        """

    async def background(self, n: int) -> list[Paper]:
        """At most *n* papers with an abstract, always the same ones of the same library."""

    async def count(self) -> int: ...

    async def end(self) -> int:
        """The highest sequence number given so far; 0 where nothing has arrived."""

    async def newest_day(self) -> date | None:
        """The last day on which anything was listed."""


class ChannelStore(Protocol):
    async def get(self, ref: ChannelRef) -> Channel | None: ...

    async def all(self) -> list[Channel]: ...

    async def save(self, channel: Channel, by: str) -> None:
        """Keep it and note the change; raises UserError where the workspace is full."""

    async def undo(self, ref: ChannelRef, by: str) -> tuple[Channel | None, Channel | None] | None:
        """Take the last change back; (what was undone, what holds now), or None: nothing to undo.

        A second undo goes one change further back.
        """

    async def remove(self, ref: ChannelRef, by: str) -> None: ...

    async def free_number(self, ref: ChannelRef) -> int:
        """The first subscription number that was never given in this channel, stored or not."""


class Ledger(Protocol):
    """What was posted where; planning and sending join it later."""

    async def posted(
        self, ref: ChannelRef, ids: Collection[str] | None = None
    ) -> Mapping[str, datetime]:
        """Canonical ids of what this channel was shown, with the slot; aliases are resolved."""

    async def record(
        self, ref: ChannelRef, slot: datetime, papers: Sequence[str], cursor: int
    ) -> None:
        """Note the papers as posted and move the channel's cursor on, in one transaction."""

    async def cursor(self, ref: ChannelRef) -> int | None:
        """The last sequence number that this channel has seen; None for a channel without one."""

    async def start(self, ref: ChannelRef, cursor: int) -> None:
        """Give a new channel its cursor; a channel that has one keeps it."""

    async def last(self, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
        """The slot and papers of the latest digest that held any, in the order they were shown."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request or page brought.

    *announced* is the newest announcement day seen in it, None where it tells none; *complete* is
    False where more is known to be missing (a stale feed, a cut list); *token* resumes a backfill
    after it.
    """

    records: tuple[Record, ...]
    announced: date | None = None
    complete: bool = True
    token: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How a source is: aware UTC times, None where it never happened.

    *state* is the source's own (validators, tokens), JSON text.
    """

    name: str
    last_success: datetime | None = None
    last_error: datetime | None = None
    error: str = ""  # one plain sentence
    announced: date | None = None  # the newest announcement day it has told
    next_try: datetime | None = None
    state: str = ""


class PaperSource(Protocol):
    name: str  # "arxiv", "huggingface", or the journal's host and path

    def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        """What is new; raises SourceUnavailable."""

    def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        """Months; resumes from ``health.state`` where that fits."""


class PaperSearch(Protocol):
    """Asked only when a person asks."""

    async def search(self, query: Query, limit: int) -> list[Paper]: ...

    async def lookup(self, paper_id: str) -> Paper | None: ...


class SourceHealth(Protocol):
    async def health(self, name: str) -> Health: ...

    async def keep(self, health: Health) -> None: ...

    async def all_health(self) -> list[Health]: ...
