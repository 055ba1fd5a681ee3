"""A small bot to try the local Discord with: discord.py's own client and command tree."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.discord_description import DESCRIPTION
from tests.discord_server import Channel, DiscordServer

GUILDS = discord.Intents(guilds=True)


class Form(discord.ui.Modal, title="A form"):
    name: discord.ui.TextInput[Form] = discord.ui.TextInput(
        label="Name", custom_id="name", min_length=2, max_length=5
    )
    note: discord.ui.TextInput[Form] = discord.ui.TextInput(
        label="Note", custom_id="note", required=False, default="none"
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"{self.name}, {self.note}", ephemeral=True)


class Buttons(discord.ui.View):
    """Lives for ever, as buttons of posts must."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Form", custom_id="form")
    async def form(self, interaction: discord.Interaction, _: discord.ui.Button[Buttons]) -> None:
        await interaction.response.send_modal(Form())

    @discord.ui.button(label="Private", custom_id="private")
    async def private(
        self, interaction: discord.Interaction, _: discord.ui.Button[Buttons]
    ) -> None:
        await interaction.response.send_message("only you", ephemeral=True)

    @discord.ui.button(label="Change", custom_id="change")
    async def change(self, interaction: discord.Interaction, _: discord.ui.Button[Buttons]) -> None:
        await interaction.response.edit_message(content="changed")

    @discord.ui.select(
        placeholder="Which",
        custom_id="which",
        options=[discord.SelectOption(label="One", value="1")],
    )
    async def which(
        self, interaction: discord.Interaction, menu: discord.ui.Select[Buttons]
    ) -> None:
        await interaction.response.send_message(f"chose {menu.values[0]}", ephemeral=True)


papers = app_commands.Group(name="papers", description="Papers")


@papers.command(description="Search")
async def search(
    interaction: discord.Interaction,
    query: app_commands.Range[str, 2, 20],
    limit: app_commands.Range[int, 1, 10] = 3,
    where: discord.TextChannel | None = None,
    who: discord.Member | None = None,
    list_file: discord.Attachment | None = None,
) -> None:
    await interaction.response.defer(ephemeral=True)
    content = (await list_file.read()).decode() if list_file else ""
    said = f"{query} {limit} {where or '-'} {who.name if who else '-'} {content}".strip()
    await interaction.edit_original_response(content=said, view=Buttons())


@search.autocomplete("query")
async def complete(_: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=f"{typed}!", value=typed)]


@papers.command(description="Say it, then more of it")
async def twice(interaction: discord.Interaction) -> None:
    file = discord.File(io.BytesIO(b"abc"), "a.txt")
    await interaction.response.send_message("once", file=file)
    await interaction.followup.send("twice")


@papers.command(description="Think, and say it in a follow-up")
async def late(interaction: discord.Interaction) -> None:
    await interaction.response.defer(ephemeral=True, thinking=True)
    await interaction.followup.send("at last")


@papers.command(description="Forget to answer")
async def silence(interaction: discord.Interaction) -> None:
    pass


@app_commands.command(name="papers-admin", description="For those who manage channels")
@app_commands.default_permissions(manage_channels=True)
@app_commands.guild_only()
async def admin(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("managed", ephemeral=True)


@app_commands.context_menu(name="About this paper")
async def about(interaction: discord.Interaction, message: discord.Message) -> None:
    await interaction.response.send_message(f"about {message.content}", ephemeral=True)


class Bot(discord.Client):
    def __init__(self, *, intents: discord.Intents = GUILDS, **options: Any) -> None:
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.01,
            **options,
        )
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self._dispatched = asyncio.Event()
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(papers)
        self.tree.add_command(admin)
        self.tree.add_command(about)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Discord.py's own waits 5 s."""

    async def setup_hook(self) -> None:
        self.add_view(Buttons())
        await self.tree.sync()

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.events.append((event, args))
        self._dispatched.set()
        super().dispatch(event, *args, **kwargs)

    def told(self, event: str) -> list[Any]:
        """What came with each of these events, the first thing of it."""
        return [args[0] if args else None for name, args in self.events if name == event]

    async def saw(self, *events: str, times: int = 1) -> None:
        """Wait until the client has dispatched all of these."""
        async with asyncio.timeout(5):
            while any(len(self.told(event)) < times for event in events):
                self._dispatched.clear()
                await self._dispatched.wait()


@contextlib.asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, **options: Any) -> AsyncIterator[DiscordServer]:
    """A server that discord.py finds; in the end its answers are compared with the description."""
    async with DiscordServer(**options) as server:
        monkeypatch.setattr(Route, "BASE", server.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        server.gateway.pace = 0.0  # tests start bots quicker than Discord likes
        yield server
    faults = [
        fault
        for r in server.requests
        if not isinstance(r.answer, str)  # a page in place of an answer
        for fault in DESCRIPTION.faults_of_answer(r.route, r.status, r.answer)
    ]
    assert not faults, faults


@contextlib.asynccontextmanager
async def logged_in(server: DiscordServer) -> AsyncIterator[discord.Client]:
    """A client without a gateway."""
    client = discord.Client(intents=GUILDS, allowed_mentions=discord.AllowedMentions.none())
    await client.login(server.token)
    yield client
    await client.close()


@contextlib.asynccontextmanager
async def running(server: DiscordServer, bot: Bot | None = None) -> AsyncIterator[Bot]:
    """A bot that is connected."""
    bot = bot or Bot()
    task = asyncio.create_task(bot.start(server.token))
    try:
        async with asyncio.timeout(10):
            await server.ready()
            await bot.wait_until_ready()
        yield bot
    finally:
        await bot.close()
        await task


async def text(client: discord.Client, channel: Channel) -> discord.TextChannel:
    found = await client.fetch_channel(int(channel.id))
    assert isinstance(found, discord.TextChannel)
    return found


async def code_of(asking: Awaitable[Any]) -> tuple[int, int]:
    """Status and code of a refusal."""
    with pytest.raises(discord.HTTPException) as raised:
        await asking
    return raised.value.status, raised.value.code


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)
