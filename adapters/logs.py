"""The log: lines for people, JSON for machines, and no token in either."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

# Slack's tokens and addresses that answer without one; Discord's tokens (id, time, signature); what
# a header of either holds.
SECRETS = re.compile(
    r"\bxox[abeoprs](?:\.xox[a-z])?-[\w%.-]+|\bxapp-[\w%.-]+"
    r"|(?<=hooks\.slack\.com/)[\w/%.-]+|(?<=ticket=)[\w%.-]+"
    r"|\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}|(?<=Bearer )[\w%.-]+|(?<=Authorization: Bot )[\w%.-]+"
)


def redacted(text: str) -> str:
    return SECRETS.sub("***", text)


class Lines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class Json(logging.Formatter):
    """One object a line; times are UTC."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if record.exc_info:
            document["error"] = redacted(self.formatException(record.exc_info))
        return json.dumps(document, ensure_ascii=False)


def set_up(level: int, *, machine: bool = False) -> None:
    """Everything that is logged goes to stderr, as JSON for a *machine*; may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if machine else Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("slack_bolt", "slack_sdk", "discord", "aiohttp", "apscheduler"):
        # At INFO and below some of them log bodies, and so what people typed.
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
