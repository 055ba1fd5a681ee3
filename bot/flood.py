"""How much is answered: so many requests of each person and in each channel, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.model import ChannelRef
from bot.ports import Clock


@dataclass(frozen=True, slots=True)
class Allowance:
    """A bucket of tokens: *burst* at once, *per_second* after that."""

    burst: int
    per_second: float


PER_PERSON = Allowance(5, 5 / 10)  # reliability §5, S11: five in ten seconds
PER_CHANNEL = Allowance(30, 30 / 60)
_KEPT = 10_000  # buckets; above that, those that are full are forgotten


class Flood:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], tuple[float, datetime]] = {}

    def lets(self, ref: ChannelRef, user: str) -> bool:
        """Whether one more request is answered; then it counts."""
        person = "by", ref.platform, ref.tenant, user
        channel = "in", ref.platform, ref.tenant, ref.channel
        left = {person: self._left(person, PER_PERSON), channel: self._left(channel, PER_CHANNEL)}
        if min(left.values()) < 1:
            return False
        now = self._clock()
        self._buckets |= {key: (tokens - 1, now) for key, tokens in left.items()}
        if len(self._buckets) > _KEPT:
            self._buckets = {
                key: bucket
                for key, bucket in self._buckets.items()
                if (now - bucket[1]).total_seconds() < PER_CHANNEL.burst / PER_CHANNEL.per_second
            }
        return True

    def _left(self, key: tuple[str, ...], allowance: Allowance) -> float:
        tokens, at = self._buckets.get(key, (float(allowance.burst), self._clock()))
        passed = max(0.0, (self._clock() - at).total_seconds())
        return min(float(allowance.burst), tokens + passed * allowance.per_second)
