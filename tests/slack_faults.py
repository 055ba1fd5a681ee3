"""How an answer of the local Slack may go wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from tests.slack_state import Json

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Call:
    """A call of a method (or of ``response_url``, ``upload``) as it came, and what became of it."""

    method: str
    args: Mapping[str, Any]
    token: str
    at: datetime
    answer: Json | None = None  # what was decided, whether or not it arrived
    effect: bool = False  # it was carried out
    fault: Fault | None = None

    @property
    def error(self) -> str | None:
        return None if self.answer is None else self.answer.get("error")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and whether the call takes effect before.

    *lands*: the call takes effect when this is set, long after its connection is gone.
    """

    kind: Literal["answer", "reset", "silence"]
    after_effect: bool = False
    status: int = 200
    body: str = ""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    lands: asyncio.Event | None = None

    @classmethod
    def ratelimited(cls, retry_after: int | None = 1) -> Fault:
        headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
        return cls("answer", status=429, body='{"ok":false,"error":"ratelimited"}', headers=headers)

    @classmethod
    def http(cls, status: int, body: str = "", *, after_effect: bool = False) -> Fault:
        """A bare status, as a proxy in front of Slack gives it."""
        return cls("answer", after_effect, status, body, "text/html")

    @classmethod
    def error(cls, error: str, *, after_effect: bool = False, **more: Any) -> Fault:
        """The envelope ``{"ok": false, "error": …}``."""
        body = web.json_response({"ok": False, "error": error, **more}).text or ""
        return cls("answer", after_effect, body=body)

    @classmethod
    def garbage(
        cls,
        body: str = "<!DOCTYPE html><html>",
        content_type: str = "text/html",
        *,
        after_effect: bool = True,
    ) -> Fault:
        """With status 200, such as HTML, half a JSON document or a JSON list."""
        return cls("answer", after_effect, body=body, content_type=content_type)

    @classmethod
    def reset(cls, *, after_effect: bool = False, lands: asyncio.Event | None = None) -> Fault:
        """The connection breaks before a byte of the answer."""
        return cls("reset", after_effect, lands=lands)

    @classmethod
    def silence(cls, *, after_effect: bool = False, lands: asyncio.Event | None = None) -> Fault:
        """No answer, ever: the caller's timeout decides."""
        return cls("silence", after_effect, lands=lands)

    def response(self) -> web.Response:
        return web.Response(
            status=self.status,
            body=self.body.encode(),
            headers={"Content-Type": self.content_type, **dict(self.headers)},
        )


@dataclass(slots=True)
class Planned:
    """A fault for the *times* next calls for which *when* holds, from the *nth* such call on."""

    method: str
    fault: Fault
    times: int | None = 1  # None: for ever
    nth: int = 1
    when: Callable[[Call], bool] = field(default=lambda _: True)

    def strikes(self, call: Call) -> bool:
        if self.times == 0 or self.method not in ("*", call.method) or not self.when(call):
            return False
        if self.nth > 1:
            self.nth -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def break_off(request: web.Request) -> None:
    """Reset the connection under the request, so that no byte of an answer arrives."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
