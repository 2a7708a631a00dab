import asyncio
from collections.abc import Iterator, Sequence
from typing import Literal

import pytest

from service.errors import InvalidRequestError, UnsupportedLanguageError
from service.text.detection import Detection
from service.text.markup.passage import MarkupOptions
from service.translation.language_detection import LanguageFinder
from service.translation.translator import detections_of
from service.translation.values import TranslateRequest
from tests.service.tiny_models import Running, running


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running(is_started=False) as service:
        yield service


def detect(
    service: Running, source: str, target: str, *texts: str, markup: MarkupOptions | None = None
) -> Sequence[Detection | None]:
    request = TranslateRequest(texts=texts, source=source, target=target, markup=markup)
    return asyncio.run(detections_of(request, LanguageFinder(service.registry)))


def test_a_language_that_is_given_is_not_looked_for(service: Running) -> None:
    assert detect(service, service.pair.source, service.pair.target, "a", "b") == [None, None]


@pytest.mark.parametrize("text", ["", "😀", "42", "x", "The house is old."])
def test_every_text_gets_a_language_that_can_be_translated(service: Running, text: str) -> None:
    (found,) = detect(service, "AUTO", service.pair.target, text)
    assert found
    assert found.language == service.pair.source
    assert 0 <= found.confidence <= 100


def test_a_text_in_the_target_language_is_recognised(service: Running) -> None:
    (found,) = detect(service, "auto", service.pair.target, "Das Haus ist sehr alt.")
    assert found
    assert found.language == service.pair.target


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("html", '<p class="main content header" style="color: red">Hallo Welt</p>'),
        ("html", "<script>let it = if (this) the.value</script><td>Ja</td><td>Stra&szlig;e</td>"),
        ("xml", '<string name="the title of this page"><![CDATA[what]]>Hallo Welt</string>'),
        ("html", '<img alt="this is the title">' * 3_000 + "Das Haus ist alt."),
    ],
)
def test_tags_are_in_no_language(service: Running, kind: Literal["html", "xml"], text: str) -> None:
    target = service.pair.target
    (found,) = detect(service, "auto", target, text, markup=MarkupOptions(kind=kind))
    assert found
    assert found.language == target


def test_a_language_that_is_not_served_is_named(service: Running) -> None:
    with pytest.raises(UnsupportedLanguageError, match=r"French \(\d+ %\), .* to German") as found:
        detect(service, "auto", service.pair.target, "Où est la bibliothèque, s'il vous plaît ?")
    assert "send English" in str(found.value)


def test_a_language_that_is_not_served_leads_the_ranking(service: Running) -> None:
    text = "Où est la bibliothèque, s'il vous plaît ?"
    ranked = asyncio.run(LanguageFinder(service.registry).rank(text))
    assert ranked[0].language == "fr"
    assert sum(each.confidence for each in ranked) == pytest.approx(100, abs=0.1)


def test_the_detector_is_loaded_once(service: Running) -> None:
    async def languages() -> tuple[object, object]:
        finder = LanguageFinder(service.registry)
        await asyncio.gather(finder.warm(), finder.rank("Hello there."))
        return finder._loading, await finder._detector()

    loading, detector = asyncio.run(languages())
    assert isinstance(loading, asyncio.Future)
    assert loading.result() is detector


def test_nothing_is_detected_for_a_target_that_is_not_served(service: Running) -> None:
    with pytest.raises(UnsupportedLanguageError, match="xx is not supported"):
        detect(service, "auto", "xx", "text")


def test_half_a_surrogate_pair_is_refused(service: Running) -> None:
    with pytest.raises(InvalidRequestError, match="surrogate"):
        detect(service, "auto", service.pair.target, "a\ud800")


def test_languages_are_ranked(service: Running) -> None:
    ranked = asyncio.run(LanguageFinder(service.registry).rank("The house is very old."))
    assert [detection.language for detection in ranked] == [
        service.pair.source,
        service.pair.target,
    ]
    assert sum(detection.confidence for detection in ranked) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize(
    "text",
    [
        '<p class="main content"><a href="/the/home" title="The home page">Guten Morgen</a></p>',
        "Das ist <b>sehr</b> sch&ouml;n",
        "Das ist gut, wenn a<b und c>d",
        "Das <3 ich",
    ],
)
def test_tags_are_in_no_language_that_is_ranked(service: Running, text: str) -> None:
    ranked = asyncio.run(LanguageFinder(service.registry).rank(text))
    assert ranked[0].language == service.pair.target
