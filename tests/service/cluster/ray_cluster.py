"""A Ray cluster of several nodes on this machine, and clients that never stop asking."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import ray
from ray import serve
from ray.cluster_utils import Cluster
from ray.exceptions import GetTimeoutError, RayActorError

from service.cluster.ray_serve import RayOptions, build
from tests.service.tiny_models import TINY_BUNDLE

_OBJECT_STORE_BYTES = 100_000_000
LONGEST_S = 60
_PORT = 8000
BASE_URL = f"http://127.0.0.1:{_PORT}"


def is_alone() -> bool:
    """Whether the network ends at this machine, so that Ray finds no other address."""
    return [name for _, name in socket.if_nameindex()] == ["lo"]


@contextmanager
def ray_cluster(*, num_cpus: int = 2) -> Iterator[Cluster]:
    """A cluster of one node, where this process is at home."""
    node = {"num_cpus": num_cpus, "object_store_memory": _OBJECT_STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **node})
    ray.init(address=cluster.address, log_to_driver=False, logging_level="warning")
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def add_node(cluster: Cluster, *, num_cpus: int = 1) -> Any:  # noqa: ANN401 - Ray shows no type
    return cluster.add_node(num_cpus=num_cpus, object_store_memory=_OBJECT_STORE_BYTES)


@contextmanager
def serving_on_ray(
    settings: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,  # noqa: ANN401 - of `RayOptions`
) -> Iterator[httpx.Client]:
    """A client of the service, with the tiny bundle unless `settings` name others."""
    serve.start(proxy_location="HeadOnly", http_options={"port": _PORT})
    given = {"bundles": str(TINY_BUNDLE), **(settings or {})}
    serve.run(build(RayOptions(settings=given, **options)), route_prefix="/")
    with httpx.Client(base_url=BASE_URL, timeout=LONGEST_S, headers=headers) as client:
        try:
            wait_until(lambda: client.get("/readyz").status_code == 200)
            yield client
        finally:
            serve.shutdown()


def engines() -> list[Any]:
    """The engine actors that live."""
    named = ray.util.list_named_actors(all_namespaces=True)
    found = (
        _actor(entry["name"], entry["namespace"])
        for entry in named
        if entry["name"].startswith("pellucid-engine-")
    )
    return [actor for actor in found if actor is not None and _lives(actor)]


def process_of(engine: Any) -> int:  # noqa: ANN401 - Ray shows no type
    """The process id of an actor."""
    return int(ray.get(engine.__ray_call__.remote(lambda _: os.getpid()), timeout=LONGEST_S))


def _actor(name: str, namespace: str) -> Any:  # noqa: ANN401 - Ray shows no type
    try:
        return ray.get_actor(name, namespace)
    except ValueError:  # it has gone since
        return None


def _lives(engine: Any) -> bool:  # noqa: ANN401 - Ray shows no type
    try:
        ray.get(engine.__ray_ready__.remote(), timeout=2)
    except (GetTimeoutError, RayActorError):  # it waits for a place, or has gone
        return False
    return True


def wait_until(is_so: Callable[[], bool], longest_s: float = LONGEST_S) -> None:
    """Ask again and again; fails after `longest_s` seconds."""
    until_s = time.monotonic() + longest_s
    while not is_so():
        assert time.monotonic() < until_s, f"not so after {longest_s:g} s"
        time.sleep(0.1)


@dataclass(slots=True)
class Load:
    """What clients in a closed loop have been answered."""

    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(ask: Callable[[httpx.Client], str], *, num_clients: int) -> Iterator[Load]:
    """Clients that ask one thing after another, until the end and to the end of the last.

    Args:
        ask: Answers what is to be noted; raises what is a failure.
        num_clients: How many ask at once.
    """
    done, noted = threading.Event(), Load()

    def run() -> None:
        with httpx.Client(base_url=BASE_URL, timeout=LONGEST_S) as client:
            while not done.is_set():
                try:
                    noted.answers.append(ask(client))
                except (httpx.HTTPError, AssertionError) as error:
                    noted.failures.append(repr(error))

    with ThreadPoolExecutor(num_clients) as clients:
        running = [clients.submit(run) for _ in range(num_clients)]
        try:
            yield noted
        finally:
            done.set()
    for client in running:
        client.result()
