"""Installed workspaces: the contract of every store, and what the encrypted file must hold to."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from adapters.storage.installations import FILE, TinyInstallations
from adapters.storage.settings import TinyChannelStore
from bot.errors import StorageBusy, StorageDamaged, StorageFailed
from bot.model import Channel, ChannelRef
from bot.ports import Installation, Installations
from tests.fake_installations import MemoryInstallations
from tests.fakes import MemoryChangeLog

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
KEY, NEW_KEY = Fernet.generate_key().decode(), "a passphrase of our own"
TOKEN, NEW_TOKEN = "xoxb-first-token", "xoxb-new-token"
ACME = Installation("T1", "Acme", TOKEN, "UBOT1", ("chat:write", "commands"), "UANN", NOW)
BETA = Installation("T2", "Beta", "xoxb-second-token", "UBOT2", (), "UBOB", NOW)


def everything_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def sealed_token(folder: Path, tenant: str = "T1") -> bytes:
    documents = json.loads((folder / FILE).read_bytes())["installations"].values()
    return next(str(d["token"]).encode() for d in documents if d["tenant"] == tenant)


# The contract


@pytest.fixture(params=["memory", "tinydb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installations]:
    if request.param == "memory":
        yield MemoryInstallations()
        return
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        yield store


async def test_an_unknown_workspace_is_none(store: Installations) -> None:
    assert await store.get("T1") is None
    assert await store.all() == []


async def test_what_is_saved_is_read_back(store: Installations) -> None:
    for installation in (BETA, ACME):
        await store.save(installation)

    assert await store.get("T1") == ACME
    assert await store.all() == [ACME, BETA]


async def test_a_workspace_that_installs_again_has_the_new_token(store: Installations) -> None:
    again = replace(ACME, token=NEW_TOKEN, at=NOW + DAY)
    await store.save(ACME)

    await store.save(again)

    assert await store.all() == [again]


async def test_a_removed_workspace_is_no_longer_there(store: Installations) -> None:
    await store.save(ACME)
    await store.save(BETA)

    await store.remove("T1", NOW + DAY)

    assert await store.get("T1") is None
    assert await store.all() == [BETA]


async def test_a_workspace_expires_some_time_after_its_removal(store: Installations) -> None:
    for installation in (ACME, BETA):
        await store.save(installation)
    await store.remove("T1", NOW + DAY)

    assert await store.expired(NOW + DAY) == []
    assert await store.expired(NOW + 2 * DAY) == ["T1"]


async def test_a_second_removal_does_not_put_the_end_off(store: Installations) -> None:
    await store.save(ACME)
    await store.remove("T1", NOW + DAY)

    await store.remove("T1", NOW + 5 * DAY)

    assert await store.expired(NOW + 2 * DAY) == ["T1"]


async def test_a_late_removal_leaves_what_was_installed_since(store: Installations) -> None:
    await store.save(replace(ACME, at=NOW + DAY))

    await store.remove("T1", NOW)

    assert await store.get("T1") is not None
    assert await store.expired(NOW + 9 * DAY) == []


async def test_removing_or_forgetting_nobody_does_nothing(store: Installations) -> None:
    await store.remove("T9", NOW)
    await store.forget("T9")

    assert await store.expired(NOW + DAY) == []


async def test_a_forgotten_workspace_leaves_nothing(store: Installations) -> None:
    await store.save(ACME)
    await store.remove("T1", NOW)

    await store.forget("T1")

    assert await store.expired(NOW + 9 * DAY) == []


async def test_a_workspace_that_came_back_is_neither_expired_nor_forgotten(
    store: Installations,
) -> None:
    back = replace(ACME, at=NOW + 2 * DAY)
    await store.save(ACME)
    await store.remove("T1", NOW + DAY)
    await store.save(back)

    expired = await store.expired(NOW + 90 * DAY)
    await store.forget("T1")

    assert expired == []
    assert await store.get("T1") == back


# The file


async def test_installations_outlive_the_process(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        await store.save(BETA)
        await store.remove("T2", NOW + DAY)

    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        assert await store.all() == [ACME]
        assert await store.expired(NOW + 2 * DAY) == ["T2"]


async def test_no_file_holds_a_token_in_plain_text(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        await store.save(BETA)

    content = everything_in(tmp_path)
    assert b"Acme" in content
    assert b"xoxb-" not in content


async def test_a_removed_token_is_in_no_file_in_any_form(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        await store.save(BETA)
        sealed, kept = sealed_token(tmp_path), sealed_token(tmp_path, "T2")

        await store.remove("T1", NOW)

        content = everything_in(tmp_path)
        assert (TOKEN.encode() in content, sealed in content) == (False, False)
        assert kept in content


async def test_a_replaced_token_is_in_no_file_in_any_form(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        sealed = sealed_token(tmp_path)

        await store.save(replace(ACME, token=NEW_TOKEN))

        assert sealed not in everything_in(tmp_path)


async def test_a_damaged_file_that_was_moved_aside_goes_with_the_token(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    sealed = sealed_token(tmp_path)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b"torn")

    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        assert await store.all() == [ACME]
        assert b"torn" in everything_in(tmp_path)
        await store.remove("T1", NOW)

        assert sealed not in everything_in(tmp_path)


async def test_a_crash_before_the_copy_was_brought_up_is_made_good_on_opening(
    tmp_path: Path,
) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        before = (tmp_path / FILE).read_bytes()
        await store.remove("T1", NOW)
    (tmp_path / f"{FILE}.bak").write_bytes(before)

    async with await TinyInstallations.open(tmp_path, [KEY]):
        pass

    assert (tmp_path / f"{FILE}.bak").read_bytes() == (tmp_path / FILE).read_bytes()


async def test_a_removal_that_the_disk_refused_half_way_is_finished_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        sealed = sealed_token(tmp_path)
        replaced, left = Path.replace, [1]

        def full(path: Path, target: Path) -> Path:
            if not left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left.pop()
            return replaced(path, target)

        with monkeypatch.context() as disk:
            disk.setattr(Path, "replace", full)
            with pytest.raises(StorageFailed):
                await store.remove("T1", NOW)
        await store.remove("T1", NOW + DAY)

        assert await store.get("T1") is None
        assert sealed not in everything_in(tmp_path)
        assert await store.expired(NOW + DAY) == ["T1"]


async def test_a_new_first_key_encrypts_everything_anew(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        await store.save(BETA)
        await store.remove("T2", NOW)
    sealed = sealed_token(tmp_path)

    async with await TinyInstallations.open(tmp_path, [NEW_KEY, KEY]) as store:
        assert await store.all() == [ACME]
    assert sealed not in everything_in(tmp_path)

    async with await TinyInstallations.open(tmp_path, [NEW_KEY]) as store:
        assert await store.all() == [ACME]


async def test_a_key_that_stays_first_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    before = (tmp_path / FILE).stat()

    async with await TinyInstallations.open(tmp_path, [KEY, NEW_KEY]):
        pass

    after = (tmp_path / FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("readonly", [False, True])
async def test_a_wrong_key_is_told_with_the_variable_and_changes_nothing(
    readonly: bool, tmp_path: Path
) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    before = everything_in(tmp_path)

    with pytest.raises(StorageDamaged) as caught:
        await TinyInstallations.open(tmp_path, [NEW_KEY], readonly=readonly)

    assert "PAPERBOY_SLACK__ENCRYPTION_KEYS" in caught.value.message
    assert "PAPERBOY_SLACK__ENCRYPTION_KEYS" in caught.value.hint
    assert everything_in(tmp_path) == before


async def test_a_wrong_key_does_not_prefer_a_copy_without_tokens(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    (tmp_path / f"{FILE}.bak").write_text('{"installations": {}}')
    before = everything_in(tmp_path)

    with pytest.raises(StorageDamaged):
        await TinyInstallations.open(tmp_path, [NEW_KEY])

    assert everything_in(tmp_path) == before


async def test_one_damaged_token_is_read_from_the_copy(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
        await store.save(BETA)
    sealed = sealed_token(tmp_path)
    damaged = (tmp_path / FILE).read_bytes().replace(sealed, sealed[:-6] + b"AAAA==")
    (tmp_path / FILE).write_bytes(damaged)

    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        assert await store.all() == [ACME, BETA]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tenant": 1}, id="a tenant that is no text"),
        pytest.param({"scopes": [1]}, id="a scope that is no text"),
        pytest.param({"scopes": None}, id="no scopes"),
        pytest.param({"at": "2026-11-23T09:00:00"}, id="a time without offset"),
        pytest.param({"at": None}, id="no time"),
        pytest.param({"version": 0}, id="an unknown version"),
        pytest.param({"more": 1}, id="an unknown field"),
        pytest.param({"token": "sécret"}, id="a token that is none"),
    ],
)
async def test_a_document_that_makes_no_sense_is_read_from_the_copy(
    change: dict[str, object], tmp_path: Path
) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    tables = json.loads((tmp_path / FILE).read_bytes())
    tables["installations"]["1"] |= change
    (tmp_path / FILE).write_text(json.dumps(tables))

    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        assert await store.all() == [ACME]


async def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    newer = (tmp_path / FILE).read_text().replace('"version": 1', '"version": 2')
    (tmp_path / FILE).write_text(newer)
    before = everything_in(tmp_path)

    with pytest.raises(StorageDamaged, match="newer"):
        await TinyInstallations.open(tmp_path, [KEY])

    assert everything_in(tmp_path) == before


async def test_a_reader_beside_the_owner_writes_nothing(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path, [KEY]) as store:
        await store.save(ACME)
    before = everything_in(tmp_path)

    async with await TinyInstallations.open(tmp_path, [NEW_KEY, KEY], readonly=True) as store:
        found = await store.all()
        with pytest.raises(StorageBusy):
            await store.remove("T1", NOW)
        with pytest.raises(StorageBusy):
            await store.save(BETA)

    assert found == [ACME]
    assert everything_in(tmp_path) == before


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with await TinyInstallations.open(tmp_path / "settings", [KEY]) as store:
        await store.save(ACME)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "settings").iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}.bak": 0o600}


async def test_the_channels_of_the_same_folder_are_not_disturbed(tmp_path: Path) -> None:
    channel = Channel(ChannelRef("slack", "T1", "C1"), owner="UANN")
    async with (
        await TinyChannelStore.open(tmp_path, MemoryChangeLog(lambda: NOW)) as channels,
        await TinyInstallations.open(tmp_path, [KEY]) as store,
    ):
        await store.save(ACME)
        await channels.save(channel, "UANN")

    async with (
        await TinyInstallations.open(tmp_path, [KEY]) as store,
        await TinyChannelStore.open(tmp_path, MemoryChangeLog(lambda: NOW)) as channels,
    ):
        assert await store.all() == [ACME]
        assert await channels.all() == [channel]


def test_a_token_is_in_no_repr() -> None:
    assert TOKEN not in repr(ACME)
