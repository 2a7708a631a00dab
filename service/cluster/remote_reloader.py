"""A reload, asked of a door: refused, because who runs the engines replaces them."""

from concurrent.futures import Future

from service.errors import ReloadRefusedError
from service.models.reload import Reload


class RemoteReloader:
    """Says where bundles are replaced."""

    def request(self) -> Future[Reload]:
        """Ask in vain.

        Raises:
            ReloadRefusedError: Always.
        """
        raise ReloadRefusedError("the engines belong to a cluster: deploy it with the new bundles")

    def close(self) -> None:
        """There is nothing to stop."""
