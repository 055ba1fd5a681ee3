"""What a view holds, and what a platform shows people of it, read back from what was rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.views import Digest, Document, Form, Listing, Notice, PaperCard, Span, Text, View


@dataclass(frozen=True, slots=True)
class Posted:
    """One message of a digest: the papers that it says it holds, and what it shows."""

    papers: tuple[str, ...]
    links: tuple[str, ...]
    threaded: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """All messages of a view together, in order.

    *broken* are the platform's limits and rules that they do not keep, in words. *text* is what is
    shown, escapes resolved, with the words of links and code but not those of buttons. What is live
    is listed apart: addresses, mentions of people, roles or everybody, channels by id, and times.
    """

    broken: tuple[str, ...]
    text: str
    strong: str = ""  # the bold part of the text
    links: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    moments: tuple[datetime, ...] = ()
    sentences: tuple[str, ...] = ()  # of buttons and menus
    labels: tuple[str, ...] = ()  # of the same
    notifications: tuple[str, ...] = ()  # a text each message, where the platform has such
    posted: tuple[Posted, ...] = ()  # of a digest
    fields: Mapping[str, str] = field(default_factory=dict)  # what a form proposes, by name


class Reader(Protocol):
    """Renders a view as its platform does and reads that, strictly."""

    platform: str

    def read(self, view: View) -> Reading: ...


def letters(text: str) -> str:
    """What has to come through whatever is wrapped, escaped or cleaned away."""
    return "".join(c for c in text if c.isalnum())


def cards_of(view: View) -> tuple[PaperCard, ...]:
    return () if isinstance(view, Form | Document) else view.cards


def texts_of(view: View) -> Iterator[Text]:
    """Its texts, but for what is not made of spans: titles of papers, reasons, labels, fields."""
    for card in cards_of(view):
        yield from (card.gist, card.abstract, *card.notes)
    match view:
        case Digest():
            yield from (view.heading, *view.notes)
        case Listing():
            yield from (view.title, *view.intro, *view.notes)
            for row in view.rows:
                yield from (row.lead, row.body, *row.details)
        case Notice():
            yield from (view.message, *view.hints)
        case Form():
            yield from view.notes
        case Document():
            yield (Span(view.content),)
