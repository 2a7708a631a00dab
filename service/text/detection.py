"""Detects the language of a text."""

import math
import mmap
import re
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
from py3langid.modelio import load_model

from service.text.shape import needs_model

COMMON_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "cs": "ahoj ano ne děkuji dobrý den prosím já ty on ona my je jsem a že to na v se",
        "da": "hej ja nej tak goddag farvel jeg du han hun vi er og det en et ikke på hvad",
        "de": "hallo ja nein danke bitte ich du er sie es wir ihr der die das ein eine und ist sind"
        " nicht wer wie wo wann warum wenn kein mein dein guten tag tschüss abbrechen datei",
        "en": "hello hi yes no thanks please i you he she it we they the a an and is are not do"
        " who what why where when if this that my your his her can let there ok bye cancel file",
        "es": "hola sí no gracias por favor yo tú él ella el la los las un una y es son qué quién",
        "fi": "hei moi kyllä ei kiitos minä sinä hän me te he on ja se tämä mikä kuka missä että",
        "fr": "bonjour salut oui non merci je tu il elle nous vous ils le la les un une et est qui",
        "hu": "szia igen nem köszönöm én te ő mi ti ők a az egy és van hogy mi ki hol jó napot",
        "it": "ciao sì no grazie prego io tu lui lei noi voi il lo la gli un una e è che chi dove",
        "nl": "hallo hoi ja nee dank ik jij hij zij wij de het een en is zijn niet wie wat waar",
        "no": "hei ja nei takk jeg du han hun vi de er og det en et ikke på hva hvem hvor ha det",
        "pl": "cześć tak nie dziękuję proszę ja ty on ona my wy jest i że to na w się co kto gdzie",
        "pt": "olá oi sim não obrigado obrigada eu tu você ele ela nós o a os as um uma e é que",
        "ro": "salut da nu mulțumesc eu tu el ea noi voi un o și este sunt ce cine unde bună ziua",
        "sv": "hej ja nej tack jag du han hon vi ni de är och det en ett inte på vad vem var",
        "tr": "merhaba evet hayır teşekkürler ben sen o biz siz bir ve bu ne kim nerede değil iyi",  # noqa: RUF001
    }.items()
}
_MAX_CHARS = 4_000
"""Characters of the words that are used, each with a space behind it."""
MAX_SEARCHED = 20_000
"""Characters of a text that are searched for them: tables and rulers may stand before words."""
_TOKEN = re.compile(r"\S+")
_LETTER = re.compile(r"[^\W\d_]")
_MAX_SHORT = 3
"""Words up to which a text is short: a common word in it says more than its letters."""
_COMMON_WORD_WEIGHT = 2.0
"""Nats that each common word of a language adds in a short text."""
_PUNCTUATION = ".,;:!?¿¡…\"'„“”‘’«»()[]"  # noqa: RUF001
_SAME_AS = {"nb": "no"}
"""Codes that the library names differently."""
_RELATIVES = (frozenset({"nb", "nn", "no"}), frozenset({"bs", "hr", "sr"}))
"""Names of the library that a served one of them stands for."""
_FOREIGN_MARGINS = {1: 6.0, 2: 4.0}
"""Nats by which a language that is not served has to lead, by the number of words."""
_FOREIGN_MARGIN = 2.0
"""The same for more words."""
_LEAST_SHARE = 1e-40
"""Instead of zero, below what the library can compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A language and the confidence in it."""

    language: str
    confidence: float
    """From 0 to 100."""


class Detector:
    """Tells languages apart; one for all questions, because its model is large."""

    def __init__(self) -> None:
        """Loads the library's model, which takes about a second."""
        weights, priors, names, *automaton = load_model(Path(MODEL_DIR) / MODEL_FILE)
        moves, rows, outputs = automaton
        weights, moves = _mapped(weights, moves)
        self._identifier = LanguageIdentifier(
            weights, priors, names, moves, outputs, norm_probs=True, tk_row=rows
        )

    def detect(self, text: str, languages: Sequence[str]) -> list[Detection]:
        """All of `languages`, likeliest first; ties keep their order.

        Confidences add up to 100, or are all 0 if `text` has no words.

        Args:
            text: A text in any language.
            languages: Codes, in order of preference; of a code like `pt-BR` only `pt` counts.
        """
        return _ranked(self._shares(_words(text)), languages)

    def foreign(self, text: str, languages: Sequence[str]) -> Detection | None:
        """The language of `text` if it is clearly none of `languages`, with the confidence in it.

        Args:
            text: A text in any language.
            languages: Codes, as for `detect`.
        """
        words = _words(text)
        shares = self._shares(words)
        known = _known_names(languages)
        others = {name: share for name, share in shares.items() if name not in known}
        if not others:
            return None
        best = max(others, key=lambda name: others[name])
        total = sum(shares.values())
        lead = math.log(
            (others[best] + _LEAST_SHARE) / (total - sum(others.values()) + _LEAST_SHARE)
        )
        if lead <= _FOREIGN_MARGINS.get(len(words), _FOREIGN_MARGIN):
            return None
        return Detection(language=best, confidence=round(100 * others[best] / total, 2))

    def _shares(self, words: Sequence[str]) -> dict[str, float]:
        """The share of every language that the library knows; empty without words."""
        if not words:
            return {}
        shares: dict[str, float] = dict(self._identifier.rank(_evidence(words)))
        if len(words) > _MAX_SHORT:
            return shares
        folded = [word.strip(_PUNCTUATION).casefold() for word in words]
        return {name: share * _weight_of_common(folded, name) for name, share in shares.items()}


def _mapped(weights: Any, moves: "array[int]") -> tuple[Any, memoryview]:  # noqa: ANN401 - the library's
    """The two large tables in a file without a name: a text reads few of their 68 MB."""
    with tempfile.TemporaryFile() as file:
        file.write(weights.tobytes())
        file.write(moves)
        file.flush()
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    mapped = type(weights)(weights.shape, weights.dtype, pages)
    return mapped, memoryview(pages)[weights.nbytes :].cast("H" if moves.itemsize == 2 else "I")


def _ranked(shares: Mapping[str, float], languages: Sequence[str]) -> list[Detection]:
    found = {language: shares.get(_name(language), 0.0) for language in languages}
    total = sum(found.values()) or 1.0
    detections = [
        Detection(language=language, confidence=round(100 * share / total, 2))
        for language, share in found.items()
    ]
    return sorted(detections, key=lambda detection: -detection.confidence)


def _known_names(languages: Sequence[str]) -> frozenset[str]:
    """The library's names of `languages`, and of what they stand for."""
    names = frozenset(map(_name, languages))
    return names.union(*(relatives for relatives in _RELATIVES if relatives & names))


def _name(language: str) -> str:
    main_language = language.partition("-")[0].lower()
    return _SAME_AS.get(main_language, main_language)


def _words(text: str) -> list[str]:
    """The first words of a text; the last may be cut off."""
    words: list[str] = []
    room = _MAX_CHARS
    for token in _TOKEN.finditer(text, 0, MAX_SEARCHED):
        word = token.group()[:room]
        if _LETTER.search(word) and needs_model(word):
            words.append(word)
            room -= len(word) + 1
        if room <= 0:
            break
    return words


def _evidence(words: Sequence[str]) -> str:
    """The text that the library classifies.

    White space on both sides marks the beginnings and ends of words, which are features. A single
    word is repeated in small letters, as it would stand within a sentence.
    """
    text = " ".join(words)
    return f" {text} {text.lower()} " if len(words) == 1 else f" {text} "


def _weight_of_common(words: Sequence[str], name: str) -> float:
    common = COMMON_WORDS.get(name, frozenset())
    return math.exp(_COMMON_WORD_WEIGHT * sum(word in common for word in words))
