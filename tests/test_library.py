"""The contracts of Library, Ledger and ChangeLog, for every implementation alike."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from adapters.storage.changes import Change, ChangeLog
from adapters.storage.sqlite import Store
from bot.identity import title_id
from bot.model import ChannelRef, Origin, Paper, Record
from bot.ports import Added, Ledger
from tests.fakes import MemoryChangeLog, MemoryLedger, MemoryLibrary

TODAY = date(2026, 6, 24)
DAYS = [date(2026, 6, day) for day in range(20, 25)]
SLOT = datetime(2026, 6, 24, 7, 0, tzinfo=UTC)
MAIN = ChannelRef("terminal", "local", "main")
SIDE = ChannelRef("terminal", "local", "side")

TITLE = "Speculative decoding, revisited"
ARXIV, SECOND = "arxiv:2606.00001", "arxiv:2606.00002"
DOI, TITLED = "doi:10.1000/x", title_id(TITLE)


def now() -> datetime:
    return SLOT


@dataclass(frozen=True, slots=True)
class Home:
    library: MemoryLibrary | Store
    ledger: Ledger
    changes: ChangeLog

    async def file(self, *records: Record, today: date = TODAY, live: bool = True) -> Added:
        return await self.library.add(records, today=today, live=live)

    async def ids(self) -> list[str]:
        return [paper.id for paper in await self.library.between(date.min, date.max)]

    async def arrived(self, seq: int = 0, listed_from: date = date.min) -> list[tuple[int, str]]:
        arrivals = await self.library.after(seq, listed_from=listed_from)
        return [(arrival.seq, arrival.paper.id) for arrival in arrivals]


@pytest.fixture(params=["memory", "sqlite"])
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Home]:
    if request.param == "memory":
        library = MemoryLibrary()
        yield Home(library, MemoryLedger(library), MemoryChangeLog(now))
    else:
        async with await Store.open(tmp_path / "paperboy.sqlite3", now) as store:
            yield Home(store, store, store)


def say(
    paper_id: str,
    title: str = "0",
    day: date | None = None,
    *,
    doi: str = "",
    aliases: Sequence[str] = (),
    origin: Origin = Origin.ARXIV_FEED,
) -> Record:
    return Record(Paper(paper_id, title, "Words.", doi=doi), origin, day, aliases=tuple(aliases))


def vote(paper_id: str, upvotes: int, listed: date, seen: date) -> Record:
    paper = Paper(paper_id, "0", upvotes=upvotes)
    return Record(paper, Origin.HUGGING_FACE, listed, seen)


async def test_an_empty_library_has_an_answer_to_everything(home: Home) -> None:
    assert await home.library.find(ARXIV) is None
    assert await home.library.after(0, listed_from=date.min) == []
    assert await home.library.between(date.min, date.max) == []
    assert await home.library.top(date.min, date.max, 3) == []
    assert await home.library.background(3) == []
    assert await home.library.count() == 0
    assert await home.library.end() == 0
    assert await home.library.newest_day() is None
    assert await home.library.upvotes(ARXIV) == {}
    assert await home.file() == Added((), frozenset(), frozenset())


async def test_a_paper_comes_back_as_it_was_filed(home: Home) -> None:
    full = Paper(
        ARXIV, "Ünïcode “quotes”", "One.\nTwo.\x00", ("A. B", "C"), ("cs.CL", "cs.LG"),
        datetime(2026, 6, 20, 9, 30, 0, 5, tzinfo=UTC), datetime(2026, 6, 21, tzinfo=UTC), 2,
        "10.1000/X", "J. 1", "8 pages", 41, 3, "Short.", ("x", "y, z"), "https://github.com/a/b", 7,
        "https://example.org", "Ada", "Lab",
    )  # fmt: skip

    await home.file(Record(full, Origin.ARXIV_API, DAYS[0], DAYS[1]))

    assert replace(full, listed_on=DAYS[0]) == await home.library.find(ARXIV)


async def test_a_paper_called_zero_survives(home: Home) -> None:
    await home.file(say(ARXIV, "0"))

    paper = await home.library.find(ARXIV)

    assert paper is not None
    assert paper.title == "0"


async def test_half_a_surrogate_pair_does_not_stop_a_batch(home: Home) -> None:
    added = await home.file(say(ARXIV, "bad \ud800 title"), say(SECOND))

    assert {ARXIV, SECOND} == added.new
    assert await home.library.find("doi:10.1000/\ud800") is None


async def test_the_answer_names_what_is_new_and_what_changed(home: Home) -> None:
    first = await home.file(say(ARXIV), say(SECOND), say(ARXIV))
    again = await home.file(say(ARXIV), say(SECOND))
    other = await home.file(replace(say(SECOND), paper=Paper(SECOND, "0", note="8 pages")))

    assert Added((ARXIV, SECOND, ARXIV), frozenset({ARXIV, SECOND}), frozenset()) == first
    assert Added((ARXIV, SECOND), frozenset(), frozenset()) == again
    assert Added((SECOND,), frozenset(), frozenset({SECOND})) == other


async def test_a_paper_that_nobody_announced_is_listed_when_it_first_arrived(home: Home) -> None:
    await home.file(say(ARXIV), today=DAYS[3])
    await home.file(say(ARXIV), today=DAYS[1])
    await home.file(say(ARXIV), today=DAYS[4])

    paper = await home.library.find(ARXIV)

    assert paper is not None
    assert DAYS[1] == paper.listed_on


async def test_between_takes_the_last_day_and_leaves_the_first(home: Home) -> None:
    await home.file(*(say(f"arxiv:2606.0000{9 - n}", day=day) for n, day in enumerate(DAYS)))

    papers = await home.library.between(DAYS[1], DAYS[3])

    assert [p.id for p in papers] == ["arxiv:2606.00007", "arxiv:2606.00006"]
    assert DAYS[-1] == await home.library.newest_day()


async def test_live_papers_arrive_in_order_and_only_from_the_given_day(home: Home) -> None:
    await home.file(say(SECOND, day=DAYS[0]), say(ARXIV, day=DAYS[4]))
    await home.file(say(DOI, day=DAYS[2]))

    assert await home.arrived() == [(1, SECOND), (2, ARXIV), (3, DOI)]
    assert await home.arrived(seq=2) == [(3, DOI)]
    assert await home.arrived(listed_from=DAYS[2]) == [(2, ARXIV), (3, DOI)]


async def test_an_imported_paper_is_no_arrival_until_it_comes_live(home: Home) -> None:
    await home.file(say(ARXIV, day=DAYS[0]), live=False)
    await home.file(say(SECOND, day=DAYS[0]))
    before = await home.arrived()

    added = await home.file(say(ARXIV, day=DAYS[1]))
    await home.file(say(ARXIV, day=DAYS[1]), live=False)

    assert before == [(2, SECOND)]
    assert await home.arrived() == [(2, SECOND), (3, ARXIV)]
    assert Added((ARXIV,), frozenset(), frozenset()) == added
    assert await home.library.end() == 3


async def test_the_top_lists_hugging_face_days_by_upvotes_then_newest(home: Home) -> None:
    one, two, three, four = (f"arxiv:2606.0000{n}" for n in range(1, 5))
    await home.file(
        vote(one, 5, DAYS[0], DAYS[4]),
        vote(one, 5, DAYS[2], DAYS[4]),  # listed twice
        vote(two, 9, DAYS[1], DAYS[4]),
        vote(three, 5, DAYS[3], DAYS[4]),
        vote(four, 99, DAYS[4], DAYS[4]),
        say(SECOND, day=DAYS[1], origin=Origin.ARXIV_FEED),
    )

    found = await home.library.top(DAYS[0], DAYS[3], 3)
    later = await home.library.top(DAYS[1], DAYS[3], 9)

    assert [(DAYS[1], two), (DAYS[3], three), (DAYS[0], one)] == [(d, p.id) for d, p in found]
    assert found[:2] == await home.library.top(DAYS[0], DAYS[3], 2)
    assert [(DAYS[1], two), (DAYS[3], three), (DAYS[2], one)] == [(d, p.id) for d, p in later]


async def test_upvotes_are_remembered_by_day_and_the_larger_stays(home: Home) -> None:
    for upvotes, seen in ((5, DAYS[1]), (3, DAYS[1]), (2, DAYS[0])):
        await home.file(vote(ARXIV, upvotes, DAYS[0], seen))

    paper = await home.library.find(ARXIV)

    assert paper is not None
    assert paper.upvotes == 5
    assert {DAYS[0]: 2, DAYS[1]: 5} == await home.library.upvotes(ARXIV)


async def test_the_background_is_always_the_same_and_has_abstracts(home: Home) -> None:
    await home.file(*(say(f"arxiv:2606.{n:05}") for n in range(50)))
    await home.file(*(Record(Paper(f"arxiv:2607.{n:05}", "0"), Origin.JSONL) for n in range(50)))

    sample = await home.library.background(20)

    assert len({paper.id for paper in sample}) == 20
    assert {"Words."} == {paper.abstract for paper in sample}
    assert sample == await home.library.background(20)
    assert sample[:5] == await home.library.background(5)
    assert len(await home.library.background(1000)) == 50


async def test_a_doi_row_joins_the_arxiv_paper_that_carries_its_doi(home: Home) -> None:
    await home.file(replace(say(DOI), paper=Paper(DOI, "0", journal_ref="J. 1")))

    added = await home.file(say(ARXIV, doi="10.1000/X"))

    assert Added((ARXIV,), frozenset(), frozenset({ARXIV})) == added
    assert await home.ids() == [ARXIV]
    paper = await home.library.find(DOI)
    assert paper is not None
    assert (paper.id, paper.journal_ref, paper.abstract) == (ARXIV, "J. 1", "Words.")


async def test_a_doi_row_that_comes_second_joins_too(home: Home) -> None:
    await home.file(say(ARXIV, doi="10.1000/X"))

    added = await home.file(say(DOI))

    assert Added((ARXIV,), frozenset(), frozenset()) == added
    assert await home.ids() == [ARXIV]


async def test_a_paper_known_by_its_title_joins_the_one_that_has_an_id(home: Home) -> None:
    await home.file(say(TITLED, TITLE))
    await home.file(say(ARXIV, TITLE.upper()))

    assert await home.ids() == [ARXIV]
    assert await home.library.find(TITLED) == await home.library.find(ARXIV)


async def test_a_short_title_joins_nothing(home: Home) -> None:
    await home.file(say(title_id("Editorial"), "Editorial"), say(ARXIV, "Editorial"))

    assert [ARXIV, title_id("Editorial")] == await home.ids()


async def test_papers_with_ids_are_never_one_because_of_a_title_or_doi(home: Home) -> None:
    await home.file(
        say(SECOND, TITLE, doi="10.1000/x"),
        say(ARXIV, TITLE, doi="10.1000/x"),
        say("doi:10.1000/y", TITLE),
        say("link:00000000000000aa", TITLE),
    )

    assert await home.ids() == [ARXIV, SECOND, "doi:10.1000/y", "link:00000000000000aa"]


async def test_a_lesser_row_moves_on_when_a_smaller_better_id_arrives(home: Home) -> None:
    await home.file(replace(say(DOI), paper=Paper(DOI, "0", journal_ref="J. 1")))
    await home.file(say(SECOND, doi="10.1000/x"))

    added = await home.file(say(ARXIV, doi="10.1000/x"))

    first, second = await home.library.find(ARXIV), await home.library.find(SECOND)
    assert Added((ARXIV,), frozenset(), frozenset({ARXIV, SECOND})) == added
    assert first is not None
    assert second is not None
    assert (first.journal_ref, second.journal_ref) == ("J. 1", "")
    assert first == await home.library.find(DOI)


async def test_an_alias_of_a_better_kind_names_the_paper(home: Home) -> None:
    await home.file(say(DOI, aliases=[ARXIV]))

    assert await home.ids() == [ARXIV]
    assert await home.library.find(DOI) == await home.library.find(ARXIV)


async def test_a_paper_known_by_an_alias_alone_is_the_same_the_second_time(home: Home) -> None:
    record = say(DOI, aliases=[ARXIV])
    await home.file(record)

    again = await home.file(record)
    joined = await home.file(say(SECOND, TITLE, aliases=[DOI]), say("arxiv:2605.00001", doi=DOI))

    assert Added((ARXIV,), frozenset(), frozenset()) == again
    assert {"arxiv:2605.00001"} == joined.changed
    assert await home.ids() == ["arxiv:2605.00001", SECOND]


async def test_a_chain_of_ids_leads_to_one_paper(home: Home) -> None:
    link = "link:00000000000000aa"
    await home.file(say(TITLED, TITLE), say(link, TITLE, aliases=[DOI]))
    await home.file(say(DOI, aliases=[SECOND]))

    assert await home.ids() == [SECOND]
    for alias in (TITLED, link, DOI):
        assert await home.library.find(alias) == await home.library.find(SECOND)


async def test_a_joined_paper_keeps_the_first_live_arrival(home: Home) -> None:
    await home.file(say(DOI), live=False)
    await home.file(say(TITLED, TITLE))
    await home.file(say(SECOND))
    await home.file(say(ARXIV, TITLE, doi="10.1000/x"))

    assert await home.arrived() == [(2, ARXIV), (3, SECOND)]
    assert await home.library.end() == 4


async def test_list_days_and_upvotes_follow_a_joined_paper(home: Home) -> None:
    await home.file(vote(DOI, 4, DAYS[0], DAYS[1]))
    await home.file(say(ARXIV, doi="10.1000/x"))

    assert {DAYS[1]: 4} == await home.library.upvotes(ARXIV) == await home.library.upvotes(DOI)
    assert [(DAYS[0], ARXIV)] == [
        (day, paper.id) for day, paper in await home.library.top(DAYS[0], DAYS[0], 1)
    ]


async def test_a_new_channel_has_shown_nothing(home: Home) -> None:
    assert await home.ledger.posted(MAIN) == {}
    assert await home.ledger.cursor(MAIN) is None
    assert await home.ledger.last(MAIN) is None


async def test_a_channel_remembers_what_it_was_shown_and_others_do_not(home: Home) -> None:
    later = SLOT + timedelta(days=1)
    await home.ledger.record(MAIN, SLOT, [SECOND, ARXIV], 7)
    await home.ledger.record(MAIN, later, [DOI], 9)
    await home.ledger.record(MAIN, later + timedelta(days=1), [], 11)

    assert {SECOND: SLOT, ARXIV: SLOT, DOI: later} == await home.ledger.posted(MAIN)
    assert await home.ledger.posted(MAIN, [ARXIV, "arxiv:2606.00009"]) == {ARXIV: SLOT}
    assert await home.ledger.posted(MAIN, []) == {}
    assert (later, (DOI,)) == await home.ledger.last(MAIN)
    assert await home.ledger.cursor(MAIN) == 11
    assert await home.ledger.posted(SIDE) == {}
    assert await home.ledger.cursor(SIDE) is None


async def test_the_last_digest_keeps_the_order_it_was_shown_in(home: Home) -> None:
    shown = (DOI, ARXIV, TITLED, SECOND)

    await home.ledger.record(MAIN, SLOT, shown, 1)
    await home.ledger.record(MAIN, SLOT, shown, 1)

    assert (SLOT, shown) == await home.ledger.last(MAIN)


async def test_slots_are_instants_whatever_the_zone(home: Home) -> None:
    await home.ledger.record(MAIN, SLOT.astimezone(ZoneInfo("Asia/Tokyo")), [ARXIV], 1)
    await home.ledger.record(MAIN, SLOT + timedelta(hours=1), [SECOND], 1)

    assert (SLOT + timedelta(hours=1), (SECOND,)) == await home.ledger.last(MAIN)
    assert {ARXIV: SLOT, SECOND: SLOT + timedelta(hours=1)} == await home.ledger.posted(MAIN)


async def test_a_cursor_starts_once_and_never_goes_back(home: Home) -> None:
    await home.ledger.start(MAIN, 5)
    await home.ledger.start(MAIN, 8)
    assert await home.ledger.cursor(MAIN) == 5

    await home.ledger.record(MAIN, SLOT, [], 3)
    assert await home.ledger.cursor(MAIN) == 5


async def test_what_was_posted_follows_a_joined_paper(home: Home) -> None:
    await home.file(say(DOI))
    await home.ledger.record(MAIN, SLOT, [DOI], 1)
    await home.ledger.record(MAIN, SLOT + timedelta(days=1), ["doi:10.1000/unknown"], 1)

    await home.file(say(ARXIV, doi="10.1000/x"), say(SECOND, doi="10.1000/unknown"))

    assert {ARXIV: SLOT, SECOND: SLOT + timedelta(days=1)} == await home.ledger.posted(MAIN)
    assert await home.ledger.posted(MAIN, [DOI]) == {ARXIV: SLOT}
    assert (SLOT + timedelta(days=1), (SECOND,)) == await home.ledger.last(MAIN)


async def test_a_joined_paper_that_was_posted_twice_was_last_posted_then(home: Home) -> None:
    later = SLOT + timedelta(days=1)
    await home.ledger.record(MAIN, later, [ARXIV], 1)
    await home.ledger.record(MAIN, SLOT, [DOI], 1)
    await home.ledger.record(SIDE, SLOT, [ARXIV], 1)
    await home.ledger.record(SIDE, later, [DOI], 1)

    await home.file(say(ARXIV, doi="10.1000/x"))

    assert {ARXIV: later} == await home.ledger.posted(MAIN) == await home.ledger.posted(SIDE)


async def test_posting_under_an_alias_posts_the_paper(home: Home) -> None:
    await home.file(say(ARXIV, doi="10.1000/x"))

    await home.ledger.record(MAIN, SLOT, [DOI, ARXIV], 1)

    assert await home.ledger.last(MAIN) == (SLOT, (ARXIV,))


async def test_the_history_is_newest_first_and_per_channel(home: Home) -> None:
    first = await home.changes.note(MAIN, by="ada", before=None, after='{"a": 1}')
    await home.changes.note(SIDE, by="bob", before=None, after="{}")
    third = await home.changes.note(MAIN, by="ada", before='{"a": 1}', after=None, undoes=first.id)

    assert Change(first.id, MAIN, SLOT, "ada", None, '{"a": 1}', None) == first
    assert [third, first] == await home.changes.history(MAIN)
    assert [third] == await home.changes.history(MAIN, 1)
    assert first.id < third.id


# A small world in which everything collides with everything.
_ids = st.sampled_from(
    (ARXIV, SECOND, DOI, "doi:10.1000/y", "link:00000000000000aa", "link:00000000000000bb", TITLED,
     title_id("Editorial"))
)  # fmt: skip
_papers = st.builds(
    Paper,
    _ids,
    st.sampled_from((TITLE, "Editorial", "0", "Another title of some length")),
    st.sampled_from(("", "Words.")),
    version=st.integers(0, 2),
    doi=st.sampled_from(("", "", "10.1000/X", "10.1000/y", "10.48550/arXiv.2606.00002")),
    note=st.sampled_from(("", "8 pages")),
    upvotes=st.integers(0, 3),
)
_days = st.none() | st.sampled_from(DAYS[:2])
_records = st.builds(
    Record,
    _papers,
    st.sampled_from((Origin.ARXIV_API, Origin.HUGGING_FACE, Origin.JOURNAL)),
    _days,
    _days,
    st.lists(_ids, max_size=2).map(tuple),
)


@given(st.lists(_records, min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_number_of_times_gives_the_same_papers(
    records: list[Record], random: Random
) -> None:
    asyncio.run(_compare(records, random))


async def _compare(records: list[Record], random: Random) -> None:
    memory = MemoryLibrary()
    await memory.add(records, today=TODAY, live=True)
    expected = await _visible(memory)
    with tempfile.TemporaryDirectory() as folder:
        async with await Store.open(Path(folder) / "a.sqlite3", now) as store:
            told = MemoryLibrary()
            for batch in _batches(records, random):
                live = random.random() < 0.5
                answer = await store.add(batch, today=TODAY, live=live)
                assert await told.add(batch, today=TODAY, live=live) == answer
                assert await _visible(told) == await _visible(store)
                assert await told.after(0, listed_from=date.min) == await store.after(
                    0, listed_from=date.min
                )

            assert expected == await _visible(store)


def _batches(records: list[Record], random: Random) -> list[list[Record]]:
    """Each record at least once, shuffled, cut anywhere."""
    order = records + random.choices(records, k=len(records))
    random.shuffle(order)
    cuts = sorted(random.sample(range(len(order) + 1), 2))
    return [order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] :]]


async def _visible(library: MemoryLibrary | Store) -> list[object]:
    found = [await library.find(i) for i in (ARXIV, SECOND, DOI, "link:00000000000000aa", TITLED)]
    return [
        await library.between(date.min, date.max),
        await library.top(date.min, date.max, 9),
        found,
    ]


async def test_what_is_old_goes_and_the_index_hears_of_it(home: Home) -> None:
    library = home.library
    first, last = date(2025, 1, 7), date(2026, 11, 23)
    merged = say("arxiv:2501.00001", "Old", first, doi="10.1/old", aliases=("doi:10.1/old",))
    kept = say("arxiv:2501.00002", "Saved", first, aliases=("doi:10.1/saved",))
    fresh = say("arxiv:2611.00001", "Fresh", last)
    said = [
        merged,
        kept,
        fresh,
        say("doi:10.1/old", "Old", first),
        vote("arxiv:2501.00001", 9, first, first),
    ]
    await library.add(said, today=first, live=True)
    known = await library.revision()

    dropped = await library.prune(date(2025, 10, 1), ["doi:10.1/saved", "arxiv:unknown"])

    assert dropped == 1
    assert await library.find("arxiv:2501.00001") is None
    assert await library.find("doi:10.1/old") is None
    assert {p.title for p in await library.between(date.min, date.max)} == {"Saved", "Fresh"}
    assert await library.top(first, first, 5) == []
    assert [(r.id, r.paper) for r in await library.revised(known, 9)] == [
        ("arxiv:2501.00001", None)
    ]
    assert await library.prune(date(2025, 10, 1), ["doi:10.1/saved"]) == 0


async def test_papers_that_were_brought_in_on_purpose_stay_however_old(home: Home) -> None:
    library, day = home.library, date(2025, 1, 7)
    await library.add([say("arxiv:2501.00001", "Imported", day)], today=day, live=False)
    await library.add([say("arxiv:2501.00002", "Live", day)], today=day, live=True)

    assert await library.prune(date(2026, 1, 1), []) == 1
    assert {p.title for p in await library.between(date.min, date.max)} == {"Imported"}


async def test_an_old_paper_that_is_listed_anew_stays(home: Home) -> None:
    library, old, today = home.library, date(2025, 1, 7), date(2026, 11, 23)
    known = say("arxiv:2501.00001", "Old", old, doi="10.1/old", aliases=("doi:10.1/old",))
    await library.add([known], today=old, live=True)
    await library.add([vote("doi:10.1/old", 9, today, today)], today=today, live=True)

    assert await library.prune(date(2026, 1, 1), []) == 0


async def test_a_paper_that_was_dropped_can_come_again(home: Home) -> None:
    library, day = home.library, date(2025, 1, 7)
    await library.add([say("arxiv:2501.00001", "Old", day)], today=day, live=True)
    await library.prune(date(2026, 1, 1), [])

    added = await library.add([say("arxiv:2501.00001", "Old", day)], today=day, live=True)

    assert added.new == {"arxiv:2501.00001"}
    assert [a.seq for a in await library.after(0, listed_from=day)] == [2]
