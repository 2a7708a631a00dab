"""`pellucid attention --contrast`: two translations of one text."""

import json
from pathlib import Path

import numpy as np
import pytest

from service.cli.main import main
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

TEXT = tiny_bundle().manifest.canary.source_text
MODEL = ["--source", "en", "--target", "de", "--bundles", str(TINY_BUNDLE)]
GIVEN = ["attention", TEXT, *MODEL, "--translation", "ein Hund", "--contrast", "ein Haus da"]


def test_the_table_has_the_steps_of_the_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "contrast.npz"
    assert main([*GIVEN, "--kinds", "cross", "decoder", "--output", str(out)]) == 0
    assert main(GIVEN) == 0
    reply = json.loads(capsys.readouterr().out)
    contrast = reply["contrast"]
    differences = [step["score_difference"] for step in contrast["steps"]]
    assert sum(reply["token_scores"]) - sum(contrast["token_scores"]) == pytest.approx(
        contrast["score_difference"], abs=1e-5
    )
    arrays = np.load(out)
    np.testing.assert_allclose(arrays["contrast.score_differences"], differences, atol=1e-5)
    assert arrays["contrast.decoder"].shape[-1] == len(differences)
    assert main([*GIVEN, "--table"]) == 0
    *lines, total = capsys.readouterr().out.splitlines()
    shown = [line.removesuffix(" <").split() for line in lines]
    assert [float(words[-1]) for words in shown] == [round(value, 2) for value in differences]
    assert float(total) == round(contrast["score_difference"], 2)
    marked = [number for number, line in enumerate(lines) if line.endswith("<")]
    assert marked == [contrast["first_difference"]]
    step = contrast["steps"][marked[0]]
    assert shown[marked[0]][:2] == [
        reply["target_tokens"][step["token"]],
        contrast["target_tokens"][step["contrast_token"]],
    ]


def test_a_picture_cannot_show_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GIVEN, "--output", str(tmp_path / "map.svg")]) == 2
    assert "one of .json, .npz with --contrast" in capsys.readouterr().err


def test_a_file_of_lines_has_no_contrast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text(f"{TEXT}\n", encoding="utf-8")
    arguments = [*MODEL, "--contrast", "a", "--output", str(tmp_path / "corpus.npz")]
    assert main(["attention", str(path), *arguments]) == 2
    assert "without --table, --translation and --contrast" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "map.png"],
        ["--kinds", "encoder"],
        ["--reduce", "heads"],
        ["--method", "alti"],
        ["--method", "nonsense"],
    ],
)
def test_a_table_is_not_printed_of_what_it_does_not_show(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*GIVEN[:2], *MODEL, "--table", *arguments]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert "leave out --output, --kinds, --reduce and --method" in found.err
