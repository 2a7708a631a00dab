import json
import math

import pytest
from pydantic import ValidationError

from bundle.manifest import MANIFEST_NAME, Architecture, LanguagePair, Manifest
from bundle.parity import ParityReport
from tests.bundle.bundles import TINY_BUNDLE, read_manifest

TEXT = (TINY_BUNDLE / MANIFEST_NAME).read_text(encoding="utf-8")
MANIFEST = Manifest.model_validate_json(TEXT)


def test_json_goes_in_and_comes_out_the_same() -> None:
    assert MANIFEST.model_dump_json(indent=2, exclude_unset=True) + "\n" == TEXT
    assert Manifest.model_validate_json(MANIFEST.model_dump_json()) == MANIFEST
    assert json.loads(MANIFEST.model_dump_json(exclude_unset=True)) == read_manifest(TINY_BUNDLE)


def test_a_bundle_from_before_a_field_has_its_default() -> None:
    content = read_manifest(TINY_BUNDLE)
    del content["placeholders"], content["alignment_head"]
    content.pop("lineage", None)
    older = Manifest.model_validate(content)
    assert older.placeholders == ()
    assert older.alignment_head is None
    assert older.lineage is None


def test_a_manifest_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        MANIFEST.name = "another"  # type: ignore[misc]


def test_a_manifest_is_a_value() -> None:
    again = Manifest.model_validate_json(TEXT)
    assert again == MANIFEST
    assert again.model_copy(update={"name": "another"}) != MANIFEST


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder_max_error", math.nan),
        ("encoder_max_error", -1e-9),
        ("token_agreement", 1.5),
        ("sentences", -1),
    ],
)
def test_a_figure_that_cannot_be_is_refused(name: str, value: float) -> None:
    figures = MANIFEST.parity.model_dump() | {name: value}
    with pytest.raises(ValidationError, match=name):
        ParityReport.model_validate(figures)


def test_a_pair_is_found_by_its_languages() -> None:
    assert MANIFEST.pair("en", "de") == LanguagePair(source="en", target="de")
    assert MANIFEST.pair("de", "en") is None
    assert str(MANIFEST.pairs[0]) == "en->de"


@pytest.mark.parametrize("code", ["en", "nds", "pt-br", "zh-hans"])
def test_language_codes_are_lower_case_tags(code: str) -> None:
    assert LanguagePair(source=code, target="de").source == code


@pytest.mark.parametrize("code", ["", "e", "EN", "english", "en_GB", "en-", "en\n"])
def test_other_codes_are_refused(code: str) -> None:
    with pytest.raises(ValidationError, match="source"):
        LanguagePair(source=code, target="de")


def test_heads_divide_the_width() -> None:
    values = MANIFEST.architecture.model_dump()
    assert Architecture(**values | {"num_heads": 6}).head_dim == 8
    with pytest.raises(ValidationError, match="d_model 48 is not a multiple of num_heads 7"):
        Architecture(**values | {"num_heads": 7})


def test_the_figures_of_the_export_are_there() -> None:
    assert MANIFEST.batch_invariant
    assert MANIFEST.parity.identical_sentences == MANIFEST.parity.sentences == 500
    assert {report.precision for report in MANIFEST.quality} == {"fp32", "int8"}
    assert MANIFEST.quantization.static_tensors
