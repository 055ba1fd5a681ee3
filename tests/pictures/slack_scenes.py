"""What Slack's pictures show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.slack import render
from bot.model import Caller, ChannelRef
from bot.views import Digest, Form, View, text
from tests.pictures.photograph import DESK
from tests.pictures.scenes import ASKED, digests, subscribed
from tests.pictures.slack_page import channel, home, message, modal

PAPERS = ChannelRef("slack", "T1", "C024BE91L")
ANN = Caller(PAPERS, "U1", zone="Europe/Berlin")
OWN = replace(ANN, ref=replace(PAPERS, channel="@U1"))
SHIPPED = {"slack-digest": ("compact", DESK, 1.5), "slack-home": ("home", DESK, 1.5)}
MORE = {"help": "help", "status": "status", "schedule": "form schedule"}


async def scenes() -> dict[str, str]:
    """Pages by name."""
    world = await subscribed(ANN)
    await world.say('subscribe "knowledge distillation" ; text-to-SQL -survey', OWN)
    await world.say("schedule mon,thu 17:30", OWN)
    for paper in ("2502.13502", "2501.11873", "2410.10210"):
        await world.say(f"save {paper}", ANN)
    pages = {each.layout: channel("papers", *_posts(each)) for each in await digests(world, ANN)}
    pages["home"] = home(render.home(await world.say("home", OWN)))
    for name, words in (ASKED | MORE).items():
        pages[name] = _answer(await world.say(words, ANN))
    return pages


def _posts(digest: Digest) -> Sequence[str]:
    return [message(part.payload, reply=part.threaded) for part in render.digest(digest)]


def _answer(view: View) -> str:
    if isinstance(view, Form):
        note = text("For everybody in this channel.")
        return modal(render.modal(view, private_metadata="", notes=(note,)))
    return channel("papers", *(message(each, private=True) for each in render.messages(view)))
