"""A backup as the README says, taken while the program writes: it can be read, and is of one moment."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from adapters.storage.installations import FILE
from bot import app
from bot.model import Channel, ChannelRef, Origin, Record, Subscription
from bot.query import parse
from config.settings import Settings
from tests.world import TODAY, paper

LAB = ChannelRef("slack", "T1", "C1")
PAPERS = 60


async def test_a_backup_that_is_taken_while_it_writes_can_be_restored(tmp_path: Path) -> None:
    data, kept = Settings(data_dir=tmp_path / "data"), Settings(data_dir=tmp_path / "kept")
    kept.data_dir.mkdir()
    async with app.open_app(data) as running:
        channel = Channel(LAB, (Subscription(1, parse("graphs")),))
        await running.channels.save(channel, "U1")

        async def write() -> None:
            for number in range(1, PAPERS):
                record = Record(paper(number, f"Graphs {number}"), Origin.ARXIV_API, TODAY)
                await running.library.add([record], today=TODAY, live=True)
                await running.channels.save(replace(channel, max=number), "U1")
                if number == 3:
                    started.set()

        started = asyncio.Event()
        writing = asyncio.create_task(write())
        await started.wait()
        await asyncio.to_thread(_back_up, data.data_dir, kept.data_dir)
        assert not writing.done()
        await writing

    async with app.open_app(kept) as restored:
        found = await restored.channels.get(LAB)
        assert found
        assert found.subscriptions == channel.subscriptions
        assert 3 <= await restored.library.count() <= PAPERS
        with closing(sqlite3.connect(kept.data_dir / app.DATABASE)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _back_up(data: Path, kept: Path) -> None:
    with (
        closing(sqlite3.connect(data / app.DATABASE)) as there,
        closing(sqlite3.connect(kept / app.DATABASE)) as here,
    ):
        there.backup(here)  # what .backup of the sqlite3 program does
    (kept / app.SETTINGS).mkdir()
    for path in (data / app.SETTINGS).glob("*.json"):  # the .bak beside it comes and goes
        shutil.copy(path, kept / app.SETTINGS)


def test_the_readme_names_what_is_to_be_backed_up() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    commands = re.findall(r"^(?:sqlite3|cp) data/(\S+)", readme, re.MULTILINE)

    assert commands == [app.DATABASE, f"{app.SETTINGS}/*.json", FILE]
