"""The languages of the loaded models."""

from service.models.registry import Registry

AUTO = "auto"
"""Source language of a request whose texts are in a language to be detected."""


def targets_by_source(registry: Registry) -> dict[str, list[str]]:
    """Source languages, each with its target languages, sorted."""
    return registry.routes.targets_by_source()


def target_languages(registry: Registry) -> list[str]:
    """All target languages, sorted."""
    return sorted({t for targets in targets_by_source(registry).values() for t in targets})
