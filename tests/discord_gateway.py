"""The gateway of the local Discord: websockets, sessions that can be resumed, and their troubles.

Version 10, JSON, ``compress=zlib-stream`` where it is asked for (zstd-stream is not spoken here).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSMsgType, web

from tests.discord_state import Guild, Json
from tests.discord_world import World

Phase = Literal["connect", "hello", "identify", "ready"]
Timer = Callable[[], float]

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, RECONNECT = 0, 1, 2, 3, 4, 6, 7
MEMBERS, INVALID_SESSION, HELLO, ACK = 8, 9, 10, 11

GUILDS, GUILD_MEMBERS, PRESENCES = 1 << 0, 1 << 1, 1 << 8
GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 12, 1 << 15
PRIVILEGED = GUILD_MEMBERS | PRESENCES | MESSAGE_CONTENT
KNOWN_INTENTS = (1 << 26) - 1
SENDS, PER_SECONDS, LARGEST_SEND = 120, 60.0, 4096


@dataclass(eq=False)
class Session:
    """What RESUME comes back to: the events by number, also those that nobody was there to get."""

    id: str
    shard: tuple[int, int]
    intents: int
    connection: Connection | None = None
    sequence: int = 0
    events: list[tuple[int, str]] = field(default_factory=list)

    def dispatch(self, event: str, data: Json) -> None:
        self.sequence += 1
        packet = {"op": DISPATCH, "t": event, "s": self.sequence, "d": data}
        self.events.append((self.sequence, json.dumps(packet)))
        if self.connection is not None:
            self.connection.send_text(self.events[-1][1])

    def covers(self, guild: Guild | None) -> bool:
        number, count = self.shard
        return (int(guild.id) >> 22) % count == number if guild else number == 0


@dataclass(frozen=True, slots=True)
class Identified:
    at: float
    intents: int
    shard: tuple[int, int]
    payload: Json


class Connection:
    """A websocket; what is sent waits in a queue, so that events can be told from anywhere."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.request, self.socket = request, socket
        self.path = request.path
        self.session: Session | None = None
        self.silent = self.closing = False
        self.sends: deque[float] = deque(maxlen=SENDS)
        asked = request.query.get("compress") == "zlib-stream"
        self._deflate = zlib.compressobj() if asked else None
        self._outgoing: asyncio.Queue[str | int | None] = asyncio.Queue()

    def send(self, op: int, data: Any = None) -> None:
        self.send_text(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    def send_text(self, text: str) -> None:
        if not self.silent:
            self._outgoing.put_nowait(text)

    def close(self, code: int | None) -> None:
        """After what was sent before; None: without a word, as a broken line."""
        self.closing = True
        self._outgoing.put_nowait(code)

    def lost(self) -> None:
        if self.session is not None and self.session.connection is self:
            self.session.connection = None

    async def write(self) -> None:
        while True:
            item = await self._outgoing.get()
            if isinstance(item, str):
                with contextlib.suppress(ConnectionError):
                    if self._deflate is None:
                        await self.socket.send_str(item)
                    else:
                        data = self._deflate.compress(item.encode())
                        await self.socket.send_bytes(data + self._deflate.flush(zlib.Z_SYNC_FLUSH))
                continue
            self.lost()
            if item is None:
                if self.request.transport is not None:
                    self.request.transport.abort()
            else:
                await self.socket.close(code=item)
            return


class Gateway:
    """Attributes are settings: change them whenever; methods make trouble at once.

    *pace*: seconds that must lie between two IDENTIFYs; quicker ones are disliked, not refused
    (Discord answers INVALID_SESSION and, at 1,000 a day, resets the token).
    """

    def __init__(self, world: World, token: str, timer: Timer) -> None:
        self.world, self.token = world, token
        self.url = ""
        self.heartbeat_interval = 41.25
        self.allowed_intents = KNOWN_INTENTS & ~PRIVILEGED
        self.acks = True
        self.pace = 5.0
        self.shards = 1
        self.max_concurrency = 1
        self.starts_left = 1000
        self.identified: list[Identified] = []
        self.resumed: list[Json] = []
        self.heartbeats: list[int | None] = []
        self.opened: list[str] = []
        self.connections: list[Connection] = []
        self.sessions: dict[str, Session] = {}
        self._timer = timer
        self._drops: list[tuple[Phase, int | None]] = []

    @property
    def ready(self) -> bool:
        """Every shard has a session that is connected."""
        live = {s.shard for s in self.sessions.values() if s.connection is not None}
        return any(len([s for s in live if s[1] == count]) == count for _, count in live)

    # Trouble

    def drop_at(self, phase: Phase, *, code: int | None = None, times: int = 1) -> None:
        """Break the next connections once they have come so far; *code*: close them with it."""
        self._drops += [(phase, code)] * times

    def drop(self, code: int | None = None) -> None:
        """Break the connections that are there; with 4009 their sessions are over, too."""
        if code == 4009:
            self.forget()
        for connection in list(self.connections):
            connection.close(code)

    def reconnect(self) -> None:
        for connection in self.connections:
            connection.send(RECONNECT)

    def invalidate(self, *, resumable: bool) -> None:
        if not resumable:
            self.forget()
        for connection in self.connections:
            connection.send(INVALID_SESSION, resumable)

    def forget(self) -> None:
        """A RESUME finds its session no more."""
        self.sessions.clear()

    def zombie(self) -> None:
        """Say nothing more on the connections that are there, and leave them open."""
        for connection in self.connections:
            connection.silent = True

    def ask_heartbeat(self) -> None:
        for connection in self.connections:
            connection.send(HEARTBEAT)

    # Events

    def dispatch(self, event: str, data: Json, guild: Guild | None = None) -> None:
        for session in self.sessions.values():
            if session.covers(guild) and self._wanted(session, event, data, guild):
                session.dispatch(event, self._shown(session, data, guild, event))
        self.world.changed()

    def _wanted(self, session: Session, event: str, data: Json, guild: Guild | None) -> bool:
        if event == "INTERACTION_CREATE":
            return True
        if event.startswith("GUILD_MEMBER"):
            own = data["user"]["id"] == self.world.bot.id and event == "GUILD_MEMBER_UPDATE"
            return own or bool(session.intents & GUILD_MEMBERS)
        if event.startswith("MESSAGE"):
            return bool(session.intents & (GUILD_MESSAGES if guild else DIRECT_MESSAGES))
        return bool(session.intents & GUILDS)

    def _shown(self, session: Session, data: Json, guild: Guild | None, event: str) -> Json:
        """Without the content intent, what people wrote to others is blank."""
        if not event.startswith("MESSAGE") or "content" not in data:
            return data
        bot = self.world.bot.id
        mine = data["author"]["id"] == bot or any(u["id"] == bot for u in data["mentions"])
        if guild is None or mine or session.intents & MESSAGE_CONTENT:
            return data
        return data | {"content": "", "embeds": [], "attachments": [], "components": []}

    # The conversation

    async def serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=True, heartbeat=None, max_msg_size=0)
        await socket.prepare(request)
        connection = Connection(request, socket)
        self.connections.append(connection)
        self.opened.append(request.path)
        writer = asyncio.create_task(connection.write())
        try:
            if self._breaks("connect", connection):
                await writer
                return socket
            if request.query.get("v") != "10" or request.query.get("encoding") != "json":
                connection.close(4012)
            connection.send(HELLO, {"heartbeat_interval": int(self.heartbeat_interval * 1000)})
            self._breaks("hello", connection)
            self.world.changed()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._received(connection, message.data)
        finally:
            connection.lost()
            self.connections.remove(connection)
            self._ended(connection)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            self.world.changed()
        return socket

    def _breaks(self, phase: Phase, connection: Connection) -> bool:
        for drop in self._drops:
            if drop[0] == phase:
                self._drops.remove(drop)
                connection.close(drop[1])
                return True
        return False

    def _ended(self, connection: Connection) -> None:
        """A session ends when the bot closes with 1000 or 1001, not when its line breaks."""
        if connection.closing:
            return
        if connection.socket.close_code in (1000, 1001) and connection.session is not None:
            self.sessions.pop(connection.session.id, None)

    def _received(self, connection: Connection, text: str) -> None:
        now = self._timer()
        if len(connection.sends) == SENDS and now - connection.sends[0] < PER_SECONDS:
            self.world.dislike("gateway", "more than 120 sends in 60 seconds")
            return connection.close(4008)
        connection.sends.append(now)
        try:
            packet = json.loads(text)
            op, data = packet["op"], packet.get("d")
        except (ValueError, KeyError, TypeError):
            return connection.close(4002)
        if len(text.encode()) > LARGEST_SEND:
            self.world.dislike("gateway", f"a send of {len(text.encode())} bytes")
            return connection.close(4002)
        if op == HEARTBEAT:
            self.heartbeats.append(data)
            if self.acks:
                connection.send(ACK)
        elif op == IDENTIFY:
            self._identify(connection, data)
        elif op == RESUME:
            self._resume(connection, data)
        elif connection.session is None:
            connection.close(4003)
        elif op == MEMBERS:
            self._send_members(connection.session, data)
        elif op not in (PRESENCE, VOICE):
            connection.close(4001)
        return self.world.changed()

    def _identify(self, connection: Connection, data: Json) -> None:
        if connection.session is not None:
            return connection.close(4005)
        now = self._timer()
        shard = tuple(data.get("shard") or (0, 1))
        bucket = shard[0] % self.max_concurrency
        last = [i.at for i in self.identified if i.shard[0] % self.max_concurrency == bucket]
        if last and now - last[-1] < self.pace:
            self.world.dislike("identify", f"again after {now - last[-1]:.2f} seconds")
        intents = data.get("intents", 0)
        self.identified.append(Identified(now, intents, (shard[0], shard[1]), data))
        self.starts_left -= 1
        if self._breaks("identify", connection):
            return None
        if data.get("token", "").removeprefix("Bot ") != self.token:
            return connection.close(4004)
        if len(shard) != 2 or not 0 <= shard[0] < shard[1]:
            return connection.close(4010)
        if intents & ~KNOWN_INTENTS:
            return connection.close(4013)
        if intents & ~self.allowed_intents:
            return connection.close(4014)
        return self._start(connection, (shard[0], shard[1]), intents)

    def _start(self, connection: Connection, shard: tuple[int, int], intents: int) -> None:
        world = self.world
        session = Session(f"session{world.new_id()}", shard, intents, connection)
        for old in [s for s in self.sessions.values() if s.shard == shard and not s.connection]:
            del self.sessions[old.id]  # nobody comes back to it
        self.sessions[session.id] = connection.session = session
        guilds = [g for g in world.guilds.values() if g.joined and session.covers(g)]
        session.dispatch(
            "READY",
            {
                "v": 10, "user": world.bot.json() | {"verified": True, "mfa_enabled": False},
                "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
                "session_id": session.id, "resume_gateway_url": f"{self.url}/resume",
                "session_type": "normal", "shard": list(shard), "private_channels": [],
                "application": {"id": world.bot.id, "flags": 0},
            },
        )  # fmt: skip
        for guild in (g for g in guilds if g.available and intents & GUILDS):
            data = guild.created_json(world.bot) | {"unavailable": False}
            session.dispatch("GUILD_CREATE", data)
        self._breaks("ready", connection)

    def _resume(self, connection: Connection, data: Json) -> None:
        self.resumed.append(data)
        if data.get("token", "").removeprefix("Bot ") != self.token:
            return connection.close(4004)
        session = self.sessions.get(data.get("session_id", ""))
        if session is None:
            return connection.send(INVALID_SESSION, False)
        seen = data.get("seq") or 0
        if seen > session.sequence:
            del self.sessions[session.id]
            return connection.close(4007)
        if session.connection is not None:
            session.connection.close(None)
            session.connection.lost()
        session.connection, connection.session = connection, session
        for number, text in session.events:
            if number > seen:
                connection.send_text(text)
        session.dispatch("RESUMED", {})
        self._breaks("ready", connection)
        return None

    def _send_members(self, session: Session, data: Json) -> None:
        """Members by id or by the beginning of the name; all only with the members intent."""
        guild = self.world.guilds[str(data["guild_id"])]
        ids = [str(i) for i in data.get("user_ids") or ()]
        query, limit = (data.get("query") or "").lower(), data.get("limit") or 0
        found = [
            member
            for i, member in guild.members.items()
            if (i in ids if ids else member.user.name.lower().startswith(query))
        ]
        if not query and not ids and not session.intents & GUILD_MEMBERS:
            found = []
        members = found[:limit] if limit else found
        session.dispatch(
            "GUILD_MEMBERS_CHUNK",
            {
                "guild_id": guild.id, "members": [m.json() for m in members], "chunk_index": 0,
                "chunk_count": 1, "not_found": [i for i in ids if i not in guild.members],
                "nonce": data.get("nonce"),
            },
        )  # fmt: skip
