"""The manifests as a cluster would get them: rendered by kubectl's own kustomize."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "docker" / "kubernetes"
RENDERED = ("base", "overlays/production")


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


def _kubectl() -> str:
    beside_python = Path(sys.executable).with_name("kubectl")
    found = str(beside_python) if beside_python.exists() else shutil.which("kubectl")
    assert found, "kubectl is not installed: `make test` installs it"
    return found
