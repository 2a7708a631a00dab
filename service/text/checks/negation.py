"""Checks that a negation is negated in the translation, in languages with a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.text.checks.check import Check, SentencePair


@dataclass(frozen=True, slots=True, kw_only=True)
class Negations:
    """How a language negates."""

    strong: re.Pattern[str]
    """Words that negate a sentence."""
    weak: re.Pattern[str]
    """Further words and syllables that a translation may negate with."""
    ignored: re.Pattern[str] | None = None
    """Where a strong word negates nothing."""


def _words(words: str, more: str = "") -> re.Pattern[str]:
    """Any of some whole words, in any case."""
    alternatives = [*words.split(), *([more] if more else [])]
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


_NEGATIONS = {
    "en": Negations(
        strong=_words(
            "not never nobody nothing nowhere neither cannot no none",
            r"\w{2,6}n['’]t",  # noqa: RUF001
        ),
        weak=re.compile(
            r"(?<!\w)(?:nor|no|none|without|hardly|barely|scarcely|rarely|seldom|unless|until|"
            r"lack|lacks|lacked|fail\w*|refus\w+|except|only|just|den(?:y|ied)|avoid\w*|stop\w*|"
            r"than|too|other|else|without|unable|impossible|otherwise|dis\w{4,}|mis\w{4,}|"
            r"un\w{3,}|in\w{4,}|im\w{4,}|non\w*|nor|few|little|free|absent|miss\w*|"
            r"dont|cant|wont|didnt|isnt|ain't|any|instead|away|but)(?!\w)|\w{3,}less(?:ly)?(?!\w)",
            re.IGNORECASE,
        ),
        ignored=re.compile(
            r"(?<!\w)(?:not only|why not|no doubt|no one but|nothing but|not until|no sooner|"
            r"no longer|no matter|whether or not|or not|if not|no\.)(?!\w)"
            r"|n['’]t (?:\w+ )?(?:I|you|he|she|it|we|they|there|that|this)\b"  # noqa: RUF001
            r"|(?<!\w)no[,.!] |(?<!\w)No\b[,.]|can't help|couldn't help",
            re.IGNORECASE,
        ),
    ),
    "de": Negations(
        strong=_words("nicht nie niemals niemand niemandem niemanden nichts nirgends nirgendwo",
                      r"kein(?:e|en|em|er|es|s|erlei)?"),
        weak=re.compile(
            r"(?<!\w)(?:nein|ohne|weder|noch|kaum|selten|un\w{3,}|miss\w{3,}|nichts\w*|nicht\w+|"
            r"keines\w+|keiner\w*|außer\w*|nur|erst|anders?\w*|sonst|statt|weiger\w*|verbot\w*|"
            r"lehn\w+|fehl\w*|vergeblich|verzicht\w*|vermeid\w*|als|zu|ab\w{3,}|wenig\w*|bloß|frei|"
            r"aufhör\w*|hör\w*|aber|mehr|ne?|nö|nee|nix|leer|weg|in\w{4,}|im\w{5,}|des\w{5,}|"
            r"dis\w{5,}|aus)(?!\w)|\w{3,}(?:los|lose|losen|loser|loses|frei)(?!\w)"
            r"|\w*(?:nicht|kein)\w*",
            re.IGNORECASE,
        ),
        ignored=re.compile(
            r"nicht wahr|nicht nur|oder nicht|warum nicht|nichts als|nicht umhin|nicht nur"
            r"|(?<!\w)(?:bevor|ehe|bis|solange)\b|\?\s*$",
            re.IGNORECASE,
        ),
    ),
}  # fmt: skip
"""By language; a further one needs three patterns."""


def check_negation(pair: SentencePair) -> Iterator[Check]:
    """A negation of the source that the translation lacks, or one that the source lacks."""
    source, target = _NEGATIONS.get(pair.source_base), _NEGATIONS.get(pair.target_base)
    if source is None or target is None:
        return
    lost = _strong(source, pair.source)
    if lost and not _may_negate(target, pair.target):
        message = f"{lost.group()} is not negated in the translation"
        yield Check(name="negation", source_span=lost.span(), target_span=None, message=message)
    added = _strong(target, pair.target)
    if added and not _may_negate(source, pair.source):
        message = f"{added.group()} negates what the source does not"
        yield Check(name="negation", source_span=None, target_span=added.span(), message=message)


def _strong(negations: Negations, text: str) -> re.Match[str] | None:
    """The first negation of a text, unless it is one of those that negate nothing."""
    if negations.ignored is not None and negations.ignored.search(text):
        return None
    return negations.strong.search(text)


def _may_negate(negations: Negations, text: str) -> bool:
    return bool(negations.strong.search(text) or negations.weak.search(text))
