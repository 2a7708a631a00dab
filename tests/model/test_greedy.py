import pytest
import torch

from model.greedy import greedy_translate
from model.transformer import Transformer
from tests.model.networks import ARCHITECTURE, random_ids, random_network

EOS, BOS = ARCHITECTURE.eos_id, ARCHITECTURE.bos_id


def eager_to_end(seed: int) -> Transformer:
    """A network that does end, now and then."""
    network = random_network(seed=seed)
    with torch.no_grad():
        network.output_projection.bias[EOS] += 1.5
    return network


@torch.inference_mode()
def by_full_passes(network: Transformer, source: list[int], max_tokens: int) -> list[int]:
    """Greedy search without a cache, without batches."""
    target = [BOS]
    while len(target) <= max_tokens:
        logits = network(torch.tensor([source]), None, torch.tensor([target]))
        target.append(int(logits[0, -1].argmax()))
        if target[-1] == EOS:
            return target[1:-1]
    return target[1:]


@pytest.mark.parametrize("seed", range(4))
def test_the_cached_batch_gives_what_full_passes_give_alone(seed: int) -> None:
    network = eager_to_end(seed)
    sources = [random_ids(1, length, seed=length)[0].tolist() for length in (3, 9, 5, 1, 12)]
    found = greedy_translate(network, sources, max_tokens=10)
    assert found == [by_full_passes(network, source, 10) for source in sources]
    lengths = {len(target) for target in found}
    assert max(lengths) <= 10
    assert all(EOS not in target for target in found)


def test_some_sentences_end_before_others() -> None:
    sources = [random_ids(1, 6, seed=seed)[0].tolist() for seed in range(12)]
    found = greedy_translate(eager_to_end(2), sources, max_tokens=10)
    assert len({len(target) for target in found}) > 1
