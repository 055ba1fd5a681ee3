"""The whole program as a service: ``paperboy run`` posts what is due, once, and ends in order."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot import app
from bot.model import ChannelRef
from tests.program import arrive, quiet_environment, running

LAB = ChannelRef("slack", "T1", "C2")
MAIN = ChannelRef("terminal", "local", "main")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    posts = {"PAPERBOY_OUTBOX_DIR": str(tmp_path / "posts")}
    return quiet_environment(tmp_path / "data") | posts


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


def posts(environment: dict[str, str]) -> list[dict[str, Any]]:
    path = Path(environment["PAPERBOY_OUTBOX_DIR"], "posts.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_what_is_due_is_posted_once_over_restarts(environment: dict[str, str]) -> None:
    folder = Path(environment["PAPERBOY_DATA_DIR"])
    said = await chat(environment, "subscribe graphs", "schedule daily 09:00 UTC")
    assert "Digests come daily 09:00 UTC" in said

    await arrive(folder, 1, LAB)
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

    await arrive(folder, 2, LAB)
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
    await arrive(Path(environment["PAPERBOY_DATA_DIR"]), 1, LAB, due=False)

    said = await chat(environment, "digest")

    assert "Posted to the channel: 1 paper." in said
    assert [post["papers"] for post in posts(environment)] == [["arxiv:2611.00001"]]


async def test_what_nobody_in_the_channel_would_see_is_not_posted_and_comes_there_later(
    environment: dict[str, str],
) -> None:
    outbox = environment.pop("PAPERBOY_OUTBOX_DIR")
    await chat(environment, "subscribe graphs")
    await arrive(Path(environment["PAPERBOY_DATA_DIR"]), 1, LAB, due=False)

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


async def test_a_folder_that_takes_no_posts_is_told_at_the_start(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("no folder", "utf-8")
    environment["PAPERBOY_OUTBOX_DIR"] = str(tmp_path / "taken")

    async with running(environment) as refused:
        line = await refused.until("paperboy:.*")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "check", env=environment, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()

    assert "taken, cannot be written to" in line
    assert "PAPERBOY_OUTBOX_DIR" in line
    assert process.returncode == 1
    assert "NO  posts: The folder for posts" in told.decode()


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
    await arrive(folder, 1, MAIN)
    first = await sit(until="1 for this channel")
    second = await sit(until="Already there")

    assert "Graphs 1" in first
    assert "Graphs 1" in second.split("Already there")[0]  # the last digest again
    history = (folder / app.TERMINAL / "posts.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["papers"] for line in history] == [["arxiv:2611.00001"]]
