"""Routes between languages: with one model, or with two via a third language."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from bundle.languages import Direction, best_direction, best_match, closeness
from service.errors import UnsupportedLanguageError

_ENGLISH = "en"
_MAX_REMEMBERED = 1024
"""Spellings of directions whose meaning is remembered."""


class Routes:
    """All routes between languages; immutable."""

    def __init__(self, directions: Iterable[Direction], *, pivots: bool) -> None:
        """Find all routes.

        Args:
            directions: Directions with a model, in lower case, in the order of the bundles.
            pivots: Whether other directions are translated via a third language.
        """
        self._direct = dict.fromkeys(directions)
        self.pivots: Mapping[Direction, str] = _pivots(self._direct) if pivots else {}
        """The third language of each direction without a model of its own."""
        self._resolve = lru_cache(maxsize=_MAX_REMEMBERED)(self._best)

    def find(self, source: str, target: str) -> tuple[Direction, ...]:
        """The directions that lead from `source` to `target`, tags however they are spelt.

        Raises:
            UnsupportedLanguageError: There are none; names the unsupported language.
        """
        found = self._resolve(source.lower(), target.lower())
        if found is None:
            raise self.unsupported(source, target)
        return (found,) if found in self._direct else _via(found, self.pivots[found])

    def direct(self, source: str, target: str) -> Direction:
        """The direction with a model of its own that fits best.

        Raises:
            UnsupportedLanguageError: There is none; names the unsupported language.
        """
        wanted = (source.lower(), target.lower())
        if wanted in self._direct:
            return wanted
        if (found := self._resolve(*wanted)) not in self._direct:
            raise self.unsupported(source, target)
        return found

    def unsupported(self, source: str, target: str) -> UnsupportedLanguageError:
        """The error for a direction without a model of its own; says what there is."""
        found = self._resolve(source.lower(), target.lower())
        if found is not None and found in self.pivots:
            return _only_via(_via(found, self.pivots[found]))
        targets = self.targets_by_source()
        if source.lower() == "auto":
            return self._unsupported_auto(target)
        if (known := best_match(source, targets)) is None:
            served = ", ".join(targets) or "nothing"
            return UnsupportedLanguageError(
                f"{source.lower()} is not supported: this server translates from {served}"
            )
        served = ", ".join(targets[known])
        return UnsupportedLanguageError(
            f"{target.lower()} is not supported: this server translates from {known} to {served}"
        )

    def _unsupported_auto(self, target: str) -> UnsupportedLanguageError:
        sources = self.sources_of(target)
        if not sources:
            return self.unsupported_target(target)
        return UnsupportedLanguageError(
            "auto is not supported here, where a translation is given: name the source "
            f"language, one of {', '.join(sources)}"
        )

    def unsupported_target(self, target: str) -> UnsupportedLanguageError:
        """The error for a language that nothing is translated to; says what there is."""
        served = ", ".join(sorted({reached for _, reached in self._all()})) or "nothing"
        return UnsupportedLanguageError(
            f"{target.lower()} is not supported: this server translates to {served}"
        )

    def served_target(self, target: str) -> str | None:
        """The language that is meant by `target`, as the bundles write it; None: there is none."""
        return best_match(target, sorted({reached for _, reached in self._all()}))

    def sources_of(self, target: str) -> list[str]:
        """Every language that can be translated to `target`, sorted."""
        return sorted(
            {source for source, reached in self._all() if closeness(target, reached) is not None}
        )

    def targets_by_source(self) -> dict[str, list[str]]:
        """The languages that each language can be translated to, sorted."""
        targets: dict[str, list[str]] = {}
        for source, target in sorted(self._all()):
            targets.setdefault(source, []).append(target)
        return targets

    def _best(self, source: str, target: str) -> Direction | None:
        """The served direction that is meant: as named, else the closest, with one model first."""
        wanted = (source, target)
        if wanted in self._direct or wanted in self.pivots:
            return wanted
        direct = best_direction(source, target, self._direct)
        return direct or best_direction(source, target, self.pivots)

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
