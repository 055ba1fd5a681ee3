"""Feeds of all kinds give papers; what is broken or hostile in them gives nothing else."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings, strategies as st

from adapters.sources import journals
from adapters.sources.http import PoliteClient
from adapters.sources.journals import Journal, _NotAFeed, journal_hosts, journal_name, read_feed
from bot.errors import SourceUnavailable
from bot.identity import link_id, title_id
from bot.model import Origin, Paper, Record
from bot.ports import Batch, Health
from tests.source_server import Fault, SourceServer, VirtualTime, status, web_page

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOON.date()
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:prism="http://prismstandard.org/'
    'namespaces/basic/2.0/" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
)


def fixture(name: str) -> bytes:
    return (DATA / name).read_bytes()


def papers(body: bytes) -> list[Paper]:
    return [record.paper for record in read_feed(body, TODAY).records]


def rss(*items: str) -> bytes:
    joined = "".join(f"<item>{item}</item>" for item in items)
    return f'<rss version="2.0" {NAMESPACES}><channel>{joined}</channel></rss>'.encode()


def item(inner: str) -> Record:
    """The record of an item with this content and a title."""
    feed = read_feed(rss("<title>Owls</title>" + inner), TODAY)
    assert feed.skipped == []
    return feed.records[0]


def abstract(markup: str) -> str:
    return item(f"<description>{escape(markup)}</description>").paper.abstract


# The shapes of the publishers


def test_biorxiv_lists_surnames_with_initials_in_one_field() -> None:
    feed = read_feed(fixture("biorxiv.rdf"), TODAY)

    assert feed.records == [
        Record(
            Paper(
                id="doi:10.64898/2026.11.19.700101",
                title="Barn owls count the rustles of a mouse before they strike",
                abstract="Owls hear well, but what they wait for is unknown. We played rustles to "
                "14 owls & found that a strike follows the third one (p<0.05).",
                authors=("E. Kauz", "J.-P. Uhu-Meyer", "The Owl Consortium", "A. B. Strix"),
                published=datetime(2026, 11, 21, tzinfo=UTC),
                doi="10.64898/2026.11.19.700101",
                journal_ref="bioRxiv",
            ),
            Origin.JOURNAL,
            listed_on=date(2026, 11, 21),
            aliases=(
                str(link_id("http://biorxiv.org/cgi/content/short/2026.11.19.700101v1?rss=1")),
            ),
        ),
        Record(
            Paper(
                id="doi:10.64898/2026.11.20.700102",
                title="A second look at Tyto alba and its silent wings",
                abstract="Wings make little noise.",
                authors=("F. Flaum",),
                published=datetime(2026, 11, 22, tzinfo=UTC),
                doi="10.64898/2026.11.20.700102",
                journal_ref="bioRxiv",
            ),
            Origin.JOURNAL,
            listed_on=date(2026, 11, 22),
            aliases=(
                str(link_id("http://biorxiv.org/cgi/content/short/2026.11.20.700102v2?rss=1")),
            ),
        ),
    ]


def test_nature_begins_with_an_imprint_and_repeats_the_title() -> None:
    first, second = papers(fixture("nature.rdf"))

    assert first.id == "doi:10.1038/s49999-026-00001-1"
    assert first.abstract == "A retina of rods sees by 10–6 lux of starlight."
    assert first.authors == ("Athena Noctua", "Bubo van der Heide")
    assert first.published == datetime(2026, 11, 20, tzinfo=UTC)
    assert first.journal_ref == "Nature Owls"
    assert second.abstract == ""
    assert second.journal_ref == "Nature Owls 3 (11)"


def test_plos_gives_the_doi_as_id_and_structured_abstracts() -> None:
    [paper] = papers(fixture("plos.atom"))

    assert paper.id == "doi:10.1371/journal.pone.0999001"
    assert paper.doi == "10.1371/journal.pone.0999001"
    assert paper.abstract == (
        "Background Pellets tell. Results Voles, Microtus mostly, & a sparrow (<1 %)."
    )
    assert paper.authors == ("Asio Otus", "María José Lechuza")


def test_the_anthology_has_names_and_volume_where_others_have_an_abstract() -> None:
    [paper] = papers(fixture("acl.rss"))  # the front matter is no paper

    assert paper.id == link_id("https://aclanthology.org/2026.owl-long.1/")
    assert paper.title == "Hoots as a Low-Resource Language"
    assert paper.abstract == ""
    assert paper.authors == ("Minerva Owlsley", "Strix Aluco", "Bo Li")
    assert paper.journal_ref == (
        "Proceedings of the 1st Workshop on Owls in NLP (Volume 1: Long Papers)"
    )


def test_jmlr_prints_a_year_which_is_no_day() -> None:
    [record] = read_feed(fixture("jmlr.rss"), TODAY).records

    assert record.listed_on is None
    assert record.paper.published is None
    assert record.paper.id == link_id("https://jmlr.org/papers/v27/26-9001.html")
    assert record.paper.title == "Owl Search Converges in O(log n) Nights"
    assert record.paper.abstract == (
        "Abstract interpretation of owls is hard. We bound the regret of hunting by α."  # noqa: RUF001  # it is an alpha
    )


def test_every_file_of_test_data_is_used() -> None:
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    unused = [path.name for path in DATA.rglob("*") if path.is_file() and path.name not in tests]

    assert unused == []


# Text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("One.<br/>Two.<BR>Three.", "One. Two. Three."),
        ("<div class='a b'>One</div><ul><li>two</li><li>three</li></ul>", "One two three"),
        ("H<sub>2</sub>O and <i>E.&nbsp;coli</i>", "H2O and E. coli"),
        ("caf&eacute; &amp; &#8220;tea&#x201D; &lt;b&gt;", "café & “tea” <b>"),
        ("a &ampnbsp; b &unknown; c", "a &nbsp; b &unknown; c"),
        ("p<0.05, a<b and c>d, List<T>, <https://x.example>", None),
        ("x <unknown>y</unknown>", None),
        ("<script>alert('x<y')</script>One.<style>p { a: b }</style>", "One."),
        ("<script async defer>alert(1)</script>One.", "One."),
        ("<SCRIPT src=//evil.example>alert(1)</SCRIPT >One.", "One."),
        ("One.<script>alert(1)", "One."),
        ("One.<script/>Two.</script>", "One.Two."),
        ("<svg onload=alert(1)><text>x</text></svg>One.", "One."),
        ("One.<!-- two <p> -->Three.<!-- four", "One.Three."),
        ("<a href='javascript:alert(1)'>One</a>", "One"),
        ('<img src="x" alt="a > b" />One', "One"),
        ("<jats:sec><jats:title>Aim</jats:title><jats:p>Fly.</jats:p></jats:sec>", "Aim Fly."),
        ("<mml:math><mml:mi>x</mml:mi><mml:annotation>\\x</mml:annotation></mml:math>", "x"),
        ("tag < p > with blanks", None),
        ("<", None),
        ("<p", None),
        ("<p class=", None),
        ("]]>One<![CDATA[ Two", "One Two"),
        ("A\u202eB\u200bC\x85D\u2028E", "ABC D E"),
    ],
)
def test_markup_vanishes_and_no_word_with_it(markup: str, text: str | None) -> None:
    assert (markup if text is None else text) == abstract(markup)


@pytest.mark.parametrize(
    "markup",
    [
        "Abstract: Owls see.",
        "ABSTRACT Owls see.",
        "Abstract—Owls see.",
        "Abstract - Owls see.",
        "Summary. Owls see.",
        "<h2>Abstract</h2><p>Owls see.</p>",
        "<sec><st>Abstract</st><p>Owls see.</p></sec>",
        "<p><b>Abstract:</b></p> Owls see.",
        "<p>Publication date: July 2026</p><p><b>Source:</b> Owls, Volume 3</p>Owls see.",
        "<p>Author(s): A. Owl</p><p>Owls see.</p>",
    ],
)
def test_what_stands_before_an_abstract_is_no_part_of_it(markup: str) -> None:
    assert abstract(markup) == "Owls see."


@pytest.mark.parametrize(
    "text",
    ["Abstract interpretation works.", "Summary statistics work.", "By night owls work."],
)
def test_an_abstract_may_begin_with_any_word(text: str) -> None:
    assert text == abstract(text)


def test_the_longest_of_several_texts_is_the_abstract() -> None:
    record = item("<description>Short.</description><content:encoded>It is long.</content:encoded>")

    assert record.paper.abstract == "It is long."


def test_xhtml_is_text_too() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry>
      <title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Of <i>Bubo</i> owls</div></title>
      <summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>One.</p><p>Two.</p>
      <script>alert(1)</script></div></summary></entry></feed>"""

    [paper] = papers(body)

    assert (paper.title, paper.abstract) == ("Of Bubo owls", "One. Two.")


# Authors


@pytest.mark.parametrize(
    ("inner", "names"),
    [
        ("<dc:creator>A. Owl</dc:creator><dc:creator>Li, Bo</dc:creator>", ("A. Owl", "Bo Li")),
        ("<dc:creator>Owl, A., de la Cruz, J. M.</dc:creator>", ("A. Owl", "J. M. de la Cruz")),
        ("<dc:creator>Owl AB, Li B</dc:creator>", ("Owl AB", "Li B")),
        ("<dc:creator>Owl, Ann</dc:creator>", ("Ann Owl",)),
        ("<dc:creator>Ann Owl, Bo Li and Cy Do</dc:creator>", ("Ann Owl", "Bo Li", "Cy Do")),
        ("<dc:creator>Owl, Ann; van Dam, Bo</dc:creator>", ("Ann Owl", "Bo van Dam")),
        ("<dc:creator>Ann Owl (Oxford, UK), Bo Li</dc:creator>", ("Ann Owl", "Bo Li")),
        ("<dc:creator><![CDATA[<b>Ann</b> O&#39;Wl]]></dc:creator>", ("Ann O'Wl",)),
        ("<author>ann@owl.example (Ann Owl)</author>", ("Ann Owl",)),
        ("<author>ann@owl.example</author>", ()),
        ("<author>Ann Owl, Bo Li</author>", ("Ann Owl", "Bo Li")),
        ("<author><name>Ann Owl</name></author><author>x</author>", ("Ann Owl",)),
        ("<description>&lt;p&gt;Author(s): Ann Owl, Bo Li&lt;/p&gt;</description>",
         ("Ann Owl", "Bo Li")),
        ("<dc:creator> </dc:creator><dc:creator>,;,</dc:creator>", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_authors_come_in_many_forms(inner: str, names: tuple[str, ...]) -> None:
    assert names == item(inner).paper.authors


# Which paper


@pytest.mark.parametrize(
    ("inner", "paper_id"),
    [
        ("<prism:doi>10.1000/Owl.1</prism:doi>", "doi:10.1000/owl.1"),
        ("<dc:identifier>doi:10.1000/owl.1</dc:identifier>", "doi:10.1000/owl.1"),
        ("<dc:identifier>hwp:master-id:owl;1</dc:identifier>"
         "<dc:identifier>info:doi/10.1000/owl.1</dc:identifier>", "doi:10.1000/owl.1"),
        ("<guid>https://doi.org/10.1000/owl.1</guid>", "doi:10.1000/owl.1"),
        ("<link>https://j.example/doi/full/10.1000/owl.1?af=R</link>", "doi:10.1000/owl.1"),
        ("<link>https://j.example/doi/10.1000/owl.1</link>", "doi:10.1000/owl.1"),
        ("<link>https://j.example/article?id=10.1000/owl.1</link>", "doi:10.1000/owl.1"),
        ("<link>https://www.biorxiv.org/content/10.1101/2026.11.19.7v2?rss=1</link>",
         "doi:10.1101/2026.11.19.7"),
        ("<link>https://arxiv.org/abs/2611.01234v2</link>", "arxiv:2611.01234"),
        ("<guid>http://arxiv.org/pdf/2611.01234</guid><prism:doi>10.1000/owl.1</prism:doi>",
         "arxiv:2611.01234"),
        ("<prism:doi>10.48550/arXiv.2611.01234</prism:doi>", "arxiv:2611.01234"),
        ("<guid>2611.01234</guid>", title_id("Owls")),  # a number of the journal's own
        ("<link>javascript:alert(1)</link>", title_id("Owls")),
        ("<link>data:text/html,x</link><guid>[::1</guid>", title_id("Owls")),
        ("<link>http://[::1/</link>", title_id("Owls")),
        ("<link>https://j.example/a</link>", link_id("https://j.example/a")),
        ("<link rel='self' href='https://j.example/f'/><link href='https://j.example/a'/>",
         link_id("https://j.example/a")),
        (f"<prism:doi>10.1000/{'x' * 3000}</prism:doi>", title_id("Owls")),
    ],
)  # fmt: skip
def test_a_paper_is_known_by_the_best_of_its_ids(inner: str, paper_id: str) -> None:
    assert paper_id == item(inner).paper.id


def test_the_other_ids_are_aliases() -> None:
    record = item(
        "<link>https://arxiv.org/abs/2611.01234</link><prism:doi>10.1000/owl.1</prism:doi>"
    )

    assert record.paper.doi == "10.1000/owl.1"
    assert record.aliases == ("doi:10.1000/owl.1", link_id("https://arxiv.org/abs/2611.01234"))


def test_an_id_that_two_papers_share_is_the_journals() -> None:
    shared = "<link>https://j.example/</link><prism:doi>10.1000/j</prism:doi>"

    first, second = read_feed(
        rss(f"<title>Owls</title>{shared}", f"<title>Mice</title>{shared}"), TODAY
    ).records

    assert (first.paper.id, second.paper.id) == (title_id("Owls"), title_id("Mice"))
    assert (first.paper.doi, first.aliases) == ("", ())


def test_a_paper_that_is_listed_twice_keeps_its_id() -> None:
    twice = ["<title>Owls</title><prism:doi>10.1000/owl.1</prism:doi>"] * 2

    assert [paper.id for paper in papers(rss(*twice))] == ["doi:10.1000/owl.1"] * 2


# When


@pytest.mark.parametrize(
    ("printed", "day"),
    [
        ("Sat, 21 Nov 2026 23:30:00 -0500", date(2026, 11, 21)),
        ("21 Nov 2026 09:00 GMT", date(2026, 11, 21)),
        ("Sat, 21 Nov 2026", date(2026, 11, 21)),
        ("2026-11-21", date(2026, 11, 21)),
        ("2026-11-21T23:30:00-05:00", date(2026, 11, 21)),
        ("2026-11-21T09:00:00", date(2026, 11, 21)),
        ("2026-11-21-08:00", date(2026, 11, 21)),
        ("2026-11-24T01:00:00+13:00", TODAY),  # tomorrow has begun there
        ("2027-02-01", None),  # the date of an issue
        ("2026", None),
        ("2026-11", None),
        ("November 2026", None),
        ("yesterday", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("2026-99-99", None),
        ("1" * 1500, None),
    ],
)
@pytest.mark.parametrize("name", ["pubDate", "dc:date", "prism:publicationDate"])
def test_the_day_is_the_one_that_is_printed(name: str, printed: str, day: date | None) -> None:
    assert day == item(f"<{name}>{printed}</{name}>").listed_on


def test_an_unreadable_date_gives_way_to_the_next() -> None:
    record = item("<pubDate>2026</pubDate><dc:date>2026-11-20</dc:date>")

    assert record.listed_on == date(2026, 11, 20)


# Broken and hostile feeds


def test_a_broken_entry_is_skipped_and_named() -> None:
    feed = read_feed(
        rss("<guid>a-1</guid>", "<title>Owls</title>", "<title> <!-- x --></title>"), TODAY
    )

    assert [record.paper.title for record in feed.records] == ["Owls"]
    assert [(skipped.what, skipped.why) for skipped in feed.skipped] == [
        ("a-1", "it has no title"),
        ("entry 3", "it has no title"),
    ]


def test_entities_of_html_and_control_characters_are_repaired() -> None:
    body = (
        b"\xef\xbb\xbf\n<rss><channel><item><title>Owls&nbsp;&amp;&eacute;&none; &#11;&#x1F;\x0b"
        b"&#10;</title><description><![CDATA[a&nbsp;b]]></description></item></channel></rss>"
    )

    [paper] = papers(body)

    assert (paper.title, paper.abstract) == ("Owls &é&none;", "a b")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_heeded(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><rss><channel><item><title>Käuze</title>'

    assert papers(f"{text}</item></channel></rss>".encode(encoding))[0].title == "Käuze"


DTD = '<!DOCTYPE r [<!ENTITY a "x">{}]>'
BILLION = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 10))
ITEM = "<item><title>{}</title></item>"
FEED = "<rss><channel>{}</channel></rss>"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(DTD.format("") + FEED, "defines entities", id="a DTD"),
        pytest.param(DTD.format('<!ENTITY b0 "x">' + BILLION) + FEED.format(ITEM.format("&b9;")),
                     "defines entities", id="a billion laughs"),
        pytest.param(DTD.format(f'<!ENTITY q "{"x" * 100_000}">') +
                     FEED.format(ITEM.format("&q;" * 10_000)), "defines entities", id="quadratic"),
        pytest.param(DTD.format('<!ENTITY f SYSTEM "file:///etc/passwd">') +
                     FEED.format(ITEM.format("&f;")), "defines entities", id="a file"),
        pytest.param('<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/x.dtd"><rss/>', "defines entities",
                     id="a DTD elsewhere"),
        pytest.param(FEED.format("<item>" + "<a>" * 200_000 + "</a>" * 200_000 + "</item>"),
                     "nests or repeats", id="deep"),
        pytest.param(FEED.format("<item>" + "<a>" * 10_000 + "</a>" * 10_000 + "</item>"),
                     "nests or repeats", id="deeper than a stack"),
        pytest.param(FEED.format("<item>" + "<a/>" * 200_000 + "</item>"), "nests or repeats",
                     id="wide"),
        pytest.param("<html><body/></html>", "something else than a feed (“html”)", id="html"),
        pytest.param("<x\u202ey/>", "is no sound XML at line 1", id="garbage"),
        pytest.param("", "is no sound XML at line 1", id="nothing"),
        pytest.param("<rss><channel>", "is no sound XML", id="cut before the first entry"),
        pytest.param('<?xml version="1.0" encoding="klingon"?><rss/>', "unknown encoding",
                     id="no encoding"),
        pytest.param('<?xml version="1.0" encoding="gb2312"?><rss/>', "unknown encoding",
                     id="bytes of two"),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused(body: str, words: str) -> None:
    with pytest.raises(_NotAFeed) as caught:
        read_feed(body.encode(), TODAY)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "<" * 500_000,
        "<p " * 200_000,
        "<p x='" * 100_000,
        '<p x="' * 100_000,
        "<!--" * 100_000,
        "<script>" * 100_000,
        "<script><!--" * 100_000,
        "<p" + " " * 500_000,
        "<p a=1" * 100_000 + ">",
        "&" * 500_000,
        "&amp" * 200_000,
        "(" * 500_000,
        "a@" * 200_000,
        ", and " * 100_000,
        "\\emph{" * 50_000,
        "D., " * 100_000,
        "Abstract: " * 50_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    body = rss(
        "".join(
            f"<{name}><![CDATA[{text}]]></{name}>"
            for name in ("title", "description", "dc:creator", "guid", "link", "pubDate")
        )
    )

    feed = read_feed(body, TODAY)  # in more than linear time it would not come back

    assert len(feed.records) + len(feed.skipped) <= 1


def test_two_thousand_entries_are_read_and_no_more() -> None:
    feed = read_feed(rss(*(f"<title>Owl {n}</title>" for n in range(2_500))), TODAY)

    assert len(feed.records) == 2_000
    assert feed.cut


def test_a_feed_that_breaks_off_keeps_what_came_before() -> None:
    body = rss("<title>Owls</title>", "<title>Mice</title>")

    feed = read_feed(body[: body.index(b"Mice")], TODAY)

    assert [record.paper.title for record in feed.records] == ["Owls"]
    assert feed.broken == "is no sound XML at line 1"


def test_a_large_feed_takes_little_time_and_memory(tmp_path: Path) -> None:
    text = escape(f"<p>{'Owls <i>hear</i> &amp; see by night. ' * 10}{'x ' * 6_000}</p>")
    path = tmp_path / "large"
    path.write_bytes(
        rss(*(f"<title>Owl {n}</title><description>{text}</description>" for n in range(1_250)))
    )
    assert 15 << 20 < path.stat().st_size < 20 << 20

    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", LARGE, str(path)], cwd=ROOT, capture_output=True, check=True
    )

    told = json.loads(done.stdout)
    assert told["records"] == 1_250
    assert told["peak"] < 150


LARGE = """
import json, sys
from datetime import date
from pathlib import Path
from adapters.sources.journals import read_feed
body = Path(sys.argv[1]).read_bytes()
feed = read_feed(body, date(2026, 11, 23))
status = Path("/proc/self/status").read_text()  # ru_maxrss begins with what the parent had
peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
print(json.dumps({"records": len(feed.records), "peak": peak}))
"""

WILD = st.lists(
    st.sampled_from([*"<>&;\"'/=!- ab", "script", "&#", "<p>", "\u202e", "é", "https://x.example/"])
).map("".join)


@settings(max_examples=300, deadline=None)
@given(WILD, WILD, WILD)
def test_any_text_in_any_place_gives_a_sound_record_or_a_skipped_entry(
    title: str, text: str, name: str
) -> None:
    fields = {"title": title, "description": text, "dc:creator": name, "link": text, "guid": name}
    body = rss("".join(f"<{tag}>{escape(value)}</{tag}>" for tag, value in fields.items()))

    feed = read_feed(body, TODAY)

    assert len(feed.records) + len(feed.skipped) == 1
    for paper in (record.paper for record in feed.records):
        assert "\u202e" not in paper.title + paper.abstract + "".join(paper.authors)
        assert paper.id.startswith(("arxiv:", "doi:", "link:", "title:"))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutilated_feed_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(fixture(data.draw(st.sampled_from(["biorxiv.rdf", "plos.atom", "acl.rss"]))))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))

    with suppress(_NotAFeed):
        assert all(record.paper.title for record in read_feed(bytes(body), TODAY).records)


# Asking


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime(NOON)


@pytest.fixture
async def server(time: VirtualTime) -> AsyncIterator[SourceServer]:
    feeds = {path.name: path.read_bytes() for path in DATA.iterdir()}
    async with SourceServer(time, journals=feeds) as server:
        yield server


@pytest.fixture
async def client(time: VirtualTime) -> AsyncIterator[PoliteClient]:
    client = PoliteClient(
        clock=time, sleep=time.sleep, jitter=float, delay=3, agent="test", allow={"127.0.0.1"}
    )
    yield client
    await client.aclose()


async def fetch(journal: Journal, state: str = "") -> Batch:
    [batch] = [batch async for batch in journal.fetch(NOON, Health(journal.name, state=state))]
    return batch


@pytest.fixture
def journal(server: SourceServer, client: PoliteClient, time: VirtualTime) -> Journal:
    return Journal(server.url + "/journal/biorxiv.rdf", client, "owls.example", time)


async def test_a_feed_is_asked_for_once_and_then_for_changes(
    server: SourceServer, journal: Journal
) -> None:
    first = await fetch(journal)
    second = await fetch(journal, first.token)
    server.journals["biorxiv.rdf"] = fixture("nature.rdf")
    third = await fetch(journal, second.token)

    assert [len(batch.records) for batch in (first, second, third)] == [2, 0, 2]
    assert [seen.status for seen in server.seen] == [200, 304, 200]
    assert first.announced == date(2026, 11, 22)
    assert (second.announced, second.complete) == (None, True)


async def test_a_backfill_asks_anew_and_says_that_it_is_not_all(
    server: SourceServer, journal: Journal
) -> None:
    state = (await fetch(journal)).token

    async def complete(since: date) -> list[bool]:
        health = Health(journal.name, state=state)
        return [batch.complete async for batch in journal.backfill(since, health)]

    assert await complete(date(2026, 8, 1)) == [False]
    assert await complete(date(2026, 11, 22)) == [True]
    assert [seen.status for seen in server.seen] == [200, 200, 200]


async def test_an_empty_feed_is_no_failure(server: SourceServer, journal: Journal) -> None:
    server.journals["biorxiv.rdf"] = rss()

    assert (await fetch(journal)).records == ()


async def test_a_feed_that_breaks_off_is_asked_for_again(
    server: SourceServer, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    server.journals["biorxiv.rdf"] = rss("<title>Owls</title>", "<title>")

    batch = await fetch(journal)
    await fetch(journal, batch.token)

    assert (len(batch.records), batch.complete) == (1, False)
    assert [seen.status for seen in server.seen] == [200, 200]
    assert "owls.example is no sound XML at line 1; what came before it is kept" in caplog.messages


async def test_ten_broken_entries_are_named_and_the_rest_counted(
    server: SourceServer, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    server.journals["biorxiv.rdf"] = rss(*["<guid>x</guid>"] * 12)

    with caplog.at_level(logging.WARNING, journals.__name__):
        await fetch(journal)

    assert caplog.messages == [
        *["owls.example: skipped x: it has no title"] * 10,
        "owls.example: skipped 2 more entries",
    ]


async def test_five_thousand_new_papers_a_day_are_accepted(
    server: SourceServer, journal: Journal, time: VirtualTime, caplog: pytest.LogCaptureFixture
) -> None:
    state, counts = "", []
    for edition, start in enumerate((0, 0, 2_000, 4_000, 4_000)):
        entries = (f"<title>Owl {start + n}</title>" for n in range(2_000))
        server.journals["biorxiv.rdf"] = rss(*entries) + b"<!-- %d -->" % edition
        batch = await fetch(journal, state)
        state = batch.token
        counts.append(len(batch.records))
    time.now = NOON.replace(day=24)
    tomorrow = await fetch(journal, state)

    assert counts == [2_000, 2_000, 2_000, 1_000, 1_000]
    assert "owls.example sends too many new papers today: 1000 are held back" in caplog.messages
    assert len(tomorrow.records) == 2_000


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (web_page(), "owls.example sends a web page instead of a feed."),
        (status(200, "<opml/>"), "owls.example sends something else than a feed (“opml”)."),
        (status(200), "owls.example is no sound XML at line 1."),
        (status(404), "127.0.0.1 answers 404, which is not what was asked for."),
    ],
)
async def test_what_is_no_feed_makes_the_source_unavailable(
    server: SourceServer, journal: Journal, fault: Any, words: str
) -> None:
    server.faults.append(Fault(fault))

    with pytest.raises(SourceUnavailable) as caught:
        await fetch(journal)

    assert caught.value.message == words
    assert caught.value.hint


@pytest.mark.parametrize("state", ["", "{}", "[]", "null", "{", '{"colour": 1}', "1"])
async def test_a_state_of_another_version_is_forgotten(journal: Journal, state: str) -> None:
    assert len((await fetch(journal, state)).records) == 2


def test_a_journal_is_named_by_host_and_path() -> None:
    assert journal_name("https://www.nature.com/nature.rss") == "nature.com/nature.rss"
    assert journal_name("https://x.example/a.php?subject=all") == "x.example/a.php?subject=all"
    assert journal_hosts("https://www.nature.com/x") == {"nature.com", "www.nature.com"}
