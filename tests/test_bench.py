"""That the benches measure what they say: on papers made for it, where the figures are known."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.keywords import Document
from bot.model import Paper
from bot.ranking import LINE
from tests.bench import calibration, month
from tests.bench.ranking import Labelled, Question

DAYS = ("2026-05-01", "2026-05-04", "2026-05-05")


def item(number: int, title: str, *keywords: str) -> dict[str, Any]:
    paper = {"id": f"2605.{number:05}", "title": title, "summary": f"On {title}, at some length."}
    given = [*keywords, "things", f"case {number}"] if keywords else []  # common, rare
    return {"paper": paper | {"upvotes": 900, "ai_keywords": given}}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """Three days, each with three papers that share three keywords, and 80 of other things.

    Two of the three say in their titles what they are about. One more paper has no keywords.
    """
    topics = ("speculative decoding", "draft models", "KV caches")
    rows: list[dict[str, Any]] = []
    for n, day in enumerate(DAYS):
        about = [item(n * 100 + k, f"{topics[k]} made simple", *topics) for k in range(2)]
        silent = item(n * 100 + 2, "Notes", *topics)
        other = [item(n * 100 + k, f"Rocks, part {k}", "stone") for k in range(10, 90)]
        rows.append({"date": day, "form": "api", "items": [*about, silent, *other]})
    rows[-1]["items"].append(item(999, "speculative decoding without keywords"))
    path = tmp_path / "daily.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def test_the_month_is_the_last_days_and_the_past_what_came_before(dump: Path) -> None:
    read = month.Month.read(dump, days=2)

    assert [len(read.papers[day]) for day in read.days] == [83, 83]
    assert {"2026-05-01"} == {str(paper.listed_on) for paper in read.past}
    assert {"2026-05-04"} == {str(paper.listed_on) for paper in read.papers[read.days[0]]}


def test_upvotes_and_untagged_papers_play_no_part_in_the_month(dump: Path) -> None:
    read = month.Month.read(dump, days=2)

    assert {0} == {paper.upvotes for paper in read.papers}
    assert "arxiv:2605.00999" not in {paper.id for paper in read.papers}


def test_a_channel_wants_what_shares_a_keyword_with_its_seed_but_not_the_seed(dump: Path) -> None:
    read = month.Month.read(dump, days=2)
    found = month.interests(read)

    assert len(found) == 6
    for interest in found:
        wanted = {paper.id for paper, is_wanted in zip(
            read.papers, interest.relevant(read.papers), strict=True) if is_wanted}  # fmt: skip
        assert len(wanted) == 5
        assert interest.seed not in wanted


def test_keywords_that_too_few_or_too_many_papers_have_make_no_channel(dump: Path) -> None:
    read = month.Month.read(dump, days=2)
    names = {name for interest in month.interests(read) for name in interest.keywords}

    assert {"speculative decoding", "draft models", "KV caches"} == names


def test_the_same_seed_draws_the_same_channels(dump: Path) -> None:
    read = month.Month.read(dump, days=2)

    assert month.interests(read, seed=7) == month.interests(read, seed=7)


def test_keywords_are_compared_by_their_stems() -> None:
    assert month.key("Vision-Language Model") == month.key("vision language models")
    assert month.key("diffusion") != month.key("distillation")


def test_no_ranker_sees_given_keywords_or_ranks_the_seed(dump: Path) -> None:
    read = month.Month.read(dump, days=2)
    asked = month.interests(read)

    scores = month.scored(month.ours, read, asked)

    for interest, row in zip(asked, scores, strict=True):
        by_id = {paper.id: points for paper, points in zip(read.papers, row, strict=True)}
        assert by_id[interest.seed] == 0
        named = {i for i, points in by_id.items() if points > 0}
        telling = {paper.id for paper in read.papers if "made simple" in paper.title}
        assert telling - {interest.seed} == named


def test_precision_at_10_counts_days_with_something_to_find_only() -> None:
    scores = np.array([[3.0, 2.0, 0.0, 1.0, 0.0]])
    relevant = np.array([[True, False, True, False, False]])

    found = month.at_10(scores, relevant, [slice(0, 3), slice(3, 5)])

    assert pytest.approx(found["precision at 10"]) == 0.1
    assert pytest.approx(found["of possible"]) == 0.5


def test_a_peer_posts_as_many_as_asked_and_never_without_a_score() -> None:
    scores = np.array([[3.0, 2.0, 0.0], [9.0, 0.0, 1.0]])

    assert month.above(scores, 2).tolist() == [[True, False, False], [True, False, False]]
    assert month.above(scores, 6).sum() == 4


def test_the_best_of_a_day_are_as_many_as_the_other_posted_that_day() -> None:
    scores = np.array([[1.0, 2.0, 3.0, 4.0]])
    model = np.array([[True, False, False, False]])

    posted = month.as_many(scores, model, [slice(0, 2), slice(2, 4)])

    assert posted.tolist() == [[False, True, False, False]]


def test_agreement_is_precision_recall_and_their_mean() -> None:
    posted = np.array([[True, True, True, False]])
    relevant = np.array([[True, False, False, True]])

    found = month.agreement(posted, relevant)

    assert pytest.approx(found) == {"precision": 1 / 3, "recall": 0.5, "F1": 0.4}


def test_a_peer_knows_the_day_or_the_month(dump: Path) -> None:
    pytest.importorskip("bm25s", reason="bm25s is not installed")
    read = month.Month.read(dump, days=2)
    asked = month.interests(read)

    figures = month.measure(
        read, asked, {name: month.scored(s, read, asked) for name, s in month.SYSTEMS.items()}
    )

    assert set(month.SYSTEMS) == set(figures)
    found = [system["ranking"]["of possible"] for system in figures.values()]
    assert found == pytest.approx([2 / 3] * 3)  # all but the papers that do not tell
    assert "bm25s, frequencies of the month" in month.table(figures)


def test_average_precision_counts_what_is_not_listed_as_not_found() -> None:
    listed = np.array([True, False, True])

    assert pytest.approx(calibration.average_precision(listed, 4)) == (1 + 2 / 3) / 4
    assert pytest.approx(calibration.best_f1(listed, 4)) == 2 * 2 / (3 + 4)
    assert calibration.best_f1(listed[:0], 4) == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("error correcting codes", ["error correcting codes"], id="short"),
        pytest.param(
            "What problems are there in making up descriptive titles?",
            ["problems", "making up", "up descriptive", "descriptive titles"],
            id="long",
        ),
        pytest.param("A fact - and a fact: on one fact", ["fact", "one fact"], id="repeated"),
    ],
)
def test_a_long_question_is_subscribed_phrase_by_phrase(text: str, expected: list[str]) -> None:
    assert expected == calibration.keywords(text)


def labelled() -> Labelled:
    """100 papers; four of five are on lions, the others on cats. Half of the lions ask themselves."""
    names = ["lions" if n % 5 else "cats" for n in range(100)]
    papers = [Paper(str(n), f"On {name}") for n, name in enumerate(names)]
    lions = [str(n) for n, name in enumerate(names) if name == "lions"]
    text = "Papers on lions that somebody reads"
    question = Question("q", text, dict.fromkeys(lions[::2], 1.0), frozenset(lions[1::2]))
    return Labelled("lions", papers, [question])


def test_what_finds_all_and_nothing_else_is_measured_as_perfect() -> None:
    chance = np.random.default_rng(1)
    task = calibration.Task.of(labelled(), {"q": ["lion"]}, chance)

    figures = calibration.measure(task, chance, with_peer=False)

    assert task.asked == [["lion"]]
    assert len(task.papers) == 30
    assert list(figures["average precision"]) == [20]  # no day of 50 among 30 papers
    assert {1.0} == {*figures["average precision"][20].values(), *figures["best F1"][20].values()}
    assert "| z-score | 1.000 | 1.000 |" in calibration.table({"lions": figures}, "best F1")


def test_mean_and_deviation_are_those_of_the_past() -> None:
    papers = [Document(paper) for paper in labelled().papers]

    found = calibration.judged([["lion"]], papers, papers)

    assert found.raw.mean() == pytest.approx(found.mean[0, 0], rel=1e-3)
    assert found.raw.std() == pytest.approx(found.deviation[0, 0], rel=1e-3)
    assert (LINE * found.raw / found.line).tolist() == found.points.tolist()


def test_keywords_are_taken_where_a_set_gives_them(tmp_path: Path) -> None:
    rows = [{"_id": "a", "text": "lions", "keywords": ["lion"]}, {"_id": "b", "text": "cats"}]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")

    assert calibration.given_keywords(tmp_path) == {"a": ["lion"]}


def test_a_day_holds_no_paper_twice_and_each_deal_starts_anew() -> None:
    dealt = list(calibration.days(50, 20, np.random.default_rng(1)))

    assert len(dealt) == 2 * calibration.DEALS
    for first, second in zip(dealt[::2], dealt[1::2], strict=True):
        assert len({*first.tolist(), *second.tolist()}) == 40
