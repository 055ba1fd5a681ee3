"""The pieces of Block Kit: text that nothing in it makes live, blocks within Slack's limits.

Where people and papers speak, text is ``rich_text`` or ``plain_text``, which Slack takes as it is.
``mrkdwn`` is for what the two cannot show: there, markup is made here, and what came in has none.
Text is clipped first and escaped last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bot.text import clip, one_line, visible
from bot.views import Action, Span, Text

Block = dict[str, Any]

# https://docs.slack.dev/reference/block-kit
BLOCKS = 50
BLOCKS_OF_VIEW = 100
TEXT = 3000  # of one text object
RICH = 5000  # of one block of rich text, with the names of its pieces; nothing is documented
FIELD = 2000
HEADER = 150
LABEL = 75  # of a button or an option
VALUE = 75  # of an option: older pages say 75, newer ones 150
OPTIONS = 5  # of an overflow menu
BUTTONS = 10  # in a block; Slack takes 25, but menus are long, and a block has to fit a message
ELEMENTS = 10  # of a context
# Slack refuses from about 13,200 in all, undocumented (bolt-js#2509), rich_text from less of what
# is shown (bolt-js#2867): so addresses, values and the names of the pieces count here as well.
MESSAGE = 12_000

_BUTTONS_SHOWN = 2  # of a paper; the others are in a menu
_RAW = FIELD // 5  # characters of one piece of mrkdwn; each may become five
_URL = 3000  # of a link
_FALLBACK = 300  # of a date, where a client cannot show it

_EMOJI = re.compile(r":(?=[\w+'-]+:)")
_EDGE_OF_ITALICS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_QUOTE = re.compile(r"^[^\S\n]*&gt;", re.MULTILINE)
_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{1,20}", re.ASCII)
_MEET = re.compile(r"[*`][^\s.,;:!?)\]\"'”…]|[^\s(\[\"'“][*`]")
_BOUNDARY = "\u200b"  # unseen; lets *bold* stand beside a letter
_WHEN = "{date_short_pretty} at {time}"


def line(text: str, limit: int | None = None) -> str:
    words = one_line(text)
    return words if limit is None else clip(words, limit)


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# rich_text: taken as it is


def section(*texts: Text) -> list[Block]:
    """The texts, each on a line of its own; several sections where they are long."""
    pieces: list[list[Block]] = [[]]
    room = RICH
    for found in filter(_shows, map(list, map(elements, texts))):
        if pieces[-1] and size(found) <= room:
            pieces[-1].append({"type": "text", "text": "\n"})
        elif pieces[-1]:
            room = 0
        for element in found:
            if size(element) > room:
                pieces.append([])
                room = RICH
            pieces[-1].append(element)
            room -= size(element)
    return [{"type": "rich_text_section", "elements": piece} for piece in pieces if _shows(piece)]


def bullets(texts: Iterable[Text], style: str = "bullet") -> list[Block]:
    """A list, or several where it is long; an ordered one goes on counting."""
    lists: list[Block] = []
    room = 0
    for done, item in enumerate(each for text in texts for each in section(text)):
        if size(item) > room:
            offset = {"offset": done} if style == "ordered" and done else {}
            lists.append({"type": "rich_text_list", "style": style, "elements": [], **offset})
            room = RICH
        lists[-1]["elements"].append(item)
        room -= size(item)
    return lists


def preformatted(text: str) -> Block:
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}


def rich(parts: Iterable[Block]) -> list[Block]:
    """As few blocks as hold the sections, lists and preformatted texts."""
    blocks: list[Block] = []
    room = 0
    for part in parts:
        if size(part) > room:
            blocks.append({"type": "rich_text", "elements": []})
            room = RICH
        blocks[-1]["elements"].append(part)
        room -= size(part)
    return blocks


def elements(text: Text) -> Iterator[Block]:
    """The spans of a text; what is long comes in several pieces."""
    for span in text:
        style: dict[str, bool] = {}
        if span.strong:
            style["bold"] = True
        if span.code:
            style["code"] = True
        element: Block
        if span.when is not None:
            fallback = line(span.text, _FALLBACK) or f"{span.when:%Y-%m-%d %H:%M}"
            stamp = int(span.when.timestamp())
            element = {"type": "date", "timestamp": stamp, "format": _WHEN, "fallback": fallback}
        elif channel := _channel(span):
            element = {"type": "channel", "channel_id": channel}
        elif span.link is not None and len(span.link.url) <= _URL:
            shown = line(span.text, TEXT // 2) or span.link.url
            element = {"type": "link", "url": span.link.url, "text": shown}
        else:
            for piece in _pieces(_spaced(span), TEXT // 2):
                yield {"type": "text", "text": piece} | ({"style": style} if style else {})
            continue
        yield element | ({"style": style} if style else {})


def _spaced(span: Span) -> str:
    """What is to be typed keeps its line breaks; elsewhere they are blanks."""
    if span.code:
        return "\n".join(map(visible, span.text.split("\n")))
    return re.sub(r" +", " ", visible(span.text))


def _pieces(text: str, length: int) -> Iterator[str]:
    for start in range(0, len(text), length):
        yield text[start : start + length]


def _channel(span: Span) -> str:
    ref = span.channel
    is_ours = ref is not None and ref.platform == "slack" and _CHANNEL_ID.fullmatch(ref.channel)
    return ref.channel if ref is not None and is_ours else ""


def _shows(found: Sequence[Block]) -> bool:
    return any(e["type"] != "text" or e["text"].strip() for e in found)


# plain_text and mrkdwn


def plain_text(text: str) -> Block:
    """For text that is not blank; nothing in it means anything, not even :smile:."""
    return {"type": "plain_text", "text": text, "emoji": False}


def marked(text: str) -> Block:
    """Of what ``mrkdwn`` gives; a line that begins with ``>`` would be a quotation."""
    return {"type": "mrkdwn", "text": _QUOTE.sub("›", text), "verbatim": True}  # noqa: RUF001


def mrkdwn(text: Text) -> list[str]:
    """As few pieces as hold it; none where nothing is to be seen."""
    pieces = [""]
    for shown in map(_markup, _short(_tamed(text))):
        if len(pieces[-1]) + len(shown) + 1 > TEXT:
            pieces.append("")
        pieces[-1] += (_BOUNDARY if _MEET.fullmatch(pieces[-1][-1:] + shown[:1]) else "") + shown
    return [piece.strip() for piece in pieces if piece.replace(_BOUNDARY, "").strip()]


def tame(text: str) -> str:
    """Every sign that Slack would take for markup is one that looks like it; nothing moves."""
    text = _EMOJI.sub("∶", _EDGE_OF_ITALICS.sub("＿", text))  # noqa: RUF001  # on purpose
    return text.translate(_LOOKALIKES)


_LOOKALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "‘", "|": "∣"})  # noqa: RUF001


def _tamed(text: Text) -> Iterator[Span]:
    """As one, for what is markup may begin in one span and end in the next."""
    shown = [re.sub(r" +", " ", visible(span.text)) for span in text]
    whole, at = tame("".join(shown)), 0
    for span, words in zip(text, shown, strict=True):
        tamed = words.replace("`", "‘") if span.code else whole[at : at + len(words)]
        yield replace(span, text=tamed)
        at += len(words)


def _short(spans: Iterable[Span]) -> Iterator[Span]:
    for span in spans:
        if span.when or span.link or _channel(span):
            yield replace(span, text=clip(span.text, _RAW))
        elif len(span.text) > _RAW:  # in pieces its markup would come apart
            yield from (Span(piece) for piece in _pieces(tame(span.text), _RAW))
        elif span.text:
            yield span


def _markup(span: Span) -> str:
    words = escape(span.text.strip())
    if span.when is not None:
        fallback = words or f"{span.when:%Y-%m-%d %H:%M}"
        return f"<!date^{int(span.when.timestamp())}^{_WHEN}|{fallback}>"
    if channel := _channel(span):
        return f"<#{channel}>"
    if span.link is not None and len(span.link.url) < _RAW * 5:
        return f"<{escape(span.link.url)}|{words or escape(span.link.url)}>"
    mark = "`" if span.code else "*" if span.strong else ""
    if not words or not mark:
        return escape(span.text)
    before, after = span.text.split(span.text.strip(), 1)  # blanks, which no markup begins with
    return f"{before}{mark}{words}{mark}{after}"


# blocks


def header(text: str) -> Block:
    return {"type": "header", "text": plain_text(line(text, HEADER))}


def divider() -> Block:
    return {"type": "divider"}


def small(lines: Iterable[Text]) -> list[Block]:
    """Lines under one another as a text object; what is long has one of its own."""
    found: list[str] = []
    for words in (piece for each in lines for piece in mrkdwn(each)):
        if found and len(found[-1]) + 1 + len(words) <= TEXT:
            found[-1] += f"\n{words}"
        else:
            found.append(words)
    return list(map(marked, found))


def context(objects: Iterable[Block]) -> list[Block]:
    """Small print: text objects beside one another."""
    made: list[Block] = []
    room = 0
    for each in objects:
        if size(each) > room or len(made[-1]["elements"]) == ELEMENTS:
            made.append({"type": "context", "elements": []})
            room = TEXT
        made[-1]["elements"].append(each)
        room -= size(each)
    return made


def field(label: str, value: str) -> Block:
    """A fact under its name, for the two columns of a section."""
    return marked(f"*{label}*\n{escape(tame(line(value, _RAW - len(label))))}")


def actions(wanted: Sequence[Action]) -> list[Block]:
    """Buttons, as many as there are."""
    return _in_blocks([button(action) for action in wanted])


def folded(wanted: Sequence[Action]) -> list[Block]:
    """The first two as buttons, the others in a menu, where its options can hold their sentences."""
    rest = [a for a in wanted[_BUTTONS_SHOWN:] if len(a.sentence) <= VALUE]
    if len(rest) < 2:
        return actions(wanted)
    shown = [button(a) for a in wanted if a not in rest]
    menus = [
        {"type": "overflow", "options": [_option(a) for a in rest[i : i + OPTIONS]]}
        for i in range(0, len(rest), OPTIONS)
    ]
    return _in_blocks([*shown, *menus])


def _in_blocks(buttons: Sequence[Block]) -> list[Block]:
    return [
        {"type": "actions", "elements": [*buttons[i : i + BUTTONS]]}
        for i in range(0, len(buttons), BUTTONS)
    ]


def button(action: Action) -> Block:
    made = {"type": "button", "text": plain_text(_label(action)), "value": action.sentence}
    if action.sentence.endswith("sure:yes"):  # it asks no more
        made["style"] = "danger"
    return made


def _option(action: Action) -> Block:
    return {"text": plain_text(_label(action)), "value": action.sentence}


def _label(action: Action) -> str:
    return line(action.label, LABEL) or line(action.sentence, LABEL)


def size(found: object) -> int:
    """The characters that count for a message, of anything within it."""
    match found:
        case str():
            return len(found)
        case dict():
            return sum(map(size, found.values()))
        case list():
            return sum(map(size, found))
        case _:
            return 0


def numbered(blocks: Sequence[Block]) -> list[Block]:
    """With an action id for each button and menu, unique among them all."""
    asked = (each for block in blocks for each in _interactive(block))
    for number, element in enumerate(asked):
        element["action_id"] = f"say:{number}"
    return list(blocks)


def _interactive(block: Block) -> list[Block]:
    match block["type"]:
        case "actions":
            found: list[Block] = block["elements"]
            return found
        case "section" if "accessory" in block:
            return [block["accessory"]]
        case _:
            return []
