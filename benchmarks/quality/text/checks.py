"""How often the checks of a translation are wrong, and how many faults they find.

Good translations are references: an alarm there is false. Faults are made in them, one for each
check, as models make them; a fault that its check reports is found.
"""

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from model.data.corpus import read_pairs
from service.text.checks import CHECK_NAMES, check

SEED = 21
Damage = Callable[[str, str, random.Random], str | None]
"""A translation with a fault from source and translation; None where it has no place."""

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_ACRONYM = re.compile(r"\b[A-Z]{2,5}\b")
_NEGATION = re.compile(
    r"\b(?:nicht|kein\w*|nie|niemals|niemand\w*|nichts|not|never|nobody|nothing|cannot|no)\b|n't\b"
)


def _changed_number(_: str, target: str, rng: random.Random) -> str | None:
    found = list(_NUMBER.finditer(target))
    if not found:
        return None
    match = rng.choice(found)
    digits = list(match.group())
    at = rng.randrange(len(digits))
    digits[at] = rng.choice([digit for digit in "123456789" if digit != digits[at]])
    return target[: match.start()] + "".join(digits) + target[match.end() :]


def _lost_name(source: str, target: str, rng: random.Random) -> str | None:
    """A name that both have, as a pronoun."""
    names = [word for word in _WORD.findall(source)[1:] if word.istitle() and len(word) > 2]
    common = sorted(set(names) & set(_WORD.findall(target)))
    if not common:
        return None
    return re.sub(rf"\b{rng.choice(common)}\b", "ihn", target)


def _lost_acronym(source: str, target: str, rng: random.Random) -> str | None:
    common = sorted(set(_ACRONYM.findall(source)) & set(_ACRONYM.findall(target)))
    return re.sub(rf"\b{rng.choice(common)}\b", "das", target) if common else None


def _lost_negation(source: str, target: str, _: random.Random) -> str | None:
    if not _NEGATION.search(source) or not _NEGATION.search(target):
        return None
    return re.sub(" +", " ", _NEGATION.sub("", target))


def _copied_word(source: str, target: str, rng: random.Random) -> str | None:
    """A word of the source in place of a word of the translation."""
    words = [word for word in _WORD.findall(source) if word.islower() and len(word) > 4]
    places = [m for m in _WORD.finditer(target) if len(m.group()) > 4]
    if not words or not places:
        return None
    place = rng.choice(places)
    return f"{target[: place.start()]}{rng.choice(words)}{target[place.end() :]}"


def _repeated(_: str, target: str, rng: random.Random) -> str | None:
    words = target.split()
    if len(words) < 4:
        return None
    start, length = rng.randrange(len(words) - 2), rng.randint(1, 3)
    phrase = words[start : start + length]
    return " ".join([*words[:start], *phrase, *phrase, *phrase, *words[start + length :]])


def _cut(_: str, target: str, __: random.Random) -> str | None:
    words = target.split()
    return " ".join(words[: len(words) // 4]) if len(words) >= 12 else None


DAMAGES: dict[str, Damage] = {
    "number": _changed_number,
    "name": _lost_name,
    "acronym": _lost_acronym,
    "negation": _lost_negation,
    "copied": _copied_word,
    "repetition": _repeated,
    "length": _cut,
}


def main() -> int:
    """Measure and print; return the exit code."""
    arguments = _parse()
    result = {}
    for path in arguments.sets:
        pairs = read_pairs(path.name, path.parent)[0][: arguments.limit]
        result[path.name] = {
            "en-de": _measured([(p.source, p.target) for p in pairs], "en", "de"),
            "de-en": _measured([(p.target, p.source) for p in pairs], "de", "en"),
        }
    print(json.dumps(result, indent=1))
    return 0


def _measured(
    pairs: Sequence[tuple[str, str]], source_language: str, target_language: str
) -> dict[str, object]:
    """Share of false alarms and of faults found, in percent, with the number of each."""
    alarms: Counter[str] = Counter()
    made: Counter[str] = Counter()
    found: Counter[str] = Counter()
    rng = random.Random(SEED)
    for source, target in pairs:
        alarms.update({c.name for c in check(source, target, source_language, target_language)})
        for name, damage in DAMAGES.items():
            damaged = damage(source, target, rng)
            if damaged is None or damaged == target:
                continue
            made[name] += 1
            reported = check(source, damaged, source_language, target_language)
            found[name] += any(each.name == name for each in reported)
    return {
        name: {
            "false alarms %": round(100 * alarms[name] / len(pairs), 2),
            "found": f"{found[name]} of {made[name]}",
        }
        for name in CHECK_NAMES
    } | {"pairs": len(pairs)}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.text.checks", description=__doc__
    )
    parser.add_argument("sets", type=Path, nargs="+", help="English TAB German, .tsv.xz")
    parser.add_argument("--limit", type=int, default=2000, help="pairs of each set")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
