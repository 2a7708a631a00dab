"""Chooses the sentence that the readiness probe of a bundle translates."""

import numpy as np

from bundle.manifest import Canary
from export.sentences.development_set import DevelopmentPair, DevelopmentSet
from export.verification.forced_decoding import forced_logits
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions

CANDIDATES = 50
MIN_TOKENS = 4
"""Least length of the translation; shorter ones test too little."""


def choose_canary(sessions: Sessions, dev: DevelopmentSet) -> Canary:
    """Choose the sentence with the largest margin at its least certain token.

    The serving processor may round in another way than the exporting one; a canary with a near tie
    would then fail for a sound bundle.
    """
    candidates = dev.pairs[:CANDIDATES]
    longest = sessions.bundle.manifest.max_target_tokens
    options = DecodeOptions(max_target_tokens=longest, with_scores=False)
    results = decode_batch(sessions, [p.source_ids for p in candidates], options)
    target_ids = [hypotheses[0].target_ids for hypotheses in results]
    chosen = max(
        range(len(candidates)),
        key=lambda i: (
            len(target_ids[i]) >= MIN_TOKENS,
            _smallest_margin(sessions, candidates[i], target_ids[i]),
        ),
    )
    source_text = candidates[chosen].source
    return Canary(pair=dev.pair, source_text=source_text, target_ids=target_ids[chosen])


def _smallest_margin(
    sessions: Sessions, pair: DevelopmentPair, target_ids: tuple[int, ...]
) -> float:
    """Least difference of the best and the second best logit over a translation."""
    manifest = sessions.bundle.manifest
    # In a translation that filled the cache there is no room for the end token.
    forced = (*target_ids, manifest.special_ids.eos)[: manifest.max_target_tokens]
    (logits,) = forced_logits(sessions, [pair.source_ids], [forced])
    second, best = np.partition(logits, -2, axis=1)[:, -2:].T
    return float((best - second).min())
