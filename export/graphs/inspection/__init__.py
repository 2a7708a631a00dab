"""The graphs made from a stored `attention.onnx`: causes of a token, and states of the layers."""
