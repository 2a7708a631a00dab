"""Learning-rate schedules, as a factor of the peak rate."""

from model.config import TrainingConfig
from model.training.checkpoint import Progress


def learning_rate_factor(config: TrainingConfig, step: int, progress: float) -> float:
    """Factor of the peak learning rate.

    Args:
        config: Kind of schedule, warm-up and start of the decay.
        step: Updates made, from 0.
        progress: Share of the run's budget that is used, 0 to 1.
    """
    warmup = min(1.0, (step + 1) / config.warmup_steps)
    if config.schedule == "inverse_sqrt":
        return warmup * (max(step + 1, config.warmup_steps) / config.warmup_steps) ** -0.5
    falling = (1.0 - progress) / (1.0 - config.decay_start)
    return warmup * max(0.0, min(1.0, falling))


def used_budget(config: TrainingConfig, step: int, minutes: float) -> float:
    """Share of the budget that is used, by the bound that is nearer, at most 1."""
    by_steps = step / config.max_steps if config.max_steps else 0.0
    by_time = minutes / config.max_minutes if config.max_minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def with_decay(config: TrainingConfig, progress: Progress) -> TrainingConfig:
    """`config`, or the trapezoid of a decay that was requested with `--decay-minutes`."""
    if progress.decay_begins_s is None or progress.decay_ends_s is None:
        return config
    changes = {
        "schedule": "trapezoid",
        "max_steps": None,
        "max_minutes": progress.decay_ends_s / 60,
        "decay_start": progress.decay_begins_s / progress.decay_ends_s,
    }
    return config.model_copy(update=changes)
