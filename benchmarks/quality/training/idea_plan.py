"""Ideas for training, read from a TOML: each is a configuration that differs in one respect."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from model.config import RunConfig

SAMPLE_NAME = "sample.tsv"
DEV_NAME = "dev.tsv"
NEVER_NAME = "never.tsv"
"""Pairs that are measured with, here or in the whole run; none of their sides is trained on."""
Sections = dict[str, dict[str, Any]]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Idea(_Table):
    """One change of the training, tried alone."""

    name: str
    changes: Sections = {}
    """Values of the configuration, by section."""
    weights: dict[str, float] = {}
    """Other weights of sources."""
    added: dict[str, float] = {}
    """Additional files of pairs, beside the sample, and their weights."""
    is_random: bool = False
    """Begin from random weights and a new vocabulary."""
    baseline: str = "baseline"
    """Name of the idea that this one is compared with."""

    @property
    def slug(self) -> str:
        """The name as that of a folder."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.name.lower()).split())


class Plan(_Table):
    """Ideas to compare, and what they share."""

    share: Annotated[float, Field(gt=0, le=1)]
    """Share of the training pairs to sample."""
    common: Sections = {}
    ideas: tuple[Idea, ...]

    @model_validator(mode="after")
    def _baselines_exist(self) -> "Plan":
        names = {idea.name for idea in self.ideas}
        missing = sorted({idea.baseline for idea in self.ideas} - names)
        if missing:
            raise ValueError(f"no idea is named {', '.join(missing)}")
        return self


def read_plan(path: Path) -> Plan:
    """Read a plan; pydantic's ValidationError lists all its faults."""
    return Plan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def config_of(base: Mapping[str, Any], plan: Plan, idea: Idea) -> RunConfig:
    """The configuration of `idea`: that of `base`, on the sample, with its changes.

    Args:
        base: Content of the TOML of a run.
        plan: What all ideas share.
        idea: One of them.

    Raises:
        ValueError: A value is wrong, or a weight is that of an unknown source.
    """
    sections = _merged(_merged(base, plan.common), idea.changes)
    names = {source["name"] for source in base["data"]["sources"]}
    unknown = sorted(idea.weights.keys() - names)
    if unknown:
        raise ValueError(f"{idea.name}: no source is named {', '.join(unknown)}")
    data = base["data"] | {
        "train": [SAMPLE_NAME, *idea.added],
        "dev": DEV_NAME,
        "held_out": [NEVER_NAME],
        "sources": _sources(base["data"]["sources"], idea),
    }
    return RunConfig.model_validate(sections | {"name": idea.slug, "data": data})


def as_toml(config: RunConfig) -> str:
    """A TOML that `model.config.parse_config` reads as `config`."""
    content = config.model_dump(mode="json", exclude_none=True)
    lines = [f"name = {_literal(content.pop('name'))}"]
    for section, values in content.items():
        lines += ["", f"[{section}]", *(f"{key} = {_literal(v)}" for key, v in values.items())]
    return "\n".join(lines) + "\n"


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes` in its sections."""
    return {**base} | {name: {**base.get(name, {}), **v} for name, v in changes.items()}


def _sources(sources: list[dict[str, Any]], idea: Idea) -> list[dict[str, Any]]:
    """Sources without pairs of their own to hold out: those are chosen beforehand."""
    kept = [
        source | {"held_out": 0, "weight": idea.weights.get(source["name"], source["weight"])}
        for source in sources
    ]
    return kept + [{"name": Path(f).stem, "weight": weight} for f, weight in idea.added.items()]


def _literal(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_literal(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
