"""Generates English-German pairs with numbers, prices, dates, times and names from templates.

Each value has the notation of its language. Of several notations the usual one is drawn most often,
so that a model reads all of them and writes that one.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence

from model.data.corpus import SentencePair

Value = tuple[str, str]
"""English and German notation of a value."""

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
    """Names of people, places and products, in English and German."""

    def __init__(self, rows: list[SentencePair]) -> None:
        """The origin of each row is `first`, `last`, `place` or `product`."""
        self._by_kind: dict[str, list[Value]] = {}
        for row in rows:
            self._by_kind.setdefault(row.origin, []).append((row.source, row.target))

    def draw(self, kind: str, rng: random.Random) -> Value:
        """A random name of `kind`."""
        return rng.choice(self._by_kind[kind])


def filled(
    templates: Sequence[SentencePair], names: Names, *, count: int, seed: int
) -> list[SentencePair]:
    """Up to `count` different pairs, from all templates in turn."""
    rng = random.Random(seed)
    makers = _makers(names)
    found: dict[Value, None] = {}
    for number in range(10 * count):
        if len(found) >= count:
            break
        template = templates[number % len(templates)]
        found[_fill(template, makers, rng)] = None
    return [SentencePair(*pair, ORIGIN) for pair in found]


Maker = Callable[[random.Random], Value]


def make_value(kind: str, rng: random.Random) -> Value:
    """A random value of a kind that needs no names, such as `count`, `price` or `date`."""
    return _makers(Names([]))[kind](rng)


def _fill(template: SentencePair, makers: Mapping[str, Maker], rng: random.Random) -> Value:
    slots = dict.fromkeys(found[0] for found in _SLOT.finditer(template.source))
    values = {slot: makers[slot.strip("{}0123456789")](rng) for slot in slots}
    english, german = template.source, template.target
    for slot, (in_english, in_german) in values.items():
        english, german = english.replace(slot, in_english), german.replace(slot, in_german)
    return english.replace(".m..", ".m."), german


def _makers(names: Names) -> dict[str, Maker]:
    return {
        "count": _count,
        "small": lambda rng: _both(str(rng.randint(2, 31))),
        "decimal": _decimal,
        "percent": _percent,
        "price": _price,
        "date": _date,
        "time": _time,
        "length": lambda rng: _measure(rng, _LENGTHS, 2000),
        "weight": lambda rng: _measure(rng, _WEIGHTS, 900),
        "volume": lambda rng: _measure(rng, _VOLUMES, 900),
        "area": lambda rng: _measure(rng, _AREAS, 900),
        "dose": lambda rng: _measure(rng, _DOSES, 900),
        "duration": _duration,
        "heat": lambda rng: _degrees(rng.randint(5, 230), rng),
        "cold": lambda rng: _degrees(-rng.randint(1, 25), rng),
        "year": lambda rng: _both(str(rng.randint(1780, 2035))),
        "ordinal": _ordinal,
        "code": _code,
        "phone": _phone,
        "score": _score,
        "first": lambda rng: names.draw("first", rng),
        "last": lambda rng: names.draw("last", rng),
        "place": lambda rng: names.draw("place", rng),
        "product": lambda rng: names.draw("product", rng),
        "name": lambda rng: _joined(names.draw("first", rng), names.draw("last", rng)),
    }


def _both(text: str) -> Value:
    return text, text


def _joined(first: Value, last: Value) -> Value:
    return f"{first[0]} {last[0]}", f"{first[1]} {last[1]}"


def _localised(english: str) -> Value:
    """The number with English and with German separators."""
    return english, english.translate(str.maketrans(",.", ".,"))


def _spread(rng: random.Random, digits: int) -> int:
    """A random integer of up to `digits` digits; all lengths are equally likely."""
    length = rng.randint(1, digits)
    return rng.randrange(10 ** (length - 1), 10**length)


def _count(rng: random.Random) -> Value:
    number = 10 ** rng.randint(1, 2) + _spread(rng, 7)
    if rng.random() < 0.3:  # a round number
        number = max(100, round(number, 1 - len(str(number))))
    has_separators = number >= 10_000 or rng.random() < 0.7
    return _localised(f"{number:,}") if has_separators else _both(str(number))


def _decimal(rng: random.Random) -> Value:
    places = rng.choice((1, 1, 1, 2, 2, 3))
    return _localised(f"{rng.uniform(0, 10 ** rng.randint(1, 3)):,.{places}f}")


def _percent(rng: random.Random) -> Value:
    value = str(rng.randint(1, 100))
    if rng.random() < 0.5:
        value = f"{rng.uniform(0, 60):.1f}"
    english, german = _localised(value)
    if rng.random() < 0.4:
        return f"{english} percent", f"{german} Prozent"
    return f"{english}%", f"{german} %"


def _price(rng: random.Random) -> Value:
    amount = f"{rng.uniform(0.5, 10 ** rng.randint(1, 4)):,.2f}"
    if rng.random() < 0.45:
        amount = f"{10 * _spread(rng, 6):,}"
    english, german = _localised(amount)
    sign, word, german_word = rng.choices(_CURRENCIES, weights=(5, 3, 1))[0]
    if rng.random() < 0.1 and "." not in amount:
        size, german_size = rng.choice((("million", "Millionen"), ("billion", "Milliarden")))
        english, german = _localised(f"{rng.uniform(1.1, 90):.1f}")
        return f"{english} {size} {word}", f"{german} {german_size} {german_word}"
    if rng.random() < 0.5:
        return f"{english} {word}", f"{german} {german_word}"
    return f"{sign}{english}", f"{german} {sign}"


def _date(rng: random.Random) -> Value:
    day, month = rng.randint(1, 28), rng.randint(1, 12)
    year = rng.randint(1900, 2035) if rng.random() < 0.6 else None
    english, german = MONTHS[month - 1]
    has_day_first = rng.random() < 0.6
    in_english = f"{day} {english}" if has_day_first else f"{english} {day}"
    in_german = f"{day}. {german}"
    if year is not None:
        in_english += f" {year}" if has_day_first else f", {year}"
        is_short = rng.random() < 0.2
        in_german = f"{day:02}.{month:02}.{year}" if is_short else f"{in_german} {year}"
    return in_english, in_german


def _time(rng: random.Random) -> Value:
    hour, minute = rng.randint(0, 23), rng.choice((0, 0, 5, 10, 15, 20, 30, 30, 40, 45, 52))
    half = "a.m." if hour < 12 else "p.m."
    twelve = hour % 12 or 12
    if minute == 0:
        is_spoken = 1 <= hour <= 12 and rng.random() < 0.3
        return f"{hour} o'clock" if is_spoken else f"{twelve} {half}", f"{hour} Uhr"
    english = rng.choices(
        (f"{twelve}:{minute:02} {half}", f"{hour}:{minute:02}", f"{twelve}.{minute:02} {half}"),
        weights=(6, 3, 1),
    )[0]
    return english, f"{hour}{rng.choices(':.', weights=(4, 1))[0]}{minute:02} Uhr"


_LENGTHS = (("km", "km"), ("kilometres", "Kilometer"), ("m", "m"), ("metres", "Meter"))
_WEIGHTS = (("g", "g"), ("grams", "Gramm"), ("kg", "kg"), ("kilograms", "Kilogramm"))
_VOLUMES = (("ml", "ml"), ("millilitres", "Milliliter"), ("litres", "Liter"), ("l", "l"))
_AREAS = (("m²", "m²"), ("square metres", "Quadratmeter"), ("hectares", "Hektar"))
_DOSES = (("mg", "mg"), ("milligrams", "Milligramm"), ("ml", "ml"), ("drops", "Tropfen"))


def _measure(rng: random.Random, units: tuple[Value, ...], largest: int) -> Value:
    english, german = _localised(f"{rng.randint(2, largest):,}")
    if rng.random() < 0.35:
        english, german = _localised(f"{rng.uniform(1.1, 60):.1f}")
    unit, german_unit = rng.choice(units)
    return f"{english} {unit}", f"{german} {german_unit}"


def _duration(rng: random.Random) -> Value:
    unit, german_unit = rng.choice((("minutes", "Minuten"), ("hours", "Stunden")))
    number = rng.randint(2, 90)
    return f"{number} {unit}", f"{number} {german_unit}"


def _degrees(number: int, rng: random.Random) -> Value:
    if rng.random() < 0.5:
        return f"{number} °C", f"{number} °C"
    return f"{number} degrees", f"{number} Grad"


def _ordinal(rng: random.Random) -> Value:
    number = rng.randint(2, 40)
    is_teen = number % 100 in (11, 12, 13)
    ending = "th" if is_teen else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}", f"{number}."


def _code(rng: random.Random) -> Value:
    letters = "".join(rng.choices("ABCDEFGHKLMNPRSTUVWXZ", k=rng.randint(1, 3)))
    return _both(f"{letters}{rng.choice(('', '-', ' '))}{_spread(rng, 6)}")


def _phone(rng: random.Random) -> Value:
    area, number = rng.randint(30, 9999), rng.randint(10_000, 9_999_999)
    return _both(f"{rng.choice(('0', '+49 ', '+44 '))}{area} {number}")


def _score(rng: random.Random) -> Value:
    ours, theirs = rng.randint(0, 6), rng.randint(0, 6)
    return f"{ours}\u2013{theirs}", f"{ours}:{theirs}"
