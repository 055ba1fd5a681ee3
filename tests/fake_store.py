"""A channel store in memory, for the whole suite; it passes the contract of the real one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from adapters.storage.settings import from_json, to_json
from bot.errors import UserError
from bot.model import SUBSCRIPTIONS_PER_WORKSPACE, Channel, ChannelRef


@dataclass(slots=True)
class _Step:
    before: Channel | None
    after: Channel | None
    standing: bool = True  # neither undone nor an undo


class MemoryChannelStore:
    """A second implementation of ``bot.ports.ChannelStore``; starts with *channels*."""

    def __init__(self, *channels: Channel) -> None:
        self._channels = {channel.ref: channel for channel in channels}
        self._steps: dict[ChannelRef, list[_Step]] = {}

    async def get(self, ref: ChannelRef) -> Channel | None:
        return self._channels.get(ref)

    async def all(self) -> list[Channel]:
        return [self._channels[ref] for ref in sorted(self._channels)]

    async def save(self, channel: Channel, by: str) -> None:
        old = self._channels.get(channel.ref)
        highest = max((s.number for s in channel.subscriptions), default=0)
        channel = replace(
            channel,
            owner=channel.owner or (old.owner if old else "") or by,
            next_number=max(channel.next_number, old.next_number if old else 1, highest + 1),
        )
        self._check_room(channel)
        if channel != old:
            self._step(channel.ref, channel, standing=True)

    async def undo(self, ref: ChannelRef, by: str) -> tuple[Channel | None, Channel | None] | None:
        step = next((s for s in reversed(self._steps.get(ref, [])) if s.standing), None)
        if step is None:
            return None
        now, then = self._channels.get(ref), step.before
        if then and now:
            then = replace(then, next_number=max(then.next_number, now.next_number))
        if then:
            self._check_room(then)
        step.standing = False
        self._step(ref, then, standing=False)
        return now, then

    async def remove(self, ref: ChannelRef, by: str) -> None:
        if ref in self._channels:
            self._step(ref, None, standing=True)

    async def dump(self, ref: ChannelRef) -> str:
        channel = self._channels.get(ref)
        if channel is None:
            raise UserError("This channel has no settings yet.", hint="Subscribe first.")
        return json.dumps(to_json(channel))

    async def load(self, ref: ChannelRef, document: str, by: str) -> Channel:
        try:
            given = json.loads(document)
        except ValueError as error:
            raise UserError("That is no JSON.", hint="Paste an export.") from error
        old = self._channels.get(ref)
        loaded = replace(from_json(given), ref=ref, owner=old.owner if old else "")
        await self.save(loaded, by)
        return self._channels[ref]

    async def free_number(self, ref: ChannelRef) -> int:
        channel = self._channels.get(ref)
        steps = self._steps.get(ref, [])
        known = [channel] if channel else [c for s in steps for c in (s.before, s.after)]
        return max((c.next_number for c in known if c), default=1)

    def _step(self, ref: ChannelRef, after: Channel | None, *, standing: bool) -> None:
        before = self._channels.pop(ref, None)
        if after:
            self._channels[ref] = after
        self._steps.setdefault(ref, []).append(_Step(before, after, standing))

    def _check_room(self, channel: Channel) -> None:
        workspace = (channel.ref.platform, channel.ref.tenant)
        old = self._channels.get(channel.ref)
        more = len(channel.subscriptions) - (len(old.subscriptions) if old else 0)
        had = sum(
            len(other.subscriptions)
            for ref, other in self._channels.items()
            if (ref.platform, ref.tenant) == workspace
        )
        if more > 0 and had + more > SUBSCRIPTIONS_PER_WORKSPACE:
            raise UserError(
                f"This workspace has {had} subscriptions and no room for {more} more.",
                hint="Unsubscribe from some first.",
            )
