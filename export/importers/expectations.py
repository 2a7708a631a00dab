"""What the options of a checkpoint have to be, where there is a graph for nothing else."""

from collections.abc import Mapping

Expected = Mapping[str, tuple[object, ...]]
"""What each may be, by its name; None among that: it may be missing."""


def unexpected(options: Mapping[str, object], expected: Expected) -> list[str]:
    """The options that are something else, each with what it is and what it may be."""
    return [
        f"{name} {options.get(name)!r} (only {_listed(allowed)})"
        for name, allowed in expected.items()
        if options.get(name) not in allowed
    ]


def _listed(allowed: tuple[object, ...]) -> str:
    return " or ".join(repr(value) for value in allowed if value is not None) or "without it"
