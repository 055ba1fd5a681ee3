"""The commands as Discord offers them: typed options, with the words of the table of verbs.

``/papers`` is for everybody, ``/papers-admin`` for who may manage channels. Both work in the bot's
direct messages, where they mean the person's own channel.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal, TypeVar

import discord
from discord import app_commands
from discord.app_commands import AppCommandChannel, Range

from adapters.discord import sentences
from adapters.discord.callers import Interaction, elsewhere
from adapters.discord.completion import Completion
from adapters.discord.surfaces import Surfaces
from bot import commands, query as language
from bot.commands import Command, Subscribe, Verb
from bot.errors import UserError

PING_ABOVE = 60  # points, where nobody says
ABOUT = "About this paper"
WORDS = 6000  # what Discord lets people type into an option

_SERVERS_AND_OWN = app_commands.AppCommandContext(
    guild=True, dm_channel=True, private_channel=False
)
_SERVERS = app_commands.AppInstallationType(guild=True, user=False)
_OPTIONS = {
    "above": "mention it for papers with more points; 0: never",
    "channel": "another channel than this one",
    "code": "only papers with code",
    "days": "weekdays, daily, mon,thu, weekly mon, monthly 1, off",
    "everywhere": "all channels that you see",
    "file": "what config export gave",
    "format": "how a reference manager reads it",
    "key": "which post; completed from those that are held",
    "label": "a name for it; forum posts get the tag of that name",
    "layout": "how a digest looks",
    "limit": "how many on a page",
    "max": "papers in a digest, at most",
    "meaning": "what its acronym stands for",
    "online": "ask arXiv and Hugging Face themselves",
    "page": "which page",
    "paper": "an id or a link",
    "period": "day, week, month, 2026-11-20 or 2026-W46",
    "ping": "the role that is mentioned for an outstanding paper",
    "query": 'words; "exactly these", -without, this|that, title: author: cat:',
    "quiet": "on a day without papers",
    "scope": "saved (yours), digest (the last one), or a paper",
    "since": "2026-11-01, or 7d: seven days ago",
    "sort": "best match, newest or most upvotes first",
    "source": "only papers from there",
    "strictness": "how well papers must match: loose, normal, strict, or a number",
    "subscription": "its number or its text",
    "sure": "do it at once, where all of it goes",
    "term": "one word or phrase",
    "time": "09:00; several with commas between",
    "timezone": "Europe/Berlin, or a city",
    "top": "how many papers",
    "topic": "one of the commands",
    "trending": "how many of the most upvoted papers come along",
    "until": "a day, such as 2027-01-04",
    "weight": "2 counts twice as much",
    "who": "who may share and vote: members, managers, or @people",
}
_PERSON = re.compile(r"<@!?(\d+)>", re.ASCII)
_BETWEEN = re.compile(
    r"(?<=>)[\s,;]*(?=<@)"
)  # Discord puts a blank behind a mention that is chosen


class _WithPosts(app_commands.Transformer):
    """A channel that can get digests. Not media channels: Discord's own description lacks them."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        kinds = discord.ChannelType
        return [kinds.text, kinds.news, kinds.voice, kinds.forum]

    async def transform(self, interaction: Interaction, value: Any, /) -> AppCommandChannel:
        channel: AppCommandChannel = value
        return channel


T = TypeVar("T")
ChannelWithPosts = app_commands.Transform[AppCommandChannel, _WithPosts]
Commands = app_commands.CommandTree[discord.Client]
Words = Range[str, 1, WORDS]
Short = Range[str, 1, 40]
Page = Range[int, 1, 1000]


def _verb(name: str) -> Verb:
    found = commands.find_verb(name)
    if found is None:
        raise ValueError(f"there is no verb {name}")
    return found


def _of(verb: str) -> str:
    """The verb's line in the table."""
    return _verb(verb).summary


def _describe(*options: str) -> Callable[[T], T]:
    return app_commands.describe(**{name: _OPTIONS[name] for name in options})


def request(verb: str, words: str | None = None, **options: object) -> Command:
    """What the verb makes of typed options; None and False stand for one that was not given."""
    given = {
        name: "yes" if value is True else f"{value}".strip()
        for name, value in options.items()
        if value is not None and value is not False
    }
    return _verb(verb).build(language.clean(words or ""), given)


Ask = Callable[..., Awaitable[None]]  # interaction, verb, words, and options by name


def _asking(surfaces: Surfaces) -> Ask:
    async def ask(
        interaction: Interaction, verb: str, words: str | None = None, **options: object
    ) -> None:
        await surfaces.asked(interaction, lambda: request(verb, words, **options))

    return ask


def _group(name: str, description: str, **more: Any) -> app_commands.Group:
    return app_commands.Group(
        name=name,
        description=description,
        allowed_contexts=_SERVERS_AND_OWN,
        allowed_installs=_SERVERS,
        **more,
    )


def _add_plain(group: app_commands.Group, verb: str, ask: Ask) -> None:
    @group.command(name=verb, description=_of(verb))
    async def command(interaction: Interaction) -> None:
        await ask(interaction, verb)


def _add_paged(group: app_commands.Group, verb: str, ask: Ask) -> None:
    @group.command(name=verb, description=_of(verb))
    @_describe("page")
    async def command(interaction: Interaction, page: Page | None = None) -> None:
        await ask(interaction, verb, page=page)


def _add_of_paper(group: app_commands.Group, verb: str, ask: Ask, completion: Completion) -> None:
    @group.command(name=verb, description=_of(verb))
    @_describe("paper")
    @app_commands.autocomplete(paper=completion.papers)
    async def command(interaction: Interaction, paper: Words) -> None:
        await ask(interaction, verb, paper)


def papers(surfaces: Surfaces, completion: Completion) -> app_commands.Group:
    """The commands for everybody."""
    group = _group("papers", "New research papers for this channel")
    ask = _asking(surfaces)

    @group.command(name="help", description=_of("help"))
    @_describe("topic")
    @app_commands.autocomplete(topic=completion.topic)
    async def help_(interaction: Interaction, topic: Words | None = None) -> None:
        await ask(interaction, "help", topic)

    @group.command(description=_of("search"))
    @_describe("query", "since", "until", "source", "code", "sort", "limit", "online", "page")
    @app_commands.rename(online="all")
    @app_commands.autocomplete(query=completion.query)
    async def search(
        interaction: Interaction,
        query: Words | None = None,
        since: Short | None = None,
        until: Short | None = None,
        source: Literal["arxiv", "huggingface", "journal"] | None = None,
        code: bool | None = None,
        sort: Literal["best", "new", "upvotes"] | None = None,
        limit: Range[int, 1, 50] | None = None,
        online: bool | None = None,
        page: Page | None = None,
    ) -> None:
        await ask(
            interaction, "search", query, since=since, until=until, source=source, code=code,
            sort=sort, limit=limit, all=online, page=page,
        )  # fmt: skip

    @group.command(description=_of("top"))
    @_describe("period", "page")
    async def top(
        interaction: Interaction, period: Short | None = None, page: Page | None = None
    ) -> None:
        await ask(interaction, "top", period, page=page)

    @group.command(name="list", description=_of("list"))
    @_describe("channel", "everywhere", "page")
    @app_commands.rename(everywhere="all")
    async def list_(
        interaction: Interaction,
        channel: ChannelWithPosts | None = None,
        everywhere: bool | None = None,
        page: Page | None = None,
    ) -> None:
        await surfaces.asked(
            interaction,
            lambda: request("list", "all" if everywhere else "", page=page),
            lambda caller: elsewhere(caller, channel) if channel else caller,
        )

    @group.command(description=_of("preview"))
    @_describe("query")
    @app_commands.describe(days="how many of the last days")
    @app_commands.autocomplete(query=completion.query)
    async def preview(
        interaction: Interaction,
        days: Range[int, 1, 400] | None = None,
        query: Words | None = None,
    ) -> None:
        await ask(interaction, "preview", query, days=days)

    @group.command(description=_of("export"))
    @_describe("format", "scope")
    @app_commands.autocomplete(scope=completion.papers)
    async def export(
        interaction: Interaction,
        format: Literal["bibtex", "ris", "json"],
        scope: Words | None = None,
    ) -> None:
        await ask(interaction, "export", f"{format} {scope or ''}")

    for verb in ("why", "show", "similar", "save", "unsave", "share", "like", "dislike", "unvote"):
        _add_of_paper(group, verb, ask, completion)
    for verb in ("saved", "learned"):
        _add_paged(group, verb, ask)
    for verb in ("home", "status"):
        _add_plain(group, verb, ask)

    @group.command(description=_of("erase"))
    @_describe("sure")
    async def erase(interaction: Interaction, sure: bool | None = None) -> None:
        await ask(interaction, "erase", sure=sure)

    return group


def papers_admin(surfaces: Surfaces, completion: Completion) -> app_commands.Group:
    """The commands for who may manage channels; it is checked when they are run, too."""
    group = _group(
        "papers-admin",
        "What this channel gets, for who may manage it",
        default_permissions=discord.Permissions(manage_channels=True),
    )
    ask = _asking(surfaces)
    _add_subscribing(group, surfaces, completion)
    _add_settings(group, surfaces, completion)

    @group.command(description=_of("schedule"))
    @_describe("days", "time", "timezone")
    @app_commands.autocomplete(days=completion.days, timezone=completion.zone)
    async def schedule(
        interaction: Interaction,
        days: Words | None = None,
        time: Words | None = None,
        timezone: Words | None = None,
    ) -> None:
        given = days or "", time or "", timezone or ""
        if not any(given):
            await surfaces.asked(interaction, lambda: commands.OpenForm("schedule"))
            return
        await surfaces.scheduled(
            interaction, lambda known: request("schedule", sentences.schedule(known, *given))
        )

    @group.command(description=_of("pause"))
    @_describe("until")
    async def pause(interaction: Interaction, until: Short | None = None) -> None:
        await ask(interaction, "pause", until)

    @group.command(description=_of("digest"))
    @_describe("since", "top")
    async def digest(
        interaction: Interaction, since: Short | None = None, top: Range[int, 1, 50] | None = None
    ) -> None:
        await ask(interaction, "digest", since=since, top=top)

    @group.command(description=_of("forget"))
    @_describe("term", "sure")
    async def forget(interaction: Interaction, term: Words, sure: bool | None = None) -> None:
        await ask(interaction, "forget", term, sure=sure)

    for verb in ("resend", "giveup"):
        _add_of_post(group, verb, ask, completion)
    _add_plain(group, "resume", ask)
    return group


def _add_of_post(group: app_commands.Group, verb: str, ask: Ask, completion: Completion) -> None:
    @group.command(name=verb, description=_of(verb))
    @_describe("key")
    @app_commands.autocomplete(key=completion.held)
    async def command(interaction: Interaction, key: Short) -> None:
        await ask(interaction, verb, key)


def _add_subscribing(group: app_commands.Group, surfaces: Surfaces, completion: Completion) -> None:
    ask = _asking(surfaces)

    @group.command(description=_of("subscribe"))
    @_describe("query", "weight", "label")
    @app_commands.autocomplete(query=completion.query)
    async def subscribe(
        interaction: Interaction,
        query: Words | None = None,
        weight: Range[float, 0.1, 10.0] | None = None,
        label: Short | None = None,
    ) -> None:
        def command() -> Command:
            made = request("subscribe", query)
            if not isinstance(made, Subscribe):
                return made
            return Subscribe(tuple(
                replace(
                    wish,
                    weight=wish.weight if weight is None else weight,
                    label=wish.label if label is None else commands.label(label),
                )
                for wish in made.wishes
            ))  # fmt: skip

        await surfaces.asked(interaction, command)

    @group.command(description=_of("expand"))
    @_describe("meaning")
    @app_commands.describe(subscription="its number")
    @app_commands.autocomplete(subscription=completion.subscriptions)
    async def expand(
        interaction: Interaction, subscription: Words, meaning: Words | None = None
    ) -> None:
        await ask(interaction, "expand", f"{subscription} {meaning or ''}")

    @group.command(description=_of("unsubscribe"))
    @_describe("subscription", "sure")
    @app_commands.autocomplete(subscription=completion.subscriptions)
    async def unsubscribe(
        interaction: Interaction, subscription: Words, sure: bool | None = None
    ) -> None:
        await ask(interaction, "unsubscribe", subscription, sure=sure)

    @group.command(description=_of("mute"))
    @_describe("term")
    @app_commands.autocomplete(term=completion.query)
    async def mute(interaction: Interaction, term: Words) -> None:
        await ask(interaction, "mute", term)

    @group.command(description=_of("unmute"))
    @_describe("term")
    @app_commands.autocomplete(term=completion.muted)
    async def unmute(interaction: Interaction, term: Words) -> None:
        await ask(interaction, "unmute", term)


def _add_settings(group: app_commands.Group, surfaces: Surfaces, completion: Completion) -> None:
    ask = _asking(surfaces)
    _add_plain(group, "settings", ask)

    @group.command(name="set", description=_of("set"))
    @_describe("max", "strictness", "layout", "quiet", "trending", "who", "ping", "above")
    @app_commands.autocomplete(strictness=completion.strictness, who=completion.who)
    async def set_(
        interaction: Interaction,
        max: Range[int, 1, 50] | None = None,
        strictness: Short | None = None,
        layout: Literal["compact", "cards", "thread"] | None = None,
        quiet: Literal["post", "note", "silent"] | None = None,
        trending: Range[int, 0, 20] | None = None,
        who: Words | None = None,
        ping: discord.Role | None = None,
        above: Range[int, 0, 999] | None = None,
    ) -> None:
        def command() -> Command:
            people = who and _PERSON.sub(r"@\1", _BETWEEN.sub(",", who))
            return request(
                "set", max=max, strictness=strictness, layout=layout, quiet=quiet,
                trending=trending, who=people, ping=_ping(ping, above),
            )  # fmt: skip

        await surfaces.asked(interaction, command)

    config = app_commands.Group(name="config", description=_of("config"), parent=group)

    @config.command(name="export", description="this channel's settings as a file")
    async def config_export(interaction: Interaction) -> None:
        await ask(interaction, "config", "export")

    @config.command(name="import", description="take settings over from such a file")
    @_describe("file")
    async def config_import(interaction: Interaction, file: discord.Attachment) -> None:
        await surfaces.imported(interaction, file)

    @config.command(name="undo", description="take the last change back")
    async def config_undo(interaction: Interaction) -> None:
        await ask(interaction, "config", "undo")


def _ping(role: discord.Role | None, above: int | None) -> str | None:
    if above == 0:
        return "off"
    if role is None and above is not None:
        raise UserError("Which role is to be mentioned?", hint="Choose one for ping.", field="ping")
    if role and role.is_default():
        raise UserError(
            "I never call everybody.", hint="Choose another role for ping.", field="ping"
        )
    return None if role is None else f"{role.id}@{PING_ABOVE if above is None else above}"


def menu(surfaces: Surfaces) -> app_commands.ContextMenu:
    async def about(interaction: Interaction, message: discord.Message) -> None:
        await surfaces.about(interaction)

    return app_commands.ContextMenu(
        name=ABOUT,
        callback=about,
        allowed_contexts=_SERVERS_AND_OWN,
        allowed_installs=_SERVERS,
    )


def tree(client: discord.Client, surfaces: Surfaces, completion: Completion) -> Commands:
    """All commands, answered by *surfaces*."""
    made = app_commands.CommandTree(client)
    made.add_command(papers(surfaces, completion))
    made.add_command(papers_admin(surfaces, completion))
    made.add_command(menu(surfaces))
    made.error(surfaces.failed)
    return made
