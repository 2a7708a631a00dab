"""`--without-heads` of every command leads to the model without these heads."""

import json
from pathlib import Path

import pytest

from service.cli.main import main
from service.engine.ablation import bundle_without, canonical
from service.engine.graphs.attention_pass import attend
from service.engine.graphs.sessions import Sessions, open_sessions
from tests.service.tiny_models import TINY_BUNDLE, tiny_bundle

PAIR = tiny_bundle().manifest.canary.pair
TEXT = tiny_bundle().manifest.canary.source_text
MODEL = ["--source", PAIR.source, "--target", PAIR.target, "--bundles", str(TINY_BUNDLE)]
HEADS = ["--without-heads", "cross:0:1,encoder:1:0", "--without-heads", "cross:1:0"]


@pytest.fixture(scope="module")
def without() -> Sessions:
    heads = canonical([("cross", 0, 1), ("cross", 1, 0), ("encoder", 1, 0)])
    return open_sessions(bundle_without(tiny_bundle(), heads))


def log_probs(sessions: Sessions, translation: str) -> list[float]:
    tokenizer = sessions.bundle.tokenizer
    source_ids, target_ids = (
        tokenizer.encode_source(TEXT, PAIR),
        tokenizer.encode_target(translation),
    )
    (found,) = attend(sessions, [source_ids], [target_ids], {"log_probs"})
    return [float(value) for value in found.log_probs]


def test_scores_and_maps(without: Sessions, capsys: pytest.CaptureFixture[str]) -> None:
    expected = log_probs(without, "ein Satz")
    assert expected != log_probs(open_sessions(tiny_bundle()), "ein Satz")
    assert main(["score", TEXT, "ein Satz", *MODEL, *HEADS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["token_scores"] == pytest.approx(expected, abs=1e-6)
    assert main(["attention", TEXT, *MODEL, *HEADS, "--translation", "ein Satz"]) == 0
    assert json.loads(capsys.readouterr().out)["token_scores"] == pytest.approx(expected, abs=1e-6)


def test_translations_and_their_search(
    without: Sessions, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text"
    path.write_text(f"{TEXT}\n", encoding="utf-8")
    arguments = ["translate", str(path), *MODEL, "--beam-size", "1", "--details", "--search"]
    replies = []
    for heads in ([], HEADS):
        assert main([*arguments, *heads]) == 0
        replies.append(json.loads(capfd.readouterr().out))
    whole, found = replies
    assert whole["translatedText"] != found["translatedText"]
    (sentence,) = found["details"]
    assert sentence["token_scores"] == pytest.approx(
        log_probs(without, found["translatedText"]), abs=1e-3
    )
    results = [c for step in sentence["search"]["steps"] for c in step if c["is_result"]]
    assert [c["token"] for c in results] == sentence["target_tokens"]


def test_a_document_without_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "text.txt", tmp_path / "out.txt"
    path.write_text(TEXT, encoding="utf-8")
    written = []
    for heads in ([], HEADS):
        assert main(["translate", str(path), *MODEL, *heads, "--output", str(out)]) == 0
        written.append(out.read_text(encoding="utf-8"))
    assert written[0] != written[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--without-heads", "cross:1"], 2, "write kind:layer:head, such as cross:1:0"),
        (["--without-heads", "sideways:0:0"], 2, "kinds are encoder, decoder, cross"),
        (["--without-heads", "cross:0:-1"], 2, "'cross:0:-1' is no head"),
        (["--without-heads", "cross:0:99"], 1, "head 99 does not exist"),
        (["--without-heads", "cross:0:1", "--source", "auto"], 1, "name the source language"),
    ],
)
def test_what_is_no_head_of_the_model_is_told(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        ended: object = main(["attention", TEXT, *MODEL, *arguments])
    except SystemExit as stopped:
        ended = stopped.code
    assert ended == code
    assert message in capsys.readouterr().err


def test_search_is_part_of_details(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", *MODEL, "--search"]) == 2
    assert "give both" in capsys.readouterr().err
