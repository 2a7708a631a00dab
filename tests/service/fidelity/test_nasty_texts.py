"""The corpus of nasty texts: a translation that changes nothing has all its properties."""

from collections import Counter

from tests.service.fidelity.corpus import NASTY_TEXTS
from tests.service.fidelity.properties import faults

# An unchanged text is in English still: it has no German term, and was in capitals or was not.
_ASK_FOR_MORE = {"term", "mentions", "title case"}


def test_every_text_has_a_name_of_its_own_and_something_to_keep() -> None:
    names = Counter(nasty.id for nasty in NASTY_TEXTS)
    assert len(NASTY_TEXTS) >= 150
    assert names.most_common(1)[0][1] == 1
    assert all(nasty.properties for nasty in NASTY_TEXTS)


def test_texts_that_are_not_changed_keep_everything() -> None:
    found = {nasty.id: faults(nasty.properties, nasty.text, nasty.text) for nasty in NASTY_TEXTS}
    assert [
        (text, name, fault)
        for text, by_name in found.items()
        for name, fault in by_name.items()
        if name not in _ASK_FOR_MORE
    ] == []


def test_texts_of_which_nothing_is_left_do_not_keep_everything() -> None:
    asked = [nasty for nasty in NASTY_TEXTS if nasty.text.strip() and not nasty.may_refuse]
    assert [nasty.id for nasty in asked if not faults(nasty.properties, nasty.text, "")] == []
