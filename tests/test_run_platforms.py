"""``paperboy run`` on Slack and Discord at once: answers, posts, is killed, and posts nothing twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from adapters.storage.settings import TinyChannelStore
from adapters.storage.sqlite import Store
from bot import app
from bot.model import Channel, ChannelRef, Subscription
from bot.query import parse
from tests.discord_faults import Fault as DiscordFault
from tests.discord_server import DiscordServer
from tests.discord_state import Channel as DiscordChannel, User as DiscordUser
from tests.program import arrive, quiet_environment, running
from tests.slack_faults import Fault as SlackFault
from tests.slack_server import SlackServer
from tests.slack_state import Channel as SlackChannel, User as SlackUser
from tests.test_slack_oauth import Browser

PATIENCE = 30.0  # seconds: the program starts anew
WRONG = "PAPERBOY_DISCORD__TOKEN", "no.such.token"


@dataclass(frozen=True, slots=True)
class Both:
    slack: SlackServer
    discord: DiscordServer
    ann: SlackUser
    papers: SlackChannel
    bob: DiscordUser
    server: str
    lab: DiscordChannel
    environment: dict[str, str]
    folder: Path

    @property
    def refs(self) -> tuple[ChannelRef, ChannelRef]:
        return (
            ChannelRef("slack", self.slack.team.id, self.papers.id),
            ChannelRef("discord", self.server, self.lab.id),
        )

    async def posted(self, count: int) -> None:
        await self.slack.until(
            lambda: len(self.slack.posts(self.papers)) >= count, what="a post", timeout=PATIENCE
        )
        assert await self.discord.until(
            lambda: len(self.discord.messages(self.lab)) >= count, patience=PATIENCE
        )


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    folder = tmp_path / "data"
    async with SlackServer() as slack, DiscordServer() as discord:
        ann = slack.add_user("ann")
        papers = slack.add_channel("papers", ann)
        lab = discord.add_guild("Lab")
        bob = discord.add_user("bob")
        discord.join(lab, bob)
        channel = discord.add_channel(lab, "papers")
        environment = quiet_environment(folder) | {
            "PAPERBOY_SLACK__API_URL": slack.api_url,
            "PAPERBOY_SLACK__BOT_TOKEN": slack.token,
            "PAPERBOY_SLACK__APP_TOKEN": slack.app_token,
            "PAPERBOY_DISCORD__TOKEN": discord.token,
            "PAPERBOY_DISCORD__API_URL": discord.api_url,
            "PAPERBOY_DISCORD__GATEWAY_URL": discord.gateway_url,
            "PAPERBOY_DELIVERY__SETTLE_SECONDS": "1",
        }
        both = Both(slack, discord, ann, papers, bob, lab.id, channel, environment, folder)
        await _set_up(both)
        yield both


async def _set_up(both: Both) -> None:
    both.folder.mkdir()
    now = datetime.now(UTC)
    async with await Store.open(both.folder / app.DATABASE, lambda: now) as store:
        settings = await TinyChannelStore.open(both.folder / app.SETTINGS, store)
        for ref in both.refs:
            await store.start(ref, 0)
            graphs = (Subscription(1, parse("graphs")),)
            await settings.save(Channel(ref, graphs, quiet="silent"), "U1")
        await settings.aclose()


async def test_both_get_their_digest_once_through_kills_and_answer(both: Both) -> None:
    await arrive(both.folder, 1, *both.refs)
    async with running(both.environment) as program:
        await both.posted(1)
        said = await both.slack.command(both.ann, both.papers, "/papers", "list")
        await said.replied()
        assert "graphs" in f"{said.reply.blocks}"
        found = await both.discord.slash(both.bob, both.lab, "papers list")
        assert await both.discord.until(lambda: "graphs" in found.text, patience=PATIENCE)
        assert found.private
        await program.end(signal.SIGKILL)

    await arrive(both.folder, 2, *both.refs)
    async with running(both.environment) as program:
        await both.posted(2)
        assert await program.end() == 0

    assert len(both.slack.posts(both.papers)) == 2
    assert len(both.discord.messages(both.lab)) == 2
    assert [d for d in both.slack.dislikes if not d.startswith("ack")] == []
    assert both.discord.pinged == []
    assert both.slack.token not in program.log
    assert both.discord.token not in program.log


async def test_a_post_whose_answer_was_lost_by_a_kill_is_not_posted_again(both: Both) -> None:
    both.slack.fault("chat.postMessage", SlackFault.silence(after_effect=True), times=1)
    both.discord.fault(
        "POST /channels/{channel_id}/messages", DiscordFault.hang(after_effect=True), times=1
    )
    await arrive(both.folder, 1, *both.refs)
    async with running(both.environment) as program:
        await both.posted(1)
        await program.end(signal.SIGKILL)

    async with running(both.environment) as program:
        await program.until("serving Slack")
        await both.slack.until(
            lambda: both.slack.called("conversations.history"), what="a look-up", timeout=PATIENCE
        )
        assert await program.end() == 0

    assert len(both.slack.posts(both.papers)) == 1
    assert len(both.discord.messages(both.lab)) == 1


async def test_a_workspace_adds_the_app_over_http_and_is_served_after_a_restart(
    both: Both, unused_tcp_port: int
) -> None:
    root = f"http://127.0.0.1:{unused_tcp_port}"
    theirs = {
        name: value
        for name, value in both.environment.items()
        if not name.endswith("_TOKEN") and "DISCORD" not in name
    }
    environment = theirs | {
        "PAPERBOY_SLACK__CLIENT_ID": both.slack.app.client_id,
        "PAPERBOY_SLACK__CLIENT_SECRET": both.slack.app.client_secret,
        "PAPERBOY_SLACK__SIGNING_SECRET": both.slack.app.signing_secret,
        "PAPERBOY_SLACK__ENCRYPTION_KEYS": "a key of sixteen letters or more",
        "PAPERBOY_SLACK__PUBLIC_URL": root,
        "PAPERBOY_SLACK__PORT": str(unused_tcp_port),
    }
    both.slack.http = f"{root}/slack/events"
    both.slack.app.redirect_uris = (f"{root}/slack/oauth_redirect",)
    beta = both.slack.add_workspace("beta", None)
    boss = both.slack.add_user("boss", "admin", team=beta)

    async with running(environment) as program:
        await program.until("the web port is")
        browser = await _browser_at(root)
        back = urlsplit(both.slack.approve(browser.link, boss))
        assert await browser.open(f"{back.path}?{back.query}") == 200
        assert await program.end() == 0

    papers = both.slack.add_channel("papers", boss, team=beta)
    async with running(environment):
        await _browser_at(root)
        said = await both.slack.command(boss, papers, "/papers", "help subscribe")
        await said.replied()
        assert "Help for subscribe" in f"{said.reply.blocks}"

    kept = b"".join(path.read_bytes() for path in both.folder.rglob("*") if path.is_file())
    assert beta.id.encode() in kept
    assert beta.token.encode() not in kept


async def _browser_at(root: str) -> Browser:
    """Before the page from which the app is added, once the program listens."""
    browser = Browser(root)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                assert await browser.open("/slack/install") == 200
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)  # another process: there is nothing to wait on
            else:
                return browser


async def test_a_token_that_is_refused_ends_it_with_a_line_that_says_what_to_do(
    both: Both,
) -> None:
    async with running(both.environment | dict([WRONG])) as program:
        assert await program.ended() == 1

    last = program.log.strip().splitlines()[-1]
    assert last.startswith("paperboy: Discord does not accept the bot's token.")
    assert "PAPERBOY_DISCORD__TOKEN" in last
    assert "Traceback" not in program.log


async def test_check_asks_both_and_names_what_is_wrong(both: Both) -> None:
    async def check(**more: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "check", env=both.environment | more,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    code, well = await check()
    assert (code, "NO " in well) == (0, False)
    for words in ("ok  Slack: workspace acme", "Slack Socket Mode", "ok  Discord: Paperboy;"):
        assert words in well

    code, ill = await check(**dict([WRONG]))
    assert code == 1
    assert "NO  Discord: refuses the token" in ill
    assert WRONG[1] not in ill


async def test_the_commands_are_registered_once_by_hand(both: Both) -> None:
    for told in ("registered", "as they were"):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "discord-sync", env=both.environment,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0
        assert told in said.decode()
