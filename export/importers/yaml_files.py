"""YAML as plain values; what it says about types is not asked for."""

from typing import Any

from export.errors import ExportError


def parse_yaml(text: str, where: str, *, as_strings: bool = False) -> Any:  # noqa: ANN401
    """Plain values of a text.

    Args:
        text: One document.
        where: Where it was read, for people.
        as_strings: Numbers, `yes` and `null` are what is written there.

    Raises:
        ExportError: It is no YAML.
    """
    try:
        import yaml
    except ImportError as error:
        raise ExportError(
            f"{where}: reading it takes PyYAML: pip install 'pellucid[import]'"
        ) from error
    kind = "BaseLoader" if as_strings else "SafeLoader"
    loader = getattr(yaml, f"C{kind}", None) or getattr(yaml, kind)
    try:
        # Neither loader makes objects.
        return yaml.load(text, Loader=loader)  # nosec B506
    except yaml.YAMLError as error:
        first = str(error).partition("\n")[0]
        raise ExportError(f"{where} cannot be read: {first}") from error
