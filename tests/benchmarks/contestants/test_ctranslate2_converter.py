from pathlib import Path

import ctranslate2
import pytest
import torch

from benchmarks.contestants.ctranslate2_converter import convert
from model.architecture import Activation, Architecture, NormPosition, Positions
from model.greedy import greedy_translate
from model.transformer import Transformer
from tests.service.tiny_models import tiny_bundle

MAX_TOKENS = 20


def random_model(
    norm: NormPosition, positions: Positions, activation: Activation, *, is_tied: bool
) -> Transformer:
    """Random weights, biases included, so that any mistake shows."""
    torch.manual_seed(1)
    torch.set_num_threads(1)  # more only get into each other's way at this size
    manifest = tiny_bundle().manifest
    ids = manifest.special_ids
    architecture = Architecture(
        vocab_size=manifest.architecture.vocab_size,
        d_model=32,
        d_ff=48,
        num_heads=4,
        num_encoder_layers=2,
        num_decoder_layers=2,
        norm_position=norm,
        positions=positions,
        activation=activation,
        tie_embeddings=is_tied,
        max_positions=64,
        dropout=0.0,
        pad_id=ids.pad,
        unk_id=ids.unk,
        bos_id=ids.bos,
        eos_id=ids.eos,
    )
    model = Transformer(architecture).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.mark.parametrize(
    ("norm", "positions", "activation", "is_tied"),
    [
        ("post", "sinusoidal", "relu", True),
        ("pre", "learned", "gelu", False),
        ("pre", "sinusoidal", "swish", True),
    ],
)
def test_ctranslate2_gives_the_translations_of_the_network(
    tmp_path: Path,
    norm: NormPosition,
    positions: Positions,
    activation: Activation,
    is_tied: bool,
) -> None:
    bundle = tiny_bundle()
    model = random_model(norm, positions, activation, is_tied=is_tied)
    pieces = bundle.tokenizer.target_pieces(range(bundle.tokenizer.vocab_size))
    before = model.source_embedding.weight.clone()
    convert(model, pieces, tmp_path / "int8", quantization="int8")
    assert torch.equal(model.source_embedding.weight, before)
    convert(model, pieces, tmp_path / "model")
    translator = ctranslate2.Translator(
        str(tmp_path / "model"), compute_type="float32", intra_threads=1
    )

    words = bundle.manifest.canary.source_text.split()
    sources = [
        bundle.tokenizer.encode_source(" ".join(words[: i + 1]), bundle.manifest.pairs[0])
        for i in range(len(words))
    ]
    results = translator.translate_batch(
        [bundle.tokenizer.source_pieces(ids) for ids in sources],
        beam_size=1,
        max_decoding_length=MAX_TOKENS,
    )
    for ids, result in zip(sources, results, strict=True):
        (ours,) = greedy_translate(model, [ids], max_tokens=MAX_TOKENS)
        assert bundle.tokenizer.target_pieces(ours) == result.hypotheses[0]
