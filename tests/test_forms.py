"""Forms: what they ask is what their values can say, and a mistake is told beside its field."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from bot import commands
from bot.commands import FORMS, Find, SetSchedule, Subscribe
from bot.errors import UserError
from bot.forms import form_of, from_form, settings_form
from bot.model import Channel, ChannelRef
from bot.query import parse
from bot.schedule import Schedule
from bot.views import Form, Notice
from tests.world import ANN, World, words

CHANNEL = Channel(ChannelRef("slack", "T1", "C1"), schedule=Schedule.default("Europe/Berlin"))


def values(form: Form) -> dict[str, str]:
    return {field.name: field.value for field in form.fields}


@pytest.mark.parametrize("form", [*(form_of(n, CHANNEL) for n in FORMS), settings_form(CHANNEL)])
def test_a_form_fits_every_platform(form: Form) -> None:
    assert 1 <= len(form.fields) <= 5
    assert len(form.title) <= 24
    for field in form.fields:
        assert len(field.label) <= 45
        assert not field.choices or set(field.value.split(",")) - {""} <= set(field.choices)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule.default("Asia/Tokyo"),
        Schedule((0, 3), (time(17, 30),), "Europe/Berlin"),
        Schedule((0,), (time(9), time(16)), "UTC"),
        Schedule(times=(time(9),), zone="UTC", month_day=1),
        Schedule(zone="America/New_York"),
    ],
    ids=str,
)
def test_a_schedule_that_is_sent_as_it_was_shown_stays_the_same(schedule: Schedule) -> None:
    form = form_of("schedule", replace(CHANNEL, schedule=schedule))

    request = from_form("schedule", values(form))

    assert isinstance(request, SetSchedule)
    assert Schedule.parse(request.text, "UTC") == schedule


@pytest.mark.parametrize(
    ("days", "at", "schedule"),
    [
        ("off", "09:00", "off"),
        ("Never", "9", "off"),
        ("monthly", "9", "monthly 1 09:00 UTC"),
        ("monthly 15", "9am, 17", "monthly 15 09:00,17:00 UTC"),
    ],
)
def test_days_and_time_are_read_apart(days: str, at: str, schedule: str) -> None:
    monthly = replace(CHANNEL, schedule=Schedule(zone="UTC", month_day=15))
    shown = values(form_of("schedule", monthly))

    request = from_form("schedule", {**shown, "days": days, "time": at})

    assert isinstance(request, SetSchedule)
    assert str(Schedule.parse(request.text, "UTC")) == schedule


def test_settings_that_are_sent_as_they_were_shown_change_nothing() -> None:
    request = from_form("set", values(settings_form(CHANNEL)))

    assert isinstance(request, commands.SetOptions)
    assert {n: str(getattr(CHANNEL, n)) for n, _ in request.options} == dict(request.options)


def test_a_monthly_schedule_is_put_off_in_its_form_with_time_and_zone_left_as_they_are() -> None:
    monthly = replace(CHANNEL, schedule=Schedule.parse("monthly 1", "Europe/Berlin"))

    request = from_form("schedule", values(form_of("schedule", monthly)) | {"days": "off"})

    assert isinstance(request, SetSchedule)
    assert Schedule.parse(request.text, "UTC") == Schedule(zone="Europe/Berlin")


def test_a_subscription_has_its_weight_and_label() -> None:
    request = from_form(
        "subscribe", {"query": '"tool use" -survey', "weight": "2", "label": "agents"}
    )

    assert request == Subscribe((commands.Wish(parse('"tool use" -survey'), 2.0, "agents"),))


def test_several_subscriptions_stand_in_one_form_as_in_one_sentence() -> None:
    given = {"query": 'graphs; "a;b"; ', "weight": "2", "label": "inf"}

    assert from_form("subscribe", given) == commands.parse(
        'subscribe graphs weight:2 label:inf; "a;b" weight:2 label:inf'
    )


def test_a_search_is_as_wide_as_its_form_says() -> None:
    form = form_of("search", CHANNEL)

    assert from_form("search", values(form) | {"query": "RAG"}) == Find(parse("RAG"))
    assert from_form(
        "search",
        {"query": "RAG", "since": "30d", "source": "arxiv", "sort": "new", "code": "with code"},
    ) == Find(parse("RAG"), since="30d", source="arxiv", sort="new", code=True)


@pytest.mark.parametrize(
    ("command", "given", "field"),
    [
        ("subscribe", {"query": '"open'}, "query"),
        ("subscribe", {"query": ""}, "query"),
        ("subscribe", {"query": "RAG", "weight": "many"}, "weight"),
        ("subscribe", {"query": "RAG", "label": "x" * 41}, "label"),
        ("schedule", {"days": "mon", "time": "25:00", "zone": "UTC"}, "time"),
        ("schedule", {"days": "mon", "time": "Europe/Paris", "zone": "UTC"}, "time"),
        ("schedule", {"days": "monthly", "time": "9, monthly 2", "zone": "UTC"}, "time"),
        ("schedule", {"days": "someday", "time": "09:00", "zone": "UTC"}, "days"),
        ("schedule", {"days": "mon", "time": "09:00", "zone": "Atlantis"}, "zone"),
        ("search", {"query": "cat:nothing"}, "query"),
    ],
)
def test_a_mistake_names_its_field(command: str, given: dict[str, str], field: str) -> None:
    with pytest.raises(UserError) as mistake:
        from_form(command, given)

    assert mistake.value.field == field


@pytest.mark.parametrize("typed", ["subscribe", "search", "form schedule", "settings"])
async def test_a_verb_without_words_opens_its_form(typed: str) -> None:
    request = commands.parse(typed)

    assert commands.opens_form(request)
    assert isinstance(await World().say(typed), Form)


async def test_only_what_changed_is_told() -> None:
    world = World()
    form = await world.say("settings")
    assert isinstance(form, Form)
    request = from_form("set", values(form) | {"max": "7"})

    told = await world.answers.answer(request, ANN)

    assert isinstance(told, Notice)
    assert "Set max to 7." in words(told)
