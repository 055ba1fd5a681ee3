"""Which paper is it: canonical ids from ids, links and titles, and links from canonical ids."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

# archive(.SUBJECT)/YYMMNNN until 2007-03, then YYMM.NNNN, five digits since 2015
_NEW = r"\d{4}\.\d{4,5}"
_OLD = r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]{2})?/\d{7}"
_ARXIV = re.compile(rf"(?P<id>{_NEW}|{_OLD})(?:[vV](?P<version>\d{{1,3}}))?", re.ASCII)
_DOI = re.compile(r"10\.\d{4,9}/[!#-\[\]_a-z~]+", re.ASCII | re.IGNORECASE)
_LISTING = re.compile(
    r"\s+\[[\w.-]+\].*", re.ASCII | re.DOTALL
)  # arXiv:2508.13426v2 [cs.CL] 18 Aug
_ARXIV_DOI = re.compile(r"10\.48550/arxiv\.", re.IGNORECASE | re.ASCII)
_CODE_HOSTS = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
_PAPER_HOSTS = ("arxiv.org", "huggingface.co", "alphaxiv.org", "ar5iv.org", "arxiv-vanity.com")


@dataclass(frozen=True, slots=True)
class Link:
    """An address that is safe to make live; built from a paper's id, never from a feed's text."""

    url: str


def split_version(arxiv_id: str) -> tuple[str, int]:
    """``2508.13426v2`` to ``("2508.13426", 2)``; version 0 where there is none."""
    match = _ARXIV.fullmatch(arxiv_id)
    if match is None:
        return arxiv_id, 0
    return match["id"], int(match["version"] or 0)


def arxiv_id(text: str) -> str | None:
    """The canonical id of a bare arXiv id with or without version, else None."""
    match = _ARXIV.fullmatch(text)
    if match is None:
        return None
    bare = match["id"]
    if "/" in bare:  # math.GT/0309136 and math/0309136 are one paper: the subject is decoration
        archive, _, number = bare.partition("/")
        bare = f"{archive.partition('.')[0]}/{number}"
        month = number[2:4]
    else:
        month = bare[2:4]
    return f"arxiv:{bare}" if "01" <= month <= "12" else None


def doi_id(text: str) -> str | None:
    """``doi:…`` in lower case (DOIs ignore case); arXiv's own DOIs are arXiv ids."""
    doi = re.sub(r"^doi:\s*", "", text.strip(), flags=re.IGNORECASE)
    while doi.endswith((".", ",", ";")) or (doi.endswith(")") and doi.count(")") > doi.count("(")):
        doi = doi[
            :-1
        ]  # of the sentence around it; 10.1061/(asce)0733-9399(1992)118:8(1608) is whole
    if _ARXIV_DOI.match(doi):
        return arxiv_id(doi[len("10.48550/arxiv.") :])
    return f"doi:{doi.lower()}" if _DOI.fullmatch(doi) and len(doi) <= 200 else None


def link_id(url: str) -> str | None:
    """A hash of the canonical link: no scheme, ``www.``, fragment, tracking or final slash."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or "." not in host:
        return None
    query = "&".join(
        sorted(p for p in parts.query.split("&") if p and not p.lower().startswith("utm_"))
    )
    canonical = f"{host}{parts.path.rstrip('/')}" + (f"?{query}" if query else "")
    return "link:" + _digest(canonical)


def title_key(title: str) -> str:
    """The title in lower case without anything but letters and digits of any script."""
    folded = unicodedata.normalize("NFKD", title).casefold()
    return "".join(c for c in folded if c.isalnum())


def title_id(title: str) -> str:
    return "title:" + _digest(title_key(title) or title)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parse_id(text: str) -> str | None:
    """The canonical id in what a person typed or pasted: an id, a DOI, or a link of any known form.

    A link of an unknown host gives None: it names a page, not a paper.
    """
    text = text.strip().strip("<>").partition("|")[0].strip().strip("\"'“”‘’.,;")
    if text.startswith("("):
        text = text[1:].removesuffix(")")
    if re.fullmatch(r"(title|link):[0-9a-f]{16}", text):
        return text
    return arxiv_id(_bare(_LISTING.sub("", text))) or doi_id(text) or _from_url(text)


_NAMED = re.compile(r"https?://[^\s<>|\[\]\"\\]+|\b(?:arxiv|doi):\s?[\w./-]+", re.IGNORECASE)


def named_in(message: object) -> list[str]:
    """The canonical ids of the papers that a message names by link or id, wherever in its JSON."""
    words = html.unescape("\n".join(_strings(message)))
    ids = (parse_id(link.rstrip("*_~`).,;:!?")) for link in _NAMED.findall(words))
    return list(dict.fromkeys(filter(None, ids)))


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)
        case _:
            pass


def _bare(text: str) -> str:
    return re.sub(r"^arxiv:\s*", "", text, flags=re.IGNORECASE)


def _from_url(text: str) -> str | None:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    path = unquote(parts.path).strip("/")
    if host in ("doi.org", "dx.doi.org", "www.doi.org"):
        return doi_id(path)
    if not any(host == known or host.endswith("." + known) for known in _PAPER_HOSTS):
        return None
    path = re.sub(r"(\.(pdf|html?))?\)?$", "", path, flags=re.IGNORECASE)
    segments = path.split("/")
    for candidate in ("/".join(segments[-2:]), segments[-1]):
        if found := arxiv_id(_bare(candidate)):
            return found
    return None


def short_id(paper_id: str) -> str:
    """What people type: ``2508.13426`` for an arXiv paper, else the id itself."""
    return paper_id.removeprefix("arxiv:")


def paper_link(paper_id: str, title: str = "") -> Link:
    """The page with the abstract; a paper known by title only links to arXiv's title search."""
    kind, _, rest = paper_id.partition(":")
    if kind == "arxiv":
        return Link(f"https://arxiv.org/abs/{quote(rest, safe='/.')}")
    if kind == "doi":
        return Link(f"https://doi.org/{quote(rest, safe='/.()-:')}")
    words = " ".join("".join(c if c.isalnum() else " " for c in title).split())[:200]
    return Link(f"https://arxiv.org/search/?query={quote(words, safe='')}&searchtype=title")


def pdf_link(paper_id: str) -> Link | None:
    kind, _, rest = paper_id.partition(":")
    return Link(f"https://arxiv.org/pdf/{quote(rest, safe='/.')}") if kind == "arxiv" else None


def discussion_link(paper_id: str) -> Link | None:
    kind, _, rest = paper_id.partition(":")
    if kind != "arxiv" or "/" in rest:
        return None
    return Link(f"https://huggingface.co/papers/{quote(rest, safe='.')}")


def code_link(url: str) -> Link | None:
    """A repository on a known code host, rebuilt from its owner and name; else None."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    segments = [s for s in parts.path.split("/") if s][:2]
    if parts.scheme not in ("http", "https") or host not in _CODE_HOSTS or len(segments) < 2:
        return None
    if not all(re.fullmatch(r"(?!\.+$)[A-Za-z0-9._-]{1,100}", s) for s in segments):
        return None
    return Link(f"https://{host}/{'/'.join(segments)}")
