"""Modals: forms to fill in, and answers that stay where they were asked for.

A trigger is good for three seconds and once: a modal opens at once, empty, and is filled when the
answer is known. Its metadata is the channel that it is about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from slack_bolt.context.ack.async_ack import AsyncAck

from adapters.slack import render
from adapters.slack.api import Json, Refused
from adapters.slack.blocks import plain_text
from adapters.slack.conversation import Conversation, apology, in_brief
from adapters.slack.forms import option
from adapters.slack.workspace import Asker, Workspaces
from bot import commands, forms, zones
from bot.answers import mistake
from bot.commands import Command
from bot.errors import UserError
from bot.model import Channel
from bot.views import Form, Listing, Notice, Text, View, text

log = logging.getLogger(__name__)

PREVIEW = "preview"  # the action of the button that tries a subscription out
ZONES = 100  # options of a select
ANSWER_SECONDS = 2.0  # of the three in which Slack wants to know what becomes of a submitted form
_TRIED = 3  # papers that a preview names
_TITLE = "Paperboy"
_WAIT = Notice(text("One moment …"), kind="info")


Ask = Callable[[], Awaitable[View]]


class Modals:
    def __init__(self, conversation: Conversation, workspaces: Workspaces) -> None:
        self._conversation = conversation
        self._workspaces = workspaces

    async def open(
        self, ask: Ask, asker: Asker, trigger: str, *, method: str = "views.open"
    ) -> None:
        """Raises SlackFault where it cannot be opened; nothing is asked then."""
        api = self._workspaces.of(asker.tenant).api
        opened = await api.send(method, trigger_id=trigger, view=_listing(_WAIT, asker))
        view_id = str((opened.get("view") or {}).get("id"))
        await self._update(view_id, await _made(ask, asker), asker)

    async def _update(self, view_id: str, shown: Json, asker: Asker) -> None:
        api = self._workspaces.of(asker.tenant).api
        try:
            await api.ask("views.update", view_id=view_id, view=shown)
        except Refused as refusal:  # closed in the meantime, mostly
            log.info("a modal was not filled: %s", refusal.code)

    async def click(self, command: Command, asker: Asker, view: Json, trigger: str) -> None:
        """Answer a button of a modal: another page in its place, anything else on top of it."""

        async def ask() -> View:
            return await self._conversation.answer(command, asker)

        if not _turns_a_page(command):
            try:
                await self.open(ask, asker, trigger, method="views.push")
            except Refused as refusal:
                if refusal.code != "push_limit_reached":
                    raise
            else:
                return
        await self._update(view["id"], await _made(ask, asker), asker)

    async def preview(self, asker: Asker, view: Json) -> None:
        """Show, in the form, what its subscription would have brought last week."""
        values = render.read_modal(view)
        form = forms.form_of("subscribe", Channel(asker.ref))
        fields = tuple(replace(f, value=values.get(f.name, f.value)) for f in form.fields)
        notes = _gist(await self._tried(values, asker))
        await self._update(view["id"], _form(replace(form, fields=fields), asker, notes), asker)

    async def _tried(self, values: Mapping[str, str], asker: Asker) -> View:
        if refusal := self._conversation.refusal(asker):
            return refusal
        try:
            command = forms.from_form("subscribe", values)
        except UserError as error:
            return mistake(error)
        assert isinstance(command, commands.Subscribe)  # noqa: S101  # what that form makes
        wanted = command.wishes[0].query
        return await self._conversation.answer(commands.Preview(7, wanted), asker)

    async def submit(
        self, answer: asyncio.Task[View | None], asker: Asker, view: Json, ack: AsyncAck
    ) -> None:
        """Say what becomes of a form: mistakes beside its fields, else the answer in its place.

        None is the answer to a form that came twice.
        """
        await asyncio.wait({answer}, timeout=ANSWER_SECONDS)
        if not answer.done():
            await ack(response_action="update", view=_listing(_WAIT, asker))
            if late := await answer:
                await self._update(view["id"], _late(late, asker, view), asker)
            return
        fields = _fields(view)
        match answer.result():
            case None:
                await ack()
            case Notice(kind="error") as notice if fields:
                beside = notice.field if notice.field in fields else fields[0]
                await ack(response_action="errors", errors={beside: in_brief(notice)})
            case found:
                await ack(response_action="update", view=_shown(found, asker))

    async def answer(self, view: Json, asker: Asker) -> View:
        """What the submitted form asks for, answered."""
        try:
            command = forms.from_form(_form_of(view), render.read_modal(view))
        except UserError as error:
            return mistake(error)
        return await self._conversation.answer(command, asker)


def zone_options(typed: str) -> list[Json]:
    return [option(zone) for zone in zones.matching(typed, ZONES)]


async def _made(ask: Ask, asker: Asker) -> Json:
    try:
        return _shown(await ask(), asker)
    except Exception:  # the modal stands there already, and would wait for ever
        log.exception("an answer was not shown")
        return _listing(apology(), asker)


def _shown(view: View, asker: Asker) -> Json:
    return _form(view, asker) if isinstance(view, Form) else _listing(view, asker)


def _late(answer: View, asker: Asker, view: Json) -> Json:
    """The answer in the place of the form; with a mistake the form again, as it was filled in."""
    match answer:
        case Notice(kind="error") as notice if _fields(view):
            return render.filled_modal(view, _gist(notice))
        case _:
            return _shown(answer, asker)


def _listing(view: View, asker: Asker) -> Json:
    return render.modal_listing(view, _TITLE, asker.channel)


def _form(form: Form, asker: Asker, notes: Sequence[Text] = ()) -> Json:
    shown = render.modal(form, private_metadata=asker.channel, notes=notes)
    if form.command == "subscribe":
        button = {"type": "button", "action_id": PREVIEW, "text": plain_text("Preview")}
        row = {"type": "actions", "block_id": PREVIEW, "elements": [button]}
        shown["blocks"] = [*shown["blocks"], row]
    return shown


def _turns_a_page(command: Command) -> bool:
    return isinstance(command, commands.Again) or getattr(command, "page", 1) > 1


def _form_of(view: Json) -> str:
    return str(view.get("callback_id", "")).removeprefix("form:")


def _fields(view: Json) -> list[str]:
    return [block["block_id"] for block in view["blocks"] if block["type"] == "input"]


def _gist(view: View) -> list[Text]:
    match view:
        case Listing():
            titles = (text(card.paper.title) for card in view.cards[:_TRIED])
            return [*view.intro, *titles, *view.notes[:1]]
        case Notice():
            return [view.message, *view.hints]
        case _:
            return []
