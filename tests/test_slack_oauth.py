"""How a workspace adds the app by itself, and what is not let through."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import pytest

from adapters.slack.manifest import SCOPES
from tests.fake_installations import MemoryInstallations
from tests.slack_server import Fault, User
from tests.slack_world import PUBLIC_URL, SlackWorld, lab_of, said, shown, slack_world

MINUTES = timedelta(minutes=1)


class Browser:
    """Keeps cookies; follows nothing by itself."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._cookies: dict[str, str] = {}
        self.page = ""

    async def open(self, path: str) -> int:
        async with (
            aiohttp.ClientSession(cookies=self._cookies, cookie_jar=_jar()) as session,
            session.get(self._root + path, allow_redirects=False) as response,
        ):
            self._cookies |= {name: each.value for name, each in response.cookies.items()}
            self.page = await response.text()
            self.headers: Mapping[str, str] = response.headers
            return response.status

    @property
    def link(self) -> str:
        found = re.search(r'href="(http[^"]*authorize[^"]*)"', self.page)
        assert found, self.page
        return unescape(found[1])


def _jar() -> aiohttp.CookieJar:
    return aiohttp.CookieJar(unsafe=True)  # also for an address without a name


@dataclass
class Office:
    """A workspace that has not added the app, and an admin of it before a browser."""

    w: SlackWorld
    installations: MemoryInstallations
    boss: User
    browser: Browser
    root: str

    async def back(self, url: str, browser: Browser | None = None) -> int:
        """Slack sends the browser to that address."""
        parts = urlsplit(url)
        return await (browser or self.browser).open(f"{parts.path}?{parts.query}")

    async def consent(self) -> str:
        assert await self.browser.open("/slack/install") == 200
        return self.w.slack.approve(self.browser.link, self.boss)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    installations = MemoryInstallations()
    async with slack_world(http=True, installations=installations) as w:
        assert w.slack.http is not None
        root = w.slack.http.removesuffix("/slack/events")
        w.slack.app.redirect_uris = (f"{PUBLIC_URL}/slack/oauth_redirect",)
        boss = w.slack.add_user("boss", "admin", team=w.slack.add_workspace("beta", None))
        yield Office(w, installations, boss, Browser(root), root)


async def test_the_page_tells_what_is_asked_for_and_why(office: Office) -> None:
    status = await office.browser.open("/slack/install")

    query = parse_qs(urlsplit(office.browser.link).query)
    assert status == 200
    assert query["scope"] == [",".join(SCOPES)]
    page = unescape(office.browser.page)
    assert [scope for scope, why in SCOPES.items() if scope not in page or why not in page] == []
    assert office.browser.link.startswith(office.w.slack.url + "/oauth/v2/authorize")
    assert office.browser.headers["Cache-Control"] == "no-store"
    cookie = office.browser.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


async def test_a_workspace_that_consents_is_served_at_once(office: Office) -> None:
    w, boss = office.w, office.boss
    await w.world.people.left("slack", boss.team, w.world.now)

    status = await office.back(await office.consent())
    await w.idle()

    assert status == 200
    assert "Paperboy was added to beta" in office.browser.page
    [kept] = await office.installations.all()
    assert (kept.tenant, kept.installer, kept.bot_user) == (
        boss.team,
        boss.id,
        f"UB{boss.team[1:]}",
    )
    assert kept.token.startswith("xoxb-")
    assert set(kept.scopes) == set(SCOPES)
    assert kept.token not in office.browser.page
    assert await w.departed() == []
    [greeting] = w.slack.posts(w.slack.im(boss))
    assert "/invite @Paperboy" in shown(greeting)
    den = w.slack.add_channel("den", boss, team=w.slack.state.workspaces[boss.team])
    assert "Subscribed" in shown(await said(w, boss, den, "subscribe graphs"))


@pytest.mark.parametrize(
    "what",
    ["twice", "ten minutes later", "another browser", "another person's cookie", "no state",
     "a state of one's own", "a changed state", "another time"],
)  # fmt: skip
async def test_a_state_is_good_once_for_ten_minutes_in_one_browser(
    office: Office, what: str
) -> None:
    url = await office.consent()
    code = parse_qs(urlsplit(url).query)["code"][0]
    browser = office.browser
    match what:
        case "twice":
            assert await office.back(url) == 200
            await office.installations.remove(office.boss.team, office.w.world.now)
        case "ten minutes later":
            office.w.world.now += 10 * MINUTES + timedelta(seconds=2)
        case "another browser":
            browser = Browser(office.root)
        case "another person's cookie":
            browser = Browser(office.root)
            await browser.open("/slack/install")
        case "no state":
            url = f"/slack/oauth_redirect?code={code}"
        case "a state of one's own":
            url = f"/slack/oauth_redirect?code={code}&state=a.99999999999.b"
        case "a changed state":
            url += "0"
        case _:
            url = re.sub(r"\.(\d+)\.", ".99999999999.", url)

    status = await office.back(url, browser)

    assert status == 400
    assert "Begin again" in browser.page
    assert await office.installations.all() == []
    exchanged = len(office.w.slack.called("oauth.v2.access"))
    assert exchanged == (1 if what == "twice" else 0)


async def test_a_cookie_that_is_no_text_is_another_browsers(office: Office) -> None:
    at = urlsplit(office.root)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(
        b"GET /slack/oauth_redirect?code=x&state=a.1.b HTTP/1.1\r\nHost: paperboy\r\n"
        b"Cookie: paperboy-install=\xff\xfe\r\nConnection: close\r\n\r\n"
    )

    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"another browser" in answer


async def test_a_state_is_good_for_almost_ten_minutes(office: Office) -> None:
    url = await office.consent()
    office.w.world.now += 9 * MINUTES

    assert await office.back(url) == 200


async def test_two_tabs_of_a_browser_do_not_spoil_each_other(office: Office) -> None:
    first = await office.consent()
    second = await office.consent()

    assert await office.back(first) == 200
    assert await office.back(second) == 200


async def test_who_does_not_consent_is_told_that_nothing_has_changed(office: Office) -> None:
    state = parse_qs(urlsplit(await office.consent()).query)["state"][0]

    status = await office.back(f"/slack/oauth_redirect?error=access_denied&state={state}")

    assert status == 200
    assert "Nothing has changed" in office.browser.page
    assert await office.installations.all() == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error("invalid_code"), Fault.error("bad_client_secret"), Fault.http(500),
        Fault.reset(), Fault.ratelimited(30), Fault.garbage(),
        Fault.garbage('{"ok": true, "is_enterprise_install": true}', "application/json"),
        Fault.garbage('{"ok": true, "team": {"id": "T9"}}', "application/json"),
    ],
)  # fmt: skip
async def test_what_slack_does_not_confirm_is_not_kept(office: Office, fault: Fault) -> None:
    url = await office.consent()
    office.w.slack.fault("oauth.v2.access", fault)

    status = await office.back(url)

    assert status in (400, 502)
    assert "Begin again" in office.browser.page
    assert await office.installations.all() == []


async def test_a_proxy_may_show_it_below_a_path() -> None:
    public_url = "https://example.org/bots/paperboy"
    installations = MemoryInstallations()
    async with slack_world(http=True, installations=installations, public_url=public_url) as w:
        browser = Browser(str(w.slack.http).removesuffix("/slack/events"))

        await browser.open("/slack/install")
        cookie = browser.headers["Set-Cookie"]
        await browser.open("/slack/oauth_redirect")
        [again] = re.findall('href="([^"]+)"', browser.page)

    assert "Path=/bots/paperboy/slack;" in f"{cookie};"
    redirect = f"{public_url}/slack/oauth_redirect"
    assert urljoin(redirect, again) == f"{public_url}/slack/install"


async def test_names_of_workspaces_are_no_markup(office: Office) -> None:
    office.w.slack.state.workspaces[office.boss.team].name = "<script>alert(1)</script>"

    await office.back(await office.consent())

    assert "<script>" not in office.browser.page
    assert "&lt;script&gt;" in office.browser.page


async def test_a_workspace_that_adds_the_app_again_goes_on_where_it_was(office: Office) -> None:
    w, boss = office.w, office.boss
    team = w.slack.state.workspaces[boss.team]
    await office.back(await office.consent())
    den = w.slack.add_channel("den", boss, team=team)
    await said(w, boss, den, "subscribe graphs")
    w.world.now += timedelta(seconds=5)
    await w.slack.event("app_uninstalled", team=team)
    await w.idle()
    left = await w.departed()

    w.world.now += timedelta(seconds=5)
    await office.back(await office.consent())
    await w.idle()
    answer = await said(w, boss, den, "list")

    assert left == [boss.team]
    assert await w.departed() == []
    assert "graphs" in shown(answer)
    assert "/papers resume" in shown(w.slack.posts(w.slack.im(boss))[-1])


async def test_a_workspace_that_never_added_the_app_is_told_so(office: Office) -> None:
    ann, lab = await lab_of(office.w)  # Slack knows of it, we do not

    answer = await said(office.w, ann, lab, "help")

    assert "not installed" in shown(answer)
