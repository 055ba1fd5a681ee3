"""The Web API of the local Slack: who may ask what, and what a method then does and answers."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.slack_methods import METHODS, Method, Refused
from tests.slack_state import Channel, Json, Kind, Slack, Token, User, Workspace
from tests.slack_text import Taste

PREFIX: Mapping[Kind, str] = {
    "public": "channels", "private": "groups", "im": "im", "mpim": "mpim"
}  # fmt: skip
Handler = Callable[["Ask"], Json]
HANDLERS: dict[str, Handler] = {}


@dataclass
class Ask:
    """A call that was let in, and what its method needs to answer it."""

    slack: Slack
    method: Method
    args: Json
    token: Token
    address: str  # of the server
    ticket: Callable[[], str]  # to Socket Mode
    dislike: Callable[[str], None]
    taste: Taste

    @property
    def workspace(self) -> Workspace:
        return self.slack.workspaces[self.token.team]

    @property
    def bot(self) -> User:
        return self.workspace.bot

    def get(self, name: str, default: Any = None) -> Any:
        return self.args.get(name, default)

    def need(self, scope: str) -> None:
        if scope not in self.token.scopes:
            raise missing_scope(self.token, scope)

    def need_for(self, channel: Channel) -> None:
        """The method's scope that goes with the channel's kind."""
        for scope in self.method.scopes:
            self.need(scope.format(PREFIX[channel.kind]))

    def channel(self, name: str = "channel") -> Channel:
        """The channel that is named by id, as far as the bot can see it."""
        channel = self.slack.channels.get(self.get(name, ""))
        if channel is None or not self.sees(channel):
            raise Refused("channel_not_found")
        return channel

    def sees(self, channel: Channel) -> bool:
        if channel.deleted or self.workspace.id not in channel.teams:
            return False
        return channel.kind == "public" or self.bot.id in channel.members

    def user(self, user_id: str) -> User:
        user = self.slack.users.get(user_id)
        if user is None or not self.slack.knows(self.workspace.id, user):
            raise Refused("user_not_found")
        return user

    def page(self, items: Iterable[Any], *, most: int = 1000, default: int = 100) -> Page:
        """Those of *items* that the cursor and the limit leave."""
        limit = self.get("limit", default)
        if not 1 <= limit <= most:
            raise Refused("invalid_limit")
        start = 0
        if cursor := self.get("cursor"):
            try:
                start = int(base64.b64decode(cursor, validate=True).decode())
            except ValueError:
                raise Refused("invalid_cursor") from None
        listed = list(items)
        more = start + limit < len(listed)
        after = base64.b64encode(str(start + limit).encode()).decode() if more else ""
        return Page(listed[start : start + limit], after)


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Any]
    after: str

    @property
    def metadata(self) -> Json:
        return {"next_cursor": self.after}


def serves(name: str) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return keep


def missing_scope(token: Token, *needed: str) -> Refused:
    provided = ",".join(sorted(token.scopes))
    return Refused("missing_scope", needed=",".join(needed), provided=provided)


class Door:
    """Lets calls in, or refuses them: token, method, scopes, arguments. Counts the rates."""

    def __init__(self, slack: Slack, dislike: Callable[[str], None]) -> None:
        self._slack = slack
        self._dislike = dislike
        self._recent: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
        self.unknown: Counter[str] = Counter()

    def admit(self, name: str, given: Mapping[str, Any], bearer: str) -> tuple[Method, Json, Token]:
        method = METHODS.get(name)
        if method is None:
            self.unknown[name] += 1
            self._dislike(f"method: {name}: no such method, or the local server does not serve it")
            raise Refused("unknown_method", req_method=name)
        if not method.tokens:
            return method, method.read(given), Token("", "app", "", "", frozenset())
        token = self._token(method, bearer)
        self._count(method, token)
        by_kind = any("{}" in scope for scope in method.scopes)  # then the handler asks
        if method.scopes and not by_kind and not token.scopes & set(method.scopes):
            raise missing_scope(token, *method.scopes)
        return method, method.read(given), token

    def _token(self, method: Method, bearer: str) -> Token:
        if not bearer:
            raise Refused("not_authed")
        token = self._slack.tokens.get(bearer) or self._slack.app_tokens.get(bearer)
        if token is None:
            token = self._slack.tokens[bearer] = Token(
                bearer, "bot", "", "", frozenset(), "invalid_auth"
            )
        if token.error:
            if token.refused:
                self._dislike(f"token: {method.name}: called again after {token.error}")
            token.refused = True
            raise Refused(token.error)
        if token.kind not in method.tokens:
            raise Refused("not_allowed_token_type")
        return token

    def _count(self, method: Method, token: Token) -> None:
        if method.tier is None:
            return
        now = self._slack.clock()
        recent = self._recent[method.name, token.team]
        recent[:] = [at for at in recent if now - at < timedelta(minutes=1)] + [now]
        if len(recent) > method.tier:
            self._dislike(f"rate: {method.name}: more than {method.tier} calls a minute")


# -- the app, its tokens, the workspace


@serves("api.test")
def _api_test(ask: Ask) -> Json:
    if error := ask.get("error"):
        raise Refused(error, args=ask.args)
    return {"args": ask.args}


@serves("auth.test")
def _auth_test(ask: Ask) -> Json:
    if ask.token.kind == "app":
        return {"app_name": ask.slack.app.name, "app_id": ask.slack.app.id}
    workspace, user = ask.workspace, ask.slack.users[ask.token.user]
    told = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.name,
        "user": user.name,
        "team_id": workspace.id,
        "user_id": user.id,
        "is_enterprise_install": False,
    }
    return told | ({"bot_id": user.bot_id} if user.bot_id else {})


@serves("auth.revoke")
def _auth_revoke(ask: Ask) -> Json:
    if not ask.get("test"):
        ask.token.error = "account_inactive" if ask.token.kind == "bot" else "token_revoked"
    return {"revoked": not ask.get("test")}


@serves("apps.connections.open")
def _connections_open(ask: Ask) -> Json:
    ask.need("connections:write")
    return {"url": ask.ticket()}


@serves("apps.uninstall")
def _uninstall(ask: Ask) -> Json:
    _check_client(ask.slack, ask.get("client_id"), ask.get("client_secret"))
    revoke(ask.workspace)
    return {}


def revoke(workspace: Workspace, error: str = "account_inactive") -> None:
    """Every token of the workspace is dead.

    Our reading: account_inactive is what the documentation names for bot tokens; token_revoked has
    been seen, too.
    """
    workspace.installed = False
    for token in workspace.tokens:
        token.error = token.error or error


def _check_client(slack: Slack, client_id: str | None, secret: str | None) -> None:
    if client_id != slack.app.client_id:
        raise Refused("invalid_client_id")
    if secret != slack.app.client_secret:
        raise Refused("bad_client_secret")


@serves("oauth.v2.access")
def _access(ask: Ask) -> Json:
    slack = ask.slack
    _check_client(slack, ask.get("client_id"), ask.get("client_secret"))
    code = slack.codes.get(ask.get("code", ""))
    if code is None or code.used:
        raise Refused("invalid_code")
    if ask.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        raise Refused("bad_redirect_uri")
    code.used = True
    workspace = slack.workspaces[code.team]
    token = slack.install(workspace, code.scopes)
    return {
        "access_token": token.value,
        "token_type": "bot",
        "scope": ",".join(sorted(code.scopes)),
        "bot_user_id": workspace.bot.id,
        "app_id": slack.app.id,
        "team": {"id": workspace.id, "name": workspace.name},
        "enterprise": None,
        "is_enterprise_install": False,
        "authed_user": {"id": code.user},
    }


@serves("bots.info")
def _bots_info(ask: Ask) -> Json:
    for workspace in ask.slack.workspaces.values():
        bot = workspace.bot
        if bot.bot_id == ask.get("bot") and workspace is ask.workspace:
            told = {"id": bot.bot_id, "deleted": False, "name": bot.name, "user_id": bot.id}
            return {"bot": told | {"app_id": ask.slack.app.id, "updated": 1_700_000_000}}
    raise Refused("bot_not_found")


@serves("team.info")
def _team_info(ask: Ask) -> Json:
    asked = ask.get("team", ask.workspace.id)
    workspace = ask.slack.workspaces.get(asked)
    shared = any({asked, ask.workspace.id} <= {*c.teams} for c in ask.slack.channels.values())
    if workspace is None or not (workspace is ask.workspace or shared):
        raise Refused("team_not_found")
    url = f"https://{workspace.domain}.slack.com/"
    told = {"id": workspace.id, "name": workspace.name, "domain": workspace.domain, "url": url}
    return {"team": told | {"email_domain": "", "icon": {"image_default": True}}}


# -- people


@serves("users.info")
def _users_info(ask: Ask) -> Json:
    user = ask.user(ask.get("user"))
    now, locale = ask.slack.clock(), ask.get("include_locale", False)
    return {"user": user.profile(now, seen_from=ask.workspace.id, with_locale=locale)}


@serves("users.list")
def _users_list(ask: Ask) -> Json:
    now, team = ask.slack.clock(), ask.workspace.id
    people = [user for user in ask.slack.users.values() if user.team == team]
    page = ask.page(people)
    locale = ask.get("include_locale", False)
    return {
        "members": [u.profile(now, seen_from=team, with_locale=locale) for u in page.items],
        "cache_ts": int(now.timestamp()),
        "response_metadata": page.metadata,
    }
