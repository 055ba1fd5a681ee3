"""What a person says, answered: who it is, whether Slack lets them, and how often."""

from __future__ import annotations

import html
import re
from contextlib import suppress
from dataclasses import replace

from adapters.slack import faults
from adapters.slack.api import SlackFault
from adapters.slack.names import with_names
from adapters.slack.replies import handed_over
from adapters.slack.workspace import Asker, Person, Place, Workspaces, caller
from bot import commands
from bot.answers import Answers, mistake
from bot.commands import CHANGE, POST, Command
from bot.errors import UserError
from bot.flood import Flood
from bot.model import Caller
from bot.views import Document, Notice, View, plain, text

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>", re.ASCII)
_COMMAND = re.compile(r"\A[\s:,]*(?:/papers(?!\S)\s*)?")
_CODE = re.compile(r"\s*(`{1,3})([^`]+)\1\s*")  # what is copied from a message comes so
_AROUND = " \xa0\t\n:,"  # of a mention
_PERSON = re.compile(r"@[UW][A-Z0-9]+", re.ASCII)


def typed(text: str) -> str:
    """Slack's text as it was typed, people by their ids; links are the parser's business."""
    code = _CODE.fullmatch(text)
    return html.unescape(_MENTION.sub(r"@\1", code[2] if code else text))


def said_to(bot_user: str, text: str) -> str:
    """What follows the mention of the bot, or what precedes it where nothing does."""
    before, _, after = re.sub(rf"<@{bot_user}(?:\|[^<>]*)?>", "\0", text).partition("\0")
    words = after if re.search(r"\w", after) else before
    return _COMMAND.sub("", typed(words.replace("\0", " ").lstrip(_AROUND)))


class Conversation:
    def __init__(self, answers: Answers, workspaces: Workspaces, flood: Flood) -> None:
        self._answers = answers
        self._workspaces = workspaces
        self._flood = flood

    def refusal(self, asker: Asker) -> Notice | None:
        """Why somebody is not answered now: to be asked once for everything that they do."""
        if self._workspaces.awaited:
            return mistake(
                UserError(
                    "I have just started and cannot reach Slack yet.",
                    hint="Try again in a minute.",
                )
            )
        if self._workspaces.get(asker.tenant) is None:
            return mistake(
                UserError(
                    "Paperboy is not installed in this workspace.",
                    hint="Ask an admin to add it again.",
                )
            )
        if self._flood.lets(asker.ref, asker.user):
            return None
        return mistake(
            UserError("That was a lot at once.", hint="Wait some seconds, then say it again.")
        )

    async def answer(self, command: Command, asker: Asker) -> View:
        """Never raises."""
        try:
            _check_people(command)
            await self._check_direct(command, asker)
            who = await self._caller(command, asker)
        except UserError as error:
            return mistake(error)
        made = await self._answers.answer(command, who)
        view = await with_names(made, asker, self._workspaces)
        if not isinstance(view, Document):
            return view
        try:
            return await handed_over(view, asker, self._workspaces)
        except SlackFault as fault:
            return mistake(UserError(f"The file could not be sent: {faults.told(fault)}."))

    async def _check_direct(self, command: Command, asker: Asker) -> None:
        """Slack takes commands among people too, who would not know whose channel they change."""
        alters = commands.verb_of(command).kind in (CHANGE, POST)
        is_recap = isinstance(command, commands.DigestNow) and command.since
        if not asker.channel.startswith("D") or not alters or is_recap:
            return
        with suppress(SlackFault):  # then it is taken for the messages with the bot
            if asker.channel != await self._workspaces.im(asker.tenant, asker.user):
                raise UserError(
                    "I am not in this conversation, so it has no digests.",
                    hint="Say it in a channel that I am in, or to me alone: there you have a channel "
                    "of your own.",
                )

    async def _caller(self, command: Command, asker: Asker) -> Caller:
        alters = commands.verb_of(command).kind in (CHANGE, POST)
        in_channel = not asker.ref.channel.startswith("@")
        place = await self._admitted(asker) if alters and in_channel else None
        made = caller(asker, await self._person(asker, needed=alters and in_channel), place)
        match command:
            case commands.ListSubscriptions(everywhere=True):
                return replace(made, channels=await self._memberships(asker))
            case commands.Home() | commands.Again():  # which have more to tell than channels
                with suppress(UserError):
                    return replace(made, channels=await self._memberships(asker))
                return replace(made, channels=frozenset())
            case _:
                return made

    async def _person(self, asker: Asker, *, needed: bool) -> Person | None:
        try:
            return await self._workspaces.person(asker)
        except SlackFault as fault:
            if needed:
                raise _unknown_person(fault) from fault
            return None

    async def _admitted(self, asker: Asker) -> Place:
        """The channel, where the bot may be of use; else UserError."""
        try:
            place = await self._workspaces.place(asker.tenant, asker.channel)
        except SlackFault as fault:
            raise _unknown_person(fault) from fault
        if place.is_archived:
            raise UserError("This channel is archived.", hint="Unarchive it first.")
        if not place.is_member:
            raise UserError(
                "I am not in this channel.",
                hint="Type /invite @Paperboy here first. Group messages cannot have me: there, write to "
                "me alone.",
            )
        return place

    async def _memberships(self, asker: Asker) -> frozenset[str]:
        try:
            return await self._workspaces.memberships(asker.tenant, asker.user)
        except SlackFault as fault:
            raise UserError(
                f"I cannot see just now which channels you are in: {faults.told(fault)}.",
                hint="Try again in a minute.",
            ) from fault


def _unknown_person(fault: SlackFault) -> UserError:
    return UserError(
        f"I cannot see just now whether you may do that: {faults.told(fault)}.",
        hint="Try again in a minute.",
    )


def _check_people(command: Command) -> None:
    """Whom ``who:`` names is known by the id that Slack gives for a mention."""
    match command:
        case commands.SetOptions(options):
            names = [n for name, value in options if name == "who" for n in value.split(",")]
        case _:
            return
    for name in names:
        if name.strip().startswith("@") and not _PERSON.fullmatch(name.strip()):
            raise UserError(
                f"Slack does not tell me who {name.strip()[:40]} is.",
                hint="Type /papers set who:@ and choose from the people that Slack offers.",
                field="who",
            )


def in_brief(view: Notice) -> str:
    """A notice in a few words, for the place beside a field."""
    return " ".join(map(plain, (view.message, *view.hints)))


def apology() -> Notice:
    return Notice(
        text("Something went wrong here, and it is not your fault."),
        kind="error",
        hints=(text("The log has the details."),),
    )
