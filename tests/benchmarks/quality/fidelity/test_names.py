"""A word that changed is held against the reference."""

from pathlib import Path

import pytest

from benchmarks.quality.fidelity.names import Change, mended, verdict
from bundle.reader import read_bundle
from tests.bundle.bundles import copy_of_tiny, know_words


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Corbyn kam.", "good"),
        ("Korbyn kam.", "bad"),
        ("Corbyns Hund kam.", "neither"),
        ("Er kam.", "neither"),
    ],
)
def test_the_reference_has_the_new_form_the_old_one_or_neither(reference: str, found: str) -> None:
    assert verdict("Korbyn", "Corbyn", reference) == found


def test_changed_names_are_counted_and_changed_numbers_are_not(tmp_path: Path) -> None:
    folder = know_words(copy_of_tiny(tmp_path), en=["has", "dogs"], de=["hat", "hunde"])
    bundle = read_bundle(folder)
    pair = bundle.manifest.pairs[0]
    source, output = "Corbyn has 1,234 dogs.", "Korbyn hat 1,234 Hunde."
    found = mended(source, output, "Corbyn hat 1.234 Hunde.", pair, bundle)
    assert found.text == "Corbyn hat 1.234 Hunde."
    assert found.changes == (Change(old="Korbyn", new="Corbyn", verdict="good"),)
