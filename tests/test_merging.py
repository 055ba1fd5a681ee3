"""Records of one paper become one paper, in whatever order and however often they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from bot.identity import title_id
from bot.merging import FIELDS, Known, known, links, merge, owner, sound
from bot.model import Origin, Paper, Record

TODAY = date(2026, 6, 24)
MONDAY, TUESDAY = date(2026, 6, 22), date(2026, 6, 23)
BARE = Paper("arxiv:2606.00001", "Sparse attention")


def merged(*records: Record) -> Paper:
    """The records as one paper, the same in both directions."""
    there = merge(BARE.id, [known(record, TODAY) for record in records])
    back = merge(BARE.id, [known(record, TODAY) for record in reversed(records)])

    assert there == back
    return there.paper


def test_a_newer_version_replaces_the_texts_whoever_tells_it() -> None:
    first = Record(replace(BARE, title="Old", note="8 pages", version=1), Origin.ARXIV_API)
    second = Record(replace(BARE, title="New", version=2), Origin.HUGGING_FACE)

    paper = merged(first, second)

    assert (paper.title, paper.note, paper.version) == ("New", "8 pages", 2)


def test_of_one_version_the_better_source_has_the_word() -> None:
    feed = Record(replace(BARE, title="From the feed", version=1), Origin.ARXIV_FEED)
    api = Record(replace(BARE, title="A title from the API", version=1), Origin.ARXIV_API)

    assert merged(feed, api).title == "A title from the API"


def test_a_paper_may_be_called_zero() -> None:
    named = Record(replace(BARE, title="0"), Origin.ARXIV_API)
    nameless = Record(replace(BARE, title="", version=3), Origin.ARXIV_API)

    assert merged(named, nameless).title == "0"


def test_an_exact_time_of_publication_beats_a_bare_date() -> None:
    bare = Record(replace(BARE, published=datetime(2026, 6, 20, tzinfo=UTC)), Origin.ARXIV_API)
    exact = datetime(2026, 6, 21, 9, 30, tzinfo=UTC)
    other = Record(replace(BARE, published=exact), Origin.JOURNAL)

    assert merged(bare, other).published == exact


def test_of_two_exact_times_of_one_source_the_earlier_holds() -> None:
    early = datetime(2026, 6, 21, 9, 30, tzinfo=UTC)
    one = Record(replace(BARE, published=early), Origin.ARXIV_API)
    two = Record(replace(BARE, published=early + timedelta(hours=1)), Origin.ARXIV_API)

    assert merged(one, two).published == early


def test_times_are_kept_in_utc() -> None:
    at = datetime(2026, 6, 21, 1, 0, tzinfo=timezone(timedelta(hours=2)))

    paper = merged(Record(replace(BARE, published=at, updated=at), Origin.ARXIV_API))

    assert paper.published is not None
    assert paper.updated is not None
    assert {UTC} == {paper.published.tzinfo, paper.updated.tzinfo}
    assert at == paper.published == paper.updated


def test_an_older_count_never_overwrites_a_newer_one() -> None:
    old = Record(
        replace(BARE, upvotes=40, discussion=9, stars=7), Origin.HUGGING_FACE, None, MONDAY
    )
    new = Record(
        replace(BARE, upvotes=35, discussion=0, stars=6), Origin.HUGGING_FACE, None, TUESDAY
    )

    paper = merged(old, new)

    assert (paper.upvotes, paper.discussion, paper.stars) == (35, 0, 6)


def test_counts_of_one_day_keep_the_larger() -> None:
    one = Record(replace(BARE, upvotes=35), Origin.HUGGING_FACE, None, MONDAY)
    two = Record(replace(BARE, upvotes=36), Origin.HUGGING_FACE, None, MONDAY)

    assert merged(one, two).upvotes == 36


def test_an_undated_record_carries_counts_only_while_nothing_else_is_known() -> None:
    undated = Record(replace(BARE, upvotes=99), Origin.JSONL)
    dated = Record(replace(BARE, upvotes=3), Origin.HUGGING_FACE, None, MONDAY)

    assert merged(undated).upvotes == 99
    assert merged(undated, dated).upvotes == 3


def test_the_latest_look_at_the_page_gives_code_and_people_and_an_empty_one_takes_nothing() -> None:
    page = replace(BARE, code="https://github.com/a/old", submitter="Ada", keywords=("x", "y"))
    old = Record(page, Origin.HUGGING_FACE, None, MONDAY)
    new = Record(replace(BARE, code="https://github.com/a/b"), Origin.HUGGING_FACE, None, TUESDAY)

    paper = merged(old, new)

    assert (paper.code, paper.submitter, paper.keywords) == (
        "https://github.com/a/b",
        "Ada",
        ("x", "y"),
    )


def test_a_paper_is_listed_on_the_earliest_announcement() -> None:
    one = Record(BARE, Origin.ARXIV_FEED, TUESDAY)
    two = Record(BARE, Origin.HUGGING_FACE, MONDAY)

    assert merged(one, two).listed_on == MONDAY


def test_an_announcement_beats_an_earlier_arrival() -> None:
    arrived = known(Record(BARE, Origin.ARXIV_API), MONDAY)
    announced = known(Record(BARE, Origin.ARXIV_FEED, TUESDAY), TODAY)

    assert merge(BARE.id, (arrived, announced)).paper.listed_on == TUESDAY
    assert merge(BARE.id, (announced, arrived)).paper.listed_on == TUESDAY


def test_without_an_announcement_the_earliest_arrival_counts() -> None:
    late, early = (known(Record(BARE, Origin.ARXIV_API), day) for day in (TUESDAY, MONDAY))

    assert merge(BARE.id, (late, early)).paper.listed_on == MONDAY


words = st.sampled_from(("", "0", "a", "b"))
moments = st.none() | st.sampled_from(
    (
        datetime(2026, 6, 1, tzinfo=UTC),
        datetime(2026, 6, 1, 5, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    )
)
days = st.none() | st.sampled_from((MONDAY, TUESDAY))
lists = st.lists(words, max_size=2).map(tuple)
few = st.integers(0, 2)
papers = st.builds(
    Paper, st.just(BARE.id), words, words, lists, lists, moments, moments, few, words, words, words,
    few, few, words, lists, words, few, words, words, words,
)  # fmt: skip
parts = st.builds(
    known,
    st.builds(Record, papers, st.sampled_from(Origin), days, days),
    st.sampled_from((MONDAY, TODAY)),
)


def both(one: Known, other: Known) -> Known:
    return merge(BARE.id, (one, other))


@given(parts, parts, parts)
def test_merging_is_commutative_associative_and_idempotent(a: Known, b: Known, c: Known) -> None:
    assert both(a, b) == both(b, a)
    assert both(both(a, b), c) == both(a, both(b, c))
    assert both(a, a) == a
    assert both(both(a, b), a) == both(a, b)


def test_every_field_has_its_rank() -> None:
    assert len(FIELDS) == len(known(Record(BARE, Origin.JSONL), TODAY).ranks)


def test_a_record_links_its_lesser_ids_and_its_title_to_the_best() -> None:
    paper = replace(BARE, doi="10.1000/X1")
    record = Record(paper, Origin.ARXIV_API, aliases=("link:00000000000000aa",))

    expected = {
        ("doi:10.1000/x1", BARE.id),
        ("link:00000000000000aa", BARE.id),
        (title_id("Sparse attention"), BARE.id),
    }
    assert expected == links(record)


def test_arxivs_own_doi_is_no_further_id() -> None:
    record = Record(replace(BARE, title="0", doi="10.48550/arXiv.2606.00001"), Origin.ARXIV_API)

    assert set() == links(record)


def test_two_arxiv_ids_are_never_linked() -> None:
    paper = Paper("arxiv:2606.00002", "0", doi="10.1000/x")
    record = Record(paper, Origin.JSONL, aliases=("arxiv:2606.00001",))

    assert {("doi:10.1000/x", "arxiv:2606.00002")} == links(record)


@pytest.mark.parametrize(
    ("title", "linked"),
    [("Elevenchars", False), ("Twelve chars!", False), ("Twelve chars, 2", True)],
)
def test_only_a_title_of_twelve_letters_leads_to_its_paper(title: str, linked: bool) -> None:
    record = Record(replace(BARE, title=title), Origin.JSONL)

    assert linked == ((title_id(title), BARE.id) in links(record))


def test_an_id_belongs_to_the_best_id_that_can_be_reached() -> None:
    better = {
        "title:1": ["doi:10.1/b", "link:2"],
        "link:2": ["doi:10.1/a"],
        "doi:10.1/b": ["arxiv:2606.00002", "arxiv:2606.00001"],
    }

    assert owner("title:1", better) == "arxiv:2606.00001"
    assert owner("link:2", better) == "doi:10.1/a"
    assert owner("arxiv:2606.00002", better) == "arxiv:2606.00002"


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    record = Record(replace(BARE, title="a\ud800b", authors=("\udfff",)), Origin.JSONL)

    paper = sound(record).paper

    assert (paper.title, paper.authors) == ("a\ufffdb", ("\ufffd",))
    assert sound(record) == sound(sound(record))
