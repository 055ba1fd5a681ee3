"""Whatever a call of Slack's comes to: the ledger is right, nothing is doubled, people are told."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from adapters.slack import api
from bot import query
from bot.delivery import SETTLE
from bot.model import Channel as Settings, Subscription
from bot.ports import State
from tests.slack_server import Channel, Fault, User
from tests.slack_world import SlackWorld, lab_of, said, shown, slack_world
from tests.test_slack_publisher import PAPERS, deliveries, digest_of, planned, states

SECONDS = 0.15  # of the machine, until a call without an answer is given up


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TIMEOUT_SECONDS", SECONDS)


AMBIGUOUS = {
    "500": Fault.http(500),
    "504 of a proxy": Fault.http(504, "<html>"),
    "reset": Fault.reset(),
    "silence": Fault.silence(),
    "html": Fault.garbage(),
    "half a document": Fault.garbage('{"ok": tr', "application/json"),
    "a list": Fault.garbage("[1]", "application/json"),
    "text": Fault.garbage("ok", "text/plain"),
    "ok without an id": Fault.garbage('{"ok": true}', "application/json"),
    "internal_error": Fault.error("internal_error"),
    "fatal_error": Fault.error("fatal_error"),
    "request_timeout": Fault.error("request_timeout"),
}
# What the platform did, what a digest's post comes to at once, and in the end.
OUTCOMES = [
    pytest.param(Fault.ratelimited(30), State.READY, State.SENT, id="429"),
    pytest.param(Fault.ratelimited(None), State.READY, State.SENT, id="429 without a time"),
    pytest.param(Fault.error("ratelimited"), State.READY, State.SENT, id="ratelimited"),
    pytest.param(Fault.error("team_added_to_org"), State.READY, State.SENT, id="moving"),
    pytest.param(Fault.error("message_limit_exceeded"), State.READY, State.SENT, id="full"),
    *(
        pytest.param(replace(fault, after_effect=after), State.UNKNOWN, State.SENT, id=f"{name}, {when}")
        for name, fault in AMBIGUOUS.items()
        for after, when in ((False, "before"), (True, "after"))
    ),
    *(
        pytest.param(Fault.error(code), State.DEAD, State.DEAD, id=code)
        for code in (
            "channel_not_found", "is_archived", "channel_is_archived", "not_in_channel",
            "restricted_action", "restricted_action_read_only_channel", "account_inactive",
            "token_revoked", "invalid_auth", "missing_scope", "ekm_access_denied", "never_heard_of",
        )
    ),
    pytest.param(Fault.error("msg_too_long"), State.SENT, State.SENT, id="msg_too_long"),
    pytest.param(Fault.error("invalid_blocks"), State.SENT, State.SENT, id="invalid_blocks"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "at_once", "in_the_end"), OUTCOMES)
async def test_a_digest_is_posted_once_or_its_papers_are_kept(
    fault: Fault, at_once: State, in_the_end: State
) -> None:
    async with slack_world(give_up=timedelta(seconds=2 * SECONDS)) as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        w.slack.fault("chat.postMessage", fault, when=lambda call: call.args["channel"] == lab.id)

        await w.sender.send_due()
        first = await states(w, lab)
        told_at_once = len(w.slack.called("chat.postMessage"))
        await w.sender.send_due()
        hurried = len(w.slack.called("chat.postMessage")) - told_at_once
        for _ in range(2):
            w.world.now += max(SETTLE, timedelta(hours=2))
            await w.sender.settle_unknown()
            await w.sender.send_due()

        assert first == [at_once]
        assert hurried == 0
        assert await states(w, lab) == [in_the_end]
        if in_the_end is State.SENT:
            assert len(w.slack.posts(lab)) == 1
            return
        closure = await w.world.ledger.gone(w.ref(lab))
        owner = w.slack.state.users[lab.creator]
        [message] = w.slack.posts(w.slack.im(owner))
        assert w.slack.posts(lab) == []
        assert await w.world.ledger.released(w.ref(lab)) == [paper.id for paper in PAPERS]
        assert closure is not None
        assert closure.reason in shown(message)


async def test_where_slack_cannot_be_reached_a_post_waits() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        await planned(w, lab, *PAPERS)
        await w.slack._runner.cleanup()

        await w.sender.send_due()

        [delivery] = await deliveries(w, lab)
        assert delivery.state is State.READY
        assert "cannot be reached" in delivery.detail


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(Fault.ratelimited(30), State.READY, id="429"),
        pytest.param(Fault.http(500), State.READY, id="500"),
        pytest.param(Fault.reset(), State.READY, id="reset"),
        pytest.param(Fault.error("internal_error"), State.READY, id="internal_error"),
        pytest.param(Fault.error("user_disabled"), State.DEAD, id="user_disabled"),
        pytest.param(Fault.error("missing_scope"), State.DEAD, id="missing_scope"),
    ],
)
async def test_direct_messages_that_do_not_open_leave_no_post_in_doubt(
    fault: Fault, expected: State
) -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        own = w.ref(ann)
        posts = w.publisher.compose(own, digest_of(own, *PAPERS))
        await w.world.ledger.plan(own, w.world.now, posts, 1)
        w.slack.fault("conversations.open", fault, times=None)

        await w.sender.send_due()

        [delivery] = await w.world.ledger.deliveries(own, 5)
        assert delivery.state is expected
        assert w.slack.called("chat.postMessage") == []


FAULTS = [
    pytest.param(Fault.ratelimited(1), id="429"),
    pytest.param(Fault.ratelimited(600), id="429 for long"),
    pytest.param(Fault.http(500), id="500"),
    pytest.param(Fault.silence(), id="silence"),
    pytest.param(Fault.silence(after_effect=True), id="silence after"),
    pytest.param(Fault.reset(), id="reset"),
    pytest.param(Fault.reset(after_effect=True), id="reset after"),
    pytest.param(Fault.garbage(), id="garbage"),
    pytest.param(Fault.garbage("[]", "application/json"), id="a list"),
    *(
        pytest.param(Fault.error(code), id=code)
        for code in (
            "invalid_auth", "channel_not_found", "is_archived", "not_in_channel", "missing_scope",
            "msg_too_long",
        )
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does that needs a method."""

    method: str
    do: Callable[[SlackWorld, User, Channel], Awaitable[object]]


async def _subscribe(w: SlackWorld, ann: User, lab: Channel) -> None:
    assert shown(await said(w, ann, lab, "subscribe graphs"))


async def _look(w: SlackWorld, ann: User, lab: Channel) -> None:
    assert "Graph networks" in shown(await said(w, ann, lab, "search graphs"))


async def _list(w: SlackWorld, ann: User, lab: Channel) -> None:
    assert shown(await said(w, ann, lab, "list all"))


async def _mention(w: SlackWorld, ann: User, lab: Channel) -> None:
    await w.slack.mention(ann, lab, "search graphs")


async def _direct(w: SlackWorld, ann: User, lab: Channel) -> None:
    await w.slack.direct(ann, "search graphs")


async def _home(w: SlackWorld, ann: User, lab: Channel) -> None:
    await w.slack.open_home(ann)


async def _settings(w: SlackWorld, ann: User, lab: Channel) -> None:
    await w.slack.command(ann, lab, "/papers", "settings")


async def _unfurl(w: SlackWorld, ann: User, lab: Channel) -> None:
    await said(w, ann, lab, "set unfurl:on")
    await w.slack.link_shared(ann, lab, "https://arxiv.org/abs/2611.00001")


async def _export(w: SlackWorld, ann: User, lab: Channel) -> None:
    queries = (query.parse(f"{'|'.join(f'word{m}' for m in range(30))}|n{n}") for n in range(50))
    subscriptions = tuple(Subscription(n, q) for n, q in enumerate(queries, 1))
    await w.world.store.save(Settings(w.ref(lab), subscriptions), ann.id)
    answer = await said(w, ann, lab, "config export")
    assert "could not be sent" in shown(answer) or "direct message" in shown(answer)


DEEDS = [
    Deed("users.info", _subscribe),
    Deed("users.info", _look),
    Deed("conversations.info", _subscribe),
    Deed("users.conversations", _list),
    Deed("users.conversations", _home),
    Deed("chat.postEphemeral", _mention),
    Deed("chat.postMessage", _direct),
    Deed("views.publish", _home),
    Deed("views.open", _settings),
    Deed("views.update", _settings),
    Deed("chat.unfurl", _unfurl),
    Deed("response_url", _look),
    Deed("conversations.open", _export),
    Deed("files.getUploadURLExternal", _export),
    Deed("upload", _export),
    Deed("files.completeUploadExternal", _export),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: f"{deed.method} in {deed.do.__name__}")
async def test_a_person_is_answered_or_nothing_worse_happens(
    deed: Deed, caplog: pytest.LogCaptureFixture
) -> None:
    """Each fault in turn, for ever while it lasts; afterwards all is as if it had never been."""
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        for fault in (each.values[0] for each in FAULTS):
            w.slack.fault(deed.method, fault, times=None)  # type: ignore[arg-type]
            await deed.do(w, ann, lab)
            await w.idle()
            w.slack.heal()
            w.world.now += timedelta(minutes=2)  # past what is remembered, and the flood

        answer = await said(w, ann, lab, "search graphs")

        assert "Graph networks" in shown(answer)
        assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []
        assert all(exchange.ack for exchange in w.slack.exchanges)
