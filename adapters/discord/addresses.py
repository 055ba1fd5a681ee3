"""Where discord.py finds Discord.

It has no public setting for that, so this is the one place that reaches into it: class attributes
of 2.7, whose absence is a failing test and not a silent default.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

log = logging.getLogger(__name__)

API_URL = "https://discord.com/api/v10"
GATEWAY_URL = "wss://gateway.discord.gg"


def current() -> tuple[str, str]:
    """Those of the REST API and of the gateway."""
    return Route.BASE, str(DiscordWebSocket.DEFAULT_GATEWAY)


def apply(api_url: str, gateway_url: str) -> None:
    """For this process: REST calls, those of interactions too, and new sessions of the gateway.

    A session is resumed where its READY said. Addresses other than Discord's own are logged.
    """
    for owner, name in ((Route, "BASE"), (DiscordWebSocket, "DEFAULT_GATEWAY")):
        if not hasattr(owner, name):
            raise AttributeError(f"discord.py keeps no {owner.__name__}.{name} any more")
    Route.BASE = api_url.rstrip("/")
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
    for url, usual in ((api_url, API_URL), (gateway_url, GATEWAY_URL)):
        if url.rstrip("/") != usual:
            log.info("Discord is reached at %s", urlsplit(url).netloc)
