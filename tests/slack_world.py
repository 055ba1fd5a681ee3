"""A world to ask with a Slack in front of it: the real app against the local server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.slack.app import Credentials, SlackPlatform
from adapters.slack.manifest import DOMAINS, EVENTS, SCOPES
from adapters.slack.publisher import SlackPublisher
from adapters.web import serve
from bot.delivery import TIMEOUT, Sender
from bot.housekeeping import Housekeeping
from bot.model import Channel as Settings, ChannelRef
from bot.ports import Clock, Installations, PaperSearch, Sleep
from bot.refresh import Refresh
from bot.service import Service
from tests.slack_server import Channel, Exchange, Message, SlackServer, User, View
from tests.world import World, paper

PUBLIC_URL = "http://127.0.0.1:3000"  # where browsers find the app, as it was told
PAPERS = (
    paper(1, "Speculative decoding for long contexts", "We study speculative decoding of models."),
    paper(2, "Graph networks for molecules", "Graph neural networks predict molecules."),
    paper(3, "A survey of tool use", "Language models use tools. A survey."),
)


@dataclass
class SlackWorld:
    """*world* is asked, *slack* is where; *service* and *sender* are the clock's."""

    world: World
    slack: SlackServer
    platform: SlackPlatform
    sender: Sender
    service: Service
    slept: list[float] = field(default_factory=list)

    @property
    def publisher(self) -> SlackPublisher:
        return self.platform.publisher

    def ref(self, channel: Channel | User) -> ChannelRef:
        if isinstance(channel, User):
            return ChannelRef("slack", channel.team, f"@{channel.id}")
        return ChannelRef("slack", channel.team, channel.id)

    async def settings(self, channel: Channel | User) -> Settings:
        found = await self.world.store.get(self.ref(channel))
        assert found is not None, "nobody has set that channel up"
        return found

    async def deliver(self) -> None:
        """What the clock does, once: plan what is due, post it."""
        await self.service.tick()
        await self.service.send()

    async def departed(self) -> list[str]:
        """The workspaces that were left."""
        gone = await self.world.people.departed(datetime.max.replace(tzinfo=UTC))
        return [tenant for _, tenant in gone]

    async def idle(self) -> None:
        """Everything that Slack has sent is done."""
        while tasks := list(self.platform._work._tasks):
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)  # where all were done, nothing waited, and none was let go of


async def told(exchange: Exchange) -> Message:
    """The answer; the next one stands in the same channel."""
    await exchange.replied()
    return exchange.reply


async def lab_of(w: SlackWorld) -> tuple[User, Channel]:
    """Ann and her channel, which somebody else made; there are papers to look for."""
    ann = w.slack.add_user("ann", tz="Europe/Berlin")
    bob = w.slack.add_user("bob")
    await w.world.listed(*PAPERS, on=w.world.now.date())
    return ann, w.slack.add_channel("lab", bob, ann)


async def said(w: SlackWorld, user: User, channel: Channel, text: str) -> Message:
    return await told(await w.slack.command(user, channel, "/papers", text))


def shown(*what: Message | View) -> str:
    """All words of messages, modals and home tabs."""
    return "\n".join(each for one in what for each in _words(one.blocks))


def _words(value: Any) -> Iterator[str]:
    match value:
        case {"type": "date", "fallback": str(said)} | {"text": str(said)}:
            yield said
        case dict():
            for each in value.values():
                yield from _words(each)
        case list():
            for each in value:
                yield from _words(each)
        case _:
            pass


@asynccontextmanager
async def slack_world(
    *sources: PaperSearch,
    http: bool = False,
    installations: Installations | None = None,
    clock: Clock | None = None,
    give_up: timedelta = TIMEOUT,
    scopes: Iterable[str] = SCOPES,
    public_url: str = PUBLIC_URL,
    **server: Any,
) -> AsyncIterator[SlackWorld]:
    """Over sockets, or over *http*; with *installations* many workspaces add the app.

    The app may do and is told what its manifest asks for. *give_up* is the sender's patience, by
    the machine's clock.
    """
    world = World(*sources)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    if http:  # the local Slack signs by the clock of the machine
        world.now = datetime.now(UTC).replace(microsecond=0)
    now: Clock = clock or (lambda: world.now)
    async with SlackServer(now, scopes=frozenset(scopes), **server) as slack:
        slack.app.events, slack.app.domains = frozenset(EVENTS), frozenset(DOMAINS)
        many = public_url if installations is not None else ""
        given = credentials(slack, http=http, many=many)
        async with platform_of(world, given, installations, sleep, now) as platform:

            def served() -> dict[str, Collection[str] | None]:
                return {"slack": platform.served()}

            sender = Sender(
                world.ledger, world.store, [platform.publisher], served, now, sleep, timeout=give_up
            )
            service = Service(
                world.store, world.ledger, world.digests, sender, [platform.publisher], served,
                Refresh((), world.library, world.people, now), now, world.people, world.people,
                Housekeeping(
                    world.store, world.ledger, world.library, world.people, world.people, installations, now
                ),
            )  # fmt: skip
            world.answers._announcer = service
            made = SlackWorld(world, slack, platform, sender, service, slept)
            await platform.start(world.answers, sender)
            if not http:
                await slack.connected()
                yield made
            else:
                async with serve("127.0.0.1", 0, platform.routes) as address:
                    slack.http = f"{address}/slack/events"
                    yield made
            await made.idle()


def platform_of(
    world: World,
    given: Credentials,
    installations: Installations | None,
    sleep: Sleep,
    clock: Clock,
) -> SlackPlatform:
    return SlackPlatform(
        given,
        channels=world.store,
        closures=world.ledger,
        library=world.library,
        receipts=world.people,
        tenants=world.people,
        installations=installations,
        clock=clock,
        sleep=sleep,
    )


def credentials(slack: SlackServer, *, http: bool = False, many: str = "") -> Credentials:
    """*many* workspaces add the app at that address."""
    if many:
        return Credentials(
            slack.api_url,
            signing_secret=slack.app.signing_secret,
            client_id=slack.app.client_id,
            client_secret=slack.app.client_secret,
            public_url=many,
        )
    if http:
        return Credentials(
            slack.api_url, bot_token=slack.token, signing_secret=slack.app.signing_secret
        )
    return Credentials(slack.api_url, bot_token=slack.token, app_token=slack.app_token)
