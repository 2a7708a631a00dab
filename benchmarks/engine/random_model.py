"""A Transformer of any size with random weights, exported: speed needs no training.

Random weights end sentences arbitrarily or never. The end token is masked, and every sentence gets
as many target tokens as its source has.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnxruntime as ort
import sentencepiece
import torch

from benchmarks.contestants.interface import Request
from benchmarks.engine.reference_model import ReferenceModel
from bundle.manifest import MANIFEST_NAME, Canary, LanguagePair, Manifest, Quantization
from bundle.provenance import Provenance
from bundle.reader import read_bundle
from bundle.tensors import MODEL_CARD_NAME, SOURCE_TOKENIZER_NAME
from export.calibration.activations import calibrate
from export.graphs.writer import write_graphs
from export.network import Network, network_of
from export.publication.packing import file_entries
from export.publication.staging import NOT_MEASURED
from export.quantization import ActivationPlan
from model.architecture import Architecture
from model.transformer import Transformer

BASE = Architecture(vocab_size=32000, max_positions=256, dropout=0.0)
"""Transformer-base of Vaswani et al. (2017): d 512, feed-forward 2048, 8 heads, 6 + 6 layers."""
IMPOSSIBLE = -1e4
"""Bias of special tokens."""
CALIBRATION_SENTENCES = 64
_PAIR = LanguagePair(source="en", target="de")
_SEED = 1


def random_model(
    lengths: Sequence[int], folder: Path, *, shape: Architecture = BASE
) -> ReferenceModel:
    """Build the network and its bundles, fp32 and int8, in `folder`.

    Args:
        lengths: Tokens of each source, end token included.
        folder: Existing.
        shape: Architecture of the network.
    """
    model = _network(shape)
    network = network_of(model, max_source=shape.max_positions, max_target=shape.max_positions)
    sources = [*_sources(lengths, shape)]
    plan = calibrate(network, [(ids, ids) for ids in sources[:CALIBRATION_SENTENCES]])
    tokenizer = folder / SOURCE_TOKENIZER_NAME
    _train_tokenizer(tokenizer, shape)
    plans = {"random-int8": plan, "random-fp32": None}
    for name, each in plans.items():
        _write_bundle(folder / name, network, each, tokenizer)
    return ReferenceModel(
        name="base",
        network=model,
        weights=f"random, seed {_SEED}",
        bundles=tuple(read_bundle(folder / name) for name in plans),
        requests=tuple(Request(source_ids=s, max_target_tokens=len(s)) for s in sources),
        references=None,
    )


def _network(shape: Architecture) -> Transformer:
    torch.manual_seed(_SEED)
    model = Transformer(shape).eval()
    specials = [shape.pad_id, shape.unk_id, shape.bos_id, shape.eos_id]
    with torch.no_grad():
        model.output_projection.bias[specials] = IMPOSSIBLE
    return model


def _sources(lengths: Sequence[int], shape: Architecture) -> Iterator[tuple[int, ...]]:
    chance = random.Random(_SEED)
    first = 1 + max(shape.pad_id, shape.unk_id, shape.bos_id, shape.eos_id)
    for length in lengths:
        ids = (chance.randrange(first, shape.vocab_size) for _ in range(length - 1))
        yield (*ids, shape.eos_id)


def _train_tokenizer(path: Path, shape: Architecture) -> None:
    """A vocabulary of made-up words: a bundle requires one, although no text is tokenised."""
    words = [f"w{i}" for i in range(shape.vocab_size)]
    lines = (" ".join(words[i : i + 50]) for i in range(0, len(words), 50))
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=file,
            model_type="word",
            vocab_size=shape.vocab_size,
            pad_id=shape.pad_id,
            unk_id=shape.unk_id,
            bos_id=shape.bos_id,
            eos_id=shape.eos_id,
            minloglevel=2,
        )


def _write_bundle(
    folder: Path, network: Network, plan: ActivationPlan | None, tokenizer: Path
) -> None:
    folder.mkdir()
    write_graphs(network, plan, folder)
    (folder / SOURCE_TOKENIZER_NAME).write_bytes(tokenizer.read_bytes())
    (folder / MODEL_CARD_NAME).write_text("Random weights, to measure speed with.\n")
    manifest = _manifest(folder, network, plan)
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")


def _manifest(folder: Path, network: Network, plan: ActivationPlan | None) -> Manifest:
    return Manifest(
        format_version=1,
        name=folder.name,
        pairs=(_PAIR,),
        special_ids=network.special_ids,
        max_source_tokens=len(network.source_positions),
        max_target_tokens=len(network.target_positions),
        architecture=network.architecture,
        precision="int8" if plan else "fp32",
        cache="int8" if plan and plan.cache else "float32",
        batch_invariant=False,
        quantization=Quantization(static_tensors=tuple(sorted(plan.static)) if plan else ()),
        onnxruntime=ort.__version__,
        files=file_entries(folder.iterdir()),
        provenance=_NOT_TRAINED,
        parity=NOT_MEASURED,
        canary=Canary(pair=_PAIR, source_text="", target_ids=()),
    )


_NOT_TRAINED = Provenance(
    created="",
    commit="",
    training_config="",
    training_steps=0,
    training_target_tokens=0,
    training_minutes=0,
)
