"""LaTeX to Unicode by a small table. Pure, linear in the text; knows no document structure.

Not a LaTeX parser: ``%`` is never a comment, and a command that the table does not know loses its
backslash and keeps its name. No word outside a command is ever lost.
"""

# ruff: noqa: RUF001, SIM905 - the table is made of look-alikes, and is a table

from __future__ import annotations

import re
import unicodedata
from typing import Final

DEEPEST: Final = 40  # groups nested deeper than this are left as they are

_ACCENTS: Final = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    '"': "\u0308",
    "u": "\u0306",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "c": "\u0327",
    "k": "\u0328",
    "d": "\u0323",
    "b": "\u0331",
}
_MATH_ACCENTS: Final = {
    "acute": "\u0301",
    "bar": "\u0304",
    "breve": "\u0306",
    "check": "\u030c",
    "ddot": "\u0308",
    "dot": "\u0307",
    "grave": "\u0300",
    "hat": "\u0302",
    "mathring": "\u030a",
    "not": "\u0338",
    "overline": "\u0304",
    "tilde": "\u0303",
    "vec": "\u20d7",
    "widehat": "\u0302",
    "widetilde": "\u0303",
}

_SYMBOLS: Final = dict(
    pair.split("=", 1)
    for pair in """
    alpha=α beta=β gamma=γ delta=δ epsilon=ϵ varepsilon=ε zeta=ζ eta=η theta=θ vartheta=ϑ iota=ι
    kappa=κ lambda=λ mu=μ nu=ν xi=ξ omicron=ο pi=π varpi=ϖ rho=ρ varrho=ϱ sigma=σ varsigma=ς tau=τ
    upsilon=υ phi=φ varphi=φ chi=χ psi=ψ omega=ω upmu=μ textmu=μ
    Gamma=Γ Delta=Δ Theta=Θ Lambda=Λ Xi=Ξ Pi=Π Sigma=Σ Upsilon=Υ Phi=Φ Psi=Ψ Omega=Ω
    times=× div=÷ pm=± mp=∓ cdot=· ast=∗ star=⋆ bigstar=★ circ=∘ bullet=• oplus=⊕ ominus=⊖ otimes=⊗
    odot=⊙ oslash=⊘ dagger=† ddagger=‡ dag=† ddag=‡ wedge=∧ land=∧ vee=∨ lor=∨ cap=∩ cup=∪
    bigcap=⋂ bigcup=⋃ setminus=∖ rtimes=⋊ ltimes=⋉ amalg=⨿ wr=≀ diamond=⋄ triangle=△ square=□
    leq=≤ le=≤ leqslant=≤ geq=≥ ge=≥ geqslant=≥ ll=≪ gg=≫ neq=≠ ne=≠ approx=≈ simeq=≃ cong=≅ sim=∼
    equiv=≡ propto=∝ lesssim=≲ lessim=≲ gtrsim=≳ lessapprox=⪅ gtrapprox=⪆ prec=≺ succ=≻ preceq=⪯
    succeq=⪰ asymp=≍ doteq=≐ models=⊨ vdash=⊢ dashv=⊣ perp=⊥ bot=⊥ top=⊤ parallel=∥ mid=|
    subset=⊂ subseteq=⊆ subsetneq=⊊ supset=⊃ supseteq=⊇ in=∈ notin=∉ ni=∋ forall=∀ exists=∃
    nexists=∄ neg=¬ lnot=¬ emptyset=∅ varnothing=∅ infty=∞ nabla=∇ partial=∂ sum=∑ prod=∏ coprod=∐
    int=∫ iint=∬ oint=∮ surd=√ angle=∠ hbar=ℏ ell=ℓ Re=ℜ Im=ℑ aleph=ℵ wp=℘ prime=′ natural=♮
    sharp=♯ flat=♭ Box=□ checkmark=✓ therefore=∴ because=∵
    to=→ rightarrow=→ longrightarrow=⟶ xrightarrow=→ gets=← leftarrow=← leftrightarrow=↔ uparrow=↑
    downarrow=↓ updownarrow=↕ Rightarrow=⇒ implies=⟹ Leftarrow=⇐ Leftrightarrow=⇔ iff=⟺ mapsto=↦
    hookrightarrow=↪ leftrightharpoons=⇋ rightleftharpoons=⇌ nearrow=↗ searrow=↘ leadsto=⇝
    nrightarrow=↛ textrightarrow=→
    langle=⟨ rangle=⟩ lceil=⌈ rceil=⌉ lfloor=⌊ rfloor=⌋ vert=| lvert=| rvert=| Vert=‖ lVert=‖
    rVert=‖ lbrace={ rbrace=} lbrack=[ rbrack=] colon=:
    dots=… ldots=… cdots=⋯ vdots=⋮ ddots=⋱ dotsc=… dotsb=⋯ textellipsis=…
    ss=ß o=ø O=Ø l=ł L=Ł ae=æ AE=Æ oe=œ OE=Œ aa=å AA=Å dh=ð DH=Ð th=þ TH=Þ dj=đ DJ=Đ ng=ŋ NG=Ŋ
    i=ı j=ȷ imath=ı jmath=ȷ S=§ P=¶ copyright=© pounds=£ euro=€ textdegree=° degree=° degr=°
    arcmin=′ arcsec=″ micron=μm
    textasciitilde=~ textasciicircum=^ textbackslash=\\ textunderscore=_ textdollar=$ textbar=|
    textless=< textgreater=> textendash=– textemdash=— textquoteleft=‘ textquoteright=’
    textquotedblleft=“ textquotedblright=” lq=‘ rq=’
    """.split()
) | {"quad": " ", "qquad": " ", "newline": " ", "par": " ", "item": " • ", "n": " "}
# "n" is no command: it is a line break that was escaped twice on its way here

_BETWEEN: Final = frozenset("×÷±∓·⊕⊖⊗∧∨∩∪∖⋊⋉≤≥≪≫≠≈≃≅∼≡∝≲≳⪅⪆≺≻⪯⪰≍≐⊨⊢⊣⊥∥|⊂⊆⊊⊃⊇∈∉→⟶←↔⇒⟹⇐⇔⟺↦")
_OPENING: Final = frozenset({"", " ", "\n", "(", "[", "{", "~"})

# Their argument takes their place: fonts, boxes, lines above and below, citations' brackets
_WRAPPERS: Final = frozenset(
    """
    text textbf textit textrm textsf textsc textsl texttt textmd textup textnormal emph mathbb
    mathbf mathbin mathcal mathfrak mathit mathop mathord mathpunct mathrel mathrm mathscr mathsf
    mathtt bm boldsymbol pmb mbox hbox fbox ensuremath underline uline underbrace overbrace
    overrightarrow overset underset stackrel substack smash enquote num ang acrshort
    acrlong acrfull gls Gls ac acs acl acf acp
    """.split()
)
# They change what follows and say nothing themselves
_SWITCHES: Final = frozenset(
    """
    rm it bf tt sc sl sf em cal bfseries itshape rmfamily sffamily ttfamily scshape boldmath
    normalfont tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
    displaystyle textstyle scriptstyle scriptscriptstyle noindent centering limits nolimits
    left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr xspace
    allowbreak relax protect maketitle footnotemark
    """.split()
)
_FIRST_IS_STYLE: Final = frozenset(
    """
    begin end textcolor color colorbox hspace vspace label hyperlink foreignlanguage fontsize
    phantom vphantom hphantom rule
    """.split()
)
_FRACTIONS: Final = frozenset({"frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"})
_CITATIONS: Final = frozenset(
    {"cite", "citep", "citet", "citealp", "citealt", "citeauthor", "parencite", "ref", "eqref"}
)
_KNOWN: Final = (
    _SYMBOLS.keys() | _MATH_ACCENTS | _WRAPPERS | _SWITCHES | _FIRST_IS_STYLE | _FRACTIONS
)
_CHARACTERS: Final = {
    ",": " ",
    ";": " ",
    ":": " ",
    ">": " ",
    " ": " ",
    "\n": " ",
    "\t": " ",
    "\\": " ",
    "!": "",
    "-": "",
    "/": "",
    "@": "",
    "|": "‖",
}

_SUPERSCRIPTS: Final = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδφχθ",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᵠᵡᶿ",
        strict=True,
    )
)
_SUBSCRIPTS: Final = dict(
    zip(
        "0123456789+-−=()aehijklmnoprstuvxβγρφχ",
        "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
        strict=True,
    )
)
_SMALL: Final = frozenset(_SUPERSCRIPTS.values()) | frozenset(_SUBSCRIPTS.values())
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})

_TOKEN: Final = re.compile(  # begins with a set: the search then skips plain text fast
    r"[\\{}$^_~`'](?:(?<=\\)(?:(?P<name>[A-Za-z]+)|(?P<char>.?))|(?<=`)`|(?<=')')?", re.DOTALL
)
_DOLLAR: Final = re.compile(r"[\\$](?:(?<=\\).|\$)?", re.DOTALL)
_BRACE: Final = re.compile(r"[\\{}](?:(?<=\\).)?", re.DOTALL)
_MANY_BLANKS: Final = re.compile("  +")
_BLANKS: Final = re.compile(r"\s*")
_COMMAND: Final = re.compile(r"\\[A-Za-z]+\*?(\{[^{}]*\})?")
_WORDS: Final = re.compile(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}")
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")


def to_unicode(text: str) -> str:
    """What a reader of the typeset text would read; text without ``$`` and backslash as it is."""
    if "$" not in text and "\\" not in text:
        return text
    return _MANY_BLANKS.sub(" ", _Converter(text).convert(0, len(text), math=False, depth=0))


class _Pieces:
    """Text under construction that keeps names apart from the letters around them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._apart = False

    @property
    def last(self) -> str:
        return self._parts[-1][-1] if self._parts else ""

    def add(self, part: str) -> None:
        if part:
            if self._apart and _in_word(part[0]):
                self._parts.append(" ")
            self._apart = False
            self._parts.append(part)

    def add_name(self, name: str) -> None:
        """A word of its own: a blank parts it from letters and digits on either side."""
        if _in_word(self.last):
            self._apart = True
        self.add(name)
        self._apart = True

    def keep_apart(self) -> None:
        self._apart = True

    def __str__(self) -> str:
        return "".join(self._parts)


class _Converter:
    """One text, with its pairs of braces and of dollar signs found beforehand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closing = _pairs_of_braces(text)
        self._delimiters = _math_delimiters(text)

    def convert(self, pos: int, end: int, *, math: bool, depth: int) -> str:
        if depth > DEEPEST:
            return self._text[pos:end]
        out = _Pieces()
        while pos < end:
            token = _TOKEN.search(self._text, pos, end)
            if token is None:
                out.add(self._text[pos:end])
                break
            out.add(self._text[pos : token.start()])
            start, pos = token.span()
            if token["name"] is not None:
                pos = self._command(out, token["name"], pos, end, math, depth)
            elif token["char"] is not None:
                math, pos = self._character(out, token["char"], pos, end, math, depth)
            elif (mark := token[0]) == "$":
                if width := self._delimiters.get(start, 0):
                    math = not math
                    pos = start + width
                else:
                    out.add("$")
            elif mark == "{":
                pos = self._group(out, start, end, math, depth)
            elif mark in "^_":
                pos = self._script(out, mark, pos, end, math, depth)
            elif mark == "~":
                about = not math and (out.last.isspace() or out.last in ("", "(", "[", "/", "="))
                out.add("~" if about else " ")  # "costs ~5", a home page; else a tie
            elif mark == "}":
                out.add("}")  # that of a group is consumed with the group
            else:
                out.add(mark if math else {"``": "“", "''": "”"}.get(mark, mark))
        return str(out)

    def _command(self, out: _Pieces, name: str, pos: int, end: int, math: bool, depth: int) -> int:
        """Write what *name* stands for; where the reading goes on."""
        if symbol := _SYMBOLS.get(name):
            spaced = math and symbol in _BETWEEN and self._text[pos : pos + 1].isspace()
            out.add(" " + symbol if spaced and out.last not in _OPENING else symbol)
        elif name in _SWITCHES:
            blanks = self._skip_blanks(pos, end)
            if blanks > pos and _in_word(out.last):
                out.add(" ")
            pos = blanks
            if name in ("left", "right") and self._text[pos : pos + 1] == ".":
                pos += 1
        elif name in _FRACTIONS:
            over, pos = self._argument(pos, end, math, depth)
            under, pos = self._argument(pos, end, math, depth)
            out.add_name(f"{_bracketed(over)}/{_bracketed(under)}")
        elif name == "binom":
            upper, pos = self._argument(pos, end, math, depth)
            lower, pos = self._argument(pos, end, math, depth)
            out.add(f"({upper} choose {lower})")
        elif name == "sqrt" and self._text[pos : pos + 1] != "[":
            radicand, pos = self._argument(pos, end, math, depth)
            out.add("√" + _bracketed(radicand))
        elif name == "pmod":
            modulus, pos = self._argument(pos, end, math, depth)
            out.add(f"(mod {modulus})")
        elif name in _MATH_ACCENTS:
            base, pos = self._argument(pos, end, math, depth)
            out.add(_accented(base, _MATH_ACCENTS[name]))
        elif name in _ACCENTS and (accented := self._accent(name, pos, end)):
            out.add(accented[0])
            pos = accented[1]
        elif name in ("textsuperscript", "textsubscript"):
            content, pos = self._argument(pos, end, math, depth)
            table = _SUPERSCRIPTS if name == "textsuperscript" else _SUBSCRIPTS
            out.add(_translated(content, table) or content)
        elif name == "url" and self._opens(pos, end):
            out.add(self._verbatim(pos))
            pos = self._closing[pos] + 1
        elif name == "href" and self._opens(pos, end):
            address = self._verbatim(pos)
            content, pos = self._argument(self._closing[pos] + 1, end, math, depth)
            out.add(content if content.strip() == address else f"{content} ({address})")
        elif name in _CITATIONS and self._opens(pos, end):
            content, pos = self._argument(pos, end, math, depth)
            out.add(f"[{content}]")
        elif name == "unicode" and (
            code := re.match(r"\{x([0-9A-Fa-f]{2,5})\}", self._text[pos:end])
        ):
            out.add(chr(int(code[1], 16)))
            pos += code.end()
        elif name == "footnote" and self._opens(pos, end):
            content, pos = self._argument(pos, end, math, depth)
            out.add(f" ({content})")
        elif name == "ion" and self._opens(pos, end):
            element, pos = self._argument(pos, end, math, depth)
            stage, pos = self._argument(pos, end, math, depth)
            out.add_name(f"{element} {stage}")
        elif name in _FIRST_IS_STYLE and self._opens(pos, end):
            pos = self._closing[pos] + 1
            if self._opens(pos, end):
                content, pos = self._argument(pos, end, math, depth)
                out.add(content)
        elif name in _WRAPPERS:
            content, pos = self._argument(pos, end, math, depth)
            out.add(content)
        else:
            if name == "operatorname":
                pos += self._text[pos : pos + 1] == "*"
            else:
                out.add_name(name)
            while self._opens(pos, end):
                content, pos = self._argument(pos, end, math, depth)
                out.add_name(content)
        return pos

    def _character(
        self, out: _Pieces, char: str, pos: int, end: int, math: bool, depth: int
    ) -> tuple[bool, int]:
        """A backslash and one character that is no letter; the mode, and where it goes on."""
        if char in ("(", "["):
            return True, pos
        if char in (")", "]"):
            return False, pos
        if char in _ACCENTS and (accented := self._accent(char, pos, end)):
            out.add(accented[0])
            return math, accented[1]
        if char == "\\":  # also a single one that was escaped twice on its way here
            token = _TOKEN.match(self._text, pos - 1, end)
            if token and token["name"] in _KNOWN:
                return math, self._command(out, token["name"], token.end(), end, math, depth)
            accent = self._text[pos : pos + 1]
            if accent in _ACCENTS and (accented := self._accent(accent, pos + 1, end)):
                out.add(accented[0])
                return math, accented[1]
        out.add(_CHARACTERS.get(char, char))
        return math, pos

    def _accent(self, accent: str, pos: int, end: int) -> tuple[str, int] | None:
        r"""The letter with its accent, as in ``\'e``, ``\'{e}``, ``\'{\i}``, ``\v s``."""
        at = pos if accent in "krudb" else self._skip_blanks(pos, end)
        if at == pos and accent.isalpha() and not self._opens(pos, end):
            return None
        inner = at + 1 if self._opens(at, end) else at
        token = _TOKEN.match(self._text, inner, end)
        if token and token["name"] in ("i", "j"):
            base, after = token["name"], token.end()
        else:
            base, after = self._text[inner : inner + 1], inner + 1
        if inner != at:
            after = self._skip_blanks(after, end)
            if self._closing[at] != after:
                return None
            after += 1
        letter = unicodedata.normalize("NFC", base + _ACCENTS[accent])
        return (letter, after) if base.isalpha() and len(letter) == 1 else None

    def _group(self, out: _Pieces, start: int, end: int, math: bool, depth: int) -> int:
        """Braces that are nobody's argument; they stay where they seem to be meant as such."""
        if not self._opens(start, end):
            out.add("{")
            return start + 1
        close = self._closing[start]
        content = self.convert(start + 1, close, math=math, depth=depth + 1)
        grouping = math or self._text[start + 1] == "\\" or not any(map(str.isalnum, content))
        out.add(content if grouping else "{" + content + "}")
        return close + 1

    def _script(self, out: _Pieces, mark: str, pos: int, end: int, math: bool, depth: int) -> int:
        char = self._text[pos : pos + 1] if pos < end else ""
        following = self._text[pos + 1 : pos + 2]
        braced = self._opens(pos, end)
        plain = char.isdigit() and not following.isdigit()
        plain = plain or (char.isalpha() and not following.isalpha())
        power = mark == "^" and char.isdigit() and out.last.isalnum() and not following.isalnum()
        if not (braced or power or (math and (plain or char in tuple("\\*+-'†")))):
            out.add(mark)
            return pos
        content, pos = self._argument(pos, end, True, depth)
        content = content.strip()
        if mark == "^" and content in _ORDINALS:
            out.add(content)
        elif mark == "^" and content == "∘":
            out.add("°")
        elif script := _translated(content, _SUPERSCRIPTS if mark == "^" else _SUBSCRIPTS):
            out.add(script)
        elif not any(c.isalnum() or c.isspace() for c in content):
            out.add(content)
        elif content.isalnum():
            out.add(mark + content)
            out.keep_apart()
        elif content:
            out.add(f"{mark}({content})")
        return pos

    def _argument(self, pos: int, end: int, math: bool, depth: int) -> tuple[str, int]:
        """The group, command or single character at *pos*, converted; and what comes after it."""
        pos = self._skip_blanks(pos, end)
        if self._opens(pos, end):
            close = self._closing[pos]
            return self.convert(pos + 1, close, math=math, depth=depth + 1), close + 1
        token = _TOKEN.match(self._text, pos, end)
        if token is None or token[0] in ("'", "`"):
            return self._text[pos : min(pos + 1, end)], min(pos + 1, end)
        if not token[0].startswith("\\"):
            return "", pos
        after = token.end()
        if token["name"] in _KNOWN and self._opens(after, end):
            after = self._closing[after] + 1
        return self.convert(pos, after, math=math, depth=depth + 1), after

    def _opens(self, pos: int, end: int) -> bool:
        return self._closing.get(pos, end) < end

    def _skip_blanks(self, pos: int, end: int) -> int:
        match = _BLANKS.match(self._text, pos, end)
        return match.end() if match else pos

    def _verbatim(self, pos: int) -> str:
        return re.sub(r"\\([_%#&~{}])", r"\1", self._text[pos + 1 : self._closing[pos]]).strip()


def _pairs_of_braces(text: str) -> dict[int, int]:
    pairs: dict[int, int] = {}
    open_: list[int] = []
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            open_.append(token.start())
        elif token[0] == "}" and open_:
            pairs[open_.pop()] = token.start()
    return pairs


def _math_delimiters(text: str) -> dict[int, int]:
    """Where the dollar signs stand that enclose formulas, with their width; prices are not here."""
    signs = [token for token in _DOLLAR.finditer(text) if token[0][0] == "$"]
    found: dict[int, int] = {}
    index = 0
    while index + 1 < len(signs):
        left, right = signs[index], signs[index + 1]
        content = text[left.end() : right.start()]
        if _is_formula(content, text[right.end() : right.end() + 1]):
            found[left.start()] = len(left[0])
            found[right.start()] = len(right[0])
            index += 1
        index += 1
    return found


def _is_formula(content: str, after: str) -> bool:
    """Whether the text between two dollar signs is one; else the first is a currency sign."""
    if not content.strip() or _WORDS.search(_COMMAND.sub("", content)):
        return False
    if not content[0].isdigit():
        return True
    if after.isdigit():
        return False
    if any(sign in content for sign in "\\^_=<>"):
        return True
    odd = content[-1].isspace() or content.count("(") != content.count(")")
    return not odd and re.search(r"[a-z]{3,}", content) is None


def _in_word(char: str) -> bool:
    return char.isalnum() and char not in _SMALL


def _translated(content: str, table: dict[str, str]) -> str:
    """The content in small digits and letters; empty where a character or a word forbids it."""
    if _LETTERS.search(content):  # a word stays one that can be found
        return ""
    return "".join(table[c] for c in content) if all(c in table for c in content) else ""


def _accented(base: str, accent: str) -> str:
    base = base.strip()
    if len(base) != 1:
        return base
    return unicodedata.normalize("NFC", {"ı": "i", "ȷ": "j"}.get(base, base) + accent)


def _bracketed(term: str) -> str:
    term = term.strip()
    return term if re.fullmatch(r"[\w.′†*]*", term) else f"({term})"
