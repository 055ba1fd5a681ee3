"""What people are shown on Discord: messages read back, with markdown as its clients parse it.

The rules of the markdown follow those of the desktop client (simple-markdown and Discord's own), in
their order. Within the words of a link no backslash escapes (discord-api-docs#6185), and an emoji, a
mention or an address there undoes the link (#7510, #7721).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from adapters.discord import render
from bot.views import Digest, Document, Form, View
from tests.discord_description import DESCRIPTION
from tests.discord_rules import (
    HEAVIEST,
    LABEL,
    SELECT,
    TEXT,
    V2_TEXT,
    message_problems,
    modal_problems,
    weight,
)
from tests.discord_state import COMPONENTS_V2, Json, walk
from tests.reading import Posted, Reading

PREFIX = "papers:"
MESSAGE = "POST /channels/{channel_id}/messages"


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of parsed markdown: its text, or what is inside; *target* is an address or an id."""

    kind: str
    text: str = ""
    inside: tuple[Node, ...] = ()
    target: str = ""


_LINK = re.compile(
    r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]"
    r"\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['\"]([\s\S]*?)['\"])?\s*\)"
)
_ADDRESS = r"(?:https?|steam|discord)://[^\s<]+[^<.,:;\"'\]\s]"
_INVITE = r"\b(?:discord\.gg|discord(?:app)?\.com/invite|discord\.new)/[\w-]{2,}"
_EMOJI = re.compile(
    "[\u231a\u231b\u23e9-\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab"
    "\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2-\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728"
    "\u274c\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55\ufe0f"
    "\U0001f004\U0001f0cf\U0001f18e\U0001f191-\U0001f19a\U0001f1e6-\U0001f1ff\U0001f201"
    "\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001faff]"
)

# kind, whether only at the beginning of a line, pattern; the first that fits counts
_RULES: tuple[tuple[str, bool, re.Pattern[str]], ...] = tuple(
    (kind, at_start, re.compile(pattern, re.DOTALL))
    for kind, at_start, pattern in (
        ("block", False, r"```(?:[a-z0-9_+\-.#]+?\n)?\n*([^\n].*?)\n*```"),
        ("heading", True, r" *#{1,3}\s+((?!#)[^\n]+?)#*\s*(?:\n|$)"),
        ("small", True, r" *-#\s+((?!-#)[^\n]+?)\s*(?:\n|$)"),
        ("quote", True, r" *>>> (.*)|( *> [^\n]*\n?)"),
        ("item", True, r" *(?:[*-]|\d+\.) +([^\n]*)(?:\n|$)"),
        ("escape", False, r"\\([^0-9A-Za-z\s])"),
        ("url", False, r"<([^ :>]+:/[^ >]+)>"),
        ("url", False, r"<((?:mailto:)?[^\s<>@]+@[^\s<>]+\.[^\s<>]+)>"),
        ("url", False, r"<(\+\d[\d -]+|(?:tel|sms):[^ >]+)>"),
        ("url", False, f"({_ADDRESS})"),
        ("url", False, f"({_INVITE})"),
        ("mention", False, r"<@[!&]?(\d+)>"),
        ("mention", False, r"@(everyone|here)"),
        ("channel", False, r"<#(\d+)>"),
        ("time", False, r"<t:(-?\d+)(?::[tTdDfFR])?>"),
        ("command", False, r"<(/[^:>]+:\d+)>"),
        ("guide", False, r"<(id:[^>]+)>"),
        ("emoji", False, r"<(a?:\w+:\d+)>"),
        ("emoji", False, r":([\w+-]+):"),
        ("strong", False, r"\*\*((?:\\.|[^\\])+?)\*\*(?!\*)"),
        ("under", False, r"__((?:\\.|[^\\])+?)__(?!_)"),
        ("em", False, r"_((?:__|\\.|[^\\_])+?)_\b"),
        ("em", False, r"\*(?=\S)((?:\*\*|\\.|\s+(?:\\.|[^\s*\\]|\*\*)|[^\s*\\])+?)\*(?!\*)"),
        ("strike", False, r"~~(.+?)~~(?!_)"),
        ("spoiler", False, r"\|\|(.+?)\|\|"),
        ("code", False, r"(?P<ticks>`+)(.*?[^`])(?P=ticks)(?!`)"),
    )
)
_NESTED = {"heading", "small", "item", "strong", "under", "em", "strike", "spoiler"}
_IN_LINKS = {"strong", "under", "em", "strike", "spoiler", "code"}


# where something else than plain text may begin
_SPECIAL = re.compile(rf"[\\\[<`*_~|@:\n]|{_ADDRESS}|{_INVITE}")


def parse(text: str, *, nested: bool = False) -> tuple[Node, ...]:
    """What a client makes of it; *nested* in a line of its own already."""
    nodes: list[Node] = []
    plain: list[str] = []
    at = 0
    while at < len(text):
        starts_line = not nested and (at == 0 or text[at - 1] == "\n")
        special = _SPECIAL.search(text, at)
        found = _first(text, at, starts_line) if starts_line or _is_at(special, at) else None
        if found is None:
            end = special.start() if special and special.start() > at else at + 1
            if special is None:
                end = len(text)
            if not nested and (line := text.find("\n", at, end)) >= 0:
                end = line + 1
            plain.append(text[at:end])
            at = end
            continue
        node, at = found
        if node.kind == "escape":
            plain.append(node.target)
            continue
        if plain:
            nodes.append(Node("text", "".join(plain)))
            plain.clear()
        nodes.append(node)
    if plain:
        nodes.append(Node("text", "".join(plain)))
    return tuple(nodes)


def _is_at(found: re.Match[str] | None, at: int) -> bool:
    return found is not None and found.start() == at


def _first(text: str, at: int, starts_line: bool) -> tuple[Node, int] | None:
    """What begins there, and where it ends."""
    if (found := _LINK.match(text, at)) and (link := _link(found)):
        return link, found.end()
    for kind, at_start, pattern in _RULES:
        if (at_start and not starts_line) or not (found := pattern.match(text, at)):
            continue
        inner = next(group for group in reversed(found.groups()) if group is not None)
        if kind in _NESTED:
            return Node(kind, found[0], parse(inner, nested=True)), found.end()
        if kind in ("code", "block", "quote"):
            return Node(kind, inner), found.end()
        return Node(kind, found[0], target=inner), found.end()
    return None


def _link(found: re.Match[str]) -> Node | None:
    """A masked link, or what a client leaves of it: nothing that is live."""
    words, target = found[1], found[2]
    if urlsplit(target).scheme not in ("http", "https", "discord") or not words.strip():
        return None
    inside = tuple(_words(words))
    if any(node.kind == "dead" for node in inside):
        return Node("dead", found[0])
    return Node("link", words, inside, target)


def _words(words: str) -> Iterator[Node]:
    """The words of a link: styles, but no escapes; "dead" is what undoes the link."""
    plain = ""
    at = 0
    while at < len(words):
        kind, found = _within(words, at)
        if found is None:
            if _EMOJI.match(words[at]):
                yield Node("dead", words[at])
            plain += words[at]
            at += 1
            continue
        if plain:
            yield Node("text", plain)
            plain = ""
        at = found.end()
        inner = found[found.lastindex or 0]
        if kind not in _IN_LINKS:
            yield Node("dead", found[0])
            continue
        inside = (Node("text", inner),) if kind == "code" else tuple(_words(inner))
        yield from (node for node in inside if node.kind == "dead")
        yield Node(kind, inner, inside)
    if plain:
        yield Node("text", plain)


def _within(words: str, at: int) -> tuple[str, re.Match[str] | None]:
    for kind, at_start, pattern in _RULES:
        if not at_start and kind != "escape" and (found := pattern.match(words, at)):
            return kind, found
    return "", None


@dataclass(slots=True)
class Shown:
    """What a text shows; *faults* is what nobody meant."""

    text: list[str] = field(default_factory=list)
    strong: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def read(self, content: str) -> None:
        self._nodes(parse(content), strong=False, in_link=False)
        self.text.append("\n")

    def _nodes(self, nodes: Sequence[Node], *, strong: bool, in_link: bool) -> None:
        for node in nodes:
            self._node(node, strong=strong, in_link=in_link)

    def _node(self, node: Node, *, strong: bool, in_link: bool) -> None:
        match node.kind:
            case "text" | "code" | "block":
                self.text.append(node.text)
                if strong:
                    self.strong.append(node.text)
                if in_link and "\\" in node.text:
                    self.faults.append(f"a backslash is shown in the link {node.text!r}")
            case "strong":
                self._nodes(node.inside, strong=True, in_link=in_link)
            case "under" | "small":
                self._nodes(node.inside, strong=strong, in_link=in_link)
            case "heading":
                if not node.text.lstrip().startswith("### "):
                    self.faults.append(f"a heading that nobody meant: {node.text!r}")
                self._nodes(node.inside, strong=True, in_link=in_link)
            case "item":
                if node.inside[:1] and node.inside[0].kind != "link":
                    self.faults.append(f"a list that nobody meant: {node.text!r}")
                self._nodes(node.inside, strong=strong, in_link=in_link)
            case "link":
                self.links.append(node.target.replace("%28", "(").replace("%29", ")"))
                self._nodes(node.inside, strong=strong, in_link=True)
                if not _is_honest(_plain(node.inside), node.target):
                    self.faults.append(f"{node.text!r} leads to {node.target}")
            case "url":
                self.links.append(node.target)
                self.text.append(node.target)
            case "mention":
                self.mentions.append(node.target)
            case "channel":
                self.channels.append(node.target)
            case "time":
                self.moments.append(datetime.fromtimestamp(int(node.target), UTC))
            case kind:
                self.faults.append(f"{kind}: {node.text!r}")
                self.text.append(node.text)


def _plain(nodes: Sequence[Node]) -> str:
    return "".join(
        node.text if node.kind in ("text", "code") else _plain(node.inside) for node in nodes
    )


def _is_honest(words: str, target: str) -> bool:
    """Words that look like an address lead there."""
    found = re.search(r"\w+://([^\s/]+)", words)
    return found is None or found[1] == urlsplit(target).netloc


@dataclass(frozen=True, slots=True)
class DiscordReader:
    """*described* bodies are held against Discord's own description as well, which takes its time."""

    platform: str = "discord"
    described: bool = False

    def read(self, view: View) -> Reading:
        match view:
            case Form():
                return self._form(view)
            case Document():
                return Reading((), f"{view.name}\n{view.content}")
            case Digest():
                return self._digest(view)
            case _:
                return self._messages(render.messages(view))

    def _digest(self, digest: Digest) -> Reading:
        parts = render.digest(digest)
        read = [self._messages([part.payload], digest.ping) for part in parts]
        posted = [
            Posted(part.papers, each.links, part.threaded)
            for part, each in zip(parts, read, strict=True)
        ]
        return replace(_together(read), posted=tuple(posted))

    def _messages(self, payloads: Sequence[Json], ping: str = "") -> Reading:
        shown = Shown()
        broken: list[str] = []
        for payload in payloads:
            broken += self._faults(payload, ping)
            for component in walk(payload["components"]):
                if component["type"] == TEXT:
                    shown.read(component["content"])
        clicks = [c for payload in payloads for c in clickables(payload["components"])]
        return _reading(shown, broken, clicks)

    def _faults(self, payload: Json, ping: str) -> Iterator[str]:
        yield from map(str, message_problems(payload))
        yield from _unsendable(payload)
        if self.described:
            found = DESCRIPTION.problems(MESSAGE, payload)
            yield from map(str, found)
        if weight(payload["components"]) > HEAVIEST:
            yield "too many bytes"
        if not payload["flags"] & COMPONENTS_V2:
            yield "no message of components"
        units = sum(
            len(each["content"].encode("utf-16-le", "surrogatepass")) // 2
            for each in walk(payload["components"])
            if each["type"] == TEXT
        )
        if units > V2_TEXT:
            yield f"{units} units of text"
        allowed = payload["allowed_mentions"]
        roles = allowed.get("roles", [])
        if allowed != {"parse": []} | ({"roles": [ping]} if roles else {}):
            yield f"somebody may be called: {allowed}"

    def _form(self, form: Form) -> Reading:
        data = render.modal(form, "papers-form:test")
        shown = Shown()
        shown.text.append(f"{data['title']}\n")
        fields: dict[str, str] = {}
        for component in data["components"]:
            if component["type"] == TEXT:
                shown.read(component["content"])
            else:
                assert component["type"] == LABEL
                shown.text.append(f"{component['label']}\n{component.get('description', '')}\n")
                asked = component["component"]
                fields[asked["custom_id"]] = proposed(asked)
        noted = _reading(shown, [*map(str, modal_problems(data)), *_unsendable(data)], [])
        return replace(_together([noted, self._messages(render.beside(form))]), fields=fields)


def _together(readings: Sequence[Reading]) -> Reading:
    def joined(name: str) -> Any:
        return tuple(each for reading in readings for each in getattr(reading, name))

    return Reading(
        joined("broken"),
        "".join(reading.text for reading in readings),
        "".join(reading.strong for reading in readings),
        *map(joined, ("links", "mentions", "channels", "moments", "sentences", "labels")),
    )


def _reading(shown: Shown, broken: Sequence[str], clicks: Sequence[tuple[str, str]]) -> Reading:
    return Reading(
        (*broken, *shown.faults),
        "".join(shown.text),
        "".join(shown.strong),
        tuple(shown.links),
        tuple(shown.mentions),
        tuple(shown.channels),
        tuple(shown.moments),
        tuple(sentence for sentence, _ in clicks),
        tuple(label for _, label in clicks),
    )


# controls, directions, halves of a pair
_UNSENT = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def _unsendable(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        if found := _UNSENT.search(body):
            yield f"what no text holds: {found[0]!r}"
    elif isinstance(body, dict):
        yield from _unsendable([*body.values()])
    elif isinstance(body, list):
        for each in body:
            yield from _unsendable(each)


def clickables(components: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """What each button and each choice says, and its label."""
    for component in walk(components):
        custom_id = component.get("custom_id", "")
        if not custom_id:
            continue
        assert custom_id.startswith(PREFIX)
        if component["type"] == SELECT:
            for option in component["options"]:
                yield sentence(option["value"]), option["label"]
        else:
            yield sentence(custom_id.removeprefix(PREFIX)), component["label"]


def sentence(said: str) -> str:
    """Without the number that tells two of one sentence apart."""
    return re.sub(r"#\d+\Z", "", said)


def proposed(asked: Mapping[str, Any]) -> str:
    if asked["type"] == SELECT:
        return ",".join(option["value"] for option in asked["options"] if option.get("default"))
    return str(asked.get("value", ""))
