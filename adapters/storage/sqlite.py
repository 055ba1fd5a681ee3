"""The library, the ledger and the log of changes in one SQLite file, behind one worker thread."""

# ruff: noqa: S608 - what is put into a query is constant; values are parameters

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from adapters.storage import ledger, papers, people, tenants
from adapters.storage.changes import Change
from adapters.storage.schema import meaning, open_owner, open_reader
from bot.model import Caller, ChannelRef, Paper, Record
from bot.ports import (
    Added,
    Arrival,
    Clock,
    Closure,
    Delivery,
    Due,
    Health,
    Outcome,
    Planned,
    Post,
    Revision,
    Served,
    State,
)

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """A ``Library``, an ``Outbox`` and a ``ChangeLog``. Made by ``open``; one owner, any readers."""

    def __init__(
        self, db: sqlite3.Connection, worker: ThreadPoolExecutor, path: Path, clock: Clock
    ) -> None:
        self._db = db
        self._worker = worker
        self._path = path
        self._clock = clock

    @classmethod
    async def open(cls, path: Path, clock: Clock, *, readonly: bool = False) -> Self:
        """The file is made where it is missing; *readonly* writes nothing, a missing file is empty.

        Raises StorageDamaged or StorageFailed.
        """
        worker = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        loop = asyncio.get_running_loop()
        try:
            db = await loop.run_in_executor(worker, open_reader if readonly else open_owner, path)
        except sqlite3.Error as error:
            worker.shutdown()
            raise meaning(error, path) from error
        except BaseException:
            worker.shutdown()
            raise
        return cls(db, worker, path, clock)

    async def aclose(self) -> None:
        """Wait for what is under way, then let go of the file."""
        try:
            await self._do(sqlite3.Connection.close)
        finally:
            self._worker.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _do(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._worker, lambda: work(self._db, *args, **kwargs))
        except sqlite3.Error as error:
            raise meaning(error, self._path) from error

    # Library

    async def add(self, records: Sequence[Record], *, today: date, live: bool) -> Added:
        return await self._do(papers.add, records, today, live=live)

    async def find(self, paper_id: str) -> Paper | None:
        return await self._do(papers.find, paper_id)

    async def after(self, seq: int, *, listed_from: date) -> list[Arrival]:
        return await self._do(papers.after, seq, listed_from)

    async def between(self, after: date, until: date) -> list[Paper]:
        return await self._do(papers.between, after, until)

    async def top(self, start: date, end: date, limit: int) -> list[tuple[date, Paper]]:
        return await self._do(papers.top, start, end, limit)

    async def prune(self, before: date, spared: Collection[str]) -> int:
        return await self._do(papers.prune, before, spared)

    async def background(self, n: int) -> list[Paper]:
        return await self._do(papers.background, n)

    async def count(self) -> int:
        return await self._do(papers.count)

    async def end(self) -> int:
        return await self._do(papers.end)

    async def revision(self) -> int:
        return await self._do(papers.revision)

    async def revised(self, after: int, limit: int) -> list[Revision]:
        return await self._do(papers.revised, after, limit)

    async def newest_day(self) -> date | None:
        return await self._do(papers.newest_day)

    async def upvotes(self, paper_id: str) -> dict[date, int]:
        """How many upvotes the paper had on each day on which somebody looked."""
        return await self._do(papers.upvotes, paper_id)

    # Ledger

    async def posted(
        self, ref: ChannelRef, ids: Collection[str] | None = None
    ) -> Mapping[str, datetime]:
        return await self._do(ledger.posted, ref, ids)

    async def record(
        self, ref: ChannelRef, slot: datetime, papers: Sequence[str], cursor: int
    ) -> None:
        await self._do(ledger.record, ref, slot, papers, cursor)

    async def cursor(self, ref: ChannelRef) -> int | None:
        return await self._do(ledger.cursor, ref)

    async def start(self, ref: ChannelRef, cursor: int) -> None:
        await self._do(ledger.start, ref, cursor)

    async def last(self, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
        return await self._do(ledger.last, ref)

    # Outbox

    async def due(self, now: datetime, served: Served, limit: int) -> list[Due]:
        return await self._do(ledger.due, now, served, limit)

    async def set_next(self, due: Due) -> None:
        await self._do(ledger.set_next, due)

    async def next_due(self, ref: ChannelRef) -> Due | None:
        return await self._do(ledger.next_due, ref)

    async def plan(
        self,
        ref: ChannelRef,
        slot: datetime,
        posts: Sequence[Post],
        cursor: int,
        next_due: Due | None = None,
        released: Collection[str] = (),
        why: str = "",
        *,
        unposted: bool = False,
    ) -> bool:
        return await self._do(
            ledger.plan, ref, slot, posts, cursor, next_due, released, why, unposted=unposted
        )

    async def last_slot(self, ref: ChannelRef) -> Planned | None:
        return await self._do(ledger.last_slot, ref)

    async def released(self, ref: ChannelRef) -> list[str]:
        return await self._do(ledger.released, ref)

    async def claim(
        self, now: datetime, lease: timedelta, served: Served, limit: int
    ) -> list[Delivery]:
        return await self._do(ledger.claim, now, lease, served, limit)

    async def settle(self, seen: Delivery, outcome: Outcome, now: datetime) -> Delivery:
        return await self._do(ledger.settle, seen, outcome, now)

    async def recover(self, now: datetime, settle: timedelta) -> int:
        return await self._do(ledger.recover, now, settle)

    async def expire(self, now: datetime, settle: timedelta) -> int:
        return await self._do(ledger.expire, now, settle)

    async def to_settle(self, now: datetime, served: Served, limit: int) -> list[Delivery]:
        return await self._do(ledger.to_settle, now, served, limit)

    async def to_audit(self, now: datetime, served: Served, limit: int) -> list[Delivery]:
        return await self._do(ledger.to_audit, now, served, limit)

    async def audited(self, key: str, message_id: str, again: datetime | None = None) -> None:
        await self._do(ledger.audited, key, message_id, again)

    async def resend(self, ref: ChannelRef, key: str) -> Delivery:
        return await self._do(ledger.resend, ref, key)

    async def give_up(self, ref: ChannelRef, key: str) -> Delivery:
        return await self._do(ledger.give_up, ref, key)

    async def close(self, ref: ChannelRef, reason: str, now: datetime) -> None:
        await self._do(ledger.close, ref, reason, now)

    async def gone(self, ref: ChannelRef) -> Closure | None:
        return await self._do(ledger.gone, ref)

    async def told(self, ref: ChannelRef) -> bool:
        return await self._do(ledger.told, ref)

    async def revive(self, ref: ChannelRef) -> None:
        await self._do(ledger.revive, ref)

    async def deliveries(self, ref: ChannelRef, limit: int) -> list[Delivery]:
        return await self._do(ledger.deliveries, ref, limit)

    async def counts(self, platform: str = "") -> Mapping[State, int]:
        return await self._do(ledger.counts, platform)

    async def oldest_ready(self, now: datetime) -> datetime | None:
        return await self._do(ledger.oldest_ready, now)

    async def awaited(self) -> list[str]:
        return await self._do(ledger.awaited)

    async def tidy(self, now: datetime) -> None:
        await self._do(ledger.tidy, now)

    # Shelf

    async def put(self, person: Caller, paper_id: str, at: datetime) -> bool:
        return await self._do(people.put, person, paper_id, at)

    async def take(self, person: Caller, paper_id: str) -> bool:
        return await self._do(people.take, person, paper_id)

    async def saved(self, person: Caller) -> list[str]:
        return await self._do(people.saved, person)

    async def all_kept(self) -> list[str]:
        return await self._do(people.all_kept)

    async def vote(self, person: Caller, paper_id: str, value: int, at: datetime) -> int:
        return await self._do(people.vote, person, paper_id, value, at)

    async def votes(self, ref: ChannelRef, limit: int) -> list[tuple[str, int]]:
        return await self._do(people.votes, ref, limit)

    async def forget(self, ref: ChannelRef, stem: str) -> None:
        await self._do(people.forget, ref, stem)

    async def forgotten(self, ref: ChannelRef) -> frozenset[str]:
        return await self._do(people.forgotten, ref)

    async def forget_all(self, ref: ChannelRef) -> None:
        await self._do(people.forget_all, ref)

    async def erase(self, person: Caller) -> None:
        await self._do(people.erase, person)

    # KeptAnswers

    async def keep_answer(self, command: str, at: datetime) -> str:
        return await self._do(people.keep_answer, command, at)

    async def kept_answer(self, key: str, now: datetime) -> str | None:
        return await self._do(people.kept_answer, key, now)

    # Receipts

    async def first(self, key: str, at: datetime) -> bool:
        return await self._do(people.first, key, at)

    # Tenants

    async def left(self, platform: str, tenant: str, at: datetime) -> None:
        await self._do(tenants.left, platform, tenant, at)

    async def returned(self, platform: str, tenant: str) -> None:
        await self._do(tenants.returned, platform, tenant)

    async def departed(self, before: datetime) -> list[tuple[str, str]]:
        return await self._do(tenants.departed, before)

    async def moved(self, old: ChannelRef, new: ChannelRef) -> None:
        await self._do(tenants.moved, old, new)

    async def drop(self, platform: str, tenant: str) -> None:
        await self._do(tenants.drop, platform, tenant)

    # SourceHealth

    async def health(self, name: str) -> Health:
        return await self._do(people.health, name)

    async def keep(self, health: Health) -> None:
        await self._do(people.keep_health, health)

    async def all_health(self) -> list[Health]:
        return await self._do(people.all_health)

    async def keep_only(self, names: Collection[str]) -> None:
        await self._do(people.keep_only, names)

    # ChangeLog

    async def note(
        self,
        ref: ChannelRef,
        *,
        by: str,
        before: str | None,
        after: str | None,
        undoes: int | None = None,
    ) -> Change:
        at = self._clock()
        values = (at.astimezone(UTC).isoformat(), by, before, after, undoes)
        return Change(await self._do(_note, ref, values), ref, at, by, before, after, undoes)

    async def history(self, ref: ChannelRef, limit: int = 100) -> list[Change]:
        return await self._do(_history, ref, limit)


_HERE = "platform = ? AND tenant = ? AND channel = ?"


def _key(ref: ChannelRef) -> tuple[str, str, str]:
    return ref.platform, ref.tenant, ref.channel


def _note(db: sqlite3.Connection, ref: ChannelRef, values: tuple[object, ...]) -> int:
    row = db.execute(
        "INSERT INTO changes (platform, tenant, channel, at, by, before, after, undoes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (*_key(ref), *values),
    ).fetchone()
    change: int = row[0]
    return change


def _history(db: sqlite3.Connection, ref: ChannelRef, limit: int) -> list[Change]:
    rows = db.execute(
        f"SELECT id, at, by, before, after, undoes FROM changes WHERE {_HERE} "
        "ORDER BY id DESC LIMIT ?",
        (*_key(ref), limit),
    )
    return [Change(n, ref, datetime.fromisoformat(at), *others) for n, at, *others in rows]
