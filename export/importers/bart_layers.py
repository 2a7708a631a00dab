"""The layers of a Transformer by the names that fairseq gave them and BART's family kept."""

from export.importers.tensors import TensorReader
from export.network import Float32

_ATTENTION = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "output"}


def bart_layers(
    reader: TensorReader,
    *,
    num_encoder_layers: int,
    num_decoder_layers: int,
    d_model: int,
    d_ff: int,
    has_final_norm: bool,
    prefix: str = "model.",
) -> dict[str, Float32]:
    """Weights of both stacks by the names of our own state dict.

    Args:
        reader: Remembers what is missing.
        num_encoder_layers: Layers that are expected.
        num_decoder_layers: Likewise.
        d_model: Width.
        d_ff: Inner width of the feed-forward.
        has_final_norm: Each stack ends with a normalisation.
        prefix: Before `encoder` and `decoder`.
    """
    weights: dict[str, Float32] = {}
    for side, count in (("encoder", num_encoder_layers), ("decoder", num_decoder_layers)):
        shapes = _layer(d_model, d_ff, is_decoder=side == "decoder")
        for i in range(count):
            for (theirs, ours), shape in shapes.items():
                name = f"{prefix}{side}.layers.{i}.{theirs}"
                weights[f"{side}.layers.{i}.{ours}"] = reader.take(name, shape)
        if has_final_norm:
            for part in ("weight", "bias"):
                name = f"{prefix}{side}.layer_norm.{part}"
                weights[f"{side}.final_norm.{part}"] = reader.take(name, (d_model,))
    return weights


def _layer(d_model: int, d_ff: int, *, is_decoder: bool) -> dict[tuple[str, str], tuple[int, ...]]:
    """Shape of every tensor of a layer, by its name there and ours."""
    attentions = {"self_attn": "self_attention"}
    if is_decoder:
        attentions["encoder_attn"] = "cross_attention"
    linear = {
        (f"{theirs}.{part}", f"{ours}.{name}"): (d_model, d_model)
        for theirs, ours in attentions.items()
        for part, name in _ATTENTION.items()
    }
    linear["fc1", "feed_forward.inner"] = (d_ff, d_model)
    linear["fc2", "feed_forward.outer"] = (d_model, d_ff)
    norms = {f"{theirs}_layer_norm": f"{ours}_norm" for theirs, ours in attentions.items()}
    norms["final_layer_norm"] = "feed_forward_norm"
    shapes: dict[tuple[str, str], tuple[int, ...]] = {}
    for (theirs, ours), (out, width) in linear.items():
        shapes[f"{theirs}.weight", f"{ours}.weight"] = (out, width)
        shapes[f"{theirs}.bias", f"{ours}.bias"] = (out,)
    for theirs, ours in norms.items():
        for part in ("weight", "bias"):
            shapes[f"{theirs}.{part}", f"{ours}.{part}"] = (d_model,)
    return shapes
