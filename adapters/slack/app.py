"""Slack as one platform: what it is built of, what is listened to, and how it is connected.

async with SlackPlatform(credentials, …) as slack:   # sender and answers are made with slack.publisher
    await slack.start(answers, sender)
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Self

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from adapters.slack.api import (
    Api,
    Refused,
    SlackFault,
    open_session,
    proxy_of,
    quiet,
    web_client,
)
from adapters.slack.conversation import Conversation
from adapters.slack.http import Listener
from adapters.slack.lifecycle import Closer, Closures, Lifecycle
from adapters.slack.listeners import Listeners
from adapters.slack.manifest import SCOPES
from adapters.slack.modals import Modals
from adapters.slack.oauth import OAuth
from adapters.slack.publisher import SlackPublisher
from adapters.slack.surfaces import Surfaces
from adapters.slack.work import Work
from adapters.slack.workspace import PLATFORM, Workspace, Workspaces
from bot.answers import Answers
from bot.errors import PaperboyError
from bot.flood import Flood
from bot.ports import (
    ChannelStore,
    Clock,
    Installation,
    Installations,
    Library,
    Receipts,
    Sleep,
    Tenants,
)

log = logging.getLogger(__name__)

PING_SECONDS = 3.0  # a dead connection is noticed after four of them
CLOSE_SECONDS = 2.0
RETRY_SECONDS = (2.0, 5.0, 15.0, 60.0)  # while Slack cannot be reached; the last again and again


@dataclass(frozen=True, slots=True)
class Credentials:
    """Socket Mode: *bot_token*, *app_token*. HTTP mode: *bot_token*, *signing_secret*.

    Many workspaces: *signing_secret*, *client_id*, *client_secret*, *public_url*.
    """

    api_url: str
    bot_token: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    public_url: str = ""


class SlackPlatform:
    """*installations* are needed where many workspaces add the app."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        channels: ChannelStore,
        closures: Closures,
        library: Library,
        receipts: Receipts,
        tenants: Tenants,
        installations: Installations | None,
        clock: Clock,
        sleep: Sleep,
        draw: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._credentials = credentials
        self._channels = channels
        self._closures = closures
        self._library = library
        self._receipts = receipts
        self._tenants = tenants
        self._installations = installations
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._workspaces = Workspaces(clock)
        self._work = Work(receipts, clock)
        self._handler: AsyncSocketModeHandler | None = None
        self._connecting: list[asyncio.Task[None]] = []
        self.publisher = SlackPublisher(self._workspaces)
        self.routes: Sequence[web.RouteDef] = ()  # of the public listener, once it has started

    async def __aenter__(self) -> Self:
        self._session = open_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def served(self) -> Collection[str]:
        """The workspaces that posts can go to."""
        return frozenset(self._workspaces.tenants)

    async def start(self, answers: Answers, closer: Closer) -> None:
        """Listen. Raises PaperboyError where Slack refuses what it was given.

        Where it cannot be reached, that is tried again behind.
        """
        listeners = self._listeners(answers, closer)
        self._base = web_client(self._session, self._credentials.api_url, None)
        with _without_slack_variables():
            app = AsyncApp(
                logger=quiet("slack_bolt"),
                client=self._base,
                authorize=_Remembered(self._workspaces),
                signing_secret=self._credentials.signing_secret,
                request_verification_enabled=False,  # the public listener has done it
                ssl_check_enabled=False,
                url_verification_enabled=False,
                attaching_function_token_enabled=False,
                raise_error_for_unhandled_request=True,
            )
        listeners.register(app)
        await self._introduce()
        if self._credentials.app_token:
            await self._connect(app)
        else:
            self.routes = self._public(app)

    async def stop(self) -> None:
        """Take nothing new, and finish what is under way; it takes some seconds at most.

        Posts can still go.
        """
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        handler, self._handler = self._handler, None
        if handler:
            await _close(handler)
        await self._work.aclose()

    async def aclose(self) -> None:
        await self.stop()
        await self._session.close()

    def _listeners(self, answers: Answers, closer: Closer) -> Listeners:
        workspaces = self._workspaces
        conversation = Conversation(answers, workspaces, Flood(self._clock))
        self._life = Lifecycle(
            self._channels, closer, self._closures, self._tenants, self._installations,
            workspaces, self.publisher,
        )  # fmt: skip
        return Listeners(
            conversation,
            Modals(conversation, workspaces),
            Surfaces(
                conversation, workspaces, self._channels, self._library, self._receipts, self._clock
            ),
            self._life,
            workspaces,
            self._work,
            self._session,
        )

    def _api(self, token: str | None) -> Api:
        return Api(web_client(self._session, self._credentials.api_url, token), self._sleep)

    # who is served

    async def _introduce(self) -> None:
        if self._credentials.client_id:
            assert self._installations is not None  # noqa: S101  # documented
            for installation in await self._installations.all():
                self._serve(installation)
            now = self._clock()
            for tenant in await self._installations.expired(now):
                await self._tenants.left(PLATFORM, tenant, now)  # a crash may have come between
            return
        try:
            await self._introduce_one()
        except Refused as refusal:
            raise PaperboyError(
                f"Slack refuses the bot token ({refusal.code}).",
                hint="Set PAPERBOY_SLACK__BOT_TOKEN to the Bot User OAuth Token of the app's page "
                "OAuth & Permissions.",
            ) from refusal
        except SlackFault as fault:
            log.warning("%s; trying again", fault.words)
            self._workspaces.awaited = True
            self._connecting.append(asyncio.create_task(self._introduce_later()))

    async def _introduce_later(self) -> None:
        for seconds in chain(RETRY_SECONDS, repeat(RETRY_SECONDS[-1])):
            await self._sleep(seconds)
            try:
                await self._introduce_one()
            except Refused as refusal:
                log.critical("Slack refuses the bot token (%s): nothing is posted", refusal.code)
                self._workspaces.awaited = False
                return
            except SlackFault as fault:
                log.warning("%s; trying again", fault.words)
            else:
                return

    async def _introduce_one(self) -> None:
        api = self._api(self._credentials.bot_token)
        told, scopes = await api.introduce()
        tenant = str(told["team_id"])
        if missing := SCOPES.keys() - scopes:
            log.warning("Slack has not granted %s: import the manifest and install the app anew",
                        ", ".join(sorted(missing)))  # fmt: skip
        bot_user = str(told.get("user_id", ""))
        self._workspaces.add(Workspace(tenant, bot_user, self._clock(), api))
        await self._note(tenant)
        log.info("serving Slack's workspace %s", tenant)

    def _serve(self, each: Installation) -> None:
        api = self._api(each.token)
        self._workspaces.add(Workspace(each.tenant, each.bot_user, each.at, api))

    async def _installed(self, installation: Installation) -> None:
        """A workspace has added the app, or has added it again."""
        assert self._installations is not None  # noqa: S101  # documented
        await self._installations.save(installation)
        self._serve(installation)
        log.info("%s has added Paperboy", installation.tenant)
        self._work.spawn(self._life.greet(installation.tenant, installation.installer))
        await self._note(installation.tenant)

    async def _note(self, tenant: str) -> None:
        """The workspace is served; where it had left, people are told how to go on."""
        left = await self._tenants.departed(datetime.max.replace(tzinfo=UTC))
        await self._tenants.returned(PLATFORM, tenant)
        if (PLATFORM, tenant) in left:
            self._work.spawn(self._life.come_back(tenant))

    # how Slack reaches us

    async def _connect(self, app: AsyncApp) -> None:
        try:  # the SDK would try a wrong token again and again
            await self._api(self._credentials.app_token).call("apps.connections.open")
        except Refused as refusal:
            raise PaperboyError(
                f"Slack refuses the app-level token ({refusal.code}).",
                hint="Set PAPERBOY_SLACK__APP_TOKEN to a token with connections:write, of the app's "
                "page Basic Information, and switch Socket Mode on.",
            ) from refusal
        except SlackFault as fault:
            log.warning("%s; trying again", fault.words)
        self._handler = AsyncSocketModeHandler(
            app, self._credentials.app_token, web_client=self._base, ping_interval=PING_SECONDS
        )
        self._handler.client.proxy = proxy_of(self._credentials.api_url)
        await _use_addresses_once(self._handler.client)
        self._connecting.append(asyncio.create_task(self._handler.connect_async()))

    def _public(self, app: AsyncApp) -> list[web.RouteDef]:
        credentials = self._credentials
        routes = Listener(credentials.signing_secret, app.async_dispatch, self._clock).routes()
        if not credentials.client_id:
            return routes
        oauth = OAuth(
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            public_url=credentials.public_url,
            api_url=credentials.api_url,
            api=self._api(None),
            receipts=self._receipts,
            installed=self._installed,
            draw=self._draw,
            clock=self._clock,
        )
        return [*routes, *oauth.routes()]


class _Remembered(AsyncAuthorize):
    """Who the bot is, from memory: Slack waits for the ack. Who is not served is told so later."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def __call__(self, *, team_id: str | None, **_: object) -> AuthorizeResult:
        workspace = self._workspaces.get(team_id or "")
        bot_user = workspace.bot_user if workspace else None
        return AuthorizeResult(enterprise_id=None, team_id=team_id, bot_user_id=bot_user)


async def _use_addresses_once(client: SocketModeClient) -> None:
    """Slack's address holds one connection; the SDK would try a spent one again and again."""

    async def spent(*_: object) -> None:
        client.wss_uri = None

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(spent)
    await client.aiohttp_client_session.close()
    client.aiohttp_client_session = aiohttp.ClientSession(trace_configs=[trace])


async def _close(handler: AsyncSocketModeHandler) -> None:
    """Bounded, and with all of the SDK's tasks ended: it cancels them and looks away."""
    client = handler.client
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await handler.close_async()
    tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await client.aiohttp_client_session.close()


@contextmanager
def _without_slack_variables() -> Iterator[None]:
    """Bolt takes SLACK_… from the environment for what it is not given, past our settings."""
    names = [name for name in os.environ if name.startswith("SLACK_")]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)
