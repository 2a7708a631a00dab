import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.text.masking.glossary import Glossary, GlossaryEntry
from service.text.masking.preprocessing import PreprocessingOptions, preprocess

SYMBOLS = tuple(f"⟦{digit}⟧" for digit in range(10))
PLAIN = PreprocessingOptions(source_language="en", target_language="de", symbols=SYMBOLS)
WITH_TERMS = PreprocessingOptions(
    source_language="en",
    target_language="de",
    glossary=Glossary([GlossaryEntry(source="print queue", target="Druckerschlange")]),
    symbols=SYMBOLS,
)


def test_bullets_capitals_and_placeholders_are_removed_and_restored() -> None:
    preprocessed = preprocess("- PLEASE READ {Name} NOW! 👍", PLAIN)
    assert preprocessed.text == "Please read ⟦0⟧ now!"
    core = preprocessed.unmasked(preprocessed.recased("Bitte lies ⟦0⟧ jetzt!"))
    assert core
    assert preprocessed.whole(core.text) == "- BITTE LIES {Name} JETZT! 👍"


def test_without_symbols_placeholders_are_kept_as_they_are() -> None:
    options = PreprocessingOptions(source_language="en", target_language="de")
    preprocessed = preprocess("PLEASE READ {Name}", options)
    assert preprocessed.text == "Please read {Name}"
    assert preprocessed.recased("bitte lies {Name}") == "BITTE LIES {Name}"


def test_words_in_another_script_are_placeholders_of_a_latin_language() -> None:
    assert preprocess("The word привет is short", PLAIN).text == "The word ⟦0⟧ is short"


def test_no_break_spaces_become_spaces_but_not_in_placeholders() -> None:
    options = PreprocessingOptions(source_language="en", target_language="de")
    assert preprocess("Go\xa0on for 5\xa0km", options).text == "Go on for 5\xa0km"


def test_a_sentinel_comes_before_the_placeholder_around_it() -> None:
    text = "Run `a\ue000b` in X"
    assert preprocess(text, PLAIN, "\ue000").text == "Run `a⟦0⟧b` in X"
    assert preprocess(text, PLAIN).text == "Run ⟦0⟧ in X"


def test_a_term_becomes_its_prescribed_translation() -> None:
    preprocessed = preprocess("The print queue of {a} is full.", WITH_TERMS)
    assert preprocessed.text == "The ⟦0⟧ of ⟦1⟧ is full."
    core = preprocessed.unmasked(preprocessed.recased("Die ⟦0⟧ von ⟦1⟧ ist voll."))
    assert core
    assert core.text == "Die Druckerschlange von {a} ist voll."


def test_a_term_alone_needs_no_model() -> None:
    preprocessed = preprocess("* Print queue", WITH_TERMS)
    assert (preprocessed.needs_model, preprocessed.has_terms, preprocessed.without_model()) == (
        False,
        True,
        "* Druckerschlange",
    )


@pytest.mark.parametrize(
    "sentence", ["{name}: 5 km", "https://example.com", "👍🏽", "%s", "42 {a}"]
)
def test_a_sentence_of_placeholders_needs_no_model(sentence: str) -> None:
    preprocessed = preprocess(sentence, PLAIN)
    assert (preprocessed.needs_model, preprocessed.has_terms, preprocessed.without_model()) == (
        False,
        False,
        sentence,
    )


def test_a_symbol_of_the_model_that_a_user_typed_is_protected() -> None:
    preprocessed = preprocess("What does ⟦1⟧ or >>de<< mean?", PLAIN)
    assert preprocessed.text == "What does ⟦0⟧ or ⟦1⟧ mean?"
    core = preprocessed.unmasked(preprocessed.recased("Was heißt ⟦1⟧ oder ⟦0⟧?"))
    assert core
    assert core.text == "Was heißt >>de<< oder ⟦1⟧?"


def test_sentinels_are_protected() -> None:
    preprocessed = preprocess("Press \ue000 now", PLAIN, "\ue000")
    assert preprocessed.text == "Press ⟦0⟧ now"


@given(st.text(st.sampled_from(list("aAbB {}%s<>⟦1⟧-*!. 👍\ue000")), max_size=40))
def test_an_answer_that_is_the_question_is_the_sentence_but_for_its_case(sentence: str) -> None:
    sentence = sentence.strip()
    assume("1%" not in sentence)  # a percentage is written as the target language does
    preprocessed = preprocess(sentence, PLAIN, "\ue000")
    core = preprocessed.unmasked(preprocessed.recased(preprocessed.text))
    if core is not None:
        assert preprocessed.whole(core.text).lower() == sentence.lower()
    assert (
        preprocessed.trimmed.prefix + preprocessed.trimmed.core + preprocessed.trimmed.suffix
        == sentence
    )


INVISIBLE = "\u00ad\u200b\u2060\ufeff\u200e\u200f\x07\x9f\u200c\u200d\ufe0f"


@pytest.mark.parametrize("mark", INVISIBLE)
def test_the_model_sees_a_sentence_as_if_it_had_no_invisible_characters(mark: str) -> None:
    sentence = f"{mark}- PLE{mark}ASE {mark}PRINT TO {{Name}}{mark} 5,000 TIMES!{mark} 👍"
    shown, plain = preprocess(sentence, PLAIN), preprocess(sentence.replace(mark, ""), PLAIN)
    assert shown.text == plain.text == "Please print to ⟦0⟧ 5,000 times!"
    assert shown.whole("X") == plain.whole("X")
    for word, seen in (("PLE{mark}ASE", "Please"), ("{{Name}}", "⟦0⟧"), ("TIMES", "times")):
        start = shown.text.index(seen)
        span = shown.source_span(start, start + len(seen))
        assert sentence[slice(*span)] == word.format(mark=mark)


def test_placeholders_keep_their_invisible_characters() -> None:
    sentence = "Op\u00aden `a\u00adb` and \u200fשלום\u200f for สวัสดี\u200bครับ"
    preprocessed = preprocess(sentence, PLAIN)
    assert preprocessed.text == "Open ⟦0⟧ and ⟦1⟧ for ⟦2⟧"
    kept = [span.replacement for span in preprocessed.masked.protected]
    assert kept == ["`a\u00adb`", "\u200fשלום\u200f", "สวัสดี\u200bครับ"]


def test_joiners_beside_words_in_other_scripts_are_part_of_them() -> None:
    preprocessed = preprocess("The sign ه\u200d or \u200dه is می\u200cخواهم\u200c here.", PLAIN)
    assert preprocessed.text == "The sign ⟦0⟧ or ⟦1⟧ is ⟦2⟧ here."


def test_terms_are_found_across_invisible_characters() -> None:
    assert preprocess("The pr\u00adint \u200bqueue is full.", WITH_TERMS).text == "The ⟦0⟧ is full."
