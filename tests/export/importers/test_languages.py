"""The directions of an imported model."""

from export.importers.languages import directions


def test_a_language_that_is_named_twice_gives_one_direction() -> None:
    found = directions(["en", "en"], ["pt_BR", "de", "pt-br"], {})
    assert [str(pair) for pair in found] == ["en->pt-br", "en->de"]
