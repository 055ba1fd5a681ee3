"""Where an answer goes: beside the command, into a thread, into direct messages, into a modal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.slack import render
from adapters.slack.api import Json, ResponseUrl, SlackFault
from adapters.slack.workspace import Asker, Workspaces
from bot.views import Document, Notice, Span, View, text

log = logging.getLogger(__name__)

RESPONSE_USES = 5  # of one response_url, in half an hour


class Reply(Protocol):
    async def show(self, view: View) -> None:
        """Raises SlackFault where it does not arrive."""


@dataclass(slots=True)
class Ephemeral:
    """For one person's eyes, in the channel or one of its threads."""

    workspaces: Workspaces
    asker: Asker
    thread: str | None = None

    async def show(self, view: View) -> None:
        for message in payloads(view):
            await self.post(message)

    async def post(self, message: Json) -> None:
        api = self.workspaces.of(self.asker.tenant).api
        await api.send(
            "chat.postEphemeral", channel=self.asker.channel, user=self.asker.user,
            thread_ts=self.thread, **message,
        )  # fmt: skip


@dataclass(slots=True)
class Beside:
    """For one person's eyes, by the address that came with a command or a click.

    What it takes no more goes by *otherwise*.
    """

    url: ResponseUrl
    otherwise: Ephemeral
    used: int = 0

    async def show(self, view: View) -> None:
        for message in payloads(view):
            if self.used < RESPONSE_USES:
                self.used += 1
                try:
                    await self.url.send(self._addressed(message))
                except SlackFault as fault:  # twice is better than never, for one person's eyes
                    log.info("a response_url did not do: %s", fault.words)
                else:
                    continue
            await self.otherwise.post(message)

    def _addressed(self, message: Json) -> Json:
        thread = {"thread_ts": self.otherwise.thread} if self.otherwise.thread else {}
        return message | thread | {"response_type": "ephemeral", "replace_original": False}


@dataclass(slots=True)
class Direct:
    """Plain messages, in the person's direct messages with the bot."""

    workspaces: Workspaces
    asker: Asker
    thread: str | None = None

    async def show(self, view: View) -> None:
        api = self.workspaces.of(self.asker.tenant).api
        for message in payloads(view):
            await api.send(
                "chat.postMessage", channel=self.asker.channel, thread_ts=self.thread,
                unfurl_links=False, unfurl_media=False, **message,
            )  # fmt: skip


def payloads(view: View) -> Sequence[Json]:
    if isinstance(view, Document):
        return [render.preformatted(view)]
    return render.messages(view)


async def handed_over(document: Document, asker: Asker, workspaces: Workspaces) -> View:
    """A long document as a file in the person's direct messages; what to say instead of it.

    Raises SlackFault.
    """
    if len(document.content) <= render.LONGEST_DOCUMENT:
        return document
    api = workspaces.of(asker.tenant).api
    im = await workspaces.im(asker.tenant, asker.user)
    content = document.content.encode()
    ticket = await api.ask(
        "files.getUploadURLExternal", filename=document.name, length=len(content)
    )
    await api.upload(str(ticket["upload_url"]), content)
    files = [{"id": ticket["file_id"], "title": document.name}]
    await api.send("files.completeUploadExternal", files=files, channel_id=im)
    return Notice(
        text("I sent you ", Span(document.name, code=True), " in a direct message."),
    )


async def show(reply: Reply, view: View) -> None:
    """Show it, or note in the log why nobody saw it."""
    try:
        await reply.show(view)
    except SlackFault as fault:
        log.warning("an answer did not arrive: %s", fault.words)
