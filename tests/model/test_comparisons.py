"""What the Transformer is compared with, each sentence of the notes as a measurement of ours."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.autograd.graph import Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from model.architecture import Architecture
from model.transformer import EncoderLayer, FeedForward, MultiHeadAttention
from model.transformer.attention_scores import Additive, ScaledDotProduct
from model.transformer.positions import sinusoidal_positions
from tests.model.networks import ARCHITECTURE, random_ids, random_network

D_MODEL = 512


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These networks are too small to be shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Scores.


def test_without_projections_a_token_attends_to_itself() -> None:
    """Under x x^T the diagonal is usually the largest; with separate matrices it is not."""
    tokens = torch.randn(100, 20, D_MODEL)
    query, key = (nn.Linear(D_MODEL, D_MODEL) for _ in range(2))
    assert _share_of_rows_that_choose_themselves(tokens @ tokens.mT) > 0.99
    # By chance it would be 1 in 20.
    assert _share_of_rows_that_choose_themselves(query(tokens) @ key(tokens).mT) < 0.1


def _share_of_rows_that_choose_themselves(scores: Tensor) -> float:
    places = torch.arange(scores.shape[-1])
    return (scores.argmax(-1) == places).float().mean().item()


class _Chosen(nn.Module):
    """Scores that are given, in place of those of queries and keys."""

    def __init__(self, weights: list[list[float]]) -> None:
        super().__init__()
        self.scores = torch.tensor(weights)[None, :, None].log().clamp(min=-1e9)

    def forward(self, _query: Tensor, _key: Tensor) -> Tensor:
        """Float32 [1, heads, 1, key]."""
        return self.scores


@pytest.mark.parametrize(
    ("weights", "keeps_apart"),
    [([[0.5, 0.5, 0.0]], False), ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], True)],
    ids=["one head", "two heads"],
)
@torch.inference_mode()
def test_one_head_averages_what_two_keep_apart(
    weights: list[list[float]], keeps_apart: bool
) -> None:
    """One head that needs two tokens gives their mean, and which was which is lost; two keep it."""
    attention = MultiHeadAttention(replace(ARCHITECTURE, num_heads=len(weights))).eval()
    attention.score = _Chosen(weights)
    tokens = torch.randn(1, 3, 16)
    found, exchanged = (
        attention(tokens[:, :1], attention.keys_and_values(tokens[:, order]), None)[0]
        for order in ([0, 1, 2], [1, 0, 2])
    )
    assert torch.allclose(found, exchanged, atol=1e-5) != keeps_apart


class _Elements(TorchDispatchMode):
    """Counts the elements that each operator writes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.counts[func.overloadpacket.__name__] += result.numel()
        return result


@pytest.mark.parametrize("length", [8, 32])
def test_additive_scores_cost_a_tanh_for_each_pair_and_channel(length: int) -> None:
    """Products are one matrix multiplication; an additive score has n^2 d tanh and as many sums."""
    query, key = torch.randn(2, 1, 4, length, ARCHITECTURE.head_dim)
    counts, flops = {}, {}
    for name, score in (
        ("dot", ScaledDotProduct(ARCHITECTURE)),
        ("additive", _additive()),
    ):
        with _Elements() as elements, FlopCounterMode(display=False) as counter:
            score(query, key)
        counts[name], flops[name] = elements.counts, counter.get_total_flops()
    pairs = length**2 * ARCHITECTURE.d_model
    assert flops["dot"] == flops["additive"] == 2 * pairs
    assert counts["dot"]["tanh"] == 0
    assert counts["additive"]["tanh"] == counts["additive"]["add"] == pairs


def _additive() -> Additive:
    score = Additive(ARCHITECTURE)
    nn.init.normal_(score.weight)
    return score


def test_initialisation_can_stand_in_for_the_scale() -> None:
    """T5 does not divide: matrices of queries that begin smaller by sqrt(d_k) do the same."""
    d_k, tokens = 64, torch.randn(64, D_MODEL)
    query = torch.randn(D_MODEL, d_k) * (D_MODEL * d_k) ** -0.5
    key = torch.randn(D_MODEL, d_k) * D_MODEL**-0.5
    ordinary = torch.randn(D_MODEL, d_k) * D_MODEL**-0.5
    assert ((tokens @ query) @ (tokens @ key).mT).var().item() == pytest.approx(1, rel=0.2)
    assert ((tokens @ ordinary) @ (tokens @ key).mT).var().item() == pytest.approx(d_k, rel=0.2)


# Positions.


def test_base_10000_is_between_too_fine_and_too_coarse() -> None:
    """A small base repeats within a text; a large one brings neighbours near to each other."""
    tables = {base: _sinusoids(base, 512, 64) for base in (10.0, 10_000.0, 1e8)}
    assert torch.allclose(tables[10_000.0].float(), sinusoidal_positions(512, 64))
    # A cosine that falls all the way has another value at each of the 512 positions.
    falling = [int((t[:, 1::2].diff(dim=0) < 0).all(0).sum()) for t in tables.values()]
    assert falling[0] == 0
    assert falling[1] == 14
    neighbours = [t.diff(dim=0).norm(dim=-1).mean().item() for t in tables.values()]
    assert neighbours[0] > 1.2 * neighbours[1]
    assert neighbours[1] > 1.2 * neighbours[2]


def _sinusoids(base: float, length: int, width: int) -> Tensor:
    exponent = torch.arange(0, width, 2, dtype=torch.float64) / width
    angle = torch.arange(length, dtype=torch.float64)[:, None] * base**-exponent
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)


def test_plain_numbers_drown_tokens_and_fractions_depend_on_the_length() -> None:
    """Numbers grow without bound; divided by the length, one step is no longer one distance."""
    embedded = torch.randn(512, 64)
    numbered = embedded + torch.arange(512.0)[:, None]
    assert torch.cosine_similarity(numbered[400:], torch.ones(64), dim=-1).min() > 0.99
    waves = embedded + sinusoidal_positions(512, 64)
    assert torch.cosine_similarity(waves, embedded, dim=-1).min() > 0.6
    steps = [torch.linspace(0, 1, length).diff()[0].item() for length in (5, 50)]
    assert steps[0] > 10 * steps[1]


# The feed-forward, normalisation, dropout.


def test_a_feed_forward_without_activation_is_one_linear_map() -> None:
    """Without a non-linearity two layers are one matrix; with it they are not."""
    network = FeedForward(ARCHITECTURE).eval()
    inputs = torch.randn(50, 16)
    matrix = network.outer.weight @ network.inner.weight
    bias = network.outer.weight @ network.inner.bias + network.outer.bias
    assert not torch.allclose(network(inputs), inputs @ matrix.mT + bias, atol=0.1)
    network.activation = nn.Identity()
    torch.testing.assert_close(network(inputs), inputs @ matrix.mT + bias)


def test_batch_normalisation_depends_on_neighbours_on_their_number_and_their_padding() -> None:
    """BatchNorm sees who else is in the batch, how many they are, and how long."""
    sentence, mates = torch.randn(7, 16), torch.randn(3, 7, 16) + 1
    batches = {
        "alone": sentence[None],
        "one neighbour": torch.stack((sentence, mates[0])),
        "three neighbours": torch.cat((sentence[None], mates)),
        "padding": torch.cat((sentence, torch.zeros(9, 16)))[None],
    }
    for norm, is_invariant in ((nn.LayerNorm(16), True), (nn.BatchNorm1d(16), False)):
        found = [norm(batch.flatten(0, 1))[:7] for batch in batches.values()]
        assert [torch.allclose(one, found[0], atol=1e-5) for one in found[1:]] == [is_invariant] * 3


def test_batch_normalisation_remembers_its_training_at_inference() -> None:
    """At inference BatchNorm uses means of the batches it was trained on; LayerNorm has none."""
    sentence = torch.randn(7, 16)
    for make, is_same in ((nn.LayerNorm, True), (nn.BatchNorm1d, False)):
        one, other = make(16), make(16)
        for _ in range(50):
            one(torch.randn(32, 16))
            other(3 * torch.randn(32, 16) + 2)
        one.eval(), other.eval()
        assert torch.allclose(one(sentence), other(sentence), atol=1e-5) == is_same


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_leaves_the_expectation_as_it_is(p: float) -> None:
    """What dropout keeps is multiplied by 1 / (1 - p), so that inference needs no correction."""
    values, dropout = torch.rand(16) + 0.5, nn.Dropout(p)
    mean = torch.stack([dropout(values) for _ in range(20_000)]).mean(0)
    torch.testing.assert_close(mean, dropout.eval()(values), rtol=0.03, atol=0)


@pytest.mark.parametrize(("gain", "learns_without"), [(0.5, False), (1, True), (2, False)])
def test_layer_normalisation_stands_larger_learning_rates(
    gain: float, learns_without: bool
) -> None:
    """With LayerNorm a large rate does no harm, however weights begin; without, if they fit it.

    Where weights begin just right (gain 1) a stack of six learns as well without: the advantage is
    that the scale does not matter.
    """
    assert _loss_after_training(0.3, nn.LayerNorm, gain) < 0.05
    assert (_loss_after_training(0.3, nn.Identity, gain) < 0.05) == learns_without
    # Weights that are too large are stood at a rate 10 times smaller, too.
    assert gain < 2 or _loss_after_training(0.03, nn.Identity, gain) < 0.3


def _loss_after_training(rate: float, norm: Callable[[int], nn.Module], gain: float) -> float:
    """Cross-entropy in nats of six layers on 128 points of 4 random classes; by chance 1.39."""
    torch.manual_seed(0)
    inputs, classes = torch.randn(128, 16), torch.randint(0, 4, (128,))
    layers = [(nn.Linear(16 if i == 0 else 32, 32), norm(32), nn.ReLU()) for i in range(6)]
    stack = nn.Sequential(*(part for layer in layers for part in layer), nn.Linear(32, 4))
    for module in stack:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            module.weight.data *= gain
    optimizer = torch.optim.SGD(stack.parameters(), lr=rate)
    for _ in range(200):
        loss = nn.functional.cross_entropy(stack(inputs), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


# Beside recurrence and convolution.


def test_paths_between_distant_tokens_are_short_in_attention_only() -> None:
    """The first token reaches the last in 1 layer, n - 1 or log_3 n layers, or n steps."""
    length = 33
    attention = MultiHeadAttention(ARCHITECTURE)
    recurrence = nn.RNNCell(16, 16)
    convolution = nn.Conv1d(16, 16, 3, padding=1)

    def attend(hidden: Tensor) -> Tensor:
        attended, _ = attention(hidden, attention.keys_and_values(hidden), None)
        return cast("Tensor", attended)

    def convolve(hidden: Tensor) -> Tensor:
        return cast("Tensor", convolution(hidden.mT).mT)

    assert _layers_until_seen(attend, length) == 1
    assert _layers_until_seen(convolve, length) == length - 1
    assert _dilated_layers_until_seen(length) == 4
    assert _sequential_steps(recurrence, length) == length


def _layers_until_seen(layer: Callable[[Tensor], Tensor], length: int) -> int:
    """Applications of `layer` until the last output has a gradient at the first input."""
    for count in range(1, length + 1):
        inputs = torch.randn(1, length, 16, requires_grad=True)
        hidden = inputs
        for _ in range(count):
            hidden = layer(hidden)
        (gradient,) = torch.autograd.grad(hidden[0, -1].sum(), inputs)
        if gradient[0, 0].abs().max() > 0:
            return count
    raise AssertionError("the last token never sees the first")


def _dilated_layers_until_seen(length: int) -> int:
    """Causal convolutions of 3 tokens whose dilation grows threefold with each layer."""
    inputs = torch.randn(1, 16, length, requires_grad=True)
    hidden, count = inputs, 0
    while True:
        dilation = 3**count
        layer = nn.Conv1d(16, 16, 3, dilation=dilation)
        hidden = layer(nn.functional.pad(hidden, (2 * dilation, 0)))
        count += 1
        (gradient,) = torch.autograd.grad(hidden[0, :, -1].sum(), inputs, retain_graph=True)
        if gradient[0, :, 0].abs().max() > 0:
            return count


def _sequential_steps(cell: nn.RNNCell, length: int) -> int:
    """Non-linearities, one after the other, between the first input and the last state."""
    inputs, state = torch.randn(length, 1, 16), torch.zeros(1, 16)
    for token in inputs:
        state = cell(token, state)
    return _longest_chain(state.grad_fn, {})


def _longest_chain(node: Node | None, known: dict[Node, int]) -> int:
    """Most tanh on a way from `node` to an input."""
    if node is None:
        return 0
    if node not in known:
        below = max((_longest_chain(each, known) for each, _ in node.next_functions), default=0)
        known[node] = below + (type(node).__name__ == "TanhBackward0")
    return known[node]


# Sub-words.

_WORDS = {"low": 5, "lower": 2, "newest": 6, "widest": 3}


def test_word_piece_takes_the_longest_piece_and_bpe_the_earliest_merge() -> None:
    """The same pieces, but BPE repeats its merges in order and WordPiece takes the longest."""
    merges = [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("w", "e"), ("we", "s")]
    pieces = {piece for merge in merges for piece in (*merge, "".join(merge))}
    # BPE made `es`, then `est`, before it could make `wes`.
    assert _by_merges("lowest", merges) == ["low", "est"]
    assert _by_merges("west", merges) == ["w", "est"]
    assert _by_longest_piece("west", pieces) == ["wes", "t"]


def test_word_piece_and_bpe_choose_other_pairs_to_merge() -> None:
    """BPE merges the most frequent pair; WordPiece the one that is frequent for its parts."""
    counts, parts = Counter[tuple[str, str]](), Counter[str]()
    for word, count in _WORDS.items():
        for pair in pairwise(word):
            counts[pair] += count
        for letter in word:
            parts[letter] += count
    by_count = max(counts, key=lambda pair: counts[pair])
    by_likelihood = max(counts, key=lambda pair: counts[pair] / (parts[pair[0]] * parts[pair[1]]))
    assert counts[by_count] == 9
    assert by_count == ("e", "s")
    # `i` is always before `d`, and `d` always behind `i`: rare, but certain.
    assert by_likelihood == ("i", "d")


def _by_merges(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    pieces = list(word)
    for merge in merges:
        i = 0
        while i < len(pieces) - 1:
            if (pieces[i], pieces[i + 1]) == merge:
                pieces[i : i + 2] = ["".join(merge)]
            i += 1
    return pieces


def _by_longest_piece(word: str, pieces: set[str]) -> list[str]:
    if not word:
        return []
    end = next(end for end in range(len(word), 0, -1) if end == 1 or word[:end] in pieces)
    return [word[:end], *_by_longest_piece(word[end:], pieces)]


# Notes that are wrong.


def test_dividing_by_d_k_makes_the_variance_too_small() -> None:
    """Scores divided by d_k, and not by its root, have the variance 1 / d_k: nearly uniform."""
    query, key = torch.randn(2, 300, 64)
    assert (query @ key.mT / 64).var().item() == pytest.approx(1 / 64, rel=0.1)
    by_root, by_width = ((query @ key.mT / d).softmax(-1).amax(-1).mean() for d in (8, 64))
    assert by_width < 2 / 300 < by_root / 2


def test_queries_and_keys_are_two_matrices() -> None:
    """Q and K are made by two matrices that share nothing, and both learn."""
    attention = MultiHeadAttention(ARCHITECTURE)
    inputs = torch.randn(1, 5, 16)
    attention(inputs, attention.keys_and_values(inputs), None)[0].square().sum().backward()
    query, key = attention.query.weight, attention.key.weight
    assert query.data_ptr() != key.data_ptr()
    assert query.grad is not None
    assert key.grad is not None
    assert not torch.allclose(query.grad, key.grad)


@torch.inference_mode()
def test_the_encoder_gives_a_vector_for_each_token_and_not_one_of_fixed_length() -> None:
    """The memory grows with the source: one vector per token, no fixed-length vector."""
    network = random_network()
    shapes = [network.encode(random_ids(1, length), None).shape for length in (1, 7, 24)]
    assert shapes == [(1, 1, 16), (1, 7, 16), (1, 24, 16)]


def test_the_decoder_reads_the_source_before_its_feed_forward() -> None:
    """The order in a decoder layer is self-attention, cross-attention, feed-forward."""
    order: list[str] = []
    network = random_network()
    for name, module in network.decoder.layers[0].named_children():
        if name in ("self_attention", "cross_attention", "feed_forward"):
            module.register_forward_hook(lambda *_, name=name: order.append(name))
    network(random_ids(1, 4), None, random_ids(1, 3))
    assert order == ["self_attention", "cross_attention", "feed_forward"]


def test_degradation_is_no_overfitting() -> None:
    """A deeper stack without residuals is worse on its training data; overfitting is better there.

    He et al. (2016): more layers, and the error rises on the training set itself.
    """
    shallow, deep, deep_with_residuals = (
        _training_error(num_layers=n, has_residuals=has) for n, has in ((2, 0), (12, 0), (12, 1))
    )
    assert deep > 1.5 * shallow
    assert deep_with_residuals < shallow


class WithoutResidual(EncoderLayer):
    """An encoder layer from which the residual connections were taken."""

    def _after(self, norm: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor:
        return super()._after(norm, torch.zeros_like(inputs), outputs)


def _training_error(*, num_layers: int, has_residuals: int) -> float:
    """Cross-entropy in nats on eight sentences whose tokens are to be given back reversed."""
    torch.manual_seed(0)
    architecture = replace(ARCHITECTURE, dropout=0.0, norm_position="post")
    make: Callable[[Architecture], EncoderLayer] = (
        EncoderLayer if has_residuals else WithoutResidual
    )
    layers = nn.ModuleList(make(architecture) for _ in range(num_layers))
    output = nn.Linear(16, 40)
    ids = random_ids(8, 6)
    inputs = torch.randn(40, 16)[ids] + sinusoidal_positions(6, 16)
    optimizer = torch.optim.Adam([*layers.parameters(), *output.parameters()], lr=0.003)
    for _ in range(60):
        hidden = inputs
        for layer in layers:
            hidden, _ = layer(hidden, None)
        loss = nn.functional.cross_entropy(output(hidden).flatten(0, 1), ids.flip(1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@torch.inference_mode()
def test_validation_is_one_pass_over_all_positions() -> None:
    """The validation loss is parallel like training; only translating is serial."""
    network, passes = random_network(), Counter[str]()
    network.decoder.register_forward_hook(lambda *_: passes.update(["decoder"]))
    network(random_ids(2, 7), None, random_ids(2, 9))
    assert passes["decoder"] == 1
    memory, cache = network.encode(random_ids(2, 7), None), network.new_cache()
    for token in random_ids(2, 9).split(1, dim=1):
        network.decode(token, memory, None, cache)
    assert passes["decoder"] == 1 + 9
