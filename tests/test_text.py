"""Words, stems and spellings of a text, and where a keyword stands in it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings, strategies as st

from bot.text import (
    Field,
    Haystack,
    Pattern,
    clip,
    fold,
    is_acronym,
    marks,
    pattern,
    prefix_pattern,
    sentences,
    stem,
    strip_accents,
    tokens,
)

_CHARACTERS = st.sampled_from([*"aAbBsS sS-‐–'’.,+#_ 19éßΣςﬁ中", "e\u0301", "\ud800", "\x00"])
_TEXT = st.lists(_CHARACTERS, max_size=40).map("".join) | st.text(max_size=40)


def find(words: str, text: str, *, exact: bool = False) -> dict[int, int]:
    return pattern(tokens(words), exact=exact).occurrences(Field(text))


def marked(text: str, *patterns: Pattern) -> list[str]:
    return [text[start:end] for start, end in marks(text, patterns)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("State-of-the-art, fine‐tuned", ["State", "of", "the", "art", "fine", "tuned"]),
        ("the model's and models' limits", ["the", "model", "and", "models", "limits"]),
        ("don’t; O'Reilly", ["dont", "OReilly"]),
        ("C++, C# and F#-like", ["C++", "C#", "and", "F#", "like"]),
        ("GPT-3.5_turbo (10,000)", ["GPT", "3", "5", "turbo", "10", "000"]),
        ("Müller’s Łódź straße naïve", ["Muller", "Lodz", "strasse", "naive"]),
        ("e\ufb03cient² ½", ["efficient2", "1", "2"]),
        ("中文 text-中文", ["中文", "text", "中文"]),
        ("-- 'quoted' -a- +1 #", ["quoted", "a", "1"]),
        ("\ud800a\x00b", ["a", "b"]),
        ("", []),
    ],
)
def test_a_text_is_words_with_their_case(text: str, words: list[str]) -> None:
    assert tokens(text) == words


def test_folding_is_for_comparing() -> None:
    assert fold("Łukasz MÜLLER Şahin I\u0131k") == "lukasz muller sahin iik"
    assert fold("ΛΌΓΟΣ") == fold("λόγος")


@given(_TEXT)
def test_accents_go_once(text: str) -> None:
    plain = strip_accents(text)

    assert strip_accents(plain) == plain


@pytest.mark.parametrize(
    ("word", "expected"),
    [("RAG", True), ("RL", True), ("RLHF", True), ("R", False), ("TOOLONG", False), ("Rag", False),
     ("GPT4", False), ("rag", False)],
)  # fmt: skip
def test_an_acronym_has_two_to_five_capitals(word: str, expected: bool) -> None:
    assert is_acronym(word) is expected


def test_several_texts_share_no_phrase() -> None:
    field = Field("Tool", "use of tools", "", "use")

    assert pattern(["tool", "use"]).occurrences(field) == {}
    assert [list(section) for section in field.sections] == [[0], [2, 3, 4], [], [7]]


def test_occurrences_tell_where_and_how_many_words() -> None:
    assert find("fine tuning", "Fine-tuning is finetuning; fine. tuning") == {0: 2, 3: 1, 4: 2}
    assert find("finetuning", "Fine-tuning is finetuning") == {0: 2, 3: 1}
    assert find("graph", "graphs graph graphic") == {0: 1, 1: 1}


def test_a_hyphenated_word_within_a_phrase_is_one_word_or_two() -> None:
    assert find("multimodal learning", "multi-modal learning") == {0: 3}
    assert find("learning kmeans now", "learning k-means now") == {0: 4}
    assert find("re-ranking models", "reranking models") == {0: 2}


def test_numbers_are_never_joined() -> None:
    assert find("23", "2-3") == {}
    assert find("2 3", "23") == {}
    assert find("GPT4", "GPT-4") == {0: 2}


def test_only_a_plural_s_bends_an_exact_word() -> None:
    assert find("model", "models", exact=True) == {0: 1}
    assert find("models", "model", exact=True) == {0: 1}
    assert find("model", "modeling", exact=True) == {}
    assert find("multimodal", "multi-modals", exact=True) == {0: 2}
    assert find("multimodal", "multi-modality", exact=True) == {}


def test_a_prefix_begins_a_word_even_across_a_hyphen() -> None:
    prefix = prefix_pattern("Multimo")

    assert prefix.occurrences(Field("multimodal multi-modal supermultimodal")) == {0: 1, 1: 2}


def test_matches_are_marked_as_they_are_written() -> None:
    text = "Müller’s fine–tuning, Fine-Tuned e\ufb03cient RAGs"

    assert marked(text, pattern(["muller"])) == ["Müller’s"]
    assert marked(text, pattern(["fine", "tuning"])) == ["fine–tuning", "Fine-Tuned"]
    assert marked(text, pattern(["efficient"])) == ["e\ufb03cient"]
    assert marked(text, pattern(["RAG"])) == ["RAGs"]


def test_marks_that_overlap_become_one() -> None:
    found = marked("large language models", pattern(["large", "language"]), pattern(["language"]))

    assert found == ["large language"]


@settings(deadline=None)
@given(_TEXT, _TEXT)
def test_marks_lie_in_the_text_and_in_order(text: str, typed: str) -> None:
    words = tokens(typed)[:3]

    ranges = marks(text, [pattern(words)] if words else [])

    flat = [place for pair in ranges for place in pair]
    assert flat == sorted(set(flat))
    assert all(0 <= place <= len(text) for place in flat)


@settings(deadline=None)
@given(_TEXT)
@example("don't")
@example("a-b-c's A-BC")
def test_every_word_of_a_text_is_found_and_marked(text: str) -> None:
    for word in tokens(text):
        found = pattern([word])
        hay = Haystack.of(text)

        assert found.count(Field(text)) > 0
        assert marks(text, [found]) != []
        assert any(map(hay.may_hold, found.needles))


@settings(deadline=None)
@given(st.lists(_TEXT, min_size=1, max_size=3), _TEXT, st.booleans())
def test_the_quick_check_never_hides_a_match(texts: list[str], typed: str, exact: bool) -> None:
    words = tokens(typed)[:3]
    if not words:
        return
    found = pattern(words, exact=exact)
    hay = Haystack.of("\n".join(texts))

    assert any(map(hay.may_hold, found.needles)) or found.count(Field(*texts)) == 0


def test_stems_join_the_forms_of_a_word() -> None:
    assert {stem(word) for word in ("tune", "tuning", "tuned", "tunes")} == {"tune"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("As in Smith et al. The rest.", ["As in Smith et al. The rest."]),
        ("See Fig. 3. It shows, e.g. Bayes.", ["See Fig. 3.", "It shows, e.g. Bayes."]),
        ("At 3.5 points. (Not more.) “Yes.” No.", ["At 3.5 points.", "(Not more.)", "“Yes.”", "No."]),
        ("no end", ["no end"]),
        (" ", []),
    ],
)  # fmt: skip
def test_sentences_end_where_they_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(_TEXT)
def test_sentences_lose_nothing_but_blanks(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_clipping_ends_between_words_with_an_ellipsis() -> None:
    assert clip("A title that fits", 17) == "A title that fits"
    assert clip("A title that does not fit", 17) == "A title that…"
    assert clip("Unbreakablelongword", 10) == "Unbreakab…"


@given(_TEXT, st.integers(1, 60))
def test_a_clipped_text_is_never_longer(text: str, limit: int) -> None:
    assert len(clip(text, limit)) <= limit
