"""LaTeX in titles and abstracts becomes what a reader of the typeset page sees."""

# ruff: noqa: RUF001 - Greek letters and operators are what is tested

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.latex import to_unicode

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Arguments that are no words: names of environments, colours, lengths, code points
STYLE = re.compile(
    r"\\(?:begin|end|textcolor|color|colorbox|hspace|vspace|label|hyperlink|foreignlanguage"
    r"|fontsize|rule|unicode)\s?\{[^{}]*\}"
)
NESTED = r"[^{}]*"
for _ in range(4):
    NESTED = rf"(?:[^{{}}]|\{{{NESTED}\}})*"
LINK = re.compile(rf"\\href\{{([^{{}}]*)\}}\s*\{{({NESTED})\}}")
ACCENT = re.compile(
    r"\\[`'^\"~=.]\s*\{?\s*\\?[A-Za-z]|\\[a-zA-Z]\s?\{\\?[A-Za-z]\}|\\[vcH] [A-Za-z]"
)
COMMAND = re.compile(r"\\[A-Za-z]+|\\.", re.DOTALL)


def words_outside_commands(text: str) -> list[str]:
    """Runs of letters that no command has a claim on, by a rule that knows no table."""
    text = STYLE.sub(" ", text)
    text = LINK.sub(_link, text)
    text = COMMAND.sub(" ", ACCENT.sub(" ", text))
    return re.findall(r"[A-Za-z]{2,}", text)


def _link(link: re.Match[str]) -> str:
    """The address follows what it is put behind; where both are the same it is told once."""
    address, text = (re.sub(r"[\\{}\s]", "", part) for part in link.groups())
    return f" {link[2]} " + (link[1] if address != text else "")


def first_lost_word(text: str, converted: str) -> str | None:
    at = 0
    for word in words_outside_commands(text):
        at = converted.find(word, at)
        if at < 0:
            return word
        at += len(word)
    return None


def real_texts() -> Iterator[str]:
    names = ("arxiv_2026_spring", "arxiv_week_2026-06-22", "hf_daily_papers_raw_2026_spring")
    for name in names:
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                for paper in [item["paper"] for item in row.get("items", [])] or [row]:
                    yield paper["title"]
                    yield paper.get("abstract") or paper.get("summary") or ""


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        pytest.param("no dollar, no backslash: {a} ~5 x^2", None, id="left alone"),
        pytest.param(r"caf\'e, na\"{\i}ve, Erd{\H o}s", "café, naïve, Erdős", id="accents"),
        pytest.param(
            r"Jos\'{e}, \v{S}imko, \v Cech, Fran\c{c}ois, \~n, \`a, \^{o}",
            "José, Šimko, Čech, François, ñ, à, ô",
            id="accents with braces and blanks",
        ),
        pytest.param(r"\ss \o{} \aa{} {\L}ukasz \ae", "ß ø å Łukasz æ", id="letters"),
        pytest.param(r"Jos\\'e \\alpha", "José α", id="escaped twice"),
        pytest.param(r"$\alpha$-divergence, H$\alpha$", "α-divergence, Hα", id="greek"),
        pytest.param(r"11$\times$ lower, $a \leq b$, $x\to\infty$", "11× lower, a ≤ b, x→∞", id="op"),
        pytest.param(r"$M\sim H$, ($\sim 5$)", "M ∼ H, (∼ 5)", id="a relation stands between blanks"),
        pytest.param(r"\textbf{Bold} \emph{and \textit{it}} {\em too}", "Bold and it too", id="font"),
        pytest.param(r"$\mathcal{O}(n)$, $\mathbb{R}^d$", "O(n), Rᵈ", id="alphabets"),
        pytest.param(r"$x^2$ and $R^2$, $10^{-6}$", "x² and R², 10⁻⁶", id="powers"),
        pytest.param(r"$x^{n+1}_{i}$, $a_{n+1}$", "xⁿ⁺¹ᵢ, aₙ₊₁", id="scripts of more than one"),
        pytest.param(r"$x_{\text{max}}y$", "x_max y", id="a word in a script stays a word"),
        pytest.param(r"$2.5^{+0.2}_{-0.3}$", "2.5^(+0.2)_(-0.3)", id="no small form"),
        pytest.param(r"the $1^{st}$, 90$^\circ$, M$_\odot$", "the 1st, 90°, M⊙", id="conventional"),
        pytest.param(r"$\frac{a}{b}$, $\frac12$, $\frac{a+b}{2}$", "a/b, 1/2, (a+b)/2", id="fraction"),
        pytest.param(r"$\sqrt{x}$, $\sqrt{x+1}$", "√x, √(x+1)", id="root"),
        pytest.param(r"$\hat{y}$, $\tilde O(n)$, $\not\in$", "ŷ, Õ(n), ∉", id="accents in formulas"),
        pytest.param(r"\(a_1\) and \[b_2\] and $$c_3$$", "a₁ and b₂ and c₃", id="delimiters"),
        pytest.param("from $35,000 to $40,000", "from $35,000 to $40,000", id="prices"),
        pytest.param(r"\$5 at 10$\times$, not $6", "$5 at 10×, not $6", id="price beside formula"),
        pytest.param("costs $2 per task ($n=5$)", "costs $2 per task (n=5)", id="price, formula"),
        pytest.param(r"Fig.~3, about ~5\%", "Fig. 3, about ~5%", id="ties"),
        pytest.param(r"at x.org/~me, 5\% off", "at x.org/~me, 5% off", id="a home page is no tie"),
        pytest.param(r"``so'' \% \& \_ \# \$ \{a\}", "“so” % & _ # $ {a}", id="escapes"),
        pytest.param(r"75% of \emph{all}", "75% of all", id="percent is no comment"),
        pytest.param(r"\url{http://x.org/a\_b} \textbf{c}", "http://x.org/a_b c", id="url"),
        pytest.param(r"\href{http://x.org}{here}", "here (http://x.org)", id="link"),
        pytest.param(r"\href{http://x.org}{http://x.org}", "http://x.org", id="link as its own text"),
        pytest.param(r"\ours beats \model{}s, $n\log n$", "ours beats model s, n log n", id="unknown"),
        pytest.param(r"\foo{bar}{baz}", "foo bar baz", id="unknown with arguments"),
        pytest.param(r"10\,GeV, 5~{\rm kpc}", "10 GeV, 5 kpc", id="spaces and switches"),
        pytest.param(r"see \cite{Smith2020}.", "see [Smith2020].", id="citation"),
        pytest.param(r"$V_max$ and $k_BT$", "V_max and k_BT", id="a bare script is not torn"),
        pytest.param(r"my_file {a} \alpha", "my_file {a} α", id="outside formulas"),
        pytest.param(r"1$\unicode{x2013}$5", "1–5", id="code point"),
        pytest.param("ends in \\", "ends in ", id="a last backslash"),
    ],
)  # fmt: skip
def test_it_reads_as_typeset(latex: str, text: str | None) -> None:
    assert (latex if text is None else text) == to_unicode(latex)


def test_the_law_is_able_to_find_a_lost_word() -> None:
    text = r"A \textbf{bold} claim, 75% of $\alpha$ cases"

    assert words_outside_commands(text) == ["bold", "claim", "of", "cases"]
    assert first_lost_word(text, to_unicode(text)) is None
    assert first_lost_word(text, "A bold claim, 75") == "of"


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded papers are not beside the project")
def test_no_word_outside_a_command_is_lost_in_any_real_title_or_abstract() -> None:
    lost = [
        (word, text)
        for text in real_texts()
        if ("$" in text or "\\" in text) and (word := first_lost_word(text, to_unicode(text)))
    ]

    assert lost == []


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded papers are not beside the project")
def test_what_was_converted_is_hardly_changed_by_converting_it_again() -> None:
    converted = [to_unicode(text) for text in real_texts() if "$" in text or "\\" in text]
    changed = [text for text in converted if to_unicode(text) != text]

    assert len(converted) > 7_000
    assert len(changed) <= 5  # pieces of source code shown as such


@pytest.mark.parametrize(
    "unit",
    ["\\", "\\\\", "{", "}", "{}", "$", "$$", "^", "_", "^_", "\\frac", "\\hat", "\\'", "`", "'",
     "\\href{", "\\textbf{", "$1 ", "~", "\\sqrt[", "x^{", "\\left", "\\unicode", "$a b c", "\\v "],
)  # fmt: skip
def test_a_hundred_thousand_characters_of_nonsense_take_no_time(unit: str) -> None:
    text = unit * (100_000 // len(unit)) + "$\\"
    nested = unit * 20_000 + ", words" + "}" * 20_000 + "$\\"

    to_unicode(text)  # in more than linear time it would not come back

    assert "words" in to_unicode(nested)


def test_words_in_deeply_nested_groups_survive() -> None:
    text = "$\\" + "{\\bf a" * 500 + "innermost" + "}" * 500

    assert "innermost" in to_unicode(text)
