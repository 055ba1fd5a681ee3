"""What Discord's pictures show: the bundled papers, asked for as somebody would."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adapters.discord import render
from bot.app import sample
from bot.model import Caller, ChannelRef
from bot.views import Action, Digest, Form, View
from tests.pictures.discord_page import channel, message, modal
from tests.pictures.photograph import DESK, PHONE, photograph
from tests.pictures.slack_scenes import FACTS, KEYWORDS
from tests.world import TODAY, World

ANN = Caller(ChannelRef("discord", "1", "2"), "ann", zone="Europe/Berlin")
SHOWN = 4  # papers
SHIPPED = {"discord-digest": ("compact", DESK, 1.5), "discord-search": ("search", PHONE, 2.0)}


def take(folder: Path) -> None:
    """The pictures of the README."""
    pages = asyncio.run(scenes())
    for name, (scene, width, scale) in SHIPPED.items():
        photograph(pages[scene], folder / f"{name}.png", width, scale=scale)


def look(folder: Path) -> None:
    """All scenes, at both widths, for whoever changes the renderer."""
    for name, page in asyncio.run(scenes()).items():
        for width in (DESK, PHONE):
            photograph(page, folder / f"discord-{name}-{width}.png", width)


async def scenes() -> dict[str, str]:
    """Pages by name."""
    world = World()
    records = [replace(r, paper=replace(r.paper, **FACTS.get(r.paper.id, {}))) for r in sample()]
    await world.library.add(records, today=TODAY, live=True)
    await world.say(f"subscribe {KEYWORDS}", ANN)
    digest = await world.say(f"digest since:{TODAY} top:{SHOWN}", ANN)
    assert isinstance(digest, Digest)
    more = Action(f"Show {digest.more} more", "again k3f9x2")
    posted = replace(digest, notes=(), actions=(more,))
    pages = {
        layout: channel("papers", *_posts(replace(posted, layout=layout)))
        for layout in ("compact", "cards", "thread")
    }
    asked = {
        "search": 'search "language models" limit:3',
        "list": "list",
        "mistake": 'subscribe "mixture of experts',
        "why": "why 2501.11873",
        "settings": "settings",
        "subscribe": "form subscribe",
    }
    for name, words in asked.items():
        pages[name] = _answer(words, await world.say(words, ANN))
    return pages


def _posts(digest: Digest) -> Sequence[str]:
    return [message(part.payload) for part in render.digest(digest)]


def _answer(words: str, view: View) -> str:
    if isinstance(view, Form):
        return modal(render.modal(view, "form"))
    used = f"/papers {words.split()[0]}"
    return channel("papers", *(message(each, used=used) for each in render.messages(view)))
