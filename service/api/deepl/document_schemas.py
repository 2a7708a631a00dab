"""Requests with a document, and replies about it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from service.api.deepl.schemas import (
    DeeplParameters,
    Formality,
    GlossaryId,
    GlossaryIds,
    Unsupported,
    check_glossary_fields,
    known_formality,
)
from service.api.native.file_schemas import MULTIPART, add_file_field
from service.api.openapi import request_body
from service.api.replies.json import Reply
from service.api.requests.schemas import LanguageCode
from service.documents.jobs.job import FileJob, FileJobState

DocumentStatus = Literal["queued", "translating", "done", "error"]
MAX_DOCUMENT_KEY_CHARS = 200
"""More than any key has."""
_STATUS: dict[FileJobState, DocumentStatus] = {
    "waiting": "queued",
    "running": "translating",
    "done": "done",
    "failed": "error",
    "cancelled": "error",
}


class DocumentParameters(DeeplParameters):
    """What `POST /v2/document` takes beside the file. Unknown parameters are ignored."""

    target_lang: LanguageCode
    """Such as `DE` or `EN-GB`; regions that no model knows do not count."""
    source_lang: LanguageCode | None = None
    """If absent, the document's language is found out."""
    filename: str | None = None
    """Name of the file, if its upload has none; the suffix is its format."""
    output_format: str | None = None
    """The suffix of the file; others are refused."""
    formality: Annotated[Formality, BeforeValidator(known_formality)] = "default"
    """`more` and `less` are refused, `prefer_more` and `prefer_less` change nothing."""
    glossary_id: GlossaryId | None = None
    """A glossary of the key or of the server; needs `source_lang`."""
    glossary_ids: GlossaryIds = ()
    """Several, instead of `glossary_id`, separated by commas."""
    style_id: Unsupported = None
    """Refused."""
    translation_memory_id: Unsupported = None
    """Refused."""
    auth_key: Any = ""
    """A key, where the server asks for one. Each byte of the file counts as a character."""

    @property
    def glossaries(self) -> tuple[str, ...]:
        """Ids of the glossaries that are asked for."""
        return (self.glossary_id, *self.glossary_ids) if self.glossary_id else self.glossary_ids

    @model_validator(mode="after")
    def _glossaries_know_their_source(self) -> Self:
        check_glossary_fields(self.glossary_id, self.glossary_ids, self.source_lang)
        return self


class DocumentKeyParameters(DeeplParameters):
    """What asking for a document takes. Unknown parameters are ignored."""

    document_key: Annotated[str, Field(max_length=MAX_DOCUMENT_KEY_CHARS)]
    """The key that came with the upload's reply."""
    auth_key: Any = ""
    """A key, where the server asks for one."""


class DocumentReply(Reply):
    """A document is accepted."""

    document_id: str
    """Names the document in later requests."""
    document_key: str
    """Goes with the id: keep it."""


class DocumentStatusReply(Reply):
    """How a document stands."""

    document_id: str
    """Names the document in later requests."""
    status: DocumentStatus
    """`queued`, `translating`, `done` or `error`."""
    seconds_remaining: int | None = None
    """An estimate, while it is translated."""
    billed_characters: int | None = None
    """Characters of the document, once it is done."""
    error_message: str | None = None
    """Why it failed."""


def status_reply(job: FileJob, now_s: float) -> DocumentStatusReply:
    """How a document stands.

    Args:
        job: Its job.
        now_s: Wall-clock time, seconds.
    """
    status = _STATUS[job.state]
    return DocumentStatusReply(
        document_id=job.id,
        status=status,
        seconds_remaining=_seconds_remaining(job, now_s) if status == "translating" else None,
        billed_characters=job.billed_chars if status == "done" else None,
        error_message=job.failure.message if status == "error" and job.failure else None,
    )


def document_body() -> dict[str, Any]:
    """`openapi_extra` of a route that takes a document with `DocumentParameters`."""
    example = {"file": "manual.html", "target_lang": "DE"}
    return add_file_field(request_body(DocumentParameters, MULTIPART, example=example))


def _seconds_remaining(job: FileJob, now_s: float) -> int | None:
    """As long as the rest takes at the pace so far; unknown before the first strings are done."""
    if not job.progress:
        return None
    return round((now_s - job.accepted_s) * (1 - job.progress) / job.progress)
