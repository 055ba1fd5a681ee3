"""The bot on Discord: its connection, kept up, and all that hangs on it.

One client at a time; discord.py resumes and reconnects by itself, and where it gives up a new client
begins. It asks for the Guilds intent alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any

import discord

from adapters.discord import addresses
from adapters.discord.callers import Interaction
from adapters.discord.commands import Commands, tree
from adapters.discord.completion import Completion
from adapters.discord.core import Core
from adapters.discord.guilds import Guilds
from adapters.discord.permissions import invite_link
from adapters.discord.publisher import DiscordPublisher
from adapters.discord.registration import Registration, described
from adapters.discord.replies import Replies
from adapters.discord.rest import Refused, Rest
from adapters.discord.servers import Servers
from adapters.discord.surfaces import FORM, Surfaces, pressed
from bot.errors import Later, PaperboyError, Unknown
from bot.flood import Flood
from bot.ports import Clock, Sleep

log = logging.getLogger(__name__)
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # the bot has no voice

WAITS = (5.0, 10.0, 20.0, 40.0, 60.0)  # seconds between clients; IDENTIFYs are 5 s apart at least
SPARE = 10  # IDENTIFYs of a day that are left for a person; at 1,000 Discord resets the token
ANSWERING = 5.0  # seconds that answers have when the program ends
UNAUTHENTICATED, NO_SUCH_VERSION, NO_SUCH_INTENTS = 4004, 4012, 4013  # 4014 has its own error


class DiscordPlatform:
    """Made of settings alone; ``start`` gives it the core.

    *load_hash* and *save_hash* keep a line of text, by which commands are registered only where
    they have changed; *server* is the one to try them out in.
    """

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        gateway_url: str,
        server: str | None,
        clock: Clock,
        sleep: Sleep,
        load_hash: Callable[[], str],
        save_hash: Callable[[str], None],
        heartbeat_timeout: float = 60.0,
        ready_timeout: float = 2.0,
        register_again: float = 60.0,
    ) -> None:
        self._token = token
        self._addresses = api_url, gateway_url
        self._clock = clock
        self._sleep = sleep
        self._timeouts = heartbeat_timeout, ready_timeout
        self._register_again = register_again
        self._rest = Rest(api_url, token, clock)
        self._registration = Registration(self._rest, server, load_hash, save_hash)
        self._completion = Completion(self._running, clock)
        replies = Replies(self._rest, sleep)
        self._surfaces = Surfaces(self._running, replies, self._completion, Flood(clock))
        self._guilds = Guilds(self._running, clock)
        self._core: Core | None = None
        self._client: discord.Client | None = None  # the one that connects or is connected
        self._known: discord.Client | None = None  # the last one that was ready
        self._task: asyncio.Task[None] | None = None
        self._registering: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.connected = asyncio.Event()  # once, and from then on
        self.publisher = DiscordPublisher(self._rest, Servers(lambda: self._known), sleep)

    def _running(self) -> Core:
        if self._core is None:
            raise RuntimeError("the platform has not been started")
        return self._core

    def served(self) -> Collection[str] | None:
        """All servers (None), but none before they are known."""
        return None if self._known else ()

    async def sync(self) -> bool:
        """Register the commands, where they have changed. Needs no connection and no ``start``."""
        try:
            application = await self._rest.request("GET", "/applications/@me")
        except Refused as refused:
            raise _turned_away(refused) from refused
        made = tree(discord.Client(intents=_intents()), self._surfaces, self._completion)
        return await self._registration.register(await described(made), application["id"])

    async def start(self, core: Core) -> None:
        """Go and connect, for as long as it takes. A wrong token raises PaperboyError at once."""
        self._core = core
        addresses.apply(*self._addresses)
        try:
            await self._gateway()
        except (Later, Unknown) as error:
            log.warning("Discord cannot be reached yet: %s", error)
        self._task = asyncio.create_task(self._keep_connected(), name="discord")

    async def wait(self) -> None:
        """Until it has ended. Raises PaperboyError where Discord has turned the bot away for good."""
        if self._task:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    async def stop(self) -> None:
        """Take no more questions, and finish the answers to those that there are.

        Posts can still go.
        """
        self._closing.set()
        if self._client:
            await self._client.close()
        await self._surfaces.drain(ANSWERING)
        tasks = [task for task in (self._task, self._registering) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        await self.stop()
        await self._rest.aclose()

    async def _gateway(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = await self._rest.request("GET", "/gateway/bot")
        except Refused as refused:
            raise _turned_away(refused) from refused
        return told

    async def _keep_connected(self) -> None:
        failures = 0
        while not self._closing.is_set():
            client: discord.Client | None = None
            try:
                told = await self._gateway()
                await self._await_starts(told["session_start_limit"])
                client, commands = self._built(told["shards"])
                self._client = client
                await client.login(self._token)
                await self._register(client, commands)
                await client.connect()
            except (discord.LoginFailure, discord.PrivilegedIntentsRequired) as error:
                raise _refused(error) from error
            except discord.ConnectionClosed as error:
                if error.code in (UNAUTHENTICATED, NO_SUCH_VERSION, NO_SUCH_INTENTS):
                    raise _refused(error) from error
                log.warning("Discord closed the connection: %s", error)
            except PaperboyError as error:
                if not isinstance(error, Later | Unknown):
                    raise
                log.warning("Discord cannot be reached: %s", error)
            except Exception:  # whatever discord.py does not survive: begin anew
                log.warning("the connection to Discord failed", exc_info=True)
            finally:
                if client:
                    await client.close()
            if self._closing.is_set():
                return
            failures = 0 if client and client is self._known else failures + 1
            await self._sleep(WAITS[min(failures, len(WAITS) - 1)])

    async def _await_starts(self, limit: dict[str, Any]) -> None:
        if limit["remaining"] < SPARE:
            seconds = limit["reset_after"] / 1000
            log.warning("too many connections today: the next one in %.0f s", seconds)
            await self._sleep(seconds)

    async def _register(self, client: discord.Client, commands: Commands) -> None:
        application = str(client.application_id)
        log.info("to add the bot to a server, open %s", invite_link(application))
        if self._registering:
            self._registering.cancel()
        if not await self._registered(commands, application):
            self._registering = asyncio.create_task(
                self._keep_registering(commands, application), name="discord commands"
            )

    async def _keep_registering(self, commands: Commands, application: str) -> None:
        """The connection may stand for weeks before there is another start."""
        while True:
            try:
                async with asyncio.timeout(self._register_again):
                    await self._closing.wait()
            except TimeoutError:
                if await self._registered(commands, application):
                    return
            else:
                return

    async def _registered(self, commands: Commands, application: str) -> bool:
        """Whether it is settled: not where Discord could not be asked. What is registered works on."""
        try:
            await self._registration.register(await described(commands), application)
        except PaperboyError as error:
            log.warning("the commands could not be registered: %s", error)
            return not isinstance(error, Later | Unknown)
        return True

    def _built(self, shards: int) -> tuple[discord.Client, Commands]:
        heartbeat, ready = self._timeouts
        options: dict[str, Any] = {
            "intents": _intents(),
            "allowed_mentions": discord.AllowedMentions.none(),
            "max_messages": None,
            "heartbeat_timeout": heartbeat,
            "guild_ready_timeout": ready,
        }
        client = (
            discord.AutoShardedClient(shard_count=shards, **options)
            if shards > 1
            else discord.Client(**options)
        )
        client.add_dynamic_items(pressed(self._surfaces))
        self._listen(client)
        return client, tree(client, self._surfaces, self._completion)

    def _listen(self, client: discord.Client) -> None:
        @client.event
        async def on_ready() -> None:
            self._known = client
            log.info("connected to Discord, in %d servers", len(client.guilds))
            self.connected.set()
            await self._guilds.compare({str(guild.id) for guild in client.guilds})

        @client.event
        async def on_guild_join(guild: discord.Guild) -> None:
            await self._guilds.joined(guild)

        @client.event
        async def on_guild_remove(guild: discord.Guild) -> None:
            await self._guilds.removed(guild)

        @client.event
        async def on_guild_channel_delete(channel: discord.abc.GuildChannel) -> None:
            await self._guilds.deleted(channel)

        @client.event
        async def on_interaction(interaction: Interaction) -> None:
            is_form = interaction.type is discord.InteractionType.modal_submit
            data: Any = interaction.data
            if is_form and data["custom_id"].startswith(FORM):
                await self._surfaces.submitted(interaction)


def _intents() -> discord.Intents:
    return discord.Intents(guilds=True)


def _turned_away(refused: Refused) -> PaperboyError:
    if refused.status == 401:
        return _wrong_token()
    return Unknown(f"Discord refuses the bot: {refused.words}")


def _wrong_token() -> PaperboyError:
    return PaperboyError(
        "Discord does not accept the bot's token.",
        hint="Take the one of the developer portal (Bot, Reset Token) for PAPERBOY_DISCORD__TOKEN.",
    )


def _refused(error: discord.DiscordException) -> PaperboyError:
    code = error.code if isinstance(error, discord.ConnectionClosed) else None
    if isinstance(error, discord.LoginFailure) or code == UNAUTHENTICATED:
        return _wrong_token()
    if code == NO_SUCH_VERSION:
        return PaperboyError(
            "Discord speaks version 10 of its gateway no more.", hint="Install a newer Paperboy."
        )
    return PaperboyError(
        "Discord does not grant the bot its one intent, Guilds.",
        hint="Look at the bot in the developer portal: is it disabled or in quarantine?",
    )
