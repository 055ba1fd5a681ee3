"""What an answer says, for every platform alike. Text is spans, never markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from bot.identity import Link
from bot.model import ChannelRef, Paper

_COMMAND = re.compile(r"`([a-z]+(?: [^`]+)?)`", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text; *code* is shown as it is typed.

    *when*, *channel*, *role* and *person* (their ids on Discord) are shown as the platform does such,
    else as the text. *sentence* says that the code is a command: each platform writes it as people give it there.
    """

    text: str
    strong: bool = False
    code: bool = False
    link: Link | None = None
    when: datetime | None = None
    channel: ChannelRef | None = None
    role: str = ""
    person: str = ""
    sentence: bool = False


Text = tuple[Span, ...]


def text(*parts: str | Span) -> Text:
    """Plain strings and spans as one text; empty strings vanish."""
    return tuple(p if isinstance(p, Span) else Span(p) for p in parts if p)


def typed(sentence: str) -> Span:
    """A command for people to give."""
    return Span(sentence, code=True, sentence=True)


def advice(hint: str) -> Text:
    """With the commands in it, between backquotes, as people give them."""
    parts = _COMMAND.split(hint)
    return text(*(typed(part) if i % 2 else part for i, part in enumerate(parts) if part))


def named(ref: ChannelRef) -> Span:
    """The channel, by the name that people know it by."""
    if ref.channel.startswith("@"):
        return Span("your own channel")
    return Span(ref.channel, channel=ref)


def plain(spans: Text) -> str:
    return "".join(span.text for span in spans)


@dataclass(frozen=True, slots=True)
class Action:
    """A button: *sentence* is the command that it types."""

    label: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A part of a score, in points; *text* tells it to people."""

    text: str
    points: float


@dataclass(frozen=True, slots=True)
class PaperCard:
    """One paper as it is shown. *score* is in points (30 is the line), None where nothing was scored."""

    paper: Paper
    score: float | None = None
    reasons: tuple[Reason, ...] = ()
    gist: Text = ()  # one or two sentences, matched words strong
    title: Text = ()  # matched words strong; empty: paper.title
    abstract: Text = ()  # only where the whole abstract was asked for
    notes: tuple[Text, ...] = ()  # posted on, blocked by
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why a digest is empty: no_announcement, source_late, source_failing or nothing_passed."""

    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of one slot. *considered* counts the papers listed in its window."""

    ref: ChannelRef | None
    slot: datetime  # aware, in the channel's zone
    considered: int
    cards: tuple[PaperCard, ...] = ()
    more: int = 0  # passed, beyond the maximum
    beyond: tuple[str, ...] = ()  # ids of the best of those
    quiet: Quiet | None = None
    layout: str = "compact"  # or cards, or thread
    labels: tuple[str, ...] = ()  # of the subscriptions that its papers matched
    ping: str = ""  # who is to be mentioned, as the platform names a role; empty: nobody
    heading: Text = ()  # empty: the renderer's date line
    notes: tuple[Text, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a listing: what leads (a number, a name), what it says, and details below."""

    lead: Text
    body: Text
    details: tuple[Text, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    title: Text
    intro: tuple[Text, ...] = ()
    rows: tuple[Row, ...] = ()
    cards: tuple[PaperCard, ...] = ()
    notes: tuple[Text, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A short answer. *source*, *start*, *end* show the place of a mistake in what was typed."""

    message: Text
    kind: str = "done"  # done, info, error
    hints: tuple[Text, ...] = ()
    cards: tuple[PaperCard, ...] = ()
    field: str | None = None
    source: str = ""
    start: int = 0
    end: int = 0
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form. *kind* is text, choice, choices (commas between), time or zone."""

    name: str
    label: str
    kind: str
    value: str
    choices: tuple[str, ...] = ()
    hint: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """At most five fields on every platform; ``bot.forms.from_form`` takes their values."""

    title: str
    command: str
    fields: tuple[Field, ...]
    notes: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A text to take away: an export. *name* is a file's name."""

    name: str
    content: str


View = Digest | Listing | Notice | Form | Document


def joined(parts: list[Text]) -> Text:
    spans: list[Span] = []
    for i, part in enumerate(parts):
        spans += [Span(", ")] if i else []
        spans += part
    return tuple(spans)


def how_many(count: int, noun: str = "paper") -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
