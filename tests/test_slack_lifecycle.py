"""Life in a workspace: archived, removed, uninstalled, and back again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.ports import Installation
from tests.fake_installations import MemoryInstallations
from tests.slack_server import Channel, Fault, User
from tests.slack_world import (
    SlackWorld,
    credentials,
    lab_of,
    platform_of,
    said,
    shown,
    slack_world,
    told,
)

OWNER_IS_TOLD = "I can no longer post in"


async def owned(w: SlackWorld) -> tuple[User, Channel]:
    """A channel that Ann has set up."""
    ann, lab = await lab_of(w)
    await said(w, ann, lab, "subscribe graphs")
    return ann, lab


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("channel_archive", "archived"),
        ("channel_deleted", "deleted"),
        ("member_left_channel", "removed from the channel"),
    ],
)
@pytest.mark.parametrize("privacy", ["public", "private"])
async def test_a_channel_that_takes_no_posts_is_closed_and_its_owner_told_once(
    kind: str, words: str, privacy: str
) -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        lab = w.slack.add_channel("den", ann, kind=privacy)  # type: ignore[arg-type]
        await said(w, ann, lab, "subscribe graphs")

        gone = await w.slack.event(kind, lab, w.slack.bot if kind.startswith("member") else ann)
        await w.slack.redeliver(gone)
        await w.idle()

        closure = await w.world.ledger.gone(w.ref(lab))
        assert closure is not None
        assert words in closure.reason
        [message] = w.slack.posts(w.slack.im(ann))
        assert OWNER_IS_TOLD in shown(message)
        assert "graphs" in str((await w.settings(lab)).subscriptions)


async def test_when_somebody_else_leaves_or_a_channel_is_renamed_nothing_changes() -> None:
    async with slack_world() as w:
        ann, lab = await owned(w)
        bob = w.slack.state.users[lab.members[0]]
        w.slack.app.events |= {"channel_rename"}

        await w.slack.event("member_left_channel", lab, bob)
        await w.slack.event("channel_rename", lab, ann, name="laboratory")
        await w.idle()

        assert await w.world.ledger.gone(w.ref(lab)) is None
        assert "graphs" in shown(await said(w, ann, lab, "list"))


async def test_a_private_channel_that_is_shared_goes_on_under_its_new_id() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        den = w.slack.add_channel("den", ann, kind="private")
        await said(w, ann, den, "subscribe graphs")
        await said(w, ann, den, "like 2611.00002")
        old = w.ref(den)

        await w.slack.event("channel_id_changed", den, name="C0SHARED")
        await w.idle()

        assert w.ref(den).channel == "C0SHARED"
        assert (await w.settings(den)).owner == ann.id
        assert await w.world.store.get(old) is None
        assert await w.world.people.votes(w.ref(den), 9) == [("arxiv:2611.00002", 1)]
        assert "graphs" in shown(await said(w, ann, den, "list"))
        assert w.slack.posts(w.slack.im(ann)) == []


async def test_a_removal_is_known_by_either_of_its_names() -> None:
    async with slack_world() as w:
        _, lab = await owned(w)

        await w.slack.event("channel_left", fields={"channel": lab.id})
        await w.idle()

        assert await w.world.ledger.gone(w.ref(lab)) is not None


async def test_a_channel_without_settings_has_nothing_to_close() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)

        await w.slack.event("channel_archive", lab, ann)
        await w.slack.event("channel_unarchive", lab, ann)
        await w.idle()
        await said(w, ann, lab, "subscribe graphs")

        assert await w.world.ledger.gone(w.ref(lab)) is None


async def test_who_invites_the_bot_back_can_resume_by_a_button() -> None:
    async with slack_world() as w:
        _, lab = await owned(w)
        bob = w.slack.state.users[lab.members[0]]
        await w.slack.event("member_left_channel", lab, w.slack.bot)
        await w.idle()

        await w.slack.event("member_joined_channel", lab, w.slack.bot, fields={"inviter": bob.id})
        await w.idle()
        [notice] = w.slack.ephemerals(lab, bob)
        closed = await w.world.ledger.gone(w.ref(lab))
        answer = await told(await w.slack.click(bob, notice, "Resume"))

        assert closed is not None
        assert "removed from the channel" in shown(notice)
        assert "I post here again" in shown(answer)
        assert await w.world.ledger.gone(w.ref(lab)) is None
        assert w.slack.dislikes == []


async def test_who_unarchives_a_channel_is_told_how_to_go_on() -> None:
    async with slack_world() as w:
        ann, lab = await owned(w)
        await w.slack.event("channel_archive", lab, ann)
        await w.idle()

        await w.slack.event("channel_unarchive", lab, ann)
        await w.idle()

        assert "/papers resume" in shown(w.slack.ephemerals(lab, ann)[-1])
        assert await w.world.ledger.gone(w.ref(lab)) is not None


async def test_who_invites_the_bot_first_is_told_what_it_does() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        den = w.slack.add_channel("den", ann, bot=False)

        await w.slack.event("member_joined_channel", den, w.slack.bot, fields={"inviter": ann.id})
        await w.idle()

        [welcome] = w.slack.ephemerals(den, ann)
        assert "/papers subscribe" in shown(welcome)
        await w.slack.click(ann, welcome, "Subscribe")
        await w.slack.until(lambda: w.slack.views(ann))
        assert w.slack.dislikes == []


async def test_what_cannot_be_said_in_the_channel_is_said_in_direct_messages() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        den = w.slack.add_channel("den", ann, bot=False)
        w.slack.fault("chat.postEphemeral", Fault.error("user_not_in_channel"))

        await w.slack.event("member_joined_channel", den, w.slack.bot, fields={"inviter": ann.id})
        await w.idle()

        [welcome] = w.slack.posts(w.slack.im(ann))
        assert "/papers subscribe" in shown(welcome)


@pytest.mark.parametrize("kind", ["app_uninstalled", "tokens_revoked"])
async def test_a_workspace_that_removes_the_app_is_left_at_once(kind: str) -> None:
    async with slack_world() as w:
        _, lab = await owned(w)

        gone = await w.slack.event(kind)
        await w.slack.redeliver(gone)
        await w.idle()

        closure = await w.world.ledger.gone(w.ref(lab))
        assert closure is not None
        assert "removed from this workspace" in closure.reason
        assert w.platform.served() == frozenset()
        assert await w.departed() == [w.slack.team.id]
        assert "graphs" in str((await w.settings(lab)).subscriptions)


async def test_owners_hear_how_to_go_on_when_the_app_is_installed_again() -> None:
    async with slack_world() as w:
        ann, lab = await owned(w)
        await w.slack.direct(ann, "subscribe tools")
        await w.slack.event("app_uninstalled")
        await w.idle()
        await w.platform.aclose()
        token = w.slack.install()

        given = replace(credentials(w.slack), bot_token=token)
        async with platform_of(w.world, given, None, asyncio.sleep, lambda: w.world.now) as again:
            await again.start(w.world.answers, w.sender)
            await again._work.aclose()

        notice = w.slack.posts(w.slack.im(ann))[-1]
        assert "I am in this workspace again" in shown(notice)
        assert "/papers resume" in shown(notice)
        assert "your own channel" in shown(notice)
        assert lab.id in f"{notice.blocks}"


async def test_what_is_told_of_an_older_token_leaves_the_newer_one() -> None:
    async with slack_world() as w:
        await owned(w)
        w.world.now -= timedelta(days=1)

        await w.slack.event("tokens_revoked", fields={"tokens": {"bot": [w.slack.bot.id]}})
        await w.idle()

        assert w.platform.served() == {w.slack.team.id}


async def test_people_whose_tokens_are_revoked_take_nothing_from_the_bot() -> None:
    async with slack_world() as w:
        ann, lab = await owned(w)

        people = {"tokens": {"oauth": [ann.id], "bot": []}, "type": "tokens_revoked"}
        await w.slack.event("emoji_changed", fields=people)
        await w.idle()

        assert await w.world.ledger.gone(w.ref(lab)) is None


async def test_a_workspace_whose_leaving_was_cut_short_is_noted_at_the_next_start() -> None:
    installations = MemoryInstallations()
    at = datetime(2026, 11, 1, tzinfo=UTC)
    await installations.save(Installation("T7", "old", "xoxb-7", "UB7", (), "U0", at))
    await installations.remove("T7", at)

    async with slack_world(http=True, installations=installations) as w:
        assert await w.departed() == ["T7"]
        assert w.platform.served() == frozenset()


async def test_one_of_many_workspaces_leaves_and_the_others_stay() -> None:
    installations = MemoryInstallations()
    async with slack_world(http=True, installations=installations) as w:
        beta = w.slack.add_workspace("beta")
        for team in (w.slack.team, beta):
            await w.platform._installed(
                Installation(team.id, team.name, team.token, team.bot.id, (), "U0", w.world.now)
            )
        cleo = w.slack.add_user("cleo", team=beta)
        ann, lab = await lab_of(w)
        den = w.slack.add_channel("den", cleo, team=beta)
        await said(w, ann, lab, "subscribe graphs")
        await said(w, cleo, den, "subscribe tools")

        await w.slack.event("app_uninstalled", team=beta)
        await w.idle()

        assert w.platform.served() == {w.slack.team.id}
        assert [each.tenant for each in await installations.all()] == [w.slack.team.id]
        assert await w.world.ledger.gone(w.ref(den)) is not None
        assert await w.world.ledger.gone(w.ref(lab)) is None
        assert "tools" not in shown(await said(w, ann, lab, "list all"))
