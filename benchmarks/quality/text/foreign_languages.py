"""How often a language that is not served is recognised, and a served one called foreign.

    python -m benchmarks.quality.text.foreign_languages PAIRS.tsv.xz ... --locales /usr/share/locale

Served are English and German: both sides of the pairs, whole and their first one to four words.
Foreign are messages of programs in other languages, from the catalogues of an operating system.
"""

import argparse
import gettext
import lzma
import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from service.text.detection import Detector

SERVED = ("en", "de")
FOREIGN = "fr es it nl sv da pl pt cs ru ja tr fi hu uk ro el ko ca nb zh_CN hr sk".split()  # noqa: SIM905
BUCKETS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 9), (10, 999))
_PAIRS_OF_A_FILE = 2_500
_MESSAGES_OF_A_LANGUAGE = 300
_NO_SENTENCE = re.compile(r"[%{<\\\n-]|iso")


def main() -> None:
    """Prints a row for each number of words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path, nargs="+", help="English and German, tab between")
    parser.add_argument("--locales", type=Path, default=Path("/usr/share/locale"))
    arguments = parser.parse_args()
    random.seed(1)
    detector = Detector()
    served = list(_beginnings([text for file in arguments.pairs for text in _sides(file)]))
    foreign = [(code, text) for code in FOREIGN for text in _messages(arguments.locales, code)]
    for fewest, most in BUCKETS:
        ours = [text for text in served if fewest <= len(text.split()) <= most]
        theirs = [(code, text) for code, text in foreign if fewest <= len(text.split()) <= most]
        print(f"{fewest} to {most} words:", _row(detector, ours, theirs))


def _sides(file: Path) -> Iterator[str]:
    with lzma.open(file, "rt", encoding="utf-8") as lines:
        for line in islice(lines, _PAIRS_OF_A_FILE):
            yield from line.rstrip("\n").split("\t")[:2]


def _beginnings(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        yield text
        yield from (" ".join(text.split()[:count]) for count in (1, 2, 3, 4))


def _messages(locales: Path, code: str) -> list[str]:
    found = [text for file in (locales / code).glob("*/*.mo") for text in _translated(file)]
    random.shuffle(found)
    return found[:_MESSAGES_OF_A_LANGUAGE]


def _translated(file: Path) -> Iterator[str]:
    if "iso_" in file.name:  # names of places
        return
    try:
        with file.open("rb") as catalogue:
            texts: dict[object, str] = vars(gettext.GNUTranslations(catalogue))["_catalog"]
    except UnicodeDecodeError:  # some catalogues name another encoding than they are in
        return
    for original, text in texts.items():
        is_plain = isinstance(original, str) and original and original != text
        if is_plain and len(text) > 3 and not _NO_SENTENCE.search(text):
            yield text


def _row(detector: Detector, ours: Sequence[str], theirs: Sequence[tuple[str, str]]) -> str:
    called = sum(detector.foreign(text, SERVED) is not None for text in ours)
    found = [(code, detector.foreign(text, SERVED)) for code, text in theirs]
    recognised = sum(each is not None for _, each in found)
    named = sum(each is not None and each.language in _names(code) for code, each in found)
    shares = (100 * recognised / max(1, len(theirs)), 100 * named / max(1, len(theirs)))
    return (
        f"{called} of {len(ours)} served called foreign; of {len(theirs)} foreign "
        f"{shares[0]:.1f} % recognised, {shares[1]:.1f} % named"
    )


def _names(code: str) -> set[str]:
    return {"nb": {"nb", "no", "nn"}}.get(code, {code[:2]})


if __name__ == "__main__":
    main()
