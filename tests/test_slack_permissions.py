"""Who may do what where: six roles, eight verbs, five kinds of channels; nothing by default."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.slack import workspace
from adapters.slack.api import Json
from adapters.slack.workspace import Asker, Kept, person_of
from bot.model import Role
from tests.slack_server import Channel, Fault, Message, User
from tests.slack_state import Role as SlackRole
from tests.slack_world import PAPERS, SlackWorld, said, shown, slack_world, told
from tests.world import NOW

ROLES = ("owner", "admin", "creator", "member", "guest", "stranger")
FOR_EVERYONE = ("search graphs", "list", "save 2611.00001", "home")
ALTERING = ("subscribe molecules", "set max:7", "share 2611.00001", "digest")
REFUSALS = ("may not change", "/invite @Paperboy")


async def a_world(w: SlackWorld, role: str) -> tuple[User, dict[str, Channel]]:
    """Somebody of that role, and the channels that they are in, by kind."""
    await w.world.listed(*PAPERS)
    beta = w.slack.add_workspace("beta", None)
    home = w.slack.team if role != "stranger" else beta
    user = w.slack.add_user("who", _AS_SLACK_HAS_IT.get(role, "member"), team=home)
    boss = w.slack.add_user("boss", "admin")
    founder = user if role == "creator" else boss
    shared = w.slack.add_channel("shared", boss, user, creator=founder, shared_with=(beta,))
    if role == "stranger":
        return user, {"shared": shared}
    made = {
        "public": w.slack.add_channel("public", boss, user, creator=founder),
        "private": w.slack.add_channel("private", boss, user, kind="private", creator=founder),
        "without the bot": w.slack.add_channel("out", boss, user, creator=founder, bot=False),
        "own": w.slack.im(user),
    }
    return user, made | {"shared": shared}


_AS_SLACK_HAS_IT: dict[str, SlackRole] = {"owner": "owner", "admin": "admin", "guest": "guest"}


async def ask(w: SlackWorld, user: User, channel: Channel, words: str) -> Message:
    w.world.now += timedelta(minutes=2)
    if user.team != w.slack.team.id:  # commands are those of the person's own workspace
        return await told(await w.slack.mention(user, channel, words))
    return await said(w, user, channel, words)


@pytest.mark.parametrize("role", ROLES)
async def test_who_may_do_what_where(role: str) -> None:
    async with slack_world() as w:
        user, channels = await a_world(w, role)
        wrong = []

        for kind, channel in channels.items():
            for words in (*FOR_EVERYONE, *ALTERING):
                answer = shown(await ask(w, user, channel, words))
                refused = any(refusal in answer for refusal in REFUSALS)
                may = words in FOR_EVERYONE or kind == "own" or (
                    role not in ("guest", "stranger") and kind != "without the bot"
                )  # fmt: skip
                if refused is may:
                    wrong.append((kind, words, answer))

        assert wrong == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("who", ["members", "managers", "listed"])
async def test_a_channel_says_who_changes_it(role: str, who: str) -> None:
    async with slack_world() as w:
        user, channels = await a_world(w, role)
        lab = channels.get("public", channels["shared"])
        boss = w.slack.state.users[lab.members[0]]
        others = w.slack.add_user("other")
        value = {"listed": f"{others.mention},{user.mention}"}.get(who, who)
        await ask(w, boss, lab, f"set max:9 who:{value}")

        answer = shown(await ask(w, user, lab, "set max:8"))

        may = {
            "members": ("owner", "admin", "creator", "member"),
            "managers": ("owner", "admin", "creator"),
            "listed": ("owner", "admin", "creator", "member"),
        }[who]
        assert ("may not change" in answer) is (role not in may)
        assert (await w.settings(lab)).max == (8 if role in may else 9)


ANN = {"id": "U1", "team_id": "T1", "tz": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("told", "role"),
    [
        (ANN, Role.MEMBER),
        (ANN | {"is_admin": True}, Role.MANAGER),
        (ANN | {"is_owner": True, "is_admin": True}, Role.MANAGER),
        (ANN | {"is_admin": True, "is_restricted": True}, Role.GUEST),
        (ANN | {"is_ultra_restricted": True}, Role.GUEST),
        (ANN | {"team_id": "T2", "is_admin": True}, Role.STRANGER),
        (ANN | {"team_id": "T2", "enterprise_user": {"teams": ["T1", "T2"]}}, Role.MEMBER),
        (ANN | {"is_stranger": True}, Role.STRANGER),
        (ANN | {"deleted": True, "is_owner": True}, Role.STRANGER),
        (ANN | {"is_bot": True, "is_admin": True}, Role.STRANGER),
        ({}, Role.STRANGER),
    ],
)
def test_what_slack_tells_of_a_person_makes_a_role(told: Json, role: Role) -> None:
    assert person_of(told, "T1").role is role


async def test_who_acts_for_another_workspace_than_their_own_is_a_stranger() -> None:
    async with slack_world() as w:
        boss = w.slack.add_user("boss", "admin")

        async def role(team: str) -> Role:
            asker = Asker(w.slack.team.id, boss.id, team=team)
            return (await w.platform._workspaces.person(asker)).role

        assert [await role(team) for team in ("", w.slack.team.id, "T9")] == [
            Role.MANAGER, Role.MANAGER, Role.STRANGER,
        ]  # fmt: skip


async def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "KEPT", 2)
    kept = Kept[str](lambda: NOW)
    asked: list[str] = []

    async def look(about: str) -> str:
        async def ask() -> str:
            asked.append(about)
            return about

        return await kept.get(("T1", about), ask)

    assert [await look(about) for about in "abcca"] == list("abcca")
    assert asked == list("abca")


async def test_who_was_demoted_or_switched_off_may_nothing_after_a_minute() -> None:
    async with slack_world() as w:
        user, channels = await a_world(w, "member")
        lab = channels["public"]
        await ask(w, user, lab, "set max:9")

        user.role = "guest"
        guest = shown(await ask(w, user, lab, "set max:8"))
        user.role, user.deleted = "owner", True
        event = {"type": "app_mention", "user": user.id, "channel": lab.id,
                 "text": f"{w.slack.bot.mention} set max:7"}  # fmt: skip
        w.world.now += timedelta(minutes=2)
        await w.slack.event("app_mention", lab, user, fields=event)
        await w.idle()

        assert "may not change" in guest
        assert (await w.settings(lab)).max == 9


@pytest.mark.parametrize("method", ["users.info", "conversations.info"])
@pytest.mark.parametrize(
    "code", ["missing_scope", "user_not_found", "internal_error", "ratelimited"]
)
async def test_where_slack_does_not_tell_nobody_may(method: str, code: str) -> None:
    async with slack_world() as w:
        user, channels = await a_world(w, "owner")
        w.slack.fault(method, Fault.error(code), times=None)

        for words in ALTERING:
            answer = shown(await ask(w, user, channels["public"], words))
            assert "I cannot see just now whether you may do that" in answer

        assert await w.world.store.get(w.ref(channels["public"])) is None
        assert w.slack.posts(channels["public"]) == []
