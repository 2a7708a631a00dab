"""How much of a request's texts the parts of a stream have translated."""

from collections.abc import Sequence

from service.translation.values import StreamedSentence


class SourceProgress:
    """Counts source characters, white space between sentences included.

    A sentence counts up to its end in its text. Markup between passages counts by its own length,
    since it comes back as it was; tags within a passage count when their text is finished.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._lengths = [len(text) for text in texts]
        self._index = 0
        self._finished = 0
        """Characters of the texts before."""
        self._end = 0
        """Of the last sentence in this text."""
        self._markup = 0
        """Characters of this text in parts without a sentence."""

    @property
    def num_chars(self) -> int:
        """Characters of all texts that are translated."""
        if self._index >= len(self._lengths):
            return self._finished
        return self._finished + min(self._lengths[self._index], self._end + self._markup)

    def add(self, part: StreamedSentence) -> None:
        """Count a part; parts come in order."""
        while self._index < part.text_index:
            self._finish_text()
        if part.sentences:
            self._end = max(self._end, part.sentences[-1].source_span[1])
        else:
            self._markup += len(part.text)

    def _finish_text(self) -> None:
        self._finished += self._lengths[self._index]
        self._index += 1
        self._end = self._markup = 0
