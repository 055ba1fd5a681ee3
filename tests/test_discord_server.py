"""Rate limits, faults and dislikes of the local Discord, met by discord.py."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
import pytest

from tests import discord_fixtures as fixtures
from tests.discord_server import Channel, DiscordServer, Fault, Guild, Rate
from tests.discord_small_bot import Hands, code_of, text

clock, server, lab = fixtures.clock, fixtures.server, fixtures.lab
papers, ann, client = fixtures.papers, fixtures.ann, fixtures.client

POST = "POST /channels/{channel_id}/messages"


async def test_discord_py_waits_before_a_bucket_is_empty(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    server.rates.limits[POST] = Rate(2, 0.2)
    channel = await text(client, papers)
    started = asyncio.get_running_loop().time()
    for number in range(5):
        await channel.send(str(number))
    assert asyncio.get_running_loop().time() - started >= 0.38
    assert server.dislikes == []
    assert len(server.messages(papers)) == 5


async def test_a_bucket_is_one_channel_of_a_route(server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel) -> None:  # fmt: skip
    server.rates.limits[POST] = Rate(1, 60.0)
    other = server.add_channel(lab, "other")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {server.token}"}) as session:

        async def post(channel: Channel) -> aiohttp.ClientResponse:
            body = {"content": "c", "allowed_mentions": {"parse": []}}
            url = f"{server.api_url}/channels/{channel.id}/messages"
            return await session.post(url, json=body)

        first, second, third = await post(papers), await post(papers), await post(other)
        assert [r.status for r in (first, second, third)] == [200, 429, 200]
        assert first.headers["X-RateLimit-Remaining"] == "0"
        assert first.headers["X-RateLimit-Limit"] == "1"
        assert first.headers["X-RateLimit-Bucket"] == third.headers["X-RateLimit-Bucket"]
        limited = await second.json()
        assert 59 < limited["retry_after"] <= 60
        assert limited["global"] is False
        assert second.headers["X-RateLimit-Scope"] == "user"
        assert second.headers["Via"]
        assert first.headers["Content-Type"] == "application/json"
    assert [dislike.kind for dislike in server.dislikes] == ["rate"]


async def test_all_requests_of_a_second_are_counted_but_those_of_interactions(
    server: DiscordServer,
) -> None:
    server.rates.at_once = 2
    moments = [0.0, 0.1, 0.2, 1.0, 1.05]
    server.rates.timer = lambda: moments.pop(0)
    async with aiohttp.ClientSession() as session:

        async def ask(path: str, method: str = "GET", **headers: str) -> aiohttp.ClientResponse:
            return await session.request(method, server.api_url + path, headers=headers)

        bot = {"Authorization": f"Bot {server.token}"}
        me = [await ask("/users/@me", **bot) for _ in range(4)]
        assert [r.status for r in me] == [200, 200, 429, 200]
        assert (await me[2].json())["global"] is True
        assert me[2].headers["X-RateLimit-Scope"] == "global"
        assert me[2].headers["X-RateLimit-Global"] == "true"
        server.rates.at_once = 0
        callback = await ask("/interactions/1/token/callback", "POST")
        assert callback.status != 429


# Faults


async def test_a_reset_before_the_effect_posts_nothing_and_after_it_once(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    server.fault(POST, Fault.reset())
    with pytest.raises((aiohttp.ClientError, OSError)):
        await channel.send("one")
    assert server.messages(papers) == []
    server.fault(POST, Fault.reset(after_effect=True))
    with pytest.raises((aiohttp.ClientError, OSError)):
        await channel.send("two")
    assert [message.content for message in server.messages(papers)] == ["two"]
    await channel.send("three")
    assert [request.status for request in server.sent(POST)] == [0, 0, 200]


async def test_a_request_that_hangs_ends_with_the_client(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    server.fault(POST, Fault.hang(after_effect=True))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await channel.send("one")
    assert len(server.messages(papers)) == 1


async def test_a_request_is_held_until_a_test_lets_it_go(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel, go = await text(client, papers), asyncio.Event()
    server.fault(POST, Fault.held(go))
    sending = asyncio.create_task(channel.send("one"))
    assert await server.until(lambda: server.sent(POST))
    assert server.messages(papers) == []
    go.set()
    await sending
    assert len(server.messages(papers)) == 1


async def test_discord_py_tries_again_after_500_and_not_after_503(
    server: DiscordServer, client: discord.Client, papers: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_: float) -> None:
        pass

    channel = await text(client, papers)
    monkeypatch.setattr("discord.http.asyncio.sleep", at_once)
    server.fault(POST, Fault.status(500), times=2)
    await channel.send("one")
    assert [request.status for request in server.sent(POST)] == [500, 500, 200]
    server.fault(POST, Fault.status(503))
    assert await code_of(channel.send("two")) == (503, 0)


async def test_discord_py_waits_after_429_unless_it_is_cloudflares(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    server.fault(POST, Fault.rate_limited(0.01))
    server.fault(POST, Fault.rate_limited(0.01, "global"))
    server.fault(POST, Fault.rate_limited(0.01, "shared"))
    await channel.send("one")
    assert [request.status for request in server.sent(POST)] == [429, 429, 429, 200]
    assert len(server.invalid) == 2  # a shared limit is not counted
    server.fault(POST, Fault.cloudflare(429))
    assert (await code_of(channel.send("two")))[0] == 429


@pytest.mark.parametrize(
    ("status", "code"), [(403, 50001), (403, 50013), (404, 10003), (400, 50035)]
)
async def test_a_refusal_can_be_asked_for(
    server: DiscordServer, client: discord.Client, papers: Channel, status: int, code: int
) -> None:
    channel = await text(client, papers)
    server.fault(POST, Fault.refused(status, code), skip=1, times=2)
    await channel.send("one")
    assert await code_of(channel.send("two")) == (status, code)
    assert await code_of(channel.send("three")) == (status, code)
    await channel.send("four")


async def test_garbage_and_pages_are_no_json(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    server.fault(POST, Fault.garbage(), when=lambda request: request.body["content"] == "bad")
    await channel.send("good")
    with pytest.raises((ValueError, TypeError)):
        await channel.send("bad")
    server.fault(POST, Fault.cloudflare(403))
    with pytest.raises(discord.Forbidden, match="Cloudflare"):
        await channel.send("one")


async def test_too_many_invalid_requests_are_banned(
    server: DiscordServer, client: discord.Client, papers: Channel, clock: Hands
) -> None:
    channel = await text(client, papers)
    server.banned_after = 2
    server.fault(POST, Fault.refused(403, 50013), times=2)
    for _ in range(2):
        assert (await code_of(channel.send("x")))[0] == 403
    assert (await code_of(channel.send("x")))[0] == 429
    assert "invalid" in {dislike.kind for dislike in server.dislikes}


async def test_unknown_addresses_and_bodies_that_are_no_json(server: DiscordServer, papers: Channel) -> None:  # fmt: skip
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {server.token}"}) as session:
        unknown = await session.get(f"{server.api_url}/nothing")
        assert (unknown.status, (await unknown.json())["code"]) == (404, 0)
        path = f"{server.api_url}/channels/{papers.id}/messages"
        broken = await session.post(path, data="{", headers={"Content-Type": "application/json"})
        assert (broken.status, (await broken.json())["code"]) == (400, 50109)
        anonymous = await session.get(path, headers={"Authorization": "Bot another"})
        assert anonymous.status == 401
        gateway = await session.get(f"{server.api_url}/gateway/bot", headers={"Authorization": ""})
        assert gateway.status == 401


async def test_a_fault_of_the_server_itself_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        async with DiscordServer() as server, aiohttp.ClientSession() as session:
            monkeypatch.setattr(server, "_answer", lambda _: 1 / 0)
            assert (await session.get(f"{server.api_url}/gateway")).status == 500

    with pytest.raises(ZeroDivisionError):
        await broken()
