"""Wire shapes to records: arXiv's Atom, RSS and OAI-PMH, Hugging Face's items, rows of JSON.

Pure: parsed elements and JSON values go in, records come out; no file, no network. Elements are
told by their local names, because recorded answers differ in namespaces and prefixes. A function
answers ``Skipped`` for an entry that is broken and None for one that is sound and no paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from bot.identity import arxiv_id, doi_id, link_id, parse_id, split_version, title_id
from bot.latex import to_unicode
from bot.model import Origin, Paper, Record

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST_TITLE: Final = 1_000
LONGEST_ABSTRACT: Final = 20_000
LONGEST_NOTE: Final = 2_000
LONGEST_NAME: Final = 300  # a collaboration can be long
LONGEST_URL: Final = 2_000
MOST_AUTHORS: Final = 6_000  # 5,154 signed 1503.07589, the longest list known
MOST_CATEGORIES: Final = 50
MOST_KEYWORDS: Final = 100
LARGEST_COUNT: Final = 10**9

# Controls, soft hyphens, zero-width and bidirectional marks, half surrogate pairs, tag characters
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
# cs.CL, hep-th, cond-mat.mtrl-sci; not 68T50 or I.2.7, which are of the MSC and the ACM
_CATEGORY: Final = re.compile(r"[a-z]+(-[a-z]+)*(\.[A-Za-z]+(-[a-z]+)*)?")
_FEED_PREFIX: Final = re.compile(
    r"\s*(?:arXiv:(?P<id>\S+)\s+Announce Type:\s*(?P<type>[\w-]+)\s+)?(?:Abstract:\s*)?"
)
_DOI_PREFIX: Final = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)", re.IGNORECASE)
_DOI_GAP: Final = re.compile(r"[\s,;]+")
_PARENTHESES: Final = re.compile(r"\(([^()]*)\)")
_COLLABORATION: Final = re.compile(
    r"(?:(?:on behalf of|for|from) )?(?:the )?(?P<name>.*\bcollaborations?)", re.IGNORECASE
)
_NESTING: Final = 5  # affiliations in parentheses in parentheses
_GENERATIONS: Final = frozenset({"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"})


@dataclass(frozen=True, slots=True)
class Skipped:
    """A broken entry: *what* names it, by its id or its number and place; *why* is one sentence."""

    what: str
    why: str


class _Broken(Exception):
    """Why this entry gives no record."""


def clean(text: str, longest: int) -> str:
    """One line of visible text: blanks joined, LaTeX converted, cut at *longest* characters."""
    text = _visible(text[: 2 * longest])
    if "$" in text or "\\" in text:
        text = _visible(to_unicode(text))
    return text if len(text) <= longest else text[:longest].rstrip()


def _visible(text: str) -> str:
    if text.isprintable() and "  " not in text:  # as most are
        return text.strip()
    text = " ".join(text.split())
    return text if text.isprintable() else " ".join(_INVISIBLE.sub("", text).split())


def split_authors(text: str) -> tuple[str, ...]:
    """Names from one string; affiliations in parentheses go, a collaboration in them stays."""
    text = to_unicode(text)  # before the commas count: there is one in \,
    collaborations: list[str] = []

    def drop(affiliation: re.Match[str]) -> str:
        matches = (_COLLABORATION.fullmatch(part.strip()) for part in affiliation[1].split(","))
        collaborations.extend(match["name"] for match in matches if match)
        return " "

    for _ in range(_NESTING):
        text, dropped = _PARENTHESES.subn(drop, text)
        if not dropped:
            break
    names: list[str] = []
    for part in re.split(r"[,;:]|\band\b", re.sub(r"[()]", " ", " ".join(text.split()))):
        name = part.strip()
        if name.lower() in _GENERATIONS and names:
            names[-1] += f" {name}"
        elif name.lower() not in ("et al", "et al."):
            names.append(name)
    return _names(names + collaborations)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    cleaned = (clean(name, LONGEST_NAME) for name in names)
    return tuple(islice((name for name in cleaned if any(map(str.isalnum, name))), MOST_AUTHORS))


def _categories(terms: Iterable[str]) -> tuple[str, ...]:
    """In order, each once, arXiv's own only."""
    own = (t for term in terms if len(t := term.strip()) < 40 and _CATEGORY.fullmatch(t))
    return tuple(dict.fromkeys(islice(own, MOST_CATEGORIES)))


def _first_doi(text: str) -> str:
    """The first of several; empty where it is none."""
    if not 0 < len(text) <= LONGEST_URL:
        return ""
    doi = _DOI_PREFIX.sub("", _DOI_GAP.split(text.strip(), maxsplit=1)[0])
    return doi if doi_id(doi) else ""


def _titled(text: str) -> str:
    title = clean(text, LONGEST_TITLE)
    if not title:
        raise _Broken("it has no title")
    return title


def _moment(text: str) -> datetime | None:
    """An ISO or mail date as aware UTC; one without offset is UTC. None where it is none."""
    printed = _printed(text)
    try:
        return printed and printed.astimezone(UTC)
    except OverflowError:  # the first or last day of the calendar
        return None


def _printed(text: str) -> datetime | None:
    """A date in the offset that it is printed with."""
    text = text.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day_of(text: str) -> date | None:
    printed = _printed(text)
    return printed and printed.date()


# arXiv: Atom, RSS


class _Fields:
    """The children of an element by local name."""

    def __init__(self, element: Element | None) -> None:
        self._children: dict[str, list[Element]] = {}
        for child in element if element is not None else ():
            self._children.setdefault(local_name(child), []).append(child)

    def all(self, name: str) -> list[Element]:
        return self._children.get(name, [])

    def first(self, name: str) -> Element | None:
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str:
        return next(iter(self.texts(name)), "")

    def texts(self, name: str) -> list[str]:
        return ["".join(child.itertext()) for child in self.all(name)]


def local_name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def atom_entry(entry: Element) -> Record | Skipped | None:
    """An entry of the search API, or of the Atom feed of new papers; None for an error entry."""
    fields = _Fields(entry)
    identifier = fields.text("id").strip()
    if "/api/errors" in identifier:
        return None
    try:
        if identifier.startswith("oai:"):
            link = next((link.get("href", "") for link in fields.all("link")), "")
            terms = [category.get("term", "") for category in fields.all("category")]
            return _announced(fields, (identifier, link), fields.text("summary"), terms)
        return _found(fields, identifier)
    except _Broken as broken:
        return Skipped(clean(identifier, LONGEST_NAME), str(broken))


def rss_item(item: Element) -> Record | Skipped:
    """An item of the RSS feed of new papers."""
    fields = _Fields(item)
    identifiers = (fields.text("guid"), fields.text("link"))
    try:
        return _announced(fields, identifiers, fields.text("description"), fields.texts("category"))
    except _Broken as broken:
        return Skipped(clean(identifiers[0] or identifiers[1], LONGEST_NAME), str(broken))


def _found(fields: _Fields, identifier: str) -> Record:
    """A search result; it announces nothing."""
    paper_id, version = _identified(identifier)
    elements = fields.all("primary_category") + fields.all("category")
    paper = Paper(
        id=paper_id,
        title=_titled(fields.text("title")),
        abstract=clean(fields.text("summary"), LONGEST_ABSTRACT),
        authors=_names(_Fields(author).text("name") for author in fields.all("author")),
        categories=_categories(element.get("term", "") for element in elements),
        published=_moment(fields.text("published")),
        updated=_moment(fields.text("updated")),
        version=version,
        doi=_first_doi(fields.text("doi")),
        journal_ref=clean(fields.text("journal_ref"), LONGEST_NOTE),
        note=clean(fields.text("comment"), LONGEST_NOTE),
    )
    return Record(paper, Origin.ARXIV_API)


def _announced(
    fields: _Fields, identifiers: Iterable[str], description: str, categories: Iterable[str]
) -> Record:
    """What a feed lists. Its dates are of the announcement, never of the submission."""
    prefix = _FEED_PREFIX.match(description)
    stated, kind = (prefix["id"] or "", prefix["type"] or "") if prefix else ("", "")
    kind = fields.text("announce_type").strip() or kind
    paper_id, version = _identified(*identifiers, stated)
    paper = Paper(
        id=paper_id,
        title=_titled(fields.text("title")),
        abstract=clean(description[prefix.end() if prefix else 0 :], LONGEST_ABSTRACT),
        authors=split_authors(", ".join(fields.texts("creator"))),
        categories=_categories(categories),
        version=version,
        doi=_first_doi(fields.text("DOI")),
        journal_ref=clean(fields.text("journal_reference"), LONGEST_NOTE),
    )
    new = kind in ("new", "cross") or (not kind and version <= 1)
    day = _day_of(fields.text("pubDate") or fields.text("published")) if new else None
    return Record(paper, Origin.ARXIV_FEED, listed_on=day)


def _identified(*texts: str) -> tuple[str, int]:
    """The canonical id and the version from the first text that holds one: an id, guid or link."""
    for text in texts:
        if len(text) > LONGEST_URL:
            continue
        bare = text.strip().removeprefix("oai:arXiv.org:").rpartition("/abs/")[2]
        if found := arxiv_id(bare):
            return found, split_version(bare)[1]
    raise _Broken("it has no arXiv id")


# arXiv: OAI-PMH


def oai_record(record: Element) -> Record | Skipped | None:
    """A record in the formats arXiv, arXivRaw, arXivOld or oai_dc; None for a deleted one."""
    parts = _Fields(record)
    head = parts.first("header")
    header = _Fields(head)
    if head is not None and head.get("status") == "deleted":
        return None
    identifier = header.text("identifier")
    body = next(iter(next(iter(parts.all("metadata")), ())), None)
    if body is None:
        return Skipped(clean(identifier, LONGEST_NAME), "it has no metadata")
    try:
        fields = _Fields(body)
        paper_id, version = _identified(fields.text("id"), identifier)
        if local_name(body) == "dc":
            paper = _dublin_core(fields, paper_id, header.texts("setSpec"))
        else:
            paper = _of_oai(fields, paper_id)
    except _Broken as broken:
        return Skipped(clean(identifier, LONGEST_NAME), str(broken))
    return Record(replace(paper, version=paper.version or version), Origin.ARXIV_OAI)


def _of_oai(fields: _Fields, paper_id: str) -> Paper:
    versions = [
        (element.get("version", ""), _Fields(element).text("date"))
        for element in fields.all("version")
    ]
    dates = (fields.text("created"), fields.text("updated"))
    published, updated, version = _history(versions, dates)
    listed = _Fields(fields.first("authors")).all("author")
    return Paper(
        id=paper_id,
        title=_titled(fields.text("title")),
        abstract=clean(fields.text("abstract"), LONGEST_ABSTRACT),
        authors=_names(map(_full_name, listed)) or split_authors(fields.text("authors")),
        categories=_categories(fields.text("categories").split()),
        published=published,
        updated=updated,
        version=version,
        doi=_first_doi(fields.text("doi")),
        journal_ref=clean(fields.text("journal-ref"), LONGEST_NOTE),
        note=clean(fields.text("comments"), LONGEST_NOTE),
    )


def _history(
    versions: Iterable[tuple[str, str]], dates: tuple[str, str] = ("", "")
) -> tuple[datetime | None, datetime | None, int]:
    """Published, updated and the version from ``("v1", date)`` pairs, else from the two dates."""
    known = sorted(
        (int(name[1:]), text)
        for name, text in versions
        if re.fullmatch(r"v\d{1,3}", name, re.ASCII)
    )
    if not known:
        return _moment(dates[0]), _moment(dates[1]), 0
    (first, published), (version, updated) = known[0], known[-1]
    return _moment(published) if first == 1 else None, _moment(updated), version


def _full_name(author: Element) -> str:
    fields = _Fields(author)
    return " ".join(fields.text(name) for name in ("forenames", "keyname", "suffix"))


def _dublin_core(fields: _Fields, paper_id: str, sets: Iterable[str]) -> Paper:
    abstract, *comments = fields.texts("description") or [""]
    published, *later = fields.texts("date") or [""]
    return Paper(
        id=paper_id,
        title=_titled(fields.text("title")),
        abstract=clean(abstract, LONGEST_ABSTRACT),
        authors=_names(
            " ".join(reversed(creator.split(",", 1))) for creator in fields.texts("creator")
        ),
        categories=_categories(map(_set_category, sets)),  # its subjects are not codes
        published=_moment(published),
        updated=_moment(later[-1]) if later else None,
        doi=next(filter(None, map(_first_doi, fields.texts("identifier"))), ""),
        note=clean(" ".join(comments).removeprefix("Comment: "), LONGEST_NOTE),
    )


def _set_category(spec: str) -> str:
    """``cs:cs:CL`` to cs.CL, ``physics:hep-lat`` to hep-lat; a whole group is no category."""
    match spec.strip().split(":"):
        case [_, archive]:
            return archive
        case [_, archive, subject]:
            return f"{archive}.{subject}"
        case _:
            return ""


# JSON: Hugging Face, rows


def daily_paper(item: object, day: date | None = None) -> Record | Skipped:
    """An item of ``daily_papers``; *day* is the list that it was taken from, where that is known.

    Everything but the id and the title is optional: most fields came over the years.
    """
    if not isinstance(item, dict):
        return Skipped("", "it is not an object")
    paper = item.get("paper")
    if not isinstance(paper, dict):
        return Skipped("", "it has no “paper”")
    try:
        return _hugging_face(item, paper, day)
    except _Broken as broken:
        return Skipped(_name_of_row(paper), str(broken))


def json_row(value: object) -> Iterator[Record | Skipped]:
    """What one line or object of a dump holds: a paper, or a day's list under ``items``."""
    if not isinstance(value, dict):
        yield Skipped("", "it is not an object")
        return
    try:
        if isinstance(items := value.get("items"), list):
            day = _day(value, "date")
            yield from (daily_paper(item, day) for item in items)
        elif value.get("paper") is not None:
            yield daily_paper(value, _day(value, "date"))
        elif "upvotes" in value or "submittedOnDailyAt" in value:
            yield _hugging_face(value, value, _day(value, "date"))
        elif "title" in value or not isinstance(value.get("error"), str):
            yield _plain_row(value)  # else it is Hugging Face's answer to a bad request
    except _Broken as broken:
        yield Skipped(_name_of_row(value), str(broken))


def _hugging_face(item: Mapping[str, Any], paper: Mapping[str, Any], day: date | None) -> Record:
    paper_id, version = _identified(_text(paper, "id"))
    submitted = _day(paper, "submittedOnDailyAt")
    both = {**item, **{name: value for name, value in paper.items() if value is not None}}
    keywords = [word for word in _list(both, "ai_keywords") if word is not None]
    if not all(isinstance(word, str) for word in keywords):
        raise _Broken("“ai_keywords” is not a list of words")
    published = _time(paper, "publishedAt")
    listed = day or submitted
    found = Paper(
        id=paper_id,
        title=_titled(_text(both, "title")),
        abstract=clean(_text(both, "summary", "abstract"), LONGEST_ABSTRACT),
        authors=_names(_visible_authors(paper)),
        published=published,
        version=version,
        upvotes=_count(both, "upvotes"),
        discussion=_count(both, "numComments"),
        summary=clean(_text(both, "ai_summary"), LONGEST_ABSTRACT),
        keywords=tuple(
            filter(None, (clean(word, LONGEST_NAME) for word in keywords[:MOST_KEYWORDS]))
        ),
        code=_url(both, "githubRepo"),
        stars=_count(both, "githubStars"),
        project=_url(both, "projectPage"),
        submitter=_who(both, "submittedBy") or _who(both, "submittedOnDailyBy"),
        organisation=_who(both, "organization"),
    )
    observed = listed or _day(item, "publishedAt") or (published and published.date())
    return Record(found, Origin.HUGGING_FACE, listed_on=listed, observed_on=observed)


def _visible_authors(paper: Mapping[str, Any]) -> Iterable[str]:
    for author in _list(paper, "authors"):
        if isinstance(author, str):
            yield author
        elif isinstance(author, dict):
            if author.get("hidden") is not True:
                yield _text(author, "name")
        elif author is not None:
            raise _Broken("“authors” holds something that is no name")


def _plain_row(value: Mapping[str, Any]) -> Record:
    title = _titled(_text(value, "title"))
    stated, url = _text(value, "id", "arxiv_id"), _text(value, "url")
    doi = _first_doi(_text(value, "doi"))
    ids = [parse_id(stated)] if 0 < len(stated) <= LONGEST_URL else []
    if 0 < len(url) <= LONGEST_URL:
        ids.append(parse_id(url) or link_id(url))
    if doi:
        ids.append(doi_id(doi))
    paper_id, *others = dict.fromkeys(filter(None, ids)) or [title_id(title)]
    versions = [
        (_text(version, "version"), _text(version, "created"))
        for version in _list(value, "versions")
        if isinstance(version, dict)
    ]
    published, updated, version = _history(versions)
    paper = Paper(
        id=paper_id,
        title=title,
        abstract=clean(_text(value, "abstract", "summary"), LONGEST_ABSTRACT),
        authors=(
            split_authors(authors)
            if isinstance(authors := value.get("authors"), str)
            else _names(_visible_authors(value))
        ),
        categories=_categories(_words(value, "categories")),
        published=published or _time(value, "published", "publishedAt"),
        updated=updated or _time(value, "updated"),
        version=version or split_version(stated.rpartition("/abs/")[2])[1],
        doi=doi,
        journal_ref=clean(_text(value, "journal_ref", "journal-ref"), LONGEST_NOTE),
        note=clean(_text(value, "comment", "comments", "note"), LONGEST_NOTE),
    )
    return Record(
        paper,
        Origin.JSONL,
        listed_on=_day(value, "first_seen", "date"),
        aliases=tuple(others),
    )


def _name_of_row(value: Mapping[str, Any]) -> str:
    for name in ("id", "arxiv_id", "title"):
        if isinstance(text := value.get(name), str) and text:
            return clean(text, 80)
    return ""


def _text(value: Mapping[str, Any], *names: str) -> str:
    """The first of the fields that is there and not null; empty where none is."""
    for name in names:
        if (text := value.get(name)) is None:
            continue
        if not isinstance(text, str):
            raise _Broken(f"“{name}” is not text")
        return text
    return ""


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    if (found := value.get(name)) is None:
        return []
    if not isinstance(found, list):
        raise _Broken(f"“{name}” is not a list")
    return found


def _words(value: Mapping[str, Any], name: str) -> list[str]:
    """A list of words, or a string of words between blanks."""
    if isinstance(text := value.get(name), str):
        return text.split()
    words = [word for word in _list(value, name) if word is not None]
    if not all(isinstance(word, str) for word in words):
        raise _Broken(f"“{name}” is not a list of words")
    return words


def _count(value: Mapping[str, Any], name: str) -> int:
    if (count := value.get(name)) is None:
        return 0
    if type(count) is not int or not 0 <= count <= LARGEST_COUNT:
        raise _Broken(f"“{name}” is not a count")
    return count


def _time(value: Mapping[str, Any], *names: str) -> datetime | None:
    text = _text(value, *names)
    if not text.strip():
        return None
    if (moment := _moment(text)) is None:
        raise _Broken(f"“{clean(text, 40)}” is not a date")
    return moment


def _day(value: Mapping[str, Any], *names: str) -> date | None:
    moment = _time(value, *names)
    return moment and moment.date()


def _url(value: Mapping[str, Any], name: str) -> str:
    """An http address without blanks, else nothing."""
    text = _visible(_text(value, name))
    if len(text) > LONGEST_URL or re.fullmatch(r"https?://\S+", text, re.IGNORECASE) is None:
        return ""
    return text


def _who(value: Mapping[str, Any], name: str) -> str:
    """A person or organisation, given by name or as an object."""
    found = value.get(name)
    if isinstance(found, dict):
        found = _text(found, "fullname") or _text(found, "name") or _text(found, "user")
    elif found is not None and not isinstance(found, str):
        raise _Broken(f"“{name}” is neither a name nor an object")
    return clean(found or "", LONGEST_NAME)
