"""Every property detects its violations and accepts the rest."""

import pytest

from tests.service.fidelity.properties import (
    BLOCKS,
    CAPITALS,
    LINE_STARTS,
    LINES,
    NESTING,
    NO_ARTEFACTS,
    NO_LOOP,
    NOT_EMPTY,
    OUTER_SPACE,
    PROPORTION,
    TAGS,
    TAGS_AS_WRITTEN,
    TITLE_CASE,
    UNCHANGED,
    Property,
    copied,
    faults,
    inner_space,
    mentions,
    term,
    verbatim,
)

BROKEN = [
    (verbatim("{name}"), "Hello {name}", "Hallo"),
    (verbatim("{name}"), "Hello {name}", "Hallo {Name}"),
    (verbatim("{name}"), "Hello {name}", "Hallo {name} {name}"),
    (verbatim("{a}", "{b}"), "{a} and {b}", "{a} und {a}"),
    (inner_space("\t"), "House\tGarden", "Haus Garten"),
    (copied("NASA"), "NASA and ESA", "Nasa und ESA"),
    (term("Pult"), "The desk", "Der Tisch"),
    (mentions("Anna", "Berlin"), "Anna is in Berlin.", "Anna ist da."),
    (OUTER_SPACE, " House", "Haus"),
    (OUTER_SPACE, "House\n", "Haus \n"),
    (OUTER_SPACE, "House", "Haus "),
    (LINES, "House\n\nGarden", "Haus\nGarten"),
    (LINES, "House\r\nGarden", "Haus\nGarten"),
    (LINES, "House\n\nGarden", "Haus\nGarten\n"),
    (LINES, "House\u2028Garden", "Haus Garten"),
    (LINE_STARTS, "- House\n- Garden", "- Haus\nGarten"),
    (LINE_STARTS, "  1. House", "1. Haus"),
    (LINE_STARTS, "- [x] House", "- [ ] Haus"),
    (LINE_STARTS, "## House", "# # Haus"),
    (UNCHANGED, "42", "42."),
    (NOT_EMPTY, "House", " "),
    (NO_ARTEFACTS, "House", "Haus ⁇"),
    (NO_ARTEFACTS, "{name}", "⟦0⟧"),
    (NO_ARTEFACTS, "{name}", "0⟧"),
    (NO_ARTEFACTS, "House", "▁Haus"),
    (NO_ARTEFACTS, "House", "Haus</s>"),
    (NO_ARTEFACTS, "House", "Haus <unk>"),
    (NO_ARTEFACTS, "⟦0⟧", "⟦0⟧ ⟦0⟧"),
    (NO_ARTEFACTS, "&nbsp;", "&amp;nbsp;"),
    (CAPITALS, "THE HOUSE", "Das Haus"),
    (TITLE_CASE, "The Small House", "das kleine Haus"),
    (TAGS, "<b>House</b>", "<b>Haus"),
    (TAGS, "<b>House</b>", "Haus"),
    (TAGS, '<a href="x">House</a>', '<a href="y">Haus</a>'),
    (TAGS, '<a href="x">House</a>', "<a>Haus</a>"),
    (TAGS_AS_WRITTEN, '<a href="x">House</a>', "<a href='x'>Haus</a>"),
    (TAGS_AS_WRITTEN, "House<br>", "Haus<br/>"),
    (TAGS, "House<br>", "Haus<br><br>"),
    (TAGS, "House <!-- a -->", "Haus <!-- A -->"),
    (TAGS, "<!DOCTYPE html>House", "Haus"),
    (TAGS, "<?a?>House", "Haus"),
    (NESTING, "<b>House</b>", "</b>Haus<b>"),
    (NESTING, "<b>a</b><i>b</i>", "<b>a<i>b</b></i>"),
    (NESTING, "<b>a</b><i>b</i>", "<b>a<i>b</i></b>"),
    (BLOCKS, "<h1>a</h1><p>b</p>", "<p>b</p><h1>a</h1>"),
    (PROPORTION, "The house is small. The garden is large.", "Das Haus."),
    (PROPORTION, "The house is really small.", "Das Haus ist " + "sehr " * 40),
    (NO_LOOP, "The house is small.", "Das Haus " * 5),
    (NO_LOOP, "The house is small.", "ha ha ha ha ha"),
]
KEPT = [
    (verbatim("{name}"), "Hello {name}", "{name}, hallo"),
    (inner_space("\t"), "House\tGarden", "Haus\tGarten"),
    (copied("NASA"), "NASA and ESA", "ESA und NASA"),
    (term("Pult"), "The desk", "das pult"),
    (mentions("Anna"), "Anna", "Annas"),
    (OUTER_SPACE, "\n House\t", "\n Haus\t"),
    (LINES, "House\r\n\r\nGarden", "Haus\r\n\r\nGarten"),
    (LINE_STARTS, "- a) House\n\nGarden", "- a) Haus\n\nGarten"),
    (UNCHANGED, "42", "42"),
    (NOT_EMPTY, "  ", ""),
    (NO_ARTEFACTS, "⟦0⟧ ⁇", "⁇ ⟦0⟧"),
    (CAPITALS, "THE HOUSE {name}", "DAS GROSSE GRÜNE HAUS"),
    (TITLE_CASE, "The Small House", "Das Kleine Haus"),
    (TAGS, "<b>small</b> <i>house</i>", "<i>Haus</i> <b>klein</b>"),
    (TAGS, "House<br><a b='c' d>", 'Haus<br /><a d="" b="c">'),
    (TAGS_AS_WRITTEN, "<b>small</b> <i>house</i>", "<i>Haus</i> <b>klein</b>"),
    (NESTING, "<p>a <b>b</b><br></p>", "<p><b>B</b><br> A</p>"),
    (NESTING, "<b>never closed", "<b>nie zu"),
    (BLOCKS, "<p>a <b>b</b></p>", "<p><b>B</b> A</p>"),
    (PROPORTION, "House", "Einfamilienhaus am Stadtrand"),
    (PROPORTION, "<p>The house is small and old.</p>", "<p>Das Haus ist klein und alt.</p>"),
    (NO_LOOP, "very very very good", "sehr sehr sehr gut"),
    (NO_LOOP, "house " * 20, "Haus " * 20),
]


@pytest.mark.parametrize(("kept", "source", "target"), BROKEN)
def test_what_is_broken_is_seen(kept: Property, source: str, target: str) -> None:
    assert kept.fault(source, target)
    assert list(faults((kept,), source, target)) == [kept.name]


@pytest.mark.parametrize(("kept", "source", "target"), KEPT)
def test_what_is_kept_is_not_complained_about(kept: Property, source: str, target: str) -> None:
    assert kept.fault(source, target) == ""


def test_every_property_is_tried_both_ways() -> None:
    assert {kept.name for kept, _, _ in BROKEN} == {kept.name for kept, _, _ in KEPT}
