"""Forms as modals, and what comes back from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import dropwhile
from typing import Any

from adapters.slack import blocks
from adapters.slack.blocks import Block, line
from bot.views import Field, Form, Text

ACTION = "value"
ZONE_ACTION = "zone"  # a listener completes it
TITLE = 24  # characters; of the buttons too
_LONG = 2000  # of a label or a hint
_VALUE = 3000
_CHECKBOXES = 10
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_INITIAL = {
    "value": "initial_value",
    "selected_time": "initial_time",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
}
_SUBMIT = {"subscribe": "Subscribe", "search": "Search"}


def modal(form: Form, *, private_metadata: str, notes: Sequence[Text] = ()) -> dict[str, Any]:
    """*notes* come first. Each question is a block named like its field."""
    return {
        "type": "modal",
        "callback_id": f"form:{form.command}",
        "title": blocks.plain_text(line(form.title, TITLE) or "Paperboy"),
        "submit": blocks.plain_text(_SUBMIT.get(form.command, "Save")),
        "close": blocks.plain_text("Cancel"),
        "private_metadata": private_metadata,
        "blocks": [
            *blocks.rich(blocks.section(*notes)),
            *map(_question, form.fields),
            *blocks.context(blocks.small(form.notes)),
        ],
    }


def filled_modal(view: Mapping[str, Any], notes: Sequence[Text]) -> dict[str, Any]:
    """A submitted form once more, with what was filled in; *notes* come first, in place of others."""
    state = view["state"]["values"]
    asked = dropwhile(lambda block: block["type"] != "input", view["blocks"])
    kept = ("type", "callback_id", "title", "submit", "close", "private_metadata")
    return {
        **{name: view[name] for name in kept},
        "blocks": [
            *blocks.rich(blocks.section(*notes)),
            *(_answered(block, state) for block in asked),
        ],
    }


def _answered(block: Block, state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Block:
    if block["type"] != "input":
        return block
    element = {k: v for k, v in block["element"].items() if not k.startswith("initial_")}
    given = state[block["block_id"]][element["action_id"]]
    for name, initial in _INITIAL.items():
        if given.get(name):
            element[initial] = given[name]
    return {**block, "element": element}


def _question(field: Field) -> Block:
    made: Block = {
        "type": "input",
        "block_id": field.name,
        "label": blocks.plain_text(line(field.label, _LONG) or field.name),
        "element": _element(field),
        "optional": field.optional,
    }
    hint = line(field.hint, _LONG)
    if hint and made["element"]["type"] != "timepicker":  # it says how to type a time
        made["hint"] = blocks.plain_text(hint)
    return made


def _element(field: Field) -> Block:
    value = field.value
    match field.kind:
        case "choice":
            options = _options(field, [value] if value else [])
            made: Block = {"type": "static_select", "action_id": ACTION, "options": options}
            return made | _initial("initial_option", options, [value])
        case "choices":
            chosen = [each.strip() for each in value.split(",") if each.strip()]
            options = _options(field, chosen)
            kind = "checkboxes" if len(options) <= _CHECKBOXES else "multi_static_select"
            made = {"type": kind, "action_id": ACTION, "options": options}
            return made | _initial("initial_options", options, chosen)
        case "time" if not value or _TIME.fullmatch(value):
            made = {"type": "timepicker", "action_id": ACTION}
            return made | ({"initial_time": value} if value else {})
        case "zone":
            made = {"type": "external_select", "action_id": ZONE_ACTION, "min_query_length": 1}
            return made | ({"initial_option": option(value)} if value else {})
        case _:
            made = {"type": "plain_text_input", "action_id": ACTION, "max_length": _VALUE}
            shown = line(value, _VALUE)
            return made | ({"initial_value": shown} if shown else {})


def option(value: str) -> Block:
    return {"text": blocks.plain_text(value), "value": value}


def _options(field: Field, chosen: Sequence[str]) -> list[Block]:
    """What can be chosen, and what is: a number in place of one of the words, say."""
    return [option(value) for value in dict.fromkeys((*field.choices, *chosen))]


def _initial(name: str, options: Sequence[Block], chosen: Sequence[str]) -> Block:
    found = [each for each in options if each["value"] in chosen]
    if not found:
        return {}
    return {name: found if name.endswith("s") else found[0]}


def read_modal(view: Mapping[str, Any]) -> dict[str, str]:
    """What was filled in, by the names of the fields; "" where nothing was."""
    return {
        name: _value(state)
        for name, elements in view["state"]["values"].items()
        for state in elements.values()
    }


def _value(state: Mapping[str, Any]) -> str:
    match state["type"]:
        case "plain_text_input":
            found = state.get("value")
        case "timepicker":
            found = state.get("selected_time")
        case "checkboxes" | "multi_static_select":
            return ",".join(each["value"] for each in state.get("selected_options") or ())
        case _:
            found = (state.get("selected_option") or {}).get("value")
    return found or ""
