"""The ONNX graphs of a bundle, built from a network's arrays."""
