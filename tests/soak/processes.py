"""Processes that are begun, killed and waited for, and the platform that they post to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def platform(*options: str) -> Iterator[str]:
    """A faulty platform in a process of its own; its address."""
    command = [sys.executable, "-m", "tests.faulty_platform", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def report(url: str) -> Any:
    """What the platform has seen, and what stands there."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/report")
        return json.load(connection.getresponse())
    finally:
        connection.close()


def begin(work: Callable[[], object]) -> int:
    """Do the work in a forked process, at once and with all imports done; its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def exit_code(pid: int) -> int:
    """Of the process when it has ended; a signal that ended it is negative."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
