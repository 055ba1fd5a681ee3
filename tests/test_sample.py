"""The bundled sample: its form, that its words are our own, and that it claims only what is known."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.identity import arxiv_id, title_key

SAMPLE = Path(__file__).resolve().parents[1] / "bot" / "data" / "sample.jsonl"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FIELDS = ["id", "title", "abstract", "authors", "categories", "published", "upvotes"]
UNICODE = {"^2": "²", "ell_p": "\N{SCRIPT SMALL L}ₚ", "ell_infty": "\N{SCRIPT SMALL L}∞"}
RUN = 6  # from this many words on, a shared run counts as copied

Row = dict[str, Any]


def rows(text: str) -> list[Row]:
    return [json.loads(line) for line in text.splitlines()]


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + RUN]) for i in range(len(found) - RUN + 1)}


@pytest.fixture(scope="module")
def sample() -> list[Row]:
    return rows(SAMPLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def originals() -> list[Row]:
    path = DATA / "seed_papers.jsonl"
    if not path.exists():
        pytest.skip("the original abstracts are not on this machine")
    return rows(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def listed() -> dict[str, Row]:
    """The rows of the Daily Papers archive by arXiv id."""
    path = DATA / "hf_daily_papers.jsonl.gz"
    if not path.exists():
        pytest.skip("the archive of daily papers is not on this machine")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {row["id"]: row for row in map(json.loads, lines)}


def test_every_line_is_one_paper_and_the_last_line_is_ended(sample: list[Row]) -> None:
    raw = SAMPLE.read_bytes()

    assert 53 == len(sample) == raw.count(b"\n")
    assert raw.endswith(b"}\n")


def test_titles_are_unique(sample: list[Row]) -> None:
    assert len(sample) == len({title_key(row["title"]) for row in sample})


def test_fields_are_known_filled_and_in_one_order(sample: list[Row]) -> None:
    for row in sample:
        assert [name for name in FIELDS if name in row] == list(row)
        assert {"title", "abstract"} <= row.keys()
        assert all(value not in ("", [], None) for value in row.values())


def test_abstracts_are_two_or_three_sentences_of_40_to_100_words(sample: list[Row]) -> None:
    for row in sample:
        sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z])", row["abstract"])

        assert 2 <= len(sentences) <= 3, row["title"]
        assert 40 <= len(row["abstract"].split()) <= 100, row["title"]
        assert row["abstract"].endswith("."), row["title"]


def test_titles_and_abstracts_hold_no_markup_and_no_line_break(sample: list[Row]) -> None:
    for row in sample:
        assert not re.search(r"[\\${}<>^_]|[^\S ]|  ", row["title"] + row["abstract"])


def test_ids_are_arxiv_ids_without_version(sample: list[Row]) -> None:
    for row in sample:
        if "id" in row:
            assert f"arxiv:{row['id']}" == arxiv_id(row["id"])


def test_titles_are_those_of_the_originals_in_their_order(
    sample: list[Row], originals: list[Row]
) -> None:
    expected = [" ".join(original["title"].split()) for original in originals]
    for latex, plain in UNICODE.items():
        expected = [title.replace(latex, plain) for title in expected]

    assert expected == [row["title"] for row in sample]


def test_no_run_of_six_words_is_copied_from_an_original_abstract(
    sample: list[Row], originals: list[Row]
) -> None:
    for row, original in zip(sample, originals, strict=True):
        assert set() == runs(row["abstract"]) & runs(original["abstract"]), row["title"]


def test_a_paper_has_an_id_exactly_where_one_is_on_record(
    sample: list[Row], originals: list[Row], listed: dict[str, Row]
) -> None:
    by_title = {title_key(row["title"]): row["id"] for row in listed.values()}
    for row, original in zip(sample, originals, strict=True):
        known = original["arxiv_id"] or by_title.get(title_key(original["title"]))

        assert known == row.get("id"), row["title"]


def test_authors_dates_and_upvotes_are_those_on_record(
    sample: list[Row], listed: dict[str, Row]
) -> None:
    for row in sample:
        record = listed.get(row.get("id", ""), {})

        assert record.get("authors") == row.get("authors"), row["title"]
        assert record.get("publishedAt") == row.get("published"), row["title"]
        assert record.get("upvotes") == row.get("upvotes"), row["title"]
        assert "categories" not in row, "the record has no categories"
