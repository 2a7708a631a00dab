"""Names, dtypes and axes of the graphs' inputs and outputs.

Axes: batch, source, target, rows (one per live hypothesis), sentences, places, heads, head_dim,
vocab, candidates, layers.
An axis given as a number is fixed; an axis given as a name may differ from call to call.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bundle.manifest import Architecture, CacheDtype, Shortlist

ENCODER_NAME = "encoder.onnx"
DECODER_NAME = "decoder.onnx"
CANDIDATES_NAME = "candidates.onnx"
BEAMS_NAME = "beams.onnx"
"""Optional: bundles from before it was made, and those with plain attention, have none."""
ATTENTION_NAME = "attention.onnx"
VALUE_ZEROING_NAME = "value_zeroing.onnx"
ALTI_NAME = "alti.onnx"
CAUSE_NAMES = (VALUE_ZEROING_NAME, ALTI_NAME)
"""Optional: bundles from before they were made have none, and a recurrence has no `alti.onnx`."""
STATES_NAME = "states.onnx"
"""Optional: bundles from before it was made have none."""
INSPECTION_NAMES = (*CAUSE_NAMES, STATES_NAME)
"""Optional graphs that are made from `attention.onnx`."""
WEIGHTS_NAME = "weights.bin"
SOURCE_TOKENIZER_NAME = "source.spm"
TARGET_TOKENIZER_NAME = "target.spm"
SHORTLIST_NAME = "shortlist.onnx"
SHORTLIST_TABLE_NAME = "shortlist.npz"
KNOWN_WORDS_NAME = "known_words.bin"
"""Required where the manifest has known words."""
MODEL_CARD_NAME = "MODEL_CARD.md"
GRAPH_NAMES = (ENCODER_NAME, DECODER_NAME, CANDIDATES_NAME, ATTENTION_NAME)
REQUIRED_FILES = (*GRAPH_NAMES, WEIGHTS_NAME, SOURCE_TOKENIZER_NAME, MODEL_CARD_NAME)
NUM_PLACES = 4
"""Hypotheses of a sentence that `beams.onnx` takes; wider beams need `decoder.onnx`."""
SHORTLIST_FILES = (SHORTLIST_NAME, SHORTLIST_TABLE_NAME)
"""Required where the manifest has a shortlist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a graph."""

    name: str
    dtype: str
    """NumPy's name: `float32`, `int8`, `int32`, `int64`, `bool`."""
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """Inputs and outputs of a graph."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def past_key(layer: int) -> str:
    """Self-attention keys of the tokens so far; shares its memory with `present_key`."""
    return f"past_key.{layer}"


def past_value(layer: int) -> str:
    """Self-attention values of the tokens so far; shares its memory with `present_value`."""
    return f"past_value.{layer}"


def present_key(layer: int) -> str:
    """`past_key` with the new token written in place."""
    return f"present_key.{layer}"


def present_value(layer: int) -> str:
    """`past_value` with the new token written in place."""
    return f"present_value.{layer}"


def past_state(layer: int) -> str:
    """State of a recurrence; shares its memory with `present_state`."""
    return f"past_state.{layer}"


def present_state(layer: int) -> str:
    """`past_state` with the new token taken in, in place."""
    return f"present_state.{layer}"


def past_names(architecture: Architecture) -> list[str]:
    """What a decoder remembers of the target, layer by layer."""
    return _by_layer(architecture, (past_key, past_value), past_state)


def present_names(architecture: Architecture) -> list[str]:
    """`past_names`, after a step."""
    return _by_layer(architecture, (present_key, present_value), present_state)


def _by_layer(
    architecture: Architecture,
    attention: tuple[Callable[[int], str], ...],
    state: Callable[[int], str],
) -> list[str]:
    names = (state,) if architecture.decoder_cell == "ssru" else attention
    return [name(layer) for layer in range(architecture.num_decoder_layers) for name in names]


def cross_key(layer: int) -> str:
    """Cross-attention keys: the encoder's output, the decoder's input."""
    return f"cross_key.{layer}"


def cross_value(layer: int) -> str:
    """Cross-attention values: the encoder's output, the decoder's input."""
    return f"cross_value.{layer}"


def present_cross_key(layer: int) -> str:
    """`cross_key` unchanged, in the same memory: the operator requires an output."""
    return f"present_cross_key.{layer}"


def present_cross_value(layer: int) -> str:
    """`cross_value` unchanged, in the same memory: the operator requires an output."""
    return f"present_cross_value.{layer}"


def _tensor(name: str, dtype: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def encoder_spec(architecture: Architecture, cache: CacheDtype) -> GraphSpec:
    """Source ids -> cross-attention keys and values of every decoder layer, once per sentence.

    Positions at and beyond `source_lengths` hold arbitrary finite values and must not be read.
    """
    heads, head_dim = architecture.num_heads, architecture.head_dim
    outputs = [
        _tensor(name(layer), cache, "batch", heads, "source", head_dim)
        for layer in range(architecture.num_decoder_layers)
        for name in (cross_key, cross_value)
    ]
    return GraphSpec(
        inputs=(
            _tensor("input_ids", "int64", "batch", "source"),
            _tensor("source_lengths", "int32", "batch"),
        ),
        outputs=tuple(outputs),
    )


def decoder_spec(
    architecture: Architecture, cache: CacheDtype, shortlist: Shortlist | None = None
) -> GraphSpec:
    """One new token per row -> logits of the next one; the cache is updated in place.

    `positions` counts the tokens already cached in each row, `total` is `max(positions) + 1`,
    `source_total` is `max(source_lengths)`. `present_*` must be bound to the memory of `past_*`,
    `present_cross_*` to that of `cross_*`. A recurrence has a state instead of keys and values,
    float32; where `positions` is 0 it is not read.

    With a shortlist, logits cover the whole vocabulary where `whole_vocabulary` is true. Otherwise
    they cover the common pieces, in ascending order, followed by those of `shortlist_*`.
    """
    heads, head_dim = architecture.num_heads, architecture.head_dim
    is_recurrent = architecture.decoder_cell == "ssru"
    past = ("rows", architecture.d_model) if is_recurrent else ("rows", heads, "capacity", head_dim)
    past_dtype = "float32" if is_recurrent else cache
    cross = ("rows", heads, "source", head_dim)

    def layers(*names: Callable[[int], str], shape: tuple[int | str, ...]) -> list[TensorSpec]:
        return [
            _tensor(name(i), cache, *shape)
            for i in range(architecture.num_decoder_layers)
            for name in names
        ]

    return GraphSpec(
        inputs=(
            _tensor("input_ids", "int64", "rows", 1),
            _tensor("positions", "int32", "rows"),
            _tensor("total", "int32", 1),
            _tensor("source_lengths", "int32", "rows"),
            _tensor("source_total", "int32", 1),
            *(_tensor(name, past_dtype, *past) for name in past_names(architecture)),
            *layers(cross_key, cross_value, shape=cross),
            *_shortlist_inputs(architecture, shortlist),
        ),
        outputs=(
            _tensor(
                "logits", "float32", "rows", "pieces" if shortlist else architecture.vocab_size
            ),
            *(_tensor(name, past_dtype, *past) for name in present_names(architecture)),
            *layers(present_cross_key, present_cross_value, shape=cross),
        ),
    )


def beams_spec(architecture: Architecture, cache: CacheDtype) -> GraphSpec:
    """`decoder_spec` and `candidates_spec` in one, for the rows of beams that share a source.

    Each of the `sentences` has `NUM_PLACES` places for its hypotheses, which are rows anywhere in
    the batch. `place_heads` says which query head every place reads, `row * heads + head`; one of
    any row where a place is empty. `row_heads` is the way back,
    `(sentence * heads + head) * NUM_PLACES + place`.
    """
    heads, vocab_size = architecture.num_heads, architecture.vocab_size
    decoder, candidates = decoder_spec(architecture, cache), candidates_spec(vocab_size)
    by_sentence = ("source_lengths", "cross_", "present_cross_")

    def shared(tensors: tuple[TensorSpec, ...]) -> list[TensorSpec]:
        return [
            replace(t, shape=("sentences", *t.shape[1:])) if t.name.startswith(by_sentence) else t
            for t in tensors
            if t.name != "logits"
        ]

    return GraphSpec(
        inputs=(
            *shared(decoder.inputs),
            _tensor("place_heads", "int64", "sentences", heads, NUM_PLACES),
            _tensor("row_heads", "int64", "rows", heads),
            *shared(candidates.inputs),
        ),
        outputs=(*candidates.outputs, *shared(decoder.outputs)),
    )


def _shortlist_inputs(
    architecture: Architecture, shortlist: Shortlist | None
) -> tuple[TensorSpec, ...]:
    if shortlist is None:
        return ()
    return (
        _tensor("whole_vocabulary", "bool", 1),
        *_shortlist_block(architecture, shortlist.num_own, "rows"),
    )


def _shortlist_block(architecture: Architecture, num_own: int, axis: str) -> list[TensorSpec]:
    return [
        _tensor("shortlist_weights", "int8", axis, architecture.d_model, num_own),
        _tensor("shortlist_scales", "float32", axis, num_own),
        _tensor("shortlist_biases", "float32", axis, num_own),
    ]


def shortlist_spec(architecture: Architecture, shortlist: Shortlist) -> GraphSpec:
    """A sentence's own target pieces -> their part of the output projection, once per sentence.

    An id of -1 stands for no piece; its bias is so low that it is never chosen.
    """
    return GraphSpec(
        inputs=(_tensor("shortlist_ids", "int64", "batch", shortlist.num_own),),
        outputs=tuple(_shortlist_block(architecture, shortlist.num_own, "batch")),
    )


def candidates_spec(vocab_size: int) -> GraphSpec:
    """Logits -> log-probabilities of all tokens, and the best tokens, best first.

    Equal tokens are ordered by id. `num_candidates` is at most `vocab_size`.
    """
    return GraphSpec(
        inputs=(
            _tensor("logits", "float32", "rows", vocab_size),
            _tensor("num_candidates", "int64", 1),
        ),
        outputs=(
            _tensor("log_probs", "float32", "rows", vocab_size),
            _tensor("top_log_probs", "float32", "rows", "candidates"),
            _tensor("top_ids", "int64", "rows", "candidates"),
        ),
    )


def attention_spec(architecture: Architecture) -> GraphSpec:
    """Teacher-forced pass -> all attention maps and the log-probability of every label.

    `target_ids` begins with the start token; `label_ids` is the same shifted left, ending with
    the end token. Rows and columns on padding are exactly 0, so are padded log-probabilities.

    With a recurrence, `decoder_attention` is what its state still holds of each token: it is
    linear, so the shares are exact. A head's is the mean over its channels. The first column also
    has the share of the empty state before the first token.
    """
    heads = architecture.num_heads
    encoder, decoder = architecture.num_encoder_layers, architecture.num_decoder_layers
    return GraphSpec(
        inputs=(*_pair_inputs(), _tensor("label_ids", "int64", "batch", "target")),
        outputs=(
            _tensor("encoder_attention", "float32", "batch", encoder, heads, "source", "source"),
            _tensor("decoder_attention", "float32", "batch", decoder, heads, "target", "target"),
            _tensor("cross_attention", "float32", "batch", decoder, heads, "target", "source"),
            _tensor("log_probs", "float32", "batch", "target"),
        ),
    )


def value_zeroing_spec(architecture: Architecture) -> GraphSpec:
    """Teacher-forced pass whose layers each lack some values -> how far each layer's output moves.

    `source_keep` and `target_keep` are 1, or 0 where a token's value vectors are zero: in every
    attention of the encoder and in every cross-attention, or in every self-attention (or
    recurrence) of the decoder. Every layer of a row reads what the layers below gave row
    `base_rows` of the batch, so that each distance is that of its own layer. A distance is 1 minus
    the cosine of a layer's output and that of the base row; rows on padding are arbitrary.
    """
    encoder, decoder = architecture.num_encoder_layers, architecture.num_decoder_layers
    return GraphSpec(
        inputs=(
            *_pair_inputs(),
            _tensor("base_rows", "int64", "batch"),
            _tensor("source_keep", "float32", "batch", "source"),
            _tensor("target_keep", "float32", "batch", "target"),
        ),
        outputs=(
            _tensor("encoder_distances", "float32", "batch", encoder, "source"),
            _tensor("decoder_distances", "float32", "batch", decoder, "target"),
        ),
    )


def alti_spec(architecture: Architecture) -> GraphSpec:
    """Teacher-forced pass -> every attention as a sum of vectors, one for each token it reads.

    Of the kinds `encoder`, `decoder` and `cross`: `_attention` holds the weights, `_values` a
    token's value vectors after the output projection of their head, `_residual` what passes by,
    and `_result` the sum of all, biases included. With post-norm they have gone through the norm
    without its division, which is the same for all vectors of a row. Rows on padding are arbitrary.
    """
    heads, width = architecture.num_heads, architecture.d_model

    def of_kind(kind: str, layers: int, query: str, key: str) -> list[TensorSpec]:
        return [
            _tensor(f"{kind}_attention", "float32", "batch", layers, heads, query, key),
            _tensor(f"{kind}_values", "float32", "batch", layers, heads, key, width),
            _tensor(f"{kind}_residual", "float32", "batch", layers, query, width),
            _tensor(f"{kind}_result", "float32", "batch", layers, query, width),
        ]

    return GraphSpec(
        inputs=_pair_inputs(),
        outputs=(
            *of_kind("encoder", architecture.num_encoder_layers, "source", "source"),
            *of_kind("decoder", architecture.num_decoder_layers, "target", "target"),
            *of_kind("cross", architecture.num_decoder_layers, "target", "source"),
        ),
    )


def states_spec(architecture: Architecture) -> GraphSpec:
    """The encoder's pass -> what each of its layers computes.

    `queries`, `keys` and `values` are those of every head, before any rotation; `activations` are
    behind the activation of the feed-forward. `residual_norms` are Euclidean norms of the vectors
    that pass by: first the embeddings with their positions, then behind the attention and behind
    the feed-forward of each layer, normalised with post-norm. Rows on padding are arbitrary.
    """
    layers, heads = architecture.num_encoder_layers, architecture.num_heads
    by_head = ("batch", layers, heads, "source", architecture.head_dim)
    return GraphSpec(
        inputs=_pair_inputs()[:2],
        outputs=(
            *(_tensor(name, "float32", *by_head) for name in ("queries", "keys", "values")),
            _tensor("activations", "float32", "batch", layers, "source", architecture.d_ff),
            _tensor("residual_norms", "float32", "batch", 1 + 2 * layers, "source"),
        ),
    )


def _pair_inputs() -> tuple[TensorSpec, ...]:
    return (
        _tensor("source_ids", "int64", "batch", "source"),
        _tensor("source_lengths", "int32", "batch"),
        _tensor("target_ids", "int64", "batch", "target"),
        _tensor("target_lengths", "int32", "batch"),
    )
