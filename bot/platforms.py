"""The platforms that the settings name: made before the core, which needs their publishers.

Part of the composition root; what a platform's library weighs is loaded where it is named alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from adapters.storage.settings import TinyChannelStore
from adapters.storage.sqlite import Store
from bot.answers import Answers
from bot.delivery import Sender
from bot.ports import Clock, Installations, Publisher

if TYPE_CHECKING:
    from adapters.discord.client import DiscordPlatform
    from adapters.slack.app import Credentials, SlackPlatform
    from config import settings
    from config.settings import Settings

CONNECT_SECONDS = 10.0
REGISTERED = "discord-commands"  # what Discord was told of the commands, in the data folder


class Platform(Protocol):
    @property
    def publisher(self) -> Publisher: ...

    def served(self) -> Collection[str] | None:
        """The workspaces or servers that posts can go to; None: all."""

    async def start(self, answers: Answers, sender: Sender) -> None:
        """Listen to people. Raises PaperboyError where the platform refuses what it was given."""

    async def wait(self) -> None:
        """Until it has ended by itself; raises PaperboyError where it cannot go on."""

    async def stop(self) -> None:
        """Listen no more, and finish the answers under way, in seconds; posts can still go."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What platforms share with the core."""

    library: Store
    channels: TinyChannelStore
    installations: Installations | None
    clock: Clock


async def platforms(
    settings: Settings, opened: Opened, stack: AsyncExitStack
) -> Sequence[Platform]:
    """Those that are set up; *stack* closes them."""
    made: list[Platform] = []
    if settings.slack.mode:
        slack = Slack(settings.slack, opened)
        await stack.enter_async_context(slack.app)
        stack.push_async_callback(slack.stop)
        made.append(slack)
    if settings.discord.token:
        discord = Discord(settings.discord, opened, settings.data_dir)
        stack.push_async_callback(discord.client.aclose)
        made.append(discord)
    return made


class Slack:
    def __init__(self, settings: settings.Slack, opened: Opened) -> None:
        from adapters.slack.app import SlackPlatform

        self._settings = settings
        self._listening = AsyncExitStack()
        self.app: SlackPlatform = SlackPlatform(
            credentials(settings),
            channels=opened.channels,
            closures=opened.library,
            library=opened.library,
            receipts=opened.library,
            tenants=opened.library,
            installations=opened.installations,
            clock=opened.clock,
            sleep=asyncio.sleep,
        )

    @property
    def publisher(self) -> Publisher:
        return self.app.publisher

    def served(self) -> Collection[str] | None:
        return self.app.served()

    async def start(self, answers: Answers, sender: Sender) -> None:
        from adapters.web import serve

        await self.app.start(answers, sender)
        if self._settings.mode == "http":
            at = self._settings.host, self._settings.port or 0
            await self._listening.enter_async_context(serve(*at, self.app.routes, "PAPERBOY_SLACK"))

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await self._listening.aclose()
        await self.app.stop()


def credentials(settings: settings.Slack) -> Credentials:
    from adapters.slack.app import Credentials

    secrets = {
        name: secret.get_secret_value()
        for name in ("bot_token", "app_token", "signing_secret", "client_id", "client_secret")
        if (secret := getattr(settings, name))
    }
    return Credentials(settings.api_url, public_url=settings.public_url or "", **secrets)


class Discord:
    def __init__(self, settings: settings.Discord, opened: Opened, folder: Path) -> None:
        self._opened = opened
        self.client = discord_client(settings, folder, opened.clock)

    @property
    def publisher(self) -> Publisher:
        return self.client.publisher

    def served(self) -> Collection[str] | None:
        return self.client.served()

    async def start(self, answers: Answers, sender: Sender) -> None:
        from adapters.discord.core import Core

        library = self._opened.library
        await self.client.start(
            Core(answers, self._opened.channels, library, library, library, sender.close)
        )
        # What is due is planned for servers that are known: the first tick is to find them.
        connected = asyncio.create_task(self.client.connected.wait())
        ended = asyncio.create_task(self.client.wait())
        try:
            await asyncio.wait(
                (connected, ended), timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            connected.cancel()
            ended.cancel()  # where it has ended, that changes nothing
            await asyncio.gather(connected, ended, return_exceptions=True)
        if not ended.cancelled():
            ended.result()

    async def wait(self) -> None:
        await self.client.wait()

    async def stop(self) -> None:
        await self.client.stop()


def discord_client(settings: settings.Discord, folder: Path, clock: Clock) -> DiscordPlatform:
    from adapters.discord.client import DiscordPlatform

    assert settings.token is not None  # noqa: S101  # else nobody asks for it
    kept = folder / REGISTERED
    return DiscordPlatform(
        token=settings.token.get_secret_value(),
        api_url=settings.api_url,
        gateway_url=settings.gateway_url,
        server=settings.server,
        clock=clock,
        sleep=asyncio.sleep,
        load_hash=lambda: kept.read_text("utf-8") if kept.exists() else "",
        save_hash=lambda text: _replace(kept, text),
    )


def _replace(path: Path, text: str) -> None:
    """Whole or not at all; lost, it costs one more registration."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text, "utf-8")
    new.replace(path)
