"""Contributions in inseq's form: what is written, and that inseq reads it where it is installed."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.inspection.corpora.inseq_file import inseq_json
from service.inspection.values import (
    AttentionMaps,
    Contributions,
    InspectedPair,
    InspectedSentence,
)

SOURCE = np.array([[0.5, 0.2], [0.1, 0.3]], np.float32)
TARGET = np.array([[0.3, 0.0], [0.4, 0.2]], np.float32)


def _pair() -> InspectedPair:
    contributions = Contributions(
        method="alti", source=SOURCE, target=TARGET, prefix_tokens=("<s>", "x")
    )
    maps = AttentionMaps(
        source_tokens=("a", "</s>"),
        target_tokens=("x", "</s>"),
        maps={},
        alignment=SOURCE,
        token_log_probs=(-1.0, -2.0),
        contributions=contributions,
    )
    sentence = InspectedSentence(
        source="a",
        translation="x",
        source_span=(0, 1),
        target_span=(0, 1),
        links=(),
        attention=maps,
    )
    return InspectedPair(source="a", translation="x", sentences=(sentence,))


def _array(text: str) -> NDArray[np.float32]:
    """By the definition of safetensors: length of the header, header, data."""
    data = base64.b64decode(text)
    end = 8 + int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:end])["attribution"]
    start, stop = entry["data_offsets"]
    assert (entry["dtype"], end % 8, end + stop) == ("F32", 0, len(data))
    return np.frombuffer(data[end + start : end + stop], "<f4").reshape(entry["shape"])


def test_arrays_have_inseqs_axes() -> None:
    content = json.loads(inseq_json([_pair()], "alti"))
    assert content["attributes"]["info"]["attribution_method"] == "alti"
    (sequence,) = content["attributes"]["sequence_attributions"]
    found: dict[str, Any] = sequence["attributes"]
    for side, tokens in (("source", ["a", "</s>"]), ("target", ["<s>", "x", "</s>"])):
        assert [token["attributes"]["token"] for token in found[side]] == tokens
    np.testing.assert_array_equal(_array(found["source_attributions"]), SOURCE.T)
    nan = np.nan
    expected = np.array([[0.3, 0.4], [nan, 0.2], [nan, nan]], np.float32)
    np.testing.assert_array_equal(_array(found["target_attributions"]), expected)
    scores = _array(found["step_scores"]["probability"])
    np.testing.assert_allclose(scores, np.exp([-1, -2]), rtol=1e-6)


def test_inseq_shows_it(tmp_path: Path) -> None:
    attribution = pytest.importorskip("inseq.data.attribution", reason="inseq is not installed")
    path = tmp_path / "alti.json"
    path.write_text(inseq_json([_pair()], "alti"), encoding="utf-8")
    output = attribution.FeatureAttributionOutput.load(str(path))
    (sequence,) = output.sequence_attributions
    np.testing.assert_array_equal(sequence.source_attributions.numpy(), SOURCE.T)
    assert f"{np.exp(-1):.3f}" in output.show(return_html=True, display=False)
