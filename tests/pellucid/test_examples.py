"""The examples of docstrings and of docs/library.md run, and print what they say."""

import doctest
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import pellucid
from tests.service.server_process import serving

REPOSITORY = Path(__file__).parents[2]
GUIDE = "docs/library.md"
DOCUMENTED = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODULES = [
    "pellucid",
    *sorted(f"pellucid.{p.stem}" for p in Path(pellucid.__path__[0]).glob("[!_]*.py")),
]


@pytest.fixture(autouse=True)
def _only_the_embedded_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("PELLUCID_BUNDLES", raising=False)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server with the embedded bundle."""
    folder = tmp_path_factory.mktemp("examples")
    with serving(folder, "--bundles", str(REPOSITORY / "bundles")) as server:
        yield server.url


def _examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(import_module(name), name)]
    return [test for test in found if test.examples]


def _guide() -> doctest.DocTest:
    text = (REPOSITORY / GUIDE).read_text(encoding="utf-8")
    return doctest.DocTestParser().get_doctest("\n".join(BLOCK.findall(text)), {}, GUIDE, GUIDE, 0)


def _run(test: doctest.DocTest, url: str) -> str:
    """Run examples with the server at `url`; returns what differs."""
    for example in test.examples:
        example.source = example.source.replace(DOCUMENTED, url)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append)
    return "".join(said)


def test_translator_and_client_have_examples() -> None:
    names = {test.name for test in _examples()}
    assert {"pellucid", "pellucid.translator.Translator", "pellucid.client.Client"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("test", _examples(), ids=lambda test: test.name)
def test_examples_of_docstrings_print_what_they_say(test: doctest.DocTest, url: str) -> None:
    assert _run(test, url) == ""


@pytest.mark.slow
def test_the_guide_prints_what_it_says(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    guide = _guide()
    assert len(guide.examples) > 10
    assert _run(guide, url) == ""


def test_wrong_examples_are_found() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", "wrong", 0)
    assert "Expected" in _run(wrong, "")
