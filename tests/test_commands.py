"""What is typed becomes a request, or an error that teaches."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings, strategies as st

from bot import commands, query
from bot.errors import UserError

NAMES = [verb.name for verb in commands.VERBS]


def subscribe(*queries: str) -> commands.Command:
    return commands.Subscribe(tuple(commands.Wish(query.parse(text)) for text in queries))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", commands.Help()),
        ("help", commands.Help("")),
        ("HELP schedule", commands.Help("schedule")),
        ("frobnicate now", commands.Help(unknown="frobnicate")),
        ("sub diffusion", subscribe("diffusion")),
        (
            'subscribe "tool use" -survey weight:2 label:agents',
            commands.Subscribe((commands.Wish(query.parse('"tool use" -survey'), 2.0, "agents"),)),
        ),
        (
            'subscribe RAG ; "a; b" ;',
            subscribe("RAG", '"a; b"'),
        ),
        (
            'subscribe "weight:2 label"',
            subscribe('"weight:2 label"'),
        ),
        ('subscribe RAG label:"two words"', commands.Subscribe((commands.Wish(query.parse("RAG"), None, "two words"),))),
        ("unsubscribe 3", commands.Unsubscribe("3")),
        ("remove all sure:yes", commands.Unsubscribe("all", sure=True)),
        ("mute -survey", commands.Mute(query.parse("survey"))),
        ("unmute survey", commands.Unmute("survey")),
        ("list all page:2", commands.ListSubscriptions(everywhere=True, page=2)),
        ("preview days:30 RAG", commands.Preview(30, query.parse("RAG"))),
        ("preview days:30d", commands.Preview(30)),
        ("why 2509.04664", commands.Why("2509.04664")),
        ("about https://arxiv.org/abs/2509.04664", commands.Show("https://arxiv.org/abs/2509.04664")),
        ("set max:5 strictness:strict", commands.SetOptions((("max", "5"), ("strictness", "strict")))),
        ("set", commands.Settings()),
        ("digest since:7d top:15", commands.DigestNow("7d", 15)),
        ("schedule weekdays 09:00 Europe/Berlin", commands.SetSchedule("weekdays 09:00 Europe/Berlin")),
        ("pause until:2027-01-04", commands.Pause("2027-01-04")),
        ("pause 2027-01-04", commands.Pause("2027-01-04")),
        ("resume", commands.Resume()),
        ("config undo", commands.ConfigUndo()),
        ("undo", commands.ConfigUndo()),
        ("status", commands.Status()),
    ],
)  # fmt: skip
def test_typed_words_become_a_request(typed: str, expected: commands.Command) -> None:
    assert expected == commands.parse(typed)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("form unsubscribe", "no form"),
        ("subscribe RAG weight:99", "0.1 to 10"),
        ("subscribe RAG weight:nan", "0.1 to 10"),
        ("subscribe RAG weight:", "needs a value"),
        (f"subscribe RAG label:{'x' * 41}", "1 to 40"),
        ("unsubscribe", "Which subscription"),
        ("unmute", "Which word"),
        ("list everything", "list knows no"),
        ("preview days:0 RAG", "1 to 400"),
        ("why", "which paper"),
        ("digest tomorrow", "digest knows no"),
        ("digest top:5", "top: goes with since:"),
        ("set maximum:5", "no setting"),
        ("set ten", "sets nothing"),
        ("config", "config does what"),
        ("status please", "stands alone"),
        ("x" * 10_001, "at most 10000"),
    ],
)
def test_a_mistake_says_what_to_write_instead(typed: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as mistake:
        commands.parse(typed)

    assert mistake.value.hint


@given(
    st.text(max_size=400) | st.builds(lambda v, t: f"{v} {t}", st.sampled_from(NAMES), st.text())
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_request_or_a_mistake(typed: str) -> None:
    try:
        command = commands.parse(typed)
    except UserError as mistake:
        taught = bool(mistake.hint)
        assert taught
    else:
        assert commands.verb_of(command) in commands.VERBS


def test_no_two_verbs_share_a_name() -> None:
    names = [name for verb in commands.VERBS for name in (verb.name, *verb.aliases)]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("verb", commands.VERBS, ids=lambda verb: verb.name)
def test_the_usage_of_every_verb_is_understood(verb: commands.Verb) -> None:
    usage = verb.usage.replace("[", "").replace("]", "").replace("VERB", "list")

    assert verb == commands.verb_of(commands.parse(usage))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-11-10", date(2026, 11, 10)),
        ("7d", date(2026, 11, 16)),
        ("today", date(2026, 11, 23)),
        ("Yesterday", date(2026, 11, 22)),
    ],
)
def test_days_can_be_said_in_several_ways(typed: str, expected: date) -> None:
    assert expected == commands.parse_day(typed, date(2026, 11, 23))


def test_a_day_that_is_none_is_a_mistake() -> None:
    with pytest.raises(UserError, match="no day"):
        commands.parse_day("soon", date(2026, 11, 23))
