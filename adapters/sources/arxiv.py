"""arXiv: the daily feed, the search API and OAI-PMH, all over one polite client.

What an entry means is told by ``records``; here is what to ask, and what an answer as a whole means.
Every rule has its source in arXiv's manuals or in a fault that was seen; the tests name them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from adapters.sources.http import Answer, PoliteClient
from adapters.sources.records import Skipped, atom_entry, clean, local_name, oai_record, rss_item
from bot.announcements import NEW_YORK, why_empty
from bot.errors import SourceUnavailable
from bot.model import Paper, Record
from bot.ports import Batch, Clock, Health
from bot.query import PHRASE, PREFIX, Item, Query, categories as known_categories
from bot.text import GLUE

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

log = logging.getLogger(__name__)

PAPERS_A_DAY: Final = 5_000  # design §12
BATCH: Final = 500
FEED_ROWS: Final = 2_000  # info.arxiv.org/help/rss: a longer feed is cut, and new papers go first
JOINED_ROWS: Final = 1_000  # a busy day has twice the rows of a quiet one
JOINED: Final = 10
PAGE: Final = 200
SLICE: Final = 2_000  # user manual 3.1.1.2
ASKED_TOGETHER: Final = 50  # categories in one search
TRIES: Final = 3  # where a page is empty that cannot be
OVERLAP: Final = timedelta(days=7)  # moderation takes up to 4 days as a rule, a week at times
CLOSED_FOR: Final = timedelta(days=3)  # a window that spans a weekend
ASK_AGAIN: Final = timedelta(hours=6)  # "no need to call more than once in a day", manual 3.3.1
LOOK_BACK: Final = 8  # days in which a gap is still worth filling: FRESH_DAYS of digests
KEEP: Final = timedelta(days=21)  # told days and their highest ids
HARVEST_SECONDS: Final = 60.0  # a page of 2,500 records
MOST_FOUND: Final = 200
_OLDEST: Final = datetime(1986, 1, 1, tzinfo=UTC)  # nothing in arXiv is older

_STRANGE: Final = "arXiv answers with something else than its {}."
_PHYSICS: Final = frozenset({
    "astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin",
    "nucl-ex", "nucl-th", "physics", "quant-ph",
})  # fmt: skip


# The calendar


def announcement_day(submitted: datetime) -> date:
    """The first day on which a paper that was submitted then can be listed.

    A window closes at 14:00 in New York on working days; its mailing leaves at 20:00 and is listed
    the day after, that of a Friday on Monday (info.arxiv.org/help/availability).
    """
    day = submitted.astimezone(NEW_YORK).date() + timedelta(days=1)
    while why_empty(day) or submitted >= datetime.combine(_closing(day), time(14), NEW_YORK):
        day += timedelta(days=1)
    return day


def _closing(day: date) -> date:
    """When the window closed whose papers are listed on that day."""
    return day - timedelta(days=3 if day.weekday() == 0 else 1)


def _next_announcement(day: date) -> date:
    day += timedelta(days=1)
    while why_empty(day):
        day += timedelta(days=1)
    return day


def listing_days(
    papers: Iterable[Paper], marks: Mapping[date, str], today: date
) -> dict[str, date]:
    """The day on which each paper was listed, where only its submission is known.

    arXiv gives ids when it announces, each mailing in the order of submission. So a paper that was
    held by moderators shows: its id is higher than that of one submitted later, and it was listed
    with the next one in order. *marks* are the highest ids of days that are known: what is higher
    came later.
    """
    days: dict[str, date] = {}
    known = sorted(marks.items())
    tops = [top for _, top in known]
    held: list[tuple[str, date]] = []
    newest, latest = date.min, datetime.min.replace(tzinfo=UTC)
    for paper in sorted(papers, key=lambda paper: paper.id):
        published = paper.published
        if published is None or published.astimezone(NEW_YORK).date() > today:
            continue
        earliest = announcement_day(published)
        if before := bisect_left(tops, paper.id):
            earliest = max(earliest, _next_announcement(known[before - 1][0]))
        if published < latest:
            held.append((paper.id, earliest))
            continue
        latest, newest = published, max(newest, earliest)
        days[paper.id] = min(earliest, today)
        days |= {id_: min(max(day, earliest), today) for id_, day in held}
        held.clear()
    return days | {id_: min(max(day, newest), today) for id_, day in held}


def harvested_day(paper: Paper, stamp: date | None) -> date | None:
    """The day on which a harvested paper was listed.

    The datestamp of a record that nobody has changed since is the day of its announcement (all 14
    first versions in the recorded answers whose stamp lies within a week of it).
    """
    if paper.published is None:
        return None
    earliest = announcement_day(paper.published)
    if (
        stamp is not None
        and paper.updated is None
        and earliest <= stamp <= earliest + OVERLAP
        and not why_empty(stamp)
    ):
        return stamp
    return earliest


# Reading answers


def _tree(body: bytes, what: str, root: str) -> Element:
    try:
        tree: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise SourceUnavailable(f"arXiv’s {what} is no sound XML.") from error
    if local_name(tree) != root:
        raise SourceUnavailable(_STRANGE.format(what))
    return tree


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if local_name(child) == name), None)


def _text(element: Element | None, name: str) -> str:
    child = _child(element, name) if element is not None else None
    return "".join(child.itertext()).strip() if child is not None else ""


def _sound(outcomes: Iterable[Record | Skipped | None], what: str) -> list[Record]:
    """What is broken is named in the log and left out; an error entry is no paper."""
    records = []
    for outcome in outcomes:
        if isinstance(outcome, Skipped):
            log.warning(
                "arXiv's %s: left out %s: %s", what, outcome.what or "an entry", outcome.why
            )
        elif outcome is not None:
            records.append(outcome)
    return records


@dataclass(frozen=True, slots=True)
class Feed:
    """One day's list. *records* are what it announces; replacements announce nothing.

    *rows* counts all entries by category, *total* all of them; *batch* is a digest of what it
    lists, whenever it was made; *top* is the highest id among the new.
    """

    day: date
    records: tuple[Record, ...]
    rows: Mapping[str, int]
    total: int
    batch: str
    top: str


class UnknownCategory(Exception):
    """The feed that was asked for does not exist."""


def read_feed(body: bytes) -> Feed:
    channel = _child(_tree(body, "feed", "rss"), "channel")
    if channel is None:
        raise SourceUnavailable(_STRANGE.format("feed"))
    if _text(channel, "title").startswith("Feed error"):
        raise UnknownCategory(clean(_text(channel, "description"), 200))
    day = _mail_day(_text(channel, "pubDate"))
    if day is None:
        raise SourceUnavailable("arXiv’s feed does not tell its day.")
    items = [child for child in channel if local_name(child) == "item"]
    top = ""
    records: list[Record] = []
    for item in items:
        for record in _sound([rss_item(item)], "feed"):
            records.append(record)
            # No id of a month to come may stand in the way of later feeds
            if _text(item, "announce_type") == "new" and record.paper.id < f"arxiv:{day:%y%m}.A":
                top = max(top, record.paper.id)
    announced = tuple(record for record in records if record.listed_on is not None)
    rows: dict[str, int] = {}
    for category in (c for record in records for c in record.paper.categories):
        rows[category] = rows.get(category, 0) + 1
    listed = "\n".join(sorted(f"{r.paper.id}v{r.paper.version}" for r in records))
    batch = sha256(listed.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Feed(day, announced, rows, len(items), batch, top)


def _mail_day(text: str) -> date | None:
    """The date as it is printed: midnight in New York."""
    try:
        return parsedate_to_datetime(text).date()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of search results; *count* entries, of them *records* are sound."""

    records: tuple[Record, ...]
    count: int
    total: int


def read_search(body: bytes) -> Found:
    """Raise SourceUnavailable for an error entry, which comes with status 200, too."""
    feed = _tree(body, "search", "feed")
    entries = [child for child in feed if local_name(child) == "entry"]
    for entry in entries:
        if "/api/errors" in _text(entry, "id"):
            why = clean(_text(entry, "summary"), 200)
            raise SearchRefused(f"arXiv’s search refuses: {why}.")
    records = _sound(map(atom_entry, entries), "search")
    total = _text(feed, "totalResults")
    return Found(tuple(records), len(entries), int(total) if re.fullmatch(r"\d{1,9}", total) else 0)


class SearchRefused(SourceUnavailable):
    """The search answered with an error entry."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """A page of OAI-PMH; *stamp* is the newest datestamp of it, *error* the protocol's code."""

    records: tuple[tuple[Record, date | None], ...] = ()
    stamp: date | None = None
    token: str = ""
    error: str = ""
    why: str = ""


def read_harvest(body: bytes) -> Harvest:
    root = _tree(body, "archive", "OAI-PMH")
    if (error := _child(root, "error")) is not None:
        return Harvest(error=error.get("code", "unknown"), why=clean(error.text or "", 200))
    listed = _child(root, "ListRecords")
    if listed is None:
        raise SourceUnavailable(_STRANGE.format("archive"))
    records: list[tuple[Record, date | None]] = []
    newest: date | None = None
    for element in (child for child in listed if local_name(child) == "record"):
        try:
            stamp = date.fromisoformat(_text(_child(element, "header"), "datestamp")[:10])
        except ValueError:
            stamp = None
        newest = max(filter(None, (newest, stamp)), default=None)
        records += [(record, stamp) for record in _sound([oai_record(element)], "archive")]
    return Harvest(tuple(records), newest, _text(listed, "resumptionToken"))


# What to ask


def subjects(wanted: Collection[str]) -> list[str]:
    """Categories, with an archive such as cs as all of its subjects: its feed would be cut."""
    found: set[str] = set()
    for name in wanted:
        within = [known for known in known_categories() if known.startswith(f"{name}.")]
        found.update(within or [name])
    return sorted(found)


def oai_set(category: str) -> str:
    """The set of a category: cs.CL is in cs:cs:CL, hep-th in physics:hep-th."""
    archive, _, subject = category.partition(".")
    group = "physics" if archive in _PHYSICS else archive
    return ":".join(filter(None, (group, archive, subject)))


def api_query(query: Query) -> tuple[str, str]:
    """*query* as arXiv's ``search_query`` and ``id_list``; both are empty where it cannot be asked.

    What comes holds what was asked for and more: arXiv knows no organisations, and it stems.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    ids = ""
    for clause in query.clauses:
        terms = [_term(item) for item in clause.items]
        if clause.negated:
            unwanted += filter(None, terms)
        elif all(item.field == "id" for item in clause.items):
            ids = ids or ",".join(item.text for item in clause.items if not _is_foreign(item.text))
        elif all(terms):
            wanted.append(_either(terms))
    if not wanted and not ids:
        return "", ""
    if not wanted:
        return "", ids
    return " ANDNOT ".join([" AND ".join(wanted), *unwanted]), ids


def _is_foreign(paper_id: str) -> bool:
    return ":" in paper_id


def _either(terms: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(terms))
    return distinct[0] if len(distinct) == 1 else f"({' OR '.join(distinct)})"


def _all(terms: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(terms))
    return distinct[0] if len(distinct) == 1 else f"({' AND '.join(distinct)})"


def _term(item: Item) -> str:
    """One item in arXiv's syntax; empty where it has none for it."""
    match item.field:
        case "cat":
            archive = any(known.startswith(f"{item.text}.") for known in known_categories())
            return f"cat:{item.text}.*" if archive else f"cat:{item.text}"
        case "author":
            return _author(item.text)
        case "org" | "id":
            return ""
        case _:
            return _text_term(item)


def _text_term(item: Item) -> str:
    if item.kind == PREFIX:
        return _in_text(item.field, f"{item.text}*")
    if item.kind == PHRASE:
        words = _words(item.text)
        return _in_text(item.field, f'"{" ".join(words)}"') if words else ""
    chains = [words for chain in item.text.split() if (words := _words(chain))]
    chains = [c for c in chains if len(c) > 1 or c[0].lower() not in GLUE] or chains
    if not chains:
        return ""
    return _all(_in_text(item.field, *_spellings(chain)) for chain in chains)


def _spellings(chain: list[str]) -> list[str]:
    """Fine-tuning is written fine tuning and finetuning, too."""
    spellings = [f'"{" ".join(chain)}"']
    return spellings if len(chain) == 1 else [*spellings, f'"{"".join(chain)}"']


def _in_text(scope: str, *values: str) -> str:
    fields = {"title": ("ti",), "abs": ("abs",)}.get(scope, ("ti", "abs"))
    return _either(f"{name}:{value}" for value in values for name in fields)


def _author(name: str) -> str:
    """Surname and first name, each anywhere in the list: initials and middle names vary."""
    surname, comma, given = name.partition(",")
    parts = [" ".join(_words(part)) for part in (f"{given} {surname}" if comma else name).split()]
    parts = [part for part in parts if part]
    if not parts:
        return ""
    first = [part for part in parts[:-1][:1] if len(part) > 1]
    return _all(f'au:"{part}"' for part in (*first, parts[-1]))


def _words(text: str) -> list[str]:
    """Letters and digits alone: everything else would be syntax."""
    return re.findall(r"[^\W_]+", text)


# What is remembered


@dataclass(slots=True)
class _State:
    """What the source keeps between fetches, as JSON in ``Health.state``.

    *feeds* holds validators, day and batch by the categories asked together; *rows* how long the
    feed of a category gets; *told* the days that a category has told completely; *marks* the
    highest new id by day; *accepted* how many papers came on which day; *asked* when the search was
    last asked, and a digest of what it left missing; *begin* the first day that is not told by all;
    *harvest* where a backfill stands; *brought*, which is not kept, the ids of this fetch.
    """

    feeds: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    told: dict[str, set[date]] = field(default_factory=dict)
    marks: dict[date, str] = field(default_factory=dict)
    accepted: tuple[date, int] = (date.min, 0)
    asked: tuple[datetime, str] = (datetime.min.replace(tzinfo=UTC), "")
    begin: date = date.max
    harvest: dict[str, Any] = field(default_factory=dict)
    brought: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, text: str) -> _State:
        if not text:
            return cls()
        try:
            kept = json.loads(text)
            accepted_on, accepted = kept["accepted"]
            asked_at, asked = kept["asked"]
            return cls(
                feeds={str(k): {str(n): str(v) for n, v in d.items()} for k, d in kept["feeds"].items()},
                rows={str(k): int(n) for k, n in kept["rows"].items()},
                told={str(k): set(map(date.fromisoformat, d)) for k, d in kept["told"].items()},
                marks={date.fromisoformat(d): str(top) for d, top in kept["marks"].items()},
                accepted=(date.fromisoformat(accepted_on), int(accepted)),
                asked=(datetime.fromisoformat(asked_at).astimezone(UTC), str(asked)),
                begin=date.fromisoformat(kept["begin"]),
                harvest=dict(kept["harvest"]),
            )  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            log.warning("What arXiv's feeds told before cannot be read; it is asked anew")
            return cls()

    def text(self) -> str:
        return json.dumps({
            "feeds": self.feeds,
            "rows": self.rows,
            "told": {name: sorted(map(str, days)) for name, days in sorted(self.told.items())},
            "marks": {str(day): top for day, top in sorted(self.marks.items())},
            "accepted": [str(self.accepted[0]), self.accepted[1]],
            "asked": [self.asked[0].isoformat(), self.asked[1]],
            "begin": str(self.begin),
            "harvest": self.harvest,
        })  # fmt: skip

    def forget(self, before: date, groups: Iterable[str]) -> None:
        self.marks = {day: top for day, top in self.marks.items() if day >= before}
        self.told = {name: {d for d in days if d >= before} for name, days in self.told.items()}
        self.feeds = {name: self.feeds[name] for name in groups if name in self.feeds}

    def tell(self, names: Iterable[str], days: Iterable[date]) -> None:
        days = set(days)
        for name in names:
            self.told.setdefault(name, set()).update(days)

    def has_told(self, names: Iterable[str], day: date) -> bool:
        return all(day in self.told.get(name, ()) for name in names)

    def room(self, day: date) -> int:
        return PAPERS_A_DAY - (self.accepted[1] if self.accepted[0] == day else 0)

    def accept(self, records: Iterable[Record], day: date) -> tuple[Record, ...]:
        """As many of them as the day still takes; a paper of several feeds counts once."""
        room = self.room(day)
        accepted = []
        for record in records:
            if record.paper.id not in self.brought:
                if not room:
                    break
                room -= 1
                self.brought.add(record.paper.id)
            accepted.append(record)
        self.accepted = day, PAPERS_A_DAY - room
        return tuple(accepted)

    def groups(self, names: Iterable[str]) -> list[tuple[str, ...]]:
        """Small feeds together, as long as their rows cannot exceed what a feed holds."""
        groups: list[tuple[str, ...]] = []
        small: list[str] = []
        rows = 0
        for name in names:
            if (own := self.rows.get(name, JOINED_ROWS)) >= JOINED_ROWS:
                groups.append((name,))
                continue
            if small and (rows + own > JOINED_ROWS or len(small) == JOINED):
                groups.append(tuple(small))
                small, rows = [], 0
            small.append(name)
            rows += own
        return [*groups, tuple(small)] if small else groups

    def has_listed(self, record: Record, asked: Collection[str]) -> bool:
        """Whether a feed that was read in full has listed the paper."""
        day = record.listed_on
        own = (name for name in record.paper.categories if name in asked)
        return day is not None and any(day in self.told.get(name, ()) for name in own)

    def missing(self, names: Iterable[str], today: date) -> dict[str, set[date]]:
        """Days on which arXiv should have listed papers and a category has not told them."""
        days = [self.begin + timedelta(days=n) for n in range((today - self.begin).days + 1)]
        working = {day for day in days if not why_empty(day)}
        missing = {name: working - self.told.get(name, set()) for name in names}
        return {name: days for name, days in missing.items() if days}


def _digest(missing: Mapping[str, Iterable[date]]) -> str:
    text = "\n".join(f"{name} {sorted(map(str, days))}" for name, days in sorted(missing.items()))
    return sha256(text.encode()).hexdigest()[:16]


class ArXiv:
    """*categories* are asked for before each fetch: those configured and those in use.

    Each batch's token is the state to keep as ``Health.state`` once the batch is filed.
    """

    name = "arxiv"

    def __init__(
        self,
        client: PoliteClient,
        *,
        api_url: str,
        feed_url: str,
        oai_url: str,
        categories: Callable[[], Awaitable[Collection[str]]],
        clock: Clock,
    ) -> None:
        self._client = client
        self._api_url = api_url
        self._feed_url = feed_url.rstrip("/")
        self._oai_url = oai_url
        self._categories = categories
        self._clock = clock

    # What is new

    async def fetch(self, since: datetime, health: Health) -> AsyncIterator[Batch]:
        """The feeds of today, then by the search API the days that were missed.

        A feed that fails does not keep the others; the first failure is raised at the end. After
        5,000 papers on one day the rest is held, and that is raised.
        """
        state = _State.of(health.state)
        now = self._clock()
        self._check_room(state, now)
        today = now.astimezone(NEW_YORK).date()
        wanted = subjects(await self._categories())
        groups = deque(state.groups(wanted))
        state.begin = min(
            since.astimezone(NEW_YORK).date(),
            max(state.begin, today - timedelta(days=LOOK_BACK)),
        )
        state.forget(today - KEEP, map("+".join, groups))
        failure: SourceUnavailable | None = None
        empty: list[tuple[str, ...]] = []
        while groups:
            group = groups.popleft()
            before = state.text()
            try:
                batch = await self._feed(group, state, today, empty)
            except UnknownCategory as error:
                log.warning("arXiv has no feed of %s: %s", "+".join(group), error)
                groups.extend((name,) for name in group if len(group) > 1)
                continue
            except SourceUnavailable as error:
                log.warning("arXiv's feed of %s: %s", "+".join(group), error.message)
                failure = failure or error
                continue
            if batch is not None:
                async for part in self._held(batch, state, before, now):
                    yield part
        for group in empty:  # on a working day that is a fault, unless others have papers
            if today in state.marks:
                state.tell(group, [today])
            yield Batch((), complete=today in state.marks, token=state.text())
        async for part in self._catch_up(state, wanted, now):
            yield part
        if failure is not None:
            raise failure

    async def _feed(
        self, group: tuple[str, ...], state: _State, today: date, empty: list[tuple[str, ...]]
    ) -> Batch | None:
        """What is new in one feed; None where nothing is and nothing is missing."""
        name = "+".join(group)
        before = state.feeds.get(name, {})
        answer = await self._client.get(
            f"{self._feed_url}/rss/{name}",
            etag=before.get("etag", ""),
            modified=before.get("modified", ""),
            accept=(200, 400),
        )
        late = Batch((), complete=False)
        on_time = bool(why_empty(today)) or state.has_told(group, today)
        if answer.unchanged:
            return None if on_time else late
        feed = await asyncio.to_thread(read_feed, self._data(answer))
        if feed.day > today:
            raise SourceUnavailable(f"arXiv’s feed is dated {feed.day}, which is still to come.")
        if not self._is_of_its_day(feed, before, state.marks):
            # Without its validators: the next answer is to come in full
            log.warning("arXiv's feed of %s repeats an earlier batch as that of %s", name, feed.day)
            return None if state.has_told(group, today) else late
        seen = before.get("day") == str(feed.day) and before.get("batch") == feed.batch
        state.feeds[name] = {
            "etag": answer.headers.get("etag", ""),
            "modified": answer.headers.get("last-modified", ""),
            "day": str(feed.day),
            "batch": feed.batch,
        }
        for category in group:
            state.rows[category] = max(state.rows.get(category, 0), feed.rows.get(category, 0))
        if feed.top:
            state.marks[feed.day] = max(feed.top, state.marks.get(feed.day, ""))
        if feed.total >= FEED_ROWS:
            log.warning("arXiv's feed of %s is cut at %d rows", name, feed.total)
            state.rows |= dict.fromkeys(group, JOINED_ROWS)  # asked apart from now on
        elif feed.total or why_empty(feed.day):
            state.tell(group, [feed.day])
        elif feed.day == today and not on_time:
            empty.append(group)
            return None
        complete = bool(why_empty(today)) or state.has_told(group, today)
        if seen and complete:
            return None
        return Batch(
            () if seen else feed.records,
            announced=feed.day if feed.records else None,
            complete=complete,
        )

    @staticmethod
    def _is_of_its_day(feed: Feed, before: Mapping[str, str], marks: Mapping[date, str]) -> bool:
        """Whether it is no older batch under a newer date, as cs.AI's was on 2026-08-12."""
        newest = max((r.listed_on for r in feed.records if r.listed_on), default=feed.day)
        if newest != feed.day:
            return False
        if (
            feed.total
            and before
            and str(feed.day) > before["day"]
            and feed.batch == before["batch"]
        ):
            return False
        earlier = max((top for day, top in marks.items() if day < feed.day), default="")
        return not feed.top or feed.top > earlier

    # What was missed

    async def _catch_up(
        self, state: _State, wanted: list[str], now: datetime
    ) -> AsyncIterator[Batch]:
        today = now.astimezone(NEW_YORK).date()
        missing = state.missing(wanted, today)
        asked_at, left = state.asked
        if not missing or (left == _digest(missing) and now - asked_at < ASK_AGAIN):
            return
        names = sorted(missing)
        for at in range(0, len(names), ASKED_TOGETHER):
            together = {name: missing[name] for name in names[at : at + ASKED_TOGETHER]}
            gap = set().union(*together.values())
            before = state.text()
            found, reached = await self._submitted(together, gap, state.room(now.date()))
            papers = [record.paper for record in found]
            days = await asyncio.to_thread(listing_days, papers, state.marks, today)
            records = [replace(record, listed_on=days.get(record.paper.id)) for record in found]
            batch = Batch(
                tuple(
                    record
                    for record in records
                    if (record.listed_on or today) >= min(gap)
                    and not state.has_listed(record, together)
                ),
                announced=max(days.values(), default=None),
                complete=reached is None,
            )
            # The search changes once a day, after midnight: today's papers may not be in it yet
            last = today if today in days.values() else today - timedelta(days=1)
            first = announcement_day(reached) + timedelta(days=1) if reached else min(gap)
            for name, days_missing in together.items():
                state.tell([name], [day for day in days_missing if first <= day <= last])
            async for part in self._held(batch, state, before, now):
                yield part
            if reached is not None:
                self._check_room(state, now)
        missing = state.missing(wanted, today)
        state.asked = now, _digest(missing)
        state.begin = min((day for days in missing.values() for day in days), default=today)
        yield Batch((), token=state.text())

    async def _submitted(
        self, names: Iterable[str], gap: Collection[date], most: int
    ) -> tuple[list[Record], datetime | None]:
        """What may have been listed on the days of *gap*, and in the week before; newest first.

        Also how far back that goes, where it does not go all the way: after *most* papers of these
        days. A slice is paged through by number; the next one begins at the last paper seen, and so
        does one whose later pages stay empty, as those beyond 300 do at times (arxiv.py#175).
        """
        found: dict[str, Record] = {}
        within = _either(f"cat:{name}" for name in names)
        start = datetime.combine(min(gap) - CLOSED_FOR - OVERLAP, time(), UTC)
        reached = until = datetime.combine(_closing(max(gap)), time(23, 59), UTC)
        at = tries = new = 0
        while tries < TRIES:
            window = f"[{start:%Y%m%d%H%M} TO {until:%Y%m%d%H%M}]"
            page = await self._search({
                "search_query": f"{within} AND submittedDate:{window}",
                "start": str(at),
                "max_results": str(PAGE),
                "sortBy": "submittedDate",
                "sortOrder": "descending",
            })  # fmt: skip
            _check_order(page, start, until)
            known = len(found)
            for record in page.records:
                if record.paper.id in found:
                    continue
                published = record.paper.published or reached
                if announcement_day(published) >= min(gap):
                    if new == most:
                        return list(found.values()), reached
                    new += 1
                found[record.paper.id] = record
                reached = min(reached, published)
            at += page.count
            if page.count and (at >= page.total or not new):  # not new: nothing is announced yet
                return list(found.values()), None
            tries = 0 if len(found) > known else tries + 1
            next_slice = reached.replace(second=0, microsecond=0) + timedelta(minutes=1)
            if next_slice < until and (at + PAGE > SLICE or tries == TRIES - 1):
                until, at = next_slice, 0
        log.warning("arXiv's search gives %d papers and then none, which cannot be", len(found))
        return list(found.values()), reached

    async def _search(self, params: Mapping[str, str], *, urgent: bool = False) -> Found:
        answer = await self._client.get(self._api_url, params, urgent=urgent, accept=(200, 400))
        return await asyncio.to_thread(read_search, self._data(answer))

    @staticmethod
    def _data(answer: Answer) -> bytes:
        if answer.is_web_page:
            raise SourceUnavailable("arXiv answers with a web page instead of data.")
        return answer.body

    # No more than a day can hold

    def _check_room(self, state: _State, now: datetime) -> None:
        if state.room(now.date()) > 0:
            return
        tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        raise SourceUnavailable(
            f"arXiv has brought {PAPERS_A_DAY:,} papers today, and the rest is held: "
            "no real day has so many.",
            hint="It goes on tomorrow (UTC). For months at once use a backfill.",
            retry_after=(tomorrow - now).total_seconds(),
        )

    async def _held(
        self, batch: Batch, state: _State, before: str, now: datetime
    ) -> AsyncIterator[Batch]:
        """The batch in parts, as much of it as the day still takes; the last one has the state.

        Where the rest is held, that is the state from *before*, so that it comes again.
        """
        records = state.accept(batch.records, now.date())
        held = len(records) < len(batch.records)
        token = replace(_State.of(before), accepted=state.accepted).text() if held else state.text()
        for at in range(0, len(records) - BATCH, BATCH):
            yield replace(batch, records=records[at : at + BATCH])
        last = records[(len(records) - 1) // BATCH * BATCH :] if records else ()
        yield replace(batch, records=last, complete=batch.complete and not held, token=token)
        if held:
            self._check_room(state, now)

    # Months

    async def backfill(self, since: date, health: Health) -> AsyncIterator[Batch]:
        """The papers listed since then, set by set; goes on where an earlier one stopped."""
        state = _State.of(health.state)
        if state.harvest.get("since") != str(since):
            state.harvest = {"since": str(since), "done": [], "set": "", "from": "", "token": ""}
        sets = [oai_set(category) for category in sorted(await self._categories())]
        for name in sets:
            if name in state.harvest["done"]:
                continue
            if state.harvest["set"] != name:
                state.harvest |= {"set": name, "from": str(since), "token": ""}
            async for batch in self._harvest(since, state):
                yield batch
            state.harvest["done"].append(name)
        state.harvest = {}
        yield Batch((), token=state.text())

    async def _harvest(self, since: date, state: _State) -> AsyncIterator[Batch]:
        """The rest of one set. A token dies at midnight UTC; then its last datestamp goes on."""
        at = state.harvest
        restarted = ""
        while True:
            asked = {"verb": "ListRecords"}
            if at["token"]:
                asked["resumptionToken"] = at["token"]
            else:
                asked |= {"metadataPrefix": "arXiv", "set": at["set"], "from": at["from"]}
            answer = await self._client.get(self._oai_url, asked, seconds=HARVEST_SECONDS)
            page = await asyncio.to_thread(read_harvest, self._data(answer))
            if page.error == "noRecordsMatch":
                return
            if page.error == "badResumptionToken" and at["token"] and at["from"] != restarted:
                at["token"], restarted = "", at["from"]
                continue
            if page.error == "badArgument" and not at["token"]:
                log.warning("arXiv's archive has no set %s: %s", at["set"], page.why)
                return
            if page.error:
                raise SourceUnavailable(f"arXiv’s archive refuses: {page.why or page.error}")
            if page.token and page.token == at["token"]:
                raise SourceUnavailable("arXiv’s archive gives the same page again and again.")
            at["token"] = page.token
            if page.stamp:
                at["from"] = max(at["from"], str(page.stamp))
            records = tuple(self._listed(page, since))
            days = [record.listed_on for record in records if record.listed_on]
            yield Batch(records, max(days, default=None), not page.token, state.text())
            if not page.token:
                return

    def _listed(self, page: Harvest, since: date) -> Iterable[Record]:
        """The papers first listed since then: a datestamp is of the last change, whatever it was."""
        now = self._clock()
        for record, stamp in page.records:
            published = record.paper.published
            if published and not _OLDEST <= published <= now:
                log.warning("arXiv's archive: left out %s of %s", record.paper.id, published)
                continue
            day = harvested_day(record.paper, stamp)
            if day is None or day >= since:
                yield replace(record, listed_on=day)

    # What a person asks for

    async def search(self, query: Query, limit: int) -> list[Paper]:
        """What arXiv finds, best first; more than was asked for: the caller looks again."""
        words, ids = api_query(query)
        if not words and not ids:
            return []
        params = {
            "search_query": words,
            "id_list": ids,
            "max_results": str(max(1, min(limit, MOST_FOUND))),
            "sortBy": "relevance" if query.keywords else "submittedDate",
            "sortOrder": "descending",
        }
        return await self._papers({name: value for name, value in params.items() if value})

    async def lookup(self, paper_id: str) -> Paper | None:
        kind, _, bare = paper_id.partition(":")
        if kind != "arxiv":
            return None
        try:
            papers = await self._papers({"id_list": bare, "max_results": "1"})
        except SearchRefused as error:
            log.info("arXiv does not know %s: %s", paper_id, error.message)
            return None
        return next((paper for paper in papers if paper.id == paper_id), None)

    async def _papers(self, params: Mapping[str, str]) -> list[Paper]:
        """Nothing found is asked again: at times arXiv says so at random (arxiv.py#43)."""
        for _ in range(2):
            page = await self._search(params, urgent=True)
            if page.count:
                return [record.paper for record in page.records]
        return []


def _check_order(page: Found, start: datetime, until: datetime) -> None:
    """Newest first and of the window; in November 2025 neither held for two days (arxiv.py#184)."""
    moments = [record.paper.published for record in page.records if record.paper.published]
    day = timedelta(days=1)
    if any(not start - day <= moment <= until + day for moment in moments):
        raise SourceUnavailable("arXiv’s search gives papers of other dates than it was asked for.")
    if any(later > earlier for earlier, later in pairwise(moments)):
        raise SourceUnavailable("arXiv’s search does not give the newest papers first.")
