"""Messages, mentions, permissions, threads and forums of the local Discord, asked by discord.py."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import discord
import pytest
from discord.http import Route

from tests import discord_fixtures as fixtures
from tests.discord_server import Channel, DiscordServer, Guild, Kind, P, User
from tests.discord_small_bot import Hands, code_of, text

clock, server, lab = fixtures.clock, fixtures.server, fixtures.lab
papers, ann, client = fixtures.papers, fixtures.ann, fixtures.client


async def test_a_message_is_posted_read_edited_and_deleted(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    sent = await channel.send(" hello ", embed=discord.Embed(title="t", description=" d "))
    assert (sent.content, sent.embeds[0].description) == ("hello", "d")
    await sent.edit(content="bye", embed=None)
    read = await channel.fetch_message(sent.id)
    assert (read.content, read.embeds, bool(read.edited_at)) == ("bye", [], True)
    await sent.delete()

    assert server.messages(papers) == []
    assert await code_of(channel.fetch_message(sent.id)) == (404, 10008)
    assert await code_of(sent.edit(content="x")) == (404, 10008)


async def test_the_history_is_read_in_pages(client: discord.Client, papers: Channel) -> None:
    channel = await text(client, papers)
    ids = [(await channel.send(str(i))).id for i in range(5)]

    async def found(**options: Any) -> list[int]:
        return [ids.index(message.id) async for message in channel.history(**options)]

    def of(number: int) -> discord.Object:
        return discord.Object(ids[number])

    assert await found() == [4, 3, 2, 1, 0]
    assert await found(limit=2) == [4, 3]
    assert await found(before=of(3), limit=2) == [2, 1]
    assert await found(after=of(1), limit=2) == [2, 3]
    assert await found(around=of(2), limit=3) == [3, 2, 1]
    route = Route("GET", "/channels/{channel_id}/messages", channel_id=papers.id)
    for limit in (0, 101):
        assert await code_of(client.http.request(route, params={"limit": limit})) == (400, 50035)


async def test_files_are_stored_and_can_be_fetched(client: discord.Client, papers: Channel) -> None:
    channel = await text(client, papers)
    file = discord.File(io.BytesIO(b"data"), "list.bib", description="a list")
    sent = await channel.send("here", file=file)
    (attachment,) = sent.attachments
    assert (attachment.filename, attachment.description) == ("list.bib", "a list")
    assert await attachment.read() == b"data"
    more = discord.File(io.BytesIO(b"more"), "more.bib")
    edited = await sent.edit(attachments=[attachment, more])
    assert [a.filename for a in edited.attachments] == ["list.bib", "more.bib"]
    edited = await edited.edit(attachments=[])
    assert edited.attachments == []


async def test_a_file_has_ten_mebibytes_at_most(client: discord.Client, papers: Channel) -> None:
    channel = await text(client, papers)
    await channel.send(file=discord.File(io.BytesIO(b"x" * (10 << 20)), "a"))
    big = discord.File(io.BytesIO(b"x" * ((10 << 20) + 1)), "a")
    assert await code_of(channel.send(file=big)) == (413, 40005)


async def test_a_nonce_posts_once_for_some_minutes(
    server: DiscordServer, client: discord.Client, papers: Channel, clock: Hands
) -> None:
    channel = await text(client, papers)
    first = await channel.send("one", nonce="key")
    again = await channel.send("two", nonce="key")
    assert (again.id, again.content) == (first.id, "one")
    assert (await channel.fetch_message(first.id)).nonce is None
    server.delete_message(server.messages(papers)[0])
    assert await code_of(channel.send("three", nonce="key")) == (404, 10008)
    clock.move(minutes=6)
    later = await channel.send("four", nonce="key")
    assert later.id != first.id
    assert [message.content for message in server.messages(papers)] == ["four"]


async def test_a_nonce_is_one_per_author_not_per_channel(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel
) -> None:
    other = server.add_channel(lab, "other")
    await (await text(client, papers)).send("one", nonce="key")
    await (await text(client, other)).send("two", nonce="key")
    assert server.messages(other) == []


async def test_only_own_messages_are_edited_and_others_deleted_by_moderators(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel, ann: User
) -> None:
    written = server.write(ann, papers, "mine")
    message = (await text(client, papers)).get_partial_message(int(written.id))
    assert await code_of(message.edit(content="x")) == (403, 50005)
    assert await code_of(message.delete()) == (403, 50013)
    server.overwrite(papers, server.bot, allow=P.MANAGE_MESSAGES)
    await message.delete()
    assert written.deleted


async def test_replies_name_a_message_and_ping_only_where_allowed(
    server: DiscordServer, client: discord.Client, papers: Channel, ann: User
) -> None:
    channel = await text(client, papers)
    question = channel.get_partial_message(int(server.write(ann, papers, "?").id))
    quiet = await channel.send("!", reference=question, mention_author=False)
    assert quiet.type is discord.MessageType.reply
    assert server.pinged == []
    await channel.send("!", reference=question, mention_author=True)
    assert [set(ping.users) for ping in server.pinged] == [{ann.id}]
    server.delete_message(server.messages(papers)[0])
    assert await code_of(channel.send("!", reference=question)) == (400, 50035)
    loose = question.to_reference(fail_if_not_exists=False)
    assert (await channel.send("!", reference=loose)).type is discord.MessageType.default


async def test_reactions_and_announcements(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel
) -> None:
    sent = await (await text(client, papers)).send("text")
    await sent.add_reaction("\N{EYES}")
    read = await sent.fetch()
    assert [(str(r.emoji), r.count) for r in read.reactions] == [("\N{EYES}", 1)]
    assert client.user is not None
    await sent.remove_reaction("\N{EYES}", client.user)
    assert await code_of(sent.publish()) == (400, 50024)
    news = server.add_channel(lab, "news", Kind.ANNOUNCEMENT)
    told = await (await text(client, news)).send("news")
    await told.publish()
    assert (await told.fetch()).flags.crossposted
    thread = await told.create_thread(name="on it")
    assert thread.is_news()


# Who is pinged


@pytest.mark.parametrize(
    ("said", "allowed", "pinged"),
    [
        ("{ann} {readers} @everyone", discord.AllowedMentions.none(), False),
        ("{ann}", discord.AllowedMentions(users=True), True),
        ("{readers}", discord.AllowedMentions(roles=True), True),
        ("@everyone", discord.AllowedMentions.all(), False),  # the bot may not
        ("@\u200beveryone <@1> <@&2>", discord.AllowedMentions.all(), False),
        ("plain", discord.AllowedMentions.all(), False),
    ],
)
async def test_who_is_pinged_depends_on_allowed_mentions(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel, ann: User,
    said: str, allowed: discord.AllowedMentions, pinged: bool,
) -> None:  # fmt: skip
    readers = server.add_role(lab, "readers", mentionable=True)
    channel = await text(client, papers)
    content = said.format(ann=ann.mention, readers=readers.mention)
    await channel.send(content, allowed_mentions=allowed)
    assert bool(server.pinged) is pinged


async def test_everyone_and_closed_roles_need_a_permission(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel
) -> None:
    closed = server.add_role(lab, "closed")
    channel, everything = await text(client, papers), discord.AllowedMentions.all()
    await channel.send(f"@here {closed.mention}", allowed_mentions=everything)
    assert server.pinged == []
    server.overwrite(papers, server.bot, allow=P.MENTION_EVERYONE)
    await channel.send(f"@here {closed.mention}", allowed_mentions=everything)
    (ping,) = server.pinged
    assert (ping.everyone, set(ping.roles)) == (True, {closed.id})


async def test_embeds_and_edits_ping_nobody(
    server: DiscordServer, client: discord.Client, papers: Channel, ann: User
) -> None:
    channel, everything = await text(client, papers), discord.AllowedMentions.all()
    embed = discord.Embed(title=ann.mention, description=ann.mention)
    sent = await channel.send(embed=embed, allowed_mentions=everything)
    await sent.edit(content=ann.mention, allowed_mentions=everything)
    assert server.pinged == []


async def test_without_allowed_mentions_everybody_named_is_pinged_and_it_is_disliked(
    server: DiscordServer, client: discord.Client, papers: Channel, ann: User
) -> None:
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=papers.id)
    await client.http.request(route, json={"content": ann.mention})
    assert [ping.users for ping in server.pinged] == [{ann.id}]
    assert [dislike.kind for dislike in server.dislikes] == ["mentions"]


# Permissions


@pytest.mark.parametrize(
    ("lacking", "code", "post"),
    [
        (P.VIEW_CHANNEL, 50001, lambda: {"content": "c"}),
        (P.SEND_MESSAGES, 50013, lambda: {"content": "c"}),
        (P.ATTACH_FILES, 50013, lambda: {"file": discord.File(io.BytesIO(b"x"), "a")}),
        (P.EMBED_LINKS, 50013, lambda: {"embed": discord.Embed(title="t")}),
    ],
)
async def test_a_post_needs_permissions(
    server: DiscordServer, client: discord.Client, papers: Channel,
    lacking: P, code: int, post: Callable[[], dict[str, Any]],
) -> None:  # fmt: skip
    channel = await text(client, papers)
    await channel.send(**post())
    server.overwrite(papers, server.bot, deny=lacking)
    assert await code_of(channel.send(**post())) == (403, code)


async def test_embeds_are_dropped_in_silence_beside_a_text(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    server.overwrite(papers, server.bot, deny=P.EMBED_LINKS)
    sent = await (await text(client, papers)).send("text", embed=discord.Embed(title="t"))
    assert sent.embeds == []
    assert server.messages(papers)[0].content == "text"


async def test_without_the_history_there_are_no_messages_and_no_error(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    sent = await channel.send("text")
    server.overwrite(papers, server.bot, deny=P.READ_MESSAGE_HISTORY)
    assert [message async for message in channel.history()] == []
    assert await code_of(channel.fetch_message(sent.id)) == (403, 50013)


async def test_overwrites_go_from_everyone_over_roles_to_the_member(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel
) -> None:
    channel = await text(client, papers)
    posters = server.add_role(lab, "posters")
    server.overwrite(papers, lab.everyone, deny=P.SEND_MESSAGES)
    assert await code_of(channel.send("x")) == (403, 50013)
    server.overwrite(papers, posters, allow=P.SEND_MESSAGES)
    server.set_roles(lab, server.bot, posters)
    await channel.send("x")
    server.overwrite(papers, server.bot, deny=P.SEND_MESSAGES)
    assert await code_of(channel.send("x")) == (403, 50013)
    server.set_role(lab, posters, P.ADMINISTRATOR)
    await channel.send("x")


async def test_channels_that_are_gone_or_of_other_servers(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel
) -> None:
    channel = await text(client, papers)
    server.kick(lab)
    assert await code_of(channel.send("x")) == (403, 50001)
    assert await code_of(client.fetch_guild(int(lab.id))) == (404, 10004)
    server.invite(lab)
    server.delete_channel(papers)
    assert await code_of(channel.send("x")) == (404, 10003)


async def test_asking_again_after_a_refusal_is_disliked(
    server: DiscordServer, client: discord.Client, papers: Channel, clock: Hands
) -> None:
    channel = await text(client, papers)
    server.overwrite(papers, server.bot, deny=P.SEND_MESSAGES)
    await code_of(channel.send("x"))
    assert server.dislikes == []
    clock.move(minutes=11)
    await code_of(channel.send("x"))
    assert server.dislikes == []
    await code_of(channel.send("x"))
    assert [dislike.kind for dislike in server.dislikes] == ["again"]
    server.overwrite(papers, server.bot, allow=P.SEND_MESSAGES)
    await channel.send("x")
    assert len(server.invalid) == 2  # of the last ten minutes


async def test_direct_messages_may_be_closed(
    server: DiscordServer, client: discord.Client, ann: User
) -> None:
    person = await client.fetch_user(int(ann.id))
    await person.send("hello")
    assert [m.content for m in server.messages(server.dm(ann))] == ["hello"]
    ann.takes_dms = False
    assert await code_of(person.send("hello?")) == (403, 50007)
    stranger = server.add_user("bob")
    assert await code_of((await client.fetch_user(int(stranger.id))).send("x")) == (403, 50007)


# Threads and forums


async def test_a_thread_hangs_on_one_message(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    channel = await text(client, papers)
    sent = await channel.send("parent")
    thread = await sent.create_thread(name="replies")
    assert thread.id == sent.id
    await thread.send("first")
    (made,) = server.threads(papers)
    assert [m.content for m in server.messages(made)] == ["first"]
    assert await code_of(sent.create_thread(name="again")) == (400, 160004)
    again = await channel.fetch_message(sent.id)
    assert again.thread is not None


@pytest.mark.parametrize("lacking", [P.CREATE_PUBLIC_THREADS, P.SEND_MESSAGES_IN_THREADS])
async def test_threads_need_permissions(
    server: DiscordServer, client: discord.Client, papers: Channel, lacking: P
) -> None:
    channel = await text(client, papers)
    server.overwrite(papers, server.bot, deny=lacking)
    sent = await channel.send("parent")

    async def thread() -> None:
        await (await sent.create_thread(name="replies")).send("first")

    assert await code_of(thread()) == (403, 50013)


async def test_writing_opens_an_archived_thread_unless_it_is_locked(
    server: DiscordServer, client: discord.Client, papers: Channel
) -> None:
    sent = await (await text(client, papers)).send("parent")
    thread = await sent.create_thread(name="replies")
    inside = await thread.send("first")
    (made,) = server.threads(papers)
    server.change_channel(made, archived=True)
    assert await code_of(inside.edit(content="x")) == (400, 50083)
    await thread.send("second")
    assert not made.archived
    server.change_channel(made, archived=True, locked=True)
    assert await code_of(thread.send("third")) == (400, 50083)
    server.change_channel(made, archived=False)
    assert await code_of(thread.send("third")) == (403, 50013)
    server.overwrite(papers, server.bot, allow=P.MANAGE_THREADS)
    await thread.send("third")


async def test_threads_are_changed_by_who_started_them_or_moderates(
    server: DiscordServer, client: discord.Client, papers: Channel, ann: User
) -> None:
    own = server.add_thread(papers, "own")
    others = server.add_thread(papers, "others", by=ann)

    def change(thread: Channel, **body: Any) -> Any:
        route = Route("PATCH", "/channels/{channel_id}", channel_id=thread.id)
        return client.http.request(route, json=body)

    await change(own, archived=True)
    assert await code_of(change(own, name="x")) == (400, 50083)
    await change(own, archived=False, name="new")
    assert own.name == "new"
    assert await code_of(change(own, locked=True)) == (403, 50013)
    assert await code_of(change(others, archived=True)) == (403, 50013)
    server.overwrite(papers, server.bot, allow=P.MANAGE_THREADS)
    await change(others, archived=True, locked=True)
    assert others.archived


async def test_a_forum_takes_posts_with_known_tags(
    server: DiscordServer, client: discord.Client, lab: Guild
) -> None:
    place = server.add_channel(lab, "forum", Kind.FORUM, tags=["agents", "theory"])
    forum = await client.fetch_channel(int(place.id))
    assert isinstance(forum, discord.ForumChannel)
    agents = next(tag for tag in forum.available_tags if tag.name == "agents")
    made = await forum.create_thread(name="today", content="first", applied_tags=[agents])
    assert made.message.id == made.thread.id
    (thread,) = server.threads(place)
    assert thread.applied_tags == [place.tag("agents").id]
    assert [m.content for m in server.messages(thread)] == ["first"]

    server.remove_tag(place, place.tag("agents"))
    asking = forum.create_thread(name="more", content="c", applied_tags=[agents])
    assert await code_of(asking) == (404, 10087)
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=place.id)
    assert await code_of(client.http.request(route, json={"content": "c"})) == (400, 40058)


async def test_forums_may_require_and_moderate_tags(
    server: DiscordServer, client: discord.Client, lab: Guild
) -> None:
    place = server.add_channel(lab, "forum", Kind.FORUM, flags=1 << 4)
    server.add_tag(place, "news", moderated=True)
    forum = await client.fetch_channel(int(place.id))
    assert isinstance(forum, discord.ForumChannel)
    assert await code_of(forum.create_thread(name="n", content="c")) == (400, 40067)
    tags = forum.available_tags
    asking = forum.create_thread(name="n", content="c", applied_tags=tags)
    assert await code_of(asking) == (403, 50013)
    server.overwrite(place, server.bot, allow=P.MANAGE_THREADS)
    await forum.create_thread(name="n", content="c", applied_tags=tags)


async def test_threads_are_listed_joined_and_deleted(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel, ann: User
) -> None:
    guild = await client.fetch_guild(int(lab.id))
    channel = await text(client, papers)
    old, new = server.add_thread(papers, "old", by=ann), server.add_thread(papers, "new", by=ann)
    server.change_channel(old, archived=True)
    assert [thread.name for thread in await guild.active_threads()] == ["new"]
    assert [thread.name async for thread in channel.archived_threads()] == ["old"]
    thread = await client.fetch_channel(int(new.id))
    assert isinstance(thread, discord.Thread)
    await thread.join()
    await thread.add_user(discord.Object(int(server.add_user("bob").id)))
    assert len(await thread.fetch_members()) == 3
    await thread.leave()
    assert server.bot.id not in new.members
    closed = await client.fetch_channel(int(old.id))
    assert isinstance(closed, discord.Thread)
    assert await code_of(closed.join()) == (400, 50083)
    assert await code_of(thread.delete()) == (403, 50013)
    server.overwrite(papers, server.bot, allow=P.MANAGE_THREADS | P.MANAGE_CHANNELS)
    await thread.delete()
    assert server.threads(papers) == [old]
    await channel.edit(topic="about papers")
    assert papers.topic == "about papers"
    await channel.delete()
    assert old.deleted
    assert lab.channels == {}


async def test_a_server_and_its_people_are_fetched(
    server: DiscordServer, client: discord.Client, lab: Guild, papers: Channel, ann: User
) -> None:
    guild = await client.fetch_guild(int(lab.id))
    assert guild.approximate_member_count == 3
    assert [channel.name for channel in await guild.fetch_channels()] == ["papers"]
    assert {role.name for role in await guild.fetch_roles()} == {"@everyone", "Paperboy"}
    assert (await guild.fetch_member(int(ann.id))).name == "ann"
    assert await code_of(guild.fetch_member(1)) == (404, 10007)
    assert await code_of(client.fetch_user(1)) == (404, 10013)
    assert [found.name async for found in client.fetch_guilds()] == ["Lab"]
    await (await text(client, papers)).typing()
    await guild.leave()
    assert not lab.joined


async def test_private_threads_are_seen_by_their_members(
    server: DiscordServer, client: discord.Client, papers: Channel, ann: User
) -> None:
    hidden = server.add_thread(papers, "hidden", by=ann, kind=Kind.PRIVATE_THREAD)
    assert await code_of(client.fetch_channel(int(hidden.id))) == (403, 50001)
    own = await (await text(client, papers)).create_thread(name="own")
    assert own.is_private()
