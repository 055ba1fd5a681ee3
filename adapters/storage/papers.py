"""The library's SQL, as functions on a connection: filing records and reading papers.

A row of ``papers`` is what people see. Behind it stand claims: what was said under each id. Nearly
every paper has a single claim, under its own id, and then the row is the claim. The others keep
all of theirs in ``claims``, so that a claim can move on when a better id shows up.
"""

# ruff: noqa: S608 - what is put into a query is constant; values are parameters

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, reduce
from hashlib import blake2b
from itertools import count as count_from
from operator import or_
from typing import Any

from adapters.storage.schema import transaction
from bot import merging
from bot.merging import Known
from bot.model import Origin, Paper, Record
from bot.ports import Added, Arrival, Revision

_PAPER = ", ".join(("id", *merging.FIELDS))  # in the order of Paper
_CLAIM = f"seq, live, origins, ranks, {_PAPER}"
_NOTHING = ", ".join(["NULL"] * len(merging.FIELDS))
_MARKS = ", ".join("?" * len(_CLAIM.split(",")))
_AMONG = "IN (SELECT value FROM json_each(?))"  # any number of ids in one parameter
_ids = json.JSONEncoder().encode  # pure ASCII: takes whatever people type
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode  # half the time of decode for such short texts


@dataclass(frozen=True, slots=True)
class _Claim:
    known: Known
    seq: int
    live: bool
    origins: int  # bit n: Origin(n) knows it


_Group = dict[str, _Claim]  # by the id they were made under


def add(db: sqlite3.Connection, records: Sequence[Record], today: date, live: bool) -> Added:
    records = [merging.sound(record) for record in records]
    said: dict[str, Known] = {}
    origins: defaultdict[str, int] = defaultdict(int)
    for record in records:
        own, known = record.paper.id, merging.known(record, today)
        said[own] = merging.merge(own, (said[own], known)) if own in said else known
        origins[own] |= 1 << record.origin.value

    with transaction(db):
        homes = _homes(db, said.keys() | _link(db, records))
        canonical = owners(db, said.keys() | homes.keys())
        papers = set(homes.values()) | set(canonical.values())
        rows = _rows(db, papers)
        before = _groups(db, rows)
        after = _regrouped(db, before, said, origins, canonical, live=live)
        shown = {paper: _shown(paper, group) for paper, group in after.items()}
        _replace(db, rows, shown)
        _replace_claims(db, before, after)
        _observe(db, records)

    old = {claim for group in before.values() for claim in group}
    new = {paper for paper, group in after.items() if old.isdisjoint(group)}
    changed = {
        paper
        for paper, claim in shown.items()
        if paper not in new and (paper not in rows or rows[paper].known.paper != claim.known.paper)
    }
    ids = tuple(canonical[record.paper.id] for record in records)
    return Added(ids, frozenset(new), frozenset(changed))


def _link(db: sqlite3.Connection, records: Iterable[Record]) -> set[str]:
    """Note what the records link; returns the ids that may belong to another paper now."""
    stated = {pair for record in records for pair in merging.links(record)}
    aliases = _ids([alias for alias, _ in stated])
    query = f"SELECT alias, id FROM links WHERE alias {_AMONG}"
    fresh = stated.difference(db.execute(query, (aliases,)))
    db.executemany("INSERT INTO links VALUES (?, ?)", fresh)
    moved: set[str] = set()
    ahead = {alias for alias, _ in fresh}
    while ahead:
        moved |= ahead
        query = f"SELECT alias FROM links WHERE id {_AMONG}"
        ahead = {alias for (alias,) in db.execute(query, (_ids([*ahead]),))} - moved
    return moved


def _homes(db: sqlite3.Connection, ids: Collection[str]) -> dict[str, str]:
    """The paper that each of the *ids* with a claim is part of."""
    among = (_ids([*ids]),)
    homes = {i: i for (i,) in db.execute(f"SELECT id FROM papers WHERE id {_AMONG}", among)}
    homes.update(db.execute(f"SELECT id, paper FROM claims WHERE id {_AMONG}", among))
    return homes


def owners(db: sqlite3.Connection, ids: Collection[str]) -> dict[str, str]:
    """The canonical id of each; an id that nothing is linked to stays."""
    better: defaultdict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    ahead = {i for i in ids if not i.startswith("arxiv:")}  # nothing is better
    query = f"SELECT alias, id FROM links WHERE alias {_AMONG}"
    while ahead:
        seen |= ahead
        found = db.execute(query, (_ids([*ahead]),)).fetchall()
        for alias, paper in found:
            better[alias].add(paper)
        ahead = {paper for _, paper in found} - seen
    return {i: merging.owner(i, better) if better else i for i in ids}


def _rows(db: sqlite3.Connection, papers: Collection[str]) -> _Group:
    found = db.execute(f"SELECT {_CLAIM} FROM papers WHERE id {_AMONG}", (_ids([*papers]),))
    return {row[4]: _claim(row) for row in found}


def _groups(db: sqlite3.Connection, rows: _Group) -> dict[str, _Group]:
    groups: defaultdict[str, _Group] = defaultdict(dict)
    query = f"SELECT {_CLAIM}, paper FROM claims WHERE paper {_AMONG}"
    for *row, paper in db.execute(query, (_ids([*rows]),)):
        groups[paper][row[4]] = _claim(row)
    return {paper: groups.get(paper) or {paper: row} for paper, row in rows.items()}


def _regrouped(
    db: sqlite3.Connection,
    before: dict[str, _Group],
    said: dict[str, Known],
    origins: Mapping[str, int],
    canonical: dict[str, str],
    *,
    live: bool,
) -> dict[str, _Group]:
    """Every claim with the paper it belongs to now, and what is *said* added to them."""
    after: defaultdict[str, _Group] = defaultdict(dict)
    for paper, group in before.items():
        for own, claim in group.items():
            after[canonical.get(own, paper)][own] = claim
    seq = end(db)
    for own, known in said.items():
        group = after[canonical[own]]
        old = group.get(own)
        if old is None or (live and not old.live):
            seq += 1
        group[own] = _Claim(
            known if old is None else merging.merge(own, (old.known, known)),
            old.seq if old and (old.live or not live) else seq,
            live or (old is not None and old.live),
            origins[own] | (old.origins if old else 0),
        )
    db.execute("UPDATE arrivals SET seq = ?", (seq,))
    return after


def _shown(paper: str, group: _Group) -> _Claim:
    if group.keys() == {paper}:
        return group[paper]
    known = merging.merge(paper, (claim.known for claim in group.values()))
    live = any(claim.live for claim in group.values())
    seq = min(claim.seq for claim in group.values() if claim.live == live)
    return _Claim(known, seq, live, reduce(or_, (claim.origins for claim in group.values())))


def _replace(db: sqlite3.Connection, rows: _Group, shown: _Group) -> None:
    gone = [(row.seq,) for paper, row in rows.items() if shown.get(paper) != row]
    fresh = [(paper, claim) for paper, claim in shown.items() if rows.get(paper) != claim]
    db.executemany("DELETE FROM papers WHERE seq = ?", gone)
    last = revision(db)
    db.executemany(
        f"INSERT INTO papers ({_CLAIM}, lot, revision) VALUES ({_MARKS}, ?, ?)",
        ((*_row(claim), _lot(paper), n) for n, (paper, claim) in enumerate(fresh, last + 1)),
    )
    last += len(fresh)
    merged = sorted(rows.keys() - shown.keys())
    db.execute(f"DELETE FROM gone WHERE id {_AMONG}", (_ids([paper for paper, _ in fresh]),))
    db.executemany("INSERT OR REPLACE INTO gone VALUES (?, ?)", zip(merged, count_from(last + 1)))
    db.execute("UPDATE arrivals SET revision = ?", (last + len(merged),))


def _replace_claims(
    db: sqlite3.Connection, before: dict[str, _Group], after: dict[str, _Group]
) -> None:
    papers = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    db.execute(f"DELETE FROM claims WHERE paper {_AMONG}", (_ids([*papers]),))
    db.executemany(
        f"INSERT INTO claims ({_CLAIM}, paper) VALUES ({_MARKS}, ?)",
        (
            (*_row(claim), paper)
            for paper in papers
            if after.get(paper, {}).keys() - {paper}
            for claim in after[paper].values()
        ),
    )


def _observe(db: sqlite3.Connection, records: Iterable[Record]) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO listings VALUES (?, ?, ?)",
        (
            (record.origin.value, record.listed_on.isoformat(), record.paper.id)
            for record in records
            if record.listed_on is not None
        ),
    )
    db.executemany(
        "INSERT INTO upvotes VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET count = max(count, excluded.count)",
        (
            (record.paper.id, record.observed_on.isoformat(), record.paper.upvotes)
            for record in records
            if record.observed_on is not None
        ),
    )


def prune(db: sqlite3.Connection, before: date, spared: Collection[str]) -> int:
    with transaction(db):
        kept = set(owners(db, spared).values())
        # An old paper that was imported may be on a source's list today: the last listing counts.
        listed = db.execute(
            """SELECT id FROM papers WHERE live AND listed_on < :before AND id NOT IN (
                SELECT coalesce(claims.paper, listings.claim)
                FROM listings LEFT JOIN claims ON claims.id = listings.claim WHERE day >= :before
            )""",
            {"before": before.isoformat()},
        )
        doomed = [paper for (paper,) in listed if paper not in kept]
        among = (_ids(doomed),)
        claims = f"SELECT id FROM claims WHERE paper {_AMONG} UNION SELECT value FROM json_each(?)"
        for table in ("upvotes", "listings"):
            db.execute(f"DELETE FROM {table} WHERE claim IN ({claims})", among * 2)
        db.execute(f"DELETE FROM links WHERE id {_AMONG}", among)
        db.execute(f"DELETE FROM claims WHERE paper {_AMONG}", among)
        _replace(db, _rows(db, doomed), {})
    return len(doomed)


def find(db: sqlite3.Connection, paper_id: str) -> Paper | None:
    canonical = owners(db, (paper_id,))[paper_id]
    query = f"SELECT {_PAPER} FROM papers WHERE id {_AMONG}"
    row = db.execute(query, (_ids([canonical]),)).fetchone()
    return _paper(row) if row else None


def after(db: sqlite3.Connection, seq: int, listed_from: date) -> list[Arrival]:
    rows = db.execute(
        f"SELECT seq, {_PAPER} FROM papers WHERE seq > ? AND live AND listed_on >= ? ORDER BY seq",
        (seq, listed_from.isoformat()),
    )
    return [Arrival(row[0], _paper(row[1:])) for row in rows]


def between(db: sqlite3.Connection, after: date, until: date) -> list[Paper]:
    rows = db.execute(
        f"SELECT {_PAPER} FROM papers WHERE listed_on > ? AND listed_on <= ? "
        "ORDER BY listed_on, id",
        (after.isoformat(), until.isoformat()),
    )
    return [_paper(row) for row in rows]


def top(db: sqlite3.Connection, start: date, end: date, limit: int) -> list[tuple[date, Paper]]:
    rows = db.execute(
        f"""WITH days AS (
            SELECT coalesce(claims.paper, listings.claim) AS paper, min(day) AS day
            FROM listings LEFT JOIN claims ON claims.id = listings.claim
            WHERE origin = ? AND day BETWEEN ? AND ? GROUP BY 1
        ), best AS (
            SELECT day, seq FROM days JOIN papers ON papers.id = days.paper
            ORDER BY upvotes DESC, day DESC, id LIMIT ?
        )
        SELECT day, {_PAPER} FROM best JOIN papers USING (seq)
        ORDER BY upvotes DESC, day DESC, id""",
        (Origin.HUGGING_FACE.value, start.isoformat(), end.isoformat(), limit),
    )
    return [(date.fromisoformat(row[0]), _paper(row[1:])) for row in rows]


def background(db: sqlite3.Connection, n: int) -> list[Paper]:
    rows = db.execute(
        f"SELECT {_PAPER} FROM papers WHERE abstract <> '' ORDER BY lot LIMIT ?", (n,)
    )
    return [_paper(row) for row in rows]


def count(db: sqlite3.Connection) -> int:
    number: int = db.execute("SELECT count(*) FROM papers").fetchone()[0]
    return number


def end(db: sqlite3.Connection) -> int:
    seq: int = db.execute("SELECT seq FROM arrivals").fetchone()[0]
    return seq


def revision(db: sqlite3.Connection) -> int:
    number: int = db.execute("SELECT revision FROM arrivals").fetchone()[0]
    return number


def revised(db: sqlite3.Connection, after: int, limit: int) -> list[Revision]:
    # One statement: between two, another process could add papers that would then be passed over.
    rows = db.execute(
        f"""SELECT revision, origins, {_PAPER} FROM papers WHERE revision > :after
        UNION ALL SELECT revision, 0, id, {_NOTHING} FROM gone WHERE revision > :after
        ORDER BY revision LIMIT :limit""",
        {"after": after, "limit": limit},
    )
    return [
        Revision(number, paper[0], _paper(paper) if paper[1] is not None else None, _origins(bits))
        for number, bits, *paper in rows
    ]


def newest_day(db: sqlite3.Connection) -> date | None:
    day = db.execute("SELECT max(listed_on) FROM papers").fetchone()[0]
    return date.fromisoformat(day) if day else None


def upvotes(db: sqlite3.Connection, paper_id: str) -> dict[date, int]:
    rows = db.execute(
        "SELECT day, max(count) FROM upvotes "
        "WHERE claim IN (SELECT id FROM claims WHERE paper = :paper UNION SELECT :paper) "
        "GROUP BY day ORDER BY day",
        {"paper": owners(db, (paper_id,))[paper_id]},
    )
    return {date.fromisoformat(day): count for day, count in rows}


def _lot(paper_id: str) -> int:
    return int.from_bytes(blake2b(paper_id.encode(), digest_size=6).digest())


def _claim(row: Sequence[Any]) -> _Claim:
    known = Known(_paper(row[4:]), tuple(_decode(row[3])[0]))
    return _Claim(known, row[0], bool(row[1]), row[2])


@cache
def _origins(bits: int) -> frozenset[Origin]:
    return frozenset(origin for origin in Origin if bits >> origin.value & 1)


def _row(claim: _Claim) -> tuple[object, ...]:
    paper = claim.known.paper
    return (
        claim.seq,
        claim.live,
        claim.origins,
        _encode(claim.known.ranks),
        paper.id,
        paper.title,
        paper.abstract,
        _column(paper.authors),
        _column(paper.categories),
        paper.published and paper.published.isoformat(),
        paper.updated and paper.updated.isoformat(),
        paper.version,
        paper.doi,
        paper.journal_ref,
        paper.note,
        paper.upvotes,
        paper.discussion,
        paper.summary,
        _column(paper.keywords),
        paper.code,
        paper.stars,
        paper.project,
        paper.submitter,
        paper.organisation,
        paper.listed_on and paper.listed_on.isoformat(),
    )


def _paper(row: Sequence[Any]) -> Paper:
    (
        paper_id, title, abstract, authors, categories, published, updated, version, doi,
        journal_ref, note, upvotes, discussion, summary, keywords, code, stars, project,
        submitter, organisation, listed_on,
    ) = row  # fmt: skip
    return Paper(
        paper_id,
        title,
        abstract,
        _texts(authors),
        _texts(categories),
        datetime.fromisoformat(published) if published else None,
        datetime.fromisoformat(updated) if updated else None,
        version,
        doi,
        journal_ref,
        note,
        upvotes,
        discussion,
        summary,
        _texts(keywords),
        code,
        stars,
        project,
        submitter,
        organisation,
        date.fromisoformat(listed_on),
    )


def _column(texts: tuple[str, ...]) -> str:
    return _encode(texts) if texts else "[]"


def _texts(column: str) -> tuple[str, ...]:
    return () if column == "[]" else tuple(_decode(column)[0])
