"""What likes and dislikes teach a channel: python -m tests.bench.feedback DIR... [--json FILE].

Each DIR is a set as in ``tests.bench.ranking``; each of its queries is a channel. A simulated person
sees the ten papers that score best, likes the relevant ones and dislikes the others. Printed is
nDCG@10 over the rest of the set, without the papers that were shown, before and after; queries
whose relevant papers were all shown are left out.

- gate: the query is one subscription, so papers must hold all its words, before and after; where
  the query is a long title or a question, few papers or none are shown;
- part: the same before; after, papers that hold any of its words get the learned words' points;
- loose: a subscription for each word of the query, so papers must hold any of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from bot.feedback import learn, own_words
from bot.keywords import Document
from bot.model import Channel, ChannelRef, Subscription
from bot.ranking import BACKGROUND, Background, Profile
from bot.text import GLUE, stem, tokens
from tests.bench.ranking import Labelled, Question, load, scores, words

SHOWN = 10
NEXT_TO_NOTHING = 0.001  # the weight of a subscription that only admits
MODES = ("gate", "part", "loose")
MEANS = ("liked", "before", "after")


@dataclass(frozen=True, slots=True)
class Library:
    documents: Sequence[Document]
    background: Background

    def best(self, profile: Profile, question: Question) -> list[Document]:
        found = [
            (-verdict.score, document.paper.id, document)
            for document in self.documents
            if (verdict := profile.judge(document)).numbers
            and document.paper.id not in question.own
        ]
        return [document for *_, document in sorted(found, key=lambda hit: hit[:2])]


def channels(question: Question) -> dict[str, tuple[Channel, Channel]]:
    """The channel that shows the papers, and the one that has learned; by mode."""
    ref = ChannelRef("none", "none", "none")
    bare = {stem(word.lower()): word for word in tokens(question.text) if word.lower() not in GLUE}
    whole = Subscription(1, words(question.text))
    each = [Subscription(n, words(word)) for n, word in enumerate(bare.values(), start=2)]
    gate = Channel(ref, (whole,))
    admitting = tuple(replace(one, weight=NEXT_TO_NOTHING) for one in each)
    part, loose = Channel(ref, (whole, *admitting)), Channel(ref, tuple(each))
    return {"gate": (gate, gate), "part": (gate, part), "loose": (loose, loose)}


def taught(library: Library, question: Question, mode: str) -> tuple[float, float, float] | None:
    """How many were liked, nDCG@10 of the rest before and after; None where nothing is left."""
    channel, after = channels(question)[mode]
    before = library.best(Profile(channel, library.background), question)
    shown = [document.paper for document in before[:SHOWN]]
    liked = [paper for paper in shown if paper.id in question.relevant]
    disliked = [paper for paper in shown if paper.id not in question.relevant]
    learned = learn(liked, disliked, frozenset(), own_words(channel))
    seen = {paper.id for paper in shown}
    left = {paper: grade for paper, grade in question.relevant.items() if paper not in seen}
    if not left:
        return None
    again = before
    if learned:
        again = library.best(Profile(after, library.background, learned), question)

    def ndcg(found: Sequence[Document]) -> float:
        rest = [document.paper.id for document in found if document.paper.id not in seen]
        return scores(left, rest)["ndcg@10"]

    return len(liked), ndcg(before), ndcg(again)


def measure(labelled: Labelled, questions: int) -> dict[str, dict[str, float]]:
    documents = [Document(paper) for paper in labelled.papers]
    library = Library(documents, Background(documents[:BACKGROUND]))
    asked = labelled.questions
    if len(asked) > questions:
        asked = random.Random(1).sample(asked, questions)  # noqa: S311  # a draw, no secret
    results = {}
    for mode in MODES:
        rows = [row for question in asked if (row := taught(library, question, mode))]
        means = map(fmean, zip(*rows, strict=True))
        results[mode] = {"queries": len(rows)} | dict(zip(MEANS, means, strict=True))
    return results


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = ["| set | mode | queries | likes each | before | after | gain |", "|---" * 7 + "|"]
    for name, modes in results.items():
        for mode, found in modes.items():
            before, after = found["before"], found["after"]
            lines.append(
                f"| {name} | {mode} | {found['queries']} | {found['liked']:.1f} "
                f"| {before:.4f} | {after:.4f} "
                f"| {after - before:+.4f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.feedback", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--queries", type=int, default=150, help="at most so many of a set")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    results = {folder.name: measure(load(folder), options.queries) for folder in options.folders}
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps({"sets": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
