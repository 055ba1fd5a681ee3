"""Who asks and where, from what Discord sends with each interaction."""

from __future__ import annotations

import re
from dataclasses import replace

import discord

from adapters.discord.sentences import OF_MEMBERS, is_for_managers
from adapters.discord.servers import PERSONAL
from bot import commands
from bot.commands import Command, Verb
from bot.errors import UserError
from bot.model import Caller, ChannelRef, Role

Interaction = discord.Interaction[discord.Client]

_PERSON = re.compile(r"@\d+", re.ASCII)


def caller_of(interaction: Interaction) -> Caller:
    """A thread belongs to its channel; in the bot's direct messages it is the person's own."""
    user = interaction.user
    person = str(user.id)
    if interaction.guild_id is None:
        own = ChannelRef("discord", PERSONAL, f"@{person}")
        return Caller(own, person, role=Role.MANAGER, name=user.display_name, home=PERSONAL)
    ref = ChannelRef("discord", str(interaction.guild_id), _channel_of(interaction))
    has = interaction.permissions
    role = Role.MANAGER if has.manage_channels or has.administrator else Role.MEMBER
    return Caller(ref, person, role=role, name=user.display_name, home=PERSONAL)


def _channel_of(interaction: Interaction) -> str:
    channel = interaction.channel
    if isinstance(channel, discord.Thread):
        return str(channel.parent_id)
    if channel is None:
        raise UserError("Discord does not say which channel this is.", hint="Try it once more.")
    return str(channel.id)


def fitted(caller: Caller, command: Command, interaction: Interaction) -> Caller:
    """The caller as *command* needs it; raises UserError where it takes a manager or names nobody.

    What a button comes back to (``again``) is not known here: who is no manager gets to read alone.
    """
    verb = commands.verb_of(command)
    permit(caller, verb)
    if caller.role is Role.MEMBER and verb.name not in OF_MEMBERS:
        caller = replace(caller, role=Role.GUEST)
    if isinstance(command, commands.SetOptions):
        _check_people(dict(command.options).get("who", ""))
    if isinstance(command, commands.Home | commands.ListSubscriptions):
        return replace(caller, channels=_seen(interaction) | {caller.ref.channel})
    return caller


def permit(caller: Caller, verb: Verb) -> None:
    """Raise UserError where it takes a manager."""
    if caller.role is Role.MEMBER and is_for_managers(verb):
        raise UserError(
            "Changing this channel takes the permission Manage Channels.",
            hint="Ask somebody who manages the channel to do it. In a direct message with me you "
            "have a channel of your own.",
        )


def _check_people(who: str) -> None:
    """Whom ``who:`` names is known by the id that Discord gives for a mention, never by a name."""
    for name in map(str.strip, who.split(",")):
        if name.startswith("@") and not _PERSON.fullmatch(name):
            raise UserError(
                f"Discord does not tell me who {name[:40]} is.",
                hint="Type @ at who of /papers-admin set, and choose from the people that Discord "
                "offers.",
                field="who",
            )


def _seen(interaction: Interaction) -> frozenset[str]:
    """The channels of the server that the person may look into.

    Of those that the bot may not see Discord tells too little: they count as unseen.
    """
    guild, user = interaction.guild, interaction.user
    if guild is None or not isinstance(user, discord.Member):
        return frozenset({f"@{user.id}"})
    return frozenset(
        str(channel.id) for channel in guild.channels if channel.permissions_for(user).view_channel
    ) | {f"@{user.id}"}


def elsewhere(caller: Caller, channel: discord.app_commands.AppCommandChannel) -> Caller:
    """The caller in another channel of the server; raises UserError where they cannot see it."""
    if not channel.permissions.view_channel or caller.ref.tenant != str(channel.guild_id):
        raise UserError("You cannot see that channel.", hint="Choose one that you may look into.")
    return replace(caller, ref=replace(caller.ref, channel=str(channel.id)))
