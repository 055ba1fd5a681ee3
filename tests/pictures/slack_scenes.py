"""What Slack's pictures show: the bundled papers, asked for as somebody would."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.slack import render
from bot.app import sample
from bot.model import Caller, ChannelRef, Record
from bot.views import Action, Digest, Form, View, text
from tests.pictures.photograph import DESK, PHONE, photograph
from tests.pictures.slack_page import channel, home, message, modal
from tests.world import TODAY, World

PAPERS = ChannelRef("slack", "T1", "C024BE91L")
ANN = Caller(PAPERS, "U1", zone="Europe/Berlin")
OWN = replace(ANN, ref=replace(PAPERS, channel="@U1"))
KEYWORDS = (
    '"mixture of experts"|"load balancing" ; "scaling laws" ; "long output" ; "tensor operator"'
)
SHOWN = 4  # papers
# what Hugging Face tells of one of the papers
FACTS: dict[str, dict[str, Any]] = {"arxiv:2501.11873": {"upvotes": 1, "discussion": 1}}
SHIPPED = {"slack-digest": ("compact", DESK, 1.5), "slack-home": ("home", DESK, 1.5)}


def take(folder: Path) -> None:
    """The pictures of the README."""
    pages = asyncio.run(scenes())
    for name, (scene, width, scale) in SHIPPED.items():
        photograph(pages[scene], folder / f"{name}.png", width, scale=scale)


def look(folder: Path) -> None:
    """All scenes, at both widths, for whoever changes the renderer."""
    for name, page in asyncio.run(scenes()).items():
        for width in (DESK, PHONE):
            photograph(page, folder / f"slack-{name}-{width}.png", width)


async def scenes() -> dict[str, str]:
    """Pages by name."""
    world = World()
    await world.library.add(list(map(_known, sample())), today=TODAY, live=True)
    await world.say(f"subscribe {KEYWORDS}", ANN)
    await world.say('subscribe "knowledge distillation" ; text-to-SQL -survey', OWN)
    await world.say("schedule mon,thu 17:30", OWN)
    for paper in ("2502.13502", "2501.11873", "2410.10210"):
        await world.say(f"save {paper}", ANN)
    digest = await world.say(f"digest since:{TODAY} top:{SHOWN}", ANN)
    assert isinstance(digest, Digest)
    more = Action(f"Show {digest.more} more", "again k3f9x2")
    posted = replace(digest, notes=(), actions=(more,))
    pages = {
        layout: channel("papers", *_posts(replace(posted, layout=layout)))
        for layout in ("compact", "cards", "thread")
    }
    pages["home"] = home(render.home(await world.say("home", OWN)))
    asked = {
        "search": 'search "language models" limit:3',
        "list": "list",
        "help": "help",
        "status": "status",
        "mistake": 'subscribe "mixture of experts',
        "why": "why 2501.11873",
        "settings": "settings",
        "subscribe": "form subscribe",
        "schedule": "form schedule",
    }
    for name, words in asked.items():
        pages[name] = _answer(await world.say(words, ANN))
    return pages


def _known(record: Record) -> Record:
    return replace(record, paper=replace(record.paper, **FACTS.get(record.paper.id, {})))


def _posts(digest: Digest) -> Sequence[str]:
    return [message(part.payload, reply=part.threaded) for part in render.digest(digest)]


def _answer(view: View) -> str:
    if isinstance(view, Form):
        note = text("For everybody in this channel.")
        return modal(render.modal(view, private_metadata="", notes=(note,)))
    return channel("papers", *(message(each, private=True) for each in render.messages(view)))
