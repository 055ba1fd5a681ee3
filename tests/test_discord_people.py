"""What people do in the local Discord, with discord.py's command tree and views to answer them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest

from tests import discord_fixtures as fixtures
from tests.discord_server import (
    Callback,
    CannotDo,
    Channel,
    DiscordServer,
    Fault,
    File,
    Guild,
    Kind,
    Message,
    P,
    Rates,
    User,
)
from tests.discord_small_bot import Bot, Buttons, running, serving

lab, papers = fixtures.lab, fixtures.papers


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with serving(monkeypatch, rates=Rates.generous()) as server:
        yield server
        assert server.dislikes == []
        assert server.pinged == []


@pytest.fixture
def ann(server: DiscordServer, lab: Guild) -> User:
    user = server.add_user("ann", locale="de")
    server.join(lab, user, nick="Ann")
    return user


@pytest.fixture
async def bot(server: DiscordServer, papers: Channel) -> AsyncIterator[Bot]:
    async with running(server) as bot:
        yield bot


@pytest.fixture
async def post(server: DiscordServer, papers: Channel, bot: Bot) -> Message:
    """A message with all kinds of components, for everybody."""
    channel = bot.get_channel(int(papers.id))
    assert isinstance(channel, discord.TextChannel)
    await channel.send("a post", view=Buttons())
    return server.messages(papers)[-1]


async def test_a_slash_command_is_deferred_and_answered(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    asked = await server.slash(ann, papers, "papers search", query="agents", limit=5)

    assert asked.callback is Callback.DEFER
    assert asked.answered_after is not None
    assert asked.answered_after < 3
    assert asked.original is not None
    assert asked.original.content == "agents 5 - -"
    assert asked.private
    assert [button["label"] for button in asked.buttons] == ["Form", "Private", "Change"]
    assert server.messages(papers) == []


async def test_every_kind_of_option_arrives(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    asked = await server.slash(
        ann, papers, "papers search",
        query="agents", where=papers, who=ann, list_file=File("list.txt", b"what it holds"),
    )  # fmt: skip

    assert "agents 3 papers ann what it holds" in asked.text


async def test_the_payload_says_who_asks_and_where(
    server: DiscordServer, lab: Guild, papers: Channel, ann: User, bot: Bot
) -> None:
    server.overwrite(papers, ann, deny=P.ATTACH_FILES)
    await server.slash(ann, papers, "papers search", query="agents")
    (interaction,) = bot.told("interaction")

    assert isinstance(interaction.user, discord.Member)
    assert interaction.user.display_name == "Ann"
    assert not interaction.permissions.attach_files
    assert interaction.app_permissions.attach_files
    assert interaction.locale is discord.Locale.german
    assert interaction.guild_locale is discord.Locale.american_english
    assert interaction.context.guild
    assert interaction.is_guild_integration()


async def test_in_direct_messages_there_is_no_server(
    server: DiscordServer, ann: User, bot: Bot
) -> None:
    asked = await server.slash(ann, server.dm(ann), "papers search", query="agents")
    (interaction,) = bot.told("interaction")

    assert "agents" in asked.text
    assert interaction.guild is None
    assert isinstance(interaction.user, discord.User)
    assert interaction.context.dm_channel
    clicked = await server.click(ann, asked.messages[0], "Private")
    assert clicked.text == "only you"


async def test_follow_ups_and_files_are_seen(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    asked = await server.slash(ann, papers, "papers twice")
    assert await server.until(lambda: asked.followups)

    assert asked.text == "once\ntwice"
    assert not asked.private
    assert asked.files_sent == [b"abc"]
    assert [m.content for m in server.messages(papers)] == ["once", "twice"]
    assert asked.messages[0].attachments[0]["filename"] == "a.txt"


async def test_a_first_follow_up_fills_the_waiting_message(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    asked = await server.slash(ann, papers, "papers late")

    assert asked.text == "at last"
    assert asked.followups == []
    assert asked.private  # as the deferral said; the follow-up did not


async def test_silence_is_noticed(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    server.patience = 0.05
    asked = await server.slash(ann, papers, "papers silence")

    assert asked.callback is None
    assert not asked.settled
    with pytest.raises(AssertionError, match="did not respond"):
        _ = asked.text


async def test_completion(server: DiscordServer, papers: Channel, ann: User, bot: Bot) -> None:
    asked = await server.autocomplete(ann, papers, "papers search", "query", "ag", limit=2)

    assert asked.choices == [{"name": "ag!", "value": "ag"}]
    with pytest.raises(CannotDo, match="not completed"):
        await server.autocomplete(ann, papers, "papers search", "limit", "2")


async def test_buttons_menus_and_changes_of_the_message(
    server: DiscordServer, ann: User, post: Message
) -> None:
    private = await server.click(ann, post, "private")
    chosen = await server.select(ann, post, "Which", "One")
    assert (private.text, chosen.text) == ("only you", "chose 1")
    assert private.private
    changed = await server.click(ann, post, "Change")

    assert changed.callback is Callback.UPDATE
    assert changed.messages == []
    assert post.content == "changed"


async def test_menus_of_people_roles_and_channels(
    server: DiscordServer, lab: Guild, papers: Channel, ann: User, bot: Bot
) -> None:
    class Menus(discord.ui.View):
        @discord.ui.select(cls=discord.ui.UserSelect, placeholder="Who", max_values=2)
        async def who(self, interaction: discord.Interaction, menu: Any) -> None:
            names = sorted(user.name for user in menu.values)
            await interaction.response.send_message(" ".join(names), ephemeral=True)

        @discord.ui.select(cls=discord.ui.ChannelSelect, placeholder="Where")
        async def where(self, interaction: discord.Interaction, menu: Any) -> None:
            await interaction.response.send_message(menu.values[0].name, ephemeral=True)

        @discord.ui.select(cls=discord.ui.RoleSelect, placeholder="Role")
        async def role(self, interaction: discord.Interaction, menu: Any) -> None:
            await interaction.response.send_message(menu.values[0].name, ephemeral=True)

        @discord.ui.button(label="Off", disabled=True)
        async def off(self, interaction: discord.Interaction, _: Any) -> None: ...

    channel = bot.get_channel(int(papers.id))
    assert isinstance(channel, discord.TextChannel)
    view = Menus()
    view.add_item(discord.ui.Button(label="Link", url="https://arxiv.org"))
    await channel.send("choose", view=view)
    post = server.messages(papers)[-1]
    readers = server.add_role(lab, "readers")

    assert (await server.select(ann, post, "Who", ann, lab.owner)).text == "ann owner of Lab"
    assert (await server.select(ann, post, "Where", papers)).text == "papers"
    assert (await server.select(ann, post, "Role", readers)).text == "readers"
    with pytest.raises(CannotDo, match="between 1 and 1"):
        await server.select(ann, post, "Role", readers, readers)
    with pytest.raises(CannotDo, match="no option"):
        await server.select(ann, post, "Role", "nobody")
    with pytest.raises(CannotDo, match="greyed out"):
        await server.click(ann, post, "Off")
    with pytest.raises(CannotDo, match="is a link"):
        await server.click(ann, post, "Link")


async def test_a_form_is_opened_and_sent(server: DiscordServer, ann: User, post: Message) -> None:
    opened = await server.click(ann, post, "Form")
    assert opened.modal is not None
    assert opened.modal.title == "A form"
    assert [field["label"] for field in opened.modal.inputs] == ["Name", "Note"]

    sent = await server.submit(ann, opened.modal, {"Name": "bob"})
    assert sent.text == "bob, none"
    with pytest.raises(CannotDo, match="closed"):
        await server.submit(ann, opened.modal, {"name": "eve", "note": "!"})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "must be filled in"),
        ({"name": "x"}, "1 characters"),
        ({"name": "123456"}, "6 characters"),
        ({"name": "bob", "other": "x"}, "has no other"),
    ],
)
async def test_a_form_checks_what_is_typed(
    server: DiscordServer, ann: User, post: Message, values: dict[str, str], said: str
) -> None:
    opened = await server.click(ann, post, "Form")
    assert opened.modal is not None
    with pytest.raises(CannotDo, match=said):
        await server.submit(ann, opened.modal, values)


async def test_a_form_is_before_one_person(
    server: DiscordServer, lab: Guild, ann: User, post: Message
) -> None:
    opened = await server.click(ann, post, "Form")
    assert opened.modal is not None
    with pytest.raises(CannotDo, match="before ann"):
        await server.submit(lab.owner, opened.modal, {"name": "bob"})


async def test_labelled_fields_of_a_form_are_filled_in(
    server: DiscordServer, papers: Channel, ann: User, post: Message, bot: Bot
) -> None:
    class Labelled(discord.ui.Modal, title="Labels"):
        text: discord.ui.Label[Any] = discord.ui.Label(
            text="Words", component=discord.ui.TextInput(custom_id="words")
        )
        menu: discord.ui.Label[Any] = discord.ui.Label(
            text="How",
            component=discord.ui.Select(
                custom_id="how",
                max_values=2,
                options=[
                    discord.SelectOption(label="Loose", value="loose", default=True),
                    discord.SelectOption(label="Strict", value="strict"),
                ],
            ),
        )

        async def on_submit(self, interaction: discord.Interaction) -> None:
            words, how = self.text.component, self.menu.component
            assert isinstance(words, discord.ui.TextInput)
            assert isinstance(how, discord.ui.Select)
            await interaction.response.send_message(f"{words.value} {how.values}", ephemeral=True)

    @bot.tree.command(name="labels", description="A form")
    async def labels(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Labelled())

    await bot.tree.sync()
    opened = await server.slash(ann, papers, "labels")
    assert opened.modal is not None
    assert [field["label"] for field in opened.modal.inputs] == ["Words", "How"]
    as_it_stands = await server.submit(ann, opened.modal, {"Words": "x"})
    opened = await server.slash(ann, papers, "labels")
    assert opened.modal is not None
    both = await server.submit(ann, opened.modal, {"words": "y", "How": ["Loose", "strict"]})

    assert as_it_stands.text == "x ['loose']"
    assert both.text == "y ['loose', 'strict']"


async def test_a_message_menu_carries_the_message(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    message = server.write(ann, papers, "arxiv.org/abs/2509.04664")
    asked = await server.message_menu(ann, message, "About this paper")
    assert asked.text == "about arxiv.org/abs/2509.04664"


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("paper", {}, "not offered"),
        ("papers", {}, "must follow"),
        ("papers find", {}, "no 'find'"),
        ("papers search", {}, "requires query"),
        ("papers search", {"query": "x"}, "too few"),
        ("papers search", {"query": "x" * 21}, "too many"),
        ("papers search", {"query": "ab", "limit": 11}, "not between"),
        ("papers search", {"query": "ab", "limit": "2"}, "takes a number"),
        ("papers search", {"query": "ab", "where": "papers"}, "another kind"),
        ("papers search", {"query": "ab", "sort": "new"}, "no option sort"),
        ("papers-admin", {}, "not offered"),
    ],
)
async def test_the_client_refuses_what_the_command_does_not_allow(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot,
    command: str, options: dict[str, Any], said: str,
) -> None:  # fmt: skip
    with pytest.raises(CannotDo, match=said):
        await server.slash(ann, papers, command, **options)
    assert bot.told("interaction") == []


async def test_commands_are_offered_by_permission_and_place(
    server: DiscordServer, lab: Guild, papers: Channel, ann: User, bot: Bot
) -> None:
    def offered(channel: Channel) -> set[str]:
        return {command["name"] for command in server.available(ann, channel)}

    everybody = {"papers", "About this paper"}
    assert offered(papers) == everybody
    assert offered(server.dm(ann)) == everybody
    managers = server.add_role(lab, "managers", P.MANAGE_CHANNELS)
    server.set_roles(lab, ann, managers)
    assert offered(papers) == everybody | {"papers-admin"}
    assert (await server.slash(ann, papers, "papers-admin")).text == "managed"
    server.overwrite(papers, ann, deny=P.USE_APPLICATION_COMMANDS)
    assert offered(papers) == set()


async def test_people_cannot_use_what_they_do_not_see(
    server: DiscordServer, lab: Guild, papers: Channel, ann: User, post: Message, bot: Bot
) -> None:
    bob = server.add_user("bob")
    server.join(lab, bob)
    private = await server.click(ann, post, "Private")
    with pytest.raises(CannotDo, match="bob does not see"):
        await server.click(bob, private.messages[0], "More")
    with pytest.raises(CannotDo, match="no 'More'"):
        await server.click(ann, post, "More")
    forum = server.add_channel(lab, "forum", Kind.FORUM)
    with pytest.raises(CannotDo, match="nowhere to type"):
        await server.slash(ann, forum, "papers twice")
    server.overwrite(papers, bob, deny=P.VIEW_CHANNEL)
    with pytest.raises(CannotDo, match="bob does not see"):
        await server.click(bob, post, "Private")
    thread = server.add_thread(papers, "old", by=ann)
    server.change_channel(thread, archived=True)
    with pytest.raises(CannotDo, match="archived"):
        await server.slash(ann, thread, "papers twice")


async def test_a_lost_first_answer_leaves_the_person_with_it_and_the_bot_without(
    server: DiscordServer, papers: Channel, ann: User, bot: Bot
) -> None:
    route = "POST /interactions/{interaction_id}/{interaction_token}/callback"
    server.fault(route, Fault.reset(after_effect=True))
    server.patience = 0.2
    asked = await server.slash(ann, papers, "papers search", query="agents")

    assert asked.thinking  # discord.py raised in defer(), and the command ended
    assert [request.status for request in server.sent(route)] == [0]
