"""What people do in the local Discord: slash commands, completions, clicks, forms.

Each driver sends the interaction as Discord does, and waits until the person has an answer before
them. What a person's client would not let them do raises `CannotDo`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests import discord_rules as rules
from tests.discord_interactions import Asked, Exchange, Modal
from tests.discord_messages import stored
from tests.discord_rest import File
from tests.discord_state import (
    IN_DMS,
    Channel,
    Guild,
    Json,
    Kind,
    Message,
    P,
    Role,
    User,
    permissions,
    walk,
)
from tests.discord_world import World

IN_GUILD, IN_BOT_DM = 0, 1  # contexts
STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
CHECKBOX_GROUP, CHECKBOX, RADIO = 22, 23, 21
Value = str | int | float | bool | User | Channel | Role | File


class CannotDo(AssertionError):
    """The person's client does not offer it, or refuses the value."""


class People(World):
    """A world whose people can ask the bot. *patience*: seconds that a driver waits for an answer."""

    patience = 5.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[asyncio.Future[None]] = set()

    # Waiting

    def changed(self) -> None:
        """Something happened: whoever waits looks again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, holds: Callable[[], object], *, patience: float | None = None) -> bool:
        """Wait until a condition on the server holds; False after *patience* seconds."""
        try:
            async with asyncio.timeout(self.patience if patience is None else patience):
                while not holds():
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    try:
                        await future
                    finally:
                        self._waiting.discard(future)
        except TimeoutError:
            return bool(holds())
        return True

    # Commands

    async def slash(
        self, user: User, channel: Channel, command: str, /, **options: Value
    ) -> Exchange:
        """``await server.slash(ann, papers, "papers search", query="agents", limit=5)``."""
        data = self._command_data(user, channel, command, options)
        return await self._ask(Asked.COMMAND, user, channel, data)

    async def autocomplete(
        self, user: User, channel: Channel, command: str, focused: str, typed: str, /,
        **options: Value,
    ) -> Exchange:  # fmt: skip
        """The choices while the option *focused* holds what was *typed* so far."""
        data = self._command_data(user, channel, command, options | {focused: typed}, focused)
        return await self._ask(Asked.COMPLETION, user, channel, data)

    async def message_menu(self, user: User, message: Message, name: str) -> Exchange:
        """Apps → *name* on a message."""
        command = self._registered(user, message.channel, name, rules.MESSAGE_MENU)
        self._look_at(user, message)
        data = {
            "id": command["id"], "name": name, "type": rules.MESSAGE_MENU, "target_id": message.id,
            "resolved": {"messages": {message.id: message.json()}},
        }  # fmt: skip
        return await self._ask(Asked.COMMAND, user, message.channel, data)

    def available(self, user: User, channel: Channel) -> list[Json]:
        """The commands that Discord shows this person here."""
        guild = channel.guild
        if guild is None:
            return [
                c
                for c in self.commands.get("", {}).values()
                if c["dm_permission"] is not False
                and IN_BOT_DM in (c["contexts"] or [IN_GUILD, IN_BOT_DM])
            ]
        has = permissions(user, channel)
        if not guild.joined or P.USE_APPLICATION_COMMANDS not in has:
            return []
        everywhere = self.commands.get("", {}).values()
        known = [c for c in everywhere if IN_GUILD in (c["contexts"] or [IN_GUILD])]
        known += self.commands.get(guild.id, {}).values()
        return [c for c in known if _permitted(c["default_member_permissions"], has)]

    def _registered(self, user: User, channel: Channel, name: str, kind: int) -> Json:
        if channel.kind in (Kind.FORUM, Kind.CATEGORY):
            raise CannotDo(f"there is nowhere to type in {channel.name}")
        if channel.guild and P.VIEW_CHANNEL not in permissions(user, channel):
            raise CannotDo(f"{user.name} does not see {channel.name}")
        if channel.archived:
            raise CannotDo("commands are not offered in archived threads")
        found = [c for c in self.available(user, channel) if (c["name"], c["type"]) == (name, kind)]
        if not found:
            raise CannotDo(f"{user.name} is not offered {name!r} in {channel.name or 'DMs'}")
        return found[-1]  # that of the server hides that of everywhere

    def _command_data(
        self,
        user: User,
        channel: Channel,
        words: str,
        options: Mapping[str, Value],
        focused: str = "",
    ) -> Json:
        name, *path = words.removeprefix("/").split()
        command = self._registered(user, channel, name, rules.CHAT_INPUT)
        resolved: Json = {}
        place, steps = command, []
        for step in path:
            inner = [o for o in place.get("options", ()) if o["name"] == step and o["type"] in (1, 2)]  # fmt: skip
            if not inner:
                raise CannotDo(f"/{words}: there is no {step!r}")
            place = inner[0]
            steps.append(place)
        known = {option["name"]: option for option in place.get("options", ())}
        if any(option["type"] in (1, 2) for option in known.values()):
            raise CannotDo(f"/{words}: one of {', '.join(known)} must follow")
        if unknown := set(options) - set(known):
            raise CannotDo(f"/{words} has no option {', '.join(unknown)}")
        missing = [n for n, o in known.items() if o.get("required") and n not in options]
        if missing and not focused:
            raise CannotDo(f"/{words} requires {', '.join(missing)}")
        given: list[Json] = []
        for option_name, value in options.items():
            option = known[option_name]
            if option_name == focused:
                if not option.get("autocomplete"):
                    raise CannotDo(f"{option_name} is not completed")
                given.append({"name": option_name, "type": option["type"], "value": value, "focused": True})  # fmt: skip
                continue
            sent = self._option(option, value, channel, user, resolved)
            given.append({"name": option_name, "type": option["type"], "value": sent})
        for step in reversed(steps):
            given = [{"name": step["name"], "type": step["type"], "options": given}]
        data = {"id": command["id"], "name": name, "type": rules.CHAT_INPUT, "options": given}
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return data | ({"resolved": resolved} if resolved else {})

    def _option(
        self, option: Json, value: Value, channel: Channel, user: User, resolved: Json
    ) -> Any:
        kind, name = option["type"], option["name"]
        if option.get("choices"):
            fits = [c["value"] for c in option["choices"] if value in (c["value"], c["name"])]
            if not fits:
                raise CannotDo(f"{value!r} is no choice of {name}")
            return fits[0]
        if kind == STRING:
            if not isinstance(value, str):
                raise CannotDo(f"{name} takes a text")
            if not option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000):
                raise CannotDo(f"{name}: {len(value)} characters are too few or too many")
            return value
        if kind in (INTEGER, NUMBER):
            if isinstance(value, bool) or not isinstance(value, int if kind == INTEGER else int | float):  # fmt: skip
                raise CannotDo(f"{name} takes a number")
            least, most = option.get("min_value", -(2**53)), option.get("max_value", 2**53)
            if not least <= value <= most:
                raise CannotDo(f"{name}: {value} is not between {least} and {most}")
            return value
        wanted = {BOOLEAN: bool, USER: User, CHANNEL: Channel, ROLE: Role, MENTIONABLE: User | Role, ATTACHMENT: File}[kind]  # fmt: skip
        if not isinstance(value, wanted):
            raise CannotDo(f"{name} takes another kind of value")
        if isinstance(value, Channel) and option.get("channel_types") and value.kind not in option["channel_types"]:  # fmt: skip
            raise CannotDo(f"{name} takes other channels")
        return value if isinstance(value, bool) else self._resolve(value, channel, user, resolved)

    def _resolve(self, value: Value, channel: Channel, user: User, resolved: Json) -> str:
        """The id of a thing, which is described beside the options."""
        if isinstance(value, File):
            attachment = stored(self, f"ephemeral-{channel.id}", value) | {"ephemeral": True}
            resolved.setdefault("attachments", {})[attachment["id"]] = attachment
            return str(attachment["id"])
        if isinstance(value, Channel):
            may = str(int(permissions(user, value)))
            resolved.setdefault("channels", {})[value.id] = value.json() | {"permissions": may}
            return value.id
        if isinstance(value, Role):
            resolved.setdefault("roles", {})[value.id] = value.json()
            return value.id
        assert isinstance(value, User)
        resolved.setdefault("users", {})[value.id] = value.json()
        if channel.guild and value.id in channel.guild.members:
            member = channel.guild.members[value.id].json()
            partial = {k: v for k, v in member.items() if k not in ("user", "mute", "deaf")}
            may = str(int(permissions(value, channel)))
            resolved.setdefault("members", {})[value.id] = partial | {"permissions": may}
        return value.id

    # Components

    async def click(self, user: User, message: Message, button: str) -> Exchange:
        """Click the button with this label or custom_id."""
        found = self._component(user, message, button, (rules.BUTTON,))
        if "custom_id" not in found:
            raise CannotDo(f"{button!r} is a link")
        data = {"custom_id": found["custom_id"], "component_type": rules.BUTTON, "id": found["id"]}
        return await self._ask(Asked.COMPONENT, user, message.channel, data, message)

    async def select(
        self, user: User, message: Message, menu: str, /, *values: str | User | Role | Channel
    ) -> Exchange:
        """Choose in the menu with this custom_id or placeholder; options by value or label."""
        found = self._component(user, message, menu, rules.SELECTS)
        least, most = found.get("min_values", 1), found.get("max_values", 1)
        if not least <= len(values) <= most:
            raise CannotDo(f"between {least} and {most} values must be chosen")
        resolved: Json = {}
        chosen = [self._chosen(found, v, message.channel, user, resolved) for v in values]
        data = {
            "custom_id": found["custom_id"], "component_type": found["type"], "values": chosen,
            "id": found["id"],
        }  # fmt: skip
        if resolved:
            data["resolved"] = resolved
        return await self._ask(Asked.COMPONENT, user, message.channel, data, message)

    def _chosen(
        self, menu: Json, value: Value, channel: Channel, user: User, resolved: Json
    ) -> str:
        if not isinstance(value, str):
            return self._resolve(value, channel, user, resolved)
        fits = [o["value"] for o in menu.get("options", ()) if value in (o["value"], o["label"])]
        if not fits:
            raise CannotDo(f"{value!r} is no option")
        return str(fits[0])

    def _component(self, user: User, message: Message, name: str, kinds: Iterable[int]) -> Json:
        self._look_at(user, message)
        everything = [c for c in walk(message.components) if c["type"] in kinds]
        found = [c for c in everything if name in (c.get("custom_id"), c.get("label"), c.get("placeholder"))]  # fmt: skip
        if not found:
            there = [c.get("label") or c.get("placeholder") for c in everything]
            raise CannotDo(f"no {name!r} among {there}")
        if found[0].get("disabled"):
            raise CannotDo(f"{name!r} is greyed out")
        return found[0]

    def _look_at(self, user: User, message: Message) -> None:
        hidden = message.ephemeral and message.seen_by is not user
        channel = message.channel
        if channel.guild and P.VIEW_CHANNEL not in permissions(user, channel):
            hidden = True
        if channel.person is not None and channel.person is not user:
            hidden = True
        if message.deleted or hidden:
            raise CannotDo(f"{user.name} does not see this message")

    async def submit(
        self, user: User, modal: Modal, values: Mapping[str, Any] | None = None
    ) -> Exchange:
        """Send a form; *values* by custom_id or label, what is not named stays as it stands there."""
        if user is not modal.exchange.user:
            raise CannotDo(f"the form is before {modal.exchange.user.name}")
        if not modal.open:
            raise CannotDo("the form is closed")
        given = dict(values or {})
        resolved: Json = {}
        components = [self._filled(c, given, modal, resolved) for c in modal.components]
        if given:
            raise CannotDo(f"the form has no {', '.join(given)}")
        data: Json = {"custom_id": modal.custom_id, "components": components}
        if resolved:
            data["resolved"] = resolved
        channel, source = modal.exchange.channel, modal.exchange.source
        asked = await self._ask(Asked.MODAL, user, channel, data, source)
        modal.open = asked.callback is None  # unanswered it stays, with "Something went wrong"
        return asked

    def _filled(self, component: Json, given: Json, modal: Modal, resolved: Json) -> Json:
        made = {"type": component["type"], "id": component.get("id", 0)}
        if "components" in component:
            inner = component["components"]
            return made | {"components": [self._filled(c, given, modal, resolved) for c in inner]}
        if "component" in component:
            labelled = {**component["component"], "label": component.get("label", "")}
            return made | {"component": self._filled(labelled, given, modal, resolved)}
        if "custom_id" not in component:
            return made
        name, label = component["custom_id"], component.get("label") or ""
        value = given.pop(name) if name in given else given.pop(label, None)
        return made | {"custom_id": name} | self._entered(component, value, modal, resolved)

    def _entered(self, component: Json, value: Any, modal: Modal, resolved: Json) -> Json:
        kind, name = component["type"], component.get("label") or component["custom_id"]
        required = component.get("required") is not False
        if kind == rules.INPUT:
            text = (component.get("value") or "") if value is None else value
            least, most = component.get("min_length") or 0, component.get("max_length") or 4000
            if not isinstance(text, str) or (required and not text):
                raise CannotDo(f"{name} must be filled in")
            if text and not least <= len(text) <= most:
                raise CannotDo(f"{name}: {len(text)} characters, {least} to {most} are allowed")
            return {"value": text}
        if kind == CHECKBOX:
            return {"value": bool(component.get("default")) if value is None else value}
        if value is None:
            options = component.get("options", ())
            value = [o["value"] for o in options if o.get("default")]
        wanted = [value] if isinstance(value, str | User | Role | Channel | File) else list(value)
        if required and not wanted:
            raise CannotDo(f"{name} must be chosen")
        least = component.get("min_values")
        least = 1 if least is None and kind != CHECKBOX_GROUP else least or 0
        many = len(component.get("options", ())) if kind == CHECKBOX_GROUP else 1
        most = component.get("max_values") or many
        if (wanted or required) and not least <= len(wanted) <= most:
            raise CannotDo(f"{name}: between {least} and {most} must be chosen")
        user, channel = modal.exchange.user, modal.exchange.channel
        chosen = [self._chosen(component, v, channel, user, resolved) for v in wanted]
        if kind == RADIO:
            return {"value": chosen[0] if chosen else None}
        return {"values": chosen}

    # Sending

    async def _ask(
        self, kind: Asked, user: User, channel: Channel, data: Json, source: Message | None = None
    ) -> Exchange:
        """Send INTERACTION_CREATE and wait for the answer."""
        payload = self.interaction(kind, user, channel, data, source)
        asked = Exchange(payload["id"], payload["token"], kind, user, channel, self.clock(), payload, source)  # fmt: skip
        self.exchanges[asked.token] = asked
        self.emit("INTERACTION_CREATE", payload, channel.guild)
        await self.until(lambda: asked.settled)
        return asked

    def interaction(
        self, kind: Asked, user: User, channel: Channel, data: Json, source: Message | None = None
    ) -> Json:
        """The payload, as "interaction object" of the documentation describes it."""
        guild, identity = channel.guild, self.new_id()
        may = permissions(user, channel)
        payload: Json = {
            "id": identity, "application_id": self.bot.id, "type": int(kind), "data": data,
            "token": f"interaction-{identity}-token", "version": 1, "locale": user.locale,
            "channel_id": channel.id, "entitlements": [], "attachment_size_limit": rules.LARGEST_FILE,
            "channel": channel.json() | {"permissions": str(int(may))},
            "context": IN_GUILD if guild else IN_BOT_DM,
            "authorizing_integration_owners": {"0": guild.id if guild else "0"},
        }  # fmt: skip
        if source is not None:
            payload["message"] = source.json()
        if guild is None:
            return payload | {"user": user.json(), "app_permissions": str(int(IN_DMS))}
        return payload | self._place(guild, user, channel, may)

    def _place(self, guild: Guild, user: User, channel: Channel, may: P) -> Json:
        return {
            "guild_id": guild.id, "guild_locale": guild.locale,
            "guild": {"id": guild.id, "locale": guild.locale, "features": []},
            "member": guild.members[user.id].json() | {"permissions": str(int(may))},
            "app_permissions": str(int(permissions(self.bot, channel))),
        }  # fmt: skip


def _permitted(wanted: str | None, has: P) -> bool:
    """Administrators may all; a command that wants "0" is for them alone."""
    if wanted is None:
        return True
    return P.ADMINISTRATOR in has or (wanted != "0" and P(int(wanted)) in has)
