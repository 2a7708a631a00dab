from hypothesis import given
from hypothesis import strategies as st

from service.text.similarity import edit_distance, similarity

TEXTS = st.text(alphabet="abcäß😀 ", max_size=40)


def by_table(first: str, second: str) -> int:
    """The textbook's table (Wagner and Fischer 1974)."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, row = row, [i]
        for j, b in enumerate(second, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@given(TEXTS, TEXTS)
def test_distance_equals_that_of_the_table(first: str, second: str) -> None:
    assert edit_distance(first, second) == by_table(first, second)


@given(st.text(), st.text())
def test_distance_is_a_metric(first: str, second: str) -> None:
    distance = edit_distance(first, second)
    assert distance == edit_distance(second, first)
    assert (distance == 0) == (first == second)
    assert distance <= max(len(first), len(second))


def test_long_texts_have_no_limit_of_bits() -> None:
    text = "The quick brown fox jumps. " * 40
    assert edit_distance(text, text.replace("quick", "slow", 3)) == 3 * by_table("quick", "slow")


def test_similarity_is_the_untouched_part_of_the_longer_text() -> None:
    assert similarity("abcd", "abcx") == 0.75
    assert similarity("ab", "abcd") == 0.5
    assert similarity("", "") == 1.0
    assert similarity("", "a") == 0.0
