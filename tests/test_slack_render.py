"""How Slack shows it: Block Kit as a whole, its limits, forms there and back, the home tab."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from adapters.slack import blocks, cards, render
from bot.identity import code_link, paper_link
from bot.model import ChannelRef, Paper
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
    Text,
    View,
    named,
    text,
)
from tests import sample_card, slack_fields, slack_rules
from tests.hostile_views import LISTINGS, VIEWS
from tests.pictures import slack_page, slack_scenes
from tests.reading import Reading, letters
from tests.slack_reader import SlackReader, read_unfurl, read_view

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SLOT = datetime(2026, 6, 22, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))
HERE = ChannelRef("slack", "T1", "C024BE91L")
PAPER = replace(
    sample_card.PAPER,
    title="Draft & Verify: Speculative Decoding at Scale",
    project="https://ada.github.io/draft/",
)
CARD = replace(
    sample_card.CARD,
    paper=PAPER,
    actions=(
        Action("Save", "save 2606.20622"),
        Action("Similar", "similar 2606.20622"),
        Action("Why", "why 2606.20622"),
        Action("Less like this", "dislike 2606.20622"),
    ),
)
OTHER = PaperCard(
    Paper("title:0123456789abcdef", "Notes on Drafts", listed_on=date(2026, 6, 22)), 31.0
)
DIGEST = Digest(HERE, SLOT, 1624, (CARD, OTHER))


def only(payloads: list[dict[str, Any]]) -> dict[str, Any]:
    [payload] = payloads
    return payload


def kinds(payload: dict[str, Any]) -> list[str]:
    return [block["type"] for block in payload["blocks"]]


def shown(view: View) -> str:
    return SlackReader().read(view).text


# digests


def test_a_compact_digest_in_full() -> None:
    [part] = render.digest(replace(DIGEST, cards=(CARD,)))

    link = {"type": "link", "url": "https://arxiv.org/abs/2606.20622",
            "text": "Draft & Verify: Speculative Decoding at Scale", "style": {"bold": True}}  # fmt: skip
    gist = [
        {"type": "text", "text": "Speculative decoding", "style": {"bold": True}},
        {"type": "text", "text": " makes them fast."},
    ]
    print_1 = (
        "Ada Lovelace, Yejin Choi, Mary Shelley +2\xa0· cs.CL, cs.LG\xa0· submitted by akhaliq"
        "\xa0· 41 upvotes\xa0· <https://arxiv.org/pdf/2606.20622|PDF>"
        "\xa0· <https://github.com/ada/engine|Code> ★ 1,312"
        "\xa0· <https://huggingface.co/papers/2606.20622|Discussion> (5 comments)"
        "\xa0· ada.github.io/draft"
    )
    print_2 = '*42.1 points*: "speculative decoding" in title 31.0, 41 upvotes 11.1'
    expected = [
        {"type": "header", "text": plain("Monday 22 June 2026")},
        {"type": "context", "elements": [mrkdwn("1,624 new papers, 1 for this channel")]},
        {"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [link, {"type": "text", "text": "\n"}, *gist]}]},
        {"type": "context", "elements": [mrkdwn(f"{print_1}\n{print_2}")]},
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "say:0", "text": plain("Save"), "value": "save 2606.20622"},
            {"type": "button", "action_id": "say:1", "text": plain("Similar"), "value": "similar 2606.20622"},
            {"type": "overflow", "action_id": "say:2", "options": [
                {"text": plain("Why"), "value": "why 2606.20622"},
                {"text": plain("Less like this"), "value": "dislike 2606.20622"}]}]},
    ]  # fmt: skip
    assert part.payload["blocks"] == expected
    assert part.papers == (PAPER.id,)
    assert part.payload["text"] == (
        "Monday 22 June 2026: 1,624 new papers, 1 for this channel: "
        "Draft &amp; Verify: Speculative Decoding at Scale"
    )


def plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words, "emoji": False}


def mrkdwn(words: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": words, "verbatim": True}


def test_cards_have_air_columns_and_a_list_of_reasons() -> None:
    [part] = render.digest(replace(DIGEST, layout="cards", cards=(CARD,)))
    [fields] = [block["fields"] for block in part.payload["blocks"] if "fields" in block]

    assert kinds(part.payload) == [
        "header", "context", "divider", "rich_text", "section", "rich_text", "context", "actions",
    ]  # fmt: skip
    assert [each["text"] for each in fields] == [
        "*Authors*\nAda Lovelace, Yejin Choi, Mary Shelley +2",
        "*Published*\n20 Jun 2026 in cs.CL, cs.LG",
        "*Hugging Face*\nsubmitted by akhaliq, 41 upvotes",
    ]
    assert '42.1 points\n31.0\xa0 "speculative decoding" in title\n11.1\xa0 41 upvotes' in shown(
        replace(DIGEST, layout="cards")
    )


def test_a_thread_has_a_parent_that_lists_the_titles_and_a_reply_for_each_paper() -> None:
    parent, *replies = render.digest(replace(DIGEST, layout="thread"))

    [titles] = parent.payload["blocks"][2]["elements"]
    assert (titles["type"], titles["style"]) == ("rich_text_list", "ordered")
    assert [item["elements"][0]["text"] for item in titles["elements"]] == [
        "Draft & Verify: Speculative Decoding at Scale",
        "Notes on Drafts",
    ]
    assert (parent.papers, parent.threaded) == ((), False)
    assert [(r.papers, r.threaded) for r in replies] == [
        ((PAPER.id,), True), ((OTHER.paper.id,), True)
    ]  # fmt: skip
    assert [r.payload["text"] for r in replies] == [
        "Draft &amp; Verify: Speculative Decoding at Scale",
        "Notes on Drafts",
    ]


def test_a_long_list_of_titles_goes_on_counting_in_the_next_message() -> None:
    papers = [Paper(f"arxiv:2606.{n:05}", f"Paper {n} " + "x" * 200) for n in range(60)]
    digest = Digest(HERE, SLOT, 60, tuple(map(PaperCard, papers)), layout="thread")

    parents = [part for part in render.digest(digest) if not part.threaded]
    lists = [
        each for part in parents for block in part.payload["blocks"]
        if block["type"] == "rich_text" for each in block["elements"]
    ]  # fmt: skip

    assert len(parents) > 1
    counted = 0
    for each in lists:
        assert counted == each.get("offset", 0)
        counted += len(each["elements"])
    assert counted == 60


def test_in_private_a_thread_is_one_message() -> None:
    payload = only(render.messages(replace(DIGEST, layout="thread")))

    assert kinds(payload).count("actions") == 1
    assert "Notes on Drafts" in json.dumps(payload)


def test_a_quiet_day_says_why_and_counts_nothing_twice() -> None:
    quiet = Digest(HERE, SLOT, 412, quiet=Quiet("nothing_passed", "412 seen, best was at 21."))
    [part] = render.digest(quiet)

    assert shown(quiet) == "Monday 22 June 2026\n412 seen, best was at 21."
    assert part.payload["text"] == "Monday 22 June 2026: 412 seen, best was at 21."
    assert part.papers == ()


def test_what_is_beyond_the_maximum_and_the_late_note_stand_at_the_end_with_their_button() -> None:
    digest = replace(
        DIGEST,
        more=3,
        notes=(text("This digest is late."),),
        actions=(Action("Show 3 more", "again k3f9x2"),),
    )
    [part] = render.digest(digest)

    assert "1,624 new papers, 5 for this channel" in shown(digest)
    *_, line, small, row = part.payload["blocks"]
    assert line == {"type": "divider"}
    assert small["elements"] == [
        mrkdwn("3 more passed, beyond this channel's maximum.\nThis digest is late.")
    ]
    assert row["elements"][0]["value"] == "again k3f9x2"


def test_a_shared_paper_has_its_own_heading_and_no_count() -> None:
    shared = Digest(
        HERE, SLOT, 0, (CARD,), heading=text(Span("ann", strong=True), " shares a paper")
    )
    [part] = render.digest(shared)

    assert part.payload["blocks"][0]["text"]["text"] == "ann shares a paper"
    assert part.payload["text"].startswith("ann shares a paper: Draft &amp; Verify")


def test_what_does_not_fit_goes_on_in_a_message_that_says_so() -> None:
    papers = [replace(PAPER, id=f"arxiv:2606.{n:05}") for n in range(40)]
    digest = replace(DIGEST, cards=tuple(replace(CARD, paper=paper) for paper in papers))

    first, *others = render.digest(digest)

    assert len(others) > 1
    assert first.payload["blocks"][0]["type"] == "header"
    for part in others:
        assert part.payload["blocks"][0]["elements"] == [plain("Monday 22 June 2026, continued")]
    assert [each for part in (first, *others) for each in part.papers] == [p.id for p in papers]


@pytest.mark.parametrize("layout", ["compact", "cards"])
def test_a_digest_of_ten_usual_papers_is_at_most_two_messages(layout: str) -> None:
    papers = [replace(PAPER, id=f"arxiv:2606.{n:05}") for n in range(10)]
    gist = text("Large models are slow because they write one token after another. " * 4)
    cards = tuple(replace(CARD, paper=paper, gist=gist) for paper in papers)

    assert len(render.digest(replace(DIGEST, cards=cards, layout=layout))) <= 2


def test_a_paper_with_more_reasons_than_a_message_holds_is_parted() -> None:
    reasons = tuple(Reason(f"r{n}z " + "&" * 300, 1.0) for n in range(300))
    digest = replace(DIGEST, cards=(replace(CARD, reasons=reasons),), layout="cards")

    reading = SlackReader().read(digest)

    assert reading.broken == ()
    assert len(reading.posted) > 1
    assert [post.papers for post in reading.posted if post.papers] == [(PAPER.id,)]
    assert all(f"r{n}z" in letters(reading.text) for n in range(300))


# papers


@pytest.mark.parametrize(
    ("project", "link", "words"),
    [
        pytest.param("https://gitlab.com/ada/demo/pages?x=1", "https://gitlab.com/ada/demo", "Project", id="rebuilt"),
        pytest.param("https://evil.example/x?<!channel>", "", "evil.example/x", id="as words"),
        pytest.param("https://arxiv.org/pdf/2606.20622", "", "", id="the paper itself"),
        pytest.param("https://github.com/ada/engine", "", "", id="the code itself"),
    ],
)  # fmt: skip
def test_a_page_of_a_project_is_a_link_only_where_it_can_be_rebuilt(
    project: str, link: str, words: str
) -> None:
    def read(project: str) -> Reading:
        card = replace(CARD, paper=replace(PAPER, project=project))
        return SlackReader().read(replace(DIGEST, cards=(card,)))

    without, reading = read(""), read(project)

    assert set(reading.links) - set(without.links) == ({link} if link else set())
    assert len(reading.links) == len(without.links) + bool(link)
    assert words in reading.text
    assert (reading.text == without.text) == (not words)


def test_a_paper_that_nobody_upvoted_or_discussed_has_no_discussion() -> None:
    card = replace(CARD, paper=replace(PAPER, upvotes=0, discussion=0))

    assert "huggingface" not in json.dumps(render.messages(Listing((), cards=(card, card))))


def test_a_paper_without_a_title_is_named_by_its_id() -> None:
    card = PaperCard(Paper("arxiv:2606.20622", "\u202e \n"))

    assert "2606.20622" in shown(Listing((), cards=(card,)))


def test_dates_are_shown_where_papers_of_many_days_stand_together() -> None:
    assert "20 Jun 2026" not in shown(DIGEST)
    assert "20 Jun 2026" in shown(Listing(text("Found"), cards=(CARD, OTHER)))


def test_an_abstract_is_shown_whole() -> None:
    abstract = "An abstract of many words. " * 400
    card = replace(CARD, abstract=text(abstract))

    assert letters(abstract) in letters(shown(Listing((), cards=(card,))))


# buttons


def test_a_sentence_that_no_option_can_hold_is_a_button() -> None:
    long = "dislike doi:10.1000/" + "x" * 60
    wanted = [*CARD.actions, Action("Less like this", long), Action("Share", "share 2606.20622")]

    [row] = blocks.folded(wanted)

    assert [each.get("value") for each in row["elements"]] == [
        "save 2606.20622", "similar 2606.20622", long, None,
    ]  # fmt: skip
    assert [option["value"] for option in row["elements"][3]["options"]] == [
        "why 2606.20622", "dislike 2606.20622", "share 2606.20622",
    ]  # fmt: skip


@pytest.mark.parametrize("count", range(9))
def test_the_first_buttons_stand_and_the_others_are_in_menus_of_five(count: int) -> None:
    wanted = [Action(f"Do {n}", f"do {n}") for n in range(count)]
    found = [element for row in blocks.folded(wanted) for element in row["elements"]]

    buttons = [element for element in found if element["type"] == "button"]
    menus = [element["options"] for element in found if element["type"] == "overflow"]
    assert len(buttons) == (count if count <= 3 else 2)
    assert sum(map(len, menus)) + len(buttons) == count
    assert all(1 <= len(menu) <= 5 for menu in menus)


def test_what_asks_no_more_is_red() -> None:
    notice = Notice(text("Sure?"), actions=(Action("Drop all", "unsubscribe all sure:yes"),))
    payload = only(render.messages(notice))

    assert payload["blocks"][-1]["elements"][0]["style"] == "danger"


# answers


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
    [block] = only(render.messages(notice))["blocks"]
    said, place, hint = block["elements"]

    assert said["elements"][0] == {"type": "emoji", "name": "warning"}
    assert place == {"type": "rich_text_preformatted", "elements": [
        {"type": "text", "text": "subscribe cat:cs.KL -survey\n          ---------"}]}  # fmt: skip
    assert hint["elements"][1] == {"type": "text", "text": "cat:cs.CL", "style": {"code": True}}


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        pytest.param("搜索 ", "漢字", id="wide"),
        pytest.param("e\u0301te\u0301 ", "cafe\u0301", id="combining"),
        pytest.param("sub ", "", id="nothing yet"),
        pytest.param("word " * 2000, "cat:cs.KL", id="far to the right"),
        pytest.param("cat:", "漢" * 5000, id="long itself"),
    ],
)
def test_dashes_stand_under_the_mistake(before: str, wrong: str) -> None:
    source = f"{before}{wrong} and more"
    notice = Notice(
        text("No."), "error", source=source, start=len(before), end=len(before) + len(wrong)
    )
    typed, dashes = only(render.messages(notice))["blocks"][0]["elements"][1]["elements"][0][
        "text"
    ].split("\n")

    start, size = dashes.index("-"), dashes.count("-")
    under = cells(typed)[start : start + size]
    assert len(cells(typed)) <= 62
    assert letters(wrong)[:9].startswith(letters("".join(under))[:9])
    assert size == max(1, len(under))


def cells(line: str) -> list[str]:
    """What each cell of a line shows, in a fixed pitch."""
    found: list[str] = []
    for c in line:
        if c == "\u0301":
            found[-1] += c
        else:
            found += [c, ""] if ord(c) > 0x2E80 else [c]
    return found


def test_times_and_channels_are_shown_as_slack_shows_them() -> None:
    words = text("Next ", Span("Mon 09:00", when=SLOT), " in ", named(HERE))
    [block] = only(render.messages(Notice(words)))["blocks"]
    _, when, _, channel = block["elements"][0]["elements"]

    assert when == {
        "type": "date", "timestamp": int(SLOT.timestamp()), "fallback": "Mon 09:00",
        "format": "{date_short_pretty} at {time}",
    }  # fmt: skip
    assert channel == {"type": "channel", "channel_id": "C024BE91L"}


def test_times_and_channels_in_small_print_too() -> None:
    note = text(
        "Next ", Span("Mon 09:00", when=SLOT), " in ", named(HERE), ", ", Span("list", code=True)
    )
    [_, small] = only(render.messages(Listing(text("Found"), notes=(note,))))["blocks"]

    assert small["elements"] == [
        mrkdwn(
            f"Next <!date^{int(SLOT.timestamp())}^{{date_short_pretty}} at {{time}}|Mon 09:00> "
            "in <#C024BE91L>, `list`"
        )
    ]


@pytest.mark.parametrize(
    "ref",
    [ChannelRef("discord", "1", "C024BE91L"), ChannelRef("slack", "T1", "C1>|<!channel")],
    ids=str,
)
def test_a_channel_that_is_none_of_slacks_is_words(ref: ChannelRef) -> None:
    note = text(Span(ref.channel, channel=ref))
    reading = SlackReader().read(Listing(note, notes=(note,)))

    assert reading.channels == reading.mentions == ()
    assert reading.text.count(ref.channel[:2]) == 2


def test_rows_without_buttons_run_together_in_one_block() -> None:
    rows = (
        Row(text("3"), text(Span("diffusion -survey", code=True)), (text("weight 2"),)),
        Row(text("12"), text("reward*")),
    )
    payload = only(render.messages(Listing(text("Subscriptions"), rows=rows)))

    assert kinds(payload) == ["header", "rich_text"]
    assert [part["type"] for part in payload["blocks"][1]["elements"]] == [
        "rich_text_section", "rich_text_list", "rich_text_section",
    ]  # fmt: skip
    assert shown(Listing((), rows=rows)) == "3\xa0 diffusion -survey\nweight 2\n12\xa0 reward*"


def test_the_one_button_of_a_row_stands_beside_it() -> None:
    words = text(Span("a|b* `c`", code=True), " weight 2 _x_ <!here>")
    row = Row(text("3"), words, actions=(Action("Drop", "unsubscribe 3"),))
    [block] = only(render.messages(Listing((), rows=(row,))))["blocks"]

    assert block["accessory"]["value"] == "unsubscribe 3"
    assert block["text"] == mrkdwn("*3*\xa0 `a|b* ‘c‘` weight 2 ＿x＿ &lt;!here&gt;")  # noqa: RUF001


def test_a_row_with_several_buttons_has_them_below() -> None:
    actions = tuple(Action(f"Do {n}", f"do {n}") for n in range(5))
    listing = Listing(
        (), rows=(Row(text("3"), text("q"), actions=actions), Row(text("4"), text("r")))
    )

    assert kinds(only(render.messages(listing))) == ["rich_text", "actions", "rich_text"]


def test_a_title_with_something_to_type_is_bold_and_not_large() -> None:
    listing = Listing(
        text("5 of 23 for ", Span('"tool use"', code=True)), rows=(Row(text("1"), ()),)
    )

    assert kinds(only(render.messages(listing)))[0] == "rich_text"


def test_the_buttons_of_an_answer_are_set_apart_from_those_of_its_last_paper() -> None:
    listing = Listing(
        text("Found"), cards=(CARD, OTHER), actions=(Action("More", "again k page:2"),)
    )

    assert kinds(only(render.messages(listing)))[-2:] == ["divider", "actions"]


def test_an_answer_that_is_empty_still_says_something() -> None:
    assert shown(Listing(())) == "There is nothing to show."


# what is markup to Slack

SIGNS = (
    ("*bold* 2*3", "∗bold∗ 2∗3"),  # noqa: RUF001
    ("_it_ snake_case __x__ a_ _b", "＿it＿ snake_case ＿＿x＿＿ a＿ ＿b"),  # noqa: RUF001
    ("~gone~ `code` a|b", "∼gone∼ ‘code‘ a∣b"),  # noqa: RUF001
    (":smile: cat:cs.CL 9:00", "∶smile: cat:cs.CL 9:00"),  # noqa: RUF001
    ("> quote > no", "› quote &gt; no"),  # noqa: RUF001
    ("p < 0.05 & q &lt;", "p &lt; 0.05 &amp; q &amp;lt;"),
    ("<!channel> <@U1> @here", "&lt;!channel&gt; &lt;@U1&gt; @here"),
)


@pytest.mark.parametrize(("written", "expected"), SIGNS)
def test_signs_in_small_print_are_no_markup(written: str, expected: str) -> None:
    assert blocks.small([text(written)]) == [mrkdwn(expected)]


def test_no_markup_begins_in_one_span_and_ends_in_the_next() -> None:
    spans = text("a :smi", Span("le: b"), " *c", Span("d* "), Span("e", strong=True), "f")

    assert blocks.mrkdwn(spans) == ["a ∶smile: b ∗cd∗ *e*\u200bf"]  # noqa: RUF001


def test_long_small_print_is_parted_into_text_objects_that_fit() -> None:
    note = text("& " * 4000, Span("strong " * 200, strong=True), Span("end", code=True))
    context = blocks.context(blocks.small([note]))

    assert slack_rules.block_faults(context, "message") == []
    assert json.dumps(context).count("&amp;") == 4000


# forms

FORM = Form(
    "Subscribe",
    "subscribe",
    (
        Field("query", "What to look for", "text", 'a "b c" -d', hint="quotes mean these words"),
        Field("strictness", "Strictness", "choice", "2.5", ("loose", "normal", "strict")),
        Field("days", "Days", "choices", "mon, thu", ("mon", "tue", "wed", "thu", "fri")),
        Field("time", "Time", "time", "09:00", optional=True),
        Field("zone", "Time zone", "zone", "Europe/Berlin"),
    ),
    notes=(text("Or type ", Span("subscribe x", code=True)),),
)


def modal(form: Form, *notes: Text) -> dict[str, Any]:
    return render.modal(form, private_metadata="C1", notes=notes)


def submitted(view: dict[str, Any]) -> dict[str, Any]:
    """As Slack sends it where nobody changes anything."""
    return {**view, "state": {"values": slack_fields.state(view["blocks"], {})}}


def test_a_form_is_a_modal_with_a_question_a_field() -> None:
    view = modal(FORM, text("For ", named(HERE)))
    note, *questions, small = view["blocks"]

    assert slack_rules.view_faults(view) == []
    assert (view["callback_id"], view["private_metadata"]) == ("form:subscribe", "C1")
    assert (view["title"]["text"], view["submit"]["text"]) == ("Subscribe", "Subscribe")
    assert note["type"] == "rich_text"
    assert small["type"] == "context"
    assert [
        (q["block_id"], q["element"]["type"], q["element"]["action_id"]) for q in questions
    ] == [
        ("query", "plain_text_input", "value"),
        ("strictness", "static_select", "value"),
        ("days", "checkboxes", "value"),
        ("time", "timepicker", "value"),
        ("zone", "external_select", "zone"),
    ]
    assert [q["optional"] for q in questions] == [False, False, False, True, False]
    assert questions[0]["hint"] == plain("quotes mean these words")


def test_what_a_form_proposes_comes_back_from_it() -> None:
    assert render.read_modal(submitted(modal(FORM))) == {
        "query": 'a "b c" -d', "strictness": "2.5", "days": "mon,thu", "time": "09:00",
        "zone": "Europe/Berlin",
    }  # fmt: skip


def test_what_is_left_empty_comes_back_empty() -> None:
    empty = replace(FORM, fields=tuple(replace(f, value="") for f in FORM.fields))

    assert render.read_modal(submitted(modal(empty))) == dict.fromkeys(
        ("query", "strictness", "days", "time", "zone"), ""
    )


def test_several_times_are_typed_because_no_clock_holds_them() -> None:
    form = replace(FORM, fields=(Field("time", "Times", "time", "09:00,16:00"),))
    view = modal(form)

    assert view["blocks"][0]["element"]["type"] == "plain_text_input"
    assert render.read_modal(submitted(view)) == {"time": "09:00,16:00"}


def test_many_choices_are_a_menu() -> None:
    choices = tuple(f"cs.{n}" for n in range(11))
    form = replace(FORM, fields=(Field("cat", "Categories", "choices", "cs.3,cs.7", choices),))
    view = modal(form)

    assert view["blocks"][0]["element"]["type"] == "multi_static_select"
    assert render.read_modal(submitted(view)) == {"cat": "cs.3,cs.7"}


def test_a_form_that_cannot_open_is_a_button_that_opens_it() -> None:
    opening = [only(render.messages(form))["blocks"][-1]["elements"][0]["value"]
               for form in (FORM, replace(FORM, command="set"))]  # fmt: skip

    assert opening == ["form subscribe", "settings"]


@settings(max_examples=40, deadline=None)
@given(form=VIEWS["form"])
def test_any_form_comes_back_as_it_went(form: Form) -> None:
    view = modal(form)
    values = render.read_modal(submitted(view))

    assert slack_rules.view_faults(view) == []
    assert values == SlackReader().read(form).fields


# the home tab and modals

HOME = Listing(
    text("Home"),
    rows=(
        Row(text("Your subscriptions"), text("1"), (text("1 ", Span("diffusion", code=True)),),
            actions=(Action("Subscribe", "form subscribe"), Action("List", "list"))),
        Row(text("Your channels"), text("1"), (text(named(HERE), ": 4 subscriptions"),)),
        Row(text("Next digests"), text("Next: ", Span("Mon 09:00", when=SLOT))),
    ),
    actions=(Action("Help", "help"),),
)  # fmt: skip


def test_home_has_a_part_for_each_row_with_its_buttons() -> None:
    view = render.home(HOME)

    assert slack_rules.view_faults(view) == []
    assert kinds(view) == [
        "header", "rich_text", "actions", "divider", "header", "rich_text", "divider", "header",
        "rich_text", "divider", "actions",
    ]  # fmt: skip
    assert view["blocks"][0]["text"]["text"] == "Your subscriptions · 1"
    assert read_view(view).sentences == ("form subscribe", "list", "help")
    assert read_view(view).channels == ("C024BE91L",)


def test_home_can_tell_of_a_mistake() -> None:
    view = render.home(Notice(text("Something went wrong."), "error"))

    assert "Something went wrong." in read_view(view).text


@settings(max_examples=40, deadline=None)
@given(listing=LISTINGS)
def test_whatever_home_and_modals_hold_fits_and_nothing_fires(listing: Listing) -> None:
    for view in (render.home(listing), render.modal_listing(listing, "x" * 100, "C1")):
        reading = read_view(view)

        assert reading.broken == ()
        assert reading.mentions == ()
        assert all("evil.example" not in link.split("?")[0] for link in reading.links)


def test_what_is_too_much_for_a_modal_ends_in_a_note() -> None:
    papers = [replace(PAPER, id=f"arxiv:2606.{n:05}") for n in range(60)]
    listing = Listing(text("Found"), cards=tuple(replace(CARD, paper=p) for p in papers))
    reading = read_view(render.modal_listing(listing, "Search", "C1"))

    assert reading.broken == ()
    assert reading.text.endswith("There is more than fits here: ask for it in a channel.")
    assert paper_link(papers[0].id).url in reading.links


# cards below links


def test_a_card_below_a_link_has_title_gist_and_small_print() -> None:
    card = PaperCard(PAPER, gist=text("Drafts are checked in parallel."))
    shown = cards.unfurled(card)
    reading = read_unfurl(shown)

    assert kinds({"blocks": shown}) == ["section", "context"]
    assert reading.broken == ()
    assert "Draft & Verify: Speculative Decoding at Scale\nDrafts are checked" in reading.text
    assert paper_link(PAPER.id, PAPER.title).url in reading.links


@settings(max_examples=40, deadline=None)
@given(listing=LISTINGS)
def test_whatever_a_card_below_a_link_holds_fits_and_nothing_fires(listing: Listing) -> None:
    for card in listing.cards:
        reading = read_unfurl(cards.unfurled(card))

        assert reading.broken == ()
        assert reading.mentions == ()
        assert paper_link(card.paper.id, card.paper.title).url in reading.links


# documents


def test_a_document_is_a_text_that_can_be_copied() -> None:
    content = "@misc{a,\n\ttitle = {A & B <c> *d*},\n}\n"
    [block] = render.preformatted(Document("papers.bib", content))["blocks"]

    assert block["elements"][1]["elements"][0]["text"] == "@misc{a,\n title = {A & B <c> *d*},\n}"


def test_the_longest_document_fits_one_message() -> None:
    document = Document("papers.bib", ("x" * 79 + "\n") * (render.LONGEST_DOCUMENT // 80))
    payload = render.preformatted(document)

    assert slack_rules.block_faults(payload["blocks"], "message") == []
    assert blocks.size(payload["blocks"]) <= blocks.MESSAGE
    assert letters(document.content) in letters(shown(document))


# the page that pictures are taken of


def test_a_picture_shows_what_is_said_and_fetches_nothing() -> None:
    [part] = render.digest(replace(DIGEST, notes=(text("p < 0.05 ", Span("<b>", code=True)),)))
    page = slack_page.channel("papers", slack_page.message(part.payload))

    assert "<b><a href='#'>Draft &amp; Verify: Speculative Decoding at Scale</a></b>" in page
    assert "p &lt; 0.05 <code>&lt;b&gt;</code>" in page
    assert "<span class='button '>Similar</span>" in page
    assert "http" not in page


async def test_every_scene_can_be_set() -> None:
    pages = await slack_scenes.scenes()

    assert {"compact", "cards", "thread", "search", "home", "subscribe", "settings"} <= set(pages)
    assert all("class='blocks'" in page for page in pages.values())


# real papers, read where they lie


def real_papers() -> list[Paper]:
    path = DATA / "arxiv_week_2026-06-22.jsonl.gz"
    if not path.exists():
        pytest.skip("the week of papers is not on this machine")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [
            Paper(f"arxiv:{row['id']}", row["title"], row["abstract"], tuple(row["authors"]),
                  tuple(row["categories"]))
            for row in map(json.loads, lines)
        ]  # fmt: skip


def test_all_titles_of_a_real_week_are_shown_as_they_are() -> None:
    papers = real_papers()
    reading = SlackReader().read(Digest(HERE, SLOT, len(papers), tuple(map(PaperCard, papers))))

    assert reading.broken == ()
    lines = reading.text.split("\n")
    assert {" ".join(p.title.split()) for p in papers} <= set(lines)
    assert [each for post in reading.posted for each in post.papers] == [p.id for p in papers]


def test_fifty_real_papers_are_five_answers_at_most() -> None:
    """A response_url takes five."""
    cards = [
        replace(CARD, paper=paper, gist=text(paper.abstract[:320]), score=None, reasons=())
        for paper in real_papers()[:50]
    ]

    assert len(render.messages(Listing(text("50 of 1,624"), cards=tuple(cards)))) <= 5


def test_a_code_link_is_rebuilt() -> None:
    link = code_link(PAPER.code)

    assert link is not None
    assert link.url == "https://github.com/ada/engine"
    assert link.url in SlackReader().read(DIGEST).links
