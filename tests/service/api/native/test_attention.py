"""`POST /attention`: what it reads and what it gives."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest

from service.api.replies.attention import InspectedTextReply
from service.inspection.values import AttentionRequest, AttentionSelection
from tests.service.api.fakes import UpperCaser, app_with, ask

BASE = {"q": "hello world", "source": "en", "target": "de"}


def _asked(parameters: dict[str, Any]) -> AttentionRequest:
    translator = UpperCaser()
    reply = ask(app_with(translator), "POST", "/attention", json=BASE | parameters)
    assert reply.status_code == 200, reply.text
    (request,) = translator.requests
    assert isinstance(request, AttentionRequest)
    return request


def test_text_of_one_sentence_carries_its_maps() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=BASE).json()
    assert reply.pop("cross")[0][0][0] == [0.3333333] * 3
    assert reply.pop("confidence")["absentmindedness"] == pytest.approx(1.0)
    assert reply.pop("alignment") == {
        "source_words": ["hello", "world"],
        "target_words": ["HELLO", "WORLD"],
        "pharaoh": "0-0",
        "weights": [0.75],
    }
    assert reply == {
        "source": "hello world",
        "translation": "HELLO WORLD",
        "source_tokens": ["hello", "world", "</s>"],
        "target_tokens": ["hello", "world", "</s>"],
        "token_scores": [-0.5, -0.5, -0.5],
    }


def test_text_of_several_sentences_has_them_in_a_list() -> None:
    body = BASE | {"q": "one. two"}
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=body).json()
    assert set(reply) == {"source", "translation", "sentences"}
    assert [sentence["source"] for sentence in reply["sentences"]] == ["one", "two"]
    assert all(len(sentence["cross"]) == 2 for sentence in reply["sentences"])


def test_list_gives_a_list() -> None:
    body = BASE | {"q": ["a", "one. two"]}
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=body).json()
    assert [text["source"] for text in reply] == ["a", "one. two"]


def test_reply_has_the_documented_shape() -> None:
    body = BASE | {"q": ["a", "one. two"]}
    for text in ask(app_with(UpperCaser()), "POST", "/attention", json=body).json():
        documented = InspectedTextReply.model_validate(text)
        assert documented.model_dump(exclude_none=True, mode="json") == text


@pytest.mark.parametrize(
    ("parameters", "field", "value"),
    [
        ({}, "selection", AttentionSelection()),
        ({}, "translations", None),
        ({"translation": "Hallo"}, "translations", ("Hallo",)),
        ({"translation": ""}, "translations", None),
        ({"q": ["a", "b"], "translation": ["c", "d"]}, "translations", ("c", "d")),
        (
            {"kinds": ["encoder", "decoder"], "layers": [1], "heads": [0, 2], "reduce": "all"},
            "selection",
            AttentionSelection(
                kinds=("encoder", "decoder"), layers=(1,), heads=(0, 2), reduce="all"
            ),
        ),
        ({"contrast": "Huhu"}, "contrasts", ("Huhu",)),
        ({"q": ["a", "b"], "contrast": ["c", "d"]}, "contrasts", ("c", "d")),
        ({"words": True}, "selection", AttentionSelection(words=True)),
    ],
)
def test_translator_is_asked_for_what_the_client_wants(
    parameters: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(_asked(parameters), field) == value


def test_translator_has_the_time_that_waiting_has_left() -> None:
    left_s = _asked({"deadline_ms": 20_000}).timeout_s
    assert left_s is not None
    assert 10 < left_s <= 20


def test_contrast_is_shown_as_documented() -> None:
    body = BASE | {"contrast": "HUHU WORLD"}
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=body)
    assert reply.status_code == 200, reply.text
    text = reply.json()
    documented = InspectedTextReply.model_validate(text)
    # `None` is a value in a step: a token that one translation does not have.
    assert documented.model_dump(exclude_unset=True, mode="json") == text
    assert text["contrast"]["translation"] == "HUHU WORLD"
    assert text["contrast"]["first_difference"] is None
    assert text["contrast"]["steps"][0] == {
        "token": 0,
        "contrast_token": 0,
        "score_difference": 0.0,
    }
    assert not np.any(text["contrast"]["cross"])


def test_contrast_comes_as_numbers_not_as_a_picture() -> None:
    body = BASE | {"contrast": "HUHU WORLD"}
    for accept, given in (
        ("image/png", "application/json"),
        ("application/x-npz", "application/x-npz"),
    ):
        reply = ask(
            app_with(UpperCaser()), "POST", "/attention", json=body, headers={"Accept": accept}
        )
        assert reply.headers["Content-Type"] == given
    arrays = np.load(BytesIO(reply.content), allow_pickle=False)
    assert arrays["contrast.steps"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert arrays["contrast.cross"].shape == (2, 1, 3, 3)


@pytest.mark.parametrize(
    "parameters",
    [{"contrast": ["a"]}, {"q": ["a", "b"], "contrast": ["a"]}, {"q": ["a"], "contrast": "a"}],
)
def test_contrast_must_be_as_many_as_the_texts(parameters: dict[str, Any]) -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/attention", json=BASE | parameters)
    assert reply.status_code == 400
    assert "contrast must be one text, or as many as q has" in reply.text


def test_characters_of_a_contrast_count() -> None:
    app = app_with(UpperCaser(), max_text_chars=20)
    reply = ask(app, "POST", "/attention", json=BASE | {"contrast": "x" * 10})
    assert reply.status_code == 400
    assert "(21) exceeds text limit (20)" in reply.text
