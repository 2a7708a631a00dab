"""Translates files with argos-translate-files, in an environment that has it.

Run by `comparison`, with the interpreter of that environment: gives argos-translate-files the
translations of a running service, so that both translate with the same weights. Reads a JSON
object from standard input and writes one: what went wrong, by file.
"""

import json
import sys
import urllib.request
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace


class ServedTranslation:
    """What argos-translate-files asks for translations."""

    def __init__(self, url: str, source: str, target: str) -> None:
        self.from_lang = SimpleNamespace(code=source)
        self.to_lang = SimpleNamespace(code=target)
        self._url = url
        self._known: dict[str, str] = {}

    def translate(self, text: str) -> str:
        """The service's translation; what has no letters stays as it is."""
        if not any(map(str.isalpha, text)):
            return text
        if text not in self._known:
            self._known[text] = self._asked(text)
        return self._known[text]

    def _asked(self, text: str) -> str:
        pair = {"source": self.from_lang.code, "target": self.to_lang.code}
        body = json.dumps({"q": text, "format": "text", **pair}).encode()
        request = urllib.request.Request(
            f"{self._url}/translate", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            return str(json.load(reply)["translatedText"])


def main() -> int:
    """Translate each file; returns the exit code."""
    task = json.load(sys.stdin)
    files = import_module("argostranslatefiles.argostranslatefiles")
    translation = ServedTranslation(task["url"], task["source"], task["target"])
    errors: dict[str, str] = {}
    for source, target in task["files"].items():
        try:
            written = files.translate_file(translation, source)
            Path(written).rename(target)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this file's result
            errors[source] = f"{type(error).__name__}: {error}"[:300]
    found = {"errors": errors, "version": version("argos-translate-files")}
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
