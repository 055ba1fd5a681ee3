"""Commands and interactions of the local Discord at their edges: deadlines, order, webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import discord
import pytest
from discord.http import Route

from tests import discord_fixtures as fixtures
from tests.discord_server import Callback, Channel, DiscordServer, Exchange, Guild, P, User
from tests.discord_small_bot import Bot, Hands, code_of, running, text

clock, server, lab = fixtures.clock, fixtures.server, fixtures.lab
papers, ann, client = fixtures.papers, fixtures.ann, fixtures.client

CALLBACK = "POST /interactions/{interaction_id}/{interaction_token}/callback"


async def test_registering_the_same_again_is_disliked(server: DiscordServer, lab: Guild) -> None:
    async with running(server) as bot:
        names = {command["name"] for command in server.registered()}
        assert names == {"papers", "papers-admin", "About this paper"}
        ids = {command["id"] for command in server.registered()}
        assert server.dislikes == []
        await bot.tree.sync()
        assert [dislike.kind for dislike in server.dislikes] == ["sync"]
        assert {command["id"] for command in server.registered()} == ids


async def test_commands_of_a_server_need_its_scope(
    server: DiscordServer, client: discord.Client, lab: Guild
) -> None:
    tree = discord.app_commands.CommandTree(client)
    here = discord.Object(int(lab.id))
    tree.add_command(discord.app_commands.Group(name="papers", description="d"), guild=here)
    await tree.sync(guild=here)
    assert [command["name"] for command in server.registered(lab)] == ["papers"]
    lab.commands_scope = False
    assert await code_of(tree.sync(guild=here)) == (403, 50001)


async def test_commands_are_fetched_and_deleted(server: DiscordServer, lab: Guild) -> None:
    async with running(server) as bot:
        found = await bot.tree.fetch_commands()
        assert {command.name for command in found} == {"papers", "papers-admin", "About this paper"}
        admin = next(command for command in found if command.name == "papers-admin")
        assert admin.default_member_permissions == discord.Permissions(manage_channels=True)
        await admin.delete()
        assert await code_of(admin.delete()) == (404, 10063)


async def test_a_command_is_created_replaced_and_changed(
    server: DiscordServer, client: discord.Client
) -> None:
    place = {"application_id": server.bot.id}
    body: dict[str, Any] = {"name": "papers", "description": "d"}

    async def ask(method: str, path: str, **body: Any) -> Any:
        route = Route(method, "/applications/{application_id}/commands" + path, **place)
        return await (client.http.request(route, json=body) if body else client.http.request(route))

    first = await ask("POST", "", **body)
    second = await ask("POST", "", **body | {"description": "e"})
    assert second["id"] == first["id"]
    assert [command["description"] for command in server.registered()] == ["e"]
    await ask("PATCH", f"/{first['id']}", description="f", default_member_permissions="16")
    found = await ask("GET", f"/{first['id']}")
    assert (found["description"], found["default_member_permissions"]) == ("f", "16")
    place["application_id"] = "1"
    assert await code_of(ask("POST", "", **body)) == (403, 20012)


# Interactions, at their edges


@pytest.fixture
async def bot(server: DiscordServer, papers: Channel) -> AsyncIterator[Bot]:
    async with running(server) as bot:
        yield bot


@pytest.fixture
async def asked(server: DiscordServer, papers: Channel, ann: User, bot: Bot) -> Exchange:
    """A command that nobody has answered, so that a test can."""
    server.patience = 0.01
    return await server.slash(ann, papers, "papers silence")


def answer(bot: Bot, asked: Exchange, kind: int, with_response: bool = False, **data: Any) -> Any:
    path = "/interactions/{webhook_id}/{webhook_token}/callback"
    route = Route("POST", path, webhook_id=asked.id, webhook_token=asked.token)
    body = {
        "type": kind,
        "data": data | {"allowed_mentions": {"parse": []}} if kind in (4, 7) else data,
    }
    params = {"with_response": "true"} if with_response else {}
    return bot.http.request(route, json=body, params=params)


def webhook(bot: Bot, server: DiscordServer, asked: Exchange, method: str, tail: str = "", **body: Any) -> Any:  # fmt: skip
    path = "/webhooks/{webhook_id}/{webhook_token}" + tail
    route = Route(method, path, webhook_id=server.bot.id, webhook_token=asked.token)
    if method in ("GET", "DELETE"):
        return bot.http.request(route)
    return bot.http.request(route, json=body | {"allowed_mentions": {"parse": []}})


async def test_the_first_answer_is_due_in_three_seconds(
    server: DiscordServer, bot: Bot, asked: Exchange, clock: Hands
) -> None:
    clock.move(seconds=3.1)
    assert await code_of(answer(bot, asked, 4, content="late")) == (404, 10062)
    assert [dislike.kind for dislike in server.dislikes] == ["late"]
    assert asked.callback is None


async def test_three_seconds_are_enough(server: DiscordServer, bot: Bot, asked: Exchange, clock: Hands) -> None:  # fmt: skip
    clock.move(seconds=3)
    await answer(bot, asked, 4, content="just in time")
    assert asked.answered_after == 3.0


async def test_an_answer_is_given_once(bot: Bot, asked: Exchange) -> None:
    await answer(bot, asked, 4, content="one")
    assert await code_of(answer(bot, asked, 4, content="two")) == (400, 40060)
    assert await code_of(answer(bot, replace(asked, id="1"), 4, content="two")) == (404, 10062)


@pytest.mark.parametrize("kind", [1, 6, 7, 8, 99])
async def test_a_command_takes_only_some_first_answers(bot: Bot, asked: Exchange, kind: int) -> None:  # fmt: skip
    assert await code_of(answer(bot, asked, kind)) == (400, 50035)


async def test_a_form_is_a_first_answer_to_anything_but_a_form(
    server: DiscordServer, bot: Bot, asked: Exchange, ann: User
) -> None:
    field = {"type": 4, "style": 1, "label": "l", "custom_id": "x", "required": False}
    form: dict[str, Any] = {
        "title": "t",
        "custom_id": "c",
        "components": [{"type": 1, "components": [field]}],
    }
    await answer(bot, asked, 9, **form)
    assert asked.modal is not None
    assert await code_of(webhook(bot, server, asked, "GET", "/messages/@original")) == (404, 10008)
    sent = await server.submit(ann, asked.modal)
    assert await code_of(answer(bot, sent, 9, **form)) == (400, 50035)
    await answer(bot, sent, 4, content="thanks")
    other = await server.slash(ann, asked.channel, "papers silence")
    await answer(bot, other, 5)
    assert await code_of(answer(bot, other, 9, **form)) == (400, 40060)


async def test_a_webhook_works_after_the_first_answer_for_fifteen_minutes(
    server: DiscordServer, bot: Bot, asked: Exchange, clock: Hands
) -> None:
    assert await code_of(webhook(bot, server, asked, "POST", content="too soon")) == (404, 10015)
    await answer(bot, asked, 4, content="first")
    clock.move(minutes=15)
    await webhook(bot, server, asked, "POST", content="second")
    await webhook(bot, server, asked, "PATCH", "/messages/@original", content="1st")
    assert asked.text == "1st\nsecond"
    clock.move(seconds=1)
    assert await code_of(webhook(bot, server, asked, "POST", content="third")) == (401, 50027)
    assert await code_of(webhook(bot, server, asked, "PATCH", "/messages/@original", content="x")) == (401, 50027)  # fmt: skip


async def test_answers_are_edited_and_deleted(server: DiscordServer, bot: Bot, asked: Exchange) -> None:  # fmt: skip
    await answer(bot, asked, 5, flags=64)
    assert asked.thinking
    await webhook(bot, server, asked, "PATCH", "/messages/@original", content="here")
    more = await webhook(bot, server, asked, "POST", content="more", flags=64)
    tail = f"/messages/{more['id']}"
    assert (await webhook(bot, server, asked, "GET", tail))["content"] == "more"
    await webhook(bot, server, asked, "PATCH", tail, content="even more")
    assert asked.text == "here\neven more"
    assert asked.private
    await webhook(bot, server, asked, "DELETE", tail)
    await webhook(bot, server, asked, "DELETE", "/messages/@original")
    assert asked.messages == []
    assert await code_of(webhook(bot, server, asked, "GET", tail)) == (404, 10008)


async def test_the_answer_tells_of_the_message_where_it_is_asked(
    server: DiscordServer, bot: Bot, asked: Exchange, ann: User
) -> None:
    told = await answer(bot, asked, 4, with_response=True, content="x")
    assert told["resource"]["message"]["content"] == "x"
    other = await server.slash(ann, asked.channel, "papers silence")
    told = await answer(bot, other, 5, with_response=True, flags=64)
    assert told["interaction"]["response_message_loading"]
    assert told["interaction"]["response_message_ephemeral"]
    third = await server.slash(ann, asked.channel, "papers silence")
    assert not await answer(bot, third, 5)
    assert server.sent(CALLBACK)[-1].status == 204


async def test_private_answers_are_not_in_the_channel(
    server: DiscordServer, bot: Bot, asked: Exchange, papers: Channel
) -> None:
    await answer(bot, asked, 4, content="secret", flags=64)
    channel = await text(bot, papers)
    assert [message async for message in channel.history()] == []
    assert asked.original is not None
    assert await code_of(channel.fetch_message(int(asked.original.id))) == (404, 10008)


async def test_an_answer_needs_no_permission_of_the_bot(
    server: DiscordServer, bot: Bot, asked: Exchange, papers: Channel
) -> None:
    server.overwrite(papers, server.bot, deny=P.VIEW_CHANNEL)
    await answer(bot, asked, 4, embeds=[{"title": "t"}])
    assert asked.text == "t"


async def test_a_component_is_answered_beside_or_in_place(
    server: DiscordServer, bot: Bot, asked: Exchange, ann: User
) -> None:
    button = {"type": 2, "style": 1, "label": "Go", "custom_id": "go"}
    await answer(bot, asked, 4, content="c", components=[{"type": 1, "components": [button]}])
    assert asked.original is not None
    clicked = await server.click(ann, asked.original, "Go")
    await answer(bot, clicked, 6)
    await webhook(bot, server, clicked, "PATCH", "/messages/@original", content="changed")
    assert asked.original.content == "changed"
    clicked = await server.click(ann, asked.original, "Go")
    await answer(bot, clicked, 7, components=[])
    assert asked.original.components == []
    assert clicked.callback is Callback.UPDATE
