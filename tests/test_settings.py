"""People's settings: the contract of every channel store, and what the TinyDB files must survive."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from adapters.storage import settings
from adapters.storage.settings import TinyChannelStore, file_name, from_json, to_json
from adapters.storage.sqlite import Store
from bot.errors import StorageBusy, StorageDamaged, StorageFailed, UserError
from bot.model import Channel, ChannelRef, Subscription
from bot.options import change
from bot.ports import ChannelStore
from bot.query import parse
from bot.schedule import Schedule
from tests.fake_store import MemoryChannelStore
from tests.fakes import MemoryChangeLog
from tests.soak.settings_kill import Result, kill_loop

KILLS = 25  # the release runs 1,000: python -m tests.soak.settings_kill
COROUTINES, UPDATES = 64, 5  # 64 x 100 holds as well, and takes two minutes

MAIN = ChannelRef("slack", "T1", "C1")
OTHER = ChannelRef("slack", "T1", "C2")
ELSEWHERE = ChannelRef("discord", "77", "C1")


def now() -> datetime:
    return datetime(2026, 11, 23, 9, tzinfo=UTC)


def with_queries(channel: Channel, *queries: str) -> Channel:
    """The channel with these subscriptions and no others, as `subscribe` would number them."""
    number = channel.next_number
    added = tuple(Subscription(number + i, parse(text)) for i, text in enumerate(queries))
    return replace(channel, subscriptions=added, next_number=number + len(queries))


def queries_of(channel: Channel | None) -> list[str]:
    assert channel is not None
    return [str(subscription.query) for subscription in channel.subscriptions]


# The contract


@pytest.fixture(params=["memory", "tinydb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ChannelStore]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryChannelStore()
        else:
            log = await stack.enter_async_context(await Store.open(tmp_path / "changes", now))
            folder = tmp_path / "settings"
            yield await stack.enter_async_context(await TinyChannelStore.open(folder, log))


async def test_an_unknown_channel_is_none(store: ChannelStore) -> None:
    assert await store.get(MAIN) is None
    assert await store.all() == []


async def test_what_is_saved_is_read_back(store: ChannelStore) -> None:
    channel = with_queries(Channel(MAIN, layout="thread", owner="ann"), "diffusion -survey")

    await store.save(channel, "ann")

    assert await store.get(MAIN) == channel


async def test_all_channels_come_in_the_order_of_their_names(store: ChannelStore) -> None:
    for ref in (OTHER, ELSEWHERE, MAIN):
        await store.save(Channel(ref), "ann")

    assert [channel.ref for channel in await store.all()] == [ELSEWHERE, MAIN, OTHER]


async def test_who_makes_the_first_change_owns_the_channel(store: ChannelStore) -> None:
    await store.save(Channel(MAIN), "ann")
    await store.save(Channel(MAIN, max=3), "bob")

    channel = await store.get(MAIN)
    assert channel is not None
    assert (channel.owner, channel.max) == ("ann", 3)


@pytest.mark.parametrize(
    ("ref", "unfurl", "ping"),
    [
        (ChannelRef("discord", "5", "8"), False, "55@60"),
        (ChannelRef("discord", "6", "9"), False, ""),  # roles belong to a server
        (ChannelRef("slack", "5", "C9"), True, ""),
    ],
)
async def test_settings_from_elsewhere_leave_out_what_is_understood_only_there(
    store: ChannelStore, ref: ChannelRef, unfurl: bool, ping: str
) -> None:
    there = ChannelRef("discord", "5", "9")
    await store.save(Channel(there, unfurl=True, ping="55@60", max=7), "ann")

    loaded = await store.load(ref, await store.dump(there), "ann")

    assert loaded == await store.get(ref)
    assert (loaded.unfurl, loaded.ping, loaded.max) == (unfurl, ping, 7)


async def test_numbers_never_go_back(store: ChannelStore) -> None:
    await store.save(with_queries(Channel(MAIN), "diffusion", "reward"), "ann")
    await store.save(Channel(MAIN), "ann")

    channel = await store.get(MAIN)
    assert channel is not None
    assert channel.next_number == 3


async def test_undo_takes_the_last_change_back_and_tells_both_states(store: ChannelStore) -> None:
    await store.save(Channel(MAIN, max=3), "ann")
    first = await store.get(MAIN)
    await store.save(Channel(MAIN, max=4), "ann")
    second = await store.get(MAIN)

    assert await store.undo(MAIN, "bob") == (second, first)
    assert await store.get(MAIN) == first


async def test_a_second_undo_goes_one_change_further_back(store: ChannelStore) -> None:
    for most in (3, 4, 5):
        await store.save(Channel(MAIN, max=most), "ann")

    found = [await store.undo(MAIN, "ann") for _ in range(4)]

    maxima = [(was and was.max, now and now.max) for was, now in filter(None, found)]
    assert maxima == [(5, 4), (4, 3), (3, None)]
    assert found[3] is None
    assert await store.get(MAIN) is None


async def test_a_long_chain_of_undos_reaches_the_first_change(store: ChannelStore) -> None:
    for most in range(1, 71):
        await store.save(Channel(MAIN, max=most), "ann")

    undone = [await store.undo(MAIN, "ann") for _ in range(71)]

    assert [bool(each) for each in undone] == [*[True] * 70, False]
    assert await store.get(MAIN) is None


async def test_after_an_undo_new_changes_are_undone_first(store: ChannelStore) -> None:
    await store.save(Channel(MAIN, max=3), "ann")
    await store.save(Channel(MAIN, max=4), "ann")
    await store.undo(MAIN, "ann")
    await store.save(Channel(MAIN, max=5), "ann")

    found = [await store.undo(MAIN, "ann") for _ in range(3)]

    maxima = [(was and was.max, now and now.max) for was, now in filter(None, found)]
    assert maxima == [(5, 3), (3, None)]


async def test_a_change_and_its_opposite_are_undone_one_by_one(store: ChannelStore) -> None:
    for most in (3, 4, 3):
        await store.save(Channel(MAIN, max=most), "ann")

    found = [await store.undo(MAIN, "ann") for _ in range(4)]

    maxima = [(was and was.max, now and now.max) for was, now in filter(None, found)]
    assert maxima == [(3, 4), (4, 3), (3, None)]


async def test_saving_what_holds_already_is_no_change(store: ChannelStore) -> None:
    await store.save(Channel(MAIN, max=3), "ann")
    await store.save(Channel(MAIN, max=3), "bob")

    undone = await store.undo(MAIN, "ann")

    assert undone is not None
    assert undone[1] is None


async def test_undo_of_a_subscription_does_not_give_its_number_again(store: ChannelStore) -> None:
    await store.save(with_queries(Channel(MAIN), "diffusion"), "ann")
    first = await store.get(MAIN)
    assert first is not None
    await store.save(with_queries(first, "reward", "agents"), "ann")

    await store.undo(MAIN, "ann")

    assert await store.get(MAIN) == replace(first, next_number=4)


async def test_undo_goes_on_beyond_a_change_whose_number_was_kept(store: ChannelStore) -> None:
    await store.save(Channel(MAIN, max=3), "ann")
    for query in ("diffusion", "reward"):
        channel = await store.get(MAIN)
        assert channel is not None
        await store.save(with_queries(channel, query), "ann")

    found = [await store.undo(MAIN, "ann") for _ in range(4)]

    assert [now and queries_of(now) for _, now in filter(None, found)] == [["diffusion"], [], None]
    assert found[3] is None


async def test_an_undo_that_changes_nothing_lets_the_next_go_further_back(
    store: ChannelStore,
) -> None:
    await store.save(Channel(MAIN, max=3), "ann")
    await store.save(Channel(MAIN, max=3, next_number=9), "ann")
    channel = await store.get(MAIN)

    assert await store.undo(MAIN, "ann") == (channel, channel)
    assert await store.undo(MAIN, "ann") == (channel, None)


async def test_a_removed_channel_is_gone_until_it_is_undone(store: ChannelStore) -> None:
    await store.save(Channel(MAIN, max=3), "ann")
    channel = await store.get(MAIN)

    await store.remove(MAIN, "bob")
    assert await store.get(MAIN) is None

    assert await store.undo(MAIN, "ann") == (None, channel)
    assert await store.get(MAIN) == channel


async def test_a_workspace_that_is_dropped_leaves_nothing_to_undo(store: ChannelStore) -> None:
    strange = Channel(ChannelRef("slack", "T9", "C1"))
    for changed in (Channel(MAIN), Channel(MAIN, max=3), Channel(OTHER), strange):
        await store.save(changed, "ann")

    for _ in range(2):
        await store.drop(MAIN.platform, MAIN.tenant)

    assert [channel.ref for channel in await store.all()] == [strange.ref]
    await store.save(Channel(MAIN, max=7), "bob")
    channel = await store.get(MAIN)
    assert channel is not None
    assert (channel.max, channel.owner) == (7, "bob")


async def test_removing_an_unknown_channel_does_nothing(store: ChannelStore) -> None:
    await store.remove(MAIN, "ann")

    assert await store.undo(MAIN, "ann") is None


async def test_a_channel_that_was_taken_back_gives_its_numbers_to_nobody(
    store: ChannelStore,
) -> None:
    await store.save(Channel(MAIN, next_number=4), "ann")
    free_before = await store.free_number(MAIN)
    await store.undo(MAIN, "ann")

    assert (free_before, await store.free_number(MAIN)) == (4, 4)
    assert await store.free_number(OTHER) == 1


async def test_undo_touches_its_own_channel_only(store: ChannelStore) -> None:
    await store.save(Channel(OTHER), "ann")

    assert await store.undo(MAIN, "ann") is None
    assert len(await store.all()) == 1


async def test_a_full_workspace_takes_no_more_subscriptions(store: ChannelStore) -> None:
    texts = [f"keyword{n}" for n in range(50)]
    for number in range(10):
        ref = replace(MAIN, channel=f"C{number}")
        await store.save(with_queries(Channel(ref), *texts), "ann")

    with pytest.raises(UserError, match="500 subscriptions and no room for 1 more"):
        await store.save(with_queries(Channel(replace(MAIN, channel="new")), "reward"), "ann")

    assert await store.get(replace(MAIN, channel="new")) is None
    await store.save(with_queries(Channel(ELSEWHERE), "reward"), "ann")  # another workspace
    full = await store.get(MAIN)
    assert full is not None
    await store.save(with_queries(full, *texts[:49]), "ann")  # fewer is always possible
    with pytest.raises(UserError):
        await store.save(with_queries(full, *texts, "reward"), "ann")


# The files


def options(ref: ChannelRef = MAIN) -> Channel:
    return Channel(
        ref,
        (Subscription(2, parse('"tool use"|agents cat:cs.CL'), 2.5, "Werkzeuge für Žižek"),),
        (parse("survey"),),
        Schedule.parse("mon,thu 17:30,08:00", "Europe/Berlin"),
        max=7,
        strictness=2.5,
        layout="cards",
        quiet="silent",
        trending=3,
        who="@ann,@bob",
        paused=True,
        paused_until=date(2027, 1, 4),
        next_number=5,
        owner="ann",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "settings"


@pytest.fixture
def log() -> MemoryChangeLog:
    return MemoryChangeLog(now)


async def save(folder: Path, *channels: Channel) -> None:
    async with await TinyChannelStore.open(folder, MemoryChangeLog(now)) as store:
        for channel in channels:
            await store.save(channel, "ann")


def edit(path: Path, **fields: Any) -> None:
    """Change the one channel in the file as somebody with an editor would; no copy is left."""
    state = json.loads(path.read_bytes())
    state["channels"]["1"].update(fields)
    path.write_text(json.dumps(state), "utf-8")
    path.with_name(path.name + ".bak").unlink(missing_ok=True)


def image_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


async def test_every_setting_is_there_after_a_restart(folder: Path, log: MemoryChangeLog) -> None:
    await save(folder, options(), options(ELSEWHERE))

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.all() == [options(ELSEWHERE), options()]
    assert sorted(image_of(folder)) == ["discord-77.json", "slack-T1.json"]


async def test_changes_can_be_undone_after_a_restart(folder: Path, log: MemoryChangeLog) -> None:
    for most in (3, 4):
        async with await TinyChannelStore.open(folder, log) as store:
            await store.save(Channel(MAIN, max=most), "ann")

    async with await TinyChannelStore.open(folder, log) as store:
        await store.undo(MAIN, "ann")

    async with await TinyChannelStore.open(folder, log) as store:
        assert [channel.max for channel in await store.all()] == [3]


async def test_no_copy_of_a_dropped_workspace_stays(folder: Path, log: MemoryChangeLog) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        for most in (1, 2, 3):
            await store.save(Channel(MAIN, max=most), "ann")
        (folder / f"{file_name(MAIN)}.corrupt-1").write_text("{")

        await store.drop(MAIN.platform, MAIN.tenant)

        assert not [*folder.iterdir()]  # noqa: ASYNC240

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.all() == []


async def test_a_removed_channel_stays_away_after_a_restart(
    folder: Path, log: MemoryChangeLog
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN), "ann")
        await store.save(Channel(OTHER), "ann")
        await store.remove(MAIN, "ann")

    async with await TinyChannelStore.open(folder, log) as store:
        assert [channel.ref for channel in await store.all()] == [OTHER]


CHANNELS = st.builds(
    Channel,
    ref=st.just(MAIN),
    subscriptions=st.lists(
        st.builds(
            Subscription,
            number=st.integers(1, 60),
            query=st.sampled_from(
                ['"tool use"|agents', "diffusion -survey", 'author:"Yejin Choi"', "reward*"]
            ).map(parse),
            weight=st.floats(0.1, 10),
            label=st.text(max_size=20),
        ),
        max_size=3,
        unique_by=lambda subscription: subscription.number,
    ).map(tuple),
    muted=st.lists(st.sampled_from(["survey", '"deep learning"']).map(parse)).map(tuple),
    schedule=st.one_of(
        st.just(Schedule(zone="Asia/Tokyo")),
        st.builds(
            Schedule,
            days=st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple),
            times=st.sets(
                st.builds(time, st.integers(0, 23), st.integers(0, 59)), min_size=1, max_size=6
            )
            .map(sorted)
            .map(tuple),
            zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"]),
        ),
        st.builds(Schedule, month_day=st.integers(1, 28)),
    ),
    max=st.integers(1, 50),
    strictness=st.one_of(st.sampled_from(["loose", "normal", "strict"]), st.floats(0.1, 9)),
    trending=st.integers(0, 20),
    paused=st.booleans(),
    paused_until=st.one_of(st.none(), st.dates()),
    next_number=st.just(61),
    owner=st.text(max_size=10),
)


@given(CHANNELS)
def test_a_channel_survives_json(channel: Channel) -> None:
    text = json.dumps(to_json(channel))

    assert from_json(json.loads(text)) == channel


@pytest.mark.parametrize("typed", ["0", "0.1", "10"])
async def test_every_strictness_that_can_be_set_is_kept(store: ChannelStore, typed: str) -> None:
    channel = change(Channel(MAIN), "strictness", typed)

    await store.save(channel, "ann")

    kept = await store.get(MAIN)
    assert kept is not None
    assert kept.strictness == float(typed)
    assert from_json(to_json(kept)) == kept


def test_a_whole_number_of_strictness_is_a_number_like_the_others() -> None:
    strictness = from_json(to_json(Channel(MAIN)) | {"strictness": 3}).strictness

    assert (type(strictness), strictness) == (float, 3.0)


KEYS = st.text(
    st.characters(categories=["L", "N"], include_characters="._-@"), min_size=1, max_size=80
).filter(lambda text: all(c.isalnum() or c in "._-@" for c in text))
SIMILAR = st.text(st.sampled_from("aAbB1-_.@"), min_size=1, max_size=4)


@given(st.one_of(st.tuples(KEYS, KEYS, KEYS, KEYS), st.tuples(SIMILAR, SIMILAR, SIMILAR, SIMILAR)))
def test_two_workspaces_never_share_a_file(keys: tuple[str, str, str, str]) -> None:
    platform, tenant, other_platform, other_tenant = keys
    one = file_name(ChannelRef(platform, tenant, "C1"))
    other = file_name(ChannelRef(other_platform, other_tenant, "C1"))

    # macOS and Windows take two names that differ in case for one
    same = one.casefold() == other.casefold()

    assert same == ((platform, tenant) == (other_platform, other_tenant))
    assert one.isascii()
    assert not set(one) & set('/\\:*?"<>|')
    assert len(f"{one}.corrupt-1234567890123") <= 255


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("slack:T0123ABC:C1", "slack-T0123ABC.json"),
        ("discord:81384788765712384:1", "discord-81384788765712384.json"),
        ("discord:@me:@5", "discord-@me.json"),
        ("terminal:local:main", "terminal-local.json"),
        ("slack:t0123abc:C1", "slack_t0123abc~41c1ec6321d9ad8b.json"),
    ],
)
def test_ids_as_platforms_write_them_stand_in_the_file_name(ref: str, name: str) -> None:
    assert file_name(ChannelRef.parse(ref)) == name


async def test_workspaces_that_differ_in_case_only_are_kept_apart(
    folder: Path, log: MemoryChangeLog
) -> None:
    lower = replace(MAIN, tenant="t1")
    await save(folder, Channel(MAIN, owner="ann"), Channel(lower, owner="ann"))

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.all() == [Channel(MAIN, owner="ann"), Channel(lower, owner="ann")]


async def test_many_coroutines_write_and_nothing_is_lost(
    folder: Path, log: MemoryChangeLog
) -> None:
    async def write(store: TinyChannelStore, number: int) -> None:
        for update in range(UPDATES):
            tenant = f"T{(number + update) % COROUTINES}"  # each file is everybody's
            ref = ChannelRef("slack", tenant, f"C{number}-{update}")
            await store.save(Channel(ref), f"U{number}")

    async with await TinyChannelStore.open(folder, log) as store:
        await asyncio.gather(*(write(store, number) for number in range(COROUTINES)))
        written = await store.all()

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.all() == written
    assert len(written) == COROUTINES * UPDATES


async def test_many_changes_of_one_channel_are_noted_one_after_the_other(
    folder: Path, log: MemoryChangeLog
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        await asyncio.gather(*(store.save(Channel(MAIN, max=n), "ann") for n in range(1, 21)))

    history = await log.history(MAIN)
    assert [change.before for change in history[:-1]] == [c.after for c in history[1:]]
    assert len(history) == 20


async def test_a_save_is_finished_even_where_nobody_waits_for_it(folder: Path) -> None:
    class SlowLog(MemoryChangeLog):
        async def note(self, *args: Any, **kwargs: Any) -> Any:
            noting.set()
            await go_on.wait()
            return await super().note(*args, **kwargs)

    noting, go_on = asyncio.Event(), asyncio.Event()
    async with await TinyChannelStore.open(folder, SlowLog(now)) as store:
        saving = asyncio.create_task(store.save(Channel(MAIN, owner="ann"), "ann"))
        await noting.wait()
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        go_on.set()

    async with await TinyChannelStore.open(folder, SlowLog(now)) as store:
        assert await store.get(MAIN) == Channel(MAIN, owner="ann")


def test_a_killed_process_loses_no_setting_that_it_acknowledged(folder: Path) -> None:
    result = kill_loop(folder, KILLS)

    assert result == Result(KILLS, result.acknowledged, result.in_a_write)
    assert result.acknowledged > 0


async def test_a_change_that_never_reached_the_file_is_not_undone(
    folder: Path, log: MemoryChangeLog
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN, max=3), "ann")
        await store.save(Channel(MAIN, max=4), "ann")
        newest = (await log.history(MAIN))[0]
        assert newest.after is not None
        never = newest.after.replace('"max": 4', '"max": 5')
        await log.note(MAIN, by="ann", before=newest.after, after=never)  # then a crash

        undone = await store.undo(MAIN, "ann")

    assert undone is not None
    assert [channel and channel.max for channel in undone] == [4, 3]


async def test_an_undo_that_never_reached_the_file_can_be_done_again(
    folder: Path, log: MemoryChangeLog
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN, max=3), "ann")
        await store.save(Channel(MAIN, max=4), "ann")
        newest = (await log.history(MAIN))[0]
        await log.note(
            MAIN, by="ann", before=newest.after, after=newest.before, undoes=newest.id
        )  # then a crash

        found = [await store.undo(MAIN, "ann") for _ in range(2)]

    assert [now and now.max for _, now in filter(None, found)] == [3, None]


async def test_an_undo_is_noted_as_what_it_undoes(folder: Path, log: MemoryChangeLog) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN), "ann")
        await store.undo(MAIN, "bob")

    undo, first = await log.history(MAIN)
    assert (undo.by, undo.before, undo.after) == ("bob", first.after, None)
    assert undo.undoes == first.id


async def test_a_change_is_noted_before_it_is_written(folder: Path) -> None:
    class FullLog(MemoryChangeLog):
        async def note(self, *args: Any, **kwargs: Any) -> Any:
            raise StorageFailed("The disk is full.")

    async with await TinyChannelStore.open(folder, FullLog(now)) as store:
        with pytest.raises(StorageFailed):
            await store.save(Channel(MAIN), "ann")

        assert await store.get(MAIN) is None
    assert image_of(folder) == {}


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link", "replace"])
async def test_a_full_disk_leaves_file_and_memory_as_they_were(
    folder: Path, log: MemoryChangeLog, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN, max=3), "ann")
        before = await store.all()
        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            with pytest.raises(StorageFailed, match="No space left on device"):
                await store.save(Channel(MAIN, max=4), "ann")
            with pytest.raises(StorageFailed):
                await store.remove(MAIN, "ann")
        assert await store.all() == before
        async with await TinyChannelStore.open(folder, log, readonly=True) as reader:
            assert await reader.all() == before

        await store.save(Channel(MAIN, max=5), "ann")
        undone = await store.undo(MAIN, "ann")

    assert undone is not None
    assert [channel and channel.max for channel in undone] == [5, 3]


# Damage


async def test_a_damaged_workspace_is_refused_and_the_others_work_on(
    folder: Path, log: MemoryChangeLog, caplog: pytest.LogCaptureFixture
) -> None:
    await save(folder, Channel(MAIN), Channel(ELSEWHERE, owner="ann"))
    path = folder / "slack-T1.json"
    path.write_bytes(b"")
    before = image_of(folder)

    async with await TinyChannelStore.open(folder, log) as store:
        for asked in (
            store.get(MAIN),
            store.save(Channel(OTHER), "ann"),
            store.undo(MAIN, "ann"),
            store.remove(MAIN, "ann"),
            store.export_all(),
            store.restore({"paperboy": 1, "channels": [to_json(Channel(MAIN))]}, "ann"),
        ):
            with pytest.raises(StorageDamaged) as caught:
                await asked
            assert f"{path}.bak" in caught.value.message
            assert "paperboy restore" in caught.value.hint

        assert await store.all() == [Channel(ELSEWHERE, owner="ann")]
    assert image_of(folder) == before
    assert [(r.levelname, str(path) in r.message) for r in caplog.records] == [("ERROR", True)]


async def test_a_folder_that_cannot_be_read_leaves_no_thread_behind(
    folder: Path, log: MemoryChangeLog
) -> None:
    (folder / "slack-T1.json").mkdir(parents=True)
    threads = threading.active_count()

    with pytest.raises(StorageFailed):
        await TinyChannelStore.open(folder, log)

    assert threading.active_count() == threads


async def test_a_lost_file_comes_back_from_its_copy(folder: Path, log: MemoryChangeLog) -> None:
    await save(folder, Channel(MAIN, max=3, owner="ann"), Channel(OTHER))
    (folder / "slack-T1.json").unlink()

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.all() == [Channel(MAIN, max=3, owner="ann")]


async def test_a_first_write_that_was_killed_leaves_nothing_behind(
    folder: Path, log: MemoryChangeLog
) -> None:
    await save(folder, Channel(MAIN))
    (folder / "slack-T1.json").rename(folder / "slack-T1.json.tmp")

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.all() == []
    assert image_of(folder) == {}


WRONG: list[dict[str, Any]] = [
    {"subscriptions": {}},
    {"subscriptions": [{"number": 1}]},
    {"subscriptions": [5]},
    {"subscriptions": [{"number": 0, "query": "a", "weight": 1.0, "label": ""}]},
    {"subscriptions": [{"number": 1, "query": "a", "weight": 0, "label": ""}]},
    {"subscriptions": [{"number": 1, "query": "a", "weight": 1, "label": ""}] * 2},
    {"muted": [7]},
    {"max": "ten"},
    {"max": 0},
    {"max": True},
    {"trending": -1},
    {"strictness": "lenient"},
    {"strictness": -2.5},
    {"layout": "wide"},
    {"quiet": "loud"},
    {"paused_until": "soon"},
    {"next_number": 0},
    {"version": 0},
    {"version": "1"},
    {"channel": "a:b"},
    {"channel": "slack:T2:C1"},  # in the wrong file
]


@pytest.mark.parametrize("fields", WRONG, ids=str)
async def test_a_document_of_the_wrong_shape_is_damage(
    folder: Path, log: MemoryChangeLog, fields: dict[str, Any]
) -> None:
    await save(folder, Channel(MAIN, next_number=9))
    edit(folder / "slack-T1.json", **fields)
    before = image_of(folder)

    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(StorageDamaged):
            await store.get(MAIN)
    assert image_of(folder) == before


async def test_a_channel_that_a_file_holds_twice_is_damage(
    folder: Path, log: MemoryChangeLog
) -> None:
    await save(folder, Channel(MAIN), Channel(OTHER))
    edit(folder / "slack-T1.json", channel=str(OTHER))

    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(StorageDamaged, match="document 2 does not belong here: slack:T1:C2"):
            await store.get(OTHER)


async def test_a_document_of_the_wrong_shape_falls_back_to_the_last_good_copy(
    folder: Path, log: MemoryChangeLog
) -> None:
    await save(folder, Channel(MAIN, max=3, owner="ann"))
    good = (folder / "slack-T1.json").read_bytes()
    edit(folder / "slack-T1.json", max="ten")
    (folder / "slack-T1.json.bak").write_bytes(good)

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.get(MAIN) == Channel(MAIN, max=3, owner="ann")


@pytest.mark.parametrize("newer", [{"version": 2}, {"mood": "sunny"}], ids=str)
async def test_what_a_newer_version_wrote_is_refused_and_not_dropped(
    folder: Path, log: MemoryChangeLog, newer: dict[str, Any]
) -> None:
    await save(folder, Channel(MAIN), Channel(MAIN, max=3))
    good = (folder / "slack-T1.json").read_bytes()
    edit(folder / "slack-T1.json", **newer)
    (folder / "slack-T1.json.bak").write_bytes(good)  # it is no damage: no falling back
    before = image_of(folder)

    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(StorageDamaged, match="written by a newer Paperboy") as caught:
            await store.save(Channel(MAIN), "ann")

    assert str(folder / "slack-T1.json") in caught.value.message
    assert image_of(folder) == before


UNREADABLE = {"number": 2, "query": "colour:red", "weight": 2.0, "label": "mine"}


async def test_a_query_that_no_longer_parses_is_left_out_and_kept_in_the_file(
    folder: Path, log: MemoryChangeLog, caplog: pytest.LogCaptureFixture
) -> None:
    await save(folder, with_queries(Channel(MAIN), "diffusion"))
    path = folder / "slack-T1.json"
    stored = json.loads(path.read_bytes())["channels"]["1"]["subscriptions"]
    edit(path, subscriptions=[UNREADABLE, *stored], muted=["colour:"], next_number=3)

    async with await TinyChannelStore.open(folder, log) as store:
        channel = await store.get(MAIN)
        assert queries_of(channel) == ["diffusion"]
        assert channel is not None
        await store.save(replace(with_queries(channel, "reward"), max=3), "ann")

    document = json.loads(path.read_bytes())["channels"]["1"]
    assert UNREADABLE in document["subscriptions"]
    assert [s["number"] for s in document["subscriptions"]] == [3, 2]
    assert document["muted"] == ["colour:"]
    [first, second] = [record.getMessage() for record in caplog.records]
    assert f"{path}, slack:T1:C1, is left out: subscription 2 “colour:red”" in first
    assert "muted “colour:”" in second


async def test_a_restore_may_use_the_number_of_a_query_that_no_longer_parses(
    folder: Path, log: MemoryChangeLog
) -> None:
    await save(folder, Channel(MAIN, next_number=3))
    edit(folder / "slack-T1.json", subscriptions=[UNREADABLE])

    async with await TinyChannelStore.open(folder, log) as store:
        await store.restore({"paperboy": 1, "channels": [to_json(options())]}, "ann")

    async with await TinyChannelStore.open(folder, log) as store:
        assert await store.get(MAIN) == options()


async def test_undo_keeps_a_query_that_no_longer_parses(folder: Path, log: MemoryChangeLog) -> None:
    await save(folder, with_queries(Channel(MAIN), "diffusion"))
    path = folder / "slack-T1.json"
    edit(path, subscriptions=[UNREADABLE], next_number=3)

    async with await TinyChannelStore.open(folder, log) as store:
        channel = await store.get(MAIN)
        assert channel is not None
        await store.save(replace(channel, max=3), "ann")
        await store.undo(MAIN, "ann")

    document = json.loads(path.read_bytes())["channels"]["1"]
    assert (document["max"], document["subscriptions"]) == (10, [UNREADABLE])


@pytest.mark.parametrize(
    "broken", [{"schedule": "whenever 09:00"}, {"zone": "Mars/Base"}, {"zone": "Europe"}], ids=str
)
async def test_a_schedule_that_no_longer_parses_is_off_and_kept_in_the_file(
    folder: Path, log: MemoryChangeLog, caplog: pytest.LogCaptureFixture, broken: dict[str, str]
) -> None:
    await save(folder, Channel(MAIN))
    path = folder / "slack-T1.json"
    edit(path, **broken)

    async with await TinyChannelStore.open(folder, log) as store:
        channel = await store.get(MAIN)
        assert channel is not None
        assert channel.schedule.is_off
        await store.save(replace(channel, max=3), "ann")
        kept = json.loads(path.read_bytes())["channels"]["1"]
        await store.save(replace(channel, schedule=Schedule.default("Asia/Tokyo")), "ann")
        healed = json.loads(path.read_bytes())["channels"]["1"]

    assert broken.items() <= kept.items()
    assert (healed["schedule"], healed["zone"]) == ("weekdays 09:00", "Asia/Tokyo")
    assert "slack:T1:C1, is left out: schedule" in caplog.text


async def test_a_query_that_would_not_be_read_back_is_refused(
    folder: Path, log: MemoryChangeLog
) -> None:
    unreadable = replace(parse("diffusion"), clauses=parse("diffusion").clauses * 60)

    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(UserError, match="at most 300 characters"):
            await store.save(Channel(MAIN, (Subscription(1, unreadable),), next_number=2), "ann")

        assert await store.get(MAIN) is None


async def test_a_reader_works_beside_the_owner_and_writes_nothing(
    folder: Path, log: MemoryChangeLog
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN), "ann")
        before = image_of(folder), list(await log.history(MAIN))

        async with await TinyChannelStore.open(folder, log, readonly=True) as reader:
            assert await reader.all() == await store.all()
            for change in (
                reader.save(Channel(OTHER), "ann"),
                reader.undo(MAIN, "ann"),
                reader.remove(MAIN, "ann"),
            ):
                with pytest.raises(StorageBusy):
                    await change

        assert (image_of(folder), await log.history(MAIN)) == before


async def test_a_large_file_is_warned_of_and_a_larger_one_takes_no_subscriptions(
    folder: Path,
    log: MemoryChangeLog,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "WARN_BYTES", 2_000)
    monkeypatch.setattr(settings, "FULL_BYTES", 4_000)
    long = Subscription(1, parse("diffusion"), label="x" * 2_500)
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN, (long,)), "ann")
        assert [record.levelname for record in caplog.records] == ["WARNING"]

        await store.save(Channel(OTHER, (long,)), "ann")
        with pytest.raises(UserError, match="no room for 1 more"):
            await store.save(with_queries(Channel(replace(MAIN, channel="C3")), "reward"), "ann")

        await store.save(Channel(OTHER, (long,), max=3), "ann")  # other changes are welcome
    assert len(caplog.records) == 1


# Export and restore


async def test_an_export_brings_everything_back(folder: Path, log: MemoryChangeLog) -> None:
    await save(folder, options(), options(OTHER), options(ELSEWHERE))
    async with await TinyChannelStore.open(folder, log) as store:
        exported = json.loads(json.dumps(await store.export_all()))
    elsewhere = folder.with_name("elsewhere")

    async with await TinyChannelStore.open(elsewhere, log) as store:
        assert await store.restore(exported, "bob") == 3

    async with await TinyChannelStore.open(elsewhere, log) as store:
        assert await store.all() == [options(ELSEWHERE), options(), options(OTHER)]


async def test_a_restore_can_be_undone_and_leaves_other_channels_alone(
    folder: Path, log: MemoryChangeLog
) -> None:
    document = {"paperboy": 1, "channels": [to_json(options())]}
    async with await TinyChannelStore.open(folder, log) as store:
        await store.save(Channel(MAIN, max=3, owner="ann", next_number=9), "ann")
        await store.save(Channel(OTHER, owner="ann"), "ann")

        await store.restore(document, "bob")
        assert await store.all() == [
            replace(options(), next_number=9),  # numbers never go back
            Channel(OTHER, owner="ann"),
        ]

        await store.undo(MAIN, "ann")
        assert await store.get(MAIN) == Channel(MAIN, max=3, owner="ann", next_number=9)


LIGHTEST = {"number": 1, "query": "a", "weight": 1e-320, "label": ""}


def export(**fields: Any) -> dict[str, Any]:
    return {"paperboy": 1, "channels": [to_json(Channel(OTHER)), to_json(options()) | fields]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "no export of Paperboy"),
        ({}, "no export of Paperboy"),
        ("text", "no export of Paperboy"),
        ({"paperboy": 2, "channels": []}, "newer Paperboy"),
        ({"paperboy": 0, "channels": []}, "no list of channels"),
        ({"paperboy": None, "channels": []}, "no list of channels"),
        ({"paperboy": 1}, "no list of channels"),
        ({"paperboy": 1, "channels": {}}, "no list of channels"),
        ({"paperboy": 1, "channels": [7]}, "7 is no object"),
        ({"paperboy": 1, "channels": [{}]}, "“version” is missing"),
        (export(channel=str(OTHER)), "slack:T1:C2 more than once"),
        (export(version=2), "slack:T1:C1.*version is 2"),
        (export(mood="sunny"), "slack:T1:C1.*unknown field “mood”"),
        (export(muted=["colour:red"]), "slack:T1:C1: muted “colour:red”"),
        (export(zone="Mars/Base"), "slack:T1:C1: schedule .*“Mars/Base” names no time zone"),
        (export(max=51), "slack:T1:C1: max: is a number from 1 to 50"),
        (export(trending=10**30), "slack:T1:C1: trending: is a number from 0 to 20"),
        (export(strictness=1e300), "slack:T1:C1: strictness: is a number from 0 to 10"),
        (export(strictness=10**400), "no settings of a channel"),
        (export(ping="role@many"), "slack:T1:C1: ping: cannot be “role@many”"),
        (export(subscriptions=[LIGHTEST]), "slack:T1:C1: weight: is a number from 0.1 to 10"),
        *((export(**fields), "no settings of a channel") for fields in WRONG[:-1]),
    ],
)
async def test_a_wrong_document_is_refused_before_anything_is_written(
    folder: Path, log: MemoryChangeLog, document: object, message: str
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(UserError, match=message) as caught:
            await store.restore(document, "ann")

        assert caught.value.hint
        assert await store.all() == []
    assert image_of(folder) == {}


@pytest.mark.parametrize("document", ["{nonsense", "[]", '{"version": 1}'])
async def test_what_a_channel_cannot_take_over_is_compared_with_its_own_export(
    folder: Path, log: MemoryChangeLog, document: str
) -> None:
    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(UserError) as caught:
            await store.load(MAIN, document, "ann")

    assert caught.value.hint == "Give it what `config export` gave."


async def test_a_restore_that_would_overfill_a_workspace_is_refused_as_a_whole(
    folder: Path, log: MemoryChangeLog
) -> None:
    texts = [f"keyword{n}" for n in range(50)]
    channels = [
        to_json(with_queries(Channel(replace(MAIN, channel=f"C{n}")), *texts)) for n in range(11)
    ]
    async with await TinyChannelStore.open(folder, log) as store:
        with pytest.raises(UserError, match="no room for 550 more"):
            await store.restore({"paperboy": 1, "channels": channels}, "ann")

        assert await store.all() == []
        assert await store.restore({"paperboy": 1, "channels": channels[:10]}, "ann") == 10
        assert await store.restore({"paperboy": 1, "channels": channels[:10]}, "ann") == 10


async def test_settings_of_a_program_that_knew_fewer_are_read_and_can_be_undone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "paperboy.sqlite3"
    async with await Store.open(path, now) as log:
        async with await TinyChannelStore.open(tmp_path / "settings", log) as store:
            await store.save(Channel(MAIN, max=5), "ann")
            await store.save(Channel(MAIN, max=6), "ann")
        (file,) = (tmp_path / "settings").glob("*.json")
        file.write_text(file.read_text("utf-8").replace('"unfurl": false,', ""), "utf-8")
        await log._do(lambda db: db.execute(
            "UPDATE changes SET before = json_remove(before, '$.unfurl'), "
            "after = json_remove(after, '$.unfurl')"
        ).rowcount)  # fmt: skip

        async with await TinyChannelStore.open(tmp_path / "settings", log) as store:
            assert await store.get(MAIN) == Channel(MAIN, max=6, owner="ann")
            undone = await store.undo(MAIN, "ann")

    assert undone is not None
    assert [channel and channel.max for channel in undone] == [6, 5]
