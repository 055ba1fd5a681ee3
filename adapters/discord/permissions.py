"""What the bot must be allowed to do in a channel, in the words of Discord's settings."""

from __future__ import annotations

from collections.abc import Iterable

import discord

from bot.views import Notice, Span, text

_NAMES = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "read_message_history": "Read Message History",  # to see whether a post was made
    "create_public_threads": "Create Public Threads",
    "send_messages_in_threads": "Send Messages in Threads",
    "connect": "Connect",  # for the text of a voice channel
}
# Not Embed Links: messages are made of components, which no missing right takes away in silence.
POSTING = ("view_channel", "send_messages")
THREADS = ("create_public_threads", "send_messages_in_threads")
INVITED = (*POSTING, "read_message_history", *THREADS)


def invite_link(application: int | str) -> str:
    """For who may add the bot to a server: it asks for what is needed and for nothing else."""
    return discord.utils.oauth_url(
        application,
        permissions=discord.Permissions(**dict.fromkeys(INVITED, True)),
        scopes=("bot", "applications.commands"),
    )


def missing(has: discord.Permissions, wanted: Iterable[str] = POSTING) -> tuple[str, ...]:
    """Those of the permissions that are not there, as Discord's settings call them.

    Who cannot see a channel can do nothing in it: that is named alone.
    """
    if not has.view_channel:
        return (_NAMES["view_channel"],)
    return tuple(_NAMES[name] for name in wanted if not getattr(has, name))


def lacking(names: Iterable[str]) -> str:
    """That they are not there, as the end of a sentence."""
    *others, last = names
    if not others:
        return f"I lack the permission {last} there"
    return f"I lack the permissions {', '.join(others)} and {last} there"


def warning(names: Iterable[str]) -> Notice:
    """For who sets a channel up where nothing can be posted yet."""
    return Notice(
        text(f"No digest can come here yet: {lacking(names).removesuffix(' there')} in this channel."),
        kind="error",
        hints=(
            text(
                "Whoever manages the channel gives it to my role: ",
                Span("Edit Channel, Permissions", strong=True), ".",
            ),
        ),
    )  # fmt: skip
