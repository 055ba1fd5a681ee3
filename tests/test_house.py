"""The project keeps its own promises: tables, borders, packages."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import typer

from bot.cli import cli
from bot.commands import VERBS
from bot.query import categories

ROOT = Path(__file__).resolve().parents[1]


def test_the_readme_lists_the_verbs_as_they_are() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split("<!-- verbs")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", table, re.MULTILINE)

    assert [(verb.usage, verb.summary) for verb in VERBS] == rows


def test_the_readme_lists_the_commands_and_their_options_as_they_are() -> None:
    """Each row of the table names a command or two, with the options that they have."""
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.split("## The command line")[1].split("\n\n")[1]
    has = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in typer.main.get_group(cli).commands.items()
    }
    told: set[str] = set()
    for row in re.findall(r"^\| (`paperboy .+?`) \|", table, re.MULTILINE):
        for sentence in re.findall(r"`paperboy (.+?)`", row.replace("\\|", "|")):
            name = sentence.split()[0]
            told.add(name)
            assert set(re.findall(r"--\w+", sentence)) <= has[name], sentence

    assert told == has.keys()


def test_every_setting_that_the_readme_names_is_one() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    example = (ROOT / "config" / "example.env").read_text("utf-8")
    settings = set(re.findall(r"^#(PAPERBOY_\w+)=", example, re.MULTILINE))

    named = set(re.findall(r"PAPERBOY_[A-Z_]+[A-Z]", readme))

    assert {name.removesuffix("_FILE") for name in named} <= settings


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text("utf-8")

        assert "://" not in text
        assert "--index-url" not in text
        pins = re.findall(r"^[a-z0-9].*==.*$", text, re.MULTILINE)
        assert pins
        assert all(pin.endswith("\\") for pin in pins)


def test_nobody_else_owns_our_package_names() -> None:
    owners = importlib.metadata.packages_distributions()

    # an editable install lists no packages of its own
    for name in ("bot", "adapters", "config"):
        assert set(owners.get(name, [])) <= {"paperboy"}


def test_the_core_loads_without_stores_platforms_and_the_terminal() -> None:
    script = (
        "import sys, bot.answers, bot.machine\n"
        "foreign = {'tinydb', 'rich', 'typer', 'prompt_toolkit', 'pydantic', 'defusedxml'}\n"
        "print(sorted(foreign & set(sys.modules)))"
    )

    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_every_category_is_listed_once() -> None:
    assert len(set(categories())) == len(categories())
    assert {"cs.CL", "cs", "quant-ph", "cond-mat.mes-hall", "physics.acc-ph"} <= set(categories())
