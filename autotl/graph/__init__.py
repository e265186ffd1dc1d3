"""From a torch module to an ONNX graph, and what the graph weighs and costs."""
