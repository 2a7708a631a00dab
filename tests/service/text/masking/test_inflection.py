"""Forms of glossary terms in a translation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.masking.glossary import GlossaryEntry
from service.text.masking.inflection import find_forms, find_terms


def term(target: str, source: str = "anything") -> GlossaryEntry:
    return GlossaryEntry(source=source, target=target)


def found(text: str, *terms: GlossaryEntry) -> list[str | None]:
    return [span and text[slice(*span)] for span in find_forms(terms, text)]


@pytest.mark.parametrize(
    ("target", "text", "form"),
    [
        ("Triebwerk", "Die Triebwerke laufen.", "Triebwerke"),
        ("Triebwerk", "Teile des Triebwerks", "Triebwerks"),
        ("Triebwerk", "das Triebwerk.", "Triebwerk"),
        ("lineares System", "eines linearen Systems", "linearen Systems"),
        ("moteur", "les moteurs", "moteurs"),
        ("двигатель", "нет двигателя", "двигателя"),
        ("C++", "in C++ geschrieben", "C++"),
        ("haus", "Haus und Garten", "Haus"),
        ("किताब", "नई किताबें", "किताबें"),
        ("कम", "कमी से कम", "कम"),
        ("Haus", "DAS HAUS", "HAUS"),
    ],
)
def test_a_form_is_found(target: str, text: str, form: str) -> None:
    assert found(text, term(target)) == [form]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("Bank", "eine Banane"),
        ("Triebwerk", "ein Triebwagen"),
        ("Triebwerk", "der Triebwerkhersteller"),
        ("Motor", "das Triebwerk"),
        ("Tor", "die Tortur"),
        ("Laufwerk", "das laufwerk"),
        ("lineares System", "ein System, lineares"),
        ("A320", "A3201"),
    ],
)
def test_another_word_is_no_form(target: str, text: str) -> None:
    assert found(text, term(target)) == [None]


def test_a_name_has_one_form() -> None:
    name = term("Pellucid", source="pellucid")
    assert found("Pellucids Ziel", name) == [None]
    assert found("das Ziel von Pellucid", name) == ["Pellucid"]


def test_each_term_needs_a_place_of_its_own() -> None:
    twice = [term("Triebwerk")] * 2
    assert found("Ein Triebwerk.", *twice) == ["Triebwerk", None]
    assert found("Triebwerk an Triebwerk", *twice) == ["Triebwerk", "Triebwerk"]


def test_the_written_form_comes_first_and_the_longest_term_before_its_parts() -> None:
    assert found("Systeme, ein System", term("System")) == ["System"]
    terms = term("System"), term("System Neu")
    assert found("System Neu und System", *terms) == ["System", "System Neu"]


def test_scripts_without_spaces_are_searched_for_what_was_inserted() -> None:
    entry = term("发动机")
    assert find_forms([entry], "这台发动机很大。") == [None]
    assert find_terms([entry, entry], "这台发动机和发动机。") == [(2, 5), (6, 9)]


@given(st.lists(st.text(min_size=1).map(term), max_size=4), st.text())
def test_spans_are_disjoint_and_within_any_text(terms: list[GlossaryEntry], text: str) -> None:
    terms = [each for each in terms if each.target.strip()]
    spans = sorted(span for span in find_forms(terms, text) if span)
    ends = [0, *(end for _, end in spans)]
    assert all(start >= end for (start, _), end in zip(spans, ends, strict=False))
    assert all(start < end <= len(text) for start, end in spans)
