"""All keywords at once in a text: a trie over what ``bot.text.Part`` looks at, word after word."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from bot.text import Field, Part, Pattern, is_acronym, stem

_ROOT = 0
_KEYS = 24  # bits of a key
_PLACE = 32  # bits of a position
_NONE = -1


class Lexicon:
    """Numbered patterns."""

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}  # what a part looks at
        self._prefixes = False
        self._after: dict[int, int] = {}  # node and key to node
        self._end = array("q", [_NONE])  # of each node a pattern that ends there, shifted
        self._ends: dict[int, list[int]] = {}  # and the others
        self._known: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def add(self, number: int, pattern: Pattern) -> None:
        for spelling in pattern.spellings:
            node = _ROOT
            for part in spelling:
                key = self._keys.setdefault(_key(part), len(self._keys))
                self._prefixes = self._prefixes or part.prefix
                step = node << _KEYS | key
                if step not in self._after:
                    self._after[step] = len(self._end)
                    self._end.append(_NONE)
                node = self._after[step]
            if self._end[node] == _NONE:
                self._end[node] = number << _PLACE
            else:
                self._ends.setdefault(node, []).append(number << _PLACE)
        self._known.clear()

    def find(self, field: Field, base: int, hits: array[int]) -> None:
        """Append ``pattern << 32 | base + position`` for each place where a pattern begins."""
        joined = {place: word for word, places in field.joined.items() for place in places}
        known = self._known
        for at, word in enumerate(field.written):
            if word not in known:
                self._meet(word)
            place = base + at
            keys, nodes = known[word]
            for node in nodes:
                self._note(node, place, hits)
                self._go_on(node, at + 1, field, joined, place, hits)
            if at in joined:
                self._go_on_joined(_ROOT, at, keys, field, joined, place, hits)

    def _note(self, node: int, place: int, hits: array[int]) -> None:
        number = self._end[node]
        if number != _NONE:
            hits.append(number | place)
            if node in self._ends:
                hits.extend([other | place for other in self._ends[node]])

    def _go_on(
        self, node: int, at: int, field: Field, joined: dict[int, str], place: int, hits: array[int]
    ) -> None:
        if at >= len(field.written):
            return
        word = field.written[at]
        if word not in self._known:
            self._meet(word)
        keys, _ = self._known[word]
        for key in keys:
            if found := self._after.get(node << _KEYS | key):
                self._note(found, place, hits)
                self._go_on(found, at + 1, field, joined, place, hits)
        if at in joined:
            self._go_on_joined(node, at, keys, field, joined, place, hits)

    def _go_on_joined(
        self,
        node: int,
        at: int,
        alone: Sequence[int],
        field: Field,
        joined: dict[int, str],
        place: int,
        hits: array[int],
    ) -> None:
        """A hyphenated word as one, where its first part alone would not do."""
        for name in self._names(field.words[at] + field.words[at + 1], joined[at]):
            key = self._keys.get(name)
            if key is None or key in alone:
                continue
            if found := self._after.get(node << _KEYS | key):
                self._note(found, place, hits)
                self._go_on(found, at + 2, field, joined, place, hits)

    def _meet(self, word: str) -> None:
        """Note a word's keys, and the nodes that they lead to from the root."""
        folded = word.lower()
        names = list(self._names(folded, stem(folded))) if word else []
        if word[1:2].isupper() and is_acronym(bare := word.removesuffix("s")):
            names.append(f"^{bare}")
        keys = tuple(self._keys[name] for name in names if name in self._keys)
        self._known[word] = keys, tuple(self._after[key] for key in keys if key in self._after)

    def _names(self, word: str, stem: str) -> Iterator[str]:
        yield stem
        yield f"={stem}={word.removesuffix('s')}"
        if self._prefixes:
            yield from (f"*{word[:n]}" for n in range(1, len(word) + 1))


def _key(part: Part) -> str:
    if part.acronym:
        return f"^{part.acronym}"
    if part.prefix:
        return f"*{part.word}"
    return f"={part.stem}={part.word.removesuffix('s')}" if part.exact else part.stem
