"""The folder of file jobs: opened at the first use; a temporary one, or one that stays."""

import asyncio
import shutil
import tempfile
from functools import partial
from pathlib import Path

from service.documents.jobs.job_run import DiskThread
from service.documents.jobs.job_store import JobStore
from service.documents.jobs.outcome import reported_error
from service.documents.jobs.survey import TEMPORARY, remove_abandoned


class JobFolder:
    """Opens the store of jobs; for one event loop."""

    def __init__(self, disk: DiskThread, folder: Path | None, temporary_in: Path | None) -> None:
        """Open nothing yet.

        Args:
            disk: Calls what uses the disk.
            folder: Where jobs are kept; None: a temporary folder, removed by `close`.
            temporary_in: Parent of a temporary folder; None: the system's.
        """
        self._disk = disk
        self._folder = folder
        self._temporary_in = temporary_in or Path(tempfile.gettempdir())
        self._opening = asyncio.Lock()
        self.opened: JobStore | None = None
        """The store, once it has been asked for."""

    @property
    def is_kept(self) -> bool:
        """Whether the jobs survive this process."""
        return self._folder is not None

    async def store(self) -> JobStore:
        """The store, opened if it is not.

        Raises:
            StorageError: The folder cannot be written.
        """
        async with self._opening:
            if self.opened is None:
                try:
                    self.opened = await self._disk(self._open)
                except OSError as error:
                    raise reported_error(error) from None
            return self.opened

    async def remove_abandoned(self) -> None:
        """Remove the temporary folders of processes that were killed."""
        await self._disk(partial(remove_abandoned, self._temporary_in))

    async def close(self) -> None:
        """Close the store, and remove a temporary folder."""
        if self.opened is None:
            return
        await self._disk(self.opened.close)
        if not self.is_kept:
            await self._disk(partial(shutil.rmtree, self.opened.folder, ignore_errors=True))

    def _open(self) -> JobStore:
        if self._folder is None:
            return JobStore(Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self._temporary_in)))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return JobStore(self._folder)
