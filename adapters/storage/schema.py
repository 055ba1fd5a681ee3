"""The SQLite file: its tables and how they came about, how it is opened, what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import StorageDamaged, StorageFailed

BUSY_SECONDS = 5

_FIELDS = """
    title TEXT NOT NULL,
    abstract TEXT NOT NULL,
    authors TEXT NOT NULL,         -- a JSON list, like categories and keywords
    categories TEXT NOT NULL,
    published TEXT,                -- ISO 8601 in UTC, like all times
    updated TEXT,
    version INTEGER NOT NULL,
    doi TEXT NOT NULL,
    journal_ref TEXT NOT NULL,
    note TEXT NOT NULL,
    upvotes INTEGER NOT NULL,
    discussion INTEGER NOT NULL,
    summary TEXT NOT NULL,
    keywords TEXT NOT NULL,
    code TEXT NOT NULL,
    stars INTEGER NOT NULL,
    project TEXT NOT NULL,
    submitter TEXT NOT NULL,
    organisation TEXT NOT NULL,
    listed_on TEXT NOT NULL,
    ranks TEXT NOT NULL            -- see bot.merging
"""

# Entry n brings a file of version n (PRAGMA user_version) to version n + 1. Released entries are
# never edited.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE arrivals (seq INTEGER NOT NULL)",  # one row: the last number given
        "INSERT INTO arrivals VALUES (0)",
        f"""CREATE TABLE papers (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            live INTEGER NOT NULL,
            lot INTEGER NOT NULL,  -- a hash of the id: the background is drawn by it
            {_FIELDS}
        )""",
        "CREATE INDEX papers_listed ON papers (listed_on, id)",
        "CREATE INDEX papers_lot ON papers (lot) WHERE abstract <> ''",
        # What was said under each id, for papers that are known by more ids than their own.
        f"""CREATE TABLE claims (
            seq INTEGER NOT NULL,
            id TEXT PRIMARY KEY,
            live INTEGER NOT NULL,
            paper TEXT NOT NULL REFERENCES papers (id) DEFERRABLE INITIALLY DEFERRED,
            {_FIELDS}
        )""",
        "CREATE INDEX claims_paper ON claims (paper)",
        # A lesser id and a better one of the same paper; there may be several.
        "CREATE TABLE links (alias TEXT, id TEXT, PRIMARY KEY (alias, id)) WITHOUT ROWID",
        "CREATE INDEX links_id ON links (id)",
        """CREATE TABLE listings (
            origin INTEGER, day TEXT, claim TEXT, PRIMARY KEY (origin, day, claim)
        ) WITHOUT ROWID""",
        """CREATE TABLE upvotes (
            claim TEXT, day TEXT, count INTEGER NOT NULL, PRIMARY KEY (claim, day)
        ) WITHOUT ROWID""",
        """CREATE TABLE posted (
            platform TEXT, tenant TEXT, channel TEXT, slot TEXT, position INTEGER,
            paper TEXT NOT NULL,
            PRIMARY KEY (platform, tenant, channel, slot, position)
        ) WITHOUT ROWID""",
        """CREATE TABLE cursors (
            platform TEXT, tenant TEXT, channel TEXT, seq INTEGER NOT NULL,
            PRIMARY KEY (platform, tenant, channel)
        ) WITHOUT ROWID""",
        """CREATE TABLE changes (
            platform TEXT NOT NULL, tenant TEXT NOT NULL, channel TEXT NOT NULL,
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL, by TEXT NOT NULL, before TEXT, after TEXT, undoes INTEGER
        )""",
        "CREATE INDEX changes_channel ON changes (platform, tenant, channel, id)",
    ),
    (
        """CREATE TABLE shelf (
            platform TEXT, tenant TEXT, user TEXT, paper TEXT, at TEXT NOT NULL,
            PRIMARY KEY (platform, tenant, user, paper)
        ) WITHOUT ROWID""",
        "CREATE TABLE answers (key TEXT PRIMARY KEY, command TEXT NOT NULL, at TEXT NOT NULL)",
        """CREATE TABLE sources (
            name TEXT PRIMARY KEY, last_success TEXT, last_error TEXT, error TEXT NOT NULL,
            announced TEXT, next_try TEXT, state TEXT NOT NULL
        )""",
    ),
    (
        # What changed when, so that what is derived from the papers can follow; who knows of them.
        "ALTER TABLE arrivals ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE papers ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE papers ADD COLUMN origins INTEGER NOT NULL DEFAULT 0",  # bits by Origin
        "ALTER TABLE claims ADD COLUMN origins INTEGER NOT NULL DEFAULT 0",
        "UPDATE papers SET revision = seq",
        "UPDATE arrivals SET revision = seq",
        "CREATE INDEX papers_revision ON papers (revision)",
        "CREATE TABLE gone (id TEXT PRIMARY KEY, revision INTEGER NOT NULL)",  # merged into others
        "CREATE INDEX gone_revision ON gone (revision)",
        *(
            statement
            for table in ("papers", "claims")
            for statement in (
                # the title's rank ends in 15 - origin, see bot.merging
                f"UPDATE {table} SET origins = 1 << (15 - (json_extract(ranks, '$[0]') & 15))",  # noqa: S608
                f"UPDATE {table} SET origins = origins | bits FROM "  # noqa: S608
                "(SELECT claim, sum(DISTINCT 1 << origin) AS bits FROM listings GROUP BY claim) "
                "WHERE claim = id",
            )
        ),
        f"""UPDATE papers SET origins = origins | bits FROM
            (SELECT paper, {" | ".join(f"max(origins & {1 << n})" for n in range(7))} AS bits
             FROM claims GROUP BY paper)
            WHERE paper = id""",  # noqa: S608
    ),
    (
        """CREATE TABLE votes (
            platform TEXT, tenant TEXT, channel TEXT, user TEXT, paper TEXT,
            value INTEGER NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (platform, tenant, channel, user, paper)
        ) WITHOUT ROWID""",
        """CREATE TABLE forgotten (
            platform TEXT, tenant TEXT, channel TEXT, stem TEXT,
            PRIMARY KEY (platform, tenant, channel, stem)
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE deliveries (
            platform TEXT NOT NULL, tenant TEXT NOT NULL, channel TEXT NOT NULL,
            slot TEXT NOT NULL, part INTEGER NOT NULL,
            key TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL, papers TEXT NOT NULL, threaded INTEGER NOT NULL,
            not_before TEXT NOT NULL,
            state TEXT NOT NULL,   -- see bot.ports.State
            attempts INTEGER NOT NULL,
            claimed_at TEXT, lease_until TEXT, unknown_at TEXT, settle_at TEXT,
            lookups INTEGER NOT NULL, resent INTEGER NOT NULL, audit_at TEXT,
            message_id TEXT NOT NULL, detail TEXT NOT NULL,
            PRIMARY KEY (platform, tenant, channel, slot, part)
        )""",
        # What waits for something is a small part of all: each index holds only that.
        "CREATE INDEX deliveries_ready ON deliveries (slot, key) WHERE state = 'ready'",
        "CREATE INDEX deliveries_waiting ON deliveries (not_before) WHERE state = 'ready'",
        "CREATE INDEX deliveries_sending ON deliveries (lease_until) WHERE state = 'sending'",
        "CREATE INDEX deliveries_unknown ON deliveries (settle_at) WHERE state = 'unknown'",
        "CREATE INDEX deliveries_audit ON deliveries (audit_at) WHERE audit_at IS NOT NULL",
        "CREATE INDEX deliveries_open ON deliveries (state) WHERE state <> 'sent'",
        "CREATE INDEX deliveries_slot ON deliveries (slot)",
        """CREATE TABLE slots (       -- planned ones, those without a post too
            platform TEXT, tenant TEXT, channel TEXT, slot TEXT,
            PRIMARY KEY (platform, tenant, channel, slot)
        ) WITHOUT ROWID""",
        """CREATE TABLE schedules (
            platform TEXT, tenant TEXT, channel TEXT,
            next_due TEXT,
            lot INTEGER NOT NULL,  -- a hash of the channel: those of one moment come in its order
            fingerprint TEXT NOT NULL,
            PRIMARY KEY (platform, tenant, channel)
        ) WITHOUT ROWID""",
        "CREATE INDEX schedules_due ON schedules (next_due, lot) WHERE next_due IS NOT NULL",
        """CREATE TABLE released (    -- planned, never posted, to be offered again
            platform TEXT, tenant TEXT, channel TEXT, paper TEXT,
            PRIMARY KEY (platform, tenant, channel, paper)
        ) WITHOUT ROWID""",
        """CREATE TABLE closures (
            platform TEXT, tenant TEXT, channel TEXT,
            reason TEXT NOT NULL, at TEXT NOT NULL, told INTEGER NOT NULL,
            PRIMARY KEY (platform, tenant, channel)
        ) WITHOUT ROWID""",
    ),
    (
        "CREATE TABLE receipts (key TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX receipts_at ON receipts (at)",
    ),
    (
        """CREATE TABLE departures (  -- workspaces and servers that Paperboy is no longer in
            platform TEXT, tenant TEXT, at TEXT NOT NULL,
            PRIMARY KEY (platform, tenant)
        ) WITHOUT ROWID""",
        "ALTER TABLE slots ADD COLUMN why TEXT NOT NULL DEFAULT ''",  # there was no paper
    ),
    ("ALTER TABLE sources ADD COLUMN failed_from TEXT",),
)


def open_owner(path: Path) -> sqlite3.Connection:
    """The file, created where it is missing and brought to the present version."""
    db = _open(f"{path.absolute().as_uri()}?mode=rwc")
    try:
        version = _version(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 4000")  # pages: an import writes a tenth less
        db.execute("PRAGMA journal_size_limit = 64000000")
        _migrate(db, version)
    except BaseException:
        db.close()
        raise
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """The file as it is, beside its owner or without one; a missing file is an empty one."""
    if not path.exists():
        return _open_empty()
    # Not mode=ro: such a reader, where it is the last to leave, leaves -wal and -shm behind.
    db = _open(f"{path.absolute().as_uri()}?mode=rw")
    try:
        db.execute("PRAGMA query_only = ON")
        version = _version(db, path)
    except BaseException:
        db.close()
        raise
    if version == len(MIGRATIONS):
        return db
    db.close()
    if version == 0:  # its owner is about to fill it
        return _open_empty()
    raise StorageFailed(
        f"{path} was written by an older Paperboy.",
        hint="Run `paperboy fetch` once: it brings the file up to date.",
    )


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # some errors, a full disk among them, have rolled back by then
            db.execute("ROLLBACK")
        raise


def meaning(error: sqlite3.Error, path: Path) -> Exception:
    """What the error says to the operator; the error itself where it is a fault of ours."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the low byte is the kind
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StorageDamaged(
                f"{path} is damaged ({error}).",
                hint="Stop Paperboy and put a backup in the file's place; without one, "
                f'`sqlite3 "{path}" .recover` prints what can still be read.',
            )
        case sqlite3.SQLITE_FULL:
            hint = "Make room on the disk; nothing that was stored is lost."
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            hint = "See that the folder exists and that this user may write to it."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            hint = "Another program holds the file; end it, or try again."
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_NOMEM:
            hint = "Look into the system's log; nothing that was stored is lost."
        case _:
            return error
    return StorageFailed(f"{path} could not be used ({error}).", hint=hint)


def _open(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA cache_size = -32000")  # KiB
    except sqlite3.Error:  # it is no database
        db.close()
        raise
    return db


def _open_empty() -> sqlite3.Connection:
    db = _open("file::memory:")
    _migrate(db, 0)
    db.execute("PRAGMA query_only = ON")
    return db


def _version(db: sqlite3.Connection, path: Path) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StorageDamaged(
            f"{path} was written by a newer Paperboy: it has format {version}, "
            f"this one reads formats up to {len(MIGRATIONS)}.",
            hint="Install the newer version again; nothing was changed.",
        )
    return version


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        with transaction(db):
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
