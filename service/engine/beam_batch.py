"""Beams whose hypotheses read one source: the batch of the graph `beams.onnx`."""

from bundle.tensors import NUM_PLACES
from service.engine.cache.beam_cache import BeamCache
from service.engine.graphs.beams import BeamsStep
from service.engine.graphs.sessions import Sessions
from service.engine.row_batch import Results, RowBatch


def takes_beams(sessions: Sessions, beam_size: int) -> bool:
    """Whether the graph of beams decodes sentences of a beam size."""
    return 1 < beam_size <= NUM_PLACES and sessions.has_beams


class BeamBatch(RowBatch):
    """Sentences of 2 to `NUM_PLACES` hypotheses, without shortlists."""

    def __init__(self, sessions: Sessions, num_slots: int) -> None:
        """Allocate the cache."""
        manifest = sessions.bundle.manifest
        cache = BeamCache(manifest, num_slots)
        self._step = BeamsStep(sessions, cache)
        super().__init__(manifest, cache, self._step.input_ids)

    def step(self) -> Results:
        """See `RowBatch`."""
        self._close_gaps()
        if not self._cache.num_live:
            return []
        wanted = max(group.search.num_candidates for group in self._live_beams())
        return self._advance_beams(self._step.run(wanted))
