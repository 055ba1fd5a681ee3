"""What people set for their channels: one TinyDB file per workspace or server.

``<platform>-<tenant>.json`` is plain TinyDB JSON, for people to read. Its table ``channels`` holds
one document per channel:

    version         of this format: 1
    channel         "slack:T1:C2"
    subscriptions   [{"number": 1, "query": "diffusion -survey", "weight": 1.0, "label": ""}, …]
    muted           ["survey", …]
    schedule, zone  "weekdays 09:00" and "Europe/Berlin"
    max, strictness, layout, quiet, trending, who, unfurl, ping, paused, next_number, owner
                    as in ``bot.model.Channel``
    paused_until    "2027-01-04" or null

The same document is one entry of an export, and as text the before and after of a change.
A version or a field that this program does not know is refused: saving would drop it. A query or
schedule that no longer parses is left out with a warning, and its text is kept in the file.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import NoneType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tinydb import TinyDB
from tinydb.table import Document

from adapters.storage.changes import Change, ChangeLog
from adapters.storage.safejson import SafeJSONStorage, Tables, remove
from bot.errors import StorageBusy, StorageDamaged, UserError
from bot.model import SUBSCRIPTIONS_PER_WORKSPACE, Channel, ChannelRef, Subscription
from bot.options import check, taken_over
from bot.query import Query, format_query, parse
from bot.schedule import Schedule

log = logging.getLogger(__name__)

VERSION = 1
WARN_BYTES = 1_000_000  # design §8
FULL_BYTES = 2_000_000

_LOOK_BACK = 100  # changes at first

_TABLE = "channels"
_FIELDS: dict[str, tuple[type, ...]] = {
    "version": (int,),
    "channel": (str,),
    "subscriptions": (list,),
    "muted": (list,),
    "schedule": (str,),
    "zone": (str,),
    "max": (int,),
    "strictness": (str, int, float),
    "layout": (str,),
    "quiet": (str,),
    "trending": (int,),
    "who": (str,),
    "unfurl": (bool,),
    "ping": (str,),
    "paused": (bool,),
    "paused_until": (str, NoneType),
    "next_number": (int,),
    "owner": (str,),
}
_LATER_FIELDS = {"unfurl": False, "ping": ""}  # what documents of earlier programs lack, and mean
_SUBSCRIPTION_FIELDS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "query": (str,),
    "weight": (int, float),
    "label": (str,),
}
_WORDS = {
    "strictness": ("loose", "normal", "strict"),
    "layout": ("compact", "cards", "thread"),
    "quiet": ("post", "note", "silent"),
}
_OFF = Schedule()  # stands in for a schedule that cannot be read: better silent than at any hour

_parse = lru_cache(10_000)(parse)  # each save reads the whole channel back

JSON = dict[str, Any]
T = TypeVar("T")


def to_json(channel: Channel) -> JSON:
    """The channel's document, as the module describes it."""
    schedule = channel.schedule
    return {
        "version": VERSION,
        "channel": str(channel.ref),
        "subscriptions": [
            {
                "number": subscription.number,
                "query": format_query(subscription.query),
                "weight": subscription.weight,
                "label": subscription.label,
            }
            for subscription in channel.subscriptions
        ],
        "muted": [format_query(query) for query in channel.muted],
        "schedule": str(schedule).removesuffix(f" {schedule.zone}"),
        "zone": schedule.zone,
        "max": channel.max,
        "strictness": channel.strictness,
        "layout": channel.layout,
        "quiet": channel.quiet,
        "trending": channel.trending,
        "who": channel.who,
        "unfurl": channel.unfurl,
        "ping": channel.ping,
        "paused": channel.paused,
        "paused_until": channel.paused_until.isoformat() if channel.paused_until else None,
        "next_number": channel.next_number,
        "owner": channel.owner,
    }


def from_json(document: object) -> Channel:
    """The channel of a document; UserError says what is wrong with it."""
    try:
        channel, unread = _build(_check(document))
    except (ValueError, _Newer) as error:
        name = document.get("channel") if isinstance(document, dict) else None
        raise UserError(
            f"These are no settings of a channel ({name or 'without a name'}): {error}.", hint=_HINT
        ) from error
    if unread:
        raise UserError(f"{channel.ref}: {unread[0].why}", hint=_HINT)
    try:
        check(channel)
    except UserError as error:
        raise UserError(f"{channel.ref}: {error.message}", hint=_HINT) from error
    return channel


def file_name(ref: ChannelRef) -> str:
    """The file of the channel's workspace; no two share one, on no file system.

    Ids as the platforms write them stand in the name: with a digit in upper case (``T0123ABC``,
    ``81384788765712384``), without one in lower case (``local``, ``@me``). Any other spelling, which
    might differ from these in case only, is told apart by a hash.
    """
    platform, tenant = ref.platform, ref.tenant
    usual = tenant.upper() if any(c.isdigit() for c in tenant) else tenant.lower()
    plain = re.fullmatch(r"[a-z0-9]+", platform) and re.fullmatch(r"[\w@-]{1,64}", tenant, re.ASCII)
    if plain and tenant == usual:
        return f"{platform}-{tenant}.json"
    whole = f"{platform}:{tenant}"
    readable = re.sub(r"[^a-z0-9]+", "_", whole.lower())[:60]
    return f"{readable}~{hashlib.sha256(whole.encode()).hexdigest()[:16]}.json"


class TinyChannelStore:
    """The channels of all workspaces, one file each. Made by ``open``; one owner, any readers.

    Reads come from memory. A workspace whose file is damaged is reported in the log on opening and
    by StorageDamaged to whoever asks for its channels; the others work on.
    """

    def __init__(self, folder: Path, changes: ChangeLog, *, readonly: bool) -> None:
        self._folder = folder
        self._changes = changes
        self._readonly = readonly
        self._workspaces: dict[str, _Workspace] = {}
        self._damaged: dict[str, StorageDamaged] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="settings")
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, folder: Path, changes: ChangeLog, *, readonly: bool = False) -> Self:
        """*folder* holds the files, and the first change makes it; *readonly* writes nothing."""
        store = cls(folder, changes, readonly=readonly)
        try:
            await store._in_worker(store._load)
        except BaseException:
            store._worker.shutdown()
            raise
        return store

    async def aclose(self) -> None:
        """Finish the changes that have begun, then let go of the thread."""
        async with self._lock:
            self._worker.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def get(self, ref: ChannelRef) -> Channel | None:
        entry = self._entry(ref)
        return entry.channel if entry else None

    async def all(self) -> list[Channel]:
        """Those of damaged workspaces are missing."""
        channels = (e.channel for w in self._workspaces.values() for e in w.entries.values())
        return sorted(channels, key=lambda channel: channel.ref)

    async def save(self, channel: Channel, by: str) -> None:
        await self._alone(lambda: self._save(channel, by))

    async def undo(self, ref: ChannelRef, by: str) -> tuple[Channel | None, Channel | None] | None:
        return await self._alone(lambda: self._undo(ref, by))

    async def remove(self, ref: ChannelRef, by: str) -> None:
        await self._alone(lambda: self._put(ref, None, by))

    async def dump(self, ref: ChannelRef) -> str:
        channel = await self.get(ref)
        if channel is None:
            raise UserError(
                "This channel has no settings yet.", hint="Subscribe to something first."
            )
        return json.dumps(to_json(channel), ensure_ascii=False)

    async def load(self, ref: ChannelRef, document: str, by: str) -> Channel:
        try:
            given = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise UserError("That is no JSON.", hint=_EXPORTED) from error
        was = ""
        if isinstance(given, dict):
            was = f"{given.get('channel')}"
            given = given | {"channel": str(ref)}
        try:
            given = taken_over(from_json(given), was)
        except UserError as error:
            raise UserError(error.message, hint=_EXPORTED) from error
        old = await self.get(ref)
        await self.save(replace(given, owner=old.owner if old else ""), by)
        return await self.get(ref) or given

    async def free_number(self, ref: ChannelRef) -> int:
        entry = self._entry(ref)
        if entry:
            return entry.channel.next_number
        states = [(_parsed(c.before), _parsed(c.after)) for c in await self._changes.history(ref)]
        return max((d["next_number"] for state in states for d in state if d), default=1)

    async def drop(self, platform: str, tenant: str) -> None:
        """A damaged file goes too."""
        name = file_name(ChannelRef(platform, tenant, "all"))

        async def forget() -> None:
            if self._readonly:
                raise StorageBusy("The settings are open for reading only.")
            await self._in_worker(lambda: remove(self._folder / name))
            self._workspaces.pop(name, None)
            self._damaged.pop(name, None)

        await self._alone(forget)

    async def export_all(self) -> JSON:
        """All settings as one JSON document; raises StorageDamaged rather than leave some out."""
        for name in self._damaged:
            self._refuse_damaged(name)
        workspaces = [self._workspaces[name] for name in sorted(self._workspaces)]
        return {
            "paperboy": VERSION,
            "channels": [deepcopy(e.document) for w in workspaces for e in w.entries.values()],
        }

    async def restore(self, document: object, by: str) -> int:
        """Bring an export's channels back, each over what it holds now; the number of them.

        Everything is checked before anything is written. Other channels stay as they are.
        """
        return await self._alone(lambda: self._restore(document, by))

    async def _save(self, channel: Channel, by: str) -> None:
        entry = self._entry(channel.ref)
        document = _check(_settled(channel, entry, by))
        known = entry.unread if entry else ()
        for unread in _build(document)[1]:
            if unread not in known:  # it would be lost to the channel at the next start
                raise UserError(unread.why)
        self._check_room([document])
        await self._put(channel.ref, document, by)

    async def _restore(self, document: object, by: str) -> int:
        channels = _channels_of(document)
        documents = [_check(_settled(c, self._entry(c.ref), by)) for c in channels]
        self._check_room(documents)
        for channel, settled in zip(channels, documents, strict=True):
            await self._put(channel.ref, settled, by)
        return len(channels)

    async def _undo(self, ref: ChannelRef, by: str) -> tuple[Channel | None, Channel | None] | None:
        entry = self._entry(ref)
        change = await self._last_standing(ref, entry.document if entry else None)
        if change is None:
            return None
        document = _parsed(change.before)
        if document is not None:
            if entry:
                next_number = entry.channel.next_number  # it does not go back
                document["next_number"] = max(document["next_number"], next_number)
            self._check_room([document])
        await self._put(ref, document, by, undoes=change.id)
        return (entry.channel if entry else None), await self.get(ref)

    async def _last_standing(self, ref: ChannelRef, current: JSON | None) -> Change | None:
        limit = _LOOK_BACK
        while True:
            history = await self._changes.history(ref, limit)
            change = _last_standing(history, current)
            if change or len(history) < limit:
                return change
            limit *= 4  # undos, and what they took back, fill it

    async def _put(
        self, ref: ChannelRef, document: JSON | None, by: str, undoes: int | None = None
    ) -> None:
        """Note the change, then write the file, then show it to readers."""
        if self._readonly:
            raise StorageBusy("The settings are open for reading only.")
        entry = self._entry(ref)
        before = entry.document if entry else None
        if document == before and undoes is None:
            return  # no change
        await self._changes.note(
            ref, by=by, before=_text(before), after=_text(document), undoes=undoes
        )
        name = file_name(ref)
        if name not in self._workspaces:
            path = self._folder / name
            self._workspaces[name] = await self._in_worker(lambda: _Workspace(path))
        workspace = self._workspaces[name]
        number = await self._in_worker(lambda: workspace.write(entry, document))
        workspace.show(ref, number, document)

    def _load(self) -> None:
        names = {path.name for path in self._folder.glob("*.json")}
        names |= {path.stem for path in self._folder.glob("*.json.bak")}
        names |= {path.stem for path in self._folder.glob("*.json.tmp")}
        for name in sorted(names):
            try:
                workspace = _Workspace(self._folder / name, readonly=self._readonly)
            except StorageDamaged as error:
                log.error("%s %s", error.message, error.hint)  # noqa: TRY400 the message says all
                self._damaged[name] = error
            else:
                workspace.load()
                self._workspaces[name] = workspace

    def _entry(self, ref: ChannelRef) -> _Entry | None:
        name = file_name(ref)
        self._refuse_damaged(name)
        workspace = self._workspaces.get(name)
        return workspace.entries.get(ref) if workspace else None

    def _refuse_damaged(self, name: str) -> None:
        if error := self._damaged.get(name):
            raise StorageDamaged(error.message, hint=error.hint) from error

    def _check_room(self, documents: Iterable[JSON]) -> None:
        """Raise UserError where new subscriptions would overfill their workspace."""
        more = Counter[str]()
        for document in documents:
            ref = ChannelRef.parse(document["channel"])
            entry = self._entry(ref)
            old = len(entry.document["subscriptions"]) if entry else 0
            more[file_name(ref)] += len(document["subscriptions"]) - old
        for name, count in more.items():
            workspace = self._workspaces.get(name)
            had = workspace.subscriptions if workspace else 0
            full = workspace is not None and workspace.size > FULL_BYTES
            if count > 0 and (full or had + count > SUBSCRIPTIONS_PER_WORKSPACE):
                raise UserError(
                    f"This workspace has {had} subscriptions and no room for {count} more.",
                    hint=f"All its channels together may have {SUBSCRIPTIONS_PER_WORKSPACE} in "
                    f"{FULL_BYTES // 1_000_000} MB of settings; unsubscribe from some first.",
                )

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """One change at a time, and to its end even where the asker gives up waiting."""

        async def locked() -> T:
            async with self._lock:
                return await work()

        return await asyncio.shield(asyncio.ensure_future(locked()))

    async def _in_worker(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


@dataclass(frozen=True, slots=True)
class _Unread:
    """A part of a document that does not parse: it is kept as it is, and says why."""

    field: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A channel as it is stored."""

    number: int  # TinyDB's
    document: JSON
    channel: Channel
    unread: tuple[_Unread, ...] = ()


class _Workspace:
    """One file and what it holds. What touches the disk blocks and runs on the worker thread."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.entries: dict[ChannelRef, _Entry] = {}
        self._path = path
        self._storage = SafeJSONStorage(path, check=self._check, readonly=readonly)
        self._table = TinyDB(storage=lambda: self._storage).table(_TABLE)

    @property
    def size(self) -> int:
        return self._storage.size

    @property
    def subscriptions(self) -> int:
        return sum(len(entry.document["subscriptions"]) for entry in self.entries.values())

    def load(self) -> None:
        for document in self._table:
            ref = ChannelRef.parse(document["channel"])
            self.show(ref, document.doc_id, dict(document))
            for unread in self.entries[ref].unread:
                log.warning("%s, %s, is left out: %s", self._path, ref, unread.why)
        self._warn_of_size(0)

    def write(self, entry: _Entry | None, document: JSON | None) -> int:
        size = self.size
        if document is None:
            number = entry.number if entry else 0
            self._table.remove(doc_ids=[number])
        elif entry is None:
            number = self._table.insert(document)
        else:
            number = entry.number
            self._table.upsert(Document(document, number))
        self._warn_of_size(size)
        return number

    def show(self, ref: ChannelRef, number: int, document: JSON | None) -> None:
        if document is None:
            self.entries.pop(ref, None)
        else:
            document = _LATER_FIELDS | document
            self.entries[ref] = _Entry(number, document, *_build(document))

    def _warn_of_size(self, before: int) -> None:
        if before <= WARN_BYTES < self.size:
            log.warning(
                "%s has %d bytes; from %d on it takes no new subscriptions",
                self._path,
                self.size,
                FULL_BYTES,
            )

    def _check(self, tables: Tables) -> None:
        seen: set[ChannelRef] = set()
        for number, document in tables.get(_TABLE, {}).items():
            try:
                ref = ChannelRef.parse(_check(document)["channel"])
            except _Newer as error:
                raise StorageDamaged(
                    f"{self._path} was written by a newer Paperboy: document {number}: {error}. "
                    "Nothing was changed.",
                    hint="Start the newer version; or move the file away, start again, and bring "
                    "an older export back with paperboy restore.",
                ) from error
            if file_name(ref) != self._path.name or ref in seen:
                raise ValueError(f"document {number} does not belong here: {ref}")
            seen.add(ref)


class _Newer(Exception):
    """A document has what this version does not know."""


def _check(document: object) -> JSON:
    """The document; ValueError where it is no channel's, _Newer where it tells more than we know."""
    if isinstance(document, dict) and _is_newer(document.get("version")):
        raise _Newer(f"its version is {document['version']}, this program knows {VERSION}")
    if isinstance(document, dict):
        document = _LATER_FIELDS | document
    settings = _fields(document, _FIELDS)
    _require(settings["version"] == VERSION, "version", settings["version"])
    numbers: list[int] = []
    for entry in settings["subscriptions"]:
        subscription = _fields(entry, _SUBSCRIPTION_FIELDS)
        numbers.append(subscription["number"])
        _require(_is_positive(subscription["weight"]), "weight", subscription["weight"])
    _require(len(set(numbers)) == len(numbers), "subscriptions with the numbers", numbers)
    _require(min(numbers, default=1) >= 1, "number", min(numbers, default=1))
    _require(all(isinstance(text, str) for text in settings["muted"]), "muted", settings["muted"])
    for name, words in _WORDS.items():
        value = settings[name]
        is_good = value in words if isinstance(value, str) else value == 0 or _is_positive(value)
        _require(is_good, name, value)
    for name, least in (("max", 1), ("trending", 0)):
        _require(settings[name] >= least, name, settings[name])
    number = settings["next_number"]
    _require(number > max(numbers, default=0), "next_number", number)
    if settings["paused_until"] is not None:
        date.fromisoformat(settings["paused_until"])
    try:
        ChannelRef.parse(settings["channel"])
    except UserError as error:
        raise ValueError(error.message) from error
    return settings


def _is_newer(version: object) -> bool:
    return isinstance(version, int) and version > VERSION


def _is_positive(value: float) -> bool:
    return 0 < value <= sys.float_info.max  # JSON's whole numbers have no end


def _fields(document: object, fields: dict[str, tuple[type, ...]]) -> JSON:
    if not isinstance(document, dict):
        raise ValueError(f"{str(document)[:40]} is no object")  # noqa: TRY004
    for name, types in fields.items():
        if name not in document:
            raise ValueError(f"“{name}” is missing")
        # the very type: true is an int to isinstance
        _require(type(document[name]) in types, name, document[name])
    unknown = sorted(document.keys() - fields.keys())
    if unknown:
        raise _Newer(f"it has an unknown field “{unknown[0]}”")
    return document


def _require(good: bool, name: str, value: object) -> None:
    if not good:
        raise ValueError(f"“{name}” cannot be {str(value)[:80]}")


def _build(document: JSON) -> tuple[Channel, tuple[_Unread, ...]]:
    """The channel of a checked document, and what of it does not parse."""
    unread: list[_Unread] = []

    def query(text: str, field: str, value: Any, what: str) -> Query | None:
        try:
            return _parse(text)
        except UserError as error:
            unread.append(_Unread(field, value, f"{what} “{text}”: {error.message}"))
            return None

    subscriptions = [
        Subscription(s["number"], found, s["weight"], s["label"])
        for s in document["subscriptions"]
        if (found := query(s["query"], "subscriptions", s, f"subscription {s['number']}"))
    ]
    muted = [found for text in document["muted"] if (found := query(text, "muted", text, "muted"))]
    try:
        schedule = _schedule(document["schedule"], document["zone"])
    except UserError as error:
        value = {"schedule": document["schedule"], "zone": document["zone"]}
        unread.append(_Unread("schedule", value, f"schedule “{value}”: {error.message}"))
        schedule = _OFF
    strictness, until = document["strictness"], document["paused_until"]
    channel = Channel(
        ref=ChannelRef.parse(document["channel"]),
        subscriptions=tuple(subscriptions),
        muted=tuple(muted),
        schedule=schedule,
        max=document["max"],
        strictness=float(strictness) if isinstance(strictness, int) else strictness,
        layout=document["layout"],
        quiet=document["quiet"],
        trending=document["trending"],
        who=document["who"],
        unfurl=document["unfurl"],
        ping=document["ping"],
        paused=document["paused"],
        paused_until=date.fromisoformat(until) if until else None,
        next_number=document["next_number"],
        owner=document["owner"],
    )
    return channel, tuple(unread)


def _schedule(text: str, zone: str) -> Schedule:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # "Europe" is a folder
        raise UserError(f"“{zone}” names no time zone.") from error
    return Schedule.parse(text, zone)


def _settled(channel: Channel, entry: _Entry | None, by: str) -> JSON:
    """The document to store: with its owner, numbers that never go back, and unread parts kept."""
    old = entry.channel if entry else None
    numbers = [channel.next_number, old.next_number if old else 1]
    numbers += [subscription.number + 1 for subscription in channel.subscriptions]
    owner = channel.owner or (old.owner if old else "") or by
    document = to_json(replace(channel, owner=owner, next_number=max(numbers)))
    taken = {subscription.number for subscription in channel.subscriptions}
    for unread in entry.unread if entry else ():
        if unread.field == "muted":
            document["muted"].append(unread.value)
        elif unread.field == "subscriptions" and unread.value["number"] not in taken:
            document["subscriptions"].append(unread.value)
        elif unread.field == "schedule" and channel.schedule == _OFF:
            document |= unread.value
    return document


def _last_standing(history: list[Change], current: JSON | None) -> Change | None:
    """The newest change that holds, newest first in *history*: what an undo takes back.

    The file is written after the change is noted, so a crash can leave a note of what never was.
    Going back from the current settings, such a note does not lead to where the later one began.
    """
    held: list[Change] = []
    state = current
    for change in history:
        if _parsed(change.after) == state:
            held.append(change)
            state = _parsed(change.before)
    undone = {change.undoes for change in held}
    standing = (c for c in held if c.undoes is None and c.id not in undone)
    return next(standing, None)


def _text(document: JSON | None) -> str | None:
    return None if document is None else json.dumps(document, sort_keys=True)


def _parsed(text: str | None) -> JSON | None:
    return None if text is None else _LATER_FIELDS | json.loads(text)


_HINT = "Give it a file that paperboy export wrote."
_EXPORTED = "Give it what `config export` gave."


def _channels_of(document: object) -> list[Channel]:
    """All channels of an export."""
    if not isinstance(document, dict) or "paperboy" not in document:
        raise UserError("This is no export of Paperboy.", hint=_HINT)
    if _is_newer(document["paperboy"]):
        raise UserError(
            "This export was written by a newer Paperboy.", hint="Restore it with that version."
        )
    entries = document.get("channels")
    if document["paperboy"] != VERSION or not isinstance(entries, list):
        raise UserError("This export holds no list of channels.", hint=_HINT)
    channels = [from_json(entry) for entry in entries]
    for ref, count in Counter(channel.ref for channel in channels).items():
        if count > 1:
            raise UserError(f"This export holds {ref} more than once.", hint=_HINT)
    return channels
