"""The gateway of the local Discord, with discord.py's client at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest
from discord.backoff import ExponentialBackoff

from tests import discord_fixtures as fixtures
from tests.discord_gateway import SENDS, Phase
from tests.discord_server import Channel, DiscordServer, Guild, Kind, P, User
from tests.discord_small_bot import GUILDS, Bot, running, serving

lab, papers, ann = fixtures.lab, fixtures.papers, fixtures.ann


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with serving(monkeypatch) as server:
        yield server


async def test_a_client_logs_in_and_knows_its_servers(
    server: DiscordServer, papers: Channel
) -> None:
    other = server.add_guild("Other")
    forum = server.add_channel(other, "forum", Kind.FORUM, tags=["agents"])
    thread = server.add_thread(papers, "a thread", by=server.add_user("bob"))

    async with running(server) as bot:
        assert {guild.name for guild in bot.guilds} == {"Lab", "Other"}
        assert bot.user is not None
        assert str(bot.user.id) == server.bot.id
        found = bot.get_channel(int(forum.id))
        assert isinstance(found, discord.ForumChannel)
        assert [tag.name for tag in found.available_tags] == ["agents"]
        guild = bot.get_guild(int(other.id))
        assert guild is not None
        assert guild.me.guild_permissions.send_messages
        assert bot.get_channel(int(thread.id)) is not None

    assert server.gateway.identified[0].intents == GUILDS.value
    assert server.dislikes == []


async def test_changes_reach_the_client_in_order(server: DiscordServer, lab: Guild, papers: Channel) -> None:  # fmt: skip
    async with running(server) as bot:
        guild = bot.get_guild(int(lab.id))
        assert guild is not None
        new = server.add_channel(lab, "new")
        server.change_channel(new, name="newer")
        role = server.add_role(lab, "readers", P.MANAGE_MESSAGES)
        server.set_roles(lab, server.bot, role)
        server.overwrite(papers, server.bot, deny=P.SEND_MESSAGES)
        thread = server.add_thread(papers, "today")
        server.change_channel(thread, name="tonight")
        server.delete_channel(thread)
        server.delete_channel(new)
        server.rename_guild(lab, "Laboratory")
        await bot.saw("guild_channel_delete", "guild_update", "thread_delete")

        kinds = ("guild_", "thread_", "member_")
        named = [name for name, _ in bot.events if name.startswith(kinds) and "raw" not in name]
        assert named[1:] == [
            "guild_channel_create", "guild_channel_update", "guild_role_create", "member_update",
            "guild_channel_update", "thread_create", "thread_update", "thread_delete",
            "guild_channel_delete", "guild_update",
        ]  # fmt: skip
        assert guild.me.guild_permissions.manage_messages
        channel = bot.get_channel(int(papers.id))
        assert isinstance(channel, discord.TextChannel)
        assert not channel.permissions_for(guild.me).send_messages


async def test_a_bot_is_kicked_and_invited_again(server: DiscordServer, lab: Guild) -> None:
    async with running(server) as bot:
        server.kick(lab)
        await bot.saw("guild_remove")
        assert len(bot.guilds) == 0
        server.invite(lab)
        await bot.saw("guild_join")
        assert [guild.name for guild in bot.guilds] == ["Lab"]


async def test_an_outage_is_no_kick(server: DiscordServer, lab: Guild) -> None:
    async with running(server) as bot:
        server.outage(lab)
        await bot.saw("guild_unavailable")
        assert bot.guilds[0].unavailable
        server.end_outage(lab)
        await bot.saw("guild_available", times=2)
        assert not bot.guilds[0].unavailable


async def test_threads_are_told_when_the_bot_gains_access(server: DiscordServer, lab: Guild, papers: Channel) -> None:  # fmt: skip
    server.overwrite(papers, server.bot, deny=P.VIEW_CHANNEL)
    thread = server.add_thread(papers, "hidden", by=lab.owner)
    async with running(server) as bot:
        assert bot.get_channel(int(thread.id)) is None
        server.overwrite(papers, server.bot, allow=P.VIEW_CHANNEL)
        await bot.saw("thread_join")
        assert bot.get_channel(int(thread.id)) is not None


async def test_of_a_channel_that_the_bot_does_not_see_it_is_told_next_to_nothing(
    server: DiscordServer, lab: Guild, papers: Channel
) -> None:
    forum = server.add_channel(lab, "secrets", Kind.FORUM, tags=["agents"], topic="hush")
    server.overwrite(forum, lab.everyone, deny=P.VIEW_CHANNEL)
    insiders = server.add_role(lab, "insiders")
    server.overwrite(forum, insiders, allow=P.VIEW_CHANNEL)

    async with running(server) as bot:
        hidden = bot.get_channel(int(forum.id))
        assert isinstance(hidden, discord.ForumChannel)
        assert (hidden.name, hidden.topic) == ("___hidden___", None)
        assert list(hidden.available_tags) == []
        assert not hidden.permissions_for(hidden.guild.me).view_channel
        server.set_roles(lab, server.bot, insiders)
        await bot.saw("guild_channel_update")
        assert hidden.name == "secrets"
        assert hidden.permissions_for(hidden.guild.me).view_channel


async def test_what_was_missed_is_replayed_once_in_order(server: DiscordServer, lab: Guild) -> None:
    async with running(server) as bot:
        before = server.gateway.identified[:]
        server.gateway.drop()
        for name in ("one", "two", "three"):
            server.add_channel(lab, name)
        await bot.saw("resumed")
        assert [channel.name for channel in bot.told("guild_channel_create")] == [
            "one",
            "two",
            "three",
        ]
        assert server.gateway.identified == before
        assert server.gateway.opened == ["/", "/resume"]


@pytest.mark.parametrize("code", [1001, 4000, 4008])
async def test_a_session_outlives_a_close_by_discord(server: DiscordServer, lab: Guild, code: int) -> None:  # fmt: skip
    async with running(server) as bot:
        server.gateway.drop(code)
        await bot.saw("resumed")
        assert len(server.gateway.identified) == 1


async def test_a_session_that_timed_out_begins_anew(server: DiscordServer, lab: Guild) -> None:
    async with running(server) as bot:
        server.gateway.drop(4009)
        await bot.saw("ready", times=2)


@pytest.mark.parametrize("phase", ["connect", "hello", "identify", "ready"])
async def test_a_client_comes_back_after_breaks(
    server: DiscordServer, lab: Guild, phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay", lambda _: 0.0)
    async with running(server) as bot:
        if phase == "identify":
            server.gateway.forget()
        server.gateway.drop_at(phase)
        server.gateway.drop()
        server.add_channel(lab, "meanwhile")
        assert await server.until(lambda: len(server.gateway.opened) >= 3 and server.gateway.ready)
        if phase == "identify":  # a new session
            await bot.saw("ready", times=2)
        else:
            await bot.saw("guild_channel_create")
        (guild,) = bot.guilds
        assert [channel.name for channel in guild.channels] == ["meanwhile"]


@pytest.mark.parametrize("phase", ["hello", "identify", "ready"])
async def test_a_client_survives_a_break_of_its_first_connection(
    server: DiscordServer, lab: Guild, phase: Phase
) -> None:
    server.gateway.drop_at(phase)
    async with running(server) as bot:
        assert [guild.name for guild in bot.guilds] == ["Lab"]
    assert len(server.gateway.opened) >= 2


async def test_discord_py_dies_when_its_first_connection_breaks_before_hello(
    server: DiscordServer,
) -> None:
    """It looks for the sequence of a session that it never had: who uses it must start it again."""
    server.gateway.drop_at("connect")
    bot = Bot()
    with pytest.raises(AttributeError, match="sequence"):
        await bot.start(server.token)
    await bot.close()


async def test_reconnect_resumes_at_the_address_that_ready_told(server: DiscordServer, lab: Guild) -> None:  # fmt: skip
    async with running(server) as bot:
        server.gateway.reconnect()
        await bot.saw("resumed")
        assert server.gateway.opened == ["/", "/resume"]
        assert len(server.gateway.identified) == 1


async def test_an_invalid_session_is_resumed_or_begun_anew(
    server: DiscordServer, lab: Guild
) -> None:
    async with running(server) as bot:
        server.gateway.invalidate(resumable=True)
        await bot.saw("resumed")
        assert len(server.gateway.identified) == 1

        server.gateway.invalidate(resumable=False)
        assert await server.until(lambda: len(server.gateway.identified) == 2)
        assert await server.until(lambda: server.gateway.ready)


async def test_a_forgotten_session_begins_anew(server: DiscordServer, lab: Guild) -> None:
    async with running(server):
        server.gateway.forget()
        server.gateway.drop()
        assert await server.until(lambda: len(server.gateway.identified) == 2)
        assert len(server.gateway.resumed) == 1


async def test_a_silent_connection_is_left(server: DiscordServer, lab: Guild) -> None:
    server.gateway.heartbeat_interval = 0.02
    async with running(server, Bot(heartbeat_timeout=0.1)) as bot:
        server.gateway.zombie()
        server.add_channel(lab, "meanwhile")
        await bot.saw("resumed", "guild_channel_create")
        assert server.gateway.heartbeats


async def test_heartbeats_come_when_asked(server: DiscordServer) -> None:
    async with running(server):
        count = len(server.gateway.heartbeats)
        server.gateway.ask_heartbeat()
        assert await server.until(lambda: len(server.gateway.heartbeats) > count)


async def test_a_bad_token_ends_the_client(server: DiscordServer) -> None:
    bot = Bot()
    with pytest.raises(discord.LoginFailure):
        await bot.start("another")
    await bot.close()


@pytest.mark.parametrize(
    ("intents", "code"),
    [(GUILDS.value | 1 << 1, 4014), (GUILDS.value | 1 << 15, 4014), (1 << 30, 4013)],
)
async def test_intents_that_are_not_granted_end_the_client(server: DiscordServer, intents: int, code: int) -> None:  # fmt: skip
    bot = Bot(intents=discord.Intents._from_value(intents))
    wanted = discord.PrivilegedIntentsRequired if code == 4014 else discord.ConnectionClosed
    with pytest.raises(wanted):
        await bot.start(server.token)
    await bot.close()


async def test_granted_intents_are_taken(server: DiscordServer, papers: Channel, ann: User) -> None:
    server.gateway.allowed_intents |= 1 << 15
    asked = discord.Intents(guilds=True, guild_messages=True, message_content=True)
    async with running(server, Bot(intents=asked)) as bot:
        server.write(ann, papers, "hello")
        await bot.saw("message")
        assert [message.content for message in bot.told("message")] == ["hello"]


async def test_without_the_content_intent_messages_are_blank_but_mentions(server: DiscordServer, papers: Channel, ann: User) -> None:  # fmt: skip
    async with running(
        server, Bot(intents=discord.Intents(guilds=True, guild_messages=True))
    ) as bot:
        server.write(ann, papers, "hello")
        server.write(ann, papers, f"{server.bot.mention} hello")
        await bot.saw("message", times=2)
        assert [message.content for message in bot.told("message")] == [
            "",
            f"{server.bot.mention} hello",
        ]


async def test_members_are_asked_for_by_name(server: DiscordServer, lab: Guild, ann: User) -> None:
    server.join(lab, server.add_user("bob"))
    async with running(server) as bot:
        (guild,) = bot.guilds
        assert [member.name for member in await guild.query_members("an")] == ["ann"]
        found = await guild.query_members(user_ids=[int(ann.id)])
        assert [member.name for member in found] == ["ann"]


async def test_joins_are_told_with_the_members_intent(server: DiscordServer, lab: Guild) -> None:
    server.gateway.allowed_intents |= 1 << 1
    asked = discord.Intents(guilds=True, members=True)
    async with running(server, Bot(intents=asked, chunk_guilds_at_startup=False)) as bot:
        bob = server.add_user("bob")
        server.join(lab, bob)
        server.leave(lab, bob)
        await bot.saw("member_join", "member_remove")


async def test_roles_and_deletions_are_told(server: DiscordServer, lab: Guild, papers: Channel, ann: User) -> None:  # fmt: skip
    asked = discord.Intents(guilds=True, guild_messages=True)
    async with running(server, Bot(intents=asked)) as bot:
        role = server.add_role(lab, "readers")
        server.set_roles(lab, ann, role)
        server.delete_role(lab, role)
        server.delete_message(server.write(ann, papers, "hello"))
        await bot.saw("guild_role_delete", "message_delete")
        assert lab.members[ann.id].roles == []


async def test_shards_hear_of_their_own_servers(server: DiscordServer, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    server.gateway.shards = 2
    server.gateway.max_concurrency = 2
    guilds = [server.add_guild(f"guild {n}") for n in range(4)]
    for n, guild in enumerate(guilds):  # ids of one millisecond would fall on one shard
        server.guilds.pop(guild.id)
        guild.roles[str(n << 22)] = guild.roles.pop(guild.id)
        guild.id = guild.roles[str(n << 22)].id = str(n << 22)
        server.guilds[guild.id] = guild

    class Sharded(Bot, discord.AutoShardedClient):
        pass

    async with running(server, Sharded()) as bot:
        assert {identified.shard for identified in server.gateway.identified} == {(0, 2), (1, 2)}
        assert {guild.shard_id for guild in bot.guilds} == {0, 1}
        assert len(bot.guilds) == 4
        told = [
            [text for _, text in session.events] for session in server.gateway.sessions.values()
        ]
        assert [sum("GUILD_CREATE" in text for text in texts) for texts in told] == [2, 2]


async def test_a_quick_second_identify_is_disliked(server: DiscordServer) -> None:
    server.gateway.pace = 5.0
    async with running(server):
        pass
    assert server.dislikes == []
    async with running(server):
        assert "identify" in {dislike.kind for dislike in server.dislikes}


# What discord.py never does


async def hello(session: aiohttp.ClientSession, server: DiscordServer, query: str = "v=10&encoding=json") -> aiohttp.ClientWebSocketResponse:  # fmt: skip
    return await session.ws_connect(f"{server.gateway_url}/?{query}")


async def closed_with(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(5):
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    assert message.type is aiohttp.WSMsgType.CLOSE
    return socket.close_code


IDENTIFY = '{"op": 2, "d": {"token": "the.bots.token", "intents": 1}}'


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(["nonsense"], 4002, id="no-json"),
        pytest.param(['{"op": 3, "d": {}}'], 4003, id="before-identify"),
        pytest.param([IDENTIFY.replace("the.bots.token", "x")], 4004, id="token"),
        pytest.param([IDENTIFY.replace("1}", '1, "shard": [2, 2]}')], 4010, id="shard"),
        pytest.param([IDENTIFY] * 2, 4005, id="twice"),
        pytest.param([IDENTIFY, '{"op": 99}'], 4001, id="opcode"),
        pytest.param(['{"op": 1, "d": null, "x": "' + "x" * 4096 + '"}'], 4002, id="too-long"),
        pytest.param(['{"op": 1, "d": null}'] * (SENDS + 1), 4008, id="too-many"),
    ],
)
async def test_a_rude_client_is_closed(server: DiscordServer, sent: list[str], code: int) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await hello(session, server)
        for text in sent:
            await socket.send_str(text)
        assert await closed_with(socket) == code
        await socket.close()


async def test_only_version_ten_in_json_is_spoken(server: DiscordServer) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await hello(session, server, "v=9&encoding=json")
        assert await closed_with(socket) == 4012
        await socket.close()


async def test_a_sequence_from_the_future_is_refused(server: DiscordServer) -> None:
    async with running(server):
        (name,) = server.gateway.sessions
        async with aiohttp.ClientSession() as session:
            socket = await hello(session, server)
            resume = f'{{"op": 6, "d": {{"token": "{server.token}", "session_id": "{name}", "seq": 999}}}}'
            await socket.send_str(resume)
            assert await closed_with(socket) == 4007
            await socket.close()
