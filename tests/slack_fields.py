"""The elements that a person fills in or picks from: where they are, and what is sent of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.slack_state import Json


class Impossible(AssertionError):
    """What Slack's client would not let a person do."""


# By type of the element: the key of its value in `state`, and of its initial value.
_KEYS: Mapping[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "file_input": ("files", ""),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
}
_WITHOUT_STATE = ("button", "overflow", "image")


def interactive(blocks: Sequence[Json]) -> Iterator[tuple[Json, Json]]:
    """Each element that does something, with its block."""
    for block in blocks:
        match block["type"]:
            case "actions":
                yield from ((block, element) for element in block["elements"])
            case "section" if block.get("accessory", {}).get("type", "image") != "image":
                yield block, block["accessory"]
            case "input":
                yield block, block["element"]
            case _:
                pass


def named(blocks: Sequence[Json], name: str) -> tuple[Json, Json]:
    """The element with this action_id, text or value; a block_id names its only element."""
    found = [
        (block, element)
        for block, element in interactive(blocks)
        if name
        in (
            element["action_id"],
            element.get("value"),
            element.get("text", {}).get("text") if element["type"] == "button" else None,
        )
    ] or [pair for pair in interactive(blocks) if pair[0]["block_id"] == name]
    if not found:
        there = [e.get("text", {}).get("text", e["action_id"]) for _, e in interactive(blocks)]
        raise Impossible(f"nothing here is called {name!r}, only {there}")
    return found[0]


def is_multiple(element: Json) -> bool:
    kind = str(element["type"])
    return kind == "checkboxes" or kind.startswith("multi_")


def options(element: Json) -> list[Json]:
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    return [option for group in groups for option in group["options"]]


def option_called(known: Sequence[Json], name: str | Json) -> Json:
    """By value or text."""
    for option in known:
        if name in (option, option.get("value"), option["text"]["text"]):
            return option
    raise Impossible(f"no option {name!r}, only {[o.get('value') for o in known]}")


def picked(element: Json, value: Any, suggested: Sequence[Json] = ()) -> Json:
    """What is sent of the element once *value* is in it; *suggested* are options from outside."""
    kind = element["type"]
    key, _ = _KEYS[kind]
    known = [*options(element), *suggested]
    if key == "selected_option":
        value = value if value is None else option_called(known, value)
    elif key == "selected_options":
        value = [option_called(known, one) for one in value]
    elif isinstance(value, str) and key == "value":
        least, most = element.get("min_length", 0), element.get("max_length", 3000)
        if value and not least <= len(value) <= most:
            raise Impossible(f"{len(value)} characters where {least} to {most} are taken")
    return {"type": kind, key: value}


def initial(element: Json) -> Json:
    key, first = _KEYS[element["type"]]
    return {
        "type": element["type"],
        key: element.get(first, [] if is_multiple(element) else None),
    }


def is_empty(value: Json) -> bool:
    return not any(v for k, v in value.items() if k != "type")


def state(blocks: Sequence[Json], filled: Mapping[str, Mapping[str, Json]]) -> Json:
    """``state.values``: what is filled in, else what the elements began with."""
    values: Json = {}
    for block, element in interactive(blocks):
        if element["type"] not in _WITHOUT_STATE:
            actions = values.setdefault(block["block_id"], {})
            given = filled.get(block["block_id"], {}).get(element["action_id"])
            actions[element["action_id"]] = given or initial(element)
    return values


def action(block: Json, element: Json, value: Json | None, ts: str) -> Json:
    """The entry of ``actions`` in a block_actions payload."""
    told: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": ts,
    }
    if element["type"] == "button":
        told |= {name: element[name] for name in ("text", "value", "style") if name in element}
    if "placeholder" in element:
        told["placeholder"] = element["placeholder"]
    return told | (value or {})
