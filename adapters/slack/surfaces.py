"""Papers outside of a conversation: the home tab, a message's links, and cards below them."""

from __future__ import annotations

from adapters.slack import cards, render
from adapters.slack.api import Json
from adapters.slack.conversation import Conversation
from adapters.slack.workspace import Asker, Workspaces
from bot import commands, identity
from bot.cards import gist
from bot.ports import ChannelStore, Clock, Library, Receipts
from bot.views import Listing, PaperCard, View

_MOST = 5  # papers of one message


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
        """The papers that the message names."""
        papers = tuple(identity.named_in(message))
        return await self._conversation.answer(commands.About(papers), asker)

    async def unfurl(self, event: Json, asker: Asker, thread: str) -> None:
        """A card below each link to a paper, once in a thread, where the channel wants them.

        Raises SlackFault.
        """
        channel = await self._channels.get(asker.ref)
        if channel is None or not channel.unfurl:
            return
        wanted: dict[str, str] = {}  # ids, with the first of their links
        for link in event.get("links", ()):
            if paper := identity.parse_id(str(link.get("url"))):
                wanted.setdefault(paper, str(link["url"]))
        fresh = [each for each in list(wanted)[:_MOST] if await self._is_first(asker, thread, each)]
        view = await self._conversation.answer(commands.About(tuple(fresh)), asker)
        found = view.cards if isinstance(view, Listing) else ()
        unfurls = {wanted[card.paper.id]: _card(card) for card in found if card.paper.id in wanted}
        if not unfurls:
            return
        where = {"channel": event["channel"], "ts": event["message_ts"]}
        if event.get("unfurl_id"):
            where = {"unfurl_id": event["unfurl_id"], "source": event["source"]}
        await self._workspaces.of(asker.tenant).api.send("chat.unfurl", unfurls=unfurls, **where)

    async def _is_first(self, asker: Asker, thread: str, paper: str) -> bool:
        key = f"slack:unfurl:{asker.tenant}:{asker.channel}:{thread}:{paper}"
        return await self._receipts.first(key, self._clock())


def _card(card: PaperCard) -> Json:
    """Compact, whatever the answer held; without buttons, which nobody asked for."""
    shown = PaperCard(card.paper, gist=gist(card.paper, ()))
    return {"blocks": cards.unfurled(shown)}
