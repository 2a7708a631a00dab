"""Configurations of ideas, and their TOML."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks.quality.training.idea_plan import Idea, Plan, as_toml, config_of, read_plan
from model.config import parse_config

REPOSITORY = Path(__file__).parents[4]
PLAN = REPOSITORY / "benchmarks" / "quality" / "training" / "ideas.toml"


@pytest.fixture(scope="module")
def base() -> dict[str, Any]:
    text = (REPOSITORY / "model" / "configs" / "en-de-sixth.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def plan_of(*ideas: Idea) -> Plan:
    baseline = Idea(name="baseline")
    common = {"training": {"max_steps": 7, "validation_sources": []}}
    return Plan(share=0.5, common=common, ideas=(baseline, *ideas))


def test_the_committed_ideas_are_configurations_that_differ_from_their_baseline(
    base: dict[str, Any],
) -> None:
    plan = read_plan(PLAN)
    configs = {idea.name: config_of(base, plan, idea) for idea in plan.ideas}
    assert len({config.name for config in configs.values()}) == len(plan.ideas)
    for idea in plan.ideas:
        config = configs[idea.name]
        assert parse_config(as_toml(config), where="test") == config
        if idea.baseline != idea.name:
            baseline = configs[idea.baseline]
            assert config.model_copy(update={"name": ""}) != baseline.model_copy(
                update={"name": ""}
            )


def test_changes_leave_the_other_values_as_they_are(base: dict[str, Any]) -> None:
    idea = Idea(name="Faster, x 2", changes={"training": {"learning_rate": 0.5}})
    config = config_of(base, plan_of(idea), idea)
    assert config.name == "faster-x-2"
    assert config.training.learning_rate == 0.5
    assert config.training.max_steps == 7
    assert config.training.optimizer == base["training"]["optimizer"]


def test_sources_are_weighed_anew_and_hold_nothing_out(base: dict[str, Any]) -> None:
    idea = Idea(name="more", weights={"distill": 5}, added={"made.tsv": 3})
    config = config_of(base, plan_of(idea), idea)
    weights = {source.name: source.weight for source in config.data.sources}
    assert (weights["distill"], weights["made"], weights["tatoeba"]) == (5, 3, 2)
    assert config.data.train == ("sample.tsv", "made.tsv")
    assert not any(source.held_out for source in config.data.sources)


def test_an_unknown_source_or_baseline_is_refused(base: dict[str, Any]) -> None:
    idea = Idea(name="more", weights={"distil": 5})
    with pytest.raises(ValueError, match="more: no source is named distil"):
        config_of(base, plan_of(idea), idea)
    with pytest.raises(ValidationError, match="no idea is named random"):
        plan_of(Idea(name="wider", baseline="random"))
