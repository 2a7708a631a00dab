"""Checks that names are in the translation."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from service.text.checks.check import Check, SentencePair

_WORD = re.compile(r"[^\W\d_]+")
_NO_CAPITALS = frozenset(
    ("en", "es", "fr", "it", "pt", "nl", "pl", "sv", "da", "nb", "no", "fi", "cs", "ro", "hu")
)
"""Languages in which a capital inside a sentence indicates a name."""
_LATIN_LANGUAGES = _NO_CAPITALS | {"de"}
_LEAST_LETTERS = 3
_SHARED = 2
"""First letters that a name and its form in another language have in common."""
_TRANSLATED_WORDS = (
    "academy act administration administrative affairs africa african age agency ages "
    "agreement agriculture aid air airport alice ambassador america americans and annual "
    "appeal april area arts asia assembly association attorney august aunt austria austrian "
    "authority ayatollah azerbaijan baltic bank battle beijing bible big birthday black board "
    "bohemia bohemian book booking britain brotherhood bureau cabinet cairo california "
    "californian cambodia can canada canadian canadians canal cancer cape capital care "
    "caribbean carpathians castle catalan catalonia catholic catholicism catholics caucasus "
    "cavalry center central centre chairman chairwoman chamber championship championships "
    "chancellor channel charles chief children chinese christ christian christmas church city "
    "civil class claus clay climate clinic coast code cold cologne colombia colombian colonel "
    "commerce commission commissioner committee commons communications communist community "
    "company competition confederacy confederate confederates confederation conference congo "
    "congress conservative conservatives constance constantinople constitution constitutional "
    "convention cooperation copenhagen corps council count countess country court crete "
    "crimea criminal croatia croatian cross crown cuba cuban cultural culture cup cyclone "
    "czech czechia czechoslovakia czechs dad danish danube day dear december denmark "
    "directors doctor dr drivers duchess duke dutch early earth east easter eastern economic "
    "economics economy ecumenical education egypt egyptian egyptians election electoral "
    "embassy emperor empire empress engineering english environment ethiopia ethiopian europe "
    "eve exchange far father february federal federation ferris fifth filipino first football "
    "force forces foreign forest foundation french friday fund future games geneva genghis "
    "german germans germany ghent god good government grandma grandpa greece greek guard gulf "
    "halloween happy head health heaven heights hell heritage high his history holy home "
    "hospital house how human hungarian hungarians hungary ice iceland icelandic internet "
    "island islands ivory jackson january japanese jesus jew jewish jews judge july june "
    "justice king kingdom kobe labor labour ladies lake latin law leader lebanese left let "
    "liberty library lieutenant little lord lower madam management mandarin march master may "
    "mayor medal mediterranean meeting member merit middle milan ministry miss mister mom "
    "monday moon moravia moravian morocco morsi most mother mount mountains movement mr mrs "
    "ms mum munich municipal municipality naples native navy netherlands new north november "
    "nuremberg ocean oct october office officer oil okay old one order organization osaka "
    "ottoman ottomans palatinate parliament peace penal people player please pole policy "
    "polish pope prague preliminary president prize prof professor prosecutor protection "
    "public qaeda qatar queen railway railways red relations republic research reserve rhine "
    "richest right rights river road roman romania romanian romans room rowing safety saint "
    "santa saturday saxon saxony scandinavia science sciences sea second secretary security "
    "september series service services seven seventh sharia she shia shiite sir small society "
    "south southern space spain spanish spring squadron square state states stock street "
    "summer summit sun sunday sundays supervisory supreme swabian sweden swedish swiss "
    "switzerland tbilisi television thanksgiving that the there third this three thursday "
    "thursdays time today tower town trade transport treasury treaty tropical tsar tuesday "
    "turkey turkish turks tuscany two tyrol uncle union united university upper valley venice "
    "vienna viennese vikings virgin vladimir war wars warsaw way wednesday wednesdays welsh "
    "west what white women workers world yeah year years yemen yemeni yes you your youth "
    "yugoslav yugoslavia zealand zurich "
)
"""Have another form in other languages, by a count over English-German text."""
_TRANSLATED = frozenset(_TRANSLATED_WORDS.split())
_ENDINGS = (
    "ish", "ese", "ian", "ians", "ean", "eans", "can", "cans", "ch", "land", "ia", "ic", "ical",
    "al", "ist", "ists", "ment", "tion", "day", "ing", "ship", "ed", "ern", "ies",
)  # fmt: skip
"""Of peoples, languages, countries and of ordinary words."""
_GERMAN_TITLES = frozenset(("Herr", "Herrn", "Frau", "Dr", "Prof", "Familie", "Fräulein"))
"""Stand before a name in a language that gives every noun a capital."""
_MOST_APART = 2
"""Characters between a title and a name: a full stop and a space."""
_INSIDE = slice(1, 5)
"""Letters of a name that its form in another language keeps: Khamenei, Chamenei."""


def check_names(pair: SentencePair) -> Iterator[Check]:
    """Names of the source of which the translation has nothing similar.

    Of several words with capitals in a row, one that is similar is enough: the others may be a
    title.
    """
    if pair.target_base not in _LATIN_LANGUAGES:
        return
    folded = pair.target.casefold()
    starts = {word.group().casefold()[:_SHARED] for word in _WORD.finditer(pair.target)}
    for names in _names(pair):
        if not any(_is_similar(word.group().casefold(), starts, folded) for word in names):
            start, end = names[0].start(), names[-1].end()
            message = f"{pair.source[start:end]} is not in the translation"
            yield Check(name="name", source_span=(start, end), target_span=None, message=message)


def _names(pair: SentencePair) -> Iterator[list[re.Match[str]]]:
    """Names of the source, each in its words."""
    words = list(_WORD.finditer(pair.source))
    if pair.source_base == "de":
        yield from ([word] for before, word in pairwise(words) if _has_title(before, word))
    elif pair.source_base in _NO_CAPITALS and not _is_title([word.group() for word in words]):
        for run in _runs(pair.source, words):
            if all(_is_name(pair.source, word) for word in run):
                yield run


def _has_title(before: re.Match[str], word: re.Match[str]) -> bool:
    name = word.group()
    is_beside = word.start() - before.end() <= _MOST_APART
    return is_beside and before.group() in _GERMAN_TITLES and name.istitle() and len(name) > 2


def _runs(text: str, words: Sequence[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """Words with capitals that follow each other, with nothing but a space between."""
    run: list[re.Match[str]] = []
    for word in words:
        if run and (not word.group()[0].isupper() or text[run[-1].end() : word.start()] != " "):
            yield run
            run = []
        if word.group()[0].isupper():
            run.append(word)
    if run:
        yield run


def _is_similar(name: str, starts: Collection[str], target: str) -> bool:
    return name[:_SHARED] in starts or name in target or name[_INSIDE] in target


def _is_name(text: str, word: re.Match[str]) -> bool:
    """Whether a word begins with a capital inside of a sentence, and is not known to change."""
    name, before = word.group(), text[max(0, word.start() - 2) : word.start()].rstrip(" ")[-1:]
    if len(name) < _LEAST_LETTERS or not name[1:].islower():
        return False
    if not (before.isalnum() or before == ","):
        return False
    return name.casefold() not in _TRANSLATED and not name.endswith(_ENDINGS)


def _is_title(words: list[str]) -> bool:
    """Whether capitals say nothing, because most words have one."""
    capitals = sum(word[0].isupper() for word in words)
    return 2 * capitals > len(words) + 2
