"""`pellucid translate FILE --output FILE`."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from service.documents.formats import LAYOUT_NOTE
from tests.service.cli.test_main import MODEL, TEXT
from tests.service.command_line import Ended, run_here
from tests.service.documents.readers.office.archives import document, entries, unzipped, zipped
from tests.service.documents.readers.pdf.made_pdf import Text, pdf
from tests.service.server_process import REPOSITORY, command, environment

LONG = f"{TEXT}\n\n" * 400
_FRENCH = (
    b'<xliff version="1.2"><file source-language="en" target-language="fr"><body>'
    b'<trans-unit id="1"><source>Hello</source></trans-unit>'
    b'<trans-unit id="2"><source>A</source><target>B</target></trans-unit></body></file></xliff>'
)
"""Half of it is translated into another language."""


def _translate(source: Path, output: Path, *flags: str) -> Ended:
    return run_here("translate", *MODEL, str(source), "--output", str(output), *flags)


def test_a_document_keeps_its_layout(tmp_path: Path) -> None:
    source, output = tmp_path / "a.json", tmp_path / "b.json"
    source.write_text(json.dumps({"a": TEXT, "b": [TEXT, 5]}, indent=3), encoding="utf-16")
    ended = _translate(source, output)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    written = output.read_text(encoding="utf-16")
    value = json.loads(written)
    assert value["a"] == value["b"][0] not in ("", TEXT)
    assert written == json.dumps(value, indent=3, ensure_ascii=False)
    assert sorted(tmp_path.iterdir()) == [source, output]


def test_an_office_document_keeps_its_runs_and_names_its_language(tmp_path: Path) -> None:
    source, output = tmp_path / "a.docx", tmp_path / "b.docx"
    run = '<w:r><w:rPr>{}<w:lang w:val="{}"/></w:rPr><w:t xml:space="preserve">{}</w:t></w:r>'
    first, second = run.format("", "en-US", "Good "), run.format("<w:b/>", "en-US", "morning")
    source.write_bytes(document(".docx", f"<w:p>{first}{second}</w:p>"))
    ended = _translate(source, output)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    written = unzipped(output.read_bytes(), "word/document.xml")
    assert written.count("<w:b/>") == 1
    assert written.count('<w:lang w:val="de"/>') == written.count("<w:r>") >= 1
    assert "morning" not in written


def test_a_file_without_lines_is_refused_where_lines_are_translated(tmp_path: Path) -> None:
    source = tmp_path / "a.docx"
    source.write_bytes(document(".docx", ""))
    ended = run_here("translate", *MODEL, str(source))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"pellucid: {source} has no lines of text: add --output FILE\n"


def test_columns_of_a_table_are_chosen(tmp_path: Path) -> None:
    source, output = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text(f'id,text,note\n1,"{TEXT}","{TEXT}"\n', encoding="utf-8")
    ended = _translate(source, output, "--columns", "text")
    assert ended.returncode == 0, ended.stderr
    head, row = output.read_text(encoding="utf-8").splitlines()
    assert head == "id,text,note"
    assert row.startswith('1,"')
    assert row.endswith(f'","{TEXT}"')
    assert row.count(TEXT) == 1


def test_a_pdf_becomes_a_web_page_and_the_command_says_so(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
    source, output = tmp_path / "a.pdf", tmp_path / "b.html"
    source.write_bytes(pdf([Text(text=TEXT)]))
    ended = _translate(source, output)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1] == f"{output}: {LAYOUT_NOTE}"
    written = output.read_text(encoding="utf-8")
    assert '<html lang="de">' in written
    assert TEXT not in written
    refused = _translate(source, tmp_path / "b.pdf")
    assert "let the name end in .html" in refused.stderr


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    source, output = tmp_path / "a.txt", tmp_path / "b.txt"
    journal = tmp_path / "b.txt.journal"
    source.write_text(LONG, encoding="utf-8")
    arguments = ["translate", *MODEL, "--beam-size", "8", str(source), "-o", str(output)]
    with subprocess.Popen(
        command(*arguments), cwd=REPOSITORY, env=environment(), stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not _has_lines(journal, 2):
            pass
        process.send_signal(signal.SIGKILL)
    assert not output.exists()
    recorded = [json.loads(line) for line in journal.read_bytes().splitlines(keepends=True)[:2]]
    number = next(iter(recorded[1]))
    recorded[1][number] = "from the journal"
    journal.write_text("".join(json.dumps(line) + "\n" for line in recorded), encoding="utf-8")
    ended = run_here(*arguments)
    assert ended.returncode == 0, ended.stderr
    paragraphs = output.read_text(encoding="utf-8").split("\n\n")
    assert [n for n, text in enumerate(paragraphs) if text == "from the journal"] == [int(number)]
    assert len(paragraphs) == 401
    assert not journal.exists()


def _has_lines(path: Path, count: int) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= count


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    source, output = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text(LONG, encoding="utf-8")
    with subprocess.Popen(
        command("translate", *MODEL, "--beam-size", "8", str(source), "-o", str(output)),
        cwd=REPOSITORY,
        env=environment(),
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        while process.poll() is None and not _has_lines(tmp_path / "b.txt.journal", 2):
            pass
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.endswith(f"the same command resumes from {output}.journal\n")


def test_another_file_is_other_work(tmp_path: Path) -> None:
    source, output = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.journal").write_text('{"work": "other"}\n{"0": "stale"}\n', encoding="utf-8")
    assert _translate(source, output).returncode == 0
    assert output.read_text(encoding="utf-8") not in ("stale", "")


@pytest.mark.parametrize(
    ("name", "data", "flags", "code", "message"),
    [
        ("a.exe", b"MZ\x90\0\3", (), 2, "file format not supported: give one of .txt"),
        ("a.doc", b"\xd0\xcf\x11\xe0", (), 2, "file format not supported: give one of .txt"),
        ("a.json", b"{", (), 2, "a.json: it is not valid JSON"),
        ("a.docx", b"x", (), 2, "a.docx: it is not a .docx file"),
        (
            "a.odt",
            zipped({**entries(".odt"), "content.xml": b"<a"}),
            (),
            2,
            "content.xml is no XML",
        ),
        ("a.csv", b"a\n", ("--columns", "b"), 2, "a.csv: it has no column 'b'"),
        ("a.txt", b"x", ("--columns", "b"), 2, "columns are for .csv and .tsv"),
        ("a.vtt", b"x", (), 2, "a.vtt: its first line is not WEBVTT"),
        ("a.xlf", _FRENCH, (), 2, "a.xlf: it has translations to 'fr'"),
        ("a.txt", b"x", ("--prefix", "y"), 2, "--prefix and --alternatives"),
        ("a.txt", b"x", ("--beam-size", "99"), 1, "beam_size"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, name: str, data: bytes, flags: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    ended = _translate(tmp_path / name, tmp_path / "out", *flags)
    assert ended.returncode == code
    (line,) = ended.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_the_output_must_be_possible(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text(TEXT, encoding="utf-8")
    assert "overwrite" in _translate(source, source).stderr
    assert "there is no folder" in _translate(source, tmp_path / "no" / "b.txt").stderr
    gone = _translate(tmp_path / "gone.txt", tmp_path / "b")
    assert "there is no file" in gone.stderr
    two = run_here("translate", *MODEL, str(source), str(source), "-o", str(tmp_path / "b"))
    assert "exactly one file" in two.stderr
    assert source.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("name", ["notes.log", "README", "a.tex"])
def test_a_text_of_unknown_format_is_plain_text(tmp_path: Path, name: str) -> None:
    source, plain = tmp_path / name, tmp_path / "plain.txt"
    for path in (source, plain):
        path.write_bytes(f"{TEXT}\n\n\t{TEXT}\r\n".encode())
    ended = _translate(source, tmp_path / "out.log")
    assert ended.returncode == 0
    assert ended.stderr == f"{source}: no known format, translated as plain text\n"
    assert _translate(plain, tmp_path / "out.txt").stderr == ""
    written = (tmp_path / "out.log").read_bytes()
    assert written == (tmp_path / "out.txt").read_bytes() != source.read_bytes()


@pytest.mark.parametrize(
    ("name", "output", "fitting"),
    [
        ("a.txt", "b.html", ".txt"),
        ("a.log", "b.md", ".txt"),
        ("a.html", "b.txt", ".html or .htm"),
        ("a.md", "b.doc", ".md"),
    ],
)
def test_an_output_named_like_another_format_is_refused(
    tmp_path: Path, name: str, output: str, fitting: str
) -> None:
    (tmp_path / name).write_text(TEXT, encoding="utf-8")
    ended = _translate(tmp_path / name, tmp_path / output)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].endswith(f"let the name end in {fitting}")
    assert not (tmp_path / output).exists()


def test_an_output_without_a_suffix_or_with_another_of_the_format_fits(tmp_path: Path) -> None:
    source = tmp_path / "a.html"
    source.write_text(f"<p>{TEXT}</p>", encoding="utf-8")
    for name in ("b.HTM", "b"):
        assert _translate(source, tmp_path / name).returncode == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith("<p>")


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text(TEXT, encoding="utf-8")
    for given in (_translate(tmp_path, tmp_path / "b.txt"), _translate(source, tmp_path)):
        assert given.returncode == 2
        assert f"{tmp_path}" in given.stderr
        assert "is a directory: name a file" in given.stderr


def test_a_full_standard_output_is_named(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text(f"{TEXT}\n", encoding="utf-8")
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            command("translate", *MODEL, str(source)),
            cwd=REPOSITORY,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == "pellucid: standard output: No space left on device\n"
