"""How the local Slack reaches the app: Socket Mode, or signed requests to a public address."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from tests.slack_exchange import Ack, Answer, Exchange, Request, signed
from tests.slack_state import Json, Slack

MOST_SOCKETS = 10  # docs.slack.dev/apis/events-api/using-socket-mode
RETRY_DELAYS = (0.0, 60.0, 300.0)  # docs.slack.dev/apis/events-api: at once, 1 minute, 5 minutes


@dataclass(eq=False)
class Socket:
    """One Socket Mode connection of the app."""

    ws: web.WebSocketResponse
    request: web.Request
    unacked: dict[str, asyncio.Future[bool]] = field(default_factory=dict)
    frozen: bool = False  # nothing comes through any more, and neither side knows
    leaving: bool = False  # told to go: gets nothing new

    async def send(self, message: Json) -> None:
        if not self.frozen:
            await self.ws.send_str(json.dumps(message))

    def cut(self) -> None:
        """Without a farewell, as a dead connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


@dataclass
class Sent:
    """An envelope that went out."""

    exchange: Exchange
    at: datetime
    loop_at: float
    acked: bool = False


class Delivery:
    """*acked* is called with each exchange's first ack in time, and decides what it does."""

    def __init__(
        self,
        slack: Slack,
        *,
        acked: Callable[[Exchange, Json], None],
        dislike: Callable[[str], None],
        changed: Callable[[], None],
        until: Callable[..., Coroutine[Any, Any, None]],
        ack_seconds: float,
        retry_delays: tuple[float, ...],
    ) -> None:
        self.http: str | None = None
        self.sockets: list[Socket] = []
        self.socket_url = ""
        self.turned_away = 0  # how many of the next connections are
        self._slack = slack
        self._acked = acked
        self._dislike = dislike
        self._changed = changed
        self._until = until
        self.ack_seconds = ack_seconds
        self._retry_delays = retry_delays
        self._sent: dict[str, Sent] = {}
        self._tickets: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def ticket(self) -> str:
        """An address for one connection."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return f"{self.socket_url}?ticket={ticket}&app_id={self._slack.app.id}"

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in self.sockets:
            socket.cut()
        if self._session is not None:
            await self._session.close()

    # -- to the app

    async def deliver(self, exchange: Exchange) -> None:
        """Until the ack, or until it has failed; an event's later deliveries go on behind."""
        reason = await self._attempt(exchange, 0, "")
        if reason is None or exchange.type != "events_api":
            return
        task = asyncio.ensure_future(self._retry(exchange, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def redeliver(self, exchange: Exchange, reason: str = "http_timeout") -> None:
        """The same once more, as after an ack that was lost."""
        attempt = max(len(exchange.envelopes), len(exchange.requests))
        await self._attempt(exchange, attempt, reason)

    async def _retry(self, exchange: Exchange, reason: str) -> None:
        for number, delay in enumerate(self._retry_delays, start=1):
            last = exchange.answers[-1].headers if exchange.answers else {}
            if reason == "http_error" and last.get("X-Slack-No-Retry") == "1":
                return
            await asyncio.sleep(delay)
            failed = await self._attempt(exchange, number, reason)
            if failed is None:
                return
            reason = failed

    async def _attempt(self, exchange: Exchange, number: int, reason: str) -> str | None:
        """None where it was acknowledged, else why not."""
        exchange.error = None
        if self.http is not None:
            failed = await self._over_http(exchange, number, reason)
        else:
            failed = await self._over_socket(exchange, number, reason)
        if failed is not None and exchange.error is None:
            exchange.error = "operation_timeout" if "timeout" in failed else "dispatch_failed"
        self._changed()
        return failed

    async def _over_socket(self, exchange: Exchange, number: int, reason: str) -> str | None:
        loop = asyncio.get_running_loop()
        if not self._open() and exchange.type == "events_api":
            with suppress(TimeoutError):
                await asyncio.wait_for(self._a_socket(), self.ack_seconds)
        sockets = self._open()
        if not sockets:
            return "connection_failed"
        socket = sockets[0]  # in turn; Slack's choice is random (bolt-python#448)
        self.sockets.remove(socket)
        self.sockets.append(socket)
        envelope: Json = {
            "envelope_id": str(uuid.uuid4()),
            "payload": exchange.payload,
            "type": exchange.type,
            "accepts_response_payload": exchange.type != "events_api",
        }
        if exchange.type == "events_api":
            envelope |= {"retry_attempt": number, "retry_reason": reason}
        key = envelope["envelope_id"]
        self._sent[key] = Sent(exchange, self._slack.clock(), loop.time())
        exchange.envelopes.append(envelope)
        waiting = socket.unacked[key] = loop.create_future()
        try:
            await socket.send(envelope)
            self._changed()
            arrived = await asyncio.wait_for(waiting, self.ack_seconds)
        except (TimeoutError, ConnectionError):
            self._dislike(f"ack: {_named(exchange)}: none within {self.ack_seconds:g} s")
            return "http_timeout"
        finally:
            socket.unacked.pop(key, None)
        return None if arrived else "connection_failed"

    def _open(self) -> list[Socket]:
        return [s for s in self.sockets if not s.leaving and not s.ws.closed]

    async def _a_socket(self) -> None:
        await self._until(lambda: bool(self._open()), timeout=self.ack_seconds + 1)

    async def _over_http(self, exchange: Exchange, number: int, reason: str) -> str | None:
        body, content_type = exchange.body()
        # The libraries compare the signature's time with the machine's clock, not with ours.
        request = signed(body, content_type, self._slack.app.signing_secret, datetime.now(UTC))
        if number:
            request = request.with_headers(
                X_Slack_Retry_Num=str(number), X_Slack_Retry_Reason=reason
            )
        exchange.requests.append(request)
        loop = asyncio.get_running_loop()
        sent = Sent(exchange, self._slack.clock(), loop.time())
        try:
            answer = await self.send(request, timeout=self.ack_seconds)
        except TimeoutError:
            self._dislike(f"ack: {_named(exchange)}: none within {self.ack_seconds:g} s")
            return "http_timeout"
        except aiohttp.ClientError:
            return "connection_failed"
        exchange.answers.append(answer)
        if not (answer.status == 200 or (exchange.type == "events_api" and answer.status < 300)):
            return "http_error"
        self._take_ack(sent, _read(answer.body))
        return None

    async def send(self, request: Request, timeout: float = 5.0) -> Answer:  # noqa: ASYNC109
        """POST to the app's public address."""
        if self.http is None:
            raise AssertionError("set .http to the app's address first")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.post(
            self.http,
            data=request.body,
            headers=dict(request.headers),
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            return Answer(response.status, await response.text(), dict(response.headers))

    # -- from the app

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401)
        self._tickets.discard(ticket)
        if self.turned_away:
            self.turned_away -= 1
            return web.Response(status=503)
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        socket = Socket(ws, request)
        if len(self.sockets) >= MOST_SOCKETS:
            await socket.send({"type": "disconnect", "reason": "too_many_websockets"})
            await ws.close()
            return ws
        self.sockets.append(socket)
        await socket.send(self._hello())
        self._changed()
        try:
            async for message in ws:
                await self._take(socket, message)
        finally:
            self.sockets.remove(socket)
            for waiting in socket.unacked.values():
                if not waiting.done():
                    waiting.set_result(False)
            self._changed()
        return ws

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.sockets),
            "connection_info": {"app_id": self._slack.app.id},
            "debug_info": {
                "host": "applink-1",
                "build_number": 1,
                "approximate_connection_time": 18060,
            },
        }

    async def _take(self, socket: Socket, message: aiohttp.WSMessage) -> None:
        if socket.frozen:
            return
        if message.type == WSMsgType.PING:
            await socket.ws.pong(message.data)
        elif message.type == WSMsgType.TEXT:
            body = json.loads(message.data)
            sent = self._sent.get(body.get("envelope_id"))
            if sent is None:
                self._dislike(f"ack: of no envelope: {message.data}")
                return
            waiting = socket.unacked.get(body["envelope_id"])
            if waiting is not None and not waiting.done():
                waiting.set_result(True)
            self._take_ack(sent, body.get("payload") or {})

    def _take_ack(self, sent: Sent, payload: Json) -> None:
        exchange = sent.exchange
        now = self._slack.clock()
        after = max(
            (now - sent.at).total_seconds(), asyncio.get_running_loop().time() - sent.loop_at
        )
        if sent.acked:
            self._dislike(f"ack: {_named(exchange)}: twice")
            return
        sent.acked = True
        if exchange.ack is None:
            exchange.ack = Ack(now, after, payload)
        if after > self.ack_seconds:
            self._dislike(f"ack: {_named(exchange)}: after {after:.1f} s")
            exchange.error = "operation_timeout"
        else:
            exchange.error = None
            self._acked(exchange, payload)
        self._changed()

    # -- on command

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """As Slack says farewell: a warning, or the word to go. The client closes the socket."""
        told: Json = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}}
        for socket in list(self.sockets):
            socket.leaving = reason != "warning"
            await socket.send(told)

    def drop(self) -> None:
        for socket in list(self.sockets):
            socket.cut()

    def freeze(self) -> None:
        """The connections stand, but nothing comes over them any more, no pong either."""
        for socket in self.sockets:
            socket.frozen = True


def _named(exchange: Exchange) -> str:
    payload = exchange.payload
    return str(
        payload.get("command") or payload.get("event", {}).get("type") or payload.get("type")
    )


def _read(body: str) -> Json:
    if not body.strip():
        return {}
    try:
        read = json.loads(body)
    except ValueError:
        return {"text": body}
    return read if isinstance(read, dict) else {"text": body}
