"""Lets made-up requests get further: what a schema cannot say is put in afterwards."""

from http import HTTPStatus
from typing import Any

import schemathesis

_LANGUAGES = {
    "source": "en",
    "target": "de",
    "source_lang": "EN",
    "target_lang": "DE",
    "from": "en",
    "to": "de",
    "sl": "en",
    "tl": "de",
}
MOST_ERROR_BYTES = 4096
_LONGEST = 35
"""Of a language; longer ones stay as they are, and so do those that look like one."""


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:  # noqa: ANN401 - any JSON
    """Ask for languages that are served."""
    return _with_languages(body)


@schemathesis.hook
def map_query(_: schemathesis.HookContext, query: Any) -> Any:  # noqa: ANN401 - any JSON
    """Ask for languages that are served."""
    return _with_languages(query)


def _with_languages(parameters: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(parameters, dict):
        for name, language in _LANGUAGES.items():
            given = parameters.get(name)
            if isinstance(given, str) and 0 < len(given) <= _LONGEST and len(given) != len("en"):
                parameters[name] = language
    return parameters


@schemathesis.check
def errors_are_small(
    ctx: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: "schemathesis.Case[Any]",
) -> None:
    """An error says what is wrong, not all that is."""
    size = len(response.content)
    if response.status_code >= HTTPStatus.BAD_REQUEST and size > MOST_ERROR_BYTES:
        raise AssertionError(f"an error of {size} bytes; the limit is {MOST_ERROR_BYTES}")
