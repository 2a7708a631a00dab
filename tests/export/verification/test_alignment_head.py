"""The head that aligns best is found on known attention."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.manifest import AlignmentHead
from export.lexicon.ibm_model_1 import Lexicon
from export.sentences.development_set import DevelopmentPair
from export.verification.alignment_head import Origins, best_head, choose_alignment_head
from service.engine.graphs.sessions import open_sessions
from tests.service.tiny_models import tiny_bundle

EOS = 3
VOCAB_SIZE = 1000
LAST = {"layer": 1, "head": 2}


def pair(source: list[int], target: list[int]) -> DevelopmentPair:
    return DevelopmentPair(
        source="", reference="", source_ids=(*source, EOS), target_ids=(*target, EOS)
    )


def lexicon(*entries: tuple[int, int, float]) -> Lexicon:
    rows = sorted(entries)
    return Lexicon(
        source_ids=np.array([s for s, _, _ in rows], dtype=np.int64),
        target_ids=np.array([t for _, t, _ in rows], dtype=np.int64),
        probabilities=np.array([p for _, _, p in rows], dtype=np.float32),
    )


PAIR = pair([100, 101, 102], [201, 200, 202])
LEXICON = lexicon((100, 200, 0.9), (101, 201, 0.9), (102, 202, 0.9), (EOS, 202, 0.1))


def attention(rows: list[int]) -> NDArray[np.float32]:
    """The last head looks at `rows` of the source, all others at the end token."""
    cross = np.zeros((2, 3, 4, 4), dtype=np.float32)
    cross[..., 3] = 1
    cross[LAST["layer"], LAST["head"]] = np.eye(4, dtype=np.float32)[rows]
    return cross


@pytest.mark.parametrize(
    ("rows", "shift", "agreement"),
    [([1, 0, 2, 3], 0, 1.0), ([3, 1, 0, 2], 1, 1.0), ([1, 0, 0, 3], 0, 0.6667)],
)
def test_the_head_that_attends_to_the_aligned_words_is_chosen(
    rows: list[int], shift: int, agreement: float
) -> None:
    found = best_head([(PAIR, attention(rows))] * 3, Origins(LEXICON, VOCAB_SIZE, [EOS]))
    assert found == AlignmentHead(**LAST, shift=shift, agreement=agreement)


def test_alignments_are_the_likeliest_words_over_the_least_probability() -> None:
    unsure = lexicon((100, 200, 0.05), (100, 201, 0.3), (101, 201, 0.4), (EOS, 202, 0.9))
    assert Origins(unsure, VOCAB_SIZE, [EOS]).of(PAIR).tolist() == [1, -1, -1]


def test_a_lexicon_without_alignments_chooses_no_head() -> None:
    sessions = open_sessions(tiny_bundle())
    assert choose_alignment_head(sessions, [PAIR], lexicon((5, 5, 1.0))) is None
    assert choose_alignment_head(sessions, [], LEXICON) is None


def test_the_heads_of_a_bundle_are_scored() -> None:
    sessions = open_sessions(tiny_bundle())
    found = choose_alignment_head(sessions, [PAIR], LEXICON)
    assert found is not None
    shape = sessions.bundle.manifest.architecture
    assert found.layer < shape.num_decoder_layers
    assert found.head < shape.num_heads
    assert found.agreement is not None
    assert 0 <= found.agreement <= 1
