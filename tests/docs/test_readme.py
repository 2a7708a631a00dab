"""The README's commands, run as a stranger runs them: in a fresh checkout, in its order."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
TREE = ("pyproject.toml", "README.md", "LICENSE", "pellucid", "bundle", "bundles", "service",
        "model", "export")  # fmt: skip
ADDRESS = "localhost:8000"
STRICT = "set -euo pipefail\n"
PYTHON = """\
#!/bin/sh
{python} "$@" && cd .venv/lib/python*/site-packages || exit
rm -r setuptools* pkg_resources 2>/dev/null
printf '%s\\n' {packages} >dependencies.pth
"""
"""`python3` whose environments find the packages of the tests: nothing is downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A copy of the tree, with `.venv` in it after the first block."""

    folder: Path
    port: int

    def run(self, script: str) -> str:
        """What commands print."""
        done = subprocess.run(
            ["bash", "-c", STRICT + script.replace(ADDRESS, f"127.0.0.1:{self.port}")],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, script + done.stdout + done.stderr
        return done.stdout

    @property
    def variables(self) -> dict[str, str]:
        """Of the environment: no package index, no models of this machine's user."""
        commands = (self.folder / "commands", self.folder / ".venv" / "bin")
        return {
            "PATH": os.pathsep.join([*map(str, commands), os.environ["PATH"]]),
            "HOME": str(self.folder),
            "PELLUCID_PORT": str(self.port),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The environment is made by the README's own command."""
    folder = tmp_path_factory.mktemp("readme")
    ignored = shutil.ignore_patterns("__pycache__")
    for path in map(REPOSITORY.__truediv__, TREE):
        if path.is_dir():
            shutil.copytree(path, folder / path.name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(path, folder)
    shim = folder / "commands" / "python3"
    shim.parent.mkdir()
    packages = distribution("setuptools").locate_file("")
    shim.write_text(PYTHON.format(python=sys.executable, packages=packages), encoding="utf-8")
    shim.chmod(0o755)
    made = Checkout(folder=folder, port=_free_port())
    made.run(BLOCKS[0].replace(".venv/bin/pellucid serve", "true"))
    return made


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def server(checkout: Checkout) -> Iterator[None]:
    """What the README's second command starts."""
    command = BLOCKS[0].strip().splitlines()[-1].split()
    with subprocess.Popen(
        command,
        cwd=checkout.folder,
        env=checkout.variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stderr is not None
            assert any("/docs " in line for line in process.stderr), "it ended before it served"
            yield
        finally:
            process.terminate()


def test_two_commands_are_the_first_ones() -> None:
    assert len(BLOCKS[0].strip().splitlines()) == 2
    assert BLOCKS[0].strip().splitlines()[1] == ".venv/bin/pellucid serve"


def test_the_table_of_figures_is_short() -> None:
    section = README.partition("## How good, how fast")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert 0 < len(rows) - 2 <= 8


def test_the_first_screen_says_what_the_embedded_model_is() -> None:
    first = "\n".join(README.splitlines()[:20])
    assert "demonstration" in first
    assert "two CPU cores" in first
    assert "pellucid install en-de" in first


@pytest.mark.slow
@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("block", BLOCKS[1:])
def test_a_block_runs_in_a_fresh_checkout(checkout: Checkout, block: str) -> None:
    printed = checkout.run(block)
    if "curl" in block:
        answer = README.partition(block)[2].partition("```\n```\n")[2].partition("\n```")[0]
        assert printed == answer
        return
    assert "Das Wetter ist heute schön." in printed
    translated = (checkout.folder / "LIESMICH.md").read_text(encoding="utf-8")
    assert translated.startswith('# <span translate="no">Pellucid</span>\n')
    assert (checkout.folder / "map.png").read_bytes().startswith(b"\x89PNG")
