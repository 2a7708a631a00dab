"""Reads a file that was sent with a form."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from service.api.parameters import missing_parameter
from service.errors import InvalidRequestError, PayloadTooLargeError, StorageError

FORM_BYTES = 16_384
"""What a form with a file may have beside the file."""
_MULTIPART = "multipart/form-data"
_MAX_FIELDS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file and the other fields of its form."""

    name: str
    data: bytes
    fields: dict[str, Any]


async def read_upload(request: Request, max_file_bytes: int) -> Upload:
    """The field `file` of a form; other parameters may be in the form or in the query.

    Raises:
        InvalidRequestError: It is no such form, or has no file.
        PayloadTooLargeError: The file is too large.
        StorageError: There is no room to receive it.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != _MULTIPART:
        raise InvalidRequestError(f"Invalid request: the body's Content-Type must be {_MULTIPART}")
    try:
        async with request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise missing_parameter("file")
            data = await file.read()
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
    except OSError:  # what is over a megabyte goes through a temporary file
        raise StorageError("there is no room to receive the file: try again later") from None
    if not file.filename:
        raise InvalidRequestError("Invalid request: empty file")
    if len(data) > max_file_bytes:
        raise PayloadTooLargeError(
            f"the file has {len(data)} bytes; the limit is {max_file_bytes}: send it in parts"
        )
    return Upload(name=file.filename, data=data, fields={**fields, **request.query_params})
