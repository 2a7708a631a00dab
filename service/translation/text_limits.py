"""Limits of the work that the texts of one request may cause."""

from dataclasses import dataclass

from service.errors import InvalidRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """Most parts into which the texts of a request may be cut; None: any number."""

    max_sentences: int | None = None
    """Sentences; in a sentence that is too long for the model, also its parts."""
    max_fragments: int | None = None
    """Fragments between placeholders that the model has lost; each is translated alone."""

    def check_sentences(self, count: int) -> None:
        """Checks a number of sentences, which is perhaps not yet that of all.

        Raises:
            InvalidRequestError: There are too many.
        """
        if self.max_sentences is not None and count > self.max_sentences:
            raise InvalidRequestError(
                f"Invalid request: the texts have at least {count:,} sentences; the limit is "
                f"{self.max_sentences:,}: send them in several requests"
            )

    def check_fragments(self, count: int) -> None:
        """Checks a number of fragments.

        Raises:
            InvalidRequestError: There are too many.
        """
        if self.max_fragments is not None and count > self.max_fragments:
            raise InvalidRequestError(
                f"Invalid request: the texts have {count:,} fragments between placeholders and "
                f"foreign words; the limit is {self.max_fragments:,}: send them in several requests"
            )


UNLIMITED = TextLimits()
