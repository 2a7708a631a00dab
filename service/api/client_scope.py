"""Tells the middleware around a request which client it belongs to, once its key is known."""

from starlette.types import Scope

_NAME = "pellucid.client"
"""Where the scope of a request has the name of its client."""


def name_client(scope: Scope, name: str) -> None:
    """Note the client of a request."""
    scope[_NAME] = name


def client_name(scope: Scope) -> str:
    """The client of a request; where it is not known, the address of its connection."""
    return str(scope.get(_NAME) or (scope.get("client") or ("",))[0])
