"""A Discord on this machine, for the real discord.py: gateway, REST, and the people who use it.

    async with DiscordServer() as server:
        monkeypatch.setattr(discord.http.Route, "BASE", server.api_url)
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(server.gateway_url))
        lab = server.add_guild("Lab", bot_permissions=P.MENTION_EVERYONE)
        papers, ann = server.add_channel(lab, "papers"), server.add_user("ann")
        server.join(lab, ann)
        ...                                             # start the client with server.token
        await server.ready()                            # its gateway session stands
        found = await server.slash(ann, papers, "papers search", query="agents")
        assert "1 paper" in found.text and found.private
        more = await server.click(ann, found.original, "More")
        assert server.dislikes == [] and server.pinged == []

Addresses   ``api_url``, ``gateway_url``, ``url`` (attachments), ``token``.
World       `tests.discord_world.World`: ``add_user add_guild join leave kick invite outage
            end_outage add_role set_role set_roles delete_role add_channel overwrite change_channel
            delete_channel add_tag remove_tag add_thread dm write delete_message``; each is told to
            the bot. Things are objects (`User`, `Guild`, `Channel`, `Message`, ``.id`` a text).
People      `tests.discord_people.People`: ``slash autocomplete message_menu click select submit``
            give an `Exchange` (``callback answered_after original followups messages text private
            buttons modal choices files_sent settled thinking``); ``available`` commands; a thing
            that the client does not let people do raises `CannotDo`. They come back with the first
            answer to see (a deferred one once it is filled) or after ``patience`` seconds;
            ``await server.until(lambda: condition)`` waits for more, e.g. follow-ups.
What came   ``requests`` (`Request`: ``route params body files status answer``), ``sent(route)``,
            ``messages(channel)``, ``threads(channel)``, ``registered(guild)``, ``pinged``,
            ``dislikes`` (`Dislike`: kinds rate, invalid, identify, gateway, sync, mentions, late,
            again), ``gateway.identified``, ``gateway.heartbeats`` …
Faults      ``server.fault("POST /channels/{channel_id}/messages", Fault.reset(after_effect=True))``
            with ``times= skip= when=``; `Fault`: ``reset hang held status refused rate_limited
            cloudflare garbage``. Routes are named as in Discord's API description.
Gateway     ``server.gateway`` (`tests.discord_gateway.Gateway`): ``drop drop_at reconnect
            invalidate forget zombie ask_heartbeat``; ``heartbeat_interval acks allowed_intents
            shards max_concurrency``; ``pace = 0`` where a test restarts the bot within 5 s.
Limits      ``server.rates`` (`Rates`): ``limits["POST /channels/…"] = Rate(1000, 1.0)``;
            ``DiscordServer(rates=Rates.generous())`` where limits are not the matter (discord.py
            waits 5 s for the sixth message in a channel).

Bodies are checked against Discord's own API description where it lies, and against the documented
limits in any case. The server is our reading of the documentation: where a real run differs, the
real run is right. Not here: voice, slow mode, application emojis, OAuth, bulk deletes, command
permissions per server, auto-archiving by time, members' and reactions' events of others, the starter
message inside a thread, the close of a gateway connection without heartbeats, zstd.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bot.ports import Clock
from tests import discord_commands, discord_threads  # noqa: F401  # their routes
from tests.discord_description import DESCRIPTION
from tests.discord_faults import Fault, Limited, Planned, Rate, Rates
from tests.discord_gateway import Gateway, Timer
from tests.discord_interactions import Callback, Exchange, Modal
from tests.discord_people import CannotDo, People
from tests.discord_rest import ROUTES, File, Request
from tests.discord_rules import LARGEST_REQUEST, TEXT, Refused, refuse_if
from tests.discord_state import (
    Channel,
    Guild,
    Json,
    Kind,
    Message,
    P,
    Role,
    Tag,
    User,
    walk,
)
from tests.discord_world import Dislike, Ping

__all__ = [
    "Callback", "CannotDo", "Channel", "DiscordServer", "Dislike", "Exchange", "Fault", "File",
    "Guild", "Kind", "Message", "Modal", "P", "Ping", "Rate", "Rates", "Request", "Role", "Tag",
    "User",
]  # fmt: skip

API = "/api/v10"
GATEWAY_ROUTES = ("GET /gateway", "GET /gateway/bot")
NO_TOKEN = ("/interactions/", "/webhooks/")  # their address is the secret
BANNED_AFTER, BAN_WINDOW = 10_000, timedelta(minutes=10)  # invalid requests (docs: rate limits)
AGAIN = timedelta(minutes=10)
SAYING = (Callback.MESSAGE, Callback.UPDATE)  # first answers with a text that could ping


class DiscordServer(People):
    """``async with DiscordServer() as server``; the module's docstring tells the rest.

    *clock* decides what is late (3 s, 15 min), ids and nonces; *timer* (seconds) paces IDENTIFYs.
    """

    def __init__(
        self,
        *,
        clock: Clock = lambda: datetime.now(UTC),
        timer: Timer = time.monotonic,
        rates: Rates | None = None,
        token: str = "the.bots.token",  # noqa: S107  # of nothing
    ) -> None:
        super().__init__(clock)
        self.token = token
        self.rates = rates or Rates()
        self.requests: list[Request] = []
        self.banned_after = BANNED_AFTER
        self.gateway = Gateway(self, token, timer)
        self._faults: list[Planned] = []
        self._bugs: list[Exception] = []
        self._invalid: list[datetime] = []
        self._refused: dict[tuple[str, str], datetime] = {}

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2 * LARGEST_REQUEST)
        app.router.add_get("/", self.gateway.serve)
        app.router.add_get("/resume", self.gateway.serve)
        app.router.add_get("/resume/", self.gateway.serve)
        app.router.add_get("/attachments/{path:.*}", self._attachment)
        for name in (*ROUTES, *GATEWAY_ROUTES):
            method, _, path = name.partition(" ")
            app.router.add_route(method, API + path, self._serve)
        app.router.add_route("*", "/{other:.*}", self._serve)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        self.url, self.gateway_url = f"http://{address}", f"ws://{address}"
        self.api_url = self.url + API
        self.gateway.url = self.gateway_url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.gateway.drop(1001)
        await self._runner.cleanup()
        if self._bugs and error is None:  # the bot only saw a 500 and may have tried again
            raise self._bugs[0]

    # What came

    async def ready(self) -> None:
        """Wait until the bot is connected."""
        assert await self.until(lambda: self.gateway.ready), "the bot did not connect"

    def sent(self, route: str) -> list[Request]:
        return [request for request in self.requests if request.route == route]

    def messages(self, channel: Channel) -> list[Message]:
        """What everybody sees there, oldest first."""
        return channel.shown

    def threads(self, channel: Channel) -> list[Channel]:
        assert channel.guild is not None
        return [thread for thread in channel.guild.threads.values() if thread.parent is channel]

    def registered(self, guild: Guild | None = None) -> list[Json]:
        """The commands of a server, or those of everywhere."""
        return list(self.commands.get(guild.id if guild else "", {}).values())

    def fault(
        self,
        route: str,
        fault: Fault,
        *,
        times: int | None = 1,
        skip: int = 0,
        when: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        """Let the next requests of a route go wrong; *skip*: after so many that go well."""
        assert route in (*ROUTES, *GATEWAY_ROUTES), f"no such route: {route}"
        self._faults.append(Planned(route, fault, times, skip, when))

    def emit(self, event: str, data: Json, guild: Guild | None = None) -> None:
        if guild is None or guild.available or event == "GUILD_DELETE":
            self.gateway.dispatch(event, data, guild)

    # REST

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        try:
            return await self._served(http)
        except Exception as bug:
            self._bugs.append(bug)
            raise

    async def _served(self, http: web.Request) -> web.StreamResponse:
        resource = http.match_info.route.resource
        request = Request(
            f"{http.method} {resource.canonical.removeprefix(API) if resource else ''}",
            http.path,
            dict(http.match_info),
            dict(http.query),
            {name.lower(): value for name, value in http.headers.items()},
            self.clock(),
        )
        self.requests.append(request)
        try:
            await _read(http, request)
        except Refused as refused:
            return self._refuse(request, refused)
        self.changed()
        fault = next((p.fault for p in self._faults if p.strikes(request.route, request)), Fault())
        if not fault.after_effect and (wrong := await self._wrong(http, request, fault)):
            return wrong
        try:
            request.status, request.answer, headers = self._answer(request)
        except Refused as refused:
            return self._refuse(request, refused)
        self.changed()
        if fault.after_effect and (wrong := await self._wrong(http, request, fault)):
            return wrong
        return _json_response(request.status, request.answer, headers)

    def _answer(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        """After all checks that do not depend on the route."""
        secret_in_address = request.path.removeprefix(API).startswith(NO_TOKEN)
        if len(self.invalid) >= self.banned_after:
            self.dislike("invalid", f"{len(self.invalid)} requests were answered 401, 403 or 429")
            raise Limited(3600.0, "user", via=False)  # Cloudflare's ban; its length is our guess
        if request.route not in (*ROUTES, *GATEWAY_ROUTES):
            raise Refused(404, 0, "404: Not Found")
        authorization = request.headers.get("authorization")
        needless = secret_in_address or request.route == "GET /gateway"
        if authorization != f"Bot {self.token}" and not (needless and not authorization):
            raise Refused(401, 0, "401: Unauthorized")
        if request.route in GATEWAY_ROUTES:
            return 200, self._gateway(request), {}
        try:
            headers = self.rates.take(request.route, request.params, exempt=secret_in_address)
        except Limited as limited:
            self.dislike("rate", f"{request.route}: {limited.scope} limit")
            raise
        if request.body is not None:
            refuse_if(DESCRIPTION.problems(request.route, request.body))
        try:
            status, answer = ROUTES[request.route](self, request)
        except Refused as refused:
            refused.headers = headers | refused.headers
            raise
        self._refused.pop(_asked(request), None)
        if _unguarded(request):
            self.dislike("mentions", f"{request.route} without allowed_mentions")
        return status, answer, headers

    def _gateway(self, request: Request) -> Json:
        gateway, made = self.gateway, {"url": self.gateway_url}
        if request.route == "GET /gateway":
            return made
        limit = {
            "total": 1000, "remaining": gateway.starts_left, "reset_after": 86_400_000,
            "max_concurrency": gateway.max_concurrency,
        }  # fmt: skip
        return made | {"shards": gateway.shards, "session_start_limit": limit}

    def _refuse(self, request: Request, refused: Refused) -> web.Response:
        request.status, request.answer = refused.status, refused.json()
        shared = isinstance(refused, Limited) and refused.scope == "shared"
        if refused.status in (401, 403, 429) and not shared:
            self._invalid.append(self.clock())
        if refused.status == 403 or refused.code == 10003:  # Discord asks to check before asking
            before = self._refused.get(_asked(request))
            if before is not None and self.clock() - before < AGAIN:
                self.dislike("again", f"{request.route} after {refused.code}")
            self._refused[_asked(request)] = self.clock()
        self.changed()
        return _json_response(refused.status, refused.json(), refused.headers)

    @property
    def invalid(self) -> list[datetime]:
        """The requests of the last ten minutes that Cloudflare counts: 401, 403, 429."""
        since = self.clock() - BAN_WINDOW
        self._invalid = [at for at in self._invalid if at > since]
        return self._invalid

    async def _wrong(
        self, http: web.Request, request: Request, fault: Fault
    ) -> web.StreamResponse | None:
        """Misbehave; None: go on as usual."""
        match fault.kind:
            case "none":
                return None
            case "held":
                assert fault.until is not None
                await fault.until.wait()
                return None
            case "refused":
                return self._refuse(request, fault.answer)
            case "page":
                self._refuse(request, fault.answer)
                request.answer = fault.page
                kind = "text/html" if fault.page.startswith("<") else "application/json"
                return web.Response(
                    status=request.status, body=fault.page.encode(), content_type=kind
                )
            case "hang":
                request.status = 0
                await asyncio.Event().wait()  # until the client or the server goes away
            case "reset":
                request.status = 0
                if http.transport is not None:
                    http.transport.abort()
        self.changed()
        return web.Response()

    async def _attachment(self, http: web.Request) -> web.Response:
        data = self.files.get(http.path)
        return web.Response(status=404) if data is None else web.Response(body=data)


def _asked(request: Request) -> tuple[str, str]:
    return request.route, request.params.get("channel_id", "")


def _unguarded(request: Request) -> bool:
    """It posts a text and leaves it to Discord who is pinged."""
    body = request.body
    if not isinstance(body, dict) or not request.route.startswith(("POST", "PATCH")):
        return False
    if "callback" in request.route and body.get("type") not in SAYING:
        return False
    body = body.get("message") or body.get("data") or body
    texts = [c for c in walk(body.get("components") or ()) if c.get("type") == TEXT]
    return bool(body.get("content") or texts) and "allowed_mentions" not in body


async def _read(http: web.Request, request: Request) -> None:
    if http.method not in ("POST", "PATCH", "PUT"):
        return
    if http.content_length is not None and http.content_length > LARGEST_REQUEST:
        raise Refused(413, 40005)
    text = ""
    if http.content_type == "multipart/form-data":
        for name, part in (await http.post()).items():
            if isinstance(part, web.FileField):
                request.files.append(File(part.filename, part.file.read(), part.content_type))
            elif name == "payload_json" and isinstance(part, str):
                text = part
    else:
        text = await http.text()
    try:
        request.body = json.loads(text or "{}")
    except ValueError:
        raise Refused(400, 50109) from None


def _json_response(status: int, answer: Any, headers: dict[str, str]) -> web.Response:
    """Without a charset: discord.py looks for exactly this content type."""
    if status == 204:
        return web.Response(status=204, headers=headers)
    body = json.dumps(answer).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
