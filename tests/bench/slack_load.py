"""How soon Slack gets its acks under load: python -m tests.bench.slack_load [--seconds N] [--rate N].

`paperboy run` is a process of its own before the local Slack of the tests, with the papers of a
real dump. Fifty people type so many commands a second, search mostly, while the digests of all
channels fall due. Told are the times from sending a command to its ack, those from a search to its
answer, and when the last digest stood in its channel. A short form for a try:

    python -m tests.bench.slack_load --seconds 5 --digests 20 --papers 2000
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

from bot import app as application, query
from bot.model import Channel as Settings, ChannelRef, Origin, Record, Subscription
from bot.schedule import Schedule
from config.settings import Settings as Environment
from tests.bench.search import papers as records_of
from tests.slack_server import Channel, Exchange, SlackServer, User

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DUMP = "arxiv_2026_spring.jsonl.gz"
PEOPLE = 50
NOWHERE = "http://127.0.0.1:9"  # no source is asked
FRESH = 200  # papers that are new on the day
SEARCHES = (
    "speculative decoding", "diffusion models", '"graph neural network"', "reward modelling",
    "retrieval augmented generation", "tool use", "protein folding", "mechanistic interpretability",
    "quantization -survey", "long context", "speech recognition", "reinforcement learning",
)  # fmt: skip
OTHERS = ("help", "list", "status", "top week", "show 2603.00001", "saved", "learned", "schedule")


@dataclass
class Figures:
    acks: list[float] = field(default_factory=list)  # seconds
    answers: list[float] = field(default_factory=list)  # of searches
    failed: Counter[str] = field(default_factory=Counter)
    digests: int = 0
    last_digest: float = 0.0  # seconds after the slot

    def as_row(self) -> dict[str, float]:
        return {
            "commands": len(self.acks) + self.failed.total(),
            "failed": self.failed.total(),
            "ack_p50_ms": _ms(self.acks, 50),
            "ack_p99_ms": _ms(self.acks, 99),
            "ack_max_ms": _ms(self.acks, 100),
            "search_p50_ms": _ms(self.answers, 50),
            "search_p95_ms": _ms(self.answers, 95),
            "digests": self.digests,
            "last_digest_s": round(self.last_digest, 1),
        }


def _ms(times: Sequence[float], percent: int) -> float:
    if len(times) < 2:
        return 0.0
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return round(1000 * (max(times) if percent == 100 else cuts[percent - 1]), 1)


async def settle_in(
    folder: Path, dump: Path, count: int, channels: Sequence[ChannelRef], slot: datetime
) -> None:
    """The library, and channels whose digests fall due at *slot* with something in them."""
    records = records_of(dump, count)
    async with application.open_app(Environment(data_dir=folder)) as app:
        today = slot.date()
        for start in range(0, len(records), 2_000):
            await app.library.add(records[start : start + 2_000], today=today, live=False)
        for n, ref in enumerate(channels):
            words = SEARCHES[n % len(SEARCHES)].replace(" -survey", "").replace('"', "")
            wanted = Subscription(1, query.parse(f'"{words}"|model'))
            schedule = Schedule.parse(f"daily {slot:%H:%M}", "UTC")
            await app.channels.save(
                Settings(ref, (wanted,), schedule=schedule, quiet="post"), "bench"
            )
            await app.library.start(ref, await app.library.end())
        fresh = [
            Record(record.paper, Origin.ARXIV_FEED, today, today) for record in records[:FRESH]
        ]
        await app.library.add(fresh, today=today, live=True)


@asynccontextmanager
async def running(folder: Path, slack: SlackServer) -> AsyncIterator[None]:
    """`paperboy run` before the local Slack."""
    environment = {name: value for name, value in os.environ.items() if "PAPERBOY" not in name} | {
        "PAPERBOY_DATA_DIR": str(folder),
        "PAPERBOY_SLACK__API_URL": slack.api_url,
        "PAPERBOY_SLACK__BOT_TOKEN": slack.token,
        "PAPERBOY_SLACK__APP_TOKEN": slack.app_token,
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
        await slack.connected(timeout=60)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()
        told = (folder / "run.log").read_text("utf-8", "replace").splitlines()
        problems = [line for line in told if '"level": "error"' in line][-5:]
        print(*problems, sep="\n", file=sys.stderr)


async def load(
    slack: SlackServer, people: Sequence[User], channels: Sequence[Channel], seconds: float, rate: float,
    figures: Figures,
) -> None:  # fmt: skip
    """One command every 1/rate seconds, each person in turn."""
    chance = Random(7)  # noqa: S311  # no secret
    begun = time.perf_counter()
    tasks = []
    for n in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, begun + n / rate - time.perf_counter()))
        words = chance.choice(OTHERS)
        if is_search := chance.random() < 0.7:
            words = f"search {chance.choice(SEARCHES)}"
        person, channel = people[n % len(people)], chance.choice(channels)
        tasks.append(asyncio.create_task(_ask(slack, person, channel, words, is_search, figures)))
    await asyncio.gather(*tasks)


async def _ask(
    slack: SlackServer, person: User, channel: Channel, words: str, is_search: bool, figures: Figures
) -> None:  # fmt: skip
    start = time.perf_counter()
    exchange: Exchange = await slack.command(person, channel, "/papers", words)
    if exchange.ack is None or exchange.error:
        figures.failed[exchange.error or "no ack"] += 1
        return
    figures.acks.append(exchange.ack.after)
    if not is_search:
        return
    try:
        await exchange.replied(timeout=60)
    except TimeoutError:
        figures.failed["no answer"] += 1
    else:
        figures.answers.append(time.perf_counter() - start)


async def measure(options: argparse.Namespace, dump: Path, folder: Path) -> Figures:
    figures = Figures()
    async with SlackServer() as slack:
        people = [slack.add_user(f"u{n}") for n in range(PEOPLE)]
        channels = [slack.add_channel(f"c{n}", *people) for n in range(max(options.digests, 50))]
        refs = [ChannelRef("slack", c.team, c.id) for c in channels[: options.digests]]
        # Settling in and the index take a while; then the slot is to lie shortly ahead.
        slot = _next_minute(datetime.now(UTC) + timedelta(seconds=options.papers / 200 + 30))
        await settle_in(folder, dump, options.papers, refs, slot)
        async with running(folder, slack):
            warm = await slack.command(people[0], channels[0], "/papers", "search warm")
            await warm.replied(timeout=300)
            await asyncio.sleep(max(0.0, (slot - datetime.now(UTC)).total_seconds() - 5))
            await load(slack, people, channels, options.seconds, options.rate, figures)
            await _posted(slack, channels[: options.digests], slot, figures)
        figures.failed.update(d.split(":")[0] for d in slack.dislikes if d.startswith("ack"))
    return figures


def _next_minute(after: datetime) -> datetime:
    return after.replace(second=0, microsecond=0) + timedelta(minutes=1)


async def _posted(
    slack: SlackServer, channels: Sequence[Channel], slot: datetime, figures: Figures
) -> None:
    """Until the digests stand there: five a second is what one workspace takes."""
    patience = 60 + len(channels) / 4
    try:
        await slack.until(lambda: all(map(slack.posts, channels)), timeout=patience)
    except TimeoutError:
        print("not all digests were posted in time", file=sys.stderr)
    posts = [slack.posts(channel)[0] for channel in channels if slack.posts(channel)]
    figures.digests = len(posts)
    figures.last_digest = max((float(p.ts) for p in posts), default=0) - slot.timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.slack_load", description=__doc__)
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
