"""A conversation in the terminal: lines in, answers out. What is said is the session's business.

Lines come from a prompt (which alone loads prompt_toolkit) or from a pipe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.views import Notice, View, text

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History

    from adapters.terminal.render import Screen

log = logging.getLogger(__name__)

_PREFIX = re.compile(r"\A/papers(?!\S)\s*")
_ENDINGS = ("exit", "quit", "/exit", "/quit")
_CHUNK = 65_536  # bytes; what a pipe holds on Linux


class Session(Protocol):
    async def answer(self, line: str) -> View:
        """The answer to a command, which comes without ``/papers``. Never raises."""

    async def greeting(self) -> list[View]:
        """What is shown before the first line is read."""

    def completions(self, line: str) -> list[str]:
        """Whole words that may stand for the last word of the line; from memory, for each Tab."""


class Lines(Protocol):
    """Where the lines come from."""

    farewell: str  # said in the end; may be empty

    async def read(self) -> str | None:
        """The next line, None in the end."""

    def aside(self) -> AbstractAsyncContextManager[None]:
        """Makes room for printing while a line is being read."""


async def chat(session: Session, *, screen: Screen, lines: Lines) -> None:
    """Answer line by line until they end or nobody reads the answers any more."""
    try:
        for view in await session.greeting():
            screen.show(view)
        while (line := await lines.read()) is not None:
            line = line.strip()
            if line.lower() in _ENDINGS:
                break
            if line:
                screen.show(await session.answer(_PREFIX.sub("", line)))
        if lines.farewell:
            screen.show(Notice(text(lines.farewell), "info"))
    except BrokenPipeError:
        log.debug("nobody reads the answers any more")


async def post(view: View, *, screen: Screen, lines: Lines) -> None:
    """Show what was not asked for, above the prompt where one waits."""
    async with lines.aside():
        screen.show(view)


class Pipe:
    """The lines of a file descriptor: a pipe, a file. Reads in a thread, ahead by what one read gives.

    Not ``sys.stdin``: a thread that waits inside of it would keep the interpreter from ending.
    """

    farewell = ""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = bytearray()

    async def read(self) -> str | None:
        searched = 0
        while (end := self._rest.find(b"\n", searched)) < 0:
            searched = len(self._rest)
            chunk = await self._chunk()
            if not chunk:
                end = searched
                break
            self._rest += chunk
        if not self._rest:
            return None
        line = self._rest[:end].decode("utf-8", "replace")
        del self._rest[: end + 1]
        return line

    def aside(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def _chunk(self) -> bytes:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        def tell(chunk: bytes, error: OSError | None) -> None:
            if answer.cancelled():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(chunk)

        def wait() -> None:
            chunk, failed = b"", None
            try:
                chunk = os.read(self._fd, _CHUNK)
            except OSError as error:
                failed = error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, chunk, failed)

        # A daemon, not asyncio.to_thread: the end of the program must not wait for a line.
        threading.Thread(target=wait, name="lines", daemon=True).start()
        return await answer


class Prompt:
    """Lines typed by a person, with history, completion and posts that appear above.

    Ctrl-C drops the line, Ctrl-D ends; of a paste each line counts. *history* is a file for its
    owner's eyes only.
    """

    farewell = "Goodbye."

    def __init__(
        self, completions: Callable[[str], Iterable[str]], *, history: Path, channel: str = ""
    ) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory

        self._session: PromptSession[str] = PromptSession(
            f"({channel}) paperboy> " if channel else "paperboy> ",
            history=_history(history),
            completer=_completer(completions),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
        )
        self._pasted: deque[str] = deque()

    async def read(self) -> str | None:
        from prompt_toolkit.patch_stdout import patch_stdout

        while not self._pasted:
            try:
                with patch_stdout(raw=True):  # what a library prints must not garble the prompt
                    typed = await self._session.prompt_async()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return None
            except OSError as error:
                if error.errno != errno.EIO:  # the terminal was closed
                    raise
                return None
            self._pasted.extend(typed.splitlines())
        return self._pasted.popleft()

    def aside(self) -> AbstractAsyncContextManager[None]:
        from prompt_toolkit.application import in_terminal

        return in_terminal()


def _history(path: Path) -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        log.warning("no history is kept: %s", error)
        return InMemoryHistory()
    return FileHistory(path)


def _completer(candidates: Callable[[str], Iterable[str]]) -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> Iterable[Completion]:
            line = _PREFIX.sub("", document.current_line_before_cursor.lstrip())
            word = re.split(r"\s", line)[-1]
            for candidate in candidates(line):
                yield Completion(candidate, start_position=-len(word))

    return Words()
