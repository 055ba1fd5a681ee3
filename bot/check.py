"""Whether everything that Paperboy stands on is well: `paperboy check`."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.app import DATABASE, SETTINGS, no_outbox, open_app, takes_posts, utc_now
from bot.errors import PaperboyError
from bot.platforms import credentials
from bot.views import how_many

if TYPE_CHECKING:
    from config.settings import Settings

_OURS = ("bot", "adapters", "config")


@dataclass(frozen=True, slots=True)
class Line:
    what: str
    well: bool
    said: str


async def examine(settings: Settings) -> list[Line]:
    there, line = _folder(settings.data_dir)
    lines = [_python(), _packages(), line]
    if there:
        lines += await _storage(settings)
    return lines + await _platforms(settings)


async def _storage(settings: Settings) -> list[Line]:
    lines = []
    try:
        async with open_app(settings, readonly=True) as app:
            papers = await app.library.count()
            newest = await app.library.newest_day()
            listed = f", the newest listed on {newest}" if newest else ""
            lines.append(Line(DATABASE, True, f"{papers:,} papers{listed}"))
            document = await app.channels.export_all()  # refuses where a file is damaged
            lines.append(Line(SETTINGS, True, how_many(len(document["channels"]), "channel")))
    except PaperboyError as error:
        lines.append(Line("storage", False, f"{error.message} {error.hint}".strip()))
    return lines


async def _platforms(settings: Settings) -> list[Line]:
    """Those that are set up are asked; what is not set up is no fault."""
    found: list[tuple[str, bool, str]] = []
    if settings.outbox_dir:
        well, fault = takes_posts(settings.outbox_dir), no_outbox(settings.outbox_dir)
        said = f"all go into {settings.outbox_dir}, none to a platform"
        found.append(("posts", well, said if well else f"{fault.message} {fault.hint}"))
    if settings.slack.mode:
        from adapters.slack.examine import examine as examine_slack
        from adapters.slack.manifest import INSTALL

        found += await examine_slack(credentials(settings.slack), asyncio.sleep)
        if settings.slack.is_many:
            found.append(
                ("Slack", True, f"workspaces add it at {settings.slack.public_url}{INSTALL}")
            )
    if settings.discord.token:
        from adapters.discord.examine import examine as examine_discord

        at = settings.discord
        token = settings.discord.token.get_secret_value()
        found += await examine_discord(at.api_url, token, at.server, utc_now)
    if not found:
        found.append(("platforms", True, "none is set up; `paperboy chat` needs none"))
    return [Line(*each) for each in found]


def _python() -> Line:
    return Line("Python", True, sys.version.split()[0])


def _packages() -> Line:
    """That nobody else's distribution brings our package names into this environment."""
    owners = importlib.metadata.packages_distributions()
    strangers = sorted({o for name in _OURS for o in owners.get(name, []) if o != "paperboy"})
    if strangers:
        return Line(
            "packages", False,
            f"{', '.join(strangers)} also brings a package named bot, adapters or config. "
            "Install Paperboy in an environment of its own.",
        )  # fmt: skip
    return Line("packages", True, "bot, adapters and config are Paperboy's own")


def _folder(folder: Path) -> tuple[bool, Line]:
    if not folder.exists():
        return False, Line("data folder", True, f"{folder} will be made at the first start")
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fault = f"{folder} cannot be written to; set PAPERBOY_DATA_DIR"
        return False, Line("data folder", False, fault)
    return True, Line("data folder", True, str(folder))
