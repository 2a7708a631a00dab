"""Units and currencies, in signs and in words of several languages, each by one code."""

import re

_SPELLINGS = {
    "%": "% percent cent prozent pourcent",
    "EUR": "€ EUR euro euros",
    "USD": "$ USD US$ dollar dollars",
    "GBP": "£ GBP pound pounds pfund",
    "JPY": "¥ JPY yen",
    "CHF": "CHF franken francs",
    "km": "km kilometer kilometers kilometre kilometres kilometern",
    "m": "m meter meters metre metres metern",
    "cm": "cm zentimeter centimeter centimeters centimetre centimetres zentimetern",
    "mm": "mm millimeter millimeters millimetre millimetres millimetern",
    "mile": "mi mile miles meile meilen",
    "kg": "kg kilo kilos kilogram kilograms kilogramm",
    "g": "g gram grams gramm",
    "mg": "mg milligram milligrams milligramm",
    "l": "l liter liters litre litres litern",
    "ml": "ml milliliter milliliters millilitre millilitres millilitern",
    "h": "h hour hours stunde stunden",
    "min": "min minute minutes minuten",
    "s": "s second seconds sekunde sekunden",
    "day": "day days tag tage tagen tages",
    "week": "week weeks woche wochen",
    "month": "month months monat monate monaten",
    "year": "year years jahr jahre jahren",
    "°C": "°C celsius",
    "°F": "°F fahrenheit",
}
_CODES = {word.lower(): code for code, words in _SPELLINGS.items() for word in words.split()}
UNIT = re.compile(
    r"[ \u00a0\u202f-]?(?:(?P<sign>[%€$£¥]|°[CF](?!\w))|(?P<word>[A-Za-z]{1,12})(?!\w))"
)
"""Behind an amount."""
CURRENCY_SIGNS = "€$£¥"


def unit_code(word: str) -> str:
    """The code of a unit or currency; empty if the word is none."""
    return _CODES.get(word.lower(), "")


_NAMES = {
    "en": {
        "km": "kilometre kilometres kilometer kilometers",
        "m": "metre metres meter meters",
        "cm": "centimetre centimetres centimeter centimeters",
        "mm": "millimetre millimetres millimeter millimeters",
        "mile": "mile miles",
        "kg": "kilogram kilograms kilo kilos",
        "g": "gram grams",
        "mg": "milligram milligrams",
        "l": "litre litres liter liters",
        "ml": "millilitre millilitres milliliter milliliters",
        "min": "minute minutes",
        "s": "second seconds",
    },
    "de": {
        "km": "Kilometer Kilometer Kilometern",
        "m": "Meter Meter Metern",
        "cm": "Zentimeter Zentimeter Zentimetern",
        "mm": "Millimeter Millimeter Millimetern",
        "mile": "Meile Meilen",
        "kg": "Kilogramm Kilogramm Kilo",
        "g": "Gramm Gramm",
        "mg": "Milligramm Milligramm",
        "l": "Liter Liter Litern",
        "ml": "Milliliter Milliliter Millilitern",
        "min": "Minute Minuten",
        "s": "Sekunde Sekunden",
    },
}
"""Of one, of several, and further forms."""
_LONGEST_SYMBOL = 2
"""Letters of a symbol such as `km`, which is no word of a language."""


def unit_name(word: str, language: str, *, is_one: bool) -> str:
    """A unit's name in a language, for one in another language or number; else `word` itself.

    Args:
        word: A name, or anything else.
        language: A code.
        is_one: Whether there is one of it.
    """
    forms = _NAMES.get(language.partition("-")[0], {}).get(unit_code(word), "").split()
    if not forms or len(word) <= _LONGEST_SYMBOL:
        return word
    if word in forms and (is_one or word != forms[0]):
        return word
    return forms[0] if is_one else forms[1]
