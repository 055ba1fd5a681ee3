"""Names in place of the ids that Slack gives people: an answer names nobody by a mention."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from adapters.slack.api import SlackFault
from adapters.slack.workspace import Asker, Workspaces
from bot.text import one_line
from bot.views import Form, Listing, Notice, Row, Text, View, plain

_ID = re.compile(r"(?<!:)@([UW][A-Z0-9]{1,20})\b", re.ASCII)  # slack:T1:@U2 is the key of a channel
_MOST = 10  # people that are looked up for one answer; the others keep their ids


async def with_names(view: View, asker: Asker, workspaces: Workspaces) -> View:
    """The view as people read it; who is not known keeps the id."""
    if not isinstance(view, Notice | Listing | Form):
        return view
    said = " ".join(f.value for f in view.fields) if isinstance(view, Form) else _words(view)
    names: dict[str, str] = {}
    for user in list(dict.fromkeys(_ID.findall(said)))[:_MOST]:
        try:
            person = await workspaces.person(Asker(asker.tenant, user))
        except SlackFault:
            continue
        if name := one_line(person.name):
            names[user] = name
    return _named(view, names) if names else view


def _words(view: Notice | Listing) -> str:
    if isinstance(view, Notice):
        return " ".join(map(plain, (view.message, *view.hints)))
    rows = (part for row in view.rows for part in (row.body, *row.details))
    return " ".join(map(plain, (*view.intro, *rows, *view.notes)))


def _named(view: Notice | Listing | Form, names: Mapping[str, str]) -> View:
    def name(words: str) -> str:
        return _ID.sub(lambda found: names.get(found[1], found[0]), words)

    def told(text: Text) -> Text:
        return tuple(span if span.code else replace(span, text=name(span.text)) for span in text)

    def row(each: Row) -> Row:
        return replace(each, body=told(each.body), details=tuple(map(told, each.details)))

    match view:
        case Notice():
            return replace(view, message=told(view.message), hints=tuple(map(told, view.hints)))
        case Listing():
            return replace(
                view,
                intro=tuple(map(told, view.intro)),
                rows=tuple(map(row, view.rows)),
                notes=tuple(map(told, view.notes)),
            )
        case Form():  # the value has to be an id; its name stands beside it
            fields = (
                replace(f, hint=f"{f.hint}. Now: {name(f.value)}") if _ID.search(f.value) else f
                for f in view.fields
            )
            return replace(view, fields=tuple(fields))
