"""Text to Query and back, and errors that point at the place and say what to write."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from bot.errors import UserError
from bot.query import (
    NAME,
    PHRASE,
    PREFIX,
    QUERY_LENGTH,
    VALUE_LENGTH,
    WORDS,
    Clause,
    Item,
    Query,
    categories,
    clean,
    format_query,
    parse,
)


def clause(*items: Item, negated: bool = False) -> Clause:
    return Clause(items, negated)


def words(text: str, field: str = "") -> Item:
    return Item(WORDS, text, field)


def phrase(text: str, field: str = "") -> Item:
    return Item(PHRASE, text, field)


def parsed(text: str) -> Query | UserError:
    try:
        return parse(text)
    except UserError as error:
        return error


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("RAG", [clause(words("RAG"))]),
        ("graph neural networks", [clause(words("graph neural networks"))]),
        ('"tool use"', [clause(phrase("tool use"))]),
        ("“tool use”", [clause(phrase("tool use"))]),
        ("«tool  use»", [clause(phrase("tool use"))]),
        ("reward*", [clause(Item(PREFIX, "reward"))]),
        ("title:reward*", [clause(Item(PREFIX, "reward", "title"))]),
        ("a|b", [clause(words("a"), words("b"))]),
        ("a OR b", [clause(words("a"), words("b"))]),
        ("a | b", [clause(words("a"), words("b"))]),
        ("a or b", [clause(words("a or b"))]),
        ("ORACLE", [clause(words("ORACLE"))]),
        ('"OR"', [clause(phrase("OR"))]),
        ("title:OR", [clause(phrase("OR", "title"))]),
        ("diffusion -survey", [clause(words("diffusion")), clause(words("survey"), negated=True)]),
        ("diffusion –survey", [clause(words("diffusion")), clause(words("survey"), negated=True)]),
        ("-a|b", [clause(words("a"), words("b"), negated=True)]),
        ("-a b", [clause(words("a"), negated=True), clause(words("b"))]),
        ("a -b c", [clause(words("a")), clause(words("b"), negated=True), clause(words("c"))]),
        ("(-a)", [clause(words("a"), negated=True)]),
        ("title:graph neural", [clause(words("graph", "title")), clause(words("neural"))]),
        ("TITLE: graph", [clause(words("graph", "title"))]),
        ("ti:a abstract:b", [clause(words("a", "title")), clause(words("b", "abs"))]),
        ("au:Choi", [clause(Item(NAME, "Choi", "author"))]),
        ("cat:CS.cl", [clause(Item(NAME, "cs.CL", "cat"))]),
        ("category:math.*", [clause(Item(NAME, "math", "cat"))]),
        ("arxiv:2508.13426v2", [clause(Item(NAME, "2508.13426", "id"))]),
        ("id:https://arxiv.org/abs/2508.13426", [clause(Item(NAME, "2508.13426", "id"))]),
        ("id:doi:10.1000/XYZ", [clause(Item(NAME, "doi:10.1000/xyz", "id"))]),
        ('organisation:"Hugging Face"', [clause(Item(NAME, "Hugging Face", "org"))]),
        ("agents, (planning)!", [clause(words("agents planning"))]),
        ("C++ C#", [clause(words("C++ C#"))]),
        ("'planning'", [clause(words("planning"))]),
        ("pre- and post-training", [clause(words("pre and post-training"))]),
        ("http://x.org", [clause(words("http://x.org"))]),
        ("<https://x.org|RAG>", [clause(words("RAG"))]),
        ("cat:<http://cs.CL|cs.CL>", [clause(Item(NAME, "cs.CL", "cat"))]),
        ("<#C1|general> a", [clause(words("general a"))]),
        ("p<0.05", [clause(words("p 0.05"))]),
        ("\u202eRAG\u200b\x00", [clause(words("RAG"))]),
        ("ﬁne", [clause(words("fine"))]),
        ("\uff32\uff21\uff27\uff5crag", [clause(words("RAG"), words("rag"))]),
    ],
)  # fmt: skip
def test_text_becomes_clauses(text: str, clauses: list[Clause]) -> None:
    assert parse(text) == Query(tuple(clauses))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a OR b -c", "a|b -c"),
        ("ti:a au:Choi", "title:a author:Choi"),
        ('author:"Choi"', "author:Choi"),
        ('author:"-Choi"', 'author:"-Choi"'),
        ('author:"Choi,"', 'author:"Choi,"'),
        ('author:"//x"', 'author:"//x"'),
        ("title: //x", "title:x"),
        ("x<y", "x y"),
        ("<a OR b>", "a|b"),
    ],
)
def test_a_query_is_shown_in_one_way(text: str, shown: str) -> None:
    assert format_query(parse(text)) == shown


@pytest.mark.parametrize(
    ("text", "marked", "message", "hint"),
    [
        ('a "b', '"b', "opened but not closed", 'Write "b"'),
        ('a "', '"', "opened but not closed", "Leave it out."),
        ("foo:bar", "foo:", "no field “foo”", "Text with a colon goes into quotes."),
        ("titel:bar", "titel:", "no field “titel”", "Did you mean title:?"),
        ("a cat:cs.XX", "cs.XX", "no category “cs.XX”", "cat:cs."),
        ("cat:cslg", "cslg", "no category", "cat:cs.LG"),
        ("id:banana", "banana", "no paper id", "Write id:2508.13426"),
        ("author: |b", "author: ", "needs a value", 'Write author:"Yejin Choi"'),
        ("title:", "title:", "needs a value", "Write title:survey"),
        ('title:""', 'title:""', "needs a value", "Write title:survey"),
        ("title:-survey", "title:-survey", "dash stands before the field", "Write -title:survey"),
        ("title:(-survey)", "title:(-survey)", "dash stands before", "Write -title:survey"),
        ("a - b", "-", "directly before the word", "Write -survey"),
        ("a|-b", "-", "stands before the first of it", "Write -survey|review"),
        ("a b|c", "a b", "several words need quotes", 'Write "a b"|c'),
        ("c|a b d", "a b d", "several words need quotes", 'Write c|"a b d"'),
        ("|a", "|", "between two keywords", "RAG|retrieval"),
        ("a OR OR b", "OR", "between two keywords", "RAG|retrieval"),
        ("a|", "|", "between two keywords", "behind it"),
        ("re*", "re*", "at least 3 letters", "rew*"),
        ("re*ward", "re*ward", "at the end of one plain word", "Write reward*"),
        ("a & b", "&", "needs a letter or a digit", "Write a word"),
        ("...", "...", "no keyword here", "Write a word"),
        (f"a {'b' * 81}", "b" * 81, "at most 80 characters long; this one has 81", "Shorten"),
    ],
)
def test_an_error_points_at_the_place_and_says_what_to_write(
    text: str, marked: str, message: str, hint: str
) -> None:
    with pytest.raises(UserError) as error:
        parse(text)

    assert error.value.source[error.value.start : error.value.end] == marked
    assert message in error.value.message
    assert hint in error.value.hint


def test_the_quotes_that_a_bar_needs_are_shown_so_that_they_work() -> None:
    with pytest.raises(UserError) as error:
        parse("tool use|function calling -survey")

    shown = error.value.hint.removeprefix("Write ")

    assert shown == '"tool use"|"function calling" -survey'
    assert format_query(parse(shown)) == shown


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b\u202e", "\ud800"])
def test_nothing_is_no_keyword(text: str) -> None:
    with pytest.raises(UserError, match="There is no keyword"):
        parse(text)


def test_lengths_are_allowed_up_to_their_limit() -> None:
    assert parse("b" * VALUE_LENGTH).keywords[0].text == "b" * VALUE_LENGTH
    assert len(str(parse("ab -" * 60 + "c" * 60))) == QUERY_LENGTH
    with pytest.raises(UserError, match="A query is at most 300 characters long"):
        parse("ab -" * 60 + "c" * 61)
    with pytest.raises(UserError, match="this one has 1000000"):
        parse("a" * 1_000_000)


def test_a_query_that_is_too_long_only_when_written_out_is_refused() -> None:
    with pytest.raises(UserError, match="A query is at most 300"):
        parse("ti:a " * 60)


def test_a_run_of_words_is_one_keyword_and_has_one_length() -> None:
    with pytest.raises(UserError, match="at most 80 characters"):
        parse("word " * 17)


def test_keywords_are_what_scores() -> None:
    query = parse('cat:cs.CL RAG|author:Choi -survey title:reward* "tool use"')

    assert [item.text for item in query.keywords] == ["RAG", "reward", "tool use"]


def test_a_query_of_exclusions_alone_knows_it() -> None:
    assert parse("-survey -cat:cs.CV").only_excludes
    assert not parse("-survey diffusion").only_excludes


def test_every_category_of_arxiv_is_known_as_arxiv_writes_it() -> None:
    known = categories()

    assert len(known) == len(set(known))
    assert {"cs.CL", "cs", "math-ph", "cond-mat.mes-hall", "physics.acc-ph", "q-bio.NC"} <= {*known}
    assert all(parse(f"cat:{c.lower()}").clauses[0].items[0].text == c for c in known)


def test_cleaning_leaves_one_line_without_wrapping() -> None:
    typed = " a\tb\x85c <https://arxiv.org/abs/1|arxiv.org/abs/1> <https://x.org> <@U1|ann> “x” "

    assert clean(typed) == 'a b c arxiv.org/abs/1 https://x.org ann "x"'


def test_a_labelled_link_that_names_a_paper_is_kept_for_its_label_may_not() -> None:
    assert (
        clean("<https://arxiv.org/abs/2508.13426|the paper>") == "https://arxiv.org/abs/2508.13426"
    )
    assert clean("<https://doi.org/10.1000/a|Nature>") == "https://doi.org/10.1000/a"
    assert clean("<https://example.org/2508.13426|a blog>") == "a blog"


# ---- properties

_WORD = st.from_regex(r"[A-Za-z0-9äλ中][A-Za-z0-9ä'+#-]{0,6}[a-z0-9]", fullmatch=True).filter(
    lambda word: clean(word) == word
)
_TEXT = st.lists(_WORD, min_size=1, max_size=3).map(" ".join)
_FIELD = st.sampled_from(["", "title", "abs"])
_SINGLE = st.one_of(
    st.builds(Item, st.just(WORDS), _WORD, _FIELD),
    st.builds(Item, st.just(PHRASE), _TEXT | st.just("OR"), _FIELD),
    st.builds(Item, st.just(PREFIX), st.from_regex("[a-zé]{3,9}", fullmatch=True), _FIELD),
    st.builds(Item, st.just(NAME), _TEXT | st.just("-x,"), st.sampled_from(["author", "org"])),
    st.builds(Item, st.just(NAME), st.sampled_from(categories()), st.just("cat")),
    st.builds(
        Item,
        st.just(NAME),
        st.sampled_from(["2508.13426", "math/0309136", "doi:10.1000/x(1)", "title:" + "0a" * 8]),
        st.just("id"),
    ),
)
_CLAUSE = st.builds(
    Clause, st.lists(_SINGLE, min_size=1, max_size=3).map(tuple), st.booleans()
) | st.builds(Clause, st.tuples(st.builds(Item, st.just(WORDS), _TEXT)))


def _can_be_said(query: Query) -> bool:
    """Neighbouring bare words are one keyword, so two such clauses cannot stand side by side."""

    def bare(item: Item) -> bool:
        return item.kind == WORDS and not item.field

    return len(format_query(query)) <= QUERY_LENGTH and not any(
        bare(a.items[-1]) and bare(b.items[0]) and not b.negated
        for a, b in pairwise(query.clauses)
        if not a.negated or len(a.items) > 1
    )


@settings(deadline=None)
@given(st.lists(_CLAUSE, min_size=1, max_size=5).map(tuple).map(Query).filter(_can_be_said))
def test_what_can_be_said_is_understood_again(query: Query) -> None:
    assert parse(format_query(query)) == query


_PIECES = st.sampled_from([
    *["title:", "ti:", "author:", "cat:", "org:", "id:", "foo:", "cs.CL", "2508.13426", "10.1000/X"],
    *["OR", "|", '"', "-", "–", "*", "(", ")", "/", "//", "<", ">", "<#C1|a>", "<https://x.org|x>"],
    *[" ", " ", " ", "a", "RAG", "graph", "e\u0301", "\u0301", "\u0338", "ﬁ", "C++", '"a b"', "“"],
    *["'", ".", "&", "🚀", "\ud800", "\x00", "\u202e", "中文", "reward*", "_", ";", "\n", "\uff1c", "\uff5c"],
])  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(_PIECES, max_size=14).map("".join) | st.text(max_size=80))
def test_any_text_is_a_query_that_survives_or_a_mistake_that_is_shown(text: str) -> None:
    result = parsed(text)

    if isinstance(result, UserError):
        assert 0 <= result.start <= result.end <= len(result.source)
        assert result.message
        assert result.hint
    else:
        assert parse(format_query(result)) == result


@settings(deadline=None)
@given(st.lists(_PIECES | st.characters(), min_size=1).map("".join), st.integers(301, 10_000))
def test_a_long_text_is_a_mistake_whatever_it_holds(text: str, length: int) -> None:
    typed = ("x" * 301 + text * length)[:length]

    with pytest.raises(UserError) as error:
        parse(typed)

    assert error.value.hint
