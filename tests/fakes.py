"""Second implementations of the ports, in memory. They pass the same contracts as the real ones.

The library works everything out afresh from all it was told, where the real one keeps up step by
step: two ways to the same papers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256

from adapters.storage.changes import Change
from bot import merging
from bot.merging import Known
from bot.model import ChannelRef, Origin, Paper, Record
from bot.ports import Added, Arrival, Clock, Revision


class MemoryLibrary:
    def __init__(self) -> None:
        self._claims: dict[str, Known] = {}
        self._better: defaultdict[str, set[str]] = defaultdict(set)
        self._seqs: dict[str, tuple[int, bool]] = {}  # of a claim: its number, is it live
        self._list_days: set[tuple[date, str]] = set()
        self._upvotes: dict[tuple[str, date], int] = {}
        self._end = 0
        self._papers: dict[str, Paper] = {}
        self._origins: defaultdict[str, set[Origin]] = defaultdict(set)  # of a claim
        self._revisions: dict[str, Revision] = {}
        self._revision = 0

    async def add(self, records: Sequence[Record], *, today: date, live: bool) -> Added:
        papers, claims = self._papers, set(self._claims)
        for record in map(merging.sound, records):
            self._tell(record, today, live=live)
        groups = self._groups()
        self._papers = {
            paper: merging.merge(paper, (self._claims[c] for c in group)).paper
            for paper, group in groups.items()
        }
        new = {paper for paper, group in groups.items() if claims.isdisjoint(group)}
        changed = {
            p for p, paper in self._papers.items() if p not in new and papers.get(p) != paper
        }
        self._revise(groups)
        ids = tuple(self.canonical(record.paper.id) for record in records)
        return Added(ids, frozenset(new), frozenset(changed))

    def _revise(self, groups: Mapping[str, Sequence[str]]) -> None:
        for paper in sorted(groups.keys() | self._revisions.keys()):
            found = self._papers.get(paper)
            origins = frozenset(o for claim in groups.get(paper, ()) for o in self._origins[claim])
            old = self._revisions.get(paper)
            if old is None or (old.paper, old.origins) != (found, origins):
                self._revision += 1
                self._revisions[paper] = Revision(self._revision, paper, found, origins)

    def _tell(self, record: Record, today: date, *, live: bool) -> None:
        own = record.paper.id
        known = merging.known(record, today)
        self._origins[own].add(record.origin)
        self._claims[own] = merging.merge(own, (self._claims.get(own, known), known))
        for alias, paper in merging.links(record):
            self._better[alias].add(paper)
        if own not in self._seqs or (live and not self._seqs[own][1]):
            self._end += 1
            self._seqs[own] = self._end, live
        if record.origin is Origin.HUGGING_FACE and record.listed_on is not None:
            self._list_days.add((record.listed_on, own))
        if record.observed_on is not None:
            at = own, record.observed_on
            self._upvotes[at] = max(self._upvotes.get(at, 0), record.paper.upvotes)

    def canonical(self, paper_id: str) -> str:
        return merging.owner(paper_id, self._better)

    def _groups(self) -> dict[str, list[str]]:
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for claim in self._claims:
            groups[self.canonical(claim)].append(claim)
        return groups

    async def find(self, paper_id: str) -> Paper | None:
        return self._papers.get(self.canonical(paper_id))

    async def after(self, seq: int, *, listed_from: date) -> list[Arrival]:
        arrivals = []
        for paper, group in self._groups().items():
            first = min((n for n, live in map(self._seqs.__getitem__, group) if live), default=0)
            if first > seq and _listed_on(self._papers[paper]) >= listed_from:
                arrivals.append(Arrival(first, self._papers[paper]))
        return sorted(arrivals, key=lambda arrival: arrival.seq)

    async def between(self, after: date, until: date) -> list[Paper]:
        papers = [p for p in self._papers.values() if after < _listed_on(p) <= until]
        return sorted(papers, key=lambda paper: (_listed_on(paper), paper.id))

    async def top(self, start: date, end: date, limit: int) -> list[tuple[date, Paper]]:
        first: dict[str, date] = {}
        for day, claim in sorted(self._list_days):
            if start <= day <= end:
                first.setdefault(self.canonical(claim), day)
        listed = [(day, self._papers[paper]) for paper, day in first.items()]
        listed.sort(key=lambda item: (-item[1].upvotes, -item[0].toordinal(), item[1].id))
        return listed[:limit]

    async def prune(self, before: date, spared: Collection[str]) -> int:
        kept = set(map(self.canonical, spared))
        groups = self._groups()
        again = {self.canonical(claim) for day, claim in self._list_days if day >= before}
        doomed = [
            p for p in self._papers.values()
            if _listed_on(p) < before and p.id not in kept | again
            and any(self._seqs[claim][1] for claim in groups[p.id])
        ]  # fmt: skip
        for paper in doomed:
            for claim in groups.pop(paper.id):
                del self._claims[claim], self._seqs[claim], self._origins[claim]
                self._list_days = {(day, own) for day, own in self._list_days if own != claim}
                self._upvotes = {at: n for at, n in self._upvotes.items() if at[0] != claim}
            for better in self._better.values():
                better.discard(paper.id)
            del self._papers[paper.id]
        self._revise(groups)
        return len(doomed)

    async def background(self, n: int) -> list[Paper]:
        papers = [paper for paper in self._papers.values() if paper.abstract != ""]
        return sorted(papers, key=lambda paper: sha256(paper.id.encode()).digest())[:n]

    async def count(self) -> int:
        return len(self._papers)

    async def end(self) -> int:
        return self._end

    async def revision(self) -> int:
        return self._revision

    async def revised(self, after: int, limit: int) -> list[Revision]:
        found = [revision for revision in self._revisions.values() if revision.number > after]
        return sorted(found, key=lambda revision: revision.number)[:limit]

    async def newest_day(self) -> date | None:
        return max(map(_listed_on, self._papers.values()), default=None)

    async def upvotes(self, paper_id: str) -> dict[date, int]:
        counts: dict[date, int] = {}
        for (claim, day), count in self._upvotes.items():
            if self.canonical(claim) == self.canonical(paper_id):
                counts[day] = max(counts.get(day, 0), count)
        return counts


def _listed_on(paper: Paper) -> date:
    assert paper.listed_on is not None
    return paper.listed_on


class MemoryLedger:
    """Takes the library for the aliases alone."""

    def __init__(self, library: MemoryLibrary) -> None:
        self._library = library
        self._posted: defaultdict[ChannelRef, dict[datetime, list[str]]] = defaultdict(dict)
        self._cursors: dict[ChannelRef, int] = {}

    async def posted(
        self, ref: ChannelRef, ids: Collection[str] | None = None
    ) -> Mapping[str, datetime]:
        canonical = self._library.canonical
        slots = {
            canonical(paper): slot
            for slot, papers in sorted(self._posted[ref].items())
            for paper in papers
        }
        wanted = slots if ids is None else set(map(canonical, ids))
        return {paper: slot for paper, slot in slots.items() if paper in wanted}

    async def record(
        self, ref: ChannelRef, slot: datetime, papers: Sequence[str], cursor: int
    ) -> None:
        if papers:
            shown = self._posted[ref].setdefault(slot, [])
            shown.extend(p for p in map(self._library.canonical, papers) if p not in shown)
        self._cursors[ref] = max(cursor, self._cursors.get(ref, 0))

    async def cursor(self, ref: ChannelRef) -> int | None:
        return self._cursors.get(ref)

    async def start(self, ref: ChannelRef, cursor: int) -> None:
        self._cursors.setdefault(ref, cursor)

    async def last(self, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
        if not self._posted[ref]:
            return None
        slot, papers = max(self._posted[ref].items())
        return slot, tuple(dict.fromkeys(map(self._library.canonical, papers)))


class MemoryChangeLog:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changes: list[Change] = []

    async def note(
        self,
        ref: ChannelRef,
        *,
        by: str,
        before: str | None,
        after: str | None,
        undoes: int | None = None,
    ) -> Change:
        number = len(self._changes) + 1
        change = Change(number, ref, self._clock(), by, before, after, undoes)
        self._changes.append(change)
        return change

    async def history(self, ref: ChannelRef, limit: int = 100) -> list[Change]:
        return [change for change in reversed(self._changes) if change.ref == ref][:limit]
