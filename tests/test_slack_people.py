"""What people do in the local Slack reaches a real bolt app, and what it answers comes of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.slack_server import Channel, Exchange, Fault, Impossible, SlackServer, User
from tests.slack_state import Json
from tests.source_server import VirtualTime

NOON = datetime(2026, 6, 24, 12, tzinfo=UTC)
ZONES = ("Europe/Berlin", "Europe/Bern", "America/New_York")


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(value: str) -> Json:
    return {"text": plain(value.title()), "value": value}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


BUTTONS: list[Json] = [
    section("Pick one."),
    {
        "type": "actions",
        "block_id": "row",
        "elements": [
            {"type": "button", "action_id": "say:0", "text": plain("More"), "value": "more"},
            {"type": "button", "action_id": "say:1", "text": plain("Done"), "value": "done"},
            {"type": "static_select", "action_id": "say:2", "options": [option("a"), option("b")]},
            {"type": "overflow", "action_id": "say:3", "options": [option("x"), option("y")]},
        ],
    },
]


def form(title: str = "Form", **more: Any) -> Json:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain(title),
        "submit": plain("Save"),
        "private_metadata": "kept",
        "blocks": [
            {
                "type": "input",
                "block_id": "query",
                "label": plain("Query"),
                "element": {"type": "plain_text_input", "action_id": "value", "max_length": 30},
            },
            {
                "type": "input",
                "block_id": "zone",
                "optional": True,
                "label": plain("Zone"),
                "element": {
                    "type": "external_select",
                    "action_id": "zone",
                    "min_query_length": 1,
                },
            },
            {
                "type": "input",
                "block_id": "layout",
                "label": plain("Layout"),
                "element": {
                    "type": "static_select",
                    "action_id": "value",
                    "options": [option("cards"), option("thread")],
                    "initial_option": option("cards"),
                },
            },
            {
                "type": "input",
                "block_id": "days",
                "optional": True,
                "label": plain("Days"),
                "element": {
                    "type": "checkboxes",
                    "action_id": "value",
                    "options": [option("mon"), option("tue")],
                },
            },
        ],
        **more,
    }


class Bot:
    """A small real app: it keeps what it heard and answers by rote."""

    def __init__(self, client: AsyncWebClient, secret: str) -> None:
        self.heard: list[Json] = []
        self.news = asyncio.Condition()
        self.waiting = asyncio.Event()  # what it does not acknowledge before
        self.app = app = AsyncApp(client=client, signing_secret=secret)
        app.command("/papers")(self.command)
        app.action(re.compile("^say:"))(self.action)
        app.options("zone")(self.options)
        app.view("form")(self.view)
        app.view_closed("form")(self.event)
        app.shortcut("search")(self.shortcut)
        app.shortcut("about")(self.shortcut)
        for event in ("app_mention", "message", "app_home_opened", "link_shared", "app_uninstalled",
                      "tokens_revoked", "channel_archive", "channel_rename", "channel_deleted",
                      "member_left_channel", "member_joined_channel", "group_archive"):  # fmt: skip
            app.event(event)(self.event)

    async def command(self, ack: Any, respond: Any, body: Json, client: Any) -> None:
        await self.hear(body)
        match body["text"]:
            case "nothing":
                return
            case "wait":
                await self.waiting.wait()
                await ack()
            case "ack":
                await ack("at once")
            case "ephemeral":
                await ack()
                who = {"channel": body["channel_id"], "user": body["user_id"]}
                await client.chat_postEphemeral(**who, text="only you", blocks=BUTTONS)
            case "post":
                await ack()
                flags = {"unfurl_links": False, "unfurl_media": False}
                await client.chat_postMessage(
                    channel=body["channel_id"], text="all", blocks=BUTTONS, **flags
                )
            case "form":
                await ack()
                await client.views_open(trigger_id=body["trigger_id"], view=form())
            case _:
                await ack()
                await respond(text="help", blocks=BUTTONS)

    async def action(self, ack: Any, respond: Any, body: Json, client: Any) -> None:
        await self.hear(body)
        await ack()
        action = body["actions"][0]
        if action.get("value") == "done":
            await respond(text="done", replace_original=True)
        elif action.get("value") == "more":
            await respond(text="more", replace_original=False)

    async def options(self, ack: Any, payload: Json, body: Json) -> None:
        await self.hear(body)
        found = [zone for zone in ZONES if payload["value"].lower() in zone.lower()]
        await ack(options=[{"text": plain(zone), "value": zone} for zone in found])

    async def view(self, ack: Any, body: Json) -> None:
        await self.hear(body)
        match body["view"]["state"]["values"]["query"]["value"]["value"]:
            case "bad":
                await ack(response_action="errors", errors={"query": "too bad"})
            case "nowhere":
                await ack(response_action="errors", errors={"else": "no such field"})
            case "update":
                await ack(response_action="update", view=form("Updated"))
            case "push":
                await ack(response_action="push", view=form("Pushed"))
            case "clear":
                await ack(response_action="clear")
            case _:
                await ack()

    async def shortcut(self, ack: Any, body: Json, client: Any) -> None:
        await self.hear(body)
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=form())

    async def event(self, body: Json, ack: Any) -> None:
        await ack()
        await self.hear(body)

    async def hear(self, body: Json) -> None:
        self.heard.append(body)
        async with self.news:
            self.news.notify_all()


@dataclass
class Town:
    slack: SlackServer
    time: VirtualTime
    bot: Bot
    client: AsyncWebClient
    ann: User
    bob: User
    papers: Channel
    handlers: list[AsyncSocketModeHandler] = field(default_factory=list)

    async def connect(self) -> None:
        handler = AsyncSocketModeHandler(
            self.bot.app, self.slack.app_token, web_client=self.client, ping_interval=0.2
        )
        self.handlers.append(handler)
        await handler.connect_async()
        await self.slack.connected(len(self.handlers))

    async def listen(self) -> web.AppRunner:
        runner = web.AppRunner(self.bot.app.web_app("/slack/events"), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.slack.http = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        return runner

    async def heard(self, count: int = 1) -> Json:
        """What the app heard last, when it has heard so much."""
        async with asyncio.timeout(5):
            # bolt runs listeners of events after the ack
            async with self.bot.news:
                await self.bot.news.wait_for(lambda: len(self.bot.heard) >= count)
        return self.bot.heard[-1]


async def _town(how: str) -> AsyncIterator[Town]:
    time = VirtualTime(NOON)
    async with SlackServer(time, retry_delays=(0, 0)) as slack:
        ann, bob = slack.add_user("ann"), slack.add_user("bob")
        papers = slack.add_channel("papers", ann, bob)
        client = AsyncWebClient(slack.token, base_url=slack.api_url, retry_handlers=[])
        bot = Bot(client, slack.app.signing_secret)
        town = Town(slack, time, bot, client, ann, bob, papers)
        runner = None
        if how == "socket":
            await town.connect()
        elif how == "http":
            runner = await town.listen()
        yield town
        bot.waiting.set()
        for handler in town.handlers:
            await handler.close_async()
        if runner is not None:
            await runner.cleanup()


@pytest.fixture(params=["socket", "http"])
async def town(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    async for town in _town(request.param):
        yield town


@pytest.fixture
async def wired() -> AsyncIterator[Town]:
    async for town in _town("socket"):
        yield town


@pytest.fixture
async def public() -> AsyncIterator[Town]:
    async for town in _town("http"):
        yield town


# -- commands


async def test_a_command_is_acknowledged_and_answered(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", " p < 0.05 & <@U2> ")

    assert said.ack is not None
    assert said.error is None
    await said.replied()
    assert said.reply.text == "help"
    assert said.reply.only_for == town.ann.id
    assert said.posts == []
    assert said.payload["text"] == "p &lt; 0.05 &amp; <@U2>"
    assert town.bot.heard[0]["channel_name"] == "papers"
    assert town.slack.dislikes == []


async def test_an_ack_may_answer_itself(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", "ack")

    assert [m.text for m in said.shown] == ["at once"]


async def test_ephemerals_and_posts_count_as_answers(town: Town) -> None:
    first = await town.slack.command(town.ann, town.papers, "/papers", "ephemeral")
    await first.replied()
    second = await town.slack.command(town.bob, town.papers, "/papers", "post")
    await second.replied()

    assert [m.text for m in first.ephemerals] == ["only you"]
    assert [m.text for m in second.posts] == ["all"]
    assert town.slack.ephemerals(town.papers, town.bob) == []
    assert [m.text for m in town.slack.posts(town.papers)] == ["all"]
    assert [call.method for call in second.new_calls if call.effect] == ["chat.postMessage"]


async def test_without_an_ack_the_person_is_told_of_a_timeout(town: Town) -> None:
    town.slack.ack_seconds = 0.1
    said = await town.slack.command(town.ann, town.papers, "/papers", "wait")

    assert (said.ack, said.error) == (None, "operation_timeout")
    assert [d.partition(":")[0] for d in town.slack.dislikes] == ["ack"]


async def test_an_app_that_refuses_is_a_failed_dispatch(public: Town) -> None:
    said = await public.slack.command(public.ann, public.papers, "/else")

    assert said.error == "dispatch_failed"
    assert said.answers[0].status == 404


async def test_with_nobody_there_a_command_fails_at_once() -> None:
    async with SlackServer() as slack:
        ann = slack.add_user("ann")
        said = await slack.command(ann, slack.im(ann), "/papers")
        slack.http = "http://127.0.0.1:1/"
        again = await slack.command(ann, slack.im(ann), "/papers")

        assert [said.error, again.error] == ["dispatch_failed", "dispatch_failed"]


async def test_an_ack_is_late_by_the_given_clock(wired: Town) -> None:
    command = asyncio.ensure_future(wired.slack.command(wired.ann, wired.papers, "/papers", "wait"))
    await wired.heard()
    wired.time.now += timedelta(seconds=4)
    wired.bot.waiting.set()
    said = await command

    assert said.error == "operation_timeout"
    assert said.ack is not None
    assert said.ack.after == 4
    assert wired.slack.dislikes == ["ack: /papers: after 4.0 s"]


# -- clicks


async def test_a_click_on_a_post_carries_the_message(town: Town) -> None:
    await (await town.slack.command(town.ann, town.papers, "/papers", "post")).replied()
    (post,) = town.slack.posts(town.papers)

    clicked = await town.slack.click(town.bob, post, "More")
    await clicked.replied()

    body = town.bot.heard[-1]
    assert body["message"]["ts"] == post.ts
    assert body["container"]["is_ephemeral"] is False
    assert (body["user"]["id"], body["actions"][0]["value"]) == (town.bob.id, "more")
    assert [m.text for m in clicked.shown] == ["more"]
    assert clicked.reply.only_for == town.bob.id


async def test_a_click_on_an_ephemeral_message_may_replace_it(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", "help")
    await said.replied()

    clicked = await town.slack.click(town.ann, said.reply, "done")
    await clicked.replied()

    assert "message" not in town.bot.heard[-1]
    assert clicked.reply is said.replies[0]
    assert [m.text for m in town.slack.ephemerals(town.papers, town.ann)] == ["done"]


async def test_a_click_whose_answer_may_or_may_not_replace_is_disliked(wired: Town) -> None:
    said = await wired.slack.command(wired.ann, wired.papers, "/papers", "help")
    await said.replied()
    clicked = await wired.slack.click(wired.ann, said.reply, "More")

    await AsyncWebhookClient(clicked.response_url, retry_handlers=[]).send(text="x")
    await AsyncWebhookClient(clicked.response_url, retry_handlers=[]).send(delete_original=True)

    assert [d.partition(":")[0] for d in wired.slack.dislikes] == ["replace"]
    assert said.shown == clicked.shown
    assert said.replies[0].deleted


async def test_selects_send_what_is_chosen(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", "help")
    await said.replied()

    await town.slack.select(town.ann, said.reply, "say:2", "b")
    chosen = town.bot.heard[-1]
    await town.slack.select(town.ann, said.reply, "say:3", "Y")
    overflow = town.bot.heard[-1]

    assert chosen["actions"][0]["selected_option"] == option("b")
    assert chosen["state"]["values"]["row"]["say:2"]["selected_option"] == option("b")
    assert overflow["actions"][0]["selected_option"]["value"] == "y"


async def test_a_stranger_in_a_shared_channel_is_told_by_the_team(town: Town) -> None:
    beta = town.slack.add_workspace("beta", scopes=None)
    eve = town.slack.add_user("eve", team=beta)
    shared = town.slack.add_channel("shared", town.ann, eve, shared_with=(beta,))
    await (await town.slack.command(town.ann, shared, "/papers", "post")).replied()

    await town.slack.click(eve, town.slack.posts(shared)[0], "More")
    clicked = town.bot.heard[-1]
    await town.slack.mention(eve, shared, "help")
    said = await town.heard(3)

    assert (clicked["user"]["team_id"], clicked["team"]["id"]) == (beta.id, "T1")
    assert (said["event"]["user_team"], said["team_id"]) == (beta.id, "T1")
    assert said["is_ext_shared_channel"] is True
    with pytest.raises(Impossible):
        await town.slack.command(eve, shared, "/papers", "help")


# -- modals


async def open_form(town: Town) -> Exchange:
    said = await town.slack.command(town.ann, town.papers, "/papers", "form")
    await said.opened()
    return said


async def test_a_modal_is_filled_in_and_sent(town: Town) -> None:
    view = (await open_form(town)).view

    sent = await town.slack.submit(
        town.ann, view, {"query": "owls", "zone": "Europe/Bern", "days": ["mon", "Tue"]}
    )

    values = town.bot.heard[-1]["view"]["state"]["values"]
    assert values["query"]["value"] == {"type": "plain_text_input", "value": "owls"}
    assert values["zone"]["zone"]["selected_option"]["value"] == "Europe/Bern"
    assert values["layout"]["value"]["selected_option"] == option("cards"), "as it was at first"
    assert [o["value"] for o in values["days"]["value"]["selected_options"]] == ["mon", "tue"]
    assert town.bot.heard[-1]["view"]["private_metadata"] == "kept"
    assert (sent.errors, sent.error) == ({}, None)
    assert town.slack.views(town.ann) == []


async def test_a_modal_stays_with_its_errors_and_is_updated_pushed_and_cleared(town: Town) -> None:
    view = (await open_form(town)).view

    async def titles(query: str) -> list[str]:
        await town.slack.submit(town.ann, town.slack.views(town.ann)[-1], {"query": query})
        return [v.title for v in town.slack.views(town.ann)]

    assert (await town.slack.submit(town.ann, view, {"query": "bad"})).errors == {
        "query": "too bad"
    }
    assert await titles("update") == ["Updated"]
    assert town.slack.views(town.ann) == [view]
    assert await titles("push") == ["Updated", "Pushed"]
    assert await titles("push") == ["Updated", "Pushed", "Pushed"]
    assert town.slack.dislikes == []
    assert await titles("push") == ["Updated", "Pushed", "Pushed"]
    assert town.slack.exchanges[-1].error == "push_limit_reached"
    assert await titles("good") == ["Updated", "Pushed"]
    assert await titles("clear") == []


async def test_errors_beside_no_field_are_refused(town: Town) -> None:
    view = (await open_form(town)).view

    sent = await town.slack.submit(town.ann, view, {"query": "nowhere"})

    assert sent.error == "invalid_ack"
    assert [d.partition(":")[0] for d in town.slack.dislikes] == ["refused"]


async def test_options_are_suggested_while_typing(town: Town) -> None:
    view = (await open_form(town)).view

    asked = await town.slack.suggest(town.ann, view, "zone", "europe")

    assert [o["value"] for o in asked.options] == list(ZONES[:2])
    assert town.bot.heard[-1]["view"]["id"] == view.id


async def test_a_shortcut_opens_a_modal_within_three_seconds_and_once(town: Town) -> None:
    message = town.slack.write(town.bob, town.papers, "see https://arxiv.org/abs/2601.00001")

    view = await (await town.slack.shortcut(town.ann, "search")).opened()
    about = await town.slack.message_shortcut(town.ann, message, "about")
    await about.opened()

    assert town.bot.heard[-1]["message"]["text"] == "see <https://arxiv.org/abs/2601.00001>"
    assert view.closed

    async def opening(trigger_id: str) -> str:
        with pytest.raises(SlackApiError) as refused:
            await town.client.views_open(trigger_id=trigger_id, view=form())
        return str(refused.value.response["error"])

    assert await opening(about.trigger_id) == "exchanged_trigger_id"
    unused = await town.slack.command(town.ann, town.papers, "/papers", "help")
    town.time.now += timedelta(seconds=3, microseconds=1)
    assert await opening(unused.trigger_id) == "expired_trigger_id"


async def test_views_are_pushed_and_changed_by_the_api(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", "help")
    await town.client.views_open(trigger_id=said.trigger_id, view=form(external_id="x1"))
    view = said.view
    assert town.slack.views(town.ann) == [view]

    told = await town.client.views_update(view_id=view.id, hash=view.hash, view=form("Second"))
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await town.client.views_update(view_id=view.id, hash="old", view=form("Third"))
    await town.client.views_update(external_id=None, view_id=view.id, view=form(external_id="x2"))
    await town.client.views_update(external_id="x2", view=form("Fourth", external_id="x2"))
    other = await town.slack.command(town.bob, town.papers, "/papers", "help")
    with pytest.raises(SlackApiError, match="duplicate_external_id"):
        await town.client.views_open(trigger_id=other.trigger_id, view=form(external_id="x2"))
    big = form(blocks=[section("x" * 2900) | {"block_id": f"b{n}"} for n in range(90)])
    with pytest.raises(SlackApiError, match="view_too_large"):
        await town.client.views_open(trigger_id=other.trigger_id, view=big)

    assert told["view"]["title"]["text"] == "Second"
    assert view.title == "Fourth"


async def test_the_api_pushes_as_many_views_as_an_ack(town: Town) -> None:
    await open_form(town)

    async def push() -> str:
        top = town.slack.views(town.ann)[-1]
        clicked = await town.slack.submit(town.ann, top, {"query": "bad"})
        try:
            await town.client.views_push(trigger_id=clicked.trigger_id, view=form("Pushed"))
        except SlackApiError as refused:
            return str(refused.response["error"])
        return "ok"

    assert [await push() for _ in range(3)] == ["ok", "ok", "push_limit_reached"]
    first, second, third = town.slack.views(town.ann)
    assert (second.previous, third.previous, third.root) == (first.id, second.id, first.id)


async def test_a_select_of_a_modal_may_bring_a_response_url(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", "help")
    select = {
        "type": "conversations_select",
        "action_id": "value",
        "response_url_enabled": True,
    }
    block = {"type": "input", "block_id": "to", "label": plain("To"), "element": select}
    view = form(blocks=[*form()["blocks"], block])
    await town.client.views_open(trigger_id=said.trigger_id, view=view)

    sent = await town.slack.submit(town.ann, said.view, {"query": "x", "to": town.papers.id})
    (given,) = town.bot.heard[-1]["response_urls"]
    hook = AsyncWebhookClient(given["response_url"], retry_handlers=[])
    await hook.send(text="there", response_type="in_channel")

    assert given["channel_id"] == town.papers.id
    assert [m.text for m in sent.replies] == ["there"]


async def test_a_closed_modal_is_told_where_that_was_asked(town: Town) -> None:
    said = await town.slack.command(town.ann, town.papers, "/papers", "help")
    await town.client.views_open(trigger_id=said.trigger_id, view=form(notify_on_close=True))

    closed = await town.slack.close(town.ann, said.view)

    assert closed is not None
    assert town.bot.heard[-1]["type"] == "view_closed"
    assert await town.slack.close(town.bob, (await open_for(town, town.bob)).view) is None


async def open_for(town: Town, user: User) -> Exchange:
    said = await town.slack.command(user, town.papers, "/papers", "help")
    await town.client.views_open(trigger_id=said.trigger_id, view=form())
    return said


async def test_people_cannot_do_what_the_client_does_not_offer(wired: Town) -> None:
    slack, ann, bob = wired.slack, wired.ann, wired.bob
    said = await slack.command(ann, wired.papers, "/papers", "help")
    await said.replied()
    view = (await open_for(wired, ann)).view
    outside = slack.add_channel("outside", bob)

    for impossible in (
        slack.command(ann, outside, "/papers", "help"),
        slack.mention(ann, outside, "help"),
        slack.click(bob, said.reply, "More"),
        slack.click(ann, said.reply, "Less"),
        slack.click(ann, said.reply, "say:2"),
        slack.select(ann, said.reply, "say:2", "z"),
        slack.submit(bob, view, {"query": "x"}),
        slack.submit(ann, view, {}),
        slack.submit(ann, view, {"query": "x" * 31}),
        slack.submit(ann, view, {"query": "x", "else": "y"}),
        slack.submit(ann, view, {"query": "x", "layout": "z"}),
        slack.submit(ann, view, {"query": "x", "zone": "Nowhere"}),
        slack.suggest(ann, view, "zone", ""),
        slack.message_shortcut(ann, said.reply, "about"),
    ):
        with pytest.raises(Impossible):
            await impossible


# -- response_url


async def test_a_response_url_lives_for_five_posts_and_thirty_minutes(wired: Town) -> None:
    slack = wired.slack
    said = await slack.command(wired.ann, wired.papers, "/papers", "ack")
    late = await slack.command(wired.ann, wired.papers, "/papers", "ack")
    first, second = (AsyncWebhookClient(e.response_url, retry_handlers=[]) for e in (said, late))

    sent = [(await first.send(text=str(n))).status_code for n in range(6)]
    public = await second.send(text="all", response_type="in_channel")
    wired.time.now += timedelta(minutes=30, seconds=1)
    expired = await second.send(text="x")

    assert sent == [200] * 5 + [404]
    assert [m.text for m in said.replies] == ["at once", "0", "1", "2", "3", "4"]
    assert (public.status_code, expired.status_code) == (200, 404)
    assert "Expired url" in expired.body
    assert [m.text for m in slack.posts(wired.papers)] == ["all"]


async def test_a_response_url_refuses_what_a_post_refuses(wired: Town) -> None:
    said = await wired.slack.command(wired.ann, wired.papers, "/papers", "ack")
    hook = AsyncWebhookClient(said.response_url, retry_handlers=[])
    refused = await hook.send(text="x", blocks=[section("x" * 3001)])
    wired.slack.fault("response_url", Fault.http(500))
    failed = await hook.send(text="x")

    strange = await hook.send_dict({"text": "x", "colour": "red"})

    assert (refused.status_code, json.loads(refused.body)["error"]) == (400, "invalid_blocks")
    assert failed.status_code == 500
    assert json.loads(strange.body)["error"] == "invalid_payload"
    assert said.response_uses == 1


# -- events


async def test_mentions_and_direct_messages_are_events(town: Town) -> None:
    thread = town.slack.write(town.bob, town.papers, "what of this?")
    await town.slack.mention(town.ann, town.papers, "help", thread=thread)
    mention = await town.heard()
    await town.slack.direct(town.ann, "search owls & <bats>")
    direct = await town.heard(2)

    assert mention["event"]["type"] == "app_mention"
    assert mention["event"]["text"] == f"<@{town.slack.bot.id}> help"
    assert mention["event"]["thread_ts"] == thread.ts
    assert mention["authorizations"][0]["user_id"] == town.slack.bot.id
    assert (direct["event"]["channel_type"], direct["event"]["text"]) == (
        "im",
        "search owls &amp; &lt;bats&gt;",
    )
    assert direct["event_id"] != mention["event_id"]


async def test_where_the_bot_is_not_it_hears_nothing(town: Town) -> None:
    outside = town.slack.add_channel("outside", town.ann, bot=False)
    secret = town.slack.add_channel("secret", town.ann, kind="private", bot=False)

    assert (await town.slack.mention(town.ann, outside, "help")).error == "not_sent"
    assert (await town.slack.event("channel_archive", secret, town.ann)).error == "not_sent"
    assert (await town.slack.event("emoji_changed")).error == "not_sent", "not subscribed"
    assert (await town.slack.event("channel_rename", outside, name="inside")).ack is not None


async def test_what_happens_to_channels_is_told(town: Town) -> None:
    slack = town.slack
    private = slack.add_channel("private", town.ann, kind="private")

    await slack.event("channel_rename", town.papers, town.ann, name="preprints")
    assert (await town.heard(1))["event"]["channel"]["name"] == "preprints"
    await slack.event("member_left_channel", town.papers, slack.bot)
    assert (await town.heard(2))["event"]["user"] == slack.bot.id
    assert slack.bot.id not in town.papers.members
    await slack.event("member_joined_channel", town.papers, slack.bot)
    await town.heard(3)
    await slack.event("channel_archive", private, town.ann)
    assert (await town.heard(4))["event"]["type"] == "group_archive"
    await slack.event("channel_deleted", town.papers, town.ann)
    await town.heard(5)
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await town.client.conversations_info(channel=town.papers.id)
    assert private.archived


async def test_after_an_uninstallation_the_token_is_dead(town: Town) -> None:
    gone = await town.slack.event("app_uninstalled")

    assert gone.ack is not None
    with pytest.raises(SlackApiError, match="account_inactive"):
        await town.client.auth_test()
    assert (await town.slack.mention(town.ann, town.papers, "help")).error == "not_sent"
    with pytest.raises(Impossible):
        await town.slack.command(town.ann, town.papers, "/papers")


async def test_a_home_tab_is_published_and_clicked(town: Town) -> None:
    await town.slack.open_home(town.ann)
    first = await town.heard()
    await town.client.views_publish(user_id=town.ann.id, view={"type": "home", "blocks": BUTTONS})
    home = town.slack.home(town.ann)
    assert home is not None

    await town.slack.select(town.ann, home, "say:2", "a")
    acted = town.bot.heard[-1]
    await town.slack.open_home(town.ann)
    again = await town.heard(3)

    assert "view" not in first["event"]
    assert acted["view"]["type"] == "home"
    assert "response_url" not in acted
    assert again["event"]["view"]["id"] == home.id
    assert town.slack.home(town.bob) is None


async def test_links_are_told_and_unfurled(town: Town) -> None:
    paper = "https://arxiv.org/abs/2601.00001"
    shared = await town.slack.link_shared(town.ann, town.papers, paper, "https://example.org/")
    event = (await town.heard())["event"]
    await town.client.chat_unfurl(
        channel=event["channel"],
        ts=event["message_ts"],
        unfurls={paper: {"blocks": [section("P")]}},
    )
    await town.client.chat_unfurl(
        unfurl_id=event["unfurl_id"],
        source=event["source"],
        unfurls={paper: {"blocks": [section("Q")]}},
    )

    assert [link["url"] for link in event["links"]] == [paper]
    message = town.papers.message(event["message_ts"])
    assert message is not None
    assert message.unfurls == {paper: {"blocks": [section("Q")]}}
    with pytest.raises(SlackApiError, match="cannot_unfurl_url"):
        await town.client.chat_unfurl(
            channel=event["channel"], ts=event["message_ts"], unfurls={"https://else": {}}
        )
    assert shared.error is None


async def test_an_event_without_ack_comes_again(town: Town) -> None:
    town.slack.ack_seconds = 0.1
    town.bot.app._async_listeners.clear()  # then bolt acknowledges nothing

    said = await town.slack.direct(town.ann, "help")
    await town.slack.until(lambda: len(said.envelopes) + len(said.requests) == 3)

    if town.slack.http is None:
        assert [e["retry_attempt"] for e in said.envelopes] == [0, 1, 2]
        assert said.envelopes[1]["retry_reason"] == "http_timeout"
        assert len({e["payload"]["event_id"] for e in said.envelopes}) == 1
    else:
        headers = [r.headers.get("X-Slack-Retry-Num") for r in said.requests]
        assert headers == [None, "1", "2"]
        assert said.requests[1].headers["X-Slack-Retry-Reason"] == "http_error"


async def test_an_acknowledged_event_can_come_again_all_the_same(town: Town) -> None:
    said = await town.slack.direct(town.ann, "help")
    await town.slack.redeliver(said)
    again = await town.heard(2)

    assert again["event_id"] == town.bot.heard[0]["event_id"]


# -- Socket Mode


async def test_an_event_goes_to_one_of_several_connections(wired: Town) -> None:
    await wired.connect()

    for _ in range(4):
        await wired.slack.direct(wired.ann, "help")
    await wired.heard(4)

    assert len(wired.slack.sockets) == 2
    assert len(wired.bot.heard) == 4


@pytest.mark.parametrize("how", ["farewell", "dead"])
async def test_the_app_connects_again(wired: Town, how: str) -> None:
    (old,) = wired.slack.sockets
    if how == "farewell":
        await wired.slack.disconnect()
    else:
        wired.slack.drop()
    await wired.slack.until(lambda: wired.slack.sockets and old not in wired.slack.sockets)

    said = await wired.slack.command(wired.ann, wired.papers, "/papers", "ack")

    assert said.ack is not None


async def test_an_event_lost_with_its_connection_comes_over_the_next(wired: Town) -> None:
    wired.slack.freeze()
    lost = asyncio.ensure_future(wired.slack.direct(wired.ann, "help"))
    await wired.slack.until(lambda: wired.slack.sockets[0].unacked)
    wired.slack.drop()
    said = await lost
    await wired.slack.until(lambda: said.ack)

    assert [e["retry_reason"] for e in said.envelopes] == ["", "connection_failed"]
    assert said.error is None


async def test_a_ticket_holds_once_and_ten_connections_are_enough(wired: Town) -> None:
    kept = []
    async with aiohttp.ClientSession() as session:

        async def connect(url: str) -> Json:
            ws = await session.ws_connect(url)
            kept.append(ws)  # else it is closed with the last reference to it
            return dict(json.loads((await ws.receive()).data))

        opened = [
            (await wired.client.apps_connections_open(app_token=wired.slack.app_token))["url"]
            for _ in range(10)
        ]
        told = [await connect(url) for url in opened]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await connect(opened[0])

    assert [t["num_connections"] for t in told[:9]] == list(range(2, 11))
    assert told[9] == {"type": "disconnect", "reason": "too_many_websockets"}


async def test_acks_of_nothing_and_acks_twice_are_disliked() -> None:
    async with SlackServer() as slack, aiohttp.ClientSession() as session:
        ann = slack.add_user("ann")
        client = AsyncWebClient(base_url=slack.api_url)
        url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
        ws = await session.ws_connect(url)
        hello = await ws.receive_json()
        command = asyncio.ensure_future(slack.command(ann, slack.im(ann), "/papers", "help"))
        envelope = await ws.receive_json()
        for key in ("unknown", envelope["envelope_id"], envelope["envelope_id"]):
            await ws.send_json({"envelope_id": key})
        said = await command
        await slack.until(lambda: len(slack.dislikes) == 2)

        assert hello["connection_info"] == {"app_id": slack.app.id}
        assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
        assert envelope["payload"]["channel_name"] == "directmessage"
        assert said.error is None
        assert slack.dislikes[0].startswith("ack: of no envelope")
        assert slack.dislikes[1] == "ack: /papers: twice"
        await ws.close()


async def test_the_server_stops_with_sockets_open() -> None:
    handlers: list[AsyncSocketModeHandler] = []
    async for town in _town("socket"):
        handlers, town.handlers = town.handlers, []
        await town.slack.direct(town.ann, "help")
    for handler in handlers:
        await handler.close_async()


# -- HTTP


async def test_a_bad_signature_is_turned_away(public: Town) -> None:
    slack = public.slack
    said = await slack.command(public.ann, public.papers, "/papers", "ack")
    body = said.request.body
    old = datetime.now(UTC) - timedelta(seconds=301)

    bad = [
        said.request.tampered(),
        said.request.without("X-Slack-Signature"),
        slack.sign(body, secret="else"),  # noqa: S106
        slack.sign(body, at=old),
    ]

    assert [(await slack.send(request)).status for request in bad] == [401] * 4
    assert len(public.bot.heard) == 1


async def test_a_replay_is_the_same_bytes_again(public: Town) -> None:
    said = await public.slack.command(public.ann, public.papers, "/papers", "ack")

    answer = await public.slack.send(said.request)

    assert answer.status == 200, "bolt alone takes it: keeping replays out is the app's"
    assert len(public.bot.heard) == 2


async def test_the_address_is_verified(public: Town) -> None:
    answer = await public.slack.verify_url()

    assert json.loads(answer.body) == {"challenge": "c4all"}
