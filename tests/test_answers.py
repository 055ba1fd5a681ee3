"""What people ask and what they are told."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from bot import commands
from bot.commands import CHANGE, OWN, POST, READ
from bot.model import Caller, ChannelRef, Origin, Role
from bot.views import Digest, Form, Listing, Notice, View
from tests.world import ANN, HERE, TODAY, World, paper, titles, words

DECODING = paper(1, "Speculative decoding for everyone", "Draft and verify.")
SURVEY = paper(2, "A survey of speculative decoding", "Many ways to draft and verify.")
GRAPHS = paper(3, "Graph neural networks at rest", "Message passing is studied.")


@pytest.fixture
def world() -> World:
    return World()


async def told(world: World, typed: str) -> str:
    return words(await world.say(typed))


async def test_a_subscription_is_numbered_and_tried_on_last_week(world: World) -> None:
    await world.listed(DECODING, GRAPHS)

    answer = await world.say('subscribe "speculative decoding" weight:2 label:inference')

    assert isinstance(answer, Notice)
    assert '1 "speculative decoding" weight 2 (inference)' in words(answer)
    assert "1 paper of 2" in words(answer)
    assert [DECODING.title] == titles(answer)


async def test_several_subscriptions_come_with_semicolons(world: World) -> None:
    await world.say("subscribe RAG; graphs ; RAG")

    channel = await world.store.get(HERE)

    assert channel is not None
    assert [str(s.query) for s in channel.subscriptions] == ["RAG", "graphs"]


async def test_subscribing_twice_changes_the_weight_and_adds_nothing(world: World) -> None:
    await world.say("subscribe RAG")

    again = await told(world, "subscribe RAG")
    changed = await told(world, "subscribe RAG weight:3")

    assert "Already there: 1 RAG" in again
    assert "Changed: 1 RAG weight 3" in changed


async def test_a_faulty_query_is_pointed_at_and_changes_nothing(world: World) -> None:
    answer = await world.say("subscribe RAG; cat:cs.XX")

    assert isinstance(answer, Notice)
    assert answer.kind == "error"
    assert answer.source[answer.start : answer.end] == "cs.XX"
    assert await world.store.get(HERE) is None


async def test_numbers_are_never_given_twice(world: World) -> None:
    await world.say("subscribe RAG; graphs")
    await world.say("unsubscribe 2")

    answer = await told(world, "subscribe diffusion")

    assert "3 diffusion" in answer


async def test_numbers_are_not_even_given_again_when_the_whole_channel_was_taken_back(
    world: World,
) -> None:
    await world.say("subscribe RAG; graphs")
    await world.say("undo")

    assert "3 diffusion" in await told(world, "subscribe diffusion")


async def test_a_channel_has_at_most_fifty_subscriptions(world: World) -> None:
    await world.say("subscribe " + ";".join(f"word{i}" for i in range(50)))

    answer = await told(world, "subscribe onemore")

    assert "at most 50" in answer
    channel = await world.store.get(HERE)
    assert channel is not None
    assert len(channel.subscriptions) == 50


async def test_what_matches_too_much_or_only_excludes_is_warned_about(world: World) -> None:
    await world.listed(DECODING, GRAPHS, SURVEY)

    assert "only excludes and matches 2 of 3" in await told(world, "subscribe -graph")
    assert "matches 2 of 3" in await told(world, "subscribe decoding")


@pytest.mark.parametrize("typed", ["1", "#1", '"tool use"', "tool use"])
async def test_a_subscription_is_dropped_by_number_or_text(world: World, typed: str) -> None:
    await world.say('subscribe "tool use"')

    assert "Dropped 1" in await told(world, f"unsubscribe {typed}")


async def test_dropping_all_asks_first(world: World) -> None:
    await world.say("subscribe RAG; graphs")

    asked = await world.say("unsubscribe all")
    done = await told(world, "unsubscribe all sure:yes")

    assert isinstance(asked, Notice)
    assert [action.sentence for action in asked.actions] == ["unsubscribe all sure:yes"]
    assert "Dropped 1 RAG, 2 graphs" in done
    assert "no subscriptions" in await told(world, "unsubscribe 1")


async def test_an_unknown_subscription_says_how_to_find_it(world: World) -> None:
    await world.say("subscribe RAG")

    assert "list shows them" in await told(world, "unsubscribe 7")


async def test_muted_words_keep_papers_away_and_can_be_heard_again(world: World) -> None:
    await world.listed(DECODING, SURVEY)
    await world.say('subscribe "speculative decoding"')

    muted = await told(world, "mute survey")
    recap = await world.say("digest since:7d")
    why = await told(world, "why 2611.00002")
    unmuted = await told(world, "unmute survey")

    assert "kept 1 paper away" in muted
    assert [DECODING.title] == titles(recap)
    assert "“survey” is muted here" in why
    assert "no longer muted" in unmuted
    assert "not muted here" in await told(world, "unmute survey")
    assert "without a dash" in await told(world, "mute -a -b")


async def test_muting_twice_is_said(world: World) -> None:
    await world.say("mute survey")

    assert "muted already" in await told(world, "mute survey")


async def spelt_out(world: World, acronym: str, *meanings: str, papers: int = 3) -> None:
    """Papers that say what the acronym stands for."""
    listed = [
        paper(100 + 10 * i + n, f"Study {i} {n}", f"We look at {meaning} ({acronym}) anew.")
        for i, meaning in enumerate(meanings)
        for n in range(papers)
    ]
    await world.listed(*listed)


async def test_an_acronym_is_asked_about_once_with_a_button_that_does_it(world: World) -> None:
    await spelt_out(world, "RL", "reinforcement learning", "radio loudness")

    answer = await world.say("subscribe RL agents weight:2 label:mine; RL")
    later = await told(world, "subscribe RL agents")

    assert isinstance(answer, Notice)
    asked = [line for line in words(answer).split("\n") if line.startswith("RL:")]
    assert asked == [
        "RL: radio loudness (3 papers), reinforcement learning (3 papers)? To find that too, "
        'write expand 1 "radio loudness".'
    ]
    buttons = {action.label: action.sentence for action in answer.actions}
    pressed = await told(world, buttons["RL: reinforcement learning"])
    assert 'Changed: 1 RL|"reinforcement learning" agents weight 2 (mine)' in pressed
    assert "RL:" not in later


@pytest.mark.parametrize(
    "asked", ['RL|"reinforcement learning"', "-RL learning", "rl", 'cat:cs.RO "deep learning"']
)
async def test_what_is_spelt_out_or_no_acronym_is_not_asked_about(world: World, asked: str) -> None:
    await spelt_out(world, "RL", "reinforcement learning")

    assert "RL:" not in await told(world, f"subscribe {asked}")


async def test_a_meaning_that_a_single_paper_gives_is_not_offered(world: World) -> None:
    await spelt_out(world, "RL", "radio loudness", papers=1)
    await spelt_out(world, "RL", "reinforcement learning", papers=1)

    assert "RL:" not in await told(world, "subscribe RL")


async def test_expanding_says_what_it_changes_and_can_be_taken_back(world: World) -> None:
    await world.listed(
        paper(1, "Reinforcement learning for robots"), paper(2, "RL at home"), paper(3, "Else")
    )
    await world.say("subscribe RL")

    answer = await told(world, 'expand 1 "reinforcement learning"')
    again = await told(world, "expand 1 reinforcement learning")
    undone = await told(world, "undo")

    assert 'Changed: 1 RL|"reinforcement learning"' in answer
    assert "brought 2 papers of 3" in answer
    assert "Before, 1 paper for RL" in answer
    assert "is there already" in again
    assert "changed 1 RL" in undone
    channel = await world.store.get(HERE)
    assert channel is not None
    assert [str(s.query) for s in channel.subscriptions] == ["RL"]


async def test_expand_alone_lists_what_the_library_knows(world: World) -> None:
    await spelt_out(world, "RL", "reinforcement learning")
    await world.say("subscribe RL LLM; graphs")

    answer = await world.say("expand 1")

    assert isinstance(answer, Listing)
    assert '3 papers: expand 1 "reinforcement learning"' in words(answer)
    assert "is not spelt out in the papers here" in words(answer)
    assert [action.label for action in answer.actions] == ["RL: reinforcement learning"]
    assert "There is no acronym in 2 graphs" in await told(world, "expand 2")


async def test_an_expansion_that_makes_two_subscriptions_equal_is_refused(world: World) -> None:
    await world.say('subscribe RL|"reinforcement learning"; RL; graphs')

    assert "same as subscription 1" in await told(world, 'expand 2 "reinforcement learning"')
    assert "no acronym in graphs" in await told(world, 'expand 3 "reinforcement learning"')
    assert "no subscription “9”" in await told(world, 'expand 9 "reinforcement learning"')


async def test_a_button_that_changes_the_channel_is_refused_to_readers(world: World) -> None:
    await spelt_out(world, "RL", "reinforcement learning")
    asked = await world.say("subscribe RL")
    assert isinstance(asked, Notice)
    button = asked.actions[0].sentence

    refused = words(await world.say(button, replace(ANN, role=Role.GUEST)))

    assert button.startswith("again ")
    assert "may not change" in refused
    channel = await world.store.get(HERE)
    assert channel is not None
    assert [str(s.query) for s in channel.subscriptions] == ["RL"]


async def test_an_empty_list_teaches_the_first_step(world: World) -> None:
    assert "No subscriptions yet" in await told(world, "list")


async def test_a_list_is_paged_and_shows_what_is_muted(world: World) -> None:
    await world.say("subscribe " + ";".join(f"word{i}" for i in range(45)))
    await world.say("mute survey")

    first, last = await world.say("list"), await world.say("list page:3")

    assert isinstance(first, Listing)
    assert isinstance(last, Listing)
    assert (len(first.rows), len(last.rows)) == (20, 5)
    assert "Page 1 of 3: list page:2" in words(first)
    assert "Muted: survey" in words(first)


async def test_all_channels_of_the_workspace_are_listed_and_no_others(world: World) -> None:
    await world.say("subscribe RAG")
    await world.say("subscribe graphs", Caller(replace(HERE, channel="other"), "ann"))
    await world.say("subscribe secret", Caller(ChannelRef("slack", "T1", "C1"), "bob"))

    answer = await told(world, "list all")

    assert "RAG" in answer
    assert "graphs" in answer
    assert "secret" not in answer


async def test_a_preview_counts_hits_and_near_misses_and_adds_nothing(world: World) -> None:
    await world.listed(DECODING, SURVEY, GRAPHS)
    await world.say("subscribe speculative decoding verification weight:2; graph")

    answer = await told(world, "preview")
    trial = await told(world, "preview days:7 survey")

    assert "3 papers came in" in answer
    assert "1 paper for graph" in answer
    assert "survey" in trial
    channel = await world.store.get(HERE)
    assert channel is not None
    assert len(channel.subscriptions) == 2


async def test_a_preview_of_nothing_says_what_to_write(world: World) -> None:
    assert "no subscriptions" in await told(world, "preview")


async def test_a_preview_of_an_old_library_counts_back_from_its_newest_day(world: World) -> None:
    await world.listed(DECODING, on=TODAY - timedelta(days=100))

    answer = await told(world, "preview days:7 decoding")

    assert "the newest here" in answer
    assert "1 paper came in" in answer


async def test_why_tells_posted_passed_below_blocked_and_unmatched_apart(world: World) -> None:
    weak = paper(4, "Decoding brain waves", "Electrodes and patience." + " More words." * 300)
    await world.say("subscribe decoding -survey")
    await world.listed(DECODING, SURVEY, GRAPHS, weak)

    before = await told(world, "why 2611.00001")
    await world.say("digest")
    after = await told(world, "why https://arxiv.org/abs/2611.00001v2")

    assert "Not posted here" in before
    assert "Posted here on Mon 23 Nov 2026 10:30" in after
    assert "Blocked: subscription 1 excludes “survey”" in await told(world, "why 2611.00002")
    assert "Subscription 1 finds no decoding" in await told(world, "why 2611.00003")


async def test_why_below_the_line_gives_both_figures(world: World) -> None:
    long = "Of graphs nobody speaks. " + "Other words fill this page. " * 200
    await world.listed(paper(5, "Something else", long))
    await world.say("subscribe graphs")

    assert "of the 30 points needed" in await told(world, "why 2611.00005")


async def test_why_in_a_channel_without_subscriptions_says_so(world: World) -> None:
    await world.listed(DECODING)

    assert "no subscriptions" in await told(world, "why 2611.00001")


async def test_a_paper_that_is_not_here_or_no_id_is_told_apart(world: World) -> None:
    assert "not in the library" in await told(world, "why 2611.99999")
    assert "no paper id" in await told(world, "show the one about graphs")


async def test_show_gives_the_whole_abstract(world: World) -> None:
    await world.listed(GRAPHS)

    assert GRAPHS.abstract in await told(world, "show arXiv:2611.00003v1")


async def test_a_paper_known_by_title_is_found_by_title(world: World) -> None:
    untitled = replace(DECODING, id="title:aaaaaaaaaaaaaaaa")
    await world.listed(untitled)

    assert DECODING.title in await told(world, "show title:aaaaaaaaaaaaaaaa")


async def test_a_digest_is_posted_once(world: World) -> None:
    await world.say("subscribe decoding; graph")
    await world.listed(DECODING, GRAPHS)

    first, second = await world.say("digest"), await world.say("digest")

    assert {DECODING.title, GRAPHS.title} == set(titles(first))
    assert isinstance(second, Digest)
    assert second.cards == ()
    assert "Nothing new" in words(second)


async def test_a_recap_shows_posted_papers_and_marks_nothing(world: World) -> None:
    await world.say("subscribe decoding; graph")
    await world.listed(DECODING)
    await world.say("digest")
    await world.listed(GRAPHS)

    recap = await world.say("digest since:2026-11-20 top:1")
    after = await world.say("digest")

    assert len(titles(recap)) == 1
    assert "for you alone" in words(recap)
    assert [GRAPHS.title] == titles(after)


async def test_the_settings_are_a_form_of_five_fields(world: World) -> None:
    form = await world.say("settings")

    assert isinstance(form, Form)
    assert [field.name for field in form.fields] == ["max", "strictness", "layout", "quiet", "who"]


@pytest.mark.parametrize(
    ("typed", "field", "expected"),
    [
        ("max:5", "max", 5),
        ("strictness:STRICT", "strictness", "strict"),
        ("strictness:2.5", "strictness", 2.5),
        ("layout:thread", "layout", "thread"),
        ("quiet:silent", "quiet", "silent"),
        ("trending:3", "trending", 3),
        ("who:managers", "who", "managers"),
        ("who:@ann,@bob", "who", "@ann,@bob"),
    ],
)
async def test_settings_are_set(world: World, typed: str, field: str, expected: Any) -> None:
    answer = await told(world, f"set {typed}")

    channel = await world.store.get(HERE)
    assert channel is not None
    assert expected == getattr(channel, field)
    assert "Set" in answer
    assert "already" in await told(world, f"set {typed}")


@pytest.mark.parametrize(
    "typed",
    [
        "max:0",
        "max:many",
        "strictness:hard",
        "strictness:99",
        "layout:wide",
        "quiet:loud",
        "who:ann",
    ],
)
async def test_a_setting_that_cannot_be_names_its_field(world: World, typed: str) -> None:
    answer = await world.say(f"set {typed}")

    assert isinstance(answer, Notice)
    assert answer.kind == "error"
    assert typed.partition(":")[0] == answer.field
    assert answer.hints
    assert await world.store.get(HERE) is None


async def test_a_schedule_is_shown_with_its_next_times_in_the_persons_zone(world: World) -> None:
    answer = await told(world, "schedule mon,thu 17:30")

    assert "mon,thu 17:30 Europe/Berlin" in answer
    assert "Mon 23 Nov 17:30" in answer
    assert "Thu 26 Nov 17:30" in answer
    assert "mon,thu 17:30 Europe/Berlin" in await told(world, "schedule")
    assert "names no days" in await told(world, "schedule " + "x " * 9)


async def test_where_the_zone_is_not_known_the_answer_says_utc(world: World) -> None:
    answer = words(await world.say("schedule daily 9am", Caller(HERE, "ann")))

    assert "Your time zone is not known" in answer


async def test_a_zone_alone_changes_the_zone_alone(world: World) -> None:
    await told(world, "schedule mon,thu 17:30")

    assert "mon,thu 17:30 Asia/Tokyo" in await told(world, "schedule Tokyo")
    assert "mon,thu 17:30 Europe/Paris" in await told(world, "schedule timezone Europe/Paris")
    assert "India, Israel or Ireland" in await told(world, "schedule IST")
    assert "says nothing of summer time" in await told(world, "schedule UTC+2")
    assert "mon,thu 17:30 Europe/Paris" in await told(world, "schedule")


async def test_a_schedule_can_be_off(world: World) -> None:
    assert "No digest comes by itself" in await told(world, "schedule off")
    assert "never" in await told(world, "list")


def undo_of(view: View) -> str:
    assert isinstance(view, Notice)
    [sentence] = [action.sentence for action in view.actions if action.label == "Undo"]
    return sentence


async def test_a_button_takes_back_the_change_that_it_stands_beside(world: World) -> None:
    graphs = undo_of(await world.say("subscribe graphs"))
    tools = undo_of(await world.say("subscribe tools"))

    early = await told(world, graphs)
    pressed = await asyncio.gather(told(world, tools), told(world, tools))
    left = await told(world, "list")
    late = await told(world, graphs)

    assert "changed since" in early
    assert ["Taken back" in answer for answer in pressed] == [True, False]
    assert "graphs" in left
    assert "tools" not in left
    assert "the channel was set up" in late
    assert "changed since" in await told(world, graphs)


async def test_every_change_can_be_taken_back_by_its_button(world: World) -> None:
    for change in ("subscribe GNN weight:2 label:x", "mute survey", "set strictness:2.5 max:3",
                   'expand 2 "networks"', "unsubscribe all sure:yes"):  # fmt: skip
        button = undo_of(await world.say(change))

        assert "Taken back" in await told(world, button)
        await world.say(change)


async def test_what_is_there_already_has_nothing_to_take_back(world: World) -> None:
    await world.say("subscribe graphs")

    again = await world.say("subscribe graphs")

    assert isinstance(again, Notice)
    assert [action.label for action in again.actions] == ["List"]


async def test_no_next_digest_is_promised_where_nothing_is_set_up(world: World) -> None:
    for typed in ("schedule", "status", "resume"):
        answer = await told(world, typed)
        assert "None comes yet" in answer
        assert "Next: " not in answer

    await world.say("subscribe graph")

    for typed in ("schedule", "status", "resume"):
        assert "Next: " in await told(world, typed)


async def test_no_next_digest_is_promised_where_none_comes(world: World) -> None:
    await world.say("subscribe graph")
    assert "Next: " in await told(world, "schedule mon 09:00")

    await world.say("pause until:2027-01-04")
    shown, changed = await told(world, "schedule"), await told(world, "schedule tue 09:00")
    await world.say("resume")
    await world.ledger.close(HERE, "the channel was archived", world.now)
    closed = await told(world, "schedule wed 09:00")

    for answer in (shown, changed):
        assert "paused until 4 January 2027" in answer
    assert "Next: Mon 4 Jan" in shown
    assert "Next: Tue 5 Jan" in changed
    assert "None comes now: the channel was archived" in closed
    assert "Next: " not in closed


async def test_a_pause_ends_on_its_day_or_by_word(world: World) -> None:
    paused = await told(world, "pause until:2027-01-04")
    status = await told(world, "status")
    resumed = await told(world, "resume")

    assert "until 4 January 2027" in paused
    assert "paused until 4 January 2027" in status
    assert "Going on" in resumed
    assert "not paused" in await told(world, "resume")
    assert "until you write resume" in await told(world, "pause")
    assert "not in the future" in await told(world, "pause until:2026-01-01")
    assert "until 4 January 2027" in await told(world, "pause until 2027-01-04")
    assert "Write pause until:2027-01-04" in await told(world, "pause until:monday")


async def test_a_pause_is_told_while_it_lasts_and_no_longer(world: World) -> None:
    await told(world, "pause until:2026-11-26")

    for asked in ("status", "schedule", "schedule daily 8:00"):
        said = await told(world, asked)
        assert "paused until 26 November 2026" in said
        assert "Next: Thu 26 Nov" in said
    assert "Next: Thu 26 Nov" in (await told(world, "home")).replace("lab: ", "Next: ")

    world.pass_days(4)  # to Friday

    for asked in ("status", "schedule", "schedule daily 8:00", "list", "home"):
        assert "paused" not in await told(world, asked)
    assert "Next: Sat 28 Nov" in await told(world, "status")
    assert "not paused" in await told(world, "resume")


async def test_a_schedule_that_is_changed_during_a_pause_promises_no_digest(world: World) -> None:
    await told(world, "pause")

    said = await told(world, "schedule daily 8:00")

    assert "paused" in said
    assert "Next" not in said
    assert "resume" in said


async def test_undo_goes_back_one_change_at_a_time(world: World) -> None:
    await world.say("subscribe RAG")
    await world.say("set max:5")
    await world.say("mute survey")

    first = await told(world, "config undo")
    second = await told(world, "undo")
    third = await told(world, "undo")

    assert "muted survey" in first
    assert "max: 10 became 5" in second
    assert "the channel was set up" in third
    assert "nothing to undo" in await told(world, "undo")


async def test_status_tells_library_and_posts(world: World) -> None:
    await world.say("subscribe decoding")
    await world.listed(DECODING)

    before = await told(world, "status")
    await world.say("digest")
    after = await told(world, "status")

    assert "nothing here yet" in before
    assert "1 papers here" in after.replace("1 paper here", "1 papers here")
    assert "23 November 2026" in after


async def test_who_may_not_change_may_still_read(world: World) -> None:
    guest = replace(ANN, role=Role.GUEST)

    assert "may not change" in words(await world.say("subscribe RAG", guest))
    assert "may not change" in words(await world.say("digest", guest))
    assert "recap" in words(await world.say("digest since:7d", guest))
    assert "Subscriptions" in words(await world.say("list", guest))
    assert await world.store.get(HERE) is None


async def test_help_knows_every_verb(world: World) -> None:
    everything = await told(world, "help")

    for verb in commands.VERBS:
        assert verb.usage in everything
        assert verb.summary in await told(world, f"help {verb.name}")


async def test_an_unknown_verb_gets_the_nearest(world: World) -> None:
    answer = await world.say("digset")

    assert "There is no “digset”" in words(answer)
    assert "digest" in words(answer)
    assert "There is no" in await told(world, "help frob")


async def test_a_surprise_becomes_an_apology_with_an_id_that_is_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: ChannelRef) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(world.store, "get", broken)

    with caplog.at_level(logging.ERROR):
        answer = await told(world, "list")

    assert "not your fault" in answer
    assert "boom" not in answer
    tag = answer.split()[-1].rstrip(".")
    assert tag in caplog.text


async def test_somebody_who_comes_back_sees_the_last_digest(world: World) -> None:
    await world.say("subscribe decoding")
    await world.listed(DECODING)
    await world.say("digest")

    views = await world.answers.welcome(ANN)

    assert [DECODING.title] == titles(views[0])
    assert "1 subscriptions" in words(views[1]).replace("1 subscription,", "1 subscriptions,")


@given(st.text(max_size=300) | st.builds(
    lambda verb, rest: f"{verb} {rest}",
    st.sampled_from([verb.name for verb in commands.VERBS]), st.text(max_size=100)))  # fmt: skip
@settings(max_examples=150, deadline=None)
async def test_any_text_gets_an_answer(typed: str) -> None:
    world = World()
    await world.listed(DECODING, origin=Origin.HUGGING_FACE)

    answer = await world.say(typed)

    assert "not your fault" not in words(answer)


@pytest.mark.parametrize(
    ("who", "role", "may"),
    [
        ("members", Role.STRANGER, False),
        ("members", Role.GUEST, False),
        ("members", Role.MEMBER, True),
        ("members", Role.MANAGER, True),
        ("managers", Role.STRANGER, False),
        ("managers", Role.GUEST, False),
        ("managers", Role.MEMBER, False),
        ("managers", Role.MANAGER, True),
        ("@bob,@ann", Role.STRANGER, False),
        ("@bob,@ann", Role.GUEST, False),
        ("@bob,@ann", Role.MEMBER, True),
        ("@bob,@annabel", Role.MEMBER, False),
        ("@bob", Role.MANAGER, True),
    ],
)
async def test_who_may_change_a_channel_and_post_to_it(
    world: World, who: str, role: Role, may: bool
) -> None:
    await world.say("subscribe graphs")
    await world.say(f"set who:{who}")
    await world.listed(paper(1, "Graphs for all"))
    asker = replace(ANN, role=role)
    sentences = {
        CHANGE: "mute survey", POST: "share 2611.00001", READ: "list", OWN: "save 2611.00001",
    }  # fmt: skip
    for kind, sentence in sentences.items():
        refused = words(await world.say(sentence, asker)).startswith("You may not change")
        assert refused == (kind in (CHANGE, POST) and not may), kind


async def test_a_personal_channel_is_its_persons_alone(world: World) -> None:
    own = replace(ANN, ref=replace(HERE, channel="@ann"), role=Role.GUEST)
    assert "Subscribed" in words(await world.say("subscribe graphs", own))
    other = replace(own, user="bob", role=Role.MANAGER)
    assert "somebody's own channel" in words(await world.say("subscribe trees", other))
