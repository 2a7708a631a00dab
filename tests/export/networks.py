"""Random networks of every kind, and their graphs as open sessions."""

import random
from pathlib import Path
from typing import Any

import torch

from bundle.manifest import Canary, LanguagePair, Manifest
from bundle.provenance import Provenance
from bundle.reader import Bundle
from bundle.tokenizer import Tokenizer
from export.graphs.writer import write_graphs
from export.network import Network, network_of
from export.publication.staging import NOT_MEASURED
from export.quantization import ActivationPlan
from model.architecture import Architecture
from model.transformer import Transformer
from service.engine.graphs.sessions import Sessions, open_sessions

TOKENIZER = Path(__file__).parents[1] / "data" / "tiny-bundle" / "source.spm"
MAX_TOKENS = 24
PAIR = LanguagePair(source="en", target="de")
KINDS: dict[str, dict[str, Any]] = {
    "post-norm, ReLU": {},
    "pre-norm, GELU, learned positions": {
        "norm_position": "pre",
        "activation": "gelu",
        "positions": "learned",
    },
    "untied, Swish, one head": {"tie_embeddings": False, "activation": "swish", "num_heads": 1},
    "pre-norm, unscaled, untied, deep decoder": {
        "norm_position": "pre",
        "scale_embedding": False,
        "tie_embeddings": False,
        "num_encoder_layers": 1,
        "num_decoder_layers": 3,
    },
}
PLAIN_KINDS: dict[str, dict[str, Any]] = {
    "relative positions": {"positions": "relative", "max_distance": 4},
    "rotary positions, pre-norm": {"positions": "rotary", "norm_position": "pre"},
    "additive scores": {"attention_score": "additive"},
    "bilinear scores, relative positions": {
        "attention_score": "bilinear",
        "positions": "relative",
        "max_distance": 30,
    },
    "Euclidean scores, learned positions": {
        "attention_score": "euclidean",
        "positions": "learned",
    },
    "cosine scores, rotary positions": {"attention_score": "cosine", "positions": "rotary"},
    "heads of an odd width": {"d_model": 30, "num_heads": 2},
}
"""Networks that the fused attention does not support."""
ALL_KINDS = KINDS | PLAIN_KINDS


def random_transformer(seed: int = 0, **architecture: Any) -> Transformer:  # noqa: ANN401
    """A network whose biases and norms differ from their initial 0 and 1 too."""
    shape: dict[str, Any] = {
        "vocab_size": 90,
        "d_model": 32,
        "d_ff": 48,
        "num_heads": 2,
        "num_encoder_layers": 2,
        "num_decoder_layers": 2,
        "max_positions": 32,
    }
    torch.manual_seed(seed)
    model = Transformer(Architecture(**{**shape, **architecture})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
            elif "embedding" not in name and "positions" not in name:
                parameter.mul_(1.5)
    return model


def network(model: Transformer) -> Network:
    """What graphs are built from."""
    return network_of(model, max_source=MAX_TOKENS, max_target=MAX_TOKENS)


def open_graphs(network: Network, plan: ActivationPlan | None, folder: Path) -> Sessions:
    """Write graphs to a new folder and open them."""
    folder.mkdir()
    write_graphs(network, plan, folder)
    return open_sessions(as_bundle(network, plan, folder))


def as_bundle(network: Network, plan: ActivationPlan | None, folder: Path) -> Bundle:
    """A bundle that was never verified, of graphs that are in `folder`."""
    manifest = Manifest(
        format_version=1,
        name="random",
        pairs=(PAIR,),
        special_ids=network.special_ids,
        max_source_tokens=MAX_TOKENS,
        max_target_tokens=MAX_TOKENS,
        architecture=network.architecture,
        precision="int8" if plan else "fp32",
        cache="int8" if plan and plan.cache else "float32",
        batch_invariant=False,
        files={},
        provenance=Provenance(
            created="",
            commit="",
            training_config="",
            training_steps=0,
            training_target_tokens=0,
            training_minutes=0,
        ),
        parity=NOT_MEASURED,
        canary=Canary(pair=PAIR, source_text="", target_ids=()),
    )
    tokenizer = Tokenizer(TOKENIZER, None, network.special_ids)
    return Bundle(path=folder, manifest=manifest, loaded=[tokenizer], sha256="")


def random_ids(count: int, *, seed: int, vocab_size: int = 90) -> list[list[int]]:
    """Sentences of every length up to the limit, each with its end token."""
    source = random.Random(seed)
    lengths = [1, MAX_TOKENS, *(source.randint(1, MAX_TOKENS) for _ in range(count - 2))]
    return [[*(source.randrange(4, vocab_size) for _ in range(n - 1)), 3] for n in lengths[:count]]
