"""The layers of the graphs of a Transformer, as operators of ONNX."""
