"""A small world to ask: a channel, a clock that stands still, and stores in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bot.answers import Announcer, Answers
from bot.digests import Digests
from bot.feedback_answers import FeedbackAnswers
from bot.model import Caller, ChannelRef, Origin, Paper, Record
from bot.paper_answers import PaperAnswers, patterns_of
from bot.ports import Page, PaperSearch, Search
from bot.preview import Previews
from bot.query import Query
from bot.subscription_answers import SubscriptionAnswers
from bot.text import Field
from bot.views import Digest, Document, Form, Listing, Notice, Row, Text, View, plain
from tests.fake_people import MemoryPeople
from tests.fake_store import MemoryChannelStore, MemoryOutbox
from tests.fakes import MemoryLibrary

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)  # a Monday
TODAY = NOW.date()
HERE = ChannelRef("terminal", "local", "lab")
ANN = Caller(HERE, "ann", zone="Europe/Berlin")


def paper(number: int, title: str, abstract: str = "", **more: object) -> Paper:
    made = Paper(f"arxiv:2611.{number:05}", title, abstract or f"A study of {title.lower()}.")
    return replace(made, **more)  # type: ignore[arg-type]  # the fields of Paper


class ScanIndex:
    """A search that looks at every paper: more matching words first."""

    def __init__(self, library: MemoryLibrary) -> None:
        self._library = library

    async def search(self, search: Search) -> Page:
        patterns = patterns_of(search.query)
        hits = []
        for found in await self._library.between(date.min, date.max):
            fields = Field(found.title), Field(found.abstract)
            score = float(sum(p.count(field) for p in patterns for field in fields))
            if score:
                hits.append((found.id, score))
        hits.sort(key=lambda hit: (-hit[1], hit[0]))
        return Page(tuple(hits[search.offset : search.offset + search.limit]), len(hits))

    async def similar(self, paper: Paper, limit: int) -> list[tuple[str, float]]:
        everything = await self._library.between(date.min, date.max)
        return [(p.id, 1.0) for p in everything if set(p.title.split()) & set(paper.title.split())][
            :limit
        ]

    async def suggest(self, query: Query) -> str:
        return "graphs" if str(query) == "grpahs" else ""


class World:
    def __init__(self, *sources: PaperSearch) -> None:
        self.now = NOW
        self.store = MemoryChannelStore()
        self.library = MemoryLibrary()
        self.ledger = MemoryOutbox(self.library)
        self.people = MemoryPeople(self.library)
        self.digests = Digests(
            self.library, self.ledger, self.people, self.people, lambda: self.now
        )
        self.index = ScanIndex(self.library)
        self.announce_by(None, *sources)

    def announce_by(self, announcer: Announcer | None, *sources: PaperSearch) -> None:
        """Who posts to the channel what somebody asks for; without one it is the answer."""
        papers = PaperAnswers(
            self.library, self.index, sources, self.people, self.people, self.ledger,
            lambda: self.now,
        )  # fmt: skip
        subscriptions = SubscriptionAnswers(
            self.store, self.library, self.ledger, self.digests,
            Previews(self.library, self.digests, self.index, lambda: self.now),
            self.index, self.people, lambda: self.now,
        )  # fmt: skip
        self.answers = Answers(
            self.store, self.library, self.ledger, self.digests, papers, subscriptions,
            FeedbackAnswers(papers, self.digests, self.people, lambda: self.now),
            self.people, self.people, announcer, lambda: self.now,
        )  # fmt: skip

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
        case Document():
            lines += [view.name, view.content]
        case Form():
            lines += [f"{f.name}={f.value}" for f in view.fields]
            add(*view.notes)
    if not isinstance(view, Form | Document):
        for card in view.cards:
            lines += [card.paper.title, *(reason.text for reason in card.reasons)]
            add(*card.notes, card.abstract)
    return "\n".join(lines)


def titles(view: View) -> list[str]:
    return [] if isinstance(view, Form | Document) else [card.paper.title for card in view.cards]
