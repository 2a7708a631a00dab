"""The corpus of nasty texts: a translation that changes nothing has all its properties."""

from collections import Counter

import pytest

from tests.service.fidelity.corpus import NASTY_TEXTS
from tests.service.fidelity.nasty_text import NastyText
from tests.service.fidelity.properties import faults

# An unchanged text is in English still: it has no German term, and was in capitals or was not.
_ASK_FOR_MORE = {"term", "mentions", "title case"}


def test_every_text_has_a_name_of_its_own_and_something_to_keep() -> None:
    names = Counter(nasty.id for nasty in NASTY_TEXTS)
    assert len(NASTY_TEXTS) >= 150
    assert names.most_common(1)[0][1] == 1
    assert all(nasty.properties for nasty in NASTY_TEXTS)


@pytest.mark.parametrize("nasty", NASTY_TEXTS, ids=lambda nasty: nasty.id)
def test_text_that_is_not_changed_keeps_everything(nasty: NastyText) -> None:
    found = faults(nasty.properties, nasty.text, nasty.text)
    assert not {name: fault for name, fault in found.items() if name not in _ASK_FOR_MORE}


@pytest.mark.parametrize(
    "nasty", [x for x in NASTY_TEXTS if x.text.strip() and not x.may_refuse], ids=lambda x: x.id
)
def test_text_of_which_nothing_is_left_keeps_not_everything(nasty: NastyText) -> None:
    assert faults(nasty.properties, nasty.text, "")
