"""Damaged copies of recorded answers: whatever the bytes, reading them ends with a report.

``python -m tests.soak.mutations --count 20000`` prints its result, as JSON, to stdout. Copy *n* of
a seed is always the same: ``--only n`` repeats one of them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapters.sources.files import Dump
from bot.model import Record
from tests.soak.progress import bar

PAYLOADS = Path(__file__).resolve().parents[3] / "shared" / "data" / "payloads"
FOLDERS = ("arxiv_api", "arxiv_feed", "arxiv_oai", "hf_daily_papers")
LARGEST = 60_000  # longer payloads hold more of the same
SLOW = 2.0  # seconds
INSERTS = [
    b"<", b">", b"&", b"&#0;", b"&lt;", b"&nope;", b"]]>", b"<![CDATA[", b"<!--", b"<?pi?>", b"<a>",
    b"</entry>", b"</item>", b"</record>", b"<entry/>", b"<item/>", b"<record/>", b"<title/>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"\x00", b"\x0b", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"\r", b"\n", b"\n\n", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\u202e", b"null", b"true", b"-1", b"1e999",
    b"NaN", b"{", b"}", b"[", b"]", b",", b":", b"{}", b"[]", b"$", b"\\frac{", b"$\\", b"9" * 5_000,
    b"(" * 300, b"{" * 300, b"[" * 3_000, b"<b>" * 3_000, b"v999", b"v1234", b"0001-01-01", b"+99:99",
    b'encoding="utf-7"', b'encoding="shift_jis"', b'encoding="nope"', b'status="deleted"',
]  # fmt: skip


VALUE = re.compile(rb'(?<=>)[^<>]+(?=<)|(?<=": )(?:"[^"\\]*"|[\w.]+)|<(\w+)>[^<>]*</\1>')
VALUES = [
    b"", b" ", b"0", b"null", b"true", b"-1", b"1e999", b"[]", b"{}", b"[null, {}]", b'"\\u202e\\n"',
    b'"2026-99-99"', b'"0001-01-01T00:00:00+14:00"', b"9" * 5_000, b"Error", b"$\\frac{$", b"v0 and",
    b"oai:arXiv.org:9999.99999v9", b"Wed, 99 Foo 2026 00:00:00 -9999", b"10.1/2 10.1/3", b"((((, ))) and ,",
]  # fmt: skip


def originals() -> list[bytes]:
    """The smaller recordings; of lists the first items, as one list and as lines."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (PAYLOADS / folder).iterdir()):
        data = path.read_bytes()
        if path.suffix == ".json":
            items = json.loads(data)[:3]
            day = {"date": "2026-03-02", "items": items}
            found.append(json.dumps(items, indent=1).encode())
            found.append("\n".join(json.dumps(row) for row in (day, *items)).encode())
        elif len(data) <= LARGEST:
            found.append(data)
    return found


def mutated(payloads: Sequence[bytes], seed: int, number: int) -> bytes:
    """Copy *number* of *seed*: one to six wounds, and sometimes packed before or after them."""
    rng = random.Random(f"{seed}:{number}")  # noqa: S311 - the same copy every time
    data = rng.choice(payloads)
    packed = rng.random()
    if packed < 0.05:
        data = gzip.compress(data, 1)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        at, length = rng.randrange(len(data) + 1), rng.randint(1, rng.choice((4, 60, 3_000)))
        match rng.randrange(12):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + data[at + length :]
            case 2:
                data = data[:at] + data[at : at + length] * rng.randint(2, 4) + data[at + length :]
            case 3:
                data = data[:at] + rng.randbytes(min(length, 60)) + data[at:]
            case 4:
                other = rng.choice(payloads)
                cut = rng.randrange(len(other) + 1)
                data = data[:at] + other[cut : cut + length] + data[at:]
            case 5:
                flipped = bytes(byte ^ (1 << rng.randrange(8)) for byte in data[at : at + 1])
                data = data[:at] + flipped + data[at + 1 :]
            case 6 | 7:
                data = data[:at] + rng.choice(INSERTS) + data[at:]
            case _:  # the form stays sound
                if value := VALUE.search(data, at):
                    data = data[: value.start()] + rng.choice(VALUES) + data[value.end() :]
    return gzip.compress(data, 1) if packed > 0.95 else data


def fault(path: Path) -> tuple[str, Dump]:
    """What is wrong with how the file was read, empty where nothing is; and what was read."""
    dump = Dump(path)
    start = time.perf_counter()
    records = [record for batch in dump for record in batch]
    if (took := time.perf_counter() - start) > SLOW:
        return f"took {took:.1f} s", dump
    if len(records) != dump.read:
        return f"gave {len(records)} records and counted {dump.read}", dump
    if dump.error is not None and (not dump.error.endswith(".") or "\n" in dump.error):
        return f"no sentence: {dump.error!r}", dump
    if len(dump.skipped) != min(dump.skipped_count, 100) or not all(s.what for s in dump.skipped):
        return "a skipped entry has no name", dump
    return next(filter(None, map(_unsound, records)), ""), dump


def _unsound(record: Record) -> str:
    paper = record.paper
    texts = (
        paper.id, paper.title, paper.abstract, *paper.authors, *paper.categories, paper.doi,
        paper.journal_ref, paper.note, paper.summary, *paper.keywords, paper.code, paper.project,
        paper.submitter, paper.organisation,
    )  # fmt: skip
    if not paper.title or paper.id.partition(":")[0] not in ("arxiv", "doi", "link", "title"):
        return f"{paper.id!r} is titled {paper.title!r}"
    for text in texts:
        if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
            return f"{paper.id!r} holds what cannot be seen: {text[:60]!r}"
    for moment in (paper.published, paper.updated):
        if moment is not None and moment.utcoffset() is None:
            return f"{paper.id!r} has a time without an offset"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="repeat this one copy")
    arguments = parser.parse_args()
    if not PAYLOADS.is_dir():
        print(json.dumps({"skipped": f"the recorded answers are not at {PAYLOADS}"}))
        return 0
    payloads = originals()
    numbers = range(arguments.count) if arguments.only is None else (arguments.only,)
    faults: dict[int, str] = {}
    seen: Counter[str] = Counter()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, bar("copies", len(numbers)) as show:
        path = Path(folder) / "copy"
        for done, number in enumerate(numbers, start=1):
            path.write_bytes(mutated(payloads, arguments.seed, number))
            try:
                found, dump = fault(path)
            except Exception as error:  # any at all is what is looked for
                found, dump = repr(error), Dump(path)
            if found:
                faults[number] = found
            seen["papers"] += dump.read
            seen["skipped"] += dump.skipped_count
            seen["broken files"] += dump.error is not None
            if done % 100 == 0 or done == len(numbers):
                show(done, f"{len(faults)} faults")
    result = {
        "copies": len(numbers),
        "seed": arguments.seed,
        "seconds": round(time.perf_counter() - start, 1),
        **seen,
        "faults": faults,
    }
    print(json.dumps(result, indent=2))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
