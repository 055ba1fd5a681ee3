"""Whether Discord takes the token and the bot is where it should be: for ``paperboy check``.

Posts nothing and opens no connection that Discord counts.
"""

from __future__ import annotations

from typing import Any

from adapters.discord import permissions
from adapters.discord.rest import Refused, Rest
from bot.errors import PaperboyError
from bot.ports import Clock

Finding = tuple[str, bool, str]  # what was looked at, whether it is well, what to say of it


async def examine(api_url: str, token: str, server: str | None, clock: Clock) -> list[Finding]:
    """*server* is the one in which commands are tried out."""
    rest = Rest(api_url, token, clock)
    try:
        bot = await rest.request("GET", "/applications/@me")
        return [
            ("Discord", True, f"{bot['name']}; it needs the Guilds intent alone, which all have"),
            *_endpoint(bot),
            await _gateway(rest),
            await _commands(rest, bot["id"], server),
            ("Discord invitation", True, permissions.invite_link(bot["id"])),
        ]
    except Refused as refused:
        if refused.status == 401:
            said = "refuses the token; reset it on the page Bot of the developer portal"
            return [("Discord", False, said)]
        return [("Discord", False, f"refuses the bot: {refused.words}")]
    except PaperboyError as error:
        return [("Discord", False, f"{error.message}; is {api_url} within reach?")]
    finally:
        await rest.aclose()


def _endpoint(bot: dict[str, Any]) -> list[Finding]:
    if not bot.get("interactions_endpoint_url"):
        return []
    said = (
        "an Interactions Endpoint URL is set, so commands go there and not to Paperboy; take it away "
        "under General Information"
    )
    return [("Discord commands", False, said)]


async def _gateway(rest: Rest) -> Finding:
    told = await rest.request("GET", "/gateway/bot")
    left, total = (told["session_start_limit"][name] for name in ("remaining", "total"))
    return "Discord gateway", left > 0, f"{left} of {total} connections are left today"


async def _commands(rest: Rest, application: str, server: str | None) -> Finding:
    where = f"/guilds/{server}" if server else ""
    try:
        known = await rest.request("GET", f"/applications/{application}{where}/commands")
    except Refused as refused:
        said = (
            f"the commands of server {server} cannot be read ({refused.words}): is the bot there?"
        )
        return "Discord commands", False, said
    if not known:
        return "Discord commands", True, "none yet: `paperboy run` or `discord-sync` registers them"
    return "Discord commands", True, f"{len(known)} registered"
