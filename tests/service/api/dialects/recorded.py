"""Requests as clients send them, read in their sources: none of them can be installed here."""

from dataclasses import dataclass, field
from typing import Any

KEY = "key-of-the-tests"
TEXT = "hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request of a client that has a key, and the reply it reads."""

    client: str
    method: str
    path: str
    options: dict[str, Any]
    reply: Any
    """What the client takes from the reply; None for what differs each time."""
    source: str = "en"
    target: str = "de"
    texts: tuple[str, ...] = (TEXT,)
    takes: tuple[str, ...] = field(default=())
    """Names of the reply that the client reads; all if empty."""


_BEARER = {"Authorization": f"Bearer {KEY}"}
_JSON = {"Content-Type": "application/json"}
_DEEPLX = {"data": "HELLO", "source_lang": "EN", "target_lang": "DE"}
_SINGLE: dict[str, Any] = {"client": "gtx", "sl": "en", "tl": "de", "q": TEXT}
_AT = ["at", "bd", "ex", "ld", "md", "qca", "rw", "rm", "ss", "t"]

RECORDED = [
    Recorded(
        client="SillyTavern",
        method="POST",
        path=f"/deeplx/translate?token={KEY}",
        options={"json": {"text": TEXT, "source_lang": "auto", "target_lang": "ZH"}},
        reply={"data": "HELLO", "source_lang": "DE"},
        source="auto",
        target="zh",
    ),
    Recorded(
        client="Bob, whose language may be unknown",
        method="POST",
        path=f"/deeplx/translate?token={KEY}",
        options={"json": {"text": TEXT, "target_lang": "DE"}},
        reply={"data": "HELLO"},
        source="auto",
    ),
    Recorded(
        client="pdf2zh",
        method="POST",
        path=f"/deeplx/translate?token={KEY}",
        options={"json": {"source_lang": "en", "target_lang": "zh-Hans", "text": TEXT}},
        reply={"data": "HELLO"},
        target="zh-hans",
    ),
    Recorded(
        client="Pot (DeepLX)",
        method="POST",
        path=f"/deeplx/translate?token={KEY}",
        options={"json": {"source_lang": "EN", "target_lang": "DE", "text": TEXT}},
        reply=_DEEPLX,
    ),
    Recorded(
        client="Kiss Translator (DeepLX)",
        method="POST",
        path="/deeplx/translate",
        options={
            "json": {"text": TEXT, "target_lang": "DE", "source_lang": "EN"},
            "headers": _BEARER,
        },
        reply=_DEEPLX,
    ),
    Recorded(
        client="curl as DeepLX's page has it, without a Content-Type of JSON",
        method="POST",
        path=f"/deeplx?token={KEY}",
        options={
            "content": '{"text": "hello", "source_lang": "en", "target_lang": "de"}',
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        },
        reply=_DEEPLX,
    ),
    Recorded(
        client="Immersive Translate",
        method="POST",
        path=f"/immersive?token={KEY}",
        options={
            "json": {"source_lang": "auto", "target_lang": "zh-CN", "text_list": [TEXT, "you"]}
        },
        reply={
            "translations": [
                {"detected_source_lang": "de", "text": "HELLO"},
                {"detected_source_lang": "de", "text": "YOU"},
            ]
        },
        source="auto",
        target="zh-cn",
        texts=(TEXT, "you"),
    ),
    Recorded(
        client="Kiss Translator, several texts",
        method="POST",
        path="/kiss",
        options={
            "json": {"texts": [TEXT, "you"], "from": "auto", "to": "zh-CN"},
            "headers": _BEARER,
        },
        reply={"translations": [{"text": "HELLO", "src": "de"}, {"text": "YOU", "src": "de"}]},
        source="auto",
        target="zh-cn",
        texts=(TEXT, "you"),
    ),
    Recorded(
        client="Kiss Translator, one text",
        method="POST",
        path="/kiss",
        options={"json": {"text": TEXT, "from": "en", "to": "de"}, "headers": _BEARER},
        reply={"text": "HELLO", "src": "en"},
    ),
    Recorded(
        client="Kiss Translator (Google)",
        method="GET",
        path="/google/translate_a/single",
        options={
            "params": _SINGLE | {"dt": "t", "dj": 1, "ie": "UTF-8"},
            "headers": _JSON | _BEARER,
        },
        reply={"sentences": [{"trans": "HELLO", "orig": TEXT}], "src": "en"},
        takes=("sentences", "src"),
    ),
    Recorded(
        client="Pot (Google)",
        method="GET",
        path="/google/translate_a/single",
        options={
            "params": _SINGLE | {"dt": _AT, "hl": "de", "oe": "UTF-8", "otf": "1", "key": KEY},
            "headers": _JSON,
        },
        reply=[[["HELLO", TEXT, None, None, 1]], None, "en"],
    ),
    Recorded(
        client="KOReader, which sets path and query and keeps the password of the address",
        method="GET",
        path="/translate_a/single",
        options={
            "params": _SINGLE | {"dt": ["t", "at", "md"], "sl": "auto"},
            "auth": ("pellucid", KEY),
        },
        reply=[[["HELLO", TEXT, None, None, 1]], None, "de"],
        source="auto",
    ),
    Recorded(
        client="Google's client for Node",
        method="POST",
        path=f"/google/language/translate/v2?key={KEY}",
        options={"json": {"q": [TEXT], "format": "text", "source": "en", "target": "de"}},
        reply={"data": {"translations": [{"translatedText": "HELLO"}]}},
    ),
    Recorded(
        client="Google's REST by a form",
        method="POST",
        path="/google/language/translate/v2",
        options={"data": {"q": [TEXT, "you"], "target": "de", "key": KEY, "format": "text"}},
        reply={
            "data": {
                "translations": [
                    {"translatedText": "HELLO", "detectedSourceLanguage": "de"},
                    {"translatedText": "YOU", "detectedSourceLanguage": "de"},
                ]
            }
        },
        source="auto",
        texts=(TEXT, "you"),
    ),
    Recorded(
        client="Zotero PDF Translate (MTranServer)",
        method="POST",
        path="/mtran/translate",
        options={
            "json": {"text": TEXT, "from": "en", "to": "zh-Hans"},
            "headers": {"authorization": KEY},
        },
        reply={"result": "HELLO"},
        target="zh-hans",
    ),
    Recorded(
        client="MTranServer's own page",
        method="POST",
        path=f"/mtran/translate/batch?token={KEY}",
        options={"json": {"from": "en", "to": "de", "texts": [TEXT, "you"], "html": False}},
        reply={"results": ["HELLO", "YOU"]},
        texts=(TEXT, "you"),
    ),
    Recorded(
        client="XUnity.AutoTranslator, which appends its query to any address",
        method="GET",
        path=f"/plain?token={KEY}&?from=en&to=de&text={TEXT}",
        options={},
        reply="HELLO",
    ),
]
