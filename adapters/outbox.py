"""Posts as lines of a file: what would be posted, for dry runs and tests without a platform.

``posts.jsonl`` only ever grows; each line is one JSON object, of one of three kinds:

    {"at", "channel", "key", "part", "papers", "body"}      a post
    {"at", "channel", "deleted"}                            the id of a post that was taken back
    {"at", "channel", "user", "notice"}                     something said to a person

One process writes, to one file for all platforms.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

from bot import machine
from bot.errors import HistoryUnreadable, Later, Unknown
from bot.model import ChannelRef
from bot.ports import Clock, Post, Rate
from bot.views import Digest, Notice, plain

T = TypeVar("T")

FILE = "posts.jsonl"
RETRY_SECONDS = 30.0  # a full disk or a missing folder waits for a person

_writing = threading.Lock()  # the outboxes of all platforms share one file


class Outbox:
    """A ``Publisher``. The key of a post is its message id: no key is written twice."""

    rate: Rate | None = None

    def __init__(self, folder: Path, platform: str, clock: Clock) -> None:
        self.platform = platform
        self._path = folder / FILE
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"outbox-{platform}")
        self._posted: dict[tuple[str, str], datetime] = {}  # by channel and key
        self._read = 0  # bytes of the file that are in _posted

    async def aclose(self) -> None:
        """Wait for what is under way."""
        await asyncio.get_running_loop().run_in_executor(self._worker, lambda: None)
        self._worker.shutdown()

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        body = machine.digest(digest) | {
            "channel": str(ref),
            "more": digest.more,
            "notes": [plain(note) for note in digest.notes],
        }
        return (Post(json.dumps(body), tuple(card.paper.id for card in digest.cards)),)

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        line = {
            "at": self._now(),
            "channel": str(ref),
            "key": key,
            "part": 0,  # a digest is one line, however long
            "papers": list(post.papers),
            "body": json.loads(post.body),
        }

        def write() -> None:
            if (line["channel"], key) not in self._known():
                self._append(line)

        try:
            await self._do(write)
        except OSError as error:
            raise Later(self._said("written to", error), after=RETRY_SECONDS) from error
        return key

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        try:
            posted = (await self._do(self._known)).get((str(ref), key))
        except OSError as error:
            raise HistoryUnreadable(self._said("read", error)) from error
        return [key] if posted is not None and posted >= since else []

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        line = {"at": self._now(), "channel": str(ref), "deleted": message_id}

        def write() -> None:
            if (line["channel"], message_id) in self._known():
                self._append(line)

        await self._attempt(write)

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        said = "\n".join(map(plain, (notice.message, *notice.hints)))
        line = {"at": self._now(), "channel": str(ref), "user": user, "notice": said}
        await self._attempt(lambda: self._append(line))

    def _now(self) -> str:
        return self._clock().isoformat()

    async def _do(self, work: Callable[[], T]) -> T:
        def alone() -> T:
            with _writing:
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._worker, alone)

    async def _attempt(self, work: Callable[[], None]) -> None:
        try:
            await self._do(work)
        except OSError as error:
            raise Unknown(self._said("written to", error)) from error

    def _said(self, done: str, error: OSError) -> str:
        return (
            f"{self._path} cannot be {done}: {error.strerror or error}. "
            "PAPERBOY_OUTBOX_DIR must name a folder on a disk with room, where Paperboy may write."
        )

    def _known(self) -> dict[tuple[str, str], datetime]:
        """What was posted and not taken back, brought up to the end of the file.

        Kept in memory: 10,000 channels at nine o'clock would read the file 10,000 times.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            self._posted.clear()
            self._read = 0
            return self._posted
        with file:
            if os.fstat(file.fileno()).st_size < self._read:  # somebody emptied it
                self._posted.clear()
                self._read = 0
            file.seek(self._read)
            for content in file:
                line = _parse(content)
                if line is None and not content.endswith(b"\n"):  # torn by a crash
                    break
                self._note(line)
                self._read += len(content)
        return self._posted

    def _note(self, line: dict[str, Any] | None) -> None:
        match line:
            case {"channel": str(channel), "key": str(key), "at": str(at)}:
                if channel.startswith(f"{self.platform}:"):
                    self._posted[channel, key] = datetime.fromisoformat(at)
            case {"channel": str(channel), "deleted": str(key)}:
                self._posted.pop((channel, key), None)
            case _:
                pass

    def _append(self, line: dict[str, Any]) -> None:
        """All of it, on the disk; or OSError and none of it; or Unknown."""
        content = json.dumps(line).encode() + b"\n"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # torn: let it stand alone
                    content = b"\n" + content
            try:
                _write_durably(file, content)
                if not size:
                    _sync_folder(self._path.parent)
            except OSError:
                self._cut(file.fileno(), size)
                raise

    def _cut(self, file: int, size: int) -> None:
        try:
            os.ftruncate(file, size)
        except OSError as error:
            raise Unknown(self._said("put in order", error)) from error


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(content)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _write_durably(file: FileIO, content: bytes) -> None:
    if file.write(content) != len(content):
        raise OSError("the disk took a part only")  # it is full
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
