"""What the local Discord refuses: each limit is kept at n and broken at n + 1, through discord.py."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord
import pytest
from discord.http import Route

from tests import discord_fixtures as fixtures, discord_rules as rules
from tests.discord_description import DESCRIPTION
from tests.discord_server import Channel, DiscordServer, Guild, Kind, Rates
from tests.discord_small_bot import serving

lab, papers, client = fixtures.lab, fixtures.papers, fixtures.client

Json = dict[str, Any]
V2 = 1 << 15
COMMANDS = "/applications/{application_id}/commands"

described = pytest.mark.skipif(not DESCRIPTION.here, reason="Discord's API description is not here")


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with serving(monkeypatch, rates=Rates.generous()) as server:
        yield server


async def ask(
    client: discord.Client, method: str, path: str, body: Any = None, **params: str
) -> Any:
    route = Route(method, path, **params)
    return await client.http.request(route, json=body) if body is not None else await client.http.request(route)  # fmt: skip


async def refused(server: DiscordServer, asking: Any) -> dict[str, str]:
    """The problems of an answer 400 with 50035, codes by path."""
    with pytest.raises(discord.HTTPException) as raised:
        await asking
    assert (raised.value.status, raised.value.code) == (400, 50035)
    return flat(server.requests[-1].answer["errors"])


def flat(errors: Json, path: str = "") -> dict[str, str]:
    found = {}
    for name, value in errors.items():
        if name == "_errors":
            found[path] = value[0]["code"]
        else:
            found |= flat(value, f"{path}.{name}" if path else name)
    return found


def button(custom_id: str = "x", **more: Any) -> Json:
    return {"type": 2, "style": 1, "label": "Go", "custom_id": custom_id} | more


def link(url: str = "https://arxiv.org", **more: Any) -> Json:
    return {"type": 2, "style": 5, "label": "Go", "url": url} | more


def row(*components: Json) -> Json:
    return {"type": 1, "components": list(components)}


def menu(count: int = 1, **more: Any) -> Json:
    options = [{"label": str(i), "value": str(i)} for i in range(count)]
    return {"type": 3, "custom_id": "menu", "options": options} | more


def option(**more: Any) -> Json:
    return menu(options=[{"label": "a", "value": "a"} | more])


def embed(**more: Any) -> Json:
    return {"embeds": [{"title": "t"} | more]}


def shown(*components: Json) -> Json:
    return {"content": "c", "components": list(components)}


def display(length: int) -> Json:
    return {"type": 10, "content": "x" * length}


LONG = "BASE_TYPE_MAX_LENGTH"
BETWEEN = "BASE_TYPE_BAD_LENGTH"
NEEDED = "BASE_TYPE_REQUIRED"
BUTTON = "components.0.components.0"
OR_ELSE = {LONG} if DESCRIPTION.here else set()  # where the description tells only the most
LIMITS: list[tuple[str, int, Callable[[int], Json], str, str]] = [
    # what, its most, a body with so many, where the problem is, its code
    ("content", 2000, lambda n: {"content": "x" * n}, "content", LONG),
    ("content-counts-characters", 2000, lambda n: {"content": "🤗" * n}, "content", LONG),
    ("nonce", 25, lambda n: {"content": "c", "nonce": "x" * n}, "nonce", LONG),
    ("embeds", 10, lambda n: {"embeds": [{"title": "t"}] * n}, "embeds", LONG),
    ("embed-title", 256, lambda n: embed(title="x" * n), "embeds.0.title", LONG),
    ("embed-description", 4096, lambda n: embed(description="x" * n), "embeds.0.description", LONG),
    ("embed-fields", 25, lambda n: embed(fields=[{"name": "a", "value": "b"}] * n), "embeds.0.fields", LONG),
    ("field-name", 256, lambda n: embed(fields=[{"name": "x" * n, "value": "b"}]), "embeds.0.fields.0.name", LONG),
    ("field-value", 1024, lambda n: embed(fields=[{"name": "a", "value": "x" * n}]), "embeds.0.fields.0.value", LONG),
    ("embed-footer", 2048, lambda n: embed(footer={"text": "x" * n}), "embeds.0.footer.text", LONG),
    ("embed-author", 256, lambda n: embed(author={"name": "x" * n}), "embeds.0.author.name", LONG),
    ("embeds-sum", 6000, lambda n: {"embeds": [{"description": "x" * 4000}, {"description": "x" * (n - 4000)}]}, "embeds", "MAX_EMBED_SIZE_EXCEEDED"),
    ("rows", 5, lambda n: shown(*(row(button(str(i))) for i in range(n))), "components", LONG),
    ("buttons-in-a-row", 5, lambda n: shown(row(*(button(str(i)) for i in range(n)))), "components.0.components", BETWEEN),
    ("custom-id", 100, lambda n: shown(row(button("x" * n))), f"{BUTTON}.custom_id", BETWEEN),
    ("button-label", 80, lambda n: shown(row(button(label="x" * n))), f"{BUTTON}.label", LONG),
    ("button-url", 512, lambda n: shown(row(link("https://a.org/" + "x" * (n - 14)))), f"{BUTTON}.url", LONG),
    ("options", 25, lambda n: shown(row(menu(n))), f"{BUTTON}.options", BETWEEN),
    ("option-label", 100, lambda n: shown(row(option(label="x" * n))), f"{BUTTON}.options.0.label", BETWEEN),
    ("option-value", 100, lambda n: shown(row(option(value="x" * n))), f"{BUTTON}.options.0.value", BETWEEN),
    ("option-description", 100, lambda n: shown(row(option(description="x" * n))), f"{BUTTON}.options.0.description", LONG),
    ("placeholder", 150, lambda n: shown(row(menu(placeholder="x" * n))), f"{BUTTON}.placeholder", LONG),
    ("allowed-users", 100, lambda n: {"content": "c", "allowed_mentions": {"users": list(map(str, range(n)))}}, "allowed_mentions.users", LONG),
    ("v2-components", 40, lambda n: {"flags": V2, "components": [{"type": 17, "components": [display(1)] * (n - 1)}]}, "components", "COMPONENT_LAYOUT_SIZE_EXCEEDED"),
    ("v2-text", 4000, lambda n: {"flags": V2, "components": [display(2000), display(n - 2000)]}, "components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
]  # fmt: skip
WRONG: list[tuple[str, Json, str, str]] = [
    ("no-custom-id", shown(row(button(""))), f"{BUTTON}.custom_id", NEEDED),
    ("no-label", shown(row(button(label=None))), f"{BUTTON}.label", NEEDED),
    ("no-url", shown(row(link(""))), f"{BUTTON}.url", NEEDED),
    ("no-options", shown(row(menu(0))), f"{BUTTON}.options", NEEDED),
    ("empty-row", shown(row()), "components.0.components", NEEDED),
    ("empty-embed", {"embeds": [{"color": 1}]}, "embeds.0.description", NEEDED),
    ("empty-field", embed(fields=[{"name": " ", "value": "b"}]), "embeds.0.fields.0.name", NEEDED),
    ("same-id", shown(row(button("a"), button("a"))), f"{BUTTON}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
    ("same-value", shown(row(menu(options=[{"label": "a", "value": "a"}] * 2))), f"{BUTTON}.options.0.value", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED"),
    ("menu-beside-button", shown(row(menu(), button())), "components.0.components.1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
    ("bare-button", shown(button()), "components.0", "UNION_TYPE_CHOICES"),
    ("too-many-chosen", shown(row(menu(2, max_values=3))), f"{BUTTON}.max_values", BETWEEN),
    ("link-with-id", shown(row(link(custom_id="x"))), BUTTON, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE"),
    ("v2-without-flag", {"components": [display(1)]}, "components.0", "UNION_TYPE_CHOICES"),
    ("v2-with-content", {"flags": V2, "content": "c", "components": [display(1)]}, "content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"),
    ("v2-with-embeds", {"flags": V2, "embeds": [{"title": "t"}], "components": [display(1)]}, "embeds", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"),
    ("parse-and-list", {"content": "c", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE"),
    ("unknown-file", {"content": "c", "attachments": [{"id": "0", "filename": "a"}]}, "attachments.0.id", "ATTACHMENT_NOT_FOUND"),
]  # fmt: skip
DESCRIBED: list[tuple[str, Json, str, str]] = [
    ("bad-url", embed(url="arxiv.org"), "embeds.0.url", "URL_TYPE_INVALID_URL"),
    ("bad-scheme", shown(row(link("javascript:alert(1)"))), f"{BUTTON}.url", "URL_TYPE_INVALID_URL"),
    ("bad-style", shown(row(button(style=9))), f"{BUTTON}.style", "UNION_TYPE_CHOICES"),
    ("bad-type", {"content": 5}, "content", "BASE_TYPE_BAD_TYPE"),
    ("unknown-component", shown({"type": 99}), "components.0", "UNION_TYPE_CHOICES"),
    ("bad-color", embed(color=1 << 24), "embeds.0.color", "NUMBER_TYPE_MAX"),
    ("bad-time", embed(timestamp="today"), "embeds.0.timestamp", "URL_TYPE_INVALID_URL"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("most", "body", "path", "code"), [pytest.param(*rest, id=name) for name, *rest in LIMITS]
)
async def test_a_message_keeps_limits(
    server: DiscordServer, client: discord.Client, papers: Channel,
    most: int, body: Callable[[int], Json], path: str, code: str,
) -> None:  # fmt: skip
    def posting(size: int) -> Any:
        return ask(client, "POST", "/channels/{channel_id}/messages", body(size), channel_id=papers.id)  # fmt: skip

    await posting(most)
    assert (await refused(server, posting(most + 1)))[path] in {code, *OR_ELSE}
    assert len(server.messages(papers)) == 1


@pytest.mark.parametrize(
    ("body", "path", "code"), [pytest.param(*rest, id=name) for name, *rest in WRONG]
)
async def test_a_message_that_is_wrong_is_refused(
    server: DiscordServer, client: discord.Client, papers: Channel, body: Json, path: str, code: str
) -> None:
    posting = ask(client, "POST", "/channels/{channel_id}/messages", body, channel_id=papers.id)
    assert (await refused(server, posting))[path] == code
    assert server.messages(papers) == []


@described
@pytest.mark.parametrize(
    ("body", "path", "code"), [pytest.param(*rest, id=name) for name, *rest in DESCRIBED]
)
async def test_a_message_that_is_not_as_described_is_refused(
    server: DiscordServer, client: discord.Client, papers: Channel, body: Json, path: str, code: str
) -> None:
    posting = ask(client, "POST", "/channels/{channel_id}/messages", body, channel_id=papers.id)
    assert (await refused(server, posting))[path] == code


@pytest.mark.parametrize("body", [{}, {"content": " \n"}, {"embeds": []}, {"content": None}])
async def test_an_empty_message_is_refused(client: discord.Client, papers: Channel, body: Json) -> None:  # fmt: skip
    with pytest.raises(discord.HTTPException) as raised:
        await ask(client, "POST", "/channels/{channel_id}/messages", body, channel_id=papers.id)
    assert (raised.value.status, raised.value.code) == (400, 50006)


async def test_edits_and_forum_posts_keep_the_same_limits(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel
) -> None:
    sent = await ask(client, "POST", "/channels/{channel_id}/messages", {"content": "c"}, channel_id=papers.id)  # fmt: skip
    where = {"channel_id": papers.id, "message_id": sent["id"]}
    path = "/channels/{channel_id}/messages/{message_id}"
    await ask(client, "PATCH", path, {"content": "x" * 2000}, **where)
    assert await refused(server, ask(client, "PATCH", path, {"content": "x" * 2001}, **where)) == {"content": LONG}  # fmt: skip
    with pytest.raises(discord.HTTPException, match="empty message"):
        await ask(client, "PATCH", path, {"content": ""}, **where)

    forum = server.add_channel(lab, "forum", Kind.FORUM)
    post = {"name": "x" * 101, "message": {"content": "x" * 2001}}
    found = await refused(server, ask(client, "POST", "/channels/{channel_id}/threads", post, channel_id=forum.id))  # fmt: skip
    assert "name" in found
    post["name"] = "x" * 100
    found = await refused(server, ask(client, "POST", "/channels/{channel_id}/threads", post, channel_id=forum.id))  # fmt: skip
    assert found == {"message.content": LONG}


async def test_a_message_keeps_its_new_layout(client: discord.Client, papers: Channel) -> None:
    """What has components v2 takes no content afterwards."""
    body = {"flags": V2, "components": [display(1)]}
    sent = await ask(client, "POST", "/channels/{channel_id}/messages", body, channel_id=papers.id)
    with pytest.raises(discord.HTTPException, match="IS_COMPONENTS_V2"):
        await ask(
            client, "PATCH", "/channels/{channel_id}/messages/{message_id}", {"content": "c"},
            channel_id=papers.id, message_id=sent["id"],
        )  # fmt: skip


async def test_a_heavy_message_is_checked_in_milliseconds() -> None:
    fields = [{"name": "a", "value": "b"}] * 25
    body = shown(*(row(*(button(f"{i}{j}") for i in range(5))) for j in range(5)))
    body["embeds"] = [{"title": "t", "fields": fields}] * 10
    route = "POST /channels/{channel_id}/messages"
    assert list(DESCRIPTION.problems(route, body)) == []
    started = time.perf_counter()
    for _ in range(5):
        assert list(DESCRIPTION.problems(route, body)) == []
    assert time.perf_counter() - started < 0.5


# Commands


def command(name: str = "papers", **more: Any) -> Json:
    return {"name": name, "description": "d", "type": 1} | more


def argument(name: str = "query", **more: Any) -> Json:
    return {"type": 3, "name": name, "description": "d"} | more


def many(count: int, **more: Any) -> list[Json]:
    return [argument(f"o{i}") | more for i in range(count)]


def choices(count: int) -> list[Json]:
    return [{"name": f"c{i}", "value": "v"} for i in range(count)]


def big(size: int) -> Json:
    """A command of so many characters: 20 options, whose choices make the most of it."""
    options = [
        argument(f"o{i:02}", choices=[{"name": "x" * 100, "value": "y" * 100}]) for i in range(39)
    ]
    made = command("big", options=[{"type": 1, "name": "a", "description": "d", "options": options[:20]}, {"type": 1, "name": "b", "description": "d", "options": options[20:]}])  # fmt: skip
    rest = size - rules.command_size(made)
    for item in options:
        take = min(rest, 99)
        item["description"] += "x" * take
        rest -= take
    assert rest == 0
    return made


COMMAND_LIMITS: list[tuple[str, int, Callable[[int], Json], str]] = [
    ("name", 32, lambda n: command("x" * n), "name"),
    ("description", 100, lambda n: command(description="x" * n), "description"),
    ("options", 25, lambda n: command(options=many(n)), "options"),
    ("option-name", 32, lambda n: command(options=[argument("x" * n)]), "options.0.name"),
    ("option-description", 100, lambda n: command(options=[argument(description="x" * n)]), "options.0.description"),
    ("choices", 25, lambda n: command(options=[argument(choices=choices(n))]), "options.0.choices"),
    ("choice-name", 100, lambda n: command(options=[argument(choices=[{"name": "x" * n, "value": "v"}])]), "options.0.choices.0.name"),
    ("choice-value", 100, lambda n: command(options=[argument(choices=[{"name": "n", "value": "x" * n}])]), "options.0.choices.0.value"),
    ("all-characters", 8000, big, ""),
]  # fmt: skip
COMMAND_WRONG: list[tuple[str, Json, str, str]] = [
    ("upper-case", command("Papers"), "name", "APPLICATION_COMMAND_INVALID_NAME"),
    ("blank-in-name", command("a b"), "name", "APPLICATION_COMMAND_INVALID_NAME"),
    ("no-description", command(description=""), "description", NEEDED),
    ("required-last", command(options=[argument("a"), argument("b", required=True)]), "options.1", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"),
    ("same-option", command(options=[argument(), argument()]), "options.0", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"),
    ("mixed", command(options=[argument(), {"type": 1, "name": "sub", "description": "d"}]), "options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"),
    ("choices-and-completion", command(options=[argument(choices=choices(1), autocomplete=True)]), "options.0", "APPLICATION_COMMAND_AUTOCOMPLETE_WITH_CHOICES"),
    ("menu-with-description", {"name": "About", "type": 3, "description": "d"}, "description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION"),
    ("menu-with-options", {"name": "About", "type": 3, "options": [argument()]}, "options", "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("most", "body", "path"), [pytest.param(*rest, id=name) for name, *rest in COMMAND_LIMITS]
)
async def test_a_command_keeps_limits(
    server: DiscordServer, client: discord.Client,
    most: int, body: Callable[[int], Json], path: str,
) -> None:  # fmt: skip
    place = {"application_id": server.bot.id}
    await ask(client, "POST", COMMANDS, body(most), **place)
    found = await refused(server, ask(client, "POST", COMMANDS, body(most + 1), **place))
    assert path in found
    assert len(server.registered()) == 1


@pytest.mark.parametrize(
    ("body", "path", "code"), [pytest.param(*rest, id=name) for name, *rest in COMMAND_WRONG]
)
async def test_a_command_that_is_wrong_is_refused(
    server: DiscordServer, client: discord.Client, body: Json, path: str, code: str
) -> None:
    asking = ask(client, "POST", COMMANDS, body, application_id=server.bot.id)
    assert (await refused(server, asking))[path] == code


async def test_sub_commands_are_nested_twice_at_most(server: DiscordServer, client: discord.Client) -> None:  # fmt: skip
    def nested(*kinds: int) -> Any:
        options: list[Json] = []
        for kind in reversed(kinds):
            options = [{"type": kind, "name": "a", "description": "d", "options": options}]
        body = command(options=options)
        return ask(client, "POST", COMMANDS, body, application_id=server.bot.id)

    await nested(2, 1)
    for deep in ((2, 2), (1, 1), (1, 2), (2, 1, 1)):
        assert await refused(server, nested(*deep))


@pytest.mark.parametrize("name", ["papers-admin", "größe", "論文", "a_b'c"])
async def test_names_of_all_scripts_are_taken(server: DiscordServer, client: discord.Client, name: str) -> None:  # fmt: skip
    await ask(client, "POST", COMMANDS, command(name), application_id=server.bot.id)


async def test_commands_are_counted_by_kind(server: DiscordServer, client: discord.Client) -> None:
    def replace(**counts: int) -> Any:
        kinds = {"slash": 1, "person": 2, "message": 3}
        body = [
            {"name": f"c{i}", "type": kinds[kind], "description": "d" if kind == "slash" else ""}
            for kind, count in counts.items()
            for i in range(count)
        ]
        return ask(client, "PUT", COMMANDS, body, application_id=server.bot.id)

    await replace(slash=100, person=15, message=15)
    for more in ({"slash": 101}, {"person": 16}, {"message": 16}):
        with pytest.raises(discord.HTTPException) as raised:
            await replace(**more)
        assert raised.value.code == 30032
    assert len(server.registered()) == 130


async def test_a_list_names_each_command_once(
    server: DiscordServer, client: discord.Client
) -> None:
    asking = ask(client, "PUT", COMMANDS, [command(), command()], application_id=server.bot.id)
    assert "1.name" in await refused(server, asking)


async def test_two_hundred_commands_a_day_can_be_created(server: DiscordServer, client: discord.Client) -> None:  # fmt: skip
    """Known names are updates and cost nothing."""
    for start in (0, 100):
        body = [command(f"c{start + i}") for i in range(100)]
        await ask(client, "PUT", COMMANDS, body, application_id=server.bot.id)
    await ask(client, "PUT", COMMANDS, [command("c199")], application_id=server.bot.id)
    with pytest.raises(discord.HTTPException) as raised:
        await ask(client, "POST", COMMANDS, command("one-more"), application_id=server.bot.id)
    assert (raised.value.status, raised.value.code) == (400, 30034)


# Forms and choices


@pytest.mark.parametrize(
    ("most", "data", "path"),
    [
        pytest.param(45, lambda n: {"title": "x" * n}, "data.title", id="title"),
        pytest.param(100, lambda n: {"custom_id": "x" * n}, "data.custom_id", id="custom-id"),
        pytest.param(5, lambda n: {"components": [row(_input(str(i))) for i in range(n)]}, "data.components", id="fields"),
        pytest.param(45, lambda n: {"components": [row(_input(label="x" * n))]}, "data.components.0.components.0.label", id="label"),
        pytest.param(4000, lambda n: {"components": [row(_input(value="x" * n))]}, "data.components.0.components.0.value", id="value"),
        pytest.param(100, lambda n: {"components": [row(_input(placeholder="x" * n))]}, "data.components.0.components.0.placeholder", id="placeholder"),
        pytest.param(45, lambda n: {"components": [{"type": 18, "label": "x" * n, "component": _input(label=None)}]}, "data.components.0.label", id="label-around"),
        pytest.param(100, lambda n: {"components": [{"type": 18, "label": "l", "description": "x" * n, "component": _input(label=None)}]}, "data.components.0.description", id="description"),
        pytest.param(100, lambda n: {"components": [{"type": 18, "label": "l", "component": _input("x" * n, label=None)}]}, "data.components.0.component.custom_id", id="inner-id"),
    ],
)  # fmt: skip
def test_a_form_keeps_limits(most: int, data: Callable[[int], Json], path: str) -> None:
    def problems(size: int) -> set[str]:
        form = {"title": "t", "custom_id": "c", "components": [row(_input())]} | data(size)
        route = "POST /interactions/{interaction_id}/{interaction_token}/callback"
        found = [
            *rules.modal_problems(form),
            *DESCRIPTION.problems(route, {"type": 9, "data": form}),
        ]
        return {".".join(map(str, where)) for where, _, _ in found}

    assert problems(most) == set()
    assert path in problems(most + 1)


def _input(custom_id: str = "x", **more: Any) -> Json:
    return {"type": 4, "style": 1, "label": "l", "custom_id": custom_id} | more


def test_choices_of_a_completion_keep_limits() -> None:
    def problems(**more: Any) -> list[rules.Problem]:
        return list(rules.choice_problems([{"name": "n", "value": "v"} | more], ()))

    assert list(rules.choice_problems(choices(25), ())) == []
    assert list(rules.choice_problems(choices(26), ()))
    assert problems(name="x" * 100, value="x" * 100) == []
    assert problems(name="x" * 101)
    assert problems(value="x" * 101)
    assert problems(name="")
