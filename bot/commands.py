"""What people can ask: one frozen request per verb, the table of verbs, and text to request."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from bot import query
from bot.citations import FORMATS
from bot.errors import UserError
from bot.query import Query

COMMAND_LENGTH = 10_000  # settings can be pasted; a query has its own limit
READ, OWN, CHANGE, POST = "read", "own", "change", "post"


@dataclass(frozen=True, slots=True)
class Help:
    topic: str = ""
    unknown: str = ""  # a verb that does not exist


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription to be; None leaves the weight or label of one that is there already."""

    query: Query
    weight: float | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    wishes: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class Expand:
    """An acronym of subscription *number* gets what it stands for beside it; "" asks what that may be."""

    number: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    what: str  # a number, a query as it is listed, or "all"
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Mute:
    term: Query


@dataclass(frozen=True, slots=True)
class Unmute:
    term: str


@dataclass(frozen=True, slots=True)
class ListSubscriptions:
    everywhere: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Preview:
    days: int = 7
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Why:
    paper: str


@dataclass(frozen=True, slots=True)
class Show:
    paper: str


@dataclass(frozen=True, slots=True)
class Find:
    """A search; *everywhere* asks arXiv and Hugging Face themselves, not the library."""

    query: Query
    since: str = ""
    until: str = ""
    source: str = ""
    code: bool = False
    sort: str = "best"
    limit: int = 5
    everywhere: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Top:
    period: str = "week"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Similar:
    paper: str


@dataclass(frozen=True, slots=True)
class Save:
    paper: str


@dataclass(frozen=True, slots=True)
class Unsave:
    paper: str


@dataclass(frozen=True, slots=True)
class Saved:
    page: int = 1


@dataclass(frozen=True, slots=True)
class Share:
    paper: str


@dataclass(frozen=True, slots=True)
class Like:
    paper: str


@dataclass(frozen=True, slots=True)
class Dislike:
    paper: str


@dataclass(frozen=True, slots=True)
class Unvote:
    paper: str


@dataclass(frozen=True, slots=True)
class ShowLearned:
    page: int = 1


@dataclass(frozen=True, slots=True)
class Forget:
    word: str  # one learned word, or "all"
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    pass


@dataclass(frozen=True, slots=True)
class Export:
    """*scope* is "saved", "digest" or a paper."""

    form: str
    scope: str = "saved"


@dataclass(frozen=True, slots=True)
class ConfigExport:
    pass


@dataclass(frozen=True, slots=True)
class ConfigImport:
    document: str


@dataclass(frozen=True, slots=True)
class EraseMe:
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """A kept answer once more, at another page."""

    key: str
    page: int = 1


@dataclass(frozen=True, slots=True)
class These:
    """Certain papers: those that a digest had no room for."""

    papers: tuple[str, ...]
    page: int = 1


@dataclass(frozen=True, slots=True)
class About:
    """The papers that a message names; who asks does not type it."""

    papers: tuple[str, ...]  # canonical ids


@dataclass(frozen=True, slots=True)
class OpenForm:
    """One of FORMS, to be filled in."""

    name: str


@dataclass(frozen=True, slots=True)
class Settings:
    pass


@dataclass(frozen=True, slots=True)
class SetOptions:
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DigestNow:
    since: str = ""
    top: int | None = None


@dataclass(frozen=True, slots=True)
class SetSchedule:
    text: str = ""  # empty: show it


@dataclass(frozen=True, slots=True)
class Pause:
    until: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    pass


@dataclass(frozen=True, slots=True)
class ConfigUndo:
    mark: str = ""  # of the settings that a button stands beside; empty: whatever they are


@dataclass(frozen=True, slots=True)
class Status:
    pass


@dataclass(frozen=True, slots=True)
class Resend:
    key: str  # of a held post, or how it begins


@dataclass(frozen=True, slots=True)
class GiveUp:
    key: str


Command = (
    Help | Subscribe | Expand | Unsubscribe | Mute | Unmute | ListSubscriptions | Preview | Why | Show
    | Settings | SetOptions | DigestNow | SetSchedule | Pause | Resume | ConfigUndo | Status
    | Find | Top | Similar | Save | Unsave | Saved | Share | Home | Export | ConfigExport
    | ConfigImport | EraseMe | Again | Like | Dislike | Unvote | ShowLearned | Forget
    | Resend | GiveUp | These | OpenForm | About
)  # fmt: skip

Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verb:
    """*kind* is read, own (touches only the asker's things), change or post.

    *options* are the ``name:`` words that the verb takes out of its text.
    """

    name: str
    usage: str
    summary: str
    kind: str
    build: Callable[[str, Options], Command]
    options: tuple[str, ...] = ()
    more: str = ""
    aliases: tuple[str, ...] = ()


def _subscribe(text: str, _: Options) -> Command:
    parts = [part for part in split_semicolons(text) if part.strip()]
    if not parts:
        return OpenForm("subscribe")
    return Subscribe(tuple(map(_wish, parts)))


def _wish(part: str) -> Wish:
    words, options = _take_options(part, ("weight", "label"))
    weight = number(options["weight"], "weight", 0.1, 10) if "weight" in options else None
    name = options.get("label")
    return Wish(query.parse(words), weight, None if name is None else label(name))


def label(name: str) -> str:
    name = name.strip()
    if len(name) > 40:
        raise UserError(
            "A label is 1 to 40 characters long.", hint="Write label:inference", field="label"
        )
    return name


def _expand(text: str, _: Options) -> Command:
    which, *rest = text.split(" ", 1)
    digits = which.removeprefix("#")
    if not (digits.isdecimal() and len(digits) < 10):
        raise UserError(
            "Which subscription?",
            hint='Write `expand 3 "reinforcement learning"`; `list` shows the numbers.',
        )
    return Expand(int(digits), _meaning(rest[0]) if rest else "")


def _meaning(words: str) -> str:
    """What an acronym stands for, with or without quotes: one phrase."""
    quoted = words if words.startswith('"') else f'"{words}"'
    clauses = query.parse(quoted).clauses
    if len(clauses) > 1 or len(clauses[0].items) > 1:
        raise UserError(
            "An acronym stands for one phrase.", hint='Write `expand 3 "reinforcement learning"`'
        )
    return clauses[0].items[0].text


def _unsubscribe(text: str, options: Options) -> Command:
    if not text:
        raise UserError(
            "Which subscription?", hint="Write `unsubscribe 3`; `list` shows the numbers."
        )
    return Unsubscribe(text, _said_yes(options, "sure"))


def _mute(text: str, _: Options) -> Command:
    return Mute(query.parse(text.removeprefix("-")))


def _unmute(text: str, _: Options) -> Command:
    if not text:
        raise UserError("Which word is to be heard again?", hint="Write `unmute survey`")
    return Unmute(text.removeprefix("-"))


def _list(text: str, options: Options) -> Command:
    if text not in ("", "all"):
        raise UserError(f"list knows no “{text[:40]}”.", hint="Write `list`, or `list all`.")
    return ListSubscriptions(text == "all", _page(options))


def _preview(text: str, options: Options) -> Command:
    days = int(number(options.get("days", "7").removesuffix("d"), "days", 1, 400))
    return Preview(days, query.parse(text) if text else None)


def _paper_verb(make: Callable[[str], Command], verb: str) -> Callable[[str, Options], Command]:
    def build(text: str, _: Options) -> Command:
        if not text:
            raise UserError(
                f"{verb} which paper?", hint=f"Write `{verb} 2509.04664`, or a link to it."
            )
        return make(text)

    return build


def _post_verb(make: Callable[[str], Command], verb: str) -> Callable[[str, Options], Command]:
    def build(text: str, _: Options) -> Command:
        if not text:
            raise UserError(f"{verb} which post?", hint="Type `status` to see what is held.")
        return make(text)

    return build


def _set(text: str, options: Options) -> Command:
    if text:
        raise UserError(
            f"“{text[:60]}” sets nothing.",
            hint="Write `set max:10 strictness:strict`; `settings` shows all.",
        )
    if not options:
        return Settings()
    return SetOptions(tuple(options.items()))


def _digest(text: str, options: Options) -> Command:
    if text:
        raise UserError(
            f"digest knows no “{text[:40]}”.",
            hint="Write `digest`, or `digest since:2026-11-10 top:15`.",
        )
    top = int(number(options["top"], "top", 1, 50)) if "top" in options else None
    if top is not None and "since" not in options:
        raise UserError(
            "top: goes with since:.",
            hint="Write `digest since:7d top:15`; `set max:15` changes the digest.",
        )
    return DigestNow(options.get("since", ""), top)


def _pause(text: str, options: Options) -> Command:
    return Pause(options.get("until", text))


_MARK = re.compile(r"[0-9a-f]{8}", re.ASCII)


def _config(text: str, _: Options) -> Command:
    verb, blank, rest = text.partition(" ")
    match verb:
        case "undo" if not blank or _MARK.fullmatch(rest):
            return ConfigUndo(rest)
        case "export" if not blank:
            return ConfigExport()
        case "import" if rest:
            return ConfigImport(rest.strip())
    raise UserError(
        "config does what?",
        hint="Write `config undo`, `config export`, or `config import` with what export printed.",
    )


_SORTS = {"best": "best", "relevance": "best", "new": "new", "newest": "new", "date": "new",
          "upvotes": "upvotes", "top": "upvotes"}  # fmt: skip
SOURCES = ("arxiv", "huggingface", "journal")
FORMS = ("subscribe", "schedule", "search")


def _find(text: str, options: Options) -> Command:
    if not text:
        return OpenForm("search")
    sort = _SORTS.get(options.get("sort", "best").lower())
    if sort is None:
        raise UserError("sort: is best, new or upvotes.", hint="Write sort:new", field="sort")
    source = options.get("source", "").lower()
    if source and source not in SOURCES:
        raise UserError(
            f"source: is one of {', '.join(SOURCES)}.", hint="Write source:arxiv", field="source"
        )
    return Find(
        query.parse(text),
        options.get("since", ""),
        options.get("until", ""),
        source,
        _said_yes(options, "code"),
        sort,
        int(number(options.get("limit", "5"), "limit", 1, 50)),
        _said_yes(options, "all"),
        _page(options),
    )


def _top(text: str, options: Options) -> Command:
    return Top(text.lower() or "week", _page(options))


def _saved(text: str, options: Options) -> Command:
    if text:
        raise UserError("saved stands alone.", hint="Write `saved`, or `saved page:2`.")
    return Saved(_page(options))


def _export(text: str, _: Options) -> Command:
    form, scope = [*text.split(" ", 1), "", ""][:2]
    if form.lower() not in FORMATS:
        raise UserError(
            f"export knows {', '.join(FORMATS)}.",
            hint="Write `export bibtex` for the saved papers, `export ris digest`, or `export json 2509.04664`.",
        )
    return Export(form.lower(), scope.strip() or "saved")


def _learned(text: str, options: Options) -> Command:
    if text:
        raise UserError("learned stands alone.", hint="Write `learned`, or `learned page:2`.")
    return ShowLearned(_page(options))


def _forget(text: str, options: Options) -> Command:
    word = text.strip('"')
    if not word:
        raise UserError(
            "Forget which word?", hint="Write `forget attention`; `learned` shows them."
        )
    if word.lower() == "me":
        raise UserError("forget is about learned words.", hint="Write `erase me`.")
    return Forget(word, _said_yes(options, "sure"))


def _erase(text: str, options: Options) -> Command:
    if text not in ("", "me"):
        raise UserError(f"erase knows no “{text[:40]}”.", hint="Write `erase me`.")
    return EraseMe(_said_yes(options, "sure"))


def _form(text: str, _: Options) -> Command:
    if text not in FORMS:
        raise UserError(f"There is no form “{text[:40]}”.", hint="Write form subscribe.")
    return OpenForm(text)


def _again(text: str, options: Options) -> Command:
    return Again(text, _page(options))


def _these(text: str, options: Options) -> Command:
    return These(tuple(text.split()), _page(options))


def _plain(make: Callable[[], Command], verb: str) -> Callable[[str, Options], Command]:
    def build(text: str, _: Options) -> Command:
        if text:
            raise UserError(f"{verb} stands alone.", hint=f"Write `{verb}`.")
        return make()

    return build


_SETTINGS = ("max", "strictness", "layout", "quiet", "trending", "who", "unfurl", "ping")

VERBS = (
    Verb("help", "help [VERB]", "what can be asked", READ, lambda text, _: Help(text),
         aliases=("?", "commands")),
    Verb("subscribe", 'subscribe "speculative decoding" weight:2 label:inference',
         "bring papers that match; several with ;", CHANGE, _subscribe, (),
         'Words are alternatives of spelling and ending; "quotes" mean exactly these words in this '
         "order. -word excludes, a|b means either, reward* any ending; title: abs: author: cat: org: "
         "id: look there only. Papers have to match all parts of one subscription.",
         ("sub", "add", "follow")),
    Verb("expand", 'expand 3 "reinforcement learning"',
         "find what an acronym of a subscription stands for, too", CHANGE, _expand,
         more="expand 3 alone lists what the papers here take its acronyms for.",
         aliases=("expansion", "acronym")),
    Verb("unsubscribe", "unsubscribe 3", "drop a subscription by its number or text; or all", CHANGE,
         _unsubscribe, ("sure",), "unsubscribe all asks first; unsubscribe all sure:yes does not.",
         ("unsub", "remove", "unfollow")),
    Verb("mute", "mute survey", "never bring papers with this word, whatever else matches", CHANGE,
         _mute, aliases=("exclude",)),
    Verb("unmute", "unmute survey", "take a mute back", CHANGE, _unmute),
    Verb("list", "list [all]", "this channel's subscriptions; of all channels", READ, _list, ("page",),
         aliases=("ls", "subscriptions")),
    Verb("preview", 'preview days:7 ["new term"]', "what the last days would have brought; adds nothing",
         READ, _preview, ("days",), aliases=("try", "test")),
    Verb("why", "why 2509.04664", "why a paper was brought, or was not", READ, _paper_verb(Why, "why"),
         aliases=("explain",)),
    Verb("show", "show 2509.04664", "a paper with its abstract, by id or link", READ,
         _paper_verb(Show, "show"), aliases=("about",)),
    Verb("search", 'search "tool use" -survey since:30d sort:new', "find papers in the library", READ, _find,
         ("since", "until", "source", "code", "sort", "limit", "all", "page"),
         "since:2026-11-01, until:, source:arxiv, code:yes, sort:best, new or upvotes, limit:10, page:2; "
         "all:yes asks arXiv and Hugging Face themselves.", ("find", "s")),
    Verb("similar", "similar 2509.04664", "papers that speak of the same", READ,
         _paper_verb(Similar, "similar"), aliases=("like-this",)),
    Verb("top", "top week", "the most upvoted: day, week, month, 2026-11-20 or 2026-W46", READ, _top,
         ("page",), aliases=("trending", "best")),
    Verb("save", "save 2509.04664", "put a paper on your own list", OWN, _paper_verb(Save, "save"),
         aliases=("bookmark", "keep")),
    Verb("unsave", "unsave 2509.04664", "take it off again", OWN, _paper_verb(Unsave, "unsave")),
    Verb("saved", "saved", "your own list", OWN, _saved, ("page",), aliases=("bookmarks",)),
    Verb("share", "share 2509.04664", "show a paper to the whole channel", POST,
         _paper_verb(Share, "share"), aliases=("post",)),
    Verb("like", "like 2509.04664", "more papers like this one in this channel", CHANGE,
         _paper_verb(Like, "like"), more="Papers that a subscription admits score higher for words that "
         "liked papers have in common.", aliases=("up",)),
    Verb("dislike", "dislike 2509.04664", "fewer papers like this one in this channel", CHANGE,
         _paper_verb(Dislike, "dislike"), aliases=("down", "less")),
    Verb("unvote", "unvote 2509.04664", "take your like or dislike back", CHANGE,
         _paper_verb(Unvote, "unvote"), aliases=("unlike",)),
    Verb("learned", "learned", "the words that likes and dislikes taught this channel", READ, _learned,
         ("page",)),
    Verb("forget", "forget attention", "unlearn a word; or all", CHANGE, _forget, ("sure",),
         "forget all drops the channel's likes and dislikes with all learned words; it asks first.",
         ("unlearn",)),
    Verb("home", "home", "what is yours: subscriptions, saved papers, channels, next digests", OWN,
         _plain(Home, "home"), aliases=("me",)),
    Verb("export", "export bibtex [digest]", "saved papers, the last digest or one paper; bibtex, ris, json",
         OWN, _export, more="export ris digest; export json 2509.04664.", aliases=("cite", "citation")),
    Verb("digest", "digest [since:2026-11-10 top:15]",
         "the next digest now; with since: a recap that marks nothing", POST, _digest, ("since", "top")),
    Verb("schedule", "schedule weekdays 09:00 Europe/Berlin", "when digests come; off for never", CHANGE,
         lambda text, _: SetSchedule(text), more="Days: weekdays, daily, mon,thu, weekly mon, monthly 1. "
         "Times: 09:00, 9am, 09:00,16:00. Alone it shows the schedule.", aliases=("time",)),
    Verb("pause", "pause [until:2027-01-04]", "no digests until then, or until resume", CHANGE, _pause,
         ("until",)),
    Verb("resume", "resume", "go on after a pause, or where no posts were taken", CHANGE, _plain(Resume, "resume"),
         aliases=("unpause",)),
    Verb("settings", "settings", "everything that can be set, as a form", READ, _plain(Settings, "settings"),
         aliases=("options",)),
    Verb("set", "set max:10 strictness:strict", "change a setting", CHANGE, _set, _SETTINGS,
         "max:1 to 50; strictness:loose, normal, strict or a number; layout:compact, cards, thread; "
         "quiet:post, note, silent; trending:0 to 20; who:members, managers or @ann,@bob; on Slack unfurl:on; "
         "on Discord ping:@role above:60."),
    Verb("config", "config undo", "take the last change back; export and import of all settings", CHANGE,
         _config, more="config export gives this channel's settings; config import takes them, pasted, or on "
         "Discord as a file.",
         aliases=("undo",)),
    Verb("erase", "erase me", "remove what is kept about you: saved papers, votes and your own channel", OWN,
         _erase, ("sure",), aliases=("forget-me",)),
    Verb("status", "status", "schedule, library, what was posted and what is held", READ,
         _plain(Status, "status"), aliases=("health",)),
    Verb("resend", "resend KEY", "send a held post once more; status shows its key", CHANGE,
         _post_verb(Resend, "resend"), more="The first 6 characters of the key will do.",
         aliases=("retry",)),
    Verb("giveup", "giveup KEY", "drop a held post; its papers get another chance", CHANGE,
         _post_verb(GiveUp, "giveup"), aliases=("give-up",)),
)  # fmt: skip

# What buttons say and nobody types: it is not in help.
_AGAIN = Verb(
    "again", "again k3f9x2 page:2", "a kept answer at another page", READ, _again, ("page",)
)
_THESE = Verb("these", "these 2509.04664 2509.04665", "certain papers", READ, _these, ("page",))
_FORM = Verb("form", "form subscribe", "a form to fill in", READ, _form)
_HIDDEN = {verb.name: verb for verb in (_AGAIN, _THESE, _FORM)}

_NAMES: dict[str, Verb] = {name: verb for verb in VERBS for name in (verb.name, *verb.aliases)}


def verb_of(command: Command) -> Verb:
    """The verb of a request, for its kind: that of a form is the kind of what it leads to."""
    if isinstance(command, OpenForm):
        return _NAMES[command.name]
    return _BY_TYPE[type(command)]


def opens_form(command: Command) -> bool:
    """Whether the answer is a form, which some platforms have to show at once or not at all."""
    return isinstance(command, OpenForm | Settings)


_BY_TYPE = {
    Help: _NAMES["help"], Subscribe: _NAMES["subscribe"], Expand: _NAMES["expand"],
    Unsubscribe: _NAMES["unsubscribe"],
    Mute: _NAMES["mute"], Unmute: _NAMES["unmute"], ListSubscriptions: _NAMES["list"],
    Preview: _NAMES["preview"], Why: _NAMES["why"], Show: _NAMES["show"],
    Settings: _NAMES["settings"], SetOptions: _NAMES["set"], DigestNow: _NAMES["digest"],
    SetSchedule: _NAMES["schedule"], Pause: _NAMES["pause"], Resume: _NAMES["resume"],
    ConfigUndo: _NAMES["config"], Status: _NAMES["status"], Find: _NAMES["search"],
    Top: _NAMES["top"], Similar: _NAMES["similar"], Save: _NAMES["save"],
    Unsave: _NAMES["unsave"], Saved: _NAMES["saved"], Share: _NAMES["share"],
    Home: _NAMES["home"], Export: _NAMES["export"], ConfigExport: _NAMES["config"],
    ConfigImport: _NAMES["config"], EraseMe: _NAMES["erase"], Again: _AGAIN, These: _THESE,
    About: _NAMES["show"],
    Like: _NAMES["like"], Dislike: _NAMES["dislike"], Unvote: _NAMES["unvote"],
    ShowLearned: _NAMES["learned"], Forget: _NAMES["forget"],
    Resend: _NAMES["resend"], GiveUp: _NAMES["giveup"],
}  # fmt: skip


def find_verb(name: str) -> Verb | None:
    return _NAMES.get(name.lower())


def nearest_verbs(name: str) -> list[str]:
    near = difflib.get_close_matches(name.lower(), _NAMES, n=3, cutoff=0.6)
    return list(dict.fromkeys(_NAMES[n].name for n in near))


def parse(text: str) -> Command:
    """From what was typed after the command's name; an unknown verb becomes Help."""
    if len(text) > COMMAND_LENGTH:
        raise UserError(
            f"That is {len(text)} characters long; a command has at most {COMMAND_LENGTH}.",
            hint="Write it in smaller parts.",
        )
    typed = text
    text = query.clean(text)
    name, _, rest = text.partition(" ")
    if not name:
        return Help()
    verb = _HIDDEN.get(name.lower()) or _NAMES.get(name.lower())
    if verb is None:
        return Help(unknown=name)
    if name.lower() == "undo":
        rest = "undo"
    if verb.name == "config" and "{" in typed:  # settings are pasted as they are
        rest = typed.strip().split(None, 1)[1]
    rest, options = _take_options(rest, verb.options, only=verb.name == "set")
    return verb.build(rest, options)


_OPTION = re.compile(r'(?<!\S)([A-Za-z]+):\s?("[^"]*"|[^\s"]*)')


def _take_options(
    text: str, names: tuple[str, ...], *, only: bool = False
) -> tuple[str, dict[str, str]]:
    """The text without its ``name:value`` words outside of quotes, and what they say.

    Other names are left in the text, where a query may use them; with *only* they are mistakes.
    """
    quoted = [match.span() for match in re.finditer(r'"[^"]*"', text)]
    options: dict[str, str] = {}
    kept = ""
    at = 0
    for match in _OPTION.finditer(text):
        inside = any(start < match.start() < end for start, end in quoted)
        name = match[1].lower()
        if inside or (name not in names and not only):
            continue
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            meant = f"Did you mean {near[0]}:? " if near else ""
            raise UserError(
                f"There is no setting “{match[1]}”.",
                hint=f"{meant}The settings are {', '.join(names)}.",
            )
        value = match[2].strip('"').strip()
        if not value:
            raise UserError(f"“{name}:” needs a value.", hint=f"Write it directly behind {name}:")
        options[name] = value
        kept += text[at : match.start()]
        at = match.end()
    return " ".join((kept + text[at:]).split()), options


def split_semicolons(text: str) -> list[str]:
    return re.findall(r'(?:"[^"]*"|[^;"]|")+', text)


def number(text: str, name: str, low: float, high: float) -> float:
    """Raise UserError where it is none, or outside the bounds."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise UserError(
            f"{name}: is a number from {low:g} to {high:g}.",
            hint=f"Write {name}:{low:g}",
            field=name,
        )
    return value


def _page(options: Options) -> int:
    return int(number(options.get("page", "1"), "page", 1, 1000))


def _said_yes(options: Options, name: str) -> bool:
    return options.get(name, "").lower() in ("yes", "y", "true")


def parse_period(text: str, today: date) -> tuple[date, date]:
    """First and last day of ``day``, ``week``, ``month``, ``2026-11-20``, ``2026-W46``, ``2026-11``.

    day, week and month end today.
    """
    spans = {"day": 0, "today": 0, "week": 6, "month": 29}
    word = text.strip().lower()
    if word in spans:
        return today - timedelta(days=spans[word]), today
    try:
        if match := re.fullmatch(r"(\d{4})-w(\d{1,2})", word, re.ASCII):
            first = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return first, first + timedelta(days=6)
        if match := re.fullmatch(r"(\d{4})-(\d{2})", word, re.ASCII):
            first = date(int(match[1]), int(match[2]), 1)
            return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        day = parse_day(word, today)
    except (ValueError, UserError):
        raise UserError(
            f"“{text[:40]}” is no period.", hint="Write day, week, month, 2026-11-20 or 2026-W46."
        ) from None
    return day, day


def parse_day(text: str, today: date) -> date:
    """``2026-11-10``, ``7d`` (days ago), ``today``, ``yesterday``."""
    word = text.strip().lower()
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    if match := re.fullmatch(r"(\d{1,3})\s?d(ays?)?", word, re.ASCII):
        return today - timedelta(days=int(match[1]))
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise UserError(
            f"“{text[:40]}” is no day.", hint="Write 2026-11-10, 7d, today or yesterday."
        ) from None
