import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.glossary import Glossary, GlossaryEntry
from service.text.masking.preprocessing import DisguiseOptions, disguise

SYMBOLS = tuple(f"⟦{digit}⟧" for digit in range(10))
PLAIN = DisguiseOptions(
    source_language="en", target_language="de", glossary=Glossary(()), symbols=SYMBOLS
)
WITH_TERMS = DisguiseOptions(
    source_language="en",
    target_language="de",
    glossary=Glossary([GlossaryEntry(source="print queue", target="Druckerschlange")]),
    symbols=SYMBOLS,
)


def test_bullets_capitals_and_placeholders_are_taken_off_and_put_on_again() -> None:
    guise = disguise("- PLEASE READ {Name} NOW! 👍", PLAIN)
    assert guise.text == "Please read ⟦0⟧ now!"
    core = guise.reveal("Bitte lies ⟦0⟧ jetzt!")
    assert core
    assert guise.whole(core.text) == "- BITTE LIES {Name} JETZT! 👍"


def test_a_term_becomes_what_was_given() -> None:
    guise = disguise("The print queue of {a} is full.", WITH_TERMS)
    assert guise.text == "The ⟦0⟧ of ⟦1⟧ is full."
    core = guise.reveal("Die ⟦0⟧ von ⟦1⟧ ist voll.")
    assert core
    assert core.text == "Die Druckerschlange von {a} ist voll."


def test_a_term_alone_needs_no_model() -> None:
    guise = disguise("* Print queue", WITH_TERMS)
    assert (guise.needs_model, guise.has_terms, guise.given) == (False, True, "* Druckerschlange")


@pytest.mark.parametrize(
    "sentence", ["{name}: 5 km", "https://example.com", "👍🏽", "%s", "42 {a}"]
)
def test_what_is_all_placeholders_needs_no_model(sentence: str) -> None:
    guise = disguise(sentence, PLAIN)
    assert (guise.needs_model, guise.has_terms, guise.given) == (False, False, sentence)


def test_a_symbol_of_the_model_that_a_user_typed_is_protected() -> None:
    guise = disguise("What does ⟦1⟧ or >>de<< mean?", PLAIN)
    assert guise.text == "What does ⟦0⟧ or ⟦1⟧ mean?"
    core = guise.reveal("Was heißt ⟦1⟧ oder ⟦0⟧?")
    assert core
    assert core.text == "Was heißt >>de<< oder ⟦1⟧?"


def test_stand_ins_are_protected() -> None:
    guise = disguise("Press \ue000 now", PLAIN, "\ue000")
    assert guise.text == "Press ⟦0⟧ now"


@given(st.text(st.sampled_from(list("aAbB {}%s<>⟦1⟧-*!. 👍\ue000")), max_size=40))
def test_an_answer_that_is_the_question_is_the_sentence_but_for_its_case(sentence: str) -> None:
    sentence = sentence.strip()
    guise = disguise(sentence, PLAIN, "\ue000")
    core = guise.reveal(guise.text)
    if core is not None:
        assert guise.whole(core.text).lower() == sentence.lower()
    assert guise.shell.prefix + guise.shell.core + guise.shell.suffix == sentence
