"""Kills a process while it saves settings, again and again, and counts what that cost.

    python -m tests.soak.settings_kill --kills 1000

Each round a real process saves one channel as fast as it can, saying so after each save; it is
killed (SIGKILL) at some moment, and the settings are opened as at the next start. The channel must
hold the last save that was acknowledged, or the one that was under way. So must a copy of the folder
that was taken shortly before, file by file and in the middle of the saves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from adapters.storage.settings import TinyChannelStore
from bot.errors import StorageDamaged
from bot.model import Channel, ChannelRef, Subscription
from bot.query import parse
from tests.fakes import MemoryChangeLog
from tests.soak.progress import Show, bar

NEIGHBOURS = 30
COPY = "copy"
_REF = ChannelRef("slack", "T1", "C0")
_QUERY = parse('"speculative decoding" -survey')


@dataclass(slots=True)
class Result:
    kills: int = 0
    acknowledged: int = 0
    in_a_write: int = 0  # kills that left an unfinished file
    damaged: int = 0
    lost: int = 0
    ghosts: int = 0  # neither the last acknowledged save nor the one under way
    bad_copies: int = 0  # taken in the middle of saves, and damaged or of no time

    @property
    def is_clean(self) -> bool:
        return not (self.damaged or self.lost or self.ghosts or self.bad_copies)


async def _open(folder: Path) -> TinyChannelStore:
    return await TinyChannelStore.open(folder, MemoryChangeLog(lambda: datetime.now(UTC)))


async def save_forever(folder: Path) -> None:
    async with await _open(folder) as store:
        for number in range(NEIGHBOURS):
            await store.save(_labelled(Channel(ChannelRef("slack", "T1", f"N{number}")), 0), "U1")
        channel = await store.get(_REF) or Channel(_REF)
        count = _count(channel)
        while True:
            await store.save(_labelled(channel, count), "U1")
            print(count, flush=True)
            count += 1


def _labelled(channel: Channel, count: int) -> Channel:
    label = f"{count} " + "x" * (count % 7 * 200)  # the file grows and shrinks
    return replace(channel, subscriptions=(Subscription(1, _QUERY, label=label),))


def _count(channel: Channel | None) -> int:
    return (
        int(channel.subscriptions[0].label.split()[0]) if channel and channel.subscriptions else 0
    )


def kill_loop(
    folder: Path, kills: int, *, seed: int = 0, show: Show = lambda done, words: None
) -> Result:
    chance = random.Random(seed)  # noqa: S311 moments, not secrets
    result = Result()
    while result.kills < kills:
        first, last = _one_kill(folder, chance)
        result.kills += 1
        result.acknowledged += last - first
        result.in_a_write += any(folder.glob("*.tmp"))
        try:
            found = asyncio.run(_look(folder))
        except StorageDamaged:
            result.damaged += 1
            break
        if found is None or found < last:
            result.lost += 1
        elif found > last + 1:
            result.ghosts += 1
        result.bad_copies += not _is_good(folder / COPY, first, last + 1)
        show(result.kills, f"{result.acknowledged:,} saves, {result.in_a_write} kills in one")
    return result


def _one_kill(folder: Path, chance: random.Random) -> tuple[int, int]:
    """The first and the last save that the killed process acknowledged."""
    command = [sys.executable, "-m", "tests.soak.settings_kill", "--save-into", str(folder)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = int(process.stdout.readline())
        time.sleep(chance.uniform(0, 0.03))
        _copy(folder, folder / COPY)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        rest = [line for line in process.stdout if line.endswith("\n")]
    return first, int(rest[-1]) if rest else first


def _copy(folder: Path, to: Path) -> None:
    """As a plain tool does it: one file after the other, without what is gone by then."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with suppress(FileNotFoundError):
                shutil.copy(path, to)


def _is_good(copy: Path, first: int, last: int) -> bool:
    try:
        found = asyncio.run(_look(copy))
    except StorageDamaged:
        return False
    return found is not None and first <= found <= last


async def _look(folder: Path) -> int | None:
    """The count that the next start finds; None where a neighbour is missing."""
    async with await _open(folder) as store:
        count = _count(await store.get(_REF))
        return count if len(await store.all()) > NEIGHBOURS else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-into", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.save_into:
        asyncio.run(save_forever(asked.save_into))
    with tempfile.TemporaryDirectory() as folder, bar("kills", asked.kills) as show:
        result = kill_loop(Path(folder), asked.kills, seed=asked.seed, show=show)
    print(json.dumps(asdict(result)))
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
