"""One threshold over many channels: python -m tests.bench.calibration DIR... [--json FILE].

Each DIR is a labelled set as in ``tests.bench.ranking``; its questions, 150 at most, are channels.
Three tenths of its papers, 400 at most, are dealt at random into days of 20, 50 and 200; of the
others 1,000 are the past.
For each day all (channel, paper) pairs become ONE list, ordered by score: printed are its average
precision and its best F1, the mean over the days. A pair without a score is not in the list, but
counts among what is to be found.

A question is subscribed as a person would write it: the keywords that the set gives for it; else a
text of up to 4 words as it is; else what stands between its stop words and punctuation, each of up
to 3 words one subscription, a longer one as its neighbouring pairs of words; 50 at most.
- raw: the sum of what the keywords weigh, not calibrated;
- points: 30 × raw / line, as a channel has them;
- z-score: (raw - mean) / deviation over the past;
- the two from a sample: their past is a fifth of the papers, 500 at most;
- bm25s (where it is installed), not calibrated: the question itself, with the day's frequencies.

A past of too few papers to calibrate against is repeated, which changes no mean or deviation.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from bot.keywords import Document
from bot.model import SUBSCRIPTIONS_PER_CHANNEL
from bot.ranking import BACKGROUND_MIN, LINE, Background, Profile
from bot.text import GLUE, tokens
from tests.bench.month import Bm25s, Flags, Scores, channel, texts_of
from tests.bench.ranking import Labelled, Question, load

SIZES = (20, 50, 200)
DEALS = 5  # times that the papers are dealt anew
DEALT, SAMPLE = 0.3, 0.2  # shares of the papers
MOST_DEALT, MOST_SAMPLED, MOST_CHANNELS = 400, 500, 150
SEED = 2026
_ASKING = frozenset({
    "about", "am", "between", "could", "did", "do", "does", "how", "i", "if", "me", "other", "should",
    "some", "there", "what", "when", "where", "who", "whose", "why", "will", "would",
})  # fmt: skip
_SHORT, _PHRASE = 4, 3  # words

Places = npt.NDArray[np.intp]


def given_keywords(folder: Path) -> dict[str, list[str]]:
    """Of the questions that list their keywords."""
    with (folder / "queries.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["_id"]: row["keywords"] for row in rows if row.get("keywords")}


def keywords(text: str) -> list[str]:
    if len(text.split()) <= _SHORT:
        return [text]
    found: list[str] = []
    for piece in re.split(r"[^\w\s'’+#-]+", text):
        run: list[str] = []
        for word in (*piece.split(), ""):
            if tokens(word) and word.lower() not in GLUE | _ASKING:
                run.append(word)
                continue
            if len(run) > _PHRASE:
                found += map(" ".join, pairwise(run))
            elif run:
                found.append(" ".join(run))
            run = []
    return list(dict.fromkeys(found))[:SUBSCRIPTIONS_PER_CHANNEL]


@dataclass(frozen=True, slots=True)
class Judged:
    """What channels (rows) make of papers (columns), in raw units, and where they stand."""

    raw: Scores
    line: Scores  # a column each, as what follows
    mean: Scores
    deviation: Scores

    @property
    def points(self) -> Scores:
        found: Scores = LINE * self.raw / self.line
        return found

    @property
    def z(self) -> Scores:
        """Where the past holds nothing for a channel, its line counts as two deviations."""
        deviation = np.where(self.deviation > 0, self.deviation, self.line / 2)
        found: Scores = (self.raw - self.mean) / deviation
        return found


def judged(
    asked: Sequence[Sequence[str]], past: Sequence[Document], papers: Sequence[Document]
) -> Judged:
    times = math.ceil(BACKGROUND_MIN / len(past))
    background = Background(list(past) * times)
    rows, lines = [], []
    for texts in asked:
        profile = Profile(channel(texts), background)
        rows.append([profile.judge(paper).score * profile.line / LINE for paper in papers])
        lines.append((profile.line, profile.past.mean, profile.past.deviation))
    line, mean, deviation = np.array(lines).T[:, :, np.newaxis]
    return Judged(np.array(rows), line, mean, deviation)


@dataclass(frozen=True, slots=True)
class Task:
    """Papers to deal, with the channels' labels."""

    questions: list[Question]
    asked: list[list[str]]
    past: list[Document]
    sample: list[Document]
    papers: list[Document]
    relevant: Flags
    own: Flags  # what a question is itself

    @classmethod
    def of(
        cls, labelled: Labelled, given: Mapping[str, list[str]], chance: np.random.Generator
    ) -> Task:
        documents = [
            Document(labelled.papers[at]) for at in chance.permutation(len(labelled.papers))
        ]
        cut = round(DEALT * len(documents))
        papers, past = documents[:cut][:MOST_DEALT], documents[cut:]
        drawn = chance.permutation(len(labelled.questions))[:MOST_CHANNELS]
        questions = [labelled.questions[at] for at in sorted(drawn)]

        def flags(belongs: Callable[[Question, str], bool]) -> Flags:
            return np.array([[belongs(q, d.paper.id) for d in papers] for q in questions])

        return cls(
            questions,
            [given.get(question.id) or keywords(question.text) for question in questions],
            past[:BACKGROUND_MIN],
            past[: min(round(SAMPLE * len(documents)), MOST_SAMPLED)],
            papers,
            flags(lambda question, paper_id: paper_id in question.relevant),
            flags(lambda question, paper_id: paper_id in question.own),
        )


def systems(task: Task) -> dict[str, Scores]:
    """The scores that do not depend on the day; -inf where a channel finds nothing in a paper."""
    whole = judged(task.asked, task.past, task.papers)
    part = judged(task.asked, task.sample, task.papers)
    found = {
        "raw": whole.raw,
        "points": whole.points,
        "z-score": whole.z,
        "points from a sample": part.points,
        "z-score from a sample": part.z,
    }
    return {name: np.where(whole.raw > 0, scores, -np.inf) for name, scores in found.items()}


PEER = "bm25s of the day"


def peer(task: Task, day: Places) -> Scores:
    model = Bm25s(texts_of(task.papers[at].paper for at in day))
    scores = np.array([model.scores(question.text) for question in task.questions])
    return np.where(scores > 0, scores, -np.inf)


def average_precision(listed: Flags, total: int) -> float:
    """Of the relevant in a list, best first, when *total* were to be found."""
    ranks = np.arange(1, len(listed) + 1)
    return float((np.cumsum(listed) / ranks)[listed].sum()) / total


def best_f1(listed: Flags, total: int) -> float:
    ranks = np.arange(1, len(listed) + 1)
    return float((2 * np.cumsum(listed) / (ranks + total)).max(initial=0.0))


MEASURES = {"average precision": average_precision, "best F1": best_f1}

Figures = dict[str, dict[int, dict[str, float]]]  # measure, papers of a day, system


def days(papers: int, size: int, chance: np.random.Generator) -> Iterator[Places]:
    """Full days only; a paper is in one day of each deal."""
    for _ in range(DEALS):
        order = chance.permutation(papers)
        yield from (order[at : at + size] for at in range(0, papers - size + 1, size))


def measure(task: Task, chance: np.random.Generator, *, with_peer: bool) -> Figures:
    fixed = systems(task)
    found: Figures = {name: {} for name in MEASURES}
    for size in SIZES:
        rows: dict[str, list[tuple[Flags, int]]] = {}
        for day in days(len(task.papers), size, chance):
            counted = ~task.own[:, day]
            relevant = task.relevant[:, day][counted]
            if not relevant.any():
                continue
            scores = {name: every[:, day] for name, every in fixed.items()}
            if with_peer:
                scores[PEER] = peer(task, day)
            for name, score in scores.items():
                flat = score[counted]
                order = np.argsort(-flat, kind="stable")
                listed = relevant[order[: int((flat > -np.inf).sum())]]
                rows.setdefault(name, []).append((listed, int(relevant.sum())))
        for measured, of in MEASURES.items():
            if rows:
                found[measured][size] = {
                    name: fmean(of(*day) for day in dealt) for name, dealt in rows.items()
                }
    return found


def table(results: dict[str, Figures], name: str) -> str:
    columns = [(label, size) for label, found in results.items() for size in found[name]]
    heads = [f"{label} {size}" for label, size in columns]
    lines = [f"| {name} | {' | '.join(heads)} | mean |", "|---" * (len(heads) + 2) + "|"]
    for system in results[columns[0][0]][name][columns[0][1]]:
        values = [results[label][name][size][system] for label, size in columns]
        shown = " | ".join(f"{value:.3f}" for value in (*values, fmean(values)))
        lines.append(f"| {system} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.calibration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with_peer = importlib.util.find_spec("bm25s") is not None
    if not with_peer:
        print("bm25s is left out: it is not installed", file=sys.stderr)
    results: dict[str, Figures] = {}
    for folder in options.folders:
        chance = np.random.default_rng(SEED)
        task = Task.of(load(folder), given_keywords(folder), chance)
        results[folder.name] = measure(task, chance, with_peer=with_peer)
    print("\n\n".join(table(results, name) for name in MEASURES))
    if options.json:
        options.json.write_text(json.dumps({"sets": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
