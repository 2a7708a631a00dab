"""What routes depend on: the parts of the service, and validated parameters."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel

from service.api.api_description import ApiDescription
from service.api.auth.account import Account
from service.api.auth.api_keys import ApiKeys
from service.api.glossaries.glossaries import Glossaries
from service.api.middleware.held_bytes import HeldBytes
from service.api.middleware.request_limit import RequestLimit
from service.api.refusals.pace import RefusalPace
from service.api.requests.host_names import is_own_origin
from service.api.requests.in_flight import InFlight
from service.api.requests.parameters import ParameterReader
from service.api.requests.schemas import AttentionParameters, DetectParameters, TranslateParameters
from service.api.suggestions import SuggestionFile
from service.documents.jobs.file_jobs import FileJobs
from service.errors import ForbiddenError
from service.inspection.throttle import Throttle
from service.models.registry import Registry
from service.models.reload import Reloader
from service.observability.metrics import Metrics
from service.observability.tracing import Tracing
from service.scheduling.limits import Client
from service.settings import Settings, variable_of
from service.translation.memory.client_memory import ClientMemory
from service.translation.text_thread import TextThread
from service.translation.translator import Translator

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that routes use; built once per process."""

    settings: Settings
    registry: Registry
    reloader: Reloader
    translator: Translator
    throttle: Throttle
    files: FileJobs
    metrics: Metrics
    tracing: Tracing
    in_flight: InFlight
    request_limit: RequestLimit
    refusal_pace: RefusalPace
    held_bytes: HeldBytes
    keys: ApiKeys
    glossaries: Glossaries
    reply_thread: TextThread
    """Serialises long replies, and draws."""
    suggestions: SuggestionFile | None = None
    memory: ClientMemory | None = None
    """The translation memory, where clients may write to it."""
    description: ApiDescription = field(default_factory=ApiDescription)
    parameters: ParameterReader = field(default_factory=ParameterReader)


async def _parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts), "set by create_app"
    return parts


PartsOf = Annotated[Parts, Depends(_parts)]


class Caller:
    """Who sends a request: known by its head, or only once its parameters are read."""

    def __init__(self, request: Request, keys: ApiKeys, account: Account | None) -> None:
        """Keep what the head says.

        Args:
            request: The request.
            keys: Finds the account of a key among the parameters.
            account: The account that the head names; None: it names none.
        """
        self._request = request
        self._keys = keys
        self._account = account

    async def account(self, given: object = "", *, within_s: float | None = None) -> Account:
        """The account of the request; a key in its head wins.

        Args:
            given: The key among the request's parameters, if any.
            within_s: Time of the request; the store has no more for an answer.

        Raises:
            ServiceError: As `ApiKeys.account`.
        """
        if self._account is None:
            return await self._keys.account(self._request, given, within_s=within_s)
        self._account.limit_time(within_s)
        return self._account

    @property
    def client(self) -> Client | None:
        """The client, if the head names it."""
        return None if self._account is None else self._account.client


async def _caller(request: Request, parts: PartsOf) -> Caller:
    """Before the body is read: a request with a wrong key costs no more than its head."""
    is_named = parts.keys.names_account(request)
    return Caller(request, parts.keys, await parts.keys.account(request) if is_named else None)


CallerOf = Annotated[Caller, Depends(_caller)]
"""To be named before the parameters, which are read in the order of a route's arguments."""


async def _inspections_have_room(caller: CallerOf, parts: PartsOf) -> None:
    if client := _often_refused(caller, parts):
        parts.throttle.check(client)


async def _files_have_room(caller: CallerOf, parts: PartsOf) -> None:
    if client := _often_refused(caller, parts):
        parts.files.check_room(client)


def _often_refused(caller: Caller, parts: Parts) -> Client | None:
    """The client of a request if it has had many refusals in this second."""
    client = caller.client
    return client if client and parts.refusal_pace.is_exceeded(client.name) else None


def check_page(request: Request, parts: Parts, changed: str) -> None:
    """Refuse what a page of another server could send without being asked, as a form.

    Args:
        request: One that changes what other requests get.
        parts: Of the service.
        changed: What it changes.

    Raises:
        ForbiddenError: No key is needed, and a page of another server sends it.
    """
    if parts.keys.are_required:
        return
    headers, allowed = request.headers, parts.settings.cors_origins
    if not is_own_origin(headers.get("Origin"), headers.get("Host", ""), allowed):
        raise ForbiddenError(
            f"a page of another server may not change {changed}: let "
            f"{variable_of('cors_origins')} name its origin"
        )


def parameters_of(
    model: type[M],
    *,
    lists: Collection[str] = (),
    guesses_json: bool = False,
    has_tables: bool = False,
) -> Callable[..., Coroutine[Any, Any, M]]:
    """A dependency that reads the parameters of a request; see `ParameterReader.read`."""

    async def parameters(request: Request, parts: PartsOf) -> M:
        return await parts.parameters.read(
            model,
            request,
            lists=lists,
            guesses_json=guesses_json,
            max_text_chars=None if has_tables else parts.settings.max_text_chars,
        )

    return parameters


def path_value(name: str) -> Callable[[Request], Coroutine[None, None, str]]:
    """A dependency that returns a path parameter, for which FastAPI would document a 422."""

    async def value(request: Request) -> str:
        return str(request.path_params[name])

    return value


INSPECTIONS_HAVE_ROOM = Depends(_inspections_have_room)
FILES_HAVE_ROOM = Depends(_files_have_room)
"""Refuse a client that was refused many times in this second before its body is read."""
TranslateInput = Annotated[TranslateParameters, Depends(parameters_of(TranslateParameters))]
DetectInput = Annotated[DetectParameters, Depends(parameters_of(DetectParameters))]
AttentionInput = Annotated[AttentionParameters, Depends(parameters_of(AttentionParameters))]
