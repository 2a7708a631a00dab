import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.alignment.word_links import WordLink
from service.text.markup.document import read_markup, write_markup
from service.text.markup.passage import MarkupOptions, Passage, Tag
from service.text.tags.placement import place_tags
from tests.service.text.markup_soup import tag_soup, well_formed

Links = tuple[WordLink, ...]


def read(text: str) -> Passage:
    (passage,) = (p for p in read_markup(text, MarkupOptions()) if isinstance(p, Passage))
    return passage


def links(source: str, target: str, pairs: str) -> Links:
    """`pairs`: for each target word in turn, the number of its source word, or `-`."""
    words = [[match.span() for match in re.finditer(r"\w+|[^\w\s]", t)] for t in (source, target)]
    return tuple(
        WordLink(source=words[0][int(number)], target=words[1][index])
        for index, number in enumerate(pairs.split())
        if number != "-"
    )


def translated(source: str, target: str, pairs: str) -> str:
    parts = read_markup(source, MarkupOptions())
    done: list[str | Passage] = []
    for part in parts:
        if isinstance(part, Passage):
            linked = links(part.text, target, pairs)
            placed = place_tags(part.tags, part.text, target, linked)
            done.append(replace(part, text=target, tags=placed))
        else:
            done.append(part)
    return write_markup(done)


def ancestors(tags: Sequence[Tag]) -> list[tuple[str, tuple[str, ...]]]:
    """Each tag and the elements around it; tags in any order."""
    found: list[tuple[str, tuple[str, ...]]] = []
    stack: list[str] = []
    for index, tag in enumerate(tags):
        if tag.partner is not None and tag.partner < index:
            stack.pop()
        found.append((tag.text.rstrip(), tuple(stack)))
        if tag.partner is not None and tag.partner > index:
            stack.append(tag.text)
    return sorted(found)


@st.composite
def translations(draw: st.DrawFn) -> tuple[Passage, str, Links]:
    """A passage, some text as its translation, and links that need not make sense."""
    document = draw(tag_soup | well_formed)
    parts = [p for p in read_markup(document, MarkupOptions()) if isinstance(p, Passage)]
    passage = draw(st.sampled_from(parts)) if parts else Passage(text="")
    target = draw(st.text(st.sampled_from("ab  .,„我\n\U0001f600"), max_size=30))

    def span(text: str) -> st.SearchStrategy[tuple[int, int]]:
        offset = st.integers(0, len(text))
        return st.tuples(offset, offset).map(lambda pair: (min(pair), max(pair)))

    link = st.builds(
        WordLink, source=span(passage.text), target=span(target), weight=st.floats(0, 1)
    )
    return passage, target, tuple(draw(st.lists(link, max_size=12)))


@given(translations())
def test_every_tag_comes_once_and_within_the_elements_it_was_in(
    translation: tuple[Passage, str, Links],
) -> None:
    passage, target, linked = translation
    placed = place_tags(passage.tags, passage.text, target, linked)
    assert ancestors(placed) == ancestors(passage.tags)


@given(translations())
def test_pairs_are_nested_and_in_order(translation: tuple[Passage, str, Links]) -> None:
    passage, target, linked = translation
    placed = place_tags(passage.tags, passage.text, target, linked)
    positions = [0, *(tag.position for tag in placed), len(target)]
    assert positions == sorted(positions)
    stack: list[int] = []
    for index, tag in enumerate(placed):
        if tag.partner is None:
            continue
        assert placed[tag.partner].partner == index
        if tag.partner > index:
            stack.append(index)
        else:
            assert stack.pop() == tag.partner


@given(tag_soup | well_formed)
def test_a_text_that_stays_keeps_the_words_of_each_element(text: str) -> None:
    for passage in read_markup(text, MarkupOptions()):
        if not isinstance(passage, Passage) or len(passage.text.split()) < len(passage.text):
            continue
        placed = place_tags(passage.tags, passage.text, passage.text, ())
        assert [tag.position for tag in placed] == [tag.position for tag in passage.tags]


@pytest.mark.parametrize(
    ("source", "target", "pairs", "expected"),
    [
        ("The <b>house</b> is small.", "Das Haus ist klein.", "0 1 2 3 4",
         "Das <b>Haus</b> ist klein."),
        ("<b>Anna</b> lives.", "Es lebt Anna.", "- 1 0 2", "Es lebt <b>Anna</b>."),
        ("I have <b>opened</b> the <i>door</i>.", "Ich habe die Tür geöffnet.", "0 1 3 4 2 5",
         "Ich habe die <i>Tür</i> <b>geöffnet</b>."),
        ("The <b>very <i>small</i></b> house", "Das Haus, das sehr klein ist", "0 3 - - 1 2 -",
         "Das Haus, das <b>sehr <i>klein</i></b> ist"),
        ("It <b>turned out</b> well", "Es stellte sich gut heraus", "0 1 1 3 2",
         "Es <b>stellte sich gut heraus</b>"),
        ("It <b>went out</b> again", "Es ging wieder aus", "0 1 3 2",
         "Es <b>ging</b> wieder aus"),
        ("<b>One house. Two</b> houses.", "Ein Haus. Zwei Häuser.", "0 1 2 3 4 5",
         "<b>Ein Haus. Zwei</b> Häuser."),
        ("See <b>it.</b> <i>Now.</i>", "Sieh es. Jetzt.", "0 1 2 3 4",
         "Sieh <b>es.</b> <i>Jetzt.</i>"),
        ('See <b>"it"</b>.', "Siehe „es“.", "0 - 2 - 4", "Siehe <b>„es“</b>."),
        ("The gar<b>den</b> is", "Der Garten ist", "0 1 2", "Der <b>Garten</b> ist"),
        ("a <b>small</b> <i>house</i> b", "ein kleines Haus b", "0 - 2 3",
         "ein <b>kleines</b> <i>Haus</i> b"),
    ],
)  # fmt: skip
def test_elements_go_with_their_words(source: str, target: str, pairs: str, expected: str) -> None:
    assert translated(source, target, pairs) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("The <img>house is", "Das Haus ist", "Das <img>Haus ist"),
        ("The house<img> is", "Das Haus ist", "Das Haus<img> ist"),
        ("The <img> house is", "Das Haus ist", "Das <img> Haus ist"),
        ("The <i></i> house is", "Das Haus ist", "Das <i></i> Haus ist"),
        ("The <img><br2/> house is", "Das Haus ist", "Das <img><br2/> Haus ist"),
        ("The <a><img></a> house is", "Das Haus ist", "Das <a><img></a> Haus ist"),
        ("The house <!-- a --> is", "Das Haus ist", "Das Haus <!-- a --> ist"),
        ("The garden<wbr>house is", "Das Gartenhaus ist", "Das Gartenhaus<wbr> ist"),
        ("The <b>house is", "Das Haus ist", "Das <b>Haus ist"),
        ("The house</b> is", "Das Haus ist", "Das Haus</b> ist"),
        ("The <b><img>house</b> is", "Das Haus ist", "Das <b><img>Haus</b> ist"),
        ("The <b>house<img></b> is", "Das Haus ist", "Das <b>Haus<img></b> ist"),
        ("The <b>house</b><img> is", "Das Haus ist", "Das <b>Haus</b><img> ist"),
    ],
)
def test_single_tags_stay_beside_their_word(source: str, target: str, expected: str) -> None:
    assert translated(source, target, "0 1 2") == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("a<b> b</b> c", "x y z", "x<b> y</b> z"),
        ("a <b>b </b>c", "x y z", "x <b>y </b>z"),
        ("a <b> b </b> c", "x y z", "x <b>y</b> z"),
    ],
)
def test_white_space_stays_on_its_side_of_a_tag(source: str, target: str, expected: str) -> None:
    assert translated(source, target, "0 1 2") == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("He <a>looked</a> <b>up</b>.", "Er schaute auf.", "Er <a>schaute</a> <b>auf</b>."),
        ("One <b>two</b> three four", "eins", "eins<b></b>"),
        ("One <b>two</b> three four", "", "<b></b>"),
    ],
)
def test_without_links_tags_keep_their_order(source: str, target: str, expected: str) -> None:
    assert translated(source, target, "") == expected


def test_scripts_without_spaces_go_by_the_links() -> None:
    passage = read("I <b>like</b> you")
    spans = {(0, 1): (0, 1), (2, 6): (1, 3), (7, 10): (3, 4)}
    linked = [WordLink(source=source, target=target) for source, target in spans.items()]
    placed = place_tags(passage.tags, passage.text, "我喜欢你", linked)
    assert [tag.position for tag in placed] == [1, 3]


def test_the_heavier_link_wins() -> None:
    passage = read("The <b>house</b> is")
    heavy = WordLink(source=(4, 9), target=(8, 12), weight=0.9)
    light = WordLink(source=(10, 12), target=(8, 12), weight=0.2)
    for linked in ((heavy, light), (light, heavy)):
        placed = place_tags(passage.tags, passage.text, "Das ist Haus", (*linked, *_FIRST_WORDS))
        assert [tag.position for tag in placed] == [8, 12]


def test_a_lighter_link_is_better_than_none() -> None:
    passage = read("a <b>small</b> house")
    linked = (
        WordLink(source=(0, 1), target=(0, 3)),
        WordLink(source=(2, 7), target=(4, 11), weight=0.3),
        WordLink(source=(8, 13), target=(4, 11), weight=0.6),
        WordLink(source=(8, 13), target=(12, 16), weight=0.9),
    )
    placed = place_tags(passage.tags, passage.text, "ein kleines Haus", linked)
    assert [tag.position for tag in placed] == [4, 11]


_FIRST_WORDS = (
    WordLink(source=(0, 3), target=(0, 3)),
    WordLink(source=(10, 12), target=(4, 7), weight=0.5),
)


@pytest.mark.parametrize(
    "text",
    ["a " + "<b>" * 50_000 + "b <img> " + "</b>" * 50_000 + " c",
     "<b>a " * 2_000 + "</b> " * 2_000 + "b", "<b>a</b> " * 10_000 + "b", "<img> a" * 10_000],
)  # fmt: skip
def test_hostile_markup_is_placed_as_well(text: str) -> None:
    passage = read(text)
    placed = place_tags(passage.tags, passage.text, passage.text, ())
    assert ancestors(placed) == ancestors(passage.tags) if len(text) < 100_000 else len(placed)
    assert len(placed) == len(passage.tags)
