"""Real clients of other services that run on Node."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.server_process import LONGEST_S, ServerProcess, serving
from tests.service.tiny_models import tiny_bundle

MODULES = os.environ.get("CLIENT_MODULES")
"""Folder that the packages of tests/service/clients/node_clients are installed in."""
pytestmark = [
    pytest.mark.skipif(
        MODULES is None,
        reason="set CLIENT_MODULES to a folder with packages of node_clients: make test-clients",
    ),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(
        MODULES is not None and not Path(MODULES, "node_modules").is_dir(),
        reason="npm is not installed, so there are no clients of Node",
    ),
]

KEY, SMALL_KEY = "key-of-the-tests", "small-key-of-the-tests"
MAX_CHARS = 20_000
PAIR = tiny_bundle().manifest.pairs[0]
TEXT = tiny_bundle().manifest.canary.source_text
WORD = max(TEXT.rstrip(".").split(), key=len)
TEXTS = [f"{TEXT} {TEXT}\n{TEXT}", TEXT]

_PREAMBLE = """
import fs from 'node:fs'
const { url, key, smallKey, source, target, texts, word, folder } =
  JSON.parse(fs.readFileSync(0, 'utf8'))
const failing = async (call) => {
  try {
    return ['no error', String(await call())]
  } catch (error) {
    return [error.constructor.name, error.message]
  }
}
"""
_DEEPL = """
import { DeepLClient, GlossaryEntries } from 'deepl-node'
const [from, to] = [source.toUpperCase(), target.toUpperCase()]
const unknown = '00000000-0000-0000-0000-000000000000'
const opened = (given) => new DeepLClient(given, { serverUrl: url, maxRetries: 1 })
const client = opened(key)
const text = texts[1]
"""
_DEEPL_TEXTS = """
const markup = `<p>${text}</p><x>kept</x>`
const html = { tagHandling: 'html', ignoreTags: ['x'] }
const [one, several, found, tagged] = [
  await client.translateText(text, from, to),
  await client.translateText(texts, from, to),
  await client.translateText(text, null, to),
  await client.translateText(markup, from, to, html),
]
const usage = await client.getUsage()
const reply = {
  one: [one.text, one.billedCharacters],
  several: several.map((each) => each.text),
  found: found.detectedSourceLang,
  tagged: tagged.text,
  sources: (await client.getSourceLanguages()).map((each) => each.code),
  targets: (await client.getTargetLanguages()).map((each) => each.code),
  usage: [usage.character.limit, usage.anyLimitReached()],
  wrongKey: await failing(() => opened('wrong').getUsage()),
  noQuota: await failing(() => opened(smallKey).translateText('a'.repeat(20001), from, to)),
  unknown: await failing(() => client.translateText(text, from, 'zz')),
  formality: await failing(() => client.translateText(text, from, to, { formality: 'more' })),
}
"""
_DEEPL_DOCUMENTS = """
const [given, gotten] = [`${folder}/a.txt`, `${folder}/b.txt`]
fs.writeFileSync(given, `${text}\\n\\n${text}\\n`)
const status = await client.translateDocument(given, gotten, from, to)
const sent = (content, filename, options = {}) =>
  client.uploadDocument(Buffer.from(content), from, to, { filename, ...options })
const pdf = { extraRequestParameters: { output_format: 'pdf' } }
const long = Array.from({ length: 200 }, (_, number) => `${number} ${text}`).join('\\n\\n')
const waiting = await sent(long, 'a.txt')
const early = await failing(() => client.downloadDocument(waiting, `${folder}/c.txt`))
const wrong = { documentId: waiting.documentId, documentKey: 'wrong' }
const reply = {
  status: [status.status, status.billedCharacters, status.done()],
  gotten: fs.readFileSync(gotten, 'utf8'),
  early,
  broken: await failing(() => sent('PK', 'a.docx')),
  wrong: await failing(() => client.getDocumentStatus(wrong)),
  wrongResult: await failing(() => client.downloadDocument(wrong, `${folder}/d.txt`)),
  format: await failing(() => sent('x', 'a.exe')),
  output: await failing(() => sent('x', 'a.txt', pdf)),
  language: await failing(() => client.uploadDocument(given, from, 'zz')),
  glossary: await failing(() => sent('x', 'a.txt', { glossary: unknown })),
  whole: await failing(() => client.translateDocument(given, `${folder}/e.txt`, from, 'zz')),
  left: fs.existsSync(`${folder}/e.txt`),
  noQuota: await failing(() => opened(smallKey).uploadDocument(
    Buffer.from('a'.repeat(20001)), from, to, { filename: 'a.txt' })),
  wrongKey: await failing(() => opened('wrong').uploadDocument(given, from, to)),
}
"""
_DEEPL_GLOSSARIES = """
const entries = new GlossaryEntries({ entries: { [word]: 'Wanted Term', artist: 'Maestro' } })
const made = await client.createGlossary('Terms', from, to, entries)
fs.writeFileSync(`${folder}/a.csv`, `${word},"A, b"\\n`)
const fromCsv = await client.createGlossaryWithCsv('Csv', from, to, `${folder}/a.csv`)
const dictionary = (given) => (
  { sourceLangCode: from, targetLangCode: to, entries: new GlossaryEntries({ entries: given }) })
const both = await client.createMultilingualGlossary('Both', [dictionary({ [word]: 'Other Term' })])
const translated = async (glossary) =>
  (await client.translateText(text, from, to, { glossary })).text
const reply = {
  made: [made.name, made.ready, made.entryCount],
  entries: (await client.getGlossaryEntries(made)).entries(),
  fromCsv: (await client.getGlossaryEntries(fromCsv.glossaryId)).entries(),
  listed: (await client.listGlossaries()).map((each) => each.name).sort(),
  translated: await translated(made),
  multilingual: await translated(both.glossaryId),
  pairs: await client.getGlossaryLanguagePairs(),
}
await client.updateMultilingualGlossaryDictionary(both, dictionary({ artist: 'Virtuoso' }))
reply.updated =
  (await client.getMultilingualGlossaryDictionaryEntries(both, from, to)).entries.entries()
await client.deleteGlossary(made)
await client.deleteGlossary(fromCsv)
await client.deleteMultilingualGlossary(both)
reply.gone = await failing(() => client.getGlossary(made.glossaryId))
reply.goneToo = await failing(() => client.getMultilingualGlossary(both.glossaryId))
reply.unknown = await failing(() => translated(unknown))
reply.wrongKey = await failing(() => opened('wrong').listGlossaries())
"""
# The address of its API is a variable of its process.
_GOOGLE = """
process.env.GOOGLE_CLOUD_TRANSLATE_ENDPOINT = `${url}/google/language/translate/v2`
const { v2 } = (await import('@google-cloud/translate')).default
const client = new v2.Translate({ key })
const pair = { from: source, to: target, format: 'text' }
const text = texts[1]
const reply = {
  one: (await client.translate(text, pair))[0],
  several: (await client.translate(texts, pair))[0],
  html: (await client.translate(`<b>${text}</b>`, { ...pair, format: 'html' }))[0],
  detected: (await client.detect(text))[0],
  languages: (await client.getLanguages('en'))[0],
  unknown: await failing(() => client.translate(text, { ...pair, from: 'xx' })),
  wrongKey: await failing(() => new v2.Translate({ key: 'wrong' }).getLanguages()),
}
"""
_TRANSLATE = """
import { Translate } from 'translate'
const given = { engine: 'libre', url: `${url}/translate`, from: source, to: target }
const [translate, wrong] = [new Translate({ ...given, key }), new Translate({ ...given, key: 'x' })]
const reply = {
  several: [await translate(texts[0]), await translate(texts[1])],
  wrongKey: await failing(() => wrong(texts[1] + '!')),
  unknown: await failing(() => translate(texts[1], { from: 'eo' })),
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("node-clients")
    keys = {"PELLUCID_API_KEYS": f"{KEY},{SMALL_KEY}", "PELLUCID_MAX_CHARS_PER_KEY": str(MAX_CHARS)}
    with serving(folder, "--workers", "1", "--slots-per-worker", "8", **keys) as running:
        yield running


@pytest.fixture(scope="module")
def native(server: ServerProcess) -> list[str]:
    """What the native dialect translates TEXTS to."""
    body = {"q": TEXTS, "source": PAIR.source, "target": PAIR.target, "api_key": KEY}
    reply = httpx.post(f"{server.url}/translate", json=body, timeout=LONGEST_S).json()
    translated: list[str] = reply["translatedText"]
    return translated


def _run(script: str, url: str, folder: Path) -> Any:  # noqa: ANN401 - any JSON
    """What a client's program has found out from the server at `url`."""
    given = {
        "url": url,
        "key": KEY,
        "smallKey": SMALL_KEY,
        "source": PAIR.source,
        "target": PAIR.target,
        "texts": TEXTS,
        "word": WORD,
        "folder": str(folder),
    }
    program = f"{_PREAMBLE}{script}\nconsole.log(JSON.stringify(reply))"
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", program],
        input=json.dumps(given),
        cwd=MODULES,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_deepls_client_translates_texts(
    server: ServerProcess, native: list[str], tmp_path: Path
) -> None:
    found = _run(_DEEPL + _DEEPL_TEXTS, server.url, tmp_path)
    assert found["one"] == [native[1], len(TEXT)]
    assert found["several"] == native
    assert found["found"] == PAIR.source
    assert found["tagged"].startswith("<p>")
    assert found["tagged"].endswith("</p><x>kept</x>")
    assert PAIR.source in found["sources"]
    assert any(code.startswith(PAIR.target) for code in found["targets"])
    assert found["usage"] == [MAX_CHARS, False]
    _check_error(found["wrongKey"], "AuthorizationError", "Invalid API key")
    _check_error(found["noQuota"], "QuotaExceededError", "characters left this month")
    _check_error(found["unknown"], "DeepLError", "zz is not supported")
    _check_error(found["formality"], "DeepLError", "formality")


def test_deepls_client_translates_documents(
    server: ServerProcess, native: list[str], tmp_path: Path
) -> None:
    found = _run(_DEEPL + _DEEPL_DOCUMENTS, server.url, tmp_path)
    assert found["gotten"] == f"{native[1]}\n\n{native[1]}\n"
    assert found["status"] == ["done", 2 * len(TEXT) + 3, True]
    _check_error(found["early"], "DocumentNotReadyError", "ask again later")
    for name in ("wrong", "wrongResult"):
        _check_error(found[name], "DeepLError", "there is no such document")
    _check_error(found["broken"], "DeepLError", "it is not a .docx file")
    _check_error(found["format"], "DeepLError", "file format not supported")
    _check_error(found["output"], "DeepLError", "output_format 'pdf' is not the document's")
    _check_error(found["language"], "DeepLError", "zz is not supported")
    _check_error(found["glossary"], "DeepLError", "there is no glossary")
    _check_error(found["whole"], "DocumentTranslationError", "zz is not supported")
    assert found["left"] is False
    _check_error(found["noQuota"], "QuotaExceededError", "characters left this month")
    _check_error(found["wrongKey"], "AuthorizationError", "Invalid API key")


def test_deepls_client_keeps_glossaries(server: ServerProcess, tmp_path: Path) -> None:
    found = _run(_DEEPL + _DEEPL_GLOSSARIES, server.url, tmp_path)
    assert found["made"] == ["Terms", True, 2]
    assert found["entries"] == {WORD: "Wanted Term", "artist": "Maestro"}
    assert found["fromCsv"] == {WORD: "A, b"}
    assert found["listed"] == ["Both", "Csv", "Terms"]
    assert "Wanted Term" in found["translated"]
    assert "Other Term" in found["multilingual"]
    assert {"sourceLang": PAIR.source, "targetLang": PAIR.target} in found["pairs"]
    assert found["updated"] == {WORD: "Other Term", "artist": "Virtuoso"}
    for name in ("gone", "goneToo"):
        _check_error(found[name], "GlossaryNotFoundError", "Glossary not found")
    _check_error(found["unknown"], "DeepLError", "there is no glossary")
    _check_error(found["wrongKey"], "AuthorizationError", "Invalid API key")


def test_googles_client_translates_detects_and_lists(
    server: ServerProcess, native: list[str], tmp_path: Path
) -> None:
    found = _run(_GOOGLE, server.url, tmp_path)
    assert found["one"] == native[1]
    assert found["several"] == native
    assert found["html"].startswith("<b>")
    assert found["detected"]["language"] == PAIR.source
    assert {"code": PAIR.target, "name": "German"} in found["languages"]
    _check_error(found["unknown"], "ApiError", "xx is not supported")
    _check_error(found["wrongKey"], "ApiError", "Invalid API key")


def test_translate_translates(server: ServerProcess, native: list[str], tmp_path: Path) -> None:
    found = _run(_TRANSLATE, server.url, tmp_path)
    assert found["several"] == native
    _check_error(found["wrongKey"], "Error", "Invalid API key")
    _check_error(found["unknown"], "Error", "eo is not supported")


def _check_error(found: list[str], name: str, message: str) -> None:
    assert found[0] == name, found
    assert message in found[1], found
