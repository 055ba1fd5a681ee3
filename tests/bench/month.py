"""A month of digests as a ranking task: python -m tests.bench.month [--data FOLDER] [--json FILE].

The data is a spring of Hugging Face's daily lists, where each paper has given keywords. They serve
as interests and as labels only: what is ranked has title and abstract, as if nobody had tagged it.
- A channel is the interest behind one paper, the seed: 3 to 6 of its given keywords, drawn from
  those that at least 3 papers and at most 5 % of all have, each one subscription and spelt as
  there. No keyword is chosen by what a ranker makes of it. The seed is never ranked for its channel.
- A paper is relevant if one of its given keywords is one of the channel's, compared by stems.
  Papers without given keywords are left out of the month.
- The month is the last 30 list days; the background are the papers listed before it.

Precision at 10 is the mean over the days of all channels that have a relevant paper; beside it the
same hits as a share of what could be hit, min(10, relevant). What is posted is measured over all
days together: ours is what reaches the line, a peer's are as many papers, chosen either by one raw
threshold over all channels and days, or as the best of each day (so that ours tells it how many).

The peer is bm25s (lucene, k1 1.5, b 0.75, English stop words and stems), asked for the words of all
keywords; it sees the document frequencies of the day alone, or of the whole month.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import Stemmer

from adapters.sources.records import json_row
from bot.keywords import Document
from bot.model import Channel, ChannelRef, Paper, Record, Subscription
from bot.ranking import BACKGROUND, LINE, Background, Profile
from bot.text import fold, stem, tokens
from tests.bench.ranking import words

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DUMP = "hf_daily_papers_raw_2026_spring.jsonl.gz"
DAYS = 30
CHANNELS = 200
SEED = 2026
FEWEST, MOST = 3, 6  # keywords of a channel
RARE, COMMON = 3, 0.05  # papers that have a keyword: at least, and of all at most

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Month:
    past: list[Paper]  # with their given keywords
    papers: list[Paper]  # those of the month, day by day
    days: list[slice]

    @classmethod
    def read(cls, dump: Path, days: int = DAYS) -> Month:
        listed: dict[str, Paper] = {}
        with gzip.open(dump, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                for record in json_row(row):
                    if isinstance(record, Record) and record.listed_on:
                        paper = replace(record.paper, listed_on=record.listed_on, upvotes=0)
                        listed.setdefault(paper.id, paper)
        papers = sorted(listed.values(), key=_listed)
        dates = sorted({_listed(paper) for paper in papers})
        first = dates[-days]
        recent = [paper for paper in papers if _listed(paper) >= first and paper.keywords]
        sizes = [len(list(group)) for _, group in groupby(recent, key=_listed)]
        ends = np.cumsum(sizes).tolist()
        slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        return cls([paper for paper in papers if _listed(paper) < first], recent, slices)


def _listed(paper: Paper) -> date:
    return paper.listed_on or date.min


def key(keyword: str) -> str:
    return " ".join(stem(fold(word)) for word in tokens(keyword))


def untagged(paper: Paper) -> Paper:
    return replace(paper, keywords=())


@dataclass(frozen=True, slots=True)
class Interest:
    seed: str  # a paper of the month, by its id
    keywords: tuple[str, ...]

    @property
    def channel(self) -> Channel:
        return channel(self.keywords)

    def relevant(self, papers: Iterable[Paper]) -> Flags:
        wanted = set(map(key, self.keywords))
        return np.array([
            paper.id != self.seed and not wanted.isdisjoint(map(key, paper.keywords))
            for paper in papers
        ])  # fmt: skip


def channel(keywords: Iterable[str], strictness: str | float = "normal") -> Channel:
    asked = tuple(Subscription(n, words(text)) for n, text in enumerate(keywords, start=1))
    return Channel(ChannelRef("none", "none", "none"), asked, strictness=strictness)


def interests(month: Month, count: int = CHANNELS, seed: int = SEED) -> list[Interest]:
    """Channels in random order of their seeds; fewer than *count* where the seeds run out."""
    tagged = [paper for paper in (*month.past, *month.papers) if paper.keywords]
    having = Counter(name for paper in tagged for name in set(map(key, paper.keywords)))
    chance = np.random.default_rng(seed)
    found: list[Interest] = []
    for at in chance.permutation(len(month.papers)):
        paper = month.papers[at]
        by_key = {key(word): word for word in paper.keywords}
        usable = [w for k, w in by_key.items() if RARE <= having[k] <= COMMON * len(tagged)]
        if len(usable) >= FEWEST and len(found) < count:
            some = chance.permutation(len(usable))[:MOST]
            found.append(Interest(paper.id, tuple(usable[n] for n in sorted(some))))
    return found


System = Callable[[Month, Sequence[Interest]], Scores]  # a row per channel, a column per paper


def ours(month: Month, asked: Sequence[Interest]) -> Scores:
    background = Background([Document(untagged(paper)) for paper in month.past[-BACKGROUND:]])
    documents = [Document(untagged(paper)) for paper in month.papers]
    rows = []
    for interest in asked:
        profile = Profile(interest.channel, background)
        rows.append([profile.judge(document).score for document in documents])
    return np.array(rows)


class Bm25s:
    """The peer over some texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s  # type: ignore[import-not-found,unused-ignore]  # a bench may lack it

        stemmer = Stemmer.Stemmer("english")

        def words_of(texts: Sequence[str]) -> list[list[str]]:
            found: list[list[str]] = bm25s.tokenize(
                list(texts), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
            )
            return found

        self._words_of = words_of
        self._model = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        self._model.index(words_of(texts), show_progress=False)

    def scores(self, query: str) -> Scores:
        found: Scores = self._model.get_scores(self._words_of([query])[0])
        return found


def texts_of(papers: Iterable[Paper]) -> list[str]:
    return [f"{paper.title} {paper.abstract}" for paper in papers]


def bm25s_day(month: Month, asked: Sequence[Interest]) -> Scores:
    models = [Bm25s(texts_of(month.papers[day])) for day in month.days]
    queries = [" ".join(interest.keywords) for interest in asked]
    return np.array([np.concatenate([model.scores(q) for model in models]) for q in queries])


def bm25s_month(month: Month, asked: Sequence[Interest]) -> Scores:
    model = Bm25s(texts_of(month.papers))
    return np.array([model.scores(" ".join(interest.keywords)) for interest in asked])


OURS = "channel"
SYSTEMS: dict[str, System] = {
    OURS: ours,
    "bm25s, frequencies of the month": bm25s_month,
    "bm25s, frequencies of the day": bm25s_day,
}


def scored(system: System, month: Month, asked: Sequence[Interest]) -> Scores:
    found = system(month, asked)
    place = {paper.id: at for at, paper in enumerate(month.papers)}
    found[np.arange(len(asked)), [place[interest.seed] for interest in asked]] = 0
    return found


def best(scores: Scores, count: int) -> list[int]:
    """Places of the best scores; what has none is never among them, equal ones keep their order."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [int(at) for at in order if scores[at] > 0]


def at_10(scores: Scores, relevant: Flags, days: Sequence[slice]) -> dict[str, float]:
    hits, possible = [], []
    for row, wanted in zip(scores, relevant, strict=True):
        for day in days:
            if total := int(wanted[day].sum()):
                hits.append(int(wanted[day][best(row[day], 10)].sum()))
                possible.append(min(10, total))
    share = np.array(hits) / np.array(possible)
    return {"precision at 10": float(np.mean(hits)) / 10, "of possible": float(share.mean())}


def agreement(posted: Flags, relevant: Flags) -> dict[str, float]:
    both = int((posted & relevant).sum())
    all_posted, all_relevant = int(posted.sum()), int(relevant.sum())
    return {
        "precision": both / all_posted if all_posted else 0.0,
        "recall": both / all_relevant if all_relevant else 0.0,
        "F1": 2 * both / (all_posted + all_relevant) if both else 0.0,
    }


def above(scores: Scores, count: int) -> Flags:
    """The *count* best of all channels and days."""
    flat = scores.ravel()
    posted = np.zeros(flat.size, dtype=np.bool_)
    posted[best(flat, count)] = True
    return posted.reshape(scores.shape)


def as_many(scores: Scores, model: Flags, days: Sequence[slice]) -> Flags:
    """For each channel and day the best, as many as *model* has."""
    posted = np.zeros(scores.shape, dtype=np.bool_)
    for n, row in enumerate(scores):
        for day in days:
            found = best(row[day], int(model[n, day].sum()))
            posted[n, [day.start + at for at in found]] = True
    return posted


def measure(
    month: Month, asked: Sequence[Interest], scores: dict[str, Scores]
) -> dict[str, dict[str, dict[str, float]]]:
    relevant = np.array([interest.relevant(month.papers) for interest in asked])
    posted = scores[OURS] >= LINE
    count = int(posted.sum())
    found = {}
    for name, found_scores in scores.items():
        one = posted if name == OURS else above(found_scores, count)
        found[name] = {
            "ranking": at_10(found_scores, relevant, month.days),
            "one threshold": agreement(one, relevant),
            "as many a day": agreement(as_many(found_scores, posted, month.days), relevant),
        }
    return found


def table(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    columns = [(part, name) for part, found in figures[OURS].items() for name in found]
    heads = [name if part == "ranking" else f"{part}: {name}" for part, name in columns]
    lines = [f"| system | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for system, found in figures.items():
        shown = [f"{found[part][name]:.3f}" for part, name in columns]
        lines.append(f"| {system} | {' | '.join(shown)} |")
    return "\n".join(lines)


def show(month: Month, interest: Interest, points: Sequence[float]) -> str:
    """A channel's best and worst day: what was posted or should have been."""
    scores = np.array(points)
    relevant = interest.relevant(month.papers)
    wrong = [int(((scores[d] >= LINE) != relevant[d]).sum()) for d in month.days]
    right = [int(((scores[d] >= LINE) & relevant[d]).sum()) for d in month.days]
    order = sorted(range(len(month.days)), key=lambda n: (wrong[n] - right[n], n))
    lines = ["; ".join(interest.keywords)]
    for label, n in (("best", order[0]), ("worst", order[-1])):
        day = range(month.days[n].start, month.days[n].stop)
        lines.append(f"  {label} day, {_listed(month.papers[day[0]])}: {len(day)} papers")
        for at in sorted(day, key=lambda at: -scores[at]):
            paper = month.papers[at]
            if scores[at] < LINE and not relevant[at]:
                continue
            wanted = set(map(key, interest.keywords))
            given = [word for word in paper.keywords if key(word) in wanted]
            mark = "posted" if scores[at] >= LINE else "missed"
            label = f"relevant: {', '.join(given)}" if given else "not relevant"
            lines.append(f"    {mark} {scores[at]:5.1f}  {paper.title[:80]}  [{label}]")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.month",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the dumps")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="days of N channels")
    options = parser.parse_args()
    month = Month.read(options.data / DUMP)
    asked = interests(month)
    scores: dict[str, Scores] = {}
    for name, system in SYSTEMS.items():
        try:
            scores[name] = scored(system, month, asked)
        except ImportError as error:
            print(f"{name} is left out: {error.name} is not installed", file=sys.stderr)
    figures = measure(month, asked, scores)
    relevant = sum(int(interest.relevant(month.papers).sum()) for interest in asked)
    posted = int((scores[OURS] >= LINE).sum())
    print(
        f"{len(asked)} channels, {len(month.days)} days, {len(month.papers)} papers, "
        f"{len(month.past)} before them; {relevant} relevant, {posted} posted\n\n{table(figures)}"
    )
    for interest, points in list(zip(asked, scores[OURS], strict=True))[: options.show]:
        print("\n" + show(month, interest, points.tolist()))
    if options.json:
        size: dict[str, Any] = {"channels": len(asked), "papers": len(month.papers)}
        size |= {"days": len(month.days), "relevant": relevant, "posted": posted}
        options.json.write_text(json.dumps(size | {"systems": figures}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
