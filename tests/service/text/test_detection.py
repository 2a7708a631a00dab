import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.detection import Detector

BOTH = ("en", "de")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


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
        ("1 " * 2_100 + "Das ist gut.", "de"),
        ("=-" * 3_000 + "\nDas ist gut.", "de"),
        ("😀 https://this.is.example.com/good " * 500 + "Das ist gut.", "de"),
    ],
)
def test_texts_are_told_apart(detector: Detector, text: str, language: str) -> None:
    best, second = detector.detect(text, BOTH)
    assert best.language == language
    assert best.confidence > 50 > second.confidence


@pytest.mark.parametrize(
    "text", ["", " \n", "😀", "👩‍👩‍👧 🇩🇪", "42", "?!", "https://hallo.de", "\x00", "\ud800"]
)
def test_without_words_nothing_is_known(detector: Detector, text: str) -> None:
    assert [(d.language, d.confidence) for d in detector.detect(text, BOTH)] == [
        ("en", 0),
        ("de", 0),
    ]


def test_words_are_not_looked_for_without_end(detector: Detector) -> None:
    assert detector.detect("1 " * 500_000 + "Hallo", BOTH)[0].confidence == 0


@given(st.text(st.characters(exclude_categories=())))
def test_confidences_add_up_for_any_text(detector: Detector, text: str) -> None:
    detections = detector.detect(text, BOTH)
    total = sum(detection.confidence for detection in detections)
    assert {detection.language for detection in detections} == {"en", "de"}
    assert total == 0 or total == pytest.approx(100, abs=0.02)
    assert detections[0].confidence >= detections[1].confidence


def test_only_the_given_languages_are_answered_under_the_given_names(detector: Detector) -> None:
    given = ["de", "pt-BR", "nb", "zh-Hant", "xx"]
    assert detector.detect("Olá, tudo bem com você?", given)[0].language == "pt-BR"
    assert detector.detect("Hva heter du?", given)[0].language == "nb"
    assert detector.detect("我是学生", given)[0].language == "zh-Hant"
    assert detector.detect("我是学生", given)[-1].confidence == 0


@pytest.mark.parametrize("languages", [[], ["xx"], ["xx", "yy"]])
def test_languages_that_the_library_lacks_have_no_confidence(
    detector: Detector, languages: list[str]
) -> None:
    detections = detector.detect("Hello", languages)
    assert [(d.language, d.confidence) for d in detections] == [(code, 0) for code in languages]


def test_a_single_language_is_certain(detector: Detector) -> None:
    (detection,) = detector.detect("Hallo Welt", ["en"])
    assert (detection.language, detection.confidence) == ("en", 100)


@pytest.mark.parametrize("unit", ["a", "the ", "der ", ".", "😀", "a."])
def test_hostile_texts_of_any_size_are_looked_at_in_part(detector: Detector, unit: str) -> None:
    text = unit * 50_000
    assert detector.detect(text, BOTH) == detector.detect(text + "und nicht " * 100, BOTH)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Où est la bibliothèque, s'il vous plaît ?", "fr"),
        ("¿Dónde está la estación de tren?", "es"),
        ("Il gatto dorme sul divano.", "it"),
        ("Het weer is vandaag erg mooi.", "nl"),
        ("Gdzie jest najbliższy dworzec?", "pl"),
        ("Var är närmaste tågstation?", "sv"),
        ("Где находится вокзал?", "ru"),
        ("駅はどこですか。", "ja"),
        ("Merci beaucoup", "fr"),
    ],
)
def test_a_language_that_is_not_served_is_named(
    detector: Detector, text: str, language: str
) -> None:
    found = detector.foreign(text, BOTH)
    assert found
    assert found.language == language
    assert 0 < found.confidence <= 100
    assert detector.foreign(text, [*BOTH, language]) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "42", "😀", "OK", "Hotel", "Computer", "Name", "Tom", "Pizza Margherita"),
        *("The house is old.", "Das Haus ist alt.", "Save as", "Datei speichern", "Good morning!"),
        "I would like a croissant and a cappuccino, please.",
    ],
)
def test_a_served_language_is_never_called_foreign(detector: Detector, text: str) -> None:
    assert detector.foreign(text, BOTH) is None


def test_close_relatives_count_as_served(detector: Detector) -> None:
    text = "Hva heter du, og hvor kommer du fra?"
    assert detector.foreign(text, ["en", "de"])
    assert detector.foreign(text, ["en", "nb"]) is None
