"""Every setting, its default and its meaning; the only place that reads the environment."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import StartupError

ENV_PREFIX = "PELLUCID_"
_BESIDE_THE_CODE = Path(__file__).resolve().parent.parent / "bundles"

_BY_KUBERNETES = (
    "is set by Kubernetes because a Service is called 'pellucid': "
    "set enableServiceLinks: false in the pod, or rename the Service"
)


def _default_bundles() -> tuple[Path, ...]:
    """The `bundles` folder of the checkout; once installed, the one in the working directory."""
    return (_BESIDE_THE_CODE if _BESIDE_THE_CODE.is_dir() else Path("bundles"),)


class Settings(BaseSettings):
    """Built once where the process starts, then passed down."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        allow_inf_nan=False,
        frozen=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """TCP port; 0 takes a free one."""
    bundles: Annotated[tuple[Path, ...], NoDecode, Field(min_length=1)] = Field(
        default_factory=_default_bundles
    )
    """Bundle folders, or folders of bundle folders, separated by ':'."""
    pivot: bool = True
    """Whether a direction without a bundle of its own is translated with two, by way of a third
    language, English where that is possible."""
    workers: PositiveInt | None = None
    """Worker threads per bundle; by default the CPUs of the process, divided by the next. For
    single sentences replicas of one worker are faster than workers."""
    threads_per_worker: PositiveInt = 1
    """Threads within one operator; more workers are faster than more threads."""
    slots_per_worker: Annotated[int, Field(ge=8, le=1024)] = 32
    """Sentences that a worker decodes side by side; a beam of n takes n slots."""
    client_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of a worker's slots that one client may have while others ask, so that steps stay short
    for those who wait for a sentence; 1: batches lose nothing, and everybody waits for them."""
    encoder_tokens_per_turn: PositiveInt = 256
    """Source tokens that a worker encodes between two steps, so that new sentences do not hold up
    those that are being translated; a longer sentence comes alone."""
    max_requests: PositiveInt = 512
    """Requests that may be worked on or wait, half of that from one address while there are no
    others; beyond that: 429."""
    max_queued_jobs: PositiveInt = 1024
    """Sentences that may wait; beyond that: 429."""
    max_queued_tokens: PositiveInt = 65_536
    """Source tokens that may wait; beyond that: 429."""
    max_queued_jobs_per_client: PositiveInt | None = None
    """Sentences of one client that may wait; beyond that: 429. By default half of what others
    leave, so that there is room for a client who comes new."""
    max_queued_tokens_per_client: PositiveInt | None = None
    """Source tokens of one client that may wait; by default likewise."""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys of which a request must carry one, separated by ','; without any, all may translate.
    Better in the environment or a file than in a flag, which every user of the machine can see."""
    api_key_file: Path | None = None
    """A file with further keys, one a line; lines that begin with '#' are for people."""
    key_store: SecretStr | None = None
    """Where the keys of `pellucid keys` are, with what was used of them: a file, or redis://... for
    several machines."""
    max_chars_per_key: PositiveInt | None = None
    """Characters that a key may have translated in a month, if it has no quota of its own; beyond
    that: 429, and 456 for DeepL's clients. Without a store counted since the process started."""
    metrics_token: SecretStr | None = None
    """What /metrics asks for, as `Authorization: Bearer TOKEN`; by default nothing."""
    pages: bool = True
    """Whether there are pages: /, /docs and /openapi.json."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the API from a browser, separated by ','; '*' for all."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses or networks of proxies, separated by ',', whose X-Forwarded-For says who asks:
    where there are no keys, the queue is shared by address."""
    max_body_bytes: PositiveInt = 1_048_576
    """Largest request body; beyond that: 413."""
    max_bodies_bytes: PositiveInt = 134_217_728
    """All request bodies that are held at the same time; beyond that: 429."""
    max_connections: PositiveInt = 4096
    """Connections; of more, that one is closed which has waited longest for its client."""
    header_timeout_s: PositiveFloat = 10.0
    """Time for sending the head of a request; a connection that sends nothing has as long."""
    body_timeout_s: PositiveFloat = 30.0
    """Time for sending the body of a request. Missed: 408."""
    reply_timeout_s: PositiveFloat = 60.0
    """Time for taking a reply; who takes longer is disconnected."""
    max_text_chars: PositiveInt = 30_000
    """Characters of all texts of a request together; beyond that: 400."""
    max_texts: PositiveInt = 512
    """Texts in one request; beyond that: 400."""
    max_file_bytes: PositiveInt = 4_194_304
    """Largest file to translate; beyond that: 413."""
    max_file_jobs: PositiveInt = 16
    """Files that may be translated or wait for it; beyond that: 429."""
    max_stored_bytes: PositiveInt = 268_435_456
    """All translated files together; beyond that: 503."""
    file_lifetime_s: PositiveFloat = 3_600.0
    """How long a translated file is kept."""
    file_timeout_s: PositiveFloat = 3_600.0
    """Time for translating a file."""
    file_folder: Path | None = None
    """Where a folder for translated files is made, and removed at the end; by default where the
    system keeps temporary files."""
    max_alternatives: Annotated[int, Field(ge=0, le=7)] = 7
    """Alternatives that a request may ask for; beyond that: 400."""
    max_attention_cells: PositiveInt = 1_000_000
    """Numbers in the attention maps of one reply; beyond that: 413."""
    max_attention_runs: PositiveInt = 2
    """Requests for attention maps or scores that are worked on at the same time; others wait."""
    attention_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of the time that those may take while translations run; all of it while none do."""
    deadline_ms: PositiveInt = 30_000
    """Time for a translation; a request may ask for less, not for more. Missed: 504."""
    admin_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """Token that `POST /admin/reload` asks for; without one there is no such address."""
    farewell_s: Annotated[float, Field(ge=0)] = 0.0
    """Time after SIGTERM in which /readyz says 503 but requests are still accepted, so that load
    balancers turn away before they are refused; draining begins after it."""
    drain_s: Annotated[float, Field(ge=0)] = 25.0
    """Time to finish accepted requests after SIGTERM."""
    share_runs: bool = True
    """Whether equal sentences that come while one of them is translated are translated once."""
    result_cache_bytes: Annotated[int, Field(ge=0)] = 0
    """Memory per bundle for translated sentences, which are then not translated again; 0: none."""
    canary_interval_s: PositiveFloat = 60.0
    """How often each bundle translates its canary sentence, for the readiness probe."""
    max_silence_s: PositiveFloat = 10.0
    """A worker without a heart-beat for this long makes the service unready."""
    max_hang_s: Annotated[float, Field(ge=0)] = 60.0
    """A worker without a heart-beat for this long ends the process, with exit code 70, so that a
    supervisor starts it again; 0: never."""
    otel_endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Address of an OpenTelemetry collector, such as http://collector:4318, that is to be sent a
    span for every request and its stages, without any text; needs the extra `otel`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe event that is logged."""

    @field_validator("bundles", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part for part in value.split(os.pathsep) if part)
        return value

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Settings from flags, which win, and the environment.

    Args:
        flags: Values of command-line flags by field name.

    Raises:
        StartupError: A value does not fit or a `PELLUCID_*` variable is unknown; names all faults.
    """
    faults = [_unknown_fault(name) for name in _unknown_variables()]
    try:
        settings = Settings(**(flags or {}))
    except ValidationError as error:
        faults += [_value_fault(detail) for detail in error.errors()]
        raise StartupError("; ".join(faults)) from error
    if faults:
        raise StartupError("; ".join(faults))
    return settings


def flag_of(field: str) -> str:
    """The command-line flag of a setting."""
    return "--" + field.replace("_", "-")


def _unknown_variables() -> list[str]:
    known = {ENV_PREFIX + field.upper() for field in Settings.model_fields}
    ours = (name for name in os.environ if name.upper().startswith(ENV_PREFIX))
    return sorted(name for name in ours if name.upper() not in known)


def _unknown_fault(name: str) -> str:
    if name.startswith((ENV_PREFIX + "PORT_", ENV_PREFIX + "SERVICE_")):
        return f"{name} {_BY_KUBERNETES}"
    field = name[len(ENV_PREFIX) :].lower()
    close = [
        ENV_PREFIX + f.upper() for f in difflib.get_close_matches(field, Settings.model_fields)
    ]
    remedy = f"did you mean {close[0]}?" if close else "see pellucid serve --help"
    return f"unknown setting {name}: {remedy}"


def _value_fault(detail: ErrorDetails) -> str:
    field = str(detail["loc"][0])
    message = detail["msg"]
    if str(detail["input"]).startswith("tcp://"):
        message = _BY_KUBERNETES
    return f"{flag_of(field)} or {ENV_PREFIX}{field.upper()}: {message}"
