"""File translation: upload, jobs, and download of the result."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import UploadFile

from service.api.auth.repetition import declared_repetition
from service.api.dependencies import FILES_HAVE_ROOM, CallerOf, Parts, PartsOf, path_value
from service.api.native.file_schemas import (
    FileParameters,
    FileReply,
    JobReply,
    job_reply,
    upload_body,
)
from service.api.openapi import REPETITION_PROBLEMS, path_parameter, problems, repeatable
from service.api.replies.json import json_bytes, json_response
from service.api.requests.host_names import is_own_host
from service.api.requests.multipart_form import multipart_form
from service.api.requests.parameters import missing_parameter, parse_parameters
from service.documents.formats import note_on
from service.documents.jobs.file_jobs import Admit
from service.documents.jobs.job import FileJob
from service.errors import InvalidRequestError, PayloadTooLargeError, StorageError
from service.scheduling.limits import Client
from service.translation.values import TranslateRequest

FORM_BYTES = 16_384
"""Allowance for the other fields of a form with a file."""
_MULTIPART = "multipart/form-data"
_MAX_FIELDS = 32

router = APIRouter(tags=["native"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file and the other fields of its form."""

    name: str
    data: bytes
    fields: dict[str, Any]

    def content(self) -> list[bytes]:
        """What the form says, whatever boundary its sender has chosen."""
        fields = json_bytes(sorted(self.fields.items()))
        return [self.name.encode("utf-8", "surrogateescape"), fields, self.data]


async def read_upload(request: Request, max_file_bytes: int) -> Upload:
    """The field `file` of a form, and all other parameters of form and query.

    Raises:
        InvalidRequestError: The body is no multipart form, or has no file.
        PayloadTooLargeError: The file is too large.
        StorageError: The disk has no space for it.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != _MULTIPART:
        raise InvalidRequestError(f"Invalid request: the body's Content-Type must be {_MULTIPART}")
    try:
        async with multipart_form(request, max_fields=_MAX_FIELDS) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise missing_parameter("file")
            data = await file.read()
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
    except OSError:  # very large files are spooled to disk
        raise StorageError("there is no room to receive the file: try again later") from None
    if not file.filename:
        raise InvalidRequestError("Invalid request: empty file")
    if len(data) > max_file_bytes:
        raise PayloadTooLargeError(
            f"the file has {len(data)} bytes; the limit is {max_file_bytes}: send it in parts"
        )
    return Upload(name=file.filename, data=data, fields={**fields, **request.query_params})


async def _upload(request: Request, parts: PartsOf) -> Upload:
    return await read_upload(request, parts.settings.max_file_bytes)


UploadOf = Annotated[Upload, Depends(_upload)]
JobId = Annotated[str, Depends(path_value("id"))]
FileName = Annotated[str, Depends(path_value("name"))]
_JOB_ID = path_parameter("id", "The `id` of a job.")
_FILE_NAME = path_parameter("name", "The end of the address that came with the job.")


@router.post(
    "/translate_file",
    dependencies=[FILES_HAVE_ROOM],
    summary="Translate a file",
    response_model=FileReply,
    responses={
        202: {"model": JobReply, "description": "Accepted: ask for it under the given address."},
        **problems(400, 403, 408, 413, 429, 500, 503, 504),
        **REPETITION_PROBLEMS,
    },
    openapi_extra=repeatable(upload_body()),
)
async def translate_file(
    request: Request, caller: CallerOf, upload: UploadOf, parts: PartsOf
) -> Response:
    """Layout, markup and encoding of the file are kept, but of a PDF; its name says what it is.

    Answers when the file is translated; with `async` at once, with a job to ask for.
    """
    parameters = parse_parameters(FileParameters, upload.fields)
    account = await caller.account(parameters.api_key)
    repetition = await declared_repetition(request, upload.content())
    lifetime_s = parts.settings.file_timeout_s
    charged = account.charged_file(len(upload.data), repetition, lifetime_s=lifetime_s)
    async with charged as charge_text:
        options = _options(parameters, account.client)
        if parameters.glossary:
            pair = options.source, options.target
            terms = await parts.glossaries.named(account.owner, parameters.glossary, pair)
            options = replace(options, glossary=terms)
        work = _translated(parts, upload, options, parameters, charge_text)
        job = await parts.in_flight.run(request, account.client, work)
    if parameters.is_async:
        return _job_response(request, parts, job, HTTPStatus.ACCEPTED)
    reply = FileReply(translatedFileUrl=_url(request, parts, job), note=note_on(job.suffix))
    response = json_response(reply)
    # Lets a load balancer find the replica.
    response.headers["Location"] = _job_url(request, parts, job)
    return response


@router.get(
    "/jobs/{id}",
    summary="How far is a file?",
    response_model=JobReply,
    responses=problems(404),
    openapi_extra=_JOB_ID,
)
async def job(request: Request, job_id: JobId, parts: PartsOf) -> Response:
    """Says why a job failed, and where its file is once it is done."""
    return _job_response(request, parts, await parts.files.find(job_id))


@router.delete(
    "/jobs/{id}",
    summary="Give up a file, or remove it",
    response_model=JobReply,
    responses=problems(404),
    openapi_extra=_JOB_ID,
)
async def cancel_job(request: Request, job_id: JobId, parts: PartsOf) -> Response:
    """Ends the translation, if it has not ended, and removes the translated file."""
    return _job_response(request, parts, await parts.files.cancel(job_id))


@router.get(
    "/download_file/{name}",
    summary="Fetch a translated file",
    response_class=FileResponse,
    responses=problems(404),
    openapi_extra=_FILE_NAME,
)
async def download_file(file_name: FileName, parts: PartsOf) -> Response:
    """Under the address that came with the job or the reply, until its time is over."""
    return file_response(await parts.files.result(file_name), file_name)


async def _translated(
    parts: Parts,
    upload: Upload,
    options: TranslateRequest,
    parameters: FileParameters,
    admit: Admit,
) -> FileJob:
    """The job when it has ended, or with `async` when it is accepted."""
    is_async = parameters.is_async
    accepted = await parts.files.submit(
        upload.name,
        upload.data,
        options,
        columns=parameters.columns,
        is_awaited=not is_async,
        admit=admit,
    )
    return accepted if is_async else await parts.files.finish(accepted.id)


def _options(parameters: FileParameters, client: Client) -> TranslateRequest:
    return TranslateRequest(
        texts=(),
        source=parameters.source,
        target=parameters.target,
        unwrap=parameters.unwrap,
        beam_size=parameters.beam_size,
        length_penalty=parameters.length_penalty,
        with_scores=False,
        is_bounded=False,
        client=client,
    )


def _job_response(
    request: Request, parts: Parts, job: FileJob, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    response = json_response(job_reply(job, _url(request, parts, job)))
    response.status_code = status
    response.headers["Location"] = _job_url(request, parts, job)
    return response


def _job_url(request: Request, parts: Parts, job: FileJob) -> str:
    return _address(request, parts, "job", id=job.id)


def _url(request: Request, parts: Parts, job: FileJob) -> str:
    return _address(request, parts, "download_file", name=quote(job.file_name, safe=""))


def _address(request: Request, parts: Parts, route: str, **values: str) -> str:
    """The address of a route, without the host if the one that was asked for may not be ours."""
    url = request.url_for(route, **values)
    host = request.headers.get("Host", "")
    return str(url) if is_own_host(host, parts.settings.allowed_hosts) else url.path


def file_response(path: Path, file_name: str) -> FileResponse:
    """A translated file as a download, never displayed: the content is not ours.

    Args:
        path: Where it is.
        file_name: Of its job.
    """
    return FileResponse(
        path,
        media_type="application/octet-stream",
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": attachment(file_name.partition(".")[2]),
        },
    )


def attachment(name: str) -> str:
    """The `Content-Disposition` of a download (RFC 6266), with a second name for old clients."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
