"""A world to ask with a Discord in front of it: the real bot against the local server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from adapters.discord import addresses
from adapters.discord.client import DiscordPlatform
from adapters.discord.core import Core
from adapters.discord.publisher import DiscordPublisher
from bot.delivery import Sender
from bot.housekeeping import Housekeeping
from bot.model import Channel as Settings, ChannelRef
from bot.ports import Delivery
from bot.refresh import Refresh
from bot.service import Service
from tests.discord_reader import Shown
from tests.discord_server import Channel, DiscordServer, Exchange, Guild, P, Rates, User
from tests.fake_installations import MemoryInstallations
from tests.world import World, paper

PAPERS = (
    paper(1, "Speculative decoding for long contexts", "We study speculative decoding of models."),
    paper(2, "Graph networks for molecules", "Graph neural networks predict molecules."),
    paper(3, "A survey of tool use", "Language models use tools. A survey."),
)
TODAYS = (
    paper(4, "Speculative decoding at the edge", "We study speculative decoding on small devices."),
    paper(5, "Graph transformers", "A graph transformer for graph neural networks."),
)


def read(text: str) -> str:
    """What a person reads of an answer."""
    shown = Shown()
    shown.read(text)
    return "".join(shown.text)


@dataclass
class Hash:
    """What the data folder keeps about registered commands."""

    line: str = ""

    def load(self) -> str:
        return self.line

    def save(self, line: str) -> None:
        self.line = line


@dataclass
class DiscordBot:
    """*world* is asked, *server* is where; Ann manages channels in the lab, Bob does not."""

    world: World
    server: DiscordServer
    platform: DiscordPlatform
    sender: Sender
    service: Service
    core: Core
    lab: Guild
    papers: Channel
    ann: User
    bob: User
    hash: Hash
    slept: list[float] = field(default_factory=list)

    @property
    def publisher(self) -> DiscordPublisher:
        return self.platform.publisher

    def ref(self, channel: Channel | User) -> ChannelRef:
        if isinstance(channel, User):
            return ChannelRef("discord", "@me", f"@{channel.id}")
        assert channel.guild is not None
        return ChannelRef("discord", channel.guild.id, channel.id)

    async def settings(self, channel: Channel | User) -> Settings:
        found = await self.world.store.get(self.ref(channel))
        assert found is not None, "nobody has set that channel up"
        return found

    async def start(self) -> None:
        await self.platform.start(self.core)
        async with asyncio.timeout(5):
            await self.platform.connected.wait()

    async def ask(
        self, command: str, /, *, by: User | None = None, at: Channel | None = None, **options: Any
    ) -> Exchange:
        """Ann in her channel, if nobody says otherwise."""
        return await self.server.slash(by or self.ann, at or self.papers, command, **options)

    async def deliver(self) -> None:
        """What the clock does, once: plan what is due, post it."""
        await self.service.tick()
        await self.service.send()

    async def deliveries(self, channel: Channel | User) -> list[Delivery]:
        return await self.world.ledger.deliveries(self.ref(channel), 100)

    def pass_time(self, **of: float) -> None:
        self.world.now += timedelta(**of)

    async def known(self) -> None:
        """The bot knows all that the gateway has told it."""
        client = self.platform._known
        assert client is not None
        async with asyncio.timeout(5):
            while any(  # noqa: ASYNC110  # discord.py tells of no event that it has no handler for
                s.sequence != client.ws.sequence for s in self.server.gateway.sessions.values()
            ):
                await asyncio.sleep(0)  # what was sent is read meanwhile
            handlers = [
                t for t in asyncio.all_tasks() if t.get_name().startswith("discord.py: on_")
            ]
            await asyncio.gather(*handlers)


@asynccontextmanager
async def discord_bot(
    *, server: DiscordServer | None = None, started: bool = True, **options: Any
) -> AsyncIterator[DiscordBot]:
    """*options* are the platform's."""
    world = World()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def now() -> Any:
        return world.now

    server = server or DiscordServer(clock=now, rates=Rates.generous())
    before = addresses.current()
    async with server:
        lab = server.add_guild("Lab")
        papers, ann, bob = server.add_channel(lab, "papers"), *map(server.add_user, ("ann", "bob"))
        server.join(lab, ann)
        server.join(lab, bob)
        keeper = server.add_role(lab, "Keeper", P.MANAGE_CHANNELS)
        server.set_roles(lab, ann, keeper)
        kept = Hash()
        platform = DiscordPlatform(**{
            "token": server.token, "api_url": server.api_url, "gateway_url": server.gateway_url,
            "server": None, "clock": now, "sleep": sleep, "load_hash": kept.load,
            "save_hash": kept.save, "ready_timeout": 0.02,
        } | options)  # fmt: skip

        def served() -> dict[str, Collection[str] | None]:
            return {"discord": platform.served()}

        sender = Sender(world.ledger, world.store, [platform.publisher], served, now, sleep)
        service = Service(
            world.store, world.ledger, world.digests, sender, [platform.publisher], served,
            Refresh((), world.library, world.people, now), now, world.people, world.people,
            Housekeeping(
                world.store, world.ledger, world.library, world.people, world.people,
                MemoryInstallations(), now,
            ),
        )  # fmt: skip
        world.answers._announcer = service
        core = Core(
            world.answers, world.store, world.ledger, world.library, world.people, sender.close
        )
        bot = DiscordBot(
            world, server, platform, sender, service, core, lab, papers, ann, bob, kept, slept
        )
        try:
            if started:
                await bot.start()
            yield bot
        finally:
            await platform.aclose()
            addresses.apply(*before)
