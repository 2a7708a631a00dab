"""`POST /compare`: two texts, word by word."""

from typing import Any

import pytest

from service.api.native.compare import CompareReply, compared
from service.errors import PayloadTooLargeError
from service.text.alignment.differences import num_pairs
from tests.service.api.fakes import UpperCaser, app_with, ask


def post(body: dict[str, Any], **settings: object) -> Any:  # noqa: ANN401 - JSON
    return ask(app_with(UpperCaser(), **settings), "POST", "/compare", json=body)


def test_words_stand_side_by_side() -> None:
    reply = post({"first": "Er saß auf der Bank.", "second": "Er saß auf dem Ufer dort."})
    assert reply.status_code == 200, reply.text
    content = reply.json()
    shown = [
        ((s["first"] or {}).get("text"), (s["second"] or {}).get("text"), s["same"])
        for s in content["steps"]
    ]
    assert shown == [
        ("Er", "Er", True),
        ("saß", "saß", True),
        ("auf", "auf", True),
        ("der", "dem", False),
        ("Bank", "Ufer", False),
        (None, "dort", False),
        (".", ".", True),
    ]
    assert content["changed"] == 3
    assert CompareReply.model_validate(content).model_dump() == content


def test_offsets_are_those_of_each_text() -> None:
    first, second = "  a  b", "x a b"
    for step in compared(first, second)["steps"]:
        for text, side in ((first, "first"), (second, "second")):
            if (word := step[side]) is not None:
                assert text[word["start"] : word["end"]] == word["text"]


def test_equal_texts_have_no_change_however_long_they_are() -> None:
    text = "ein Wort " * 2000
    assert compared(text, text)["changed"] == 0
    assert compared(text, text + "mehr")["changed"] == 1


def test_texts_with_too_little_in_common_are_refused() -> None:
    first, second = "a " * 4001, "b " * 4001
    assert num_pairs(first.split(), second.split()) == 4001**2
    with pytest.raises(PayloadTooLargeError, match="16,008,001 pairs of words"):
        compared(first, second)
    assert post({"first": first, "second": second}).status_code == 413
    assert compared("a " * 4000, "b " * 4000)["changed"] == 4000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"first": "a"}, "missing second parameter"),
        ({"first": ["a"], "second": "b"}, "first: Input should be a valid string"),
        ({"first": "a" * 15, "second": "b" * 15}, "(30) exceeds text limit (20)"),
    ],
)
def test_bad_input_is_named(body: dict[str, Any], message: str) -> None:
    reply = post(body, max_text_chars=20)
    assert reply.status_code == 400
    assert message in reply.text
