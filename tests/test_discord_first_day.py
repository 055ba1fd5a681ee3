"""Discord, from the invitation to the day on which the bot is removed again."""

from __future__ import annotations

from tests.discord_bot import PAPERS, TODAYS, discord_bot, read
from tests.discord_server import P


async def test_a_server_from_the_invitation_to_the_goodbye() -> None:
    async with discord_bot() as bot:
        server, world = bot.server, bot.world
        await world.listed(*PAPERS)

        # What people are offered, and help
        assert [c["name"] for c in server.available(bot.bob, bot.papers)] == [
            "About this paper",
            "papers",
        ]
        helped = await bot.ask("papers help", by=bot.bob)
        assert "search" in helped.text
        assert helped.private

        # Ann subscribes with a form
        opened = await bot.ask("papers-admin subscribe")
        assert opened.modal is not None
        wanted = {"query": '"speculative decoding"', "label": "speed"}
        filled = await server.submit(bot.ann, opened.modal, wanted)
        assert 'Subscribed: 1 "speculative decoding"' in read(filled.text)
        assert "Speculative decoding for long contexts" in read(filled.text)
        assert filled.private
        assert (await bot.settings(bot.papers)).owner == bot.ann.id

        # A preview, and a schedule in her zone
        previewed = await bot.ask("papers preview", by=bot.bob, query="graphs")
        assert "Graph networks for molecules" in read(previewed.text)
        offered = await server.autocomplete(
            bot.ann, bot.papers, "papers-admin schedule", "timezone", "berl"
        )
        assert offered.choices[0]["value"] == "Europe/Berlin"
        scheduled = await bot.ask(
            "papers-admin schedule", days="weekdays", time="10:45", timezone="Europe/Berlin"
        )
        assert "weekdays 10:45 Europe/Berlin" in read(scheduled.text)

        # The digest comes, once
        await world.listed(*TODAYS)
        bot.pass_time(minutes=16)
        await bot.deliver()
        (digest,) = server.messages(bot.papers)
        assert "Speculative decoding at the edge" in read(digest.text())
        assert "Graph transformers" not in digest.text()
        assert server.pinged == []
        await bot.deliver()
        assert len(server.messages(bot.papers)) == 1

        # Bob presses its buttons
        saved = await server.click(bot.bob, digest, "Save")
        assert "Saved" in read(saved.text)
        assert saved.private
        why = await bot.ask("papers why", by=bot.bob, paper="2611.00004")
        assert "Posted here on" in read(why.text)
        listed = await bot.ask("papers saved", by=bot.bob)
        assert "Speculative decoding at the edge" in read(listed.text)

        # Ann changes a setting with a form, and takes it back
        opened = await bot.ask("papers-admin settings")
        assert opened.modal is not None
        await server.submit(bot.ann, opened.modal, {"max": "3"})
        assert (await bot.settings(bot.papers)).max == 3
        undone = await bot.ask("papers-admin config undo")
        assert "max" in read(undone.text)
        assert (await bot.settings(bot.papers)).max == 10

        # It is removed, and its owner is told; later it is there again
        server.kick(bot.lab)
        await bot.known()
        assert await world.ledger.gone(bot.ref(bot.papers)) is not None
        bot.pass_time(days=1)
        assert await world.people.departed(world.now) == [("discord", bot.lab.id)]
        server.invite(bot.lab)
        await bot.known()
        resumed = await bot.ask("papers-admin resume")
        assert "I post here again" in read(resumed.text)
        assert await world.people.departed(world.now) == []
        assert server.dislikes == []


async def test_in_direct_messages_a_person_has_a_channel_of_their_own() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        own = bot.server.dm(bot.bob)

        done = await bot.ask("papers-admin subscribe", by=bot.bob, at=own, query="graphs")
        assert "Subscribed" in read(done.text)
        assert (await bot.settings(bot.bob)).owner == bot.bob.id
        await bot.world.listed(*TODAYS)
        posted = await bot.ask("papers-admin digest", by=bot.bob, at=own)
        assert "Posted" in read(posted.text)

        (digest,) = [m for m in bot.server.messages(own) if m.interaction is None]
        assert "Graph transformers" in read(digest.text())
        assert bot.server.dislikes == []


async def test_a_channel_that_is_deleted_is_closed_and_its_owner_told() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        await bot.ask("papers-admin subscribe", query="graphs")
        other = bot.server.add_channel(bot.lab, "other")

        bot.server.delete_channel(other)
        bot.server.delete_channel(bot.papers)
        await bot.known()

        closure = await bot.world.ledger.gone(bot.ref(bot.papers))
        assert closure is not None
        assert closure.reason == "the channel was deleted"
        (told,) = bot.server.messages(bot.server.dm(bot.ann))
        assert "the channel was deleted" in told.text()
        assert await bot.world.ledger.gone(bot.ref(other)) is None


async def test_a_channel_that_becomes_private_is_left_with_a_word_to_its_owner() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        await bot.ask("papers-admin subscribe", query="graphs")
        await bot.ask("papers-admin schedule", days="daily", time="09:45", timezone="UTC")
        await bot.world.listed(*TODAYS)
        bot.server.overwrite(bot.papers, bot.lab.roles[bot.lab.id], deny=P.VIEW_CHANNEL)
        await bot.known()

        bot.pass_time(minutes=16)
        await bot.deliver()
        await bot.deliver()

        (told,) = bot.server.messages(bot.server.dm(bot.ann))
        assert "I lack the permission View Channel there" in told.text()
        sent = bot.server.sent("POST /channels/{channel_id}/messages")
        assert {each.params["channel_id"] for each in sent} == {bot.server.dm(bot.ann).id}
        assert bot.server.dislikes == []


async def test_the_menu_of_a_message_works_in_direct_messages_too() -> None:
    async with discord_bot() as bot:
        await bot.world.listed(*PAPERS)
        own = bot.server.dm(bot.bob)
        sent = bot.server.write(bot.bob, own, "https://arxiv.org/abs/2611.00002")

        told = await bot.server.message_menu(bot.bob, sent, "About this paper")

        assert "Graph networks for molecules" in read(told.text)
