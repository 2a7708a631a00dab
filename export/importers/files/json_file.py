"""Reads a JSON file that holds an object."""

import json
from pathlib import Path
from typing import Any

from export.errors import ExportError


def read_json_object(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        ExportError: It cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read, it may be cut short: {error}") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path} holds no JSON object")
    return content
