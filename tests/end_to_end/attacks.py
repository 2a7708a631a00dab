"""What a red team did to the service, as plain HTTP: see `tests.end_to_end.attack`.

Each attack is a name, what it found, and requests; none needs more than a client may send.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

BODY_BYTES = 1_000_000
"""A little under the largest body."""
FILE_BYTES = 4_190_000
"""A little under the largest file."""
TEXT_CHARS = 7_900
_BOUNDARY = "attack"
_PAIR = {"source": "en", "target": "de"}


class Reading(Enum):
    """What a client does with its reply."""

    ALL = "reads all of it"
    START = "hangs up after its first bytes"
    NOTHING = "does not read it, and keeps the connection for a while"
    UNASKED = "never completes its request, and keeps the connection for a while"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of an attack."""

    path: str
    body: bytes = b""
    method: str = "POST"
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    has_key: bool = False
    reading: Reading = Reading.ALL

    def head(self, key: str) -> bytes:
        """Request line and headers, for a client with `key`."""
        fields = {
            "Host": "127.0.0.1",
            "Connection": "close",
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            **({"Authorization": f"Bearer {key}"} if self.has_key else {}),
            **dict(self.headers),
        }
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """Requests that belong together."""

    name: str
    finding: int
    """Its number in the report of the red team."""
    requests: Callable[[], Sequence[Request]]
    num_clients: int = 4
    """That send them at once, where the attack is alone."""


def _json(path: str, value: Mapping[str, object], **options: object) -> Request:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Request(path=path, body=body, **options)  # type: ignore[arg-type]


def _list_of(item: str, size_bytes: int = BODY_BYTES) -> str:
    return "[" + ",".join([item] * (size_bytes // (len(item) + 1) - 10)) + "]"


def _raw(path: str, body: str, **options: object) -> Request:
    return Request(path=path, body=body.encode(), **options)  # type: ignore[arg-type]


def _form(path: str, field: str) -> Request:
    body = "&".join([field] * (BODY_BYTES // (len(field) + 1)))
    return _raw(path, body, content_type="application/x-www-form-urlencoded")


def _part(disposition: str, content: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _upload(name: str, content: bytes, *, is_async: bool = False) -> Request:
    fields = {**_PAIR, "async": str(is_async).lower()}
    parts = [_part(f'name="{field}"', value.encode()) for field, value in fields.items()]
    parts.append(_part(f'name="file"; filename="{name}"', content))
    return Request(
        path="/translate_file",
        body=b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode(),
        content_type=f"multipart/form-data; boundary={_BOUNDARY}",
        has_key=True,
    )


def _text(text: str, **fields: object) -> Request:
    return _json("/translate", {"q": text[:TEXT_CHARS], **_PAIR, **fields}, has_key=True)


def _fault_lists() -> list[Request]:
    """Each item is a fault, and every fault was formatted."""
    ones = _list_of("1")
    words = _list_of('"a"')
    start = '{"q":"a","source":"en","target":"de",'
    return [
        _raw("/translate", start + f'"attention":{{"kinds":{ones}}}}}'),
        _raw("/translate", start + f'"attention":{{"layers":{words},"heads":[]}}}}'),
        _raw("/translate", start + f'"attention":{{"heads":{words}}}}}'),
        _raw("/translate", start + f'"glossary":{ones}}}'),
        _raw("/translate", f'{{"source":"en","target":"de","q":{ones}}}'),
        _raw("/attention", start + f'"kinds":{ones}}}'),
        _raw("/attention", start + f'"translation":{ones}}}'),
        _raw("/score", f'{{"source":"en","target":"de","pairs":{ones}}}'),
        _raw("/v2/translate", f'{{"target_lang":"DE","text":{ones}}}'),
        _raw("/detect", f'{{"q":{ones}}}'),
    ]


def _fields() -> list[Request]:
    many_parts = b"".join(_part('name="q"', b"a") for _ in range(BODY_BYTES // 80))
    return [
        _form("/translate", "q=a"),
        _form("/translate", "a="),
        _form("/v2/translate", "text=a"),
        Request(
            path="/translate",
            body=many_parts + f"--{_BOUNDARY}--\r\n".encode(),
            content_type=f"multipart/form-data; boundary={_BOUNDARY}",
        ),
        _raw("/translate", "[" * BODY_BYTES),
        _raw("/translate", '{"a":' * (BODY_BYTES // 5)),
        _raw("/translate", '{"q":"' + "\\u0000" * (BODY_BYTES // 6) + '"}'),
    ]


def _bodies_of_get() -> list[Request]:
    """Past the limit of requests, which counted POST alone."""
    ones = '{"q":' + _list_of("1") + "}"
    return [
        _raw(path, ones, method="GET") for path in ("/languages", "/livez", "/models", "/translate")
    ]


def _slow_readers() -> list[Request]:
    return [
        Request(path="/openapi.json", method="GET", reading=Reading.NOTHING),
        Request(path="/metrics", method="GET", reading=Reading.NOTHING),
        *(
            Request(path=each.path, body=each.body, reading=Reading.NOTHING)
            for each in _fault_lists()[:2]
        ),
    ]


def _slow_writers() -> list[Request]:
    return [
        Request(path="/translate", body=b'{"q": "', reading=Reading.UNASKED),
        Request(path="/translate", reading=Reading.UNASKED),
    ]


def _filled(pattern: bytes, size_bytes: int = FILE_BYTES) -> bytes:
    return pattern * (size_bytes // len(pattern))


def _paragraphs() -> list[Request]:
    """Fifty-seven times as large in memory."""
    return [
        _upload("a.txt", _filled(b"a\n\n")),
        _upload("a.md", _filled(b"a\n\n")),
        _upload("a.html", _filled(b"<p>a")),
        _upload("a.srt", _filled(b"1\n00:00:01,000 --> 00:00:02,000\na\n\n")),
        _upload("a.po", _filled(b'msgid "a"\nmsgstr ""\n\n')),
        _upload("a.json", b"[" + _filled(b'"a",') + b'"a"]'),
    ]


def _returns() -> list[Request]:
    return [_upload(f"a{end}", _filled(b"\r")) for end in (".txt", ".md", ".html", ".po", ".srt")]


def _markdown() -> list[Request]:
    size = 160_000
    patterns = (b"*a_ ", b"[a](b) *c* `d` ", b"[", b"![[", b"`a``b```", b"> - 1. ", b"| a ", b"<a")
    return [_upload("a.md", _filled(pattern, size)) for pattern in patterns]


def _background_files() -> list[Request]:
    """One key's jobs in all places."""
    content = _filled(b"The weather is nice today, and so was yesterday.\n\n", 200_000)
    return [_upload("a.txt", content, is_async=True)]


def _tags() -> list[Request]:
    return [
        _text("<a" * 3_950, format="html"),
        _text("<a b" + '="' * 3_950, format="html"),
        _text("<b>" * 2_630, format="html"),
        _text("</b>" * 1_975, format="html"),
        _text("<!--" * 1_975, format="html"),
        _text("&" * 7_900, format="html"),
        _text('<a href="x">a</a> ' * 430, format="html"),
    ]


def _glossaries() -> list[Request]:
    nearly = [{"source": "a " * n + "b", "target": "c"} for n in range(1, 98)]
    return [
        _text("a " * 3_900, glossary=nearly),
        _text("a " * 3_900, glossary=[{"source": "a", "target": "b\0c"}]),
        _text("a" * 7_900, glossary=[{"source": "a" * n, "target": "b"} for n in range(1, 98)]),
    ]


def _fragments() -> list[Request]:
    return [
        _text("漢a" * 3_950),
        _text("😀a " * 2_600),
        _text("a.b@c.de " * 870),
        _text("{0} " * 1_970),
        _text("a\n" * 3_950, unwrap=True),
        _text(". " * 3_950),
    ]


def _broken_streams() -> list[Request]:
    text = " ".join(f"Sentence number {n} is about the weather." for n in range(180))
    body = json.dumps({"q": text[:TEXT_CHARS], **_PAIR, "stream": True}).encode()
    return [Request(path="/translate", body=body, has_key=True, reading=Reading.START)]


def _inspections() -> list[Request]:
    text = " ".join(f"word{n}" for n in range(60))
    png = (("Accept", "image/png"),)
    return [
        _json("/attention", {"q": text, **_PAIR}, has_key=True),
        _json("/attention", {"q": text, **_PAIR}, has_key=True, headers=png),
        _json(
            "/score",
            {"pairs": [{"source_text": text, "target_text": text}] * 20, **_PAIR},
            has_key=True,
        ),
    ]


def _batches() -> list[Request]:
    texts = [f"Sentence number {n} is about the weather of today." for n in range(500)]
    return [_json("/translate", {"q": texts, **_PAIR, "beam_size": 4}, has_key=True)]


def _wrong_keys() -> list[Request]:
    body = {"q": "a", **_PAIR}
    return [
        _json("/translate", {**body, "api_key": f"guess-{n:036}"}, headers=(("X-N", str(n)),))
        for n in range(50)
    ]


def _names() -> list[Request]:
    hosts = ("evil.example", "a." * 20_000, '"<script>')
    return [
        *(
            Request(path="/languages", method="GET", headers=(("Host", host),), has_key=True)
            for host in hosts
        ),
        _upload("r\u00e9sum\u00e9 \u6f22.txt", b"a"),
        _upload("../../etc/passwd.txt", b"a"),
        Request(path="/download_file/" + "a" * 8_000, method="GET", has_key=True),
        Request(path="/" + "%2e%2e/" * 2_000, method="GET"),
    ]


ATTACKS: tuple[Attack, ...] = (
    Attack(name="fault-lists", finding=1, requests=_fault_lists, num_clients=40),
    Attack(name="form-fields", finding=1, requests=_fields, num_clients=20),
    Attack(name="bodies-of-get", finding=1, requests=_bodies_of_get, num_clients=20),
    Attack(name="slow-readers", finding=1, requests=_slow_readers, num_clients=40),
    Attack(name="slow-writers", finding=1, requests=_slow_writers, num_clients=200),
    Attack(name="file-paragraphs", finding=2, requests=_paragraphs, num_clients=6),
    Attack(name="file-returns", finding=2, requests=_returns),
    Attack(name="file-markdown", finding=2, requests=_markdown, num_clients=12),
    Attack(name="html-tags", finding=3, requests=_tags),
    Attack(name="glossaries", finding=3, requests=_glossaries),
    Attack(name="fragments", finding=3, requests=_fragments),
    Attack(name="broken-streams", finding=4, requests=_broken_streams, num_clients=12),
    Attack(name="inspections", finding=5, requests=_inspections, num_clients=80),
    Attack(name="background-files", finding=5, requests=_background_files, num_clients=16),
    Attack(name="batches", finding=5, requests=_batches, num_clients=8),
    Attack(name="wrong-keys", finding=8, requests=_wrong_keys, num_clients=8),
    Attack(name="names", finding=8, requests=_names),
)
