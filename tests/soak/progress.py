"""A bar on stderr while a long form runs; its result goes to stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Show = Callable[[int, str], None]  # how much is done, and what to say of it


@contextmanager
def bar(what: str, total: int) -> Iterator[Show]:
    # Drawn by the caller's thread alone: some forms fork, and a second thread might hold a lock.
    columns = (
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as drawn:
        task = drawn.add_task(what, total=total, words="")

        def show(done: int, words: str) -> None:
            drawn.update(task, completed=done, words=words, refresh=True)

        yield show
