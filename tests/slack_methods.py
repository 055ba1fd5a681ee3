"""The Web API's methods as docs.slack.dev/reference/methods lists them: arguments, scopes, tiers.

Only those that the local server serves. Where a method wants another scope for each kind of
conversation, ``{}`` stands for channels, groups, im or mpim.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.slack_state import Json, TokenKind


class Refused(Exception):  # as Slack refuses; no error of ours
    """What a method answers with ``"ok": false``."""

    def __init__(self, error: str, *messages: str, **more: Any) -> None:
        super().__init__(error, *messages)
        self.answer: Json = {"ok": False, "error": error, **more}
        if messages:
            self.answer["response_metadata"] = {"messages": [f"[ERROR] {m}" for m in messages]}
            if error in ("invalid_blocks", "invalid_attachments"):
                self.answer["errors"] = list(messages)


@dataclass(frozen=True, slots=True)
class Method:
    """*arguments* are ``name:type``, a string where no type is given, required with a ``!``."""

    name: str
    arguments: str = ""
    scopes: tuple[str, ...] = ()
    tier: int | None = None  # calls a minute; None: "special"
    tokens: frozenset[TokenKind] = frozenset({"bot", "user"})  # none: it takes no token

    def types(self) -> dict[str, str]:
        pairs = (word.rstrip("!").partition(":") for word in self.arguments.split())
        # bolt's clients send the team_id of the event with every call.
        return {"team_id": "str"} | {name: kind or "str" for name, _, kind in pairs}

    def required(self) -> frozenset[str]:
        words = (word for word in self.arguments.split() if word.endswith("!"))
        return frozenset(word.rstrip("!").partition(":")[0] for word in words)

    def read(self, given: Mapping[str, Any]) -> Json:
        """The arguments with their types, or Refused.

        Our reading: Slack lets most unknown arguments pass. Here they are refused, so that a
        misspelt one shows.
        """
        types = self.types()
        args: Json = {}
        for name, value in given.items():
            if name not in types:
                raise Refused("invalid_arguments", f"unknown argument: {name}")
            if value is not None:
                args[name] = _typed(name, types[name], value)
        for name in sorted(self.required() - args.keys()):
            raise Refused("invalid_arguments", f"missing required field: {name}")
        return args


_UNREADABLE = {
    "blocks": "invalid_blocks_format",
    "user_auth_blocks": "invalid_blocks_format",
    "metadata": "invalid_metadata_format",
    "attachments": "invalid_attachments",
    "unfurls": "invalid_unfurls_format",
}
_JSON = {"list": list, "map": dict}


def _typed(name: str, kind: str, value: Any) -> Any:
    if kind in _JSON:
        return _decoded(name, _JSON[kind], value)
    fits, words = _FITS[kind]
    if not fits(value):
        raise Refused("invalid_arguments", f"must provide {words} [json-pointer:/{name}]")
    match kind:
        case "bool":
            return value in (True, 1, "1", "true", "True")
        case "int":
            return int(value)
        case _:
            return value


_FITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a string"),
    "any": (lambda value: True, "a value"),
    "bool": (
        lambda value: (
            value in (True, False, 0, 1, "0", "1", "true", "false", "True", "False")
            and not isinstance(value, float)
        ),
        "a boolean",
    ),
    "int": (
        lambda value: (
            (isinstance(value, int) and not isinstance(value, bool))
            or (isinstance(value, str) and value.isdecimal())
        ),
        "a number",
    ),
}


def _decoded(name: str, kind: type, value: Any) -> Any:
    """JSON within a form or a query, or as it is within a JSON body."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, kind):
        words = f"must provide an {'array' if kind is list else 'object'} [json-pointer:/{name}]"
        raise Refused(_UNREADABLE.get(name, "invalid_arguments"), words)
    return value


_CHANNEL_READ = ("{}:read",)
_HISTORY = ("{}:history",)
_APP: frozenset[TokenKind] = frozenset({"app"})
_ANY: frozenset[TokenKind] = frozenset({"bot", "user", "app"})
_NONE: frozenset[TokenKind] = frozenset()
_TEXTS = "text blocks:list attachments:list markdown_text parse link_names:bool as_user:bool"
_LOOK = "username icon_emoji icon_url"

METHODS = {
    method.name: method
    for method in (
        Method("api.test", "error", tier=100, tokens=_NONE),
        Method("auth.test", tokens=_ANY),
        Method("auth.revoke", "test:bool", tier=50),
        Method("apps.connections.open", tier=50, tokens=_APP),
        Method("apps.uninstall", "client_id! client_secret!", tier=1),
        Method("bots.info", "bot team_id", ("users:read",), 50),
        Method("chat.delete", "channel! ts! as_user:bool", ("chat:write",), 50),
        Method("chat.getPermalink", "channel! message_ts!"),
        Method(
            "chat.postEphemeral",
            f"channel! user! thread_ts {_TEXTS} {_LOOK}",
            ("chat:write",),
            100,
        ),
        Method(
            "chat.postMessage",
            f"channel! thread_ts metadata:map mrkdwn:bool reply_broadcast:bool unfurl_links:bool "
            f"unfurl_media:bool current_draft_last_updated_ts {_TEXTS} {_LOOK}",
            ("chat:write",),
        ),
        Method(
            "chat.unfurl",
            "channel ts unfurl_id source unfurls:map user_auth_blocks:list user_auth_message "
            "user_auth_required:bool user_auth_url",
            ("links:write",),
            50,
        ),
        Method(
            "chat.update",
            f"channel! ts! metadata:map file_ids:list reply_broadcast:bool "
            f"unfurled_attachments:any {_TEXTS}",
            ("chat:write",),
            50,
        ),
        Method(
            "conversations.history",
            "channel! cursor include_all_metadata:bool inclusive:bool latest limit:int oldest",
            _HISTORY,
            50,
        ),
        Method(
            "conversations.info",
            "channel! include_locale:bool include_num_members:bool",
            _CHANNEL_READ,
            50,
        ),
        Method("conversations.join", "channel!", ("channels:join",), 50),
        Method(
            "conversations.list",
            "cursor exclude_archived:bool limit:int team_id types",
            _CHANNEL_READ,
            20,
        ),
        Method("conversations.members", "channel! cursor limit:int", _CHANNEL_READ, 100),
        Method(
            "conversations.open",
            "channel prevent_creation:bool return_im:bool users",
            ("channels:manage", "groups:write", "im:write", "mpim:write"),
            50,
        ),
        Method(
            "conversations.replies",
            "channel! ts! cursor include_all_metadata:bool inclusive:bool latest limit:int oldest",
            _HISTORY,
            50,
        ),
        Method(
            "files.completeUploadExternal",
            "files:list! channel_id channels initial_comment thread_ts blocks:list",
            ("files:write",),
            100,
        ),
        Method(
            "files.getUploadURLExternal",
            "filename! length:int! alt_txt snippet_type",
            ("files:write",),
            100,
        ),
        Method("files.info", "file! count:int cursor limit:int page:int", ("files:read",), 100),
        Method(
            "oauth.v2.access",
            "client_id client_secret code code_verifier grant_type redirect_uri refresh_token",
            tokens=_NONE,
        ),
        Method("reactions.add", "channel! name! timestamp!", ("reactions:write",), 50),
        Method("team.info", "domain team", ("team:read",), 50),
        Method(
            "users.conversations",
            "cursor exclude_archived:bool limit:int team_id types user",
            _CHANNEL_READ,
            50,
        ),
        Method("users.info", "user! include_locale:bool", ("users:read",), 100),
        Method(
            "users.list", "cursor include_locale:bool limit:int team_id", ("users:read",), 20
        ),
        Method("views.open", "view:map! trigger_id interactivity_pointer", tier=100),
        Method("views.publish", "view:map! user_id! hash", tier=100),
        Method("views.push", "view:map! trigger_id interactivity_pointer", tier=100),
        Method("views.update", "view:map! view_id external_id hash", tier=100),
    )
}  # fmt: skip
