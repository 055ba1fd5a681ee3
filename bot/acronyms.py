"""What acronyms stand for: mined from texts that spell them out, and put into queries.

The method is that of A. Schwartz and M. Hearst, "A simple algorithm for identifying abbreviation
definitions in biomedical text", PSB 2003: an acronym beside a bracket is matched backwards, letter
by letter, against the words before it. It goes from acronym to long form, never back.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from bot import query
from bot.errors import UserError
from bot.query import PHRASE, QUERY_LENGTH, WORDS, Clause, Item, Query
from bot.text import GLUE, fold, is_acronym, stem, tokens

_LONGEST = 10  # characters of a short form
_BRACKET = re.compile(r"\(([^()]{2,200})([()])")
_ASIDE = re.compile(r"[,;]\s")  # behind it: (RL; see below)
_BREAK = re.compile(r"[.!?;](?:\s|$)|[()]")
_WORD = re.compile(r"[^\s-]+")
_REACH = 25  # characters before a bracket, for each of the acronym, that its words can take
_QUOTES = "\"'“”‘’`*"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A long form, as most papers write it, and how many of them do."""

    text: str
    papers: int


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Every acronym that the text spells out, with its long form, in order."""
    text = text.replace("\u0130", "I")  # the one letter that is longer in lower case
    for bracket in _BRACKET.finditer(text):
        end = bracket.start()
        short = _short_form(_ASIDE.split(bracket[1], maxsplit=1)[0].strip())
        if short and (long := _long_form(short, _before(text, end, _REACH * len(short)))):
            yield short, long
        elif bracket[2] == ")":
            last = _before(text, end, _LONGEST + 3).rpartition(" ")[2]
            whole = bracket[1].strip()
            if (short := _short_form(last)) and fits(short, whole):
                yield short, whole


def _before(text: str, end: int, reach: int) -> str:
    """Whole words that stand before a place in the same sentence, outside of other brackets."""
    start = max(0, end - reach)
    words = text[start:end].rstrip()
    if start:
        words = words.partition(" ")[2]
    return _BREAK.split(words)[-1]


def _short_form(words: str) -> str:
    """An acronym without its plural s, or "" where this is none."""
    short = words.strip(_QUOTES)
    if short.endswith("s") and short[-2:-1].isupper():
        short = short[:-1]
    if not 2 <= len(short) <= _LONGEST or short.count(" ") > 1 or not short[0].isalnum():
        return ""
    return short if short.lower() != short else ""


def _long_form(short: str, words: str) -> str:
    """The words at the end that the acronym is made of, or "".

    Those that its letters begin, one each; else the fewest that hold its letters in order, the
    first at the beginning of a word. (Without the former PPO is *policy optimization*.)
    """
    words = words.rstrip(_QUOTES + " ")
    lower = words.lower()
    letters = [c for c in short.lower() if c.isalnum()]
    at = _initials(letters, lower)
    if at < 0:
        at = _backwards(letters, lower)
    if at < 0:
        return ""
    found = words[words.rfind(" ", 0, at) + 1 :].lstrip(_QUOTES)
    said = _WORD.findall(found)
    most = min(len(letters) + 5, 2 * len(letters))
    if len(found) <= len(short) or len(said) > most or short in said:
        return ""
    return found


def _initials(letters: Sequence[str], lower: str) -> int:
    """Where the last words begin, where each begins with its letter; else -1."""
    starts = [match.start() for match in _WORD.finditer(lower)][-len(letters) :]
    return starts[0] if [lower[start] for start in starts] == letters else -1


def _backwards(letters: Sequence[str], lower: str) -> int:
    at = len(lower)
    for letter in reversed(letters[1:]):
        at = lower.rfind(letter, 0, at)
        if at < 0:
            return -1
    while (at := lower.rfind(letters[0], 0, max(at, 0))) > 0 and lower[at - 1].isalnum():
        pass
    return at


def fits(short: str, long: str) -> bool:
    """Whether the letters of the acronym are found in the whole of these words."""
    return _long_form(short, long) == long


def mined(texts: Iterable[str]) -> dict[str, list[Meaning]]:
    """What each acronym stands for, the commonest first; a text counts once for each.

    Long forms that differ in endings, hyphens or capitals are one.
    """
    spellings: defaultdict[tuple[str, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for text in texts:
        spelt_out = {(short, _stems(long)): long for short, long in pairs(text)}
        for (short, stems), long in spelt_out.items():
            spellings[short, stems][long] += 1
    found: defaultdict[str, list[Meaning]] = defaultdict(list)
    for (short, _), written in spellings.items():
        commonest = min(written, key=lambda form: (-written[form], form))
        found[short].append(Meaning(commonest, written.total()))
    for meanings in found.values():
        meanings.sort(key=lambda meaning: (-meaning.papers, meaning.text))
    return dict(found)


@lru_cache(4096)  # papers spell out the same few
def _stems(words: str) -> tuple[str, ...]:
    return tuple(map(stem, tokens(fold(words))))


# queries


def acronyms_of(asked: Query) -> list[str]:
    """The acronyms among the keywords of a query that are not spelt out beside it."""
    found = {
        word: None
        for clause in asked.clauses
        for word, item in _acronyms(clause)
        if not _is_spelt_out(word, item, clause)
    }
    return list(found)


def _acronyms(clause: Clause) -> list[tuple[str, Item]]:
    """Those that stand alone, in a run of bare words or in a phrase."""
    if clause.negated:
        return []
    items = [i for i in clause.items if i.kind in (WORDS, PHRASE)]
    return [(word, item) for item in items for word in item.text.split() if is_acronym(word)]


def _is_spelt_out(acronym: str, item: Item, clause: Clause) -> bool:
    before, _, behind = item.text.partition(acronym)
    return any(
        other.text.startswith(before)
        and other.text.endswith(behind)
        and fits(acronym, other.text[len(before) : len(other.text) - len(behind)])
        for other in clause.items
        if other.field == item.field
    )


def expanded(asked: Query, meaning: str) -> Query:
    """The query with *meaning* beside the acronym that it is the long form of.

    The same query where it stands there already. Raises UserError where it is not clear which
    acronym is meant, or where the query becomes too long.
    """
    after = _placed(asked, _meant(asked, meaning), meaning)
    if (length := len(str(after))) > QUERY_LENGTH:
        raise UserError(
            f"A query is at most {QUERY_LENGTH} characters long; with this it would have {length}.",
            hint=f'Make it a subscription of its own: `subscribe "{meaning}"`',
        )
    return query.parse(str(after))  # its limits hold for what is made here, too


def _meant(asked: Query, meaning: str) -> str:
    held = {word for clause in asked.clauses for word, _ in _acronyms(clause)}
    if not held:
        raise UserError(
            f"There is no acronym in {asked}.",
            hint=f'An acronym is 2 to 5 capital letters. Write `subscribe "{meaning}"`',
        )
    fitting = sorted(word for word in held if fits(word, meaning))
    if len(fitting or held) > 1:
        names = " or ".join(sorted(held))
        raise UserError(
            f"It is not clear whether “{meaning}” stands for {names}.",
            hint=f"Write the query anew: `subscribe {_placed(asked, min(held), meaning)}`",
        )
    return min(fitting or held)


def _placed(asked: Query, acronym: str, meaning: str) -> Query:
    clauses = [new for c in asked.clauses for new in _with_meaning(c, acronym, meaning)]
    return Query(tuple(clauses))


def _with_meaning(clause: Clause, acronym: str, meaning: str) -> list[Clause]:
    holding = [item for word, item in _acronyms(clause) if word == acronym]
    if not holding:
        return [clause]
    if holding[0].kind == WORDS and " " in holding[0].text:  # a run stands alone in its clause
        return _split_run(holding[0], acronym, meaning)
    known = {(item.field, _stems(item.text)) for item in clause.items}
    items: list[Item] = []
    for item in clause.items:
        items.append(item)
        if item in holding:
            words = (meaning if word == acronym else word for word in item.text.split())
            long = replace(item, kind=PHRASE, text=" ".join(words))
            if (long.field, _stems(long.text)) not in known:
                items.append(long)
    return [Clause(tuple(items))]


def _split_run(run: Item, acronym: str, meaning: str) -> list[Clause]:
    """*deep RL agents* as RL or its meaning, and *deep agents*.

    The acronym comes first because bare words may not stand directly before an alternation.
    """
    rest: list[str] = []
    piece: list[str] = []
    for word in (*run.text.split(), acronym):
        if word == acronym:
            rest += _without_glue(piece)
            piece = []
        else:
            piece.append(word)
    either = Clause((Item(WORDS, acronym), Item(PHRASE, meaning)))
    return [either, Clause((Item(WORDS, " ".join(rest)),))] if rest else [either]


def _without_glue(words: list[str]) -> list[str]:
    """Without *of*, *for* and the like at either end: what they joined is elsewhere now."""
    while words and words[0].lower() in GLUE:
        words = words[1:]
    while words and words[-1].lower() in GLUE:
        words = words[:-1]
    return words
