"""Modals, the home tab, shortcuts and cards below links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.slack import api, modals
from bot import identity
from bot.model import Paper
from bot.query import Query
from tests.slack_server import Channel, Fault, User, View
from tests.slack_world import SlackWorld, lab_of, said, shown, slack_world, told
from tests.world import paper


async def filled(w: SlackWorld, user: User) -> View:
    """The modal on top, once its answer stands in it."""
    await w.slack.until(
        lambda: w.slack.views(user) and "One moment" not in shown(w.slack.views(user)[-1])
    )
    return w.slack.views(user)[-1]


async def form_of(w: SlackWorld, user: User, channel: Channel, words: str) -> View:
    await w.slack.command(user, channel, "/papers", words)
    return await filled(w, user)


async def test_subscribing_by_form_shows_what_it_brings_and_keeps_it() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        form = await form_of(w, ann, lab, "subscribe")

        sent = await w.slack.submit(ann, form, {"query": "graphs", "weight": "2", "label": "nets"})

        assert sent.errors == {}
        assert "Graph networks for molecules" in shown(w.slack.views(ann)[-1])
        [kept] = (await w.settings(lab)).subscriptions
        assert (str(kept.query), kept.weight, kept.label) == ("graphs", 2, "nets")
        assert w.slack.dislikes == []


async def test_mistakes_are_told_beside_their_fields() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        form = await form_of(w, ann, lab, "subscribe")

        words = await w.slack.submit(ann, form, {"query": "cat:cs.NOPE"})
        weight = await w.slack.submit(ann, form, {"query": "graphs", "weight": "heavy"})

        assert list(words.errors) == ["query"]
        assert "cs." in words.errors["query"]
        assert list(weight.errors) == ["weight"]
        assert await w.world.store.get(w.ref(lab)) is None


async def test_a_preview_counts_without_subscribing() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        form = await form_of(w, ann, lab, "subscribe")
        form.state = {"query": {"value": {"type": "plain_text_input", "value": "graphs"}}}

        await w.slack.click(ann, form, "Preview")
        await w.slack.until(lambda: "came in" in shown(form))
        tried = shown(form)
        form.state["query"]["value"]["value"] = 'no "end'
        await w.slack.click(ann, form, "Preview")
        await w.slack.until(lambda: "came in" not in shown(form))

        assert "3 papers came in and 1 would have been brought" in tried
        assert "Graph networks for molecules" in tried
        assert await w.world.store.get(w.ref(lab)) is None
        assert w.slack.dislikes == []


async def test_a_schedule_is_chosen_with_its_zone() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        form = await form_of(w, ann, lab, "form schedule")

        found = await w.slack.suggest(ann, form, "zone", "osa")
        sent = await w.slack.submit(
            ann, form, {"days": ["mon", "thu"], "time": "17:30", "zone": "Asia/Tokyo"}
        )

        assert "Asia/Tokyo" in [option["value"] for option in found.options]
        assert sent.errors == {}
        assert str((await w.settings(lab)).schedule) == "mon,thu 17:30 Asia/Tokyo"
        assert w.slack.dislikes == []


async def test_settings_are_one_form() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        form = await form_of(w, ann, lab, "settings")

        wrong = await w.slack.submit(ann, form, {"max": "99"})
        nobody = await w.slack.submit(ann, form, {"max": "5", "who": "@ann"})
        await w.slack.submit(ann, form, {"max": "5", "layout": "cards", "who": "managers"})

        assert list(wrong.errors) == ["max"]
        assert list(nobody.errors) == ["who"]
        settings = await w.settings(lab)
        assert (settings.max, settings.layout, settings.who) == (5, "cards", "managers")


async def test_who_may_not_change_the_channel_is_told_so_in_the_modal() -> None:
    async with slack_world() as w:
        _, lab = await lab_of(w)
        guest = w.slack.add_user("guest", "guest")
        lab.members.append(guest.id)

        modal = await form_of(w, guest, lab, "settings")
        sent = await w.slack.submit(guest, modal, {"max": "5"})
        other = await form_of(w, guest, lab, "subscribe")

        assert "may not change" in next(iter(sent.errors.values()))
        assert "may not change" in shown(other)
        assert await w.world.store.get(w.ref(lab)) is None


async def test_a_flood_ends_at_forms_and_shortcuts_too() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        message = w.slack.write(ann, lab, "https://arxiv.org/abs/2611.00001")
        form = await form_of(w, ann, lab, "subscribe")
        form.state = {"query": {"value": {"type": "plain_text_input", "value": "graphs"}}}
        for _ in range(4):
            await said(w, ann, lab, "help")

        about = await told(await w.slack.message_shortcut(ann, message, "about_paper"))
        await w.slack.click(ann, form, "Preview")
        await w.idle()
        tried = shown(form)
        sent = await w.slack.submit(ann, form)

        assert "That was a lot" in shown(about)
        assert "That was a lot" in tried
        assert "That was a lot" in sent.errors["query"]
        assert await w.world.store.get(w.ref(lab)) is None


async def test_a_search_stays_in_its_modal_page_by_page() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        await w.world.listed(*(paper(n, f"Rivers, part {n}") for n in range(100, 112)))
        await w.slack.shortcut(ann, "search_papers")
        form = await filled(w, ann)

        await w.slack.submit(ann, form, {"query": "rivers"})
        [results] = w.slack.views(ann)
        first = shown(results)
        await w.slack.click(ann, results, "More")
        await w.slack.until(lambda: shown(results) != first)
        second = shown(results)
        await w.slack.click(ann, results, "Save")
        answer = await filled(w, ann)

        assert "part 100" in first
        assert "part 100" not in second
        assert [shown(results), shown(answer)] == [shown(v) for v in w.slack.views(ann)]
        assert "Saved" in shown(answer)
        assert w.slack.dislikes == []


async def test_the_stack_of_modals_has_an_end() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        await w.slack.shortcut(ann, "search_papers")
        form = await filled(w, ann)
        await w.slack.submit(ann, form, {"query": "decoding"})

        for label in ("Save", "Saved papers", "Remove"):
            await w.slack.click(ann, w.slack.views(ann)[-1], label)
            await w.idle()

        assert "Taken off your list" in shown(w.slack.views(ann)[-1])
        assert len(w.slack.views(ann)) == 3
        assert w.slack.dislikes == []


async def test_a_late_mistake_brings_the_form_back_as_it_was_filled_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modals, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(api, "TIMEOUT_SECONDS", 0.2)
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        given: dict[str, dict[str, str | list[str]]] = {
            "subscribe": {"query": "graphs", "weight": "2", "label": "nets"},
            "schedule": {"days": ["tue"], "time": "17:30", "zone": "Asia/Tokyo"},
        }
        for name, values in given.items():
            form = await form_of(w, ann, lab, f"form {name}")
            w.world.now += timedelta(minutes=2)  # what Slack said of Ann is not fresh any more
            w.slack.fault("users.info", Fault.silence(), times=9)
            if name == "schedule":
                await w.slack.suggest(ann, form, "zone", "tokyo")

            await w.slack.submit(ann, form, values)
            again = await filled(w, ann)
            w.slack.heal()
            refused = shown(again)
            w.world.now += timedelta(minutes=2)
            await w.slack.submit(ann, again, {})

            assert "Try again in a minute" in refused
            await w.slack.close(ann, await filled(w, ann))

        settings = await w.settings(lab)
        [kept] = settings.subscriptions
        assert (str(kept.query), kept.weight, kept.label) == ("graphs", 2, "nets")
        assert str(settings.schedule) == "weekly tue 17:30 Asia/Tokyo"
        assert w.slack.dislikes == []


async def test_a_late_answer_fills_the_modal_that_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modals, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(api, "TIMEOUT_SECONDS", 0.2)
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        form = await form_of(w, ann, lab, "form search")
        w.world.now += timedelta(minutes=2)  # what is known of Ann is asked for anew
        w.slack.fault("users.info", Fault.silence(), times=2)

        sent = await w.slack.submit(ann, form, {"query": "graphs"})
        assert sent.ack is not None
        waiting = str(sent.ack.payload)
        result = await filled(w, ann)

        assert "One moment" in waiting
        assert "Graph networks" in shown(result)
        assert w.slack.dislikes == []


class Source:
    """Papers that the library does not have."""

    def __init__(self, *papers: Paper) -> None:
        self._papers = {each.id: each for each in papers}
        self.asked: list[str] = []

    async def search(self, query: Query, limit: int) -> list[Paper]:
        return []

    async def lookup(self, paper_id: str) -> Paper | None:
        self.asked.append(paper_id)
        return self._papers.get(paper_id)


async def test_a_form_that_cannot_open_in_time_is_offered_by_a_button() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        w.slack.fault("views.open", Fault.error("expired_trigger_id"))

        answer = await said(w, ann, lab, "settings")
        await w.slack.click(ann, answer, "Open it")
        form = await filled(w, ann)

        assert form.title == "Settings"
        assert w.slack.dislikes == []


async def test_a_form_asked_for_by_mention_is_offered_by_a_button() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)

        answer = await told(await w.slack.mention(ann, lab, "subscribe"))
        await w.slack.click(ann, answer, "Open it")
        form = await filled(w, ann)

        await w.slack.submit(ann, form, {"query": "graphs"})
        assert len((await w.settings(lab)).subscriptions) == 1


async def test_the_home_tab_shows_what_is_ones_own() -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        await said(w, ann, lab, "subscribe graphs")
        await said(w, ann, lab, "save 2611.00001")
        await w.slack.direct(ann, "subscribe tools")

        await w.slack.open_home(ann)
        await w.idle()
        home = w.slack.home(ann)
        assert home is not None
        before = shown(home)
        await w.slack.click(ann, home, "Saved papers")
        modal = await filled(w, ann)
        await w.slack.click(ann, modal, "Similar")
        await w.idle()

        assert "tools" in before
        assert "Speculative decoding" in before
        assert "Speculative decoding" in shown(modal)
        assert w.slack.dislikes == []


async def test_the_home_tab_changes_with_what_its_forms_set() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        await w.slack.open_home(ann)
        await w.idle()
        home = w.slack.home(ann)
        assert home is not None
        await w.slack.click(ann, home, "Subscribe")

        await w.slack.submit(ann, await filled(w, ann), {"query": "graphs"})
        await w.idle()

        after = w.slack.home(ann)
        assert after is not None
        assert "Your subscriptions · 1" in shown(after)
        assert w.slack.dislikes == []


async def test_the_home_tab_changes_with_what_its_buttons_do() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        await w.slack.direct(ann, "subscribe graphs")
        await w.slack.open_home(ann)
        await w.idle()
        home = w.slack.home(ann)
        assert home is not None
        before = shown(home)

        await w.slack.click(ann, home, "unsubscribe 1")
        await w.idle()

        assert "Your subscriptions · 1" in before
        assert "Your subscriptions · 1" not in shown(home)
        assert w.slack.dislikes == []


async def test_a_long_list_is_read_to_its_end_in_a_modal() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        await w.slack.direct(ann, "subscribe " + "; ".join(f"topic{n}x" for n in range(24)))
        await w.idle()
        await w.slack.open_home(ann)
        await w.idle()
        home = w.slack.home(ann)
        assert home is not None
        await w.slack.click(ann, home, "Subscribe")
        await w.slack.submit(ann, await filled(w, ann), {"query": "last"})
        await w.idle()

        await w.slack.click(ann, w.slack.views(ann)[-1], "List")
        await w.idle()
        await w.slack.click(ann, w.slack.views(ann)[-1], "More")
        await w.idle()

        page = w.slack.views(ann)[-1]
        assert "topic23x" in shown(page)
        assert "last" in shown(page)
        assert "More" not in shown(page)
        assert w.slack.dislikes == []


async def test_the_home_tab_changes_with_what_the_modals_over_it_do() -> None:
    async with slack_world() as w:
        ann, _ = await lab_of(w)
        await w.slack.open_home(ann)
        await w.idle()
        home = w.slack.home(ann)
        assert home is not None
        await w.slack.click(ann, home, "Subscribe")
        await w.slack.submit(ann, await filled(w, ann), {"query": "graphs"})
        await w.idle()
        subscribed = shown(home)

        await w.slack.click(ann, w.slack.views(ann)[-1], "Save")
        await w.idle()
        saved = shown(home)
        await w.slack.close(ann, w.slack.views(ann)[-1])
        await w.slack.click(ann, w.slack.views(ann)[-1], "Undo")
        await w.idle()

        assert "Your subscriptions · 1" in subscribed
        assert "Saved papers · 0" in subscribed
        assert "Saved papers · 1" in saved
        assert "Your subscriptions · none yet" in shown(home)
        assert w.slack.dislikes == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("see https://arxiv.org/abs/2611.00001 now", ["Speculative"], id="arxiv"),
        pytest.param("https://huggingface.co/papers/2611.00002, and", ["Graph networks"], id="hf"),
        pytest.param("arXiv:2611.00003v2", ["A survey"], id="an id"),
        pytest.param("https://doi.org/10.48550/arXiv.2611.00001", ["Speculative"], id="doi"),
        pytest.param("https://arxiv.org/pdf/2611.00001 https://arxiv.org/abs/2611.00002",
                     ["Speculative", "Graph networks"], id="two"),
        pytest.param("nothing to see", ["This message names no paper"], id="none"),
    ],
)  # fmt: skip
async def test_what_a_message_links_to_is_told(text: str, expected: Sequence[str]) -> None:
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        message = w.slack.write(ann, lab, text)

        answer = await told(await w.slack.message_shortcut(ann, message, "about_paper"))

        assert [words for words in expected if words not in shown(answer)] == []
        assert answer.only_for == ann.id
        assert w.slack.dislikes == []


async def test_one_paper_of_a_message_is_asked_for_at_its_source() -> None:
    far = [paper(n, f"Far away {n}") for n in (501, 502)]
    source = Source(*far)
    async with slack_world(source) as w:
        ann, lab = await lab_of(w)
        links = " ".join(identity.paper_link(each.id).url for each in far)
        message = w.slack.write(ann, lab, links)

        answer = await told(await w.slack.message_shortcut(ann, message, "about_paper"))

        assert source.asked == [far[0].id]
        assert "Far away 501" in shown(answer)
        assert "2611.00502" in shown(answer)


async def test_links_get_one_card_where_the_channel_wants_them() -> None:
    url = "https://arxiv.org/abs/2611.00001"
    async with slack_world() as w:
        ann, lab = await lab_of(w)
        await said(w, ann, lab, "subscribe graphs")
        await w.slack.link_shared(ann, lab, url)
        await w.idle()
        before = len(w.slack.called("chat.unfurl"))
        await said(w, ann, lab, "set unfurl:on")

        first = await w.slack.link_shared(ann, lab, url, "https://arxiv.org/list/cs.CL/new")
        await w.idle()
        root = lab.messages[-1]
        await w.slack.link_shared(ann, lab, url, thread=root)
        await w.slack.redeliver(first)
        await w.idle()

        assert before == 0
        assert list(root.unfurls) == [url]
        assert len(w.slack.called("chat.unfurl")) == 1
        assert "Speculative decoding" in str(root.unfurls[url])
        assert w.slack.dislikes == []

        await w.slack.link_shared(ann, lab, url)
        await w.idle()

        assert list(lab.messages[-1].unfurls) == [url]  # another thread
