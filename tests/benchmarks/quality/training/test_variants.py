"""Networks with one part changed: each differs from the one as it is."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from benchmarks.quality.training.variants import EVERY, NUM_UNSEEN, VARIANTS, Variant, train
from model.transformer import Transformer

ROOT = Path(__file__).parents[4]
RECORDED = ROOT / "service" / "web" / "static" / "learn_variants.json"


def _logits(variant: Variant) -> Tensor:
    torch.manual_seed(0)
    network = Transformer(variant.architecture)
    with torch.no_grad():
        variant.change(network)
        logits = network(torch.tensor([[5, 6, 7, 3]]), None, torch.tensor([[2, 7, 6, 5]]))
    return cast("Tensor", logits)


@pytest.mark.parametrize("variant", VARIANTS[1:-1], ids=lambda variant: variant.name)
def test_a_variant_computes_something_else(variant: Variant) -> None:
    changed, plain = _logits(variant), _logits(VARIANTS[0])
    assert changed.isfinite().all()
    assert not torch.allclose(changed, plain, atol=1e-3)


def test_training_repeats_itself() -> None:
    once, again = (train(VARIANTS[0], steps=EVERY) for _ in range(2))
    assert once.losses == again.losses
    assert len(once.losses) == 1


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))["variants"]
    return found


def test_every_variant_is_recorded(recorded: dict[str, Any]) -> None:
    assert list(recorded) == [variant.name for variant in VARIANTS]
    for each in recorded.values():
        right = each["accuracy"] * NUM_UNSEEN
        assert right == pytest.approx(round(right), abs=0.02)


def test_the_document_has_what_was_recorded(recorded: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "transformer.md").read_text(encoding="utf-8")
    for name, each in recorded.items():
        row = f"| {name} | {each['losses'][-1][1]:.3f} | {each['accuracy']:.1%} |"
        assert row.replace("%", " %") in text
