"""What of the local Slack answers over HTTP: the Web API, response_urls, uploads; and its faults."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

# The methods put themselves into HANDLERS.
from tests import slack_chat, slack_conversations, slack_views  # noqa: F401
from tests.slack_api import HANDLERS, Ask, Door
from tests.slack_exchange import Exchange
from tests.slack_faults import Call, Planned, break_off
from tests.slack_methods import Refused
from tests.slack_replies import Replies
from tests.slack_state import Json, Slack
from tests.slack_text import Taste

LARGEST_BODY = 64 * 1024**2


class Web:
    """*ticket* gives an address of Socket Mode; *changed* is called after everything that happens."""

    def __init__(
        self,
        state: Slack,
        *,
        replies: Replies,
        taste: Taste,
        ticket: Callable[[], str],
        dislike: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self.planned: list[Planned] = []
        self._state = state
        self._replies = replies
        self._taste = taste
        self._ticket = ticket
        self._dislike = dislike
        self._changed = changed
        self._door = Door(state, dislike)
        self._responses: dict[str, Exchange] = {}
        self._closing = asyncio.Event()
        self._late: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/api/{method}", self._serve_method)
        app.router.add_post("/response/{id}", self._serve_response)
        app.router.add_post("/upload/v1/{file}", self._serve_upload)
        return app

    def response_url(self, exchange: Exchange) -> str:
        key = secrets.token_hex(8)
        self._responses[key] = exchange
        return f"{self.url}/response/{key}"

    async def close(self) -> None:
        """Let go of the calls that were to get no answer, and of what was to land later."""
        self._closing.set()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _serve_method(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        try:
            given, bearer = await _read(request)
        except Refused as refused:
            return web.json_response(refused.answer)
        call = Call(name, given, bearer, self._state.clock())
        return await self._answer(request, call, lambda: self._carry_out(call))

    def _carry_out(self, call: Call) -> web.Response:
        headers = {"x-slack-req-id": secrets.token_hex(8)}
        try:
            method, args, token = self._door.admit(call.method, call.args, call.token)
            headers["x-oauth-scopes"] = ",".join(sorted(token.scopes))
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
            ask = Ask(
                self._state,
                method,
                args,
                token,
                self.url,
                self._ticket,
                self._dislike,
                self._taste,
            )
            call.answer = {"ok": True, **HANDLERS[call.method](ask)}
            call.effect = True
        except Refused as refused:
            call.answer = refused.answer
            if "retry_after" in call.answer:
                headers["Retry-After"] = str(call.answer.pop("retry_after"))
                return web.json_response(call.answer, status=429, headers=headers)
        return web.json_response(call.answer, headers=headers)

    async def _answer(
        self, request: web.Request, call: Call, carry_out: Callable[[], web.Response]
    ) -> web.StreamResponse:
        """Carry the call out and answer it, or let it fail as planned."""
        self.calls.append(call)
        planned = next((p for p in self.planned if p.strikes(call)), None)
        if planned is None:
            response = carry_out()
            self._changed()
            return response
        fault = call.fault = planned.fault
        if fault.after_effect:
            carry_out()
        elif fault.lands is not None:
            self._land(fault.lands, carry_out)
        self._changed()
        match fault.kind:
            case "answer":
                return fault.response()
            case "silence":
                await self._closing.wait()
            case "reset":
                break_off(request)
        return web.Response(status=500)  # nobody hears it

    def _land(self, lands: asyncio.Event, carry_out: Callable[[], web.Response]) -> None:
        async def later() -> None:
            await lands.wait()
            carry_out()
            self._changed()

        task = asyncio.ensure_future(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _serve_response(self, request: web.Request) -> web.StreamResponse:
        exchange = self._responses.get(request.match_info["id"])
        try:
            payload = await request.json()
        except ValueError:
            payload = None
        given = payload if isinstance(payload, dict) else {}
        call = Call("response_url", given, "", self._state.clock())

        def carry_out() -> web.Response:
            try:
                call.answer = self._replies.respond(exchange, payload)
                call.effect = True
            except Refused as refused:
                self._dislike(f"refused: response_url: {refused}")
                call.answer = refused.answer
                status = 404 if "url" in str(refused) else 400
                return web.json_response(call.answer, status=status)
            return web.json_response(call.answer)

        return await self._answer(request, call, carry_out)

    async def _serve_upload(self, request: web.Request) -> web.StreamResponse:
        file = self._state.files.get(request.match_info["file"])
        if request.content_type == "multipart/form-data":
            parts = (await request.post()).values()
            content = b"".join(
                part.file.read() for part in parts if isinstance(part, web.FileField)
            )
        else:
            content = await request.read()
        call = Call("upload", {"file": request.match_info["file"]}, "", self._state.clock())

        def carry_out() -> web.Response:
            if file is None or file.content is not None:
                return web.Response(status=404)
            if len(content) != file.length:
                # Our reading: the length that was announced must be kept.
                return web.Response(status=400, text="wrong length")
            file.content = content
            call.answer, call.effect = {"ok": True}, True
            return web.Response(text=f"OK - {len(content)}")

        return await self._answer(request, call, carry_out)


async def _read(request: web.Request) -> tuple[Mapping[str, Any], str]:
    """The arguments, from wherever they are taken, and the token."""
    given: Json = dict(request.query)
    kind = request.content_type
    if request.method == "POST" and request.can_read_body:
        if kind == "application/json":
            try:
                body = await request.json()
            except ValueError:
                raise Refused("invalid_json") from None
            if not isinstance(body, dict):
                raise Refused("json_not_object")
            body.pop("token", None)  # of a JSON body Slack takes no token
            given |= body
        elif kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            given |= dict(await request.post())
        else:
            raise Refused("invalid_post_type")
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":  # oauth.v2.access
        client_id, _, secret = base64.b64decode(bearer).decode().partition(":")
        given |= {"client_id": client_id, "client_secret": secret}
        bearer = ""
    field_token = given.pop("token", "")
    return given, bearer or str(field_token)
