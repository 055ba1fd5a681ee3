"""What a terminal and a pipe are shown: nothing is lost, nothing is obeyed, nothing is broken."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings, strategies as st
from rich.cells import cell_len

from adapters.terminal.render import MEASURE, Screen, progress
from bot import commands, identity
from bot.commands import Help, parse
from bot.forms import form_of
from bot.identity import code_link, discussion_link, paper_link, pdf_link
from bot.model import Channel, ChannelRef, Paper
from bot.views import (
    Action,
    Digest,
    Document,
    Field,
    Form,
    Listing,
    Notice,
    PaperCard,
    Quiet,
    Reason,
    Row,
    Span,
    View,
    text,
)
from tests import sample_card
from tests.reading import cards_of, letters, texts_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SLOT = datetime(2026, 6, 22, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))
MAIN = ChannelRef("terminal", "local", "main")
ESCAPE = re.compile(r"\x1b\[[\d;]*m|\x1b\]8;[^\x1b]*\x1b\\")
ADDRESS = re.compile(r"\x1b\]8;[^;]*;([^\x1b]+)\x1b\\")
HOSTS = {
    "arxiv.org", "doi.org", "huggingface.co",
    "github.com", "gitlab.com", "bitbucket.org", "codeberg.org",
}  # fmt: skip


def shown(view: View, look: str, width: int = 80) -> str:
    file = io.StringIO()
    Screen(file, width=width, interactive=look != "pipe", color=look == "color").show(view)
    return file.getvalue()


PAPER = replace(
    sample_card.PAPER, abstract="Large models are slow. Speculative decoding makes them fast."
)
CARD = replace(
    sample_card.CARD,
    paper=PAPER,
    actions=(
        Action("Save", "save arxiv:2606.20622"),
        Action("Less like this", "dislike arxiv:2606.20622"),
    ),
)
OTHER = PaperCard(
    Paper(
        "title:0123456789abcdef",
        "Notes on Drafts",
        authors=("Ada Lovelace",),
        listed_on=date(2026, 6, 22),
    ),
    31.0,
    (Reason('"draft" in title', 31.0),),
    notes=(text("Posted here on ", Span("then", when=SLOT), "."),),
)
DIGEST = Digest(
    MAIN,
    SLOT,
    1624,
    (CARD, OTHER),
    more=3,
    notes=(text("Hugging Face did not answer."),),
    actions=(Action("More", "again k3f9x2 page:2"),),
)


def test_a_digest_in_a_pipe_is_plain_text_with_one_line_a_paragraph() -> None:
    expected = """\
Monday 22 June 2026 · main
1,624 new papers, 5 for this channel

1. Draft and Verify: Speculative Decoding at Scale
   Ada Lovelace, Yejin Choi, Mary Shelley +2 · cs.CL, cs.LG · 20 Jun 2026 · submitted by akhaliq · 41 upvotes
   Speculative decoding makes them fast.
   42.1 points: "speculative decoding" in title 31.0, 41 upvotes 11.1
   https://arxiv.org/abs/2606.20622
   PDF https://arxiv.org/pdf/2606.20622 · code https://github.com/ada/engine (1,312 stars) · discussion https://huggingface.co/papers/2606.20622 (5 comments)

2. Notes on Drafts
   Ada Lovelace · listed 22 Jun 2026 · title:0123456789abcdef
   31.0 points: "draft" in title 31.0
   https://arxiv.org/search/?query=Notes%20on%20Drafts&searchtype=title
   Posted here on Mon 22 Jun 2026, 09:00 CEST.

3 more passed, beyond this channel's maximum.

Hugging Face did not answer.

Type: save 2606.20622 · dislike 2606.20622 (Less like this) · again k3f9x2 page:2 (More)
"""

    assert expected == shown(DIGEST, "pipe")


def test_a_terminal_wraps_under_a_hanging_indent_and_between_the_facts() -> None:
    expected = """\
1. Draft and Verify: Speculative
   Decoding at Scale
   Ada Lovelace, Yejin Choi, Mary
   Shelley +2 · cs.CL, cs.LG
   20 Jun 2026 · submitted by
   akhaliq · 41 upvotes
   Speculative decoding makes them
   fast.
"""

    assert expected in shown(DIGEST, "plain", width=38)


def test_text_is_never_wider_than_the_measure() -> None:
    long = Notice(text("word " * 200), "info")

    for line in shown(long, "plain", width=200).splitlines():
        assert len(line) <= MEASURE


def test_colour_brings_bold_matches_and_live_links() -> None:
    output = shown(DIGEST, "color")

    assert "\x1b[1mSpeculative decoding\x1b[0m makes them fast." in output
    assert "\x1b[2m1,624 new papers, 5 for this channel\x1b[0m" in output
    assert {
        "https://arxiv.org/abs/2606.20622",
        "https://arxiv.org/pdf/2606.20622",
        "https://github.com/ada/engine",
        "https://huggingface.co/papers/2606.20622",
        "https://arxiv.org/search/?query=Notes%20on%20Drafts&searchtype=title",
    } == set(ADDRESS.findall(output))


def test_matched_words_stand_out_in_a_title_too() -> None:
    card = PaperCard(PAPER, title=text("Draft and ", Span("Verify", strong=True)))
    output = shown(Listing(text("Found"), cards=(card,)), "color")

    verify = next(part for part in output.split("\x1b[") if "Verify" in part)
    draft = next(part for part in output.split("\x1b[") if "Draft and" in part)
    assert verify.partition("m")[0] != draft.partition("m")[0]


def test_a_quiet_day_says_why_and_counts_nothing_twice() -> None:
    quiet = Digest(MAIN, SLOT, 412, quiet=Quiet("nothing_passed", "412 seen, best was at 21."))
    expected = "Monday 22 June 2026 · main\n\n412 seen, best was at 21.\n"

    assert expected == shown(quiet, "pipe")


def test_a_digest_can_have_a_heading_of_its_own_and_name_a_foreign_channel() -> None:
    recap = Digest(ChannelRef("slack", "T1", "C2"), SLOT, 1, (CARD,), heading=text("Last week"))

    assert "Last week · slack:T1:C2\n1 new paper, 1 for this channel\n" in shown(recap, "pipe")


def test_one_paper_is_shown_without_a_number_and_its_abstract_with_air() -> None:
    card = replace(CARD, abstract=text(PAPER.abstract), gist=())
    output = shown(Listing(text("Paper"), cards=(card,)), "pipe")

    assert f"Paper\n\n{PAPER.title}\n" in output
    assert f"\n\n{PAPER.abstract}\n\n42.1 points" in output


def test_a_paper_without_a_title_is_named_by_its_id() -> None:
    card = PaperCard(Paper("arxiv:2606.20622", "\x1b\u202e \n"))

    assert "\n1. 2606.20622\n" in shown(Digest(MAIN, SLOT, 1, (card,)), "pipe")


@pytest.mark.parametrize("url", ["https://evil.example/a/b", "javascript:alert(1)", "https://["])
def test_code_on_an_unknown_host_is_no_link(url: str) -> None:
    card = replace(CARD, paper=replace(PAPER, code=url))

    assert "code" not in shown(Listing(text("Found"), cards=(card,)), "pipe")
    assert set() == hosts(shown(Listing(text("Found"), cards=(card,)), "color")) - HOSTS


def test_a_paper_that_nobody_upvoted_or_discussed_has_no_discussion() -> None:
    card = replace(CARD, paper=replace(PAPER, upvotes=0, discussion=0))

    assert "huggingface" not in shown(Listing(text("Found"), cards=(card,)), "pipe")


def test_rows_stand_in_columns_with_numbers_on_the_right() -> None:
    listing = Listing(
        text("Subscriptions"),
        intro=(text("Two of 50."),),
        rows=(
            Row(text("3"), text(Span("diffusion -survey", code=True)), (text("weight 2"),)),
            Row(text("12"), text("reward*")),
        ),
        notes=(text("Muted: ", Span("medical", code=True)),),
        actions=(Action("Unsubscribe", "unsubscribe 3"), Action("Drop all", "unsubscribe all")),
    )
    expected = """\
Subscriptions
Two of 50.

   3  diffusion -survey
      weight 2
  12  reward*

Muted: `medical`

Type: unsubscribe 3 · unsubscribe all (Drop all)
"""

    assert expected == shown(listing, "pipe")


def test_a_lead_that_is_long_has_a_line_of_its_own() -> None:
    usage = 'subscribe "speculative decoding" weight:2'
    listing = Listing(
        text("Help"), rows=(Row(text("list"), text("yours")), Row(text(usage), text("new")))
    )
    expected = f"Help\n\n  list  yours\n  {usage}\n        new\n"

    assert expected == shown(listing, "pipe")


def test_a_mistake_is_underlined_and_followed_by_the_way_out() -> None:
    typed = "subscribe cat:cs.KL -survey"
    notice = Notice(
        text("There is no category “cs.KL”."),
        "error",
        (text("Write ", Span("cat:cs.CL", code=True), "."),),
        source=typed,
        start=10,
        end=19,
    )
    expected = """\
  subscribe cat:cs.KL -survey
            ---------
There is no category “cs.KL”.
  Write `cat:cs.CL`.
"""

    assert expected == shown(notice, "pipe")
    assert expected + "\n" == shown(notice, "plain")


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        pytest.param("搜索 ", "漢字", id="wide"),
        pytest.param("e\u0301te\u0301 ", "cafe\u0301", id="combining"),
        pytest.param("a\tb\x1b[31m ", "c\x07d", id="control"),
        pytest.param("sub ", "", id="nothing yet"),
        pytest.param("word " * 2000, "cat:cs.KL", id="far to the right"),
        pytest.param("cat:", "漢" * 5000, id="long itself"),
    ],
)
@pytest.mark.parametrize("width", [20, 80, 200])
def test_dashes_stand_under_the_mistake(before: str, wrong: str, width: int) -> None:
    source = f"{before}{wrong} and more"
    notice = Notice(
        text("No."), "error", source=source, start=len(before), end=len(before) + len(wrong)
    )
    typed, dashes, *_ = shown(notice, "plain", width).splitlines()

    start, size = dashes.index("-"), dashes.count("-")
    assert typed.startswith("  ")
    assert cell_len(typed) <= width
    under = cells(typed)[start : start + size]
    if not wrong:
        assert (cell_len(f"  {before}"), 1) == (start, size)
    elif cell_len(source) < width - 2:
        assert letters(wrong) == letters("".join(under))
    else:
        assert letters("".join(under)) == letters(wrong)[: len(letters("".join(under)))] != ""


def cells(line: str) -> list[str]:
    """What each cell of a line shows; the second half of a wide character shows nothing."""
    found: list[str] = []
    for c in line:
        size = cell_len(c)
        if size:
            found += [c, *[""] * (size - 1)]
        else:
            found[-1] += c
    return found


def test_a_form_tells_what_holds_and_what_to_type() -> None:
    form = Form(
        "Settings",
        "set",
        (
            Field("max", "Papers in a digest", "text", "10", hint="1 to 50."),
            Field("strictness", "Strictness", "choice", "loose", ("loose", "normal")),
            Field("label", "Label", "text", "two words"),
            Field("topic", "Topic", "text", ""),
        ),
        notes=(text("Undo with ", Span("config undo", code=True)),),
    )
    expected = """\
Settings

  Papers in a digest  10
                      1 to 50.
                      set max:10
  Strictness          loose
                      loose, normal
                      set strictness:normal
  Label               two words
                      set label:"two words"
  Topic               not set
                      set topic:…

Undo with `config undo`
"""

    assert expected == shown(form, "pipe")


@pytest.mark.parametrize("name", commands.FORMS)
def test_what_a_form_says_to_type_is_understood(name: str) -> None:
    form = form_of(name, Channel(ChannelRef("terminal", "local", "main")))

    output = shown(form, "pipe")
    [line] = [line for line in output.splitlines() if line.startswith("Type: ")]
    example, more = line.removeprefix("Type: ").replace("\N{NO-BREAK SPACE}", " ").split(" · ")

    assert type(parse(example)).__name__ == {
        "subscribe": "Subscribe", "schedule": "SetSchedule", "search": "Find",
    }[name]  # fmt: skip
    assert parse(more) == Help(name)
    assert "query:" not in output


def test_what_is_to_be_typed_keeps_its_lines_and_nothing_else_does() -> None:
    notice = Notice(text("One\ntwo:\n", Span("@misc{a,\n  year = 2026}", code=True)), "info")

    expected = "One two: `@misc{a,\n  year = 2026}`\n"

    assert expected == shown(notice, "pipe")


def test_a_link_of_a_text_is_written_out_where_it_is_not_live() -> None:
    link = paper_link("arxiv:2606.20622")
    notice = Notice(text("See ", Span("this", link=link), " or ", Span(link.url, link=link)))

    assert f"See this ({link.url}) or {link.url}\n" == shown(notice, "pipe")
    assert "See this or https" in ESCAPE.sub("", shown(notice, "color"))


def test_a_time_is_shown_in_its_own_zone() -> None:
    tokyo = datetime(2026, 1, 4, 18, 30, tzinfo=ZoneInfo("Asia/Tokyo"))

    notice = Notice(text("Next: ", Span("soon", when=tokyo)), "info")
    expected = "Next: Sun 4 Jan 2026, 18:30 JST\n"

    assert expected == shown(notice, "pipe")


@pytest.mark.parametrize("look", ["color", "plain", "pipe"])
def test_markup_and_escapes_in_a_title_are_text(look: str) -> None:
    title = "[red]R[/red] [link=https://evil.example]x[/link] :smile: \x1b[31mE\x1b]8;;https://evil.example\x07F \x9b1mG"
    card = PaperCard(Paper("arxiv:2606.20622", title))
    output = shown(Listing(text("Found"), cards=(card,)), look, width=200)

    expected = "[red]R[/red] [link=https://evil.example]x[/link] :smile: [31mE]8;;https://evil.exampleF 1mG"
    assert expected in ESCAPE.sub("", output)
    assert "evil.example" not in hosts(output)


def test_direction_marks_vanish_and_joiners_stay() -> None:
    notice = Notice(text("a\u202eb\u2066c\u200bd\xade 👩\u200d🔬 می\u200cشود \ud800"), "info")
    expected = "abcde 👩\u200d🔬 می\u200cشود \ufffd\n"

    assert expected == shown(notice, "pipe")


def test_a_word_longer_than_the_line_is_folded_but_an_address_or_id_is_not() -> None:
    word, address, paper = "x" * 50, "https://github.com/ada/engine", "title:0123456789abcdef"
    lines = shown(Notice(text(f"{word} {address} {paper}")), "plain", width=20).splitlines()

    assert ["x" * 20, "x" * 20, "x" * 10, address, paper, ""] == lines


def test_chinese_is_folded_between_its_characters() -> None:
    expected = ["漢" * 10, "漢" * 10, "漢" * 5, ""]

    assert expected == shown(Notice(text("漢" * 25)), "plain", width=20).splitlines()


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        pytest.param({"TERM": "xterm"}, True, id="a terminal"),
        pytest.param({"TERM": "xterm", "NO_COLOR": ""}, True, id="empty NO_COLOR"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_colour_is_where_the_terminal_has_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colored: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = io.StringIO()
    Screen(file, width=80, interactive=True).show(DIGEST)

    assert colored == ("\x1b" in file.getvalue())


def test_a_pipe_has_no_colour_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = io.StringIO()
    Screen(file, interactive=False).show(DIGEST)

    assert "\x1b" not in file.getvalue()


def test_a_blank_line_stands_between_views_in_a_pipe_and_after_each_on_a_terminal() -> None:
    pipe, terminal = io.StringIO(), io.StringIO()
    screens = Screen(pipe, interactive=False), Screen(terminal, interactive=True, color=False)
    for screen in screens:
        screen.show(Notice(text("One.")))
        screen.show(Notice(text("Two.")))

    expected = "One.\n\nTwo.\n"
    assert expected == pipe.getvalue()
    assert expected + "\n" == terminal.getvalue()


def test_a_reader_that_has_gone_is_a_broken_pipe_once_and_quiet_after_that() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        screen = Screen(file, interactive=False)

        with pytest.raises(BrokenPipeError):
            screen.show(DIGEST)
        file.write("what the interpreter would flush in the end")


def test_all_real_titles_and_addresses_are_whole_lines_of_a_pipe() -> None:
    path = DATA / "arxiv_week_2026-06-22.jsonl.gz"
    if not path.exists():
        pytest.skip("the week of papers is not on this machine")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        papers = [Paper(f"arxiv:{r['id']}", r["title"]) for r in map(json.loads, lines)]
    found = shown(Digest(MAIN, SLOT, 0, tuple(map(PaperCard, papers))), "pipe").splitlines()

    titles = [" ".join(paper.title.split()) for paper in papers]
    assert titles == [line.partition(". ")[2] for line in found if re.match(r" *\d+\. ", line)]
    assert {f"        {paper_link(p.id).url}"[-200:].strip() for p in papers} <= {
        line.strip() for line in found
    }


# Whatever papers and people write

NASTY = (
    "\x1b[31mred\x1b[0m", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "\x9b2J", "\x07",
    "[red]", "[/]", "[link=https://evil.example]here[/link]", "\u202egnp.exe", "\u2066", "\r\n\t",
    "👩\u200d👩\u200d👧\u200d👦", "🇩🇪", "e\u0301\u0302\u0303", "שלום", "مرحبا بالعالم", "漢字" * 30, "`", "…",
    "\ud800", "x" * 300, "https://evil.example/" + "y" * 90, "\x00", "{0}", "%s", "$\\alpha_1$", "  ",
    "\xa0·", "·",
)  # fmt: skip
WORDS = st.text(max_size=40) | st.sampled_from(NASTY) | st.from_regex(r"[a-zA-Z-]{1,25}")
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)
LINKS = st.sampled_from([None, paper_link("arxiv:2606.20622"), paper_link("doi:10.1000/x(y)")])
SPANS = st.builds(Span, TEXTS, strong=st.booleans(), code=st.booleans(), link=LINKS, when=st.none())
SPAN_TEXTS = st.lists(SPANS, max_size=3).map(tuple)
IDS = st.sampled_from(
    ["arxiv:2606.20622", "arxiv:math/0309136", "doi:10.1000/x(y);z", "title:0123456789abcdef",
     "link:0123456789abcdef", "doi:10.1000/\x1b[31m"]
)  # fmt: skip
CODES = st.sampled_from(
    ["", "https://github.com/a/b", "https://evil.example/a/b", "https://github.com/\x1b/b", "["]
)
PAPERS = st.builds(
    Paper,
    IDS,
    TEXTS,
    authors=st.lists(TEXTS, max_size=5).map(tuple),
    categories=st.lists(TEXTS, max_size=3).map(tuple),
    published=st.none() | st.datetimes(timezones=st.just(UTC)),
    listed_on=st.none() | st.dates(),
    upvotes=st.integers(0, 10**6),
    discussion=st.integers(0, 10**6),
    code=CODES,
    stars=st.integers(0, 10**6),
    submitter=TEXTS,
)
POINTS = st.floats(-1000, 1000)
ACTIONS = st.lists(
    st.builds(
        Action, TEXTS, st.sampled_from(["why arxiv:2606.20622", "again k3 page:2", "x\x1by"])
    ),
    max_size=3,
).map(tuple)
TEXT_LISTS = st.lists(SPAN_TEXTS, max_size=2).map(tuple)
CARDS = st.lists(
    st.builds(
        PaperCard,
        PAPERS,
        st.none() | POINTS,
        st.lists(st.builds(Reason, TEXTS, POINTS), max_size=3).map(tuple),
        gist=SPAN_TEXTS,
        abstract=SPAN_TEXTS,
        notes=TEXT_LISTS,
        actions=ACTIONS,
    ),
    max_size=3,
).map(tuple)
DIGESTS = st.builds(
    Digest,
    st.sampled_from([None, MAIN]),
    st.just(SLOT),
    st.integers(0, 10**5),
    CARDS,
    more=st.integers(0, 10**4),
    quiet=st.none() | st.builds(Quiet, st.just("source_late"), TEXTS),
    heading=SPAN_TEXTS,
    notes=TEXT_LISTS,
    actions=ACTIONS,
)
LISTINGS = st.builds(
    Listing,
    SPAN_TEXTS,
    TEXT_LISTS,
    st.lists(st.builds(Row, SPAN_TEXTS, SPAN_TEXTS, TEXT_LISTS), max_size=3).map(tuple),
    CARDS,
    TEXT_LISTS,
    ACTIONS,
)
NOTICES = st.builds(
    Notice,
    SPAN_TEXTS,
    st.sampled_from(["done", "info", "error"]),
    TEXT_LISTS,
    CARDS,
    source=TEXTS,
    start=st.integers(0, 50),
    end=st.integers(0, 200),
    actions=ACTIONS,
)
FORMS = st.builds(
    Form,
    TEXTS,
    st.just("set"),
    st.lists(
        st.builds(
            Field,
            st.just("max"),
            TEXTS,
            st.just("text"),
            TEXTS,
            st.lists(TEXTS, max_size=3).map(tuple),
            TEXTS,
        ),
        max_size=5,
    ).map(tuple),
    TEXT_LISTS,
)
VIEWS: st.SearchStrategy[View] = st.one_of(DIGESTS, LISTINGS, NOTICES, FORMS)
WIDTHS = st.sampled_from([1, 20, 80, 200])


def hosts(output: str) -> set[str]:
    return {urlsplit(address).hostname or "" for address in ADDRESS.findall(output)}


@pytest.mark.parametrize("look", ["color", "plain", "pipe"])
@settings(max_examples=70, deadline=None)
@given(view=VIEWS, width=WIDTHS)
@example(view=Notice((Span("  00 00000 000000\xa0 00", code=True),)), width=20)
def test_nothing_is_lost_nothing_obeyed_and_only_addresses_stick_out(
    look: str, view: View, width: int
) -> None:
    output = shown(view, look, width)
    assert set() == hosts(output) - HOSTS
    if look == "color":
        output = ESCAPE.sub("", output)

    nothing_is_lost(view, output)
    nothing_is_obeyed(output)
    if look != "pipe":
        only_addresses_and_ids_stick_out(output, min(max(width, 20), MEASURE))


def test_a_document_is_printed_line_by_line_as_it_is() -> None:
    long = "  title = {" + "Graphs and more graphs " * 20 + "},"

    output = shown(Document("papers.bib", f"@misc{{a,\n{long}\n}}\n"), "plain", 40)

    assert output.splitlines() == ["papers.bib", "", "@misc{a,", long, "}", ""]


def nothing_is_lost(view: View, output: str) -> None:
    found = letters(output)
    for card in cards_of(view):
        assert letters(card.paper.title) in found
        assert paper_link(card.paper.id, card.paper.title).url in output
        for reason in card.reasons:
            assert letters(f"{reason.text} {reason.points:.1f}") in found
    for spans in texts_of(view):
        for span in spans:
            assert letters(span.text) in found
    if isinstance(view, Digest) and view.quiet is not None:
        assert letters(view.quiet.text) in found
    if isinstance(view, Form):
        for field in view.fields:
            assert letters(field.label + (field.value or "not set")) in found


def nothing_is_obeyed(output: str) -> None:
    assert set() == {c for c in output if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")}
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", output)
    output.encode()


def only_addresses_and_ids_stick_out(output: str, width: int) -> None:
    for line in output.splitlines():
        if cell_len(line) > width:
            words = line.split()
            assert [word for word in words if "://" in word or identity.parse_id(word)] != []
            assert len(words) <= 2


@settings(max_examples=50, deadline=None)
@given(card=st.builds(PaperCard, PAPERS))
def test_every_link_that_a_paper_has_is_shown_and_no_other(card: PaperCard) -> None:
    paper = card.paper
    expected = {paper_link(paper.id, paper.title), pdf_link(paper.id), code_link(paper.code)}
    if paper.upvotes or paper.discussion:
        expected.add(discussion_link(paper.id))
    output = shown(Listing(text("Found"), cards=(card,)), "color")

    assert {link.url for link in expected if link} == set(ADDRESS.findall(output))


# Progress


def test_progress_is_silent_where_nobody_watches() -> None:
    file = io.StringIO()
    with progress("Importing", file) as bar:
        bar.update(1, 2, "a.jsonl")

    assert not file.getvalue()


def test_progress_shows_a_bar_on_a_terminal_and_takes_it_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as file, progress("Importing [red]", file) as bar:
        bar.update(512, 1024, "\x1b[2Jdump[/].jsonl")
        output = read_until(master, b"dump[/].jsonl")
    os.close(master)

    assert "Importing [red]" in output
    assert "512/1024" in output
    assert "\x1b[2J" not in output


def read_until(fd: int, wanted: bytes) -> str:
    output = b""
    while wanted not in output:
        output += os.read(fd, 4096)
    return output.decode()
