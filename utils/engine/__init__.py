"""What computes the outputs of a network for given images: MindSpore, or ONNX Runtime."""
