"""The search index over a real library: what it finds, and that it can be thrown away."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.search import PaperIndex
from adapters.storage.sqlite import Store
from bot.app import sample
from bot.errors import UserError
from bot.model import Origin, Paper, Record
from bot.ports import Search
from bot.query import parse
from bot.text import GLUE, tokens

TODAY = date(2026, 11, 23)


def now() -> datetime:
    return datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "paperboy.sqlite3", now) as store:
        await store.add(sample(), today=TODAY, live=True)
        yield store


@pytest.fixture
async def index(library: Store, tmp_path: Path) -> AsyncIterator[PaperIndex]:
    async with await PaperIndex.open(tmp_path / "index", library) as opened:
        yield opened


async def titles(index: PaperIndex, library: Store, text: str) -> list[str]:
    page = await index.search(Search(parse(text)))
    found = [await library.find(paper_id) for paper_id, _ in page.hits]
    return [paper.title for paper in found if paper]


async def test_each_sample_paper_is_found_by_words_of_its_title(
    index: PaperIndex, library: Store
) -> None:
    for record in sample():
        words = [w for w in tokens(record.paper.title) if w.lower() not in GLUE and len(w) > 1]
        found = await titles(index, library, " ".join(words[:6]))

        assert found[0] == record.paper.title


async def test_an_id_or_a_link_finds_that_paper_first(index: PaperIndex, library: Store) -> None:
    by_id = await titles(index, library, "id:2502.13502")

    assert by_id[0].startswith("PLDR-LLMs")


async def test_quotes_and_exclusions_are_hard(index: PaperIndex, library: Store) -> None:
    exact = await titles(index, library, '"knowledge distillation"')
    without = await titles(index, library, '"knowledge distillation" -title:bayes')

    assert len(exact) > len(without) > 0
    assert not [title for title in without if "Bayes" in title]


async def test_pages_do_not_repeat(index: PaperIndex) -> None:
    pages = [
        await index.search(Search(parse("learning"), limit=5, offset=offset))
        for offset in range(0, 25, 5)
    ]
    ids = [paper_id for page in pages for paper_id, _ in page.hits]

    assert len(ids) == len(set(ids)) == pages[0].total
    assert len({page.total for page in pages}) == 1


async def test_a_new_paper_and_a_changed_one_are_found_at_once(
    index: PaperIndex, library: Store
) -> None:
    paper = Paper("arxiv:2611.00001", "Glaciers that sing", "Ice and sound.")
    before = await titles(index, library, "singing glaciers")
    await library.add([Record(paper, Origin.ARXIV_API)], today=TODAY, live=True)
    added = await titles(index, library, "singing glaciers")
    changed = replace(paper, title="Volcanoes that sing", version=2)
    await library.add([Record(changed, Origin.ARXIV_API)], today=TODAY, live=True)

    assert before == []
    assert added == ["Glaciers that sing"]
    assert await titles(index, library, "volcanoes") == ["Volcanoes that sing"]
    assert await titles(index, library, "glaciers") == []


async def test_a_missing_or_damaged_index_is_built_again(tmp_path: Path, library: Store) -> None:
    folder = tmp_path / "index"
    async with await PaperIndex.open(folder, library) as first:
        found = await titles(first, library, "scaling laws")
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_size > 100:
            file.write_bytes(file.read_bytes()[:50])
    async with await PaperIndex.open(folder, library) as damaged:
        assert await titles(damaged, library, "scaling laws") == found
    shutil.rmtree(folder)
    async with await PaperIndex.open(folder, library) as missing:
        assert await titles(missing, library, "scaling laws") == found


async def test_a_reader_answers_without_an_index_and_makes_none(
    tmp_path: Path, library: Store
) -> None:
    folder = tmp_path / "none"

    async with await PaperIndex.open(folder, library, readonly=True) as reader:
        assert await titles(reader, library, "scaling laws")

    assert not folder.exists()


async def test_similar_papers_speak_of_the_same(index: PaperIndex, library: Store) -> None:
    [graphs] = (await titles(index, library, "learnable commutative monoids"))[:1]
    paper = next(r.paper for r in sample() if r.paper.title == graphs)

    similar = [await library.find(i) for i, _ in await index.similar(paper, 3)]

    assert "Equivariant Polynomials for Graph Neural Networks" in [p.title for p in similar if p]


async def test_a_misspelt_word_is_guessed(index: PaperIndex) -> None:
    assert "distillation" in await index.suggest(parse("distilation"))


@pytest.mark.parametrize(
    "text",
    ["a", "the of and", "+-&&||", "AND NOT", "title:* ", 'x" OR "', "\\", "(((", "1:2", "é" * 80,
     "cat:cs.LG", "author:Lee", "-nothing", "reward*", "中文", "a|b|c", "id:2502.13502", "x" * 80],
)  # fmt: skip
async def test_odd_queries_get_an_answer_or_a_mistake(index: PaperIndex, text: str) -> None:
    try:
        wanted = parse(text)
    except UserError:
        return

    page = await index.search(Search(wanted))

    assert page.total >= len(page.hits)
