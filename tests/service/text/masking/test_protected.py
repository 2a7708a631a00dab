import pytest

from service.text.masking.protected import any_of


@pytest.mark.parametrize(
    ("texts", "text", "expected"),
    [
        ({"in"}, "in Kinder in", ["in", "in"]),
        ({"5 km"}, "5 km, 25 km, 5 kmh", ["5 km"]),
        ({"{a}"}, "x{a}y", ["{a}"]),
        ({"{a}", "{a}{b}"}, "{a}{b} {a}", ["{a}{b}", "{a}"]),
        ({".*"}, "a .* b", [".*"]),
    ],
)
def test_texts_are_found_where_they_stand_alone(
    texts: set[str], text: str, expected: list[str]
) -> None:
    assert any_of(frozenset(texts)).findall(text) == expected
