"""One process owns the data folder, and a second one is told which.

The operating system holds the lock and drops it when the owner ends, however it ends. The file
stays: whoever deleted it could leave two processes with a lock on two different files.

On Windows the lock is ``msvcrt.locking`` on one byte far behind the pid. It keeps a second
Paperboy out all the same; that path is not covered by the tests.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Self

from bot.errors import PaperboyError, StorageBusy, StorageFailed

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        os.lseek(file, 1 << 30, os.SEEK_SET)  # locked bytes cannot be read: leave the pid free
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class OwnerLock:
    """Holds *folder* while the context is open; raises StorageBusy at once where it is taken."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "paperboy.lock"
        self._file = -1

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._take(file)
        except PaperboyError:
            os.close(file)
            raise
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _take(self, file: int) -> None:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:  # Windows says PermissionError
            os.lseek(file, 0, os.SEEK_SET)
            raise self._busy(os.read(file, 20)) from error
        except OSError as error:
            raise self._failed(error) from error
        try:
            os.lseek(file, 0, os.SEEK_SET)
            os.truncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise self._failed(error) from error

    def _busy(self, content: bytes) -> StorageBusy:
        pid = content.decode("ascii", "replace").strip()
        owner = f"process {pid}" if pid.isdigit() else "another process"
        return StorageBusy(
            f"Paperboy is already running here: {owner} owns {self._path.parent}.",
            hint="Stop it first, or set PAPERBOY_DATA_DIR to another folder. Beside it you can "
            "still use search, digest, check and export.",
        )

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(
            f"{self._path} could not be locked: {error.strerror or error}.",
            hint="The data folder must be on a disk where the user who runs Paperboy may write.",
        )
