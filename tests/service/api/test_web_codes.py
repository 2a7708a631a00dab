"""Codes as Google and the extensions of browsers write them."""

import pytest

from service.api.served_languages import web_code


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("en", "en"),
        ("zh", "zh-CN"),
        ("zh-hans", "zh-CN"),
        ("zh-hant", "zh-TW"),
        ("zh-hk", "zh-TW"),
        ("pt-br", "pt-BR"),
        ("sr-latn", "sr-latn"),
        ("nb", "nb"),
    ],
)
def test_a_code_is_written_as_they_do(code: str, written: str) -> None:
    assert web_code(code) == written
