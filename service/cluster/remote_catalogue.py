"""All bundles that engines elsewhere serve."""

from collections.abc import Sequence

from service.cluster.remote_model import RemoteModel
from service.models.routes import Routes


class RemoteCatalogue:
    """What the door can pass on; the engines are neither started nor stopped from here."""

    def __init__(self, models: Sequence[RemoteModel]) -> None:
        self.models = tuple(models)
        self._by_pair = {
            (pair.source, pair.target): model
            for model in models
            for pair in model.bundle.manifest.pairs
        }
        # Nothing goes from engine to engine, so nothing goes by way of a third language.
        self.routes = Routes(self._by_pair, pivots=False)
        self._is_open = True

    @property
    def is_busy(self) -> bool:
        """Never: sentences are translated elsewhere."""
        return False

    def find(self, source: str, target: str) -> RemoteModel:
        """The model that translates from `source` to `target`, in any case of letters.

        Raises:
            UnsupportedLanguageError: There is none; names the language that is to blame.
        """
        found = self._by_pair.get((source.lower(), target.lower()))
        if found is None:
            raise self.routes.refusal(source, target)
        return found

    def unready_reason(self) -> str | None:
        """Why requests should go elsewhere, None if they should come; asks the engines anew."""
        if not self._is_open:
            return "the service is shutting down"
        for model in self.models:
            model.check()
        faults = [f"{model.name}: {fault}" for model in self.models if (fault := model.fault)]
        return "; ".join(faults) or None

    def start(self) -> None:
        """Nothing: an engine starts itself, and the first probe asks how it is."""

    def close(self) -> None:
        """Send no more requests."""
        self._is_open = False
