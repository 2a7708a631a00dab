"""Every setting, its default and its meaning; the only place that reads the environment."""

import difflib
import ipaddress
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bundle.folders import default_paths, split_paths
from service.errors import StartupError

ENV_PREFIX = "PELLUCID_"
INSTALL_PREFIX = ENV_PREFIX + "INSTALL_"
"""Of the variables of `pellucid install`, which runs where this does not."""
RENAMED = {
    "farewell_s": "shutdown_delay_s",
    "max_silence_s": "heartbeat_timeout_s",
    "max_hang_s": "watchdog_timeout_s",
}
"""Settings by their former names, which still work as variables and flags, with a warning."""
MAX_SECONDS = 1_000_000_000
"""Thirty years. What waits, and what limits a process, takes no time that is much longer."""
MAX_COUNT = 1 << 53
"""Eight pebibytes. Twice of it is still a number for the system and for the stores."""
Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
Count = Annotated[int, Field(gt=0, le=MAX_COUNT)]
_SET_BY_KUBERNETES = (
    "is set by Kubernetes because a Service is called 'pellucid': "
    "set enableServiceLinks: false in the pod, or rename the Service"
)

_log = logging.getLogger(__name__)


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
        default_factory=default_paths
    )
    """Bundle folders, or folders of bundle folders, separated by ':'."""
    load: Literal["start", "first_use"] = "start"
    """When bundles are loaded: all at the `start`, or each at its `first_use`."""
    unload_after_s: Seconds | None = None
    """With `first_use`: time without a request until a bundle is unloaded."""
    model_memory_mb: Count | None = None
    """With `first_use`: memory of loaded bundles; beyond it, unused ones are unloaded."""
    cache_folder: Path | None = None
    """Folder that remembers which bundles were verified; default: in the user's cache."""
    pivot: bool = True
    """Whether missing pairs are chained from two bundles, through English if possible."""
    engines: Annotated[int, Field(ge=0, le=1024)] | None = None
    """Engine processes of a busy bundle; 0: threads decode; default: as many as `workers`."""
    workers: Annotated[int, Field(gt=0, le=1024)] | None = None
    """Threads per bundle without engines; default: the CPUs divided by `threads_per_worker`."""
    threads_per_worker: Annotated[int, Field(gt=0, le=1024)] = 1
    """Threads per operator of a graph; more engines are faster than more threads."""
    slots_per_worker: Annotated[int, Field(ge=8, le=1024)] = 32
    """Sentences decoded side by side per engine; a beam of n takes n."""
    client_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of an engine's slots for one client, or for its long requests, while others ask."""
    encoder_tokens_per_turn: Count = 256
    """Source tokens encoded between two steps; a longer sentence is encoded alone."""
    max_requests: Count = 512
    """Requests in flight, at most half from one address; beyond it: 429."""
    max_refusals_per_s: Count = 20
    """Refusals of a client answered at once; further ones wait up to a second."""
    max_queued_jobs: Count = 1024
    """Sentences that may wait; beyond it: 429."""
    max_queued_tokens: Count = 65_536
    """Source tokens that may wait; beyond it: 429."""
    max_queued_jobs_per_client: Count | None = None
    """Waiting sentences of one client; beyond it: 429. Default: half of what others leave."""
    max_queued_tokens_per_client: Count | None = None
    """Waiting source tokens of one client. Default: half of what others leave."""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys, separated by ','; requests need one. Prefer a file: flags are visible."""
    api_key_file: Path | None = None
    """File with further keys, one per line; lines that begin with '#' are comments."""
    key_store: SecretStr | None = None
    """Store of the keys of `pellucid keys`: a file, or redis://... for several machines."""
    key_store_timeout_s: Seconds = 1.0
    """Time for the key store to answer; beyond it: 503."""
    max_glossaries: Count = 100
    """Stored glossaries of a key; without keys, of the server."""
    max_glossary_bytes: Count = 4_194_304
    """Terms in all stored glossaries of a key."""
    min_key_chars: Count = 16
    """Least characters of configured keys; `pellucid keys generate` prints longer ones."""
    max_wrong_keys_per_minute: Count = 10
    """Wrong keys from one address per minute; beyond it: 429."""
    max_chars_per_key: Count | None = None
    """Monthly characters of keys without a quota; beyond it: 429, DeepL 456."""
    metrics_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    """Token that /metrics requires, as `Authorization: Bearer TOKEN`; by default none."""
    pages: bool = True
    """Whether the pages are served: /, /model, /learn, /docs and /openapi.json."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins, separated by ',', whose pages may call the API; '*' for all."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of this server, separated by ','; other `Host` headers: 421; '*': any."""
    trusted_proxies: str = "127.0.0.1"
    """Proxies (addresses or networks, separated by ',') whose X-Forwarded-For is believed."""
    max_body_bytes: Count = 1_048_576
    """Largest request body; beyond it: 413."""
    max_bodies_bytes: Count = 134_217_728
    """Bodies in flight and replies not yet taken; beyond it: 429."""
    max_connections: Count = 4096
    """Maximum open connections; beyond it, the one idle longest is closed."""
    header_timeout_s: Seconds = 10.0
    """Time to send the head of a request. Missed: 408, or closed."""
    body_timeout_s: Seconds = 30.0
    """Time to send the body of a request. Missed: 408."""
    reply_timeout_s: Seconds = 60.0
    """Time to take the reply. Missed: closed."""
    max_text_chars: Count = 30_000
    """Characters of all texts of a request; beyond it: 400."""
    max_texts: Count = 512
    """Texts in one request; beyond it: 400."""
    max_sentences: Count = 4_096
    """Sentences of all texts of a request; beyond it: 400."""
    max_fragments: Count = 2_048
    """Fragments between lost placeholders in a request; beyond it: 400."""
    inline_chars: Count = 1_000
    """Longer texts are worked on in a thread, not on the event loop."""
    max_file_bytes: Count = 4_194_304
    """Largest file to translate; beyond it: 413."""
    max_file_jobs: Count = 16
    """Files that wait or are being translated; beyond it: 429."""
    max_stored_bytes: Count = 268_435_456
    """Files of all jobs together; beyond it: 503."""
    file_lifetime_s: Seconds = 3_600.0
    """Time that a translated file is kept."""
    file_timeout_s: Seconds = 3_600.0
    """Time to translate a file, from its upload."""
    file_folder: Path | None = None
    """Folder of file jobs, kept over restarts, for one or several replicas; default: temporary."""
    suggestion_file: Path | None = None
    """TSV file that gets what clients send to `POST /suggest`; default: refused."""
    document_cpu_timeout_s: Seconds = 60.0
    """CPU time to read or write a file; beyond it: 400."""
    max_document_memory_bytes: Annotated[int, Field(ge=33_554_432, le=MAX_COUNT)] = 201_326_592
    """Memory to read a file, twice that to write it; beyond it: 400."""
    max_alternatives: Annotated[int, Field(ge=0, le=7)] = 7
    """Alternatives that a request may ask for; beyond it: 400."""
    max_attention_cells: Count = 1_000_000
    """Numbers in the attention maps of one reply; beyond it: 413."""
    max_attention_runs: Count = 2
    """Requests for attention maps or scores in progress; others wait."""
    attention_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of the time for those while translations run; all of it otherwise."""
    deadline_ms: Annotated[int, Field(gt=0, le=1000 * MAX_SECONDS)] = 30_000
    """Time for a translation; requests may ask for less. Missed: 504."""
    admin_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """Token that `POST /admin/reload` requires; without one there is no such address."""
    shutdown_delay_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 0.0
    """Time after SIGTERM with /readyz 503 but requests still accepted; then draining."""
    drain_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 25.0
    """Time to finish accepted requests, after `shutdown_delay_s`."""
    share_runs: bool = True
    """Whether equal sentences in flight are translated once."""
    result_cache_bytes: Annotated[int, Field(ge=0, le=MAX_COUNT)] = 0
    """Memory per bundle for results of recent sentences; 0 keeps none."""
    canary_interval_s: Seconds = 60.0
    """Interval of the canary translation of each bundle, for the readiness probe."""
    heartbeat_timeout_s: Seconds = 10.0
    """Time without a heart-beat of any engine until the service is not ready."""
    watchdog_timeout_s: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 60.0
    """Time without a heart-beat until an engine is replaced; 0: never. Threads: exit 70."""
    otel_endpoint: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """OpenTelemetry collector, such as http://collector:4318, for spans; needs the extra `otel`."""
    memory: Path | None = None
    """File of the translation memory, which `pellucid memory import` fills; by default none."""
    max_memory_units: Count = 100_000
    """Sentences in the translation memory of a key; beyond it, the least recently used go."""
    client_memory: bool = False
    """Whether clients may write to their own memory: `/memory`, `POST /suggest`."""
    max_memory_bytes: Count = 1_073_741_824
    """Size of the translation memory's file; beyond it, clients store nothing: 503."""
    max_memory_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Part of it that one key may have of what others leave: 413."""
    memory_timeout_s: Seconds = 0.5
    """Time for the translation memory to answer; beyond it, the model translates."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level of the events that are logged."""

    @property
    def user_cache(self) -> Path | None:
        """`pellucid` in the cache folder of the user; None: there is none."""
        from platformdirs import user_cache_path

        folder = user_cache_path("pellucid", appauthor=False)
        return folder if folder.is_absolute() else None

    def with_threads(self) -> "Settings":
        """These, where nothing says how many engine processes there are: with none."""
        return self if self.engines is not None else self.model_copy(update={"engines": 0})

    def for_one_program(self) -> "Settings":
        """These, for a program that waits for its own work, and loads what that needs."""
        endless = {"max_queued_jobs": 1 << 30, "max_queued_tokens": 1 << 30}
        return self.model_copy(update={**endless, "load": "first_use"})

    @field_validator("bundles", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return split_paths(value)
        return value

    @field_validator("api_keys", "cors_origins", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            names = (name.strip().lower() for name in value.split(","))
            return tuple(name.removeprefix("*") if name != "*" else name for name in names if name)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        """What is none would be trusted nowhere, and without a word."""
        names = () if value == "*" else (name.strip() for name in value.split(","))
        for name in filter(None, names):
            try:
                ipaddress.ip_network(name)
            except ValueError as error:
                raise PydanticCustomError(
                    "trusted_proxies",
                    "{error}: give addresses and networks, such as 10.0.0.0/8, or '*' alone",
                    {"error": str(error)},
                ) from error
        return value

    @field_validator("otel_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        """Without a host every export would fail, in the log alone."""
        if value is not None and not _names_host(value):
            raise PydanticCustomError(
                "otel_endpoint",
                "The address has no host, or no valid port: give one such as http://collector:4318",
            )
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


def _names_host(address: str) -> bool:
    """Whether an address has a host, and a valid port if it has one."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", address)
    except ValueError:
        return False


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
    others = (name for name in ours if not name.upper().startswith(INSTALL_PREFIX))
    return sorted(name for name in others if name.upper() not in known)


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
