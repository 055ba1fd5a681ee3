"""What people keep, kept answers and the health of sources; written once for both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.storage.sqlite import Store
from bot.model import Caller, ChannelRef
from bot.ports import Health
from tests.fake_people import MemoryPeople

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ANN = Caller(ChannelRef("slack", "T1", "C1"), "ann")
BOB = replace(ANN, user="bob")
ELSEWHERE = replace(ANN, ref=ChannelRef("slack", "T2", "C1"))

People = Store | MemoryPeople


@pytest.fixture(params=["memory", "sqlite"])
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[People]:
    if request.param == "memory":
        yield MemoryPeople()
        return
    async with await Store.open(tmp_path / "paperboy.sqlite3", lambda: NOW) as store:
        yield store


async def test_a_list_is_ones_own_and_newest_first(people: People) -> None:
    await people.put(ANN, "arxiv:1", NOW)
    await people.put(ANN, "arxiv:2", NOW + timedelta(minutes=1))
    await people.put(BOB, "arxiv:3", NOW)

    assert await people.saved(ANN) == ["arxiv:2", "arxiv:1"]
    assert await people.saved(BOB) == ["arxiv:3"]
    assert await people.saved(ELSEWHERE) == []


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


async def test_an_answer_is_kept_for_a_week(people: People) -> None:
    key = await people.keep_answer("search x", NOW)

    assert await people.kept_answer(key, NOW + timedelta(days=7)) == "search x"
    assert await people.kept_answer(key, NOW + timedelta(days=7, seconds=1)) is None
    assert await people.kept_answer("nokey", NOW) is None


async def test_health_is_kept_by_source(people: People) -> None:
    arxiv = Health("arxiv", NOW, NOW - timedelta(days=1), "slow", date(2026, 11, 23), NOW, "{}")

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
