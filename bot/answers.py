"""What people ask, answered with a view. ``answer`` and ``say`` never raise."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from bot import commands, identity
from bot.cards import card, whole
from bot.commands import CHANGE, POST, Command
from bot.digests import Digests, Plan, parse_when
from bot.errors import PaperboyError, UserError
from bot.feedback_answers import FeedbackAnswers
from bot.forms import form_of, settings_form
from bot.model import Caller, Channel, ChannelRef, Role
from bot.options import change, differences, mark, people, pinged, undo
from bot.paper_answers import PaperAnswers
from bot.ports import ChannelStore, Clock, Delivery, Library, Outbox, Shelf, SourceHealth
from bot.ranking import LINE, Verdict
from bot.service import is_paused, reschedule
from bot.status_answers import StatusAnswers, moment, not_there
from bot.subscription_answers import SubscriptionAnswers, rhythm
from bot.views import (
    Action,
    Document,
    Listing,
    Notice,
    Row,
    Span,
    Text,
    View,
    advice,
    how_many,
    joined,
    named,
    text,
    typed,
)

log = logging.getLogger(__name__)

_JUST_NOW = timedelta(minutes=1)  # who presses a button again means the same


class Announcer(Protocol):
    async def announce(self, channel: Channel, plan: Plan) -> Delivery | None:
        """Post what somebody asked for to the whole channel, now; gives the first that is not there."""


class Answers:
    """Without *announcer* an answer is all that everybody sees: one terminal, one reader."""

    def __init__(
        self,
        store: ChannelStore,
        library: Library,
        ledger: Outbox,
        digests: Digests,
        papers: PaperAnswers,
        subscriptions: SubscriptionAnswers,
        feedback: FeedbackAnswers,
        shelf: Shelf,
        health: SourceHealth,
        announcer: Announcer | None,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._digests = digests
        self._papers = papers
        self._subscriptions = subscriptions
        self._feedback = feedback
        self._shelf = shelf
        self._status = StatusAnswers(store, library, ledger, papers, subscriptions, health, clock)
        self._announcer = announcer
        self._clock = clock
        self._undoing = asyncio.Lock()
        self._sharing: set[tuple[ChannelRef, tuple[str, ...]]] = set()

    async def say(self, words: str, caller: Caller) -> View:
        """Answer what was typed."""
        try:
            command = commands.parse(words)
        except UserError as error:
            return mistake(error)
        return await self.answer(command, caller)

    async def answer(self, command: Command, caller: Caller) -> View:
        """Answer a request; mistakes and surprises become notices."""
        try:
            if refused := await self._refused(command, caller):
                return refused
            return await self._do(command, caller)
        except PaperboyError as error:
            return mistake(error)
        except Exception:
            tag = secrets.token_hex(4)
            log.exception("request %s failed (%s)", type(command).__name__, tag)
            return Notice(
                text("Something went wrong here, and it is not your fault."),
                kind="error",
                hints=(text("The log has the details under ", Span(tag, code=True), "."),),
            )

    async def welcome(self, caller: Caller) -> list[View]:
        """What somebody sees who comes back to a channel: its last digest and how it stands."""
        channel = await self._channel(caller)
        again = await self._digests.again(channel)
        words = f"{how_many(len(channel.subscriptions), 'subscription')}, digests {rhythm(channel, self._clock())}."
        standing = Notice(
            text("Channel ", named(caller.ref), f": {words}"),
            kind="info",
            hints=(text("Write ", typed("help"), " to see what can be asked."),),
        )
        return [again, standing] if again else [standing]

    async def _refused(self, command: Command, caller: Caller) -> Notice | None:
        """That the caller may not do it there, and who may."""
        private = isinstance(command, commands.ConfigExport) or (
            isinstance(command, commands.DigestNow) and command.since
        )
        if commands.verb_of(command).kind not in (CHANGE, POST) or private:
            return None
        who = await self._who(caller.ref)
        if may_change(who, caller):
            return None
        if caller.ref.channel.startswith("@"):
            return Notice(
                text("This is somebody's own channel."),
                "error",
                hints=(text("Yours is where you write to me in private."),),
            )
        return Notice(
            text("You may not change this channel."),
            "error",
            hints=(_whom_to_ask(who, caller.ref.platform),),
        )

    async def _who(self, ref: ChannelRef) -> str:
        stored = await self._store.get(ref)
        return stored.who if stored else "members"

    async def _offered(self, listing: Listing, caller: Caller) -> Listing:
        """Without the buttons that the caller may not press."""
        if may_change(await self._who(caller.ref), caller):
            return listing
        actions = (a for a in listing.actions if _kind(a.sentence) not in (CHANGE, POST))
        return replace(listing, actions=tuple(actions))

    async def _do(self, command: Command, caller: Caller) -> View:
        match command:
            case commands.Help():
                return help_view(command)
            case commands.Subscribe():
                return await self._subscriptions.subscribe(command, caller)
            case commands.Expand(number, meaning):
                return await self._subscriptions.expand(number, meaning, caller)
            case commands.Unsubscribe():
                return await self._subscriptions.unsubscribe(command, caller)
            case commands.Mute(term):
                return await self._subscriptions.mute(term, caller)
            case commands.Unmute(term):
                return await self._subscriptions.unmute(term, caller)
            case commands.ListSubscriptions(everywhere, page):
                return await self._subscriptions.listed(everywhere, page, caller)
            case commands.Preview(days, new):
                return await self._subscriptions.preview(days, new, caller)
            case commands.Why(paper):
                return await self._why(paper, caller)
            case commands.Show(paper):
                return await self._show(paper)
            case commands.Settings():
                return settings_form(await self._channel(caller))
            case commands.OpenForm(name):
                return form_of(name, await self._channel(caller))
            case commands.SetOptions(options):
                return await self._set(options, caller)
            case commands.DigestNow(since, top):
                return await self._digest(since, top, caller)
            case commands.SetSchedule(words):
                return await self._schedule(words, caller)
            case commands.Pause(until):
                return await self._pause(until, caller)
            case commands.Resume():
                return await self._resume(caller)
            case commands.ConfigUndo(mark_of_it):
                return await self._undo(mark_of_it, caller)
            case commands.Status():
                return await self._offered(await self._status.status(caller), caller)
            case commands.Resend(key):
                return await self._status.resend(key, caller)
            case commands.GiveUp(key):
                return await self._status.give_up(key, caller)
            case commands.Find():
                return await self._papers.find(command, await self._channel(caller))
            case commands.Again():
                kept = await self._papers.again(command)
                if refused := await self._refused(kept, caller):
                    return refused
                return await self._do(kept, caller)
            case commands.About(papers):
                return await self._papers.about(papers)
            case commands.These():
                return await self._papers.these(command)
            case commands.Similar(paper):
                return await self._papers.similar(paper)
            case commands.Top():
                return await self._papers.top(command, await self._channel(caller))
            case commands.Save(paper):
                return await self._papers.save(paper, caller)
            case commands.Unsave(paper):
                return await self._papers.unsave(paper, caller)
            case commands.Saved(page):
                return await self._papers.saved(page, caller)
            case commands.Share(paper):
                return await self._share(paper, caller)
            case commands.Like(paper):
                return await self._feedback.like(paper, await self._channel(caller), caller)
            case commands.Dislike(paper):
                return await self._feedback.dislike(paper, await self._channel(caller), caller)
            case commands.Unvote(paper):
                return await self._feedback.unvote(paper, caller)
            case commands.ShowLearned(page):
                return await self._feedback.learned(page, await self._channel(caller))
            case commands.Forget():
                return await self._feedback.forget(command, await self._channel(caller))
            case commands.Export():
                return await self._papers.export(command, await self._channel(caller), caller)
            case commands.Home():
                return await self._offered(await self._status.home(caller), caller)
            case commands.ConfigExport():
                return Document("paperboy.json", await self._store.dump(caller.ref))
            case commands.ConfigImport(document):
                return await self._import(document, caller)
            case commands.EraseMe(sure):
                return await self._erase(caller, sure=sure)

    async def _channel(self, caller: Caller) -> Channel:
        return await self._subscriptions.channel(caller)

    async def _save(self, channel: Channel, caller: Caller) -> None:
        await self._subscriptions.save(channel, caller)

    def _today(self, channel: Channel) -> date:
        return self._clock().astimezone(ZoneInfo(channel.schedule.zone)).date()

    # papers

    async def _show(self, words: str) -> View:
        return Listing((), cards=(whole(await self._papers.paper(words)),))

    async def _why(self, words: str, caller: Caller) -> View:
        paper = await self._papers.paper(words)
        channel = await self._channel(caller)
        profile = await self._digests.profile(channel)
        verdict = profile.judge(paper)
        posted = await self._ledger.posted(caller.ref, [paper.id])
        notes: list[Text] = []
        if paper.id in posted:
            notes.append(text("Posted here on ", moment(posted[paper.id], channel), "."))
        notes += self._standing(verdict, channel, posted=paper.id in posted)
        short = identity.short_id(paper.id)
        shown = replace(
            card(verdict),
            notes=tuple(notes),
            actions=(
                Action("Abstract", f"show {short}"),
                Action("Like", f"like {short}"),
                Action("Less like this", f"dislike {short}"),
            ),
        )
        return Listing((), cards=(shown,))

    @staticmethod
    def _standing(verdict: Verdict, channel: Channel, *, posted: bool) -> list[Text]:
        if not channel.subscriptions:
            return [text("This channel has no subscriptions, so nothing scores here.")]
        if verdict.blocked:
            return [text(f"Blocked: {reason}.") for reason in verdict.blocked]
        if verdict.passed:
            above = f"It has {verdict.score:.1f} points; {LINE:.0f} are needed."
            return [text(above if posted else f"Not posted here. {above}")]
        if verdict.numbers:
            return [text(f"Below the line: {verdict.score:.1f} of the {LINE:.0f} points needed.")]
        missed = [
            text(f"Subscription {number} finds no ", Span(clauses, code=True), " in it.")
            for number, clauses in verdict.missed
        ]
        return [text("No subscription matches it."), *missed[:5]]

    async def _digest(self, since: str, top: int | None, caller: Caller) -> View:
        channel = await self._channel(caller)
        if since:
            start = commands.parse_day(since, self._today(channel))
            digest = await self._digests.since(channel, start, top or channel.max)
            note = text(
                f"A recap of everything listed since {start:%-d %B %Y}, for you alone; it marks nothing."
            )
            return replace(digest, notes=(*digest.notes, note))
        plan = await self._digests.now(channel)
        if self._announcer:
            if stuck := await self._announcer.announce(channel, plan):
                return not_there(stuck)
            return Notice(
                text(f"Posted to the channel: {how_many(len(plan.papers))}."),
                hints=(text(plan.digest.quiet.text),) if plan.digest.quiet else (),
            )
        await self._ledger.record(channel.ref, plan.digest.slot, plan.papers, plan.cursor)
        return plan.digest

    async def _share(self, words: str, caller: Caller) -> View:
        """Everybody sees it, so the channel's digests do not bring it again."""
        channel = await self._channel(caller)
        plan = await self._papers.shared(words, channel, caller)
        title = Span(plan.digest.cards[0].paper.title, strong=True)
        button = channel.ref, plan.papers
        just_now = Notice(text("It was posted here just now: ", title, "."), kind="info")
        if button in self._sharing:
            return just_now
        self._sharing.add(button)
        try:
            if await self._is_just_posted(channel, plan):
                return just_now
            if not self._announcer:
                await self._ledger.record(channel.ref, plan.digest.slot, plan.papers, plan.cursor)
                return plan.digest
            if stuck := await self._announcer.announce(channel, plan):
                return not_there(stuck)
        finally:
            self._sharing.discard(button)
        return Notice(text("Shared with the channel: ", title, "."))

    async def _is_just_posted(self, channel: Channel, plan: Plan) -> bool:
        posted = await self._ledger.posted(channel.ref, plan.papers)
        return any(abs(plan.digest.slot - at) < _JUST_NOW for at in posted.values())

    # settings

    async def _set(self, options: tuple[tuple[str, str], ...], caller: Caller) -> View:
        channel = await self._channel(caller)
        after = channel
        for name, value in options:
            after = change(after, name, value)
        if after == channel:
            return Notice(text("That is how it is set already."), kind="info")
        await self._save(after, caller)
        names = [name for name, _ in options if getattr(after, name) != getattr(channel, name)]
        return Notice(
            text(
                "Set ", *joined([text(f"{name} to ", *_value(after, name)) for name in names]), "."
            ),
            actions=(undo(after),),
        )

    async def _schedule(self, words: str, caller: Caller) -> View:
        channel = await self._channel(caller)
        if not words:
            return Notice(
                text(f"Digests come {rhythm(channel, self._clock())}."),
                kind="info",
                hints=await self._status.coming(channel),
            )
        assumed = not caller.zone and await self._store.get(caller.ref) is None
        after = replace(channel, schedule=channel.schedule.changed(words))
        await self._save(after, caller)
        if after.schedule.is_off:
            hint = text("Write ", typed("digest"), " for one now, or a schedule such as ",
                        typed("schedule weekdays 09:00"), ".")  # fmt: skip
            return Notice(text("No digest comes by itself any more."), hints=(hint,))
        return Notice(
            text(f"Digests come {rhythm(after, self._clock())}."),
            hints=(
                *await self._status.coming(after),
                *((text("Your time zone is not known; name it to change it."),) if assumed else ()),
            ),
        )

    async def _pause(self, until: str, caller: Caller) -> View:
        channel = await self._channel(caller)
        day: date | None = None
        if until:
            hint = "Write `pause until:2027-01-04`"
            try:
                when = parse_when(until.removeprefix("until").strip(), channel.schedule.zone)
            except UserError as error:
                raise UserError(error.message, hint=hint) from None
            day = when.date() if isinstance(when, datetime) else when
            if day <= self._today(channel):
                raise UserError(f"{day} is not in the future.", hint=hint)
        await self._save(replace(channel, paused=True, paused_until=day), caller)
        end = text(f"{day:%-d %B %Y}") if day else text("you write ", typed("resume"))
        return Notice(text("Paused until ", *end, "."), actions=(Action("Resume", "resume"),))

    async def _resume(self, caller: Caller) -> View:
        channel = await self._channel(caller)
        closure = await self._ledger.gone(caller.ref)
        if not is_paused(channel, self._clock()) and not closure:
            return Notice(
                text("It is not paused."), kind="info", hints=await self._status.coming(channel)
            )
        after = replace(channel, paused=False, paused_until=None)
        if channel.paused:
            await self._save(after, caller)
        if closure:
            await self._ledger.revive(caller.ref)
        hints = await self._status.coming(after)
        if closure:
            words = f"I post here again. No post was taken before: {closure.reason.rstrip('.')}."
            more = text("What was not posted can come with the next digest.")
            return Notice(text(words), hints=(more, *hints))
        return Notice(text(f"Going on: digests come {rhythm(after, self._clock())}."), hints=hints)

    async def _undo(self, beside: str, caller: Caller) -> View:
        async with self._undoing:  # a button may be pressed twice at once
            now = await self._store.get(caller.ref)
            if beside and (now is None or mark(now) != beside):
                hint = text("Write ", typed("config undo"), " to take the last change back.")
                return Notice(text("The settings have changed since."), kind="info", hints=(hint,))
            undone = await self._store.undo(caller.ref, caller.user)
        if undone is None:
            return Notice(text("There is nothing to undo."), kind="info")
        was, now = undone
        if now:
            await reschedule(now, self._ledger, self._clock())
        return Notice(text("Taken back: "), hints=tuple(differences(now, was)))

    async def _import(self, document: str, caller: Caller) -> View:
        before = await self._channel(caller)
        await self._digests.begin(caller.ref)
        after = await self._store.load(caller.ref, document, caller.user)
        await reschedule(after, self._ledger, self._clock())
        lines = differences(before, after) or [text("nothing changed")]
        return Notice(
            text("Settings taken over."),
            hints=tuple(lines),
            actions=(undo(after),),
        )

    async def _erase(self, caller: Caller, *, sure: bool) -> View:
        own = caller.own
        if not sure:
            return Notice(
                text(
                    "This removes your saved papers, your votes and your personal channel, for good."
                ),
                kind="info",
                hints=(text("To do it, write ", typed("erase me sure:yes"), "."),),
                actions=(Action("Erase", "erase me sure:yes"),),
            )
        if await self._store.get(own):
            await self._store.remove(own, caller.user)
        await self._shelf.erase(caller)
        return Notice(text("Erased: nothing is kept about you any more."))


def _value(channel: Channel, name: str) -> Text:
    value = getattr(channel, name)
    if name == "ping":
        return pinged(value)
    if name == "who":
        return people(value)
    return text(("on" if value else "off") if isinstance(value, bool) else f"{value}")


def _kind(sentence: str) -> str:
    return commands.verb_of(commands.parse(sentence)).kind


def may_change(who: str, caller: Caller) -> bool:
    """Whether the channel's *who* lets the caller change settings and post; nobody by default."""
    if caller.ref.channel.startswith("@"):
        return caller.ref == caller.own
    if caller.role is Role.MANAGER:
        return True
    match who:
        case "members":
            return caller.role is Role.MEMBER
        case "managers":
            return False
        case listed:
            return caller.role is Role.MEMBER and f"@{caller.user}" in listed.split(",")


def _whom_to_ask(who: str, platform: str) -> Text:
    """Who may change a channel, for somebody who may not."""
    if platform == "discord":  # where no channel has a maker
        manager = "somebody with the permission Manage Channels"
        if who in ("members", "managers"):
            return text(f"Ask {manager} to do it.")
        return text("Ask ", *people(who), f", or {manager}, to do it.")
    match who:
        case "members":
            whom = "one of its full members"
        case "managers":
            whom = "an admin or whoever made the channel"
        case listed:
            whom = f"{listed.replace(',', ', ')}, or an admin,"
    return text(f"Ask {whom} to do it.")


def mistake(error: PaperboyError) -> Notice:
    """An error as an answer: what is wrong, where, and what to write instead."""
    at = error if isinstance(error, UserError) else UserError("")
    return Notice(
        text(error.message),
        kind="error",
        hints=(advice(error.hint),) if error.hint else (),
        field=at.field,
        source=at.source,
        start=at.start,
        end=at.end,
    )


def help_view(command: commands.Help) -> View:
    if command.unknown:
        near = commands.nearest_verbs(command.unknown)
        meant = [text("Did you mean ", *joined([(typed(n),) for n in near]), "?")] if near else []
        return Notice(
            text(f"There is no “{command.unknown[:40]}”."),
            kind="error",
            hints=(*meant, text("Write ", typed("help"), " to see everything.")),
            actions=tuple(Action(n.capitalize(), f"help {n}") for n in near),
        )
    if command.topic:
        verb = commands.find_verb(command.topic)
        if verb is None:
            return help_view(commands.Help(unknown=command.topic))
        details = [text(verb.more)] if verb.more else []
        if verb.aliases:
            details.append(text(f"Also understood: {', '.join(verb.aliases)}."))
        return Listing(
            text(f"Help for {verb.name}"),
            rows=(Row(text(typed(verb.usage)), text(verb.summary), tuple(details)),),
        )
    rows = tuple(Row(text(typed(v.usage)), text(v.summary)) for v in commands.VERBS)
    return Listing(
        text("Paperboy brings this channel the new papers it cares about"),
        rows=rows,
        notes=(text("More about one: ", typed("help subscribe")),),
    )
