"""What Discord's pictures show."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.discord import render
from bot.model import Caller, ChannelRef
from bot.views import Digest, Form, View
from tests.pictures.discord_page import channel, message, modal
from tests.pictures.photograph import DESK, PHONE
from tests.pictures.scenes import ASKED, digests, subscribed

ANN = Caller(ChannelRef("discord", "1", "2"), "ann", zone="Europe/Berlin")
SHIPPED = {"discord-digest": ("compact", DESK, 1.5), "discord-search": ("search", PHONE, 2.0)}


async def scenes() -> dict[str, str]:
    """Pages by name."""
    world = await subscribed(ANN)
    pages = {each.layout: channel("papers", *_posts(each)) for each in await digests(world, ANN)}
    for name, words in ASKED.items():
        pages[name] = _answer(words, await world.say(words, ANN))
    return pages


def _posts(digest: Digest) -> Sequence[str]:
    return [message(part.payload) for part in render.digest(digest)]


def _answer(words: str, view: View) -> str:
    if isinstance(view, Form):
        return modal(render.modal(view, "form"))
    used = f"/papers {words.split()[0]}"
    return channel("papers", *(message(each, used=used) for each in render.messages(view)))
