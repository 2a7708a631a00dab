"""The contract as it was last agreed on; run as a module, it writes the present one.

python -m tests.service.api.openapi_snapshot
"""

import json
from pathlib import Path
from typing import Any

from tests.service.api.fakes import UpperCaser, app_with

PATH = Path(__file__).with_name("openapi.json")


def current() -> dict[str, Any]:
    """The contract that the code gives; the version is not part of it."""
    api = app_with(UpperCaser()).openapi()
    del api["info"]["version"]
    return api


if __name__ == "__main__":
    PATH.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
