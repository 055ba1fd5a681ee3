"""Slack's codes of refusal: which of them are for good, and what they say in plain words."""

from __future__ import annotations

from adapters.slack.api import Limited, NotSent, Refused, SlackFault
from bot.errors import ChannelGone, Later, PaperboyError, Unknown

MOVING_SECONDS = 600.0  # a workspace that is being moved; nobody knows for how long
FULL_SECONDS = 3600.0

_GONE = {
    # The workspace's token holds no more. That closes its channels, as a removal does: to try on
    # would be refused for ever. A wrong token in the settings is noticed when the program starts.
    "account_inactive": "Paperboy was removed from this workspace",
    "token_revoked": "this workspace has taken its permission back",
    "invalid_auth": "this workspace does not accept my token any more",
    "not_authed": "Paperboy is not installed in this workspace",
    "token_expired": "my token for this workspace has expired",
    "team_access_not_granted": "I am not admitted to this workspace",
    # The channel takes no posts, or the bot may not post.
    "channel_not_found": "the channel is gone, or private and without me",
    "is_archived": "the channel is archived",
    "channel_is_archived": "the channel is archived",
    "not_in_channel": "I am not a member of the channel",
    "user_not_in_channel": "that person is not in the channel",
    "restricted_action": "a rule of this workspace keeps me from posting",
    "restricted_action_read_only_channel": "nobody may post in this channel",
    "restricted_action_thread_only_channel": "this channel takes posts in threads only",
    "restricted_action_non_threadable_channel": "this channel takes no threads",
    "restricted_action_thread_locked": "the thread was locked by an admin",
    "cannot_reply_to_message": "that message takes no replies",
    "thread_not_found": "the thread is gone",
    "messages_tab_disabled": "direct messages with me are switched off",
    "cannot_dm_bot": "a bot takes no direct messages",
    "user_disabled": "that person's account is switched off",
    "user_not_found": "that person is not in this workspace",
    "user_not_visible": "that person cannot be seen from this workspace",
    "invalid_user_combination": "that person shares no channel with me",
    "channel_is_limited_access": "I have no access to the channel",
    "access_denied": "I have no access to the channel",
    "no_permission": "I lack the permission",
    "missing_scope": "I lack a permission; add Paperboy to the workspace once more to grant it",
    "not_allowed_token_type": "my kind of token is not accepted",
    "ekm_access_denied": "the admins have suspended posting",
    "enterprise_is_restricted": "the organisation does not allow it",
    "accesslimited": "the workspace does not accept my address",
    "two_factor_setup_required": "the workspace asks for a second factor",
}
_MOVING = {"team_added_to_org", "org_login_required"}
_FULL = {"message_limit_exceeded"}
_MISSHAPEN = {
    "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "no_text",
    "markdown_text_conflict", "too_many_attachments", "attachment_payload_limit_exceeded",
}  # fmt: skip


def is_misshapen(fault: SlackFault) -> bool:
    """Whether the message itself was refused: a mistake of ours."""
    return isinstance(fault, Refused) and fault.code in _MISSHAPEN


def told(fault: SlackFault) -> str:
    """A clause that says why."""
    if not isinstance(fault, Refused):
        return fault.words
    return _GONE.get(fault.code, fault.words)


def outcome(fault: SlackFault) -> PaperboyError:
    """What a post comes to that failed so."""
    match fault:
        case Limited(after=after):
            return Later(fault.words, after=after)
        case NotSent():
            return Later(fault.words)
        case Refused(code=code) if code in _MOVING:
            return Later("the workspace is being moved", after=MOVING_SECONDS)
        case Refused(code=code) if code in _FULL:
            return Later("the workspace sends too many messages", after=FULL_SECONDS)
        case Refused():
            # A code that nobody knows is a refusal too: closing the channel ends the tries, keeps
            # its papers, and tells a person.
            return ChannelGone(told(fault))
        case _:
            return Unknown(fault.words)
