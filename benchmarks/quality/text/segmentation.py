r"""Sentence segmentation by several libraries, beside the service's.

    PYTHONPATH=. python benchmarks/quality/text/segmentation.py \
        --sentences en=news.en --sentences de=news.de

(pysbd installs a package `benchmarks` of its own, which `python -m` would find.)

Without arguments only the table of the tests is used. Libraries that are not installed are skipped.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

from service.text.segmentation.splitter import split

Segmenter = Callable[[str, str], Sequence[str]]
"""Sentences of a text in a language, with the white space behind them if they keep it."""

_TABLE = Path(__file__).parents[3] / "tests/service/text/segmentation/sentence_ends.tsv"
_LINES_A_PARAGRAPH = 20
_NUM_RANDOM = 2_000
_SPEED_CHARS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A line of text, and the offsets of its sentences."""

    language: str
    text: str
    starts: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Result of a segmenter on some cases."""

    num_right: int
    num_cases: int
    num_cut_in_two: int
    num_left_together: int
    num_ends: int


def main() -> None:
    """Print one row for each segmenter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", action="append", default=[], metavar="LANGUAGE=FILE")
    files = [argument.partition("=")[::2] for argument in parser.parse_args().sentences]
    sets = {"table": list(_table_cases())}
    for language, path in files:
        sets[f"{language} {Path(path).stem}"] = list(_paragraphs(language, Path(path)))
    for name, segmenter in _segmenters():
        kept = [_keeps(segmenter, text) for text in _random_texts()]
        print(f"{name}: {_speed(segmenter):.2f} M characters/s; of {_NUM_RANDOM} random texts")
        print(f"    {kept.count(None)} failed, {kept.count(False)} came back changed")
        for title, cases in sets.items():
            print(f"    {title:24} {_line(_score(segmenter, cases))}")


def _segmenters() -> Iterator[tuple[str, Segmenter]]:
    yield "ours", lambda text, language: [s.text + s.separator for s in split(text, language)]
    if find_spec("sentencex"):
        import sentencex

        yield "sentencex", lambda text, language: sentencex.segment(language, text)
    if find_spec("pysbd"):
        yield "pysbd", _pysbd()
    if find_spec("syntok"):
        from syntok import segmenter

        yield (
            "syntok",
            lambda text, _: [
                "".join(f"{token.spacing}{token.value}" for token in sentence)
                for paragraph in segmenter.analyze(text)
                for sentence in paragraph
            ],
        )


def _pysbd() -> Segmenter:
    import pysbd

    segmenters: dict[str, pysbd.Segmenter] = {}

    def segment(text: str, language: str) -> Sequence[str]:
        if language not in segmenters:
            segmenters[language] = pysbd.Segmenter(language=language, clean=False, char_span=True)
        return [span.sent for span in segmenters[language].segment(text)]

    return segment


def _keeps(segmenter: Segmenter, text: str) -> bool | None:
    """Whether the sentences are the text; None: it failed."""
    try:
        return "".join(segmenter(text, "en")) == text
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def _table_cases() -> Iterator[Case]:
    for line in _TABLE.read_text("utf-8").splitlines():
        language, _, marked = line.partition("\t")
        yield _case(language, marked.split("¦"))


def _paragraphs(language: str, path: Path) -> Iterator[Case]:
    """Lines of a file, some of them joined with spaces."""
    all_lines = path.read_text("utf-8").splitlines()
    for start in range(0, len(all_lines), _LINES_A_PARAGRAPH):
        lines = all_lines[start : start + _LINES_A_PARAGRAPH]
        yield _case(language, [*(f"{line} " for line in lines[:-1]), lines[-1]])


def _case(language: str, sentences: Sequence[str]) -> Case:
    starts = list(accumulate(map(len, sentences)))[:-1]
    return Case(language=language, text="".join(sentences), starts=frozenset(starts))


def _score(segmenter: Segmenter, cases: Sequence[Case]) -> Score:
    found = [_starts(case.text, segmenter(case.text, case.language)) for case in cases]
    pairs = list(zip(cases, found, strict=True))
    return Score(
        num_right=sum(case.starts == starts for case, starts in pairs),
        num_cases=len(cases),
        num_cut_in_two=sum(len(starts - case.starts) for case, starts in pairs),
        num_left_together=sum(len(case.starts - starts) for case, starts in pairs),
        num_ends=sum(len(case.starts) for case in cases),
    )


def _starts(text: str, sentences: Sequence[str]) -> set[int]:
    starts, position = set(), 0
    for sentence in sentences:
        found = text.find(sentence.strip(), position)
        position = max(found, position)
        starts.add(position)
        position += len(sentence.strip())
    return starts - {0}


def _line(score: Score) -> str:
    return (
        f"{score.num_right}/{score.num_cases} right, "
        f"cut in two {score.num_cut_in_two} ({score.num_cut_in_two / score.num_ends:.1%}), "
        f"left together {score.num_left_together} ({score.num_left_together / score.num_ends:.1%})"
    )


def _random_texts() -> Iterator[str]:
    generator = random.Random(0)
    for _ in range(_NUM_RANDOM):
        marks = generator.choices(list("aA1 .!?\"')(\n。」é\x00\u2003"), k=40)
        yield "".join(marks)


def _speed(segmenter: Segmenter) -> float:
    """Million characters per second, of prose in one line."""
    prose = " ".join(case.text for case in _table_cases() if case.language == "en")
    paragraph = (prose + " ") * (_SPEED_CHARS // 10 // len(prose))
    start = time.perf_counter()
    for _ in range(10):
        segmenter(paragraph, "en")
    return 10 * len(paragraph) / (time.perf_counter() - start) / 1e6


if __name__ == "__main__":
    main()
