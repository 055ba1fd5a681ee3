"""The app's description for Slack, made from the verbs and from what the adapter uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.commands import VERBS

PATH = "/slack/events"  # of everything that Slack sends in HTTP mode
INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"
COMMAND = "/papers"
SEARCH, ABOUT = "search_papers", "about_paper"  # shortcuts, by their callback ids
DOMAINS = ("arxiv.org", "huggingface.co", "doi.org")  # whose links get a card
_HINT = 200  # characters of the usage hint: what fits beside the command

# Each with what it is for: the page on which a workspace adds the app shows it.
SCOPES: Mapping[str, str] = {
    "app_mentions:read": "to answer @Paperboy",
    "channels:history": "to see in public channels whether a digest arrived whose delivery is in doubt",
    "channels:read": "to know a channel's creator, whether it is archived, and who sees it",
    "chat:write": "to post digests and to answer",
    "commands": f"to offer {COMMAND} and the shortcuts",
    "files:write": "to send long exports as a file in direct messages",
    "groups:history": "the same as channels:history, in private channels that it was invited to",
    "groups:read": "the same as channels:read, in private channels that it was invited to",
    "im:history": "to read direct messages to Paperboy, and to see whether a digest arrived there",
    "im:write": "to write to a person: personal digests, and news about their channels",
    "links:read": "to notice links to papers, where a channel wants cards below them",
    "links:write": "to put those cards there",
    "users:read": "to know who may change a channel (guests may not), and a person's time zone",
}
EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_deleted",
    "channel_id_changed",
    "channel_left",
    "channel_unarchive",
    "group_archive",
    "group_deleted",
    "group_left",
    "group_unarchive",
    "link_shared",
    "member_joined_channel",
    "member_left_channel",
    "message.im",
    "tokens_revoked",
)


def manifest(public_url: str = "", *, many: bool = False) -> dict[str, Any]:
    """For Socket Mode, or for HTTP mode at *public_url*; *many* workspaces add it by themselves."""
    url = public_url.rstrip("/")
    request = {"request_url": url + PATH} if url else {}
    options = {"message_menu_options_url": url + PATH} if url else {}
    command = {
        "command": COMMAND,
        "description": "New research papers for this channel",
        "usage_hint": _usage(),
        "should_escape": True,
    }
    return {
        "display_information": {
            "name": "Paperboy",
            "description": "Brings each channel the new research papers it cares about",
            "background_color": "#1f3a5f",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Paperboy", "always_online": True},
            "shortcuts": [
                {
                    "name": "Search papers",
                    "type": "global",
                    "callback_id": SEARCH,
                    "description": "Find research papers",
                },
                {
                    "name": "About this paper",
                    "type": "message",
                    "callback_id": ABOUT,
                    "description": "What the papers that a message links to are about",
                },
            ],
            "slash_commands": [command | ({"url": url + PATH} if url else {})],
            "unfurl_domains": list(DOMAINS),
        },
        "oauth_config": {
            **({"redirect_urls": [url + REDIRECT]} if url and many else {}),
            "scopes": {"bot": list(SCOPES)},
        },
        "settings": {
            "event_subscriptions": request | {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True} | request | options,
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }


def _usage() -> str:
    """The first verbs of the table, as many as fit."""
    hint = ""
    for verb in VERBS:
        longer = f"{hint} | {verb.name}" if hint else verb.name
        if len(longer) > _HINT:
            break
        hint = longer
    return f"[{hint}]"


def as_yaml(document: Mapping[str, Any]) -> str:
    """Every text is quoted as in JSON, which YAML reads alike."""
    return "\n".join(_lines(document, "")) + "\n"


def _lines(value: Mapping[str, Any] | Sequence[Any], indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _entry(f"{indent}{key}:", each, indent)
        return
    for each in value:
        if isinstance(each, Mapping):
            first, *others = _lines(each, indent + "  ")
            yield f"{indent}- {first.lstrip()}"
            yield from others
        else:
            yield f"{indent}- {json.dumps(each, ensure_ascii=False)}"


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        yield head
        yield from _lines(value, indent + "  ")
    else:
        yield f"{head} {json.dumps(value, ensure_ascii=False)}"
