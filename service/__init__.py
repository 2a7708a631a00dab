"""The runtime: FastAPI and onnxruntime. Knows bundles; never torch, onnx, model or export."""
