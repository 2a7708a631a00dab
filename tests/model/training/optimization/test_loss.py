import math

import pytest
import torch

from model.data.batching import Batch
from model.training.optimization.loss import batch_loss
from tests.model.networks import ARCHITECTURE, random_ids, random_network


def batch_of(label_ids: torch.Tensor) -> Batch:
    starts = torch.full((len(label_ids), 1), ARCHITECTURE.bos_id)
    return Batch(
        source_ids=random_ids(len(label_ids), 5),
        source_mask=None,
        input_ids=torch.cat((starts, label_ids[:, :-1]), 1),
        label_ids=label_ids,
        num_target_tokens=int((label_ids != ARCHITECTURE.pad_id).sum()),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@torch.inference_mode()
def test_the_loss_is_the_smoothed_cross_entropy_computed_by_hand(smoothing: float) -> None:
    network = random_network()
    batch = batch_of(torch.tensor([[7, 9, 3], [8, 3, 0]]))
    log_probs = network(batch.source_ids, None, batch.input_ids).log_softmax(-1)
    terms = []
    for row, position in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]:
        found = log_probs[row, position].tolist()
        label = int(batch.label_ids[row, position])
        wanted = [smoothing / len(found)] * len(found)
        wanted[label] += 1 - smoothing
        terms.append(-sum(w * f for w, f in zip(wanted, found, strict=True)))
    loss = batch_loss(network, batch, label_smoothing=smoothing)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(sum(terms) / 5, rel=1e-5)


@torch.inference_mode()
def test_the_loss_of_uniform_logits_is_the_logarithm_of_the_vocabulary() -> None:
    network = random_network()
    for parameter in network.parameters():
        parameter.zero_()
    loss = batch_loss(network, batch_of(torch.tensor([[5, 3]])), label_smoothing=0.1)
    assert loss.item() == pytest.approx(math.log(ARCHITECTURE.vocab_size), rel=1e-6)


@torch.inference_mode()
def test_padding_does_not_count() -> None:
    network = random_network()
    short = batch_of(torch.tensor([[7, 9, 3]]))
    long = batch_of(torch.tensor([[7, 9, 3, 0, 0, 0]]))
    losses = [batch_loss(network, batch, label_smoothing=0.1).item() for batch in (short, long)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@torch.inference_mode()
def test_the_sum_over_the_vocabulary_is_taken_in_32_bits() -> None:
    loss = batch_loss(
        random_network().bfloat16(), batch_of(torch.tensor([[7, 9, 3]])), label_smoothing=0.1
    )
    assert loss.dtype == torch.float32
