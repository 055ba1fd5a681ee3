"""How a post gets out once: the states of a delivery (pure), and the sender that drives them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from bot.errors import ChannelGone, HistoryUnreadable, Later, PaperboyError, Unknown, UserError
from bot.model import Channel, ChannelRef
from bot.ports import (
    Absent,
    ChannelStore,
    Clock,
    Delivery,
    Gone,
    Outbox,
    Outcome,
    Post,
    Postponed,
    Publisher,
    Rate,
    Sent,
    Served,
    Sleep,
    State,
    Unreadable,
    Unsure,
)
from bot.views import Notice, named, text, typed

log = logging.getLogger(__name__)

SETTLE = timedelta(seconds=90)  # design §12
LEASE = timedelta(seconds=30)
TIMEOUT = timedelta(seconds=10)
DRAIN = timedelta(seconds=11)  # what was begun has a timeout of its own
AUDIT = timedelta(minutes=10)  # after a post that was resent in doubt (reliability §3.4)
AUDIT_FOR = timedelta(days=1)
LOOKUPS = 5  # then a person decides (design §6)
LOOK_FOR = timedelta(hours=24)
PATIENCE = 4  # each wait for a readable history is so much longer: five looks span two hours
SKEW = timedelta(minutes=5)  # between our clock and the platform's, when history is searched
LATER_AT_MOST = timedelta(days=1)
BACKOFF = timedelta(minutes=1)  # at most, where the platform names no time
IN_HAND = 32
IN_HAND_PER_TENANT = 5  # so that a big workspace does not keep the others waiting
LATEST = 1_000  # posts of a channel: the other parts of a slot are among them
PER_CHANNEL = 0.95  # posts a second: one is allowed, and the network may bring the next one sooner


def key_of(ref: ChannelRef, slot: datetime, part: int) -> str:
    at = slot.astimezone(UTC).isoformat()
    parts = (ref.platform, ref.tenant, ref.channel, at, str(part))
    return sha256("\n".join(parts).encode()).hexdigest()[:24]


def planned(ref: ChannelRef, slot: datetime, posts: Sequence[Post]) -> list[Delivery]:
    at = slot.astimezone(UTC)
    return [Delivery(key_of(ref, at, n), ref, at, n, post, at) for n, post in enumerate(posts)]


def claimed(row: Delivery, now: datetime, lease: timedelta) -> Delivery:
    return replace(
        row,
        state=State.SENDING,
        attempts=row.attempts + 1,
        claimed_at=row.claimed_at or now,
        lease_until=now + lease,
    )


def settled(row: Delivery, outcome: Outcome, now: datetime) -> Delivery:
    """The table of design §6; an outcome that the state has no use for changes nothing."""
    match outcome, row.state:
        case Sent(message_id), State.READY | State.SENDING | State.UNKNOWN | State.HELD:
            audit_at = now + AUDIT if row.resent else None
            return replace(_moved(row, State.SENT), message_id=message_id, audit_at=audit_at)
        case Postponed(until, detail), State.SENDING:
            return replace(_moved(row, State.READY, detail), not_before=until)
        case Gone(reason), State.SENDING:
            return _moved(row, State.DEAD, reason)
        case Unsure(settle_at, detail), State.SENDING:
            row = _moved(row, State.UNKNOWN, detail)
            return replace(row, unknown_at=now, settle_at=settle_at, lookups=0)
        case Absent(), State.UNKNOWN:
            return replace(_moved(row, State.READY, row.detail), not_before=now, resent=True)
        case Unreadable(again, detail, forbidden, counted), State.UNKNOWN:
            row = replace(row, settle_at=again, lookups=row.lookups + counted, detail=detail)
            is_late = row.unknown_at is not None and now - row.unknown_at >= LOOK_FOR
            if forbidden or is_late or row.lookups >= LOOKUPS:
                return _moved(row, State.HELD, detail)
            return row
        case _:
            return row


def concluded(row: Delivery, seen: Delivery, outcome: Outcome, now: datetime) -> Delivery:
    """``settled``, where nothing has happened to the row since it was *seen*.

    What is out of date counts only where it says that the post is there.
    """
    is_current = (row.state, row.attempts) == (seen.state, seen.attempts)
    return settled(row, outcome, now) if is_current or isinstance(outcome, Sent) else row


def buried(row: Delivery, reason: str) -> Delivery:
    """What becomes of a ready post when its channel is gone."""
    return _moved(row, State.DEAD, reason)


def _moved(row: Delivery, state: State, detail: str = "") -> Delivery:
    return replace(row, state=state, detail=detail, lease_until=None, settle_at=None)


def resent(row: Delivery) -> Delivery:
    """What a person's word makes of a held post; raises UserError for any other."""
    _check_held(row)
    return replace(_moved(row, State.READY), resent=True)


def given_up(row: Delivery) -> Delivery:
    _check_held(row)
    return abandoned(row)


def abandoned(row: Delivery) -> Delivery:
    """What becomes of a given up post, and of the later parts of its slot."""
    return _moved(row, State.GIVEN_UP, row.detail)


def _check_held(row: Delivery) -> None:
    if row.state is not State.HELD:
        raise UserError(
            f"That post is {row.state.value}; only a held one can be resent or given up.",
            hint="Type `status` to see what is held.",
        )


def no_such_post(key: str) -> UserError:
    return UserError(
        f"There is no post “{key[:40]}” here.", hint="Type `status` to see what is held."
    )


class Pace:
    """Keeps posts apart: as PER_CHANNEL says in each channel, and as the platform's rate asks."""

    def __init__(self, clock: Clock, sleep: Sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._free_at: dict[object, datetime] = {}

    async def wait(self, rate: Rate, ref: ChannelRef) -> None:
        # The channel first: the platform's next moment is not to be spent on one that must wait.
        await self._turn(ref, PER_CHANNEL)
        whole = (ref.platform, ref.tenant) if rate.by_tenant else ref.platform
        await self._turn(whole, rate.per_second)
        self._free_at[ref] = self._clock() + timedelta(seconds=1 / PER_CHANNEL)

    async def _turn(self, of: object, per_second: float) -> None:
        now = self._clock()
        at = max(now, self._free_at.get(of, now))
        if at - now > LEASE:  # the clock was set back
            at = now
        self._free_at[of] = at + timedelta(seconds=1 / per_second)
        if at > now:
            await self._sleep((at - now).total_seconds())


class Sender:
    """Drives deliveries from ready to their end. One per process; ``recover`` comes first.

    *served* tells the platforms and tenants of this process. *reached* is told each step by name,
    just before or after it, so that tests can end the process there.
    """

    def __init__(
        self,
        outbox: Outbox,
        channels: ChannelStore,
        publishers: Sequence[Publisher],
        served: Callable[[], Served],
        clock: Clock,
        sleep: Sleep,
        *,
        settle: timedelta = SETTLE,
        timeout: timedelta = TIMEOUT,
        lease: timedelta = LEASE,
        reached: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._outbox = outbox
        self._channels = channels
        self._publishers = {publisher.platform: publisher for publisher in publishers}
        self._served = served
        self._clock = clock
        self._settle = settle
        self._timeout = timeout
        self._lease = lease
        self._reached = reached
        self._pace = Pace(clock, sleep)
        self._in_hand: set[asyncio.Task[None]] = set()
        self._draining = False
        # What became of posts since the start, by platform: sent, later, unknown, found, resent, held,
        # dead, and doubles that the audit took back.
        self.tally: Counter[tuple[str, str]] = Counter()

    async def recover(self) -> None:
        """At the start: whoever had posts in hand is dead, and what came of them is unknown."""
        if count := await self._outbox.recover(self._clock(), self._settle):
            log.warning("%d posts were in hand when Paperboy ended: each is looked up", count)

    async def send_due(self) -> None:
        """Post what is ready; comes back when nothing more can go now.

        Where it is cancelled, what is in hand is still posted: see ``drain``.
        """
        if count := await self._outbox.expire(self._clock(), self._settle):
            log.warning("%d posts were in hand for too long: each is looked up", count)
        while not self._draining:
            self._reached("claim")
            free = IN_HAND - len(self._in_hand)
            served = self._served()
            for delivery in await self._outbox.claim(self._clock(), self._lease, served, free):
                self._in_hand.add(asyncio.create_task(self._send(delivery)))
            if not self._in_hand:
                return
            done, _ = await asyncio.wait(self._in_hand, return_when=asyncio.FIRST_COMPLETED)
            self._in_hand -= done
            for task in done:
                task.result()  # a store that failed is the caller's to hear of

    async def drain(self) -> None:
        """Begin nothing more; what is in hand has DRAIN to end, and is unknown afterwards."""
        self._draining = True
        if not self._in_hand:
            return
        _, late = await asyncio.wait(self._in_hand, timeout=DRAIN.total_seconds())
        for task in late:
            task.cancel()
        for result in await asyncio.gather(*self._in_hand, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("a post was not accounted for", exc_info=result)
        self._in_hand.clear()

    async def _send(self, delivery: Delivery) -> None:
        self._reached("claimed")
        publisher = self._publishers[delivery.ref.platform]
        if publisher.rate:
            await self._pace.wait(publisher.rate, delivery.ref)
        now = self._clock()
        outcome: Outcome
        if self._draining:
            outcome = Postponed(now, "Paperboy was being stopped")
        elif delivery.lease_until is None or now > delivery.lease_until - self._timeout:
            outcome = Postponed(now, "it waited too long for its turn")
        else:
            outcome = await self._published(publisher, delivery)
        self._reached("published")
        await self._settled(delivery, outcome)
        self._reached("settled")

    async def _published(self, publisher: Publisher, delivery: Delivery) -> Outcome:
        self._reached("publish")
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return Sent(
                    await publisher.publish(
                        delivery.ref, delivery.post, delivery.key, delivery.parent
                    )
                )
        except Later as error:
            return Postponed(self._clock() + _wait(error.after, delivery.attempts), error.message)
        except ChannelGone as error:
            return Gone(error.message)
        except Unknown as error:
            detail = error.message
        except TimeoutError:
            detail = "the platform did not answer in time"
        except Exception as error:  # it may have happened after the post was made
            detail = _noted(error, f"posting to {delivery.ref}")
        return Unsure(self._clock() + self._settle, detail)

    async def settle_unknown(self) -> None:
        """Look each doubtful post up whose time has come: a few at once, one look each."""
        served = self._served()
        due = await self._outbox.to_settle(self._clock(), served, IN_HAND)
        await asyncio.gather(*map(self._look_up, due))

    async def _look_up(self, delivery: Delivery) -> None:
        self._reached("look up")
        outcome: Outcome
        try:
            copies = await self._find(delivery)
        except HistoryUnreadable as error:
            wait = self._settle * PATIENCE**delivery.lookups
            outcome = Unreadable(self._clock() + wait, error.message, error.forbidden)
        except Later as error:
            again = self._clock() + _wait(error.after, delivery.attempts)
            outcome = Unreadable(again, error.message, counted=False)
        else:
            outcome = Sent(copies[0]) if copies else Absent()
        self._reached("looked up")
        await self._settled(delivery, outcome)
        self._reached("looked up and settled")

    async def _find(self, delivery: Delivery) -> Sequence[str]:
        publisher = self._publishers[delivery.ref.platform]
        since = (delivery.claimed_at or delivery.slot) - SKEW
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await publisher.find(
                    delivery.ref, delivery.post, delivery.key, delivery.parent, since
                )
        except (HistoryUnreadable, Later):
            raise
        except ChannelGone as error:  # it may stand there all the same: a person decides
            raise HistoryUnreadable(error.message, forbidden=True) from error
        except TimeoutError as error:
            raise HistoryUnreadable("the history did not come in time") from error
        except Exception as error:  # a fault of ours must not resend a post
            raise HistoryUnreadable(_noted(error, f"reading {delivery.ref}")) from error

    async def audit(self) -> None:
        """See whether posts that were resent in doubt stand twice, and take the second copy back."""
        due = await self._outbox.to_audit(self._clock(), self._served(), IN_HAND)
        await asyncio.gather(*map(self._audit, due))

    async def _audit(self, delivery: Delivery) -> None:
        now = self._clock()
        publisher = self._publishers[delivery.ref.platform]
        message_id = delivery.message_id
        again: datetime | None = None
        try:
            copies = await self._find(delivery)
            message_id = await self._standing(delivery, copies)
            for copy in copies:
                if copy == message_id:
                    continue
                self._reached("delete")
                async with asyncio.timeout(self._timeout.total_seconds()):
                    await publisher.delete(delivery.ref, copy)
                self._count(delivery, "doubles")
                log.warning("took a second copy of %s back in %s", delivery.key, delivery.ref)
        except HistoryUnreadable as error:
            log.info("could not audit %s in %s: %s", delivery.key, delivery.ref, error)
            again = None if error.forbidden else now + AUDIT
        except (Later, Unknown, TimeoutError) as error:
            log.info("could not audit %s in %s: %s", delivery.key, delivery.ref, error)
            again = now + AUDIT
        except Exception as error:  # the next ones are to be audited all the same
            _noted(error, f"auditing {delivery.ref}")
            again = now + AUDIT
        if now - (delivery.claimed_at or delivery.slot) > AUDIT_FOR:
            again = None
        await self._outbox.audited(delivery.key, message_id, again)

    async def _standing(self, delivery: Delivery, copies: Sequence[str]) -> str:
        """The copy that stays: the first, unless later parts hang on the one that is known."""
        known = delivery.message_id
        if delivery.part == 0 and known in copies[1:]:
            slots = await self._outbox.deliveries(delivery.ref, LATEST)
            if any(each.slot == delivery.slot and each.part and each.attempts for each in slots):
                return known
        return next(iter(copies), known)

    async def _settled(self, delivery: Delivery, outcome: Outcome) -> None:
        row = await self._outbox.settle(delivery, outcome, self._clock())
        match outcome:
            case Sent() if delivery.state is State.UNKNOWN:
                self._count(row, "found")
            case Sent():
                self._count(row, "sent")
                log.info("posted %d papers to %s", len(row.post.papers), row.ref)
            case Postponed():
                self._count(row, "later")
            case Unsure():
                self._count(row, "unknown")
                log.warning("%s in %s is unknown: %s", row.key, row.ref, row.detail)
            case Absent():
                self._count(row, "resent")
            case Unreadable():
                if row.state is State.HELD:
                    self._count(row, "held")
                    log.warning("%s in %s is held: %s", row.key, row.ref, row.detail)
            case Gone(reason):
                self._count(row, "dead")
                await self._tell_gone(delivery.ref, reason)

    def _count(self, row: Delivery, what: str) -> None:
        self.tally[row.ref.platform, what] += 1

    async def close(self, ref: ChannelRef, reason: str) -> None:
        """The platform says that the channel takes no posts any more; its owner hears of it."""
        await self._outbox.close(ref, reason, self._clock())
        await self._tell_gone(ref, reason)

    async def _tell_gone(self, ref: ChannelRef, reason: str) -> None:
        """Once, even where it fails: then it is seen in ``status`` and the log alone."""
        if not await self._outbox.told(ref):
            return
        log.warning("%s takes no posts: %s", ref, reason)
        channel = await self._channels.get(ref)
        if channel is None:
            return
        words = text("I can no longer post in ", named(ref), f": {reason}.")
        hint = text("No paper is lost: let me in again, then type ", typed("resume"), " there.")
        await self.tell(channel, Notice(words, kind="error", hints=(hint,)))

    async def tell(self, channel: Channel, notice: Notice) -> None:
        """The channel's owner, in private; where that fails, it is seen in ``status`` alone."""
        ref = channel.ref
        publisher = self._publishers.get(ref.platform)
        if publisher is None or not channel.owner:
            return
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await publisher.tell(ref, channel.owner, notice)
        except (PaperboyError, TimeoutError) as error:
            log.info("could not tell the owner of %s: %s", ref, error)
        except Exception as error:  # the posts are accounted for: that is what matters here
            _noted(error, f"telling the owner of {ref}")


def _wait(after: float, attempts: int) -> timedelta:
    if after > 0:
        return timedelta(seconds=min(after, LATER_AT_MOST.total_seconds()))
    return min(timedelta(seconds=2 ** min(attempts, 10)), BACKOFF)


def _noted(error: Exception, what: str) -> str:
    """Log the surprise; the words name the place in the log."""
    number = secrets.token_hex(4)
    log.error("%s failed in an unforeseen way (%s)", what, number, exc_info=error)
    return f"an unforeseen fault, {number} in the log"
