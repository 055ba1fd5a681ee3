"""What Slack refuses of Block Kit: how many blocks, which of them where, and whole views. Pure.

``tests.slack_elements`` has what stands inside of blocks, and the sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tests.slack_elements import (
    ALL_BLOCKS_TEXT as ALL_BLOCKS_TEXT,
    ELEMENTS,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    ONLY_IN_VIEWS,
    PICTURE,
    RICH_TEXT,
    Check,
    Fields,
    a_picture,
    among,
    block_of,
    boolean,
    distinct,
    fault,
    group,
    items,
    matching,
    of_type,
    one_list,
    option,
    plain,
    shape,
    string,
    text,
    typed,
    url,
)
from tests.slack_state import Json

Surface = Literal["message", "modal", "home", "unfurl"]

MOST_BLOCKS: Mapping[Surface, int] = {"message": 50, "modal": 100, "home": 100, "unfurl": 50}
MARKDOWN_TEXT = 12_000  # over all markdown blocks
VIEW_BYTES = 250_000
LONGEST_TABLE = 10_000


def _says_something(value: Any, at: str) -> Iterator[str]:
    if "text" not in value and "fields" not in value:
        yield fault("must define either `text` or `fields`", at)


_CONTEXT = {
    "image": ELEMENTS["image"],
    "plain_text": plain(3000),
    "mrkdwn": text(3000, "mrkdwn"),
}
_CELL = {
    "raw_text": shape({**of_type("raw_text"), "text": string(3000)}, {}),
    "rich_text": RICH_TEXT,
}
_HTTPS = matching(r"https://.{1,2990}", "must be a https URL")


def _kinds(surface: Surface) -> dict[str, Check]:
    in_input = IN_INPUT if surface in ("message", "unfurl") else IN_INPUT + ONLY_IN_VIEWS
    blocks = dict(
        (
            block_of(
                "section", {},
                {"text": text(3000), "fields": items(text(2000), 10), "expand": boolean,
                 "accessory": typed(ELEMENTS, IN_SECTION)},
                _says_something,
            ),
            block_of("divider", {}, {}),
            block_of("header", {"text": plain(150)}, {}),
            block_of("context", {"elements": items(typed(_CONTEXT), 10)}, {}),
            block_of(
                "actions", {"elements": items(typed(ELEMENTS, IN_ACTIONS), 25)}, {},
                distinct("elements", "action_id"),
            ),
            block_of(
                "image", {"alt_text": string(2000)}, {**PICTURE, "title": plain(2000)},
                a_picture,
            ),
            block_of(
                "input", {"label": plain(2000), "element": typed(ELEMENTS, in_input)},
                {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
            ),
            block_of(
                "video",
                {"alt_text": string(2000), "title": plain(199), "thumbnail_url": url,
                 "video_url": _HTTPS},
                {"author_name": string(49), "description": plain(199), "title_url": _HTTPS,
                 "provider_icon_url": url, "provider_name": string(49)},
            ),
        )
    )  # fmt: skip
    if surface != "unfurl":  # undocumented: java-slack-sdk#948, sentry#100345
        blocks["rich_text"] = RICH_TEXT
    if surface == "message":
        blocks |= dict(
            (
                block_of("markdown", {"text": string(MARKDOWN_TEXT)}, {}),
                block_of(
                    "table", {"rows": items(items(typed(_CELL), 20), 100)},
                    {"column_settings": items(
                        shape({}, {"align": among("left", "center", "right"),
                                   "is_wrapped": boolean}), 20)},
                ),
            )
        )  # fmt: skip
    return blocks


_BLOCKS: Mapping[Surface, Check] = {
    surface: items(typed(_kinds(surface)), most, 0) for surface, most in MOST_BLOCKS.items()
}


def block_faults(blocks: Any, surface: Surface, at: str = "/blocks") -> list[str]:
    """What Slack would say of the blocks; nothing where it takes them."""
    faults = list(_BLOCKS[surface](blocks, at))
    if isinstance(blocks, list):
        faults += distinct("blocks", "block_id")({"blocks": blocks}, at.removesuffix("/blocks"))
        faults += _over_all(blocks, at)
    return faults


def _over_all(blocks: list[Any], at: str) -> Iterator[str]:
    found = [block for block in blocks if isinstance(block, dict)]
    marked = sum(len(str(b.get("text", ""))) for b in found if b.get("type") == "markdown")
    if marked > MARKDOWN_TEXT:
        yield fault(f"markdown text must be less than {MARKDOWN_TEXT + 1} characters in all", at)
    tables = [block for block in found if block.get("type") == "table"]
    if len(tables) > 1:
        yield fault("only one table is allowed", at)
    if sum(map(text_length, tables)) > LONGEST_TABLE:
        yield fault(f"a table must be less than {LONGEST_TABLE + 1} characters", at)
    if json.dumps(blocks).count('"focus_on_load": true') > 1:
        yield fault("only one element may have focus_on_load", at)


def text_length(value: Any) -> int:
    """Characters of every text in it, of which a message may have so many."""
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(text_length(v) for v in value.values() if not isinstance(v, str))
    return sum(map(text_length, value)) if isinstance(value, list) else 0


# -- views

_VIEW: Fields = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
    "external_id": string(255, 0),
}
_HOME = shape({**of_type("home"), "blocks": _BLOCKS["home"]}, _VIEW)
_MODAL = shape(
    {**of_type("modal"), "title": plain(24), "blocks": _BLOCKS["modal"]},
    {
        **_VIEW,
        "close": plain(24),
        "submit": plain(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
)
_VIEWS = typed({"modal": _MODAL, "home": _HOME})


def view_faults(view: Any) -> list[str]:
    faults = list(_VIEWS(view, "/view"))
    if not isinstance(view, Mapping) or not isinstance(view.get("blocks"), list):
        return faults
    blocks = view["blocks"]
    faults += distinct("blocks", "block_id")({"blocks": blocks}, "/view")
    faults += _over_all(blocks, "/view/blocks")
    has_input = any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
    if view.get("type") == "modal" and has_input and "submit" not in view:
        faults.append(fault("missing required field: submit", "/view"))
    return faults


_SUGGESTED = shape({}, {"options": items(option(), 100, 0), "option_groups": items(group, 100, 0)})


def suggestion_faults(payload: Json) -> list[str]:
    """Of the answer to a block_suggestion."""
    faults = list(_SUGGESTED(payload, ""))
    return faults + list(one_list(payload, ""))
