"""A checkpoint of fairseq, unpickled without it: its options, and tensors by today's names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.errors import ExportError
from export.importers.checkpoint_file import checkpoint_file
from export.importers.shells import attributes
from export.importers.tensors import as_float32, load_pickled
from export.network import Float32

BEST_NAME = "checkpoint_best.pt"
_SHELLS = ("argparse.Namespace",)
_PARTS = ("q_proj", "k_proj", "v_proj")
_NORMS = {
    "encoder": ("self_attn_layer_norm", "final_layer_norm"),
    "decoder": ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"),
}
"""What the numbered ones of early versions are called."""
_NUMBERED_NORM = re.compile(r"(encoder|decoder)(\.layers\.\d+)\.layer_norms\.(\d)\.(weight|bias)")
_JOINT = re.compile(r"(.+)\.in_proj_(weight|bias)")
_MADE_AGAIN = re.compile(r"(encoder|decoder)\.(version|embed_positions\.(_float_tensor|weights))")
"""What holds nothing that was learnt."""
_LAST_WITHOUT_NORM = {"encoder": 1, "decoder": 2}
"""Up to these versions a stack did not end with a normalisation, wherever the others were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What is in the file."""

    path: Path
    options: Mapping[str, Any]
    """Of model and task; those of a side behind its name, as in `encoder_layers`."""
    tensors: Mapping[str, Float32]
    versions: Mapping[str, float]
    """Of encoder and decoder."""

    def says(self, name: str) -> bool:
        """Whether an option is set that versions without it do not have."""
        return bool(self.options.get(name))

    def has_final_norm(self, side: str) -> bool:
        """Whether a stack ends with a normalisation."""
        is_left_out = side == "decoder" and self.says("no_decoder_final_norm")
        is_early = self.versions[side] <= _LAST_WITHOUT_NORM[side]
        return self.says(f"{side}_normalize_before") and not is_left_out and not is_early


def open_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: Its file, or a folder with one.

    Raises:
        ExportError: It cannot be read, or is not one of these.
    """
    path = checkpoint_file(path, ".pt", (BEST_NAME,))
    content = load_pickled(path, _SHELLS)
    if not isinstance(content, Mapping) or not isinstance(content.get("model"), Mapping):
        raise ExportError(f"{path} is no checkpoint of fairseq: it has no model")
    options = _options(content)
    if not options:
        raise ExportError(f"{path} has no args and no cfg that would say what model it is")
    tensors = as_float32({n: t for n, t in content["model"].items() if _is_tensor(t)})
    versions = {side: _version(tensors, side) for side in _NORMS}
    return Checkpoint(path=path, options=options, tensors=_renamed(tensors), versions=versions)


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


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
    """Those of a side may be a group of their own."""
    found = dict(options) if isinstance(options, Mapping) else attributes(options)
    for side in _NORMS:
        group = found.get(side)
        if isinstance(group, Mapping):
            found |= {f"{side}_{name}": value for name, value in group.items()}
    return found


def _version(tensors: Mapping[str, Float32], side: str) -> float:
    found = tensors.get(f"{side}.version")
    return 1.0 if found is None or not found.size else float(found.flat[0])


def _renamed(tensors: Mapping[str, Float32]) -> dict[str, Float32]:
    """By the names of later versions, as fairseq itself does when it loads an early one."""
    renamed: dict[str, Float32] = {}
    for name, values in tensors.items():
        joint = _JOINT.fullmatch(name)
        if joint and len(values) % len(_PARTS) == 0:
            parts = zip(_PARTS, np.split(values, len(_PARTS)), strict=True)
            renamed |= {f"{joint[1]}.{part}.{joint[2]}": array for part, array in parts}
        elif not _MADE_AGAIN.fullmatch(name):
            renamed[_todays_name(name)] = values
    return renamed


def _todays_name(name: str) -> str:
    found = _NUMBERED_NORM.fullmatch(name)
    if found and int(found[3]) < len(_NORMS[found[1]]):
        return f"{found[1]}{found[2]}.{_NORMS[found[1]][int(found[3])]}.{found[4]}"
    return "decoder.output_projection.weight" if name == "decoder.embed_out" else name
