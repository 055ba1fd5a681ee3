"""A paper as blocks: dense where many stand together, roomy where one stands alone, plain below a link."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

from adapters.slack import blocks
from adapters.slack.blocks import Block, line
from bot import identity
from bot.identity import Link, short_id
from bot.model import Paper
from bot.text import clip
from bot.views import PaperCard, Span, Text, how_many, plain, text

_TITLE = 300  # characters
_NAME = 60
_CATEGORIES = 160
_REASON = 200
_GIST = 600
_ADDRESS = 80
_AUTHORS = 3
_DOT = "\xa0· "  # no line begins with it


def compact(card: PaperCard, *, dated: bool) -> list[Block]:
    """Title, gist, small print, buttons; *dated* where papers of many days stand together."""
    facts = text(_DOT.join(_facts(card.paper, dated=dated)))
    links = _links(card.paper)
    return [
        *_said(card),
        *blocks.context(
            blocks.small([(*facts, *text(_DOT if facts and links else ""), *links), _score(card)])
        ),
        *blocks.rich(blocks.section(*card.notes, card.abstract)),
        *blocks.folded(card.actions),
    ]


def roomy(card: PaperCard) -> list[Block]:
    """Title, gist, facts in two columns, the reasons as a list, the abstract, links, buttons."""
    paper = card.paper
    fields = [blocks.field(name, value) for name, value in _columns(paper) if value]
    scored = () if card.score is None else text(Span(_points(card.score), strong=True))
    reasons = [
        text(Span(f"{reason.points:.1f}", strong=True), f"\xa0 {line(reason.text, _REASON)}")
        for reason in card.reasons
    ]
    return [
        *_said(card),
        *([{"type": "section", "fields": fields}] if fields else []),
        *blocks.rich([*blocks.section(scored), *blocks.bullets(reasons)]),
        *blocks.rich(blocks.section(*card.notes)),
        *blocks.rich(blocks.section(card.abstract)),
        *blocks.context(blocks.small([_links(paper)])),
        *blocks.folded(card.actions),
    ]


def unfurled(card: PaperCard) -> list[Block]:
    """Title, gist and small print, for below a link: there Slack refuses ``rich_text``.

    Undocumented: chat.unfurl answers it with invalid_blocks (java-slack-sdk#948, sentry#100345).
    """
    facts = text(_DOT.join(_facts(card.paper, dated=True)))
    links = _links(card.paper)
    said = blocks.small([(title(card),), clipped(card.gist, _GIST)])
    return [
        *({"type": "section", "text": each} for each in said),
        *blocks.context(blocks.small([(*facts, *text(_DOT if facts and links else ""), *links)])),
    ]


def _said(card: PaperCard) -> list[Block]:
    return blocks.rich(blocks.section((title(card),), clipped(card.gist, _GIST)))


def title(card: PaperCard) -> Span:
    """Bold, and the way to the page with the abstract."""
    paper = card.paper
    words = line(plain(card.title)) or line(paper.title) or line(short_id(paper.id))
    link = identity.paper_link(paper.id, paper.title)
    return Span(clip(words, _TITLE), strong=True, link=link)


def clipped(spans: Text, limit: int) -> Text:
    """The text at most so long."""
    kept: list[Span] = []
    room = limit
    for span in spans:
        if len(span.text) > room:
            kept.append(Span(clip(span.text, max(room, 1)), span.strong, span.code, span.link))
            break
        kept.append(span)
        room -= len(span.text)
    return tuple(kept)


def _facts(paper: Paper, *, dated: bool) -> Iterator[str]:
    yield from filter(None, (_authors(paper), _categories(paper), _day(paper) if dated else ""))
    yield from _votes(paper)


def _columns(paper: Paper) -> Iterator[tuple[str, str]]:
    """Names and facts; those that a paper of arXiv has come in a pair."""
    day, categories = _day(paper), _categories(paper)
    listed = "Published" if paper.published else "Listed"
    yield "Authors", _authors(paper)
    yield listed if day else "Categories", " in ".join(filter(None, (day, categories)))
    yield "Hugging Face", ", ".join(_votes(paper))
    yield "Organisation", line(paper.organisation, _NAME)


def _votes(paper: Paper) -> Iterator[str]:
    if submitter := line(paper.submitter, _NAME):
        yield f"submitted by {submitter}"
    if paper.upvotes:
        yield how_many(paper.upvotes, "upvote")


def _authors(paper: Paper) -> str:
    first = ", ".join(filter(None, (line(name, _NAME) for name in paper.authors[:_AUTHORS])))
    more = len(paper.authors) - _AUTHORS
    return f"{first} +{more}" if first and more > 0 else first


def _categories(paper: Paper) -> str:
    return clip(", ".join(filter(None, map(line, paper.categories))), _CATEGORIES)


def _day(paper: Paper) -> str:
    if paper.published is not None:
        return _dated(paper.published)
    return "" if paper.listed_on is None else _dated(paper.listed_on)


def _dated(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _score(card: PaperCard) -> Text:
    reasons = ", ".join(f"{line(r.text, _REASON)} {r.points:.1f}" for r in card.reasons)
    if card.score is None:
        return text(reasons)
    return text(Span(_points(card.score), strong=True), f": {reasons}" if reasons else "")


def _points(score: float) -> str:
    return f"{score:.1f} points"


def _links(paper: Paper) -> Text:
    stars = f" ★ {paper.stars:,}" if paper.stars else ""
    comments = f" ({how_many(paper.discussion, 'comment')})" if paper.discussion else ""
    is_discussed = bool(paper.upvotes or paper.discussion)
    found = [
        ("PDF", identity.pdf_link(paper.id), ""),
        ("Code", identity.code_link(paper.code), stars),
        ("Project", identity.code_link(paper.project), ""),
        ("Discussion", identity.discussion_link(paper.id) if is_discussed else None, comments),
    ]
    seen: set[Link] = set()
    parts = []
    for name, link, more in found:
        if link and link not in seen:
            seen.add(link)
            parts.append(text(Span(name, link=link), more))
    parts += [text(each) for each in [_project(paper)] if each]
    return tuple(span for i, part in enumerate(parts) for span in (*text(_DOT if i else ""), *part))


def _project(paper: Paper) -> str:
    """A page of its own, as words: its address came from a feed, so it is no link."""
    if identity.code_link(paper.project) or identity.parse_id(paper.project):
        return ""
    try:
        parts = urlsplit(paper.project.strip())
    except ValueError:
        return ""
    bare = f"{parts.netloc}{parts.path}".rstrip("/")
    return line(bare, _ADDRESS) if parts.scheme in ("http", "https") else ""
