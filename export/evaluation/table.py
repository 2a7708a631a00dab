"""A table with one row for each sentence, for a spreadsheet or `sort`."""

from collections.abc import Sequence
from pathlib import Path

from export.evaluation.errors import EvaluationError
from export.evaluation.outputs import System
from export.evaluation.scores import Scoring, sentence_scores
from export.evaluation.texts import TestText

_COLUMNS = ("bleu", "chrf", "fault", "output")


def check_writable(path: Path) -> None:
    """Check that a table can be written, before minutes of translation.

    Raises:
        EvaluationError: `path` is a folder, or lies in none.
    """
    if path.is_dir():
        raise EvaluationError(f"--table {path} is a folder: name a file")
    if not path.parent.is_dir():
        raise EvaluationError(f"--table {path}: there is no folder {path.parent}")


def write_table(path: Path, systems: Sequence[System], text: TestText, scoring: Scoring) -> None:
    """Write tab-separated line numbers, texts and the scores of one or two systems to `path`."""
    names = [f"{name}{suffix}" for suffix in ("", "_2")[: len(systems)] for name in _COLUMNS]
    references = [f"reference_{i + 1}" for i in range(len(text.references))]
    rows = [["line", *names, "source", *references]]
    scored = [sentence_scores(system, text, scoring) for system in systems]
    for i, source in enumerate(text.sources):
        row = [str(i + 1)]
        for system, scores in zip(systems, scored, strict=True):
            bleu, chrf = scores[i]
            output = system.outputs[i]
            row += [f"{bleu:.2f}", f"{chrf:.2f}", output.fault, output.text]
        rows.append([*row, source, *(reference[i] for reference in text.references)])
    # A carriage return within a sentence ends a row in a spreadsheet.
    plain = str.maketrans("\t\r", "  ")
    lines = ["\t".join(cell.translate(plain) for cell in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
