"""What the terminal shows of a view, read back from its escape sequences."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from adapters.terminal.render import Screen
from bot.views import Digest, Form, View
from tests.reading import Posted, Reading, letters

_SEQUENCE = re.compile(r"\x1b\[([\d;]*)m|\x1b\]8;[^;]*;([^\x1b]*)\x1b\\")
_OBEYED = re.compile("[^\\n\\x20-\\x7e\\xa0-\\U0010ffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
WIDTH = 100


class TerminalReader:
    """With colour, where links are live. What is to be typed is text: there are no buttons."""

    platform = "terminal"

    def read(self, view: View) -> Reading:
        file = io.StringIO()
        Screen(file, width=WIDTH, interactive=True, color=True).show(view)
        output = file.getvalue()
        text = _SEQUENCE.sub("", output)
        links = tuple(found[2] for found in _SEQUENCE.finditer(output) if found[2])
        posted: tuple[Posted, ...] = ()
        if isinstance(view, Digest):
            posted = (Posted(tuple(card.paper.id for card in view.cards), links),)
        return Reading(
            broken=tuple(f"{found[0]!r} is obeyed" for found in _OBEYED.finditer(text)),
            text=text,
            strong="".join(_strong(output)),
            links=links,
            posted=posted,
            fields=_fields(view, letters(text)) if isinstance(view, Form) else {},
        )


def _strong(output: str) -> Iterator[str]:
    is_strong, end = False, 0
    for found in _SEQUENCE.finditer(output):
        if is_strong:
            yield output[end : found.start()]
        if found[1] is not None:
            is_strong = "1" in found[1].split(";")
        end = found.end()


def _fields(form: Form, shown: str) -> dict[str, str]:
    """Those that are shown with what they propose."""
    return {
        f.name: f.value for f in form.fields if letters(f.label + (f.value or "not set")) in shown
    }
