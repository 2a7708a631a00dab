"""An imported model is served like any other: text, attention, tags."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

pytest.importorskip("transformers", reason="transformers is not installed")

from bundle.reader import read_bundle
from export.importers.hf_marian.original import TransformersOriginal
from export.importers.importer import import_bundle
from export.importers.options import DevelopmentFile, ImportOptions
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from tests.data.toy_language import sentence_pairs
from tests.export.importers.hf_marian.hf_models import original_tokenizer, save_model
from tests.service.tiny_models import Running, running

pytestmark = [
    pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning"),
    pytest.mark.filterwarnings("ignore:Moving the following attributes:UserWarning"),
]
TEXTS = [source for source, _ in sentence_pairs(60, seed=21) if len(source) < 60]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "model"
    return save_model(folder, normalize_before=True, max_position_embeddings=100)


@pytest.fixture(scope="module")
def plain(checkpoint: Path) -> Iterator[Running]:
    with running(folder=_imported(checkpoint, "fp32")) as service:
        yield service


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("int8") / "model"
    path = save_model(folder, share_encoder_decoder_embeddings=False, seed=1)
    with running(folder=_imported(path, "int8")) as service:
        yield service


def _imported(checkpoint: Path, precision: Any) -> Path:  # noqa: ANN401
    out = checkpoint.with_name(precision)
    dev = checkpoint.with_name("dev.tsv")
    lines = (f"{source}\t{target}\n" for source, target in sentence_pairs(60, seed=2))
    dev.write_text("".join(lines), encoding="utf-8")
    import_bundle(
        ImportOptions(
            out=out,
            kind="hf-marian",
            path=checkpoint,
            precision=precision,
            sources=("en",),
            targets=("de",),
            dev=(DevelopmentFile(path=dev),),
            max_source_tokens=100,
            max_target_tokens=24,
            verification_sentences=8,
            max_bleu_loss=100,
        )
    )
    return out


def _post(service: Running, route: str, **body: object) -> Any:  # noqa: ANN401
    app: FastAPI = create_app(load_settings({}), Registry(service.registry.models), Metrics())

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(route, json={"source": "en", "target": "de", **body})

    reply = asyncio.run(send())
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_texts_are_translated_as_by_the_original(plain: Running, checkpoint: Path) -> None:
    tokenizer = original_tokenizer(checkpoint)
    bundle = plain.model.bundle
    original = TransformersOriginal(
        checkpoint, banned=[bundle.manifest.special_ids.bos], is_pre_norm=True
    )
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    found = original.greedy(ids, 24)
    written = {
        text: tokenizer.decode(translation.target_ids, skip_special_tokens=True)
        for text, translation in zip(TEXTS, found, strict=True)
        if translation.target_ids[-1] == bundle.manifest.special_ids.eos
    }
    written = {text: found for text, found in written.items() if found}  # we write something
    assert len(written) >= 3
    reply = _post(plain, "/translate", q=list(written), beam_size=1)
    assert reply["translatedText"] == list(written.values())


def test_attention_has_a_row_for_every_piece_of_either_vocabulary(int8: Running) -> None:
    text = TEXTS[0]
    shape, tokenizer = int8.model.bundle.manifest.architecture, int8.model.bundle.tokenizer
    reply = _post(int8, "/attention", q=text)
    cross = np.array(reply["cross"])
    pieces = tokenizer.source_pieces(tokenizer.encode_source(text, int8.pair))
    assert reply["source_tokens"] == pieces
    layers, heads = shape.num_decoder_layers, shape.num_heads
    assert cross.shape == (layers, heads, len(reply["target_tokens"]), len(pieces))
    np.testing.assert_allclose(cross.sum(axis=-1), 1, atol=0.01)


def test_int8_serves_tags_and_addresses(int8: Running) -> None:
    manifest = read_bundle(int8.model.bundle.path).manifest
    assert (manifest.precision, manifest.cache, manifest.placeholders) == ("int8", "int8", ())
    assert manifest.alignment_head is not None
    reply = _post(
        int8, "/translate", q=f"<p>{TEXTS[1]} <b>https://example.org/a?b=1</b></p>", format="html"
    )
    assert "https://example.org/a?b=1" in reply["translatedText"]
    assert reply["translatedText"].startswith("<p>")
    assert reply["translatedText"].count("<b>") == 1
