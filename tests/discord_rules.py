"""What Discord refuses in a body: the documented limits, with its codes and nested errors.

They stand in the pages "create message", "components", "receiving and responding", and
"application commands" of its documentation. Error codes of fields (``BASE_TYPE_MAX_LENGTH`` …) are
nowhere listed there: they are as seen in the wild.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.discord_state import COMPONENTS_V2, Json, walk

Path = tuple[str | int, ...]
Problem = tuple[Path, str, str]
"""Where, which code, what it says."""

ROW, BUTTON, SELECT, INPUT = 1, 2, 3, 4
SELECTS = (3, 5, 6, 7, 8)
TEXT, LABEL = 10, 18
LINK, PREMIUM = 5, 6  # styles of buttons
MESSAGE_TOTAL_EMBEDS, V2_COMPONENTS, V2_TEXT = 6000, 40, 4000
LARGEST_FILE, LARGEST_REQUEST = 10 << 20, 25 << 20
HEAVIEST = 10_170  # bytes (discord-api-docs#8554)
COMMAND_TOTAL = 8000
CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
MOST_COMMANDS = {CHAT_INPUT: 100, USER_MENU: 15, MESSAGE_MENU: 15}
COMMAND_NAME = re.compile(r"^[-_'\w]{1,32}$")  # \w: letters and digits of all scripts

MESSAGES = {
    10003: "Unknown Channel", 10004: "Unknown Guild", 10007: "Unknown Member",
    10008: "Unknown Message", 10013: "Unknown User", 10015: "Unknown Webhook",
    10062: "Unknown interaction", 10063: "Unknown application command", 10087: "Unknown Tag",
    30032: "Maximum number of application commands reached",
    30034: "Max number of daily application command creates has been reached (200)",
    40003: "You are opening direct messages too fast.",
    40004: "Send messages has been temporarily disabled",
    40005: "Request entity too large", 40060: "Interaction has already been acknowledged.",
    40058: "Cannot send a message in a forum channel",
    40333: "internal network error",
    40067: "A tag is required to create a forum post in this channel",
    50001: "Missing Access", 50005: "Cannot edit a message authored by another user",
    50006: "Cannot send an empty message", 50007: "Cannot send messages to this user",
    50013: "Missing Permissions", 50024: "Cannot execute action on this channel type",
    50027: "Invalid Webhook Token", 50033: "Invalid Recipient(s)", 50035: "Invalid Form Body",
    50083: "Thread is archived", 50109: "The request body contains invalid JSON.",
    130000: "API resource is currently overloaded. Try again a little later",
    160004: "A thread has already been created for this message",
}  # fmt: skip


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(
        self, status: int, code: int = 0, message: str = "", errors: Json | None = None
    ) -> None:
        self.status, self.code = status, code
        self.message = message or MESSAGES.get(code, f"{status}: refused")
        self.errors = errors
        self.headers: dict[str, str] = {}
        super().__init__(f"{status} ({code}): {self.message} {errors or ''}")

    def json(self) -> Json:
        return {"message": self.message, "code": self.code} | (
            {"errors": self.errors} if self.errors else {}
        )


def refuse_if(problems: Iterable[Problem]) -> None:
    """Raise 50035 with the problems nested by their paths, as Discord does."""
    errors: Json = {}
    for path, code, message in problems:
        place = errors
        for step in path:
            place = place.setdefault(str(step), {})
        listed = place.setdefault("_errors", [])
        if not any(known["code"] == code for known in listed):
            listed.append({"code": code, "message": message})
    if errors:
        raise Refused(400, 50035, errors=errors)


def required(path: Path) -> Problem:
    return path, "BASE_TYPE_REQUIRED", "This field is required"


def refuse_if_heavy(body: Json) -> None:
    """Discord breaks down over it, and says no more than that."""
    if weight(body.get("components") or []) > HEAVIEST:
        raise Refused(500, 0, "500: Internal Server Error")


def weight(components: Iterable[Json]) -> int:
    """Bytes of all texts, and some for each component: as somebody found out by trying."""
    everything = list(walk(components))
    everything += [option for each in everything for option in each.get("options") or ()]
    texts = [v for each in everything for v in each.values() if isinstance(v, str)]
    return 12 * len(everything) + sum(len(t.encode("utf-8", "surrogatepass")) for t in texts)


def length(path: Path, value: Any, least: int, most: int) -> Iterator[Problem]:
    """Of a text or a list. Discord counts characters, not UTF-16 units."""
    if not isinstance(value, str | list) or least <= len(value) <= most:
        return
    if not value and least == 1:
        yield required(path)
    elif least == 0 and len(value) > most:
        said = f"Must be {most} or fewer in length."
        yield path, "BASE_TYPE_MAX_LENGTH", said
    else:
        yield path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."


def lengths(path: Path, value: Json, limits: Mapping[str, tuple[int, int]]) -> Iterator[Problem]:
    for name, (least, most) in limits.items():
        if value.get(name) is not None:
            yield from length((*path, name), value[name], least, most)


# Messages


def trimmed(embed: Json) -> Json:
    """As Discord stores an embed: without blanks around its texts."""
    return {
        key: value.strip()
        if isinstance(value, str) and key in ("title", "description", "name", "value", "text")
        else trimmed(value)
        if isinstance(value, dict)
        else [trimmed(v) if isinstance(v, dict) else v for v in value]
        if isinstance(value, list)
        else value
        for key, value in embed.items()
        if value is not None
    }


def embed_problems(embeds: Sequence[Json], path: Path) -> Iterator[Problem]:
    yield from length(path, list(embeds), 0, 10)
    total = 0
    for number, given in enumerate(embeds):
        embed, here = trimmed(given), (*path, number)
        fields = embed.get("fields") or []
        author, footer = embed.get("author") or {}, embed.get("footer") or {}
        yield from lengths(here, embed, {"title": (0, 256), "description": (0, 4096), "fields": (0, 25)})  # fmt: skip
        yield from lengths((*here, "author"), author, {"name": (0, 256)})
        yield from lengths((*here, "footer"), footer, {"text": (0, 2048)})
        for i, field in enumerate(fields):
            for name, most in (("name", 256), ("value", 1024)):
                if not field.get(name):
                    yield required((*here, "fields", i, name))
                yield from length((*here, "fields", i, name), field.get(name) or "", 0, most)
        if not any(embed.get(k) for k in ("title", "description", "fields", "author", "footer", "image", "thumbnail")):  # fmt: skip
            yield required((*here, "description"))
        texts = [embed.get("title"), embed.get("description"), author.get("name")]
        texts += [footer.get("text"), *(f.get(k) for f in fields for k in ("name", "value"))]
        total += sum(len(text) for text in texts if isinstance(text, str))
    if total > MESSAGE_TOTAL_EMBEDS:
        said = f"Embed size exceeds maximum size of {MESSAGE_TOTAL_EMBEDS}"
        yield path, "MAX_EMBED_SIZE_EXCEEDED", said


def component_problems(components: Sequence[Json], *, v2: bool, path: Path) -> Iterator[Problem]:
    everything = list(walk(components))
    if v2:
        if len(everything) > V2_COMPONENTS:
            yield path, "COMPONENT_LAYOUT_SIZE_EXCEEDED", "At most 40 components are allowed."
        # The sum is what guides of clients say; the description limits each text.
        if sum(len(c.get("content") or "") for c in everything if c.get("type") == TEXT) > V2_TEXT:
            said = "The total displayable text size exceeds the maximum size of 4000"
            yield path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", said
    else:
        yield from length(path, list(components), 0, 5)
        for number, component in enumerate(components):
            if component.get("type") != ROW:
                said = 'Value of field "type" must be one of (1,).'
                yield (*path, number), "UNION_TYPE_CHOICES", said
    ids = Counter(c["custom_id"] for c in everything if c.get("custom_id"))
    for where, component in located(components, path):
        yield from _component(where, component)
        if ids.get(component.get("custom_id"), 0) > 1:
            said = "Component custom id cannot be duplicated"
            yield (*where, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", said


def located(components: Sequence[Json], path: Path) -> Iterator[tuple[Path, Json]]:
    """Each component with its path, those inside included."""
    for number, component in enumerate(components):
        here = (*path, number)
        yield here, component
        yield from located(component.get("components") or (), (*here, "components"))
        for name in ("accessory", "component"):
            if isinstance(component.get(name), dict):
                yield from ((h[:-1], c) for h, c in located([component[name]], (*here, name)))


def _component(path: Path, component: Json) -> Iterator[Problem]:
    kind = component.get("type")
    limits = {"custom_id": (1, 100), "placeholder": (0, 150)}
    if kind == ROW:
        inner = component.get("components") or []
        yield from length((*path, "components"), inner, 1, 5)
        if len(inner) > 1 and any(c.get("type") in (*SELECTS, INPUT) for c in inner):
            said = "The specified component exceeds the maximum width"
            yield (*path, "components", 1), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", said
    elif kind == BUTTON:
        yield from lengths(path, component, {"custom_id": (1, 100), "label": (0, 80), "url": (0, 512)})  # fmt: skip
        style = component.get("style")
        if style == LINK:
            if not component.get("url"):
                yield required((*path, "url"))
            if component.get("custom_id"):
                said = "A custom id and url cannot both be specified"
                yield path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", said
        elif style != PREMIUM and not component.get("custom_id"):
            yield required((*path, "custom_id"))
        if style != PREMIUM and not component.get("label") and not component.get("emoji"):
            yield required((*path, "label"))
    elif kind in SELECTS:
        yield from lengths(path, component, limits)
        if not component.get("custom_id"):
            yield required((*path, "custom_id"))
        options = component.get("options") or []
        if kind == SELECT:
            yield from length((*path, "options"), options, 1, 25)
            least = component.get("min_values")
            least, most = 1 if least is None else least, component.get("max_values") or 1
            if not 0 <= least <= most <= max(len(options), 1):
                said = "min_values and max_values do not fit the options"
                yield (*path, "max_values"), "BASE_TYPE_BAD_LENGTH", said
        values = Counter(option.get("value") for option in options)
        for i, option in enumerate(options):
            here = (*path, "options", i)
            yield from lengths(here, option, {"label": (1, 100), "value": (1, 100), "description": (0, 100)})  # fmt: skip
            if values[option.get("value")] > 1:
                said = "The specified option value is already used"
                yield (*here, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", said
    elif kind == INPUT:
        yield from lengths(path, component, {"custom_id": (1, 100), "label": (1, 45), "value": (0, 4000), "placeholder": (0, 100)})  # fmt: skip
        if not component.get("custom_id"):
            yield required((*path, "custom_id"))
        least, most = component.get("min_length") or 0, component.get("max_length") or 4000
        value = component.get("value")
        if value and not least <= len(value) <= most:
            said = f"Must be between {least} and {most} in length."
            yield (*path, "value"), "BASE_TYPE_BAD_LENGTH", said
    elif kind == TEXT:
        yield from length((*path, "content"), component.get("content") or "", 1, V2_TEXT)
    elif kind == LABEL:
        yield from lengths(path, component, {"label": (1, 45), "description": (0, 100)})


def message_problems(body: Json, *, flags: int = 0, path: Path = ()) -> Iterator[Problem]:
    """*flags* of the message that is edited; those of *body* come on top."""
    v2 = bool((flags | (body.get("flags") or 0)) & COMPONENTS_V2)
    yield from length((*path, "content"), body.get("content") or "", 0, 2000)
    yield from embed_problems(body.get("embeds") or [], (*path, "embeds"))
    yield from component_problems(body.get("components") or [], v2=v2, path=(*path, "components"))
    if v2:
        for name in ("content", "embeds", "sticker_ids", "poll"):
            if body.get(name):
                said = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
                yield (*path, name), code, said
    yield from length((*path, "nonce"), body.get("nonce") or "", 0, 25)
    allowed = body.get("allowed_mentions") or {}
    for name in ("users", "roles"):
        yield from length((*path, "allowed_mentions", name), allowed.get(name) or [], 0, 100)
        if name in (allowed.get("parse") or ()) and allowed.get(name):
            said = f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.'
            yield (*path, "allowed_mentions"), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", said


def modal_problems(data: Json, path: Path = ("data",)) -> Iterator[Problem]:
    yield from length((*path, "title"), data.get("title") or "", 1, 45)
    yield from length((*path, "custom_id"), data.get("custom_id") or "", 1, 100)
    components = data.get("components") or []
    yield from length((*path, "components"), components, 1, 5)
    ids = Counter(c["custom_id"] for c in walk(components) if c.get("custom_id"))
    for here, component in located(components, (*path, "components")):
        yield from _component(here, component)
        if ids.get(component.get("custom_id"), 0) > 1:
            said = "Component custom id cannot be duplicated"
            yield (*here, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", said


def choice_problems(choices: Sequence[Json], path: Path) -> Iterator[Problem]:
    yield from length(path, list(choices), 0, 25)
    for i, choice in enumerate(choices):
        yield from length((*path, i, "name"), choice.get("name") or "", 1, 100)
        value = choice.get("value")
        if isinstance(value, str):
            yield from length((*path, i, "value"), value, 1, 100)


# Commands

SUB_COMMAND, SUB_GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10


def command_problems(command: Json, path: Path = ()) -> Iterator[Problem]:
    kind, name = command.get("type") or CHAT_INPUT, command.get("name") or ""
    if kind == CHAT_INPUT:
        yield from _name(name, (*path, "name"))
        description = command.get("description") or ""
        yield from length((*path, "description"), description, 1, 100)
        yield from _options(command.get("options") or [], (*path, "options"), depth=0)
    else:
        yield from length((*path, "name"), name, 1, 32)
        if command.get("description"):
            said = "Context menu commands cannot have description"
            yield (*path, "description"), "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION", said
        if command.get("options"):
            said = "Context menu commands cannot have options"
            yield (*path, "options"), "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS", said
    if command_size(command) > COMMAND_TOTAL:
        said = f"Command exceeds maximum size ({COMMAND_TOTAL})"
        yield path, "APPLICATION_COMMAND_TOO_LARGE", said


def _name(name: str, path: Path) -> Iterator[Problem]:
    if not 1 <= len(name) <= 32:
        yield from length(path, name, 1, 32)
    elif not COMMAND_NAME.match(name) or name != name.lower():
        yield path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"


def _options(options: Sequence[Json], path: Path, *, depth: int) -> Iterator[Problem]:
    yield from length(path, list(options), 0, 25)
    names = Counter(option.get("name") for option in options)
    kinds = {option.get("type") in (SUB_COMMAND, SUB_GROUP) for option in options}
    if len(kinds) > 1:
        said = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        yield path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", said
    optional_before = False
    for i, option in enumerate(options):
        here, kind = (*path, i), option.get("type")
        yield from _name(option.get("name") or "", (*here, "name"))
        yield from length((*here, "description"), option.get("description") or "", 1, 100)
        if names[option.get("name")] > 1:
            said = "Option name already used"
            yield here, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", said
        if kind in (SUB_COMMAND, SUB_GROUP):
            if depth >= (2 if kind == SUB_COMMAND else 1):
                said = "Sub-commands cannot be nested here"
                yield here, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", said
            yield from _options(option.get("options") or [], (*here, "options"), depth=3 if kind == SUB_COMMAND else depth + 1)  # fmt: skip
            continue
        if option.get("required") and optional_before:
            said = "Required options must be placed before non-required options"
            yield here, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", said
        optional_before = optional_before or not option.get("required")
        choices = option.get("choices") or []
        yield from choice_problems(choices, (*here, "choices"))
        if choices and option.get("autocomplete"):
            said = "Autocomplete cannot be used with choices"
            yield here, "APPLICATION_COMMAND_AUTOCOMPLETE_WITH_CHOICES", said
        for what in ("min_length", "max_length"):
            value = option.get(what)
            if value is not None and not (what == "max_length") <= value <= 6000:
                yield (*here, what), "NUMBER_TYPE_MAX", "int value should be less than or equal to 6000."  # fmt: skip


def command_size(command: Json) -> int:
    """Characters in names, descriptions and values, the longest of the translations."""

    def longest(what: str) -> int:
        texts = [command.get(what) or "", *(command.get(f"{what}_localizations") or {}).values()]
        return max(map(len, texts))

    inner = (*(command.get("options") or ()), *(command.get("choices") or ()))
    value = command.get("value")
    own = longest("name") + longest("description") + (len(value) if isinstance(value, str) else 0)
    return own + sum(map(command_size, inner))


def commands_problems(commands: Sequence[Json]) -> Iterator[Problem]:
    """Of a list that replaces all."""
    seen = Counter(((c.get("type") or CHAT_INPUT), c.get("name")) for c in commands)
    for i, command in enumerate(commands):
        yield from command_problems(command, (i,))
        if seen[(command.get("type") or CHAT_INPUT), command.get("name")] > 1:
            said = "Application command names must be unique"
            yield (i, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", said


def refuse_too_many(commands: Iterable[Json]) -> None:
    counts = Counter(command.get("type") or CHAT_INPUT for command in commands)
    for kind, most in MOST_COMMANDS.items():
        if counts[kind] > most:
            raise Refused(400, 30032, f"Maximum number of application commands reached ({most})")
