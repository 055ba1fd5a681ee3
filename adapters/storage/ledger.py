"""The ledger in SQL: what was posted, what is planned, and how its sending goes."""

# ruff: noqa: S608 - what is put into a query is constant; values are parameters

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from adapters.storage.papers import owners
from adapters.storage.schema import transaction
from bot import delivery
from bot.model import ChannelRef
from bot.ports import Closure, Delivery, Due, Gone, Outcome, Planned, Post, Served, State, Unsure

KEPT = timedelta(days=90)  # design §6
CHANGES_KEPT = timedelta(days=365)
POSTED_KEPT = timedelta(days=400)

_HERE = "platform = ? AND tenant = ? AND channel = ?"
_COLUMNS = (
    "platform", "tenant", "channel", "slot", "part", "key", "body", "papers", "threaded",
    "not_before", "state", "attempts", "claimed_at", "lease_until", "unknown_at", "settle_at",
    "lookups", "resent", "audit_at", "message_id", "detail",
)  # fmt: skip
_PARENT = (
    "CASE WHEN part > 0 THEN (SELECT first.message_id FROM deliveries AS first "
    "WHERE first.platform = d.platform AND first.tenant = d.tenant "
    "AND first.channel = d.channel AND first.slot = d.slot AND first.part = 0) END"
)
_DELIVERY = f"SELECT {', '.join(_COLUMNS)}, {_PARENT} FROM deliveries AS d"
_INSERT = f"INSERT INTO deliveries VALUES ({', '.join('?' * len(_COLUMNS))})"
_UPDATE = f"UPDATE deliveries SET {', '.join(f'{c} = ?' for c in _COLUMNS[9:])} WHERE key = ?"
_SERVED = (
    "(platform IN (SELECT value FROM json_each(?)) "
    "OR platform || ':' || tenant IN (SELECT value FROM json_each(?)))"
)


def posted(
    db: sqlite3.Connection, ref: ChannelRef, ids: Collection[str] | None
) -> dict[str, datetime]:
    query = f"SELECT paper, max(slot) FROM posted WHERE {_HERE} GROUP BY paper ORDER BY 2"
    rows = db.execute(query, _key(ref)).fetchall()
    canonical = owners(db, {paper for paper, _ in rows} | set(ids or ()))
    wanted = None if ids is None else {canonical[i] for i in ids}
    return {
        canonical[paper]: datetime.fromisoformat(slot)
        for paper, slot in rows
        if wanted is None or canonical[paper] in wanted
    }


def record(
    db: sqlite3.Connection, ref: ChannelRef, slot: datetime, ids: Sequence[str], cursor: int
) -> None:
    with transaction(db):
        _note_posted(db, ref, slot, ids)
        _move(db, ref, cursor)


def _note_posted(
    db: sqlite3.Connection, ref: ChannelRef, slot: datetime, ids: Sequence[str]
) -> None:
    at = _text(slot)
    canonical = owners(db, ids)
    query = f"SELECT paper, position FROM posted WHERE {_HERE} AND slot = ?"
    there = dict(db.execute(query, (*_key(ref), at)).fetchall())
    fresh = [i for i in dict.fromkeys(canonical[i] for i in ids) if i not in there]
    db.executemany(
        "INSERT INTO posted VALUES (?, ?, ?, ?, ?, ?)",
        [
            (*_key(ref), at, n, paper)
            for n, paper in enumerate(fresh, start=max(there.values(), default=-1) + 1)
        ],
    )
    _drop_released(db, ref, ids)


def _move(db: sqlite3.Connection, ref: ChannelRef, cursor: int) -> None:
    db.execute(
        "INSERT INTO cursors VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
        (*_key(ref), cursor),
    )


def cursor(db: sqlite3.Connection, ref: ChannelRef) -> int | None:
    row = db.execute(f"SELECT seq FROM cursors WHERE {_HERE}", _key(ref)).fetchone()
    return row[0] if row else None


def start(db: sqlite3.Connection, ref: ChannelRef, cursor: int) -> None:
    db.execute("INSERT OR IGNORE INTO cursors VALUES (?, ?, ?, ?)", (*_key(ref), cursor))


def last(db: sqlite3.Connection, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
    rows = db.execute(
        f"SELECT slot, paper FROM posted WHERE {_HERE} AND slot = "
        f"(SELECT max(slot) FROM posted WHERE {_HERE}) ORDER BY position",
        (*_key(ref), *_key(ref)),
    ).fetchall()
    if not rows:
        return None
    canonical = owners(db, [paper for _, paper in rows])
    shown = dict.fromkeys(canonical[paper] for _, paper in rows)
    return datetime.fromisoformat(rows[0][0]), tuple(shown)


# Planning


def due(db: sqlite3.Connection, now: datetime, served: Served, limit: int) -> list[Due]:
    rows = db.execute(
        "SELECT platform, tenant, channel, next_due, fingerprint FROM schedules AS s "
        f"WHERE next_due <= ? AND {_SERVED} AND NOT EXISTS (SELECT 1 FROM closures AS c WHERE "
        "c.platform = s.platform AND c.tenant = s.tenant AND c.channel = s.channel) "
        "ORDER BY next_due, lot LIMIT ?",
        (_text(now), *_served(served), limit),
    )
    return [_due(row) for row in rows]


def set_next(db: sqlite3.Connection, due: Due) -> None:
    lot = int.from_bytes(sha256(str(due.ref).encode()).digest()[:6])
    at = None if due.at is None else _text(due.at)
    row = (*_key(due.ref), at, lot, due.fingerprint)
    db.execute("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?)", row)


def next_due(db: sqlite3.Connection, ref: ChannelRef) -> Due | None:
    columns = "platform, tenant, channel, next_due, fingerprint"
    row = db.execute(f"SELECT {columns} FROM schedules WHERE {_HERE}", _key(ref)).fetchone()
    return _due(row) if row else None


def plan(
    db: sqlite3.Connection,
    ref: ChannelRef,
    slot: datetime,
    posts: Sequence[Post],
    cursor: int,
    next_due: Due | None,
    released: Collection[str],
    why: str,
    *,
    unposted: bool,
) -> bool:
    papers = [paper for post in posts for paper in post.papers]
    with transaction(db):
        if unposted and papers and posted(db, ref, papers):
            return False
        row = (*_key(ref), _text(slot), why)
        if not db.execute("INSERT OR IGNORE INTO slots VALUES (?, ?, ?, ?, ?)", row).rowcount:
            return False
        db.executemany(_INSERT, [_row(d) for d in delivery.planned(ref, slot, posts)])
        _note_posted(db, ref, slot, papers)
        _drop_released(db, ref, released)
        _move(db, ref, cursor)
        if next_due is not None:
            set_next(db, next_due)
    return True


def last_slot(db: sqlite3.Connection, ref: ChannelRef) -> Planned | None:
    latest = f"SELECT slot, why FROM slots WHERE {_HERE} ORDER BY slot DESC LIMIT 1"
    row = db.execute(latest, _key(ref)).fetchone()
    return Planned(datetime.fromisoformat(row[0]), row[1]) if row else None


def released(db: sqlite3.Connection, ref: ChannelRef) -> list[str]:
    there = _released(db, ref)
    return sorted(set(owners(db, there).values()))


def _released(db: sqlite3.Connection, ref: ChannelRef) -> list[str]:
    rows = db.execute(f"SELECT paper FROM released WHERE {_HERE}", _key(ref))
    return [paper for (paper,) in rows]


def _drop_released(db: sqlite3.Connection, ref: ChannelRef, ids: Collection[str]) -> None:
    there = _released(db, ref)
    canonical = owners(db, [*there, *ids])
    dropped = {canonical[i] for i in ids}
    db.executemany(
        f"DELETE FROM released WHERE {_HERE} AND paper = ?",
        [(*_key(ref), paper) for paper in there if canonical[paper] in dropped],
    )


def _release(db: sqlite3.Connection, rows: Iterable[Delivery]) -> None:
    for row in rows:
        of_slot = (*_key(row.ref), _text(row.slot))
        query = f"SELECT paper FROM posted WHERE {_HERE} AND slot = ?"
        there = [paper for (paper,) in db.execute(query, of_slot)]
        canonical = owners(db, [*there, *row.post.papers])
        lost = {canonical[paper] for paper in row.post.papers}
        db.executemany(
            f"DELETE FROM posted WHERE {_HERE} AND slot = ? AND paper = ?",
            [(*of_slot, paper) for paper in there if canonical[paper] in lost],
        )
        db.executemany(
            "INSERT OR IGNORE INTO released VALUES (?, ?, ?, ?)",
            [(*_key(row.ref), paper) for paper in lost],
        )


# Sending


def claim(
    db: sqlite3.Connection, now: datetime, lease: timedelta, served: Served, limit: int
) -> list[Delivery]:
    ref = "platform, tenant, channel"
    with transaction(db):
        in_hand = db.execute(f"SELECT {ref} FROM deliveries WHERE state = 'sending'").fetchall()
        waiting = db.execute(
            f"SELECT {ref} FROM deliveries WHERE state = 'ready' AND not_before > ? AND attempts > 0",
            (_text(now),),
        )
        busy = {*in_hand, *waiting}
        tenants = Counter(channel[:2] for channel in in_hand)
        keys: list[str] = []
        while len(keys) < limit:
            full = [":".join(at) for at, n in tenants.items() if n >= delivery.IN_HAND_PER_TENANT]
            ready = db.execute(  # the plus: in the order of its index, for few of many are taken
                f"SELECT {ref}, slot, part, key FROM deliveries "
                f"WHERE state = 'ready' AND +not_before <= ? AND {_SERVED} AND "
                "platform || ':' || tenant NOT IN (SELECT value FROM json_each(?)) "
                "ORDER BY slot, key",
                (_text(now), *_served(served), json.dumps(full)),
            )
            for *channel, slot, part, key in ready:
                at = tuple(channel)
                if at in busy or (part and _is_behind(db, at, slot, part)):
                    continue
                busy.add(at)
                tenants[at[:2]] += 1
                keys.append(key)
                if len(keys) == limit or tenants[at[:2]] == delivery.IN_HAND_PER_TENANT:
                    break  # SQLite skips a full tenant's posts far faster
            else:
                break
        return [_write(db, delivery.claimed(_find(db, key), now, lease)) for key in keys]


def _is_behind(db: sqlite3.Connection, channel: tuple[str, ...], slot: str, part: int) -> bool:
    """An earlier part of the slot is not there yet."""
    query = f"SELECT 1 FROM deliveries WHERE {_HERE} AND slot = ? AND part < ? AND state <> 'sent'"
    return db.execute(query, (*channel, slot, part)).fetchone() is not None


def settle(db: sqlite3.Connection, seen: Delivery, outcome: Outcome, now: datetime) -> Delivery:
    with transaction(db):
        row = _find(db, seen.key)
        after = delivery.concluded(row, seen, outcome, now)
        if after is row:
            return row
        _write(db, after)
        if isinstance(outcome, Gone):
            _release(db, [after])
            _close(db, after.ref, outcome.reason, now)
        return after


def close(db: sqlite3.Connection, ref: ChannelRef, reason: str, now: datetime) -> None:
    with transaction(db):
        _close(db, ref, reason, now)


def _close(db: sqlite3.Connection, ref: ChannelRef, reason: str, now: datetime) -> None:
    query = f"{_DELIVERY} WHERE {_HERE} AND state = 'ready'"
    ready = [_delivery(row) for row in db.execute(query, _key(ref)).fetchall()]
    _release(db, [_write(db, delivery.buried(row, reason)) for row in ready])
    db.execute(
        "INSERT OR IGNORE INTO closures VALUES (?, ?, ?, ?, ?, 0)", (*_key(ref), reason, _text(now))
    )


def recover(db: sqlite3.Connection, now: datetime, settle: timedelta) -> int:
    outcome = Unsure(now + settle, "Paperboy was stopped while it was posting")
    return _doubt(db, "9999", outcome, now)


def expire(db: sqlite3.Connection, now: datetime, settle: timedelta) -> int:
    return _doubt(db, _text(now), Unsure(now + settle, "its lease ran out"), now)


def _doubt(db: sqlite3.Connection, until: str, outcome: Unsure, now: datetime) -> int:
    """All in hand whose lease ends before *until*."""
    with transaction(db):
        query = f"{_DELIVERY} WHERE state = 'sending' AND lease_until < ?"
        rows = [_delivery(row) for row in db.execute(query, (until,)).fetchall()]
        for row in rows:
            _write(db, delivery.settled(row, outcome, now))
    return len(rows)


def to_settle(db: sqlite3.Connection, now: datetime, served: Served, limit: int) -> list[Delivery]:
    query = (
        f"{_DELIVERY} WHERE state = 'unknown' AND settle_at <= ? AND {_SERVED} "
        "ORDER BY settle_at, key LIMIT ?"
    )
    return [_delivery(row) for row in db.execute(query, (_text(now), *_served(served), limit))]


def to_audit(db: sqlite3.Connection, now: datetime, served: Served, limit: int) -> list[Delivery]:
    query = f"{_DELIVERY} WHERE audit_at <= ? AND {_SERVED} ORDER BY audit_at, key LIMIT ?"
    return [_delivery(row) for row in db.execute(query, (_text(now), *_served(served), limit))]


def audited(db: sqlite3.Connection, key: str, message_id: str, again: datetime | None) -> None:
    db.execute(
        "UPDATE deliveries SET message_id = ?, audit_at = ? WHERE key = ?",
        (message_id, None if again is None else _text(again), key),
    )


def resend(db: sqlite3.Connection, ref: ChannelRef, key: str) -> Delivery:
    with transaction(db):
        return _write(db, delivery.resent(_find_of(db, ref, key)))


def give_up(db: sqlite3.Connection, ref: ChannelRef, key: str) -> Delivery:
    with transaction(db):
        row = _write(db, delivery.given_up(_find_of(db, ref, key)))
        query = f"{_DELIVERY} WHERE {_HERE} AND slot = ? AND part > ? AND state = 'ready'"
        behind = db.execute(query, (*_key(ref), _text(row.slot), row.part)).fetchall()
        later = [_write(db, delivery.abandoned(_delivery(found))) for found in behind]
        _release(db, [row, *later])
        return row


# Closed channels, and what people and machines ask


def gone(db: sqlite3.Connection, ref: ChannelRef) -> Closure | None:
    row = db.execute(f"SELECT reason, at FROM closures WHERE {_HERE}", _key(ref)).fetchone()
    return Closure(row[0], datetime.fromisoformat(row[1])) if row else None


def told(db: sqlite3.Connection, ref: ChannelRef) -> bool:
    query = f"UPDATE closures SET told = 1 WHERE {_HERE} AND told = 0"
    return db.execute(query, _key(ref)).rowcount == 1


def revive(db: sqlite3.Connection, ref: ChannelRef) -> None:
    db.execute(f"DELETE FROM closures WHERE {_HERE}", _key(ref))


def deliveries(db: sqlite3.Connection, ref: ChannelRef, limit: int) -> list[Delivery]:
    query = f"{_DELIVERY} WHERE {_HERE} ORDER BY slot DESC, part LIMIT ?"
    return [_delivery(row) for row in db.execute(query, (*_key(ref), limit))]


def counts(db: sqlite3.Connection, platform: str) -> dict[State, int]:
    query = (
        "SELECT state, count(*) FROM deliveries "
        "WHERE state <> 'sent' AND (platform = :platform OR :platform = '') GROUP BY state"
    )
    found = {State(state): count for state, count in db.execute(query, {"platform": platform})}
    return {state: found.get(state, 0) for state in State if state is not State.SENT}


def oldest_ready(db: sqlite3.Connection, now: datetime) -> datetime | None:
    query = (
        "SELECT platform, tenant, channel, slot, part, not_before FROM deliveries "
        "WHERE state = 'ready' AND not_before <= ? ORDER BY not_before"
    )
    for *channel, slot, part, not_before in db.execute(query, (_text(now),)):
        if not part or not _is_behind(db, tuple(channel), slot, part):
            return datetime.fromisoformat(not_before)
    return None


def awaited(db: sqlite3.Connection) -> list[str]:
    query = """SELECT value FROM deliveries, json_each(papers)
        WHERE state <> 'sent' AND state NOT IN ('dead', 'given up')
        UNION SELECT paper FROM released"""
    return [paper for (paper,) in db.execute(query)]


def tidy(db: sqlite3.Connection, now: datetime) -> None:
    with transaction(db):
        old = _text(now - KEPT)
        of_same = (
            "its.platform = old.platform AND its.tenant = old.tenant AND its.channel = old.channel"
        )
        not_open = (
            f"AND NOT EXISTS (SELECT 1 FROM deliveries AS its WHERE {of_same} AND its.slot = old.slot "
            "AND its.state IN ('ready', 'sending', 'unknown', 'held'))"
        )
        for table, spared in (("deliveries", not_open), ("slots", "")):
            db.execute(
                f"""DELETE FROM {table} AS old WHERE slot < ? {spared}
                    AND slot < (SELECT max(slot) FROM {table} AS its WHERE {of_same})""",
                (old,),
            )
        db.execute("DELETE FROM posted WHERE slot < ?", (_text(now - POSTED_KEPT),))
        db.execute("DELETE FROM changes WHERE at < ?", (_text(now - CHANGES_KEPT),))


# Rows


def _find(db: sqlite3.Connection, key: str) -> Delivery:
    return _delivery(db.execute(f"{_DELIVERY} WHERE key = ?", (key,)).fetchone())


def _find_of(db: sqlite3.Connection, ref: ChannelRef, key: str) -> Delivery:
    row = db.execute(f"{_DELIVERY} WHERE {_HERE} AND key = ?", (*_key(ref), key)).fetchone()
    if row is None:
        raise delivery.no_such_post(key)
    return _delivery(row)


def _write(db: sqlite3.Connection, row: Delivery) -> Delivery:
    db.execute(_UPDATE, (*_row(row)[9:], row.key))
    return row


def _row(d: Delivery) -> tuple[object, ...]:
    return (
        *_key(d.ref), _text(d.slot), d.part, d.key,
        d.post.body, json.dumps(d.post.papers), d.post.threaded,
        _text(d.not_before), d.state.value, d.attempts,
        *(None if at is None else _text(at)
          for at in (d.claimed_at, d.lease_until, d.unknown_at, d.settle_at)),
        d.lookups, d.resent, None if d.audit_at is None else _text(d.audit_at),
        d.message_id, d.detail,
    )  # fmt: skip


def _delivery(row: Sequence[Any]) -> Delivery:
    (
        platform, tenant, channel, slot, part, key, body, papers, threaded,
        not_before, state, attempts, claimed_at, lease_until, unknown_at, settle_at,
        lookups, resent, audit_at, message_id, detail, parent,
    ) = row  # fmt: skip
    return Delivery(
        key=key,
        ref=ChannelRef(platform, tenant, channel),
        slot=datetime.fromisoformat(slot),
        part=part,
        post=Post(body, tuple(json.loads(papers)), bool(threaded)),
        not_before=datetime.fromisoformat(not_before),
        state=State(state),
        attempts=attempts,
        claimed_at=_time(claimed_at),
        lease_until=_time(lease_until),
        unknown_at=_time(unknown_at),
        settle_at=_time(settle_at),
        lookups=lookups,
        resent=bool(resent),
        audit_at=_time(audit_at),
        message_id=message_id,
        detail=detail,
        parent=parent,
    )


def _due(row: tuple[str, str, str, str | None, str]) -> Due:
    *channel, at, fingerprint = row
    return Due(ChannelRef(*channel), _time(at), fingerprint)


def _key(ref: ChannelRef) -> tuple[str, str, str]:
    return ref.platform, ref.tenant, ref.channel


def _served(served: Served) -> tuple[str, str]:
    whole = [platform for platform, tenants in served.items() if tenants is None]
    others = [f"{platform}:{tenant}" for platform in served for tenant in served[platform] or ()]
    return json.dumps(whole), json.dumps(others)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
