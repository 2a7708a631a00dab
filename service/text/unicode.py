"""Checks that a text can be encoded."""

from service.errors import InvalidRequestError


def check_unicode(text: str) -> None:
    """Rejects halves of surrogate pairs, which neither tokenizers nor UTF-8 can represent.

    Raises:
        InvalidRequestError: Names the offset of the first one.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"Invalid request: character {error.start} is half of a surrogate pair: "
            "send valid Unicode"
        ) from error
