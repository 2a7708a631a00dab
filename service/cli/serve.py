"""`pellucid serve`: the HTTP server."""

import argparse
import asyncio
import gc
import ipaddress
import logging
import shlex
import socket
import sys
import time
from typing import TYPE_CHECKING

from pydantic.fields import FieldInfo

from service.observability.logs import configure_logging
from service.settings import ENV_PREFIX, Settings, flag_of, load_settings

if TYPE_CHECKING:
    from service.models.registry import Registry
    from service.observability.metrics import Metrics

_EXAMPLES = """\
examples:
  pellucid serve
  pellucid serve --port 8080 --bundles bundles/en-de
  PELLUCID_LOG_LEVEL=warning pellucid serve --host 0.0.0.0

Every flag can be given as a PELLUCID_* variable instead; the flag wins.
Logs are JSON lines on standard output.
"""

_SWITCH_INTERVAL_S = 0.0005
"""How long one thread may keep Python's lock from another: a decoding step takes it several times,
and with the usual 5 ms each time could cost more than the step (a median of 7.6 instead of 10 ms a
sentence beside nothing else)."""

_COLLECT_EVERY = (20_000, 10, 10)
"""Objects more than gone, then collections of each generation until the next one is looked at. With
Python's own 700 a flood spent a sixth of its time looking for garbage; with more generations of it
than Python's own, what only the oldest finds would pile up."""

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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit code.

    Raises:
        StartupError: A setting, a bundle or the address is no good.
    """
    started_s = time.monotonic()
    flags = {
        name: value for name, value in vars(arguments).items() if name in Settings.model_fields
    }
    settings = load_settings(flags)
    configure_logging(settings.log_level)

    from service.observability.metrics import Metrics
    from service.server.app import open_registry
    from service.server.uvicorn_server import bind, ignore_reloads

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    metrics = Metrics()
    ignore_reloads()
    listener = bind(settings.host, settings.port)
    registry = open_registry(settings, metrics)
    serve(settings, listener, registry, metrics, started_s)
    return 0


def serve(
    settings: Settings,
    listener: socket.socket,
    registry: "Registry",
    metrics: "Metrics",
    started_s: float,
) -> None:
    """Serve the models of `registry` until told to stop.

    Args:
        settings: Everything else.
        listener: Where to be reached.
        registry: Opened, not started.
        metrics: What the registry counts with.
        started_s: When the process began, monotonic.

    Raises:
        StartupError: A setting needs what is not installed.
    """
    from service.server.app import create_app
    from service.server.connection import connections
    from service.server.uvicorn_server import Server
    from service.server.watchdog import Watchdog

    app = create_app(settings, registry, metrics)
    gate = app.state.parts.gate
    watchdog = Watchdog(
        lambda: [model.scheduler for model in registry.running_models],
        max_hang_s=settings.max_hang_s,
    )

    def on_start() -> None:
        _spare_garbage_collection()
        loop = asyncio.get_running_loop()
        watchdog.start(lambda: loop.call_soon_threadsafe(gate.evacuate))
        _log.info("started", extra={"seconds": round(time.monotonic() - started_s, 2)})
        sys.stderr.write(_welcome(_base_url(listener), registry))
        if not app.state.parts.keys.are_required:
            _warn_if_open(listener)
        sys.stderr.flush()

    Server(
        app,
        gate,
        settings.drain_s,
        on_start,
        connections(settings, metrics, app.state.parts.room),
        on_reload=app.state.parts.reloader.request,
        farewell_s=settings.farewell_s,
    ).run(sockets=[listener])
    watchdog.stop()
    _log.info("stopped")


def _spare_garbage_collection() -> None:
    """Never again look at what stays for ever, and seldom at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_EVERY)


def _help(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, tuple):
        default = ":".join(map(str, default))
    shown = "" if default in (None, "") else f" [{default}]"
    text = f"{field.description}{shown} ({ENV_PREFIX}{name.upper()})"
    return text.replace("%", "%%")


def _base_url(listener: socket.socket) -> str:
    """Where this machine reaches the server."""
    host, port = listener.getsockname()[:2]
    if _address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _warn_if_open(listener: socket.socket) -> None:
    """Say that strangers may come in, where they can."""
    host = listener.getsockname()[0]
    if _address(host).is_loopback:
        return
    _log.warning("open to all", extra={"host": host})
    sys.stderr.write(
        f"Warning: whoever reaches {host} may translate. Ask for keys: set {ENV_PREFIX}KEY_STORE "
        "to a file and give them out with `pellucid keys add NAME`.\n\n"
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(host.partition("%")[0])  # behind it stands an interface


def _welcome(url: str, registry: "Registry") -> str:
    canary = registry.models[0].bundle.manifest.canary
    example = shlex.quote(f"q={canary.source_text}")
    pairs = ", ".join(str(p) for m in registry.models for p in m.bundle.manifest.pairs)
    pivots = len(registry.routes.pivots)
    others = f", and {pivots} more by way of a third language" if pivots else ""
    return (
        f"\nPellucid translates {pairs}{others}. Ctrl-C stops it.\n\n"
        f"  {url}/      try it\n"
        f"  {url}/docs  what can be called\n\n"
        f"  curl -s {url}/translate --data-urlencode {example} "
        f"-d source={canary.pair.source} -d target={canary.pair.target}\n\n"
    )
