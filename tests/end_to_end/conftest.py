from pathlib import Path

import pytest

from model.training.checkpoint import AVERAGED_NAME
from tests.built_once import built_once
from tests.end_to_end.copy_task import export_copy_model, train_copy_model


@pytest.fixture(scope="session")
def copy_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that has learnt to copy; takes half a minute, once for all processes."""
    return built_once(tmp_path_factory, "copy-run", train_copy_model) / AVERAGED_NAME


@pytest.fixture(scope="session")
def copy_bundles(copy_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles `fp32` and `int8` of the copying model."""

    def export(folder: Path) -> None:
        export_copy_model(copy_checkpoint, folder / "fp32", "fp32")
        export_copy_model(copy_checkpoint, folder / "int8", "int8")

    return built_once(tmp_path_factory, "copy-bundles", export)
