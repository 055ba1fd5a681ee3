"""Search for people: an index of the library that follows it, and may be thrown away at any time."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from adapters.search_generations import BATCH, REFUSED, Generation, newest
from adapters.search_queries import View, asked_id, is_free, patterns
from bot import identity
from bot.errors import PaperboyError
from bot.filters import compile_filter
from bot.frequencies import idf, shipped
from bot.keywords import Document, Keyword
from bot.model import Paper
from bot.ports import Library, Page, Revision, Search
from bot.query import PREFIX, WORDS, Clause, Item, Query
from bot.text import pattern, prefix_pattern, tokens

log = logging.getLogger(__name__)

T = TypeVar("T")
_Weight = tuple[float, int]

SCANNED = 1000  # papers that a scan looks at closely
PATIENCE = 0.5  # seconds that a question waits for an index that is behind
RETRY = 60.0  # seconds between attempts to write where the disk refuses
WASTE = 0.1  # share of replaced papers, which still count in the weights, that is too much


class PaperIndex:
    """A ``SearchIndex`` that follows its library by itself. Made by ``open``; one owner, any readers.

    Answers hold what the library held when the question came. Where there is no usable index they
    come from a plain scan; where one cannot be written, from the last that could.
    """

    def __init__(self, folder: Path, library: Library, *, readonly: bool) -> None:
        self._folder = folder
        self._library = library
        self._readonly = readonly
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._generation: Generation | None = None
        self._view: View | None = None  # outlives a generation that was lost
        self._following: asyncio.Task[None] | None = None
        self._scanning = asyncio.Lock()
        self._not_before = 0.0  # on the loop's clock: the next attempt to write

    @classmethod
    async def open(cls, folder: Path, library: Library, *, readonly: bool = False) -> Self:
        """*folder* is made where it is missing, unless *readonly*; a missing index is made later."""
        index = cls(folder, library, readonly=readonly)
        try:
            await index._in(index._writing, index._load)
            if not readonly and not await index._is_current():
                index._follow()
        except BaseException:
            await index.aclose()
            raise
        return index

    async def aclose(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        self._asking.shutdown()
        self._writing.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _in(self, worker: ThreadPoolExecutor, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(worker, work, *args)

    # SearchIndex

    async def search(self, search: Search) -> Page:
        if search.limit < 0 or search.offset < 0:
            raise ValueError(search)
        items = [item for clause in search.query.clauses for item in clause.items]
        named = {identity.parse_id(item.text) for item in items if item.field == "id"}
        canonical = {}
        for paper_id in named | {asked_id(search.query)}:
            if paper_id is not None:
                known = await self._library.find(paper_id)
                canonical[paper_id] = known.id if known else paper_id
        return await self._ask(
            lambda view: view.find(search, canonical), lambda: _Sieve(search, canonical)
        )

    async def similar(self, paper: Paper, limit: int) -> list[tuple[str, float]]:
        if limit < 1:
            return []
        alike = Search(Query((Clause((Item(WORDS, paper.title),)),)))
        return await self._ask(lambda view: view.similar(paper, limit), lambda: _Sieve(alike, {}))

    async def suggest(self, query: Query) -> str:
        return await self._ask(lambda view: view.suggest(query), lambda: _Sieve(Search(query), {}))

    async def update(self) -> None:
        """Bring the index up to the library now rather than with the next question."""
        if not self._readonly and not await self._is_current():
            await asyncio.wait({self._follow()})

    async def _ask(self, question: Callable[[View], T], sieve: Callable[[], _Sieve]) -> T:
        if not await self._is_current():
            await self._catch_up()
        if self._view is None or (self._readonly and not await self._is_current()):
            return await self._scan(question, sieve())
        return await self._in(self._asking, question, self._view)

    async def _is_current(self) -> bool:
        if self._view is None or self._view.revision != await self._library.revision():
            return False
        busy = self._following is not None and not self._following.done()
        return (
            self._readonly
            or busy
            or (self._generation is not None and self._generation.is_intact())
        )

    async def _catch_up(self) -> None:
        if self._readonly:
            await self._in(self._writing, self._load)
        elif asyncio.get_running_loop().time() >= self._not_before:
            await asyncio.wait({self._follow()}, timeout=PATIENCE)

    async def _scan(self, question: Callable[[View], T], sieve: _Sieve) -> T:
        """Ask an index in memory of those papers that may match."""
        async with self._scanning:
            if self._view is not None and not self._readonly:
                view = self._view  # it has come about in the meantime
            else:
                at = 0
                while revisions := await self._library.revised(at, BATCH):
                    await self._in(self._asking, sieve.take, revisions)
                    at = revisions[-1].number
                view = await self._in(self._asking, sieve.view)
        return await self._in(self._asking, question, view)

    # Following the library

    def _load(self) -> None:
        """Take the newest generation on disk that is whole; what is not goes."""
        for number in sorted(self._numbers(), reverse=True):
            path = self._folder / str(number)
            try:
                self._generation = Generation.open(path)
            except REFUSED as error:
                log.info("the search index is not usable: %s", error)
                if not self._readonly:
                    shutil.rmtree(path, ignore_errors=True)
                continue
            self._view = View(self._generation.searcher, self._generation.revision)
            return

    def _numbers(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return [int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()]

    def _follow(self) -> asyncio.Task[None]:
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._followed(self._brought_up()))
        return self._following

    async def _followed(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (*REFUSED, PaperboyError) as error:
            log.warning("the search index cannot be written; trying again later: %s", error)
            self._generation = None
            self._not_before = asyncio.get_running_loop().time() + RETRY

    async def _brought_up(self) -> None:
        if self._generation is None:  # after a failed attempt: what was kept may still be whole
            await self._in(self._writing, self._load)
        generation = self._generation
        if generation is not None and generation.is_intact():
            await self._fill(generation)
            if await self._is_faithful(generation):
                return
            log.info("the search index is made anew")
        number = max(await self._in(self._writing, self._numbers), default=0) + 1
        generation = await self._in(self._writing, Generation.create, self._folder / str(number))
        await self._fill(generation)
        self._generation = generation
        await self._in(self._writing, self._remove_all_but, number)

    async def _fill(self, generation: Generation) -> None:
        """Put in what the library has learnt since; nothing counts before the commit."""
        at = generation.revision
        if at and at >= await self._library.revision():
            return
        writer = await self._in(self._writing, generation.writer)
        while revisions := await self._library.revised(at, BATCH):
            await self._in(self._writing, generation.put, writer, revisions)
            at = revisions[-1].number
        await self._in(self._writing, generation.commit, writer, at)
        self._view = View(generation.searcher, generation.revision)

    async def _is_faithful(self, generation: Generation) -> bool:
        """Whether it holds as many papers as the library, and little else."""
        count = await self._library.count()
        reached = await self._library.revision()
        if generation.revision != reached:
            return generation.revision < reached
        waste = await self._in(self._writing, generation.waste)
        return generation.papers == count and waste < WASTE

    def _remove_all_but(self, number: int) -> None:
        for other in self._numbers():
            if other != number:
                shutil.rmtree(self._folder / str(other), ignore_errors=True)


class _Sieve:
    """Takes the papers that a search may find, quickly, and the most promising of them."""

    def __init__(self, search: Search, canonical: Mapping[str, str]) -> None:
        self._sort = search.sort
        self._named = set(canonical.values())
        self._by_id = asked_id(search.query) is not None
        self._words = {
            keyword: idf(shipped().papers, keyword.listed())
            for item in search.query.keywords
            for keyword in _keywords(item)
        }
        self._needed = [
            [_admission(item, self._named) for item in clause.items]
            for clause in search.query.clauses
            if not clause.negated and not is_free(clause)
        ]
        self._taken: list[tuple[_Weight, Revision]] = []
        self._count = 0

    def take(self, revisions: Iterable[Revision]) -> None:
        for revision in revisions:
            if revision.paper is not None and (weight := self._weigh(Document(revision.paper))):
                self._taken.append((weight, revision))
                self._count += 1
        if len(self._taken) > SCANNED:
            self._taken = nlargest(SCANNED, self._taken, key=itemgetter(0))

    def view(self) -> View:
        generation = Generation.create(None)
        writer = generation.writer()
        generation.put(writer, (revision for _, revision in self._taken))
        generation.commit(writer, 0)
        return View(generation.searcher, 0, self._count - len(self._taken))

    def _weigh(self, document: Document) -> _Weight | None:
        """Greater for what will stand further up; None for what cannot be found."""
        paper = document.paper
        if self._by_id:
            return (0.0, 0) if paper.id in self._named else None
        if not all(any(admits(document) for admits in clause) for clause in self._needed):
            return None
        weight = math.fsum(w for k, w in self._words.items() if k.possible(document.haystack))
        if self._words and not weight and not self._needed:
            return None
        order = {"best": weight, "upvotes": float(paper.upvotes)}.get(self._sort, 0.0)
        return order, newest(paper)


def _keywords(item: Item) -> list[Keyword]:
    if item.kind == PREFIX:
        return [Keyword("", prefix_pattern(item.text), "")]
    return [Keyword("", pattern([word]), "") for word in tokens(item.text)]


def _admission(item: Item, named: Collection[str]) -> Callable[[Document], object]:
    if item.field == "id":
        return lambda document: document.paper.id in named
    if item.is_filter:
        admits = compile_filter(item)
        return lambda document: admits(document.paper)
    keywords = [Keyword("", words, "") for words in patterns(item)]
    return lambda document: all(keyword.possible(document.haystack) for keyword in keywords)
