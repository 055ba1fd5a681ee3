"""So many requests of a person and in a channel, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.flood import PER_CHANNEL, PER_PERSON, Flood
from bot.model import ChannelRef

HERE, THERE = ChannelRef("discord", "1", "2"), ChannelRef("discord", "1", "3")


class Clock:
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_so_much_is_answered_and_then_a_little() -> None:
    clock = Clock()
    flood = Flood(clock)

    assert [flood.lets(HERE, "ann") for _ in range(7)] == [True] * PER_PERSON.burst + [False] * 2
    clock.now += timedelta(seconds=2)
    assert [flood.lets(HERE, "ann") for _ in range(2)] == [True, False]
    clock.now += timedelta(seconds=100)
    assert sum(flood.lets(HERE, f"person {n}") for n in range(40)) == PER_CHANNEL.burst
    assert flood.lets(THERE, "person 0")


def test_a_flood_of_people_takes_no_memory_for_ever() -> None:
    clock = Clock()
    flood = Flood(clock)
    for number in range(12_000):
        flood.lets(ChannelRef("discord", "1", f"{number}"), f"{number}")
        clock.now += timedelta(seconds=1)

    assert len(flood._buckets) <= 10_001
