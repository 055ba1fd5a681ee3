"""The composition root: stores, sources and use cases put together, and opened and closed as one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from adapters.storage.lock import OwnerLock
from adapters.storage.settings import TinyChannelStore
from adapters.storage.sqlite import Store
from bot import identity, query
from bot.answers import Announcer, Answers
from bot.delivery import Sender
from bot.digests import Digests, Plan, parse_when
from bot.errors import StorageFailed, UserError
from bot.feedback_answers import FeedbackAnswers
from bot.housekeeping import Housekeeping
from bot.model import Caller, Channel, ChannelRef, Origin, Paper, Record, Subscription
from bot.paper_answers import PaperAnswers
from bot.platforms import Opened, Platform, platforms
from bot.ports import (
    Clock,
    Delivery,
    Installations,
    Page,
    PaperSearch,
    PaperSource,
    Publisher,
    Search,
    Served,
)
from bot.preview import Previews
from bot.query import Query
from bot.refresh import Refresh
from bot.schedule import Schedule
from bot.service import Service
from bot.subscription_answers import SubscriptionAnswers
from bot.views import Digest, Notice, Span, View, text, typed

if TYPE_CHECKING:
    from adapters.search import PaperIndex
    from adapters.sources.files import Dump
    from adapters.terminal.publisher import TerminalPublisher
    from config.settings import Settings

log = logging.getLogger(__name__)

SAMPLE_QUERIES = (
    '"scaling law"',
    '"knowledge distillation"|quantization',
    '"graph neural network"',
    '"information retrieval"|"text-to-SQL"',
    '"in-context learning" -survey',
)
PLATFORMS = ("slack", "discord", "terminal")
DATABASE = "paperboy.sqlite3"
SETTINGS = "settings"
TERMINAL = "terminal"
INDEX = "index"
REACH_SECONDS = 4.0  # with the next: the first start waits 5 s for a source at most
CONNECT_SECONDS = 1.0
_FACES_DELAY = 0.7  # Hugging Face takes 500 requests in 5 minutes of one address
_JOURNAL_DELAY = 1.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class App:
    service: Service
    sender: Sender
    library: Store
    channels: TinyChannelStore
    digests: Digests
    papers: PaperAnswers
    answers: Answers
    refresh: Refresh
    clock: Clock
    hosts: tuple[tuple[str, int], ...]  # of the sources
    platforms: Sequence[Platform] = ()

    async def reach(self) -> str:
        """A first fetch, where a source can be reached in time; else why not, in words."""
        if not await _any_connects(self.hosts):
            return "no source can be reached"
        return await self.refresh.reach(REACH_SECONDS)


async def _any_connects(hosts: Iterable[tuple[str, int]]) -> bool:
    """Whether anybody listens at one of the hosts: where none does, that is known at once."""

    async def connects(host: str, port: int) -> bool:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except OSError:  # a time-out too
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    return any(await asyncio.gather(*(connects(*host) for host in set(hosts))))


@asynccontextmanager
async def open_app(
    settings: Settings,
    clock: Clock = utc_now,
    *,
    readonly: bool = False,
    online: bool = False,
    publishers: Sequence[Publisher] = (),
    posting: bool = False,
    unheard: bool = False,
) -> AsyncIterator[App]:
    """Everything on one data folder. The owner of the folder locks it; readers work beside it.

    Only *online* the sources can be asked. *posting* serves the platforms of the settings; an
    outbox that is set replaces them and all *publishers*. *unheard* is who speaks for a channel that
    nothing can be posted to from here.
    """
    folder = settings.data_dir
    async with AsyncExitStack() as stack:
        if not readonly:
            _make(folder)
            stack.enter_context(OwnerLock(folder))
        library = await Store.open(folder / DATABASE, clock, readonly=readonly)
        stack.push_async_callback(library.aclose)
        channels = await TinyChannelStore.open(folder / SETTINGS, library, readonly=readonly)
        stack.push_async_callback(channels.aclose)
        sources = Sources()
        if online:
            sources = await _sources(settings, channels, clock, stack)
        index = LazyIndex(folder / INDEX, library, stack, readonly=readonly)
        digests = Digests(library, library, library, library, clock)
        papers = PaperAnswers(library, index, sources.search, library, library, library, clock)
        previews = Previews(library, digests, index, clock)
        subscriptions = SubscriptionAnswers(
            channels, library, library, digests, previews, index, library, clock
        )
        feedback = FeedbackAnswers(papers, digests, library, clock)
        refresh = Refresh(sources.fetch, library, library, clock)
        installations = None
        if settings.slack.is_many and posting:
            installations = await _installations(settings, stack)
        there: Sequence[Platform] = ()
        if settings.outbox_dir and not readonly:
            if posting or publishers:
                _make_outbox(settings.outbox_dir)
            publishers = await _outboxes(settings.outbox_dir, clock, stack)
        elif posting:
            shared = Opened(library, channels, installations, clock)
            there = await platforms(settings, shared, stack)
            publishers = [platform.publisher for platform in there]
        always = dict.fromkeys(publisher.platform for publisher in publishers)

        def served() -> Served:
            return always | {each.publisher.platform: each.served() for each in there}

        sender = Sender(
            library, channels, publishers, served, clock, asyncio.sleep,
            settle=timedelta(seconds=settings.delivery.settle_seconds),
        )  # fmt: skip
        house = Housekeeping(channels, library, library, library, library, installations, clock)
        service = Service(
            channels, library, digests, sender, publishers, served, refresh, clock,
            library, library, house,
        )  # fmt: skip
        announcer: Announcer | None = Unheard() if unheard else None
        if there or (settings.outbox_dir and not readonly):
            announcer = service
        answers = Answers(
            channels, library, library, digests, papers, subscriptions, feedback, library, library,
            announcer, clock,
        )  # fmt: skip
        at = settings.arxiv
        hosts = tuple(map(_port, (at.api_url, at.feed_url, settings.huggingface.endpoint)))
        yield App(
            service, sender, library, channels, digests, papers, answers, refresh, clock, hosts,
            there,
        )  # fmt: skip


class Unheard:
    """Posts nothing, where nobody in the channel would see it: its papers are still to come there."""

    async def announce(self, channel: Channel, plan: Plan) -> Delivery | None:
        raise UserError(
            f"Nothing is posted to {channel.ref} from here.",
            hint="Ask for it in the channel itself, or set PAPERBOY_OUTBOX_DIR to a folder that takes "
            "the posts. preview shows what would come.",
        )


def speaker(ref: ChannelRef, user: str, sitting: Caller) -> Caller:
    """Who speaks as that person in a channel of a platform, from the terminal."""
    return replace(sitting, ref=ref, user=user, home="@me" if ref.platform == "discord" else "")


@asynccontextmanager
async def terminal_publisher(settings: Settings) -> AsyncIterator[TerminalPublisher]:
    """Its posts are kept beside the database, as an outbox."""
    from adapters.outbox import Outbox
    from adapters.terminal.publisher import TerminalPublisher

    history = Outbox(settings.data_dir / TERMINAL, "terminal", utc_now)
    try:
        yield TerminalPublisher(history)
    finally:
        await history.aclose()


async def _installations(settings: Settings, stack: AsyncExitStack) -> Installations:
    from adapters.storage.installations import TinyInstallations

    keys = [key.get_secret_value() for key in settings.slack.encryption_keys]
    return await stack.enter_async_context(await TinyInstallations.open(settings.data_dir, keys))


async def _outboxes(folder: Path, clock: Clock, stack: AsyncExitStack) -> list[Publisher]:
    from adapters.outbox import Outbox

    made: list[Publisher] = []
    for platform in PLATFORMS:
        outbox = Outbox(folder, platform, clock)
        stack.push_async_callback(outbox.aclose)
        made.append(outbox)
    return made


def takes_posts(folder: Path) -> bool:
    """Whether files can be written there, or where it would be made."""
    above = (folder, *folder.absolute().parents)
    there = next((path for path in above if os.path.exists(path)), folder)  # noqa: PTH110 - raises not
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def no_outbox(folder: Path) -> StorageFailed:
    return StorageFailed(
        f"The folder for posts, {folder}, cannot be written to.",
        hint="Name a folder that you may write to in PAPERBOY_OUTBOX_DIR.",
    )


def _make_outbox(folder: Path) -> None:
    """At the start, where a person sees it: posts would wait for it without a word."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder.is_dir() and takes_posts(folder)):
        raise no_outbox(folder)


@dataclass(frozen=True, slots=True)
class Sources:
    fetch: Sequence[PaperSource] = ()
    search: Sequence[PaperSearch] = ()


async def _sources(
    settings: Settings, channels: TinyChannelStore, clock: Clock, stack: AsyncExitStack
) -> Sources:
    from adapters.sources.arxiv import ArXiv
    from adapters.sources.http import PoliteClient
    from adapters.sources.huggingface import HuggingFace
    from adapters.sources.journals import Journal, journal_hosts, journal_name

    def client(delay: float, hosts: Iterable[str]) -> PoliteClient:
        made = PoliteClient(
            clock=clock, sleep=asyncio.sleep, jitter=SystemRandom().random, delay=delay,
            agent=f"Paperboy/{version('paperboy')} (a bot that tells channels of new papers)",
            allow=set(hosts),
        )  # fmt: skip
        stack.push_async_callback(made.aclose)
        return made

    async def categories() -> set[str]:
        used = {
            item.text
            for channel in await channels.all()
            for subscription in channel.subscriptions
            for clause in subscription.query.clauses
            for item in clause.items
            if item.field == "cat" and not clause.negated
        }
        return used | set(settings.arxiv.categories)

    at = settings.arxiv
    arxiv = ArXiv(
        client(at.delay_seconds, map(_host, (at.api_url, at.feed_url, at.oai_url))),
        api_url=at.api_url, feed_url=at.feed_url, oai_url=at.oai_url,
        categories=categories, clock=clock,
    )  # fmt: skip
    endpoint = settings.huggingface.endpoint
    faces = HuggingFace(client(_FACES_DELAY, [_host(endpoint)]), endpoint=endpoint, clock=clock)
    journals = [
        Journal(url, client(_JOURNAL_DELAY, journal_hosts(url)), journal_name(url), clock)
        for url in settings.journals
    ]
    return Sources((arxiv, faces, *journals), (arxiv, faces))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class LazyIndex:
    """The search index, opened when somebody first searches: it takes time and memory."""

    def __init__(
        self, folder: Path, library: Store, stack: AsyncExitStack, *, readonly: bool
    ) -> None:
        self._folder = folder
        self._library = library
        self._stack = stack
        self._readonly = readonly
        self._opened: PaperIndex | None = None
        self._opening = asyncio.Lock()  # two first questions share one index

    async def _index(self) -> PaperIndex:
        async with self._opening:
            if self._opened is None:
                from adapters.search import PaperIndex

                self._opened = await self._stack.enter_async_context(
                    await PaperIndex.open(self._folder, self._library, readonly=self._readonly)
                )
            return self._opened

    async def search(self, search: Search) -> Page:
        return await (await self._index()).search(search)

    async def similar(self, paper: Paper, limit: int) -> list[tuple[str, float]]:
        return await (await self._index()).similar(paper, limit)

    async def suggest(self, query: Query) -> str:
        return await (await self._index()).suggest(query)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageFailed(
            f"The data folder {folder} cannot be made: {error.strerror}.",
            hint="Name a folder that you may write to in PAPERBOY_DATA_DIR.",
        ) from error


@dataclass(slots=True)
class Imported:
    """What came of one file."""

    dump: Dump
    ids: list[str] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def as_json(self, *, with_ids: bool) -> dict[str, Any]:
        document: dict[str, Any] = {
            "name": self.dump.path.name,
            "file": str(self.dump.path),
            "kind": self.dump.kind,
            "read": self.dump.read,
            "new": len(self.new),
            "changed": len(self.changed - self.new),
            "skipped": self.dump.skipped_count,
            "error": self.dump.error,
        }
        return document | ({"ids": self.ids} if with_ids else {})


async def import_file(app: App, path: Path, progress: Callable[[Dump], None]) -> Imported:
    """Bring a dump's papers into the library; what came before a break is kept."""
    from adapters.sources.files import Dump

    dump = Dump(path)
    imported = Imported(dump)
    today = app.clock().date()
    for records in dump:
        added = await app.library.add(records, today=today, live=False)
        imported.ids += added.ids
        imported.new |= added.new
        imported.changed |= added.changed
        progress(dump)
    return imported


def sample() -> list[Record]:
    """The bundled papers: titles of the page that Paperboy began with, summaries of our own."""
    lines = resources.files("bot").joinpath("data", "sample.jsonl").read_text("utf-8").splitlines()
    return [Record(_sample_paper(json.loads(line)), Origin.SAMPLE) for line in lines]


def _sample_paper(row: dict[str, Any]) -> Paper:
    known = row.get("published")
    return Paper(
        id=f"arxiv:{row['id']}" if "id" in row else identity.title_id(row["title"]),
        title=row["title"],
        abstract=row["abstract"],
        authors=tuple(row.get("authors", ())),
        published=datetime.fromisoformat(known).astimezone(UTC) if known else None,
    )


async def welcome(app: App, caller: Caller, *, named: bool) -> list[View]:
    """What a person sees who sits down in a terminal channel.

    The very first time, where no channel was *named*, a few sample keywords are subscribed to and
    the bundled papers arrive; later the last digest is shown again.
    """
    channel = await app.channels.get(caller.ref)
    if channel is None and not named and not await app.channels.all():
        return await _first_digest(app, caller)
    if not await app.library.count():
        await app.library.add(sample(), today=app.clock().date(), live=True)
    return await app.answers.welcome(caller)


async def _first_digest(app: App, caller: Caller) -> list[View]:
    words = " ; ".join(SAMPLE_QUERIES)
    await app.answers.say(f"subscribe {words}", caller)
    trouble = await app.reach()
    if trouble:
        await app.library.add(sample(), today=app.clock().date(), live=True)
        papers = f"the papers that come with Paperboy, because {trouble}"
    else:
        papers = "today's papers"
    told = Notice(
        text("Welcome. This is the channel ", Span(caller.ref.channel, strong=True),
             f" with a few sample subscriptions and {papers}."),
        kind="info",
        hints=(
            text("Make it yours: ", typed('subscribe "speculative decoding"'), ", ",
                 typed("unsubscribe 1"), ", ", typed("help"), "."),
            text("Bring in real papers: ", Span("paperboy import FILE", code=True), "."),
        ),
    )  # fmt: skip
    return [told, await app.answers.say("digest", caller)]


async def planned(
    app: App, ref: ChannelRef | None, queries: Sequence[str], at: str | None
) -> Digest:
    """What a stored channel, or one with these subscriptions, would get; nothing is marked."""
    if ref is not None:
        channel = await app.channels.get(ref)
        if channel is None:
            names = ", ".join(str(c.ref) for c in await app.channels.all()) or "none yet"
            raise UserError(f"There is no channel {ref}.", hint=f"The channels are: {names}.")
        if at is None:
            return (await app.digests.now(channel)).digest
        return await app.digests.at(channel, parse_when(at, channel.schedule.zone))
    subscriptions = tuple(
        Subscription(number, query.parse(words)) for number, words in enumerate(queries, start=1)
    )
    nowhere = Channel(_NOWHERE, subscriptions, schedule=Schedule())
    when = parse_when(at, "UTC") if at else app.clock()
    return replace(await app.digests.at(nowhere, when), ref=None)


_NOWHERE = ChannelRef("none", "none", "none")
