"""The bot's connection: where it goes, what it asks for, and what it says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import discord
import pytest
import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route
from discord.webhook.async_ import AsyncWebhookAdapter

from adapters.discord import addresses
from adapters.discord.examine import examine
from adapters.discord.rest import BANNED, Refused, Rest
from adapters.web import serve
from bot.errors import Later, Unknown
from tests.discord_bot import discord_bot
from tests.discord_server import Fault, P

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


# Addresses


def test_discord_py_keeps_its_addresses_where_we_set_them() -> None:
    """It has no setting for them. Where this fails, ``adapters.discord.addresses`` has to follow."""
    assert addresses.current() == (addresses.API_URL, f"{addresses.GATEWAY_URL}/")
    assert discord.version_info[:2] == (2, 7)
    assert "DEFAULT_GATEWAY" in DiscordWebSocket.from_client.__func__.__code__.co_names  # type: ignore[attr-defined]
    assert "BASE" in Route.__init__.__code__.co_names
    assert "Route" in AsyncWebhookAdapter.execute_webhook.__code__.co_names


def test_addresses_are_set_for_rest_and_gateway(caplog: pytest.LogCaptureFixture) -> None:
    before = addresses.current()
    with caplog.at_level("INFO"):
        addresses.apply("https://discord.example/api/v10/", "wss://gateway.example")
    try:
        assert Route("GET", "/users/@me").url == "https://discord.example/api/v10/users/@me"
        assert yarl.URL("wss://gateway.example") == DiscordWebSocket.DEFAULT_GATEWAY
        assert caplog.messages == [
            "Discord is reached at discord.example", "Discord is reached at gateway.example",
        ]  # fmt: skip
    finally:
        addresses.apply(*before)


def test_addresses_that_are_nowhere_to_be_set_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Route, "BASE")

    with pytest.raises(AttributeError, match=r"discord\.py keeps no Route\.BASE any more"):
        addresses.apply(addresses.API_URL, addresses.GATEWAY_URL)


# What it asks for


async def test_it_asks_for_the_guilds_intent_alone() -> None:
    async with discord_bot() as bot:
        (identified,) = bot.server.gateway.identified

        assert identified.intents == discord.Intents(guilds=True).value
        assert bot.server.dislikes == []


async def test_nothing_of_a_quiet_start_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        async with discord_bot() as bot:
            assert bot.platform.served() is None

    assert caplog.messages == []


# paperboy check


async def test_the_check_tells_how_it_stands() -> None:
    async with discord_bot() as bot:
        found = await examine(bot.server.api_url, bot.server.token, None, lambda: NOW)

        assert [(what, well) for what, well, _ in found] == [
            ("Discord", True),
            ("Discord gateway", True),
            ("Discord commands", True),
            ("Discord invitation", True),
        ]
        said = " ".join(words for *_, words in found)
        assert "3 registered" in said
        assert "999 of 1000 connections are left today" in said
        needed = P.VIEW_CHANNEL | P.SEND_MESSAGES
        permissions = int(found[-1][2].rpartition("permissions=")[2])
        assert permissions & needed == needed


async def test_the_check_tells_what_is_wrong() -> None:
    async with discord_bot(started=False) as bot:
        url, token = bot.server.api_url, bot.server.token
        wrong = await examine(url, "another", None, lambda: NOW)
        nowhere = await examine(url, token, "1234", lambda: NOW)
        bot.server.fault("GET /applications/@me", Fault.status(503))
        away = await examine(url, token, None, lambda: NOW)

    assert wrong == [
        ("Discord", False, "refuses the token; reset it on the page Bot of the developer portal")
    ]
    assert any(not well and "is the bot there?" in said for _, well, said in nowhere)
    assert [(what, well) for what, well, _ in away] == [("Discord", False)]
    assert "within reach" in away[0][2]


async def test_the_check_tells_of_an_address_that_interactions_go_to_instead() -> None:
    async with discord_bot(started=False) as bot:
        bot.server.interactions_url = "https://example.org/interactions"

        found = await examine(bot.server.api_url, bot.server.token, None, lambda: NOW)

    assert any(
        not well and "an Interactions Endpoint URL is set" in said for _, well, said in found
    )


# Requests


@pytest.mark.parametrize(
    ("status", "headers", "body", "after"),
    [
        (429, {}, '{"retry_after": 2.5, "global": false}', 2.5),
        (429, {"Retry-After": "7"}, "<html>", 7.0),
        (429, {}, "<html>", BANNED),
        (429, {"Retry-After": "soon"}, "", BANNED),
    ],
)
async def test_a_limit_is_kept_without_asking_again(
    status: int, headers: dict[str, str], body: str, after: float
) -> None:
    asked: list[str] = []
    now = [NOW]

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers=headers, text=body)

    async with serve("127.0.0.1", 0, [web.get("/{any:.*}", answer)]) as url:
        rest = Rest(url, "token", lambda: now[0])
        for passed in (0.0, after / 2):
            now[0] = NOW + timedelta(seconds=passed)
            with pytest.raises(Later) as raised:
                await rest.request("GET", "/channels/1")
            assert raised.value.after == pytest.approx(after - passed)
        assert len(asked) == 1
        now[0] = NOW + timedelta(seconds=after)
        with pytest.raises(Later):
            await rest.request("GET", "/channels/1")
        await rest.aclose()

    assert len(asked) == 2


@pytest.mark.parametrize("for_all", [True, False])
async def test_a_limit_is_kept_by_those_it_is_for(for_all: bool) -> None:
    async def answer(request: web.Request) -> web.Response:
        limited = {"retry_after": 2.5, "global": for_all}
        return web.json_response(limited, status=429 if request.path == "/channels/1" else 200)

    async with serve("127.0.0.1", 0, [web.get("/{any:.*}", answer)]) as url:
        rest = Rest(url, "token", lambda: NOW)
        with pytest.raises(Later):
            await rest.request("GET", "/channels/1")
        if for_all:
            with pytest.raises(Later):
                await rest.request("GET", "/channels/2")
        else:
            assert await rest.request("GET", "/channels/2")
        await rest.aclose()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "", Unknown), (200, '{"id":', Unknown), (200, "<html>", Unknown),
        (301, "", Unknown), (302, "{}", Unknown), (400, "<html>", Unknown), (400, "[]", Unknown),
        (400, '{"code": 50035, "message": "Invalid Form Body"}', Refused),
        (401, '{"code": 0, "message": "401: Unauthorized"}', Refused),
        (403, '{"code": 50001, "message": "Missing Access"}', Refused), (403, "blocked", Unknown),
        (404, '{"code": 10003, "message": "Unknown Channel"}', Refused), (404, "", Unknown),
        (405, '{"code": 0, "message": "405: Method Not Allowed"}', Refused),
        (408, "", Unknown), (413, '{"code": 40005, "message": "too large"}', Refused),
        (500, '{"code": 0, "message": "500: Internal Server Error"}', Unknown),
        (502, "<html>", Unknown), (503, "", Unknown), (504, "", Unknown), (520, "", Unknown),
        (522, "", Unknown), (524, "", Unknown), (530, "", Unknown),
    ],
)  # fmt: skip
async def test_only_discord_itself_refuses_and_all_else_is_undecided(
    status: int, body: str, error: type[Exception]
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        headers = {"Location": "/elsewhere"} if status in (301, 302) else {}
        return web.Response(status=status, headers=headers, text=body)

    async with serve("127.0.0.1", 0, [web.route("*", "/{any:.*}", answer)]) as url:
        rest = Rest(url, "token", lambda: NOW)
        with pytest.raises(error):
            await rest.request("POST", "/channels/1/messages", {})
        await rest.aclose()

    assert asked == ["/channels/1/messages"]


async def test_without_a_connection_nothing_was_done() -> None:
    async with serve("127.0.0.1", 0, []) as url:
        pass
    rest = Rest(url, "token", lambda: NOW)

    with pytest.raises(Later) as raised:
        await rest.request("POST", "/channels/1/messages", {})

    assert "no connection to Discord" in raised.value.message
    await rest.aclose()


async def test_no_error_tells_the_token_or_that_of_an_interaction(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with discord_bot() as bot:
        with caplog.at_level("INFO"):
            bot.server.fault(
                "POST /interactions/{interaction_id}/{interaction_token}/callback",
                Fault.reset(), times=3,
            )  # fmt: skip
            asked = await bot.ask("papers status")

        assert bot.server.token not in caplog.text
        assert asked.token not in caplog.text
