"""What likes and dislikes teach a channel, what they change, and the talk about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from bot.app import open_app, planned
from bot.digests import Digests
from bot.feedback import VOTED_PAPERS, learn, own_words
from bot.keywords import Document
from bot.model import Channel, ChannelRef, Learned, Origin, Paper, Record, Role, Subscription
from bot.query import parse
from bot.ranking import LINE, NO_PAST, Background, Profile
from bot.views import Listing, Notice, plain
from config.settings import Settings
from tests.fake_people import MemoryPeople
from tests.fake_store import MemoryOutbox
from tests.fakes import MemoryLibrary
from tests.test_paper_answers import Elsewhere
from tests.test_ranking import documents, with_real_papers
from tests.world import ANN, HERE, NOW, TODAY, World, paper, titles, words

DRAFTS = paper(1, "Speculative decoding with drafts", "Small models draft, large ones verify.")
TREES = paper(2, "Speculative decoding over trees", "Small models draft whole trees of tokens.")
SURVEY = paper(3, "A survey of speculative decoding", "Benchmarks are compared and criticised.")
FLUFF = " ".join(f"fluff{n}y" for n in range(60))
POOR = paper(5, "Speculative decoding once more", FLUFF)
GRAPHS = paper(4, "Graph neural networks at rest", "Small models draft nothing at all.")
NONE: frozenset[str] = frozenset()

WORDS = (
    "decoding", "draft", "verify", "tree", "token", "graph", "survey", "latency", "attention",
    "cache", "reward", "policy", "image", "noise", "proof", "theorem", "speech", "robot",
)  # fmt: skip
papers = st.builds(
    lambda number, title, abstract: paper(number, " ".join(title), " ".join(abstract)),
    st.integers(1, 99_999),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=40),
)
several = st.lists(papers, max_size=6, unique_by=lambda one: one.id)


def nobodys(_: str) -> bool:
    return False


def weights(learned: Sequence[Learned]) -> dict[str, float]:
    return {word.word: word.weight for word in learned}


def taught(liked: Sequence[Paper] = (), disliked: Sequence[Paper] = ()) -> dict[str, float]:
    return weights(learn(liked, disliked, NONE, nobodys))


def channel(*queries: str) -> Channel:
    return Channel(HERE, tuple(Subscription(n, parse(q)) for n, q in enumerate(queries, start=1)))


# ---- what is learned


def test_the_heaviest_word_of_many_likes_weighs_half_and_the_others_in_proportion() -> None:
    learned = taught([DRAFTS, TREES])

    assert next(iter(learned.values())) == 0.25
    assert 0.48 < max(taught([DRAFTS, TREES] * 40).values()) < 0.5
    assert list(learned.values()) == sorted(learned.values(), reverse=True)
    assert learned["decoding"] > learned["small"] > 0


def test_one_dislike_is_no_rule_and_many_weigh_a_quarter_at_most() -> None:
    others = [replace(SURVEY, id=f"arxiv:2611.{n:05}") for n in range(100, 140)]

    one, many = taught(disliked=[SURVEY]), taught(disliked=others)

    assert one.keys() == many.keys()
    assert min(one.values()) == pytest.approx(-0.25 / 3, abs=1e-4)
    assert -0.25 < min(many.values()) < -0.23
    assert max(one.values()) < 0


def test_a_few_dislikes_do_not_lessen_what_likes_taught() -> None:
    liked = [paper(n, word) for n, word in enumerate(WORDS, start=100)]

    learned = taught(liked, [paper(99, "Zebrafish")])

    assert max(learned.values()) == max(taught(liked).values())
    assert learned.keys() - taught(liked).keys() == {"zebrafish"}


def test_what_liked_and_disliked_papers_share_tells_less() -> None:
    shared = taught([DRAFTS], [SURVEY])

    liked = taught([DRAFTS])
    assert shared["decoding"] / shared["draft"] < liked["decoding"] / liked["draft"]
    assert shared["benchmarks"] < 0


def test_the_channels_own_words_are_not_learned_against_in_any_spelling() -> None:
    tuning = paper(7, "Finetuning and fine tuning of speculative models", "Tuned, finely.")
    own = own_words(channel('"fine-tuning"|speculat*', "RL -survey"))

    learned = weights(learn([], [tuning, SURVEY], NONE, own))

    assert all(map(own, ("finetun", "fine", "tune", "rl", "specul", "speculatx")))
    assert not {"finetuning", "fine", "tuning", "speculative"} & learned.keys()
    assert {"models", "survey"} <= learned.keys()
    assert "finetuning" in weights(learn([tuning], [], NONE, own))


def test_glue_questions_numbers_and_single_letters_teach_nothing() -> None:
    empty = paper(8, "What is it, and why should we do this?", "In 2026 there were 12 of x and y.")

    assert taught([empty]) == {}


def test_the_fifty_heaviest_words_are_learned() -> None:
    long = paper(9, "Zooplankton", " ".join(f"word{n}x" for n in range(200)))

    assert len(taught([long])) == 50
    assert next(iter(taught([long]))) == "zooplankton"
    assert len(learn([long], [], {"word0x"}, nobodys)) == 49  # a forgotten one makes no room


def test_a_word_is_told_as_it_is_mostly_written() -> None:
    written = paper(10, "Décoding", "Decoders decode. A decoder decodes for decoders, decoders.")

    assert "decoders" in taught([written])
    assert "decoding" in taught([paper(11, "Décoding", "Décoding twice.")])


@given(several, several)
@settings(deadline=None)
def test_the_order_of_the_papers_does_not_matter(liked: list[Paper], disliked: list[Paper]) -> None:
    assert taught(liked, disliked) == taught(liked[::-1], disliked[::-1])


@given(several, several, st.sets(st.sampled_from(("draft", "graph", "cach", "imag"))))
@settings(deadline=None)
def test_forgetting_leaves_the_other_words_as_they_are(
    liked: list[Paper], disliked: list[Paper], forgotten: set[str]
) -> None:
    before = learn(liked, disliked, NONE, nobodys)

    after = learn(liked, disliked, forgotten, nobodys)

    assert tuple(word for word in before if word.stem not in forgotten) == after


# ---- what it changes


@given(papers)
@settings(deadline=None)
def test_a_like_never_lowers_the_liked_paper(liked: Paper) -> None:
    asked = channel("decoding|graph|image", "attention")
    before = Profile(asked, NO_PAST).judge(liked)

    after = Profile(asked, NO_PAST, learn([liked], [], NONE, own_words(asked))).judge(liked)

    assert after.score > before.score if before.numbers else after == before


@with_real_papers
@pytest.mark.parametrize("asked", ["diffusion", "reinforcement learning", "title:benchmark"])
def test_a_like_lifts_the_liked_paper_where_the_line_rises_too(asked: str) -> None:
    background = Background(documents()[:1500])
    plain_profile = Profile(channel(asked), background)
    admitted = [d for d in documents() if plain_profile.judge(d).numbers][::15][:5]

    for document in admitted:
        learned = learn([document.paper], [], NONE, own_words(channel(asked)))
        profile = Profile(channel(asked), background, learned)

        assert profile.judge(document).score > plain_profile.judge(document).score
    assert admitted


@given(several, several, papers)
@settings(deadline=None)
def test_the_reasons_make_up_the_score(
    liked: list[Paper], disliked: list[Paper], judged: Paper
) -> None:
    asked = channel("decoding", "graph draft")
    learned = learn(liked, disliked, NONE, own_words(asked))

    verdict = Profile(asked, NO_PAST, learned).judge(judged)

    assert verdict.score == pytest.approx(sum(r.points for r in verdict.reasons), abs=0.005)
    assert verdict.numbers or not verdict.reasons  # nothing for papers that nobody asked for


def test_forgetting_a_word_takes_its_reason_and_only_that() -> None:
    few = paper(12, "Decoding drafts", "Verify")
    asked = channel("decoding")
    all_words = learn([few], [], NONE, own_words(asked))
    kept = learn([few], [], {"draft"}, own_words(asked))

    before = {r.text: r.points for r in Profile(asked, NO_PAST, all_words).judge(few).reasons}
    after = {r.text: r.points for r in Profile(asked, NO_PAST, kept).judge(few).reasons}

    assert before.keys() - after.keys() == {"“drafts”, learned here"}
    assert after == {text: before[text] for text in after}


# ---- a channel and its people


@pytest.fixture
async def world() -> World:
    world = World()
    await world.listed(DRAFTS, TREES, SURVEY, GRAPHS)
    await world.say('subscribe "speculative decoding"')
    return world


async def told(world: World, typed: str) -> str:
    return words(await world.say(typed))


async def score(world: World, of: Paper) -> float:
    view = await world.say(f"why {of.id}")
    assert isinstance(view, Listing)
    (card,) = view.cards
    assert card.score is not None
    return card.score


async def test_without_votes_everything_is_as_it_was(world: World) -> None:
    asked = await world.store.get(HERE)
    assert asked is not None
    everything = await world.library.background(100)

    profile = await world.digests.profile(asked)

    bare = Profile(asked, Background([Document(one) for one in everything]))
    assert [bare.judge(p) for p in everything] == [profile.judge(p) for p in everything]


async def test_a_like_names_the_words_lifts_what_is_alike_and_can_be_taken_back(
    world: World,
) -> None:
    before = [await score(world, one) for one in (TREES, SURVEY, GRAPHS)]

    answer = await world.say("like 2611.00001")

    assert isinstance(answer, Notice)
    assert f"Liked {DRAFTS.title}." in words(answer)
    assert "score higher here for words such as “speculative”, “draft” and “decoding”" in words(
        answer
    )
    assert "“small”, learned here" in await told(world, "why 2611.00002")
    trees, survey, graphs = [await score(world, one) for one in (TREES, SURVEY, GRAPHS)]
    assert trees - before[0] > survey - before[1]
    assert graphs == before[2] == 0  # no subscription admits it
    undo = answer.actions[0]
    assert (undo.label, undo.sentence) == ("Undo", "unvote 2611.00001")

    taken_back = await told(world, undo.sentence)

    assert f"Taken back: your like of {DRAFTS.title}." in taken_back
    assert before == [await score(world, one) for one in (TREES, SURVEY, GRAPHS)]
    assert "You had not voted" in await told(world, undo.sentence)


async def test_a_second_like_says_so_and_a_dislike_changes_it(world: World) -> None:
    first = await world.say("up 2611.00001")
    second = await world.say("like 2611.00001")
    changed = await told(world, "less 2611.00001")

    assert isinstance(first, Notice)
    assert isinstance(second, Notice)
    assert (first.kind, second.kind) == ("done", "info")
    assert "You liked it already" in words(second)
    assert f"Changed to a dislike: {DRAFTS.title}." in changed
    assert await world.people.votes(HERE, VOTED_PAPERS) == [("arxiv:2611.00001", -1)]


async def test_a_dislike_lowers_what_is_alike_but_not_the_channels_own_words(
    world: World,
) -> None:
    before = [await score(world, one) for one in (DRAFTS, SURVEY)]

    answer = await told(world, "dislike 2611.00003")

    assert "score lower here for words such as “criticised”, “survey”" in answer
    drafts, survey = [await score(world, one) for one in (DRAFTS, SURVEY)]
    assert drafts == before[0]
    assert survey < before[1]
    assert "decoding" not in await told(world, "learned")


async def test_a_dislike_names_what_it_taught_beside_stronger_likes(world: World) -> None:
    await world.say("like 2611.00001")

    answer = await told(world, "dislike 2611.00003")

    assert "score lower here for words such as “criticised”" in answer
    assert "draft" not in answer


async def test_votes_decide_what_a_digest_and_a_preview_bring(world: World) -> None:
    await world.listed(POOR)
    assert POOR.title in titles(await world.say("preview"))
    await dislike_fluff(world)

    preview = await world.say("preview")
    why = await told(world, "why 2611.00005")
    recap = await world.say("digest since:7d")

    assert {DRAFTS.title, TREES.title, SURVEY.title} == set(titles(preview)) == set(titles(recap))
    assert "Below the line" in why


async def dislike_fluff(world: World) -> None:
    for number in range(20, 26):
        more = paper(number, f"Fluff {number}", FLUFF)
        await world.library.add([Record(more, Origin.ARXIV_API)], today=TODAY, live=False)
        await world.say(f"dislike 2611.{number:05}")


async def test_a_quiet_day_tells_of_a_match_that_dislikes_keep_below_the_line() -> None:
    world = World()
    await world.say('subscribe "speculative decoding"')
    await dislike_fluff(world)
    await world.listed(POOR, GRAPHS)

    assert await score(world, POOR) < 0 == await score(world, GRAPHS)
    assert f"best was “{POOR.title}” at " in await told(world, "digest")


async def test_what_was_learned_is_listed_with_its_weights_and_where_it_is_from(
    world: World,
) -> None:
    assert "Nothing is learned here yet" in await told(world, "learned")
    await world.say("like 2611.00001")
    await world.say("like 2611.00002")
    await world.say("dislike 2611.00003")

    view = await world.say("learned")

    assert isinstance(view, Listing)
    assert "From 2 liked and 1 disliked papers" in words(view)
    assert (plain(view.rows[0].lead), plain(view.rows[0].body)) == ("+0.25", "draft")
    assert any(plain(row.lead).startswith("-") for row in view.rows)
    assert "forget draft" in words(view)


async def test_a_long_list_of_words_is_paged(world: World) -> None:
    long = paper(9, "Speculative decoding", " ".join(f"word{n}x" for n in range(60)))
    await world.listed(long)
    await world.say("like 2611.00009")

    first, last = await world.say("learned"), await world.say("learned page:3")

    assert isinstance(first, Listing)
    assert isinstance(last, Listing)
    assert [len(first.rows), len(last.rows)] == [20, 10]
    assert [action.sentence for action in first.actions] == ["learned page:2"]
    assert last.actions == ()


async def test_a_word_is_forgotten_until_the_votes_are_cleared(world: World) -> None:
    await world.say("like 2611.00001")
    assert "small" in await told(world, "learned")

    assert "Forgotten: small" in await told(world, 'forget "small"')
    await world.say("like 2611.00002")

    assert "“small”" not in await told(world, "why 2611.00002")
    assert "1 word is forgotten" in await told(world, "learned")
    assert "forgotten already" in await told(world, "forget Small")
    await world.say("forget all sure:yes")
    await world.say("like 2611.00001")
    assert "“small”" in await told(world, "why 2611.00002")


async def test_a_word_that_was_not_learned_gets_the_nearest(world: World) -> None:
    assert "learned to see the words" in await told(world, "forget smal")
    await world.say("like 2611.00001")

    assert "Did you mean “small”?" in await told(world, "forget smal")
    assert "Forget which word" in await told(world, "forget")
    assert "erase me" in await told(world, "forget me")


async def test_forgetting_all_asks_first(world: World) -> None:
    assert "Nothing is learned" in await told(world, "forget all")
    before = await score(world, TREES)
    await world.say("like 2611.00001")

    asked = await world.say("forget all")
    still = await score(world, TREES)
    await world.say("forget all sure:yes")

    assert isinstance(asked, Notice)
    assert [action.sentence for action in asked.actions] == ["forget all sure:yes"]
    assert still > before == await score(world, TREES)
    assert "Nothing is learned" in await told(world, "learned")


async def test_votes_of_one_channel_change_no_other(world: World) -> None:
    before = await score(world, TREES)
    there = replace(ANN, ref=ChannelRef("terminal", "local", "other"))

    await world.say("like 2611.00001", there)

    assert before == await score(world, TREES)


async def test_people_of_a_channel_vote_each_for_themselves(world: World) -> None:
    bob = replace(ANN, user="bob")
    await world.say("like 2611.00001")
    await world.say("dislike 2611.00001", bob)
    cancelled = await told(world, "learned")

    await world.say("unvote 2611.00001", bob)

    assert "Nothing is learned" in cancelled
    assert "From 1 liked" in await told(world, "learned")


async def test_only_who_may_change_the_channel_may_vote(world: World) -> None:
    guest = replace(ANN, user="guest", role=Role.GUEST)
    refused = ["like 2611.00001", "dislike 2611.00001", "unvote 2611.00001", "forget draft"]

    for typed in refused:
        assert "You may not change this channel." in words(await world.say(typed, guest))

    assert await world.people.votes(HERE, VOTED_PAPERS) == []
    assert "Nothing is learned" in words(await world.say("learned", guest))


async def test_erasing_a_person_takes_their_votes_with_it(world: World) -> None:
    await world.say("like 2611.00001")

    asked = await told(world, "erase me")
    await world.say("erase me sure:yes")

    assert "your votes" in asked
    assert "Nothing is learned" in await told(world, "learned")


async def test_in_a_channel_without_subscription_a_like_says_what_is_missing() -> None:
    world = World()
    await world.listed(DRAFTS)

    assert "no subscription yet" in await told(world, "like 2611.00001")


async def test_a_paper_that_is_not_here_is_looked_up_and_filed() -> None:
    world = World(Elsewhere(DRAFTS))

    answer = await told(world, "like 2611.00001")

    assert f"Liked {DRAFTS.title}" in answer
    assert await world.library.find(DRAFTS.id) is not None
    assert "no paper id" in await told(world, "like the moon")


async def test_why_offers_to_like_and_to_dislike(world: World) -> None:
    view = await world.say("why 2611.00001")

    assert isinstance(view, Listing)
    sentences = {action.label: action.sentence for action in view.cards[0].actions}
    assert sentences["Like"] == "like 2611.00001"
    assert sentences["Less like this"] == "dislike 2611.00001"


class CountingLibrary(MemoryLibrary):
    found = 0

    async def find(self, paper_id: str) -> Paper | None:
        self.found += 1
        return await super().find(paper_id)


async def test_voted_papers_are_read_again_only_when_something_has_changed() -> None:
    library = CountingLibrary()
    await library.add(
        [Record(p, Origin.ARXIV_API) for p in (DRAFTS, TREES)], today=TODAY, live=True
    )
    people = MemoryPeople(library)
    digests = Digests(library, MemoryOutbox(library), people, people, lambda: NOW)
    asked = channel("decoding")

    async def reads(of: Channel) -> int:
        before = library.found
        await digests.profile(of)
        return library.found - before

    assert await reads(asked) == 0
    await people.vote(ANN, DRAFTS.id, 1, NOW)
    assert [await reads(asked), await reads(asked)] == [1, 0]
    await people.vote(ANN, TREES.id, 1, NOW)
    assert [await reads(asked), await reads(asked)] == [2, 0]
    await people.forget(HERE, "draft")
    assert [await reads(asked), await reads(asked)] == [2, 0]
    assert await reads(channel("graph")) == 2  # other words of its own
    assert "draft" not in {word.stem for word in await digests.learned(asked)}


async def test_the_papers_voted_on_last_are_those_that_count() -> None:
    library = MemoryLibrary()
    people = MemoryPeople(library)
    digests = Digests(library, MemoryOutbox(library), people, people, lambda: NOW)
    voted = [paper(n, "Decoding" if n else "Sculpture") for n in range(VOTED_PAPERS + 1)]
    await library.add([Record(p, Origin.ARXIV_API) for p in voted], today=TODAY, live=False)
    for n, one in enumerate(voted):
        await people.vote(ANN, one.id, 1, datetime.fromtimestamp(n, UTC))

    learned = {word.stem for word in await digests.learned(channel("decoding"))}

    assert "decod" in learned
    assert "sculptur" not in learned


async def test_the_command_line_digest_knows_the_votes(tmp_path: Path) -> None:
    folder = Settings(data_dir=tmp_path)
    async with open_app(folder, lambda: NOW) as app:
        records = [Record(p, Origin.ARXIV_API) for p in (DRAFTS, TREES)]
        await app.library.add(records, today=TODAY, live=True)
        await app.answers.say('subscribe "speculative decoding"', ANN)
        await app.answers.say("like 2611.00001", ANN)

    async with open_app(folder, lambda: NOW, readonly=True) as app:
        digest = await planned(app, HERE, (), TODAY.isoformat())

    reasons = {card.paper.id: {r.text for r in card.reasons} for card in digest.cards}
    assert "“small”, learned here" in reasons[TREES.id]
    assert digest.cards[0].score is not None
    assert digest.cards[0].score > LINE
