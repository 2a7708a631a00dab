"""The outcome of one nasty text, in LibreTranslate's dialect."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.service.fidelity.nasty_text import NastyText
from tests.service.fidelity.properties import faults

_TIMEOUT_S = 150.0
_LONGEST_ERROR = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Lost properties of one text."""

    id: str
    error: str
    """Error instead of a translation; empty if there is one."""
    faults: dict[str, str]
    """By property."""


def outcome_of(nasty: NastyText, url: str, pair: Mapping[str, str]) -> Outcome:
    """Send a text and check its translation."""
    try:
        status, content = _post(url, {"q": nasty.text, "format": nasty.format, **pair})
    except (OSError, http.client.HTTPException) as error:
        return Outcome(id=nasty.id, error=type(error).__name__, faults={})
    if status == http.HTTPStatus.BAD_REQUEST and nasty.may_refuse:
        return Outcome(id=nasty.id, error="", faults={})
    if status != http.HTTPStatus.OK:
        reason = content.decode(errors="replace").strip()[:_LONGEST_ERROR]
        return Outcome(id=nasty.id, error=f"{status}: {reason}", faults={})
    target = json.loads(content)["translatedText"]
    lost = faults(nasty.properties, nasty.text, target)
    return Outcome(id=nasty.id, error="", faults={**lost})


def _post(url: str, body: Mapping[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
    try:
        # Escaped, because a lone surrogate has no UTF-8.
        content = json.dumps(body).encode("ascii")
        connection.request("POST", "/translate", content, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()
