"""Runs COMET as a program: it needs an older numpy than ours, so another environment.

The program downloads its model where it is given a name instead of a file.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from export.evaluation.errors import EvaluationError
from export.evaluation.texts import TestText

PROGRAM = "comet-score"


def comet_score(texts: Sequence[str], text: TestText, model: str) -> float:
    """Score translations against the first reference with `comet-score`.

    Raises:
        EvaluationError: It is not installed, fails, or prints no score.
    """
    program = find_program()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {"sources": text.sources, "translations": texts, "references": text.references[0]}
        paths = [_write(folder / side, lines) for side, lines in sides.items()]
        flags = ["--quiet", "--only_system", "--model", model]
        files = [part for pair in zip(("-s", "-t", "-r"), paths, strict=True) for part in pair]
        done = subprocess.run(
            [program, *files, *flags], capture_output=True, text=True, check=False
        )
    try:
        return float(done.stdout.split()[-1])
    except (IndexError, ValueError) as error:
        reason = (done.stderr or done.stdout).strip().splitlines()
        last = reason[-1] if reason else "nothing"
        raise EvaluationError(f"{PROGRAM} gave no score; it printed: {last}") from error


def find_program() -> str:
    """Path of `comet-score`.

    Raises:
        EvaluationError: It is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise EvaluationError(
            f"--comet needs the program {PROGRAM}: install unbabel-comet in an environment of its "
            "own, as with `pipx install unbabel-comet`"
        )
    return program


def _write(path: Path, lines: Sequence[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)
