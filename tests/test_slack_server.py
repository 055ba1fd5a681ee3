"""The local Slack answers the real client libraries, and refuses and fails as Slack does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack_methods import METHODS
from tests.slack_server import (
    SCOPES,
    Channel,
    Fault,
    SlackServer,
    User,
)
from tests.slack_state import Json
from tests.source_server import VirtualTime

DESCRIPTION = Path(__file__).resolve().parents[2] / "shared" / "specs" / "slack_methods.json"
NOON = datetime(2026, 6, 24, 12, tzinfo=UTC)
QUIET: Json = {"unfurl_links": False, "unfurl_media": False}


@dataclass
class Town:
    """A workspace with ann and bob, who share a channel with the bot, and time that stands."""

    slack: SlackServer
    time: VirtualTime
    ann: User
    bob: User
    papers: Channel
    client: AsyncWebClient

    def as_bot(self, scopes: frozenset[str]) -> AsyncWebClient:
        """Another workspace's, where the app may do only so much."""
        team = self.slack.add_workspace("small", scopes)
        return client_of(self.slack, team.token)


def client_of(slack: SlackServer, token: str) -> AsyncWebClient:
    return AsyncWebClient(token, base_url=slack.api_url, retry_handlers=[], timeout=5)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    time = VirtualTime(NOON)
    async with SlackServer(time) as slack:
        ann, bob = slack.add_user("ann", tz="Europe/Berlin"), slack.add_user("bob")
        papers = slack.add_channel("papers", ann, bob)
        yield Town(slack, time, ann, bob, papers, client_of(slack, slack.token))


async def error(call: Awaitable[Any]) -> str:
    """What the call is refused with."""
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


# -- the methods


@pytest.mark.skipif(
    not DESCRIPTION.is_file(), reason="Slack's description is not beside the project"
)
@pytest.mark.parametrize("name", METHODS)
def test_the_methods_are_as_slack_describes_them(name: str) -> None:
    told = json.loads(DESCRIPTION.read_text())[name]
    method = METHODS[name]
    kinds = ("channels", "groups", "im", "mpim")
    tier = re.search(r"(\d+)\+", told["rate_limit"] or "")

    assert set(method.types()) - {"team_id"} == set(told["args"]) - {"team_id"}
    assert method.required() == {n for n, arg in told["args"].items() if arg["required"]}
    assert {s.format(k) for s in method.scopes for k in kinds} == set(told["scopes"].get("bot", []))
    assert method.tier == (int(tier[1]) if tier else None)


async def test_a_post_is_kept_with_its_metadata_and_found_again(town: Town) -> None:
    metadata = {"event_type": "digest", "event_payload": {"key": "k1"}}
    posted = await town.client.chat_postMessage(
        channel=town.papers.id, text="hi", metadata=metadata, **QUIET
    )
    reply = await town.client.chat_postMessage(
        channel=town.papers.id, text="more", thread_ts=posted["ts"], **QUIET
    )

    history = await town.client.conversations_history(
        channel=town.papers.id, include_all_metadata=True, oldest=str(NOON.timestamp() - 1)
    )
    bare = await town.client.conversations_history(channel=town.papers.id)
    thread = await town.client.conversations_replies(channel=town.papers.id, ts=posted["ts"])

    assert [m["metadata"] for m in history["messages"]] == [metadata]
    assert "metadata" not in bare["messages"][0]
    assert [m["ts"] for m in thread["messages"]] == [posted["ts"], reply["ts"]]
    assert reply["ts"] > posted["ts"], "although the clock stood still"
    assert [m.text for m in town.slack.thread(town.slack.posts(town.papers)[0])] == ["more"]


async def test_history_comes_in_pages_within_its_bounds(town: Town) -> None:
    stamps = []
    for n in range(5):
        town.time.now = NOON + timedelta(seconds=n)
        said = await town.client.chat_postMessage(channel=town.papers.id, text=str(n), **QUIET)
        stamps.append(said["ts"])

    async def texts(**asked: Any) -> list[str]:
        pages = await town.client.conversations_history(channel=town.papers.id, **asked)
        return [m["text"] async for page in pages for m in page["messages"]]

    assert await texts(limit=2) == ["4", "3", "2", "1", "0"]
    assert await texts(oldest=stamps[2]) == ["4", "3"]
    assert await texts(oldest=stamps[2], inclusive=True) == ["4", "3", "2"]
    assert await texts(latest=stamps[1]) == ["0"]
    assert await error(texts(oldest="yesterday")) == "invalid_ts_oldest"
    assert await error(texts(cursor="%%")) == "invalid_cursor"


@pytest.mark.parametrize(
    ("method", "args", "expected"),
    [
        ("chat.postMassage", {}, "unknown_method"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "C1", "txt": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "C1", "text": 7}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "mrkdwn": "perhaps"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "C1"}, "no_text"),
        ("chat.postMessage", {"channel": "C9", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "thread_ts": "1.2"}, "cannot_reply_to_message"),
        ("chat.postMessage", {"channel": "C1", "blocks": "nonsense"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": "C1", "blocks": [{"type": "x"}]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "markdown_text": "x"}, "markdown_text_conflict"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "metadata": {"key": 1}}, "invalid_metadata_format"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "metadata": {
            "event_type": "e", "event_payload": {"k": "x" * 9000}}}, "metadata_too_large"),
        ("chat.update", {"channel": "C1", "ts": "1.2", "text": "x"}, "message_not_found"),
        ("chat.delete", {"channel": "C1", "ts": "1.2"}, "message_not_found"),
        ("chat.postEphemeral", {"channel": "C1", "user": "U9", "text": "x"}, "user_not_in_channel"),
        ("users.info", {"user": "U9"}, "user_not_found"),
        ("conversations.open", {"users": "U9"}, "user_not_found"),
        ("conversations.open", {"users": "UB1"}, "cannot_dm_bot"),
        ("conversations.open", {}, "users_list_not_supplied"),
        ("conversations.list", {"types": "secret"}, "invalid_types"),
        ("conversations.list", {"limit": 5000}, "invalid_limit"),
        ("conversations.replies", {"channel": "C1", "ts": "1.2"}, "thread_not_found"),
        ("files.info", {"file": "F9"}, "file_not_found"),
        ("files.completeUploadExternal", {"files": [{"id": "F9"}]}, "file_not_found"),
        ("reactions.add", {"channel": "C1", "name": "eyes", "timestamp": "1.2"}, "message_not_found"),
        ("views.open", {"trigger_id": "t", "view": {}}, "invalid_trigger_id"),
        ("views.update", {"view_id": "V9", "view": {}}, "not_found"),
        ("chat.postMessage", {"channel": "C1", "markdown_text": "x" * 12_001}, "msg_too_long"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "attachments": [
            {"blocks": [{"type": "x"}]}]}, "invalid_attachments"),
        ("chat.unfurl", {}, "missing_channel"),
        ("chat.unfurl", {"channel": "C1"}, "missing_ts"),
        ("chat.unfurl", {"channel": "C9", "ts": "1.2"}, "cannot_find_channel"),
        ("chat.unfurl", {"channel": "C1", "ts": "1.2"}, "cannot_find_message"),
        ("chat.unfurl", {"unfurl_id": "x"}, "missing_source"),
        ("chat.unfurl", {"unfurl_id": "x", "source": "y"}, "invalid_unfurl_id"),
        ("conversations.open", {"channel": "C9"}, "channel_not_found"),
        ("conversations.open", {"users": ",".join(["U1"] * 9)}, "too_many_users"),
        ("files.getUploadURLExternal", {"filename": "x", "length": 0}, "invalid_arguments"),
        ("files.completeUploadExternal", {"files": []}, "invalid_arguments"),
        ("files.completeUploadExternal", {"files": ["F1"]}, "invalid_arguments"),
        ("views.open", {"view": {}}, "invalid_arguments"),
        ("views.update", {"view": {}}, "invalid_arguments"),
        ("views.publish", {"user_id": "U1", "view": {"type": "home"}}, "invalid_arguments"),
        ("views.publish", {"user_id": "U9", "view": {"type": "home"}}, "user_not_found"),
        ("apps.uninstall", {"client_id": "x", "client_secret": "y"}, "invalid_client_id"),
        ("api.test", {"error": "my_error"}, "my_error"),
        ("bots.info", {"bot": "B9"}, "bot_not_found"),
        ("team.info", {"team": "T9"}, "team_not_found"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(
    town: Town, method: str, args: Json, expected: str
) -> None:
    assert await error(town.client.api_call(method, json=args)) == expected
    assert town.slack.calls[-1].effect is False


async def test_faults_of_blocks_are_pointed_at_as_slack_does(town: Town) -> None:
    with pytest.raises(SlackApiError) as refused:
        await town.client.chat_postMessage(
            channel=town.papers.id, text="x", blocks=[section("x" * 3001)], **QUIET
        )

    fault = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    assert fault in refused.value.response["errors"]
    assert f"[ERROR] {fault}" in refused.value.response["response_metadata"]["messages"]


async def test_all_texts_of_a_message_are_bounded(town: Town) -> None:
    def blocks(n: int) -> list[Json]:
        return [section("x" * 3000) for _ in range(4)] + [section("x" * (n - 12_000))]

    async def post(n: int) -> Any:
        return await town.client.chat_postMessage(
            channel=town.papers.id, text="x", blocks=blocks(n), **QUIET
        )

    assert (await post(13_199))["ok"]
    assert await error(post(13_200)) == "msg_blocks_too_long"


async def test_an_update_takes_4000_characters_and_changes_the_message(town: Town) -> None:
    said = await town.client.chat_postMessage(
        channel=town.papers.id, text="x", blocks=[section("x")], **QUIET
    )

    async def update(text: str) -> Any:
        return await town.client.chat_update(channel=town.papers.id, ts=said["ts"], text=text)

    assert await error(update("x" * 4001)) == "msg_too_long"
    await update("y" * 4000)
    (post,) = town.slack.posts(town.papers)
    assert (post.text, post.blocks) == ("y" * 4000, [])
    assert (
        await error(
            town.client.chat_update(
                channel=town.papers.id,
                ts=town.slack.write(town.ann, town.papers, "mine").ts,
                text="x",
            )
        )
        == "cant_update_message"
    )


async def test_a_form_a_query_and_a_json_body_say_the_same(town: Town) -> None:
    asked = {"channel": town.papers.id, "include_num_members": True}
    given: list[Json] = [
        {"json": asked},
        {"data": {**asked, "include_num_members": "true"}},
        {"params": asked},
    ]
    for how in given:
        told = await town.client.api_call("conversations.info", **how)
        assert told["channel"]["num_members"] == 3


async def test_a_token_may_come_as_a_field_but_not_in_json(town: Town) -> None:
    url = f"{town.slack.api_url}auth.test"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data={"token": town.slack.token}) as response:
            assert (await response.json())["team_id"] == town.slack.team.id
        async with session.post(url, json={"token": town.slack.token}) as response:
            assert (await response.json())["error"] == "not_authed"
        async with session.post(url, data=b"{", headers={"Content-Type": "application/json"}) as r:
            assert (await r.json())["error"] == "invalid_json"


# -- tokens and scopes


async def test_tokens_are_told_apart(town: Town) -> None:
    slack = town.slack

    assert await error(client_of(slack, "xoxb-no").auth_test()) == "invalid_auth"
    assert await error(client_of(slack, slack.app_token).team_info()) == "not_allowed_token_type"
    assert (
        await error(town.client.apps_connections_open(app_token=slack.token))
        == "not_allowed_token_type"
    )
    told = await town.client.auth_test()
    assert (told["user_id"], told["bot_id"]) == (slack.bot.id, slack.bot.bot_id)
    assert "chat:write" in told.headers["x-oauth-scopes"]

    slack.revoke(error="token_revoked")
    assert await error(town.client.auth_test()) == "token_revoked"
    assert slack.dislikes == []
    assert await error(town.client.auth_test()) == "token_revoked"
    assert slack.dislikes == ["token: auth.test: called again after token_revoked"]


async def test_a_revoked_token_is_an_inactive_account(town: Town) -> None:
    assert (await town.client.auth_revoke(test=True))["revoked"] is False
    assert (await town.client.auth_revoke())["revoked"] is True
    assert await error(town.client.auth_test()) == "account_inactive"


async def test_each_kind_of_channel_wants_its_scope(town: Town) -> None:
    client = town.as_bot(frozenset({"channels:history", "groups:read"}))
    team = town.slack.state.workspaces["T2"]
    public = town.slack.add_channel("public", team=team)
    private = town.slack.add_channel("private", kind="private", team=team)

    assert (await client.conversations_history(channel=public.id))["messages"] == []
    with pytest.raises(SlackApiError) as refused:
        await client.conversations_history(channel=private.id)
    answer = refused.value.response
    assert (answer["error"], answer["needed"]) == ("missing_scope", "groups:history")
    assert answer["provided"] == "channels:history,groups:read"
    assert await error(client.conversations_list()) == "missing_scope"
    listed = await client.conversations_list(types="private_channel")
    assert [c["id"] for c in listed["channels"]] == [private.id]
    assert (
        await error(client.chat_postMessage(channel=public.id, text="x", **QUIET))
        == "missing_scope"
    )


# -- who sees and may do what


async def test_a_bot_sees_what_it_is_in_and_what_is_public(town: Town) -> None:
    slack, client = town.slack, town.client
    outside = slack.add_channel("outside", town.ann, bot=False)
    secret = slack.add_channel("secret", town.ann, kind="private", bot=False)
    theirs = slack.add_channel("theirs", team=slack.add_workspace("beta"))

    assert (await client.conversations_info(channel=outside.id))["channel"]["is_member"] is False
    assert await error(client.conversations_info(channel=secret.id)) == "channel_not_found"
    assert await error(client.conversations_info(channel=theirs.id)) == "channel_not_found"
    assert await error(client.conversations_history(channel=outside.id)) == "not_in_channel"
    assert (await client.chat_postMessage(channel=outside.id, text="x", **QUIET))["ok"]
    assert (
        await error(client.chat_postMessage(channel=secret.id, text="x", **QUIET))
        == "channel_not_found"
    )
    assert (
        await error(client.chat_postEphemeral(channel=outside.id, user=town.ann.id, text="x"))
        == "not_in_channel"
    )
    assert await error(client.conversations_join(channel=secret.id)) == "channel_not_found"
    await client.conversations_join(channel=outside.id)
    assert (await client.conversations_history(channel=outside.id))["messages"][0]["text"] == "x"
    mine = await client.users_conversations(types="public_channel,private_channel")
    assert [c["name"] for c in mine["channels"]] == ["papers", "outside"]
    anns = await client.users_conversations(
        user=town.ann.id, types="public_channel,private_channel"
    )
    assert [c["name"] for c in anns["channels"]] == ["papers", "outside"]


async def test_without_the_public_scope_a_bot_writes_only_where_it_is(town: Town) -> None:
    client = town.as_bot(SCOPES - {"chat:write.public"})
    outside = town.slack.add_channel("outside", bot=False, team=town.slack.state.workspaces["T2"])

    assert (
        await error(client.chat_postMessage(channel=outside.id, text="x", **QUIET))
        == "not_in_channel"
    )


async def test_an_archived_channel_is_read_and_not_written(town: Town) -> None:
    town.papers.archived = True

    assert (await town.client.conversations_history(channel=town.papers.id))["ok"]
    for call in (
        town.client.chat_postMessage(channel=town.papers.id, text="x", **QUIET),
        town.client.chat_postEphemeral(channel=town.papers.id, user=town.ann.id, text="x"),
        town.client.conversations_join(channel=town.papers.id),
    ):
        assert await error(call) == "is_archived"
    listed = await town.client.conversations_list(exclude_archived=True)
    assert listed["channels"] == []


async def test_people_are_told_with_role_zone_and_workspace(town: Town) -> None:
    slack = town.slack
    beta = slack.add_workspace("beta", scopes=None)
    eve, zoe = slack.add_user("eve", team=beta), slack.add_user("zoe", team=beta)
    gus, ada = slack.add_user("gus", "single_channel_guest"), slack.add_user("ada", "admin")
    slack.add_channel("shared", town.ann, eve, shared_with=(beta,))
    town.bob.deleted = True

    async def told(user: User) -> Json:
        return dict((await town.client.users_info(user=user.id))["user"])

    ann = await told(town.ann)
    assert (ann["tz"], ann["tz_offset"], ann["is_admin"]) == ("Europe/Berlin", 7200, False)
    assert (await told(eve))["is_stranger"] is True
    assert (await told(eve))["team_id"] == beta.id
    assert await error(told(zoe)) == "user_not_found"
    assert ((await told(gus))["is_restricted"], (await told(gus))["is_ultra_restricted"]) == (
        True,
        True,
    )
    assert (await told(ada))["is_admin"] is True
    assert ((await told(town.bob))["deleted"], "tz" in await told(town.bob)) == (True, False)
    members = (await town.client.users_list())["members"]
    assert [m["name"] for m in members] == ["paperboy", "ann", "bob", "gus", "ada"]
    assert await error(town.client.conversations_open(users=town.bob.id)) == "user_disabled"


async def test_direct_messages_are_opened_by_the_persons_id(town: Town) -> None:
    opened = await town.client.conversations_open(users=town.ann.id, return_im=True)
    await town.client.chat_postMessage(channel=town.ann.id, text="psst", **QUIET)

    assert opened["channel"]["user"] == town.ann.id
    assert opened["channel"]["id"] == town.slack.im(town.ann).id
    assert [m.text for m in town.slack.posts(town.slack.im(town.ann))] == ["psst"]
    group = await town.client.conversations_open(users=f"{town.ann.id},{town.bob.id}")
    assert town.slack.state.channels[group["channel"]["id"]].kind == "mpim"


async def test_a_file_is_uploaded_in_three_steps(town: Town) -> None:
    im = town.slack.im(town.ann)
    done = await town.client.files_upload_v2(
        content="@article{…}", filename="papers.bib", channel=im.id, initial_comment="yours"
    )

    (file,) = town.slack.files
    assert (file.content, file.complete) == ("@article{…}".encode(), True)
    assert done["file"]["ims"] == [im.id]
    assert [m.text for m in town.slack.posts(im)] == ["yours"]
    assert (await town.client.files_info(file=file.id))["file"]["name"] == "papers.bib"
    with pytest.raises(SlackApiError):
        await town.client.files_upload_v2(content="x", filename="x", channel=town.ann.id)


async def test_a_message_has_an_address_and_takes_reactions(town: Town) -> None:
    said = await town.client.chat_postMessage(channel=town.papers.id, text="x", **QUIET)
    asked = {"channel": town.papers.id, "message_ts": said["ts"]}

    link = (await town.client.chat_getPermalink(**asked))["permalink"]
    await town.client.reactions_add(channel=town.papers.id, name="eyes", timestamp=said["ts"])

    assert link == f"https://acme.slack.com/archives/C1/p{said['ts'].replace('.', '')}"
    assert town.slack.posts(town.papers)[0].reactions == ["eyes"]
    await town.client.chat_delete(channel=town.papers.id, ts=said["ts"])
    assert town.slack.posts(town.papers) == []
    assert await error(town.client.chat_getPermalink(**asked)) == "message_not_found"


async def test_the_team_the_bot_and_the_members_are_told(town: Town) -> None:
    beta = town.slack.add_workspace("beta", scopes=None)
    town.slack.add_channel("shared", town.ann, shared_with=(beta,))

    assert (await town.client.team_info())["team"]["domain"] == "acme"
    assert (await town.client.team_info(team=beta.id))["team"]["name"] == "beta"
    told = await town.client.bots_info(bot=town.slack.bot.bot_id)
    assert (told["bot"]["user_id"], told["bot"]["app_id"]) == (town.slack.bot.id, "A1")
    members = await town.client.conversations_members(channel=town.papers.id, limit=2)
    assert [m async for page in members for m in page["members"]] == town.papers.members
    shared = (await town.client.conversations_list())["channels"][1]
    assert (shared["is_ext_shared"], shared["shared_team_ids"]) == (True, ["T1", beta.id])


# -- dislikes


@pytest.mark.parametrize(
    ("said", "disliked"),
    [
        ({"text": "hi", **QUIET}, []),
        ({"text": "hi"}, ["unfurl", "unfurl"]),
        ({"blocks": [section("x")], "text": " ", **QUIET}, ["fallback"]),
        ({"text": "<!channel> hi", **QUIET}, ["mention"]),
        ({"text": "<@U1> hi", **QUIET}, ["mention"]),
        ({"text": "&lt;!channel&gt; &amp; <https://e.org/?a=1&b=2|x>", **QUIET}, []),
        ({"text": "p < 0.05", **QUIET}, ["escape"]),
        ({"text": "Q&A", **QUIET}, ["escape"]),
        ({"text": "> quoted\n<!date^1628633820^{date}|then>", **QUIET}, []),
        ({"text": "x", "blocks": [section("<!here>")], **QUIET}, ["mention"]),
        ({"text": "x", "blocks": [section("hi @channel")], **QUIET}, ["mention"]),
        ({"text": "x", "blocks": [{"type": "section", "text": {
            "type": "mrkdwn", "text": "hi @channel", "verbatim": True}}], **QUIET}, []),
        ({"text": "x", "blocks": [{"type": "rich_text", "elements": [{
            "type": "rich_text_section", "elements": [
                {"type": "broadcast", "range": "channel"}, {"type": "text", "text": "<!here> &"},
            ]}]}], **QUIET}, ["mention"]),
        ({"text": "@here", "link_names": True, **QUIET}, ["mention"]),
        ({"text": "x" * 40_001, **QUIET}, ["cut"]),
    ],
)  # fmt: skip
async def test_what_slack_takes_and_people_regret(
    town: Town, said: Json, disliked: list[str]
) -> None:
    await town.client.api_call("chat.postMessage", json={"channel": town.papers.id, **said})

    assert [dislike.partition(":")[0] for dislike in town.slack.dislikes] == disliked


async def test_a_mention_that_is_wanted_is_not_disliked(town: Town) -> None:
    town.slack.mentions_wanted.add(town.ann.mention)

    await town.client.chat_postMessage(channel=town.papers.id, text=town.ann.mention, **QUIET)

    assert town.slack.dislikes == []


async def test_haste_is_disliked(town: Town) -> None:
    async def post() -> None:
        await town.client.chat_postMessage(channel=town.papers.id, text="x", **QUIET)

    await post()
    town.time.now += timedelta(seconds=1)
    await post()
    assert town.slack.dislikes == []
    await post()
    assert town.slack.dislikes == ["rate: chat.postMessage C1: more than one message a second"]


async def test_calls_beyond_the_tier_are_disliked(town: Town) -> None:
    for _ in range(20):
        await town.client.users_list()
    assert town.slack.dislikes == []

    await town.client.users_list()
    assert town.slack.dislikes == ["rate: users.list: more than 20 calls a minute"]


async def test_a_name_in_place_of_an_id_is_disliked(town: Town) -> None:
    await town.client.chat_postMessage(channel="#papers", text="x", **QUIET)

    assert [d.partition(":")[0] for d in town.slack.dislikes] == ["name"]


# -- faults


async def test_a_fault_strikes_the_calls_it_is_meant_for(town: Town) -> None:
    async def post(text: str) -> str:
        try:
            await town.client.chat_postMessage(channel=town.papers.id, text=text, **QUIET)
        except SlackApiError as refused:
            return str(refused.response["error"])
        return "ok"

    town.slack.fault("chat.postMessage", Fault.error("internal_error"), nth=2, times=2)
    town.slack.fault(
        "*", Fault.error("fatal_error"), times=None, when=lambda call: call.args["text"] == "bad"
    )

    said = [await post(text) for text in ("a", "b", "c", "bad", "d", "bad")]
    assert said == ["ok", "internal_error", "internal_error", "fatal_error", "ok", "fatal_error"]
    town.slack.heal()
    assert await post("bad") == "ok"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("make", "raised"),
    [
        (lambda after: Fault.reset(after_effect=after), aiohttp.ClientError),
        (lambda after: Fault.silence(after_effect=after), TimeoutError),
        (lambda after: Fault.http(500, after_effect=after), SlackApiError),
        (lambda after: Fault.http(503, "busy", after_effect=after), SlackApiError),
        (lambda after: Fault.garbage('{"ok": tru', "application/json", after_effect=after), SlackApiError),
        (lambda after: Fault.garbage(after_effect=after), SlackApiError),
        (lambda after: Fault.error("fatal_error", after_effect=after), SlackApiError),
    ],
    ids=["reset", "silence", "500", "503", "half a document", "html", "fatal_error"],
)  # fmt: skip
async def test_a_call_fails_before_or_after_its_effect(
    town: Town, make: Callable[[bool], Fault], raised: type[Exception], after: bool
) -> None:
    town.client.timeout = 1
    town.slack.fault("chat.postMessage", make(after))

    with pytest.raises(raised):
        await town.client.chat_postMessage(channel=town.papers.id, text="x", **QUIET)

    assert len(town.slack.posts(town.papers)) == int(after)
    (call,) = town.slack.called("chat.postMessage")
    assert call.effect is after


async def test_a_post_may_land_long_after_its_connection_broke(town: Town) -> None:
    lands = asyncio.Event()
    town.slack.fault("chat.postMessage", Fault.reset(lands=lands))

    with pytest.raises(aiohttp.ClientError):
        await town.client.chat_postMessage(channel=town.papers.id, text="late", **QUIET)

    assert town.slack.posts(town.papers) == []
    lands.set()
    await town.slack.until(lambda: town.slack.posts(town.papers))


async def test_a_limit_tells_when_to_come_back(town: Town) -> None:
    town.slack.fault("chat.postMessage", Fault.ratelimited(30))

    with pytest.raises(SlackApiError) as refused:
        await town.client.chat_postMessage(channel=town.papers.id, text="x", **QUIET)

    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "30"
    assert town.slack.posts(town.papers) == []


async def test_the_default_client_posts_twice_after_a_reset(town: Town) -> None:
    """The server sees what slack_sdk's own retries do."""
    client = AsyncWebClient(town.slack.token, base_url=town.slack.api_url)
    town.slack.fault("chat.postMessage", Fault.reset(after_effect=True))

    await client.chat_postMessage(channel=town.papers.id, text="x", **QUIET)

    assert len(town.slack.posts(town.papers)) == 2


# -- OAuth


async def test_a_code_is_exchanged_for_a_token_once(town: Town) -> None:
    slack = town.slack
    slack.app.redirect_uris = ("https://bot.example.org/oauth",)
    beta = slack.add_workspace("beta", scopes=None)
    zoe = slack.add_user("zoe", "admin", team=beta)
    page = "https://slack.com/oauth/v2/authorize?client_id=1.1&scope=chat:write,commands&state=s1"
    back = slack.approve(page, zoe)
    code = re.search(r"code=(\w+)", back)
    assert code is not None

    async def access(**more: str) -> Any:
        # Not oauth_v2_access(): that uses what aiohttp has deprecated.
        asked = {"client_id": "1.1", "client_secret": "client-secret", "code": code[1], **more}
        return await AsyncWebClient(base_url=slack.api_url).api_call("oauth.v2.access", data=asked)

    assert back.startswith("https://bot.example.org/oauth?")
    assert "state=s1" in back
    assert await error(access(client_secret="x")) == "bad_client_secret"  # noqa: S106
    assert await error(access(redirect_uri="https://else.example.org")) == "bad_redirect_uri"
    told = await access()
    assert (told["team"]["id"], told["bot_user_id"]) == (beta.id, beta.bot.id)
    assert told["scope"] == "chat:write,commands"
    assert (await client_of(slack, told["access_token"]).auth_test())["team_id"] == beta.id
    assert await error(access()) == "invalid_code"
    assert await error(access(code="x")) == "invalid_code"


async def test_an_uninstalled_app_gets_a_new_token(town: Town) -> None:
    old = town.slack.token

    await town.client.apps_uninstall(client_id="1.1", client_secret="client-secret")  # noqa: S106

    assert await error(town.client.auth_test()) == "account_inactive"
    assert town.slack.install() != old


# -- the server itself


async def test_it_starts_at_once_and_leaves_hanging_calls_behind() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with SlackServer() as slack:
        started = loop.time() - began
        slack.fault("auth.test", Fault.silence())
        call = asyncio.ensure_future(client_of(slack, slack.token).auth_test())
        await slack.until(lambda: slack.calls)
        began = loop.time()
    stopped = loop.time() - began

    with pytest.raises((aiohttp.ClientError, SlackApiError)):
        await call
    assert started < 0.5
    assert stopped < 1


async def test_waiting_has_an_end(town: Town) -> None:
    with pytest.raises(TimeoutError, match="a miracle did not come within"):
        await town.slack.until(lambda: False, timeout=0.01, what="a miracle")
