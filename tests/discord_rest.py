"""The REST routes of the local Discord: what all share; users, servers and channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.discord_rules import Refused
from tests.discord_state import Channel, Guild, P, permissions
from tests.discord_world import World


@dataclass(frozen=True, slots=True)
class File:
    name: str
    data: bytes
    content_type: str = "application/octet-stream"


@dataclass
class Request:
    """A request as it came; *status* 0: no answer went out. *route* is ``METHOD /path/{names}``."""

    route: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: datetime
    body: Any = None
    files: list[File] = field(default_factory=list)
    status: int = 0
    answer: Any = None


Answer = tuple[int, Any]
Handler = Callable[[World, Request], Answer]
ROUTES: dict[str, Handler] = {}


def route(name: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        ROUTES[name] = handler
        return handler

    return add


# Who may what


def need(world: World, channel: Channel, *wanted: P) -> None:
    """50001 where the bot does not see the channel, 50013 where it lacks something else."""
    if channel.guild is None:
        return
    has = permissions(world.bot, channel)
    if not channel.guild.joined or P.VIEW_CHANNEL not in has:
        raise Refused(403, 50001)
    if any(permission not in has for permission in wanted):
        raise Refused(403, 50013)


def channel_of(world: World, request: Request, *wanted: P) -> Channel:
    channel = world.channels.get(request.params["channel_id"])
    if channel is None:
        raise Refused(404, 10003)
    need(world, channel, *wanted)
    return channel


def guild_of(world: World, request: Request) -> Guild:
    guild = world.guilds.get(request.params["guild_id"])
    if guild is None or not guild.joined:
        raise Refused(404, 10004)
    return guild


# Users and servers


@route("GET /users/@me")
def me(world: World, request: Request) -> Answer:
    return 200, world.bot.json() | {"mfa_enabled": False, "locale": "en-US", "verified": True}


@route("GET /users/{user_id}")
def user(world: World, request: Request) -> Answer:
    if (found := world.users.get(request.params["user_id"])) is None:
        raise Refused(404, 10013)
    return 200, found.json()


@route("GET /applications/@me")
@route("GET /oauth2/applications/@me")
def application(world: World, request: Request) -> Answer:
    owner = next((guild.owner for guild in world.guilds.values()), world.bot)
    return 200, {
        "id": world.bot.id, "name": world.bot.name, "icon": None, "description": "",
        "type": None, "verify_key": "0" * 64, "flags": 0, "flags_new": "0", "redirect_uris": [],
        "interactions_endpoint_url": world.interactions_url, "role_connections_verification_url": None,
        "owner": owner.json(), "approximate_guild_count": len(world.guilds), "team": None,
        "approximate_user_install_count": 0, "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0, "eligible_oauth2_scopes": [], "bot_public": True,
        "bot_require_code_grant": False, "bot": world.bot.json(),
    }  # fmt: skip


@route("POST /users/@me/channels")
def open_dm(world: World, request: Request) -> Answer:
    """It opens in any case; only sending shows whether the person takes messages."""
    person = world.users.get(str(request.body.get("recipient_id")))
    if person is None or person.bot:
        raise Refused(400, 50033)
    return 200, world.dm(person).json()


@route("GET /users/@me/guilds")
def my_guilds(world: World, request: Request) -> Answer:
    return 200, [
        {
            "id": g.id, "name": g.name, "icon": None, "banner": None, "owner": False,
            "features": [],
            "permissions": str(int(g.everyone.permissions)),
        }
        for g in world.guilds.values()
        if g.joined
    ]  # fmt: skip


@route("DELETE /users/@me/guilds/{guild_id}")
def leave_guild(world: World, request: Request) -> Answer:
    world.kick(guild_of(world, request))
    return 204, None


@route("GET /users/@me/guilds/{guild_id}/member")
def my_member(world: World, request: Request) -> Answer:
    return 200, guild_of(world, request).members[world.bot.id].json()


@route("GET /guilds/{guild_id}")
def guild(world: World, request: Request) -> Answer:
    found = guild_of(world, request)
    counts = {"approximate_member_count": len(found.members), "approximate_presence_count": 1}
    return 200, found.json() | (counts if request.query.get("with_counts") else {})


@route("GET /guilds/{guild_id}/channels")
def guild_channels(world: World, request: Request) -> Answer:
    return 200, [channel.json() for channel in guild_of(world, request).channels.values()]


@route("GET /guilds/{guild_id}/roles")
def guild_roles(world: World, request: Request) -> Answer:
    return 200, [role.json() for role in guild_of(world, request).roles.values()]


@route("GET /guilds/{guild_id}/members/{user_id}")
def guild_member(world: World, request: Request) -> Answer:
    member = guild_of(world, request).members.get(request.params["user_id"])
    if member is None:
        raise Refused(404, 10007)
    return 200, member.json()


# Channels


@route("GET /channels/{channel_id}")
def channel(world: World, request: Request) -> Answer:
    return 200, channel_of(world, request).json()


@route("DELETE /channels/{channel_id}")
def delete_channel(world: World, request: Request) -> Answer:
    found = channel_of(world, request)
    need(world, found, P.MANAGE_THREADS if found.is_thread else P.MANAGE_CHANNELS)
    data = found.json()
    world.delete_channel(found)
    return 200, data


@route("POST /channels/{channel_id}/typing")
def typing(world: World, request: Request) -> Answer:
    channel_of(world, request, P.SEND_MESSAGES)
    return 204, None
