"""A nasty text sent to a running service, and the whole reply."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.service.fidelity.nasty_text import NastyText
from tests.service.fidelity.properties import Fault, faults

_STEPS = "pellucid_decode_steps_total "


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a service made of a text."""

    nasty: NastyText
    status: int
    body: dict[str, Any] = field(repr=False)
    steps: float
    """That the service decoded for it."""

    @property
    def target(self) -> str:
        translated = self.body["translatedText"]
        assert isinstance(translated, str)
        return translated

    @property
    def sentences(self) -> list[dict[str, Any]]:
        details = self.body["details"]
        assert isinstance(details, list)
        return details

    def faults(self) -> dict[str, Fault]:
        """Of the properties that hold with any weights."""
        firm = tuple(each for each in self.nasty.properties if not each.rests_on_model)
        return faults(firm, self.nasty.text, self.target)


def exchange(client: httpx.Client, nasty: NastyText, pair: dict[str, str]) -> Exchange:
    """Translate `nasty` with details; nothing else may be using the server."""
    body = {"q": nasty.text, "format": nasty.format, "details": True, **pair, **nasty.options}
    before = _steps(client)
    reply = client.post(
        "/translate",
        # Escaped, because a lone surrogate has no UTF-8.
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    steps = _steps(client) - before
    return Exchange(nasty=nasty, status=reply.status_code, body=reply.json(), steps=steps)


def _steps(client: httpx.Client) -> float:
    page = client.get("/metrics").text.splitlines()
    return next(float(line.removeprefix(_STEPS)) for line in page if line.startswith(_STEPS))
