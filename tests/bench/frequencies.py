"""Compute bot/data/frequencies.tsv from real abstracts: python -m tests.bench.frequencies DUMP...

Each DUMP is a JSON Lines file (plain or gz) with `title` and `abstract`. The file is sorted by bytes,
so that a look-up needs no parsing; words from 3 papers, neighbouring words from 10.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

from bot.frequencies import FILE, PAIRS_FROM, WORDS_FROM
from bot.text import GLUE, Field


def main() -> None:
    words: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    papers = title_words = abstract_words = 0
    seen: set[str] = set()
    for path in map(Path, sys.argv[1:]):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["id"] in seen or not row["abstract"]:
                    continue
                seen.add(row["id"])
                title, abstract = Field(row["title"]), Field(row["abstract"])
                papers += 1
                title_words += title.length
                abstract_words += abstract.length
                words.update({*title.at, *title.acronyms, *title.joined,
                              *abstract.at, *abstract.acronyms, *abstract.joined})  # fmt: skip
                pairs.update({*_pairs(title), *_pairs(abstract)})
    rows = [(word, count) for word, count in words.items() if count >= WORDS_FROM]
    rows += [(pair, count) for pair, count in pairs.items() if count >= PAIRS_FROM]
    lines_out = sorted(f"{term}\t{count}\n".encode() for term, count in rows)
    head = f"#\t{papers}\t{title_words / papers:.2f}\t{abstract_words / papers:.2f}\n".encode()
    target = Path(__file__).parents[2] / "bot" / "data" / FILE
    target.write_bytes(head + b"".join(lines_out))
    print(f"{target.name}: {papers} papers, {len(rows)} terms, {target.stat().st_size} bytes")


def _pairs(field: Field) -> set[str]:
    stems = [""] * field.length
    for key, positions in field.at.items():
        for position in positions:
            stems[position] = key
    return {f"{a} {b}" for a, b in pairwise(stems) if a not in GLUE and b not in GLUE}


if __name__ == "__main__":
    main()
