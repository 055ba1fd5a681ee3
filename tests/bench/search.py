"""How fast search is: python -m tests.bench.search [--papers N] [--data FOLDER] [--json FILE].

N papers of a real dump, in a library on disk. Beyond the dump's size papers are recombined: the
sentences of all real abstracts are shuffled and dealt out again, as many to a paper as a real one
has, under the first half of one real title and the second half of another.

Asked are 100 keyword phrases, 60 titles and 40 long questions, one after the other, each once to
warm up; an update brings 1,000 further papers. Beside ours, over the same texts and questions:
SQLite's FTS5 (OR, bm25) and bm25s, which cannot update, so that its index is built anew. Each runs
in a process of its own, whose peak memory is measured; "open" is from opening to a first answer, in
a process that has just started. Times are those of the clock; "busy" ones count only while the
process runs, and tell more where others use the machine.

At last the bundled sample papers join, each of which must be the first hit for three to six words
of its title, and a hundred hostile queries are timed.
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
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from adapters.search import PaperIndex
from adapters.storage.sqlite import Store
from bot import app
from bot.errors import UserError
from bot.model import Origin, Paper, Record
from bot.ports import Search
from bot.query import WORDS, Clause, Item, Query, parse
from bot.text import GLUE, sentences
from tests.test_search_queries import HOSTILE

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DUMP = "arxiv_2026_spring.jsonl.gz"
TODAY = date(2026, 7, 1)
NEW = 1000  # papers of an update
FIRST = "speculative decoding"
COLUMNS = (
    "system", "build_s", "open_s", "p50_ms", "p99_ms", "p50_busy_ms", "p99_busy_ms",
    "update_1000_s", "update_1000_busy_s", "peak_mb", "disk_mb",
)  # fmt: skip
Row = dict[str, float | str]


def papers(dump: Path, count: int) -> list[Record]:
    with gzip.open(dump, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, count)]
    records = [
        Record(
            Paper(
                f"arxiv:{row['id']}", row["title"], row["abstract"],
                tuple(row["authors"]), tuple(row["categories"]),
            ),
            Origin.JSONL, date.fromisoformat(row["first_seen"]),
        )
        for row in rows
    ]  # fmt: skip
    split = [sentences(row["abstract"]) for row in rows]
    dealt: list[str] = []
    chosen = random.Random(7)  # noqa: S311  # no secret
    for n in range(count - len(rows)):
        again, number = divmod(n, len(rows))
        if len(dealt) < len(split[number]):
            dealt = [sentence for abstract in split for sentence in abstract]
            chosen.shuffle(dealt)
        mine = [dealt.pop() for _ in split[number]]
        one, other = (chosen.choice(rows)["title"].split() for _ in range(2))
        title = " ".join(one[: (len(one) + 1) // 2] + other[len(other) // 2 :])
        real = records[number]
        paper = replace(
            real.paper, id=f"arxiv:{1001 + again:04}.{number:05}", title=title,
            abstract=" ".join(mine),
        )  # fmt: skip
        records.append(replace(real, paper=paper))
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


class Clock:
    """Seconds since it was made, and those of them in which this process ran, on all its threads."""

    def __init__(self) -> None:
        self._wall, self._busy = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._busy


async def clocked(
    ask: Callable[[str], Awaitable[object]], asked: Sequence[str]
) -> list[tuple[float, float]]:
    """Seconds of each."""
    for text in asked:
        await ask(text)
    times = []
    for text in asked:
        clock = Clock()
        await ask(text)
        times.append(clock.read())
    return times


def row(name: str, times: Sequence[tuple[float, float]], **figures: float) -> Row:
    wall, busy = (
        statistics.quantiles([time * 1000 for time in kind], n=100)
        for kind in zip(*times, strict=True)
    )
    return {
        "system": name, "p50_ms": wall[49], "p99_ms": wall[98], "p50_busy_ms": busy[49],
        "p99_busy_ms": busy[98], **figures, "peak_mb": peak(),
    }  # fmt: skip


def peak() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


async def library(folder: Path) -> Store:
    return await Store.open(folder / "papers.sqlite3", lambda: datetime.now(UTC))


async def stored(folder: Path) -> AsyncIterator[Paper]:
    """The papers of the library, without holding them all."""
    async with await library(folder) as store:
        at = 0
        while revisions := await store.revised(at, 1000):
            for revision in revisions:
                if revision.paper is not None:
                    yield revision.paper
            at = revisions[-1].number


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*")) / 1e6


async def ours(folder: Path, asked: Sequence[str], new: Sequence[Record]) -> Row:
    async with (
        await library(folder) as store,
        await PaperIndex.open(folder / "index", store) as index,
    ):
        start = time.perf_counter()
        await index.update()
        built = time.perf_counter() - start

        async def ask(text: str) -> object:
            return await index.search(Search(words(text)))

        times = await clocked(ask, asked)
        size = megabytes(folder / "index")
        updates = []
        for n in range(0, len(new), NEW):
            await store.add(new[n : n + NEW], today=TODAY, live=False)
            clock = Clock()
            await index.update()
            updates.append(clock.read())
    update, busy = map(statistics.median, zip(*updates, strict=True))
    return row("search", times, build_s=built, update_1000_s=update, update_1000_busy_s=busy,
               disk_mb=size)  # fmt: skip


async def ours_opened(folder: Path) -> float:
    async with await library(folder) as store:
        start = time.perf_counter()
        async with await PaperIndex.open(folder / "index", store) as index:
            await index.search(Search(words(FIRST)))
            return time.perf_counter() - start


FTS5 = "SELECT rowid FROM papers WHERE papers MATCH ? ORDER BY bm25(papers, 5, 1) LIMIT 10"


async def fts5(folder: Path, asked: Sequence[str], new: Sequence[Record]) -> Row:
    path = folder / "fts5.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        start = time.perf_counter()
        db.execute(
            "CREATE VIRTUAL TABLE papers USING "
            "fts5(title, abstract, content='', tokenize='porter unicode61')"
        )
        insert = "INSERT INTO papers (title, abstract) VALUES (?, ?)"
        async for paper in stored(folder):
            db.execute(insert, (paper.title, paper.abstract))
        db.commit()
        built = time.perf_counter() - start

        async def ask(text: str) -> object:
            return db.execute(FTS5, (any_word(text),)).fetchall()

        times = await clocked(ask, asked)
        size = path.stat().st_size / 1e6
        clock = Clock()
        db.executemany(insert, [(r.paper.title, r.paper.abstract) for r in new[:NEW]])
        db.commit()
        update, busy = clock.read()
        return row("fts5", times, build_s=built, update_1000_s=update, update_1000_busy_s=busy,
                   disk_mb=size)  # fmt: skip


def any_word(text: str) -> str:
    return " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))


async def fts5_opened(folder: Path) -> float:
    start = time.perf_counter()
    with closing(sqlite3.connect(folder / "fts5.sqlite3")) as db:
        db.execute(FTS5, (any_word(FIRST),)).fetchall()
    return time.perf_counter() - start


def bm25s_tokens(texts: list[str]) -> object:
    import bm25s as peer  # type: ignore[import-not-found,unused-ignore]  # a bench may lack it
    import Stemmer

    return peer.tokenize(
        texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False
    )


async def bm25s(folder: Path, asked: Sequence[str], new: Sequence[Record]) -> Row:
    import bm25s as peer  # type: ignore[import-not-found,unused-ignore]

    clock = Clock()
    model = peer.BM25(method="lucene", k1=1.5, b=0.75)
    texts = [f"{paper.title} {paper.abstract}" async for paper in stored(folder)]
    model.index(bm25s_tokens(texts), show_progress=False)
    built, busy = clock.read()
    model.save(folder / "bm25s", show_progress=False)

    async def ask(text: str) -> object:
        return model.retrieve(bm25s_tokens([text]), k=10, show_progress=False)

    size = megabytes(folder / "bm25s")
    return row("bm25s", await clocked(ask, asked), build_s=built, update_1000_s=built,
               update_1000_busy_s=busy, disk_mb=size)  # fmt: skip


async def bm25s_opened(folder: Path) -> float:
    import bm25s as peer  # type: ignore[import-not-found,unused-ignore]

    start = time.perf_counter()
    model = peer.BM25.load(folder / "bm25s", show_progress=False)
    model.retrieve(bm25s_tokens([FIRST]), k=10, show_progress=False)
    return time.perf_counter() - start


SYSTEMS = {
    "search": (ours, ours_opened),
    "fts5": (fts5, fts5_opened),
    "bm25s": (bm25s, bm25s_opened),
}


async def sample_titles(folder: Path) -> tuple[int, int, list[str]]:
    """Among the others, the sample papers that three to six words of their titles find first."""
    async with (
        await library(folder) as store,
        await PaperIndex.open(folder / "index", store) as index,
    ):
        await store.add(app.sample(), today=TODAY, live=False)
        await index.update()
        asked = found = 0
        missed = []
        for record in app.sample():
            for length in range(3, 7):
                text = some_words(record.paper.title, length)
                page = await index.search(Search(words(text), limit=1))
                asked += 1
                first = await store.find(page.hits[0][0]) if page.hits else None
                if first is not None and first.title == record.paper.title:
                    found += 1
                else:
                    missed.append(f"{text} → {first.title if first else 'nothing'}")
    return asked, found, missed


async def hostile(folder: Path) -> list[tuple[float, str]]:
    """Milliseconds of work for each hostile query, the slowest first."""
    times = []
    async with (
        await library(folder) as store,
        await PaperIndex.open(folder / "index", store) as index,
    ):
        for text in HOSTILE:
            clock = Clock()
            with suppress(UserError):  # a plain mistake is an answer too
                await index.search(Search(parse(text)))
            times.append((clock.read()[1] * 1000, text))
    return sorted(times, reverse=True)


def some_words(title: str, length: int) -> str:
    """The first words of a title that say something, in order."""
    return " ".join([w for w in title.split() if w.lower().strip(":") not in GLUE][:length])


def table(rows: Sequence[Row]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for found in rows:
        cells = (found[name] for name in COLUMNS)
        shown = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines)


def child(name: str, step: str, folder: Path) -> Any:
    """What a step of a system tells, run in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.search", "--step", name, step, str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


async def step(name: str, which: str, folder: Path) -> object:
    build, opened = SYSTEMS[name]
    if which == "open":
        return await opened(folder)
    asked = json.loads((folder / "questions.json").read_bytes())
    new = [
        Record(Paper(**paper), Origin.JSONL)
        for paper in json.loads((folder / "new.json").read_bytes())
    ]
    return await build(folder, asked, new)


async def prepare(folder: Path, dump: Path, count: int) -> None:
    records = papers(dump, count + 3 * NEW)
    async with await library(folder) as store:
        everything = iter(records[:count])
        while batch := list(islice(everything, 1000)):
            await store.add(batch, today=TODAY, live=False)
    (folder / "questions.json").write_text(json.dumps(questions(records[:count])), encoding="utf-8")
    new = [
        {"id": f"arxiv:{900 + n:04}.00001", "title": r.paper.title, "abstract": r.paper.abstract}
        for n, r in enumerate(records[count:])
    ]
    (folder / "new.json").write_text(json.dumps(new), encoding="utf-8")


def measure(dump: Path, count: int) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(prepare(folder, dump, count))
        for system in ("fts5", "bm25s", "search"):  # ours last: it adds to the library
            try:
                found = child(system, "build", folder)
            except subprocess.CalledProcessError:
                print(f"{system} is left out: is it installed?", file=sys.stderr)
                continue
            opened = [child(system, "open", folder) for _ in range(3)]
            rows.insert(0, found | {"open_s": statistics.median(opened)})
        asked, first, missed = asyncio.run(sample_titles(folder))
        print(f"sample titles found first: {first} of {asked}", *missed, sep="\n  ", flush=True)
        slowest = asyncio.run(hostile(folder))
        took, text = slowest[0]
        print(f"hostile queries: {len(slowest)}, the slowest took {took:.1f} ms: {text[:60]}\n")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search", description=__doc__)
    parser.add_argument("--papers", type=int, default=200_000)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the dump")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    if options.step:
        name, which, folder = options.step
        print(json.dumps(asyncio.run(step(name, which, Path(folder)))))
        return
    if not (options.data / DUMP).exists():
        sys.exit(f"There is no {DUMP} in {options.data}. Name its folder: --data FOLDER")
    rows = measure(options.data / DUMP, options.papers)
    print(table(rows))
    if options.json:
        document = {"papers": options.papers, "rows": rows}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
