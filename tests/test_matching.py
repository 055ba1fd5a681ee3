"""All channels at once give what ``Profile.judge`` gives for each pair, to the last digit."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from bot import matching
from bot.keywords import Document
from bot.lexicon import Lexicon
from bot.matching import Matcher, Matches
from bot.model import Channel, ChannelRef, Learned, Paper, Subscription
from bot.query import parse
from bot.ranking import BACKGROUND_MIN, Background, Profile
from bot.text import Field, Pattern, pattern, prefix_pattern, tokens

WORDS = [
    "model",
    "models",
    "learning",
    "deep",
    "fine-tuning",
    "finetuning",
    "fine",
    "tuning",
    "pre-training",
    "pretraining",
    "data-set",
    "dataset",
    "data",
    "set",
    "RAG",
    "RAGs",
    "rag",
    "GPT-4",
    "GPT",
    "4",
    "gpt4",
    "the",
    "of",
    "in",
    "context",
    "in-context",
    "benchmark's",
    "survey",
    "survey,",
    "graph",
    "neural-networks",
    "network",
    "reward",
    "rewards",
    "rewarding",
    "Erdős-Rényi",
    "Müller's",
    "multi-modal",
    "multimodal",
    "mixture",
    "experts",
    "real-time-systems",
    "happy",
    "happier",
    "ability",
    "able",
    "LLMs",
    "LLM",
    "2024-25",
    "co-op",
]
QUERIES = (
    "model", '"deep learning"', "fine-tuning", "finetuning", '"fine tuning"', "fine tuning models",
    "RAG", "rag", '"RAG"|retrieval|GPT-4', "pre*", "rewar* learning", "title:survey", "abs:dataset",
    "learning -survey", '"data set" -title:graph', "cat:cs.CL model", "cat:cs model|graph",
    "-survey", "cat:cs.LG", "cat:stat -model", 'author:"Ann Lee"', "author:Lee model",
    'author:"A. Lee"|graph "learning"', "author:Müller -cat:cs.CL", '"mixture of experts"', "org:Lab",
    "id:2401.00007", "multimodal in context learning", "title:multi-modal|abs:multimodal",
    "real-time systems", "author:Lee|author:Kim cat:cs.CL", "happiness", "ability", "erdos renyi",
    "model author:Lee", 'author:Kim|"graph"', "model author:Kim", 'graph|model "survey"|benchmark', "LLM", "coop",
)  # fmt: skip
MUTED = ("survey", "title:graph", "cat:stat", "author:Kim model")
PEOPLE = ("Ann Lee", "A. Lee", "Bo Kim", "Kim, Bo", "Jürgen Müller", "the ATLAS Collaboration")
CATEGORIES = ("cs.CL", "cs.LG", "stat.ML", "math.OC")


def paper(number: int, draw: random.Random) -> Paper:
    def text(length: int) -> str:
        return " ".join(draw.choices(WORDS, k=length))

    return Paper(
        f"arxiv:2401.{number:05}",
        text(draw.randint(1, 8)),
        text(draw.randint(0, 40)),
        tuple(draw.sample(PEOPLE, draw.randint(0, 3))),
        tuple(draw.sample(CATEGORIES, draw.randint(0, 2))),
        keywords=tuple(text(2) for _ in range(draw.choice((0, 0, 3)))),
        upvotes=draw.choice((0, 0, 5, 120)),
        organisation=draw.choice(("", "", "Some Lab")),
        listed_on=date(2026, 6, 1) + timedelta(days=number % 3),
    )


@cache
def papers() -> tuple[Document, ...]:
    draw = random.Random(7)  # noqa: S311
    return tuple(Document(paper(number, draw)) for number in range(BACKGROUND_MIN + 110))


@cache
def background() -> Background:
    return Background(papers()[: BACKGROUND_MIN + 10])


def new() -> Sequence[Document]:
    return papers()[BACKGROUND_MIN + 10 :]


def channels(count: int, seed: int = 3) -> list[Channel]:
    draw = random.Random(seed)  # noqa: S311
    return [
        Channel(
            ChannelRef("terminal", "local", f"c{n}"),
            tuple(
                Subscription(number, parse(query), draw.choice((1.0, 1.0, 2.0, 0.3, 1.7)))
                for number, query in enumerate(draw.sample(QUERIES, draw.randint(0, 9)), start=1)
            ),
            muted=tuple(map(parse, draw.sample(MUTED, draw.choice((0, 0, 1, 2))))),
            strictness=draw.choice(("loose", "normal", "strict", 0.5, 0.0)),
        )
        for n in range(count)
    ]  # fmt: skip


def singly(profile: Profile, documents: Sequence[Document]) -> list[tuple[str, float]]:
    passed = [v for v in map(profile.judge, documents) if v.passed]
    passed.sort(key=lambda v: (-v.score, -(v.paper.listed_on or date.min).toordinal(), v.paper.id))
    return [(verdict.paper.id, verdict.score) for verdict in passed]


def told(matches: Matches, channel: Channel) -> list[tuple[str, float]]:
    return [(document.paper.id, points) for document, points in matches.of(channel.ref)]


def matcher(found: Sequence[Channel]) -> Matcher:
    made = Matcher(background())
    for channel in found:
        made.put(channel)
    return made


def test_all_at_once_is_what_each_pair_alone_gives() -> None:
    asked = channels(40)

    together = matcher(asked)

    matches = together.match(new())
    for channel in asked:
        alone = Profile(channel, background())
        assert alone.line == together.line(channel.ref), channel
        assert singly(alone, new()) == told(matches, channel), channel
    assert any(told(matches, channel) for channel in asked)


@pytest.mark.parametrize("query", QUERIES)
def test_each_kind_of_query_alone(query: str) -> None:
    subscription = Subscription(1, parse(query), 2.0)
    channel = Channel(ChannelRef("terminal", "local", "main"), (subscription,), strictness=0.0)

    matches = matcher([channel]).match(new())

    assert singly(Profile(channel, background()), new()) == told(matches, channel)


def test_a_profile_that_the_matcher_hands_out_judges_as_one_made_anew() -> None:
    asked = channels(12)
    together = matcher(asked)

    for channel in asked:
        alone, handed = Profile(channel, background()), together.profile(channel)
        assert [alone.judge(d) for d in new()] == [handed.judge(d) for d in new()]
        assert alone.at(4.0).line == handed.at(4.0).line


def test_what_comes_nearest_is_told_where_nothing_passes() -> None:
    strict = [replace(channel, strictness=10.0, muted=()) for channel in channels(30)]

    matches = matcher(strict).match([Document(replace(d.paper, upvotes=0)) for d in new()])

    quiet = [channel for channel in strict if not matches.of(channel.ref)]
    for channel in quiet:
        document, points = matches.best(channel.ref)
        judged = Profile(channel, background())
        assert points == judged.judge(document).score
        assert points == max(judged.judge(d).score for d in new())
    assert len(quiet) > 5


def test_the_size_of_the_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = channels(30)
    whole = matcher(asked).match(new())

    monkeypatch.setattr(matching, "PAPERS", 7)
    monkeypatch.setattr(matching, "_CELLS", 50)
    pieces = matcher(asked).match(new())

    for channel in asked:
        assert told(whole, channel) == told(pieces, channel)


def test_a_changed_channel_is_as_one_that_was_always_so() -> None:
    asked = channels(12)
    together = matcher(asked)
    together.match(new())
    gone, changed = asked[3], replace(asked[5], subscriptions=asked[6].subscriptions, muted=())

    together.drop(gone.ref)
    together.put(changed)

    now = [channel for channel in asked if channel.ref not in (gone.ref, changed.ref)] + [changed]
    fresh, matches = matcher(now).match(new()), together.match(new())
    for channel in now:
        assert told(fresh, channel) == told(matches, channel)
    assert matches.of(gone.ref) == []


def test_changes_without_end_do_not_pile_up() -> None:
    asked = channels(4)
    together = matcher(asked)

    for _ in range(50):
        together.put(asked[0])

    assert len(together._query) < 10 * sum(len(channel.subscriptions) for channel in asked)
    assert singly(Profile(asked[1], background()), new()) == told(together.match(new()), asked[1])


def test_channels_that_learned_are_judged_with_what_they_learned() -> None:
    asked = channels(6)
    learned = (Learned("graph", "graph", 0.5), Learned("survey", "survey", -0.25))
    together = matcher(asked)

    together.put(asked[2], learned)

    matches = together.match(new())
    alone = Profile(asked[2], background(), learned)
    assert alone.line == together.line(asked[2].ref)
    assert singly(alone, new()) == told(matches, asked[2])
    assert singly(Profile(asked[2], background()), new()) != told(matches, asked[2])
    assert singly(Profile(asked[1], background()), new()) == told(matches, asked[1])


def test_with_too_few_papers_behind_it_a_channel_has_its_floor() -> None:
    few = Background(papers()[:50])
    together = Matcher(few)
    for channel in channels(20):
        together.put(channel)

    for channel in channels(20):
        assert Profile(channel, few).line == together.line(channel.ref)


def test_no_papers_and_no_channels_match_nothing() -> None:
    empty = Channel(ChannelRef("terminal", "local", "empty"))

    assert matcher([empty]).match(new()).of(empty.ref) == []
    assert matcher(asked := channels(3)).match(()).of(asked[0].ref) == []
    assert matcher(()).match(new()).of(empty.ref) == []


PATTERNS: tuple[Pattern, ...] = (
    *(pattern(tokens(word), exact=exact) for word in WORDS for exact in (False, True)),
    *(
        pattern(tokens(f"{a} {b}"), exact=exact)
        for a, b in pairwise(WORDS)
        for exact in (False, True)
    ),
    *map(prefix_pattern, ("mod", "pre", "finet", "data", "realtime", "gpt")),
)


@cache
def lexicon() -> Lexicon:
    made = Lexicon()
    for number, found in enumerate(PATTERNS):
        made.add(number, found)
    return made


@settings(max_examples=150)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=4)
)
def test_the_lexicon_finds_where_each_pattern_begins(texts: list[str]) -> None:
    field = Field(*texts)
    hits = array("q")

    lexicon().find(field, 1000, hits)

    found = {(hit >> 32, (hit & 0xFFFFFFFF) - 1000) for hit in hits}
    expected = {(n, place) for n, p in enumerate(PATTERNS) for place in p.occurrences(field)}
    assert expected == found


def test_a_hyphenated_word_is_read_as_one_only_where_its_first_part_would_not_do() -> None:
    field = Field("A model-s survey")
    hits = array("q")
    asked = Lexicon()
    asked.add(0, pattern(["model", "survey"]))

    asked.find(field, 0, hits)

    assert pattern(["model", "survey"]).occurrences(field) == {}
    assert hits.tolist() == []
