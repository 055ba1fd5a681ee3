"""A quoted phrase finds in search what it matches in a channel: two ways of reading, one language."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

import pytest

from adapters.search import PaperIndex
from adapters.sources.files import Dump
from bot.errors import UserError
from bot.model import Origin, Paper, Record
from bot.ports import Search
from bot.query import parse
from bot.text import Field, pattern, tokens
from tests.fakes import MemoryLibrary

WEEK = Path(__file__).resolve().parents[2] / "shared" / "data" / "arxiv_week_2026-06-22.jsonl.gz"
TODAY = date(2026, 11, 23)
PHRASES = 150


async def found(index: PaperIndex, phrase: str) -> set[str]:
    page = await index.search(Search(parse(f'"{phrase}"'), limit=5_000))
    return {paper_id for paper_id, _ in page.hits}


def matched(papers: dict[str, list[Field]], phrase: str) -> set[str]:
    wanted = pattern(tokens(phrase), exact=True)
    return {i for i, fields in papers.items() if any(wanted.count(field) for field in fields)}


def fields(paper: Paper) -> list[Field]:
    return [Field(paper.title), Field(paper.abstract), Field(*paper.keywords)]


@pytest.mark.parametrize(
    "phrase",
    ["KV cache", "the KV cache", "RAG", "LLM agent", "agents of LLMs", "cache KV", "kv cache"],
)
async def test_an_acronym_in_a_phrase_is_found_as_it_is_matched(
    tmp_path: Path, phrase: str
) -> None:
    papers = [
        Paper("arxiv:2611.00001", "Compressing the KV cache", "KV caches grow."),
        Paper("arxiv:2611.00002", "LLM agents", "RAG for agents of LLMs."),
        Paper("arxiv:2611.00003", "A cache", "kv stores; a rag; LLMs."),
    ]
    library = MemoryLibrary()
    records = [Record(paper, Origin.ARXIV_API, TODAY) for paper in papers]
    await library.add(records, today=TODAY, live=True)
    async with await PaperIndex.open(tmp_path / "index", library) as index:
        await index.update()

        assert await found(index, phrase) == matched({p.id: fields(p) for p in papers}, phrase)


async def test_phrases_of_real_papers_are_found_as_they_are_matched(tmp_path: Path) -> None:
    if not WEEK.exists():
        pytest.skip(f"the papers of a week are not here: {WEEK.name}")
    records = [record for batch in Dump(WEEK) for record in batch]
    papers = {record.paper.id: fields(record.paper) for record in records}
    library = MemoryLibrary()
    await library.add(records, today=TODAY, live=False)
    chance, compared = Random(0), 0  # noqa: S311
    async with await PaperIndex.open(tmp_path / "index", library) as index:
        await index.update()
        while compared < PHRASES:
            words = f"{(paper := chance.choice(records).paper).title} {paper.abstract}".split()
            start = chance.randrange(len(words))
            phrase = " ".join(words[start : start + chance.randint(1, 3)]).replace('"', "")
            try:
                parse(f'"{phrase}"')
            except UserError:  # a sign alone, or too long
                continue
            compared += 1

            assert await found(index, phrase) == matched(papers, phrase), phrase
