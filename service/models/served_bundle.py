"""A bundle that requests may name, and the model that runs it while it is loaded."""

from dataclasses import dataclass

from bundle.reader import Bundle
from service.models.loaded_model import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailure:
    """Why a bundle could not be loaded, and when it is tried again."""

    reason: str
    pause_s: float
    """Between this attempt and the next one."""
    retry_s: float
    """The moment of the next one, on the clock."""


@dataclass(slots=True, kw_only=True, eq=False)
class ServedBundle:
    """Compared by identity; changed by its residency alone, under the lock of that."""

    bundle: Bundle
    """Described by its manifest; the model has its own, with tokenizer and files."""
    model: LoadedModel | None = None
    """None: not loaded."""
    starting: LoadedModel | None = None
    """What is about to be `model`."""
    is_loading: bool = False
    is_unloading: bool = False
    is_wanted_elsewhere: bool = False
    """Whether its memory is needed for a request that waits: later requests wait behind that."""
    is_removed: bool = False
    """Whether it is no longer served."""
    num_claims: int = 0
    """Requests that need it, or wait for it to be loaded."""
    used_s: float = 0.0
    """When a request last let go of it, on the clock."""
    size_bytes: int = 0
    """Memory that it takes while it is loaded: as measured, before that as estimated."""
    failure: LoadFailure | None = None
    """Of the last attempt to load it; None: it succeeded."""

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.bundle.manifest.name

    @property
    def fault(self) -> str | None:
        """Why it cannot serve, as last seen; None if it can, or has not been needed yet."""
        if (model := self.model) is not None:
            return model.fault
        return None if self.failure is None else self.failure.reason

    @property
    def is_resident(self) -> bool:
        """Whether it takes memory."""
        return self.model is not None or self.is_loading or self.is_unloading
