"""Texts of a message: what of them is markup, which mentions would fire, what is not escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.slack_state import Channel, Json

LONGEST_TEXT = 40_000  # slack_sdk/models/messages: cut there
# docs.slack.dev/messaging/formatting-message-text
_TAG = re.compile(r"<([^<>]*)>")
_MENTION = re.compile(
    r"(@[UW][A-Z0-9]*|!subteam\^\w+|!(?:here|channel|everyone))(\|.*)?", re.DOTALL
)
_CONTROL = re.compile(r"(#[CG]\w+|!date\^|https?://|mailto:|tel:|slack://)", re.IGNORECASE)
# Our reading: what ends like a domain that exists becomes a link, `cs.CL` and `stat.ML` too.
_ADDRESS = re.compile(
    r"https?://[^\s|]+|(?<![\w.@/<])(?:[\w-]+\.)+(?:ai|cl|co|com|cv|io|ml|net|org)\b(?:/[^\s|]*)?",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?<![\w<!])@(?:here|channel|everyone)\b")  # with link_names or parse=full


def mentions(text: str) -> list[str]:
    """The tags in it that notify people: ``<@U1>``, ``<!channel>``."""
    found = (_MENTION.fullmatch(tag) for tag in _TAG.findall(text))
    return [f"<{match[1]}>" for match in found if match]


def named_mentions(text: str) -> list[str]:
    return _NAMED.findall(text)


def unescaped(text: str) -> str | None:
    """The first ``&``, ``<`` or ``>`` outside of tags that is not written as an entity."""
    rest = _TAG.sub(lambda tag: "" if _is_control(tag[1]) else tag[0], text)
    rest = re.sub(r"^>+ ?", "", rest, flags=re.MULTILINE)  # a quoted line
    found = re.search(r"[<>]|&(?!(?:amp|lt|gt);)", rest)
    return found[0] if found else None


def _is_control(tag: str) -> bool:
    return bool(_CONTROL.match(tag) or _MENTION.fullmatch(tag))


def mrkdwn(blocks: Any) -> Iterator[Json]:
    """Everything in the blocks whose text is read as mrkdwn or markdown."""
    if isinstance(blocks, dict):
        if blocks.get("type") in ("mrkdwn", "markdown") and isinstance(blocks.get("text"), str):
            yield blocks
        for value in blocks.values():
            yield from mrkdwn(value)
    elif isinstance(blocks, list):
        for value in blocks:
            yield from mrkdwn(value)


def rich_mentions(blocks: Any) -> Iterator[str]:
    """The elements of rich text that notify people, as tags."""
    if isinstance(blocks, dict):
        match blocks:
            case {"type": "user", "user_id": str(user)}:
                yield f"<@{user}>"
            case {"type": "usergroup", "usergroup_id": str(group)}:
                yield f"<!subteam^{group}>"
            case {"type": "broadcast", "range": str(audience)}:
                yield f"<!{audience}>"
            case _:
                pass
        for value in blocks.values():
            yield from rich_mentions(value)
    elif isinstance(blocks, list):
        for value in blocks:
            yield from rich_mentions(value)


def typed(text: str) -> str:
    """What a person types as Slack hands it on: escaped, with addresses as tags.

    Mentions and channels are given as tags already, as the client makes them of ``@ann``.
    """
    parts = re.split(r"(<[@#!][^<>]*>|<https?://[^<>]*>)", text)
    for n in range(0, len(parts), 2):
        words = parts[n].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        parts[n] = _ADDRESS.sub(_linked, words)
    return "".join(parts)


def _linked(found: re.Match[str]) -> str:
    return f"<{found[0]}>" if "://" in found[0] else f"<http://{found[0]}|{found[0]}>"


class Taste:
    """What Slack takes and people then regret."""

    def __init__(self, dislike: Callable[[str], None], wanted: Container[str]) -> None:
        self._dislike = dislike
        self._wanted = wanted  # mentions that may fire

    def content(self, named: str, content: Mapping[str, Any], args: Mapping[str, Any]) -> None:
        if (content.get("blocks") or content.get("attachments")) and not content["text"].strip():
            self._dislike(f"fallback: {named}: no text beside the blocks, so no notification")
        if len(args.get("text") or "") > LONGEST_TEXT:
            self._dislike(f"cut: {named}: cut at {LONGEST_TEXT} characters")
        self.text(named, content["text"])
        self.blocks(named, content.get("blocks"))
        if args.get("link_names") or args.get("parse") == "full":
            self.fire(named, named_mentions(content["text"]))

    def blocks(self, named: str, blocks: Any) -> None:
        self.fire(named, rich_mentions(blocks))
        for found in mrkdwn(blocks):
            self.text(named, found["text"])
            if not found.get("verbatim"):
                # "Certain mentions will be automatically parsed" (reference/block-kit/
                # composition-objects/text-object); which ones is not told.
                self.fire(named, named_mentions(found["text"]))

    def text(self, named: str, text: str) -> None:
        self.fire(named, mentions(text))
        if (mark := unescaped(text)) is not None:
            self._dislike(f"escape: {named}: {mark!r} in {text[:80]!r}")

    def fire(self, named: str, tags: Iterable[str]) -> None:
        for tag in tags:
            if tag not in self._wanted:
                self._dislike(f"mention: {named}: {tag} would notify people")

    def unfurling(self, named: str, args: Mapping[str, Any]) -> None:
        for flag in ("unfurl_links", "unfurl_media"):
            if args.get(flag) is not False:
                self._dislike(f"unfurl: {named}: {flag} is not false")

    def pace(self, named: str, channel: Channel, now: datetime) -> None:
        posts = [m for m in channel.messages if m.app_id]
        if posts and now.timestamp() - float(posts[-1].ts) < 1:
            self._dislike(f"rate: {named}: more than one message a second")
