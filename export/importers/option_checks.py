"""Checks a checkpoint's options against the values that the graphs support."""

from collections.abc import Iterable, Mapping

Supported = Mapping[str, tuple[object, ...]]
"""Supported values by the option's name; None among them: the option may be missing."""


def unsupported(options: Mapping[str, object], supported: Supported) -> list[str]:
    """A fault for every option with another value, which names the supported ones."""
    return [
        f"{name} {options.get(name)!r} (only {_listed(allowed)})"
        for name, allowed in supported.items()
        if options.get(name) not in allowed
    ]


def missing_counts(options: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """The options that are no number of 1 or more."""
    return [name for name in names if not _is_count(options.get(name))]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _listed(allowed: tuple[object, ...]) -> str:
    return " or ".join(repr(value) for value in allowed if value is not None) or "without it"
