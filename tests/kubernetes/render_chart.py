"""Renders and checks a chart with Helm's library, where that is installed.

A call as JSON comes on standard input: chart, values, name, namespace. Manifests and findings go to
standard output as JSON, or with `--yaml` the manifests alone.
"""

import json
import sys
from typing import Any


def rendered(call: dict[str, Any]) -> dict[str, Any]:
    """Manifests by path, and what `helm lint --strict` finds."""
    import helm_python

    with helm_python.Chart.load(call["chart"]) as chart:
        manifests: dict[str, str] = chart.render(
            call["values"], name=call["name"], namespace=call["namespace"]
        )
    lint = helm_python.lint(call["chart"], call["values"], strict=True)
    return {"manifests": manifests, "lint": lint["messages"]}


if __name__ == "__main__":
    found = rendered(json.load(sys.stdin))
    if "--yaml" in sys.argv:
        texts = (text for path, text in found["manifests"].items() if path.endswith(".yaml"))
        print("\n---\n".join(text for text in texts if text.strip()))
    else:
        print(json.dumps(found))
