"""A small world to ask: a channel, a clock that stands still, and stores in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bot.answers import Answers
from bot.digests import Digests
from bot.model import Caller, ChannelRef, Origin, Paper, Record
from bot.views import Digest, Form, Listing, Notice, Row, Text, View, plain
from tests.fake_store import MemoryChannelStore
from tests.fakes import MemoryLedger, MemoryLibrary

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)  # a Monday
TODAY = NOW.date()
HERE = ChannelRef("terminal", "local", "lab")
ANN = Caller(HERE, "ann", zone="Europe/Berlin")


def paper(number: int, title: str, abstract: str = "", **more: object) -> Paper:
    made = Paper(f"arxiv:2611.{number:05}", title, abstract or f"A study of {title.lower()}.")
    return replace(made, **more)  # type: ignore[arg-type]  # the fields of Paper


class World:
    def __init__(self) -> None:
        self.now = NOW
        self.store = MemoryChannelStore()
        self.library = MemoryLibrary()
        self.ledger = MemoryLedger(self.library)
        self.digests = Digests(self.library, self.ledger, lambda: self.now)
        self.answers = Answers(
            self.store, self.library, self.ledger, self.digests, lambda: self.now
        )

    async def say(self, words: str, caller: Caller = ANN) -> View:
        return await self.answers.say(words, caller)

    async def listed(
        self, *papers: Paper, on: date = TODAY, live: bool = True, origin: Origin = Origin.ARXIV_API
    ) -> None:
        records = [Record(p, origin, listed_on=on, observed_on=on) for p in papers]
        await self.library.add(records, today=on, live=live)

    def pass_days(self, days: int) -> None:
        self.now += timedelta(days=days)


def words(view: View) -> str:
    """All text of a view, a piece a line."""
    lines: list[str] = []

    def add(*texts: Text) -> None:
        lines.extend(plain(text) for text in texts)

    def add_rows(rows: tuple[Row, ...]) -> None:
        for row in rows:
            add(row.lead, row.body, *row.details)

    match view:
        case Digest():
            add(view.heading, *view.notes)
            lines.append(view.quiet.text if view.quiet else "")
        case Listing():
            add(view.title, *view.intro)
            add_rows(view.rows)
            add(*view.notes)
        case Notice():
            add(view.message, *view.hints)
        case Form():
            lines += [f"{f.name}={f.value}" for f in view.fields]
            add(*view.notes)
    if not isinstance(view, Form):
        for card in view.cards:
            lines += [card.paper.title, *(reason.text for reason in card.reasons)]
            add(*card.notes, card.abstract)
    return "\n".join(lines)


def titles(view: View) -> list[str]:
    return [] if isinstance(view, Form) else [card.paper.title for card in view.cards]
