from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from numpy.lib.npyio import NpzFile

from service.inspection.heat_map.arrays import npz
from service.inspection.values import InspectedPair
from tests.service.inspection.heat_map.samples import CROSS, TARGETS, inspected, pair_of


def loaded(*pairs: InspectedPair, is_list: bool = False) -> NpzFile:
    found = np.load(BytesIO(npz(pairs, is_list=is_list)), allow_pickle=False)
    assert isinstance(found, NpzFile)
    return found


def test_a_text_of_one_sentence_has_plain_names() -> None:
    arrays = loaded(pair_of(inspected()))
    np.testing.assert_array_equal(arrays["cross"], CROSS)
    assert arrays["cross"].dtype == np.float32
    assert arrays["source"].item() == "Good day"
    assert arrays["translation"].item() == "Guten Tag"
    assert arrays["source_tokens"].tolist() == ["▁Good", "▁day"]
    assert tuple(arrays["target_tokens"]) == TARGETS
    assert arrays["token_scores"].tolist() == [-0.5] * 3
    assert arrays["alignment.source_words"].tolist() == ["Good", "day"]
    assert arrays["alignment.target_words"].tolist() == ["Guten", "Tag"]
    assert arrays["alignment.pharaoh"].tolist() == [[0, 0], [1, 1]]
    assert arrays["alignment.weights"].tolist() == [0.875, 0.5]
    # Both source tokens are looked at alike, by rows that are as flat as can be.
    assert arrays["confidence.coverage_deviation"].item() == pytest.approx(0, abs=1e-6)
    assert arrays["confidence.absentmindedness"].item() == pytest.approx(1)
    assert arrays["confidence.value"].item() == pytest.approx(0, abs=1e-6)


def test_names_are_paths_in_the_json() -> None:
    two = pair_of(inspected(), inspected(source="Good cat"))
    arrays = loaded(two)
    assert arrays["sentences.1.source"].item() == "Good cat"
    assert arrays["sentences.1.source_span"].tolist() == [0, 8]
    np.testing.assert_array_equal(arrays["sentences.0.cross"], CROSS)
    assert "cross" not in arrays
    arrays = loaded(pair_of(inspected()), two, is_list=True)
    np.testing.assert_array_equal(arrays["0.cross"], CROSS)
    assert "1.sentences.1.cross" in arrays
    assert all(name[:2] in ("0.", "1.") for name in arrays)


def test_a_text_without_maps_has_its_texts() -> None:
    arrays = loaded(pair_of())
    assert sorted(arrays) == ["source", "translation"]


def test_without_links_and_words_the_shapes_stay() -> None:
    sentence = replace(inspected(source="", translation=""), links=())
    arrays = loaded(pair_of(sentence))
    assert arrays["alignment.pharaoh"].shape == (0, 2)
    assert arrays["alignment.source_words"].shape == (0,)
    assert arrays["alignment.source_words"].dtype.kind == "U"


def test_the_same_maps_make_the_same_file() -> None:
    pair = pair_of(inspected())
    assert npz([pair], is_list=False) == npz([pair], is_list=False)
