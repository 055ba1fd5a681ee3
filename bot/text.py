"""One analysis of text for matching, search and highlights: tokens, stems, spellings, sentences.

A text becomes folded words (no accents, ligatures or capitals) and their stems, one position each;
the parts of a hyphenated word are neighbours, and the joined form is known besides. In any script a
run of letters and digits without a blank is one word. No markup here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import Stemmer

from bot.frequencies import shipped

_HYPHENS = "-‐‑‒−"
_WORD = r"[^\W_]+(?:['’][^\W_]+)*(?:\+\+|#)?"
_CHAIN = re.compile(rf"{_WORD}(?:[{_HYPHENS}]{_WORD})*")
_HYPHEN = re.compile(rf"[{_HYPHENS}]")
_LETTERS = {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i",
            "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "’": "'",
            "Σ": "\u03c3", "ς": "\u03c3"}  # its lower case depends on what follows  # fmt: skip
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_FOLDED = re.compile(f"[{''.join(_LETTERS)}{_MARKS}]")
# ASCII that no chain holds becomes a blank; in bytes because that is five times as fast
_BLANKS = bytes(b if b > 127 or chr(b).isalnum() or chr(b) in "-'+#" else 32 for b in range(256))
GLUE = frozenset({
    "the", "of", "a", "an", "and", "or", "to", "in", "on", "for", "with", "by", "from", "at", "as",
    "is", "are", "be", "we", "our", "it", "this", "that", "these", "those", "which", "their", "can",
    "not", "have", "has", "was", "were", "its", "than", "such", "also", "into", "but", "both",
    "they", "via", "while", "all", "any", "may",
})  # fmt: skip
_HALF = 30  # papers that hold each half of a word that may be written as two
_COMMON = 1000  # papers that hold a word which everybody writes the same
_STEMS_KEPT = 100_000  # about as many words as this language community has


class _Stems(dict[str, str]):
    """Word to stem, filled as words are met."""

    def __init__(self) -> None:
        super().__init__()
        self._stemmer = Stemmer.Stemmer("english", 0)

    def __missing__(self, word: str) -> str:
        if len(self) >= _STEMS_KEPT:
            self.clear()
        found: str = self._stemmer.stemWord(word)
        self[word] = found
        return found


_stems = _Stems()


def stem(word: str) -> str:
    """The stem of a folded word."""
    return _stems[word]


def strip_accents(text: str) -> str:
    """Compatibility forms and accents resolved, case kept; may change the length."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    return _FOLDED.sub(lambda match: _LETTERS.get(match[0], ""), plain)


def fold(text: str) -> str:
    """For comparing: no accents, lower case."""
    return strip_accents(text).lower()


@dataclass(frozen=True, slots=True)
class Needles:
    """Strings that every text with a spelling holds, longest first."""

    folded: tuple[str, ...]
    written: tuple[str, ...]  # acronyms

    def implies(self, other: Needles) -> bool:
        """Whether a text that holds these holds the other's, too."""
        return all(any(n in own for own in self.folded) for n in other.folded) and all(
            any(n in own for own in self.written) for n in other.written
        )


@dataclass(frozen=True, slots=True)
class Haystack:
    """A text that is quickly asked whether a word can be in it, in any spelling."""

    written: str  # case kept, no accents or apostrophes
    folded: str  # the same in lower case, without hyphens

    @classmethod
    def of(cls, text: str) -> Haystack:
        written = strip_accents(text).replace("'", "")
        folded = written.lower()
        for hyphen in _HYPHENS:
            folded = folded.replace(hyphen, "")
        return cls(written, folded)

    def may_hold(self, needles: Needles) -> bool:
        for needle in needles.folded:
            if needle not in self.folded:
                return False
        return all(needle in self.written for needle in needles.written)


def is_acronym(word: str) -> bool:
    """ALL-CAPS, 2 to 5 letters: such words match case-sensitively."""
    return 2 <= len(word) <= 5 and word.isalpha() and all(map(str.isupper, word))


def _words_of(chain: str) -> list[str]:
    parts = chain.split("-") if chain.isascii() else _HYPHEN.split(chain)
    return [_plain(part) for part in parts] if "'" in chain else parts


def _plain(word: str) -> str:
    """Without the possessive: model's is model, don't is dont."""
    head, _, tail = word.rpartition("'")
    return (head if head and tail in ("s", "S") else word).replace("'", "")


def _chunks(text: str) -> list[str]:
    """Pieces of text that no chain reaches across; most of them are one word."""
    plain = strip_accents(text).encode("utf-8", "surrogatepass").translate(_BLANKS)
    return plain.decode("utf-8", "surrogatepass").split()


def _chains(chunk: str) -> list[list[str]]:
    """The words of each chain in a chunk."""
    return [_words_of(chain) for chain in _CHAIN.findall(chunk)]


def tokens(text: str) -> list[str]:
    """Words in order, case kept, hyphens split."""
    return [word for chunk in _chunks(text) for chain in _chains(chunk) for word in chain]


class Field:
    """Analysed text: a title, an abstract, or several texts, which an empty word keeps apart."""

    def __init__(self, *texts: str) -> None:
        written: list[str] = []
        joined: dict[str, list[int]] = {}
        sections: list[range] = []
        for text in texts:
            if sections:
                written.append("")
            start = len(written)
            for chunk in _chunks(text):
                if chunk.isalnum():
                    written.append(chunk)
                    continue
                for chain in _chains(chunk):
                    for a, b in pairwise(chain):
                        if _one_word(a, b):
                            joined.setdefault(stem((a + b).lower()), []).append(len(written))
                        written.append(a)
                    written.append(chain[-1])
            sections.append(range(start, len(written)))
        self.words = list(map(str.lower, written))
        self.stems = list(map(_stems.__getitem__, self.words))
        self.joined = joined  # stem of two hyphenated words as one, to positions of the first
        self.sections = sections  # the positions of each text
        self.length = len(written)
        self.written = written  # case kept

    @property
    def at(self) -> dict[str, list[int]]:
        """Positions by stem."""
        found: dict[str, list[int]] = {}
        for position, key in enumerate(self.stems):
            if key:
                found.setdefault(key, []).append(position)
        return found

    @cached_property
    def acronyms(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for position, word in enumerate(self.written):
            if word[1:2].isupper() and is_acronym(bare := word.removesuffix("s")):
                found.setdefault(bare, []).append(position)
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """What may stand at one position.

    *stem* decides unless *acronym* (as written) does; where *exact*, it has to be *word* but for a
    plural s; where *prefix*, any word that begins with *word*.
    """

    stem: str
    word: str = ""
    acronym: str = ""
    exact: bool = False
    prefix: bool = False

    def places(self, field: Field) -> dict[int, int]:
        """Where it stands: position to the one behind it; a hyphenated word may be one word of two."""
        if self.acronym:
            return {i: i + 1 for i in field.acronyms.get(self.acronym, ())}
        if self.prefix:
            pairs = (i for starts in field.joined.values() for i in starts)
            found = {i: i + 2 for i in pairs if _pair(field, i).startswith(self.word)}
            return found | {i: i + 1 for i, w in enumerate(field.words) if w.startswith(self.word)}
        found = {i: i + 2 for i in field.joined.get(self.stem, ()) if self._fits(_pair(field, i))}
        alone = [i for i, found_stem in enumerate(field.stems) if found_stem == self.stem]
        return found | {i: i + 1 for i in alone if self._fits(field.words[i])}

    def _fits(self, word: str) -> bool:
        return not self.exact or word.removesuffix("s") == self.word.removesuffix("s")

    @property
    def needle(self) -> str:
        """A string within every folded word that it takes."""
        if self.prefix:
            return self.word
        if self.exact:
            return self.word.removesuffix("s")
        if self.stem in _IRREGULAR:
            return self.stem[0]
        return self.stem[:-1] if self.stem.endswith(("e", "i", "bl")) else self.stem


def _pair(field: Field, position: int) -> str:
    return field.words[position] + field.words[position + 1]


# What Snowball's English stems change in a word rather than cut off: happy to happi, hoping to
# hope, ability to abl, and these (checked over the 81,000 words of four months of abstracts)
_IRREGULAR = frozenset({"sky", "die", "lie", "tie"})


@dataclass(frozen=True, slots=True)
class Pattern:
    """A keyword's text as something to find: one of its spellings, part after part."""

    spellings: tuple[tuple[Part, ...], ...]  # the first is as it was written

    @property
    def spelt(self) -> str:
        """Patterns with the same text find the same."""
        return "|".join(
            " ".join(f"{p.stem},{p.word},{p.acronym},{p.exact:d}{p.prefix:d}" for p in spelling)
            for spelling in self.spellings
        )

    @property
    def needles(self) -> tuple[Needles, ...]:
        """What the ``Haystack`` of a text with it holds: all strings of at least one of these."""
        kept: list[Needles] = []
        for new in map(_needles, self.spellings):
            if not any(new.implies(old) for old in kept):
                kept = [*(old for old in kept if not old.implies(new)), new]
        return tuple(kept)

    def occurrences(self, field: Field) -> dict[int, int]:
        """First position to number of positions, of every occurrence in any spelling."""
        found: dict[int, int] = {}
        for spelling in self.spellings:
            for start, end in _sequence(spelling, field).items():
                found.setdefault(start, end - start)
        return found

    def count(self, field: Field) -> int:
        return len(self.occurrences(field))


def _needles(spelling: tuple[Part, ...]) -> Needles:
    folded = {part.needle for part in spelling if not part.acronym}
    written = {part.acronym for part in spelling if part.acronym}
    return Needles(*(tuple(sorted(found, key=len, reverse=True)) for found in (folded, written)))


def _sequence(parts: tuple[Part, ...], field: Field) -> dict[int, int]:
    found = parts[0].places(field)
    for part in parts[1:]:
        if not found:
            break
        places = part.places(field)
        found = {start: places[end] for start, end in found.items() if end in places}
    return found


def part(word: str, *, exact: bool = False) -> Part:
    """A part from a word as typed, case kept."""
    folded = word.lower()
    if is_acronym(word):
        return Part(stem(folded), acronym=word)
    return Part(stem(folded), folded if exact else "", exact=exact)


def _one_word(a: str, b: str) -> bool:
    """Whether they may be written as one: *GPT 4* may, *2 3* may not."""
    return (a + b).isalnum() and not (a[-1].isdigit() and b[0].isdigit())


def pattern(words: list[str], *, exact: bool = False) -> Pattern:
    """From words as typed: the spelling itself, neighbours joined, and one word split in two.

    Joined: *fine tuning* finds *finetuning*. Split: *finetuning* finds *fine tuning*.
    """
    written = tuple(part(word, exact=exact) for word in words)
    spellings = [written]
    for i, (a, b) in enumerate(pairwise(words)):
        if _one_word(a, b) and (b.isdigit() or not written[i].acronym):
            one = part(a + b, exact=exact)
            spellings.append((*written[:i], one, *written[i + 2 :]))
    for i, word in enumerate(words):
        if not written[i].acronym:
            spellings.extend(
                (*written[:i], part(a, exact=True), part(b, exact=exact), *written[i + 1 :])
                for a, b in _halves(word.lower())
            )
    return Pattern(tuple(spellings))


def prefix_pattern(letters: str) -> Pattern:
    folded = fold(letters)
    return Pattern(((Part(folded, folded, prefix=True),),))


@lru_cache(4096)
def _halves(word: str) -> tuple[tuple[str, str], ...]:
    """Two words that are also written as this one.

    The table knows their pair; or both are well-known, at least three letters long, and the word
    is none that everybody writes as one (*FlashAttention* may be *Flash Attention*, but *overall*
    is not *over all*).
    """
    if not word.isalnum() or word.isdigit():
        return ()
    common = _papers(stem(word)) >= _COMMON or not word.isalpha()
    shortest = 2 if word[:2] in ("co", "re", "de", "bi") else 3
    found: list[tuple[str, str]] = []
    for cut in range(1, len(word)):
        a, b = word[:cut], word[cut:]
        if a in GLUE or b in GLUE:
            continue
        if _papers(f"{stem(a)} {stem(b)}") or (
            not common
            and shortest <= cut <= len(word) - 3
            and min(_papers(stem(a)), _papers(stem(b))) >= _HALF
        ):
            found.append((a, b))
    return tuple(found)


def _papers(term: str) -> int:
    return shipped().count(term) or 0


def marks(text: str, patterns: Iterable[Pattern]) -> list[tuple[int, int]]:
    """Character ranges of the text in which a pattern occurs, merged and in order."""
    folded, origin = _with_origin(text)
    places: list[tuple[int, int]] = []
    for match in _CHAIN.finditer(folded):
        start = match.start()
        for piece in _HYPHEN.split(match[0]):
            places.append((origin[start], origin[start + len(piece) - 1] + 1))
            start += len(piece) + 1
    field = Field(text)
    ranges = sorted(
        (places[start][0], places[start + count - 1][1])
        for pattern in patterns
        for start, count in pattern.occurrences(field).items()
    )
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _with_origin(text: str) -> tuple[str, list[int] | range]:
    """The text without accents, and for each of its characters the place it came from."""
    if text.isascii():
        return text, range(len(text))
    pieces: list[str] = []
    origin: list[int] = []
    for i, character in enumerate(text):
        piece = strip_accents(character)
        pieces.append(piece)
        origin.extend([i] * len(piece))
    return "".join(pieces), origin


_END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])")
_LONGEST = 8  # an abbreviation and what stands before it
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|al|etc|Fig|Figs|Eq|Eqs|Sec|Tab|Ref|Refs|resp|approx|no|No|Dr|Prof|St|[A-Z]))\.$"
)


def sentences(text: str) -> list[str]:
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if _ABBREVIATION.search(text[max(start, match.start() - _LONGEST) : match.end()].rstrip()):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    if rest := text[start:].strip():
        found.append(rest)
    return found


# What nobody sees and a terminal or a renderer may obey: controls, direction marks, soft hyphens, tags.
# The joiners U+200C and U+200D stay: Persian and emoji are written with them.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Without what nobody sees; white space is blanks, of which some keep a line together."""
    if text.isprintable():
        return text
    text = _UNSEEN.sub("", re.sub(r"[^\S\xa0]", " ", text))
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    return " ".join(visible(text).split())


def clip(text: str, limit: int) -> str:
    """At most *limit* characters, cut between words where one is near, with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    blank = cut.rfind(" ")
    if blank > limit * 2 // 3:
        cut = cut[:blank]
    return cut.rstrip(" ,;:.–-") + "…"
