"""Checks that no word of the source was left untranslated."""

import re
from collections.abc import Iterator, Sequence

from service.text.checks.check import Check, SentencePair

_WORD = re.compile(r"[^\W\d_]+")
_LEAST_LETTERS = 4
_LEAST_WORDS = 4
"""Fewest words in a row that are copied, between languages without a table."""
_IN_CODE = frozenset("_./\\-@#$%&=<>{}[]()`'’\"“”„«»:+*~^|⟦⟧0123456789")  # noqa: RUF001
"""Beside a word of code, of an address or of a quotation."""
_TABLES = frozenset((("en", "de"), ("de", "en")))
_SHARED_WORDS = (
    "absolute administrative aggressive aktive alias alpine also alternative angst anti "
    "arrogant bald ball banal beige bitten bitter bizarre blind blog blogs blond blues bring "
    "brutal butter cent central chat chatbot contra cool curry dank defensive deli digital "
    "dollar doppelganger elegant email emotional euro exclusive explosive extra extreme facto "
    "fair fall fast fatal feedback finger flexible folk formal global gold golden grandiose "
    "halt hammer hand hardware hell herb horizontal human humane hunger ideal illegal immense "
    "indolent inklusive innovative intelligent intensive international intuitive irrelevant "
    "jazz kind kindergarten lame land laptop later legal legendary legislative legitim "
    "liberal lila live local loyal magna mail massive matt mild milder minimal minus mist "
    "modern moral naive name national negative neutral nonstop normal normale null offensive "
    "offline okay online optional oral orange original over parallel paranoid pasta perse "
    "person pizza plus positive private profitable proportional punk pure quasi rang rational "
    "real regional regressive relative relevant repressive rest retro ring robust rock rosa "
    "rund sand sang sank separate sexy silent sing singe smart software sprang springs stank "
    "status stern solo still streaming super sushi tabu team techno terrible tofu tolerant total "
    "transparent trivial turbulent uber unter variable vegan versus vertical violet viral "
    "wand warm warme warn wild will wind winter wolf yoga zeitgeist fragile "
)
"""Lower-case words that English and German share."""
_COGNATES = frozenset(_SHARED_WORDS.split())
_ARTICLES = frozenset(
    ("der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "eines",
     "mein", "meine", "meinen", "meinem", "dein", "deine", "deinen", "sein", "seine", "seinen",
     "ihr", "ihre", "ihren", "unser", "unsere", "kein", "keine", "keinen", "diese", "dieser",
     "dieses", "diesen", "diesem", "jede", "jeder", "jedes", "zum", "zur", "vom", "im", "ins")
)  # fmt: skip
_GERMAN_LETTERS = re.compile(r"[äöüß]|(?:ung|heit|keit|schaft|lich|chen)\Z")
"""Of a German noun that no English text has."""


def check_copied(pair: SentencePair) -> Iterator[Check]:
    """Words of the source that stand in the translation as they are, though they are no names.

    Between English and German a single word is enough; between other languages, several in a row.
    """
    if pair.source_base == pair.target_base:
        return
    source = list(_WORD.finditer(pair.source))
    target = {word.group(): word for word in reversed(list(_WORD.finditer(pair.target)))}
    if (pair.source_base, pair.target_base) not in _TABLES:
        yield from _phrases(pair, source, target)
        return
    for index, word in enumerate(source):
        copy = target.get(word.group())
        if copy is not None and _is_untranslated(pair, source, index) and _is_plain(pair, copy):
            yield _check(word.span(), copy.span(), f"{word.group()} was not translated")
            del target[word.group()]


def _is_untranslated(pair: SentencePair, words: Sequence[re.Match[str]], index: int) -> bool:
    """Whether a copied word should have been translated."""
    word = words[index].group()
    if len(word) < _LEAST_LETTERS or not _is_alone(pair.source, words[index]):
        return False
    if word.islower():
        return word not in _COGNATES
    if pair.source_base != "de" or not index or not word[1:].islower():
        return False
    has_article = words[index - 1].group().casefold() in _ARTICLES
    return has_article and _GERMAN_LETTERS.search(word) is not None


def _is_plain(pair: SentencePair, copy: re.Match[str]) -> bool:
    return _is_alone(pair.target, copy)


def _is_alone(text: str, word: re.Match[str]) -> bool:
    """Whether a word is neither of code nor quoted."""
    before, behind = text[word.start() - 1 : word.start()], text[word.end() : word.end() + 2]
    if before and before in _IN_CODE:
        return False
    # A full stop or a quotation mark behind a word ends the sentence.
    return behind[:1] not in _IN_CODE or behind in (".", ". ") or behind[:1] in ":)"


def _phrases(
    pair: SentencePair, source: Sequence[re.Match[str]], target: dict[str, re.Match[str]]
) -> Iterator[Check]:
    """Rows of lower-case words that were copied."""
    run: list[re.Match[str]] = []
    for word in [*source, None]:
        if word is not None and word.group() in target and word.group().islower():
            run.append(word)
            continue
        if len(run) >= _LEAST_WORDS and _row(pair, run) in pair.target:
            start = pair.target.index(_row(pair, run))
            shown = _row(pair, run)
            span = (run[0].start(), run[-1].end())
            yield _check(span, (start, start + len(shown)), f"{shown} was not translated")
        run = []


def _row(pair: SentencePair, run: Sequence[re.Match[str]]) -> str:
    return pair.source[run[0].start() : run[-1].end()]


def _check(source: tuple[int, int], target: tuple[int, int], message: str) -> Check:
    return Check(name="copied", source_span=source, target_span=target, message=message)
