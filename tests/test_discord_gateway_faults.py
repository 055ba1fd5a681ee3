"""The connection to Discord breaks at every point: nothing is lost, and a command is never left open."""

from __future__ import annotations

import asyncio
import logging

import discord
import pytest

from bot.errors import PaperboyError
from bot.ports import State
from tests.discord_bot import PAPERS, TODAYS, DiscordBot, discord_bot, read
from tests.discord_server import DiscordServer, Fault, Rates, Request


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """discord.py keeps IDENTIFYs five seconds apart, which is not the matter here."""

    async def at_once(*_: object, **__: object) -> None: ...

    monkeypatch.setattr(discord.Client, "before_identify_hook", at_once)


PHASES = ("connect", "hello", "identify", "ready")


async def connected_again(bot: DiscordBot, sessions: int) -> None:
    """So many connections were opened, and the last one stands."""
    gateway = bot.server.gateway
    assert await bot.server.until(lambda: len(gateway.opened) > sessions and gateway.ready)


async def works(bot: DiscordBot) -> None:
    answered = await bot.ask("papers status")
    assert "Status" in read(answered.text)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("code", [None, 4000, 1001], ids=["cut", "4000", "going away"])
async def test_a_start_that_is_broken_off_begins_anew(phase: str, code: int | None) -> None:
    async with discord_bot(started=False) as bot:
        bot.server.gateway.pace = 0.0
        bot.server.gateway.drop_at(phase, code=code, times=2)  # type: ignore[arg-type]

        await bot.start()

        await works(bot)


@pytest.mark.parametrize("code", [None, 4000, 4007, 4009, 1000, 1001])
async def test_a_connection_that_breaks_is_resumed_or_made_anew(code: int | None) -> None:
    async with discord_bot() as bot:
        bot.server.gateway.pace = 0.0
        bot.server.gateway.drop(code)

        await connected_again(bot, 1)

        await works(bot)


async def test_a_question_in_the_gap_is_answered_after_the_resume() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        bot.server.gateway.drop()
        assert await bot.server.until(lambda: not bot.server.gateway.ready)

        asked = await bot.ask("papers-admin subscribe", query="graphs")

        assert "Subscribed" in read(asked.text)
        assert len(bot.server.gateway.resumed) == 1
        assert len((await bot.settings(bot.papers)).subscriptions) == 1


async def test_a_question_that_comes_too_late_fails_for_who_asked_and_does_nothing() -> None:
    async with discord_bot() as bot:
        bot.server.patience = 0.3
        bot.server.gateway.drop()
        bot.server.gateway.drop_at("connect", times=1)
        assert await bot.server.until(lambda: not bot.server.gateway.ready)
        asking = asyncio.create_task(bot.ask("papers-admin subscribe", query="graphs"))
        await asyncio.sleep(0)
        bot.pass_time(seconds=4)

        asked = await asking
        await connected_again(bot, 1)
        await bot.known()

        assert asked.callback is None
        assert await bot.world.store.get(bot.ref(bot.papers)) is None


async def test_events_that_are_told_twice_are_answered_once() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        asked = await bot.ask("papers-admin subscribe", query="graphs")
        await bot.ask("papers-admin unsubscribe", subscription="1")

        bot.server.emit("INTERACTION_CREATE", asked.payload, bot.lab)
        await bot.known()
        await works(bot)

        assert (await bot.settings(bot.papers)).subscriptions == ()
        assert len(asked.messages) == 1


@pytest.mark.parametrize("resumable", [True, False])
async def test_a_session_that_is_invalid_is_resumed_or_begun_anew(resumable: bool) -> None:
    async with discord_bot() as bot:
        bot.server.gateway.pace = 0.0
        bot.server.gateway.invalidate(resumable=resumable)

        await connected_again(bot, 1)

        await works(bot)


async def test_discord_may_ask_for_another_connection() -> None:
    async with discord_bot() as bot:
        bot.server.gateway.reconnect()

        await connected_again(bot, 1)

        assert len(bot.server.gateway.resumed) == 1
        await works(bot)


async def test_a_connection_that_is_silent_is_given_up() -> None:
    async with discord_bot(started=False, heartbeat_timeout=0.4) as bot:
        bot.server.gateway.heartbeat_interval = 0.1
        await bot.start()
        bot.server.gateway.zombie()

        await connected_again(bot, 1)

        await works(bot)


async def test_a_digest_goes_out_while_the_gateway_is_away() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        await bot.ask("papers-admin subscribe", query="graphs")
        await bot.ask("papers-admin schedule", days="daily", time="09:45", timezone="UTC")
        await bot.world.listed(*TODAYS)
        bot.server.gateway.drop_at("connect", times=50)
        bot.server.gateway.drop()
        assert await bot.server.until(lambda: not bot.server.gateway.ready)

        bot.pass_time(minutes=16)
        await bot.deliver()

        (delivery,) = await bot.deliveries(bot.papers)
        assert delivery.state is State.SENT
        (post,) = bot.server.messages(bot.papers)
        assert "Graph transformers" in read(post.text())


async def test_before_the_servers_are_known_nothing_is_due() -> None:
    async with discord_bot(started=False) as bot:
        assert bot.platform.served() == ()
        await bot.start()
        assert bot.platform.served() is None


async def test_who_was_removed_while_it_was_away_hears_of_it_at_the_next_start() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        await bot.ask("papers-admin subscribe", query="graphs")
        bot.server.gateway.pace = 0.0
        bot.server.gateway.forget()  # who is away is told nothing later
        bot.server.kick(bot.lab)
        bot.server.gateway.drop()

        await connected_again(bot, 1)
        ref = bot.ref(bot.papers)
        async with asyncio.timeout(5):
            while await bot.world.ledger.gone(ref) is None:  # noqa: ASYNC110
                await asyncio.sleep(0)

        bot.pass_time(days=1)
        assert await bot.world.people.departed(bot.world.now) == [("discord", bot.lab.id)]


async def test_who_was_asked_back_while_it_was_away_has_departed_no_more() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        await bot.ask("papers-admin subscribe", query="graphs")
        bot.server.gateway.pace = 0.0
        bot.server.kick(bot.lab)
        await bot.known()
        bot.pass_time(days=1)
        assert await bot.world.people.departed(bot.world.now) == [("discord", bot.lab.id)]
        bot.server.gateway.forget()
        bot.server.invite(bot.lab)
        bot.server.gateway.drop()

        await connected_again(bot, 1)
        async with asyncio.timeout(5):
            while await bot.world.people.departed(bot.world.now):  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_an_outage_of_a_server_is_no_farewell() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        await bot.ask("papers-admin subscribe", query="graphs")

        bot.server.outage(bot.lab)
        await bot.known()
        bot.server.gateway.pace = 0.0
        bot.server.gateway.forget()
        bot.server.gateway.drop()
        await connected_again(bot, 1)
        bot.server.end_outage(bot.lab)
        await bot.known()

        assert await bot.world.ledger.gone(bot.ref(bot.papers)) is None
        await works(bot)


# For good


async def _run(bot: DiscordBot) -> None:
    await bot.platform.start(bot.core)
    async with asyncio.timeout(5):
        await bot.platform.wait()


async def test_a_wrong_token_ends_it_in_one_line() -> None:
    async with discord_bot(started=False, token="another.token") as bot:  # noqa: S106
        with pytest.raises(PaperboyError) as raised:
            await _run(bot)

        assert raised.value.message == "Discord does not accept the bot's token."
        assert "PAPERBOY_DISCORD__TOKEN" in raised.value.hint


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (4004, "does not accept the bot's token"),
        (4012, "speaks version 10 of its gateway no more"),
        (4013, "does not grant the bot its one intent"),
        (4014, "does not grant the bot its one intent"),
    ],
)
async def test_a_refusal_of_the_gateway_ends_it_in_one_line(code: int, said: str) -> None:
    async with discord_bot(started=False) as bot:
        bot.server.gateway.drop_at("identify", code=code)

        with pytest.raises(PaperboyError, match=said) as raised:
            await _run(bot)

        assert raised.value.hint
        assert len(bot.server.gateway.identified) == 1


async def test_a_token_that_is_withdrawn_later_ends_it_too() -> None:
    async with discord_bot() as bot:
        bot.server.gateway.token = bot.server.token = "a.new.token"  # noqa: S105  # of nothing
        bot.server.gateway.forget()
        bot.server.gateway.drop()

        async with asyncio.timeout(5):
            with pytest.raises(PaperboyError, match="does not accept the bot's token"):
                await bot.platform.wait()


async def test_as_many_shards_are_opened_as_discord_recommends() -> None:
    server = DiscordServer(rates=Rates.generous())
    server.gateway.shards, server.gateway.max_concurrency, server.gateway.pace = 2, 2, 0.0
    async with discord_bot(server=server) as bot:
        assert {each.shard for each in server.gateway.identified} == {(0, 2), (1, 2)}
        await works(bot)


async def test_the_longer_it_fails_the_longer_it_waits() -> None:
    async with discord_bot(started=False) as bot:
        bot.server.fault("GET /gateway/bot", Fault.status(503), times=7)

        await bot.start()

        assert bot.slept == [10, 20, 40, 60, 60, 60]  # the first one fails at once, in ``start``


async def test_when_the_connections_of_a_day_are_used_up_it_waits() -> None:
    async with discord_bot(started=False) as bot:
        bot.server.gateway.starts_left = 3

        await bot.start()

        assert bot.slept == [86_400]


async def test_an_end_in_the_middle_of_an_answer_lets_it_finish(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with discord_bot() as bot:
        arrived, go_on = asyncio.Event(), asyncio.Event()
        original = "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original"

        def comes(_: Request) -> bool:
            arrived.set()
            return True

        bot.server.fault(original, Fault.held(go_on), when=comes)
        asking = asyncio.create_task(bot.ask("papers status"))
        await arrived.wait()

        with caplog.at_level(logging.WARNING):
            closing = asyncio.create_task(bot.platform.aclose())
            done, _ = await asyncio.wait({closing}, timeout=0.1)
            assert not done
            assert not bot.server.gateway.connections
            go_on.set()
            await closing

        assert "Status" in read((await asking).text)
        assert caplog.messages == []


async def test_an_end_before_it_ever_connected_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    async with discord_bot(started=False) as bot:
        bot.server.fault("GET /gateway/bot", Fault.status(503), times=None)
        await bot.platform.start(bot.core)
        await bot.platform.aclose()

        assert not bot.server.gateway.opened
        await bot.platform.wait()
