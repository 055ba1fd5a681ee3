"""Filters of the query language: which papers an author, a category, an organisation or an id admits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Whether a listed author is the one; then all but the last word of the name may be missing."""
    name = name_parts(wanted)
    surname = len(wanted.split()) == 1 or name[0] in _PARTICLES

    def is_wanted(author: str) -> bool:
        listed = name_parts(author)
        if last_name(name) not in listed and last_name(name):
            return False
        if surname and listed[-len(name) :] == name:
            return True
        return _same_group(name, listed) or _same_person(name, listed)

    return is_wanted


def last_name(name: Sequence[str]) -> str:
    """A word that whoever is wanted has in the name; "" where there is none such."""
    return name[-1] if name[-1:] != ("the",) and name else ""


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
