"""Exports that reference managers take: two public parsers judge."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import rispy
from bibtexparser.entrypoint import parse_string
from hypothesis import given, settings, strategies as st

from bot import citations
from bot.app import sample
from bot.model import Paper

PLAIN = Paper(
    "arxiv:2508.13426",
    "Graphs & flows: 50% of $5 #1_a {b}",
    "An abstract with \\ backslash and ~tilde^.",
    authors=("Ann Lee", "Müller, Jürgen", "Planck Collaboration", "Sand and Sea"),
    categories=("cs.LG",),
    published=datetime(2025, 8, 20, tzinfo=UTC),
    doi="10.1000/xyz",
    journal_ref="J. Tests 1 (2025)",
    keywords=("graphs",),
)


def parsed(papers: list[Paper]) -> list[dict[str, str]]:
    library = parse_string(citations.bibtex(papers))
    assert not library.failed_blocks
    return [
        {"type": entry.entry_type, "key": entry.key} | {f.key: f.value for f in entry.fields}
        for entry in library.entries
    ]


def test_an_entry_has_what_a_citation_needs() -> None:
    [entry] = parsed([PLAIN])

    assert entry["type"] == "article"
    assert entry["key"] == "lee2025graphs"
    assert entry["year"] == "2025"
    assert entry["eprint"] == "2508.13426"
    assert entry["archiveprefix"] == "arXiv"
    assert entry["primaryclass"] == "cs.LG"
    assert entry["doi"] == "10.1000/xyz"
    assert entry["url"] == "https://arxiv.org/abs/2508.13426"
    assert r"Graphs \& flows: 50\% of \$5 \#1\_a (b)" in entry["title"]
    assert entry["author"].split(" and ")[0] == "Ann Lee"
    assert "{Planck Collaboration}" in entry["author"]


def test_ris_has_the_same() -> None:
    [entry] = rispy.loads(citations.export([PLAIN], "ris"))

    assert entry["title"] == PLAIN.title
    assert entry["authors"][0] == "Lee, Ann"
    assert entry["year"] == "2025"
    assert entry["doi"] == "10.1000/xyz"
    assert entry["urls"] == ["https://arxiv.org/abs/2508.13426"]


def test_keys_are_unique() -> None:
    entries = parsed([PLAIN, PLAIN, PLAIN])

    assert len({entry["key"] for entry in entries}) == 3


def test_the_year_of_an_id_stands_in_for_a_date_that_is_not_known() -> None:
    ids = {
        "arxiv:2508.13426": "2025",
        "arxiv:quant-ph/0201082": "2002",
        "arxiv:math/9309136": "1993",
    }

    for paper_id, year in ids.items():
        [entry] = parsed([Paper(paper_id, "T")])
        assert entry["year"] == year


def test_all_sample_papers_are_taken_by_both_parsers() -> None:
    papers = [record.paper for record in sample()]

    entries = parsed(papers)
    references = rispy.loads(citations.export(papers, "ris"))

    assert (
        len(entries) == len(references) == len(json.loads(citations.export(papers, "json"))) == 53
    )
    assert [p.title for p in papers] == [reference["title"] for reference in references]


@given(
    st.text(min_size=1, max_size=60),
    st.lists(st.text(min_size=1, max_size=30), max_size=4),
    st.text(max_size=80),
)
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_an_entry(title: str, authors: list[str], abstract: str) -> None:
    papers = [
        Paper("arxiv:2508.13426", title, abstract, tuple(authors)),
        Paper("arxiv:2508.13427", "Next"),
    ]

    entries = parsed(papers)
    references = rispy.loads(citations.export(papers, "ris"))

    assert len(entries) == len(references) == 2
