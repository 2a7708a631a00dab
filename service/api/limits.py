"""What the operator allows a request to ask for."""

from collections.abc import Sequence

from service.api.schemas import AttentionParameters, ScoreParameters, TranslateParameters
from service.errors import InvalidRequestError, TextTooLongError
from service.settings import Settings


def check_limits(parameters: TranslateParameters | AttentionParameters, settings: Settings) -> None:
    """Refuse what is over a configured limit.

    Raises:
        InvalidRequestError: Too many texts, characters or alternatives.
    """
    further: Sequence[str] = ()
    if isinstance(parameters, AttentionParameters):
        further = parameters.translations or ()
    elif parameters.alternatives > settings.max_alternatives:
        raise InvalidRequestError(
            f"Invalid request: alternatives parameter must be <= {settings.max_alternatives}"
        )
    check_texts(parameters.texts, settings, further=further)


def check_texts(
    texts: Sequence[str], settings: Settings, *, further: Sequence[str] = (), name: str = "q"
) -> None:
    """Refuse more text than is allowed.

    Args:
        texts: What is to translate.
        settings: The limits.
        further: What else the request has, whose characters count as well.
        name: Of the parameter with the texts.

    Raises:
        InvalidRequestError: Too many texts or characters.
    """
    if len(texts) > settings.max_texts:
        raise InvalidRequestError(
            f"Invalid request: {name} has {len(texts)} texts; the limit is "
            f"{settings.max_texts}: send several requests"
        )
    num_chars = sum(map(len, texts)) + sum(map(len, further))
    if num_chars > settings.max_text_chars:
        raise TextTooLongError(
            f"Invalid request: request ({num_chars}) exceeds text limit ({settings.max_text_chars})"
        )


def timeout_s(
    parameters: TranslateParameters | AttentionParameters | ScoreParameters, settings: Settings
) -> float:
    """Seconds that the request may take: its own deadline, but never more than the server's."""
    return min(parameters.deadline_ms or settings.deadline_ms, settings.deadline_ms) / 1000
