"""The recurrence of a decoder (SSRU, Kim et al. 2019): one state a layer in place of a cache.

`f = sigmoid(Wf x + bf); state = f * state + (1 - f) * W x; output = relu(state)`.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from bundle.tensors import past_state, present_state
from export.graphs.builder import GraphBuilder


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What a recurrence reads of its inputs."""

    forget: str
    """Share of the state that is kept, [.., d_model]."""
    new: str
    """What the rest becomes, [.., d_model]."""


def first_rows(builder: GraphBuilder) -> str:
    """Bool [rows, 1], true for the rows whose state is empty."""
    zero, axes = builder.constant(0, np.int32), builder.constant([1], np.int64)
    return builder.add("Unsqueeze", builder.add("Equal", "positions", zero), axes)


def recurrent_step(builder: GraphBuilder, value: str, layer: int, is_first: str) -> str:
    """One token of every row, [rows, 1, d_model]; the state is updated in place."""
    axes = builder.constant([1], np.int64)
    gated = _gated(builder, value, layer, axes)
    empty = builder.constant(0, np.float32)
    # What a row held before it was given to another sentence may be anything, so it is not scaled.
    state = builder.add("Where", is_first, empty, past_state(layer))
    change = builder.add("Mul", gated.forget, builder.add("Sub", state, gated.new))
    builder.produce("Add", [gated.new, change], [present_state(layer)])
    return builder.add("Unsqueeze", builder.relu(present_state(layer)), axes)


def recurrent_pass(
    builder: GraphBuilder, value: str, layer: int, position_ids: str
) -> tuple[str, str]:
    """All tokens of a given target.

    Args:
        builder: Appends to the graph.
        value: [batch, target, d_model].
        layer: Of the decoder.
        position_ids: 0 .. target - 1, int32 [target].

    Returns:
        Outputs [batch, target, d_model], and what each state still holds of each token, as shares
        [batch, heads, target, target]; the empty state counts as a part of the first token.
    """
    gated = _gated(builder, value, layer)
    tokens = _identity_matrix(builder, position_ids)
    zero, one = builder.constant([0], np.int64), builder.constant([1], np.int64)
    first = builder.add("Squeeze", builder.add("Slice", gated.new, zero, one, one), one)
    empty = builder.add("Expand", builder.constant(0, np.float32), builder.add("Shape", first))
    held = builder.add("Unsqueeze", empty, one)
    column = builder.add("Slice", tokens, zero, one, zero)  # [1, target]
    held = builder.add(
        "Add", held, builder.add("Unsqueeze", column, builder.constant([2], np.int64))
    )

    def step(states: list[str], elements: list[str]) -> tuple[list[str], list[str]]:
        return _scan_step(builder, states, elements)

    outputs, shares = builder.scan(
        step, [empty, held], [(gated.forget, 1), (gated.new, 1), (tokens, 0)], [1, 1]
    )
    return builder.relu(outputs), builder.add("Transpose", shares, perm=[0, 3, 1, 2])


def _scan_step(
    builder: GraphBuilder, states: list[str], elements: list[str]
) -> tuple[list[str], list[str]]:
    """States: [batch, d_model], and the share of every token in it [batch, target, d_model]."""
    (state, held), (forget, new, token) = states, elements
    state = builder.add("Add", new, builder.add("Mul", forget, builder.add("Sub", state, new)))
    axes = builder.constant([1], np.int64)
    kept = builder.add("Mul", held, builder.add("Unsqueeze", forget, axes))
    rest = builder.add("Sub", builder.constant(1, np.float32), forget)
    place = builder.add("Unsqueeze", token, axes)  # [target, 1]
    held = builder.add("Add", kept, builder.add("Mul", place, builder.add("Unsqueeze", rest, axes)))
    shape = builder.network.architecture
    by_head = builder.constant([0, 0, shape.num_heads, shape.head_dim], np.int64)
    shares = builder.add("Reshape", held, by_head)
    shares = builder.add("ReduceMean", shares, builder.constant([3], np.int64), keepdims=0)
    return [state, held], [state, shares]


def _gated(builder: GraphBuilder, value: str, layer: int, squeezed: str | None = None) -> Gated:
    name = f"decoder.layers.{layer}.recurrence"
    layers = [f"{name}.forget", f"{name}.input"]
    both = builder.linear(value, f"{name}.inputs", layers)
    if squeezed is not None:
        both = builder.add("Squeeze", both, squeezed)
    forget, new = builder.add_many("Split", both, outputs=2, axis=-1, num_outputs=2)
    return Gated(forget=builder.add("Sigmoid", forget), new=new)


def _identity_matrix(builder: GraphBuilder, position_ids: str) -> str:
    """Float32 [target, target]."""
    rows = builder.add("Unsqueeze", position_ids, builder.constant([1], np.int64))
    return builder.add("Cast", builder.add("Equal", rows, position_ids), to=TensorProto.FLOAT)
