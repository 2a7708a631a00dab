"""Number words of some languages and their values."""

from functools import cache

_ENGLISH_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_GERMAN_ONES = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
    "fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_GERMAN_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
_TWELVE = {
    "fr": "un deux trois quatre cinq six sept huit neuf dix onze douze",
    "es": "uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "it": "uno due tre quattro cinque sei sette otto nove dieci undici dodici",
    "pt": "um dois três quatro cinco seis sete oito nove dez onze doze",
    "nl": "een twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "pl": "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście",
}
_MORE = {
    "en": {
        "a": 1, "an": 1, "once": 1, "twice": 2, "couple": 2, "dozen": 12, "dozens": 12,
        "hundred": 100, "thousand": 1000, "million": 1_000_000, "first": 1, "second": 2,
        "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
        "tenth": 10, "noon": 12, "midnight": 0, "both": 2, "double": 2,
    },
    "de": {
        "ein": 1, "eine": 1, "einen": 1, "einem": 1, "einer": 1, "eines": 1, "einmal": 1,
        "zweimal": 2, "dreimal": 3, "viermal": 4, "zwo": 2, "dutzend": 12, "hundert": 100,
        "tausend": 1000, "million": 1_000_000, "mittag": 12, "mitternacht": 0, "beide": 2,
        "beiden": 2, "doppelt": 2, "zweier": 2, "dreier": 3, "vieren": 4, "dreien": 3,
    },
    "fr": {"une": 1, "premier": 1, "cent": 100, "mille": 1000},
    "es": {"un": 1, "una": 1, "cien": 100, "mil": 1000},
    "it": {"un": 1, "una": 1, "cento": 100, "mille": 1000},
    "pt": {"uma": 1, "duas": 2, "cem": 100, "mil": 1000},
    "nl": {"één": 1, "honderd": 100, "duizend": 1000},
    "pl": {"jedna": 1, "jedno": 1, "dwie": 2, "sto": 100, "tysiąc": 1000},
}  # fmt: skip
_GERMAN_ORDINALS = {
    "erst": 1, "zweit": 2, "dritt": 3, "viert": 4, "fünft": 5, "sechst": 6, "siebt": 7, "acht": 8,
    "neunt": 9, "zehnt": 10, "elft": 11, "zwölft": 12,
}  # fmt: skip


@cache
def number_words(language: str) -> dict[str, int]:
    """Number words in small letters with their values; empty for a language without a table."""
    base = language.partition("-")[0].lower()
    found = dict(_MORE.get(base, {}))
    if base == "en":
        found |= _english()
    elif base == "de":
        found |= _german()
    elif base in _TWELVE:
        found |= {word: value for value, word in enumerate(_TWELVE[base].split(), start=1)}
    return found


def _english() -> dict[str, int]:
    english = _ENGLISH_ONES.split()
    tens = {ten: 10 * value for value, ten in enumerate(_ENGLISH_TENS.split(), start=2)}
    found = {word: value for value, word in enumerate(english)} | tens
    for ten, value in tens.items():
        found |= {f"{ten}-{one}": value + n for n, one in enumerate(english[1:10], start=1)}
        found[f"{ten[:-1]}ies"] = value
    return found


def _german() -> dict[str, int]:
    german = _GERMAN_ONES.split()
    ones = ["ein", *german[2:10]]
    tens = {ten: 10 * value for value, ten in enumerate(_GERMAN_TENS.split(), start=2)}
    found = {word: value for value, word in enumerate(german)} | tens
    for ten, value in tens.items():
        found |= {f"{one}und{ten}": value + n for n, one in enumerate(ones, start=1)}
    for stem, value in _GERMAN_ORDINALS.items():
        found |= {f"{stem}{ending}": value for ending in ("e", "en", "er", "es", "em", "ens")}
    return found
