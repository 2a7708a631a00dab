"""A table with one row for each sentence, for a spreadsheet or `sort`."""

from collections.abc import Sequence
from pathlib import Path

from export.evaluation.outputs import System
from export.evaluation.scores import Scoring, sentence_scores
from export.evaluation.texts import TestText

_COLUMNS = ("bleu", "chrf", "fault", "output")


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
    lines = ["\t".join(cell.replace("\t", " ") for cell in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
