"""Views to the terminal, with rich: what is shown, how it is laid out, and the progress of imports.

Three looks from one layout: a terminal with colour (links are live), a terminal without (no escape
sequence at all, addresses are written out) and a pipe (like that, and one line a paragraph).
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, TextIO, assert_never

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.style import Style
from rich.text import Text

from bot import identity, views
from bot.commands import find_verb
from bot.identity import Link, short_id
from bot.model import ChannelRef, Paper
from bot.text import one_line, visible
from bot.views import (
    Action,
    Digest,
    Document,
    Field,
    Form,
    Listing,
    Notice,
    PaperCard,
    Row,
    Span,
    View,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MEASURE = 100  # cells; longer lines are hard to read
_NARROWEST = 20  # in what is narrower the terminal itself breaks the lines
_SHALLOW = 4  # the indent instead of one that would take more than half of the width
_LEAD = 28  # cells of a listing's first column; what is longer has a line of its own
_AUTHORS = 3
_SET = "set"  # the form whose fields are sentences each
_GLUE = "\N{NO-BREAK SPACE}"  # a blank where no line breaks; shown as a plain one
_DOT = f"{_GLUE}· "

# Colours from the sixteen that every theme defines, readable on light and on dark.
_HEADING = Style(bold=True)
_STRONG = Style(bold=True)
_MATCH = Style(bold=True, color="green")  # in a title, where all is bold
_DIM = Style(dim=True)
_TYPED = Style(color="cyan", dim=False)
_ERROR = Style(bold=True, color="red")


def render(view: View, *, color: bool) -> Group:
    """With *color* links are live and styles tell parts of a line; without, text alone does."""
    sections: Iterable[Sequence[Block]]
    match view:
        case Digest():
            sections = _digest(view, color)
        case Listing():
            sections = _listing(view, color)
        case Notice():
            sections = _notice(view, color)
        case Form():
            sections = _form(view, color)
        case Document():
            sections = [[Paragraph(Text(one_line(view.name), _HEADING))], _content(view)]
        case _:
            assert_never(view)
    blank = Paragraph(Text())
    return Group(
        *(p for i, s in enumerate(filter(None, sections)) for p in ([blank, *s] if i else s))
    )


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A line that is to be copied: never wrapped."""

    line: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from Text(self.line).render(console, end="\n")


def _content(document: Document) -> list[Block]:
    return [Verbatim(visible(line)) for line in document.content.splitlines()]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text under a hanging indent: *indent* cells before the first line, *hang* before the others.

    It is as wide as the terminal, at most MEASURE; where wrapping is off it is one line.
    """

    text: Text
    indent: int = 0
    hang: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = _width(options)
        indent, hang = self.indent, self.hang
        if not options.no_wrap:
            indent, hang = (n if n <= width // 2 else _SHALLOW for n in (indent, hang))
        for i, line in enumerate(self.text.split("\n", allow_blank=True)):
            lines = [line]
            if not options.no_wrap:
                rooms = width - (hang if i else indent), width - hang
                lines = list(line.divide(_breaks(line.plain, *rooms)))
            for j, part in enumerate(lines):
                shown = part.plain.rstrip(" ")
                if j < len(lines) - 1:
                    shown = shown.removesuffix(_DOT.rstrip(" "))
                part.plain = shown.replace(_GLUE, " ").rstrip()
                before = " " * (hang if i or j else indent) if part else ""
                yield from Text.assemble(before, part).render(console, end="\n")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was typed, and dashes under ``source[start:end]``; what does not fit beside it is cut."""

    source: str
    start: int
    end: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = (MEASURE if options.no_wrap else _width(options)) - 2
        before, wrong, after = (
            visible(part)
            for part in (
                self.source[: self.start],
                self.source[self.start : self.end],
                self.source[self.end :],
            )
        )
        if cell_len(before + wrong + after) > width:
            before = _tail(before, width // 3)
            wrong = _head(wrong, width // 2)
            after = _head(after, width - cell_len(before + wrong))
        dashes = "-" * max(cell_len(wrong), 1)
        yield Text(f"  {before}{wrong}{after}".rstrip())
        yield Text.assemble("  ", " " * cell_len(before), (dashes, _ERROR))


def _width(options: ConsoleOptions) -> int:
    return min(max(options.max_width, _NARROWEST), MEASURE)


def _head(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "…"


def _tail(text: str, cells: int) -> str:
    if cell_len(text) <= cells:
        return text
    text = text[-cells:]
    while cell_len(text) >= cells:
        text = text[1:]
    return "…" + text


Block = Paragraph | Mistake | Verbatim


def _breaks(line: str, first: int, rest: int) -> Iterator[int]:
    """Where new lines begin, for *first* cells in the first and *rest* in the others.

    Lines break at blanks. A word that is longer than a line is folded (Chinese has no blanks), but
    an address or a paper's id stays whole and sticks out: people copy it.
    """
    room, used = first, 0
    for start, gap, word in _words(line, rest):
        size = cell_len(word)
        if used + gap and used + gap + size > room:
            yield start
            room, used, gap = rest, 0, 0
        if size > room and "://" not in word and identity.parse_id(word) is None:
            head = chop_cells(word, room)[0]
            *chunks, last = [head, *chop_cells(word[len(head) :], rest)]
            for chunk in chunks:
                start += len(chunk)
                yield start
            room, used = rest, cell_len(last)
        else:
            used += gap + size


def _words(line: str, room: int) -> Iterator[tuple[int, int, str]]:
    """Where each word begins, the cells of the gap before it, and the word.

    What is glued together counts as one word as long as that fits into *room* cells.
    """
    # glue beside a blank is a gap like it
    gap = rf"(?:{_GLUE}*[^\S{_GLUE}])*"
    for match in re.finditer(rf"({gap})({_GLUE}*\S+(?:{_GLUE}+\S+)*)", line):
        if cell_len(match[2]) <= room:
            yield match.start(2), cell_len(match[1]), match[2]
        else:
            for part in re.finditer(r"(\s*)(\S+)", match[0]):
                yield match.start() + part.start(2), cell_len(part[1]), part[2]


def _text(spans: views.Text, color: bool, style: Style | None = None) -> Text:
    """Spans as one text. What is to be typed keeps its line breaks; elsewhere they are blanks."""
    text = Text(style=style or "")
    alone = not any(span.when or span.text.strip() for span in spans if not span.code)
    for span in spans:
        if span.when is not None:
            shown = _moment(span.when)
        elif span.code:
            shown = "\n".join(map(visible, span.text.split("\n")))
            if not (color or alone):
                shown = f"`{shown}`"
        else:
            shown = re.sub(r"\s+", " ", visible(span.text))
        if span.link is not None and not color and shown != span.link.url:
            shown = f"{shown} ({span.link.url})"
        if not color:
            text.append(shown)
            continue
        look = Style(link=span.link.url) if span.link is not None else Style()
        if span.strong:
            look += _STRONG if style is None or not style.bold else _MATCH
        if span.code:
            look += _TYPED
        text.append(shown, look)
    return text


def _moment(when: datetime) -> str:
    """In its own zone, whose short name follows."""
    return _glued(f"{when:%a} {_day(when)}, {when:%H:%M} {when.tzname() or ''}".rstrip())


def _day(day: date) -> str:
    return _glued(f"{day.day} {day:%b %Y}")


def _count(number: int, what: str) -> str:
    return _glued(f"{number:,} {what}{'' if number == 1 else 's'}")


def _glued(text: str) -> str:
    return text.replace(" ", _GLUE)


def _digest(digest: Digest, color: bool) -> list[list[Paragraph]]:
    slot = digest.slot
    title = _text(digest.heading, color, _HEADING)
    if not title.plain.strip():
        title = Text(f"{slot:%A} {slot.day} {slot:%B %Y}", _HEADING)
    if digest.ref is not None:
        title.append(f" · {_name(digest.ref)}")
    head = [Paragraph(title)]
    if digest.considered and digest.quiet is None:
        passed = len(digest.cards) + digest.more
        seen = f"{_count(digest.considered, 'new paper')}, {passed:,} for this channel"
        head.append(Paragraph(Text(seen, _DIM)))
    tail = []
    if digest.more:
        tail.append(Paragraph(Text(f"{digest.more:,} more passed, beyond this channel's maximum.")))
    if digest.quiet is not None:
        tail.append(Paragraph(Text(one_line(digest.quiet.text))))
    return [
        head,
        *_cards(digest.cards, color, numbered=True),
        tail,
        _paragraphs(digest.notes, color),
        _typing(digest.cards, digest.actions),
    ]


def _name(ref: ChannelRef) -> str:
    return one_line(ref.channel if ref.platform == "terminal" else str(ref))


def _listing(listing: Listing, color: bool) -> list[list[Paragraph]]:
    title = [Paragraph(_text(listing.title, color, _HEADING))] if listing.title else []
    return [
        [*title, *_paragraphs(listing.intro, color)],
        _rows(listing.rows, color),
        *_cards(listing.cards, color, numbered=len(listing.cards) > 1),
        _paragraphs(listing.notes, color),
        _typing(
            listing.cards, (*(a for row in listing.rows for a in row.actions), *listing.actions)
        ),
    ]


def _rows(rows: Iterable[Row], color: bool) -> list[Paragraph]:
    """Leads in a column of their own; numbers stand on the right of it."""
    found = [(row, _text(row.lead, color)) for row in rows]
    column = max((n for _, lead in found if (n := lead.cell_len) <= _LEAD), default=0)
    numbers = all(lead.plain.isdecimal() for _, lead in found)
    hang = 2 + column + 2
    paragraphs = []
    for row, lead in found:
        body = _text(row.body, color)
        if lead.cell_len > column:
            paragraphs.append(Paragraph(lead, 2, hang))
            paragraphs.append(Paragraph(body, hang, hang))
        else:
            lead.align("right" if numbers else "left", column)
            paragraphs.append(Paragraph(Text.assemble(lead, "  ", body), 2, hang))
        paragraphs += _paragraphs(row.details, color, hang, _DIM)
    return paragraphs


def _paragraphs(
    texts: Iterable[views.Text], color: bool, indent: int = 0, style: Style | None = None
) -> list[Paragraph]:
    return [Paragraph(_text(text, color, style), indent, indent) for text in texts]


def _cards(
    cards: tuple[PaperCard, ...], color: bool, *, numbered: bool
) -> Iterator[list[Paragraph]]:
    wide = len(f"{len(cards)}. ")
    for number, card in enumerate(cards, start=1):
        lead = f"{number}. ".rjust(wide) if numbered else ""
        yield _card(card, color, lead)


def _card(card: PaperCard, color: bool, lead: str) -> list[Paragraph]:
    paper = card.paper
    link = identity.paper_link(paper.id, paper.title)
    title = _text(card.title or (Span(one_line(paper.title)),), color, _HEADING)
    if not title.plain.strip():
        title = Text(one_line(short_id(paper.id)), _HEADING)
    if color:
        title.stylize(Style(link=link.url))
    indent = len(lead)
    abstract = _text(card.abstract, color)
    texts = [
        Text(_DOT.join(_facts(paper, link)), _DIM),
        _text(card.gist, color),
        *([Text("\n").append(abstract).append("\n")] if abstract else []),
        _score(card),
        *_links(paper, link, color),
        *(_text(note, color) for note in card.notes),
    ]
    return [
        Paragraph(Text.assemble((lead, _DIM), title), 0, indent),
        *(Paragraph(text, indent, indent) for text in texts if text),
    ]


def _facts(paper: Paper, link: Link) -> Iterator[str]:
    if first := _listed(paper.authors[:_AUTHORS]):
        more = len(paper.authors) - _AUTHORS
        yield f"{first}{_GLUE}+{more}" if more > 0 else first
    if categories := _listed(paper.categories):
        yield categories
    if paper.published is not None:
        yield _day(paper.published)
    elif paper.listed_on is not None:
        yield _glued(f"listed {_day(paper.listed_on)}")
    if submitter := one_line(paper.submitter):
        yield f"submitted by {submitter}"
    if paper.upvotes:
        yield _count(paper.upvotes, "upvote")
    if short_id(paper.id) not in link.url:  # people need it to ask about the paper
        yield one_line(paper.id)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(filter(None, map(one_line, names)))


def _score(card: PaperCard) -> Text:
    reasons = ", ".join(f"{one_line(reason.text)} {reason.points:.1f}" for reason in card.reasons)
    if card.score is None:
        return Text(reasons)
    return Text.assemble((f"{card.score:.1f} points", _STRONG), f": {reasons}" if reasons else "")


def _links(paper: Paper, page: Link, color: bool) -> list[Text]:
    """The address of the page is always shown: it holds the id, and not all terminals have links."""
    found = [("PDF", identity.pdf_link(paper.id), "")]
    if paper.code:
        stars = f"{_GLUE}({_count(paper.stars, 'star')})" if paper.stars else ""
        found.append(("code", identity.code_link(paper.code), stars))
    if paper.upvotes or paper.discussion:
        comments = f"{_GLUE}({_count(paper.discussion, 'comment')})" if paper.discussion else ""
        found.append(("discussion", identity.discussion_link(paper.id), comments))
    if paper.project:
        found.append(("project", identity.code_link(paper.project), ""))
    if color:
        parts = [Text(page.url, Style(link=page.url, color="blue"))]
        parts += [
            Text.assemble((name, Style(link=link.url, color="blue")), count)
            for name, link, count in found
            if link is not None
        ]
        return [Text(_DOT).join(parts)]
    others = [f"{name}{_GLUE}{link.url}{count}" for name, link, count in found if link is not None]
    return [Text(page.url), Text(_DOT.join(others))]


def _typing(cards: tuple[PaperCard, ...], actions: tuple[Action, ...]) -> list[Paragraph]:
    """One line for all: the first paper stands for the others, whose ids are in their addresses."""
    offered: dict[str, Action] = {}
    for action in (*(a for card in cards for a in card.actions), *actions):
        offered.setdefault(action.label, action)
    text = Text()
    for label, action in offered.items():
        text.append(_DOT if text else "Type: ", _DIM)
        words = [short_id(word) for word in one_line(_by_hand(action.sentence)).split()]
        text.append(_GLUE.join(words), _TYPED)
        if words[:1] != [label.lower()]:
            text.append(f" ({_glued(one_line(label))})", _DIM)
    return [Paragraph(text, 0, len("Type: "))] if text else []


def _by_hand(sentence: str) -> str:
    """Who types sees what was said last, and needs no mark of the settings that were meant."""
    return "config undo" if sentence.startswith("config undo ") else sentence


def _notice(notice: Notice, color: bool) -> Sequence[Sequence[Block]]:
    style = _ERROR if notice.kind == "error" else None
    return [
        [
            *([Mistake(notice.source, notice.start, notice.end)] if notice.source else []),
            Paragraph(_text(notice.message, color, style)),
            *_paragraphs(notice.hints, color, 2),
        ],
        *_cards(notice.cards, color, numbered=len(notice.cards) > 1),
        _typing(notice.cards, notice.actions),
    ]


def _form(form: Form, color: bool) -> list[list[Paragraph]]:
    """What holds, and what to type: each setting by itself, else an example of the whole sentence."""
    example: tuple[Action, ...] = ()
    if form.command != _SET and (verb := find_verb(form.command)):
        name = verb.name.capitalize()
        example = Action(name, verb.usage), Action("Help", f"help {verb.name}")
    rows = [
        Row(
            lead=(Span(field.label),),
            body=(Span(field.value or "not set", strong=True),),
            details=_how(form.command, field),
        )
        for field in form.fields
    ]
    return [
        [Paragraph(Text(one_line(form.title), _HEADING))],
        _rows(rows, color),
        _paragraphs(form.notes, color),
        _typing((), example),
    ]


def _how(command: str, field: Field) -> tuple[views.Text, ...]:
    told = ". ".join(part for part in (", ".join(field.choices), field.hint) if part)
    if command != _SET:
        return ((Span(told),),) if told else ()
    other = next((choice for choice in field.choices if choice != field.value), field.value)
    value = f'"{other}"' if " " in other else other or "…"
    typed = (Span(f"{command} {field.name}:{value}", code=True),)
    return ((Span(told),), typed) if told else (typed,)


class Screen:
    """Shows views on *file*. *interactive* is a terminal: text is wrapped to its width.

    *color* None: colour on a terminal, unless ``NO_COLOR`` is set or the terminal is dumb.
    """

    def __init__(
        self,
        file: TextIO,
        *,
        width: int | None = None,
        interactive: bool,
        color: bool | None = None,
    ) -> None:
        if color is None:
            dumb = os.environ.get("TERM", "") in ("dumb", "unknown")
            color = interactive and not os.environ.get("NO_COLOR") and not dumb
        self._file = file
        self._interactive = interactive
        self._color = color
        self._shown = False
        self._console = Console(
            file=io.StringIO(),  # rich itself would end the program where a pipe breaks
            width=width,
            force_terminal=color,
            color_system="standard" if color else None,
            no_color=not color,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def show(self, view: View) -> None:
        """Write it out at once: on a terminal a blank line follows, else one stands between views.

        Raises BrokenPipeError when nobody reads any more; what follows then goes nowhere, so that
        the exit is quiet.
        """
        with self._console.capture() as captured:
            self._console.print(
                render(view, color=self._color), crop=False, no_wrap=not self._interactive
            )
        text = captured.get()
        if self._interactive:
            text += "\n"
        elif self._shown:
            text = "\n" + text
        self._shown = True
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # EIO: the terminal was closed
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
            raise BrokenPipeError(errno.EPIPE, "Nobody reads the answers any more") from error


class Bar:
    """How far something long is."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def update(self, done: int, total: int | None, detail: str = "") -> None:
        """*total* is None as long as nobody knows it; *detail* says what is being worked on."""
        self._bars.update(self._task, completed=done, total=total, detail=one_line(detail))


@contextmanager
def progress(title: str, file: TextIO | None = None) -> Iterator[Bar]:
    """A bar on standard error that vanishes in the end; silent where that is no terminal."""
    from rich import progress as rich_progress

    file = file or sys.stderr
    bars = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("{task.fields[detail]}", markup=False),
        console=Console(file=file, legacy_windows=False),
        transient=True,
        redirect_stdout=False,
        disable=not file.isatty(),
    )
    with bars:
        yield Bar(bars, bars.add_task(one_line(title), total=None, detail=""))
