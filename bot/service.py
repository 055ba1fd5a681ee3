"""What the clock does: plan what is due, send it, fetch papers, keep house, and say what is amiss."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.delivery import Sender
from bot.digests import Digests, Plan, Slot
from bot.errors import PaperboyError, StorageDamaged, UserError
from bot.housekeeping import Housekeeping
from bot.model import Channel, ChannelRef
from bot.ports import (
    ChannelStore,
    Clock,
    Delivery,
    Due,
    Health,
    KeptAnswers,
    Outbox,
    Post,
    Publisher,
    Served,
    SourceHealth,
    State,
)
from bot.refresh import Refresh
from bot.schedule import Schedule
from bot.views import Action, Digest, Notice, Span, named, text, typed

log = logging.getLogger(__name__)

TICK = 15.0  # seconds; reliability §2
SEND = 1.0
LOOK_UP = 5.0
TELL = 5.0
AUDIT = 60.0
RECONCILE = 600.0
HOUSEKEEPING = 6 * 3600.0
CATCH_UP = timedelta(hours=24)  # design §12: later than that it waits for the next slot
FIRST_FETCH = timedelta(minutes=3)  # what was missed waits so long for the papers of that time
LATE = timedelta(minutes=10)  # after its slot a digest says that it is late
QUIET_SLOTS = 10  # in a row, then the owner is told
OUTAGE = timedelta(days=1)  # of a source, then the owners are told
_AT_ONCE = 500  # channels planned together
_ALL = 2**31
_LATEST = 100  # posts of a channel; more than a digest has


def due_after(channel: Channel, after: datetime) -> Due:
    """The channel's next slot; a pause holds it back, or leaves none."""
    start = running_after(channel, after)
    at = None if start is None else channel.schedule.next_due(start)
    return Due(channel.ref, at, _fingerprint(channel))


def running_after(channel: Channel, after: datetime) -> datetime | None:
    """From when on its slots count: *after*, or just before its pause ends; None: it does not end."""
    if not channel.paused:
        return after
    if channel.paused_until is None:
        return None
    if channel.paused_until < after.date() - timedelta(days=1):
        return after  # in any zone, the calendar's first day among them
    zone = ZoneInfo(channel.schedule.zone)
    end = datetime.combine(channel.paused_until, time(), zone).astimezone(UTC)
    return max(after, end - timedelta(microseconds=1))


def is_paused(channel: Channel, now: datetime) -> bool:
    """Whether it is paused now: settings keep a pause that has ended by itself."""
    return running_after(channel, now) != now


def _fingerprint(channel: Channel) -> str:
    """Of all that its next slot comes from."""
    paused = f" paused {channel.paused_until or ''}" if channel.paused else ""
    return channel.schedule.fingerprint + paused


async def reschedule(channel: Channel, outbox: Outbox, now: datetime) -> None:
    """Note the next slot, where it is not known, the schedule or the clock has changed."""
    known = await outbox.next_due(channel.ref)
    await _reschedule(channel, known, outbox, now)


async def _reschedule(channel: Channel, known: Due | None, outbox: Outbox, now: datetime) -> None:
    due = due_after(channel, now)
    if known is None or known.fingerprint != due.fingerprint or _is_beyond(known.at, due.at):
        await outbox.set_next(due)


def _is_beyond(noted: datetime | None, at: datetime | None) -> bool:
    """Whether the slot is not the next one: it was noted by a clock that was ahead."""
    return noted is not None and at is not None and noted > at


async def silent_since(ref: ChannelRef, outbox: Outbox) -> datetime | None:
    """The slot of the last digest with a paper; where none had one, just before the first known post.

    None where nothing was ever posted.
    """
    if last := await outbox.last(ref):
        return last[0]
    first = (await outbox.deliveries(ref, 2 * QUIET_SLOTS))[-1:]
    return first[0].slot - timedelta(microseconds=1) if first else None


def is_long_quiet(schedule: Schedule, since: datetime, now: datetime) -> bool:
    """Whether ten slots or more of the schedule lie between."""
    for _ in range(QUIET_SLOTS):
        slot = schedule.last_slot(now)
        if slot is None or slot <= since:
            return False
        now = slot - timedelta(microseconds=1)
    return True


def _needs(channel: Channel, source: str, now: datetime) -> bool:
    """Whether an outage of the source keeps something from the channel that it waits for."""
    if is_paused(channel, now) or channel.schedule.is_off:
        return False
    return channel.trending > 0 if source == "huggingface" else bool(channel.subscriptions)


class Service:
    """One per process. *served* tells the platforms and tenants that it posts for."""

    def __init__(
        self,
        channels: ChannelStore,
        outbox: Outbox,
        digests: Digests,
        sender: Sender,
        publishers: Sequence[Publisher],
        served: Callable[[], Served],
        refresh: Refresh,
        clock: Clock,
        health: SourceHealth,
        kept: KeptAnswers,
        house: Housekeeping,
    ) -> None:
        self._channels = channels
        self._outbox = outbox
        self._digests = digests
        self._sender = sender
        self._publishers: Mapping[str, Publisher] = {p.platform: p for p in publishers}
        self._served = served
        self._refresh = refresh
        self._clock = clock
        self._health = health
        self._kept = kept
        self._house = house
        self._fell_silent: list[Channel] = []  # their owners are to be told
        self._told: set[str] = set()  # of which sources that fail
        # From when to when nobody asked a source.
        self._unread: tuple[datetime, datetime] | None = None
        self._passed_over: set[ChannelRef] = set()  # until they are tried again
        self.planned: Counter[tuple[str, str]] = (
            Counter()
        )  # by platform, posted or why it was quiet
        self.ticked_at: datetime | None = None  # when planning last got on

    @property
    def platforms(self) -> Collection[str]:
        """Those that it posts to."""
        return self._publishers.keys()

    async def start(self, period: timedelta | None = None) -> None:
        """Before the first tick: take up what an earlier process left.

        *period* lies between two fetches, of which the first is about to begin; None: there is none.
        """
        await self._sender.recover()
        await self._reschedule()
        await self._refresh.forget_others()
        read = [h.last_success for h in await self._health.all_health() if h.last_success]
        self._unread = (max(read) + period, self._clock()) if read and period else None

    async def tick(self) -> None:
        """Plan what is due. That is no part of ``send``: ten thousand channels take minutes."""
        while due := await self._due():
            slots = [slot for each in due if (slot := await self._slot(each))]
            try:
                await self._plan(slots)
            except PaperboyError:  # the store's
                raise
            except Exception as error:
                await self._plan_one_by_one(slots, error)
            self.ticked_at = self._clock()
        self.ticked_at = self._clock()

    async def _plan(self, slots: Sequence[Slot]) -> None:
        async for slot, plan in self._digests.plans(slots):
            await self._keep(slot, plan)

    async def _plan_one_by_one(self, slots: Sequence[Slot], surprise: Exception) -> None:
        """Pass over those that raise it, as long as it is not all of them."""
        refs = {each.ref for each in await self._due()}
        left = [slot for slot in slots if slot.channel.ref in refs]
        failed = []
        for slot in left:
            try:
                await self._plan([slot])
            except PaperboyError:
                raise
            except Exception:
                log.exception("no digest can be made for %s", slot.channel.ref)
                failed.append(slot.channel.ref)
        if len(failed) == len(slots):
            raise surprise
        self._passed_over.update(failed)

    async def _due(self) -> list[Due]:
        now = self._clock()
        start, end = self._unread or (now, now)
        if now - end > FIRST_FETCH:
            start = end
        # those that are passed over come first, and must not fill the list
        limit = _ALL if start < end or self._passed_over else _AT_ONCE
        due = [
            each for each in await self._outbox.due(now, self._served(), limit)
            if each.ref not in self._passed_over and not (each.at and start < each.at < end)
        ]  # fmt: skip
        return due[:_AT_ONCE]

    async def send(self) -> None:
        await self._sender.send_due()

    async def look_up(self) -> None:
        """What became of posts in doubt. No part of ``send``, which may go on for minutes."""
        await self._sender.settle_unknown()

    async def audit(self) -> None:
        """Take second copies back, minutes after a post was resent in doubt (reliability §7, A26)."""
        await self._sender.audit()

    async def _slot(self, due: Due) -> Slot | None:
        """The slot to plan for, of those that are past; where there is none, the next is noted."""
        now = self._clock()
        try:
            channel = await self._channels.get(due.ref)
        except StorageDamaged as error:
            log.warning("no digest can be made for %s: %s", due.ref, error.message)
            self._passed_over.add(due.ref)
            return None
        if channel is None:
            await self._outbox.set_next(Due(due.ref, None, ""))
            return None
        at = due.at or now
        last = (at, *channel.schedule.slots_between(at, now))[-1]
        if due.fingerprint != _fingerprint(channel) or now - last > CATCH_UP:
            await self._outbox.set_next(due_after(channel, now))
            return None
        planned = await self._outbox.last_slot(due.ref)
        first = channel.schedule.next_due(planned.at) if planned else at
        return Slot(channel, last, missed_from=min(first or last, last))

    async def _keep(self, slot: Slot, plan: Plan) -> None:
        now = self._clock()
        ref, digest = slot.channel.ref, plan.digest
        if now - slot.at > LATE:
            late = text(f"This digest is late: it was due at {slot.local:%H:%M on %A %-d %B}.")
            digest = replace(digest, notes=(*digest.notes, late))
        posts = await self._posts(slot.channel, await self._with_button(digest))
        falls_silent = digest.quiet is not None and await self._falls_silent(slot)
        due = due_after(slot.channel, max(now, slot.at))
        why = digest.quiet.text if digest.quiet else ""
        if await self._outbox.plan(
            ref, slot.at, posts, plan.cursor, due, plan.released, why, unposted=True
        ):
            self.planned[ref.platform, digest.quiet.cause if digest.quiet else "posted"] += 1
            log.info("planned %d papers for %s", len(digest.cards), ref)
            if falls_silent:
                self._fell_silent.append(slot.channel)
        elif await self._outbox.posted(ref, plan.papers):  # somebody asked for them meanwhile
            log.info("%s is planned anew: it was overtaken", ref)  # for it is still due
        else:  # planned before, by a clock that was set back since
            await self._outbox.set_next(due)

    async def announce(self, channel: Channel, plan: Plan) -> Delivery | None:
        """A slot of its own, which concerns no schedule; gives the first post that did not get out.

        Raises UserError where another digest brought the papers meanwhile.
        """
        ref = channel.ref
        digest = await self._with_button(plan.digest)
        posts = self._publishers[ref.platform].compose(ref, digest)
        slot = plan.digest.slot
        while not await self._outbox.plan(
            ref, slot, posts, plan.cursor, None, plan.released, unposted=not plan.repeats
        ):
            if not plan.repeats and await self._outbox.posted(ref, plan.papers):
                raise UserError(
                    "These papers were posted to the channel a moment ago.",
                    hint="Type digest once more to see whether there are others.",
                )
            slot += timedelta(microseconds=1)  # somebody else asked in the same moment
        await self._sender.send_due()
        sent = await self._outbox.deliveries(ref, _LATEST)
        return next((d for d in sent if d.slot == slot and d.state is not State.SENT), None)

    async def _posts(self, channel: Channel, digest: Digest) -> Sequence[Post]:
        """None on a quiet day that is to be silent."""
        silent = digest.quiet and channel.quiet != "post"
        if silent and (channel.quiet == "silent" or await self._was_quiet(channel.ref)):
            return ()
        return self._publishers[channel.ref.platform].compose(channel.ref, digest)

    async def _with_button(self, digest: Digest) -> Digest:
        """It shows, to whoever presses it, the papers that the digest had no room for."""
        if not digest.beyond:
            return digest
        key = await self._kept.keep_answer(f"these {' '.join(digest.beyond)}", self._clock())
        button = Action(f"Show {digest.more} more", f"again {key}")
        return replace(digest, actions=(*digest.actions, button))

    async def _was_quiet(self, ref: ChannelRef) -> bool:
        """Whether the last that the channel was sent had no paper."""
        last = await self._outbox.deliveries(ref, 1)
        return bool(last) and not any(each.post.papers for each in last)

    async def _falls_silent(self, slot: Slot) -> bool:
        """Whether this slot makes it long; so it is told once, with nothing to remember."""
        schedule, ref = slot.channel.schedule, slot.channel.ref
        since = await silent_since(ref, self._outbox)
        before = await self._outbox.last_slot(ref)
        if since is None or before is None:
            return False
        return is_long_quiet(schedule, since, slot.at) and not is_long_quiet(
            schedule, since, before.at
        )

    async def reconcile(self) -> None:
        """Work next slots out anew where settings have changed, and tell owners what is amiss.

        That is not for the tick, where a slow platform would keep posts waiting.
        """
        self._passed_over.clear()
        await self._reschedule()
        await self.tell_owners()
        await self._tell_outages()

    async def tell_owners(self) -> None:
        """Of channels that fell silent: soon, for a restart forgets who is to be told."""
        while self._fell_silent:
            await self._tell_silence(self._fell_silent.pop())

    async def _tell_silence(self, channel: Channel) -> None:
        words = text(named(channel.ref), f" had no paper in its last {QUIET_SLOTS} digests.")
        hint = text(
            "Type ", typed("preview days:30"), " there to see what came near, or ",
            typed("status"), " to see how its sources are.",
        )  # fmt: skip
        await self._sender.tell(channel, Notice(words, kind="info", hints=(hint,)))

    async def _tell_outages(self) -> None:
        """Each once in this process: after a restart, owners are told again."""
        now = self._clock()
        for health in await self._health.all_health():
            since = health.failing_since
            if since is None:
                self._told.discard(health.name)
            elif now - since > OUTAGE and health.name not in self._told:
                self._told.add(health.name)
                await self._tell_outage(health, since)

    async def _tell_outage(self, health: Health, since: datetime) -> None:
        """To each owner once, however many channels are theirs."""
        log.warning("%s fails since %s: %s", health.name, since, health.error)
        told: set[tuple[str, str, str]] = set()
        for channel in await self._channels.all():
            owner = channel.ref.platform, channel.ref.tenant, channel.owner
            if owner in told or not _needs(channel, health.name, self._clock()):
                continue
            told.add(owner)
            local = since.astimezone(ZoneInfo(channel.schedule.zone))
            day = Span(f"{local:%a %-d %b %Y %H:%M}", when=since)
            words = text(f"{health.name} cannot be read since ", day, f": {health.error}")
            hint = text("Digests go on with the rest; what is missing comes when it is read again.")
            await self._sender.tell(channel, Notice(words, kind="error", hints=(hint,)))

    async def _reschedule(self) -> None:
        for channel in await self._channels.all():
            known = await self._outbox.next_due(channel.ref)
            if known is None:  # its settings were restored
                await self._digests.begin(channel.ref)
            await _reschedule(channel, known, self._outbox, self._clock())

    async def fetch(self, period: timedelta | None = None) -> None:
        """One round; where they are made again and again, *period* lies between two."""
        await self._refresh.fetch((), None, lambda _: None, period)
        self._unread = None

    async def keep_house(self) -> None:
        await self._house.tidy()
        await self._digests.renew()
