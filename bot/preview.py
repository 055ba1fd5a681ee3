"""What the last days would have brought a channel, keyword by keyword: a preview that teaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from bot import identity, query
from bot.cards import card
from bot.digests import Digests, chosen
from bot.filters import compile_filter
from bot.keywords import Compiler, Document
from bot.model import Channel, Paper, Subscription
from bot.ports import Clock, Library, SearchIndex
from bot.query import PHRASE, WORDS, Clause, Item, Query, format_item
from bot.ranking import LINE, STRICTNESS, Verdict
from bot.views import Listing, Notice, Row, Span, Text, View, how_many, joined, text, typed

_TOO_BROAD = 0.3  # of the papers tried
_HINTS = 5  # for keywords that found nothing


class Previews:
    def __init__(
        self, library: Library, digests: Digests, index: SearchIndex, clock: Clock
    ) -> None:
        self._library = library
        self._digests = digests
        self._index = index
        self._clock = clock

    async def recent(self, channel: Channel, days: int) -> tuple[list[Paper], str]:
        """Papers of the last *days* days, counted back from the newest where that is older."""
        today = self._today(channel)
        newest = await self._library.newest_day() or today
        end = min(today, newest)
        stale = (today - end).days >= days
        if not stale:
            end = today
        papers = await self._library.between(end - timedelta(days=days), end)
        span = f"In the last {days} days" if days > 1 else "In the last day"
        if stale:
            span = f"In the {days} days to {end:%-d %B %Y}, the newest here,"
        return papers, span

    def _today(self, channel: Channel) -> date:
        return self._clock().astimezone(ZoneInfo(channel.schedule.zone)).date()

    async def preview(self, channel: Channel, days: int, new: Query | None) -> View:
        """What the last days would have brought, with *new* as a further subscription."""
        papers, span = await self.recent(channel, days)
        if not papers:
            return Notice(text("There are no papers here yet to try it on."), kind="info")
        documents = [Document(paper) for paper in papers]
        before, trial = channel, None
        if new is not None and all(s.query != new for s in channel.subscriptions):
            trial = Subscription(channel.next_number, new)
            channel = replace(channel, subscriptions=(*channel.subscriptions, trial))
        items = dict.fromkeys(item for s in channel.subscriptions for item in _items(s.query))
        holding = {item: _holding(item, documents) for item in items}
        profile = await self._digests.profile(channel)
        verdicts = [profile.judge(document) for document in documents]
        shown = passed = chosen([v for v in verdicts if v.passed])
        intro = [
            text(
                f"{span} {how_many(len(papers))} came in and {len(passed)} would have been brought."
            )
        ]
        if trial:
            profile_before = await self._digests.profile(before)
            usual = [v for v in map(profile_before.judge, documents) if v.passed]
            shown = _beyond(passed, usual)
            intro.append(_added(len(shown), len(chosen(usual)), len(_beyond(usual, passed))))
        elif new is not None:
            intro.append(text(Span(str(new), code=True), " is subscribed to already."))
        missing = [item for item, found in holding.items() if not found]
        hints = {item: await self._instead(item, documents) for item in missing[:_HINTS]}
        matched = [d for d, verdict in zip(documents, verdicts, strict=True) if verdict.numbers]
        rates = {f"{channel.strictness}": len(passed)}
        for name in STRICTNESS:
            if name not in rates:
                judged = map(profile.at(name).judge, matched)
                rates[name] = len(chosen([v for v in judged if v.passed]))
        return Listing(
            text("Preview"),
            intro=tuple(intro),
            rows=tuple(
                _row(s, verdicts, holding, hints, len(papers)) for s in channel.subscriptions
            ),
            cards=tuple(card(v) for v in shown[: channel.max]),
            notes=(
                *_near_misses(verdicts),
                _strictness(rates, len({paper.listed_on for paper in papers})),
                text("Nothing was changed or marked."),
            ),
        )

    async def _instead(self, item: Item, documents: Sequence[Document]) -> Text:
        """The nearest thing to an item that found nothing."""
        nothing = Span(format_item(item), code=True)
        if item.is_filter:
            return text("Nothing for ", nothing, ".")
        meant = await self._index.suggest(Query((Clause((item,)),)))
        meant_items = _items(query.parse(meant)) if meant else []
        if found := sum(len(_holding(near, documents)) for near in meant_items):
            return text(
                "Nothing for ", nothing, ": did you mean ", Span(meant, code=True),
                f" ({how_many(found)})?",
            )  # fmt: skip
        words = replace(item, kind=WORDS)
        if item.kind == PHRASE and " " in item.text and (found := len(_holding(words, documents))):
            return text(
                "Nothing for ", nothing, " as a phrase; ",
                f"all its words, without the quotes, are in {how_many(found)}.",
            )  # fmt: skip
        return text("Nothing for ", nothing, "; a shorter or more usual word may find more.")


def _added(more: int, usual: int, lost: int) -> Text:
    raised = f" and raise the line, so that {lost} of those stay away" if lost else ""
    return text(f"The new term would add {how_many(more)} to {usual}{raised}.")


def careful(asked: Query, matched: int, papers: int) -> list[Text]:
    """A warning where a query lets nearly everything through."""
    if matched <= _TOO_BROAD * papers and not asked.only_excludes:
        return []
    return [text(
        "Careful: ", Span(str(asked), code=True),
        f" {'only excludes and ' if asked.only_excludes else ''}"
        f"matches {matched:,} of {papers:,} papers. ",
        "Add a word that they must have.",
    )]  # fmt: skip


def _strictness(rates: Mapping[str, int], days: int) -> Text:
    """What a day brings: with the strictness that is set, which is the first, and with others."""
    (present, brought), *others = rates.items()
    named = [text(f"{name} {_rate(count, days)}") for name, count in others]
    return text(
        f"Strictness {present}, as set, brings {_rate(brought, days)} a day, ", *joined(named),
        ". Change it with ", typed(f"set strictness:{others[-1][0]}"), ".",
    )  # fmt: skip


def _items(asked: Query) -> list[Item]:
    return [item for clause in asked.clauses if not clause.negated for item in clause.items]


def _holding(item: Item, documents: Sequence[Document]) -> frozenset[int]:
    """The places of the papers that hold it."""
    if item.is_filter:
        admit = compile_filter(item)
        return frozenset(n for n, document in enumerate(documents) if admit(document.paper))
    keyword = Compiler().keyword(item)
    return frozenset(n for n, document in enumerate(documents) if document.find(keyword))


def _row(
    s: Subscription,
    verdicts: Sequence[Verdict],
    holding: Mapping[Item, frozenset[int]],
    hints: Mapping[Item, Text],
    papers: int,
) -> Row:
    """What one subscription brings, what each of its keywords finds, and how to better it."""
    matched = [v for v in verdicts if s.number in v.numbers]
    above = [v for v in matched if v.passed]
    alone = sum(v.numbers == (s.number,) for v in above)
    details = [text(f"{alone} only through it")] if alone else []
    items = _items(s.query)
    if len(items) > 1:
        counted = [text(Span(format_item(i), code=True), f" {len(holding[i]):,}") for i in items]
        details.append(text("By keyword: ", *joined(counted)))
    details += [hints[item] for item in items if item in hints]
    if items and not matched and all(holding[item] for item in items):
        details.append(text("Its parts are found, but no paper passes them all: leave one out."))
    details += careful(s.query, len(matched), papers)
    return Row(
        text(f"{len(above)}"),
        text(f"of {how_many(len(matched))} for ", Span(str(s.query), code=True)),
        tuple(details),
    )


def _beyond(some: Sequence[Verdict], others: Sequence[Verdict]) -> list[Verdict]:
    known = {v.paper.id for v in others}
    return [v for v in some if v.paper.id not in known]


def _near_misses(verdicts: Sequence[Verdict]) -> list[Text]:
    near = [v for v in verdicts if v.numbers and not v.passed and not v.blocked]
    near.sort(key=lambda v: (-v.score, v.paper.id))
    return [
        text(
            f"Just missed, {max(0.1, LINE - v.score):.1f} of {LINE:.0f} points short: ",
            Span(v.paper.title, link=identity.paper_link(v.paper.id, v.paper.title)),
            f", with only {'; '.join(reason.text for reason in v.reasons)}.",
        )
        for v in near[:3]
    ]


def _rate(count: int, days: int) -> str:
    rate = count / days
    return f"{rate:.1f}" if 0 < rate < 9.95 and count % days else f"{rate:.0f}"
