"""The command line as a person or a script meets it: real processes on a folder of their own."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title>arXiv Query: search_query=all</title>
  <entry>
    <id>http://arxiv.org/abs/2606.00001v2</id>
    <title>Graphs in the small</title>
    <summary>Small graphs are studied.</summary>
    <published>2026-06-22T10:00:00Z</published><updated>2026-06-22T10:00:00Z</updated>
    <author><name>Ann Lee</name></author>
    <category term="cs.LG"/>
  </entry>
</feed>
"""


class Paperboy:
    """The program on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        nobody = "http://127.0.0.1:9"  # where nothing listens: no test asks the real sources
        self.env = {
            **os.environ,
            "PAPERBOY_DATA_DIR": str(folder / "data"),
            "PAPERBOY_ARXIV__API_URL": f"{nobody}/api/query",
            "PAPERBOY_ARXIV__FEED_URL": nobody,
            "PAPERBOY_ARXIV__OAI_URL": f"{nobody}/oai",
            "PAPERBOY_ARXIV__DELAY_SECONDS": "0",
            "PAPERBOY_HUGGINGFACE__ENDPOINT": nobody,
            "TZ": "UTC",
        }

    def run(
        self, *words: str, typed: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "bot", *words],
            input=typed, capture_output=True, text=True, encoding="utf-8", timeout=60,
            env=self.env | (env or {}), check=False,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def write(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


@pytest.fixture
def paperboy(tmp_path: Path) -> Paperboy:
    return Paperboy(tmp_path)


def rows(*papers: dict[str, Any]) -> str:
    return "".join(json.dumps(paper) + "\n" for paper in papers)


def row(number: int, title: str, day: str, **more: object) -> dict[str, Any]:
    return {
        "id": f"2606.{number:05}", "title": title, "abstract": f"A study of {title}.",
        "authors": ["Ann Lee"], "categories": ["cs.LG"], "first_seen": day, **more,
    }  # fmt: skip


def test_the_first_start_shows_a_digest_with_reasons_and_ends_with_its_input(
    paperboy: Paperboy,
) -> None:
    done = paperboy.run("chat")

    assert done.returncode == 0, done.stderr
    assert "Welcome" in done.stdout
    assert "53 new papers" in done.stdout
    assert "points: " in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_second_start_shows_the_last_digest_again_and_adds_nothing(paperboy: Paperboy) -> None:
    first = paperboy.run("chat", typed="status\n").stdout
    second = paperboy.run("chat", typed="status\n").stdout

    assert "Welcome" not in second
    assert "This is the last digest again" in second
    assert [line for line in first.splitlines() if "papers here" in line] == [
        line for line in second.splitlines() if "papers here" in line
    ]


def test_a_named_channel_starts_empty_and_keeps_what_it_is_told(paperboy: Paperboy) -> None:
    paperboy.run("chat", "--channel", "lab", typed="/papers subscribe RAG\nsubscribe graphs")

    listed = paperboy.run("chat", "--channel", "terminal:local:lab", typed="list\n").stdout

    assert "RAG" in listed
    assert "graphs" in listed
    assert "scaling law" not in listed


def test_a_channel_name_that_cannot_be_is_one_plain_line(paperboy: Paperboy) -> None:
    done = paperboy.run("chat", "--channel", "no/such:thing")

    assert done.returncode == 2
    assert "names no channel" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_owner_is_told_who_the_first_is(paperboy: Paperboy) -> None:
    first = subprocess.Popen(
        [sys.executable, "-m", "bot", "chat"], env=paperboy.env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert first.stdin is not None
    assert first.stdout is not None
    assert "Welcome" in first.stdout.readline()

    second = paperboy.run("chat")
    reader = paperboy.run("digest", "--channel", "main", "--json")
    first.communicate("")

    assert second.returncode == 1
    assert str(first.pid) in second.stderr
    assert reader.returncode == 0, reader.stderr
    assert first.returncode == 0


def test_an_import_reports_each_file_and_says_what_is_broken(paperboy: Paperboy) -> None:
    good = paperboy.write("atom", gzip.compress(ATOM.encode()))
    bad = paperboy.write("page.xml", "<!DOCTYPE html><html><body>Sorry</body></html>")
    half = paperboy.write("half.jsonl", rows(row(2, "Whole", "2026-06-22")) + '{"id": "2606.0')

    done = paperboy.run("import", good, bad, half, "--ids", "--json")
    document = json.loads(done.stdout)["sources"]

    assert done.returncode == 1
    assert [source["kind"] for source in document] == ["arxiv_api", None, "jsonl"]
    assert [source["read"] for source in document] == [1, 0, 1]
    assert [s["ids"] for s in document] == [["arxiv:2606.00001"], [], ["arxiv:2606.00002"]]
    assert document[0]["error"] is None
    assert "web page" in document[1]["error"]
    assert {"name", "file", "kind", "read", "new", "changed", "skipped", "ids", "error"} == set(
        document[0]
    )
    assert "page.xml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_import_changes_nothing(paperboy: Paperboy) -> None:
    dump = paperboy.write("dump", rows(*(row(n, f"Paper {n}", "2026-06-22") for n in range(30))))

    first = paperboy.json("import", dump, "--json")["sources"][0]
    second = paperboy.json("import", dump, "--json")["sources"][0]

    assert (first["read"], first["new"], first["changed"]) == (30, 30, 0)
    assert (second["read"], second["new"], second["changed"]) == (30, 0, 0)


def test_a_missing_file_is_named(paperboy: Paperboy) -> None:
    done = paperboy.run("import", str(paperboy.folder / "nowhere.xml"))

    assert done.returncode == 1
    assert "nowhere.xml" in done.stderr


def test_a_digest_for_queries_has_the_promised_shape(paperboy: Paperboy) -> None:
    dump = paperboy.write("dump", rows(
        row(1, "Speculative decoding", "2026-06-22"),
        row(2, "Cooking", "2026-06-22"),
        row(3, "Speculative decoding later", "2026-06-23"),
    ))  # fmt: skip
    paperboy.run("import", dump)

    document = paperboy.json(
        "digest", "--query", '"speculative decoding"', "--at", "2026-06-22", "--json"
    )

    assert document["channel"] is None
    assert document["quiet"] is None
    assert document["slot"] == "2026-06-22T00:00:00+00:00"
    assert document["considered"] == 2
    [hit] = document["papers"]
    assert {key: hit[key] for key in hit if key not in ("score", "reasons")} == {
        "id": "arxiv:2606.00001",
        "title": "Speculative decoding",
        "url": "https://arxiv.org/abs/2606.00001",
        "authors": ["Ann Lee"],
        "categories": ["cs.LG"],
        "published": None,
        "listed_on": "2026-06-22",
        "upvotes": 0,
    }
    assert hit["score"] >= 30
    assert hit["score"] == sum(reason["points"] for reason in hit["reasons"])


def test_a_quiet_day_has_a_cause(paperboy: Paperboy) -> None:
    document = paperboy.json("digest", "--query", "graphs", "--at", "2026-06-20", "--json")

    assert document["papers"] == []
    assert document["quiet"]["cause"] == "no_announcement"


def test_a_digest_of_a_channel_is_the_same_twice_and_marks_nothing(paperboy: Paperboy) -> None:
    paperboy.run("import", paperboy.write("dump", rows(row(1, "Graphs", "2026-06-22"))))
    paperboy.run("chat", "--channel", "lab", typed="subscribe graphs\n")

    first = paperboy.json("digest", "--channel", "lab", "--at", "2026-06-22", "--json")
    second = paperboy.json("digest", "--channel", "lab", "--at", "2026-06-22", "--json")

    assert first == second
    assert first["channel"] == "terminal:local:lab"
    assert [paper["id"] for paper in first["papers"]] == ["arxiv:2606.00001"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["digest"], "--channel main"),
        (["digest", "--channel", "main", "--query", "x"], "--channel main"),
        (["digest", "--channel", "nobody"], "There is no channel"),
        (["digest", "--query", "foo:bar"], "no field"),
        (["digest", "--query", '"open'], "not closed"),
        (["digest", "--query", ""], "no keyword"),
        (["digest", "--query", "x" * 10_000], "at most 300"),
        (["digest", "--query", "\u202e😀"], "letter or a digit"),
        (["digest", "--query", "cat:cs.XX"], "Did you mean"),
        (["digest", "--query", "x", "--at", "someday"], "no date or time"),
        (["restore", "/nowhere/settings.json"], "cannot be read"),
        (["search", "foo:bar"], "no field"),
        (["fetch", "--since", "someday"], "no day"),
        (["frobnicate"], "No such command"),
    ],
)
def test_a_mistake_is_told_in_plain_words_with_exit_code_2(
    paperboy: Paperboy, words: list[str], told: str
) -> None:
    done = paperboy.run(*words)

    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_survive_export_and_restore(paperboy: Paperboy, tmp_path: Path) -> None:
    paperboy.run("chat", "--channel", "lab", typed='subscribe "tool use" weight:2\nset max:3\n')
    document = paperboy.run("export").stdout
    other = Paperboy(tmp_path / "other")
    other.folder.mkdir()

    restored = other.run("restore", "-", typed=document)

    assert restored.returncode == 0, restored.stderr
    assert document == other.run("export").stdout
    assert "1 channel restored" in restored.stderr


def test_restoring_nonsense_changes_nothing(paperboy: Paperboy) -> None:
    paperboy.run("chat", "--channel", "lab", typed="subscribe RAG\n")
    before = paperboy.run("export").stdout

    done = paperboy.run("restore", paperboy.write("bad.json", '{"paperboy": 1, "channels": [3]}'))

    assert done.returncode == 2
    assert before == paperboy.run("export").stdout


def test_check_says_what_is_well_and_what_is_not(paperboy: Paperboy) -> None:
    paperboy.run("chat")

    well = paperboy.run("check")
    (paperboy.folder / "data" / "settings" / "terminal-local.json").write_bytes(b"")
    (paperboy.folder / "data" / "settings" / "terminal-local.json.bak").unlink(missing_ok=True)
    ill = paperboy.run("check")

    assert well.returncode == 0
    assert "53 papers" in well.stdout
    assert ill.returncode == 1
    assert "NO" in ill.stdout
    assert "terminal-local" in ill.stdout


def test_a_data_folder_that_cannot_be_made_is_one_plain_line(paperboy: Paperboy) -> None:
    file = paperboy.write("file", "not a folder")

    done = paperboy.run("chat", env={"PAPERBOY_DATA_DIR": f"{file}/data"})

    assert done.returncode == 1
    assert "PAPERBOY_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_search_with_more_hits_than_it_shows_is_shown(paperboy: Paperboy) -> None:
    dump = rows(*(row(n, f"KV cache compression {n}", "2026-06-22") for n in range(1, 5)))
    paperboy.run("import", paperboy.write("dump", dump))

    shown = paperboy.run("search", '"KV cache"', "--limit", "2")

    assert shown.returncode == 0, shown.stderr
    assert "1 to 2 of 4 for" in shown.stdout
    assert "KV cache compression" in shown.stdout


def test_a_search_has_the_promised_shape(paperboy: Paperboy) -> None:
    dump = rows(row(1, "Speculative decoding", "2026-06-22"), row(2, "Cooking", "2026-06-22"))
    paperboy.run("import", paperboy.write("dump", dump))

    document = paperboy.json("search", "speculative decoding", "--limit", "5", "--json")

    assert {"query", "total", "hits"} == set(document)
    assert document["query"] == "speculative decoding"
    assert document["total"] == 1
    [hit] = document["hits"]
    assert hit["id"] == "arxiv:2606.00001"
    assert hit["score"] > 0
    assert hit["reasons"] == []


def test_a_fetch_of_sources_that_are_gone_names_each_and_fails(paperboy: Paperboy) -> None:
    done = paperboy.run("fetch", "huggingface", "--json")
    unknown = paperboy.run("fetch", "mars")

    [source] = json.loads(done.stdout)["sources"]
    assert done.returncode == 1
    assert (source["name"], source["file"], source["read"]) == ("huggingface", None, 0)
    assert source["error"]
    assert unknown.returncode == 2
    assert "There is no source mars" in unknown.stderr


@pytest.mark.parametrize(
    "verb", ["fetch", "search", "chat", "digest", "import", "check", "export", "restore"]
)
def test_every_command_has_help_with_an_example(paperboy: Paperboy, verb: str) -> None:
    done = paperboy.run(verb, "--help")

    assert done.returncode == 0
    assert f"Example: paperboy {verb}" in done.stdout


@pytest.mark.parametrize("words", [["digest", "--query", "graphs"], ["search", "graphs"]])
def test_machine_output_loads_no_terminal_or_network_library(
    paperboy: Paperboy, words: list[str]
) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['paperboy', *{words}, '--json']\n"
        "from bot.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'rich', 'prompt_toolkit', 'aiohttp', 'defusedxml', 'slack_bolt', 'slack_sdk', 'discord',\n"
        "    'apscheduler', 'prometheus_client', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", script],
        env=paperboy.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines()[-1] == "[]", done.stderr
