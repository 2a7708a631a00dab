"""The `pellucid` command."""

import argparse
import json
import os
import re
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from bundle.manifest import Manifest
from bundle.tensors import WEIGHTS_NAME
from service.api.replies.translation import TranslateReply
from service.cli.local import LARGE_BYTES, local_settings, size_of
from service.cli.main import COMMANDS_GROUP, _build_parser, main
from service.settings import Settings, flag_of
from tests.service.command_line import run_here
from tests.service.server_process import (
    LONGEST_S,
    REPOSITORY,
    command,
    engines_of,
    environment,
    is_gone,
    run_command,
)
from tests.service.tiny_models import TINY_BUNDLE, altered_copy, renamed_copy

MANIFEST = Manifest.model_validate_json((TINY_BUNDLE / "manifest.json").read_bytes())
TEXT = MANIFEST.canary.source_text
MODEL = (
    "--source",
    MANIFEST.canary.pair.source,
    "--target",
    MANIFEST.canary.pair.target,
    "--bundles",
    str(TINY_BUNDLE),
    "--workers",
    "1",
)


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_help_lists_the_commands_and_teaches_by_examples(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = _help(capsys)
    assert all(name in text for name in ("serve", "translate", "attention", "examples:"))


@pytest.mark.parametrize("name", ["serve", "translate", "attention"])
def test_every_command_has_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert f"pellucid {name}" in _help(capsys, name).partition("examples:")[2]


def test_serve_has_a_flag_and_a_variable_for_every_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = _help(capsys, "serve").split()
    for name in Settings.model_fields:
        assert flag_of(name) in words
        assert f"(PELLUCID_{name.upper()})" in words


@pytest.mark.parametrize("arguments", [[], ["fly"], ["serve", "--prot", "1"], ["translate"]])
def test_wrong_use_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--help" in line


def test_flags_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--por", "1"])
    assert "--por" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"pellucid {version('pellucid')}\n"


@pytest.mark.parametrize("source", [[], ["--source", "auto"]])
def test_the_source_language_is_detected(source: list[str]) -> None:
    detected = run_here("translate", *source, *MODEL[2:], text=f"{TEXT}\n")
    assert detected.returncode == 0, detected.stderr
    assert detected.stdout == run_here("translate", *MODEL, text=f"{TEXT}\n").stdout != ""


@pytest.mark.parametrize("files", [[], ["-"]])
def test_translate_keeps_order_blank_lines_and_line_ends(files: list[str]) -> None:
    lines = [f"{TEXT}\n", "\n", "  \n", f"{TEXT}\r\n", TEXT]
    ended = run_command("translate", *MODEL, *files, text="".join(lines))
    assert ended.returncode == 0, ended.stderr
    first, blank, spaces, carriage, last = ended.stdout.split("\n")
    assert first == carriage.rstrip("\r") == last != ""
    assert (blank, spaces) == ("", "  ")


def test_translate_reads_files_one_after_the_other(tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text(f"{TEXT}\n", encoding="utf-8")
    ended = run_here("translate", *MODEL, "--beam-size", "2", *map(str, paths))
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    assert first == second != ""


def test_translate_bounds_the_length_of_a_line() -> None:
    short = run_here("translate", *MODEL, "--max-target-tokens", "3", text=f"{TEXT}\n")
    free = run_here("translate", *MODEL, text=f"{TEXT}\n")
    long = run_here("translate", *MODEL, "--min-target-tokens", "40", text=f"{TEXT}\n")
    assert 0 < len(short.stdout) < len(free.stdout) < len(long.stdout)


def test_translate_writes_alternatives_behind_the_translation() -> None:
    arguments = ["--beam-size", "3", "--alternatives", "2"]
    plain = run_here("translate", *MODEL, "--beam-size", "3", text=f"{TEXT}\n")
    ended = run_here("translate", *MODEL, *arguments, text=f"{TEXT}\n\n")
    line, blank, rest = ended.stdout.split("\n")
    texts = line.split("\t")
    assert texts[0] == plain.stdout.rstrip("\n")
    assert len(set(texts)) == len(texts) == 3
    assert blank == rest == ""


def test_translate_writes_details_as_the_api_does() -> None:
    plain = run_here("translate", *MODEL, text=f"{TEXT}\n\n").stdout.split("\n")
    ended = run_here("translate", *MODEL, "--details", text=f"{TEXT}\n\n")
    assert ended.returncode == 0, ended.stderr
    first, blank, rest = ended.stdout.split("\n")
    reply = TranslateReply.model_validate_json(first)
    assert reply.translatedText == plain[0]
    assert reply.details
    assert json.loads(blank) == {"translatedText": "", "details": []}
    assert rest == ""


def test_translate_warns_of_doubtful_sentences_and_succeeds(tmp_path: Path) -> None:
    doubt = {"bias": 0, "mean_weight": 1, "total_weight": 0, "low_word": 0}
    folder = altered_copy(tmp_path / "unsure", doubt=doubt)
    languages = ["--source", "en", "--target", "de", "--bundles", str(folder)]
    ended = run_here("translate", *languages, "--warn", text=f"\n{TEXT}\n")
    assert ended.returncode == 0
    _, translation, _ = ended.stdout.split("\n")
    (warning,) = ended.stderr.strip().splitlines()
    assert re.match(r"line 2: confidence 0\.[0-4]\d; unsure of \w+", warning)
    assert warning.endswith(f": {translation}")
    assert run_here("translate", *languages, text=f"\n{TEXT}\n").stdout == ended.stdout


def test_a_sure_translation_is_not_warned_of(tmp_path: Path) -> None:
    doubt = {"bias": 100, "mean_weight": 0, "total_weight": 0, "low_word": -100}
    folder = altered_copy(tmp_path / "sure", doubt=doubt)
    languages = ["--source", "en", "--target", "de", "--bundles", str(folder)]
    ended = run_here("translate", *languages, "--warn", text="The dog sees the cat.\n")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_translate_writes_many_lines_in_order() -> None:
    words = [*TEXT.split()] * 100
    alone = run_here("translate", *MODEL, text="\n".join(dict.fromkeys(words)) + "\n")
    expected = dict(zip(dict.fromkeys(words), alone.stdout.splitlines(), strict=True))
    together = run_here("translate", *MODEL, text="\n".join(words) + "\n")
    assert together.stdout.splitlines() == [expected[word] for word in words]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["translate", *MODEL, "/no/such/file"], 2, "there is no file /no/such/file"),
        (["translate", *MODEL, "--beam-size", "99"], 1, "beam_size"),
        (["translate", *MODEL, "--max-target-tokens", "-1"], 1, "max_target_tokens is -1"),
        (["translate", *MODEL, "--min-target-tokens", "-1"], 1, "min_target_tokens is -1"),
        (["translate", "--source", "xx", "--target", "yy", *MODEL[4:]], 1, "xx is not supported"),
        (["translate", *MODEL[:4], "--bundles", "/no/such"], 2, "/no/such"),
        (["translate", *MODEL, "--warn", "--ray"], 2, "--details and --warn apply to lines"),
        (["translate", *MODEL, "--columns", "a"], 2, "apply to documents: add --output"),
        (["attention", TEXT, *MODEL, "--layers", "99"], 1, "layer 99 does not exist"),
        (["attention", TEXT, *MODEL, "--output", "map.jpg"], 2, ".json, .npz, .svg, .png, .html"),
        (["attention", TEXT, *MODEL, "-o", "/"], 2, "--output /: it is a directory"),
        (["attention", TEXT, *MODEL, "-o", "nowhere/map.png"], 2, "no folder nowhere"),
        (["translate", "--source", "en", "--target", "fr", *MODEL[4:]], 1, "from en to de"),
        (["translate", *MODEL, "/"], 2, "/ is a directory"),
        (["score", TEXT, TEXT, *MODEL[2:]], 1, "name the source language, one of en"),
        (["attention", TEXT, *MODEL, "--kinds", "all"], 1, "encoder, decoder, cross"),
    ],
)
def test_failure_is_one_line(arguments: list[str], code: int, message: str) -> None:
    ended = run_here(*arguments, text=f"{TEXT}\n")
    assert ended.returncode == code
    (line,) = ended.stderr.splitlines()
    assert message in line


def test_of_many_bundles_only_those_are_loaded_that_the_languages_need(tmp_path: Path) -> None:
    """Languages may be spelt in any way; a fault of another bundle does not matter."""
    renamed_copy(tmp_path / "whole", "en", "zh-hant")
    broken = renamed_copy(tmp_path / "broken", "en", "fr")
    weights = broken / WEIGHTS_NAME
    weights.write_bytes(bytes(weights.stat().st_size))
    flags = ("--bundles", str(tmp_path), "--workers", "1", "--source", "eng", "--target")
    good = run_command("translate", *flags, "zh-TW", text=f"{TEXT}\n")
    assert (good.returncode, good.stderr) == (0, "")
    bad = run_command("translate", *flags, "fr_CA", text=f"{TEXT}\n")
    assert bad.returncode == 2
    assert f"{WEIGHTS_NAME}: sha256 differs from the manifest" in bad.stderr
    unknown = run_command("translate", *flags, "sw", text=f"{TEXT}\n")
    assert unknown.returncode == 1
    assert "sw is not supported: this server translates from en to fr, zh-hant" in unknown.stderr


def test_line_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes(f"{TEXT}\n".encode() + b"\xfc\n")
    ended = run_here("translate", *MODEL, str(path))
    assert (ended.returncode, ended.stderr) == (1, "pellucid: line 2 is not UTF-8\n")
    assert len(ended.stdout.splitlines()) == 1


def test_translate_answers_each_line_at_once_and_ends_on_ctrl_c() -> None:
    with subprocess.Popen(
        command("translate", *MODEL),
        cwd=REPOSITORY,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{TEXT}\n")
        process.stdin.flush()
        assert process.stdout.readline().strip()  # while more could still be typed
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.communicate() == ("", "")


def test_attention_prints_the_json_of_the_api() -> None:
    ended = run_here("attention", TEXT, *MODEL, "--kinds", "cross", "encoder")
    assert ended.returncode == 0, ended.stderr
    reply = json.loads(ended.stdout)
    shape = MANIFEST.architecture
    assert (len(reply["cross"]), len(reply["cross"][0])) == (
        shape.num_decoder_layers,
        shape.num_heads,
    )
    assert len(reply["encoder"]) == shape.num_encoder_layers
    for row in reply["cross"][0][0]:
        assert len(row) == len(reply["source_tokens"])
        assert sum(row) == pytest.approx(1, abs=1e-4)


def test_attention_writes_a_file_also_by_the_former_name_of_the_flag(tmp_path: Path) -> None:
    out = tmp_path / "maps.json"
    ended = run_here("attention", TEXT, *MODEL, "--translation", TEXT, "--out", str(out))
    assert (ended.returncode, ended.stdout) == (0, "")
    assert json.loads(out.read_text(encoding="utf-8"))["translation"] == TEXT


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".svg", b"<svg "), (".png", b"\x89PNG"), (".html", b"<!doctype html>"), (".NPZ", b"PK")],
)
def test_the_suffix_says_what_attention_writes(tmp_path: Path, suffix: str, start: bytes) -> None:
    out = tmp_path / f"map{suffix}"
    ended = run_here("attention", TEXT, *MODEL, "--words", "--output", str(out))
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert out.read_bytes().startswith(start)


def test_attention_prints_a_table() -> None:
    reply = json.loads(run_here("attention", TEXT, *MODEL, "--reduce", "all").stdout)
    header, *rows = run_here("attention", TEXT, *MODEL, "--table").stdout.splitlines()
    assert header.split() == reply["source_tokens"]
    assert [row.split()[0] for row in rows] == reply["target_tokens"]


def _install(folder: Path, name: str, code: str) -> Path:
    """A distribution in `folder` that brings the command `name`."""
    (folder / f"{name}_command.py").write_text(code, encoding="utf-8")
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n", encoding="utf-8")
    entry = f"[{COMMANDS_GROUP}]\n{name} = {name}_command:register\n"
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    return folder


def test_other_packages_add_commands(tmp_path: Path) -> None:
    path = str(_install(tmp_path, "greet", GREET))
    assert "say hello" in run_command("--help", PYTHONPATH=path).stdout
    ended = run_command("greet", "--name", "you", PYTHONPATH=path)
    assert (ended.returncode, ended.stdout) == (7, "hello you\n")


GREET = """
def register(commands):
    parser = commands.add_parser("greet", help="say hello")
    parser.add_argument("--name")
    parser.set_defaults(run=lambda given: print("hello", given.name) or 7)
"""
AT_IMPORT = "import no_such_package\n"
WHEN_RUN = """
def register(commands):
    def run(given):
        import no_such_package
    commands.add_parser("greet", help="say hello").set_defaults(run=run)
"""


@pytest.mark.parametrize("code", [AT_IMPORT, WHEN_RUN], ids=["at import", "when run"])
def test_command_without_its_packages_says_how_to_get_them(tmp_path: Path, code: str) -> None:
    path = str(_install(tmp_path, "greet", code))
    assert "greet" in run_command("--help", PYTHONPATH=path).stdout
    ended = run_command("greet", PYTHONPATH=path)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "`pellucid greet` needs no_such_package" in line
    assert "pip install" in line


def large_file(folder: Path) -> tuple[Path, list[str]]:
    """A file for which engine processes are started, and its lines."""
    words = TEXT.split()
    lines = [" ".join((words * 3)[n % len(words) :][: 5 + n % 7]) for n in range(2000)]
    path = folder / "large.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert path.stat().st_size > LARGE_BYTES
    return path, lines


def test_a_large_file_is_translated_by_engine_processes_in_order(tmp_path: Path) -> None:
    path, lines = large_file(tmp_path)
    different = tmp_path / "different.txt"
    different.write_text("\n".join(dict.fromkeys(lines)) + "\n", encoding="utf-8")
    alone = run_here("translate", *MODEL, "--engines", "0", str(different))
    expected = dict(zip(dict.fromkeys(lines), alone.stdout.splitlines(), strict=True))
    arguments = command("translate", *MODEL[:-2], "--workers", "2", str(path))
    with subprocess.Popen(
        arguments,
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert len(engines_of(process.pid)) == 2
        assert (first + process.stdout.read()).splitlines() == [expected[line] for line in lines]
    assert process.returncode == 0


def parsed(*arguments: str) -> argparse.Namespace:
    return _build_parser()[0].parse_args([*arguments, *MODEL])


@pytest.mark.parametrize("arguments", [["translate"], ["attention", TEXT], ["score"]])
def test_small_work_is_done_in_this_process(arguments: list[str]) -> None:
    assert local_settings(parsed(*arguments)).engines == 0


def test_the_size_of_the_files_decides_where_they_are_translated(tmp_path: Path) -> None:
    path, _ = large_file(tmp_path)
    small = tmp_path / "small.txt"
    small.write_text(TEXT, encoding="utf-8")
    assert local_settings(parsed("translate"), size_of([small])).engines == 0
    assert local_settings(parsed("translate"), size_of([small, path])).engines is None


@pytest.mark.parametrize(("num_bytes", "num_engines"), [(1 << 20, 0), (1, 3)])
def test_a_flag_or_a_variable_decides_before_the_size(
    num_bytes: int, num_engines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = parsed("translate", "--engines", str(num_engines))
    assert local_settings(given, num_bytes).engines == num_engines
    monkeypatch.setenv("PELLUCID_ENGINES", str(num_engines))
    assert local_settings(parsed("translate"), num_bytes).engines == num_engines


def test_a_queue_that_is_smaller_than_the_work_refuses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(f"{TEXT} {TEXT}\n" * 50, encoding="utf-8")
    ended = run_here("translate", *MODEL, str(path), PELLUCID_MAX_QUEUED_JOBS="8")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 50)


def test_ctrl_c_ends_a_translation_by_engine_processes_quietly(tmp_path: Path) -> None:
    path, _ = large_file(tmp_path)
    with subprocess.Popen(
        command("translate", *MODEL[:-2], "--engines", "2", "--beam-size", "8", str(path)),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        children = engines_of(process.pid)
        assert len(children) == 2
        for pid in (process.pid, *children):
            os.kill(pid, signal.SIGINT)
        _, complaint = process.communicate(timeout=LONGEST_S)
    assert (process.returncode, "Traceback" in complaint) == (130, False)
    assert all(map(is_gone, children))
