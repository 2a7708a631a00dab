"""The interface of contestants: an engine with a model, and the order of its batches."""

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

EngineName = Literal["pellucid", "ctranslate2", "transformers", "optimum"]
Mode = Literal["batch", "serving"]
Order = Literal["continuous", "sorted", "arrival"]

LENGTH_PENALTY = 0.0
"""Definitions differ between engines: at 0 all rank by the plain sum of log-probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A sentence to translate."""

    source_ids: tuple[int, ...]
    """End token included."""
    max_target_tokens: int
    min_target_tokens: int = 0
    """Without the end token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """Distribution of an engine over cores."""

    intra: int
    """Threads within one operation."""
    inter: int = 1
    """Batches that run at once."""

    def __str__(self) -> str:
        return f"{self.inter}x{self.intra}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """An engine with a model."""

    engine: EngineName
    precision: str
    folder: Path
    """Files of the model, in the engine's format."""
    mode: Mode
    order: Order
    """`continuous`: a finished sentence makes room for the next one; `sorted`: batch after batch of
    similar length, the longest first; `arrival`: batch after batch in order of arrival."""

    @property
    def is_slow(self) -> bool:
        """Whether the engine is so slow that it gets fewer sentences."""
        return self.engine in ("transformers", "optimum")


class Engine(Protocol):
    """An opened contestant."""

    def translate(
        self, requests: Sequence[Request], *, batch: int, beam: int
    ) -> list[tuple[int, ...]]:
        """Target ids of every sentence, without end token, `batch` sentences at a time."""

    def close(self) -> None:
        """Release threads and memory."""


def open_engine(contestant: Contestant, threads: Threads) -> Engine:
    """Load a contestant's model; imports only its own engine."""
    module = importlib.import_module(f"benchmarks.contestants.{contestant.engine}")
    engine: Engine = module.open_contestant(contestant, threads)
    return engine


def groups_of(requests: Sequence[Request], batch: int, order: Order) -> list[list[int]]:
    """Indices of the sentences that share a batch, for engines that decode batch after batch."""
    indices = list(range(len(requests)))
    if order == "sorted":
        indices.sort(key=lambda i: len(requests[i].source_ids), reverse=True)
    return [indices[i : i + batch] for i in range(0, len(indices), batch)]


def limit_of(requests: Sequence[Request]) -> int:
    """Limit of the output of sentences that share a batch: the mean of their limits.

    With the mean, a batch of prescribed lengths has as many tokens as its sentences alone.
    """
    return round(sum(request.max_target_tokens for request in requests) / len(requests))


def as_json(contestant: Contestant) -> dict[str, str]:
    """The fields as text, for `from_json`."""
    return {name: str(value) for name, value in asdict(contestant).items()}


def from_json(fields: dict[str, str]) -> Contestant:
    """The contestant of `as_json`."""
    return Contestant(**{**fields, "folder": Path(fields["folder"])})  # type: ignore[arg-type]
