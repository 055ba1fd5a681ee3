"""The first day with Paperboy, from adding it to taking it out again, over HTTP as in real life."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.ports import State
from tests.fake_installations import MemoryInstallations
from tests.slack_server import User, View
from tests.slack_world import PUBLIC_URL, SlackWorld, said, shown, slack_world, told
from tests.test_slack_oauth import Browser
from tests.world import paper

TITLE = "Rivers of the north"


async def top(w: SlackWorld, user: User) -> View:
    """The modal on top, filled."""
    await w.idle()
    return w.slack.views(user)[-1]


async def test_the_first_day() -> None:
    installations = MemoryInstallations()
    async with slack_world(http=True, installations=installations) as w:
        slack, now = w.slack, w.world.now
        beta = slack.add_workspace("beta", None)
        boss = slack.add_user("boss", "admin", team=beta, tz="Europe/Berlin")
        ann = slack.add_user("ann", team=beta, tz="Europe/Berlin")
        papers = [paper(n, f"{TITLE}, part {n}", "Water and stones.") for n in range(100, 104)]
        await w.world.listed(*papers, on=now.date() - timedelta(days=1))

        # An admin adds it.
        browser = Browser(str(slack.http).removesuffix("/slack/events"))
        slack.app.redirect_uris = (f"{PUBLIC_URL}/slack/oauth_redirect",)
        await browser.open("/slack/install")
        back = slack.approve(browser.link, boss).removeprefix(PUBLIC_URL)
        assert await browser.open(back) == 200
        await w.idle()
        assert "/invite @Paperboy" in shown(slack.posts(slack.im(boss))[-1])

        # Ann invites it and presses its first button.
        lab = slack.add_channel("lab", boss, ann, team=beta, bot=False)
        await slack.event("member_joined_channel", lab, beta.bot, fields={"inviter": ann.id})
        await w.idle()
        [welcome] = slack.ephemerals(lab, ann)
        await slack.click(ann, welcome, "Subscribe")
        form = await top(w, ann)

        # She tries a subscription out, and keeps it.
        form.state = {"query": {"value": {"type": "plain_text_input", "value": "rivers"}}}
        await slack.click(ann, form, "Preview")
        await w.idle()
        assert "4 papers came in and 4 would have been brought" in shown(form)
        await slack.submit(ann, form, {"query": '"rivers of the north"', "label": "north"})
        assert "Subscribed" in shown(await top(w, ann))
        assert TITLE in shown(await top(w, ann))

        # She sets the time.
        w.world.now += timedelta(seconds=20)
        await slack.command(ann, lab, "/papers", "form schedule")
        days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        await slack.submit(
            ann, await top(w, ann), {"days": days, "time": "09:00", "zone": "Asia/Tokyo"}
        )
        assert (await w.settings(lab)).schedule.zone == "Asia/Tokyo"

        # The next morning in Tokyo the digest is there, once.
        fresh = replace(papers[0], id="arxiv:2611.00900", title=f"{TITLE}, the sequel")
        await w.service.reconcile()
        await w.world.listed(fresh, on=now.date())
        w.world.now = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
        for _ in range(3):
            await w.deliver()
        [digest] = slack.posts(lab)
        assert f"{TITLE}, the sequel" in shown(digest)
        assert [d.state for d in await w.world.ledger.deliveries(w.ref(lab), 5)] == [State.SENT]
        await signing_clock(w)

        # She keeps the paper and asks why it came, in its thread.
        assert "Saved" in shown(await told(await slack.click(ann, digest, "Save")))
        why = await told(await slack.mention(ann, lab, "why 2611.00900", thread=digest))
        assert why.thread_ts == digest.ts
        assert re.search(r"rivers of the north.*title", shown(why))
        await said(w, ann, lab, "like 2611.00900")

        # She looks for more of it, and pages.
        w.world.now += timedelta(seconds=20)
        found = await said(w, ann, lab, "search rivers limit:3")
        more = await told(await slack.click(ann, found, "More"))
        assert shown(found) != shown(more)

        # The boss reserves the settings for managers, and Ann finds out; the boss takes it back.
        await slack.command(boss, lab, "/papers", "settings")
        await slack.submit(boss, await top(w, boss), {"who": "managers", "max": "3"})
        assert "may not change" in shown(await said(w, ann, lab, "set max:9"))
        assert "Taken back" in shown(await said(w, boss, lab, "config undo"))
        assert (await w.settings(lab)).who == "members"

        # What is hers is on the home tab.
        await slack.open_home(ann)
        await w.idle()
        home = slack.home(ann)
        assert home is not None
        assert f"{TITLE}, the sequel" in shown(home)

        # The admin takes it out: the token is gone at once, the settings stay for a month.
        await slack.event("app_uninstalled", team=beta)
        await w.idle()
        assert await installations.all() == []
        assert w.platform.served() == frozenset()
        assert await w.departed() == [beta.id]
        assert (await w.settings(lab)).subscriptions
        w.world.now += timedelta(days=31)
        await w.service.keep_house()
        assert await w.world.store.get(w.ref(lab)) is None
        assert slack.dislikes == []


async def signing_clock(w: SlackWorld) -> None:
    """Back to the time of the machine, by which the local Slack signs."""
    w.world.now = datetime.now(UTC).replace(microsecond=0)
