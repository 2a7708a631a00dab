"""The form that int8 is compared with is the one that was rejected: its scales span the batch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.activation_scales import with_dynamic_scales
from bundle.reader import read_bundle
from export.verification.forced_decoding import forced_logits
from service.engine.graphs.sessions import Sessions, open_sessions

TINY_BUNDLE = Path(__file__).parents[2] / "data" / "tiny-bundle"
SOURCES = [[20, 30, 40, 3], [50, 60, 70, 80, 90, 3]]


def _first_logits(sessions: Sessions, sources: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    return forced_logits(sessions, sources, sources)[0]


def test_only_the_dynamic_form_depends_on_the_batch(tmp_path: Path) -> None:
    static = open_sessions(read_bundle(TINY_BUNDLE))
    dynamic = with_dynamic_scales(static, tmp_path / "dynamic")
    for sessions, depends in ((static, False), (dynamic, True)):
        alone = _first_logits(sessions, SOURCES[:1])
        together = _first_logits(sessions, SOURCES)
        assert bool(np.abs(alone - together).max() > 1e-4) == depends
