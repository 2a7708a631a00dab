"""Secrets of the operator, for what no client should see."""

import hmac

from fastapi import Request
from pydantic import SecretStr

from service.errors import ForbiddenError


def check_token(request: Request, token: SecretStr) -> None:
    """Let in who has the token.

    Raises:
        ForbiddenError: The request's Authorization header is not `Bearer` with the token.
    """
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    # In bytes: whoever guesses may send any character. The time says nothing about ours.
    is_ours = hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    if scheme.lower() != "bearer" or not is_ours:
        raise ForbiddenError("Invalid token: send the header 'Authorization: Bearer TOKEN'")
