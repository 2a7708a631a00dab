"""The losses of an idea's run, and the table of all of them."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

Losses = dict[str, dict[str, float]]
"""By set and direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An idea's run and its losses on held-out text."""

    name: str
    baseline: str
    steps: int
    target_tokens: int
    cpu_minutes: float
    """Of the updates alone."""
    per_token: Losses
    """Nats per target token."""
    per_character: Losses
    """Nats per target character, which compares across vocabularies."""


def read_outcome(path: Path) -> Outcome:
    """Read what `json.dumps(asdict(outcome))` has written; other keys are ignored."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Outcome(**{name: content[name] for name in Outcome.__slots__})


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines of a Markdown table: losses per target token, and the change against the baseline.

    The change is that of nats per character, which compares across vocabularies: its mean over sets
    and directions, and the standard error of that mean.
    """
    by_name = {outcome.name: outcome for outcome in outcomes}
    sets = list(outcomes[0].per_token)
    head = ["idea", "tokens", "minutes", *sets, "mean", "against baseline"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for outcome in outcomes:
        row = [
            outcome.name,
            f"{outcome.target_tokens / 1e6:.2f}M",
            f"{outcome.cpu_minutes:.1f}",
            *(f"{fmean(outcome.per_token[name].values()):.3f}" for name in sets),
            f"{mean_loss(outcome.per_token):.3f}",
            _difference(outcome, by_name.get(outcome.baseline)),
        ]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def mean_loss(found: Losses) -> float:
    """Mean over sets and directions."""
    return fmean(loss for directions in found.values() for loss in directions.values())


def _difference(outcome: Outcome, baseline: Outcome | None) -> str:
    if baseline is None or baseline is outcome:
        return ""
    changes = [
        100 * (loss / baseline.per_character[name][direction] - 1)
        for name, directions in outcome.per_character.items()
        for direction, loss in directions.items()
    ]
    error = stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else math.nan
    return f"{fmean(changes):+.2f} % ± {error:.2f}"
