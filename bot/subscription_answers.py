"""What people ask about a channel's subscriptions: to make, change, list and try them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from bot import commands, identity, query
from bot.acronyms import Meaning, acronyms_of, expanded, mined
from bot.digests import Digests, card, chosen
from bot.errors import UserError
from bot.filters import compile_filter
from bot.keywords import Compiler, Document
from bot.model import SUBSCRIPTIONS_PER_CHANNEL, Caller, Channel, Paper, Subscription
from bot.options import extras, told
from bot.ports import ChannelStore, Clock, KeptAnswers, Ledger, Library, Search, SearchIndex
from bot.query import PHRASE, WORDS, Clause, Item, Query, format_item
from bot.ranking import LINE, STRICTNESS, Profile, Verdict
from bot.schedule import Schedule
from bot.text import clip
from bot.views import Action, Listing, Notice, PaperCard, Row, Span, Text, View, text

_PAGE = 20  # subscriptions on one page of a list
_TOO_BROAD = 0.3  # of the papers tried
_MINED = 300  # papers with an acronym that are asked what it stands for
_LEAST_PAPERS, _LEAST_SHARE = 2, 0.03  # of them that have to agree
_MEANINGS, _QUESTIONS = 3, 3  # offered for one acronym; asked in one answer
_LABEL = 60  # characters of a button
_NEAR = 0.5  # points from the line within which rounding could decide
_HINTS = 5  # for keywords that found nothing


class SubscriptionAnswers:
    def __init__(
        self,
        store: ChannelStore,
        library: Library,
        ledger: Ledger,
        digests: Digests,
        index: SearchIndex,
        kept: KeptAnswers,
        clock: Clock,
    ) -> None:
        self._store = store
        self._library = library
        self._ledger = ledger
        self._digests = digests
        self._index = index
        self._kept = kept
        self._clock = clock

    async def channel(self, caller: Caller) -> Channel:
        """The one that the caller speaks in, with its defaults where nothing was ever set."""
        return await self._store.get(caller.ref) or await self._new(caller)

    async def _new(self, caller: Caller) -> Channel:
        schedule = Schedule.default(caller.zone or "UTC")
        number = await self._store.free_number(caller.ref)
        return Channel(caller.ref, schedule=schedule, next_number=number)

    async def save(self, channel: Channel, caller: Caller) -> None:
        await self._ledger.start(channel.ref, await self._library.end())
        await self._store.save(channel, caller.user)

    def _today(self, channel: Channel) -> date:
        return self._clock().astimezone(ZoneInfo(channel.schedule.zone)).date()

    async def subscribe(self, command: commands.Subscribe, caller: Caller) -> View:
        stored = await self._store.get(caller.ref)
        channel = stored or await self._new(caller)
        known = {s.query: s for s in channel.subscriptions}
        wishes = {wish.query: wish for wish in command.wishes}
        fresh = [wish for wish in wishes.values() if wish.query not in known]
        if len(known) + len(fresh) > SUBSCRIPTIONS_PER_CHANNEL:
            raise UserError(
                f"A channel has at most {SUBSCRIPTIONS_PER_CHANNEL} subscriptions; "
                f"this one has {len(known)}.",
                hint="Drop some first: list shows them, unsubscribe 3 drops the third.",
            )
        asked = [
            replace(
                known[q],
                weight=known[q].weight if wish.weight is None else wish.weight,
                label=known[q].label if wish.label is None else wish.label,
            )
            for q, wish in wishes.items()
            if q in known
        ]
        asked += [
            Subscription(channel.next_number + i, wish.query, wish.weight or 1.0, wish.label or "")
            for i, wish in enumerate(fresh)
        ]
        by_number = {s.number: s for s in (*channel.subscriptions, *asked)}
        after = replace(
            channel,
            subscriptions=tuple(by_number[n] for n in sorted(by_number)),
            next_number=channel.next_number + len(fresh),
        )
        if after != channel:
            await self.save(after, caller)
        lines = []
        for s in asked:
            was = known.get(s.query)
            done = "Subscribed" if was is None else "Already there" if was == s else "Changed"
            lines.append(text(f"{done}: ", *told(s), "."))
        hints, cards = await self._last_week(replace(after, subscriptions=tuple(asked)))
        questions, buttons = await self._questions([s for s in asked if s.query not in known])
        if stored is None:
            hints.append(self._first_schedule(after, caller))
        return Notice(
            lines[0],
            hints=(*lines[1:], *hints, *questions),
            cards=cards,
            actions=(*buttons, Action("List", "list"), Action("Undo", "config undo")),
        )

    @staticmethod
    def _first_schedule(channel: Channel, caller: Caller) -> Text:
        assumed = "" if caller.zone else "; your time zone is not known, so name it there"
        return text(
            f"Digests come {rhythm(channel)}. Change that with ",
            Span("schedule mon,thu 17:30 Europe/Berlin", code=True), f"{assumed}.",
        )  # fmt: skip

    async def _last_week(self, channel: Channel) -> tuple[list[Text], tuple[PaperCard, ...]]:
        """What these subscriptions would have brought, with warnings."""
        papers, span = await self._recent(channel, 7)
        if not papers:
            return [text("There are no papers here yet to try it on.")], ()
        verdicts = await self._judged(channel, papers)
        passed = chosen([v for v in verdicts if v.passed])
        hints = [text(f"{span} it would have brought {_papers(len(passed))} of {len(papers):,}.")]
        for subscription in channel.subscriptions:
            matched = sum(subscription.number in v.numbers for v in verdicts)
            hints += _careful(subscription.query, matched, len(papers))
        return hints, tuple(card(v) for v in passed[:3])

    async def _recent(self, channel: Channel, days: int) -> tuple[list[Paper], str]:
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

    # acronyms

    async def _questions(self, fresh: Sequence[Subscription]) -> tuple[list[Text], list[Action]]:
        """What the acronyms of new subscriptions stand for, each asked once."""
        hints: list[Text] = []
        buttons: list[Action] = []
        seen: set[str] = set()
        for s in fresh:
            for acronym in acronyms_of(s.query):
                if acronym in seen or len(hints) == _QUESTIONS:
                    continue
                seen.add(acronym)
                if meanings := (await self._meanings(acronym))[:_MEANINGS]:
                    hints.append(_question(s, acronym, meanings))
                    buttons += await self._expand_buttons(s, acronym, meanings)
        return hints, buttons

    async def _meanings(self, acronym: str) -> list[Meaning]:
        """What the papers here say that it stands for, the commonest first."""
        asked = Query((Clause((Item(PHRASE, acronym),)),))
        page = await self._index.search(Search(asked, limit=_MINED))
        found = [paper for i, _ in page.hits if (paper := await self._library.find(i))]
        least = max(_LEAST_PAPERS, _LEAST_SHARE * len(found))
        meanings = mined(f"{paper.title}. {paper.abstract}" for paper in found).get(acronym, [])
        return [
            m for m in meanings
            if m.papers >= least and len(m.text) <= query.VALUE_LENGTH and '"' not in m.text
        ]  # fmt: skip

    async def _expand_buttons(
        self, s: Subscription, acronym: str, meanings: Sequence[Meaning]
    ) -> list[Action]:
        now = self._clock()
        return [
            Action(
                clip(f"{acronym}: {meaning.text}", _LABEL),
                f"again {await self._kept.keep_answer(_expand(s, meaning), now)}",
            )
            for meaning in meanings
        ]

    async def expand(self, number: int, meaning: str, caller: Caller) -> View:
        """Put a long form beside an acronym; without one, list what is known."""
        channel = await self.channel(caller)
        was = self._find(channel, str(number))
        if not meaning:
            return await self._known_meanings(was)
        now = replace(was, query=expanded(was.query, meaning))
        if now == was:
            return Notice(text(f"“{meaning}” is there already: ", *told(was), "."), kind="info")
        for other in channel.subscriptions:
            if other.query == now.query:
                raise UserError(
                    f"It would become the same as subscription {other.number}.",
                    hint=f"Drop this one instead: unsubscribe {number}",
                )
        subscriptions = tuple(now if s == was else s for s in channel.subscriptions)
        await self.save(replace(channel, subscriptions=subscriptions), caller)
        hints, cards = await self._last_week(replace(channel, subscriptions=(now,)))
        papers, _ = await self._recent(channel, 7)
        before = await self._brought(replace(channel, subscriptions=(was,)), papers)
        old = text(f"Before, {_papers(len(before))} for ", Span(str(was.query), code=True), ".")
        return Notice(
            text("Changed: ", *told(now), "."),
            hints=(*hints, old) if papers else tuple(hints),
            cards=cards,
            actions=(Action("List", "list"), Action("Undo", "config undo")),
        )

    async def _known_meanings(self, s: Subscription) -> View:
        rows: list[Row] = []
        buttons: list[Action] = []
        for acronym in acronyms_of(s.query):
            meanings = await self._meanings(acronym)
            known = [
                text(f"{_papers(m.papers)}: ", Span(_expand(s, m), code=True)) for m in meanings
            ]
            body = "may stand for" if known else "is not spelt out in the papers here"
            rows.append(Row(text(acronym), text(body), tuple(known)))
            buttons += await self._expand_buttons(s, acronym, meanings[:_MEANINGS])
        if not rows:
            return Notice(
                text("There is no acronym in ", *told(s), " that is not spelt out already."),
                kind="info",
                hints=(text("An acronym is 2 to 5 capital letters."),),
            )
        return Listing(
            text("What the acronyms of ", *told(s), " stand for"),
            rows=tuple(rows),
            notes=(
                text("Or write it yourself: ", Span(f'expand {s.number} "long form"', code=True)),
            ),
            actions=tuple(buttons),
        )

    # the rest of the list

    async def unsubscribe(self, command: commands.Unsubscribe, caller: Caller) -> View:
        channel = await self.channel(caller)
        if not channel.subscriptions:
            raise UserError("This channel has no subscriptions.", hint="Write subscribe diffusion")
        if command.what.lower() == "all":
            if not command.sure:
                count = len(channel.subscriptions)
                return Notice(
                    text(f"This drops all {count} subscriptions of the channel."),
                    kind="info",
                    hints=(
                        text("To do it, write ", Span("unsubscribe all sure:yes", code=True), "."),
                    ),
                    actions=(Action("Drop all", "unsubscribe all sure:yes"),),
                )
            gone = channel.subscriptions
        else:
            gone = (self._find(channel, command.what),)
        kept = tuple(s for s in channel.subscriptions if s not in gone)
        await self.save(replace(channel, subscriptions=kept), caller)
        return Notice(
            text("Dropped ", *joined([told(s) for s in gone]), "."),
            hints=(text("Take it back with ", Span("config undo", code=True), "."),),
            actions=(Action("Undo", "config undo"),),
        )

    @staticmethod
    def _find(channel: Channel, what: str) -> Subscription:
        wanted = what.removeprefix("#")
        for subscription in channel.subscriptions:
            if wanted == str(subscription.number):
                return subscription
        try:
            asked = query.parse(what)
        except UserError:
            asked = None
        plain_words = _letters(what)
        for subscription in channel.subscriptions:
            if subscription.query == asked or _letters(str(subscription.query)) == plain_words:
                return subscription
        raise UserError(
            f"There is no subscription “{what[:80]}” here.",
            hint="Write its number: list shows them all.",
        )

    async def mute(self, term: Query, caller: Caller) -> View:
        if any(clause.negated for clause in term.clauses):
            raise UserError(
                "Mute takes the word itself.", hint="Write mute survey, without a dash."
            )
        channel = await self.channel(caller)
        if term in channel.muted:
            return Notice(text(Span(str(term), code=True), " is muted already."), kind="info")
        if len(channel.muted) >= SUBSCRIPTIONS_PER_CHANNEL:
            raise UserError(
                f"A channel mutes at most {SUBSCRIPTIONS_PER_CHANNEL} words.",
                hint="Unmute one first.",
            )
        after = replace(channel, muted=(*channel.muted, term))
        await self.save(after, caller)
        papers, span = await self._recent(channel, 7)
        hints = []
        if papers and channel.subscriptions:
            before = await self._digests.profile(channel)
            now = await self._digests.profile(after)
            lost = [p for p in papers if before.judge(p).passed and not now.judge(p).passed]
            hints.append(text(f"{span} it would have kept {_papers(len(lost))} away."))
        return Notice(
            text("Muted ", Span(str(term), code=True), "."),
            hints=tuple(hints),
            actions=(Action("Undo", "config undo"),),
        )

    async def unmute(self, term: str, caller: Caller) -> View:
        channel = await self.channel(caller)
        gone = [q for q in channel.muted if _letters(str(q)) == _letters(term)]
        if not gone:
            muted = ", ".join(map(str, channel.muted)) or "nothing"
            raise UserError(f"“{term[:80]}” is not muted here.", hint=f"Muted: {muted}.")
        kept = tuple(q for q in channel.muted if q not in gone)
        await self.save(replace(channel, muted=kept), caller)
        return Notice(text(Span(str(gone[0]), code=True), " is no longer muted."))

    async def listed(self, everywhere: bool, page: int, caller: Caller) -> View:
        if everywhere:
            return await self._list_all(caller)
        channel = await self.channel(caller)
        pages = max(1, -(-len(channel.subscriptions) // _PAGE))
        page = min(page, pages)
        rows = [
            Row(text(f"{s.number}"), text(Span(str(s.query), code=True), extras(s)))
            for s in channel.subscriptions[(page - 1) * _PAGE : page * _PAGE]
        ]
        notes = []
        if channel.muted:
            muted = [Span(str(q), code=True) for q in channel.muted]
            notes.append(text("Muted: ", *joined([(m,) for m in muted])))
        notes.append(
            text(f"Digest: {rhythm(channel)}, at most {channel.max} papers, {channel.strictness}.")
        )
        if pages > 1:
            notes.append(
                text(f"Page {page} of {pages}: ", Span(f"list page:{page % pages + 1}", code=True))
            )
        if not channel.subscriptions:
            notes.insert(
                0,
                text(
                    "No subscriptions yet. Write ",
                    Span('subscribe "speculative decoding"', code=True),
                    ".",
                ),
            )
        return Listing(
            text(f"Subscriptions of {caller.ref.channel} ({len(channel.subscriptions)})"),
            rows=tuple(rows),
            notes=tuple(notes),
        )

    async def _list_all(self, caller: Caller) -> View:
        mine = [
            c for c in await self._store.all()
            if (c.ref.platform, c.ref.tenant) == (caller.ref.platform, caller.ref.tenant)
        ]  # fmt: skip
        rows = [
            Row(
                text(channel.ref.channel),
                text(f"{len(channel.subscriptions)} subscriptions, {rhythm(channel)}"),
                tuple(text(Span(str(s.query), code=True)) for s in channel.subscriptions),
            )
            for channel in sorted(mine, key=lambda c: c.ref)
        ]
        return Listing(text(f"Channels ({len(rows)})"), rows=tuple(rows))

    # preview

    async def preview(self, days: int, new: Query | None, caller: Caller) -> View:
        """What the last days would have brought, with *new* as a further subscription."""
        before = channel = await self.channel(caller)
        trial = None
        if new is not None and all(s.query != new for s in channel.subscriptions):
            trial = Subscription(channel.next_number, new)
            channel = replace(channel, subscriptions=(*channel.subscriptions, trial))
        if not channel.subscriptions:
            raise UserError(
                "There is nothing to preview: this channel has no subscriptions.",
                hint='Write preview "speculative decoding", or subscribe first.',
            )
        papers, span = await self._recent(channel, days)
        if not papers:
            return Notice(text("There are no papers here yet to try it on."), kind="info")
        documents = [Document(paper) for paper in papers]
        items = [item for s in channel.subscriptions for item in _items(s.query)]
        holding = {item: _holding(item, documents) for item in dict.fromkeys(items)}
        profile = await self._digests.profile(channel)
        judged = [
            (document, profile.judge(document))
            for n, document in enumerate(documents)
            if any(_may_match(s.query, n, holding) for s in channel.subscriptions)
        ]
        verdicts = [verdict for _, verdict in judged]
        passed = chosen([v for v in verdicts if v.passed])
        fixed = {
            s.number for s in channel.subscriptions if any(i.is_filter for i in _items(s.query))
        }
        intro = [
            text(
                f"{span} {_papers(len(papers))} came in and {len(passed)} would have been brought."
            )
        ]
        shown = passed
        if trial:
            usual = passed_under(
                await self._digests.profile(before), profile.line, judged, {*fixed, trial.number}
            )
            shown = _beyond(passed, usual)
            lost = len(_beyond(usual, [v for v in verdicts if v.passed]))
            raised = f" and raise the line, so that {lost} of those stay away" if lost else ""
            intro.append(
                text(
                    f"The new term would add {_papers(len(shown))} to {len(chosen(usual))}{raised}."
                )
            )
        elif new is not None:
            intro.append(text(Span(str(new), code=True), " is subscribed to already."))
        missing = [item for item, found in holding.items() if not found]
        hints = {item: await self._instead(item, documents) for item in missing[:_HINTS]}
        rates = {f"{channel.strictness}": len(passed)}
        for name in STRICTNESS:
            if name not in rates:
                other = await self._digests.profile(replace(channel, strictness=name))
                rates[name] = len(chosen(passed_under(other, profile.line, judged, fixed)))
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

    async def _judged(self, channel: Channel, papers: Sequence[Paper]) -> list[Verdict]:
        profile = await self._digests.profile(channel)
        return [profile.judge(paper) for paper in papers]

    async def _brought(self, channel: Channel, papers: Sequence[Paper]) -> list[Verdict]:
        return chosen([v for v in await self._judged(channel, papers) if v.passed])

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
                f" ({_papers(found)})?",
            )  # fmt: skip
        words = replace(item, kind=WORDS)
        if item.kind == PHRASE and " " in item.text and (found := len(_holding(words, documents))):
            return text(
                "Nothing for ", nothing, " as a phrase; ",
                f"all its words, without the quotes, are in {_papers(found)}.",
            )  # fmt: skip
        return text("Nothing for ", nothing, "; a shorter or more usual word may find more.")


def _strictness(rates: Mapping[str, int], days: int) -> Text:
    """What a day brings: with the strictness that is set, which is the first, and with others."""
    (present, brought), *others = rates.items()
    named = [text(f"{name} {_rate(count, days)}") for name, count in others]
    return text(
        f"Strictness {present}, as set, brings {_rate(brought, days)} a day, ", *joined(named),
        ". Change it with ", Span(f"set strictness:{others[-1][0]}", code=True), ".",
    )  # fmt: skip


def _items(asked: Query) -> list[Item]:
    return [item for clause in asked.clauses if not clause.negated for item in clause.items]


def _holding(item: Item, documents: Sequence[Document]) -> frozenset[int]:
    """The places of the papers that hold it."""
    if item.is_filter:
        admit = compile_filter(item)
        return frozenset(n for n, document in enumerate(documents) if admit(document.paper))
    keyword = Compiler().keyword(item)
    return frozenset(n for n, document in enumerate(documents) if keyword.look(document))


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
    details += _careful(s.query, len(matched), papers)
    return Row(
        text(f"{len(above)}"),
        text(f"of {_papers(len(matched))} for ", Span(str(s.query), code=True)),
        tuple(details),
    )


def _may_match(asked: Query, paper: int, holding: Mapping[Item, frozenset[int]]) -> bool:
    """Whether the paper holds something of every clause; what is excluded is not looked at."""
    return all(
        clause.negated or any(paper in holding[item] for item in clause.items)
        for clause in asked.clauses
    )


def passed_under(
    other: Profile, line: float, judged: Iterable[tuple[Document, Verdict]], special: Set[int]
) -> list[Verdict]:
    """What passes in a profile with another line than that of the verdicts.

    Points go with the line, so it judges anew only where that does not tell: near the line, with
    points that are always the same, and for what a *special* subscription admitted.
    """
    passed = []
    for document, verdict in judged:
        points = verdict.score * line / other.line
        if (
            abs(points - LINE) < _NEAR
            or verdict.blocked
            or verdict.paper.upvotes
            or not special.isdisjoint(verdict.numbers)
        ):
            verdict = other.judge(document)
            points = LINE if verdict.passed else 0.0
        if points >= LINE:
            passed.append(verdict)
    return passed


def _beyond(some: Sequence[Verdict], others: Sequence[Verdict]) -> list[Verdict]:
    known = {v.paper.id for v in others}
    return [v for v in some if v.paper.id not in known]


def _near_misses(verdicts: Sequence[Verdict]) -> list[Text]:
    near = [v for v in verdicts if v.numbers and not v.passed and not v.blocked]
    near.sort(key=lambda v: (-v.score, v.paper.id))
    return [
        text(
            f"Just missed, {LINE - v.score:.1f} of {LINE:.0f} points short: ",
            Span(v.paper.title, link=identity.paper_link(v.paper.id, v.paper.title)),
            f", with only {'; '.join(reason.text for reason in v.reasons)}.",
        )
        for v in near[:3]
    ]


def _rate(count: int, days: int) -> str:
    rate = count / days
    return f"{rate:.1f}" if 0 < rate < 9.95 and count % days else f"{rate:.0f}"


def joined(parts: list[Text]) -> Text:
    spans: list[Span] = []
    for i, part in enumerate(parts):
        spans += [Span(", ")] if i else []
        spans += part
    return tuple(spans)


def _careful(asked: Query, matched: int, papers: int) -> list[Text]:
    """A warning where a query lets nearly everything through."""
    if matched <= _TOO_BROAD * papers and not asked.only_excludes:
        return []
    return [text(
        "Careful: ", Span(str(asked), code=True),
        f" {'only excludes and ' if asked.only_excludes else ''}"
        f"matches {matched:,} of {papers:,} papers. ",
        "Add a word that they must have.",
    )]  # fmt: skip


def _question(s: Subscription, acronym: str, meanings: Sequence[Meaning]) -> Text:
    named = [text(Span(m.text, strong=True), f" ({_papers(m.papers)})") for m in meanings]
    typed = Span(_expand(s, meanings[0]), code=True)
    return text(f"{acronym}: ", *joined(named), "? To find that too, write ", typed, ".")


def _expand(s: Subscription, meaning: Meaning) -> str:
    return f'expand {s.number} "{meaning.text}"'


def _letters(words: str) -> str:
    return "".join(c for c in words.casefold() if c.isalnum() or c in "-|:*")


def _papers(count: int) -> str:
    return f"{count:,} paper{'s' if count != 1 else ''}"


def rhythm(channel: Channel) -> str:
    if channel.schedule.is_off:
        return "never by themselves"
    paused = ""
    if channel.paused:
        until = f" until {channel.paused_until:%-d %B %Y}" if channel.paused_until else ""
        paused = f", paused{until}"
    return f"{channel.schedule}{paused}"
