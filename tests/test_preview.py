"""A preview teaches: what each keyword finds, what is missed and what to change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.views import Listing
from tests.world import HERE, TODAY, World, paper, titles, words

FILLER = " It is about other matters, at length and in detail." * 40


@pytest.fixture
def world() -> World:
    return World()


async def told(world: World, typed: str) -> str:
    return words(await world.say(typed))


async def test_every_keyword_tells_its_own_hits(world: World) -> None:
    await world.listed(
        paper(1, "Graph networks"), paper(2, "Graphs and trees"), paper(3, "Trees at home")
    )
    await world.say("subscribe graph|tree|hedge; graph")

    answer = await told(world, "preview")

    assert "By keyword: graph 2, tree 2, hedge 0" in answer
    assert answer.count("By keyword") == 1


async def test_papers_that_one_subscription_alone_brings_are_counted(world: World) -> None:
    await world.listed(
        paper(1, "Graph networks"), paper(2, "Graphs and trees"), paper(3, "Trees at home")
    )
    await world.say("subscribe graph networks; tree; home")

    answer = await world.say("preview")

    assert isinstance(answer, Listing)
    rows = {row.body[1].text: words(replace(answer, rows=(row,), cards=())) for row in answer.rows}
    assert "1 only through it" in rows["graph networks"]
    assert "1 only through it" in rows["tree"]
    assert "only through it" not in rows["home"]


async def test_a_word_of_nearly_all_papers_is_warned_about(world: World) -> None:
    await world.listed(*(paper(n, f"Graphs {n}") for n in range(1, 5)), paper(9, "Trees"))
    await world.say("subscribe graphs; tree")

    answer = await told(world, "preview")

    assert "Careful: graphs matches 4 of 5 papers. Add a word that they must have." in answer
    assert answer.count("Careful") == 1


async def test_a_misspelt_keyword_gets_the_nearest_word_with_its_hits(world: World) -> None:
    await world.listed(paper(1, "Graphs at rest"), paper(2, "Trees"))
    await world.say("subscribe grpahs")

    assert "Nothing for grpahs: did you mean graphs (1 paper)?" in await told(world, "preview")


async def test_a_spelling_that_finds_nothing_either_is_not_suggested(world: World) -> None:
    await world.listed(paper(2, "Trees"))
    await world.say("subscribe grpahs")

    assert "did you mean" not in await told(world, "preview")


async def test_a_phrase_that_never_stands_so_is_tried_without_its_quotes(world: World) -> None:
    await world.listed(paper(1, "Learning of graphs", "Deep."), paper(2, "Trees"))
    await world.say('subscribe "graph learning"; "tree learning"; author:"Ann Lee"')

    answer = await told(world, "preview")

    assert (
        'Nothing for "graph learning" as a phrase; all its words, without the quotes, '
        "are in 1 paper." in answer
    )
    assert 'Nothing for "tree learning"; a shorter or more usual word may find more.' in answer
    assert 'Nothing for author:"Ann Lee".' in answer


async def test_parts_that_never_meet_in_a_paper_are_told(world: World) -> None:
    await world.listed(paper(1, "Graphs"), paper(2, "Trees"))
    await world.say('subscribe "graphs" "trees"')

    answer = await told(world, "preview")

    assert 'By keyword: "graphs" 1, "trees" 1' in answer
    assert "no paper passes them all" in answer


async def test_a_near_miss_says_how_much_it_lacks_and_what_it_has(world: World) -> None:
    await world.listed(paper(1, "Something else", "Of graphs." + FILLER), paper(2, "Graphs"))
    await world.say("subscribe graphs")

    answer = await told(world, "preview")

    assert "of 30 points short: Something else, with only graphs in abstract" in answer.replace(
        '"', ""
    )
    assert "short: Graphs" not in answer


async def test_muted_papers_are_no_near_misses(world: World) -> None:
    await world.listed(paper(1, "A survey", "Of graphs." + FILLER))
    await world.say("subscribe graphs")
    await world.say("mute survey")

    assert "Just missed" not in await told(world, "preview")


async def test_the_strictness_that_is_set_is_compared_with_the_others_a_day(world: World) -> None:
    await world.listed(*(paper(n, f"Graphs {n}") for n in range(1, 4)), on=TODAY)
    await world.listed(paper(5, "Graphs 5"), on=TODAY - timedelta(days=1))
    await world.say("subscribe graphs")
    await world.say("set strictness:strict")

    answer = await told(world, "preview")

    assert (
        "Strictness strict, as set, brings 2 a day, loose 2, normal 2. "
        "Change it with set strictness:normal." in answer
    )


async def test_a_new_term_tells_what_it_alone_would_add_and_changes_nothing(world: World) -> None:
    await world.listed(
        paper(1, "Graph networks"), paper(2, "Graphs and trees"), paper(3, "Trees at home")
    )
    await world.say("subscribe graph")

    answer = await world.say("preview tree")
    known = await told(world, "preview graph")

    assert "3 would have been brought" in words(answer)
    assert "The new term would add 1 paper to 2." in words(answer)
    assert titles(answer) == ["Trees at home"]
    assert "graph is subscribed to already" in known
    channel = await world.store.get(HERE)
    assert channel is not None
    assert len(channel.subscriptions) == 1


async def test_an_empty_library_is_said(world: World) -> None:
    assert "no papers here yet" in await told(world, "preview graphs")
