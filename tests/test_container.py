"""How Paperboy is set up and shipped: the image's recipe, its flags, and the settings it reads."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest
from pydantic import BaseModel

from adapters.web import Figures, health_routes, serve
from config.settings import Settings, load
from tests.soak.image import build_and_start, instructions, last, left_out

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def copied() -> list[str]:
    """What the image takes from this folder."""
    return [
        source.rstrip("/")
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]


# The image


def test_everything_that_the_image_takes_is_there() -> None:
    assert copied()
    for path in copied():
        assert (ROOT / path).exists(), path
        assert not left_out(path), path


@pytest.mark.skipif(
    not which("git") or not (ROOT / ".git").exists(), reason="this is no checkout of git"
)
def test_everything_that_the_image_takes_is_under_version_control() -> None:
    for path in copied():
        command = ["git", "ls-files", "--", path]
        listed = subprocess.run(  # noqa: S603 no words from outside
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert listed.stdout, path


def test_the_image_takes_all_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    about = [project["project"]["readme"], *project["project"]["license-files"]]

    assert {*wheel, *about, "pyproject.toml", "requirements/run.txt"} == set(copied())


@pytest.mark.parametrize(
    "path",
    [
        ".env", "config/.env", ".git/config", ".venv/bin/python", "tests/test_container.py",
        "paperboy.sqlite3", "bot/__pycache__/cli.cpython-311.pyc", "requirements/dev.txt",
    ],
)  # fmt: skip
def test_secrets_data_and_leftovers_stay_out_of_the_image(path: str) -> None:
    assert left_out(path)


def test_the_image_holds_no_secret() -> None:
    for name, rest in instructions():
        if name in ("ENV", "ARG"):
            assert not re.search(r"TOKEN|SECRET|PASSWORD|KEY", rest), rest
    assert "PAPERBOY_" not in (ROOT / "compose.yaml").read_text("utf-8")


def test_every_package_in_the_image_is_checked_by_its_hash() -> None:
    installs = [rest for name, rest in instructions() if name == "RUN" and "install" in rest]
    from_outside = [rest for rest in installs if "pip" in rest and "uninstall" not in rest]

    assert from_outside
    for rest in from_outside:
        assert "--require-hashes" in rest or "--no-index" in rest, rest


def test_both_stages_have_the_same_python() -> None:
    bases = {rest.split()[0] for name, rest in instructions() if name == "FROM"}

    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1[1-9]-slim", bases.pop())


def test_the_image_runs_paperboy_and_signals_reach_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    entry = json.loads(last("ENTRYPOINT"))  # exec form: no shell keeps the signals

    assert entry == ["paperboy"]
    assert entry[0] in project["project"]["scripts"]
    assert json.loads(last("CMD")) == ["run"]


def test_the_image_runs_as_nobody_in_particular() -> None:
    user, group = last("USER").split(":")

    assert int(user) >= 10_000
    assert int(group) >= 10_000
    owned = last("RUN")
    assert json.loads(owned)[-1] == "/data"
    assert f'"-o", "{user}", "-g", "{group}"' in owned
    assert last("VOLUME") == "/data"
    assert "PAPERBOY_DATA_DIR=/data" in last("ENV")


@pytest.mark.parametrize(
    "flag",
    [
        "read_only: true", "- /tmp", "- ALL", "- no-new-privileges:true", "- data:/data",
        "restart: unless-stopped", "stop_grace_period: 40s", "required: false",
    ],
)  # fmt: skip
def test_the_container_may_do_nothing_that_it_need_not(flag: str) -> None:
    lines = (ROOT / "compose.yaml").read_text("utf-8").splitlines()

    assert flag in [line.strip() for line in lines]


def test_what_the_stages_make_runs_and_stops_as_the_image_would() -> None:
    """In a bare directory, with the locked packages of this environment.

    The release fetches them by their hashes: python -m tests.soak.image.
    """
    result = build_and_start(borrowed=True)

    assert len(result.steps) > 10
    assert result.healthy
    assert result.exit_code == 0
    assert result.stopped_after < 15
    assert result.written_elsewhere == []


async def checked(port: int) -> int:
    """The exit code of the image's health check, where Paperboy answers at that port."""
    command = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    assert command[0] == "python"
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command[1:],
        env=os.environ | {"PAPERBOY_WEB__PORT": str(port), "http_proxy": "http://127.0.0.1:9"},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait()


async def test_the_health_check_sees_whether_the_clock_ticks() -> None:
    now = NOW

    async def figures() -> Figures:
        return Figures()

    routes = health_routes(
        clock=lambda: now, period=timedelta(seconds=20), last_tick=lambda: NOW,
        unready=str, figures=figures,
    )  # fmt: skip
    async with serve("127.0.0.1", 0, routes) as url:
        port = int(url.rpartition(":")[2])
        assert await checked(port) == 0
        now = NOW + timedelta(minutes=2)
        assert await checked(port) == 1
    assert await checked(port) == 1  # nobody answers


# The settings


def variables(model: type[BaseModel], prefix: str = "PAPERBOY_") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def example() -> dict[str, str]:
    text = (ROOT / "config" / "example.env").read_text("utf-8")
    return dict(re.findall(r"^#?(PAPERBOY_\w+)=(.*)$", text, re.MULTILINE))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in os.environ:
        if name.startswith("PAPERBOY_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_the_example_names_every_setting_and_no_other() -> None:
    assert sorted(example()) == sorted(variables(Settings))


def test_the_example_shows_what_holds_without_it(environment: pytest.MonkeyPatch) -> None:
    bare, faults = load()
    assert faults == []
    for name, value in example().items():
        environment.setenv(name, value)

    shown, faults = load()

    assert faults == []
    assert bare is not None
    assert shown is not None
    ours = {"data_dir", "outbox_dir"}  # a folder of this user, and none
    assert shown.model_dump(exclude=ours) == bare.model_dump(exclude=ours)


def test_nothing_in_the_example_holds_before_it_is_chosen() -> None:
    text = (ROOT / "config" / "example.env").read_text("utf-8")

    assert all(not line or line.startswith("#") for line in text.splitlines())


def test_all_faults_are_told_at_once(environment: pytest.MonkeyPatch) -> None:
    faulty = {
        "PAPERBOY_WEB__PORT": "65536",
        "PAPERBOY_FETCH_MINUTES": "4",
        "PAPERBOY_DELIVERY__SETTLE_SECONDS": "0",
        "PAPERBOY_ARXIV__API_URL": "http://example.org",
    }
    for name, value in faulty.items():
        environment.setenv(name, value)

    settings, faults = load()

    assert settings is None
    assert sorted(fault.partition(":")[0] for fault in faults) == sorted(faulty)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAPERBOY_FETCH_MINUTES", "5"), ("PAPERBOY_FETCH_MINUTES", "1440"),
        ("PAPERBOY_WEB__PORT", "0"), ("PAPERBOY_WEB__PORT", "65535"),
        ("PAPERBOY_DELIVERY__SETTLE_SECONDS", "0.5"), ("PAPERBOY_OUTBOX_DIR", ""),
    ],
)  # fmt: skip
def test_the_ends_of_a_range_are_taken(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)

    assert load()[1] == []
