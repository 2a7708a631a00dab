"""Pellucid as a library: translations, attention maps and scores, in this process or of a server.

>>> from pellucid import Translator
>>> with Translator("en", "de") as translator:
...     translator.translate("Good morning.")
'Guten Morgen.'

`Client` does the same with a server. This package is thin: the work is done in `service`.
"""

from pellucid.attention import Attention
from pellucid.client import Client
from pellucid.options import CallOptions, TranslateOptions
from pellucid.translator import Translator
from service.errors import ServiceError, StartupError
from service.inspection.values import AttentionSelection, ScoredPair
from service.text.detection import Detection
from service.translation.values import SentenceTranslation, Translation

__all__ = [
    "Attention",
    "AttentionSelection",
    "CallOptions",
    "Client",
    "Detection",
    "ScoredPair",
    "SentenceTranslation",
    "ServiceError",
    "StartupError",
    "TranslateOptions",
    "Translation",
    "Translator",
]
