"""All channels at once: python -m tests.bench.matching [--channels N ...] [--data FOLDER] [--json FILE].

1,000 real papers meet N channels of 5 to 20 subscriptions, calibrated against 1,500 other papers.
The keywords are 50,000 runs of one to four words of real titles, drawn with Zipf's frequencies. Of
the subscriptions 60 % are bare words, 16 % a quoted phrase, 8 % two phrases with | between them, 7 %
exclude a word, 6 % add a category, 2 % look at titles only, 1 % are an author; a tenth has weight 2;
a third of the channels mutes a word.

Each N runs in a process of its own. *seconds* is one match of the papers as they come, with reading
their text; compiling and calibrating, which happens once, is told apart. The peers, over papers that
are read already: the plain loop over channels and papers (``Profile.judge``), and one query per
channel to a tantivy index of the papers (another score). Both are measured on some of the channels
and extrapolated. *differences* are channels for which the plain loop finds other papers or points.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any

import tantivy

from bot.keywords import Document
from bot.matching import Matcher
from bot.model import Channel, ChannelRef, Paper, Subscription
from bot.query import VALUE_LENGTH, Query, parse
from bot.ranking import Background, Profile
from bot.text import GLUE

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DUMP = "arxiv_2026_spring.jsonl.gz"
SIZES = (100, 1000, 10_000, 100_000)
PAPERS, BACKGROUND, KEYWORDS = 1000, 1500, 50_000
CHECKED = 60  # channels for which the plain loop runs
ASKED = 500  # channels for which tantivy is asked


def papers(dump: Path) -> list[Paper]:
    draw = random.Random(1)  # noqa: S311
    with gzip.open(dump, "rt", encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines if draw.random() < 0.5)
        chosen = [
            Paper(f"arxiv:{row['id']}", row["title"], row["abstract"], tuple(row["authors"]),
                  tuple(row["categories"]))
            for row in islice(rows, PAPERS + BACKGROUND + KEYWORDS // 4)
        ]  # fmt: skip
    draw.shuffle(chosen)
    return chosen


class Interests:
    """What channels ask for, drawn from the titles, authors and categories of papers."""

    def __init__(self, found: Sequence[Paper], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        runs = dict.fromkeys(run for paper in found for run in _runs(paper.title))
        self._runs = list(runs)
        self._random.shuffle(self._runs)
        del self._runs[KEYWORDS:]
        self._chances = [*accumulate(1 / (10 + n) for n in range(len(self._runs)))]
        self._authors = [a for p in found for a in p.authors if re.fullmatch(r"[\w. -]{3,60}", a)]
        self._categories = [category for paper in found for category in paper.categories]
        self._parse = lru_cache(20_000)(parse)

    def _run(self) -> str:
        return self._random.choices(self._runs, cum_weights=self._chances)[0]

    def _query(self) -> Query:
        words, shape = self._run(), self._random.random()
        if shape < 0.60:
            text = words
        elif shape < 0.76:
            text = f'"{words}"'
        elif shape < 0.84:
            text = f'"{words}"|"{self._run()}"'
        elif shape < 0.91:
            text = f"{words} -{self._run().split()[0]}"
        elif shape < 0.97:
            text = f"cat:{self._random.choice(self._categories)} {words}"
        elif shape < 0.99:
            text = f'title:"{words}"'
        else:
            text = f'author:"{self._random.choice(self._authors)}"'
        return self._parse(text)

    def channel(self, number: int) -> Channel:
        queries = dict.fromkeys(self._query() for _ in range(self._random.randint(5, 20)))
        muted = (parse(self._run().split()[0]),) if self._random.random() < 1 / 3 else ()
        return Channel(
            ChannelRef("bench", "local", f"c{number}"),
            tuple(
                Subscription(n, query, 2.0 if self._random.random() < 0.1 else 1.0)
                for n, query in enumerate(queries, start=1)
            ),
            muted=muted,
        )


def _runs(title: str) -> Iterator[str]:
    words = re.findall(r"[A-Za-z][A-Za-z0-9]+", title)
    for length in range(1, 5):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            ends = {run[0].lower(), run[-1].lower()}
            if ends.isdisjoint(GLUE) and "OR" not in run and len(" ".join(run)) <= VALUE_LENGTH:
                yield " ".join(run)


def peak() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def tantivy_seconds(channels: Sequence[Channel], documents: Sequence[Document]) -> float:
    """Of one query per channel, each with all words of its subscriptions."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer()
    for document in documents:
        paper = document.paper
        writer.add_document(tantivy.Document(text=f"{paper.title} {paper.abstract}"))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    start = time.perf_counter()
    for channel in channels:
        words = [item.text for s in channel.subscriptions for item in s.query.keywords]
        query, _ = index.parse_query_lenient(" ".join(words), ["text"])
        searcher.search(query, 10)
    return time.perf_counter() - start


def measure(dump: Path, count: int) -> dict[str, Any]:
    found = papers(dump)
    interests = Interests(found[PAPERS + BACKGROUND :], seed=count)
    del found[PAPERS + BACKGROUND :]
    background = Background([Document(paper) for paper in found[PAPERS : PAPERS + BACKGROUND]])
    matcher = Matcher(background)
    sample = []
    compiling = 0.0
    for number in range(count):
        channel = interests.channel(number)
        if number % max(1, count // ASKED) == 0:
            sample.append(channel)
        start = time.perf_counter()
        matcher.put(channel)
        compiling += time.perf_counter() - start
    start = time.perf_counter()
    matcher.calibrate()
    calibrating = time.perf_counter() - start
    start = time.perf_counter()
    matches = matcher.match([Document(paper) for paper in found[:PAPERS]])
    seconds = time.perf_counter() - start
    memory = peak()

    documents = [Document(paper) for paper in found[:PAPERS]]
    for document in documents:
        _ = document.text, document.haystack
    checked = sample[:: max(1, len(sample) // CHECKED)][:CHECKED]
    differences, naive = 0, 0.0
    for channel in checked:
        profile = Profile(channel, background)
        start = time.perf_counter()
        verdicts = [profile.judge(document) for document in documents]
        naive += time.perf_counter() - start
        expected = {verdict.paper.id: verdict.score for verdict in verdicts if verdict.passed}
        told = {document.paper.id: score for document, score in matches.of(channel.ref)}
        differences += told != expected or profile.line != matcher.line(channel.ref)
    naive *= count / len(checked)
    queries = tantivy_seconds(sample, documents) * count / len(sample)
    return {
        "channels": count, "papers": PAPERS, "seconds": seconds, "peak_mb": memory,
        "differences": differences, "checked": len(checked), "ratio_to_naive": naive / seconds,
        "naive_seconds": naive, "tantivy_seconds": queries, "passed": len(matches.papers),
        "compile_seconds": compiling, "calibrate_seconds": calibrating,
    }  # fmt: skip


def table(runs: Sequence[dict[str, Any]]) -> str:
    names = ["channels", "seconds", "growth", "peak_mb", "naive_seconds", "ratio_to_naive",
             "tantivy_seconds", "differences", "checked", "passed", "compile_seconds",
             "calibrate_seconds"]  # fmt: skip
    growth = [
        (b["seconds"] / a["seconds"]) / (b["channels"] / a["channels"]) for a, b in pairwise(runs)
    ]
    rows = [{**run, "growth": g} for run, g in zip(runs, ["", *growth], strict=True)]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in rows:
        cells = (f"{row[n]:,.2f}" if isinstance(row[n], float) else f"{row[n]}" for n in names)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.matching", description=__doc__)
    parser.add_argument("--channels", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the dump")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.data / DUMP).exists():
        sys.exit(f"There is no {DUMP} in {options.data}. Name its folder: --data FOLDER")
    if options.alone:
        print(json.dumps(measure(options.data / DUMP, options.channels[0])))
        return
    runs = []
    for count in options.channels:
        words = ["-m", "tests.bench.matching", "--alone", "--channels", str(count)]
        done = subprocess.run(
            [sys.executable, *words, "--data", str(options.data)],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        runs.append(json.loads(done.stdout))
    print(table(runs))
    if options.json:
        options.json.write_text(json.dumps({"runs": runs}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
