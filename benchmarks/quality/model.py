"""Quality of a bundle as served: both directions, every domain, and faults that must not occur.

A real server translates with a beam of four: held-out sentences of each corpus of the training
data, interface texts with placeholders, paragraphs of three sentences, everyday phrases.
"""

import argparse
import asyncio
import json
import lzma
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from tqdm import tqdm

from benchmarks.harness.machine import commit, machine
from benchmarks.harness.report import record
from benchmarks.harness.server_process import HOST, ServerProcess
from bundle.manifest import LanguagePair
from bundle.reader import read_bundle

_TEXTS_A_REQUEST = 32
_CLIENTS = 4
_BEAM_SIZE = 4
_LONGEST_RATIO = 2.5
_NUM_INTERFACE_TEXTS = 500
_VALUES = ("{name}", "{{user.id}}", "%s", "%1$d", "%(count)s", "${path}", "{0}", "<b/>", "%d")
_INTERFACE = {
    "en": (
        "Hello {}, welcome back!",
        "{} files were copied to {}.",
        "Could not open {}: {}",
        "Delete {} and all of its contents?",
        "You have {} new messages.",
        "Page {} of {}",
        "Signed in as {}.",
        "The password for {} has expired.",
        "Moved {} to the folder {}.",
        "Please wait while {} is being installed.",
        "{} is not a valid name.",
        "Send the report to {} before {}.",
    ),
    "de": (
        "Hallo {}, willkommen zurück!",
        "{} Dateien wurden nach {} kopiert.",
        "{} konnte nicht geöffnet werden: {}",
        "{} und den gesamten Inhalt löschen?",
        "Sie haben {} neue Nachrichten.",
        "Seite {} von {}",
        "Angemeldet als {}.",
        "Das Passwort für {} ist abgelaufen.",
        "{} wurde in den Ordner {} verschoben.",
        "Bitte warten Sie, während {} installiert wird.",
        "{} ist kein gültiger Name.",
        "Senden Sie den Bericht vor {} an {}.",
    ),
}
PHRASES = {
    "en": (
        "Where is the train station?",
        "How much does this cost?",
        "I would like a cup of coffee, please.",
        "Do you speak English?",
        "Excuse me, where are the toilets?",
        "The bill, please.",
        "Save changes before closing?",
        "Your password must have at least eight characters.",
        "The file could not be found.",
        "Click here to continue.",
    ),
    "de": (
        "Wo ist der Bahnhof?",
        "Wie viel kostet das?",
        "Ich hätte gern eine Tasse Kaffee.",
        "Sprechen Sie Englisch?",
        "Entschuldigung, wo sind die Toiletten?",
        "Die Rechnung, bitte.",
        "Änderungen vor dem Schließen speichern?",
        "Ihr Passwort muss mindestens acht Zeichen lang sein.",
        "Die Datei wurde nicht gefunden.",
        "Klicken Sie hier, um fortzufahren.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sentence, its reference, and their corpus."""

    source: str
    reference: str
    domain: str


class Client:
    """Requests translations with all details."""

    def __init__(self, port: int, pair: LanguagePair) -> None:
        self._url = f"http://{HOST}:{port}/translate"
        self._languages = {"source": pair.source, "target": pair.target}

    def translate(self, texts: Sequence[str], name: str) -> list[tuple[str, list[Any]]]:
        """Each text's translation and its sentences."""
        return asyncio.run(self._translate(texts, name))

    async def _translate(self, texts: Sequence[str], name: str) -> list[tuple[str, list[Any]]]:
        parts = iter(list(enumerate(_batched(texts, _TEXTS_A_REQUEST))))
        found: dict[int, list[tuple[str, list[Any]]]] = {}
        with tqdm(total=len(texts), desc=name, unit="text", file=sys.stderr) as bar:
            async with httpx.AsyncClient(timeout=600) as http:

                async def lane() -> None:
                    for index, part in parts:
                        found[index] = await self._ask(http, part)
                        bar.update(len(part))

                await asyncio.gather(*(lane() for _ in range(_CLIENTS)))
        return [each for index in sorted(found) for each in found[index]]

    async def _ask(
        self, http: httpx.AsyncClient, texts: Sequence[str]
    ) -> list[tuple[str, list[Any]]]:
        fields = {"q": list(texts), "beam_size": _BEAM_SIZE, "details": True}
        reply = await http.post(self._url, json={**self._languages, **fields})
        if reply.status_code != httpx.codes.OK:
            raise SystemExit(f"the server answered {reply.status_code}: {reply.text[:300]}")
        content = reply.json()
        return list(zip(content["translatedText"], content["details"], strict=True))


def measure(client: Client, pair: LanguagePair, examples: Sequence[Example]) -> dict[str, Any]:
    """All figures of one direction."""
    answers = client.translate([e.source for e in examples], f"{pair} held out")
    return {
        "domains": _scores(examples, [text for text, _ in answers]),
        **_accidents(examples, answers),
        "placeholders": _placeholders(client, pair),
        "paragraphs": _paragraphs(client, pair, examples),
        "phrases": _phrases(client, pair),
    }


def _scores(examples: Sequence[Example], texts: Sequence[str]) -> dict[str, dict[str, float]]:
    by_domain: dict[str, tuple[list[str], list[str]]] = {}
    for example, text in zip(examples, texts, strict=True):
        have, want = by_domain.setdefault(example.domain, ([], []))
        have.append(text)
        want.append(example.reference)
    return {
        domain: {
            "sentences": len(have),
            "bleu": round(BLEU().corpus_score(have, [want]).score, 2),
            "chrf": round(CHRF().corpus_score(have, [want]).score, 2),
        }
        for domain, (have, want) in by_domain.items()
    }


def _accidents(
    examples: Sequence[Example], answers: Sequence[tuple[str, list[Any]]]
) -> dict[str, Any]:
    """Numbers of faults that must not occur."""
    both = [(e.source, text) for e, (text, _) in zip(examples, answers, strict=True)]
    endings = [s["finish_reason"] for _, sentences in answers for s in sentences]
    too_long = [[source, text] for source, text in both if len(text) > _LONGEST_RATIO * len(source)]
    return {
        "sentences": len(endings),
        "too_long": too_long,
        "empty": [source for source, text in both if not text.strip()],
        "loops": sum(ending == "repetition" for ending in endings),
        "cut_off": sum(ending == "length" for ending in endings),
    }


def _placeholders(client: Client, pair: LanguagePair) -> dict[str, Any]:
    """Interface texts with placeholders: each must come back once and unchanged."""
    chance = random.Random(1)
    texts: list[str] = []
    values: list[list[str]] = []
    while len(texts) < _NUM_INTERFACE_TEXTS:
        template = chance.choice(_INTERFACE[pair.source])
        chosen = chance.sample(_VALUES, template.count("{}"))
        texts.append(template.format(*chosen))
        values.append(chosen)
    answers = client.translate(texts, f"{pair} placeholders")
    lost = [
        [text, answer]
        for text, chosen, (answer, _) in zip(texts, values, answers, strict=True)
        if any(answer.count(value) != text.count(value) for value in chosen)
    ]
    untold = sum(
        all(s["placeholders_ok"] for s in sentences)
        for text, (answer, sentences) in zip(texts, answers, strict=True)
        if [text, answer] in lost
    )
    return {
        "texts": len(texts),
        "kept": 1 - len(lost) / len(texts),
        "lost": lost[:10],
        "lost_without_saying_so": untold,
    }


def _paragraphs(client: Client, pair: LanguagePair, examples: Sequence[Example]) -> dict[str, Any]:
    """Paragraphs of three everyday sentences: each sentence must be translated."""
    plain = [e.source for e in examples if e.domain == "dev" and e.source.endswith(".")]
    texts = [" ".join(three) for three in _batched(plain[:300], 3)]
    answers = client.translate(texts, f"{pair} paragraphs")
    whole = [
        len(sentences) >= 3 and all(s["translation"].strip() for s in sentences)
        for _, sentences in answers
    ]
    return {"texts": len(texts), "with_three_sentences": sum(whole)}


def _phrases(client: Client, pair: LanguagePair) -> dict[str, str]:
    phrases = PHRASES[pair.source]
    answers = client.translate(phrases, f"{pair} phrases")
    return {phrase: text for phrase, (text, _) in zip(phrases, answers, strict=True)}


def read_examples(path: Path, domain: str | None = None) -> list[Example]:
    """Pairs of a tab-separated file, whose third column is the corpus."""
    opened = lzma.open if path.suffix == ".xz" else Path.open
    with opened(path, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return [Example(source=r[0], reference=r[1], domain=domain or r[2]) for r in rows]


def _batched(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def _turned(examples: Sequence[Example]) -> list[Example]:
    return [Example(source=e.reference, reference=e.source, domain=e.domain) for e in examples]


def main() -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse()
    examples = read_examples(arguments.dev, "dev")
    if arguments.held_out:
        examples += read_examples(arguments.held_out)
    bundle = read_bundle(arguments.bundle)
    result: dict[str, Any] = {
        "machine": machine(),
        "commit": commit(),
        "bundle": str(arguments.bundle),
        "sha256": bundle.sha256,
    }
    flags = ["--max-text-chars", "1000000", "--deadline-ms", "600000"]
    with ServerProcess(str(arguments.bundle), flags=flags) as server:
        for pair in bundle.manifest.pairs:
            is_forward = pair.source == arguments.first
            given = examples if is_forward else _turned(examples)
            result[str(pair)] = measure(Client(server.port, pair), pair, given)
            print(json.dumps({str(pair): result[str(pair)]}, indent=2, ensure_ascii=False))
    record(result, arguments.json)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.model", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/en-de"))
    parser.add_argument("--dev", type=Path, required=True, help="source, tab, target; .xz or not")
    parser.add_argument(
        "--held-out", type=Path, help="source, target, domain: held-out.tsv of a run"
    )
    parser.add_argument("--first", default="en", help="language of the files' first column")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
