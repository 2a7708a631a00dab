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
    inviting: re.Pattern[str]
    """Words that another language may say with a negation."""
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
            r"(?<!\w)(?:nor|none|without|hardly|barely|scarcely|rarely|seldom|unless|until|lack\w*"
            r"|fail\w*|refus\w+|except|den(?:y|ied)|avoid\w*|stop\w*|unable|impossible|otherwise"
            r"|dis(?!c|t|h|p)\w{4,}|un(?!der|til|i|cle)\w{3,}|in(?:[ac]\w{5,}|visible|sane)"
            r"|non\w*|miss\w*|dont|cant|wont|didnt|isnt|ain['’]t|instead|illegal"  # noqa: RUF001
            r"|ir\w{6,}|im[mp]\w{5,})(?!\w)|\w{3,}less(?:ly)?(?!\w)",
            re.IGNORECASE,
        ),
        inviting=_words("else than too only but any anything little few just before all free keep"),
        ignored=re.compile(
            r"(?<!\w)(?:not only|why not|no doubt|nothing but|not until|no sooner|no matter"
            r"|whether or not|or not|if not|no\.|middle of nowhere)(?!\w)"
            r"|n['’]t (?:\w+ )?(?:I|you|he|she|it|we|they|there|that|this)(?!\w)"  # noqa: RUF001
            r"|(?<!\w)no[,.!] |(?<!\w)No[,.]|can['’]t help|couldn['’]t help",  # noqa: RUF001
            re.IGNORECASE,
        ),
    ),
    "de": Negations(
        strong=_words(
            "nicht nie niemals niemand niemandem niemanden nichts nirgends nirgendwo",
            r"kein(?:e|en|em|er|es|s|erlei)?",
        ),
        weak=re.compile(
            r"(?<!\w)(?:nein|ohne|weder|noch|kaum|selten|un(?!d|s|ter)\w{3,}|miss\w{3,}|außer\w*"
            r"|anders?|sonst|statt|weiger\w*|verbot\w*|lehn\w+|fehl\w*|vergeblich|verzicht\w*|ab"
            r"|vermeid\w*|bloß|aufhör\w*|nee|nix|abzu\w+)(?!\w)"
            r"|\w{3,}(?:los|lose|losen|loser|loses|frei)(?!\w)|\w*(?:nicht|kein)\w*",
            re.IGNORECASE,
        ),
        inviting=_words("nur erst als zu mehr bevor ehe wenig wenige weniger bloß selten schwer"),
        ignored=re.compile(
            r"nicht wahr|nicht nur|oder nicht|warum nicht|nichts als|nicht umhin"
            r"|(?<!\w)(?:bevor|ehe|bis|solange)(?!\w)|\?\s*\Z",
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
    if lost and not _negates(target, pair.target):
        message = f"{lost.group()} is not negated in the translation"
        yield Check(name="negation", source_span=lost.span(), target_span=None, message=message)
    added = _strong(target, pair.target)
    invites = source.inviting.search(pair.source)
    if added and not invites and not _negates(source, pair.source):
        message = f"{added.group()} negates what the source does not"
        yield Check(name="negation", source_span=None, target_span=added.span(), message=message)


def _strong(negations: Negations, text: str) -> re.Match[str] | None:
    """The first negation of a text, unless it is one of those that negate nothing."""
    if negations.ignored is not None and negations.ignored.search(text):
        return None
    return negations.strong.search(text)


def _negates(negations: Negations, text: str) -> bool:
    return bool(negations.strong.search(text) or negations.weak.search(text))
