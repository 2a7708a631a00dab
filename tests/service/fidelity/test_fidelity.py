"""Nasty texts through a running server: with any weights they keep their properties."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from bundle.manifest import Manifest
from tests.service.fidelity.corpus import NASTY_TEXTS
from tests.service.fidelity.exchange import Exchange, exchange
from tests.service.fidelity.nasty_text import NastyText, table
from tests.service.fidelity.properties import OUTER_SPACE, verbatim
from tests.service.server_process import serving
from tests.service.tiny_models import TINY_BUNDLE

MANIFEST = Manifest.model_validate_json((TINY_BUNDLE / "manifest.json").read_bytes())
PAIR = {"source": MANIFEST.canary.pair.source, "target": MANIFEST.canary.pair.target}
_FLAGS = (
    ("--max-text-chars", "2000000"),
    ("--max-body-bytes", "20000000"),
    ("--max-sentences", "1000000"),
    ("--max-fragments", "1000000"),
    ("--deadline-ms", "300000"),
    # Else what grows by repeating a sentence would be translated once, whatever its size.
    ("--share-runs", "false"),
)
_LONGEST_S = 300
_STEPS_FOR_A_CHARACTER = 8
_STEPS_OF_A_CANARY = 100

READABLE = [nasty for nasty in NASTY_TEXTS if not nasty.may_refuse]
each_text = pytest.mark.parametrize("nasty", NASTY_TEXTS, ids=lambda nasty: nasty.id)
each_readable = pytest.mark.parametrize("nasty", READABLE, ids=lambda nasty: nasty.id)
each_plain = pytest.mark.parametrize(
    "nasty", [x for x in READABLE if x.format == "text"], ids=lambda nasty: nasty.id
)

# One argument: how large. What is made of twice as much is twice as long.
GROWING: dict[str, Callable[[int], str]] = {
    "a_word_without_end": lambda size: "house" * size,
    "sentences": lambda size: "The house is small. " * size,
    "lines": lambda size: "The house is small.\n" * size,
    "blank_lines": lambda size: "House" + "\n" * size + "House",
    "clauses": lambda size: "the house, " * size,
    "placeholders": lambda size: "The {house} is small. " * size,
    "emoji": lambda size: "😀 house " * size,
    "brackets": lambda size: "(" * size + "house" + ")" * size,
    "capitals": lambda size: "THE HOUSE IS SMALL. " * size,
}
GROWING_MARKUP: dict[str, Callable[[int], str]] = {
    "nested": lambda size: "<b>" * size + "The house is small." + "</b>" * size,
    "paragraphs": lambda size: "<p>The house is small.</p>" * size,
    "inline": lambda size: "The <b>house</b> is small. " * size,
    "unclosed": lambda size: "<b>The house is small. " * size,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A server that is asked about each text once."""

    client: httpx.Client
    known: dict[str, Exchange] = field(default_factory=dict)

    def given(self, nasty: NastyText) -> Exchange:
        """What it made of `nasty`."""
        if nasty.id not in self.known:
            self.known[nasty.id] = exchange(self.client, nasty, PAIR)
        return self.known[nasty.id]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    flags = [word for flag in _FLAGS for word in flag]
    with (
        serving(tmp_path_factory.mktemp("fidelity"), *flags) as server,
        httpx.Client(base_url=server.url, timeout=_LONGEST_S) as client,
    ):
        yield Service(client=client)


def _translated(service: Service, nasty: NastyText) -> Exchange:
    given = service.given(nasty)
    assert given.status == 200, given.body
    return given


@each_text
def test_text_is_translated_or_refused_with_a_reason(service: Service, nasty: NastyText) -> None:
    given = service.given(nasty)
    assert given.status in ((200, 400) if nasty.may_refuse else (200,)), given.body
    if given.status == 400:
        assert isinstance(given.body["error"], str)
        assert isinstance(given.body["code"], str)


@each_readable
def test_text_keeps_what_any_weights_can_keep(service: Service, nasty: NastyText) -> None:
    assert _translated(service, nasty).faults() == {}


@each_text
def test_work_is_bounded_by_the_length(service: Service, nasty: NastyText) -> None:
    steps = service.given(nasty).steps
    assert steps <= _STEPS_FOR_A_CHARACTER * len(nasty.text) + _STEPS_OF_A_CANARY


@each_readable
def test_details_do_not_hide_a_loss(service: Service, nasty: NastyText) -> None:
    given = _translated(service, nasty)
    # Weights that are rubbish may talk until they are stopped; they must not do so silently.
    assert all(x["truncated"] for x in given.sentences if x["finish_reason"] == "length")
    if "verbatim" in given.faults():
        assert not all(x["placeholders_ok"] for x in given.sentences)


@each_plain
def test_every_word_is_in_the_details(service: Service, nasty: NastyText) -> None:
    given = _translated(service, nasty)
    rest, position = "", 0
    for start, end in (sentence["source_span"] for sentence in given.sentences):
        assert position <= start <= end
        rest += nasty.text[position:start] + " "
        position = end
    rest += nasty.text[position:]
    # The letter of a list item may stand before its sentence.
    assert not [word for word in rest.split() if sum(map(str.isalpha, word)) > 1]


@pytest.mark.parametrize("kind", GROWING)
def test_twice_the_text_is_twice_the_work(service: Service, kind: str) -> None:
    _assert_linear(service, kind, GROWING[kind], is_html=False)


@pytest.mark.parametrize("kind", GROWING_MARKUP)
def test_twice_the_markup_is_twice_the_work(service: Service, kind: str) -> None:
    _assert_linear(service, kind, GROWING_MARKUP[kind], is_html=True)


def _assert_linear(
    service: Service, kind: str, grown: Callable[[int], str], *, is_html: bool
) -> None:
    rows = [(f"{kind}_{size}", grown(size), OUTER_SPACE) for size in (250, 500)]
    small, large = table("growing", rows, format="html" if is_html else "text")
    before, after = _translated(service, small), _translated(service, large)
    assert after.steps <= 2.2 * before.steps + _STEPS_OF_A_CANARY


@pytest.mark.slow
def test_one_megabyte_comes_back_whole_and_in_order(service: Service) -> None:
    names = [f"{{v{i}}}" for i in range(25_000)]
    text = "\n".join(f"The small house of {name} is very old." for name in names)
    (nasty,) = table("growing", [("megabyte", text, verbatim(names[0], names[-1]))])
    given = _translated(service, nasty)
    assert len(text) > 1_000_000
    assert given.faults() == {}
    lines = given.target.split("\n")
    assert [name for name, line in zip(names, lines, strict=True) if name not in line] == []
