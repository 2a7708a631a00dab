import pytest

from model.config import TrainingConfig
from model.schedule import learning_rate_factor, used_budget

PAPER = TrainingConfig(max_steps=1000, warmup_steps=100)
TRAPEZOID = TrainingConfig(max_steps=1000, schedule="trapezoid", warmup_steps=100, decay_start=0.2)


def factors(config: TrainingConfig) -> list[float]:
    return [learning_rate_factor(config, step, step / 1000) for step in range(1001)]


@pytest.mark.parametrize("config", [PAPER, TRAPEZOID])
def test_warm_up_is_linear_to_the_peak(config: TrainingConfig) -> None:
    rates = factors(config)
    assert rates[:100] == pytest.approx([(step + 1) / 100 for step in range(100)])
    assert max(rates) == rates[99] == pytest.approx(1.0)


def test_after_warm_up_the_rate_falls_with_the_inverse_square_root() -> None:
    rates = factors(PAPER)
    assert rates[399] == pytest.approx(0.5)
    assert rates[899] == pytest.approx(1 / 3)


def test_the_trapezoid_is_flat_and_then_falls_to_zero() -> None:
    rates = factors(TRAPEZOID)
    assert rates[99:201] == pytest.approx([1.0] * 102)
    assert rates[600] == pytest.approx(0.5)
    assert rates[1000] == pytest.approx(0.0)


def test_a_step_over_the_budget_has_no_negative_rate() -> None:
    assert learning_rate_factor(TRAPEZOID, 2000, 1.0) == 0.0


@pytest.mark.parametrize(
    ("steps", "minutes", "used"),
    [(0, 0.0, 0.0), (250, 0.0, 0.25), (100, 5.0, 0.5), (900, 5.0, 0.9), (2000, 50.0, 1.0)],
)
def test_the_budget_is_used_by_whichever_bound_is_nearer(
    steps: int, minutes: float, used: float
) -> None:
    config = TrainingConfig(max_steps=1000, max_minutes=10.0)
    assert used_budget(config, steps, minutes) == pytest.approx(used)


def test_steps_alone_do_not_look_at_the_clock() -> None:
    assert used_budget(PAPER, 10, 1e9) == pytest.approx(0.01)
