"""What people ask about a channel's subscriptions: to make, change, list and try them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot import commands, query
from bot.acronyms import Meaning, acronyms_of, expanded, mined
from bot.cards import card
from bot.digests import Digests, chosen
from bot.errors import UserError
from bot.model import SUBSCRIPTIONS_PER_CHANNEL, Caller, Channel, ChannelRef, Paper, Subscription
from bot.options import extras, told, undo
from bot.ports import ChannelStore, Clock, KeptAnswers, Library, Outbox, Search, SearchIndex
from bot.preview import Previews, careful
from bot.query import PHRASE, Clause, Item, Query
from bot.ranking import Verdict
from bot.schedule import Schedule
from bot.service import is_paused, reschedule
from bot.text import clip
from bot.views import (
    Action,
    Listing,
    Notice,
    PaperCard,
    Row,
    Span,
    Text,
    View,
    how_many,
    joined,
    named,
    text,
    typed,
)

_PAGE = 20  # subscriptions on one page of a list
_MINED = 300  # papers with an acronym that are asked what it stands for
_LEAST_PAPERS, _LEAST_SHARE = 2, 0.03  # of them that have to agree
_MEANINGS, _QUESTIONS = 3, 3  # offered for one acronym; asked in one answer
_LABEL = 60  # characters of a button


class SubscriptionAnswers:
    def __init__(
        self,
        store: ChannelStore,
        library: Library,
        ledger: Outbox,
        digests: Digests,
        previews: Previews,
        index: SearchIndex,
        kept: KeptAnswers,
        clock: Clock,
    ) -> None:
        self._store = store
        self._library = library
        self._ledger = ledger
        self._digests = digests
        self._previews = previews
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
        await self._digests.begin(channel.ref)
        await self._store.save(channel, caller.user)
        await reschedule(channel, self._ledger, self._clock())

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
                hint="Drop some first: `list` shows them, `unsubscribe 3` drops the third.",
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
            actions=(
                *buttons,
                Action("List", "list"),
                *([undo(after)] if after != channel else []),
            ),
        )

    def _first_schedule(self, channel: Channel, caller: Caller) -> Text:
        assumed = "" if caller.zone else "; your time zone is not known, so name it there"
        return text(
            f"Digests come {rhythm(channel, self._clock())}. Change that with ",
            typed("schedule mon,thu 17:30 Europe/Berlin"), f"{assumed}.",
        )  # fmt: skip

    async def _last_week(self, channel: Channel) -> tuple[list[Text], tuple[PaperCard, ...]]:
        """What these subscriptions would have brought, with warnings."""
        papers, span = await self._previews.recent(channel, 7)
        if not papers:
            return [text("There are no papers here yet to try it on.")], ()
        verdicts = await self._judged(channel, papers)
        passed = chosen([v for v in verdicts if v.passed])
        hints = [text(f"{span} it would have brought {how_many(len(passed))} of {len(papers):,}.")]
        for subscription in channel.subscriptions:
            matched = sum(subscription.number in v.numbers for v in verdicts)
            hints += careful(subscription.query, matched, len(papers))
        return hints, tuple(card(v) for v in passed[:3])

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
                    hint=f"Drop this one instead: `unsubscribe {number}`",
                )
        subscriptions = tuple(now if s == was else s for s in channel.subscriptions)
        after = replace(channel, subscriptions=subscriptions)
        await self.save(after, caller)
        hints, cards = await self._last_week(replace(channel, subscriptions=(now,)))
        papers, _ = await self._previews.recent(channel, 7)
        before = await self._brought(replace(channel, subscriptions=(was,)), papers)
        old = text(f"Before, {how_many(len(before))} for ", Span(str(was.query), code=True), ".")
        return Notice(
            text("Changed: ", *told(now), "."),
            hints=(*hints, old) if papers else tuple(hints),
            cards=cards,
            actions=(Action("List", "list"), undo(after)),
        )

    async def _known_meanings(self, s: Subscription) -> View:
        rows: list[Row] = []
        buttons: list[Action] = []
        for acronym in acronyms_of(s.query):
            meanings = await self._meanings(acronym)
            known = [text(f"{how_many(m.papers)}: ", typed(_expand(s, m))) for m in meanings]
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
            notes=(text("Or write it yourself: ", typed(f'expand {s.number} "long form"')),),
            actions=tuple(buttons),
        )

    # the rest of the list

    async def unsubscribe(self, command: commands.Unsubscribe, caller: Caller) -> View:
        channel = await self.channel(caller)
        if not channel.subscriptions:
            raise UserError(
                "This channel has no subscriptions.", hint="Write `subscribe diffusion`"
            )
        if command.what.lower() == "all":
            if not command.sure:
                count = len(channel.subscriptions)
                return Notice(
                    text(f"This drops all {count} subscriptions of the channel."),
                    kind="info",
                    hints=(text("To do it, write ", typed("unsubscribe all sure:yes"), "."),),
                    actions=(Action("Drop all", "unsubscribe all sure:yes"),),
                )
            gone = channel.subscriptions
        else:
            gone = (self._find(channel, command.what),)
        kept = tuple(s for s in channel.subscriptions if s not in gone)
        after = replace(channel, subscriptions=kept)
        await self.save(after, caller)
        return Notice(
            text("Dropped ", *joined([told(s) for s in gone]), "."),
            hints=(text("Take it back with ", typed("config undo"), "."),),
            actions=(undo(after),),
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
            hint="Write its number: `list` shows them all.",
        )

    async def mute(self, term: Query, caller: Caller) -> View:
        if any(clause.negated for clause in term.clauses):
            raise UserError(
                "Mute takes the word itself.", hint="Write `mute survey`, without a dash."
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
        papers, span = await self._previews.recent(channel, 7)
        hints = []
        if papers and channel.subscriptions:
            before = await self._digests.profile(channel)
            now = await self._digests.profile(after)
            lost = [p for p in papers if before.judge(p).passed and not now.judge(p).passed]
            hints.append(text(f"{span} it would have kept {how_many(len(lost))} away."))
        return Notice(
            text("Muted ", Span(str(term), code=True), "."),
            hints=tuple(hints),
            actions=(undo(after),),
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
            text(
                f"Digest: {rhythm(channel, self._clock())}, at most {channel.max} papers, "
                f"{channel.strictness}."
            )
        )
        if pages > 1:
            notes.append(text(f"Page {page} of {pages}: ", typed(f"list page:{page % pages + 1}")))
        if not channel.subscriptions:
            notes.insert(
                0,
                text(
                    "No subscriptions yet. Write ",
                    typed('subscribe "speculative decoding"'),
                    ".",
                ),
            )
        return Listing(
            text("Subscriptions of ", named(caller.ref), f" ({len(channel.subscriptions)})"),
            rows=tuple(rows),
            notes=tuple(notes),
            actions=(Action("More", f"list page:{page + 1}"),) if page < pages else (),
        )

    async def _list_all(self, caller: Caller) -> View:
        mine = [
            c for c in await self._store.all()
            if (c.ref.platform, c.ref.tenant) == (caller.ref.platform, caller.ref.tenant)
            and sees(caller, c.ref)
        ]  # fmt: skip
        rows = [
            Row(
                text(named(channel.ref)),
                text(
                    f"{how_many(len(channel.subscriptions), 'subscription')}, {rhythm(channel, self._clock())}"
                ),
                tuple(text(Span(str(s.query), code=True)) for s in channel.subscriptions),
            )
            for channel in sorted(mine, key=lambda c: c.ref)
        ]
        return Listing(text(f"Channels ({len(rows)})"), rows=tuple(rows))

    async def preview(self, days: int, new: Query | None, caller: Caller) -> View:
        """As the channel is, with *new* as a further subscription."""
        channel = await self.channel(caller)
        if not channel.subscriptions and new is None:
            raise UserError(
                "There is nothing to preview: this channel has no subscriptions.",
                hint='Write `preview "speculative decoding"`, or `subscribe` first.',
            )
        return await self._previews.preview(channel, days, new)

    async def _judged(self, channel: Channel, papers: Sequence[Paper]) -> list[Verdict]:
        profile = await self._digests.profile(channel)
        return [profile.judge(paper) for paper in papers]

    async def _brought(self, channel: Channel, papers: Sequence[Paper]) -> list[Verdict]:
        return chosen([v for v in await self._judged(channel, papers) if v.passed])


def _question(s: Subscription, acronym: str, meanings: Sequence[Meaning]) -> Text:
    named = [text(Span(m.text, strong=True), f" ({how_many(m.papers)})") for m in meanings]
    one = typed(_expand(s, meanings[0]))
    return text(f"{acronym}: ", *joined(named), "? To find that too, write ", one, ".")


def _expand(s: Subscription, meaning: Meaning) -> str:
    return f'expand {s.number} "{meaning.text}"'


def _letters(words: str) -> str:
    return "".join(c for c in words.casefold() if c.isalnum() or c in "-|:*")


def sees(caller: Caller, ref: ChannelRef) -> bool:
    """Whether it is the person's own channel, or one that they are a member of."""
    if ref.channel.startswith("@"):
        return ref == caller.own
    return caller.channels is None or ref.channel in caller.channels


def rhythm(channel: Channel, now: datetime) -> str:
    if channel.schedule.is_off:
        return "never by themselves"
    paused = ""
    if is_paused(channel, now):
        until = f" until {channel.paused_until:%-d %B %Y}" if channel.paused_until else ""
        paused = f", paused{until}"
    return f"{channel.schedule}{paused}"
