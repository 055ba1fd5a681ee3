"""What the pictures of all platforms show: the bundled papers, asked for as somebody would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.app import sample
from bot.model import Caller
from bot.views import Action, Digest
from tests.pictures.photograph import DESK, PHONE, photograph
from tests.world import TODAY, World

KEYWORDS = (
    '"mixture of experts"|"load balancing" ; "scaling laws" ; "long output" ; "tensor operator"'
)
SHOWN = 4  # papers
# what Hugging Face tells of one of the papers
FACTS: dict[str, dict[str, Any]] = {"arxiv:2501.11873": {"upvotes": 1, "discussion": 1}}
ASKED = {
    "search": 'search "language models" limit:3',
    "list": "list",
    "mistake": 'subscribe "mixture of experts',
    "why": "why 2501.11873",
    "settings": "settings",
    "subscribe": "form subscribe",
}

Shipped = Mapping[str, tuple[str, int, float]]  # by picture: its scene, width and scale


def take(pages: Mapping[str, str], shipped: Shipped, folder: Path) -> None:
    """The pictures of the README."""
    for name, (scene, width, scale) in shipped.items():
        photograph(pages[scene], folder / f"{name}.png", width, scale=scale)


def look(pages: Mapping[str, str], platform: str, folder: Path) -> None:
    """All scenes, at both widths, for whoever changes the renderer."""
    for name, page in pages.items():
        for width in (DESK, PHONE):
            photograph(page, folder / f"{platform}-{name}-{width}.png", width)


async def subscribed(ann: Caller) -> World:
    """A world with the bundled papers, in which Ann has subscribed."""
    world = World()
    records = [replace(r, paper=replace(r.paper, **FACTS.get(r.paper.id, {}))) for r in sample()]
    await world.library.add(records, today=TODAY, live=True)
    await world.say(f"subscribe {KEYWORDS}", ann)
    return world


async def digests(world: World, ann: Caller) -> list[Digest]:
    """Today's as it is posted, in each layout."""
    digest = await world.say(f"digest since:{TODAY} top:{SHOWN}", ann)
    assert isinstance(digest, Digest)
    more = Action(f"Show {digest.more} more", "again k3f9x2")
    posted = replace(digest, notes=(), actions=(more,))
    return [replace(posted, layout=layout) for layout in ("compact", "cards", "thread")]
