import math

import numpy as np
import pytest
import torch

from model.data.batching import Batch, batch_links
from model.training.loss import alignment_loss, batch_loss, guided_losses
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


def test_the_alignment_loss_is_the_cross_entropy_computed_by_hand() -> None:
    attention = torch.tensor(
        [
            [[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]],
            [[0.6, 0.4, 0.0], [0.25, 0.75, 0.0], [1.0, 0.0, 0.0]],
        ]
    )
    # Source, target: label 0 has one link, label 1 two; of the second pair label 1 has one.
    links = [np.array([[0, 0], [1, 1], [2, 1]]), np.array([[1, 1]])]
    by_hand = -(math.log(0.7) + (math.log(0.5) + math.log(0.4)) / 2 + math.log(0.75)) / 3
    assert alignment_loss(attention, batch_links(links)).item() == pytest.approx(by_hand)


def test_a_batch_without_links_has_no_alignment_loss() -> None:
    links = batch_links([np.empty((0, 2), dtype=np.uint16)] * 2)
    assert alignment_loss(torch.full((2, 3, 4), 0.25), links).item() == 0


def test_the_alignment_loss_is_bounded_where_attention_is_zero() -> None:
    attention = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    loss = alignment_loss(attention, batch_links([np.array([[1, 0]])]))
    loss.backward()
    assert 10 < loss.item() < 20
    assert attention.grad is not None
    assert attention.grad.isfinite().all()


def test_the_guided_head_is_the_one_of_the_last_decoder_layer_that_is_named() -> None:
    network = random_network()
    batch = batch_of(torch.tensor([[7, 9, 3], [8, 3, 0]]))
    links = batch_links([np.array([[0, 0], [4, 2]]), np.array([[2, 1]])])
    maps = network.attention_maps(batch.source_ids, None, batch.input_ids)
    for head in range(ARCHITECTURE.num_heads):
        translation, aligned = guided_losses(network, batch, links, label_smoothing=0.1, head=head)
        assert translation == batch_loss(network, batch, label_smoothing=0.1)
        assert aligned == alignment_loss(maps.cross[-1, :, head], links)


def test_guidance_reaches_the_head() -> None:
    network = random_network()
    batch = batch_of(torch.tensor([[7, 9, 3]]))
    links = batch_links([np.array([[3, 0], [1, 1]])])
    guided_losses(network, batch, links, label_smoothing=0.1, head=1)[1].backward()
    query = network.get_parameter("decoder.layers.1.cross_attention.query.weight")
    assert query.grad is not None
    moved = query.grad.unflatten(0, (ARCHITECTURE.num_heads, -1)).abs().sum((1, 2)) > 0
    assert moved.tolist() == [False, True, False, False]
