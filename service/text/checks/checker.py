"""All checks of a sentence and its translation."""

from collections.abc import Callable, Iterator

from service.text.checks.acronyms import check_acronyms
from service.text.checks.check import Check, SentencePair
from service.text.checks.copied import check_copied
from service.text.checks.length import check_length
from service.text.checks.names import check_names
from service.text.checks.negation import check_negation
from service.text.checks.numbers import check_numbers
from service.text.checks.repetition import check_repetition

_CHECKS: dict[str, Callable[[SentencePair], Iterator[Check]]] = {
    "number": check_numbers,
    "name": check_names,
    "acronym": check_acronyms,
    "negation": check_negation,
    "copied": check_copied,
    "repetition": check_repetition,
    "length": check_length,
}
CHECK_NAMES = tuple(_CHECKS)


def check(
    source: str, target: str, source_language: str, target_language: str
) -> tuple[Check, ...]:
    """Everything that a comparison of the texts alone shows to be suspicious.

    The cost is linear in both lengths. A language without a table is checked for what needs none.

    Args:
        source: A sentence.
        target: Its translation.
        source_language: Its code.
        target_language: The code of the translation.

    Returns:
        In the order of `CHECK_NAMES`, then by position.
    """
    pair = SentencePair(
        source=source,
        target=target,
        source_language=source_language,
        target_language=target_language,
    )
    return tuple(found for run in _CHECKS.values() for found in run(pair))
