"""What comes back for an exchange: its ack's payload, and posts to its response_url."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.slack_chat import check_content
from tests.slack_exchange import RESPONSE_LIFE, RESPONSE_USES, Exchange
from tests.slack_fields import options as options_of
from tests.slack_methods import Refused
from tests.slack_rules import suggestion_faults
from tests.slack_state import Json, Message, View
from tests.slack_text import Taste
from tests.slack_views import answer_submission

_REPLY = {
    "text", "blocks", "attachments", "response_type", "replace_original", "delete_original",
    "thread_ts", "unfurl_links", "unfurl_media", "mrkdwn", "metadata", "link_names", "parse",
}  # fmt: skip


class Replies:
    def __init__(self, dislike: Callable[[str], None], taste: Taste) -> None:
        self._dislike = dislike
        self._taste = taste

    def acked(self, exchange: Exchange, payload: Json) -> None:
        """Do what the payload of an ack says; where Slack would refuse it, the person sees so."""
        kind = exchange.payload.get("type", exchange.type)
        try:
            match kind:
                case "slash_commands":
                    if payload:
                        self._say(exchange, payload, "an ack")
                case "view_submission":
                    assert isinstance(exchange.origin, View)
                    answer_submission(exchange, exchange.origin, payload)
                case "block_suggestion":
                    exchange.options = _suggested(payload)
                case _:
                    if payload:
                        self._dislike(f"ack: {kind}: with a payload, which is not read")
        except Refused as refused:
            exchange.error = refused.answer["error"]
            self._dislike(f"refused: {kind}: {refused}")

    def respond(self, exchange: Exchange | None, payload: Any) -> Json:
        """A post to the response_url, or Refused.

        Our reading of the errors: "Used url" and "Expired url" are seen in the wild, documented
        nowhere.
        """
        if exchange is None or exchange.slack.clock() - exchange.at > RESPONSE_LIFE:
            raise Refused("Expired url")
        if exchange.response_uses >= RESPONSE_USES:
            raise Refused("Used url")
        if not isinstance(payload, dict) or payload.keys() - _REPLY:
            raise Refused("invalid_payload")
        exchange.response_uses += 1
        origin = exchange.origin if isinstance(exchange.origin, Message) else None
        replace, delete = payload.get("replace_original"), payload.get("delete_original")
        if origin is not None and replace is None and not delete:
            # The documentation does not say what is the default after a click.
            self._dislike("replace: response_url: replace_original is not given")
        if delete and origin is not None:
            origin.deleted = True
        elif replace and origin is not None and not origin.deleted:
            self._replace(exchange, origin, payload)
        else:
            self._say(exchange, payload, "response_url")
        return {"ok": True}

    def _replace(self, exchange: Exchange, origin: Message, payload: Json) -> None:
        content = check_content(payload)
        self._taste.content("response_url", content, payload)
        origin.text, origin.blocks = content["text"], content["blocks"]
        origin.attachments = content["attachments"]
        assert exchange.channel is not None
        origin.edited = exchange.slack.ts(exchange.channel)
        exchange.replies.append(origin)

    def _say(self, exchange: Exchange, payload: Json, named: str) -> None:
        kind = payload.get("response_type", "ephemeral")
        if kind not in ("ephemeral", "in_channel"):
            raise Refused("invalid_payload")
        content = check_content(payload)
        self._taste.content(named, content, payload)
        if kind == "in_channel":
            self._taste.unfurling(named, payload)
        assert exchange.channel is not None
        assert exchange.user is not None
        bot = exchange.slack.workspaces[exchange.team].bot
        message = exchange.slack.say(
            exchange.channel,
            bot,
            **content,
            thread_ts=payload.get("thread_ts"),
            bot_id=bot.bot_id,
            app_id=exchange.slack.app.id,
            only_for=exchange.user.id if kind == "ephemeral" else None,
        )
        exchange.replies.append(message)


def _suggested(payload: Json) -> list[Json]:
    if faults := suggestion_faults(payload):
        raise Refused("invalid_ack", *faults)
    return options_of(payload)
