"""How fast an import and a digest are: python -m tests.bench.whole [--data FOLDER] [--json FILE].

Each speed stands beside a peer that did the same work in the same run on the same data:
- import: the rows written bare into SQLite by the standard library, in the same batches;
- digest: SQLite's FTS5 asked for the same keywords over the same papers;
- process: an interpreter that only imports the command line's own libraries.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bot import app as application, query
from bot.model import Channel, ChannelRef, Subscription
from bot.schedule import Schedule
from config.settings import Settings

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DUMP = "arxiv_2026_spring.jsonl.gz"
DAY = date(2026, 6, 23)
QUERIES = (
    '"speculative decoding"', '"retrieval-augmented generation"|RAG', "diffusion -survey",
    '"tool use"|"function calling"', "knowledge distillation", '"reward model"|RLHF',
    "graph neural networks", '"in-context learning"', "mechanistic interpretability", "quantization",
)  # fmt: skip
RUNS = 5

Row = dict[str, Any]


def clocked(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(work: Callable[[], object], runs: int = RUNS) -> float:
    return statistics.median(clocked(work) for _ in range(runs))


async def import_dump(folder: Path, dump: Path) -> int:
    async with application.open_app(Settings(data_dir=folder)) as app:
        imported = await application.import_file(app, dump, lambda _: None)
    return imported.dump.read


def bare_sqlite(path: Path, dump: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(
        "CREATE TABLE papers (id TEXT PRIMARY KEY, title, abstract, authors, categories, day)"
    )
    with gzip.open(dump, "rt", encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        while batch := list(islice(rows, 500)):
            with db:
                db.executemany("INSERT INTO papers VALUES (?,?,?,?,?,?)", [
                    (r["id"], r["title"], r["abstract"], json.dumps(r["authors"]),
                     json.dumps(r["categories"]), r["first_seen"]) for r in batch])  # fmt: skip
    db.close()


def full_text(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    db.execute("CREATE VIRTUAL TABLE words USING fts5(title, abstract, tokenize='porter')")
    db.execute("INSERT INTO words SELECT title, abstract FROM papers")
    db.commit()
    return db


def ask_full_text(db: sqlite3.Connection) -> None:
    for text in QUERIES:
        items = [f'"{item.text}"' for item in query.parse(text).keywords]
        db.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 5, 1) LIMIT 10",
            [" OR ".join(items)],
        ).fetchall()


async def digests(folder: Path) -> float:
    channel = Channel(
        ChannelRef("none", "none", "none"),
        tuple(Subscription(n, query.parse(text)) for n, text in enumerate(QUERIES, start=1)),
        schedule=Schedule(),
    )
    clock = lambda: datetime(2026, 6, 23, 9, tzinfo=UTC)  # noqa: E731  # a clock that stands still
    async with application.open_app(Settings(data_dir=folder), clock, readonly=True) as app:
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            await app.digests.at(channel, DAY)
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def process(words: list[str], folder: Path) -> tuple[float, float]:
    """Median seconds, and the highest peak memory in MB, of whole processes after one warm-up."""
    env = {**os.environ, "PAPERBOY_DATA_DIR": str(folder)}
    times, peaks = [], []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, *words], env=env, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
        peaks.append(int(done.stderr.split()[-1]) / 1024)
    return statistics.median(times[1:]), max(peaks)


# Not what the system says of ended children: that begins with the memory of the parent.
_TELL_PEAK = (
    "import atexit, sys\n"
    "atexit.register(lambda: print(next(line.split()[1] for line in open('/proc/self/status')"
    " if line.startswith('VmHWM')), file=sys.stderr))\n"
)


def measure(data: Path) -> list[Row]:
    dump = data / DUMP
    rows: list[Row] = []

    def add(name: str, ours: float, unit: str, peer: str, theirs: float, note: str = "") -> None:
        rows.append({"what": name, "ours": ours, "unit": unit, "peer": peer, "theirs": theirs,
                     "ratio": ours / theirs, "note": note})  # fmt: skip

    with tempfile.TemporaryDirectory() as name:
        folder, bare = Path(name) / "data", Path(name) / "bare.sqlite3"
        start = time.perf_counter()
        read = asyncio.run(import_dump(folder, dump))
        first = time.perf_counter() - start
        peer = clocked(lambda: bare_sqlite(bare, dump))
        again = clocked(lambda: asyncio.run(import_dump(folder, dump)))
        add("import", first, "s", "bare SQLite inserts", peer, f"{read / first:,.0f} papers/s")
        add(
            "import again", again, "s", "bare SQLite inserts", peer, f"{read / again:,.0f} papers/s"
        )
        ours = asyncio.run(digests(folder))
        db = full_text(bare)
        add("digest, 10 subscriptions", ours, "s", "FTS5, the same 10 queries",
            median(lambda: ask_full_text(db)), f"{read:,} papers")  # fmt: skip
        db.close()
        words = ["-c", f"{_TELL_PEAK}from bot.cli import main\nmain()", "digest",
                 *(w for q in QUERIES for w in ("--query", q)), "--at", str(DAY), "--json"]  # fmt: skip
        seconds, peak = process(words, folder)
        libraries = "import asyncio, sqlite3, typer, pydantic_settings, tinydb"
        empty = process(["-c", _TELL_PEAK + libraries], folder)
        add(
            "paperboy digest --json",
            seconds,
            "s",
            "importing its libraries",
            empty[0],
            "whole process",
        )
        add(
            "paperboy digest --json", peak, "MB", "importing its libraries", empty[1], "peak memory"
        )
    return rows


def table(rows: list[Row]) -> str:
    lines = ["| what | Paperboy | peer | ratio | note |", "|---|---|---|---|---|"]
    for row in rows:
        unit = row["unit"]
        theirs = f"{row['theirs']:.2f} {unit}, {row['peer']}" if "theirs" in row else ""
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        lines.append(
            f"| {row['what']} | {row['ours']:.2f} {unit} | {theirs} | {ratio} | {row['note']} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.whole", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the dumps")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if not (options.data / DUMP).exists():
        sys.exit(f"There is no {DUMP} in {options.data}. Name its folder: make bench DATA=FOLDER")
    rows = measure(options.data)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}\n\n{table(rows)}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
