"""Whatever happens to the files of the index: answers keep coming, and it is made whole again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import tantivy

from adapters import search_generations
from adapters.search import PaperIndex
from adapters.search_generations import Generation
from bot.app import sample
from bot.model import Origin, Paper, Record
from bot.ports import Page, Search
from bot.query import parse
from tests.fakes import MemoryLibrary

TODAY = date(2026, 11, 23)
SCALING = Search(parse("scaling laws"))
SINGING = Search(parse("singing glaciers"))
GLACIERS = Record(Paper("arxiv:2611.00001", "Glaciers that sing", "Ice."), Origin.ARXIV_API)


@pytest.fixture
async def library() -> MemoryLibrary:
    made = MemoryLibrary()
    await made.add(sample(), today=TODAY, live=True)
    return made


async def build(folder: Path, library: MemoryLibrary) -> Page:
    """An index of every kind of file, and what it says of scaling laws."""
    async with await PaperIndex.open(folder, library) as index:
        await index.update()
        again = [
            replace(record, paper=replace(record.paper, note="revised", version=2))
            for record in sample()[:5]
        ]
        await library.add(again, today=TODAY, live=True)
        await index.update()
        return await index.search(SCALING)


def generation(folder: Path) -> Path:
    [found] = folder.iterdir()
    return found


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


FILES = ["meta.json", "meta.crc", "*.fast", "*.fieldnorm", "*.idx", "*.pos", "*.store", "*.term",
         "*.del"]  # fmt: skip


@pytest.mark.parametrize("damage", [Path.unlink, empty, truncate, flip])
@pytest.mark.parametrize("name", FILES)
async def test_a_damaged_file_is_noticed_and_the_index_made_anew(
    tmp_path: Path, library: MemoryLibrary, name: str, damage: Callable[[Path], None]
) -> None:
    expected = await build(tmp_path, library)
    damaged = generation(tmp_path)
    for file in damaged.glob(name):
        damage(file)
    with pytest.raises(search_generations.REFUSED):
        Generation.open(damaged)

    async with await PaperIndex.open(tmp_path, library) as index:
        found = await index.search(SCALING)
        await index.update()

        assert found.hits[0][0] == expected.hits[0][0]
        assert await index.search(SCALING) == found
    assert Generation.open(generation(tmp_path)).papers == len(sample())


@pytest.mark.parametrize("damage", [Path.unlink, empty, truncate, flip])
async def test_damage_to_the_list_of_files_changes_no_answer(
    tmp_path: Path, library: MemoryLibrary, damage: Callable[[Path], None]
) -> None:
    expected = await build(tmp_path, library)
    damage(generation(tmp_path) / ".managed.json")

    async with await PaperIndex.open(tmp_path, library) as index:
        found = await index.search(SCALING)

    assert found.total == expected.total
    assert found.hits[0][0] == expected.hits[0][0]


def test_every_kind_of_file_of_an_index_is_damaged_here(tmp_path: Path) -> None:
    async def kinds() -> set[str]:
        library = MemoryLibrary()
        await library.add(sample(), today=TODAY, live=True)
        await build(tmp_path, library)
        return {
            f"*{file.suffix}" if len(file.stem) > 8 else file.name
            for file in generation(tmp_path).iterdir()
            if file.suffix != ".lock"
        }

    assert {*FILES, ".managed.json"} == asyncio.run(kinds())


async def test_an_index_of_another_version_is_made_anew(
    tmp_path: Path, library: MemoryLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await build(tmp_path, library)
    before = generation(tmp_path)
    monkeypatch.setattr(search_generations, "VERSION", "later")

    async with await PaperIndex.open(tmp_path, library) as index:
        found = await index.search(SCALING)

    assert found.hits[0][0] == expected.hits[0][0]
    assert generation(tmp_path) == before.with_name("1")
    assert Generation.open(generation(tmp_path)).papers == len(sample())


async def test_a_folder_that_vanishes_under_a_running_index_comes_back(
    tmp_path: Path, library: MemoryLibrary
) -> None:
    async with await PaperIndex.open(tmp_path / "index", library) as index:
        expected = await index.search(SCALING)
        shutil.rmtree(tmp_path / "index")
        found = await index.search(SCALING)
        await index.update()
        await library.add([GLACIERS], today=TODAY, live=True)
        later = await index.search(SINGING)

    assert found == expected
    assert [paper_id for paper_id, _ in later.hits] == ["arxiv:2611.00001"]
    assert Generation.open(generation(tmp_path / "index")).papers == len(sample()) + 1


async def test_a_foreign_index_put_in_its_place_is_not_believed(
    tmp_path: Path, library: MemoryLibrary
) -> None:
    other = MemoryLibrary()
    await other.add([GLACIERS], today=TODAY, live=True)
    async with await PaperIndex.open(tmp_path / "other", other) as foreign:
        await foreign.update()
    async with await PaperIndex.open(tmp_path / "index", library) as index:
        expected = await index.search(SCALING)
        shutil.rmtree(tmp_path / "index")
        (tmp_path / "other").rename(tmp_path / "index")

        assert await index.search(SCALING) == expected
        assert (await index.search(SINGING)).total == 0
        await index.update()
    assert Generation.open(generation(tmp_path / "index")).papers == len(sample())


async def test_after_a_refused_write_damage_is_noticed_before_the_next(
    tmp_path: Path, library: MemoryLibrary
) -> None:
    async with await PaperIndex.open(tmp_path, library) as index:
        await index.update()
        damaged = generation(tmp_path)
        lock = tantivy.Index.open(str(damaged)).writer()
        await library.add([GLACIERS], today=TODAY, live=True)
        await index.update()
        with next(damaged.glob("*.store")).open("r+b") as store:
            store.write(b"something else")
        lock.wait_merging_threads()  # lets go
        await index.update()

        assert [GLACIERS.paper.id] == [
            paper_id for paper_id, _ in (await index.search(SINGING)).hits
        ]
    assert Generation.open(generation(tmp_path)).papers == len(sample()) + 1


async def test_a_file_in_place_of_the_folder_costs_no_answer(
    tmp_path: Path, library: MemoryLibrary
) -> None:
    (tmp_path / "index").write_text("in the way")
    async with await PaperIndex.open(tmp_path / "index", library) as index:
        found = await index.search(SCALING)
        (tmp_path / "index").unlink()
        await index.update()

        assert (await index.search(SCALING)).hits[0][0] == found.hits[0][0]
    assert Generation.open(generation(tmp_path / "index")).papers == len(sample())


async def test_a_first_question_is_answered_before_the_index_is_there(
    tmp_path: Path, library: MemoryLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.search.PATIENCE", 0.0)
    async with await PaperIndex.open(tmp_path, library) as index:
        early = await index.search(SCALING)
        await index.update()
        late = await index.search(SCALING)

    assert early.hits[0][0] == late.hits[0][0]


PRELUDE = """
import asyncio, logging, resource, sys
from pathlib import Path
from adapters.search import PaperIndex
from bot.app import sample
from tests.fakes import MemoryLibrary
from tests.test_search_damage import GLACIERS, SCALING, SINGING, TODAY, generation, truncate

async def main(folder):
    library = MemoryLibrary()
    await library.add(sample(), today=TODAY, live=True)
    async with await PaperIndex.open(folder, library) as index:
        await index.update()
        first = await index.search(SCALING)
"""

FULL_DISK = """
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        await library.add([GLACIERS], today=TODAY, live=True)
        for _ in range(3):
            await index.update()
            assert await index.search(SCALING) == first
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await index.update()
        assert (await index.search(SINGING)).hits[0][0] == GLACIERS.paper.id
        assert len(list(folder.iterdir())) == 1
"""

OVERWRITTEN = """
        for file in generation(folder).iterdir():
            truncate(file)
        await index.search(SCALING)
        await index.update()
"""

RUN = """
asyncio.run(main(Path(sys.argv[1])))
print("to the end")
"""


async def run(script: str, folder: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PRELUDE + script + RUN, str(folder),
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), told.decode()


async def test_on_a_full_disk_answers_keep_coming_and_later_the_index_catches_up(
    tmp_path: Path,
) -> None:
    ended, out, told = await run(FULL_DISK, tmp_path / "index")

    assert (ended, out) == (0, "to the end\n"), told


async def test_files_overwritten_under_a_running_index_are_healed_by_a_restart_at_the_latest(
    tmp_path: Path, library: MemoryLibrary
) -> None:
    ended, _, told = await run(OVERWRITTEN, tmp_path / "index")
    assert ended in (0, -signal.SIGBUS), told

    async with await PaperIndex.open(tmp_path / "index", library) as index:
        await index.update()
        found = await index.search(SCALING)

    assert found.total > 0
    assert Generation.open(generation(tmp_path / "index")).papers == len(sample())
