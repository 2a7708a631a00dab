"""Chooses the sentence that the readiness probe of a bundle will translate."""

import numpy as np

from bundle.manifest import Canary
from export.development_set import DevelopmentPair, DevelopmentSet
from export.verification.forced_decoding import forced_logits
from service.engine.batch import decode_batch
from service.engine.options import DecodeOptions
from service.engine.sessions import Sessions

CANDIDATES = 50
MIN_TOKENS = 4
"""Of the translation; shorter ones exercise too little."""


def choose_canary(sessions: Sessions, dev: DevelopmentSet) -> Canary:
    """Take the development sentence that the model is surest of at its least sure token.

    The processor that serves may round in another way than the one that exported. A canary with a
    near tie would then call a sound bundle broken.
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
    """Least distance of the best logit to the second best on the way to a translation."""
    manifest = sessions.bundle.manifest
    # A translation that filled the cache has no room for an end token.
    forced = (*target_ids, manifest.special_ids.eos)[: manifest.max_target_tokens]
    (logits,) = forced_logits(sessions, [pair.source_ids], [forced])
    second, best = np.partition(logits, -2, axis=1)[:, -2:].T
    return float((best - second).min())
