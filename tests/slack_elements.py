"""What Slack takes as a block's contents: texts, options, elements, rich text. Pure.

From docs.slack.dev/reference/block-kit, slackapi/node-slack-sdk packages/types and slack_sdk.models.
The words of the faults are Slack's where we have seen them ("must be less than 3001 characters
[json-pointer:/blocks/0/text/text]"), else ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Check = Callable[[Any, str], Iterator[str]]  # of a value and its pointer: its faults
Fields = Mapping[str, Check]

# Undocumented: refused from about 13,200 characters over all blocks (bolt-js#2509).
ALL_BLOCKS_TEXT = 13_200


def fault(words: str, pointer: str) -> str:
    return f"{words} [json-pointer:{pointer}]"


# -- plain values


def string(most: int, least: int = 1) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield fault("must provide a string", at)
        elif len(value) < least:
            yield fault(f"must be more than {least - 1} characters", at)
        elif len(value) > most:
            yield fault(f"must be less than {most + 1} characters", at)

    return check


def matching(pattern: str, words: str) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            yield fault(words, at)

    return check


def whole(least: int, most: int) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield fault("must provide a number", at)
        elif not least <= value <= most:
            yield fault(f"must be between {least} and {most}", at)

    return check


def among(*allowed: str) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        if value not in allowed:
            yield fault(f"must be a valid enum value: {', '.join(allowed)}", at)

    return check


def boolean(value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield fault("must provide a boolean", at)


def url(value: Any, at: str) -> Iterator[str]:
    yield from string(3000)(value, at)
    if isinstance(value, str) and not re.match(r"(https?://[^\s/]|mailto:.|slack://)", value):
        yield fault("must be a valid URL", at)


# -- composed values


def items(check: Check, most: int, least: int = 1) -> Check:
    def checked(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield fault("must provide an array", at)
            return
        if len(value) > most:
            yield fault(f"no more than {most} items allowed", at)
        if len(value) < least:
            yield fault(f"no fewer than {least} items allowed", at)
        for n, item in enumerate(value):
            yield from check(item, f"{at}/{n}")

    return checked


def shape(required: Fields, optional: Fields, *more: Check) -> Check:
    """An object with these keys and no other; *more* rules see it when its keys are right."""

    def check(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield fault("must provide an object", at)
            return
        for name in required:
            if name not in value:
                yield fault(f"missing required field: {name}", at)
        for name, item in value.items():
            if (inner := required.get(name) or optional.get(name)) is None:
                yield fault(f"invalid additional property: {name}", at)
            else:
                yield from inner(item, f"{at}/{name}")
        for rule in more:
            yield from rule(value, at)

    return check


def typed(kinds: Mapping[str, Check], allowed: Sequence[str] | None = None) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        known = isinstance(kind, str) and kind in kinds and (allowed is None or kind in allowed)
        if not known:
            yield fault(f"unsupported type: {kind}", f"{at}/type")
        else:
            yield from kinds[str(kind)](value, at)

    return check


def of_type(name: str) -> Fields:
    return {"type": among(name)}


def text(most: int, *kinds: str) -> Check:
    """A text object; the one that fails tells of itself and of its text, as Slack does."""
    wanted = kinds or ("plain_text", "mrkdwn")
    by_kind = {
        "plain_text": shape({**of_type("plain_text"), "text": string(most)}, {"emoji": boolean}),
        "mrkdwn": shape({**of_type("mrkdwn"), "text": string(most)}, {"verbatim": boolean}),
    }
    inner = typed(by_kind, wanted)

    def check(value: Any, at: str) -> Iterator[str]:
        faults = list(inner(value, at))
        if faults:
            yield fault("failed to match all allowed schemas", at)
        yield from faults

    return check


def plain(most: int) -> Check:
    return text(most, "plain_text")


confirm = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": among("primary", "danger")},
)


def option(*, any_text: bool = False, with_url: bool = False) -> Check:
    # Value: 150 by slack_sdk and today's documentation, 75 by node-slack-sdk's types.
    optional: dict[str, Check] = {"description": text(75) if any_text else plain(75)}
    if with_url:
        optional["url"] = url
    return shape({"text": text(75) if any_text else plain(75), "value": string(150)}, optional)


group = shape({"label": plain(75), "options": items(option(), 100)}, {})


def one_list(value: Any, at: str) -> Iterator[str]:
    if ("options" in value) == ("option_groups" in value):
        yield fault("must define either `options` or `option_groups`", at)


def _chosen_among(value: Any, at: str) -> Iterator[str]:
    """What is chosen from the start must be exactly one of the options."""
    groups = value.get("option_groups") or [{"options": value.get("options")}]
    known = [o for g in groups if isinstance(g, dict) for o in g.get("options") or ()]
    chosen = [*(value.get("initial_options") or ())]
    if "initial_option" in value:
        chosen.append(value["initial_option"])
    if any(one not in known for one in chosen):
        yield fault("initial option must exactly match one of the options", at)


def distinct(name: str, key: str) -> Check:
    def check(value: Any, at: str) -> Iterator[str]:
        listed = value.get(name)
        ids = [e[key] for e in listed or () if isinstance(e, dict) and key in e]
        for one in sorted({i for i in ids if ids.count(i) > 1}, key=str):
            yield fault(f"`{key}` {one!r} is not unique", f"{at}/{name}")

    return check


# -- elements

_ACTION: Fields = {"action_id": string(255)}
_CONFIRM: Fields = {"confirm": confirm}
_FOCUS: Fields = {"focus_on_load": boolean}
_HOLDER: Fields = {"placeholder": plain(150)}
_SELECT = {**_ACTION, **_CONFIRM, **_FOCUS, **_HOLDER}
_MULTI = {**_SELECT, "max_selected_items": whole(1, 100)}
ID = string(64)
_IDS = items(ID, 100, 0)
_FILTER = shape(
    {},
    {
        "include": items(among("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)
_DISPATCH = shape(
    {}, {"trigger_actions_on": items(among("on_enter_pressed", "on_character_entered"), 2)}
)
_OPTIONS: Fields = {"options": items(option(), 100), "option_groups": items(group, 100)}


def element(kind: str, required: Fields, optional: Fields, *more: Check) -> tuple[str, Check]:
    return kind, shape({**of_type(kind), **required}, optional, *more)


def _lengths(value: Any, at: str) -> Iterator[str]:
    least, most = value.get("min_length", 0), value.get("max_length", 3000)
    if isinstance(least, int) and isinstance(most, int):
        if least > most:
            yield fault("min_length must not exceed max_length", at)
        if len(str(value.get("initial_value", ""))) > most:
            yield fault("initial_value must not exceed max_length", at)


def a_picture(value: Any, at: str) -> Iterator[str]:
    if ("image_url" in value) == ("slack_file" in value):
        yield fault("must define either `image_url` or `slack_file`", at)


_SLACK_FILE = shape({}, {"id": ID, "url": url})
PICTURE: Fields = {"image_url": url, "slack_file": _SLACK_FILE}
_DATE = matching(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "must be a date: YYYY-MM-DD")
_TIME = matching(r"([01]\d|2[0-3]):[0-5]\d", "must be a time: HH:mm")
_INPUT = {**_ACTION, **_FOCUS, **_HOLDER, "dispatch_action_config": _DISPATCH}


def _rich_text(value: Any, at: str) -> Iterator[str]:
    yield from RICH_TEXT(value, at)


ELEMENTS = dict(
    (
        element(
            "button", {"text": plain(75)},
            {**_ACTION, **_CONFIRM, "url": url, "value": string(2000),
             "style": among("primary", "danger"), "accessibility_label": string(75)},
        ),
        element(
            "overflow", {"options": items(option(with_url=True), 5)}, {**_ACTION, **_CONFIRM},
            _chosen_among,
        ),
        element(
            "static_select", {}, {**_SELECT, **_OPTIONS, "initial_option": option()},
            one_list, _chosen_among,
        ),
        element(
            "multi_static_select", {},
            {**_MULTI, **_OPTIONS, "initial_options": items(option(), 100)},
            one_list, _chosen_among,
        ),
        element(
            "external_select", {},
            {**_SELECT, "initial_option": option(), "min_query_length": whole(0, 75)},
        ),
        element(
            "multi_external_select", {},
            {**_MULTI, "initial_options": items(option(), 100), "min_query_length": whole(0, 75)},
        ),
        element("users_select", {}, {**_SELECT, "initial_user": ID}),
        element("multi_users_select", {}, {**_MULTI, "initial_users": _IDS}),
        element(
            "channels_select", {},
            {**_SELECT, "initial_channel": ID, "response_url_enabled": boolean},
        ),
        element("multi_channels_select", {}, {**_MULTI, "initial_channels": _IDS}),
        element(
            "conversations_select", {},
            {**_SELECT, "initial_conversation": ID, "response_url_enabled": boolean,
             "default_to_current_conversation": boolean, "filter": _FILTER},
        ),
        element(
            "multi_conversations_select", {},
            {**_MULTI, "initial_conversations": _IDS, "filter": _FILTER,
             "default_to_current_conversation": boolean},
        ),
        element("datepicker", {}, {**_SELECT, "initial_date": _DATE}),
        element("timepicker", {}, {**_SELECT, "initial_time": _TIME, "timezone": string(64)}),
        element(
            "datetimepicker", {},
            {**_ACTION, **_CONFIRM, **_FOCUS, "initial_date_time": whole(10**9, 10**10 - 1)},
        ),
        element(
            "checkboxes", {"options": items(option(any_text=True), 10)},
            {**_ACTION, **_CONFIRM, **_FOCUS,
             "initial_options": items(option(any_text=True), 10)},
            _chosen_among,
        ),
        element(
            "radio_buttons", {"options": items(option(any_text=True), 10)},
            {**_ACTION, **_CONFIRM, **_FOCUS, "initial_option": option(any_text=True)},
            _chosen_among,
        ),
        element(
            "plain_text_input", {},
            {**_INPUT, "initial_value": string(3000, 0), "multiline": boolean,
             "min_length": whole(0, 3000), "max_length": whole(1, 3000)},
            _lengths,
        ),
        element(
            "number_input", {"is_decimal_allowed": boolean},
            {**_INPUT, "initial_value": string(64), "min_value": string(64),
             "max_value": string(64)},
        ),
        element("email_text_input", {}, {**_INPUT, "initial_value": string(3000, 0)}),
        element("url_text_input", {}, {**_INPUT, "initial_value": string(3000, 0)}),
        element("rich_text_input", {}, {**_INPUT, "initial_value": _rich_text}),
        element(
            "file_input", {},
            {**_ACTION, "filetypes": items(string(32), 100), "max_files": whole(1, 10)},
        ),
        element("image", {"alt_text": string(2000)}, PICTURE, a_picture),
    )
)  # fmt: skip

_SELECTS = (
    "static_select", "external_select", "users_select", "channels_select", "conversations_select",
)  # fmt: skip
_CHOICES = (
    *_SELECTS, *(f"multi_{name}" for name in _SELECTS), "datepicker", "timepicker", "checkboxes",
    "radio_buttons",
)  # fmt: skip
IN_SECTION = ("button", "overflow", "image", *_CHOICES)
IN_ACTIONS = ("button", "overflow", "datetimepicker", *_CHOICES)
IN_INPUT = ("plain_text_input", "datetimepicker", "rich_text_input", *_CHOICES)
ONLY_IN_VIEWS = ("number_input", "email_text_input", "url_text_input", "file_input")

# -- rich text

_STYLE = shape(
    {}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), boolean)
)  # fmt: skip
_STYLED: Fields = {"style": _STYLE}
# The length of one text is not documented; that of all texts of a message is bounded anyway.
_INLINE = dict(
    (
        element("text", {"text": string(ALL_BLOCKS_TEXT)}, _STYLED),
        element(
            "link", {"url": url}, {**_STYLED, "text": string(ALL_BLOCKS_TEXT), "unsafe": boolean}
        ),
        element(
            "emoji", {"name": string(100)},
            {**_STYLED, "unicode": string(100), "skin_tone": whole(1, 6)},
        ),
        element("user", {"user_id": ID}, _STYLED),
        element("usergroup", {"usergroup_id": ID}, _STYLED),
        element("channel", {"channel_id": ID}, _STYLED),
        element("broadcast", {"range": among("here", "channel", "everyone")}, {}),
        element("color", {"value": string(32)}, {}),
        element(
            "date",
            {"timestamp": whole(0, 10**11), "format": matching(r".*\{\w+\}.*", "needs a token")},
            {**_STYLED, "url": url, "fallback": string(300)},
        ),
    )
)  # fmt: skip
_INLINES = items(typed(_INLINE), 10_000)
_BORDER: Fields = {"border": whole(0, 1)}
_SECTION = element("rich_text_section", {"elements": _INLINES}, {})
_RICH = dict(
    (
        _SECTION,
        element(
            "rich_text_list",
            {"style": among("bullet", "ordered"), "elements": items(typed(dict((_SECTION,))), 1000)},
            {**_BORDER, "indent": whole(0, 8), "offset": whole(0, 10**6)},
        ),
        element(
            "rich_text_preformatted",
            {"elements": items(typed(_INLINE, ("text", "link")), 10_000)},
            {**_BORDER, "language": string(64)},
        ),
        element("rich_text_quote", {"elements": _INLINES}, _BORDER),
    )
)  # fmt: skip

_BLOCK: Fields = {"block_id": string(255)}


def block_of(kind: str, required: Fields, optional: Fields, *more: Check) -> tuple[str, Check]:
    return element(kind, required, {**_BLOCK, **optional}, *more)


RICH_TEXT = block_of("rich_text", {"elements": items(typed(_RICH), 1000)}, {})[1]
