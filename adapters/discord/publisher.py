"""Digests on Discord: composed once, each post made once, and looked up where that is in doubt.

A post carries its key twice: as an enforced nonce, by which Discord itself makes no second one for
some minutes, and in the message, where ``find`` sees it for ever. The first post of a forum's thread
can have no nonce. In a thread a message's id is ``thread/message``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import discord

from adapters.discord import permissions, render
from adapters.discord.rest import Refused, Rest
from adapters.discord.servers import PERSONAL, Place, Servers, place_of
from bot.errors import ChannelGone, HistoryUnreadable, Later, PaperboyError, Unknown
from bot.model import ChannelRef
from bot.ports import Post, Rate, Sleep
from bot.views import Digest, Notice

log = logging.getLogger(__name__)

PER_SECOND = 40.0  # design §12: Discord takes 50 in all, commands and look-ups included
PAGE = 100  # messages or threads of one answer
PATIENCE = 3.0  # seconds that a look-up waits for the next page
NOT_NOW = 300.0  # seconds until the next try, where the reason is no channel's

# Discord's codes (topics/opcodes-and-status-codes)
UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, UNKNOWN_TAG = 10003, 10008, 10087
MISSING_ACCESS, NO_DIRECT_MESSAGES, MISSING_PERMISSIONS = 50001, 50007, 50013
MALFORMED, ARCHIVED = 50035, 50083
THREAD_EXISTS, THREAD_LOCKED = 160004, 160005
THREAD_CLOSED = (UNKNOWN_CHANNEL, THREAD_LOCKED, MISSING_PERMISSIONS)
# Limits and outages that are told with 403 or 400: sending and features switched off, a service
# with too much to do, Cloudflare between us and Discord.
PASSING = (40004, 40006, 40062, 40333, 130000)
REASONS = {
    UNKNOWN_CHANNEL: "the channel was deleted",
    MISSING_ACCESS: permissions.lacking(["View Channel"]),
    NO_DIRECT_MESSAGES: "Discord lets me send no direct message to this person",
    MISSING_PERMISSIONS: "Discord says that I lack a permission there; posting takes View Channel "
    "and Send Messages, or Create Posts in a forum",
}

Message = dict[str, Any]


class DiscordPublisher:
    """A ``Publisher``."""

    platform = "discord"
    rate: Rate | None = Rate(PER_SECOND)

    def __init__(self, rest: Rest, servers: Servers, sleep: Sleep) -> None:
        self._rest = rest
        self._servers = servers
        self._sleep = sleep
        self._direct: dict[str, str] = {}  # channel ids of direct messages, by person

    def compose(self, ref: ChannelRef, digest: Digest) -> tuple[Post, ...]:
        thread = {
            "name": render.thread_name(digest),
            "labels": digest.labels,
        }
        return tuple(
            Post(json.dumps(thread | {"message": part.payload}), part.papers, part.threaded)
            for part in render.digest(digest)
        )

    async def publish(self, ref: ChannelRef, post: Post, key: str, parent: str | None) -> str:
        frozen = json.loads(post.body)
        message = render.with_key(frozen["message"], key)
        place = await self._place(ref)
        if place.missing:
            raise ChannelGone(permissions.lacking(place.missing))
        try:
            if place.is_forum:
                return await self._in_forum(place, frozen, message, key, parent)
            if post.threaded and parent and ref.tenant != PERSONAL:
                return await self._in_thread(place, frozen["name"], message, key, parent)
            return await self._post(place.id, message, key)
        except Refused as refused:
            raise self._refusal(ref, refused) from refused

    async def _place(self, ref: ChannelRef) -> Place:
        """Raises Later or ChannelGone."""
        if ref.tenant == PERSONAL:
            direct = await self._direct_channel(ref, ref.channel.removeprefix("@"))
            return Place(direct, may_read=True)
        if place := self._servers.place(ref):
            return place
        try:
            return place_of(await self._rest.request("GET", f"/channels/{ref.channel}"))
        except Refused as refused:
            raise self._refusal(ref, refused) from refused
        except Unknown as error:
            raise Later(error.message) from error

    async def _direct_channel(self, ref: ChannelRef, user: str) -> str:
        if user not in self._direct:
            body = {"recipient_id": user}
            try:
                opened = await self._rest.request("POST", "/users/@me/channels", body)
            except Refused as refused:
                raise self._refusal(ref, refused) from refused
            except Unknown as error:  # a channel, perhaps; but no post
                raise Later(error.message) from error
            self._direct[user] = _id(opened)
        return self._direct[user]

    async def _in_forum(
        self, place: Place, frozen: Message, message: Message, key: str, parent: str | None
    ) -> str:
        """In the thread of the day, which its first post makes."""
        thread = _thread_of(parent) or place.threads.get(frozen["name"])
        if thread:
            try:
                return f"{thread}/{await self._post(thread, message, key)}"
            except Refused as refused:
                if refused.code not in THREAD_CLOSED:
                    raise
        path, labels = f"/channels/{place.id}/threads", frozen["labels"]
        body = {
            "name": frozen["name"],
            "applied_tags": place.tags_for(labels),
            "message": message,
        }
        try:
            opened = await self._accepted(path, body)
        except Refused as refused:
            if refused.code != UNKNOWN_TAG:
                raise
            place = place_of(await self._rest.request("GET", f"/channels/{place.id}"))
            opened = await self._accepted(path, body | {"applied_tags": place.tags_for(labels)})
        thread = _id(opened)  # and of its first message
        return f"{thread}/{thread}"

    async def _in_thread(
        self, place: Place, name: str, message: Message, key: str, parent: str
    ) -> str:
        """In the thread at the parent; in the channel itself where there can be none."""
        thread = _thread_of(parent)
        if place.may_open_threads is not False and await self._open_thread(place, name, thread):
            try:
                return f"{thread}/{await self._post(thread, message, key)}"
            except Refused as refused:
                log.info("posting to %s itself, not to its thread: %s", place.id, refused)
        return await self._post(place.id, message, key)

    async def _open_thread(self, place: Place, name: str, start: str) -> bool:
        path = f"/channels/{place.id}/messages/{start}/threads"
        try:
            await self._rest.request("POST", path, {"name": name})
        except Refused as refused:
            if refused.code == UNKNOWN_CHANNEL:
                raise
            return refused.code == THREAD_EXISTS
        except Unknown as error:  # a thread, perhaps; but no post
            raise Later(error.message) from error
        return True

    async def _post(self, channel: str, message: Message, key: str) -> str:
        """The message's id; "" where it was posted before and has been deleted since."""
        path = f"/channels/{channel}/messages"
        body = message | {"nonce": key, "enforce_nonce": True}
        try:
            made = await self._accepted(path, body)
        except Refused as refused:
            if refused.code == UNKNOWN_MESSAGE:  # Discord's word for that (discord.py#10116)
                return ""
            if refused.code != ARCHIVED:
                raise
            await self._rest.request("PATCH", f"/channels/{channel}", {"archived": False})
            made = await self._accepted(path, body)
        return _id(made)

    async def _accepted(self, path: str, body: Message) -> Message:
        """The answer. Should Discord find the message malformed, it goes without its buttons."""
        try:
            return _object(await self._rest.request("POST", path, body))
        except Refused as refused:
            if refused.code != MALFORMED:
                raise
            log.warning("posting without buttons: %s %s", refused, refused.faults)
        if "message" in body:
            body = body | {"message": render.without_buttons(body["message"])}
        else:
            body = render.without_buttons(body)
        return _object(await self._rest.request("POST", path, body))

    @staticmethod
    def _refusal(ref: ChannelRef, refused: Refused) -> PaperboyError:
        """Why no post was made, in words for the channel's owner."""
        if not refused.code or refused.code in PASSING:  # 401, 405 …: it concerns no channel
            return Later(f"Discord answered {refused.words}", after=NOT_NOW)
        if refused.code in REASONS:
            return ChannelGone(REASONS[refused.code])
        log.error("Discord refused a post to %s: %s %s", ref, refused, refused.faults)
        return ChannelGone(f"Discord refuses the post: {refused.words.rstrip('.')}")

    async def find(
        self, ref: ChannelRef, post: Post, key: str, parent: str | None, since: datetime
    ) -> Sequence[str]:
        try:
            place = await self._place(ref)
            if not place.may_read:
                raise _unreadable(place)
            return [
                prefix + made
                async for channel, prefix in self._where(ref, place, post, parent, since)
                async for made in self._keyed(channel, key, since)
            ]
        except Refused as refused:
            why = self._refusal(ref, refused)
            raise HistoryUnreadable(
                why.message, forbidden=isinstance(why, ChannelGone)
            ) from refused
        except Unknown as error:
            raise HistoryUnreadable(error.message) from error

    async def _where(
        self, ref: ChannelRef, place: Place, post: Post, parent: str | None, since: datetime
    ) -> AsyncIterator[tuple[str, str]]:
        """The channels that the post may stand in, with what the ids of their messages begin with."""
        threads = {_thread_of(parent)} - {""}
        if place.is_forum:
            name = json.loads(post.body)["name"]
            threads |= {t async for t in self._threads(ref, place.id, name, since)}
        else:
            yield place.id, ""
        if place.is_forum or post.threaded:
            for thread in sorted(threads):
                yield thread, f"{thread}/"

    async def _threads(
        self, ref: ChannelRef, forum: str, name: str, since: datetime
    ) -> AsyncIterator[str]:
        """Those of that name in the forum, but for those that were archived before then."""
        active = await self._rest.request("GET", f"/guilds/{ref.tenant}/threads/active")
        for thread in active["threads"]:
            if thread["parent_id"] == forum and thread["name"] == name:
                yield thread["id"]
        query: dict[str, str | int] = {"limit": PAGE}
        while True:
            path = f"/channels/{forum}/threads/archived/public"
            page = await self._rest.request("GET", path, query=query)
            for thread in page["threads"]:
                archived_at = thread["thread_metadata"]["archive_timestamp"]
                if datetime.fromisoformat(archived_at) < since:
                    return
                if thread["name"] == name:
                    yield thread["id"]
                query["before"] = archived_at
            if not page.get("has_more") or not page["threads"]:
                return

    async def _keyed(self, channel: str, key: str, since: datetime) -> AsyncIterator[str]:
        """The ids of my messages with that key, the oldest first."""
        after = discord.utils.time_snowflake(since)
        while True:
            try:
                page = await self._page(channel, after)
            except Refused as refused:
                if refused.code == UNKNOWN_CHANNEL:  # a thread that was never made, or is gone
                    return
                raise
            for message in sorted(page, key=lambda message: int(message["id"])):
                after = int(message["id"])
                is_mine = self._servers.me in (None, message["author"]["id"])
                if is_mine and render.key_of(message) == key:
                    yield message["id"]
            if len(page) < PAGE:
                return

    async def _page(self, channel: str, after: int) -> list[Any]:
        """Discord lets five a second be read; who would begin anew each time would never end."""
        query = {"after": after, "limit": PAGE}
        while True:
            try:
                found = await self._rest.request(
                    "GET", f"/channels/{channel}/messages", query=query
                )
            except Later as error:
                if not 0 < error.after <= PATIENCE:
                    raise
                await self._sleep(error.after)
            else:
                return list(found)

    async def delete(self, ref: ChannelRef, message_id: str) -> None:
        if not message_id:
            return
        thread, _, message = message_id.rpartition("/")
        try:
            channel = thread or (await self._place(ref)).id
            await self._delete(channel, message)
            if thread == message:
                await self._put_away(thread)
        except (ChannelGone, Later) as error:
            raise Unknown(error.message) from error

    async def _delete(self, channel: str, message: str) -> None:
        try:
            await self._rest.request("DELETE", f"/channels/{channel}/messages/{message}")
        except Refused as refused:
            if refused.code not in (UNKNOWN_MESSAGE, UNKNOWN_CHANNEL):
                raise Unknown(f"it could not be deleted: {refused.words}") from refused

    async def _put_away(self, thread: str) -> None:
        """A forum's post without its first message: to delete it takes the right Manage Threads."""
        try:
            await self._rest.request("PATCH", f"/channels/{thread}", {"archived": True})
        except (Refused, Later, Unknown) as error:
            log.info("the empty thread %s stays open: %s", thread, error)

    async def tell(self, ref: ChannelRef, user: str, notice: Notice) -> None:
        try:
            channel = await self._direct_channel(ref, user)
            for message in render.messages(notice):
                await self._post(channel, message, _nonce(user, message))
        except Refused as refused:
            raise self._refusal(ref, refused) from refused
        except Later as error:
            raise Unknown(error.message) from error


def _thread_of(message_id: str | None) -> str:
    """The thread that stands at a first post, or that the post stands in; "" for none."""
    return (message_id or "").partition("/")[0]


def _unreadable(place: Place) -> HistoryUnreadable:
    """An empty history is what Discord gives who may not read it: only a known right counts."""
    if place.may_read is None:
        return HistoryUnreadable("it is not known yet whether I may read the channel's history")
    words = permissions.lacking(["Read Message History"])
    return HistoryUnreadable(words, forbidden=True)


def _object(answer: Any) -> Message:
    if not isinstance(answer, dict):
        raise Unknown("Discord's answer makes no sense")
    return answer


def _id(made: Mapping[str, Any]) -> str:
    if not isinstance(made.get("id"), str):
        raise Unknown("Discord's answer tells no id")
    return str(made["id"])


def _nonce(user: str, message: Message) -> str:
    """The same words to the same person within some minutes are said once."""
    return sha256(json.dumps([user, message]).encode()).hexdigest()[:24]
