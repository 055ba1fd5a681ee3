"""What becomes of channels and workspaces: archived, left, removed, and back again.

What takes no posts is closed and its owner told; nothing is deleted, and a person resumes it.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from adapters.slack.api import SlackFault
from adapters.slack.replies import Ephemeral
from adapters.slack.workspace import PLATFORM, Asker, Workspaces
from bot.errors import ChannelGone, Unknown
from bot.model import Channel, ChannelRef
from bot.ports import ChannelStore, Closure, Installations, Publisher, Tenants
from bot.views import Action, Notice, Span, joined, named, text

log = logging.getLogger(__name__)

ARCHIVED = "the channel was archived"
DELETED = "the channel was deleted"
REMOVED = "I was removed from the channel"
UNINSTALLED = "Paperboy was removed from this workspace"


class Closer(Protocol):
    async def close(self, ref: ChannelRef, reason: str) -> None:
        """The channel takes no posts any more; its owner hears of it."""


class Closures(Protocol):
    async def gone(self, ref: ChannelRef) -> Closure | None:
        """Why the channel takes no posts, None where it does."""


class Lifecycle:
    def __init__(
        self,
        channels: ChannelStore,
        closer: Closer,
        closures: Closures,
        tenants: Tenants,
        installations: Installations | None,
        workspaces: Workspaces,
        publisher: Publisher,
    ) -> None:
        self._channels = channels
        self._closer = closer
        self._closures = closures
        self._tenants = tenants
        self._installations = installations
        self._workspaces = workspaces
        self._publisher = publisher

    async def close(self, tenant: str, channel: str, reason: str) -> None:
        """One channel, where it has settings: others have nothing to lose."""
        self._workspaces.changed(tenant, channel)
        ref = ChannelRef(PLATFORM, tenant, channel)
        if await self._channels.get(ref):
            await self._closer.close(ref, reason)

    async def move(self, tenant: str, old: str, new: str) -> None:
        """A private channel gets another id when it is shared with other organisations."""
        there, here = (ChannelRef(PLATFORM, tenant, channel) for channel in (old, new))
        self._workspaces.changed(tenant, old)
        channel = await self._channels.get(there)
        if channel is None or await self._channels.get(here):
            return
        await self._channels.save(replace(channel, ref=here), channel.owner)
        await self._tenants.moved(there, here)
        await self._channels.remove(there, channel.owner)
        log.info("%s is %s now", there, here)

    async def leave(self, tenant: str, at: datetime) -> None:
        """The workspace has taken its token back: it is forgotten at once, the rest in a month.

        *at* is the second in which that happened; a token that is newer stays.
        """
        workspace = self._workspaces.get(tenant)
        end_of_second = at + timedelta(seconds=1)
        if workspace is None or workspace.since > end_of_second:
            return
        self._workspaces.remove(tenant)
        if self._installations:
            await self._installations.remove(tenant, end_of_second)
        await self._tenants.left(PLATFORM, tenant, at)
        for channel in await self._channels.all():
            if _of(channel, tenant):
                await self._closer.close(channel.ref, UNINSTALLED)
        log.info("%s has removed Paperboy", tenant)

    async def greet(self, tenant: str, installer: str) -> None:
        """Say to whoever added the app what comes next."""
        notice = Notice(
            text("Thank you. I bring channels the new papers that they care about."),
            kind="info",
            hints=(
                text("Go to a channel and type ", Span("/invite @Paperboy", code=True), ", then ",
                     Span("/papers subscribe", code=True), "."),
                text("Here, with me alone, you can have digests of your own: ",
                     Span('subscribe "speculative decoding"', code=True)),
            ),
        )  # fmt: skip
        try:
            await self._publisher.tell(
                ChannelRef(PLATFORM, tenant, f"@{installer}"), installer, notice
            )
        except (ChannelGone, Unknown) as error:
            log.info("could not greet %s: %s", tenant, error)

    async def come_back(self, tenant: str) -> None:
        """The workspace has the app again: say to the owners of its channels how to go on."""
        paused: defaultdict[str, list[ChannelRef]] = defaultdict(list)
        for channel in await self._channels.all():
            closure = await self._closures.gone(channel.ref) if _of(channel, tenant) else None
            if closure and closure.reason == UNINSTALLED and channel.owner:
                paused[channel.owner].append(channel.ref)
        for owner, refs in paused.items():
            where = joined([(named(ref),) for ref in refs])
            notice = Notice(
                text("I am in this workspace again, and no paper is lost."),
                kind="info",
                hints=(text("To go on, type ", Span("/papers resume", code=True), " in ", *where,
                            ". In a channel that I am not in, ",
                            Span("/invite @Paperboy", code=True), " comes first."),),
            )  # fmt: skip
            try:
                await self._publisher.tell(refs[0], owner, notice)
            except (ChannelGone, Unknown) as error:
                log.info("could not tell %s of %s: %s", owner, tenant, error)

    async def join(self, asker: Asker) -> None:
        """The bot came into a channel: say to whoever asked it in what can be done there."""
        self._workspaces.changed(asker.tenant, asker.channel)
        if notice := await self._back(asker.ref):
            await self._say(asker, notice)
        elif await self._channels.get(asker.ref) is None:
            await self._say(asker, _welcome())

    async def reopen(self, asker: Asker) -> None:
        """An archived channel is used again: say to whoever did that how to go on."""
        self._workspaces.changed(asker.tenant, asker.channel)
        if notice := await self._back(asker.ref):
            await self._say(asker, notice)

    async def _back(self, ref: ChannelRef) -> Notice | None:
        closure = await self._closures.gone(ref)
        if closure is None:
            return None
        return Notice(
            text(f"I have not posted here of late: {closure.reason.rstrip('.')}."),
            kind="info",
            hints=(
                text("No paper is lost. To go on, type ", Span("/papers resume", code=True), "."),
            ),
            actions=(Action("Resume", "resume"),),
        )

    async def _say(self, asker: Asker, notice: Notice) -> None:
        """In the channel, for one person; where the bot is not in, in direct messages."""
        if not asker.user:
            return
        try:
            await Ephemeral(self._workspaces, asker).show(notice)
        except SlackFault:
            try:
                await self._publisher.tell(asker.ref, asker.user, notice)
            except (ChannelGone, Unknown) as error:
                log.info("could not tell of %s: %s", asker.ref, error)


def _of(channel: Channel, tenant: str) -> bool:
    return (channel.ref.platform, channel.ref.tenant) == (PLATFORM, tenant)


def _welcome() -> Notice:
    return Notice(
        text("Hello. I bring this channel the new papers that it cares about."),
        kind="info",
        hints=(
            text("Say what about: ", Span('/papers subscribe "speculative decoding"', code=True)),
        ),
        actions=(
            Action("Subscribe", "form subscribe"),
            Action("Search papers", "form search"),
            Action("Help", "help"),
        ),
    )
