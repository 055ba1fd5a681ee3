"""The values that everything is made of: papers, channels and who asks. No behaviour beyond them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, IntEnum

from bot.errors import UserError
from bot.query import Query
from bot.schedule import Schedule

SUBSCRIPTIONS_PER_CHANNEL = 50  # design §12
SUBSCRIPTIONS_PER_WORKSPACE = 500
DEFAULT_MAX = 10


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper, merged from all that is known about it.

    *id* is canonical (see ``bot.identity``); times are aware UTC; *listed_on* is the day on which
    a source announced it, None only before the library has filed it.
    """

    id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()  # the first is the primary one
    published: datetime | None = None
    updated: datetime | None = None
    version: int = 0  # 0: not known
    doi: str = ""
    journal_ref: str = ""
    note: str = ""  # the authors' comment: pages, venue
    upvotes: int = 0
    discussion: int = 0  # comments on its discussion page
    summary: str = ""  # given by the source, not by us
    keywords: tuple[str, ...] = ()
    code: str = ""
    stars: int = 0
    project: str = ""
    submitter: str = ""
    organisation: str = ""
    listed_on: date | None = None


class Origin(Enum):
    """Who says so. Where two records of one version differ, the lower value wins."""

    ARXIV_API = 0
    ARXIV_OAI = 1
    ARXIV_FEED = 2
    JSONL = 3
    HUGGING_FACE = 4
    JOURNAL = 5
    SAMPLE = 6


@dataclass(frozen=True, slots=True)
class Record:
    """What one source says of one paper at one time.

    *listed_on* is the day the source announced it, None where the record is no announcement
    (a search result, a replacement); *observed_on* dates the counts (upvotes, comments, stars),
    None where the record carries none.
    """

    paper: Paper
    origin: Origin
    listed_on: date | None = None
    observed_on: date | None = None
    aliases: tuple[str, ...] = ()  # further canonical ids of the same paper


@dataclass(frozen=True, slots=True, order=True)
class ChannelRef:
    """``platform:tenant:channel``; a personal channel is ``@`` and its person."""

    platform: str
    tenant: str
    channel: str

    @classmethod
    def parse(cls, text: str) -> ChannelRef:
        """From ``platform:tenant:channel``; a bare name is a channel of the terminal."""
        parts = text.split(":")
        if len(parts) == 1:
            parts = ["terminal", "local", text]
        if len(parts) != 3 or not all(_is_key(part) for part in parts):
            raise UserError(
                f"“{text[:80]}” names no channel.",
                hint="Write a name such as main, or platform:tenant:channel such as slack:T1:C2; "
                "letters, digits, and . _ - @ only.",
            )
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.platform}:{self.tenant}:{self.channel}"


def _is_key(text: str) -> bool:
    return 1 <= len(text) <= 80 and all(c.isalnum() or c in "._-@" for c in text)


class Role(IntEnum):
    """What a person is in a channel's workspace or server; each may what those before it may."""

    STRANGER = 0  # of another organisation, in a shared channel
    GUEST = 1
    MEMBER = 2
    MANAGER = 3  # an admin or owner, or who made the channel


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, where. *zone* is the IANA zone of the person, where the platform knows it.

    *name* is what others call the person; empty where that is the same as *user*. *channels* are
    the ids of those that the person sees, None where all of them are for everybody to see.
    *home* is the tenant that the person belongs to, where one is known on all servers alike.
    """

    ref: ChannelRef
    user: str
    zone: str | None = None
    role: Role = Role.MANAGER
    name: str = ""
    channels: frozenset[str] | None = None
    home: str = ""

    @property
    def own(self) -> ChannelRef:
        """The person's own channel; its tenant is that of what they keep."""
        return ChannelRef(self.ref.platform, self.home or self.ref.tenant, f"@{self.user}")


@dataclass(frozen=True, slots=True)
class Subscription:
    """*number* is given once per channel and never reused."""

    number: int
    query: Query
    weight: float = 1.0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """A word that people's votes taught a channel; *weight* is -0.5 to 0.5, a keyword's is 1."""

    stem: str
    word: str  # as it is mostly written
    weight: float


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel's settings, as people made them."""

    ref: ChannelRef
    subscriptions: tuple[Subscription, ...] = ()
    muted: tuple[Query, ...] = ()
    schedule: Schedule = field(default_factory=Schedule.default)
    max: int = DEFAULT_MAX
    strictness: str | float = "normal"  # loose, normal, strict, or tau itself
    layout: str = "compact"
    quiet: str = "note"
    trending: int = 0
    who: str = "members"
    unfurl: bool = False  # whether a link to a paper that somebody posts gets a card
    ping: str = ""  # "ROLE@60": the role is mentioned where a paper has more points; empty: never
    paused: bool = False
    paused_until: date | None = None
    next_number: int = 1
    owner: str = ""  # made the first change
