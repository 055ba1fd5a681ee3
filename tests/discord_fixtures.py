"""A laboratory in the local Discord, as fixtures. Who wants one takes it: ``lab = fixtures.lab``.

Nobody is connected to its gateway: *client* only asks. What a test wants otherwise (another Ann, no
clock that stands still) it makes itself, under the same name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord
import pytest

from tests.discord_server import Channel, DiscordServer, Guild, Rates, User
from tests.discord_small_bot import Hands, logged_in, serving


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def server(clock: Hands, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with serving(monkeypatch, clock=clock, rates=Rates.generous()) as server:
        yield server


@pytest.fixture
def lab(server: DiscordServer) -> Guild:
    return server.add_guild("Lab")


@pytest.fixture
def papers(server: DiscordServer, lab: Guild) -> Channel:
    return server.add_channel(lab, "papers")


@pytest.fixture
def ann(server: DiscordServer, lab: Guild) -> User:
    user = server.add_user("ann")
    server.join(lab, user)
    return user


@pytest.fixture
async def client(server: DiscordServer) -> AsyncIterator[discord.Client]:
    async with logged_in(server) as client:
        yield client
