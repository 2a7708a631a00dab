"""Every setting, its default and its meaning; the only place that reads the environment."""

import difflib
import logging
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
RENAMED = {
    "farewell_s": "shutdown_delay_s",
    "max_silence_s": "heartbeat_timeout_s",
    "max_hang_s": "watchdog_timeout_s",
}
"""Settings by their former names, which still work as variables and flags, with a warning."""
_CHECKOUT_BUNDLES = Path(__file__).resolve().parent.parent / "bundles"
_SET_BY_KUBERNETES = (
    "is set by Kubernetes because a Service is called 'pellucid': "
    "set enableServiceLinks: false in the pod, or rename the Service"
)

_log = logging.getLogger(__name__)


def _default_bundles() -> tuple[Path, ...]:
    """The `bundles` folder of the checkout; once installed, the one in the working directory."""
    return (_CHECKOUT_BUNDLES if _CHECKOUT_BUNDLES.is_dir() else Path("bundles"),)


class Settings(BaseSettings):
    """All settings; built once where the process starts, then passed down."""

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
    """Whether a language pair without a bundle of its own is translated by two bundles, through a
    third language, English if possible."""
    workers: PositiveInt | None = None
    """Worker threads per bundle; default: CPUs of the process divided by `threads_per_worker`. For
    single sentences, replicas with one worker each are faster."""
    threads_per_worker: PositiveInt = 1
    """Threads per operator of a graph; more workers are faster than more threads."""
    slots_per_worker: Annotated[int, Field(ge=8, le=1024)] = 32
    """Sentences that a worker decodes in parallel; a beam of n takes n slots."""
    client_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of a worker's slots that one client may hold while others wait: a smaller share keeps
    decoding steps short; with 1, batches are fullest and latency is highest."""
    encoder_tokens_per_turn: PositiveInt = 256
    """Source tokens that a worker encodes between two decoding steps, which bounds the delay of
    sentences that are being decoded; a longer sentence is encoded alone."""
    max_requests: PositiveInt = 512
    """Maximum requests in progress or waiting, half of them from one address while no other asks;
    beyond it: 429."""
    max_queued_jobs: PositiveInt = 1024
    """Maximum sentences in the queue; beyond it: 429."""
    max_queued_tokens: PositiveInt = 65_536
    """Maximum source tokens in the queue; beyond it: 429."""
    max_queued_jobs_per_client: PositiveInt | None = None
    """Maximum sentences of one client in the queue; beyond it: 429. Default: half of what other
    clients leave, so that a new client always finds a place."""
    max_queued_tokens_per_client: PositiveInt | None = None
    """Maximum source tokens of one client in the queue; beyond it: 429. Default: likewise."""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """API keys, separated by ','; a request must carry one. Without any key, access is open. Prefer
    the variable or a file: every user of the machine can read a flag."""
    api_key_file: Path | None = None
    """File with further keys, one per line; lines that begin with '#' are comments."""
    key_store: SecretStr | None = None
    """Store of the keys made by `pellucid keys`, and of their usage: a file, or redis://... for
    several machines."""
    max_chars_per_key: PositiveInt | None = None
    """Maximum characters per key and month, for keys without a quota of their own; beyond it: 429,
    and 456 for DeepL clients. Without a key store, counted since the start of the process."""
    metrics_token: SecretStr | None = None
    """Token that /metrics requires, as `Authorization: Bearer TOKEN`; default: none."""
    pages: bool = True
    """Whether the pages are served: /, /docs and /openapi.json."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the API from a browser, separated by ','; '*': all."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses or networks of proxies whose X-Forwarded-For is trusted, separated by ','. Without
    keys, clients are told apart by address."""
    max_body_bytes: PositiveInt = 1_048_576
    """Maximum size of a request body; beyond it: 413."""
    max_bodies_bytes: PositiveInt = 134_217_728
    """Maximum size of all request bodies held at once; beyond it: 429."""
    max_connections: PositiveInt = 4096
    """Maximum open connections; beyond it, the one idle longest is closed."""
    header_timeout_s: PositiveFloat = 10.0
    """Time for a client to send the head of a request, and the first byte of a new connection."""
    body_timeout_s: PositiveFloat = 30.0
    """Time for a client to send the body of a request; beyond it: 408."""
    reply_timeout_s: PositiveFloat = 60.0
    """Time for a client to read a reply; beyond it, the connection is closed."""
    max_text_chars: PositiveInt = 30_000
    """Maximum characters of all texts of a request; beyond it: 400."""
    max_texts: PositiveInt = 512
    """Maximum texts in a request; beyond it: 400."""
    max_file_bytes: PositiveInt = 4_194_304
    """Maximum size of a file to translate; beyond it: 413."""
    max_file_jobs: PositiveInt = 16
    """Maximum files in translation or waiting; beyond it: 429."""
    max_stored_bytes: PositiveInt = 268_435_456
    """Maximum size of all stored translated files; beyond it: 503."""
    file_lifetime_s: PositiveFloat = 3_600.0
    """Time for which a translated file is stored."""
    file_timeout_s: PositiveFloat = 3_600.0
    """Time for translating a file; beyond it, the job fails."""
    file_folder: Path | None = None
    """Parent of the folder for translated files, which is removed on exit; default: the system's
    folder for temporary files."""
    max_alternatives: Annotated[int, Field(ge=0, le=7)] = 7
    """Maximum alternatives that a request may ask for; beyond it: 400."""
    max_attention_cells: PositiveInt = 1_000_000
    """Maximum cells of all attention maps in a reply; beyond it: 413."""
    max_attention_runs: PositiveInt = 2
    """Maximum requests for attention maps or scores in progress; others wait."""
    attention_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of the time that those may use while translations run; all of it while none run."""
    deadline_ms: PositiveInt = 30_000
    """Time for a translation, which a request may shorten; beyond it: 504."""
    admin_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """Token that `POST /admin/reload` requires; without it, the route does not exist."""
    shutdown_delay_s: Annotated[float, Field(ge=0)] = 0.0
    """Time after SIGTERM in which /readyz reports 503 while requests are still accepted, so that
    load balancers notice before requests are refused; draining begins after it."""
    drain_s: Annotated[float, Field(ge=0)] = 25.0
    """Time to finish accepted requests, after `shutdown_delay_s`."""
    share_runs: bool = True
    """Whether equal sentences that are waiting at the same time share one run of the model."""
    result_cache_bytes: Annotated[int, Field(ge=0)] = 0
    """Memory per bundle for the cache of translated sentences; 0: no cache."""
    canary_interval_s: PositiveFloat = 60.0
    """Interval between two canary translations of a bundle, for the readiness probe."""
    heartbeat_timeout_s: PositiveFloat = 10.0
    """Time without a heart-beat after which a worker makes the service unready."""
    watchdog_timeout_s: Annotated[float, Field(ge=0)] = 60.0
    """Time without a heart-beat after which the watchdog ends the process with exit code 70, so
    that a supervisor restarts it; 0: never."""
    otel_endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Address of an OpenTelemetry collector, such as http://collector:4318, which receives a span
    per request and stage, without any text; needs the extra `otel`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level of the events that are logged."""

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
        flags: Values of command-line flags by field name, former names included.

    Raises:
        StartupError: A value does not fit, a `PELLUCID_*` variable is unknown, or a setting is
            given under both its names; the message lists all faults.
    """
    given = dict(flags or {})
    faults = [_unknown_fault(name) for name in _unknown_variables()]
    faults += _resolve_renamed(given)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        faults += [_value_fault(detail) for detail in error.errors()]
        raise StartupError("; ".join(faults)) from error
    if faults:
        raise StartupError("; ".join(faults))
    return settings


def flag_of(field: str) -> str:
    """The command-line flag of a setting."""
    return "--" + field.replace("_", "-")


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    return ENV_PREFIX + field.upper()


def _resolve_renamed(given: dict[str, Any]) -> list[str]:
    """Replace former names in `given` and add values of former variables; returns the faults."""
    variables = {name.upper(): value for name, value in os.environ.items() if value}
    faults = []
    for former, field in RENAMED.items():
        if former in given:
            faults += _rename_fault(flag_of(former), flag_of(field), is_both=field in given)
            given.setdefault(field, given.pop(former))
        former_variable, variable = variable_of(former), variable_of(field)
        if former_variable in variables:
            faults += _rename_fault(former_variable, variable, is_both=variable in variables)
            given.setdefault(field, variables[former_variable])
    return faults


def _rename_fault(former: str, name: str, *, is_both: bool) -> list[str]:
    """Warn of a former name; a fault if the present name is given as well."""
    if is_both:
        return [f"{former} and {name} are the same setting: remove {former}"]
    _log.warning("%s is deprecated: use %s", former, name)
    return []


def _unknown_variables() -> list[str]:
    known = {variable_of(field) for field in (*Settings.model_fields, *RENAMED)}
    ours = (name for name in os.environ if name.upper().startswith(ENV_PREFIX))
    return sorted(name for name in ours if name.upper() not in known)


def _unknown_fault(name: str) -> str:
    if name.startswith((ENV_PREFIX + "PORT_", ENV_PREFIX + "SERVICE_")):
        return f"{name} {_SET_BY_KUBERNETES}"
    field = name[len(ENV_PREFIX) :].lower()
    close = difflib.get_close_matches(field, Settings.model_fields)
    remedy = f"did you mean {variable_of(close[0])}?" if close else "see pellucid serve --help"
    return f"unknown setting {name}: {remedy}"


def _value_fault(detail: ErrorDetails) -> str:
    field = str(detail["loc"][0])
    message = detail["msg"]
    if str(detail["input"]).startswith("tcp://"):
        message = _SET_BY_KUBERNETES
    return f"{flag_of(field)} or {variable_of(field)}: {message}"
