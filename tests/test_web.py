"""The web port as a client sees it: a real server, real requests."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession, web
from prometheus_client.parser import text_string_to_metric_families

from adapters.web import LARGEST_REQUEST, Figures, health_routes, serve
from bot.errors import PaperboyError, StorageFailed
from bot.ports import Health

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PERIOD = timedelta(seconds=20)


@dataclass
class Program:
    """What the routes ask: a clock that a test moves, and what it says."""

    now: datetime = NOW
    ticked: datetime | None = None
    why: str = ""
    figures: Figures = field(default_factory=Figures)

    async def tell(self) -> Figures:
        return self.figures

    @asynccontextmanager
    async def served(self, host: str = "127.0.0.1") -> AsyncIterator[str]:
        routes = health_routes(
            clock=lambda: self.now,
            period=PERIOD,
            last_tick=lambda: self.ticked,
            unready=lambda: self.why,
            figures=self.tell,
        )
        async with serve(host, 0, routes) as url:
            yield url


async def get(url: str) -> tuple[int, str]:
    async with ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def scraped(program: Program) -> dict[str, float]:
    """The samples of /metrics by name and labels, as Prometheus' own parser reads them."""
    async with program.served() as url:
        status, text = await get(f"{url}/metrics")
    assert status == 200
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in s.labels.items())}}}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


async def test_the_program_is_well_while_its_clock_ticks() -> None:
    program = Program(ticked=NOW)
    async with program.served() as url:
        assert await get(f"{url}/healthz") == (200, "ok\n")

        program.now = NOW + 3 * PERIOD
        assert await get(f"{url}/healthz") == (200, "ok\n")


async def test_a_clock_that_has_stopped_is_seen_after_three_periods() -> None:
    program = Program(ticked=NOW)
    async with program.served() as url:
        program.now = NOW + timedelta(seconds=61)

        assert await get(f"{url}/healthz") == (
            503,
            "The clock has not ticked for 61 seconds, and should every 20. The log says why.\n",
        )

        program.ticked = program.now
        assert await get(f"{url}/healthz") == (200, "ok\n")


async def test_a_clock_that_never_ticks_is_seen_too() -> None:
    program = Program()
    async with program.served() as url:
        assert await get(f"{url}/healthz") == (200, "ok\n")  # it has just begun

        program.now = NOW + timedelta(seconds=61)

        assert (await get(f"{url}/healthz"))[0] == 503


async def test_no_work_is_taken_while_starting_and_draining() -> None:
    program = Program(why="Paperboy is starting.")
    async with program.served() as url:
        assert await get(f"{url}/readyz") == (503, "Paperboy is starting.\n")
        program.why = ""
        assert await get(f"{url}/readyz") == (200, "ok\n")
        program.why = "Paperboy is stopping."
        assert await get(f"{url}/readyz") == (503, "Paperboy is stopping.\n")


async def test_the_figures_are_told_as_they_are_at_the_scrape() -> None:
    figures = Figures(
        digests={("slack", "posted"): 4, ("discord", "quiet"): 2},
        posts={("slack", "sent"): 7, ("discord", "doubles"): 1},
        deliveries={("slack", "held"): 1},
        oldest_ready=NOW - timedelta(seconds=42),
        ticks=9,
        missed={"fetch": 1},
        failed={"tick": 3},
        papers=31_639,
    )

    samples = await scraped(Program(figures=figures))

    assert samples == {
        "paperboy_digests_total{outcome=quiet,platform=discord}": 2,
        "paperboy_digests_total{outcome=posted,platform=slack}": 4,
        "paperboy_deliveries{outcome=held,platform=slack}": 1,
        "paperboy_posts_total{outcome=doubles,platform=discord}": 1,
        "paperboy_posts_total{outcome=sent,platform=slack}": 7,
        "paperboy_queue_age_seconds{}": 42,
        "paperboy_ticks_total{}": 9,
        "paperboy_jobs_missed_total{job=fetch}": 1,
        "paperboy_jobs_failed_total{job=tick}": 3,
        "paperboy_papers{}": 31_639,
    }


async def test_a_source_is_failing_until_its_next_success() -> None:
    hour = timedelta(hours=1)
    sources = (
        Health("arxiv", last_success=NOW - hour, last_error=NOW - 2 * hour),
        Health("huggingface", last_success=NOW - 2 * hour, last_error=NOW - hour),
    )

    samples = await scraped(Program(figures=Figures(sources=sources)))

    assert samples["paperboy_sources_failing{source=arxiv}"] == 0
    assert samples["paperboy_sources_failing{source=huggingface}"] == 1
    assert samples["paperboy_source_age_seconds{source=arxiv}"] == 3600
    assert samples["paperboy_source_age_seconds{source=huggingface}"] == 7200


async def test_journals_are_counted_without_their_addresses() -> None:
    hour = timedelta(hours=1)
    sources = (
        Health("example.org/feed?key=s3cret", last_success=NOW - hour),
        Health("example.com/feed", last_success=NOW - 5 * hour, last_error=NOW),
        Health("example.net/feed", last_error=NOW),
    )
    program = Program(figures=Figures(sources=sources))

    samples = await scraped(program)

    assert samples["paperboy_sources_failing{source=journal}"] == 2
    assert samples["paperboy_source_age_seconds{source=journal}"] == 5 * 3600
    assert not [name for name in samples if re.search(r"example|s3cret", name)]


async def test_a_waiting_time_is_never_below_nothing() -> None:
    figures = Figures(oldest_ready=NOW + timedelta(seconds=5))

    samples = await scraped(Program(figures=figures))

    assert samples["paperboy_queue_age_seconds{}"] == 0


async def test_figures_that_cannot_be_had_are_said_so() -> None:
    class Broken(Program):
        async def tell(self) -> Figures:
            raise StorageFailed("The disk refused.")

    async with Broken().served() as url:
        assert await get(f"{url}/metrics") == (503, "The disk refused.\n")
        assert (await get(f"{url}/healthz"))[0] == 200


async def test_nothing_else_is_served() -> None:
    async with Program().served() as url, ClientSession() as session:
        assert (await get(f"{url}/"))[0] == 404
        async with session.post(f"{url}/healthz") as answer:
            assert answer.status == 405


async def test_a_request_is_bounded() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async with serve("127.0.0.1", 0, [web.post("/", read)]) as url, ClientSession() as session:
        async with session.post(url, data=b"x" * LARGEST_REQUEST) as answer:
            assert (answer.status, await answer.text()) == (200, str(LARGEST_REQUEST))
        async with session.post(url, data=b"x" * (LARGEST_REQUEST + 1)) as answer:
            assert answer.status == 413


async def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PaperboyError) as caught:
            async with serve("127.0.0.1", port, []):
                pass

    assert caught.value.message == f"The web port {port} is taken by another program."
    assert "PAPERBOY_WEB__PORT" in caught.value.hint


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
async def test_an_address_of_another_machine_is_told_with_what_to_do(host: str) -> None:
    with pytest.raises(PaperboyError) as caught:
        async with serve(host, 0, []):
            pass

    assert caught.value.message.startswith(f"The web port 0 of {host} cannot be opened: ")
    assert "PAPERBOY_WEB__HOST" in caught.value.hint


async def test_the_port_is_free_again_when_the_context_has_ended() -> None:
    async with serve("127.0.0.1", 0, []) as url:
        port = int(url.rpartition(":")[2])

    async with serve("127.0.0.1", port, []) as again:
        assert again == url


async def test_an_address_of_the_new_kind_stands_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")

    async with Program().served("::1") as url:
        assert url.startswith("http://[::1]:")
        assert await get(f"{url}/readyz") == (200, "ok\n")
