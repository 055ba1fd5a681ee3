"""The conversations.* methods, files.* and reactions.add of the local Slack."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from math import ceil

from tests.slack_api import PREFIX, Ask, serves
from tests.slack_methods import Refused
from tests.slack_state import Channel, File, Json, Message, User

LARGEST_PAGE = 999  # docs.slack.dev/reference/methods/conversations.history
UNLISTED_PAGE = 15
UNLISTED_WAIT = timedelta(minutes=1)
LONGEST_FILE = 1024**3
_KINDS = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}


@serves("conversations.info")
def _info(ask: Ask) -> Json:
    channel = ask.channel()
    ask.need_for(channel)
    told = channel.as_json(ask.bot.id)
    if ask.get("include_num_members"):
        told["num_members"] = len(channel.members)
    if ask.get("include_locale"):
        told["locale"] = "en-US"
    return {"channel": told}


@serves("conversations.members")
def _members(ask: Ask) -> Json:
    channel = ask.channel()
    ask.need_for(channel)
    page = ask.page(channel.members)
    return {"members": page.items, "response_metadata": page.metadata}


@serves("conversations.list")
def _list(ask: Ask) -> Json:
    return _listing(ask, [c for c in ask.slack.channels.values() if ask.sees(c)])


@serves("users.conversations")
def _of_user(ask: Ask) -> Json:
    user = ask.user(ask.get("user", ask.bot.id))
    # Our reading: of somebody else's private conversations, those that the bot is in.
    return _listing(
        ask, [c for c in ask.slack.channels.values() if user.id in c.members and ask.sees(c)]
    )


def _listing(ask: Ask, channels: Iterable[Channel]) -> Json:
    kinds = set()
    for word in ask.get("types", "public_channel").split(","):
        kind = _KINDS.get(word.strip())
        if kind is None:
            raise Refused("invalid_types")
        kinds.add(kind)
        ask.need(f"{PREFIX[kind]}:read")  # type: ignore[index]  # the values of _KINDS are Kinds
    page = ask.page(
        c
        for c in channels
        if c.kind in kinds and not (c.archived and ask.get("exclude_archived", False))
    )
    listed = [channel.as_json(ask.bot.id) for channel in page.items]
    return {"channels": listed, "response_metadata": page.metadata}


@serves("conversations.join")
def _join(ask: Ask) -> Json:
    channel = ask.channel()
    if channel.kind != "public":
        raise Refused("method_not_supported_for_channel_type")
    if channel.archived:
        raise Refused("is_archived")
    told: Json = {}
    if ask.bot.id in channel.members:
        told = {"warning": "already_in_channel"}
    else:
        channel.members.append(ask.bot.id)
    return {"channel": channel.as_json(ask.bot.id), **told}


@serves("conversations.open")
def _open(ask: Ask) -> Json:
    if name := ask.get("channel"):
        channel = ask.slack.channels.get(name)
        if channel is None or not ask.sees(channel):
            raise Refused("channel_not_found")
    else:
        people = [word for word in ask.get("users", "").split(",") if word]
        if not people:
            raise Refused("users_list_not_supplied")
        if len(people) > 8:
            raise Refused("too_many_users")
        users = [reachable(ask, user) for user in people]
        ask.need("im:write" if len(users) == 1 else "mpim:write")
        channel = _conversation_of(ask, users)
    short: Json = {"id": channel.id}
    return {"channel": channel.as_json(ask.bot.id) if ask.get("return_im") else short}


def reachable(ask: Ask, user_id: str) -> User:
    """A person whom the bot may write to directly."""
    user = ask.user(user_id)
    if user.role == "bot":
        raise Refused("cannot_dm_bot")
    if user.deleted:
        raise Refused("user_disabled")
    return user


def _conversation_of(ask: Ask, users: list[User]) -> Channel:
    if len(users) == 1:
        return ask.slack.im(ask.workspace, users[0].id)
    members = {ask.bot.id, *(user.id for user in users)}
    for channel in ask.slack.channels.values():
        if channel.kind == "mpim" and set(channel.members) == members:
            return channel
    name = "mpdm-" + "--".join(user.name for user in users) + "-1"
    return ask.slack.add_channel(
        Channel(ask.slack.new_id("C"), name, ask.workspace.id, "mpim", members=sorted(members))
    )


def readable(ask: Ask) -> Channel:
    channel = ask.channel()
    ask.need_for(channel)
    if ask.bot.id not in channel.members:
        raise Refused("not_in_channel")
    return channel


@serves("conversations.history")
def _history(ask: Ask) -> Json:
    channel = readable(ask)
    top = [m for m in channel.messages if m.thread_ts in (None, m.ts)]
    return _messages(ask, sorted(_between(ask, top), key=lambda m: m.ts, reverse=True), channel)


@serves("conversations.replies")
def _replies(ask: Ask) -> Json:
    channel = readable(ask)
    ts = ask.get("ts")
    if not any(m.ts == ts for m in channel.messages if not m.deleted):
        raise Refused("thread_not_found")
    thread = [m for m in channel.messages if ts in (m.ts, m.thread_ts)]
    parent = [m for m in thread if m.ts == ts]  # comes whatever the bounds are
    replies = [m for m in _between(ask, thread) if m.ts != ts]
    return _messages(ask, parent + sorted(replies, key=lambda m: m.ts), channel)


def _between(ask: Ask, messages: list[Message]) -> list[Message]:
    bounds = {}
    for name in ("oldest", "latest"):
        value = ask.get(name)
        if value is None or value == "now":
            continue
        if not re.fullmatch(r"\d+(\.\d+)?", value):
            raise Refused(f"invalid_ts_{name}")
        bounds[name] = float(value)
    # Our reading of `inclusive`: it holds for both ends.
    inclusive = ask.get("inclusive", False)

    def holds(message: Message) -> bool:
        at = float(message.ts)
        after, before = bounds.get("oldest", 0.0), bounds.get("latest", float("inf"))
        return after < at < before or (inclusive and at in (after, before))

    return [m for m in messages if not m.deleted and holds(m)]


def _take_turn(ask: Ask) -> None:
    """docs.slack.dev/apis/web-api/rate-limits, of 2025-05-29; our reading: a larger limit is cut."""
    of, now = (ask.method.name, ask.workspace.id), ask.slack.clock()
    if (
        of in ask.slack.read_at
        and (left := ask.slack.read_at[of] + UNLISTED_WAIT - now) > timedelta()
    ):
        raise Refused("ratelimited", retry_after=ceil(left.total_seconds()))
    ask.slack.read_at[of] = now
    ask.args["limit"] = min(ask.get("limit", UNLISTED_PAGE), UNLISTED_PAGE)


def _messages(ask: Ask, messages: list[Message], channel: Channel) -> Json:
    if ask.slack.app.is_unlisted:
        _take_turn(ask)
    page = ask.page(messages, most=LARGEST_PAGE + 1)
    metadata = ask.get("include_all_metadata", False)
    told = []
    for message in page.items:
        replies = [m for m in channel.messages if m.thread_ts == message.ts and not m.deleted]
        counted = {"reply_count": len(replies)} if replies and message.thread_ts is None else {}
        told.append(message.as_json(with_metadata=metadata) | counted)
    return {
        "messages": told,
        "has_more": bool(page.after),
        "pin_count": 0,
        "response_metadata": page.metadata,
    }


@serves("reactions.add")
def _react(ask: Ask) -> Json:
    message = ask.channel().message(ask.get("timestamp"))
    if message is None:
        raise Refused("message_not_found")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", ask.get("name")):
        raise Refused("invalid_name")
    if ask.get("name") in message.reactions:
        raise Refused("already_reacted")
    message.reactions.append(ask.get("name"))
    return {}


# -- files


@serves("files.getUploadURLExternal")
def _upload_url(ask: Ask) -> Json:
    if not ask.get("filename") or not 0 < ask.get("length") <= LONGEST_FILE:
        raise Refused("invalid_arguments", "must have a name and a length")
    file = File(ask.slack.new_id("F"), ask.get("filename"), ask.get("length"))
    file.team, file.user = ask.workspace.id, ask.bot.id
    ask.slack.files[file.id] = file
    return {"upload_url": f"{ask.address}/upload/v1/{file.id}", "file_id": file.id}


@serves("files.completeUploadExternal")
def _complete(ask: Ask) -> Json:
    files = []
    for entry in ask.get("files"):
        if not isinstance(entry, dict) or set(entry) - {"id", "title", "highlight_type"}:
            raise Refused("invalid_arguments", "must provide id and title [json-pointer:/files]")
        file = ask.slack.files.get(str(entry.get("id")))
        if file is None or file.content is None or file.complete or file.team != ask.token.team:
            raise Refused("file_not_found")
        file.title = entry.get("title") or file.name
        files.append(file)
    if not files:
        raise Refused("invalid_arguments", "no files [json-pointer:/files]")
    channels = _targets(ask)
    for file in files:
        file.complete = True
        file.channels = [channel.id for channel in channels]
    for channel in channels:
        ask.slack.say(
            channel, ask.bot, ask.get("initial_comment", ""),
            files=[file.as_json(ask.slack.channels) for file in files], thread_ts=ask.get("thread_ts"),
            bot_id=ask.bot.bot_id, app_id=ask.slack.app.id, blocks=ask.get("blocks", []),
        )  # fmt: skip
    return {"files": [file.as_json(ask.slack.channels) for file in files]}


def _targets(ask: Ask) -> list[Channel]:
    names = [ask.get("channel_id"), *ask.get("channels", "").split(",")]
    channels = []
    for name in filter(None, names):
        # Ids of channels and direct messages only: a person's id is no address here.
        channel = ask.slack.channels.get(name)
        if channel is None or not ask.sees(channel):
            raise Refused("channel_not_found")
        if channel.archived:
            raise Refused("is_archived")
        if ask.bot.id not in channel.members:
            raise Refused("not_in_channel")
        channels.append(channel)
    return channels


@serves("files.info")
def _file_info(ask: Ask) -> Json:
    file = ask.slack.files.get(ask.get("file"))
    if file is None or not file.complete or file.team != ask.token.team:
        raise Refused("file_not_found")
    return {
        "file": file.as_json(ask.slack.channels),
        "comments": [],
        "response_metadata": {"next_cursor": ""},
    }
