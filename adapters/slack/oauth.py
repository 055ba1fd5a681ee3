"""How a workspace adds Paperboy by itself: a page that explains, Slack's consent, and back.

The state that travels through Slack is good once, for ten minutes, in the browser that it was made
for. It is signed, not stored: any replica takes it, and a restart loses none.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode, urljoin, urlsplit

from aiohttp import web

from adapters.slack.api import Api, Json, SlackFault
from adapters.slack.manifest import INSTALL, REDIRECT, SCOPES
from bot.errors import PaperboyError
from bot.ports import Clock, Installation, Receipts

log = logging.getLogger(__name__)

STATE_LIFE = timedelta(seconds=600)
_COOKIE = "paperboy-install"
_TOKEN = re.compile(r"[\w-]{20,100}", re.ASCII)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class OAuth:
    """*api* calls without a token; *draw* gives random text; *installed* is told who came."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        public_url: str,
        api_url: str,
        api: Api,
        receipts: Receipts,
        installed: Callable[[Installation], Awaitable[None]],
        draw: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._public_url = public_url.rstrip("/")
        self._cookie_path = f"{urlsplit(self._public_url).path}/slack"
        self._authorize_url = urljoin(f"{api_url.rstrip('/')}/", "../oauth/v2/authorize")
        self._api = api
        self._receipts = receipts
        self._installed = installed
        self._draw = draw
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [web.get(INSTALL, self._install), web.get(REDIRECT, self._redirect)]

    async def _install(self, request: web.Request) -> web.Response:
        browser = request.cookies.get(_COOKIE, "")
        if not _TOKEN.fullmatch(browser):  # else another tab began, which is to go on too
            browser = self._draw()
        query = {
            "client_id": self._client_id,
            "scope": ",".join(SCOPES),
            "state": self._state(browser),
            "redirect_uri": self._public_url + REDIRECT,
        }
        response = _page(
            "Add Paperboy to Slack", _explained(f"{self._authorize_url}?{urlencode(query)}")
        )
        response.set_cookie(
            _COOKIE, browser, max_age=int(STATE_LIFE.total_seconds()), path=self._cookie_path,
            httponly=True, samesite="Lax", secure=self._public_url.startswith("https:"),
        )  # fmt: skip
        return response

    async def _redirect(self, request: web.Request) -> web.Response:
        query = request.query
        if not await self._is_ours(query.get("state", ""), request.cookies.get(_COOKIE, "")):
            return _sorry(
                "This link was used before, is older than ten minutes, or was made for another browser."
            )
        if query.get("error"):
            return _sorry("It was not added: nobody agreed. Nothing has changed.", status=200)
        try:
            answer = await self._api.call(
                "oauth.v2.access", code=query.get("code", ""), client_id=self._client_id,
                client_secret=self._client_secret, redirect_uri=self._public_url + REDIRECT,
            )  # fmt: skip
            installation = _installation(answer, self._clock())
        except SlackFault as fault:
            log.warning("a workspace could not add Paperboy: %s", fault.words)
            return _sorry(f"Slack did not confirm it: {fault.words}.", status=502)
        except ValueError as error:
            return _sorry(str(error))
        try:
            await self._installed(installation)
        except PaperboyError:
            log.exception("an installation was not kept")
            return _sorry("It could not be kept here. The log has the details.", status=500)
        return _page("Paperboy is there", _done(installation.name))

    def _state(self, browser: str) -> str:
        unsigned = f"{self._draw()}.{int((self._clock() + STATE_LIFE).timestamp())}"
        return f"{unsigned}.{self._mark(unsigned, browser)}"

    def _mark(self, unsigned: str, browser: str) -> str:
        key, words = self._client_secret.encode(), f"{unsigned}.{browser}".encode()
        return hmac.new(key, words, hashlib.sha256).hexdigest()

    async def _is_ours(self, state: str, browser: str) -> bool:
        if not _TOKEN.fullmatch(browser):
            return False
        unsigned, _, mark = state.rpartition(".")
        nonce, _, until = unsigned.rpartition(".")
        expected = self._mark(unsigned, browser)
        if not hmac.compare_digest(expected.encode(), mark.encode()):
            return False
        now = self._clock()
        return now.timestamp() <= int(until) and await self._receipts.first(
            f"slack:state:{nonce}", now
        )


def _installation(answer: Json, at: datetime) -> Installation:
    """Raise ValueError, in words for the person, where it is none that can be used."""
    team, installer = answer.get("team") or {}, answer.get("authed_user") or {}
    if answer.get("is_enterprise_install") or not team.get("id"):
        raise ValueError(
            "Paperboy is added to one workspace at a time, not to a whole organisation."
        )
    token, bot_user = str(answer.get("access_token", "")), str(answer.get("bot_user_id", ""))
    if not token.startswith("xoxb-") or not bot_user:
        raise ValueError("Slack gave no token for a bot.")
    return Installation(
        tenant=str(team["id"]),
        name=str(team.get("name", "")),
        token=token,
        bot_user=bot_user,
        scopes=tuple(filter(None, str(answer.get("scope", "")).split(","))),
        installer=str(installer.get("id", "")),
        at=at,
    )


def _explained(url: str) -> Sequence[str]:
    rows = "".join(
        f"<tr><td><code>{scope}</code></td><td>{html.escape(why)}</td></tr>"
        for scope, why in SCOPES.items()
    )
    return (
        "<p>Paperboy brings each channel the new research papers that it cares about.</p>",
        f'<p><a href="{html.escape(url)}">Add to Slack</a></p>',
        f"<p>What Slack will ask you to allow, and what it is for:</p><table>{rows}</table>",
    )


def _done(name: str) -> Sequence[str]:
    return (
        f"<p>Paperboy was added to {html.escape(name or 'your workspace')}.</p>",
        "<p>Go to a channel, type <code>/invite @Paperboy</code>, then "
        "<code>/papers subscribe</code>.</p>",
    )


def _sorry(words: str, *, status: int = 400) -> web.Response:
    again = f'<p><a href="{INSTALL.rpartition("/")[2]}">Begin again</a></p>'  # beside this page
    return _page("Paperboy was not added", (f"<p>{html.escape(words)}</p>", again), status=status)


def _page(title: str, parts: Sequence[str], *, status: int = 200) -> web.Response:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    style = "<style>body{font:16px/1.5 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}</style>"
    body = f"{head}{style}<h1>{title}</h1>{''.join(parts)}</html>"
    return web.Response(status=status, text=body, content_type="text/html", headers=_HEADERS)
