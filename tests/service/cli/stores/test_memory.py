"""`pellucid memory` as an operator uses it."""

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from service.cli.main import main
from service.translation.memory.memory_file import MemoryFile
from service.translation.memory.unit import Space
from tests.service.server_process import command, environment

Captured = pytest.CaptureFixture[str]
KEY = "1f2e3d4c5b6a"
EN_DE = ["--source", "en", "--target", "de"]


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that the environment names."""
    path = tmp_path / "memory.db"
    for name in list(os.environ):
        if name.startswith("PELLUCID_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PELLUCID_MEMORY", str(path))
    return path


def tmx(folder: Path, *pairs: tuple[str, str], name: str = "a.tmx") -> str:
    units = "".join(
        f'<tu><tuv xml:lang="en-US"><seg>{source}</seg></tuv>'
        f'<tuv xml:lang="de-DE"><seg>{target}</seg></tuv></tu>'
        for source, target in pairs
    )
    path = folder / name
    path.write_text(f'<tmx version="1.4"><header/><body>{units}</body></tmx>', encoding="utf-8")
    return str(path)


def test_what_is_imported_is_listed_and_exported(
    memory: Path, tmp_path: Path, capsys: Captured
) -> None:
    file = tmx(tmp_path, ("One &amp; all", "Ein {0} &lt;b&gt;"), ("Two", "Zwei"), ("", "x"))
    assert main(["memory", "import", file, *EN_DE]) == 0
    assert capsys.readouterr().err == (
        "2 new, 0 replaced, 0 in other languages, 1 empty or too long, "
        "0 least recently used removed\n"
    )
    assert main(["memory", "list"]) == 0
    assert capsys.readouterr().out.split() == ["-", "en", "->", "de", "2"]
    assert main(["memory", "export", *EN_DE]) == 0
    exported = tmp_path / "b.tmx"
    exported.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["memory", "import", str(exported), *EN_DE, "--key", KEY]) == 0
    assert capsys.readouterr().err.startswith("2 new")
    with closing(MemoryFile(memory, 1.0)) as opened:
        first, second = (list(opened.units(Space.of(key, "en", "de"))) for key in ("", KEY))
    assert first == second != []


def test_import_again_changes_what_is_different(
    memory: Path, tmp_path: Path, capsys: Captured
) -> None:
    main(["memory", "import", tmx(tmp_path, ("One", "Eins"), ("Two", "Zwei")), *EN_DE])
    capsys.readouterr()
    again = tmx(tmp_path, ("One", "Eins"), ("Two", "2"), ("Three", "Drei"))
    main(["memory", "import", again, *EN_DE])
    assert capsys.readouterr().err.startswith("1 new, 1 replaced")


def test_limit_of_a_key_is_kept(
    memory: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_MAX_MEMORY_UNITS", "700")
    file = tmx(tmp_path, *((f"Sentence {n}", f"Satz {n}") for n in range(1_200)))
    main(["memory", "import", file, *EN_DE])
    assert "500 least recently used removed" in capsys.readouterr().err
    main(["memory", "list", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "key": "",
        "source": "en",
        "target": "de",
        "sentences": 700,
    }


def test_broken_file_changes_nothing(memory: Path, tmp_path: Path, capsys: Captured) -> None:
    file = Path(tmx(tmp_path, *((f"Sentence {n}", f"Satz {n}") for n in range(1_200))))
    file.write_text(file.read_text("utf-8")[:-20], encoding="utf-8")
    assert main(["memory", "import", str(file), *EN_DE]) == 1
    assert "a.tmx is no TMX (line 1" in capsys.readouterr().err
    main(["memory", "list"])
    assert capsys.readouterr().out == ""


def test_clear_removes_what_is_named(memory: Path, tmp_path: Path, capsys: Captured) -> None:
    file = tmx(tmp_path, ("One", "Eins"), ("Two", "Zwei"))
    main(["memory", "import", file, *EN_DE])
    main(["memory", "import", file, *EN_DE, "--key", KEY])
    main(["memory", "import", file, "--source", "de", "--target", "en", "--key", KEY])
    capsys.readouterr()
    main(["memory", "clear", "--key", KEY, "--source", "en"])
    main(["memory", "clear"])
    main(["memory", "clear"])
    assert capsys.readouterr().err.split("\n")[:3] == [
        "2 sentences removed",
        "2 sentences removed",
        "0 sentences removed",
    ]
    main(["memory", "list"])
    assert capsys.readouterr().out.split() == [KEY, "de", "->", "en", "2"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["list"], 2, "does not exist"),
        (["import", "missing.tmx", *EN_DE], 1, "missing.tmx"),
        (["import", "a.tmx"], 2, "required: --source, --target"),
        (["export", *EN_DE, "--key", "x"], 2, "x is no id of a key"),
    ],
)
def test_faults_are_said_in_a_line(
    memory: Path, capsys: Captured, arguments: list[str], exit_code: int, message: str
) -> None:
    try:
        code = main(["memory", *arguments])
    except SystemExit as end:
        code = int(str(end.code))
    assert code == exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_other_languages_are_said(memory: Path, tmp_path: Path, capsys: Captured) -> None:
    file = tmx(tmp_path, ("One", "Eins"))
    assert main(["memory", "import", file, "--source", "fr", "--target", "de"]) == 1
    assert "no sentences from fr to de" in capsys.readouterr().err


def test_a_memory_must_be_named(
    memory: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PELLUCID_MEMORY")
    assert main(["memory", "list"]) == 2
    assert "set --memory FILE or PELLUCID_MEMORY" in capsys.readouterr().err


def test_two_processes_import_at_once(memory: Path, tmp_path: Path) -> None:
    files = [
        tmx(tmp_path, *((f"{name} {n}", "x") for n in range(1_500)), name=f"{name}.tmx")
        for name in ("a", "b")
    ]
    started = [
        subprocess.Popen(
            command("memory", "import", file, *EN_DE, "--memory", str(memory)),
            env=environment(),
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for file in files
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    with closing(MemoryFile(memory, 1.0)) as opened:
        assert opened.spaces() == [(Space.of("", "en", "de"), 3_000)]
