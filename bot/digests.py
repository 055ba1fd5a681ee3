"""What a channel gets: candidates of a slot, scored and chosen, and why a day is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from importlib import import_module
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot import identity
from bot.announcements import latest_day, why_empty
from bot.cards import card
from bot.errors import UserError
from bot.feedback import VOTED_PAPERS, learn, own_words
from bot.keywords import Document
from bot.model import Channel, ChannelRef, Learned
from bot.ports import Clock, Health, Library, Outbox, Shelf, SourceHealth
from bot.ranking import (
    BACKGROUND,
    BACKGROUND_MIN,
    LINE,
    NO_PAST,
    Background,
    Profile,
    Verdict,
    upvotes_reason,
)
from bot.schedule import Schedule
from bot.text import clip
from bot.views import Digest, PaperCard, Quiet, text

if TYPE_CHECKING:
    from bot.matching import Matcher, Matches

FRESH_DAYS = 8  # listed at most so long before the slot (design §4)
_EARLIEST = date(1900, 1, 1)  # the calendar has no day before its first
_WHEN = "Write 2026-06-22 or 2026-06-22T09:00+02:00."
BEYOND = 100  # papers that a digest has no room for and its button shows
FEW = 20  # channels that are matched one by one
_PROFILES = 200  # of channels, the last ones used


@dataclass(frozen=True, slots=True)
class Slot:
    """A channel's slot to plan for. *at* is aware; slots since *missed_from* have been missed."""

    channel: Channel
    at: datetime
    missed_from: datetime | None = None

    @property
    def local(self) -> datetime:
        return self.at.astimezone(ZoneInfo(self.channel.schedule.zone))

    @property
    def _first(self) -> date:
        first = self.missed_from or self.at
        return first.astimezone(self.local.tzinfo).date()

    @property
    def listed_from(self) -> date:
        return self._first - timedelta(days=FRESH_DAYS)

    @property
    def listed_by(self) -> date:
        """The last day of arXiv that could be known by the last slot that was not missed."""
        first = self.missed_from or self.at
        last = self.channel.schedule.last_slot(first - timedelta(microseconds=1))
        return latest_day(last or first - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Plan:
    """A digest with what posting it has to note: its papers, and the channel's new cursor.

    *released* are papers of an earlier digest that was never posted: they had their chance in it.
    Where it *repeats*, its papers may have been posted before.
    """

    digest: Digest
    papers: tuple[str, ...]
    cursor: int
    released: tuple[str, ...] = ()
    repeats: bool = False


class Digests:
    def __init__(
        self, library: Library, ledger: Outbox, shelf: Shelf, health: SourceHealth, clock: Clock
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._shelf = shelf
        self._health = health
        self._clock = clock
        self._background: tuple[int, Background] | None = None
        self._learned: dict[ChannelRef, tuple[object, tuple[Learned, ...]]] = {}
        self._profiles: dict[ChannelRef, tuple[object, Profile]] = {}
        self._matcher: Matcher | None = None
        self._placed: dict[ChannelRef, tuple[Channel, tuple[Learned, ...]]] = {}

    async def begin(self, ref: ChannelRef) -> None:
        """What arrives from now on is new to the channel, unless it has begun before."""
        await self._ledger.start(ref, await self._library.end())

    async def profile(self, channel: Channel) -> Profile:
        background, learned = await self.background(), await self.learned(channel)
        basis = channel, learned, background
        known, profile = self._profiles.pop(channel.ref, (None, None))
        if profile is None or known != basis:
            profile = await asyncio.to_thread(Profile, channel, background, learned)
        self._profiles[channel.ref] = basis, profile  # the last one used is the last one
        while len(self._profiles) > _PROFILES:
            del self._profiles[next(iter(self._profiles))]
        return profile

    async def learned(self, channel: Channel) -> tuple[Learned, ...]:
        """What votes taught the channel; worked out anew when a vote or a keyword has changed."""
        votes = await self._shelf.votes(channel.ref, VOTED_PAPERS)
        if not votes:
            self._learned.pop(channel.ref, None)
            return ()
        forgotten = await self._shelf.forgotten(channel.ref)
        basis = votes, forgotten, channel.subscriptions
        known, learned = self._learned.get(channel.ref, (None, ()))
        if known != basis:
            found = [(paper, net) for i, net in votes if (paper := await self._library.find(i))]
            liked = [paper for paper, net in found if net > 0]
            disliked = [paper for paper, net in found if net < 0]
            learned = learn(liked, disliked, forgotten, own_words(channel))
            self._learned[channel.ref] = basis, learned
        return learned

    async def background(self) -> Background:
        """What channels are calibrated against. Once it is large, it stays until it is renewed."""
        count = await self._library.count()
        if count < BACKGROUND_MIN:
            return NO_PAST  # nothing can be calibrated against so few
        if self._background is None or self._background[0] < min(count, BACKGROUND):
            await self.renew()
        assert self._background  # noqa: S101  # for mypy
        return self._background[1]

    async def renew(self) -> None:
        """Draw it anew, beside the one in use, from the library as it has become."""
        count = await self._library.count()
        papers = await self._library.background(BACKGROUND)
        background = Background([Document(paper) for paper in papers])
        if self._background:
            await asyncio.to_thread(background.read)
        self._background = count, background

    async def now(self, channel: Channel) -> Plan:
        """What arrived since the channel's last digest."""
        slot = Slot(channel, self._clock())
        _, plan = await anext(self.plans([slot]))
        last = await self._ledger.last(channel.ref)
        digest = plan.digest
        if (
            digest.quiet
            and not digest.considered
            and last
            and last[0].astimezone(slot.local.tzinfo).date() == slot.local.date()
        ):
            words = "Nothing new has arrived since the digest of today."
            digest = replace(digest, quiet=replace(digest.quiet, text=words))
        return replace(plan, digest=digest)

    async def plans(self, slots: Sequence[Slot]) -> AsyncIterator[tuple[Slot, Plan]]:
        """What arrived for each since its last digest. Many channels are matched all at once."""
        if not slots:
            return
        end = await self._library.end()
        cursors = {slot.channel.ref: await self._ledger.cursor(slot.channel.ref) for slot in slots}
        arrivals = await self._library.after(
            min(end if seq is None else seq for seq in cursors.values()),
            listed_from=min(slot.listed_from for slot in slots),
        )
        documents = [Document(arrival.paper) for arrival in arrivals]
        matching = None
        if len(slots) > FEW and documents:
            matching = await self._match([slot.channel for slot in slots], documents)
        for slot in slots:
            seq, listed_from = cursors[slot.channel.ref], slot.listed_from
            fresh = [
                document
                for arrival, document in zip(arrivals, documents, strict=True)
                if arrival.seq > (end if seq is None else seq)
                and (arrival.paper.listed_on or date.max) >= listed_from
            ]
            released = await self._ledger.released(slot.channel.ref)
            known = {document.paper.id for document in fresh}
            again = [
                Document(paper)
                for i in released
                if i not in known and (paper := await self._library.find(i))
            ]
            digest = await self._digest(
                slot.channel,
                [*fresh, *again],
                slot.local,
                since=slot.channel.schedule.slot_day_before(slot.local.date()),
                known_by=slot.listed_by,
                matching=matching,
            )
            papers = tuple(card.paper.id for card in digest.cards)
            yield slot, Plan(digest, papers, end, tuple(released))

    async def _match(self, channels: Sequence[Channel], documents: Sequence[Document]) -> _Matching:
        # numpy takes a tenth of a second to load, and more on a busy machine
        matching = await asyncio.to_thread(import_module, "bot.matching")
        background = await self.background()
        if self._matcher is None or self._matcher.background is not background:
            self._matcher, self._placed = matching.Matcher(background), {}
        matcher = self._matcher
        learned = [await self.learned(channel) for channel in channels]

        def match() -> Matches:
            for basis in zip(channels, learned, strict=True):
                if self._placed.get(basis[0].ref) != basis:
                    matcher.put(*basis)
                    self._placed[basis[0].ref] = basis
            return matcher.match(documents)

        matches = await asyncio.to_thread(match)
        return _Matching(matcher, matches, frozenset(map(id, documents)))

    async def at(self, channel: Channel, when: date | datetime) -> Digest:
        """What the slot of that day had to offer; disjoint from that of every other day.

        Papers listed after the channel's last slot day before, and not after *when*'s date.
        A datetime without zone is in the channel's.
        """
        slot = _slot(when, channel.schedule)
        after = channel.schedule.slot_day_before(slot.date())
        papers = await self._library.between(after, slot.date())
        return await self._digest(channel, [*map(Document, papers)], slot, since=after)

    async def since(self, channel: Channel, start: date, top: int) -> Digest:
        """A private recap of all papers listed from *start* on, posted or not."""
        slot = self._clock().astimezone(ZoneInfo(channel.schedule.zone))
        start = max(start, _EARLIEST)
        papers = await self._library.between(start - timedelta(days=1), slot.date())
        recap = replace(channel, max=top, trending=0)
        documents = [*map(Document, papers)]
        return await self._digest(recap, documents, slot, since=start, repeat=True)

    async def again(self, channel: Channel) -> Digest | None:
        """The channel's last digest that held papers, with the reasons as they are today."""
        last = await self._ledger.last(channel.ref)
        if last is None:
            return None
        slot, ids = last
        profile = await self.profile(channel)
        found = [paper for i in ids if (paper := await self._library.find(i))]
        cards = tuple(card(profile.judge(paper)) for paper in found)
        local = slot.astimezone(ZoneInfo(channel.schedule.zone))
        note = text("This is the last digest again.")
        return Digest(channel.ref, local, len(found), cards, notes=(note,))

    async def _digest(
        self,
        channel: Channel,
        documents: Sequence[Document],
        slot: datetime,
        *,
        since: date,
        repeat: bool = False,
        known_by: date | None = None,
        matching: _Matching | None = None,
    ) -> Digest:
        """*known_by* is the day of arXiv that the last slot, if it was not missed, could know of.

        It is None for a day of the past, of which nobody knows what had arrived by then.
        """
        if matching:
            profile = matching.matcher.profile(channel)
        else:
            profile = await self.profile(channel)
        candidates = documents
        if not repeat:
            unposted = await self._unposted(channel.ref, [d.paper.id for d in documents])
            candidates = [d for d in documents if d.paper.id in unposted]
        likely = matching.likely(channel, candidates) if matching else candidates
        verdicts = []
        for document in likely:
            verdicts.append(profile.judge(document))
            await asyncio.sleep(0)  # ten thousand channels must not hold up an answer
        passed = chosen([v for v in verdicts if v.passed])
        cards = []
        for verdict in passed[: channel.max]:
            cards.append(card(verdict))
            await asyncio.sleep(0)
        cards += await self._trending(channel, profile, slot.date(), since, cards)
        why = None
        if not cards:
            newest = await self._library.newest_day() if known_by else None
            health = await self._health.all_health()
            days = (known_by, latest_day(slot)) if known_by else (since, slot.date())
            why = quiet(channel, verdicts, len(documents), slot, days, newest, health)
        shown = {number for verdict in passed[: channel.max] for number in verdict.numbers}
        labels = [s.label for s in channel.subscriptions if s.label and s.number in shown]
        return Digest(
            ref=channel.ref,
            slot=slot,
            considered=len(documents),
            cards=tuple(cards),
            labels=tuple(dict.fromkeys(labels)),
            ping=_pinged(channel, cards),
            more=max(0, len(passed) - channel.max),
            beyond=tuple(v.paper.id for v in passed[channel.max :][:BEYOND]),
            quiet=why,
            layout=channel.layout,
        )

    async def _unposted(self, ref: ChannelRef, ids: Sequence[str]) -> set[str]:
        return set(ids) - set(await self._ledger.posted(ref, ids))

    async def _trending(
        self, channel: Channel, profile: Profile, day: date, since: date, cards: Sequence[PaperCard]
    ) -> list[PaperCard]:
        """The most upvoted of the list days since the last slot, each the day after at the earliest."""
        if not channel.trending:
            return []
        shown = {shown.paper.id for shown in cards}
        listed = await self._library.top(
            since, day - timedelta(days=1), channel.trending + len(shown) + 50
        )
        papers = [paper for _, paper in listed if paper.id not in shown]
        unposted = await self._unposted(channel.ref, [paper.id for paper in papers])
        fresh = [paper for paper in papers if paper.id in unposted]
        added = []
        for paper in fresh[: channel.trending]:
            reason = upvotes_reason(paper.upvotes, profile.line)
            by = f", submitted by {paper.submitter}" if paper.submitter else ""
            added.append(replace(
                card(profile.judge(paper)),
                score=reason.points,
                reasons=(replace(reason, text=f"trending: {reason.text}{by}"),),
            ))  # fmt: skip
        return added


def _pinged(channel: Channel, cards: Sequence[PaperCard]) -> str:
    """The role that a paper of so many points is to be shown to; "" where there is none."""
    role, _, above = channel.ping.partition("@")
    best = max((card.score or 0.0 for card in cards), default=0.0)
    return role if role and best > float(above) else ""


@dataclass(frozen=True, slots=True)
class _Matching:
    """Channels and papers, matched all at once."""

    matcher: Matcher
    matches: Matches
    documents: frozenset[int]  # by identity

    def likely(self, channel: Channel, candidates: Sequence[Document]) -> list[Document]:
        """Of the candidates those that pass; where none does, the one that comes nearest."""
        passed = {id(document) for document, _ in self.matches.of(channel.ref)}
        found = [d for d in candidates if id(d) in passed or id(d) not in self.documents]
        if found:
            return found
        nearest, _ = self.matches.best(channel.ref)
        return [nearest] if nearest in candidates else list(candidates)


def _slot(when: date | datetime, schedule: Schedule) -> datetime:
    zone = ZoneInfo(schedule.zone)
    if isinstance(when, datetime):
        return when if when.tzinfo else when.replace(tzinfo=zone)
    at = schedule.times[-1] if schedule.has_slot_on(when) else time()
    return datetime.combine(when, at, zone)


def parse_when(words: str, zone: str) -> date | datetime:
    """``2026-06-22`` or ``2026-06-22T09:00`` with or without offset; raises UserError."""
    when: date | datetime
    try:
        when = date.fromisoformat(words)
    except ValueError:
        try:
            when = datetime.fromisoformat(words)
        except ValueError:
            raise UserError(f"“{words[:40]}” is no date or time.", hint=_WHEN) from None
    if when.year < _EARLIEST.year:
        raise UserError(f"“{words[:40]}” is before all papers.", hint=_WHEN)
    if isinstance(when, datetime) and not when.tzinfo:
        return when.replace(tzinfo=ZoneInfo(zone))
    return when


def chosen(passed: Iterable[Verdict]) -> list[Verdict]:
    """Best first; equal scores: the newer, then by id. One paper of those with the same title."""
    ranked = sorted(
        passed,
        key=lambda v: (-v.score, -(v.paper.listed_on or date.min).toordinal(), v.paper.id),
    )
    titles: set[str] = set()
    kept: list[Verdict] = []
    for verdict in ranked:
        key = identity.title_key(verdict.paper.title) or verdict.paper.id
        if key not in titles:
            titles.add(key)
            kept.append(verdict)
    return kept


def quiet(
    channel: Channel,
    verdicts: Sequence[Verdict],
    considered: int,
    slot: datetime,
    days: tuple[date, date],
    newest: date | None,
    health: Sequence[Health],
) -> Quiet:
    """Why there is nothing; *verdicts* are those of the papers that were not posted before.

    Of *days* the papers of those after the first, up to the second, could have come.
    """
    if not considered:
        return _nothing_listed(slot, days, newest, health)
    said = _nothing_passed(channel, verdicts, f"{considered:,} seen")
    expected = _expected(days)
    if newest and expected and (silent := _silent_arxiv(expected, health)):
        said += f" {_unread(silent, slot)}"
    return Quiet("nothing_passed", said)


def _nothing_passed(channel: Channel, verdicts: Sequence[Verdict], seen: str) -> str:
    if not channel.subscriptions:
        return f"{seen}, but this channel has no subscription yet."
    if not verdicts:
        return f"{seen}, all of them posted here before."
    best = max(verdicts, key=lambda v: (not v.blocked, bool(v.numbers), v.score, v.paper.id))
    if not best.numbers or best.passed:
        return f"{seen}, none matched a subscription."
    if best.blocked:
        return f"{seen}, what matched is excluded here."
    title = clip(best.paper.title, 120)
    return f"{seen}, best was “{title}” at {best.score:.0f} of the {LINE:.0f} points needed."


def _expected(days: tuple[date, date]) -> date | None:
    """The last of the days on which arXiv should have listed papers."""
    since, day = days
    window = (day - timedelta(days=back) for back in range(max(1, (day - since).days)))
    return next((each for each in window if not why_empty(each)), None)


def _silent_arxiv(expected: date, health: Sequence[Health]) -> Health | None:
    """arXiv, where it fails and has not told of that day: others may list papers all the same."""
    return next(
        (
            h for h in health
            if h.name == "arxiv" and h.failing and (h.announced or date.min) < expected
        ),
        None,
    )  # fmt: skip


def _unread(failing: Health, slot: datetime) -> str:
    since = (failing.failing_since or slot).astimezone(slot.tzinfo)
    return f"{failing.name} cannot be read since {since:%-d %B %H:%M}: {failing.error}"


def _nothing_listed(
    slot: datetime, days: tuple[date, date], newest: date | None, health: Sequence[Health]
) -> Quiet:
    """*newest* is the last day on which anything that has arrived was listed; None: do not look."""
    _, day = days
    expected = _expected(days)
    came = newest and expected and newest >= expected and not _silent_arxiv(expected, health)
    if expected is None or came:
        empty = why_empty(day)
        said = f"No announcement: {empty}." if empty else "Nothing new has been announced since."
        if empty and day < slot.date():
            said = f"No announcement: it was still {day:%A} in New York, and {empty}."
        return Quiet("no_announcement", said)
    tries = [h.next_try for h in health if h.next_try and h.next_try > slot]
    again = f" Next try at {min(tries).astimezone(slot.tzinfo):%H:%M}." if tries else ""
    told = [_unread(h, slot) for h in health if h.failing]
    if told:
        return Quiet("source_failing", " ".join(told) + again)
    late = f"No paper listed by {day:%-d %B %Y} has arrived so far."
    return Quiet("source_late", late + again)
