"""The environment: what is half set is refused with what is missing, and no secret is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.settings import Settings, load

BOT, APP, KEY = "xoxb-1-very-secret", "xapp-1-very-secret", "a key of sixteen or more"
MANY = {
    "CLIENT_ID": "1.2", "CLIENT_SECRET": "very-secret", "ENCRYPTION_KEYS": KEY,
    "PUBLIC_URL": "https://paperboy.example", "SIGNING_SECRET": "very-secret", "PORT": "3000",
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in os.environ:
        if name.startswith("PAPERBOY_"):
            monkeypatch.delenv(name)
    return monkeypatch


def slack(environment: pytest.MonkeyPatch, values: dict[str, str]) -> tuple[Settings | None, str]:
    for name, value in values.items():
        environment.setenv(f"PAPERBOY_SLACK__{name}", value)
    settings, faults = load()
    return settings, "\n".join(faults)


@pytest.mark.parametrize(
    ("values", "mode", "many"),
    [
        ({}, None, False),
        ({"BOT_TOKEN": BOT, "APP_TOKEN": APP}, "socket", False),
        ({"BOT_TOKEN": BOT, "SIGNING_SECRET": "s", "PORT": "0"}, "http", False),
        (MANY, "http", True),
    ],
)
def test_a_whole_set_of_slack_is_a_mode(
    environment: pytest.MonkeyPatch, values: dict[str, str], mode: str | None, many: bool
) -> None:
    settings, faults = slack(environment, values)

    assert faults == ""
    assert settings is not None
    assert (settings.slack.mode, settings.slack.is_many) == (mode, many)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"BOT_TOKEN": BOT}, "PAPERBOY_SLACK__APP_TOKEN: is missing: Socket Mode needs it."),
        ({"APP_TOKEN": APP}, "PAPERBOY_SLACK__BOT_TOKEN: is missing: Socket Mode needs it."),
        ({"BOT_TOKEN": "xoxp-1", "APP_TOKEN": APP}, "must begin with xoxb- and have no blanks."),
        ({"BOT_TOKEN": BOT, "PORT": "1"}, "SIGNING_SECRET: is missing: HTTP mode needs it."),
        (MANY | {"BOT_TOKEN": BOT}, "BOT_TOKEN: is no part of an app for many workspaces"),
        (MANY | {"ENCRYPTION_KEYS": "short"}, "must be keys of 16 characters or more."),
        (MANY | {"PUBLIC_URL": "http://example.org"}, "must begin with https://"),
    ],
)
def test_half_a_set_is_refused_with_what_is_missing(
    environment: pytest.MonkeyPatch, values: dict[str, str], told: str
) -> None:
    settings, faults = slack(environment, values)

    assert settings is None
    assert told in faults
    assert "very-secret" not in faults


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ARXIV__CATEGORIES", "[1, 2]", "must be categories with commas between, or a JSON list"),
        ("ARXIV__CATEGORIES", "[cs.CL]", "must be categories with commas between, or a JSON list"),
        ("ARXIV__DELAY_SECONDS", "inf", "less than or equal to 3600"),
        ("HUGGINGFACE__ENDPOINT", "http://127.0.0.1:99999", "Port out of range"),
        ("SLACK__API_URL", "https://slack.example:port/api", "Port could not be cast"),
        ("DELIVERY__SETTLE_SECONDS", "1e300", "less than or equal to 86400"),
    ],
)
def test_a_value_that_nothing_can_run_with_is_told_with_its_name(
    environment: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    environment.setenv(f"PAPERBOY_{name}", value)

    settings, [fault] = load()

    assert settings is None
    assert fault.startswith(f"PAPERBOY_{name}: ")
    assert told in fault


@pytest.mark.parametrize("typed", ["cs.CL, math.CO", '["cs.CL", "math.CO"]'])
def test_categories_may_be_written_in_both_ways(
    environment: pytest.MonkeyPatch, typed: str
) -> None:
    environment.setenv("PAPERBOY_ARXIV__CATEGORIES", typed)

    settings, _ = load()

    assert settings is not None
    assert settings.arxiv.categories == ("cs.CL", "math.CO")


def test_several_keys_may_be_written_in_both_ways(environment: pytest.MonkeyPatch) -> None:
    for typed in (f"{KEY} 1, {KEY} 2", f'["{KEY} 1", "{KEY} 2"]'):
        settings, faults = slack(environment, MANY | {"ENCRYPTION_KEYS": typed})

        assert faults == ""
        assert settings is not None
        keys = [key.get_secret_value() for key in settings.slack.encryption_keys]
        assert keys == [f"{KEY} 1", f"{KEY} 2"]


def test_a_secret_may_stand_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bot").write_text(f"{BOT}\n")
    (tmp_path / "discord").write_text("very-secret\n")
    environment.setenv("PAPERBOY_DISCORD__TOKEN_FILE", str(tmp_path / "discord"))

    settings, faults = slack(
        environment, {"BOT_TOKEN_FILE": str(tmp_path / "bot"), "APP_TOKEN": APP}
    )

    assert faults == ""
    assert settings is not None
    assert settings.slack.bot_token is not None
    assert settings.slack.bot_token.get_secret_value() == BOT
    assert settings.discord.token is not None
    assert settings.discord.token.get_secret_value() == "very-secret"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"BOT_TOKEN_FILE": "/nowhere/at-all"}, "names a file that cannot be read"),
        ({"BOT_TOKEN_FILE": "/dev/null"}, "names an empty file"),
        ({"BOT_TOKEN_FILE": "/dev/null", "BOT_TOKEN": BOT}, "cannot be set beside the secret"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_by_its_variable(
    environment: pytest.MonkeyPatch, values: dict[str, str], told: str
) -> None:
    settings, faults = slack(environment, values)

    assert settings is None
    assert f"PAPERBOY_SLACK__BOT_TOKEN_FILE: {told}" in faults


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GATEWAY_URL", "ws://gateway.example", "must begin with wss:// (plain ws only on this"),
        ("GATEWAY_URL", "https://gateway.example", "must be an address such as wss://"),
        ("API_URL", "http://discord.example", "must begin with https://"),
        ("SERVER", "my server", "match pattern"),
        ("TOKEN", "two words", "have no blanks"),
    ],
)
def test_what_discord_cannot_be_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    environment.setenv(f"PAPERBOY_DISCORD__{name}", value)

    settings, faults = load()

    assert settings is None
    assert told in "\n".join(faults)


def test_on_this_machine_plain_addresses_will_do(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAPERBOY_DISCORD__GATEWAY_URL", "ws://127.0.0.1:8/")
    environment.setenv("PAPERBOY_DISCORD__API_URL", "http://localhost:8/api/v10")

    settings, faults = load()

    assert faults == []
    assert settings is not None
    assert settings.discord.gateway_url == "ws://127.0.0.1:8"


def test_no_secret_is_shown_with_the_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAPERBOY_DISCORD__TOKEN", "very-secret")

    settings, _ = slack(environment, MANY)

    assert settings is not None
    assert "very-secret" not in f"{settings!r} {settings}"
    assert KEY not in f"{settings!r} {settings}"
