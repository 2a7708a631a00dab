"""Makes English-German pairs of numbers, prices, dates, times and names out of templates.

Each value is written as its language writes it. Where a language has several ways the usual one is
drawn most often, so that a model can read all of them and learns to write that one.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

from model.corpus import SentencePair

Value = tuple[str, str]
"""The English and the German form."""

_SLOT = re.compile(r"\{([a-z]+)(\d*)\}")
MONTHS = (
    ("January", "Januar"),
    ("February", "Februar"),
    ("March", "März"),
    ("April", "April"),
    ("May", "Mai"),
    ("June", "Juni"),
    ("July", "Juli"),
    ("August", "August"),
    ("September", "September"),
    ("October", "Oktober"),
    ("November", "November"),
    ("December", "Dezember"),
)
_CURRENCIES = (("€", "euros", "Euro"), ("$", "dollars", "Dollar"), ("£", "pounds", "Pfund"))
ORIGIN = "templates"


class Names:
    """Names and places; those with a form of their own in each language have two columns."""

    def __init__(self, rows: list[SentencePair]) -> None:
        """`rows` have `first`, `last` or `place` as their origin."""
        self._by_kind: dict[str, list[Value]] = {}
        for row in rows:
            self._by_kind.setdefault(row.origin, []).append((row.source, row.target))

    def draw(self, kind: str, chance: random.Random) -> Value:
        """One of the names of a kind."""
        return chance.choice(self._by_kind[kind])


def filled(
    templates: Sequence[SentencePair], names: Names, *, count: int, seed: int
) -> list[SentencePair]:
    """Up to `count` different pairs, from each template as many tries."""
    chance = random.Random(seed)
    makers = _makers(names)
    found: dict[Value, None] = {}
    for number in range(10 * count):
        if len(found) >= count:
            break
        template = templates[number % len(templates)]
        found[_fill(template, makers, chance)] = None
    return [SentencePair(*pair, ORIGIN) for pair in found]


Maker = Callable[[random.Random], Value]


def make_value(kind: str, chance: random.Random) -> Value:
    """A value of a kind that needs no names: `count`, `price`, `date` and the like."""
    return _makers(Names([]))[kind](chance)


def _fill(template: SentencePair, makers: Mapping[str, Maker], chance: random.Random) -> Value:
    slots = dict.fromkeys(found[0] for found in _SLOT.finditer(template.source))
    values = {slot: makers[slot.strip("{}0123456789")](chance) for slot in slots}
    english, german = template.source, template.target
    for slot, (in_english, in_german) in values.items():
        english, german = english.replace(slot, in_english), german.replace(slot, in_german)
    return english.replace(".m..", ".m."), german


def _makers(names: Names) -> dict[str, Maker]:
    return {
        "count": _count,
        "small": lambda chance: _both(str(chance.randint(2, 31))),
        "decimal": _decimal,
        "percent": _percent,
        "price": _price,
        "date": _date,
        "time": _time,
        "length": lambda chance: _measure(chance, _LENGTHS, 2000),
        "weight": lambda chance: _measure(chance, _WEIGHTS, 900),
        "volume": lambda chance: _measure(chance, _VOLUMES, 900),
        "area": lambda chance: _measure(chance, _AREAS, 900),
        "dose": lambda chance: _measure(chance, _DOSES, 900),
        "duration": _duration,
        "heat": lambda chance: _degrees(chance.randint(5, 230), chance),
        "cold": lambda chance: _degrees(-chance.randint(1, 25), chance),
        "year": lambda chance: _both(str(chance.randint(1780, 2035))),
        "ordinal": _ordinal,
        "code": _code,
        "phone": _phone,
        "score": _score,
        "first": lambda chance: names.draw("first", chance),
        "last": lambda chance: names.draw("last", chance),
        "place": lambda chance: names.draw("place", chance),
        "name": lambda chance: _joined(names.draw("first", chance), names.draw("last", chance)),
    }


def _both(text: str) -> Value:
    return text, text


def _joined(first: Value, last: Value) -> Value:
    return f"{first[0]} {last[0]}", f"{first[1]} {last[1]}"


def _localised(english: str) -> Value:
    """English separators and German ones."""
    return english, english.translate(str.maketrans(",.", ".,"))


def _spread(chance: random.Random, digits: int) -> int:
    """An integer of up to `digits` digits, each length as likely."""
    length = chance.randint(1, digits)
    return chance.randrange(10 ** (length - 1), 10**length)


def _count(chance: random.Random) -> Value:
    number = 10 ** chance.randint(1, 2) + _spread(chance, 7)
    if chance.random() < 0.3:  # a round one
        number = max(100, round(number, 1 - len(str(number))))
    has_separators = number >= 10_000 or chance.random() < 0.7
    return _localised(f"{number:,}") if has_separators else _both(str(number))


def _decimal(chance: random.Random) -> Value:
    places = chance.choice((1, 1, 1, 2, 2, 3))
    return _localised(f"{chance.uniform(0, 10 ** chance.randint(1, 3)):,.{places}f}")


def _percent(chance: random.Random) -> Value:
    value = str(chance.randint(1, 100))
    if chance.random() < 0.5:
        value = f"{chance.uniform(0, 60):.1f}"
    english, german = _localised(value)
    if chance.random() < 0.4:
        return f"{english} percent", f"{german} Prozent"
    return f"{english}%", f"{german} %"


def _price(chance: random.Random) -> Value:
    amount = f"{chance.uniform(0.5, 10 ** chance.randint(1, 4)):,.2f}"
    if chance.random() < 0.45:
        amount = f"{10 * _spread(chance, 6):,}"
    english, german = _localised(amount)
    sign, word, german_word = chance.choices(_CURRENCIES, weights=(5, 3, 1))[0]
    if chance.random() < 0.1 and "." not in amount:
        size, german_size = chance.choice((("million", "Millionen"), ("billion", "Milliarden")))
        english, german = _localised(f"{chance.uniform(1.1, 90):.1f}")
        return f"{english} {size} {word}", f"{german} {german_size} {german_word}"
    if chance.random() < 0.5:
        return f"{english} {word}", f"{german} {german_word}"
    return f"{sign}{english}", f"{german} {sign}"


def _date(chance: random.Random) -> Value:
    day, month = chance.randint(1, 28), chance.randint(1, 12)
    year = chance.randint(1900, 2035) if chance.random() < 0.6 else None
    english, german = MONTHS[month - 1]
    has_day_first = chance.random() < 0.6
    in_english = f"{day} {english}" if has_day_first else f"{english} {day}"
    in_german = f"{day}. {german}"
    if year is not None:
        in_english += f" {year}" if has_day_first else f", {year}"
        is_short = chance.random() < 0.2
        in_german = f"{day:02}.{month:02}.{year}" if is_short else f"{in_german} {year}"
    return in_english, in_german


def _time(chance: random.Random) -> Value:
    hour, minute = chance.randint(0, 23), chance.choice((0, 0, 5, 10, 15, 20, 30, 30, 40, 45, 52))
    half = "a.m." if hour < 12 else "p.m."
    twelve = hour % 12 or 12
    if minute == 0:
        is_spoken = 1 <= hour <= 12 and chance.random() < 0.3
        return f"{hour} o'clock" if is_spoken else f"{twelve} {half}", f"{hour} Uhr"
    english = chance.choices(
        (f"{twelve}:{minute:02} {half}", f"{hour}:{minute:02}", f"{twelve}.{minute:02} {half}"),
        weights=(6, 3, 1),
    )[0]
    return english, f"{hour}{chance.choices(':.', weights=(4, 1))[0]}{minute:02} Uhr"


_LENGTHS = (("km", "km"), ("kilometres", "Kilometer"), ("m", "m"), ("metres", "Meter"))
_WEIGHTS = (("g", "g"), ("grams", "Gramm"), ("kg", "kg"), ("kilograms", "Kilogramm"))
_VOLUMES = (("ml", "ml"), ("millilitres", "Milliliter"), ("litres", "Liter"), ("l", "l"))
_AREAS = (("m²", "m²"), ("square metres", "Quadratmeter"), ("hectares", "Hektar"))
_DOSES = (("mg", "mg"), ("milligrams", "Milligramm"), ("ml", "ml"), ("drops", "Tropfen"))


def _measure(chance: random.Random, units: tuple[Value, ...], largest: int) -> Value:
    english, german = _localised(f"{chance.randint(2, largest):,}")
    if chance.random() < 0.35:
        english, german = _localised(f"{chance.uniform(1.1, 60):.1f}")
    unit, german_unit = chance.choice(units)
    return f"{english} {unit}", f"{german} {german_unit}"


def _duration(chance: random.Random) -> Value:
    unit, german_unit = chance.choice((("minutes", "Minuten"), ("hours", "Stunden")))
    number = chance.randint(2, 90)
    return f"{number} {unit}", f"{number} {german_unit}"


def _degrees(number: int, chance: random.Random) -> Value:
    if chance.random() < 0.5:
        return f"{number} °C", f"{number} °C"
    return f"{number} degrees", f"{number} Grad"


def _ordinal(chance: random.Random) -> Value:
    number = chance.randint(2, 40)
    is_teen = number % 100 in (11, 12, 13)
    ending = "th" if is_teen else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}", f"{number}."


def _code(chance: random.Random) -> Value:
    letters = "".join(chance.choices("ABCDEFGHKLMNPRSTUVWXZ", k=chance.randint(1, 3)))
    return _both(f"{letters}{chance.choice(('', '-', ' '))}{_spread(chance, 6)}")


def _phone(chance: random.Random) -> Value:
    area, number = chance.randint(30, 9999), chance.randint(10_000, 9_999_999)
    return _both(f"{chance.choice(('0', '+49 ', '+44 '))}{area} {number}")


def _score(chance: random.Random) -> Value:
    ours, theirs = chance.randint(0, 6), chance.randint(0, 6)
    return f"{ours}\u2013{theirs}", f"{ours}:{theirs}"
