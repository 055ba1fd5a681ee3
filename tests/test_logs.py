"""The log: one JSON object a line for machines, and no token anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from adapters.logs import Json, Lines, redacted, set_up

TOKENS = [
    "xox" + "b-123-456-abcDEF",
    "xox" + "e.xoxp-1-abc",
    "xapp" + "-1-A0-123-abc",
    "MTA5ODc2NTQzMjEwOTg3NjU0Mw" + ".GabcDE." + "x" * 38,
]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    kept, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = kept
    logger.setLevel(level)
    for name in ("slack_bolt", "slack_sdk", "discord", "aiohttp", "apscheduler"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def int_of_header(token: str) -> None:
    raise ValueError(f"invalid header Authorization: Bot {token}")


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("formatter", [Json(), Lines()], ids=["json", "lines"])
def test_no_token_is_written(token: str, formatter: logging.Formatter) -> None:
    with pytest.raises(ValueError, match="invalid header") as caught:
        int_of_header(token)
    record = logging.LogRecord(
        "bot", logging.ERROR, __file__, 1, "calling with %s", (token,), caught._excinfo
    )

    written = formatter.format(record)

    assert token not in written
    assert token[5:] not in written
    assert "calling with ***" in written
    assert "test_logs.py" in written


def test_what_is_no_token_stays() -> None:
    line = "posted 5 papers to slack:T1:C2, arxiv:2611.00001 and 10.1038/s41586-020-2649-2"

    assert redacted(line) == line


def test_a_machine_reads_an_object_a_line(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(logging.INFO, machine=True)
    set_up(logging.INFO, machine=True)

    logging.getLogger("bot.service").info("planned %d papers for %s", 5, "slack:T1:C2")
    logging.getLogger("slack_bolt.App").info("a body with what somebody typed")

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["message"] == "planned 5 papers for slack:T1:C2"
    assert (told["level"], told["logger"]) == ("info", "bot.service")
    assert told["at"].endswith("+00:00")
