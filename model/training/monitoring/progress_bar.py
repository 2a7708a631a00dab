"""Terminal output of a run: a progress bar, and scores and samples after each validation."""

import math
from collections.abc import Mapping
from typing import NoReturn

from tqdm import tqdm

from model.training.checkpoint import Progress
from model.training.validation import ValidationScores

PER_MILLE = 1000
_FORMAT = "{desc} {percentage:5.1f}% |{bar:20}| {elapsed}<{remaining} {postfix}"


class ProgressBar:
    """Progress in the budget rather than in steps, so that the estimate holds for minutes too."""

    def __init__(self, name: str, *, used: float, is_shown: bool) -> None:
        """Show `name` and the share of the budget that earlier sessions used."""
        self._bar: tqdm[NoReturn] = tqdm(
            total=PER_MILLE,
            initial=int(PER_MILLE * used),
            desc=name,
            bar_format=_FORMAT,
            disable=not is_shown,
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def advance(self, used: float) -> None:
        """Show the share of the budget that is used."""
        self._bar.n = int(PER_MILLE * used)

    def show_pace(self, progress: Progress, loss: float) -> None:
        """Show `loss`, which is per target token in nats, its perplexity and tokens per second."""
        rate = progress.target_tokens / max(progress.seconds, 1e-9)
        self._bar.set_postfix_str(
            f"step {progress.step} loss {loss:.3f} ppl {perplexity(loss):.1f} {rate:.0f} tok/s"
        )

    def show_scores(self, progress: Progress, scores: Mapping[str, ValidationScores]) -> None:
        """Write scores and a few translations above the bar."""
        self._bar.write(describe(progress, scores))


def describe(progress: Progress, scores: Mapping[str, ValidationScores]) -> str:
    """Scores of every set, with their translations of a few sentences."""
    lines = [f"step {progress.step}, {progress.seconds / 60:.1f} min"]
    for name, each in scores.items():
        lines.append(
            f"{name}: loss {each.loss:.3f}, perplexity {perplexity(each.loss):.2f}, "
            f"BLEU {each.bleu:.1f}, chrF {each.chrf:.1f}"
        )
        lines += [f"  {source}\n  -> {text}\n  =  {ref}" for source, text, ref in each.samples]
    return "\n".join(lines)


def perplexity(loss: float) -> float:
    """Perplexity of a loss per token in nats; infinite where a float overflows."""
    return math.exp(loss) if loss < 700 else math.inf
