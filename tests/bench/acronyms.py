"""What mining acronyms costs and finds: python -m tests.bench.acronyms DUMP [ACRONYM...].

DUMP is a JSON Lines file (plain or gz) with `title` and `abstract`.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from pathlib import Path

from bot.acronyms import mined

_ASKED = 300  # papers that are mined when somebody subscribes


def main() -> None:
    path, *acronyms = sys.argv[1:]
    opener = gzip.open if path.endswith(".gz") else open
    with opener(Path(path), "rt", encoding="utf-8") as lines:
        texts = [f"{row['title']}. {row['abstract']}" for row in map(json.loads, lines)]
    start = time.process_time()
    found = mined(texts)
    seconds = time.process_time() - start
    counts = [meaning.papers for meanings in found.values() for meaning in meanings]
    print(f"{len(texts):,} papers in {seconds:.2f} s of processor time")
    print(f"{len(counts):,} pairs, {sum(n >= 3 for n in counts):,} in 3 papers or more")
    start = time.process_time()
    mined(texts[:_ASKED])
    print(f"{_ASKED} papers in {time.process_time() - start:.3f} s")
    for acronym in acronyms:
        shown = ", ".join(f"{m.text} ({m.papers})" for m in found.get(acronym, [])[:4])
        print(f"{acronym}: {shown or 'nothing'}")


if __name__ == "__main__":
    main()
