"""Checks that text can be encoded."""

from service.errors import InvalidRequestError


def check_unicode(text: str) -> None:
    """Refuse halves of surrogate pairs, which no tokenizer and no UTF-8 can represent.

    Raises:
        InvalidRequestError: Says where the first one is.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"Invalid request: character {error.start} is half of a surrogate pair: "
            "send valid Unicode"
        ) from error
