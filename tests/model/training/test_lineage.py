"""Which stages of training a checkpoint tells of."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.errors import CheckpointError
from model.training.averaging.mean import average_checkpoints
from model.training.checkpoint import (
    AVERAGED_NAME,
    BEST_NAME,
    LAST_NAME,
    load_checkpoint,
    read,
    write_atomically,
)
from model.training.lineage import RANDOM, Lineage, Stage, merged, read_lineage
from tests.model.runs import config_text, new_trainer, write_data

FIRST = Stage(name="first", seed=1, steps=10, target_tokens=1000, minutes=2.5, began_from=())
SECOND = replace(FIRST, name="second", steps=4, began_from=("first",))
THIRD = replace(FIRST, name="third", steps=7, began_from=("first",))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def text(name: str, **training: object) -> str:
    return config_text(max_steps=3, **training).replace('"tiny"', f'"{name}"')


def trained(data: Path, out: Path, start: Path | None = None) -> Path:
    """The averaged checkpoint of a run with the name of its folder."""
    new_trainer(text(out.name), data, out, start=start).run()
    return out / AVERAGED_NAME


def names(lineage: Lineage) -> list[tuple[str, tuple[str, ...] | None]]:
    return [(stage.name, stage.began_from) for stage in lineage.stages]


def test_a_chain_of_runs_and_means_is_told_from_its_beginning(data: Path, tmp_path: Path) -> None:
    first = trained(data, tmp_path / "first")
    second = trained(data, tmp_path / "second", first)
    third = trained(data, tmp_path / "third", second)
    mean = average_checkpoints([second, third], tmp_path / "mean")
    served = load_checkpoint(trained(data, tmp_path / "served", mean))
    assert names(served.lineage) == [
        ("first", ()),
        ("second", ("first",)),
        ("third", ("second",)),
        ("served", ("second", "third")),
    ]
    assert served.lineage.mean_of == ("served",)
    assert load_checkpoint(mean).lineage.mean_of == ("second", "third")
    progress = [load_checkpoint(path).progress for path in (first, second, third)]
    progress.append(served.progress)
    assert served.lineage.steps == sum(each.step for each in progress) == 4 * 3
    assert served.lineage.target_tokens == sum(each.target_tokens for each in progress)
    for stage, each in zip(served.lineage.stages, progress, strict=True):
        assert stage.minutes == round(each.seconds / 60, 1)
        assert stage.seed == 1


def test_a_run_that_is_resumed_remembers_how_it_began(data: Path, tmp_path: Path) -> None:
    first, out = trained(data, tmp_path / "first"), tmp_path / "second"
    new_trainer(text("second"), data, out, start=first).run()
    longer = text("second").replace("max_steps = 3", "max_steps = 6")
    resumed = new_trainer(longer, data, out, is_resumed=True)
    resumed.resume()
    resumed.run()
    for name in (BEST_NAME, AVERAGED_NAME):
        checkpoint = load_checkpoint(out / name)
        assert names(checkpoint.lineage) == [("first", ()), ("second", ("first",))]
        assert checkpoint.lineage.stages[-1].steps == checkpoint.progress.step
    assert load_checkpoint(out / AVERAGED_NAME).lineage.steps == 3 + 6


def test_checkpoints_of_earlier_versions_know_their_own_stage_only(
    data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "old"
    for path, key in ((trained(data, out), "lineage"), (out / LAST_NAME, "began_from")):
        content = read(path)
        del content[key]
        for progress_key in ("num_skipped", "num_skipped_in_row"):
            del content["progress"][progress_key]
        write_atomically(path, content)
    old = load_checkpoint(out / AVERAGED_NAME)
    assert names(old.lineage) == [("old", None)]
    assert old.lineage.steps == 3
    resumed = new_trainer(
        text("old").replace("max_steps = 3", "max_steps = 6"), data, out, is_resumed=True
    )
    resumed.resume()
    resumed.run()
    assert names(load_checkpoint(out / AVERAGED_NAME).lineage) == [("old", None)]
    assert load_checkpoint(out / AVERAGED_NAME).lineage.steps == 6


def test_a_mean_has_every_stage_once_and_as_far_as_any_went() -> None:
    one = RANDOM.followed_by(FIRST).followed_by(replace(SECOND, steps=2))
    other = RANDOM.followed_by(replace(FIRST, steps=12)).followed_by(SECOND)
    third = RANDOM.followed_by(FIRST).followed_by(THIRD)
    assert merged([one, other, third]) == Lineage(
        stages=(replace(FIRST, steps=12), SECOND, THIRD), mean_of=("second", "third")
    )


def test_runs_that_differ_in_their_seed_or_beginning_are_several_stages() -> None:
    others = [replace(FIRST, seed=2), replace(FIRST, began_from=("first",))]
    lineages = [RANDOM.followed_by(stage) for stage in (FIRST, *others)]
    assert merged(lineages) == Lineage(stages=(FIRST, *others), mean_of=("first",))


def test_a_lineage_comes_back_as_it_was() -> None:
    lineage = Lineage(stages=(replace(FIRST, began_from=None), SECOND), mean_of=("first", "second"))
    assert read_lineage(lineage.as_dict()) == lineage


@pytest.mark.parametrize("content", [{}, {"stages": [{"name": "x"}], "mean_of": []}, 7])
def test_a_malformed_lineage_is_refused(data: Path, tmp_path: Path, content: object) -> None:
    path = trained(data, tmp_path / "run")
    write_atomically(path, read(path) | {"lineage": content})
    with pytest.raises(CheckpointError, match=r"averaged\.pt is no model checkpoint"):
        load_checkpoint(path)
