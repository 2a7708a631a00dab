"""What the loaded models translate from and to."""

from service.api.language_names import name_of
from service.backend import Catalogue

AUTO = "auto"


def targets_by_source(registry: Catalogue) -> dict[str, list[str]]:
    """Every language that can be translated from, with what it can be translated to, sorted."""
    targets: dict[str, set[str]] = {}
    for model in registry.models:
        for pair in model.bundle.manifest.pairs:
            targets.setdefault(pair.source, set()).add(pair.target)
    return {source: sorted(targets[source]) for source in sorted(targets)}


def target_languages(registry: Catalogue) -> list[str]:
    """Every language that can be translated to, sorted."""
    return sorted({t for targets in targets_by_source(registry).values() for t in targets})


def described(code: str) -> dict[str, str]:
    """A language for people who choose from a list."""
    return {"code": code, "name": "Auto Detect" if code == AUTO else name_of(code)}
