"""What people do in the local Slack: commands, clicks, modals, shortcuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests import slack_fields as fields
from tests.slack_exchange import Exchange
from tests.slack_fields import Impossible
from tests.slack_happenings import TOKEN, Happenings, member
from tests.slack_state import Channel, Json, Message, User, View
from tests.slack_text import typed


class People(Happenings):
    """The drivers of ``SlackServer``: each sends one payload and returns its Exchange."""

    async def command(
        self, user: User, channel: Channel, command: str, text: str = "", *, raw: bool = False
    ) -> Exchange:
        """*raw*: the text is sent as given, not as Slack writes what is typed."""
        member(user, channel)
        if channel.archived:
            raise Impossible(f"{channel.name} is archived")
        workspace = self._installed(user)
        escape = self.state.app.escapes and not raw
        exchange = self._exchange("slash_commands", workspace, user, channel, responds=True)
        exchange.payload = {
            "token": TOKEN,
            "team_id": workspace.id,
            "team_domain": workspace.domain,
            "channel_id": channel.id,
            "channel_name": _public_name(channel),
            "user_id": user.id,
            "user_name": user.name,
            "command": command,
            "text": typed(text.strip()) if escape else text,
            "api_app_id": self.state.app.id,
            "is_enterprise_install": "false",
            "response_url": exchange.response_url,
            "trigger_id": exchange.trigger_id,
        }
        return await self._tell(exchange)

    async def click(self, user: User, where: Message | View, button: str) -> Exchange:
        """A button by its text, action_id or value."""
        block, element = self._find(user, where, button)
        if element["type"] != "button":
            raise Impossible(f"{button!r} is no button but a {element['type']}")
        return await self._act(user, where, block, element, None)

    async def select(
        self, user: User, where: Message | View, name: str, *values: str | Json
    ) -> Exchange:
        """Choose in the element with this action_id (or of this block_id); options by value or text."""
        block, element = self._find(user, where, name)
        suggested: Sequence[Json] = ()
        if "external" in element["type"]:
            suggested = await self._suggestions(user, where, block["block_id"], values)
        value: Any = list(values) if fields.is_multiple(element) else values[0] if values else None
        picked = fields.picked(element, value, suggested)
        return await self._act(user, where, block, element, picked)

    async def _act(
        self, user: User, where: Message | View, block: Json, element: Json, value: Json | None
    ) -> Exchange:
        state = fields.state(where.blocks, where.state if isinstance(where, View) else {})
        if value is not None and element["type"] != "overflow":
            state[block["block_id"]][element["action_id"]] = value
        exchange = self._interaction("block_actions", user, where)
        exchange.payload |= {
            "state": {"values": state},
            "actions": [fields.action(block, element, value, self._stamp())],
        }
        if isinstance(where, View):
            where.state = state
            exchange.payload["view"] = self._view(where)
            del exchange.payload["state"]
        return await self._tell(exchange)

    async def suggest(
        self, user: User, where: Message | View, name: str, query: str = ""
    ) -> Exchange:
        """Type *query* into an external select; → ``exchange.options``."""
        block, element = self._find(user, where, name)
        if len(query) < element.get("min_query_length", 3):
            raise Impossible(f"Slack asks from {element.get('min_query_length', 3)} characters on")
        exchange = self._interaction(
            "block_suggestion", user, where, responds=False, triggers=False
        )
        exchange.payload |= {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "value": query,
        }
        return await self._tell(exchange)

    async def _suggestions(
        self, user: User, where: Message | View, block_id: str, values: Sequence[Any]
    ) -> list[Json]:
        found: list[Json] = []
        for value in values:
            if isinstance(value, str):
                found += (await self.suggest(user, where, block_id, value)).options
            elif value is not None:
                found.append(value)
        return found

    async def submit(
        self, user: User, view: View, values: Mapping[str, Any] | None = None
    ) -> Exchange:
        """Fill in and send the modal; *values* by block_id. Others stay as they are.

        Options go by value or text; what is chosen in an external select is asked of the app first.
        """
        self._on_top(user, view)
        given = dict(values or {})
        state = fields.state(view.blocks, view.state)
        for block, element in fields.interactive(view.blocks):
            if block["type"] != "input":
                continue
            if block["block_id"] in given:
                value: Any = given.pop(block["block_id"])
                suggested: Sequence[Json] = ()
                if "external" in element["type"] and value is not None:
                    several = value if fields.is_multiple(element) else [value]
                    suggested = await self._suggestions(user, view, block["block_id"], several)
                picked = fields.picked(element, value, suggested)
                state[block["block_id"]][element["action_id"]] = picked
            filled = state[block["block_id"]][element["action_id"]]
            if fields.is_empty(filled) and not block.get("optional", False):
                raise Impossible(f"{block['label']['text']!r} must be filled in")
        if given:
            raise Impossible(f"the modal has no {sorted(given)}")
        view.state = state
        exchange = self._interaction("view_submission", user, view, responds=False)
        exchange.payload["view"] = self._view(view)
        exchange.payload["response_urls"] = self._response_urls(exchange, view, state)
        del exchange.payload["container"]
        return await self._tell(exchange)

    def _response_urls(self, exchange: Exchange, view: View, state: Json) -> list[Json]:
        """Where a select of the modal asked for it (response_url_enabled)."""
        told = []
        for block, element in fields.interactive(view.blocks):
            if element.get("response_url_enabled"):
                value = state[block["block_id"]][element["action_id"]]
                channel_id = value.get("selected_channel") or value.get("selected_conversation")
                if channel_id:
                    exchange.channel = self.state.channels[channel_id]
                    told.append({
                        "block_id": block["block_id"],
                        "action_id": element["action_id"],
                        "channel_id": channel_id,
                        "response_url": self._response_url(exchange),
                    })  # fmt: skip
        return told

    async def close(self, user: User, view: View) -> Exchange | None:
        """Close the modal; the app is told only where it asked for that."""
        self._on_top(user, view)
        clears = bool(view.body.get("clear_on_close"))
        for one in self.state.stack(view.team, user.id) if clears else [view]:
            one.closed = True
        if not view.body.get("notify_on_close"):
            return None
        exchange = self._interaction("view_closed", user, view, responds=False, triggers=False)
        exchange.payload |= {"view": self._view(view), "is_cleared": clears}
        del exchange.payload["container"]
        return await self._tell(exchange)

    async def shortcut(self, user: User, callback_id: str) -> Exchange:
        exchange = self._exchange("interactive", self._installed(user), user, None)
        exchange.payload = self._base("shortcut", exchange) | {
            "callback_id": callback_id,
            "action_ts": self._stamp(),
        }
        return await self._tell(exchange)

    async def message_shortcut(self, user: User, message: Message, callback_id: str) -> Exchange:
        self._sees(user, message)
        if message.only_for:
            raise Impossible("there are no shortcuts on an ephemeral message")
        channel = self.state.channels[message.channel]
        exchange = self._exchange(
            "interactive", self._installed(user), user, channel, responds=True
        )
        exchange.payload = self._base("message_action", exchange) | {
            "callback_id": callback_id,
            "action_ts": self._stamp(),
            "channel": {"id": channel.id, "name": _public_name(channel)},
            "message_ts": message.ts,
            "message": message.as_json(),
            "response_url": exchange.response_url,
        }
        return await self._tell(exchange)

    # -- parts of payloads

    def _interaction(
        self,
        kind: str,
        user: User,
        where: Message | View,
        *,
        responds: bool = True,
        triggers: bool = True,
    ) -> Exchange:
        if isinstance(where, View):
            workspace, channel = self.state.workspaces[where.team], None
        else:
            # Our reading: the team is the app's, the user's team_id tells a stranger.
            channel = self.state.channels[where.channel]
            workspace = self.state.workspaces[where.team]
        exchange = self._exchange(
            "interactive", workspace, user, channel,
            responds=responds and channel is not None, triggers=triggers,
        )  # fmt: skip
        exchange.origin = where
        exchange.payload = self._base(kind, exchange)
        if isinstance(where, View):
            exchange.payload["container"] = {"type": "view", "view_id": where.id}
            exchange.payload["view"] = self._view(where)
            return exchange
        assert channel is not None
        exchange.payload["container"] = {
            "type": "message",
            "message_ts": where.ts,
            "channel_id": channel.id,
            "is_ephemeral": where.only_for is not None,
        } | ({"thread_ts": where.thread_ts} if where.thread_ts else {})
        exchange.payload["channel"] = {"id": channel.id, "name": _public_name(channel)}
        if where.only_for is None:
            exchange.payload["message"] = where.as_json()  # Slack keeps no ephemeral message
        if responds:
            exchange.payload["response_url"] = exchange.response_url
        return exchange

    def _base(self, kind: str, exchange: Exchange) -> Json:
        workspace = self.state.workspaces[exchange.team]
        user = exchange.user
        assert user is not None
        told: Json = {
            "type": kind,
            "user": {
                "id": user.id, "username": user.name, "name": user.name, "team_id": user.team,
            },
            "api_app_id": self.state.app.id,
            "token": TOKEN,
            "team": {"id": workspace.id, "domain": workspace.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }  # fmt: skip
        return told | ({"trigger_id": exchange.trigger_id} if exchange.trigger_id else {})

    def _find(self, user: User, where: Message | View, name: str) -> tuple[Json, Json]:
        self._sees(user, where)
        return fields.named(where.blocks, name)

    def _sees(self, user: User, where: Message | View) -> None:
        if isinstance(where, View):
            if where.type == "home" and where.user == user.id:
                return
            self._on_top(user, where)
            return
        member(user, self.state.channels[where.channel])
        if where.deleted or where.only_for not in (None, user.id):
            raise Impossible(f"{user.name} does not see that message")

    def _on_top(self, user: User, view: View) -> None:
        stack = self.state.stack(view.team, user.id)
        if not stack or stack[-1] is not view:
            raise Impossible(f"{view.title!r} is not the modal that {user.name} has on top")


def _public_name(channel: Channel) -> str:
    return {"im": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name)
