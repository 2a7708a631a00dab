"""The manifests as a cluster would get them: rendered by kubectl's own kustomize."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "docker" / "kubernetes"
RENDERED = ("base", "overlays/production")
CHART = FOLDER.parent / "helm" / "pellucid"
_HELM = REPOSITORY / ".venv-policy" / "bin" / "python"
"""Has Helm's own library: `make policy` installs it."""
_RENDER = Path(__file__).with_name("render_chart.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """All objects of a base or an overlay."""

    objects: tuple[dict[str, Any], ...]

    def of(self, kind: str) -> dict[str, Any]:
        """The one object of a kind."""
        (found,) = (each for each in self.objects if each["kind"] == kind)
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """What each replica is made of."""
        pod: dict[str, Any] = self.of("Deployment")["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> dict[str, Any]:
        """The only container of it."""
        (container,) = self.pod["containers"]
        found: dict[str, Any] = container
        return found

    @property
    def pod_labels(self) -> dict[str, str]:
        """By which pods are found."""
        labels: dict[str, str] = self.of("Deployment")["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the container."""
        return {each["name"]: each["value"] for each in self.container["env"]}


def rendered(name: str) -> Manifests:
    """Render the base or an overlay; fails if kubectl has anything to complain of."""
    done = subprocess.run(
        [_kubectl(), "kustomize", str(FOLDER / name)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return Manifests(objects=tuple(yaml.safe_load_all(done.stdout)))


def rendered_chart(values: Mapping[str, Any], *, name: str = "pellucid") -> Manifests:
    """Render the chart with Helm's library; fails if Helm has anything to complain of."""
    done = run_helm(values, name=name)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [m for m in said["lint"] if m["error"] != "icon is recommended"] == []
    texts = (text for path, text in said["manifests"].items() if path.endswith(".yaml"))
    objects = (each for text in texts for each in yaml.safe_load_all(text))
    return Manifests(objects=tuple(each for each in objects if each))


def run_helm(
    values: Mapping[str, Any], *, name: str = "pellucid"
) -> subprocess.CompletedProcess[str]:
    """Let Helm render and check the chart; skips where Helm is not installed."""
    python = next((p for p in (sys.executable, str(_HELM)) if _has_helm(p)), None)
    if python is None:
        pytest.skip("Helm's library is not installed: `make policy` installs it")
    call = {"chart": str(CHART), "values": values, "name": name, "namespace": "pellucid"}
    return subprocess.run(
        [python, str(_RENDER)],
        input=json.dumps(call),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@cache
def _has_helm(python: str) -> bool:
    probe = "import importlib.util as u, sys; sys.exit(u.find_spec('helm_python') is None)"
    if not Path(python).exists():
        return False
    return subprocess.run([python, "-c", probe], check=False).returncode == 0


def _kubectl() -> str:
    beside_python = Path(sys.executable).with_name("kubectl")
    found = str(beside_python) if beside_python.exists() else shutil.which("kubectl")
    assert found, "kubectl is not installed: `make test` installs it"
    return found
