"""What the loaded models translate from and to."""

from service.api.language_names import name_of
from service.models.interfaces import Catalogue

AUTO = "auto"


def targets_by_source(registry: Catalogue) -> dict[str, list[str]]:
    """Every language that can be translated from, with what it can be translated to, sorted."""
    return registry.routes.targets_by_source()


def target_languages(registry: Catalogue) -> list[str]:
    """Every language that can be translated to, sorted."""
    return sorted({t for targets in targets_by_source(registry).values() for t in targets})


def described(code: str) -> dict[str, str]:
    """A language for people who choose from a list."""
    return {"code": code, "name": "Auto Detect" if code == AUTO else name_of(code)}
