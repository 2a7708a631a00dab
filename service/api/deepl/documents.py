"""Routes of documents, as DeepL's official clients upload, ask for and fetch them."""

import hashlib
import hmac
import secrets
import time
from dataclasses import replace
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from service.api.auth.account import Account
from service.api.auth.repetition import deepl_repetition
from service.api.deepl.document_schemas import (
    DocumentKeyParameters,
    DocumentParameters,
    DocumentReply,
    DocumentStatusReply,
    document_body,
    status_reply,
)
from service.api.dependencies import (
    FILES_HAVE_ROOM,
    CallerOf,
    Parts,
    PartsOf,
    parameters_of,
    path_value,
)
from service.api.native.files import UploadOf, file_response
from service.api.openapi import FORM, JSON, path_parameter, problems, request_body
from service.api.refusals.problems import QUOTA_EXCEEDED, DeeplProblem
from service.api.replies.json import json_response
from service.api.requests.parameters import parse_parameters
from service.api.served_languages import AUTO
from service.documents.jobs.job import FileJob, suffix_of
from service.errors import BadFileError, NotFoundError, NotReadyError
from service.translation.values import TranslateRequest

_KEY_BYTES = 32
_ID = path_parameter("id", "The `document_id` of an upload.")
_KEY_EXAMPLE = {"document_key": "0CB0054F1C132C1625B392EADDA41CB754A742822F6877173029A6C487E7F60A"}

router = APIRouter(tags=["deepl"])


KeyInput = Annotated[DocumentKeyParameters, Depends(parameters_of(DocumentKeyParameters))]
DocumentId = Annotated[str, Depends(path_value("id"))]
_ASKING = request_body(DocumentKeyParameters, JSON, FORM, example=_KEY_EXAMPLE) | _ID


@router.post(
    "/v2/document",
    dependencies=[FILES_HAVE_ROOM],
    summary="Upload a document",
    response_model=DocumentReply,
    responses=problems(400, 403, 404, 429, QUOTA_EXCEEDED, 503, model=DeeplProblem),
    openapi_extra=document_body(),
)
async def upload_document(
    request: Request, caller: CallerOf, upload: UploadOf, parts: PartsOf
) -> Response:
    """Answers at once; every byte of the file counts for the key, as a character."""
    parameters = parse_parameters(DocumentParameters, upload.fields)
    account = await caller.account(parameters.auth_key)
    name = _name(upload.name, parameters)
    options = await _options(parameters, parts, account)
    repetition = await deepl_repetition(request, upload.content())
    key = secrets.token_hex(_KEY_BYTES).upper()
    lifetime_s = parts.settings.file_timeout_s
    charged = account.charged_file(len(upload.data), repetition, lifetime_s=lifetime_s)
    async with charged as charge_text:
        submitted = parts.files.submit(
            name, upload.data, options, key_digest=_digest(key), admit=charge_text
        )
        job = await parts.in_flight.run(request, account.client, submitted)
    response = json_response(DocumentReply(document_id=job.id, document_key=key))
    # Lets a load balancer find the replica.
    response.headers["Location"] = f"{request.url.path}/{job.id}"
    return response


@router.post(
    "/v2/document/{id}",
    summary="How far is a document?",
    response_model=DocumentStatusReply,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_ASKING,
)
async def document_status(
    caller: CallerOf, document_id: DocumentId, parameters: KeyInput, parts: PartsOf
) -> Response:
    """`error` comes with the reason."""
    job = await _job(caller, document_id, parameters, parts)
    return json_response(status_reply(job, time.time()))


@router.post(
    "/v2/document/{id}/result",
    summary="Fetch a translated document",
    response_class=FileResponse,
    responses=problems(400, 403, 404, 429, 503, model=DeeplProblem),
    openapi_extra=_ASKING,
)
async def document_result(
    caller: CallerOf, document_id: DocumentId, parameters: KeyInput, parts: PartsOf
) -> Response:
    """As often as needed, until its time is over."""
    job = await _job(caller, document_id, parameters, parts)
    if not job.has_ended:
        raise NotReadyError("the document is being translated: ask again later")
    if job.state != "done":
        reason = job.failure.message if job.failure else job.state
        raise NotFoundError(f"the document was not translated: {reason}")
    return file_response(await parts.files.result(job.file_name), job.file_name)


async def _options(
    parameters: DocumentParameters, parts: Parts, account: Account
) -> TranslateRequest:
    options = TranslateRequest(
        texts=(),
        source=parameters.source_lang or AUTO,
        target=parameters.target_lang,
        with_scores=False,
        is_bounded=False,
        client=account.client,
    )
    if not parameters.glossaries:
        return options
    pair = options.source, options.target
    terms = await parts.glossaries.by_ids(account.owner, parameters.glossaries, pair)
    return replace(options, glossary=terms)


def _name(uploaded: str, parameters: DocumentParameters) -> str:
    """The name that has the suffix: that of the upload, if it has one.

    Raises:
        BadFileError: Another format is wanted.
    """
    name = uploaded if suffix_of(uploaded) else parameters.filename or uploaded
    wanted = parameters.output_format
    if wanted and wanted.lower().lstrip(".") != PurePath(name).suffix.lower().lstrip("."):
        raise BadFileError(
            f"Invalid request: output_format {wanted[:20]!r} is not the document's: leave it out"
        )
    return name


async def _job(
    caller: CallerOf, document_id: str, parameters: DocumentKeyParameters, parts: Parts
) -> FileJob:
    """The job of a document, for its uploader alone.

    Raises:
        NotFoundError: There is none, or the document key or the API key is another's.
    """
    account = await caller.account(parameters.auth_key)
    job = await parts.files.find(document_id)
    is_key = hmac.compare_digest(job.key_digest, _digest(parameters.document_key))
    is_own = not parts.keys.are_required or job.client.name == account.client.name
    if not (is_key and is_own):
        raise NotFoundError("there is no such document, or its document_key is another")
    return job


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
