"""The contract of the outbox: what is planned, in hand, doubtful and done, for both stores alike."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.storage import schema
from adapters.storage.sqlite import Store
from bot import delivery
from bot.errors import UserError
from bot.model import ChannelRef, Origin, Paper, Record
from bot.ports import (
    Absent,
    Closure,
    Delivery,
    Due,
    Gone,
    Library,
    Outbox,
    Outcome,
    Planned,
    Post,
    Postponed,
    Sent,
    Served,
    State,
    Unreadable,
    Unsure,
)
from tests.fake_store import MemoryOutbox
from tests.fakes import MemoryLibrary

SLOT = datetime(2026, 11, 23, 9, tzinfo=UTC)
LEASE, SETTLE = timedelta(seconds=30), timedelta(seconds=90)
MAIN = ChannelRef("slack", "T1", "C1")
SIDE = ChannelRef("slack", "T1", "C2")
OTHER = ChannelRef("slack", "T2", "C1")  # the same channel id in another workspace
SLACK: Served = {"slack": None}


@dataclass(frozen=True, slots=True)
class Place:
    outbox: Outbox
    library: Library

    async def plan(self, ref: ChannelRef = MAIN, slot: datetime = SLOT, *papers: str) -> bool:
        """A digest with one part for each paper."""
        posts = [post(paper) for paper in papers or ("arxiv:1",)]
        return await self.outbox.plan(ref, slot, posts, 7)

    async def claim(self, now: datetime = SLOT, served: Served = SLACK) -> list[Delivery]:
        return await self.outbox.claim(now, LEASE, served, 100)

    async def end(self, outcome: Outcome, now: datetime = SLOT) -> Delivery:
        """Claim the one post that may go, and let it end so."""
        [taken] = await self.claim(now)
        return await self.outbox.settle(taken, outcome, now)

    async def hold(self, now: datetime = SLOT) -> Delivery:
        """Claim the one post that may go, and hold it."""
        row = await self.end(Unsure(now, "reset"), now)
        return await self.outbox.settle(row, Unreadable(now, "no right", forbidden=True), now)

    async def states(self, ref: ChannelRef = MAIN) -> list[State]:
        return [row.state for row in await self.outbox.deliveries(ref, 100)]


def post(*papers: str) -> Post:
    return Post(f'{{"text": "{" ".join(papers)}"}}', papers)


def later(**time: float) -> datetime:
    return SLOT + timedelta(**time)


@pytest.fixture(params=["memory", "sqlite"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "memory":
        library = MemoryLibrary()
        yield Place(MemoryOutbox(library), library)
        return
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: SLOT) as store:
        yield Place(store, store)


@pytest.fixture
def outbox(place: Place) -> Outbox:
    return place.outbox


# Schedules


async def test_a_channel_is_due_from_its_moment_on(outbox: Outbox) -> None:
    await outbox.set_next(Due(MAIN, SLOT, "f1"))

    assert await outbox.due(SLOT - timedelta(microseconds=1), SLACK, 10) == []
    assert await outbox.due(SLOT, SLACK, 10) == [Due(MAIN, SLOT, "f1")]
    assert await outbox.next_due(MAIN) == Due(MAIN, SLOT, "f1")
    assert await outbox.next_due(SIDE) is None


async def test_a_channel_that_is_never_due_keeps_its_fingerprint(outbox: Outbox) -> None:
    await outbox.set_next(Due(MAIN, SLOT, "f1"))
    await outbox.set_next(Due(MAIN, None, "f2"))

    assert await outbox.due(later(days=400), SLACK, 10) == []
    assert await outbox.next_due(MAIN) == Due(MAIN, None, "f2")


async def test_moments_are_compared_as_moments_whatever_their_zone(outbox: Outbox) -> None:
    ten_in_zurich = (SLOT + timedelta(microseconds=1)).astimezone(ZoneInfo("Europe/Zurich"))
    await outbox.set_next(Due(MAIN, ten_in_zurich, "f"))

    assert await outbox.due(SLOT, SLACK, 10) == []
    assert [due.at for due in await outbox.due(later(seconds=1), SLACK, 10)] == [ten_in_zurich]


async def test_due_channels_of_one_moment_come_in_the_order_of_a_hash(outbox: Outbox) -> None:
    refs = [ChannelRef("slack", "T1", f"C{n}") for n in range(50)]
    for ref in refs:
        await outbox.set_next(Due(ref, SLOT, ""))
    await outbox.set_next(Due(OTHER, later(hours=-1), ""))

    found = [due.ref for due in await outbox.due(SLOT, SLACK, 40)]

    by_hash = sorted(refs, key=lambda ref: sha256(str(ref).encode()).digest())
    assert [OTHER, *by_hash[:39]] == found


async def test_only_what_this_process_serves_is_due_and_claimed(place: Place) -> None:
    terminal = ChannelRef("terminal", "local", "main")
    for ref in (MAIN, OTHER, terminal):
        await place.outbox.set_next(Due(ref, SLOT, ""))
        await place.plan(ref)

    async def served(served: Served) -> set[ChannelRef]:
        return {due.ref for due in await place.outbox.due(SLOT, served, 10)}

    assert await served({}) == set()
    assert await served({"discord": None}) == set()
    assert await served({"slack": ["T2"]}) == {OTHER}
    assert await served({"slack": ["T1", "local"], "terminal": None}) == {MAIN, terminal}
    assert [row.ref for row in await place.claim(served={"slack": ["T2"]})] == [OTHER]
    assert [row.ref for row in await place.claim(served={"terminal": None})] == [terminal]
    assert await place.claim(served={}) == []


# Planning


async def test_a_plan_writes_posts_papers_cursor_and_the_next_slot_at_once(outbox: Outbox) -> None:
    tomorrow = Due(MAIN, later(days=1), "f")
    posts = [post("arxiv:1", "arxiv:2"), replace(post("arxiv:3"), threaded=True)]

    assert await outbox.plan(MAIN, SLOT, posts, 7, tomorrow)

    rows = await outbox.deliveries(MAIN, 10)
    assert posts == [row.post for row in rows]
    assert [delivery.key_of(MAIN, SLOT, 0), delivery.key_of(MAIN, SLOT, 1)] == [r.key for r in rows]
    assert dict.fromkeys(["arxiv:1", "arxiv:2", "arxiv:3"], SLOT) == await outbox.posted(MAIN)
    assert await outbox.last(MAIN) == (SLOT, ("arxiv:1", "arxiv:2", "arxiv:3"))
    assert await outbox.cursor(MAIN) == 7
    assert await outbox.next_due(MAIN) == tomorrow


async def test_a_slot_is_planned_once_in_whatever_zone_it_is_told(place: Place) -> None:
    await place.plan()
    zurich = SLOT.astimezone(ZoneInfo("Europe/Zurich"))

    again = await place.outbox.plan(MAIN, zurich, [post("arxiv:9")], 99, Due(MAIN, SLOT, "f"))

    assert not again
    assert list(await place.outbox.posted(MAIN)) == ["arxiv:1"]
    assert await place.outbox.cursor(MAIN) == 7
    assert await place.outbox.next_due(MAIN) is None
    assert len(await place.outbox.deliveries(MAIN, 10)) == 1


async def test_a_silent_slot_moves_on_and_is_planned_once_too(outbox: Outbox) -> None:
    tomorrow = Due(MAIN, later(days=1), "f")

    assert await outbox.plan(MAIN, SLOT, [], 7, tomorrow)
    assert not await outbox.plan(MAIN, SLOT, [post("arxiv:1")], 8)

    assert await outbox.cursor(MAIN) == 7
    assert await outbox.next_due(MAIN) == tomorrow
    assert await outbox.deliveries(MAIN, 10) == []
    assert await outbox.last(MAIN) is None


async def test_papers_that_are_to_be_new_are_planned_in_one_slot_only(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1")
    both, tomorrow = [post("arxiv:1"), post("arxiv:2")], Due(MAIN, later(days=1), "f")

    assert not await place.outbox.plan(MAIN, later(hours=1), both, 9, tomorrow, unposted=True)
    assert await place.outbox.plan(SIDE, later(hours=1), both, 9, unposted=True)
    assert await place.outbox.plan(MAIN, later(hours=2), both[1:], 8, unposted=True)

    assert await place.outbox.cursor(MAIN) == 8
    assert await place.outbox.next_due(MAIN) is None
    assert set(await place.outbox.posted(MAIN)) == {"arxiv:1", "arxiv:2"}


async def test_a_digest_out_of_turn_leaves_the_schedule_alone(place: Place) -> None:
    await place.outbox.set_next(Due(MAIN, later(days=1), "f"))
    await place.plan()

    assert await place.outbox.next_due(MAIN) == Due(MAIN, later(days=1), "f")


async def test_of_two_plans_at_once_one_holds(place: Place) -> None:
    done = await asyncio.gather(*(place.plan(MAIN, SLOT, f"arxiv:{n}") for n in range(5)))

    assert sorted(done) == [False, False, False, False, True]
    assert len(await place.outbox.posted(MAIN)) == 1


def test_a_key_is_the_hash_of_channel_slot_and_part() -> None:
    told = "slack\nT1\nC1\n2026-11-23T09:00:00+00:00\n0"
    zurich = SLOT.astimezone(ZoneInfo("Europe/Zurich"))

    assert sha256(told.encode()).hexdigest()[:24] == delivery.key_of(MAIN, zurich, 0)
    keys = {
        delivery.key_of(ref, slot, part)
        for ref in (MAIN, SIDE, OTHER)
        for slot in (SLOT, later(seconds=1))
        for part in (0, 1)
    }
    assert len(keys) == 12


# In hand


async def test_a_claim_takes_the_post_with_a_lease(place: Place) -> None:
    await place.plan()

    [taken] = await place.claim()

    assert (
        taken.state, taken.attempts, taken.claimed_at, taken.lease_until,
    ) == (State.SENDING, 1, SLOT, SLOT + LEASE)  # fmt: skip
    assert await place.claim() == []
    assert [taken] == await place.outbox.deliveries(MAIN, 10)


async def test_nothing_goes_before_its_slot(place: Place) -> None:
    await place.plan()

    assert await place.claim(later(seconds=-1)) == []


async def test_parts_go_in_order_and_later_ones_know_the_first(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2", "arxiv:3")

    sent = [await place.end(Sent(f"m{n}")) for n in range(3)]

    assert [(row.part, row.parent) for row in sent] == [(0, None), (1, "m0"), (2, "m0")]


@pytest.mark.parametrize("outcome", [Unsure(later(hours=1), "reset"), Postponed(SLOT, "busy")])
async def test_a_later_part_never_overtakes(place: Place, outcome: Outcome) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2")
    await place.end(outcome)

    assert [row.part for row in await place.claim()] in ([], [0])


async def test_a_channel_has_one_post_in_hand_and_the_oldest_slot_goes_first(place: Place) -> None:
    for day in (1, 0, 2):
        await place.plan(MAIN, SLOT + timedelta(days=day), f"arxiv:{day}")
    await place.plan(SIDE)

    taken = await place.claim(later(days=3))

    assert {(row.ref, row.slot) for row in taken} == {(MAIN, SLOT), (SIDE, SLOT)}


async def test_a_channel_waits_with_all_of_its_posts(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.plan(MAIN, later(seconds=1), "arxiv:2")
    await place.plan(SIDE, later(seconds=1))
    [first] = await place.claim()
    await place.outbox.settle(first, Postponed(later(minutes=5), "429"), SLOT)

    assert [row.ref for row in await place.claim(later(minutes=5, seconds=-1))] == [SIDE]
    assert [row.slot for row in await place.claim(later(minutes=5))] == [SLOT]


async def test_a_big_workspace_does_not_keep_others_waiting(place: Place) -> None:
    for n in range(20):
        await place.plan(ChannelRef("slack", "T1", f"C{n}"))
    await place.plan(OTHER, later(minutes=1))

    tenants = [row.ref.tenant for row in await place.claim(later(minutes=1))]

    assert sorted(tenants) == ["T1"] * delivery.IN_HAND_PER_TENANT + ["T2"]
    assert await place.claim(later(minutes=1)) == []


async def test_no_more_is_taken_than_was_asked_for(place: Place) -> None:
    for n in range(9):
        await place.plan(ChannelRef("slack", f"T{n}", "C1"))

    assert len(await place.outbox.claim(SLOT, LEASE, SLACK, 4)) == 4
    assert await place.outbox.claim(SLOT, LEASE, SLACK, 0) == []


# What becomes of it


async def test_a_sent_post_keeps_its_message_and_is_done(place: Place) -> None:
    await place.plan()

    row = await place.end(Sent("m1"))

    assert (
        row.state, row.message_id, row.lease_until, row.audit_at,
    ) == (State.SENT, "m1", None, None)  # fmt: skip
    assert await place.claim(later(days=1)) == []


async def test_a_doubtful_post_is_looked_up_when_it_has_settled(place: Place) -> None:
    await place.plan()
    row = await place.end(Unsure(SLOT + SETTLE, "connection reset"))

    assert (row.state, row.detail) == (State.UNKNOWN, "connection reset")
    assert await place.claim(later(days=1)) == []
    assert await place.outbox.to_settle(SLOT + SETTLE - timedelta(microseconds=1), SLACK, 9) == []
    assert await place.outbox.to_settle(SLOT + SETTLE, {"slack": ["T2"]}, 9) == []
    assert await place.outbox.to_settle(SLOT + SETTLE, SLACK, 9) == [row]


async def test_what_is_in_hand_at_the_start_is_unknown_and_nothing_else(place: Place) -> None:
    for ref in (MAIN, SIDE, OTHER):
        await place.plan(ref)
    taken = await place.outbox.claim(SLOT, LEASE, SLACK, 2)

    assert await place.outbox.recover(later(seconds=3), SETTLE) == 2
    assert await place.outbox.recover(later(seconds=3), SETTLE) == 0

    found = await place.outbox.to_settle(later(seconds=93), SLACK, 9)
    assert {row.ref for row in taken} == {row.ref for row in found}
    assert len(await place.claim()) == 1


async def test_a_lease_that_ran_out_is_unknown(place: Place) -> None:
    await place.plan()
    await place.claim()

    assert await place.outbox.expire(SLOT + LEASE, SETTLE) == 0
    assert await place.outbox.expire(SLOT + LEASE + timedelta(seconds=1), SETTLE) == 1

    [row] = await place.outbox.deliveries(MAIN, 10)
    assert (State.UNKNOWN, later(seconds=121)) == (row.state, row.settle_at)


async def test_what_is_not_there_goes_again_and_is_audited(place: Place) -> None:
    await place.plan()
    row = await place.end(Unsure(SLOT, "reset"))
    await place.outbox.settle(row, Absent(), later(minutes=2))
    again = await place.end(Sent("m2"), later(minutes=3))

    assert again.attempts == 2
    assert again.claimed_at == SLOT  # a copy of the first attempt is to be found, too
    due = later(minutes=3) + delivery.AUDIT
    assert await place.outbox.to_audit(due - timedelta(seconds=1), SLACK, 9) == []
    assert await place.outbox.to_audit(due, SLACK, 9) == [again]
    await place.outbox.audited(again.key, "m1", again=later(hours=1))
    assert await place.outbox.to_audit(due, SLACK, 9) == []
    [found] = await place.outbox.to_audit(later(hours=1), SLACK, 9)
    assert found.message_id == "m1"
    await place.outbox.audited(again.key, "m1")
    assert await place.outbox.to_audit(later(days=9), SLACK, 9) == []


async def test_an_answer_that_comes_too_late_changes_nothing_unless_it_is_there(
    place: Place,
) -> None:
    await place.plan()
    [first] = await place.claim()
    await place.outbox.recover(SLOT, SETTLE)
    [unknown] = await place.outbox.to_settle(SLOT + SETTLE, SLACK, 9)
    await place.outbox.settle(unknown, Absent(), SLOT + SETTLE)
    [second] = await place.claim(SLOT + SETTLE)

    for stale in (first, unknown):
        for outcome in (Postponed(SLOT, ""), Gone("x"), Unsure(SLOT, ""), Absent()):
            assert second == await place.outbox.settle(stale, outcome, SLOT + SETTLE)

    assert await place.outbox.gone(MAIN) is None
    assert (await place.outbox.settle(first, Sent("m1"), SLOT)).state is State.SENT
    kept = await place.outbox.settle(second, Unsure(SLOT, "reset"), SLOT)
    assert (kept.state, kept.message_id) == (State.SENT, "m1")


# Gone, held, given up


async def test_a_channel_that_is_gone_loses_its_posts_and_keeps_its_papers(place: Place) -> None:
    await place.outbox.set_next(Due(MAIN, SLOT, "f"))
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.end(Sent("m1"))
    await place.plan(MAIN, later(days=1), "arxiv:3", "arxiv:2")
    await place.plan(MAIN, later(days=2), "arxiv:4")
    await place.plan(SIDE, SLOT, "arxiv:2")
    [taken] = [row for row in await place.claim(later(days=2)) if row.ref == MAIN]
    await place.outbox.settle(taken, Gone("it is archived"), later(days=2))

    assert await place.states() == [State.DEAD, State.DEAD, State.DEAD, State.SENT]
    assert list(await place.outbox.posted(MAIN)) == ["arxiv:1"]
    assert await place.outbox.released(MAIN) == ["arxiv:2", "arxiv:3", "arxiv:4"]
    assert list(await place.outbox.posted(SIDE)) == ["arxiv:2"]
    assert await place.outbox.released(SIDE) == []
    assert await place.outbox.gone(MAIN) == Closure("it is archived", later(days=2))
    assert await place.outbox.gone(SIDE) is None
    assert await place.outbox.due(later(days=9), SLACK, 10) == []


async def test_a_closed_channel_is_told_of_once_until_it_is_revived(place: Place) -> None:
    assert not await place.outbox.told(MAIN)
    for day in range(2):
        await place.plan(MAIN, later(days=day), f"arxiv:{day}")
        await place.end(Gone("it is archived"), later(days=day))
        assert (day == 0) is await place.outbox.told(MAIN)

    await place.outbox.revive(MAIN)

    assert await place.outbox.gone(MAIN) is None
    await place.plan(MAIN, later(days=2), "arxiv:2")
    await place.end(Gone("archived again"), later(days=2))
    assert await place.outbox.told(MAIN)


async def test_a_revived_channel_is_due_again(place: Place) -> None:
    await place.outbox.set_next(Due(MAIN, SLOT, "f"))
    await place.plan()
    await place.end(Gone("x"))
    assert await place.outbox.due(SLOT, SLACK, 9) == []

    await place.outbox.revive(MAIN)

    assert len(await place.outbox.due(SLOT, SLACK, 9)) == 1


async def test_released_papers_are_offered_until_a_plan_has_had_them(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2", "arxiv:3")
    await place.end(Gone("x"))

    await place.plan(MAIN, later(days=1), "arxiv:1")
    assert await place.outbox.released(MAIN) == ["arxiv:2", "arxiv:3"]
    await place.outbox.plan(MAIN, later(days=2), [], 9, released=["arxiv:2"])
    assert await place.outbox.released(MAIN) == ["arxiv:3"]
    await place.outbox.record(MAIN, later(days=3), ["arxiv:3"], 9)
    assert await place.outbox.released(MAIN) == []


async def test_a_released_paper_is_known_by_its_better_id(place: Place) -> None:
    lesser, better = "doi:10.1000/x", "arxiv:2606.00001"
    await place.library.add(
        [Record(Paper(lesser, "0"), Origin.JOURNAL)], today=SLOT.date(), live=True
    )
    await place.plan(MAIN, SLOT, lesser)
    record = Record(Paper(better, "0"), Origin.ARXIV_API, aliases=(lesser,))
    await place.library.add([record], today=SLOT.date(), live=True)

    await place.end(Gone("x"))

    assert await place.outbox.released(MAIN) == [better]
    assert await place.outbox.posted(MAIN) == {}
    await place.outbox.plan(MAIN, later(days=1), [], 9, released=[better])
    assert await place.outbox.released(MAIN) == []


async def test_a_doubtful_post_outlives_its_channel(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.end(Unsure(SLOT, "reset"))
    await place.plan(MAIN, later(days=1), "arxiv:2")
    await place.end(Gone("x"), later(days=1))

    assert await place.states() == [State.DEAD, State.UNKNOWN]
    assert list(await place.outbox.posted(MAIN)) == ["arxiv:1"]


async def test_a_held_post_goes_again_on_a_word(place: Place) -> None:
    await place.plan()
    held = await place.hold()
    assert (held.state, held.detail) == (State.HELD, "no right")
    assert await place.claim(later(days=1)) == []

    await place.outbox.resend(MAIN, held.key)

    sent = await place.end(Sent("m1"), later(days=1))
    assert sent.key == held.key
    assert sent.audit_at == later(days=1) + delivery.AUDIT


async def test_a_given_up_post_takes_the_rest_of_its_slot_along(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2", "arxiv:3")
    await place.end(Sent("m1"))
    held = await place.hold()
    await place.plan(MAIN, later(days=1), "arxiv:4")

    await place.outbox.give_up(MAIN, held.key)

    given_up = [State.SENT, State.GIVEN_UP, State.GIVEN_UP]
    assert [State.READY, *given_up] == await place.states()
    assert await place.outbox.released(MAIN) == ["arxiv:2", "arxiv:3"]
    assert set(await place.outbox.posted(MAIN)) == {"arxiv:1", "arxiv:4"}


async def test_only_a_held_post_of_the_channel_can_be_resent_or_given_up(place: Place) -> None:
    await place.plan()
    held = await place.hold()
    await place.plan(MAIN, later(days=1), "arxiv:2")
    ready = delivery.key_of(MAIN, later(days=1), 0)

    for act in (place.outbox.resend, place.outbox.give_up):
        with pytest.raises(UserError, match="is ready") as caught:
            await act(MAIN, ready)
        assert "status" in caught.value.hint
        for ref, key in ((MAIN, "nonsense"), (OTHER, held.key), (SIDE, held.key)):
            with pytest.raises(UserError, match="no post"):
                await act(ref, key)
    assert await place.states() == [State.READY, State.HELD]


# What people and machines ask


async def test_one_tenant_never_sees_the_rows_of_another(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.outbox.set_next(Due(MAIN, SLOT, "f"))
    held = await place.hold()
    await place.outbox.give_up(MAIN, held.key)
    await place.plan(MAIN, later(seconds=1), "arxiv:2")
    await place.end(Gone("x"), later(seconds=1))

    assert await place.outbox.deliveries(OTHER, 10) == []
    assert await place.outbox.released(OTHER) == []
    assert await place.outbox.posted(OTHER) == {}
    assert await place.outbox.cursor(OTHER) is None
    assert await place.outbox.next_due(OTHER) is None
    assert await place.outbox.gone(OTHER) is None
    assert not await place.outbox.told(OTHER)
    await place.outbox.revive(OTHER)
    await place.plan(OTHER)
    assert await place.outbox.gone(MAIN) is not None
    assert len(await place.outbox.deliveries(MAIN, 10)) == 2
    assert len(await place.outbox.released(MAIN)) == 2


async def test_deliveries_are_told_newest_slot_first(place: Place) -> None:
    for day in range(3):
        await place.plan(MAIN, later(days=day), "arxiv:1", "arxiv:2")

    told = [(row.slot.day, row.part) for row in await place.outbox.deliveries(MAIN, 3)]

    assert told == [(25, 0), (25, 1), (24, 0)]


async def test_what_is_not_sent_is_counted(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2")
    await place.end(Sent("m"))
    await place.plan(SIDE)
    await place.outbox.claim(SLOT, LEASE, SLACK, 1)

    counts = await place.outbox.counts()

    assert {s: n for s, n in counts.items() if n} == {State.READY: 1, State.SENDING: 1}
    assert set(State) - {State.SENT} == set(counts)
    assert await place.outbox.counts("slack") == counts
    assert not any((await place.outbox.counts("discord")).values())


async def test_papers_are_awaited_until_they_are_out(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2")
    assert sorted(await place.outbox.awaited()) == ["arxiv:1", "arxiv:2"]

    await place.end(Sent("m"))
    assert await place.outbox.awaited() == ["arxiv:2"]

    await place.end(Gone("archived"))
    assert await place.outbox.awaited() == ["arxiv:2"]  # the next digest can bring it


async def test_the_longest_wait_is_of_a_post_that_might_have_gone(place: Place) -> None:
    assert await place.outbox.oldest_ready(SLOT) is None
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2")
    await place.hold()
    await place.plan(OTHER, later(minutes=1))
    await place.plan(SIDE, later(hours=1))

    assert await place.outbox.oldest_ready(SLOT) is None
    assert await place.outbox.oldest_ready(later(days=1)) == later(minutes=1)


async def test_the_old_goes_and_what_is_under_way_stays(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.end(Sent("m1"))
    await place.plan(SIDE)
    assert len(await place.claim()) == 1
    await place.plan(MAIN, later(days=1), "arxiv:2")
    await place.end(Sent("m2"), later(days=1))

    await place.outbox.tidy(later(days=90, seconds=1))
    assert [row.message_id for row in await place.outbox.deliveries(MAIN, 9)] == ["m2"]
    assert await place.states(SIDE) == [State.SENDING]
    assert set(await place.outbox.posted(MAIN)) == {"arxiv:1", "arxiv:2"}
    await place.outbox.tidy(later(days=400, seconds=1))
    assert set(await place.outbox.posted(MAIN)) == {"arxiv:2"}


async def test_a_held_post_keeps_its_slot_until_somebody_decides(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2", "arxiv:3")
    await place.end(Sent("m1"))
    held = await place.hold()
    await place.plan(MAIN, later(days=99), "arxiv:4")
    await place.end(Sent("m4"), later(days=99))

    await place.outbox.tidy(later(days=99))

    assert await place.claim(later(days=99)) == []  # what follows it does not go before it
    await place.outbox.resend(MAIN, held.key)
    [again] = await place.claim(later(days=99))
    assert (again.part, again.parent) == (1, "m1")


async def test_the_latest_of_a_channel_is_kept_however_long_it_rests(place: Place) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.end(Sent("m1"))
    await place.plan(MAIN, later(days=1), "arxiv:2")
    await place.end(Sent("m2"), later(days=1))

    await place.outbox.tidy(later(days=500))

    assert [row.message_id for row in await place.outbox.deliveries(MAIN, 9)] == ["m2"]
    assert await place.outbox.last_slot(MAIN) == Planned(later(days=1))


async def test_why_a_slot_held_no_paper_is_known_without_a_post(place: Place) -> None:
    none = await place.outbox.last_slot(MAIN)
    await place.plan(MAIN, SLOT, "arxiv:1")
    await place.outbox.plan(MAIN, later(days=1), (), 1, why="412 seen, none matched.")

    assert none is None
    planned = await place.outbox.last_slot(MAIN)
    assert planned == Planned(later(days=1), "412 seen, none matched.")


# The file


async def test_the_ledger_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "paperboy.sqlite3"
    async with await Store.open(path, lambda: SLOT) as store:
        await Place(store, store).plan()
        held = await Place(store, store).hold()

    async with await Store.open(path, lambda: SLOT) as store:
        assert [held] == await store.deliveries(MAIN, 9)


async def test_a_plan_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: SLOT) as store:
        with pytest.raises(OverflowError):
            await store.plan(MAIN, SLOT, [post("arxiv:1")], 2**70, Due(MAIN, SLOT, "f"))

        assert await store.deliveries(MAIN, 9) == []
        assert await store.posted(MAIN) == {}
        assert await store.plan(MAIN, SLOT, [post("arxiv:1")], 7)


def test_what_waits_is_found_by_an_index(tmp_path: Path) -> None:
    conditions = {
        "schedules WHERE next_due <= ?": "schedules_due",
        "deliveries WHERE state = 'unknown' AND settle_at <= ?": "deliveries_unknown",
        "deliveries WHERE state = 'sending' AND lease_until < ?": "deliveries_sending",
        "deliveries WHERE state = 'ready' AND not_before > ?": "deliveries_waiting",
        "deliveries WHERE audit_at <= ?": "deliveries_audit",
    }
    with closing(schema.open_owner(tmp_path / "paperboy.sqlite3")) as db:
        for condition, index in conditions.items():
            assert f"INDEX {index} " in how(db, f"SELECT 1 FROM {condition}", "9")  # noqa: S608
        ready = "deliveries WHERE state = 'ready' AND +not_before <= ? ORDER BY slot, key"
        assert "INDEX deliveries_ready " in how(db, f"SELECT 1 FROM {ready}", "9")  # noqa: S608
        assert "TEMP B-TREE" not in how(db, f"SELECT 1 FROM {ready}", "9")  # noqa: S608


def how(db: sqlite3.Connection, query: str, *values: str) -> str:
    return " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values)) + " "


async def test_a_channel_that_its_platform_closes_takes_nothing_and_loses_nothing(
    place: Place,
) -> None:
    await place.plan(MAIN, SLOT, "arxiv:1", "arxiv:2")

    await place.outbox.close(MAIN, "it was archived", later(minutes=1))
    await place.outbox.close(MAIN, "it was deleted", later(minutes=2))

    assert await place.outbox.gone(MAIN) == Closure("it was archived", later(minutes=1))
    assert set(await place.states(MAIN)) == {State.DEAD}
    assert set(await place.outbox.released(MAIN)) == {"arxiv:1", "arxiv:2"}
    assert await place.claim() == []
