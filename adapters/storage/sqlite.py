"""The library, the ledger and the log of changes in one SQLite file, behind one worker thread."""

# ruff: noqa: S608 - what is put into a query is constant; values are parameters

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from adapters.storage import papers, people
from adapters.storage.changes import Change
from adapters.storage.schema import meaning, open_owner, open_reader, transaction
from bot.model import Caller, ChannelRef, Paper, Record
from bot.ports import Added, Arrival, Clock, Health, Revision

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """A ``Library``, a ``Ledger`` and a ``ChangeLog``. Made by ``open``; one owner, any readers."""

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
        return await self._do(_posted, ref, ids)

    async def record(
        self, ref: ChannelRef, slot: datetime, papers: Sequence[str], cursor: int
    ) -> None:
        await self._do(_record, ref, slot, papers, cursor)

    async def cursor(self, ref: ChannelRef) -> int | None:
        return await self._do(_cursor, ref)

    async def start(self, ref: ChannelRef, cursor: int) -> None:
        await self._do(_start, ref, cursor)

    async def last(self, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
        return await self._do(_last, ref)

    # Shelf

    async def put(self, person: Caller, paper_id: str, at: datetime) -> bool:
        return await self._do(people.put, person, paper_id, at)

    async def take(self, person: Caller, paper_id: str) -> bool:
        return await self._do(people.take, person, paper_id)

    async def saved(self, person: Caller) -> list[str]:
        return await self._do(people.saved, person)

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

    # SourceHealth

    async def health(self, name: str) -> Health:
        return await self._do(people.health, name)

    async def keep(self, health: Health) -> None:
        await self._do(people.keep_health, health)

    async def all_health(self) -> list[Health]:
        return await self._do(people.all_health)

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


def _posted(
    db: sqlite3.Connection, ref: ChannelRef, ids: Collection[str] | None
) -> dict[str, datetime]:
    query = f"SELECT paper, max(slot) FROM posted WHERE {_HERE} GROUP BY paper ORDER BY 2"
    rows = db.execute(query, _key(ref)).fetchall()
    canonical = papers.owners(db, {paper for paper, _ in rows} | set(ids or ()))
    wanted = None if ids is None else {canonical[i] for i in ids}
    return {
        canonical[paper]: datetime.fromisoformat(slot)
        for paper, slot in rows
        if wanted is None or canonical[paper] in wanted
    }


def _record(
    db: sqlite3.Connection, ref: ChannelRef, slot: datetime, ids: Sequence[str], cursor: int
) -> None:
    at = slot.astimezone(UTC).isoformat()
    with transaction(db):
        canonical = papers.owners(db, ids)
        query = f"SELECT paper FROM posted WHERE {_HERE} AND slot = ?"
        there = [paper for (paper,) in db.execute(query, (*_key(ref), at))]
        fresh = [i for i in dict.fromkeys(canonical[i] for i in ids) if i not in there]
        db.executemany(
            "INSERT INTO posted VALUES (?, ?, ?, ?, ?, ?)",
            [(*_key(ref), at, n, paper) for n, paper in enumerate(fresh, start=len(there))],
        )
        db.execute(
            "INSERT INTO cursors VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
            (*_key(ref), cursor),
        )


def _cursor(db: sqlite3.Connection, ref: ChannelRef) -> int | None:
    row = db.execute(f"SELECT seq FROM cursors WHERE {_HERE}", _key(ref)).fetchone()
    return row[0] if row else None


def _start(db: sqlite3.Connection, ref: ChannelRef, cursor: int) -> None:
    db.execute("INSERT OR IGNORE INTO cursors VALUES (?, ?, ?, ?)", (*_key(ref), cursor))


def _last(db: sqlite3.Connection, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
    rows = db.execute(
        f"SELECT slot, paper FROM posted WHERE {_HERE} AND slot = "
        f"(SELECT max(slot) FROM posted WHERE {_HERE}) ORDER BY position",
        (*_key(ref), *_key(ref)),
    ).fetchall()
    if not rows:
        return None
    canonical = papers.owners(db, [paper for _, paper in rows])
    shown = dict.fromkeys(canonical[paper] for _, paper in rows)
    return datetime.fromisoformat(rows[0][0]), tuple(shown)


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
