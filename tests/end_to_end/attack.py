"""Attacks a server that may have 1 GiB, and says what another client saw: `make attack`.

All attacks at once for a minute; before that, on request, each of them alone. The other client
shall wait for the server, not for the attackers' use of the machine: they have niceness 19, in a
session of their own, because Linux may count niceness within sessions. So they send less where the
server needs all CPUs: see the replies. With --server-cpus it has its own, attackers the others.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.settings import Settings
from tests.docker.engine import Engine
from tests.end_to_end.attacks import ATTACKS, Attack
from tests.end_to_end.bystander import Bystander
from tests.end_to_end.memory_cgroup import MemoryCgroup, NoCgroupError, memory_cgroup
from tests.service.server_process import REPOSITORY, environment, serving
from tests.service.waiting import eventually

MEMORY_BYTES = 1 << 30
MOST_RSS_BYTES = 600 << 20
MOST_PROBE_DELAY_S = 0.1
MOST_SLOWDOWN = 3.0
MOST_ERROR_BYTES = 4096
BASELINE_S = 6.0
_PROBE_SHARE, _TRANSLATION_SHARE = 0.99, 0.95
_SAMPLE_S = 0.2
_SETTLE_ROUNDS = 60
HEADER = (
    f"{'':18} /livez, ms     others, ms: p95\n"
    f"{'attack':18} p99 by  worst  alone  beside  ratio    MB  replies"
)
_FLAGS = (
    *("--engines", "1", "--log-level", "warning"),
    *("--max-refusals-per-s", str(Settings.model_fields["max_refusals_per_s"].default)),
)
_EXAMPLES = """\
examples:
  make attack
  make attack ARGS="--each 5"
  make attack ARGS="--each 4 --seconds 60"
  make attack ARGS="--server-cpus 1 --only html-tags,glossaries --seconds 10"
  make attack ARGS="--image pellucid:latest"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server under attack."""

    url: str
    pid: int
    """Of its front, as this machine counts."""
    keys: tuple[str, str]
    """Of the attacker and of the bystander."""
    group: MemoryCgroup | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its front runs."""
        return _field(Path(f"/proc/{self.pid}"), "State")[:1] not in ("", "Z")

    @property
    def rss_bytes(self) -> int:
        """Memory of the front, and what its children have beside what they share with it."""
        front = Path(f"/proc/{self.pid}")
        own = [_kilobytes(front.parent / child, "RssAnon") for child in self._children]
        return 1024 * (_kilobytes(front, "VmRSS") + sum(own))

    @property
    def engines(self) -> frozenset[str]:
        """Processes of its engines."""
        names = {child: _read(Path("/proc") / child / "comm").strip() for child in self._children}
        return frozenset(child for child, name in names.items() if name == "pellucid-engine")

    @property
    def _children(self) -> list[str]:
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [child for task in tasks for child in _read(task).split()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attack did."""

    name: str
    bystander: Bystander
    baseline: Bystander
    is_alive: bool
    has_kept_its_engines: bool
    most_rss_bytes: int
    statuses: Mapping[str, Mapping[str, int]]
    error_bytes: Mapping[str, int]

    def faults(self) -> list[str]:
        """Each bound that was exceeded, with the figure."""
        probes, translations = self.bystander.probes, self.bystander.translations
        delay_s = _delay_s(self.bystander) - _delay_s(self.baseline)
        slowdown = _slowdown(self.bystander, self.baseline)
        lost = translations.statuses.total() - translations.statuses["200"]
        missed = probes.statuses.total() - probes.statuses["200"]
        checks = {
            "the process ended": not self.is_alive,
            "an engine ended": not self.has_kept_its_engines,
            f"/livez is {1000 * delay_s:.0f} ms slower": delay_s > MOST_PROBE_DELAY_S,
            f"/livez failed {missed} times: {dict(probes.statuses)}": bool(missed),
            f"another key waits {slowdown:.1f} times as long": slowdown > MOST_SLOWDOWN,
            f"another key lost {lost}: {dict(translations.statuses)}": bool(lost),
            f"{self.most_rss_bytes >> 20} MB resident": self.most_rss_bytes > MOST_RSS_BYTES,
            **{
                f"an error of {size} bytes to {name}": size > MOST_ERROR_BYTES
                for name, size in self.error_bytes.items()
            },
        }
        return [fault for fault, is_so in checks.items() if is_so]

    def row(self) -> str:
        """One line of figures."""
        answers: Counter[str] = Counter()
        for statuses in self.statuses.values():
            answers.update(statuses)
        probes = self.bystander.probes
        delay_ms = 1000 * (_delay_s(self.bystander) - _delay_s(self.baseline))
        worst_ms = 1000 * max(probes.seconds, default=float("inf"))
        slowdown = _slowdown(self.bystander, self.baseline)
        alone_ms, beside_ms = _translation_ms(self.baseline), _translation_ms(self.bystander)
        replies = ", ".join(f"{number} {status}" for status, number in answers.most_common())
        return (
            f"{self.name:18} {delay_ms:+6.0f} {worst_ms:6.0f} {alone_ms:6.0f} {beside_ms:7.0f} "
            f"{slowdown:6.1f} {self.most_rss_bytes >> 20:5}  {replies or 'none'}"
        )


@dataclass(slots=True)
class _Peak:
    """The largest value seen."""

    value: int = 0
    engines: set[frozenset[str]] = field(default_factory=set)

    def watch(self, target: Target, ended: threading.Event) -> None:
        while not ended.wait(_SAMPLE_S):
            self.value = max(self.value, target.rss_bytes)
            self.engines.add(target.engines)


def _delay_s(bystander: Bystander) -> float:
    return bystander.probes.percentile_s(_PROBE_SHARE)


def _translation_ms(bystander: Bystander) -> float:
    return 1000 * bystander.translations.percentile_s(_TRANSLATION_SHARE)


def _slowdown(bystander: Bystander, baseline: Bystander) -> float:
    return _translation_ms(bystander) / _translation_ms(baseline)


@contextmanager
def process_target(
    folder: Path, bundle: Path, *further: str, cpus: Collection[int] = ()
) -> Iterator[Target]:
    """A server in a control group of `MEMORY_BYTES`; where none can be made, it says so.

    Args:
        folder: For its log.
        bundle: What it serves.
        further: Flags.
        cpus: Those it may use; empty: all.
    """
    keys = (secrets.token_hex(20), secrets.token_hex(20))
    (folder / "keys").write_text("\n".join(keys), "ascii")
    with ExitStack() as stack:
        group = None
        try:
            group = stack.enter_context(memory_cgroup(MEMORY_BYTES))
        except NoCgroupError as error:
            print(f"memory is not limited: no control group can be made ({error})")
        server = stack.enter_context(
            serving(
                folder,
                *("--bundles", str(bundle), "--api-key-file", str(folder / "keys")),
                *(*_FLAGS, *further),
                module="tests.end_to_end.confined_service",
                CGROUP_PROCESSES="" if group is None else str(group.processes),
                SERVER_CPUS=",".join(map(str, cpus)),
            )
        )
        yield Target(url=server.url, pid=server.process.pid, keys=keys, group=group)
        server.process.kill()
        server.process.wait()


@contextmanager
def container_target(image: str, *, cpus: Collection[int] = ()) -> Iterator[Target]:
    """The same in a container of the Docker engine that answers here."""
    keys = (secrets.token_hex(20), secrets.token_hex(20))
    engine = Engine(environment=os.environ)
    settings = {
        "API_KEYS": ",".join(keys),
        "ENGINES": "1",
        "LOG_LEVEL": "warning",
        "TRUSTED_PROXIES": "*",
        "MAX_STORED_BYTES": str(128 << 20),
    }
    variables = [f"--env=PELLUCID_{name}={value}" for name, value in settings.items()]
    limits = [f"--memory={MEMORY_BYTES}", f"--memory-swap={MEMORY_BYTES}", "--pids-limit=256"]
    limits += [f"--cpuset-cpus={','.join(map(str, cpus))}"] if cpus else []
    confined = ["--read-only", "--tmpfs=/tmp:size=256m", "--cap-drop=ALL"]
    published = "--publish=127.0.0.1::8000"
    container = engine.docker("run", "--detach", *limits, *confined, *variables, published, image)
    try:
        health = ("inspect", "--format={{.State.Health.Status}}", container)
        eventually(lambda: engine.docker(*health) == "healthy")
        pid = int(engine.docker("inspect", "--format={{.State.Pid}}", container))
        address = engine.docker("port", container, "8000").splitlines()[0]
        yield Target(url=f"http://{address}", pid=pid, keys=keys)
    finally:
        engine.docker("rm", "--force", "--volumes", container)


def baseline_of(target: Target, seconds: float = BASELINE_S) -> Bystander:
    """What the bystander sees while nobody else asks."""
    watch = Bystander(url=target.url, key=target.keys[1])
    with watch.watching():
        threading.Event().wait(seconds)
    return watch


def _settle(target: Target, baseline: Bystander) -> None:
    """Wait until a server has done with what the last attack has left, a while at most."""
    usual_s = _delay_s(baseline)
    for _ in range(_SETTLE_ROUNDS):
        if _delay_s(baseline_of(target, 1.0)) <= 2 * usual_s:
            return


def attacked(
    target: Target,
    attacks: Sequence[Attack],
    baseline: Bystander,
    *,
    seconds: float,
    seed: int = 0,
) -> Outcome:
    """Let clients of one key attack for some seconds, while the bystander watches."""
    peak, ended = _Peak(), threading.Event()
    sampler = threading.Thread(target=peak.watch, args=(target, ended))
    watch = Bystander(url=target.url, key=target.keys[1])
    engines = target.engines
    sampler.start()
    try:
        with watch.watching():
            found = _run_attackers(target, attacks, seconds=seconds, seed=seed)
    finally:
        ended.set()
        sampler.join()
    return Outcome(
        name=attacks[0].name if len(attacks) == 1 else "all at once",
        bystander=watch,
        baseline=baseline,
        is_alive=target.is_alive,
        has_kept_its_engines=peak.engines <= {engines},
        most_rss_bytes=peak.value,
        statuses=found["statuses"],
        error_bytes=found["error_bytes"],
    )


def _run_attackers(
    target: Target, attacks: Sequence[Attack], *, seconds: float, seed: int
) -> Mapping[str, Any]:
    address = urlsplit(target.url)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.end_to_end.attackers"),
            *("--host", str(address.hostname), "--port", str(address.port)),
            *("--seconds", str(seconds), "--seed", str(seed)),
            *(each.name for each in attacks),
        ],
        cwd=REPOSITORY,
        env=environment(ATTACKER_KEY=target.keys[0]),
        capture_output=True,
        encoding="utf-8",
        check=True,
        start_new_session=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _kilobytes(process: Path, name: str) -> int:
    return int(_field(process, name).split()[0] or 0) if _field(process, name) else 0


def _field(process: Path, name: str) -> str:
    for line in _read(process / "status").splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.attack",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=REPOSITORY / "bundles" / "en-de")
    parser.add_argument("--image", help="attack a container of this image instead of a process")
    parser.add_argument("--seconds", type=float, default=60.0, help="of all at once [60]")
    parser.add_argument("--each", type=float, default=0.0, help="seconds of each one alone [0]")
    parser.add_argument("--only", default="", help="names, separated by ','")
    parser.add_argument("--seed", type=int, default=0, help="of the order [0]")
    parser.add_argument(
        "--server-cpus",
        type=int,
        default=0,
        help="CPUs for the server alone; its clients have the others [0: all share all]",
    )
    parser.add_argument("--list", action="store_true", help="list the attacks")
    return parser.parse_args()


def _chosen(names: str) -> list[Attack]:
    wanted = [name for name in names.split(",") if name]
    unknown = set(wanted) - {each.name for each in ATTACKS}
    if unknown:
        raise SystemExit(f"no such attack: {', '.join(sorted(unknown))}; --list names all")
    return [each for each in ATTACKS if not wanted or each.name in wanted]


def _apart(num_cpus: int) -> Collection[int]:
    """CPUs for the server, which this process and its children leave to it."""
    usable = sorted(os.sched_getaffinity(0))
    if num_cpus >= len(usable):
        raise SystemExit(f"--server-cpus {num_cpus}: there are {len(usable)}, clients need one")
    os.sched_setaffinity(0, usable[:-num_cpus])
    return usable[-num_cpus:]


@contextmanager
def _opened(given: argparse.Namespace, cpus: Collection[int]) -> Iterator[Target]:
    if given.image:
        with container_target(given.image, cpus=cpus) as target:
            yield target
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        process_target(Path(folder), given.bundle, cpus=cpus) as target,
    ):
        yield target


def _attack_until_it_ends(
    target: Target, rounds: list[tuple[list[Attack], float]], seed: int
) -> Iterator[Outcome]:
    """The outcomes of rounds, which are taken from the list, up to one that ends the server."""
    usual = baseline_of(target)
    while rounds:
        attacks, seconds = rounds.pop(0)
        _settle(target, usual)
        # Anew for each: what else the machine does changes within minutes.
        baseline = baseline_of(target)
        outcome = attacked(target, attacks, baseline, seconds=seconds, seed=seed)
        print(outcome.row(), flush=True)
        yield outcome
        if not outcome.is_alive:
            print("the server is started again", flush=True)
            return
    if target.group is not None and target.group.peak_bytes is not None:
        print(f"control group: {target.group.peak_bytes >> 20} MB at most, page cache included")


def main() -> int:
    """Attack, and fail where a bound was exceeded."""
    given = _arguments()
    chosen = _chosen(given.only)
    if given.list:
        for each in chosen:
            print(f"{each.name:18} finding {each.finding}, {len(each.requests())} requests")
        return 0
    rounds = [([each], given.each) for each in chosen if given.each]
    rounds.append((chosen, given.seconds))
    faults: list[str] = []
    cpus = _apart(given.server_cpus) if given.server_cpus else ()
    print(HEADER, flush=True)
    while rounds:
        with _opened(given, cpus) as target:
            for outcome in _attack_until_it_ends(target, rounds, given.seed):
                faults += [f"{outcome.name}: {fault}" for fault in outcome.faults()]
    for fault in faults:
        print(f"FAILED {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
