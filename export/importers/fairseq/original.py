"""Runs a model of fairseq with CTranslate2, by the rules of its converter for fairseq."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from ctranslate2.converters import Converter, fairseq
from ctranslate2.specs import Activation, TransformerSpec

from export.graphs.builder import MASKED_SCORE
from export.importers.ct2.original import CTranslate2Original
from export.importers.fairseq.checkpoint import Checkpoint
from export.importers.fairseq.vocabulary import END, PADDING, SPECIALS, UNKNOWN
from export.importers.networks.positions import fairseq_positions
from export.network import Float32

_ACTIVATIONS = {
    "relu": Activation.RELU,
    "gelu": Activation.GELU,
    "gelu_accurate": Activation.GELUTanh,
    "gelu_fast": Activation.GELUTanh,
    "swish": Activation.SWISH,
}
_NUM_POSITIONS = 1026
_OPTIONAL = ("layer_norm", "layernorm_embedding", "project_in_dim", "project_out_dim")


class _Converter(Converter):  # type: ignore[misc]
    """CTranslate2's own takes fairseq's module; here a tree of the tensors' names stands in."""

    def __init__(
        self, checkpoint: Checkpoint, source: Sequence[str], target: Sequence[str]
    ) -> None:
        self._checkpoint = checkpoint
        self._pieces = (source, target)

    def _load(self) -> Any:  # noqa: ANN401
        spec = _spec(self._checkpoint)
        fairseq.set_transformer_encoder(spec.encoder, _tree(self._checkpoint, "encoder"))
        fairseq.set_transformer_decoder(spec.decoder, _tree(self._checkpoint, "decoder"))
        bias = np.zeros(len(self._pieces[1]), dtype=np.float32)
        bias[SPECIALS.index(PADDING)] = MASKED_SCORE
        spec.decoder.projection.bias = bias
        spec.register_source_vocabulary(list(self._pieces[0]))
        spec.register_target_vocabulary(list(self._pieces[1]))
        spec.config.decoder_start_token = END
        spec.config.eos_token = END
        spec.config.unk_token = UNKNOWN
        spec.config.add_source_eos = True
        return spec


class FairseqOriginal(CTranslate2Original):
    """Converts a model to a temporary folder, and loads it."""

    def __init__(
        self, checkpoint: Checkpoint, source: Sequence[str], target: Sequence[str]
    ) -> None:
        """Convert and load a model with the pieces of its dictionaries."""
        with tempfile.TemporaryDirectory() as folder:
            converted = Path(folder) / "model"
            _Converter(checkpoint, source, target).convert(str(converted))
            super().__init__(
                converted,
                source,
                target,
                vocab_size=len(target),
                added_end=END,
                end=END,
            )


def _spec(checkpoint: Checkpoint) -> Any:  # noqa: ANN401
    options = checkpoint.options
    spec = TransformerSpec.from_config(
        (options["encoder_layers"], options["decoder_layers"]),
        options["encoder_attention_heads"],
        pre_norm=bool(options.get("encoder_normalize_before")),
        activation=_ACTIVATIONS[options.get("activation_fn") or "relu"],
        layernorm_embedding=checkpoint.is_set("layernorm_embedding"),
    )
    for stack in ("encoder", "decoder"):
        if not checkpoint.has_final_norm(stack):
            vars(getattr(spec, stack)).pop("layer_norm", None)
    return spec


def _tree(checkpoint: Checkpoint, stack: str) -> Any:  # noqa: ANN401
    """A stack as the converter reads it: with the attributes of fairseq's module."""
    tree: dict[str, Any] = {}
    for name, values in checkpoint.tensors.items():
        *path, last = name.split(".")
        if path[0] == stack:
            branch = tree
            for part in path[1:]:
                branch = branch.setdefault(part, {"bias": None})
            branch[last] = torch.from_numpy(values)
    tree["embed_positions"] = _positions(checkpoint, stack)
    tree["embed_scale"] = checkpoint.embedding_scale
    if stack == "decoder":
        tree.setdefault("output_projection", tree["embed_tokens"])
    numbered = tree.pop("layers")
    layers = [_module(numbered[str(i)]) for i in range(len(numbered) - 1)]
    return SimpleNamespace(**{**dict.fromkeys(_OPTIONAL), **vars(_module(tree)), "layers": layers})


def _module(branch: Mapping[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(
        **{n: _module(v) if isinstance(v, Mapping) else v for n, v in branch.items()}
    )


def _positions(checkpoint: Checkpoint, stack: str) -> dict[str, Any]:
    """The table from row 0 on: the converter itself leaves out the rows up to the padding's."""
    padding = SPECIALS.index(PADDING)
    width = checkpoint.options["encoder_embed_dim"]
    table: Float32 = fairseq_positions(_NUM_POSITIONS, width, 0)
    if checkpoint.is_set("no_token_positional_embeddings"):
        table = np.zeros_like(table)
    elif checkpoint.is_set(f"{stack}_learned_pos"):
        table = checkpoint.tensors[f"{stack}.embed_positions.weight"]
    return {"weights": torch.from_numpy(table), "padding_idx": padding}
