"""Dumps are recognised by what they hold, streamed, and broken ones say what is wrong."""

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from adapters.sources import files
from adapters.sources.files import BATCH, SKIPPED_NAMED, Dump, Skipped
from bot.model import Record
from tests.soak import mutations

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAYLOADS = DATA / "payloads"
FOLDERS = ("arxiv_api", "arxiv_feed", "arxiv_oai", "hf_daily_papers")
recorded = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="the recorded answers are not beside the project"
)

FEED = '<feed xmlns="http://www.w3.org/2005/Atom"><id>http://arxiv.org/api/x</id>'
ENTRY = "<entry><id>http://arxiv.org/abs/2601.0000{}v1</id><title>T</title></entry>"
ROW = {"id": "2601.00001", "title": "T"}


def read(path: Path) -> tuple[Dump, list[Record]]:
    dump = Dump(path)
    return dump, [record for batch in dump for record in batch]


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., tuple[Dump, list[Record]]]:
    """Read a file with this content."""

    def read_content(content: bytes | str, name: str = "dump") -> tuple[Dump, list[Record]]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path)

    return read_content


Given = Callable[..., tuple[Dump, list[Record]]]


def lines(rows: Iterable[object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# What is in the recorded files


def papers_in(path: Path) -> int:
    """Counted with no parser of ours: entries minus errors, deleted and broken ones."""
    if path.suffix == ".json":
        return sum(isinstance(item, dict) for item in json.loads(path.read_bytes()))
    text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    entries = re.findall(r"<(entry|item|record)>(.*?)</\1>", text, re.DOTALL)
    return sum(
        "/api/errors" not in entry
        and 'status="deleted"' not in entry
        and re.search(r"title>\s*[^<\s]", entry) is not None
        for _, entry in entries
    )


def recordings() -> list[str]:
    if not PAYLOADS.is_dir():
        return []
    return sorted(f"{folder}/{f.name}" for folder in FOLDERS for f in (PAYLOADS / folder).iterdir())


@recorded
@pytest.mark.parametrize("name", recordings())
def test_every_paper_of_a_recorded_answer_is_read(name: str) -> None:
    path = PAYLOADS / name
    broken = "malformed" in name or "BROKEN" in name

    dump, records = read(path)

    assert dump.read == len(records) == (0 if "BROKEN" in name else papers_in(path))
    assert (dump.error is not None) is broken
    assert broken or dump.consumed == dump.size == path.stat().st_size
    kinds = {
        "arxiv_api": {"arxiv_api"},
        "arxiv_feed": {"arxiv_atom"} if "_atom_" in name else {"arxiv_rss"},
        "arxiv_oai": {"arxiv_oai"},
        "hf_daily_papers": {None} if broken else {"hf_daily"},
    }
    assert dump.kind in kinds[name.partition("/")[0]]


@recorded
@pytest.mark.parametrize(
    ("name", "papers"),
    [
        ("arxiv_api/new_2026_q_testing_s0_m100_cfe7536492ca_http200.xml", 100),
        ("arxiv_api/new_2026_ai-weekly-radar_feed.xml", 50),
        ("arxiv_api/old_2020_findpapers_search.xml", 20),
        ("arxiv_api/synthetic_arxiv_malformed.xml", 1),
        ("arxiv_api/new_2026_id_abc_s0_m100_b79c8dcf6bc3_http400.xml", 0),
        ("arxiv_feed/server_rss_cs.CL_2026-06-30.xml", 117 + 19 + 72 + 12),
        ("arxiv_feed/server_atom_cs.CL_2026-06-30.xml", 117 + 19 + 72 + 12),
        ("arxiv_feed/server_rss_cs.CV_2026-06-30.xml", 260 + 6 + 123 + 6),
        ("arxiv_feed/server_atom_cs.CV_2026-06-30.xml", 260 + 6 + 123 + 6),
        ("arxiv_feed/synthetic_rss_cs.CL_mixed.xml", 4),
        ("arxiv_oai/real_arXiv_12records_mixed.xml", 12),
        ("arxiv_oai/server_ListSets_http200.xml", 0),
        ("arxiv_oai/server_Identify_http200.xml", 0),
        ("hf_daily_papers/real_date_2025-09-30.json", 50),
        ("hf_daily_papers/real_30items_2026-06-14.json", 30),
    ],
)
def test_the_counts_are_those_that_were_noted_when_it_was_recorded(name: str, papers: int) -> None:
    assert read(PAYLOADS / name)[0].read == papers


@recorded
@pytest.mark.parametrize(
    ("name", "papers", "days"),
    [
        ("arxiv_week_2026-06-22.jsonl.gz", 1_624, 6),
        ("hf_daily_papers.jsonl.gz", 9_879, 580),
        ("hf_daily_papers_raw_2026_spring.jsonl.gz", 2_175, 85),
        ("seed_papers.jsonl", 53, 1),
        ("arxiv_2026_spring.jsonl.gz", 31_639, None),
    ],
)
def test_every_paper_of_a_collected_dump_is_read(name: str, papers: int, days: int | None) -> None:
    dump, records = read(DATA / name)

    assert (dump.kind, dump.error, dump.skipped_count) == ("jsonl", None, 0)
    assert dump.read == len(records) == papers
    assert days is None or len({record.listed_on for record in records}) == days


@recorded
def test_an_item_without_a_title_is_named() -> None:
    dump, _ = read(PAYLOADS / "arxiv_feed/synthetic_rss_cs.CL_mixed.xml")

    assert dump.skipped == [Skipped("oai:arXiv.org:2607.44444v1", "it has no title")]


# By content, in batches


@recorded
def test_neither_the_name_nor_the_packing_matters(tmp_path: Path) -> None:
    for folder, name in (("arxiv_feed", "server_rss_cs.CL_2026-06-30.xml"),
                         ("hf_daily_papers", "real_date_2025-09-30.json")):  # fmt: skip
        original = PAYLOADS / folder / name
        for given_name, content in (
            ("paper.pdf", original.read_bytes()),
            ("list.json", gzip.compress(original.read_bytes())),
            ("marked.xml", codecs.BOM_UTF8 + original.read_bytes()),
        ):
            (tmp_path / given_name).write_bytes(content)

            dump, records = read(tmp_path / given_name)

            assert dump.error is None
            assert records == read(original)[1]


def test_records_come_in_batches_and_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(lines({"id": f"2601.{n:05}", "title": "T" * 100} for n in range(2 * BATCH + 5)))
    dump = Dump(path)

    seen = [(len(batch), dump.consumed) for batch in dump]

    assert [count for count, _ in seen] == [BATCH, BATCH, 5]
    assert 0 < seen[0][1] < seen[1][1] <= seen[2][1] == dump.size == path.stat().st_size


def test_a_reader_that_stops_early_leaves_no_open_file(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(lines([ROW] * 3 * BATCH))

    for _batch in Dump(path):
        break  # an unclosed file would be a warning, and warnings are errors


@pytest.mark.parametrize(
    ("content", "kind", "papers"),
    [
        pytest.param("[]", "hf_daily", 0, id="an empty list"),
        pytest.param('{"error": "Invalid date"}', "hf_daily", 0, id="an error as JSON"),
        pytest.param(json.dumps([ROW, ROW]), "jsonl", 2, id="rows as one list"),
        pytest.param(json.dumps([{"paper": ROW}]), "hf_daily", 1, id="items on one line"),
        pytest.param(
            json.dumps({"date": "2026-03-02", "items": [{"paper": ROW}]}, indent=1), "hf_daily", 1,
            id="a day, indented",
        ),
        pytest.param(json.dumps(ROW), "jsonl", 1, id="one row without a line break"),
        pytest.param("\n\n" + lines([ROW]) + "\n", "jsonl", 1, id="blank lines"),
        pytest.param(lines([ROW]).replace("\n", "\r\n"), "jsonl", 1, id="lines of another system"),
        pytest.param(FEED + "</feed>", "arxiv_api", 0, id="an empty feed"),
        pytest.param("<OAI-PMH><error>none</error></OAI-PMH>", "arxiv_oai", 0, id="an OAI error"),
    ],
)  # fmt: skip
def test_what_is_sound_is_understood(given: Given, content: str, kind: str, papers: int) -> None:
    dump, _ = given(content)

    assert (dump.kind, dump.read, dump.skipped_count, dump.error) == (kind, papers, 0, None)


def test_a_list_longer_than_any_piece_that_is_read_is_whole(given: Given) -> None:
    rows = [ROW | {"abstract": "ü" * (n % 5_000), "title": f"T{n}"} for n in range(300)]

    dump, records = given(json.dumps(rows, ensure_ascii=False))

    assert dump.error is None
    assert [record.paper.title for record in records] == [row["title"] for row in rows]


# Broken entries


def test_a_broken_line_is_named_and_costs_only_itself(given: Given) -> None:
    content = (
        lines([ROW]) + "{oops}\n\n" + lines([{"id": "2601.00002"}, [1], ROW | {"upvotes": ""}])
    )
    content += lines([{"items": [{"paper": {"id": "2601.00003"}}]}, ROW])

    dump, _ = given(content)

    assert (dump.read, dump.error) == (2, None)
    assert dump.skipped == [
        Skipped("line 2", "it is not JSON"),
        Skipped("line 4 (2601.00002)", "it has no title"),
        Skipped("line 5", "it is not an object"),
        Skipped("line 6 (2601.00001)", "“upvotes” is not a count"),
        Skipped("line 7 (2601.00003)", "it has no title"),
    ]


def test_a_line_with_null_bytes_or_an_endless_number_is_skipped(given: Given) -> None:
    bad = b'{"title": "a\x00b"}\n{"title": "T", "upvotes": ' + b"9" * 10_000 + b"}\n"
    bad += b'{"a":' * 200_000 + b"\n"

    dump, _ = given(bad + lines([ROW]).encode())

    assert (dump.read, dump.error) == (1, None)
    assert [skipped.what for skipped in dump.skipped] == ["line 1", "line 2", "line 3"]


def test_an_entry_without_an_id_is_named_by_its_number(given: Given) -> None:
    dump, _ = given(FEED + ENTRY.format(1) + "<entry><title>T</title></entry></feed>")

    assert (dump.read, dump.error) == (1, None)
    assert dump.skipped == [Skipped("entry 2", "it has no arXiv id")]


def test_of_very_many_broken_entries_the_first_are_named(given: Given) -> None:
    dump, _ = given(lines([ROW] + [{}] * 3_000))

    assert (dump.read, dump.skipped_count, dump.error) == (1, 3_000, None)
    assert len(dump.skipped) == SKIPPED_NAMED


# Broken files

HALF_FEED = (FEED + ENTRY.format(1) + ENTRY.format(2))[:-20]


@pytest.mark.parametrize(
    ("content", "papers", "error"),
    [
        pytest.param("", 0, "is empty", id="empty"),
        pytest.param(" \n ", 0, "is empty", id="blank"),
        pytest.param(b"\x00" * 5_000, 0, "is neither XML nor JSON", id="null bytes"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00", 0, "is neither XML nor JSON", id="binary"),
        pytest.param("Rate exceeded.", 0, "is neither XML nor JSON", id="text"),
        pytest.param("<!DOCTYPE html><html><p>Hello</html>", 0, "is a web page", id="web page"),
        pytest.param("<!-- x -->\n<HTML>Hello", 0, "is a web page", id="old web page"),
        pytest.param("<svg/>", 0, "is XML of another kind (“svg”)", id="other XML"),
        pytest.param(
            "<rss><channel><title>News</title></channel></rss>", 0, "is a feed, but not of arXiv",
            id="other feed",
        ),
        pytest.param(
            "<rss><channel><item><title>News</title></item></channel></rss>", 0,
            "is a feed, but not of arXiv", id="other feed with items",
        ),
        pytest.param(HALF_FEED, 1, "breaks off", id="half a feed"),
        pytest.param(HALF_FEED + "</a></feed>", 1, "is no sound XML at line 1", id="unsound feed"),
        pytest.param(
            (FEED + ENTRY.format(1) + "<entry>ü").encode("latin-1") + b"</entry></feed>", 1,
            "is no sound XML", id="feed in another charset",
        ),
        pytest.param(
            '<?xml version="1.0" encoding="utf-7"?><feed/>', 0, "declares an unknown encoding",
            id="unknown encoding",
        ),
        pytest.param(FEED.encode("utf-16"), 0, "is written in UTF-16", id="UTF-16"),
        pytest.param(
            lines([ROW]).encode() + '{"title": "ü"}\n'.encode("latin-1") + lines([ROW]).encode(), 2,
            "is not UTF-8 at line 2", id="lines in another charset",
        ),
        pytest.param(
            b'[{"title": "T"}, {"title": "\xfc"}]', 0, "is not UTF-8", id="list in another charset"
        ),
        pytest.param(lines([ROW, ROW])[:-9], 1, "breaks off in line 2", id="half a line"),
        pytest.param(json.dumps([ROW, ROW])[:-9], 1, "breaks off or is no", id="half a list"),
        pytest.param("[" + "[" * 200_000, 0, "is no sound JSON", id="nested lists"),
        pytest.param(json.dumps([ROW]) + "]", 1, "goes on after the end", id="list with a tail"),
        pytest.param(json.dumps(ROW, indent=1)[:-1], 0, "is no sound JSON", id="half an object"),
        pytest.param(json.dumps(["{'paper': {}}"] * 3), 0, "holds no paper", id="list of text"),
        pytest.param(lines([{"a": 1}]), 0, "holds no paper", id="rows of something else"),
        pytest.param(lines([{}] * 5_000), 0, "holds no paper among its first 1,000", id="hopeless"),
        pytest.param(gzip.compress(gzip.compress(b"[]")), 0, "is packed twice", id="gzip in gzip"),
        pytest.param(gzip.compress(b"")[:5], 0, "breaks off", id="half a gzip header"),
        pytest.param(
            gzip.compress(lines([ROW] * 2).encode())[:-12], None, "breaks off", id="half a gzip"
        ),
        pytest.param(
            gzip.compress(lines([ROW] * 2).encode())[:-8] + b"\x00" * 8, 2, "is a damaged gzip",
            id="a wrong checksum",
        ),
    ],
)  # fmt: skip
def test_a_broken_file_says_what_is_wrong_and_keeps_what_came_before(
    given: Given, content: bytes | str, papers: int | None, error: str
) -> None:
    dump, records = given(content, "my.dump")

    assert dump.error is not None
    assert dump.error.startswith(f"my.dump {error}")
    assert dump.error.endswith(".")
    assert papers is None or dump.read == len(records) == papers


def test_a_torn_gzip_keeps_the_lines_before_the_tear(given: Given) -> None:
    rows = [ROW | {"abstract": os.urandom(300).hex()} for _ in range(2_000)]
    packed = gzip.compress(lines(rows).encode())

    dump, records = given(packed[: len(packed) // 2])

    assert dump.error == "dump breaks off: download it again."
    assert dump.read == len(records) > 800


def test_a_folder_a_pipe_and_a_device_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe", Path(os.devnull)):
        dump, records = read(path)

        assert records == []
        assert dump.error == f"{path.name} is no file: name the file that holds the papers."


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    dump, _ = read(tmp_path / "missing.xml")

    assert dump.error == "missing.xml cannot be read: No such file or directory."


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + f"]>{FEED}<entry><title>&a11;</title></entry></feed>"
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(LAUGHS, id="billion laughs"),
        pytest.param(f"<!DOCTYPE feed SYSTEM 'file:///etc/passwd'>{FEED}</feed>", id="external"),
        pytest.param(f"<!DOCTYPE feed>{FEED}</feed>", id="a document type alone"),
    ],
)
def test_document_types_are_refused_at_once(given: Given, content: str) -> None:
    dump, _ = given(content)

    assert dump.read == 0
    assert dump.error == "dump declares a document type, which no dump does: do not trust it."


def test_a_bomb_of_sound_entries_is_stopped(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UNPACKED_FREELY", 1 << 20)
    monkeypatch.setattr(files, "UNPACKED_RATIO", 10)
    packed = gzip.compress(lines([ROW] * 20_000).encode()) * 10

    dump, records = given(packed)

    assert dump.error is not None
    assert dump.error.startswith("dump unpacks to more than")
    assert 0 < len(records) < 200_000


# Bounded time and memory


def test_an_entry_of_deeply_nested_tags_is_read(given: Given) -> None:
    title = f"<title>{'<b>' * 40_000}deep{'</b>' * 40_000}</title>"

    dump, records = given(FEED + ENTRY.format(1).replace("<title>T</title>", title) + "</feed>")

    assert dump.error is None
    assert [record.paper.title for record in records] == ["deep"]


MEGABYTE = 1 << 20
MEASURE = r"""
import json, re, sys
from pathlib import Path
from adapters.sources.files import Dump
dump = Dump(Path(sys.argv[1]))
read = sum(len(batch) for batch in dump)
status = Path("/proc/self/status").read_text()  # ru_maxrss would include the parent's
megabytes = int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024
print(json.dumps([read, dump.error, megabytes]))
"""


def measured(path: Path) -> tuple[int, str | None, float]:
    """In a process of its own, a minute at most: papers, error, megabytes in all."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-c", MEASURE, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    read, error, megabytes = json.loads(done.stdout)
    return read, error, megabytes


def sparse(start: bytes) -> Callable[[Path], object]:
    """A gigabyte of null bytes that takes no room on the disk."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(1 << 30)

    return write


def bomb(start: bytes, filling: bytes) -> Callable[[Path], object]:
    """A gigabyte in a megabyte."""
    block = gzip.compress(filling * (16 * MEGABYTE // len(filling)))
    return lambda path: path.write_bytes(gzip.compress(start) + block * 64)


def plain(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("write", "error"),
    [
        pytest.param(plain(b"<feed>" + b"<a>" * 200_000), "50,000 elements", id="nested tags"),
        pytest.param(plain(b"<feed>" + b"<a/>" * 2_000_000), "50,000 elements", id="tags in a row"),
        pytest.param(plain(b"<feed><entry>" + b"&amp;" * 5_000_000), "2 MB without", id="text"),
        pytest.param(plain(b"<feed a='" + b"a" * 20_000_000), "2 MB without", id="attribute"),
        pytest.param(plain(b"<!-- " + b"- " * 10_000_000), "2 MB without", id="comment"),
        pytest.param(plain(b"[" * 200_000), "no sound JSON", id="nested lists"),
        pytest.param(plain(b"[" + b"{}," * 5_000_000), "no paper", id="objects in a row"),
        pytest.param(plain(b'[{"a": [' + b"{}," * 5_000_000), "2 MB without", id="a huge object"),
        pytest.param(plain(b'{"items": [' + b"{}," * 600_000 + b"{}]}\n"), "no paper", id="items"),
        pytest.param(sparse(b'{"title": "'), "2 MB without", id="one line of a gigabyte"),
        pytest.param(sparse(b""), "neither XML nor JSON", id="null bytes"),
        pytest.param(sparse(b"<feed>"), "no sound XML", id="null bytes in XML"),
        pytest.param(bomb(b"", b"\x00"), "neither XML nor JSON", id="zip bomb of nulls"),
        pytest.param(bomb(b"<feed>", b" "), "2 MB without", id="zip bomb of blanks"),
        pytest.param(bomb(b'{"title": "', b" "), "2 MB without", id="zip bomb of one line"),
        pytest.param(bomb(b"{}", b"\n"), "2 MB without", id="zip bomb of blank lines"),
    ],
)
def test_hostile_files_take_little_time_and_memory(
    tmp_path: Path, write: Callable[[Path], object], error: str
) -> None:
    write(tmp_path / "hostile")

    _, told, megabytes = measured(tmp_path / "hostile")

    assert told is not None
    assert error in told
    assert megabytes < 150


@pytest.mark.parametrize("shape", ["lines", "list", "feed"])
def test_a_large_dump_takes_no_more_memory_than_a_small_one(tmp_path: Path, shape: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": f"2601.{n:05}", "title": f"Title {n}", "abstract": "We show. " * 300}
        for n in range(8_000)
    ]
    entry = (
        "<entry><id>http://arxiv.org/abs/{id}v1</id><title>{title}</title>"
        "<summary>{abstract}</summary></entry>"
    )
    path = tmp_path / shape
    path.write_text({
        "lines": lambda: lines(rows),
        "list": lambda: json.dumps(rows),
        "feed": lambda: FEED + "".join(entry.format(**row) for row in rows) + "</feed>",
    }[shape]())  # fmt: skip

    (tmp_path / "small").write_text("[]")

    read_, error, megabytes = measured(path)

    assert (read_, error) == (8_000, None)
    assert path.stat().st_size > 20_000_000
    assert megabytes - measured(tmp_path / "small")[2] < 10


# Damage of any kind


@recorded
def test_no_damage_makes_reading_fail(tmp_path: Path) -> None:
    payloads = mutations.originals()
    path = tmp_path / "copy"

    for number in range(400):
        path.write_bytes(mutations.mutated(payloads, seed=7, number=number))
        found, _ = mutations.fault(path)
        assert found == "", f"copy {number} of seed 7"
