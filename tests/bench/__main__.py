"""All that `make bench` measures: python -m tests.bench [--data FOLDER] [--json FILE].

Each part runs by itself, one after the other, and can be run alone: python -m tests.bench.PART.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SEARCH_BESIDE = (
    "inspec_kw",
    "csfcube",
    "cacm",
    "cisi",
)  # sets with targets; one more has exclusions


def parts(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Module and arguments."""
    sets = [str(data / "ranking" / name) for name in SEARCH_BESIDE]
    here = ["--data", str(data)]
    yield "whole", here
    yield "ranking", [*sets, str(data / "ranking" / "negconstraint")]
    yield "calibration", sets
    yield "month", here
    yield "feedback", [*sets, "--queries", "50"]
    yield "search", [*here, "--papers", "31639"]
    yield "search", [*here, "--papers", "200000"]
    yield "matching", here


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with dumps and ranking")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"There is no folder {options.data}. Name it: make bench DATA=FOLDER")
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}", flush=True)
    figures: dict[str, Any] = {}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "figures.json"
        for name, words in parts(options.data):
            print(f"\n## {name} {' '.join(w for w in words if w.isdigit())}\n", flush=True)
            command = [sys.executable, "-m", f"tests.bench.{name}", *words, "--json", str(written)]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
            else:
                figures.setdefault(name, []).append(json.loads(written.read_text("utf-8")))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
