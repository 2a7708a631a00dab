"""The page of questions about the Transformer: its numbers are those of the API."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.browser.visit import Visit
from tests.docs.learn import STATIC, recorded_vocabulary
from tests.service.server_process import serving
from tests.service.tiny_models import TINY_BUNDLE

Opener = Callable[..., Visit]
Floats = NDArray[np.float64]
SENTENCE = "The dog sees the old house."
WORDS = (
    "attention",
    "translation",
    "untranslatable",
    "unforgettable",
    "sentences",
    "Zebra",
    "naïve",
)


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One whose bundle has all graphs that can be made."""
    renewal = pytest.importorskip("export.renewal", reason="onnx is not installed")
    folder = tmp_path_factory.mktemp("learning")
    renewal.renew(Path(shutil.copytree(TINY_BUNDLE, folder / "bundle" / "tiny")))
    with serving(folder, "--bundles", str(folder / "bundle")) as server:
        yield f"{server.url}/"


@pytest.fixture
def learning(visit: Opener) -> Visit:
    page = visit("learn")
    page.page.wait_for_selector("body[data-drawn]")
    page.page.fill("#text", SENTENCE)
    page.page.click("#form .primary")
    page.page.wait_for_selector(f"body[data-drawn='{SENTENCE}']:not(.waiting)")
    return page


def value(page: Visit, name: str) -> float:
    """The exact value of a figure."""
    found = page.page.get_attribute(f"output[data-name='{name}']", "data-value")
    assert found is not None
    return float(found)


@pytest.fixture
def reply(server_url: str) -> dict[str, Any]:
    """What the server says of the sentence."""
    asked = {"source": "en", "target": "de"}
    made = httpx.post(
        f"{server_url}translate", json={**asked, "q": SENTENCE, "details": True, "beam_size": 1}
    ).json()
    kinds = ["encoder", "decoder", "cross"]
    given = {**asked, "q": SENTENCE, "translation": made["translatedText"], "kinds": kinds}
    maps = httpx.post(f"{server_url}attention", json=given).json()
    return {"details": made["details"][0], **maps}


@pytest.fixture
def architecture(server_url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server_url}models").json()[0]["architecture"]
    return found


def rows(maps: Floats) -> Floats:
    return maps.reshape(-1, maps.shape[-1])


def test_scaling_is_that_of_the_maps(
    learning: Visit, reply: dict[str, Any], architecture: dict[str, Any]
) -> None:
    served = rows(np.array(reply["encoder"]))
    scores = math.sqrt(architecture["d_model"] / architecture["num_heads"]) * np.log(
        np.maximum(served, 1e-30)
    )
    unscaled = np.exp(scores - scores.max(-1, keepdims=True))
    unscaled /= unscaled.sum(-1, keepdims=True)
    for maps, ending in ((served, ""), (unscaled, "-unscaled")):
        largest = maps.max(-1)
        assert value(learning, f"largest{ending}") == pytest.approx(largest.mean())
        gradient = np.median(largest * (1 - largest))
        assert value(learning, f"gradient{ending}") == pytest.approx(gradient)
    assert value(learning, "largest-unscaled") > value(learning, "largest")


def test_heads_are_compared_as_in_the_maps(learning: Visit, reply: dict[str, Any]) -> None:
    encoder = np.array(reply["encoder"])
    heads = encoder[-1]
    # The last head of the last layer.
    learning.page.select_option("#head", str(encoder.shape[0] * encoder.shape[1] - 1))
    divergences = [_divergence(heads[a], heads[b]) for a, b in combinations(range(len(heads)), 2)]
    assert value(learning, "divergence") == pytest.approx(np.mean(divergences), abs=1e-6)
    quarter = max(1, encoder.shape[-1] // 4)
    expected = np.sort(rows(encoder))[:, -quarter:].sum(-1).mean()
    assert value(learning, "quarter") == pytest.approx(expected)
    upper = np.triu_indices(encoder.shape[-1], 1)
    one, other = heads[-1][upper], heads[-1].T[upper]
    asymmetry = np.abs(one - other).sum() / (one + other).sum()
    assert value(learning, "asymmetry") == pytest.approx(asymmetry)
    own = encoder.diagonal(axis1=-2, axis2=-1)
    assert value(learning, "self-choice") == pytest.approx((own == encoder.max(-1)).mean())
    assert value(learning, "self-most") == pytest.approx(own.mean(-1).max())
    assert value(learning, "self-least") == pytest.approx(own.mean(-1).min())
    assert learning.page.locator("#figure-2 canvas").count() == len(heads) + 1


def _divergence(one: Floats, other: Floats) -> float:
    middle = (one + other) / 2
    entropies = [
        (p * np.log(np.maximum(p, 1e-12) / np.maximum(middle, 1e-12))).sum(-1).mean()
        for p in (one, other)
    ]
    return float(np.mean(entropies))


def test_masks_hide_the_future_and_padding(learning: Visit, reply: dict[str, Any]) -> None:
    decoder = np.array(reply["decoder"])
    assert np.triu(decoder, 1).max() == 0
    assert value(learning, "future") == 0
    assert value(learning, "padding") == 0
    assert value(learning, "neighbours") == 0
    shape = np.array(reply["cross"]).shape
    assert (value(learning, "rows"), value(learning, "columns")) == shape[-2:]


def test_maps_are_labelled_by_the_tokens_that_they_are_of(learning: Visit, server_url: str) -> None:
    """An address is one token to the model that translates, and many in a given translation."""
    text = "The dog sees https://example.org/house."
    _show(learning, text)
    asked = {"q": text, "source": "en", "target": "de"}
    translation = learning.text_of("#translation")
    maps = httpx.post(f"{server_url}attention", json={**asked, "translation": translation}).json()
    tokens = maps["target_tokens"]
    made = httpx.post(f"{server_url}translate", json={**asked, "details": True}).json()
    assert tokens != made["details"][0]["target_tokens"]
    labels = [
        learning.page.locator(f"#figure-6 .drawn > div:nth-child({place}) .labels text")
        for place in (2, 3)
    ]
    assert labels[0].all_text_contents() == tokens * 2
    assert labels[1].all_text_contents() == tokens + maps["source_tokens"]


def test_a_sentence_that_is_not_padded_is_not_said_to_be(learning: Visit) -> None:
    assert "longer" in learning.text_of("#figure-5 figcaption")
    _show(learning, "quick " * 10 + "dog.")
    assert learning.page.locator("output[data-name='padding']").count() == 0
    assert "not padded" in learning.text_of("#figure-5 figcaption")


def _show(page: Visit, text: str) -> None:
    page.page.fill("#text", text)
    page.page.click("#form .primary")
    page.page.wait_for_selector(f"body[data-drawn='{text}']:not(.waiting)")


def test_one_pass_gives_what_the_steps_gave(learning: Visit, reply: dict[str, Any]) -> None:
    stepwise, forced = reply["details"]["token_scores"], reply["token_scores"]
    shown = learning.texts_of("#figure-12 tbody td")
    assert [float(text) for text in shown[1::3]] == pytest.approx(stepwise, abs=1e-6)
    assert [float(text) for text in shown[2::3]] == pytest.approx(forced, abs=1e-6)
    difference = np.abs(np.subtract(stepwise, forced)).max()
    assert value(learning, "forcing") == difference < 1e-4


def test_costs_are_counted_for_the_sentence(
    learning: Visit, reply: dict[str, Any], architecture: dict[str, Any]
) -> None:
    n, d, inner = len(reply["source_tokens"]), architecture["d_model"], architecture["d_ff"]
    expected = {
        "products": 4 * n**2 * d,
        "projections": 8 * n * d**2,
        "feed-forward": 4 * n * d * inner,
        "crossover": 2 * d + inner,
        "tanh-additive": n**2 * d,
        "floats": n**2 * architecture["num_heads"],
        "recurrence": n,
        "convolutions": n - 1,
        "pieces": n,
        "factor": math.sqrt(d),
    }
    assert {name: value(learning, name) for name in expected} == expected


def test_curves_are_those_of_the_network(learning: Visit, architecture: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from model.transformer.positions import sinusoidal_positions

    table = sinusoidal_positions(64, architecture["d_model"])
    for distance in (0, 1, 50):
        expected = (table[0] @ table[distance]).item()
        assert value(learning, f"product-{distance}") == pytest.approx(expected, abs=1e-4)
    for name, bend in (("gelu", torch.nn.GELU()), ("swish", torch.nn.SiLU())):
        assert value(learning, name) == pytest.approx(bend(torch.tensor(-1.0)).item(), abs=1e-6)
    assert value(learning, "peak") == pytest.approx((architecture["d_model"] * 4000) ** -0.5)


def test_words_are_cut_as_sentencepiece_cuts_them(learning: Visit) -> None:
    learning.page.fill("#text", " ".join(WORDS))
    learning.page.click("#form .primary")
    learning.page.wait_for_selector("#figure-14 [data-word='untranslatable']")
    cuts = learning.page.eval_on_selector_all(
        "#figure-14 [data-rule]", "all => all.map(({ dataset }) => ({ ...dataset }))"
    )
    assert len(cuts) == 3 * len(WORDS)
    for kind in ("bpe", "unigram"):
        expected = recorded_vocabulary(kind)
        found = {cut["word"]: json.loads(cut["pieces"]) for cut in cuts if cut["rule"] == kind}
        assert found == {word: expected.encode(word, out_type=str) for word in found}
    # The longest piece from the left is not always what merging in order gives.
    for cut in cuts:
        assert "".join(json.loads(cut["pieces"])) == f"▁{cut['word']}"


def test_every_question_has_a_figure_and_its_proof(learning: Visit) -> None:
    answers = json.loads((STATIC / "learn.json").read_text(encoding="utf-8"))["answers"]
    assert len(answers) == 16
    for answer in answers:
        section = f"#question-{answer['number']}"
        assert learning.text_of(f"{section} .chinese") == answer["chinese"]
        assert learning.texts_of(f"{section} .proof code") == answer["proof"]
        figure = f"{section} figure"
        assert learning.page.locator(f"{figure} :is(svg, canvas, table, .bars)").count() > 0
        assert learning.page.locator(f"{figure} output").count() > 0


def test_trained_variants_are_those_that_were_recorded(learning: Visit) -> None:
    recorded = json.loads((STATIC / "learn_variants.json").read_text(encoding="utf-8"))
    shown = learning.page.eval_on_selector_all(
        "figure.trained output",
        "all => all.map(({ dataset }) => [dataset.name, Number(dataset.value)])",
    )
    found = {name.split("-", 2)[2]: value for name, value in shown}
    variants = recorded["variants"]
    assert found == {name: 100 * variants[name]["accuracy"] for name in variants}
    assert recorded["command"] in learning.text_of("#question-1 .trained figcaption")


def test_states_are_those_of_the_chosen_head(
    learning: Visit, reply: dict[str, Any], server_url: str
) -> None:
    learning.page.select_option("#head", "4")  # of three heads: layer 2, head 2
    learning.page.wait_for_selector("body[data-states='Layer 2, head 2']")
    chosen = {"kinds": ["encoder"], "layers": [1], "heads": [1], "states": True}
    given = {"q": SENTENCE, "translation": reply["translation"], "source": "en", "target": "de"}
    content = httpx.post(f"{server_url}attention", json={**given, **chosen}).json()
    states = {name: np.array(values) for name, values in content["states"].items()}
    for token in range(len(content["source_tokens"])):
        for name in ("queries", "keys", "values"):
            expected = np.linalg.norm(states[name][0, 0, token])
            assert value(learning, f"norm-{name}-{token}") == pytest.approx(expected)
        active = (states["activations"][0, token] > 0).mean()
        assert value(learning, f"active-{token}") == pytest.approx(active)
    norms = states["residual_norms"].mean(axis=1)
    assert value(learning, "norm-first") == pytest.approx(norms[0])
    assert value(learning, "norm-last") == pytest.approx(norms[-1])
    assert value(learning, "head-width") == states["queries"].shape[-1]
    assert value(learning, "product-error") < 1e-5

    models = [model | {"states": False} for model in httpx.get(f"{server_url}models").json()]
    learning.page.route("**/models", lambda route: route.fulfill(json=models))
    learning.page.reload()
    learning.page.wait_for_selector("body[data-drawn]:not(.waiting)")
    assert learning.page.locator("figure.states").count() == 3
    assert learning.page.locator("figure.states:visible").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_has_no_fault(visit: Opener, scheme: str, width: int) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page = visit("learn", scheme=scheme, width=width)
    page.page.wait_for_selector("body[data-states]")
    page.page.click("#question-1 summary")
    found = axe.Axe().run(page.page).response["violations"]
    assert [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]] == []
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_refusal_is_said_and_the_answers_stay(visit: Opener) -> None:
    page = visit("learn")
    page.page.wait_for_selector("body[data-drawn]")
    page.expects_refusal = True
    page.page.route(
        "**/translate",
        lambda route: route.fulfill(
            status=503, json={"error": "the model is not ready", "code": "not_ready"}
        ),
    )
    page.page.click("#form .primary")
    page.page.wait_for_selector("#problem:not([hidden])")
    assert page.text_of("#problem")
    assert page.page.locator("#figure-1 svg").count() == 2
