"""Every alternative part learns to copy, is exported, and is served as it learnt.

`python -m tests.end_to_end.alternatives` does it with text, tokenizer, trainer and bundles.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from export.calibration.activations import calibrate
from export.verification.parity import check_parity, measure_parity
from export.verification.torch_reference import TorchReference
from model.architecture import Architecture
from model.transformer import Transformer
from service.engine.graphs.sessions import Sessions
from service.engine.offline import decode_batch
from service.engine.search.options import DecodeOptions
from tests.export.networks import MAX_TOKENS, network, open_graphs

NUM_STEPS = 300
MORE_STEPS = {"relative": 500}
"""Where one has to learn first that the letter after the last one is the next."""
BATCH = 64
ALPHABET = range(4, 20)
ALTERNATIVES: dict[str, dict[str, Any]] = {
    "learned positions": {"positions": "learned"},
    "relative positions": {"positions": "relative", "num_encoder_layers": 2},
    "rotary positions": {"positions": "rotary", "num_encoder_layers": 2},
    "additive scores": {"attention_score": "additive"},
    "bilinear scores": {"attention_score": "bilinear"},
    "Euclidean scores": {"attention_score": "euclidean"},
    "cosine scores": {"attention_score": "cosine"},
    "pre-norm, Swish, heads of an odd width": {
        "norm_position": "pre",
        "activation": "swish",
        "d_model": 36,
        "num_heads": 4,
    },
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are faster on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _texts(count: int, source: random.Random) -> list[list[int]]:
    """Different letters, and the end token."""
    letters = [source.sample(ALPHABET, source.randint(1, 8)) for _ in range(count)]
    return [[*some, 3] for some in letters]


def _trained(change: dict[str, Any]) -> Transformer:
    torch.manual_seed(1)
    shape = {"vocab_size": 90, "d_model": 32, "d_ff": 64, "num_heads": 2, "dropout": 0.0}
    layers = {"num_encoder_layers": 1, "num_decoder_layers": 1, "max_positions": MAX_TOKENS}
    model = Transformer(Architecture(**{**shape, **layers, **change}))
    num_steps = MORE_STEPS.get(change.get("positions", ""), NUM_STEPS)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, num_steps)
    source = random.Random(1)
    for _ in range(num_steps):
        _loss(model, _texts(BATCH, source)).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval()


def _loss(model: Transformer, texts: Sequence[Sequence[int]]) -> torch.Tensor:
    """Of copying, teacher-forced."""
    width = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts])
    inputs = torch.cat((torch.full((len(ids), 1), 2), ids[:, :-1]), dim=1)
    logits = model(ids, ids != 0, inputs)
    return functional.cross_entropy(logits.flatten(0, 1), ids.flatten(), ignore_index=0)


def _copied(sessions: Sessions, texts: Sequence[Sequence[int]], beam_size: int) -> float:
    options = DecodeOptions(max_target_tokens=MAX_TOKENS, beam_size=beam_size)
    found = decode_batch(sessions, texts, options)
    same = [[*h[0].target_ids, 3] == text for h, text in zip(found, texts, strict=True)]
    return sum(same) / len(same)


@pytest.mark.parametrize("change", ALTERNATIVES.values(), ids=list(ALTERNATIVES))
def test_an_alternative_learns_to_copy_and_the_engine_serves_what_it_learnt(
    change: dict[str, Any], tmp_path: Path
) -> None:
    model = _trained(change)
    texts = _texts(60, random.Random(2))
    plain = open_graphs(network(model), None, tmp_path / "fp32")
    report = measure_parity(TorchReference(model), plain, texts, texts)
    check_parity(report)
    assert report.identical_sentences == report.sentences == 60
    plan = calibrate(network(model), [(text, text) for text in texts])
    for sessions in (plain, open_graphs(network(model), plan, tmp_path / "int8")):
        for beam_size in (1, 4):
            assert _copied(sessions, texts, beam_size) > 0.9
