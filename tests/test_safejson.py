"""The storage under faults: damaged files, refusing disks, and power cuts (as a model)."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tinydb import TinyDB

from adapters.storage.safejson import SafeJSONStorage, Tables
from bot.errors import StorageBusy, StorageDamaged, StorageFailed

OLD: Tables = {"things": {"1": {"name": "old"}}}
NEW: Tables = {"things": {"1": {"name": "new, and a good deal longer"}, "2": {"name": "Žižek"}}}
LAST: Tables = {"things": {}}

Image = dict[str, bytes]  # file name: content
Step = tuple[Any, ...]


class Disk:
    """Stands between the storage and ``os`` for one folder: records its calls, can refuse some.

    *steps* are the calls that worked, told in terms of files (numbered) and their names.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.refused: dict[int, int] = {}  # number of the call: errno
        self.steps: list[Step] = []
        self.open_files: dict[int, int] = {}  # descriptor: number of the file
        self.contents = [path.read_bytes() for path in sorted(folder.iterdir())]
        self.names = {path.name: i for i, path in enumerate(sorted(folder.iterdir()))}
        self.start = dict(self.names), list(self.contents)
        self._folder = folder
        for name in ("open", "write", "fsync", "close", "unlink", "link", "rename", "replace"):
            monkeypatch.setattr(os, name, self._guard(name, getattr(os, name)))

    def _guard(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *rest: Any, **options: Any) -> Any:
            if not self._is_ours(first):
                return real(first, *rest, **options)
            self.calls += 1
            code = self.refused.get(self.calls)
            if code is not None and name != "close":
                raise OSError(code, os.strerror(code))
            result = real(first, *rest, **options)
            getattr(self, f"_{name}")(result, first, *rest)
            if code is not None:  # a descriptor is gone even where its close failed
                raise OSError(code, os.strerror(code))
            return result

        return call

    def _is_ours(self, first: Any) -> bool:
        if isinstance(first, int):
            return first in self.open_files
        return Path(first) == self._folder or Path(first).parent == self._folder

    def _open(self, descriptor: int, path: Path, flags: int, *_: Any) -> None:
        if Path(path) == self._folder:
            self.open_files[descriptor] = -1
            return
        self.contents.append(b"")
        self.open_files[descriptor] = len(self.contents) - 1
        self._name("name", path.name, len(self.contents) - 1)

    def _write(self, written: int, descriptor: int, data: bytes) -> None:
        number = self.open_files[descriptor]
        self.contents[number] += bytes(data[:written])
        self.steps.append(("content", number, self.contents[number]))

    def _fsync(self, _: None, descriptor: int) -> None:
        number = self.open_files[descriptor]
        self.steps.append(("sync folder",) if number < 0 else ("sync", number))

    def _close(self, _: None, descriptor: int) -> None:
        del self.open_files[descriptor]

    def _unlink(self, _: None, path: Path) -> None:
        del self.names[path.name]
        self.steps.append(("unname", path.name))

    def _link(self, _: None, source: Path, target: Path, **__: Any) -> None:
        self._name("name", Path(target).name, self.names[Path(source).name])

    def _replace(self, _: None, source: Path, target: Path) -> None:
        number = self.names.pop(source.name)
        self.names[Path(target).name] = number
        self.steps.append(("rename", Path(target).name, number, source.name))

    _rename = _replace

    def _name(self, step: str, name: str, number: int) -> None:
        self.names[name] = number
        self.steps.append((step, name, number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "x.json"


def written(path: Path, *states: Tables) -> SafeJSONStorage:
    storage = SafeJSONStorage(path)
    for state in states:
        storage.write(state)
    return storage


def refuse(*_: Any, **__: Any) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def image_of(folder: Path) -> Image:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_is_read_back(path: Path) -> None:
    written(path, OLD, NEW)

    assert SafeJSONStorage(path).read() == NEW


def test_a_new_file_is_empty_and_none_is_made_before_the_first_write(path: Path) -> None:
    storage = SafeJSONStorage(path)

    assert storage.read() is None
    assert list(path.parent.iterdir()) == []


def test_tinydb_itself_can_read_the_file(path: Path) -> None:
    written(path, NEW)

    with TinyDB(path) as db:
        assert db.table("things").all() == [
            {"name": "new, and a good deal longer"},
            {"name": "Žižek"},
        ]


def test_the_file_is_for_people_to_read(path: Path) -> None:
    written(path, {"things": {"1": {"b": 1, "a": "Žižek"}}})

    assert path.read_text("utf-8") == (
        '{\n "things": {\n  "1": {\n   "a": "Žižek",\n   "b": 1\n  }\n }\n}\n'
    )


def test_only_the_owner_may_read_the_files(path: Path) -> None:
    written(path, OLD, NEW)

    assert {p.stat().st_mode & 0o777 for p in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_half_a_surrogate_pair_survives(path: Path) -> None:
    state: Tables = {"things": {"1": {"name": "torn \ud83d emoji"}}}
    storage = written(path, state)

    assert storage.read() == state


def test_an_updater_that_fails_half_way_leaves_no_trace(path: Path) -> None:
    with TinyDB(storage=lambda: written(path, OLD)) as db:

        def spoil(document: dict[str, Any]) -> None:
            document["name"] = "half done"
            raise LookupError

        with pytest.raises(LookupError):
            db.table("things").update(spoil)

        assert db.table("things").all() == [{"name": "old"}]


def test_the_state_before_the_last_write_is_kept(path: Path) -> None:
    written(path, OLD, NEW)

    assert json.loads(path.with_name("x.json.bak").read_bytes()) == OLD


def test_a_torn_temporary_file_is_removed_on_opening(path: Path) -> None:
    written(path, OLD)
    path.with_name("x.json.tmp").write_bytes(b'{"thi')

    storage = SafeJSONStorage(path)

    assert storage.read() == OLD
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


DAMAGE = [
    pytest.param(b"", id="zero-byte"),
    pytest.param(b'{"things": {"1": {"na', id="torn"),
    pytest.param(b"[]", id="a-list"),
    pytest.param(b"7", id="a-number"),
    pytest.param(b"null", id="null"),
    pytest.param(b'{"things": []}', id="no-table"),
    pytest.param(b'{"things": {"1": 5}}', id="no-document"),
    pytest.param(b'{"things": {"one": {}}}', id="no-document-number"),
    pytest.param(b'{"things": {}} {}', id="two-states"),
    pytest.param(b"\xff\xfe\x00", id="no-text"),
    pytest.param(b"[" * 100_000, id="nested-too-deeply"),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_falls_back_to_the_last_good_copy(
    path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    written(path, OLD, NEW)
    path.write_bytes(damage)

    storage = SafeJSONStorage(path)

    assert storage.read() == OLD
    [aside] = path.parent.glob("x.json.corrupt-*")
    assert aside.read_bytes() == damage
    assert [(r.levelname, str(aside) in r.message) for r in caplog.records] == [("WARNING", True)]


@pytest.mark.parametrize("copy", [None, b"", b"[]"], ids=["no-copy", "empty-copy", "bad-copy"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_without_a_good_copy_is_refused_and_left_as_it_is(
    path: Path, damage: bytes, copy: bytes | None
) -> None:
    written(path, OLD)
    path.write_bytes(damage)
    if copy is not None:
        path.with_name("x.json.bak").write_bytes(copy)
    before = image_of(path.parent)

    with pytest.raises(StorageDamaged) as caught:
        SafeJSONStorage(path)

    assert f"{path} " in caught.value.message
    assert f"{path}.bak" in caught.value.message
    assert "paperboy restore" in caught.value.hint
    assert image_of(path.parent) == before


def test_a_missing_file_is_recovered_from_its_copy(path: Path) -> None:
    written(path, OLD, NEW)
    path.unlink()

    assert SafeJSONStorage(path).read() == OLD
    assert json.loads(path.read_bytes()) == OLD


def test_a_missing_file_with_a_damaged_copy_is_refused(path: Path) -> None:
    written(path, OLD, NEW)
    path.unlink()
    path.with_name("x.json.bak").write_bytes(b"")

    with pytest.raises(StorageDamaged):
        SafeJSONStorage(path)


def test_a_damaged_copy_beside_a_good_file_does_no_harm(path: Path) -> None:
    written(path, OLD, NEW)
    path.with_name("x.json.bak").write_bytes(b"")

    storage = SafeJSONStorage(path)
    storage.write(LAST)

    assert storage.read() == LAST
    assert json.loads(path.with_name("x.json.bak").read_bytes()) == NEW


def test_a_state_that_the_check_refuses_is_damaged(path: Path) -> None:
    def check(tables: Tables) -> None:
        if len(tables["things"]) > 1:
            raise ValueError("too many things")

    written(path, OLD, NEW)

    assert SafeJSONStorage(path, check=check).read() == OLD


def test_a_recovered_file_has_a_copy_again(path: Path) -> None:
    written(path, OLD, NEW)
    for _ in range(2):
        path.write_bytes(b"")

        assert SafeJSONStorage(path).read() == OLD


def test_after_a_recovery_all_goes_on(path: Path) -> None:
    written(path, OLD, NEW)
    path.write_bytes(b"")

    written(path, NEW, LAST)
    path.write_bytes(b"")

    assert SafeJSONStorage(path).read() == NEW


@pytest.mark.parametrize("damage", [None, b"", b'{"thi'])
def test_a_reader_beside_the_owner_changes_nothing(path: Path, damage: bytes | None) -> None:
    written(path, OLD, NEW)
    path.with_name("x.json.tmp").write_bytes(b"being written")
    if damage is not None:
        path.write_bytes(damage)
    before = image_of(path.parent)

    storage = SafeJSONStorage(path, readonly=True)

    assert storage.read() == (NEW if damage is None else OLD)
    with pytest.raises(StorageBusy):
        storage.write(LAST)
    assert image_of(path.parent) == before


def test_a_reader_makes_no_folder(path: Path) -> None:
    assert SafeJSONStorage(path, readonly=True).read() is None
    assert not path.parent.exists()


def test_a_file_that_may_not_be_read_is_no_damage(path: Path) -> None:
    path.mkdir(parents=True)  # a folder in its place: root may read everything else

    with pytest.raises(StorageFailed, match="could not be read: Is a directory"):
        SafeJSONStorage(path)


def test_where_there_are_no_hard_links_the_copy_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse)
    written(path, OLD, NEW)
    path.write_bytes(b"")

    assert SafeJSONStorage(path).read() == OLD


def calls_of_a_write(folder: Path, monkeypatch: pytest.MonkeyPatch, *before: Tables) -> int:
    path = folder / "x.json"
    storage = written(path, *before)
    with monkeypatch.context() as patch:
        disk = Disk(folder, patch)
        storage.write(NEW)
    return disk.calls


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("before", [(), (OLD,), (LAST, OLD)], ids=["first", "second", "later"])
def test_a_disk_that_refuses_any_call_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, before: tuple[Tables, ...]
) -> None:
    count = calls_of_a_write(tmp_path / "count", monkeypatch, *before)
    old = before[-1] if before else None
    for number in range(1, count + 1):
        path = tmp_path / str(number) / "x.json"
        storage = written(path, *before)
        with monkeypatch.context() as patch:
            disk = Disk(path.parent, patch)
            disk.refused = {number: code}

            with pytest.raises(StorageFailed, match=os.strerror(code)):
                storage.write(NEW)

            assert disk.open_files == {}
        assert storage.read() == old
        assert SafeJSONStorage(path).read() == old
        storage.write(NEW)
        assert SafeJSONStorage(path).read() == NEW
    assert count >= 8


def test_two_faults_in_one_write_damage_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = calls_of_a_write(tmp_path / "count", monkeypatch, LAST, OLD) + 4  # and to take it back
    for first, second in itertools.combinations(range(1, count + 1), 2):
        path = tmp_path / f"{first}-{second}" / "x.json"
        storage = written(path, LAST, OLD)
        with monkeypatch.context() as patch:
            disk = Disk(path.parent, patch)
            disk.refused = {first: errno.EIO, second: errno.EIO}
            with contextlib.suppress(StorageFailed):
                storage.write(NEW)
        assert SafeJSONStorage(path, readonly=True).read() in (OLD, NEW)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", refuse)
            with pytest.raises(StorageFailed):
                storage.write(LAST)
        for copy in path.parent.glob("*.bak"):
            assert json.loads(copy.read_bytes()) in (LAST, OLD, NEW)
        storage.write(NEW)
        assert SafeJSONStorage(path).read() == NEW


def power_cuts(disk: Disk, steps: list[Step]) -> Iterator[tuple[Image, list[Step]]]:
    """Every image that a power cut can leave, with the steps up to the cut.

    Of the changes of names since the folder was last synced, any may be missing; a file's content
    since it was last synced may be any earlier one, torn between two, or zeros.
    """
    for cut in range(len(steps) + 1):
        done = steps[:cut]
        synced = max((i for i, s in enumerate(done) if s == ("sync folder",)), default=-1)
        renames = [(i, s) for i, s in enumerate(done) if s[0] in ("name", "unname", "rename")]
        sure = [s for i, s in renames if i < synced]
        unsure = [s for i, s in renames if i > synced]
        for kept in itertools.product([True, False], repeat=len(unsure)):
            names = dict(disk.start[0])
            for step in sure + [s for s, is_kept in zip(unsure, kept, strict=True) if is_kept]:
                rename(names, step)
            files = sorted(set(names.values()))
            contents = [possible_contents(disk, done, number) for number in files]
            for chosen in itertools.product(*contents):
                content = dict(zip(files, chosen, strict=True))
                yield {name: content[number] for name, number in names.items()}, done


def rename(names: dict[str, int], step: Step) -> None:
    if step[0] == "unname":
        names.pop(step[1], None)
    else:
        names[step[1]] = step[2]
    if step[0] == "rename":
        names.pop(step[3], None)


def possible_contents(disk: Disk, done: list[Step], number: int) -> set[bytes]:
    start = disk.start[1]
    sure = start[number] if number < len(start) else b""
    possible = {sure}
    for step in done:
        if step[:2] == ("sync", number):
            possible = {sure}
        elif step[:2] == ("content", number):
            new, half = step[2], len(step[2]) // 2
            possible |= {new, new[:half] + sure[half:], bytes(len(new))}
            sure = new
    return possible


def faults(disk: Disk, steps: list[Step], folder: Path, states: list[Tables | None]) -> set[str]:
    """What a power cut can do to *states*: nothing, or some of "unreadable" and "lost"."""
    found: set[str] = set()
    seen: set[tuple[frozenset[tuple[str, bytes]], int, int]] = set()
    for image, done in power_cuts(disk, steps):
        acknowledged = sum(step == ("acknowledged",) for step in done)
        begun = sum(step == ("begun",) for step in done)
        key = frozenset(image.items()), acknowledged, begun
        if key in seen:
            continue
        seen.add(key)
        place = folder / str(len(seen))
        place.mkdir(parents=True)
        for name, content in image.items():
            (place / name).write_bytes(content)
        try:
            state = SafeJSONStorage(place / "x.json").read()
        except StorageDamaged:
            found.add("unreadable")
        else:
            if state not in states[acknowledged : begun + 1]:
                found.add("lost")
    assert len(seen) > len(steps)
    return found


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Three writes into a new file."""
    path = tmp_path / "recorded" / "x.json"
    storage = SafeJSONStorage(path)
    with monkeypatch.context() as patch:
        disk = Disk(path.parent, patch)
        for state in (OLD, NEW, LAST):
            disk.steps.append(("begun",))
            storage.write(state)
            disk.steps.append(("acknowledged",))
    return disk


STATES = [None, OLD, NEW, LAST]


def test_no_power_cut_makes_the_file_unreadable_or_loses_a_write(
    recorded: Disk, tmp_path: Path
) -> None:
    assert faults(recorded, recorded.steps, tmp_path / "cuts", STATES) == set()


def test_no_power_cut_during_a_recovery_loses_the_good_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recorded" / "x.json"
    written(path, OLD, NEW)
    path.write_bytes(b"")
    with monkeypatch.context() as patch:
        disk = Disk(path.parent, patch)
        storage = SafeJSONStorage(path)
        disk.steps.append(("begun",))
        storage.write(LAST)
        disk.steps.append(("acknowledged",))

    assert faults(disk, disk.steps, tmp_path / "cuts", [OLD, LAST]) == set()


def test_without_syncing_the_file_a_power_cut_would_leave_it_unreadable(
    recorded: Disk, tmp_path: Path
) -> None:
    weakened = [step for step in recorded.steps if step[0] != "sync"]

    assert "unreadable" in faults(recorded, weakened, tmp_path / "cuts", STATES)


def test_without_syncing_the_folder_a_power_cut_would_lose_a_write(
    recorded: Disk, tmp_path: Path
) -> None:
    weakened = [step for step in recorded.steps if step != ("sync folder",)]

    assert faults(recorded, weakened, tmp_path / "cuts", STATES) == {"lost"}


def test_written_in_place_as_tinydb_does_a_power_cut_would_leave_it_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recorded" / "x.json"
    written(path, NEW)
    disk = Disk(path.parent, monkeypatch)
    old, new = path.read_bytes(), json.dumps(OLD).encode()
    in_place = [
        ("begun",),
        ("content", 0, new + old[len(new) :]),
        ("sync", 0),
        ("content", 0, new),  # cut to its length
        ("acknowledged",),
    ]

    assert "unreadable" in faults(disk, in_place, tmp_path / "cuts", [NEW, OLD])
