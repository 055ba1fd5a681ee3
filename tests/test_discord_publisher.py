"""Posts on Discord: where they go, that they go once, and how they are found again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.discord import render
from bot.delivery import key_of
from bot.errors import ChannelGone, HistoryUnreadable, Later, Unknown
from bot.model import ChannelRef
from bot.ports import Post
from bot.views import Action, Digest, Notice, PaperCard, text
from tests.discord_bot import DiscordBot, discord_bot, read
from tests.discord_server import Channel, DiscordServer, Fault, Kind, P, Rates
from tests.discord_state import REQUIRE_TAG
from tests.world import NOW, paper

MESSAGES = "POST /channels/{channel_id}/messages"
HISTORY = "GET /channels/{channel_id}/messages"


@pytest.fixture
async def bot() -> AsyncIterator[DiscordBot]:
    async with discord_bot() as made:
        yield made


def digest(bot: DiscordBot, count: int = 2, **more: object) -> Digest:
    cards = tuple(
        PaperCard(paper(n, f"Paper {n}"), actions=(Action("Save", f"save 2611.{n:05}"),))
        for n in range(1, count + 1)
    )
    return replace(Digest(None, bot.world.now, 40, cards), **more)  # type: ignore[arg-type]


async def publish(bot: DiscordBot, channel: Channel, shown: Digest) -> list[str]:
    """The ids of its posts."""
    ref, ids = bot.ref(channel), list[str]()
    for number, post in enumerate(bot.publisher.compose(ref, shown)):
        key = key_of(ref, shown.slot, number)
        ids.append(await bot.publisher.publish(ref, post, key, ids[0] if ids else None))
    return ids


def first(bot: DiscordBot, channel: Channel) -> tuple[ChannelRef, Post, str]:
    """What a look-up asks for: the first post of a digest."""
    ref = bot.ref(channel)
    return ref, bot.publisher.compose(ref, digest(bot))[0], key_of(ref, bot.world.now, 0)


async def find(bot: DiscordBot, channel: Channel, **ago: float) -> list[str]:
    ref, post, key = first(bot, channel)
    since = bot.world.now - timedelta(**(ago or {"minutes": 5}))
    return list(await bot.publisher.find(ref, post, key, None, since))


async def test_every_post_has_an_enforced_nonce_and_carries_its_key(bot: DiscordBot) -> None:
    (made,) = await publish(bot, bot.papers, digest(bot))

    (request,) = bot.server.sent(MESSAGES)
    key = key_of(bot.ref(bot.papers), bot.world.now, 0)
    assert request.body["nonce"] == key
    assert len(key) <= 25
    assert request.body["enforce_nonce"] is True
    assert request.body["allowed_mentions"] == {"parse": []}
    (message,) = bot.server.messages(bot.papers)
    assert (made, render.key_of(message.json())) == (message.id, key)


async def test_a_digest_of_papers_in_japanese_is_posted(bot: DiscordBot) -> None:
    told = text("推測的復号は言語モデルの生成を速くする。" * 40)
    cards = tuple(replace(card, gist=told) for card in digest(bot, 8).cards)

    made = await publish(bot, bot.papers, digest(bot, cards=cards))

    assert [m.id for m in bot.server.messages(bot.papers)] == made


async def test_a_post_that_is_made_again_is_the_first_one(bot: DiscordBot) -> None:
    ids = [await publish(bot, bot.papers, digest(bot)) for _ in range(2)]

    assert ids[0] == ids[1]
    assert len(bot.server.messages(bot.papers)) == 1


async def test_a_post_that_a_moderator_deleted_meanwhile_counts_as_sent(bot: DiscordBot) -> None:
    await publish(bot, bot.papers, digest(bot))
    bot.server.delete_message(bot.server.messages(bot.papers)[0])

    assert await publish(bot, bot.papers, digest(bot)) == [""]
    assert bot.server.messages(bot.papers) == []
    await bot.publisher.delete(bot.ref(bot.papers), "")


async def test_a_role_is_mentioned_by_the_first_post_alone(bot: DiscordBot) -> None:
    role = bot.server.add_role(bot.lab, "Readers", mentionable=True)

    await publish(bot, bot.papers, digest(bot, 30, ping=role.id))

    assert len(bot.server.messages(bot.papers)) > 1
    (ping,) = bot.server.pinged
    assert ping.roles == {role.id}


async def test_a_thread_has_the_papers_under_one_message(bot: DiscordBot) -> None:
    ids = await publish(bot, bot.papers, digest(bot, layout="thread"))

    (parent,) = bot.server.messages(bot.papers)
    (thread,) = bot.server.threads(bot.papers)
    assert thread.name == "Monday 23 November 2026"
    assert [f"{thread.id}/{m.id}" for m in bot.server.messages(thread)] == ids[1:]
    assert ids[0] == parent.id == thread.id
    assert all(request.body["enforce_nonce"] for request in bot.server.sent(MESSAGES))


async def test_without_the_right_to_open_threads_all_is_in_the_channel(bot: DiscordBot) -> None:
    everyone = bot.lab.roles[bot.lab.id]
    bot.server.overwrite(bot.papers, everyone, deny=P.CREATE_PUBLIC_THREADS)
    await bot.known()

    await publish(bot, bot.papers, digest(bot, layout="thread"))

    assert len(bot.server.messages(bot.papers)) == 3
    assert not bot.server.sent("POST /channels/{channel_id}/messages/{message_id}/threads")


@pytest.mark.parametrize("kind", [Kind.ANNOUNCEMENT, Kind.VOICE])
async def test_announcements_have_threads_and_voice_channels_have_none(
    bot: DiscordBot, kind: Kind
) -> None:
    channel = bot.server.add_channel(bot.lab, "other", kind)
    await bot.known()

    await publish(bot, channel, digest(bot, layout="thread"))

    threads = bot.server.threads(channel)
    assert len(threads) == (kind is Kind.ANNOUNCEMENT)
    posts = [post for place in (channel, *threads) for post in bot.server.messages(place)]
    assert len(posts) == 3
    opened = bot.server.sent("POST /channels/{channel_id}/messages/{message_id}/threads")
    assert bool(opened) == bool(threads)


async def test_where_the_first_post_was_deleted_the_others_stand_in_the_channel(
    bot: DiscordBot,
) -> None:
    ref, shown = bot.ref(bot.papers), digest(bot, 1, layout="thread")
    parent, threaded = bot.publisher.compose(ref, shown)
    made = await bot.publisher.publish(ref, parent, "a" * 24, None)
    bot.server.delete_message(bot.server.messages(bot.papers)[0])

    await bot.publisher.publish(ref, threaded, "b" * 24, made)

    assert len(bot.server.messages(bot.papers)) == 1


async def test_a_thread_that_was_archived_is_opened_again(bot: DiscordBot) -> None:
    ref, shown = bot.ref(bot.papers), digest(bot, 2, layout="thread")
    parent, one, two = bot.publisher.compose(ref, shown)
    made = await bot.publisher.publish(ref, parent, "a" * 24, None)
    await bot.publisher.publish(ref, one, "b" * 24, made)
    (thread,) = bot.server.threads(bot.papers)
    bot.server.change_channel(thread, archived=True)
    bot.server.fault(MESSAGES, Fault.refused(400, 50083))

    await bot.publisher.publish(ref, two, "c" * 24, made)

    assert not thread.archived
    assert len(bot.server.messages(thread)) == 2


async def test_a_locked_thread_is_left_alone(bot: DiscordBot) -> None:
    ref, shown = bot.ref(bot.papers), digest(bot, 2, layout="thread")
    parent, one, two = bot.publisher.compose(ref, shown)
    made = await bot.publisher.publish(ref, parent, "a" * 24, None)
    await bot.publisher.publish(ref, one, "b" * 24, made)
    bot.server.change_channel(bot.server.threads(bot.papers)[0], locked=True)

    await bot.publisher.publish(ref, two, "c" * 24, made)

    assert len(bot.server.messages(bot.papers)) == 2


# Forums


@pytest.fixture
async def forum(bot: DiscordBot) -> Channel:
    made = bot.server.add_channel(bot.lab, "reading", Kind.FORUM, tags=("Inference", "graphs"))
    await bot.known()
    return made


async def test_a_forum_gets_one_post_a_day_with_its_tags(bot: DiscordBot, forum: Channel) -> None:
    await publish(bot, forum, digest(bot, labels=("inference", "unknown")))
    await bot.known()
    bot.pass_time(hours=3)
    await publish(bot, forum, digest(bot))

    (thread,) = bot.server.threads(forum)
    assert thread.name == "Monday 23 November 2026"
    assert [tag.name for tag in forum.tags if tag.id in thread.applied_tags] == ["Inference"]
    assert len(bot.server.messages(thread)) == 2

    bot.pass_time(days=1)
    await publish(bot, forum, digest(bot))
    assert len(bot.server.threads(forum)) == 2


async def test_the_parts_of_a_long_digest_are_in_one_thread(
    bot: DiscordBot, forum: Channel
) -> None:
    ids = await publish(bot, forum, digest(bot, 40))

    (thread,) = bot.server.threads(forum)
    assert len(ids) > 1
    assert ids == [f"{thread.id}/{message.id}" for message in bot.server.messages(thread)]


async def test_a_tag_that_vanished_is_no_failure(bot: DiscordBot, forum: Channel) -> None:
    await bot.known()
    bot.server.gateway.zombie()  # the bot is not told of it
    bot.server.remove_tag(forum, forum.tags[0])

    await publish(bot, forum, digest(bot, labels=("inference",)))

    (thread,) = bot.server.threads(forum)
    assert thread.applied_tags == []


async def test_a_forum_that_requires_a_tag_gets_one(bot: DiscordBot) -> None:
    strict = bot.server.add_channel(
        bot.lab, "strict", Kind.FORUM, tags=("papers",), flags=REQUIRE_TAG
    )
    bot.server.add_tag(strict, "news", moderated=True)
    await bot.known()

    await publish(bot, strict, digest(bot, labels=("news",)))

    (thread,) = bot.server.threads(strict)
    assert thread.applied_tags == [strict.tags[0].id]


async def test_a_forum_post_that_is_locked_gets_a_second_one(
    bot: DiscordBot, forum: Channel
) -> None:
    await publish(bot, forum, digest(bot))
    await bot.known()
    bot.server.change_channel(bot.server.threads(forum)[0], locked=True)
    bot.pass_time(hours=1)

    await publish(bot, forum, digest(bot))

    assert len(bot.server.threads(forum)) == 2


async def test_the_post_of_a_forum_is_found_again(bot: DiscordBot, forum: Channel) -> None:
    assert await find(bot, forum) == []
    ids = await publish(bot, forum, digest(bot))
    assert await find(bot, forum) == ids

    bot.server.change_channel(bot.server.threads(forum)[0], archived=True)
    assert await find(bot, forum) == ids

    await bot.publisher.delete(bot.ref(forum), ids[0])
    assert await find(bot, forum) == []


async def test_a_second_post_of_a_forum_that_is_taken_back_is_put_away(
    bot: DiscordBot, forum: Channel
) -> None:
    ref, post, key = first(bot, forum)
    one = await bot.publisher.publish(ref, post, key, None)
    bot.server.nonces.clear()
    moved = replace(post, body=post.body.replace("Monday", "On Monday"))
    two = await bot.publisher.publish(ref, moved, key, None)
    bot.server.fault("PATCH /channels/{channel_id}", Fault.refused(403, 50013))

    await bot.publisher.delete(ref, two)
    assert not any(thread.archived for thread in bot.server.threads(forum))
    await bot.publisher.delete(ref, two)

    left, away = bot.server.threads(forum)
    assert (left.id, left.archived, len(bot.server.messages(left))) == (one.split("/")[0], False, 1)
    assert (away.archived, bot.server.messages(away)) == (True, [])


async def test_a_post_of_somebody_else_that_is_called_so_is_left_alone(
    bot: DiscordBot, forum: Channel
) -> None:
    theirs = bot.server.add_thread(forum, "Monday 23 November 2026", by=bot.ann)
    await bot.known()

    await publish(bot, forum, digest(bot))

    assert bot.server.messages(theirs) == []
    assert len(bot.server.threads(forum)) == 2


async def test_archived_posts_of_a_forum_are_looked_through_in_pages(
    bot: DiscordBot, forum: Channel
) -> None:
    for number in range(120):
        old = bot.server.add_thread(forum, f"old {number}", by=bot.ann)
        bot.server.change_channel(old, archived=True)
        bot.pass_time(seconds=1)
    bot.pass_time(minutes=10)
    since, (ref, post, key) = bot.world.now - timedelta(minutes=5), first(bot, forum)
    made = await bot.publisher.publish(ref, post, key, None)
    (own,) = (t for t in bot.server.threads(forum) if t.owner is bot.server.bot)
    bot.server.change_channel(own, archived=True)
    for number in range(230):
        bot.pass_time(seconds=1)
        new = bot.server.add_thread(forum, f"new {number}", by=bot.ann)
        bot.server.change_channel(new, archived=True)

    assert await bot.publisher.find(ref, post, key, None, since) == [made]
    archive = bot.server.sent("GET /channels/{channel_id}/threads/archived/public")
    assert len(archive) == 3  # of four: the last one is older than the post


# What is in the way


@pytest.mark.parametrize(
    ("denied", "said"),
    [
        (P.SEND_MESSAGES, "I lack the permission Send Messages there"),
        (P.VIEW_CHANNEL, "I lack the permission View Channel there"),
    ],
)
async def test_a_missing_permission_is_named_before_anything_is_sent(
    bot: DiscordBot, denied: P, said: str
) -> None:
    bot.server.overwrite(bot.papers, bot.lab.roles[bot.lab.id], deny=denied)
    await bot.known()

    with pytest.raises(ChannelGone) as raised:
        await publish(bot, bot.papers, digest(bot))

    assert raised.value.message == said
    assert bot.server.sent(MESSAGES) == []


async def test_the_text_of_a_voice_channel_takes_the_right_to_connect(bot: DiscordBot) -> None:
    channel = bot.server.add_channel(bot.lab, "talk", Kind.VOICE)
    bot.server.overwrite(channel, bot.server.bot, deny=P.CONNECT)
    await bot.known()

    with pytest.raises(ChannelGone, match="I lack the permission Connect there"):
        await publish(bot, channel, digest(bot))
    warned = await bot.ask("papers-admin subscribe", at=channel, query="graphs")
    await bot.platform._surfaces.drain(5)
    assert "I lack the permission Connect in this channel" in read(warned.text)


@pytest.mark.parametrize(
    ("denied", "named"),
    [
        (P.SEND_MESSAGES, "Create Posts"),
        (P.SEND_MESSAGES_IN_THREADS, "Send Messages in Posts"),
    ],
)
async def test_a_forum_has_its_own_names_for_permissions(
    bot: DiscordBot, forum: Channel, denied: P, named: str
) -> None:
    everyone = bot.lab.roles[bot.lab.id]
    bot.server.overwrite(forum, everyone, deny=denied)
    await bot.known()

    with pytest.raises(ChannelGone, match=f"I lack the permission {named} there"):
        await publish(bot, forum, digest(bot))


async def test_a_server_out_of_order_is_waited_for(bot: DiscordBot) -> None:
    bot.server.outage(bot.lab)
    await bot.known()

    with pytest.raises(Later) as raised:
        await publish(bot, bot.papers, digest(bot))

    assert raised.value.after == 60
    assert bot.server.sent(MESSAGES) == []
    bot.server.end_outage(bot.lab)
    await bot.known()
    assert await publish(bot, bot.papers, digest(bot))


async def test_a_channel_that_the_gateway_has_not_told_of_is_looked_up(bot: DiscordBot) -> None:
    ref = bot.ref(bot.papers)
    bot.platform._known = None  # as before the first connection
    post = bot.publisher.compose(ref, digest(bot))[0]

    assert await bot.publisher.publish(ref, post, "a" * 24, None)
    with pytest.raises(HistoryUnreadable) as raised:
        await bot.publisher.find(ref, post, "a" * 24, None, bot.world.now)

    assert not raised.value.forbidden
    gone = replace(ref, channel="1")
    with pytest.raises(ChannelGone, match="the channel was deleted"):
        await bot.publisher.publish(gone, post, "b" * 24, None)


async def test_buttons_that_discord_does_not_take_are_left_out(bot: DiscordBot) -> None:
    bot.server.fault(MESSAGES, Fault.refused(400, 50035))

    await publish(bot, bot.papers, digest(bot))

    (message,) = bot.server.messages(bot.papers)
    assert "Paper 2" in read(message.text())
    assert "Save" not in message.text()
    assert render.key_of(message.json()) == key_of(bot.ref(bot.papers), bot.world.now, 0)


async def test_a_post_that_is_malformed_for_good_gives_its_papers_back(bot: DiscordBot) -> None:
    bot.server.fault(MESSAGES, Fault.refused(400, 50035), times=None)

    with pytest.raises(ChannelGone, match="Discord refuses the post: Invalid Form Body"):
        await publish(bot, bot.papers, digest(bot))

    assert len(bot.server.sent(MESSAGES)) == 2


# Looking back


async def test_a_post_is_found_among_many_messages(bot: DiscordBot) -> None:
    for number in range(120):
        bot.server.write(bot.bob, bot.papers, f"before {number}")
    (made,) = await publish(bot, bot.papers, digest(bot))
    for number in range(130):
        bot.server.write(bot.bob, bot.papers, f"after {number}")

    assert await find(bot, bot.papers) == [made]
    assert len(bot.server.sent(HISTORY)) == 3


async def test_a_long_history_is_read_at_the_pace_that_discord_allows() -> None:
    clock: list[DiscordBot] = []
    rates = Rates(timer=lambda: clock[0].world.now.timestamp() if clock else 0.0)
    server = DiscordServer(clock=lambda: clock[0].world.now if clock else NOW, rates=rates)
    async with discord_bot(server=server) as bot:
        clock.append(bot)
        (made,) = await publish(bot, bot.papers, digest(bot))
        for number in range(1_200):
            bot.server.write(bot.bob, bot.papers, f"after {number}")

        assert await find(bot, bot.papers) == [made]
        assert len(bot.server.sent(HISTORY)) == 13
        assert [d for d in bot.server.dislikes if d.kind == "rate"] == []


async def test_both_copies_are_found_and_the_second_can_be_taken_back(bot: DiscordBot) -> None:
    (one,) = await publish(bot, bot.papers, digest(bot))
    bot.server.nonces.clear()
    (two,) = await publish(bot, bot.papers, digest(bot))

    assert await find(bot, bot.papers) == [one, two]
    await bot.publisher.delete(bot.ref(bot.papers), two)
    await bot.publisher.delete(bot.ref(bot.papers), two)
    assert await find(bot, bot.papers) == [one]


async def test_what_stood_there_before_is_not_looked_at(bot: DiscordBot) -> None:
    await publish(bot, bot.papers, digest(bot))
    ref, post, key = first(bot, bot.papers)
    bot.pass_time(minutes=30)

    since = bot.world.now - timedelta(minutes=5)
    assert list(await bot.publisher.find(ref, post, key, None, since)) == []


async def test_somebody_who_repeats_the_words_of_a_post_is_not_it(bot: DiscordBot) -> None:
    await publish(bot, bot.papers, digest(bot))
    (message,) = bot.server.messages(bot.papers)
    copy = bot.server.write(bot.bob, bot.papers, "")
    copy.components = message.components

    assert await find(bot, bot.papers) == [message.id]


async def test_an_empty_history_is_not_believed_without_the_right_to_read_it(
    bot: DiscordBot,
) -> None:
    await publish(bot, bot.papers, digest(bot))
    bot.server.overwrite(bot.papers, bot.lab.roles[bot.lab.id], deny=P.READ_MESSAGE_HISTORY)
    await bot.known()

    with pytest.raises(HistoryUnreadable, match="Read Message History") as raised:
        await find(bot, bot.papers)

    assert raised.value.forbidden


async def test_a_threaded_post_is_found_in_its_thread_and_in_the_channel(bot: DiscordBot) -> None:
    ref, shown = bot.ref(bot.papers), digest(bot, 1, layout="thread")
    parent, post = bot.publisher.compose(ref, shown)
    made = await bot.publisher.publish(ref, parent, "a" * 24, None)
    threaded = await bot.publisher.publish(ref, post, "b" * 24, made)
    since = bot.world.now - timedelta(minutes=5)

    assert list(await bot.publisher.find(ref, post, "b" * 24, made, since)) == [threaded]

    bot.server.nonces.clear()
    bot.server.overwrite(bot.papers, bot.lab.roles[bot.lab.id], deny=P.CREATE_PUBLIC_THREADS)
    await bot.known()
    plain = await bot.publisher.publish(ref, post, "c" * 24, made)
    assert list(await bot.publisher.find(ref, post, "c" * 24, made, since)) == [plain]
    assert plain == bot.server.messages(bot.papers)[-1].id


# People


async def test_an_owner_is_told_in_private_and_once(bot: DiscordBot) -> None:
    notice = Notice(text("I can no longer post."), "error")

    for _ in range(2):
        await bot.publisher.tell(bot.ref(bot.papers), bot.ann.id, notice)

    (told,) = bot.server.messages(bot.server.dm(bot.ann))
    assert "I can no longer post." in told.text()
    assert all(request.body["enforce_nonce"] for request in bot.server.sent(MESSAGES))


async def test_who_takes_no_messages_is_not_told(bot: DiscordBot) -> None:
    bot.ann.takes_dms = False

    with pytest.raises(ChannelGone):
        await bot.publisher.tell(bot.ref(bot.papers), bot.ann.id, Notice(text("Hello")))


async def test_a_personal_channel_is_the_direct_messages(bot: DiscordBot) -> None:
    ref = bot.ref(bot.ann)
    posts = bot.publisher.compose(ref, digest(bot, layout="thread"))
    ids = [await bot.publisher.publish(ref, posts[0], "a" * 24, None)]
    ids += [
        await bot.publisher.publish(ref, p, f"{n}" * 24, ids[0]) for n, p in enumerate(posts[1:])
    ]

    direct = bot.server.dm(bot.ann)
    assert [message.id for message in bot.server.messages(direct)] == ids
    since = bot.world.now - timedelta(minutes=5)
    assert list(await bot.publisher.find(ref, posts[0], "a" * 24, None, since)) == ids[:1]
    assert len(bot.server.sent("POST /users/@me/channels")) == 1


async def test_a_message_that_cannot_be_taken_back_is_reported(bot: DiscordBot) -> None:
    (made,) = await publish(bot, bot.papers, digest(bot))
    bot.server.fault("DELETE /channels/{channel_id}/messages/{message_id}", Fault.status(500))

    with pytest.raises(Unknown):
        await bot.publisher.delete(bot.ref(bot.papers), made)


async def test_a_composed_post_is_frozen_and_says_which_papers_it_holds(bot: DiscordBot) -> None:
    posts = bot.publisher.compose(bot.ref(bot.papers), digest(bot, 40, labels=("speed",)))

    assert [p for post in posts for p in post.papers] == [
        f"arxiv:2611.{n:05}" for n in range(1, 41)
    ]
    assert {json.loads(post.body)["name"] for post in posts} == {"Monday 23 November 2026"}
    assert all(json.loads(post.body)["labels"] == ["speed"] for post in posts)
