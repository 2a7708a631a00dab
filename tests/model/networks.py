"""Small networks with random weights, in every configuration that changes the arithmetic."""

from dataclasses import replace

import torch

from model.architecture import Architecture
from model.transformer import Transformer

ARCHITECTURE = Architecture(
    vocab_size=40,
    d_model=16,
    d_ff=24,
    num_heads=4,
    num_encoder_layers=2,
    num_decoder_layers=2,
    dropout=0.1,
    max_positions=24,
)
CONFIGURATIONS = {
    "post-norm": ARCHITECTURE,
    "pre-norm": replace(ARCHITECTURE, norm_position="pre"),
    "gelu": replace(ARCHITECTURE, activation="gelu"),
    "swish, pre-norm": replace(ARCHITECTURE, activation="swish", norm_position="pre"),
    "learned positions": replace(ARCHITECTURE, positions="learned"),
    "untied": replace(ARCHITECTURE, tie_embeddings=False),
    "unscaled": replace(ARCHITECTURE, scale_embedding=False),
    "one decoder layer": replace(ARCHITECTURE, num_decoder_layers=1),
    "three decoder layers": replace(ARCHITECTURE, num_decoder_layers=3, num_encoder_layers=1),
    "relative positions": replace(ARCHITECTURE, positions="relative", max_distance=3),
    "rotary positions": replace(ARCHITECTURE, positions="rotary"),
    "additive scores": replace(ARCHITECTURE, attention_score="additive"),
    "bilinear scores": replace(ARCHITECTURE, attention_score="bilinear", norm_position="pre"),
    "Euclidean scores": replace(ARCHITECTURE, attention_score="euclidean"),
    "cosine scores": replace(ARCHITECTURE, attention_score="cosine", positions="rotary"),
    "additive, relative": replace(
        ARCHITECTURE, attention_score="additive", positions="relative", max_distance=3
    ),
    "one head": replace(ARCHITECTURE, num_heads=1),
}


def random_network(architecture: Architecture = ARCHITECTURE, *, seed: int = 0) -> Transformer:
    """A network in evaluation mode in which every parameter matters, biases and norms too."""
    torch.manual_seed(seed)
    network = Transformer(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def random_ids(batch: int, length: int, *, seed: int = 0) -> torch.Tensor:
    """Ids of ordinary pieces, int64 [batch, length]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, ARCHITECTURE.vocab_size, (batch, length), generator=generator)
