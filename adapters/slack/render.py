"""Views to Block Kit: answers, the posts of a digest, the home tab. Pure: no client, no I/O.

A message is ``{"text": …, "blocks": […]}``; *text* is what a notification shows. What does not fit
into one message goes into the next. Forms are in ``adapters.slack.forms``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.slack import blocks, cards
from adapters.slack.blocks import Block, line
from adapters.slack.forms import TITLE, filled_modal, modal, read_modal
from bot.text import clip, visible
from bot.views import (
    Action,
    Digest,
    Document,
    Form,
    Listing,
    Notice,
    PaperCard,
    Row,
    Span,
    Text,
    View,
    how_many,
    plain,
    text,
)

__all__ = [
    "LONGEST_DOCUMENT",
    "Part",
    "digest",
    "filled_modal",
    "home",
    "messages",
    "modal",
    "modal_listing",
    "preformatted",
    "read_modal",
]

LONGEST_DOCUMENT = 8000  # characters that a message shows; what is longer is a file

_NOTIFICATION = 300
_TYPED = 60  # cells of what was typed, around a mistake: a phone shows about 40
_CONTINUED = 300  # of a message, for the line that says so
_PIECE = 2900  # characters of a document in one block
_BESIDE = 40  # characters that stand beside a name in large letters
_DOT = " · "
_VIEW = 40_000  # characters, each of which may be six bytes of JSON; Slack's limit is 250 kB


@dataclass(frozen=True, slots=True)
class Part:
    """A post of a digest. *papers* are the ids of those that it shows in full, not by title only."""

    payload: dict[str, Any]
    papers: tuple[str, ...]
    threaded: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks that stand together where they fit into one message; of a paper, or of none."""

    blocks: list[Block]
    paper: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What one message holds."""

    blocks: list[Block]
    papers: list[str]


# answers


def messages(view: View) -> list[dict[str, Any]]:
    """The view as answers to a person, in order."""
    if isinstance(view, Digest):
        return [part.payload for part in digest(_unthreaded(view))]
    return [_payload(_gist(view), page.blocks) for page in _paged(_groups(view))]


def _unthreaded(view: Digest) -> Digest:
    """In private, or in a modal, nobody can open a thread."""
    return replace(view, layout="compact") if view.layout == "thread" else view


def _gist(view: Listing | Notice | Form | Document) -> str:
    match view:
        case Listing():
            return line(plain(view.title)) or _titles(view.cards)
        case Notice():
            return line(plain(view.message))
        case Form():
            return line(view.title)
        case Document():
            return line(view.name)


def _groups(view: View) -> list[Group]:
    match view:
        case Digest():
            return _digest(_unthreaded(view))
        case Listing():
            return _listing(view)
        case Notice():
            return _notice(view)
        case Form():
            return _invitation(view)
        case Document():
            return _document(view)


def _listing(listing: Listing) -> list[Group]:
    top = [*_heading(listing.title), *_said(listing.intro)]
    tail = [*_small(listing.notes), *blocks.actions(listing.actions)]
    end = _apart(tail) if listing.cards else Group(tail)
    return [Group(top), *_rows(listing.rows), *_cards(listing.cards), end]


def _apart(tail: list[Block]) -> Group:
    """What is not of the last paper."""
    return Group([blocks.divider(), *tail] if tail else [])


def _heading(title: Text) -> list[Block]:
    """Large where it is plain words, else bold."""
    words = line(plain(title))
    if any(span.code or span.link or span.when or span.channel for span in title):
        return blocks.rich(blocks.section(tuple(replace(span, strong=True) for span in title)))
    return [blocks.header(words)] if words else []


def _said(texts: Sequence[Text]) -> list[Block]:
    return blocks.rich(blocks.section(*texts))


def _small(texts: Iterable[Text]) -> list[Block]:
    return blocks.context(blocks.small(texts))


def _rows(rows: Iterable[Row]) -> Iterator[Group]:
    """Rows without buttons run together; one button stands beside its row, more stand below it."""
    waiting: list[Block] = []
    for row in rows:
        if not row.actions:
            waiting += [*blocks.section(_row(row)), *blocks.bullets(row.details)]
            continue
        yield from map(_alone, blocks.rich(waiting))
        waiting = []
        yield Group(_with_buttons(row))
    yield from map(_alone, blocks.rich(waiting))


def _alone(block: Block) -> Group:
    return Group([block])


def _row(row: Row) -> Text:
    lead = tuple(span if span.code else replace(span, strong=True) for span in row.lead)
    return (*lead, Span("\xa0 "), *row.body) if line(plain(row.body)) else lead


def _with_buttons(row: Row) -> list[Block]:
    words = blocks.mrkdwn(_row(row))
    if not words or len(row.actions) > 1:
        said = blocks.rich([*blocks.section(_row(row)), *blocks.bullets(row.details)])
        return [*said, *blocks.folded(row.actions)]
    sections: list[Block] = [{"type": "section", "text": blocks.marked(each)} for each in words]
    sections[0]["accessory"] = blocks.button(row.actions[0])
    return [*sections, *blocks.rich(blocks.bullets(row.details))]


def _cards(shown: Sequence[PaperCard]) -> list[Group]:
    """One alone has room."""
    if len(shown) == 1:
        return [Group(cards.roomy(shown[0]))]
    return [Group(cards.compact(card, dated=True)) for card in shown]


def _notice(notice: Notice) -> list[Group]:
    said = blocks.section(notice.message)
    if notice.kind == "error" and said:
        warning = [{"type": "emoji", "name": "warning"}, {"type": "text", "text": "  "}]
        said[0]["elements"] = warning + said[0]["elements"]
    if notice.source:
        said.append(blocks.preformatted(_mistake(notice.source, notice.start, notice.end)))
    top = blocks.rich([*said, *blocks.section(*notice.hints)])
    buttons = blocks.actions(notice.actions)
    return [
        Group(top),
        *_cards(notice.cards),
        _apart(buttons) if notice.cards else Group(buttons),
    ]


def _mistake(source: str, start: int, end: int) -> str:
    """What was typed, and dashes under ``source[start:end]``; what does not fit beside it is cut."""
    before, wrong, after = map(visible, (source[:start], source[start:end], source[end:]))
    if _cells(before + wrong + after) > _TYPED:
        before = _cut(before[::-1], _TYPED // 3)[::-1]
        wrong = _cut(wrong, _TYPED // 2)
        after = _cut(after, _TYPED - _cells(before + wrong))
    typed = f"{before}{wrong}{after}".rstrip()
    return f"{typed}\n{' ' * _cells(before)}{'-' * max(_cells(wrong), 1)}"


def _cut(words: str, cells: int) -> str:
    if _cells(words) <= cells:
        return words
    words = words[:cells]
    while _cells(words) >= cells:
        words = words[:-1]
    return words + "…"


def _cells(words: str) -> int:
    """How many columns of a fixed pitch they take."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in words
    )


def _invitation(form: Form) -> list[Group]:
    """A form where no modal can be opened: the button opens it."""
    sentence = "settings" if form.command == "set" else f"form {form.command}"
    button = Action("Open the form", sentence)
    return [Group([*_said([text(form.title), *form.notes]), *blocks.actions([button])])]


def preformatted(document: Document) -> dict[str, Any]:
    """A document of at most LONGEST_DOCUMENT characters, as a text that can be copied."""
    blocks_of_it = [block for group in _document(document) for block in group.blocks]
    return _payload(_gist(document), blocks_of_it)


def _document(document: Document) -> list[Group]:
    name = blocks.section(text(Span(document.name, strong=True)))
    lines = "\n".join(map(visible, document.content.split("\n"))).rstrip()
    pieces = [lines[i : i + _PIECE] for i in range(0, len(lines), _PIECE)]
    shown = [blocks.preformatted(piece) for piece in pieces if piece.strip()]
    return [Group([block]) for block in blocks.rich([*name, *shown])]


# digests


def digest(view: Digest) -> list[Part]:
    """Its posts in order; the threaded ones answer to the first."""
    if view.layout != "thread" or not view.cards:
        return _parts(view, _digest(view))
    titles = blocks.bullets([(cards.title(card),) for card in view.cards], "ordered")
    listed = [Group([block]) for block in blocks.rich(titles)]
    return [*_parts(view, [Group(_top(view)), *listed, Group(_tail(view))]), *_replies(view)]


def _digest(view: Digest) -> list[Group]:
    shown = [Group(_set_apart(view, card), card.paper.id) for card in view.cards]
    return [Group(_top(view)), *shown, _apart(_tail(view)) if shown else Group(_tail(view))]


def _title(view: Digest) -> Text:
    slot = view.slot
    date_line = text(f"{slot:%A} {slot.day} {slot:%B %Y}")
    return view.heading if line(plain(view.heading)) else date_line


def _top(view: Digest) -> list[Block]:
    said = [_summary(view)]
    return [*_heading(_title(view)), *(_said(said) if view.quiet else _small(said))]


def _summary(view: Digest) -> Text:
    """Why there is nothing; else of how many papers these are."""
    if view.quiet is not None:
        return text(view.quiet.text)
    if not view.considered:
        return ()
    new = how_many(view.considered, "new paper")
    return text(f"{new}, {len(view.cards) + view.more:,} for this channel")


def _set_apart(view: Digest, card: PaperCard) -> list[Block]:
    if view.layout == "cards":
        return [blocks.divider(), *cards.roomy(card)]
    return cards.compact(card, dated=False)


def _tail(view: Digest) -> list[Block]:
    more = [text(f"{view.more:,} more passed, beyond this channel's maximum.")]
    notes = _small([*(more if view.more else []), *view.notes])
    return [*notes, *blocks.actions(view.actions)]


def _parts(view: Digest, groups: Iterable[Group]) -> list[Part]:
    """The messages; all but the first say what they go on with."""
    title = line(plain(_title(view)))
    said = ": ".join(filter(None, (title, line(plain(_summary(view))), _titles(view.cards))))
    continued = blocks.context([blocks.plain_text(f"{clip(title, _CONTINUED // 2)}, continued")])
    pages = _paged(groups, room=blocks.MESSAGE - _CONTINUED, most=blocks.BLOCKS - 1)
    return [
        Part(_payload(said, [*(continued if n else []), *page.blocks]), tuple(page.papers))
        for n, page in enumerate(pages)
    ]


def _replies(view: Digest) -> Iterator[Part]:
    for card in view.cards:
        for page in _paged([Group(cards.roomy(card), card.paper.id)]):
            payload = _payload(line(cards.title(card).text), page.blocks)
            yield Part(payload, tuple(page.papers), threaded=True)


# the home tab and modals


def home(view: View) -> dict[str, Any]:
    """The home tab, from the answer to ``home``; the tab has a name already."""
    if not isinstance(view, Listing):
        return {"type": "home", "blocks": _surface(_groups(view))}
    groups = [
        Group(_said(view.intro)),
        *(Group([*([blocks.divider()] if n else []), *_room(r)]) for n, r in enumerate(view.rows)),
        *_cards(view.cards),
        _apart([*_small(view.notes), *blocks.actions(view.actions)]),
    ]
    return {"type": "home", "blocks": _surface(groups)}


def _room(row: Row) -> list[Block]:
    """A row as a part of the page; a few words stand beside its name."""
    name, words = line(plain(row.lead)), line(plain(row.body))
    if len(words) <= _BESIDE and not any(span.when or span.link for span in row.body):
        top = _heading(text(_DOT.join(filter(None, (name, words)))))
        listed = blocks.bullets(row.details)
    else:
        top = _heading(row.lead)
        listed = blocks.bullets([row.body, *row.details])
    return [*top, *blocks.rich(listed), *blocks.actions(row.actions)]


def modal_listing(view: View, title: str, private_metadata: str) -> dict[str, Any]:
    """An answer inside a modal."""
    return {
        "type": "modal",
        "title": blocks.plain_text(line(title, TITLE) or "Paperboy"),
        "close": blocks.plain_text("Close"),
        "private_metadata": private_metadata,
        "blocks": _surface(_groups(view)),
    }


def _surface(groups: Iterable[Group]) -> list[Block]:
    """All of it; of what is too much for one view, as much as there is room for."""
    page, *rest = _paged(groups, room=_VIEW, most=blocks.BLOCKS_OF_VIEW - 1)
    more = _small([text("There is more than fits here: ask for it in a channel.")])
    return blocks.numbered([*page.blocks, *(more if rest else [])])


# pages


def _paged(
    groups: Iterable[Group], room: int = blocks.MESSAGE, most: int = blocks.BLOCKS
) -> list[Page]:
    """The blocks in order, on as few pages as they need; a group is parted only where it must be."""
    pages = [Page([], [])]
    free, left = room, most
    for group in groups:
        if blocks.size(group.blocks) > free or len(group.blocks) > left:
            pages.append(Page([], []))
            free, left = room, most
        if group.paper:
            pages[-1].papers.append(group.paper)
        for block in group.blocks:
            if blocks.size(block) > free or not left:
                pages.append(Page([], []))
                free, left = room, most
            pages[-1].blocks.append(block)
            free -= blocks.size(block)
            left -= 1
    found = [page for page in pages if page.blocks]
    return found or [Page(_said([text("There is nothing to show.")]), [])]


def _payload(said: str, found: Sequence[Block]) -> dict[str, Any]:
    words = clip(said, _NOTIFICATION) or "Paperboy"
    return {"text": blocks.escape(words), "blocks": blocks.numbered(found)}


def _titles(shown: Sequence[PaperCard]) -> str:
    return "; ".join(cards.title(card).text for card in shown)
