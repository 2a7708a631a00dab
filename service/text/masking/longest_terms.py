"""Finds the longest of many terms at each word of a text, in time linear in the text."""

from collections.abc import Iterable, Sequence

Words = tuple[str, ...]
"""The words of a term, casefolded; a punctuation mark is a word, white space is not."""


class LongestTerms:
    """The automaton of Aho and Corasick (1975) over words, fed from the end of a text.

    Read backwards, what begins at a word is what ends there: the state behind each word knows the
    longest term that begins at it. Following and falling back cost at most two look-ups a word.
    """

    def __init__(self, terms: Iterable[Words]) -> None:
        """Builds the automaton; the cost is linear in the words of all terms.

        Args:
            terms: None of them empty.
        """
        self._numbers: dict[str, int] = {}
        """The number of each word of a term, from 1."""
        backwards = [[self._number(word) for word in reversed(term)] for term in terms]
        self._width = len(self._numbers) + 1
        self._next: dict[int, int] = {}
        """The following state, by `state * width + word`: smaller than a dict for each state."""
        self._longest = [0]
        """Words of the longest term that begins where a state has read to, by state; 0: none."""
        for term in backwards:
            self._add(term)
        self._fallback = [0] * len(self._longest)
        """The state of the longest shorter suffix of what was read that is known, by state."""
        self._link(backwards)

    def lengths(self, words: Sequence[str]) -> list[int]:
        """Words of the longest term that begins at each of `words`; 0 where none does."""
        lengths = [0] * len(words)
        state = 0
        for index in range(len(words) - 1, -1, -1):
            state = self._following(state, self._numbers.get(words[index], 0))
            lengths[index] = self._longest[state]
        return lengths

    def _number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers) + 1)

    def _add(self, term: Sequence[int]) -> None:
        state = 0
        for word in term:
            following = self._next.setdefault(state * self._width + word, len(self._longest))
            if following == len(self._longest):
                self._longest.append(0)
            state = following
        self._longest[state] = len(term)

    def _following(self, state: int, word: int) -> int:
        while (following := self._next.get(state * self._width + word)) is None:
            if not state:
                return 0
            state = self._fallback[state]
        return following

    def _link(self, terms: Sequence[Sequence[int]]) -> None:
        """Sets the fallbacks by depth: they are less deep than their states."""
        reached = [(term, 0) for term in terms]
        depth = 0
        while reached:
            reached = [
                (term, self._linked(state, term[depth]))
                for term, state in reached
                if depth < len(term)
            ]
            depth += 1

    def _linked(self, state: int, word: int) -> int:
        """The state behind `word`, which gets its fallback."""
        following = self._next[state * self._width + word]
        if state:
            fallback = self._following(self._fallback[state], word)
            self._fallback[following] = fallback
            self._longest[following] = self._longest[following] or self._longest[fallback]
        return following
