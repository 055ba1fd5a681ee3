"""The Slack app: commands, mentions, direct messages, clicks, as people do them."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.slack import app as slack_app
from adapters.slack.api import proxy_of
from adapters.slack.app import Credentials
from adapters.slack.names import with_names
from adapters.slack.workspace import Asker
from bot import query
from bot.errors import PaperboyError
from bot.model import Channel as Settings, ChannelRef, Paper, Subscription
from bot.query import Query
from bot.views import Notice, Span, plain, text
from tests.slack_server import Channel, Fault, SlackServer
from tests.slack_world import (
    credentials,
    lab_of,
    platform_of,
    said,
    shown,
    slack_world,
    told,
)
from tests.world import World, paper


async def test_a_command_is_acknowledged_and_answered_to_its_author_alone() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)

        exchange = await w.slack.command(ann, lab, "/papers", "search decoding")
        answer = await told(exchange)

        assert exchange.ack
        assert exchange.ack.payload == {}
        assert "Speculative decoding for long contexts" in shown(answer)
        assert answer.only_for == ann.id
        assert w.slack.dislikes == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "subscribe", id="bare"),
        pytest.param("help schedule", "when digests come", id="help"),
        pytest.param("serach decoding", "Did you mean", id="a typing mistake"),
        pytest.param("find decoding", "Speculative decoding", id="another word"),
        pytest.param(
            "show https://arxiv.org/abs/2611.00001v2", "Speculative decoding", id="a link"
        ),
        pytest.param(
            "preview cat:cs.CL|cat:stat.ML", "cat:stat.ML", id="what Slack takes for links"
        ),
        pytest.param("show arxiv.org/abs/2611.00001", "Speculative decoding", id="a bare address"),
        pytest.param("search “speculative decoding”", "Speculative decoding", id="curly quotes"),
        pytest.param("subscribe cat:cs.NOPE", "cs.", id="a mistake"),
    ],
)
async def test_the_whole_grammar_is_understood(text: str, expected: str) -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)

        answer = await said(w, ann, lab, text)

        assert expected in shown(answer)
        assert w.slack.dislikes == []


async def test_people_are_named_by_mention_and_kept_by_id() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        bob, eve = w.slack.add_user("bert"), w.slack.add_user("eve")
        lab.members += [bob.id, eve.id]

        await said(w, ann, lab, f"set who:<@{ann.id}|ann>,{bob.mention}")
        allowed = await said(w, bob, lab, "subscribe graphs")
        denied = await said(w, eve, lab, "subscribe molecules")
        again = await said(w, ann, lab, f"set who:<@{ann.id}>,{bob.mention},{eve.mention}")
        await w.slack.command(ann, lab, "/papers", "settings")
        await w.idle()
        [form] = w.slack.views(ann)
        await said(w, ann, lab, "config undo")

        settings = await w.settings(lab)
        assert settings.who == f"@{ann.id},@{bob.id}"
        assert [str(s.query) for s in settings.subscriptions] == ["graphs"]
        assert "Subscribed" in shown(allowed)
        assert "may not change" in shown(denied)
        assert "Ask ann, bert, or an admin" in shown(denied)
        assert "ann,bert,eve" in shown(again)
        assert "set unfurl:off" in shown(form)
        assert "who:@ann,@bob. Now: ann,bert,eve" in shown(form)


async def test_what_is_to_be_typed_again_keeps_the_id() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        notice = Notice(text(f"@{ann.id} may. ", Span(f"set who:@{ann.id}", code=True)))

        view = await with_names(notice, Asker(lab.team, ann.id), w.platform._workspaces)

        assert isinstance(view, Notice)
        assert plain(view.message) == f"ann may. set who:@{ann.id}"


async def test_a_share_that_is_pressed_twice_is_posted_once() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        found = await said(w, ann, lab, "search molecules")

        first = await told(await w.slack.select(ann, found, "say:2", "share 2611.00002"))
        second = await told(await w.slack.select(ann, found, "say:2", "share 2611.00002"))
        at_once = len(w.slack.posts(lab))
        w.world.now += timedelta(minutes=2)
        await said(w, ann, lab, "share 2611.00002")

        assert "Shared with the channel" in shown(first)
        assert "It was posted here just now" in shown(second)
        assert at_once == 1
        assert len(w.slack.posts(lab)) == 2
        assert w.slack.dislikes == []


async def test_the_key_of_ones_own_channel_is_shown_as_it_is() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)

        status = await told(await w.slack.direct(ann, "status"))

        assert f"slack:{ann.team}:@{ann.id}" in shown(status)


async def test_a_name_that_slack_did_not_resolve_is_refused() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)

        answer = await said(w, ann, lab, "set who:@nobody-here")

        assert "does not tell me who @nobody-here is" in shown(answer)
        assert await w.world.store.get(w.ref(lab)) is None


async def test_a_mention_is_answered_privately_in_its_thread() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        root = w.slack.write(ann, lab, "Look at this")

        asked = await told(await w.slack.mention(ann, lab, "why 2611.00001", thread=root))
        loose = await told(await w.slack.mention(ann, lab, ": search graphs"))

        assert asked.only_for == ann.id
        assert asked.thread_ts == root.ts
        assert "Speculative decoding" in shown(asked)
        assert loose.thread_ts is None
        assert "Graph networks" in shown(loose)
        assert w.slack.dislikes == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("<@{bot}>\xa0`search graphs`", id="copied from a message, where it is code"),
        pytest.param("<@{bot}>: ```/papers search graphs```", id="with the command"),
        pytest.param(
            "search graphs <@{bot}>\xa0", id="the mention last, as the client completes it"
        ),
        pytest.param("search graphs, <@{bot}>!", id="the mention last, politely"),
    ],
)
async def test_words_are_understood_as_slack_dresses_them(words: str) -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        event = {"text": words.format(bot=w.slack.bot.id), "ts": "1700000000.000100"}

        await w.slack.event("app_mention", lab, ann, fields=event)
        await w.idle()

        assert "Graph networks" in shown(w.slack.ephemerals(lab, ann)[-1])


async def test_what_is_copied_from_the_greeting_is_understood() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)

        await told(await w.slack.direct(ann, '`subscribe "speculative decoding"`'))
        await told(await w.slack.command(ann, w.slack.im(ann), "/papers", "`subscribe graphs`"))

        mine = await w.settings(ann)
        assert [str(s.query) for s in mine.subscriptions] == ['"speculative decoding"', "graphs"]


async def test_a_mention_that_is_edited_is_answered_only_where_it_says_something_else() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        await told(await w.slack.mention(ann, lab, "serach graphs"))
        message = lab.messages[-1]
        bot = w.slack.bot.mention

        await w.slack.edit(message, f"Dear {bot} serach graphs")
        await w.idle()
        before = len(w.slack.ephemerals(lab, ann))
        corrected = await told(await w.slack.edit(message, f"Dear {bot} search graphs"))

        assert before == 1
        assert "Graph networks" in shown(corrected)


async def test_direct_messages_are_a_channel_of_ones_own() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)

        answer = await told(await w.slack.direct(ann, "subscribe graphs"))

        assert answer.only_for is None
        assert answer.channel == w.slack.im(ann).id
        mine = await w.settings(ann)
        assert [str(s.query) for s in mine.subscriptions] == ["graphs"]
        assert mine.schedule.zone == "Europe/Berlin"
        assert w.slack.dislikes == []


@pytest.mark.parametrize(
    "words", ["share 2611.00001", "digest", "subscribe molecules", "set max:7"]
)
async def test_among_people_nothing_is_said_to_be_posted_or_set(words: str) -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        bob = w.slack.add_user("bob")
        theirs = Channel("D0ANNANDBOB", "", ann.team, "im", members=[ann.id, bob.id])
        w.slack.state.add_channel(theirs)
        await told(await w.slack.direct(ann, "subscribe graphs"))
        before = len(w.slack.posts(w.slack.im(ann)))

        refused = await told(await w.slack.command(ann, theirs, "/papers", words))
        recap = "digest since:2026-11-01"  # for the asker alone
        found = await told(await w.slack.command(ann, theirs, "/papers", recap))
        after = len(w.slack.posts(w.slack.im(ann)))
        await w.slack.command(ann, w.slack.im(ann), "/papers", "share 2611.00001")
        await w.idle()
        shared = " ".join(map(shown, w.slack.posts(w.slack.im(ann))))

        assert "I am not in this conversation" in shown(refused)
        assert "Graph networks" in shown(found)
        assert after == before
        assert "ann shares a paper" in shared
        mine = await w.settings(ann)
        assert (len(mine.subscriptions), mine.max) == (1, 10)


async def test_what_the_bot_itself_or_an_edit_says_is_not_answered() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        im = w.slack.im(ann)

        edit = {
            "channel": im.id,
            "channel_type": "im",
            "subtype": "message_changed",
            "text": "help",
        }
        await w.slack.event("message", im, ann, fields=edit)
        own = {"channel": im.id, "channel_type": "im", "text": "help", "user": w.slack.bot.id}
        await w.slack.event("message", im, ann, fields=own | {"bot_id": w.slack.bot.bot_id})
        await w.idle()

        assert w.slack.posts(im) == []


async def test_a_direct_message_with_a_file_is_answered_all_the_same() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        im = w.slack.im(ann)

        said_with = {"channel_type": "im", "subtype": "file_share", "text": "search graphs"}
        await w.slack.event("message", im, ann, fields=said_with)
        await w.idle()

        [answer] = w.slack.posts(im)
        assert "Graph networks" in shown(answer)


async def test_what_slack_delivers_twice_is_done_once() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)

        command = await w.slack.command(ann, lab, "/papers", "help")
        event = await w.slack.mention(ann, lab, "search graphs")
        await command.replied(2)
        click = await w.slack.click(ann, command.reply, "Save")
        await click.replied()
        for exchange in (command, event, click):
            await w.slack.redeliver(exchange)
        await w.idle()

        assert len(w.slack.ephemerals(lab, ann)) == 3


async def test_what_a_response_url_takes_no_more_goes_as_ephemerals() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        many = (paper(n, f"Rivers {n} " + "and their banks " * 18) for n in range(100, 160))
        authors = tuple(letter * 50 for letter in "ABC")
        long = (replace(each, summary="Rivers run. " * 45, authors=authors) for each in many)
        await w.world.listed(*long)

        exchange = await w.slack.command(ann, lab, "/papers", "search rivers limit:50")
        await exchange.replied(6)
        await w.idle()

        assert exchange.response_uses == 5
        assert len(w.slack.called("chat.postEphemeral")) == len(exchange.shown) - 5
        assert w.slack.dislikes == []


@pytest.mark.parametrize("words", ["subscribe graphs", "share 2611.00001", "digest", "pause"])
async def test_where_the_bot_is_not_in_it_asks_to_be_invited(words: str) -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        public = w.slack.add_channel("public", ann, bot=False)
        hidden = w.slack.add_channel("hidden", ann, kind="private", bot=False)

        for channel in (public, hidden):
            answer = await said(w, ann, channel, words)
            assert "/invite @Paperboy" in shown(answer)
            assert await w.world.store.get(w.ref(channel)) is None
        reading = await said(w, ann, public, "search graphs")

        assert "Graph networks" in shown(reading)


async def test_once_invited_the_bot_is_in() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        den = w.slack.add_channel("den", ann, bot=False)
        before = await said(w, ann, den, "subscribe graphs")

        den.members.append(w.slack.bot.id)  # the event of it is late
        after = await said(w, ann, den, "subscribe graphs")

        assert "/invite" in shown(before)
        assert "Subscribed" in shown(after)


async def test_where_slack_does_not_tell_who_somebody_is_nobody_changes_anything() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        w.slack.fault("users.info", Fault.http(500), times=None)

        denied = await said(w, ann, lab, "subscribe graphs")
        reading = await said(w, ann, lab, "search graphs")
        w.slack.heal()
        allowed = await said(w, ann, lab, "subscribe graphs")

        assert "I cannot see just now whether you may do that" in shown(denied)
        assert "Graph networks" in shown(reading)
        assert "graphs" in shown(allowed)
        assert len((await w.settings(lab)).subscriptions) == 1


async def test_a_flood_is_answered_politely() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        bob = w.slack.add_user("bob")
        lab.members.append(bob.id)

        answers = [await said(w, ann, lab, "help") for _ in range(6)]
        other = await said(w, bob, lab, "help")
        w.world.now += timedelta(seconds=2)
        again = await said(w, ann, lab, "help")

        assert ["That was a lot" in shown(a) for a in answers] == [False] * 5 + [True]
        assert "That was a lot" not in shown(other)
        assert "That was a lot" not in shown(again)


async def test_a_channel_has_thirty_commands_a_minute() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        people = [w.slack.add_user(f"u{n}") for n in range(7)]
        lab.members += [p.id for p in people]

        answers = [
            await said(w, person, lab, "help status") for person in people[:6] for _ in range(5)
        ]
        last = await said(w, people[6], lab, "help status")

        assert not any("That was a lot" in shown(a) for a in answers)
        assert "That was a lot" in shown(last)


async def test_buttons_say_their_sentence_to_whoever_presses_them() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        found = await said(w, ann, lab, "search decoding")

        saved = await told(await w.slack.click(ann, found, "Save"))

        assert saved.only_for == ann.id
        assert found in w.slack.ephemerals(lab, ann)
        assert "Speculative decoding" in shown(await said(w, ann, lab, "saved"))
        assert w.slack.dislikes == []


async def test_a_click_in_a_thread_is_answered_in_it() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        root = w.slack.write(ann, lab, "hello")
        found = await told(await w.slack.mention(ann, lab, "search decoding", thread=root))

        more = await told(await w.slack.click(ann, found, "Save"))

        assert more.thread_ts == root.ts


async def test_a_click_on_what_a_thread_hangs_from_is_answered_in_the_channel() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        blocks = (await said(w, ann, lab, "search decoding")).blocks
        root = w.slack.state.say(lab, w.slack.bot, "x", blocks=blocks, app_id="A1")
        root.thread_ts = root.ts  # as Slack tells it once there are replies
        reply = w.slack.state.say(
            lab, w.slack.bot, "x", blocks=blocks, app_id="A1", thread_ts=root.ts
        )

        at_reply = await told(await w.slack.click(ann, reply, "Save"))
        at_root = await told(await w.slack.click(ann, root, "Save"))

        assert (at_reply.thread_ts, at_root.thread_ts) == (root.ts, None)


async def test_a_click_in_direct_messages_is_answered_plainly() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        found = await told(await w.slack.direct(ann, "search decoding"))
        w.world.now += timedelta(seconds=2)

        saved = await told(await w.slack.click(ann, found, "Save"))

        assert saved.only_for is None
        assert w.slack.dislikes == []


async def test_a_short_export_is_shown_and_a_long_one_sent_as_a_file() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        queries = (
            query.parse(f"{'|'.join(f'word{m}' for m in range(30))}|number{n}") for n in range(50)
        )
        subscriptions = tuple(Subscription(n, q) for n, q in enumerate(queries, 1))

        short = await said(w, ann, lab, "export bibtex 2611.00001")
        await w.world.store.save(Settings(w.ref(lab), subscriptions), ann.id)
        answer = await said(w, ann, lab, "config export")

        assert "Speculative decoding" in shown(short)
        [file] = w.slack.files
        assert file.complete
        assert b"number49" in (file.content or b"")
        assert file.channels == [w.slack.im(ann).id]
        assert file.name in shown(answer)
        assert w.slack.dislikes == []


async def test_a_list_of_all_channels_holds_those_that_the_asker_is_in() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        boss = w.slack.add_user("boss", "admin")
        secret = w.slack.add_channel("secret", boss, kind="private")
        await said(w, ann, lab, "subscribe graphs")
        await said(w, boss, secret, "subscribe takeover")

        answer = await said(w, ann, lab, "list all")

        assert "graphs" in shown(answer)
        assert "takeover" not in shown(answer)


async def test_a_list_of_all_channels_knows_of_more_than_slack_tells_at_once() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        channels = [w.slack.add_channel(f"c{n}", ann) for n in range(201)]
        await said(w, ann, channels[-1], "subscribe graphs")

        answer = await said(w, ann, w.slack.im(ann), "list all")

        assert "graphs" in shown(answer)
        assert len(w.slack.called("users.conversations")) == 2


@pytest.mark.parametrize("fault", [Fault.ratelimited(2), Fault.http(500)], ids=["429", "500"])
async def test_what_slack_did_not_tell_at_once_is_asked_once_more(fault: Fault) -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        w.slack.fault("users.info", fault)

        answer = await said(w, ann, lab, "subscribe graphs")

        assert "Subscribed" in shown(answer)
        assert len(w.slack.called("users.info")) == 2


async def test_where_slack_does_not_tell_who_is_where_a_list_of_all_channels_says_so() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        await said(w, ann, lab, "subscribe graphs")
        w.slack.fault("users.conversations", Fault.error("missing_scope"), times=None)

        everywhere = shown(await said(w, ann, lab, "list all"))
        here = shown(await said(w, ann, lab, "list"))
        home = shown(await said(w, ann, lab, "home"))

        assert "I cannot see just now which channels you are in" in everywhere
        assert "graphs" in here
        assert "Your subscriptions" in home


async def test_slacks_own_variables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLIENT_ID",
        "CLIENT_SECRET",
        "BOT_TOKEN",
        "SIGNING_SECRET",
        "APP_TOKEN",
        "SCOPES",
    ):
        monkeypatch.setenv(f"SLACK_{name}", f"xoxb-leaked-{name}")

    async with slack_world() as w:
        ann, lab = await lab_of(w)
        await said(w, ann, lab, "subscribe graphs")

        assert w.platform._handler is not None
        assert w.platform._handler.app.oauth_flow is None
        assert {call.token for call in w.slack.calls if call.method != "response_url"} == {
            w.slack.token, w.slack.app_token,
        }  # fmt: skip
    assert os.environ["SLACK_CLIENT_ID"] == "xoxb-leaked-CLIENT_ID"


def test_the_proxy_of_the_environment_is_used_but_for_its_exceptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "direct.example.org")

    assert proxy_of("https://slack.example.org/api/") == "http://proxy.example.org:3128"
    assert proxy_of("https://direct.example.org/api/") is None
    assert proxy_of("https://127.0.0.1:8080/api/") is None


async def test_a_connection_that_ends_is_made_anew() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        before = w.slack.sockets[0]

        await w.slack.disconnect()
        await w.slack.until(lambda: w.slack.sockets and w.slack.sockets[0] is not before)
        answer = await said(w, ann, lab, "help")

        assert shown(answer)


@pytest.mark.parametrize("way", ["dropped", "frozen", "turned away"])
async def test_a_connection_that_dies_is_made_anew(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_app, "PING_SECONDS", 0.1)
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        before = w.slack.sockets[0]

        if way == "frozen":
            w.slack.freeze()
        else:
            w.slack.turn_away(2 if way == "turned away" else 0)
            w.slack.drop()
        await w.slack.until(lambda: before not in w.slack.sockets, timeout=5)
        await w.slack.connected(timeout=5)

        assert shown(await said(w, ann, lab, "help"))


async def test_where_slack_cannot_be_reached_at_the_start_it_is_tried_again() -> None:
    async with SlackServer() as slack:
        world, slept = World(), []
        slack.fault("auth.test", Fault.http(503), times=6)

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        async with platform_of(
            world, credentials(slack), None, sleep, lambda: world.now
        ) as platform:
            await platform.start(world.answers, NobodyCloses())
            async with asyncio.timeout(5):
                await asyncio.gather(*platform._connecting)

            assert len(slack.called("auth.test")) == 7
            assert slept == [2, 5, 15, 60, 60, 60]


async def test_until_slack_can_be_reached_commands_are_asked_for_patience() -> None:
    async with SlackServer() as slack:
        world, up = World(), asyncio.Event()
        ann = slack.add_user("ann")
        lab = slack.add_channel("lab", ann)
        slack.fault("auth.test", Fault.http(503), times=1)

        async def sleep(seconds: float) -> None:
            await up.wait()

        async with platform_of(
            world, credentials(slack), None, sleep, lambda: world.now
        ) as platform:
            await platform.start(world.answers, NobodyCloses())
            await slack.connected()
            early = await told(await slack.command(ann, lab, "/papers", "help"))
            up.set()
            await platform._connecting[0]
            late = await told(await slack.command(ann, lab, "/papers", "help"))

    assert "cannot reach Slack yet" in shown(early)
    assert "not installed" not in shown(early)
    assert "subscribe" in shown(late)


async def test_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with slack_world() as w:
            ann, lab = await lab_of(w)
            secrets = (w.slack.token, w.slack.app_token, w.slack.app.signing_secret)
            for fault in (
                Fault.http(500),
                Fault.error("invalid_auth"),
                Fault.garbage("{", "application/json"),
            ):
                w.slack.fault("*", fault, times=2)
                await w.slack.command(ann, lab, "/papers", "subscribe graphs")
                await w.idle()
            w.slack.heal()
            await said(w, ann, lab, "help")
            await w.slack.event("app_uninstalled")
            await w.idle()

    ours = [r for r in caplog.records if not r.name.startswith("aiohttp")]  # of the local Slack
    said_there = "\n".join(record.getMessage() for record in ours) + caplog.text
    assert ours
    assert [secret for secret in secrets if secret in said_there] == []
    assert "/response/" not in "\n".join(record.getMessage() for record in ours)
    assert "canary" not in repr(Credentials("", "canary", "canary", "canary", "", "canary"))


async def test_a_wrong_token_ends_the_start_with_what_to_do() -> None:
    async with SlackServer() as slack:
        world, right = World(), credentials(slack)
        for wrong, words in (
            (replace(right, bot_token="xoxb-wrong"), "BOT_TOKEN"),  # noqa: S106
            (replace(right, app_token="xapp-wrong"), "APP_TOKEN"),  # noqa: S106
        ):
            async with platform_of(
                world, wrong, None, asyncio.sleep, lambda: world.now
            ) as platform:
                with pytest.raises(PaperboyError) as caught:
                    await platform.start(world.answers, NobodyCloses())

                assert words in caught.value.hint


class NobodyCloses:
    async def close(self, ref: ChannelRef, reason: str) -> None:
        raise AssertionError(reason)


class SlowSource:
    """A source that answers when it is let."""

    def __init__(self) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def search(self, query: Query, limit: int) -> list[Paper]:
        self.asked.set()
        await self.let.wait()
        return []

    async def lookup(self, paper_id: str) -> Paper | None:
        return None


async def test_ending_waits_for_what_is_under_way() -> None:
    source = SlowSource()
    async with slack_world(source) as w:
        ann, lab = await lab_of(w)
        exchange = await w.slack.command(ann, lab, "/papers", "search rivers all:yes")
        await source.asked.wait()

        closing = asyncio.create_task(w.platform.aclose())
        await w.slack.until(lambda: not w.slack.sockets)
        source.let.set()
        await closing

        assert len(exchange.shown) == 1
