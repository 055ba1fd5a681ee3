"""What the bot must be allowed to do in a channel, in the words of Discord's settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import discord

from bot.model import Channel
from bot.views import Notice, Span, text

_NAMES = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "read_message_history": "Read Message History",  # to see whether a post was made
    "create_public_threads": "Create Public Threads",
    "send_messages_in_threads": "Send Messages in Threads",
    "connect": "Connect",  # for the text of a voice channel
}
_IN_FORUMS = {
    "send_messages": "Create Posts",
    "send_messages_in_threads": "Send Messages in Posts",
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


def posting_in(channel: object) -> tuple[str, ...]:
    """What a post takes there."""
    match channel:
        case discord.ForumChannel():
            return (*POSTING, "send_messages_in_threads")
        case discord.VoiceChannel() | discord.StageChannel():
            return (*POSTING, "connect")
        case _:
            return POSTING


def missing(
    has: discord.Permissions, wanted: Iterable[str], channel: object = None
) -> tuple[str, ...]:
    """Those of the permissions that are not there, as Discord's settings of the channel call them.

    Who cannot see a channel can do nothing in it: that is named alone.
    """
    if not has.view_channel:
        return (_NAMES["view_channel"],)
    names = _NAMES | (_IN_FORUMS if isinstance(channel, discord.ForumChannel) else {})
    return tuple(names[name] for name in wanted if not getattr(has, name))


def lacking(names: Iterable[str]) -> str:
    """That they are not there, as the end of a sentence."""
    *others, last = names
    if not others:
        return f"I lack the permission {last} there"
    return f"I lack the permissions {', '.join(others)} and {last} there"


def warnings(interaction: discord.Interaction[Any], channel: Channel | None) -> Iterator[Notice]:
    """For who sets a channel up: what cannot be done there yet. *channel* is how it is set up."""
    place, guild = interaction.channel, interaction.guild
    has = interaction.app_permissions
    if isinstance(place, discord.Thread):  # what may be done in it tells nothing of its channel
        if place.parent is None or guild is None or guild.me is None:
            return
        has, place = place.parent.permissions_for(guild.me), place.parent
    layout = "" if channel is None or isinstance(place, discord.ForumChannel) else channel.layout
    if lacks := missing(has, posting_in(place), place):
        yield _warning("No digest can come here yet", lacks)
    elif layout == "thread" and (lacks := missing(has, THREADS)):
        yield _warning("Digests come without threads", lacks)
    role_id = channel.ping.partition("@")[0] if channel else ""
    role = guild.get_role(int(role_id)) if guild and role_id else None
    if role_id and guild and not guild.unavailable and role is None:
        yield Notice(
            text("Nobody is told of outstanding papers any more: the role was deleted."),
            kind="error",
            hints=(text("Name another one: ", Span("/papers-admin set ping:@role", code=True), "; or none: ",
                        Span("/papers-admin set above:0", code=True), "."),),
        )  # fmt: skip
    if role and not (role.mentionable or has.mention_everyone):
        yield Notice(
            text("Nobody is told of outstanding papers yet: I may not mention ",
                 Span(f"role {role_id}", role=role_id), "."),
            kind="error",
            hints=(
                text(
                    "Whoever manages roles switches it on: ",
                    Span("Server Settings, Roles, Allow anyone to @mention this role", strong=True), ".",
                ),
            ),
        )  # fmt: skip


def _warning(what: str, lacks: Iterable[str]) -> Notice:
    return Notice(
        text(f"{what}: {lacking(lacks).removesuffix(' there')} in this channel."),
        kind="error",
        hints=(
            text(
                "Whoever manages the channel gives it to my role: ",
                Span("Edit Channel, Permissions", strong=True), ".",
            ),
        ),
    )  # fmt: skip
