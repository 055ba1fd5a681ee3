"""A TinyDB storage that survives kills, power cuts and full disks.

TinyDB's own storage overwrites its file in place: a kill between the write and the truncation
leaves it unreadable, and a file cut to nothing counts as new. Here each write makes a whole new
file, and three names stand side by side:

    NAME            the current state
    NAME.bak        the state before the last write, a hard link where the file system has them
    NAME.tmp        a write that was not finished; removed on opening
    NAME.corrupt-…  a damaged file that was moved aside, with the time in milliseconds

One process writes (see ``adapters.storage.lock``), one thread at a time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from bot.errors import StorageBusy, StorageDamaged, StorageFailed

log = logging.getLogger(__name__)

Tables = dict[str, dict[str, Any]]  # as TinyDB has them: table, document id, document

_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP)  # FAT, some network shares


class SafeJSONStorage(Storage):
    """*check* raises ValueError for tables that are no good state; such a file counts as damaged.

    Raises StorageDamaged, and touches nothing, where neither the file nor its copy can be read.
    With *readonly* it writes, moves and removes nothing, and so works beside the owner.
    """

    def __init__(
        self,
        path: Path,
        *,
        check: Callable[[Tables], None] = lambda tables: None,
        readonly: bool = False,
    ) -> None:
        self.size = 0  # in bytes, of what was last read or written
        self._path = path
        self._backup = path.with_name(path.name + ".bak")
        self._temp = path.with_name(path.name + ".tmp")
        self._check = check
        self._readonly = readonly
        if not readonly:
            with _in_plain_words(path.parent, "opened"):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._temp.unlink(missing_ok=True)
        self.read()

    def read(self) -> Tables | None:
        """Parsed afresh each time, so that a change that fails half-way leaves no trace."""
        try:
            return self._load(self._path)
        except FileNotFoundError:
            if not self._backup.exists():
                return None
            fault = "is missing"
        except ValueError as error:
            fault = f"cannot be read ({error})"
        tables = self._load_backup(fault)
        aside = "" if self._readonly else self._recover()
        log.warning("%s %s; its last good copy is used%s", self._path, fault, aside)
        return tables

    def write(self, data: Tables) -> None:
        if self._readonly:
            raise StorageBusy(f"{self._path} was opened for reading only.")
        text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        # what UTF-8 cannot hold is half a surrogate pair, and Python escapes it as JSON does
        content = text.encode("utf-8", "backslashreplace") + b"\n"
        with _in_plain_words(self._path, "written"):
            try:
                _write_durably(self._temp, content)
                old = self._path.exists()
                if old:
                    self._backup.unlink(missing_ok=True)
                    _link(self._path, self._backup)
                self._temp.replace(self._path)
            except OSError:
                with contextlib.suppress(OSError):
                    self._temp.unlink(missing_ok=True)
                raise
            try:
                _sync_folder(self._path.parent)
            except OSError:
                self._take_back(old)
                raise
        self.size = len(content)

    def _load(self, path: Path) -> Tables:
        """Raise ValueError for a damaged file, FileNotFoundError where there is none."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _failed(path, "read", error) from error
        if not content:
            raise ValueError("it is empty")
        try:
            tables = json.loads(content)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        _check_tables(tables)
        self._check(tables)
        self.size = len(content)
        return tables  # type: ignore[no-any-return]  # _check_tables has seen to it

    def _load_backup(self, fault: str) -> Tables:
        try:
            return self._load(self._backup)
        except FileNotFoundError:
            worse = "does not exist"
        except ValueError as error:
            worse = f"cannot be read ({error})"
        raise StorageDamaged(
            f"The file {self._path} {fault} and its last good copy {self._backup} {worse}. "
            "Nothing was changed.",
            hint="Put a good copy in its place, for instance from a backup. Or move both files "
            "away, start again, and bring an export back with paperboy restore.",
        )

    def _recover(self) -> str:
        """Move the damaged file aside and let the copy take its place."""
        aside = ""
        with _in_plain_words(self._path, "recovered"):
            if self._path.exists():
                corrupt = self._path.with_name(
                    f"{self._path.name}.corrupt-{time.time_ns() // 1_000_000}"
                )
                self._path.rename(corrupt)
                aside = f", the damaged file was moved to {corrupt}"
            # a copy, no link: what damages the one must not damage the other
            _write_durably(self._temp, self._backup.read_bytes())
            self._temp.replace(self._path)
            _sync_folder(self._path.parent)
        return aside

    def _take_back(self, old: bool) -> None:
        """What was not confirmed must not be read later: show the old state again."""
        with contextlib.suppress(OSError):
            if old:
                _link(self._backup, self._temp)
                self._temp.replace(self._path)
            else:
                self._path.unlink()


def remove(path: Path) -> None:
    """The file and its copies, these first: after a kill on the way no older state comes back."""
    with _in_plain_words(path, "removed"):
        for copy in (*path.parent.glob(f"{path.name}.*"), path):
            copy.unlink(missing_ok=True)
        if path.parent.exists():
            _sync_folder(path.parent)


def _check_tables(tables: object) -> None:
    if not isinstance(tables, dict):
        raise ValueError(f"it holds a {type(tables).__name__} instead of tables")  # noqa: TRY004
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"its table “{name}” is none")  # noqa: TRY004
        for number, document in table.items():
            if not (number.isascii() and number.isdigit() and isinstance(document, dict)):
                raise ValueError(f"its table “{name}” has no document “{number}”")


def _write_durably(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # never write into a file that has another name as well
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _write_durably(target, source.read_bytes())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders; NTFS keeps its own journal of names
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _in_plain_words(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failed(path, done, error) from error


def _failed(path: Path, done: str, error: OSError) -> StorageFailed:
    hints = {
        errno.ENOSPC: "Make room on the disk, then try again.",
        errno.EDQUOT: "Make room within the disk quota, then try again.",
        errno.EROFS: "Mount the disk for writing, or set PAPERBOY_DATA_DIR to another folder.",
        errno.EACCES: "Give the user who runs Paperboy the right to read and write there.",
    }
    return StorageFailed(
        f"{path} could not be {done}: {error.strerror or error}. What was stored is intact.",
        hint=hints.get(error.errno or 0, "Look after the disk, then try again."),
    )
