"""The process ends at each named point, over Slack and over Discord: what stands there afterwards.

As ``tests.soak.failpoints``, which ends real processes over a platform of our own; here the real
publishers speak with local servers, and what ends is the sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from bot.delivery import AUDIT, SETTLE, Sender
from bot.model import ChannelRef
from bot.ports import Delivery, Publisher, State
from bot.views import Digest, PaperCard
from tests import discord_server, slack_server
from tests.discord_bot import discord_bot
from tests.slack_world import lab_of, slack_world
from tests.soak.failpoints import POINTS, Ending, expected
from tests.world import World, paper

SLOT = datetime(2026, 11, 23, 9, tzinfo=UTC)
POSTS = "POST /channels/{channel_id}/messages"


class Killed(BaseException):
    """The process is dead; no error of ours."""


@dataclass
class Stage:
    """A channel of a platform. *break_off* resets the next post, which lands or not, if told to."""

    world: World
    publisher: Publisher
    ref: ChannelRef
    copies: Callable[[], int]
    requests: Callable[[], int]
    break_off: Callable[[bool, Callable[[], bool]], None]

    def sender(self, reached: Callable[[str], None] = lambda _: None) -> Sender:
        async def pass_by(_: float) -> None:
            await asyncio.sleep(0)

        return Sender(
            self.world.ledger, self.world.store, [self.publisher],
            lambda: {self.ref.platform: None}, lambda: self.world.now, pass_by, reached=reached,
        )  # fmt: skip

    async def plan(self) -> None:
        digest = Digest(self.ref, SLOT, 1, (PaperCard(paper(1, "Rivers of the north")),))
        await self.world.ledger.plan(self.ref, SLOT, self.publisher.compose(self.ref, digest), 1)

    async def row(self) -> Delivery:
        [row] = await self.world.ledger.deliveries(self.ref, 9)
        return row

    async def land(self) -> None:
        """A request that was on its way for long."""
        row = await self.row()
        await self.publisher.publish(self.ref, row.post, row.key, None)


@asynccontextmanager
async def slack() -> AsyncIterator[Stage]:
    async with slack_world() as w:
        _, lab = await lab_of(w)

        def break_off(lands: bool, told: Callable[[], bool]) -> None:
            fault = slack_server.Fault.reset(after_effect=lands)
            w.slack.fault("chat.postMessage", fault, when=lambda _: told())

        yield Stage(
            w.world, w.publisher, w.ref(lab), lambda: len(w.slack.posts(lab)),
            lambda: len(w.slack.called("chat.postMessage")), break_off,
        )  # fmt: skip


@asynccontextmanager
async def discord() -> AsyncIterator[Stage]:
    async with discord_bot() as b:

        def break_off(lands: bool, told: Callable[[], bool]) -> None:
            fault = discord_server.Fault.reset(after_effect=lands)
            b.server.fault(POSTS, fault, when=lambda _: told())

        yield Stage(
            b.world, b.publisher, b.ref(b.papers), lambda: len(b.server.messages(b.papers)),
            lambda: len(b.server.sent(POSTS)), break_off,
        )  # fmt: skip


class Case:
    """A post that is *accepted*, *lost* or *late*, and a sender that ends at a point."""

    def __init__(self, stage: Stage, point: str, landing: str) -> None:
        self._stage = stage
        self._point = point
        self._landing = landing
        self._was_reached = False
        self._is_on_its_way = False
        stage.break_off(landing == "accepted", self._written)

    async def ending(self) -> Ending:
        self._sender = self._stage.sender(self._reached)
        self._life = asyncio.create_task(self._deliver(self._sender))
        with suppress(Killed, asyncio.CancelledError):
            await self._life
        await asyncio.gather(*self._sender._in_hand, return_exceptions=True)
        await self._deliver(self._stage.sender())
        row = await self._stage.row()
        posts = self._stage.requests() - (self._landing == "late")  # what we let land ourselves
        return Ending(
            self._point, self._landing, self._was_reached, row.state,
            self._stage.copies(), posts, row.attempts, row.resent,
        )  # fmt: skip

    async def _deliver(self, sender: Sender) -> None:
        stage, ledger = self._stage, self._stage.world.ledger
        await sender.recover()
        if await ledger.last_slot(stage.ref) is None:
            self._reached("plan")
            await stage.plan()
            self._reached("planned")
        while (await stage.row()).state is not State.SENT:
            await sender.send_due()
            if self._is_on_its_way:
                self._is_on_its_way = False
                await stage.land()
            stage.world.now += SETTLE
            await sender.settle_unknown()

    def _written(self) -> bool:
        """The request is out, and its answer is not yet in."""
        self._is_on_its_way = self._landing == "late"
        if self._point == "written":
            self._was_reached = True
            for task in (self._life, *self._sender._in_hand):
                task.cancel()
        return True

    def _reached(self, step: str) -> None:
        if step == self._point and not self._was_reached:
            self._was_reached = True
            raise Killed


Platform = Callable[[], AbstractAsyncContextManager[Stage]]


@pytest.mark.parametrize("landing", ["accepted", "lost", "late"])
@pytest.mark.parametrize("platform", [slack, discord])
@pytest.mark.parametrize("point", POINTS)
async def test_an_end_at_each_point_leads_to_the_exact_state(
    point: str, platform: Platform, landing: str
) -> None:
    async with platform() as stage:
        ending = await Case(stage, point, landing).ending()

    assert ending == expected(point, landing)


@pytest.mark.parametrize(("platform", "copies"), [(slack, 2), (discord, 1)])
async def test_what_lands_after_all_patience_stands_once_in_the_end(
    platform: Platform, copies: int
) -> None:
    """Discord makes no second one by itself; where there is one, a repair may end in the middle."""

    def reached(step: str) -> None:
        if step == "delete":
            raise Killed

    async with platform() as stage:
        await stage.plan()
        stage.break_off(False, lambda: True)
        sender = stage.sender(reached)
        await sender.send_due()
        stage.world.now += SETTLE
        await sender.settle_unknown()
        await sender.send_due()
        await stage.land()
        assert stage.copies() == copies

        stage.world.now += AUDIT
        with suppress(Killed):
            await sender.audit()
        assert stage.copies() == copies
        await stage.sender().audit()

        assert stage.copies() == 1
        assert (await stage.row()).state is State.SENT
