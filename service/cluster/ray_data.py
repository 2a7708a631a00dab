"""Translates a corpus on all machines of a Ray cluster, with Ray Data."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Must precede the import: Ray reports usage statistics by default, see decision 10.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
import ray.data

from service.cluster.corpus import PART_BYTES, CorpusTranslator, CorpusWork, Part, parts_of
from service.errors import InvalidRequestError, ServiceError
from service.settings import Settings

_MAX_PARTS = 10_000
"""Ray Data plans every part; for larger corpora, parts grow instead."""


def translate_corpus(
    files: Sequence[Path], settings: Settings, work: CorpusWork, *, part_bytes: int = PART_BYTES
) -> Iterator[bytes]:
    """Yields the translated parts of all files, in order, each as soon as those before it are done.

    A part whose machine is lost is translated again on another.

    Args:
        files: Paths that exist on every machine of the cluster.
        settings: Settings of each engine.
        work: What to do with every line.
        part_bytes: Approximate size of a part; larger if there were too many parts.

    Raises:
        ServiceError: A line cannot be translated; all parts before it were yielded.
    """
    if not ray.is_initialized():
        ray.init(logging_level="warning", log_to_driver=False)
    cpus = settings.workers or 1
    settings = settings.model_copy(update={"workers": cpus})
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    part_bytes = max(part_bytes, sum(path.stat().st_size for path in files) // _MAX_PARTS)
    rows = [asdict(part) for part in parts_of(files, part_bytes)]
    if not rows:
        return
    translated = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _CorpusEngine,
        fn_constructor_args=(settings, work),
        num_cpus=cpus,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=_num_engines(cpus)),
    )
    for row in translated.iter_rows():
        if row["fault"]:
            raise InvalidRequestError(row["fault"])
        yield row["lines"]


class _CorpusEngine:
    """A `CorpusTranslator` with the call signature of Ray Data."""

    def __init__(self, settings: Settings, work: CorpusWork) -> None:
        self._translator = CorpusTranslator(settings, work)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"lines": self._translator.translate(Part(**row)), "fault": ""}
        except ServiceError as error:
            return {"lines": b"", "fault": str(error)}


def _num_engines(cpus: int) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus)
