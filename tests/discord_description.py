"""Discord's own description of its API (OpenAPI 3.1), where it lies: what a body must look like.

Without the file nothing is checked here; ``tests.discord_rules`` knows the main limits by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from tests.discord_rules import Problem, required
from tests.discord_state import Json

FILE = Path(__file__).resolve().parents[2] / "shared" / "specs" / "discord_openapi.json"
SCHEMES = ("http", "https", "discord", "attachment")
FORMATS = FormatChecker(())


@FORMATS.checks("uri")
def _is_address(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.netloc) and not re.search(r"\s", value)


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


def _chosen(
    validator: Any, branches: list[Json], instance: Any, schema: Json
) -> Iterator[ValidationError]:
    """``oneOf`` and ``anyOf``: only the branch that is meant is looked at, by "type" where it tells.

    So it is quick, and an error names the field, not the whole component.
    """
    resolved = [
        validator._resolver.lookup(b["$ref"]).contents if "$ref" in b else b for b in branches
    ]
    left = [b for b in resolved if _may_be(b, instance)]
    if isinstance(instance, dict) and len(left) > 1:
        tagged = [(b.get("properties", {}).get("type", {}).get("enum"), b) for b in left]
        if all(kinds for kinds, _ in tagged):
            left = [b for kinds, b in tagged if instance.get("type") in kinds]
    if len(left) > 1:
        if any(validator.evolve(schema=branch).is_valid(instance) for branch in left):
            return
        if isinstance(instance, dict):
            left = [max(left, key=lambda b: len(instance.keys() & b.get("properties", {}).keys()))]
    if len(left) == 1:
        yield from validator.descend(instance, left[0])
    else:
        yield ValidationError("none of the choices fits", validator="oneOf")


def _may_be(branch: Json, instance: Any) -> bool:
    """The branch is not for another kind of JSON value."""
    kinds: dict[type, str] = {str: "string", dict: "object", list: "array"}
    kind = branch.get("type")
    if instance is None or kind == "null":
        return instance is None and kind in (None, "null")
    wanted = kinds.get(type(instance))
    return not isinstance(kind, str) or wanted is None or kind == wanted


VALIDATOR = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"oneOf": _chosen, "anyOf": _chosen}
)


class Description:
    @cached_property
    def _document(self) -> Json:
        """With two liberties that the real API takes, and discord.py uses."""
        document: Json = json.loads(FILE.read_text())
        schemas = document["components"]["schemas"]
        schemas["SnowflakeType"]["type"] = ["string", "integer"]
        for name in ("CreateRequest", "UpdateRequest", "PatchRequestPartial"):
            fields = schemas[f"ApplicationCommand{name}"]["properties"]
            fields["default_member_permissions"]["type"] = ["integer", "string", "null"]
        return document

    @property
    def here(self) -> bool:
        return FILE.exists()

    @cache  # noqa: B019  # there is one description
    def _body(self, route: str) -> Any:
        method, _, path = route.partition(" ")
        operation = self._document["paths"].get(path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        return self._validator(content["schema"], FORMATS) if content else None

    @cache  # noqa: B019
    def _answer(self, route: str, status: int) -> Any:
        method, _, path = route.partition(" ")
        operation = self._document["paths"].get(path, {}).get(method.lower(), {})
        answer = operation.get("responses", {}).get(str(status), {})
        content = answer.get("content", {}).get("application/json")
        return self._validator(content["schema"]) if content else None

    def _validator(self, schema: Json, formats: FormatChecker | None = None) -> Any:
        whole = {"components": self._document["components"], "allOf": [schema]}
        return VALIDATOR(whole, format_checker=formats)

    def problems(self, route: str, body: Any) -> Iterator[Problem]:
        """What is wrong with the *body* of a request, in Discord's codes."""
        if self.here and (validator := self._body(route)) is not None:
            yield from map(_problem, validator.iter_errors(body))

    def faults_of_answer(self, route: str, status: int, answer: Any) -> list[str]:
        """Where an answer of ours is not what Discord's would be."""
        if not self.here or (validator := self._answer(route, status)) is None:
            return []
        errors: Iterable[ValidationError] = validator.iter_errors(answer)
        return [f"{route}: {'/'.join(map(str, e.absolute_path))}: {e.message}" for e in errors]


def _problem(error: ValidationError) -> Problem:
    path, limit = tuple(error.absolute_path), error.validator_value
    least, most = (error.schema.get(k) for k in ("minLength", "maxLength"))  # type: ignore[union-attr]
    if error.validator == "required":
        return required((*path, error.message.split("'")[1]))
    codes = {
        "maxLength": ("BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."),
        "maxItems": ("BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length."),
        "minLength": ("BASE_TYPE_REQUIRED", "This field is required"),
        "minItems": ("BASE_TYPE_REQUIRED", "This field is required"),
        "maximum": ("NUMBER_TYPE_MAX", f"int value should be less than or equal to {limit}."),
        "minimum": ("NUMBER_TYPE_MIN", f"int value should be greater than or equal to {limit}."),
        "enum": ("BASE_TYPE_CHOICES", f"Value must be one of {limit}."),
        "oneOf": ("UNION_TYPE_CHOICES", "Value is none of the choices."),
        "anyOf": ("UNION_TYPE_CHOICES", "Value is none of the choices."),
        "pattern": ("STRING_TYPE_REGEX", "String value did not match validation regex."),
        "format": ("URL_TYPE_INVALID_URL", "Not a well formed URL."),
    }
    if error.validator == "maxLength" and least:
        return path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."
    code, said = codes.get(str(error.validator), ("BASE_TYPE_BAD_TYPE", error.message))
    return path, code, said


DESCRIPTION = Description()
