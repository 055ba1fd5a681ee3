"""Paths and addresses from the environment (``PAPERBOY_…``), all faults reported at once."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError("must be an address such as https://example.org")
    if parts.scheme != "https" and not is_loopback(url):
        raise ValueError("must begin with https:// (plain http only on this machine)")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class Arxiv(BaseModel):
    api_url: Address = "https://export.arxiv.org/api/query"
    feed_url: Address = "https://rss.arxiv.org"
    oai_url: Address = "https://oaipmh.arxiv.org/oai"
    categories: tuple[str, ...] = ("cs.AI", "cs.CL", "cs.CV", "cs.LG", "stat.ML")
    delay_seconds: Annotated[float, Field(ge=0)] = (
        3.0  # arXiv's terms: one request in three seconds
    )

    @model_validator(mode="after")
    def _polite(self) -> Arxiv:
        urls = (self.api_url, self.feed_url, self.oai_url)
        if self.delay_seconds < 3 and not all(map(is_loopback, urls)):
            raise ValueError("delay_seconds must be at least 3: arXiv's terms ask for it")
        return self


class HuggingFace(BaseModel):
    endpoint: Address = "https://huggingface.co"


class Web(BaseModel):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080  # 0: any free port


class Delivery(BaseModel):
    settle_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = (
        90.0  # after this a request without an answer has made its post, or never will
    )


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PAPERBOY_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("paperboy")))
    arxiv: Arxiv = Arxiv()
    huggingface: HuggingFace = HuggingFace()
    journals: tuple[Address, ...] = ()
    fetch_minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    outbox_dir: Path | None = None
    delivery: Delivery = Delivery()
    web: Web = Web()


def load() -> tuple[Settings | None, list[str]]:
    """The settings, or a line per fault that names its variable."""
    try:
        return Settings(), []
    except SettingsError as error:  # a value that should be JSON
        name = str(error).partition('"')[2].partition('"')[0].upper()
        return None, [f'PAPERBOY_{name}: must be JSON, such as ["https://example.org/feed"].']
    except ValidationError as error:
        return None, [
            f"PAPERBOY_{'__'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}."
            for fault in error.errors()
        ]
