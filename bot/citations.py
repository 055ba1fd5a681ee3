"""Papers as BibTeX, RIS and JSON for reference managers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from bot import identity
from bot.model import Paper
from bot.text import GLUE, fold, tokens

FORMATS = ("bibtex", "ris", "json")
_SPECIAL = {"\\": r"\textbackslash ", "~": r"\textasciitilde ", "^": r"\textasciicircum "}
_SPECIAL |= {c: f"\\{c}" for c in "&%$#_"}
_SPECIAL |= {"{": "(", "}": ")"}  # BibTeX counts braces even behind a backslash


def export(papers: Iterable[Paper], form: str) -> str:
    """The papers as text in one of ``FORMATS``, in the order given."""
    match form:
        case "bibtex":
            return bibtex(papers)
        case "ris":
            return "".join(map(_ris, papers))
        case _:
            return json.dumps(list(map(_csl, papers)), ensure_ascii=False, indent=2) + "\n"


def bibtex(papers: Iterable[Paper]) -> str:
    """One entry a paper; keys are author, year and first word, made unique with a letter."""
    entries: list[str] = []
    keys: set[str] = set()
    for paper in papers:
        stem = key = _key(paper)
        number = 1
        while key in keys:
            number += 1
            key = f"{stem}-{number}"
        keys.add(key)
        entries.append(_entry(paper, key))
    return "\n".join(entries)


def _entry(paper: Paper, key: str) -> str:
    fields = {
        "title": "{" + _escaped(paper.title) + "}",
        "author": " and ".join(map(_bibtex_name, paper.authors)),
        "year": _year(paper),
        "journal": _escaped(paper.journal_ref),
        "eprint": _arxiv(paper),
        "archiveprefix": "arXiv" if _arxiv(paper) else "",
        "primaryclass": paper.categories[0] if _arxiv(paper) and paper.categories else "",
        "doi": _doi(paper).replace("{", "").replace("}", ""),
        "url": identity.paper_link(paper.id, paper.title).url,
        "abstract": _escaped(paper.abstract),
    }
    kind = "article" if paper.journal_ref else "misc"
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def _ris(paper: Paper) -> str:
    published = paper.published
    rows = [
        ("TY", "JOUR" if paper.journal_ref else "GEN"),
        ("ID", paper.id),
        ("TI", paper.title),
        *(("AU", _surname_first(author)) for author in paper.authors),
        ("PY", _year(paper)),
        ("DA", published.strftime("%Y/%m/%d") if published else ""),
        ("JO", paper.journal_ref),
        ("DO", _doi(paper)),
        ("UR", identity.paper_link(paper.id, paper.title).url),
        ("AB", paper.abstract),
        *(("KW", keyword) for keyword in paper.keywords),
    ]
    lines = [f"{tag}  - {' '.join(value.split())}" for tag, value in rows if value]
    return "\n".join([*lines, "ER  - ", ""]) + "\n"


def _csl(paper: Paper) -> dict[str, object]:
    return {
        "id": paper.id,
        "title": paper.title,
        "authors": list(paper.authors),
        "year": _year(paper),
        "categories": list(paper.categories),
        "doi": _doi(paper),
        "url": identity.paper_link(paper.id, paper.title).url,
        "abstract": paper.abstract,
    }


def _year(paper: Paper) -> str:
    if paper.published:
        return f"{paper.published.year}"
    digits = _arxiv(paper).rpartition("/")[2][:2]  # 2508.13426, quant-ph/0201082
    if not digits:
        return ""
    return f"{'19' if digits >= '91' else '20'}{digits}"


def _key(paper: Paper) -> str:
    surname = tokens(fold(paper.authors[0]))[-1:] if paper.authors else []
    words = [word for word in tokens(fold(paper.title)) if word not in GLUE]
    made = "".join([*surname, _year(paper), *words[:1]])
    return re.sub(r"[^a-z0-9]", "", made) or re.sub(r"[^a-z0-9]", "", paper.id)


def _arxiv(paper: Paper) -> str:
    return paper.id.removeprefix("arxiv:") if paper.id.startswith("arxiv:") else ""


def _doi(paper: Paper) -> str:
    return paper.doi or (paper.id.removeprefix("doi:") if paper.id.startswith("doi:") else "")


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in " ".join(text.split()))


def _bibtex_name(name: str) -> str:
    escaped = _escaped(name)
    if " and " in f" {escaped.lower()} " or "," in escaped or _is_group(name):
        return "{" + escaped + "}"
    return escaped


def _surname_first(name: str) -> str:
    given, _, surname = name.rpartition(" ")
    return f"{surname}, {given}" if given and not _is_group(name) else name


def _is_group(name: str) -> bool:
    return name.lower().endswith(("collaboration", "team", "consortium", "group"))
