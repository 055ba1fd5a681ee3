"""One question has one answer: the terminal, Slack and Discord tell the same facts, each in its way."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from adapters.terminal.render import Screen
from adapters.terminal.session import ChannelSession
from bot import query
from bot.commands import VERBS
from bot.model import Caller, Channel as Settings, ChannelRef, Subscription
from bot.schedule import Schedule
from bot.views import Digest, Document, Form, Listing, Notice, Text, View
from tests.discord_bot import discord_bot, read
from tests.reading import letters
from tests.slack_reader import read_view
from tests.slack_world import shown, slack_world
from tests.world import HERE, World, paper

PAPERS = (
    paper(1, "Speculative decoding for long contexts", "We study speculative decoding.", upvotes=9),
    paper(2, "Graph networks for molecules", "Graph neural networks predict molecules."),
    paper(3, "A survey of tool use", "Language models use tools. A survey."),
)
LATER = (
    paper(4, "Speculative decoding at the edge", "Speculative decoding on small devices."),
    paper(5, "Graph transformers", "A graph transformer for graph neural networks."),
)
ONE = "2611.00001"


@dataclass(frozen=True, slots=True)
class Step:
    """What is typed, and the same as Discord's options."""

    words: str
    command: str
    options: dict[str, Any]

    @property
    def verb(self) -> str:
        return self.words.split()[0]


def step(words: str, command: str, **options: Any) -> Step:
    return Step(words, command, options)


SCRIPT = (
    step("help", "papers help"),
    step("help schedule", "papers help", topic="schedule"),
    step('subscribe "graph neural network" weight:2 label:graphs', "papers-admin subscribe",
         query='"graph neural network"', weight=2.0, label="graphs"),
    step("expand 2 networks", "papers-admin expand", subscription="2", meaning="networks"),
    step("mute survey", "papers-admin mute", term="survey"),
    step("unmute survey", "papers-admin unmute", term="survey"),
    step("list", "papers list"),
    step("preview days:30 tools", "papers preview", days=30, query="tools"),
    step("search speculative sort:new", "papers search", query="speculative", sort="new"),
    step("top month", "papers top", period="month"),
    step(f"show {ONE}", "papers show", paper=ONE),
    step(f"why {ONE}", "papers why", paper=ONE),
    step(f"similar {ONE}", "papers similar", paper=ONE),
    step(f"save {ONE}", "papers save", paper=ONE),
    step("saved", "papers saved"),
    step("export ris", "papers export", format="ris"),
    step(f"unsave {ONE}", "papers unsave", paper=ONE),
    step(f"like {ONE}", "papers like", paper=ONE),
    step(f"dislike {ONE}", "papers dislike", paper=ONE),
    step(f"unvote {ONE}", "papers unvote", paper=ONE),
    step("learned", "papers learned"),
    step("forget graph", "papers-admin forget", term="graph"),
    step("home", "papers home"),
    step("digest", "papers-admin digest"),
    step(f"share {ONE}", "papers share", paper=ONE),
    step("schedule mon,thu 17:30 Europe/Berlin", "papers-admin schedule", days="mon,thu",
         time="17:30", timezone="Europe/Berlin"),
    step("pause 2027-01-04", "papers-admin pause", until="2027-01-04"),
    step("resume", "papers-admin resume"),
    step("settings", "papers-admin settings"),
    step("set max:7 strictness:loose", "papers-admin set", max=7, strictness="loose"),
    step("config export", "papers-admin config export"),
    step("config undo", "papers-admin config undo"),
    step("status", "papers status"),
    step("resend abcdef12", "papers-admin resend", key="abcdef12"),
    step("giveup abcdef12", "papers-admin giveup", key="abcdef12"),
    step("unsubscribe 2", "papers-admin unsubscribe", subscription="2"),
    step("erase me", "papers erase"),
)  # fmt: skip

Told = tuple[View, str]  # the core's answer, and what a person reads (posts included)
Say = Callable[[Step], Awaitable[str]]


def test_the_script_has_every_verb() -> None:
    assert {verb.name for verb in VERBS} == {each.verb for each in SCRIPT}


async def play(world: World, ref: ChannelRef, owner: str, say: Say) -> list[Told]:
    """The script, with what was answered at each step."""
    answers: list[View] = []
    answer = world.answers.answer

    async def noted(command: Any, caller: Caller) -> View:
        answers.append(await answer(command, caller))
        return answers[-1]

    world.answers.answer = noted  # type: ignore[method-assign]
    await world.listed(*PAPERS)
    wanted = Subscription(1, query.parse("decoding"))
    schedule = Schedule.parse("weekdays 10:45", "UTC")
    await world.store.save(Settings(ref, (wanted,), schedule=schedule), owner)
    await world.ledger.start(ref, await world.library.end())
    await world.listed(*LATER)
    told = []
    for each in SCRIPT:
        world.now += timedelta(seconds=10)  # nobody asks too fast
        said = await say(each)
        told.append((answers[-1], said))
    return told


async def in_the_terminal() -> list[Told]:
    world = World()
    ann = Caller(HERE, "ann", zone="UTC")
    session = ChannelSession(world.answers, ann, greeting=_nothing)

    async def say(each: Step) -> str:
        out = io.StringIO()
        Screen(out, interactive=False, color=False).show(await session.answer(each.words))
        return out.getvalue()

    return await play(world, HERE, "ann", say)


async def _nothing() -> list[View]:
    return []


async def on_slack() -> list[Told]:
    async with slack_world() as w:
        ann = w.slack.add_user("ann", tz="UTC")
        lab = w.slack.add_channel("lab", ann)

        async def say(each: Step) -> str:
            before = len(w.slack.posts(lab))
            exchange = await w.slack.command(ann, lab, "/papers", each.words)
            if each.verb == "settings":
                modal = read_view((await exchange.opened()).body)
                return f"{modal.text} {json.dumps(modal.fields)}"
            await exchange.replied()
            await w.idle()
            posts = [shown(post) for post in w.slack.posts(lab)[before:]]
            files = [file.content.decode() for file in w.slack.files if file.content]
            return "\n".join((shown(*exchange.shown), *posts, *files))

        return await play(w.world, w.ref(lab), ann.id, say)


async def on_discord() -> list[Told]:
    async with discord_bot() as bot:

        def posted() -> list[str]:
            everything = bot.server.messages(bot.papers)
            return [message.text() for message in everything if message.interaction is None]

        async def say(each: Step) -> str:
            before = len(posted())
            exchange = await bot.ask(each.command, **each.options)
            if exchange.modal is not None:
                inputs = exchange.modal.inputs
                values = [f"{i['label']} {i.get('value', '')}" for i in inputs]
                values += [str(i.get("options")) for i in inputs]
                return "\n".join(values)
            await bot.platform._surfaces.drain(5)
            files = [content.decode() for content in exchange.files_sent]
            return "\n".join((read(exchange.text), *map(read, posted()[before:]), *files))

        return await play(bot.world, bot.ref(bot.papers), bot.ann.id, say)


PLATFORMS = [
    pytest.param(in_the_terminal, id="terminal"),
    pytest.param(on_slack, id="slack"),
    pytest.param(on_discord, id="discord"),
]


def facts(view: View) -> set[str]:
    """What is told, as letters; without what each platform shows in its way (moments, commands …)."""
    return {fact for piece in _pieces(view) if (fact := letters(piece))}


def _pieces(view: View) -> Iterator[str]:
    match view:
        case Document():
            yield from re.split(r'\n|, (?=")', view.content)  # lines, or members of an object
        case Form():
            for field in view.fields:
                yield from (field.label, field.value)
        case Digest():
            yield from _texts(view.heading, *view.notes)
            yield view.quiet.text if view.quiet else ""
        case Listing():
            yield from _texts(view.title, *view.intro, *view.notes)
            for row in view.rows:
                yield from _texts(row.lead, row.body, *row.details)
        case Notice():
            yield from _texts(view.message, *view.hints)
    if isinstance(view, Digest | Listing | Notice):
        for card in view.cards:
            yield card.paper.title
            yield from (reason.text for reason in card.reasons)
            yield from _texts(card.abstract, *card.notes)


def _texts(*texts: Text) -> Iterator[str]:
    for each in texts:
        yield from (s.text for s in each if not (s.when or s.channel or s.role or s.sentence))


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_what_the_core_answers_is_what_people_read(
    platform: Callable[[], Awaitable[list[Told]]],
) -> None:
    for each, (view, said) in zip(SCRIPT, await platform(), strict=True):
        read_there = letters(said)
        missing = {fact for fact in facts(view) if fact not in read_there}

        assert not missing, each.words


async def test_the_same_question_has_the_same_answer_everywhere() -> None:
    terminal, slack, discord = await in_the_terminal(), await on_slack(), await on_discord()

    for each, there, here, elsewhere in zip(SCRIPT, terminal, slack, discord, strict=True):
        assert _same(each, here) == _same(each, elsewhere), each.words
        assert _same(each, there) == _same(each, here), each.words


def _same(each: Step, told: Told) -> set[str]:
    """Facts that name neither place nor person; what is posted is compared by its papers."""
    view, said = told
    if each.verb in ("digest", "share"):
        everything = (*PAPERS, *LATER)
        return {p.title for p in everything if letters(p.title) in letters(said)}
    own = ("slack", "discord", "terminal", "channel", "owner", "Whomay")
    return {fact for fact in facts(view) if not fact.startswith(own)}
