"""Views as nobody means them: whatever papers, feeds and people write, in any number.

Each paper of a view has an id of its own and each reason a mark of its own, so that a test can
tell what is lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from bot.identity import paper_link, pdf_link, short_id
from bot.model import ChannelRef, Paper
from bot.views import (
    Action,
    Digest,
    Document,
    Field,
    Form,
    Listing,
    Notice,
    PaperCard,
    Quiet,
    Reason,
    Row,
    Span,
    View,
)

LAYOUTS = ("compact", "cards", "thread")

HOSTILE = (
    "<!channel>", "<!here|here>", "<!everyone>", "<@U123>", "<@!1>", "<@&123456789012345678>", "<#C024BE91L>", "<#1>",
    "<!subteam^S1>", "<!date^1^{date}|x>", "<t:1>", "<t:1:R>", "</say:1>", "<id:browse>", "@everyone", "@here",
    "&lt;!channel&gt;", "&lt;", "&amp;lt;", "&", "<", ">", "> quoted", ">>> all", "p < 0.05 & q > 1",
    "*bold*", "_it_", "__under__", "~gone~", "~~gone~~", "**both**", "`code`", "```block```", "``", "`", "\\*", "\\",
    "# Title", "-# small", "- item", "1. item", "||spoiler||", "|", "a|b", "<https://evil.example|here>",
    "[a](https://evil.example)", "[a](<https://evil.example>)", "https://evil.example", "<https://evil.example>",
    "http://evil.example/a_b_c?x=1&y=2", "evil.example", "www.evil.example", "ann@evil.example", "mailto:ann@evil.example",
    "discord.gg/abc", "slack://open", ":smile:", "<:name:1>", "<a:name:1>", ":skin-tone-2:",
    "\u202egnp.exe", "\u2066left\u2069", "\u200b", "z\u200be\u200br\u200bo", "\u2060", "\ufeff", "\xad", "@\u200beveryone",
    "שלום", "مرحبا بالعالم", "می\u200cشود", "漢字" * 30, "👩\u200d👩\u200d👧\u200d👦", "🇩🇪", "e\u0301\u0302\u0303",
    r"$\alpha_1 \leq \sum_{i} x^{*}_i$", r"\textbf{x}", "{0}", "%s", "a\nb", "a\r\n\tb", "\n\n", " ", "\xa0", "\x00", "\x1b[31m",
    "\x7f", "\ud800", "x" * 300, "word " * 600, "&" * 3000, "<" * 400, "*_~`|" * 60, "…",
)  # fmt: skip

WORDS = st.sampled_from(HOSTILE) | st.from_regex(r"[a-zA-Z-]{1,20}", fullmatch=True)
TEXTS = st.lists(WORDS | st.text(max_size=30), max_size=4).map(" ".join)
SHORT_TEXTS = TEXTS.map(lambda text: text[:60])

MOMENTS = st.integers(946_684_800, 2_145_830_400).map(  # 2000 to 2037
    lambda seconds: datetime.fromtimestamp(seconds, ZoneInfo("Europe/Berlin"))
)
CHANNELS = st.sampled_from([
    ChannelRef("slack", "T1", "C024BE91L"), ChannelRef("slack", "T1", "@U1"), ChannelRef("slack", "T1", "lab"),
    ChannelRef("discord", "1", "123456789012345678"), ChannelRef("terminal", "local", "main"),
])  # fmt: skip

# of papers that no card shows
OTHER_LINKS = tuple(
    link
    for each in ("arxiv:2507.00001", "arxiv:math/0309136", "doi:10.5555/other(1)")
    for link in (paper_link(each), pdf_link(each))
    if link
)


def _channel_span(ref: ChannelRef) -> Span:
    return Span(ref.channel, channel=ref)


SPANS = st.builds(Span, TEXTS, strong=st.booleans(), code=st.booleans()) | st.one_of(
    st.builds(Span, TEXTS, strong=st.booleans(), link=st.sampled_from(OTHER_LINKS)),
    st.builds(Span, SHORT_TEXTS, when=MOMENTS),
    st.builds(_channel_span, CHANNELS),
)
SPAN_TEXTS = st.lists(SPANS, max_size=4).map(tuple)
SAID = st.lists(SPANS, min_size=1, max_size=4).map(tuple)
LINES = st.lists(SPAN_TEXTS, max_size=3).map(tuple)

SENTENCES = st.sampled_from([
    "list", "help subscribe", "again k3f9x2 page:2", "unsubscribe 3", "unsubscribe all sure:yes",
    "form subscribe", "settings", "set strictness:strict", "why doi:10.1000/a<b>&c", "save " + "doi:10.1000/" + "x" * 70,
])  # fmt: skip
ACTIONS = st.lists(st.builds(Action, TEXTS | st.just("More"), SENTENCES), max_size=6).map(tuple)

CODES = st.sampled_from([
    "", "https://github.com/a/b", "https://github.com/a/b_c*/", "https://gitlab.com/a/b.c/tree/main?x=<y>",
    "https://evil.example/a/b", "javascript:alert(1)", "https://[", "https://github.com/<!channel>/b",
])  # fmt: skip
PROJECTS = st.sampled_from(
    ["", "https://evil.example", "https://a.github.io/b/", "https://github.com/a/b", "<!channel>"]
)

PAPERS = st.builds(
    Paper,
    st.just(""),
    TEXTS,
    authors=st.lists(SHORT_TEXTS, max_size=6).map(tuple),
    categories=st.lists(SHORT_TEXTS | st.just("cs.CL"), max_size=4).map(tuple),
    published=st.none() | MOMENTS.map(lambda when: when.astimezone(UTC)),
    listed_on=st.none() | st.dates(),
    upvotes=st.sampled_from([0, 1, 41, 10**6]),
    discussion=st.sampled_from([0, 1, 5, 10**6]),
    code=CODES,
    stars=st.sampled_from([0, 1, 1312, 10**6]),
    project=PROJECTS,
    submitter=SHORT_TEXTS,
    organisation=SHORT_TEXTS,
)
REASONS = st.lists(
    st.builds(Reason, TEXTS, st.floats(-1000, 1000)), max_size=5
) | st.lists(st.builds(Reason, SHORT_TEXTS, st.just(30.0)), min_size=30, max_size=60)  # fmt: skip
PROTOTYPES = st.builds(
    PaperCard,
    PAPERS,
    st.none() | st.floats(-1000, 1000),
    REASONS.map(tuple),
    gist=SPAN_TEXTS,
    abstract=st.just(()) | SPAN_TEXTS,
    notes=LINES,
)
KINDS = (
    "arxiv:2606.{:05}", "arxiv:quant-ph/02{:05}", "doi:10.1000/x({}):<y>&'z'", "title:{:016x}", "link:{:016x}",
    "doi:10.1000/{}_" + "long*" * 30, "doi:10.1000/{}/" + "m" * 55,
)  # fmt: skip
VERBS = (
    "Save",
    "Similar",
    "Why",
    "Abstract",
    "Less like this",
    "Share",
    "Like",
    "Unsave",
    "Unvote",
)


def _marked(text: str, mark: str) -> str:
    """With the mark where no clipping reaches it; what is blank stays so."""
    if not any(c.isalnum() for c in text):
        return text
    return f"{text} {mark}" if len(text) < 40 else f"{mark} {text}"


def card(prototype: PaperCard, number: int, kind: str, verbs: int) -> PaperCard:
    """The prototype as the paper of that number; the title starts or ends with ``t<number>z``."""
    paper_id = kind.format(number)
    paper = replace(
        prototype.paper, id=paper_id, title=_marked(prototype.paper.title, f"t{number}z")
    )
    reasons = tuple(
        replace(reason, text=_marked(reason.text, f"r{number}x{i}z"))
        for i, reason in enumerate(prototype.reasons)
    )
    short = short_id(paper_id)
    sentences = {verb: f"{verb.split()[0].lower()} {short}" for verb in VERBS[:verbs]}
    actions = tuple(Action(v, s) for v, s in sentences.items() if len(s.encode()) < 90)
    return replace(prototype, paper=paper, reasons=reasons, actions=actions)


@st.composite
def cards(draw: st.DrawFn, most: int = 200) -> tuple[PaperCard, ...]:
    """Some cards of a few kinds; once in a while a great many."""
    some = st.integers(0, min(most, 12)) | st.integers(0, min(most, 40))
    count = draw(some.map(lambda n: most if n == 40 else n))
    if not count:
        return ()
    prototypes = draw(st.lists(PROTOTYPES, min_size=1, max_size=3))
    if count > 30:  # ten thousand reasons in one view tell nothing more
        prototypes = [replace(each, reasons=each.reasons[:3]) for each in prototypes]
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    verbs = draw(st.integers(0, len(VERBS)))
    return tuple(
        card(prototypes[n % len(prototypes)], n + 1, kinds[n % len(kinds)], verbs)
        for n in range(count)
    )  # fmt: skip


def digests(layout: str) -> st.SearchStrategy[Digest]:
    return st.builds(
        Digest,
        st.none() | CHANNELS,
        MOMENTS,
        st.integers(0, 10**5),
        cards(),
        more=st.sampled_from([0, 0, 1, 1234]),
        quiet=st.none() | st.builds(Quiet, st.just("source_late"), TEXTS),
        layout=st.just(layout),
        labels=st.lists(SHORT_TEXTS, max_size=3).map(tuple),
        ping=st.sampled_from(["", "", "123456789012345678"]),
        heading=st.just(()) | SPAN_TEXTS,
        notes=LINES,
        actions=ACTIONS,
    )


ROWS = st.builds(Row, SPAN_TEXTS, SPAN_TEXTS, LINES, st.just(()) | ACTIONS)
LISTINGS = st.builds(
    Listing,
    SPAN_TEXTS,
    LINES,
    st.lists(ROWS, max_size=4).map(tuple)
    | st.builds(lambda row, count: (row,) * count, ROWS, st.integers(0, 60)),
    cards(10) | cards(),
    LINES,
    ACTIONS,
)


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    source = draw(TEXTS)
    start = draw(st.integers(0, len(source)))
    end = draw(st.integers(start, len(source)))
    return Notice(
        draw(SAID),
        draw(st.sampled_from(["done", "info", "error"])),
        draw(LINES),
        draw(cards(5)),
        source=source,
        start=start,
        end=end,
        actions=draw(ACTIONS),
    )


CHOICES = st.lists(
    SHORT_TEXTS.map(lambda text: " ".join(text.replace(",", " ").split())).filter(
        lambda text: any(c.isalnum() for c in text) and text.isprintable()
    )
    | st.sampled_from(["loose", "normal", "strict", "mon", "tue"]),
    min_size=1,
    max_size=12,
    unique=True,
).map(tuple)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    names = ("query", "weight", "label", "days", "zone")
    fields = []
    for name in names[: draw(st.integers(1, 5))]:
        kind = draw(st.sampled_from(["text", "choice", "choices", "time", "zone"]))
        choices = draw(CHOICES) if kind in ("choice", "choices") else ()
        match kind:
            case "choice":
                value = draw(st.sampled_from((*choices, "", "2.5")))
            case "choices":
                value = ",".join(draw(st.lists(st.sampled_from(choices), max_size=3, unique=True)))
            case "time":
                value = draw(st.sampled_from(["", "09:00", "23:59", "09:00,16:00"]))
            case "zone":
                value = draw(st.sampled_from(["", "UTC", "America/Argentina/Buenos_Aires"]))
            case _:
                value = draw(TEXTS)
        label, hint, optional = draw(TEXTS), draw(TEXTS), draw(st.booleans())
        fields.append(Field(name, label, kind, value, choices, hint, optional))
    command = draw(st.sampled_from(["subscribe", "schedule", "search", "set"]))
    return Form(draw(TEXTS), command, tuple(fields), draw(LINES))


# short enough to be shown and not sent as a file
DOCUMENTS = st.builds(Document, st.just("papers.bib"), TEXTS.map(lambda text: text[:1500]))

VIEWS: dict[str, st.SearchStrategy[View]] = {
    **{f"{layout} digest": digests(layout) for layout in LAYOUTS},
    "listing": LISTINGS,
    "notice": notices(),
    "form": forms(),
    "document": DOCUMENTS,
}
