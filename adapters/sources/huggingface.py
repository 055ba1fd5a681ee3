"""Hugging Face's Daily Papers: the lists of the days, and search and look-up for people.

What an item means is told by ``records``; here is what to ask, and what an answer as a whole means.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from adapters.sources.http import Answer, PoliteClient
from adapters.sources.records import Skipped, daily_paper
from bot.errors import SourceUnavailable
from bot.model import Paper, Record
from bot.ports import Batch, Clock, Health
from bot.query import Query

log = logging.getLogger(__name__)

PAGE: Final = 100  # the most that daily_papers gives
CUT: Final = 50  # what it gives where the limit is not heeded: the default
PAPERS_A_DAY: Final = 5_000  # design §12
VOTES_GROW: Final = timedelta(days=14)
# Votes of older lists need no half-hourly look; today's and yesterday's still get papers
REFRESH: Final = timedelta(hours=6)
LONGEST_WORDS: Final = 250
MOST_FOUND: Final = 120
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NAMED: Final = 5  # broken items that the log names, of one page


@dataclass(slots=True)
class _State:
    """When each list was last read, and where a backfill from *since* stands, as JSON."""

    read: dict[date, datetime] = field(default_factory=dict)
    since: str = ""
    done: str = ""

    @classmethod
    def of(cls, text: str) -> _State:
        if not text:
            return cls()
        try:
            kept = json.loads(text)
            return cls(
                {
                    date.fromisoformat(day): datetime.fromisoformat(at).astimezone(UTC)
                    for day, at in kept["read"].items()
                },
                str(kept["since"]),
                str(kept["done"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            log.warning("When the Daily Papers were read cannot be read; all are asked anew")
            return cls()

    def text(self) -> str:
        read = {str(day): at.isoformat() for day, at in sorted(self.read.items())}
        return json.dumps({"read": read, "since": self.since, "done": self.done})


class HuggingFace:
    """Each batch's token is the state to keep as ``Health.state`` once the batch is filed."""

    name = "huggingface"

    def __init__(self, client: PoliteClient, *, endpoint: str, clock: Clock) -> None:
        self._client = client
        self._endpoint = endpoint.rstrip("/")
        self._clock = clock
        self._not_before = _NEVER

    async def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        """The lists since then, newest first, and those of two weeks for their votes.

        Today's list and yesterday's are read each time, the others every six hours.
        """
        state = _State.of(health.state)
        now = self._clock()
        today = now.astimezone(UTC).date()
        first = min(since.astimezone(UTC).date(), today - VOTES_GROW)
        state.read = {day: at for day, at in state.read.items() if first <= day <= today}
        seen: set[str] = set()
        for day in reversed(list(_list_days(first, today))):
            if day < today - timedelta(days=1) and now - state.read.get(day, _NEVER) < REFRESH:
                continue
            async for batch in self._list(day, seen):
                if batch.complete:
                    state.read[day] = now
                yield replace(batch, token=state.text())
                if len(seen) > PAPERS_A_DAY:
                    raise SourceUnavailable(
                        f"Hugging Face brought more than {PAPERS_A_DAY:,} papers at once, "
                        "and the rest is held: no two weeks have so many.",
                        hint="For months at once use a backfill.",
                    )

    async def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        """The lists from *since* to today, oldest first; goes on where an earlier one stopped."""
        state = _State.of(health.state)
        if state.since != str(since):
            state.since, state.done = str(since), ""
        for day in _list_days(since, self._clock().astimezone(UTC).date()):
            if str(day) <= state.done:
                continue
            async for batch in self._list(day, set()):
                if batch.complete:
                    state.done = str(day)
                yield replace(batch, token=state.text())
        state.since = state.done = ""
        yield Batch((), token=state.text())

    async def _list(self, day: date, seen: set[str]) -> AsyncIterator[Batch]:
        """One day's list, page by page; only the last batch can be *complete*.

        A first page of exactly 50 may be one whose limit was not heeded. Where nothing new follows
        it, the list is taken to be cut.
        """
        of_day: set[str] = set()
        page = size = 0
        while True:
            params = {"date": str(day), "limit": str(PAGE), "p": str(page)}
            answer = await self._ask("/api/daily_papers", params)
            items = await asyncio.to_thread(_items, answer)
            records = self._records(items, day)
            fresh = tuple(record for record in records if record.paper.id not in of_day)
            of_day.update(record.paper.id for record in fresh)
            seen |= of_day
            size = size or len(items)
            if page == 0:
                last, cut = size not in (PAGE, CUT), False
            else:
                last = len(items) < size or not fresh
                cut = not fresh and (bool(items) or size == CUT)
            if cut:
                log.warning("The Daily Papers of %s are cut at %d", day, len(of_day))
            yield Batch(fresh, day if of_day else None, complete=last and not cut)
            if last or len(seen) > PAPERS_A_DAY:
                return
            page += 1

    async def _ask(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        urgent: bool = False,
        accept: Collection[int] = (HTTPStatus.OK,),
    ) -> Answer:
        """Stops before the limit is passed: ``RateLimit: "api";r=0;t=42``, none for 42 seconds."""
        if (left := (self._not_before - self._clock()).total_seconds()) > 0:
            raise SourceUnavailable(
                "Hugging Face has answered as often as it allows for now.",
                hint=f"The next try makes sense in {left:.0f} s.",
                retry_after=left,
            )
        url = self._endpoint + path
        answer = await self._client.get(url, params, urgent=urgent, accept=accept)
        told = answer.headers.get("ratelimit", "")
        if none_left := re.search(r";\s*r=0\s*;\s*t=([0-9]{1,6})", told):
            self._not_before = self._clock() + timedelta(seconds=int(none_left[1]))
        return answer

    def _records(self, items: Iterable[object], day: date) -> list[Record]:
        """Their counts are of now, whatever day the list is of. A broken item costs itself alone."""
        today = self._clock().astimezone(UTC).date()
        records, broken = [], 0
        for outcome in (daily_paper(item, day) for item in items):
            if not isinstance(outcome, Skipped):
                records.append(replace(outcome, observed_on=today))
                continue
            broken += 1
            if broken <= _NAMED:
                log.warning("Daily Papers of %s: left out %s: %s", day, outcome.what, outcome.why)
        if broken > _NAMED:
            log.warning("Daily Papers of %s: left out %d items in all", day, broken)
        return records

    async def search(self, query: Query, limit: int) -> list[Paper]:
        """What it finds by meaning and words; the caller looks again at what was asked for."""
        words = _words(query)
        if not words:
            return []
        params = {"q": words, "limit": str(max(1, min(limit, MOST_FOUND)))}
        items = _items(await self._ask("/api/papers/search", params, urgent=True))
        outcomes = (daily_paper(item) for item in items)
        return [outcome.paper for outcome in outcomes if isinstance(outcome, Record)][:limit]

    async def lookup(self, paper_id: str) -> Paper | None:
        kind, _, bare = paper_id.partition(":")
        if kind != "arxiv" or "/" in bare:  # the old ids have no page
            return None
        path = f"/api/papers/{quote(bare, safe='.')}"
        answer = await self._ask(path, urgent=True, accept=(HTTPStatus.OK, HTTPStatus.NOT_FOUND))
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        outcome = daily_paper({"paper": _json(answer)})
        if isinstance(outcome, Skipped) or outcome.paper.id != paper_id:
            return None
        return outcome.paper


def _list_days(first: date, last: date) -> Iterable[date]:
    """Nobody can submit on a weekend (huggingface_hub#2745): 580 days in the archive, none of it."""
    for n in range((last - first).days + 1):
        day = first + timedelta(days=n)
        if day.weekday() < 5:
            yield day


def _json(answer: Answer) -> Any:
    if answer.is_web_page:
        raise SourceUnavailable(
            "Hugging Face answers with a web page instead of data.",
            hint="The network may want a login first.",
        )
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise SourceUnavailable("Hugging Face’s answer is no sound JSON.") from error


def _items(answer: Answer) -> list[object]:
    value = _json(answer)
    if not isinstance(value, list):
        raise SourceUnavailable("Hugging Face answers with something else than a list of papers.")
    return value


def _words(query: Query) -> str:
    """What to look for; at most 250 characters of whole words."""
    items = query.keywords or tuple(
        item
        for clause in query.clauses
        if not clause.negated
        for item in clause.items
        if item.field in ("author", "org")
    )
    words = " ".join(item.text for item in items)
    if len(words) > LONGEST_WORDS:
        words = words[: LONGEST_WORDS + 1].rpartition(" ")[0] or words[:LONGEST_WORDS]
    return words
