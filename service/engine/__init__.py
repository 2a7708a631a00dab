"""How a batch is translated: NumPy in, NumPy out. Knows no server, no threads, no settings."""

import os

# The official builds of onnxruntime report their use to their maker, unless told not to before
# they are loaded (docs/decisions/0010-no-telemetry.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
