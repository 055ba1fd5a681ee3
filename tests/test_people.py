"""What people keep and say, kept answers, the health of sources; written once for both stores."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.storage.sqlite import Store
from bot.errors import PaperboyError
from bot.model import Caller, ChannelRef, Origin, Paper, Record
from bot.ports import Due, Health, Library, Post
from tests.fake_people import MemoryPeople
from tests.fakes import MemoryLibrary

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ANN = Caller(ChannelRef("slack", "T1", "C1"), "ann")
BOB = replace(ANN, user="bob")
ELSEWHERE = replace(ANN, ref=ChannelRef("slack", "T2", "C1"))

People = Store | MemoryPeople
ALL = 500  # votes


@dataclass(frozen=True, slots=True)
class Place:
    people: People
    library: Library

    async def merge(self, lesser: str, better: str) -> None:
        """Make it known that the two ids are one paper."""
        record = Record(Paper(better, "A title of its own"), Origin.ARXIV_API, aliases=(lesser,))
        await self.library.add([record], today=NOW.date(), live=True)


@pytest.fixture(params=["memory", "sqlite"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "memory":
        library = MemoryLibrary()
        yield Place(MemoryPeople(library), library)
        return
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        yield Place(store, store)


@pytest.fixture
def people(place: Place) -> People:
    return place.people


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


async def test_a_list_is_ones_own_and_newest_first(people: People) -> None:
    await people.put(ANN, "arxiv:1", NOW)
    await people.put(ANN, "arxiv:2", NOW + timedelta(minutes=1))
    await people.put(BOB, "arxiv:3", NOW)

    assert await people.saved(ANN) == ["arxiv:2", "arxiv:1"]
    assert await people.saved(BOB) == ["arxiv:3"]
    assert await people.saved(ELSEWHERE) == []


async def test_what_is_kept_of_a_workspace_goes_once_it_was_left_long_enough(
    people: People,
) -> None:
    await people.put(ANN, "arxiv:1", NOW)
    await people.put(ELSEWHERE, "arxiv:1", NOW)
    await people.vote(ANN, "arxiv:1", 1, NOW)
    await people.left("slack", "T1", NOW)
    await people.left("slack", "T1", later(5))
    await people.left("slack", "T2", later(5))

    assert await people.departed(NOW) == []
    assert await people.departed(later(1)) == [("slack", "T1")]
    assert await people.departed(later(9)) == [("slack", "T1"), ("slack", "T2")]

    await people.drop("slack", "T1")
    await people.returned("slack", "T2")

    assert await people.departed(later(9)) == []
    assert await people.saved(ANN) == []
    assert await people.votes(ANN.ref, 9) == []
    assert await people.saved(ELSEWHERE) == ["arxiv:1"]


async def test_a_channel_with_another_id_keeps_what_was_said_there(people: People) -> None:
    new = replace(ANN.ref, channel="C2")
    await people.vote(ANN, "arxiv:1", 1, NOW)
    await people.vote(ELSEWHERE, "arxiv:1", -1, NOW)
    await people.forget(ANN.ref, "graph")

    for _ in range(2):
        await people.moved(ANN.ref, new)

    assert await people.votes(ANN.ref, ALL) == []
    assert await people.votes(new, ALL) == [("arxiv:1", 1)]
    assert await people.forgotten(new) == {"graph"}
    assert await people.votes(ELSEWHERE.ref, ALL) == [("arxiv:1", -1)]


async def test_a_channel_with_another_id_keeps_what_was_posted_and_planned(tmp_path: Path) -> None:
    new = replace(ANN.ref, channel="C2")
    post = Post("{}", ("arxiv:2",))
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        await store.start(new, 99)  # somebody was there already
        await store.record(ANN.ref, later(-60), ["arxiv:1"], 7)
        await store.plan(ANN.ref, NOW, (post,), 8)
        await store.set_next(Due(ANN.ref, later(60), "daily"))

        await store.moved(ANN.ref, new)

        assert await store.cursor(new) == 8
        assert set(await store.posted(new)) == {"arxiv:1", "arxiv:2"}
        assert await store.next_due(new) == Due(new, later(60), "daily")
        [delivery] = await store.claim(NOW, timedelta(seconds=30), {"slack": None}, 9)
        assert delivery.ref == new
        assert await store.cursor(ANN.ref) is None
        assert await store.next_due(ANN.ref) is None


async def test_who_is_known_on_all_servers_has_one_list_and_erases_all(people: People) -> None:
    here = Caller(ChannelRef("discord", "1", "2"), "7", home="@me")
    there = replace(here, ref=ChannelRef("discord", "9", "2"))
    other = replace(there, user="8")
    await people.put(here, "arxiv:1", NOW)
    for person in (here, there, other):
        await people.vote(person, "arxiv:1", 1, NOW)

    assert await people.saved(there) == ["arxiv:1"]
    assert here.own == there.own == ChannelRef("discord", "@me", "@7")
    await people.drop("discord", "1")
    assert await people.saved(there) == ["arxiv:1"]

    await people.erase(there)

    assert await people.saved(here) == []
    assert await people.votes(here.ref, 9) == []
    assert await people.votes(there.ref, 9) == [("arxiv:1", 1)]


async def test_nothing_of_the_own_channel_of_who_erases_all_is_kept(tmp_path: Path) -> None:
    own = ANN.own
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        for ref in (own, ANN.ref):
            await store.note(ref, by="ann", before=None, after="{}")
            await store.plan(ref, NOW, (Post("{}", ("arxiv:2",)),), 8, Due(ref, later(60), "daily"))

        await store.erase(ANN)

        assert await store.history(own) == []
        assert await store.deliveries(own, 9) == []
        assert await store.posted(own) == {}
        assert await store.cursor(own) is None
        assert await store.next_due(own) is None
        assert [change.by for change in await store.history(ANN.ref)] == [""]
        assert len(await store.deliveries(ANN.ref, 9)) == 1


async def test_saving_twice_and_dropping_twice_are_told(people: People) -> None:
    saved = [await people.put(ANN, "arxiv:1", NOW) for _ in range(2)]
    dropped = [await people.take(ANN, "arxiv:1") for _ in range(2)]

    assert saved == [True, False]
    assert dropped == [True, False]


async def test_the_list_is_the_same_in_every_channel_of_a_workspace(people: People) -> None:
    await people.put(ANN, "arxiv:1", NOW)

    other = replace(ANN, ref=ChannelRef("slack", "T1", "@ann"))

    assert await people.saved(other) == ["arxiv:1"]


async def test_erasing_takes_one_person_only(people: People) -> None:
    await people.put(ANN, "arxiv:1", NOW)
    await people.put(BOB, "arxiv:1", NOW)

    await people.erase(ANN)

    assert await people.saved(ANN) == []
    assert await people.saved(BOB) == ["arxiv:1"]


async def test_a_person_has_one_vote_on_a_paper_in_each_channel(people: People) -> None:
    there = replace(ANN, ref=ChannelRef("slack", "T1", "C2"))

    before = [await people.vote(ANN, "arxiv:1", value, NOW) for value in (1, 1, -1, 0, 0)]
    await people.vote(there, "arxiv:1", 1, NOW)

    assert before == [0, 1, 1, -1, 0]
    assert await people.votes(ANN.ref, ALL) == []
    assert await people.votes(there.ref, ALL) == [("arxiv:1", 1)]


async def test_votes_of_several_people_are_summed_and_those_that_cancel_out_are_gone(
    people: People,
) -> None:
    await people.vote(ANN, "arxiv:1", 1, later(1))
    await people.vote(BOB, "arxiv:1", 1, later(2))
    await people.vote(ANN, "arxiv:2", -1, later(3))
    await people.vote(ANN, "arxiv:3", 1, later(4))
    await people.vote(BOB, "arxiv:3", -1, later(5))

    assert await people.votes(ANN.ref, ALL) == [("arxiv:2", -1), ("arxiv:1", 2)]


async def test_the_papers_voted_on_last_come_first_and_are_those_that_count(
    people: People,
) -> None:
    for n in range(5):
        await people.vote(ANN, f"arxiv:{n}", 1, later(n))
    await people.vote(BOB, "arxiv:0", 1, later(9))

    assert await people.votes(ANN.ref, 3) == [("arxiv:0", 2), ("arxiv:4", 1), ("arxiv:3", 1)]


async def test_a_vote_follows_its_paper_to_a_better_id(place: Place) -> None:
    await place.people.vote(ANN, "doi:10.1/x", 1, NOW)
    await place.merge("doi:10.1/x", "arxiv:2611.00001")

    assert await place.people.votes(ANN.ref, ALL) == [("arxiv:2611.00001", 1)]
    assert await place.people.vote(ANN, "arxiv:2611.00001", -1, later(1)) == 1
    assert await place.people.votes(ANN.ref, ALL) == [("arxiv:2611.00001", -1)]
    assert await place.people.vote(ANN, "doi:10.1/x", 0, later(2)) == -1
    assert await place.people.votes(ANN.ref, ALL) == []


async def test_of_two_papers_that_turn_out_to_be_one_the_later_vote_of_a_person_holds(
    place: Place,
) -> None:
    await place.people.vote(ANN, "arxiv:2611.00001", 1, NOW)
    await place.people.vote(BOB, "arxiv:2611.00001", 1, NOW)
    await place.people.vote(ANN, "doi:10.1/x", -1, later(1))
    await place.people.vote(BOB, "doi:10.1/x", 1, later(1))
    await place.people.vote(BOB, "arxiv:2611.00002", 1, later(2))
    await place.merge("doi:10.1/x", "arxiv:2611.00001")

    # Ann's are at odds, Bob's agree: his counts once
    assert await place.people.votes(ANN.ref, ALL) == [("arxiv:2611.00002", 1)]
    assert await place.people.vote(ANN, "arxiv:2611.00001", 0, later(3)) == -1
    assert await place.people.votes(ANN.ref, ALL) == [
        ("arxiv:2611.00002", 1),
        ("arxiv:2611.00001", 1),
    ]


async def test_a_forgotten_word_is_the_channels_and_goes_with_all_votes(people: People) -> None:
    await people.vote(ANN, "arxiv:1", 1, NOW)
    await people.vote(BOB, "arxiv:2", 1, NOW)
    await people.vote(ELSEWHERE, "arxiv:1", 1, NOW)
    for stem in ("attent", "draft", "attent"):
        await people.forget(ANN.ref, stem)
    await people.forget(ELSEWHERE.ref, "other")

    assert await people.forgotten(ANN.ref) == {"attent", "draft"}
    await people.forget_all(ANN.ref)

    assert await people.forgotten(ANN.ref) == frozenset()
    assert await people.votes(ANN.ref, ALL) == []
    assert await people.forgotten(ELSEWHERE.ref) == {"other"}
    assert await people.votes(ELSEWHERE.ref, ALL) == [("arxiv:1", 1)]


async def test_erasing_takes_a_persons_votes_in_every_channel_and_nobody_elses(
    people: People,
) -> None:
    there = replace(ANN, ref=ChannelRef("slack", "T1", "C2"))
    own = replace(ANN, ref=ChannelRef("slack", "T1", "@ann"))
    for person in (ANN, there, own, BOB, ELSEWHERE):
        await people.vote(person, "arxiv:1", 1, NOW)
        await people.forget(person.ref, "attent")

    await people.erase(ANN)

    assert await people.votes(ANN.ref, ALL) == [("arxiv:1", 1)]  # Bob's
    assert await people.votes(there.ref, ALL) == []
    assert await people.votes(own.ref, ALL) == []
    assert await people.votes(ELSEWHERE.ref, ALL) == [("arxiv:1", 1)]
    assert await people.forgotten(own.ref) == frozenset()
    assert await people.forgotten(there.ref) == {"attent"}


async def test_clearing_that_breaks_off_leaves_everything(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        await store.vote(ANN, "arxiv:1", 1, NOW)
        await store.forget(ANN.ref, "attent")
        refuse = (
            "CREATE TRIGGER refuse BEFORE DELETE ON forgotten BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
        await store._do(lambda db: db.execute(refuse))

        with pytest.raises((PaperboyError, sqlite3.Error)):
            await store.forget_all(ANN.ref)

        assert await store.votes(ANN.ref, ALL) == [("arxiv:1", 1)]
        assert await store.forgotten(ANN.ref) == {"attent"}


async def test_votes_are_there_after_closing(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        await store.vote(ANN, "arxiv:1", 1, NOW)
        await store.forget(ANN.ref, "attent")

    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW, readonly=True) as store:
        assert await store.votes(ANN.ref, ALL) == [("arxiv:1", 1)]
        assert await store.forgotten(ANN.ref) == {"attent"}


async def test_an_answer_is_kept_for_a_week(people: People) -> None:
    key = await people.keep_answer("search x", NOW)

    assert await people.kept_answer(key, NOW + timedelta(days=7)) == "search x"
    assert await people.kept_answer(key, NOW + timedelta(days=7, seconds=1)) is None
    assert await people.kept_answer("nokey", NOW) is None


async def test_the_health_of_sources_that_are_asked_no_more_is_dropped(people: People) -> None:
    for name in ("arxiv", "huggingface", "example.org/feed"):
        await people.keep(Health(name, last_error=NOW, error="It is down."))

    await people.keep_only(["arxiv", "other.example/feed"])

    assert [health.name for health in await people.all_health()] == ["arxiv"]


async def test_health_is_kept_by_source(people: People) -> None:
    arxiv = Health(
        "arxiv", NOW, NOW - timedelta(days=1), "slow", date(2026, 11, 23), NOW, "{}", NOW
    )

    assert await people.health("arxiv") == Health("arxiv")
    await people.keep(arxiv)
    await people.keep(Health("huggingface"))
    await people.keep(replace(arxiv, error=""))

    assert await people.all_health() == [replace(arxiv, error=""), Health("huggingface")]


async def test_erasing_blanks_the_person_in_the_changes(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        await store.note(ANN.ref, by="ann", before=None, after="{}")
        await store.note(ANN.ref, by="bob", before="{}", after="{}")
        await store.erase(ANN)

        history = await store.history(ANN.ref)

    assert [change.by for change in history] == ["bob", ""]


async def test_what_a_platform_delivers_twice_is_first_once(people: People) -> None:
    assert await people.first("event Ev1", NOW)
    assert not await people.first("event Ev1", later(60))
    assert await people.first("event Ev2", later(60))
    assert await people.first("event Ev1", NOW + timedelta(days=1, minutes=1))
