"""The Transformer with one part taken away or replaced, trained on a toy task in minutes on a CPU.

The task: give a sequence of 3 to 7 tokens back reversed. Curves are of the training loss, the final
figure is the share of 300 unseen sequences that greedy decoding gives back without a mistake.
`python -m benchmarks.quality.training.variants --out service/web/static/learn_variants.json`.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MethodType
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.machine import commit
from model.architecture import Architecture
from model.greedy import greedy_translate
from model.transformer import Decoder, DecoderCache, FeedForward, MultiHeadAttention, Transformer
from model.transformer.attention_scores import ScaledDotProduct

ModuleT = TypeVar("ModuleT", bound=nn.Module)
ARCHITECTURE = Architecture(
    vocab_size=14,
    d_model=64,
    d_ff=128,
    num_heads=4,
    num_encoder_layers=2,
    num_decoder_layers=2,
    dropout=0.0,
    max_positions=16,
)
SEED = 1
BATCH = 64
RATE = 2e-3
WARMUP = 50
EVERY = 10
NUM_UNSEEN = 300


class _BatchNorm(nn.BatchNorm1d):
    """Normalises every channel over all tokens of a batch."""

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, length, d_model] -> the same."""
        return super().forward(inputs.flatten(0, 1)).view_as(inputs)


class _SeeingDecoder(Decoder):
    """A decoder whose self-attention sees later tokens, too, where there are any."""

    def forward(
        self, hidden: Tensor, memory: Tensor, cross_mask: Tensor | None, cache: DecoderCache
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """As in `Decoder`, without its mask."""
        width = cache.num_tokens + hidden.shape[1]
        everything = torch.ones(hidden.shape[1], width, dtype=torch.bool)
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            hidden, _, _ = layer(hidden, memory, everything, cross_mask, layer_cache)
        cache.num_tokens = width
        return self.final_norm(hidden), [], []


def _without_scale(network: Transformer) -> None:
    for score in _modules(network, ScaledDotProduct):
        score.scale = 1.0


def _without_positions(network: Transformer) -> None:
    network.source_positions.weight.zero_()
    network.target_positions.weight.zero_()


def _plain_numbers(network: Transformer) -> None:
    for positions in (network.source_positions, network.target_positions):
        numbers = torch.arange(len(positions.weight), dtype=torch.float32)
        positions.weight.copy_(numbers[:, None].expand_as(positions.weight))


def _same_queries_and_keys(network: Transformer) -> None:
    for layer in (*network.encoder.layers, *network.decoder.layers):
        attention = cast("MultiHeadAttention", layer.self_attention)
        attention.query = attention.key = cast("nn.Linear", nn.Identity())


def _without_mask(network: Transformer) -> None:
    network.decoder.__class__ = _SeeingDecoder


def _without_residual(network: Transformer) -> None:
    def after(_layer: nn.Module, norm: nn.Module, _inputs: Tensor, outputs: Tensor) -> Tensor:
        return cast("Tensor", norm(outputs))

    for layer in (*network.encoder.layers, *network.decoder.layers):
        layer._after = MethodType(after, layer)


def _with_batch_norm(network: Transformer) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.LayerNorm):
                setattr(module, name, _BatchNorm(ARCHITECTURE.d_model))


def _without_activation(network: Transformer) -> None:
    for feed_forward in _modules(network, FeedForward):
        feed_forward.activation = nn.Identity()


def _with_sigmoid(network: Transformer) -> None:
    for feed_forward in _modules(network, FeedForward):
        feed_forward.activation = nn.Sigmoid()


def _times(factor: float) -> Callable[[Transformer], None]:
    def multiply(network: Transformer) -> None:
        for name, parameter in network.named_parameters():
            if parameter.dim() == 2 and "embedding" not in name:
                parameter.data.mul_(factor)

    return multiply


def _modules(network: nn.Module, kind: type[ModuleT]) -> Iterator[ModuleT]:
    return (module for module in network.modules() if isinstance(module, kind))


def _as_it_is(_: Transformer) -> None:
    """Changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A network to be trained."""

    name: str
    change: Callable[[Transformer], None] = _as_it_is
    architecture: Architecture = field(default=ARCHITECTURE)
    warmup: int = WARMUP
    rate: float = RATE


DEEP = replace(ARCHITECTURE, num_encoder_layers=6, num_decoder_layers=6)
VARIANTS = (
    Variant(name="as it is"),
    Variant(name="no scale", change=_without_scale),
    Variant(name="one head", architecture=replace(ARCHITECTURE, num_heads=1)),
    Variant(name="x xᵀ for Q and K", change=_same_queries_and_keys),
    Variant(name="no causal mask", change=_without_mask),
    Variant(name="no positions", change=_without_positions),
    Variant(name="plain numbers as positions", change=_plain_numbers),
    Variant(name="no residual, 2 layers", change=_without_residual),
    Variant(name="BatchNorm", change=_with_batch_norm),
    Variant(name="no activation", change=_without_activation),
    Variant(name="sigmoid", change=_with_sigmoid),
    Variant(name="weights 4 times as large", change=_times(4)),
    Variant(name="weights 10 times as small", change=_times(0.1)),
    Variant(name="6 layers", architecture=DEEP),
    Variant(name="no residual, 6 layers", change=_without_residual, architecture=DEEP),
    Variant(name="6 layers, no warm-up", architecture=DEEP, warmup=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A trained variant."""

    losses: list[tuple[int, float]]
    """Step and mean training loss of the 10 steps before it, in nats per token."""
    accuracy: float
    """Share of unseen sequences that come back without a mistake."""
    seconds: float


def train(variant: Variant, *, steps: int) -> Outcome:
    """Trains a variant on batches that no other variant sees differently."""
    torch.manual_seed(SEED)
    network = Transformer(variant.architecture)
    with torch.no_grad():
        variant.change(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=variant.rate, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(SEED)
    started, losses, recent = time.monotonic(), [], list[float]()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = variant.rate * _factor(step, steps, variant.warmup)
        loss = _loss(network, _sequences(generator, BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent.append(loss.item())
        if step % EVERY == 0:
            losses.append((step, float(f"{sum(recent) / len(recent):.4g}")))
            recent.clear()
    seconds = round(time.monotonic() - started, 1)
    return Outcome(losses=losses, accuracy=_accuracy(network), seconds=seconds)


def _factor(step: int, steps: int, warmup: int) -> float:
    """Of the learning rate: a trapezoid that falls during the second half."""
    return min(1.0, step / warmup, 2 * (steps - step + 1) / steps)


def _sequences(generator: torch.Generator, count: int) -> Tensor:
    """int64 [batch, length]; all of a batch have one length."""
    length = int(torch.randint(3, 8, (1,), generator=generator))
    return torch.randint(4, ARCHITECTURE.vocab_size, (count, length), generator=generator)


def _loss(network: Transformer, sequences: Tensor) -> Tensor:
    """Cross-entropy of the reversed sequence and its end, in nats per token."""
    column = sequences.new_ones(len(sequences), 1)
    bos, eos = ARCHITECTURE.bos_id * column, ARCHITECTURE.eos_id * column
    reversed_ = sequences.flip(1)
    logits = network(torch.cat((sequences, eos), 1), None, torch.cat((bos, reversed_), 1))
    wanted = torch.cat((reversed_, eos), 1)
    return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())


def _accuracy(network: Transformer) -> float:
    network.eval()
    generator, right = torch.Generator().manual_seed(SEED + 1), 0
    for _ in range(NUM_UNSEEN // 30):
        sequences = _sequences(generator, 30).tolist()
        sources = [[*sequence, ARCHITECTURE.eos_id] for sequence in sequences]
        found = greedy_translate(network, sources, max_tokens=12)
        right += sum(a == b[::-1] for a, b in zip(found, sequences, strict=True))
    return round(right / NUM_UNSEEN, 4)


def main() -> None:
    """Trains all variants and writes their curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of the curves")
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, dict[str, object]] = {}
    for variant in VARIANTS:
        outcome = train(variant, steps=arguments.steps)
        found[variant.name] = {"losses": outcome.losses, "accuracy": outcome.accuracy}
        print(
            f"{variant.name}: {outcome.losses[-1][1]} nats, {outcome.accuracy:.1%} right, "
            f"{outcome.seconds} s",
            flush=True,
        )
    command = f"python -m benchmarks.quality.training.variants --steps {arguments.steps} --out FILE"
    content = {"command": command, "commit": commit(), "seed": SEED, "variants": found}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
