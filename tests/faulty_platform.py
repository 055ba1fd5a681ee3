"""A platform that fails in every way a real one does, over real HTTP, and a publisher for it.

    python -m tests.faulty_platform --seed 1 --faults 0.25

prints its address and runs in a process of its own until it is killed. The fault of a request is
drawn from the seed, the post's key and how often that key was tried: not from the order of arrival.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from random import Random
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from bot.errors import ChannelGone, HistoryUnreadable, Later, Unknown
from bot.model import ChannelRef
from bot.ports import Clock, Post, Rate
from bot.views import Digest, Notice, plain

PLATFORM = "faulty"
LATE_SECONDS = 0.6  # at most, from the end of a request until its message stands there
SLOW_SECONDS = 0.3
RETRY_SECONDS = 1


class Fault(Enum):
    NONE = "none"
    DROPPED = "accepted, then the connection dropped"
    LATE = "the connection dropped, lands late"
    LOST = "the connection dropped, never lands"
    ERROR_BEFORE = "500, not accepted"
    ERROR_AFTER = "500, accepted"
    ERROR_LATE = "504, lands late"
    STORM = "429"
    SLOW = "accepted, the answer comes late"
    NONSENSE = "accepted, the answer is no JSON"
    GONE = "410"
    FORBIDDEN = "403"


_LANDS = (Fault.NONE, Fault.DROPPED, Fault.ERROR_AFTER, Fault.SLOW, Fault.NONSENSE)
_LANDS_LATE = (Fault.LATE, Fault.ERROR_LATE)
_DROPS = (Fault.DROPPED, Fault.LATE, Fault.LOST)
_STATUS = {
    Fault.ERROR_BEFORE: 500,
    Fault.ERROR_AFTER: 500,
    Fault.ERROR_LATE: 504,
    Fault.STORM: 429,
    Fault.GONE: 410,
    Fault.FORBIDDEN: 403,
}
# Drawn evenly, so what may land without an answer is the most frequent.
_DRAWN = (
    Fault.DROPPED, Fault.DROPPED, Fault.LATE, Fault.LATE, Fault.LOST, Fault.ERROR_BEFORE,
    Fault.ERROR_AFTER, Fault.ERROR_LATE, Fault.STORM, Fault.SLOW, Fault.NONSENSE,
)  # fmt: skip

Plan = Callable[[str, int], Fault]  # a post's key, and the how manieth try of it this is


def drawn(seed: int, share: float) -> Plan:
    def plan(key: str, attempt: int) -> Fault:
        chance = Random(f"{seed} {key} {attempt}")  # noqa: S311  # not a secret
        return chance.choice(_DRAWN) if chance.random() < share else Fault.NONE

    return plan


def scripted(*faults: Fault) -> Plan:
    """These, one for each request, then none."""
    ahead = list(faults)
    return lambda key, attempt: ahead.pop(0) if ahead else Fault.NONE


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    channel: str
    key: str
    at: float
    parent: str | None
    body: str


@dataclass
class FaultyPlatform:
    """``async with FaultyPlatform(plan) as platform``. *gone* and *unreadable* are channels."""

    plan: Plan = lambda key, attempt: Fault.NONE
    late: float = LATE_SECONDS
    think: float = 0.0  # seconds before any answer to a post
    clock: Clock = lambda: datetime.now(UTC)
    messages: dict[str, Message] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    too_early: int = 0  # posts before the time that a 429 told
    looks: int = 0  # into a history
    gone: set[str] = field(default_factory=set)
    unreadable: dict[str, int] = field(default_factory=dict)  # with the status of the answer
    told: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        self._landing: set[asyncio.Task[None]] = set()
        self._quiet_until: defaultdict[str, float] = defaultdict(float)
        app = web.Application()
        app.router.add_post("/channels/{channel}/messages", self._post)
        app.router.add_get("/channels/{channel}/messages", self._history)
        app.router.add_delete("/channels/{channel}/messages/{id}", self._delete)
        app.router.add_post("/people/{user}", self._tell)
        app.router.add_get("/report", self._report)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._landing:
            task.cancel()
        await self._runner.cleanup()

    def land(self, channel: str, key: str, parent: str | None = None, body: str = "{}") -> Message:
        number = f"m{self.attempts.total()}-{len(self.messages)}"
        message = Message(number, channel, key, self.clock().timestamp(), parent, body)
        self.messages[number] = message
        return message

    async def _land_late(self, after: float, *message: str) -> None:
        await asyncio.sleep(after)
        self.land(*message)

    async def settled(self) -> None:
        """All that lands late has landed."""
        await asyncio.gather(*self._landing)

    async def _post(self, request: web.Request) -> web.Response:
        told = await request.json()
        channel, key = request.match_info["channel"], told["key"]
        message = channel, key, told["parent"], told["body"]
        now = self.clock().timestamp()
        self.too_early += now < self._quiet_until[channel]
        self.attempts[key] += 1
        if channel in self.gone:
            return web.json_response({"error": "it is archived"}, status=410)
        fault = self.plan(key, self.attempts[key])
        self.faults[fault.name] += 1
        landed = self.land(*message) if fault in _LANDS else None
        if fault in _LANDS_LATE:
            share = Random(f"late {key} {self.attempts[key]}").uniform(0.3, 1)  # noqa: S311
            late = self._land_late(self.late * share, *message)
            self._landing.add(asyncio.create_task(late))
        if think := SLOW_SECONDS if fault is Fault.SLOW else self.think:
            await asyncio.sleep(think)
        if fault in _DROPS and request.transport:
            request.transport.abort()
        if fault is Fault.STORM:
            self._quiet_until[channel] = now + RETRY_SECONDS
            return web.json_response({}, status=429, headers={"Retry-After": str(RETRY_SECONDS)})
        if fault is Fault.NONSENSE:
            return web.Response(text="<html>", content_type="application/json")
        if fault in _STATUS:
            return web.json_response({"error": "no access"}, status=_STATUS[fault])
        return web.json_response({"id": landed.id if landed else ""})

    async def _history(self, request: web.Request) -> web.Response:
        channel = request.match_info["channel"]
        self.looks += 1
        if channel in self.unreadable:
            return web.json_response({}, status=self.unreadable[channel])
        since = float(request.query["since"])
        found = [m for m in self.messages.values() if m.channel == channel and m.at >= since]
        return web.json_response([asdict(m) for m in sorted(found, key=lambda m: m.at)])

    async def _delete(self, request: web.Request) -> web.Response:
        gone = self.messages.pop(request.match_info["id"], None)
        return web.Response(status=204 if gone else 404)

    async def _tell(self, request: web.Request) -> web.Response:
        self.told.append((request.match_info["user"], (await request.json())["text"]))
        return web.Response(status=204)

    async def _report(self, request: web.Request) -> web.Response:
        return web.json_response({
            "messages": [asdict(m) for m in self.messages.values()],
            "faults": self.faults,
            "posts": self.attempts,
            "too_early": self.too_early,
            "looks": self.looks,
        })  # fmt: skip


class FaultyPublisher:
    """Speaks HTTP as an adapter has to: no retries, every outcome told apart."""

    platform = PLATFORM
    rate: Rate | None = None

    def __init__(
        self, http: aiohttp.ClientSession, url: str, written: Callable[[], None] = lambda: None
    ) -> None:
        self._http = http
        self._url = url
        self._written = written  # the request is out, its answer not yet in

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        return tuple(
            Post(json.dumps({"paper": card.paper.id, "part": n}), (card.paper.id,))
            for n, card in enumerate(digest.cards)
        )

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        told = {"key": key, "body": post.body, "parent": parent}
        url = f"{self._url}/channels/{ref.channel}/messages"
        try:
            async with self._http.post(
                url, json=told, allow_redirects=False, trace_request_ctx=self._written
            ) as answer:
                return await _message_id(answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Later(f"no connection: {error}") from error  # nothing was written yet
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unknown(f"no usable answer: {error!r}") from error

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        url = f"{self._url}/channels/{ref.channel}/messages"
        try:
            async with self._http.get(url, params={"since": since.timestamp()}) as answer:
                if answer.status != 200:
                    raise HistoryUnreadable(f"{answer.status}", forbidden=answer.status == 403)
                return [m["id"] for m in _listed(await answer.json()) if m["key"] == key]
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
            raise HistoryUnreadable(repr(error)) from error

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        url = f"{self._url}/channels/{ref.channel}/messages/{message_id}"
        try:
            async with self._http.delete(url) as answer:
                if answer.status not in (204, 404):
                    raise Unknown(f"{answer.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unknown(repr(error)) from error

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        async with self._http.post(
            f"{self._url}/people/{user}", json={"text": plain(notice.message)}
        ) as answer:
            if answer.status != 204:
                raise ChannelGone(f"{answer.status}")


def _listed(told: object) -> list[Any]:
    if isinstance(told, list):
        return told
    raise ValueError("the history is no list")  # to see none in it would be to say that none stands


async def _message_id(answer: aiohttp.ClientResponse) -> str:
    match answer.status:
        case 200:
            told = await answer.json()
            if not isinstance(told, dict) or not isinstance(told.get("id"), str):
                raise Unknown("an answer without a message id")
            return str(told["id"])
        case 429:
            raise Later("too many posts", after=retry_after(answer.headers.get("Retry-After", "")))
        case 403 | 404 | 410:
            raise ChannelGone(f"{answer.status}")
        case status:
            raise Unknown(f"{status}")


def retry_after(header: str) -> float:
    """Seconds, given so or as a date; a minute where that is nonsense."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return 60.0


def session(timeout: float = 10.0) -> aiohttp.ClientSession:
    """One connection for each request: which of them fails is then the platform's choice."""
    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(_on_sent)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=timeout),
        trace_configs=[trace],
    )


async def _on_sent(session: object, context: Any, chunk: object) -> None:
    if context.trace_request_ctx is not None:  # told just before it is written
        asyncio.get_running_loop().call_soon(context.trace_request_ctx)


async def _serve(plan: Plan, late: float, think: float) -> None:
    async with FaultyPlatform(plan, late, think) as platform:
        print(json.dumps({"url": platform.url}), flush=True)  # noqa: T201  # to who started it
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.25, help="their share of all posts")
    parser.add_argument("--only", choices=[fault.name for fault in Fault], help="at the first try")
    parser.add_argument("--late", type=float, default=LATE_SECONDS)
    parser.add_argument("--think", type=float, default=0.0)
    asked = parser.parse_args()
    plan = drawn(asked.seed, asked.faults)
    if asked.only:
        only = Fault[asked.only]
        plan = lambda key, attempt: only if attempt == 1 else Fault.NONE  # noqa: E731
    asyncio.run(_serve(plan, asked.late, asked.think))


if __name__ == "__main__":
    main()
