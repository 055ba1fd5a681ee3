"""How soon Discord is answered under load: python -m tests.bench.discord_load [--seconds N] [--rate N].

`paperboy run` is a process of its own before the local Discord of the tests, with the papers of a
real dump. Fifty people give so many commands a second, search mostly, while the digests of all
channels fall due and Discord takes 50 requests a second. Told are the times from a command to its
first answer, those from a search to what it found, how many requests were one too many, and when the
last digest stood in its channel. A short form for a try:

    python -m tests.bench.discord_load --seconds 5 --digests 20 --papers 2000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bot.model import ChannelRef
from tests.bench.slack_load import DATA, DUMP, NOWHERE, PEOPLE, SEARCHES, settle_in
from tests.discord_server import Channel, DiscordServer, User

OTHERS: Sequence[tuple[str, dict[str, str]]] = (
    ("papers help", {}), ("papers list", {}), ("papers status", {}), ("papers saved", {}),
    ("papers top", {"period": "week"}), ("papers show", {"paper": "2603.00001"}),
    ("papers learned", {}),
)  # fmt: skip
PATIENCE = 60.0  # seconds for an answer


@dataclass
class Figures:
    acks: list[float] = field(default_factory=list)  # seconds
    answers: list[float] = field(default_factory=list)  # of searches
    failed: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    too_many: int = 0
    digests: int = 0
    last_digest: float = 0.0  # seconds after the slot

    def as_row(self) -> dict[str, float]:
        return {
            "commands": len(self.acks) + self.failed["no ack"],
            "failed": self.failed.total(),
            "ack_p50_ms": _ms(self.acks, 50),
            "ack_p99_ms": _ms(self.acks, 99),
            "ack_max_ms": _ms(self.acks, 100),
            "search_p50_ms": _ms(self.answers, 50),
            "search_p95_ms": _ms(self.answers, 95),
            "requests": self.requests,
            "share_of_429": round(self.too_many / max(self.requests, 1), 4),
            "digests": self.digests,
            "last_digest_s": round(self.last_digest, 1),
        }


def _ms(times: Sequence[float], percent: int) -> float:
    if len(times) < 2:
        return 0.0
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return round(1000 * (max(times) if percent == 100 else cuts[percent - 1]), 1)


@asynccontextmanager
async def running(folder: Path, server: DiscordServer) -> AsyncIterator[None]:
    """`paperboy run` before the local Discord."""
    environment = {name: value for name, value in os.environ.items() if "PAPERBOY" not in name} | {
        "PAPERBOY_DATA_DIR": str(folder),
        "PAPERBOY_DISCORD__API_URL": server.api_url,
        "PAPERBOY_DISCORD__GATEWAY_URL": server.gateway_url,
        "PAPERBOY_DISCORD__TOKEN": server.token,
        "PAPERBOY_ARXIV__API_URL": NOWHERE,
        "PAPERBOY_ARXIV__FEED_URL": NOWHERE,
        "PAPERBOY_ARXIV__OAI_URL": NOWHERE,
        "PAPERBOY_HUGGINGFACE__ENDPOINT": NOWHERE,
        "PAPERBOY_WEB__PORT": "0",
    }
    log = (folder / "run.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", env=environment, stderr=log
    )
    try:
        assert await server.until(lambda: server.gateway.ready and server.registered()), "no bot"
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()
        told = (folder / "run.log").read_text("utf-8", "replace").splitlines()
        problems = [line for line in told if '"level": "info"' not in line][-5:]
        print(*problems, sep="\n", file=sys.stderr)


async def load(
    server: DiscordServer, people: Sequence[User], channels: Sequence[Channel], seconds: float,
    rate: float, figures: Figures,
) -> None:  # fmt: skip
    """One command every 1/rate seconds, each person in turn."""
    chance = Random(7)  # noqa: S311  # no secret
    begun = time.perf_counter()
    tasks = []
    for n in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, begun + n / rate - time.perf_counter()))
        command, options = chance.choice(OTHERS)
        if is_search := chance.random() < 0.7:
            command, options = "papers search", {"query": chance.choice(SEARCHES)}
        person, channel = people[n % len(people)], chance.choice(channels)
        asking = _ask(server, person, channel, command, options, is_search, figures)
        tasks.append(asyncio.create_task(asking))
    await asyncio.gather(*tasks)


async def _ask(
    server: DiscordServer, person: User, channel: Channel, command: str, options: dict[str, str],
    is_search: bool, figures: Figures,
) -> None:  # fmt: skip
    start = time.perf_counter()
    exchange = await server.slash(person, channel, command, **options)
    if exchange.answered_after is None:
        figures.failed["no ack"] += 1
        return
    figures.acks.append(exchange.answered_after)
    if not exchange.settled:
        figures.failed["no answer"] += 1
    elif is_search:
        figures.answers.append(time.perf_counter() - start)


async def measure(options: argparse.Namespace, dump: Path, folder: Path) -> Figures:
    figures = Figures()
    async with DiscordServer() as server:
        server.patience = PATIENCE
        guild = server.add_guild("Lab")
        people = [server.add_user(f"u{n}") for n in range(PEOPLE)]
        for person in people:
            server.join(guild, person)
        channels = [server.add_channel(guild, f"c{n}") for n in range(max(options.digests, 50))]
        due = channels[: options.digests]
        # Settling in and the index take a while; then the slot is to lie shortly ahead.
        slot = _next_minute(datetime.now(UTC) + timedelta(seconds=options.papers / 200 + 30))
        refs = [ChannelRef("discord", guild.id, channel.id) for channel in due]
        await settle_in(folder, dump, options.papers, refs, slot)
        async with running(folder, server):
            server.patience = 300.0
            await server.slash(people[0], channels[0], "papers search", query="warm")
            server.patience = PATIENCE
            await asyncio.sleep(max(0.0, (slot - datetime.now(UTC)).total_seconds() - 5))
            before = len(server.requests)
            await load(server, people, channels, options.seconds, options.rate, figures)
            await _posted(server, due, slot, figures)
            asked = server.requests[before:]
        figures.requests = len(asked)
        figures.too_many = sum(request.status == 429 for request in asked)
        figures.failed.update(d.kind for d in server.dislikes if d.kind != "rate")
    return figures


def _next_minute(after: datetime) -> datetime:
    return after.replace(second=0, microsecond=0) + timedelta(minutes=1)


async def _posted(
    server: DiscordServer, channels: Sequence[Channel], slot: datetime, figures: Figures
) -> None:
    """Until the digests stand there."""

    def first(channel: Channel) -> datetime | None:
        posts = (m for m in server.messages(channel) if m.interaction is None)
        return next((message.at for message in posts), None)

    patience = 60 + len(channels) / 20
    if not await server.until(lambda: all(map(first, channels)), patience=patience):
        print("not all digests were posted in time", file=sys.stderr)
    times = [at for at in map(first, channels) if at]
    figures.digests = len(times)
    figures.last_digest = (max(times, default=slot) - slot).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.discord_load", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the dump")
    parser.add_argument("--papers", type=int, default=31_639)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20, help="commands a second")
    parser.add_argument("--digests", type=int, default=500)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    dump = options.data / DUMP
    if not dump.is_file():
        sys.exit(f"There is no {dump}. Name its folder: --data FOLDER")
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(options, dump, Path(folder)))
    row = figures.as_row()
    print("\n".join(f"{name:>16}  {value:g}" for name, value in row.items()))
    if figures.failed:
        print(dict(figures.failed))
    if options.json:
        options.json.write_text(json.dumps(row), "utf-8")


if __name__ == "__main__":
    main()
