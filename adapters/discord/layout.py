"""Pieces of an answer to messages of components, within Discord's limits. Pure.

Components and not embeds: buttons stand at the papers that they are about, and nobody has switched
them off; they need no right to embed links (discord-api-docs#8462).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.discord.markdown import plain, size
from bot.views import Action

Json = dict[str, Any]

# https://docs.discord.com/developers/components/reference
COMPONENTS_V2 = 1 << 15
COMPONENTS = 40  # in a message, nested ones included
TEXT = 4000  # of all texts of a message
# of a message in UTF-8: from about 10,170 on Discord answers 500, undocumented (discord-api-docs#8554)
BYTES = 10_000
BUTTONS = 5  # in a row
OPTIONS = 25  # of a menu
LABEL, OPTION, PLACEHOLDER = 80, 100, 150
ROW, BUTTON, MENU, SECTION, DISPLAY, RULE, CONTAINER = 1, 2, 3, 9, 10, 14, 17
GREY = 2  # style of a button

PAPERS, DONE, INFO, ERROR, QUIET = 0x4E8FE0, 0x3BA55D, 0x5865F2, 0xD83C3E, 0x6D6F78  # of boxes

SENTENCE = 90  # a button's is shorter: its id has 100, with our prefix and a number
PREFIX = "papers:"
NOBODY: Json = {"parse": []}

# kept free, for the key of a post and who is mentioned with it
_ROOM = 120
_ROOM_COMPONENTS = 2

_FOLDED = 10  # options of a menu of its own, for a paper that no message holds
_BESIDE = 2  # lines; those below are as wide as the message, also on a phone


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands together, if a message can hold it: lines, and buttons beside or below them.

    *folded* are in the menu of the message, *about* tells there which paper they are about. A
    *boxed* piece is a box of its own; before a *ruled* one there is a line. *paper* is the id of
    the paper that the piece shows.
    """

    lines: tuple[str, ...] = ()
    beside: Action | None = None
    buttons: tuple[Action, ...] = ()
    folded: tuple[Action, ...] = ()
    about: str = ""
    boxed: bool = False
    ruled: bool = False
    paper: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A post of a digest. *papers* are the ids of those that it shows."""

    payload: Json
    papers: tuple[str, ...]
    threaded: bool = False


def parts(pieces: Iterable[Piece], color: int, *, threaded: bool = False) -> Iterator[Part]:
    """As few messages as hold the pieces in order."""
    page: list[Piece] = []
    for piece in pieces:
        for whole in [piece] if _fits([piece], color) else _split(piece):
            if page and not _fits([*page, whole], color):
                yield _part(page, color, threaded)
                page = []
            page.append(whole)
    if page:
        yield _part(page, color, threaded)


def _part(page: Sequence[Piece], color: int, threaded: bool) -> Part:
    papers = tuple(piece.paper for piece in page if piece.paper)
    return Part(_message(page, color), papers, threaded)


def _split(piece: Piece) -> Iterator[Piece]:
    """One that no message can hold: line by line, the buttons last, what is folded after them."""
    rest = replace(piece, beside=None, buttons=(), folded=(), ruled=False, paper="")
    if piece.lines:
        yield replace(piece, lines=piece.lines[:1], buttons=(), folded=())
    for line in piece.lines[1:]:
        yield replace(rest, lines=(line,))
    for some in _chunks(piece.buttons, BUTTONS):
        yield replace(rest, lines=(), buttons=some)
    for some in _chunks(piece.folded, _FOLDED):
        yield replace(rest, lines=(), folded=some, boxed=False)


def _fits(page: Sequence[Piece], color: int) -> bool:
    if sum(len(piece.folded) for piece in page) > OPTIONS:
        return False
    components = _message(page, color)["components"]
    everything = list(walk(components))
    texts = sum(size(each["content"]) for each in everything if each["type"] == DISPLAY)
    return (
        len(everything) <= COMPONENTS - _ROOM_COMPONENTS
        and texts <= TEXT - _ROOM
        and _bytes(components) <= BYTES - _ROOM
    )


def _bytes(components: Sequence[Json]) -> int:
    """With the names of the fields, which are more than what Discord adds to each component."""
    written = json.dumps(components, ensure_ascii=False, separators=(",", ":"))
    return len(written.encode("utf-8", "surrogatepass"))


def walk(components: Iterable[Json]) -> Iterator[Json]:
    """All components of a message, nested ones included."""
    for component in components:
        yield component
        yield from walk(component.get("components", ()))
        yield from walk([component["accessory"]] if "accessory" in component else ())


def _message(page: Sequence[Piece], color: int) -> Json:
    ids = _Ids()
    boxes: list[Json] = []
    last = max((n for n, piece in enumerate(page) if piece.folded), default=None)
    was_boxed = True
    for n, piece in enumerate(page):
        if piece.boxed or was_boxed:
            boxes.append({"type": CONTAINER, "accent_color": color, "components": []})
        _add(boxes[-1]["components"], piece, ids)
        was_boxed = piece.boxed
        if n == last:
            (boxes if piece.boxed else boxes[-1]["components"]).append(_menu(page, ids))
    return {"flags": COMPONENTS_V2, "components": boxes, "allowed_mentions": NOBODY}


def _add(inside: list[Json], piece: Piece, ids: _Ids) -> None:
    if piece.ruled and inside:
        inside.append({"type": RULE})
    lines = piece.lines
    if piece.beside:
        head, lines = lines[:_BESIDE], lines[_BESIDE:]
        inside.append({
            "type": SECTION,
            "components": [_display(head)],
            "accessory": _button(piece.beside, ids),
        })  # fmt: skip
    if lines and inside and inside[-1]["type"] == DISPLAY:
        inside[-1]["content"] += "\n" + "\n".join(lines)
    elif lines:
        inside.append(_display(lines))
    for row in _chunks(piece.buttons, BUTTONS):
        buttons = [_button(action, ids) for action in row]
        inside.append({"type": ROW, "components": buttons})


def _display(lines: Sequence[str]) -> Json:
    return {"type": DISPLAY, "content": "\n".join(lines)}


def _button(action: Action, ids: _Ids) -> Json:
    return {
        "type": BUTTON,
        "style": GREY,
        "label": labelled(action, LABEL),
        "custom_id": PREFIX + ids.of(action.sentence),
    }


def labelled(action: Action, limit: int) -> str:
    return plain(action.label, limit) or plain(action.sentence, limit)


def _menu(pieces: Sequence[Piece], ids: _Ids) -> Json:
    """What is folded, of all pieces: rows of buttons under each would be a wall."""
    labels = dict.fromkeys(labelled(a, LABEL) for piece in pieces for a in piece.folded)
    options = [
        {"label": plain(f"{labelled(action, LABEL)}{piece.about}", OPTION),
         "value": ids.of(action.sentence)}
        for piece in pieces
        for action in piece.folded
    ]  # fmt: skip
    menu = {
        "type": MENU,
        "custom_id": PREFIX + ids.of(""),
        "placeholder": plain(f"Pick a paper: {', '.join(labels)}", PLACEHOLDER),
        "options": options,
    }
    return {"type": ROW, "components": [menu]}


class _Ids:
    """Sentences as ids: what occurs again in a message gets a number, as ``#1``.

    A sentence with such a sign of its own always gets one, so that the last is never its own.
    """

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def of(self, sentence: str) -> str:
        count = self._given[sentence] = self._given.get(sentence, -1) + 1
        return f"{sentence}#{count}" if count or not sentence or "#" in sentence else sentence


def clickable(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Those that fit into a button: all that the core makes do, but for papers with long ids."""
    return tuple(action for action in actions if 0 < size(action.sentence) < SENTENCE)


def _chunks(actions: Sequence[Action], length: int) -> Iterator[tuple[Action, ...]]:
    """As even as can be: six in fives are three and three."""
    count = -(-len(actions) // length)
    for n in range(count):
        yield tuple(actions[len(actions) * n // count : len(actions) * (n + 1) // count])
