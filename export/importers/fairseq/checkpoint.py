"""Opens a checkpoint of fairseq without fairseq: options, and tensors by their newest names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import ExportError
from export.importers.files.checkpoint_file import checkpoint_file
from export.importers.files.pickle_stubs import stub_attributes
from export.importers.files.tensor_files import load_pickled
from export.network import Float32, as_float32

BEST_NAME = "checkpoint_best.pt"
_STUBS = ("argparse.Namespace",)
_PARTS = ("q_proj", "k_proj", "v_proj")
_NORMS = {
    "encoder": ("self_attn_layer_norm", "final_layer_norm"),
    "decoder": ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"),
}
"""Names of the norms that early versions number."""
_NUMBERED_NORM = re.compile(r"(encoder|decoder)(\.layers\.\d+)\.layer_norms\.(\d)\.(weight|bias)")
_JOINT = re.compile(r"(.+)\.in_proj_(weight|bias)")
_NOT_LEARNT = re.compile(r"(encoder|decoder)\.(version|embed_positions\.(_float_tensor|weights))")
"""Buffers, which are computed."""
_LAST_WITHOUT_NORM = {"encoder": 1, "decoder": 2}
"""Up to these versions no stack ends with a normalisation, not even with pre-norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Content of the file."""

    path: Path
    options: Mapping[str, Any]
    """Options of model and task; those of a stack begin with its name: `encoder_layers`."""
    tensors: Mapping[str, Float32]
    versions: Mapping[str, float]
    """Versions of the modules of encoder and decoder."""

    def is_set(self, name: str) -> bool:
        """Whether an option is set; versions without it count as not set."""
        return bool(self.options.get(name))

    @property
    def embedding_scale(self) -> float:
        """Factor of the embeddings."""
        d_model = self.options["encoder_embed_dim"]
        return 1.0 if self.is_set("no_scale_embedding") else float(d_model**0.5)

    def has_final_norm(self, stack: str) -> bool:
        """Whether a stack ends with a normalisation."""
        is_left_out = stack == "decoder" and self.is_set("no_decoder_final_norm")
        is_early = self.versions[stack] <= _LAST_WITHOUT_NORM[stack]
        return self.is_set(f"{stack}_normalize_before") and not is_left_out and not is_early


def open_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: Its file, or a folder with one.

    Raises:
        ExportError: It cannot be read, or is of another kind.
    """
    path = checkpoint_file(path, ".pt", (BEST_NAME,))
    content = load_pickled(path, _STUBS)
    if not isinstance(content, Mapping) or not isinstance(content.get("model"), Mapping):
        raise ExportError(f"{path} is no checkpoint of fairseq: it has no model")
    options = _options(content)
    if not options:
        raise ExportError(f"{path} has no args and no cfg that would say what model it is")
    tensors = as_float32(content["model"])
    versions = {stack: _version(tensors, stack) for stack in _NORMS}
    return Checkpoint(path=path, options=options, tensors=_renamed(tensors), versions=versions)


def _options(content: Mapping[str, Any]) -> dict[str, Any]:
    """Early versions keep all in `args`; later ones in `cfg`, by what they are for."""
    config = content.get("cfg")
    if not isinstance(config, Mapping):
        return _plain(content.get("args"))
    model, task = _plain(config.get("model")), _plain(config.get("task"))
    named = {name: _plain(config.get(name)).get("_name") for name in ("task", "bpe", "tokenizer")}
    named["arch"] = model.get("arch") or model.get("_name")
    return {**task, **model, **named} if model else {}


def _plain(options: object) -> dict[str, Any]:
    """Options as one dictionary; those of a stack may be a group of their own."""
    found = dict(options) if isinstance(options, Mapping) else stub_attributes(options)
    for stack in _NORMS:
        group = found.get(stack)
        if isinstance(group, Mapping):
            found |= {f"{stack}_{name}": value for name, value in group.items()}
    return found


def _version(tensors: Mapping[str, Float32], stack: str) -> float:
    found = tensors.get(f"{stack}.version")
    return 1.0 if found is None or not found.size else float(found.flat[0])


def _renamed(tensors: Mapping[str, Float32]) -> dict[str, Float32]:
    """Tensors by the names of later versions, as fairseq itself renames those of early ones."""
    renamed: dict[str, Float32] = {}
    for name, values in tensors.items():
        joint = _JOINT.fullmatch(name)
        if joint and len(values) % len(_PARTS) == 0:
            parts = zip(_PARTS, np.split(values, len(_PARTS)), strict=True)
            renamed |= {f"{joint[1]}.{part}.{joint[2]}": array for part, array in parts}
        elif not _NOT_LEARNT.fullmatch(name):
            renamed[_newest_name(name)] = values
    return renamed


def _newest_name(name: str) -> str:
    found = _NUMBERED_NORM.fullmatch(name)
    if found and int(found[3]) < len(_NORMS[found[1]]):
        return f"{found[1]}{found[2]}.{_NORMS[found[1]][int(found[3])]}.{found[4]}"
    return "decoder.output_projection.weight" if name == "decoder.embed_out" else name
