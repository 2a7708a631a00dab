"""The training loop: batches in, checkpoints and a curve out; resumes where it was."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from tqdm import tqdm

from model import checkpoint
from model.architecture import Architecture
from model.batching import Batch, EncodedCorpus, batch_stream, make_batch
from model.checkpoint import Progress
from model.config import RunConfig
from model.corpus import SentencePair
from model.errors import CheckpointError
from model.loss import batch_loss
from model.optimizer import MasterOptimizer
from model.schedule import learning_rate_factor, used_budget
from model.transformer import Transformer
from model.validation import ValidationScores, validate

LOG_EVERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What a run trains and validates on."""

    corpus: EncodedCorpus
    dev: tuple[SentencePair, ...]
    tokenizer: SentencePieceProcessor
    num_pairs: dict[str, int]
    """Training pairs by source."""


class Trainer:
    """One run; its folder holds everything that is needed to go on with it."""

    def __init__(self, config: RunConfig, config_text: str, data: TrainingData, out: Path) -> None:
        self._config, self._config_text = config, config_text
        self._data, self._out = data, out
        torch.manual_seed(config.training.seed)
        self._architecture = config.architecture.with_vocabulary(data.tokenizer.vocab_size())
        is_bf16 = config.training.precision == "bf16"
        self._model = Transformer(self._architecture)
        self._optimizer = MasterOptimizer(self._model, config.training)
        # Masters are taken before the cast: the weights begin with all their bits.
        self._model.to(torch.bfloat16 if is_bf16 else torch.float32)
        self._progress = Progress()

    def resume(self) -> None:
        """Continue from `last.pt`.

        Raises:
            CheckpointError: There is none, or it belongs to another configuration.
        """
        path = self._out / checkpoint.LAST_NAME
        content = checkpoint.read(path)
        if content["config"] != self._config_text:
            raise CheckpointError(
                f"{path} was made with another configuration: give the one in "
                f"{checkpoint.CONFIG_NAME} beside it, or start anew in another folder"
            )
        self._optimizer.load_state(content["optimizer"])
        torch.set_rng_state(content["random_state"])
        self._progress = Progress(**content["progress"])

    def run(self) -> Progress:
        """Train until the budget is used; leaves `last.pt`, `best.pt` and `averaged.pt`."""
        settings = self._config.training
        stream = batch_stream(
            self._data.corpus,
            batch_tokens=settings.batch_tokens,
            seed=settings.seed,
            epoch=self._progress.epoch,
            position=self._progress.position,
        )
        bar = tqdm(total=1000, desc=self._config.name, bar_format=_BAR)
        while (used := self._used()) < 1:
            bar.n = int(1000 * used)
            epoch, position, indices = next(stream)
            self._progress = replace(self._progress, epoch=epoch, position=position + 1)
            self._train_on(self._batch(indices), bar)
            if self._progress.step % settings.validate_every == 0:
                self._validate(bar)
            if self._progress.step % settings.checkpoint_every == 0:
                self._save_last()
        bar.close()
        self._finish()
        return self._progress

    def _used(self) -> float:
        progress = self._progress
        return used_budget(self._config.training, progress.step, progress.seconds / 60)

    def _batch(self, indices: NDArray[np.int64]) -> Batch:
        ids = self._architecture
        return make_batch(self._data.corpus, indices, pad_id=ids.pad_id, bos_id=ids.bos_id)

    def _train_on(self, batch: Batch, bar: "tqdm[None]") -> None:
        settings, progress = self._config.training, self._progress
        started = time.perf_counter()
        self._model.train()
        factor = learning_rate_factor(settings, progress.step, self._used())
        loss = batch_loss(self._model, batch, label_smoothing=settings.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = self._optimizer.step(factor, progress.step)
        seconds = time.perf_counter() - started
        self._progress = replace(
            progress,
            step=progress.step + 1,
            target_tokens=progress.target_tokens + batch.num_target_tokens,
            seconds=progress.seconds + seconds,
        )
        if self._progress.step % LOG_EVERY == 0:
            rate = batch.num_target_tokens / seconds
            self._log(loss=loss.item(), learning_rate=factor, gradient_norm=norm, rate=rate)
            bar.set_postfix_str(_postfix(self._progress, loss.item()))

    def _validate(self, bar: "tqdm[None]") -> None:
        started = time.perf_counter()
        scores = self._score_average()
        seconds = self._progress.seconds + time.perf_counter() - started
        is_best = scores.chrf > self._progress.best_chrf
        best = max(scores.chrf, self._progress.best_chrf)
        self._progress = replace(self._progress, seconds=seconds, best_chrf=best)
        self._log(dev_loss=scores.loss, bleu=scores.bleu, chrf=scores.chrf)
        bar.write(_report(self._progress, scores))
        if is_best:
            self._save_average(checkpoint.BEST_NAME)

    def _score_average(self) -> ValidationScores:
        """Validate the averaged weights, in fp32 beside the model that trains."""
        model = Transformer(self._architecture)
        checkpoint.load_weights(model, self._optimizer.averages)
        return validate(
            model.eval(),
            self._data.tokenizer,
            self._data.dev,
            max_tokens=self._config.data.max_tokens,
        )

    def _finish(self) -> None:
        with tqdm(disable=True) as bar:
            self._validate(bar)
        self._save_average(checkpoint.AVERAGED_NAME)
        self._save_last()

    def _save_average(self, name: str) -> None:
        checkpoint.save_model(
            self._out / name,
            self._architecture,
            self._optimizer.averages,
            self._progress,
            config_text=self._config_text,
            num_pairs=self._data.num_pairs,
        )

    def _save_last(self) -> None:
        content = {
            "config": self._config_text,
            "optimizer": self._optimizer.state(),
            "random_state": torch.get_rng_state(),
            "progress": asdict(self._progress),
        }
        checkpoint.write_atomically(self._out / checkpoint.LAST_NAME, content)

    def _log(self, **values: float) -> None:
        progress = self._progress
        row = {
            "step": progress.step,
            "target_tokens": progress.target_tokens,
            "minutes": round(progress.seconds / 60, 3),
            **{name: round(value, 5) for name, value in values.items()},
        }
        with (self._out / checkpoint.LOG_NAME).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


_BAR = "{desc} {percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {postfix}"


def _postfix(progress: Progress, loss: float) -> str:
    rate = progress.target_tokens / max(progress.seconds, 1e-9)
    return f"step {progress.step} loss {loss:.3f} {rate:.0f} tok/s"


def _report(progress: Progress, scores: ValidationScores) -> str:
    lines = [
        f"step {progress.step}, {progress.seconds / 60:.1f} min: dev loss {scores.loss:.3f}, "
        f"BLEU {scores.bleu:.1f}, chrF {scores.chrf:.1f}"
    ]
    lines += [f"  {source}\n  -> {text}\n  =  {ref}" for source, text, ref in scores.samples]
    return "\n".join(lines)
