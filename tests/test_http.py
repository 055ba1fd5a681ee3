"""Requests are far apart, and whatever comes back is bounded and told in plain words."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from socket import AF_INET, SOCK_STREAM
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings, strategies as st

from adapters.sources import http
from adapters.sources.http import Answer, PoliteClient
from bot.errors import SourceUnavailable
from tests.source_server import (
    Fault,
    Misbehave,
    SourceServer,
    VirtualTime,
    at,
    drips,
    endless,
    endless_header,
    gzip_bomb,
    hugging_face_limit,
    never_answers,
    redirects,
    resets,
    sends,
    status,
    too_many,
    truncated,
    web_page,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DELAY = 3.0
FLOOR = 15.0
ROOT = Path(__file__).resolve().parents[1]
HOSTS = ("127.0.0.1", "127.0.0.2", "localhost", "papers.example")


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime(NOON)


@pytest.fixture
async def server(time: VirtualTime) -> AsyncIterator[SourceServer]:
    async with SourceServer(time, journals=dict.fromkeys("abcdefgh", b"<rss/>")) as server:
        yield server


@pytest.fixture
async def client(time: VirtualTime, server: SourceServer) -> AsyncIterator[PoliteClient]:
    async with polite(time) as client:
        yield client
    await until(lambda: server.open_now == 0)  # closing left no connection
    assert server.most_open <= 1


@asynccontextmanager
async def polite(
    time: VirtualTime,
    jitter: float = 0.0,
    sleep: http.Sleep | None = None,
) -> AsyncIterator[PoliteClient]:
    client = PoliteClient(
        clock=time,
        sleep=sleep or time.sleep,
        jitter=lambda: jitter,
        delay=DELAY,
        agent="Paperboy/0 (tests)",
        allow=HOSTS,
    )
    try:
        yield client
    finally:
        await client.aclose()


async def failure(client: PoliteClient, url: str, **options: Any) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as caught:
        await client.get(url, **options)
    return caught.value


class Gate:
    """A fault that holds one request until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, server: SourceServer, request: web.Request) -> web.Response:
        self.reached.set()
        await self.open.wait()
        return web.Response(body=b"late")


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if holds():
            return
        await asyncio.sleep(0)
    pytest.fail("it never happens")


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)


# Politeness


async def test_requests_keep_their_distance_over_all_hosts(
    server: SourceServer, client: PoliteClient
) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    server.faults.append(Fault(status(500), when=at("/journal/c")))
    server.faults.append(Fault(redirects("/journal/h"), when=at("/journal/e")))

    await asyncio.gather(
        *(client.get(f"{(server.url, other)[n % 2]}/journal/{c}") for n, c in enumerate("abcdef")),
        return_exceptions=True,
    )

    assert [f"/journal/{c}" for c in "abcdehf"] == server.paths
    assert server.gaps() == [DELAY, DELAY, FLOOR, DELAY, DELAY, DELAY]
    assert server.most_open == 1
    assert {"Paperboy/0 (tests)"} == {seen.headers["user-agent"] for seen in server.seen}


async def test_time_that_has_passed_anyway_is_not_waited_for_again(
    server: SourceServer, client: PoliteClient, time: VirtualTime
) -> None:
    await client.get(server.url + "/journal/a")
    time.now += timedelta(seconds=2)
    await client.get(server.url + "/journal/b")
    time.now += timedelta(hours=1)
    await client.get(server.url + "/journal/c")

    assert time.slept == [1.0]


async def test_a_clock_that_is_set_back_does_not_prolong_the_pause(
    server: SourceServer, client: PoliteClient, time: VirtualTime
) -> None:
    await client.get(server.url + "/journal/a")
    time.now -= timedelta(hours=1)
    await client.get(server.url + "/journal/b")

    assert time.slept == [DELAY]


async def test_a_person_goes_before_waiting_pages(
    server: SourceServer, client: PoliteClient
) -> None:
    gate = Gate()
    server.faults.append(Fault(gate))
    pages = [asyncio.create_task(client.get(f"{server.url}/journal/{c}")) for c in "abc"]
    await gate.reached.wait()

    people = [
        asyncio.create_task(client.get(f"{server.url}/journal/{c}", urgent=True)) for c in "de"
    ]
    await settle()
    gate.open.set()
    await asyncio.gather(*pages, *people)

    assert [f"/journal/{c}" for c in "adebc"] == server.paths
    assert server.gaps() == [DELAY] * 4


async def test_a_person_who_comes_during_the_pause_goes_before_the_page_that_waits_in_it(
    server: SourceServer, time: VirtualTime
) -> None:
    asleep, wake = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await wake.wait()
        await time.sleep(seconds)

    async with polite(time, sleep=sleep) as client:
        await client.get(server.url + "/journal/a")
        pages = [asyncio.create_task(client.get(f"{server.url}/journal/{c}")) for c in "bc"]
        await asleep.wait()
        person = asyncio.create_task(client.get(server.url + "/journal/d", urgent=True))
        await settle()
        wake.set()
        await asyncio.gather(*pages, person)

    assert [f"/journal/{c}" for c in "adbc"] == server.paths
    assert server.gaps() == [DELAY] * 3


async def test_five_people_wait_and_the_sixth_is_told_at_once(
    server: SourceServer, client: PoliteClient
) -> None:
    gate = Gate()
    server.faults.append(Fault(gate))
    page = asyncio.create_task(client.get(server.url + "/journal/a"))
    await gate.reached.wait()
    people = [
        asyncio.create_task(client.get(f"{server.url}/journal/{c}", urgent=True)) for c in "bcdef"
    ]
    await settle()

    sixth = await failure(client, server.url + "/journal/g", urgent=True)

    assert sixth.message == "127.0.0.1 is busy: others are waiting for it already."
    gate.open.set()
    answers = await asyncio.gather(page, *people)
    assert [answer.status for answer in answers] == [200] * 6
    assert [f"/journal/{c}" for c in "abcdef"] == server.paths


async def test_a_person_waits_ten_seconds_at_most(
    server: SourceServer, client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LONGEST_WAIT", 0.05)
    gate = Gate()
    server.faults.append(Fault(gate))
    page = asyncio.create_task(client.get(server.url + "/journal/a"))
    await gate.reached.wait()

    error = await failure(client, server.url + "/journal/b", urgent=True)

    assert "is busy" in error.message
    gate.open.set()
    await page
    await client.get(server.url + "/journal/c")
    assert server.paths == ["/journal/a", "/journal/c"]


async def test_a_person_is_told_at_once_when_the_pause_is_long(
    server: SourceServer, client: PoliteClient, time: VirtualTime
) -> None:
    server.faults.append(Fault(status(503)))
    await failure(client, server.url + "/journal/a")

    error = await failure(client, server.url + "/journal/b", urgent=True)

    assert error.message == "127.0.0.1 failed a moment ago, and it is too early to ask again."
    assert error.retry_after == FLOOR
    assert error.hint == "The next try makes sense in 15 s."
    assert time.slept == []


@pytest.mark.parametrize("urgent", [False, True])
async def test_who_gives_up_waiting_leaves_the_queue_in_order(
    server: SourceServer, client: PoliteClient, urgent: bool
) -> None:
    gate = Gate()
    server.faults.append(Fault(gate))
    tasks = [asyncio.create_task(client.get(server.url + "/journal/a"))]
    await gate.reached.wait()
    tasks += [
        asyncio.create_task(client.get(f"{server.url}/journal/{c}", urgent=urgent)) for c in "bcd"
    ]
    await settle()

    tasks[1].cancel()
    gate.open.set()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert server.paths == ["/journal/a", "/journal/d"]


async def test_the_turn_of_one_who_leaves_in_that_moment_passes_on() -> None:
    turns = http._Turns()
    order: list[str] = []

    async def take(name: str) -> None:
        async with turns.turn(urgent=False, again=False):
            order.append(name)

    async with turns.turn(urgent=False, again=False):
        tasks = [asyncio.create_task(take(name)) for name in "ab"]
        await settle()
    tasks[0].cancel()  # its turn has come, but it has not run yet
    await asyncio.gather(*tasks, return_exceptions=True)

    assert order == ["b"]


async def test_a_cancelled_request_gives_the_turn_back(
    server: SourceServer, client: PoliteClient
) -> None:
    server.faults.append(Fault(never_answers))
    task = asyncio.create_task(client.get(server.url + "/journal/a"))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    answer = await client.get(server.url + "/journal/b")

    assert answer.body == b"<rss/>"


# Backing off


@pytest.mark.parametrize(
    ("code", "header", "pause"),
    [
        pytest.param(503, "0", FLOOR, id="zero helps nobody"),
        pytest.param(503, "2", FLOOR, id="less than the floor"),
        pytest.param(429, "40", 40, id="seconds"),
        pytest.param(
            503, format_datetime(NOON + timedelta(minutes=5), usegmt=True), 300, id="date"
        ),
        pytest.param(503, format_datetime(NOON - timedelta(days=5), usegmt=True), FLOOR, id="past"),
        pytest.param(503, "Mon, 23 Nov 2026 12:05:00", 300, id="a date without zone"),
        pytest.param(503, "soon", FLOOR, id="words"),
        pytest.param(503, "-1", FLOOR, id="negative"),
        pytest.param(503, "9" * 4000, FLOOR, id="a number without end"),
        pytest.param(503, "999999999", 86_400, id="years"),
        pytest.param(503, "Fri, 31 Dec 9999 23:59:59 -2359", 86_400, id="the end of the calendar"),
    ],
)
async def test_retry_after_is_kept_but_for_what_is_too_short_or_too_long(
    server: SourceServer,
    client: PoliteClient,
    time: VirtualTime,
    code: int,
    header: str,
    pause: int,
) -> None:
    server.faults.append(Fault(status(code, Retry_After=header)))

    error = await failure(client, server.url + "/journal/a")

    assert error.retry_after == pause
    if pause <= http.PATIENCE:
        await client.get(server.url + "/journal/b")
        assert [pause] == server.gaps()
    else:
        early = await failure(client, server.url + "/journal/b")
        assert early.retry_after == pause
        assert len(server.seen) == 1
        time.now += timedelta(seconds=pause)
        await client.get(server.url + "/journal/b")


async def test_the_pause_grows_to_an_hour_and_falls_back_after_a_success(
    server: SourceServer, client: PoliteClient, time: VirtualTime
) -> None:
    server.faults.append(Fault(too_many(), times=40))
    pauses = []
    for _ in range(40):
        error = await failure(client, server.url + "/journal/a")
        assert error.retry_after is not None
        pauses.append(error.retry_after)
        time.now += timedelta(seconds=error.retry_after)
    await client.get(server.url + "/journal/a")
    server.faults.append(Fault(too_many()))
    afterwards = await failure(client, server.url + "/journal/a")

    assert pauses[:10] == [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert {3600.0} == set(pauses[9:])
    assert afterwards.retry_after == FLOOR


async def test_the_pause_is_jittered_upwards_only(server: SourceServer, time: VirtualTime) -> None:
    server.faults.append(Fault(too_many(), times=2))

    async with polite(time, jitter=0.5) as client:
        first = await failure(client, server.url + "/journal/a")
        second = await failure(client, server.url + "/journal/a")

    assert (first.retry_after, second.retry_after) == (22.5, 45)


async def test_hugging_faces_window_is_waited_for(
    server: SourceServer, client: PoliteClient
) -> None:
    server.faults.append(Fault(hugging_face_limit(seconds=207)))

    error = await failure(client, server.url + "/api/daily_papers")

    assert error.message == "127.0.0.1 asks us to slow down (429)."
    assert error.hint == "The next try makes sense in 3 minutes."
    assert error.retry_after == 207


# Answers


async def test_an_unchanged_answer_has_no_body(server: SourceServer, client: PoliteClient) -> None:
    first = await client.get(server.url + "/journal/a")

    second = await client.get(server.url + "/journal/a", etag=first.headers["etag"], modified="x")

    assert (first.unchanged, first.body) == (False, b"<rss/>")
    assert (second.status, second.unchanged, second.body) == (304, True, b"")
    assert server.seen[1].headers["if-modified-since"] == "x"


async def test_unchanged_is_no_answer_to_who_never_asked(
    server: SourceServer, client: PoliteClient
) -> None:
    server.faults.append(Fault(status(304)))

    error = await failure(client, server.url + "/journal/a")

    assert error.message == "127.0.0.1 answers 304, which is not what was asked for."


async def test_a_status_may_be_wanted(server: SourceServer, client: PoliteClient) -> None:
    answer = await client.get(server.url + "/api/query", {"id_list": "a b+c"}, accept=(200, 400))

    assert answer.status == 400
    assert b"incorrect id format for a b+c" in answer.body


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("identity", bytes),
    ],
)
async def test_packed_answers_are_unpacked(
    server: SourceServer, client: PoliteClient, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    data = b"<rss>" + bytes(range(256)) * 1000

    async def packed(server: SourceServer, request: web.Request) -> web.Response:
        return web.Response(body=pack(data), headers={"Content-Encoding": encoding})

    server.faults.append(Fault(packed))
    answer = await client.get(server.url + "/journal/a")

    assert data == answer.body


def packed_as(encoding: str, body: bytes) -> Misbehave:
    async def answer(server: SourceServer, request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": encoding})

    return answer


def raw(answer: bytes) -> Misbehave:
    async def write(server: SourceServer, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.write(answer)
        request.transport.close()
        return web.Response()

    return write


HOSTILE = {
    "drips": (drips, "did not answer within 0.2 seconds"),
    "endless": (endless, "sends more than 20 MB"),
    "endless header": (endless_header, "does not speak HTTP properly"),
    "long header": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20)), "does not speak HTTP"),
    "bomb": (gzip_bomb(100 << 20), "sends more than 20 MB"),
    "truncated": (truncated, "breaks off in the midst"),
    "truncated gzip": (packed_as("gzip", gzip.compress(b"x" * 9999)[:-9]), "breaks off in the"),
    "damaged gzip": (packed_as("gzip", b"\x1f\x8b\x08" + b"\xff" * 99), "sends damaged data"),
    "not gzip": (packed_as("gzip", b"<rss/>"), "sends damaged data"),
    "brotli": (packed_as("br", b"?"), "packs its answer in a way that nobody asked for"),
    "gzip twice": (packed_as("gzip, gzip", b"?"), "packs its answer in a way"),
    "resets": (resets, "closes the connection without an answer"),
    "never answers": (never_answers, "did not answer within 0.2 seconds"),
    "garbage": (raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "does not speak HTTP properly"),
    "bad chunk": (
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "does not speak HTTP properly",
    ),
    "bad length": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"), "does not speak HTTP"),
    "no place": (redirects("http://[::1/"), "redirects to what is no address"),
    "no port": (redirects("http://127.0.0.1:99999999/"), "redirects to what is no address"),
    "other host": (redirects("https://evil.example/rss"), "evil.example is none of the addresses"),
    "look-alike": (redirects("https://papers.example@evil.example/"), "evil.example is none"),
    "no host": (redirects("file:///etc/passwd"), "this is no web address"),
    "script": (redirects("javascript:alert(1)"), "this is no web address"),
    "unsafe": (redirects("http://papers.example/rss"), "papers.example is not asked without enc"),
    "other scheme": (redirects("ftp://127.0.0.1/rss"), "127.0.0.1 is not asked without encryption"),
    "loop": (redirects("/journal/a"), "redirects more than 3 times"),
    "nowhere": (status(302), "redirects more than 3 times"),
    "forbids": (status(403), "refuses to answer us (403)"),
    "trouble": (status(502), "has trouble of its own (502)"),
    "gone": (status(410), "answers 410, which is not what was asked for"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_bounded_and_told_in_plain_words(
    server: SourceServer, client: PoliteClient, time: VirtualTime, name: str
) -> None:
    fault, words = HOSTILE[name]
    server.faults.append(Fault(fault, times=4))

    async with asyncio.timeout(60):  # it takes less than two; this ends what would never end
        error = await failure(
            client,
            server.url + "/journal/a",
            seconds=0.2 if "within" in words else http.LONGEST_ANSWER,
        )

    assert words in error.message
    assert error.message.startswith("127.0.0.1 ")
    assert error.message.endswith(".")
    assert error.retry_after == FLOOR
    server.faults.clear()
    assert (await client.get(server.url + "/journal/b")).body == b"<rss/>"


async def test_hostile_answers_take_little_memory(server: SourceServer) -> None:
    server.faults.append(Fault(gzip_bomb(100 << 20), when=at("/journal/a"), times=None))
    server.faults.append(Fault(endless, when=at("/journal/b"), times=None))
    server.faults.append(Fault(endless_header, when=at("/journal/c"), times=None))
    server.faults.append(Fault(drips, when=at("/journal/d"), times=None))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        GREEDY,
        server.url,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )

    out, _ = await process.communicate()

    told = json.loads(out)
    assert process.returncode == 0
    assert told["errors"] == [
        "127.0.0.1 sends more than 20 MB.",
        "127.0.0.1 sends more than 20 MB.",
        "127.0.0.1 does not speak HTTP properly.",
        "127.0.0.1 did not answer within 0.2 seconds.",
    ]
    assert told["peak"] < 150


GREEDY = """
import asyncio, json, re, sys
from pathlib import Path
from datetime import UTC, datetime
from adapters.sources.http import PoliteClient
from bot.errors import SourceUnavailable

async def main():
    async def sleep(seconds): pass
    client = PoliteClient(clock=lambda: datetime.now(UTC), sleep=sleep, jitter=lambda: 0.0,
                          delay=0.0, agent="test", allow={"127.0.0.1"})
    errors = []
    for name in "abcd":
        try:
            await client.get(f"{sys.argv[1]}/journal/{name}", seconds=0.2 if name == "d" else 10)
        except SourceUnavailable as error:
            errors.append(error.message)
    await client.aclose()
    # not ru_maxrss, which begins with what the parent had
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) // 1024
    print(json.dumps({"errors": errors, "peak": peak}))

asyncio.run(main())
"""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(head=st.binary(max_size=60), body=st.binary(max_size=40))
def test_no_answer_whatever_raises_anything_else(head: bytes, body: bytes) -> None:
    async def ask() -> None:
        time = VirtualTime(NOON)
        async with SourceServer(time) as server, polite(time) as client:
            for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 F\r\nLocation: "):
                server.faults.append(Fault(raw(start + head + b"\r\n\r\n" + body), times=4))
                with suppress(SourceUnavailable):
                    await client.get(server.url + "/journal/a", seconds=0.5)
                server.faults.clear()

    asyncio.run(ask())


async def test_redirects_are_followed_to_known_hosts(
    server: SourceServer, client: PoliteClient
) -> None:
    port = server.url.rpartition(":")[2]
    server.faults.append(Fault(redirects(f"http://localhost:{port}/journal/b?x=1#part")))
    server.faults.append(Fault(redirects("c"), when=at("/journal/b")))

    answer = await client.get(server.url + "/journal/a")

    assert answer.url == f"http://localhost:{port}/journal/c"
    assert server.gaps() == [DELAY, DELAY]


async def test_a_public_host_does_not_lead_inside(
    server: SourceServer,
    client: PoliteClient,
    time: VirtualTime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_is_public", lambda address: address == "127.0.0.2")
    async with SourceServer(time, host="127.0.0.2") as outside:
        for inside in (server.url, server.url.replace("127.0.0.1", "localhost")):
            outside.faults.append(Fault(redirects(inside + "/journal/a")))

            error = await failure(client, outside.url + "/rss/cs.CL")

            assert "lies inside this network" in error.message

        outside.faults.append(Fault(redirects("/journal/b")))
        server.faults.append(Fault(redirects(outside.url + "/oai")))
        with pytest.raises(SourceUnavailable, match="answers 404"):
            await client.get(outside.url + "/rss/cs.CL")

    assert server.seen == []


@pytest.mark.parametrize("order", [("8.8.8.8", "10.0.0.1"), ("10.0.0.1", "8.8.8.8")])
def test_a_host_with_one_public_address_is_public(order: tuple[str, str]) -> None:
    door = http._Door()
    for address in order:
        door.socket((AF_INET, SOCK_STREAM, 0, "", (address, 443))).close()

    assert door.seen_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::6810:84e5", True),
        ("64:ff9b::8.8.8.8", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("0.0.0.0", False),  # noqa: S104  # an address to judge, not to bind
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses_inside_are_told_from_those_outside(address: str, public: bool) -> None:
    assert public is http._is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://papers.example/rss",
        "https://evil.example/rss",
        "https://papers.example.evil.example/",
        "ftp://papers.example/",
        "papers.example",
        "file:///etc/passwd",
        "http://[::1/",
        "",
    ],
)
async def test_what_may_not_be_asked_is_not_asked(client: PoliteClient, url: str) -> None:
    error = await failure(client, url)

    assert "was not asked" in error.message


async def test_nobody_there_is_told_so(server: SourceServer, time: VirtualTime) -> None:
    async with polite(time) as client:
        unsafe = await failure(client, server.url.replace("http", "https"))
        async with SourceServer(time) as closed:
            pass
        gone = await failure(client, closed.url)

    assert unsafe.message.startswith("There is no safe connection to 127.0.0.1")
    assert gone.message == "127.0.0.1 cannot be reached."


@pytest.mark.parametrize(
    ("body", "kind", "page"),
    [
        (b"<!DOCTYPE html><html>", "application/xml", True),
        (b"\xef\xbb\xbf \n<HTML lang=en>", "", True),
        (b"<?xml version='1.0'?>\n<!-- hi --><!doctype html>", "application/rss+xml", True),
        (b"<div>Access denied</div>", "text/html; charset=utf-8", True),
        (b"<?xml version='1.0'?><rss>", "text/html", False),
        (b'{"a": 1}', "TEXT/HTML", False),
        (b"<rss><channel><title>html", "application/rss+xml", False),
        (b"<htmlfeed/>", "application/xml", False),
        (b"Rate exceeded.", "text/plain", False),
        (b"<!--" + b"-" * 2000, "application/xml", False),
    ],
)
def test_a_web_page_is_told_from_data(body: bytes, kind: str, page: bool) -> None:
    answer = Answer(200, body, {"content-type": kind}, "https://papers.example/")

    assert page is answer.is_web_page


async def test_a_web_page_and_an_unknown_charset_are_answers(
    server: SourceServer, client: PoliteClient
) -> None:
    server.faults.append(Fault(web_page()))
    server.faults.append(Fault(sends("é".encode("latin-1"), "text/xml; charset=nonsense")))

    page = await client.get(server.url + "/journal/a")
    text = await client.get(server.url + "/journal/a")

    assert page.is_web_page
    assert text.body == b"\xe9"


# Closing


async def test_closing_ends_what_is_under_way_and_what_comes_after(
    server: SourceServer, time: VirtualTime
) -> None:
    server.faults.append(Fault(never_answers))
    async with polite(time) as client:
        task = asyncio.create_task(client.get(server.url + "/journal/a"))
        await until(lambda: server.open_now == 1)

    with pytest.raises(SourceUnavailable):
        await task
    late = await failure(client, server.url + "/journal/b")
    assert late.message == "Paperboy is closing."
    await until(lambda: server.open_now == 0)
    assert server.paths == ["/journal/a"]


async def test_a_client_that_was_never_used_closes_too(time: VirtualTime) -> None:
    async with polite(time) as client:
        assert client is not None
