"""What people are shown, on every platform alike: nothing is lost and nothing fires."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from bot.identity import code_link, discussion_link, paper_link, pdf_link, short_id
from bot.model import Paper
from bot.views import (
    Action,
    Digest,
    Document,
    Form,
    Listing,
    Notice,
    PaperCard,
    Reason,
    Span,
    Text,
    View,
    plain,
    text,
)
from tests.discord_reader import DiscordReader
from tests.hostile_views import HOSTILE, LAYOUTS, VIEWS
from tests.reading import Reader, Reading, cards_of, letters, texts_of
from tests.slack_reader import SlackReader
from tests.terminal_reader import TerminalReader

READERS = [
    pytest.param(SlackReader(), id="slack"),
    pytest.param(DiscordReader(), id="discord"),
    pytest.param(TerminalReader(), id="terminal"),
]

EXAMPLES = -(-int(os.environ.get("PAPERBOY_EXAMPLES", "420")) // len(VIEWS))  # of each kind
SURE = 100  # characters of a text that are shown however little room there is
SURE_OF_A_REASON = 60
SURE_OF_A_NAME = 25
SURE_OF_A_LABEL = 20
SURE_OF_A_FORM_TITLE = 15  # Slack: 24, cut between words


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("reader", READERS)
def test_whatever_a_view_holds_nothing_is_lost_and_nothing_fires(reader: Reader, kind: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(view=VIEWS[kind])
    def holds(view: View) -> None:
        keeps_the_contract(reader, view)

    holds()


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reader", READERS)
def test_one_hostile_text_everywhere(reader: Reader, layout: str, hostile: str) -> None:
    paper = Paper(
        "arxiv:2606.20622", hostile, hostile, (hostile,) * 5, (hostile,), upvotes=1, submitter=hostile
    )  # fmt: skip
    card = PaperCard(
        paper,
        31.0,
        (Reason(hostile, 31.0),),
        gist=text(hostile, Span(hostile, strong=True), hostile),
        notes=(text(hostile),),
        actions=(Action(hostile, "save 2606.20622"), Action(hostile, "why 2606.20622")),
    )
    when = datetime(2026, 6, 22, 9, tzinfo=UTC)
    digest = Digest(
        None, when, 412, (card,), layout=layout, heading=text(hostile), notes=(text(hostile),)
    )

    keeps_the_contract(reader, digest)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reader", READERS)
def test_two_hundred_papers_are_all_shown_in_order(reader: Reader, layout: str) -> None:
    papers = [Paper(f"arxiv:2606.{n:05}", f"Paper {n}", "About it.") for n in range(200)]
    when = datetime(2026, 6, 22, 9, tzinfo=UTC)
    digest = Digest(None, when, 412, tuple(map(PaperCard, papers)), layout=layout)

    keeps_the_contract(reader, digest)
    posted = reader.read(digest).posted
    assert [paper.id for paper in papers] == [each for post in posted for each in post.papers]


def keeps_the_contract(reader: Reader, view: View) -> None:
    reading = reader.read(view)

    assert reading.broken == ()
    assert all(each.strip() for each in reading.notifications)
    only_what_is_ours_is_live(reader.platform, view, reading)
    no_text_is_lost(reader.platform, view, reading)
    if reader.platform == "terminal":
        what_to_type_is_told(view, reading)
    else:
        no_button_is_lost(view, reading)
    if not isinstance(view, Form | Document):
        no_paper_is_lost(view, reading)
    if isinstance(view, Digest):
        each_post_holds_its_papers(view, reading)
    if isinstance(view, Form):
        what_a_form_proposes_is_kept(view, reading)


def only_what_is_ours_is_live(platform: str, view: View, reading: Reading) -> None:
    ours = {span.link.url for spans in texts_of(view) for span in spans if span.link}
    for card in cards_of(view):
        ours |= set(links_of(card.paper)) | set(possible_links(card.paper))
    assert set() == set(reading.links) - ours
    pinged = {view.ping} if isinstance(view, Digest) else set()
    assert set() == set(reading.mentions) - pinged
    assert set() == set(reading.channels) - {
        span.channel.channel
        for spans in texts_of(view)
        for span in spans
        if span.channel and span.channel.platform == platform
    }
    assert set() == set(reading.moments) - {
        span.when.astimezone(UTC) for spans in texts_of(view) for span in spans if span.when
    }


def no_text_is_lost(platform: str, view: View, reading: Reading) -> None:
    found = letters(reading.text)
    for spans in texts_of(view):
        for span, shown in sure(spans):
            if span.when:
                is_live = span.when.astimezone(UTC) in reading.moments
                told = f"{span.when:%a} {span.when.day} {span.when:%b %Y, %H:%M %Z}"
                assert is_live or letters(shown) in found or letters(told) in found
            elif span.channel and span.channel.platform == platform:
                assert span.channel.channel in reading.channels or letters(shown) in found
            else:
                assert letters(shown) in found
            if span.link and letters(shown):
                assert span.link.url in reading.links
    match view:
        case Digest():
            if view.quiet:
                assert start(view.quiet.text) in found
            elif view.considered:
                assert letters(f"{view.considered:,}") in found
            if view.more:
                assert letters(f"{view.more:,}") in found
        case Document():
            assert letters(view.content) in found
        case Notice():
            assert start(view.source[view.start : view.end], SURE_OF_A_LABEL) in found
        case _:
            pass


def no_button_is_lost(view: View, reading: Reading) -> None:
    wanted = list(actions_of(view))
    assert {action.sentence for action in wanted} == set(reading.sentences)
    found = list(zip(reading.sentences, map(letters, reading.labels), strict=True))
    for action in wanted:
        label = start(action.label, SURE_OF_A_LABEL)
        assert any(s == action.sentence and known.startswith(label) for s, known in found)
    assert all(label.strip() for label in reading.labels)


def what_to_type_is_told(view: View, reading: Reading) -> None:
    """One sentence for all buttons of a name: the first paper stands for the others."""
    found = letters(reading.text)
    for action in {action.label: action for action in reversed([*actions_of(view)])}.values():
        sentence = " ".join(map(short_id, action.sentence.split()))
        assert letters(sentence) in found


def no_paper_is_lost(view: Digest | Listing | Notice, reading: Reading) -> None:
    found, strong = letters(reading.text), letters(reading.strong)
    pages = {paper_link(card.paper.id, card.paper.title).url: None for card in view.cards}
    assert list(pages) == list(dict.fromkeys(url for url in reading.links if url in pages))
    for card in view.cards:
        paper = card.paper
        assert set() == set(links_of(paper)) - set(reading.links)
        assert start(paper.title) in found
        for reason in card.reasons:
            assert start(reason.text, SURE_OF_A_REASON) in found
            assert letters(f"{reason.points:.1f}") in found
        for name in (*paper.authors[:3], *paper.categories[:1], paper.submitter):
            assert start(name, SURE_OF_A_NAME) in found
        if len(plain(card.gist)) <= SURE:
            for span in card.gist:
                if span.strong and not (span.code or span.when or span.channel):
                    assert start(span.text) in strong


def each_post_holds_its_papers(digest: Digest, reading: Reading) -> None:
    papers = {card.paper.id: card.paper for card in digest.cards}
    assert list(papers) == [paper_id for post in reading.posted for paper_id in post.papers]
    for post in reading.posted:
        for paper_id in post.papers:
            assert paper_link(paper_id, papers[paper_id].title).url in post.links


def what_a_form_proposes_is_kept(form: Form, reading: Reading) -> None:
    found = letters(reading.text)
    assert start(form.title, SURE_OF_A_FORM_TITLE) in found
    assert {field.name for field in form.fields} == set(reading.fields)
    for field in form.fields:
        proposed = reading.fields[field.name]
        assert start(field.label, SURE_OF_A_LABEL) in found
        if field.kind != "time":  # a clock needs no hint
            assert start(field.hint, SURE_OF_A_LABEL) in found
        if field.kind == "choices":
            assert set(field.value.split(",")) == set(proposed.split(","))
        elif field.kind == "text":
            assert letters(proposed).startswith(start(field.value))
        else:
            assert field.value == proposed


def start(words: str, length: int = SURE) -> str:
    """The letters of what is shown for sure."""
    return letters(" ".join(words.split())[:length])


def sure(spans: Text) -> Iterator[tuple[Span, str]]:
    """The spans that are shown for sure, each with as much of its text."""
    room = SURE
    for span in spans:
        shown = " ".join(span.text.split())[:room]
        yield span, shown
        room -= len(span.text)
        if room <= 0:
            return


def links_of(paper: Paper) -> list[str]:
    """The addresses that its card must have."""
    found = [paper_link(paper.id, paper.title), pdf_link(paper.id), code_link(paper.code)]
    found.append(code_link(paper.project))
    if paper.upvotes or paper.discussion:
        found.append(discussion_link(paper.id))
    return [link.url for link in found if link]


def possible_links(paper: Paper) -> list[str]:
    discussion = discussion_link(paper.id)
    return [discussion.url] if discussion else []


def actions_of(view: View) -> Iterator[Action]:
    for card in cards_of(view):
        yield from card.actions
    if isinstance(view, Listing):
        for row in view.rows:
            yield from row.actions
    if not isinstance(view, Form | Document):
        yield from view.actions


def test_a_contract_that_a_liar_keeps_would_be_none() -> None:
    """A reading from which something is missing does not keep it."""
    paper = Paper("arxiv:2606.20622", "Speculative decoding", authors=("Ada Lovelace",))
    card = PaperCard(
        paper, 31.0, (Reason("in title", 31.0),),
        gist=text(Span("Fast.", strong=True)), actions=(Action("Save", "save 2606.20622"),),
    )  # fmt: skip
    digest = Digest(None, datetime(2026, 6, 22, tzinfo=UTC), 412, (card,))

    keeps_the_contract(SlackReader(), digest)
    for lie in ("text", "strong", "links", "sentences", "posted"):
        with pytest.raises(AssertionError):
            keeps_the_contract(Liar(lie), digest)


@dataclass(slots=True)
class Liar:
    """Reads as Slack's reader does and leaves something out."""

    what: str
    platform: str = "slack"

    def read(self, view: View) -> Reading:
        reading = SlackReader().read(view)
        nothing = type(getattr(reading, self.what))()
        return replace(reading, **{self.what: nothing})
