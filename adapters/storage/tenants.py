"""Workspaces and servers that Paperboy has left, and the end of what is kept of them, in SQL."""

# ruff: noqa: S608 - what is put into a query is constant; values are parameters

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from adapters.storage.schema import transaction
from bot.model import ChannelRef

_OF = "platform = ? AND tenant = ?"
_OF_CHANNELS = (
    "posted", "cursors", "votes", "forgotten", "deliveries", "slots", "schedules", "released",
    "closures",
)  # fmt: skip
_TABLES = (*_OF_CHANNELS, "changes", "shelf")


def left(db: sqlite3.Connection, platform: str, tenant: str, at: datetime) -> None:
    row = (platform, tenant, at.astimezone(UTC).isoformat())
    db.execute("INSERT OR IGNORE INTO departures VALUES (?, ?, ?)", row)


def returned(db: sqlite3.Connection, platform: str, tenant: str) -> None:
    db.execute(f"DELETE FROM departures WHERE {_OF}", (platform, tenant))


def departed(db: sqlite3.Connection, before: datetime) -> list[tuple[str, str]]:
    query = "SELECT platform, tenant FROM departures WHERE at < ? ORDER BY at, platform, tenant"
    return db.execute(query, (before.astimezone(UTC).isoformat(),)).fetchall()


def moved(db: sqlite3.Connection, old: ChannelRef, new: ChannelRef) -> None:
    """Not the changes: their documents name the channel, and an undo would bring the old one back."""
    there, here = ((ref.platform, ref.tenant, ref.channel) for ref in (new, old))
    with transaction(db):
        for table in _OF_CHANNELS:
            db.execute(
                f"UPDATE OR REPLACE {table} SET platform = ?, tenant = ?, channel = ? "
                f"WHERE {_OF} AND channel = ?",
                (*there, *here),
            )


def forget_channel(db: sqlite3.Connection, ref: ChannelRef) -> None:
    """All but a post in hand: what comes of it is to be noted, and housekeeping drops it."""
    for table in (*_OF_CHANNELS, "changes"):
        spared = " AND state <> 'sending'" if table == "deliveries" else ""
        db.execute(
            f"DELETE FROM {table} WHERE {_OF} AND channel = ?{spared}",
            (ref.platform, ref.tenant, ref.channel),
        )


def drop(db: sqlite3.Connection, platform: str, tenant: str) -> None:
    with transaction(db):
        for table in (*_TABLES, "departures"):
            db.execute(f"DELETE FROM {table} WHERE {_OF}", (platform, tenant))
