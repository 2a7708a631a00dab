from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.languages import Direction
from service.errors import UnsupportedLanguageError
from service.models.routes import Routes

codes = st.sampled_from(["de", "en", "fr", "it", "pt-br"])
directions = st.lists(st.tuples(codes, codes).filter(lambda pair: pair[0] != pair[1]))


def routes(*directions: str, pivots: bool = True) -> Routes:
    """Ways over directions such as `de-en`."""
    pairs = (direction.partition("-") for direction in directions)
    return Routes([(source, target) for source, _, target in pairs], pivots=pivots)


def test_a_model_of_its_own_comes_first() -> None:
    assert routes("de-fr", "de-en", "en-fr").find("de", "fr") == (("de", "fr"),)


def test_two_models_do_what_none_does_alone() -> None:
    found = routes("de-en", "en-fr")
    assert found.find("DE", "Fr") == (("de", "en"), ("en", "fr"))
    assert found.targets_by_source() == {"de": ["en", "fr"], "en": ["fr"]}
    assert found.sources_of("FR") == ["de", "en"]


def test_english_is_preferred_and_then_what_was_given_first() -> None:
    assert routes("de-it", "it-fr", "de-en", "en-fr").pivots["de", "fr"] == "en"
    assert routes("de-it", "de-es", "it-fr", "es-fr").pivots["de", "fr"] == "it"
    assert routes("de-es", "de-it", "it-fr", "es-fr").pivots["de", "fr"] == "es"


def test_nothing_is_translated_into_its_own_language() -> None:
    assert not routes("de-en", "en-de").pivots


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("xx", "de", "xx is not supported: this server translates from de, en, fr"),
        ("de", "XX", "xx is not supported: this server translates from de to en, fr"),
        ("de", "de", "de is not supported"),
        ("de", "it", "it is not supported"),  # two languages between
    ],
)
def test_without_a_route_the_unsupported_language_is_named(
    source: str, target: str, message: str
) -> None:
    with pytest.raises(UnsupportedLanguageError, match=message):
        routes("de-en", "en-fr", "fr-it").find(source, target)


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("de-AT", "eng", (("de", "en"),)),
        ("ger", "pt_BR", (("de", "pt"),)),
        ("EN_us", "zh-TW", (("en", "zh-hant"),)),
        ("en", "zh", (("en", "zh-hans"),)),
        ("zh-CN", "deu", (("zh-hans", "en"), ("en", "de"))),
        ("pt-PT", "de", (("pt-br", "de"),)),
    ],
)
def test_languages_may_be_spelt_as_clients_spell_them(
    source: str, target: str, found: tuple[Direction, ...]
) -> None:
    served = [("en", "zh-hant"), ("en", "zh-hans"), ("zh-hans", "en"), ("de", "en"), ("en", "de")]
    ways = Routes([*served, ("de", "pt"), ("pt-br", "de")], pivots=True)
    assert ways.find(source, target) == found


def test_what_is_listed_is_taken_as_listed_even_by_way_of_a_third_language() -> None:
    ways = Routes([("pt", "de"), ("pt-br", "en"), ("en", "de")], pivots=True)
    assert ways.find("pt-BR", "de") == (("pt-br", "en"), ("en", "de"))
    assert ways.find("pt-PT", "de") == (("pt", "de"),)


def test_a_text_in_any_language_that_reaches_the_target_may_be_detected() -> None:
    ways = Routes([("de", "en-us"), ("fr", "en-gb"), ("en-us", "it")], pivots=False)
    assert ways.sources_of("eng") == ["de", "fr"]


def test_the_error_names_the_directions_with_a_model() -> None:
    refusal = str(routes("de-en", "en-fr").unsupported("DE", "fr"))
    assert "no model translates de->fr" in refusal
    assert "ask for de->en or en->fr" in refusal


def test_without_pivots_only_models_count() -> None:
    found = routes("de-en", "en-fr", pivots=False)
    assert found.targets_by_source() == {"de": ["en"], "en": ["fr"]}
    with pytest.raises(UnsupportedLanguageError, match="fr is not supported"):
        found.find("de", "fr")


@given(directions)
def test_every_route_is_a_chain_of_directions(given: list[Direction]) -> None:
    found = Routes(given, pivots=True)
    for source, targets in found.targets_by_source().items():
        assert source not in targets
        for target in targets:
            legs = found.find(source, target)
            assert set(legs) <= set(given)
            assert legs == ((source, target),) or (source, target) not in given
            assert [legs[0][0], legs[-1][1]] == [source, target]
            assert all(a[1] == b[0] for a, b in pairwise(legs))
