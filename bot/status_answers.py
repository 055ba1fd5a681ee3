"""How a channel stands, and what a person does about a post that got stuck."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bot import identity
from bot.delivery import no_such_post
from bot.errors import UserError
from bot.model import Caller, Channel, ChannelRef
from bot.options import pinged, told
from bot.paper_answers import PaperAnswers
from bot.ports import (
    ChannelStore,
    Clock,
    Closure,
    Delivery,
    Health,
    Library,
    Outbox,
    SourceHealth,
    State,
)
from bot.service import LATE, QUIET_SLOTS, is_long_quiet, is_paused, running_after, silent_since
from bot.subscription_answers import SubscriptionAnswers, rhythm, sees
from bot.text import clip
from bot.views import (
    Action,
    Listing,
    Notice,
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

_LOOKED_AT = 1_000  # posts of a channel, the latest first
_SHOWN = 8  # posts that did not get out
_BUTTONS = 3  # of them that have buttons
_NEXT = 5  # channels whose next digests home tells
_REMOVALS, _LABEL = 5, 40  # buttons of home that drop a subscription; characters on each
_KEY = 24  # characters
_SHORT, _SHORTEST = 8, 6  # as keys are shown; as they may be typed


class StatusAnswers:
    def __init__(
        self,
        store: ChannelStore,
        library: Library,
        ledger: Outbox,
        papers: PaperAnswers,
        subscriptions: SubscriptionAnswers,
        health: SourceHealth,
        clock: Clock,
    ) -> None:
        self._store = store
        self._library = library
        self._ledger = ledger
        self._papers = papers
        self._subscriptions = subscriptions
        self._health = health
        self._clock = clock

    async def status(self, caller: Caller) -> Listing:
        channel = await self._subscriptions.channel(caller)
        now = self._clock()
        closure = await self._ledger.gone(caller.ref)
        newest = await self._library.newest_day()
        posts = await self._ledger.deliveries(caller.ref, _LOOKED_AT)
        stuck = [post for post in posts if _is_stuck(post, now, closure)]
        rows = [
            Row(text("Channel"), text(f"{caller.ref}")),
            *([_closed(closure, channel)] if closure else []),
            Row(text("Digests"), text(rhythm(channel, now)),
                () if closure else await self.coming(channel)),
            Row(text("Settings"), text(
                f"{how_many(len(channel.subscriptions), 'subscription')}, {how_many(len(channel.muted), 'muted word')}, "
                f"at most {channel.max} papers, {channel.strictness}, {channel.layout}, "
                f"quiet days: {channel.quiet}, trending: {channel.trending}",
                *(text(", mentions ", *pinged(channel.ping)) if channel.ping else ()))),
            Row(text("Library"), text(
                f"{await self._library.count():,} papers"
                + (f", the newest listed on {newest:%-d %B %Y}" if newest else ""))),
            await self._posted(channel),
            *(_stuck(post, posts, channel) for post in stuck[:_SHOWN]),
            # not as a moment: platforms show those by the reader's clock
            Row(text("Now"), text(f"{moment(now, channel).text} ({channel.schedule.zone})")),
        ]  # fmt: skip
        rows += [
            Row(text(f"Source {source.name}"), *_told_health(source, channel, now))
            for source in await self._health.all_health()
        ]
        more = len(stuck) - _SHOWN
        held = [post for post in stuck if post.state is State.HELD]
        resume = (Action("Resume", "resume"),) if is_paused(channel, now) or closure else ()
        buttons = [button for post in held[:_BUTTONS] for button in _buttons(post, channel)]
        return Listing(
            text("Status"),
            rows=tuple(rows),
            notes=(text(f"{more} more posts did not get out."),) if more > 0 else (),
            actions=(*resume, *buttons),
        )

    async def coming(self, channel: Channel) -> tuple[Text, ...]:
        """The next digests in a line, or why none comes."""
        if closure := await self._ledger.gone(channel.ref):
            why = f"None comes now: {closure.reason.rstrip('.')}. Let me in again, then write "
            return (text(why, typed("resume"), "."),)
        if await self._store.get(channel.ref) is None:
            example = typed('subscribe "speculative decoding"')
            return (text("None comes yet: nothing is set up here. Write ", example, "."),)
        return _upcoming(channel, self._clock())

    async def _posted(self, channel: Channel) -> Row:
        last = await self._ledger.last(channel.ref)
        planned = await self._ledger.last_slot(channel.ref)
        since = await silent_since(channel.ref, self._ledger)
        details: list[Text] = []
        if planned and planned.why:
            details.append(text("No paper on ", moment(planned.at, channel), f": {planned.why}"))
        if since and planned and is_long_quiet(channel.schedule, since, planned.at):
            hint = typed("preview days:30")
            words = f"No paper in the last {QUIET_SLOTS} digests or more; "
            details.append(text(words, hint, " shows what came near."))
        if last is None:
            return Row(text("Posted"), text("nothing here yet"), tuple(details))
        count = len(await self._ledger.posted(channel.ref))
        body = text(f"{how_many(count)} here, last on ", moment(last[0], channel))
        return Row(text("Posted"), body, tuple(details))

    async def home(self, caller: Caller) -> Listing:
        """What is a person's own, and what they look after."""
        own = caller.own
        mine = await self._store.get(own)
        here = (caller.ref.platform, caller.ref.tenant)
        managed = [
            channel for channel in await self._store.all()
            if (channel.ref.platform, channel.ref.tenant) == here
            and channel.owner == caller.user and channel.ref != own and sees(caller, channel.ref)
        ]  # fmt: skip
        looked_after = (*([mine] if mine else []), *managed)
        closed = {c.ref: why for c in looked_after if (why := await self._ledger.gone(c.ref))}
        saved = await self._papers.saved_papers(caller)
        now = self._clock()
        rows = [
            Row(text("Your subscriptions"), text(f"{len(mine.subscriptions)}" if mine else "none yet"),
                tuple(told(s) for s in mine.subscriptions) if mine else (), _removals(mine, caller)),
            Row(text("Saved papers"), text(f"{len(saved)}"),
                tuple(text(Span(p.title, link=identity.paper_link(p.id, p.title))) for p in saved[:3])),
            Row(text("Your channels"), text(f"{len(managed)}"),
                tuple(text(named(c.ref), f": {how_many(len(c.subscriptions), 'subscription')}, ",
                           f"no posts: {closed[c.ref].reason.rstrip('.')}" if c.ref in closed else rhythm(c, now))
                      for c in managed)),
        ]  # fmt: skip
        coming = [
            text(named(c.ref), ": ", *days)
            for c in looked_after
            if c.ref not in closed and (days := _days(c, now))
        ]
        if coming:
            rows.append(Row(text("Next digests"), text(""), tuple(coming[:_NEXT])))
        return Listing(
            text("Home"),
            rows=tuple(rows),
            actions=(
                Action("Subscribe", "form subscribe"),
                Action("Search papers", "form search"),
                Action("Schedule", "form schedule"),
                Action("Saved papers", "saved"),
                Action("Help", "help"),
            ),
        )

    async def resend(self, key: str, caller: Caller) -> View:
        channel = await self._subscriptions.channel(caller)
        if closure := await self._ledger.gone(caller.ref):
            raise UserError(
                f"This channel takes no posts: {closure.reason}.",
                hint="Let me in again and type `resume` first.",
            )
        posts = await self._ledger.deliveries(caller.ref, _LOOKED_AT)
        post = await self._ledger.resend(caller.ref, _whole(key, posts, caller.ref))
        return Notice(
            text("Sent once more, within a minute: ", *_named(post, channel), "."),
            hints=(
                text(
                    "Should it have been here all along, it stands here twice for a while: where I may "
                    "read this channel's history, I take the second one back."
                ),
            ),
        )

    async def give_up(self, key: str, caller: Caller) -> View:
        channel = await self._subscriptions.channel(caller)
        posts = await self._ledger.deliveries(caller.ref, _LOOKED_AT)
        post = await self._ledger.give_up(caller.ref, _whole(key, posts, caller.ref))
        behind = [
            other for other in posts
            if other.slot == post.slot and other.part > post.part and other.state is State.READY
        ]  # fmt: skip
        hints = [text("The rest of that digest is not posted either.")] if behind else []
        if count := sum(len(dropped.post.papers) for dropped in (post, *behind)):
            held = f"The {how_many(count)} it held" if count > 1 else "The paper it held"
            hints.append(text(f"{held} can come with the next digest."))
        return Notice(text("Given up: ", *_named(post, channel), "."), hints=tuple(hints))


def _removals(mine: Channel | None, caller: Caller) -> tuple[Action, ...]:
    """Where the person is in their own channel, as on a page of their own."""
    if mine is None or caller.ref != mine.ref:
        return ()
    return tuple(
        Action(clip(f"Remove {s.number}: {s.query}", _LABEL), f"unsubscribe {s.number}")
        for s in mine.subscriptions[:_REMOVALS]
    )


def moment(when: datetime, channel: Channel) -> Span:
    """A time in the channel's zone."""
    local = when.astimezone(ZoneInfo(channel.schedule.zone))
    return Span(f"{local:%a %-d %b %Y %H:%M}", when=when)


def _upcoming(channel: Channel, now: datetime) -> tuple[Text, ...]:
    """The next digests in a line, or that a pause keeps them all back; no line where none comes."""
    if running_after(channel, now) is None and not channel.schedule.is_off:
        return (text("It is paused: none comes until you type ", typed("resume"), "."),)
    days = _days(channel, now)
    return (text("Next: ", *days, "."),) if days else ()


def _days(channel: Channel, now: datetime) -> Text:
    """The next three slots, where there are any, after a pause."""
    start = running_after(channel, now)
    slots = () if start is None else channel.schedule.next_slots(start, 3)
    return joined([(Span(f"{slot:%a %-d %b %H:%M}", when=slot),) for slot in slots])


def _whole(key: str, posts: Sequence[Delivery], ref: ChannelRef) -> str:
    """The key of the only post whose key begins so; raises UserError."""
    typed = key.strip().lower()
    if len(typed) >= _KEY:
        return typed
    if len(typed) < _SHORTEST:
        raise UserError(
            f"“{key}” is too short for a key.",
            hint=f"Write its first {_SHORTEST} characters or more; `status` shows it.",
        )
    found = [post.key for post in posts if post.key.startswith(typed)]
    if not found:
        raise no_such_post(key)
    if len(found) > 1:
        raise UserError(
            f"{len(found)} posts of this channel have a key that begins with “{key}”.",
            hint="Write more of it.",
        )
    return found[0]


def _is_stuck(post: Delivery, now: datetime, closure: Closure | None) -> bool:
    match post.state:
        case State.HELD | State.UNKNOWN:
            return True
        case State.READY:
            return now - post.slot > LATE
        case State.DEAD:  # once posts are taken again, its papers are in another digest
            return closure is not None
        case _:
            return False


def _named(post: Delivery, channel: Channel) -> Text:
    part = f", part {post.part + 1}" if post.part else ""
    papers = f", {how_many(len(post.post.papers))}" if post.post.papers else ", without papers"
    return text("the digest of ", moment(post.slot, channel), part + papers)


def _stuck(post: Delivery, posts: Sequence[Delivery], channel: Channel) -> Row:
    why = text(f"Why: {post.detail.rstrip('.')}.") if post.detail else ()
    short = post.key[:_SHORT]
    match post.state:
        case State.HELD:
            lead = "Held"
            do = text(
                "Look whether it is here. If not, type ", typed(f"resend {short}"),
                "; to drop it, type ", typed(f"giveup {short}"), ".",
            )  # fmt: skip
        case State.UNKNOWN:
            lead = "In doubt"
            again = (
                ("; I look again on ", moment(post.settle_at, channel)) if post.settle_at else ()
            )
            do = text("Nobody knows yet whether it is here", *again, ".")
        case State.READY if _is_behind(post, posts):
            lead, do = "Waiting", text("It follows when the part before it is here.")
            why = ()
        case State.READY:
            lead = "Waiting"
            do = text("I try again, not before ", moment(post.not_before, channel), ".")
        case _:
            lead = "Not posted"
            do = text("Its papers can come with the first digest after ", typed("resume"), ".")
    return Row(text(lead), _named(post, channel), tuple(line for line in (why, do) if line))


def not_there(post: Delivery) -> Notice:
    """The answer to who asked for a post that could not be made at once."""
    why = f": {post.detail.rstrip('.')}." if post.detail else "."
    after = text("Type ", typed("status"), " to see what becomes of it.")
    match post.state:
        case State.DEAD:
            words = f"It could not be posted{why}"
            after = text("No paper is lost: let me in again, then type ", typed("resume"), ".")
        case State.READY:
            words = f"It is not posted yet, and I try again{why}"
        case _:
            words = f"Nobody knows yet whether it was posted{why}"
    return Notice(text(words), kind="error", hints=(after,))


def _is_behind(post: Delivery, posts: Sequence[Delivery]) -> bool:
    return any(
        other.slot == post.slot and other.part < post.part and other.state is not State.SENT
        for other in posts
    )


def _buttons(post: Delivery, channel: Channel) -> tuple[Action, Action]:
    local = post.slot.astimezone(ZoneInfo(channel.schedule.zone))
    day = f"{local:%-d %b %H:%M}"
    return Action(f"Resend {day}", f"resend {post.key}"), Action(
        f"Give up {day}", f"giveup {post.key}"
    )


def _closed(closure: Closure, channel: Channel) -> Row:
    return Row(
        text("Closed"),
        text("no posts are taken here since ", moment(closure.at, channel)),
        (
            text(f"Why: {closure.reason.rstrip('.')}."),
            text("Let me in again, then type ", typed("resume"), "."),
        ),
    )


def _told_health(health: Health, channel: Channel, now: datetime) -> tuple[Text, tuple[Text, ...]]:
    good = health.last_success
    said = text("last read ", moment(good, channel)) if good else text("never read yet")
    if health.announced:
        said += text(f", announced {health.announced:%-d %B %Y}")
    details = [text(f"Failing: {health.error}")] if health.failing else []
    if health.next_try and health.next_try > now:  # it may be of a program that was ended
        details.append(text("Next try ", moment(health.next_try, channel)))
    return said, tuple(details)
