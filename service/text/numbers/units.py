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
