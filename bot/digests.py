"""What a channel gets: candidates of a slot, scored and chosen, and why a day is quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot import identity
from bot.announcements import why_empty
from bot.errors import UserError
from bot.feedback import VOTED_PAPERS, learn, own_words
from bot.keywords import Document
from bot.model import Channel, ChannelRef, Learned, Paper
from bot.ports import Clock, Health, Ledger, Library, Shelf, SourceHealth
from bot.ranking import BACKGROUND, LINE, Background, Profile, Verdict, upvotes_reason
from bot.schedule import Schedule
from bot.text import Pattern, clip, marks, sentences
from bot.views import Action, Digest, PaperCard, Quiet, Span, Text, text

FRESH_DAYS = 8  # listed at most so long before the slot (design §4)
_GIST = 320  # characters


@dataclass(frozen=True, slots=True)
class Plan:
    """A digest with what posting it has to note: its papers and the channel's new cursor."""

    digest: Digest
    papers: tuple[str, ...]
    cursor: int


class Digests:
    def __init__(
        self, library: Library, ledger: Ledger, shelf: Shelf, health: SourceHealth, clock: Clock
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._shelf = shelf
        self._health = health
        self._clock = clock
        self._background: tuple[int, Background] | None = None
        self._learned: dict[ChannelRef, tuple[object, tuple[Learned, ...]]] = {}

    async def profile(self, channel: Channel) -> Profile:
        return Profile(channel, await self.background(), await self.learned(channel))

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
        slot = self._clock().astimezone(ZoneInfo(channel.schedule.zone))
        cursor = await self._ledger.cursor(channel.ref)
        end = await self._library.end()
        oldest = slot.date() - timedelta(days=FRESH_DAYS)
        arrivals = await self._library.after(end if cursor is None else cursor, listed_from=oldest)
        papers = [arrival.paper for arrival in arrivals]
        digest = await self._digest(
            channel, papers, slot, since=channel.schedule.slot_day_before(slot.date())
        )
        last = await self._ledger.last(channel.ref)
        if (
            digest.quiet
            and not papers
            and last
            and last[0].astimezone(slot.tzinfo).date() == slot.date()
        ):
            words = "Nothing new has arrived since the digest of today."
            digest = replace(digest, quiet=replace(digest.quiet, text=words))
        return Plan(digest, tuple(card.paper.id for card in digest.cards), end)

    async def at(self, channel: Channel, when: date | datetime) -> Digest:
        """What the slot of that day had to offer; disjoint from that of every other day.

        Papers listed after the channel's last slot day before, and not after *when*'s date.
        A datetime without zone is in the channel's.
        """
        slot = _slot(when, channel.schedule)
        after = channel.schedule.slot_day_before(slot.date())
        papers = await self._library.between(after, slot.date())
        return await self._digest(channel, papers, slot, since=after)

    async def since(self, channel: Channel, start: date, top: int) -> Digest:
        """A private recap of all papers listed from *start* on, posted or not."""
        slot = self._clock().astimezone(ZoneInfo(channel.schedule.zone))
        papers = await self._library.between(start - timedelta(days=1), slot.date())
        recap = replace(channel, max=top, trending=0)
        return await self._digest(recap, papers, slot, since=start, repeat=True)

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
        papers: Sequence[Paper],
        slot: datetime,
        *,
        since: date,
        repeat: bool = False,
    ) -> Digest:
        profile = await self.profile(channel)
        candidates = await self._unposted(channel.ref, papers) if not repeat else list(papers)
        verdicts = [profile.judge(paper) for paper in candidates]
        passed = chosen([v for v in verdicts if v.passed])
        cards = [card(v) for v in passed[: channel.max]]
        cards += await self._trending(channel, profile, slot.date(), since, cards)
        return Digest(
            ref=channel.ref,
            slot=slot,
            considered=len(papers),
            cards=tuple(cards),
            more=max(0, len(passed) - channel.max),
            quiet=None
            if cards
            else quiet(channel, verdicts, len(papers), slot, await self._health.all_health()),
        )

    async def _unposted(self, ref: ChannelRef, papers: Sequence[Paper]) -> list[Paper]:
        posted = await self._ledger.posted(ref, [paper.id for paper in papers])
        return [paper for paper in papers if paper.id not in posted]

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
        fresh = await self._unposted(channel.ref, [p for _, p in listed if p.id not in shown])
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


def _slot(when: date | datetime, schedule: Schedule) -> datetime:
    zone = ZoneInfo(schedule.zone)
    if isinstance(when, datetime):
        return when if when.tzinfo else when.replace(tzinfo=zone)
    at = schedule.times[-1] if schedule.has_slot_on(when) else time()
    return datetime.combine(when, at, zone)


def parse_when(words: str, zone: str) -> date | datetime:
    """``2026-06-22`` or ``2026-06-22T09:00`` with or without offset; raises UserError."""
    try:
        return date.fromisoformat(words)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(words)
    except ValueError:
        raise UserError(
            f"“{words[:40]}” is no date or time.",
            hint="Write 2026-06-22 or 2026-06-22T09:00+02:00.",
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=ZoneInfo(zone))


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
    health: Sequence[Health],
) -> Quiet:
    """Why there is nothing; *verdicts* are those of the papers that were not posted before."""
    if not considered:
        return _nothing_listed(slot, health)
    seen = f"{considered:,} seen"
    if not channel.subscriptions:
        return Quiet("nothing_passed", f"{seen}, but this channel has no subscription yet.")
    if not verdicts:
        return Quiet("nothing_passed", f"{seen}, all of them posted here before.")
    best = max(verdicts, key=lambda v: (not v.blocked, bool(v.numbers), v.score, v.paper.id))
    if not best.numbers or best.passed:
        return Quiet("nothing_passed", f"{seen}, none matched a subscription.")
    if best.blocked:
        return Quiet("nothing_passed", f"{seen}, what matched is excluded here.")
    title = clip(best.paper.title, 120)
    return Quiet(
        "nothing_passed",
        f"{seen}, best was “{title}” at {best.score:.0f} of the {LINE:.0f} points needed.",
    )


def _nothing_listed(slot: datetime, health: Sequence[Health]) -> Quiet:
    day = slot.date()
    if empty := why_empty(day):
        return Quiet("no_announcement", f"No announcement: {empty}.")
    failing = [
        h for h in health if h.last_error and (not h.last_success or h.last_error > h.last_success)
    ]
    tries = [h.next_try for h in health if h.next_try and h.next_try > slot]
    again = f" Next try at {min(tries).astimezone(slot.tzinfo):%H:%M}." if tries else ""
    if failing:
        since = min(h.last_success or h.last_error or slot for h in failing)
        names = ", ".join(h.name for h in failing)
        told = f"{names} cannot be read since {since.astimezone(slot.tzinfo):%-d %B %H:%M}"
        return Quiet("source_failing", f"{told}: {failing[0].error}{again}")
    told = f"No paper listed by {day:%-d %B %Y} has arrived so far."
    return Quiet("source_late", told + again)


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


def actions(paper: Paper) -> tuple[Action, ...]:
    short = identity.short_id(paper.id)
    return (Action("Why", f"why {short}"), Action("Abstract", f"show {short}"))


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
