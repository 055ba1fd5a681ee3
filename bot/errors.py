"""What can go wrong, by who can act on it.

PaperboyError
├── UserError            shown to the asker: what is wrong and what to write instead
├── StorageDamaged       the operator must look: a file cannot be read and no good copy is left
├── StorageBusy          another process owns the data folder
├── StorageFailed        the disk refused (full, read-only, I/O): the old state is intact
├── SourceUnavailable    a source did not answer or did not make sense: the next try may work
├── BadDump              a file that is no dump of papers, or breaks off
├── Later                a platform takes no post now, and none was made
├── ChannelGone          a channel that will never take a post again
├── Unknown              a post may or may not have been made
└── HistoryUnreadable    whether it was made cannot be seen
"""


class PaperboyError(Exception):
    """Base of all errors that Paperboy raises on purpose; ``hint`` says what to do.

    Commands in it, for people to give, stand between backquotes.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(PaperboyError):
    """A mistake of the person who asked.

    *field* names the faulty field of a form, *source* is the text that was typed and
    *start* and *end* are the character offsets of the offending part in it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        field: str | None = None,
        source: str = "",
        start: int = 0,
        end: int = 0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.source = source
        self.start = start
        self.end = end


class StorageDamaged(PaperboyError):
    """A file cannot be read and there is no good copy; nothing was overwritten."""


class StorageBusy(PaperboyError):
    """Another process owns the data folder; the message names its pid."""


class StorageFailed(PaperboyError):
    """The disk refused a write; what was stored before is intact."""


class SourceUnavailable(PaperboyError):
    """A source gave no usable answer this time; *retry_after* is in seconds, where known."""

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class BadDump(PaperboyError):
    """A file holds no papers in any known form, or breaks off; what came before is kept."""


class Later(PaperboyError):
    """The platform took no post, for certain; the next try is due after so many seconds."""

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class ChannelGone(PaperboyError):
    """The channel is gone, archived, or closed to the bot; the message says which."""


class Unknown(PaperboyError):
    """The request ended without an answer: the post may appear, now or later, or never."""


class HistoryUnreadable(PaperboyError):
    """The channel's history cannot be read; *forbidden* where a right is missing for good."""

    def __init__(self, message: str, *, forbidden: bool = False) -> None:
        super().__init__(message)
        self.forbidden = forbidden
