"""Search, top, one's own list, sharing and exports, as people ask for them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import commands
from bot.errors import SourceUnavailable
from bot.model import Caller, ChannelRef, Origin, Paper, Role
from bot.query import Query
from bot.views import Document, Listing, Notice
from tests.world import ANN, HERE, TODAY, World, paper, titles, words

GRAPHS = paper(1, "Graphs at rest", "Graphs and more graphs.")
FLOWS = paper(2, "Flows on graphs", "Water runs.")
REMOTE = paper(9, "Graphs from afar")


class Elsewhere:
    """A source that people ask."""

    def __init__(self, *papers: Paper, broken: bool = False) -> None:
        self._papers = papers
        self._broken = broken
        self.asked: list[str] = []

    async def search(self, query: Query, limit: int) -> list[Paper]:
        self.asked.append(str(query))
        if self._broken:
            raise SourceUnavailable("arXiv is busy.", hint="Try again in a minute.")
        return list(self._papers[:limit])

    async def lookup(self, paper_id: str) -> Paper | None:
        self.asked.append(paper_id)
        if self._broken:
            raise SourceUnavailable("arXiv is busy.", hint="Try again in a minute.")
        return next((p for p in self._papers if p.id == paper_id), None)


async def with_papers(*sources: Elsewhere) -> World:
    world = World(*sources)
    await world.listed(GRAPHS, FLOWS)
    return world


async def told(world: World, typed: str) -> str:
    return words(await world.say(typed))


async def test_a_search_shows_the_best_first_and_says_how_many() -> None:
    world = await with_papers()

    answer = await world.say("search graph")

    assert titles(answer) == [GRAPHS.title, FLOWS.title]
    assert "1 to 2 of 2 for graph" in words(answer)


async def test_more_of_a_search_comes_back_to_a_kept_answer() -> None:
    world = await with_papers()

    first = await world.say("search graph limit:1 sort:best")
    assert isinstance(first, Listing)
    [more] = first.actions
    second = await world.say(more.sentence)
    world.pass_days(8)
    gone = await told(world, more.sentence)

    assert more.sentence.startswith("again ")
    assert len(more.sentence.encode()) <= 90
    assert (titles(first), titles(second)) == ([GRAPHS.title], [FLOWS.title])
    assert "That answer is gone" in gone


async def test_a_page_behind_the_last_one_is_not_called_a_search_without_hits() -> None:
    world = await with_papers()

    answer = await told(world, "search graph limit:1 page:3")

    assert "Nothing found" not in answer
    assert "There is no page 3" in answer
    assert "search graph sort:best limit:1 page:2" in answer


async def test_a_search_without_hits_asks_what_was_meant() -> None:
    world = await with_papers()

    assert "Did you mean graphs?" in await told(world, "search grpahs")


async def test_few_hits_offer_the_sources_themselves_and_they_are_asked() -> None:
    arxiv = Elsewhere(REMOTE)
    world = await with_papers(arxiv)

    offer = await world.say("search graph")
    assert isinstance(offer, Listing)
    found = await world.say(offer.actions[-1].sentence)
    [note] = offer.notes
    [sentence] = [span.text for span in note if span.sentence]
    typed_out = await world.say(sentence)

    assert titles(found) == titles(typed_out) == [REMOTE.title]
    assert arxiv.asked == ["graph", "graph"]
    assert sentence.startswith("search graph all:yes")


async def test_a_source_that_is_busy_says_so_and_the_next_is_asked() -> None:
    world = await with_papers(Elsewhere(broken=True), Elsewhere(REMOTE))

    answer = await world.say("search graph all:yes")

    assert titles(answer) == [REMOTE.title]
    assert "arXiv is busy" in words(answer)


async def test_where_no_source_can_be_asked_it_is_said() -> None:
    world = await with_papers()

    assert "No source can be asked" in await told(world, "search graph all:yes")


@pytest.mark.parametrize(
    ("typed", "told_"),
    [
        ("search graph sort:worst", "best, new or upvotes"),
        ("search graph source:mars", "arxiv, huggingface, journal"),
        ("search graph since:someday", "no day"),
        ("search graph limit:0", "1 to 50"),
    ],
)
async def test_a_faulty_search_is_told(typed: str, told_: str) -> None:
    world = await with_papers()

    assert told_ in await told(world, typed)


async def test_a_paper_that_is_not_here_is_looked_up_at_its_source() -> None:
    world = await with_papers(Elsewhere(broken=True), Elsewhere(REMOTE))

    assert REMOTE.title in await told(world, "show 2611.00009")


async def test_similar_papers_leave_the_paper_itself_out() -> None:
    world = await with_papers()

    assert titles(await world.say("similar 2611.00001")) == []
    await world.listed(paper(3, "Graphs in motion"))
    assert titles(await world.say("similar 2611.00001")) == ["Graphs in motion"]


async def test_top_tells_votes_of_a_period() -> None:
    world = World()
    loved = replace(GRAPHS, upvotes=41, submitter="Ann Lee")
    await world.listed(loved, replace(FLOWS, upvotes=3), origin=Origin.HUGGING_FACE)

    week = await world.say("top")
    day = await told(world, f"top {TODAY - timedelta(days=3)}")

    assert titles(week) == [GRAPHS.title, FLOWS.title]
    assert "41 upvotes, submitted by Ann Lee on 23 November 2026" in words(week)
    assert "No paper was voted on 20 November 2026." in day


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("day", "2026-11-23", "2026-11-23"),
        ("week", "2026-11-17", "2026-11-23"),
        ("month", "2026-10-25", "2026-11-23"),
        ("2026-W46", "2026-11-09", "2026-11-15"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2026-11-20", "2026-11-20", "2026-11-20"),
    ],
)
def test_periods_can_be_said_in_several_ways(period: str, first: str, last: str) -> None:
    start, end = commands.parse_period(period, TODAY)

    assert (str(start), str(end)) == (first, last)


async def test_a_period_that_is_none_is_a_mistake() -> None:
    assert "no period" in await told(World(), "top 2026-W99")


async def test_ones_own_list_is_kept_shown_and_taken_from() -> None:
    world = await with_papers()

    assert "Your list is empty" in await told(world, "saved")
    assert "Saved Graphs at rest" in await told(world, "save 2611.00001")
    assert "Saved already" in await told(world, "save 2611.00001")
    assert titles(await world.say("saved")) == [GRAPHS.title]
    assert "Taken off" in await told(world, "unsave 2611.00001")
    assert "was not on your list" in await told(world, "unsave 2611.00001")


@pytest.mark.parametrize(
    ("named", "words_of_the_rest"),
    [(5, ""), (7, "2611.00006, 2611.00007."), (28, "2611.00025 and 3 more.")],
)
async def test_what_a_long_message_names_besides_is_told(
    named: int, words_of_the_rest: str
) -> None:
    world = World()
    papers = [paper(n, f"Paper {n}") for n in range(1, named + 1)]
    await world.listed(*papers)

    answer = await world.answers.answer(commands.About(tuple(p.id for p in papers)), ANN)

    assert titles(answer) == [p.title for p in papers[:5]]
    assert words_of_the_rest in words(answer)
    assert ("Not looked up here" in words(answer)) == bool(words_of_the_rest)


async def test_a_page_behind_the_last_one_is_told_apart_from_nothing() -> None:
    world = await with_papers()
    await world.listed(replace(GRAPHS, upvotes=3), origin=Origin.HUGGING_FACE)
    await world.say("save 2611.00001")

    search, top = await told(world, "search graphs page:9"), await told(world, "top page:9")
    saved = await world.say("saved page:9")

    for answer in (search, top):
        assert "There is no page 9" in answer
        assert "page:1" in answer
    assert titles(saved) == [GRAPHS.title]


async def test_a_paper_on_ones_own_list_has_a_button_that_takes_it_off() -> None:
    world = await with_papers()
    await world.say("save 2611.00001")

    listed = await world.say("saved")
    assert isinstance(listed, Listing)
    buttons = {action.label: action.sentence for action in listed.cards[0].actions}
    removed = await told(world, buttons["Remove"])

    assert "Save" not in buttons
    assert "Taken off" in removed
    assert "Your list is empty" in await told(world, "saved")


async def test_a_guest_may_save_but_not_share() -> None:
    world = await with_papers()
    guest = replace(ANN, role=Role.GUEST)

    assert "Saved" in words(await world.say("save 2611.00001", guest))
    assert "may not change" in words(await world.say("share 2611.00001", guest))


async def test_a_remote_paper_that_is_saved_is_filed_but_not_news() -> None:
    world = await with_papers(Elsewhere(REMOTE))
    await world.say("subscribe graph")

    await world.say("save 2611.00009")

    assert titles(await world.say("saved")) == [REMOTE.title]
    assert titles(await world.say("digest")) == []


async def test_who_shares_twice_in_one_moment_shares_once() -> None:
    world = await with_papers()
    await world.say("subscribe graph")

    first, second = await asyncio.gather(*(told(world, "share 2611.00001") for _ in range(2)))

    assert "ann shares a paper" in first
    assert "It was posted here just now" in second


async def test_a_shared_paper_is_not_brought_again() -> None:
    world = World()
    await world.say("subscribe graph")
    await world.listed(GRAPHS, FLOWS)

    shared = await world.say("share 2611.00001")
    digest = await world.say("digest")

    assert "ann shares a paper" in words(shared)
    assert titles(digest) == [FLOWS.title]


async def test_a_page_behind_the_last_one_of_the_own_list_is_the_last_one() -> None:
    world = await with_papers()
    await world.say("save 2611.00001")

    assert titles(await world.say("saved page:7")) == [GRAPHS.title]


async def test_a_page_of_top_that_is_not_there_does_not_deny_the_votes() -> None:
    world = World()
    await world.listed(replace(GRAPHS, upvotes=41), origin=Origin.HUGGING_FACE)

    answer = await told(world, "top week page:2")

    assert "There is no page 2" in answer
    assert "No paper was voted on" not in answer
    assert "top week" in answer


async def test_saved_papers_are_exported() -> None:
    world = await with_papers()
    await world.say("save 2611.00001")

    bibtex = await world.say("export bibtex")
    as_json = await world.say("export json 2611.00002")

    assert isinstance(bibtex, Document)
    assert bibtex.name == "papers.bib"
    assert GRAPHS.title in bibtex.content
    assert isinstance(as_json, Document)
    assert [FLOWS.title] == [entry["title"] for entry in json.loads(as_json.content)]


async def test_the_last_digest_is_exported() -> None:
    world = World()
    await world.say("subscribe graph")
    await world.listed(GRAPHS)

    before = await told(world, "export ris digest")
    await world.say("digest")
    after = await told(world, "export ris digest")

    assert "No digest was posted here yet" in before
    assert "Graphs at rest" in after
    assert "list is empty" in await told(world, "export bibtex")
    assert "export knows" in await told(world, "export word")


async def test_settings_go_from_one_channel_to_another() -> None:
    world = World()
    other = Caller(replace(HERE, channel="other"), "ann")
    await world.say('subscribe "tool use" weight:2')
    document = await world.say("config export")
    assert isinstance(document, Document)

    taken = await world.say(f"config import {document.content}", other)

    assert "Settings taken over" in words(taken)
    assert '"tool use" weight 2' in words(await world.say("list", other))
    assert "no settings yet" in words(
        await world.say("config export", Caller(ChannelRef("terminal", "local", "new"), "ann"))
    )
    assert "no JSON" in await told(world, "config import {nonsense")


async def test_home_shows_what_is_ones_own() -> None:
    world = await with_papers()
    personal = replace(ANN, ref=replace(HERE, channel="@ann"))
    await world.say("subscribe flows", personal)
    await world.say("subscribe graph")
    await world.say("save 2611.00001")

    home = await told(world, "home")

    assert "1 flows" in home
    assert GRAPHS.title in home
    assert "lab: 1 subscription, weekdays 09:00" in home
    assert "your own channel: Tue 24 Nov 09:00" in home


async def test_home_says_which_channels_take_no_posts() -> None:
    world = await with_papers()
    await world.say("subscribe graph")

    before = await told(world, "home")
    await world.ledger.close(HERE, "the channel was archived", world.now)
    after = await told(world, "home")

    assert "Next digests" in before
    assert "1 subscription, no posts: the channel was archived" in after
    assert "Next digests" not in after


async def test_erase_me_asks_and_then_forgets() -> None:
    world = await with_papers()
    personal = replace(ANN, ref=replace(HERE, channel="@ann"))
    await world.say("subscribe flows", personal)
    await world.say("save 2611.00001")

    asked = await world.say("erase me")
    done = await told(world, "erase me sure:yes")

    assert isinstance(asked, Notice)
    assert [action.sentence for action in asked.actions] == ["erase me sure:yes"]
    assert "Erased" in done
    assert "Your list is empty" in await told(world, "saved")
    assert await world.store.get(personal.ref) is None
