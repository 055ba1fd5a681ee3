"""Polite requests: one at a time, far enough apart, bounded in every way. Knows no source's format."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import aiohttp
from yarl import URL

from bot.errors import SourceUnavailable
from bot.ports import Clock

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

LARGEST_ANSWER: Final = 20 << 20  # bytes, packed and unpacked
LONGEST_ANSWER: Final = 10.0  # seconds on the network, redirects included
MOST_REDIRECTS: Final = 3
MOST_WAITING: Final = 5  # people in the queue
LONGEST_WAIT: Final = 10.0  # seconds that a person waits for the turn
PATIENCE: Final = 60.0  # seconds; a page waits for a shorter pause and gives up at a longer one
# The shortest pause after a failure; arXiv's 503s say "Retry-After: 0", which helps nobody
# (groups.google.com/a/arxiv.org/g/api/c/6cU-pUjuUAo)
FLOOR_IN_DELAYS: Final = 5
LONGEST_BACK_OFF: Final = 3_600.0
LONGEST_RETRY_AFTER: Final = 86_400.0

_CHUNK: Final = 1 << 16
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAMES: Final = {"arxiv.org": "arXiv", "huggingface.co": "Hugging Face"}
_HTML: Final = re.compile(
    rb"(?:<\?xml[^>]*>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE,
)
_DATA: Final = (b"<?xml", b"<rss", b"<feed", b"<rdf:rdf", b"<oai-pmh", b"{", b"[")


@dataclass(frozen=True, slots=True)
class Answer:
    """*unchanged*: what the given validators name still holds, and there is no body."""

    status: int
    body: bytes
    headers: Mapping[str, str]  # names in lower case
    url: str
    unchanged: bool = False

    @property
    def is_web_page(self) -> bool:
        """Whether a page for people (a notice, a login) came instead of data."""
        start = self.body[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
        if _HTML.match(start):
            return True
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        # feeds are served as text/html, too
        return kind == "text/html" and not start.lower().startswith(_DATA)


class PoliteClient:
    """One connection, one request at a time, people before pages.

    At least *delay* seconds lie between the end of one request and the start of the next, over all
    hosts; after failures, more. *allow* are the host names that requests and redirects may go to.
    *jitter* gives numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sleep: Sleep,
        jitter: Callable[[], float],
        delay: float,
        agent: str,
        allow: Collection[str],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._delay = delay
        self._agent = agent
        self._allow = frozenset(host.lower() for host in allow)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._turns = _Turns()
        self._resting_since: datetime | None = None
        self._rest = 0.0
        self._failures = 0  # in a row
        self._door = _Door()

    async def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        etag: str = "",
        modified: str = "",
        urgent: bool = False,
        accept: Collection[int] = (200,),
        seconds: float = LONGEST_ANSWER,
    ) -> Answer:
        """The answer with a status of *accept*, or 304 to a validator. Raises SourceUnavailable.

        Nothing is tried twice, and any failure lengthens the pause before the next request.
        *urgent*: a person waits. *seconds* bounds the time on the network, not that in the queue.
        """
        try:
            target = URL(url).update_query(params or {})
        except ValueError as error:
            raise SourceUnavailable(f"{url} was not asked: this is no web address.") from error
        if why := self._refusal(target):
            raise SourceUnavailable(f"{target.host or url} was not asked: {why}.")
        validators = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = {name: value for name, value in validators.items() if value}
        if urgent and (self._turns.people >= MOST_WAITING or self._left() > LONGEST_WAIT):
            raise self._busy(target)
        try:
            async with asyncio.timeout(LONGEST_WAIT if urgent else None) as wait:
                async with self._turn(target, urgent=urgent):
                    wait.reschedule(None)
                    return await self._try(target, headers, accept, seconds)
        except TimeoutError as error:
            raise self._busy(target) from error

    async def aclose(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    # When

    @asynccontextmanager
    async def _turn(self, url: URL, *, urgent: bool) -> AsyncIterator[None]:
        again = False
        while True:
            async with self._turns.turn(urgent=urgent, again=again):
                if (left := self._left()) > (LONGEST_WAIT if urgent else PATIENCE):
                    raise self._busy(url)
                if left:
                    await self._sleep(left)
                if urgent or not self._turns.people:  # else somebody came during the pause
                    yield
                    return
            again = True

    def _left(self) -> float:
        """Seconds of the pause that are left; a clock that is set back does not prolong it."""
        if self._resting_since is None:
            return 0.0
        passed = (self._clock() - self._resting_since).total_seconds()
        return min(max(self._rest - passed, 0.0), self._rest)

    def _pause(self, seconds: float) -> None:
        self._resting_since, self._rest = self._clock(), seconds

    def _back_off(self) -> float:
        growth = 2.0 ** min(self._failures - 1, 30)
        pause = min(self._delay * FLOOR_IN_DELAYS * growth, LONGEST_BACK_OFF)
        return pause * (1 + self._jitter())

    def _busy(self, url: URL) -> SourceUnavailable:
        name = _name(url)
        left = max(self._left(), self._delay)
        if self._failures:
            message = f"{name} failed a moment ago, and it is too early to ask again."
        else:
            message = f"{name} is busy: others are waiting for it already."
        return SourceUnavailable(message, hint=_next_try(left), retry_after=left)

    # Where

    def _refusal(self, url: URL) -> str:
        """Why a request may not go there; empty where it may."""
        host = url.host
        if not host:
            return "this is no web address"
        if host.lower() not in self._allow:
            return f"{host} is none of the addresses of this source"
        if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
            return f"{host} is not asked without encryption"
        return ""

    # What

    async def _try(
        self, url: URL, headers: Mapping[str, str], accept: Collection[int], seconds: float
    ) -> Answer:
        try:
            answer = await self._follow(url, headers, accept, seconds)
        except _Fault as fault:
            self._failures += 1
            pause = max(self._back_off(), min(fault.wait, LONGEST_RETRY_AFTER))
            self._pause(pause)
            log.info("%s Pausing for %.0f seconds", fault.message, pause)
            raise SourceUnavailable(
                fault.message, hint=_next_try(pause), retry_after=pause
            ) from fault
        self._failures = 0
        return answer

    async def _follow(
        self, url: URL, headers: Mapping[str, str], accept: Collection[int], seconds: float
    ) -> Answer:
        loop = asyncio.get_running_loop()
        self._door.public_only = self._door.seen_public = False
        left = seconds
        for _ in range(MOST_REDIRECTS + 1):
            began = loop.time()
            try:
                async with asyncio.timeout(left):
                    answer = await self._ask(url, headers, accept)
            except TimeoutError as error:
                raise _Fault(f"{url.host} did not answer within {seconds:g} seconds.") from error
            finally:
                left -= loop.time() - began
                self._pause(self._delay)
            if isinstance(answer, Answer):
                return answer
            if why := self._refusal(answer):
                raise _Fault(f"{url.host} redirects elsewhere: {why}.")
            self._door.public_only = self._door.seen_public
            url = answer
            await self._sleep(self._left())
        raise _Fault(f"{url.host} redirects more than {MOST_REDIRECTS} times.")

    async def _ask(
        self, url: URL, headers: Mapping[str, str], accept: Collection[int]
    ) -> Answer | URL:
        """One request; the address that it redirects to, else the answer."""
        try:
            response = await self._open().get(url, headers=headers, allow_redirects=False)
            try:
                if response.status in _REDIRECTS and response.status not in accept:
                    return url.join(URL(response.headers.get("Location", ""))).with_fragment(None)
                unchanged = bool(headers) and response.status == HTTPStatus.NOT_MODIFIED
                if not unchanged and response.status not in accept:
                    raise self._refused(response)
                return Answer(
                    status=response.status,
                    body=b"" if unchanged else await _read(response),
                    headers={name.lower(): value for name, value in response.headers.items()},
                    url=str(url),
                    unchanged=unchanged,
                )
            finally:
                response.close()
        except aiohttp.ClientError as error:
            raise _Fault(self._explained(url, error)) from error
        except ValueError as error:  # of yarl, about a Location
            raise _Fault(f"{url.host} redirects to what is no address.") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise _Fault("Paperboy is closing.")
        if self._session is None:
            # force_close: connections kept open to several hosts would be more than one
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=1, force_close=True, socket_factory=self._door.socket
                ),
                headers={"User-Agent": self._agent, "Accept-Encoding": "gzip, deflate"},
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_once,),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                read_bufsize=_CHUNK,
            )
        return self._session

    def _refused(self, response: aiohttp.ClientResponse) -> _Fault:
        host, status = response.url.host, response.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            message = f"{host} asks us to slow down (429)."
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            message = f"{host} has trouble of its own ({status})."
        elif status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            message = f"{host} refuses to answer us ({status})."
        else:
            message = f"{host} answers {status}, which is not what was asked for."
        return _Fault(message, _asked_wait(response.headers, self._clock()))

    def _explained(self, url: URL, error: aiohttp.ClientError) -> str:
        host = url.host
        match error:
            case aiohttp.ClientSSLError():
                return f"There is no safe connection to {host}: its certificate is not accepted."
            case aiohttp.ClientConnectorDNSError():
                return f"The name {host} cannot be found."
            case aiohttp.ClientConnectorError() if self._door.refused:
                return f"{host} lies inside this network, and a public host redirects there."
            case aiohttp.ClientConnectorError():
                return f"{host} cannot be reached."
            case aiohttp.ClientPayloadError():
                return f"{host} breaks off in the midst of its answer."
            case aiohttp.ClientConnectionError():
                return f"{host} closes the connection without an answer."
            case aiohttp.InvalidURL():
                return f"{host} redirects to what is no address."
            case _:
                return f"{host} does not speak HTTP properly."


class _Fault(Exception):
    """What a request came to, in one sentence; *wait* is what the server asked for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.message = message
        self.wait = wait


class _Turns:
    """One at a time; people first, each in order."""

    def __init__(self) -> None:
        self._taken = False
        self._people: deque[asyncio.Future[None]] = deque()
        self._pages: deque[asyncio.Future[None]] = deque()

    @property
    def people(self) -> int:
        return len(self._people)

    @asynccontextmanager
    async def turn(self, *, urgent: bool, again: bool) -> AsyncIterator[None]:
        """Wait and hold it; *again*: at the head of the queue, having given way to people."""
        if self._taken:
            await self._wait(self._people if urgent else self._pages, again=again)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, queue: deque[asyncio.Future[None]], *, again: bool) -> None:
        turn = asyncio.get_running_loop().create_future()
        if again:
            queue.appendleft(turn)
        else:
            queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    queue.remove(turn)
            else:  # the turn came in the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        for queue in (self._people, self._pages):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._taken = False


class _Door:
    """Where sockets are made: the one place that sees each address that is really gone to."""

    def __init__(self) -> None:
        self.public_only = False
        self.seen_public = False
        self.refused = False

    def socket(self, to: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = to
        public = _is_public(address[0])
        self.seen_public = self.seen_public or public
        self.refused = self.public_only and not public
        if self.refused:
            raise OSError("not a public address")
        return socket.socket(family, kind, protocol)


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Where a connection breaks before the answer, aiohttp would ask again at once."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, unpacked as it comes; never much more than is allowed is held."""
    host = response.url.host
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise _Fault(f"{host} packs its answer in a way that nobody asked for.")
    unpacker = None
    body = bytearray()
    received = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        if encoding not in ("", "identity") and unpacker is None:
            # "deflate" is zlib by the standard and bare by some servers
            bare = encoding == "deflate" and chunk[0] & 0x0F != zlib.DEFLATED
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
        received += len(chunk)
        try:
            body += (
                unpacker.decompress(chunk, LARGEST_ANSWER + 1 - len(body)) if unpacker else chunk
            )
        except zlib.error as error:
            raise _Fault(f"{host} sends damaged data.") from error
        if max(len(body), received) > LARGEST_ANSWER:
            raise _Fault(f"{host} sends more than {LARGEST_ANSWER >> 20} MB.")
        if unpacker and unpacker.eof:
            return bytes(body)
    if unpacker:
        raise _Fault(f"{host} breaks off in the midst of its answer.")
    return bytes(body)


def _asked_wait(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds, by Retry-After (a number or a date) or the RateLimit header; 0 for none."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    if not text:
        # Hugging Face: "api";r=0;t=42 says that a new window begins in 42 seconds
        window = re.search(r";\s*t=([0-9]{1,9})", headers.get("RateLimit", ""))
        return float(window[1]) if window else 0.0
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def _next_try(seconds: float) -> str:
    if seconds < 90:
        return f"The next try makes sense in {max(round(seconds), 1)} s."
    return f"The next try makes sense in {round(seconds / 60)} minutes."


def _name(url: URL) -> str:
    """What people call it."""
    host = url.host or ""
    site = ".".join(host.rsplit(".", 2)[-2:])
    return _NAMES.get(site, host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_public(address: str) -> bool:
    """Not inside this machine or network, however an IPv6 address may wrap it."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        embedded = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = ip.ipv4_mapped or ip.sixtofour or embedded or ip
    return ip.is_global and not ip.is_multicast
