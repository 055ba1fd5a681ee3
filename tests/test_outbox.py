"""Posts as lines of a real file, written by processes that are killed and on disks that are full."""

# ruff: noqa: ASYNC240 - nothing else waits while a test looks at its file

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.outbox import FILE, Outbox
from bot import machine
from bot.errors import HistoryUnreadable, Later, PaperboyError, Unknown
from bot.model import ChannelRef, Paper
from bot.ports import Post
from bot.views import Digest, Notice, PaperCard, Quiet, Reason, text

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HERE = ChannelRef("slack", "T1", "C1")
THERE = ChannelRef("slack", "T1", "C2")
POST = Post('{"hello": "world"}', ("arxiv:2611.00001", "arxiv:2611.00002"))
MINUTE = timedelta(minutes=1)
ANY = Post("{}", ())


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def outbox(tmp_path: Path, clock: Clock) -> AsyncIterator[Outbox]:
    made = Outbox(tmp_path / "outbox", "slack", clock)
    yield made
    await made.aclose()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "outbox" / FILE


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


# What a post looks like


async def test_a_post_is_one_line(outbox: Outbox, file: Path) -> None:
    message = await outbox.publish(HERE, POST, "k1", None)

    assert lines(file) == [
        {
            "at": "2026-11-23T09:30:00+00:00",
            "channel": "slack:T1:C1",
            "key": "k1",
            "part": 0,
            "papers": ["arxiv:2611.00001", "arxiv:2611.00002"],
            "body": {"hello": "world"},
        }
    ]
    assert [message] == await outbox.find(HERE, ANY, "k1", None, NOW)


async def test_a_digest_becomes_one_post_with_all_that_machines_are_told(
    outbox: Outbox, file: Path
) -> None:
    cards = tuple(
        PaperCard(
            Paper(f"arxiv:2611.0000{n}", f"Line\u2028break {n}"), 41.5, (Reason("why", 41.5),)
        )
        for n in (1, 2)
    )
    digest = Digest(HERE, NOW, 7, cards, more=3, notes=(text("This digest is ", "late."),))

    posts = outbox.compose(HERE, digest)
    await outbox.publish(HERE, posts[0], "k1", None)

    assert outbox.compose(HERE, digest) == posts
    (post,) = posts
    assert post.papers == ("arxiv:2611.00001", "arxiv:2611.00002")
    (line,) = lines(file)
    assert line["body"] == machine.digest(digest) | {"more": 3, "notes": ["This digest is late."]}


def test_a_digest_without_papers_says_why(outbox: Outbox) -> None:
    quiet = Quiet("no_announcement", "arXiv announced nothing today.")

    (post,) = outbox.compose(HERE, Digest(HERE, NOW, 0, quiet=quiet))

    assert post.papers == ()
    assert json.loads(post.body)["quiet"]["text"] == "arXiv announced nothing today."


async def test_what_is_said_to_a_person_is_a_line_too(outbox: Outbox, file: Path) -> None:
    notice = Notice(text("The channel is closed."), hints=(text("Type ", "resume."),))

    await outbox.tell(HERE, "ann", notice)

    assert lines(file) == [
        {
            "at": "2026-11-23T09:30:00+00:00",
            "channel": "slack:T1:C1",
            "user": "ann",
            "notice": "The channel is closed.\nType resume.",
        }
    ]


# Finding, and never twice


async def test_a_key_is_written_once(outbox: Outbox, file: Path) -> None:
    first = await outbox.publish(HERE, POST, "k1", None)
    second = await outbox.publish(HERE, replace(POST, body='{"other": 1}'), "k1", None)

    assert first == second
    assert [line["body"] for line in lines(file)] == [{"hello": "world"}]


async def test_a_key_is_written_once_by_two_programs_one_after_the_other(
    tmp_path: Path, file: Path, clock: Clock
) -> None:
    for _ in range(2):
        outbox = Outbox(tmp_path / "outbox", "slack", clock)
        await outbox.publish(HERE, POST, "k1", None)
        await outbox.aclose()

    assert len(lines(file)) == 1


async def test_the_same_key_in_another_channel_is_another_post(outbox: Outbox, file: Path) -> None:
    await outbox.publish(HERE, POST, "k1", None)
    assert not await outbox.find(THERE, ANY, "k1", None, NOW)

    await outbox.publish(THERE, POST, "k1", None)

    assert [line["channel"] for line in lines(file)] == ["slack:T1:C1", "slack:T1:C2"]


async def test_a_post_is_found_from_its_time_on(outbox: Outbox, clock: Clock) -> None:
    assert not await outbox.find(HERE, ANY, "k1", None, NOW)  # there is no file yet
    await outbox.publish(HERE, POST, "k1", None)

    assert await outbox.find(HERE, ANY, "k1", None, NOW - MINUTE)
    assert await outbox.find(HERE, ANY, "k1", None, NOW)
    assert not await outbox.find(HERE, ANY, "k1", None, NOW + MINUTE)
    assert not await outbox.find(HERE, ANY, "k2", None, NOW - MINUTE)


async def test_a_post_that_was_taken_back_is_gone_and_can_be_made_again(
    outbox: Outbox, file: Path
) -> None:
    message = await outbox.publish(HERE, POST, "k1", None)

    await outbox.delete(HERE, message)
    await outbox.delete(HERE, message)  # nothing happens

    assert not await outbox.find(HERE, ANY, "k1", None, NOW)
    at = "2026-11-23T09:30:00+00:00"
    assert lines(file)[1:] == [{"at": at, "channel": "slack:T1:C1", "deleted": message}]
    await outbox.publish(HERE, POST, "k1", None)
    assert [message] == await outbox.find(HERE, ANY, "k1", None, NOW)


async def test_platforms_share_a_file_and_do_not_see_each_other(
    outbox: Outbox, tmp_path: Path, file: Path, clock: Clock
) -> None:
    other = Outbox(tmp_path / "outbox", "discord", clock)
    server = ChannelRef("discord", "1", "2")
    await outbox.publish(HERE, POST, "k1", None)
    await other.publish(server, POST, "k1", None)
    await outbox.publish(THERE, POST, "k2", None)

    assert await outbox.find(THERE, ANY, "k2", None, NOW)
    assert not await outbox.find(server, ANY, "k1", None, NOW)
    assert await other.find(server, ANY, "k1", None, NOW)
    assert len(lines(file)) == 3
    await other.aclose()


@pytest.mark.parametrize("how", ["moved away", "emptied"])
async def test_a_file_that_somebody_took_away_begins_anew(
    outbox: Outbox, file: Path, how: str
) -> None:
    await outbox.publish(HERE, POST, "k1", None)
    if how == "emptied":
        file.write_text("")
    else:
        file.rename(file.with_suffix(".old"))

    assert not await outbox.find(HERE, ANY, "k1", None, NOW)
    await outbox.publish(HERE, POST, "k1", None)

    assert len(lines(file)) == 1


# Crashes


@pytest.mark.parametrize("torn", ['{"at": "2026-11', '{"at": "2026-11-23T09:00:00+00:00"', "{"])
async def test_a_line_torn_by_a_crash_stands_alone(outbox: Outbox, file: Path, torn: str) -> None:
    file.parent.mkdir()
    file.write_text(torn)
    assert not await outbox.find(HERE, ANY, "k1", None, NOW)

    await outbox.publish(HERE, POST, "k1", None)
    await outbox.publish(HERE, POST, "k2", None)

    first, *rest = file.read_text().splitlines()
    assert first == torn
    assert [json.loads(line)["key"] for line in rest] == ["k1", "k2"]
    assert await outbox.find(HERE, ANY, "k2", None, NOW)


async def test_a_line_that_lacks_only_its_end_is_a_post(
    outbox: Outbox, tmp_path: Path, file: Path, clock: Clock
) -> None:
    await outbox.publish(HERE, POST, "k1", None)
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    again = Outbox(tmp_path / "outbox", "slack", clock)

    assert await again.find(HERE, ANY, "k1", None, NOW)
    await again.publish(HERE, POST, "k1", None)
    await again.publish(HERE, POST, "k2", None)

    assert [line["key"] for line in lines(file)] == ["k1", "k2"]
    await again.aclose()


POSTER = """
import asyncio, os, sys
from datetime import UTC, datetime
from pathlib import Path
from adapters.outbox import Outbox
from bot.model import ChannelRef
from bot.ports import Post

async def post(folder, begin):
    outbox = Outbox(folder, "slack", lambda: datetime.now(UTC))
    number = begin
    while True:
        post = Post('{"size": "%s"}' % ("x" * (number * 997 % 20_000)), (f"arxiv:{number}",))
        await outbox.publish(ChannelRef("slack", "T1", "C1"), post, f"k{number}", None)
        os.write(1, b"%d\\n" % number)
        number += 1

# one process that forks the others: they need not load Python anew
for begin in sys.stdin:
    child = os.fork()
    if not child:
        os.write(1, b"pid %d\\n" % os.getpid())
        asyncio.run(post(Path(sys.argv[1]), int(begin)))
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


@contextmanager
def posters(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 this interpreter, our own text
        [sys.executable, "-c", POSTER, str(folder)],
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process


def acknowledged_before_a_kill(process: subprocess.Popen[str], begin: int, after: int) -> list[int]:
    """Let a child post from number *begin* on, and kill it after so many posts."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{begin}\n")
    process.stdin.flush()
    child = int(process.stdout.readline().removeprefix("pid "))
    posted: list[int] = []
    while (said := process.stdout.readline().strip()) != "dead":
        posted.append(int(said))
        if len(posted) == after:
            os.kill(child, signal.SIGKILL)
    return posted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_acknowledged_post_is_lost_or_doubled_by_fifty_kills(file: Path) -> None:
    random = Random(2611)  # noqa: S311 which kill comes when
    posted: list[int] = []
    with posters(file.parent) as process:
        for _ in range(50):
            # the last one may be there unacknowledged: it is tried again, as the sender would
            begin = posted[-1] + 1 if posted else 0
            posted += acknowledged_before_a_kill(process, begin, random.randrange(1, 8))

    found = Counter(line["key"] for line in lines(file))
    assert set(found.values()) == {1}
    assert {f"k{number}" for number in posted} <= set(found)
    assert len(posted) == len(set(posted))


# Disks


def test_a_full_disk_takes_no_post_and_keeps_the_file(tmp_path: Path) -> None:
    """The limit of a file's size stands for the end of the disk: the kernel takes what still fits."""
    script = (
        "import asyncio, resource, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from adapters.outbox import Outbox\n"
        "from bot.errors import Later, Unknown\n"
        "from bot.model import ChannelRef\n"
        "from bot.ports import Post\n"
        "from bot.views import Notice, text\n"
        "here = ChannelRef('slack', 'T1', 'C1')\n"
        "async def main():\n"
        "    outbox = Outbox(Path(sys.argv[1]), 'slack', lambda: datetime.now(UTC))\n"
        "    await outbox.publish(here, Post('{}', ()), 'k1', None)\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))\n"
        "    try: await outbox.publish(here, Post('[\"%s\"]' % ('x' * 900), ()), 'k2', None)\n"
        "    except Later as error: print(error.message, error.after > 0)\n"
        "    try: await outbox.tell(here, 'ann', Notice(text('x' * 900)))\n"
        "    except Unknown as error: print('untold')\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "    await outbox.publish(here, Post('{}', ()), 'k3', None)\n"
        "    await outbox.aclose()\n"
        "asyncio.run(main())"
    )
    root = Path(__file__).resolve().parents[1]

    done = subprocess.run(  # noqa: S603 this interpreter, our own text
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip

    refused, untold = done.stdout.splitlines()
    assert refused.startswith(f"{tmp_path / FILE} cannot be written to: ")
    assert "PAPERBOY_OUTBOX_DIR" in refused
    assert refused.endswith("True")
    assert untold == "untold"
    assert [line["key"] for line in lines(tmp_path / FILE)] == ["k1", "k3"]


async def test_a_folder_that_cannot_be_made_takes_no_post(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    outbox = Outbox(tmp_path / "file" / "outbox", "slack", clock)

    with pytest.raises(Later) as caught:
        await outbox.publish(HERE, POST, "k1", None)
    await outbox.aclose()

    assert "cannot be written to: Not a directory." in caught.value.message
    assert caught.value.after > 0


@pytest.mark.parametrize("what", ["publish", "find", "delete", "tell"])
async def test_every_trouble_with_the_file_is_told_as_the_port_promises(
    outbox: Outbox, file: Path, what: str
) -> None:
    file.mkdir(parents=True)  # nobody can read or write it, not even root
    asked: dict[str, tuple[Callable[[], Awaitable[object]], type[PaperboyError]]] = {
        "publish": (lambda: outbox.publish(HERE, POST, "k1", None), Later),
        "find": (lambda: outbox.find(HERE, ANY, "k1", None, NOW), HistoryUnreadable),
        "delete": (lambda: outbox.delete(HERE, "k1"), Unknown),
        "tell": (lambda: outbox.tell(HERE, "ann", Notice(text("hello"))), Unknown),
    }
    work, promised = asked[what]

    with pytest.raises(promised) as caught:
        await work()

    assert f"{file} cannot be " in str(caught.value)
    assert "Is a directory" in str(caught.value)
