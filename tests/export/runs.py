"""The folder of a run with random weights, as training writes it."""

import shutil
from pathlib import Path

from model.data.tokenizer import load_tokenizer
from model.training.checkpoint import AVERAGED_NAME, TOKENIZER_NAME, Progress, save_model
from model.training.lineage import Lineage
from model.transformer import Transformer
from tests.data.toy_language import sentence_pairs
from tests.export.networks import TOKENIZER, random_transformer

VOCAB_SIZE = load_tokenizer(TOKENIZER).vocab_size()
CONFIG = """\
name = "random"
[data]
source_language = "en"
target_language = "de"
train = ["train.tsv"]
dev = "dev.tsv"
sources = [{ name = "toy-language", licence = "Apache-2.0" }]
[training]
max_steps = 7
"""
BOTH_WAYS = (
    CONFIG.replace("[data]\n", "[data]\nboth_directions = true\n")
    + """\
[augmentation]
placeholders = 0.1
"""
)
"""Trained both ways, to copy placeholders."""


def write_run(
    folder: Path,
    model: Transformer | None = None,
    *,
    num_dev_pairs: int = 120,
    config: str = CONFIG,
    lineage: Lineage | None = None,
) -> Path:
    """Write checkpoint, tokenizer and development set; returns the checkpoint."""
    folder.mkdir()
    model = model or random_transformer(vocab_size=VOCAB_SIZE)
    save_model(
        folder / AVERAGED_NAME,
        model.architecture,
        dict(model.named_parameters()),
        Progress(step=7, target_tokens=1234, seconds=90),
        config_text=config,
        num_pairs={"toy-language": 99},
        lineage=lineage,
    )
    shutil.copyfile(TOKENIZER, folder / TOKENIZER_NAME)
    lines = [f"{source}\t{target}\n" for source, target in sentence_pairs(num_dev_pairs, seed=2)]
    (folder / "dev.tsv").write_text("".join(lines), encoding="utf-8")
    return folder / AVERAGED_NAME
