"""Paths and addresses from the environment (``PAPERBOY_…``), all faults reported at once."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PAPERBOY_", extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("paperboy")))


def load() -> tuple[Settings | None, list[str]]:
    """The settings, or a line per fault that names its variable."""
    try:
        return Settings(), []
    except ValidationError as error:
        return None, [
            f"PAPERBOY_{'__'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors()
        ]
