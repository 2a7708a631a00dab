import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.detection import Detector


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(["en", "de"])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *[(text, "en") for text in ("Hello", "Hi!", "OK", "The", "I", "Thanks", "Save as", "No")],
        *[(text, "de") for text in ("Hallo", "Ja.", "Danke", "Der", "Ich", "Speichern unter")],
        ("HELLO WORLD", "en"),
        ("GUTEN MORGEN", "de"),
        ("„Guten Morgen“", "de"),
        ("Where is the station?", "en"),
        ("Wo ist der Bahnhof?", "de"),
        ("- Der Hund 😀 https://www.example.com/the/dog/is/here", "de"),
        ("Das ist gut. " * 1_000 + "This is good. " * 1_000, "de"),
    ],
)
def test_texts_are_told_apart(detector: Detector, text: str, language: str) -> None:
    best, second = detector.detect(text)
    assert best.language == language
    assert best.confidence > 50 > second.confidence


@pytest.mark.parametrize(
    "text", ["", " \n", "😀", "👩‍👩‍👧 🇩🇪", "42", "?!", "https://hallo.de", "\x00", "\ud800"]
)
def test_without_words_nothing_is_known(detector: Detector, text: str) -> None:
    assert [(d.language, d.confidence) for d in detector.detect(text)] == [("en", 0), ("de", 0)]


@given(st.text(st.characters(exclude_categories=())))
def test_confidences_add_up_for_any_text(detector: Detector, text: str) -> None:
    detections = detector.detect(text)
    total = sum(detection.confidence for detection in detections)
    assert {detection.language for detection in detections} == {"en", "de"}
    assert total == 0 or total == pytest.approx(100, abs=0.02)
    assert detections[0].confidence >= detections[1].confidence


def test_only_the_given_languages_are_answered_under_the_given_names() -> None:
    detector = Detector(["de", "pt-BR", "nb", "zh-Hant", "xx"])
    assert detector.detect("Olá, tudo bem com você?")[0].language == "pt-BR"
    assert detector.detect("Hva heter du?")[0].language == "nb"
    assert detector.detect("我是学生")[0].language == "zh-Hant"
    assert detector.detect("我是学生")[-1].confidence == 0


@pytest.mark.parametrize("languages", [[], ["xx"], ["xx", "yy"]])
def test_languages_that_the_library_lacks_have_no_confidence(languages: list[str]) -> None:
    detections = Detector(languages).detect("Hello")
    assert [(d.language, d.confidence) for d in detections] == [(code, 0) for code in languages]


def test_a_single_language_is_certain() -> None:
    (detection,) = Detector(["en"]).detect("Hallo Welt")
    assert (detection.language, detection.confidence) == ("en", 100)


@pytest.mark.parametrize("unit", ["a", "the ", "der ", ".", "😀", "a."])
def test_hostile_texts_of_any_size_are_looked_at_in_part(detector: Detector, unit: str) -> None:
    text = unit * 50_000
    assert detector.detect(text) == detector.detect(text + "und nicht " * 100)
