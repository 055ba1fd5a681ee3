"""Papers outside of a conversation: the home tab, a message's links, and cards below them."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

from adapters.slack import render
from adapters.slack.api import Json
from adapters.slack.conversation import Conversation
from adapters.slack.workspace import Asker, Workspaces
from bot import commands, identity
from bot.answers import mistake
from bot.cards import gist
from bot.errors import UserError
from bot.ports import ChannelStore, Clock, Library, Receipts
from bot.views import Listing, PaperCard, View, text

log = logging.getLogger(__name__)

_MOST = 5  # papers of one message
_REMOTE = 1  # of them that a source is asked for (commands.md §2)
_LINK = re.compile(r"https?://[^\s<>|\"\\]+|arxiv:\s?[\w./-]+", re.IGNORECASE)


class Surfaces:
    def __init__(
        self,
        conversation: Conversation,
        workspaces: Workspaces,
        channels: ChannelStore,
        library: Library,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        self._conversation = conversation
        self._workspaces = workspaces
        self._channels = channels
        self._library = library
        self._receipts = receipts
        self._clock = clock

    async def home(self, asker: Asker) -> None:
        """Show the person's home tab as it is now; raises SlackFault."""
        view = await self._conversation.answer(commands.Home(), asker)
        api = self._workspaces.of(asker.tenant).api
        await api.ask("views.publish", user_id=asker.user, view=render.home(view))

    async def about(self, message: Json, asker: Asker) -> View:
        """The papers that the message links to."""
        ids = list(papers_in(message))[:_MOST]
        if not ids:
            return mistake(
                UserError(
                    "There is no link to a paper in this message.",
                    hint="I know links to arXiv, Hugging Face and DOIs, and ids such as arXiv:2509.04664.",
                )
            )
        cards, left, failed = await self._look_up(ids, asker)
        if not cards and failed:
            return failed
        notes = [text(f"Not looked up here: {', '.join(left)}.")] if left else []
        return Listing(text("About this message"), cards=tuple(cards), notes=tuple(notes))

    async def unfurl(self, event: Json, asker: Asker, thread: str) -> None:
        """A card below each link to a paper, once in a thread, where the channel wants them.

        Raises SlackFault.
        """
        channel = await self._channels.get(asker.ref)
        if channel is None or not channel.unfurl:
            return
        wanted: dict[str, str] = {}  # ids, with the first of their links
        for link in event.get("links", ()):
            if found := identity.parse_id(str(link.get("url"))):
                wanted.setdefault(found, str(link["url"]))
        fresh = [
            paper for paper in list(wanted)[:_MOST] if await self._is_first(asker, thread, paper)
        ]
        cards, *_ = await self._look_up(fresh, asker)
        unfurls = {wanted[card.paper.id]: _card(card) for card in cards if card.paper.id in wanted}
        if not unfurls:
            return
        where = {"channel": event["channel"], "ts": event["message_ts"]}
        if event.get("unfurl_id"):
            where = {"unfurl_id": event["unfurl_id"], "source": event["source"]}
        await self._workspaces.of(asker.tenant).api.send("chat.unfurl", unfurls=unfurls, **where)

    async def _is_first(self, asker: Asker, thread: str, paper: str) -> bool:
        key = f"slack:unfurl:{asker.tenant}:{asker.channel}:{thread}:{paper}"
        return await self._receipts.first(key, self._clock())

    async def _look_up(
        self, ids: Iterable[str], asker: Asker
    ) -> tuple[list[PaperCard], list[str], View | None]:
        """Their cards, the ids that nobody was asked about, and what one failed with."""
        cards: list[PaperCard] = []
        left: list[str] = []
        failed: View | None = None
        remote = _REMOTE
        for paper in ids:
            if await self._library.find(paper) is None:
                if not remote:
                    left.append(identity.short_id(paper))
                    continue
                remote -= 1
            view = await self._conversation.answer(commands.Show(paper), asker)
            if isinstance(view, Listing):
                cards += view.cards
            else:
                failed = view
        return cards, left, failed


def papers_in(message: Json) -> Iterator[str]:
    """The ids of the papers that a message names by link, wherever in it."""
    found: dict[str, None] = {}
    for words in _strings(message):
        for link in _LINK.findall(html.unescape(words)):
            if paper := identity.parse_id(link.rstrip(").,;")):
                found[paper] = None
    yield from found


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)
        case _:
            pass


def _card(card: PaperCard) -> Json:
    """Compact, whatever the answer held; without buttons, which nobody asked for."""
    shown = PaperCard(card.paper, gist=gist(card.paper, ()))
    return {"blocks": render.messages(Listing((), cards=(shown,)))[0]["blocks"]}
