"""``python -m tests.pictures slack FOLDER``: the README's pictures; ``--all`` for every scene."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.pictures import discord_scenes, slack_scenes

SCENES = {"slack": slack_scenes, "discord": discord_scenes}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("platform", choices=SCENES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every scene, at both widths")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    scenes = SCENES[asked.platform]
    (scenes.look if asked.all else scenes.take)(asked.folder)


if __name__ == "__main__":
    main()
