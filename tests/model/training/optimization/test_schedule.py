import pytest

from model.config import TrainingConfig
from model.training.checkpoint import Progress
from model.training.optimization.schedule import learning_rate_factor, used_budget, with_decay

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


@pytest.mark.parametrize("config", [PAPER, TRAPEZOID])
def test_a_decay_that_is_asked_for_falls_to_zero_and_ends_the_run(config: TrainingConfig) -> None:
    progress = Progress(step=5000, seconds=600.0, decay_begins_s=600.0, decay_ends_s=1200.0)
    settled = with_decay(config, progress)
    shares = [used_budget(settled, 5000, minutes) for minutes in (10, 15, 20)]
    assert shares == [0.5, 0.75, 1.0]
    rates = [learning_rate_factor(settled, 5000, share) for share in shares]
    assert rates == pytest.approx([1.0, 0.5, 0.0])


def test_without_a_requested_decay_the_budget_stays_as_configured() -> None:
    assert with_decay(PAPER, Progress(step=7, seconds=99.0)) is PAPER
