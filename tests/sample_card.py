"""A paper of which much is known, and its card; each platform's tests add what they turn on."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.model import Paper
from bot.views import PaperCard, Reason, Span, text

PAPER = Paper(
    "arxiv:2606.20622",
    "Draft and Verify: Speculative Decoding at Scale",
    authors=("Ada Lovelace", "Yejin Choi", "Mary Shelley", "Emmy Noether", "Maryam Mirzakhani"),
    categories=("cs.CL", "cs.LG"),
    published=datetime(2026, 6, 20, 17, 0, tzinfo=UTC),
    upvotes=41,
    discussion=5,
    code="https://github.com/ada/engine/tree/main?tab=readme",
    stars=1312,
    submitter="akhaliq",
)
CARD = PaperCard(
    PAPER,
    42.1,
    (Reason('"speculative decoding" in title', 31.0), Reason("41 upvotes", 11.1)),
    gist=text(Span("Speculative decoding", strong=True), " makes them fast."),
)
