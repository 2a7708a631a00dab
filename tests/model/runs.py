"""Tiny training runs on a toy language: a second each."""

import functools
import itertools
import math
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor

from model.config import TokenizerConfig, parse_config
from model.data.corpus import SentencePair
from model.data.tokenizer import train_tokenizer
from model.training.checkpoint import LAST_NAME, TOKENIZER_NAME, read
from model.training.preparation import prepare
from model.training.trainer import Trainer
from tests.data.toy_language import sentence_pairs

NUM_PIECES = 420
VALIDATION_SENTENCES = 4


def config_text(**training: object) -> str:
    """The TOML of a run of 12 steps over two epochs, with other values under `[training]`."""
    values: dict[str, object] = {
        "seed": 1,
        "batch_tokens": 400,
        "max_steps": 12,
        "learning_rate": 5e-3,
        "warmup_steps": 4,
        "average_decay": 0.9,
        "validate_every": 3,
        "checkpoint_every": 2,
        "validation_sentences": VALIDATION_SENTENCES,
    } | training
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    return "\n".join(
        [
            'name = "tiny"',
            "[data]",
            'source_language = "en"',
            'target_language = "de"',
            'train = ["train.tsv"]',
            'dev = "dev.tsv"',
            "max_tokens = 64",
            "[tokenizer]",
            'kind = "bpe"',
            f"vocab_size = {NUM_PIECES}",
            "[architecture]",
            "d_model = 16",
            "d_ff = 32",
            "num_heads = 2",
            "num_encoder_layers = 1",
            "num_decoder_layers = 1",
            "dropout = 0.1",
            "max_positions = 64",
            "[training]",
            *lines,
        ]
    )


def write_data(folder: Path, *, num_pairs: int = 120) -> Path:
    """`train.tsv` and `dev.tsv` in `folder`, which is returned."""
    pairs = sentence_pairs(num_pairs + 20, seed=1)
    _write(folder / "dev.tsv", pairs[:20])
    _write(folder / "train.tsv", pairs[20:])
    return folder


def write_shift_task(folder: Path) -> Path:
    """The same, but one or two words, each of which becomes the next of ten in the target."""
    words = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu"]
    source = random.Random(1)
    numbers = [[source.randrange(10) for _ in range(source.randint(1, 2))] for _ in range(320)]
    pairs = [
        (" ".join(words[n] for n in row), " ".join(words[(n + 1) % 10] for n in row))
        for row in numbers
    ]
    # There are only 110 different ones: training must not be emptied by its development pairs.
    seen = set(pairs[:20])
    _write(folder / "dev.tsv", pairs[:20])
    _write(folder / "train.tsv", [pair for pair in pairs if pair not in seen])
    return folder


def shift_task_text() -> str:
    """The TOML of a run that learns the shift task both ways."""
    text = config_text(
        max_steps=200,
        validate_every=200,
        validation_sentences=20,
        optimizer="muon",
        learning_rate=1e-2,
        matrix_learning_rate=2e-2,
        label_smoothing=0.0,
    )
    text = text.replace("d_model = 16", "d_model = 32\nnorm_position = 'pre'")
    return both_ways(text.replace("dropout = 0.1", "dropout = 0.0"))


def _write(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    path.write_text("".join(f"{a}\t{b}\ttoy\n" for a, b in pairs), encoding="utf-8")


def both_ways(text: str) -> str:
    """The configuration of a run in both directions."""
    return text.replace("[data]", "[data]\nboth_directions = true")


def new_trainer(
    text: str,
    data: Path,
    out: Path,
    *,
    is_resumed: bool = False,
    start: Path | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Trainer:
    """What `pellucid train` makes of a configuration."""
    out.mkdir(exist_ok=True)
    config = parse_config(text, where="test")
    prepared = prepare(config, data, out, is_resumed=is_resumed, start=start)
    trainer = Trainer(config, text, prepared, out, clock=clock)
    if start:
        trainer.begin_from(start)
    return trainer


class InterruptionError(Exception):
    """What ends a run before its time."""


class _InterruptingTokenizer(SentencePieceProcessor):
    """Ends the run, or its whole process, in the second validation: at step 6."""

    is_killed = False
    num_decoded = 0

    def decode(self, input: list[int]) -> str:  # type: ignore[override]  # noqa: A002
        self.num_decoded += 1
        if self.num_decoded > VALIDATION_SENTENCES:
            if self.is_killed:
                os.kill(os.getpid(), signal.SIGKILL)
            raise InterruptionError
        return str(super().decode(input))


def interrupted_trainer(text: str, data: Path, out: Path, *, is_killed: bool = False) -> Trainer:
    """Like `new_trainer`; its run ends at step 6 by an error, or by SIGKILL."""
    out.mkdir(exist_ok=True)
    config = parse_config(text, where="test")
    prepared = prepare(config, data, out)
    tokenizer = _InterruptingTokenizer(model_file=str(out / TOKENIZER_NAME))
    tokenizer.is_killed = is_killed
    return Trainer(config, text, replace(prepared, tokenizer=tokenizer), out)


def spoil_gradients(trainer: Trainer, passes: Container[int], value: float = math.nan) -> None:
    """Make a gradient of the trainer's model `value` in these backward passes, counted from 1."""
    count = itertools.count(1)
    model = trainer._model

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        if next(count) not in passes:
            return gradient
        spoilt = gradient.clone()
        spoilt[0] = value
        return spoilt

    model.output_projection.bias.register_hook(spoil)


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    """Master weights and their average at the end of a run, by name."""
    optimizer = read(out / LAST_NAME)["optimizer"]
    return {
        f"{kind}.{name}": weight
        for kind in ("masters", "averages")
        for name, weight in optimizer[kind].items()
    }


@functools.cache
def toy_tokenizer() -> SentencePieceProcessor:
    """Trained on the toy language."""
    pairs = [SentencePair(*pair) for pair in sentence_pairs(200, seed=1)]
    config = TokenizerConfig(kind="bpe", vocab_size=NUM_PIECES)
    with tempfile.TemporaryDirectory() as folder:
        return train_tokenizer(pairs, config, Path(folder) / "source.spm", seed=1)
