"""Forms as Discord's modals. Pure."""

from __future__ import annotations

from adapters.discord.layout import DISPLAY, INFO, Json, Piece, parts
from adapters.discord.markdown import lines, plain, size
from bot.text import visible
from bot.views import Field, Form

# https://docs.discord.com/developers/interactions/receiving-and-responding
TITLE = 45
LABEL, HINT = 45, 100
COMPONENTS = 5
OPTIONS, OPTION = 25, 100
VALUE = 4000
MENU, INPUT, LABELLED = 3, 4, 18
SHORT, LONG = 1, 2  # styles of an input

_NOTES = 2000  # characters of the notes in a modal
_ONE_LINE = 100  # characters of a value
_EXAMPLES = {"time": "09:00", "zone": "Europe/Berlin"}


def modal(form: Form, custom_id: str) -> Json:
    """As the data of an interaction's answer; the names of its fields are their custom ids."""
    components = [_labelled(field) for field in form.fields]
    if _has_room(form):
        components.append({"type": DISPLAY, "content": "\n".join(_notes(form))})
    title = plain(form.title, TITLE) or plain(form.command, TITLE)
    return {"title": title, "custom_id": custom_id, "components": components}


def beside(form: Form) -> list[Json]:
    """Messages with the notes of a form, where its modal has no room for them."""
    notes = [] if _has_room(form) else _notes(form)
    return [part.payload for part in parts((Piece((note,)) for note in notes), INFO)]


def _notes(form: Form) -> list[str]:
    return [line for note in form.notes for line in lines(note)]


def _has_room(form: Form) -> bool:
    notes = _notes(form)
    return len(form.fields) < COMPONENTS and 0 < sum(map(size, notes)) <= _NOTES


def _labelled(field: Field) -> Json:
    labelled = {
        "type": LABELLED,
        "label": plain(field.label, LABEL) or plain(field.name, LABEL),
        "component": _menu(field) if _is_menu(field) else _input(field),
    }
    hint = plain(field.hint, HINT)
    return labelled | ({"description": hint} if hint else {})


def _is_menu(field: Field) -> bool:
    values = _values(field)
    return (
        field.kind in ("choice", "choices")
        and 0 < len(values) <= OPTIONS
        and all(size(value) <= OPTION for value in values)
    )


def _values(field: Field) -> list[str]:
    """What can be chosen; what is set is among it, also where nobody offers it."""
    return list(dict.fromkeys(filter(None, (*field.choices, *_chosen(field)))))


def _chosen(field: Field) -> list[str]:
    return field.value.split(",") if field.kind == "choices" else [field.value]


def _menu(field: Field) -> Json:
    chosen = _chosen(field)
    options: list[Json] = [
        {"label": plain(value, OPTION) or value, "value": value}
        | ({"default": True} if value in chosen else {})
        for value in _values(field)
    ]
    return {
        "type": MENU,
        "custom_id": field.name,
        "options": options,
        "required": not field.optional,
        "min_values": 0 if field.optional else 1,
        "max_values": len(options) if field.kind == "choices" else 1,
    }


def _input(field: Field) -> Json:
    value = _cut("\n".join(map(visible, field.value.split("\n"))))
    component: Json = {
        "type": INPUT,
        "custom_id": field.name,
        "style": LONG if "\n" in value or len(value) > _ONE_LINE else SHORT,
        "required": not field.optional,
        "max_length": VALUE,
    }
    if value:
        component["value"] = value
    elif example := _EXAMPLES.get(field.kind):
        component["placeholder"] = example
    return component


def _cut(value: str) -> str:
    while size(value) > VALUE:
        value = value[: len(value) - (size(value) - VALUE + 1) // 2]
    return value
