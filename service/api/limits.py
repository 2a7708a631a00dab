"""What the operator allows a request to ask for."""

from service.api.schemas import AttentionParameters, TranslateParameters
from service.errors import InvalidRequestError, TextTooLongError
from service.settings import Settings


def check_limits(parameters: TranslateParameters | AttentionParameters, settings: Settings) -> None:
    """Refuse what is over a configured limit.

    Raises:
        InvalidRequestError: Too many texts, characters or alternatives.
    """
    texts = parameters.texts
    if isinstance(parameters, AttentionParameters):
        texts += parameters.translations or ()
    elif parameters.alternatives > settings.max_alternatives:
        raise InvalidRequestError(
            f"Invalid request: alternatives parameter must be <= {settings.max_alternatives}"
        )
    if len(parameters.texts) > settings.max_texts:
        raise InvalidRequestError(
            f"Invalid request: q has {len(parameters.texts)} texts; the limit is "
            f"{settings.max_texts}: send several requests"
        )
    num_chars = sum(map(len, texts))
    if num_chars > settings.max_text_chars:
        raise TextTooLongError(
            f"Invalid request: request ({num_chars}) exceeds text limit ({settings.max_text_chars})"
        )


def timeout_s(parameters: TranslateParameters | AttentionParameters, settings: Settings) -> float:
    """Seconds that the request may take: its own deadline, but never more than the server's."""
    return min(parameters.deadline_ms or settings.deadline_ms, settings.deadline_ms) / 1000
