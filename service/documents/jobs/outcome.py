"""How a job ends: the error that a client is told, and cancellation."""

import errno
import logging
from dataclasses import replace

from service.documents.errors import DocumentError
from service.documents.jobs.job import FileJob, JobFailure
from service.errors import (
    BadFileError,
    NotFoundError,
    ServiceError,
    StorageError,
    TranslationFailedError,
)

_log = logging.getLogger(__name__)


def reported_error(error: Exception) -> ServiceError:
    """The error to report for a failed job; what is no fault of the file is logged."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, DocumentError):
        return BadFileError(f"Invalid request: {error}")
    _log.error("file job failed", exc_info=error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError("the disk is full: try again later")
    if isinstance(error, OSError):
        return StorageError("the translated file could not be written")
    return TranslationFailedError("the server failed on this file; its log has the reason")


def failure_of(error: ServiceError) -> JobFailure:
    """What is kept of an error."""
    return JobFailure(code=error.code, message=str(error))


def cancellation() -> ServiceError:
    """The error of a job that was cancelled."""
    return NotFoundError("the job was cancelled")


def as_cancelled(job: FileJob) -> FileJob:
    """A job that was cancelled, maybe by another replica."""
    return replace(job, state="cancelled", failure=failure_of(cancellation()), size_bytes=0)
