"""What people ask, answered with a view. ``answer`` and ``say`` never raise."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from bot import commands, identity
from bot.commands import CHANGE, POST, Command
from bot.digests import Digests, actions, card, parse_when
from bot.errors import PaperboyError, UserError
from bot.feedback_answers import FeedbackAnswers
from bot.model import Caller, Channel
from bot.options import change, differences, settings_form, told
from bot.paper_answers import PaperAnswers
from bot.ports import ChannelStore, Clock, Health, Ledger, Library, Shelf, SourceHealth
from bot.ranking import LINE, Verdict
from bot.schedule import Schedule
from bot.subscription_answers import SubscriptionAnswers, rhythm
from bot.views import (
    Action,
    Document,
    Listing,
    Notice,
    PaperCard,
    Row,
    Span,
    Text,
    View,
    joined,
    text,
)

log = logging.getLogger(__name__)


class Answers:
    def __init__(
        self,
        store: ChannelStore,
        library: Library,
        ledger: Ledger,
        digests: Digests,
        papers: PaperAnswers,
        subscriptions: SubscriptionAnswers,
        feedback: FeedbackAnswers,
        shelf: Shelf,
        health: SourceHealth,
        clock: Clock,
    ) -> None:
        self._store = store
        self._library = library
        self._ledger = ledger
        self._digests = digests
        self._papers = papers
        self._subscriptions = subscriptions
        self._feedback = feedback
        self._shelf = shelf
        self._health = health
        self._clock = clock

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
            self._permit(command, caller)
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
        words = f"{len(channel.subscriptions)} subscriptions, digests {rhythm(channel)}."
        standing = Notice(
            text("Channel ", Span(caller.ref.channel, strong=True), f": {words}"),
            kind="info",
            hints=(text("Write ", Span("help", code=True), " to see what can be asked."),),
        )
        return [again, standing] if again else [standing]

    def _permit(self, command: Command, caller: Caller) -> None:
        kind = commands.verb_of(command).kind
        private = isinstance(command, commands.ConfigExport) or (
            isinstance(command, commands.DigestNow) and command.since
        )
        if kind in (CHANGE, POST) and not caller.may_change and not private:
            raise UserError(
                "You may not change this channel.", hint="Ask one of its full members to do it."
            )

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
            case commands.ConfigUndo():
                return await self._undo(caller)
            case commands.Status():
                return await self._status(caller)
            case commands.Find():
                return await self._papers.find(command, await self._channel(caller))
            case commands.Again():
                kept = await self._papers.again(command)
                self._permit(kept, caller)
                return await self._do(kept, caller)
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
                return await self._papers.share(paper, await self._channel(caller), caller)
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
                return await self._home(caller)
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
        paper = await self._papers.paper(words)
        shown = PaperCard(
            paper,
            abstract=text(paper.abstract or "Its abstract is not known here."),
            gist=text(paper.summary),
            actions=actions(paper)[:1],
        )
        return Listing((), cards=(shown,))

    async def _why(self, words: str, caller: Caller) -> View:
        paper = await self._papers.paper(words)
        channel = await self._channel(caller)
        profile = await self._digests.profile(channel)
        verdict = profile.judge(paper)
        posted = await self._ledger.posted(caller.ref, [paper.id])
        notes: list[Text] = []
        if paper.id in posted:
            notes.append(
                text(
                    "Posted here on ",
                    Span(_long(posted[paper.id], channel), when=posted[paper.id]),
                    ".",
                )
            )
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
        await self._ledger.record(channel.ref, plan.digest.slot, plan.papers, plan.cursor)
        return plan.digest

    # settings

    async def _set(self, options: tuple[tuple[str, str], ...], caller: Caller) -> View:
        channel = await self._channel(caller)
        after = channel
        for name, value in options:
            after = change(after, name, value)
        if after == channel:
            return Notice(text("That is how it is set already."), kind="info")
        await self._save(after, caller)
        return Notice(
            text(
                "Set ", ", ".join(f"{name} to {getattr(after, name)}" for name, _ in options), "."
            ),
            actions=(Action("Undo", "config undo"),),
        )

    async def _schedule(self, words: str, caller: Caller) -> View:
        channel = await self._channel(caller)
        if not words:
            return Notice(
                text(f"Digests come {rhythm(channel)}."), kind="info", hints=self._next(channel)
            )
        assumed = not caller.zone and await self._store.get(caller.ref) is None
        after = replace(channel, schedule=Schedule.parse(words, channel.schedule.zone))
        await self._save(after, caller)
        if after.schedule.is_off:
            hint = text("Write ", Span("digest", code=True), " for one now, or a schedule such as ",
                        Span("schedule weekdays 09:00", code=True), ".")  # fmt: skip
            return Notice(text("No digest comes by itself any more."), hints=(hint,))
        return Notice(
            text(f"Digests come {after.schedule}."),
            hints=(
                *self._next(after),
                *((text("Your time zone is not known; name it to change it."),) if assumed else ()),
            ),
        )

    def _next(self, channel: Channel) -> tuple[Text, ...]:
        slots = channel.schedule.next_slots(self._clock(), 3)
        if not slots:
            return ()
        days = [Span(f"{slot:%a %-d %b %H:%M}", when=slot) for slot in slots]
        return (text("Next: ", *joined([(day,) for day in days]), "."),)

    async def _pause(self, until: str, caller: Caller) -> View:
        channel = await self._channel(caller)
        day: date | None = None
        if until:
            when = parse_when(until, channel.schedule.zone)
            day = when.date() if isinstance(when, datetime) else when
            if day <= self._today(channel):
                raise UserError(f"{day} is not in the future.", hint="Write pause until:2027-01-04")
        await self._save(replace(channel, paused=True, paused_until=day), caller)
        end = f"until {day:%-d %B %Y}" if day else "until you write resume"
        return Notice(text(f"Paused {end}."), actions=(Action("Resume", "resume"),))

    async def _resume(self, caller: Caller) -> View:
        channel = await self._channel(caller)
        if not channel.paused:
            return Notice(text("It is not paused."), kind="info", hints=self._next(channel))
        after = replace(channel, paused=False, paused_until=None)
        await self._save(after, caller)
        return Notice(text(f"Going on: digests come {rhythm(after)}."), hints=self._next(after))

    async def _undo(self, caller: Caller) -> View:
        undone = await self._store.undo(caller.ref, caller.user)
        if undone is None:
            return Notice(text("There is nothing to undo."), kind="info")
        was, now = undone
        return Notice(
            text("Taken back: "), hints=tuple(text(line) for line in differences(now, was)) or ()
        )

    async def _import(self, document: str, caller: Caller) -> View:
        before = await self._channel(caller)
        await self._ledger.start(caller.ref, await self._library.end())
        after = await self._store.load(caller.ref, document, caller.user)
        lines = differences(before, after) or ["nothing changed"]
        return Notice(
            text("Settings taken over."),
            hints=tuple(text(line) for line in lines),
            actions=(Action("Undo", "config undo"),),
        )

    async def _erase(self, caller: Caller, *, sure: bool) -> View:
        own = replace(caller.ref, channel=f"@{caller.user}")
        if not sure:
            return Notice(
                text(
                    "This removes your saved papers, your votes and your personal channel, for good."
                ),
                kind="info",
                hints=(text("To do it, write ", Span("erase me sure:yes", code=True), "."),),
                actions=(Action("Erase", "erase me sure:yes"),),
            )
        if await self._store.get(own):
            await self._store.remove(own, caller.user)
        await self._shelf.erase(caller)
        return Notice(text("Erased: nothing is kept about you any more."))

    async def _home(self, caller: Caller) -> View:
        """What is a person's own, and what they look after."""
        own = replace(caller.ref, channel=f"@{caller.user}")
        mine = await self._store.get(own)
        here = (caller.ref.platform, caller.ref.tenant)
        managed = [
            channel for channel in await self._store.all()
            if (channel.ref.platform, channel.ref.tenant) == here
            and channel.owner == caller.user and channel.ref != own
        ]  # fmt: skip
        saved = await self._papers.saved_papers(caller)
        rows = [
            Row(text("Your subscriptions"), text(f"{len(mine.subscriptions)}" if mine else "none yet"),
                tuple(told(s) for s in mine.subscriptions) if mine else ()),
            Row(text("Saved papers"), text(f"{len(saved)}"),
                tuple(text(Span(p.title, link=identity.paper_link(p.id, p.title))) for p in saved[:3])),
            Row(text("Your channels"), text(f"{len(managed)}"),
                tuple(text(f"{c.ref.channel}: {len(c.subscriptions)} subscriptions, {rhythm(c)}")
                      for c in managed)),
        ]  # fmt: skip
        upcoming = [
            line for c in (mine, *managed) if c and not c.paused for line in self._next(c)[:1]
        ]
        if upcoming:
            rows.append(Row(text("Next digests"), upcoming[0], tuple(upcoming[1:3])))
        return Listing(
            text("Home"),
            rows=tuple(rows),
            actions=(Action("Saved papers", "saved"), Action("Help", "help")),
        )

    async def _status(self, caller: Caller) -> View:
        channel = await self._channel(caller)
        now = self._clock()
        newest = await self._library.newest_day()
        last = await self._ledger.last(caller.ref)
        posted = await self._ledger.posted(caller.ref)
        rows = [
            Row(text("Channel"), text(f"{caller.ref}")),
            Row(text("Digests"), text(rhythm(channel)), self._next(channel) if not channel.paused else ()),
            Row(text("Settings"), text(
                f"{len(channel.subscriptions)} subscriptions, {len(channel.muted)} muted words, "
                f"at most {channel.max} papers, {channel.strictness}, {channel.layout}, "
                f"quiet days: {channel.quiet}, trending: {channel.trending}")),
            Row(text("Library"), text(
                f"{await self._library.count():,} papers"
                + (f", the newest listed on {newest:%-d %B %Y}" if newest else ""))),
            Row(text("Posted"), text(
                f"{len(posted):,} papers here, last on ", Span(_long(last[0], channel), when=last[0])
                ) if last else text("nothing here yet")),
            Row(text("Now"), text(Span(_long(now, channel), when=now), f" ({channel.schedule.zone})")),
        ]  # fmt: skip
        rows += [
            Row(text(f"Source {source.name}"), *_told_health(source, channel))
            for source in await self._health.all_health()
        ]
        return Listing(text("Status"), rows=tuple(rows))


def mistake(error: PaperboyError) -> Notice:
    """An error as an answer: what is wrong, where, and what to write instead."""
    at = error if isinstance(error, UserError) else UserError("")
    return Notice(
        text(error.message),
        kind="error",
        hints=(text(error.hint),) if error.hint else (),
        field=at.field,
        source=at.source,
        start=at.start,
        end=at.end,
    )


def help_view(command: commands.Help) -> View:
    if command.unknown:
        near = commands.nearest_verbs(command.unknown)
        meant = (
            [text("Did you mean ", *joined([(Span(n, code=True),) for n in near]), "?")]
            if near
            else []
        )
        return Notice(
            text(f"There is no “{command.unknown[:40]}”."),
            kind="error",
            hints=(*meant, text("Write ", Span("help", code=True), " to see everything.")),
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
            rows=(Row(text(Span(verb.usage, code=True)), text(verb.summary), tuple(details)),),
        )
    rows = tuple(Row(text(Span(v.usage, code=True)), text(v.summary)) for v in commands.VERBS)
    return Listing(
        text("Paperboy brings this channel the new papers it cares about"),
        rows=rows,
        notes=(text("More about one: ", Span("help subscribe", code=True)),),
    )


def _told_health(health: Health, channel: Channel) -> tuple[Text, tuple[Text, ...]]:
    good, bad = health.last_success, health.last_error
    failing = bad is not None and (good is None or bad > good)
    said = (
        text("last read ", Span(_long(good, channel), when=good))
        if good
        else text("never read yet")
    )
    if health.announced:
        said += text(f", announced {health.announced:%-d %B %Y}")
    details = [text(f"Failing: {health.error}")] if failing else []
    if health.next_try:
        at = Span(_long(health.next_try, channel), when=health.next_try)
        details.append(text("Next try ", at))
    return said, tuple(details)


def _long(when: datetime, channel: Channel) -> str:
    return f"{when.astimezone(ZoneInfo(channel.schedule.zone)):%a %-d %b %Y %H:%M}"
