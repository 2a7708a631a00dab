"""Accuracy on inputs with few right answers: numbers, names, common words, greetings.

A word or greeting is right if it equals an accepted answer, ignoring case and final punctuation; a
sentence is right if it contains the name, or the value in the notation of its language.
"""

import argparse
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.report import publish
from benchmarks.harness.server_process import ServerProcess
from benchmarks.quality.by_set import has_new_marker, opened, translated
from benchmarks.quality.model import Client
from bundle.reader import read_bundle
from model.synthesis.templates import MONTHS, make_value

FOLDER = Path(__file__).parent / "answers"
SEED = 24
NUM_VALUES = 300
"""Per direction."""
NUM_NAMES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One input and its accepted answers."""

    kind: str
    pair: str
    source: str
    accepted: tuple[str, ...]
    is_whole: bool
    """Whether the output must equal an answer rather than contain one."""

    def is_right(self, output: str) -> bool:
        """Whether `output` is accepted."""
        if self.is_whole:
            return _folded(output) in map(_folded, self.accepted)
        return any(_without_spaces(answer) in _without_spaces(output) for answer in self.accepted)


def cases() -> Iterator[Case]:
    """All cases, the same at every call."""
    for kind in ("words", "greetings"):
        for pair, source, answers in _rows(f"{kind}.tsv"):
            accepted = tuple(answers.split("|"))
            yield Case(kind=kind, pair=pair, source=source, accepted=accepted, is_whole=True)
    frames = _rows("frames.tsv")
    yield from _names([(en, de) for kind, en, de in frames if kind == "names"])
    yield from _values([(kind, en, de) for kind, en, de in frames if kind != "names"])


def _names(frames: Sequence[tuple[str, str]]) -> Iterator[Case]:
    names = [name for row in _rows("names.tsv") for name in row[1:]]
    for index, name in enumerate(names[:NUM_NAMES]):
        for pair, frame in zip(("en-de", "de-en"), frames[index % len(frames)], strict=True):
            source = frame.replace("{}", name)
            yield Case(kind="names", pair=pair, source=source, accepted=(name,), is_whole=False)


def _values(frames: Sequence[tuple[str, str, str]]) -> Iterator[Case]:
    rng = random.Random(SEED)
    for index in range(NUM_VALUES):
        kind, english, german = frames[index % len(frames)]
        in_english, in_german = make_value(kind, rng)
        forms = (_english_forms(kind, in_english, in_german), _german_forms(in_german))
        texts = (
            english.replace("{}", in_english).replace(".m..", ".m."),
            german.replace("{}", in_german),
        )
        for pair, source, accepted in zip(("en-de", "de-en"), texts, forms[::-1], strict=True):
            yield Case(kind="numbers", pair=pair, source=source, accepted=accepted, is_whole=False)


def _german_forms(value: str) -> tuple[str, ...]:
    """Accepted notations of a German value: word or sign, colon or full stop."""
    forms = {value}
    for word, sign in (("Euro", "€"), ("Dollar", "$"), ("Pfund", "£"), ("Prozent", "%")):
        forms |= {f.replace(word, sign) for f in forms} | {f.replace(sign, word) for f in forms}
    if value.endswith(" Uhr"):
        forms |= {value.replace(":", "."), value.replace(".", ":")}
    numeric = re.fullmatch(r"(\d\d)\.(\d\d)\.(\d{4})", value)
    if numeric:
        day, month, year = (int(part) for part in numeric.groups())
        forms |= {f"{day}.{month}.{year}", f"{day}. {MONTHS[month - 1][1]} {year}"}
    return tuple(forms)


def _english_forms(kind: str, value: str, german: str) -> tuple[str, ...]:
    forms = {value}
    for word, sign in ((" euros", "€"), (" dollars", "$"), (" pounds", "£")):
        if value.endswith(word):
            forms.add(sign + value.removesuffix(word))
        elif value.startswith(sign):
            forms.add(value.removeprefix(sign) + word)
    if value.endswith((" percent", "%")):
        number = value.removesuffix("%").removesuffix(" percent")
        forms |= {f"{number}%", f"{number} percent", f"{number} per cent"}
    if kind == "date":
        forms |= _english_dates(value)
    if kind == "time":
        forms |= _english_times(german)
    if kind in ("weight", "length", "dose"):
        forms |= {value.replace("metres", "meters")}
    return tuple(forms)


def _english_dates(value: str) -> set[str]:
    day, year = (re.search(pattern, value) for pattern in (r"\b\d{1,2}\b", r"\d{4}"))
    month = re.search(r"[A-Z]\w+", value)
    assert day and month
    ending = f" {year[0]}" if year else ""
    comma = f", {year[0]}" if year else ""
    days = [day[0]] + [day[0] + suffix for suffix in ("st", "nd", "rd", "th")]
    return {
        form
        for d in days
        for form in (f"{d} {month[0]}{ending}", f"{month[0]} {d}{comma}", f"{month[0]} {d}{ending}")
    }


def _english_times(german: str) -> set[str]:
    hour, minute = (int(n) for n in [*re.findall(r"\d+", german), "0"][:2])
    half, twelve = ("a.m." if hour < 12 else "p.m."), hour % 12 or 12
    forms = {f"{hour}:{minute:02}"}
    for mark in (":", "."):
        for ending in (half, half.replace(".", ""), half.replace(".", "").upper()):
            forms |= {f"{twelve}{mark}{minute:02} {ending}", f"{twelve}{mark}{minute:02}{ending}"}
            if minute == 0:
                forms |= {f"{twelve} {ending}", f"{twelve}{ending}"}
    if minute == 0:
        forms |= {f"{hour} o'clock"} | ({"noon"} if hour == 12 else set())
        forms |= {"midnight"} if hour == 0 else set()
    return forms


def _rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (FOLDER / name).read_text("utf-8").splitlines()]


def _folded(text: str) -> str:
    return text.replace("\u2019", "'").strip(" .!?,").casefold()


def _without_spaces(text: str) -> str:
    """`text` without spaces, so that 5 % equals 5%."""
    return re.sub(r"\s", "", text)


def main() -> int:
    """Measure and print; return the exit code."""
    arguments = _parse()
    every = list(cases())
    outputs = _served(arguments, every) if arguments.served else _alone(arguments, every)
    result = _summary(every, outputs)
    publish(result, arguments.json)
    return 0


def _summary(every: Sequence[Case], outputs: Sequence[str]) -> dict[str, Any]:
    """Right answers per kind and direction, wrong answers, and new format markers."""
    found: dict[str, Any] = {"right": {}, "markers": [], "wrong": {}}
    for case, output in zip(every, outputs, strict=True):
        name = f"{case.kind} {case.pair}"
        right, total = found["right"].get(name, (0, 0))
        is_right = case.is_right(output)
        found["right"][name] = (right + is_right, total + 1)
        if not is_right:
            found["wrong"].setdefault(name, []).append([case.source, output])
        if has_new_marker(case.source, output):
            found["markers"].append([case.source, output])
    return found


def _alone(arguments: argparse.Namespace, every: Sequence[Case]) -> list[str]:
    outputs = dict[Case, str]()
    with opened(arguments) as sessions:
        for pair in sessions.bundle.manifest.pairs:
            chosen = [case for case in every if case.pair == f"{pair.source}-{pair.target}"]
            sources = [case.source for case in chosen]
            texts, _ = translated(sessions, pair, sources, arguments.beam, arguments.length_penalty)
            outputs |= dict(zip(chosen, texts, strict=True))
    return [outputs[case] for case in every]


def _served(arguments: argparse.Namespace, every: Sequence[Case]) -> list[str]:
    outputs = dict[Case, str]()
    flags = ["--max-text-chars", "1000000", "--deadline-ms", "600000"]
    with ServerProcess(str(arguments.subject), flags=flags) as server:
        for pair in read_bundle(arguments.subject).manifest.pairs:
            chosen = [case for case in every if case.pair == f"{pair.source}-{pair.target}"]
            answers = Client(server.port, pair).translate([c.source for c in chosen], str(pair))
            outputs |= dict(zip(chosen, (text for text, _ in answers), strict=True))
    return [outputs[case] for case in every]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.fixed_answers", description=__doc__
    )
    parser.add_argument("subject", type=Path, help="folder of a bundle, or a checkpoint")
    parser.add_argument(
        "--served", action="store_true", help="query a bundle through a real server"
    )
    parser.add_argument("--data", type=Path, help="folder of the run's data, for a checkpoint")
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--length-penalty", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the figures, besides standard output")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
