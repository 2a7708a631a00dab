import io
import sys
import webbrowser
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from pellucid import Attention, Translator
from service.errors import InvalidRequestError
from service.inspection.values import AttentionSelection


@pytest.fixture(scope="module")
def attention(translator: Translator) -> Attention:
    return translator.attention("ab cd.")


def test_maps_are_arrays_whose_rows_sum_to_one(attention: Attention) -> None:
    *_, queries, keys = attention["cross"].shape
    assert (queries, keys) == (len(attention.target_tokens), len(attention.source_tokens))
    np.testing.assert_allclose(attention["cross"].sum(axis=-1), 1, atol=1e-5)
    with pytest.raises(KeyError, match="decoder: the selection has only cross"):
        attention["decoder"]


def test_several_sentences_have_maps_of_their_own(translator: Translator) -> None:
    attention = translator.attention("Ab cd. Ef gh.")
    assert [sentence.source for sentence in attention.sentences] == ["Ab cd.", "Ef gh."]
    with pytest.raises(InvalidRequestError, match="2 sentences: take one of `sentences`"):
        attention["cross"]


def test_a_selection_is_followed(translator: Translator) -> None:
    selection = AttentionSelection(kinds=("encoder", "cross"), layers=(0,), reduce="heads")
    attention = translator.attention("ab cd.", selection=selection)
    assert attention["encoder"].shape[:2] == attention["cross"].shape[:2] == (1, 1)


def test_another_method_gives_contributions(translator: Translator, attention: Attention) -> None:
    found = translator.attention("ab cd.", selection=AttentionSelection(method="rollout"))
    rows = found.contributions.source.sum(axis=1) + found.contributions.target.sum(axis=1)
    np.testing.assert_allclose(rows, 1, atol=1e-5)
    with pytest.raises(InvalidRequestError, match="select another method"):
        attention.contributions  # noqa: B018 - a property that raises


def test_a_notebook_shows_pictures_with_ids_of_their_own(attention: Attention) -> None:
    first, second = attention._repr_html_(), attention._repr_html_()
    ids = [
        {node.attrib["id"] for node in ET.fromstring(html).iter() if "id" in node.attrib}
        for html in (first, second)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert "ab" in first
    drawn = attention._repr_png_()
    assert drawn is not None
    assert Image.open(io.BytesIO(drawn)).format == "PNG"


def test_every_suffix_is_a_format(attention: Attention, tmp_path: Path) -> None:
    for suffix, begins in ((".svg", b"<svg"), (".html", b"<!doctype"), (".png", b"\x89PNG")):
        attention.save(tmp_path / f"map{suffix}")
        assert (tmp_path / f"map{suffix}").read_bytes().startswith(begins)
    attention.save(str(tmp_path / "map.npz"))
    with np.load(tmp_path / "map.npz") as arrays:
        np.testing.assert_array_equal(arrays["cross"], attention["cross"])
    with pytest.raises(InvalidRequestError, match=r"map.jpg: the suffix must be one of .svg"):
        attention.save(tmp_path / "map.jpg")


def test_show_opens_a_page(
    attention: Attention, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []

    def open_page(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    attention.show()
    (page,) = tmp_path.iterdir()
    assert opened == [page.as_uri()]
    assert "ab cd." in page.read_text(encoding="utf-8")


def test_show_says_where_the_page_is_if_there_is_no_browser(
    attention: Attention,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    attention.show()
    (page,) = tmp_path.iterdir()
    assert str(page) in capsys.readouterr().out


def test_show_displays_in_a_notebook(attention: Attention, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    notebook, display = ModuleType("IPython"), ModuleType("IPython.display")
    notebook.get_ipython = object  # type: ignore[attr-defined]
    display.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    attention.show()
    assert shown == [attention]
