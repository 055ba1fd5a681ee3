"""Views to Discord's messages, the posts of a digest, and the key of a post. Pure: no client, no I/O.

Forms are in ``adapters.discord.modals``; a document goes as a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any, assert_never

from adapters.discord.layout import (
    CONTAINER,
    DISPLAY,
    DONE,
    ERROR,
    INFO,
    NOBODY,
    PAPERS,
    QUIET,
    ROW,
    SECTION,
    Json,
    Part,
    Piece,
    clickable,
    parts,
    walk,
)
from adapters.discord.markdown import escape, lines, link, mistake, plain
from adapters.discord.modals import beside, modal
from bot import identity, views
from bot.identity import Link, short_id
from bot.model import Paper
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
    text,
)

__all__ = [
    "Part",
    "beside",
    "digest",
    "key_of",
    "messages",
    "modal",
    "thread_name",
    "with_key",
    "with_ping",
    "without_buttons",
]

_NAME = 60  # characters
_REASON = 160
_AUTHORS = 3
_CATEGORIES = 6
_SHOWN = 3  # buttons of a paper in a box, among others
_OVERVIEW = 2800  # characters of the titles that a thread begins with
_THREAD_NAME = 100
_IN_A_LINE = 1500  # characters
_GLUE = "\N{NO-BREAK SPACE}"
_DOT = f"{_GLUE}· "
_ARXIV = "https://arxiv.org/"


def messages(view: View) -> list[Json]:
    """The view as answers to somebody."""
    color = PAPERS
    match view:
        case Digest():  # in private there are no threads, and nobody is called
            layout = "compact" if view.layout == "thread" else view.layout
            return [part.payload for part in digest(replace(view, layout=layout, ping=""))]
        case Listing():
            pieces = _listing(view)
        case Notice():
            pieces = _notice(view)
            color = {"error": ERROR, "done": DONE}.get(view.kind, INFO)
        case Form():
            pieces = _form(view)
        case Document():
            pieces = iter([Piece((escape(plain(view.name)),))])
        case _:
            assert_never(view)
    found = [*pieces] or [Piece(("Nothing to show.",))]
    return [part.payload for part in parts(found, color)]


def digest(view: Digest) -> list[Part]:
    """The posts of a digest, in its layout. What is threaded follows the first one."""
    color = QUIET if view.quiet else PAPERS
    if view.layout == "thread":
        first, *more = parts([_head(view), *_overview(view.cards), *_tail(view)], color)
        papers = [
            part for card in view.cards for part in parts([_alone(card)], color, threaded=True)
        ]
        posts = [first, *(replace(part, threaded=True) for part in more), *papers]
    else:
        cards = _cards(view.cards, boxed=view.layout == "cards")
        posts = list(parts([_head(view), *cards, *_tail(view)], color))
    if view.ping:
        posts[0] = replace(posts[0], payload=with_ping(posts[0].payload, view.ping))
    return posts


def thread_name(view: Digest) -> str:
    """What the thread or the forum's post of a digest is called."""
    return plain(views.plain(view.heading), _THREAD_NAME) or _date(view)


def _date(view: Digest) -> str:
    return f"{view.slot:%A} {view.slot.day} {view.slot:%B %Y}"


def _head(view: Digest) -> Piece:
    shown = [*(_heading(view.heading) or [f"### {_date(view)}"])]
    if view.considered and not view.quiet:
        passed = len(view.cards) + view.more
        shown += _small([f"{_count(view.considered, 'new paper')}, {passed:,} for this channel"])
    if view.quiet:
        shown += lines((Span(view.quiet.text),))
    return Piece(tuple(shown))


def _tail(view: Digest) -> Iterator[Piece]:
    more = f"{view.more:,} more passed, beyond this channel's maximum." if view.more else ""
    shown = [*_small(filter(None, [more])), *_small_texts(view.notes)]
    yield from _closing(shown, view.actions, ruled=bool(view.cards))


def _closing(shown: Iterable[str], actions: Iterable[Action], *, ruled: bool) -> Iterator[Piece]:
    found = tuple(shown)
    if found:
        yield Piece(found, ruled=ruled)
    buttons = clickable(actions)
    if buttons:
        yield Piece(buttons=buttons, ruled=ruled and not found)


def _overview(cards: Sequence[PaperCard]) -> Iterator[Piece]:
    """The titles, as far as there is room for them in one message."""
    room = _OVERVIEW
    for number, card in enumerate(cards, start=1):
        score = f" **{card.score:.1f}**" if card.score is not None else ""
        shown = f"{number}. {_title(card)}{score}"
        room -= len(shown)
        if room < 0:
            yield Piece((f"-# and {_count(len(cards) - number + 1, 'paper')} more in the thread",))
            return
        yield Piece((shown,))


# A paper


def _cards(cards: Sequence[PaperCard], *, boxed: bool = False) -> Iterator[Piece]:
    if len(cards) == 1:
        yield replace(_alone(cards[0]), boxed=boxed, ruled=not boxed)
        return
    for number, card in enumerate(cards, start=1):
        yield _among(card, number, boxed=boxed)


def _alone(card: PaperCard) -> Piece:
    return Piece(_card(card, ""), buttons=clickable(card.actions), paper=card.paper.id)


def _among(card: PaperCard, number: int, *, boxed: bool) -> Piece:
    """One of several: a button beside it, or some in its box; the others are in the menu below."""
    actions = clickable(card.actions)
    shown = _SHOWN if boxed else 1
    return Piece(
        _card(card, f"{number}. "),
        beside=actions[0] if actions and not boxed else None,
        buttons=actions[:shown] if boxed else (),
        folded=actions[shown:],
        about=f" · {number}. {card.paper.title}",
        boxed=boxed,
        ruled=not boxed,
        paper=card.paper.id,
    )


def _card(card: PaperCard, lead: str) -> tuple[str, ...]:
    paper = card.paper
    return (
        f"**{lead}{_title(card)}**",
        *_small(_packed((*_facts(paper), *_links(paper)))),
        *lines(card.gist),
        *lines(card.abstract, None),
        *_small(_packed(_score(card))),
        *(line for note in card.notes for line in lines(note)),
    )


def _title(card: PaperCard) -> str:
    paper = card.paper
    page = identity.paper_link(paper.id, paper.title)
    words = card.title or text(paper.title)
    return link(words, page, strong="__") or link(text(short_id(paper.id)), page)


def _facts(paper: Paper) -> Iterator[str]:
    if authors := _listed(paper.authors[:_AUTHORS]):
        more = len(paper.authors) - _AUTHORS
        yield f"{authors}{_GLUE}+{more}" if more > 0 else authors
    if categories := _listed(paper.categories[:_CATEGORIES]):
        yield categories
    if paper.published is not None:
        yield _day(paper.published)
    elif paper.listed_on is not None:
        yield f"listed {_day(paper.listed_on)}"
    if submitter := escape(plain(paper.submitter, _NAME)):
        yield f"submitted by {submitter}"
    if paper.upvotes:
        yield _count(paper.upvotes, "upvote")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(filter(None, (escape(plain(name, _NAME)) for name in names)))


def _score(card: PaperCard) -> Iterator[str]:
    if card.score is not None:
        yield f"**{card.score:.1f} points**"
    for reason in card.reasons:
        yield f"{escape(plain(reason.text, _REASON))}{_GLUE}{reason.points:.1f}"


def _links(paper: Paper) -> Iterator[str]:
    if pdf := identity.pdf_link(paper.id):
        yield link(text("PDF"), pdf)
    if code := identity.code_link(paper.code):
        yield link(text("Code"), code) + (f"{_GLUE}★{_GLUE}{paper.stars:,}" if paper.stars else "")
    discussion = identity.discussion_link(paper.id)
    if discussion and (paper.upvotes or paper.discussion):
        comments = f"{_GLUE}({_count(paper.discussion, 'comment')})" if paper.discussion else ""
        yield link(text("Discussion"), discussion) + comments
    if project := identity.code_link(paper.project):
        yield link(text("Project"), project)


def _packed(items: Iterable[str]) -> Iterator[str]:
    """In lines of a moderate length: all reasons of a paper can be more than a message holds."""
    shown = ""
    for item in items:
        if len(shown) + len(item) > _IN_A_LINE:
            yield shown
            shown = ""
        shown += _DOT + item if shown else item
    if shown:
        yield shown


def _small(texts: Iterable[str]) -> list[str]:
    return [f"-# {each}" for each in texts]


def _small_texts(texts: Iterable[Text]) -> list[str]:
    return _small(line for each in texts for line in lines(each))


def _heading(spans: Text) -> list[str]:
    first, *more = lines(spans) or [""]
    if not first:
        return []
    end = "\u200b" if first.endswith("#") else ""  # Discord drops it there
    return [f"### {first}{end}", *more]


def _day(day: date) -> str:
    return f"{day.day}{_GLUE}{day:%b}{_GLUE}{day.year}"


def _count(number: int, what: str) -> str:
    return f"{number:,}{_GLUE}{what}{'' if number == 1 else 's'}"


# Answers


def _listing(listing: Listing) -> Iterator[Piece]:
    intro = (line for each in listing.intro for line in lines(each))
    if head := (*_heading(listing.title), *intro):
        yield Piece(head)
    for row in listing.rows:
        yield from _row(row)
    yield from _cards(listing.cards)
    notes = _small_texts(listing.notes)
    yield from _closing(notes, listing.actions, ruled=bool(listing.cards))


def _row(row: Row) -> Iterator[Piece]:
    lead = lines(row.lead, strong=True)
    body = lines(row.body)
    one_line = len(lead) == len(body) == 1
    shown = [f"{lead[0]}{_DOT}{body[0]}"] if one_line else [*lead, *body]
    shown += _small_texts(row.details)
    actions = clickable(row.actions)
    one = actions[0] if len(actions) == 1 and shown else None
    if shown or actions:
        yield Piece(tuple(shown), beside=one, buttons=() if one else actions)


def _notice(notice: Notice) -> Iterator[Piece]:
    shown = lines(notice.message)
    if notice.source:
        shown.append(mistake(notice.source, notice.start, notice.end))
    shown += [line for hint in notice.hints for line in lines(hint)]
    if shown:
        yield Piece(tuple(shown))
    yield from _cards(notice.cards)
    yield from _closing((), notice.actions, ruled=bool(notice.cards))


def _form(form: Form) -> Iterator[Piece]:
    """What it asks and what is set: where no modal can be opened."""
    yield Piece(tuple(_heading(text(form.title)) or [form.command]))
    for field in form.fields:
        told = ". ".join(filter(None, (", ".join(field.choices), field.hint)))
        row = Row(text(field.label), text(field.value or "not set"), (text(told),) if told else ())
        yield from _row(row)
    yield from _closing(_small_texts(form.notes), (), ruled=False)


# What the publisher adds, and reads back

_LIVE = re.compile(r"\]\(https://[^\s()#]+(?=\))")
_KEYED = re.compile(r"\]\(https://[^\s()#]+#([\w-]+)\)")


def with_key(payload: Json, key: str) -> Json:
    """The message with its key, as the fragment of the first link; one without a link gets one."""
    keyed = deepcopy(payload)
    for display in _displays(keyed):
        content, found = _LIVE.subn(rf"\g<0>#{key}", display["content"], count=1)
        if found:
            display["content"] = content
            return keyed
    last = keyed["components"][-1]
    inside = last["components"] if last["type"] == CONTAINER else keyed["components"]
    keeper = link(text("arXiv"), Link(f"{_ARXIV}#{key}"))
    inside.append({"type": DISPLAY, "content": f"-# {keeper}"})
    return keyed


def key_of(message: Mapping[str, Any]) -> str | None:
    """The key of a message as Discord's history gives it."""
    for display in _displays(message):
        if found := _KEYED.search(display["content"]):
            return found[1]
    return None


def with_ping(payload: Json, role_id: str) -> Json:
    """The message with a mention of the role above it: the only one that fires."""
    if not role_id.isdecimal():
        return payload
    mention = {"type": DISPLAY, "content": f"<@&{role_id}>"}
    allowed = NOBODY | {"roles": [role_id]}
    components = [mention, *payload["components"]]
    return payload | {"components": components, "allowed_mentions": allowed}


def without_buttons(payload: Json) -> Json:
    """The message with its texts alone, should Discord find fault with what can be clicked."""
    return payload | {"components": _texts(payload["components"])}


def _texts(components: Iterable[Json]) -> list[Json]:
    kept: list[Json] = []
    for component in components:
        match component["type"]:
            case int(kind) if kind == SECTION:
                kept += component["components"]
            case int(kind) if kind == CONTAINER:
                if inside := _texts(component["components"]):
                    kept.append(component | {"components": inside})
            case int(kind) if kind != ROW:
                kept.append(component)
            case _:
                pass
    return kept


def _displays(message: Mapping[str, Any]) -> Iterator[Json]:
    for component in walk(message.get("components", ())):
        if component["type"] == DISPLAY:
            yield component
