"""Which processes that share a folder are alive.

Each holds a file below `.replicas` that is locked and touched while it lives. The kernel drops the
lock with the process, which others on the same kernel see at once; on another machine, where a
lock may mean nothing, the age of the file counts, by the clock of the file system.
"""

import fcntl
import os
import uuid
import weakref
from pathlib import Path

BEAT_S = 2.0
"""How often a replica touches its file."""
_EXPIRED_S = 15.0
"""A replica of another machine that touched nothing for so long is dead."""
_FOLDER = ".replicas"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Replica:
    """This process among those that share a folder."""

    def __init__(self, folder: Path) -> None:
        """Register with the others.

        Raises:
            OSError: The folder cannot be written.
        """
        self.id = uuid.uuid4().hex
        self._kernel = _kernel()
        self._folder = folder / _FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._path = self._folder / self.id
        # Under another name until it is locked: unlocked it would pass for dead.
        staged = self._folder / f".{self.id}"
        self._file = staged.open("w", encoding="ascii")
        self._file.write(self._kernel)
        self._file.flush()
        # Where nothing closes it, it is dead once nothing uses it.
        self._end = weakref.finalize(self, self._file.close)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        staged.replace(self._path)

    def beat(self) -> None:
        """Be seen alive by replicas of other machines."""
        os.utime(self._file.fileno())

    def is_alive(self, replica_id: str) -> bool:
        """Whether another replica runs, or this is its id."""
        if replica_id == self.id:
            return True
        if not replica_id:
            return False
        path = self._folder / replica_id
        try:
            with path.open(encoding="ascii") as file:
                if file.read() == self._kernel:
                    return _is_locked(file.fileno())
                return self.is_recent(path)
        except OSError:
            return False

    def is_recent(self, path: Path) -> bool:
        """Whether a file was touched lately, by the clock of the file system.

        Raises:
            OSError: There is no such file.
        """
        return os.fstat(self._file.fileno()).st_mtime - path.stat().st_mtime < _EXPIRED_S

    def remove_dead(self) -> None:
        """Remove the files of replicas that are dead."""
        for path in self._folder.iterdir():
            if not path.name.startswith(".") and not self.is_alive(path.name):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Be dead to the others from now on."""
        self._path.unlink(missing_ok=True)
        self._end()


def is_abandoned(folder: Path) -> bool:
    """Whether all replicas that used a folder of this machine are dead."""
    replicas = [path for path in (folder / _FOLDER).glob("[!.]*") if path.is_file()]
    return bool(replicas) and not any(map(_is_locked_file, replicas))


def _is_locked_file(path: Path) -> bool:
    try:
        with path.open(encoding="ascii") as file:
            return _is_locked(file.fileno())
    except OSError:
        return False


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _kernel() -> str:
    """Names the running kernel; unique where it does not say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid.uuid4().hex
