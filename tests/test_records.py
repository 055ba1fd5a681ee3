"""What arXiv, Hugging Face and dumps say of a paper, as records."""

# ruff: noqa: RUF001 - mathematical letters are what is tested

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring

from adapters.sources.files import Dump
from adapters.sources.records import (
    LONGEST_ABSTRACT,
    MOST_AUTHORS,
    Skipped,
    atom_entry,
    clean,
    daily_paper,
    json_row,
    oai_record,
    rss_item,
    split_authors,
)
from bot.identity import title_id
from bot.model import Origin, Paper, Record

PAYLOADS = Path(__file__).resolve().parents[2] / "shared" / "data" / "payloads"
recorded = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="the recorded answers are not beside the project"
)


def records_of(name: str) -> list[Record]:
    dump = Dump(PAYLOADS / name)
    return [record for batch in dump for record in batch]


def papers_of(name: str) -> dict[str, Paper]:
    return {record.paper.id: record.paper for record in records_of(name)}


def one(record: Record | Skipped | None) -> Record:
    assert isinstance(record, Record), record
    return record


def why(skipped: Record | Skipped | None) -> str:
    assert isinstance(skipped, Skipped), skipped
    return skipped.why


def api_entry(*, id: str = "http://arxiv.org/abs/2401.00001v2", **fields: str) -> str:
    inner = {"title": "<title>A title</title>"} | fields
    return (
        '<entry xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">'
        f"<id>{id}</id>{''.join(inner.values())}</entry>"
    )


def feed_item(description: str = "", **fields: str) -> str:
    given = {
        "title": "<title>A title</title>",
        "guid": '<guid isPermaLink="false">oai:arXiv.org:2604.22002v1</guid>',
        "link": "<link>https://arxiv.org/abs/2604.22002</link>",
        "pubDate": "<pubDate>Mon, 27 Apr 2026 00:00:00 -0400</pubDate>",
    } | fields
    return (
        '<item xmlns:arxiv="http://arxiv.org/schemas/atom"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"{''.join(given.values())}<description>{description}</description></item>"
    )


def oai(metadata: str, *, header: str = "", status: str = "") -> str:
    return (
        f"<record><header{status}><identifier>oai:arXiv.org:0704.0471</identifier>"
        f"<datestamp>2014-11-18</datestamp>{header}</header><metadata>{metadata}</metadata></record>"
    )


def row(**fields: Any) -> Record | Skipped:
    [outcome] = json_row({"id": "2601.00001", "title": "A title"} | fields)
    return outcome


def daily(paper: dict[str, Any] | None = None, **item: Any) -> Record | Skipped:
    return daily_paper({"paper": {"id": "2601.00001", "title": "A title"} | (paper or {})} | item)


# Text


def test_hard_wrapped_lines_are_joined() -> None:
    assert clean("  A title\n  wrapped\tby hand ", 100) == "A title wrapped by hand"


@pytest.mark.parametrize(
    "mark",
    ["\x00", "\x07", "\x1b", "\x9b", "\xad", "\u200b", "\u200d", "\u200e", "\u202e", "\u2066",
     "\u2069", "\ufeff", "\ud800", "\U000e0041"],
)  # fmt: skip
def test_what_cannot_be_seen_is_removed(mark: str) -> None:
    assert clean(f"in{mark}visible{mark}", 100) == "invisible"


def test_letters_of_all_scripts_stay() -> None:
    text = "Žižek 王小明 Ελένη Владимир محمد हिन्दी 김 😀 naïve ﬁ"

    assert clean(text, 100) == text


def test_a_code_point_written_in_latex_cannot_hide_either() -> None:
    assert clean(r"$\unicode{x202e}$abc", 100) == "abc"


def test_percent_signs_and_dollars_without_latex_stay() -> None:
    assert clean("75% of {all} cost $5", 100) == "75% of {all} cost $5"


def test_an_absurdly_long_abstract_is_cut() -> None:
    abstract = "word " * 100_000

    record = one(row(abstract=abstract))

    assert len(record.paper.abstract) <= LONGEST_ABSTRACT
    assert abstract.startswith(record.paper.abstract)


def test_a_list_of_authors_is_bounded() -> None:
    record = one(row(authors=[f"Author {n}" for n in range(MOST_AUTHORS + 5)]))

    assert len(record.paper.authors) == MOST_AUTHORS


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("Ada Lovelace", ("Ada Lovelace",), id="one"),
        pytest.param("A. B, C. D, and E. F", ("A. B", "C. D", "E. F"), id="and"),
        pytest.param("Ratna Kandala,  Deepti, S. M", ("Ratna Kandala", "Deepti", "S. M"), id="two"),
        pytest.param("C. Neri (Lloyds, London, UK) and L. S (EM, Lyon)", ("C. Neri", "L. S"), id="in"),
        pytest.param("I. L (1), P. C (2) ((1) U.L.B., (2) ECE)", ("I. L", "P. C"), id="footnotes"),
        pytest.param("Sandy Andover, Alexander Ando", ("Sandy Andover", "Alexander Ando"), id="not"),
        pytest.param("Sammy Davis, Jr., B. C", ("Sammy Davis Jr.", "B. C"), id="generation"),
        pytest.param("A. B, et al.", ("A. B",), id="et al"),
        pytest.param("A. B (unclosed, C. D", ("A. B unclosed", "C. D"), id="unclosed"),
        pytest.param("Planck Collaboration: P. Ade", ("Planck Collaboration", "P. Ade"), id="group"),
        pytest.param("L. Oakes (the CDF Collaboration)", ("L. Oakes", "CDF Collaboration"), id="of"),
        pytest.param(r"Jos\'e A. Mu\~noz and S{\o}ren B", ("José A. Muñoz", "Søren B"), id="latex"),
        pytest.param(r"S.\,M. Wu, P. Ade", ("S. M. Wu", "P. Ade"), id="a comma of LaTeX"),
        pytest.param("", (), id="none"),
    ],
)  # fmt: skip
def test_one_string_of_authors_becomes_names(text: str, names: tuple[str, ...]) -> None:
    assert split_authors(text) == names


# arXiv's search API


def test_an_api_entry_is_a_paper_that_announces_nothing() -> None:
    xml = api_entry(
        title="<title>On\n  $\\alpha$</title>",
        published="<published>2024-01-01T10:00:00Z</published>",
        updated="<updated>2024-02-03T10:00:00+02:00</updated>",
        summary="<summary>  We\nshow. </summary>",
        author="<author><name>Ada  B</name><arxiv:affiliation>MIT</arxiv:affiliation></author>",
        category='<category term="cs.LG"/><category term="cs.CL"/><category term="68T50"/>'
        '<category term="I.2.7"/><category term="cs.CL"/>',
        primary='<arxiv:primary_category term="cs.CL"/>',
        doi="<arxiv:doi>10.1000/ABC</arxiv:doi>",
        journal="<arxiv:journal_ref>J. 1</arxiv:journal_ref>",
        comment="<arxiv:comment>9 pages</arxiv:comment>",
    )

    record = one(atom_entry(fromstring(xml)))

    assert record == Record(
        Paper(
            id="arxiv:2401.00001",
            title="On α",
            abstract="We show.",
            authors=("Ada B",),
            categories=("cs.CL", "cs.LG"),
            published=datetime(2024, 1, 1, 10, tzinfo=UTC),
            updated=datetime(2024, 2, 3, 8, tzinfo=UTC),
            version=2,
            doi="10.1000/ABC",
            journal_ref="J. 1",
            note="9 pages",
        ),
        Origin.ARXIV_API,
    )


@recorded
def test_the_old_and_the_new_wire_shape_give_the_same_kind_of_record() -> None:
    old = papers_of("arxiv_api/old_2020_findpapers_search.xml")["arxiv:2008.11708"]
    new = papers_of("arxiv_api/new_2026_q_testing_s0_m10_bc5a6c384fe9_http200.xml")

    assert old.title.endswith("Detection on Sina Weibo")
    assert old.authors[0] == "Yiding Wang"
    assert "\n" not in old.abstract
    assert old.abstract.startswith("In recent years")
    assert new["arxiv:2202.12139"].categories == ("cs.SE", "cs.LG")
    assert new["arxiv:2202.12139"].authors[0] == "Mohit Kumar Ahuja"
    assert new["arxiv:2202.12139"].published == datetime(2022, 2, 24, 15, 5, 19, tzinfo=UTC)


@recorded
def test_a_commented_out_date_is_not_read() -> None:
    paper = papers_of("arxiv_api/old_2020_findpapers_search.xml")["arxiv:2008.11708"]

    assert paper.published == datetime(2020, 8, 25, 17, 53, 17, tzinfo=UTC)


@recorded
def test_the_paper_titled_0_survives() -> None:
    paper = papers_of("arxiv_api/new_2026_id_2104.12255v1_s0_m100_6ae69987ffe1_http200.xml")

    assert paper["arxiv:2104.12255"].title == "0"


@recorded
def test_an_old_id_keeps_its_archive_and_loses_its_version() -> None:
    [record] = records_of(
        "arxiv_api/new_2026_id_quant-ph_0201082v1_s0_m100_86989fe779ef_http200.xml"
    )

    assert (record.paper.id, record.paper.version) == ("arxiv:quant-ph/0201082", 1)
    assert not record.paper.abstract.startswith(" ")


@recorded
def test_an_affiliation_inside_an_author_is_not_part_of_the_name() -> None:
    paper = papers_of("arxiv_api/new_2026_id_astro-ph_0601001_s0_m100_3150dca9dc76_http200.xml")[
        "arxiv:astro-ph/0601001"
    ]

    assert paper.authors == ("Andrew Gould", "Susan Dorsher", "B. Scott Gaudi", "Andrzej Udalski")


@recorded
def test_an_error_entry_is_no_paper() -> None:
    assert records_of("arxiv_api/new_2026_id_abc_s0_m100_b79c8dcf6bc3_http400.xml") == []


def test_an_error_entry_of_the_old_service_is_no_paper() -> None:
    xml = api_entry(id="http://arxiv.org/api/errors#incorrect_id", title="<title>Error</title>")

    assert atom_entry(fromstring(xml)) is None


def test_a_paper_that_is_titled_error_is_a_paper() -> None:
    record = one(atom_entry(fromstring(api_entry(title="<title>Error</title>"))))

    assert record.paper.title == "Error"


@recorded
def test_an_unknown_id_is_silently_absent() -> None:
    both = "arxiv_api/new_2026_id_0808.05394_1707.08567_s0_m100_42e5aa0ec3af_http200.xml"

    assert list(papers_of(both)) == ["arxiv:1707.08567"]
    assert records_of("arxiv_api/new_2026_id_0000.0000_s0_m100_8b51d9633a68_http200.xml") == []


@recorded
def test_the_entries_count_and_not_what_total_results_says() -> None:
    assert len(records_of("arxiv_api/old_2020_findpapers_search.xml")) == 20  # totalResults: 21


def test_an_entry_without_a_title_is_skipped_and_named() -> None:
    skipped = atom_entry(fromstring(api_entry(title="<title>\n </title>")))

    assert skipped == Skipped("http://arxiv.org/abs/2401.00001v2", "it has no title")


def test_an_entry_of_another_site_is_skipped() -> None:
    xml = api_entry(id="https://example.org/1")

    assert why(atom_entry(fromstring(xml))) == "it has no arXiv id"


# arXiv's feeds


def test_a_feed_item_is_an_announcement_on_the_day_that_it_prints() -> None:
    xml = feed_item(
        "arXiv:2604.22002v1 Announce Type: new \nAbstract: We show\n that.",
        creator="<dc:creator>Anamta Khan,  Deepti, Li Wei (Tsinghua, Beijing)</dc:creator>",
        category="<category>cs.CL</category><category>cs.LG</category>",
        kind="<arxiv:announce_type>new</arxiv:announce_type>",
        doi="<arxiv:DOI>10.1000/x</arxiv:DOI>",
        journal="<arxiv:journal_reference>J. 1</arxiv:journal_reference>",
    )

    assert one(rss_item(fromstring(xml))) == Record(
        Paper(
            id="arxiv:2604.22002",
            title="A title",
            abstract="We show that.",
            authors=("Anamta Khan", "Deepti", "Li Wei"),
            categories=("cs.CL", "cs.LG"),
            version=1,
            doi="10.1000/x",
            journal_ref="J. 1",
        ),
        Origin.ARXIV_FEED,
        listed_on=date(2026, 4, 27),
    )


@pytest.mark.parametrize(
    ("description", "abstract"),
    [
        pytest.param("arXiv:2604.22002v1 Announce Type: new \nAbstract: We.", "We.", id="as sent"),
        pytest.param("arXiv:2604.22002v1 Announce Type: new Abstract: We.", "We.", id="one line"),
        pytest.param("arXiv:2604.22002v1 Announce Type: cross \nWe.", "We.", id="no label"),
        pytest.param("Abstract only, no prefix.", "Abstract only, no prefix.", id="missing"),
        pytest.param("arXiv:1234.5678 showed.", "arXiv:1234.5678 showed.", id="begins with an id"),
        pytest.param("", "", id="empty"),
    ],
)
def test_the_prefix_of_a_description_is_no_part_of_the_abstract(
    description: str, abstract: str
) -> None:
    assert one(rss_item(fromstring(feed_item(description)))).paper.abstract == abstract


@pytest.mark.parametrize(
    ("kind", "version", "listed"),
    [
        ("new", 1, True),
        ("cross", 1, True),
        ("cross", 2, True),
        ("replace", 2, False),
        ("replace-cross", 3, False),
        ("", 1, True),
        ("", 2, False),
    ],
)
def test_a_replacement_announces_nothing(kind: str, version: int, listed: bool) -> None:
    prefix = f"arXiv:2604.22002v{version} Announce Type: {kind} \nAbstract: " if kind else ""
    xml = feed_item(prefix + "We.", guid=f"<guid>oai:arXiv.org:2604.22002v{version}</guid>")

    record = one(rss_item(fromstring(xml)))

    assert (record.listed_on == date(2026, 4, 27)) is listed
    assert record.paper.version == version


def test_the_announcement_is_not_taken_for_the_submission() -> None:
    record = one(rss_item(fromstring(feed_item("We."))))

    assert (record.paper.published, record.paper.updated) == (None, None)


@pytest.mark.parametrize("offset", ["-0400", "-0500", "+1400"])
def test_midnight_in_its_own_offset_is_that_day(offset: str) -> None:
    xml = feed_item(pubDate=f"<pubDate>Mon, 27 Apr 2026 00:00:00 {offset}</pubDate>")

    assert one(rss_item(fromstring(xml))).listed_on == date(2026, 4, 27)


def test_the_version_is_in_the_guid_where_the_link_has_none() -> None:
    xml = feed_item(guid="<guid>oai:arXiv.org:math/0309136v2</guid>")

    record = one(rss_item(fromstring(xml)))

    assert (record.paper.id, record.paper.version) == ("arxiv:math/0309136", 2)


def test_a_link_of_early_2024_names_the_paper_where_the_guid_does_not() -> None:
    xml = feed_item(guid="", link="<link>http://rss.arxiv.org/abs/2402.00001</link>")

    assert one(rss_item(fromstring(xml))).paper.id == "arxiv:2402.00001"


@pytest.mark.parametrize("text", ["yesterday", f"1 Jul {'9' * 50} 00:00:00 -0400", ""])
def test_an_item_with_an_unreadable_date_is_still_a_paper(text: str) -> None:
    xml = feed_item(pubDate=f"<pubDate>{text}</pubDate>")

    assert one(rss_item(fromstring(xml))).listed_on is None


@recorded
def test_the_atom_feed_says_the_same_as_the_rss_feed() -> None:
    for category in ("cs.CL", "cs.CV"):
        rss = records_of(f"arxiv_feed/server_rss_{category}_2026-06-30.xml")
        atom = records_of(f"arxiv_feed/server_atom_{category}_2026-06-30.xml")

        assert rss == atom
        assert {record.listed_on for record in rss} == {date(2026, 6, 30), None}


@recorded
def test_the_time_of_generation_in_the_atom_feed_is_no_date_of_the_paper() -> None:
    for record in records_of("arxiv_feed/real_atom_cs.AI_2025-08-20.xml"):
        assert record.paper.updated is None
        assert record.listed_on == date(2025, 8, 20)


@recorded
def test_the_same_paper_is_new_in_one_category_and_cross_in_another() -> None:
    first = {r.paper.id: r for r in records_of("arxiv_feed/server_rss_cs.CL_2026-06-30.xml")}
    second = {r.paper.id: r for r in records_of("arxiv_feed/server_rss_cs.CV_2026-06-30.xml")}

    shared = first.keys() & second.keys()

    assert shared
    assert all(first[id] == second[id] for id in shared)


@recorded
def test_a_single_name_leaves_no_blank() -> None:
    authors = papers_of("arxiv_feed/real_rss_cs.CL_2026-04-27.xml")["arxiv:2604.22002"].authors

    assert authors == ("Anamta Khan", "Ratna Kandala", "Deepti", "Sheza Munir", "Joyojeet Pal")


@recorded
def test_a_weekend_feed_and_a_feed_error_hold_nothing() -> None:
    for name in (
        "real_rss_cs.CL_weekend_empty_2026-08-01.xml",
        "server_rss_error_cs.NOPE_http400.xml",
        "server_atom_error_cs.CLplus_http400.xml",
    ):
        assert records_of(f"arxiv_feed/{name}") == []


# arXiv by OAI-PMH


def test_raw_versions_give_the_dates() -> None:
    xml = oai(
        "<arXivRaw><id>0704.0471</id>"
        "<version version='v10'><date>Sat, 7 Apr 2007 22:04:11 GMT</date></version>"
        "<version version='v1'><date>Tue, 3 Apr 2007 22:04:11 GMT</date></version>"
        "<version version='v2'><date>Wed, 4 Apr 2007 22:04:11 GMT</date></version>"
        "<title>A\n  title</title><authors>A. B (MIT) and C. D</authors>"
        "<categories>nucl-ex nucl-th</categories></arXivRaw>"
    )

    record = one(oai_record(fromstring(xml)))

    assert record == Record(
        Paper(
            id="arxiv:0704.0471",
            title="A title",
            authors=("A. B", "C. D"),
            categories=("nucl-ex", "nucl-th"),
            published=datetime(2007, 4, 3, 22, 4, 11, tzinfo=UTC),
            updated=datetime(2007, 4, 7, 22, 4, 11, tzinfo=UTC),
            version=10,
        ),
        Origin.ARXIV_OAI,
    )


def test_names_are_put_together_from_their_parts() -> None:
    xml = oai(
        "<arXiv><authors>"
        "<author><keyname>Ogburn</keyname><forenames>R. W.</forenames><suffix>IV</suffix></author>"
        "<author><keyname>Planck Collaboration</keyname></author>"
        "<author><keyname>:</keyname></author>"
        "<author><keyname>Li</keyname><forenames>Wei</forenames><affiliation>X</affiliation></author>"
        "</authors><title>T</title></arXiv>"
    )

    authors = one(oai_record(fromstring(xml))).paper.authors

    assert authors == ("R. W. Ogburn IV", "Planck Collaboration", "Wei Li")


def test_the_datestamp_is_no_date_of_the_paper() -> None:
    xml = oai("<arXiv><title>T</title><created>2007-04-03</created></arXiv>")

    record = one(oai_record(fromstring(xml)))

    assert record.paper.published == datetime(2007, 4, 3, tzinfo=UTC)
    assert (record.paper.updated, record.listed_on) == (None, None)


@recorded
def test_of_two_dois_the_first_is_kept() -> None:
    papers = papers_of("arxiv_oai/real_arXivRaw_ListRecords_2015.xml")

    assert papers["arxiv:0704.0471"].doi == "10.1103/PhysRevC.76.024606"


@recorded
def test_dublin_core_has_reversed_names_and_categories_only_in_its_sets() -> None:
    papers = papers_of("arxiv_oai/server_ListRecords_oai_dc_http200.xml")

    assert papers["arxiv:2305.11452"].authors[0] == "Shiwei Jin"
    assert papers["arxiv:2305.11452"].categories == ("cs.CV",)
    assert papers["arxiv:2305.11452"].published == datetime(2023, 5, 19, tzinfo=UTC)


def test_a_group_of_archives_is_no_category() -> None:
    xml = oai(
        "<dc><title>T</title></dc>",
        header="<setSpec>cs</setSpec><setSpec>physics:hep-lat</setSpec><setSpec>math:math:DG</setSpec>",
    )

    assert one(oai_record(fromstring(xml))).paper.categories == ("hep-lat", "math.DG")


@recorded
def test_categories_are_one_string_between_blanks() -> None:
    [record] = records_of("arxiv_oai/real_arXiv_arxiv-single_2017.xml")

    assert record.paper.categories == (
        "math.AP", "hep-th", "math-ph", "math.DG", "math.MP", "nlin.SI",
    )  # fmt: skip


@recorded
def test_a_withdrawn_paper_stays_a_paper_and_says_so() -> None:
    for shape in ("arXivRaw", "arXiv"):
        [record] = records_of(f"arxiv_oai/server_GetRecord_withdrawn_{shape}_http200.xml")

        assert record.paper.note == "This paper has been withdrawn"
        assert "withdrawn" in record.paper.abstract


@recorded
def test_many_versions_are_one_paper() -> None:
    [record] = records_of("arxiv_oai/server_GetRecord_manyversions_arXivRaw_http200.xml")

    assert record.paper.version == 25
    assert record.paper.published == datetime(2011, 1, 3, 20, 56, 3, tzinfo=UTC)


@recorded
def test_a_collaboration_is_kept_among_the_authors() -> None:
    papers = papers_of("arxiv_oai/real_arXiv_12records_mixed.xml")

    assert papers["arxiv:1601.03238"].authors[:2] == ("Planck Collaboration", "Jieci Wang")


@recorded
def test_three_pages_joined_by_a_resumption_token_hold_75_papers() -> None:
    for shape in ("arXiv", "arXivRaw"):
        papers = {
            id
            for page in (1, 2, 3)
            for id in papers_of(f"arxiv_oai/server_ListRecords_{shape}_page{page}_http200.xml")
        }

        assert len(papers) == 75


def test_a_deleted_record_is_no_paper() -> None:
    assert oai_record(fromstring(oai("", status=' status="deleted"'))) is None


def test_a_record_without_metadata_is_skipped() -> None:
    assert why(oai_record(fromstring(oai("")))) == "it has no metadata"


# Hugging Face


def test_an_item_of_a_daily_list_carries_dated_counts() -> None:
    item = {
        "paper": {
            "id": "2602.22661",
            "title": "A title\n  wrapped",
            "summary": "We\n  show.",
            "authors": [
                {"name": "Zhanhui Zhou", "hidden": False},
                {"name": "Hidden One", "hidden": True},
                {"name": "Dawn Song"},
                None,
            ],
            "publishedAt": "2026-02-26T06:26:02.000Z",
            "submittedOnDailyAt": "2026-03-02T02:03:25.262Z",
            "upvotes": 36,
            "githubRepo": "https://github.com/ZHZisZZ/dllm",
            "githubStars": 1200,
            "projectPage": "https://example.org/~dllm",
            "ai_summary": "A framework.",
            "ai_keywords": ["training", None, " "],
        },
        "publishedAt": "2026-02-26T01:26:02.000Z",
        "numComments": 3,
        "submittedBy": {"fullname": "Ada B", "name": "ada"},
        "organization": {"name": "nyu", "fullname": "New York University"},
    }

    assert one(daily_paper(item)) == Record(
        Paper(
            id="arxiv:2602.22661",
            title="A title wrapped",
            abstract="We show.",
            authors=("Zhanhui Zhou", "Dawn Song"),
            published=datetime(2026, 2, 26, 6, 26, 2, tzinfo=UTC),
            upvotes=36,
            discussion=3,
            summary="A framework.",
            keywords=("training",),
            code="https://github.com/ZHZisZZ/dllm",
            stars=1200,
            project="https://example.org/~dllm",
            submitter="Ada B",
            organisation="New York University",
        ),
        Origin.HUGGING_FACE,
        listed_on=date(2026, 3, 2),
        observed_on=date(2026, 3, 2),
    )


def test_all_but_the_id_and_the_title_is_optional() -> None:
    record = one(daily())

    assert record == Record(Paper("arxiv:2601.00001", "A title"), Origin.HUGGING_FACE)


def test_null_is_as_good_as_absent() -> None:
    names = [
        "summary", "authors", "publishedAt", "submittedOnDailyAt", "upvotes", "githubRepo",
        "githubStars", "projectPage", "ai_summary", "ai_keywords", "organization",
    ]  # fmt: skip
    item = dict.fromkeys(["numComments", "submittedBy", "publishedAt", "summary", "title"])

    assert daily(dict.fromkeys(names), **item) == daily()


def test_the_day_of_the_list_goes_before_the_day_of_submission() -> None:
    item = {
        "paper": {"id": "2601.00001", "title": "T", "submittedOnDailyAt": "2026-03-01T23:00:00Z"}
    }

    record = one(daily_paper(item, date(2026, 3, 2)))

    assert (record.listed_on, record.observed_on) == (date(2026, 3, 2), date(2026, 3, 2))


def test_without_a_list_day_counts_are_dated_by_publication_and_nothing_is_announced() -> None:
    record = one(daily({"upvotes": 5}, publishedAt="2024-05-27T03:50:58.348Z"))

    assert (record.listed_on, record.observed_on) == (None, date(2024, 5, 27))


def test_a_paper_without_upvotes_has_none_and_not_unknown_many() -> None:
    assert one(daily({"upvotes": 0})).paper.upvotes == 0


@pytest.mark.parametrize("value", ["Ada B", {"fullname": "Ada B"}, {"name": "Ada B"}])
def test_a_person_or_organisation_is_text_or_an_object(value: object) -> None:
    record = one(daily(submittedBy=value, organization=value))

    assert (record.paper.submitter, record.paper.organisation) == ("Ada B", "Ada B")


@recorded
def test_the_organisation_of_the_submitter_is_not_that_of_the_paper() -> None:
    papers = papers_of("hf_daily_papers/real_date_2025-09-30.json").values()

    assert {paper.organisation for paper in papers} == {""}


@recorded
def test_titles_of_2025_are_on_one_line() -> None:
    papers = papers_of("hf_daily_papers/real_date_2025-09-30.json").values()

    assert not [paper.title for paper in papers if "\n" in paper.title or "  " in paper.title]


@recorded
def test_hidden_authors_are_left_out() -> None:
    items = json.loads((PAYLOADS / "hf_daily_papers/real_30items_2026-06-14.json").read_bytes())
    [hidden] = [i for i in items if any(a.get("hidden") for a in i["paper"]["authors"])][:1]
    visible = tuple(a["name"] for a in hidden["paper"]["authors"] if not a["hidden"])

    assert one(daily_paper(hidden)).paper.authors == visible
    assert len(visible) < len(hidden["paper"]["authors"])


@recorded
def test_a_fresh_item_has_no_summary_of_its_source_yet() -> None:
    for record in records_of("hf_daily_papers/real_2026-08-01.json"):
        assert record.paper.summary == ""
        assert record.paper.abstract


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x.org", "https://x y", "x" * 3_000])
def test_an_address_that_is_none_is_dropped(url: str) -> None:
    record = one(daily({"githubRepo": url, "projectPage": url}))

    assert (record.paper.code, record.paper.project) == ("", "")


# Rows


def test_a_row_of_a_dump_is_announced_on_its_first_day() -> None:
    record = one(
        row(
            abstract="We\nshow.",
            authors=["Ada B"],
            categories=["cs.LG", "68T50"],
            published="2026-03-01T00:00:00Z",
            updated="2026-03-02",
            comment="9 pages",
            first_seen="2026-03-03",
            unknown={"ignored": True},
        )
    )

    assert record == Record(
        Paper(
            id="arxiv:2601.00001",
            title="A title",
            abstract="We show.",
            authors=("Ada B",),
            categories=("cs.LG",),
            published=datetime(2026, 3, 1, tzinfo=UTC),
            updated=datetime(2026, 3, 2, tzinfo=UTC),
            note="9 pages",
        ),
        Origin.JSONL,
        listed_on=date(2026, 3, 3),
    )


@pytest.mark.parametrize(
    ("fields", "paper_id", "aliases"),
    [
        pytest.param({"id": "2601.00001v3"}, "arxiv:2601.00001", (), id="version"),
        pytest.param(
            {"id": None, "arxiv_id": "hep-th/9901001"}, "arxiv:hep-th/9901001", (), id="old"
        ),
        pytest.param({"id": None, "doi": "10.1000/ABC"}, "doi:10.1000/abc", (), id="doi"),
        pytest.param(
            {"id": None, "url": "https://arxiv.org/abs/2601.00002"},
            "arxiv:2601.00002",
            (),
            id="url",
        ),
        pytest.param({"doi": "10.1000/ABC"}, "arxiv:2601.00001", ("doi:10.1000/abc",), id="both"),
        pytest.param({"id": None}, title_id("A title"), (), id="title only"),
        pytest.param({"id": "W2741809807"}, title_id("A title"), (), id="an id of somebody else"),
    ],
)
def test_a_row_is_known_by_the_best_id_that_it_has(
    fields: dict[str, Any], paper_id: str, aliases: tuple[str, ...]
) -> None:
    record = one(row(**fields))

    assert (record.paper.id, record.aliases) == (paper_id, aliases)


def test_the_wider_known_dump_of_arxiv_is_understood() -> None:
    record = one(
        row(
            id="0704.0001",
            authors="C. Bal\\'azs, E. L. Berger, P. M. Nadolsky, C.-P. Yuan",
            categories="hep-ph hep-ex",
            comments="37 pages",
            versions=[
                {"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"},
                {"version": "v2", "created": "Tue, 24 Jul 2007 20:10:27 GMT"},
            ],
            **{"journal-ref": "Phys.Rev.D76:013009,2007"},
        )
    )

    assert record.paper.authors == ("C. Balázs", "E. L. Berger", "P. M. Nadolsky", "C.-P. Yuan")
    assert record.paper.categories == ("hep-ph", "hep-ex")
    assert record.paper.version == 2
    assert record.paper.published == datetime(2007, 4, 2, 19, 18, 42, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"title": None}, "it has no title"),
        ({"title": ["A"]}, "“title” is not text"),
        ({"id": 2601.00001}, "“id” is not text"),
        ({"authors": {"name": "A"}}, "“authors” is not a list"),
        ({"authors": [1]}, "“authors” holds something that is no name"),
        ({"categories": [1]}, "“categories” is not a list of words"),
        ({"first_seen": "soon"}, "“soon” is not a date"),
        ({"first_seen": 20260301}, "“first_seen” is not text"),
        ({"upvotes": "12"}, "“upvotes” is not a count"),
        ({"upvotes": -1}, "“upvotes” is not a count"),
        ({"upvotes": True}, "“upvotes” is not a count"),
        ({"upvotes": 10**30}, "“upvotes” is not a count"),
        ({"upvotes": 1, "submittedBy": 5}, "“submittedBy” is neither a name nor an object"),
        ({"upvotes": 1, "ai_keywords": [1]}, "“ai_keywords” is not a list of words"),
    ],
)
def test_a_row_of_wrong_types_is_skipped_with_the_reason(
    fields: dict[str, Any], reason: str
) -> None:
    assert why(row(**fields)) == reason


@pytest.mark.parametrize("value", [None, 1, "text", [], [{}], True])
def test_a_row_that_is_no_object_is_skipped(value: object) -> None:
    assert list(json_row(value)) == [Skipped("", "it is not an object")]


def test_dates_at_the_ends_of_the_calendar_are_no_crash() -> None:
    assert why(row(published="0001-01-01T00:00:00+14:00")).endswith("is not a date")
    assert why(row(published="9999-12-31T23:59:59-14:00")).endswith("is not a date")


def test_a_line_that_holds_a_day_gives_its_items() -> None:
    items = [{"paper": {"id": f"2601.0000{n}", "title": "T", "upvotes": n}} for n in (1, 2)]

    outcomes = list(json_row({"date": "2026-03-02", "form": "api", "items": [*items, 3]}))

    assert [one(outcome).paper.upvotes for outcome in outcomes[:2]] == [1, 2]
    assert {one(outcome).listed_on for outcome in outcomes[:2]} == {date(2026, 3, 2)}
    assert why(outcomes[2]) == "it is not an object"


def test_what_hugging_face_answers_to_a_bad_request_holds_nothing() -> None:
    assert list(json_row({"error": "Invalid date"})) == []
