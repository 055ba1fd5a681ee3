"""What Slack may send, and who answers it. Everything is acknowledged first, and done once."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import aiohttp
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from adapters.slack import lifecycle
from adapters.slack.api import Json, ResponseUrl, SlackFault
from adapters.slack.conversation import Conversation, apology, said_to, typed
from adapters.slack.forms import ZONE_ACTION
from adapters.slack.lifecycle import Lifecycle
from adapters.slack.manifest import ABOUT, COMMAND, SEARCH
from adapters.slack.modals import PREVIEW, Modals, zone_options
from adapters.slack.replies import Beside, Direct, Ephemeral, Reply, show
from adapters.slack.surfaces import Surfaces
from adapters.slack.work import Work
from adapters.slack.workspace import Asker, Workspaces
from bot import commands
from bot.answers import mistake
from bot.commands import READ, Command
from bot.errors import UserError
from bot.views import Action, Notice, View, text

log = logging.getLogger(__name__)

_ANY = re.compile("")
_SAY = re.compile(r"^say:")
_SAID = (None, "file_share", "thread_broadcast")  # subtypes of what a person has just written


class Listeners:
    def __init__(
        self,
        conversation: Conversation,
        modals: Modals,
        surfaces: Surfaces,
        life: Lifecycle,
        workspaces: Workspaces,
        work: Work,
        session: aiohttp.ClientSession,
    ) -> None:
        self._conversation = conversation
        self._modals = modals
        self._surfaces = surfaces
        self._life = life
        self._workspaces = workspaces
        self._work = work
        self._session = session
        self._events: Mapping[str, Callable[[Json, Asker], Awaitable[None]]] = {
            "app_mention": self._mentioned,
            "message": self._written,
            "app_home_opened": self._home_opened,
            "link_shared": self._linked,
            "member_joined_channel": self._joined,
            "member_left_channel": self._left,
            "channel_left": self._removed,
            "group_left": self._removed,
            "channel_id_changed": self._renumbered,
            "channel_archive": self._archived,
            "group_archive": self._archived,
            "channel_deleted": self._deleted,
            "group_deleted": self._deleted,
            "channel_unarchive": self._unarchived,
            "group_unarchive": self._unarchived,
        }

    def register(self, app: AsyncApp) -> None:
        async def on_command(ack: AsyncAck, body: Json) -> None:
            await ack()
            self._command(body)

        async def on_event(body: Json) -> None:  # bolt has acknowledged it
            self._event(body)

        async def on_action(ack: AsyncAck, body: Json) -> None:
            await ack()
            self._action(body)

        async def on_preview(ack: AsyncAck, body: Json) -> None:
            await ack()
            self._preview(body)

        async def on_other_action(ack: AsyncAck) -> None:  # a link button, a select within a form
            await ack()

        async def on_submission(ack: AsyncAck, body: Json) -> None:
            await self._submitted(body, ack)

        async def on_search(ack: AsyncAck, body: Json) -> None:
            await ack()
            self._search(body)

        async def on_about(ack: AsyncAck, body: Json) -> None:
            await ack()
            self._about(body)

        async def on_zone(ack: AsyncAck, body: Json) -> None:
            await ack(options=zone_options(str(body.get("value") or "")))

        async def on_error(error: Exception, body: Json) -> BoltResponse:
            if isinstance(error, BoltUnhandledRequestError):
                log.info("nobody listens to a %s", body.get("type"))
            else:
                log.error("a request from Slack was not taken", exc_info=error)
            return BoltResponse(status=200)  # else Slack sends it again and again

        app.command(COMMAND)(on_command)
        app.event(_ANY)(on_event)
        app.action(_SAY)(on_action)
        app.action(PREVIEW)(on_preview)
        app.action(_ANY)(on_other_action)
        app.view(_ANY)(on_submission)
        app.global_shortcut(SEARCH)(on_search)
        app.message_shortcut(ABOUT)(on_about)
        app.options(ZONE_ACTION)(on_zone)
        app.error(on_error)

    # the command, clicks, shortcuts

    def _command(self, body: Json) -> None:
        asker = self._asker(body)
        reply = self._beside(body, asker)
        words, trigger = typed(body.get("text") or ""), body["trigger_id"]
        self._start(trigger, reply, lambda: self._hear(words, asker, reply, trigger))

    def _action(self, body: Json) -> None:
        action, trigger = body["actions"][0], body["trigger_id"]
        words = str(action.get("value") or (action.get("selected_option") or {}).get("value") or "")
        if view := body.get("view"):
            asker = self._asker(body, channel=_channel_of(view))
            self._start(trigger, None, lambda: self._click_in(view, words, asker, trigger))
            return
        asker = self._asker(body)
        reply = self._beside(body, asker)
        is_ephemeral = (body.get("container") or {}).get("is_ephemeral")
        if asker.channel.startswith("D") and not is_ephemeral:
            reply = Direct(self._workspaces, asker, _thread_of(body))
        self._start(trigger, reply, lambda: self._hear(words, asker, reply, trigger))

    def _search(self, body: Json) -> None:
        asker, trigger = self._asker(body), body["trigger_id"]

        async def answer() -> None:
            command = self._conversation.refusal(asker) or commands.OpenForm("search")
            await self._show_modal(command, asker, trigger)

        self._start(trigger, None, answer)

    def _about(self, body: Json) -> None:
        asker = self._asker(body)
        reply = self._beside(body, asker)

        async def answer() -> None:
            refusal = self._conversation.refusal(asker)
            await show(reply, refusal or await self._surfaces.about(body["message"], asker))

        self._start(body["trigger_id"], reply, answer)

    def _preview(self, body: Json) -> None:
        view = body["view"]
        asker = self._asker(body, channel=_channel_of(view))
        self._start(body["trigger_id"], None, lambda: self._modals.preview(asker, view))

    async def _submitted(self, body: Json, ack: AsyncAck) -> None:
        view = body["view"]
        asker = self._asker(body, channel=_channel_of(view))

        async def answer() -> View:
            return self._conversation.refusal(asker) or await self._modals.answer(view, asker)

        once = self._work.once(_trigger_key(body["trigger_id"]), answer)
        await self._modals.submit(self._work.spawn(once), asker, view, ack)
        if not asker.channel and view.get("callback_id") != "form:search":
            # Most likely it was opened from the home tab, which shows what it has changed.
            key = f"{_trigger_key(body['trigger_id'])}:home"
            self._work.start(key, lambda: self._surfaces.home(asker), _nothing)

    async def _hear(self, words: str, asker: Asker, reply: Reply, trigger: str = "") -> None:
        """Answer what was typed, or what a button says: with a form where it is one."""
        if refusal := self._conversation.refusal(asker):
            await show(reply, refusal)
            return
        command = _parsed(words)
        if isinstance(command, Notice):
            await show(reply, command)
        elif not commands.opens_form(command):
            await show(reply, await self._conversation.answer(command, asker))
        elif not trigger:  # an event brings none: a click does
            await show(reply, _form_button(command))
        else:
            await self._open_form(command, asker, reply, trigger)

    async def _open_form(self, command: Command, asker: Asker, reply: Reply, trigger: str) -> None:
        try:
            await self._show_modal(command, asker, trigger)
        except SlackFault as fault:
            log.info("a form was not opened: %s", fault.words)
            await show(reply, _form_button(command))

    async def _click_in(self, view: Json, words: str, asker: Asker, trigger: str) -> None:
        """A button of the home tab or of a modal."""
        is_home = view.get("type") == "home"
        command = self._conversation.refusal(asker) or _parsed(words)
        if is_home:
            await self._show_modal(command, asker, trigger)
        elif isinstance(command, Notice):
            await self._show_modal(command, asker, trigger, method="views.push")
        else:
            await self._modals.click(command, asker, view, trigger)
        if not asker.channel and not isinstance(command, Notice) and _may_alter(command):
            await self._surfaces.home(asker)  # where most modals about no channel were opened

    async def _show_modal(
        self, command: Command | Notice, asker: Asker, trigger: str, *, method: str = "views.open"
    ) -> None:
        async def ask() -> View:
            if isinstance(command, Notice):
                return command
            return await self._conversation.answer(command, asker)

        await self._modals.open(ask, asker, trigger, method=method)

    # events

    def _event(self, body: Json) -> None:
        event = body["event"]
        tenant = self._tenant(body)
        user = event.get("user")
        channel = event.get("channel")
        asker = Asker(
            tenant,
            user if isinstance(user, str) else "",
            channel if isinstance(channel, str) else "",
            str(event.get("user_team") or event.get("team") or ""),
        )
        key = f"slack:event:{body.get('event_id')}"
        kind = event.get("type")
        if kind in ("app_uninstalled", "tokens_revoked"):
            at = datetime.fromtimestamp(body.get("event_time") or 0, UTC)
            if kind == "app_uninstalled" or (event.get("tokens") or {}).get("bot"):
                self._work.start(key, lambda: self._life.leave(tenant, at), _nothing)
        elif (answer := self._events.get(kind)) and tenant:
            if kind == "app_mention":
                key = self._mention_key(event, asker)
            self._work.start(key, lambda: answer(event, asker), _nothing)

    def _mention_key(self, event: Json, asker: Asker) -> str:
        """Of the words in a message: when it is edited, Slack tells of it as of a new one."""
        words = hashlib.sha256(self._words(event, asker).encode()).hexdigest()
        return f"slack:mention:{asker.tenant}:{asker.channel}:{event.get('ts')}:{words}"

    def _words(self, event: Json, asker: Asker) -> str:
        return said_to(self._workspaces.of(asker.tenant).bot_user, event.get("text") or "")

    async def _mentioned(self, event: Json, asker: Asker) -> None:
        if event.get("bot_id") or not asker.user:
            return
        reply = Ephemeral(self._workspaces, asker, event.get("thread_ts"))
        await self._hear(self._words(event, asker), asker, reply)

    async def _written(self, event: Json, asker: Asker) -> None:
        """A direct message; what others than a person wrote is none, nor is an edit."""
        is_direct = event.get("channel_type") == "im"
        is_new = event.get("subtype") in _SAID
        if not is_direct or not is_new or event.get("bot_id") or not asker.user:
            return
        reply = Direct(self._workspaces, asker, event.get("thread_ts"))
        await self._hear(self._words(event, asker), asker, reply)

    async def _home_opened(self, event: Json, asker: Asker) -> None:
        if event.get("tab") == "home":
            await self._surfaces.home(Asker(asker.tenant, asker.user))

    async def _linked(self, event: Json, asker: Asker) -> None:
        thread = str(event.get("thread_ts") or event.get("message_ts"))
        await self._surfaces.unfurl(event, asker, thread)

    async def _joined(self, event: Json, asker: Asker) -> None:
        if self._is_bot(asker):
            inviter = str(event.get("inviter") or "")
            await self._life.join(Asker(asker.tenant, inviter, asker.channel))

    async def _left(self, event: Json, asker: Asker) -> None:
        if self._is_bot(asker):
            await self._life.close(asker.tenant, asker.channel, lifecycle.REMOVED)

    async def _removed(self, event: Json, asker: Asker) -> None:
        await self._life.close(asker.tenant, asker.channel, lifecycle.REMOVED)

    async def _renumbered(self, event: Json, asker: Asker) -> None:
        old, new = str(event["old_channel_id"]), str(event["new_channel_id"])
        await self._life.move(asker.tenant, old, new)

    async def _archived(self, event: Json, asker: Asker) -> None:
        await self._life.close(asker.tenant, asker.channel, lifecycle.ARCHIVED)

    async def _deleted(self, event: Json, asker: Asker) -> None:
        await self._life.close(asker.tenant, asker.channel, lifecycle.DELETED)

    async def _unarchived(self, event: Json, asker: Asker) -> None:
        await self._life.reopen(asker)

    def _is_bot(self, asker: Asker) -> bool:
        return asker.user == self._workspaces.of(asker.tenant).bot_user

    # who and where

    def _start(
        self, trigger: str, reply: Reply | None, work: Callable[[], Awaitable[None]]
    ) -> None:
        async def failed() -> None:
            if reply:
                await show(reply, apology())

        self._work.start(_trigger_key(trigger), work, failed)

    def _asker(self, body: Json, *, channel: str | None = None) -> Asker:
        """Of a command, or of an interaction."""
        user = body.get("user") or {}
        if channel is None:
            there = body.get("channel") or {}
            channel = str(body.get("channel_id") or there.get("id") or "")
        person = str(body.get("user_id") or user.get("id"))
        team = str(user.get("team_id") or body.get("team_id") or "")
        return Asker(self._tenant(body), person, channel, team)

    def _tenant(self, body: Json) -> str:
        """The workspace whose installation is meant: in a shared channel not always the person's."""
        view, team = body.get("view") or {}, body.get("team") or {}
        authorized = [each.get("team_id") for each in body.get("authorizations") or ()]
        candidates = (
            view.get("app_installed_team_id"), *authorized,
            team.get("id") if isinstance(team, dict) else team, body.get("team_id"),
        )  # fmt: skip
        return self._workspaces.among(str(each) for each in candidates if each)

    def _beside(self, body: Json, asker: Asker) -> Reply:
        otherwise = Ephemeral(self._workspaces, asker, _thread_of(body))
        url = body.get("response_url")
        return Beside(ResponseUrl(url, self._session), otherwise) if url else otherwise


async def _nothing() -> None:
    """Nobody is told."""


def _trigger_key(trigger: str) -> str:
    return f"slack:trigger:{trigger}"


def _thread_of(body: Json) -> str | None:
    """Of the message that was clicked; what a thread hangs from stands in the channel."""
    message, container = body.get("message") or {}, body.get("container") or {}
    found = message.get("thread_ts") or container.get("thread_ts")
    is_root = found == (message.get("ts") or container.get("message_ts"))
    return str(found) if found and not is_root else None


def _channel_of(view: Json) -> str:
    """A modal remembers what channel it is about; the home tab is about none."""
    return str(view.get("private_metadata") or "") if view.get("type") == "modal" else ""


def _parsed(words: str) -> Command | Notice:
    try:
        return commands.parse(words)
    except UserError as error:
        return mistake(error)


def _may_alter(command: Command) -> bool:
    """A kept answer may be a change; its further pages are to be read."""
    if isinstance(command, commands.Again):
        return command.page == 1
    return commands.verb_of(command).kind != READ


def _form_button(command: Command) -> Notice:
    name = command.name if isinstance(command, commands.OpenForm) else ""
    sentence = f"form {name}" if name else "settings"
    return Notice(
        text("This is a form to fill in."), kind="info", actions=(Action("Open it", sentence),)
    )
