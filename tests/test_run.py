"""The whole program as a service: ``paperboy run`` posts what is due, once, and ends in order."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.storage.settings import TinyChannelStore
from adapters.storage.sqlite import Store
from bot import app
from bot.model import ChannelRef, Origin, Record
from bot.ports import Due
from bot.service import due_after
from tests.world import paper

LAB = ChannelRef("slack", "T1", "C2")
MAIN = ChannelRef("terminal", "local", "main")
NOWHERE = "http://127.0.0.1:9"  # a port that nobody listens at


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PAPERBOY_DATA_DIR": str(tmp_path / "data"),
        "PAPERBOY_OUTBOX_DIR": str(tmp_path / "posts"),
        "PAPERBOY_WEB__PORT": "0",
        "PAPERBOY_ARXIV__DELAY_SECONDS": "0",
        "PAPERBOY_ARXIV__API_URL": NOWHERE,
        "PAPERBOY_ARXIV__FEED_URL": NOWHERE,
        "PAPERBOY_ARXIV__OAI_URL": NOWHERE,
        "PAPERBOY_HUGGINGFACE__ENDPOINT": NOWHERE,
    }


async def chat(
    environment: dict[str, str],
    *lines: str,
    there: Sequence[str] = ("--as", str(LAB), "--user", "U1"),
) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "chat", *there,
        env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate("\n".join(lines).encode())
    assert process.returncode == 0
    return said.decode()


async def arrive(folder: Path, number: int, *, ref: ChannelRef = LAB, due: bool = True) -> None:
    """A paper arrives, and the channel's slot has just passed where it is *due*."""
    now = datetime.now(UTC)
    async with await Store.open(folder / app.DATABASE, lambda: now) as store:
        records = [Record(paper(number, f"Graphs {number}"), Origin.ARXIV_API, now.date())]
        await store.add(records, today=now.date(), live=True)
        settings = await TinyChannelStore.open(folder / app.SETTINGS, store)
        channel = await settings.get(ref)
        await settings.aclose()
        assert channel
        if due:
            after = due_after(channel, now)
            await store.set_next(Due(ref, now - timedelta(minutes=number), after.fingerprint))


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
        assert self._process.stderr
        async with asyncio.timeout(30):
            self.log += (await self._process.stderr.read()).decode()
            return await self._process.wait()


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def posts(environment: dict[str, str]) -> list[dict[str, Any]]:
    path = Path(environment["PAPERBOY_OUTBOX_DIR"], "posts.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_what_is_due_is_posted_once_over_restarts(environment: dict[str, str]) -> None:
    folder = Path(environment["PAPERBOY_DATA_DIR"])
    said = await chat(environment, "subscribe graphs", "schedule daily 09:00 UTC")
    assert "Digests come daily 09:00 UTC" in said

    await arrive(folder, 1)
    async with running(environment) as first:
        address = await first.until(r"(?<=the web port is )http://[\d.:]+")
        await first.until("posted 1 papers")
        async with aiohttp.ClientSession() as web, web.get(f"{address}/healthz") as answer:
            assert answer.status == 200
        async with aiohttp.ClientSession() as web, web.get(f"{address}/metrics") as answer:
            told = await answer.text()
        assert 'paperboy_digests_total{outcome="posted",platform="slack"} 1.0' in told
        assert 'paperboy_posts_total{outcome="sent",platform="slack"} 1.0' in told
        assert await first.end() == 0
    assert [(str(LAB), ["arxiv:2611.00001"])] == [
        (post["channel"], post["papers"]) for post in posts(environment)
    ]

    await arrive(folder, 2)
    async with running(environment) as second:
        await second.until("posted 1 papers")
        assert await second.end(signal.SIGINT) == 0
    assert [post["papers"] for post in posts(environment)] == [
        ["arxiv:2611.00001"],
        ["arxiv:2611.00002"],
    ]
    assert len({post["key"] for post in posts(environment)}) == 2


async def test_a_stop_does_not_wait_for_a_source_that_does_not_answer(
    environment: dict[str, str],
) -> None:
    asked, told = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await told.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        environment["PAPERBOY_ARXIV__FEED_URL"] = address
        environment["PAPERBOY_HUGGINGFACE__ENDPOINT"] = address
        async with running(environment) as alone, asyncio.timeout(60):
            await asked.wait()
            began = time.monotonic()
            assert await alone.end() == 0
            took = time.monotonic() - began
        told.set()

    assert took < 15


async def test_a_digest_that_a_person_asks_for_is_posted_to_the_channel(
    environment: dict[str, str],
) -> None:
    await chat(environment, "subscribe graphs")
    await arrive(Path(environment["PAPERBOY_DATA_DIR"]), 1, due=False)

    said = await chat(environment, "digest")

    assert "Posted to the channel: 1 paper." in said
    assert [post["papers"] for post in posts(environment)] == [["arxiv:2611.00001"]]


async def test_what_nobody_in_the_channel_would_see_is_not_posted_and_comes_there_later(
    environment: dict[str, str],
) -> None:
    outbox = environment.pop("PAPERBOY_OUTBOX_DIR")
    await chat(environment, "subscribe graphs")
    await arrive(Path(environment["PAPERBOY_DATA_DIR"]), 1, due=False)

    for asked in ("digest", "share 2611.00001"):
        said = await chat(environment, asked)
        assert "Nothing is posted to slack:T1:C2 from here." in said
        assert "PAPERBOY_OUTBOX_DIR" in said
    assert "Graphs 1" in await chat(environment, "digest since:7d")

    assert "1 paper" in await chat(environment | {"PAPERBOY_OUTBOX_DIR": outbox}, "digest")


async def test_a_person_of_discord_has_one_list_on_all_servers(
    environment: dict[str, str],
) -> None:
    del environment["PAPERBOY_OUTBOX_DIR"]
    there = ("--as", "discord:55:77", "--user", "123")
    await chat(environment, "save 2502.13502", there=there)

    said = await chat(environment, "saved", there=("--as", "discord:@me:@123", "--user", "123"))

    assert "Your saved papers (1)" in said


async def test_without_anything_to_post_to_it_says_what_to_do(
    environment: dict[str, str],
) -> None:
    del environment["PAPERBOY_OUTBOX_DIR"]
    async with running(environment) as alone:
        line = await alone.until("paperboy:.*")

    assert "There is nothing to post to." in line
    assert "PAPERBOY_OUTBOX_DIR" in line


async def test_what_is_due_appears_in_an_open_terminal_and_not_again(
    environment: dict[str, str],
) -> None:
    del environment["PAPERBOY_OUTBOX_DIR"]
    folder = Path(environment["PAPERBOY_DATA_DIR"])

    async def sit(*, until: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "chat", "--channel", "main", env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"subscribe graphs\n")
        said = ""
        async with asyncio.timeout(60):
            while until not in said:
                line = (await process.stdout.readline()).decode()
                assert line, said
                said += line
            process.stdin.close()
            said += (await process.stdout.read()).decode()
            assert await process.wait() == 0
            return said

    await sit(until="Subscribed: 1")
    await arrive(folder, 1, ref=MAIN)
    first = await sit(until="1 for this channel")
    second = await sit(until="Already there")

    assert "Graphs 1" in first
    assert "Graphs 1" in second.split("Already there")[0]  # the last digest again
    history = (folder / app.TERMINAL / "posts.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["papers"] for line in history] == [["arxiv:2611.00001"]]
