"""Views as JSON for machines; its shapes are stable."""

from __future__ import annotations

from typing import Any

from bot import identity
from bot.paper_answers import Found
from bot.refresh import Fetched
from bot.views import Digest, PaperCard

JSON = dict[str, Any]


def digest(view: Digest) -> JSON:
    quiet = view.quiet
    return {
        "channel": str(view.ref) if view.ref else None,
        "slot": view.slot.isoformat(),
        "considered": view.considered,
        "papers": [hit(card) for card in view.cards],
        "quiet": {"cause": quiet.cause, "text": quiet.text} if quiet else None,
    }


def search(found: Found) -> JSON:
    return {
        "query": str(found.command.query),
        "total": found.total,
        "hits": [hit(card) for card in found.cards],
    }


def fetched(done: Fetched) -> JSON:
    """The shape of an import's entry, without a file."""
    return {
        "name": done.name,
        "file": None,
        "kind": None,
        "read": done.read,
        "new": len(done.new),
        "changed": len(done.changed - done.new),
        "skipped": 0,
        "ids": done.ids,
        "error": done.error or None,
    }


def hit(card: PaperCard) -> JSON:
    paper = card.paper
    return {
        "id": paper.id,
        "title": paper.title,
        "url": identity.paper_link(paper.id, paper.title).url,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "published": paper.published.isoformat() if paper.published else None,
        "listed_on": paper.listed_on.isoformat() if paper.listed_on else None,
        "upvotes": paper.upvotes,
        "score": card.score,
        "reasons": [{"text": r.text, "points": r.points} for r in card.reasons],
    }
