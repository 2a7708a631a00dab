"""`POST /translate`: what it reads and what it gives."""

from typing import Any

import pytest

from service.api.replies.translation import TranslateReply
from service.inspection.values import AttentionSelection
from service.text.markup.passage import MarkupOptions
from service.text.masking.glossary import GlossaryEntry
from service.translation.values import TranslateRequest
from tests.service.api.fakes import UpperCaser, app_with, ask

BASE = {"q": "hello world", "source": "en", "target": "de"}


def _asked(parameters: dict[str, Any], **settings: object) -> TranslateRequest:
    """What the translator is asked for when a client sends `parameters`."""
    translator = UpperCaser()
    reply = ask(app_with(translator, **settings), "POST", "/translate", json=BASE | parameters)
    assert reply.status_code == 200, reply.text
    (request,) = translator.requests
    assert isinstance(request, TranslateRequest)
    return request


@pytest.mark.parametrize(
    "encoded",
    [
        {"json": BASE},
        {"data": BASE},
        {"params": BASE},
        {"data": {"q": BASE["q"]}, "params": {"source": "en", "target": "de"}},
        {"files": {name: (None, value) for name, value in BASE.items()}},
    ],
    ids=["json", "form", "query", "form and query", "multipart"],
)
def test_parameters_come_in_every_encoding(encoded: dict[str, Any]) -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", **encoded)
    assert (reply.status_code, reply.json()) == (200, {"translatedText": "HELLO WORLD"})


@pytest.mark.parametrize(
    "body", ["q=gr%C3%BC%C3%9F+dich&source=de&target=en", "q=grüß dich&source=de&target=en"]
)
def test_form_is_utf8_whether_it_is_escaped_or_not(body: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = ask(
        app_with(UpperCaser()), "POST", "/translate", content=body.encode(), headers=headers
    )
    assert reply.json() == {"translatedText": "GRÜSS DICH"}


def test_query_wins_over_form_and_the_first_of_two_values_counts() -> None:
    reply = ask(
        app_with(UpperCaser()),
        "POST",
        "/translate?q=first&q=second",
        data={"q": "form", "source": "en", "target": "de"},
    )
    assert reply.json() == {"translatedText": "FIRST"}


def test_list_gives_lists_in_order() -> None:
    body = BASE | {"q": ["a", " ", "b"], "alternatives": 2, "details": True}
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=body).json()
    assert reply["translatedText"] == ["A", " ", "B"]
    assert reply["alternatives"] == [["A 0", "A 1"], ["  0", "  1"], ["B 0", "B 1"]]
    assert [[s["source"] for s in sentences] for sentences in reply["details"]] == [
        ["a"],
        [" "],
        ["b"],
    ]


def test_extras_are_there_only_if_asked_for() -> None:
    app = app_with(UpperCaser())
    assert set(ask(app, "POST", "/translate", json=BASE).json()) == {"translatedText"}
    more = ask(app, "POST", "/translate", json=BASE | {"alternatives": 1}).json()
    assert more == {"translatedText": "HELLO WORLD", "alternatives": ["HELLO WORLD 0"]}


def test_details_say_how_every_sentence_ended() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | {"details": True})
    assert reply.json()["details"] == [
        {
            "source": "hello world",
            "translation": "HELLO WORLD",
            "source_span": [0, 11],
            "target_span": [0, 11],
            "source_tokens": ["hello", "world", "</s>"],
            "target_tokens": ["HELLO", "WORLD", "</s>"],
            "score": -1.5,
            "token_scores": [-0.5, -0.5, -0.5],
            "finish_reason": "stop",
            "truncated": False,
            "confidence": 0.75,
            "words": [{"text": "HELLO WORLD", "start": 0, "end": 11, "doubt": True}],
            "checks": [
                {"name": "copied", "source_span": [0, 1], "target_span": [0, 1], "message": "same"}
            ],
            "placeholders_ok": True,
            "case": "as_is",
        }
    ]


def test_alignment_is_part_of_the_details() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | {"alignment": True})
    assert reply.json()["details"][0]["alignment"] == [
        {"source": [0, 5], "target": [0, 5], "weight": 0.75}
    ]


def test_detected_language_is_there_only_if_it_was_to_be_found_out() -> None:
    app = app_with(UpperCaser())
    one = ask(app, "POST", "/translate", json=BASE | {"source": "auto"}).json()
    found = {"confidence": 90.0, "language": "de"}
    assert one == {"translatedText": "HELLO WORLD", "detectedLanguage": found}
    two = ask(app, "POST", "/translate", json=BASE | {"source": "AUTO", "q": ["a", "b"]}).json()
    assert two == {"translatedText": ["A", "B"], "detectedLanguage": [found, found]}


@pytest.mark.parametrize("source", [{}, {"source": ""}, {"source": None}])
def test_source_is_detected_unless_it_is_named(source: dict[str, object]) -> None:
    reply = ask(
        app_with(UpperCaser()), "POST", "/translate", json={"q": "a", "target": "de"} | source
    )
    assert reply.json() == {
        "translatedText": "A",
        "detectedLanguage": {"confidence": 90.0, "language": "de"},
    }


def test_attention_is_part_of_the_details() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | {"attention": True})
    maps = reply.json()["details"][0]["attention"]
    assert set(maps) == {"source_tokens", "target_tokens", "token_scores", "cross"}
    assert maps["cross"][1][0][2] == [0.3333333] * 3


def test_reply_has_the_documented_shape() -> None:
    asked = {"source": "auto", "alternatives": 1, "attention": True, "alignment": True}
    body = BASE | {"q": ["a", "b c"]} | asked
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=body).json()
    documented = TranslateReply.model_validate(reply).model_dump(exclude_none=True, mode="json")
    assert documented == reply


def test_server_timing_names_every_stage() -> None:
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE)
    assert reply.headers["Server-Timing"] == (
        "tokenize;dur=1.00, queue;dur=2.00, encode;dur=3.00, decode;dur=4.00, detokenize;dur=0.50"
    )


@pytest.mark.parametrize(
    ("parameters", "field", "value"),
    [
        ({"source": "EN"}, "source", "en"),
        ({"target": "De"}, "target", "de"),
        ({"beam_size": 4}, "beam_size", 4),
        ({"beam_size": "4"}, "beam_size", 4),
        ({}, "beam_size", None),
        ({"length_penalty": 1}, "length_penalty", 1.0),
        ({"max_target_tokens": 9}, "max_target_tokens", 9),
        ({"alternatives": 3}, "num_alternatives", 3),
        ({"alternatives": -1}, "num_alternatives", 0),
        ({"alternatives": None}, "num_alternatives", 0),
        ({"alternatives": ""}, "num_alternatives", 0),
        ({}, "timeout_s", 30.0),
        ({"deadline_ms": 500}, "timeout_s", 0.5),
        ({"deadline_ms": 10**30}, "timeout_s", 30.0),
        ({"attention": False}, "attention", None),
        ({"attention": "true"}, "attention", AttentionSelection()),
        (
            {"attention": {"kinds": ["encoder"], "layers": [0], "heads": [1], "reduce": "heads"}},
            "attention",
            AttentionSelection(kinds=("encoder",), layers=(0,), heads=(1,), reduce="heads"),
        ),
        ({"format": "text"}, "markup", None),
        ({"format": "html"}, "markup", MarkupOptions()),
        ({}, "unwrap", False),
        ({"unwrap": "true"}, "unwrap", True),
        ({}, "with_alignment", False),
        ({"alignment": True}, "with_alignment", True),
        ({"alignment": True}, "with_scores", True),
        ({}, "with_scores", False),
        ({"glossary": None}, "glossary", ()),
        (
            {"glossary": [{"source": "world", "target": "Welt"}]},
            "glossary",
            (GlossaryEntry(source="world", target="Welt"),),
        ),
        ({"api_key": 7}, "texts", ("hello world",)),
        ({"no_such_parameter": [1]}, "texts", ("hello world",)),
    ],
)
def test_translator_is_asked_for_what_the_client_wants(
    parameters: dict[str, Any], field: str, value: object
) -> None:
    assert getattr(_asked(parameters), field) == value


def test_deadline_is_never_later_than_the_server_allows() -> None:
    assert _asked({"deadline_ms": 60_000}, deadline_ms=2_000).timeout_s == 2.0


def test_search_comes_with_the_details() -> None:
    assert _asked({"search": True}).with_search
    assert _asked({"search": True}).with_scores
    assert not _asked({"details": True}).with_search
    reply = ask(app_with(UpperCaser()), "POST", "/translate", json=BASE | {"search": True}).json()
    assert reply["details"][0]["search"] == {
        "beam_size": 1,
        "length_penalty": 0.6,
        "stop": "end",
        "steps": [
            [
                {
                    "prefix": 0,
                    "token": "</s>",
                    "probability": 0.5,
                    "log_prob": -0.75,
                    "fate": "ended",
                    "place": None,
                    "score": -0.75,
                    "is_result": True,
                }
            ]
        ],
    }
    documented = TranslateReply.model_validate(reply)
    assert documented.model_dump(exclude_unset=True, mode="json") == reply


def test_heads_to_leave_out_come_in_one_order() -> None:
    heads = [["cross", 1, 0], ["encoder", 0, 1], ["cross", 1, 0]]
    assert _asked({"without_heads": heads}).without_heads == (("cross", 1, 0), ("encoder", 0, 1))
    assert _asked({}).without_heads == ()
