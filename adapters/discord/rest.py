"""Requests to Discord's REST API: each is sent once, and what became of it is told apart.

discord.py sends a request again after a 500 and waits rate limits out, up to minutes: who posts a
digest has to know at once what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import aiohttp
import discord

from bot.errors import Later, Unknown
from bot.ports import Clock

TIMEOUT = 8.0  # seconds; a post has ten
CONNECT = 3.0
TOO_FAST, PATIENCE = (
    40003,
    300.0,
)  # direct messages were opened too fast: a limit without its header
BANNED = 60.0  # seconds of rest after a 429 that is not Discord's own (Cloudflare)
_AGENT = (  # Discord asks for this form and turns others away
    f"DiscordBot (https://github.com/Rapptz/discord.py, {discord.__version__}) "
    f"Paperboy/{version('paperboy')}"
)
_UNCOUNTED = ("/interactions/", "/webhooks/")  # no part of the 50 requests a second


class Refused(Exception):
    """Discord says no, for certain: its HTTP status, and the code and words of its own."""

    def __init__(self, status: int, code: int, words: str, faults: object = None) -> None:
        super().__init__(f"{status} {code}: {words}")
        self.status = status
        self.code = code
        self.words = words
        self.faults = faults  # of a malformed body, by field


class Rest:
    def __init__(self, api_url: str, token: str, clock: Clock) -> None:
        self._base = api_url.rstrip("/")
        self._token = token
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._resting: dict[str, datetime] = {}  # until when, by method and path; "": all of them

    async def aclose(self) -> None:
        self._closed = True
        if self._session:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> Any:
        """The JSON of the answer, None where it has none.

        Raises Later where nothing was done, Refused, and Unknown where nobody can know.
        """
        if self._closed:
            raise Later("Paperboy is being stopped")
        self._check_rest(method, path)
        try:
            async with self._opened().request(
                method,
                self._base + path,
                params=query,
                allow_redirects=False,
                **_content(body, files),
            ) as response:
                content = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Later(f"no connection to Discord ({type(error).__name__})") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unknown(f"Discord gave no whole answer ({type(error).__name__})") from error
        return self._outcome(method, path, response, content)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bot {self._token}", "User-Agent": _AGENT},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT),
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _outcome(
        self, method: str, path: str, response: aiohttp.ClientResponse, content: bytes
    ) -> Any:
        status, headers = response.status, response.headers
        told = _parsed(content)
        if status == 429:
            own = isinstance(told, dict) and "retry_after" in told
            after = told["retry_after"] if own else headers.get("Retry-After", BANNED)
            everything = not own or told.get("global", False)
            raise self._rest("" if everything else f"{method} {path}", _seconds(after))
        if headers.get("X-RateLimit-Remaining") == "0":
            self._rest(f"{method} {path}", _seconds(headers.get("X-RateLimit-Reset-After", 0)))
        if 200 <= status < 300 and (told is not None or status == 204):
            return told
        if 400 <= status < 500 and isinstance(told, dict):
            words, code = str(told.get("message", "")), int(told.get("code", 0))
            if code == TOO_FAST:
                raise self._rest(f"{method} {path}", PATIENCE)
            raise Refused(status, code, words, told.get("errors"))
        raise Unknown(f"Discord answered {status}")

    def _rest(self, what: str, seconds: float) -> Later:
        now = self._clock()
        self._resting = {of: until for of, until in self._resting.items() if until > now}
        self._resting[what] = now + timedelta(seconds=seconds)
        return Later("Discord asks for patience", after=seconds)

    def _check_rest(self, method: str, path: str) -> None:
        everything = () if path.startswith(_UNCOUNTED) else ("",)
        for what in (f"{method} {path}", *everything):
            until = self._resting.get(what)
            if until is not None and (left := (until - self._clock()).total_seconds()) > 0:
                raise Later("Discord asks for patience", after=left)


def _content(body: object, files: Mapping[str, bytes] | None) -> dict[str, Any]:
    if not files:
        return {} if body is None else {"json": body}
    form = aiohttp.FormData(quote_fields=False)  # Discord does not read files%5B0%5D
    form.add_field("payload_json", json.dumps(body or {}), content_type="application/json")
    for number, (name, content) in enumerate(files.items()):
        form.add_field(f"files[{number}]", content, filename=name)
    return {"data": form}


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _seconds(value: object) -> float:
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return BANNED
