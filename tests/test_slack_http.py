"""The public address: signed requests are let in once, everything else is turned away."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest

from adapters.slack import http
from adapters.slack.http import LARGEST_REQUEST
from tests.slack_server import Channel, User
from tests.slack_world import SlackWorld, lab_of, said, shown, slack_world, told

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def w() -> AsyncIterator[SlackWorld]:
    async with slack_world(http=True) as world:
        yield world


@pytest.fixture
async def ann_and_lab(w: SlackWorld) -> tuple[User, Channel]:
    return await lab_of(w)


async def test_everything_works_over_http_as_over_a_socket(
    w: SlackWorld, ann_and_lab: tuple[User, Channel]
) -> None:
    ann, lab = ann_and_lab

    answer = await said(w, ann, lab, "search decoding")
    saved = await told(await w.slack.click(ann, answer, "Save"))
    form = await w.slack.command(ann, lab, "/papers", "subscribe")
    modal = await form.opened()
    await w.idle()
    wrong = await w.slack.submit(ann, modal, {"query": "cat:cs.NOPE"})
    await w.slack.submit(ann, modal, {"query": "graphs"})

    assert "Speculative decoding" in shown(saved)
    assert list(wrong.errors) == ["query"]
    assert len((await w.settings(lab)).subscriptions) == 1
    assert w.slack.dislikes == []
    assert w.slack.sockets == []


async def test_the_address_proves_itself_to_slack(w: SlackWorld) -> None:
    answer = await w.slack.verify_url()

    assert (answer.status, json.loads(answer.body)) == (200, {"challenge": "c4all"})


async def test_a_request_that_comes_a_thousand_times_acts_once(
    w: SlackWorld, ann_and_lab: tuple[User, Channel]
) -> None:
    ann, lab = ann_and_lab
    command = await w.slack.command(ann, lab, "/papers", "subscribe graphs")
    await command.replied()

    answers = [
        await asyncio.gather(*(w.slack.send(command.request) for _ in range(100)))
        for _ in range(10)
    ]
    await w.idle()

    assert {answer.status for batch in answers for answer in batch} == {200}
    assert len(w.slack.called("response_url")) == 1
    assert len((await w.settings(lab)).subscriptions) == 1


async def test_a_replay_of_what_carries_no_id_is_answered_with_nothing(
    w: SlackWorld, ann_and_lab: tuple[User, Channel]
) -> None:
    ann, lab = ann_and_lab
    await w.slack.command(ann, lab, "/papers", "form schedule")
    await w.idle()
    suggestion = await w.slack.suggest(ann, w.slack.views(ann)[-1], "zone", "osa")

    replay = await w.slack.send(suggestion.request)

    assert "Asia/Tokyo" in suggestion.answers[0].body
    assert (replay.status, replay.body) == (200, "")


async def test_a_replay_after_a_restart_acts_once_all_the_same(
    w: SlackWorld, ann_and_lab: tuple[User, Channel]
) -> None:
    """What the listener has forgotten, the receipts know: by trigger and by event."""
    ann, lab = ann_and_lab
    command = await w.slack.command(ann, lab, "/papers", "subscribe graphs")
    event = await w.slack.mention(ann, lab, "help")
    await w.idle()
    before = len(w.slack.ephemerals(lab, ann))

    for exchange in (command, event):
        again = replace(exchange.request, headers={})
        signed = w.slack.sign(
            again.body,
            content_type=exchange.request.headers["Content-Type"],
            at=w.world.now - timedelta(seconds=7),
        )
        assert (await w.slack.send(signed)).status == 200
    await w.idle()

    assert len(w.slack.ephemerals(lab, ann)) == before


@pytest.mark.parametrize(
    ("seconds", "status"), [(-299, 200), (299, 200), (-301, 401), (301, 401), (-86_400, 401)]
)
async def test_a_stamp_is_good_for_five_minutes(w: SlackWorld, seconds: int, status: int) -> None:
    request = w.slack.sign(
        urlencode({"ssl_check": "1"}).encode(), at=w.world.now + timedelta(seconds=seconds)
    )

    assert (await w.slack.send(request)).status == status


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("tampered", 401),
        ("wrong secret", 401),
        ("no signature", 401),
        ("a signature of strange letters", 401),
        ("no stamp", 400),
        ("a stamp that is no number", 400),
        ("a stamp of strange digits", 400),
        ("an endless stamp", 400),
        ("no form", 415),
        ("half a document", 400),
        ("a list", 400),
        ("a number", 400),
        ("a payload that is no document", 400),
        ("no text", 400),
        ("deep", 400),
    ],
)
async def test_nonsense_is_turned_away_with_a_clear_answer(
    w: SlackWorld, what: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    form = urlencode({"command": "/papers", "text": "canary", "trigger_id": "1.1"}).encode()
    good = w.slack.sign(form)
    json_type = "application/json"
    request = {
        "tampered": good.tampered(),
        "wrong secret": w.slack.sign(form, secret="another"),  # noqa: S106
        "no signature": good.without("X-Slack-Signature"),
        "a signature of strange letters": good.with_headers(X_Slack_Signature="v0=é"),
        "no stamp": good.without("X-Slack-Request-Timestamp"),
        "a stamp that is no number": good.with_headers(X_Slack_Request_Timestamp="soon"),
        "a stamp of strange digits": good.with_headers(X_Slack_Request_Timestamp="\uff11\uff12"),
        "an endless stamp": good.with_headers(X_Slack_Request_Timestamp="9" * 400),
        "no form": w.slack.sign(b"<xml/>", content_type="text/xml"),
        "half a document": w.slack.sign(b'{"type": ', content_type=json_type),
        "a list": w.slack.sign(b"[1]", content_type=json_type),
        "a number": w.slack.sign(b"1", content_type=json_type),
        "a payload that is no document": w.slack.sign(b"payload=%7B"),
        "no text": w.slack.sign(b"\xff\xfe", content_type=json_type),
        "deep": w.slack.sign(b"[" * 60_000, content_type=json_type),
    }[what]

    answer = await w.slack.send(request)
    await w.idle()

    assert answer.status == status
    assert answer.body.strip()
    assert "Traceback" not in answer.body
    assert "canary" not in caplog.text
    assert w.slack.called("response_url") == []


async def test_what_makes_sense_but_says_nothing_known_is_taken_and_dropped(w: SlackWorld) -> None:
    for body in ({}, {"type": "event_callback"}, {"type": "block_actions"}, {"type": "what"},
                 {"type": "event_callback", "event": {"type": "message"}, "event_id": "E1"}):  # fmt: skip
        request = w.slack.sign(json.dumps(body).encode(), content_type="application/json")
        answer = await w.slack.send(request)

        assert answer.status == 200, body


async def test_a_click_brings_its_message_along_however_long(
    w: SlackWorld, ann_and_lab: tuple[User, Channel]
) -> None:
    ann, lab = ann_and_lab
    blocks = [
        {"type": "section", "text": {"type": "plain_text", "text": "\u6cb3" * 2_900}}
        for _ in range(4)
    ]
    button = {"type": "button", "action_id": "say:0", "value": "help", "text": {
        "type": "plain_text", "text": "Help"}}  # fmt: skip
    message = w.slack.state.say(
        lab, w.slack.bot, "x", app_id="A1",
        blocks=[*blocks, {"type": "actions", "block_id": "b", "elements": [button]}],
    )  # fmt: skip

    click = await w.slack.click(ann, message, "Help")

    assert len(click.request.body) > LARGEST_REQUEST
    assert click.error is None


async def test_a_direct_message_may_be_as_long_as_slack_lets_people_write(
    w: SlackWorld, ann_and_lab: tuple[User, Channel]
) -> None:
    ann, _ = ann_and_lab

    message = await w.slack.direct(ann, "search " + "\u6cb3" * 11_000)

    assert len(message.request.body) > LARGEST_REQUEST
    assert message.error is None


@pytest.mark.parametrize("squeezed", [False, True])
async def test_more_than_slack_ever_sends_is_not_read(w: SlackWorld, squeezed: bool) -> None:
    body = urlencode({"text": "x" * LARGEST_REQUEST}).encode()
    request = w.slack.sign(body)
    if squeezed:
        request = replace(request, body=gzip.compress(body)).with_headers(Content_Encoding="gzip")

    assert (await w.slack.send(request)).status == 413


async def test_who_does_not_go_on_is_not_waited_for(
    w: SlackWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.05)
    address = urlsplit(str(w.slack.http))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)

    writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    async with asyncio.timeout(5):
        answer = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert b" 408 " in answer


async def test_nothing_else_is_served(w: SlackWorld) -> None:
    assert w.slack.http is not None
    root = w.slack.http.removesuffix("/slack/events")
    async with aiohttp.ClientSession() as session:
        for path, status in (("/", 404), ("/metrics", 404), ("/healthz", 404), ("/slack", 404),
                             ("/slack/install", 404), ("/slack/events", 405)):  # fmt: skip
            async with session.get(root + path) as response:
                assert response.status == status, path


async def test_what_people_type_is_not_logged_above_debug(
    w: SlackWorld, ann_and_lab: tuple[User, Channel], caplog: pytest.LogCaptureFixture
) -> None:
    ann, lab = ann_and_lab
    with caplog.at_level(logging.INFO):
        await said(w, ann, lab, "search canary")
        await w.slack.direct(ann, "canary")
        bad = w.slack.sign(urlencode({"text": "canary"}).encode(), secret="another")  # noqa: S106
        await w.slack.send(bad)
        await w.idle()

    assert "canary" not in caplog.text
