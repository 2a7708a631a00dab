import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.languages import best_direction, best_match, closeness, parse_language

SUBTAGS = """
    de en fr pt zh sr no nb nn iw he ger deu zho cmn yue sh fil
    hans hant latn cyrl us gb br tw cn hk 419 valencia x u 1996 auto
"""
tags = st.lists(
    st.sampled_from(SUBTAGS.split()),
    min_size=1,
    max_size=4,
).map("-".join)
anything = tags | st.text(max_size=12)


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        ("DE", "de fr", "de"),
        ("de-DE", "de fr", "de"),
        ("de_AT", "fr de", "de"),
        ("deu", "en de", "de"),
        ("ger", "en de", "de"),
        ("deu_Latn", "en de", "de"),
        ("en-US", "en de", "en"),
        ("en-US", "en-gb de", "en-gb"),
        ("en-AU", "en-us en-gb", "en-gb"),
        ("en", "en-gb en-us", "en-us"),
        ("pt-BR", "pt", "pt"),
        ("pt-BR", "pt-pt pt pt-br", "pt-br"),
        ("pt", "pt-pt pt-br", "pt-br"),
        ("pt-AO", "pt-br pt-pt", "pt-pt"),
        ("pb", "pt-pt pt-br", "pt-br"),
        ("es-MX", "es-es es-419", "es-419"),
        ("zh", "zh-hant zh-hans", "zh-hans"),
        ("zh-CN", "zh-hant zh-hans", "zh-hans"),
        ("zh-TW", "zh-hans zh-hant", "zh-hant"),
        ("zh_HK", "zh-hans zh-hant", "zh-hant"),
        ("zt", "zh-hans zh-hant", "zh-hant"),
        ("zh-CHT", "zh-hans zh-hant", "zh-hant"),
        ("zho_Hant", "zh-hans zh-hant", "zh-hant"),
        ("cmn-Hans-CN", "zh-hant zh-hans", "zh-hans"),
        ("zh-cmn-Hant", "zh-hans zh-hant", "zh-hant"),
        ("zh-Hans", "zh-cn zh-tw", "zh-cn"),
        ("zh-TW", "zh", "zh"),
        ("zh", "zh-hant", "zh-hant"),
        ("zh-TW", "zh-hans", None),
        ("zh-Hans", "zh-tw", None),
        ("yue", "zh", None),
        ("zh-yue", "zh", None),
        ("zho-yue", "yue zh", "yue"),
        ("sr", "sr-latn sr-cyrl", "sr-cyrl"),
        ("sr-Latn", "sr-cyrl sr-latn", "sr-latn"),
        ("sr-Latn", "sr-cyrl", None),
        ("sh", "sr-cyrl sr-latn", "sr-latn"),
        ("hbs", "sr", None),
        ("iw", "he", "he"),
        ("he", "iw", "iw"),
        ("in", "id", "id"),
        ("ji", "yi", "yi"),
        ("no", "nb", "nb"),
        ("nb-NO", "no", "no"),
        ("nob", "nn no", "no"),
        ("no", "nn", None),
        ("nn", "nb", None),
        ("tl", "fil", "fil"),
        ("mol", "ro", "ro"),
        ("arb", "ar", "ar"),
        ("pes", "fa", "fa"),
        ("zsm", "ms", "ms"),
        ("ca-valencia", "ca", "ca"),
        ("ca", "ca-valencia", "ca-valencia"),
        ("lb", "de", None),
        ("hr", "sr bs", None),
        ("auto", "au de", None),
        ("", "de", None),
    ],
)
def test_the_served_language_that_is_meant(wanted: str, offered: str, found: str | None) -> None:
    assert best_match(wanted, offered.split()) == found


def test_of_equals_the_first_served_is_taken() -> None:
    assert best_match("de", ["de-ch", "de-at"]) == "de-ch"
    assert best_match("de", ["de-at", "de-ch"]) == "de-at"


def test_source_and_target_are_served_together() -> None:
    offered = [("en-us", "de"), ("en", "fr"), ("en-gb", "pt"), ("en", "pt-br")]
    assert best_direction("en", "de", offered) == ("en-us", "de")
    assert best_direction("eng", "fra", offered) == ("en", "fr")
    assert best_direction("en-GB", "pt-BR", offered) == ("en", "pt-br")
    assert best_direction("fr", "en", offered) is None


@given(st.lists(anything), anything)
def test_a_served_tag_means_itself_and_a_match_is_served(offered: list[str], wanted: str) -> None:
    for tag in offered:
        assert best_match(tag, offered) == next(x for x in offered if x.lower() == tag.lower())
    found = best_match(wanted, offered)
    assert found is None or found in offered


@given(tags, tags)
def test_spelling_does_not_matter(wanted: str, offered: str) -> None:
    spelt_otherwise = closeness(wanted.upper().replace("-", "_"), offered)
    plain = closeness(wanted, offered)
    assert (spelt_otherwise is None) == (plain is None)
    assert parse_language(wanted.title().replace("-", "_")) == parse_language(wanted)


@given(anything, anything)
def test_matching_is_mutual(one: str, other: str) -> None:
    assert (closeness(one, other) is None) == (closeness(other, one) is None)


@given(anything, anything)
def test_a_language_or_a_named_script_is_never_exchanged(one: str, other: str) -> None:
    if closeness(one, other) is None or one.lower() == other.lower():
        return
    ours, theirs = parse_language(one), parse_language(other)
    assert ours.language == theirs.language
    assert None in (ours.script, theirs.script) or ours.script == theirs.script


@given(tags)
def test_reducing_is_stable(tag: str) -> None:
    language = parse_language(tag)
    again = "-".join(
        filter(None, (language.language, language.script, language.region, *language.variants))
    )
    assert parse_language(again).language == language.language
