"""What is told of posts that did not get out, and what people do about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.delivery import key_of
from bot.model import Caller, ChannelRef, Role
from bot.ports import (
    Absent,
    Delivery,
    Gone,
    Outcome,
    Post,
    Postponed,
    Sent,
    State,
    Unreadable,
    Unsure,
)
from bot.views import Listing, Notice
from tests.world import ANN, HERE, NOW, World, paper, words

LEASE = timedelta(seconds=30)
SERVED = {"terminal": None}
FORBIDDEN = Unreadable(NOW, "I may not read this channel's history", forbidden=True)
BROKEN = Unsure(NOW + timedelta(seconds=90), "the connection broke.")


@pytest.fixture
async def world() -> World:
    world = World()
    await world.say("subscribe graphs")
    return world


async def plan(world: World, *papers: tuple[str, ...], slot: datetime = NOW) -> list[Delivery]:
    """A digest of a post for each tuple of papers."""
    posts = [Post(f"part {n}", ids) for n, ids in enumerate(papers)]
    await world.ledger.plan(HERE, slot, posts, 0)
    return [d for d in await world.ledger.deliveries(HERE, 100) if d.slot == slot]


async def send(world: World, *outcomes: Outcome) -> Delivery:
    """Take the next post in hand; this comes of it."""
    [row] = await world.ledger.claim(world.now, LEASE, SERVED, 1)
    for outcome in outcomes:
        row = await world.ledger.settle(row, outcome, world.now)
    return row


async def held(world: World) -> Delivery:
    await plan(world, ("arxiv:2611.00001", "arxiv:2611.00002"))
    return await send(world, BROKEN, FORBIDDEN)


async def state(world: World, key: str) -> State:
    return next(d.state for d in await world.ledger.deliveries(HERE, 100) if d.key == key)


async def told(world: World, typed: str) -> str:
    return words(await world.say(typed))


async def test_status_names_a_held_post_and_how_to_go_on(world: World) -> None:
    post = await held(world)

    status = await world.say("status")

    assert isinstance(status, Listing)
    assert "the digest of Mon 23 Nov 2026 10:30, 2 papers" in words(status)
    assert "Why: I may not read this channel's history." in words(status)
    assert f"resend {post.key[:8]}; to drop it, type giveup {post.key[:8]}" in words(status)
    assert [f"resend {post.key}", f"giveup {post.key}"] == [a.sentence for a in status.actions]
    assert all(len(a.sentence) < 90 for a in status.actions)


async def test_status_is_silent_of_what_goes_well(world: World) -> None:
    await plan(world, ("arxiv:2611.00001",))
    fresh = await told(world, "status")
    await send(world, Sent("m1"))

    assert "the digest of" not in fresh
    assert "the digest of" not in await told(world, "status")


async def test_a_post_in_doubt_says_when_it_is_looked_for(world: World) -> None:
    await plan(world, ("arxiv:2611.00001",))
    await send(world, BROKEN)

    status = await told(world, "status")

    assert "In doubt" in status
    assert "Why: the connection broke.\n" in status
    assert "I look again on Mon 23 Nov 2026 10:31" in status


async def test_a_post_that_waits_for_long_says_why_and_what_waits_for_it(world: World) -> None:
    await plan(world, ("arxiv:2611.00001",), ("arxiv:2611.00002",))
    await send(world, Postponed(NOW + timedelta(hours=2), "the platform asked to wait"))

    world.now += timedelta(minutes=9)
    soon = await told(world, "status")
    world.now += timedelta(minutes=2)
    later = await told(world, "status")

    assert "Waiting" not in soon
    assert "Why: the platform asked to wait." in later
    assert "not before Mon 23 Nov 2026 12:30" in later
    assert "part 2, 1 paper\nIt follows when the part before it is here." in later


async def test_a_closed_channel_says_why_and_since_when_and_what_was_not_posted(
    world: World,
) -> None:
    await plan(world, ("arxiv:2611.00001",))
    await send(world, Gone("the channel is archived"))
    world.pass_days(1)

    status = await world.say("status")

    assert isinstance(status, Listing)
    assert "no posts are taken here since Mon 23 Nov 2026 10:30" in words(status)
    assert "Why: the channel is archived." in words(status)
    assert "Not posted" in words(status)
    assert "Next:" not in words(status)
    assert [action.sentence for action in status.actions] == ["resume"]


async def test_many_stuck_posts_are_counted_not_listed(world: World) -> None:
    for hours in range(12):
        await plan(world, (f"arxiv:2611.{hours:05}",), slot=NOW - timedelta(hours=hours))
        await send(world, BROKEN, FORBIDDEN)

    status = await world.say("status")

    assert isinstance(status, Listing)
    assert words(status).count("the digest of") == 8
    assert "4 more posts did not get out." in words(status)
    assert len(status.actions) == 6


async def test_resume_opens_a_closed_channel_again_and_says_what_was_wrong(world: World) -> None:
    await plan(world, ("arxiv:2611.00001",))
    await send(world, Gone("the channel is archived"))

    resumed = await told(world, "resume")

    assert "I post here again. No post was taken before: the channel is archived." in resumed
    assert await world.ledger.gone(HERE) is None
    assert "not paused" in await told(world, "resume")


async def test_resume_ends_a_pause_of_a_closed_channel_as_well(world: World) -> None:
    await plan(world, ("arxiv:2611.00001",))
    await send(world, Gone("the channel is archived"))
    await world.say("pause")

    await world.say("resume")

    channel = await world.store.get(HERE)
    assert channel is not None
    assert not channel.paused
    assert await world.ledger.gone(HERE) is None


@pytest.mark.parametrize("length", [6, 8, 24])
async def test_a_held_post_is_sent_once_more_by_the_beginning_of_its_key(
    world: World, length: int
) -> None:
    post = await held(world)

    answer = await told(world, f"resend {post.key[:length].upper()}")

    assert (
        "Sent once more, within a minute: the digest of Mon 23 Nov 2026 10:30, 2 papers" in answer
    )
    assert State.READY is await state(world, post.key)
    assert post.key == (await send(world, Sent("m1"))).key


async def test_a_post_that_is_given_up_lets_its_papers_come_again(world: World) -> None:
    await world.listed(paper(1, "Graphs at rest"), paper(2, "Graphs in motion"))
    post = await held(world)
    assert "Graphs at rest" not in await told(world, "digest")

    answer = await told(world, f"giveup {post.key[:6]}")
    digest = await told(world, "digest")

    assert "Given up: the digest of Mon 23 Nov 2026 10:30, 2 papers." in answer
    assert "The 2 papers it held can come with the next digest." in answer
    assert State.GIVEN_UP is await state(world, post.key)
    assert "Graphs at rest" in digest
    assert "the digest of" not in await told(world, "status")


async def test_what_follows_in_the_digest_is_given_up_with_it_and_counted(world: World) -> None:
    first, second = await plan(world, ("arxiv:2611.00001",), ("arxiv:2611.00002",))
    await send(world, BROKEN, FORBIDDEN)

    answer = await told(world, f"giveup {first.key}")

    assert "The rest of that digest is not posted either." in answer
    assert "The 2 papers it held" in answer
    assert State.GIVEN_UP is await state(world, second.key)


@pytest.mark.parametrize("verb", ["resend", "giveup"])
async def test_a_key_that_names_no_held_post_is_a_mistake_that_says_what_to_do(
    world: World, verb: str
) -> None:
    [waiting] = await plan(world, ("arxiv:2611.00001",))
    unlike = waiting.key[:5] + ("1" if waiting.key[5] == "0" else "0")

    for typed, said in (
        ("", "which post?"),
        ("abc", "too short"),
        (unlike, f"There is no post “{unlike}”"),
        ("f" * 24, "There is no post"),
        (waiting.key, "only a held one"),
    ):
        answer = await world.say(f"{verb} {typed}")

        assert isinstance(answer, Notice)
        assert answer.kind == "error"
        assert said in words(answer)
        assert answer.hints


def slots_of_like_keys() -> tuple[datetime, datetime]:
    """Two whose keys begin with the same six characters."""
    known: dict[str, datetime] = {}
    slot = NOW
    while (other := known.setdefault(key_of(HERE, slot, 0)[:6], slot)) == slot:
        slot -= timedelta(minutes=1)
    return other, slot


async def test_a_beginning_that_several_keys_share_is_not_guessed(world: World) -> None:
    keys = []
    for slot in slots_of_like_keys():
        await plan(world, ("arxiv:2611.00001",), slot=slot)
        keys.append((await send(world, BROKEN, FORBIDDEN)).key)
    short = keys[0][:6]

    answer = await told(world, f"resend {short}")
    await world.say(f"resend {keys[0]}")

    assert f"2 posts of this channel have a key that begins with “{short}”" in answer
    assert "Write more of it." in answer
    assert await state(world, keys[0]) is State.READY
    assert await state(world, keys[1]) is State.HELD


async def test_posts_of_another_channel_are_out_of_reach(world: World) -> None:
    post = await held(world)
    elsewhere = Caller(ChannelRef("terminal", "local", "elsewhere"), "ann")

    for typed in (post.key, post.key[:6]):
        answer = words(await world.say(f"resend {typed}", elsewhere))

        assert "There is no post" in answer
    assert State.HELD is await state(world, post.key)


async def test_who_may_not_change_the_channel_sees_held_posts_and_leaves_them(
    world: World,
) -> None:
    post = await held(world)
    guest = replace(ANN, role=Role.GUEST)

    assert "Held" in words(await world.say("status", guest))
    for verb in ("resend", "giveup"):
        assert "may not change" in words(await world.say(f"{verb} {post.key}", guest))
    assert State.HELD is await state(world, post.key)


async def test_a_closed_channel_is_to_be_resumed_before_a_post_is_sent_again(
    world: World,
) -> None:
    post = await held(world)
    await plan(world, ("arxiv:2611.00003",), slot=NOW + timedelta(minutes=1))
    world.pass_days(1)
    await send(world, Gone("the channel is archived"))

    answer = await told(world, f"resend {post.key}")

    assert "takes no posts: the channel is archived" in answer
    assert "resume" in answer
    assert State.HELD is await state(world, post.key)


async def test_a_post_found_absent_waits_no_longer_than_any_other(world: World) -> None:
    await plan(world, ("arxiv:2611.00001",))
    await send(world, BROKEN, Absent())
    world.now += timedelta(minutes=11)

    assert "I try again, not before Mon 23 Nov 2026 10:30" in await told(world, "status")
