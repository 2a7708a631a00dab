"""Causes over HTTP, by the command and by the inspector: in every form, and within the limits."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from PIL import Image

from export.renewal import renew
from service.api.replies.attention import InspectedTextReply
from service.cli.main import main
from service.errors import DeadlineExceededError, InvalidRequestError, PayloadTooLargeError
from service.inspection.inspector import Inspector
from service.inspection.token_pairs import TokenPair
from service.inspection.values import METHODS, AttentionSelection, Contributions, Method
from service.models.registry import Registry
from service.observability.metrics import Metrics
from service.server.app import create_app
from service.settings import load_settings
from tests.service.tiny_models import TINY_BUNDLE, Running, running

CAUSES = METHODS[1:]
TEXT = "A naïve flower needs the book."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = Path(shutil.copytree(TINY_BUNDLE, tmp_path_factory.mktemp("causes") / "tiny"))
    renew(copy)
    return copy


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Running]:
    with running(folder=folder) as service:
        yield service


def ask(service: Running, route: str, accept: str = "", **body: object) -> httpx.Response:
    app = create_app(load_settings({}), Registry(service.registry.models), Metrics())

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            parameters = {"source": "en", "target": "de", **body}
            return await client.post(route, json=parameters, headers={"Accept": accept})

    return asyncio.run(send())


def pairs(service: Running, count: int) -> list[TokenPair]:
    """Sentences of different lengths with any translation."""
    bundle = service.model.bundle
    words = (bundle.manifest.canary.source_text.split() * count)[:count]
    return [
        TokenPair(
            source_ids=tuple(bundle.tokenizer.encode_source(" ".join(words[i:]), service.pair)),
            target_ids=tuple(bundle.tokenizer.encode_target(" ".join(words[: i + 1]))),
        )
        for i in range(count)
    ]


def contributions(service: Running, given: list[TokenPair], method: Method) -> list[Contributions]:
    inspector = Inspector(max_cells=100_000)
    chosen = AttentionSelection(method=method)
    found = asyncio.run(inspector.inspect(service.model, given, chosen))
    return [maps.contributions for maps in found if maps.contributions is not None]


@pytest.mark.parametrize("method", CAUSES)
def test_json_has_rows_that_sum_to_one(service: Running, method: Method) -> None:
    reply = ask(service, "/attention", q=TEXT, method=method)
    assert reply.status_code == 200, reply.text
    content = reply.json()
    InspectedTextReply.model_validate(content)
    found = content["contributions"]
    assert found["method"] == method and "cross" not in content
    source, target = np.array(found["source"]), np.array(found["target"])
    assert source.shape == (len(content["target_tokens"]), len(content["source_tokens"]))
    np.testing.assert_allclose(source.sum(1) + target.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found["source_share"], source.sum(1), atol=1e-6)
    assert not np.triu(target, k=1).any()
    assert found["prefix_tokens"] == ["<s>", *content["target_tokens"][:-1]]


def test_attention_stays_the_default(service: Running) -> None:
    plain = ask(service, "/attention", q=TEXT).json()
    assert plain == ask(service, "/attention", q=TEXT, method="attention").json()
    assert "contributions" not in plain


@pytest.mark.parametrize("method", CAUSES)
def test_no_pair_depends_on_its_neighbours(service: Running, method: Method) -> None:
    given = pairs(service, 4)
    together = contributions(service, given, method)
    for pair, found in zip(given, together, strict=True):
        (alone,) = contributions(service, [pair], method)
        np.testing.assert_array_equal(found.source, alone.source)
        np.testing.assert_array_equal(found.target, alone.target)


@pytest.mark.parametrize("method", CAUSES)
def test_words_are_pooled_on_both_sides(service: Running, method: Method) -> None:
    content = ask(service, "/attention", q=TEXT, method=method, words=True).json()
    pieces = ask(service, "/attention", q=TEXT, method=method).json()
    found = content["contributions"]
    assert content["source_tokens"] == ["A", "naïve", "flower", "needs", "the", "book", ".", "</s>"]
    assert len(pieces["source_tokens"]) > len(content["source_tokens"])
    assert found["prefix_tokens"] == ["<s>", *content["target_tokens"][:-1]]
    both = np.concatenate([found["source"], found["target"]], axis=1)
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-5)


def test_arrays_are_those_of_the_json(service: Running) -> None:
    content = ask(service, "/attention", q=TEXT, method="alti").json()["contributions"]
    reply = ask(service, "/attention", "application/x-npz", q=TEXT, method="alti")
    arrays = dict(np.load(BytesIO(reply.content), allow_pickle=False))
    for name in ("source", "target", "source_share"):
        np.testing.assert_allclose(arrays[f"contributions.{name}"], content[name], atol=1e-7)
    assert arrays["contributions.prefix_tokens"].tolist() == content["prefix_tokens"]
    assert str(arrays["contributions.method"]) == "alti"


def test_pictures_show_source_and_target_side_by_side(service: Running) -> None:
    content = ask(service, "/attention", q=TEXT, method="alti").json()
    svg = ET.fromstring(ask(service, "/attention", "image/svg+xml", q=TEXT, method="alti").content)
    titles = [title.text for title in svg.findall("{*}g/{*}title")]
    assert sum("ALTI" in str(title) for title in titles) == 1
    texts = [text.text for text in svg.iter() if text.tag.endswith("text")]
    assert texts.count("<s>") == 1
    image = Image.open(
        BytesIO(ask(service, "/attention", "image/png", q=TEXT, method="alti").content)
    )
    assert image.size == (2 * int(svg.attrib["width"]), 2 * int(svg.attrib["height"]))
    page = ask(service, "/attention", "text/html", q=TEXT, method="alti").text
    assert "Contributions by ALTI" in page
    assert len(content["contributions"]["target"]) == len(content["target_tokens"])


def test_states_are_those_of_the_chosen_layers_and_heads(service: Running) -> None:
    shape = service.model.bundle.manifest.architecture
    asked: dict[str, Any] = {"q": TEXT, "kinds": ["encoder"], "states": True}
    content = ask(service, "/attention", **asked).json()
    InspectedTextReply.model_validate(content)
    found = {name: np.array(values) for name, values in content["states"].items()}
    layers, num_source = shape.num_encoder_layers, len(content["source_tokens"])
    assert found["queries"].shape == (layers, shape.num_heads, num_source, shape.head_dim)
    assert found["activations"].shape == (layers, num_source, shape.d_ff)
    assert found["residual_norms"].shape == (1 + 2 * layers, num_source)
    products = found["queries"] @ found["keys"].swapaxes(-1, -2)
    weights = np.exp(products / np.sqrt(shape.head_dim))
    weights /= weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(weights, content["encoder"], atol=1e-5)
    part = ask(service, "/attention", **asked, layers=[1], heads=[2]).json()["states"]
    np.testing.assert_array_equal(part["values"], found["values"][1:2, 2:3])
    np.testing.assert_array_equal(part["activations"], found["activations"][1:2])
    np.testing.assert_array_equal(part["residual_norms"], found["residual_norms"])
    reply = ask(service, "/attention", "application/x-npz", **asked)
    arrays = dict(np.load(BytesIO(reply.content), allow_pickle=False))
    for name, values in found.items():
        np.testing.assert_allclose(arrays[f"states.{name}"], values, atol=1e-7)
    (sentence,) = ask(service, "/translate", q=TEXT, attention={"states": True}).json()["details"]
    assert sentence["attention"]["states"] == content["states"]


def test_states_that_cannot_be_are_refused(service: Running) -> None:
    for further, reason in (
        ({"words": True}, "states are of pieces"),
        ({"method": "rollout"}, "leave out words and method"),
        ({"layers": [9]}, "layer 9 does not exist"),
    ):
        reply = ask(service, "/attention", q=TEXT, states=True, **further)
        assert reply.status_code == 400
        assert reason in reply.json()["error"]
    inspector = Inspector(max_cells=200)
    few, many = (AttentionSelection(states=is_wanted) for is_wanted in (False, True))
    assert asyncio.run(inspector.inspect(service.model, pairs(service, 1), few))
    with pytest.raises(PayloadTooLargeError, match="leave out states"):
        asyncio.run(inspector.inspect(service.model, pairs(service, 1), many))
    with running() as old:
        reply = ask(old, "/attention", q=TEXT, states=True)
        assert "has no graph of states (`python -m export.renewal`" in reply.json()["error"]


def test_a_translation_has_them_in_its_details(service: Running) -> None:
    chosen = {"method": "rollout"}
    (sentence,) = ask(service, "/translate", q=TEXT, attention=chosen).json()["details"]
    assert sentence["attention"]["contributions"]["method"] == "rollout"


def test_an_unknown_method_is_refused(service: Running) -> None:
    reply = ask(service, "/attention", q=TEXT, method="gradients")
    assert reply.status_code == 400
    assert "'value_zeroing', 'alti' or 'occlusion'" in reply.json()["error"]


def test_a_bundle_without_the_graph_says_what_it_has() -> None:
    with running() as old:
        for method in ("value_zeroing", "alti"):
            reply = ask(old, "/attention", q=TEXT, method=method)
            assert reply.status_code == 400
            assert "it has attention, rollout, occlusion (" in reply.json()["error"]
        assert ask(old, "/attention", q=TEXT, method="occlusion").status_code == 200
        with pytest.raises(InvalidRequestError, match=r"export\.renewal"):
            contributions(old, pairs(old, 1), "alti")


@pytest.mark.parametrize("method", CAUSES)
def test_a_deadline_that_has_passed_is_told(service: Running, method: Method) -> None:
    inspector, selection = Inspector(max_cells=100_000), AttentionSelection(method=method)
    with pytest.raises(DeadlineExceededError):
        asyncio.run(inspector.inspect(service.model, pairs(service, 1), selection, timeout_s=0.0))


def test_too_many_numbers_are_refused(service: Running) -> None:
    inspector = Inspector(max_cells=10)
    selection = AttentionSelection(method="rollout")
    with pytest.raises(PayloadTooLargeError, match="the limit is 10: send shorter"):
        asyncio.run(inspector.inspect(service.model, pairs(service, 2), selection))


def test_the_command_gives_what_the_route_gives(
    service: Running, folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    model = ["--source", "en", "--target", "de", "--bundles", str(folder)]
    assert main(["attention", TEXT, *model, "--method", "value_zeroing"]) == 0
    given = json.loads(capsysbinary.readouterr().out)
    assert given == ask(service, "/attention", q=TEXT, method="value_zeroing").json()
