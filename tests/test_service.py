"""The clock's work, day by day: what is due is planned once and posted, whatever happened before."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot import service
from bot.delivery import Sender
from bot.digests import Plan
from bot.errors import ChannelGone, Later, SourceUnavailable, StorageDamaged, Unknown
from bot.housekeeping import Housekeeping
from bot.model import Caller, Channel, ChannelRef, Origin, Subscription
from bot.ports import Batch, Health, PaperSource, Post, Rate, Served
from bot.query import parse
from bot.refresh import Refresh
from bot.schedule import Schedule
from bot.service import SEND, TICK, Service, due_after, reschedule
from bot.views import Digest, Listing, Notice, PaperCard, plain
from tests.world import World, paper, words

LAB = ChannelRef("board", "school", "lab")
MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # 09:00 in Berlin
BERLIN = Schedule.parse("weekdays 09:00", "Europe/Berlin")
ANN = Caller(LAB, "ann", zone="Europe/Berlin")


class Board:
    """A platform that keeps what it is sent, or fails first."""

    platform = "board"
    rate: Rate | None = None

    def __init__(self) -> None:
        self.posted: list[tuple[ChannelRef, dict[str, object]]] = []
        self.keys: list[str] = []
        self.told: list[tuple[str, str]] = []  # a person, and what
        self.faults: list[Exception] = []
        self.deaf: dict[str, Exception] = {}  # who cannot be told anything in private

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        papers = tuple(card.paper.id for card in digest.cards)
        body = {
            "papers": papers,
            "quiet": digest.quiet.cause if digest.quiet else "",
            "notes": [plain(note) for note in digest.notes],
            "slot": digest.slot.isoformat(),
            "scores": [card.score for card in digest.cards],
        }
        return (Post(json.dumps(body), papers),)

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.posted.append((ref, json.loads(post.body)))
        self.keys.append(key)
        return f"m{len(self.posted)}"

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> list[str]:
        return [f"m{n}" for n, known in enumerate(self.keys, start=1) if known == key]

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        raise NotImplementedError

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        if user in self.deaf:
            raise self.deaf[user]
        self.told.append((user, words(notice)))

    def papers(self) -> list[list[str]]:
        return [[i[-5:] for i in body["papers"]] for _, body in self.posted]  # type: ignore[attr-defined]


class Running(World):
    """A world with a clock that is moved by hand, and a board to post to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = MONDAY - timedelta(hours=1)
        self.board = Board()
        self.sources: list[PaperSource] = []
        self.restart()

    def restart(self) -> None:
        """As a new process would begin: only what is stored is left."""
        served: Served = {"board": None}
        refresh = Refresh(self.sources, self.library, self.people, lambda: self.now)
        self.sender = Sender(
            self.ledger, self.store, [self.board], lambda: served, lambda: self.now, self.sleep
        )
        house = Housekeeping(
            self.store, self.ledger, self.library, self.people, self.people, None, lambda: self.now
        )
        self.service = Service(
            self.store, self.ledger, self.digests, self.sender, [self.board], lambda: served,
            refresh, lambda: self.now, self.people, self.people, house,
        )  # fmt: skip

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def open(self, channel: Channel) -> None:
        await self.ledger.start(channel.ref, await self.library.end())
        await self.store.save(channel, "ann")
        await reschedule(channel, self.ledger, self.now)

    async def at(self, moment: datetime) -> None:
        self.now = moment
        await self.tick()
        await self.service.reconcile()

    async def tick(self) -> None:
        await self.service.tick()
        await self.service.send()
        await self.service.look_up()

    async def every_morning(self, first: int, last: int) -> None:
        for day in range(first, last + 1):
            await self.at(days(day))


def lab(**more: object) -> Channel:
    subscriptions = (Subscription(1, parse("graphs")),)
    return replace(Channel(LAB, subscriptions, schedule=BERLIN), **more)  # type: ignore[arg-type]


@pytest.fixture
async def running() -> Running:
    return Running()


async def test_a_restored_channel_gets_what_arrives_after_the_start(running: Running) -> None:
    await arrive(running, 1, MONDAY)
    await running.store.save(lab(), "restore")  # its settings, and nothing in the ledger
    await running.service.start()
    await arrive(running, 2, MONDAY)

    await running.at(MONDAY)

    assert running.board.papers() == [["00002"]]


async def arrive(world: World, number: int, day: datetime) -> None:
    await world.listed(paper(number, f"Graphs number {number}"), on=day.date())


def days(count: float) -> datetime:
    return MONDAY + timedelta(days=count)


async def test_a_digest_comes_at_its_time_once(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)

    await running.at(MONDAY - timedelta(seconds=1))
    assert running.board.posted == []
    for seconds in (0, 15, 30, 3600):
        await running.at(MONDAY + timedelta(seconds=seconds))

    assert running.board.papers() == [["00001"]]
    assert running.board.posted[0][1]["slot"] == "2026-11-23T09:00:00+01:00"


@pytest.mark.parametrize("ahead", [0.0, 1.0, 7.5, TICK - 0.5])
async def test_a_post_leaves_within_a_minute_of_its_slot(running: Running, ahead: float) -> None:
    """Whenever the last look before the slot was."""
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    looks = [(TICK * n, running.service.tick) for n in range(9)]
    looks += [(SEND * n, running.service.send) for n in range(99)]

    for after, look in sorted(looks, key=lambda each: each[0]):
        running.now = MONDAY + timedelta(seconds=after - ahead)
        await look()
        if running.board.posted:
            break

    assert running.board.papers() == [["00001"]]
    assert MONDAY <= running.now <= MONDAY + timedelta(minutes=1)


async def test_each_day_brings_what_is_new_and_weekends_bring_nothing(running: Running) -> None:
    await running.open(lab())

    for day in range(8):
        await arrive(running, 10 + day, days(day))
        await running.at(days(day))

    brought = [["00010"], ["00011"], ["00012"], ["00013"], ["00014"], ["00015", "00016", "00017"]]
    assert brought == [sorted(papers) for papers in running.board.papers()]


async def test_what_was_missed_comes_in_one_digest_that_says_it_is_late(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    await running.at(MONDAY)
    for day in (1, 2, 3):
        await arrive(running, 1 + day, days(day))

    running.restart()
    await running.service.start()
    await running.at(days(3) + timedelta(hours=5))

    assert [sorted(p) for p in running.board.papers()] == [["00001"], ["00002", "00003", "00004"]]
    assert (running.board.posted[1][1]["notes"]) == [
        "This digest is late: it was due at 09:00 on Thursday 26 November."
    ]


async def test_what_was_missed_waits_for_the_papers_of_that_time(running: Running) -> None:
    half_an_hour = timedelta(minutes=30)
    later = replace(LAB, channel="later")
    await running.open(lab())
    await running.open(lab(ref=later, schedule=Schedule.parse("9:31", "Europe/Berlin")))
    running.sources.append(Feed())
    running.now = MONDAY - timedelta(hours=9)
    await running.service.fetch()
    running.restart()  # after a night off
    running.now = MONDAY + half_an_hour

    await running.service.start(half_an_hour)
    await running.tick()
    assert running.board.posted == []
    running.now += timedelta(minutes=1)
    await running.tick()
    assert [ref for ref, _ in running.board.posted] == [later]  # its slot was not missed
    await arrive(running, 1, MONDAY)
    await running.service.fetch(half_an_hour)
    await running.tick()

    assert running.board.papers() == [[], ["00001"]]


async def test_many_that_wait_for_papers_keep_nobody_else_waiting(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_AT_ONCE", 3)
    for n in range(4):
        await running.open(lab(ref=replace(LAB, channel=f"c{n}")))
    later = replace(LAB, channel="later")
    await running.open(lab(ref=later, schedule=Schedule.parse("9:31", "Europe/Berlin")))
    await running.people.keep(Health("arxiv", last_success=MONDAY - timedelta(hours=9)))
    running.now = MONDAY + timedelta(minutes=30)
    await running.service.start(timedelta(minutes=30))

    running.now += timedelta(minutes=1)
    await running.tick()

    assert [ref for ref, _ in running.board.posted] == [later]


@pytest.mark.parametrize(
    ("read", "waits"),
    [(timedelta(hours=-9), 3), (timedelta(minutes=-20), 0), (None, 0)],
    ids=["sources that do not answer", "a short stop", "sources that never answered"],
)
async def test_a_digest_waits_minutes_for_papers_and_only_where_there_may_be_some(
    running: Running, read: timedelta | None, waits: int
) -> None:
    await running.open(lab())
    if read:
        await running.people.keep(Health("arxiv", last_success=MONDAY + read))
    start = MONDAY + timedelta(minutes=1)
    running.now = start
    await running.service.start(timedelta(minutes=30))

    while not running.board.posted:
        await running.tick()
        running.now += timedelta(seconds=TICK)

    assert (running.now - start) // timedelta(minutes=1) == waits


async def test_a_weekly_digest_that_is_days_late_waits_for_the_next_slot(running: Running) -> None:
    weekly = Schedule.parse("weekly mon 09:00", "Europe/Berlin")
    await running.open(lab(schedule=weekly))
    await running.at(MONDAY)
    await arrive(running, 1, days(1))

    await running.at(days(9))
    assert running.board.papers() == [[]]
    await running.at(days(14))

    assert running.board.papers() == [[], ["00001"]]


async def test_after_ten_days_down_nothing_is_too_old(running: Running) -> None:
    await running.open(lab())
    await running.at(MONDAY)
    await arrive(running, 1, days(1))

    await running.at(days(15))

    assert running.board.papers()[-1] == ["00001"]


async def test_a_quiet_day_is_noted_once_until_something_comes(running: Running) -> None:
    await running.open(lab())

    for day in (0, 1, 2, 3, 4):
        if day == 3:
            await arrive(running, 1, days(3))
        await running.at(days(day))

    assert running.board.papers() == [[], ["00001"], []]
    assert running.board.posted[0][1]["quiet"] == "source_late"


@pytest.mark.parametrize(
    ("slot", "newest", "cause", "told"),
    [
        pytest.param(
            datetime(2026, 11, 30, 0, tzinfo=UTC), 27, "no_announcement",
            "it was still Sunday in New York, and arXiv announces nothing on a Sunday",
            id="Monday's papers are not out yet",
        ),
        pytest.param(
            datetime(2026, 11, 21, 0, tzinfo=UTC), 19, "source_late",
            "No paper listed by 20 November 2026 has arrived",
            id="Friday's papers are missing on a Saturday",
        ),
        pytest.param(
            datetime(2026, 11, 21, 0, tzinfo=UTC), 20, "no_announcement",
            "Nothing new has been announced since",
            id="Friday's papers came before",
        ),
    ],
)  # fmt: skip
async def test_arxivs_day_begins_in_new_york_and_not_in_tokyo(
    running: Running, slot: datetime, newest: int, cause: str, told: str
) -> None:
    running.now = slot - timedelta(hours=1)
    await running.listed(paper(1, "A poem"), on=MONDAY.date().replace(day=newest))
    await running.open(lab(schedule=Schedule.parse("daily 09:00", "Asia/Tokyo"), quiet="post"))

    await running.at(slot)

    [(_, body)] = running.board.posted
    planned = await running.ledger.last_slot(LAB)
    assert body["quiet"] == cause
    assert planned is not None
    assert told in planned.why


class Feed:
    """A source that lists nothing, or cannot be read."""

    name = "arxiv"

    def __init__(self, fault: Exception | None = None) -> None:
        self._fault = fault

    async def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        if self._fault:
            raise self._fault
        yield Batch(())

    def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, "No paper listed by 23 November 2026 has arrived so far. Next try at 10:40."),
        (SourceUnavailable("It is down.", retry_after=9), "It is down. Next try at 10:40."),
        (SourceUnavailable("It is down.", retry_after=9000), "It is down. Next try at 11:10."),
        (SourceUnavailable("It is down."), "It is down. Next try at 10:40."),
    ],
)
async def test_a_quiet_slot_tells_when_the_source_is_asked_next(
    running: Running, fault: SourceUnavailable | None, told: str
) -> None:
    running.sources.append(Feed(fault))
    await running.open(lab(quiet="post"))
    running.now = MONDAY - timedelta(minutes=20)
    await running.service.fetch(timedelta(hours=2))

    await running.at(MONDAY)

    planned = await running.ledger.last_slot(LAB)
    assert planned is not None
    assert planned.why.endswith(told)
    assert "Next try Mon 23 Nov" in words(await running.say("status", replace(ANN, ref=LAB)))
    running.now = MONDAY + timedelta(days=1)
    assert (
        "Next try"
        not in words(await running.say("status", replace(ANN, ref=LAB))).partition("Source")[2]
    )


@pytest.mark.parametrize(("quiet", "posts"), [("post", 3), ("silent", 0)])
async def test_quiet_days_are_posted_or_silent_as_the_channel_likes(
    running: Running, quiet: str, posts: int
) -> None:
    await running.open(lab(quiet=quiet))

    for day in (0, 1, 2):
        await running.at(days(day))

    assert posts == len(running.board.posted)


async def test_a_pause_holds_digests_back_and_loses_nothing(running: Running) -> None:
    until = days(3).date()
    await running.open(lab(paused=True, paused_until=until))
    await arrive(running, 1, MONDAY)

    for day in (0, 1, 2, 3):
        await running.at(days(day))

    assert running.board.papers() == [["00001"]]
    assert None is due_after(lab(paused=True), MONDAY).at


@pytest.mark.parametrize("schedule", ["monthly 1", "daily 09:00", "weekdays 23:59", "daily 00:00"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_a_pause_to_the_end_of_the_calendar_stops_nobody(
    running: Running, schedule: str, zone: str
) -> None:
    await running.open(lab(ref=replace(LAB, channel="other")))
    endless = lab(schedule=Schedule.parse(schedule, zone))
    await running.store.save(endless, "ann")

    said = words(await running.say("pause until:9999-12-31", replace(ANN, ref=LAB)))
    running.restart()
    await running.service.start()
    await running.at(MONDAY)

    assert "Paused until 31 December 9999" in said
    assert "paused until 31 December 9999" in words(
        await running.say("status", replace(ANN, ref=LAB))
    )
    assert [ref.channel for ref, _ in running.board.posted] == ["other"]


async def test_a_pause_since_the_first_day_of_the_calendar_is_over(running: Running) -> None:
    await running.open(lab(paused=True, paused_until=date.min))
    await arrive(running, 1, MONDAY)

    await running.at(MONDAY)

    assert running.board.papers() == [["00001"]]


async def test_a_changed_schedule_counts_from_the_next_look_on(running: Running) -> None:
    await running.open(lab())
    later = lab(schedule=Schedule.parse("daily 17:00", "Europe/Berlin"))
    await arrive(running, 1, MONDAY)

    await running.store.save(later, "ann")
    await running.at(MONDAY)
    assert running.board.posted == []
    await running.at(MONDAY + timedelta(hours=8))

    assert running.board.papers() == [["00001"]]


async def test_a_clock_set_back_doubles_nothing_and_one_set_forward_loses_nothing(
    running: Running,
) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    await running.at(MONDAY)

    for shift in (-3600, 30, -86_400, 60, 86_400, 90):
        await arrive(running, 100 + abs(shift), MONDAY)
        await running.at(MONDAY + timedelta(seconds=shift))
    await running.at(days(2))

    posted = [i for papers in running.board.papers() for i in papers]
    assert len(posted) == len(set(posted)) == 6


async def test_a_clock_that_was_weeks_ahead_silences_nobody(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    await running.at(MONDAY + timedelta(minutes=1))
    await running.at(days(28.1))

    await running.at(MONDAY + timedelta(hours=3))  # set right
    await arrive(running, 2, days(1))
    await running.every_morning(1, 2)
    await running.at(days(28))

    slots = [body["slot"] for _, body in running.board.posted if body["papers"]]
    assert slots == ["2026-11-23T09:00:00+01:00", "2026-11-24T09:00:00+01:00"]
    assert len(running.board.keys) == len(set(running.board.keys))


async def test_a_kill_between_plan_and_post_loses_nothing_and_doubles_nothing(
    running: Running,
) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    running.now = MONDAY
    await running.service.tick()  # and the process dies

    running.restart()
    await running.service.start()
    await running.at(MONDAY + timedelta(minutes=1))

    assert running.board.papers() == [["00001"]]


async def test_a_doubtful_post_is_looked_up_and_sent_again_where_it_is_not(
    running: Running,
) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    running.board.faults = [Unknown("the connection broke")]

    await running.at(MONDAY)
    assert running.board.posted == []
    await running.at(MONDAY + timedelta(seconds=60))
    assert running.board.posted == []
    await running.at(MONDAY + timedelta(seconds=100))
    await running.at(MONDAY + timedelta(seconds=115))

    assert running.board.papers() == [["00001"]]


async def test_a_channel_that_is_gone_from_the_settings_is_left_alone(running: Running) -> None:
    await running.open(lab())
    await running.store.remove(LAB, "ann")

    await running.at(MONDAY)

    assert running.board.posted == []
    assert None is (await running.ledger.next_due(LAB)).at  # type: ignore[union-attr]


async def test_a_damaged_workspace_keeps_no_digest_from_the_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = running.store.get
    damaged = replace(LAB, tenant="damaged")
    await running.open(lab())
    await running.open(lab(ref=damaged))

    async def found(ref: ChannelRef) -> Channel | None:
        if ref == damaged:
            raise StorageDamaged("The file cannot be read.")
        return await get(ref)

    with monkeypatch.context() as patch:
        patch.setattr(running.store, "get", found)
        for day in (0, 1):
            await arrive(running, day + 1, days(day))
            await running.at(days(day))
    assert running.board.papers() == [["00001"], ["00002"]]

    running.restart()  # with a good copy in the file's place
    await running.service.start()
    await running.at(days(1))
    assert [ref for ref, _ in running.board.posted] == [LAB, LAB, damaged]
    assert sorted(running.board.papers()[-1]) == ["00001", "00002"]


async def test_a_channel_that_no_digest_can_be_made_for_keeps_none_from_the_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = running.board.compose
    odd = replace(LAB, channel="odd")
    for ref in (replace(LAB, channel="a"), odd, LAB):
        await running.open(lab(ref=ref))

    def composed(ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        if ref == odd:
            raise KeyError("what nobody thought of")
        return compose(ref, digest)

    monkeypatch.setattr(running.board, "compose", composed)
    for day in (0, 1):
        await arrive(running, day + 1, days(day))
        await running.at(days(day))

    assert Counter(ref.channel for ref, _ in running.board.posted) == {"a": 2, "lab": 2}
    assert running.service.ticked_at == days(1)


async def test_many_channels_at_once_get_what_each_would_get_alone(running: Running) -> None:
    queries = ("graphs", "number", "graphs -1", '"graphs number"', "title:graphs", "nothing")
    channels = [
        lab(
            ref=ChannelRef("board", "school", f"c{n}"),
            subscriptions=(Subscription(1, parse(queries[n % 6]), 1 + n % 2),),
            max=1 + n % 3,
        )
        for n in range(40)
    ]
    for channel in channels:
        await running.open(channel)
    for number in range(1, 8):
        await arrive(running, number, MONDAY)
    running.now = MONDAY
    alone = {c.ref: (await running.digests.now(c)).digest for c in channels}

    await running.at(MONDAY)

    assert len(channels) == len(running.board.posted)
    for ref, body in running.board.posted:
        assert [card.score for card in alone[ref].cards] == body["scores"]
        assert [card.paper.id for card in alone[ref].cards] == body["papers"]


async def test_the_loop_stays_free_while_many_are_planned(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another task gets its turns between the channels: each is a transaction of its own."""
    plan = running.ledger.plan

    async def plan_elsewhere(*args: Any, unposted: bool) -> bool:
        await asyncio.sleep(0)  # as a store does that has a thread
        return await plan(*args, unposted=unposted)

    monkeypatch.setattr(running.ledger, "plan", plan_elsewhere)
    for n in range(60):
        await running.open(lab(ref=ChannelRef("board", "school", f"c{n}")))
    await arrive(running, 1, MONDAY)
    running.now = MONDAY
    turns = 0

    async def other() -> None:
        nonlocal turns
        while len(running.board.posted) < 60:
            turns += 1
            await asyncio.sleep(0)

    await asyncio.gather(other(), running.tick())

    assert turns >= 60


async def test_a_channel_that_closed_and_was_resumed_gets_what_it_missed(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    running.board.faults = [ChannelGone("the channel is archived")]
    await running.every_morning(0, 1)
    assert running.board.posted == []

    closed = words(await running.say("status", ANN))
    resumed = words(await running.say("resume", ANN))
    await running.at(days(2))

    assert "no posts are taken here since Mon 23 Nov 2026 09:00" in closed
    assert "Why: the channel is archived." in closed
    assert "I post here again" in resumed
    assert "Closed" not in words(await running.say("status", ANN))
    assert running.board.papers() == [["00001"]]


@pytest.mark.parametrize("quiet", ["note", "post"])
async def test_the_owner_is_told_once_of_ten_digests_without_a_paper(
    running: Running, quiet: str
) -> None:
    await running.open(lab(quiet=quiet))
    await arrive(running, 1, MONDAY)
    await running.every_morning(0, 11)  # nine quiet ones after the first
    assert running.board.told == []

    await running.at(days(14))
    await running.every_morning(15, 30)

    [(user, told)] = running.board.told
    assert user == "ann"
    assert "lab had no paper in its last 10 digests" in told
    assert "preview days:30" in told


async def test_a_channel_that_never_had_a_paper_is_silent_from_its_first_digest_on(
    running: Running,
) -> None:
    await running.open(lab())

    await running.every_morning(0, 10)
    assert running.board.told == []
    await running.every_morning(11, 20)

    assert len(running.board.told) == 1


async def test_a_restart_neither_forgets_nor_repeats_that_a_channel_is_silent(
    running: Running,
) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)

    for day in range(22):
        running.restart()
        await running.service.start()
        await running.at(days(day))

    assert len(running.board.told) == 1


async def test_a_paper_ends_the_silence_and_the_count_begins_anew(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    await running.every_morning(0, 8)
    await arrive(running, 2, days(9))

    await running.every_morning(9, 20)
    assert running.board.told == []
    await running.every_morning(21, 30)

    assert len(running.board.told) == 1


async def test_silence_that_cannot_be_told_is_seen_in_status(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    await running.every_morning(0, 8)
    before = words(await running.say("status", ANN))
    running.board.deaf = {"ann": ChannelGone("ann takes no messages")}

    await running.every_morning(9, 14)

    assert "No paper in the last 10 digests" not in before
    assert "No paper in the last 10 digests" in words(await running.say("status", ANN))
    assert running.board.told == []


async def fail(running: Running, source: str, since: datetime) -> None:
    failing = Health(source, last_success=since, last_error=running.now, error="It is down.")
    await running.people.keep(failing)


async def test_an_owner_is_told_once_of_each_long_outage_of_a_source(running: Running) -> None:
    await running.open(lab())
    await running.open(lab(ref=replace(LAB, channel="other")))
    for hours in (1, 24, 25, 26, 90):
        running.now = MONDAY + timedelta(hours=hours)
        await fail(running, "arxiv", MONDAY)
        await running.service.reconcile()
        assert (hours > 24) == len(running.board.told)

    await running.people.keep(Health("arxiv", last_success=days(5)))
    running.now = days(5)
    await running.service.reconcile()
    running.now = days(7)
    await fail(running, "arxiv", days(5))
    await running.service.reconcile()

    assert len(running.board.told) == 2
    assert running.board.told[0][1].startswith("arxiv cannot be read since Mon 23 Nov 2026 09:00")
    assert "It is down." in running.board.told[0][1]


async def test_a_source_that_surprises_keeps_nothing_from_the_others(running: Running) -> None:
    surprising, other = Feed(KeyError("entry")), Feed()
    other.name = "huggingface"
    running.sources += [surprising, other]
    running.restart()

    await running.service.fetch()

    arxiv, huggingface = await running.people.all_health()
    assert arxiv.failing
    assert "not foreseen" in arxiv.error
    assert huggingface.last_success == running.now


async def test_a_source_that_was_taken_away_is_no_outage(running: Running) -> None:
    await running.open(lab())
    await fail(running, "example.org/feed", MONDAY - timedelta(days=3))
    running.sources.append(Feed())  # and no journal any more
    running.restart()

    await running.service.start()
    await running.at(MONDAY)

    assert running.board.told == []
    assert "It is down" not in words(await running.say("status"))
    [(_, body)] = running.board.posted
    assert body["quiet"] != "source_failing"


async def test_time_in_which_nobody_asked_a_source_is_no_outage(running: Running) -> None:
    running.sources.append(Feed())
    await running.open(lab(quiet="post"))
    await running.service.fetch()
    running.sources[:] = [Feed(SourceUnavailable("It is down."))]
    running.restart()  # after a long weekend off
    running.now = days(3) - timedelta(minutes=5)

    await running.service.fetch()
    await running.at(days(3))

    planned = await running.ledger.last_slot(LAB)
    assert running.board.told == []
    assert planned is not None
    assert "cannot be read since 26 November 08:55" in planned.why

    running.restart()
    for hours in (1, 23, 25):
        running.now = days(3) + timedelta(hours=hours)
        await running.service.fetch()
        await running.service.reconcile()
        assert (hours > 24) == len(running.board.told)


@pytest.mark.parametrize(
    ("announced", "told"),
    [
        (23, "1 seen, none matched a subscription. arxiv cannot be read since 24 November 08:55"),
        (24, "1 seen, none matched a subscription."),  # all of that day was read before it failed
    ],
)
async def test_papers_of_another_source_do_not_hide_that_arxiv_fails(
    running: Running, announced: int, told: str
) -> None:
    at = Schedule.parse("daily 9,16", "Europe/Berlin")
    day = MONDAY.date().replace(day=announced)
    await running.open(lab(quiet="post", schedule=at))
    await running.people.keep(Health("arxiv", last_success=MONDAY, announced=day))
    await running.at(MONDAY)
    running.sources.append(Feed(SourceUnavailable("It is down.")))
    running.now = days(1) - timedelta(minutes=5)
    await running.service.fetch()
    await running.listed(paper(1, "A poem"), on=days(1).date(), origin=Origin.HUGGING_FACE)

    await running.at(days(1))

    planned = await running.ledger.last_slot(LAB)
    assert planned is not None
    assert planned.why.startswith(told)
    assert ("It is down." in planned.why) == (announced == 23)

    await running.at(days(1) + timedelta(hours=7))

    body = running.board.posted[-1][1]
    assert body["quiet"] == ("source_failing" if announced == 23 else "no_announcement")


async def test_a_source_that_never_answered_fails_since_it_was_first_seen_to(
    running: Running,
) -> None:
    await running.open(lab())
    await running.people.keep(Health("nature.com", last_error=MONDAY, error="It is down."))

    await running.at(MONDAY)
    assert running.board.told == []
    await running.at(days(1) + timedelta(hours=1))

    assert len(running.board.told) == 1


@pytest.mark.parametrize(
    ("source", "channel", "told"),
    [
        ("huggingface", lab(), 0),
        ("huggingface", lab(trending=3), 1),
        ("arxiv", lab(), 1),
        ("arxiv", lab(subscriptions=()), 0),
        ("arxiv", lab(paused=True), 0),
        ("arxiv", lab(paused=True, paused_until=date(2026, 11, 26)), 0),
        ("arxiv", lab(paused=True, paused_until=date(2026, 11, 25)), 1),
        ("arxiv", lab(schedule=Schedule.parse("off", "UTC")), 0),
    ],
)
async def test_only_who_waits_for_a_source_is_told_of_its_outage(
    running: Running, source: str, channel: Channel, told: int
) -> None:
    await running.open(channel)
    running.now = days(2)
    await fail(running, source, MONDAY)

    await running.service.reconcile()

    assert told == len(running.board.told)


@pytest.mark.parametrize(
    ("fault", "level"),
    [(ChannelGone("ann takes no messages"), "INFO"), (RuntimeError("a fault of ours"), "ERROR")],
)
async def test_one_owner_who_cannot_be_told_keeps_nothing_from_the_others(
    running: Running, caplog: pytest.LogCaptureFixture, fault: Exception, level: str
) -> None:
    caplog.set_level("INFO", "bot")
    await running.open(lab())
    await running.open(lab(ref=replace(LAB, channel="other"), owner="bob"))
    running.board.deaf = {"ann": fault}
    running.now = days(2)
    await fail(running, "arxiv", MONDAY)

    await running.service.reconcile()

    assert [user for user, _ in running.board.told] == ["bob"]
    assert [r.levelname for r in caplog.records if "the owner of" in r.message] == [level]


async def test_the_first_posts_leave_while_others_are_still_planned(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.service._AT_ONCE", 1)
    other = replace(LAB, channel="other")
    await running.open(lab())
    await running.open(lab(ref=other))
    await arrive(running, 1, MONDAY)
    running.now = MONDAY
    planned: list[int] = []
    compose = running.board.compose

    def composing(ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        planned.append(len(running.board.posted))
        return compose(ref, digest)

    running.board.compose = composing  # type: ignore[method-assign]
    ticking = asyncio.create_task(running.service.tick())
    while not ticking.done():
        await running.service.send()
        await asyncio.sleep(0)
    await running.service.send()

    assert planned == [0, 1]
    assert len(running.board.posted) == 2


async def test_a_tick_that_gets_on_is_noted_and_one_that_fails_is_not(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.open(lab())
    assert running.service.ticked_at is None
    running.now = MONDAY
    await running.service.tick()
    assert running.service.ticked_at == MONDAY

    async def fail(*_: object, unposted: bool) -> None:
        raise OSError("the disk is on fire")

    running.now = days(1)
    monkeypatch.setattr(running.ledger, "plan", fail)
    with pytest.raises(OSError, match="on fire"):
        await running.service.tick()
    assert running.service.ticked_at == MONDAY


async def test_a_button_shows_what_a_digest_had_no_room_for(running: Running) -> None:
    shown: list[Digest] = []
    compose = running.board.compose

    def composing(ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        shown.append(digest)
        return compose(ref, digest)

    running.board.compose = composing  # type: ignore[method-assign]
    await running.open(lab(max=1))
    for number in range(1, 14):
        await arrive(running, number, MONDAY)

    await running.at(MONDAY)

    (button,) = shown[0].actions
    assert button.label == "Show 12 more"
    first = await running.say(button.sentence, ANN)
    assert isinstance(first, Listing)
    assert plain(first.title) == "1 to 10 of 12 more"
    assert len(first.cards) == 10
    second = await running.say(first.actions[0].sentence, ANN)
    assert isinstance(second, Listing)
    assert len(second.cards) == 2
    seen = {card.paper.id for card in (*shown[0].cards, *first.cards, *second.cards)}
    assert len(seen) == 13


async def test_a_workspace_that_was_left_a_month_ago_is_forgotten(running: Running) -> None:
    await running.open(lab())
    await running.people.left(LAB.platform, LAB.tenant, running.now)

    await running.at(days(29))
    await running.service.keep_house()
    kept = await running.store.get(LAB)
    await running.at(days(31))
    await running.service.keep_house()

    assert kept is not None
    assert await running.store.get(LAB) is None


async def test_the_status_of_a_silent_channel_says_why_nothing_came(running: Running) -> None:
    await running.open(lab(quiet="silent"))
    await running.listed(paper(1, "A poem"), on=MONDAY.date())

    await running.at(MONDAY)

    assert running.board.posted == []
    told = words(await running.say("status", replace(ANN, ref=LAB)))
    assert "No paper on Mon 23 Nov 2026 09:00: 1 seen, none matched a subscription." in told


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (ChannelGone("I am not in it"), "It could not be posted: I am not in it."),
        (Later("429", after=60), "It is not posted yet, and I try again: 429."),
        (Unknown("no answer"), "Nobody knows yet whether it was posted: no answer."),
    ],
)
@pytest.mark.parametrize("asked", ["digest", "share 2611.00001"])
async def test_what_could_not_be_posted_is_not_called_posted(
    running: Running, fault: Exception, told: str, asked: str
) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    running.announce_by(running.service)
    running.board.faults.append(fault)

    assert told in words(await running.say(asked, replace(ANN, ref=LAB)))


async def test_two_who_ask_for_a_digest_at_once_get_one(running: Running) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    running.announce_by(running.service)
    ann = replace(ANN, ref=LAB)
    await running.digests.profile(lab(owner="ann"))  # so that neither is held up by it

    first, second = await asyncio.gather(running.say("digest", ann), running.say("digest", ann))

    assert running.board.papers() == [["00001"]]
    assert words(first).startswith("Posted to the channel: 1 paper")
    assert words(second).startswith("These papers were posted to the channel a moment ago.")


async def test_a_digest_that_is_asked_for_while_the_slot_is_planned_doubles_nothing(
    running: Running,
) -> None:
    await running.open(lab())
    await arrive(running, 1, MONDAY)
    running.announce_by(running.service)
    running.now = MONDAY + timedelta(seconds=1)
    await running.digests.profile(lab(owner="ann"))

    await asyncio.gather(running.say("digest", replace(ANN, ref=LAB)), running.service.tick())
    await running.service.send()

    assert [p for papers in running.board.papers() for p in papers] == ["00001"]
    next_due = await running.ledger.next_due(LAB)
    assert next_due
    assert next_due.at == days(1)


async def test_two_that_are_asked_for_in_one_moment_are_both_posted(running: Running) -> None:
    await running.open(lab())
    await running.listed(paper(1, "Graphs"), paper(2, "More graphs"))
    channel = await running.store.get(LAB)
    assert channel
    for found in ("arxiv:2611.00001", "arxiv:2611.00002"):
        shown = await running.library.find(found)
        assert shown
        digest = Digest(LAB, running.now, 0, (PaperCard(shown),))
        await running.service.announce(channel, Plan(digest, (found,), 0))
    await running.at(running.now + timedelta(seconds=1))

    assert running.board.papers() == [["00001"], ["00002"]]
