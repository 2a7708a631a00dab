"""What documents name exists: modules that are run, files that are linked, verbs of make."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for folder in (".", "docs", "docs/decisions", "bundles/en-de")
    for path in (REPOSITORY / folder).glob("*.md")
)
MODULE = re.compile(r"python -m ((?:benchmarks|tests|service|model|export|pellucid)[\w.]*)")
FILE = re.compile(
    r"`((?:benchmarks|bundle|docker|export|model|pellucid|service|tests)/[\w./-]+\.\w+)`"
)
LINK = re.compile(r"\]\(([^)#:]+)(#[\w-]+)?\)")
FROM_INDEX = re.compile(r"pip install (?:-\S+ )*['\"]?pellucid\b")
VERB = re.compile(r"^([a-z-]+):", re.MULTILINE)
for_each = pytest.mark.parametrize("name", DOCUMENTS)


def _text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


@for_each
def test_modules_exist(name: str) -> None:
    assert [m for m in MODULE.findall(_text(name)) if find_spec(m) is None] == []


@for_each
def test_files_exist(name: str) -> None:
    assert [f for f in FILE.findall(_text(name)) if not (REPOSITORY / f).exists()] == []


@for_each
def test_links_lead_somewhere(name: str) -> None:
    folder = (REPOSITORY / name).parent
    links = LINK.findall(_text(name))
    assert [path for path, _ in links if not (folder / path).exists()] == []
    headings = {
        path: re.findall(r"^#+ (.*)$", (folder / path).read_text(encoding="utf-8"), re.MULTILINE)
        for path, anchor in links
        if anchor
    }
    missing = [
        (path, anchor)
        for path, anchor in links
        if anchor and anchor not in {_anchor(heading) for heading in headings[path]}
    ]
    assert missing == []


def _anchor(heading: str) -> str:
    return "#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@for_each
def test_verbs_of_make_exist(name: str) -> None:
    verbs = set(VERB.findall(_text("Makefile")))
    assert "bench" in verbs
    asked = re.findall(r"(?:`|^)make ([a-z-]+)", _text(name), re.MULTILINE)
    assert [verb for verb in asked if verb not in verbs] == []


def test_nothing_says_to_install_from_an_index_where_the_name_is_not_ours() -> None:
    folders = ("", "docs", "pellucid", "bundle", "service", "model", "export", "docker")
    texts = {
        path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in (REPOSITORY / folder).glob("**/*" if folder else "*")
        if path.suffix in (".md", ".py", ".toml", ".yaml", ".sh") or path.name == "Makefile"
    }
    assert {"README.md", "Makefile", "docs/ray.md", "service/cli/main.py"} <= set(texts)
    assert [name for name, text in texts.items() if FROM_INDEX.search(text)] == []


def test_commands_of_make_exist() -> None:
    modules = re.findall(r"python -m (benchmarks[\w.]*)", _text("Makefile"))
    assert len(modules) > 4
    assert [module for module in modules if find_spec(module) is None] == []


def test_the_index_of_decisions_has_every_title() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    index = re.findall(
        r"^(\d+)\. \[(.*)\]\((.*)\)$", _text("docs/decisions/README.md"), re.MULTILINE
    )
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0]
        for path in sorted(folder.glob("0*.md"))
    }
    assert {name: f"# {number}. {title}" for number, title, name in index} == titles
    numbers = [int(number) for number, _, _ in index]
    assert numbers == sorted(set(numbers))  # one that was set aside may be missing
