"""How a post gets out once: the table of states, a model of all that can happen, and the sender."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count, pairwise, product
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest

from bot import delivery
from bot.delivery import (
    AUDIT,
    LEASE,
    LOOKUPS,
    SETTLE,
    TIMEOUT,
    Sender,
    claimed,
    concluded,
    planned,
    settled,
)
from bot.errors import ChannelGone, HistoryUnreadable, Later, Unknown
from bot.model import Channel, ChannelRef
from bot.ports import (
    Absent,
    Delivery,
    Gone,
    Outcome,
    Post,
    Postponed,
    Rate,
    Sent,
    State,
    Unreadable,
    Unsure,
)
from bot.views import Digest, Notice, plain
from tests.fake_store import MemoryChannelStore, MemoryOutbox
from tests.fakes import MemoryLibrary
from tests.faulty_platform import (
    PLATFORM,
    Fault,
    FaultyPlatform,
    FaultyPublisher,
    retry_after,
    scripted,
    session,
)

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
MAIN = ChannelRef(PLATFORM, "T1", "C1")
SIDE = ChannelRef(PLATFORM, "T1", "C2")
POST = Post("{}", ("arxiv:1",))
[READY] = planned(MAIN, START, [POST])
SENDING = claimed(READY, START, LEASE)
UNKNOWN = settled(SENDING, Unsure(START + SETTLE, "reset"), START)
HELD = settled(UNKNOWN, Unreadable(START, "no right", forbidden=True), START)
SENT = settled(SENDING, Sent("m1"), START)
DEAD = settled(SENDING, Gone("archived"), START)
GIVEN_UP = delivery.given_up(HELD)
ROWS = (READY, SENDING, UNKNOWN, HELD, SENT, DEAD, GIVEN_UP)

# The table of design §6. What is not in it changes nothing.
TABLE = {
    (State.SENDING, Sent): State.SENT,
    (State.SENDING, Postponed): State.READY,
    (State.SENDING, Gone): State.DEAD,
    (State.SENDING, Unsure): State.UNKNOWN,
    (State.UNKNOWN, Sent): State.SENT,
    (State.UNKNOWN, Absent): State.READY,
    (State.UNKNOWN, Unreadable): State.UNKNOWN,
    (State.READY, Sent): State.SENT,  # an answer that came late
    (State.HELD, Sent): State.SENT,
}
OUTCOMES: tuple[Outcome, ...] = (
    Sent("m9"), Postponed(START, "429"), Gone("archived"), Unsure(START, "reset"), Absent(),
    Unreadable(START, "503"),
)  # fmt: skip


def at(**time: float) -> datetime:
    return START + timedelta(**time)


# The states


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.state.value)
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_the_table_of_states(row: Delivery, outcome: Outcome) -> None:
    after = settled(row, outcome, START)

    expected = TABLE.get((row.state, type(outcome)))
    assert (expected or row.state) == after.state
    if expected is None:
        assert after is row


def test_every_state_is_in_the_table_s_test() -> None:
    assert set(State) == {row.state for row in ROWS}


def test_a_history_that_stays_unreadable_holds_the_post() -> None:
    row = UNKNOWN
    for look in range(1, LOOKUPS + 1):
        row = settled(row, Unreadable(at(minutes=look), "503"), START)
        assert row.state is (State.HELD if look == LOOKUPS else State.UNKNOWN)
        assert row.lookups == look

    day = timedelta(days=1)
    assert settled(UNKNOWN, Unreadable(START, "503"), START + day).state is State.HELD
    before = START + day - timedelta(seconds=1)
    assert settled(UNKNOWN, Unreadable(START, "503"), before).state is State.UNKNOWN


def test_looks_are_counted_anew_for_each_attempt() -> None:
    looked = settled(UNKNOWN, Unreadable(START, "503"), START)
    again = claimed(settled(looked, Absent(), START), START, LEASE)

    assert settled(again, Unsure(START, "reset"), START).lookups == 0


def test_a_stale_outcome_counts_only_where_the_post_is_there() -> None:
    second = claimed(settled(UNKNOWN, Absent(), START), START, LEASE)

    assert concluded(second, SENDING, Unsure(START, "reset"), START) is second
    assert concluded(second, SENDING, Sent("m1"), START).state is State.SENT


# A model of everything that can happen to one post, with a kill at each step (reliability §3.3).
# One sender: the lock of the data folder proves that a second one is dead. 1 to 4 are weak designs.


@dataclass(frozen=True, slots=True)
class World:
    disk: Delivery
    now: datetime = START
    step: str = "idle"
    hand: Delivery | None = None  # in memory, like the outcome
    outcome: Outcome | None = None
    flying: int = 0  # requests that ended and may still land
    copies: int = 0
    tries: int = 0


def steps(world: World, protocol: int) -> Iterator[World]:
    settle = timedelta() if protocol == 4 else SETTLE
    now, disk = world.now, world.disk
    doubt = Unsure(now + settle, "")
    if world.step != "down":
        yield replace(world, step="down", hand=None, outcome=None)
    if world.flying:
        fewer = replace(world, flying=world.flying - 1)
        yield from (fewer, replace(fewer, copies=world.copies + 1))
    elif disk.settle_at and now < disk.settle_at:  # A1: then nothing lands any more
        yield replace(world, now=disk.settle_at)
    match world.step:
        case "down":
            if disk.state is State.SENDING:
                disk = settled(disk, Postponed(now, "") if protocol == 3 else doubt, now)
            yield replace(world, step="idle", disk=disk)
        case "idle" if disk.state is State.READY and world.tries < 3:
            hand = claimed(disk, now, LEASE)
            on_disk = {1: disk, 2: replace(disk, state=State.SENT)}.get(protocol, hand)
            tries = world.tries + 1
            yield replace(world, step="claimed", disk=on_disk, hand=hand, tries=tries)
        case "claimed":
            answered = replace(world, step="answered", outcome=doubt)
            landed = replace(answered, copies=world.copies + 1)
            yield replace(answered, outcome=Postponed(now, "429"))
            yield replace(landed, outcome=Sent("m"))
            yield from (answered, landed, replace(answered, flying=world.flying + 1))
        case "answered":
            assert world.hand is not None
            assert world.outcome is not None
            outcome = world.outcome
            if protocol in (1, 3) and isinstance(outcome, Unsure):
                outcome = Postponed(now, "")
            disk = disk if protocol == 2 else settled(world.hand, outcome, now)
            yield replace(world, step="idle", disk=disk, hand=None, outcome=None)
        case "idle" if disk.state is State.UNKNOWN and disk.settle_at and now >= disk.settle_at:
            found = Sent("m") if world.copies else Absent()
            yield replace(world, step="looked up", outcome=found)
        case "looked up":
            assert world.outcome is not None
            yield replace(
                world, step="idle", disk=settled(disk, world.outcome, now), outcome=None
            )  # fmt: skip
        case _:
            pass


def explore(protocol: int) -> tuple[int, int, int]:
    """How many worlds there are, how many with a doubled post, and how many with a lost one."""
    seen = {World(READY)}
    ahead = list(seen)
    doubled = lost = 0
    while ahead:
        world = ahead.pop()
        following = list(steps(world, protocol))
        doubled += world.copies > 1
        is_over = world.step == "idle" and not world.flying and len(following) == 1  # the kill
        lost += is_over and not world.copies and world.tries < 3
        lost += is_over and not world.copies and world.disk.state is State.SENT
        ahead += (fresh := set(following) - seen)
        seen |= fresh
    return len(seen), doubled, lost


def test_the_design_neither_doubles_nor_loses_whenever_it_is_killed() -> None:
    worlds, doubled, lost = explore(5)

    assert worlds > 150
    assert (doubled, lost) == (0, 0)


@pytest.mark.parametrize(
    ("protocol", "doubles", "loses"),
    [
        pytest.param(1, True, False, id="send-then-record"),
        pytest.param(2, False, True, id="record-first-never-resend"),
        pytest.param(3, True, False, id="claim-and-retry-blindly"),
        pytest.param(4, True, False, id="look-without-settling"),
    ],
)
def test_weaker_designs_show_their_fault(protocol: int, doubles: bool, loses: bool) -> None:
    _, doubled, lost = explore(protocol)

    assert (doubles, loses) == (doubled > 0, lost > 0)


# The sender


class Time:
    """A clock that only sleepers and tests move: the first to wake does, when all else is idle."""

    def __init__(self) -> None:
        self.now = START
        self._sleepers: list[tuple[datetime, int]] = []
        self._slept = count()

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        me = self.now + timedelta(seconds=seconds), next(self._slept)
        heappush(self._sleepers, me)
        turns = 0
        while turns < 20:
            await asyncio.sleep(0)
            turns = turns + 1 if self._sleepers[0] == me else 0
        heappop(self._sleepers)
        self.now = max(self.now, me[0])


@dataclass
class Script:
    """A publisher that does as it is told, then posts; all it did is kept."""

    time: Time
    fates: list[Exception] = field(default_factory=list)
    rate: Rate | None = None
    platform: str = PLATFORM
    posts: list[tuple[ChannelRef, int, str | None, datetime]] = field(default_factory=list)
    history: list[str] | Exception = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    refused: Exception | None = None  # what comes of a deletion or a word to a person
    told: list[tuple[str, str]] = field(default_factory=list)
    hang: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        raise NotImplementedError

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        self.posts.append((ref, int(json.loads(post.body)["part"]), parent, self.time.now))
        self.begun.set()
        if self.hang:
            await self.hang.wait()
        if self.fates:
            raise self.fates.pop(0)
        return f"m{len(self.posts)}"

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        if isinstance(self.history, Exception):
            raise self.history
        return self.history

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        if self.refused:
            raise self.refused
        self.deleted.append(message_id)

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        self.told.append((user, plain(notice.message)))
        if self.refused:
            raise self.refused


@dataclass
class Desk:
    time: Time
    outbox: MemoryOutbox
    publisher: Script
    sender: Sender

    async def plan(self, ref: ChannelRef = MAIN, parts: int = 1, day: int = 0) -> None:
        posts = [Post(f'{{"part": {n}}}', (f"arxiv:{day}.{n}",)) for n in range(parts)]
        assert await self.outbox.plan(ref, at(days=day), posts, 1)

    async def row(self, ref: ChannelRef = MAIN) -> Delivery:
        [row] = await self.outbox.deliveries(ref, 1)
        return row

    async def settle(self, after: timedelta = SETTLE) -> Delivery:
        self.time.now += after
        await self.sender.settle_unknown()
        return await self.row()


def desk(*fates: Exception, rate: Rate | None = None, timeout: timedelta = TIMEOUT) -> Desk:
    time = Time()
    outbox = MemoryOutbox(MemoryLibrary())
    publisher = Script(time, list(fates), rate)
    channels = MemoryChannelStore(Channel(MAIN, owner="ann"))
    sender = Sender(
        outbox, channels, [publisher], lambda: {PLATFORM: None}, time, time.sleep, timeout=timeout
    )
    return Desk(time, outbox, publisher, sender)


async def test_parts_are_posted_in_order_below_the_first() -> None:
    at_desk = desk()
    await at_desk.plan(parts=3)

    await at_desk.sender.send_due()

    posted = [(part, parent) for _, part, parent, _ in at_desk.publisher.posts]
    assert posted == [(0, None), (1, "m1"), (2, "m1")]
    assert at_desk.sender.tally[PLATFORM, "sent"] == 3


async def test_other_channels_go_while_one_is_slow() -> None:
    at_desk = desk()
    at_desk.publisher.hang = asyncio.Event()
    for n in range(3):
        await at_desk.plan(ChannelRef(PLATFORM, f"T{n}", "C1"), parts=2)

    sending = asyncio.create_task(at_desk.sender.send_due())
    await at_desk.publisher.begun.wait()
    at_desk.publisher.hang.set()
    await sending

    assert [part for _, part, _, _ in at_desk.publisher.posts] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("rate", "tenants", "per_second"),
    [
        pytest.param(Rate(5, by_tenant=True), 1, 5, id="slack, one workspace"),
        pytest.param(Rate(5, by_tenant=True), 3, 15, id="slack, three workspaces"),
        pytest.param(Rate(40), 9, 40, id="discord"),
    ],
)
async def test_posts_keep_the_rate_of_the_platform(
    rate: Rate, tenants: int, per_second: int
) -> None:
    at_desk = desk(rate=rate)
    for n in range(60):
        await at_desk.plan(ChannelRef(PLATFORM, f"T{n % tenants}", f"C{n}"), parts=2 - n % 2)

    await at_desk.sender.send_due()

    posts = at_desk.publisher.posts
    assert len(posts) == 90
    in_any_second = max(
        sum(start <= moment < start + timedelta(seconds=1) for *_, moment in posts)
        for *_, start in posts
    )
    assert in_any_second <= per_second
    for ref in {ref for ref, *_ in posts}:
        moments = [moment for there, _, _, moment in posts if there == ref]
        assert all(b - a >= timedelta(seconds=1) for a, b in pairwise(moments))


async def test_a_platform_without_a_rate_is_not_slowed_down() -> None:
    at_desk = desk()
    await at_desk.plan(parts=5)

    await at_desk.sender.send_due()

    assert at_desk.time.now == START


async def test_a_clock_that_is_set_back_does_not_silence_a_platform() -> None:
    at_desk = desk(rate=Rate(40))
    at_desk.time.now = at(hours=1)
    await at_desk.plan(parts=1)
    await at_desk.sender.send_due()
    at_desk.time.now = at(minutes=1)
    await at_desk.outbox.plan(MAIN, at(minutes=1), [Post('{"part": 0}', ())], 1)

    await at_desk.sender.send_due()

    assert at_desk.time.now < at(minutes=2)
    assert at_desk.sender.tally[PLATFORM, "sent"] == 2


async def test_what_waited_too_long_for_its_turn_is_not_written() -> None:
    at_desk = desk(rate=Rate(1 / 25))
    await at_desk.plan(MAIN)
    await at_desk.plan(SIDE)
    claimed_together = await at_desk.outbox.claim(START, LEASE, {PLATFORM: None}, 9)
    assert len(claimed_together) == 2

    for taken in claimed_together:
        await at_desk.sender._send(taken)

    assert len(at_desk.publisher.posts) == 1
    assert at_desk.sender.tally[PLATFORM, "later"] == 1
    states = {(await at_desk.row(ref)).state for ref in (MAIN, SIDE)}
    assert states == {State.SENT, State.READY}


async def test_a_refused_post_goes_again_when_the_platform_said() -> None:
    at_desk = desk(Later("429", after=40))
    await at_desk.plan()
    await at_desk.sender.send_due()

    assert (await at_desk.row()).not_before == at(seconds=40)
    at_desk.time.now = at(seconds=39)
    await at_desk.sender.send_due()
    assert len(at_desk.publisher.posts) == 1
    at_desk.time.now = at(seconds=40)
    await at_desk.sender.send_due()
    assert (await at_desk.row()).state is State.SENT


@pytest.mark.parametrize("after", [0.0, -5.0, float("nan"), float("inf"), 1e300])
async def test_a_senseless_time_to_wait_neither_crashes_nor_hammers(after: float) -> None:
    at_desk = desk(*(Later("busy", after=after) for _ in range(9)))
    await at_desk.plan()

    waits = []
    for _ in range(9):
        await at_desk.sender.send_due()
        waits.append((await at_desk.row()).not_before - at_desk.time.now)
        at_desk.time.now += waits[-1]

    assert min(waits) >= timedelta(seconds=2)
    assert max(waits) <= timedelta(days=1)
    assert waits == sorted(waits)


async def test_a_platform_that_does_not_answer_leaves_the_post_unknown() -> None:
    at_desk = desk(timeout=timedelta(milliseconds=1))
    at_desk.publisher.hang = asyncio.Event()
    await at_desk.plan()

    await at_desk.sender.send_due()

    row = await at_desk.row()
    assert (row.state, row.settle_at) == (State.UNKNOWN, START + SETTLE)
    assert at_desk.sender.tally[PLATFORM, "unknown"] == 1


async def test_a_surprise_is_unknown_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    at_desk = desk(KeyError("ts"))
    await at_desk.plan()

    await at_desk.sender.send_due()

    row = await at_desk.row()
    assert row.state is State.UNKNOWN
    number = row.detail.split()[3]
    assert number in caplog.text
    assert "KeyError" in caplog.text


async def test_a_post_that_is_there_after_all_is_not_made_again() -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan()
    await at_desk.sender.send_due()
    at_desk.publisher.history = ["m7"]

    early = await at_desk.settle(SETTLE - timedelta(seconds=1))
    assert early.state is State.UNKNOWN
    found = await at_desk.settle(timedelta(seconds=1))

    assert (found.state, found.message_id) == (State.SENT, "m7")
    assert at_desk.sender.tally[PLATFORM, "found"] == 1
    await at_desk.sender.send_due()
    assert len(at_desk.publisher.posts) == 1


async def test_a_post_that_is_not_there_is_made_again() -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan()
    await at_desk.sender.send_due()

    await at_desk.settle()
    await at_desk.sender.send_due()

    assert (await at_desk.row()).state is State.SENT
    assert len(at_desk.publisher.posts) == 2
    assert at_desk.sender.tally[PLATFORM, "resent"] == 1


@pytest.mark.parametrize(
    ("fault", "looks"),
    [
        pytest.param(HistoryUnreadable("no right", forbidden=True), 1, id="forbidden"),
        pytest.param(ChannelGone("archived"), 1, id="gone"),
        pytest.param(HistoryUnreadable("503"), LOOKUPS, id="unreadable"),
        pytest.param(TimeoutError(), LOOKUPS, id="timeout"),
        pytest.param(KeyError("ts"), LOOKUPS, id="surprise"),
    ],
)
async def test_a_history_that_cannot_be_read_holds_and_never_resends(
    fault: Exception, looks: int
) -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan()
    await at_desk.sender.send_due()
    at_desk.publisher.history = fault

    row = await at_desk.row()
    while row.settle_at:
        at_desk.time.now = row.settle_at
        row = await at_desk.settle(timedelta())
        await at_desk.sender.send_due()

    assert (State.HELD, looks) == (row.state, row.lookups)
    assert len(at_desk.publisher.posts) == 1
    assert at_desk.sender.tally[PLATFORM, "held"] == 1
    hours = (at_desk.time.now - START) / timedelta(hours=1)
    assert looks == 1 or 2 < hours < 24  # an outage of an hour heals without a person


async def test_a_history_that_asks_for_patience_gets_it_for_a_day() -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan()
    await at_desk.sender.send_due()
    at_desk.publisher.history = Later("429", after=60)

    row = await at_desk.settle()
    assert (row.state, row.settle_at) == (State.UNKNOWN, at_desk.time.now + timedelta(minutes=1))
    for _ in range(20):
        row = await at_desk.settle(timedelta(minutes=1))
    assert (row.state, row.lookups) == (State.UNKNOWN, 0)
    row = await at_desk.settle(timedelta(days=1))
    assert row.state is State.HELD


async def test_a_second_copy_is_taken_back_ten_minutes_later() -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan()
    await at_desk.sender.send_due()
    await at_desk.settle()
    await at_desk.sender.send_due()
    at_desk.publisher.history = ["m1", "m2"]  # the first one landed very late

    at_desk.time.now += AUDIT - timedelta(seconds=1)
    await at_desk.sender.audit()
    assert at_desk.publisher.deleted == []
    at_desk.time.now += timedelta(seconds=1)
    for _ in range(2):
        await at_desk.sender.audit()

    assert at_desk.publisher.deleted == ["m2"]
    assert (await at_desk.row()).message_id == "m1"
    assert at_desk.sender.tally[PLATFORM, "doubles"] == 1


async def test_the_copy_on_which_later_parts_hang_is_not_the_one_taken_back() -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan(parts=2)
    await at_desk.sender.send_due()
    await at_desk.settle()
    await at_desk.sender.send_due()
    assert [(part, parent) for _, part, parent, _ in at_desk.publisher.posts] == [
        (0, None), (0, None), (1, "m2"),
    ]  # fmt: skip
    at_desk.publisher.history = ["m1", "m2"]

    at_desk.time.now += AUDIT
    await at_desk.sender.audit()

    assert at_desk.publisher.deleted == ["m1"]
    assert (await at_desk.row()).message_id == "m2"


@pytest.mark.parametrize(
    ("history", "refused", "audits"),
    [
        pytest.param(["m1", "m2"], Unknown("reset"), True, id="the deletion is unknown"),
        pytest.param(HistoryUnreadable("503"), None, True, id="unreadable"),
        pytest.param(Later("429", after=60), None, True, id="put off"),
        pytest.param(["m1", "m2"], KeyError("ok"), True, id="surprise"),
        pytest.param(HistoryUnreadable("x", forbidden=True), None, False, id="forbidden"),
    ],
)
async def test_an_audit_that_fails_is_made_again_where_that_may_help(
    history: list[str] | Exception, refused: Exception | None, audits: bool
) -> None:
    at_desk = desk(Unknown("reset"))
    await at_desk.plan()
    await at_desk.sender.send_due()
    await at_desk.settle()
    await at_desk.sender.send_due()
    at_desk.publisher.history, at_desk.publisher.refused = history, refused
    at_desk.time.now += AUDIT

    await at_desk.sender.audit()

    again = (await at_desk.row()).audit_at
    assert again == (at_desk.time.now + AUDIT if audits else None)
    at_desk.time.now += timedelta(days=2)
    await at_desk.sender.audit()
    assert (await at_desk.row()).audit_at is None


@pytest.mark.parametrize(
    "refused", [None, ChannelGone("messages closed"), Unknown("reset"), KeyError("ok")]
)
async def test_a_channel_that_is_gone_is_told_of_once(refused: Exception | None) -> None:
    at_desk = desk(*(ChannelGone("it is archived") for _ in range(9)))
    at_desk.publisher.refused = refused
    await at_desk.plan(parts=3)
    at_desk.time.now = at(days=1)
    await at_desk.plan(parts=2, day=1)

    for _ in range(5):
        await at_desk.sender.send_due()

    assert len(at_desk.publisher.posts) == 1
    assert at_desk.publisher.told == [("ann", "I can no longer post in C1: it is archived.")]
    closure = await at_desk.outbox.gone(MAIN)
    assert closure is not None
    assert len(await at_desk.outbox.released(MAIN)) == 5
    await at_desk.outbox.plan(MAIN, at(days=2), [Post('{"part": 0}', ())], 1)
    at_desk.time.now = at(days=2)
    await at_desk.sender.send_due()
    assert len(at_desk.publisher.told) == 1


async def test_a_stop_ends_what_is_in_hand_and_begins_nothing() -> None:
    at_desk = desk()
    at_desk.publisher.hang = asyncio.Event()
    await at_desk.plan(parts=2)
    sending = asyncio.create_task(at_desk.sender.send_due())
    await at_desk.publisher.begun.wait()

    draining = asyncio.create_task(at_desk.sender.drain())
    await asyncio.sleep(0)
    at_desk.publisher.hang.set()
    await asyncio.gather(draining, sending)

    assert [row.state for row in await at_desk.outbox.deliveries(MAIN, 9)] == [
        State.SENT, State.READY,
    ]  # fmt: skip


async def test_a_stop_gives_back_what_still_waits_for_its_turn() -> None:
    at_desk = desk(rate=Rate(1))
    turn, asleep = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await turn.wait()

    sender = Sender(
        at_desk.outbox, MemoryChannelStore(), [at_desk.publisher], lambda: {PLATFORM: None},
        at_desk.time, sleep,
    )  # fmt: skip
    await at_desk.plan(MAIN)
    await at_desk.plan(SIDE)
    sending = asyncio.create_task(sender.send_due())
    await asleep.wait()

    draining = asyncio.create_task(sender.drain())
    await asyncio.sleep(0)
    turn.set()
    await asyncio.gather(draining, sending)

    assert len(at_desk.publisher.posts) == 1
    states = {(await at_desk.row(ref)).state for ref in (MAIN, SIDE)}
    assert states == {State.SENT, State.READY}


async def test_a_stop_keeps_what_a_cancelled_round_has_in_hand() -> None:
    at_desk = desk()
    at_desk.publisher.hang = asyncio.Event()
    await at_desk.plan()
    sending = asyncio.create_task(at_desk.sender.send_due())
    await at_desk.publisher.begun.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    at_desk.publisher.hang.set()
    await at_desk.sender.drain()

    assert (await at_desk.row()).state is State.SENT


async def test_a_stop_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "DRAIN", timedelta(milliseconds=1))
    at_desk = desk()
    at_desk.publisher.hang = asyncio.Event()
    await at_desk.plan()
    sending = asyncio.create_task(at_desk.sender.send_due())
    await at_desk.publisher.begun.wait()

    await at_desk.sender.drain()

    await asyncio.gather(sending, return_exceptions=True)
    assert (await at_desk.row()).state is State.SENDING
    await at_desk.sender.recover()
    assert (await at_desk.row()).state is State.UNKNOWN


class Killed(Exception):
    pass


STEPS = ("claim", "claimed", "publish", "published", "settled")


@pytest.mark.parametrize(("step", "part"), [*product(STEPS, range(3))])
async def test_parts_keep_their_order_and_are_not_doubled_whenever_it_stops(
    step: str, part: int
) -> None:
    at_desk = desk()
    await at_desk.plan(parts=3)
    stood: dict[str, str] = {}

    class Board(Script):
        async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
            stood[await super().publish(ref, post, key, parent)] = key
            return list(stood)[-1]

        async def find(
            self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
        ) -> Sequence[str]:
            return [message for message, told in stood.items() if told == key]

    steps_seen: Counter[str] = Counter()

    def reached(name: str) -> None:
        steps_seen[name] += 1
        if name == step and steps_seen[name] == part + 1:
            raise Killed

    board = Board(at_desk.time)

    def start(reached: Callable[[str], None]) -> Sender:
        return Sender(
            at_desk.outbox, MemoryChannelStore(), [board], lambda: {PLATFORM: None},
            at_desk.time, at_desk.time.sleep, reached=reached,
        )  # fmt: skip

    # "publish" is told where surprises are caught, as any fault of a publisher would be
    await asyncio.gather(start(reached).send_due(), return_exceptions=True)
    sender = start(lambda name: None)
    await sender.recover()
    for _ in range(3):
        at_desk.time.now += SETTLE
        await sender.settle_unknown()
        await sender.send_due()

    assert [delivery.key_of(MAIN, START, n) for n in range(3)] == list(stood.values())
    rows = await at_desk.outbox.deliveries(MAIN, 9)
    assert list(stood) == [row.message_id for row in rows]


# Over real HTTP


@dataclass
class Wire:
    time: Time
    platform: FaultyPlatform
    outbox: MemoryOutbox
    sender: Sender

    async def plan(self, ref: ChannelRef = MAIN, parts: int = 1) -> None:
        posts = [Post("{}", (f"arxiv:{n}",)) for n in range(parts)]
        assert await self.outbox.plan(ref, START, posts, 1)

    async def round(self, after: float = 0) -> None:
        """Time passes, then all that is due is done."""
        await self.platform.settled()
        self.time.now += timedelta(seconds=after)
        await self.sender.settle_unknown()
        await self.sender.send_due()

    async def states(self, ref: ChannelRef = MAIN) -> list[State]:
        return [row.state for row in await self.outbox.deliveries(ref, 99)]


@asynccontextmanager
async def wire(*faults: Fault) -> AsyncIterator[Wire]:
    time = Time()
    outbox = MemoryOutbox(MemoryLibrary())
    channels = MemoryChannelStore(Channel(MAIN, owner="ann"))
    async with (
        FaultyPlatform(scripted(*faults), late=0.01, clock=time) as platform,
        session() as http,
    ):
        publisher = FaultyPublisher(http, platform.url)
        sender = Sender(outbox, channels, [publisher], lambda: {PLATFORM: None}, time, time.sleep)
        yield Wire(time, platform, outbox, sender)


@pytest.mark.parametrize("fault", [f for f in Fault if f not in (Fault.GONE, Fault.FORBIDDEN)])
async def test_every_fault_ends_with_one_message(fault: Fault) -> None:
    async with wire(fault) as line:
        await line.plan()
        await line.sender.send_due()
        is_told = fault in (Fault.NONE, Fault.SLOW)
        assert line.sender.tally[PLATFORM, "unknown"] == (not is_told and fault is not Fault.STORM)

        await line.round(90)

        assert await line.states() == [State.SENT]
        assert len(line.platform.messages) == 1


async def test_a_storm_of_429_delays_and_loses_nothing() -> None:
    faults = [Fault.STORM if n % 10 < 3 else Fault.NONE for n in range(80)]
    async with wire(*faults) as line:
        refs = [ChannelRef(PLATFORM, f"T{n % 3}", f"C{n}") for n in range(20)]
        for ref in refs:
            await line.plan(ref, parts=2)

        while any((await line.outbox.counts()).values()):
            await line.round(0.3)

        assert line.platform.too_early == 0
        assert line.platform.faults["STORM"] > 10
        assert len(line.platform.messages) == 40
        assert len({m.key for m in line.platform.messages.values()}) == 40


async def test_an_unreadable_history_holds_the_post_and_a_person_frees_it() -> None:
    async with wire(Fault.LOST) as line:
        line.platform.unreadable["C1"] = 403
        await line.plan()
        await line.sender.send_due()
        await line.round(90)
        await line.round(timedelta(days=9).total_seconds())

        assert await line.states() == [State.HELD]
        assert line.platform.attempts.total() == 1
        [row] = await line.outbox.deliveries(MAIN, 1)
        await line.outbox.resend(MAIN, row.key)
        await line.round()
        assert await line.states() == [State.SENT]
        assert len(line.platform.messages) == 1


async def test_a_message_that_a_moderator_took_away_comes_again_at_most_once() -> None:
    async with wire(Fault.DROPPED) as line:
        await line.plan()
        await line.sender.send_due()
        line.platform.messages.clear()

        for _ in range(9):
            await line.round(90)

        assert await line.states() == [State.SENT]
        assert line.platform.attempts.total() == 2


async def test_an_audit_repairs_what_landed_beyond_all_patience() -> None:
    async with wire(Fault.LOST) as line:
        await line.plan()
        await line.sender.send_due()
        await line.round(90)
        [stands] = line.platform.messages.values()
        line.time.now += timedelta(minutes=1)
        late = line.platform.land("C1", stands.key)

        line.time.now += AUDIT
        await line.sender.audit()

        assert stands.id in line.platform.messages
        assert late.id not in line.platform.messages
        assert line.sender.tally[PLATFORM, "doubles"] == 1


@pytest.mark.parametrize("fault", [Fault.GONE, Fault.FORBIDDEN])
async def test_an_archived_channel_sees_few_calls_and_its_owner_one_word(fault: Fault) -> None:
    async with wire(*[fault] * 99) as line:
        await line.plan(parts=3)
        for _ in range(9):
            await line.round(90)

        assert line.platform.attempts.total() <= 3
        assert [user for user, _ in line.platform.told] == ["ann"]
        assert set(await line.states()) == {State.DEAD}
        assert await line.outbox.released(MAIN) == ["arxiv:0", "arxiv:1", "arxiv:2"]


# Every outcome of HTTP, from a server that writes bytes. RESET ends with a reset, not a farewell.

RESET = b"<reset>"
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "m1"}'


def answer(status: int, headers: str = "", body: bytes = b"{}") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


HTTP: dict[str, tuple[bytes, type[Outcome]]] = {
    "200": (OK, Sent),
    "200 in chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'c\r\n{"id": "m1"}\r\n0\r\n\r\n',
        Sent,
    ),
    "200 without an id": (answer(200), Unsure),
    "200 with a list": (answer(200, body=b"[]"), Unsure),
    "200 with a number for an id": (answer(200, body=b'{"id": 7}'), Unsure),
    "200 with half a JSON": (answer(200, body=b'{"id": "m'), Unsure),
    "200 with nothing": (answer(200, body=b""), Unsure),
    "200 in no known encoding": (answer(200, body=b'{"id": "\xff\xfe"}'), Unsure),
    "200 as a page": (OK.replace(b"application/json", b"text/html"), Unsure),
    "200 with brackets without end": (answer(200, body=b"[" * 100_000), Unsure),
    "200 with half a gzip": (answer(200, "Content-Encoding: gzip\r\n", b"\x1f\x8b\x08"), Unsure),
    "200 after a 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Sent),
    "201": (answer(201, body=b'{"id": "m1"}'), Unsure),
    "202": (answer(202, body=b'{"id": "m1"}'), Unsure),
    "204": (b"HTTP/1.1 204 X\r\n\r\n", Unsure),
    "302": (answer(302, "Location: /elsewhere\r\n"), Unsure),
    "307": (answer(307, "Location: /elsewhere\r\n"), Unsure),
    "400": (answer(400), Unsure),
    "401": (answer(401), Unsure),
    "403": (answer(403), Gone),
    "404": (answer(404), Gone),
    "408": (answer(408), Unsure),
    "410": (answer(410), Gone),
    "413": (answer(413), Unsure),
    "429": (answer(429, "Retry-After: 7\r\n"), Postponed),
    "429 without a time": (answer(429), Postponed),
    "429 with nonsense": (answer(429, "Retry-After: soon\r\n"), Postponed),
    "500": (answer(500), Unsure),
    "502": (answer(502), Unsure),
    "503 with a time": (answer(503, "Retry-After: 7\r\n"), Unsure),
    "504": (answer(504), Unsure),
    "524": (answer(524), Unsure),
    "999": (answer(999), Unsure),
    "nothing": (b"", Unsure),
    "reset at once": (RESET, Unsure),
    "reset in the status line": (OK[:9] + RESET, Unsure),
    "reset in the headers": (OK[:30] + RESET, Unsure),
    "reset after the headers": (OK[:-12] + RESET, Unsure),
    "reset in the body": (OK[:-4] + RESET, Unsure),
    "closed in the body": (OK[:-4], Unsure),
    "headers without end": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, Unsure),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", Unsure),
}


@pytest.mark.parametrize(("spoken", "expected"), HTTP.values(), ids=HTTP)
async def test_every_outcome_of_http_is_told_apart(spoken: bytes, expected: type[Outcome]) -> None:
    async with speaker(spoken, after=b"}") as (url, requests), session() as http:
        outcome = await publish(FaultyPublisher(http, url))

    assert expected is type(outcome), outcome
    assert requests.total() == 1


NO_HISTORY = {name: spoken for name, (spoken, _) in HTTP.items() if name != "200 with a list"}


@pytest.mark.parametrize("spoken", NO_HISTORY.values(), ids=NO_HISTORY)
async def test_no_history_that_went_wrong_says_that_a_post_is_not_there(spoken: bytes) -> None:
    async with speaker(spoken, after=b"\r\n\r\n") as (url, _), session() as http:
        time, outbox = Time(), MemoryOutbox(MemoryLibrary())
        sender = Sender(
            outbox, MemoryChannelStore(), [FaultyPublisher(http, url)], dict, time, time.sleep
        )
        with pytest.raises(HistoryUnreadable):
            await sender._find(UNKNOWN)


@asynccontextmanager
async def speaker(spoken: bytes, after: bytes) -> AsyncIterator[tuple[str, Counter[str]]]:
    """A server that says this to whatever ends so, and counts what it was asked."""
    requests: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests["any"] += 1
        await reader.readuntil(after)  # a body is written in one piece
        writer.write(spoken.removesuffix(RESET))
        with suppress(ConnectionError):  # who has heard enough may hang up
            await writer.drain()
        if spoken.endswith(RESET):
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}", requests


async def publish(publisher: FaultyPublisher, patience: timedelta = TIMEOUT) -> Outcome:
    time = Time()
    sender = Sender(
        MemoryOutbox(MemoryLibrary()), MemoryChannelStore(), [publisher], dict, time,
        time.sleep, timeout=patience,
    )  # fmt: skip
    return await sender._published(publisher, SENDING)


async def test_a_closed_port_is_certainly_no_post() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    async with session() as http:
        assert isinstance(await publish(FaultyPublisher(http, f"http://{host}:{port}")), Postponed)
        nowhere = FaultyPublisher(http, "http://nowhere.invalid")
        assert isinstance(await publish(nowhere), Postponed)


async def test_a_server_that_speaks_no_tls_is_certainly_no_post() -> None:
    async with speaker(b"HTTP/1.1 400 X\r\n\r\n", after=b"") as (url, _), session() as http:
        outcome = await publish(FaultyPublisher(http, url.replace("http://", "https://")))

    assert isinstance(outcome, Postponed)


async def test_a_server_that_says_nothing_leaves_it_unknown() -> None:
    quiet = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await quiet.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, session() as http:
        host, port = server.sockets[0].getsockname()
        publisher = FaultyPublisher(http, f"http://{host}:{port}")
        outcome = await publish(publisher, timedelta(milliseconds=50))
        quiet.set()

    assert isinstance(outcome, Unsure)


def test_a_time_to_wait_is_read_as_seconds_and_as_a_date() -> None:
    assert retry_after("7.5") == 7.5
    assert retry_after("-3") == 0
    assert retry_after("Mon, 01 Jan 2001 00:00:00 GMT") == 0
    assert retry_after("Fri, 01 Jan 2100 00:00:00 GMT") > 1e6
    assert retry_after("soon") == retry_after("") == 60


# Real processes, killed; the release runs the long forms: python -m tests.soak


async def soak(form: str, *options: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.soak.{form}", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    told, _ = await process.communicate()
    return json.loads(told)


async def test_the_program_that_is_killed_again_and_again_loses_and_doubles_nothing() -> None:
    result = await soak("delivery_kill", "--kills", "20", "--messages", "200", "--channels", "60")

    bad = ("lost", "doubled", "misordered", "unforeseen", "unsettled")
    assert dict.fromkeys(bad, 0) == {name: result[name] for name in bad}
    assert result["kills"] >= 20
    assert result["kills_in_hand"] > 0
    assert result["faults"] >= 0.2 * result["posts"]
    assert result["slowest_stop"] < delivery.DRAIN.total_seconds()


async def test_without_time_to_settle_the_same_loop_sees_doubles() -> None:
    result = await soak(
        "delivery_kill", "--control", "--kills", "5", "--messages", "100", "--channels", "60"
    )

    assert result["doubled"] > 0
    assert result["lost"] == 0


async def test_an_end_at_each_point_leads_to_the_exact_state() -> None:
    told = await asyncio.gather(
        *(soak("failpoints", landing) for landing in ("accepted", "lost", "late", "twice"))
    )

    assert told == [*[{"cases": 11, "wrong": []}] * 3, {"cases": 1, "wrong": []}]
