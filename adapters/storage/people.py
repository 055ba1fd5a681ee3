"""What people keep, what their buttons come back to, and how the sources are, in SQL."""

from __future__ import annotations

import secrets
import sqlite3
from datetime import UTC, date, datetime, timedelta

from adapters.storage.schema import transaction
from bot.model import Caller
from bot.ports import Health

KEPT = timedelta(days=7)  # design §7
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
_HEALTH = "name, last_success, last_error, error, announced, next_try, state"


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


def erase(db: sqlite3.Connection, person: Caller) -> None:
    with transaction(db):
        db.execute(f"DELETE FROM shelf WHERE {_HIS}", _person(person))  # noqa: S608  # our own text
        db.execute(
            "UPDATE changes SET by = '' WHERE platform = ? AND tenant = ? AND by = ?",
            _person(person),
        )


def keep_answer(db: sqlite3.Connection, command: str, at: datetime) -> str:
    with transaction(db):
        db.execute("DELETE FROM answers WHERE at < ?", (_text(at - KEPT),))
        while True:
            key = "".join(secrets.choice(_LETTERS) for _ in range(6))
            row = (key, command, _text(at))
            if db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", row).rowcount:
                return key


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


def keep_health(db: sqlite3.Connection, health: Health) -> None:
    with transaction(db):
        db.execute(
            "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                health.name,
                _text(health.last_success),
                _text(health.last_error),
                health.error,
                health.announced.isoformat() if health.announced else None,
                _text(health.next_try),
                health.state,
            ),
        )


_HIS = "platform = ? AND tenant = ? AND user = ?"


def _person(person: Caller) -> tuple[str, str, str]:
    return person.ref.platform, person.ref.tenant, person.user


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _health(row: tuple[str, str | None, str | None, str, str | None, str | None, str]) -> Health:
    name, success, failure, error, announced, next_try, state = row
    return Health(
        name,
        _time(success),
        _time(failure),
        error,
        date.fromisoformat(announced) if announced else None,
        _time(next_try),
        state,
    )
