"""How soon Discord is answered under load: python -m tests.bench.discord_load [--seconds N] [--rate N].

Told are the times from a command to its first answer, those from a search to what it found, how many
requests were one too many for a Discord that takes 50 a second, and when the last digest stood in
its channel (`tests.bench.load` tells what runs). A short form for a try:

    python -m tests.bench.discord_load --seconds 5 --digests 20 --papers 2000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bot.model import ChannelRef
from tests.bench.load import (
    CHANNELS,
    FIRST,
    OTHERS,
    PATIENCE,
    PEOPLE,
    Figures,
    ask_all,
    main,
    running,
    settle_in,
    shortly_before,
)
from tests.discord_server import Channel, DiscordServer, User

OPTIONS = {"search": "query", "top": "period", "show": "paper"}  # that the words of a sentence are


async def measure(options: argparse.Namespace, folder: Path) -> Figures:
    figures = Figures()
    async with DiscordServer() as server:
        server.patience = PATIENCE
        guild = server.add_guild("Lab")
        people = [server.add_user(f"u{n}") for n in range(PEOPLE)]
        for person in people:
            server.join(guild, person)
        count = max(options.digests, CHANNELS)
        channels = [server.add_channel(guild, f"c{n}") for n in range(count)]
        due = channels[: options.digests]
        refs = [ChannelRef("discord", guild.id, channel.id) for channel in due]
        slot = await settle_in(folder, options, refs)

        async def ask(person: User, channel: Channel, sentence: str) -> None:
            verb, _, words = sentence.partition(" ")
            typed = {OPTIONS[verb]: words} if words else {}
            start = time.perf_counter()
            exchange = await server.slash(person, channel, f"papers {verb}", **typed)
            if exchange.answered_after is None:
                figures.failed["no ack"] += 1
                return
            figures.acks.append(exchange.answered_after)
            if not exchange.settled:
                figures.failed["no answer"] += 1
            elif verb == "search":
                figures.answers.append(time.perf_counter() - start)

        environment = {
            "PAPERBOY_DISCORD__API_URL": server.api_url,
            "PAPERBOY_DISCORD__GATEWAY_URL": server.gateway_url,
            "PAPERBOY_DISCORD__TOKEN": server.token,
        }
        async with running(folder, environment):
            connected = await server.until(lambda: server.gateway.ready and server.registered())
            assert connected, "no bot"
            server.patience = FIRST
            await server.slash(people[0], channels[0], "papers search", query="warm")
            server.patience = PATIENCE
            await shortly_before(slot)
            before = len(server.requests)
            await ask_all(options, figures, people, channels, OTHERS, ask)
            figures.count_digests(await _posted(server, due), slot)
            asked = server.requests[before:]
        too_many = sum(request.status == 429 for request in asked)
        share = round(too_many / max(len(asked), 1), 4)
        figures.more = {"requests": len(asked), "share_of_429": share}
        figures.failed.update(d.kind for d in server.dislikes if d.kind != "rate")
    return figures


async def _posted(server: DiscordServer, channels: Sequence[Channel]) -> list[datetime]:
    """When the digests stood there."""

    def first(channel: Channel) -> datetime | None:
        posts = (m for m in server.messages(channel) if m.interaction is None)
        return next((message.at for message in posts), None)

    patience = 60 + len(channels) / 20
    if not await server.until(lambda: all(map(first, channels)), patience=patience):
        print("not all digests were posted in time", file=sys.stderr)
    return [at for at in map(first, channels) if at]


if __name__ == "__main__":
    main("discord_load", __doc__, measure)
