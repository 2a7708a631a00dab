"""Attention maps of a text, as arrays and as a picture."""

import sys
import tempfile
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import InvalidRequestError, PayloadTooLargeError
from service.inspection.heat_map.arrays import npz
from service.inspection.heat_map.layout import lay_out
from service.inspection.heat_map.page import page
from service.inspection.heat_map.svg import svg
from service.inspection.values import (
    AttentionSelection,
    Contrast,
    Contributions,
    InspectedPair,
    InspectedSentence,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from service.engine.inspection import AttentionKind

_numbers = count(1)
"""Numbers of the pictures of this process: ids must be unique in a notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What the model looked at in a text; a notebook shows it as a picture."""

    pair: InspectedPair
    """The text with its translation, sentence by sentence."""
    selection: AttentionSelection
    """Which maps there are."""

    @property
    def source(self) -> str:
        """The text."""
        return self.pair.source

    @property
    def translation(self) -> str:
        """Its translation."""
        return self.pair.translation

    @property
    def sentences(self) -> tuple[InspectedSentence, ...]:
        """Each sentence with tokens, maps, word links and confidence; none if no model ran."""
        return self.pair.sentences

    @property
    def sentence(self) -> InspectedSentence:
        """The only sentence.

        Raises:
            InvalidRequestError: There are several, or none.
        """
        if len(self.sentences) != 1:
            raise InvalidRequestError(
                f"the text has {len(self.sentences)} sentences: take one of `sentences`"
            )
        return self.sentences[0]

    @property
    def source_tokens(self) -> tuple[str, ...]:
        """Of the only sentence, `</s>` included."""
        return self.sentence.attention.source_tokens

    @property
    def target_tokens(self) -> tuple[str, ...]:
        """Of the only sentence, `</s>` included."""
        return self.sentence.attention.target_tokens

    @property
    def contributions(self) -> Contributions:
        """What each token of the only sentence comes from.

        Raises:
            InvalidRequestError: The selection has the method `attention`, which has maps instead.
        """
        found = self.sentence.attention.contributions
        if found is None:
            raise InvalidRequestError("attention has no contributions: select another method")
        return found

    @property
    def contrast(self) -> Contrast:
        """The translation minus the other one that was given.

        Raises:
            InvalidRequestError: None was given.
        """
        if self.pair.contrast is None:
            raise InvalidRequestError("there is no contrast: give `contrast=` another translation")
        return self.pair.contrast

    def __getitem__(self, kind: "AttentionKind") -> "NDArray[np.float32]":
        """The maps of a kind, of the only sentence, float32 [layers, heads, query, key]."""
        maps = self.sentence.attention.maps
        if kind not in maps:
            raise KeyError(f"{kind}: the selection has only {', '.join(maps)}")
        return maps[kind]

    def svg(self) -> str:
        """The picture as SVG, of any size."""
        return svg(lay_out([self.pair], self.selection), f"pellucid-{next(_numbers)}")

    def html(self) -> str:
        """A page with picture and numbers, which needs no other file."""
        return page([self.pair], self.selection)

    def png(self) -> bytes:
        """The picture as PNG.

        Raises:
            PayloadTooLargeError: It would be too large; names a selection that fits.
        """
        from service.inspection.heat_map.png import check_fits, png

        figure = lay_out([self.pair], self.selection)
        check_fits(figure, [self.pair], self.selection)
        return png(figure)

    def npz(self) -> bytes:
        """The arrays as a file for `numpy.load`, with the names of `POST /attention`."""
        return npz([self.pair], is_list=False)

    def save(self, path: str | Path) -> None:
        """Write a file, whose suffix is .svg, .html, .png or .npz.

        Raises:
            InvalidRequestError: It has another suffix.
        """
        path = Path(path)
        writers: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.svg,
            ".html": self.html,
            ".png": self.png,
            ".npz": self.npz,
        }
        if path.suffix.lower() not in writers:
            raise InvalidRequestError(f"{path}: the suffix must be one of {', '.join(writers)}")
        content = writers[path.suffix.lower()]()
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def show(self) -> None:
        """Show the picture: in the notebook, or else as a page in the browser."""
        if "IPython" in sys.modules:
            from IPython import get_ipython
            from IPython.display import display

            if get_ipython() is not None:
                display(self)
                return
        with tempfile.NamedTemporaryFile(suffix=".html", delete=False) as file:
            file.write(self.html().encode())
        if not webbrowser.open(Path(file.name).as_uri()):
            sys.stdout.write(f"no browser was found; the page is {file.name}\n")

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg()}</div>'

    def _repr_png_(self) -> bytes | None:
        try:
            return self.png()
        except PayloadTooLargeError:
            return None
