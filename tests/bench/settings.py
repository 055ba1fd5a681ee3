"""How long saving settings takes, and how long it holds the event loop up.

    python -m tests.bench.settings

Once through the store, with as many full workspaces as hold 5,000 subscriptions; once with 5,000
small documents in a single file, ten times what a workspace may have.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tinydb import TinyDB

from adapters.storage.safejson import SafeJSONStorage
from adapters.storage.settings import TinyChannelStore
from bot.model import SUBSCRIPTIONS_PER_WORKSPACE, Channel, ChannelRef, Subscription
from bot.query import parse
from tests.fakes import MemoryChangeLog

DOCUMENTS = 5_000
A_CHANNEL = 5  # subscriptions
SAVES = 200


async def measure(save: Callable[[int], Awaitable[object]]) -> dict[str, float]:
    """Milliseconds: of a save, and of the longest time in which nothing else could run."""
    saves: list[float] = []
    stalls = [0.0]

    async def watch() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(time.perf_counter() - start - 0.001)

    watching = asyncio.create_task(watch())
    for number in range(SAVES):
        start = time.perf_counter()
        await save(number)
        saves.append(time.perf_counter() - start)
    watching.cancel()
    return {
        "median_ms": round(statistics.median(saves) * 1000, 1),
        "p95_ms": round(statistics.quantiles(saves, n=20)[-1] * 1000, 1),
        "longest_stall_ms": round(max(stalls) * 1000, 1),
    }


def channels() -> list[Channel]:
    query = parse('"speculative decoding" -survey')
    per_workspace = SUBSCRIPTIONS_PER_WORKSPACE // A_CHANNEL
    return [
        Channel(
            ChannelRef("slack", f"T{number // per_workspace}", f"C{number}"),
            tuple(Subscription(n, query, label="inference") for n in range(1, A_CHANNEL + 1)),
        )
        for number in range(DOCUMENTS // A_CHANNEL)
    ]


async def through_the_store(folder: Path) -> dict[str, Any]:
    log = MemoryChangeLog(lambda: datetime.now(UTC))
    stored = channels()
    async with await TinyChannelStore.open(folder, log) as store:
        for channel in stored:
            await store.save(channel, "U1")
        start = time.perf_counter()
    async with await TinyChannelStore.open(folder, log) as store:
        opened = time.perf_counter() - start
        figures = await measure(
            lambda n: store.save(replace(stored[n * 7 % len(stored)], max=11 + n % 30), "U1")
        )
    return {"open_ms": round(opened * 1000)} | figures


async def in_one_file(folder: Path) -> dict[str, Any]:
    storage = SafeJSONStorage(folder / "one.json")
    table = TinyDB(storage=lambda: storage).table("channels")
    document = {"query": '"speculative decoding" -survey', "label": "x" * 120, "weight": 1.0}
    table.insert_multiple({**document, "number": n} for n in range(DOCUMENTS))

    async def save(number: int) -> None:
        await asyncio.to_thread(table.update, {"number": -number}, doc_ids=[number + 1])

    return {"file_kB": storage.size // 1000} | await measure(save)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print("store", json.dumps(await through_the_store(Path(folder, "settings"))))
        print("one file", json.dumps(await in_one_file(Path(folder, "one"))))


if __name__ == "__main__":
    asyncio.run(main())
