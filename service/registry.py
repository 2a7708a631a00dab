"""Which model serves which pair: opens bundles, starts what runs them, knows if they are well."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bundle.errors import InvalidBundleError
from bundle.manifest import MANIFEST_NAME, LanguagePair
from bundle.reader import Bundle, read_bundle
from service.admission import Clock
from service.canary import Canary
from service.engine.sessions import Sessions, check_attention, open_sessions
from service.errors import StartupError, UnsupportedLanguageError
from service.scheduler import Scheduler, SchedulerOptions
from service.telemetry import Metrics

_CANARY_START_S = 30.0
"""How long a start waits for the first canary; after that the service starts unready."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """How every bundle is run."""

    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    threads_per_worker: int = 1
    """Threads within one operator; with several workers 1 is fastest."""
    canary_interval_s: float = 60.0
    max_silence_s: float = 10.0
    """A worker that has not come round for this long is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A bundle with everything that runs it."""

    bundle: Bundle
    sessions: Sessions
    scheduler: Scheduler
    canary: Canary
    options: RegistryOptions

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.manifest.name

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can."""
        if not self.scheduler.is_alive(self.options.max_silence_s):
            return f"no heart-beat for {self.options.max_silence_s:g} s"
        return self.canary.fault


class Registry:
    """All models of the process."""

    def __init__(self, models: Sequence[LoadedModel]) -> None:
        self.models = tuple(models)
        self._by_pair = {
            (pair.source, pair.target): (model, pair)
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        self._is_draining = False

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        options: RegistryOptions,
        metrics: Metrics,
        clock: Clock = time.monotonic,
    ) -> "Registry":
        """Verify and load bundles; nothing runs before `start`.

        Args:
            paths: Bundle folders, or folders of bundle folders.
            options: How to run them.
            metrics: Receives what is measured.
            clock: Monotonic, seconds.

        Raises:
            StartupError: With every fault of every bundle.
        """
        faults: list[str] = []
        opened = list(_open_bundles(paths, options, faults))
        faults += _duplicate_faults([sessions.bundle for sessions in opened])
        if faults:
            raise StartupError("; ".join(faults))
        return cls([_load(sessions, options, metrics, clock) for sessions in opened])

    def start(self) -> None:
        """Start the workers and translate every canary once."""
        for model in self.models:
            model.scheduler.start()
            model.canary.check()
        for model in self.models:
            model.canary.wait(_CANARY_START_S)

    def find(self, source: str, target: str) -> tuple[LoadedModel, LanguagePair]:
        """The model that translates from `source` to `target`, in any case of letters.

        Raises:
            UnsupportedLanguageError: There is none; names the language that is to blame.
        """
        source, target = source.lower(), target.lower()
        found = self._by_pair.get((source, target))
        if found is None:
            is_source = any(pair_source == source for pair_source, _ in self._by_pair)
            raise UnsupportedLanguageError(f"{target if is_source else source} is not supported")
        return found

    def unready_reason(self) -> str | None:
        """Why requests should go elsewhere, None if they should come; asks for fresh canaries."""
        if self._is_draining:
            return "the service is shutting down"
        for model in self.models:
            model.canary.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def drain(self, timeout_s: float) -> bool:
        """Accept nothing more and wait until all that was accepted has ended.

        Returns:
            Whether that took less than `timeout_s` seconds.
        """
        self._is_draining = True
        for model in self.models:
            model.scheduler.drain(0)  # all stop accepting before any is waited for
        until_s = time.monotonic() + timeout_s
        remaining = (max(0.0, until_s - time.monotonic()) for _ in self.models)
        return all(m.scheduler.drain(t) for m, t in zip(self.models, remaining, strict=True))

    def close(self) -> None:
        """Stop everything; whatever is left ends with an error."""
        self._is_draining = True
        for model in self.models:
            model.scheduler.close()


def _open_bundles(
    paths: Sequence[Path], options: RegistryOptions, faults: list[str]
) -> Iterator[Sessions]:
    for folder in _bundle_folders(paths, faults):
        try:
            bundle = read_bundle(folder)
            sessions = open_sessions(bundle, num_threads=options.threads_per_worker)
            check_attention(sessions)
        except InvalidBundleError as error:
            faults.append(str(error))
        except OSError as error:
            faults.append(f"{folder} cannot be read: {error.strerror}")
        else:
            yield sessions


def _bundle_folders(paths: Sequence[Path], faults: list[str]) -> list[Path]:
    """Every bundle folder once, in the order given."""
    folders: dict[Path, None] = {}
    for path in paths:
        try:
            found = _folders_at(path)
        except OSError as error:
            faults.append(f"{path} cannot be read: {error.strerror}")
            continue
        if not found:
            problem = "no bundle in it" if path.is_dir() else "there is no such folder"
            faults.append(f"{path}: {problem}; give a folder with a {MANIFEST_NAME}, or one above")
        folders.update((folder.resolve(), None) for folder in found)
    return list(folders)


def _folders_at(path: Path) -> list[Path]:
    if (path / MANIFEST_NAME).exists():
        return [path]
    if not path.is_dir():
        return []
    below = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = [p for p in below if (p / MANIFEST_NAME).exists()]
    for folder in sorted(set(below) - set(found)):
        _log.warning("folder is no bundle", extra={"folder": str(folder)})
    return found


def _duplicate_faults(bundles: Sequence[Bundle]) -> list[str]:
    first: dict[tuple[str, str], Bundle] = {}
    faults = []
    for bundle in bundles:
        for pair in bundle.manifest.pairs:
            other = first.setdefault((pair.source, pair.target), bundle)
            if other is not bundle:
                both = f"{other.path} and {bundle.path}"
                faults.append(f"{pair} is translated by both {both}: leave one out")
    return faults


def _load(
    sessions: Sessions, options: RegistryOptions, metrics: Metrics, clock: Clock
) -> LoadedModel:
    bundle = sessions.bundle
    try:
        scheduler = Scheduler(sessions, options.scheduler, metrics, clock)
    except ValueError as error:
        raise StartupError(str(error)) from error
    canary = Canary(bundle, scheduler, metrics, interval_s=options.canary_interval_s, clock=clock)
    _announce(bundle, metrics)
    return LoadedModel(
        bundle=bundle, sessions=sessions, scheduler=scheduler, canary=canary, options=options
    )


def _announce(bundle: Bundle, metrics: Metrics) -> None:
    manifest = bundle.manifest
    labels = {
        "name": manifest.name,
        "pairs": ",".join(str(pair) for pair in manifest.pairs),
        "precision": manifest.precision,
        "sha256": bundle.sha256,
    }
    metrics.model_info.labels(**labels).set(1)
    _log.info("model loaded", extra={"model": manifest.name, "folder": str(bundle.path)})
