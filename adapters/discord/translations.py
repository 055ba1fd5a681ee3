"""The words of commands in other languages. There are none yet: everybody sees the English ones."""

from __future__ import annotations

from collections.abc import Mapping

import discord
from discord import app_commands

# By language and English words: names are lower case without blanks, descriptions have 100 characters.
WORDS: Mapping[discord.Locale, Mapping[str, str]] = {}


class Translations(app_commands.Translator):
    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """None leaves the English words."""
        return WORDS.get(locale, {}).get(string.message)
