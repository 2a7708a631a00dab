"""A Ray cluster of several nodes on this machine, and clients that never stop asking."""

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

from service.cluster.ray_serve import RayOptions, build
from tests.service.tiny_models import TINY_BUNDLE

ENGINE = "engine-tiny"
_OBJECT_STORE_BYTES = 100_000_000
LONGEST_S = 60
_PORT = 8000


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
def serving_on_ray(**options: Any) -> Iterator[httpx.Client]:  # noqa: ANN401 - of `RayOptions`
    """A client of the service with the tiny bundle."""
    serve.start(proxy_location="HeadOnly", http_options={"port": _PORT})
    deploy(**options)
    with httpx.Client(base_url=f"http://127.0.0.1:{_PORT}", timeout=LONGEST_S) as client:
        try:
            wait_until(lambda: client.get("/readyz").status_code == 200)
            yield client
        finally:
            serve.shutdown()


def deploy(**options: Any) -> None:  # noqa: ANN401 - of `RayOptions`
    """Serve the tiny bundle; what runs already and is to stay as it is goes on."""
    app = build(RayOptions(settings={"bundles": str(TINY_BUNDLE)}, **options))
    serve.run(app, route_prefix="/")


def num_engines() -> int:
    """Replicas that take calls."""
    deployments = serve.status().applications["default"].deployments
    states = deployments[ENGINE].replica_states
    return sum(count for state, count in states.items() if state == "RUNNING")


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
        with httpx.Client(base_url=f"http://127.0.0.1:{_PORT}", timeout=LONGEST_S) as client:
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
