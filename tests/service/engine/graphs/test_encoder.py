import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bundle.tensors import ENCODER_NAME
from service.engine.errors import NonFiniteSourceError
from service.engine.graphs.encoder import MAX_GROUP_TOKENS, EncodedGroup, encode, length_groups, pad
from tests.service.engine.tiny import POISONED, tiny_sessions, tiny_sources

lengths_of_sentences = st.lists(st.integers(1, 60), max_size=40)
bounds = st.integers(1, 200)
paddings = st.integers(0, 40)


@given(lengths=lengths_of_sentences, max_tokens=bounds, max_padding=paddings)
def test_groups_are_a_partition(lengths: list[int], max_tokens: int, max_padding: int) -> None:
    groups = length_groups(lengths, max_tokens, max_padding)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    assert all(groups)


@given(lengths=lengths_of_sentences, max_tokens=bounds, max_padding=paddings)
def test_groups_ascend_in_length(lengths: list[int], max_tokens: int, max_padding: int) -> None:
    groups = length_groups(lengths, max_tokens, max_padding)
    ordered = [lengths[i] for group in groups for i in group]
    assert ordered == sorted(lengths)


@given(lengths=lengths_of_sentences, max_tokens=bounds, max_padding=paddings)
def test_a_group_is_within_its_bounds_and_no_smaller_than_it_must_be(
    lengths: list[int], max_tokens: int, max_padding: int
) -> None:
    groups = [[lengths[i] for i in g] for g in length_groups(lengths, max_tokens, max_padding)]
    for group in groups:
        assert len(group) * max(group) <= max_tokens or len(group) == 1
        for members, (one, longer) in enumerate(itertools.pairwise(group), start=1):
            assert members * (longer - one) <= max_padding
    for group, following in itertools.pairwise(groups):
        longer = following[0]
        is_over = (len(group) + 1) * longer > max_tokens
        assert is_over or len(group) * (longer - group[-1]) > max_padding


def test_sentences_of_one_length_stay_in_order() -> None:
    assert length_groups([5, 3, 5, 3], max_tokens=10, max_padding=99) == [[1, 3], [0, 2]]


def test_a_long_sentence_does_not_pad_the_short_ones() -> None:
    assert length_groups([4, 30, 5, 4], max_tokens=999, max_padding=5) == [[0, 3, 2], [1]]


def test_rows_are_padded_at_the_end() -> None:
    ids, lengths = pad([[7, 8, 9], [5], [6, 4]], pad_id=0)
    assert ids.tolist() == [[7, 8, 9], [5, 0, 0], [6, 4, 0]]
    assert lengths.tolist() == [3, 1, 2]
    assert (ids.dtype.name, lengths.dtype.name) == ("int64", "int32")


def groups_of(sources: list[tuple[int, ...]]) -> list[EncodedGroup]:
    return list(encode(tiny_sessions(), sources))


def test_what_is_counted_is_what_was_computed() -> None:
    # 160 sentences need more than one group.
    sources = [*tiny_sources(), *tiny_sources(), *tiny_sources(), *tiny_sources()]
    groups = groups_of(sources)
    assert len(groups) > 1
    assert sorted(i for group in groups for i in group.indices) == list(range(len(sources)))
    for group in groups:
        lengths = [len(sources[i]) for i in group.indices]
        assert group.num_tokens == sum(lengths)
        assert group.num_padded_tokens == len(lengths) * max(lengths) <= MAX_GROUP_TOKENS


def test_a_sentence_is_encoded_alike_alone_and_beside_longer_ones() -> None:
    sources = list(tiny_sources())
    together = max(groups_of(sources), key=lambda group: group.num_padded_tokens - group.num_tokens)
    assert together.num_padded_tokens > together.num_tokens
    for position, index in enumerate(together.indices):
        (lonely,) = groups_of([sources[index]])
        length = len(sources[index])
        for theirs, ours in zip(together.cross, lonely.cross, strict=True):
            np.testing.assert_array_equal(theirs[position, :, :length], ours[0])


def test_nothing_is_encoded_to_nothing() -> None:
    assert groups_of([]) == []


def test_an_id_outside_of_the_vocabulary_is_refused_by_the_graph() -> None:
    with pytest.raises(Exception, match="out of data bounds"):
        groups_of([POISONED])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("output", [0, 3])
def test_non_finite_keys_are_refused_before_a_step_can_hide_them(wrong: float, output: int) -> None:
    def spoilt(names: Sequence[str], feeds: dict[str, Any]) -> list[NDArray[np.float32]]:
        heads, head_dim = 3, 16
        shape = (*feeds["input_ids"].shape, heads, head_dim)
        outputs = [np.ones(shape, dtype=np.float32) for _ in names]
        outputs[output][0, -1, 0, 0] = wrong
        return outputs

    sessions = tiny_sessions().with_session(ENCODER_NAME, SimpleNamespace(run=spoilt))
    with pytest.raises(NonFiniteSourceError):
        list(encode(sessions, tiny_sources()[:3]))
