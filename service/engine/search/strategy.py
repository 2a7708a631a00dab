"""Which search decodes a sentence: greedy for a beam of one, beam search for wider ones.

A search is one object per sentence. It sees log-probabilities and decides which hypotheses stay
live; it knows no session, no cache and no batch.
"""

from service.engine.search.beam import BeamSearch
from service.engine.search.greedy import GreedySearch
from service.engine.search.options import DecodeOptions

Search = GreedySearch | BeamSearch


def begin_search(options: DecodeOptions, eos_id: int, *, is_retry: bool = False) -> Search:
    """The search for `options`; `is_retry` marks the second attempt after a loop."""
    kind = GreedySearch if options.beam_size == 1 else BeamSearch
    return kind(options, eos_id, is_retry=is_retry)
