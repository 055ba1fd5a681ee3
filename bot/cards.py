"""Papers as cards: what is shown of them, with what matched marked."""

from __future__ import annotations

from collections.abc import Sequence

from bot import identity
from bot.model import Paper
from bot.ranking import Verdict
from bot.text import Pattern, clip, marks, sentences
from bot.views import Action, PaperCard, Span, Text, text

_GIST = 320  # characters


def card(verdict: Verdict) -> PaperCard:
    paper = verdict.paper
    return PaperCard(
        paper,
        score=verdict.score,
        reasons=verdict.reasons,
        gist=gist(paper, verdict.patterns),
        title=highlighted(paper.title, verdict.patterns),
        actions=actions(paper),
    )


def whole(paper: Paper) -> PaperCard:
    """With its abstract, unscored."""
    return PaperCard(
        paper,
        abstract=text(paper.abstract or "Its abstract is not known here."),
        gist=text(paper.summary),
        actions=actions(paper)[:1],
    )


def actions(paper: Paper) -> tuple[Action, ...]:
    """What can be asked about it, the likeliest first: a renderer with little room folds the rest."""
    short = identity.short_id(paper.id)
    return (
        Action("Save", f"save {short}"),
        Action("Similar", f"similar {short}"),
        Action("Why", f"why {short}"),
        Action("Abstract", f"show {short}"),
        Action("Less like this", f"dislike {short}"),
        Action("Share", f"share {short}"),
    )


def gist(paper: Paper, patterns: Sequence[Pattern]) -> Text:
    """The given summary, else the sentence of the abstract that matches best, matches strong."""
    if paper.summary:
        return highlighted(clip(paper.summary, _GIST), patterns)
    found = sentences(paper.abstract)
    if not found:
        return ()
    hits = [len(marks(sentence, patterns)) for sentence in found]
    best = max(range(len(found)), key=lambda i: (hits[i], -i))
    shown = found[best]
    if best + 1 < len(found) and len(shown) + len(found[best + 1]) < _GIST * 3 // 4:
        shown = f"{shown} {found[best + 1]}"
    return highlighted(clip(shown, _GIST), patterns)


def highlighted(shown: str, patterns: Sequence[Pattern]) -> Text:
    spans: list[Span] = []
    at = 0
    for start, end in marks(shown, patterns):
        spans += text(shown[at:start], Span(shown[start:end], strong=True))
        at = end
    return (*spans, *text(shown[at:]))
