"""`pellucid serve`: the HTTP server."""

import argparse
import asyncio
import ipaddress
import logging
import os
import shlex
import socket
import sys
import time
from typing import TYPE_CHECKING

from pydantic.fields import FieldInfo

from service.errors import StartupError
from service.observability.logs import configure_logging
from service.settings import RENAMED, Settings, flag_of, load_settings, variable_of

if TYPE_CHECKING:
    from service.models.registry import Registry
    from service.observability.metrics import Metrics

_EXAMPLES = """\
examples:
  pellucid serve
  pellucid serve --port 8080 --bundles bundles/en-de
  PELLUCID_LOG_LEVEL=warning pellucid serve --host 0.0.0.0

Every flag can be given as a PELLUCID_* variable instead; the flag wins.
Logs go to standard output: plain lines to a terminal, lines of JSON otherwise.
"""
_SWITCH_INTERVAL_S = 0.0005
"""Time for which a thread may hold the GIL while another waits. A decoding step takes the GIL
several times, and waiting Python's default of 5 ms each time could cost more than the step itself
(median per sentence without other load: 7.6 ms instead of 10 ms)."""

_log = logging.getLogger(__name__)


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `serve`, with a flag for every setting."""
    parser = commands.add_parser(
        "serve",
        help="translate over HTTP",
        description="Serve translation over HTTP until SIGTERM or Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, field in Settings.model_fields.items():
        parser.add_argument(
            flag_of(name),
            default=argparse.SUPPRESS,
            metavar="VALUE",
            help=_help(name, field),
        )
    for former in RENAMED:
        parser.add_argument(flag_of(former), default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends the process; returns the exit code.

    Raises:
        StartupError: A setting, a bundle or the address cannot be used.
    """
    started_s = time.monotonic()
    # Products of matrices are small here: beside engines that use all cores, BLAS's threads would
    # wait for each other far longer than they compute. NumPy is not imported yet.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    configure_logging("warning")  # for warnings about settings, which say the level wanted
    names = {*Settings.model_fields, *RENAMED}
    settings = load_settings({k: v for k, v in vars(arguments).items() if k in names})
    configure_logging(settings.log_level)

    from service.observability.metrics import Metrics
    from service.server.heap import tune_heap
    from service.server.parts import num_engines, open_registry
    from service.server.uvicorn_server import bind, ignore_reloads

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    if num_engines(settings):  # a step of decoding frees and takes large blocks all the time
        tune_heap()
    metrics = Metrics()
    ignore_reloads()
    listener = bind(settings.host, settings.port)
    registry = open_registry(settings, metrics)
    try:
        registry.start()
    except StartupError:
        registry.close()
        raise
    serve(settings, listener, registry, metrics, started_s)
    return 0


def serve(
    settings: Settings,
    listener: socket.socket,
    registry: "Registry",
    metrics: "Metrics",
    started_s: float,
) -> None:
    """Serve the models of `registry` until a signal ends the process.

    Args:
        settings: All settings.
        listener: Bound socket to accept connections on.
        registry: Opened, not started.
        metrics: The metrics that `registry` updates.
        started_s: Monotonic time at which the process started.

    Raises:
        StartupError: A setting needs a package that is not installed.
    """
    from service.server.app import create_app
    from service.server.connections.connection import connections
    from service.server.garbage import tune_garbage_collection
    from service.server.uvicorn_server import Server
    from service.server.watchdog import Watchdog

    app = create_app(settings, registry, metrics)
    parts = app.state.parts
    watchdog = Watchdog(
        lambda: [
            model.scheduler
            for model in registry.running_models
            if not model.scheduler.replaces_engines
        ],
        watchdog_timeout_s=settings.watchdog_timeout_s,
    )

    def on_start() -> None:
        tune_garbage_collection()
        loop = asyncio.get_running_loop()
        watchdog.start(lambda: loop.call_soon_threadsafe(parts.in_flight.close_and_cancel))
        _log.info("started", extra={"seconds": round(time.monotonic() - started_s, 2)})
        sys.stderr.write(_welcome(_base_url(listener), registry))
        if not parts.keys.are_required:
            _warn_if_open(listener)
        sys.stderr.flush()

    Server(
        app,
        parts.in_flight,
        settings.drain_s,
        on_start,
        connections(settings, metrics, parts.request_limit, parts.held_bytes),
        on_reload=parts.reloader.request,
        shutdown_delay_s=settings.shutdown_delay_s,
    ).run(sockets=[listener])
    watchdog.stop()
    _log.info("stopped")


def _help(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, tuple):
        default = ":".join(map(str, default))
    shown = "" if default in (None, "") else f" [{default}]"
    text = f"{field.description}{shown} ({variable_of(name)})"
    return text.replace("%", "%%")


def _base_url(listener: socket.socket) -> str:
    """URL under which this machine reaches the server."""
    host, port = listener.getsockname()[:2]
    if _address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _warn_if_open(listener: socket.socket) -> None:
    """Warn about open access unless the listener is on the loopback interface."""
    host = listener.getsockname()[0]
    if _address(host).is_loopback:
        return
    _log.warning("open to all", extra={"host": host})
    sys.stderr.write(
        f"Warning: anyone who reaches {host} can translate. To require keys, set "
        f"{variable_of('key_store')} to a file and create keys with `pellucid keys add NAME`.\n\n"
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(host.partition("%")[0])  # the scope of an IPv6 address follows


def _welcome(url: str, registry: "Registry") -> str:
    canary = registry.served[0].bundle.manifest.canary
    example = shlex.quote(f"q={canary.source_text}")
    pairs = ", ".join(
        dict.fromkeys(str(p) for each in registry.served for p in each.bundle.manifest.pairs)
    )
    pivots = len(registry.routes.pivots)
    others = f", and {pivots} more by way of a third language" if pivots else ""
    return (
        f"\nPellucid translates {pairs}{others}. Ctrl-C stops it.\n\n"
        f"  {url}/      try it\n"
        f"  {url}/docs  what can be called\n\n"
        f"  curl -s {url}/translate --data-urlencode {example} "
        f"-d source={canary.pair.source} -d target={canary.pair.target}\n\n"
    )
