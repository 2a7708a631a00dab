"""docs/transformer.md: its snippets run, its tests exist, and the page has its text."""

import ast
import json
import re
from dataclasses import asdict

import pytest

from tests.docs.learn import DOCUMENT, REPOSITORY, STATIC, Answer, answers, gradients

ANSWERS = answers()
for_each = pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: str(answer.number))


def test_there_are_sixteen_groups() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [answer.number for answer in ANSWERS] == list(range(1, 17))
    assert len(re.findall(r"^## \d", text, re.MULTILINE)) == len(ANSWERS)


@for_each
def test_proofs_are_tests(answer: Answer) -> None:
    assert answer.proof
    for proof in answer.proof:
        file, _, name = proof.partition("::")
        assert name in _tests_of(file), proof


def test_wrong_notes_are_refuted_by_tests() -> None:
    notes = DOCUMENT.read_text(encoding="utf-8").partition("# Notes that are wrong")[2]
    named = re.findall(r"`(test_\w+)` \|$", notes, re.MULTILINE)
    assert len(named) == len(re.findall(r"^\| [A-Z]", notes, re.MULTILINE)) == 7
    assert set(named) <= _tests_of("tests/model/test_comparisons.py")


def _tests_of(file: str) -> set[str]:
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@for_each
def test_the_snippet_runs(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("PELLUCID_BUNDLES", str(REPOSITORY / "bundles"))
    exec(compile(answer.snippet, f"snippet {answer.number}", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


def test_the_page_has_the_text_of_the_document() -> None:
    page = json.loads((STATIC / "learn.json").read_text(encoding="utf-8"))
    assert page["answers"] == [asdict(answer) for answer in ANSWERS], "python -m tests.docs.learn"


def test_the_gradients_of_the_page_are_measured() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    page = json.loads((STATIC / "learn.json").read_text(encoding="utf-8"))
    for name, norms in gradients().items():
        assert page["gradients"][name] == pytest.approx(norms, rel=0.05)
