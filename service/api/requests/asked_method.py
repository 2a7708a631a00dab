"""The method that a client sent: the app sees GET for HEAD."""

from collections.abc import Mapping
from typing import Any

EXTENSION = "pellucid.asked_method"
"""Where the scope of a request has its own method, if the app sees another."""


def asked_method(scope: Mapping[str, Any]) -> str:
    """The method of a request as its client sent it."""
    asked: Mapping[str, str] = scope.get("extensions", {}).get(EXTENSION, scope)
    return asked["method"]
