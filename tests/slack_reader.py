"""Reads Block Kit as Slack shows it, and says which of Slack's rules it breaks.

The limits are in ``tests.slack_rules``; here is what text means: mrkdwn is parsed as the client
does, and markup that this program never writes counts as a fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.slack import render
from bot.views import Digest, Form, View
from tests import slack_rules, slack_text
from tests.reading import Posted, Reading

MESSAGE_TEXT = 12_000  # characters; we stay below what is refused
OPTION_VALUE = 75  # what all versions of the documentation allow

# docs.slack.dev/messaging/formatting-message-text
_TOKEN = re.compile(
    r"<(?P<tag>[^<>]*)>"
    r"|`(?P<code>[^`\n]+)`"
    r"|(?<!\w)\*(?P<bold>[^\s*](?:[^*\n]*[^\s*])?)\*(?!\w)"
    r"|(?P<loose>[*`]|(?<!\w)_[^\s_](?:[^_\n]*[^\s_])?_(?!\w)|~[^\s~](?:[^~\n]*[^\s~])?~"
    r"|:[\w+'-]+:)"
)
_QUOTATION = re.compile(r"^\s*(?:&gt;|>)", re.MULTILINE)
_AUTOMATIC = re.compile(r"https?://\S+|\S+@\S+\.\w+|(?<!\w)[@#]\w+|www\.\S+", re.IGNORECASE)


@dataclass(slots=True)
class SlackReader:
    platform: str = "slack"

    def read(self, view: View) -> Reading:
        if isinstance(view, Form):
            return read_view(render.modal(view, private_metadata="C1"))
        parts = render.digest(view) if isinstance(view, Digest) else []
        payloads = [part.payload for part in parts] or render.messages(view)
        pages = [_message(payload) for payload in payloads]
        posted = tuple(
            Posted(part.papers, tuple(page.links), part.threaded)
            for part, page in zip(parts, pages, strict=False)
        )
        return _together(pages, posted)


def read_view(view: Mapping[str, Any]) -> Reading:
    """A modal or a home tab."""
    page = _Page()
    page.broken += slack_rules.view_faults(view)
    if len(json.dumps(view)) > slack_rules.VIEW_BYTES:
        page.broken.append("the view is too large")
    if "title" in view:
        page.object(view["title"])
    page.read(view["blocks"])
    return _together([page], ())


def read_unfurl(found: Sequence[Mapping[str, Any]]) -> Reading:
    """A card below a link."""
    page = _Page()
    page.broken += slack_rules.block_faults(found, "unfurl")
    page.read(found)
    return _together([page], ())


def _message(payload: Mapping[str, Any]) -> _Page:
    page = _Page()
    page.notifications.append(payload["text"])
    page.broken += slack_rules.block_faults(payload["blocks"], "message")
    if slack_rules.text_length(payload["blocks"]) > MESSAGE_TEXT:
        page.broken.append("the message is too long")
    if not payload["blocks"]:
        page.broken.append("the message has no blocks")
    if len(payload["text"]) > 4000:
        page.broken.append("the notification is too long")
    if slack_text.mentions(payload["text"]) or slack_text.unescaped(payload["text"]):
        page.broken.append(f"the notification is not escaped: {payload['text']!r}")
    page.read(payload["blocks"])
    ids = [element["action_id"] for element in page.interactive]
    if len(set(ids)) < len(ids) or not all(re.fullmatch(r"say:\d+", each) for each in ids):
        page.broken.append(f"action ids: {ids}")
    return page


def _together(pages: Sequence[_Page], posted: tuple[Posted, ...]) -> Reading:
    return Reading(
        broken=tuple(each for page in pages for each in page.broken),
        text="\n".join(each for page in pages for each in page.text),
        strong="\n".join(each for page in pages for each in page.strong),
        links=tuple(each for page in pages for each in page.links),
        mentions=tuple(each for page in pages for each in page.mentions),
        channels=tuple(each for page in pages for each in page.channels),
        moments=tuple(each for page in pages for each in page.moments),
        sentences=tuple(each for page in pages for each, _ in page.said),
        labels=tuple(each for page in pages for _, each in page.said),
        notifications=tuple(each for page in pages for each in page.notifications),
        posted=posted,
        fields={name: value for page in pages for name, value in page.fields.items()},
    )


@dataclass(slots=True)
class _Page:
    """What one message or view shows."""

    broken: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    strong: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)  # sentence, label
    notifications: list[str] = field(default_factory=list)
    interactive: list[Mapping[str, Any]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)

    def read(self, blocks: Sequence[Mapping[str, Any]]) -> None:
        for block in blocks:
            match block["type"]:
                case "rich_text":
                    for part in block["elements"]:
                        self.rich(part)
                case "header" | "section":
                    self.objects([block.get("text"), *block.get("fields", ())])
                    self.interact([block["accessory"]] if "accessory" in block else [])
                case "context":
                    self.objects(block["elements"])
                case "actions":
                    self.interact(block["elements"])
                case "input":
                    self.objects([block["label"], block.get("hint")])
                    self.fields[block["block_id"]] = self.proposed(block["element"])
                case "divider":
                    pass
                case other:
                    self.broken.append(f"an unknown block: {other}")

    def interact(self, elements: Sequence[Mapping[str, Any]]) -> None:
        for element in elements:
            self.interactive.append(element)
            if element["type"] == "button":
                self.said.append((element["value"], element["text"]["text"]))
                continue
            for option in element["options"]:
                self.said.append((option["value"], option["text"]["text"]))
                if len(option["value"]) > OPTION_VALUE:
                    self.broken.append(f"a long option: {option['value']}")

    def proposed(self, element: Mapping[str, Any]) -> str:
        wanted = "zone" if element["type"] == "external_select" else "value"
        if element["action_id"] != wanted:
            self.broken.append(f"the action id of a question: {element['action_id']}")
        for name in ("initial_value", "initial_time"):
            if name in element:
                return str(element[name])
        if "initial_option" in element:
            return str(element["initial_option"]["value"])
        return ",".join(each["value"] for each in element.get("initial_options", ()))

    # texts

    def objects(self, found: Sequence[Mapping[str, Any] | None]) -> None:
        for each in found:
            if each is not None:
                self.object(each)

    def object(self, found: Mapping[str, Any]) -> None:
        if found["type"] == "plain_text":
            self.text.append(found["text"])  # emoji: false, so that it is what it is
            if found.get("emoji", True):
                self.broken.append("a plain text with emoji")
        else:
            self.mrkdwn(found["text"], verbatim=found.get("verbatim", False))
        if not found["text"].strip():
            self.broken.append("a blank text")

    def rich(self, part: Mapping[str, Any]) -> None:
        if part["type"] == "rich_text_list":
            for item in part["elements"]:
                self.rich(item)
            return
        shown = list(map(self.inline, part["elements"]))
        self.text.append("".join(shown))
        if not "".join(shown).strip():
            self.broken.append("a blank part of rich text")

    def inline(self, element: Mapping[str, Any]) -> str:
        shown = ""
        match element["type"]:
            case "text":
                shown = element["text"]
            case "link":
                self.links.append(element["url"])
                shown = element.get("text", element["url"])
            case "date":
                self.moments.append(datetime.fromtimestamp(element["timestamp"], UTC))
                shown = element["fallback"]
            case "channel":
                self.channels.append(element["channel_id"])
                shown = f"#{element['channel_id']}"
            case "emoji" if element["name"] == "warning":
                pass
            case kind:
                self.mentions.append(f"{kind}: {element}")
        if element.get("style", {}).get("bold"):
            self.strong.append(shown)
        return str(shown)

    def mrkdwn(self, text: str, *, verbatim: bool) -> None:
        self.text.append("".join(self.tokens(text, verbatim=verbatim)))
        if _QUOTATION.search(text):
            self.broken.append(f"a quotation that nobody meant: {text!r}")

    def tokens(self, text: str, *, verbatim: bool) -> Iterator[str]:
        at = 0
        for match in _TOKEN.finditer(text):
            yield self.words(text[at : match.start()], verbatim=verbatim)
            at = match.end()
            if match["loose"]:
                self.broken.append(f"markup that nobody meant: {match['loose']!r} in {text!r}")
            elif match["tag"] is not None:
                yield self.tag(match["tag"])
            elif match["code"]:
                yield self.words(match["code"], verbatim=True)
            else:
                bold = "".join(self.tokens(match["bold"], verbatim=verbatim))
                self.strong.append(bold)
                yield bold
        yield self.words(text[at:], verbatim=verbatim)

    def words(self, text: str, *, verbatim: bool) -> str:
        if not verbatim:
            self.links += _AUTOMATIC.findall(text)
        if found := slack_text.unescaped(text):
            self.broken.append(f"not escaped: {found!r} in {text!r}")
        return _unescaped(text)

    def tag(self, tag: str) -> str:
        target, _, shown = tag.partition("|")
        if re.fullmatch(r"https?://.+", target):
            self.links.append(_unescaped(target))
            return self.words(shown, verbatim=True) if shown else _unescaped(target)
        if match := re.fullmatch(r"!date\^(\d+)\^[^^]+", target):
            self.moments.append(datetime.fromtimestamp(int(match[1]), UTC))
            return self.words(shown, verbatim=True)
        if match := re.fullmatch(r"#(C\w+)", target):
            self.channels.append(match[1])
            return shown
        self.mentions.append(tag)
        return shown


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
