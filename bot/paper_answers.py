"""What people ask about papers: search, top, similar, their own list, sharing and exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from bot import citations, commands, identity
from bot.cards import actions, gist, highlighted, whole
from bot.digests import Plan
from bot.errors import SourceUnavailable, UserError
from bot.model import Caller, Channel, Origin, Paper, Record
from bot.ports import Clock, KeptAnswers, Ledger, Library, PaperSearch, Search, SearchIndex, Shelf
from bot.query import PHRASE, PREFIX, Query
from bot.text import Pattern, pattern, prefix_pattern, tokens
from bot.views import (
    Action,
    Digest,
    Document,
    Listing,
    Notice,
    PaperCard,
    Span,
    Text,
    View,
    text,
    typed,
)

FEW = 3  # hits under which the sources themselves are offered
_PAGE = 10
_NAMED, _LEFT = 5, 20  # papers of one message that are shown; of the others, those that are named


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brought: a page of cards (score is the search's own) of *total* hits."""

    command: commands.Find
    total: int
    cards: tuple[PaperCard, ...]
    troubles: tuple[str, ...] = ()  # of sources that could not be asked


class PaperAnswers:
    def __init__(
        self,
        library: Library,
        index: SearchIndex,
        sources: Sequence[PaperSearch],
        shelf: Shelf,
        kept: KeptAnswers,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._library = library
        self._index = index
        self._sources = sources
        self._shelf = shelf
        self._kept = kept
        self._ledger = ledger
        self._clock = clock

    async def paper(self, words: str) -> Paper:
        """By id, link or exact title; asks the sources for an id that is not here."""
        paper_id = identity.parse_id(words)
        found = await self._library.find(paper_id or identity.title_id(words))
        if found is None and paper_id:
            found = await self._lookup(paper_id)
        if found is None:
            raise UserError(
                f"“{words[:80]}” is not in the library."
                if paper_id
                else f"“{words[:80]}” is no paper id.",
                hint="Write an arXiv id such as 2509.04664, a DOI, or a link to the paper.",
            )
        return found

    async def filed(self, words: str) -> Paper:
        """Like ``paper``; what a source had to be asked for is in the library then."""
        paper = await self.paper(words)
        if await self._library.find(paper.id) is None:
            await self._library.add([_seen(paper)], today=self._clock().date(), live=False)
        return paper

    async def _lookup(self, paper_id: str) -> Paper | None:
        for source in self._sources:
            try:
                if found := await source.lookup(paper_id):
                    return found
            except SourceUnavailable:
                continue  # the next may know it
        return None

    # search

    async def find(self, command: commands.Find, channel: Channel) -> View:
        return await self.show_found(await self.look(command, self._today(channel)))

    async def look(self, command: commands.Find, today: date) -> Found:
        """Search the library, or the sources themselves; *today* is what days ago count from."""
        if command.everywhere:
            return await self._look_everywhere(command)
        page = await self._index.search(
            Search(
                command.query,
                since=commands.parse_day(command.since, today) if command.since else None,
                until=commands.parse_day(command.until, today) if command.until else None,
                source=command.source,
                has_code=command.code,
                sort=command.sort,
                limit=command.limit,
                offset=(command.page - 1) * command.limit,
            )
        )
        patterns = patterns_of(command.query)
        cards = [
            replace(_card(paper, patterns), score=round(score, 4))
            for paper_id, score in page.hits
            if (paper := await self._library.find(paper_id))
        ]
        return Found(command, page.total, tuple(cards))

    async def show_found(self, found: Found, *, buttons: bool = True) -> View:
        """Without *buttons* nothing is kept for them: who only reads the library can show it too."""
        command = found.command
        cards = tuple(replace(card, score=None) for card in found.cards)
        notes = [text(trouble) for trouble in found.troubles]
        pressed: list[Action] = []
        if buttons:
            more, pressed = await self._more(command, found.total)
            notes += more
        asked = Span(str(command.query), code=True)
        if not cards and not command.everywhere and found.total and command.page > 1:
            return _no_page(search_words(command), command.page, found.total, command.limit)
        if not cards:
            meant = "" if command.everywhere else await self._index.suggest(command.query)
            if meant:
                notes.insert(0, text("Did you mean ", Span(meant, code=True), "?"))
            return Notice(
                text("Nothing found for ", asked, "."),
                kind="info", hints=tuple(notes), actions=tuple(pressed),
            )  # fmt: skip
        first = (command.page - 1) * command.limit + 1
        shown = f"{first} to {first + len(cards) - 1} of {found.total:,} for "
        if command.everywhere:
            shown = f"{len(cards)} from the sources themselves for "
        return Listing(text(shown, asked), cards=cards, notes=tuple(notes), actions=tuple(pressed))

    async def _more(self, command: commands.Find, total: int) -> tuple[list[Text], list[Action]]:
        notes: list[Text] = []
        buttons: list[Action] = []
        if command.everywhere:
            return notes, buttons
        if total > command.page * command.limit:
            sentence = await self._again(command, command.page + 1)
            buttons.append(Action("More", sentence))
        if total <= FEW and self._sources:
            everywhere = replace(command, everywhere=True, page=1)
            sentence = await self._again(everywhere, 1)
            notes.append(text("Search all of arXiv: ", typed(search_words(everywhere))))
            buttons.append(Action("Search all of arXiv", sentence))
        return notes, buttons

    async def _again(self, command: commands.Find, page: int) -> str:
        words = search_words(command)
        key = await self._kept.keep_answer(words, self._clock())
        return f"again {key} page:{page}" if page > 1 else f"again {key}"

    async def _look_everywhere(self, command: commands.Find) -> Found:
        if not self._sources:
            raise UserError(
                "No source can be asked here.", hint="Search the library without all:yes."
            )
        papers: dict[str, Paper] = {}
        troubles: list[str] = []
        for source in self._sources:
            try:
                for paper in await source.search(command.query, command.limit):
                    papers.setdefault(paper.id, paper)
            except SourceUnavailable as error:
                troubles.append(error.message)
        patterns = patterns_of(command.query)
        cards = [_card(paper, patterns) for paper in list(papers.values())[: command.limit]]
        return Found(command, len(papers), tuple(cards), tuple(troubles))

    async def again(self, command: commands.Again) -> commands.Command:
        """The kept request, at the page asked for; raises UserError after a week."""
        words = await self._kept.kept_answer(command.key, self._clock())
        if words is None:
            raise UserError(
                "That answer is gone.", hint="Ask once more: answers are kept for 7 days."
            )
        kept = commands.parse(words)
        if isinstance(kept, commands.Find | commands.These):
            return replace(kept, page=command.page)
        return kept

    async def these(self, command: commands.These) -> View:
        first = (command.page - 1) * _PAGE
        shown = command.papers[first : first + _PAGE]
        found = [paper for i in shown if (paper := await self._library.find(i))]
        buttons: tuple[Action, ...] = ()
        if len(command.papers) > first + _PAGE:
            words = f"these {' '.join(command.papers)}"
            key = await self._kept.keep_answer(words, self._clock())
            buttons = (Action("More", f"again {key} page:{command.page + 1}"),)
        title = text(f"{first + 1} to {first + len(shown)} of {len(command.papers)} more")
        cards = tuple(_card(paper, ()) for paper in found)
        return Listing(title, cards=cards, actions=buttons)

    async def about(self, ids: Sequence[str]) -> View:
        """Those that are here, and one that its source is asked for (commands.md §2)."""
        if not ids:
            raise UserError(
                "This message names no paper.",
                hint="I know links to arXiv, Hugging Face and DOIs, and ids such as arXiv:2509.04664.",
            )
        cards: list[PaperCard] = []
        left: list[str] = []
        asked = False
        for paper_id in ids[:_NAMED]:
            found = await self._library.find(paper_id)
            if found is None and not asked:
                found, asked = await self._lookup(paper_id), True
            if found:
                cards.append(whole(found))
            else:
                left.append(identity.short_id(paper_id))
        if not cards:
            raise UserError(
                f"{', '.join(left)} could not be looked up now.", hint="Try again in a minute."
            )
        left += map(identity.short_id, ids[_NAMED:])
        rest = f" and {len(left) - _LEFT} more" if len(left) > _LEFT else ""
        notes = (text(f"Not looked up here: {', '.join(left[:_LEFT])}{rest}."),) if left else ()
        return Listing(text("About this message"), cards=tuple(cards), notes=notes)

    async def similar(self, words: str) -> View:
        paper = await self.paper(words)
        cards = []
        for paper_id, _ in await self._index.similar(paper, _PAGE + 1):
            found = await self._library.find(paper_id)
            if found and found.id != paper.id:
                cards.append(_card(found, ()))
        if not cards:
            return Notice(text("Nothing here speaks of the same."), kind="info")
        return Listing(text("Similar to ", _title(paper)), cards=tuple(cards[:_PAGE]))

    async def top(self, command: commands.Top, channel: Channel) -> View:
        start, end = commands.parse_period(command.period, self._today(channel))
        offset = (command.page - 1) * _PAGE
        listed = await self._library.top(start, end, offset + _PAGE + 1)
        shown = listed[offset : offset + _PAGE]
        if listed and not shown:
            return _no_page(f"top {command.period}", command.page, len(listed), _PAGE)
        span = _span(start, end)
        if not shown:
            return Notice(
                text(f"No paper was voted on {span.removeprefix('on ')}."),
                kind="info",
                hints=(
                    text(
                        "Votes come with the Hugging Face lists; try ",
                        typed("top month"),
                        ".",
                    ),
                ),
            )
        cards = tuple(
            replace(_card(paper, ()), notes=(text(_votes(paper, day)),)) for day, paper in shown
        )
        more = Action("More", f"top {command.period} page:{command.page + 1}")
        return Listing(
            text(f"Top {span}"),
            cards=cards,
            actions=(more,) if len(listed) > offset + _PAGE else (),
        )

    # one's own list

    async def save(self, words: str, caller: Caller) -> View:
        paper = await self.filed(words)
        fresh = await self._shelf.put(caller, paper.id, self._clock())
        return Notice(
            text("Saved " if fresh else "Saved already: ", _title(paper), "."),
            actions=(Action("Saved papers", "saved"),),
        )

    async def unsave(self, words: str, caller: Caller) -> View:
        paper = await self.paper(words)
        was = await self._shelf.take(caller, paper.id)
        if not was:
            return Notice(text(_title(paper), " was not on your list."), kind="info")
        return Notice(text("Taken off your list: ", _title(paper), "."))

    async def saved_papers(self, caller: Caller) -> list[Paper]:
        ids = await self._shelf.saved(caller)
        return [paper for i in ids if (paper := await self._library.find(i))]

    async def saved(self, page: int, caller: Caller) -> View:
        papers = await self.saved_papers(caller)
        if not papers:
            hint = text("Write ", typed("save 2509.04664"), " to begin it.")
            return Notice(text("Your list is empty."), kind="info", hints=(hint,))
        page = min(page, -(-len(papers) // _PAGE))
        shown = papers[(page - 1) * _PAGE : page * _PAGE]
        more = page * _PAGE < len(papers)
        return Listing(
            text(f"Your saved papers ({len(papers)})"),
            cards=tuple(_kept_card(paper) for paper in shown),
            notes=(text("As BibTeX: ", typed("export bibtex")),),
            actions=(Action("More", f"saved page:{page + 1}"),) if more else (),
        )

    async def export(self, command: commands.Export, channel: Channel, caller: Caller) -> View:
        match command.scope.lower():
            case "saved":
                papers = await self.saved_papers(caller)
                none = UserError("Your list is empty.", hint="Save papers first: `save 2509.04664`")
            case "digest":
                last = await self._ledger.last(channel.ref)
                found = [await self._library.find(i) for i in last[1]] if last else []
                papers = [paper for paper in found if paper]
                none = UserError(
                    "No digest was posted here yet.", hint="Write `digest` for one now."
                )
            case words:
                papers, none = [await self.paper(words)], UserError("")
        if not papers:
            raise none
        endings = {"bibtex": "bib", "ris": "ris", "json": "json"}
        name = f"papers.{endings[command.form]}"
        return Document(name, citations.export(papers, command.form))

    async def shared(self, words: str, channel: Channel, caller: Caller) -> Plan:
        """What shows the paper to the whole channel; its next digest begins where it would have."""
        paper = await self.filed(words)
        cursor = await self._ledger.cursor(channel.ref)
        now = self._clock().astimezone(ZoneInfo(channel.schedule.zone))
        heading = text(Span(caller.name or caller.user, strong=True), " shares a paper")
        digest = Digest(channel.ref, now, 0, (_card(paper, ()),), heading=heading)
        end = await self._library.end() if cursor is None else cursor
        return Plan(digest, (paper.id,), end, repeats=True)

    def _today(self, channel: Channel) -> date:
        return self._clock().astimezone(ZoneInfo(channel.schedule.zone)).date()


def _no_page(words: str, page: int, found: int, limit: int) -> Notice:
    """*words* ask for what has so many papers, with so many of them on a page."""
    last = typed(f"{words} page:{-(-found // limit)}")
    return Notice(
        text(f"There is no page {page}."), kind="info", hints=(text("The last one: ", last),)
    )


def search_words(command: commands.Find) -> str:
    """The command as it would be typed, without its page."""
    parts = ["search", str(command.query)]
    parts += [f"{n}:{v}" for n, v in (("since", command.since), ("until", command.until),
                                      ("source", command.source)) if v]  # fmt: skip
    parts += ["code:yes"] if command.code else []
    parts += ["all:yes"] if command.everywhere else []
    return " ".join([*parts, f"sort:{command.sort}", f"limit:{command.limit}"])


def patterns_of(query: Query) -> tuple[Pattern, ...]:
    """What to mark in the hits of a search: phrases whole, bare words one by one."""
    found: list[Pattern] = []
    for item in query.keywords:
        match item.kind:
            case kind if kind == PREFIX:
                found.append(prefix_pattern(item.text))
            case kind if kind == PHRASE:
                found.append(pattern(tokens(item.text), exact=True))
            case _:
                found += [pattern(tokens(word)) for word in item.text.split() if tokens(word)]
    return tuple(found)


def _card(paper: Paper, patterns: Sequence[Pattern]) -> PaperCard:
    return PaperCard(
        paper,
        title=highlighted(paper.title, patterns),
        gist=gist(paper, patterns),
        actions=actions(paper),
    )


def _kept_card(paper: Paper) -> PaperCard:
    """Of a list that the paper is on already."""
    shown = _card(paper, ())
    remove = Action("Remove", f"unsave {identity.short_id(paper.id)}")
    return replace(shown, actions=(remove, *shown.actions[1:]))


def _title(paper: Paper) -> Span:
    return Span(paper.title, link=identity.paper_link(paper.id, paper.title))


def _votes(paper: Paper, day: date) -> str:
    by = f" by {paper.submitter}" if paper.submitter else ""
    return f"{paper.upvotes} upvotes, submitted{by} on {day:%-d %B %Y}"


def _span(start: date, end: date) -> str:
    if start == end:
        return f"on {start:%-d %B %Y}"
    return f"from {start:%-d %B} to {end:%-d %B %Y}"


def _seen(paper: Paper) -> Record:
    """A paper that a source told of on request: it is filed, but announces nothing."""
    return Record(paper, Origin.ARXIV_API)
