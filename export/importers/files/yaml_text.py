"""Parses YAML into plain values; type tags in it make no objects."""

from typing import Any

from export.errors import ExportError


def parse_yaml(text: str, source: str, *, as_strings: bool = False) -> Any:  # noqa: ANN401
    """The plain values of a document.

    Args:
        text: One document.
        source: Where it was read, for the error message.
        as_strings: Numbers, `yes` and `null` stay strings.

    Raises:
        ExportError: It is no YAML.
    """
    try:
        import yaml
    except ImportError as error:
        raise ExportError(
            f"{source}: reading it takes PyYAML: in a checkout, pip install '.[import]'"
        ) from error
    kind = "BaseLoader" if as_strings else "SafeLoader"
    loader = getattr(yaml, f"C{kind}", None) or getattr(yaml, kind)
    try:
        # Neither loader makes objects.
        return yaml.load(text, Loader=loader)  # nosec B506
    except yaml.YAMLError as error:
        first = str(error).partition("\n")[0]
        raise ExportError(f"{source} cannot be read: {first}") from error
