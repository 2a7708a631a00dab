"""Jobs as folders on the disk, which replicas may share. Blocks: called in a thread.

    FOLDER/<id>/job.json            the job, replaced as a whole
                input               the file
            glossary            its glossary, if it has one, as it was at the upload
                strings             its strings
                translations.<n>    translations by the n-th owner, as they arrive
                result              the translated file
                owner.<n>           the replica that has the job; the highest n counts
                cancelled           that it was cancelled, maybe by another replica

A job is claimed by creating `owner.<n+1>`, which one replica alone can do. The former owner, if it
lives after all, sees that before it writes the job again.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from service.documents.jobs.job import FILE_JOB_JSON, GLOSSARY_JSON, FileJob
from service.documents.jobs.replicas import Replica
from service.text.masking.glossary import CompiledEntries, GlossaryEntry

_ID = re.compile(r"[0-9a-f]{32}")
_RECORD = "job.json"
_GLOSSARY = "glossary"
_MAX_IDLE_CLAIMS = 10
"""Owners in a row that began to translate a job and did nothing more."""


class JobStore:
    """The jobs in a folder, as one replica sees them."""

    def __init__(self, folder: Path) -> None:
        """Join the replicas of a folder, which must exist.

        Raises:
            OSError: The folder cannot be written.
        """
        self.folder = folder
        self.replica = Replica(folder)

    def close(self) -> None:
        """Leave the jobs to other replicas."""
        self.replica.close()

    def input(self, job_id: str) -> Path:
        """Path of the file to translate."""
        return self.folder / job_id / "input"

    def strings(self, job_id: str) -> Path:
        """Path of its strings."""
        return self.folder / job_id / "strings"

    def result(self, job_id: str) -> Path:
        """Path of the translated file."""
        return self.folder / job_id / "result"

    def translations(self, job_id: str) -> list[Path]:
        """Paths of the translations by all owners, in their order."""
        return [path for _, path in _numbered(self.folder / job_id, "translations")]

    def create(self, job: FileJob, data: bytes, glossary: tuple[GlossaryEntry, ...] = ()) -> None:
        """Keep a new job with its file and its glossary; this replica is its first owner.

        Raises:
            OSError: There is no room for it.
        """
        staged = self.folder / f".{job.id}"
        staged.mkdir(mode=0o700)
        try:
            (staged / "input").write_bytes(data)
            if glossary:
                (staged / _GLOSSARY).write_bytes(GLOSSARY_JSON.dump_json(glossary))
            (staged / _RECORD).write_bytes(FILE_JOB_JSON.dump_json(job))
            (staged / "owner.1").write_text(self.replica.id, encoding="ascii")
            staged.rename(self.folder / job.id)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)
            raise

    def glossary(self, job_id: str) -> CompiledEntries:
        """The glossary of a job; empty if it has none.

        Raises:
            OSError: It cannot be read.
        """
        path = self.folder / job_id / _GLOSSARY
        if not path.exists():
            return CompiledEntries()
        entries = CompiledEntries(GLOSSARY_JSON.validate_json(path.read_bytes()))
        _ = entries.glossary  # compiled here, not on the event loop
        return entries

    def load(self, job_id: str) -> FileJob | None:
        """A job; None if there is none."""
        if not _ID.fullmatch(job_id):
            return None
        try:
            return FILE_JOB_JSON.validate_json((self.folder / job_id / _RECORD).read_bytes())
        except (OSError, ValidationError):
            return None

    def save(self, job: FileJob, number: int) -> bool:
        """Replace what is kept of a job, unless another replica has claimed it meanwhile.

        Raises:
            OSError: There is no room, or the folder is gone.
        """
        folder = self.folder / job.id
        if self._owner(job.id)[0] != number:
            return False
        staged = folder / f".{_RECORD}.{number}"
        staged.write_bytes(FILE_JOB_JSON.dump_json(job))
        staged.replace(folder / _RECORD)
        return True

    def claim(self, job: FileJob) -> int | None:
        """Take over a job whose owner is dead, as its n-th owner; None if that is not possible."""
        number, owner = self._owner(job.id)
        if owner is None or self.replica.is_alive(owner):
            return None
        try:
            with (self.folder / job.id / f"owner.{number + 1}").open("x", encoding="ascii") as file:
                file.write(self.replica.id)
        except OSError:
            return None
        return number + 1

    def is_given_up(self, job_id: str) -> bool:
        """Whether several owners in a row have died over a job without a translation."""
        sizes = [path.stat().st_size for path in self.translations(job_id)[-_MAX_IDLE_CLAIMS:]]
        return len(sizes) == _MAX_IDLE_CLAIMS and not any(sizes)

    def append(self, job_id: str, number: int, line: bytes) -> None:
        """Add translations to those of the n-th owner.

        Raises:
            OSError: There is no room, or the folder is gone.
        """
        with (self.folder / job_id / f"translations.{number:06}").open("ab") as file:
            file.write(line)

    def mark_cancelled(self, job_id: str) -> None:
        """Let the owner of a job, wherever it is, give it up."""
        (self.folder / job_id / "cancelled").touch(mode=0o600)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether a job is to be given up."""
        return (self.folder / job_id / "cancelled").exists()

    def remove_work(self, job_id: str) -> None:
        """Remove all that a job needs only until its end."""
        glossary = self.folder / job_id / _GLOSSARY
        for path in (
            self.input(job_id),
            self.strings(job_id),
            glossary,
            *self.translations(job_id),
        ):
            path.unlink(missing_ok=True)

    def remove_result(self, job_id: str) -> None:
        """Remove the translated file."""
        self.result(job_id).unlink(missing_ok=True)

    def remove(self, job_id: str) -> None:
        """Remove a job with all its files."""
        shutil.rmtree(self.folder / job_id, ignore_errors=True)

    def ids(self) -> Iterator[str]:
        """All jobs, also those that cannot be read."""
        for entry in os.scandir(self.folder):
            if _ID.fullmatch(entry.name):
                yield entry.name

    def remove_older(self, than_s: float) -> None:
        """Remove what is no job (half made, or unreadable) and was not touched since."""
        for entry in os.scandir(self.folder):
            is_ours = _ID.fullmatch(entry.name.removeprefix("."))
            if is_ours and entry.stat().st_mtime < than_s and self.load(entry.name) is None:
                shutil.rmtree(entry.path, ignore_errors=True)

    def _owner(self, job_id: str) -> tuple[int, str | None]:
        """Number and id of the replica that has a job; None: it is about to write its id."""
        owners = _numbered(self.folder / job_id, "owner")
        if not owners:
            return 0, ""
        number, path = owners[-1]
        owner = path.read_text(encoding="ascii")
        return number, None if not owner and self.replica.is_recent(path) else owner


def _numbered(folder: Path, name: str) -> list[tuple[int, Path]]:
    found = []
    for path in folder.glob(f"{name}.*"):
        number = path.name.removeprefix(f"{name}.")
        if number.isdecimal():
            found.append((int(number), path))
    return sorted(found)
