"""Photographs of pages, by a headless Chromium that never asks the network."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

DESK, PHONE = 760, 390  # CSS pixels
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
_MEASURE = (
    "<script>document.title = Math.ceil(document.body.getBoundingClientRect().height)</script>"
)


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def photograph(html: str, picture: Path, width: int, *, scale: float = 2) -> None:
    """The whole page at that width, as a PNG."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = folder / "page.html"
        page.write_text(html.replace("</body>", f"{_MEASURE}</body>"), "utf-8")
        # a window is at least 500 wide: what is narrower is a frame in it
        frame = folder / "frame.html"
        frame.write_text(_frame(page, width), "utf-8")
        told = _run(
            folder,
            "--allow-file-access-from-files",
            "--dump-dom",
            "--virtual-time-budget=2000",
            frame,
        )
        height = int(_found(told))
        _run(
            folder,
            f"--screenshot={picture.resolve()}",
            f"--window-size={width},{height}",
            f"--force-device-scale-factor={scale:g}",
            page,
        )


def _frame(page: Path, width: int) -> str:
    return (
        f"<iframe id='f' src='{page.as_uri()}' width='{width}' height='100' style='border:0'></iframe>"
        "<script>document.getElementById('f').onload = function () {"
        "document.title = 'height ' + this.contentDocument.title }</script>"
    )


def _found(dom: str) -> str:
    match = re.search(r"<title>height (\d+)</title>", dom)
    if match is None:
        raise RuntimeError("the page told no height")
    return match[1]


def _run(folder: Path, *arguments: str | Path) -> str:
    program = chromium()
    if program is None:
        raise FileNotFoundError("no Chromium is installed here")
    done = subprocess.run(  # noqa: S603  # our own arguments
        [program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", *map(str, arguments)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout
