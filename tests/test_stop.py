"""How the program ends: posts in hand are finished while its platforms finish their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bot import app, running
from bot.answers import Answers
from bot.delivery import Sender
from bot.model import Channel, ChannelRef
from bot.ports import Post, Publisher, Rate, State
from bot.views import Digest, Notice
from config.settings import Settings

LAB = ChannelRef("slack", "T1", "C1")


class Platform:
    """It answers posts only once it is to stop, and a start of it may never end."""

    def __init__(self, *, starts: bool) -> None:
        self._starts = starts
        self.posting = asyncio.Event()
        self.stopped = asyncio.Event()
        self.publisher: Publisher = Waiting(self)

    def served(self) -> None:
        return None

    async def start(self, answers: Answers, sender: Sender) -> None:
        if not self._starts:
            await asyncio.Event().wait()

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.stopped.set()


class Waiting:
    platform = "slack"
    rate: Rate | None = None

    def __init__(self, of: Platform) -> None:
        self._of = of

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        return ()

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        self._of.posting.set()
        await self._of.stopped.wait()
        return "m1"

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        return ()

    async def delete(self, ref: ChannelRef, message_id: str) -> None: ...

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None: ...


async def test_a_platform_stops_listening_while_the_posts_in_hand_are_finished(
    tmp_path: Path,
) -> None:
    settings, platform = Settings(data_dir=tmp_path), Platform(starts=True)
    async with app.open_app(settings, publishers=[platform.publisher]) as opened:
        await opened.channels.save(Channel(LAB), "U1")
        await opened.library.plan(LAB, opened.clock(), [Post("{}", ("arxiv:1",))], 0, None)
        whole = replace(opened, platforms=[platform])
        async with asyncio.timeout(8), running.serving(whole, settings, fetching=False):
            await platform.posting.wait()

        [post] = await opened.library.deliveries(LAB, 9)
        assert (post.state, post.message_id) == (State.SENT, "m1")


async def test_a_stop_does_not_wait_for_a_platform_that_is_still_starting(tmp_path: Path) -> None:
    settings, platform = Settings(data_dir=tmp_path), Platform(starts=False)
    told = asyncio.Event()
    async with app.open_app(settings) as opened, asyncio.timeout(8):
        whole = replace(opened, platforms=[platform])
        asyncio.get_running_loop().call_soon(told.set)
        async with running.serving(whole, settings, fetching=False, told=told):
            pass
    assert platform.stopped.is_set()
