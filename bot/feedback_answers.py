"""What people say of papers, and what the channel learned from it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from bot import commands, identity
from bot.digests import Digests
from bot.errors import UserError
from bot.feedback import VOTED_PAPERS
from bot.model import Caller, Channel, Learned
from bot.paper_answers import PaperAnswers
from bot.ports import Clock, Shelf
from bot.text import fold, stem
from bot.views import Action, Listing, Notice, Row, Span, Text, View, named, text, typed

_PAGE = 20
_NAMED = 3  # learned words that an answer names
_LIKE, _DISLIKE = 1, -1
_NOUNS = {_LIKE: "like", _DISLIKE: "dislike"}


class FeedbackAnswers:
    def __init__(self, papers: PaperAnswers, digests: Digests, shelf: Shelf, clock: Clock) -> None:
        self._papers = papers
        self._digests = digests
        self._shelf = shelf
        self._clock = clock

    async def like(self, words: str, channel: Channel, caller: Caller) -> View:
        return await self._vote(words, _LIKE, channel, caller)

    async def dislike(self, words: str, channel: Channel, caller: Caller) -> View:
        return await self._vote(words, _DISLIKE, channel, caller)

    async def _vote(self, words: str, value: int, channel: Channel, caller: Caller) -> View:
        paper = await self._papers.filed(words)
        before = await self._shelf.vote(caller, paper.id, value, self._clock())
        noun = _NOUNS[value]
        title = Span(paper.title, link=identity.paper_link(paper.id, paper.title))
        done = f"{noun.capitalize()}d "
        if before == value:
            done = f"You {noun}d it already: "
        elif before:
            done = f"Changed to a {noun}: "
        return Notice(
            text(done, title, "."),
            kind="info" if before == value else "done",
            hints=await self._effect(value, channel),
            actions=(
                Action("Undo", f"unvote {identity.short_id(paper.id)}"),
                Action("Learned words", "learned"),
            ),
        )

    async def _effect(self, value: int, channel: Channel) -> tuple[Text, ...]:
        learned = await self._digests.learned(channel)
        side = [word for word in learned if word.weight * value > 0]
        where = "higher" if value > 0 else "lower"
        if not side:
            effect = text("It taught no word; ", typed("learned"), " shows what others did.")
        else:
            named = _quoted([word.word for word in side[:_NAMED]], "and")
            effect = text(
                f"Papers that match a subscription now score {where} here for words such as {named}."
            )
        if channel.subscriptions:
            return (effect,)
        first = text(
            "This channel has no subscription yet; write ",
            typed('subscribe "speculative decoding"'), " first.",
        )  # fmt: skip
        return effect, first

    async def unvote(self, words: str, caller: Caller) -> View:
        paper = await self._papers.filed(words)
        before = await self._shelf.vote(caller, paper.id, 0, self._clock())
        title = Span(paper.title, link=identity.paper_link(paper.id, paper.title))
        if not before:
            return Notice(text("You had not voted on ", title, "."), kind="info")
        noun = _NOUNS[before]
        return Notice(
            text(f"Taken back: your {noun} of ", title, "."),
            actions=(
                Action(f"{noun.capitalize()} again", f"{noun} {identity.short_id(paper.id)}"),
            ),
        )

    async def learned(self, page: int, channel: Channel) -> View:
        votes = await self._shelf.votes(channel.ref, VOTED_PAPERS)
        if not votes:
            hints = (
                text("Write ", typed("like 2509.04664"), " to have more papers like that, or ",
                     typed("dislike 2509.04664"), " to have fewer."),
            )  # fmt: skip
            return Notice(text("Nothing is learned here yet."), kind="info", hints=hints)
        learned = await self._digests.learned(channel)
        pages = max(1, -(-len(learned) // _PAGE))
        page = min(page, pages)
        liked = sum(net > 0 for _, net in votes)
        intro = (
            text(f"From {liked} liked and {len(votes) - liked} disliked "
                 f"paper{'s' if len(votes) > 1 else ''}; a keyword's own weight is 1."),
        )  # fmt: skip
        rows = tuple(
            Row(text(f"{word.weight:+.2f}"), text(Span(word.word, strong=True)))
            for word in learned[(page - 1) * _PAGE : page * _PAGE]
        )
        notes = []
        if learned:
            one = typed(f"forget {learned[0].word}")
            notes.append(text("Remove a word: ", one, "; all of them with the votes: ",
                              typed("forget all"), "."))  # fmt: skip
        if forgotten := await self._shelf.forgotten(channel.ref):
            count = f"{len(forgotten)} word{'s are' if len(forgotten) > 1 else ' is'}"
            again = typed("forget all")
            notes.append(text(f"{count} forgotten until the votes are cleared: ", again, "."))
        return Listing(
            text("Words learned by ", named(channel.ref), f" ({len(learned)})"),
            intro=intro,
            rows=rows,
            notes=tuple(notes),
            actions=(Action("More", f"learned page:{page + 1}"),) if page < pages else (),
        )

    async def forget(self, command: commands.Forget, channel: Channel) -> View:
        if command.word.lower() == "all":
            return await self._forget_all(channel, sure=command.sure)
        asked = stem(fold(command.word))
        learned = await self._digests.learned(channel)
        if asked in {word.stem for word in learned}:
            await self._shelf.forget(channel.ref, asked)
            return Notice(
                text("Forgotten: ", Span(command.word, strong=True), "."),
                hints=(
                    text("It is not learned again until the votes are cleared: ",
                         typed("forget all"), "."),
                ),
                actions=(Action("Learned words", "learned"),),
            )  # fmt: skip
        if asked in await self._shelf.forgotten(channel.ref):
            return Notice(text(f"“{command.word}” is forgotten already."), kind="info")
        raise UserError(
            f"“{command.word[:40]}” is no learned word here.", hint=_meant(command.word, learned)
        )

    async def _forget_all(self, channel: Channel, *, sure: bool) -> View:
        votes = await self._shelf.votes(channel.ref, VOTED_PAPERS)
        if not votes and not await self._shelf.forgotten(channel.ref):
            return Notice(text("Nothing is learned here yet."), kind="info")
        if not sure:
            return Notice(
                text(
                    "This drops everybody's likes and dislikes in this channel, and what they taught."
                ),
                kind="info",
                hints=(text("To do it, write ", typed("forget all sure:yes"), "."),),
                actions=(Action("Forget all", "forget all sure:yes"),),
            )
        await self._shelf.forget_all(channel.ref)
        return Notice(
            text("Forgotten: all likes and dislikes of this channel, and what they taught.")
        )


def _meant(word: str, learned: Sequence[Learned]) -> str:
    near = difflib.get_close_matches(fold(word), [known.word for known in learned], n=3, cutoff=0.6)
    if near:
        return f"Did you mean {_quoted(near, 'or')}?"
    return "Write `learned` to see the words."


def _quoted(words: Sequence[str], last: str) -> str:
    named = [f"“{word}”" for word in words]
    return f" {last} ".join(filter(None, (", ".join(named[:-1]), named[-1])))
