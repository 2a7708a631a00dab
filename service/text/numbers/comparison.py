"""Which numbers of a text came through a translation, and which changed."""

from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from service.text.numbers.finder import find_values
from service.text.numbers.values import Code, Number, Time, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The values of a text and of its translation."""

    kept: tuple[tuple[Value, Value], ...]
    """A value of the text with the same value of the translation."""
    lost: tuple[Value, ...]
    """Of the text, by position."""
    added: tuple[Value, ...]
    """Of the translation, by position."""

    def changed(self) -> list[tuple[Value, Value]]:
        """Lost values with the added ones that they became.

        Values of the same digits belong together, and so do the only two that remain.
        """
        by_digits: dict[str, deque[Value]] = defaultdict(deque)
        for value in self.added:
            by_digits[_digits(value)].append(value)
        pairs = []
        for value in self.lost:
            same = by_digits[_digits(value)]
            if same:
                pairs.append((value, same.popleft()))
        lost = _without(self.lost, [old for old, _ in pairs])
        added = _without(self.added, [new for _, new in pairs])
        return sorted([*pairs, *_remaining(lost, added)], key=lambda pair: pair[0].start)


def compare(source: str, target: str, source_language: str, target_language: str) -> Comparison:
    """Compares the numbers, dates and times of a text with those of its translation.

    The order does not matter. Values written in other ways are the same: `1,234.50` and
    `1.234,50`, `5 pm` and `17 Uhr`.
    """
    if not any(map(str.isdecimal, source)) and not any(map(str.isdecimal, target)):
        return Comparison(kept=(), lost=(), added=())
    return compare_values(
        find_values(source, source_language), find_values(target, target_language)
    )


def compare_values(sources: Sequence[Value], targets: Sequence[Value]) -> Comparison:
    """Compares values: those with a common meaning first, then those with the same digits."""
    free: dict[str, list[int]] = defaultdict(list)
    for index in reversed(range(len(targets))):
        for key in targets[index].keys():  # noqa: SIM118
            free[key].append(index)
    taken: set[int] = set()
    kept: list[tuple[Value, Value]] = []
    lost: list[Value] = []
    for value in sources:
        found = _take(free, sorted(value.keys()), taken)
        if found is None:
            lost.append(value)
        else:
            kept.append((value, targets[found]))
    added = [value for index, value in enumerate(targets) if index not in taken]
    return Comparison(
        kept=tuple(kept),
        lost=tuple(_unexplained(lost, targets)),
        added=tuple(_unexplained(added, sources)),
    )


def _take(free: dict[str, list[int]], keys: Sequence[str], taken: set[int]) -> int | None:
    """The first target with one of `keys` that is not taken; takes it."""
    for key in keys:
        indices = free.get(key, [])
        while indices and indices[-1] in taken:
            indices.pop()
        if indices:
            taken.add(indices[-1])
            return indices.pop()
    return None


def _unexplained(values: Sequence[Value], others: Sequence[Value]) -> list[Value]:
    """Values that the other side neither says in another form, nor more often."""
    if not values:
        return []
    known = frozenset(part for value in others for part in value.parts())
    loose = frozenset(part for value in others if _is_loose(value) for part in value.parts())
    return [value for value in values if not _is_among(value, known if _is_loose(value) else loose)]


def _is_loose(value: Value) -> bool:
    """Whether it has no more meaning than its digits; a date or a time must be the same one."""
    return isinstance(value.meaning, Number | Code)


def _is_among(value: Value, known: Collection[str]) -> bool:
    """Whether the numbers of a value are all among those of the other side."""
    meaning = value.meaning
    if isinstance(meaning, Number):
        return any(part in known for part in value.parts())
    if isinstance(meaning, Time):
        is_minute_known = not meaning.minute or str(meaning.minute) in known
        return is_minute_known and any(hour in known for hour in meaning.hours())
    return all(part in known for part in meaning.parts())


def _digits(value: Value) -> str:
    meaning = value.meaning
    if isinstance(meaning, Number):
        return meaning.whole + meaning.fraction
    if isinstance(meaning, Code):
        return "".join(filter(str.isdecimal, meaning.text))
    return "".join(meaning.parts())


def _without(values: Sequence[Value], others: Sequence[Value]) -> list[Value]:
    spans = {(value.start, value.end) for value in others}
    return [value for value in values if (value.start, value.end) not in spans]


def _remaining(lost: Sequence[Value], added: Sequence[Value]) -> list[tuple[Value, Value]]:
    """The only lost and the only added value of a kind."""
    pairs = []
    for kind in {type(value.meaning) for value in lost}:
        old = [value for value in lost if type(value.meaning) is kind]
        new = [value for value in added if type(value.meaning) is kind]
        if len(old) == len(new) == 1:
            pairs.append((old[0], new[0]))
    return pairs
