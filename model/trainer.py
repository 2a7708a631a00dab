"""The training loop: batches in, checkpoints and a curve out; resumes where it was."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from tqdm import tqdm

from model import checkpoint
from model.alignment import CorpusLinks
from model.batching import Batch, EncodedCorpus, batch_links, batch_stream, make_batch
from model.checkpoint import Progress
from model.config import RunConfig, TrainingConfig, parse_config
from model.errors import CheckpointError
from model.loss import batch_loss, guided_losses
from model.optimizer import MasterOptimizer
from model.run_log import RunLog
from model.schedule import learning_rate_factor, used_budget, with_decay
from model.transformer import Transformer
from model.validation import ValidationScores, ValidationSet, mean_scores, validate

LOG_EVERY = 50
PER_MILLE = 1000

Bar: TypeAlias = "tqdm[NoReturn]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What a run trains and validates on."""

    corpus: EncodedCorpus
    validation: tuple[ValidationSet, ...]
    tokenizer: SentencePieceProcessor
    num_pairs: dict[str, int]
    """Training pairs by source."""
    links: CorpusLinks | None = None
    """Of the corpus, where a head is guided."""


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
        self._log = RunLog(out / checkpoint.LOG_NAME)

    def begin_from(self, path: Path) -> None:
        """Take the weights of another run's `averaged.pt` or `best.pt` instead of random ones.

        Raises:
            CheckpointError: It cannot be read, or its weights or vocabulary are others.
        """
        start = checkpoint.load_checkpoint(path)
        ours, theirs = self._out / checkpoint.TOKENIZER_NAME, start.tokenizer_path
        if not theirs.exists() or ours.read_bytes() != theirs.read_bytes():
            raise CheckpointError(f"{path} has another vocabulary than {ours}")
        self._optimizer.load_weights(start.model)

    def resume(self) -> None:
        """Continue from `last.pt`.

        Raises:
            CheckpointError: There is none, or it belongs to another configuration.
        """
        path = self._out / checkpoint.LAST_NAME
        content = checkpoint.read(path)
        text = str(content.get("config"))
        if not self._config.resumes(parse_config(text, where=str(path))):
            raise CheckpointError(
                f"{path} was made with another configuration: give the one in "
                f"{checkpoint.CONFIG_NAME} beside it, or start anew in another folder"
            )
        try:
            self._optimizer.load_state(content["optimizer"])
            torch.set_rng_state(content["random_state"])
            self._progress = Progress(**content["progress"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is no checkpoint to go on from: {error!r}") from error

    def decay_within(self, minutes: float) -> None:
        """End in `minutes` from now, the learning rate falling to zero until then."""
        begins = self._progress.seconds
        self._progress = replace(
            self._progress, decay_begins_s=begins, decay_ends_s=begins + 60 * minutes
        )

    def run(self) -> Progress:
        """Train until the budget is used; leaves `last.pt`, `best.pt` and `averaged.pt`."""
        self._log.forget_after(self._progress.step)
        stream = self._batches()
        begun = int(PER_MILLE * self._used())
        with tqdm(total=PER_MILLE, initial=begun, desc=self._config.name, bar_format=_BAR) as bar:
            while (used := self._used()) < 1:
                bar.n = int(PER_MILLE * used)
                self._advance(next(stream), bar)
            bar.n = PER_MILLE
            self._finish(bar)
        return self._progress

    def _batches(self) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
        return batch_stream(
            self._data.corpus,
            batch_tokens=self._config.training.batch_tokens,
            seed=self._config.training.seed,
            epoch=self._progress.epoch,
            position=self._progress.position,
        )

    def _advance(self, place: tuple[int, int, NDArray[np.int64]], bar: Bar) -> None:
        """Train on one batch; validate and save where it is time to."""
        epoch, position, indices = place
        self._progress = replace(self._progress, epoch=epoch, position=position + 1)
        self._train_on(self._batch(indices), bar)
        if self._progress.step % self._config.training.validate_every == 0:
            self._validate(bar)
        if self._progress.step % self._config.training.checkpoint_every == 0:
            self._save_last()

    @property
    def _settings(self) -> TrainingConfig:
        return with_decay(self._config.training, self._progress)

    def _used(self) -> float:
        progress = self._progress
        return used_budget(self._settings, progress.step, progress.seconds / 60)

    def _batch(self, indices: NDArray[np.int64]) -> Batch:
        ids, links = self._architecture, self._data.links
        batch = make_batch(self._data.corpus, indices, pad_id=ids.pad_id, bos_id=ids.bos_id)
        return replace(batch, links=batch_links([links.of(i) for i in indices])) if links else batch

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """What is added up to learn from, by its name in the log."""
        smoothing, alignment = self._settings.label_smoothing, self._config.alignment
        if alignment is None or batch.links is None:
            return {"loss": batch_loss(self._model, batch, label_smoothing=smoothing)}
        translation, aligned = guided_losses(
            self._model, batch, batch.links, label_smoothing=smoothing, head=alignment.head
        )
        return {"loss": translation, "alignment_loss": alignment.weight * aligned}

    def _train_on(self, batch: Batch, bar: Bar) -> None:
        settings, progress = self._settings, self._progress
        started = time.perf_counter()
        self._model.train()
        factor = learning_rate_factor(settings, progress.step, self._used())
        losses = self._losses(batch)
        sum(losses.values(), torch.zeros(())).backward()
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
            values = {name: value.item() for name, value in losses.items()}
            rates = {"learning_rate": factor, "gradient_norm": norm, "rate": rate}
            self._log.add(self._progress, values | rates)
            bar.set_postfix_str(_postfix(self._progress, values["loss"]))

    def _validate(self, bar: Bar) -> None:
        started = time.perf_counter()
        scores = self._score_average()
        mean = mean_scores(list(scores.values()))
        seconds = self._progress.seconds + time.perf_counter() - started
        is_best = mean.chrf > self._progress.best_chrf
        best = max(mean.chrf, self._progress.best_chrf)
        self._progress = replace(self._progress, seconds=seconds, best_chrf=best)
        self._log.add_scores(self._progress, scores)
        bar.write(_report(self._progress, scores))
        if is_best:
            self._save_average(checkpoint.BEST_NAME)

    def _score_average(self) -> dict[str, ValidationScores]:
        """Validate the averaged weights, in fp32 beside the model that trains."""
        model = Transformer(self._architecture)
        checkpoint.load_weights(model, self._optimizer.averages)
        model.eval()
        longest = self._config.data.max_tokens
        return {
            each.name: validate(model, self._data.tokenizer, each.pairs, max_tokens=longest)
            for each in self._data.validation
        }

    def _finish(self, bar: Bar) -> None:
        if self._progress.step % self._config.training.validate_every:
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


_BAR = "{desc} {percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {postfix}"


def _postfix(progress: Progress, loss: float) -> str:
    rate = progress.target_tokens / max(progress.seconds, 1e-9)
    return f"step {progress.step} loss {loss:.3f} {rate:.0f} tok/s"


def _report(progress: Progress, scores: dict[str, ValidationScores]) -> str:
    lines = [f"step {progress.step}, {progress.seconds / 60:.1f} min"]
    for name, each in scores.items():
        lines.append(f"{name}: loss {each.loss:.3f}, BLEU {each.bleu:.1f}, chrF {each.chrf:.1f}")
        lines += [f"  {source}\n  -> {text}\n  =  {ref}" for source, text, ref in each.samples]
    return "\n".join(lines)
