"""Where the figures of a benchmark go."""

import json
from collections.abc import Mapping
from pathlib import Path


def publish(result: Mapping[str, object], path: Path | None) -> None:
    """Print figures as JSON; on request also write them to a file."""
    print(_as_json(result))
    record(result, path)


def record(result: Mapping[str, object], path: Path | None) -> None:
    """Write figures to a file on request; its folder need not exist."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_as_json(result) + "\n", encoding="utf-8")


def _as_json(result: Mapping[str, object]) -> str:
    return json.dumps(result, indent=1, ensure_ascii=False)
