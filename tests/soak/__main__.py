"""All long forms, one after the other: python -m tests.soak [--json FILE] [NAME …].

Each draws a bar on stderr. What they find is written to the file after each of them, with how busy
the machine was: times are worth comparing where it was not, processor times everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    module: str
    words: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


FORMS = {
    "mutations": Form("mutations", ("--count", "20000")),
    "settings": Form("settings_kill", ("--kills", "1000")),
    "failpoints": Form("failpoints"),
    "delivery": Form("delivery_kill", ("--kills", "1000", "--messages", "20000")),
    "control": Form("delivery_kill", ("--control", "--kills", "50", "--messages", "1000")),
    "zones": Form("zones"),
    "zones of tzdata": Form("zones", variables={"PYTHONTZPATH": ""}),
    "year": Form("year"),
    "crowd": Form("crowd", ("--channels", "10000")),
    "image": Form("image"),
}


def run(name: str) -> dict[str, Any]:
    form = FORMS[name]
    command = ["python", "-m", f"tests.soak.{form.module}", *form.words]
    print(f"{name}: {' '.join(command[1:])}", file=sys.stderr, flush=True)
    began, spent = time.monotonic(), _processor_seconds()
    ended = subprocess.run(
        [sys.executable, *command[1:]],
        env=os.environ | form.variables, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    return {
        "command": " ".join([*(f"{k}={v}" for k, v in form.variables.items()), *command]),
        "passed": ended.returncode == 0,
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(_processor_seconds() - spent, 1),
        "load": round(os.getloadavg()[0], 2),
        "result": json.loads(ended.stdout) if ended.stdout else None,
    }


def _processor_seconds() -> float:
    """Of all processes that have been begun here and have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FORMS)}")
    parser.add_argument("--json", type=Path, default=Path("soak.json"), help="the results go here")
    asked = parser.parse_args()
    names = asked.names or [*FORMS]
    if unknown := set(names).difference(FORMS):
        parser.error(f"there is no {', '.join(unknown)}")
    found: dict[str, Any] = {
        "began": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "machine": f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}",
        "forms": {},
    }
    for name in names:
        found["forms"][name] = run(name)
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"The results are in {asked.json}.", file=sys.stderr)
    if failed := [name for name in names if not found["forms"][name]["passed"]]:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
