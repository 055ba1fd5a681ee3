"""A local Slack: a real server on loopback for the real slack-bolt and slack-sdk clients.

It answers, refuses and forgets as Slack's documentation says it does; where the documentation is
silent a comment says "our reading". Nothing here knows the bot.

    async with SlackServer() as slack:
        ann = slack.add_user("ann")                      # a full member of slack.team
        papers = slack.add_channel("papers", ann)        # public; the bot is in (bot=False: it is not)
        client = AsyncWebClient(slack.token, base_url=slack.api_url, retry_handlers=[])
        app = AsyncApp(client=client, signing_secret=slack.app.signing_secret)
        handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client)
        await handler.connect_async()

        said = await slack.command(ann, papers, "/papers", "help")   # returns at the ack
        await said.replied()                             # response_url, chat.postEphemeral, posts
        assert "search" in said.reply.text
        more = await slack.click(ann, said.reply, "More")
        assert slack.dislikes == []

**The world.** ``add_workspace(name)``, ``add_user(name, role=, tz=, team=)``,
``add_channel(name, *members, kind="public", bot=True, shared_with=())``; ``im(user)`` is the channel
of the bot's direct messages with a person. Roles: member, admin, owner, guest,
single_channel_guest. All are mutable values of ``tests.slack_state``: ``ann.deleted = True``,
``papers.archived = True``, ``papers.members.remove(slack.bot.id)``. Several workspaces:
``slack.add_workspace("beta")``; without ``team=`` the first one is meant (``slack.team``).

**What a person does** (each returns an ``Exchange`` once it is acknowledged, or has failed):
``command(user, channel, "/papers", text)``; ``click(user, message_or_view, button)`` with the
button's text, action_id or value; ``select(user, message_or_view, action_id, value, …)`` for every
other element; ``suggest(user, view_or_message, block_id, query)`` → ``exchange.options``;
``submit(user, view, {block_id: value})`` → ``exchange.errors``; ``close(user, view)``;
``shortcut(user, callback_id)``; ``message_shortcut(user, message, callback_id)``;
``mention(user, channel, text, thread=)``; ``direct(user, text)``; ``open_home(user)``;
``link_shared(user, channel, *urls)``; ``write(user, channel, text)`` (a message that tells the bot
nothing). Who attempts what the client would not let them raises ``Impossible``.

**What happens**: ``event("channel_archive", channel, user)``, also channel_unarchive,
channel_deleted, channel_id_changed and channel_rename (``name=``), member_joined_channel, member_left_channel,
app_uninstalled, tokens_revoked: each changes the world, then tells the app. Any other event:
``event("emoji_changed", fields={…})``. ``redeliver(exchange)`` sends once more what was sent.

**An Exchange**: ``ack`` (``at``, ``after`` seconds, ``payload``) or ``error``; ``replies``;
``ephemerals``, ``posts``, ``shown`` (both, in order), ``reply`` (the last of them), ``views``,
``view``, ``errors``, ``options``, ``payload``; ``await replied(n)``, ``await opened()``.

**What was called**: ``calls`` (``method, args, token, at, answer, effect, fault``),
``called(method)``, ``posts(channel)``, ``thread(message)``, ``ephemerals(channel, user)``,
``home(user)``, ``views(user)`` (open modals, top last), ``files``.
``await until(lambda: …, what="…")`` waits for anything that a call or an ack changes.
``dislikes`` lists what Slack would take but not like, each beginning with its kind: ack, cut,
escape, fallback, mention, method, name, rate, refused (an ack or a response_url's post), replace,
token, unfurl. ``mentions_wanted`` holds the mentions that may fire
(``slack.mentions_wanted.add("<@U1>")``).

**Faults**: ``fault("chat.postMessage", Fault.reset(after_effect=True), times=1, nth=1, when=…)``;
see ``tests.slack_faults`` (ratelimited, http, error, garbage, reset, silence). Besides methods,
``response_url`` and ``upload`` are names; "*" is all of them.

**Socket Mode**: ``sockets`` (open connections), ``await connected(n)``,
``await disconnect(reason)`` (Slack's farewell), ``drop()`` (dead TCP), ``freeze()`` (no pongs).
Envelopes go to one of the sockets in turn; an event without ack within ``ack_seconds`` comes again
after each of ``retry_delays``, with retry_attempt.

**HTTP**: ``slack.http = "http://127.0.0.1:3000/slack/events"`` sends everything there, signed.
``exchange.request`` are the bytes; ``await send(request)`` sends such again → ``Answer(status,
body)``: a replay; ``request.tampered()``, ``request.without("X-Slack-Signature")``,
``slack.sign(body, at=, secret=)`` make bad ones. ``await verify_url()`` is the challenge.
The signature's time is the machine's, as the libraries compare it with that.

**OAuth**: ``approve(authorize_url, user)`` is the consent page: it gives the address that the
browser is sent back to, with code and state. ``oauth.v2.access`` takes the code once.
``revoke(team, error=)`` makes tokens useless without telling, ``event("app_uninstalled")`` tells;
``install(team, scopes)`` needs no browser.

The clock is given or real; trigger_ids, response_urls, timestamps and rates go by it. What has to
pass in vain (``ack_seconds``, ``retry_delays``, the patience of ``until``) are real seconds.

``slack.app.is_unlisted`` makes it an app outside of the Marketplace, with one history call a minute.

**Not here**: Enterprise Grid, scheduled and streamed messages, message events of channels, links told
while they are typed (source ``composer``), users' own tokens, token rotation, rendering.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from bot.ports import Clock
from tests.slack_api import revoke
from tests.slack_delivery import RETRY_DELAYS, Delivery, Socket
from tests.slack_exchange import PATIENCE, Answer, Envelope, Exchange, Request, signed
from tests.slack_faults import Call, Fault, Planned
from tests.slack_fields import Impossible
from tests.slack_people import People
from tests.slack_replies import Replies
from tests.slack_state import (
    SCOPES,
    App,
    Channel,
    Code,
    File,
    Kind,
    Message,
    Role,
    Slack,
    Token,
    User,
    View,
    Workspace,
)
from tests.slack_text import Taste
from tests.slack_web import Web

__all__ = [
    "SCOPES", "Answer", "Call", "Channel", "Exchange", "Fault", "Impossible", "Message", "Request",
    "SlackServer", "User", "View", "Workspace",
]  # fmt: skip


class SlackServer(People):
    """``async with SlackServer() as slack``: see the module's docstring."""

    def __init__(
        self,
        clock: Clock = lambda: datetime.now(UTC),
        *,
        ack_seconds: float = 3.0,
        retry_delays: tuple[float, ...] = RETRY_DELAYS,
        scopes: frozenset[str] = SCOPES,
    ) -> None:
        self.state = Slack(clock)
        self.exchanges: list[Exchange] = []
        self.dislikes: list[str] = []
        self.mentions_wanted: set[str] = set()
        taste = Taste(self.dislikes.append, self.mentions_wanted)
        replies = Replies(self.dislikes.append, taste)
        self._delivery = Delivery(
            self.state,
            acked=replies.acked,
            dislike=self.dislikes.append,
            changed=self._changed,
            until=self.until,
            ack_seconds=ack_seconds,
            retry_delays=retry_delays,
        )
        self._web = Web(
            self.state,
            replies=replies,
            taste=taste,
            ticket=self._delivery.ticket,
            dislike=self.dislikes.append,
            changed=self._changed,
        )
        self.calls = self._web.calls
        self._news = asyncio.Event()
        self.add_workspace("acme", scopes)
        self.app_token = "xapp-1"  # noqa: S105
        self.state.app_tokens[self.app_token] = Token(
            self.app_token, "app", self.team.id, "", frozenset({"connections:write"})
        )

    async def __aenter__(self) -> Self:
        app = self._web.application()
        app.router.add_get("/link", self._delivery.serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self._web.url = f"http://127.0.0.1:{port}"
        self._delivery.socket_url = f"ws://127.0.0.1:{port}/link"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._web.close()
        await self._delivery.close()
        await self._runner.cleanup()

    # -- the world

    @property
    def url(self) -> str:
        return self._web.url

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def app(self) -> App:
        return self.state.app

    @property
    def team(self) -> Workspace:
        return next(iter(self.state.workspaces.values()))

    @property
    def bot(self) -> User:
        return self.team.bot

    @property
    def token(self) -> str:
        return self.team.token

    @property
    def files(self) -> list[File]:
        return list(self.state.files.values())

    def add_workspace(self, name: str, scopes: frozenset[str] | None = SCOPES) -> Workspace:
        """With the app installed; *scopes* None: not installed."""
        return self.state.new_workspace(name, scopes)

    def add_user(
        self,
        name: str,
        role: Role = "member",
        *,
        tz: str = "Etc/UTC",
        team: Workspace | None = None,
        locale: str = "en-US",
    ) -> User:
        team = team or self.team
        user = User(self.state.new_id("U"), name, team.id, role, tz, locale)
        if role == "bot":
            user.bot_id = f"B{user.id}"
        self.state.users[user.id] = user
        return user

    def add_channel(
        self,
        name: str,
        *members: User,
        kind: Kind = "public",
        bot: bool = True,
        creator: User | None = None,
        team: Workspace | None = None,
        shared_with: tuple[Workspace, ...] = (),
    ) -> Channel:
        team = team or self.team
        creator = creator or (members[0] if members else None)
        ids = [user.id for user in members] + ([team.bot.id] if bot else [])
        return self.state.add_channel(
            Channel(
                self.state.new_id("C"),  # of private ones, too: the letter tells nothing
                name,
                team.id,
                kind,
                creator=creator.id if creator else "",
                members=ids,
                shared_with=tuple(other.id for other in shared_with),
            )
        )

    def im(self, user: User, team: Workspace | None = None) -> Channel:
        """The bot's direct messages with the person."""
        workspace = team or self.state.workspaces[user.team]
        return self.state.im(workspace, user.id)

    # -- what was done

    def called(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def posts(self, channel: Channel) -> list[Message]:
        """What the app posted in the channel and its threads, for all to see."""
        return [m for m in channel.messages if m.app_id and not m.deleted]

    def thread(self, parent: Message) -> list[Message]:
        channel = self.state.channels[parent.channel]
        return [m for m in self.posts(channel) if m.thread_ts == parent.ts and m is not parent]

    def ephemerals(self, channel: Channel, user: User) -> list[Message]:
        return [m for m in channel.ephemerals if m.only_for == user.id and not m.deleted]

    def home(self, user: User, team: Workspace | None = None) -> View | None:
        return self.state.home(team.id if team else user.team, user.id)

    def views(self, user: User, team: Workspace | None = None) -> list[View]:
        """The modals that the person has open, the one on top last."""
        return self.state.stack(team.id if team else user.team, user.id)

    async def until(
        self,
        holds: Callable[[], object],
        *,
        timeout: float = PATIENCE,  # noqa: ASYNC109  # of the test, not of the server
        what: str = "what was waited for",
    ) -> None:
        """Wait for anything that a call, an ack or a connection brings about."""
        try:
            async with asyncio.timeout(timeout):
                while not holds():
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"{what} did not come within {timeout:g} s") from None

    def _changed(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # -- faults

    def fault(
        self,
        method: str,
        fault: Fault,
        *,
        times: int | None = 1,
        nth: int = 1,
        when: Callable[[Call], bool] = lambda _: True,
    ) -> None:
        """At the *times* next calls for which *when* holds, beginning with the *nth* such call."""
        self._web.planned.append(Planned(method, fault, times, nth, when))

    def heal(self) -> None:
        self._web.planned.clear()

    # -- the way to the app

    @property
    def ack_seconds(self) -> float:
        """How long an ack may take; a test that waits in vain sets less."""
        return self._delivery.ack_seconds

    @ack_seconds.setter
    def ack_seconds(self, seconds: float) -> None:
        self._delivery.ack_seconds = seconds

    @property
    def sockets(self) -> list[Socket]:
        return self._delivery.sockets

    async def connected(self, count: int = 1, *, timeout: float = PATIENCE) -> None:  # noqa: ASYNC109
        await self.until(lambda: len(self.sockets) >= count, timeout=timeout, what="a connection")

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        await self._delivery.disconnect(reason)

    def drop(self) -> None:
        self._delivery.drop()

    def turn_away(self, count: int) -> None:
        """The next connections come to nothing; what they had an address for is used up."""
        self._delivery.turned_away = count

    def freeze(self) -> None:
        self._delivery.freeze()

    @property
    def http(self) -> str | None:
        return self._delivery.http

    @http.setter
    def http(self, address: str | None) -> None:
        self._delivery.http = address

    async def redeliver(self, exchange: Exchange) -> Exchange:
        await self._delivery.redeliver(exchange)
        return exchange

    async def send(self, request: Request) -> Answer:
        return await self._delivery.send(request)

    def sign(
        self,
        body: bytes,
        *,
        content_type: str = "application/x-www-form-urlencoded",
        at: datetime | None = None,
        secret: str | None = None,
    ) -> Request:
        secret = self.app.signing_secret if secret is None else secret
        return signed(body, content_type, secret, at or datetime.now(UTC))

    async def verify_url(self) -> Answer:
        body = b'{"token":"verification-token","challenge":"c4all","type":"url_verification"}'
        return await self.send(self.sign(body, content_type="application/json"))

    def _exchange(
        self,
        kind: Envelope,
        workspace: Workspace,
        user: User | None,
        channel: Channel | None,
        *,
        responds: bool = False,
        triggers: bool = True,
    ) -> Exchange:
        exchange = Exchange(
            kind,
            {},
            workspace.id,
            user,
            channel,
            self.state.clock(),
            self.state,
            self.calls,
            self.until,
        )
        self.exchanges.append(exchange)
        if triggers and kind != "events_api":
            number = self.state.new_id("trigger")
            exchange.trigger_id = f"{number.removeprefix('trigger')}.1.{secrets.token_hex(8)}"
            self.state.triggers[exchange.trigger_id] = exchange
        if responds:
            exchange.response_url = self._response_url(exchange)
        return exchange

    def _response_url(self, exchange: Exchange) -> str:
        return self._web.response_url(exchange)

    async def _tell(self, exchange: Exchange) -> Exchange:
        await self._delivery.deliver(exchange)
        return exchange

    # -- OAuth

    def approve(self, authorize_url: str, user: User) -> str:
        """The consent page, at which the person presses Allow: the address it leads back to."""
        query = {
            name: values[0] for name, values in parse_qs(urlsplit(authorize_url).query).items()
        }
        if query.get("client_id") != self.app.client_id:
            raise Impossible("invalid_client_id")
        redirect = query.get("redirect_uri") or next(iter(self.app.redirect_uris), "")
        if redirect not in self.app.redirect_uris:
            raise Impossible("bad_redirect_uri")
        scopes = frozenset(filter(None, query.get("scope", "").split(",")))
        if not scopes:
            raise Impossible("invalid_scope")
        code = secrets.token_hex(8)
        self.state.codes[code] = Code(user.team, user.id, scopes, redirect)
        state = {"state": query["state"]} if "state" in query else {}
        return f"{redirect}?{urlencode({'code': code, **state})}"

    def install(self, team: Workspace | None = None, scopes: frozenset[str] = SCOPES) -> str:
        """Install (again), without a consent page; → the bot token."""
        return self.state.install(team or self.team, scopes).value

    def revoke(self, team: Workspace | None = None, error: str = "account_inactive") -> None:
        """The tokens of the workspace hold no more; the app is not told."""
        revoke(team or self.team, error)
