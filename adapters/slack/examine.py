"""Whether Slack takes the tokens and grants what is used: for ``paperboy check``. Posts nothing."""

from __future__ import annotations

from adapters.slack.api import Api, Refused, SlackFault, open_session, web_client
from adapters.slack.app import Credentials
from adapters.slack.manifest import SCOPES
from bot.ports import Sleep

Finding = tuple[str, bool, str]  # what was looked at, whether it is well, what to say of it


async def examine(credentials: Credentials, sleep: Sleep) -> list[Finding]:
    findings = []
    async with open_session() as session:

        def api(token: str) -> Api:
            return Api(web_client(session, credentials.api_url, token), sleep)

        if credentials.bot_token:
            findings += await _bot_token(api(credentials.bot_token))
        if credentials.app_token:
            findings.append(await _app_token(api(credentials.app_token)))
    return findings


async def _bot_token(api: Api) -> list[Finding]:
    try:
        told, scopes = await api.introduce()
    except Refused as refused:
        return [("Slack", False, f"refuses the bot token ({refused.code}); copy it anew from "
                                 "OAuth & Permissions")]  # fmt: skip
    except SlackFault as fault:
        return [("Slack", False, fault.words)]
    there = ("Slack", True, f"workspace {told.get('team') or told['team_id']}")
    if missing := sorted(SCOPES.keys() - scopes):
        said = f"{', '.join(missing)} not granted; import the manifest and install the app anew"
        return [there, ("Slack scopes", False, said)]
    return [there, ("Slack scopes", True, "all granted")]


async def _app_token(api: Api) -> Finding:
    try:
        await api.call("apps.connections.open")
    except Refused as refused:
        said = (
            f"refuses the app-level token ({refused.code}); make one with connections:write under "
            "Basic Information, and switch Socket Mode on"
        )
        return "Slack Socket Mode", False, said
    except SlackFault as fault:
        return "Slack Socket Mode", False, fault.words
    return "Slack Socket Mode", True, "a connection was offered"
