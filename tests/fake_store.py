"""A channel store and an outbox in memory; they pass the contracts of the real ones."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from adapters.storage.settings import from_json, to_json
from bot import delivery
from bot.errors import UserError
from bot.model import SUBSCRIPTIONS_PER_WORKSPACE, Channel, ChannelRef
from bot.options import taken_over
from bot.ports import Closure, Delivery, Due, Gone, Outcome, Planned, Post, Served, State, Unsure
from tests.fakes import MemoryLedger, MemoryLibrary


@dataclass(slots=True)
class _Step:
    before: Channel | None
    after: Channel | None
    standing: bool = True  # neither undone nor an undo


class MemoryChannelStore:
    """A second implementation of ``bot.ports.ChannelStore``; starts with *channels*."""

    def __init__(self, *channels: Channel) -> None:
        self._channels = {channel.ref: channel for channel in channels}
        self._steps: dict[ChannelRef, list[_Step]] = {}

    async def get(self, ref: ChannelRef) -> Channel | None:
        return self._channels.get(ref)

    async def all(self) -> list[Channel]:
        return [self._channels[ref] for ref in sorted(self._channels)]

    async def save(self, channel: Channel, by: str) -> None:
        old = self._channels.get(channel.ref)
        highest = max((s.number for s in channel.subscriptions), default=0)
        channel = replace(
            channel,
            owner=channel.owner or (old.owner if old else "") or by,
            next_number=max(channel.next_number, old.next_number if old else 1, highest + 1),
        )
        self._check_room(channel)
        if channel != old:
            self._step(channel.ref, channel, standing=True)

    async def undo(self, ref: ChannelRef, by: str) -> tuple[Channel | None, Channel | None] | None:
        step = next((s for s in reversed(self._steps.get(ref, [])) if s.standing), None)
        if step is None:
            return None
        now, then = self._channels.get(ref), step.before
        if then and now:
            then = replace(then, next_number=max(then.next_number, now.next_number))
        if then:
            self._check_room(then)
        step.standing = False
        self._step(ref, then, standing=False)
        return now, then

    async def remove(self, ref: ChannelRef, by: str) -> None:
        if ref in self._channels:
            self._step(ref, None, standing=True)

    async def dump(self, ref: ChannelRef) -> str:
        channel = self._channels.get(ref)
        if channel is None:
            raise UserError("This channel has no settings yet.", hint="Subscribe first.")
        return json.dumps(to_json(channel))

    async def load(self, ref: ChannelRef, document: str, by: str) -> Channel:
        try:
            given = json.loads(document)
        except ValueError as error:
            raise UserError("That is no JSON.", hint="Paste an export.") from error
        old = self._channels.get(ref)
        loaded = replace(from_json(given), ref=ref, owner=old.owner if old else "")
        loaded = taken_over(loaded, given["channel"])
        await self.save(loaded, by)
        return self._channels[ref]

    async def drop(self, platform: str, tenant: str) -> None:
        for ref in [r for r in self._channels if (r.platform, r.tenant) == (platform, tenant)]:
            del self._channels[ref]
            self._steps.pop(ref, None)

    async def free_number(self, ref: ChannelRef) -> int:
        channel = self._channels.get(ref)
        steps = self._steps.get(ref, [])
        known = [channel] if channel else [c for s in steps for c in (s.before, s.after)]
        return max((c.next_number for c in known if c), default=1)

    def _step(self, ref: ChannelRef, after: Channel | None, *, standing: bool) -> None:
        before = self._channels.pop(ref, None)
        if after:
            self._channels[ref] = after
        self._steps.setdefault(ref, []).append(_Step(before, after, standing))

    def _check_room(self, channel: Channel) -> None:
        workspace = (channel.ref.platform, channel.ref.tenant)
        old = self._channels.get(channel.ref)
        more = len(channel.subscriptions) - (len(old.subscriptions) if old else 0)
        had = sum(
            len(other.subscriptions)
            for ref, other in self._channels.items()
            if (ref.platform, ref.tenant) == workspace
        )
        if more > 0 and had + more > SUBSCRIPTIONS_PER_WORKSPACE:
            raise UserError(
                f"This workspace has {had} subscriptions and no room for {more} more.",
                hint="Unsubscribe from some first.",
            )


class MemoryOutbox(MemoryLedger):
    """A second implementation of ``bot.ports.Outbox``."""

    def __init__(self, library: MemoryLibrary) -> None:
        super().__init__(library)
        self._rows: dict[str, Delivery] = {}
        self._slots: dict[tuple[ChannelRef, datetime], str] = {}
        self._due: dict[ChannelRef, Due] = {}
        self._released: defaultdict[ChannelRef, set[str]] = defaultdict(set)
        self._closed: dict[ChannelRef, Closure] = {}
        self._told: set[ChannelRef] = set()

    async def record(
        self, ref: ChannelRef, slot: datetime, papers: Sequence[str], cursor: int
    ) -> None:
        await super().record(ref, slot, papers, cursor)
        self._drop(ref, papers)

    async def due(self, now: datetime, served: Served, limit: int) -> list[Due]:
        found = [
            (due.at, sha256(str(ref).encode()).digest(), due)
            for ref, due in self._due.items()
            if due.at and due.at <= now and ref not in self._closed and _serves(served, ref)
        ]
        return [due for _, _, due in sorted(found, key=lambda f: f[:2])][:limit]

    async def set_next(self, due: Due) -> None:
        self._due[due.ref] = due

    async def next_due(self, ref: ChannelRef) -> Due | None:
        return self._due.get(ref)

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
        slot = slot.astimezone(UTC)
        papers = [paper for post in posts for paper in post.papers]
        if (ref, slot) in self._slots or (unposted and await self.posted(ref, papers)):
            return False
        self._slots[ref, slot] = why
        self._rows |= {d.key: d for d in delivery.planned(ref, slot, posts)}
        self._drop(ref, released)
        await self.record(ref, slot, papers, cursor)
        if next_due:
            self._due[ref] = next_due
        return True

    async def last_slot(self, ref: ChannelRef) -> Planned | None:
        slots = [
            Planned(slot, why) for (planned, slot), why in self._slots.items() if planned == ref
        ]
        return max(slots, key=lambda planned: planned.at, default=None)

    async def released(self, ref: ChannelRef) -> list[str]:
        return sorted(set(map(self._library.canonical, self._released[ref])))

    def _drop(self, ref: ChannelRef, papers: Collection[str]) -> None:
        canonical = self._library.canonical
        dropped = set(map(canonical, papers))
        self._released[ref] = {p for p in self._released[ref] if canonical(p) not in dropped}

    def _release(self, rows: Sequence[Delivery]) -> None:
        canonical = self._library.canonical
        for row in rows:
            lost = set(map(canonical, row.post.papers))
            self._released[row.ref] |= lost
            shown = self._posted[row.ref].get(row.slot, [])
            shown[:] = [paper for paper in shown if canonical(paper) not in lost]
            if not shown:
                self._posted[row.ref].pop(row.slot, None)

    async def claim(
        self, now: datetime, lease: timedelta, served: Served, limit: int
    ) -> list[Delivery]:
        claimed: list[Delivery] = []
        ready = [d for d in self._rows.values() if d.state is State.READY]
        for row in sorted(ready, key=lambda d: (d.slot, d.key)):
            if len(claimed) < limit and _serves(served, row.ref) and self._may_go(row, now):
                claimed.append(self._keep(delivery.claimed(row, now, lease)))
        return list(map(self._with_parent, claimed))

    def _may_go(self, row: Delivery, now: datetime) -> bool:
        others = [d for d in self._rows.values() if d.ref == row.ref]
        tenants = Counter(
            (d.ref.platform, d.ref.tenant) for d in self._rows.values() if d.state is State.SENDING
        )
        return (
            tenants[row.ref.platform, row.ref.tenant] < delivery.IN_HAND_PER_TENANT
            and not any(d.state is State.SENDING for d in others)
            and not any(
                d.state is State.READY and d.attempts and d.not_before > now for d in others
            )
            and row.not_before <= now
            and self._is_next(row)
        )

    def _is_next(self, row: Delivery) -> bool:
        return all(d.state is State.SENT for d in self._of_slot(row) if d.part < row.part)

    def _of_slot(self, row: Delivery) -> list[Delivery]:
        return [d for d in self._rows.values() if (d.ref, d.slot) == (row.ref, row.slot)]

    def _keep(self, row: Delivery) -> Delivery:
        self._rows[row.key] = row
        return row

    def _with_parent(self, row: Delivery) -> Delivery:
        first = next(d for d in self._of_slot(row) if d.part == 0)
        return replace(row, parent=first.message_id if row.part else None)

    async def settle(self, seen: Delivery, outcome: Outcome, now: datetime) -> Delivery:
        row = self._rows[seen.key]
        after = delivery.concluded(row, seen, outcome, now)
        if after is not row and isinstance(outcome, Gone):
            self._keep(after)
            self._release([after])
            await self.close(row.ref, outcome.reason, now)
        return self._with_parent(self._keep(after))

    async def close(self, ref: ChannelRef, reason: str, now: datetime) -> None:
        ready = [d for d in self._rows.values() if d.ref == ref and d.state is State.READY]
        self._release([self._keep(delivery.buried(d, reason)) for d in ready])
        self._closed.setdefault(ref, Closure(reason, now))

    async def recover(self, now: datetime, settle: timedelta) -> int:
        outcome = Unsure(now + settle, "Paperboy was stopped while it was posting")
        return self._doubt(datetime.max.replace(tzinfo=UTC), outcome, now)

    async def expire(self, now: datetime, settle: timedelta) -> int:
        return self._doubt(now, Unsure(now + settle, "its lease ran out"), now)

    def _doubt(self, until: datetime, outcome: Unsure, now: datetime) -> int:
        rows = [d for d in self._rows.values() if d.lease_until and d.lease_until < until]
        for row in rows:
            self._keep(delivery.settled(row, outcome, now))
        return len(rows)

    async def to_settle(self, now: datetime, served: Served, limit: int) -> list[Delivery]:
        found = [
            (d.settle_at, d.key, self._with_parent(d))
            for d in self._rows.values()
            if d.settle_at and d.settle_at <= now and _serves(served, d.ref)
        ]
        return [row for _, _, row in sorted(found, key=lambda f: f[:2])][:limit]

    async def to_audit(self, now: datetime, served: Served, limit: int) -> list[Delivery]:
        found = [
            (d.audit_at, d.key, self._with_parent(d))
            for d in self._rows.values()
            if d.audit_at and d.audit_at <= now and _serves(served, d.ref)
        ]
        return [row for _, _, row in sorted(found, key=lambda f: f[:2])][:limit]

    async def audited(self, key: str, message_id: str, again: datetime | None = None) -> None:
        self._keep(replace(self._rows[key], message_id=message_id, audit_at=again))

    async def resend(self, ref: ChannelRef, key: str) -> Delivery:
        return self._with_parent(self._keep(delivery.resent(self._row(ref, key))))

    async def give_up(self, ref: ChannelRef, key: str) -> Delivery:
        row = self._keep(delivery.given_up(self._row(ref, key)))
        later = [
            self._keep(delivery.abandoned(d))
            for d in self._of_slot(row)
            if d.part > row.part and d.state is State.READY
        ]
        self._release([row, *later])
        return self._with_parent(row)

    def _row(self, ref: ChannelRef, key: str) -> Delivery:
        row = self._rows.get(key)
        if row is None or row.ref != ref:
            raise delivery.no_such_post(key)
        return row

    async def gone(self, ref: ChannelRef) -> Closure | None:
        return self._closed.get(ref)

    async def told(self, ref: ChannelRef) -> bool:
        if ref not in self._closed or ref in self._told:
            return False
        self._told.add(ref)
        return True

    async def revive(self, ref: ChannelRef) -> None:
        self._closed.pop(ref, None)
        self._told.discard(ref)

    async def deliveries(self, ref: ChannelRef, limit: int) -> list[Delivery]:
        rows = sorted(
            (d for d in self._rows.values() if d.ref == ref),
            key=lambda d: (-d.slot.timestamp(), d.part),
        )
        return list(map(self._with_parent, rows[:limit]))

    async def counts(self, platform: str = "") -> Mapping[State, int]:
        rows = self._rows.values()
        found = Counter(d.state for d in rows if platform in ("", d.ref.platform))
        return {state: found[state] for state in State if state is not State.SENT}

    async def awaited(self) -> list[str]:
        done = (State.SENT, State.DEAD, State.GIVEN_UP)
        posts = (d.post.papers for d in self._rows.values() if d.state not in done)
        return sorted({paper for papers in (*posts, *self._released.values()) for paper in papers})

    async def oldest_ready(self, now: datetime) -> datetime | None:
        ready = [
            d.not_before
            for d in self._rows.values()
            if d.state is State.READY and d.not_before <= now and self._is_next(d)
        ]
        return min(ready, default=None)

    async def tidy(self, now: datetime) -> None:
        old, older = now - timedelta(days=90), now - timedelta(days=400)
        under_way = (State.READY, State.SENDING, State.UNKNOWN, State.HELD)
        open_slots = {(d.ref, d.slot) for d in self._rows.values() if d.state in under_way}
        newest = {d.ref: d.slot for d in sorted(self._rows.values(), key=lambda d: d.slot)}
        self._rows = {
            key: d
            for key, d in self._rows.items()
            if d.slot >= old or (d.ref, d.slot) in open_slots or d.slot == newest[d.ref]
        }
        latest = dict(sorted(self._slots))
        self._slots = {
            (r, slot): why for (r, slot), why in self._slots.items()
            if slot >= old or slot == latest[r]
        }  # fmt: skip
        for slots in self._posted.values():
            for slot in [slot for slot in slots if slot < older]:
                del slots[slot]


def _serves(served: Served, ref: ChannelRef) -> bool:
    tenants = served.get(ref.platform, ())
    return tenants is None or ref.tenant in tenants
