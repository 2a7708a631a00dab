"""The curve of a run as JSON lines, and optionally for TensorBoard."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from model.training.checkpoint import Progress
from model.training.monitoring.tensorboard import Board
from model.training.validation import ValidationScores, mean_scores


class RunLog:
    """Appends rows of values to a file."""

    def __init__(self, path: Path, board: Path | None = None) -> None:
        """Write to `path`, and to TensorBoard's files in `board` if that is given."""
        self._path, self._board_folder = path, board
        self._board: Board | None = None

    def close(self) -> None:
        """Flush TensorBoard's files."""
        if self._board is not None:
            self._board.close()

    def begin_after(self, step: int) -> None:
        """Drop rows after `step`: a killed run has logged steps that it now repeats."""
        if self._path.exists():
            rows = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if _step_of(row) <= step]
            self._path.write_text("".join(kept), encoding="utf-8")
        if self._board_folder is not None:
            self._board = Board(self._board_folder, step=step)

    def add(self, progress: Progress, values: Mapping[str, float]) -> None:
        """Add a row of `values` at `progress`; JSON writes those that are not finite as null."""
        row = {
            "step": progress.step,
            "target_tokens": progress.target_tokens,
            "minutes": round(progress.seconds / 60, 3),
            **{n: round(v, 5) if math.isfinite(v) else None for n, v in values.items()},
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._board is not None:
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            self._board.add(progress.step, finite)

    def add_scores(self, progress: Progress, scores: Mapping[str, ValidationScores]) -> None:
        """Add a row of the mean scores, and of each set's if there are several."""
        mean = mean_scores(list(scores.values()))
        values = {"dev_loss": mean.loss, "bleu": mean.bleu, "chrf": mean.chrf}
        if len(scores) > 1:
            for name, each in scores.items():
                values |= {f"{name} bleu": each.bleu, f"{name} chrf": each.chrf}
        self.add(progress, values)


def _step_of(row: str) -> float:
    """Step of a row; infinite for a truncated row."""
    try:
        return float(json.loads(row)["step"])
    except ValueError:
        return math.inf
