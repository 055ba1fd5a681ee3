"""Block Kit is refused from n + 1 on and taken at n, and only in the shapes that Slack knows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.slack_rules import block_faults, suggestion_faults, text_length, view_faults
from tests.slack_state import Json

Make = Callable[[int], list[Json]]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**more: Any) -> Json:
    return {"type": "section", "text": mrkdwn("words"), **more}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("More"), "action_id": "a", **more}


def option(n: int = 0, **more: Any) -> Json:
    return {"text": plain(f"Option {n}"), "value": f"v{n}", **more}


def actions(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": list(elements)}]


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "s", "options": [option()], **more}


def field(element: Json, **more: Any) -> list[Json]:
    return [{"type": "input", "label": plain("Name"), "element": element, **more}]


def entry(**more: Any) -> Json:
    return {"type": "plain_text_input", "action_id": "value", **more}


def rich(*elements: Json) -> list[Json]:
    return [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": list(elements)}],
        }
    ]


def confirm(**more: Any) -> Json:
    return {
        "title": plain("t"),
        "text": plain("t"),
        "confirm": plain("y"),
        "deny": plain("n"),
    } | more


def picture(**more: Any) -> Json:
    return {"type": "image", "image_url": "https://example.org/i.png", "alt_text": "it", **more}


LIMITS: list[tuple[str, int, Make]] = [
    ("blocks", 50, lambda n: [{"type": "divider"}] * n),
    ("section text", 3000, lambda n: [section(text=mrkdwn("x" * n))]),
    ("fields", 10, lambda n: [{"type": "section", "fields": [mrkdwn("x")] * n}]),
    ("field text", 2000, lambda n: [{"type": "section", "fields": [mrkdwn("x" * n)]}]),
    ("header", 150, lambda n: [{"type": "header", "text": plain("x" * n)}]),
    ("context", 10, lambda n: [{"type": "context", "elements": [mrkdwn("x")] * n}]),
    ("actions", 25, lambda n: actions(*[button(action_id=f"a{m}") for m in range(n)])),
    ("block_id", 255, lambda n: [section(block_id="x" * n)]),
    ("action_id", 255, lambda n: actions(button(action_id="x" * n))),
    ("button text", 75, lambda n: actions(button(text=plain("x" * n)))),
    ("button value", 2000, lambda n: actions(button(value="x" * n))),
    ("button url", 3000, lambda n: actions(button(url=f"https://e.org/{'x' * (n - 14)}"))),
    ("label for readers", 75, lambda n: actions(button(accessibility_label="x" * n))),
    ("select options", 100, lambda n: actions(select(options=[option(m) for m in range(n)]))),
    ("groups", 100, lambda n: actions({
        "type": "static_select",
        "option_groups": [{"label": plain("g"), "options": [option(m)]} for m in range(n)],
    })),
    ("group label", 75, lambda n: actions({
        "type": "static_select",
        "option_groups": [{"label": plain("x" * n), "options": [option()]}],
    })),
    ("option text", 75, lambda n: actions(select(options=[option(text=plain("x" * n))]))),
    ("option value", 150, lambda n: actions(select(options=[option(value="x" * n)]))),
    ("description", 75, lambda n: actions(select(options=[option(description=plain("x" * n))]))),
    ("placeholder", 150, lambda n: actions(select(placeholder=plain("x" * n)))),
    ("overflow", 5, lambda n: [section(accessory={
        "type": "overflow", "options": [option(m) for m in range(n)],
    })]),
    ("checkboxes", 10, lambda n: actions(
        {"type": "checkboxes", "options": [option(m) for m in range(n)]}
    )),
    ("radio buttons", 10, lambda n: actions(
        {"type": "radio_buttons", "options": [option(m) for m in range(n)]}
    )),
    ("confirm title", 100, lambda n: actions(button(confirm=confirm(title=plain("x" * n))))),
    ("confirm text", 300, lambda n: actions(button(confirm=confirm(text=plain("x" * n))))),
    ("confirm button", 30, lambda n: actions(button(confirm=confirm(confirm=plain("x" * n))))),
    ("deny button", 30, lambda n: actions(button(confirm=confirm(deny=plain("x" * n))))),
    ("image url", 3000, lambda n: [picture(image_url=f"https://e.org/{'x' * (n - 14)}")]),
    ("alt text", 2000, lambda n: [picture(alt_text="x" * n)]),
    ("image title", 2000, lambda n: [picture(title=plain("x" * n))]),
    ("label", 2000, lambda n: field(entry(), label=plain("x" * n))),
    ("hint", 2000, lambda n: field(entry(), hint=plain("x" * n))),
    ("max_length", 3000, lambda n: field(entry(max_length=n))),
    ("initial value", 3000, lambda n: field(entry(initial_value="x" * n))),
    ("markdown", 12000, lambda n: [{"type": "markdown", "text": "x" * n}]),
    ("markdown in all", 12000, lambda n: [
        {"type": "markdown", "text": "x" * 6000}, {"type": "markdown", "text": "x" * (n - 6000)},
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("most", "make"), [p[1:] for p in LIMITS], ids=[p[0] for p in LIMITS])
def test_so_much_is_taken_and_no_more(most: int, make: Make) -> None:
    assert block_faults(make(most), "message") == []
    assert block_faults(make(most + 1), "message") != []


def modal(**more: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "blocks": [section()], **more}


VIEW_LIMITS: list[tuple[str, int, Callable[[int], Json]]] = [
    ("blocks", 100, lambda n: modal(blocks=[{"type": "divider"}] * n)),
    ("title", 24, lambda n: modal(title=plain("x" * n))),
    ("submit", 24, lambda n: modal(submit=plain("x" * n))),
    ("close", 24, lambda n: modal(close=plain("x" * n))),
    ("private_metadata", 3000, lambda n: modal(private_metadata="x" * n)),
    ("callback_id", 255, lambda n: modal(callback_id="x" * n)),
    ("external_id", 255, lambda n: modal(external_id="x" * n)),
    ("blocks at home", 100, lambda n: {"type": "home", "blocks": [{"type": "divider"}] * n}),
]


@pytest.mark.parametrize(
    ("most", "make"), [p[1:] for p in VIEW_LIMITS], ids=[p[0] for p in VIEW_LIMITS]
)
def test_a_view_takes_so_much_and_no_more(most: int, make: Callable[[int], Json]) -> None:
    assert view_faults(make(most)) == []
    assert view_faults(make(most + 1)) != []


TAKEN: dict[str, list[Json]] = {
    "every kind of text": [section(), section(text=plain("x")), section(text=mrkdwn("x") | {"verbatim": True})],
    "fields alone": [{"type": "section", "fields": [plain("x")]}],
    "a picture beside": [section(accessory=picture())],
    "a picture of Slack's": [{"type": "image", "alt_text": "x", "slack_file": {"id": "F1"}}],
    "date, time": actions({"type": "datepicker", "initial_date": "2026-06-24"},
                          {"type": "timepicker", "initial_time": "09:30"},
                          {"type": "datetimepicker", "initial_date_time": 1628633820}),
    "people": actions({"type": "users_select"}, {"type": "conversations_select", "filter": {"include": ["im"]}},
                      {"type": "channels_select"}, {"type": "multi_users_select", "initial_users": ["U1"]}),
    "an initial option": actions(select(initial_option=option())),
    "an external select": field({"type": "external_select", "min_query_length": 1, "initial_option": option()}),
    "rich text": rich(
        {"type": "text", "text": "x", "style": {"bold": True}}, {"type": "emoji", "name": "tada"},
        {"type": "link", "url": "https://e.org", "text": "x"}, {"type": "channel", "channel_id": "C1"},
        {"type": "date", "timestamp": 1628633820, "format": "{date_short}", "fallback": "then"},
        {"type": "user", "user_id": "U1"}, {"type": "broadcast", "range": "here"}),
    "rich lists, quotes, code": [{"type": "rich_text", "elements": [
        {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": rich({"type": "text", "text": "x"})[0]["elements"]},
        {"type": "rich_text_quote", "elements": [{"type": "text", "text": "x"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x"}], "border": 0}]}],
    "a video": [{"type": "video", "alt_text": "x", "title": plain("x"), "thumbnail_url": "https://e.org/i", "video_url": "https://e.org/v"}],
    "a table": [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}, rich({"type": "text", "text": "x"})[0]]]}],
    "no blocks": [],
}  # fmt: skip


@pytest.mark.parametrize("blocks", TAKEN.values(), ids=TAKEN.keys())
def test_what_is_right_is_taken(blocks: list[Json]) -> None:
    assert block_faults(blocks, "message") == []


REFUSED: dict[str, tuple[list[Any], str]] = {
    "an unknown block": ([{"type": "hologram"}], "unsupported type: hologram [json-pointer:/blocks/0/type]"),
    "no type": ([{}], "unsupported type: None [json-pointer:/blocks/0/type]"),
    "no object": (["x"], "unsupported type: None [json-pointer:/blocks/0/type]"),
    "an unknown key": ([{"type": "divider", "color": "red"}], "invalid additional property: color [json-pointer:/blocks/0]"),
    "an empty section": ([{"type": "section"}], "must define either `text` or `fields` [json-pointer:/blocks/0]"),
    "an empty text": ([section(text=mrkdwn(""))], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "a bare text": ([section(text="x")], "unsupported type: None [json-pointer:/blocks/0/text/type]"),
    "a number as text": ([section(text=mrkdwn(7))], "must provide a string [json-pointer:/blocks/0/text/text]"),  # type: ignore[arg-type]
    "emoji in mrkdwn": ([section(text=mrkdwn("x") | {"emoji": True})], "invalid additional property: emoji [json-pointer:/blocks/0/text]"),
    "verbatim in plain text": ([section(text=plain("x") | {"verbatim": True})], "invalid additional property: verbatim [json-pointer:/blocks/0/text]"),
    "mrkdwn in a header": ([{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
    "mrkdwn on a button": (actions(button(text=mrkdwn("x"))), "unsupported type: mrkdwn [json-pointer:/blocks/0/elements/0/text/type]"),
    "a button in a context": ([{"type": "context", "elements": [button()]}], "unsupported type: button [json-pointer:/blocks/0/elements/0/type]"),
    "a picture among actions": (actions(picture()), "unsupported type: image [json-pointer:/blocks/0/elements/0/type]"),
    "a field among actions": (actions(entry()), "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]"),
    "a button as a field": (field(button()), "unsupported type: button [json-pointer:/blocks/0/element/type]"),
    "a text field beside": ([section(accessory=entry())], "unsupported type: plain_text_input [json-pointer:/blocks/0/accessory/type]"),
    "a number in a message": (field({"type": "number_input", "is_decimal_allowed": False}), "unsupported type: number_input [json-pointer:/blocks/0/element/type]"),
    "no elements": (actions(), "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"),
    "a picture without words": ([{"type": "image", "image_url": "https://e.org/i"}], "missing required field: alt_text [json-pointer:/blocks/0]"),
    "a picture of nothing": ([{"type": "image", "alt_text": "x"}], "must define either `image_url` or `slack_file` [json-pointer:/blocks/0]"),
    "a relative address": ([picture(image_url="/i.png")], "must be a valid URL [json-pointer:/blocks/0/image_url]"),
    "a script's address": (actions(button(url="javascript:alert(1)")), "must be a valid URL [json-pointer:/blocks/0/elements/0/url]"),
    "a strange style": (actions(button(style="red")), "must be a valid enum value: primary, danger [json-pointer:/blocks/0/elements/0/style]"),
    "a number as value": (actions(button(value=7)), "must provide a string [json-pointer:/blocks/0/elements/0/value]"),
    "an empty value": (actions(button(value="")), "must be more than 0 characters [json-pointer:/blocks/0/elements/0/value]"),
    "an equal action_id": (actions(button(), button()), "`action_id` 'a' is not unique [json-pointer:/blocks/0/elements]"),
    "an equal block_id": ([section(block_id="b"), section(block_id="b")], "`block_id` 'b' is not unique [json-pointer:/blocks]"),
    "an option from elsewhere": (actions(select(initial_option=option(5))), "initial option must exactly match one of the options [json-pointer:/blocks/0/elements/0]"),
    "neither options nor groups": (actions({"type": "static_select"}), "must define either `options` or `option_groups` [json-pointer:/blocks/0/elements/0]"),
    "an address in a select": (actions(select(options=[option(url="https://e.org")])), "invalid additional property: url [json-pointer:/blocks/0/elements/0/options/0]"),
    "half a confirm": (actions(button(confirm={"title": plain("x")})), "missing required field: deny [json-pointer:/blocks/0/elements/0/confirm]"),
    "a wild date": (actions({"type": "datepicker", "initial_date": "24.6.2026"}), "must be a date: YYYY-MM-DD [json-pointer:/blocks/0/elements/0/initial_date]"),
    "a wild time": (actions({"type": "timepicker", "initial_time": "9:30"}), "must be a time: HH:mm [json-pointer:/blocks/0/elements/0/initial_time]"),
    "optional as a word": (field(entry(), optional="yes"), "must provide a boolean [json-pointer:/blocks/0/optional]"),
    "crossed lengths": (field(entry(min_length=9, max_length=3)), "min_length must not exceed max_length [json-pointer:/blocks/0/element]"),
    "bare words in rich text": ([{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}], "unsupported type: text [json-pointer:/blocks/0/elements/0/type]"),
    "empty rich words": (rich({"type": "text", "text": ""}), "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]"),
    "an unknown rich style": (rich({"type": "text", "text": "x", "style": {"blink": True}}), "invalid additional property: blink [json-pointer:/blocks/0/elements/0/elements/0/style]"),
    "a person in code": ([{"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "user", "user_id": "U1"}]}]}], "unsupported type: user [json-pointer:/blocks/0/elements/0/elements/0/type]"),
    "two tables": ([{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2, "only one table is allowed [json-pointer:/blocks]"),
    "two in focus": (field(entry(focus_on_load=True)) + field(entry(focus_on_load=True)), "only one element may have focus_on_load [json-pointer:/blocks]"),
    "a remote file": ([{"type": "file", "external_id": "x", "source": "remote"}], "unsupported type: file [json-pointer:/blocks/0/type]"),
}  # fmt: skip


@pytest.mark.parametrize(("blocks", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_wrong_is_refused_and_pointed_at(blocks: list[Any], words: str) -> None:
    assert words in block_faults(copy.deepcopy(blocks), "message")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (modal(blocks=field(entry())), "missing required field: submit [json-pointer:/view]"),
        ({"type": "modal", "blocks": []}, "missing required field: title [json-pointer:/view]"),
        ({"type": "tab"}, "unsupported type: tab [json-pointer:/view/type]"),
        ({"type": "home", "blocks": [], "title": plain("T")},
         "invalid additional property: title [json-pointer:/view]"),
        (modal(title=mrkdwn("T")), "unsupported type: mrkdwn [json-pointer:/view/title/type]"),
        (modal(blocks=[{"type": "markdown", "text": "x"}]),
         "unsupported type: markdown [json-pointer:/view/blocks/0/type]"),
        (modal(blocks=[section(block_id="b")] * 2),
         "`block_id` 'b' is not unique [json-pointer:/view/blocks]"),
        (modal(notify_on_close="yes"), "must provide a boolean [json-pointer:/view/notify_on_close]"),
        ("x", "unsupported type: None [json-pointer:/view/type]"),
    ],
)  # fmt: skip
def test_a_wrong_view_is_refused_and_pointed_at(view: Any, words: str) -> None:
    assert words in view_faults(view)


def test_numbers_and_addresses_are_asked_for_in_modals_only() -> None:
    blocks = field({"type": "number_input", "is_decimal_allowed": False, "action_id": "n"})

    assert view_faults(modal(blocks=blocks, submit=plain("Go"))) == []
    assert block_faults(blocks, "message") != []


def test_a_hundred_options_may_be_suggested() -> None:
    assert suggestion_faults({"options": [option(n) for n in range(100)]}) == []
    assert suggestion_faults({"options": []}) == []
    assert suggestion_faults({"options": [option(n) for n in range(101)]}) != []
    assert suggestion_faults({}) != []


def test_the_length_of_all_texts_counts_every_text_once() -> None:
    blocks = [
        section(text=mrkdwn("12345"), fields=[plain("67")]),
        *actions(button(text=plain("8"))),
    ]

    assert text_length(blocks) == 8
