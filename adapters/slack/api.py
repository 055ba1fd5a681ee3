"""Slack's Web API: one call, and the four ways in which it can fail."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.ports import Sleep

log = logging.getLogger(__name__)

Json = dict[str, Any]

CONNECT_SECONDS = 4.0
TIMEOUT_SECONDS = 9  # below the sender's own, so that what went wrong is known by name
# "It's possible some aspect of the operation succeeded", say the first two's descriptions.
_DOUBTFUL = ("internal_error", "fatal_error", "request_timeout", "service_unavailable")
PATIENCE_SECONDS = 3.0  # what an answer to a person may wait for Slack's rate limit


class SlackFault(Exception):
    """A call that did not succeed; ``words`` is a clause for people."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Refused(SlackFault):
    """Slack said no, by one of its codes; what was *needed* is a scope that is missing."""

    def __init__(self, code: str, needed: str = "") -> None:
        super().__init__(f"Slack refused it ({code})")
        self.code = code
        self.needed = needed


class Limited(SlackFault):
    """Slack asks for patience: nothing was done. *after* is in seconds, 0 where it tells no time."""

    def __init__(self, after: float) -> None:
        super().__init__("Slack takes no more requests just now")
        self.after = after


class NotSent(SlackFault):
    """No connection was made, so nothing was done."""


class NoAnswer(SlackFault):
    """The call may have been carried out, or not."""


def open_session() -> aiohttp.ClientSession:
    # A connection that is not made in time fails by its own name: nothing was sent then.
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS, sock_connect=CONNECT_SECONDS)
    return aiohttp.ClientSession(timeout=timeout)


def web_client(session: aiohttp.ClientSession, api_url: str, token: str | None) -> AsyncWebClient:
    """The SDK's client without its retries: it sends a post again whose answer was lost."""
    client = AsyncWebClient(
        token, api_url, timeout=TIMEOUT_SECONDS, session=session, retry_handlers=[],
        logger=quiet("slack_sdk"),
    )  # fmt: skip
    client.proxy = proxy_of(api_url)
    return client


def quiet(library: str) -> logging.Logger:
    """Its logger, which at INFO and below would tell whole bodies, and so what people typed.

    The level is set on it because the libraries ask for that of the very logger they were given.
    """
    logger = logging.getLogger(library)
    logger.setLevel(max(logger.level, logging.WARNING))
    return logger


def proxy_of(url: str) -> str | None:
    """The environment's proxy for that address; the SDK itself knows no exceptions from it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


class Api:
    """Calls with one workspace's token."""

    def __init__(self, client: AsyncWebClient, sleep: Sleep) -> None:
        self._client = client
        self._sleep = sleep

    async def call(self, method: str, **arguments: Any) -> Json:
        """The answer; raises Refused, Limited, NotSent or NoAnswer."""
        return (await self._call(method, arguments))[0]

    async def introduce(self) -> tuple[Json, frozenset[str]]:
        """Whose token it is (``auth.test``), and its scopes; raises as ``call`` does."""
        answer, headers = await self._call("auth.test", {})
        scopes = headers.get("x-oauth-scopes", "").split(",")
        return answer, frozenset(scope.strip() for scope in scopes if scope.strip())

    async def _call(
        self, method: str, arguments: Mapping[str, Any]
    ) -> tuple[Json, Mapping[str, str]]:
        data = {name: _form(value) for name, value in arguments.items() if value is not None}
        try:
            response = await self._client.api_call(method, data=data)
        except SlackApiError as error:
            raise _fault(error.response) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"Slack cannot be reached ({type(error).__name__})") from error
        except TimeoutError as error:
            raise NoAnswer("Slack did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"the connection to Slack broke ({type(error).__name__})") from error
        except (AttributeError, TypeError, UnicodeError, SlackRequestError) as error:
            # The SDK trips over an answer that is JSON but no object.
            raise NoAnswer("Slack answered what makes no sense") from error
        if not isinstance(response.data, dict):
            raise NoAnswer("Slack answered what makes no sense")
        return response.data, response.headers

    async def send(self, method: str, **arguments: Any) -> Json:
        """A call that is made once more where nothing was done for certain."""
        try:
            return await self.call(method, **arguments)
        except Limited as error:
            if error.after > PATIENCE_SECONDS:
                raise
            await self._sleep(error.after)
        except NotSent as error:
            log.debug("calling %s again: %s", method, error.words)
        return await self.call(method, **arguments)

    async def ask(self, method: str, **arguments: Any) -> Json:
        """A call that changes nothing, and so may be made twice."""
        try:
            return await self.send(method, **arguments)
        except NoAnswer as error:
            log.debug("asking %s again: %s", method, error.words)
        return await self.call(method, **arguments)

    async def upload(self, url: str, content: bytes) -> None:
        """Bytes to an address that ``files.getUploadURLExternal`` gave."""
        session = self._client.session
        assert session is not None  # noqa: S101  # web_client gives it one
        try:
            async with session.post(url, data=content, proxy=proxy_of(url)) as response:
                if response.status != 200:
                    raise NoAnswer(f"the upload was answered with status {response.status}")
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"the upload broke ({type(error).__name__})") from error


class ResponseUrl:
    """Where an answer to a command or a click goes, five times in half an hour."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._client = AsyncWebhookClient(
            url, timeout=TIMEOUT_SECONDS, session=session, retry_handlers=[],
            logger=quiet("slack_sdk"),
        )  # fmt: skip
        self._client.proxy = proxy_of(url)

    async def send(self, payload: Mapping[str, Any]) -> None:
        """Raises Refused where the address is used up, else NoAnswer.

        Slack says ``ok``, or the same as JSON.
        """
        try:
            answer = await self._client.send_dict(dict(payload))
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"the answer was not taken ({type(error).__name__})") from error
        if answer.status_code == 200 and answer.body.strip() == "ok":
            return
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = None
        if not isinstance(said, dict) or answer.status_code >= 500:
            raise NoAnswer(f"the answer was taken with status {answer.status_code}")
        if not said.get("ok"):
            raise Refused(str(said.get("error")))


def _form(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _fault(response: Any) -> SlackFault:
    if not isinstance(response, AsyncSlackResponse):  # the SDK gives aiohttp's, where it is no JSON
        return NoAnswer("Slack answered what makes no sense")
    status, data = response.status_code, response.data
    code = data.get("error") if isinstance(data, dict) else None
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return Limited(_seconds(response.headers))
    if status >= 500 or not isinstance(code, str) or not code:
        return NoAnswer(f"Slack answered with status {status} and no reason")
    if code in _DOUBTFUL:
        return NoAnswer(f"something went wrong at Slack ({code})")
    assert isinstance(data, dict)  # noqa: S101  # it has a code
    return Refused(code, str(data.get("needed") or ""))


def _seconds(headers: Mapping[str, str]) -> float:
    after = headers.get("Retry-After", "")
    return float(after) if after.isascii() and after.isdecimal() else 0.0
