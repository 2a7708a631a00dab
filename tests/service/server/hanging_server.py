"""`pellucid serve` with a decoder that never comes back from a step with the poisoned text."""

import sys
import threading
import time

from service.cli.serve import serve
from service.engine.graphs.sessions import Sessions
from service.models.loaded_model import load
from service.models.registry import Registry
from service.observability.logs import configure_logging
from service.observability.metrics import Metrics
from service.server.parts import open_registry, registry_options
from service.server.uvicorn_server import bind
from service.settings import load_settings
from tests.service.engine.spy import Tensors, spied
from tests.service.scheduling.workers.poison import POISON_LENGTH


def main() -> None:
    started_s = time.monotonic()
    names, values = sys.argv[1::2], sys.argv[2::2]
    settings = load_settings(
        {n.removeprefix("--").replace("-", "_"): v for n, v in zip(names, values, strict=True)}
    )
    configure_logging(settings.log_level)
    metrics = Metrics()
    (model,) = open_registry(settings, metrics).models
    faulty = load(hanging(model.sessions), registry_options(settings), metrics)
    listener = bind(settings.host, settings.port)
    serve(settings, listener, Registry([faulty]), metrics, started_s)


def hanging(sessions: Sessions) -> Sessions:
    watched, spy = spied(sessions)
    spy.before = hang_on_poison
    return watched


def hang_on_poison(tensors: Tensors) -> None:
    if POISON_LENGTH in tensors["source_lengths"]:
        threading.Event().wait()


if __name__ == "__main__":
    main()
