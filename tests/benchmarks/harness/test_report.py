import json
from pathlib import Path

import pytest

from benchmarks.harness.report import publish, record

RESULT = {"text": "schön", "rows": [1, 2]}


def test_figures_go_to_a_file_on_request(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    record(RESULT, path)
    assert json.loads(path.read_text(encoding="utf-8")) == RESULT


def test_published_figures_are_printed_as_they_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "result.json"
    publish(RESULT, path)
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    publish(RESULT, None)
    assert json.loads(capsys.readouterr().out) == RESULT
