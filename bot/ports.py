"""What the core asks of the outside. All asynchronous; all errors are of ``bot.errors``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Protocol

from bot.model import Caller, Channel, ChannelRef, Origin, Paper, Record
from bot.query import Query
from bot.views import Digest, Notice

Clock = Callable[[], datetime]  # aware UTC
Sleep = Callable[[float], Awaitable[None]]
Served = Mapping[str, Collection[str] | None]  # by platform: the tenants, None for all of them


@dataclass(frozen=True, slots=True)
class Added:
    """What came of a batch, as canonical ids: *ids* has one per record, in order."""

    ids: tuple[str, ...]
    new: frozenset[str]
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A paper of the library with its sequence number."""

    seq: int
    paper: Paper


@dataclass(frozen=True, slots=True)
class Revision:
    """A paper as it is since its latest change; *paper* is None where the id has become an alias."""

    number: int
    id: str
    paper: Paper | None
    origins: frozenset[Origin]


class Library(Protocol):
    async def add(self, records: Sequence[Record], *, today: date, live: bool) -> Added:
        """File the records; a paper that no source announced is listed *today*, its day of arrival.

        *live* papers are candidates for digests; others (imports, backfill) only for previews,
        recaps and ``--at``. A paper that was imported first becomes a candidate when it arrives live.
        Any order of the same records, any number of times, gives the same papers.
        """

    async def find(self, paper_id: str) -> Paper | None:
        """By canonical id or alias."""

    async def after(self, seq: int, *, listed_from: date) -> list[Arrival]:
        """Live papers that arrived after *seq* and were listed on that day or later, by seq."""

    async def between(self, after: date, until: date) -> list[Paper]:
        """Papers with ``after < listed_on <= until``, by listed_on and id."""

    async def top(self, start: date, end: date, limit: int) -> list[tuple[date, Paper]]:
        """The most upvoted papers of the Hugging Face list days *start* to *end*, both included.

        With the first such day of each; by upvotes, newest first, then id.
        """

    async def prune(self, before: date, spared: Collection[str]) -> int:
        """Drop the papers that were last listed earlier, but for the *spared* ids; how many went.

        Papers that were never live, which somebody brought in on purpose, stay.
        """

    async def background(self, n: int) -> list[Paper]:
        """At most *n* papers with an abstract, always the same ones of the same library."""

    async def count(self) -> int: ...

    async def end(self) -> int:
        """The highest sequence number given so far; 0 where nothing has arrived."""

    async def newest_day(self) -> date | None:
        """The last day on which anything was listed."""

    async def revision(self) -> int:
        """The number of the latest change to any paper; 0 where there has been none."""

    async def revised(self, after: int, limit: int) -> list[Revision]:
        """What changed after that number, in its latest state and in the order of its numbers.

        From 0 these are all papers. Numbers are never given twice.
        """


class ChannelStore(Protocol):
    async def get(self, ref: ChannelRef) -> Channel | None: ...

    async def all(self) -> list[Channel]: ...

    async def save(self, channel: Channel, by: str) -> None:
        """Keep it and note the change; raises UserError where the workspace is full."""

    async def undo(self, ref: ChannelRef, by: str) -> tuple[Channel | None, Channel | None] | None:
        """Take the last change back; (what was undone, what holds now), or None: nothing to undo.

        A second undo goes one change further back.
        """

    async def remove(self, ref: ChannelRef, by: str) -> None: ...

    async def dump(self, ref: ChannelRef) -> str:
        """The channel's settings as JSON text; raises UserError where it has none."""

    async def load(self, ref: ChannelRef, document: str, by: str) -> Channel:
        """Give the channel the settings that ``dump`` told of another; UserError for nonsense."""

    async def drop(self, platform: str, tenant: str) -> None:
        """Remove the settings of all its channels for good, with every copy of them."""

    async def free_number(self, ref: ChannelRef) -> int:
        """The first subscription number that was never given in this channel, stored or not."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A workspace that Paperboy was added to, by *installer*; a removed one has no token.

    *at* and *removed_at* are aware UTC.
    """

    tenant: str
    name: str
    token: str = field(repr=False)
    bot_user: str
    scopes: tuple[str, ...]
    installer: str
    at: datetime
    removed_at: datetime | None = None


class Tenants(Protocol):
    """Workspaces and servers that Paperboy was removed from: their data stays for a while."""

    async def left(self, platform: str, tenant: str, at: datetime) -> None:
        """Note it; where it was noted before, that time stands."""

    async def returned(self, platform: str, tenant: str) -> None:
        """It is there again, and nothing is dropped."""

    async def departed(self, before: datetime) -> list[tuple[str, str]]:
        """Platform and tenant of those that were left before then."""

    async def moved(self, old: ChannelRef, new: ChannelRef) -> None:
        """A channel has another id: what was posted, planned and voted there is the new one's."""

    async def drop(self, platform: str, tenant: str) -> None:
        """Remove all that is kept of it; a second time changes nothing."""


class Installations(Protocol):
    """The workspaces that added Paperboy by themselves."""

    async def get(self, tenant: str) -> Installation | None:
        """None where it is not installed, or was removed."""

    async def all(self) -> list[Installation]:
        """Those that are installed, by tenant."""

    async def save(self, installation: Installation) -> None:
        """Keep it in place of an earlier one, which may have been removed."""

    async def remove(self, tenant: str, at: datetime) -> None:
        """Drop the token at once, from every file, and note when.

        Nothing happens where it was removed before, or was installed again after *at*.
        """

    async def expired(self, before: datetime) -> list[str]:
        """The tenants that were removed before then: their data has no reason to stay."""

    async def forget(self, tenant: str) -> None:
        """Drop what is left of a removed one; one that is installed again stays."""


class Ledger(Protocol):
    """What was posted where. The ``Outbox`` is the same ledger with planning and sending."""

    async def posted(
        self, ref: ChannelRef, ids: Collection[str] | None = None
    ) -> Mapping[str, datetime]:
        """Canonical ids of what this channel was shown, with the slot; aliases are resolved."""

    async def record(
        self, ref: ChannelRef, slot: datetime, papers: Sequence[str], cursor: int
    ) -> None:
        """Note the papers as posted and move the channel's cursor on, in one transaction."""

    async def cursor(self, ref: ChannelRef) -> int | None:
        """The last sequence number that this channel has seen; None for a channel without one."""

    async def start(self, ref: ChannelRef, cursor: int) -> None:
        """Give a new channel its cursor; a channel that has one keeps it."""

    async def last(self, ref: ChannelRef) -> tuple[datetime, tuple[str, ...]] | None:
        """The slot and papers of the latest digest that held any, in the order they were shown."""


@dataclass(frozen=True, slots=True)
class Post:
    """One message of a digest. *body* is frozen JSON that its platform alone understands.

    A *threaded* post answers to the first one.
    """

    body: str
    papers: tuple[str, ...]  # canonical ids, in order
    threaded: bool = False


class State(Enum):
    """Where a delivery stands (design §6); ``bot.delivery`` has the ways between them."""

    READY = "ready"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    HELD = "held"
    DEAD = "dead"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of one slot and how it fares; all times are UTC.

    *parent* is the message id of the slot's first part, None for that part itself.
    """

    key: str
    ref: ChannelRef
    slot: datetime
    part: int
    post: Post
    not_before: datetime
    state: State = State.READY
    attempts: int = 0
    claimed_at: datetime | None = None  # first: no copy of it can be older
    lease_until: datetime | None = None
    unknown_at: datetime | None = None
    settle_at: datetime | None = None
    lookups: int = 0
    resent: bool = False  # it became ready again when nobody could know for sure
    audit_at: datetime | None = None
    message_id: str = ""
    detail: str = ""  # why it is where it is, in plain words
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform has it: it said so, or its history shows it."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Postponed:
    """No post was made, for certain."""

    until: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The channel takes no posts any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """Nobody knows whether a post was made; the history can be asked from *settle_at* on."""

    settle_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The whole history since the first attempt was read, and it is not there."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The history could not be read; the next look is due at *again*, unless it is *forbidden*.

    One that was only put off is not *counted*.
    """

    again: datetime
    detail: str
    forbidden: bool = False
    counted: bool = True


Outcome = Sent | Postponed | Gone | Unsure | Absent | Unreadable


@dataclass(frozen=True, slots=True)
class Due:
    """When a channel's next slot is, None for never.

    *fingerprint* tells the schedule that it was worked out from.
    """

    ref: ChannelRef
    at: datetime | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A slot that has had its turn. *why* says in words why there was no paper, else it is empty."""

    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Closure:
    """Why and since when a channel takes no posts."""

    reason: str
    at: datetime


class Outbox(Ledger, Protocol):
    """The ledger with what is planned and how its sending goes. Each method is one transaction."""

    async def due(self, now: datetime, served: Served, limit: int) -> list[Due]:
        """The channels whose time has come and that take posts, the earliest first.

        Those of one moment come in the order of a hash.
        """

    async def set_next(self, due: Due) -> None: ...

    async def next_due(self, ref: ChannelRef) -> Due | None: ...

    async def plan(
        self,
        ref: ChannelRef,
        slot: datetime,
        posts: Sequence[Post],
        cursor: int,
        next_due: Due | None = None,
        released: Collection[str] = (),
        why: str = "",
        *,
        unposted: bool = False,
    ) -> bool:
        """Put the posts into the outbox, their papers into ``posted``; move cursor and next slot on.

        *next_due* is None where the schedule is not concerned; *released* are the ids of
        ``released`` that were candidates: they have had their second chance. *why* says why there
        is no paper, for who asks later. Where this slot was planned before, or the papers are to be
        *unposted* and one of them was posted meanwhile, nothing is written: False.
        """

    async def last_slot(self, ref: ChannelRef) -> Planned | None:
        """The latest that was planned, with or without a post."""

    async def released(self, ref: ChannelRef) -> list[str]:
        """Canonical ids of papers that were planned and never posted; they are no longer posted."""

    async def claim(
        self, now: datetime, lease: timedelta, served: Served, limit: int
    ) -> list[Delivery]:
        """Take posts in hand: one at a time of a channel, parts in order, the oldest slots first.

        No tenant has more than a few in hand. A channel with a postponed post waits for it.
        """

    async def settle(self, seen: Delivery, outcome: Outcome, now: datetime) -> Delivery:
        """Keep what came of it; *seen* is the delivery as it was when the question was asked.

        What is out of date changes nothing, unless it is Sent. Gone closes the channel: all that
        is ready there is dead and its papers are released.
        """

    async def recover(self, now: datetime, settle: timedelta) -> int:
        """At the start: what is in hand is unknown, for whoever had it is dead. How many were."""

    async def expire(self, now: datetime, settle: timedelta) -> int:
        """What is in hand beyond its lease is unknown. How many were."""

    async def to_settle(self, now: datetime, served: Served, limit: int) -> list[Delivery]:
        """The unknown ones whose time to look has come."""

    async def to_audit(self, now: datetime, served: Served, limit: int) -> list[Delivery]:
        """Sent ones that were resent in doubt, some time ago (see ``bot.delivery.AUDIT``)."""

    async def audited(self, key: str, message_id: str, again: datetime | None = None) -> None:
        """Note which copy stands; *again* asks for another audit then."""

    async def resend(self, ref: ChannelRef, key: str) -> Delivery:
        """Let a held post go once more; UserError for any other."""

    async def give_up(self, ref: ChannelRef, key: str) -> Delivery:
        """Drop a held post and what follows it in its slot, release the papers; or UserError."""

    async def close(self, ref: ChannelRef, reason: str, now: datetime) -> None:
        """As Gone does: all that is ready there is dead and its papers are released."""

    async def gone(self, ref: ChannelRef) -> Closure | None: ...

    async def told(self, ref: ChannelRef) -> bool:
        """Note that the owner of a closed channel is being told; False: noted before."""

    async def revive(self, ref: ChannelRef) -> None:
        """The channel takes posts again."""

    async def deliveries(self, ref: ChannelRef, limit: int) -> list[Delivery]:
        """The latest slots first, their parts in order."""

    async def counts(self, platform: str = "") -> Mapping[State, int]:
        """How many there are in each state but sent; on all platforms where none is named."""

    async def oldest_ready(self, now: datetime) -> datetime | None:
        """Since when the longest waiting post might have gone."""

    async def awaited(self) -> list[str]:
        """The ids of papers that are in posts which are not out yet, or are to be offered again."""

    async def tidy(self, now: datetime) -> None:
        """Drop deliveries and slots after 90 days, changes after 365 and ``posted`` after 400.

        A slot of which a post is under way or held stays, and the latest of each channel: however
        long it pauses, it is known what it has missed and been told.
        """


@dataclass(frozen=True, slots=True)
class Rate:
    """So many posts a second, by each tenant or by all of the platform together."""

    per_second: float
    by_tenant: bool = False


class Publisher(Protocol):
    """One per platform; it alone knows the platform's limits."""

    platform: str
    rate: Rate | None  # None: as fast as it takes them, one channel's posts included

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        """The messages of a digest, in order; pure. No paper, link or reason is lost."""

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        """Post it once and give the message's id; *parent* is the id of the first post.

        Raises Later, ChannelGone or Unknown.
        """

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        """The ids of all messages with that key, posted at *since* or later, in order.

        None of them is missing: what cannot be read in full raises HistoryUnreadable, or Later
        where the platform only asks for patience.
        """

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        """Take a doubled message back; nothing happens where it is gone. Raises Unknown."""

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        """Say something to a person in private; raises ChannelGone or Unknown where it cannot."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request or page brought.

    *announced* is the newest announcement day seen in it, None where it tells none; *complete* is
    False where more is known to be missing (a stale feed, a cut list); *token* resumes a backfill
    after it.
    """

    records: tuple[Record, ...]
    announced: date | None = None
    complete: bool = True
    token: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How a source is: aware UTC times, None where it never happened.

    *state* is the source's own (validators, tokens), JSON text.
    """

    name: str
    last_success: datetime | None = None
    last_error: datetime | None = None
    error: str = ""  # one plain sentence
    announced: date | None = None  # the newest announcement day it has told
    next_try: datetime | None = None
    state: str = ""
    failed_from: datetime | None = None  # the first of the errors since the last success

    @property
    def failing_since(self) -> datetime | None:
        """None where it does not fail; nobody may have asked it between the last success and then."""
        return (self.failed_from or self.last_success or self.last_error) if self.failing else None

    @property
    def failing(self) -> bool:
        """The last that was heard of it is an error."""
        good, bad = self.last_success, self.last_error
        return bad is not None and (good is None or bad > good)


class PaperSource(Protocol):
    name: str  # "arxiv", "huggingface", or the journal's host and path

    def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        """What is new; raises SourceUnavailable."""

    def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        """Months; resumes from ``health.state`` where that fits."""


class PaperSearch(Protocol):
    """Asked only when a person asks."""

    async def search(self, query: Query, limit: int) -> list[Paper]: ...

    async def lookup(self, paper_id: str) -> Paper | None: ...


class SourceHealth(Protocol):
    async def health(self, name: str) -> Health: ...

    async def keep(self, health: Health) -> None: ...

    async def all_health(self) -> list[Health]: ...

    async def keep_only(self, names: Collection[str]) -> None:
        """Drop how all other sources are."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for. Days are of ``listed_on``, both included; *sort* is best, new or upvotes."""

    query: Query
    since: date | None = None
    until: date | None = None
    source: str = ""  # arxiv, huggingface, journal
    has_code: bool = False
    sort: str = "best"
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Canonical ids with their scores, and how many there are in all."""

    hits: tuple[tuple[str, float], ...]
    total: int


class SearchIndex(Protocol):
    """Derived from the library: it may be thrown away."""

    async def search(self, search: Search) -> Page: ...

    async def similar(self, paper: Paper, limit: int) -> list[tuple[str, float]]: ...

    async def suggest(self, query: Query) -> str:
        """A query that finds something in its place, or "" where none is near."""


class Shelf(Protocol):
    """What people keep and say. A person is platform, tenant and user of a Caller."""

    async def put(self, person: Caller, paper_id: str, at: datetime) -> bool:
        """Save it; False where it was saved already."""

    async def take(self, person: Caller, paper_id: str) -> bool:
        """Drop it; False where it was not saved."""

    async def saved(self, person: Caller) -> list[str]:
        """Canonical ids, the last saved first."""

    async def all_kept(self) -> list[str]:
        """The ids of all papers that anybody saved or voted on, as they were then."""

    async def vote(self, person: Caller, paper_id: str, value: int, at: datetime) -> int:
        """Keep the person's one vote on the paper in the channel: 1, -1, or 0 to take it back.

        Returns what it was before; a vote under an alias of the paper is a vote on it.
        """

    async def votes(self, ref: ChannelRef, limit: int) -> list[tuple[str, int]]:
        """Canonical ids with the sum of the votes, where it is not 0; the last voted on first."""

    async def forget(self, ref: ChannelRef, stem: str) -> None:
        """Note that the channel does not want this word learned."""

    async def forgotten(self, ref: ChannelRef) -> frozenset[str]: ...

    async def forget_all(self, ref: ChannelRef) -> None:
        """Remove the channel's votes, everybody's, and its forgotten words."""

    async def erase(self, person: Caller) -> None:
        """Remove all that a person saved and voted, and all of their personal channel but its settings.

        Who they are is blanked in the changes of others.
        """


class Receipts(Protocol):
    """What platforms have delivered: they may deliver a thing twice."""

    async def first(self, key: str, at: datetime) -> bool:
        """Note the key for a day; False where it was noted before."""


class KeptAnswers(Protocol):
    """Commands that an answer's buttons come back to, for a week."""

    async def keep_answer(self, command: str, at: datetime) -> str:
        """A short key of letters and digits."""

    async def kept_answer(self, key: str, now: datetime) -> str | None: ...
