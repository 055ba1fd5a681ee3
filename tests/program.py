"""The whole program as a process of its own, and a data folder that it finds work in."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.storage.settings import TinyChannelStore
from adapters.storage.sqlite import Store
from bot import app
from bot.model import ChannelRef, Origin, Record
from bot.ports import Due
from bot.service import due_after
from tests.world import paper

NOWHERE = "http://127.0.0.1:9"  # a port that nobody listens at


def quiet_environment(folder: Path) -> dict[str, str]:
    """Nothing is set but the data folder, and no source can be reached."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("PAPERBOY_")}
    return theirs | {
        "PAPERBOY_DATA_DIR": str(folder),
        "PAPERBOY_WEB__PORT": "0",
        "PAPERBOY_ARXIV__DELAY_SECONDS": "0",
        "PAPERBOY_ARXIV__API_URL": NOWHERE,
        "PAPERBOY_ARXIV__FEED_URL": NOWHERE,
        "PAPERBOY_ARXIV__OAI_URL": NOWHERE,
        "PAPERBOY_HUGGINGFACE__ENDPOINT": NOWHERE,
    }


async def arrive(folder: Path, number: int, *refs: ChannelRef, due: bool = True) -> None:
    """A paper arrives, and the channels' slot has just passed where they are *due*."""
    now = datetime.now(UTC)
    async with await Store.open(folder / app.DATABASE, lambda: now) as store:
        records = [Record(paper(number, f"Graphs {number}"), Origin.ARXIV_API, now.date())]
        await store.add(records, today=now.date(), live=True)
        settings = await TinyChannelStore.open(folder / app.SETTINGS, store)
        for ref in refs:
            channel = await settings.get(ref)
            assert channel
            if due:
                after = due_after(channel, now)
                await store.set_next(Due(ref, now - timedelta(minutes=number), after.fingerprint))
        await settings.aclose()


class Running:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.log = ""

    async def until(self, pattern: str) -> str:
        """Read the log until it holds the pattern; what that has found."""
        assert self._process.stderr
        async with asyncio.timeout(60):
            while line := (await self._process.stderr.readline()).decode():
                self.log += line
                if found := re.search(pattern, line):
                    return found[0]
        raise AssertionError(self.log)

    async def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        self._process.send_signal(by)
        return await self.ended()

    async def ended(self) -> int:
        assert self._process.stderr
        async with asyncio.timeout(30):
            self.log += (await self._process.stderr.read()).decode()
            return await self._process.wait()


@asynccontextmanager
async def running(environment: dict[str, str], *arguments: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *(arguments or ("run",)),
        env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
