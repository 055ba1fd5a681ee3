"""What a paper scores in a channel, why, and where the line is; on a week of real papers."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bot.frequencies import shipped
from bot.keywords import Document, Keyword
from bot.model import Channel, ChannelRef, Paper, Subscription
from bot.query import PHRASE, PREFIX, WORDS, Clause, Item, Query, parse
from bot.ranking import BACKGROUND_MIN, BASE, LINE, NO_PAST, Background, Profile, Verdict
from bot.text import pattern, prefix_pattern, stem, tokens

REF = ChannelRef("terminal", "local", "main")
DUMP = Path(__file__).resolve().parents[2] / "shared" / "data" / "arxiv_week_2026-06-22.jsonl.gz"
with_real_papers = pytest.mark.skipif(
    not DUMP.exists(), reason="the dump of a week of papers is not here"
)

QUERIES = (
    '"speculative decoding"', "RAG|retrieval", "diffusion -survey -medical",
    'cat:cs.CL "tool use"|"function calling"', "knowledge distillation", "reward* agents",
    "graph neural networks", "title:benchmark", "multimodal learning", "quantization",
)  # fmt: skip


@cache
def week() -> tuple[Paper, ...]:
    with gzip.open(DUMP, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(
        Paper(
            f"arxiv:{row['id']}", row["title"], row["abstract"], tuple(row["authors"]),
            tuple(row["categories"]), upvotes=len(row["title"]) % 7,
        )
        for row in rows
    )  # fmt: skip


@cache
def documents() -> tuple[Document, ...]:
    return tuple(map(Document, week()))


@cache
def past() -> Background:
    return Background(documents())


def channel(*queries: str, weight: float = 1.0, strictness: str | float = "normal") -> Channel:
    subscriptions = tuple(
        Subscription(number, parse(query), weight) for number, query in enumerate(queries, start=1)
    )
    return Channel(REF, subscriptions, strictness=strictness)


def points(verdict: Verdict) -> dict[str, float]:
    return {reason.text: reason.points for reason in verdict.reasons}


def abstract_of_mean_length(*words: str) -> str:
    filler = round(shipped().abstract_words) - len(words)
    return " ".join([*words, *["lorem"] * filler])


# ---- the scale


def test_without_background_one_mention_of_the_weakest_keyword_is_the_line() -> None:
    paper = Paper("arxiv:1", "T", abstract_of_mean_length("diffusion"))
    profile = Profile(channel("diffusion", "Langevin"), NO_PAST)

    verdict = profile.judge(paper)

    assert verdict.score == pytest.approx(LINE, abs=0.02)  # the mean is no whole number of words


def test_a_mention_exactly_at_the_line_passes() -> None:
    mentioned = Paper("arxiv:1", "T", abstract_of_mean_length("diffusion"))
    profile = Profile(channel("diffusion"), NO_PAST)
    profile.line *= profile.judge(mentioned).score / LINE

    verdict = profile.judge(mentioned)

    assert verdict.score == LINE
    assert verdict.passed


def test_a_title_counts_more_than_an_abstract_and_more_mentions_more_than_one() -> None:
    profile = Profile(channel("diffusion"), NO_PAST)
    once = profile.judge(Paper("arxiv:1", "T", abstract_of_mean_length("diffusion")))
    twice = profile.judge(Paper("arxiv:1", "T", abstract_of_mean_length("diffusion", "diffusion")))
    title = profile.judge(Paper("arxiv:1", "Diffusion", abstract_of_mean_length()))
    given_keyword = Paper("arxiv:1", "T", abstract_of_mean_length(), keywords=("Diffusion",))

    assert once.score < twice.score < title.score
    assert profile.judge(given_keyword).score == once.score


def test_a_rarer_keyword_weighs_more() -> None:
    paper = Paper("arxiv:1", "T", "Langevin diffusion")

    found = points(Profile(channel("diffusion", "Langevin"), NO_PAST).judge(paper))

    assert found['"Langevin" in abstract'] > found['"diffusion" in abstract']


def test_a_phrase_with_small_words_weighs_more_than_its_words_and_less_than_an_unheard_one() -> (
    None
):
    weight = {
        query: Profile(channel(query), NO_PAST).line
        for query in ("mixture", "experts", '"mixture of experts"', '"zyxx of wvut"')
    }

    phrase = weight.pop('"mixture of experts"')

    assert weight["mixture"] < phrase < weight['"zyxx of wvut"']
    assert weight["experts"] < phrase


def test_a_weight_doubles_its_part_and_says_so() -> None:
    paper = Paper("arxiv:1", "Langevin diffusion", "Diffusion")
    queries = parse("diffusion"), parse("Langevin")
    plain = Channel(REF, tuple(Subscription(i, q) for i, q in enumerate(queries, 1)))
    heavy = replace(
        plain, subscriptions=(plain.subscriptions[0], replace(plain.subscriptions[1], weight=2))
    )

    one, two = (points(Profile(c, NO_PAST).judge(paper)) for c in (plain, heavy))

    assert two['"Langevin" in title (×2)'] == pytest.approx(2 * one['"Langevin" in title'])
    assert two['"diffusion" in title and abstract'] == one['"diffusion" in title and abstract']


def test_a_keyword_of_two_subscriptions_counts_once_at_its_best_weight() -> None:
    paper = Paper("arxiv:1", "Diffusion")
    doubled = Channel(
        REF, (Subscription(1, parse("diffusion")), Subscription(2, parse("Diffusions|RAG"), 3))
    )

    found = points(Profile(doubled, NO_PAST).judge(paper))

    assert list(found) == ['"diffusion" in title (×3)']


def test_of_synonyms_the_strongest_counts() -> None:
    paper = Paper("arxiv:1", "T", "Diffusion, diffusion and Langevin")
    profile = Profile(channel("diffusion|Langevin"), NO_PAST)

    verdict = profile.judge(paper)

    assert list(points(verdict)) == ['"Langevin" in abstract']


@with_real_papers
def test_a_synonym_more_never_lowers_a_score() -> None:
    one = Profile(channel("Langevin"), NO_PAST)
    two = Profile(channel("Langevin|diffusion|score"), NO_PAST)
    two.line = one.line

    assert all(one.judge(p).score <= two.judge(p).score for p in week()[:400])


def test_a_paper_without_abstract_is_judged_by_its_title() -> None:
    profile = Profile(channel("0", "diffusion"), NO_PAST)

    assert points(profile.judge(Paper("arxiv:1", "0"))).keys() == {'"0" in title'}
    assert profile.judge(Paper("arxiv:1", "")).reasons == ()
    assert profile.judge(Paper("arxiv:1", "Diffusion", "")).passed


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_a_subscription_of_filters_gives_the_line_times_its_weight(weight: float) -> None:
    paper = Paper("arxiv:1", "T", authors=("Yejin Choi",), categories=("cs.CL",))
    profile = Profile(channel("cat:cs -cat:cs.CV", weight=weight), NO_PAST)

    verdict = profile.judge(paper)

    assert points(verdict) == {"in cs.CL": LINE * weight}
    assert verdict.passed == (weight >= 1)


def test_words_beside_a_filter_that_would_do_only_add() -> None:
    profile = Profile(channel('author:"Yejin Choi"|reasoning'), NO_PAST)
    silent = Paper("arxiv:1", "Rhyme", authors=("Yejin Choi",))
    both = replace(silent, title="Reasoning")

    assert points(profile.judge(silent)) == {"by Yejin Choi": LINE}
    added = [reason for reason in profile.judge(both).reasons if reason.text != "by Yejin Choi"]
    assert [reason.text for reason in added] == ['"reasoning" in title']
    assert profile.judge(both).score == pytest.approx(LINE + added[0].points)


def test_an_author_beside_words_adds_a_reason() -> None:
    profile = Profile(channel('author:"Yejin Choi" reasoning', "reasoning"), NO_PAST)
    hers = profile.judge(Paper("arxiv:1", "Reasoning", authors=("Yejin Choi",)))
    other = profile.judge(Paper("arxiv:1", "Reasoning", authors=("Ann Lee",)))

    assert points(hers).keys() - points(other).keys() == {"by Yejin Choi"}
    assert hers.numbers == (1, 2)
    assert other.numbers == (2,)


def test_upvotes_help_only_a_paper_that_passed_without_them() -> None:
    profile = Profile(channel("diffusion", "cat:cs.CL", weight=1), NO_PAST)
    weak = Paper("arxiv:1", "T", abstract_of_mean_length("diffusion") + " lorem" * 300)
    strong = Paper("arxiv:1", "Diffusion")

    assert not profile.judge(replace(weak, upvotes=10_000)).passed
    assert profile.judge(replace(weak, upvotes=10_000)).score == profile.judge(weak).score
    assert profile.judge(replace(strong, upvotes=41)).score > profile.judge(strong).score
    assert "41 upvotes" in points(profile.judge(replace(strong, upvotes=41)))
    assert "1 upvote" in points(profile.judge(replace(strong, upvotes=1)))


def test_a_blocked_paper_keeps_its_score_and_does_not_pass() -> None:
    muted = replace(channel("diffusion"), muted=(parse("survey"),))
    paper = Paper("arxiv:1", "Diffusion: a survey", upvotes=9)

    verdict = Profile(muted, NO_PAST).judge(paper)

    assert not verdict.passed
    assert points(verdict).keys() == {'"diffusion" in title'}
    assert verdict.numbers == (1,)


def test_a_channel_without_subscriptions_brings_nothing() -> None:
    verdict = Profile(Channel(REF), NO_PAST).judge(Paper("arxiv:1", "T", upvotes=99))

    assert (verdict.score, verdict.reasons, verdict.passed) == (0, (), False)


def test_a_strictness_may_be_any_number() -> None:
    for strictness in (2, 2.0, "normal"):
        assert Profile(channel("diffusion", strictness=strictness), NO_PAST).line > 0


# ---- the line, on real papers


@with_real_papers
def test_with_a_background_the_line_is_so_many_deviations_over_the_mean() -> None:
    loose = Profile(channel("diffusion", strictness=0.0), past())
    raws = [loose_raw(loose, paper) for paper in week()]
    mean = math.fsum(raws) / len(raws)
    deviation = math.sqrt(math.fsum((raw - mean) ** 2 for raw in raws) / len(raws))

    for tau in (3.0, 4.5):
        line = Profile(channel("diffusion", strictness=tau), past()).line
        assert line == pytest.approx(BASE + mean + tau * deviation, rel=1e-3)


def loose_raw(profile: Profile, paper: Paper) -> float:
    return profile.judge(replace(paper, upvotes=0)).score * profile.line / LINE


@with_real_papers
def test_a_mention_of_a_rarer_keyword_is_worth_more_in_its_channel() -> None:
    scores = [
        Profile(channel(word), past())
        .judge(Paper("arxiv:1", "T", abstract_of_mean_length(word)))
        .score
        for word in ("model", "quantization", "Langevin")
    ]

    assert scores == sorted(scores)
    assert scores[0] < LINE < scores[-1]


@with_real_papers
def test_a_profile_at_another_strictness_is_that_of_such_a_channel() -> None:
    normal = Profile(channel(*QUERIES), past())

    for strictness in ("loose", "strict", 0.1):
        other = Profile(channel(*QUERIES, strictness=strictness), past())
        assert other.line == normal.at(strictness).line
        verdicts = [other.judge(paper) for paper in week()[:80]]
        assert verdicts == [normal.at(strictness).judge(paper) for paper in week()[:80]]


@with_real_papers
def test_too_small_a_background_is_none() -> None:
    small = Profile(channel(*QUERIES), Background(documents()[: BACKGROUND_MIN - 1]))

    assert small.line == Profile(channel(*QUERIES), NO_PAST).line


@with_real_papers
def test_stricter_never_admits_more() -> None:
    lines = []
    admitted: list[set[str]] = []
    for strictness in ("loose", "normal", "strict", 4.0):
        profile = Profile(channel(*QUERIES, strictness=strictness), past())
        lines.append(profile.line)
        admitted.append({p.id for p in week() if profile.judge(p).passed})

    assert lines == sorted(lines)
    assert all(more > fewer for more, fewer in pairwise(admitted))


@with_real_papers
@pytest.mark.parametrize("background", [False, True])
def test_the_reasons_sum_to_the_score_that_is_shown(background: bool) -> None:
    profile = Profile(channel(*QUERIES, weight=1.7), past() if background else NO_PAST)

    for paper in week():
        verdict = profile.judge(paper)
        assert abs(math.fsum(r.points for r in verdict.reasons) - verdict.score) < 1e-9
        assert verdict.score == round(verdict.score, 2)
        assert [*verdict.reasons] == sorted(verdict.reasons, key=lambda r: (-r.points, r.text))
        plain = profile.judge(replace(paper, upvotes=0))
        assert plain.passed == (plain.score >= LINE) == verdict.passed


@with_real_papers
def test_a_subscription_more_never_costs_a_paper_anything() -> None:
    for count in range(1, len(QUERIES)):
        few, more = (Profile(channel(*QUERIES[:n]), NO_PAST) for n in (count, count + 1))
        assert more.line <= few.line
        for paper in week()[:300]:
            before, after = few.judge(paper), more.judge(paper)
            assert before.score <= after.score
            assert before.score * few.line <= after.score * more.line + 0.05 * few.line  # rounding


@with_real_papers
def test_the_same_papers_give_the_same_verdicts_in_any_order() -> None:
    papers = week()[:300]
    there = Profile(channel(*QUERIES), past())
    back = Profile(channel(*QUERIES), Background(documents()[::-1]))

    assert there.line == back.line
    assert [there.judge(p) for p in papers] == [back.judge(p) for p in papers]
    turned = {v.paper.id: v for v in map(there.judge, papers[::-1])}
    assert all(turned[p.id].reasons == there.judge(p).reasons for p in papers)


@with_real_papers
def test_the_library_corrects_the_shipped_frequencies() -> None:
    rare = channel("galaxy", "transformer", strictness=0.0)
    paper = Paper("arxiv:1", "Galaxy transformer")
    stars = Background([Document(Paper(f"arxiv:{n}", "Galaxy")) for n in range(BACKGROUND_MIN)])

    found = points(Profile(rare, stars).judge(paper))
    before = points(Profile(rare, NO_PAST).judge(paper))

    assert before['"galaxy" in title'] > before['"transformer" in title']
    assert found['"galaxy" in title'] < found['"transformer" in title']


# ---- the quick check loses nothing


def _hidden(keyword: Keyword, found: Sequence[Document]) -> list[str]:
    """Papers that the quick check hides although they hold the keyword or all of its words."""
    hidden = []
    for document in found:
        if keyword.possible(document.haystack):
            continue
        apart = [word.counts(document) for word in keyword.words]
        if keyword.counts(document) or (apart and all(apart)):
            hidden.append(document.paper.id)
    return hidden


@with_real_papers
def test_the_quick_check_hides_no_word_of_a_week_of_papers() -> None:
    hidden = {
        word
        for document in documents()[:200]
        for word in {*tokens(document.paper.title), *tokens(document.paper.abstract)}
        for found in (pattern([word]), pattern([word], exact=True))
        if not any(map(document.haystack.may_hold, found.needles))
    }

    assert hidden == set()


@with_real_papers
def test_every_needle_lies_within_all_words_of_its_stem() -> None:
    vocabulary = {w for d in documents() for w in d.text.words if w}
    of_stem: dict[str, set[str]] = {}
    for word in vocabulary:
        of_stem.setdefault(stem(word), set()).add(word)

    wrong = [
        (word, other)
        for words in of_stem.values()
        for word in words
        for other in words
        if pattern([word]).spellings[0][0].needle not in other
    ]

    assert wrong == []


@with_real_papers
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_quick_check_hides_no_keyword_taken_from_a_paper(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(documents()))
    words = tokens(source.paper.abstract)
    start = data.draw(st.integers(0, max(0, len(words) - 3)))
    taken = words[start : start + data.draw(st.integers(1, 3))]
    joined = "-".join(taken) if data.draw(st.booleans()) else " ".join(taken)
    keyword = Keyword(
        "", pattern(tokens(joined)), joined, tuple(Keyword("", pattern([w]), w) for w in taken)
    )
    prefix = Keyword("", prefix_pattern(taken[0][:4]), taken[0])

    assert keyword.look(source) is not None
    assert prefix.look(source) is not None
    assert _hidden(keyword, documents()[:200]) == []
    assert _hidden(prefix, documents()[:200]) == []


# ---- any query, any paper

_WORDS = st.sampled_from(
    ["RAG", "rag", "graph", "neural", "net", "fine-tuning", "of", "C++", "中文"]
)
_ITEMS = st.builds(
    Item,
    st.sampled_from([WORDS, PHRASE]),
    st.lists(_WORDS, min_size=1, max_size=3).map(" ".join),
    st.sampled_from(["", "title", "abs"]),
) | st.builds(Item, st.just(PREFIX), st.sampled_from(["gra", "neu", "fine"]), st.just(""))
_QUERIES = st.lists(
    st.builds(Clause, st.lists(_ITEMS, min_size=1, max_size=2).map(tuple), st.booleans()),
    min_size=1,
    max_size=3,
).map(lambda clauses: Query(tuple(clauses)))
_TEXTS = st.lists(
    _WORDS | st.sampled_from(["finetuning", ".", "graphs", "Neural"]), max_size=12
).map(" ".join)
_PAPERS = st.builds(
    Paper,
    st.just("arxiv:1"),
    _TEXTS,
    _TEXTS,
    keywords=st.lists(_TEXTS, max_size=2).map(tuple),
)


def test_where_only_filters_choose_upvotes_count_as_in_any_channel() -> None:
    paper = Paper("arxiv:1", "Diffusion", categories=("cs.CL",), upvotes=41)

    filters = points(Profile(channel("cat:cs.CL"), NO_PAST).judge(paper))
    keywords = points(Profile(channel("diffusion"), NO_PAST).judge(paper))

    assert 0.5 < filters["41 upvotes"] / keywords["41 upvotes"] < 2


@settings(deadline=None)
@given(st.lists(_QUERIES, min_size=1, max_size=4), _QUERIES, _PAPERS)
def test_for_any_channel_more_is_more(queries: list[Query], added: Query, paper: Paper) -> None:
    subscriptions = tuple(Subscription(n, q) for n, q in enumerate(queries, 1))
    few = Profile(Channel(REF, subscriptions), NO_PAST)
    more = Profile(Channel(REF, (*subscriptions, Subscription(99, added))), NO_PAST)

    before, after = few.judge(paper), more.judge(paper)

    assert after.score >= before.score
    assert before.passed <= after.passed
    assert after.score == pytest.approx(math.fsum(r.points for r in after.reasons), abs=1e-9)
