"""``python -m tests.pictures slack FOLDER``: the README's pictures; ``--all`` for every scene."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tests.pictures import discord_scenes, slack_scenes
from tests.pictures.scenes import look, take

PLATFORMS = {"slack": slack_scenes, "discord": discord_scenes}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("platform", choices=PLATFORMS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every scene, at both widths")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    platform = PLATFORMS[asked.platform]
    pages = asyncio.run(platform.scenes())
    if asked.all:
        look(pages, asked.platform, asked.folder)
    else:
        take(pages, platform.SHIPPED, asked.folder)


if __name__ == "__main__":
    main()
