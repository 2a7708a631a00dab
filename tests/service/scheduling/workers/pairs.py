"""Finished pairs for teacher-forced passes, and what the attention graph gives for them."""

from itertools import pairwise

import numpy as np

from service.engine.graphs.attention_pass import attend
from service.engine.inspection import ATTENTION_KINDS, IdPair, PairOutputs, WantedOutputs
from service.scheduling.attend_queue import Attend
from tests.service.engine.tiny import tiny_sessions, tiny_sources

EVERYTHING = WantedOutputs(kinds=ATTENTION_KINDS, alignment=True, log_probs=True)


def pairs(count: int) -> tuple[IdPair, ...]:
    """Each source with another one as its translation."""
    sources = tiny_sources(count + 1)
    return tuple(pairwise(sources))


def asked(count: int, wanted: WantedOutputs = EVERYTHING, *, is_urgent: bool = False) -> Attend:
    return Attend(pairs=pairs(count), wanted=wanted, is_urgent=is_urgent)


def assert_attended(found: tuple[PairOutputs, ...], count: int) -> None:
    """These are all maps and log-probabilities of `pairs(count)`."""
    expected = attend(tiny_sessions(), *zip(*pairs(count), strict=True))
    assert len(found) == count
    for outputs, attention in zip(found, expected, strict=True):
        for kind in ATTENTION_KINDS:
            np.testing.assert_array_equal(outputs.maps[kind], getattr(attention, kind))
        np.testing.assert_array_equal(outputs.log_probs, attention.log_probs)
