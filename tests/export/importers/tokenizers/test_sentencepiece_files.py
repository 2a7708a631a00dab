"""The SentencePiece model of a side is found by its name, or as the only one."""

from pathlib import Path

import pytest

from export.errors import ExportError
from export.importers.tokenizers.sentencepiece_files import (
    find_sentencepiece_model,
    read_matching_model,
)
from tests.export.importers.spm_models import pieces, spm


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"")


def test_a_folder_may_have_no_model(tmp_path: Path) -> None:
    _touch(tmp_path, "model.pt", "bpe.model")
    assert find_sentencepiece_model(tmp_path, "source") is None


def test_the_only_model_is_that_of_both_sides(tmp_path: Path) -> None:
    _touch(tmp_path, "sentencepiece.bpe.model", "bpe.model")
    for side in ("source", "target"):
        assert find_sentencepiece_model(tmp_path, side) == tmp_path / "sentencepiece.bpe.model"


@pytest.mark.parametrize(
    ("source", "target"), [("source.spm", "target.spm"), ("src.model", "tgt.model")]
)
def test_names_assign_models_to_their_sides(source: str, target: str, tmp_path: Path) -> None:
    _touch(tmp_path, source, target, "other.spm")
    assert find_sentencepiece_model(tmp_path, "source") == tmp_path / source
    assert find_sentencepiece_model(tmp_path, "target") == tmp_path / target


def test_several_models_without_such_names_are_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "en.spm", "de.spm")
    with pytest.raises(ExportError, match=r"de.spm, en.spm: call them source.spm and target.spm"):
        find_sentencepiece_model(tmp_path, "source")


def test_a_model_with_other_pieces_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "source.spm"
    path.write_bytes(spm(0))
    assert read_matching_model(path, ["<blank>", *pieces(spm(0))[4:]]) == spm(0)
    with pytest.raises(ExportError, match=r"source\.spm cuts into other pieces.*only 0 of 200"):
        read_matching_model(path, [f"word{i}" for i in range(200)])
