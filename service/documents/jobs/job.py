"""A file job as a value, and as what is kept of it on the disk."""

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from pydantic import TypeAdapter

from service.documents.formats import translated_suffix
from service.scheduling.limits import INTERNAL_CLIENT, Client
from service.text.masking.glossary import GlossaryEntry
from service.translation.values import TranslateRequest

FileJobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: frozenset[FileJobState] = frozenset({"done", "failed", "cancelled"})
MIN_JOB_BYTES = 4_096
"""Counted at least per job: its record, and one block of the disk."""
_MAX_NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """How to translate a file; None stands for the bundle's default."""

    source: str
    target: str
    unwrap: bool = False
    beam_size: int | None = None
    length_penalty: float | None = None

    @classmethod
    def of(cls, request: TranslateRequest) -> "FileOptions":
        """Those of a request."""
        return cls(
            source=request.source,
            target=request.target,
            unwrap=request.unwrap,
            beam_size=request.beam_size,
            length_penalty=request.length_penalty,
        )

    def request(self, client: Client) -> TranslateRequest:
        """A request of `client` without texts."""
        return TranslateRequest(
            texts=(),
            source=self.source,
            target=self.target,
            unwrap=self.unwrap,
            beam_size=self.beam_size,
            length_penalty=self.length_penalty,
            with_scores=False,
            is_bounded=False,
            client=client,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job failed."""

    code: str
    """Of the `ServiceError`."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """The state of a job at one moment."""

    id: str
    file_name: str
    """Public name of the translated file: `<id>.<its own name>`."""
    suffix: str
    """Of the file's name: its format."""
    options: FileOptions
    columns: str = ""
    """Of a table, to translate; empty: all."""
    accepted_s: float
    """Wall-clock time of the upload."""
    input_bytes: int
    client: Client = field(default=INTERNAL_CLIENT)
    """Whose job it is; never a key, never an address."""
    key_digest: str = ""
    """SHA-256 of the key that DeepL's clients ask for the job with; empty: the job has none."""
    is_awaited: bool = False
    """Whether a request waits for it: without that request it is of no use."""
    state: FileJobState = "waiting"
    num_strings: int = 0
    num_translated: int = 0
    num_chars: int = 0
    """Of all strings; 0 until the file is parsed."""
    num_translated_chars: int = 0
    failure: JobFailure | None = None
    ended_s: float | None = None
    """Wall-clock time of the end."""
    size_bytes: int = 0
    """Size of the translated file."""

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED

    @property
    def progress(self) -> float:
        """From 0 to 1, by characters: strings differ in size; 1 only if the file exists."""
        if self.state == "done":
            return 1.0
        return min(self.num_translated_chars / self.num_chars, 0.999) if self.num_chars else 0.0

    @property
    def billed_chars(self) -> int:
        """What its key pays: a character a byte, or its text where packed text has more."""
        return max(self.input_bytes, self.num_chars)

    @property
    def stored_bytes(self) -> int:
        """What counts against the limit of stored bytes."""
        return max(self.size_bytes if self.has_ended else self._working_bytes, MIN_JOB_BYTES)

    @property
    def _working_bytes(self) -> int:
        """The file and the result, the strings and their translations; packed text has more."""
        return 2 * self.input_bytes + 2 * self.billed_chars

    @property
    def document_name(self) -> str:
        """A file name by which the format of the file is recognised."""
        return f"document{self.suffix}"


FILE_JOB_JSON = TypeAdapter(FileJob)
"""Serialisation of a job on the disk."""
GLOSSARY_JSON = TypeAdapter(tuple[GlossaryEntry, ...])
"""Serialisation of its glossary: beside the job, which is written every second."""


def translated_name(name: str, target: str) -> str:
    """`book_de.txt` for `book.txt`; safe as a file name and in a header."""
    path = PurePath(name.replace("\\", "/"))
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in path.stem)[:_MAX_NAME_CHARS]
    return f"{stem.strip('.') or 'file'}_{target}{translated_suffix(path.suffix)}"


def suffix_of(name: str) -> str:
    """The suffix of a file name, in lower case."""
    return PurePath(name.replace("\\", "/")).suffix.lower()
