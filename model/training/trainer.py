"""The training loop: batches in, checkpoints and a curve out; interrupted runs resume."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import RunConfig, TrainingConfig, parse_recorded_config
from model.data.batching import Batch, batch_stream, make_batch
from model.errors import CheckpointError, DivergenceError
from model.training import checkpoint
from model.training.averaging.recent_weights import RecentWeights
from model.training.checkpoint import Progress, lineage_of_run
from model.training.lineage import RANDOM, Lineage, read_lineage
from model.training.monitoring.progress_bar import ProgressBar
from model.training.monitoring.run_log import RunLog
from model.training.optimization.loss import batch_loss
from model.training.optimization.optimizer import MasterOptimizer
from model.training.optimization.schedule import learning_rate_factor, used_budget, with_decay
from model.training.processes import Processes
from model.training.training_data import TrainingData
from model.training.validation import ValidationScores, mean_scores, validate
from model.transformer import Transformer

SINGLE_PROCESS = Processes()
SEED_STEP = 1_000_003
MAX_SKIPPED_IN_ROW = 5
"""Updates skipped in a row that end a run: by then it is the weights, not a single batch."""
PlacedBatch = tuple[int, int, NDArray[np.int64]]
"""Epoch, position of the batch in it, and indices of its pairs."""


class Trainer:
    """One run, which resumes from its folder.

    With several processes each has a trainer, and all of them make the same updates.
    """

    def __init__(
        self,
        config: RunConfig,
        config_text: str,
        data: TrainingData,
        out: Path,
        *,
        processes: Processes = SINGLE_PROCESS,
        has_board: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare a run with random weights.

        `clock` counts the budget's seconds: `time.process_time` makes it one of CPU time.

        Raises:
            ConfigError: The batches of an update do not divide evenly among the processes.
        """
        self._config, self._config_text = config, config_text
        self._data, self._out = data, out
        self._processes, self._clock = processes, clock
        processes.check_shares(config.training.batches_per_update)
        torch.manual_seed(config.training.seed)
        self._architecture = config.architecture.with_vocabulary(data.tokenizer.vocab_size())
        is_bf16 = config.training.precision == "bf16"
        self._model = Transformer(self._architecture).to(processes.device)
        self._optimizer = MasterOptimizer(self._model, config.training)
        # The masters were copied before this cast, in full precision.
        self._model.to(torch.bfloat16 if is_bf16 else torch.float32)
        if not processes.is_first:  # processes share initial weights, but not dropout
            torch.manual_seed(config.training.seed + processes.rank * SEED_STEP)
        self._progress = Progress()
        self._began_from: Lineage | None = RANDOM
        self._recent = RecentWeights(
            out / checkpoint.RECENT_NAME, config.training.average_checkpoints
        )
        board = out / checkpoint.BOARD_NAME if has_board else None
        self._log = RunLog(out / checkpoint.LOG_NAME, board)

    def begin_from(self, path: Path) -> None:
        """Replace the random weights by those of another run's `averaged.pt` or `best.pt`.

        Raises:
            CheckpointError: It cannot be read, or its architecture or vocabulary differs.
        """
        start = checkpoint.load_checkpoint(path)
        checkpoint.check_vocabulary(path, self._out / checkpoint.TOKENIZER_NAME)
        self._optimizer.load_weights(start.model)
        self._began_from = start.lineage

    def resume(self) -> None:
        """Continue from `last.pt`.

        Raises:
            CheckpointError: It is missing, or belongs to another configuration.
        """
        path = self._out / checkpoint.LAST_NAME
        content = checkpoint.read(path)
        text = str(content.get("config"))
        if not self._config.resumes(parse_recorded_config(text, where=str(path))):
            raise CheckpointError(
                f"{path} was made with another configuration: give the one in "
                f"{checkpoint.CONFIG_NAME} beside it, or start anew in another folder"
            )
        try:
            self._optimizer.load_state(content["optimizer"])
            self._processes.set_random_state(content["random_state"])
            self._progress = Progress(**content["progress"])
            began_from = content.get("began_from")  # earlier versions did not record it
            self._began_from = None if began_from is None else read_lineage(began_from)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be resumed from: {error!r}") from error

    def decay_within(self, minutes: float) -> None:
        """Let the learning rate fall to zero within `minutes` from now, and end then."""
        begins = self._progress.seconds
        self._progress = replace(
            self._progress, decay_begins_s=begins, decay_ends_s=begins + 60 * minutes
        )

    def run(self) -> Progress:
        """Train until the budget is used; leaves `last.pt`, `best.pt` and `averaged.pt`.

        Raises:
            DivergenceError: Too many updates in a row had gradients that are not finite.
        """
        is_first = self._processes.is_first
        if is_first:
            self._log.begin_after(self._progress.step)
            self._recent.discard_after(self._progress.step)
        stream = self._batches()
        with ProgressBar(self._config.name, used=self._used(), is_shown=is_first) as bar:
            while not self._is_over():
                bar.advance(self._used())
                self._advance(list(islice(stream, self._settings.batches_per_update)), bar)
            bar.advance(1.0)
            self._finish(bar)
        self._log.close()
        return self._progress

    def _batches(self) -> Iterator[PlacedBatch]:
        return batch_stream(
            self._data.corpus,
            batch_tokens=self._config.training.batch_tokens,
            seed=self._config.training.seed,
            epoch=self._progress.epoch,
            position=self._progress.position,
        )

    def _advance(self, places: Sequence[PlacedBatch], bar: ProgressBar) -> None:
        """Make one update; validate and save when due."""
        epoch, position, _ = places[-1]
        self._progress = replace(self._progress, epoch=epoch, position=position + 1)
        self._update([indices for _, _, indices in places], bar)
        if self._progress.step % self._config.training.validate_every == 0:
            self._validate(bar)
        self._synchronise()
        if self._progress.step % self._config.training.checkpoint_every == 0:
            self._save_last()

    def _synchronise(self) -> None:
        """Take clock and scores from the first process; all else is equal in each."""
        progress = self._progress
        seconds, best_chrf, num_stale = self._processes.broadcast(
            [progress.seconds, progress.best_chrf, progress.num_stale]
        )
        self._progress = replace(
            progress, seconds=seconds, best_chrf=best_chrf, num_stale=int(num_stale)
        )

    @property
    def _settings(self) -> TrainingConfig:
        return with_decay(self._config.training, self._progress)

    def _used(self) -> float:
        progress = self._progress
        return used_budget(self._settings, progress.step, progress.seconds / 60)

    def _is_over(self) -> bool:
        """Whether the budget is used or patience has run out; patience never cuts a decay short."""
        patience, is_decaying = self._settings.patience, self._progress.decay_ends_s is not None
        is_stale = patience is not None and self._progress.num_stale >= patience
        return self._used() >= 1 or (is_stale and not is_decaying)

    def _batch(self, indices: NDArray[np.int64]) -> Batch:
        ids = self._architecture
        batch = make_batch(self._data.corpus, indices, pad_id=ids.pad_id, bos_id=ids.bos_id)
        return batch.to(self._processes.device)

    def _update(self, batches: Sequence[NDArray[np.int64]], bar: ProgressBar) -> None:
        settings, progress = self._settings, self._progress
        started = self._clock()
        self._model.train()
        factor = learning_rate_factor(settings, progress.step, self._used())
        num_tokens = sum(map(self._data.corpus.num_target_tokens, batches))
        loss = self._collect_gradients(batches, num_tokens)
        # Gradients are summed over all processes: each of them skips the same updates.
        norm = self._optimizer.step(factor, progress.step)
        is_skipped = not math.isfinite(norm)
        seconds = self._clock() - started
        self._progress = replace(
            progress,
            step=progress.step + 1,
            num_skipped=progress.num_skipped + is_skipped,
            num_skipped_in_row=progress.num_skipped_in_row + 1 if is_skipped else 0,
            target_tokens=progress.target_tokens + num_tokens,
            seconds=progress.seconds + seconds,
        )
        if is_skipped or self._progress.step % settings.log_every == 0:
            rates = {"learning_rate": factor, "gradient_norm": norm, "rate": num_tokens / seconds}
            self._log_update({"loss": loss.item()} | rates, bar)
        self._check_finite()

    def _log_update(self, values: dict[str, float], bar: ProgressBar) -> None:
        if self._processes.is_first:
            num_skipped = self._progress.num_skipped
            skipped = {"skipped_updates": float(num_skipped)} if num_skipped else {}
            self._log.add(self._progress, values | skipped)
            bar.show_pace(self._progress, values["loss"])

    def _check_finite(self) -> None:
        """Check that the run can still recover.

        Raises:
            DivergenceError: Too many updates in a row had gradients that are not finite.
        """
        num_skipped = self._progress.num_skipped_in_row
        if num_skipped >= MAX_SKIPPED_IN_ROW:
            raise DivergenceError(
                f"{num_skipped} updates in a row, up to step {self._progress.step}, had gradients "
                "that are not finite and were skipped: start anew with a lower "
                "training.learning_rate, a longer training.warmup_steps or "
                f'training.precision = "fp32"; the checkpoints in {self._out} are left as they were'
            )

    def _collect_gradients(self, batches: Sequence[NDArray[np.int64]], num_tokens: int) -> Tensor:
        """Let the optimizer collect the gradients of an update; returns its loss.

        Every target token has the same weight, regardless of its batch and process.
        """
        total = torch.zeros((), device=self._processes.device)
        gradients: list[Tensor] = []
        for indices in self._processes.share(batches):
            batch = self._batch(indices)
            loss = batch_loss(self._model, batch, label_smoothing=self._settings.label_smoothing)
            loss = loss * batch.num_target_tokens / num_tokens
            loss.backward()
            total += loss.detach()
            gradients = self._optimizer.collect()
        self._processes.all_reduce([*gradients, total])
        return total

    def _validate(self, bar: ProgressBar) -> None:
        """Score the averaged weights, in the first process; the others wait in `_synchronise`."""
        self._progress = replace(self._progress, validated_step=self._progress.step)
        if not self._processes.is_first:
            return
        started = self._clock()
        scores = self._scores(self._optimizer.averages)
        progress = self._progress
        chrf = mean_scores(list(scores.values())).chrf
        is_best = chrf > progress.best_chrf
        self._progress = replace(
            progress,
            seconds=progress.seconds + self._clock() - started,
            best_chrf=max(chrf, progress.best_chrf),
            num_stale=0 if is_best else progress.num_stale + 1,
        )
        self._log.add_scores(self._progress, scores)
        bar.show_scores(self._progress, scores)
        self._recent.add(self._progress.step, self._optimizer.averages)
        if is_best:
            self._save_model(checkpoint.BEST_NAME, self._optimizer.averages)

    def _scores(self, weights: dict[str, Tensor]) -> dict[str, ValidationScores]:
        """Validate `weights` in fp32, in a second model."""
        model = Transformer(self._architecture).to(self._processes.device)
        checkpoint.load_weights(model, weights)
        model.eval()
        longest = self._config.data.max_tokens
        return {
            each.name: validate(model, self._data.tokenizer, each.pairs, max_tokens=longest)
            for each in self._data.validation
        }

    def _finish(self, bar: ProgressBar) -> None:
        if self._progress.validated_step != self._progress.step:
            self._validate(bar)
            self._synchronise()
        if self._processes.is_first:
            mean = self._recent.mean()
            if mean is not None:
                bar.show_scores(self._progress, self._scores(mean))
            self._save_model(checkpoint.AVERAGED_NAME, mean or self._optimizer.averages)
        self._save_last()

    def _save_model(self, name: str, weights: dict[str, Tensor]) -> None:
        checkpoint.save_model(
            self._out / name,
            self._architecture,
            weights,
            self._progress,
            config_text=self._config_text,
            num_pairs=self._data.num_pairs,
            lineage=lineage_of_run(self._config, self._progress, began_from=self._began_from),
        )

    def _save_last(self) -> None:
        random_state = self._processes.random_states()
        if self._processes.is_first:
            content = {
                "config": self._config_text,
                "optimizer": self._optimizer.state(),
                "random_state": random_state,
                "progress": asdict(self._progress),
                "began_from": None if self._began_from is None else self._began_from.as_dict(),
            }
            checkpoint.write_atomically(self._out / checkpoint.LAST_NAME, content)
