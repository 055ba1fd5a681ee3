"""The image's recipe, followed step by step in a bare directory: what a build would do, without one.

    python -m tests.soak.image

installs what ``requirements/run.txt`` locks from the package index, builds and installs the wheel,
and starts what came of it as the image does: with its variables, its user and its command, until
the image's own health check passes, and then stops it. Where no container engine is at hand, this
stands in for it; it proves nothing about the base image. Prints its result, as JSON, to stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from socket import socket

from tests.soak.processes import ROOT

FOLDERS = ("/opt/paperboy", "/src", "/dist", "/data")  # of the image, that steps speak of
HEALTHY_SECONDS = 60.0  # the image's own start period
STOP_SECONDS = 15.0
_NOWHERE = "http://127.0.0.1:9"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, in order."""
    whole = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    found = [line.partition(" ") for line in whole.splitlines() if line and line[0] != "#"]
    return [(name, rest.strip()) for name, _, rest in found]


def last(name: str) -> str:
    return [rest for instruction, rest in instructions() if instruction == name][-1]


def left_out(path: str) -> bool:
    """As .dockerignore says: the last line that fits the path, or a folder above it, decides."""
    names = [path, *map(str, PurePosixPath(path).parents)]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!").rstrip("/")
        fits = [pattern, pattern.removeprefix("**/")]
        if any(fnmatch(n, f) or fnmatch(f"/{n}", f) for n in names for f in fits if f and n != "."):
            ignored = not line.startswith("!")
    return ignored


@dataclass(slots=True)
class Result:
    steps: list[str] = field(default_factory=list)
    healthy: bool = False
    healthy_after: float = 0.0  # seconds
    exit_code: int = -1  # after SIGTERM
    stopped_after: float = 0.0
    written_elsewhere: list[str] = field(default_factory=list)  # outside of the volume
    user: int = 0
    megabytes: int = 0

    @property
    def is_good(self) -> bool:
        stopped = self.exit_code == 0 and self.stopped_after < STOP_SECONDS
        return self.healthy and stopped and not self.written_elsewhere


class Recipe:
    """Follows the steps below *root*, which stands in for the image's file system.

    What is *borrowed* from this environment need not be fetched: the packages that are locked.
    """

    def __init__(self, root: Path, *, borrowed: bool) -> None:
        self.root = root
        self.steps: list[str] = []
        self.variables: dict[str, str] = {}
        self._borrowed = borrowed
        self._folder = root

    def follow(self) -> None:
        for name, rest in instructions():
            match name:
                case "FROM":
                    self.variables = {}  # a stage begins with nothing
                case "ENV":
                    pairs = (pair.partition("=") for pair in shlex.split(self._here(rest)))
                    self.variables |= {key: value for key, _, value in pairs}
                case "WORKDIR":
                    self._folder = Path(self._here(rest))
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "COPY" if not rest.startswith("--from"):
                    *sources, target = rest.split()
                    for source in sources:
                        self._copy(source.rstrip("/"), self._folder / target)
                case "RUN":
                    self._run(rest)
                case _:
                    continue
            self.steps.append(f"{name} {rest}")
        for left in ("src", "dist"):  # the second stage takes the environment alone
            shutil.rmtree(self.root / left)

    def _here(self, words: str) -> str:
        for folder in FOLDERS:
            words = words.replace(folder, f"{self.root}{folder}")
        return words.replace("$PATH", os.environ["PATH"])

    def _copy(self, source: str, target: Path) -> None:
        def ignored(folder: str, names: list[str]) -> list[str]:
            inside = Path(folder).relative_to(ROOT)
            return [name for name in names if left_out(str(inside / name))]

        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=ignored, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)

    def _run(self, rest: str) -> None:
        if self._borrowed and "--require-hashes" in rest:
            [packages] = self.root.glob("opt/paperboy/lib/python*/site-packages")
            (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
            return
        command = json.loads(rest) if rest.startswith("[") else ["sh", "-c", rest]
        command = [self._here(word) for word in command]
        if command[0] == "python":
            command[0] = _python()
        if command[0] == "install" and os.geteuid() != 0:  # only root may give a folder away
            command = [w for w in command if w not in ("-o", "-g", *last("USER").split(":"))]
        subprocess.run(
            command, cwd=self._folder, env=os.environ | self.variables, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip


def start(recipe: Recipe, result: Result) -> None:
    """What came of the recipe runs as the image would: until it is healthy, and is told to stop."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = recipe.root / "data"
    user, group = map(int, last("USER").split(":"))
    tool = recipe.root / "opt/paperboy/bin/python"
    may_switch = os.geteuid() == 0 and _is_reachable(tool.resolve())
    result.user = user if may_switch else os.geteuid()
    as_user = partial(_become, user, group) if may_switch else None
    variables = recipe.variables | {
        "HOME": "/nonexistent",
        "PAPERBOY_WEB__HOST": "127.0.0.1",  # 0.0.0.0 is for a network of its own
        "PAPERBOY_WEB__PORT": str(port),
        "PAPERBOY_OUTBOX_DIR": str(data / "posts"),
        "PAPERBOY_ARXIV__DELAY_SECONDS": "0",
        **dict.fromkeys(
            ("PAPERBOY_ARXIV__API_URL", "PAPERBOY_ARXIV__FEED_URL", "PAPERBOY_ARXIV__OAI_URL",
             "PAPERBOY_HUGGINGFACE__ENDPOINT"), _NOWHERE,
        ),
    }  # fmt: skip
    command = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    checking = json.loads(last("HEALTHCHECK").partition(" CMD ")[2])
    before = _standing(recipe.root, data)
    began = time.monotonic()
    with subprocess.Popen(
        [recipe.root / "opt/paperboy/bin" / command[0], *command[1:]],
        cwd=data, env=variables, stderr=subprocess.DEVNULL, preexec_fn=as_user,
    ) as process:  # fmt: skip
        try:
            while time.monotonic() - began < HEALTHY_SECONDS and process.poll() is None:
                checked = subprocess.run(
                    [tool, *checking[1:]], cwd=data, env=variables, stderr=subprocess.DEVNULL,
                    preexec_fn=as_user, check=False,
                )  # fmt: skip
                if checked.returncode == 0:
                    result.healthy = True
                    result.healthy_after = round(time.monotonic() - began, 1)
                    break
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            result.exit_code = process.wait(timeout=2 * STOP_SECONDS)
            result.stopped_after = round(time.monotonic() - told, 1)
        finally:
            process.kill()
    result.written_elsewhere = sorted(_standing(recipe.root, data) ^ before)


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def _python() -> str:
    """This one; another of its version where it lies in a folder that other users may not enter."""
    version = f"python3.{sys.version_info.minor}"
    others = (Path(folder, version) for folder in os.environ["PATH"].split(os.pathsep))
    pythons = [Path(sys.executable), *(other for other in others if other.exists())]
    return str(next((p for p in pythons if _is_reachable(p.resolve())), sys.executable))


def _is_reachable(path: Path) -> bool:
    """For any user."""
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)


def _standing(root: Path, volume: Path) -> set[str]:
    """All files but the volume's, with their sizes and times."""
    found = (path for path in root.rglob("*") if not path.is_relative_to(volume))
    stats = ((path, path.lstat()) for path in found if not path.is_dir())
    return {f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats}


@contextmanager
def bare() -> Iterator[Path]:
    """A directory that any user may go through."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def build_and_start(*, borrowed: bool) -> Result:
    result = Result()
    with bare() as root:
        recipe = Recipe(root, borrowed=borrowed)
        recipe.follow()
        result.steps = recipe.steps
        sizes = (path.lstat().st_size for path in (root / "opt").rglob("*"))
        result.megabytes = sum(sizes) // 1_000_000
        start(recipe, result)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--borrowed", action="store_true", help="fetch nothing: borrow packages")
    result = build_and_start(borrowed=parser.parse_args().borrowed)
    print(json.dumps(asdict(result), indent=1))
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
