"""Posts in the terminal: they appear above the prompt. What was posted is kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from bot.model import ChannelRef
from bot.ports import Post, Publisher, Rate
from bot.views import Digest, Notice, View, text

Show = Callable[[View], Awaitable[None]]


class TerminalPublisher:
    """A ``Publisher`` while a conversation is open.

    *history* keeps the posts, so that none appears twice, whenever the program is killed.
    """

    platform = "terminal"
    rate: Rate | None = None

    def __init__(self, history: Publisher) -> None:
        self._history = history
        self._show: Show | None = None
        self._composed: dict[str, Digest] = {}  # by body, until it has been shown

    def appear(self, show: Show) -> None:
        """Where posts are shown from now on."""
        self._show = show

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        posts = self._history.compose(ref, digest)
        self._composed[posts[0].body] = digest
        return posts

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        message = await self._history.publish(ref, post, key, parent)
        if self._show:
            digest = self._composed.pop(post.body, None)
            await self._show(digest if digest else _again(post))
        return message

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        return await self._history.find(ref, post, key, parent, since)

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        await self._history.delete(ref, message_id)

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        if self._show:
            await self._show(notice)


def _again(post: Post) -> Notice:
    """A digest that an earlier conversation planned and did not come to show."""
    body = json.loads(post.body)
    titles = [f"{paper['title']}, {paper['url']}" for paper in body["papers"]]
    quiet = body["quiet"]["text"] if body["quiet"] else ""
    return Notice(
        text(f"The digest of {body['slot'][:16].replace('T', ' ')}: {quiet or len(titles)}"),
        kind="info",
        hints=tuple(text(title) for title in titles),
    )
