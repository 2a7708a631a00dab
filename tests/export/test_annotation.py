import shutil
from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.reader import read_bundle
from export.annotation import annotate
from tests.service.tiny_models import TINY_BUNDLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY_BUNDLE, tmp_path / "tiny"))


def test_notes_follow_the_card_and_the_bundle_still_loads(folder: Path) -> None:
    before = read_bundle(folder).manifest
    annotate(folder, "## Known failures\n\nNone of them.")
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# tiny\n")
    assert card.endswith("\n## Known failures\n\nNone of them.\n")
    after = read_bundle(folder).manifest
    assert {name for name in after.files if after.files[name] != before.files[name]} == {
        "MODEL_CARD.md"
    }


def test_later_notes_replace_earlier_ones(folder: Path) -> None:
    annotate(folder, "## First")
    annotate(folder, "## Second")
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "First" not in card


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        annotate(tmp_path, "## Notes")
    assert not list(tmp_path.iterdir())
