"""A model that learns to copy: the smallest task that shows that everything works together."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from bundle.manifest import Manifest, Precision
from export.exporter import export_bundle
from export.options import CalibrationOptions, ExportOptions
from model.config import parse_config
from model.training.checkpoint import AVERAGED_NAME
from model.training.preparation import prepare
from model.training.trainer import Trainer

NUM_HELD_OUT = 200
NUM_TRAINING = 10_000
CONFIG = """\
name = "copy"

[data]
source_language = "en"
target_language = "de"
train = ["train.tsv"]
dev = "dev.tsv"
max_tokens = 64

[tokenizer]
kind = "bpe"
vocab_size = 400

[architecture]
d_model = 32
d_ff = 64
num_heads = 2
num_encoder_layers = 1
num_decoder_layers = 2
dropout = 0.0
max_positions = 64

[training]
seed = 1
batch_tokens = 1500
max_steps = 1000
learning_rate = 1e-2
schedule = "trapezoid"
warmup_steps = 100
label_smoothing = 0.0
average_decay = 0.98
validate_every = 1000
checkpoint_every = 1000
validation_sentences = 50
"""
_LEXICON = """
apple arrow autumn basket bell bird boat bread bridge candle castle cloud copper dance desk door
dream drum eagle earth echo evening feather field flame forest fountain garden glass green harbour
hill honey island ivory jacket journey kettle lantern leaf letter lemon maple meadow mirror moon
needle ocean orange paper pebble pencil quilt rain river rocket salt shadow silver spring stone
storm summer sun table thunder tower tree valley velvet water whisper willow window winter yellow
"""


def sentences(count: int, *, seed: int) -> list[str]:
    """Different sequences of words, numbers and punctuation; a seed gives the same ones."""
    return list(_distinct(count, random.Random(seed)))


def train_copy_model(folder: Path, text: str = CONFIG) -> Path:
    """Train in `folder`, which is a folder of data and of the run; returns the checkpoint."""
    torch.set_num_threads(1)
    texts = sentences(NUM_HELD_OUT + NUM_TRAINING, seed=1)
    _write(folder / "dev.tsv", texts[:NUM_HELD_OUT])
    _write(folder / "train.tsv", texts[NUM_HELD_OUT:])
    config = parse_config(text, where="copy")
    Trainer(config, text, prepare(config, folder, folder), folder).run()
    return folder / AVERAGED_NAME


def export_options(checkpoint: Path, out: Path, precision: Precision = "int8") -> ExportOptions:
    """How the copying model is exported."""
    return ExportOptions(
        checkpoint=checkpoint,
        out=out,
        data=checkpoint.parent,
        precision=precision,
        max_source_tokens=64,
        max_target_tokens=64,
        verification_sentences=100,
        calibration=CalibrationOptions(sentences=50),
    )


def export_copy_model(checkpoint: Path, out: Path, precision: Precision) -> Manifest:
    """Export and verify; returns the manifest."""
    return export_bundle(export_options(checkpoint, out, precision))


def _distinct(count: int, source: random.Random) -> Iterator[str]:
    seen: set[str] = set()
    while len(seen) < count:
        text = _sentence(source)
        if text not in seen:
            seen.add(text)
            yield text


def _sentence(source: random.Random) -> str:
    lexicon = _LEXICON.split()
    words = [source.choice(lexicon) for _ in range(source.randint(1, 10))]
    if source.random() < 0.3:
        words.insert(source.randint(0, len(words)), str(source.randint(0, 99)))
    if len(words) > 3 and source.random() < 0.5:
        words[1] += ","
    return " ".join(words) + source.choice(["", "", ".", "!", "?"])


def _write(path: Path, texts: Sequence[str]) -> None:
    path.write_text("".join(f"{text}\t{text}\tcopy\n" for text in texts), encoding="utf-8")
