"""Digests to Slack's channels: composed while planning, posted once, found again, taken back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.slack import faults, render
from adapters.slack.api import Json, Limited, NoAnswer, Refused, SlackFault
from adapters.slack.blocks import escape, line
from adapters.slack.workspace import PLATFORM, Workspace, Workspaces
from bot import identity
from bot.errors import ChannelGone, HistoryUnreadable, Later, Unknown
from bot.model import ChannelRef
from bot.ports import Post, Rate
from bot.views import Digest, Notice

log = logging.getLogger(__name__)

EVENT_TYPE = "paperboy_post"  # of the metadata that carries a delivery's key
_PAGE = 200  # messages; an app that is distributed outside the Marketplace gets 15, once a minute
_LOOKS = 1000  # interrupted ones that are remembered


@dataclass(slots=True)
class _Look:
    """How far a history was read: *cursor* is where it goes on, "" at the beginning."""

    found: list[str] = field(default_factory=list)
    cursor: str = ""


class SlackPublisher:
    """A ``Publisher``. The body of a post is ``{"text", "blocks", "plain"}``.

    *plain* goes out where Slack refuses the blocks: its papers come all the same.
    """

    platform = PLATFORM
    rate: Rate | None = Rate(5.0, by_tenant=True)  # design §12

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        # Those that the rate limit broke off, by key: begun anew each time they would never end.
        self._looks: dict[str, tuple[datetime, _Look]] = {}

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        titles = {card.paper.id: card.paper.title for card in digest.cards}
        posts = []
        for part in render.digest(digest):
            body = part.payload | {"plain": _plain(part, titles)}
            posts.append(Post(json.dumps(body), part.papers, part.threaded))
        return tuple(posts)

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        workspace = self._workspace(ref)
        self._looks.pop(key, None)  # it saw nothing of what comes now
        body = json.loads(post.body)
        message: Json = {
            "channel": await self._channel(ref),
            "thread_ts": parent if post.threaded else None,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"key": key}},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        shown = {"text": body["text"], "blocks": body["blocks"]}
        try:
            return await _post(workspace, message | shown)
        except SlackFault as fault:
            if not faults.is_misshapen(fault):
                raise faults.outcome(fault) from fault
            log.warning("%s refused the shape of a post (%s): its plain text goes", ref, fault)
        try:  # nothing was posted, so this is no second copy
            return await _post(workspace, message | {"text": body["plain"]})
        except SlackFault as fault:
            raise faults.outcome(fault) from fault

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        try:
            workspace = self._workspaces.of(ref.tenant)
            channel = await self._im_or_channel(ref)
            in_thread = parent if post.threaded else None
            began, look = self._looks.pop(key, (since, _Look()))
            if began != since:
                look = _Look()
            try:
                return await _find(workspace, channel, key, in_thread, since, look)
            except Limited:
                self._remember(key, since, look)
                raise
        except Limited as fault:
            raise Later(fault.words, after=fault.after) from fault
        except Refused as fault:
            forbidden = fault.code != "invalid_cursor"
            raise HistoryUnreadable(faults.told(fault), forbidden=forbidden) from fault
        except SlackFault as fault:
            raise HistoryUnreadable(fault.words) from fault

    def _remember(self, key: str, since: datetime, look: _Look) -> None:
        self._looks[key] = since, look
        while len(self._looks) > _LOOKS:
            del self._looks[next(iter(self._looks))]

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        try:
            workspace = self._workspaces.of(ref.tenant)
            channel = await self._im_or_channel(ref)
            await workspace.api.call("chat.delete", channel=channel, ts=message_id)
        except Limited as fault:
            raise Later(fault.words, after=fault.after) from fault
        except Refused as fault:
            if fault.code not in ("message_not_found", "channel_not_found"):
                raise Unknown(faults.told(fault)) from fault
        except SlackFault as fault:
            raise Unknown(fault.words) from fault

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        try:
            api = self._workspaces.of(ref.tenant).api
            channel = await self._workspaces.im(ref.tenant, user)
            for message in render.messages(notice):
                await api.send(
                    "chat.postMessage", channel=channel, unfurl_links=False, unfurl_media=False,
                    **message,
                )  # fmt: skip
        except Refused as fault:
            raise ChannelGone(faults.told(fault)) from fault
        except SlackFault as fault:
            raise Unknown(fault.words) from fault

    def _workspace(self, ref: ChannelRef) -> Workspace:
        try:
            return self._workspaces.of(ref.tenant)
        except Refused as fault:
            raise ChannelGone(faults.told(fault)) from fault

    async def _channel(self, ref: ChannelRef) -> str:
        """Where to post; opening direct messages posts nothing, so no fault of it is in doubt."""
        try:
            return await self._im_or_channel(ref)
        except NoAnswer as fault:
            raise Later(fault.words) from fault
        except SlackFault as fault:
            raise faults.outcome(fault) from fault

    async def _im_or_channel(self, ref: ChannelRef) -> str:
        if ref.channel.startswith("@"):
            return await self._workspaces.im(ref.tenant, ref.channel[1:])
        return ref.channel


async def _post(workspace: Workspace, message: Json) -> str:
    answer = await workspace.api.call("chat.postMessage", **message)
    message_id = answer.get("ts")
    if not isinstance(message_id, str) or not message_id:
        raise NoAnswer("Slack told no id of the post")
    return message_id


async def _find(
    workspace: Workspace,
    channel: str,
    key: str,
    parent: str | None,
    since: datetime,
    look: _Look,
) -> list[str]:
    """The whole history since then, or SlackFault; *look* is how far it was read."""
    method = "conversations.replies" if parent else "conversations.history"
    while True:
        answer = await workspace.api.ask(
            method, channel=channel, ts=parent, oldest=f"{since.timestamp():.6f}", inclusive=True,
            include_all_metadata=True, limit=_PAGE, cursor=look.cursor or None,
        )  # fmt: skip
        messages = answer.get("messages")
        if not isinstance(messages, list):
            raise NoAnswer("Slack gave no history")
        look.found += [str(m["ts"]) for m in messages if _carries(m, key, workspace.bot_user)]
        if not answer.get("has_more"):
            return sorted(set(look.found))
        following = (answer.get("response_metadata") or {}).get("next_cursor", "")
        if not following or following == look.cursor:
            raise NoAnswer("Slack broke the history off")
        look.cursor = following


def _carries(message: Json, key: str, bot_user: str) -> bool:
    """Whether it is the bot's own with that key: others may write the same metadata."""
    metadata = message.get("metadata") or {}
    carried = (metadata.get("event_payload") or {}).get("key")
    is_ours = message.get("user") == bot_user
    return is_ours and metadata.get("event_type") == EVENT_TYPE and carried == key


def _plain(part: render.Part, titles: Mapping[str, str]) -> str:
    lines = []
    for paper in part.papers:
        url = identity.paper_link(paper, titles[paper]).url
        lines.append(f"• {escape(line(titles[paper]))}\n<{escape(url)}>")
    return "\n".join(lines) or str(part.payload["text"])
