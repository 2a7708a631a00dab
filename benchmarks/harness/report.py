"""Where the figures of a benchmark go."""

import json
from collections.abc import Mapping
from pathlib import Path


def publish(result: Mapping[str, object], path: Path | None) -> None:
    """Print figures as JSON; on request also write them to a file."""
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if path is not None:
        path.write_text(text + "\n", encoding="utf-8")
