"""Conversations over real pipes and on a real terminal."""

from __future__ import annotations

import asyncio
import inspect
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from adapters.terminal.chat import Pipe
from bot.views import Notice, View, text

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 10  # seconds; machines are busy at times, but a hang has to end


class Echo:
    """Says what it was told, and how much that was."""

    def __init__(self, *greetings: str) -> None:
        self._greetings = greetings

    async def greeting(self) -> list[View]:
        return [Notice(text(greeting)) for greeting in self._greetings]

    async def answer(self, line: str) -> View:
        return Notice(text(f"[{line}] {len(line)}"))

    def completions(self, line: str) -> list[str]:
        word = line.rpartition(" ")[2]
        return [verb for verb in ("subscribe", "schedule") if verb.startswith(word)]


COMMON = f"""
import asyncio, os, sys
from pathlib import Path
from adapters.terminal.chat import Pipe, Prompt, chat, post
from adapters.terminal.render import Screen
from bot.views import Notice, View, text

{inspect.getsource(Echo)}
"""

PIPED = f"""
{COMMON}
screen = Screen(sys.stdout, interactive=False)
asyncio.run(chat(Echo(*sys.argv[1:]), screen=screen, lines=Pipe(0)))
"""

TYPED = f"""
{COMMON}
async def main(history, elsewhere):
    screen = Screen(sys.stdout, interactive=True, color=False)
    session = Echo("Welcome.")
    lines = Prompt(session.completions, history=Path(history), channel="main")

    async def deliveries():
        await arrived.wait()
        await post(Notice(text("A digest from elsewhere.")), screen=screen, lines=lines)

    arrived = asyncio.Event()
    asyncio.get_running_loop().add_reader(elsewhere, arrived.set)
    delivering = asyncio.create_task(deliveries())
    await chat(session, screen=screen, lines=lines)
    delivering.cancel()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def start(program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", program, *arguments]
    environment = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    environment.pop("PYTHONUNBUFFERED", None)  # would hide a flush that is missing
    return subprocess.Popen(command, cwd=ROOT, env=environment, **options)  # noqa: S603  our own


# Pipes

BOTH = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
ALL = {**BOTH, "stderr": subprocess.PIPE}


def piped(said: bytes, *greetings: str) -> str:
    with start(PIPED, *greetings, **ALL) as process:
        answers, complaints = process.communicate(said, PATIENCE)

    assert (process.returncode, complaints) == (0, b"")
    return answers.decode()


def test_a_pipe_hears_answers_only_with_a_blank_line_between_them() -> None:
    expected = "Hello.\n\n[list] 4\n\n[why 2509.04664] 14\n\n[] 0\n"

    assert expected == piped(b"list\n\n  \n/papers why 2509.04664\r\n/papers\n", "Hello.")


def test_only_a_whole_prefix_at_the_start_is_dropped() -> None:
    expected = "[/papersx] 8\n\n[search /papers] 14\n\n[list] 4\n"

    assert expected == piped(b"/papersx\nsearch /papers\n  /papers   list\n")


def test_the_last_line_is_answered_without_a_line_end() -> None:
    expected = "[one] 3\n\n[two] 3\n"

    assert expected == piped(b"one\ntwo")


def test_nothing_said_nothing_answered() -> None:
    assert not piped(b"")


def test_a_farewell_ends_the_reading() -> None:
    expected = "[one] 3\n"

    assert expected == piped(b"one\nQuit\ntwo\n")


def test_a_very_long_line_and_undecodable_bytes_are_answered() -> None:
    expected = f"[{'x' * 300_000}] 300000\n\n[M\ufffdller \ufffd] 8\n"

    assert expected == piped(b"x" * 300_000 + b"\nM\xfcller \xff\n")


def test_each_answer_is_out_before_the_next_line_is_said() -> None:
    with start(PIPED, **BOTH) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for said in (b"one", b"two", b"three"):
            process.stdin.write(said + b"\n")
            process.stdin.flush()
            line = next(line for line in process.stdout if line != b"\n")

            assert line == b"[%s] %d\n" % (said, len(said))


def test_a_reader_who_leaves_ends_it_without_a_trace() -> None:
    with start(PIPED, **ALL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"two\n")
        process.stdin.flush()

        assert process.wait(PATIENCE) == 0
        assert not process.stderr.read()


def test_the_end_of_the_program_does_not_wait_for_a_line() -> None:
    program = """
import asyncio
from adapters.terminal.chat import Pipe

async def main():
    reading = asyncio.create_task(Pipe(0).read())
    await asyncio.sleep(0)
    reading.cancel()

asyncio.run(main())
"""
    with start(program, stdin=subprocess.PIPE) as process:
        assert process.wait(PATIENCE) == 0


def test_a_pipe_pays_for_no_prompt_and_an_import_for_no_rich() -> None:
    program = """
import sys
import adapters.terminal.chat
loaded = [name for name in ("rich", "prompt_toolkit") if name in sys.modules]
import adapters.terminal.render
print(loaded, "prompt_toolkit" in sys.modules, "rich.progress" in sys.modules)
"""
    with start(program, stdout=subprocess.PIPE) as process:
        printed, _ = process.communicate(timeout=PATIENCE)

    assert printed == b"[] False False\n"


async def test_others_go_on_while_a_line_is_awaited() -> None:
    reading, writing = os.pipe()
    waiting = asyncio.create_task(Pipe(reading).read())
    for _ in range(3):
        await asyncio.sleep(0)
    os.write(writing, b"at last\n")

    assert await waiting == "at last"
    os.close(writing)
    os.close(reading)


@settings(max_examples=50, deadline=None)
@given(chunks=st.lists(st.binary(max_size=20) | st.sampled_from([b"\n", b"\n\n", b"a\nb"])))
def test_lines_are_those_of_the_bytes_however_they_arrive(chunks: list[bytes]) -> None:
    async def lines() -> list[str]:
        reading, writing = os.pipe()
        pipe = Pipe(reading)
        found: list[str] = []

        async def read() -> None:
            while (line := await pipe.read()) is not None:
                found.append(line)

        task = asyncio.create_task(read())
        for chunk in chunks:
            os.write(writing, chunk)
            await asyncio.sleep(0)
        os.close(writing)
        await task
        os.close(reading)
        return found

    *whole, last = b"".join(chunks).split(b"\n")
    expected = [line.decode(errors="replace") for line in (*whole, *([last] if last else []))]
    assert expected == asyncio.run(lines())


# A terminal


_MOVES = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, history: Path) -> None:
        self._master, slave = pty.openpty()
        elsewhere, self._elsewhere = os.pipe()
        self.process = start(
            TYPED,
            str(history),
            str(elsewhere),
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            pass_fds=[elsewhere],
        )
        os.close(slave)
        os.close(elsewhere)
        self._output = ""
        self._seen = 0

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def sees(self, wanted: str) -> str:
        """What is shown next, up to *wanted*, without what moves the cursor."""
        patient = time.monotonic() + PATIENCE
        while (end := (shown := _MOVES.sub("", self._output)).find(wanted, self._seen)) < 0:
            ready, _, _ = select.select([self._master], [], [], patient - time.monotonic())
            assert ready, shown[self._seen :]
            self._output += os.read(self._master, 65_536).decode()
        start, self._seen = self._seen, end + len(wanted)
        return shown[start : self._seen]

    def hang_up(self) -> None:
        os.close(self._master)
        self._master = -1

    def deliver(self) -> None:
        os.write(self._elsewhere, b"!")

    def end(self) -> tuple[int, str]:
        """The exit code and what was said on standard error."""
        code = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        return code, self.process.stderr.read().decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self._elsewhere)
        if self._master >= 0:
            os.close(self._master)


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    opened: list[Terminal] = []

    def open_one() -> Terminal:
        terminal = Terminal(tmp_path / "history")
        opened.append(terminal)
        terminal.sees("(main) paperboy>")
        return terminal

    yield open_one
    for terminal in opened:
        terminal.close()


@pytest.fixture
def terminal(open_terminal: Callable[[], Terminal]) -> Terminal:
    return open_terminal()


def test_a_person_is_answered_and_ctrl_d_says_goodbye(terminal: Terminal) -> None:
    terminal.type("/papers why 2509.04664\r")
    terminal.sees("[why 2509.04664] 14")
    terminal.sees("paperboy>")
    terminal.type("\x04")
    terminal.sees("Goodbye.")

    assert terminal.end() == (0, "")


@pytest.mark.parametrize("word", ["exit", "quit", "/quit"])
def test_there_are_words_to_leave(terminal: Terminal, word: str) -> None:
    terminal.type(f"{word}\r")
    terminal.sees("Goodbye.")

    assert terminal.end() == (0, "")


def test_ctrl_c_drops_the_line_and_a_blank_line_is_nothing(terminal: Terminal) -> None:
    terminal.type("one")
    terminal.sees("one")
    terminal.type("\x03")
    terminal.sees("paperboy>")
    terminal.type("  \r")
    terminal.sees("paperboy>")
    terminal.type("two\r")

    assert "one" not in terminal.sees("[two] 3")


def test_each_line_of_a_paste_is_answered(terminal: Terminal) -> None:
    terminal.type("\x1b[200~one\r\n/papers two\nthree\x1b[201~\r")

    terminal.sees("[one] 3")
    terminal.sees("[two] 3")
    terminal.sees("[three] 5")


def test_tab_completes_the_last_word(terminal: Terminal) -> None:
    terminal.type("/papers help sub\t")
    terminal.sees("subscribe")
    terminal.type("\r")

    terminal.sees("[help subscribe] 14")


def test_a_post_appears_above_the_half_typed_line(terminal: Terminal) -> None:
    terminal.type("half")
    terminal.sees("half")
    terminal.deliver()

    terminal.sees("A digest from elsewhere.")
    terminal.sees("paperboy> half")
    terminal.type(" done\r")
    terminal.sees("[half done] 9")


def test_history_is_kept_for_its_owner_only(
    open_terminal: Callable[[], Terminal], tmp_path: Path
) -> None:
    first = open_terminal()
    first.type("why 2509.04664\r")
    first.sees("[why 2509.04664] 14")
    first.sees("paperboy>")
    first.type("\x04")
    first.end()
    second = open_terminal()
    second.type("\x1b[A\r")

    second.sees("[why 2509.04664] 14")
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o600


def test_the_rest_of_an_old_line_is_suggested(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    terminal.type("list all\r")
    terminal.sees("[list all] 8")
    terminal.sees("paperboy>")
    terminal.type("li")
    terminal.sees("list all")
    terminal.type("\x1b[C\r")

    terminal.sees("[list all] 8")


def test_a_terminal_that_goes_away_ends_it_without_a_trace(terminal: Terminal) -> None:
    terminal.hang_up()

    assert terminal.end() == (0, "")


def test_a_history_that_cannot_be_kept_is_no_reason_to_fail(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "missing" / "history")
    terminal.sees("paperboy>")
    terminal.type("one\r")
    terminal.sees("[one] 3")
    terminal.close()
