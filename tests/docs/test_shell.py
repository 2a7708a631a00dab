"""Every command in README and documents runs, or says why it does not.

What cannot run to its end here runs as far as it can: a command of containers until it asks for
the engine, one of a cluster until it asks for that, one that measures or trains until its arguments
are read. A command that neither runs nor has a reason in `NOT_RUN` fails.
"""

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from service.settings import load_settings
from tests.docker.composition import compose
from tests.docs.shell import DOCUMENTS, REPOSITORY, Block, Command, blocks, commands
from tests.kubernetes.manifests import rendered, run_helm
from tests.service.command_line import run_here
from tests.service.server_process import serving
from tests.service.tiny_models import altered_copy
from tests.service.waiting import eventually

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
RUN_WHOLE = {
    "README.md": "tests/docs/test_readme.py",
    "docs/attention.md": "tests/end_to_end/test_docs.py",
    "docs/api.md": "tests/end_to_end/test_docs.py",
    "docs/clients.md": "tests/end_to_end/test_docs.py",
}
"""Documents, and the test that runs their blocks as they are."""
NOT_RUN = {
    r"(python3? -m venv|\S*pip install) ": (
        "it downloads packages; the README's is run without a network",
        "tests/docs/test_readme.py",
    ),
    r"(useradd|install|systemctl) ": (
        "it changes this machine; the unit itself is checked",
        "tests/docker/test_systemd.py",
    ),
    r"(mkdir mirror|cd mirror|curl|jq) ?": (
        "it downloads models; a mirror of the tests is installed from",
        "tests/export/installation/test_install.py",
    ),
    r"docker buildx ": (
        "it needs BuildKit and QEMU; the same file is built for this machine",
        "tests/docker/test_image.py",
    ),
    r"(ray start|serve run) ": (
        "it needs Ray and a network of its own: make test-ray",
        "tests/service/cluster/test_ray_serve.py",
    ),
    r"pellucid (import|install) ": (
        "it needs a published model; small ones are imported",
        "tests/export/importers/test_cli.py",
    ),
    r"pellucid (train|average|export|evaluate|heads) ": (
        "it takes hours, or what took them; a toy language is trained, exported and served",
        "tests/end_to_end/test_copy_model.py",
    ),
    r"pellucid checkpoint ": (
        "it writes 36 MB; a small bundle's checkpoint is written and translates",
        "tests/export/recovery/test_checkpoint.py",
    ),
    r"torchrun ": (
        "it takes hours; two processes train a toy language",
        "tests/model/test_torchrun.py",
    ),
    r"pellucid serve(?! --help)": ("it ends with the server", "tests/docs/test_readme.py"),
    r"pellucid translate .*--ray ": (
        "it needs Ray and a network of its own: make test-ray",
        "tests/service/cluster/test_ray_serve.py",
    ),
    r"cp model/configs/": ("it copies a file of the tree into the data of a training run", ""),
    r"export \w+=": ("it sets a variable of the lines below it", ""),
}
"""By the beginning of a command: the reason, and a test that comes close, if there is one."""
STORED = re.compile(r"^pellucid (keys|glossary|memory) ", re.MULTILINE)
OF_MEMORY = "localhost:8000/memory"
KEY_ID = "1f2e3d4c5b6a"
WITHOUT_ENGINE = re.compile(r"Cannot connect to the Docker daemon|failed to connect to the docker")


class _ReadError(Exception):
    """The arguments of a program are read, and nothing else is done."""


def _is_run_whole(block: Block) -> bool:
    """Whether another test runs a block."""
    if block.document in ("README.md", "docs/attention.md"):
        return "pellucid heads" not in block.script
    is_asked = block.document in RUN_WHOLE and block.script.startswith("curl ")
    return is_asked and OF_MEMORY not in block.script


def _is_run_together(block: Block) -> bool:
    """Whether the lines of a block depend on each other, and run together below."""
    script = block.script
    return bool(STORED.search(script)) or "kill -HUP" in script or OF_MEMORY in script


ALONE = [
    command
    for block in BLOCKS
    if not _is_run_whole(block) and not (_is_run_together(block) and "kubectl" not in block.script)
    for command in commands(block)
]


def _run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program without engine, cluster or an outer make."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        words,
        cwd=REPOSITORY,
        env={**kept, "DOCKER_HOST": "unix:///no-engine", "KUBECONFIG": os.devnull, **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def _read_by(module: str, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Has a program read its arguments; a wrong one ends it with a message."""
    read = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, *given: Sequence[str]) -> None:
        read(self, *given)
        raise _ReadError

    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", [module, *words])
        with pytest.raises(_ReadError):
            importlib.import_module(module).main()


def _python(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    words = command.words
    _, flag, module, *rest = words[words.index("python") :]
    assert flag == "-m"
    _read_by(module, rest, monkeypatch)


def _make(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs `make help`; of other verbs the recipe is expanded, and its programs are asked."""
    words = command.words
    if words[1] == "help":
        assert "make serve" in _run(*words).stdout
        return
    done = _run(words[0], "--dry-run", "--always-make", *words[1:])
    assert done.returncode == 0, done.stderr
    recipe = done.stdout.replace("\\\n", " ").splitlines()
    assert recipe
    # The last lines are the verb's own; those before them install what it needs.
    for line in recipe[-2:]:
        if found := re.search(r"python -m ((?:benchmarks|tests)\S*)(.*)", line):
            _read_by(found[1], shlex.split(found[2]), monkeypatch)
        elif found := re.match(r"\S*bin/pellucid (.*)", line):
            assert run_here(*shlex.split(found[1]), "--help").returncode == 0
            _read_by("service.cli.main", shlex.split(found[1]), monkeypatch)
        elif line.startswith("docker "):
            _docker(Command(where=command.where, line=line), monkeypatch)


def _docker(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs until there is no engine: flags, files and names of services are read before."""
    del monkeypatch
    line = command.line.replace("$PWD", str(REPOSITORY)).replace("$replica", "pellucid-1")
    words = Command(where="", line=line).words
    program = [compose(), *words[2:]] if words[1] == "compose" else words
    done = _run(*program)
    assert done.returncode != 0
    assert WITHOUT_ENGINE.search(done.stderr), done.stderr


def _kubectl(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creates without a cluster; renders what is applied; reads the flags of all else."""
    del monkeypatch
    program = str(Path(sys.executable).with_name("kubectl"))
    words = command.words[1:]
    if "create" in words:
        made = [word.replace("file=keys", "file=keys=/dev/null") for word in words]
        done = _run(program, *made, "--dry-run=client", "--output=name")
        assert done.returncode == 0, done.stderr
    elif "--kustomize" in words:
        folder = words[words.index("--kustomize") + 1]
        assert rendered(folder.removeprefix("docker/kubernetes/")).objects
    else:
        assert "was refused" in _run(program, *words).stderr


def _helm(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders the chart with the values of the command, where Helm's library is installed."""
    del monkeypatch
    values: dict[str, dict[str, str]] = {}
    words = command.words
    for flag, given in pairwise(words):
        if flag == "--set":
            (part, name), value = given.partition("=")[0].split("."), given.partition("=")[2]
            values.setdefault(part, {})[name] = value
    done = run_helm(values, name=words[2])
    assert done.returncode == 0, done.stderr
    assert "registry.example/pellucid" in done.stdout


def _serve(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a server are read."""
    with monkeypatch.context() as patch:
        for name, value in command.variables.items():
            patch.setenv(name, value)
        assert load_settings({}).load == "first_use"


def _generate(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    assert len(run_here(*command.words[1:4]).stdout.splitlines()) == 3


RUNNERS: dict[str, Callable[[Command, pytest.MonkeyPatch], None]] = {
    r"make ": _make,
    r"(?!.*torchrun).*\bpython -m (benchmarks|model)\.": _python,
    r"docker (?!buildx)": _docker,
    r"kubectl ": _kubectl,
    r"helm ": _helm,
    r"PELLUCID_LOAD=": _serve,
    r"pellucid keys generate ": _generate,
}
"""By the beginning of a command: what runs it."""


def _found(line: str) -> tuple[list[str], list[str]]:
    """The patterns of runners, and those of reasons."""
    tables: tuple[dict[str, object], ...] = ({**RUNNERS}, {**NOT_RUN})
    runners, reasons = ([p for p in table if re.match(p, line)] for table in tables)
    return runners, reasons


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_block_is_a_script(block: Block) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block.script, capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ALONE, ids=lambda command: f"{command.where}: {command.line}")
def test_a_command_runs_or_says_why_not(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    runners, reasons = _found(command.line)
    assert len(runners) + len(reasons) == 1, "it needs a runner, or a reason not to be run"
    if reasons:
        pytest.skip(NOT_RUN[reasons[0]][0])
    RUNNERS[runners[0]](command, monkeypatch)


@pytest.mark.parametrize("line", ["make fly", "docker run --fly x", "kubectl label --fly x",
                                  "docker compose -f docker/compose.yaml up pellucid-9",
                                  "python -m benchmarks.quality.by_set --fly"])  # fmt: skip
def test_a_wrong_command_is_found(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (runner,), _ = _found(line)
    with pytest.raises((AssertionError, SystemExit)):
        RUNNERS[runner](Command(where="", line=line), monkeypatch)


def test_no_reason_is_left_of_a_command_that_is_gone() -> None:
    lines = [command.line for command in ALONE]
    assert _found("pellucid fly") == ([], [])
    unused = [p for p in (*RUNNERS, *NOT_RUN) if not any(re.match(p, line) for line in lines)]
    assert unused == []
    proofs = [proof for _, proof in NOT_RUN.values() if proof] + [*RUN_WHOLE.values()]
    assert [proof for proof in proofs if not (REPOSITORY / proof).exists()] == []


def test_no_command_hides_in_a_block_without_a_language() -> None:
    programs = re.compile(r"(pellucid|make|python3?|pip|docker|kubectl|curl|ray) (?!─)")
    texts = [(name, (REPOSITORY / name).read_text(encoding="utf-8")) for name in DOCUMENTS]
    fenced = [
        (name, found[1])
        for name, text in texts
        for found in re.finditer(r"^```\n(.*?)^```$", _in_pairs(text), re.MULTILINE | re.DOTALL)
    ]
    assert fenced
    assert [(name, code) for name, code in fenced if programs.match(code)] == []


def _in_pairs(text: str) -> str:
    """The blocks without a language, and nothing else."""
    kept = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "".join(f"```\n{code}```\n" for language, code in kept if not language)


def _put_files(folder: Path) -> None:
    unit = (
        '<tu><tuv xml:lang="en"><seg>Yes.</seg></tuv><tuv xml:lang="de"><seg>Ja.</seg></tuv></tu>'
    )
    memory = f'<tmx version="1.4"><header srclang="en"/><body>{unit}</body></tmx>'
    (folder / "engines.tsv").write_text("engine\tTriebwerk\n", encoding="utf-8")
    (folder / "names.csv").write_text("Munich,München\n", encoding="utf-8")
    for name in ("product.tmx", "team.tmx"):
        (folder / name).write_text(memory, encoding="utf-8")


def _run_stored(block: Block, folder: Path, key_id: str) -> list[str]:
    """Runs a block of `pellucid` in a folder; returns what its lines print."""
    variables: dict[str, str] = {}
    printed = []
    for command in commands(block):
        line = command.line.replace("/var/lib/pellucid", str(folder)).replace(KEY_ID, key_id)
        if line.startswith("export "):
            name, _, variables[name] = line.removeprefix("export ").partition("=")
            continue
        words = shlex.split(line.partition(" > ")[0])
        done = run_here(*words[1:], **variables)
        assert done.returncode == 0, line + done.stderr
        printed.append(done.stdout)
    return printed


def test_keys_glossaries_and_memory_of_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    stored = [b for b in BLOCKS if STORED.search(b.script) and "kubectl" not in b.script]
    assert [b.document for b in stored] == ["docs/operations.md"] * 3
    store = f"{tmp_path}/keys.db"
    run_here("keys", "add", "first", "--key-store", store)
    ids = run_here("keys", "list", "--key-store", store).stdout.splitlines()
    key_id = ids[-1].split()[0]
    keys, glossaries, memory = (_run_stored(block, tmp_path, key_id) for block in stored)
    assert "Translation team" in keys[1]
    assert "engines" in glossaries[2] and "names" in glossaries[2]
    assert "Ja." in memory[3]


def test_a_bundle_is_replaced_as_the_document_says(tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if "kill -HUP" in block.script]
    for name in ("bundles", "releases"):
        (tmp_path / name).mkdir()
    (tmp_path / "bundles/en-de").symlink_to(altered_copy(tmp_path / "releases/en-de", name="old"))
    altered_copy(tmp_path / "en-de-2", name="new")
    with serving(tmp_path, "--bundles", str(tmp_path / "bundles")) as server:
        subprocess.run(
            ["bash", "-euc", block.script.replace("/srv/pellucid", str(tmp_path))],
            cwd=tmp_path,
            env={**os.environ, "PID": str(server.process.pid)},
            check=True,
        )
        eventually(lambda: server.metric('pellucid_reloads_total{outcome="swapped"}') == 1)


def test_a_memory_is_filled_and_emptied_by_requests(tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if OF_MEMORY in block.script]
    _put_files(tmp_path)
    flags = ("--memory", str(tmp_path / "memory.db"), "--client-memory", "true")
    with serving(tmp_path, *flags) as server:
        address = server.url.removeprefix("http://")
        script = block.script.replace("curl ", "curl --fail-with-body ")
        subprocess.run(
            ["bash", "-euc", script.replace("localhost:8000", address)], cwd=tmp_path, check=True
        )
    assert "Ja." in (tmp_path / "team.tmx").read_text(encoding="utf-8")
