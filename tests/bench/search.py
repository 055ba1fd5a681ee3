"""How fast search is: python -m tests.bench.search [--papers N] [--data FOLDER] [--json FILE].

N papers with the titles and abstracts of a real dump (beyond its size newly paired), in a library
on disk. Asked are 100 keyword phrases, 60 titles and 40 long questions, one after the other, each
once to warm up. Beside ours, over the same texts and questions: SQLite's FTS5 (OR, bm25) and bm25s,
which cannot update, so that its index is built anew.

At last the bundled sample papers join, and each must be the first hit for some words of its title.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from adapters.search import PaperIndex
from adapters.storage.sqlite import Store
from bot import app
from bot.model import Origin, Paper, Record
from bot.ports import Search
from bot.query import WORDS, Clause, Item, Query
from bot.text import GLUE

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DUMP = "arxiv_2026_spring.jsonl.gz"
TODAY = date(2026, 7, 1)
NEW = 1000  # papers of an update
COLD = """
import asyncio, sys, time
from datetime import UTC, datetime
from pathlib import Path
from adapters.search import PaperIndex
from adapters.storage.sqlite import Store
from bot.ports import Search
from bot.query import parse
async def main(folder):
    async with await Store.open(folder / "papers.sqlite3", lambda: datetime.now(UTC)) as library:
        start = time.perf_counter()
        async with await PaperIndex.open(folder / "index", library) as index:
            page = await index.search(Search(parse("speculative decoding")))
            print(time.perf_counter() - start if page.hits else "nothing found")
asyncio.run(main(Path(sys.argv[1])))
"""


def papers(dump: Path, count: int) -> list[Record]:
    with gzip.open(dump, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    records = []
    for n in range(count):
        row, other = rows[n % len(rows)], rows[(n * 7919 + n // len(rows)) % len(rows)]
        again, number = divmod(n, len(rows))
        day = date.fromisoformat(row["first_seen"]) - timedelta(days=120 * again)
        paper = Paper(
            f"arxiv:{row['id']}" if not again else f"arxiv:{1000 + again:04}.{number:05}",
            row["title"],
            (other if again else row)["abstract"],
            tuple(row["authors"]),
            tuple(row["categories"]),
        )
        records.append(Record(paper, Origin.JSONL, day))
    return records


def questions(records: Sequence[Record]) -> list[str]:
    """100 keyword phrases, 60 titles, 40 long questions, always the same ones."""
    chosen = random.Random(7)  # noqa: S311  # no secret
    found: list[str] = []
    for record in chosen.sample(list(records), 100):
        words = [w for w in re.findall(r"[\w-]+", record.paper.title) if w.lower() not in GLUE]
        start = chosen.randrange(max(1, len(words) - 2))
        found.append(" ".join(words[start : start + chosen.choice((1, 2, 2, 3))]) or "attention")
    found += [record.paper.title for record in chosen.sample(list(records), 60)]
    for record in chosen.sample(list(records), 40):
        found.append(f"What is known about {' '.join(record.paper.abstract.split()[:12])}?")
    return found


def words(text: str) -> Query:
    return Query((Clause((Item(WORDS, text),)),))


async def clocked(ask: Callable[[str], Awaitable[object]], asked: Sequence[str]) -> list[float]:
    """Milliseconds of each."""
    for text in asked:
        await ask(text)
    times = []
    for text in asked:
        start = time.perf_counter()
        await ask(text)
        times.append((time.perf_counter() - start) * 1000)
    return times


def row(name: str, times: Sequence[float], **figures: float) -> dict[str, float | str]:
    cuts = statistics.quantiles(times, n=100)
    shares = {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(times)}
    return {"system": name, **shares, **figures}


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("index/*/*")) / 1e6


async def ours(
    folder: Path, records: Sequence[Record], asked: Sequence[str]
) -> dict[str, float | str]:
    async with await Store.open(folder / "papers.sqlite3", lambda: datetime.now(UTC)) as library:
        everything = iter(records)
        while batch := list(islice(everything, 1000)):
            await library.add(batch, today=TODAY, live=False)
        async with await PaperIndex.open(folder / "index", library) as index:
            start = time.perf_counter()
            await index.update()
            built = time.perf_counter() - start
            size = megabytes(folder)

            async def ask(text: str) -> object:
                return await index.search(Search(words(text)))

            times = await clocked(ask, asked)
            updates = []
            for n in range(3):
                changed = [
                    replace(record, paper=replace(record.paper, version=n + 1, note=f"{n}"))
                    for record in records[n * NEW : (n + 1) * NEW]
                ]
                await library.add(changed, today=TODAY, live=False)
                start = time.perf_counter()
                await index.update()
                updates.append(time.perf_counter() - start)
        cold = []
        for _ in range(3):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", COLD, str(folder), stdout=asyncio.subprocess.PIPE
            )
            told, _ = await process.communicate()
            cold.append(float(told))
    return row(
        "search", times, build_s=built, disk_MB=size, update_1000_s=statistics.median(updates),
        cold_open_and_answer_s=statistics.median(cold),
    )  # fmt: skip


async def fts5(
    folder: Path, records: Sequence[Record], asked: Sequence[str]
) -> dict[str, float | str]:
    path = folder / "fts5.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        start = time.perf_counter()
        db.execute(
            "CREATE VIRTUAL TABLE papers USING "
            "fts5(title, abstract, content='', tokenize='porter unicode61')"
        )
        insert = "INSERT INTO papers (rowid, title, abstract) VALUES (?, ?, ?)"
        rows = [(n, r.paper.title, r.paper.abstract) for n, r in enumerate(records)]
        db.executemany(insert, rows)
        db.commit()
        built = time.perf_counter() - start

        async def ask(text: str) -> object:
            match = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
            return db.execute(
                "SELECT rowid FROM papers WHERE papers MATCH ? ORDER BY bm25(papers, 5, 1) LIMIT 10",
                (match,),
            ).fetchall()

        times = await clocked(ask, asked)
        start = time.perf_counter()
        db.executemany(insert, [(n + len(rows), *texts) for n, *texts in rows[:NEW]])
        db.commit()
        return row("fts5", times, build_s=built, disk_MB=path.stat().st_size / 1e6,
                   update_1000_s=time.perf_counter() - start)  # fmt: skip


async def bm25s(records: Sequence[Record], asked: Sequence[str]) -> dict[str, float | str]:
    import bm25s as peer  # type: ignore[import-not-found,unused-ignore]  # a bench may lack it
    import Stemmer

    stemmer = Stemmer.Stemmer("english")

    def tokens(texts: list[str]) -> object:
        return peer.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)

    start = time.perf_counter()
    model = peer.BM25(method="lucene", k1=1.5, b=0.75)
    texts = [f"{record.paper.title} {record.paper.abstract}" for record in records]
    model.index(tokens(texts), show_progress=False)
    built = time.perf_counter() - start

    async def ask(text: str) -> object:
        return model.retrieve(tokens([text]), k=10, show_progress=False)

    return row("bm25s", await clocked(ask, asked), build_s=built, update_1000_s=built)


async def sample_titles(folder: Path) -> tuple[int, int, list[str]]:
    """Among the others, the sample papers that three to six words of their titles find first."""
    async with await Store.open(folder / "papers.sqlite3", lambda: datetime.now(UTC)) as library:
        await library.add(app.sample(), today=TODAY, live=False)
        async with await PaperIndex.open(folder / "index", library) as index:
            await index.update()
            asked = found = 0
            missed = []
            for record in app.sample():
                for length in range(3, 7):
                    text = some_words(record.paper.title, length)
                    page = await index.search(Search(words(text), limit=1))
                    asked += 1
                    first = await library.find(page.hits[0][0]) if page.hits else None
                    if first is not None and first.title == record.paper.title:
                        found += 1
                    else:
                        missed.append(f"{text} → {first.title if first else 'nothing'}")
    return asked, found, missed


def some_words(title: str, length: int) -> str:
    """The first words of a title that say something, in order."""
    return " ".join([w for w in title.split() if w.lower().strip(":") not in GLUE][:length])


def table(rows: Sequence[dict[str, float | str]]) -> str:
    names = list(dict.fromkeys(name for found in rows for name in found))
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for found in rows:
        cells = (found.get(name, "") for name in names)
        shown = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines)


async def measure(dump: Path, count: int) -> list[dict[str, float | str]]:
    records = papers(dump, count)
    asked = questions(records)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [await ours(folder, records, asked)]
        print(table(rows), flush=True)
        asked_titles, found, missed = await sample_titles(folder)
        print(
            f"sample titles found first: {found} of {asked_titles}", *missed, sep="\n  ", flush=True
        )
        rows.append(await fts5(folder, records, asked))
    try:
        rows.append(await bm25s(records, asked))
    except ImportError as error:
        print(f"bm25s is left out: {error.name} is not installed", file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=__doc__)
    parser.add_argument("--papers", type=int, default=200_000)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the dump")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if not (options.data / DUMP).exists():
        sys.exit(f"There is no {DUMP} in {options.data}. Name its folder: --data FOLDER")
    rows = asyncio.run(measure(options.data / DUMP, options.papers))
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
