"""Trains and exports `tests/data/tiny-bundle`: `python -m tests.data.make_tiny_bundle`.

Takes about a minute. The seed decides the data, the run and so, on one machine, the weights.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from export.exporter import export_bundle
from export.options import ExportOptions
from model.config import parse_config
from model.training.checkpoint import AVERAGED_NAME
from model.training.preparation import prepare
from model.training.trainer import Trainer
from tests.data.toy_language import sentence_pairs

OUT = Path(__file__).parent / "tiny-bundle"
NUM_TRAINING_PAIRS = 20_000
NUM_DEV_PAIRS = 500
CONFIG = """\
# A language of twelve nouns, learnt in a minute: for tests.
name = "tiny"

[data]
source_language = "en"
target_language = "de"
train = ["train.tsv"]
dev = "dev.tsv"
max_tokens = 64
sources = [{ name = "toy-language", licence = "Apache-2.0" }]

[tokenizer]
kind = "bpe"
vocab_size = 560

[architecture]
d_model = 48
d_ff = 96
num_heads = 3
num_encoder_layers = 2
num_decoder_layers = 2
dropout = 0.0
max_positions = 64

[training]
seed = 1
batch_tokens = 1500
max_steps = 1000
learning_rate = 6e-3
schedule = "trapezoid"
warmup_steps = 100
label_smoothing = 0.05
average_decay = 0.99
validate_every = 500
checkpoint_every = 1000
validation_sentences = 50
"""


def make_tiny_bundle(out: Path) -> None:
    """Train and export; replaces a bundle that is there."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_data(folder)
        config = parse_config(CONFIG, where="tiny")
        Trainer(config, CONFIG, prepare(config, folder, folder), folder).run()
        options = ExportOptions(
            checkpoint=folder / AVERAGED_NAME,
            out=out,
            data=folder,
            name="tiny",
            max_source_tokens=64,
            max_target_tokens=64,
            force=True,
        )
        export_bundle(options)


def _write_data(folder: Path) -> None:
    pairs = sentence_pairs(NUM_DEV_PAIRS + NUM_TRAINING_PAIRS, seed=1)
    _write_pairs(folder / "dev.tsv", pairs[:NUM_DEV_PAIRS])
    _write_pairs(folder / "train.tsv", pairs[NUM_DEV_PAIRS:])


def _write_pairs(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    lines = [f"{source}\t{target}\ttoy-language\n" for source, target in pairs]
    path.write_text("".join(lines), encoding="utf-8")


def main() -> int:
    """Write the bundle of the tests, or another one elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    make_tiny_bundle(parser.parse_args().out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
