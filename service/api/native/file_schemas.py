"""Requests with a file, and replies about file jobs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.api.openapi import request_body
from service.api.replies.json import Reply
from service.api.requests.schemas import BeamSize, LanguageCode, LengthPenalty, StoredGlossaryName
from service.documents.formats import FORMATS, note_on
from service.documents.jobs.job import FileJob, FileJobState

MULTIPART = "multipart/form-data"

_NAMED = {
    "description": "Its name says what kind of file it is.",
    "schema": {"type": "string"},
    "example": 'form-data; name="file"; filename="manual.html"',
}


class FileParameters(BaseModel):
    """What `POST /translate_file` takes beside the file. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    source: LanguageCode = "auto"
    """Language of the file; `auto`, or nothing: it is detected."""
    target: LanguageCode
    """Language to translate to."""
    api_key: Any = ""
    """A key, where the server has any; `Authorization: Bearer KEY` does as well. Each byte of the
    file counts as a character."""
    is_async: bool = Field(default=False, alias="async")
    """Answer at once with 202 and a job."""
    unwrap: bool = False
    """Line breaks within a paragraph of a `.txt` are only where the line was full."""
    glossary: StoredGlossaryName | None = None
    """A stored glossary of the key or of the server, by its name or id."""
    columns: str = Field(default="", max_length=1_000)
    """Columns of a `.csv` or `.tsv` to translate: names from its first row, or numbers from 1, with
    commas between; all of them if empty. The first row is kept unless only numbers are given."""
    beam_size: BeamSize | None = None
    """Hypotheses that are kept alive; 1 is greedy search. The bundle's default if absent."""
    length_penalty: LengthPenalty | None = None
    """Alpha of Wu et al. (2016). The bundle's default if absent."""


class FileReply(Reply):
    """A file is translated."""

    translatedFileUrl: str  # noqa: N815 - LibreTranslate's name
    """Where the file is, for a while."""
    note: str | None = None
    """What the translated file does not keep: the layout of a `.pdf`."""


class JobReply(Reply):
    """How a file stands."""

    id: str
    """For `/jobs/{id}`."""
    status: FileJobState
    """How far it is, or how it ended."""
    progress: float
    """From 0 to 1; 1 when the file is there."""
    strings: int
    """What is to translate: paragraphs, subtitles, messages, values."""
    translated: int
    """How many of them are done."""
    translatedFileUrl: str | None = None  # noqa: N815 - LibreTranslate's name
    """Where the file is, once `status` is `done`."""
    note: str | None = None
    """What the translated file does not keep: the layout of a `.pdf`."""
    error: str | None = None
    """Why it failed."""
    code: str | None = None
    """The stable word for `error`."""


def job_reply(job: FileJob, url: str) -> JobReply:
    """The state of a job; `url` is where its translated file will be."""
    failure = job.failure if job.state == "failed" else None
    return JobReply(
        id=job.id,
        status=job.state,
        progress=round(job.progress, 3),
        strings=job.num_strings,
        translated=job.num_translated,
        translatedFileUrl=url if job.state == "done" else None,
        note=note_on(job.suffix),
        error=None if failure is None else failure.message,
        code=None if failure is None else failure.code,
    )


def upload_body() -> dict[str, Any]:
    """`openapi_extra` of a route that takes a file with `FileParameters`."""
    body = request_body(
        FileParameters,
        MULTIPART,
        example={"file": "manual.html", "source": "en", "target": "de"},
    )
    return add_file_field(body)


def add_file_field(
    body: dict[str, Any], described: str = f"The file: {', '.join(FORMATS)}."
) -> dict[str, Any]:
    """`openapi_extra` of a form, with a field `file`."""
    content = body["requestBody"]["content"][MULTIPART]
    content["encoding"] = {"file": {"headers": {"Content-Disposition": _NAMED}}}
    schema = content["schema"]
    schema["properties"]["file"] = {
        "type": "string",
        "format": "binary",
        "description": described,
    }
    schema["required"].append("file")
    return body
