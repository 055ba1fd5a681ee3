"""Answers to interactions, within Discord's deadlines; all of them are private.

The first answer is due in three seconds. What follows may take a quarter of an hour: it is an edit of
the first one, which can be tried again, and further messages, which cannot.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from adapters.discord import render
from adapters.discord.callers import Interaction
from adapters.discord.rest import Refused, Rest
from bot.errors import Later, Unknown
from bot.ports import Sleep
from bot.views import Document, Form, Notice, View, text

log = logging.getLogger(__name__)

MESSAGE, DEFERRED, MODAL = 4, 5, 9  # kinds of first answers
EPHEMERAL = 1 << 6
ALREADY_ACKNOWLEDGED, MALFORMED = 40060, 50035
ATTEMPT = 2.0  # seconds that the first answer may take, at each attempt
FIRST_WAITS = (0.1, 0.3, 1.0)  # between those; only what is still undecided is sent again
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)  # between attempts at an edit

Payload = dict[str, Any]

_ANSWERED = "answered"
_NOTHING = Notice(text("There is nothing to show."), "info")
_UNSHOWN = Notice(
    text("Discord could not show the answer. That is a fault of mine; the log has the details."),
    "error",
)


class Replies:
    def __init__(self, rest: Rest, sleep: Sleep) -> None:
        self._rest = rest
        self._sleep = sleep

    async def acknowledge(self, interaction: Interaction) -> bool:
        """Show that it is being worked on. Where it comes too late, the person sees a failure: False."""
        return await self._first(interaction, DEFERRED, {"flags": EPHEMERAL})

    async def open(self, interaction: Interaction, form: Form, custom_id: str) -> None:
        if await self._first(interaction, MODAL, render.modal(form, custom_id)):
            for message in render.beside(form):
                await self._add(interaction, message)

    async def say(self, interaction: Interaction, view: View) -> None:
        """A short answer that takes no work; where there is one already, it follows it."""
        first, *others = render.messages(view)
        answered = interaction.extras.get(_ANSWERED)
        if answered == DEFERRED:
            await self._fill(interaction, first)
        elif answered:
            others.insert(0, first)
        elif not await self._first(interaction, MESSAGE, first | {"flags": _private(first)}):
            return
        for message in others:
            await self._add(interaction, message)

    async def _fill(self, interaction: Interaction, message: Payload) -> None:
        """In place of what the person waits for; a message that follows it may get lost."""
        try:
            await self._edit(interaction, message, {})
        except (Refused, Later, Unknown) as error:
            log.warning("an answer could not be shown: %s", error)

    async def _add(self, interaction: Interaction, message: Payload) -> None:
        """A message that may be missing."""
        try:
            await self._follow(interaction, message, {})
        except (Refused, Later, Unknown) as error:
            log.warning("an answer could not be shown: %s", error)

    async def _first(self, interaction: Interaction, kind: int, data: Payload) -> bool:
        """Whether it is this answer that the person sees.

        What was lost on the way is asked for again: Discord then takes it, or says that it has it.
        """
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        for attempt, wait in enumerate((*FIRST_WAITS, None)):
            try:
                async with asyncio.timeout(ATTEMPT):
                    await self._rest.request("POST", path, {"type": kind, "data": data})
            except Refused as refused:
                if refused.code == ALREADY_ACKNOWLEDGED and attempt:
                    interaction.extras[_ANSWERED] = kind
                    return True
                log.warning("interaction %s is not answered: %s", interaction.id, refused)
                return False
            except (Later, Unknown, TimeoutError) as error:
                log.info("interaction %s, attempt %d: %r", interaction.id, attempt + 1, error)
                if wait is not None:
                    await self._sleep(wait)
            else:
                interaction.extras[_ANSWERED] = kind
                return True
        log.warning("interaction %s could not be answered", interaction.id)
        return False

    async def show(self, interaction: Interaction, *views: View) -> None:
        """Fill the acknowledged answer."""
        messages: list[tuple[Payload, dict[str, bytes]]] = []
        for view in views:
            if isinstance(view, Document):
                messages.append(_file(view, interaction.filesize_limit))
            else:
                messages += ((message, {}) for message in render.messages(view))
        if not messages:
            messages.append((render.messages(_NOTHING)[0], {}))
        try:
            for number, (message, files) in enumerate(messages):
                if number:
                    await self._follow(interaction, message, files)
                else:
                    await self._edit(interaction, message, files)
        except Refused as refused:
            log.warning("an answer could not be shown: %s %s", refused, refused.faults)
            if refused.code == MALFORMED:
                await self.say(interaction, _UNSHOWN)
        except (Later, Unknown) as error:
            log.warning("an answer could not be shown: %s", error)

    async def _edit(
        self, interaction: Interaction, message: Payload, files: dict[str, bytes]
    ) -> None:
        path = f"{_webhook(interaction)}/messages/@original"
        for wait in (*WAITS, None):
            try:
                await self._rest.request("PATCH", path, message, files=files)
            except (Later, Unknown) as error:
                if wait is None:
                    raise
                await self._sleep(max(wait, error.after if isinstance(error, Later) else 0.0))
            else:
                interaction.extras[_ANSWERED] = MESSAGE
                return

    async def _follow(
        self, interaction: Interaction, message: Payload, files: dict[str, bytes]
    ) -> None:
        message = message | {"flags": _private(message)}
        for wait in (*WAITS, None):
            try:
                await self._rest.request("POST", _webhook(interaction), message, files=files)
            except Later as error:
                if wait is None:
                    raise
                await self._sleep(max(error.after, wait))
            else:
                return


def _webhook(interaction: Interaction) -> str:
    return f"/webhooks/{interaction.application_id}/{interaction.token}"


def _private(message: Payload) -> int:
    return int(message.get("flags", 0)) | EPHEMERAL


def _file(document: Document, limit: int) -> tuple[Payload, dict[str, bytes]]:
    content = document.content.encode()
    if len(content) > limit:
        words = f"That is {len(content):,} bytes; Discord takes {limit:,} in one file here."
        return render.messages(Notice(text(words), "error"))[0], {}
    attachment = {"id": 0, "filename": document.name}
    return {"content": "", "attachments": [attachment]}, {document.name: content}
