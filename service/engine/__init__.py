"""The inference engine: NumPy in, NumPy out. Knows no server, no threads, no settings."""

import os

# Official builds of onnxruntime send telemetry unless disabled before they are loaded
# (docs/decisions/0010-no-telemetry.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
