"""The workspaces that are served, and what Slack says of the people and channels in them.

What it says is kept for a minute. Where it says nothing, nobody may change anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from adapters.slack.api import Api, Json, Refused
from bot import zones
from bot.errors import UserError
from bot.model import Caller, ChannelRef, Role
from bot.ports import Clock

V = TypeVar("V")

PLATFORM = "slack"
FRESH = timedelta(minutes=1)  # as long as somebody who was demoted may go on
KEPT = 10_000  # entries of a kind
_MOST_PAGES = 20  # of the channels that a person is in


@dataclass(frozen=True, slots=True)
class Workspace:
    """*since* is when its token was given, or last known to hold."""

    tenant: str
    bot_user: str
    since: datetime
    api: Api


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of this workspace or, in a shared channel, of another one."""

    role: Role  # where no channel makes it more
    teams: frozenset[str]  # the workspaces, and the organisation, that the person belongs to
    zone: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as the bot sees it."""

    creator: str
    is_member: bool  # the bot
    is_archived: bool


NOWHERE = Place("", is_member=False, is_archived=False)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who does something, and where. *channel* is "" where it is in none.

    *team* is the workspace that the person belongs to, "" where what came does not tell.
    """

    tenant: str
    user: str
    channel: str = ""
    team: str = ""

    @property
    def ref(self) -> ChannelRef:
        """Direct messages, and what happens in no channel, are the person's own channel."""
        is_own = not self.channel or self.channel.startswith("D")
        return ChannelRef(PLATFORM, self.tenant, f"@{self.user}" if is_own else self.channel)


class Kept(Generic[V]):
    """Answers for a minute, by workspace and what was asked about; the oldest are dropped first."""

    def __init__(self, clock: Clock, *, fresh: timedelta = FRESH) -> None:
        self._clock = clock
        self._fresh = fresh
        self._held: dict[tuple[str, str], tuple[datetime, V]] = {}

    async def get(self, key: tuple[str, str], ask: Callable[[], Awaitable[V]]) -> V:
        found = self._held.get(key)
        if found and timedelta() <= self._clock() - found[0] < self._fresh:
            return found[1]
        value = await ask()
        self._held.pop(key, None)
        self._held[key] = self._clock(), value
        while len(self._held) > KEPT:
            del self._held[next(iter(self._held))]
        return value

    def drop(self, tenant: str, about: str) -> None:
        self._held.pop((tenant, about), None)

    def drop_all(self, tenant: str) -> None:
        self._held = {key: kept for key, kept in self._held.items() if key[0] != tenant}


class Workspaces:
    def __init__(self, clock: Clock) -> None:
        self.awaited = False  # the one workspace is not known yet: Slack could not be reached
        self._served: dict[str, Workspace] = {}
        self._people: Kept[Person] = Kept(clock)
        self._places: Kept[Place] = Kept(clock)
        self._memberships: Kept[frozenset[str]] = Kept(clock)
        self._ims: Kept[str] = Kept(clock, fresh=timedelta.max)

    @property
    def tenants(self) -> Collection[str]:
        return self._served.keys()

    def add(self, workspace: Workspace) -> None:
        self._served[workspace.tenant] = workspace
        self.awaited = False

    def remove(self, tenant: str) -> None:
        self._served.pop(tenant, None)
        for kept in (self._people, self._places, self._memberships, self._ims):
            kept.drop_all(tenant)

    def get(self, tenant: str) -> Workspace | None:
        return self._served.get(tenant)

    def of(self, tenant: str) -> Workspace:
        """Raises Refused where Paperboy is not installed."""
        found = self._served.get(tenant)
        if found is None:
            raise Refused("not_authed")
        return found

    def among(self, tenants: Iterable[str]) -> str:
        """The first of them that is served, "" where none is."""
        return next((tenant for tenant in tenants if tenant in self._served), "")

    async def person(self, asker: Asker) -> Person:
        """Raises SlackFault."""

        async def ask() -> Person:
            answer = await self.of(asker.tenant).api.ask("users.info", user=asker.user)
            return person_of(answer.get("user") or {}, asker.tenant)

        found = await self._people.get((asker.tenant, asker.user), ask)
        if asker.team and asker.team not in found.teams:
            return replace(found, role=Role.STRANGER)
        return found

    async def place(self, tenant: str, channel: str) -> Place:
        """NOWHERE where the bot sees no such channel; raises SlackFault."""

        async def ask() -> Place:
            try:
                answer = await self.of(tenant).api.ask("conversations.info", channel=channel)
            except Refused as refusal:
                if refusal.code != "channel_not_found":
                    raise
                return NOWHERE
            return _place(answer.get("channel") or {})

        found = await self._places.get((tenant, channel), ask)
        if not found.is_member or found.is_archived:  # that may be put right at any moment
            self._places.drop(tenant, channel)
        return found

    async def memberships(self, tenant: str, user: str) -> frozenset[str]:
        """The channels that the person is in, of those that the bot may know of."""

        async def ask() -> frozenset[str]:
            api = self.of(tenant).api
            found: set[str] = set()
            cursor = ""
            for _ in range(_MOST_PAGES):
                answer = await api.ask(
                    "users.conversations", user=user, types="public_channel,private_channel",
                    limit=200, cursor=cursor or None,
                )  # fmt: skip
                found.update(str(each["id"]) for each in answer.get("channels", ()))
                cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
                if not cursor:
                    break
            return frozenset(found)

        return await self._memberships.get((tenant, user), ask)

    async def im(self, tenant: str, user: str) -> str:
        """The channel of direct messages with the person; raises SlackFault."""

        async def ask() -> str:
            answer = await self.of(tenant).api.ask("conversations.open", users=user)
            channel = str((answer.get("channel") or {}).get("id") or "")
            if not channel:
                raise Refused("channel_not_found")
            return channel

        return await self._ims.get((tenant, user), ask)

    def changed(self, tenant: str, channel: str) -> None:
        """What was known of a channel holds no more."""
        self._places.drop(tenant, channel)


def caller(asker: Asker, person: Person | None, place: Place | None) -> Caller:
    """Default deny: who is not known is a stranger."""
    if person is None:
        return Caller(asker.ref, asker.user, role=Role.STRANGER)
    role = person.role
    if role is Role.MEMBER and place and place.creator == asker.user:
        role = Role.MANAGER
    return Caller(asker.ref, asker.user, person.zone, role, person.name)


def person_of(user: Json, tenant: str) -> Person:
    organisation = user.get("enterprise_user") or {}
    own = user.get("team_id", ""), organisation.get("enterprise_id", "")
    teams = frozenset(map(str, (*own, *organisation.get("teams", ()))))
    role = _role(user) if tenant in teams else Role.STRANGER
    return Person(role, teams, _zone(user.get("tz")), _name(user))


def _role(user: Json) -> Role:
    if not user.get("id") or user.get("deleted") or user.get("is_bot") or user.get("is_stranger"):
        return Role.STRANGER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Role.GUEST
    if user.get("is_admin") or user.get("is_owner") or user.get("is_primary_owner"):
        return Role.MANAGER
    return Role.MEMBER


def _zone(name: object) -> str | None:
    try:
        return zones.find(name) if isinstance(name, str) else None
    except UserError:  # a name that Slack gives and that means several
        return None


def _name(user: Json) -> str:
    profile = user.get("profile") or {}
    return str(profile.get("display_name") or profile.get("real_name") or user.get("name") or "")


def _place(channel: Json) -> Place:
    return Place(
        str(channel.get("creator") or ""),
        is_member=bool(channel.get("is_member")),
        is_archived=bool(channel.get("is_archived")),
    )
