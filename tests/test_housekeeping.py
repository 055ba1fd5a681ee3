"""What is kept for how long: the papers that nobody saved, and workspaces that were left."""

from __future__ import annotations

from datetime import timedelta

from bot.housekeeping import Housekeeping
from bot.model import Channel, ChannelRef, Origin, Record
from bot.ports import Installation, Post
from tests.fake_installations import MemoryInstallations
from tests.world import ANN, TODAY, World, paper

LAB = ChannelRef("slack", "T1", "C1")


def house(world: World, installations: MemoryInstallations | None = None) -> Housekeeping:
    return Housekeeping(
        world.store, world.ledger, world.library, world.people, world.people, installations,
        lambda: world.now,
    )  # fmt: skip


async def test_papers_go_after_400_days_unless_somebody_saved_them() -> None:
    world = World()
    await world.listed(paper(1, "Graphs"), paper(2, "Saved graphs"))
    await world.listed(paper(3, "Newer graphs"), on=TODAY + timedelta(days=1))
    await world.say("save 2611.00002")

    world.pass_days(401)
    await house(world).tidy()

    assert await world.library.find("arxiv:2611.00001") is None
    assert await world.library.find("arxiv:2611.00002")
    assert await world.library.find("arxiv:2611.00003")


async def test_papers_stay_that_somebody_voted_on_or_waits_for() -> None:
    world = World()
    await world.listed(
        paper(1, "Graphs"), paper(2, "Liked graphs"), paper(3, "Graphs on their way")
    )
    await world.say("like 2611.00002")
    waiting = Post("{}", ("arxiv:2611.00003",))
    await world.ledger.plan(LAB, world.now, [waiting], 0, None)

    world.pass_days(401)
    await house(world).tidy()

    assert await world.library.find("arxiv:2611.00001") is None
    assert await world.library.find("arxiv:2611.00002")
    assert await world.library.find("arxiv:2611.00003")


async def test_papers_that_were_imported_stay_however_old() -> None:
    world = World()
    await world.library.add(
        [Record(paper(1, "Graphs"), Origin.JSONL, TODAY)], today=TODAY, live=False
    )

    world.pass_days(401)
    await house(world).tidy()

    assert await world.library.find("arxiv:2611.00001")


async def test_a_workspace_is_forgotten_30_days_after_it_was_left() -> None:
    world = World()
    installations = MemoryInstallations()
    await installations.save(
        Installation("T1", "Lab", "xoxb-1", "U0", ("commands",), "U1", world.now)
    )
    await world.store.save(Channel(LAB, max=3), "U1")
    await installations.remove("T1", world.now)
    await world.people.left("slack", "T1", world.now)

    world.pass_days(29)
    await house(world, installations).tidy()
    assert await world.store.get(LAB)

    world.pass_days(2)
    await house(world, installations).tidy()
    assert await world.store.get(LAB) is None
    assert await installations.expired(world.now + timedelta(days=1)) == []


async def test_a_workspace_that_came_back_keeps_everything() -> None:
    world = World()
    await world.store.save(Channel(ANN.ref, max=3), "ann")
    await world.people.left(ANN.ref.platform, ANN.ref.tenant, world.now)
    await world.people.returned(ANN.ref.platform, ANN.ref.tenant)

    world.pass_days(31)
    await house(world).tidy()

    assert await world.store.get(ANN.ref)
