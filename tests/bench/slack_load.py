"""How soon Slack gets its acks under load: python -m tests.bench.slack_load [--seconds N] [--rate N].

Told are the times from sending a command to its ack, those from a search to its answer, and when the
last digest stood in its channel (`tests.bench.load` tells what runs). A short form for a try:

    python -m tests.bench.slack_load --seconds 5 --digests 20 --papers 2000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
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
from tests.slack_server import Channel, SlackServer, User


async def measure(options: argparse.Namespace, folder: Path) -> Figures:
    figures = Figures()
    async with SlackServer() as slack:
        people = [slack.add_user(f"u{n}") for n in range(PEOPLE)]
        count = max(options.digests, CHANNELS)
        channels = [slack.add_channel(f"c{n}", *people) for n in range(count)]
        due = channels[: options.digests]
        slot = await settle_in(folder, options, [ChannelRef("slack", c.team, c.id) for c in due])

        async def ask(person: User, channel: Channel, sentence: str) -> None:
            start = time.perf_counter()
            exchange = await slack.command(person, channel, "/papers", sentence)
            if exchange.ack is None or exchange.error:
                figures.failed[exchange.error or "no ack"] += 1
                return
            figures.acks.append(exchange.ack.after)
            if not sentence.startswith("search"):
                return
            try:
                await exchange.replied(timeout=PATIENCE)
            except TimeoutError:
                figures.failed["no answer"] += 1
            else:
                figures.answers.append(time.perf_counter() - start)

        environment = {
            "PAPERBOY_SLACK__API_URL": slack.api_url,
            "PAPERBOY_SLACK__BOT_TOKEN": slack.token,
            "PAPERBOY_SLACK__APP_TOKEN": slack.app_token,
        }
        async with running(folder, environment):
            await slack.connected(timeout=60)
            warm = await slack.command(people[0], channels[0], "/papers", "search warm")
            await warm.replied(timeout=FIRST)
            await shortly_before(slot)
            await ask_all(options, figures, people, channels, (*OTHERS, "schedule"), ask)
            figures.count_digests(await _posted(slack, due), slot)
        figures.failed.update(d.split(":")[0] for d in slack.dislikes if d.startswith("ack"))
    return figures


async def _posted(slack: SlackServer, channels: Sequence[Channel]) -> list[datetime]:
    """When the digests stood there: five a second is what one workspace takes."""
    patience = 60 + len(channels) / 4
    try:
        await slack.until(lambda: all(map(slack.posts, channels)), timeout=patience)
    except TimeoutError:
        print("not all digests were posted in time", file=sys.stderr)
    posts = [slack.posts(channel)[0] for channel in channels if slack.posts(channel)]
    return [datetime.fromtimestamp(float(post.ts), UTC) for post in posts]


if __name__ == "__main__":
    main("slack_load", __doc__, measure)
