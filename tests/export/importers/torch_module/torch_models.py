"""Modules around `torch.nn.Transformer` with random weights, in the usual files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

SPECIALS = ("<unk>", "<pad>", "<bos>", "<eos>")
LETTERS = (" ", *"abcdefghijklmnopqrstuvwxyz.,'äöüß")
PIECES = (*SPECIALS, *LETTERS)
END = PIECES.index("<eos>")
SOURCE_PIECES = (*SPECIALS, *reversed(LETTERS), "é")
WIDTH = 32
LONGEST = 40


def save_model(
    folder: Path,
    *,
    is_shared: bool = False,
    is_tied: bool = False,
    learnt: bool = False,
    final_norms: bool = True,
    end_bias: float = 6,
    spread: float = 3,
    seed: int = 0,
    settings: str = "",
    source: str = "",
    **options: Any,  # noqa: ANN401
) -> Path:
    """A folder with `model.pt` and `model.toml`.

    Args:
        folder: New.
        is_shared: Source and target have one embedding.
        is_tied: The target's embedding is the output projection.
        learnt: Positions are, and are in the checkpoint; else sinusoids that are not.
        final_norms: Each stack ends with a normalisation, as torch makes them.
        end_bias: What makes a translation come to an end.
        spread: What weights of layers are multiplied with.
        seed: Of the weights.
        settings: Further lines of the description.
        source: Further lines of its source.
        options: Of `nn.Transformer`.
    """
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    module = _module(len(PIECES if is_shared else SOURCE_PIECES), options, final_norms=final_norms)
    if is_shared:
        del module["source"]
    if is_tied:
        module["generator"].weight = module["target"].weight
    state: dict[str, Any] = _disturbed(module, end_bias, spread)
    if learnt:
        state["source_positions"] = torch.randn(1, LONGEST, WIDTH) * 0.5
        state["target_positions"] = torch.randn(LONGEST, 1, WIDTH) * 0.5
    torch.save({"epoch": 3, "model": state}, folder / "model.pt")
    text = _description(is_shared=is_shared, learnt=learnt, options=options)
    text = text.replace("[tensors]", f"{settings}\n[tensors]") + source
    (folder / "model.toml").write_text(text, encoding="utf-8")
    return folder


def _module(num_source: int, options: Mapping[str, Any], *, final_norms: bool) -> nn.ModuleDict:
    shape = {"num_encoder_layers": 2, "num_decoder_layers": 2, "nhead": 2, "dim_feedforward": 48}
    made = {**shape, **options}
    # Torch warns where a shortcut of its encoder is not for this model.
    layers = {name: made[name] for name in ("nhead", "dim_feedforward")}
    layers |= {n: made[n] for n in ("norm_first", "activation", "layer_norm_eps") if n in made}
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(WIDTH, **layers),
        made["num_encoder_layers"],
        nn.LayerNorm(WIDTH),
        enable_nested_tensor=False,
    )
    transformer = nn.Transformer(WIDTH, custom_encoder=encoder, **made)
    if not final_norms:
        transformer.encoder.norm = transformer.decoder.norm = None
    return nn.ModuleDict(
        {
            "transformer": transformer,
            "source": nn.Embedding(num_source, WIDTH),
            "target": nn.Embedding(len(PIECES), WIDTH),
            "generator": nn.Linear(WIDTH, len(PIECES)),
        }
    )


@torch.no_grad()
def _disturbed(module: nn.ModuleDict, end_bias: float, spread: float) -> dict[str, torch.Tensor]:
    """Away from initial zeros and ones, and so that translations come to an end."""
    for name, parameter in module.named_parameters():
        if name.startswith("transformer") and parameter.dim() == 1:
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
        elif name.startswith("transformer"):
            parameter.mul_(spread)
        elif parameter.dim() == 2:
            parameter.copy_(torch.randn_like(parameter) * 0.7)
    bias = module.get_parameter("generator.bias")
    bias.normal_()
    bias[END] = end_bias
    module.get_parameter("generator.weight")[END] = 0
    return dict(module.state_dict())


def _description(*, is_shared: bool, learnt: bool, options: Mapping[str, Any]) -> str:
    positions = 'source_positions = "source_positions"\ntarget_positions = "target_positions"\n'
    target = "" if is_shared else f"[target]\ncut = 'characters'\npieces = {_array(PIECES)}\n"
    return (
        'weights = "model.pt"\nstate = "model"\n'
        f"num_heads = {options.get('nhead', 2)}\n"
        f"norm_first = {str(options.get('norm_first', False)).lower()}\n"
        f"activation = '{options.get('activation', 'relu')}'\n"
        f"layer_norm_eps = {options.get('layer_norm_eps', 1e-5)}\n"
        "[tensors]\n"
        f"source_embedding = '{'target' if is_shared else 'source'}.weight'\n"
        "target_embedding = 'target.weight'\n"
        "generator = 'generator'\n"
        f"{positions if learnt else ''}{target}"
        f"[source]\ncut = 'characters'\npieces = {_array(PIECES if is_shared else SOURCE_PIECES)}\n"
    )


def _array(pieces: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{piece}"' for piece in pieces)
    return f"[{quoted}]"
