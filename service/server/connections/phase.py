"""Phases of a connection: which side has to act next, the client or the service."""

from enum import Enum, auto


class Expected(Enum):
    """What the parser expects next of the request that is arriving."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class Phase(Enum):
    """Who has to act, and for what."""

    HEAD = auto()
    """The client has to send the head of a request."""
    BODY = auto()
    """The client has to send a body; timed by `BodyLimitMiddleware`."""
    COMPLETE = auto()
    """A request is complete and has to be answered."""
    LINGER = auto()
    """The client has its answer but is still sending the body."""
    IDLE = auto()
    """The client may send another request; timed by uvicorn."""
    CLOSING = auto()
    """The client has to read the rest of its reply."""


def num_complete(expected: Expected, num_unanswered: int) -> int:
    """Complete requests that have to be answered: more than one if they are pipelined.

    Args:
        expected: What the parser expects next.
        num_unanswered: Requests whose head is complete and whose reply is not.
    """
    return num_unanswered - (expected is Expected.BODY and num_unanswered > 0)


def phase_of(
    expected: Expected, *, num_unanswered: int, has_partial_head: bool, is_closing: bool
) -> Phase:
    """The phase of a connection.

    Args:
        expected: What the parser expects next.
        num_unanswered: Requests whose head is complete and whose reply is not.
        has_partial_head: Whether bytes of a head have arrived, even if the parser has not seen a
            request in them.
        is_closing: Whether the transport is closing.
    """
    if is_closing:
        return Phase.CLOSING
    if num_complete(expected, num_unanswered):
        return Phase.COMPLETE
    if expected is Expected.BODY:
        return Phase.BODY if num_unanswered else Phase.LINGER
    return Phase.HEAD if expected is Expected.HEAD or has_partial_head else Phase.IDLE
