"""The keyword language by example: query, paper, and what comes of it.

Each row is a query, the title of a paper (with whatever else of it matters) and the reasons that the
paper is brought for. No reason: the query does not admit it. ``"tool use" in title`` is a hit as a
phrase, ``"tool" and "use" in title`` one of words apart, which counts half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bot.model import Channel, ChannelRef, Paper, Subscription
from bot.query import parse
from bot.ranking import LINE, NO_PAST, Profile, Verdict

REF = ChannelRef("terminal", "local", "main")


@dataclass(frozen=True)
class Row:
    query: str
    paper: Paper
    reasons: tuple[str, ...]


def row(query: str, title: str, *reasons: str, **known: Any) -> Row:
    return Row(query, Paper("arxiv:2606.00001", title, **known), reasons)


def judge(query: str, paper: Paper, muted: tuple[str, ...] = ()) -> Verdict:
    channel = Channel(REF, (Subscription(1, parse(query)),), muted=tuple(map(parse, muted)))
    return Profile(channel, NO_PAST).judge(paper)


ENDINGS = [
    row("model", "Modeling molecules", '"model" in title'),
    row("modelling", "A model of molecules", '"modelling" in title'),
    row("quantization", "How to quantize a network", '"quantization" in title'),
    row("networks", "A network", '"networks" in title'),
    row("cat", "A category of cats", '"cat" in title'),
    row("cat", "Categories and concatenation"),
    row("organic", "An organization of organs"),
    row("Diffusion", "DIFFUSION MODELS", '"Diffusion" in title'),
    row("ability", "Abilities of agents", '"ability" in title'),
    row("happy", "Happiness", '"happy" in title'),
    row("general", "Generals", '"general" in title'),
    row("generate", "Generals"),
]
QUOTES = [
    row('"tool use"', "On tool use", '"tool use" in title'),
    row('"tool use"', "On tools use", '"tool use" in title'),
    row('"reward models"', "A reward model", '"reward models" in title'),
    row('"reward model"', "Reward modeling"),
    row('"tool use"', "Use of a tool"),
    row('"tool use"', "A tool that you use"),
    row('"modeling"', "A model"),
    row('"tool use"', "Tool, use and purpose", '"tool use" in title'),
    row('"tool use"', "Tool\n use", '"tool use" in title'),
    row('"tool use"', "Tool", abstract="Use it."),
    row("“tool use”", "On tool use", '"tool use" in title'),
    row('"A* search"', "Faster A* search", '"A* search" in title'),
]
WORDS = [
    row("tool use", "Tool use in agents", '"tool use" in title'),
    row("tool use", "Using tools", '"tool" and "use" in title'),
    row("tool use", "Tools in use by agents", '"tool" and "use" in title'),
    row("tool use", "Tools", '"tool" and "use" in title and abstract', abstract="We use them."),
    row("tool use", "Tools of the trade"),
    row("use tools", "Tools for use", '"use" and "tools" in title'),
    row("graph neural networks", "Graph neural network", '"graph neural networks" in title'),
    row("graph neural networks", "Neural networks on a graph",
        '"graph", "neural" and "networks" in title'),
    row("graph neural networks", "Neural graphs"),
    row("mixture of experts", "Mixtures for experts", '"mixture" and "experts" in title'),
    row("mixture of experts", "Mixtures of experts", '"mixture of experts" in title'),
    row("mixture, experts!", "Experts in a mixture", '"mixture" and "experts" in title'),
    row("LLM planning", "Planning with an LLM", '"LLM" and "planning" in title'),
    row("LLM planning", "Planning with an llm"),
]  # fmt: skip
SPELLINGS = [
    row(query, f"On {title} for all", f'"{query}" in title')
    for spellings in (
        ("fine-tuning", "finetuning", "fine tuning"),
        ("data-set", "dataset", "data set"),
        ("multi-modal", "multimodal", "multi modal"),
        ("k-means", "kmeans", "k means"),
        ("pre-training", "pretraining", "pre training"),
        ("GPT-4", "GPT4", "GPT 4"),
        ("flash-attention", "FlashAttention", "Flash Attention"),
    )
    for query in spellings
    for title in spellings
] + [
    row("e-mail", "An email", '"e-mail" in title'),
    row("email", "An e-mail", '"email" in title'),
    row("state-of-the-art", "State of the art", '"state-of-the-art" in title'),
    row('"state of the art"', "State-of-the-art results", '"state of the art" in title'),
    row("fine-tuning", "Fine‐tuning and fine–tuning", '"fine-tuning" in title'),
    row("fine-tune", "Finetuned models", '"fine-tune" in title'),
    row('"fine-tune"', "Finetuned models"),
    row('"multimodal learning"', "Multi-modal learning", '"multimodal learning" in title'),
    row("kmeans clustering", "K-means clustering", '"kmeans clustering" in title'),
    row("healthcare", "Health care", '"healthcare" in title'),
    row("overall", "Over all of them"),
    row("anytime", "At any time"),
    row("network", "The net work done"),
    row("Navier-Stokes", "The Navier–Stokes equations", '"Navier-Stokes" in title'),
    row("retrieval-augmented", "Retrieval, augmented", '"retrieval-augmented" in title'),
    row("30", "In 3-0 days"),
    row("GPT-4", "gpt4", '"GPT-4" in title'),
    row("GPT-4", "GPT-40"),
]  # fmt: skip
ACRONYMS = [
    row("RAG", "A RAG pipeline", '"RAG" in title'),
    row("RAG", "RAGs", '"RAG" in title'),
    row("RAG", "A RAG-based system", '"RAG" in title'),
    row("RAG", "RAG's limits", '"RAG" in title'),
    row("RAG", "A rag doll"),
    row("RAG", "Storage and fragments"),
    row("rag", "A RAG pipeline", '"rag" in title'),
    row("Rag", "A rag doll", '"Rag" in title'),
    row('"RAG"', "RAGs", '"RAG" in title'),
    row('"RAG"', "Rag dolls"),
    row("AI", "On AI, ai and Ai", '"AI" in title'),
    row("RL", "Curl and URL"),
    row("RAG pipelines", "A pipeline for RAG", '"RAG" and "pipelines" in title'),
    row("ATTENTION", "Attention is all you need", '"ATTENTION" in title'),
    row("IT", "It is all we need"),
]
PREFIXES = [
    row("reward*", "Rewarding agents", '"reward*" in title'),
    row("reward*", "An award"),
    row("rew*", "Rewriting", '"rew*" in title'),
    row("multimod*", "Multi-modal models", '"multimod*" in title'),
    row("mull*", "Müller", '"mull*" in title'),
    row("title:reward*", "On agents", abstract="A reward."),
]
# a text prefix shows its star outside of quotes
PREFIXES = [
    Row(r.query, r.paper, tuple(reason.replace('"', "") for reason in r.reasons)) for r in PREFIXES
]
PLACES = [
    row("survey", "A survey", '"survey" in title and abstract', abstract="This survey is one."),
    row("survey", "", '"survey" in abstract', abstract="This survey is one."),
    row("survey", "Title", '"survey" in keywords', keywords=("LLM", "Survey")),
    row("survey", "A survey", '"survey" in title, abstract and keywords',
        abstract="One survey.", keywords=("surveys",)),
    row("title:survey", "A survey", '"survey" in title', abstract="One survey."),
    row("title:survey", "Title", abstract="One survey.", keywords=("survey",)),
    row("ti:survey", "A survey", '"survey" in title'),
    row("abs:survey", "A survey", '"survey" in abstract', abstract="One survey."),
    row("abs:survey", "A survey", keywords=("survey",)),
    row('title:"tool use"', "Tool use", '"tool use" in title'),
    row('"tool use"', "Title", keywords=("tool", "use")),
    row("0", "0", '"0" in title'),
    row("survey", "A survey", '"survey" in title', abstract=""),
    row("survey", ""),
]  # fmt: skip
CATEGORIES = [
    row("cat:cs.CL", "T", "in cs.CL", categories=("cs.CL",)),
    row("cat:CS.cl", "T", "in cs.CL", categories=("stat.ML", "cs.CL")),
    row("cat:cs.CL", "T", categories=("cs.LG",)),
    row("cat:cs", "T", "in cs.LG", categories=("stat.ML", "cs.LG", "cs.CL")),
    row("cat:cs.*", "T", "in cs.LG", categories=("cs.LG",)),
    row("cat:cs", "T", categories=("math.CO", "physics.acc-ph", "eess.SY")),
    row("cat:math", "T", categories=("math-ph",)),
    row("cat:math-ph", "T", "in math-ph", categories=("math-ph",)),
    row("cat:math", "T", "in math.GT", categories=("math.GT",)),
    row("cat:cond-mat", "T", "in cond-mat.mes-hall", categories=("cond-mat.mes-hall",)),
    row("cat:quant-ph", "T", "in quant-ph", categories=("quant-ph",)),
    row("cat:cs.CL|cat:cs.LG", "T", "in cs.LG", categories=("cs.LG",)),
    row("cat:cs.CL", "T"),
    row("cat:cs.CL survey", "A survey", '"survey" in title', categories=("cs.CL",)),
    row("cat:cs.CL survey", "A survey", categories=("cs.LG",)),
]
AUTHORS = [
    row('author:"Yejin Choi"', "T", "by Yejin Choi", authors=("Ann Lee", "Yejin Choi")),
    row('author:"Yejin Choi"', "T", authors=("Y. Choi",)),
    row('author:"Y. Choi"', "T", "by Yejin Choi", authors=("Yejin Choi",)),
    row('author:"Y Choi"', "T", "by Y. Choi", authors=("Y. Choi",)),
    row('author:"Yejin Choi"', "T", authors=("Yena Choi", "Yejin Choe", "Choi Yejin")),
    row('author:"Ann Lee"', "T", authors=("Anna Lee",)),
    row("author:Choi", "T", "by Yejin Choi", authors=("Yejin Choi",)),
    row("author:Choi", "T", authors=("Choi Yejin",)),
    row('author:"Choi, Yejin"', "T", "by Yejin Choi", authors=("Yejin Choi",)),
    row('author:"Yejin Choi"', "T", "by Choi, Yejin", authors=("Choi, Yejin",)),
    row('author:"Bernhard Scholkopf"', "T", "by Bernhard Schölkopf",
        authors=("Bernhard Schölkopf",)),
    row('author:"Łukasz Kaiser"', "T", "by Lukasz Kaiser", authors=("Lukasz Kaiser",)),
    row("author:Müller", "T", "by Klaus-Robert Muller", authors=("Klaus-Robert Muller",)),
    row("author:Mueller", "T", authors=("Klaus-Robert Müller",)),
    row('author:"Christopher Manning"', "T", "by Christopher D. Manning",
        authors=("Christopher D. Manning",)),
    row('author:"Christopher D. Manning"', "T", "by Christopher Manning",
        authors=("Christopher Manning",)),
    row('author:"C. D. Manning"', "T", "by Christopher David Manning",
        authors=("Christopher David Manning",)),
    row('author:"C. X. Manning"', "T", authors=("Christopher David Manning",)),
    row('author:"J.-B. Alayrac"', "T", "by Jean-Baptiste Alayrac",
        authors=("Jean-Baptiste Alayrac",)),
    row('author:"van der Maaten"', "T", "by Laurens van der Maaten",
        authors=("Laurens van der Maaten",)),
    row('author:"Laurens van der Maaten"', "T", "by L. van der Maaten, Laurens",
        authors=("L. van der Maaten, Laurens",)),
    row('author:"L. van der Maaten"', "T", "by Laurens van der Maaten",
        authors=("Laurens van der Maaten",)),
    row("author:Maaten", "T", "by Laurens van der Maaten", authors=("Laurens van der Maaten",)),
    row('author:"van Maaten"', "T", authors=("Laurens van der Maaten",)),
    row('author:"Di Wu"', "T", "by Di K. Wu", authors=("Di K. Wu",)),
    row("author:Garcia-Molina", "T", "by Hector García-Molina",
        authors=("Hector García-Molina",)),
    row("author:O’Brien", "T", "by Ann O'Brien", authors=("Ann O'Brien",)),
    row('author:"Martin King"', "T", "by Martin L. King, Jr.", authors=("Martin L. King, Jr.",)),
    row("author:ATLAS", "T", "by the ATLAS Collaboration", authors=("the ATLAS Collaboration",)),
    row('author:"The ATLAS collaboration"', "T", "by ATLAS Collaboration",
        authors=("ATLAS Collaboration",)),
    row('author:"Kimi Team"', "T", "by Kimi Team", authors=("Kimi Team",)),
    row("author:ATLAS", "T", authors=("CMS Collaboration",)),
    row("author:Plato", "T", "by Plato", authors=("Plato",)),
    row("author:Plato", "T"),
    row('author:"Yejin Choi" reason', "Reasons", '"reason" in title', "by Yejin Choi",
        authors=("Yejin Choi",)),
    row('author:"Yejin Choi" reason', "Reasons", authors=("Ann Lee",)),
    row('author:"Yejin Choi" reason', "Rhyme", authors=("Yejin Choi",)),
    row("Choi", "T", authors=("Yejin Choi",)),
]  # fmt: skip
OTHER_FILTERS = [
    row('org:"Hugging Face"', "T", "from Hugging Face", organisation="Hugging Face"),
    row("org:huggingface", "T", "from Hugging Face", organisation="Hugging Face"),
    row("org:MIT", "T", "from MIT CSAIL", organisation="MIT CSAIL"),
    row("org:MIT", "T", organisation="Smith College"),
    row("org:MIT", "T"),
    row("id:2606.00001", "T", "id 2606.00001"),
    row("id:2606.00001v3", "T", "id 2606.00001"),
    row("id:https://arxiv.org/abs/2606.00001", "T", "id 2606.00001"),
    row('id:"arXiv:2606.00001v1 [cs.CL]"', "T", "id 2606.00001"),
    row("id:2606.00002", "T"),
    row("id:2606.00002|id:2606.00001", "T", "id 2606.00001"),
]
ALTERNATIVES = [
    row("RAG|retrieval", "A RAG pipeline", '"RAG" in title'),
    row("RAG|retrieval", "Retrieval", '"retrieval" in title'),
    row("RAG OR retrieval", "Retrieval", '"retrieval" in title'),
    row("rag or retrieval", "Retrieval"),
    row('RAG|retrieval "survey"', "Retrieval: a survey",
        '"retrieval" in title', '"survey" in title'),
    row('RAG|retrieval "survey"', "Retrieval"),
    row('"tool use"|"function calling"', "Function calling", '"function calling" in title'),
    row("diffusion|Langevin", "Langevin diffusion", '"Langevin" in title'),  # the rarer one
    row('author:"Yejin Choi"|reason', "Rhyme", "by Yejin Choi", authors=("Yejin Choi",)),
    row('author:"Yejin Choi"|reason', "Reasons", '"reason" in title', authors=("Ann Lee",)),
    row('author:"Yejin Choi"|reason', "Reasons", '"reason" in title', "by Yejin Choi",
        authors=("Yejin Choi",)),
    row('"OR" theory', "OR theory", '"OR" in title', '"theory" in title'),
]  # fmt: skip
SCRIPTS = [
    row("efficient", "E\ufb03cient networks", '"efficient" in title'),
    row("e\ufb03cient", "Efficient networks", '"efficient" in title'),
    row("Muller", "Müller cells", '"Muller" in title'),
    row("Müller", "Muller cells", '"Müller" in title'),
    row("Müller", "Mu\u0308ller cells", '"Müller" in title'),
    row("Mueller", "Müller cells"),
    row("naïve", "Naive Bayes", '"naïve" in title'),
    row("λόγος", "ΛΌΓΟΣ", '"λόγος" in title'),
    row("深度学习", "深度学习 方法", '"深度学习" in title'),
    row("深度学习", "基于深度学习的方法"),  # without blanks it is one word
    row("深度学*", "深度学习", "深度学* in title"),
    row("обучение", "Глубокое обучение", '"обучение" in title'),
    row("C++", "Faster C++ and C", '"C++" in title'),
    row("C++", "Vitamin C"),
    row("C", "Faster C++"),
    row("C#", "C# and Java", '"C#" in title'),
    row("model's", "Models", """"model's" in title"""),
    row("model", "A model’s limits", '"model" in title'),
    row("don't", "Don’t look up", """"don't" in title"""),
    row("O'Reilly", "The O’Reilly test", """"O'Reilly" in title"""),
    row("Bayes", "Bayes' theorem", '"Bayes" in title'),
    row("3.5", "Version 3.5", '"3.5" in title'),
    row("2026", "In 2026", '"2026" in title'),
    row("'planning'", "Planning", '"planning" in title'),
]
EXCLUSIONS = [
    row("diffusion -survey", "Diffusion", '"diffusion" in title'),
    row('diffusion -"tool use"', "Diffusion of tools in use", '"diffusion" in title'),
    row("-survey", "Diffusion", "matches -survey"),
    row("cat:cs -survey", "Diffusion", "in cs.CL", categories=("cs.CL",)),
]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(row, id=f"{row.query} ~ {row.paper.title}".encode("ascii", "replace").decode())
        for row in (
            *ENDINGS, *QUOTES, *WORDS, *SPELLINGS, *ACRONYMS, *PREFIXES, *PLACES, *CATEGORIES,
            *AUTHORS, *OTHER_FILTERS, *ALTERNATIVES, *SCRIPTS, *EXCLUSIONS,
        )
    ],
)  # fmt: skip
def test_a_query_brings_a_paper_for_these_reasons(given: Row) -> None:
    verdict = judge(given.query, given.paper)

    assert set(given.reasons) == {reason.text for reason in verdict.reasons}
    assert bool(given.reasons) == (verdict.numbers == (1,))
    assert bool(given.reasons) == (not verdict.missed)


@pytest.mark.parametrize(
    ("query", "title", "what"),
    [
        ("diffusion -survey", "Surveys of diffusion", "survey"),
        ("diffusion -title:survey", "Diffusion: a survey", "title:survey"),
        ("diffusion -survey|review", "A review of diffusion", "survey|review"),
        ('diffusion -"tool use"', "Diffusion of tool use", '"tool use"'),
        ("diffusion —survey", "Diffusion: a survey", "survey"),
        ("diffusion -sur*", "Diffusion: a surgery", "sur*"),
        ("diffusion -cat:cs.CV", "Diffusion", "cat:cs.CV"),
        ('diffusion -author:"Ann Lee"', "Diffusion", 'author:"Ann Lee"'),
        ("cat:cs -RAG", "RAG", "RAG"),
        ("diffusion -fine-tuning", "Finetuning diffusion", "fine-tuning"),
    ],
)
def test_an_exclusion_blocks_and_is_named(query: str, title: str, what: str) -> None:
    paper = Paper("arxiv:1", title, categories=("cs.CV",), authors=("Ann Lee",))

    verdict = judge(query, paper)

    assert (f"subscription 1 excludes “{what}”",) == verdict.blocked
    assert verdict.numbers == ()
    assert verdict.score == 0


def test_an_exclusion_is_not_named_where_nothing_matched_anyway() -> None:
    verdict = judge("diffusion -survey", Paper("arxiv:1", "A survey of agents"))

    assert verdict.blocked == ()
    assert verdict.missed == ((1, "diffusion"),)


def test_an_exclusion_looks_at_words_in_its_own_field_only() -> None:
    verdict = judge("diffusion -title:survey", Paper("arxiv:1", "Diffusion", "A survey."))

    assert verdict.numbers == (1,)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("survey", "survey"),
        ('"a survey"', '"a survey"'),
        ("title:survey", "title:survey"),
        ("cat:cs.CV", "cat:cs.CV"),
        ("survey|review", "survey|review"),
        ("survey diffusion", "survey diffusion"),
    ],
)
def test_a_muted_term_blocks_whatever_else_matches(term: str, text: str) -> None:
    paper = Paper("arxiv:1", "Diffusion: a survey", categories=("cs.CV",))

    verdict = judge("diffusion", paper, muted=(term,))

    assert (f"“{text}” is muted here",) == verdict.blocked
    assert not verdict.passed
    assert verdict.numbers == (1,)


def test_what_is_not_muted_passes() -> None:
    verdict = judge("diffusion", Paper("arxiv:1", "Diffusion"), muted=("survey", "-diffusion"))

    assert verdict.blocked == ()
    assert verdict.passed


def test_words_apart_count_half_of_what_they_would_alone() -> None:
    together = Paper("arxiv:1", "T", "Gradient of the manifold")
    apart = judge("gradient manifold", together)
    alone = [judge(word, together) for word in ("gradient", "manifold")]
    raw = [verdict.score / LINE * weight for verdict, weight in zip(alone, _idfs(), strict=True)]

    half = sum(raw) / 2

    line = Profile(Channel(REF, (Subscription(1, parse("gradient manifold")),)), NO_PAST).line
    assert pytest.approx(half / line * LINE, abs=0.01) == apart.score


def _idfs() -> list[float]:
    queries = [parse("gradient"), parse("manifold")]
    return [Profile(Channel(REF, (Subscription(1, q),)), NO_PAST).line for q in queries]


def test_a_paper_that_misses_says_which_clauses_found_nothing() -> None:
    verdict = judge('cat:cs.CL RAG|retrieval "tool use"', Paper("arxiv:1", "Retrieval"))

    assert verdict.missed == ((1, 'cat:cs.CL "tool use"'),)
    assert verdict.reasons == ()


def test_filters_alone_give_the_points_of_the_line() -> None:
    paper = Paper("arxiv:1", "T", categories=("cs.CL",), authors=("Yejin Choi",))

    verdict = judge('cat:cs.CL author:"Yejin Choi"', paper)

    assert [(r.text, r.points) for r in verdict.reasons] == [("in cs.CL by Yejin Choi", LINE)]
    assert verdict.passed
