"""What a query finds: filters, order, pages, and an answer for every shape of query."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from adapters.search import PaperIndex
from adapters.search_generations import document, key
from bot.app import sample
from bot.errors import UserError
from bot.model import Channel, ChannelRef, Origin, Paper, Record, Subscription
from bot.ports import Search
from bot.query import parse
from bot.ranking import NO_PAST, Profile
from bot.text import GLUE, sentences, tokens
from tests.fakes import MemoryLibrary

TODAY = date(2026, 11, 23)

_FIELDS = ("title", "abs", "author", "cat", "org", "id")
_GLUE = "the of a an and or to in on for with by from at as is are be we our it this that these"
_PREFIXES = "pre* con* pro* int* com* dis* per* tra* rec* mod* lea* met* dat* alg* exp*"

HOSTILE: tuple[str, ...] = (
    # Nothing, operators alone, and what looks like one
    "", " ", "|", "||", "-", "--", "- -", "*", "**", '"', '""', '" "', "'", "OR", "OR OR", "AND",
    "NOT", "AND NOT OR", "-OR", "a|", "|a", "a||b", "a OR", "-a", "-a -b", "--a", "-|a", "+-&&||!",
    "( ( (", ")(", "[]{}", "\\", "\\\\\"", "^~", "?", "%00", "\x00", "\x00a\x00", ";", "#",
    # Quotes in quotes, and open ones
    '"a "b" c"', '"""a"""', '"a', 'a"', '"a" "b" "', '“a „b“ c”', "'a' \"b 'c' d\"", '"-a|b*"',
    # Every field, with nothing, with nonsense, with much
    *(f"{field}:" for field in _FIELDS), *(f"{field}:*" for field in _FIELDS),
    *(f'{field}:"{"x y " * 19}"' for field in _FIELDS),
    "title:title:title", "foo:bar", "title:-a", "-title:a|abs:b|author:c", "a:b:c", "1:2",
    # Unicode of every class
    "中文 日本語 한국어", "é" * 80, "e\u0301" * 40, "\u200b\u200e\u202e", "🙂🙃", "ﬁne-tuning", "Ⅷ ½ ²",
    "\ud800", "\U000e0001", "ß ẞ İ \u0131 \u017f", "العربية עברית", "\u0301\u0301", "a\u00a0b\u2003c",
    # Deep alternations, and sixty clauses
    "|".join("abcdefghijklmnopqrstuvwxyz"), "|".join(f'"{c} {c}"' for c in "abcdefghijklmnopqrst"),
    " ".join(f"-{c}" for c in "abcdefghijklmnopqrstuvwxyz" * 2), " ".join(["a|b"] * 60),
    " ".join(["-a"] * 60), " ".join(f"w{n}" for n in range(60)), " ".join(["the|of"] * 40),
    # Prefixes that take everything
    _PREFIXES, _PREFIXES.replace(" ", "|"), "-" + _PREFIXES.replace(" ", "|"), "the*", "a*", "con*|pro*",
    # Long values, long queries, nothing but stop words, one word again and again
    "x" * 80, "x" * 81, f'"{"a " * 40}"', "a" * 300, "word " * 2000, "learning " * 33, _GLUE,
    f'"{_GLUE[:78]}"', "the", '"of the"', "-the", "model " * 10 + "-model", "fine-" * 15 + "tuning",
    "-".join("abcdefghijklmnopqrstuvwxyz"), "method model data learn result approach propose paper",
)  # fmt: skip


PAPERS = [
    Record(
        Paper(
            "arxiv:2611.00001", "Speculative decoding of dialogue", "We draft and verify.",
            authors=("Yejin Choi", "José García"), categories=("cs.CL", "cs.LG"), upvotes=5,
            organisation="Hugging Face", code="https://github.com/a/b", doi="10.1000/abc",
        ),
        Origin.HUGGING_FACE, date(2026, 11, 20), date(2026, 11, 20),
    ),
    Record(
        Paper(
            "arxiv:2611.00002", "Dialogue without decoding", "Speculative talk.",
            authors=("Yann Choi",), categories=("cs.AI",), upvotes=50,
        ),
        Origin.HUGGING_FACE, date(2026, 11, 19), date(2026, 11, 19),
    ),
    Record(
        Paper("arxiv:2611.00003", "Dialogue surveys", "A survey.", categories=("quant-ph",)),
        Origin.ARXIV_API, date(2026, 11, 21),
    ),
    Record(
        Paper("doi:10.1038/dialogue", "Dialogue in mice", "Squeaks.", doi="10.1038/dialogue"),
        Origin.JOURNAL, date(2026, 11, 18),
    ),
]  # fmt: skip
A, B, C, D = (record.paper.id for record in PAPERS)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[PaperIndex]:
    library = MemoryLibrary()
    await library.add(PAPERS, today=TODAY, live=True)
    async with await PaperIndex.open(tmp_path / "index", library) as opened:
        await opened.update()
        yield opened


async def ids(index: PaperIndex, search: Search) -> list[str]:
    return [paper_id for paper_id, _ in (await index.search(search)).hits]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("speculative decoding", [A, B]),
        ('"speculative decoding"', [A]),
        ("dialogue -title:decoding", [C, D]),
        ("cat:cs.CL", [A]),
        ("cat:cs", [A, B]),
        ("cat:quant-ph", [C]),
        ('author:"Yejin Choi"', [A]),
        ('author:"Y. Choi"', [A, B]),
        ("author:garcia", [A]),
        ('org:"hugging face"', [A]),
        ("title:speculative", [A]),
        ("abs:speculative", [B]),
        ("specul*", [A, B]),
        ('"draft and verify"|squeaks', [A, D]),
        ("id:2611.00003", [C]),
        ("-dialogue", []),
        ("dialogue cat:cs -author:choi", []),
    ],
)
async def test_filters_and_fields_decide(index: PaperIndex, text: str, found: list[str]) -> None:
    assert set(found) == set(await ids(index, Search(parse(text))))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2611.00002", B),
        ("arXiv:2611.00002v3", B),
        ("https://arxiv.org/abs/2611.00002v1", B),
        ("https://arxiv.org/pdf/2611.00002", B),
        ("<https://arxiv.org/abs/2611.00002>", B),
        ("<https://arxiv.org/abs/2611.00002|a paper on dialogue>", B),
        ("https://huggingface.co/papers/2611.00002", B),
        ("10.1038/dialogue", D),
        ("https://doi.org/10.1038/dialogue", D),
    ],
)
async def test_an_id_a_link_or_a_doi_finds_that_paper_first(
    index: PaperIndex, text: str, found: str
) -> None:
    [first, *_] = await ids(index, Search(parse(text)))

    assert found == first


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"sort": "new"}, [C, A, B, D]),
        ({"sort": "upvotes"}, [B, A, C, D]),
        ({"since": date(2026, 11, 20), "sort": "new"}, [C, A]),
        ({"until": date(2026, 11, 19), "sort": "new"}, [B, D]),
        ({"since": date(2026, 11, 19), "until": date(2026, 11, 20), "sort": "new"}, [A, B]),
        ({"source": "journal"}, [D]),
        ({"source": "huggingface", "sort": "new"}, [A, B]),
        ({"source": "arxiv", "sort": "new"}, [C, A, B]),
        ({"has_code": True}, [A]),
    ],
)
async def test_options_order_and_narrow_the_answer(
    index: PaperIndex, options: dict[str, object], found: list[str]
) -> None:
    assert found == await ids(index, Search(parse("dialogue"), **options))  # type: ignore[arg-type]


async def test_neighbours_count_for_more_than_words_apart_and_either_spelling_finds_the_other(
    tmp_path: Path,
) -> None:
    apart, near, joined, other = titles = (
        "Experts in a mixture", "Mixture of the experts", "Finetuning an eel", "Fine tuning of eels",
    )  # fmt: skip
    library = MemoryLibrary()
    papers = [Paper(f"arxiv:2611.0000{n}", title, "") for n, title in enumerate(titles)]
    await library.add([Record(p, Origin.JSONL) for p in papers], today=TODAY, live=True)

    async with await PaperIndex.open(tmp_path / "index", library) as index:
        found = {
            text: [papers[int(i[-1])].title for i in await ids(index, Search(parse(text)))]
            for text in ("a new mixture of the experts", "finetuning", "fine tuning")
        }

    assert [near, apart] == found["a new mixture of the experts"]
    assert [joined, other] == found["finetuning"]
    assert [other, joined] == found["fine tuning"]


async def test_an_unknown_source_is_a_mistake_that_names_the_known_ones(index: PaperIndex) -> None:
    with pytest.raises(UserError, match="no source") as told:
        await index.search(Search(parse("dialogue"), source="google"))

    assert "arxiv" in told.value.hint


@pytest.mark.parametrize("sort", ["best", "new", "upvotes"])
async def test_pages_hold_every_paper_once_however_they_are_sorted(
    index: PaperIndex, sort: str
) -> None:
    pages = [
        await ids(index, Search(parse("dialogue"), sort=sort, limit=1, offset=offset))
        for offset in range(5)
    ]

    assert sorted([A, B, C, D]) == sorted(found for page in pages for found in page)


async def test_a_misspelt_query_is_guessed_and_a_known_one_left_alone(index: PaperIndex) -> None:
    assert await index.suggest(parse("speculatve dialog -survey")) == "speculative dialog -survey"
    assert await index.suggest(parse("speculative")) == ""
    assert await index.suggest(parse("zzzzqqq")) == ""


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_query_of_any_shape_gets_an_answer_or_a_plain_mistake(
    index: PaperIndex, text: str
) -> None:
    try:
        asked = parse(text)
        page = await index.search(Search(asked))
    except UserError as mistake:
        assert mistake.message  # noqa: PT017  # either will do
        assert mistake.hint  # noqa: PT017
        return

    await index.suggest(asked)
    assert page.total >= len(page.hits)


@given(st.text(max_size=120))
def test_a_paper_is_indexed_by_the_same_words_that_match_it(text: str) -> None:
    made = document(Paper("arxiv:2611.00001", "Title", text), frozenset()).to_dict()

    indexed = " ".join(made["abstract"]).split()

    assert [key(word.lower()) for word in tokens(text)] == indexed[: len(tokens(text))]


@pytest.mark.parametrize("record", sample(), ids=lambda record: record.paper.title[:30])
def test_a_channel_that_subscribes_to_a_phrase_of_a_sample_paper_gets_it(record: Record) -> None:
    paper = record.paper
    telling = [w for w in tokens(sentences(paper.abstract)[0]) if w.lower() not in GLUE]
    phrase = next(f'"{a} {b}"' for a, b in pairwise(telling) if f"{a} {b}" in paper.abstract)
    subscription = Subscription(1, parse(phrase))

    verdict = Profile(Channel(ChannelRef("none", "none", "none"), (subscription,)), NO_PAST).judge(
        paper
    )

    assert verdict.passed


async def test_many_words_with_a_star_are_refused_before_they_cost_anything(
    index: PaperIndex,
) -> None:
    with pytest.raises(UserError, match="at most 8 words with a star; this one has 9"):
        await index.search(Search(parse("pre* con* pro* int* com* dis* per* tra* rec*")))
