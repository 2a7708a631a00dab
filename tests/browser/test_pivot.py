"""A direction that takes two bundles, looked at."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.visit import Visit
from tests.service.server_process import serving
from tests.service.tiny_models import renamed_copy


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pivot")
    bundles = folder / "bundles"
    for source, target in (("de", "en"), ("en", "fr")):
        renamed_copy(bundles / f"{source}-{target}", source, target)
    with serving(folder, "--bundles", str(bundles)) as server:
        yield f"{server.url}/"


@pytest.fixture
def translated(visit: Callable[..., Visit]) -> Visit:
    page = visit()
    page.wait_until_ready()
    page.page.select_option("#source", "de")
    page.page.select_option("#target", "fr")
    page.translate("The dog sees the house.")
    return page


def test_what_it_was_on_the_way_is_to_be_read(translated: Visit) -> None:
    translated.open_tab("details")
    names, values = (translated.texts_of(f".facts {part}") for part in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts["By way of"] == "English: Der Hund sieht das Haus."


def test_which_maps_there_are_instead_is_said(translated: Visit) -> None:
    translated.expects_refusal = True
    translated.open_tab("attention")
    assert "de->en" in translated.text_of("#panel-attention .problem")
