"""The app with the tiny model and a translation memory."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from service.observability.metrics import Metrics
from service.server.app import create_app
from service.server.parts import open_registry
from service.settings import load_settings
from service.translation.memory.memory_file import MemoryFile
from service.translation.memory.unit import Space, Unit
from tests.service.api.fakes import ask
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

TEXT = tiny_bundle().manifest.canary.source_text.strip()
"""The only sentence that the tiny model is known to translate."""
EN_DE = {"source": "en", "target": "de"}
KEYS = ("a-key-of-sixteen-letters", "another-key-of-many-letters")


@contextmanager
def memory_app(**given: object) -> Iterator[FastAPI]:
    """The app with these settings, as it is while it serves."""
    base = {"bundles": (TINY_BUNDLE,), "engines": 0, "workers": 1, "slots_per_worker": 8}
    settings = load_settings({**base, **given})
    metrics = Metrics()
    registry = open_registry(settings, metrics)
    registry.start()
    try:
        app = create_app(settings, registry, metrics)
        try:
            yield app
        finally:
            app.state.parts.translator.close()
            if app.state.parts.memory is not None:
                app.state.parts.memory.close()
    finally:
        registry.close()


def remember(path: Path, *pairs: tuple[str, str], key: str = "", target: str = "de") -> None:
    """Stores sentences as the operator does."""
    units = [Unit(source=source, target=text) for source, text in pairs]
    with closing(MemoryFile(path, 5.0)) as memory:
        memory.put(Space.of(key, "en", target), units, time.time(), 1_000)


def translated(app: FastAPI, q: object, **parameters: object) -> Any:  # noqa: ANN401 - JSON
    """The reply to a request that succeeds."""
    reply = ask(app, "POST", "/translate", json={"q": q, **EN_DE, **parameters})
    assert reply.status_code == 200, reply.text
    return reply.json()
