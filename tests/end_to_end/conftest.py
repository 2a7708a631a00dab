from pathlib import Path

import pytest

from tests.end_to_end.copy_task import export_copy_model, train_copy_model


@pytest.fixture(scope="session")
def copy_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that has learnt to copy; takes half a minute."""
    return train_copy_model(tmp_path_factory.mktemp("copy-run"))


@pytest.fixture(scope="session")
def copy_bundles(copy_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles `fp32` and `int8` of the copying model."""
    folder = tmp_path_factory.mktemp("copy-bundles")
    export_copy_model(copy_checkpoint, folder / "fp32", "fp32")
    export_copy_model(copy_checkpoint, folder / "int8", "int8")
    return folder
