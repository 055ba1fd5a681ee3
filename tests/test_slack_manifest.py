"""The manifest says what the adapter uses, and the file in config is what it makes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.slack import manifest as made
from adapters.slack.manifest import EVENTS, SCOPES, as_yaml, manifest
from bot.commands import VERBS

FILE = Path(__file__).parent.parent / "config" / "slack-manifest.yaml"
SOURCES = "\n".join(
    path.read_text("utf-8") for path in (FILE.parent.parent / "adapters" / "slack").glob("*.py")
    if path.name != "manifest.py"
)  # fmt: skip
METHODS = FILE.parents[2] / "shared" / "specs" / "slack_methods.json"


def test_the_file_is_what_socket_mode_needs() -> None:
    assert FILE.read_text("utf-8") == as_yaml(manifest())


def test_what_is_written_is_read_back_alike() -> None:
    for document in (manifest(), manifest("https://papers.example.org/", many=True)):
        assert _read(as_yaml(document)) == document


def test_texts_survive_whatever_is_in_them() -> None:
    document = {"a": ["yes", "no: 1", "- x", '"', "#", "é\n", {"b": True, "c": "0x1", "d": ["~"]}]}

    assert _read(as_yaml(document)) == document


def test_http_mode_has_its_addresses() -> None:
    shown = manifest("https://papers.example.org/", many=True)

    url = "https://papers.example.org/slack/events"
    assert shown["settings"]["socket_mode_enabled"] is False
    assert shown["settings"]["event_subscriptions"]["request_url"] == url
    assert shown["settings"]["interactivity"] == {
        "is_enabled": True, "request_url": url, "message_menu_options_url": url,
    }  # fmt: skip
    assert [c["url"] for c in shown["features"]["slash_commands"]] == [url]
    assert shown["oauth_config"]["redirect_urls"] == [
        "https://papers.example.org/slack/oauth_redirect"
    ]
    assert "redirect_urls" not in manifest("https://papers.example.org")["oauth_config"]


def test_the_command_hints_at_the_verbs() -> None:
    [command] = manifest()["features"]["slash_commands"]

    assert command["command"] == "/papers"
    assert command["should_escape"] is True
    assert all(verb.name in command["usage_hint"] for verb in VERBS[:8])


def test_slacks_limits_are_kept() -> None:
    shown = manifest()
    display = shown["display_information"]
    assert len(display["name"]) <= 35
    assert len(display["description"]) <= 140
    for shortcut in shown["features"]["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
    for command in shown["features"]["slash_commands"]:
        assert len(command["usage_hint"]) <= 1000
    assert len(shown["features"]["unfurl_domains"]) <= 5


def test_every_event_is_listened_to_and_every_one_that_is_listened_to_is_asked_for() -> None:
    listened = set(
        re.findall(r'"((?:app|channel|group|link|member|tokens)_\w+)": self\._', SOURCES)
    )
    listened |= {"app_uninstalled", "tokens_revoked", "message.im"}

    assert set(EVENTS) == listened


def test_shortcuts_are_those_that_are_listened_to() -> None:
    ids = {shortcut["callback_id"] for shortcut in manifest()["features"]["shortcuts"]}

    assert ids == {made.SEARCH, made.ABOUT}


def test_every_scope_is_used_and_none_is_missing() -> None:
    if not METHODS.exists():
        pytest.skip("the description of Slack's methods is not here")
    methods: dict[str, Any] = json.loads(METHODS.read_text("utf-8"))
    called = set(re.findall(r'"([a-z]+(?:\.[a-z0-9]+)?\.[a-zA-Z]+)"', SOURCES)) & methods.keys()
    wanted = {scope for name in called for scope in methods[name]["scopes"].get("bot", ())}
    not_here = {"mpim:history", "mpim:read", "mpim:write"}  # no group of direct messages
    # conversations.open needs one of several, .history and .info one for the kind of channel.
    not_here |= {"channels:manage", "groups:write", "im:read"}
    by_events = {"app_mentions:read", "links:read", "commands"}

    assert called >= {"chat.postMessage", "conversations.history", "users.info", "views.open"}
    assert set(SCOPES) == (wanted - not_here) | by_events
    assert all(SCOPES.values())


def _read(text: str) -> Any:
    """A strict reader of the small part of YAML that is written: maps, lists, JSON's scalars."""
    lines = [(len(line) - len(line.lstrip()), line.lstrip()) for line in text.splitlines()]
    value, rest = _block(lines, 0)
    assert rest == []
    return value


def _block(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    if lines[0][1].startswith("- "):
        items = []
        while (
            lines
            and lines[0] >= (indent, "")
            and lines[0][0] == indent
            and lines[0][1].startswith("- ")
        ):
            inner = lines[0][1][2:]
            if re.match(r"\w+:", inner):
                item, lines = _block([(indent + 2, inner), *lines[1:]], indent + 2)
            else:
                item, lines = json.loads(inner), lines[1:]
            items.append(item)
        return items, lines
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        key, _, inner = lines[0][1].partition(":")
        if inner:
            found[key], lines = json.loads(inner), lines[1:]
        else:
            found[key], lines = _block(lines[1:], lines[1][0])
    return found, lines
