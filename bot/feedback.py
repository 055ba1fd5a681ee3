"""What votes teach a channel: Rocchio's rule over the papers that were liked and disliked. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.keywords import Compiler, Document, frequency, saturated
from bot.model import Channel, Learned, Paper
from bot.query import PREFIX
from bot.text import GLUE, fold, pattern, stem, tokens

VOTED_PAPERS = 500  # of a channel that count, the last voted on

# Rocchio's numbers, as measured on six labelled sets (ranking.md §6 of the design)
_TERMS = 50
_DISLIKED = 0.5  # of the mean of the disliked papers is subtracted
_FOR, _AGAINST = 0.5, -0.25  # the heaviest weights
# One vote counts for a third of many. At full weight one dislike took 29 % of the other papers from a
# channel in the mean, and up to 48 %; at a third 15 %. One like changed how many papers passed by
# 0.25 to 1.58 times; at a third by 0.87 to 1.53 (a week of arXiv, six broad keywords)
_DOUBT = 2

# Words of grammar rather than of a subject; in abstracts some of them are rare enough to weigh much
_GRAMMAR = frozenset({
    "what", "how", "who", "whom", "whose", "when", "where", "why", "whether", "would", "should",
    "could", "might", "must", "cannot", "do", "does", "did", "done", "be", "been", "being", "am",
    "had", "having", "will", "shall", "i", "me", "my", "you", "your", "he", "him", "his", "she",
    "her", "us", "them", "itself", "themselves", "ourselves", "there", "here", "then", "thus",
    "hence", "so", "if", "no", "nor", "none", "never", "neither", "either", "ever", "yet", "still",
    "already", "again", "once", "always", "often", "only", "just", "very", "too", "quite", "rather",
    "even", "alone", "instead", "together", "some", "more", "most", "less", "least", "much", "many",
    "few", "several", "other", "another", "each", "every", "same", "own", "about", "above",
    "across", "after", "against", "along", "among", "around", "before", "behind", "below",
    "beneath", "beside", "besides", "between", "beyond", "despite", "during", "except", "off",
    "onto", "out", "outside", "over", "per", "since", "through", "throughout", "toward", "towards",
    "under", "until", "up", "upon", "down", "within", "without", "because", "although", "though",
    "however", "unless", "unlike", "given", "one", "two", "three", "four", "five",
})  # fmt: skip
_SILENT = frozenset(map(stem, GLUE | _GRAMMAR))

IsOwn = Callable[[str], bool]  # of a stem: is it one of the channel's keywords


def learn(
    liked: Sequence[Paper],
    disliked: Sequence[Paper],
    forgotten: Collection[str],
    is_own: IsOwn,
) -> tuple[Learned, ...]:
    """The words that tell the liked papers from the disliked ones, the heaviest first.

    Stems of *forgotten* are left out without making room for others; the channel's own are never
    learned against.
    """
    likes, dislikes = _mean(liked), _mean(disliked)
    tells = {
        key: likes.get(key, 0.0) - _DISLIKED * dislikes.get(key, 0.0)
        for key in likes.keys() | dislikes.keys()
    }
    for_it = {key: by for key, by in tells.items() if by > 0}
    against = {key: by for key, by in tells.items() if by < 0 and not is_own(key)}
    most = max(for_it.values(), default=0.0)
    strongest = max(most, -min(against.values(), default=0.0))
    weights = {key: _FOR * by / most for key, by in for_it.items()}
    weights |= {key: -_AGAINST * by / strongest for key, by in against.items()}
    heaviest = sorted(weights, key=lambda key: (-abs(weights[key]), key))[:_TERMS]
    sure = {True: _sure(liked), False: _sure(disliked)}
    forms = _forms((*liked, *disliked))
    learned = [
        Learned(key, forms[key], round(weights[key] * sure[key in for_it], 4))
        for key in heaviest
        if key not in forgotten
    ]
    return tuple(sorted(learned, key=lambda word: (-abs(word.weight), word.stem)))


def _sure(votes: Sequence[Paper]) -> float:
    return len(votes) / (len(votes) + _DOUBT)


def own_words(channel: Channel) -> IsOwn:
    """Tells the stems of words that the channel's subscriptions look for, in every spelling."""
    items = [item for s in channel.subscriptions for item in s.query.keywords]
    spellings = [spelling for item in items for spelling in pattern(tokens(item.text)).spellings]
    stems = {part.stem for spelling in spellings for part in spelling}
    prefixes = tuple(fold(item.text) for item in items if item.kind == PREFIX)

    def is_own(key: str) -> bool:
        near = key.startswith(prefixes) or any(prefix.startswith(key) for prefix in prefixes)
        return near or key in stems

    return is_own


@dataclass(frozen=True, slots=True)
class _Analysis:
    weights: Mapping[str, float]  # of stems: idf times saturated tf'
    forms: Counter[tuple[str, str]]  # stem and written word


@lru_cache(20_000)
def _idf(key: str) -> float:
    return Compiler().word(key, "").listed_idf


@lru_cache(2 * VOTED_PAPERS)  # a vote adds one paper to what may be hundreds
def _analysis(paper: Paper) -> _Analysis:
    text = Document(paper).text
    title, abstract, *_ = text.sections
    in_title = Counter(text.stems[title.start : title.stop])
    weights = {
        key: _idf(key)
        * saturated(
            frequency(
                float(in_title[key]), float(count - in_title[key]),
                float(len(title)), float(len(abstract)),
            )
        )
        for key, count in Counter(text.stems).items()
        if len(key) > 1 and key not in _SILENT and not key.isdigit()
    }  # fmt: skip
    return _Analysis(weights, Counter(zip(text.stems, text.words, strict=True)))


def _mean(papers: Sequence[Paper]) -> dict[str, float]:
    total: dict[str, float] = {}
    for paper in papers:
        for key, weight in _analysis(paper).weights.items():
            total[key] = total.get(key, 0.0) + weight / len(papers)
    return total


def _forms(papers: Iterable[Paper]) -> dict[str, str]:
    """The commonest written form of each stem."""
    counts: Counter[tuple[str, str]] = Counter()
    for paper in papers:
        counts.update(_analysis(paper).forms)
    last_wins = sorted(counts, key=lambda form: (counts[form], -len(form[1]), form[1]))
    return dict(last_wins)
