"""What a channel gets, and why a day is quiet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from bot import query
from bot.cards import gist, highlighted
from bot.digests import FRESH_DAYS, parse_when
from bot.errors import UserError
from bot.model import Channel, Origin, Paper, Subscription
from bot.ports import Health
from bot.schedule import Schedule
from bot.text import pattern
from bot.views import Digest, plain
from tests.world import HERE, TODAY, World, paper, titles

MONDAY = date(2026, 6, 22)
TUESDAY = date(2026, 6, 23)


@pytest.fixture
def world() -> World:
    return World()


def channel(*queries: str, **options: object) -> Channel:
    made = Channel(
        HERE,
        tuple(Subscription(n, query.parse(text)) for n, text in enumerate(queries, start=1)),
        schedule=Schedule.default("Europe/Berlin"),
    )
    return replace(made, **options)  # type: ignore[arg-type]  # the fields of Channel


async def test_papers_that_arrived_before_the_channel_are_not_new(world: World) -> None:
    await world.listed(paper(1, "Old graphs"))
    await world.say("subscribe graph")
    await world.listed(paper(2, "New graphs"))

    assert titles(await world.say("digest")) == ["New graphs"]


async def test_imported_papers_are_for_recaps_only(world: World) -> None:
    await world.say("subscribe graph")
    await world.listed(paper(1, "Graphs from a dump"), live=False)

    assert titles(await world.say("digest")) == []
    assert titles(await world.say("digest since:today")) == ["Graphs from a dump"]


async def test_a_recap_may_reach_back_to_the_first_day_of_the_calendar(world: World) -> None:
    await world.say("subscribe graph")
    await world.listed(paper(1, "Graphs"))

    assert titles(await world.say("digest since:0001-01-01")) == ["Graphs"]


async def test_an_imported_paper_that_arrives_live_is_new(world: World) -> None:
    await world.say("subscribe graph")
    await world.listed(paper(1, "Graphs twice"), live=False)
    await world.listed(paper(1, "Graphs twice"))

    assert titles(await world.say("digest")) == ["Graphs twice"]


async def test_papers_listed_long_ago_are_not_new(world: World) -> None:
    await world.say("subscribe graph")
    await world.listed(paper(1, "Graphs of last month"), on=TODAY - timedelta(days=FRESH_DAYS + 1))
    await world.listed(paper(2, "Graphs of last week"), on=TODAY - timedelta(days=FRESH_DAYS))

    assert titles(await world.say("digest")) == ["Graphs of last week"]


async def test_what_is_beyond_the_maximum_is_counted_and_the_cursor_moves_on(world: World) -> None:
    await world.say("subscribe graph")
    await world.say("set max:2")
    await world.listed(*(paper(n, f"Graphs {n}") for n in range(5)))

    first, second = await world.say("digest"), await world.say("digest")

    assert isinstance(first, Digest)
    assert (len(first.cards), first.more) == (2, 3)
    assert titles(second) == []


async def test_the_same_title_comes_once(world: World) -> None:
    await world.say("subscribe graph")
    await world.listed(paper(1, "Graphs, again"), paper(2, "graphs again"))

    assert len(titles(await world.say("digest"))) == 1


async def test_days_are_disjoint_and_a_monday_reaches_back_to_friday(world: World) -> None:
    lab = channel("graph")
    for day in range(18, 26):
        await world.listed(paper(day, f"Graphs of {day}"), on=date(2026, 6, day))

    seen = [titles(await world.digests.at(lab, date(2026, 6, day))) for day in (19, 22, 23, 24, 25)]

    assert seen[0] == ["Graphs of 19"]
    assert {"Graphs of 20", "Graphs of 21", "Graphs of 22"} == set(seen[1])
    assert len({title for day in seen for title in day}) == 7


async def test_without_a_schedule_the_window_is_one_day(world: World) -> None:
    await world.listed(paper(1, "Sunday graphs"), on=MONDAY - timedelta(days=1))
    await world.listed(paper(2, "Monday graphs"), on=MONDAY)

    digest = await world.digests.at(channel("graph", schedule=Schedule()), MONDAY)

    assert titles(digest) == ["Monday graphs"]
    assert digest.considered == 1


async def test_a_day_has_the_time_of_its_slot_in_the_channels_zone(world: World) -> None:
    digest = await world.digests.at(channel("graph"), MONDAY)

    assert digest.slot.isoformat() == "2026-06-22T09:00:00+02:00"


async def test_what_was_posted_is_left_out_of_a_day(world: World) -> None:
    await world.say("subscribe graph")
    await world.listed(paper(1, "Graphs"))
    await world.say("digest")
    lab = await world.store.get(HERE)
    assert lab is not None

    digest = await world.digests.at(lab, TODAY)

    assert titles(digest) == []
    assert digest.quiet is not None
    assert "posted here before" in digest.quiet.text


@pytest.mark.parametrize(
    ("day", "cause", "told"),
    [
        (date(2026, 6, 20), "no_announcement", "Saturday"),
        (MONDAY, "no_announcement", "19 June 2026, a holiday"),
        (TUESDAY, "source_late", "23 June 2026"),
    ],
)
async def test_a_day_without_papers_says_why(
    world: World, day: date, cause: str, told: str
) -> None:
    digest = await world.digests.at(channel("graph"), day)

    assert digest.quiet is not None
    assert cause == digest.quiet.cause
    assert told in digest.quiet.text


@pytest.mark.parametrize(
    ("queries", "told"),
    [
        ((), "no subscription yet"),
        (("nothing",), "1 seen, none matched"),
        (("graph -endless",), "1 seen, none matched"),
        (("graph",), "of the 30 points needed"),
    ],
)
async def test_a_day_on_which_nothing_passed_names_the_best(
    world: World, queries: tuple[str, ...], told: str
) -> None:
    await world.listed(paper(1, "Endless", "One graph. " + "Many other words. " * 200), on=TUESDAY)

    digest = await world.digests.at(channel(*queries), TUESDAY)

    assert digest.quiet is not None
    assert digest.quiet.cause == "nothing_passed"
    assert told in digest.quiet.text


async def test_a_day_on_which_all_that_matched_is_muted_says_so(world: World) -> None:
    await world.listed(paper(1, "Endless graphs"), on=TUESDAY)

    digest = await world.digests.at(channel("graph", muted=(query.parse("endless"),)), TUESDAY)

    assert digest.quiet is not None
    assert "excluded here" in digest.quiet.text


async def test_a_source_that_fails_is_the_cause_and_its_next_try_is_told(world: World) -> None:
    slot = datetime(2026, 6, 23, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    hour = timedelta(hours=1)
    await world.people.keep(Health("huggingface", last_success=slot))
    await world.people.keep(
        Health("arxiv", slot - 40 * hour, slot - hour, "arXiv answered 503.", None, slot + hour)
    )

    digest = await world.digests.at(channel("graph"), slot)

    assert digest.quiet is not None
    assert digest.quiet.cause == "source_failing"
    assert digest.quiet.text == (
        "arxiv cannot be read since 21 June 17:00: arXiv answered 503. Next try at 10:00."
    )


async def test_each_source_that_fails_is_told_with_its_own_fault(world: World) -> None:
    slot = datetime(2026, 6, 23, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    day = timedelta(days=1)
    await world.people.keep(Health("huggingface", slot - 3 * day, slot, "It answered 503."))
    await world.people.keep(Health("arxiv", slot - day, slot, "It is down."))

    digest = await world.digests.at(channel("graph"), slot)

    assert digest.quiet is not None
    assert digest.quiet.cause == "source_failing"
    assert digest.quiet.text == (
        "arxiv cannot be read since 22 June 09:00: It is down. "
        "huggingface cannot be read since 20 June 09:00: It answered 503."
    )


async def test_trending_papers_come_the_day_after_their_list_day(world: World) -> None:
    lab = channel(trending=2)
    loved = [
        paper(n, f"Loved by {n}", upvotes=n, submitter="Ann Lee") for n in (5, 40, 30)
    ]  # fmt: skip
    await world.listed(*loved, on=TUESDAY, origin=Origin.HUGGING_FACE)

    same_day = await world.digests.at(lab, TUESDAY)
    day_after = await world.digests.at(lab, TUESDAY + timedelta(days=1))

    assert titles(same_day) == []
    assert titles(day_after) == ["Loved by 40", "Loved by 30"]
    assert day_after.cards[0].reasons[0].text == "trending: 40 upvotes, submitted by Ann Lee"
    assert day_after.cards[0].score == sum(r.points for r in day_after.cards[0].reasons)


async def test_the_order_does_not_depend_on_the_order_of_arrival(world: World) -> None:
    papers = [paper(n, f"Graphs number {n}", "Graph after graph.") for n in range(9)]
    other = World()
    await world.listed(*papers, on=TUESDAY)
    await other.listed(*reversed(papers), on=TUESDAY)

    one = await world.digests.at(channel("graph"), TUESDAY)
    two = await other.digests.at(channel("graph"), TUESDAY)

    assert titles(one) == titles(two)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-06-22", MONDAY),
        ("2026-06-22T09:00", datetime(2026, 6, 22, 9, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("2026-06-22T09:00+00:00", datetime(2026, 6, 22, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_without_offset_is_in_the_zone(typed: str, expected: date) -> None:
    assert expected == parse_when(typed, "Europe/Berlin")


@pytest.mark.parametrize("typed", ["", "june", "2026-13-01", "22.06.2026"])
def test_a_moment_that_is_none_is_a_mistake(typed: str) -> None:
    with pytest.raises(UserError, match="no date or time"):
        parse_when(typed, "UTC")


@pytest.mark.parametrize("typed", ["0001-01-01", "0001-01-01T00:00+14:00", "1899-12-31"])
def test_a_moment_before_all_papers_is_a_mistake(typed: str) -> None:
    with pytest.raises(UserError, match="before all papers"):
        parse_when(typed, "UTC")


def test_the_gist_is_the_given_summary_or_the_sentence_that_matches() -> None:
    graphs = [pattern(["graph"])]
    given_summary = Paper("arxiv:1", "T", "A. B.", summary="Graphs, in short.")
    told = Paper("arxiv:1", "T", "Nothing here yet. Then graphs came. " + "And more. " * 60)

    assert plain(gist(given_summary, graphs)) == "Graphs, in short."
    assert plain(gist(told, graphs)).startswith("Then graphs came.")
    assert gist(Paper("arxiv:1", "T"), graphs) == ()


@given(st.text(max_size=80), st.lists(st.sampled_from(["graph", "a", "é", "ﬁne"]), max_size=3))
@settings(max_examples=200, deadline=None)
def test_marking_words_loses_no_character(shown: str, marked: list[str]) -> None:
    assert shown == plain(highlighted(shown, [pattern([word]) for word in marked]))
