"""What people do on Discord, and how it is answered: commands, buttons, menus and forms.

Buttons, menus and forms carry all that they mean in their ids, so they outlive the process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import discord
from discord import app_commands, ui

from adapters.discord import permissions
from adapters.discord.callers import Interaction, caller_of, fitted, permit
from adapters.discord.completion import Completion
from adapters.discord.core import Core
from adapters.discord.replies import Replies
from adapters.discord.sentences import is_for_managers
from bot import commands, forms, identity
from bot.answers import mistake
from bot.commands import Command
from bot.errors import UserError
from bot.flood import Flood
from bot.model import Caller, Channel, ChannelRef
from bot.views import Action, Form, Notice, Span, View, text

log = logging.getLogger(__name__)

FORM = "papers-form:"  # what the id of a form begins with; its command follows
SETTINGS_FILE = 200_000  # bytes; 50 subscriptions take a tenth of it
DOWNLOAD = 10.0  # seconds
DRAFTS = 1_000  # forms with a mistake that are remembered until they are right
_REPEATED = re.compile(r"#\d+\Z")  # tells two buttons of one sentence apart
_SLOWLY = Notice(
    text("That was a lot at once."), "info", hints=(text("Try it again in some seconds."),)
)
_GONE = Notice(
    text("This command is not what it was."),
    "error",
    hints=(text("Restart Discord (Ctrl+R), so that it learns the new one."),),
)

Work = Callable[[Caller], Awaitable[None]]


class Surfaces:
    def __init__(
        self, core: Callable[[], Core], replies: Replies, completion: Completion, flood: Flood
    ) -> None:
        self._core = core
        self._replies = replies
        self._completion = completion
        self._flood = flood
        self._drafts: OrderedDict[tuple[ChannelRef, str, str], Mapping[str, str]] = OrderedDict()
        self._in_hand: set[asyncio.Task[Any]] = set()

    async def drain(self, seconds: float) -> None:
        """Let what is being answered be answered."""
        waiting = self._in_hand - {asyncio.current_task()}
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)

    async def _handle(self, interaction: Interaction, work: Work) -> None:
        """Do it, unless the person does too much. Whatever goes wrong, they get an answer."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an interaction is handled by a task")
        self._in_hand.add(task)
        try:
            asker = caller_of(interaction)
            if self._flood.lets(asker.ref, asker.user):
                await work(asker)
            else:
                await self._replies.say(interaction, _SLOWLY)
        except UserError as error:
            await self._replies.say(interaction, mistake(error))
        except Exception as error:  # the edge: else the person would wait in vain
            await self._apologise(interaction, error)
        finally:
            self._in_hand.discard(task)

    async def asked(
        self,
        interaction: Interaction,
        command: Callable[[], Command],
        caller: Callable[[Caller], Caller] = lambda caller: caller,
    ) -> None:
        """Answer a request. It may turn out to be a mistake only when it is made."""

        async def work(asker: Caller) -> None:
            request = command()
            asker = fitted(caller(asker), request, interaction)
            if commands.opens_form(request):
                await self._open(interaction, request, asker)
            elif await self._replies.acknowledge(interaction):
                await self._answer(interaction, request, asker)

        await self._handle(interaction, work)

    async def imported(self, interaction: Interaction, file: discord.Attachment) -> None:
        """Settings come as a file, which is fetched once the person knows that it is worked on."""

        async def work(asker: Caller) -> None:
            asker = fitted(asker, commands.ConfigImport(""), interaction)
            if file.size > SETTINGS_FILE:
                raise _no_settings()
            if await self._replies.acknowledge(interaction):
                request = commands.ConfigImport(await _read(file))
                await self._answer(interaction, request, asker)

        await self._handle(interaction, work)

    async def scheduled(self, interaction: Interaction, made: Callable[[str], Command]) -> None:
        """A request is *made* of how the channel's schedule is written."""

        async def work(asker: Caller) -> None:
            asker = fitted(asker, commands.SetSchedule(""), interaction)
            if await self._replies.acknowledge(interaction):
                channel = await self._core().channels.get(asker.ref)
                request = made(str((channel or Channel(asker.ref)).schedule))
                await self._answer(interaction, request, asker)

        await self._handle(interaction, work)

    async def said(self, interaction: Interaction, sentence: str) -> None:
        """A button was pressed, or an option chosen."""
        await self.asked(interaction, lambda: commands.parse(_REPEATED.sub("", sentence)))

    async def _answer(self, interaction: Interaction, request: Command, asker: Caller) -> None:
        view = await self._core().answers.answer(request, asker)
        self._completion.remember(asker, view)
        await self._replies.show(
            interaction, view, *await self._warnings(interaction, request, asker)
        )

    async def _warnings(
        self, interaction: Interaction, request: Command, asker: Caller
    ) -> Sequence[Notice]:
        """Whoever sets a channel up is to know beforehand what cannot be done there."""
        if interaction.guild_id is None or not is_for_managers(commands.verb_of(request)):
            return ()
        channel = await self._core().channels.get(asker.ref)
        return tuple(permissions.warnings(interaction, channel))

    async def _open(self, interaction: Interaction, request: Command, asker: Caller) -> None:
        form = await self._core().answers.answer(request, asker)
        if isinstance(form, Form):
            key = asker.ref, asker.user, form.command
            if interaction.type is discord.InteractionType.application_command:
                self._drafts.pop(key, None)  # whoever opens it anew sees what is set now
            draft = self._drafts.get(key, {})
            filled = (replace(f, value=draft.get(f.name, f.value)) for f in form.fields)
            form = replace(form, fields=tuple(filled))
            await self._replies.open(interaction, form, FORM + form.command)
        else:
            await self._replies.say(interaction, form)

    async def submitted(self, interaction: Interaction) -> None:
        """A form was filled in."""
        data: Any = interaction.data
        command = data["custom_id"].removeprefix(FORM)
        values = dict(_values(data["components"]))

        async def work(asker: Caller) -> None:
            opening = commands.Settings() if command == "set" else commands.OpenForm(command)
            if await self._replies.acknowledge(interaction):
                view = await self._filled(interaction, opening, command, values, asker)
                await self._replies.show(
                    interaction, view, *await self._warnings(interaction, opening, asker)
                )

        await self._handle(interaction, work)

    async def _filled(
        self,
        interaction: Interaction,
        opening: Command,
        command: str,
        values: Mapping[str, str],
        asker: Caller,
    ) -> View:
        draft = asker.ref, asker.user, command
        self._drafts.pop(draft, None)
        if verb := commands.find_verb(command):
            permit(asker, verb)  # nothing that could be corrected
        try:
            request = forms.from_form(command, values)
            asker = fitted(asker, request, interaction)
        except UserError as error:
            view: View = mistake(error)
        else:
            view = await self._core().answers.answer(request, asker)
            self._completion.remember(asker, view)
        if not isinstance(view, Notice) or view.kind != "error":
            return view
        self._drafts[draft] = values
        if len(self._drafts) > DRAFTS:
            self._drafts.popitem(last=False)
        return await self._told(view, opening, asker)

    async def _told(self, error: Notice, opening: Command, asker: Caller) -> Notice:
        """The mistake with the name of its field, and a button to the form as it was filled in."""
        form = await self._core().answers.answer(opening, asker)
        labels = {f.name: f.label for f in form.fields} if isinstance(form, Form) else {}
        message = error.message
        if error.field in labels:
            message = text(Span(labels[error.field], strong=True), ": ", *message)
        sentence = f"form {opening.name}" if isinstance(opening, commands.OpenForm) else "settings"
        return replace(
            error, message=message, actions=(*error.actions, Action("Correct it", sentence))
        )

    async def about(self, interaction: Interaction) -> None:
        """The menu of a message: the papers that it names."""
        data: Any = interaction.data
        papers = tuple(identity.named_in(data["resolved"]["messages"]))
        await self.asked(interaction, lambda: commands.About(papers))

    async def failed(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        """A command that could not be run at all."""
        if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
            await self._replies.say(interaction, _GONE)
        else:
            await self._apologise(interaction, error)

    async def _apologise(self, interaction: Interaction, error: Exception) -> None:
        tag = secrets.token_hex(4)
        log.error("an interaction failed (%s)", tag, exc_info=error)
        notice = Notice(
            text("Something went wrong here, and it is not your fault."),
            "error",
            hints=(text("The log has the details under ", Span(tag, code=True), "."),),
        )
        await self._replies.say(interaction, notice)


async def _read(file: discord.Attachment) -> str:
    try:
        async with asyncio.timeout(DOWNLOAD):
            content = (await file.read()).decode("utf-8-sig")
    except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UserError("Discord does not give me that file.", hint="Try it once more.") from error
    except UnicodeDecodeError as error:
        raise _no_settings() from error
    try:
        is_object = isinstance(json.loads(content), dict)
    except (ValueError, RecursionError) as error:
        raise _no_settings() from error
    if not is_object:
        raise _no_settings()
    return content


def _no_settings() -> UserError:
    return UserError(
        "That file holds no settings.",
        hint="Take the one that `config export` gives.",
        field="file",
    )


def _values(components: Any) -> Iterator[tuple[str, str]]:
    """What was filled in, by the names of the fields; several choices with commas between."""
    for component in components:
        inner = component.get("components") or [component.get("component")]
        if inner != [None]:
            yield from _values(inner)
        elif "values" in component:
            yield component["custom_id"], ",".join(component["values"])
        elif "custom_id" in component:
            yield component["custom_id"], component.get("value") or ""


def pressed(surfaces: Surfaces) -> type[ui.DynamicItem[Any]]:
    """All buttons and menus of all messages, whoever sent them and when."""

    class Pressed(ui.DynamicItem[ui.Item[Any]], template=r"papers:(?P<sentence>.*)"):
        def __init__(self, item: ui.Item[Any], sentence: str) -> None:
            super().__init__(item)
            self._sentence = sentence

        @classmethod
        async def from_custom_id(
            cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /
        ) -> Pressed:
            return cls(item, match["sentence"])

        async def callback(self, interaction: Interaction) -> None:
            data: Any = interaction.data
            chosen = data.get("values") or [self._sentence]
            await surfaces.said(interaction, chosen[0])

    return Pressed
