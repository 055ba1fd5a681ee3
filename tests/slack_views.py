"""Modals and home tabs: views.* of the local Slack, and what the ack of a submission does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.slack_api import Ask, serves
from tests.slack_chat import with_ids
from tests.slack_elements import fault
from tests.slack_exchange import TRIGGER_LIFE
from tests.slack_methods import Refused
from tests.slack_rules import VIEW_BYTES, view_faults
from tests.slack_state import Json, Slack, View, size

if TYPE_CHECKING:
    from tests.slack_exchange import Exchange

MOST_VIEWS = 3  # docs.slack.dev/reference/methods/views.push


def check_view(slack: Slack, team: str, view: Any, *kinds: str, own: View | None = None) -> Json:
    if size(view) > VIEW_BYTES:
        raise Refused("view_too_large")
    faults = view_faults(view)
    if not faults and view["type"] not in kinds:
        faults = [fault(f"must be a valid enum value: {', '.join(kinds)}", "/view/type")]
    if faults:
        raise Refused("invalid_arguments", *faults)
    external = view.get("external_id")
    taken = (
        v for v in slack.views.values()
        if v.team == team and not v.closed and v.body.get("external_id") == external
    )  # fmt: skip
    if external and any(v is not own for v in taken):
        raise Refused("duplicate_external_id")
    return {**view, "blocks": with_ids(view["blocks"])}


def elements(view: View) -> Iterator[tuple[Json, Json]]:
    """Each input element with its block."""
    for block in view.blocks:
        if block["type"] == "input":
            yield block, block["element"]


def show(slack: Slack, team: str, user: str, body: Json, previous: View | None = None) -> View:
    """A new view; on top of *previous*."""
    view_id = slack.new_id("V")
    root = previous.root if previous else view_id
    view = View(view_id, team, user, body, slack.new_id("h"), root)
    view.previous = previous.id if previous else None
    slack.views[view.id] = view
    return view


def change(slack: Slack, view: View, body: Json) -> None:
    """Fields of the same block_id and action_id keep what was filled in."""
    view.body = body
    view.hash = slack.new_id("h")
    kept = {(b["block_id"], e["action_id"]) for b, e in elements(view)}
    view.state = {
        block: {a: value for a, value in actions.items() if (block, a) in kept}
        for block, actions in view.state.items()
        if any(k[0] == block for k in kept)
    }


def _exchange(ask: Ask) -> Exchange:
    """The interaction whose trigger is given, within three seconds and once."""
    trigger = ask.get("trigger_id") or ask.get("interactivity_pointer")
    if not trigger:
        raise Refused("invalid_arguments", "missing required field: trigger_id [json-pointer:]")
    exchange = ask.slack.triggers.get(trigger)
    if exchange is None or exchange.team != ask.token.team:
        raise Refused("invalid_trigger_id")
    if exchange.trigger_used:
        raise Refused("exchanged_trigger_id")
    if ask.slack.clock() - exchange.at > TRIGGER_LIFE:
        raise Refused("expired_trigger_id")
    return exchange


def _told(ask: Ask, view: View) -> Json:
    ask.taste.blocks(ask.method.name, view.blocks)
    return {"view": view.as_json(ask.slack.app.id, ask.bot.bot_id)}


@serves("views.open")
def _open(ask: Ask) -> Json:
    exchange = _exchange(ask)
    body = check_view(ask.slack, ask.token.team, ask.get("view"), "modal")
    assert exchange.user is not None
    exchange.trigger_used = True
    for open_view in ask.slack.stack(ask.token.team, exchange.user.id):
        open_view.closed = True  # our reading: a new root takes the place of what is open
    view = show(ask.slack, ask.token.team, exchange.user.id, body)
    exchange.views.append(view)
    return _told(ask, view)


@serves("views.push")
def _push(ask: Ask) -> Json:
    exchange = _exchange(ask)
    body = check_view(ask.slack, ask.token.team, ask.get("view"), "modal")
    assert exchange.user is not None
    stack = ask.slack.stack(ask.token.team, exchange.user.id)
    if not stack:
        raise Refused("not_found")
    if len(stack) >= MOST_VIEWS:
        raise Refused("push_limit_reached")
    exchange.trigger_used = True
    view = show(ask.slack, ask.token.team, exchange.user.id, body, stack[-1])
    exchange.views.append(view)
    return _told(ask, view)


@serves("views.update")
def _update(ask: Ask) -> Json:
    if not (ask.get("view_id") or ask.get("external_id")):
        words = "missing required field: view_id or external_id"
        raise Refused("invalid_arguments", words)
    found = [
        view
        for view in ask.slack.views.values()
        if view.team == ask.token.team
        and not view.closed
        and (
            view.id == ask.get("view_id")
            or (view.body.get("external_id") or None) == ask.get("external_id", False)
        )
    ]
    if not found:
        raise Refused("not_found")
    view = found[0]
    if ask.get("hash") not in (None, view.hash):
        raise Refused("hash_conflict")
    change(
        ask.slack, view,
        check_view(ask.slack, view.team, ask.get("view"), view.type, own=view),
    )  # fmt: skip
    return _told(ask, view)


@serves("views.publish")
def _publish(ask: Ask) -> Json:
    user = ask.user(ask.get("user_id"))
    view = ask.slack.home(ask.token.team, user.id)
    if view is not None and ask.get("hash") not in (None, view.hash):
        raise Refused("hash_conflict")
    body = check_view(ask.slack, ask.token.team, ask.get("view"), "home", own=view)
    if view is None:
        view = show(ask.slack, ask.token.team, user.id, body)
    else:
        change(ask.slack, view, body)
    return _told(ask, view)


def answer_submission(exchange: Exchange, view: View, payload: Json) -> None:
    """What the ack of a view_submission does: docs.slack.dev/surfaces/modals."""
    slack, user = exchange.slack, view.user
    action = payload.get("response_action")
    match action:
        case None:
            if payload:
                raise Refused("invalid_ack", f"a modal knows no such answer: {sorted(payload)}")
            view.closed = True
        case "clear":
            for one in slack.stack(view.team, user):
                one.closed = True
        case "errors":
            errors = payload.get("errors")
            inputs = {block["block_id"] for block, _ in elements(view)}
            if not isinstance(errors, dict) or not errors or not errors.keys() <= inputs:
                raise Refused("invalid_ack", f"errors beside no input block: {errors}")
            exchange.errors = dict(errors)
        case "update" | "push":
            own = view if action == "update" else None
            body = check_view(slack, view.team, payload.get("view"), "modal", own=own)
            if action == "update":
                change(slack, view, body)
            elif len(slack.stack(view.team, user)) >= MOST_VIEWS:
                raise Refused("push_limit_reached")
            else:
                view = show(slack, view.team, user, body, view)
            exchange.views.append(view)
        case _:
            raise Refused("invalid_ack", f"no response_action: {action}")
