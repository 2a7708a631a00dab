"""Requests of mixed traffic, the same in every run."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request and its expected status."""

    path: str
    content: object
    expected_status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Generates calls of one direction."""

    sentences: Sequence[str]
    source: str
    target: str

    def single(self, seed: int) -> Iterator[Call]:
        """An endless sequence of single sentences."""
        chance = random.Random(seed)
        while True:
            yield self._translate(chance.choice(self.sentences))

    def mixed(self, seed: int) -> Iterator[Call]:
        """An endless mix of sentences, paragraphs, lists, beams, attention and mistakes."""
        chance = random.Random(seed)
        kinds = (self._sentence, self._paragraph, self._list, self._beam, self._attention)
        while True:
            kind = chance.choices((*kinds, self._mistake), weights=(60, 15, 10, 5, 5, 5))[0]
            yield kind(chance)

    def _sentence(self, chance: random.Random) -> Call:
        return self._translate(chance.choice(self.sentences))

    def _paragraph(self, chance: random.Random) -> Call:
        return self._translate(" ".join(chance.choices(self.sentences, k=6)))

    def _list(self, chance: random.Random) -> Call:
        return self._translate(chance.choices(self.sentences, k=8))

    def _beam(self, chance: random.Random) -> Call:
        extras = {"beam_size": 4, "alternatives": 2, "details": True}
        return self._translate(chance.choice(self.sentences), **extras)

    def _attention(self, chance: random.Random) -> Call:
        call = self._translate(chance.choice(self.sentences))
        return Call(path="/attention", content=call.content)

    def _mistake(self, chance: random.Random) -> Call:
        wrong = {"q": chance.choice(self.sentences), "source": self.source, "target": "zz"}
        return Call(path="/translate", content=wrong, expected_status=400)

    def _translate(self, q: str | list[str], **extras: object) -> Call:
        content = {"q": q, "source": self.source, "target": self.target, **extras}
        return Call(path="/translate", content=content)
