"""The table of all settings says what the code says."""

import re
from pathlib import Path

import pytest

from service.settings import ENV_PREFIX, Settings

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
ROW = re.compile(rf"^\| `{ENV_PREFIX}(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def _rows() -> dict[str, tuple[str, str]]:
    table = OPERATIONS.read_text(encoding="utf-8").partition("\n## All settings\n")[2]
    return {name.lower(): (default, text) for name, default, text in ROW.findall(table)}


def test_every_setting_has_a_row_in_the_order_of_the_code() -> None:
    assert list(_rows()) == list(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_row_says_what_the_code_says(name: str) -> None:
    default, text = _rows()[name]
    field = Settings.model_fields[name]
    assert text == " ".join((field.description or "").split())
    if name != "bundles":  # depends on where the code is
        assert default.strip("`") == _written(field.default)


def _written(default: object) -> str:
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)
