"""The jobs that the program's clock runs: what has to be done within minutes is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from adapters import scheduler
from adapters.scheduler import Job
from bot import app, running
from bot.delivery import AUDIT
from config.settings import Settings

REPAIRED = timedelta(minutes=15)  # reliability §7, A26


class Noted:
    """In place of the clock: the jobs that it was given."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs

    def start(self) -> None: ...

    async def stop(self, limit: float) -> None: ...


async def test_owners_of_silent_channels_are_told_before_a_short_session_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(scheduler, "Jobs", Noted)
    settings = Settings(data_dir=tmp_path)
    async with app.open_app(settings) as opened:

        async def tell() -> None:
            told.append("told")

        monkeypatch.setattr(opened.service, "tell_owners", tell)
        async with running.serving(opened, settings, fetching=False) as clock:
            for job in clock.jobs:  # type: ignore[attr-defined]
                if job.period < 15:
                    await job.run()

    assert told == ["told"]


async def test_a_second_copy_is_looked_for_within_a_quarter_of_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audits: list[str] = []
    monkeypatch.setattr(scheduler, "Jobs", Noted)
    settings = Settings(data_dir=tmp_path)
    async with app.open_app(settings) as opened:

        async def audit() -> None:
            audits.append("audit")

        monkeypatch.setattr(opened.sender, "audit", audit)
        async with running.serving(opened, settings, fetching=False) as clock:
            for job in clock.jobs:  # type: ignore[attr-defined]
                if AUDIT + timedelta(seconds=job.period) <= REPAIRED:
                    await job.run()

    assert audits == ["audit"]
