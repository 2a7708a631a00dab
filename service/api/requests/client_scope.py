"""Tells the middleware around a request which client it belongs to, and whether it is held."""

from starlette.types import Scope

CLIENT_NAME = "pellucid.client"
"""Where the scope of a request has the name of its client, once that is known."""
_AT_ONCE = "pellucid.at_once"


def refuse_at_once(scope: Scope) -> None:
    """Note that the refusal of a request is not held: many clients may share its address."""
    scope[_AT_ONCE] = True


def is_refused_at_once(scope: Scope) -> bool:
    """Whether that was noted."""
    return _AT_ONCE in scope


def client_name(scope: Scope) -> str:
    """The client of a request; where it is not known, the address of its connection."""
    return str(scope.get(CLIENT_NAME) or (scope.get("client") or ("",))[0])
