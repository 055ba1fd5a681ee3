"""What Discord offers people, who may use it, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import discord
import pytest

from adapters.discord import permissions
from adapters.discord.commands import tree
from adapters.discord.registration import EVERYWHERE, described
from adapters.discord.sentences import native
from adapters.discord.translations import WORDS
from bot.commands import VERBS
from bot.model import ChannelRef
from tests.discord_bot import PAPERS, TODAYS, DiscordBot, discord_bot, read
from tests.discord_description import DESCRIPTION
from tests.discord_server import CannotDo, Channel, Exchange, Fault, File, Kind, P
from tests.discord_state import walk
from tests.world import paper

Json = dict[str, Any]

IN_SERVER = "/applications/{application_id}/guilds/{guild_id}/commands"


@pytest.fixture
async def bot() -> AsyncIterator[DiscordBot]:
    async with discord_bot() as made:
        await made.world.listed(*PAPERS)
        yield made


def subcommands(command: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """With their paths; groups too."""
    for option in command.get("options", ()):
        if option["type"] in (1, 2):
            here = f"{path} {option['name']}".strip()
            yield here, option
            yield from subcommands(option, here)


# What is offered


async def test_every_verb_is_a_subcommand_with_its_own_words(bot: DiscordBot) -> None:
    offered = {
        name: sub["description"]
        for command in bot.server.registered()
        for name, sub in subcommands(command)
    }

    assert [verb.name for verb in VERBS if verb.name not in offered] == []
    assert [v.name for v in VERBS if offered[v.name] != v.summary] == []
    verbs = {verb.name for verb in VERBS}
    assert set(offered) - verbs == {"config export", "config import", "config undo"}


async def test_what_changes_a_channel_is_offered_to_managers_alone(bot: DiscordBot) -> None:
    by_name = {command["name"]: command for command in bot.server.registered()}
    for_all = {name for name, _ in subcommands(by_name["papers"])}

    changing = {verb.name for verb in VERBS if verb.kind in ("change", "post")}
    assert for_all & changing == {"share", "like", "dislike", "unvote"}
    assert by_name["papers-admin"]["default_member_permissions"] == str(int(P.MANAGE_CHANNELS))
    assert by_name["papers"]["default_member_permissions"] is None
    for command in by_name.values():
        assert command["contexts"] == [0, 1]  # servers, and direct messages with the bot
        assert command["integration_types"] == [0]  # nobody installs it for themselves


async def test_discord_takes_the_commands_as_they_are_described(bot: DiscordBot) -> None:
    (request,) = bot.server.sent("PUT /applications/{application_id}/commands")

    assert request.status == 200
    assert list(DESCRIPTION.problems(request.route, request.body)) == []
    for command in request.body:
        subs = [sub for _, sub in subcommands(command)]
        texts = [command, *subs, *(o for sub in subs for o in sub.get("options", ()))]
        length = sum(len(each["name"]) + len(each.get("description", "")) for each in texts)
        assert length < 6000  # of 8000: there is room for more


async def test_other_languages_need_nothing_but_their_words(
    bot: DiscordBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    german = {discord.Locale.german: {"papers": "artikel", "what can be asked": "was geht"}}
    monkeypatch.setattr("adapters.discord.translations.WORDS", {**WORDS, **german})
    made = tree(
        discord.Client(intents=discord.Intents.none()),
        bot.platform._surfaces,
        bot.platform._completion,
    )

    (papers,) = [c for c in await described(made) if c["name"] == "papers"]

    assert papers["name_localizations"] == {"de": "artikel"}
    assert papers["options"][0]["description_localizations"] == {"de": "was geht"}


async def test_the_invitation_asks_for_what_is_needed_and_no_more() -> None:
    link = permissions.invite_link("42")

    needed = (
        P.VIEW_CHANNEL | P.SEND_MESSAGES | P.READ_MESSAGE_HISTORY | P.CREATE_PUBLIC_THREADS
        | P.SEND_MESSAGES_IN_THREADS
    )  # fmt: skip
    assert f"permissions={int(needed)}" in link
    assert "scope=bot+applications.commands" in link
    assert "client_id=42" in link


async def test_a_bot_with_the_rights_of_its_invitation_can_do_everything() -> None:
    async with discord_bot() as bot:
        needed = P(0)
        for name in permissions.INVITED:
            needed |= P[name.upper()]
        guild = bot.server.add_guild("Strict", bot_permissions=needed, everyone=P.NONE)
        keeper = bot.server.add_role(
            guild, "Keeper", P.MANAGE_CHANNELS | P.VIEW_CHANNEL | P.USE_APPLICATION_COMMANDS
        )
        bot.server.join(guild, bot.ann, keeper)
        channel = bot.server.add_channel(guild, "papers")
        await bot.known()
        await bot.world.listed(*PAPERS)

        done = await bot.ask("papers-admin subscribe", at=channel, query="graphs")
        assert "cannot come" not in done.text
        await bot.ask("papers-admin set", at=channel, layout="thread")
        await bot.world.listed(*TODAYS)
        await bot.ask("papers-admin digest", at=channel)

        assert len(bot.server.threads(channel)) == 1


# Registration


async def test_commands_are_registered_only_where_they_have_changed(bot: DiscordBot) -> None:
    route = "PUT /applications/{application_id}/commands"
    assert len(bot.server.sent(route)) == 1

    assert not await bot.platform.sync()
    assert bot.server.dislikes == []
    bot.hash.line = "everywhere of-an-earlier-version"
    assert await bot.platform.sync()

    assert len(bot.server.sent(route)) == 2


async def test_a_server_to_try_them_out_gets_them_alone(bot: DiscordBot) -> None:
    registration = bot.platform._registration
    registration._where = bot.lab.id

    assert await bot.platform.sync()

    assert len(bot.server.registered(bot.lab)) == 3
    assert bot.server.registered() == []


async def test_a_server_that_was_left_is_no_hindrance_to_be_for_all(bot: DiscordBot) -> None:
    registration = bot.platform._registration
    registration._where = bot.lab.id
    assert await bot.platform.sync()
    bot.server.fault(f"PUT {IN_SERVER}", Fault.refused(403, 50001), times=None)
    registration._where = EVERYWHERE

    assert await bot.platform.sync()

    assert len(bot.server.registered()) == 3
    assert not await bot.platform.sync()


# Who may what

ROLES = {
    "owner": P.NONE,
    "administrator": P.ADMINISTRATOR,
    "manager": P.MANAGE_CHANNELS,
    "member": P.NONE,
    "listed": P.NONE,
    "nobody": P.MANAGE_MESSAGES | P.MANAGE_ROLES | P.MANAGE_GUILD,  # as far as channels go
}
CHANGES = {
    "papers-admin subscribe": {"query": "diffusion"},
    "papers-admin unsubscribe": {"subscription": "1"},
    "papers-admin mute": {"term": "survey"},
    "papers-admin schedule": {"days": "daily", "time": "10:00"},
    "papers-admin pause": {},
    "papers-admin set": {"max": 3},
    "papers-admin digest": {},
    "papers-admin config undo": {},
}


@pytest.mark.parametrize("kind", ["text", "announcement", "voice", "thread", "forum"])
@pytest.mark.parametrize("role", ROLES)
async def test_only_managers_change_a_channel(bot: DiscordBot, role: str, kind: str) -> None:
    """Also where an admin of the server lets others see the command."""
    channel, here = place(bot, kind)
    await bot.ask("papers-admin subscribe", at=here, query="graphs")
    person = bot.server.add_user(role)
    bot.server.join(bot.lab, person, bot.server.add_role(bot.lab, role, ROLES[role]))
    await bot.known()
    if role == "owner":
        person = bot.lab.owner
    if role == "listed":
        await bot.ask("papers-admin set", at=here, who=f"@{person.id}")
    for command in bot.server.commands[""].values():
        command["default_member_permissions"] = None
    for words, options in CHANGES.items():
        before = await bot.settings(channel)
        bot.pass_time(minutes=1)
        answered = await bot.ask(words, by=person, at=here, **options)  # type: ignore[arg-type]

        refused = "takes the permission Manage Channels" in read(answered.text)
        assert refused == (role in ("member", "listed", "nobody")), words
        assert answered.private
        if refused:
            assert await bot.settings(channel) == before


def place(bot: DiscordBot, kind: str) -> tuple[Channel, Channel]:
    """The channel that has the settings, and where people type."""
    if kind == "thread":
        return bot.papers, bot.server.add_thread(bot.papers, "Questions", by=bot.ann)
    made = bot.server.add_channel(bot.lab, "place", Kind[kind.upper()])
    if kind != "forum":
        return made, made
    return made, bot.server.add_thread(made, "Questions", by=bot.ann)


async def test_old_buttons_are_no_way_around_it(bot: DiscordBot) -> None:
    answered = await bot.ask("papers-admin subscribe", query="graphs")
    assert answered.original is not None
    answered.original.flags &= ~64  # as if everybody saw it

    pressed = await bot.server.click(bot.bob, answered.original, "Undo")
    assert "takes the permission Manage Channels" in read(pressed.text)

    # Nor is what a button only comes back to
    key = await bot.world.people.keep_answer("subscribe diffusion", bot.world.now)
    post = bot.server.write(bot.server.bot, bot.papers, "Which one?")
    button = {"type": 2, "id": 2, "style": 2, "label": "This", "custom_id": f"papers:again {key}"}
    post.components = [{"type": 1, "id": 1, "components": [button]}]
    pressed = await bot.server.click(bot.bob, post, "This")
    assert "You may not change this channel" in read(pressed.text)

    assert len((await bot.settings(bot.papers)).subscriptions) == 1


async def test_members_vote_and_share_as_far_as_the_channel_lets_them(bot: DiscordBot) -> None:
    shared = await bot.ask("papers share", by=bot.bob, paper="2611.00001")
    assert "Shared with the channel" in read(shared.text)
    assert len(bot.server.messages(bot.papers)) == 1

    await bot.ask("papers-admin set", who="managers")
    refused = await bot.ask("papers like", by=bot.bob, paper="2611.00001")
    assert "You may not change this channel" in read(refused.text)

    await bot.ask("papers-admin set", who=f"<@{bot.bob.id}>")
    liked = await bot.ask("papers like", by=bot.bob, paper="2611.00001")
    assert "may not" not in liked.text
    assert (await bot.settings(bot.papers)).who == f"@{bot.bob.id}"


async def test_people_are_named_by_their_mention_not_by_their_name(bot: DiscordBot) -> None:
    """Nobody's id is ``ann``: the channel would let nobody vote and say that it was set."""
    await bot.ask("papers-admin set", max=5)
    before = await bot.settings(bot.papers)

    typed = await bot.ask("papers-admin set", who="@ann")
    opened = await bot.ask("papers-admin settings")
    assert opened.modal is not None
    filled = await bot.server.submit(bot.ann, opened.modal, {"who": f"@{bot.bob.id}, @ann"})

    for answered in (typed, filled):
        assert "Discord does not tell me who @ann is." in read(answered.text)
    assert await bot.settings(bot.papers) == before


async def test_a_channel_is_read_only_by_who_sees_it(bot: DiscordBot) -> None:
    secret = bot.server.add_channel(bot.lab, "secret")
    bot.server.overwrite(secret, bot.lab.roles[bot.lab.id], deny=P.VIEW_CHANNEL)
    bot.server.overwrite(secret, bot.ann, allow=P.VIEW_CHANNEL)
    bot.server.overwrite(secret, bot.server.bot, allow=P.VIEW_CHANNEL)
    await bot.known()
    await bot.ask("papers-admin subscribe", at=secret, query="graphs")

    assert "graphs" in (await bot.ask("papers list", channel=secret)).text
    refused = await bot.ask("papers list", by=bot.bob, channel=secret)
    assert "You cannot see that channel" in read(refused.text)

    assert "graphs" in (await bot.ask("papers list", all=True)).text
    assert "graphs" not in (await bot.ask("papers list", by=bot.bob, all=True)).text
    assert "graphs" not in (await bot.ask("papers home", by=bot.bob)).text


async def test_who_asks_too_much_is_asked_for_patience(bot: DiscordBot) -> None:
    answers = [await bot.ask("papers status", by=bot.bob) for _ in range(7)]

    assert ["That was a lot" in answer.text for answer in answers] == [False] * 5 + [True] * 2
    assert all(answer.private for answer in answers)
    assert "That was a lot" not in (await bot.ask("papers status")).text
    bot.pass_time(seconds=10)
    assert "Status" in (await bot.ask("papers status", by=bot.bob)).text


# Where it is asked


async def test_a_thread_belongs_to_its_channel(bot: DiscordBot) -> None:
    thread = bot.server.add_thread(bot.papers, "Questions", by=bot.ann)
    await bot.known()

    await bot.ask("papers-admin subscribe", at=thread, query="graphs")

    assert len((await bot.settings(bot.papers)).subscriptions) == 1


async def test_a_forum_is_set_up_from_one_of_its_posts(bot: DiscordBot) -> None:
    forum = bot.server.add_channel(bot.lab, "reading", Kind.FORUM)
    thread = bot.server.add_thread(forum, "Which papers?", by=bot.ann)
    await bot.known()

    await bot.ask("papers-admin subscribe", at=thread, query="graphs")

    assert len((await bot.settings(forum)).subscriptions) == 1


async def test_who_sets_a_channel_up_hears_what_is_missing(bot: DiscordBot) -> None:
    bot.server.overwrite(bot.papers, bot.server.bot, deny=P.SEND_MESSAGES)
    await bot.known()

    done = await bot.ask("papers-admin subscribe", query="graphs")

    said = "No digest can come here yet: I lack the permission Send Messages in this channel."
    assert await bot.server.until(lambda: said in read(done.text))
    assert done.private


@pytest.mark.parametrize("forum", [False, True], ids=["text", "forum"])
async def test_who_wants_threads_hears_that_there_can_be_none(bot: DiscordBot, forum: bool) -> None:
    place = bot.server.add_channel(bot.lab, "reading", Kind.FORUM) if forum else bot.papers
    at = bot.server.add_thread(place, "Which?", by=bot.ann) if forum else place
    denied = P.SEND_MESSAGES_IN_THREADS if forum else P.CREATE_PUBLIC_THREADS
    bot.server.overwrite(place, bot.server.bot, deny=denied)
    await bot.known()

    done = await bot.ask("papers-admin set", at=at, layout="thread")

    lacking = "Send Messages in Posts" if forum else "Create Public Threads"
    said = f": I lack the permission {lacking} in this channel."
    assert await bot.server.until(lambda: said in read(done.text))


async def test_a_forum_takes_no_right_to_create_threads(bot: DiscordBot) -> None:
    """Discord does not ask for it there, and its settings of a forum do not have it."""
    forum = bot.server.add_channel(bot.lab, "reading", Kind.FORUM)
    at = bot.server.add_thread(forum, "Which?", by=bot.ann)
    bot.server.overwrite(forum, bot.server.bot, deny=P.CREATE_PUBLIC_THREADS)
    await bot.known()

    done = await bot.ask("papers-admin set", at=at, layout="thread")
    await bot.platform._surfaces.drain(5)

    assert "Set layout to thread" in read(done.text)
    assert "I lack" not in read(done.text)


async def test_a_role_is_named_and_who_chose_it_hears_that_it_cannot_be_mentioned(
    bot: DiscordBot,
) -> None:
    role = bot.server.add_role(bot.lab, "Readers")
    await bot.known()
    await bot.ask("papers-admin set", max=5)

    done = await bot.ask("papers-admin set", ping=role, above=80)
    assert f"Set ping to <@&{role.id}>, above 80 points." in done.text
    assert await bot.server.until(lambda: f"I may not mention <@&{role.id}>" in done.text)
    everybody = await bot.ask("papers-admin set", ping=bot.lab.roles[bot.lab.id], above=80)
    assert "I never call everybody" in read(everybody.text)
    assert (await bot.settings(bot.papers)).ping == f"{role.id}@80"
    status = await bot.ask("papers status")
    assert f"<@&{role.id}>, above 80 points" in status.text

    bot.pass_time(minutes=1)
    undone = await bot.ask("papers-admin config undo")
    assert f"ping: off became <@&{role.id}>, above 80 points" in undone.text
    bot.server.overwrite(bot.papers, bot.server.bot, allow=P.MENTION_EVERYONE)
    await bot.known()
    allowed = await bot.ask("papers-admin set", ping=role, above=60)
    await bot.platform._surfaces.drain(5)
    assert "I may not mention" not in allowed.text
    assert bot.server.pinged == []


# Options


def test_sentences_are_written_as_the_commands_are_here(bot: DiscordBot) -> None:
    offered = {
        f"/{command['name']} {path}": {option["name"] for option in sub.get("options", ())}
        for command in bot.server.registered()
        for path, sub in subcommands(command)
    }

    for verb in VERBS:
        command, name, *options = native(verb.usage).split(" ", 2)
        given = set(re.findall(r"(\w+):(?=[^\d])", " ".join(options)))
        assert given <= offered[f"{command} {name}"], native(verb.usage)


@pytest.mark.parametrize(
    ("sentence", "written"),
    [
        ("status", "/papers status"),
        ("settings", "/papers-admin settings"),
        ("config undo", "/papers-admin config undo"),
        ("why 2509.04664", "/papers why paper:2509.04664"),
        ("share 2509.04664", "/papers share paper:2509.04664"),
        ("list page:2", "/papers list page:2"),
        ("list all", "/papers list all:True"),
        ("list [all]", "/papers list [all:True]"),
        ("help [VERB]", "/papers help [topic:VERB]"),
        ("preview days:30", "/papers preview days:30"),
        ('preview days:7 ["new term"]', '/papers preview days:7 [query:"new term"]'),
        ("export bibtex [digest]", "/papers export format:bibtex [scope:digest]"),
        ("pause [until:2027-01-04]", "/papers-admin pause [until:2027-01-04]"),
        ("search cat:cs.CL agents all:yes", "/papers search query:cat:cs.CL agents all:True"),
        ('subscribe author:"Yejin Choi" weight:2',
         '/papers-admin subscribe query:author:"Yejin Choi" weight:2'),
        ('search "tool use" all:yes', '/papers search query:"tool use" all:True'),
        ("expand 3 human feedback", "/papers-admin expand subscription:3 meaning:human feedback"),
        ("export ris digest", "/papers export format:ris scope:digest"),
        ("schedule off", "/papers-admin schedule days:off"),
        ("schedule weekly mon 09:00", "/papers-admin schedule days:weekly mon time:09:00"),
        ("schedule mon,thu 09:00,16:00 Europe/Berlin",
         "/papers-admin schedule days:mon,thu time:09:00,16:00 timezone:Europe/Berlin"),
        ("erase me sure:yes", "/papers erase sure:True"),
        ("unsubscribe all sure:yes", "/papers-admin unsubscribe subscription:all sure:True"),
        ("paperboy check", "paperboy check"),
    ],
)  # fmt: skip
def test_a_sentence_goes_to_its_options(sentence: str, written: str) -> None:
    assert native(sentence) == written


@pytest.mark.parametrize(
    ("verb", "told"), [("set", "ping:@role above:60"), ("config", "on Discord as a file")]
)
async def test_help_tells_what_the_options_here_are(bot: DiscordBot, verb: str, told: str) -> None:
    answered = await bot.ask("papers help", topic=verb)

    assert told in read(answered.text)


async def test_what_asks_first_can_be_told_to_do_it_at_once(bot: DiscordBot) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")

    asked = await bot.ask("papers-admin unsubscribe", subscription="all")
    assert "/papers-admin unsubscribe subscription:all sure:True" in read(asked.text)
    assert len((await bot.settings(bot.papers)).subscriptions) == 1
    await bot.ask("papers-admin unsubscribe", subscription="all", sure=True)
    assert (await bot.settings(bot.papers)).subscriptions == ()
    erased = await bot.ask("papers erase", sure=True)
    assert "Erased" in read(erased.text)
    forgotten = await bot.ask("papers-admin forget", term="all", sure=False)
    assert forgotten.private


@pytest.mark.parametrize(("typed", "kept"), [(" Inference ", "Inference"), ("  ", "")])
async def test_a_label_is_taken_without_the_blanks_around_it(
    bot: DiscordBot, typed: str, kept: str
) -> None:
    forum = bot.server.add_channel(bot.lab, "forum", Kind.FORUM)
    tag = bot.server.add_tag(forum, "Inference")
    at = bot.server.add_thread(forum, "A question", by=bot.bob)
    await bot.known()

    await bot.ask("papers-admin subscribe", at=at, query="graphs", label=typed)
    await bot.world.listed(*TODAYS)
    await bot.ask("papers-admin digest", at=at)

    channel = await bot.settings(forum)
    assert [each.label for each in channel.subscriptions] == [kept]
    (post,) = (thread for thread in bot.server.threads(forum) if thread is not at)
    assert post.applied_tags == ([tag.id] if kept else [])


async def test_options_make_the_same_request_as_words(bot: DiscordBot) -> None:
    await bot.ask(
        "papers-admin subscribe", query="graphs ; diffusion -survey", weight=2.5, label="reading"
    )
    role = bot.server.add_role(bot.lab, "Readers")
    await bot.ask("papers-admin set", strictness="loose", trending=3, ping=role, above=80)

    channel = await bot.settings(bot.papers)
    assert [(f"{s.query}", s.weight, s.label) for s in channel.subscriptions] == [
        ("graphs", 2.5, "reading"),
        ("diffusion -survey", 2.5, "reading"),
    ]
    assert (channel.strictness, channel.trending, channel.ping) == ("loose", 3, f"{role.id}@80")
    await bot.ask("papers-admin set", above=0)
    assert (await bot.settings(bot.papers)).ping == ""
    which = await bot.ask("papers-admin set", above=10)
    assert "Which role" in read(which.text)


async def test_who_asks_in_a_channel_that_i_do_not_see_sees_it(bot: DiscordBot) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")
    bot.server.overwrite(bot.papers, bot.server.bot, deny=P.VIEW_CHANNEL)
    await bot.known()

    listed = await bot.ask("papers list", all=True)
    home = await bot.ask("papers home")

    assert bot.papers.mention in listed.text
    assert bot.papers.mention in home.text


async def test_a_mistake_is_told_with_what_to_write_instead(bot: DiscordBot) -> None:
    told = await bot.ask("papers search", query='cat:cs.Cl "tool')

    assert told.private
    assert "quot" in told.text


@pytest.mark.parametrize(
    ("command", "option", "typed", "expected"),
    [
        ("papers-admin unsubscribe", "subscription", "gra", ["1"]),
        ("papers-admin unmute", "term", "", ["survey"]),
        ("papers search", "query", "agents cat:cs.c", ["agents cat:cs.CC"]),
        ("papers search", "query", "agents", []),
        ("papers why", "paper", "graph net", ["2611.00002"]),
        ("papers show", "paper", "2611.00005", ["2611.00005"]),
        ("papers help", "topic", "sub", ["subscribe"]),
        ("papers-admin schedule", "days", "wee", ["weekdays", "weekly mon"]),
        ("papers-admin schedule", "timezone", "new y", ["America/New_York"]),
        ("papers-admin set", "strictness", "", ["loose", "normal", "strict"]),
        ("papers-admin set", "who", "m", ["members", "managers"]),
        ("papers-admin resend", "key", "", []),
    ],
)
async def test_options_are_completed(
    bot: DiscordBot, command: str, option: str, typed: str, expected: list[str]
) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")
    await bot.ask("papers-admin mute", term="survey")
    await bot.world.listed(*TODAYS)
    await bot.ask("papers-admin digest")
    await bot.ask("papers top")
    await bot.ask("papers search", query="graphs")

    offered = await bot.server.autocomplete(bot.ann, bot.papers, command, option, typed)

    assert [choice["value"] for choice in offered.choices][: len(expected) or 1] == expected


async def test_nobody_is_offered_what_another_was_shown(bot: DiscordBot) -> None:
    await bot.ask("papers save", paper="2611.00002")
    await bot.ask("papers saved")

    for person, expected in ((bot.ann, ["2611.00002"]), (bot.bob, [])):
        offered = await bot.server.autocomplete(person, bot.papers, "papers why", "paper", "graph")
        assert [choice["value"] for choice in offered.choices] == expected


async def test_the_last_digest_is_read_once_a_minute_while_somebody_types(
    bot: DiscordBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at = []
    last = bot.world.ledger.last

    async def noted(ref: ChannelRef) -> Any:
        read_at.append(bot.world.now)
        return await last(ref)

    monkeypatch.setattr(bot.world.ledger, "last", noted)
    for seconds in (0, 30, 31):
        bot.pass_time(seconds=seconds)
        await bot.server.autocomplete(bot.ann, bot.papers, "papers why", "paper", "2")

    assert len(read_at) == 2


async def test_completion_goes_on_with_names_and_keys_that_are_too_long(bot: DiscordBot) -> None:
    long = paper(900, "Graphs " + "and more graphs " * 30)
    await bot.world.listed(long)
    await bot.ask("papers search", query="graphs")

    offered = await bot.server.autocomplete(bot.ann, bot.papers, "papers why", "paper", "graphs")

    assert offered.choices
    assert all(len(choice["name"]) <= 100 for choice in offered.choices)


async def test_who_manages_a_channel_hears_that_its_role_was_deleted(bot: DiscordBot) -> None:
    role = bot.server.add_role(bot.lab, "Readers", mentionable=True)
    await bot.known()
    await bot.ask("papers-admin set", ping=role)
    bot.server.delete_role(bot.lab, role)
    await bot.known()

    done = await bot.ask("papers-admin set", max=7)

    assert await bot.server.until(lambda: "the role was deleted" in done.text)
    off = await bot.ask("papers-admin set", above=0)
    await bot.platform._surfaces.drain(5)
    assert "the role was deleted" not in off.text


async def test_people_are_shown_by_their_names_and_not_by_ids(bot: DiscordBot) -> None:
    ann, eve = bot.ann, bot.server.add_user("eve")
    bot.server.join(bot.lab, eve)

    await bot.ask("papers-admin set", max=5)
    done = await bot.ask("papers-admin set", who=f"{ann.mention}, <@!{eve.id}>")
    refused = await bot.ask("papers like", by=bot.bob, paper="2611.00001")
    undone = await bot.ask("papers-admin config undo")

    assert f"Set who to {ann.mention}, {eve.mention}." in done.text
    assert f"Ask {ann.mention}, {eve.mention}, or somebody with the permission" in refused.text
    assert f"who: members became {ann.mention}, {eve.mention}" in undone.text
    assert bot.server.pinged == []


async def test_the_time_beside_the_channels_zone_is_that_of_the_zone(bot: DiscordBot) -> None:
    await bot.ask("papers-admin schedule", timezone="Asia/Tokyo")

    status = await bot.ask("papers status")

    tokyo = bot.world.now.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{tokyo:%a %-d %b %Y %H:%M} (Asia/Tokyo)" in read(status.text)


@pytest.mark.parametrize("between", [" ", ", ", " , ", "", ";"])
async def test_people_may_be_named_as_discord_writes_them(bot: DiscordBot, between: str) -> None:
    ann, bob = bot.ann, bot.bob

    await bot.ask("papers-admin set", who=f"{ann.mention}{between}{bob.mention} ")

    assert (await bot.settings(bot.papers)).who == f"@{ann.id},@{bob.id}"


async def test_a_refusal_names_who_manages_a_channel_on_discord(bot: DiscordBot) -> None:
    await bot.ask("papers-admin set", who="managers")

    refused = await bot.ask("papers share", by=bot.bob, paper="2611.00001")

    assert "Ask somebody with the permission Manage Channels to do it." in read(refused.text)


@pytest.mark.parametrize(
    ("command", "options", "hint"),
    [
        ("papers export", {"format": "ris", "scope": "digest"}, "/papers-admin digest"),
        ("papers export", {"format": "ris"}, "/papers save paper:2509.04664"),
        ("papers preview", {}, "/papers-admin subscribe"),
        (
            "papers-admin unsubscribe",
            {"subscription": "9"},
            "/papers-admin subscribe query:diffusion",
        ),
        ("papers-admin resend", {"key": "abc"}, "/papers status"),
        ("papers-admin digest", {"top": 3}, "/papers-admin set max:15"),
        ("papers-admin pause", {"until": "7d"}, "/papers-admin pause until:2027-01-04"),
        ("papers-admin pause", {}, "/papers-admin resume"),
        ("papers-admin forget", {"term": "zebra"}, "/papers learned"),
    ],
)
async def test_what_is_to_be_done_instead_is_a_command_of_discord(
    bot: DiscordBot, command: str, options: dict[str, Any], hint: str
) -> None:
    asked = await bot.ask(command, **options)

    assert f"`{hint}`" in asked.text


async def test_nobody_is_offered_a_button_that_they_may_not_press(bot: DiscordBot) -> None:
    def offered(asked: Exchange) -> list[str]:
        return [button["label"] for button in asked.buttons]

    await bot.ask("papers-admin pause")
    assert offered(await bot.ask("papers status")) == ["Resume"]
    assert offered(await bot.ask("papers status", by=bot.bob)) == []
    members = await bot.ask("papers home", by=bot.bob)
    managers = await bot.ask("papers home", by=bot.ann)
    own = await bot.ask("papers home", by=bot.bob, at=bot.server.dm(bot.bob))

    everything = ["Subscribe", "Search papers", "Schedule", "Saved papers", "Help"]
    assert offered(managers) == offered(own) == everything
    assert offered(members) == ["Search papers", "Saved papers", "Help"]


async def test_expand_asks_for_the_number_that_it_takes(bot: DiscordBot) -> None:
    (admin,) = [c for c in bot.server.registered() if c["name"] == "papers-admin"]
    subs = dict(subcommands(admin))

    def described(verb: str) -> list[str]:
        options = subs[verb]["options"]
        return [o["description"] for o in options if o["name"] == "subscription"]

    assert described("expand") == ["its number"]
    assert described("unsubscribe") == ["its number or its text"]


async def test_blanks_around_a_value_say_nothing(bot: DiscordBot) -> None:
    await bot.ask("papers-admin set", strictness=" strict ", who="managers ")

    channel = await bot.settings(bot.papers)
    assert (channel.strictness, channel.who) == ("strict", "managers")


# Forms, buttons, menus, files


async def test_a_form_with_a_mistake_comes_back_as_it_was_filled_in(bot: DiscordBot) -> None:
    opened = await bot.ask("papers-admin subscribe")
    assert opened.modal is not None
    filled = await bot.server.submit(bot.ann, opened.modal, {"query": "graphs", "weight": "heavy"})
    assert "Weight" in read(filled.text)
    assert filled.private
    assert filled.original is not None

    again = await bot.server.click(bot.ann, filled.original, "Correct it")
    assert again.modal is not None
    values = {field["custom_id"]: field.get("value") for field in again.modal.inputs}
    assert values == {"query": "graphs", "weight": "heavy", "label": None}
    done = await bot.server.submit(bot.ann, again.modal, {"weight": "2"})
    assert "Subscribed" in read(done.text)

    fresh = await bot.ask("papers-admin subscribe")
    assert fresh.modal is not None
    assert [field.get("value") for field in fresh.modal.inputs] == [None, "1", None]


@pytest.mark.parametrize("strictness", ["strict", "2.5", "0", "10", "2.123456", "0.00001"])
async def test_a_settings_form_that_is_sent_as_it_came_changes_nothing(
    bot: DiscordBot, strictness: str
) -> None:
    everybody = ",".join(user.mention for user in (bot.ann, bot.bob))
    await bot.ask("papers-admin set", strictness=strictness, layout="cards", who=everybody)
    before = await bot.settings(bot.papers)
    opened = await bot.ask("papers-admin settings")
    assert opened.modal is not None

    done = await bot.server.submit(bot.ann, opened.modal)

    assert "That is how it is set already." in read(done.text)
    assert await bot.settings(bot.papers) == before


async def test_a_form_that_is_opened_anew_shows_what_is_set_now(bot: DiscordBot) -> None:
    opened = await bot.ask("papers-admin settings")
    assert opened.modal is not None
    await bot.server.submit(bot.ann, opened.modal, {"max": "many", "quiet": "post"})
    await bot.ask("papers-admin set", quiet="silent", max=4)

    anew = await bot.ask("papers-admin settings")
    assert anew.modal is not None
    done = await bot.server.submit(bot.ann, anew.modal)

    assert "That is how it is set already." in read(done.text)
    channel = await bot.settings(bot.papers)
    assert (channel.quiet, channel.max) == ("silent", 4)


@pytest.mark.parametrize("form", ["schedule", "settings", "subscribe"])
async def test_who_manages_the_channel_no_more_has_nothing_to_correct_in_a_form(
    bot: DiscordBot, form: str
) -> None:
    opened = await bot.ask(f"papers-admin {form}")
    assert opened.modal is not None
    bot.server.set_roles(bot.lab, bot.ann)

    values = {"query": "graphs"} if form == "subscribe" else {}
    refused = await bot.server.submit(bot.ann, opened.modal, values)

    assert "takes the permission Manage Channels" in read(refused.text)
    assert refused.buttons == []
    assert await bot.world.store.get(bot.ref(bot.papers)) is None


async def test_who_manages_nothing_gets_a_form_back_as_it_was_filled_in_too(
    bot: DiscordBot,
) -> None:
    opened = await bot.ask("papers search", by=bot.bob)
    assert opened.modal is not None
    filled = await bot.server.submit(bot.bob, opened.modal, {"query": "a|b c", "sort": "new"})
    assert filled.original is not None

    again = await bot.server.click(bot.bob, filled.original, "Correct it")

    assert again.modal is not None
    fields = {field["custom_id"]: field for field in again.modal.inputs}
    assert fields["query"].get("value") == "a|b c"
    chosen = [each["value"] for each in fields["sort"]["options"] if each.get("default")]
    assert chosen == ["new"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"timezone": "Asia/Tokyo"}, "mon,thu 17:30 Asia/Tokyo"),
        ({"time": "08:00"}, "mon,thu 08:00 Europe/Berlin"),
        ({"days": "monthly 1"}, "monthly 1 17:30 Europe/Berlin"),
        ({"days": "daily 9am"}, "daily 09:00 Europe/Berlin"),
        ({"days": "off"}, "off"),
    ],
)
async def test_what_is_not_given_of_a_schedule_stays(
    bot: DiscordBot, options: dict[str, Any], expected: str
) -> None:
    await bot.ask("papers-admin schedule", days="mon,thu", time="17:30", timezone="Europe/Berlin")

    await bot.ask("papers-admin schedule", **options)

    assert str((await bot.settings(bot.papers)).schedule) == expected


async def test_a_schedule_begins_with_a_part_of_it(bot: DiscordBot) -> None:
    await bot.ask("papers-admin schedule", timezone="Asia/Tokyo")
    assert str((await bot.settings(bot.papers)).schedule) == "weekdays 09:00 Asia/Tokyo"

    await bot.ask("papers-admin schedule", days="off")
    await bot.ask("papers-admin schedule", time="07:00")
    assert str((await bot.settings(bot.papers)).schedule) == "weekdays 07:00 Asia/Tokyo"


async def test_a_schedule_is_chosen_in_a_form(bot: DiscordBot) -> None:
    opened = await bot.ask("papers-admin schedule")
    assert opened.modal is not None

    done = await bot.server.submit(
        bot.ann, opened.modal, {"days": ["mon", "thu"], "time": "17:30", "zone": "Berlin"}
    )

    assert "mon,thu 17:30 Europe/Berlin" in read(done.text)
    wrong = await bot.ask("papers-admin schedule")
    assert wrong.modal is not None
    told = await bot.server.submit(bot.ann, wrong.modal, {"zone": "Nowhere"})
    assert "Time zone" in read(told.text)


async def test_a_form_of_somebody_who_lost_the_right_changes_nothing(bot: DiscordBot) -> None:
    opened = await bot.ask("papers-admin settings")
    assert opened.modal is not None
    bot.server.set_roles(bot.lab, bot.ann)

    told = await bot.server.submit(bot.ann, opened.modal, {"max": "3"})

    assert "takes the permission Manage Channels" in read(told.text)
    assert await bot.world.store.get(bot.ref(bot.papers)) is None


async def test_buttons_and_menus_of_an_earlier_process_work(bot: DiscordBot) -> None:
    await bot.ask("papers-admin subscribe", query="graphs ; decoding")
    await bot.world.listed(*TODAYS)
    await bot.ask("papers-admin digest")
    (post,) = bot.server.messages(bot.papers)
    opened = await bot.ask("papers-admin settings")
    assert opened.modal is not None

    bot.server.gateway.pace = 0.0
    await bot.platform.aclose()
    again = type(bot.platform)(
        token=bot.server.token, api_url=bot.server.api_url, gateway_url=bot.server.gateway_url,
        server=None, clock=lambda: bot.world.now, sleep=bot.platform._sleep,
        load_hash=bot.hash.load, save_hash=bot.hash.save, ready_timeout=0.05,
    )  # fmt: skip
    bot.platform = again
    await bot.start()
    try:
        saved = await bot.server.click(bot.bob, post, "Save")
        assert "Saved" in read(saved.text)
        menu, *_ = [c for c in walk(post.components) if c["type"] == 3]
        why = next(o["value"] for o in menu["options"] if o["value"].startswith("why"))
        explained = await bot.server.select(bot.bob, post, menu["custom_id"], why)
        assert "points" in read(explained.text)
        done = await bot.server.submit(bot.ann, opened.modal, {"max": "3"})
        assert "max" in read(done.text)
    finally:
        await again.aclose()


async def test_the_menu_of_a_message_tells_about_its_papers(bot: DiscordBot) -> None:
    one = bot.server.write(bot.bob, bot.papers, "Seen this? <https://arxiv.org/abs/2611.00001v2>!")
    two = bot.server.write(
        bot.bob, bot.papers, "[this](https://arxiv.org/pdf/2611.00002) and arXiv:2611.00003"
    )
    none = bot.server.write(bot.bob, bot.papers, "Lunch? https://example.org/menu")
    about = "About this paper"

    told = await bot.server.message_menu(bot.bob, one, about)
    assert "Speculative decoding for long contexts" in read(told.text)
    told = await bot.server.message_menu(bot.bob, two, about)
    assert "Graph networks for molecules" in read(told.text)
    assert "A survey of tool use" in read(told.text)
    told = await bot.server.message_menu(bot.bob, none, about)
    assert "This message names no paper" in told.text
    assert told.private


async def test_the_menu_knows_the_papers_of_a_digest(bot: DiscordBot) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")
    await bot.world.listed(*TODAYS)
    await bot.ask("papers-admin digest")
    (post,) = bot.server.messages(bot.papers)

    told = await bot.server.message_menu(bot.bob, post, "About this paper")

    assert "Graph transformers" in read(told.text)


async def test_an_export_is_a_file(bot: DiscordBot) -> None:
    await bot.ask("papers save", by=bot.bob, paper="2611.00001")

    exported = await bot.ask("papers export", by=bot.bob, format="bibtex")

    (content,) = exported.files_sent
    assert b"Speculative decoding" in content
    assert exported.private


async def test_a_file_that_is_too_large_for_discord_is_told(
    bot: DiscordBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.discord_rules.LARGEST_FILE", 100)
    await bot.ask("papers save", by=bot.bob, paper="2611.00001")

    exported = await bot.ask("papers export", by=bot.bob, format="bibtex")

    assert "Discord takes 100 in one file here" in read(exported.text)
    assert exported.files_sent == []


async def test_settings_go_out_and_come_back_as_a_file(bot: DiscordBot) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")
    exported = await bot.ask("papers-admin config export")
    (content,) = exported.files_sent
    other = bot.server.add_channel(bot.lab, "other")
    await bot.known()

    taken = await bot.ask("papers-admin config import", at=other, file=File("a.json", content))

    assert "Settings taken over" in read(taken.text)
    assert len((await bot.settings(other)).subscriptions) == 1
    bot.pass_time(seconds=10)
    wrong = await bot.ask("papers-admin config import", at=other, file=File("a.json", b"\xff\xfe"))
    assert "That file holds no settings" in wrong.text
    for content in (b"[1]", b"", b"{", b"[" * 100_000):
        bot.pass_time(seconds=10)
        wrong = await bot.ask("papers-admin config import", at=other, file=File("a.json", content))
        assert "That file holds no settings" in wrong.text
        assert "Take the one that `/papers-admin config export` gives." in wrong.text
    large = await bot.ask(
        "papers-admin config import", at=other, file=File("a.json", b" " * 300_000)
    )
    assert "That file holds no settings" in large.text


async def test_settings_that_an_editor_of_windows_wrote_come_back_too(bot: DiscordBot) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")
    exported = await bot.ask("papers-admin config export")
    (content,) = exported.files_sent
    other = bot.server.add_channel(bot.lab, "other")
    await bot.known()

    marked = File("a.json", b"\xef\xbb\xbf" + content)
    taken = await bot.ask("papers-admin config import", at=other, file=marked)

    assert "Settings taken over" in read(taken.text)


async def test_a_command_that_discord_still_has_and_we_do_not_is_explained(
    bot: DiscordBot,
) -> None:
    (papers,) = [c for c in bot.server.commands[""].values() if c["name"] == "papers"]
    papers["options"].append({"type": 1, "name": "vanished", "description": "…", "options": []})

    told = await bot.ask("papers vanished")

    assert "This command is not what it was" in told.text


async def test_a_surprise_is_an_apology_with_a_place_in_the_log(
    bot: DiscordBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bot.world.answers, "answer", broken)

    told = await bot.ask("papers status")

    assert "Something went wrong here" in told.text
    assert any("an interaction failed" in message for message in caplog.messages)


async def test_who_may_not_see_a_channel_is_not_offered_its_commands(bot: DiscordBot) -> None:
    with pytest.raises(CannotDo):
        await bot.ask("papers-admin subscribe", by=bot.bob, query="graphs")
