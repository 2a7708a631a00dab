"""Routes between languages: with one model, or with two via a third language."""

from collections.abc import Iterable, Mapping

from service.errors import UnsupportedLanguageError

Direction = tuple[str, str]
"""Source and target, in lower case."""

_ENGLISH = "en"


class Routes:
    """All routes between languages; immutable."""

    def __init__(self, directions: Iterable[Direction], *, pivots: bool) -> None:
        """Find all routes.

        Args:
            directions: Directions with a model, in the order of the bundles.
            pivots: Whether other directions are translated via a third language.
        """
        self._direct = dict.fromkeys(directions)
        self.pivots: Mapping[Direction, str] = _pivots(self._direct) if pivots else {}
        """The third language of each direction without a model of its own."""

    def find(self, source: str, target: str) -> tuple[Direction, ...]:
        """The directions that lead from `source` to `target`, in any case of letters.

        Raises:
            UnsupportedLanguageError: There are none; names the unsupported language.
        """
        wanted = (source.lower(), target.lower())
        if wanted in self._direct:
            return (wanted,)
        if wanted in self.pivots:
            return _via(wanted, self.pivots[wanted])
        raise self.unsupported(source, target)

    def unsupported(self, source: str, target: str) -> UnsupportedLanguageError:
        """The error for a direction without a model of its own."""
        wanted = (source.lower(), target.lower())
        if wanted in self.pivots:
            return _only_via(_via(wanted, self.pivots[wanted]))
        is_source = any(source == wanted[0] for source, _ in self._direct)
        return UnsupportedLanguageError(f"{wanted[is_source]} is not supported")

    def sources_of(self, target: str) -> list[str]:
        """Every language that can be translated to `target`, sorted."""
        target = target.lower()
        return sorted(source for source, reached in self._all() if reached == target)

    def targets_by_source(self) -> dict[str, list[str]]:
        """The languages that each language can be translated to, sorted."""
        targets: dict[str, list[str]] = {}
        for source, target in sorted(self._all()):
            targets.setdefault(source, []).append(target)
        return targets

    def _all(self) -> Iterable[Direction]:
        return (*self._direct, *self.pivots)


def _pivots(direct: Mapping[Direction, object]) -> dict[Direction, str]:
    """The third language of each direction that needs one; English where it has both models."""
    targets_of: dict[str, list[str]] = {}
    sources_of: dict[str, list[str]] = {}
    for source, target in direct:
        targets_of.setdefault(source, []).append(target)
        sources_of.setdefault(target, []).append(source)
    found: dict[Direction, str] = {}
    for pivot in sorted(sources_of, key=lambda language: language != _ENGLISH):
        for source in sources_of[pivot]:
            for target in targets_of.get(pivot, ()):
                if source != target and (source, target) not in direct:
                    found.setdefault((source, target), pivot)
    return found


def _via(wanted: Direction, pivot: str) -> tuple[Direction, ...]:
    return (wanted[0], pivot), (pivot, wanted[1])


def _only_via(steps: tuple[Direction, ...]) -> UnsupportedLanguageError:
    (source, pivot), (_, target) = steps
    return UnsupportedLanguageError(
        f"no model translates {source}->{target} by itself, which attention, scores and prefixes "
        f"need: ask for {source}->{pivot} or {pivot}->{target}, by which its translations come"
    )
