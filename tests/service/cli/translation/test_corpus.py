from importlib.util import find_spec
from pathlib import Path

import pytest

from service.cli.main import main

EN_DE = ("translate", "--source", "en", "--target", "de", "--ray")


def test_a_corpus_is_not_read_from_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(EN_DE) == 2
    assert capsys.readouterr().err.startswith("pellucid: give --ray files")


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_message_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "corpus.txt"
    file.write_text("Anna reads.\n", encoding="utf-8")
    assert main((*EN_DE, str(file))) == 2
    assert capsys.readouterr().err == (
        "pellucid: --ray needs ray: in a checkout, pip install '.[ray]'\n"
    )
