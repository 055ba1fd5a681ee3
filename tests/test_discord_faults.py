"""Everything that can go wrong with a request to Discord: no digest is lost, none comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.discord import rest
from bot.ports import State
from bot.views import Notice, text
from tests.discord_bot import PAPERS, TODAYS, DiscordBot, discord_bot, read
from tests.discord_server import Callback, Channel, Fault, Kind, P, Request, User
from tests.world import paper

MESSAGES = "POST /channels/{channel_id}/messages"
HISTORY = "GET /channels/{channel_id}/messages"
THREADS = "POST /channels/{channel_id}/threads"
THREAD = "POST /channels/{channel_id}/messages/{message_id}/threads"
CHANNEL = "GET /channels/{channel_id}"
ACTIVE = "GET /guilds/{guild_id}/threads/active"
ARCHIVE = "GET /channels/{channel_id}/threads/archived/public"
DIRECT = "POST /users/@me/channels"
CALLBACK = "POST /interactions/{interaction_id}/{interaction_token}/callback"
ORIGINAL = "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original"
FOLLOW = "POST /webhooks/{webhook_id}/{webhook_token}"
COMMANDS = "PUT /applications/{application_id}/commands"
DELETE = "DELETE /channels/{channel_id}/messages/{message_id}"
CHANGE = "PATCH /channels/{channel_id}"
GATEWAY = "GET /gateway/bot"
ME = "GET /users/@me"


@pytest.fixture
async def bot(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordBot]:
    monkeypatch.setattr(rest, "TIMEOUT", 0.3)
    async with discord_bot() as made:
        await made.world.listed(*PAPERS)
        yield made


async def digest_now(bot: DiscordBot, place: Channel | User) -> None:
    """A channel with a subscription, and somebody who wants its digest at once."""
    by = place if isinstance(place, User) else None
    at = bot.server.dm(place) if isinstance(place, User) else place
    if isinstance(place, Channel) and place.kind is Kind.FORUM:
        at = bot.server.add_thread(place, "Questions", by=bot.ann)
        await bot.known()
    await bot.ask("papers-admin subscribe", by=by, at=at, query="graphs")
    await bot.world.listed(*TODAYS)
    await bot.ask("papers-admin digest", by=by, at=at)


async def settle(bot: DiscordBot) -> None:
    """The clock goes on until everything has its end."""
    for _ in range(6):
        bot.pass_time(seconds=91)
        await bot.service.send()
        await bot.service.look_up()


def posts(bot: DiscordBot, channel: Channel) -> list[str]:
    """What everybody sees there, and in its threads."""
    places = [channel, *(bot.server.threads(channel) if channel.guild else ())]
    return [m.text() for place in places for m in bot.server.messages(place) if not m.interaction]


UNDECIDED = [
    pytest.param(Fault.status(500), id="500"),
    pytest.param(Fault.status(502), id="502"),
    pytest.param(Fault.status(503), id="503"),
    pytest.param(Fault.status(500, after_effect=True), id="500 after it was done"),
    pytest.param(Fault.status(504, after_effect=True), id="504 after it was done"),
    pytest.param(Fault.reset(), id="reset"),
    pytest.param(Fault.reset(after_effect=True), id="reset after it was done"),
    pytest.param(Fault.hang(), id="no answer"),
    pytest.param(Fault.hang(after_effect=True), id="no answer after it was done"),
    pytest.param(Fault.garbage(), id="half an answer"),
    pytest.param(Fault.garbage(after_effect=True), id="half an answer after it was done"),
    pytest.param(Fault.cloudflare(502, after_effect=True), id="a page after it was done"),
    pytest.param(Fault.cloudflare(403), id="a page that says 403"),
]
PATIENCE = [
    pytest.param(Fault.rate_limited(2.5), 2.5, id="429"),
    pytest.param(Fault.rate_limited(2.5, "global"), 2.5, id="429 for all"),
    pytest.param(Fault.rate_limited(2.5, "shared"), 2.5, id="429 shared"),
    pytest.param(Fault.cloudflare(429), 60.0, id="429 of Cloudflare"),
    pytest.param(Fault.refused(401, 0), 300.0, id="401"),
    pytest.param(Fault.refused(404, 0), 300.0, id="404 of a wrong address"),
    pytest.param(Fault.refused(403, 40003), 300.0, id="40003"),
    pytest.param(Fault.refused(403, 40004), 300.0, id="40004"),
    pytest.param(Fault.refused(403, 40333), 300.0, id="40333 of Cloudflare"),
    pytest.param(Fault.refused(400, 130000), 300.0, id="130000"),
]
GONE = [
    pytest.param(Fault.refused(403, 50001), "View Channel", id="50001"),
    pytest.param(Fault.refused(403, 50013), "Send Messages", id="50013"),
    pytest.param(Fault.refused(404, 10003), "was deleted", id="10003"),
]


@pytest.mark.parametrize("fault", UNDECIDED)
@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.FORUM], ids=["text", "forum"])
async def test_a_post_without_a_clear_answer_is_there_once_in_the_end(
    bot: DiscordBot, fault: Fault, kind: Kind
) -> None:
    channel = bot.server.add_channel(bot.lab, "reading", kind)
    await bot.known()
    route = THREADS if kind is Kind.FORUM else MESSAGES
    bot.server.fault(route, fault)

    await digest_now(bot, channel)
    (doubtful,) = await bot.deliveries(channel)
    assert doubtful.state is State.UNKNOWN
    await settle(bot)

    (delivery,) = await bot.deliveries(channel)
    assert delivery.state is State.SENT
    (post,) = posts(bot, channel)
    assert "Graph transformers" in read(post)
    assert len(bot.server.sent(route)) <= 2


@pytest.mark.parametrize(("fault", "seconds"), PATIENCE)
@pytest.mark.parametrize(
    ("kind", "route"),
    [(Kind.TEXT, MESSAGES), (Kind.FORUM, THREADS), (Kind.DM, DIRECT)],
    ids=["text", "forum", "direct message"],
)
async def test_a_post_waits_as_long_as_discord_asks_for(
    bot: DiscordBot, fault: Fault, seconds: float, kind: Kind, route: str
) -> None:
    place: Channel | User = bot.ann
    if kind is not Kind.DM:
        place = bot.server.add_channel(bot.lab, "reading", kind)
    await bot.known()
    bot.server.fault(route, fault)

    await digest_now(bot, place)
    (waiting,) = await bot.deliveries(place)
    assert waiting.state is State.READY
    assert (waiting.not_before - bot.world.now).total_seconds() == pytest.approx(seconds, abs=0.1)
    bot.pass_time(seconds=seconds - 1)
    await bot.service.send()
    await bot.service.look_up()
    assert len(bot.server.sent(route)) == 1
    await settle(bot)

    assert len(posts(bot, bot.server.dm(place) if isinstance(place, User) else place)) == 1
    assert len(bot.server.sent(route)) == 2


async def test_a_limit_for_all_holds_the_posts_of_other_channels_back(bot: DiscordBot) -> None:
    other = bot.server.add_channel(bot.lab, "other")
    await bot.known()
    bot.server.fault(MESSAGES, Fault.rate_limited(30, "global"))

    await digest_now(bot, bot.papers)
    await bot.ask("papers-admin subscribe", at=other, query="graphs")
    await bot.ask("papers-admin digest", at=other)
    assert len(bot.server.sent(MESSAGES)) == 1
    await settle(bot)

    assert len(posts(bot, bot.papers)) == len(posts(bot, other)) == 1


async def test_who_opens_direct_messages_too_fast_opens_none_for_a_while(bot: DiscordBot) -> None:
    bot.server.fault(DIRECT, Fault.refused(403, 40003))

    await digest_now(bot, bot.ann)
    await digest_now(bot, bot.bob)
    assert len(bot.server.sent(DIRECT)) == 1
    await settle(bot)

    assert [len(posts(bot, bot.server.dm(each))) for each in (bot.ann, bot.bob)] == [1, 1]


@pytest.mark.parametrize(("fault", "why"), GONE)
@pytest.mark.parametrize(
    ("kind", "route"), [(Kind.TEXT, MESSAGES), (Kind.FORUM, THREADS)], ids=["text", "forum"]
)
async def test_a_channel_that_refuses_posts_is_closed_and_not_asked_again(
    bot: DiscordBot, fault: Fault, why: str, kind: Kind, route: str
) -> None:
    channel = bot.server.add_channel(bot.lab, "reading", kind)
    await bot.known()

    def there(request: Request) -> bool:
        return request.params["channel_id"] == channel.id

    bot.server.fault(route, fault, times=None, when=there)

    await digest_now(bot, channel)
    await settle(bot)

    (delivery,) = await bot.deliveries(channel)
    assert delivery.state is State.DEAD
    assert why in delivery.detail
    assert len([r for r in bot.server.sent(route) if there(r)]) == 1
    assert await bot.world.ledger.released(bot.ref(channel)) == ["arxiv:2611.00005"]
    (told,) = bot.server.messages(bot.server.dm(bot.ann))
    assert "I can no longer post in" in told.text()
    assert [d for d in bot.server.dislikes if d.kind == "again"] == []
    assert why in read(told.text())


async def test_what_a_closed_channel_missed_comes_once_it_is_open_again(bot: DiscordBot) -> None:
    everyone = bot.lab.roles[bot.lab.id]
    bot.server.overwrite(bot.papers, everyone, deny=P.SEND_MESSAGES)
    await bot.known()
    await digest_now(bot, bot.papers)
    assert posts(bot, bot.papers) == []

    bot.server.overwrite(bot.papers, everyone)
    await bot.known()
    bot.pass_time(minutes=1)
    await bot.ask("papers-admin resume")
    await bot.ask("papers-admin digest")

    (post,) = posts(bot, bot.papers)
    assert "Graph transformers" in read(post)


@pytest.mark.parametrize("fault", UNDECIDED)
@pytest.mark.parametrize("route", [THREAD, DIRECT], ids=["thread", "direct message"])
async def test_what_comes_before_a_post_is_tried_again(
    bot: DiscordBot, fault: Fault, route: str
) -> None:
    bot.server.fault(route, fault)
    place: Channel | User = bot.papers if route == THREAD else bot.ann
    if route == THREAD:
        await bot.ask("papers-admin set", layout="thread")

    await digest_now(bot, place)
    await settle(bot)

    channel = bot.server.dm(bot.ann) if isinstance(place, User) else place
    assert [delivery.state for delivery in await bot.deliveries(place)] == [State.SENT] * (
        1 if isinstance(place, User) else 2
    )
    assert len(posts(bot, channel)) == (1 if isinstance(place, User) else 2)
    assert len(bot.server.threads(bot.papers)) == (0 if isinstance(place, User) else 1)


@pytest.mark.parametrize("fault", UNDECIDED)
async def test_a_channel_that_is_not_known_yet_is_asked_for_again(
    bot: DiscordBot, fault: Fault
) -> None:
    await bot.ask("papers-admin subscribe", query="graphs")
    await bot.world.listed(*TODAYS)
    before, bot.platform._known = bot.platform._known, None
    bot.server.fault(CHANNEL, fault)
    await bot.ask("papers-admin digest")
    assert [d.state for d in await bot.deliveries(bot.papers)] == [State.READY]

    bot.platform._known = before
    await settle(bot)

    assert len(posts(bot, bot.papers)) == 1


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.hang(), Fault.rate_limited(2.0)])
@pytest.mark.parametrize("route", [ACTIVE, ARCHIVE], ids=["open threads", "archived threads"])
async def test_threads_that_cannot_be_listed_resend_nothing(
    bot: DiscordBot, fault: Fault, route: str
) -> None:
    forum = bot.server.add_channel(bot.lab, "reading", Kind.FORUM)
    await bot.known()
    bot.server.fault(THREADS, Fault.reset(after_effect=True))
    await digest_now(bot, forum)
    bot.server.fault(route, fault)

    bot.pass_time(seconds=91)
    await bot.service.send()
    await bot.service.look_up()
    assert (await bot.deliveries(forum))[0].state is State.UNKNOWN
    bot.pass_time(minutes=10)
    await bot.service.send()
    await bot.service.look_up()

    assert (await bot.deliveries(forum))[0].state is State.SENT
    assert len(bot.server.sent(THREADS)) == 1


@pytest.mark.parametrize(
    "fault",
    [*UNDECIDED, *(pytest.param(p.values[0], id=p.id) for p in PATIENCE)],
)
async def test_a_history_that_does_not_come_resends_nothing(bot: DiscordBot, fault: Fault) -> None:
    bot.server.fault(MESSAGES, Fault.reset(after_effect=True))
    await digest_now(bot, bot.papers)
    bot.server.fault(HISTORY, fault)

    bot.pass_time(seconds=91)
    await bot.service.send()
    await bot.service.look_up()
    assert len(bot.server.sent(MESSAGES)) == 1
    bot.pass_time(minutes=10)
    await bot.service.send()
    await bot.service.look_up()

    (delivery,) = await bot.deliveries(bot.papers)
    assert delivery.state is State.SENT
    assert len(bot.server.sent(MESSAGES)) == 1


@pytest.mark.parametrize(
    "fault", [*UNDECIDED, *(pytest.param(p.values[0], id=p.id) for p in (*PATIENCE, *GONE[:2]))]
)
@pytest.mark.parametrize("route", [DELETE, CHANGE], ids=["message", "thread"])
async def test_a_second_post_is_taken_back_in_the_end(
    bot: DiscordBot, fault: Fault, route: str
) -> None:
    forum = bot.server.add_channel(bot.lab, "reading", Kind.FORUM)
    await bot.known()
    bot.server.fault(THREADS, Fault.status(500))
    await digest_now(bot, forum)
    await settle(bot)
    (own,) = [t for t in bot.server.threads(forum) if t.owner is bot.server.bot]
    (post,) = bot.server.messages(own)
    copy = bot.server.add_thread(forum, own.name)
    bot.server.post(replace(post, id=copy.id, channel=copy))
    bot.server.fault(route, fault)

    for _ in range(3):
        bot.pass_time(minutes=10)
        await bot.sender.audit()

    assert bot.server.messages(own) == [post]
    assert bot.server.messages(copy) == []
    assert copy.archived or fault.after_effect or route == CHANGE  # that is tried once
    assert len(bot.server.sent(DELETE)) <= 2
    assert len(bot.server.sent(CHANGE)) <= 1


@pytest.mark.parametrize("code", [50001, 50013])
async def test_a_history_that_is_closed_is_left_to_a_person(bot: DiscordBot, code: int) -> None:
    bot.server.fault(MESSAGES, Fault.reset(after_effect=True))
    await digest_now(bot, bot.papers)
    bot.server.fault(HISTORY, Fault.refused(403, code), times=None)
    await settle(bot)

    (delivery,) = await bot.deliveries(bot.papers)
    assert delivery.state is State.HELD
    assert len(bot.server.sent(HISTORY)) == 1
    completed = await bot.server.autocomplete(
        bot.ann, bot.papers, "papers-admin giveup", "key", delivery.key[:4]
    )
    assert [choice["value"] for choice in completed.choices] == [delivery.key]
    await bot.ask("papers-admin giveup", key=delivery.key)
    assert (await bot.deliveries(bot.papers))[0].state is State.GIVEN_UP


# Answers to people

LOST = [
    pytest.param(Fault.status(500), id="500"),
    pytest.param(Fault.status(503), id="503"),
    pytest.param(Fault.status(500, after_effect=True), id="500 after it was done"),
    pytest.param(Fault.reset(), id="reset"),
    pytest.param(Fault.reset(after_effect=True), id="reset after it was done"),
    pytest.param(Fault.hang(after_effect=True), id="no answer after it was done"),
    pytest.param(Fault.rate_limited(0.1), id="429"),
    pytest.param(Fault.cloudflare(502), id="a page"),
]


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("route", [CALLBACK, ORIGINAL], ids=["first", "edit"])
async def test_an_answer_that_was_lost_on_the_way_comes_all_the_same(
    bot: DiscordBot, fault: Fault, route: str
) -> None:
    bot.server.fault(route, fault)

    answered = await bot.ask("papers-admin subscribe", query="graphs")

    assert answered.callback is Callback.DEFER
    assert "Subscribed" in read(answered.text)
    assert len((await bot.settings(bot.papers)).subscriptions) == 1
    assert [d for d in bot.server.dislikes if d.kind == "late"] == []


@pytest.mark.parametrize("fault", LOST)
async def test_a_form_that_was_lost_on_the_way_opens_all_the_same(
    bot: DiscordBot, fault: Fault
) -> None:
    bot.server.fault(CALLBACK, fault)

    opened = await bot.ask("papers-admin settings")

    assert opened.modal is not None


@pytest.mark.parametrize("fault", LOST)
async def test_a_mistake_that_shows_late_is_told_in_place_of_waiting(
    bot: DiscordBot, fault: Fault
) -> None:
    bot.server.fault(ORIGINAL, fault)

    told = await bot.ask("papers-admin schedule", timezone="Nowhere")

    assert told.callback is Callback.DEFER
    assert "names no time zone" in read(told.text)
    assert told.followups == []


async def test_who_cannot_be_told_that_it_is_done_does_not_get_it_done(bot: DiscordBot) -> None:
    bot.server.patience = 0.1
    bot.server.fault(CALLBACK, Fault.refused(404, 10062))

    failed = await bot.ask("papers-admin subscribe", query="graphs")

    assert failed.callback is None
    assert await bot.world.store.get(bot.ref(bot.papers)) is None


async def test_an_answer_that_discord_finds_malformed_is_excused(bot: DiscordBot) -> None:
    bot.server.fault(ORIGINAL, Fault.refused(400, 50035))

    answered = await bot.ask("papers status")

    assert "Discord could not show the answer" in answered.text


async def test_a_long_answer_in_place_of_a_form_comes_whole(bot: DiscordBot) -> None:
    long = Notice(
        text("No form."), "error", hints=tuple(text(f"{n}: {'x' * 900}") for n in range(9))
    )

    async def answer(command: object, caller: object) -> Notice:
        return long

    bot.world.answers.answer = answer  # type: ignore[method-assign]

    told = await bot.ask("papers-admin settings")

    assert await bot.server.until(lambda: "8: xxx" in read(told.text))
    assert told.private


async def test_an_answer_in_several_messages_waits_for_its_turn(bot: DiscordBot) -> None:
    await bot.world.listed(*(paper(n, f"Graphs {n}") for n in range(100, 140)))
    bot.server.fault(FOLLOW, Fault.rate_limited(0.1))

    found = await bot.ask("papers search", query="graphs", limit=40)

    assert await bot.server.until(lambda: found.text.count("/abs/2611.00") == 40)
    assert len(found.messages) > 1
    assert found.private


# At the start


@pytest.mark.parametrize("fault", [p for p in LOST if "after" not in str(p.id)])
@pytest.mark.parametrize("route", [GATEWAY, ME, COMMANDS], ids=["gateway", "login", "commands"])
async def test_a_start_in_bad_weather_is_a_start(fault: Fault, route: str) -> None:
    async with discord_bot(started=False) as bot:
        bot.server.fault(route, fault)

        await bot.start()

        assert bot.server.gateway.ready


async def test_commands_that_could_not_be_registered_are_registered_next_time() -> None:
    async with discord_bot(started=False) as bot:
        bot.server.fault(COMMANDS, Fault.status(503))
        await bot.start()
        assert bot.server.registered() == []

        assert await bot.platform.sync()

        assert len(bot.server.registered()) == 3
        assert not await bot.platform.sync()


async def test_commands_are_registered_as_soon_as_discord_takes_them() -> None:
    async with discord_bot(started=False, register_again=0.01) as bot:
        bot.server.fault(COMMANDS, Fault.status(503), times=3)

        await bot.start()

        assert await bot.server.until(bot.server.registered)
        assert len(bot.server.sent(COMMANDS)) == 4


async def test_commands_that_discord_refuses_are_not_sent_time_and_again() -> None:
    async with discord_bot(started=False, register_again=0.01) as bot:
        bot.server.fault(COMMANDS, Fault.refused(403, 50001), times=None)

        await bot.start()
        await bot.server.until(lambda: len(bot.server.sent(COMMANDS)) > 1, patience=0.1)

        assert len(bot.server.sent(COMMANDS)) == 1
