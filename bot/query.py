"""The keyword language: text to Query and back, with errors that teach.

    query  := clause+                     all of them
    clause := ["-"] item ("|" item)*      "OR" is the same as "|"; "-" excludes the whole clause
    item   := [field ":"] value
    value  := word | "exact phrase" | prefix*

Neighbouring bare words are one keyword (``WORDS``). What matches is decided in ``bot.ranking``.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NoReturn

from bot import identity
from bot.errors import UserError

VALUE_LENGTH = 80  # design §12
QUERY_LENGTH = 300
PREFIX_LETTERS = 3

WORDS, PHRASE, PREFIX, NAME = "words", "phrase", "prefix", "name"
TEXT_FIELDS = ("", "title", "abs")
FILTERS = ("author", "cat", "org", "id")
_FIELDS = ("title", "abs", "author", "cat", "org", "id")
_SYNONYMS = {
    "abstract": "abs",
    "category": "cat",
    "categories": "cat",
    "au": "author",
    "ti": "title",
}
_SYNONYMS |= {"authors": "author", "organisation": "org", "organization": "org", "arxiv": "id"}

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_DASHES = "-‐‑‒–—―−﹣－"
_TRIM = ",.;:!?()[]{}/'`‘’"  # punctuation that clings to a word and means nothing
_WRAPPED = re.compile(r"<([#@!]?[^<>|\s]*)\|([^<>]*)>|<(https?://[^<>\s]*)>")
_ANGLES = str.maketrans("<>", "  ")  # those of no platform's wrapping


@dataclass(frozen=True, slots=True)
class Item:
    """*kind* is WORDS, PHRASE or PREFIX (without its star) in a text field, NAME in a filter."""

    kind: str
    text: str
    field: str = ""

    @property
    def is_filter(self) -> bool:
        return self.field in FILTERS


@dataclass(frozen=True, slots=True)
class Clause:
    items: tuple[Item, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    clauses: tuple[Clause, ...]

    @property
    def keywords(self) -> tuple[Item, ...]:
        """The items whose words score: those of clauses that are not excluded, without filters."""
        return tuple(
            item for c in self.clauses if not c.negated for item in c.items if not item.is_filter
        )

    @property
    def only_excludes(self) -> bool:
        return all(clause.negated for clause in self.clauses)

    def __str__(self) -> str:
        return format_query(self)


def format_query(query: Query) -> str:
    """Text that parses to an equal query."""
    return " ".join(
        ("-" if clause.negated else "") + "|".join(map(format_item, clause.items))
        for clause in query.clauses
    )


def format_item(item: Item) -> str:
    prefix = f"{item.field}:" if item.field else ""
    bare = not re.search(r"[\s|]", item.text) and item.text == item.text.strip(_TRIM + _DASHES)
    if item.kind == PHRASE or (item.kind == NAME and not bare):
        return f'{prefix}"{item.text}"'
    return prefix + item.text + ("*" if item.kind == PREFIX else "")


def parse(text: str) -> Query:
    """Raise UserError, pointing at the place, for anything that is no query."""
    if len(text) > QUERY_LENGTH * 4:  # before any work on it
        raise _too_long(len(text))
    source = " ".join(clean(text).translate(_ANGLES).split())
    if len(source) > QUERY_LENGTH:
        raise _too_long(len(source))
    if not source:
        raise UserError(
            "There is no keyword.", hint='Write a word or a phrase, such as "speculative decoding".'
        )
    query = _Parser(source).query()
    if (length := len(format_query(query))) > QUERY_LENGTH:  # ti: has become title:
        raise _too_long(length)
    return query


def clean(text: str) -> str:
    """What was typed without platform wrapping, curly quotes, control and direction marks."""
    text = "".join(
        " " if c.isspace() else c
        for c in text
        if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    text = _WRAPPED.sub(_unwrapped, text)
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return " ".join(text.split())


def _unwrapped(wrapped: re.Match[str]) -> str:
    """The label of a labelled link, but the link itself where it names a paper."""
    target, label, link = wrapped.groups()
    return link or (target if identity.parse_id(target) else label)


def _too_long(length: int) -> UserError:
    return UserError(
        f"A query is at most {QUERY_LENGTH} characters long; this one has {length}.",
        hint="Make it several subscriptions, separated by ;",
    )


@cache
def categories() -> tuple[str, ...]:
    """All arXiv categories and archives, as arXiv writes them."""
    return tuple(resources.files("bot").joinpath("data/categories.txt").read_text("utf-8").split())


_BUSY = ("cs.LG", "cs.CV", "cs.CL", "cs.AI", "cs.RO", "stat.ML", "eess.IV", "cs.CR", "math.OC")


def _nearest_categories(wanted: str) -> list[str]:
    """The three most alike; among equals the busier first."""

    def likeness(category: str) -> tuple[float, int]:
        ratio = difflib.SequenceMatcher(None, wanted, category.lower()).ratio()
        return ratio, -_BUSY.index(category) if category in _BUSY else -len(_BUSY)

    return sorted(categories(), key=likeness, reverse=True)[:3]


@dataclass(slots=True)
class _Token:
    item: Item
    start: int
    end: int
    negated: bool
    joined: bool  # "|" stands before it

    @property
    def bare(self) -> bool:
        return self.item.kind == WORDS and not self.item.field


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def query(self) -> Query:
        tokens = list(self._tokens())
        if not tokens:
            self._fail("There is no keyword here.", 0, len(self._source), "Write a word.")
        self._refuse_runs_beside_bars(tokens)
        clauses: list[Clause] = []
        for i, token in enumerate(tokens):
            before = tokens[i - 1] if i else None
            if token.joined:
                last = clauses.pop()
                clauses.append(Clause((*last.items, token.item), last.negated))
            elif before and self._is_run(before, token):
                last = clauses.pop()
                run = last.items[0]
                item = Item(WORDS, f"{run.text} {token.item.text}")
                self._check_length(item.text, token.start, token.end)
                clauses.append(Clause((item,)))
            else:
                clauses.append(Clause((token.item,), token.negated))
        return Query(tuple(clauses))

    @staticmethod
    def _is_run(before: _Token, token: _Token) -> bool:
        return before.bare and token.bare and not before.negated and not token.negated

    def _refuse_runs_beside_bars(self, tokens: list[_Token]) -> None:
        runs = [[0, 0]]
        for i in range(1, len(tokens)):
            if not tokens[i].joined and self._is_run(tokens[i - 1], tokens[i]):
                runs[-1][1] = i
            else:
                runs.append([i, i])
        wrong = [
            (tokens[first].start, tokens[last].end)
            for first, last in runs
            if last > first
            and (tokens[first].joined or (last + 1 < len(tokens) and tokens[last + 1].joined))
        ]
        if wrong:
            shown = self._source
            for start, end in reversed(wrong):
                shown = f'{shown[:start]}"{shown[start:end]}"{shown[end:]}'
            self._fail("Beside “|” several words need quotes.", *wrong[0], f"Write {shown}")

    def _tokens(self) -> Iterator[_Token]:
        joined = False
        count = 0
        while True:
            self._skip(" ")
            if self._at >= len(self._source):
                break
            start = self._at
            if self._bar():
                if joined or not count:
                    self._fail("“|” stands between two keywords.", start, self._at,
                               "Write one on each side: RAG|retrieval")  # fmt: skip
                joined = True
                continue
            token = self._token(joined)
            if token is not None:
                yield token
                count += 1
                joined = False
        if joined:
            end = len(self._source)
            self._fail("“|” stands between two keywords.", end - 1, end, "Write one behind it too.")

    def _skip(self, characters: str) -> None:
        while self._at < len(self._source) and self._source[self._at] in characters:
            self._at += 1

    def _bar(self) -> bool:
        if self._source[self._at] == "|":
            self._at += 1
            return True
        if re.compile(r"OR(?= |$)").match(self._source, self._at):
            self._at += 2
            return True
        return False

    def _token(self, joined: bool) -> _Token | None:
        self._skip(_TRIM)
        start = self._at
        if start >= len(self._source) or self._source[start] in " |":
            return None
        self._skip(_DASHES + _TRIM)
        negated = any(c in _DASHES for c in self._source[start : self._at])
        if negated and (self._at >= len(self._source) or self._source[self._at] in " |"):
            self._fail("A dash belongs directly before the word that it excludes.", start, self._at,
                       "Write -survey, or leave the dash out.")  # fmt: skip
        if negated and joined:
            self._fail("A dash excludes a whole group, so it stands before the first of it.",
                       start, self._at, "Write -survey|review to exclude both.")  # fmt: skip
        field = self._field()
        return _Token(self._value(field, start), start, self._at, negated, joined)

    def _field(self) -> str:
        match = re.compile(r"([A-Za-z_]+):(?!//)").match(self._source, self._at)
        if match is None:
            return ""
        name = match[1].lower()
        name = _SYNONYMS.get(name, name)
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, [*_FIELDS, *_SYNONYMS], n=2, cutoff=0.5)
            names = " or ".join(dict.fromkeys(f"{_SYNONYMS.get(n, n)}:" for n in near))
            meant = f"Did you mean {names}? " if near else ""
            self._fail(
                f"There is no field “{match[1]}”.", match.start(), match.end(),
                f"{meant}The fields are {', '.join(f + ':' for f in _FIELDS)}. "
                "Text with a colon goes into quotes.")  # fmt: skip
        self._at = match.end()
        self._skip(" ")
        return name

    def _value(self, field: str, start: int) -> Item:
        if self._at < len(self._source) and self._source[self._at] == '"':
            end = self._source.find('"', self._at + 1)
            if end < 0:
                phrase = self._source[self._at + 1 :].strip()
                self._fail("A quote is opened but not closed.", self._at, len(self._source),
                           f'Write {self._source[start:]}"' if phrase else "Leave it out.")  # fmt: skip
            begin, quoted = self._at + 1, True
            value = " ".join(self._source[begin:end].split())
            self._at = end + 1
        else:
            begin, quoted = self._at, False
            while self._at < len(self._source) and self._source[self._at] not in ' |"':
                self._at += 1
            raw = self._source[begin : self._at]
            value = raw.strip(_TRIM + _DASHES)
            if field and value and any(c in _DASHES for c in raw[: raw.index(value)]):
                self._fail("A dash stands before the field.", start, self._at,
                           f"Write -{field}:{value}")  # fmt: skip
        if field and not value:
            self._fail(f"“{field}:” needs a value.", start, max(self._at, start + 1),
                       f"Write {_EXAMPLES[field]}")  # fmt: skip
        if not any(c.isalnum() for c in value):
            self._fail("A keyword needs a letter or a digit.", start, self._at,
                       'Write a word or a phrase, such as "speculative decoding".')  # fmt: skip
        self._check_length(value, begin, self._at)
        if field in FILTERS:
            name = self._filter(field, value, begin)
            self._check_length(name, begin, self._at)
            return Item(NAME, name, field)
        if quoted or value == "OR":
            return Item(PHRASE, value, field)
        if "*" in value:
            return Item(PREFIX, self._prefix(value, begin), field)
        return Item(WORDS, value, field)

    def _prefix(self, value: str, begin: int) -> str:
        stem = value[:-1]
        if not value.endswith("*") or not stem.isalnum():
            self._fail("A star stands at the end of one plain word.", begin, self._at,
                       "Write reward*")  # fmt: skip
        if sum(c.isalpha() for c in stem) < PREFIX_LETTERS:
            self._fail(f"A star needs at least {PREFIX_LETTERS} letters before it.", begin, self._at,
                       "Write rew* or longer.")  # fmt: skip
        return stem

    def _filter(self, field: str, value: str, begin: int) -> str:
        if field == "cat":
            wanted = value.lower().removesuffix("*").removesuffix(".")
            for category in categories():
                if category.lower() == wanted:
                    return category
            meant = ", ".join(f"cat:{category}" for category in _nearest_categories(wanted))
            self._fail(f"arXiv has no category “{value}”.", begin, self._at,
                       f"Did you mean one of {meant}?")  # fmt: skip
        if field == "id":
            paper = identity.parse_id(value)
            if paper is None:
                self._fail(f"“{value}” is no paper id.", begin, self._at, "Write id:2508.13426")
            return identity.short_id(paper)
        return value

    def _check_length(self, value: str, start: int, end: int) -> None:
        if len(value) > VALUE_LENGTH:
            self._fail(f"A keyword is at most {VALUE_LENGTH} characters long; this one has {len(value)}.",
                       start, end, "Shorten it, or make it several.")  # fmt: skip

    def _fail(self, message: str, start: int, end: int, hint: str) -> NoReturn:
        raise UserError(message, hint=hint, source=self._source, start=start, end=end)


_EXAMPLES = {
    "title": "title:survey",
    "abs": "abs:benchmark",
    "author": 'author:"Yejin Choi"',
    "cat": "cat:cs.CL",
    "org": 'org:"Hugging Face"',
    "id": "id:2508.13426",
}
