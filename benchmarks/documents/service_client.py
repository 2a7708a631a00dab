"""The running service, asked for texts and for files."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_TIMEOUT_S = 300
_TEXTS_PER_REQUEST = 20


class ServiceClient:
    """Translates by HTTP."""

    def __init__(self, url: str, source: str, target: str) -> None:
        self._url = url
        self._pair = {"source": source, "target": target}

    def texts(self, texts: Iterable[str]) -> dict[str, str]:
        """The translation of each text."""
        missing = [*dict.fromkeys(texts)]
        found: dict[str, str] = {}
        for start in range(0, len(missing), _TEXTS_PER_REQUEST):
            some = missing[start : start + _TEXTS_PER_REQUEST]
            body = json.dumps({"q": some, "format": "text", **self._pair}).encode()
            reply = self._post("/translate", body, "application/json")
            found.update(zip(some, reply["translatedText"], strict=True))
        return found

    def file(self, path: Path) -> bytes:
        """A translated file.

        Raises:
            urllib.error.HTTPError: The service refused it.
        """
        boundary = uuid.uuid4().hex
        fields = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self._pair.items()
        ]
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="a{path.suffix}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        body = "".join(fields).encode() + head.encode() + path.read_bytes()
        body += f"\r\n--{boundary}--\r\n".encode()
        reply = self._post("/translate_file", body, f"multipart/form-data; boundary={boundary}")
        with urllib.request.urlopen(reply["translatedFileUrl"], timeout=_TIMEOUT_S) as file:
            data: bytes = file.read()
        return data

    def _post(self, path: str, body: bytes, content_type: str) -> Any:  # noqa: ANN401 - JSON
        headers = {"Content-Type": content_type}
        request = urllib.request.Request(f"{self._url}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
            return json.load(reply)
