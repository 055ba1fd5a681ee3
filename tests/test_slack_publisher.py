"""Digests to Slack's channels, through the ledger and the sender that drive them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.slack.manifest import SCOPES
from adapters.slack.publisher import EVENT_TYPE
from bot.delivery import SETTLE
from bot.errors import ChannelGone, HistoryUnreadable, Later, Unknown
from bot.model import Channel as Settings, ChannelRef, Paper
from bot.ports import Delivery, Post, State
from bot.views import Digest, Notice, PaperCard, text
from tests.slack_server import Channel, Fault, Message
from tests.slack_world import SlackWorld, lab_of, shown, slack_world
from tests.world import paper

KEY = "0123456789abcdef01234567"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def digest_of(ref: ChannelRef, *papers: Paper, layout: str = "compact") -> Digest:
    cards = tuple(PaperCard(each) for each in papers)
    return Digest(ref, datetime(2026, 11, 23, 9, tzinfo=UTC), len(papers), cards, layout=layout)


async def planned(w: SlackWorld, channel: Channel, *papers: Paper, layout: str = "compact") -> None:
    """The digest stands in the outbox, ready."""
    ref = w.ref(channel)
    if await w.world.store.get(ref) is None:
        await w.world.store.save(Settings(ref), channel.creator)
    posts = w.publisher.compose(ref, digest_of(ref, *papers, layout=layout))
    await w.world.ledger.plan(ref, w.world.now, posts, 1)


async def deliveries(w: SlackWorld, channel: Channel) -> list[Delivery]:
    return await w.world.ledger.deliveries(w.ref(channel), 50)


async def states(w: SlackWorld, channel: Channel) -> list[State]:
    return [delivery.state for delivery in await deliveries(w, channel)]


def keys(messages: Sequence[Message]) -> list[str]:
    return [(m.metadata or {})["event_payload"]["key"] for m in messages]


PAPERS = tuple(paper(n, f"Rivers of the north, part {n}") for n in range(1, 4))


async def test_a_digest_is_posted_once_with_its_key() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)

        await w.sender.send_due()
        await w.sender.send_due()

        [message] = w.slack.posts(lab)
        [delivery] = await deliveries(w, lab)
        assert (delivery.state, delivery.message_id) == (State.SENT, message.ts)
        assert message.metadata == {
            "event_type": EVENT_TYPE, "event_payload": {"key": delivery.key},
        }  # fmt: skip
        assert all(each.title in shown(message) for each in PAPERS)
        assert message.text
        assert w.slack.dislikes == []


async def test_a_long_digest_is_several_messages_in_order_and_loses_no_paper() -> None:
    many = [paper(n, f"Rivers {n} " + "and banks " * 25, "Water. " * 90) for n in range(100, 140)]
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *many)

        await w.sender.send_due()

        messages = w.slack.posts(lab)
        assert len(messages) > 1
        assert set(await states(w, lab)) == {State.SENT}
        words = shown(*messages)
        assert [words.index(f"Rivers {n} ") for n in range(100, 140)] == sorted(
            words.index(f"Rivers {n} ") for n in range(100, 140)
        )
        assert w.slack.dislikes == []


async def test_in_a_thread_each_paper_answers_to_the_first_post() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS, layout="thread")

        await w.sender.send_due()

        parent = w.slack.posts(lab)[0]
        replies = w.slack.thread(parent)
        assert parent.thread_ts in (None, parent.ts)
        assert len(replies) == len(PAPERS)
        for each, reply in zip(PAPERS, replies, strict=True):
            assert each.title in shown(reply)
        assert w.slack.dislikes == []


async def test_a_personal_digest_goes_to_direct_messages_that_are_opened_once() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        own = w.ref(ann)
        posts = w.publisher.compose(own, digest_of(own, *PAPERS))

        for key in ("a", "b"):
            await w.publisher.publish(own, posts[0], key, None)

        assert len(w.slack.posts(w.slack.im(ann))) == 2
        assert len(w.slack.called("conversations.open")) == 1


async def test_a_post_whose_answer_was_lost_is_sent_once_and_found() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", Fault.reset(after_effect=True))

        await w.sender.send_due()
        in_doubt = await states(w, lab)
        w.world.now += SETTLE
        await w.sender.settle_unknown()
        await w.sender.send_due()

        assert in_doubt == [State.UNKNOWN]
        assert await states(w, lab) == [State.SENT]
        assert len(w.slack.called("chat.postMessage")) == 1
        assert len(w.slack.posts(lab)) == 1


async def test_a_post_that_never_arrived_is_sent_again_after_a_look() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", Fault.reset())

        await w.sender.send_due()
        w.world.now += SETTLE
        await w.sender.settle_unknown()
        await w.sender.send_due()

        assert await states(w, lab) == [State.SENT]
        assert len(w.slack.posts(lab)) == 1


async def test_a_reply_in_a_thread_is_found_in_the_thread() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS, layout="thread")
        w.slack.fault("chat.postMessage", Fault.reset(after_effect=True), nth=3)

        for _ in range(4):
            await w.sender.send_due()
            w.world.now += SETTLE
            await w.sender.settle_unknown()

        assert set(await states(w, lab)) == {State.SENT}
        assert len(w.slack.thread(w.slack.posts(lab)[0])) == len(PAPERS)
        assert len(set(keys(w.slack.posts(lab)))) == len(PAPERS) + 1


async def test_the_whole_history_is_read_and_only_our_own_key_counts() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        ref = w.ref(lab)
        [post] = w.publisher.compose(ref, digest_of(ref, *PAPERS))
        first = await w.publisher.publish(ref, post, KEY, None)
        for n in range(450):
            w.slack.write(ann, lab, f"chatter {n}")
        w.world.now += timedelta(seconds=2)
        await w.publisher.publish(ref, post, "another", None)
        w.world.now += timedelta(seconds=2)
        second = await w.publisher.publish(ref, post, KEY, None)
        stranger = w.slack.state.say(lab, ann, "x")
        stranger.metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": KEY}}

        found = await w.publisher.find(ref, post, KEY, None, LONG_AGO)
        later = await w.publisher.find(ref, post, KEY, None, w.world.now)

        assert found == [first, second]
        assert later == [second]
        assert len(w.slack.called("conversations.history")) >= 3


@pytest.mark.parametrize(
    ("fault", "forbidden"),
    [
        (Fault.error("missing_scope", needed="channels:history"), True),
        (Fault.error("not_in_channel"), True),
        (Fault.error("channel_not_found"), True),
        (Fault.error("token_revoked"), True),
        (Fault.error("internal_error"), False),
        (Fault.error("invalid_cursor"), False),
        (Fault.http(503), False),
        (Fault.reset(), False),
        (Fault.garbage(), False),
        (Fault.garbage("[1]", "application/json"), False),
        (Fault.garbage('{"ok": true}', "application/json"), False),
        (Fault.garbage('{"ok": true, "messages": [], "has_more": true}', "application/json"), False),
    ],
)  # fmt: skip
async def test_a_history_that_is_not_read_whole_is_no_history(
    fault: Fault, forbidden: bool
) -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        ref = w.ref(lab)
        w.slack.fault("conversations.history", fault, times=None)

        with pytest.raises(HistoryUnreadable) as caught:
            await w.publisher.find(ref, Post("{}", ()), KEY, None, LONG_AGO)

        assert caught.value.forbidden is forbidden


async def test_without_the_right_to_read_a_doubtful_post_is_held_and_not_sent_again() -> None:
    async with slack_world(scopes=SCOPES.keys() - {"channels:history"}) as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", Fault.reset(after_effect=True))

        for _ in range(3):
            await w.sender.send_due()
            w.world.now += SETTLE
            await w.sender.settle_unknown()

        assert await states(w, lab) == [State.HELD]
        assert len(w.slack.called("chat.postMessage")) == 1


async def test_a_history_that_wants_patience_is_read_later() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        ref = w.ref(lab)
        w.slack.fault("conversations.history", Fault.ratelimited(60), times=None)

        with pytest.raises(Later) as caught:
            await w.publisher.find(ref, Post("{}", ()), KEY, None, LONG_AGO)

        assert caught.value.after == 60


async def test_a_history_that_is_read_slowly_is_read_to_its_end() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        w.slack.app.is_unlisted = True
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", Fault.reset(after_effect=True))
        await w.sender.send_due()
        for n in range(40):
            w.slack.write(ann, lab, f"chatter {n}")

        w.world.now += SETTLE
        looks = 0
        while await states(w, lab) == [State.UNKNOWN] and looks < 10:
            await w.sender.settle_unknown()
            w.world.now += timedelta(minutes=1)
            looks += 1

        assert await states(w, lab) == [State.SENT]
        assert looks == 3  # of 15 messages each
        assert len(w.slack.posts(lab)) == 1


async def test_a_look_that_was_broken_off_is_begun_anew_after_another_post() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        w.slack.app.is_unlisted = True
        ref = w.ref(lab)
        [post] = w.publisher.compose(ref, digest_of(ref, *PAPERS))
        for n in range(20):
            w.slack.write(ann, lab, f"chatter {n}")
        with pytest.raises(Later):
            await w.publisher.find(ref, post, KEY, None, LONG_AGO)

        message = await w.publisher.publish(ref, post, KEY, None)
        w.world.now += timedelta(minutes=1)
        with pytest.raises(Later):
            await w.publisher.find(ref, post, KEY, None, LONG_AGO)
        w.world.now += timedelta(minutes=1)
        found = await w.publisher.find(ref, post, KEY, None, LONG_AGO)

        assert found == [message]


async def test_what_slack_finds_misshapen_goes_as_plain_text() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        hostile = paper(9, "<!channel> a & b < c")
        await planned(w, lab, *PAPERS, hostile)
        w.slack.fault("chat.postMessage", Fault.error("invalid_blocks"))

        await w.sender.send_due()

        [message] = w.slack.posts(lab)
        assert await states(w, lab) == [State.SENT]
        assert message.blocks == []
        assert all(each.title in message.text for each in PAPERS)
        assert "&lt;!channel&gt; a &amp; b &lt; c" in message.text
        assert "<https://arxiv.org/abs/2611.00001>" in message.text
        assert w.slack.dislikes == []


async def test_what_is_misshapen_as_plain_text_too_closes_the_channel_with_its_papers_kept() -> (
    None
):
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", Fault.error("msg_too_long"), times=2)

        await w.sender.send_due()

        assert await states(w, lab) == [State.DEAD]
        assert await w.world.ledger.released(w.ref(lab)) == [each.id for each in PAPERS]


async def test_taking_a_message_back_twice_changes_nothing() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        ref = w.ref(lab)
        [post] = w.publisher.compose(ref, digest_of(ref, *PAPERS))
        message_id = await w.publisher.publish(ref, post, KEY, None)

        await w.publisher.delete(ref, message_id)
        await w.publisher.delete(ref, message_id)
        w.slack.fault("chat.delete", Fault.http(500))
        with pytest.raises(Unknown):
            await w.publisher.delete(ref, message_id)

        assert w.slack.posts(lab) == []


async def test_a_second_copy_is_found_and_taken_back() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", Fault.reset())
        await w.sender.send_due()
        w.world.now += SETTLE
        await w.sender.settle_unknown()
        await w.sender.send_due()
        [message] = w.slack.posts(lab)
        w.slack.state.say(
            lab, w.slack.bot, "late", metadata=message.metadata, app_id=message.app_id
        )

        w.world.now += timedelta(minutes=11)
        await w.sender.audit()

        assert w.slack.posts(lab) == [message]


async def test_owners_are_told_in_direct_messages() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        notice = Notice(text("I can no longer post."), kind="error")

        await w.publisher.tell(w.ref(lab), ann.id, notice)
        with pytest.raises(ChannelGone):
            await w.publisher.tell(w.ref(lab), "U404", notice)
        w.slack.fault("chat.postMessage", Fault.http(500))
        with pytest.raises(Unknown):
            await w.publisher.tell(w.ref(lab), ann.id, notice)

        [message] = w.slack.posts(w.slack.im(ann))
        assert "I can no longer post." in shown(message)


async def test_a_workspace_that_is_not_served_takes_no_post() -> None:
    async with slack_world() as w:
        ref = ChannelRef("slack", "T9", "C1")

        with pytest.raises(ChannelGone):
            await w.publisher.publish(
                ref, Post(json.dumps({"text": "x", "blocks": []}), ()), KEY, None
            )
        with pytest.raises(HistoryUnreadable) as caught:
            await w.publisher.find(ref, Post("{}", ()), KEY, None, LONG_AGO)

        assert caught.value.forbidden


async def test_posts_keep_a_second_apart_in_a_channel_and_a_fifth_in_a_workspace() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        others = [w.slack.add_channel(f"c{n}", ann) for n in range(4)]
        for channel in (lab, *others):
            await planned(w, channel, PAPERS[0])

        await w.sender.send_due()

        assert sum(w.slept) == pytest.approx(0.2 * 4, abs=0.5)
        assert all(len(w.slack.posts(channel)) == 1 for channel in (lab, *others))
