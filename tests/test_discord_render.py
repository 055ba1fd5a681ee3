"""What Discord is sent: how it looks, that it fits, that nothing in it fires; keys and forms."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from discord import SelectOption, ui
from hypothesis import given, settings

from adapters.discord import layout, markdown, render
from bot.identity import paper_link
from bot.latex import to_unicode
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
    Row,
    Span,
    View,
    text,
)
from tests import sample_card
from tests.discord_reader import DiscordReader, Shown, clickables, parse
from tests.discord_rules import HEAVIEST, message_problems, weight
from tests.discord_state import COMPONENTS_V2, walk
from tests.hostile_views import LAYOUTS, VIEWS
from tests.pictures import discord_scenes
from tests.reading import letters

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EXAMPLES = int(os.environ.get("PAPERBOY_EXAMPLES", "500")) // 50
SLOT = datetime(2026, 6, 22, 9, tzinfo=UTC)
KEY = "0123456789abcdef01234567"
VERBS = ("save", "similar", "why", "show", "dislike", "share")
LINK = paper_link("arxiv:2606.20622")

PAPER = replace(
    sample_card.PAPER,
    authors=sample_card.PAPER.authors[:4],
    discussion=1,
    project="https://github.com/ada/pages",
    submitter="ann",
)
CARD = replace(
    sample_card.CARD,
    paper=PAPER,
    title=text("Draft and Verify: ", Span("Speculative Decoding", strong=True), " at Scale"),
    notes=(text("Posted here on ", Span("then", when=SLOT), "."),),
    actions=tuple(Action(verb.capitalize(), f"{verb} 2606.20622") for verb in VERBS),
)


def cards(count: int) -> tuple[PaperCard, ...]:
    return tuple(
        replace(
            CARD,
            paper=replace(PAPER, id=f"arxiv:2606.{n:05}", title=f"Paper {n}"),
            title=(),
            actions=tuple(Action(verb.capitalize(), f"{verb} 2606.{n:05}") for verb in VERBS),
        )
        for n in range(count)
    )


def texts(payload: dict[str, Any]) -> list[str]:
    return [c["content"] for c in walk(payload["components"]) if c["type"] == layout.DISPLAY]


def kinds(payload: dict[str, Any]) -> list[int]:
    return [component["type"] for component in walk(payload["components"])]


def shown(content: str) -> Shown:
    found = Shown()
    found.read(content)
    return found


# Digests


def test_a_paper_is_shown_with_all_that_is_known_of_it() -> None:
    digest = Digest(None, SLOT, 1624, (CARD,))

    (part,) = render.digest(digest)

    assert texts(part.payload) == [
        "### Monday 22 June 2026\n-# 1,624\xa0new papers, 1 for this channel",
        "**[Draft and Verify: __Speculative Decoding__ at Scale](https://arxiv.org/abs/2606.20622)**\n"
        "-# Ada Lovelace, Yejin Choi, Mary Shelley\xa0+1\xa0· cs.CL, cs.LG\xa0· 20\xa0Jun\xa02026\xa0· "
        "submitted by ann\xa0· 41\xa0upvotes\xa0· [PDF](https://arxiv.org/pdf/2606.20622)\xa0· "
        "[Code](https://github.com/ada/engine)\xa0★\xa01,312\xa0· "
        "[Discussion](https://huggingface.co/papers/2606.20622)\xa0(1\xa0comment)\xa0· "
        "[Project](https://github.com/ada/pages)\n"
        "**Speculative decoding** makes them fast.\n"
        '-# **42.1 points**\xa0· "speculative decoding" in title\xa031.0\xa0· 41 upvotes\xa011.1\n'
        f"Posted here on <t:{int(SLOT.timestamp())}:f>.",
    ]
    assert part.papers == ("arxiv:2606.20622",)
    assert part.payload["flags"] == COMPONENTS_V2
    assert part.payload["allowed_mentions"] == {"parse": []}


def test_in_a_compact_digest_one_button_is_beside_a_paper_and_the_others_are_in_a_menu() -> None:
    (part,) = render.digest(Digest(None, SLOT, 2, cards(2), layout="compact"))

    sections = [c for c in walk(part.payload["components"]) if c["type"] == layout.SECTION]
    (menu,) = (c for c in walk(part.payload["components"]) if c["type"] == layout.MENU)
    assert [s["accessory"]["custom_id"] for s in sections] == [
        "papers:save 2606.00000", "papers:save 2606.00001",
    ]  # fmt: skip
    assert menu["placeholder"] == "Pick a paper: Similar, Why, Show, Dislike, Share"
    assert menu["options"][0] == {"label": "Similar · 1. Paper 0", "value": "similar 2606.00000"}
    assert menu["options"][-1] == {"label": "Share · 2. Paper 1", "value": "share 2606.00001"}


def test_cards_are_boxes_with_their_own_buttons() -> None:
    (part,) = render.digest(Digest(None, SLOT, 2, cards(2), layout="cards"))

    boxes = part.payload["components"]
    assert [box["type"] for box in boxes] == [layout.CONTAINER] * 3 + [layout.ROW]
    for box in boxes[1:3]:
        assert [c["type"] for c in box["components"]] == [layout.DISPLAY, layout.ROW]
        assert [b["label"] for b in box["components"][1]["components"]] == [
            "Save",
            "Similar",
            "Why",
        ]


def test_a_thread_begins_with_the_titles_and_has_a_post_a_paper() -> None:
    first, *others = render.digest(Digest(None, SLOT, 2, cards(3), layout="thread"))

    assert (first.papers, first.threaded) == ((), False)
    assert "1. [Paper 0](https://arxiv.org/abs/2606.00000) **42.1**" in texts(first.payload)[0]
    assert [(part.papers, part.threaded) for part in others] == [
        (("arxiv:2606.00000",), True), (("arxiv:2606.00001",), True), (("arxiv:2606.00002",), True),
    ]  # fmt: skip
    assert [s for s, _ in clickables(others[0].payload["components"])] == [
        f"{verb} 2606.00000" for verb in VERBS
    ]


def test_a_thread_that_is_too_long_for_its_titles_says_how_many_follow() -> None:
    first, *others = render.digest(Digest(None, SLOT, 200, cards(200), layout="thread"))

    assert len(others) == 200
    assert "papers more in the thread" in "\n".join(texts(first.payload))


def test_what_does_not_fit_goes_into_the_next_message_and_the_numbers_go_on() -> None:
    first, second, third = render.digest(Digest(None, SLOT, 12, cards(12)))

    assert [len(part.papers) for part in (first, second, third)] == [5, 5, 2]
    assert texts(second.payload)[0].startswith("**6. [Paper 5](")
    assert not second.threaded


def test_a_digest_of_ten_papers_of_the_usual_size_fits_two_messages() -> None:
    for shape in ("compact", "cards"):
        digest = Digest(
            None, SLOT, 400, cards(10), more=4, layout=shape, actions=(Action("Show 4 more", "again k3f9x2"),)
        )  # fmt: skip

        assert len(render.digest(digest)) == 2


def test_a_paper_that_no_message_holds_keeps_its_menu() -> None:
    long = tuple(replace(CARD.actions[0], label=f"{n} {'漢' * 90}") for n in range(25))
    card = replace(CARD, abstract=(Span("漢" * 2_900),), actions=long)

    found = render.messages(Listing((), cards=(card, card)))

    assert all(list(message_problems(payload)) == [] for payload in found)
    assert all(weight(payload["components"]) <= HEAVIEST for payload in found)
    assert len([c for payload in found for c in clickables(payload["components"])]) == 50


def test_a_quiet_day_is_grey_and_says_why() -> None:
    quiet = Quiet("no_announcement", "No announcement: weekend.")

    (part,) = render.digest(Digest(None, SLOT, 412, quiet=quiet))

    assert texts(part.payload) == ["### Monday 22 June 2026\nNo announcement: weekend."]
    assert part.payload["components"][0]["accent_color"] == layout.QUIET


def test_in_private_nobody_is_called_and_there_are_no_threads() -> None:
    digest = Digest(None, SLOT, 2, cards(2), layout="thread", ping="123456789012345678")

    (message,) = render.messages(digest)

    assert message["allowed_mentions"] == {"parse": []}
    assert layout.SECTION in kinds(message)


def test_a_role_is_called_by_the_first_message_alone() -> None:
    first, *others = render.digest(Digest(None, SLOT, 9, cards(9), ping="123456789012345678"))

    assert texts(first.payload)[0] == "<@&123456789012345678>"
    assert first.payload["allowed_mentions"] == {"parse": [], "roles": ["123456789012345678"]}
    assert all(part.payload["allowed_mentions"] == {"parse": []} for part in others)
    assert others


@pytest.mark.parametrize("role", ["everyone", "@here", "1> @everyone <@&2", "²"])
def test_what_is_no_id_of_a_role_calls_nobody(role: str) -> None:
    (part,) = render.digest(Digest(None, SLOT, 9, cards(1), ping=role))

    assert part.payload["allowed_mentions"] == {"parse": []}
    assert not any("<@" in content for content in texts(part.payload))


def test_a_thread_is_named_after_the_day_or_the_heading() -> None:
    digest = Digest(None, SLOT, 1)

    assert render.thread_name(digest) == "Monday 22 June 2026"
    assert render.thread_name(replace(digest, heading=text("*ann*\nshares " * 30))) == (
        "*ann* shares *ann* shares *ann* shares *ann* shares *ann* shares *ann* shares *ann* shares *ann*…"
    )


def test_a_paper_without_a_date_has_the_day_on_which_it_was_listed() -> None:
    paper = Paper("link:0123456789abcdef", "Notes", listed_on=date(2026, 6, 22))

    (part,) = render.digest(Digest(None, SLOT, 1, (PaperCard(paper),)))

    assert texts(part.payload)[-1].endswith("**\n-# listed 22\xa0Jun\xa02026")


# Keys


@pytest.mark.parametrize("shape", LAYOUTS)
def test_a_key_comes_back_and_no_limit_breaks_by_it(shape: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(view=VIEWS[f"{shape} digest"])
    def holds(view: View) -> None:
        assert isinstance(view, Digest)
        for n, part in enumerate(render.digest(replace(view, ping="123456789012345678"))):
            keyed = render.with_key(part.payload, f"{n:024x}")

            assert render.key_of(part.payload) is None
            assert render.key_of(json.loads(json.dumps(keyed))) == f"{n:024x}"
            assert list(message_problems(keyed)) == []

    holds()


def test_a_key_is_the_fragment_of_the_first_link() -> None:
    (part,) = render.digest(Digest(None, SLOT, 1, (CARD,)))

    keyed = render.with_key(part.payload, KEY)

    assert f"(https://arxiv.org/abs/2606.20622#{KEY})" in "\n".join(texts(keyed))
    assert KEY not in json.dumps(part.payload)


def test_a_message_without_a_link_gets_one_for_its_key() -> None:
    (part,) = render.digest(Digest(None, SLOT, 0, quiet=Quiet("no_announcement", "Weekend.")))

    keyed = render.with_key(part.payload, KEY)

    assert texts(keyed)[-1] == f"-# [arXiv](https://arxiv.org/#{KEY})"
    assert render.key_of(keyed) == KEY


@pytest.mark.parametrize("span", [
    Span("[x](https://arxiv.org/abs/1#feed)"), Span("[x](https://arxiv.org/abs/1#feed)", code=True),
    Span("x](https://arxiv.org/abs/1#feed)", link=LINK), Span("`](https://a.b/#feed)`", strong=True),
])  # fmt: skip
def test_nobody_can_write_a_key(span: Span) -> None:
    paper = replace(PAPER, title=span.text, authors=(span.text,))
    digest = Digest(
        None, SLOT, 1, (replace(CARD, paper=paper, title=(), gist=(span,)),), heading=(span,)
    )

    (part,) = render.digest(digest)

    assert render.key_of(part.payload) is None
    assert render.key_of(render.with_key(part.payload, KEY)) == KEY


def test_other_messages_have_no_key() -> None:
    assert render.key_of({"content": f"https://arxiv.org/#{KEY}", "embeds": []}) is None


def test_without_buttons_all_texts_are_left() -> None:
    for shape in LAYOUTS:
        for part in render.digest(Digest(None, SLOT, 9, cards(4), layout=shape)):
            bare = render.without_buttons(part.payload)

            assert texts(bare) == texts(part.payload)
            assert {layout.DISPLAY, layout.CONTAINER, layout.RULE} >= set(kinds(bare))
            assert list(message_problems(bare)) == []


# Buttons


def test_a_sentence_that_occurs_twice_gets_a_number() -> None:
    notice = Notice(
        text("Twice."),
        actions=(Action("A", "list"), Action("B", "list"), Action("C", "mute C#"), Action("D", "mute a#1")),
    )  # fmt: skip

    (message,) = render.messages(notice)

    ids = [c["custom_id"] for c in walk(message["components"]) if "custom_id" in c]
    assert ids == ["papers:list", "papers:list#1", "papers:mute C##0", "papers:mute a#1#0"]
    assert [s for s, _ in clickables(message["components"])] == [
        "list",
        "list",
        "mute C#",
        "mute a#1",
    ]


def test_a_sentence_that_is_too_long_for_a_button_has_none() -> None:
    doi = "doi:10.1000/" + "x" * 180
    card = replace(CARD, actions=(Action("Save", f"save {doi}"), Action("Why", "why 2606.20622")))

    (message,) = render.messages(Listing((), cards=(card,)))

    assert [s for s, _ in clickables(message["components"])] == ["why 2606.20622"]


def test_one_action_of_a_row_is_beside_it_and_several_are_below() -> None:
    one, two = Action("Drop", "unsubscribe 1"), Action("Up", "list")
    rows = (
        Row(text("1"), text("a"), actions=(one,)),
        Row(text("2"), text("b"), actions=(one, two)),
    )

    (message,) = render.messages(Listing(text("Subscriptions"), rows=rows))

    inside = message["components"][0]["components"]
    assert [c["type"] for c in inside] == [
        layout.DISPLAY, layout.SECTION, layout.DISPLAY, layout.ROW,
    ]  # fmt: skip
    assert texts(message) == ["### Subscriptions", "**1**\xa0· a", "**2**\xa0· b"]


# Answers


def test_a_mistake_is_shown_with_dashes_below() -> None:
    notice = Notice(
        text("A quote is opened but not closed."),
        "error",
        (text("Write ", Span('"tool use"', code=True)),),
        source='cat:cs.CL "tool use',
        start=10,
        end=19,
    )

    (message,) = render.messages(notice)

    assert texts(message) == [
        "A quote is opened but not closed.\n"
        '```\ncat:cs.CL "tool use\n          ---------\n```\n'
        'Write `"tool use"`'
    ]
    assert message["components"][0]["accent_color"] == layout.ERROR


def test_a_mistake_in_a_long_text_is_shown_with_its_surroundings() -> None:
    source = "a" * 200 + " 漢字漢字 " + "`" * 200

    _, typed, dashes, _ = markdown.mistake(source, 201, 205).split("\n")

    assert len(typed) < 70
    assert typed.startswith("…aaa")
    assert typed.endswith("'…")
    assert typed.index("漢") == dashes.index("-")
    assert dashes.count("-") == 8  # cells


def test_a_form_without_a_modal_and_a_document_are_named() -> None:
    form = Form("Settings", "set", (Field("max", "Papers", "text", "10", hint="1 to 50"),))

    (asked,) = render.messages(form)
    (named,) = render.messages(Document("papers.bib", "@article"))

    assert texts(asked) == ["### Settings\n**Papers**\xa0· 10\n-# 1 to 50"]
    assert texts(named) == ["papers.bib"]


def test_an_answer_without_words_says_so() -> None:
    (message,) = render.messages(Listing(()))

    assert texts(message) == ["Nothing to show."]


def test_an_abstract_is_never_cut() -> None:
    words = " ".join(f"*word{n}*" for n in range(2000))

    messages = render.messages(Listing((), cards=(replace(CARD, abstract=text(words)),)))

    whole = letters("".join(each for message in messages for each in texts(message)))
    assert letters(words) in whole
    assert len(messages) > 1


def test_channels_and_times_are_shown_as_discord_does() -> None:
    here = Span("lab", channel=ChannelRef("discord", "1", "123456789012345678"))
    elsewhere = Span("lab", channel=ChannelRef("slack", "T1", "123"))
    mine = Span("your own", channel=ChannelRef("discord", "@me", "@1"))

    assert markdown.lines((here, elsewhere, mine, Span("", when=SLOT))) == [
        f"<#123456789012345678>labyour own<t:{int(SLOT.timestamp())}:f>"
    ]


@pytest.mark.parametrize(("span", "expected"), [
    (Span("a `b` c", code=True), "`a 'b' c`"),
    (Span("two\nlines", code=True), "`two lines`"),
    (Span(" word ", strong=True), "**word** "),
    (Span("p < 0.05: *a*"), r"p \< 0.05: \*a\*"),
    (Span("- item"), r"\- item"),
    (Span("12. item"), r"12\. item"),
    (Span("https://evil.example"), r"https\://evil.example"),
    (Span("see discord.gg/abc"), r"see discord.gg\/abc"),
    (Span("@everyone"), r"\@everyone"),
    (Span("A* [Re] :fire: 🔥 x", link=LINK), "[A\u2217 (Re) \u2236fire:  x](https://arxiv.org/abs/2606.20622)"),
    (Span("(1)", link=paper_link("doi:10.1/a(1)")), "[(1)](https://doi.org/10.1/a%281%29)"),
    (Span("\u202egnp.exe\u200b"), "gnp.exe"),
])  # fmt: skip
def test_text_as_markdown(span: Span, expected: str) -> None:
    assert markdown.lines((span,)) == [expected]


def test_neighbours_of_one_style_are_written_as_one() -> None:
    spans = text(
        Span("a", strong=True), Span("b", strong=True), Span("c", code=True), Span("d", code=True)
    )

    assert markdown.lines(spans) == ["**ab**`cd`"]


@pytest.mark.parametrize("nothing", ["\n\n", "\u200b", "", " "])
def test_what_shows_nothing_keeps_no_strong_words_from_being_strong(nothing: str) -> None:
    link = paper_link("arxiv:2507.00001", "Graphs")
    spans = (Span("one", strong=True), Span(nothing, link=link), Span("two", strong=True))

    (shown,) = markdown.lines(spans)

    assert shown == ("**one** **two**" if nothing.isspace() else "**onetwo**")


def test_a_title_that_cannot_be_seen_is_the_papers_number() -> None:
    card = replace(CARD, paper=replace(PAPER, title="🔥\u200d"), title=())

    (part,) = render.digest(Digest(None, SLOT, 1, (card,)))

    assert "**[2606.20622](https://arxiv.org/abs/2606.20622)**" in "\n".join(texts(part.payload))


@pytest.mark.parametrize("kind", VIEWS)
def test_messages_are_as_discord_describes_them(kind: str) -> None:
    reader = DiscordReader(described=True)

    @settings(max_examples=max(3, EXAMPLES // 3), deadline=None)
    @given(view=VIEWS[kind])
    def holds(view: View) -> None:
        assert reader.read(view).broken == ()

    holds()


def test_the_titles_of_a_week_are_live_and_whole() -> None:
    path = DATA / "arxiv_week_2026-06-22.jsonl.gz"
    if not path.exists():
        pytest.skip("the papers of that week are not on this machine")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        titles = [to_unicode(json.loads(line)["title"]) for line in lines]

    for title in titles:
        found = shown(markdown.link(text(title), LINK))

        assert ([], [LINK.url]) == (found.faults, found.links)
        assert letters(title) == letters("".join(found.text))
    assert len(titles) > 1000


# Forms


FORM = Form(
    "Settings",
    "set",
    (
        Field("max", "Papers in a digest", "text", "10", hint="1 to 50"),
        Field("strictness", "How well", "choice", "2.5", ("loose", "normal"), optional=True),
        Field("days", "Days", "choices", "mon,tue", ("mon", "tue", "wed")),
        Field("time", "Time", "time", ""),
    ),
    notes=(text("Schedule: ", Span("schedule weekdays 09:00", code=True)),),
)


def test_a_form_is_a_modal_with_menus_where_there_is_a_choice() -> None:
    modal = render.modal(FORM, "papers-form:set")

    count, strictness, days, time, notes = modal["components"]
    assert (modal["title"], modal["custom_id"]) == ("Settings", "papers-form:set")
    assert count == {
        "type": 18, "label": "Papers in a digest", "description": "1 to 50",
        "component": {
            "type": 4, "custom_id": "max", "style": 1, "required": True, "max_length": 4000, "value": "10",
        },
    }  # fmt: skip
    assert strictness["component"]["options"] == [
        {"label": "loose", "value": "loose"}, {"label": "normal", "value": "normal"},
        {"label": "2.5", "value": "2.5", "default": True},
    ]  # fmt: skip
    assert (strictness["component"]["min_values"], strictness["component"]["required"]) == (
        0,
        False,
    )
    assert [o["value"] for o in days["component"]["options"] if o.get("default")] == ["mon", "tue"]
    assert days["component"]["max_values"] == 3
    assert time["component"]["placeholder"] == "09:00"
    assert notes == {
        "type": 10,
        "content": "Schedule: `schedule weekdays 09:00`",
    }
    assert render.beside(FORM) == []


def test_notes_that_a_modal_has_no_room_for_go_beside_it() -> None:
    form = replace(FORM, fields=(*FORM.fields, Field("who", "Who", "text", "members")))

    (message,) = render.beside(form)

    assert len(render.modal(form, "x")["components"]) == 5
    assert texts(message) == ["Schedule: `schedule weekdays 09:00`"]


def test_more_choices_than_a_menu_has_are_written() -> None:
    field = Field("zone", "Zone", "choice", "z1", tuple(f"z{n}" for n in range(30)))

    modal = render.modal(Form("Zone", "set", (field,)), "x")

    assert modal["components"][0]["component"]["type"] == 4


async def test_discord_py_reads_what_is_filled_in() -> None:
    (strictness,) = (
        c["component"] for c in render.modal(FORM, "x")["components"]
        if c.get("component", {}).get("custom_id") == "strictness"
    )  # fmt: skip
    menu: ui.Select[Any] = ui.Select(
        custom_id="strictness",
        options=[SelectOption(label=o["label"], value=o["value"]) for o in strictness["options"]],
    )
    count: ui.TextInput[Any] = ui.TextInput(custom_id="max")
    modal = ui.Modal(title="Settings")
    modal.add_item(ui.Label(text="Papers", component=count))
    modal.add_item(ui.Label(text="How well", component=menu))
    filled: list[Any] = [
        {"type": 18, "id": 1, "component": {"type": 4, "id": 2, "custom_id": "max", "value": "7"}},
        {"type": 18, "id": 3, "component": {"type": 3, "id": 4, "custom_id": "strictness", "values": ["loose"]}},
        {"type": 10, "id": 5},
    ]  # fmt: skip

    modal._refresh(None, filled, {})  # type: ignore[arg-type]  # it looks at no interaction here

    assert (count.value, menu.values) == ("7", ["loose"])


# The pictures and the reader


async def test_the_pictures_show_what_is_sent() -> None:
    pages = await discord_scenes.scenes()

    assert {"compact", "cards", "thread", "search", "settings"} <= set(pages)
    assert all("<b>Paperboy</b>" in page or "Submit" in page for page in pages.values())


@pytest.mark.parametrize(("content", "kind", "target"), [
    ("a <@1> b", "mention", "1"), ("<@!1>", "mention", "1"), ("<@&2>", "mention", "2"),
    ("x@everyone", "mention", "everyone"), ("<#3>", "channel", "3"), ("<t:5:R>", "time", "5"),
    ("</say:1>", "command", "/say:1"), ("<id:browse>", "guide", "id:browse"), ("<a:x:1>", "emoji", "a:x:1"),
    (":smile:", "emoji", "smile"), ("https://a.example/x_y.", "url", "https://a.example/x_y"),
    ("<ann@a.example>", "url", "ann@a.example"), ("go discord.gg/abc", "url", "discord.gg/abc"),
    ("[a](https://a.example)", "link", "https://a.example"), ("[[a]](<https://b.example>)", "link", "https://b.example"),
    ("# big", "heading", ""), ("x\n> said", "quote", ""), ("- item", "item", ""), ("-# small", "small", ""),
    ("||x||", "spoiler", ""), ("~~x~~", "strike", ""), ("_x_", "em", ""), ("*x*", "em", ""), ("``a`b``", "code", ""),
])  # fmt: skip
def test_the_reader_sees_what_is_live(content: str, kind: str, target: str) -> None:
    (found,) = (node for node in parse(content) if node.kind != "text")

    assert (found.kind, found.target) == (kind, target)


@pytest.mark.parametrize("content", [
    r"[\*a\*](https://a.example)", "[🔥](https://a.example)", "[:fire:](https://a.example)", "[<@1>](https://a.example)",
    "[https://b.example](https://a.example)", "[a](https://a.example) <@1> ||x||", "### C#\n# x",
])  # fmt: skip
def test_the_reader_finds_fault_with_what_nobody_meant(content: str) -> None:
    assert shown(content).faults
