"""The errors of the service, each with an HTTP status and a stable code.

ServiceError
|-- InvalidRequestError             400  invalid_request
|   |-- UnsupportedLanguageError    400  unsupported_language
|   |-- TextTooLongError            400  text_too_long
|   |-- BadFileError                400  bad_file
|   `-- KeyRequiredError            400  key_required
|-- ForbiddenError                  403  invalid_key
|-- SuggestionsDisabledError        403  suggestions_disabled
|-- MemoryDisabledError             403  memory_disabled
|-- NotFoundError                   404  not_found
|-- ReloadRefusedError              409  reload_refused
|-- BodyTimeoutError                408  request_timeout
|-- PayloadTooLargeError            413  payload_too_large
|-- MemoryShareError                413  memory_share_used_up
|-- RepetitionMismatchError         422  idempotency_key_reused
|-- OverloadedError                 429  overloaded       (with `retry_after_s`)
|   |-- RateLimitedError            429  rate_limited
|   |-- WrongKeysError              429  wrong_keys
|   `-- RepetitionInProgressError   409  request_in_progress
|-- QuotaExceededError              429  quota_exceeded
|-- TranslationFailedError          500  translation_failed
|-- ShuttingDownError               503  shutting_down
|-- NotReadyError                   503  not_ready        (with `retry_after_s` where known)
|-- StorageError                    503  storage_full
|-- KeyStoreError                   503  key_store_failed
|-- MemoryFailedError               503  memory_failed
`-- DeadlineExceededError           504  deadline_exceeded

StartupError                        one line on stderr, exit code 2
"""

from functools import partial
from typing import Any, ClassVar


class ServiceError(Exception):
    """A failed request; the message is shown to the client."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"


class InvalidRequestError(ServiceError):
    """The request is malformed, or names something that does not exist."""

    status = 400
    code = "invalid_request"


class UnsupportedLanguageError(InvalidRequestError):
    """No served bundle translates this pair."""

    code = "unsupported_language"


class TextTooLongError(InvalidRequestError):
    """The text is over a limit and cannot be split."""

    code = "text_too_long"


class BadFileError(InvalidRequestError):
    """The format of a file is not supported, or its content does not match its name."""

    code = "bad_file"


class KeyRequiredError(InvalidRequestError):
    """The request has no key, and one is required."""

    code = "key_required"


class ForbiddenError(ServiceError):
    """Unknown, expired or revoked key, or wrong token."""

    status = 403
    code = "invalid_key"


class SuggestionsDisabledError(ServiceError):
    """The operator wants no suggestions, in a file or in the translation memory."""

    status = 403
    code = "suggestions_disabled"


class MemoryDisabledError(ServiceError):
    """The operator lets clients not write to the translation memory."""

    status = 403
    code = "memory_disabled"


class NotFoundError(ServiceError):
    """The resource does not exist, or no longer."""

    status = 404
    code = "not_found"


class BodyTimeoutError(ServiceError):
    """The request took too long to arrive."""

    status = 408
    code = "request_timeout"


class ReloadRefusedError(ServiceError):
    """The bundles on the disk fail their checks; the loaded ones keep serving."""

    status = 409
    code = "reload_refused"


class PayloadTooLargeError(ServiceError):
    """The request, or the reply it asks for, exceeds a configured size."""

    status = 413
    code = "payload_too_large"


class MemoryShareError(ServiceError):
    """The key would have more of the translation memory than its share."""

    status = 413
    code = "memory_share_used_up"


class OverloadedError(ServiceError):
    """The queue is full; the client may try again after `retry_after_s` seconds."""

    status = 429
    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle `retry_after_s` as well, for errors from other processes."""
        return partial(type(self), retry_after_s=self.retry_after_s), self.args


class RateLimitedError(OverloadedError):
    """The key has used up its requests of this minute."""

    code = "rate_limited"


class WrongKeysError(OverloadedError):
    """The address has sent too many wrong keys."""

    code = "wrong_keys"


class RepetitionInProgressError(OverloadedError):
    """An attempt of the same request is in progress."""

    status = 409
    code = "request_in_progress"


class RepetitionMismatchError(ServiceError):
    """An `Idempotency-Key` was sent before, with another request."""

    status = 422
    code = "idempotency_key_reused"


class QuotaExceededError(ServiceError):
    """The key has used up its characters of this month."""

    status = 429
    code = "quota_exceeded"


class TranslationFailedError(ServiceError):
    """The model failed on this text, and again when retried alone."""

    status = 500
    code = "translation_failed"


class ShuttingDownError(ServiceError):
    """The process is shutting down: accepted requests finish, new ones are refused."""

    status = 503
    code = "shutting_down"


class NotReadyError(ServiceError):
    """A model is not ready to serve; it is tried again in `retry_after_s` seconds, where known."""

    status = 503
    code = "not_ready"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle `retry_after_s` as well."""
        return partial(type(self), retry_after_s=self.retry_after_s), self.args


class StorageError(ServiceError):
    """No space is left for another file."""

    status = 503
    code = "storage_full"


class KeyStoreError(ServiceError):
    """The key store does not answer, so no key can be accepted."""

    status = 503
    code = "key_store_failed"

    def __init__(self) -> None:
        super().__init__("the store of keys does not answer: try again later")


class MemoryFailedError(ServiceError):
    """The translation memory does not answer, so nothing can be stored in it."""

    status = 503
    code = "memory_failed"


class DeadlineExceededError(ServiceError):
    """The translation was not finished within the request's deadline."""

    status = 504
    code = "deadline_exceeded"


class StartupError(Exception):
    """The process cannot start; the message is one line that names the remedy."""
