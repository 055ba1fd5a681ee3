"""Every form in which a paper is named gives its one id; links are built from ids alone."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings, strategies as st

from bot.identity import (
    Link,
    arxiv_id,
    code_link,
    discussion_link,
    doi_id,
    link_id,
    named_in,
    paper_link,
    parse_id,
    pdf_link,
    short_id,
    split_version,
    title_id,
    title_key,
)


@pytest.mark.parametrize(
    "text",
    [
        "2508.13426",
        "2508.13426v2",
        "2508.13426V12",
        " 2508.13426. ",
        "(2508.13426)",
        "arXiv:2508.13426",
        "arxiv: 2508.13426v1",
        "(arXiv:2508.13426v2)",
        "arXiv:2508.13426v2 [cs.CL]",
        "arXiv:2508.13426 [cond-mat.mes-hall] 18 Aug 2025",
        "https://arxiv.org/abs/2508.13426",
        "http://arxiv.org/abs/2508.13426v3",
        "https://www.arxiv.org/abs/2508.13426",
        "https://export.arxiv.org/abs/2508.13426v1",
        "https://arxiv.org/abs/arXiv:2508.13426",
        "https://arxiv.org/abs/2508.13426?context=cs.LG",
        "https://arxiv.org/abs/2508.13426#comments",
        "https://arxiv.org/abs/2508.13426/",
        "(https://arxiv.org/abs/2508.13426).",
        "https://arxiv.org/abs/2508.13426)",
        "HTTPS://ARXIV.ORG/abs/2508.13426",
        "arxiv.org/abs/2508.13426",
        "https://arxiv.org/pdf/2508.13426",
        "https://arxiv.org/pdf/2508.13426v2.pdf",
        "https://arxiv.org/pdf/2508.13426.PDF#page=3",
        "https://arxiv.org/html/2508.13426v1",
        "https://arxiv.org/format/2508.13426",
        "https://browse.arxiv.org/html/2508.13426v1",
        "https://ar5iv.org/abs/2508.13426",
        "https://ar5iv.labs.arxiv.org/html/2508.13426",
        "https://www.alphaxiv.org/abs/2508.13426",
        "https://alphaxiv.org/overview/2508.13426v2",
        "https://www.arxiv-vanity.com/papers/2508.13426/",
        "https://huggingface.co/papers/2508.13426",
        "huggingface.co/papers/2508.13426#community",
        "https://doi.org/10.48550/arXiv.2508.13426",
        "https://dx.doi.org/10.48550/ARXIV.2508.13426",
        "10.48550/arXiv.2508.13426v2",
        "doi:10.48550/arxiv.2508.13426",
        "<https://arxiv.org/abs/2508.13426>",
        "<https://arxiv.org/abs/2508.13426|arxiv.org/abs/2508.13426>",
        "“https://arxiv.org/abs/2508.13426”",
        "https://arxiv.org:443/abs/2508.13426",
    ],
)
def test_every_form_of_an_arxiv_paper_is_one_id(text: str) -> None:
    assert parse_id(text) == "arxiv:2508.13426"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0704.0001", "arxiv:0704.0001"),
        ("hep-th/9901001", "arxiv:hep-th/9901001"),
        ("arXiv:hep-th/9901001v3", "arxiv:hep-th/9901001"),
        ("math.GT/0309136", "arxiv:math/0309136"),
        ("math/0309136", "arxiv:math/0309136"),
        ("cond-mat.mtrl-sci/0309136", None),
        ("https://arxiv.org/abs/quant-ph/0201082", "arxiv:quant-ph/0201082"),
        ("https://arxiv.org/pdf/math.GT/0309136v1.pdf", "arxiv:math/0309136"),
        ("https://arxiv.org/abs/hep-th%2F9901001", "arxiv:hep-th/9901001"),
        ("10.48550/arXiv.hep-th/9901001", "arxiv:hep-th/9901001"),
    ],
)
def test_old_ids_keep_their_archive_and_lose_their_subject(text: str, expected: str | None) -> None:
    assert parse_id(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1038/NATURE12373", "doi:10.1038/nature12373"),
        ("doi: 10.1038/nature12373.", "doi:10.1038/nature12373"),
        ("DOI:10.1038/nature12373", "doi:10.1038/nature12373"),
        ("https://doi.org/10.1038/nature12373", "doi:10.1038/nature12373"),
        ("http://dx.doi.org/10.1016/0304-3975(92)90062-F", "doi:10.1016/0304-3975(92)90062-f"),
        ("10.1061/(ASCE)0733-9399(1992)118:8(1608)", "doi:10.1061/(asce)0733-9399(1992)118:8(1608)"),
        ("(10.1061/(ASCE)0733-9399(1992)118:8(1608))",
         "doi:10.1061/(asce)0733-9399(1992)118:8(1608)"),
        ("https://doi.org/10.1061/(ASCE)0733-9399(1992)118:8(1608)",
         "doi:10.1061/(asce)0733-9399(1992)118:8(1608)"),
        ("10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2",
         "doi:10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"),
        ("https://doi.org/10.1000%2Fxyz", "doi:10.1000/xyz"),
        ("10.1000/a_b-c.d;e", "doi:10.1000/a_b-c.d;e"),
        ("10.1000/", None),
        ("10.1000/x y", None),
        ("10.1000/" + "x" * 200, None),
        ('10.1000/x"onclick', None),
    ],
)  # fmt: skip
def test_a_doi_ignores_case_and_keeps_its_odd_characters(text: str, expected: str | None) -> None:
    assert parse_id(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "banana", "2508", "2508.134", "2508.134261", "2513.13426", "2500.13426",
        "math/0313136", "math/0300136", "hep-th/990100", "1/2", "3.5", "v2", "x/2508.13426",
        "https://example.org/abs/2508.13426", "https://arxiv.org/", "https://arxiv.org/abs/",
        "https://arxiv.org/list/cs.CL/recent", "https://arxiv.org/abs/2513.13426",
        "https://arxiv.org.evil.com/abs/2508.13426", "https://evilarxiv.org/abs/2508.13426",
        "https://arxiv.org@evil.com/abs/2508.13426", "https://evil.com/arxiv.org/abs/2508.13426",
        "https://evil.com?arxiv.org/abs/2508.13426", "https://evil.com#arxiv.org/abs/2508.13426",
        "javascript:alert(1)//arxiv.org/abs/2508.13426", "javascript://arxiv.org/abs/2508.13426",
        "data://arxiv.org/abs/2508.13426", "ftp://arxiv.org/abs/2508.13426",
        "file:///abs/2508.13426", "https:///abs/2508.13426", "https://[::1]/abs/2508.13426",
        "https://[::1/abs/2508.13426", "https://[arxiv.org]/abs/2508.13426",
        "https://\u0430rxiv.org/abs/2508.13426", "https://arxiv\u3002org.evil.com/abs/2508.13426",
        "https://arxiv.org\\@evil.com/abs/2508.13426", "//arxiv.org/abs/2508.13426",
        "https://doi.org/", "https://doi.org/banana", "https://doi.org.evil.com/10.1038/nature12373",
        "\uff12508.13426", "٢٥٠٨.١٣٤٢٦", "title:xyz", "link:" + "g" * 16,
    ],
)  # fmt: skip
def test_what_names_no_paper_is_none(text: str) -> None:
    assert parse_id(text) is None


def test_a_version_is_split_off() -> None:
    assert split_version("2508.13426v2") == ("2508.13426", 2)
    assert split_version("2508.13426") == ("2508.13426", 0)
    assert split_version("math.GT/0309136v11") == ("math.GT/0309136", 11)
    assert split_version("banana") == ("banana", 0)


def test_arxivs_own_dois_are_arxiv_ids() -> None:
    assert doi_id("10.48550/ARXIV.2508.13426") == "arxiv:2508.13426"
    assert doi_id("10.48550/arXiv.banana") is None
    assert arxiv_id("10.48550/arXiv.2508.13426") is None


_IDS = st.one_of(
    st.from_regex(r"[0-9]{2}(0[1-9]|1[0-2])\.[0-9]{4,5}", fullmatch=True).map("arxiv:".__add__),
    st.from_regex(r"(hep-th|math|q-bio)/[0-9]{2}(0[1-9]|1[0-2])[0-9]{3}", fullmatch=True).map(
        "arxiv:".__add__
    ),
    st.from_regex(r"doi:10\.[0-9]{4,9}/[a-z0-9()<>:/._-]{0,20}[a-z0-9]", fullmatch=True),
    st.from_regex(r"(title|link):[0-9a-f]{16}", fullmatch=True),
)


@settings(deadline=None)
@given(_IDS)
def test_what_is_shown_of_an_id_can_be_typed(paper_id: str) -> None:
    assert parse_id(paper_id) == paper_id
    assert parse_id(short_id(paper_id)) == paper_id


@settings(deadline=None)
@given(_IDS.filter(lambda i: i.startswith(("arxiv:", "doi:"))))
def test_the_link_of_an_id_leads_back_to_it(paper_id: str) -> None:
    assert parse_id(paper_link(paper_id).url) == paper_id


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("htps:/.@[]#?%<>|()arxivog0123456789v ", max_size=60))
@example("https://arxiv.org/abs/%00")
@example("https://doi.org/10.1000/%25%32%35x")
def test_any_text_has_an_id_that_holds_or_none(text: str) -> None:
    found = parse_id(text)

    assert found is None or parse_id(found) == found


@given(_IDS, st.text(max_size=60))
def test_a_link_has_our_host_whatever_the_title(paper_id: str, title: str) -> None:
    links = [paper_link(paper_id, title), pdf_link(paper_id), discussion_link(paper_id)]

    for link in filter(None, links):
        parts = urlsplit(link.url)
        assert parts.scheme == "https"
        assert parts.netloc in ("arxiv.org", "doi.org", "huggingface.co")
        assert link.url.isascii()
        assert not set(link.url) & set(" \"'<>\\|`")


def test_links_of_each_kind() -> None:
    assert paper_link("arxiv:2508.13426").url == "https://arxiv.org/abs/2508.13426"
    assert paper_link("arxiv:math/0309136").url == "https://arxiv.org/abs/math/0309136"
    assert paper_link("doi:10.1000/a<b>#c?d").url == "https://doi.org/10.1000/a%3Cb%3E%23c%3Fd"
    assert (
        paper_link("title:0123456789abcdef", "“A & B”: C?").url
        == "https://arxiv.org/search/?query=A%20B%20C&searchtype=title"
    )
    assert pdf_link("arxiv:2508.13426") == Link("https://arxiv.org/pdf/2508.13426")
    assert pdf_link("doi:10.1000/x") is None
    assert discussion_link("arxiv:2508.13426") == Link("https://huggingface.co/papers/2508.13426")
    assert discussion_link("arxiv:math/0309136") is None
    assert discussion_link("doi:10.1000/x") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("http://www.github.com/owner/name.git?x=1#readme", "https://github.com/owner/name.git"),
        ("https://gitlab.com/owner/name/-/tree/main", "https://gitlab.com/owner/name"),
        ("https://github.com/owner", None),
        ("https://github.com/../name", None),
        ("https://github.com/owner/..", None),
        ("https://github.com/owner/na me", None),
        ("https://github.com.evil.com/owner/name", None),
        ("https://github.com@evil.com/owner/name", None),
        ("javascript://github.com/owner/name", None),
        ("https://example.org/owner/name", None),
        ("https://[::1/owner/name", None),
        ("github.com/owner/name", None),
    ],
)
def test_a_code_link_is_rebuilt_from_owner_and_name(url: str, expected: str | None) -> None:
    assert code_link(url) == (Link(expected) if expected else None)


def test_a_link_id_forgets_what_does_not_matter() -> None:
    plain = link_id("https://journal.org/paper?id=1&x=2")

    assert plain is not None
    assert plain.startswith("link:")
    assert link_id("http://www.JOURNAL.org/paper/?x=2&utm_source=rss&id=1#top") == plain
    assert link_id("https://journal.org/paper?id=2&x=2") != plain
    assert link_id("https://journal.org/Paper?id=1&x=2") != plain


@pytest.mark.parametrize("url", ["", "journal.org/x", "ftp://journal.org/x", "https://localhost/x",
                                 "https://[::1/x", "javascript:alert(1)", "https:///x"])  # fmt: skip
def test_what_is_no_address_has_no_link_id(url: str) -> None:
    assert link_id(url) is None


def test_titles_that_differ_in_form_only_are_one() -> None:
    assert title_key("Müller’s  E\ufb03cient-Nets: Part 2") == "mullersefficientnetspart2"
    assert title_id("Sparse Attention") == title_id("SPARSE—attention!")
    assert title_id("0") != title_id("1")
    assert title_id("?!") != title_id("!?")
    assert title_id("\ud800") == title_id("\ud800")


def test_papers_are_found_wherever_a_message_names_them() -> None:
    message = {
        "text": "see <https://arxiv.org/abs/2509.04664v2|this>, *https://huggingface.co/papers/2502.13502*.",
        "blocks": [{"elements": [{"url": "https://doi.org/10.1038/s41586-020-2649-2"}]}],
        "content": "arXiv:2509.04664 again; https://evil.example/2509.04665 is no paper",
        "id": 7,
    }

    assert named_in(message) == [
        "arxiv:2509.04664", "arxiv:2502.13502", "doi:10.1038/s41586-020-2649-2",
    ]  # fmt: skip
