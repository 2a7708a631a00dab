"""Names, dtypes and axes of the tensors that cross the border of the three graphs.

Axes: batch, source, target, rows (one per live hypothesis), heads, head_dim, vocab, layers.
An axis given as a number is fixed; an axis given as a name may differ from call to call.
"""

from dataclasses import dataclass

from bundle.manifest import Architecture

ENCODER_NAME = "encoder.onnx"
DECODER_NAME = "decoder.onnx"
ATTENTION_NAME = "attention.onnx"
WEIGHTS_NAME = "weights.bin"
SOURCE_TOKENIZER_NAME = "source.spm"
TARGET_TOKENIZER_NAME = "target.spm"
MODEL_CARD_NAME = "MODEL_CARD.md"
GRAPH_NAMES = (ENCODER_NAME, DECODER_NAME, ATTENTION_NAME)
REQUIRED_FILES = (*GRAPH_NAMES, WEIGHTS_NAME, SOURCE_TOKENIZER_NAME, MODEL_CARD_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a graph."""

    name: str
    dtype: str
    """NumPy's name: `float32`, `int32`, `int64`."""
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSpec:
    """What a graph takes and gives."""

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


def cross_key(layer: int) -> str:
    """Cross-attention keys: the encoder's output, the decoder's input."""
    return f"cross_key.{layer}"


def cross_value(layer: int) -> str:
    """Cross-attention values: the encoder's output, the decoder's input."""
    return f"cross_value.{layer}"


def _tensor(name: str, dtype: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def encoder_spec(architecture: Architecture) -> GraphSpec:
    """Source ids -> cross-attention keys and values of every decoder layer, once a sentence.

    Positions at and beyond `source_lengths` hold arbitrary finite values: nobody may read them.
    """
    heads, head_dim = architecture.num_heads, architecture.head_dim
    outputs = [
        _tensor(name(layer), "float32", "batch", heads, "source", head_dim)
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


def decoder_spec(architecture: Architecture) -> GraphSpec:
    """One new token per row -> logits of the next one; the cache is updated in place.

    `positions` counts the tokens already cached in each row, `total` is `max(positions) + 1`,
    `source_total` is `max(source_lengths)`. `present_*` must be bound to the memory of `past_*`.
    """
    heads, head_dim = architecture.num_heads, architecture.head_dim
    layers = range(architecture.num_decoder_layers)
    cache = ("rows", heads, "capacity", head_dim)
    cross = ("rows", heads, "source", head_dim)
    return GraphSpec(
        inputs=(
            _tensor("input_ids", "int64", "rows", 1),
            _tensor("positions", "int32", "rows"),
            _tensor("total", "int32", 1),
            _tensor("source_lengths", "int32", "rows"),
            _tensor("source_total", "int32", 1),
            *(
                _tensor(name(i), "float32", *cache)
                for i in layers
                for name in (past_key, past_value)
            ),
            *(
                _tensor(name(i), "float32", *cross)
                for i in layers
                for name in (cross_key, cross_value)
            ),
        ),
        outputs=(
            _tensor("logits", "float32", "rows", architecture.vocab_size),
            *(
                _tensor(name(i), "float32", *cache)
                for i in layers
                for name in (present_key, present_value)
            ),
        ),
    )


def attention_spec(architecture: Architecture) -> GraphSpec:
    """Teacher-forced pass -> all attention maps and the log-probability of every label.

    `target_ids` begins with the start token; `label_ids` is the same shifted left, ending with
    the end token. Rows and columns on padding are exactly 0, so are padded log-probabilities.
    """
    heads = architecture.num_heads
    encoder, decoder = architecture.num_encoder_layers, architecture.num_decoder_layers
    return GraphSpec(
        inputs=(
            _tensor("source_ids", "int64", "batch", "source"),
            _tensor("source_lengths", "int32", "batch"),
            _tensor("target_ids", "int64", "batch", "target"),
            _tensor("target_lengths", "int32", "batch"),
            _tensor("label_ids", "int64", "batch", "target"),
        ),
        outputs=(
            _tensor("encoder_attention", "float32", "batch", encoder, heads, "source", "source"),
            _tensor("decoder_attention", "float32", "batch", decoder, heads, "target", "target"),
            _tensor("cross_attention", "float32", "batch", decoder, heads, "target", "source"),
            _tensor("log_probs", "float32", "batch", "target"),
        ),
    )
