"""Filters of the query language: which papers an author, a category, an organisation or an id admits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from bot import identity
from bot.model import Paper
from bot.query import Item
from bot.text import Field, fold, pattern, tokens

Filter = Callable[[Paper], str]  # the reason it is admitted, or ""


def compile_filter(item: Item) -> Filter:
    match item.field:
        case "cat":
            return _category(item.text)
        case "author":
            return _author(item.text)
        case "org":
            wanted = pattern(tokens(item.text))
            return lambda p: f"from {p.organisation}" if wanted.count(Field(p.organisation)) else ""
        case _:
            paper_id = identity.parse_id(item.text)
            return lambda p: f"id {item.text}" if p.id == paper_id else ""


def _category(wanted: str) -> Filter:
    def admit(paper: Paper) -> str:
        for category in paper.categories:
            if category == wanted or category.partition(".")[0] == wanted:
                return f"in {category}"
        return ""

    return admit


def _author(wanted: str) -> Filter:
    is_wanted = who(wanted)
    return lambda p: next((f"by {author}" for author in p.authors if is_wanted(author)), "")


def who(wanted: str) -> Callable[[str], bool]:
    """Whether a listed author is the one."""
    name = name_parts(wanted)
    surname = _is_surname(wanted, name)

    def is_wanted(author: str) -> bool:
        listed = name_parts(author)
        if surname and listed[-len(name) :] == name:
            return True
        return _same_person(name, listed) or _same_group(name, listed)

    return is_wanted


def _is_surname(wanted: str, name: Sequence[str]) -> bool:
    return len(wanted.split()) == 1 or name[0] in _PARTICLES


class Names:
    """Listed authors, by what decides quickly whether one can be wanted."""

    def __init__(self, authors: Iterable[str]) -> None:
        self._by_last: dict[str, list[str]] = {}
        self._by_both: dict[tuple[str, str], list[str]] = {}
        self._groups: list[str] = []
        for author in authors:
            name = name_parts(author)
            if not _GROUPS.isdisjoint(name[-1:]):
                self._groups.append(author)
            if name:
                self._by_last.setdefault(name[-1], []).append(author)
                self._by_both.setdefault((name[-1], name[0][:1]), []).append(author)

    def wanted(self, text: str) -> list[str]:
        """Those that ``author:`` with this text admits."""
        name, is_wanted = name_parts(text), who(text)
        if _is_surname(text, name):
            likely = self._by_last.get(name[-1], [])
        else:
            likely = self._by_both.get((name[-1], name[0][:1]), [])
        return [author for author in (*likely, *self._groups) if is_wanted(author)]


_PARTICLES = frozenset({
    "van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "du", "la", "le", "el",
    "al", "bin", "ibn", "ter", "ten",
})  # fmt: skip
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_GROUPS = frozenset({"collaboration", "team", "consortium", "group"})


@lru_cache(20_000)  # the authors of one window, asked for by every subscription
def name_parts(name: str) -> tuple[str, ...]:
    surname, comma, given = name.partition(",")
    words = tokens(fold(f"{given} {surname}" if comma else name))
    kept = [word for word in words if word not in _SUFFIXES]
    return tuple(kept if len(kept) > 1 else words)


def _same_group(wanted: Sequence[str], listed: Sequence[str]) -> bool:
    """*ATLAS* and *the ATLAS Collaboration* are one."""
    return not _GROUPS.isdisjoint(listed[-1:]) and set(wanted) - {"the"} <= set(listed)


def _same_person(wanted: Sequence[str], listed: Sequence[str]) -> bool:
    """A full name needs that name, an initial takes both; middle names may be missing in either."""
    if len(wanted) < 2 or len(listed) < 2 or wanted[-1] != listed[-1]:
        return False
    given, theirs = wanted[:-1], listed[:-1]
    if not _same_given(given[0], theirs[0]):
        return False
    rest = iter(theirs[1:])
    middle = given[1:] if len(theirs) > 1 else []
    return all(any(_same_given(name, other) for other in rest) for name in middle)


def _same_given(wanted: str, listed: str) -> bool:
    return wanted == listed or (len(wanted) == 1 and listed.startswith(wanted))
