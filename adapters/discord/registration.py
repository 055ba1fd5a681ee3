"""Tells Discord of the commands, where they have changed since it was told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from discord import app_commands

from adapters.discord.rest import Refused, Rest
from adapters.discord.translations import Translations
from bot.errors import PaperboyError

log = logging.getLogger(__name__)

EVERYWHERE = "everywhere"


async def described(tree: app_commands.CommandTree[Any]) -> list[dict[str, Any]]:
    """The commands as Discord wants to be told of them."""
    translations = Translations()
    return [
        await command.get_translated_payload(tree, translations)
        for command in sorted(tree.get_commands(), key=lambda command: command.name)
    ]


class Registration:
    """*load* and *save* keep one line of text, which says where the commands are and their hash.

    *server* is the one to try them out in; without it they are for all servers.
    """

    def __init__(
        self, rest: Rest, server: str | None, load: Callable[[], str], save: Callable[[str], None]
    ) -> None:
        self._rest = rest
        self._where = server or EVERYWHERE
        self._load = load
        self._save = save

    async def register(self, commands: Sequence[dict[str, Any]], application: str) -> bool:
        """Whether there was anything to tell; raises Later, Unknown or PaperboyError."""
        content = json.dumps(commands, sort_keys=True)
        digest = sha256(f"{application} {content}".encode()).hexdigest()
        known, wanted = self._load(), f"{self._where} {digest}"
        if known == wanted:
            return False
        try:
            await self._put(application, self._where, commands)
        except Refused as refused:
            raise PaperboyError(
                f"Discord refuses the commands: {refused.words} {refused.faults or ''}".strip(),
                hint="Was the bot invited with the scope applications.commands?",
            ) from refused
        last = known.partition(" ")[0]
        if last not in ("", self._where):  # else they would show twice
            await self._take_away(application, last)
        self._save(wanted)
        log.info("registered %d commands (%s)", len(commands), self._where)
        return True

    async def _take_away(self, application: str, where: str) -> None:
        try:
            await self._put(application, where, [])
        except Refused as refused:  # a server that the bot has left has none
            log.info("the commands of %s could not be taken away: %s", where, refused)

    async def _put(self, application: str, where: str, commands: Sequence[dict[str, Any]]) -> None:
        server = "" if where == EVERYWHERE else f"/guilds/{where}"
        await self._rest.request("PUT", f"/applications/{application}{server}/commands", commands)
