"""What people keep and say, what their buttons come back to, and how the sources are, in SQL."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from adapters.storage.papers import owners
from adapters.storage.schema import transaction
from adapters.storage.tenants import forget_channel
from bot.model import Caller, ChannelRef
from bot.ports import Health

KEPT = timedelta(days=7)  # design §7
RECEIPTS_KEPT = timedelta(days=1)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
_HEALTH = "name, last_success, last_error, error, announced, next_try, state, failed_from"


def put(db: sqlite3.Connection, person: Caller, paper: str, at: datetime) -> bool:
    with transaction(db):
        row = (*_person(person), paper, _text(at))
        return db.execute("INSERT OR IGNORE INTO shelf VALUES (?, ?, ?, ?, ?)", row).rowcount == 1


def take(db: sqlite3.Connection, person: Caller, paper: str) -> bool:
    with transaction(db):
        where = f"DELETE FROM shelf WHERE {_HIS} AND paper = ?"  # noqa: S608  # our own text
        return db.execute(where, (*_person(person), paper)).rowcount == 1


def saved(db: sqlite3.Connection, person: Caller) -> list[str]:
    rows = db.execute(
        f"SELECT paper FROM shelf WHERE {_HIS} ORDER BY at DESC, paper",  # noqa: S608  # our own text
        _person(person),
    )
    return [paper for (paper,) in rows]


def all_kept(db: sqlite3.Connection) -> list[str]:
    query = "SELECT paper FROM shelf UNION SELECT paper FROM votes WHERE value <> 0"
    return [paper for (paper,) in db.execute(query)]


def vote(db: sqlite3.Connection, person: Caller, paper: str, value: int, at: datetime) -> int:
    key = (*_channel(person.ref), person.user)
    with transaction(db):
        mine = f"SELECT paper, value FROM votes WHERE {_HERE} AND user = ? ORDER BY at, paper"  # noqa: S608
        votes = db.execute(mine, key).fetchall()
        canonical = owners(db, [paper, *(voted for voted, _ in votes)])
        same: dict[str, int] = {
            voted: was for voted, was in votes if canonical[voted] == canonical[paper]
        }
        db.executemany(
            f"DELETE FROM votes WHERE {_HERE} AND user = ? AND paper = ?",  # noqa: S608
            [(*key, voted) for voted in same],
        )
        if value:
            row = (*key, canonical[paper], value, _text(at))
            db.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return [0, *same.values()][-1]


def votes(db: sqlite3.Connection, ref: ChannelRef, limit: int) -> list[tuple[str, int]]:
    query = f"SELECT user, paper, value FROM votes WHERE {_HERE} ORDER BY at, paper"  # noqa: S608
    rows = db.execute(query, _channel(ref)).fetchall()
    canonical = owners(db, [paper for _, paper, _ in rows])
    ballots: dict[str, dict[str, int]] = {}
    for user, paper, value in rows:
        cast = ballots.pop(canonical[paper], {})
        ballots[canonical[paper]] = cast | {user: value}  # the last one voted on stands last
    net = [(paper, sum(cast.values())) for paper, cast in ballots.items()]
    return [(paper, value) for paper, value in reversed(net) if value][:limit]


def forget(db: sqlite3.Connection, ref: ChannelRef, stem: str) -> None:
    db.execute("INSERT OR IGNORE INTO forgotten VALUES (?, ?, ?, ?)", (*_channel(ref), stem))


def forgotten(db: sqlite3.Connection, ref: ChannelRef) -> frozenset[str]:
    rows = db.execute(f"SELECT stem FROM forgotten WHERE {_HERE}", _channel(ref))  # noqa: S608
    return frozenset(stem for (stem,) in rows)


def forget_all(db: sqlite3.Connection, ref: ChannelRef) -> None:
    with transaction(db):
        db.execute(f"DELETE FROM votes WHERE {_HERE}", _channel(ref))  # noqa: S608
        db.execute(f"DELETE FROM forgotten WHERE {_HERE}", _channel(ref))  # noqa: S608


def erase(db: sqlite3.Connection, person: Caller) -> None:
    # Who has a home is the same person wherever they speak.
    at = f"platform = ? AND (tenant = ? OR {bool(person.home):d})"
    with transaction(db):
        db.execute(f"DELETE FROM shelf WHERE {at} AND user = ?", _person(person))  # noqa: S608  # our own text
        db.execute(f"DELETE FROM votes WHERE {at} AND user = ?", _person(person))  # noqa: S608
        forget_channel(db, person.own)
        db.execute(f"UPDATE changes SET by = '' WHERE {at} AND by = ?", _person(person))  # noqa: S608


def keep_answer(db: sqlite3.Connection, command: str, at: datetime) -> str:
    with transaction(db):
        db.execute("DELETE FROM answers WHERE at < ?", (_text(at - KEPT),))
        while True:
            key = "".join(secrets.choice(_LETTERS) for _ in range(6))
            row = (key, command, _text(at))
            if db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", row).rowcount:
                return key


def first(db: sqlite3.Connection, key: str, at: datetime) -> bool:
    with transaction(db):
        db.execute("DELETE FROM receipts WHERE at < ?", (_text(at - RECEIPTS_KEPT),))
        row = "INSERT OR IGNORE INTO receipts VALUES (?, ?)"
        return db.execute(row, (key, _text(at))).rowcount == 1


def kept_answer(db: sqlite3.Connection, key: str, now: datetime) -> str | None:
    row = db.execute(
        "SELECT command FROM answers WHERE key = ? AND at >= ?", (key, _text(now - KEPT))
    ).fetchone()
    return row[0] if row else None


def health(db: sqlite3.Connection, name: str) -> Health:
    row = db.execute(f"SELECT {_HEALTH} FROM sources WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return _health(row) if row else Health(name)


def all_health(db: sqlite3.Connection) -> list[Health]:
    return [_health(row) for row in db.execute(f"SELECT {_HEALTH} FROM sources ORDER BY name")]  # noqa: S608


def keep_only(db: sqlite3.Connection, names: Collection[str]) -> None:
    others = "DELETE FROM sources WHERE name NOT IN (SELECT value FROM json_each(?))"
    db.execute(others, (json.dumps(list(names)),))


def keep_health(db: sqlite3.Connection, health: Health) -> None:
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                health.name,
                _text(health.last_success),
                _text(health.last_error),
                health.error,
                health.announced.isoformat() if health.announced else None,
                _text(health.next_try),
                health.state,
                _text(health.failed_from),
            ),
        )


_HIS = "platform = ? AND tenant = ? AND user = ?"
_HERE = "platform = ? AND tenant = ? AND channel = ?"


def _person(person: Caller) -> tuple[str, str, str]:
    return person.ref.platform, person.own.tenant, person.user


def _channel(ref: ChannelRef) -> tuple[str, str, str]:
    return ref.platform, ref.tenant, ref.channel


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _health(
    row: tuple[str, str | None, str | None, str, str | None, str | None, str, str | None],
) -> Health:
    name, success, failure, error, announced, next_try, state, failed_from = row
    return Health(
        name,
        _time(success),
        _time(failure),
        error,
        date.fromisoformat(announced) if announced else None,
        _time(next_try),
        state,
        _time(failed_from),
    )
