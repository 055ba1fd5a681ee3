"""Text to Discord's markdown, in which nothing lives but what we mean: clipped first, escaped last.

Within the words of a link Discord shows backslashes instead of obeying them
(discord-api-docs#6185), and an emoji, a mention or an address there undoes the link (#7510, #7721):
so these words are written with look-alikes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from adapters.discord.sentences import native
from bot.identity import Link
from bot.text import clip, one_line
from bot.views import Span, Text

LINE = 3000  # of one line of markdown; what is longer becomes several
_RAW = 400  # characters of one piece of a long text
_WORDS = 300  # characters of a link
_TYPED = 60  # cells of what was typed that are shown around a mistake

_INVITE = r"(?i:(?<=\.gg)|(?<=\.com)|(?<=\.new))/"  # one is live without https:// before it
_MARKUP = re.compile(rf"[\\*_~|`<>\[\]@]|:(?!\s)|{_INVITE}")  # with :names: and addresses
_BEGINNING = re.compile(r"^(\d*)(?=[-#+.)])")  # of a list or a heading

_EMOJI = re.compile(
    "\u200d?[\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2775"
    "\u2794-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f0ff\U0001f170-\U0001f1ff\U0001f200-\U0001faff\ufe0f\u20e3]"
)
_LOOK_ALIKES = str.maketrans({
    "*": "\N{ASTERISK OPERATOR}", "_": "\N{FULLWIDTH LOW LINE}", "~": "\N{TILDE OPERATOR}",
    "|": "\N{DIVIDES}", "`": "\N{LEFT SINGLE QUOTATION MARK}", "\\": "\N{SET MINUS}",
    "[": "(", "]": ")",
})  # fmt: skip
_LINK_MARKUP = re.compile(rf"<(?=[^\s\d=])|@(?=everyone|here)|:(?=[^\s:]+:|//)|{_INVITE}")
_LINK_LOOK_ALIKES = {
    "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "@": "\N{FULLWIDTH COMMERCIAL AT}",
    ":": "\N{RATIO}", "/": "\N{DIVISION SLASH}",
}  # fmt: skip


def size(text: str) -> int:
    """As the strictest client may count: in UTF-16 units."""
    return len(text) + sum(c > "\uffff" for c in text)


def plain(text: str, limit: int | None = None) -> str:
    """One line of what can be seen, for where there is no markup: labels, names of threads."""
    words = one_line(text)
    if limit is None:
        return words
    words = clip(words, limit)
    while size(words) > limit:
        words = clip(words, len(words) - 1)
    return words


def escape(text: str) -> str:
    """Shown as it is within a line."""
    return _MARKUP.sub(r"\\\g<0>", text)


def guarded(line: str) -> str:
    """The line as it is, where its beginning would make it a heading or a list."""
    return _BEGINNING.sub(r"\1\\", line.lstrip(), count=1)


def code(text: str) -> str:
    words = plain(text).replace("`", "'").replace("](", "] (")
    return f"`{words}`" if words else ""


def link(words: Text, to: Link, *, strong: str = "**") -> str:
    """The words, live; nothing where they cannot be seen. *strong* stands around strong ones."""
    shown = ""
    for span in _runs(_pieces(words, _WORDS)):
        written = _kept(span.text, link_words)
        shown += _around(strong, written) if span.strong else written
    return f"[{shown.strip()}]({address(to)})" if _is_seen(shown) else ""


def link_words(text: str) -> str:
    """Shown as it is, or nearly, within a link."""
    text = _EMOJI.sub("", text).translate(_LOOK_ALIKES)
    return _LINK_MARKUP.sub(lambda found: _LINK_LOOK_ALIKES[found[0]], text)


def address(to: Link) -> str:
    """As it may stand between parentheses."""
    return to.url.replace("(", "%28").replace(")", "%29")


def lines(spans: Text, limit: int | None = 1000, *, strong: bool = False) -> list[str]:
    """The text in markdown: a line, none where nothing is to be seen, several where it is long."""
    if strong:
        spans = tuple(replace(span, strong=True) for span in spans)
    found: list[str] = []
    current: list[Span] = []
    for piece in _pieces(spans, limit):
        if current and size(_line((*current, piece))) > LINE:
            found.append(_line(current))
            current = []
        current.append(piece)
    found.append(_line(current))
    return [guarded(line) for line in found if line.strip()]


def _pieces(spans: Text, limit: int | None) -> Iterator[Span]:
    """In pieces of a moderate length, up to the limit in all."""
    room = limit
    for span in spans:
        if room is not None and room <= 0:
            return
        if span.when or _channel(span) or _role(span) or _person(span):
            yield span
            continue
        shown = re.sub(r"\s+", " ", native(span.text) if span.sentence else span.text)
        if shown.isspace():  # there is nothing to press or to make strong
            span = Span(shown)
        if room is not None:
            shown = clip(shown, room)
            room -= len(shown)
        while shown:
            cut = shown.rfind(" ", _RAW // 2, _RAW) + 1 or _RAW
            yield replace(span, text=shown[:cut], strong=span.strong and not span.code)
            shown = shown[cut:] if span.link is None else ""


def _line(spans: Iterable[Span]) -> str:
    # What shows nothing must not stand between two strong ones: **a****b** is no markup.
    return "".join(map(_markdown, _runs(span for span in spans if _markdown(span))))


def _runs(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of one style as one span."""
    runs: list[Span] = []
    for span in spans:
        if runs and _style(span) is not None and _style(runs[-1]) == _style(span):
            runs[-1] = replace(runs[-1], text=runs[-1].text + span.text)
        else:
            runs.append(span)
    return runs


def _style(span: Span) -> tuple[object, ...] | None:
    if span.when or _channel(span) or _role(span) or _person(span):
        return None
    return span.strong, span.code, span.link


def _markdown(span: Span) -> str:
    if span.when is not None:
        return f"<t:{int(span.when.timestamp())}:f>"
    if channel := _channel(span):
        return f"<#{channel}>"
    if role := _role(span):
        return f"<@&{role}>"
    if person := _person(span):
        return f"<@{person}>"
    if span.link is not None:
        return link((span,), span.link)
    if span.code:
        return code(span.text)
    shown = _kept(span.text, escape)
    return _around("**", shown) if span.strong else shown


def _kept(text: str, write: Callable[[str], str]) -> str:
    """Written, with a blank at either end where there was one."""
    before, after = " " * text[:1].isspace(), " " * text[-1:].isspace()
    words = plain(text)
    return write(f"{before}{words}{after}") if words else before


def _around(mark: str, text: str) -> str:
    """The mark around the words, not around the blanks about them."""
    words = text.strip()
    return text.replace(words, f"{mark}{words}{mark}", 1) if words else text


def _channel(span: Span) -> str:
    ref = span.channel
    known = ref is not None and ref.platform == "discord" and ref.channel.isdecimal()
    return ref.channel if ref and known and ref.channel.isascii() else ""


def _role(span: Span) -> str:
    """It is shown by its name; whom a message calls is said beside its text."""
    return span.role if span.role.isdecimal() and span.role.isascii() else ""


def _person(span: Span) -> str:
    """They are shown by their name, and not called."""
    return span.person if span.person.isdecimal() and span.person.isascii() else ""


def _is_seen(text: str) -> bool:
    return bool(text.strip(" \u200c\u200d"))


def mistake(source: str, start: int, end: int) -> str:
    """What was typed, and dashes under ``source[start:end]``; what does not fit beside it is cut."""
    before, wrong, after = (
        _kept(part, lambda words: words.replace("`", "'"))
        for part in (source[:start], source[start:end], source[end:])
    )
    if _cells(before + wrong + after) > _TYPED:
        before = _cut(before, _TYPED // 5, tail=True)
        wrong = _cut(wrong, _TYPED * 7 // 10)
        after = _cut(after, _TYPED - _cells(before + wrong))
    dashes = "-" * max(_cells(wrong), 1)
    return f"```\n{before}{wrong}{after}".rstrip() + f"\n{' ' * _cells(before)}{dashes}\n```"


def _cut(text: str, cells: int, *, tail: bool = False) -> str:
    if _cells(text) <= cells:
        return text
    while text and _cells(text) >= cells:
        text = text[1:] if tail else text[:-1]
    return f"…{text}" if tail else f"{text}…"


def _cells(text: str) -> int:
    """How wide it is where all letters are as wide as one another."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
