"""Which records speak of one paper, and what the paper looks like then. Pure.

Every field carries a rank. Of two values the one of the higher rank stays, of equal ranks the
greater value: a maximum, so neither the order of the records nor their number matters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from typing import Any

from bot.identity import doi_id, title_id, title_key
from bot.model import Paper, Record

# All but the id. Ranks are stored in this order.
FIELDS = tuple(field.name for field in fields(Paper))[1:]
TITLE_KEY_LENGTH = 12  # shorter titles ("Editorial") are shared by papers that differ

_values = attrgetter(*FIELDS)
_KINDS = {"arxiv": 0, "doi": 1, "link": 2, "title": 3}
_RANKED_BY = {
    **dict.fromkeys(FIELDS, "text"),
    "published": "time",
    "updated": "most",
    "version": "most",
    **dict.fromkeys(("upvotes", "discussion"), "count"),
    **dict.fromkeys(("summary", "keywords", "code", "stars", "project"), "page"),
    **dict.fromkeys(("submitter", "organisation"), "page"),
    "listed_on": "day",
}
_LARGEST = 2**53  # what JSON keeps exactly
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Known:
    """A paper with the rank of each of its ``FIELDS``; rank 0 is an empty field."""

    paper: Paper
    ranks: tuple[int, ...]


def known(record: Record, today: date) -> Known:
    """What one record says; where it announces nothing, it arrived *today*."""
    said = record.paper
    paper = replace(
        said,
        published=said.published and said.published.astimezone(UTC),
        updated=said.updated and said.updated.astimezone(UTC),
        upvotes=min(said.upvotes, _LARGEST),
        discussion=min(said.discussion, _LARGEST),
        stars=min(said.stars, _LARGEST),
        listed_on=record.listed_on or today,
    )
    source = 15 - record.origin.value
    seen = record.observed_on.toordinal() if record.observed_on else 1
    rank = {
        "text": 16 * paper.version + source,
        "time": _rank_of_time(paper.published, source),
        "most": 1,
        "count": seen,
        "page": seen,
        "day": _rank_of_day(paper.listed_on or today, announced=record.listed_on is not None),
    }
    ranks = [
        rank[by] if value or by == "count" else 0  # no votes are a count too
        for by, value in zip(_RANKED_BY.values(), _values(paper), strict=True)
    ]
    return Known(paper, tuple(ranks))


def _rank_of_time(at: datetime | None, source: int) -> int:
    """An exact time before a bare date, then the better source, then the earlier."""
    if at is None:
        return 0
    exact = at.time() != time.min
    return (16 * exact + source) * 10**18 - (at - _EPOCH) // _MICROSECOND


def _rank_of_day(day: date, *, announced: bool) -> int:
    """An announcement before an arrival, then the earlier."""
    return (2 if announced else 1) * 10**7 - day.toordinal()


def merge(paper_id: str, parts: Iterable[Known]) -> Known:
    """All *parts* as one paper of that id."""
    values: tuple[Any, ...] = ()
    ranks: tuple[int, ...] = ()
    for part in parts:
        more = _values(part.paper)
        if not ranks:
            values, ranks = more, part.ranks
        elif (values, ranks) != (more, part.ranks):
            pairs = zip(ranks, values, part.ranks, more, strict=True)
            ranks, values = zip(
                *((s, w) if s > r or (s == r > 0 and w > v) else (r, v) for r, v, s, w in pairs),
                strict=True,
            )
    return Known(Paper(paper_id, *values), ranks)


def order(paper_id: str) -> tuple[int, str]:
    """Sorts better ids first: arXiv, DOI, link, title; among equals the smaller text."""
    return _KINDS.get(paper_id.partition(":")[0], len(_KINDS)), paper_id


def links(record: Record) -> set[tuple[str, str]]:
    """Pairs (lesser id, better id) of one paper, as the record states them.

    Two arXiv ids are two papers, whatever a record says. A title leads to its paper too, so that a
    paper that is known by nothing else finds it.
    """
    own = record.paper.id
    ids = {own, *record.aliases}
    if record.paper.doi and (doi := doi_id(record.paper.doi)):
        ids.add(doi)
    if _is_arxiv(own):
        ids = {own, *(i for i in ids if not _is_arxiv(i))}
    best = min(ids, key=order)
    ids = {i for i in ids if not _is_arxiv(i)}
    if len(title_key(record.paper.title)) >= TITLE_KEY_LENGTH:
        ids.add(title_id(record.paper.title))
    return {(lesser, best) for lesser in ids if lesser != best}


def owner(paper_id: str, better: Mapping[str, Collection[str]]) -> str:
    """The id of the paper that *paper_id* belongs to: the best one that links lead to."""
    reached = {paper_id}
    ahead = [paper_id]
    while ahead:
        found = set(better.get(ahead.pop(), ())) - reached
        reached |= found
        ahead.extend(found)
    return min(reached, key=order)


def sound(record: Record) -> Record:
    """The record without half surrogate pairs, which no file or database takes."""
    paper = record.paper
    texts = [paper.id, *record.aliases]
    for value in _values(paper):
        texts.extend((value,) if isinstance(value, str) else value if type(value) is tuple else ())
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        repaired = {
            name: _repaired(value)
            for name, value in zip(("id", *FIELDS), (paper.id, *_values(paper)), strict=True)
        }
        aliases = _repaired(record.aliases)
        return replace(record, paper=Paper(**repaired), aliases=aliases)
    return record


def _repaired(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case tuple():
            return tuple(map(_repaired, value))
        case _:
            return value


def _is_arxiv(paper_id: str) -> bool:
    return paper_id.startswith("arxiv:")
