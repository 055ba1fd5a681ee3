"""The chat.* methods of the local Slack, response_url, and what a message may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.slack_api import Ask, serves
from tests.slack_conversations import reachable
from tests.slack_methods import Refused
from tests.slack_rules import ALL_BLOCKS_TEXT, MARKDOWN_TEXT, block_faults, text_length
from tests.slack_state import Channel, Json, Message, size
from tests.slack_text import LONGEST_TEXT

LONGEST_UPDATE = 4_000  # docs.slack.dev/reference/methods/chat.update
METADATA_BYTES = 8_192  # our reading: metadata_too_large exists, its size is not published
MOST_ATTACHMENTS = 100
UNFURL_KEYS = {
    "blocks",
    "text",
    "title",
    "title_link",
    "fallback",
    "color",
    "preview",
    "hide_color",
}


def check_content(args: Mapping[str, Any]) -> Json:
    """The parts of a message that is to be shown, or Refused."""
    text = args.get("text")
    if text is not None and not isinstance(text, str):
        raise Refused("invalid_arguments", "must provide a string [json-pointer:/text]")
    blocks = args.get("blocks") or []
    attachments = args.get("attachments") or []
    marked = args.get("markdown_text")
    if marked and (text or blocks):
        raise Refused("markdown_text_conflict")
    if marked and len(marked) > MARKDOWN_TEXT:
        raise Refused("msg_too_long")
    if not (text or blocks or attachments or marked):
        raise Refused("no_text")
    if faults := block_faults(blocks, "message"):
        raise Refused("invalid_blocks", *faults)
    if text_length(blocks) >= ALL_BLOCKS_TEXT:
        raise Refused("msg_blocks_too_long")
    if not isinstance(attachments, list) or len(attachments) > MOST_ATTACHMENTS:
        raise Refused("too_many_attachments")
    for n, attachment in enumerate(attachments):
        inner = attachment.get("blocks", []) if isinstance(attachment, dict) else None
        if inner is None or (faults := block_faults(inner, "message", f"/attachments/{n}/blocks")):
            raise Refused("invalid_attachments", *faults)
    return {
        "text": (text or marked or "")[:LONGEST_TEXT],
        "blocks": with_ids(blocks),
        "attachments": list(attachments),
    }


def with_ids(blocks: Sequence[Json]) -> list[Json]:
    """Slack names the blocks and the elements that the app left without a name."""
    named = []
    for n, block in enumerate(blocks):
        block = {"block_id": f"b{n}", **block}
        inner = block.get("elements", []) if block["type"] == "actions" else []
        if inner:
            block["elements"] = [
                {"action_id": f"a{n}-{m}", **element} for m, element in enumerate(inner)
            ]
        for name in ("accessory", "element"):
            if name in block and block[name]["type"] != "image":
                block[name] = {"action_id": f"a{n}", **block[name]}
        named.append(block)
    return named


def _metadata(args: Mapping[str, Any]) -> Json | None:
    metadata = args.get("metadata")
    if not metadata:
        return None
    if (
        set(metadata) - {"event_type", "event_payload", "entities"}
        or not isinstance(metadata.get("event_type"), str)
        or not metadata["event_type"]
        or not isinstance(metadata.get("event_payload"), dict)
    ):
        raise Refused("invalid_metadata_format")
    if size(metadata) > METADATA_BYTES:
        raise Refused("metadata_too_large")
    return dict(metadata)


def _address(ask: Ask) -> Channel:
    """Where a post goes: a channel's id; a person's id for direct messages; a name, disliked."""
    given = ask.get("channel")
    if given in ask.slack.users:
        user = reachable(ask, given)
        return ask.slack.im(ask.workspace, user.id)
    for channel in ask.slack.channels.values():
        if channel.name and channel.name == given.removeprefix("#") and ask.sees(channel):
            ask.dislike(
                f"name: {ask.method.name}: #{channel.name} by name; names change, ids do not"
            )
            return channel
    return ask.channel()


def _post_to(ask: Ask, channel: Channel) -> None:
    if channel.archived:
        raise Refused("is_archived")
    if ask.bot.id not in channel.members:
        public = channel.kind == "public" and ask.workspace.id == channel.team
        # A bot may write where it is not, but not to another workspace's shared channel.
        if not (public and "chat:write.public" in ask.token.scopes):
            raise Refused("not_in_channel")
    if ts := ask.get("thread_ts"):
        # Our reading: Slack has no error of its own for a thread that does not exist.
        parent = channel.message(ts)
        if parent is None or parent.thread_ts not in (None, parent.ts):
            raise Refused("cannot_reply_to_message")


@serves("chat.postMessage")
def _post(ask: Ask) -> Json:
    channel = _address(ask)
    _post_to(ask, channel)
    content = check_content(ask.args)
    metadata = _metadata(ask.args)
    taste, named = ask.taste, f"chat.postMessage {channel.id}"
    taste.content(named, content, ask.args)
    taste.unfurling(named, ask.args)
    taste.pace(named, channel, ask.slack.clock())
    message = ask.slack.say(
        channel,
        ask.bot,
        **content,
        thread_ts=ask.get("thread_ts"),
        bot_id=ask.bot.bot_id,
        app_id=ask.slack.app.id,
        metadata=metadata,
    )
    told = message.as_json(with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": told}


@serves("chat.postEphemeral")
def _post_ephemeral(ask: Ask) -> Json:
    channel = ask.channel()
    if channel.archived:
        raise Refused("is_archived")
    if ask.bot.id not in channel.members:
        # Our reading: chat:write.public says "post messages"; an ephemeral needs membership.
        raise Refused("not_in_channel")
    if ask.get("user") not in channel.members:
        raise Refused("user_not_in_channel")
    content = check_content(ask.args)
    ask.taste.content(f"chat.postEphemeral {channel.id}", content, ask.args)
    message = ask.slack.say(
        channel,
        ask.bot,
        **content,
        thread_ts=ask.get("thread_ts"),
        bot_id=ask.bot.bot_id,
        app_id=ask.slack.app.id,
        only_for=ask.get("user"),
    )
    return {"message_ts": message.ts}


def _own(ask: Ask, error: str) -> tuple[Channel, Message]:
    channel = ask.channel()
    message = channel.message(ask.get("ts"))
    if message is None:
        raise Refused("message_not_found")
    if message.user != ask.token.user:
        raise Refused(error)
    return channel, message


@serves("chat.update")
def _update(ask: Ask) -> Json:
    if len(ask.get("text", "")) > LONGEST_UPDATE:
        raise Refused("msg_too_long")
    channel, message = _own(ask, "cant_update_message")
    if channel.archived:
        raise Refused("is_archived")
    content = check_content(ask.args)
    metadata = _metadata(ask.args)
    ask.taste.content(f"chat.update {channel.id}", content, ask.args)
    message.text = content["text"]
    if ask.get("blocks") is not None or ask.get("text") is not None:
        message.blocks = content["blocks"]  # a text alone takes the old blocks away
    if ask.get("attachments") is not None:
        message.attachments = content["attachments"]
    message.metadata = metadata or message.metadata
    message.edited = ask.slack.ts(channel)
    told = message.as_json()
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": told}


@serves("chat.delete")
def _delete(ask: Ask) -> Json:
    channel, message = _own(ask, "cant_delete_message")
    message.deleted = True
    return {"channel": channel.id, "ts": message.ts}


@serves("chat.getPermalink")
def _permalink(ask: Ask) -> Json:
    channel = ask.channel()
    message = channel.message(ask.get("message_ts"))
    if message is None:
        raise Refused("message_not_found")
    place = f"archives/{channel.id}/p{message.ts.replace('.', '')}"
    link = f"https://{ask.workspace.domain}.slack.com/{place}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


@serves("chat.unfurl")
def _unfurl(ask: Ask) -> Json:
    message = _linking(ask)
    if not ask.get("unfurls"):
        raise Refused("missing_unfurls")
    for url, unfurl in ask.get("unfurls").items():
        if url not in message.links:
            raise Refused("cannot_unfurl_url")
        if not isinstance(unfurl, dict) or set(unfurl) - UNFURL_KEYS:
            raise Refused("invalid_unfurls_format")
        blocks = unfurl.get("blocks", [])
        if faults := block_faults(blocks, "unfurl"):
            raise Refused("invalid_blocks", *faults)
        ask.taste.text("chat.unfurl", unfurl.get("text", ""))
        ask.taste.blocks("chat.unfurl", blocks)
        message.unfurls[url] = unfurl
    return {}


def _linking(ask: Ask) -> Message:
    if unfurl_id := ask.get("unfurl_id"):
        if not ask.get("source"):
            raise Refused("missing_source")
        found = ask.slack.unfurls.get(unfurl_id)
        if found is None:
            raise Refused("invalid_unfurl_id")
        return found
    if not ask.get("channel"):
        raise Refused("missing_channel")
    if not ask.get("ts"):
        raise Refused("missing_ts")
    channel = ask.slack.channels.get(ask.get("channel"))
    if channel is None or not ask.sees(channel):
        raise Refused("cannot_find_channel")
    message = channel.message(ask.get("ts"))
    if message is None:
        raise Refused("cannot_find_message")
    return message
