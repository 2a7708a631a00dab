"""A published model: Tajik in Cyrillic letters to Persian, letter by letter."""

import asyncio
import importlib
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

pytest.importorskip("tg2fa_translit", reason="tg2fa-translit is not installed")

from export.importers.importer import import_bundle
from export.importers.options import DevelopmentFile, ImportOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from tests.service.tiny_models import Running, running

decoding = importlib.import_module("tg2fa_translit.decode")
pipeline = importlib.import_module("tg2fa_translit.convert")
network = importlib.import_module("tg2fa_translit.transformer")

EXAMPLE = "То ғами фардо нахӯрем!", "تا غم فردا نخوریم!"
"""In the package's README."""
TEXTS = [
    "то ғами фардо нахӯрем",
    "бӯи ҷӯи мӯлиён ояд ҳаме",
    "ёди ёри меҳрубон ояд ҳаме",
    "забони тоҷикӣ",
    "китоб дар болои миз аст",
    "душанбе пойтахти тоҷикистон аст",
    "ман имрӯз ба мактаб меравам",
    "об",
    "дӯстон вақт аст",
    "баҳор омад",
    "хонаи мо дар деҳа аст",
    "ҳаво имрӯз хеле хуб аст",
    "шоир шеър мегӯяд",
    "мардум дар бозор ҷамъ шуданд",
    "падар ва модар",
    "рӯзи нек",
    "дарёи сафед",
    "кӯҳҳои баланд",
    "донишгоҳи миллӣ",
    "шаҳри бузург",
    "ситораҳои осмон",
    "мактаби миёна",
]
DESCRIPTION = """\
weights = "model_2.9.zip"
state = "model_state_dict"
num_heads = 8

[tensors]
source_embedding = "src_tok_emb.embedding.weight"
target_embedding = "tgt_tok_emb.embedding.weight"
generator = "generator"
source_positions = "positional_encoding.pos_embedding"
target_positions = "positional_encoding.pos_embedding"

[source]
cut = "characters"
lower_case = true
pieces = "source.txt"

[target]
cut = "characters"
pieces = "target.txt"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("tajik")
    shutil.copy(network.filename, folder)
    for name, pieces in (("source", decoding.tg_keys), ("target", decoding.fa_values)):
        (folder / f"{name}.txt").write_text("".join(f"{p}\n" for p in pieces), encoding="utf-8")
    (folder / "model.toml").write_text(DESCRIPTION, encoding="utf-8")
    dev = folder / "dev.tsv"
    reference = EXAMPLE[1].strip("!")  # quality is not what is measured here
    dev.write_text("".join(f"{text}\t{reference}\n" for text in TEXTS), encoding="utf-8")
    options = ImportOptions(
        out=folder / "bundle",
        kind="torch",
        path=folder,
        sources=("tg",),
        targets=("fa",),
        dev=(DevelopmentFile(path=dev),),
    )
    manifest = import_bundle(options)
    found = manifest.parity.original
    assert found is not None
    assert found.identical_sentences == found.sentences == len(TEXTS)
    assert found.identical_beams == found.beams > 20
    assert found.max_logit_error <= 1e-4
    with running(folder=options.out) as started:
        yield started


def _translated(service: Running, text: str) -> str:
    app: FastAPI = create_app(load_settings({}), Registry(service.registry.models), Metrics())
    body = {"q": text, "source": "tg", "target": "fa", "beam_size": 1}

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/translate", json=body)

    reply = asyncio.run(send())
    assert reply.status_code == 200, reply.text
    return str(reply.json()["translatedText"])


@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_out_as_the_package_writes_them(text: str, service: Running) -> None:
    assert _translated(service, text) == decoding.decode(network.transformer, text)


def test_capital_letters_are_lower_cased(service: Running) -> None:
    assert _translated(service, EXAMPLE[0].strip("!")) == EXAMPLE[1].strip("!")


def test_the_example_of_its_readme_comes_out_letter_for_letter(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Punctuation never reaches that network: the package's own pipeline takes it out and back."""
    asked: list[str] = []

    def decode(_: Any, text: str) -> str:  # noqa: ANN401
        asked.append(text)
        return _translated(service, text)

    monkeypatch.setattr(pipeline, "decode", decode)
    assert pipeline.convert(EXAMPLE[0]) == EXAMPLE[1]
    assert asked == ["то ғами фардо нахӯрем"]
