"""What Tab offers in the terminal."""

from __future__ import annotations

import pytest

from adapters.terminal.session import ChannelSession
from bot.views import View
from tests.world import ANN, World, paper


async def nothing() -> list[View]:
    return []


@pytest.mark.parametrize("verb", ["show", "why", "save", "similar", "like", "share", "unsave"])
async def test_papers_that_were_shown_are_offered_where_a_verb_takes_one(verb: str) -> None:
    world = World()
    await world.listed(paper(1, "Graphs"))
    session = ChannelSession(world.answers, ANN, greeting=nothing)
    assert session.completions(f"{verb} 26") == []

    await session.answer("show 2611.00001")

    assert session.completions(f"{verb} 26") == ["2611.00001"]
    assert session.completions("subscribe 26") == []


async def test_verbs_options_and_categories_are_offered() -> None:
    session = ChannelSession(World().answers, ANN, greeting=nothing)

    assert session.completions("sub") == ["subscribe"]
    assert session.completions("search graphs si") == ["since:"]
    assert "cat:cs.CL" in session.completions("subscribe cat:cs.C")
