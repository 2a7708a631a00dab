"""That an imported model was compared with its original, and is the same."""

from bundle.manifest import Manifest


def assert_agrees(manifest: Manifest, implementation: str, *, min_beams: int = 5) -> None:
    """Check the report of the comparison, and that there was something to compare."""
    found = manifest.parity.original
    assert found is not None
    assert found.implementation == implementation
    assert found.identical_sentences == found.sentences >= 20
    assert found.identical_beams == found.beams >= min_beams
    assert 0 < found.max_logit_error <= 1e-4
    assert 0 < found.max_score_error <= 1e-4
