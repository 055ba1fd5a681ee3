"""The public address in HTTP mode: Slack's signed requests, and nothing else, let in once each."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack.api import Json
from adapters.slack.manifest import PATH
from bot.ports import Clock

log = logging.getLogger(__name__)

LARGEST_REQUEST = 64 * 1024  # of a command
# With each click Slack sends the message or modal back that it was in: a modal of 250 kB, escaped
# for JSON and once more for the form. A digest of Chinese titles came to 82 kB. An event brings a
# message of up to 40,000 characters, as text and as blocks.
LARGEST_BODY = 1024 * 1024
READ_SECONDS = 10.0  # Slack itself gives up after three
WINDOW = timedelta(minutes=5)  # docs.slack.dev/authentication/verifying-requests-from-slack
REPLAYS_KEPT = timedelta(minutes=10)  # twice the window: a stamp may be as far ahead as behind

_STAMP = re.compile(r"\d{1,12}", re.ASCII)
_JSON, _FORM = "application/json", "application/x-www-form-urlencoded"

Dispatch = Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]


class Listener:
    """*dispatch* gets each request as Socket Mode would have brought it."""

    def __init__(self, signing_secret: str, dispatch: Dispatch, clock: Clock) -> None:
        self._secret = signing_secret.encode()
        self._dispatch = dispatch
        self._clock = clock
        self._seen: dict[bytes, datetime] = {}  # signatures, the oldest first

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await _read(request)
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text="The body did not come in time.\n") from error
        signature = self._check(request, body)
        payload = _parse(request.content_type, body)
        if payload.get("type") == "url_verification":
            return web.json_response({"challenge": str(payload.get("challenge", ""))})
        if payload.get("ssl_check") or not self._is_first(signature):
            return web.Response()
        answer = await self._dispatch(AsyncBoltRequest(body=payload, mode="socket_mode"))
        content_type = answer.headers.get("content-type", ["text/plain"])[0].partition(";")[0]
        return web.Response(status=answer.status, text=answer.body, content_type=content_type)

    def _check(self, request: web.Request, body: bytes) -> bytes:
        """The signature, where it is Slack's; else raise what is wrong with it."""
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not _STAMP.fullmatch(stamp):
            raise web.HTTPBadRequest(text="X-Slack-Request-Timestamp must be a number.\n")
        signature = request.headers.get("X-Slack-Signature", "").encode("utf-8", "surrogateescape")
        signed = b"v0:" + stamp.encode() + b":" + body
        expected = b"v0=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest().encode()
        if not hmac.compare_digest(expected, signature):
            raise web.HTTPUnauthorized(text="The signature is not Slack's.\n")
        if abs(self._clock().timestamp() - int(stamp)) > WINDOW.total_seconds():
            raise web.HTTPUnauthorized(text="The request is too old.\n")
        return signature

    def _is_first(self, signature: bytes) -> bool:
        """Whether it was not seen before; what was is answered as if it were done, for it was."""
        now = self._clock()
        while self._seen and now - next(iter(self._seen.values())) > REPLAYS_KEPT:
            del self._seen[next(iter(self._seen))]
        if signature in self._seen:
            log.info("a request came twice")
            return False
        self._seen[signature] = now
        return True


async def _read(request: web.Request) -> bytes:
    """The body, as far as it may be long."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        is_command = request.content_type == _FORM and not body.startswith(b"payload=")
        largest = LARGEST_REQUEST if is_command else LARGEST_BODY
        if len(body) > largest:
            raise web.HTTPRequestEntityTooLarge(largest, len(body))
    return bytes(body)


def _parse(content_type: str, body: bytes) -> Json:
    """As Socket Mode brings it: a form's fields, or the JSON in its field *payload*."""
    try:
        text = body.decode()
        if content_type == _FORM:
            fields = dict(parse_qsl(text, keep_blank_values=True))
            parsed = json.loads(fields["payload"]) if "payload" in fields else fields
        elif content_type == _JSON:
            parsed = json.loads(text)
        else:
            raise web.HTTPUnsupportedMediaType(text="Slack sends JSON and forms.\n")
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="The body makes no sense.\n") from error
    if not isinstance(parsed, dict):
        raise web.HTTPBadRequest(text="The body makes no sense.\n")
    return parsed
