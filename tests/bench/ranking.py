"""How well search and channels rank: python -m tests.bench.ranking DIR... [--json FILE].

Each DIR holds corpus.jsonl, queries.jsonl and qrels.tsv in BEIR's layout. Printed are nDCG@10
(linear gains), Recall@100 and MRR, the mean over the queries with a relevant document; a document
that is the query itself (its id, and its title is the query's text) is left out.

Every system gets the same text: title, abstract, given keywords.
- search: what people get who type the query; channel: ``bot.ranking`` for a channel that subscribes
  to every run of words between punctuation, glue and words such as "what" of the query, weighed by
  the shipped table of frequencies alone (the line, and so the background, has no say in an order);
- bm25s and rank_bm25 (where they are installed): k1 1.5, b 0.75, English stop words and stems;
- fts5: SQLite's, porter stems, bm25(5, 1); tantivy: its own two fields with en_stem.

Where a set's queries exclude something ("excluding …", "without …"), search is measured twice more:
with these parts dropped, and with each of them as ``-"…"`` besides. A part begins behind "excluding",
"except for", "does not mention" or "without …ing", and ends with the comma, bracket or sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import sqlite3
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import fmean
from typing import Any

import Stemmer
import tantivy

from adapters.search import PaperIndex
from adapters.search_queries import SILENT
from bot.keywords import Compiler, Document, Keyword
from bot.model import Channel, ChannelRef, Origin, Paper, Record, Subscription
from bot.ports import Search
from bot.query import PHRASE, WORDS, Clause, Item, Query
from bot.ranking import Background, Profile
from bot.text import fold
from tests.fakes import MemoryLibrary

DEPTH = 100
MEASURES = ("ndcg@10", "recall@100", "mrr")


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    text: str
    relevant: dict[str, float]
    own: frozenset[str]  # the paper that the question is


@dataclass(frozen=True, slots=True)
class Labelled:
    name: str
    papers: list[Paper]
    questions: list[Question]
    texts: list[str] = field(init=False)

    def __post_init__(self) -> None:
        texts = [" ".join((p.title, p.abstract, *p.keywords)) for p in self.papers]
        object.__setattr__(self, "texts", texts)


def load(folder: Path) -> Labelled:
    papers = [
        Paper(
            row["_id"], row["title"], row["text"],
            keywords=tuple(filter(None, map(str.strip, row.get("keywords", "").split(",")))),
        )
        for row in map(json.loads, (folder / "corpus.jsonl").open(encoding="utf-8"))
    ]  # fmt: skip
    titles = {paper.id: paper.title for paper in papers}
    grades: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = float(grade)
    questions = []
    for row in map(json.loads, (folder / "queries.jsonl").open(encoding="utf-8")):
        ids = (row["_id"], row["_id"].rpartition("-")[0])
        own = frozenset(paper for paper in ids if titles.get(paper) == row["text"])
        relevant = {d: g for d, g in grades.get(row["_id"], {}).items() if g > 0 and d not in own}
        if relevant:
            questions.append(Question(row["_id"], row["text"], relevant, own))
    return Labelled(folder.name, papers, questions)


System = Callable[[Labelled], Awaitable[list[list[str]]]]  # for each question ids, best first


def words(text: str) -> Query:
    return Query((Clause((Item(WORDS, text),)),))


async def ask(labelled: Labelled, queries: Sequence[Query]) -> list[list[str]]:
    library = MemoryLibrary()
    records = [Record(paper, Origin.JSONL) for paper in labelled.papers]
    await library.add(records, today=date(2026, 6, 24), live=False)
    with tempfile.TemporaryDirectory() as folder:
        async with await PaperIndex.open(Path(folder, "index"), library) as index:
            await index.update()
            pages = [await index.search(Search(query, limit=DEPTH + 1)) for query in queries]
    return [[paper_id for paper_id, _ in page.hits] for page in pages]


async def search(labelled: Labelled) -> list[list[str]]:
    return await ask(labelled, [words(question.text) for question in labelled.questions])


# What follows is excluded, up to the next comma, bracket or end of the sentence
_EXCLUDED = re.compile(
    r"\(?,?\s*\b(?:but )?(?:excluding|except for|do(?:es)? not mention|without \w+ing(?: on| about)?)"
    r"\s+([^(),?.;]+)[.)]?",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:(?:the|a|an|any|his|her|its|their|references?|discussions?|role|use|to|of|in|for|on)\s+)+",
    re.IGNORECASE,
)


def excluded(text: str) -> list[str]:
    return [_LEADING.sub("", part.strip(" “”\"'")) for part in _EXCLUDED.findall(text)]


async def search_dropped(labelled: Labelled) -> list[list[str]]:
    return await ask(labelled, [words(_EXCLUDED.sub(" ", q.text)) for q in labelled.questions])


async def search_without(labelled: Labelled) -> list[list[str]]:
    queries = [
        Query((
            *words(_EXCLUDED.sub(" ", question.text)).clauses,
            *(Clause((Item(PHRASE, part),), negated=True) for part in excluded(question.text)),
        ))
        for question in labelled.questions
    ]  # fmt: skip
    return await ask(labelled, queries)


def runs(text: str) -> tuple[Subscription, ...]:
    """What somebody would subscribe to who is after this: each run of words that say something."""
    found: list[str] = []
    for part in re.split(r"[.,;:?!()\[\]]", text):
        run: list[str] = []
        for word in [*part.split(), ""]:
            if word and fold(word) not in SILENT:
                run.append(word)
            elif run:
                found.append(" ".join(run))
                run = []
    asked = dict.fromkeys(run for run in found if any(map(str.isalnum, run)))
    return tuple(Subscription(n, words(run)) for n, run in enumerate(asked, start=1))


class Holders:
    """Which documents can hold a keyword: those with all the stems of one of its spellings."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._at: defaultdict[str, set[int]] = defaultdict(set)
        for n, document in enumerate(documents):
            for stem in {*document.text.stems, *document.text.joined}:
                self._at[stem].add(n)

    def of(self, keyword: Keyword) -> set[int]:
        found: set[int] = set()
        for spelling in keyword.pattern.spellings:
            found |= set.intersection(*(self._at[part.stem] for part in spelling))
        if keyword.words:
            found |= set.intersection(*map(self.of, keyword.words))
        return found


async def channel(labelled: Labelled) -> list[list[str]]:
    documents = [Document(paper) for paper in labelled.papers]
    holders = Holders(documents)
    compiler = Compiler()
    nothing = Background(())
    found = []
    for question in labelled.questions:
        subscriptions = runs(question.text)
        keywords = {item for s in subscriptions for item in s.query.keywords}
        holding = set().union(*(holders.of(compiler.keyword(item)) for item in keywords))
        profile = Profile(Channel(ChannelRef("none", "none", "none"), subscriptions), nothing)
        verdicts = (profile.judge(documents[n]) for n in holding)
        best = sorted((-v.score, v.paper.id) for v in verdicts if v.score > 0)
        found.append([paper_id for _, paper_id in best[: DEPTH + 1]])
    return found


async def bm25s(labelled: Labelled) -> list[list[str]]:
    import bm25s as peer  # type: ignore[import-not-found,unused-ignore]  # a bench may lack it

    stemmer = Stemmer.Stemmer("english")

    def tokens(texts: list[str]) -> object:
        return peer.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)

    model = peer.BM25(method="lucene", k1=1.5, b=0.75)
    model.index(tokens(labelled.texts), show_progress=False)
    found = []
    for question in labelled.questions:
        depth = min(DEPTH + 1, len(labelled.papers))
        at, scores = model.retrieve(tokens([question.text]), k=depth, show_progress=False)
        pairs = zip(at[0], scores[0], strict=True)
        found.append([labelled.papers[n].id for n, score in pairs if score > 0])
    return found


async def rank_bm25(labelled: Labelled) -> list[list[str]]:
    from bm25s.stopwords import STOPWORDS_EN  # type: ignore[import-not-found,unused-ignore]
    from rank_bm25 import BM25Okapi  # type: ignore[import-untyped,import-not-found,unused-ignore]

    stemmer = Stemmer.Stemmer("english")

    def tokens(text: str) -> list[str]:
        kept = [w for w in re.findall(r"\w\w+", text.lower()) if w not in STOPWORDS_EN]
        stems: list[str] = stemmer.stemWords(kept)
        return stems

    model = BM25Okapi([tokens(text) for text in labelled.texts])
    found = []
    for question in labelled.questions:
        scores = model.get_scores(tokens(question.text))
        best = sorted(range(len(scores)), key=lambda n: -scores[n])[: DEPTH + 1]
        found.append([labelled.papers[n].id for n in best if scores[n] > 0])
    return found


async def fts5(labelled: Labelled) -> list[list[str]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(
            "CREATE VIRTUAL TABLE papers USING fts5(title, body, tokenize='porter unicode61')"
        )
        db.executemany(
            "INSERT INTO papers VALUES (?, ?)",
            ((p.title, " ".join((p.abstract, *p.keywords))) for p in labelled.papers),
        )
        ask = f"""SELECT rowid FROM papers WHERE papers MATCH ?
            ORDER BY bm25(papers, 5, 1) LIMIT {DEPTH + 1}"""  # noqa: S608  # our own number
        found = []
        for question in labelled.questions:
            match = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question.text))
            rows = db.execute(ask, (match,))
            found.append([labelled.papers[n - 1].id for (n,) in rows])
    return found


async def tantivy_default(labelled: Labelled) -> list[list[str]]:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("title", tokenizer_name="en_stem")
    builder.add_text_field("body", tokenizer_name="en_stem")
    index = tantivy.Index(builder.build())
    writer = index.writer()
    for paper in labelled.papers:
        body = " ".join((paper.abstract, *paper.keywords))
        writer.add_document(tantivy.Document(id=paper.id, title=paper.title, body=body))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    found = []
    for question in labelled.questions:
        plain = " ".join(re.findall(r"\w+", fold(question.text)))
        query, _ = index.parse_query_lenient(plain, ["title", "body"])
        hits = searcher.search(query, DEPTH + 1).hits
        found.append([str(searcher.doc(at)["id"][0]) for _, at in hits])
    return found


SYSTEMS: dict[str, System] = {
    "search": search,
    "channel": channel,
    "bm25s": bm25s,
    "fts5": fts5,
    "tantivy": tantivy_default,
    "rank_bm25": rank_bm25,
}
WITH_EXCLUSIONS: dict[str, System] = {
    "search, excluded words dropped": search_dropped,
    "search, as -terms": search_without,
}


def measure(labelled: Labelled, found: Sequence[Sequence[str]]) -> dict[str, float]:
    rows = []
    for question, ranked in zip(labelled.questions, found, strict=True):
        shown = [paper_id for paper_id in ranked if paper_id not in question.own]
        rows.append(scores(question.relevant, shown[:DEPTH]))
    return {name: fmean(row[name] for row in rows) for name in MEASURES}


def scores(relevant: dict[str, float], shown: Sequence[str]) -> dict[str, float]:
    gains = [relevant.get(paper_id, 0.0) for paper_id in shown]
    ideal = sorted(relevant.values(), reverse=True)
    first = next((rank for rank, gain in enumerate(gains, start=1) if gain), None)
    return {
        "ndcg@10": _dcg(gains) / _dcg(ideal),
        "recall@100": sum(map(bool, gains)) / len(relevant),
        "mrr": 1 / first if first else 0.0,
    }


def _dcg(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:10], start=1))


def table(results: dict[str, dict[str, dict[str, float]]], name: str) -> str:
    systems = list(dict.fromkeys(system for found in results.values() for system in found))
    lines = [f"| {name} | {' | '.join(results)} | mean |", "|---" * (len(results) + 2) + "|"]
    for system in systems:
        values = [found[system][name] if system in found else None for found in results.values()]
        shown = [f"{value:.4f}" if value is not None else "" for value in values]
        mean = f"{fmean(v for v in values if v is not None):.4f}" if None not in values else ""
        lines.append(f"| {system} | {' | '.join(shown)} | {mean} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ranking", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=list(SYSTEMS))
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for folder in options.folders:
        labelled = load(folder)
        systems = {name: SYSTEMS[name] for name in options.systems}
        if sum(bool(excluded(q.text)) for q in labelled.questions) * 2 > len(labelled.questions):
            systems |= WITH_EXCLUSIONS
        results[labelled.name] = {}
        for name, system in systems.items():
            try:
                found: Any = asyncio.run(system(labelled))  # type: ignore[arg-type]
            except ImportError as error:
                print(f"{name} is left out: {error.name} is not installed", file=sys.stderr)
                continue
            results[labelled.name][name] = measure(labelled, found)
    print("\n\n".join(table(results, name) for name in MEASURES))
    if options.json:
        options.json.write_text(json.dumps({"sets": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
