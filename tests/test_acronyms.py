"""What acronyms stand for: found in texts, counted, and put into queries."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bot import query
from bot.acronyms import Meaning, acronyms_of, expanded, fits, mined, pairs
from bot.commands import Expand, parse
from bot.errors import UserError

DUMP = Path(__file__).resolve().parents[2] / "shared" / "data" / "arxiv_2026_spring.jsonl.gz"

LONG = "reinforcement learning"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("We use reinforcement learning (RL) here.", [("RL", "reinforcement learning")]),
        ("RL (reinforcement learning) is used.", [("RL", "reinforcement learning")]),
        ("Large Language Models (LLMs) err.", [("LLM", "Large Language Models")]),
        ("A large language model (LLMs) errs.", [("LLM", "large language model")]),
        ("LLMs (large language models) err.", [("LLM", "large language models")]),
        ("Mixture-of-Experts (MoE) layers", [("MoE", "Mixture-of-Experts")]),
        ("retrieval-augmented generation (RAG)", [("RAG", "retrieval-augmented generation")]),
        ("Proximal Policy Optimization (PPO)", [("PPO", "Proximal Policy Optimization")]),
        ("low-rank adaptation (LoRA) of weights", [("LoRA", "low-rank adaptation")]),
        ("non-negative matrix factorization (NMF)", [("NMF", "non-negative matrix factorization")]),
        ("3D Gaussian Splatting (3DGS) scenes", [("3DGS", "3D Gaussian Splatting")]),
        ("Paper2Code (P2C) runs", [("P2C", "Paper2Code")]),
        ("a generative network (GN (Good et al., 2014)) and", [("GN", "generative network")]),
        ("supervised fine-tuning (SFT; see Sec. 3)", [("SFT", "supervised fine-tuning")]),
        ("graph networks (GNs, e.g. one) and", [("GN", "graph networks")]),
        ("the “chain of thought” (CoT) way", [("CoT", "chain of thought")]),
        ("We train it. Linear models (LM) are old.", [("LM", "Linear models")]),
        ("Direct (D) and Sparse Encoders (SE)", [("SE", "Sparse Encoders")]),
        ("electroencephalography (EEG) data", [("EEG", "electroencephalography")]),
        ("as seen in the results (see Table 3) above", []),
        ("it is then easy (i.e., trivial), for example (e.g. here)", []),
        ("in the year (2024) it was", []),
        ("some words that do not hold it (XYZ) at all", []),
        ("reinforced learning of robots (the usual way)", []),
        ("(RL) begins a text", []),
        ("Robots learn. (RL) begins a sentence", []),
        ("Robots learn. There is (RL) within one", []),
        ("Robots (D) learn (RL) apart", []),
        ("the RL method (RL) again", []),
        ("a bracket that never ends (RL", []),
        ("", []),
    ],
)
def test_a_sentence_spells_out_its_acronyms(sentence: str, expected: list[tuple[str, str]]) -> None:
    assert expected == list(pairs(sentence))


def test_words_farther_away_than_the_letters_allow_are_no_long_form() -> None:
    near = "really " + "of " * 2 + "learning (RL)"
    far = "really " + "of " * 3 + "learning (RL)"

    assert list(pairs(near)) == [("RL", "really of of learning")]
    assert list(pairs(far)) == []


def test_endings_hyphens_and_capitals_make_no_other_long_form() -> None:
    found = mined([
        "Retrieval-Augmented Generation (RAG)",
        "retrieval augmented generation (RAG)",
        "Retrieval-Augmented Generation (RAG)",
        "Retrieval-augmented generations (RAGs)",
        "real algebraic geometry (RAG)",
    ])  # fmt: skip

    assert {
        "RAG": [Meaning("Retrieval-Augmented Generation", 4), Meaning("real algebraic geometry", 1)]
    } == found


def test_a_paper_counts_once_however_often_it_says_it() -> None:
    said = "Reinforcement learning (RL). More reinforcement learning (RL)."

    found = mined([said, ""])

    assert {"RL": [Meaning("reinforcement learning", 1)]} == found


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ('expand 3 "reinforcement learning"', Expand(3, LONG)),
        ("expansion #3 reinforcement  learning", Expand(3, LONG)),
        ("acronym 3", Expand(3)),
    ],
)
def test_an_expansion_is_typed_with_or_without_quotes(typed: str, expected: Expand) -> None:
    assert expected == parse(typed)


@pytest.mark.parametrize(
    "typed", ["expand", "expand RL", "expand x3 y", 'expand 1 "a" "b"', 'expand 1 "a', "expand 1 -"]
)
def test_a_faulty_expansion_says_what_to_write(typed: str) -> None:
    with pytest.raises(UserError) as mistake:
        parse(typed)

    assert mistake.value.hint


LETTERS = st.text(st.sampled_from("aAbBcC1-( )[],.İé’ß"), max_size=60)


@given(st.text() | LETTERS)
@settings(max_examples=400, deadline=None)
def test_mining_never_fails_and_long_forms_hold_all_letters_in_order(text: str) -> None:
    for short, long in pairs(text):
        rest = iter(long.lower())
        held = all(c.lower() in rest for c in short if c.isalnum())

        assert held
        assert len(long) > len(short)
        assert long in text.replace("İ", "I")


def test_the_usual_meanings_come_first_in_real_abstracts() -> None:
    if not DUMP.exists():
        pytest.skip("the shared arXiv dump is not here")
    with gzip.open(DUMP, "rt", encoding="utf-8") as lines:
        found = mined(
            f"{r['title']}. {r['abstract']}" for r in map(json.loads, islice(lines, 6000))
        )

    first = {short: found[short][0].text.lower() for short in ("RL", "RAG", "LLM", "MoE", "GNN")}
    assert first == {
        "RL": "reinforcement learning",
        "RAG": "retrieval-augmented generation",
        "LLM": "large language models",
        "MoE": "mixture-of-experts",
        "GNN": "graph neural networks",
    }


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        ("RL", "reinforcement learning", True),
        ("LLM", "large language models", True),
        ("PPO", "proximal policy optimization", True),
        ("LM", "large language models", False),
        ("RL", "deep reinforcement learning", False),
        ("RL", "graphs", False),
    ],
)
def test_an_acronym_fits_words_that_it_is_made_of(short: str, long: str, expected: bool) -> None:
    assert fits(short, long) is expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("RL", ["RL"]),
        ("RL agents", ["RL"]),
        ('"RL agents" LLM', ["RL", "LLM"]),
        ("title:RL", ["RL"]),
        ("RL|bandits -LLM", ["RL"]),
        ('RL|"reinforcement learning"', []),
        ('"RL agents"|"reinforcement learning agents"', []),
        ('RL "reinforcement learning"', ["RL"]),
        ("MoE rl cat:cs.CL", []),
    ],
)
def test_acronyms_that_are_not_spelt_out_are_known(asked: str, expected: list[str]) -> None:
    assert expected == acronyms_of(query.parse(asked))


@pytest.mark.parametrize(
    ("asked", "meaning", "expected"),
    [
        ("RL", LONG, f'RL|"{LONG}"'),
        ("RL agents", LONG, f'RL|"{LONG}" agents'),
        ("deep RL agents", LONG, f'RL|"{LONG}" deep agents'),
        ("agents of the RL", LONG, f'RL|"{LONG}" agents'),
        ("cat:cs.LG deep RL -survey", LONG, f'cat:cs.LG RL|"{LONG}" deep -survey'),
        ("RL|bandits", LONG, f'RL|"{LONG}"|bandits'),
        ("title:RL", LONG, f'title:RL|title:"{LONG}"'),
        ("title:RL|abs:RL", LONG, f'title:RL|title:"{LONG}"|abs:RL|abs:"{LONG}"'),
        ('"RL"', LONG, f'"RL"|"{LONG}"'),
        ('"RL agents"', LONG, f'"RL agents"|"{LONG} agents"'),
        ("RL -RL", LONG, f'RL|"{LONG}" -RL'),
        ("RL LLM", "large language models", 'LLM|"large language models" RL'),
        ("RL LLM", LONG, f'RL|"{LONG}" LLM'),
        ("RL", "learning by doing", 'RL|"learning by doing"'),
        (f'RL|"{LONG}"', LONG, f'RL|"{LONG}"'),
        (f'RL|"{LONG}"', "Reinforcement-Learning", f'RL|"{LONG}"'),
        (f'RL|"{LONG}" agents', LONG, f'RL|"{LONG}" agents'),
    ],
)
def test_a_long_form_comes_beside_its_acronym(asked: str, meaning: str, expected: str) -> None:
    after = expanded(query.parse(asked), meaning)

    assert expected == str(after)
    assert after == query.parse(str(after))


@pytest.mark.parametrize(
    ("asked", "meaning", "told", "hint"),
    [
        ("agents", LONG, "no acronym in agents", f'subscribe "{LONG}"'),
        ("-RL agents", LONG, "no acronym", f'subscribe "{LONG}"'),
        ("RL LLM", "graphs", "not clear", 'subscribe LLM|"graphs" RL'),
        ("RL" + f' "{"w" * 70}"' * 4, LONG, "at most 300", "of its own"),
        (f'"RL {"w" * 70}"', LONG, "at most 80", "Shorten"),
    ],
)
def test_what_cannot_be_expanded_says_what_to_do(
    asked: str, meaning: str, told: str, hint: str
) -> None:
    with pytest.raises(UserError, match=told) as mistake:
        expanded(query.parse(asked), meaning)

    assert hint in mistake.value.hint


WORD = st.sampled_from(["RL", "LLM", "agents", "of", "deep", '"graph theory"', "reward*"])
ITEM = st.tuples(st.sampled_from(["", "", "title:"]), WORD).map("".join)
CLAUSE = st.tuples(st.sampled_from(["", "", "-"]), st.lists(ITEM, min_size=1, max_size=2)).map(
    lambda parts: parts[0] + "|".join(parts[1])
)


@given(st.lists(CLAUSE, min_size=1, max_size=5).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_an_expanded_query_is_one_that_can_be_typed_and_expanding_again_changes_nothing(
    typed: str,
) -> None:
    try:
        asked = query.parse(typed)
    except UserError:
        return  # several bare words beside |
    if "RL" not in acronyms_of(asked):
        return

    after = expanded(asked, LONG)

    assert after == query.parse(str(after))
    assert after == expanded(after, LONG)
    assert "RL" not in acronyms_of(after)
