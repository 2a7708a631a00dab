"""Detects the language of a text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
"""Characters of a text that are used."""
_MAX_SHORT = 3
"""Words up to which a text is short: a common word in it says more than its letters."""
_COMMON_WORD_WEIGHT = 2.0
"""Nats that each common word of a language adds in a short text."""
_PUNCTUATION = ".,;:!?¿¡…\"'„“”‘’«»()[]"  # noqa: RUF001
_SAME_AS = {"nb": "no"}
"""Codes that the library names differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A language and the confidence in it."""

    language: str
    confidence: float
    """From 0 to 100."""


class Detector:
    """Distinguishes the languages given to it; other languages are never reported."""

    def __init__(self, languages: Sequence[str]) -> None:
        """Loads the library's model, which takes about a second and 50 MB.

        Args:
            languages: Codes, in order of preference; of a code like `pt-BR` only `pt` counts.
        """
        self._names = {language: _name(language) for language in languages}
        """The library's name of each language, by code."""
        self._identifier = _load_identifier(frozenset(self._names.values()))

    def detect(self, text: str) -> list[Detection]:
        """All languages, likeliest first; ties keep the order of preference.

        Confidences add up to 100, or are all 0 if `text` has no words.
        """
        shares = self._shares(_words(text))
        total = sum(shares.get(name, 0.0) for name in self._names.values()) or 1.0
        detections = [
            Detection(language=language, confidence=round(100 * shares.get(name, 0.0) / total, 2))
            for language, name in self._names.items()
        ]
        return sorted(detections, key=lambda detection: -detection.confidence)

    def _shares(self, words: Sequence[str]) -> dict[str, float]:
        if not words or not self._identifier.labels:
            return {}
        shares: dict[str, float] = dict(self._identifier.rank(_evidence(words)))
        if len(words) > _MAX_SHORT:
            return shares
        folded = [word.strip(_PUNCTUATION).casefold() for word in words]
        return {name: share * _weight_of_common(folded, name) for name, share in shares.items()}


def _name(language: str) -> str:
    main_language = language.partition("-")[0].lower()
    return _SAME_AS.get(main_language, main_language)


def _load_identifier(names: frozenset[str]) -> LanguageIdentifier:
    # The library's own loader would keep the weights of all its languages in memory.
    weights, priors, classes, *automaton = load_model(Path(MODEL_DIR) / MODEL_FILE)
    columns = [column for column, name in enumerate(classes) if name in names]
    moves, rows, outputs = automaton
    return LanguageIdentifier(
        weights[:, columns],
        priors[columns],
        [classes[column] for column in columns],
        moves,
        outputs,
        norm_probs=True,
        tk_row=rows,
    )


def _words(text: str) -> list[str]:
    return [word for word in text[:_MAX_CHARS].split() if needs_model(word)]


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
