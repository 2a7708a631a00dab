"""The ONNX graphs of a bundle as functions over NumPy arrays."""
