"""The SQLite file itself: full disks, kills, damage, other versions, and readers beside its owner."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.storage import schema
from adapters.storage.sqlite import Store
from bot.errors import StorageDamaged, StorageFailed
from bot.model import ChannelRef, Origin, Paper, Record

TODAY = date(2026, 6, 24)
MAIN = ChannelRef("terminal", "local", "main")


def now() -> datetime:
    return datetime(2026, 6, 24, 7, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paperboy.sqlite3"


def records(count: int, start: int = 0) -> list[Record]:
    return [
        Record(Paper(f"arxiv:2606.{n:05}", f"Paper {n}", "Many words. " * 100), Origin.JSONL, TODAY)
        for n in range(start, start + count)
    ]


async def ids(store: Store) -> list[str]:
    return [paper.id for paper in await store.between(date.min, date.max)]


async def ask(store: Store, query: str) -> list[tuple[object, ...]]:
    return await store._do(lambda db: db.execute(query).fetchall())


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def overwrite(path: Path, start: int, content: bytes) -> None:
    path.touch()
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


async def test_everything_is_there_after_closing_and_no_thread_is_left(path: Path) -> None:
    threads = threading.active_count()
    async with await Store.open(path, now) as store:
        await store.add(records(3), today=TODAY, live=True)
        await store.record(MAIN, now(), ["arxiv:2606.00001"], 3)
        await store.note(MAIN, by="ada", before=None, after="{}")

    assert [path.name] == [file.name for file in path.parent.iterdir()]
    assert threads == threading.active_count()
    async with await Store.open(path, now) as store:
        assert await store.count() == 3
        assert await store.end() == 3
        assert {"arxiv:2606.00001": now()} == await store.posted(MAIN)
        assert len(await store.history(MAIN)) == 1


async def test_numbers_are_never_given_twice(path: Path) -> None:
    async with await Store.open(path, now) as store:
        await store.add(records(3), today=TODAY, live=False)
        await store.add(records(3), today=TODAY, live=True)
    async with await Store.open(path, now) as store:
        await store.add(records(1, start=7), today=TODAY, live=True)

        arrivals = await store.after(0, listed_from=date.min)

    assert [arrival.seq for arrival in arrivals] == [4, 5, 6, 7]


async def test_a_full_disk_leaves_the_old_state_and_the_next_write_works(path: Path) -> None:
    async with await Store.open(path, now) as store:
        await store.add(records(20), today=TODAY, live=True)
        before = await store.between(date.min, date.max)
        await ask(store, "PRAGMA max_page_count = 150")  # room for some 250 papers

        with pytest.raises(StorageFailed, match="full"):
            await store.add(records(500, start=10), today=TODAY, live=True)

        assert before == await store.between(date.min, date.max)
        assert await store.end() == 20
        added = await store.add(records(2, start=20), today=TODAY, live=True)
        assert len(added.new) == 2
        assert await store.end() == 22


async def test_a_batch_that_breaks_off_leaves_nothing(path: Path) -> None:
    async with await Store.open(path, now) as store:
        await store.add(records(2), today=TODAY, live=True)
        bad = Record(Paper("arxiv:2606.00009", "0", version=2**70), Origin.JSONL)

        with pytest.raises(OverflowError):
            await store.add([*records(2, start=2), bad], today=TODAY, live=True)

        assert await store.count() == 2
        await store.add(records(2, start=2), today=TODAY, live=True)
        assert await store.count() == 4


async def test_a_folder_that_is_missing_is_a_failure_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="could not be used") as caught:
        await Store.open(tmp_path / "nowhere" / "paperboy.sqlite3", now)

    assert "folder exists" in caught.value.hint


async def test_a_file_that_is_no_database_is_damaged_and_stays_as_it_is(path: Path) -> None:
    overwrite(path, 0, b"not a database" * 500)
    before = contents(path.parent)

    for readonly in (False, True):
        with pytest.raises(StorageDamaged, match="is damaged") as caught:
            await Store.open(path, now, readonly=readonly)

        assert "backup" in caught.value.hint
    assert before == contents(path.parent)


async def test_a_damaged_page_is_reported_as_damage(path: Path) -> None:
    async with await Store.open(path, now) as store:
        await store.add(records(200), today=TODAY, live=True)
    with closing(sqlite3.connect(path)) as db:
        [root] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'papers'").fetchone()
    overwrite(path, (root - 1) * 4096, b"\xff" * 4096)

    async with await Store.open(path, now) as store:
        with pytest.raises(StorageDamaged, match="malformed"):
            await store.between(date.min, date.max)


async def test_a_reader_of_a_missing_file_finds_it_empty_and_makes_none(path: Path) -> None:
    async with await Store.open(path, now, readonly=True) as store:
        assert await store.count() == 0
        assert await store.posted(MAIN) == {}
        assert await store.history(MAIN) == []
        with pytest.raises(StorageFailed):
            await store.add(records(1), today=TODAY, live=True)

    assert list(path.parent.iterdir()) == []


async def test_a_reader_works_beside_the_owner_and_sees_what_was_acknowledged(path: Path) -> None:
    async with await Store.open(path, now) as owner:
        await owner.add(records(3), today=TODAY, live=True)
        async with await Store.open(path, now, readonly=True) as reader:
            assert await reader.count() == 3
            await owner.add(records(3, start=3), today=TODAY, live=True)
            assert await reader.count() == 6
            with pytest.raises(StorageFailed, match="readonly"):
                await reader.start(MAIN, 1)

    assert [path.name] == [file.name for file in path.parent.iterdir()]


async def test_a_reader_alone_leaves_the_folder_as_it_was(path: Path) -> None:
    async with await Store.open(path, now) as owner:
        await owner.add(records(3), today=TODAY, live=True)
    before = contents(path.parent)

    async with await Store.open(path, now, readonly=True) as reader:
        assert await reader.count() == 3

    assert before == contents(path.parent)


async def test_a_reader_that_outlives_the_owner_leaves_one_file(path: Path) -> None:
    owner = await Store.open(path, now)
    await owner.add(records(3), today=TODAY, live=True)
    async with await Store.open(path, now, readonly=True) as reader:
        await owner.aclose()
        assert await reader.count() == 3

    assert [path.name] == [file.name for file in path.parent.iterdir()]
    async with await Store.open(path, now, readonly=True) as reader:
        assert await reader.count() == 3


async def test_a_newer_file_is_refused_in_plain_words(path: Path) -> None:
    async with await Store.open(path, now):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = contents(path.parent)

    for readonly in (False, True):
        with pytest.raises(StorageDamaged, match="newer Paperboy"):
            await Store.open(path, now, readonly=readonly)

    assert before == contents(path.parent)


async def test_an_older_file_is_brought_up_to_date_with_its_papers(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Store.open(path, now) as store:
        await store.add(records(3), today=TODAY, live=True)
    step = ("CREATE TABLE later (x)", "INSERT INTO later SELECT id FROM papers")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))

    with pytest.raises(StorageFailed, match="older Paperboy"):
        await Store.open(path, now, readonly=True)
    async with await Store.open(path, now) as store:
        assert await store.count() == 3
    async with await Store.open(path, now, readonly=True) as store:
        assert len(await ask(store, "SELECT x FROM later")) == 3


async def test_a_migration_that_fails_halfway_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Store.open(path, now) as store:
        await store.add(records(3), today=TODAY, live=True)
    with monkeypatch.context() as patch:
        step = ("CREATE TABLE later (x)", "DELETE FROM papers", "SELECT nonsense")
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
        with pytest.raises(sqlite3.OperationalError, match="nonsense"):
            await Store.open(path, now)

    async with await Store.open(path, now) as store:
        assert await store.count() == 3
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)


async def test_closing_waits_for_what_is_under_way(path: Path) -> None:
    store = await Store.open(path, now)
    adding = asyncio.create_task(store.add(records(100), today=TODAY, live=True))
    await asyncio.sleep(0)
    await store.aclose()

    assert len((await adding).new) == 100
    async with await Store.open(path, now) as store:
        assert await store.count() == 100


ADD_FOR_EVER = """
import asyncio, itertools, sys
from datetime import UTC, date, datetime
from pathlib import Path
from adapters.storage.sqlite import Store
from bot.model import Origin, Paper, Record

async def main(path, start):
    async with await Store.open(path, lambda: datetime.now(UTC)) as store:
        for batch in itertools.count(start):
            records = [
                Record(Paper(f"arxiv:{batch:04}.{n:05}", f"Paper {n}", "Words. " * 150), Origin.JSONL)
                for n in range(50)
            ]
            await store.add(records, today=date(2026, 6, 24), live=True)
            print(batch, flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def test_every_acknowledged_batch_survives_a_kill(path: Path) -> None:
    acknowledged: list[int] = []
    for kill in range(10):
        start = len(acknowledged)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ADD_FOR_EVER, str(path), str(start),
            stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        assert process.stdout is not None
        told = [await process.stdout.readline() for _ in range(1 + kill % 4)]
        process.kill()
        told.append(await process.stdout.read())
        acknowledged.extend(map(int, b"".join(told).split()))
        await process.wait()

        async with await Store.open(path, now, readonly=True) as store:
            found = await ids(store)
        expected = {f"arxiv:{batch:04}.{n:05}" for batch in acknowledged for n in range(50)}
        assert expected <= set(found)
        assert len(found) in (len(expected), len(expected) + 50)  # one may have been under way
        assert len(set(found)) % 50 == 0

    async with await Store.open(path, now) as store:
        assert await store.end() == await store.count() == len(await ids(store))
        assert await ask(store, "PRAGMA integrity_check") == [("ok",)]
