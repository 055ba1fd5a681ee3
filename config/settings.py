"""Secrets, paths and addresses from the environment (``PAPERBOY_…``), all faults at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _address(url: str, scheme: str = "https") -> str:
    plain = scheme.removesuffix("s")
    parts = urlsplit(url)
    _ = parts.port  # raises where it is none: port out of range
    if not parts.hostname or parts.scheme not in (scheme, plain):
        raise ValueError(f"must be an address such as {scheme}://example.org")
    if parts.scheme != scheme and not is_loopback(url):
        raise ValueError(f"must begin with {scheme}:// (plain {plain} only on this machine)")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
Gateway = Annotated[str, AfterValidator(lambda url: _address(url, "wss"))]
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: any free port
SHORTEST_KEY = 16


def _fault(words: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{words}", {"words": words})


def _split(what: str) -> BeforeValidator:
    """Texts with commas or line ends between, or a JSON list."""

    def split(given: Any) -> Any:
        if not isinstance(given, str):
            return given
        if not given.lstrip().startswith("["):
            return [each.strip() for each in re.split(r"[,\n]", given) if each.strip()]
        try:
            listed = json.loads(given)
        except ValueError:
            listed = [None]
        if not all(isinstance(each, str) for each in listed):
            raise _fault(f"must be {what} with commas between, or a JSON list of them")
        return listed

    return BeforeValidator(split)


class Arxiv(BaseModel):
    api_url: Address = "https://export.arxiv.org/api/query"
    feed_url: Address = "https://rss.arxiv.org"
    oai_url: Address = "https://oaipmh.arxiv.org/oai"
    categories: Annotated[tuple[str, ...], NoDecode, _split("categories")] = (
        "cs.AI", "cs.CL", "cs.CV", "cs.LG", "stat.ML",
    )  # fmt: skip
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = (
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
    port: Port = 8080


class Delivery(BaseModel):
    settle_seconds: Annotated[float, Field(gt=0, le=86_400)] = (
        90.0  # after this a request without an answer has made its post, or never will
    )


def _faults(words: Mapping[str, str]) -> ValidationError:
    """A fault per field, which pydantic reports beside its own."""
    details = [
        InitErrorDetails(type=_fault(w), loc=(name,), input=None) for name, w in words.items()
    ]
    return ValidationError.from_exception_data("settings", details, hide_input=True)


def _read_files(given: Any, names: Iterable[str]) -> Any:
    """Take each secret that is named ``…_file`` out of its file."""
    if not isinstance(given, dict):
        return given
    values, faults = dict(given), {}
    for name in names:
        variable = f"{name}_file"
        path = values.pop(variable, None)
        if path is None:
            continue
        if name in values:
            faults[variable] = "cannot be set beside the secret itself: take one of them away"
            continue
        try:
            values[name] = Path(path).read_text("utf-8").strip()
        except (OSError, ValueError) as error:  # ValueError: no UTF-8, or no path
            reason = getattr(error, "strerror", None) or "it is no text"
            faults[variable] = f"names a file that cannot be read: {reason}"  # it may be the secret
        else:
            if not values[name]:
                faults[variable] = "names an empty file"
    if faults:
        raise _faults(faults)
    return values


def _token(prefix: str) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        if not re.fullmatch(rf"{prefix}[!-~]+", secret.get_secret_value()):
            raise _fault(f"must begin with {prefix} and have no blanks")
        return secret

    return AfterValidator(check)


def _long(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise _fault(f"must be keys of {SHORTEST_KEY} characters or more")
    return keys


_SECRETS = (
    "bot_token", "app_token", "signing_secret", "client_id", "client_secret", "encryption_keys",
)  # fmt: skip
_MODES = {
    "Socket Mode": ("bot_token", "app_token"),
    "HTTP mode": ("bot_token", "signing_secret", "port"),
    "an app for many workspaces": (
        "client_id", "client_secret", "encryption_keys", "public_url", "signing_secret", "port",
    ),
}  # fmt: skip


class Slack(BaseModel):
    """Off where nothing is set; else Socket Mode, HTTP mode or many workspaces, and nothing half.

    A secret may stand in a file: ``PAPERBOY_SLACK__BOT_TOKEN_FILE=/run/secrets/bot_token``.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    api_url: Address = "https://slack.com/api"
    bot_token: Annotated[SecretStr, _token("xoxb-")] | None = None
    app_token: Annotated[SecretStr, _token("xapp-")] | None = None
    signing_secret: SecretStr | None = None
    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None
    encryption_keys: Annotated[
        tuple[SecretStr, ...], NoDecode, _split("keys"), AfterValidator(_long)
    ] = ()  # the first one encrypts, all of them decrypt
    host: str = "127.0.0.1"
    port: Port | None = None
    public_url: Address | None = None  # how browsers reach host and port, for OAuth

    @property
    def mode(self) -> Literal["socket", "http"] | None:
        if self.app_token:
            return "socket"
        return None if self.port is None else "http"

    @property
    def is_many(self) -> bool:
        return self.client_id is not None

    @model_validator(mode="before")
    @classmethod
    def _with_files(cls, given: Any) -> Any:
        return _read_files(given, _SECRETS)

    @model_validator(mode="after")
    def _whole(self) -> Slack:
        """Refuse what is half set: say what is missing, or too much, for the mode it looks like."""
        names = {name for needed in _MODES.values() for name in needed}
        given = {name for name in names if getattr(self, name) not in (None, ())}
        if given & {"client_id", "client_secret", "encryption_keys", "public_url"}:
            mode = "an app for many workspaces"
        elif "port" in given or ("signing_secret" in given and "app_token" not in given):
            mode = "HTTP mode"
        else:
            mode = "Socket Mode"
        needed = _MODES[mode]
        faults = {name: f"is missing: {mode} needs it" for name in needed if name not in given}
        faults |= dict.fromkeys(
            sorted(given.difference(needed)), f"is no part of {mode}: take it away"
        )
        if given and faults:
            raise _faults(faults)
        return self


class Discord(BaseModel):
    """Off without a token. With *server* the commands are registered there alone, to try them out."""

    model_config = ConfigDict(hide_input_in_errors=True)

    api_url: Address = "https://discord.com/api/v10"
    gateway_url: Gateway = "wss://gateway.discord.gg"
    token: Annotated[SecretStr, _token("")] | None = None
    server: Annotated[str, Field(pattern=r"^\d{1,20}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_file(cls, given: Any) -> Any:
        return _read_files(given, ("token",))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PAPERBOY_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("paperboy")))
    arxiv: Arxiv = Arxiv()
    huggingface: HuggingFace = HuggingFace()
    journals: tuple[Address, ...] = ()
    fetch_minutes: Annotated[int, Field(ge=5, le=1440)] = 30
    outbox_dir: Path | None = None
    delivery: Delivery = Delivery()
    slack: Slack = Slack()
    discord: Discord = Discord()
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
