"""All nasty texts."""

from tests.service.fidelity.extreme_texts import EXTREME_TEXTS
from tests.service.fidelity.layout_texts import LAYOUT_TEXTS
from tests.service.fidelity.markup_texts import MARKUP_TEXTS
from tests.service.fidelity.nasty_text import NastyText
from tests.service.fidelity.script_texts import SCRIPT_TEXTS
from tests.service.fidelity.token_texts import TOKEN_TEXTS

NASTY_TEXTS: tuple[NastyText, ...] = (
    *LAYOUT_TEXTS,
    *TOKEN_TEXTS,
    *SCRIPT_TEXTS,
    *MARKUP_TEXTS,
    *EXTREME_TEXTS,
)
