"""Real processes contend for one data folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.storage.lock import OwnerLock
from bot.errors import StorageBusy, StorageFailed

OWNER = """
import sys
from pathlib import Path
from adapters.storage.lock import OwnerLock
from bot.errors import PaperboyError
try:
    with OwnerLock(Path(sys.argv[1])):
        print("owner", flush=True)
        sys.stdin.read()
except PaperboyError as error:
    print(error.message, flush=True)
"""


@contextlib.contextmanager
def another_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that takes the lock and holds it until it is stopped; and what it said."""
    process = subprocess.Popen(  # noqa: S603 this interpreter, our own text
        [sys.executable, "-c", OWNER, str(folder)],
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_second_process_is_refused_at_once_and_told_who_owns_the_folder(tmp_path: Path) -> None:
    with another_process(tmp_path) as (owner, said):
        assert said == "owner"

        with pytest.raises(StorageBusy) as caught, OwnerLock(tmp_path):
            pass

        assert f"process {owner.pid} owns {tmp_path}" in caught.value.message
        assert "Stop it first" in caught.value.hint


def test_another_process_is_refused_while_we_own_the_folder(tmp_path: Path) -> None:
    with OwnerLock(tmp_path), another_process(tmp_path) as (_, said):
        assert f"process {os.getpid()} owns {tmp_path}" in said


def test_the_lock_is_free_after_the_owner_was_killed(tmp_path: Path) -> None:
    with another_process(tmp_path) as (owner, _):
        owner.kill()
        owner.wait()

        with OwnerLock(tmp_path):
            assert (tmp_path / "paperboy.lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_is_free_after_its_owner_ended(tmp_path: Path) -> None:
    with OwnerLock(tmp_path):
        pass

    with another_process(tmp_path) as (_, said):
        assert said == "owner"


def test_the_same_process_cannot_own_the_folder_twice(tmp_path: Path) -> None:
    with OwnerLock(tmp_path):
        with pytest.raises(StorageBusy, match=str(os.getpid())), OwnerLock(tmp_path):
            pass
        with pytest.raises(StorageBusy), OwnerLock(tmp_path):  # the refusal has not freed it
            pass


def test_the_file_stays_so_that_two_cannot_lock_two_different_ones(tmp_path: Path) -> None:
    with OwnerLock(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["paperboy.lock"]


def test_the_pid_of_a_longer_name_leaves_no_digits(tmp_path: Path) -> None:
    (tmp_path / "paperboy.lock").write_text("123456789012345\n")

    with OwnerLock(tmp_path):
        assert (tmp_path / "paperboy.lock").read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_made_is_said_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageFailed, match="could not be locked"), OwnerLock(tmp_path / "file"):
        pass


def test_a_refused_lock_leaves_no_descriptor_open(tmp_path: Path) -> None:
    with OwnerLock(tmp_path):
        lowest_free = os.dup(0)
        os.close(lowest_free)
        with pytest.raises(StorageBusy), OwnerLock(tmp_path):
            pass
        after = os.dup(0)
        os.close(after)

    assert after == lowest_free
