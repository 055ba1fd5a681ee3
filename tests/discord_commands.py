"""The REST routes of the local Discord about application commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from tests import discord_rules as rules
from tests.discord_rest import Answer, Request, route
from tests.discord_rules import Refused, refuse_if
from tests.discord_state import Json
from tests.discord_world import World

CREATES_A_DAY = 200
GLOBAL_ROUTE = "/applications/{application_id}/commands"
GUILD_ROUTE = "/applications/{application_id}/guilds/{guild_id}/commands"


def scope_of(world: World, request: Request) -> str:
    """The server whose commands are meant; "": all servers."""
    if request.params["application_id"] != world.bot.id:
        raise Refused(
            403, 20012, "You are not authorized to perform this action on this application"
        )
    identity = request.params.get("guild_id", "")
    if identity:
        guild = world.guilds.get(identity)
        if guild is None or not guild.joined or not guild.commands_scope:
            raise Refused(403, 50001)
    return identity


def command_of(world: World, request: Request) -> Json:
    found = world.commands.get(scope_of(world, request), {}).get(request.params["command_id"])
    if found is None:
        raise Refused(404, 10063)
    return found


def stored(world: World, scope: str, given: Json, known: Json | None) -> Json:
    """As Discord gives a command back."""
    kind = given.get("type") or rules.CHAT_INPUT
    allowed = given.get("default_member_permissions")
    made: Json = {
        "id": known["id"] if known else world.new_id(), "application_id": world.bot.id,
        "version": world.new_id(), "type": kind, "name": given["name"],
        "description": given.get("description") or "",
        "default_member_permissions": None if allowed is None else str(allowed),
        "name_localizations": given.get("name_localizations"),
        "description_localizations": given.get("description_localizations"),
        "nsfw": bool(given.get("nsfw")), "integration_types": given.get("integration_types") or [0],
        "contexts": given.get("contexts"), "dm_permission": given.get("dm_permission", True),
    }  # fmt: skip
    if given.get("options"):
        made["options"] = [_without_nulls(option) for option in given["options"]]
    if scope:
        made["guild_id"] = scope
        del made["contexts"], made["dm_permission"]
    return made


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def _known(commands: Iterable[Json], given: Json) -> Json | None:
    kind = given.get("type") or rules.CHAT_INPUT
    return next((c for c in commands if (c["name"], c["type"]) == (given["name"], kind)), None)


def count_creates(world: World, scope: str, number: int) -> None:
    """200 a day and server; a name that is known is an update and costs nothing."""
    day = world.clock() - timedelta(days=1)
    created = world.commands_created.setdefault(scope, [])
    created[:] = [at for at in created if at > day]
    if len(created) + number > CREATES_A_DAY:
        raise Refused(400, 30034)
    created += [world.clock()] * number


def get_all(world: World, request: Request) -> Answer:
    return 200, list(world.commands.get(scope_of(world, request), {}).values())


def replace_all(world: World, request: Request) -> Answer:
    scope, given = scope_of(world, request), request.body or []
    refuse_if(rules.commands_problems(given))
    rules.refuse_too_many(given)
    before = world.commands.get(scope, {}).values()
    pairs = [(command, _known(before, command)) for command in given]
    count_creates(world, scope, sum(known is None for _, known in pairs))
    if given and given == world.last_sync.get(scope):
        world.dislike("sync", "the same commands were registered again")
    world.last_sync[scope] = given
    made = [stored(world, scope, command, known) for command, known in pairs]
    world.commands[scope] = {command["id"]: command for command in made}
    return 200, made


def create(world: World, request: Request) -> Answer:
    """An upsert: a command of that name is replaced."""
    scope, given = scope_of(world, request), request.body
    refuse_if(rules.command_problems(given))
    commands = world.commands.setdefault(scope, {})
    known = _known(commands.values(), given)
    if known is None:
        rules.refuse_too_many([*commands.values(), given])
        count_creates(world, scope, 1)
    made = stored(world, scope, given, known)
    commands[made["id"]] = made
    return (200 if known else 201), made


def get(world: World, request: Request) -> Answer:
    return 200, command_of(world, request)


def change(world: World, request: Request) -> Answer:
    found = command_of(world, request)
    given = found | request.body
    refuse_if(rules.command_problems(given))
    scope = scope_of(world, request)
    world.commands[scope][found["id"]] = stored(world, scope, given, found)
    return 200, world.commands[scope][found["id"]]


def delete(world: World, request: Request) -> Answer:
    del world.commands[scope_of(world, request)][command_of(world, request)["id"]]
    return 204, None


for place in (GLOBAL_ROUTE, GUILD_ROUTE):
    route(f"GET {place}")(get_all)
    route(f"PUT {place}")(replace_all)
    route(f"POST {place}")(create)
    route(f"GET {place}/{{command_id}}")(get)
    route(f"PATCH {place}/{{command_id}}")(change)
    route(f"DELETE {place}/{{command_id}}")(delete)
