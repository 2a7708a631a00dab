import json
import re
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bundle.manifest import AlignmentHead, Architecture
from service.engine.graphs.attention_pass import PairAttention
from service.engine.inspection import (
    ATTENTION_KINDS,
    AttentionKind,
    alignment_attention,
    select,
)
from service.errors import InvalidRequestError, PayloadTooLargeError
from service.inspection.selection import check_cells, check_selection
from service.inspection.values import AttentionSelection

ARCHITECTURE = Architecture(
    vocab_size=10,
    d_model=8,
    d_ff=8,
    num_heads=4,
    num_encoder_layers=3,
    num_decoder_layers=2,
    activation="relu",
    norm_position="post",
    positions="sinusoidal",
    num_parameters=1,
)
SOURCE, TARGET = 5, 3


def attention() -> PairAttention:
    def maps(layers: int, query: int, key: int) -> NDArray[np.float32]:
        values = np.random.default_rng(1).random((layers, 4, query, key), dtype=np.float32)
        return np.asarray(values / values.sum(-1, keepdims=True))

    return PairAttention(
        encoder=maps(3, SOURCE, SOURCE),
        decoder=maps(2, TARGET, TARGET),
        cross=maps(2, TARGET, SOURCE),
        log_probs=np.zeros(TARGET, dtype=np.float32),
    )


def test_only_the_kinds_asked_for_come_back() -> None:
    chosen = select(attention(), AttentionSelection(kinds=("encoder", "decoder")).outputs)
    assert {kind: maps.shape for kind, maps in chosen.items()} == {
        "encoder": (3, 4, SOURCE, SOURCE),
        "decoder": (2, 4, TARGET, TARGET),
    }


def test_layers_and_heads_come_in_the_order_asked_for() -> None:
    chosen = select(attention(), AttentionSelection(layers=(1, 0), heads=(3, 1, 2)).outputs)[
        "cross"
    ]
    np.testing.assert_array_equal(chosen, attention().cross[[1, 0]][:, [3, 1, 2]])


@pytest.mark.parametrize(("reduce", "layers"), [("heads", 2), ("all", 1)])
def test_a_mean_keeps_its_axes_and_its_sum(reduce: Literal["heads", "all"], layers: int) -> None:
    chosen = select(attention(), AttentionSelection(reduce=reduce).outputs)["cross"]
    assert chosen.shape == (layers, 1, TARGET, SOURCE)
    np.testing.assert_allclose(chosen.sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": (2,)}, "layer 2 does not exist; cross layers are 0, 1"),
        ({"layers": (-1,)}, "layer -1 does not exist"),
        ({"layers": (2,), "kinds": ("encoder", "decoder")}, "decoder layers are 0, 1"),
        ({"heads": (0, 4)}, "head 4 does not exist; cross heads are 0, 1, 2, 3"),
        ({"heads": ()}, "heads is empty"),
        ({"kinds": ()}, "encoder, decoder, cross"),
        ({"kinds": ("self",)}, "encoder, decoder, cross"),
    ],
)
def test_what_the_model_does_not_have_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        check_selection(AttentionSelection(**fields), ARCHITECTURE)


def test_each_kind_has_its_own_layers() -> None:
    check_selection(AttentionSelection(kinds=("encoder",), layers=(2,)), ARCHITECTURE)


@pytest.mark.parametrize(
    "selection",
    [
        AttentionSelection(),
        AttentionSelection(kinds=ATTENTION_KINDS),
        AttentionSelection(kinds=ATTENTION_KINDS, layers=(1,), heads=(0, 3)),
        AttentionSelection(kinds=ATTENTION_KINDS, reduce="heads"),
        AttentionSelection(kinds=ATTENTION_KINDS, reduce="all"),
    ],
)
def test_the_limit_counts_the_numbers_of_the_reply(selection: AttentionSelection) -> None:
    cells = 2 * sum(maps.size for maps in select(attention(), selection.outputs).values())
    lengths = [(SOURCE, TARGET)] * 2
    check_cells(lengths, selection, ARCHITECTURE, cells)
    with pytest.raises(PayloadTooLargeError, match=f"have {cells:,} numbers"):
        check_cells(lengths, selection, ARCHITECTURE, cells - 1)


def test_too_much_is_refused_with_a_request_that_would_do() -> None:
    lengths = [(SOURCE, TARGET)]
    with pytest.raises(PayloadTooLargeError, match=r'"layers": \[1\], "heads": \[0, 1\]'):
        check_cells(lengths, AttentionSelection(), ARCHITECTURE, 2 * SOURCE * TARGET)
    advised = AttentionSelection(layers=(1,), heads=(0, 1))
    check_cells(lengths, advised, ARCHITECTURE, 2 * SOURCE * TARGET)


def test_no_selection_helps_where_one_map_is_too_large() -> None:
    with pytest.raises(PayloadTooLargeError, match="send shorter or fewer texts"):
        check_cells([(SOURCE, TARGET)], AttentionSelection(), ARCHITECTURE, 1)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=4),
    kinds=st.sets(st.sampled_from(ATTENTION_KINDS), min_size=1).map(tuple),
    layers=st.none() | st.permutations([0, 1]).map(tuple),
    heads=st.none() | st.permutations([0, 1, 2, 3]).map(tuple),
    reduce=st.sampled_from(["none", "heads", "all"]),
    max_cells=st.integers(1, 10_000),
)
def test_whatever_is_advised_would_do(
    lengths: list[tuple[int, int]],
    kinds: tuple[AttentionKind, ...],
    layers: tuple[int, ...] | None,
    heads: tuple[int, ...] | None,
    reduce: Literal["none", "heads", "all"],
    max_cells: int,
) -> None:
    selection = AttentionSelection(kinds=kinds, layers=layers, heads=heads, reduce=reduce)
    try:
        check_cells(lengths, selection, ARCHITECTURE, max_cells)
    except PayloadTooLargeError as refused:
        advice = re.search(r"ask for (.*\]), or", str(refused))
        if advice is None:
            one = replace(selection, layers=(0,), heads=(0,))
            with pytest.raises(PayloadTooLargeError):
                check_cells(lengths, one, ARCHITECTURE, max_cells)
            return
        fields: dict[str, Any] = {
            name: tuple(given) for name, given in json.loads(f"{{{advice[1]}}}").items()
        }
        advised = replace(selection, **fields)
        check_selection(advised, ARCHITECTURE)
        check_cells(lengths, advised, ARCHITECTURE, max_cells)


def test_the_alignment_is_read_at_its_head_and_shift() -> None:
    cross = attention().cross
    at_once = alignment_attention(attention(), AlignmentHead(layer=1, head=2))
    np.testing.assert_array_equal(at_once, cross[1, 2])
    later = alignment_attention(attention(), AlignmentHead(layer=0, head=3, shift=1))
    np.testing.assert_array_equal(later, cross[0, 3][[1, 2, 2]])
    np.testing.assert_array_equal(alignment_attention(attention(), None), cross[-1].mean(axis=0))
