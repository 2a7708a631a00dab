"""Causes beside attention: methods, contrast, and heads that are switched off, against the API."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.manifest import HeadName, HeadReport, HeadsReport
from export.heads_cli import write_heads
from export.renewal import renew
from tests.browser.test_accessibility import faults
from tests.browser.test_typing import to_german
from tests.browser.visit import Visit
from tests.service.server_process import LONGEST_S, serving
from tests.service.tiny_models import TINY_BUNDLE, renamed_copy, tiny_bundle

Opener = Callable[..., Visit]
TEXT = "The dog sees the house."
DECISIVE = ("cross", 1, 2)
"""Without this head the tiny model writes something else."""


def _head(layer: int, head: int, name: HeadName | None) -> HeadReport:
    return HeadReport(
        kind="cross",
        layer=layer,
        head=head,
        name=name,
        entropy=0.5,
        on_sink=0.13,
        on_current=None,
        on_previous=0.05,
        on_next=0.0,
        on_aligned=0.7,
        bleu_lost=3.21 if name else -1.5,
        agreement_lost=None,
    )


def _report() -> HeadsReport:
    return HeadsReport(
        dataset="held-out",
        pair=tiny_bundle().manifest.pairs[0],
        sentences=200,
        bleu=30.5,
        bleu_signature="",
        agreement=None,
        heads=(_head(0, 0, "sink"), _head(1, 1, None), _head(1, 2, "aligner")),
    )


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """To German with all graphs and named heads; to French as an earlier export wrote it."""
    folder = tmp_path_factory.mktemp("causes")
    bundles = folder / "bundles"
    whole = Path(shutil.copytree(TINY_BUNDLE, bundles / "whole"))
    renew(whole)
    write_heads(whole, _report())
    renamed_copy(bundles / "early", "en", "fr")
    with serving(folder, "--bundles", str(bundles)) as server:
        yield f"{server.url}/"


@pytest.fixture
def asked(server_url: str) -> Callable[..., Any]:
    """What the server itself replies, from English to German."""

    def ask(path: str, **fields: object) -> object:
        body = {"source": "en", "target": "de", **fields}
        return httpx.post(f"{server_url}{path}", json=body, timeout=LONGEST_S).json()

    return ask


def percent(share: float) -> str:
    return f"{share:.0%}"


def bar_lengths(page: Visit) -> list[float]:
    """Of the bars below the pieces, in percent."""
    bars = page.page.locator(".shared .filled")
    return [
        float(each) for each in bars.evaluate_all("all => all.map(b => parseFloat(b.style.width))")
    ]


def choose_method(page: Visit, name: str) -> None:
    page.page.click(f"#panel-causes [data-keeps={name}]")
    page.page.wait_for_selector(f"#panel-causes .heat-map[aria-label$='{name.capitalize()}']")


def test_methods_say_what_each_word_comes_from(
    visit: Opener, asked: Callable[..., Any], tmp_path: Path
) -> None:
    page = to_german(visit())
    page.translate(TEXT)
    page.page.click("#tab-causes")
    page.page.wait_for_selector(".shared")
    assert page.texts_of("#panel-causes .segment") == [
        *("ALTI+", "Value zeroing", "Occlusion", "Rollout", "Attention")
    ]
    told = asked("attention", q=TEXT, method="alti", words=True)
    shares = told["contributions"]
    assert bar_lengths(page) == pytest.approx([100 * s for s in shares["source_share"]], abs=0.01)
    page.page.hover(".shared >> nth=1")
    said = page.text_of("#panel-causes .readout[aria-live]")
    assert f"“Hund” came {percent(shares['source_share'][1])} from the source: “dog” (" in said
    assert f"“dog” ({percent(shares['source'][1][1])})" in said
    assert f"“Der” ({percent(shares['target'][1][1])})" in said
    assert faults(page) == []
    saved = json.loads(page.download("JSON", tmp_path).read_text(encoding="utf-8"))
    assert saved["contributions"] == shares
    picture = page.download("SVG", tmp_path).read_text(encoding="utf-8")
    assert "What each piece comes from, ALTI+" in picture
    page.page.uncheck("#panel-causes [data-keeps=words]")
    page.page.wait_for_selector(".shared:has-text('▁Hund')")
    choose_method(page, "rollout")
    told = asked("attention", q=TEXT, method="rollout")
    rolled = [100 * share for share in told["contributions"]["source_share"]]
    assert bar_lengths(page) == pytest.approx(rolled, abs=0.01)
    assert page.page.evaluate("document.activeElement.dataset.keeps") == "rollout"
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("#panel-causes .heat-map[aria-label$='Attention']")
    assert page.page.locator(".shared .filled").count() == 0
    page.tab_to(".shared")
    page.page.keyboard.press("ArrowRight")
    assert "“▁Hund” looked most at" in page.text_of("#panel-causes .readout[aria-live]")


def test_another_word_is_contrasted_with_the_chosen_one(
    visit: Opener, asked: Callable[..., Any]
) -> None:
    page = to_german(visit(scheme="dark", width=320, has_touch=True, locale="de-DE"))
    page.translate(TEXT)
    page.page.tap("#translation .word:text-is('Hund')")
    page.page.wait_for_selector("#choices .why")
    assert faults(page) == []
    before = page.text_of("#translation")
    named = page.page.get_attribute("#choices .why >> nth=0", "aria-label") or ""
    other = named.removeprefix("Warum nicht das? ")
    page.page.tap("#choices .why >> nth=0")
    page.page.wait_for_selector(".pair-step")
    assert page.text_of("#translation") == before
    assert page.page.evaluate("document.activeElement.id") == "tab-causes"
    fields = {"q": TEXT, "translation": before, "contrast": other, "words": True}
    told = asked("attention", **fields, method="occlusion")["contrast"]
    first = told["first_difference"]
    rival = told["target_tokens"][told["steps"][first]["contrast_token"]]
    assert page.text_of(".question") == f"Warum „Hund“ und nicht „{rival}“?"
    german = f"{told['steps'][first]['score_difference']:+.2f}".replace(".", ",")
    assert page.text_of(".pair-step[aria-pressed=true] .hint") == german
    points = [100 * share for share in told["contributions"]["source"][first]]
    shown = page.texts_of(".differences li:not(.before) .hint")
    assert [float(each.replace(",", ".").replace("−", "-")) for each in shown] == pytest.approx(
        points, abs=0.051
    )
    for method in ("alti", "attention"):
        page.page.tap(f"#panel-causes [data-keeps={method}]")
        page.page.wait_for_selector("#panel-causes .readout:has-text('teilen')")
    assert faults(page) == []
    page.page.tap(f".pair-step >> nth={first + 1}")
    assert "verdankt" in page.text_of("#panel-causes .readout[aria-live]")
    assert page.page.evaluate("document.documentElement.scrollWidth") == 320
    page.page.tap("#panel-causes button:text-is('Kontrast verlassen')")
    page.page.wait_for_selector(".shared")


def test_heads_have_names_and_can_be_switched_off(visit: Opener, asked: Callable[..., Any]) -> None:
    page = to_german(visit(width=320))
    page.translate(TEXT)
    page.open_attention()
    assert [each.split(":")[0] for each in page.texts_of(".signs li")] == ["⇄ aligner", "■ sink"]
    page.page.click("[aria-label='Layer 2, head 3, aligner']")
    assert "Mean weights: aligner 70%, sink 13%, previous 5%." in page.text_of(".head")
    assert "Without it BLEU is 3.21 lower (200 sentences of held-out)." in page.text_of(".head")
    page.page.click("[data-keeps=without]")
    page.page.wait_for_selector(".without .difference")
    assert page.page.evaluate("document.activeElement.dataset.keeps") == "without"
    without = asked("translate", q=TEXT, without_heads=[DECISIVE])["translatedText"]
    assert without != page.text_of("#translation")
    line = page.page.locator(".difference")
    kept = (
        "e => [...e.childNodes].filter(n => n.nodeName !== '{}').map(n => n.textContent).join('')"
    )
    assert line.evaluate(kept.format("DEL")).split() == without.split()
    assert line.evaluate(kept.format("INS")).split() == page.text_of("#translation").split()
    pair = {"source_text": TEXT, "target_text": page.text_of("#translation")}
    told = [asked("score", pairs=[pair], without_heads=off)[0] for off in ([], [DECISIVE])]
    said = page.text_of(".without .readout")
    assert all(f"{each['score']:.2f}" in said for each in told)
    assert page.page.locator(".stamp.off[aria-label$='switched off']").count() == 1
    assert faults(page) == []
    page.page.click("[aria-label='Layer 2, head 2']")
    assert "BLEU is 1.50 higher" in page.text_of(".head")
    page.page.click(".switches button")
    page.page.wait_for_selector(".without:not(:has(*))", state="attached")
    assert page.page.locator(".stamp.off").count() == 0
    page.page.click("#panel-attention .segment[data-keeps=encoder]")
    page.page.wait_for_selector(".heat-map[aria-label^=Encoder]")
    assert page.page.locator(".signs").count() == 0


def test_only_what_a_model_can_do_is_offered(visit: Opener) -> None:
    page = visit()
    page.wait_until_ready()
    page.page.select_option("#target", "fr")
    page.translate(TEXT)
    page.page.evaluate("document.querySelector('#key').value = 'a-key'")
    with page.page.expect_request("**/attention") as sent:
        page.page.click("#tab-causes")
    assert json.loads(sent.value.post_data or "")["api_key"] == "a-key"
    page.page.wait_for_selector(".shared")
    assert page.texts_of("#panel-causes .segment") == ["Occlusion", "Rollout", "Attention"]
    page.open_attention()
    page.page.click("[aria-label='Layer 1, head 1']")
    assert "was not measured" in page.text_of(".head")
    assert page.page.locator(".signs, .sign").count() == 0
