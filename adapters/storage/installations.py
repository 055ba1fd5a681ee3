"""The workspaces that added Paperboy, in one TinyDB file with their tokens encrypted.

The table ``installations`` of ``installations.json`` holds one document per workspace: ``version``
and the fields of ``bot.ports.Installation``, times as ISO text, ``token`` as Fernet made it and ""
where the workspace was removed.

A key is a Fernet key as it is, or any other text, of which HKDF with SHA-256 makes one. The first
key encrypts, all of them decrypt: put a new key in front, start once, and take the old one away.

No file keeps a token that was removed or replaced: the copy that ``SafeJSONStorage`` makes is
brought up to the file after each change, and what it moved aside goes.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tinydb import TinyDB, where

from adapters.storage.safejson import SafeJSONStorage, Tables
from bot.errors import StorageBusy, StorageDamaged, StorageFailed
from bot.ports import Installation

FILE = "installations.json"
VERSION = 1

_TABLE = "installations"
_TEXTS = ("tenant", "name", "token", "bot_user", "installer")
_KEYS = "PAPERBOY_SLACK__ENCRYPTION_KEYS"

JSON = dict[str, Any]
T = TypeVar("T")


class TinyInstallations:
    """Made by ``open``; one owner, any readers. Reads come from memory."""

    def __init__(self, folder: Path, keys: Sequence[str], *, readonly: bool) -> None:
        self._path = folder / FILE
        self._readonly = readonly
        self._first, *others = map(_cipher, keys)
        self._cipher = MultiFernet([self._first, *others])
        self._held: dict[str, Installation] = {}  # never changed in place: two threads see it
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="installations")

    @classmethod
    async def open(cls, folder: Path, keys: Sequence[str], *, readonly: bool = False) -> Self:
        """Encrypts anew what the first key does not decrypt; *readonly* writes nothing.

        Raises StorageDamaged, and touches nothing, where no key decrypts what is there.
        """
        installations = cls(folder, keys, readonly=readonly)
        try:
            await installations._in_worker(installations._load)
        except BaseException:
            installations._worker.shutdown()
            raise
        return installations

    async def aclose(self) -> None:
        """Finish the changes that have begun, then let go of the thread."""
        self._worker.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def get(self, tenant: str) -> Installation | None:
        found = self._held.get(tenant)
        return None if found is None or found.removed_at else found

    async def all(self) -> list[Installation]:
        installed = (each for each in self._held.values() if each.removed_at is None)
        return sorted(installed, key=lambda installation: installation.tenant)

    async def save(self, installation: Installation) -> None:
        await self._in_worker(lambda: self._put(installation))

    async def remove(self, tenant: str, at: datetime) -> None:
        def remove() -> None:
            found = self._held.get(tenant)
            if found and found.removed_at is None and found.at <= at:
                self._put(replace(found, token="", removed_at=at))
            elif not self._readonly:
                self._refresh_copy()  # the disk may have refused it when the token went

        await self._in_worker(remove)

    async def expired(self, before: datetime) -> list[str]:
        removed = ((each.tenant, each.removed_at) for each in self._held.values())
        return sorted(tenant for tenant, at in removed if at and at < before)

    async def forget(self, tenant: str) -> None:
        def forget() -> None:
            found = self._held.get(tenant)
            if found and found.removed_at:
                self._change(lambda: self._table.remove(where("tenant") == tenant))

        await self._in_worker(forget)

    def _put(self, installation: Installation) -> None:
        document = _to_json(installation)
        document["token"] = self._encrypted(installation.token)
        self._change(lambda: self._table.upsert(document, where("tenant") == installation.tenant))

    def _change(self, write: Callable[[], object]) -> None:
        if self._readonly:
            raise StorageBusy("The installations are open for reading only.")
        try:
            for aside in self._path.parent.glob(f"{FILE}.corrupt-*"):
                aside.unlink()
        except OSError as error:
            raise _failed(self._path.parent, error) from error
        write()
        self._show()
        self._refresh_copy()

    def _load(self) -> None:
        self._storage = SafeJSONStorage(self._path, check=self._check, readonly=self._readonly)
        self._table = TinyDB(storage=lambda: self._storage).table(_TABLE)
        self._show()
        if self._readonly:
            return
        if all(_decrypts(self._first, document["token"]) for document in self._table):
            self._refresh_copy()  # a crash may have come before
        else:
            self._change(lambda: self._table.update(self._rotate))

    def _show(self) -> None:
        found = (_from_json(self._decrypted(document)) for document in self._table)
        self._held = {installation.tenant: installation for installation in found}

    def _refresh_copy(self) -> None:
        """Write the file once more: its copy is always the state before."""
        try:
            copy = self._path.with_name(f"{FILE}.bak")
            fresh = not self._path.exists() or (
                copy.exists() and copy.read_bytes() == self._path.read_bytes()
            )
        except OSError as error:
            raise _failed(self._path, error) from error
        if not fresh:
            self._storage.write(self._storage.read() or {})

    def _check(self, tables: Tables) -> None:
        documents = list(tables.get(_TABLE, {}).values())
        for document in documents:
            if isinstance(version := document.get("version"), int) and version > VERSION:
                raise StorageDamaged(
                    f"{self._path} was written by a newer Paperboy. Nothing was changed.",
                    hint="Start the newer version.",
                )
            _from_json(document)
        if len({document["tenant"] for document in documents}) < len(documents):
            raise ValueError("it holds a workspace twice")
        sealed = [document for document in documents if document["token"]]
        shut = [each["tenant"] for each in sealed if not _decrypts(self._cipher, each["token"])]
        if shut and len(shut) == len(sealed):
            raise StorageDamaged(
                f"No key in {_KEYS} decrypts the tokens in {self._path}. Nothing was changed.",
                hint=f"Add the key that they were written with to {_KEYS}. Where it is lost, move "
                f"the file and {FILE}.bak away, and let each workspace add Paperboy again.",
            )
        if shut:
            raise ValueError(f"the token of {shut[0]} cannot be decrypted")

    def _encrypted(self, token: str) -> str:
        return self._cipher.encrypt(token.encode()).decode() if token else ""

    def _decrypted(self, document: Mapping[str, Any]) -> JSON:
        token = document["token"]
        return dict(document) | {"token": self._cipher.decrypt(token).decode() if token else ""}

    def _rotate(self, document: MutableMapping[str, Any]) -> None:
        document["token"] = self._encrypted(self._decrypted(document)["token"])

    async def _in_worker(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


def _cipher(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:  # not 32 bytes in base64
        derived = HKDF(SHA256(), 32, salt=None, info=b"paperboy installations").derive(key.encode())
        return Fernet(base64.urlsafe_b64encode(derived))


def _decrypts(cipher: Fernet | MultiFernet, token: str) -> bool:
    try:
        return not token or bool(cipher.decrypt(token))
    except InvalidToken:
        return False


def _to_json(installation: Installation) -> JSON:
    removed_at = installation.removed_at
    return asdict(installation) | {
        "version": VERSION,
        "at": installation.at.isoformat(),
        "removed_at": removed_at.isoformat() if removed_at else None,
    }


def _from_json(document: JSON) -> Installation:
    """Raise ValueError where it is none."""
    fields = dict(document)
    try:
        version, at, removed_at = (fields.pop(name) for name in ("version", "at", "removed_at"))
        texts = [*(fields[name] for name in _TEXTS), *fields["scopes"]]
        found = Installation(
            **fields | {"scopes": tuple(fields["scopes"])},
            at=_time(at),
            removed_at=_time(removed_at) if removed_at else None,
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"an installation is not whole: {error}") from error
    if version != VERSION or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the installation of {found.tenant} makes no sense")
    return found


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment


def _failed(path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(
        f"{path} could not be tidied: {error.strerror or error}.",
        hint="Look after the disk, then try again.",
    )
